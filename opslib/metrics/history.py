"""How old data must be before a first order in them may be taken for the customer's first."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import numpy as np

from opslib import engine
from opslib.metrics.blocks import Table, day_of, order_totals
from opslib.periods import Coverage

LEAST_DAYS = 90
"""Days of earlier data that are asked for at least."""
REPEATS_WITHIN = 0.95
"""Share of repeat orders that come within the gap."""


def history_days(tables: Mapping[str, Table], *, coverage: Coverage) -> int:
    """Days of earlier data from which on who orders first in the data is a new customer.

    Parameters
    ----------
    tables : mapping of name to table
        order_lines, and customers where there are such.
    coverage : Coverage
        Days seen.

    Returns
    -------
    int
        0 where ``customers.first_seen_at`` reaches back before the data; else the gap within which 95 % of repeat orders
        come, and 90 at least, as where there are no orders.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import date
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": "a", "customer_id": ["x", "x"], "quantity": 1.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-06-04"]), "unit_price": 4.0})
    >>> history_days({"order_lines": lines}, coverage=Coverage(date(2026, 1, 1), date(2026, 6, 30)))
    150
    """
    if "order_lines" not in tables:
        return LEAST_DAYS
    if "customers" in tables:
        customers = engine.as_table(tables["customers"])
        if {"first_seen_at", "first_seen_on"} & set(customers.columns):
            seen = day_of(customers, "first_seen_at", name="customers")
            earlier = customers.aggregate(n=customers.count(where=seen < coverage.first))
            if engine.collect(earlier)["n"].iloc[0]:
                return 0
    orders = order_totals(tables["order_lines"])
    orders = orders.filter(orders["customer_id"].notnull())
    days = orders.select("customer_id", "ordered_on").distinct()
    before = days["ordered_on"].lag().over(ibis.window(group_by="customer_id", order_by="ordered_on"))
    gaps = days.mutate(before=before)
    gaps = gaps.filter(gaps["before"].notnull())
    gaps = gaps.select(gap=engine.days_between(gaps["ordered_on"], gaps["before"]).cast("float64"))
    sizes = engine.grouped(gaps, "gap", n=gaps.count())
    running = sizes["n"].astype("float64").cumsum().to_numpy()
    if not len(running):
        return LEAST_DAYS
    return max(LEAST_DAYS, int(sizes["gap"].iloc[int(np.searchsorted(running, REPEATS_WITHIN * running[-1]))]))
