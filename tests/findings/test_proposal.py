"""The proposal's page in words: one answer from verdict, money and obstacle; doubts once; actions with owner and day."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.findings import proposal as say
from opslib.periods import Period
from opslib.proposals.desirability import Desirability
from opslib.proposals.grades import OTHER_SEASON
from opslib.proposals.results import Gate, Measured, Obstacle, ProposalResult
from opslib.proposals.schema import Proposal
from opslib.proposals.verdicts import judge_claim
from opslib.reporting.render import net as card_net
from opslib.stats.estimates import Estimate
from tests.findings.facts import page
from tests.proposals.planted import proposal
from tests.proposals.test_claim_text import DESIGNS, ENDS, NEVER, judged
from tests.proposals.test_desirability import _desirable, _given
from tests.proposals.test_follow_up import _ledger


def _obstacle(name: str, place: str, sentence: str) -> Obstacle:
    return Obstacle(name=name, place=place, sentence=sentence)


SILENT = _obstacle("no answer", "Customer service", "Customer service has not answered; ask them")
ASKING = _obstacle("condition", "Logistics", "Piet de Wit agrees if: two more packers until March")
OLD = _obstacle("sample out of reach", "c1", "too few visitors to see the promise")
FULL = _obstacle("over capacity", "Logistics", "needs 120 person-days by 28 Feb 2027, and has 80")


def _whole(claim: object, *obstacles: Obstacle) -> ProposalResult:
    return ProposalResult(
        proposal_id="P-001", title="t", owner="Website", claims=(claim,), guardrails=(), state=claim.state,  # type: ignore[arg-type,attr-defined]
        qualifier=claim.qualifier, grade=claim.grade, obstacles=obstacles,  # type: ignore[attr-defined]
    )  # fmt: skip


def _worth(recommendation: str, net: float | None = None, **more: object) -> Desirability:
    money = (
        None
        if net is None
        else Estimate(value=net, lower=net - 500, upper=net + 500, n=9, unit="GBP", method="by hand")
    )
    usual = {
        "claim_id": "c1",
        "cost_amount": 1_000.0,
        "recommendation": recommendation,
        "sentences": ("",),
        "net": money,
    }
    return Desirability(**{**usual, **more})  # type: ignore[arg-type]


def _said(text: str) -> str:
    return text.replace("\xa0", " ")


def test_verdict_recommendation_and_obstacle_are_one_sentence() -> None:
    result = _whole(judged("rollout", (0.4, 0.64)), ASKING, FULL)
    worth = _worth(
        "launch", 12_345.0, margin_share=0.052, once=("Logistics has what it asks for", "Logistics has the days")
    )
    assert _said(say.answer(proposal(), result, worth, currency="GBP")) == (
        "Launch once Logistics has two more packers until March and Logistics has the days: it works (+52 %), and it is "
        "expected to bring about £12.3k a year (5 % of the margin)."
    )


def test_a_change_that_works_and_does_not_pay_says_why() -> None:
    result = _whole(judged("rollout", (0.4, 0.64)))
    worth = _worth("reject", -19_000.0, cost_amount=21_000.0)
    assert _said(say.answer(proposal(), result, worth, currency="GBP")) == (
        "Reject: it works (+52 %), but it would lose about £19.0k a year, since it costs more than it brings."
    )


def _net(value: float, lower: float, upper: float) -> Estimate:
    return Estimate(value=value, lower=lower, upper=upper, n=9, unit="GBP", method="by hand")


@pytest.mark.parametrize(
    ("net", "said", "tile"),
    [
        (_net(-90_989.0, -124_557.0, -57_422.0), "it would lose about £90k a year", "−£90k (−120k to −60k)"),
        (_net(40_727.0, 12_651.0, 68_804.0), "it is expected to bring about £41k a year", "£41k (13k–69k)"),
    ],
)
def test_one_amount_is_written_once_in_answer_and_figure(net: Estimate, said: str, tile: str) -> None:
    worth = replace(_worth("reject"), net=net, cost_amount=0.0)
    assert said in say.answer(proposal(), _whole(judged("rollout", (0.4, 0.64))), worth, currency="GBP")
    shown = card_net(say.verdict_card(proposal(), _whole(judged("rollout", (0.4, 0.64))), as_of=date(2026, 10, 31), money=net).to_json()["money"])  # fmt: skip
    assert shown == tile
    assert tile in " ".join(say.worth_sentences(proposal(), worth, stated_sd=None, currency="GBP"))


@pytest.mark.parametrize("value", [-13_377.0, 13_377.0])
def test_an_amount_that_may_be_nothing_is_not_told_as_one(value: float) -> None:
    worth = replace(_worth("test first"), net=_net(value, -99_272.0, 72_518.0))
    said = say.answer(proposal(), _whole(judged("rollout", (-0.3, 0.2))), worth, currency="GBP")
    assert said.endswith(", and what it is worth is not known: between −£100k and £70k a year.")
    assert "13k" not in said


def test_a_failed_sample_ratio_gives_the_two_numbers() -> None:
    sentence = (
        "the two groups should be equal and are 2,074 and 1,776; chance does that less than once in a million times"
    )
    measured = Measured(
        effect=None, gates=(Gate("sample ratio", "failed", sentence),), n_control=2_074, n_treated=1_776
    )
    claim = judge_claim(proposal().claims[0], measured, is_frozen=True, launch=date(2026, 4, 13))
    said = say.answer(proposal(), _whole(claim), _worth("gather data"), currency="GBP")
    assert said == "Gather data: the test is not to be used, its groups should be equal and are 2,074 and 1,776."


RECOMMENDED = ("launch", "launch with hold-out", "test first", "gather data", "reject")


@given(
    st.sampled_from(sorted(DESIGNS)), st.sampled_from([*ENDS.values()]), st.sampled_from(RECOMMENDED),
    st.none() | st.integers(-1_000_000, 1_000_000).map(float), st.booleans(),
)  # fmt: skip
def test_the_answer_never_contradicts_its_numbers(
    kind: str, pair: tuple[float, float], recommendation: str, net: float | None, is_stopped: bool
) -> None:
    claim = judged(kind, pair)
    once = ("Customer service has answered",) if is_stopped else ()
    result = _whole(claim, *([SILENT] if is_stopped else []))
    said = _said(say.answer(proposal(), result, _worth(recommendation, net, once=once), currency="GBP"))
    assert said.endswith(".")
    assert said.count(". ") == 0, said
    assert not re.search(NEVER, said), said
    assert (" once " in said) == (is_stopped and recommendation.startswith("launch"))
    is_known = net is not None and abs(net) > 500  # what `_worth` leaves on either side
    assert ("expected to bring" in said) == (is_known and net > 0)  # type: ignore[operator]
    assert ("would lose" in said) == (is_known and net < 0)  # type: ignore[operator]
    assert ("is not known: between" in said) == (net is not None and not is_known)
    if "it works (" in said or "it helps" in said:
        assert claim.measured.effect.lower > 0  # type: ignore[union-attr]
    if "does harm" in said:
        assert claim.measured.effect.upper < 0  # type: ignore[union-attr]


def test_with_a_result_doubts_about_measuring_fold_and_the_others_stay() -> None:
    measured = _whole(judged("experiment", (0.05, 0.2)), OLD, SILENT, ASKING, FULL)
    assert say.lasting_obstacles(measured) == (SILENT, ASKING, FULL)
    assert say.earlier_obstacles(measured) == (OLD,)
    waiting = _whole(judged("experiment", None), OLD, SILENT)
    assert say.lasting_obstacles(waiting) == (OLD, SILENT)
    assert say.earlier_obstacles(waiting) == ()
    assert say.obstacles_sentence(_whole(judged("experiment", (0.05, 0.2)), OLD)) == "Nothing stands in the way."


def test_a_doubt_stands_once_and_is_specific() -> None:
    claim = judged("experiment", (0.05, 0.2))
    result = _whole(claim)
    found = say.findings(result, proposal=proposal(), worth=_worth("launch", 9.0), page=page())
    card = say.verdict_card(proposal(), result, as_of=date(2026, 10, 31))
    texts = [
        card.doubt,
        *say.limits(proposal()),
        *(text for item in found for text in (item.sentence, item.caveat or "")),
    ]
    assert sum(claim.measured.doubt in text for text in texts) == 1


def _on(day: date) -> Proposal:
    return proposal(replay="false").model_copy(update={"start": day, "deadline": date(2027, 2, 28)})


def test_what_to_do_names_owner_day_and_money_a_year() -> None:
    result = _whole(judged("experiment", (0.12, 0.2)), SILENT)
    decide, answer = say.findings(
        result, proposal=_on(date(2026, 11, 9)), worth=_worth("launch", 12_000.0), page=page()
    )
    assert decide.action == "decide to launch P-001 Free delivery from 40"
    assert (decide.department, decide.due) == ("Technology", date(2026, 11, 9))
    assert decide.worth.value == pytest.approx(12_000.0)  # type: ignore[union-attr]
    assert decide.worth.unit == "GBP/year"  # type: ignore[union-attr]
    assert (answer.action, answer.department) == ("answer P-001 Free delivery from 40", "Customer service")
    assert answer.sentence == "Customer service has not answered."
    # A start that is over is no day to act by: then the deadline is.
    late, _ = say.findings(result, proposal=_on(date(2026, 4, 13)), worth=_worth("test first"), page=page())
    assert late.due == date(2027, 2, 28)
    assert late.worth is None
    assert late.would_tell == "a randomised test"


@pytest.mark.parametrize(("recommendation", "sign"), [("test first", 1), ("launch", 1), ("reject", -1)])
def test_a_known_net_is_the_worth_of_what_to_do(recommendation: str, sign: int) -> None:
    worth = replace(_worth(recommendation), net=_net(-7_425.0, -25_185.0, 10_334.0))
    result = _whole(judged("rollout", (-0.3, 0.2)))
    lead, *_ = say.findings(result, proposal=_on(date(2026, 11, 9)), worth=worth, page=page())
    assert lead.worth is not None
    assert lead.worth.value == pytest.approx(sign * -7_425.0)
    assert lead.would_tell is None


def test_what_cannot_be_tested_in_useful_time_is_not_to_be_tested() -> None:
    claim = replace(judged("experiment", (-0.1, 0.2)), n_needed=1e6, days_needed=8_600.0)
    assert claim.state == "inconclusive"
    given_, worth = _on(date(2026, 11, 9)), _worth("test first")
    lead, *_ = say.findings(_whole(claim), proposal=given_, worth=worth, page=page())
    assert lead.action == (
        "P-001 Free delivery from 40 cannot be tested in any useful time: decide by cost and judgement"
    )
    assert (lead.due, lead.would_tell) == (None, None)
    soon = replace(claim, days_needed=60.0)
    lead, *_ = say.findings(_whole(soon), proposal=given_, worth=worth, page=page())
    assert lead.action == "test P-001 Free delivery from 40 before anything is launched"


def test_a_launched_change_that_does_harm_is_to_be_undone() -> None:
    worth = replace(_worth("reject"), net=_net(-90_989.0, -124_557.0, -57_422.0))
    (lead,) = say.findings(
        _whole(judged("experiment", (-0.3, -0.1))), proposal=_on(date(2026, 11, 9)), worth=worth, page=page(),
        decision={"decision": "launch with hold-out"},
    )  # fmt: skip
    assert lead.action == "undo P-001 Free delivery from 40, if it is still on"
    assert (lead.is_urgent, lead.due) == (True, date(2026, 11, 7))
    assert lead.worth.value == pytest.approx(90_989.0)  # type: ignore[union-attr]


def test_a_follow_up_is_told_in_the_answer_and_no_longer_waited_for() -> None:
    name = proposal().id
    ledger = [replace(record, proposal=name) for record in _ledger(1)]
    said = say.followed_sentence(ledger, name)
    assert re.fullmatch(r"Followed up.*: [+−]\d.* \(.*\), (as promised|better .*|open|not as promised|worse)\.", said)
    text = say.answer(proposal(), _whole(judged("experiment", (0.05, 0.2))), _worth("launch", 9.0), currency="GBP", decision="launch (Ada)", followed=said)  # fmt: skip
    assert text.endswith(f". {said}")
    assert "Whether it lasts" not in say.limits(proposal(), ledger)[0]
    launched = [record for record in ledger if record.kind == "decision"]
    assert say.followed_sentence(launched, name) == ""
    assert say.limits(proposal(), launched)[0].startswith("Whether it lasts is not seen here: ")
    (done,) = (record for record in ledger if record.kind == "follow_up")
    days = {"window": {"start": "2026-07-06", "end": "2026-08-02"}}
    dated = [*launched, replace(done, payload={**done.payload, **days})]
    assert say.followed_sentence(dated, name).startswith("Followed up 6 Jul-2 Aug 2026: ")
    assert say.limits(proposal(), dated) == ("What came after the follow-up of 6 Jul-2 Aug 2026 is not seen here.",)
    rejected = [replace(record, payload={**record.payload, "decision": "reject"}) for record in launched]
    assert say.limits(proposal(), rejected) == ("It was not launched, so what it would have brought is not seen here.",)


def test_another_season_is_a_doubt_only_beyond_a_month() -> None:
    claim = judged("experiment", (0.05, 0.2))
    measured = replace(claim.measured, doubt="Tested 2 Mar-24 May 2026; other months may differ.")
    far = replace(
        claim, measured=measured, grade_reasons=(OTHER_SEASON,), days=Period.parse("2026-03-02", "2026-05-24")
    )
    doubts = [say.doubt_of(_whole(far), launch=day) for day in (date(2026, 6, 3), date(2026, 11, 9))]
    assert ["another season" in doubt for doubt in doubts] == [False, True]
    assert "other months may differ" in doubts[0]


def test_what_was_decided_leaves_no_decision_to_take() -> None:
    result = _whole(judged("experiment", (0.12, 0.2)), SILENT)
    (rejected,) = say.findings(
        result, proposal=_on(date(2026, 11, 9)), worth=_worth("reject"), page=page(), decision={"decision": "reject"}
    )
    assert rejected.action is None
    (launched,) = say.findings(
        result, proposal=_on(date(2026, 11, 9)), worth=_worth("launch"), page=page(), decision={"decision": "launch"}
    )
    assert launched.action is None  # no follow-up was named


def test_belief_is_told_only_where_it_is_another_number() -> None:
    given_, near = _given(), _desirable(0.15, 0.003)
    assert not any("We reckon" in text for text in say.worth_sentences(given_, near, stated_sd=None, currency="GBP"))
    far = replace(near, shrunk=replace(near.shrunk, value=0.08))  # type: ignore[type-var]
    assert _said(say.worth_sentences(given_, far, stated_sd=None, currency="GBP")[0]).startswith(
        "We reckon with +8 %, not the +15 %"
    )


def test_a_replay_asks_nobody_for_anything() -> None:
    result = _whole(judged("experiment", (0.12, 0.2)), SILENT, ASKING)
    found = say.findings(result, proposal=proposal(), worth=_worth("launch", 12_000.0), page=page())
    assert [item.action for item in found] == [None]
    assert say.verdict_card(proposal(), result, as_of=date(2026, 10, 31)).waiting_days is None


def test_a_difference_that_is_not_clear_is_not_called_one() -> None:
    unclear = say.answer(proposal(), _whole(judged("comparison", (-0.4, 0.3))), _worth("test first"), currency="GBP")
    assert "a difference in average order value is not clear" in unclear
    clear = say.answer(proposal(), _whole(judged("comparison", (0.1, 0.3))), _worth("test first"), currency="GBP")
    assert "does not prove" in clear
