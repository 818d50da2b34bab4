"""How many customers of each first-order cohort come back, and what is not yet known."""

from __future__ import annotations

from datetime import date

import ibis
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import line_revenue, order_day, paid
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Grain, Period, floor_date, next_start
from opslib.stats.shares import share


def cohort_retention(
    order_lines: Table,
    *,
    coverage: Coverage,
    grain: Grain = "month",
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of each cohort that orders again 0, 1, 2, ... periods after its first order.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines with a customer count.
    coverage : Coverage
        What the data have seen; orders outside it do not count.
    grain : {"week", "month", "quarter", "year"}
        Length of cohorts and ages.
    level : float
        Coverage of the Wilson intervals (0-1).

    Returns
    -------
    DataFrame
        One row a cohort and age, up to the age that the oldest cohort has at the end: cohort (first day), age,
        period_start, status, n_customers, n_active, retention_share, lower, upper, revenue_amount. Where the period is
        partial, ``n_active`` counts so far and there is no share; where it is unobserved both are missing, never 0.
        Customers of the first cohort may be older than the data.

    Raises
    ------
    ParameterError
        ``grain`` is a day, or unknown.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": "a", "customer_id": ["x", "x"], "quantity": 1.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"]), "unit_price": [4.0, 6.0]})
    >>> seen = Coverage(date(2026, 1, 1), date(2026, 3, 10))
    >>> cohort_retention(lines, coverage=seen)[["age", "status", "n_active", "retention_share"]].values.tolist()
    [[0, 'complete', 1.0, 1.0], [1, 'complete', 1.0, 1.0], [2, 'partial', 0.0, nan]]
    """
    if grain not in ("week", "month", "quarter", "year"):
        raise ParameterError(f"grain: '{grain}' is not one of week, month, quarter, year")
    found = _active(order_lines, coverage, grain)
    if found.empty:
        return pd.DataFrame(columns=[*_COLUMNS])
    starts = _starts(min(found["cohort"]), coverage.last, grain)
    known = {(row["cohort"], row["piece"]): row for row in found.to_dict("records")}
    rows = []
    for position, cohort in enumerate(starts):
        size = known.get((cohort, cohort), {}).get("n_active", 0)
        if not size:
            continue
        for age, start in enumerate(starts[position:]):
            status = coverage.status(Period(start, _last_day(start, grain)))
            cell = known.get((cohort, start), {"n_active": 0, "revenue_amount": 0.0})
            rows.append(_cell(cohort, age, start, status, size, cell, level=level))
        # Ages that younger cohorts have not reached.
        for age in range(len(starts) - position, len(starts)):
            rows.append(_cell(cohort, age, _later(cohort, age, grain), "unobserved", size, {}, level=level))
    return pd.DataFrame(rows)


_COLUMNS = (
    "cohort",
    "age",
    "period_start",
    "status",
    "n_customers",
    "n_active",
    "retention_share",
    "lower",
    "upper",
    "revenue_amount",
)


def _active(order_lines: Table, coverage: Coverage, grain: Grain) -> pd.DataFrame:
    """Active customers and revenue by cohort and calendar piece, one scan."""
    lines = paid(order_lines)
    day = order_day(lines)
    rows = lines.select(customer_id=lines["customer_id"], day=day, amount=line_revenue(lines))
    rows = rows.filter(rows["customer_id"].notnull(), rows["day"] >= coverage.first, rows["day"] <= coverage.last)
    pieces = rows.group_by("customer_id", piece=rows["day"].truncate(grain[0].upper())).aggregate(
        amount=rows["amount"].sum()
    )
    first = pieces["piece"].min().over(ibis.window(group_by="customer_id"))
    pieces = pieces.mutate(cohort=first)
    active = pieces.group_by("cohort", "piece").aggregate(
        n_active=pieces.count(), revenue_amount=pieces["amount"].sum().cast("float64")
    )
    found = engine.collect(active.order_by("cohort", "piece"))
    for column in ("cohort", "piece"):
        found[column] = pd.to_datetime(found[column]).dt.date
    return found


def _cell(
    cohort: date,
    age: int,
    start: date,
    status: str,
    size: int,
    cell: dict,
    *,
    level: float,
) -> dict[str, object]:
    missing = float("nan")
    row = {
        "cohort": pd.Timestamp(cohort),
        "age": age,
        "period_start": pd.Timestamp(start),
        "status": status,
        "n_customers": int(size),
        "n_active": missing,
        "retention_share": missing,
        "lower": missing,
        "upper": missing,
        "revenue_amount": missing,
    }
    if status == "unobserved":
        return row
    row |= {"n_active": float(cell["n_active"]), "revenue_amount": float(cell["revenue_amount"])}
    if status == "complete":
        estimate = share(int(cell["n_active"]), int(size), level=level)
        row |= {"retention_share": estimate.value, "lower": estimate.lower, "upper": estimate.upper}
    return row


def _starts(first: date, last: date, grain: Grain) -> list[date]:
    starts, day = [], floor_date(first, grain)
    while day <= last:
        starts.append(day)
        day = next_start(day, grain)
    return starts


def _last_day(start: date, grain: Grain) -> date:
    return date.fromordinal(next_start(start, grain).toordinal() - 1)


def _later(start: date, age: int, grain: Grain) -> date:
    for _ in range(age):
        start = next_start(start, grain)
    return start
