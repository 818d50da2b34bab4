"""Control charts against the handbook's numbers and their own run lengths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import DesignError, ParameterError
from opslib.stats import control
from tests.conftest import real_data

FLOW_RATE = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
EWMA_VALUES = [
    52.0,
    47.0,
    53.0,
    49.3,
    50.1,
    47.0,
    51.0,
    50.1,
    51.2,
    50.5,
    49.6,
    47.6,
    49.9,
    51.3,
    47.8,
    51.2,
    52.6,
    52.4,
    53.6,
    52.1,
]


def test_individuals_of_the_nist_handbook():
    """NIST/SEMATECH 6.3.2.2: centre 50.81, mean moving range 1.8778, limits 45.8159 and 55.8041 (d2 = 1.128)."""
    chart = control.individuals_chart(FLOW_RATE)
    assert chart.centre == pytest.approx(50.81)
    assert chart.sigma * 1.128379 == pytest.approx(1.8778, abs=5e-5)
    assert chart.lower == pytest.approx(45.8159, abs=2e-3)  # the handbook rounds d2 to three decimals
    assert chart.upper == pytest.approx(55.8041, abs=2e-3)
    assert not chart.points["is_signal"].any()


def test_ewma_of_the_nist_handbook():
    """NIST/SEMATECH 6.3.2.4: centre 50, sigma 2.0539, weight .3: limits 47.4115 and 52.5884; last EWMA 51.99."""
    chart = control.ewma_chart(EWMA_VALUES, centre=50, sigma=2.0539, weight=0.3)
    assert chart.lower == pytest.approx(47.4115, abs=5e-4)  # the limits in the long run; 20 points are near
    assert chart.upper == pytest.approx(52.5884, abs=5e-4)
    assert chart.points["statistic"].iloc[[0, 1, 2]].round(2).tolist() == [50.60, 49.52, 50.56]
    assert chart.points["statistic"].iloc[-1] == pytest.approx(51.99, abs=5e-3)


def test_x_bar_of_the_piston_rings():
    """Montgomery's piston rings, phase I: centre 74.00118, sigma .009785, limits 73.98805-74.0143 (oracles.md)."""
    raw = pd.read_csv(real_data("oracles") / "pistonrings.txt", sep=r"\s+")
    groups = raw["diameter"].to_numpy().reshape(-1, 5)
    chart = control.means_chart(groups, n_baseline=25)
    assert chart.centre == pytest.approx(74.00118, abs=5e-6)
    assert chart.sigma == pytest.approx(0.009785, abs=5e-7)
    assert chart.lower == pytest.approx(73.98805, abs=5e-6)
    assert chart.upper == pytest.approx(74.0143, abs=5e-5)
    assert chart.points["is_signal"].to_numpy().nonzero()[0].tolist() == [36, 37, 38]  # groups 37-39, as in the book


def test_western_electric_run_lengths():
    """In control, N(0,1): 370.4 for rule 1 and 91.75 for all four (Champ and Woodall 1987)."""
    assert control.shewhart_run_length(3.0) == pytest.approx(370.4, abs=0.05)
    rng = np.random.default_rng(1)
    lengths = []
    for _ in range(500):
        signals = control.western_electric_signals(rng.standard_normal(1_000))["is_signal"].to_numpy()
        lengths.append(np.argmax(signals) + 1 if signals.any() else 1_000)
    assert np.mean(lengths) == pytest.approx(91.75, abs=4 * 91.75 / np.sqrt(500))


def test_western_electric_rules_by_hand():
    rules = control.western_electric_signals(np.array([3.1, 0, 2.1, -2.5, 2.2, 1.1, 1.2, 1.3]))
    assert rules["beyond_3"].tolist() == [True] + [False] * 7
    assert rules["two_of_three_beyond_2"].tolist() == [False, False, True, False, True, False, False, False]
    assert rules["four_of_five_beyond_1"].tolist() == [False] * 6 + [True, True]
    eight = control.western_electric_signals(np.full(9, -0.2))
    assert eight["eight_on_one_side"].tolist() == [False] * 7 + [True] * 2


