"""What is asked, and whether it happened: a figure of two periods against chance, calendar, season and gaps in the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from opslib.errors import NotAvailableError, ParameterError, nearest
from opslib.kpis import kpi_table, like_period, shop_kpis
from opslib.kpis.figures import unit_of
from opslib.metrics import METRICS, Metric, unit_statistics, unit_values
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Period
from opslib.stats.daily_series import long_run_variance, weekday_factors

Verdict = Literal["real", "season unknown", "season", "chance", "data", "unknown"]
Z = 1.959964
_HEADS = ("visitors", "customers")
"""Figures that count people alone, so have no parts: what they do is asked first."""
MOST_MISSING = 0.1
"""Share of a period's days that may be missing before its figure is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A figure, the period in which it moved and the one before.

    Parameters
    ----------
    metric : Metric or None
        None where the shop has no figure that can be compared.
    period, baseline : Period
        After and before; without a baseline (None) nothing is asked.
    """

    metric: Metric | None
    period: Period
    baseline: Period | None

    @property
    def sentence(self) -> str:
        """What is compared with what, in one line."""
        if self.metric is None or self.baseline is None:
            return "Nothing earlier was seen as a whole."
        return f"{self.metric.title}, compared with {self.baseline.label}."

    def if_moved(self, change: FigureChange) -> Question:
        """The question where the figure moved beyond chance; else one without a baseline, of which nothing is taken apart."""
        return self if change.is_beyond_chance else replace(self, baseline=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureChange:
    """A figure before and after, and what its change may be beside a change of the shop.

    Attributes
    ----------
    verdict : str
        "real"; "season unknown" (beyond chance, and no earlier year says whether it comes every year); "season" (it came a
        year earlier as well); "chance"; "data" (too many days are missing); "unknown" (nothing to compare).
    before, after : float
        In the metric's unit.
    change, lower, upper : float
        Relative change with its interval; of a share in points (0.01 = one point).
    error : float
        Standard error of the logarithm of after over before.
    calendar : float
        Relative change that the number of days and weekdays alone would bring.
    season : float
        Relative change of the same two periods a year earlier; missing where they were not seen.
    n_before, n_after : int
        People behind the figure.
    n_missing : int
        Days of both periods without data.
    variation : float
        Squared coefficient of variation of one person, from which the size of a test follows (`stats.power.needed_units`).
    """

    verdict: Verdict
    before: float = math.nan
    after: float = math.nan
    change: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    error: float = math.nan
    calendar: float = 0.0
    season: float = math.nan
    n_before: int = 0
    n_after: int = 0
    n_missing: int = 0
    variation: float = math.nan

    @property
    def is_beyond_chance(self) -> bool:
        """Whether it is worth asking where it comes from."""
        return self.verdict in ("real", "season unknown")


def choose_question(
    tables: Mapping[str, Table],
    *,
    metric: str = "",
    baseline_start: str = "",
    baseline_end: str = "",
    period: Period,
    coverage: Coverage,
) -> Question:
    """The figure that is looked into, and what it is compared with.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables.
    metric : str
        A key figure; '': the one that moved furthest in standard errors against the like period.
    baseline_start, baseline_end : str
        First and last day that it is compared with; '': the same days of the year before where they were seen, else the period before.
    period : Period
        When it moved.
    coverage : Coverage
        Days seen.

    Returns
    -------
    Question

    Raises
    ------
    ParameterError
        No such metric, or the periods overlap.
    NotAvailableError
        The shop's tables cannot answer the metric.

    Examples
    --------
    >>> from datetime import date
    >>> lines = pd.DataFrame({"order_id": ["1"], "product_id": "a", "quantity": 1.0, "ordered_at": pd.to_datetime(["2026-01-05"]), "unit_price": 4.0})
    >>> asked = choose_question({"order_lines": lines}, metric="revenue", period=Period.parse("2026-02-01", "2026-02-28"),
    ...     coverage=Coverage(date(2026, 1, 1), date(2026, 2, 28)))
    >>> asked.metric.name, asked.baseline.label
    ('revenue', 'Jan 2026')
    """
    chosen = Period.parse(baseline_start, baseline_end) if baseline_start or baseline_end else None
    baseline = chosen or like_period(period, coverage=coverage)
    if baseline and baseline.start <= period.end and period.start <= baseline.end:
        raise ParameterError(f"baseline: {baseline.label} overlaps {period.label}; choose periods apart")
    if metric and metric not in METRICS:
        raise ParameterError(f"metric: '{metric}' is no figure of the registry; {nearest(metric, METRICS)}")
    known = shop_kpis(tables)
    if not metric:
        return Question(metric=_furthest(tables, known, period, coverage), period=period, baseline=baseline)
    asked = METRICS[metric]
    if known and asked not in known:
        raise NotAvailableError(", ".join(asked.tables), f"how {asked.title.lower()} moved")
    return Question(metric=asked if known else None, period=period, baseline=baseline)


def _furthest(
    tables: Mapping[str, Table], known: tuple[Metric, ...], period: Period, coverage: Coverage
) -> Metric | None:
    """The key figure whose change is the most standard errors wide."""
    people = [metric for metric in known if unit_of(metric) != "day" and metric.name not in _HEADS]
    if not people:
        return None
    figures = kpi_table(tables, period=period, coverage=coverage, metrics=people)
    like = figures[figures["comparison"] != "current"].copy()
    change, lower, upper = (
        like[f"change_points{end}"].fillna(like[f"change_share{end}"]) for end in ("", "_lower", "_upper")
    )
    like["width"] = change.abs() / (upper - lower)
    # The year before stands last and, where it was seen, is what a shop with a season compares with.
    like = like.dropna(subset=["width"]).drop_duplicates("metric", keep="last")
    best = like.sort_values("width", ascending=False, kind="stable")["metric"]
    return METRICS[best.iloc[0]] if len(best) else people[0]


def measured_change(
    tables: Mapping[str, Table], course: pd.DataFrame, *, question: Question, coverage: Coverage
) -> FigureChange:
    """Whether the figure moved by more than chance, calendar and season explain, and whether its data are whole.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables.
    course : DataFrame
        From `daily_course`: every day seen.
    question : Question
        Figure and periods.
    coverage : Coverage
        Days seen.

    Returns
    -------
    FigureChange

    Notes
    -----
    Two errors are worked out, and the larger one counts: of people as they happened to come (delta method, both periods apart)
    and of days as they swing (long-run variance of the weekday-adjusted daily values).

    Examples
    --------
    >>> measured_change({}, pd.DataFrame(), question=Question(metric=None, period=Period.parse("2026-02-01", "2026-02-28"), baseline=None),
    ...     coverage=None).verdict
    'unknown'
    """
    metric, baseline = question.metric, question.baseline
    if metric is None or baseline is None:
        return FigureChange(verdict="unknown")
    before, after = (_side(tables, metric, part, course) for part in (baseline, question.period))
    n_missing = sum(part.n_days - coverage.n_observed(part) for part in (baseline, question.period))
    known: dict[str, Any] = {
        "before": before.value, "after": after.value, "n_before": before.n, "n_after": after.n, "n_missing": n_missing,
        "variation": before.variation, "error": math.hypot(before.error, after.error),
    }  # fmt: skip
    if not (before.value > 0 and after.value > 0):
        return FigureChange(verdict="unknown", **known)
    calendar = _calendar(course, question)
    log = math.log(after.value / before.value)
    error = math.hypot(before.error, after.error)
    season, season_error = _season(tables, course, question, coverage)
    is_clear = abs(log - calendar) > Z * error
    is_as_before = abs(log - season) <= Z * math.hypot(error, season_error)
    verdict: Verdict = (
        "data" if any(part.n_days - coverage.n_observed(part) > MOST_MISSING * part.n_days for part in (baseline, question.period))
        else "chance" if not is_clear
        else "season unknown" if math.isnan(season)
        else "season" if is_as_before and season != 0.0
        else "real"
    )  # fmt: skip
    ends = [math.expm1(log + sign * Z * error) for sign in (0, -1, 1)]
    if metric.unit == "share":
        middle = (before.value + after.value) / 2
        ends = [after.value - before.value + sign * Z * error * middle for sign in (0, -1, 1)]
    return FigureChange(
        verdict=verdict, change=ends[0], lower=ends[1], upper=ends[2], calendar=math.expm1(calendar), season=math.expm1(season), **known
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Side:
    value: float
    error: float  # standard error of its logarithm
    n: int
    variation: float = math.nan


def _side(tables: Mapping[str, Table], metric: Metric, part: Period, course: pd.DataFrame) -> _Side:
    """A figure of one period with the larger of its two errors."""
    rows = unit_statistics(unit_values(tables, [metric], unit=unit_of(metric), period=part), [metric])
    if rows.empty or not rows["y"].iloc[0] > 0:
        return _Side(math.nan, math.nan, 0)
    row = rows.iloc[0]
    y, d = float(row["y"]), 1.0 if metric.is_total else float(row["d"])
    value = y / d
    spread = row["yy"] if metric.is_total else row["yy"] - 2 * value * row["yd"] + value**2 * row["dd"]
    people = float(spread) / y**2
    level = course["adjusted"].to_numpy(float)
    inside = course["day"].between(pd.Timestamp(part.start), pd.Timestamp(part.end)).to_numpy()
    mean, n_days = np.nanmean(level[inside]), int(np.isfinite(level[inside]).sum())
    days = long_run_variance(level / np.nanmean(level)) / n_days * (np.nanmean(level) / mean) if mean > 0 else 0.0
    return _Side(value, math.sqrt(max(people, float(days))), int(row["n"]), people * float(row["n"]))


def _calendar(course: pd.DataFrame, question: Question) -> float:
    """Logarithm of the change that the number of days and of each weekday alone would bring."""
    assert question.metric is not None
    assert question.baseline is not None
    weekdays = course["day"].dt.dayofweek.to_numpy()
    factors = np.nan_to_num(weekday_factors(course["value"].to_numpy(float), weekdays), nan=0.0)
    sums = []
    for part in (question.baseline, question.period):
        days = pd.date_range(part.start, part.end)
        weights = factors[days.dayofweek]
        sums.append(weights.sum() if question.metric.is_total else weights.mean())
    return math.log(sums[1] / sums[0]) if min(sums) > 0 else 0.0


def _season(
    tables: Mapping[str, Table], course: pd.DataFrame, question: Question, coverage: Coverage
) -> tuple[float, float]:
    """Logarithm of the same change a year earlier with its error; 0 where the year before is what is compared with."""
    assert question.metric is not None
    assert question.baseline is not None
    earlier, later = question.baseline.year_before(), question.period.year_before()
    if later == question.baseline:
        return 0.0, 0.0
    if any(coverage.status(part) != "complete" for part in (earlier, later)):
        return math.nan, math.nan
    before, after = (_side(tables, question.metric, part, course) for part in (earlier, later))
    return math.log(after.value / before.value), math.hypot(before.error, after.error)
