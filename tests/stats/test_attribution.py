"""Credit over paths: a published toy, permutations, a chain walked step by step, real paths, and what every model keeps."""

from __future__ import annotations

import math
from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats.attribution import attributed
from tests.conftest import real_data

#: Sums of a few thousand floats.
EXACT = 1e-9
NAMES = "abcd"
PATHS = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5), st.integers(0, 4), st.integers(0, 4), st.floats(1, 50)),
    min_size=1, max_size=12,
)  # fmt: skip


def credits(rows, **choices) -> pd.DataFrame:
    """Credit of orders for (path, reached, lost) or (path, reached, lost, amount) rows."""
    amounts = [row[1] * (row[3] if len(row) > 3 else 1) for row in rows]
    found = attributed(
        [row[0] for row in rows],
        amounts=amounts,
        n_reached=[r[1] for r in rows],
        n_lost=[r[2] for r in rows],
        **choices,
    )
    return found.set_index("touch")


def test_the_published_toy_of_three_paths() -> None:
    """S. Bryl, "Marketing multi-channel attribution model with R (part 1)", 2016: removal effects .5, 1, 1, so .2, .4, .4."""
    found = credits([("abc", 1, 0), ("a", 0, 1), ("bc", 0, 1)])
    assert found["markov_1"].tolist() == pytest.approx([0.2, 0.4, 0.4], abs=EXACT)


def test_rules_by_hand_on_one_path() -> None:
    found = credits([("abca", 6, 0)])
    assert found["last"].tolist() == [6, 0, 0]
    assert found["first"].tolist() == [6, 0, 0]
    assert found["linear"].tolist() == [3.0, 1.5, 1.5]
    assert found["position"].tolist() == pytest.approx([0.8 * 6, 0.6, 0.6])  # 40 % each end, a tenth each between
    # Halved with each step back: 1, 1/2, 1/4, 1/8 of 15/8.
    assert found["time_decay"].tolist() == pytest.approx([6 * 9 / 15, 6 * 2 / 15, 6 * 4 / 15])
    assert found["shapley"].tolist() == [2, 2, 2]


def test_ages_take_the_place_of_steps() -> None:
    found = credits([("ab", 3, 0), ("b", 1, 0)], decay=np.array([[1.0, 3.0], [1.0, 0.0]]))
    assert found["time_decay"].tolist() == [0.75, 3.25]


def test_two_touches_are_halves_and_one_is_all_of_it() -> None:
    assert credits([("ab", 2, 0)])["position"].tolist() == [1, 1]
    assert credits([("b", 2, 5)]).iloc[0].tolist() == pytest.approx([2.0] * 9)


@settings(max_examples=60, deadline=None)
@given(PATHS)
def test_every_model_gives_away_exactly_what_there_is(rows) -> None:
    found = credits(rows)
    assert found.sum().tolist() == pytest.approx(
        [sum(row[1] * row[3] for row in rows)] * found.shape[1], rel=1e-8, abs=1e-8
    )
    assert (found.to_numpy() >= -1e-7).all()


@settings(max_examples=40, deadline=None)
@given(PATHS)
def test_shapley_is_the_mean_over_all_orders_of_arrival(rows) -> None:
    """The definition: what a touch adds to the worth of those before it, over every permutation."""
    found = credits(rows)["shapley"]

    def worth(there: set[str]) -> float:
        return sum(row[1] * row[3] for row in rows if set(row[0]) <= there)

    names = sorted({touch for row in rows for touch in row[0]})
    gains = dict.fromkeys(names, 0.0)
    for order in permutations(names):
        for place, name in enumerate(order):
            gains[name] += worth(set(order[: place + 1])) - worth(set(order[:place]))
    assert found.tolist() == pytest.approx([gains[name] / math.factorial(len(names)) for name in names], abs=1e-8)


