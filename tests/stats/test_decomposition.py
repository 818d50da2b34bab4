"""Effects of factors: exact, reversible, and by their limits at zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats.decomposition import lmdi_effects

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
