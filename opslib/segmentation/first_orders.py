"""What the customers' own records add to their orders: who came for the first time, and who is a business."""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.metrics.blocks import Table, day_of, group_sizes
from opslib.segmentation.rfm import customer_lines
from opslib.suppression import of_people

LEAST_DAYS = 90
"""Fewest days that the data must have run before an order in them can be called somebody's first."""
LATE_SHARE = 0.95
"""Share of the repeat orders that come within the days for which the data must have run."""


def newcomers(order_lines: Table, *, as_of: date, since: date, customers: Table | None = None) -> ir.Table:
    """Customers whose first order ever came within the days from ``since`` on.

    An order in the first days of the data may be anybody's tenth: it counts as a first one only when the data had run
    for as long as 95 % of the repeat orders take, 90 days at least.

    Parameters
    ----------
    order_lines : order_lines
        All that are known, from before ``since`` too; paid lines of known customers count.
    as_of, since : date
        Last and first local day of a first order.
    customers : customers or None
        Who was seen before ``since`` (``first_seen_at``) is no newcomer.

    Returns
    -------
    ibis.Table
        customer_id.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2", "3"], "product_id": "a", "customer_id": ["x", "y", "x"],
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-06-01", "2026-02-09"]), "quantity": 1.0, "unit_price": 2.0})
    >>> engine.collect(newcomers(lines, as_of=date(2026, 6, 30), since=date(2026, 1, 1)))["customer_id"].tolist()
    ['y']
    """
    days = customer_lines(order_lines, as_of=as_of).select("customer_id", "day").distinct()
    ordered = ibis.window(group_by="customer_id", order_by="day")
    days = days.mutate(gap=engine.days_between(days["day"], days["day"].lag().over(ordered)))
    found = engine.collect(days.aggregate(begins=days["day"].min(), gap=days["gap"].quantile(LATE_SHARE)))
    begins, gap = found.iloc[0]
    firsts = days.group_by("customer_id").aggregate(first_on=days["day"].min())
    if not pd.isna(begins):
        enough = timedelta(days=max(LEAST_DAYS, 0 if pd.isna(gap) else int(gap)))
        firsts = firsts.filter(firsts["first_on"] >= max(since, pd.Timestamp(begins).date() + enough))
    if customers is None:
        return firsts.select("customer_id")
    table = engine.as_table(customers)
    known = table.filter(day_of(table, "first_seen_at") < since).select("customer_id")
    return firsts.anti_join(known, "customer_id").select("customer_id")


@of_people("n_customers", by=("kind",))
def kind_sizes(scores: Table, customers: Table) -> pd.DataFrame:
    """Customers, orders and revenue of each kind of customer: businesses and consumers.

    Parameters
    ----------
    scores : table
        From `rfm_scores`.
    customers : customers
        With ``kind``.

    Returns
    -------
    DataFrame
        Kinds by name, those not told last, none where no kind is told: kind, n_customers, customer_share, revenue_amount,
        revenue_share, n_orders, order_amount (revenue an order).

    Examples
    --------
    >>> scores = pd.DataFrame({"customer_id": ["x", "y"], "n_orders": [4, 1], "revenue_amount": [80.0, 20.0]})
    >>> kinds = pd.DataFrame({"customer_id": ["x", "y"], "kind": ["business", "consumer"]})
    >>> kind_sizes(scores, kinds)[["kind", "revenue_share", "order_amount"]].values.tolist()
    [['business', 0.8, 20.0], ['consumer', 0.2, 20.0]]
    """
    table, told = engine.as_table(scores), engine.as_table(customers)
    told = told.select(told_id="customer_id", kind=told["kind"].cast("string"))
    joined = table.left_join(told, table["customer_id"] == told["told_id"]).drop("told_id")
    kinds = engine.collect(joined.filter(joined["kind"].notnull()).select("kind").distinct())["kind"]
    rows = joined.mutate(kind=joined["kind"].fill_null("not told")).filter(len(kinds) > 0)
    sizes = group_sizes(rows, "kind", [*sorted(kinds), "not told"], n_orders=lambda t: t["n_orders"].sum())
    sizes = sizes[sizes["n_customers"] > 0].reset_index(drop=True)
    return sizes.assign(order_amount=sizes["revenue_amount"] / sizes["n_orders"])
