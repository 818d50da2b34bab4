"""Before and after: hand counts, planted effects, and error rates where analysts usually go wrong."""

from __future__ import annotations

from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as sps

from opslib.errors import DesignError, ParameterError
from opslib.stats.before_after import before_after, placebo_fit

EXACT = 1e-9  # floating point only
DAYS = pd.date_range("2024-01-01", periods=392)
CHANGED = date(2024, 12, 30)  # day 364: thirteen windows of 28 days before


def autoregressive(rng, phi, n=392, size=0.15):
    steps = rng.standard_normal(n)
    noise = np.empty(n)
    noise[0] = steps[0] / np.sqrt(1 - phi**2)
    for t in range(1, n):
        noise[t] = phi * noise[t - 1] + steps[t]
    return size * np.sqrt(1 - phi**2) * noise


def table(values, **columns):
    return pd.DataFrame({"day": DAYS[: len(values)], "value": values, **columns})


def rejections(make, *, n_replicates, **choices):
    """Share of replicates that find a change; at most 2 % of them may be refused (plus four standard errors)."""
    found, n_refused = 0, 0
    for _ in range(n_replicates):
        try:
            found += before_after(make(), changed_on=CHANGED, **choices).p_value < 0.05
        except DesignError:
            n_refused += 1
    assert n_refused / n_replicates < 0.02 + 4 * np.sqrt(0.02 * 0.98 / n_replicates)
    return found / n_replicates


def test_by_hand():
    """Six windows 1, 2, 1, 2, 1, 2 (mean 1.5, variance .3) and 4 after: effect 2.5, error sqrt(.3 * 7/6)."""
    fit = placebo_fit(np.array([1.0, 2, 1, 2, 1, 2]), 4.0, positions=np.arange(6.0), position=6.0)
    assert fit.effect == pytest.approx(2.5, abs=EXACT)
    assert fit.std_error == pytest.approx(np.sqrt(0.3 * 7 / 6), abs=EXACT)
    lower, upper = fit.interval(0.95)
    assert (upper - lower) / 2 == pytest.approx(sps.t.ppf(0.975, 5) * np.sqrt(0.35), abs=EXACT)
    assert fit.placebo[0] == pytest.approx(1 - np.mean([2, 1, 2, 1, 2]), abs=EXACT)


def test_a_straight_trend_is_continued():
    windows = np.array([1.0, 2.1, 2.9, 4.05, 5.0, 6.0, 7.02])
    fit = placebo_fit(windows, 9.0, positions=np.arange(7.0), position=7.0)
    slope, start = np.polyfit(np.arange(7), windows, 1)
    assert fit.has_trend
    assert fit.df == 5
    assert fit.effect == pytest.approx(9.0 - (start + 7 * slope), abs=EXACT)


def test_the_prediction_error_agrees_with_statsmodels():
    statsmodels = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(1)
    windows = 0.5 * np.arange(10) + rng.normal(0, 0.2, 10)
    fit = placebo_fit(windows, 6.0, positions=np.arange(10.0), position=10.0)
    peer = statsmodels.OLS(windows, statsmodels.add_constant(np.arange(10.0))).fit()
    assert fit.std_error == pytest.approx(peer.get_prediction([1.0, 10.0]).se_obs[0], abs=EXACT)


def test_a_planted_effect_is_inside_the_interval_and_found():
    rng = np.random.default_rng(2)
    values = 100 * np.exp(autoregressive(rng, 0.3))
    values[364:] *= 1.2
    result = before_after(table(values), changed_on=CHANGED)
    assert result.relative.lower < 0.2 < result.relative.upper
    assert result.relative.excludes(0.0)
    assert result.absolute.value == pytest.approx(
        values[364:].mean() * result.relative.value / (1 + result.relative.value)
    )
    assert result.n_windows == 13
    assert result.df == 12
    assert result.relative.unit == "share"
    assert result.warnings == ("no_control", "no_season")


