"""Partial pooling: noisy estimates shrunk towards their common centre (empirical Bayes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate

MIN_POOLED = 3
"""Fewest estimates from which their spread is learned."""
_GRID = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Estimates shrunk towards their centre.

    Attributes
    ----------
    units : pandas.DataFrame
        One row an estimate, in the order given: value, value_lower, value_upper, std_error (shrunk), kept_share (weight of its own
        estimate, 0-1; 0 where it had none).
    between_sd : Estimate
        Standard deviation of the true values around the centre, noise taken out.
    """

    units: pd.DataFrame
    between_sd: Estimate


def pool_towards(
    centre: Estimate, values: Sequence[float], std_errors: Sequence[float], *, confidence_level: float = 0.95
) -> Pooled:
    """Shrink each estimate towards a common centre (normal-normal, empirical Bayes).

    The spread between the true values is not fixed at one estimate of it: what is said about each value is averaged
    over all spreads by how well they explain the estimates (flat prior on the standard deviation), so that intervals
    cover where the spread is hard to tell from nothing.

    Parameters
    ----------
    centre : Estimate
        The common value, with its standard error.
    values, std_errors : sequence of float
        Estimates one by one; missing where a unit has none: it gets the centre, and the spread around it.
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    Pooled
        With fewer than three estimates nothing is known about the spread: they keep their own values.

    Raises
    ------
    ParameterError
        Lists of unequal length, a standard error that is not positive, or a centre without one.

    Source: Gelman et al. (2013), Bayesian Data Analysis, ch. 5.4; Gelman (2006), Bayesian Analysis 1 (prior of the
    spread); Morris (1983), JASA 78 (intervals of empirical Bayes).

    Examples
    --------
    >>> middle = Estimate(value=-2.0, lower=-2.2, upper=-1.8, n=20, unit="% per %", method="", std_error=0.1)
    >>> found = pool_towards(middle, [-1.0, -2.1, -2.4, -1.9, -2.2, float("nan")], [1.0, 0.2, 0.2, 0.2, 0.2, float("nan")])
    >>> found.units["value"].round(1).tolist()
    [-1.9, -2.0, -2.2, -2.0, -2.1, -2.0]
    """
    own, errors = np.asarray(values, dtype=float), np.asarray(std_errors, dtype=float)
    if len(own) != len(errors):
        raise ParameterError(f"pooling: {len(own)} values and {len(errors)} standard errors; one for each is needed")
    known = np.isfinite(own) & np.isfinite(errors)
    if not centre.std_error or (errors[known] <= 0).any():
        raise ParameterError("pooling: every estimate and the centre need a standard error above 0")
    z = float(stats.t.ppf(0.5 + confidence_level / 2, max(known.sum() - 1, 1)))
    if known.sum() < MIN_POOLED:
        return Pooled(
            units=_units(own, errors, known.astype(float), z=z),
            between_sd=_spread(np.zeros(1), np.ones(1), n=0, unit=centre.unit, confidence_level=confidence_level),
        )
    apart, noise = np.where(known, own - centre.value, 0.0), np.where(known, errors, np.inf) ** 2
    spread = np.linspace(0, 3 * float(np.sqrt(np.mean(apart[known] ** 2))) + 1e-9, _GRID)[:, None]
    total = noise[known] + spread**2
    fits = -0.5 * (np.log(total) + apart[known] ** 2 / total).sum(axis=1)
    weight = np.exp(fits - fits.max())
    weight /= weight.sum()
    keep = spread**2 / (spread**2 + noise)
    moved = weight @ (keep * apart)
    variance = spread**2 * (1 - keep) + (1 - keep) ** 2 * centre.std_error**2 + (keep * apart - moved) ** 2
    units = _units(centre.value + moved, np.sqrt(weight @ variance), weight @ keep, z=z)
    between = _spread(spread[:, 0], weight, n=int(known.sum()), unit=centre.unit, confidence_level=confidence_level)
    return Pooled(units=units, between_sd=between)


def _units(value: np.ndarray, error: np.ndarray, kept: np.ndarray, *, z: float) -> pd.DataFrame:
    ends = {"value_lower": value - z * error, "value_upper": value + z * error}
    return pd.DataFrame({"value": value, **ends, "std_error": error, "kept_share": kept})


def _spread(grid: np.ndarray, weight: np.ndarray, *, n: int, unit: str, confidence_level: float) -> Estimate:
    ends = np.searchsorted(np.cumsum(weight), [0.5 - confidence_level / 2, 0.5 + confidence_level / 2]).clip(
        max=len(grid) - 1
    )
    lower, upper = grid[ends].tolist()
    return Estimate(
        value=float(grid @ weight), lower=lower, upper=upper if n else float("inf"), n=n, unit=unit, confidence_level=confidence_level,
        method="spread of true values, flat prior",
    )  # fmt: skip
