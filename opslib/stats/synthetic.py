"""Synthetic difference-in-differences: weighted untreated units as comparison, inference from placebos."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from diff_diff import SyntheticDiD
from diff_diff.results import SyntheticDiDResults
from diff_diff.utils import compute_sdid_estimator, compute_sdid_unit_weights, compute_time_weights
from scipy import stats

from opslib.errors import DesignError
from opslib.stats.estimates import Estimate
from opslib.stats.panels import Panel
from opslib.stats.rollouts import MIN_UNITS

N_FIT_PLACEBOS = 20
"""Placebo fits behind the library's measure of fit before the start."""
POOR_FIT = 0.05
"""Share of untreated units that their own synthetic comparison fits worse, below which a fit is called poor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """Treated units beside their synthetic comparison.

    Attributes
    ----------
    effect : Estimate
        Mean gap after the start, a unit and period, in the unit of the series.
    relative : Estimate
        The same over what the comparison says would have been, as a share.
    p_value : float
        Two-sided, against no mean effect; NaN where one treated unit allows no inference.
    weights : DataFrame
        Untreated units with their ``weight``, largest first.
    warnings : tuple of str
        "poor_fit" where the comparison does not follow the treated units before the start.
    """

    effect: Estimate
    relative: Estimate
    p_value: float
    weights: pd.DataFrame
    warnings: tuple[str, ...]


def synthetic_did(panel: object, *, confidence_level: float = 0.95, n_placebos: int = 100, seed: int = 0) -> Synthetic:
    """Synthetic difference-in-differences: unit and time weights, placebo standard error over untreated units.

    Parameters
    ----------
    panel : Table or DataFrame
        As for `rollouts.rollout`, balanced, all treated units starting together.
    confidence_level : float
        Coverage of the interval (0-1); it is open on both sides where only one unit is treated.
    n_placebos : int
        Placebo assignments for the standard error.
    seed : int
        For the placebo assignments.

    Returns
    -------
    Synthetic
        Effect, path and weights.

    Raises
    ------
    DesignError
        gate "units": no treated or fewer than two untreated units; gate "start": more than one start;
        gate "balance": a value is missing.

    Source: Arkhangelsky, Athey, Hirshberg, Imbens, Wager (2021), AER 111(12), algorithms 1 and 4; by diff-diff.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(u, t, 10.0 + u + t + 3.0 * (u < 2 and t >= 4) + 0.1 * ((u * 7 + t * 3) % 5), 4 if u < 2 else None)
    ...         for u in range(8) for t in range(6)]
    >>> table = pd.DataFrame(rows, columns=["unit", "period", "value", "treated_from"])
    >>> bool(abs(synthetic_did(table, n_placebos=20).effect.value - 3) < 0.1)
    True
    """
    data = _one_start(Panel.of(panel, scale="absolute"))
    start, treated = int(data.starts[0]), data.cohort >= 0
    n_untreated = int((~treated).sum())
    long = pd.DataFrame(data.values).reset_index(names="unit").melt("unit", var_name="period", value_name="value")
    long["period"] = long["period"].astype(int)
    long["treated"] = treated[long["unit"]].astype(int)
    with warnings.catch_warnings(record=True):  # a poor fit is read from the result and becomes a field
        warnings.simplefilter("always")
        fit = SyntheticDiD(variance_method="placebo", n_bootstrap=N_FIT_PLACEBOS, seed=seed).fit(
            long,
            outcome="value",
            treatment="treated",
            unit="unit",
            time="period",
            post_periods=list(range(start, len(data.periods))),
        )
    poor = fit.pre_fit_placebo_pvalue is not None and fit.pre_fit_placebo_pvalue < POOR_FIT
    weights = np.array([fit.unit_weights[unit] for unit in np.flatnonzero(~treated)])
    effect, n_treated, df = float(fit.att), int(treated.sum()), n_untreated - 1
    error, p_value, source = np.inf, float("nan"), "no interval: one treated unit or too few untreated ones"
    if n_treated >= MIN_UNITS and n_untreated > n_treated + 1:
        draws = np.random.default_rng(seed).permuted(np.tile(np.arange(n_untreated), (n_placebos, 1)), axis=1)
        error = _placebo_error(data.values[~treated].T, fit, start=start, n_treated=n_treated, orders=draws)
        p_value, source = float(2 * stats.t.sf(abs(effect) / error, df)), "placebo standard error"
    method = f"synthetic difference-in-differences, {source}"
    estimate = Estimate.around(
        effect, error, df=df, n=len(treated), unit="value", method=method, confidence_level=confidence_level
    )
    estimate = estimate if np.isfinite(error) else replace(estimate, std_error=None)
    mean = data.values[treated].mean(axis=0)
    expected = float(mean[start:].mean()) - effect
    order = np.argsort(-weights, kind="stable")
    return Synthetic(
        effect=estimate,
        relative=estimate.scaled(1 / expected if expected else float("nan"), unit="share"),
        p_value=p_value,
        warnings=("poor_fit",) if poor else (),
        weights=pd.DataFrame({"unit": data.units[~treated][order], "weight": weights[order]}),
    )


def _placebo_error(
    pool: np.ndarray, fit: SyntheticDiDResults, *, start: int, n_treated: int, orders: np.ndarray
) -> float:
    """Spread of the estimate over untreated units treated as if treated, every weight fitted from scratch.

    The library's own placebos start from the time weights of the real fit. Where periods outnumber units these
    already fit every untreated unit exactly, and the error comes out several times too small.
    """
    stop = 1e-5 * fit.noise_level
    effects = []
    for order in orders:
        others, mean = pool[:, order[n_treated:]], pool[:, order[:n_treated]].mean(axis=1)
        units = compute_sdid_unit_weights(others[:start], mean[:start], zeta_omega=fit.zeta_omega, min_decrease=stop)
        times = compute_time_weights(others[:start], others[start:], zeta_lambda=fit.zeta_lambda, min_decrease=stop)
        effects.append(compute_sdid_estimator(others[:start], others[start:], mean[:start], mean[start:], units, times))
    return float(np.std(effects))


def _one_start(data: Panel) -> Panel:
    n_treated, n_untreated = int((data.cohort >= 0).sum()), int((data.cohort < 0).sum())
    if n_untreated < MIN_UNITS:
        raise DesignError(
            "units",
            f"{n_treated} treated and {n_untreated} untreated units; needed: {MIN_UNITS} "
            "untreated to compare with; hold some units back",
        )
    if len(data.starts) > 1:
        raise DesignError(
            "start",
            f"treated units start in {len(data.starts)} different periods; needed: one; "
            "use the collapsed difference-in-differences, which compares each start by itself",
        )
    if not np.isfinite(data.values).all():
        unit = data.units[~np.isfinite(data.values).all(axis=1)][0]
        raise DesignError(
            "balance",
            f"unit {unit} lacks a value in some period; needed: every unit in every period; "
            "use longer periods or leave the unit out",
        )
    return data
