"""Scenarios of levels and trends: independent units, autocorrelated days, weekdays, missing days."""

from __future__ import annotations

import numpy as np

from benchmarks.truth_scenario import POWER_FLOOR, Replicates, Scenario, over_effects, sums_of
from opslib.stats.skewed import level_interval
from opslib.stats.sufficient_statistics import SufficientStatistics
from opslib.stats.trends import autoregressive_interval

_WEEK = np.array([1.0, 0.9, 0.9, 1.0, 1.1, 1.3, 0.8])


def simulate(cell: Scenario, rng: np.random.Generator, n_replicates: int) -> Replicates:
    """Runs of a level or a change over time, relative to its threshold; see `Family`."""
    if "n" in cell.settings:
        return _of_units(cell, rng, n_replicates)
    n_days, phi, has_slope = cell.settings["days"], cell.settings["phi"], cell.design == "trend"
    noise = cell.settings["noise"] * autoregression(rng, (n_replicates, n_days), phi=phi)
    days = np.arange(n_days)
    weekdays = _WEEK[days % 7] - _WEEK.mean()
    shape = (days - days.mean()) / n_days if has_slope else np.ones(n_days)
    values = 1.0 + weekdays + cell.true_effect * shape + noise
    if cell.settings.get("missing"):
        values[:, rng.random(n_days) < cell.settings["missing"]] = np.nan
    factor, shift = (float(n_days), 0.0) if has_slope else (1.0, 1.0)
    return Replicates(*(np.array(autoregressive_interval(values, has_slope=has_slope)[:3]) * factor - shift))


def _of_units(cell: Scenario, rng: np.random.Generator, n_replicates: int) -> Replicates:
    """Spend a visitor of one group: few buy, lognormal amounts of mean one."""
    rate, sigma = cell.settings["rate"], cell.settings["sigma"]
    buyers = rng.binomial(cell.settings["n"], rate, n_replicates)
    amounts = (1 + cell.true_effect) * np.exp(rng.normal(-(sigma**2) / 2, sigma, int(buyers.sum())))
    y, yy, yyy = (sums_of(amounts**power, buyers) for power in (1, 2, 3))
    group = SufficientStatistics.of_mean(n=np.full(n_replicates, float(cell.settings["n"])), y=y, yy=yy, yyy=yyy)
    return Replicates(*(np.array(level_interval(group, confidence_level=0.95)[:3]) / rate - 1))


def known_step(noise: np.ndarray, is_after: np.ndarray, *, phi: float) -> tuple[np.ndarray, float]:
    """Best linear estimate of a step in first-order autoregressions along the last axis, and its variance."""
    days = np.arange(noise.shape[-1])
    design = np.column_stack([np.ones(len(days)), is_after]).astype(float)
    solved = np.linalg.solve(phi ** np.abs(days[:, None] - days), design)
    spread = np.linalg.inv(design.T @ solved)
    return noise @ (solved @ spread)[:, 1], float(spread[1, 1])


def autoregression(rng: np.random.Generator, shape: tuple[int, int], *, phi: float) -> np.ndarray:
    """Stationary first-order autoregressions of unit variance, one a row."""
    draws = rng.normal(0.0, 1.0, shape)
    for t in range(1, shape[1]):
        draws[:, t] = phi * draws[:, t - 1] + np.sqrt(1 - phi**2) * draws[:, t]
    return draws


#: What dependence costs an interval that must estimate it, against an oracle that knows it.
_FLOOR = {0.9: 0.7}
_REASON = {
    0.9: "the oracle knows the memory of the days; 180 days that remember for ten hold some twenty of their own to learn it"
}
CELLS: tuple[Scenario, ...] = tuple(
    cell
    for design in ("level", "trend")
    for phi, noise, missing in (
        (0.0, 0.2, 0.0),
        (0.3, 0.15, 0.0),
        (0.6, 0.1, 0.0),
        (0.6, 0.1, 0.1),
        (0.8, 0.06, 0.0),
        (0.9, 0.05, 0.0),
    )
    for cell in over_effects(
        ("-promise", "0", "promise"),
        design=design,
        pair=design,
        rule="level",
        nuisance=f"180 days, AR {phi:.1f}" + (", missing days" if missing else ""),
        power_floor=_FLOOR.get(phi, POWER_FLOOR),
        floor_reason=_REASON.get(phi, ""),
        settings={"days": 180, "phi": phi, "noise": noise * (0.3 if design == "trend" else 1.0), "missing": missing},
    )
) + tuple(
    cell
    for name, settings in (
        ("a share of 10 %", {"n": 20_000, "rate": 0.1, "sigma": 0.0}),
        ("spend, lognormal 1.2", {"n": 50_000, "rate": 0.1, "sigma": 1.2}),
    )
    for cell in over_effects(
        ("-promise", "0", "promise"), design="level", nuisance=name, rule="level", settings=settings
    )
)
