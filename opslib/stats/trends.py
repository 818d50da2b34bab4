"""Level and slope of an autocorrelated daily series."""

from __future__ import annotations

import numpy as np
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.daily_series import daily_frame
from opslib.stats.estimates import Estimate

WEEK = 7
LEAST_DAYS = 28
_PHIS = np.concatenate((np.arange(-0.5, 0.875, 0.05), np.arange(0.9, 0.985, 0.02)))
_SPACING = np.gradient(_PHIS)
"""What each autocorrelation stands for: the grid is finer near one, and its prior must be even over it."""


def series_trend(series: object, *, unit: str, confidence_level: float = 0.95) -> Estimate:
    """Slope of a daily series per day, its weekday pattern taken out.

    Parameters
    ----------
    series : Table or DataFrame
        ``day``, ``value``: one row a day; missing days are left out. At least 28 days.
    unit : str
        Unit of the values.
    confidence_level : float
        Level of the interval (0-1).

    Raises
    ------
    ParameterError
        Fewer than 28 days with a value.

    Notes
    -----
    First-order autoregression around the line, the autocorrelation integrated out over its restricted likelihood
    (Zellner and Tiao 1964), so that the interval pays for not knowing it.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> noise = np.random.default_rng(0).normal(size=56)
    >>> days = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=56), "value": 0.5 * np.arange(56) + noise})
    >>> slope = series_trend(days, unit="orders")
    >>> slope.lower < 0.5 < slope.upper
    True
    """
    values = daily_frame(series)["value"].to_numpy()
    n = int(np.isfinite(values).sum())
    if n < LEAST_DAYS:
        raise ParameterError(f"series: {n} days with a value; at least {LEAST_DAYS} are needed to know its noise")
    first = int(np.flatnonzero(np.isfinite(values))[0])
    method = "slope with autoregressive errors, weekdays taken out"
    return slope_of(values[first:], unit=f"{unit} per day", method=method, confidence_level=confidence_level)


def slope_of(values: np.ndarray, *, unit: str, method: str, confidence_level: float, season: int = WEEK) -> Estimate:
    """Slope of one series per step by `autoregressive_interval`."""
    parts = autoregressive_interval(values[None], has_slope=True, confidence_level=confidence_level, season=season)
    value, lower, upper, error = (float(part[0]) for part in parts)
    n = int(np.isfinite(values).sum())
    return Estimate(
        value=value,
        lower=lower,
        upper=upper,
        n=n,
        unit=unit,
        method=method,
        confidence_level=confidence_level,
        std_error=error,
    )


def autoregressive_interval(
    values: np.ndarray,
    *,
    has_slope: bool,
    confidence_level: float = 0.95,
    season: int = WEEK,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Level or slope of many series at once.

    Parameters
    ----------
    values : array, shape (n_series, n_days)
        Consecutive days; ``nan`` where a day is missing (the same days in all).
    has_slope : bool
        The slope per day rather than the level.
    confidence_level : float
        Level of the interval (0-1).
    season : int
        Length of the repeating pattern, in days; 1 for none.

    Returns
    -------
    (value, lower, upper, std_error)
        Arrays of shape (n_series,).
    """
    at = np.flatnonzero(np.isfinite(values[0]))
    y = values[:, at]
    design = _design(at, has_slope=has_slope, season=season)
    target = 1 if has_slope else 0
    df = len(at) - design.shape[1]
    fits = [_fit(y, design, at, phi, target) for phi in _PHIS]
    centre, scale, fit = (np.stack(parts) for parts in zip(*fits, strict=True))
    weight = np.exp(fit - fit.max(axis=0)) * _SPACING[:, None]
    weight /= weight.sum(axis=0)
    value = (weight * centre).sum(axis=0)
    error = np.sqrt((weight * (scale**2 + (centre - value) ** 2)).sum(axis=0))
    ends = [
        _mixture_quantile(p, centre, scale, weight, df)
        for p in ((1 - confidence_level) / 2, (1 + confidence_level) / 2)
    ]
    return value, ends[0], ends[1], error


def _design(at: np.ndarray, *, has_slope: bool, season: int) -> np.ndarray:
    """Columns: level, slope (if any), contrasts that sum to zero over the weekdays that occur (a shop may close one)."""
    columns = [np.ones(len(at))]
    if has_slope:
        columns.append(at - at.mean())
    phase = at % season
    *others, last = np.unique(phase)
    columns += [(phase == s).astype(float) - (phase == last) for s in others]
    return np.column_stack(columns)


def _fit(
    y: np.ndarray,
    design: np.ndarray,
    at: np.ndarray,
    phi: float,
    target: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generalised least squares at one autocorrelation: estimate, its scale, restricted log-likelihood."""
    carry = np.sign(phi) ** np.diff(at) * np.abs(phi) ** np.diff(at) if phi else np.zeros(len(at) - 1)
    spread = np.concatenate(([1 / np.sqrt(1 - phi**2)], np.sqrt((1 - carry**2) / (1 - phi**2))))

    def whiten(columns: np.ndarray) -> np.ndarray:
        past = np.concatenate((np.zeros((1, columns.shape[1])), carry[:, None] * columns[:-1]))
        return (columns - past) / spread[:, None]

    x = whiten(design)
    inverse = np.linalg.inv(x.T @ x)
    z = whiten(y.T)
    beta = inverse @ (x.T @ z)
    df = len(at) - design.shape[1]
    residual = np.maximum(((z - x @ beta) ** 2).sum(axis=0), 1e-300)
    log_likelihood = -0.5 * df * np.log(residual) + 0.5 * np.linalg.slogdet(inverse)[1] - np.log(spread).sum()
    return beta[target], np.sqrt(inverse[target, target] * residual / df), log_likelihood


def _mixture_quantile(p: float, centre: np.ndarray, scale: np.ndarray, weight: np.ndarray, df: int) -> np.ndarray:
    """Quantile of a mixture of Student distributions, one mixture a column, by bisection."""
    reach = 60 * scale.max(axis=0)
    low, high = centre.min(axis=0) - reach, centre.max(axis=0) + reach
    safe = np.maximum(scale, 1e-300)
    for _ in range(45):
        middle = (low + high) / 2
        is_below = (weight * stats.t.cdf((middle - centre) / safe, df)).sum(axis=0) < p
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return (low + high) / 2
