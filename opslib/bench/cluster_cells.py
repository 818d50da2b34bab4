"""Scenarios of randomised clusters: six to forty stores or regions, few or many of them treated."""

from __future__ import annotations

import numpy as np
from scipy import stats

from opslib.bench.cells import Cell, Replicates, over_effects
from opslib.stats.clusters import cluster_effect, resolved_errors


def simulate(cell: Cell, rng: np.random.Generator, n_replicates: int) -> Replicates:
    """Runs of a cluster experiment: clusters differ for good and wobble from period to period; see `Family`."""
    n, n_treated = cell.settings["clusters"], cell.settings["treated"]
    lasting = _standard(rng, (n_replicates, n), tail=cell.settings.get("tail"))
    before, after = rng.normal(0.0, 1.0, (2, n_replicates, n))
    spread, wobble = cell.settings["spread"], cell.settings["wobble"]
    treated = np.arange(n) < n_treated
    own = rng.normal(0.0, 1.0, (n_replicates, n)) * cell.settings.get("varied", 0.0)
    logs = spread * lasting + wobble * after + treated * (np.log1p(cell.true_effect) + own)
    covariate = spread * lasting + wobble * before if cell.settings.get("adjust", True) else None
    errors = cell.settings.get("errors", resolved_errors(treated, "auto"))
    effect, error, df = cluster_effect(logs, treated, covariate=covariate, errors=errors)
    half = stats.t.ppf(0.975, df) * error
    return Replicates(value=np.expm1(effect), lower=np.expm1(effect - half), upper=np.expm1(effect + half),
                      is_invalid=np.zeros(n_replicates, dtype=bool))


def _standard(rng: np.random.Generator, shape: tuple[int, int], *, tail: str | None) -> np.ndarray:
    normal = rng.normal(0.0, 1.0, shape)
    return (np.exp(normal) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e) if tail == "lognormal" else normal


CELLS: tuple[Cell, ...] = tuple(
    cell
    for clusters, treated, wobble in (
        (6, 3, 0.01), (12, 6, 0.03), (12, 2, 0.02), (20, 10, 0.04), (40, 20, 0.05), (40, 4, 0.04),
    )
    for is_adjusted in (True, False)
    for cell in over_effects(
        design="cluster_experiment", pair=f"{treated} of {clusters}",
        nuisance=f"{treated} of {clusters}, {'covariate' if is_adjusted else 'plain'}",
        settings={"clusters": clusters, "treated": treated, "wobble": wobble, "spread": 0.03, "adjust": is_adjusted},
    )
)
