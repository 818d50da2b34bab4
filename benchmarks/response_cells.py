"""Scenarios of price response: units that move apart, all units together, a driver that followed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.truth_scenario import POWER_FLOOR, Replicates, Scenario, analysed, over_effects, panel_of
from opslib.stats.estimates import Estimate
from opslib.stats.log_response import log_response

_PHI, _STAY = 0.6, 0.8


def simulate(cell: Scenario, rng: np.random.Generator, n_replicates: int) -> Replicates:
    """Runs of a panel whose driver moves now and then; a flagged driver counts as invalid; see `Family`."""
    return Replicates(*analysed((_panel(cell, rng) for _ in range(n_replicates)), _slope))


def _panel(cell: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    """Log outcome = level + effect x log driver + period + autocorrelated noise."""
    n, n_periods = cell.settings["units"], cell.settings["periods"]
    columns = 1 if cell.settings.get("is_common") else n
    noise, driver = np.zeros((n, n_periods)), np.zeros((n, n_periods))
    draws, moves = 0.2 * rng.standard_normal((n, n_periods)), rng.normal(0, 0.1, (columns, n_periods))
    stays = rng.random((columns, n_periods)) < _STAY
    for t in range(n_periods):
        noise[:, t] = draws[:, t] + (_PHI * noise[:, t - 1] if t else 0.0)
        target = moves[:, t] + (cell.settings.get("follow", 0.0) * noise[:columns, t - 1] if t else 0.0)
        driver[:, t] = np.where(stays[:, t] & (t > 0), driver[:columns, t - 1], target)
    outcome = rng.normal(3, 0.5, (n, 1)) + cell.true_effect * driver + noise
    if not cell.settings.get("is_common"):
        outcome += rng.normal(0, 0.1, n_periods)
    return panel_of(outcome=np.exp(outcome), driver=np.exp(driver))


def _slope(table: pd.DataFrame) -> tuple[Estimate, bool]:
    found = log_response(table)
    return found.slope, found.followed_p < 0.01


_FEW = "8 units, 60 periods"
_FEW_REASON = (
    "the oracle knows the spread; leaving out one of eight units at a time errs to the wide side, and Student's t "
    "with 7 degrees of freedom has a critical value of 2.36 for its 1.96"
)
CELLS: tuple[Scenario, ...] = tuple(
    cell
    for name, settings in (
        ("20 units, 40 periods", {"units": 20, "periods": 40}),
        (_FEW, {"units": 8, "periods": 60}),
        ("all units together, 12 units, 104 periods", {"units": 12, "periods": 104, "is_common": True}),
        ("driver followed the outcome", {"units": 20, "periods": 40, "follow": 0.5}),
    )
    for cell in over_effects(
        ("0", "promise"),
        design="elasticity",
        nuisance=name,
        settings=settings,
        promise=0.5,
        is_valid="follow" not in settings,
        power_floor=0.5 if name == _FEW else POWER_FLOOR,
        floor_reason=_FEW_REASON if name == _FEW else "",
    )
)
