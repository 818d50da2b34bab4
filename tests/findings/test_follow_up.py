"""The follow-up page in words: hand-made promises, each with the outcome that its interval gives."""

from __future__ import annotations

import re
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.finding import Finding
from opslib.findings import follow_up as say
from opslib.proposals.follow_up import PromiseScores, promises
from opslib.proposals.overview import OUTCOMES, calibration_frame, outcomes_frame, scores_frame, waiting_frame
from opslib.stats.estimates import Estimate
from opslib.stats.scoring import brier
from tests.findings.facts import page
from tests.proposals.test_follow_up import _ledger

NOTHING_DUE = pd.DataFrame({name: [] for name in ("proposal", "title", "owner", "due_on", "is_overdue", "state")})
#: (interval found, outcome) for a promise of 10 % and m 0, by the verdict rule: the first that matches.
CASES = (
    ((0.12, 0.2), "as promised"), ((0.05, 0.2), "better but unclear how much"),
    ((0.01, 0.08), "better but less than promised"), ((-0.05, 0.2), "open"), ((-0.05, 0.05), "not as promised"),
    ((-0.2, -0.05), "worse"),
)  # fmt: skip


def _promises(*, n_open: int = 1) -> pd.DataFrame:
    rows = []
    for i, ends in enumerate([ends for ends, _ in CASES] + [None] * n_open):
        low, high = ends or (float("nan"), float("nan"))
        rows.append({
            "proposal": f"P-{i}", "decided_on": date(2026, 1, 5), "decision": "launch", "recommendation": "reject",
            "is_with_recommendation": i % 2 == 0, "person": "Ana", "reason": "why not", "owner": "Web", "promise": 0.1,
            "m": 0.0, "stated_probability": 0.5, "is_replay": False, "predicted": 0.02, "predicted_lower": -0.05,
            "predicted_upper": 0.09, "value": (low + high) / 2, "value_lower": low, "value_upper": high, "p_worthwhile": 0.5,
            "followed_on": None, "is_inside": None,
        })  # fmt: skip
    return pd.DataFrame(rows)


def test_each_interval_gives_its_outcome() -> None:
    found = outcomes_frame(_promises(), titles={"P-0": "New menu"})
    assert found["outcome"].tolist() == [outcome for _, outcome in CASES]
    assert found["name"].tolist()[:2] == ["P-0 New menu", "P-1"]
    assert waiting_frame(_promises(), titles={})["proposal"].tolist() == ["P-6"]


def _found(rows: pd.DataFrame, due: pd.DataFrame = NOTHING_DUE) -> tuple[Finding, ...]:
    return say.findings(outcomes_frame(rows, titles={}), waiting_frame(rows, titles={}), (), due=due, page=page())


def test_what_to_undo_names_its_owner_and_every_launch_is_counted_once() -> None:
    rows = _promises()
    by_key = {item.key: item for item in _found(rows)}
    assert by_key["came-true"].sentence == (
        "6 launches checked: 1 as promised, 1 better but unclear how much, 1 better but less than promised, 1 open, "
        "1 not as promised, 1 worse."
    )
    undo = by_key["undo-p-5"]
    assert (undo.action, undo.department, undo.is_urgent) == ("undo P-5, if it is still on", "Technology", True)
    assert undo.due == date(2026, 11, 7)  # a week after the page's last day
    assert undo.worth is None
    assert undo.sentence.replace("\xa0", " ") == "P-5 made it worse: −12 % (−20 to −5) where +10 % was promised."
    assert by_key["undo-p-4"].action == "undo P-4, unless it costs nothing"
    # P-1, P-3, P-5 went against it; of them only P-1 turned out better.
    assert by_key["against-advice"].sentence == (
        "3 of 7 decisions went against the recommendation; of 3 looked at again, 1 turned out better."
    )
    assert say.limits(page(), outcomes_frame(rows, titles={}), is_replay=False) == (
        "1 of 6 are open; in the scores each counts by its chance of having worked.",
    )


