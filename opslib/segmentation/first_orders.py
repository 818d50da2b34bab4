"""What the customers' own records add to their orders: who came for the first time, and who is a business."""

from __future__ import annotations

from datetime import date, timedelta

import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.metrics.blocks import Table, group_sizes, order_day
from opslib.metrics.history import history_days
from opslib.metrics.measured_rows import first_orders
from opslib.periods import Coverage
from opslib.segmentation.rfm import customer_lines
from opslib.suppression import of_people


def newcomers(order_lines: Table, *, as_of: date, since: date, customers: Table | None = None) -> ir.Table:
    """Customers whose first order ever came within the days from ``since`` on.

    An order in the first days of the data may be anybody's tenth: it counts as a first one only when the data had run
    for `metrics.history.history_days`.

    Parameters
    ----------
    order_lines : order_lines
        All that are known, from before ``since`` too; paid lines of known customers count.
    as_of, since : date
        Last and first local day of a first order.
    customers : customers or None
        Who was seen before the first order of all (``first_seen_at``) is no newcomer.

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
    lines = customer_lines(order_lines, as_of=as_of)
    tables = {"order_lines": engine.as_table(order_lines)} | (
        {} if customers is None else {"customers": engine.as_table(customers)}
    )
    firsts = first_orders(lines, tables)
    begins = engine.collect(firsts.aggregate(day=firsts["first_day"].min()))["day"].iloc[0]
    if not pd.isna(begins):
        tables["order_lines"] = tables["order_lines"].filter(order_day(tables["order_lines"]) <= as_of)
        begins = pd.Timestamp(begins).date()
        enough = timedelta(days=history_days(tables, coverage=Coverage(begins, as_of)))
        firsts = firsts.filter(firsts["first_day"] >= max(since, begins + enough))
    return firsts.filter(~firsts["is_known_before"]).select(customer_id="first_id")


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
