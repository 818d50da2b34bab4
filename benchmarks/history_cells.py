"""Scenarios of before/after: autocorrelated, growing, seasonal series, promotions, breaks; with and without control."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from benchmarks.series_cells import autoregression, known_step
from benchmarks.truth_scenario import Replicates, Scenario, analysed, over_effects
from opslib.stats.before_after import before_after

N_AFTER = 28
_FIRST = date(2023, 1, 2)
_WEEK = np.array([1.0, 0.9, 0.9, 1.0, 1.1, 1.4, 0.7])


def simulate(cell: Scenario, rng: np.random.Generator, n_replicates: int) -> Replicates:
    """Runs of a daily series changed after its history, analysed by placebo windows; see `Family`."""
    settings, has_control = cell.settings, cell.settings.get("control", False)
    n_history = settings.get("history", 364)
    shape = (n_replicates, n_history + N_AFTER)
    noise = settings["noise"] * autoregression(rng, shape, phi=settings["phi"])
    shared = _shared(cell, rng, shape)
    spikes = np.where(rng.random(shape) < settings.get("spike_share", 0.0), np.log(2.0), 0.0)
    logs = shared + noise + spikes
    logs[:, n_history:] += np.log1p(cell.true_effect)
    other = shared + settings["noise"] * autoregression(rng, shape, phi=settings["phi"])
    missing = rng.random(shape) < settings.get("missing", 0.0)
    values = np.where(missing, np.nan, np.exp(logs))
    days = pd.date_range(_FIRST, periods=shape[1])
    tables = (
        pd.DataFrame({"day": days, "value": own, "other": alike})
        for own, alike in zip(values, np.exp(other), strict=True)
    )
    changed, controls = _FIRST + timedelta(days=n_history), ("other",) if has_control else ()
    found = analysed(
        tables,
        lambda table: (before_after(table, changed_on=changed, n_days=N_AFTER, controls=controls).relative, False),
    )
    oracle = None
    if settings.get("is_known", True):
        gap = noise - (other - shared) if has_control else noise
        scale = settings["noise"] * (np.sqrt(2) if has_control else 1.0)
        oracle = _oracle(cell, gap, n_history, scale=scale)
    return Replicates(*found, oracle=oracle)


def _shared(cell: Scenario, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Logs of what the series and its control have in common: weekdays, growth, season, a break."""
    days = np.arange(shape[1])
    phase = rng.random((shape[0], 1))
    logs = np.zeros(shape)
    if cell.settings.get("weekdays"):
        logs += np.log(_WEEK[days % 7])
    logs += cell.settings.get("growth", 0.0) * days / 7
    logs += cell.settings.get("season", 0.0) * np.sin(2 * np.pi * (days / 364 + phase))
    if "break_days" in cell.settings:
        logs += 0.3 * (days >= shape[1] - N_AFTER - cell.settings["break_days"])
    return logs


def _oracle(cell: Scenario, gap: np.ndarray, n_history: int, *, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Best linear estimate where covariance, weekdays, growth and season are known."""
    step, variance = known_step(gap, np.arange(gap.shape[1]) >= n_history, phi=cell.settings["phi"])
    return np.expm1(step + np.log1p(cell.true_effect)), np.full(len(gap), scale * np.sqrt(variance))


_FLOOR = {0.8: 0.5, 0.9: 0.3}
_REASON = (
    "the oracle knows memory, weekdays, growth and season; placebo windows learn the noise from a dozen windows and "
    "weigh all days of a window alike, which costs more the longer the days remember"
)
_NOISE = {0.0: 0.15, 0.3: 0.11, 0.6: 0.075, 0.8: 0.05, 0.9: 0.035}
_SCENARIOS: tuple[tuple[str, dict[str, object]], ...] = (
    ("weekdays, AR 0.6", {"weekdays": True}),
    ("missing days 10 %, AR 0.6", {"weekdays": True, "missing": 0.1, "is_known": False}),
    ("promotion spikes, AR 0.6", {"spike_share": 0.03, "is_known": False}),
    ("growth 0.5 % a week, AR 0.6", {"growth": 0.005, "is_known": False}),
    ("annual season, two years, AR 0.6", {"season": 0.2, "history": 784, "is_known": False}),
    ("level break 250 days before, AR 0.6", {"break_days": 250, "is_known": False}),
    ("level break 84 days before, AR 0.6", {"break_days": 84, "is_known": False}),
    ("control, AR 0.6", {"control": True}),
    ("control, growth 1 % a week, AR 0.6", {"control": True, "growth": 0.01}),
    ("control, annual season, AR 0.6", {"control": True, "season": 0.3}),
    ("control, shared level break, AR 0.6", {"control": True, "break_days": 84}),
)
#: Nothing can be known here: nearly all runs must be refused.
_REFUSED = ("level break 84 days before, AR 0.6",)
CELLS: tuple[Scenario, ...] = (
    *(
        cell
        for phi, noise in _NOISE.items()
        for cell in over_effects(
            ("-promise", "0", "promise", "twice"),
            design="before_after",
            nuisance=f"own history, AR {phi:.1f}",
            pair="own history",
            power_floor=_FLOOR.get(phi, 0.7),
            floor_reason=_REASON,
            settings={"phi": phi, "noise": noise},
        )
    ),
    *(
        cell
        for name, settings in _SCENARIOS
        for cell in over_effects(
            ("0", "promise", "twice"),
            design="before_after",
            nuisance=name,
            pair="own history",
            power_floor=0.7,
            floor_reason=_REASON,
            is_valid=name not in _REFUSED,
            settings={"phi": 0.6, "noise": 0.05 if "control" in settings else 0.075, **settings},
        )
    ),
)
