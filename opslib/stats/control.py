"""Control charts: limits for single values, groups and moving averages, and charts of autocorrelated series.

A chart of daily values signals all the time where days resemble each other; `residual_chart` takes weekdays and
autocorrelation out first, and sets its limits so that a quiet series signals as seldom as asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import integrate, optimize, special, stats

from opslib.errors import DesignError, ParameterError
from opslib.stats import daily_series as daily_series

#: Mean range of n values of a normal law over its standard deviation (Tippett 1925; printed in ISO 7870-2).
RANGE_MEANS = {
    n: float(integrate.quad(lambda x, n=n: 1 - special.ndtr(x) ** n - special.ndtr(-x) ** n, -9, 9)[0])
    for n in range(2, 11)
}
MIN_BASELINE_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChart:
    """Limits and signals of one series.

    Attributes
    ----------
    centre, sigma : float
        Centre line and standard deviation of one value, in the unit of the series.
    lower, upper : float
        Control limits of the plotted statistic (the last point's, where they widen over time).
    points : DataFrame
        One row a value: ``position`` (or ``day``), ``value``, ``statistic``, ``lower``, ``upper``, ``is_signal``.
    run_length : float
        Values between two false alarms on average, in a series that is in control; NaN where not set.
    method : str
        As one would write it in a methods section.
    """

    centre: float
    sigma: float
    lower: float
    upper: float
    points: pd.DataFrame
    run_length: float
    method: str


def individuals_chart(values: np.ndarray) -> ControlChart:
    """Individuals chart (I-MR): single values, spread from the mean moving range.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Independent values in time order; at least two.

    Returns
    -------
    ControlChart
        Limits at three sigma.

    Raises
    ------
    ParameterError
        Fewer than two values.

    Source: NIST/SEMATECH e-Handbook, 6.3.2.2.

    Examples
    --------
    >>> chart = individuals_chart([49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1])
    >>> round(chart.centre, 2), round(chart.lower, 4), round(chart.upper, 4)
    (50.81, 45.8176, 55.8024)
    """
    found = _enough(values, 2)
    sigma = float(np.abs(np.diff(found)).mean()) / RANGE_MEANS[2]
    return _chart(
        found,
        found,
        centre=float(found.mean()),
        sigma=sigma,
        half=3 * sigma,
        run_length=shewhart_run_length(3.0),
        method="individuals chart, mean moving range",
    )


def means_chart(groups: np.ndarray, *, n_baseline: int | None = None) -> ControlChart:
    """X-bar chart of equally large groups, spread from the mean range (R).

    Parameters
    ----------
    groups : ndarray, shape (n_groups, n_in_group)
        Values; 2 to 10 in a group.
    n_baseline : int or None
        First groups from which the limits are set (phase I); None = all.

    Returns
    -------
    ControlChart
        One point a group.

    Raises
    ------
    ParameterError
        A group size outside 2-10.

    Source: Montgomery (2019), Introduction to Statistical Quality Control, ch. 6.

    Examples
    --------
    >>> chart = means_chart([[1.0, 3.0], [2.0, 4.0]])
    >>> round(chart.centre, 2), round(chart.sigma, 4)
    (2.5, 1.7725)
    """
    table = np.asarray(groups, float)
    size = table.shape[1] if table.ndim == 2 else 0
    if size not in RANGE_MEANS:
        raise ParameterError(f"groups: {size} values in a group; allowed: 2-10 (single values: individuals_chart)")
    baseline = table[:n_baseline]
    sigma = float(np.ptp(baseline, axis=1).mean()) / RANGE_MEANS[size]
    return _chart(
        table.mean(axis=1),
        table.mean(axis=1),
        centre=float(baseline.mean()),
        sigma=sigma,
        half=3 * sigma / np.sqrt(size),
        run_length=shewhart_run_length(3.0),
        method="X-bar and R chart",
    )


def ewma_chart(
    values: np.ndarray, *, centre: float, sigma: float, weight: float = 0.3, width: float = 3.0
) -> ControlChart:
    """Exponentially weighted moving average chart, with its limits in the long run.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Values in time order.
    centre, sigma : float
        Centre and standard deviation of one value, known or from a baseline.
    weight : float
        Weight of the newest value (0-1].
    width : float
        Limits in standard deviations of the average.

    Returns
    -------
    ControlChart
        ``statistic`` is the moving average; each point has its own limits, narrower at the start.

    Source: NIST/SEMATECH e-Handbook, 6.3.2.4; limits over time, Lucas and Saccucci (1990), Technometrics 32.

    Examples
    --------
    >>> chart = ewma_chart([52.0, 47.0], centre=50, sigma=2.0539, weight=0.3)
    >>> round(chart.lower, 3), chart.points["statistic"].round(3).tolist()
    (47.744, [50.6, 49.52])
    """
    found = _enough(values, 1)
    average, level = np.empty(len(found)), centre
    for t, value in enumerate(found):
        level = weight * value + (1 - weight) * level
        average[t] = level
    growth = np.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * np.arange(1, len(found) + 1))))
    return _chart(
        found,
        average,
        centre=centre,
        sigma=sigma,
        half=width * sigma * growth,
        run_length=float("nan"),
        method=f"EWMA chart, weight {weight:g}",
    )


def residual_chart(series: object, *, n_baseline: int, run_length: float = 370.4) -> ControlChart:
    """Chart of a daily series after weekdays and autocorrelation, with the run length that is asked for.

    Weekday factors, level, autocorrelation and spread come from the baseline; each day is compared with what the day
    before predicts. Limits are t quantiles widened for what the baseline cannot know.

    Parameters
    ----------
    series : Table or DataFrame
        ``day`` and ``value``, one row a day; missing days are skipped and the next day is not judged.
    n_baseline : int
        First days, in control, from which the chart is set; at least 28.
    run_length : float
        Days between two false alarms on average, in a series that stays in control.

    Returns
    -------
    ControlChart
        One point a day after the baseline: ``statistic`` is the prediction error in the unit of the series.

    Raises
    ------
    DesignError
        gate "history": fewer than 28 days in the baseline.

    Source: Alwan and Roberts (1988), JBES 6 (special-cause charts); estimated limits, Quesenberry (1993), JQT 25.

    Examples
    --------
    >>> noise = np.random.default_rng(1).standard_normal(400)
    >>> table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=400), "value": 100 + noise})
    >>> table.loc[399, "value"] += 20
    >>> residual_chart(table, n_baseline=365).points["is_signal"].tolist()[-1]
    True
    """
    daily = daily_series.daily_frame(series)
    values = daily["value"].to_numpy(float)
    n_present = int(np.isfinite(values[:n_baseline]).sum())
    if n_present < MIN_BASELINE_DAYS:
        raise DesignError("history", f"{n_present} days in the baseline; needed: {MIN_BASELINE_DAYS}; load more days")
    weekdays = pd.DatetimeIndex(daily.index).day_of_week.to_numpy()
    factors = daily_series.weekday_factors(values[:n_baseline], weekdays[:n_baseline])
    adjusted = values / factors[weekdays]
    errors, sigma, df = one_step_errors(adjusted[None, :], n_baseline=n_baseline)
    if (factors != 1).any() and df > daily_series.DAYS_OF_WEEK:  # the factors are estimated as well
        extra = daily_series.DAYS_OF_WEEK - 1
        sigma = sigma * np.sqrt(df / (df - extra) * (1 + daily_series.DAYS_OF_WEEK / n_present))
        df -= extra
    half = float(stats.t.isf(0.5 / run_length, df)) * sigma[0]
    days = pd.DataFrame({"day": daily.index, "value": values, "statistic": errors[0] * factors[weekdays]})
    points = days.assign(lower=-half * factors[weekdays], upper=half * factors[weekdays])
    points["is_signal"] = (points["statistic"].abs() > points["upper"]).astype(bool)
    return ControlChart(
        centre=0.0,
        sigma=float(sigma[0]),
        lower=-half,
        upper=half,
        run_length=run_length,
        points=points.iloc[n_baseline:].reset_index(drop=True),
        method=f"chart of one-day prediction errors, weekdays and autocorrelation out, t limits with {df} df",
    )


def one_step_errors(values: np.ndarray, *, n_baseline: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Errors of predicting each value from the one before, by least squares over the baseline.

    Parameters
    ----------
    values : ndarray, shape (n_series, n_days)
        Values without weekday pattern; NaN where missing.
    n_baseline : int
        Days from which level, autocorrelation and spread are estimated.

    Returns
    -------
    errors : ndarray, shape (n_series, n_days)
        NaN for the first day and around missing days.
    sigma : ndarray, shape (n_series,)
        Standard deviation of a new error: the coefficients' uncertainty is inside.
    df : int
        Degrees of freedom of the shortest baseline.

    Examples
    --------
    >>> errors, sigma, df = one_step_errors(np.array([[1.0, 2.0, 1.0, 2.0, 1.0, 9.0]]), n_baseline=5)
    >>> errors.round(6).tolist(), df
    ([[nan, 0.0, 0.0, 0.0, 0.0, 7.0]], 2)
    """
    before, now = values[:, : n_baseline - 1], values[:, 1:n_baseline]
    seen = np.isfinite(before) & np.isfinite(now)
    counts = seen.sum(axis=1)
    x, y = np.where(seen, before, 0.0), np.where(seen, now, 0.0)
    x_mean, y_mean = x.sum(axis=1) / counts, y.sum(axis=1) / counts
    dx, dy = np.where(seen, x - x_mean[:, None], 0.0), np.where(seen, y - y_mean[:, None], 0.0)
    spread = (dx**2).sum(axis=1)
    slope = np.divide((dx * dy).sum(axis=1), spread, out=np.zeros(len(values)), where=spread > 0)
    residual = dy - slope[:, None] * dx
    df = max(int(counts.min()) - 2, 1)
    sigma = np.sqrt((residual**2).sum(axis=1) / np.maximum(counts - 2, 1) * (1 + 2 / counts))
    predicted = y_mean[:, None] + slope[:, None] * (values[:, :-1] - x_mean[:, None])
    return np.column_stack([np.full(len(values), np.nan), values[:, 1:] - predicted]), sigma, df


