"""Skewed outcomes: planted coverage of each method, edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.ratios import interval_of
from opslib.stats.skewed import bootstrap_t, hall_ends, metric_level
from opslib.stats.sufficient_statistics import SufficientStatistics


def sums(y: np.ndarray) -> SufficientStatistics:
    return SufficientStatistics.of_mean(n=y.shape[-1], y=y.sum(-1), yy=(y**2).sum(-1), yyy=(y**3).sum(-1))


def test_the_unsolved_row_of_heavy_spend_under_an_unequal_split():
    """Planted, no effect: 10/90, 4 % buy, lognormal sigma 1.2, 1,500 draws. Nominal 2.5 % in each tail."""
    rng = np.random.default_rng(20)
    control, treated = (
        {"all": sums(np.where(rng.random((1500, n)) < 0.04, rng.lognormal(0, 1.2, (1500, n)), 0.0))}
        for n in (9000, 1000)
    )
    tails = {}
    for scale in ("delta", "log", "shape"):
        _, lower, upper = interval_of(control, treated, confidence_level=0.95, scale=scale)
        tails[scale] = float((upper < 0).mean()), float((lower > 0).mean())
    assert tails["delta"][0] > 0.08
    assert tails["log"][0] > 0.045
    assert max(tails["shape"]) < 0.037  # 2.5 % and three binomial errors


def test_hall_covers_a_skewed_mean_better_than_students_t():
    """Planted: exponential, n 20, 4,000 draws; each tail nominal 2.5 %."""
    y = np.random.default_rng(2).exponential(1.0, (4000, 20))
    error = y.std(axis=1, ddof=1) / np.sqrt(20)
    skewness = stats.skew(y, axis=1) / np.sqrt(20)
    critical = stats.t.ppf(0.975, 19)
    hall = hall_ends(y.mean(axis=1), std_error=error, skewness=skewness, critical=critical)
    plain = y.mean(axis=1) - critical * error, y.mean(axis=1) + critical * error
    assert (plain[1] < 1).mean() > 0.06
    assert (hall[1] < 1).mean() < (plain[1] < 1).mean() - 0.02
    assert 0.93 < ((hall[0] < 1) & (hall[1] > 1)).mean() < 0.97


@given(st.floats(0.001, 1.0), st.floats(1.0, 3.0))
def test_hall_mirrors_with_the_skewness(skewness, critical):
    low, high = hall_ends(0.0, std_error=1.0, skewness=skewness, critical=critical)
    mirrored = hall_ends(0.0, std_error=1.0, skewness=-skewness, critical=critical)
    assert (float(low), float(high)) == pytest.approx((-float(mirrored[1]), -float(mirrored[0])))
    assert low < 0 < high


def test_a_level_without_cubes_is_students_t():
    y = np.array([1.0, 2, 3, 6])
    e = metric_level(SufficientStatistics.of_mean(n=4, y=12.0, yy=50.0), unit="orders")
    theirs = stats.ttest_1samp(y, 0).confidence_interval(0.95)
    assert (e.lower, e.upper) == pytest.approx((theirs.low, theirs.high))


def test_bootstrap_t_is_near_the_log_interval_where_nothing_is_skewed():
    values = np.arange(21.0)
    counts = np.round(20_000 * stats.binom.pmf(np.arange(21), 20, 0.5)).astype(int)
    e = bootstrap_t((values, counts), (values, counts), seed=3)
    y, yy, n = counts @ values, counts @ values**2, counts.sum()
    arm = {"all": SufficientStatistics.of_mean(n=n, y=y, yy=yy)}
    _, lower, upper = interval_of(arm, arm, confidence_level=0.95)
    assert (e.lower, e.upper) == pytest.approx((float(lower), float(upper)), abs=0.0006)  # 1,999 draws


def test_the_same_seed_gives_the_same_interval():
    arm = np.array([0.0, 1.0, 50.0]), np.array([900, 90, 10])
    assert bootstrap_t(arm, arm, seed=1) == bootstrap_t(arm, arm, seed=1)
    assert bootstrap_t(arm, arm, seed=1) != bootstrap_t(arm, arm, seed=2)


def test_no_spread_and_no_units_are_refused():
    flat = np.array([0.0]), np.array([100])
    with pytest.raises(ParameterError, match="positive mean and a spread"):
        bootstrap_t(flat, flat, seed=1)
    with pytest.raises(ParameterError, match="1 units"):
        metric_level(SufficientStatistics.of_share(n=1, successes=1), unit="share")