def test_a_weekday_pattern_is_taken_out_of_a_broken_week():
    """Ten days after a pattern of weekdays: without factors the extra weekend days would look like an effect."""
    rng = np.random.default_rng(3)
    pattern = np.array([1, 1, 1, 1, 1, 2.0, 2.0])[np.arange(392) % 7]
    values = pattern * np.exp(0.02 * rng.standard_normal(392))
    result = before_after(table(values), changed_on=date(2024, 12, 27), n_days=10)
    assert abs(result.relative.value) < 0.03


def test_autocorrelation_does_not_raise_the_error_rate():
    """A t-test on days rejects 20 % at AR .6 and 38 % at .8 (reference/truth.md); four standard errors allowed."""
    rng = np.random.default_rng(4)
    for phi in (0.6, 0.8):
        rate = rejections(lambda phi=phi: table(np.exp(autoregressive(rng, phi))), n_replicates=200)
        assert rate < 0.06 + 4 * np.sqrt(0.06 * 0.94 / 200)


def test_a_control_takes_out_growth_and_season():
    """Before/after without control rejects 21-44 % under growth or season; with a control that shares them 5-6 %."""
    rng = np.random.default_rng(5)

    def make():
        at = np.arange(392)
        shared = 0.01 * at / 7 + 0.2 * np.sin(2 * np.pi * (at / 364 + rng.random()))
        return table(np.exp(shared + autoregressive(rng, 0.5)), other=50 * np.exp(shared + autoregressive(rng, 0.5)))

    assert rejections(make, n_replicates=200, controls=["other"]) < 0.06 + 4 * np.sqrt(0.06 * 0.94 / 200)


def test_two_years_of_history_take_the_season_out():
    rng = np.random.default_rng(6)
    days = pd.date_range("2022-01-03", periods=784)
    season = 0.4 * np.sin(2 * np.pi * np.arange(784) / 364)
    values = np.exp(season + autoregressive(rng, 0.3, n=784, size=0.05))
    result = before_after(pd.DataFrame({"day": days, "value": values}), changed_on=days[756].date())
    assert "difference to the same days a year before" in result.relative.method
    assert "no_season" not in result.warnings
    assert abs(result.relative.value) < 0.05


def test_detectable_share_is_what_is_found_in_four_of_five_cases():
    rng = np.random.default_rng(7)
    windows = 0.1 * rng.standard_normal((4_000, 13))
    after = 0.1 * rng.standard_normal(4_000)
    error = 0.1 * np.sqrt(1 + 1 / 13)
    effect = (sps.t.ppf(0.975, 12) + sps.t.ppf(0.8, 12)) * error
    fits = [
        placebo_fit(row, float(end), positions=np.arange(13.0), position=13.0)
        for row, end in zip(windows, after + effect, strict=True)
    ]
    level_only = [fit for fit in fits if not fit.has_trend]
    found = np.mean([fit.interval(0.95)[0] > 0 for fit in level_only])
    assert found == pytest.approx(0.8, abs=0.03)  # approximation of the noncentral t
    assert np.median([fit.detectable(0.95) for fit in level_only]) == pytest.approx(effect, rel=0.05)


def test_missing_days_are_missing_not_zero():
    rng = np.random.default_rng(8)
    full = table(100 * np.exp(autoregressive(rng, 0.0, size=0.01)))
    gaps = full.drop(index=full.index[10:392:9])
    result = before_after(gaps, changed_on=CHANGED)
    assert abs(result.relative.value) < 0.02
    assert result.n_windows == 13


def test_a_window_that_is_mostly_missing_is_left_out():
    rng = np.random.default_rng(9)
    full = table(100 * np.exp(autoregressive(rng, 0.0, size=0.01)))
    result = before_after(full.drop(index=full.index[28:50]), changed_on=CHANGED)
    assert result.n_windows == 12
    assert pd.Timestamp(DAYS[28]) not in set(result.placebo["start"])


