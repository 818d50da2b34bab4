"""Daily series: weekday factors, autocorrelation, long-run variance and level changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import ruptures
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.named_columns import as_frame

DAYS_OF_WEEK = 7
MIN_WEEKDAY_DAYS = 56
"""Days of history before weekday factors are worth estimating (eight of each weekday)."""
CHANGE_PENALTY = 3.0
"""Multiple of (long-run variance x log n) a level change must earn; 2 is BIC's, 3 keeps false alarms near 1 %."""

TRIMMED_SHARE = 0.05
"""Largest differences left out of the noise estimate, so that the level changes looked for do not feed it."""


def weekday_factors(values: np.ndarray, weekdays: np.ndarray) -> np.ndarray:
    """Multiplicative weekday factors of a series: the weekday's total over the total of the weeks around it.

    Parameters
    ----------
    values : ndarray, shape (n_days,)
        Daily values in any unit; NaN where the day is missing.
    weekdays : ndarray, shape (n_days,)
        Weekday of each value, 0 (Monday) to 6.

    Returns
    -------
    ndarray, shape (7,)
        Factors around 1; all 1 where there are fewer than eight weeks or the mean is not positive; NaN for a
        weekday on which nothing ever happens (a closed day), so that it counts as missing.

    Examples
    --------
    >>> import numpy as np
    >>> days = np.arange(70) % 7
    >>> weekday_factors(np.where(days == 5, 20.0, 10.0), days).round(3).tolist()
    [0.875, 0.875, 0.875, 0.875, 0.875, 1.75, 0.875]
    """
    around = _weeks_around(values)
    seen = np.isfinite(values) & np.isfinite(around)
    if seen.sum() < MIN_WEEKDAY_DAYS or np.mean(values[seen]) <= 0:
        return np.ones(DAYS_OF_WEEK)
    levels = np.bincount(weekdays[seen], weights=around[seen], minlength=DAYS_OF_WEEK)
    sums = np.bincount(weekdays[seen], weights=values[seen], minlength=DAYS_OF_WEEK)
    means = np.divide(sums, levels, out=np.full(DAYS_OF_WEEK, np.nan), where=levels > 0)
    means[~(means > 0)] = np.nan
    return means / np.nanmean(means)


def weekday_shifts(values: np.ndarray, weekdays: np.ndarray) -> np.ndarray:
    """Additive weekday pattern of a series that may be zero or negative: mean distance to the week around.

    Parameters
    ----------
    values : ndarray, shape (n_days,)
        Daily values in any unit; NaN where the day is missing.
    weekdays : ndarray, shape (n_days,)
        Weekday of each value, 0 (Monday) to 6.

    Returns
    -------
    ndarray, shape (7,)
        Shifts in the unit of the series; all 0 where there are fewer than eight weeks.

    Examples
    --------
    >>> import numpy as np
    >>> days = np.arange(140) % 7
    >>> weekday_shifts(np.where(days == 5, 7.0, 0.0), days).round(1).tolist()
    [-1.0, -1.0, -1.0, -1.0, -1.0, 6.0, -1.0]
    """
    distances = values - _weeks_around(values)
    seen = np.isfinite(distances)
    if seen.sum() < MIN_WEEKDAY_DAYS:
        return np.zeros(DAYS_OF_WEEK)
    counts = np.bincount(weekdays[seen], minlength=DAYS_OF_WEEK)
    return np.bincount(weekdays[seen], weights=distances[seen], minlength=DAYS_OF_WEEK) / np.maximum(counts, 1)


def autocorrelation(values: np.ndarray) -> float:
    """Lag-one autocorrelation from trimmed mean squared differences, which a few level changes do not inflate.

    For AR(1), E(y[t+2]-y[t])^2 / E(y[t+1]-y[t])^2 = 1 + phi. Differences over missing days are left out.

    Parameters
    ----------
    values : ndarray, shape (n_days,)
        Daily values without weekday pattern; NaN where missing.

    Returns
    -------
    float
        Estimate of phi, held to [-0.98, 0.98]; 0 for a constant series.

    Source: Chakar, Lebarbier, Levy-Leduc, Robin (2017), Bernoulli 23(2), with trimmed means in place of medians.

    Examples
    --------
    >>> import numpy as np
    >>> autocorrelation(np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]))
    -0.98
    """
    one, two = _trimmed_square(np.diff(values)), _trimmed_square(values[2:] - values[:-2])
    return float(np.clip(two / one - 1, -0.98, 0.98)) if one > 0 else 0.0


