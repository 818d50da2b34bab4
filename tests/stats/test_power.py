"""Power: textbook numbers, second roads, properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from opslib.errors import ParameterError
from opslib.stats.power import (
    minimal_detectable_change,
    needed_days,
    needed_units,
    power_of,
    unit_variation,
)
from opslib.stats.sufficient_statistics import SufficientStatistics


def test_statsmodels_agrees_on_power():
    expected = NormalIndPower().power(effect_size=0.1, nobs1=1000, alpha=0.05, ratio=1.0)
    assert power_of(0.1, std_error=math.sqrt(2 / 1000)) == pytest.approx(expected, rel=1e-6)


def test_sixteen_times_the_variation_over_the_square():
    """van Belle's rule of thumb: n an arm = 16 variation / change^2 (Kohavi et al. 2009), to 3 %."""
    assert needed_units(9.0, change=0.01) / 2 == pytest.approx(16 * 9.0 / 0.01**2, rel=0.03)


@given(st.floats(0.1, 50), st.floats(0.01, 0.5), st.floats(0.1, 0.9))
def test_the_needed_units_detect_the_change(variation, change, share):
    n = needed_units(variation, change=change, treated_share=share)
    least = minimal_detectable_change(variation, n_control=n * (1 - share), n_treated=n * share)
    assert least == pytest.approx(change, rel=0.01)


def test_variation_of_a_ratio_counts_the_denominator():
    """By hand: y = 2 d for every unit, so the ratio does not vary at all."""
    d = np.array([1.0, 2.0, 5.0])
    m = SufficientStatistics(n=3, y=2 * d.sum(), d=d.sum(), yy=4 * (d**2).sum(), dd=(d**2).sum(), yd=2 * (d**2).sum())
    assert unit_variation(m) == pytest.approx(0.0, abs=1e-9)


def test_a_covariate_lowers_the_variation():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, 5000)
    y = 10 + x + rng.normal(0, 1, 5000)
    m = SufficientStatistics.of_mean(n=5000, y=y.sum(), yy=(y**2).sum(), x=x.sum(), xx=(x**2).sum(), yx=(x * y).sum())
    assert unit_variation(m) / unit_variation(m, adjust=False) == pytest.approx(0.5, abs=0.05)


def test_days_by_hand():
    assert needed_days(1000, units_per_day=300) == 4
    assert needed_days(0, units_per_day=300) == 0
    assert needed_days(1000, units_per_day=0) == math.inf


def test_impossible_questions_are_refused():
    with pytest.raises(ParameterError, match="change 0"):
        needed_units(1.0, change=0)
    with pytest.raises(ParameterError, match="treated_share 1"):
        needed_units(1.0, change=0.1, treated_share=1)
    with pytest.raises(ParameterError, match=r"level 0\.1: needed more than 0\.2"):
        needed_units(1.0, change=0.1, confidence_level=0.1)
    with pytest.raises(ParameterError, match="at least one"):
        minimal_detectable_change(1.0, n_control=0, n_treated=5)
    with pytest.raises(ParameterError, match="relative changes need a positive one"):
        unit_variation(SufficientStatistics.of_share(n=10, successes=0))