def test_undoing_is_worth_what_the_change_loses_a_year() -> None:
    rows, money = _promises(), {"unit": "GBP/year", "n": 9, "method": "by hand"}
    nets = {
        "P-5": Estimate(value=-90_989.0, lower=-124_557.0, upper=-57_422.0, **money),  # type: ignore[arg-type]
        "P-4": Estimate(value=-9e3, lower=-1e4, upper=-8e3, **money),  # type: ignore[arg-type]
    }
    outcomes = outcomes_frame(rows, titles={})
    assert say.harmful_ids(outcomes) == ("P-5",)
    found = say.findings(outcomes, waiting_frame(rows, titles={}), (), due=NOTHING_DUE, nets=nets, page=page())
    by_key = {item.key: item for item in found}
    undo = by_key["undo-p-5"]
    assert undo.worth is not None
    assert (undo.worth.value, undo.worth.lower, undo.worth.upper) == (90_989.0, 57_422.0, 124_557.0)
    assert undo.sentence.endswith(" It costs about £90k a year (60k–120k).")
    assert by_key["undo-p-4"].worth is None  # it did no harm
    unclear = {"P-5": Estimate(value=-1e3, lower=-3e3, upper=1e3, **money)}  # type: ignore[arg-type]
    found = say.findings(outcomes, waiting_frame(rows, titles={}), (), due=NOTHING_DUE, nets=unclear, page=page())
    assert next(item for item in found if item.key == "undo-p-5").worth is None


def test_a_decision_as_recommended_is_never_called_against_it() -> None:
    rows = _promises().assign(is_with_recommendation=False, recommendation="launch")
    assert "against-advice" not in {item.key for item in _found(rows)}


def test_what_is_overdue_comes_before_what_is_due_and_names_its_proposal() -> None:
    due = pd.DataFrame({
        "proposal": ["P-7", "P-8", "P-9"], "title": ["Soap", "Desks", "Parcels"], "owner": ["Web", "Stores", "Web"],
        "due_on": [date(2026, 10, 1), date(2027, 1, 31), None], "is_overdue": [True, False, False],
        "state": ["overdue since 1 Oct 2026", "due on 31 Jan 2027", "none was named"],
    })  # fmt: skip
    found = {item.key: item for item in _found(_promises(), due)}
    assert found["follow-up-p-7"].sentence == "The follow-up of P-7 Soap is overdue since 1 Oct 2026."
    assert found["follow-up-p-7"].due == date(2026, 10, 1)
    assert found["follow-up-p-9"].sentence == "The follow-up of P-9 Parcels was not named."
    assert found["follow-up-p-7"].priority < found["follow-up-p-8"].priority
    assert all(item.about.objects for item in found.values() if item.key.startswith(("follow-up", "undo")))
    good = _promises().iloc[:1]
    assert say.answer(outcomes_frame(good, titles={}), due) == "1 launch checked: 1 as promised. Overdue: P-7 Soap."


shares = st.integers(-6_000, 6_000).map(lambda number: number / 10_000)
widths = st.integers(1, 5_000).map(lambda number: number / 10_000)


@given(st.lists(st.tuples(shares, widths, widths), min_size=1, max_size=12))
def test_whatever_was_found_words_number_and_order_agree(found: list[tuple[float, float, float]]) -> None:
    rows = pd.concat([_promises(n_open=0).iloc[:1]] * len(found), ignore_index=True)
    rows["proposal"] = [f"P-{i}" for i in range(len(found))]
    rows["value_lower"] = [low for low, _, _ in found]
    rows["value_upper"] = [low + width for low, width, _ in found]
    rows["value"] = (rows["value_lower"] + rows["value_upper"]) / 2
    rows["promise"] = [promise for _, _, promise in found]
    outcomes = outcomes_frame(rows, titles={})
    sentence = say.outcomes_sentence(outcomes)
    counts = [int(part.split()[0]) for part in sentence.partition(": ")[2].split(", ")]
    assert sum(counts) == len(found) == int(sentence.split()[0])
    for row in outcomes.itertuples():
        # The side of nothing that a reader sees is the one that the word stands on.
        ends = row.found[row.found.index("(") + 1 : -1]
        low, high = ends.split(" to ") if " to " in ends else ends.split("–")
        if row.outcome == "worse":
            assert high.startswith("−")
            assert float(high[1:]) > 0
        if row.outcome.startswith(("better", "as")):
            assert float(low.replace("−", "-")) > 0
        if row.outcome == "open":
            assert float(low.replace("−", "-")) <= 0 <= float(high)
    order = [list(OUTCOMES.values()).index(word) for word in outcomes["outcome"]]
    assert order == sorted(order)
    harmful = int((outcomes["outcome"] == "worse").sum())
    assert sum(item.is_urgent for item in _found(rows)) == harmful
    assert ("To be undone" in say.answer(outcomes, NOTHING_DUE)) == bool(harmful)


