"""Effects of factors: exact, reversible, and by their limits at zero."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats.decomposition import lmdi_effects, mix_effects, shapley_effects

REL = 1e-9  # logarithms and their inverse lose a few bits each


def test_two_factors_by_hand() -> None:
    # 6 -> 20; weight = 14 / ln(20 / 6)
    weight = 14 / np.log(20 / 6)
    effects = lmdi_effects([2.0, 3.0], [4.0, 5.0])
    assert effects.tolist() == pytest.approx([weight * np.log(2), weight * np.log(5 / 3)], rel=REL)


def test_equal_totals_weigh_by_the_total() -> None:
    """The logarithmic mean of two equal numbers is that number."""
    assert lmdi_effects([2.0, 3.0], [3.0, 2.0]).tolist() == pytest.approx([6 * np.log(1.5), -6 * np.log(1.5)], rel=REL)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([0.0, 2.0], [5.0, 2.0], [10.0, 0.0]),              # only what was zero can have brought it
        ([0.0, 0.0], [5.0, 2.0], [5.0, 5.0]),               # both rise from the same small number: half each
        ([0.0, float("nan")], [5.0, 2.0], [10.0, 0.0]),     # a ratio over nothing is not defined and does nothing
        ([0.0, 2.0], [0.0, 4.0], [0.0, 0.0]),               # nothing before, nothing after
    ],
)  # fmt: skip
def test_zeros_by_their_limits(before: list[float], after: list[float], expected: list[float]) -> None:
    assert lmdi_effects(before, after).tolist() == pytest.approx(expected, rel=REL)
    small = np.where(np.array(before) == 0, 1e-120, np.nan_to_num(before, nan=after[1]))
    if np.prod(after):
        np.testing.assert_allclose(lmdi_effects(small, after), expected, rtol=0.02)  # ln 1e-120 is 276, ln 5 is 1.6


def test_negative_factors_are_refused() -> None:
    with pytest.raises(ParameterError, match="a negative one has no logarithm"):
        lmdi_effects([1.0, -1.0], [1.0, 2.0])


FACTOR = st.one_of(st.just(0.0), st.floats(0.01, 1000))


@settings(max_examples=200)
@given(st.lists(st.tuples(FACTOR, FACTOR), min_size=1, max_size=5))
def test_effects_sum_to_the_change_and_turn_with_time(pairs: list[tuple[float, float]]) -> None:
    before, after = zip(*pairs, strict=True)
    effects, back = lmdi_effects(before, after), lmdi_effects(after, before)
    scale = max(np.prod(before), np.prod(after), 1.0)
    assert effects.sum() == pytest.approx(np.prod(after) - np.prod(before), abs=scale * REL)
    np.testing.assert_allclose(effects, -back, atol=scale * REL)


@settings(max_examples=100)
@given(st.lists(st.tuples(FACTOR, FACTOR), min_size=1, max_size=5))
def test_shapley_sums_to_the_change_turns_with_time_and_treats_equals_alike(pairs: list[tuple[float, float]]) -> None:
    before, after = zip(*pairs, strict=True)
    effects, back = shapley_effects(before, after), shapley_effects(after, before)
    scale = max(np.prod(np.maximum(before, after)), 1.0)
    assert effects.sum() == pytest.approx(np.prod(after) - np.prod(before), abs=scale * REL)
    np.testing.assert_allclose(effects, -back, atol=scale * REL)
    twice = shapley_effects([*before[:1], *before], [*after[:1], *after])
    assert twice[0] == pytest.approx(twice[1], abs=scale * max(*before[:1], *after[:1], 1.0) * REL)
    still = [place for place, (one, two) in enumerate(pairs) if one == two]
    assert np.all(effects[still] == 0)


def test_shapley_is_the_mean_over_all_orders() -> None:
    """Second road: every order of stepping written out."""
    before, after = [2.0, 3.0, 0.5], [4.0, 5.0, 0.0]
    total = np.zeros(3)
    for order in permutations(range(3)):
        now = list(before)
        for place in order:
            old = np.prod(now)
            now[place] = after[place]
            total[place] += np.prod(now) - old
    assert shapley_effects(before, after).tolist() == pytest.approx((total / 6).tolist())
    with pytest.raises(ParameterError, match="9 factors"):
        shapley_effects([1.0] * 9, [2.0] * 9)


SIDES = st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=100)
@given(
    st.lists(SIDES, min_size=1, max_size=6).filter(
        lambda rows: min(sum(r[0] for r in rows), sum(r[1] for r in rows)) > 0
    )
)
def test_mix_and_rate_sum_to_the_change_of_the_rate(rows: list[tuple[int, int, float, float]]) -> None:
    groups = pd.DataFrame(
        [(n0, n1, n0 * r0, n1 * r1) for n0, n1, r0, r1 in rows], columns=["n_before", "n_after", "y_before", "y_after"]
    )
    parts = mix_effects(groups, units="n", total="y")
    sums = groups.sum()
    change = sums["y_after"] / sums["n_after"] - sums["y_before"] / sums["n_before"]
    assert (parts["mix_amount"] + parts["rate_amount"]).sum() == pytest.approx(change, abs=1e-9)
    turned = groups.rename(
        columns=lambda name: name.replace("before", "x").replace("after", "before").replace("x", "after")
    )
    np.testing.assert_allclose(mix_effects(turned, units="n", total="y")["mix_amount"], -parts["mix_amount"], atol=1e-9)


def test_simpson() -> None:
    """Both groups convert better and the whole worse: all of the fall is mix, and the rates' part is a rise."""
    groups = pd.DataFrame(
        {"n_before": [80.0, 20.0], "n_after": [20.0, 80.0], "y_before": [40.0, 2.0], "y_after": [11.0, 12.0]}
    )
    parts = mix_effects(groups, units="n", total="y")
    assert parts["rate_amount"].sum() > 0
    assert parts["mix_amount"].sum() == pytest.approx(0.23 - 0.42 - parts["rate_amount"].sum())
