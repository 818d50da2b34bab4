"""Changepoints: the Nile, intervals that cover, silence where nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.datasets import nile

from opslib.errors import ParameterError
from opslib.stats.changepoint import _posterior, changepoints


def ar1(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """Noise of standard deviation 1."""
    noise = rng.standard_normal(n) * np.sqrt(1 - phi**2)
    noise[0] /= np.sqrt(1 - phi**2)
    for t in range(1, n):
        noise[t] += phi * noise[t - 1]
    return noise


def test_the_nile_changes_after_28_years() -> None:
    """The first 28 years (1871-1898) are of one level: Cobb (1978), Biometrika 65, who gives 1,098 and 850 for the levels."""
    flow = nile.load_pandas().data["volume"].to_numpy(float)
    (found,) = changepoints(flow, min_length=5)
    assert found.position == 28
    assert found.lower <= 28 <= found.upper
    assert found.upper - found.lower <= 8
    assert (round(found.before), round(found.after)) == (1098, 850)


def test_the_posterior_equals_a_sum_over_all_levels() -> None:
    """Second road for white noise: both levels integrated on a grid, the noise on another, position by position."""
    rng = np.random.default_rng(3)
    values = np.r_[np.zeros(9), np.full(9, 2.0)] + rng.standard_normal(18)
    grid, sds = np.linspace(-4, 6, 201), np.geomspace(0.3, 6, 80)
    mass = np.full(len(values), -np.inf)
    for k in range(2, len(values) - 1):
        logs = [
            -len(values) * np.log(sd)
            + sum(
                np.log(np.exp(-((side[:, None] - grid) ** 2).sum(axis=0) / (2 * sd**2)).sum())
                for side in (values[:k], values[k:])
            )
            for sd in sds
        ]
        mass[k] = np.logaddexp.reduce(logs)
    expected = np.exp(mass - mass.max())
    np.testing.assert_allclose(
        _posterior(values, 0.0), expected / expected.sum(), atol=2e-3
    )  # grid of levels: .05 apart


@pytest.mark.parametrize("phi", [0.0, 0.4])
def test_changes_of_two_to_four_standard_deviations_are_found_within_two_days_and_covered(phi: float) -> None:
    """Measured on 300 seeds: within two days 99 and 94 % (at exactly two 93 and 76 %; with levels and noise known 94 and 84 %)."""
    near, covered = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        at, size = int(rng.integers(60, 140)), rng.uniform(2, 4)
        found = changepoints(ar1(rng, 200, phi) + size * (np.arange(200) >= at))
        best = min(found, key=lambda one: abs(one.position - at), default=None)
        near.append(best is not None and abs(best.position - at) <= 2)
        covered += [] if best is None else [best.lower <= at <= best.upper]
    assert np.mean(near) >= 0.80
    assert (
        np.mean(covered) >= 0.90
    )  # positions are whole days, so an interval of few of them holds more than it is asked


def test_nothing_changes_and_nothing_is_said() -> None:
    assert changepoints(np.ones(100)) == ()
    assert changepoints(np.array([])) == ()
    alarms = [bool(changepoints(ar1(np.random.default_rng(seed), 200, 0.4))) for seed in range(100)]
    assert np.mean(alarms) <= 0.05


@given(st.floats(-1e3, 1e3), st.floats(0.01, 100), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_unit_and_zero_of_the_series_do_not_matter(shift: float, factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = ar1(rng, 120, 0.3) + 4.0 * (np.arange(120) >= 70)
    one, two = changepoints(values), changepoints(values * factor + shift)
    assert [(c.position, c.lower, c.upper) for c in one] == [(c.position, c.lower, c.upper) for c in two]
    assert [c.after for c in two] == pytest.approx([c.after * factor + shift for c in one], rel=1e-6, abs=1e-6)


def test_missing_values_widen_the_interval() -> None:
    values = np.r_[np.zeros(50), np.full(50, 9.0)] + np.tile([0.0, 0.5], 50)
    values[[10, 50, 51]] = np.nan
    (found,) = changepoints(values)
    assert found.lower <= 50 <= 52 <= found.upper
    with pytest.raises(ParameterError, match=r"confidence_level: 1\.5"):
        changepoints(values, confidence_level=1.5)