def western_electric_signals(z: np.ndarray) -> pd.DataFrame:
    """Signals of the four Western Electric rules on standardised values.

    Parameters
    ----------
    z : ndarray, shape (n,)
        (value - centre) / sigma, in time order.

    Returns
    -------
    DataFrame
        One row a value; boolean columns ``beyond_3``, ``two_of_three_beyond_2``, ``four_of_five_beyond_1``,
        ``eight_on_one_side``, ``is_signal`` (any).

    Source: Western Electric (1956), Statistical Quality Control Handbook; Champ and Woodall (1987), Technometrics 29.

    Examples
    --------
    >>> western_electric_signals(np.array([0.0, 2.1, 0.0, 2.2, 3.5]))["is_signal"].tolist()
    [False, False, False, True, True]
    """
    found = np.asarray(z, float)

    def runs(limit: float, needed: int, window: int) -> np.ndarray:
        any_side = np.zeros(len(found), bool)
        for side in (1, -1):
            hits = (side * found > limit).astype(int)
            totals = np.convolve(hits, np.ones(window, int))[: len(found)]
            any_side |= (totals >= needed) & (hits > 0)
        return any_side

    rules = pd.DataFrame(
        {
            "beyond_3": runs(3.0, 1, 1),
            "two_of_three_beyond_2": runs(2.0, 2, 3),
            "four_of_five_beyond_1": runs(1.0, 4, 5),
            "eight_on_one_side": runs(0.0, 8, 8),
        }
    )
    return rules.assign(is_signal=rules.any(axis=1))


