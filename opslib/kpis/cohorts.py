"""Cohort retention: share of each first-order cohort that orders again, unobserved ages left out."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import accumulate, pairwise
from typing import Any

import ibis
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import line_revenue, order_day, paid
from opslib.metrics.blocks import Table
from opslib.metrics.measured_rows import first_orders
from opslib.periods import Coverage, Grain, Period, next_start
from opslib.stats.shares import share
from opslib.suppression import of_people

_COLUMNS = [
    "cohort",
    "age",
    "period_start",
    "status",
    "n_customers",
    "n_active",
    "retention_share",
    "retention_share_lower",
    "retention_share_upper",
]
_COLUMNS += ["revenue_amount"]


@of_people(("n_customers", "n_active"), by=("cohort", "period_start"), follows=("age",))
def cohort_retention(
    order_lines: Table, *, coverage: Coverage, grain: Grain = "month", customers: Table | None = None, history: int = 0
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
    customers : customers or None
        Who was first seen before the data begin belongs to no cohort.
    history : int
        Days of earlier data that a cohort needs, from `history_days`: older customers would pass for new ones.

    Returns
    -------
    DataFrame
        One row a cohort and age, up to the age that the oldest cohort has at the end: cohort (first day), age,
        period_start, status, n_customers, n_active, retention_share, lower, upper, revenue_amount. Where the period is
        partial, ``n_active`` counts so far and there is no share; where it is unobserved both are missing, never 0.
        Without ``customers`` and ``history`` those of the first cohorts may be older than the data.

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
    found = _active(order_lines, coverage, grain, customers)
    if history:
        found = found[found["cohort"] >= pd.Timestamp(coverage.first + timedelta(days=history))]
    counted: dict[tuple[date, date], tuple[int, float]] = {
        (cohort.date(), piece.date()): (n_active, revenue)
        for cohort, piece, n_active, revenue in found.itertuples(index=False, name=None)
    }
    first, _ = min(counted, default=(coverage.first, coverage.first))
    n_ages = len(Period(first, coverage.last).split(grain)) if counted else 0
    starts = list(accumulate(range(2 * n_ages), lambda start, _: next_start(start, grain), initial=first))
    pieces = [Period(start, after - timedelta(days=1)) for start, after in pairwise(starts)]
    rows = []
    for position, cohort in enumerate(starts[:n_ages]):
        size, _ = counted.get((cohort, cohort), (0, 0.0))
        # Ages that younger cohorts have not reached are unobserved.
        for age, piece in enumerate(pieces[position : position + n_ages] if size else []):
            status = coverage.status(piece)
            row: dict[str, Any] = {
                "cohort": pd.Timestamp(cohort),
                "age": age,
                "period_start": pd.Timestamp(piece.start),
            }
            row |= {"status": status, "n_customers": int(size)}
            n_active, revenue = counted.get((cohort, piece.start), (0, 0.0))
            if status != "unobserved":
                row |= {"n_active": float(n_active), "revenue_amount": float(revenue)}
            if status == "complete":
                estimate = share(int(n_active), int(size))
                row |= {
                    "retention_share": estimate.value,
                    "retention_share_lower": estimate.lower,
                    "retention_share_upper": estimate.upper,
                }
            rows.append(row)
    return pd.DataFrame(rows, columns=_COLUMNS)


def _active(order_lines: Table, coverage: Coverage, grain: Grain, customers: Table | None) -> pd.DataFrame:
    """Active customers and revenue by cohort and calendar piece, one scan."""
    lines = paid(order_lines)
    rows = lines.select("customer_id", day=order_day(lines), amount=line_revenue(lines))
    rows = rows.filter(rows["customer_id"].notnull(), rows["day"] >= coverage.first, rows["day"] <= coverage.last)
    if customers is not None:
        firsts = first_orders(rows, {"customers": engine.as_table(customers)})
        rows = rows.anti_join(firsts.filter(firsts["is_known_before"]), rows["customer_id"] == firsts["first_id"])
    pieces = rows.group_by("customer_id", piece=rows["day"].truncate(grain[0].upper())).aggregate(
        amount=rows["amount"].sum()
    )
    pieces = pieces.mutate(cohort=pieces["piece"].min().over(ibis.window(group_by="customer_id")))
    return engine.grouped(
        pieces, ["cohort", "piece"], n_active=pieces.count(), revenue_amount=pieces["amount"].sum().cast("float64")
    )