def long_run_variance(values: np.ndarray) -> float:
    """Variance of the mean of a long stretch, times its length, for a series with AR(1) noise and level changes.

    Errs to the large side: negative autocorrelation counts as none, and one standard error is added to it.

    Parameters
    ----------
    values : ndarray, shape (n_days,)
        Daily values without weekday pattern; NaN where missing.

    Returns
    -------
    float
        Long-run variance, in the squared unit of the series.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(1).standard_normal(5_000)
    >>> bool(abs(long_run_variance(noise) - 1) < 0.1)
    True
    """
    phi = max(autocorrelation(values), 0.0)
    phi = min(phi + np.sqrt((1 - phi**2) / max(int(np.isfinite(values).sum()), 1)), 0.99)
    marginal = float(np.nanmean(np.diff(values) ** 2)) / (2 * (1 - phi))
    return marginal * (1 + phi) / (1 - phi)


def change_positions(values: np.ndarray, *, min_days: int = 14, penalty: float = CHANGE_PENALTY) -> list[int]:
    """Positions at which the level of a series changes, by PELT with a penalty scaled by the long-run variance.

    Parameters
    ----------
    values : ndarray, shape (n_days,)
        Daily values without weekday pattern; missing days are bridged linearly.
    min_days : int
        Shortest stretch between two changes, in days.
    penalty : float
        What a change must earn, in long-run variances times log n.

    Returns
    -------
    list of int
        First position of every new level (empty where the level never changes).

    Source: Killick, Fearnhead, Eckley (2012), JASA 107; penalty: long-run variance in place of the variance.

    Examples
    --------
    >>> import numpy as np
    >>> level = np.r_[np.full(40, 5.0), np.full(40, 9.0)] + np.tile([0.0, 0.1], 40)
    >>> change_positions(level)
    [40]
    """
    if len(values) < 2 * min_days:
        return []
    filled = pd.Series(values).interpolate(limit_direction="both").to_numpy(float)
    price = penalty * long_run_variance(values) * np.log(len(filled))
    if not np.isfinite(price) or price <= 0:
        return []
    search = ruptures.KernelCPD(kernel="linear", min_size=min_days).fit(filled.reshape(-1, 1))
    return [int(position) for position in search.predict(pen=price)[:-1]]


def _weeks_around(values: np.ndarray) -> np.ndarray:
    """Mean of the seven days around each day; NaN at both ends and where fewer than four are present."""
    around = pd.Series(values, dtype=float).rolling(DAYS_OF_WEEK, center=True, min_periods=DAYS_OF_WEEK - 3).mean()
    edge = DAYS_OF_WEEK // 2
    return around.where((around.index >= edge) & (around.index < len(around) - edge)).to_numpy()


def _trimmed_square(differences: np.ndarray) -> float:
    """Mean square without the largest differences, corrected for the cut under a normal distribution."""
    squares = np.sort(differences[np.isfinite(differences)] ** 2)
    kept = squares[: int(np.ceil(len(squares) * (1 - TRIMMED_SHARE)))]
    edge = stats.norm.ppf(1 - TRIMMED_SHARE / 2)
    share_kept = 1 - 2 * edge * stats.norm.pdf(edge) / (1 - TRIMMED_SHARE)
    return float(kept.mean() / share_kept) if len(kept) else 0.0


def daily_frame(series: object, *, columns: tuple[str, ...] = ("value",)) -> pd.DataFrame:
    """One row for every day from the first to the last, NaN where the table has none.

    Parameters
    ----------
    series : Table or DataFrame
        Column ``day`` (date) and the named number columns, at most one row a day.
    columns : tuple of str
        Number columns to keep.

    Returns
    -------
    DataFrame
        Index: consecutive days; columns as named, float64.

    Raises
    ------
    ParameterError
        A column is missing, or a day has two rows.

    Examples
    --------
    >>> import pandas as pd
    >>> daily_frame(pd.DataFrame({"day": ["2024-01-01", "2024-01-03"], "value": [1, 2]}))["value"].tolist()
    [1.0, nan, 2.0]
    """
    frame = as_frame(series, columns=("day", *columns))
    frame["day"] = pd.to_datetime(frame["day"])
    if frame["day"].duplicated().any():
        day = frame.loc[frame["day"].duplicated(), "day"].iloc[0].date()
        raise ParameterError(f"series: day {day} has more than one row; one row a day is needed (sum it first)")
    daily = frame.set_index("day").sort_index()
    return daily.asfreq("D").astype(float) if len(daily) else daily