def shewhart_run_length(width: float) -> float:
    """Mean number of independent normal values between two false alarms of limits at ``width`` sigma.

    Examples
    --------
    >>> round(shewhart_run_length(3.0), 1)
    370.4
    """
    return float(1 / (2 * stats.norm.sf(width)))


def ewma_width(*, weight: float, run_length: float) -> float:
    """Width of EWMA limits (in long-run sigmas) that gives the asked run length in control.

    Parameters
    ----------
    weight : float
        Weight of the newest value (0-1].
    run_length : float
        Values between two false alarms on average.

    Returns
    -------
    float
        Width to hand to `ewma_chart`.

    Source: integral equation of Crowder (1987), Technometrics 29, by Gauss-Legendre quadrature.

    Examples
    --------
    >>> round(ewma_width(weight=0.1, run_length=500.0), 3)
    2.814
    """

    def excess(width: float) -> float:
        return np.log(_ewma_run_length(width, weight)) - np.log(run_length)

    return float(optimize.brentq(excess, 0.5, 6.0, xtol=1e-8))


def _ewma_run_length(width: float, weight: float) -> float:
    half = width * np.sqrt(weight / (2 - weight))
    nodes, weights = np.polynomial.legendre.leggauss(61)
    at = half * nodes
    kernel = half * weights * stats.norm.pdf((at - (1 - weight) * at[:, None]) / weight) / weight
    lengths = np.linalg.solve(np.eye(len(at)) - kernel, np.ones(len(at)))
    start = half * weights * stats.norm.pdf(at / weight) / weight
    return float(1 + start @ lengths)


def _enough(values: np.ndarray, needed: int) -> np.ndarray:
    found = np.asarray(values, float)
    if found.ndim != 1 or len(found) < needed:
        raise ParameterError(f"values: {found.size}; needed: at least {needed} in one row")
    return found


def _chart(
    values: np.ndarray,
    statistic: np.ndarray,
    *,
    centre: float,
    sigma: float,
    half: float | np.ndarray,
    run_length: float,
    method: str,
) -> ControlChart:
    halves = np.broadcast_to(np.asarray(half, float), statistic.shape)
    points = pd.DataFrame(
        {
            "position": np.arange(len(statistic)),
            "value": values,
            "statistic": statistic,
            "lower": centre - halves,
            "upper": centre + halves,
            "is_signal": np.abs(statistic - centre) > halves,
        }
    )
    return ControlChart(
        centre=centre,
        sigma=sigma,
        lower=float(centre - halves[-1]),
        upper=float(centre + halves[-1]),
        points=points,
        run_length=run_length,
        method=method,
    )
