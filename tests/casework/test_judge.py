"""What is judged again or not at all: other windows, unknown ids, a shop without proposals, an empty ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from opslib.casework import decide, files, judge
from opslib.errors import ProposalError
from opslib.proposals import overview
from opslib.proposals.follow_up import promises, scored_promises
from opslib.shop.opening import Shop, open_shop
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def demo() -> Shop:
    return open_shop("demo", root=ROOT)


@pytest.mark.parametrize("days", [0, -7])
def test_another_window_is_judged_without_the_ledger_and_is_exploratory(demo: Shop, days: int) -> None:
    path = files.ledger_path(ROOT / "data" / "proposals" / "demo")
    before = path.read_bytes()
    (written,), (result,) = judge.judge(demo, ["D-01"])
    again = judge.judge_again(demo, "D-01", window_days=days)
    assert path.read_bytes() == before
    assert (again.is_frozen, again.is_replay, again.label) == (False, False, "inconclusive (exploratory)")
    claim, moved = result.claims[0], again.claims[0]
    assert moved.measured.n_days == written.claims[0].window.period.n_days + days
    assert (moved.measured.effect == claim.measured.effect) == (days == 0)


def test_a_window_beyond_the_data_is_not_due_and_a_short_one_keeps_its_first_day(demo: Shop) -> None:
    assert judge.judge_again(demo, "D-01", window_days=3_650).label == "inconclusive (not due)"
    assert judge.judge_again(demo, "D-01", window_days=-3_650).claims[0].measured.n_days <= 1


def test_an_unknown_id_names_the_nearest(demo: Shop) -> None:
    nearest = r"no proposal 'D-2X' for demo; did you mean 'D-(\d2|2\d)'"
    with pytest.raises(ProposalError, match=nearest):
        judge.judge(demo, ["D-2X"])
    with pytest.raises(ProposalError, match=nearest):
        judge.judge_again(demo, "D-2X", window_days=7)
    with pytest.raises(ProposalError, match=nearest):
        decide.before_decision(demo, "D-2X", on=date(2026, 1, 1))


def test_a_shop_without_proposals_has_none_and_refuses_each(demo: Shop) -> None:
    bare = replace(demo, name="nobodys")
    assert judge.judge(bare) == ((), ())
    assert decide.standing(bare, "P-1") == {"decision": None, "ledger_head": None}
    assert (files.records_of_shop("nobodys"), files.titles_of_shop("nobodys")) == ((), {})
    with pytest.raises(ProposalError, match="no proposal 'P-1' for nobodys; none yet"):
        judge.judge(bare, ["P-1"])


def test_a_shop_with_products_only_gives_no_money_and_no_crash(demo: Shop) -> None:
    bare = replace(demo, tables={"products": demo.tables["products"]})
    written, results = judge.judge(bare)
    assert {result.proposal_id for result in results} == {proposal.id for proposal in written}
    assert all(
        claim.state in ("invalid", "inconclusive")
        for result in results
        for claim in result.claims
        if claim.design != "outside"
    )
    for proposal, result in zip(written, results, strict=True):
        worth = judge.weigh(bare, proposal, result)
        assert (worth.net, worth.p_net_positive, worth.downside_amount) == (None, None, None)
        assert overview.money_density(worth).empty


def test_of_an_empty_ledger_every_frame_is_empty() -> None:
    every, scores = promises([]), scored_promises([])
    assert (len(every), scores, overview.are_replays(every)) == (0, (), False)
    decided = every[every["is_replay"] == overview.are_replays(every)]
    outcomes, waiting = overview.outcomes_frame(decided, titles={}), overview.waiting_frame(decided, titles={})
    assert list(outcomes[["name", "value", "value_lower", "value_upper", "outcome", "found_share"]].index) == []
    assert len(decided[~decided["is_with_recommendation"].astype(bool)]) == len(waiting) == 0
    assert overview.calibration_frame(scores).empty
    assert overview.scores_frame(scores).empty


def test_open_cases_are_those_that_nobody_launched_or_rejected(demo: Shop) -> None:
    """The demo's ledger: nine launches, two of which begin after October 2026; one rejection, one replay."""
    bare = replace(demo, tables={"products": demo.tables["products"]})
    found = judge.open_cases(bare, on=date(2026, 10, 31))
    assert [written.id for written, _, _ in found.judged] == [
        "D-06", "D-07", "D-10", "D-11", "D-13", "D-14", "D-16", "D-19", "D-20", "D-21",
    ]  # fmt: skip
    assert found.launched == ("D-01", "D-02", "D-03", "D-05", "D-08", "D-09", "D-12", "D-15", "D-17")
    assert [item.id for item in found.decided] == ["D-03", "D-08"]
    assert (found.drafts, found.n_replays) == ((), 1)
    assert {written.owner for written, _, _ in found.judged} == {"Technology", "Buying", "Stores"}
    assert judge.open_cases(replace(demo, name="nobodys"), on=date(2026, 10, 31)).judged == ()