def test_a_shop_without_decisions_says_so() -> None:
    empty = promises(())
    (found,) = _found(empty)
    assert "Nothing was decided here yet" in found.sentence
    assert len(say.limits(page(), outcomes_frame(empty, titles={}), is_replay=False)) == 1
    assert (
        say.answer(outcomes_frame(empty, titles={}), NOTHING_DUE)
        == "Nothing that was launched was looked at again yet."
    )


@pytest.mark.parametrize(
    ("coverage", "word"),
    [
        (0.25, "3 of 12 results lie inside the ranges we had predicted; 9 in 10 should: they are too narrow;"),
        (0.9, "11 of 12 results lie inside the ranges we had predicted; 9 in 10 should;"),
        (1.0, "All 12 results lie inside the ranges we had predicted;"),
    ],
)
def test_scores_in_a_sentence(coverage: float, word: str) -> None:
    score = brier([0.9] * 8 + [0.1] * 4, [1.0] * 7 + [0.0] * 5)
    scores = PromiseScores(group="all", n=12, coverage_share=coverage, mean_crps=0.02, brier=score)
    said = say.scores_sentence([scores])
    assert word in said
    assert "came true oftener than what was called unlikely" in said
    assert "Brier" not in said
    assert scores_frame([scores])["measure"].tolist()[0] == "promises looked at again"
    assert len(scores_frame([scores])) == 8
    few = PromiseScores(group="all", n=9, coverage_share=None, mean_crps=None, brier=None)
    assert "9 promises looked at again; below 10 how good they are cannot be told." in say.scores_sentence([few])
    assert scores_frame(()).empty
    assert say.scores_sentence(()) == "Nothing that was promised was looked at again yet."


def test_calibration_bins_hold_their_share() -> None:
    score = brier([0.9] * 8 + [0.1] * 4, [1.0] * 7 + [0.0] * 5)
    bins = calibration_frame([PromiseScores(group="all", n=12, coverage_share=None, mean_crps=None, brier=score)])
    assert calibration_frame(()).empty
    # Of four called 10 % none came true, of eight called 90 % seven did.
    assert bins[["stated", "observed", "n"]].to_numpy().tolist() == [
        pytest.approx([0.1, 0.0, 4]),
        pytest.approx([0.9, 0.875, 8]),
    ]
    assert ((bins["observed_lower"] <= bins["observed"]) & (bins["observed"] <= bins["observed_upper"])).all()


def test_promises_in_one_sentence_count_what_came_of_them_and_how_often_we_were_right() -> None:
    many = _ledger(12)
    inside = int(promises(many)["is_inside"].sum())
    said = say.promises_sentence(many)
    assert said.startswith("12 launches checked: ")
    assert said.endswith(say.inside_sentence(inside, 12))
    assert inside == 12
    assert "All 12 results lie inside the ranges we had predicted." in said
    assert "right" not in said
    assert "Brier" not in said
    assert re.search(r"(All|\d of) 9 results lie inside the ranges we had predicted", say.promises_sentence(_ledger(9)))
    assert say.promises_sentence(_ledger(9, is_replay=True)).endswith("Replayed on history.")
    only = say.promises_sentence([r for r in many if r.kind == "decision"])
    assert only == "Nothing that was launched was looked at again yet."
    assert say.promises_sentence(()) == ""
