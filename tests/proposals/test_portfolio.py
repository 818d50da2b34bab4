"""Which first: the best set within capacity by hand and against brute force; rankings that survive other weights."""

from __future__ import annotations

from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.proposals.portfolio import chosen_proposals, robust_ranking
from opslib.proposals.schema import Effort, Proposal
from tests.proposals.planted import proposal


def _proposal(name: str, web: float, logistics: float = 0.0, **more: object) -> Proposal:
    return proposal().model_copy(
        update={
            "id": name,
            "owner_person_days": web,
            "departments": (Effort(department="Logistics", person_days=logistics),),
            **more,
        }
    )


def _chosen(frame: pd.DataFrame) -> set[str]:
    return set(frame.loc[frame["is_chosen"], "proposal"])


def test_two_small_ones_beat_a_large_one() -> None:
    given_ = [_proposal("A", 10), _proposal("B", 6), _proposal("C", 4)]
    frame = chosen_proposals(given_, worth={"A": 100.0, "B": 70.0, "C": 50.0}, person_days={"Web": 10.0})
    assert _chosen(frame) == {"B", "C"}
    assert frame.set_index("proposal").loc["A", "why"] == "days of Web"


def test_prerequisites_exclusions_budget_and_losses() -> None:
    first, second = _proposal("A", 1), _proposal("B", 1, depends_on=("A",))
    worth = {"A": -10.0, "B": 50.0}
    assert _chosen(chosen_proposals([first, second], worth=worth, person_days={"Web": 9.0})) == {"A", "B"}
    assert _chosen(chosen_proposals([first, second], worth={"A": -60.0, "B": 50.0}, person_days={"Web": 9.0})) == set()
    alone = chosen_proposals([second], worth={"B": 50.0}, person_days={"Web": 9.0})
    assert (_chosen(alone), alone["why"][0]) == (set(), "needs A first")
    assert _chosen(chosen_proposals([second], worth={"B": 50.0}, person_days={"Web": 9.0}, done=("A",))) == {"B"}
    rival = _proposal("C", 1, excludes=("D",))
    assert _chosen(
        chosen_proposals([rival, _proposal("D", 1)], worth={"C": 5.0, "D": 6.0}, person_days={"Web": 9.0})
    ) == {"D"}
    dear = _proposal("E", 1, one_off_cost_amount=500.0)
    assert _chosen(chosen_proposals([dear], worth={"E": 9.0}, person_days={"Web": 9.0}, budget_amount=499.0)) == set()


def test_nothing_to_choose_from() -> None:
    assert chosen_proposals([_proposal("A", 1)], worth={}, person_days={}).empty


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(-20, 60)), min_size=1, max_size=6),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_the_choice_equals_brute_force(items: list[tuple[int, int, int]], web: int, logistics: int) -> None:
    given_ = [_proposal(f"P{i}", float(w), float(s)) for i, (w, s, _) in enumerate(items)]
    worth = {f"P{i}": float(v) for i, (_, _, v) in enumerate(items)}
    frame = chosen_proposals(given_, worth=worth, person_days={"Web": float(web), "Logistics": float(logistics)})
    best = max(
        sum(v for take, (_, _, v) in zip(mask, items, strict=True) if take)
        for mask in product([0, 1], repeat=len(items))
        if sum(w for take, (w, _, _) in zip(mask, items, strict=True) if take) <= web
        and sum(s for take, (_, s, _) in zip(mask, items, strict=True) if take) <= logistics
    )
    assert frame.loc[frame["is_chosen"], "worth_amount"].sum() == pytest.approx(best, abs=1e-6)


SCORES = pd.DataFrame({"customer": [1.0, 0.5, 0.0], "brand": [0.2, 0.2, 0.9]}, index=["A", "B", "C"])


def test_a_dominated_proposal_never_leads() -> None:
    ranking = robust_ranking(SCORES, weights={"customer": (0.3, 0.9), "brand": (0.1, 0.7)}).set_index("proposal")
    assert ranking.loc["B", "first_share"] == 0.0
    # Weights .6 and .4: A .68, B .38, C .36.
    assert ranking.loc["A", "score"] == pytest.approx(0.68)
    assert ranking["rank"].tolist() == [1, 2, 3]
    assert ranking.loc["A", "rank_upper"] > 1, "with brand heavy, C leads"


def test_equal_scores_share_a_rank() -> None:
    same = pd.DataFrame({"x": [0.5, 0.5]}, index=["A", "B"])
    assert robust_ranking(same, weights={"x": (1.0, 1.0)})["rank"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"customer": (0.1, 0.2)}, "criterion 'brand' has no range"),
        ({"customer": (0.9, 0.2), "brand": (0, 1)}, "0 <= lowest <= highest"),
    ],
)
def test_weights_are_checked(weights: dict[str, tuple[float, float]], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        robust_ranking(SCORES, weights=weights)
    with pytest.raises(ParameterError, match="from 0"):
        robust_ranking(SCORES * 3, weights={"customer": (0, 1), "brand": (0, 1)})
