"""Scenarios of roll-outs: few units, few treated, units of unequal noise, common shocks, staggered starts."""

from __future__ import annotations

import numpy as np

from benchmarks.series_cells import autoregression, known_step
from benchmarks.truth_scenario import POWER_FLOOR, Replicates, Scenario, analysed, over_effects, panel_of
from opslib.stats.rollouts import rollout

N_BEFORE, N_AFTER = 16, 8
_PHI = 0.5


def simulate(cell: Scenario, rng: np.random.Generator, n_replicates: int) -> Replicates:
    """Runs of weekly panels, some units treated from week 16, analysed by the collapsed design; see `Family`."""
    settings, n = cell.settings, cell.settings["units"]
    n_periods = N_BEFORE + N_AFTER
    starts = np.full(n, n_periods)
    starts[: settings["treated"]] = N_BEFORE
    if settings.get("is_staggered"):
        starts[: settings["treated"] // 2] = N_BEFORE - 4
    exposure = np.arange(n_periods) >= starts[:, None]
    spread = np.exp(settings.get("unequal", 0.0) * rng.standard_normal((n_replicates, n, 1)))
    noise = autoregression(rng, (n_replicates * n, n_periods), phi=_PHI).reshape(n_replicates, n, n_periods)
    noise = settings["noise"] * noise * spread
    common = 0.1 * autoregression(rng, (n_replicates, n_periods), phi=0.7)[:, None, :]
    levels = 4 + 0.5 * rng.standard_normal((n_replicates, n, 1))
    values = np.exp(levels + common + noise) * (1 + cell.true_effect * exposure)
    begins = np.where(starts < n_periods, starts, np.nan)[:, None]
    tables = (panel_of(value=each, treated_from=begins) for each in values)
    is_known = not settings.get("unequal") and not settings.get("is_staggered")
    found = analysed(tables, lambda table: (rollout(table).effect, False))
    return Replicates(*found, oracle=_oracle(cell, noise) if is_known else None)


def _oracle(cell: Scenario, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best linear estimate of every unit's change where covariance and common shocks' weights are known."""
    changes, variance = known_step(noise, np.arange(noise.shape[2]) >= N_BEFORE, phi=_PHI)
    n, n_treated = noise.shape[1], cell.settings["treated"]
    difference = changes[:, :n_treated].mean(axis=1) - changes[:, n_treated:].mean(axis=1)
    error = cell.settings["noise"] * np.sqrt(variance * (1 / n_treated + 1 / (n - n_treated)))
    return np.expm1(difference + np.log1p(cell.true_effect)), np.full(len(noise), error)


#: Few degrees of freedom cost power that an oracle, which knows the noise, need not pay.
_FLOOR = {6: 0.5, 12: 0.6}
_REASON = {
    6: "the oracle knows the noise and how it remembers; Student's t with 4 degrees of freedom has a critical value of 2.78 "
    "for its 1.96, and means of the weeks before and after do not weigh them by their memory",
    12: "the oracle knows the noise and how it remembers; with two treated the spread is read off ten units, and means of the "
    "weeks before and after do not weigh them by their memory",
}
_SIZES = ((6, 2, 0.05), (6, 3, 0.05), (12, 2, 0.07), (12, 6, 0.09), (20, 2, 0.07), (40, 2, 0.07), (40, 20, 0.16))
CELLS: tuple[Scenario, ...] = (
    *(
        cell
        for units, treated, noise in _SIZES
        for cell in over_effects(
            ("-promise", "0", "promise", "twice"),
            design="rollout",
            nuisance=f"{treated} of {units}",
            pair=str(units),
            power_floor=_FLOOR.get(units, POWER_FLOOR),
            floor_reason=_REASON.get(units, ""),
            settings={"units": units, "treated": treated, "noise": noise},
        )
    ),
    *(
        cell
        for name, settings in (
            ("6 of 24, staggered", {"units": 24, "treated": 6, "noise": 0.09, "is_staggered": True}),
            ("10 of 20, unequal noise", {"units": 20, "treated": 10, "noise": 0.09, "unequal": 0.5}),
        )
        for cell in over_effects(("0", "promise"), design="rollout", nuisance=name, settings=settings)
    ),
)
