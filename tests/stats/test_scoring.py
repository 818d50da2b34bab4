"""Scores of promises against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from opslib.errors import ParameterError
from opslib.stats import scoring
from opslib.stats.shrinkage import Mixture


def test_crps_of_a_standard_normal_at_its_mean_is_the_published_one():
    """Gneiting and Raftery 2007, eq. 21: (sqrt(2) - 1) / sqrt(pi) = 0.23370."""
    one = Mixture(weights=(1.0,), means=(0.0,), sds=(1.0,))
    assert scoring.crps(one, 0.0) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi))


def test_crps_of_a_mixture_agrees_with_its_integral():
    two = Mixture(weights=(0.4, 0.6), means=(-1.0, 2.0), sds=(0.5, 1.5))
    below = integrate.quad(lambda x: (1 - two.above(x)) ** 2, -20, 0.7, limit=200)[0]
    above = integrate.quad(lambda x: two.above(x) ** 2, 0.7, 25, limit=200)[0]
    assert scoring.crps(two, 0.7) == pytest.approx(below + above, abs=1e-7)  # quadrature


def test_crps_of_a_point_is_the_absolute_error():
    assert scoring.crps(Mixture(weights=(1.0,), means=(3.0,), sds=(0.0,)), 5.5) == pytest.approx(2.5)


def test_brier_by_hand():
    """Two bins .9 (1, 0) and .1 (0, 0): score (.01+.81+.01+.01)/4; reliability (.16+.01)/2; resolution .0625."""
    result = scoring.brier([0.9, 0.9, 0.1, 0.1], [1, 0, 0, 0])
    assert result.score == pytest.approx(0.21)
    assert result.reliability == pytest.approx(0.085)
    assert result.resolution == pytest.approx(0.0625)
    assert result.uncertainty == pytest.approx(0.1875)
    assert result.within == pytest.approx(0.0)
    assert result.bins["n"].tolist() == [2, 2]


def test_a_perfect_forecaster_scores_zero():
    assert scoring.brier([1.0, 0.0], [1, 0]).score == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.3, 1.0])), min_size=1, max_size=40))
def test_the_parts_add_up_and_are_not_negative(pairs):
    result = scoring.brier([p for p, _ in pairs], [o for _, o in pairs])
    total = result.reliability - result.resolution + result.uncertainty + result.within
    assert total == pytest.approx(result.score, abs=1e-12)
    assert min(result.reliability, result.resolution, result.uncertainty) >= -1e-15
    assert result.resolution <= result.uncertainty + 1e-12


def test_one_probability_a_bin_leaves_nothing_within():
    result = scoring.brier([0.05, 0.35, 0.35, 0.75], [0, 1, 0, 1])
    assert result.within == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize(
    ("stated", "happened", "text"),
    [
        ([], [], "at least one"),
        ([0.5], [1, 0], "as many"),
        ([1.2], [1], r"probabilities: 1.2 is outside 0-1"),
        ([0.5], [-1], r"outcomes: -1.0 is outside 0-1"),
    ],
)
def test_what_cannot_be_scored_is_refused(stated, happened, text):
    with pytest.raises(ParameterError, match=text):
        scoring.brier(stated, happened)
