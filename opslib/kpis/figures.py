"""Key figures (KPIs) of a period against the previous one and the year before, and as a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations_with_replacement, product
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.kpis.intervals import PeriodSums, change_interval, value_interval
from opslib.metrics import METRICS, Metric, unit_statistics, unit_values
from opslib.metrics.blocks import Table, with_returns
from opslib.periods import Coverage, Grain, Period, Status, floor_date, next_start, require_grain
from opslib.privacy import SUPPRESSED
from opslib.suppression import counted, suppressed

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

#: Columns of order_lines without which a figure cannot be had.
_OF_CUSTOMERS = ("customers", "new_customer_share", "returning_revenue_share", "repeat_rate", "guest_order_share")
_NEEDS = dict.fromkeys(_OF_CUSTOMERS, "customer_id") | {"margin_share": "cost_amount"}
#: Columns of returns without which one cannot.
_NEEDS_KNOWN = {"return_rate": "quantity", "refund_share": "refund_amount"}
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
    tables = with_returns(tables)
    columns = tables["order_lines"].columns if "order_lines" in tables else ()
    returns = tables.get("returns", pd.DataFrame())
    # What some returns lack is not known; only of a frame can be seen here whether it is whole.
    known = [c for c in returns.columns if not isinstance(returns, pd.DataFrame) or returns[c].notna().all()]
    asked = [
        METRICS[name]
        for name in KPIS
        if _NEEDS.get(name, "order_id") in columns and (name not in _NEEDS_KNOWN or _NEEDS_KNOWN[name] in known)
    ]
    return tuple(metric for metric in asked if set(metric.tables) <= set(tables))


_FIGURE = ("metric", "title", "unit")
_VALUE = ("status", "value", "value_lower", "value_upper", "n", "n_least")
_CHANGE = ("change_share", "change_share_lower", "change_share_upper")
_BY = ("metric", "comparison", "start", "end")
_TABLE = (*_FIGURE, "comparison", "period", "start", "end", "n_days", *_VALUE, *_CHANGE, "note")
_SERIES = (*_FIGURE, "start", "label", "n_days", *_VALUE)


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
        One row a figure and period: metric, title, unit, comparison (current, previous, year_before), period (label),
        start, end, n_days, status, value, value_lower, value_upper (of ratios; a total is counted), n (buyers), n_least (fewest
        people that the figure speaks of: buyers with a numerator, or with the rest of the denominator), change_share, change_share_lower,
        change_share_upper (from that period to the current one), note, n_least_now (of the current period). An unobserved period has no value,
        and there is a change only between complete periods.

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
    periods = {"current": period, "previous": period.previous(), "year_before": period.year_before()}
    sums = _sums_by_period(tables, metrics, periods) if metrics else {}
    is_whole = {name: coverage.status(other) == "complete" for name, other in periods.items()}
    rows = []
    for metric in metrics:
        sides = {name: PeriodSums.of(sums[name, metric.name], is_total=metric.is_total) for name in periods}
        for name, other in periods.items():
            row: dict[str, Any] = {"comparison": name, "period": other.label, "n_days": other.n_days}
            row |= {"start": pd.Timestamp(other.start), "end": pd.Timestamp(other.end)}
            row |= _figure(metric, sides[name], coverage.status(other))
            row |= _noted(metric, sides[name], other, coverage)
            row["n_least"] = _least(sums[name, metric.name])
            if name != "current" and is_whole[name] and is_whole["current"]:
                change = change_interval(sides[name], sides["current"], sums[name, metric.name])
                row |= dict(zip(_CHANGE, change, strict=True))
            rows.append(row)
    table = pd.DataFrame(rows, columns=_TABLE)
    table["n_least_now"] = table["metric"].map(table[table["comparison"] == "current"].set_index("metric")["n_least"])
    return counted(table, ("n_least", "n_least_now"), by=_BY, adds_up=False)


def _sums_by_period(
    tables: Mapping[str, Table], metrics: Sequence[Metric], periods: Mapping[str, Period]
) -> dict[tuple[str, str], dict[str, float]]:
    """Sums and products over buyers by period and metric, in one query: one row a buyer, one set of columns a period."""
    sides = {m.name: {"y": "numerator"} if m.is_total else {"y": "numerator", "d": "denominator"} for m in metrics}
    names = [f"{name}_{side}" for name, letters in sides.items() for side in letters.values()]
    values = {label: unit_values(tables, metrics, unit="buyer", period=period) for label, period in periods.items()}
    parts = [rows.select("unit_id", *names, in_period=ibis.literal(label)) for label, rows in values.items()]
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
        terms |= {"told": engine.flag(here["y"] != 0)}
        terms |= (
            {"rest": engine.flag(here["d"] != (here["y"] if METRICS[name].unit == "share" else 0))}
            if "d" in here
            else {}
        )
        if label != "current":
            terms |= {f"{a}0{b}1": here[a] * now[b] for a, b in product(letters, repeat=2)}
        sums |= {f"{label}__{name}__{key}": term.sum() for key, term in terms.items()}
    found: dict[tuple[str, str], dict[str, float]] = {}
    for column, value in engine.collect(buyers.aggregate(**sums)).fillna(0.0).iloc[0].items():
        label, name, key = str(column).split("__")
        found.setdefault((label, name), {})[key] = float(value)
    return found


def _figure(metric: Metric, side: PeriodSums, status: Status) -> dict[str, Any]:
    """What a figure is, and its value and interval where its days were seen."""
    ends = (float("nan"),) * 3 if status == "unobserved" else (side.value, *value_interval(side))
    told = {"metric": metric.name, "title": metric.title, "unit": metric.unit, "status": status, "n": int(side.n)}
    told["n_least"] = int(side.n)
    return told | dict(zip(("value", "value_lower", "value_upper"), ends, strict=True))


def _least(sums: Mapping[str, float]) -> float:
    """Fewest people that a figure speaks of: those of its numerator, or of the rest of its denominator."""
    return min((n for name in ("told", "rest") if (n := sums.get(name, 0.0))), default=0.0)


def _noted(metric: Metric, side: PeriodSums, period: Period, coverage: Coverage) -> dict[str, Any]:
    """Why a figure is not known, or is less than it seems: the note, and no value where it would mislead."""
    status, n_history = coverage.status(period), (period.start - coverage.first).days
    if status == "unobserved":
        return {"note": "not observed"}
    if metric.name in _NEEDS_HISTORY and n_history <= 0:
        hidden = dict.fromkeys(("value", "value_lower", "value_upper"), float("nan"))
        return hidden | {"note": "no earlier data: every customer would look new"}
    if metric.name in _NEEDS_HISTORY and n_history < HISTORY_DAYS:
        return {"note": f"only {n_history} days of earlier data: older customers look new"}
    if status == "partial":
        return {"note": f"{coverage.n_observed(period)} of {period.n_days} days observed"}
    return {"note": "nothing to divide by" if np.isnan(side.value) else ""}


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
        n (buyers), n_least (the same). An observed piece without sales has revenue 0; an unobserved one has no value.

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
    if metrics:
        sums = unit_statistics(unit_values(tables, metrics, unit=("buyer", grain), period=period), metrics, by=[grain])
        found = {(row["metric"], pd.Timestamp(row[grain])): row for row in sums.to_dict("records")}
    rows = []
    for metric, piece in product(metrics, period.split(grain)):
        start, n_observed = floor_date(piece.start, grain), coverage.n_observed(piece)
        is_whole = n_observed == (next_start(start, grain) - start).days
        status: Status = "unobserved" if n_observed == 0 else "complete" if is_whole else "partial"
        side = PeriodSums.of(found.get((metric.name, pd.Timestamp(start)), {}), is_total=metric.is_total)
        row = {"start": pd.Timestamp(start), "label": piece.label, "n_days": n_observed}
        rows.append(row | _figure(metric, side, status))
    return counted(
        pd.DataFrame(rows, columns=_SERIES), "n_least", by=("metric", "start"), adds_up=False, follows=["n_days"]
    )


def kpi_summary(kpis: pd.DataFrame) -> pd.DataFrame:
    """One row a figure: where it stands, and its change against each comparison period.

    Parameters
    ----------
    kpis : DataFrame
        From `kpi_table`.

    Returns
    -------
    DataFrame
        figure, value, value_lower, value_upper, unit, then for ``previous`` and ``year_before``, as far as compared: the
        value under its name, and ``<name>_change`` with ``_lower`` and ``_upper``.

    Examples
    --------
    >>> one = {"metric": "orders", "title": "Orders", "unit": "count", "value_lower": None, "value_upper": None, "status": "complete"}
    >>> rows = [{**one, "comparison": "current", "value": 3.0}, {**one, "comparison": "previous", "value": 2.0,
    ...     "change_share": 0.5, "change_share_lower": -0.2, "change_share_upper": 1.2}]
    >>> kpi_summary(pd.DataFrame(rows))[["figure", "value", "previous_change"]].values.tolist()
    [['Orders', 3.0, 0.5]]
    """
    kpis = suppressed(kpis)
    current = kpis[kpis["comparison"] == "current"].set_index("metric")
    summary = current[["title", "value", "value_lower", "value_upper", "unit"]].rename(columns={"title": "figure"})
    for name in ("previous", "year_before"):
        other = kpis[(kpis["comparison"] == name) & (kpis["status"] != "unobserved")].set_index("metric")
        if other.empty:
            continue
        summary[name] = other["value"]
        for end, column in (("", "change_share"), ("_lower", "change_share_lower"), ("_upper", "change_share_upper")):
            summary[f"{name}_change{end}"] = other[column]
    if SUPPRESSED in kpis:
        summary[SUPPRESSED] = kpis.groupby("metric")[SUPPRESSED].any()
    return summary.reset_index(drop=True)


def summary_heads(summary: pd.DataFrame, *, period: Period) -> dict[str, str]:
    """Heads of the columns of a summary that are there: figure, value and the periods that were compared, by their label.

    Examples
    --------
    >>> summary_heads(pd.DataFrame(columns=["figure", "value", "previous"]), period=Period.parse("2026-02-01", "2026-02-28"))
    {'figure': 'Figure', 'value': 'Feb 2026', 'previous': 'Jan 2026'}
    """
    heads = {"figure": "Figure", "value": period.label, "previous": period.previous().label}
    heads["year_before"] = period.year_before().label
    return {name: head for name, head in heads.items() if name in summary}


def comparisons(kpis: pd.DataFrame) -> list[str]:
    """Earlier periods that figures could be compared with: ``previous``, ``year_before``."""
    return sorted(set(kpis.loc[kpis["change_share"].notna(), "comparison"]))


def change_ends(kpis: pd.DataFrame, *, metric: str, comparison: str) -> tuple[float, float]:
    """A metric in the earlier period and now; missing where it is not known."""
    values = kpis[kpis["metric"] == metric].set_index("comparison")["value"].astype("float64")
    return float(values.get(comparison, np.nan)), float(values.get("current", np.nan))
