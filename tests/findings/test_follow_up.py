"""The follow-up page in words: hand-made promises, each with the outcome that its interval gives."""

from __future__ import annotations

import re
from datetime import date

import pandas as pd
import pytest

from opslib.findings import follow_up as say
from opslib.proposals.follow_up import PromiseScores, promises
from opslib.proposals.overview import calibration_frame, outcomes_frame, scores_frame, waiting_frame
from opslib.stats.scoring import brier
from tests.findings.facts import page
from tests.proposals.test_follow_up import _ledger

#: (interval found, outcome) for a promise of 10 % and m 0, by the verdict rule: the first that matches.
CASES = (
    ((0.12, 0.2), "came true"), ((0.05, 0.2), "came true in direction"), ((0.01, 0.08), "less than promised"),
    ((-0.05, 0.2), "cannot be told yet"), ((-0.05, 0.05), "did not come true"), ((-0.2, -0.05), "made it worse"),
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


def test_what_to_undo_names_its_owner_and_the_count_of_what_came_true() -> None:
    rows = _promises()
    found = say.findings(outcomes_frame(rows, titles={}), waiting_frame(rows, titles={}), (), page=page())
    by_key = {item.key: item for item in found}
    assert by_key["came-true"].sentence.startswith("Of 6 promises looked at again, 2 came true at least in direction")
    assert by_key["undo-p-5"].action == "undo P-5"
    assert by_key["undo-p-5"].department == "Technology"
    assert by_key["undo-p-4"].action == "undo P-4, unless it costs nothing"
    # P-1, P-3, P-5 went against it; of them only P-1 came true in direction.
    assert by_key["against-advice"].sentence == (
        "3 of 7 decisions went against the recommendation; of 3 looked at again, 1 came true at least in direction."
    )
    assert any("1 cannot tell" in said for said in say.limits(page(), outcomes_frame(rows, titles={}), is_replay=False))


def test_a_shop_without_decisions_says_so() -> None:
    empty = promises(())
    outcomes, waiting = outcomes_frame(empty, titles={}), waiting_frame(empty, titles={})
    (found,) = say.findings(outcomes, waiting, (), page=page())
    assert "Nothing was decided here yet" in found.sentence
    assert len(say.limits(page(), outcomes, is_replay=False)) == 1


@pytest.mark.parametrize(("coverage", "word"), [(0.3, "too sure of themselves"), (0.9, "not shown to be wrong")])
def test_scores_in_a_sentence(coverage: float, word: str) -> None:
    score = brier([0.9] * 8 + [0.1] * 4, [1.0] * 7 + [0.0] * 5)
    scores = PromiseScores(group="all", n=12, coverage_share=coverage, mean_crps=0.02, brier=score)
    said = say.scores_sentence([scores])
    assert word in said
    assert "better than always saying the average" in said
    assert scores_frame([scores])["measure"].tolist()[0] == "promises looked at again"
    assert len(scores_frame([scores])) == 8
    few = PromiseScores(group="all", n=9, coverage_share=None, mean_crps=None, brier=None)
    assert "9 promises followed up; below 10 nothing can be said" in say.scores_sentence([few])
    assert scores_frame(()).empty
    assert say.scores_sentence(()) == "No promise was followed up yet."


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


def test_promises_in_one_sentence_say_what_became_of_them_and_how_often_the_forecast_held() -> None:
    many = _ledger(12)
    every = promises(many)
    low, high, promise = (every[name].astype(float) for name in ("value_lower", "value_upper", "promise"))
    worse, kept = (
        int((high < 0).sum()),
        int((low >= promise).sum()),
    )  # by the definition of a verdict, not by its function
    said = say.promises_sentence(many)
    assert said.startswith("12 launches looked at again: ")
    assert (f" {worse} worse" in said) == (worse > 0)
    assert (f" {kept} as promised" in said) == (kept > 0)
    assert sum(int(n) for n in re.findall(r"(\d+) [a-z]", said.partition(": ")[2].partition(".")[0])) == 12
    assert said.endswith(
        f"The forecast held in {int(every['is_inside'].sum())} of 12; 11 would be usual."
    )  # 90 % of 12
    assert say.promises_sentence(_ledger(9, is_replay=True)).endswith("8 would be usual. Replayed on history.")
    assert say.promises_sentence([r for r in many if r.kind == "decision"]) == "None was looked at again yet."
    assert say.promises_sentence(()) == ""