def test_a_level_change_in_the_history_shortens_it():
    rng = np.random.default_rng(10)
    values = 100 * np.exp(autoregressive(rng, 0.2, size=0.1))
    values[:112] *= 2
    result = before_after(table(values), changed_on=CHANGED)
    assert "level_break" in result.warnings
    assert date(2024, 4, 10) < result.placebo["start"].iloc[0].date() < date(2024, 6, 1)
    assert not result.relative.excludes(0.0)


def test_a_shift_just_before_the_change_is_flagged():
    rng = np.random.default_rng(11)
    values = 100 * np.exp(autoregressive(rng, 0.2, size=0.1))
    values[357:] *= 1.4
    assert "recent_shift" in before_after(table(values), changed_on=CHANGED).warnings


def test_a_level_change_that_leaves_no_history_is_refused():
    values = 100 * np.exp(autoregressive(np.random.default_rng(11), 0.2, size=0.1))
    values[300:] *= 1.5
    with pytest.raises(DesignError, match="2 placebo windows of 28 days since the level changed on 2024-10-2"):
        before_after(table(values), changed_on=CHANGED)


def test_negative_values_need_the_absolute_scale():
    rng = np.random.default_rng(12)
    values = rng.normal(0, 10, 392)
    values[364:] += 30
    result = before_after(table(values), changed_on=CHANGED, scale="absolute")
    assert result.absolute.lower < 30 < result.absolute.upper
    assert result.absolute.lower > 20
    with pytest.raises(DesignError, match="no positive mean"):
        before_after(table(-np.abs(values)), changed_on=CHANGED)


def test_an_ibis_table_gives_the_same():
    frame = table(100 * np.exp(autoregressive(np.random.default_rng(13), 0.4)))
    first = before_after(frame, changed_on=CHANGED)
    second = before_after(ibis.memtable(frame), changed_on=CHANGED)
    assert second.relative.value == pytest.approx(first.relative.value, abs=1e-10)  # 12 digits leave the engine


@given(st.floats(0.01, 1000.0))
def test_the_unit_of_the_series_does_not_matter(factor):
    frame = table(100 * np.exp(autoregressive(np.random.default_rng(14), 0.4)))
    first = before_after(frame, changed_on=CHANGED)
    second = before_after(frame.assign(value=frame["value"] * factor), changed_on=CHANGED)
    assert second.relative.value == pytest.approx(first.relative.value, abs=1e-8)
    assert second.absolute.value == pytest.approx(first.absolute.value * factor, rel=1e-6)


def test_too_short_a_history_is_refused_by_name():
    with pytest.raises(DesignError, match=r"history: 5 placebo windows of 28 days; needed: 6") as refusal:
        before_after(table(np.arange(1.0, 200.0)), changed_on=DAYS[160].date())
    assert refusal.value.gate == "history"


def test_too_few_days_after_are_refused_by_name():
    with pytest.raises(DesignError, match="20 of the 28 days from 2024-12-30") as refusal:
        before_after(table(np.ones(384)), changed_on=CHANGED)
    assert refusal.value.gate == "window"


def test_what_is_not_a_daily_series_is_refused():
    frame = table(np.ones(392))
    with pytest.raises(ParameterError, match="2024-01-01 has more than one row"):
        before_after(pd.concat([frame, frame.iloc[:1]]), changed_on=CHANGED)
    with pytest.raises(ParameterError, match="lacks column 'other'; it has: day, value"):
        before_after(frame, changed_on=CHANGED, controls=["other"])
    with pytest.raises(ParameterError, match="allowed: relative, absolute"):
        before_after(frame, changed_on=CHANGED, scale="log")


def test_a_constant_series_shows_no_change():
    result = before_after(table(np.full(392, 7.0)), changed_on=CHANGED)
    assert result.relative.value == pytest.approx(0.0, abs=EXACT)
    assert result.relative.width == pytest.approx(0.0, abs=EXACT)
