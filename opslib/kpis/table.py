"""The shop's key figures for a period, beside the one before and the year before, and as a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError, nearest
from opslib.kpis.intervals import Products, Side, change_interval, value_interval
from opslib.metrics import METRICS, Metric, unit_moments, unit_values
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Grain, Period, floor_date, next_start, require_grain

Comparison = Literal["previous", "year_before"]
KPIS: tuple[str, ...] = (
    "revenue",
    "orders",
    "customers",
    "average_order_value",
    "items_per_order",
    "price_per_item",
    "new_customer_share",
    "returning_revenue_share",
    "repeat_rate",
    "guest_order_share",
    "return_rate",
    "refund_share",
    "margin_share",
)
"""Key figures in the order of the page; those whose table or column a shop lacks are left out."""

#: Figures that cannot be had without a column of order_lines.
_NEEDS: dict[str, tuple[str, ...]] = {
    "customer_id": (
        "customers",
        "new_customer_share",
        "returning_revenue_share",
        "repeat_rate",
        "guest_order_share",
    ),
    "cost_amount": ("margin_share",),
}
_NEEDS_HISTORY = ("new_customer_share", "returning_revenue_share")
#: Days of earlier data below which an old customer may pass for a new one.
HISTORY_DAYS = 90


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
    if "order_lines" not in tables:
        return ()
    lacking = {column for column in _NEEDS if column not in tables["order_lines"].columns}
    left_out = {name for column in lacking for name in _NEEDS[column]}
    metrics = (METRICS[name] for name in KPIS if name not in left_out)
    return tuple(metric for metric in metrics if set(metric.tables) <= set(tables))


_ROW = ("metric", "title", "unit", "status", "value", "lower", "upper", "n")
_TABLE = (
    *_ROW,
    "comparison",
    "period",
    "start",
    "end",
    "n_days",
    "change_share",
    "change_lower",
    "change_upper",
    "note",
)
_SERIES = (*_ROW, "start", "label", "n_days")


def kpi_table(
    tables: Mapping[str, Table],
    *,
    period: Period,
    coverage: Coverage,
    metrics: Sequence[Metric] = (),
    compare: Sequence[Comparison] = ("previous", "year_before"),
    level: float = 0.95,
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
    compare : sequence of {"previous", "year_before"}
        Periods to compare with.
    level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    DataFrame
        One row a figure and period: metric, title, unit, comparison (current, previous, year_before), period (label),
        start, end, n_days, status, value, lower, upper (of ratios; a total is counted), n (buyers), change_share,
        change_lower, change_upper (from that period to the current one), note. An unobserved period has no value,
        and there is a change only between complete periods.

    Raises
    ------
    ParameterError
        An unknown comparison.

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
    for name in compare:
        if name not in ("previous", "year_before"):
            raise ParameterError(f"compare: '{name}' is not known; {nearest(name, ('previous', 'year_before'))}")
    metrics = tuple(metrics) or shop_kpis(tables)
    if not metrics:
        return pd.DataFrame(columns=list(_TABLE))
    periods = {"current": period} | {name: getattr(period, name)() for name in compare}
    sums = _moments(tables, metrics, periods)
    rows = []
    for metric in metrics:
        sides = {name: _side(sums, metric, name) for name in periods}
        for name, other in periods.items():
            row = _value_row(metric, name, other, sides[name], coverage=coverage, level=level)
            if name != "current":
                products = _products(sums, metric, name)
                row |= _change_row(sides, name, products, periods=periods, coverage=coverage, level=level)
            rows.append(row)
    return pd.DataFrame(rows)


def _moments(
    tables: Mapping[str, Table],
    metrics: Sequence[Metric],
    periods: Mapping[str, Period],
) -> dict[str, float]:
    """All sums and products over buyers in one query: one row a buyer, one set of columns a period."""
    names = [f"{m.name}_{side}" for m in metrics for side in ("numerator", "denominator") if _has(m, side)]
    values = {label: unit_values(tables, metrics, unit="buyer", period=period) for label, period in periods.items()}
    parts = [table.select("unit_id", *names, in_period=ibis.literal(label)) for label, table in values.items()]
    rows = reduce(lambda left, right: left.union(right), parts)
    columns: dict[str, ir.Value] = {}
    for label in periods:
        here = rows["in_period"] == label
        columns |= {f"{label}__{name}": rows[name].sum(where=here).fill_null(0.0) for name in names}
        columns[f"{label}__n"] = engine.flag(here).max()
    buyers = rows.group_by("unit_id").aggregate(**columns)
    sums = {f"{label}__n": buyers[f"{label}__n"].sum() for label in periods}
    for metric in metrics:
        sums |= _sums_of(buyers, metric, periods)
    row = engine.collect(buyers.aggregate(**sums)).fillna(0.0).iloc[0]
    return {str(name): float(value) for name, value in row.items()}


def _has(metric: Metric, side: str) -> bool:
    return side == "numerator" or not metric.is_total


def _sums_of(buyers: ir.Table, metric: Metric, periods: Mapping[str, Period]) -> dict[str, ir.Value]:
    """Sums of one metric in each period, and the products with the current one."""
    sums: dict[str, ir.Value] = {}
    letters = {"y": "numerator"} | ({} if metric.is_total else {"d": "denominator"})
    column = {
        (label, letter): buyers[f"{label}__{metric.name}_{side}"]
        for label in periods
        for letter, side in letters.items()
    }
    for label in periods:
        key = f"{label}__{metric.name}__"
        for i, a in enumerate(letters):
            sums[key + a] = column[label, a].sum()
            for b in list(letters)[i:]:
                sums[key + a + b] = (column[label, a] * column[label, b]).sum()
        if label != "current":
            for a in letters:
                for b in letters:
                    sums[f"{key}{a}0{b}1"] = (column[label, a] * column["current", b]).sum()
    return sums


def _side(sums: Mapping[str, float], metric: Metric, label: str) -> Side:
    key = f"{label}__{metric.name}__"
    names = ("y", "yy") if metric.is_total else ("y", "yy", "d", "dd", "yd")
    return Side(n=sums[f"{label}__n"], **{name: sums[key + name] for name in names})


def _products(sums: Mapping[str, float], metric: Metric, label: str) -> Products:
    key = f"{label}__{metric.name}__"
    names = ("y0y1",) if metric.is_total else ("y0y1", "y0d1", "d0y1", "d0d1")
    return Products(**{name: sums[key + name] for name in names})


def _value_row(
    metric: Metric,
    name: str,
    period: Period,
    side: Side,
    *,
    coverage: Coverage,
    level: float,
) -> dict[str, Any]:
    status, note = coverage.status(period), ""
    value, (lower, upper) = side.value, value_interval(side, level=level)
    n_history = (period.start - coverage.first).days
    if status == "partial":
        note = f"{coverage.n_observed(period)} of {period.n_days} days observed"
    if metric.name in _NEEDS_HISTORY and n_history <= 0:
        value, lower, upper, note = (float("nan"),) * 3 + ("no earlier data: every customer would look new",)
    elif metric.name in _NEEDS_HISTORY and n_history < HISTORY_DAYS:
        note = f"only {n_history} days of earlier data: older customers look new"
    if status == "unobserved":
        value, lower, upper, note = (float("nan"),) * 3 + ("not observed",)
    if np.isnan(value) and not note:
        note = "nothing to divide by"
    return {
        "metric": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "comparison": name,
        "period": period.label,
        "start": pd.Timestamp(period.start),
        "end": pd.Timestamp(period.end),
        "n_days": period.n_days,
        "status": status,
        "value": value,
        "lower": lower,
        "upper": upper,
        "n": int(side.n),
        "change_share": float("nan"),
        "change_lower": float("nan"),
        "change_upper": float("nan"),
        "note": note,
    }


def _change_row(
    sides: Mapping[str, Side],
    name: str,
    products: Products,
    *,
    periods: Mapping[str, Period],
    coverage: Coverage,
    level: float,
) -> dict[str, float]:
    """Change from a complete period to a complete current one; nothing otherwise."""
    if {coverage.status(periods[label]) for label in ("current", name)} != {"complete"}:
        return {}
    change = change_interval(sides[name], sides["current"], products, level=level)
    return dict(zip(("change_share", "change_lower", "change_upper"), change, strict=True))


def kpi_series(
    tables: Mapping[str, Table],
    *,
    grain: Grain,
    period: Period,
    coverage: Coverage,
    metrics: Sequence[Metric] = (),
    level: float = 0.95,
) -> pd.DataFrame:
    """Key figures per week, month or quarter of a period, each with its interval and status.

    Parameters
    ----------
    tables, coverage, metrics, level
        As for `kpi_table`.
    grain : {"day", "week", "month", "quarter", "year"}
        Calendar pieces.
    period : Period
        What to cut into pieces; a piece that its ends cut is partial.

    Returns
    -------
    DataFrame
        One row a figure and piece: metric, title, unit, start, label, n_days (observed), status, value, lower, upper,
        n (buyers). An observed piece without sales has revenue 0; an unobserved one has no value.

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
    if not metrics:
        return pd.DataFrame(columns=list(_SERIES))
    values = unit_values(tables, metrics, unit=("buyer", grain), period=period)
    sums = unit_moments(values, metrics, by=[grain])
    sums[grain] = pd.to_datetime(sums[grain]).dt.date
    names = ["n", "y", "yy", "d", "dd", "yd"]
    found = {
        key: dict(zip(names, values, strict=True))
        for key, values in zip(zip(sums["metric"], sums[grain], strict=True), sums[names].to_numpy(), strict=True)
    }
    rows = []
    for metric in metrics:
        for piece in period.split(grain):
            row = found.get((metric.name, floor_date(piece.start, grain)), dict.fromkeys(names, 0.0))
            rows.append(_piece_row(metric, piece, grain, row, coverage=coverage, level=level))
    return pd.DataFrame(rows)


def _piece_row(
    metric: Metric,
    piece: Period,
    grain: Grain,
    sums: Mapping[str, float],
    *,
    coverage: Coverage,
    level: float,
) -> dict[str, Any]:
    start = floor_date(piece.start, grain)
    n_calendar = (next_start(start, grain) - start).days
    n_observed = coverage.n_observed(piece)
    status = "unobserved" if n_observed == 0 else "complete" if n_observed == n_calendar else "partial"
    names = ("n", "y", "yy") if metric.is_total else ("n", "y", "yy", "d", "dd", "yd")
    side = Side(**{name: sums[name] for name in names})
    value, (lower, upper) = side.value, value_interval(side, level=level)
    if status == "unobserved":
        value = lower = upper = float("nan")
    return {
        "metric": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "start": pd.Timestamp(start),
        "label": piece.label,
        "n_days": n_observed,
        "status": status,
        "value": value,
        "lower": lower,
        "upper": upper,
        "n": int(side.n),
    }
