"""Key figures (KPIs) of a period against the previous one and the year before, and as a series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations_with_replacement, product
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.kpis.intervals import PeriodSums, change_interval, difference_interval, value_interval
from opslib.metrics import METRICS, Metric, unit_statistics, unit_values
from opslib.metrics.blocks import Table, with_returns
from opslib.metrics.history import history_days
from opslib.periods import Coverage, Grain, Period, Status, floor_date, next_start, require_grain
from opslib.suppression import counted

KPIS: tuple[str, ...] = (
    "revenue",
    "net_revenue",
    "margin",
    "margin_share",
    "orders",
    "customers",
    "sessions",
    "visitors",
    "conversion",
    "average_order_value",
    "items_per_order",
    "price_per_item",
    "new_customer_share",
    "returning_revenue_share",
    "repeat_rate",
    "guest_order_share",
    "return_rate",
    "refunds",
    "ad_cost",
    "cost_per_order",
)
"""Key figures in the order of the page; those whose table or column a shop lacks are left out."""

#: Columns of order_lines without which a figure cannot be had.
_OF_CUSTOMERS = ("customers", "new_customer_share", "returning_revenue_share", "repeat_rate", "guest_order_share")
_NEEDS = dict.fromkeys(_OF_CUSTOMERS, "customer_id") | {"conversion": "session_id"}
#: Columns of returns without which one cannot.
_NEEDS_KNOWN = {"return_rate": "quantity"} | dict.fromkeys(("refunds", "net_revenue", "margin"), "refund_amount")
_NEEDS_HISTORY = ("new_customer_share", "returning_revenue_share")
_OF_COSTS = ("margin", "margin_share")
UnitOfFigure = Literal["buyer", "visitor", "day"]


def shop_kpis(tables: Mapping[str, Table]) -> tuple[Metric, ...]:
    """The key figures that a shop's tables can answer.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables.

    Returns
    -------
    tuple of Metric
        None for a shop without order lines.
    """
    tables = with_returns(tables)
    columns = tables["order_lines"].columns if "order_lines" in tables else ()
    is_costed = "cost_amount" in columns or ("products" in tables and "cost" in tables["products"].columns)
    returns = tables.get("returns", pd.DataFrame())
    # What some returns lack is not known; only of a frame can be seen here whether it is whole.
    whole = [c for c in returns.columns if not isinstance(returns, pd.DataFrame) or returns[c].notna().all()]
    asked = (
        METRICS[name]
        for name in KPIS
        if _NEEDS.get(name, "order_id") in columns
        and (name not in _NEEDS_KNOWN or "returns" not in tables or _NEEDS_KNOWN[name] in whole)
    )
    known = (metric for metric in asked if is_costed or metric.name not in _OF_COSTS)
    return tuple(metric for metric in known if set(metric.tables) <= set(tables))


def unit_of(metric: Metric) -> UnitOfFigure:
    """Who is taken as independent of each other: buyers, visitors where visits are counted, days of advertising.

    Examples
    --------
    >>> unit_of(METRICS["revenue"]), unit_of(METRICS["conversion"]), unit_of(METRICS["ad_cost"])
    ('buyer', 'visitor', 'day')
    """
    return "day" if "ad_spend" in metric.tables else "visitor" if "sessions" in metric.tables else "buyer"


def _by_unit(metrics: Sequence[Metric]) -> list[tuple[UnitOfFigure, list[Metric]]]:
    units: dict[UnitOfFigure, list[Metric]] = {}
    for metric in metrics:
        units.setdefault(unit_of(metric), []).append(metric)
    return list(units.items())


def compared_periods(period: Period) -> dict[str, Period]:
    """The period, the one before and the same days a year earlier, unless the two are one or the year before overlaps.

    Examples
    --------
    >>> list(compared_periods(Period.parse("2026-10-01", "2026-10-31")))
    ['current', 'previous', 'year_before']
    >>> list(compared_periods(Period.parse("2025-01-01", "2026-06-30")))
    ['current', 'previous']
    """
    periods = {"current": period, "previous": period.previous()}
    year = period.year_before()
    return periods | ({"year_before": year} if year.end < period.start and year != periods["previous"] else {})


def like_period(period: Period, *, coverage: Coverage) -> Period | None:
    """What a period with a season is compared with: the same days a year before where they were seen, else the period before.

    Parameters
    ----------
    period : Period
        Days of interest.
    coverage : Coverage
        Days seen.

    Returns
    -------
    Period or None
        None where none of the two, or the period itself, was seen as a whole.

    Examples
    --------
    >>> from datetime import date
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> like_period(october, coverage=Coverage(date(2025, 1, 1), date(2026, 10, 31))).label
    'Oct 2025'
    >>> like_period(october, coverage=Coverage(date(2026, 1, 1), date(2026, 10, 31))).label
    'Sep 2026'
    """
    _, *others = compared_periods(period).values()
    seen = [other for other in reversed(others) if coverage.status(other) == "complete"]
    return seen[0] if seen and coverage.status(period) == "complete" else None


_FIGURE = ("metric", "title", "unit")
_VALUE = ("status", "value", "value_lower", "value_upper", "n", "n_least")
_CHANGE = ("change_share", "change_share_lower", "change_share_upper")
_POINTS = ("change_points", "change_points_lower", "change_points_upper")
_BY = ("metric", "comparison", "start", "end")
_TABLE = (*_FIGURE, "comparison", "period", "start", "end", "n_days", *_VALUE, *_CHANGE, *_POINTS, "note")
_SERIES = (*_FIGURE, "start", "label", "n_days", *_VALUE)


def current_value(tables: Mapping[str, Table], name: str, *, period: Period, coverage: Coverage) -> float:
    """One key figure of a period; missing where the shop's tables cannot answer it.

    Parameters
    ----------
    tables, period, coverage
        As for `kpi_table`.
    name : str
        Of a metric of the registry.

    Returns
    -------
    float

    Examples
    --------
    >>> from datetime import date
    >>> lines = pd.DataFrame({"order_id": ["1"], "product_id": "a", "customer_id": ["x"], "quantity": 1.0, "unit_price": [8.0],
    ...     "ordered_at": pd.to_datetime(["2026-02-05"]), "cost_amount": [6.0]})
    >>> february = {"period": Period.parse("2026-02-01", "2026-02-28"), "coverage": Coverage(date(2026, 2, 1), date(2026, 2, 28))}
    >>> current_value({"order_lines": lines}, "margin_share", **february)
    0.25
    >>> current_value({"order_lines": lines.drop(columns="cost_amount")}, "margin_share", **february)
    nan
    """
    known = [metric for metric in shop_kpis(tables) if metric.name == name]
    if not known:
        return math.nan
    figures = kpi_table(tables, period=period, coverage=coverage, metrics=known)
    return float(figures.loc[figures["comparison"] == "current", "value"].iloc[0])


def kpi_table(
    tables: Mapping[str, Table], *, period: Period, coverage: Coverage, metrics: Sequence[Metric] = ()
) -> pd.DataFrame:
    """Key figures of a period and of those it is compared with, with intervals clustered by buyer.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables; order_lines at least.
    period : Period
        The period of interest.
    coverage : Coverage
        What the data have seen: decides what is complete, partial or unobserved.
    metrics : sequence of Metric
        Those of `shop_kpis` unless given.

    Returns
    -------
    DataFrame
        One row a figure and period: metric, title, unit, comparison (current, previous, year_before; see `compared_periods`), period
        (label), start, end, n_days, status, value, value_lower, value_upper (of ratios; a total is counted), n (buyers, or visitors
        where visits are counted), n_least (fewest people that the figure speaks of: those with a numerator, or with the rest of the
        denominator), change_share, change_share_lower, change_share_upper (relative, from that period to the current one), of a share
        change_points and its ends instead, note, n_least_now (of the current period). An unobserved period has no value, and there is
        a change only between complete periods. What was spent on advertising is a decision: its change has no interval.

    Examples
    --------
    >>> from datetime import date
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": "a", "customer_id": ["x", "y"], "quantity": 1.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"]), "unit_price": [4.0, 6.0]})
    >>> seen = Coverage(date(2026, 1, 1), date(2026, 2, 28))
    >>> table = kpi_table({"order_lines": lines}, period=Period.parse("2026-02-01", "2026-02-28"), coverage=seen)
    >>> table.loc[table["metric"] == "revenue", ["comparison", "status", "value", "change_share"]].values.tolist()
    [['current', 'complete', 6.0, nan], ['previous', 'complete', 4.0, 0.5], ['year_before', 'unobserved', nan, nan]]
    """
    metrics = tuple(metrics) or shop_kpis(tables)
    periods = compared_periods(period)
    sums: dict[tuple[str, str], dict[str, float]] = {}
    for unit, own in _by_unit(metrics):
        sums |= _sums_by_period(tables, own, periods, unit=unit)
    is_dated = any(metric.name in _NEEDS_HISTORY for metric in metrics)
    history = history_days(tables, coverage=coverage) if is_dated else 0
    rows = []
    for metric in metrics:
        sides = {name: PeriodSums.of(sums[name, metric.name], is_total=metric.is_total) for name in periods}
        notes = {name: _note(metric, sides[name], periods[name], coverage, history) for name in periods}
        for name, other in periods.items():
            row: dict[str, Any] = {"comparison": name, "period": other.label, "n_days": other.n_days}
            row |= {"start": pd.Timestamp(other.start), "end": pd.Timestamp(other.end), "note": notes[name]}
            row |= _figure(metric, sides[name], coverage.status(other), is_hidden=notes[name] in _HIDING)
            row["n_least"] = 0.0 if unit_of(metric) == "day" else _least(sums[name, metric.name])
            is_whole = coverage.status(other) == coverage.status(period) == "complete"
            if name != "current" and is_whole and not {notes[name], notes["current"]} & _HIDING:
                row |= _change(metric, sides[name], sides["current"], sums[name, metric.name])
            rows.append(row)
    table = pd.DataFrame(rows, columns=_TABLE)
    table["n_least_now"] = table["metric"].map(table[table["comparison"] == "current"].set_index("metric")["n_least"])
    return counted(table, ("n_least", "n_least_now"), by=_BY, adds_up=False)


def _change(metric: Metric, before: PeriodSums, after: PeriodSums, products: Mapping[str, float]) -> dict[str, float]:
    """From one period to the next: of a share in points, of all else relative."""
    if metric.unit == "share":
        return dict(zip(_POINTS, difference_interval(before, after, products), strict=True))
    change, *ends = change_interval(before, after, products)
    ends = [float("nan")] * 2 if unit_of(metric) == "day" else ends
    return dict(zip(_CHANGE, (change, *ends), strict=True))


def _sums_by_period(
    tables: Mapping[str, Table], metrics: Sequence[Metric], periods: Mapping[str, Period], *, unit: UnitOfFigure
) -> dict[tuple[str, str], dict[str, float]]:
    """Sums and products over units by period and metric, in one query: one row a buyer, one set of columns a period."""
    sides = {m.name: {"y": "numerator"} if m.is_total else {"y": "numerator", "d": "denominator"} for m in metrics}
    names = [f"{name}_{side}" for name, letters in sides.items() for side in letters.values()]
    values = {label: unit_values(tables, metrics, unit=unit, period=period) for label, period in periods.items()}
    parts = [
        rows.select(rows["unit_id"].cast("string").name("unit_id"), *names, in_period=ibis.literal(label))
        for label, rows in values.items()
    ]
    rows = reduce(lambda left, right: left.union(right), parts)
    columns: dict[str, ir.Value] = {}
    for label in periods:
        here = rows["in_period"] == label
        columns |= {f"{label}__{name}": rows[name].sum(where=here).fill_null(0.0) for name in names}
        columns[f"{label}__n"] = engine.flag(here).max()
    buyers = rows.group_by("unit_id").aggregate(**columns)
    sums: dict[str, ir.Value] = {}
    for label, (name, letters) in product(periods, sides.items()):
        here, now = (
            {letter: buyers[f"{when}__{name}_{side}"] for letter, side in letters.items()}
            for when in (label, "current")
        )
        terms = {"n": buyers[f"{label}__n"], **here}
        terms |= {a + b: here[a] * here[b] for a, b in combinations_with_replacement(letters, 2)}
        terms |= _people(METRICS[name], here["y"], here.get("d"))
        if label != "current":
            terms |= {f"{a}0{b}1": here[a] * now[b] for a, b in product(letters, repeat=2)}
        sums |= {f"{label}__{name}__{key}": term.sum() for key, term in terms.items()}
    found: dict[tuple[str, str], dict[str, float]] = {}
    for column, value in engine.collect(buyers.aggregate(**sums)).fillna(0.0).iloc[0].items():
        label, name, key = str(column).split("__")
        found.setdefault((label, name), {})[key] = float(value)
    return found


def _figure(metric: Metric, side: PeriodSums, status: Status, *, is_hidden: bool = False) -> dict[str, Any]:
    """What a figure is, and its value and interval where its days were seen."""
    ends = (float("nan"),) * 3 if status == "unobserved" or is_hidden else (side.value, *value_interval(side))
    ends = (ends[0], float("nan"), float("nan")) if unit_of(metric) == "day" else ends
    told = {"metric": metric.name, "title": metric.title, "unit": metric.unit, "status": status, "n": int(side.n)}
    return told | dict(zip(("value", "value_lower", "value_upper"), ends, strict=True))


def _people(metric: Metric, y: ir.NumericValue, d: ir.NumericValue | None) -> dict[str, ir.FloatingValue]:
    """Whom a figure speaks of, a row a person: those with a numerator, and those of the rest of its denominator."""
    rest = {} if d is None else {"rest": engine.flag(d != (y if metric.unit == "share" else 0))}
    return {"told": engine.flag(y != 0), **rest}


def _least(sums: Mapping[str, float]) -> float:
    """Fewest people that a figure speaks of: those of its numerator, or of the rest of its denominator."""
    return min((n for name in ("told", "rest") if (n := sums.get(name, 0.0))), default=0.0)


_TOO_YOUNG = "the data begin too late to tell new customers from old ones"
_UNLINKED = "orders do not name their visit"
#: Notes of figures that would mislead: they have no value.
_HIDING = frozenset({_TOO_YOUNG, _UNLINKED})


def _note(metric: Metric, side: PeriodSums, period: Period, coverage: Coverage, history: int) -> str:
    """Why a figure is not known, or is less than it seems."""
    status = coverage.status(period)
    if status == "unobserved":
        return "not observed"
    if metric.name in _NEEDS_HISTORY and (period.start - coverage.first).days < history:
        return _TOO_YOUNG
    if metric.name == "conversion" and not side.y:
        return _UNLINKED
    if status == "partial":
        return f"{coverage.n_observed(period)} of {period.n_days} days observed"
    return "nothing to divide by" if np.isnan(side.value) else ""


def kpi_series(
    tables: Mapping[str, Table], *, grain: Grain, period: Period, coverage: Coverage, metrics: Sequence[Metric] = ()
) -> pd.DataFrame:
    """Key figures per week, month or quarter of a period, each with its interval and status.

    Parameters
    ----------
    tables, coverage, metrics
        As for `kpi_table`.
    grain : {"day", "week", "month", "quarter", "year"}
        Calendar pieces.
    period : Period
        What to cut into pieces; a piece that its ends cut is partial.

    Returns
    -------
    DataFrame
        One row a figure and piece: metric, title, unit, start, label, n_days (observed), status, value, value_lower, value_upper,
        n (buyers), n_least (as in `kpi_table`). An observed piece without sales has revenue 0; an unobserved one has no value.

    Examples
    --------
    >>> from datetime import date
    >>> lines = pd.DataFrame({"order_id": ["1"], "product_id": "a", "customer_id": ["x"], "quantity": 1.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05"]), "unit_price": [4.0]})
    >>> series = kpi_series({"order_lines": lines}, grain="month", period=Period.parse("2026-01-01", "2026-03-31"),
    ...     coverage=Coverage(date(2026, 1, 1), date(2026, 2, 20)), metrics=[METRICS["revenue"]])
    >>> series[["status", "value"]].values.tolist()
    [['complete', 4.0], ['partial', 0.0], ['unobserved', nan]]
    """
    require_grain(grain)
    metrics = tuple(metrics) or tuple(m for m in shop_kpis(tables) if m.name not in _NEEDS_HISTORY)
    found: dict[tuple[str, pd.Timestamp], dict[Any, Any]] = {}
    for unit, own in _by_unit(metrics):
        # A series by day has the day as its key already.
        values = unit_values(tables, own, unit=tuple(dict.fromkeys((unit, grain))), period=period)
        values = values.mutate(**{grain: values["unit_id"]}) if unit == grain else values
        sums = unit_statistics(values, own, by=[grain])
        found |= {(row["metric"], pd.Timestamp(row[grain])): row for row in sums.to_dict("records")}
        people = {
            f"{metric.name}__{side}": flag.sum()
            for metric in own
            for side, flag in _people(
                metric,
                values[f"{metric.name}_numerator"],
                None if metric.is_total else values[f"{metric.name}_denominator"],
            ).items()
        }
        for row in engine.grouped(values, grain, **people).to_dict("records"):
            for column, n in row.items():
                if column != grain:
                    name, side = str(column).split("__")
                    found[name, pd.Timestamp(row[grain])][side] = n
    rows = []
    for metric, piece in product(metrics, period.split(grain)):
        start, n_observed = floor_date(piece.start, grain), coverage.n_observed(piece)
        is_whole = n_observed == (next_start(start, grain) - start).days
        status: Status = "unobserved" if n_observed == 0 else "complete" if is_whole else "partial"
        side = PeriodSums.of(found.get((metric.name, pd.Timestamp(start)), {}), is_total=metric.is_total)
        row = {"start": pd.Timestamp(start), "label": piece.label, "n_days": n_observed}
        row |= _figure(metric, side, status)
        row["n_least"] = 0.0 if unit_of(metric) == "day" else _least(found.get((metric.name, pd.Timestamp(start)), {}))
        rows.append(row)
    return counted(
        pd.DataFrame(rows, columns=_SERIES), "n_least", by=("metric", "start"), adds_up=False, follows=["n_days"]
    )
