"""Behavioural features of customers, averaged over each customer's orders in the engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir

from opslib import engine
from opslib.metrics import order_day, paid, require_table_columns, with_column
from opslib.metrics.blocks import Table

MOST_CATEGORIES = 8
SHARE = "share_"
VARIANCE = "_variance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One habit.

    Parameters
    ----------
    name, meaning : str
        Column, and what is averaged over a customer's orders.
    low, high : str
        A customer with little or much of it, in words.
    is_share : bool
        Whether each order counts 0 to 1, so that the average moves in steps of one order.
    """

    name: str
    meaning: str
    low: str
    high: str
    is_share: bool = False


FEATURES: tuple[Feature, ...] = (
    Feature(name="gap", meaning="log of 1 + days since the order before", low="often", high="seldom"),
    Feature(name="lines", meaning="log of the order's lines", low="small baskets", high="large baskets"),
    Feature(name="units", meaning="log of units a line", low="single pieces", high="many of each"),
    Feature(name="discount", meaning="whether the order has a discount", low="at full price", high="on discount", is_share=True),
    Feature(name="price", meaning="mean log price against the mean of the category", low="cheap within the category",
            high="dear within the category"),
)  # fmt: skip
"""Habits in the order of their columns; one more, ``share_<category>``, for each of the largest categories.

Revenue an order is lines x units x price, and would count them twice. The season of the orders is left out: it follows
from when a customer was there, so that in a shop of one kind of customer it alone makes groups."""


def feature_named(name: str) -> Feature:
    """The habit of a column."""
    for feature in FEATURES:
        if feature.name == name:
            return feature
    words = name.removeprefix(SHARE).replace("_", " ")
    meaning = f"share of the order's lines in {words}"
    return Feature(name=name, meaning=meaning, low=f"less {words}", high=f"more {words}", is_share=True)


def customer_features(
    order_lines: Table, *, as_of: date, products: Table | None = None, categories: Sequence[str] | None = None
) -> ir.Table:
    """Habits of each customer: how often, how large, how dear, on discount or not, and of what.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines with a customer count.
    as_of : date
        Last local day that counts.
    products : products or None
        With ``category``; without it there are no shares of categories, and prices are compared with all others.
    categories : sequence of str or None
        Categories to have a column each: names, or columns of an earlier table. None: those with most lines, at most
        eight (found by one query).

    Returns
    -------
    ibis.Table
        One row a customer: customer_id, n_orders, and for each habit of `FEATURES` (``discount`` only where lines have
        a ``discount_amount``) and each category ``share_<category>`` the mean over the customer's orders, and
        ``<name>_variance`` among them (population); missing where no order shows it (``gap`` of one order).

    Examples
    --------
    >>> import pandas as pd
    >>> lines = pd.DataFrame({"order_id": ["1", "1", "2"], "product_id": "a", "customer_id": "x", "quantity": 1.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-01-05", "2026-01-09"]), "unit_price": 2.0})
    >>> found = engine.collect(customer_features(lines, as_of=date(2026, 3, 1)))
    >>> found[["n_orders", "gap", "lines", "units", "price"]].round(4).values.tolist()
    [[2.0, 1.6094, 0.3466, 0.0, 0.0]]
    """
    lines = paid(order_lines)
    require_table_columns(lines, "order_id", "customer_id", "product_id", "quantity", "unit_price", name="order_lines")
    lines = lines.filter(lines["customer_id"].notnull())
    has_discount = not engine.is_empty(lines, "discount_amount")
    products = None if products is None or engine.is_empty(products, "category") else products
    lines = lines.select(
        "customer_id", "order_id", "product_id", day=order_day(lines), quantity=lines["quantity"].cast("float64"),
        unit_price=lines["unit_price"].cast("float64"),
        is_discounted=engine.flag(lines["discount_amount"] > 0) if has_discount else ibis.literal(0).cast("float64"),
    )  # fmt: skip
    rows = _with_category(lines.filter(lines["day"] <= as_of), products)
    shares = _share_columns(rows, categories) if products is not None else {}
    orders = _orders(rows, shares)
    names = [f.name for f in FEATURES if has_discount or f.name != "discount"] + list(shares)
    means = {name: orders[name].mean() for name in names}
    spread = {f"{name}{VARIANCE}": orders[name].var(how="pop") for name in names}
    return orders.group_by("customer_id").aggregate(n_orders=orders.count(), **means, **spread)


def _with_category(lines: ir.Table, products: Table | None) -> ir.Table:
    """Lines with their category and the log of their price against the category's mean."""
    linked = {} if products is None else {"products": engine.as_table(products)}
    rows = with_column(lines, "category", linked, is_required=products is not None, why="products")
    category = ibis.literal("") if products is None else rows["category"].fill_null("")
    price = rows["unit_price"]
    rows = rows.mutate(category=category, log_price=(price > 0).ifelse(price, ibis.null("float64")).ln())
    usual = rows.group_by("category").aggregate(usual=rows["log_price"].mean())
    rows = rows.left_join(usual, "category").drop("category_right")
    return rows.mutate(price=rows["log_price"] - rows["usual"])


def _share_columns(rows: ir.Table, categories: Sequence[str] | None) -> dict[str, list[str]]:
    """Categories of each column: the given ones, or those with most lines."""
    named = rows.filter(rows["category"] != "")
    counted = engine.grouped(named, "category", n=named.count())
    found = counted.sort_values("n", ascending=False, kind="stable")["category"].tolist()
    wanted = found[:MOST_CATEGORIES] if categories is None else categories
    columns: dict[str, list[str]] = {_column(name): [] for name in wanted}
    for name in found:
        if _column(name) in columns:
            columns[_column(name)].append(name)
    return columns


def _column(category: str) -> str:
    return SHARE + (re.sub(r"\W+", "_", category.removeprefix(SHARE).lower()).strip("_") or "unnamed")


def _orders(rows: ir.Table, shares: dict[str, list[str]]) -> ir.Table:
    """One row an order with the value of each habit."""
    held = {column: engine.flag(rows["category"].isin(names)).mean() for column, names in shares.items() if names}
    orders = rows.group_by("customer_id", "order_id").aggregate(
        day=rows["day"].min(),
        n=rows.count(),
        items=rows["quantity"].sum(),
        discount=rows["is_discounted"].max(),
        price=rows["price"].mean(),
        **held,
    )
    before = orders["day"].lag().over(ibis.window(group_by="customer_id", order_by=["day", "order_id"]))
    each = engine.ratio(orders["items"], orders["n"])
    return orders.mutate(
        gap=(engine.days_between(orders["day"], before).cast("float64") + 1).ln(),
        lines=orders["n"].cast("float64").ln(),
        units=(each > 0).ifelse(each, ibis.null("float64")).ln(),
        **{column: ibis.literal(0).cast("float64") for column in shares if column not in held},
    )
