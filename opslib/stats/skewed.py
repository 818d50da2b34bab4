"""Intervals for skewed outcomes: Hall's transformation for one arm, bootstrap-t for two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.arms import arm_points
from opslib.stats.estimates import Estimate
from opslib.stats.shares import share
from opslib.stats.sufficient_statistics import SufficientStatistics


def hall_ends(value: Any, *, std_error: Any, skewness: Any, critical: Any) -> tuple[Any, Any]:
    """Ends of an interval whose statistic has ``skewness``, by Hall's cubic transformation (elementwise).

    Notes
    -----
    Hall (1992), *Journal of the Royal Statistical Society B* 54:221-228.

    Examples
    --------
    >>> [round(float(end), 2) for end in hall_ends(0.0, std_error=1.0, skewness=0.0, critical=1.96)]
    [-1.96, 1.96]
    """
    skew = np.where(np.isfinite(skewness), skewness, 0.0)
    safe = np.where(np.abs(skew) < 1e-6, 1.0, skew)

    def back(u: Any) -> Any:
        bent = 3 / safe * (np.cbrt(1 + safe * (u - safe / 6)) - 1)
        return np.where(np.abs(skew) < 1e-6, u, bent)

    return value - std_error * back(critical), value - std_error * back(-critical)


def metric_level(sums: SufficientStatistics, *, unit: str, confidence_level: float = 0.95) -> Estimate:
    """A mean or ratio of one group with its interval, corrected for skewness where cubes were gathered.

    Parameters
    ----------
    sums : SufficientStatistics
        Sums over the independent units.
    unit : str
        Unit of the metric.
    confidence_level : float
        Level of the interval (0-1).

    Returns
    -------
    Estimate

    Raises
    ------
    ParameterError
        Fewer than two units, or no denominator.

    Examples
    --------
    >>> metric_level(SufficientStatistics.of_mean(n=4, y=10.0, yy=30.0), unit="orders").value
    2.5
    """
    if sums.n < 2 or not sums.d > 0:
        raise ParameterError(f"{sums.n:.0f} units, denominator {sums.d:.6g}: needed two units and more than 0")
    value, lower, upper, error = (float(part) for part in level_interval(sums, confidence_level=confidence_level))
    method = "delta method over units" + (", corrected for skewness" if np.isfinite(sums.yyy) else "")
    return Estimate(
        value=value,
        lower=lower,
        upper=upper,
        n=int(sums.n),
        unit=unit,
        confidence_level=confidence_level,
        method=method,
        std_error=error,
    )


def level_interval(sums: SufficientStatistics, *, confidence_level: float) -> tuple[Any, Any, Any, Any]:
    """Value, ends and standard error of many groups at once (the arithmetic of `metric_level`)."""
    point, _ = arm_points({"all": sums}, {"all": sums}, adjust=False)
    error = np.sqrt(point.variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = point.thirds[0] / sums.n**2 / error**3
    critical = stats.t.ppf((1 + confidence_level) / 2, sums.n - 1)
    return point.value, *hall_ends(point.value, std_error=error, skewness=skewness, critical=critical), error


@np.errstate(divide="ignore", invalid="ignore")
def share_intervals(
    frame: pd.DataFrame, names: tuple[str, str, str], sums: tuple[str, ...], *, confidence_level: float
) -> None:
    """Add a share to each row of a frame, clustered by person, with its ends kept within 0 and 1; Wilson's where all persons agree.

    Parameters
    ----------
    frame : DataFrame
        One row a group; takes the three new columns.
    names : (str, str, str)
        Columns of the share and of its ends.
    sums : tuple of str
        Columns of the number of persons and of the sums over them of y, d, y², d² and yd: y with the property, of d.
    confidence_level : float
        Level of the interval (0-1).

    Examples
    --------
    >>> frame = pd.DataFrame({"n": [50], "y": [20], "d": [100], "yy": [30], "dd": [220], "yd": [44]})
    >>> share_intervals(frame, ("s", "low", "high"), ("n", "y", "d", "yy", "dd", "yd"), confidence_level=0.95)
    >>> frame[["s", "low", "high"]].round(3).values.tolist()
    [[0.2, 0.107, 0.293]]
    """
    values = (frame[name].to_numpy(dtype=float) for name in sums)
    statistics = SufficientStatistics(**dict(zip(("n", "y", "d", "yy", "dd", "yd"), values, strict=True)))
    value, lower, upper, _ = level_interval(statistics, confidence_level=confidence_level)
    for row in np.flatnonzero(((value == 0) | (value == 1)) & (statistics.n > 0)):
        exact = share(int(value[row] * statistics.n[row]), int(statistics.n[row]), confidence_level=confidence_level)
        lower[row], upper[row] = exact.lower, exact.upper
    for name, ends in zip(names, (value, lower, upper), strict=True):
        frame[name] = np.clip(ends, 0.0, 1.0)


def bootstrap_t(
    control: tuple[np.ndarray, np.ndarray],
    treated: tuple[np.ndarray, np.ndarray],
    *,
    seed: int = 0,
    confidence_level: float = 0.95,
    n_draws: int = 1999,
) -> Estimate:
    """Relative difference of two means by bootstrap-t on the log ratio.

    Parameters
    ----------
    control, treated : (values, counts)
        Distinct values (or narrow classes' means) and how many units have each; zeros belong to them.
    seed : int
        Seed of the draws: the same seed gives the same interval.
    confidence_level : float
        Level of the interval (0-1).
    n_draws : int
        Bootstrap samples.

    Returns
    -------
    Estimate

    Raises
    ------
    ParameterError
        An arm has a mean that is not positive, or no spread.

    Notes
    -----
    Efron (1981); Hall (1988). Slower than `ratios.compare` and, under an unequal split of heavy tails, less exact:
    the truth bench shows by how much.

    Examples
    --------
    >>> arm = np.array([0.0, 10.0]), np.array([900, 100])
    >>> bootstrap_t(arm, arm, seed=1).excludes(0.0)
    False
    """
    rng = np.random.default_rng(seed)
    log, error = _log_and_error(*(_sums(values, counts) for values, counts in (control, treated)))
    if not np.isfinite(log) or not error > 0:
        raise ParameterError("bootstrap-t: both arms need a positive mean and a spread; use the difference instead")
    draws = [
        _sums(values, rng.multinomial(int(np.sum(counts)), counts / np.sum(counts), size=n_draws))
        for values, counts in (control, treated)
    ]
    logs, errors = _log_and_error(*draws)
    statistics = (logs - log) / errors
    low, high = np.quantile(
        statistics[np.isfinite(statistics)], [(1 - confidence_level) / 2, (1 + confidence_level) / 2]
    )
    n = int(np.sum(control[1]) + np.sum(treated[1]))
    return Estimate(
        value=float(np.expm1(log)),
        lower=float(np.expm1(log - high * error)),
        upper=float(np.expm1(log - low * error)),
        n=n,
        unit="relative",
        confidence_level=confidence_level,
        method=f"bootstrap-t on the log ratio, {n_draws} draws",
        std_error=float(error * np.exp(log)),
    )


def _sums(values: np.ndarray, counts: np.ndarray) -> tuple[Any, Any, Any]:
    return counts.sum(axis=-1), counts @ values, counts @ values**2


def _log_and_error(control: tuple[Any, Any, Any], treated: tuple[Any, Any, Any]) -> tuple[Any, Any]:
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [(yy / n - (y / n) ** 2) / (n - 1) / (y / n) ** 2 for n, y, yy in (control, treated)]
        log = np.log(treated[1] / treated[0]) - np.log(control[1] / control[0])
        return log, np.sqrt(parts[0] + parts[1])