@pytest.mark.parametrize(("weight", "width", "run_length"), [(0.1, 2.814, 500), (0.25, 2.998, 500), (0.4, 3.054, 500)])
def test_ewma_widths_are_the_published_ones(weight, width, run_length):
    """Lucas and Saccucci 1990, table 3: in-control run length 500."""
    assert control.ewma_width(weight=weight, run_length=run_length) == pytest.approx(width, abs=2e-3)


def autoregressive(rng, phi, rows, n):
    noise = rng.standard_normal((rows, n))
    noise[:, 0] /= np.sqrt(1 - phi**2)
    for t in range(1, n):
        noise[:, t] += phi * noise[:, t - 1]
    return noise


def test_the_residual_chart_reaches_its_nominal_rate():
    """Daily charts alarm in 97-100 % of 90-day spans at AR .6; this one at the nominal 1 - (1 - 1/370.4)^90 = 21.6 %."""
    rng = np.random.default_rng(2)
    nominal = 1 - (1 - 1 / 370.4) ** 90
    days = pd.date_range("2023-01-01", periods=365 + 90)
    weekdays = np.array([1, 0.9, 0.9, 1, 1.1, 1.3, 0.7])[np.arange(455) % 7]
    alarms = []
    for noise in autoregressive(rng, 0.6, 200, 455):
        table = pd.DataFrame({"day": days, "value": (100 + 5 * noise) * weekdays})
        alarms.append(control.residual_chart(table, n_baseline=365).points["is_signal"].any())
    assert np.mean(alarms) == pytest.approx(nominal, abs=4 * np.sqrt(nominal * (1 - nominal) / 200))


@pytest.mark.parametrize("n_baseline", [60, 180])
def test_a_short_baseline_widens_the_limits(n_baseline):
    """Share of false alarms a day stays at 1 / run length, whatever the baseline (30,000 days judged)."""
    values = autoregressive(np.random.default_rng(3), 0.6, 3_000, n_baseline + 10)
    errors, sigma, df = control.one_step_errors(values, n_baseline=n_baseline)
    half = control.stats.t.isf(0.5 / 100, df) * sigma
    rate = np.mean(np.abs(errors[:, n_baseline:]) > half[:, None])
    assert rate == pytest.approx(0.01, abs=0.004)


def test_a_shift_is_seen_and_missing_days_are_skipped():
    rng = np.random.default_rng(4)
    values = 100 + 2 * rng.standard_normal(200)
    values[180] += 30
    table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=200), "value": values}).drop(index=[150, 190])
    points = control.residual_chart(table, n_baseline=120).points
    assert pd.Timestamp("2024-01-01") + pd.Timedelta(days=180) in set(points.loc[points["is_signal"], "day"])
    assert points["statistic"].isna().sum() == 4  # each missing day and the day after it
    assert len(points) == 80


@given(st.floats(-100, 100), st.floats(0.1, 50))
def test_signals_do_not_depend_on_the_unit(shift, factor):
    values = np.array([1.0, 2, 1, 2, 1, 2, 9, 1, 2, 1])
    first, second = control.individuals_chart(values), control.individuals_chart(values * factor + shift)
    assert first.points["is_signal"].tolist() == second.points["is_signal"].tolist()


def test_what_cannot_be_charted_is_refused():
    with pytest.raises(ParameterError, match="needed: at least 2"):
        control.individuals_chart([1.0])
    with pytest.raises(ParameterError, match="11 values in a group; allowed: 2-10"):
        control.means_chart(np.zeros((3, 11)))
    table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=40), "value": 1.0})
    with pytest.raises(DesignError, match="20 days in the baseline; needed: 28"):
        control.residual_chart(table, n_baseline=20)
