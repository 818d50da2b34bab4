"""Daily series: hand counts, the Nile, and recovery of what was put in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.datasets import nile

from opslib.errors import ParameterError
from opslib.stats import daily_series


def autoregressive(rng, phi, n):
    noise = rng.standard_normal(n)
    noise[0] /= np.sqrt(1 - phi**2)
    for t in range(1, n):
        noise[t] += phi * noise[t - 1]
    return noise * np.sqrt(1 - phi**2)


def test_the_nile_changes_after_28_years():
    """Flow at Aswan 1871-1970: one change, after 1898 (Cobb 1978; reference/oracles.md: index 28)."""
    flow = nile.load_pandas().data["volume"].to_numpy()
    assert daily_series.change_positions(flow, min_days=5) == [28]


def test_weekday_factors_by_hand():
    """Five days of 10 and two of 20: mean 90/7, factors 7/9 and 14/9."""
    days = np.arange(140) % 7
    factors = daily_series.weekday_factors(np.where(days >= 5, 20.0, 10.0), days)
    assert factors[:5] == pytest.approx([7 / 9] * 5, rel=0.02)  # whole weeks, but for the ends
    assert factors[5:] == pytest.approx([14 / 9] * 2, rel=0.02)
    assert factors.mean() == pytest.approx(1.0)


def test_a_level_change_does_not_bend_the_weekdays():
    days = np.arange(140) % 7
    factors = daily_series.weekday_factors(np.where(np.arange(140) < 66, 10.0, 30.0), days)
    assert factors == pytest.approx(np.ones(7), abs=0.03)  # only the seven days around the change count


def test_a_closed_weekday_is_missing():
    days = np.arange(140) % 7
    factors = daily_series.weekday_factors(np.where(days == 6, 0.0, 10.0), days)
    assert np.isnan(factors[6])
    assert np.isfinite(factors[:6]).all()


def test_short_or_empty_series_have_no_weekdays():
    assert daily_series.weekday_factors(np.ones(30), np.arange(30) % 7).tolist() == [1.0] * 7
    assert daily_series.weekday_factors(np.zeros(100), np.arange(100) % 7).tolist() == [1.0] * 7


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6, 0.8])
def test_autocorrelation_recovers_what_was_put_in_in_spite_of_a_level_change(phi):
    rng = np.random.default_rng(1)
    noise = autoregressive(rng, phi, 4_000) + 5.0 * (np.arange(4_000) > 1_500)
    assert daily_series.autocorrelation(noise) == pytest.approx(phi, abs=4 / np.sqrt(4_000))


def test_long_run_variance_is_the_variance_of_long_means():
    rng = np.random.default_rng(2)
    noise = autoregressive(rng, 0.6, 200_000)
    blocks = noise.reshape(-1, 500).mean(axis=1)
    assert daily_series.long_run_variance(noise) == pytest.approx(500 * blocks.var(), rel=0.25)  # 400 blocks: 7 % a sd


def test_false_alarms_of_a_correlated_series_are_rare_and_true_changes_found():
    """The usual penalty alarms on 100 % at AR .6, the scaled one on about 2 % (reference/truth.md)."""
    rng = np.random.default_rng(3)
    rows = [autoregressive(rng, 0.6, 364) for _ in range(200)]
    alarms = np.mean([bool(daily_series.change_positions(row)) for row in rows])
    found = np.mean([bool(daily_series.change_positions(row + 2.5 * (np.arange(364) > 200))) for row in rows])
    assert alarms <= 0.02 + 4 * np.sqrt(0.02 * 0.98 / 200)
    assert found > 0.9


@pytest.mark.parametrize("values", [[], [1.0], [3.0] * 100])
def test_nothing_changes_in_an_empty_short_or_constant_series(values):
    assert daily_series.change_positions(np.array(values)) == []


@given(st.integers(0, 60), st.floats(0.5, 20.0))
def test_shifting_and_stretching_moves_no_change(shift, factor):
    rng = np.random.default_rng(5)
    values = rng.standard_normal(150) + 4.0 * (np.arange(150) > 70)
    assert daily_series.change_positions(values * factor + shift) == daily_series.change_positions(values)


def test_two_rows_for_a_day_are_refused():
    table = pd.DataFrame({"day": ["2024-01-01"] * 2, "value": [1.0, 2.0]})
    with pytest.raises(ParameterError, match="2024-01-01 has more than one row"):
        daily_series.daily_frame(table)