def walked(rows, order: int) -> dict[str, float]:
    """Removal effects from a chain kept in dictionaries and walked until nothing is left of it."""
    steps: dict[tuple[str, ...], dict[object, float]] = {}
    for path, reached, lost in rows:
        states = [(), *(tuple(path[max(0, n - order) : n]) for n in range(1, len(path) + 1))]
        for one, two in pairwise(states):
            steps.setdefault(one, {}).setdefault(two, 0.0)
            steps[one][two] += reached + lost
        for end, n in (("yes", reached), ("no", lost)):
            steps.setdefault(states[-1], {}).setdefault(end, 0.0)
            steps[states[-1]][end] += n

    def chance(without: str | None) -> float:
        mass, won = {(): 1.0}, 0.0
        for _ in range(600):
            after: dict[tuple[str, ...], float] = {}
            for state, share in mass.items():
                whole = sum(steps[state].values())
                for target, n in steps[state].items():
                    if target == "yes":
                        won += share * n / whole
                    elif target != "no" and target[-1] != without:
                        after[target] = after.get(target, 0.0) + share * n / whole
            mass = after
        return won

    names = sorted({touch for path, _, _ in rows for touch in path})
    effects = {name: 1 - chance(name) / chance(None) for name in names}
    total = sum(row[1] for row in rows)
    return {name: total * effect / sum(effects.values()) for name, effect in effects.items()}


@pytest.mark.parametrize("order", [1, 2, 3])
def test_markov_equals_a_chain_walked_step_by_step(order: int) -> None:
    rows = [("abac", 3, 4), ("ab", 1, 6), ("cbb", 2, 2), ("b", 4, 9), ("acab", 1, 1), ("aac", 0, 3)]
    found = credits(rows)[f"markov_{order}"].to_dict()
    assert found == pytest.approx(walked(rows, order), abs=1e-7)


def test_a_touch_on_lost_journeys_alone_gets_nothing_and_twins_get_the_same() -> None:
    found = credits([("ax", 3, 2), ("bx", 3, 2), ("z", 0, 5), ("zz", 0, 1)])
    assert found.loc["z"].tolist() == pytest.approx([0.0] * 9, abs=EXACT)
    assert found.loc["a"].tolist() == pytest.approx(found.loc["b"].tolist())


def test_the_order_of_paths_does_not_matter_and_splitting_one_neither() -> None:
    rows = [("abac", 3, 4), ("ab", 1, 6), ("cbb", 2, 2)]
    split = [("cbb", 1, 2), ("ab", 1, 6), ("abac", 3, 4), ("cbb", 1, 0)]
    assert credits(split).to_numpy() == pytest.approx(credits(rows).to_numpy(), abs=EXACT)


def test_nothing_reached_is_nothing_to_share() -> None:
    assert (credits([("ab", 0, 3)]) == 0).all().all()
    assert credits([]).empty


def test_errors_are_by_name() -> None:
    for message, given_, choices in (
        ("amounts: 1 numbers for 2 paths", (["a", "b"], [1], [1, 1], [0, 0]), {}),
        ("a path has no touch", (["a", ""], [1, 0], [1, 0], [0, 0]), {}),
        ("n_reached: a path with an amount", (["a"], [1], [0], [2]), {}),
        (r"orders: \(0,\)", (["a"], [1], [1], [2]), {"orders": (0,)}),
    ):
        paths, amounts, reached, lost = given_
        with pytest.raises(ParameterError, match=message):
            attributed(paths, amounts=amounts, n_reached=reached, n_lost=lost, **choices)


@pytest.mark.real_data
def test_real_paths_add_up_and_ends_equal_plain_counts() -> None:
    """10,000 ways of the R package ChannelAttribution: all models add up to its conversions and their value."""
    data = pd.read_csv(real_data("attribution_paths") / "data.csv.gz")
    paths = data["path"].str.split(" > ").tolist()
    for column in ("total_conversions", "total_conversion_value"):
        found = attributed(
            paths, amounts=data[column], n_reached=data["total_conversions"], n_lost=data["total_null"]
        ).set_index("touch")
        assert found.sum().tolist() == pytest.approx([data[column].sum()] * 9, rel=1e-9)
        for model, place in (("last", -1), ("first", 0)):
            plain = data[column].groupby(data["path"].str.split(" > ").str[place]).sum()
            assert found[model].to_dict() == pytest.approx(plain.reindex(found.index, fill_value=0.0).to_dict())
