"""Before/after comparison without randomisation, tested against placebo windows.

The window after the change is compared with windows of the same length in the series' own history (placebo
windows, non-overlapping). Their spread, not the spread of days, is the yardstick, so autocorrelation, promotions
and other unrest of the series are inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from opslib.errors import DesignError, ParameterError
from opslib.stats import daily_series as daily_series
from opslib.stats.estimates import Estimate

MIN_WINDOWS = 6
"""Fewest placebo windows from which a spread is estimated (5 degrees of freedom)."""
FEW_WINDOWS = 9
"""Below this many the answer is given with a warning."""
MIN_PRESENT_SHARE = 0.5
"""Share of a placebo window's days that must be present; the window after the change needs 0.75."""
MIN_AFTER_SHARE = 0.75
TREND_LEVEL = 0.05
"""A straight trend over the placebo windows is kept where it differs from none at this level."""
BREAK_PENALTY = 4.0
"""Stricter than for the eye: a level change in the history shortens it, and may end the analysis."""
RECENT_LEVEL = 0.01
"""The last placebo window is called unlike the others at this level."""
YEAR_DAYS = 364
"""A year that keeps weekdays in place."""
POWER = 0.8

Scale = Literal["relative", "absolute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfterEstimate:
    """A change measured against placebo windows.

    Attributes
    ----------
    relative : Estimate
        Effect as a share of what the window would have been without the change.
    absolute : Estimate
        The same in units of the series a day.
    placebo : DataFrame
        One row a placebo window: ``start`` (first day), ``effect_share``: the effect that would have been found
        had the change happened on that day.
    n_windows, df : int
        Placebo windows used; degrees of freedom of the t distribution.
    p_value : float
        Two-sided, against no change.
    detectable_share : float
        Smallest relative effect found in four of five cases with this history.
    warnings : tuple of str
        Gates that warn: "few_windows", "no_season" (less than two years and no control), "level_break",
        "recent_shift" (the last window before the change already differs), "trend", "no_control".
    """

    relative: Estimate
    absolute: Estimate
    placebo: pd.DataFrame
    n_windows: int
    df: int
    p_value: float
    detectable_share: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceboFit:
    """The effect of a change beside placebo windows.

    Attributes
    ----------
    effect, std_error : float
        Deviation of the window after from its prediction, and its standard error (prediction error included).
    df : int
        Degrees of freedom.
    has_trend : bool
        Whether a straight trend was kept.
    placebo : ndarray, shape (n_windows,)
        The same deviation for each placebo window, predicted from all others.
    """

    effect: float
    std_error: float
    df: int
    has_trend: bool
    placebo: np.ndarray

    def interval(self, confidence_level: float) -> tuple[float, float]:
        """Both ends of the interval at ``confidence_level``."""
        half = float(stats.t.ppf(0.5 + confidence_level / 2, self.df)) * self.std_error
        return self.effect - half, self.effect + half

    def detectable(self, confidence_level: float) -> float:
        """Smallest effect found with a power of 0.8 by a test at 1 - ``confidence_level``."""
        return float(stats.t.ppf(0.5 + confidence_level / 2, self.df) + stats.t.ppf(POWER, self.df)) * self.std_error


def placebo_fit(windows: np.ndarray, after: float, *, positions: np.ndarray, position: float) -> PlaceboFit:
    """Predict the window after a change from the placebo windows before it, with or without a straight trend.

    Parameters
    ----------
    windows : ndarray, shape (n_windows,)
        Window means before the change (logs for a relative effect).
    after : float
        Window mean after it, on the same scale.
    positions : ndarray, shape (n_windows,)
        Time of each placebo window, in windows.
    position : float
        Time of the window after.

    Returns
    -------
    PlaceboFit

    Examples
    --------
    >>> import numpy as np
    >>> fit = placebo_fit(np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]), 4.0, positions=np.arange(6.0), position=6.0)
    >>> fit.effect, fit.df
    (2.5, 5)
    """
    has_trend = len(positions) >= MIN_WINDOWS and stats.linregress(positions, windows).pvalue < TREND_LEVEL
    design, row = np.ones((len(positions), 1)), np.ones(1)
    if has_trend:
        design, row = np.column_stack([design, positions]), np.array([1.0, position])
    products = design.T @ design
    projector = np.linalg.solve(products, design.T)
    coefficients = projector @ windows
    residuals = windows - design @ coefficients
    df = len(design) - len(row)
    variance = float((residuals**2).sum()) / df * float(1 + row @ np.linalg.solve(products, row))
    return PlaceboFit(
        effect=float(after - coefficients @ row),
        std_error=float(np.sqrt(variance)),
        df=df,
        has_trend=bool(has_trend),
        placebo=residuals / (1 - np.einsum("ij,ji->i", design, projector)),
    )


def before_after(
    series: object,
    *,
    changed_on: date,
    n_days: int = 28,
    controls: Sequence[str] = (),
    scale: Scale = "relative",
    confidence_level: float = 0.95,
) -> BeforeAfterEstimate:
    """Effect of a change from the series' own history, with or without control series.

    Parameters
    ----------
    series : Table or DataFrame
        One row a day: ``day`` (date), ``value`` (any unit; a day without a row is missing, not zero), and one
        column for each control series.
    changed_on : date
        First day under the change.
    n_days : int
        Length of the window after the change and of each placebo window, in days; a multiple of 7 is best.
    controls : sequence of str
        Columns the change could not touch; their mean movement is taken out. Without any, and with at least two
        years of history, the same days a year before take their place.
    scale : {"relative", "absolute"}
        Work on logs of window means, or on the means themselves (where they may be zero or negative).
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    BeforeAfterEstimate
        Relative and absolute estimate, and the placebo windows.

    Raises
    ------
    DesignError
        gate "history": fewer than six usable placebo windows; gate "window": days after the change are missing.
    ParameterError
        A column is missing, or ``scale`` is unknown.

    Source: placebo in time, Abadie, Diamond, Hainmueller (2015), AJPS 59(2); batch means as the yardstick of a
    correlated series, Law and Kelton (2000), ch. 9.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from datetime import date
    >>> noise = np.random.default_rng(3).standard_normal(392)
    >>> table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=392), "value": 100 + 5 * noise})
    >>> table.loc[364:, "value"] *= 1.2
    >>> result = before_after(table, changed_on=date(2024, 12, 30))
    >>> result.n_windows, bool(0.15 < result.relative.lower < 0.2 < result.relative.upper < 0.25)
    (13, True)
    """
    if scale not in ("relative", "absolute"):
        raise ParameterError(f"scale: '{scale}'; allowed: relative, absolute")
    daily = daily_series.daily_frame(series, columns=("value", *controls))
    grid = _WindowGrid.of(daily, changed_on=changed_on, n_days=n_days, scale=scale)
    gaps, starts, has_season, cut = grid.placebo_gaps()
    at = (starts - starts[0]) / n_days
    fit = placebo_fit(gaps[:-1], gaps[-1], positions=at[:-1], position=at[-1])
    return _result(grid, fit, starts, has_season=has_season, cut=cut, confidence_level=confidence_level)


@dataclass(frozen=True, slots=True, kw_only=True)
class _WindowGrid:
    """Window means of the series and its controls: row = window, last row = the one after the change."""

    days: pd.DatetimeIndex  # every day from the first to the end of the window after
    adjusted: np.ndarray  # (n_days_all, 1 + n_controls), weekday pattern out
    n_controls: int
    first_after: int  # position of the change in ``days``
    n_days: int
    scale: Scale
    observed: float  # mean a day of the raw series after the change

    @classmethod
    def of(cls, daily: pd.DataFrame, *, changed_on: date, n_days: int, scale: Scale) -> _WindowGrid:
        changed = pd.Timestamp(changed_on)
        first = int((daily.index < changed).sum())
        after = daily.loc[changed : changed + timedelta(days=n_days - 1)]
        present = int(after["value"].notna().sum())
        if first == 0 or present < MIN_AFTER_SHARE * n_days:
            raise DesignError(
                "window",
                f"{present} of the {n_days} days from {changed.date()} are present, {first} days before; "
                f"needed: {MIN_AFTER_SHARE:.0%} of the days after, and a history; wait, or shorten the window",
            )
        kept = daily.iloc[: first + n_days]
        values, weekdays = kept.to_numpy(float), pd.DatetimeIndex(kept.index).day_of_week.to_numpy()
        columns = [_without_weekdays(column, weekdays, n_history=first, scale=scale) for column in values.T]
        return cls(
            days=pd.DatetimeIndex(kept.index),
            adjusted=np.column_stack(columns),
            n_controls=len(columns) - 1,
            first_after=first,
            n_days=n_days,
            scale=scale,
            observed=float(after["value"].mean()),
        )

    def placebo_gaps(self) -> tuple[np.ndarray, np.ndarray, bool, bool]:
        """Gaps and first positions of the usable windows, whether a year was taken out, whether a break cut."""
        starts = np.arange(self.first_after % self.n_days, self.first_after + 1, self.n_days)
        season = self.n_controls == 0 and self.first_after >= YEAR_DAYS + FEW_WINDOWS * self.n_days
        gaps = self._gaps(starts, season=season)
        usable = np.isfinite(gaps)
        usable[-1] = True
        gaps, starts = gaps[usable], starts[usable]
        if not np.isfinite(gaps[-1]):
            raise DesignError(
                "window",
                f"the window from {self.days[self.first_after].date()} has no usable "
                "control days or no positive mean; take other controls or scale='absolute'",
            )
        cut = self._last_break(gaps, starts, season=season)
        gaps, starts = gaps[starts >= cut], starts[starts >= cut]
        if len(gaps) - 1 < MIN_WINDOWS:
            since = f" since the level changed on {self.days[cut].date()}" if cut else ""
            raise DesignError(
                "history",
                f"{len(gaps) - 1} placebo windows of {self.n_days} days{since}; needed: "
                f"{MIN_WINDOWS}; load a longer history, shorten the window or add a control series",
            )
        return gaps, starts, season, cut > 0

    def _gaps(self, starts: np.ndarray, *, season: bool) -> np.ndarray:
        means = self._window_means(starts)
        if season:
            means = np.column_stack([means, self._window_means(starts - YEAR_DAYS)])
        if self.scale == "relative":
            with np.errstate(divide="ignore", invalid="ignore"):
                means = np.where(means > 0, np.log(means), np.nan)
            controls = means[:, 1:]
        else:
            bases = np.nanmean(np.abs(means[:-1]), axis=0)
            controls = means[:, 1:] * (1.0 if season else _to_size(bases))
        return means[:, 0] - controls.mean(axis=1) if controls.shape[1] else means[:, 0]

    def _window_means(self, starts: np.ndarray) -> np.ndarray:
        """Mean of each column over each window; NaN before the first day or where too many days are missing."""
        rows = starts[:, None] + np.arange(self.n_days)
        inside = rows >= 0
        picked = np.where(inside[:, :, None], self.adjusted[np.where(inside, rows, 0)], np.nan)
        present = np.isfinite(picked)
        sums, counts = np.where(present, picked, 0.0).sum(axis=1), present.sum(axis=1)
        enough = counts >= MIN_PRESENT_SHARE * self.n_days
        return np.where(enough, sums / np.maximum(counts, 1), np.nan)

    def _last_break(self, gaps: np.ndarray, starts: np.ndarray, *, season: bool) -> int:
        """Position of the last level change of the daily gap before the change, trend taken out; 0 if none."""
        if season or len(gaps) - 1 < MIN_WINDOWS:
            return 0
        # Days left out between a change and a later window are no level of their own.
        n_seen = int(np.flatnonzero(np.isfinite(self.adjusted[: self.first_after, 0])).max(initial=-1)) + 1
        history = self.adjusted[:n_seen]
        bases = np.nanmean(np.abs(history), axis=0)
        daily = history[:, 0] / bases[0]
        if self.n_controls:
            daily = daily - (history[:, 1:] * _to_size(bases)).mean(axis=1) / bases[0]
        fit = placebo_fit(gaps[:-1], gaps[-1], positions=starts[:-1].astype(float), position=float(starts[-1]))
        if fit.has_trend and _trend_beats_step(gaps[:-1]):
            at, seen = np.arange(len(daily)), np.isfinite(daily)
            daily = daily - np.polyval(np.polyfit(at[seen], daily[seen], 1), at)
        found = daily_series.change_positions(daily, min_days=max(14, self.n_days // 2), penalty=BREAK_PENALTY)
        return found[-1] if found else 0


def _without_weekdays(values: np.ndarray, weekdays: np.ndarray, *, n_history: int, scale: Scale) -> np.ndarray:
    """Values without the weekday pattern of the history."""
    if scale == "relative":
        return values / daily_series.weekday_factors(values[:n_history], weekdays[:n_history])[weekdays]
    return values - daily_series.weekday_shifts(values[:n_history], weekdays[:n_history])[weekdays]


def _to_size(sizes: np.ndarray) -> np.ndarray:
    """Factors that bring each control to the size of the series (first entry)."""
    return sizes[0] / np.where(sizes[1:] > 0, sizes[1:], np.nan)


def _trend_beats_step(gaps: np.ndarray) -> bool:
    """Whether a straight line fits better than the best single step, whose date is one more parameter."""
    at = np.arange(len(gaps))
    line = ((gaps - np.polyval(np.polyfit(at, gaps, 1), at)) ** 2).sum()
    steps = [gaps[:j].var() * j + gaps[j:].var() * (len(gaps) - j) for j in range(1, len(gaps))]
    return bool(line < min(steps) * len(gaps) ** (1 / len(gaps)))


def _result(
    grid: _WindowGrid, fit: PlaceboFit, starts: np.ndarray, *, has_season: bool, cut: bool, confidence_level: float
) -> BeforeAfterEstimate:
    is_relative, n_windows = grid.scale == "relative", len(starts) - 1
    ends = (fit.effect, *fit.interval(confidence_level))
    to_share, method = _to_share(grid, fit.effect), _method(grid, fit, has_season=has_season)
    shares = [to_share(x) for x in ends]
    value, lower, upper = (grid.observed * share / (1 + share) for share in shares) if is_relative else ends
    relative = Estimate(
        value=shares[0],
        lower=min(shares[1:]),
        upper=max(shares[1:]),
        n=n_windows,
        unit="share",
        method=method,
        confidence_level=confidence_level,
        std_error=fit.std_error if is_relative else None,
    )
    absolute = Estimate(
        value=value,
        lower=lower,
        upper=upper,
        n=n_windows,
        unit="a day",
        method=method,
        confidence_level=confidence_level,
    )
    statistic = abs(fit.effect) / fit.std_error if fit.std_error > 0 else np.inf
    return BeforeAfterEstimate(
        relative=relative,
        absolute=absolute,
        n_windows=n_windows,
        df=fit.df,
        placebo=pd.DataFrame({"start": grid.days[starts[:-1]], "effect_share": [to_share(x) for x in fit.placebo]}),
        p_value=float(2 * stats.t.sf(statistic, fit.df)),
        detectable_share=abs(to_share(fit.detectable(confidence_level))),
        warnings=_warnings(grid, fit, n_windows=n_windows, has_season=has_season, cut=cut),
    )


def _recent_shift(fit: PlaceboFit) -> bool:
    """Whether the last placebo window lies outside what the other ones predict."""
    others, last = fit.placebo[:-1], fit.placebo[-1]
    spread = float(np.sqrt((others**2).mean()))
    return bool(2 * stats.t.sf(abs(last) / spread, len(others) - 1) < RECENT_LEVEL) if spread > 0 else bool(last)


def _to_share(grid: _WindowGrid, effect: float) -> Callable[[float], float]:
    """The map from the scale of the fit to a share of what the window would have been."""
    if grid.scale == "relative":
        return lambda x: float(np.expm1(x))
    expected = grid.observed - effect
    return lambda x: x / expected if expected != 0 else float("nan")


def _method(grid: _WindowGrid, fit: PlaceboFit, *, has_season: bool) -> str:
    parts = [f"placebo windows of {grid.n_days} days, t with {fit.df} df"]
    if grid.n_controls:
        parts.append(f"difference to {grid.n_controls} control series")
    if has_season:
        parts.append("difference to the same days a year before")
    if fit.has_trend:
        parts.append("straight trend taken out")
    return ", ".join(parts)


def _warnings(grid: _WindowGrid, fit: PlaceboFit, *, n_windows: int, has_season: bool, cut: bool) -> tuple[str, ...]:
    found = {
        "no_control": grid.n_controls == 0,
        "no_season": grid.n_controls == 0 and not has_season,
        "few_windows": n_windows < FEW_WINDOWS,
        "level_break": cut,
        "recent_shift": _recent_shift(fit),
        "trend": fit.has_trend,
    }
    return tuple(name for name, is_on in found.items() if is_on)
