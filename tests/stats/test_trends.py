"""Levels and slopes of dependent days: statsmodels, planted truth, edges."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats import trends
from opslib.stats.trends import autoregressive_interval, series_trend


def series(values) -> pd.DataFrame:
    return pd.DataFrame({"day": pd.date_range("2024-01-01", periods=len(values)), "value": values})


def autoregression(phi: float, n: int, seed: int = 0, size: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    draws = rng.normal(size=(size, n + 200))
    for t in range(1, n + 200):
        draws[:, t] += phi * draws[:, t - 1]
    return draws[:, 200:]


@pytest.mark.parametrize("phi", [0.0, 0.6])
def test_statsmodels_generalised_least_squares_is_near(phi):
    """Second road: Cochrane-Orcutt with one estimated autocorrelation; ours adds what not knowing it costs (< 15 %)."""
    y = autoregression(phi, 400)[0] + 0.01 * np.arange(400)
    theirs = sm.GLSAR(y, sm.add_constant(np.arange(400.0)), rho=1).iterative_fit(20)
    value, _, _, error = autoregressive_interval(y[None], has_slope=True, season=1)
    assert value[0] == pytest.approx(theirs.params[1], abs=theirs.bse[1] / 5)
    assert error[0] == pytest.approx(theirs.bse[1], rel=0.15)


def test_days_as_if_independent_are_too_sure():
    """Planted: AR .6, no trend, 400 series. Least squares finds a trend in 20 % or more, ours in about 5 %."""
    y = autoregression(0.6, 90, seed=1, size=400)
    naive = [sm.OLS(row, sm.add_constant(np.arange(90.0))).fit().pvalues[1] < 0.05 for row in y]
    _, lower, upper, _ = autoregressive_interval(y, has_slope=True)
    assert np.mean(naive) > 0.2
    assert ((lower > 0) | (upper < 0)).mean() < 0.085


def test_a_weekly_pattern_is_no_noise():
    pattern = np.tile([1.0, 2, 3, 4, 5, 6, 7], 8)
    value, lower, upper, _ = autoregressive_interval(pattern[None], has_slope=False)
    assert value == pytest.approx(4.0)
    assert upper - lower < 1e-6


def test_missing_days_widen_but_do_not_shift():
    y = 5 + 0.1 * autoregression(0.5, 140, seed=2)[0]
    whole, holes = series(y), series(y).drop(index=range(30, 60))
    assert [series_trend(days, unit="x").n for days in (whole, holes)] == [140, 110]
    gap = np.where((np.arange(140) >= 30) & (np.arange(140) < 60), np.nan, y)
    level, lower, upper, _ = autoregressive_interval(y[None], has_slope=False)
    holed, low, high, _ = autoregressive_interval(gap[None], has_slope=False)
    assert holed == pytest.approx(level, abs=0.05)
    assert high - low > upper - lower


@pytest.mark.parametrize("closed", [(6,), (5, 6), (0,)])
def test_a_weekday_that_never_occurs_is_left_out(closed):
    """Planted: level 10 and slope .02 a day, a pattern over the open weekdays only, AR .3 noise of .2.

    Tolerances: four standard errors, of .2 * sqrt((1 + .3) / (1 - .3) / 100) = .03 and of .2 * 1.4 * sqrt(12 / 140**3)
    = .0006.
    """
    days = np.arange(140)
    is_open = ~np.isin(days % 7, closed)
    pattern = np.array([1.0, -0.5, 0.5, -1.0, 2.0, 0.25, 3.0])
    pattern = pattern - pattern[~np.isin(np.arange(7), closed)].mean()
    values = 10 + pattern[days % 7] + 0.2 * autoregression(0.3, 140, seed=6)[0]
    level, lower, upper, _ = autoregressive_interval(np.where(is_open, values, np.nan)[None], has_slope=False)
    assert level == pytest.approx(10, abs=0.12)
    assert lower < 10 < upper
    assert upper - lower < 0.3
    slope = series_trend(series(np.where(is_open, values + 0.02 * days, np.nan)), unit="x")
    assert slope.value == pytest.approx(0.02, abs=0.0024)
    assert slope.lower < 0.02 < slope.upper


@given(st.floats(-1000, 1000), st.floats(0.01, 100))
def test_shift_and_scale_carry_over(shift, factor):
    y = autoregression(0.3, 70, seed=4)[0]
    base, moved = series_trend(series(y), unit="x"), series_trend(series(shift + factor * y), unit="x")
    assert (moved.lower, moved.upper) == pytest.approx((factor * base.lower, factor * base.upper), rel=1e-4, abs=1e-9)


def test_a_finer_grid_near_one_does_not_lean_the_prior(monkeypatch):
    """Planted: AR .8, 60 series of 120 days. A grid even throughout is the second road; widths agree within 3 %."""
    y = autoregression(0.8, 120, seed=7, size=60)
    _, lower, upper, _ = autoregressive_interval(y, has_slope=False)
    grid = np.arange(-0.5, 0.985, 0.02)
    monkeypatch.setattr(trends, "_PHIS", grid)
    monkeypatch.setattr(trends, "_SPACING", np.ones(len(grid)))
    _, low, high, _ = autoregressive_interval(y, has_slope=False)
    assert np.median(upper - lower) == pytest.approx(np.median(high - low), rel=0.03)


def test_unit_and_least_length():
    assert series_trend(series(autoregression(0, 60)[0]), unit="orders").unit == "orders per day"
    with pytest.raises(ParameterError, match="27 days with a value; at least 28"):
        series_trend(series(np.arange(27.0)), unit="x")
