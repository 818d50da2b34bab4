"""Products of each class by name: what they bring, whether that grows, what lies in stock."""

from __future__ import annotations

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from opslib import engine
from opslib.classification.classes import value_of
from opslib.metrics import order_day, paid
from opslib.metrics.blocks import MONEY, Table, day_of
from opslib.periods import Period

PACE_DAYS = 90
"""Days before the end whose sales say how long a stock lasts."""
_TOLD = {"name": "string", "category": "string", "cost": MONEY, "lead_time_days": "float64"}
_OF_STAGES = ("stage", "n_orders_before", "n_orders_recent")


def class_products(
    classes: Table,
    order_lines: Table,
    *,
    period: Period,
    stages: Table,
    products: Table,
    stock_levels: Table,
) -> ir.Table:
    """Each product with its class, its name, its stage of life and its stock.

    Parameters
    ----------
    classes : table
        From `abc_xyz`.
    order_lines : order_lines
        Those of the last 90 days of the period say how fast a stock is sold.
    period : Period
        That of the classes; stock is counted at its end.
    stages : table
        From `life_cycle`, with the orders of both windows.
    products : products
        Names, categories, costs and lead times, where they are known.
    stock_levels : stock_levels
        Counts of stock; what was never counted has no stock columns.

    Returns
    -------
    ibis.Table
        product_id, name (with the id where several share it, the id where none is known), category, cell, amount (revenue, margin or units), amount_share,
        stage, n_orders_before (missing where not compared), n_orders_recent, n_on_hand (on the last day counted), stock_days (that it lasts at the
        pace of the last 90 days), stock_amount (at cost), is_short (with what is on order it lasts shorter than a
        delivery takes; sold out where no lead time is known), short_days (without stock until a delivery ordered now comes).

    Examples
    --------
    >>> import pandas as pd
    >>> classes = pd.DataFrame({"product_id": ["a"], "revenue_amount": [9.0], "revenue_share": [1.0], "cell": ["AX"]})
    >>> stages = pd.DataFrame({"product_id": ["a"], "stage": ["maturity"], "n_orders_before": [3], "n_orders_recent": [4]})
    >>> lines = pd.DataFrame({"product_id": ["a"], "quantity": [90.0], "ordered_at": pd.to_datetime(["2026-10-05"])})
    >>> stock = pd.DataFrame({"product_id": ["a"], "date": pd.to_datetime(["2026-10-31"]), "n_on_hand": [5], "n_on_order": [0]})
    >>> known = pd.DataFrame({"product_id": ["a"], "name": ["Lamp"], "category": ["Light"], "cost": [2.0], "lead_time_days": [7.0]})
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> listed = class_products(classes, lines, period=october, stages=stages, products=known, stock_levels=stock)
    >>> engine.collect(listed)[["name", "stock_days", "stock_amount", "is_short"]].values.tolist()
    [['Lamp', 5.0, 10.0, True]]
    """
    table = engine.as_table(classes)
    share = next(name for name in ("revenue_share", "margin_share", "units_share") if name in table.columns)
    listed = table.select("product_id", "cell", amount=value_of(table), amount_share=table[share])
    listed = _joined(listed, _described(products))
    listed = _joined(listed, engine.as_table(stages).select("product_id", *_OF_STAGES))
    listed = _joined(listed, _pace(order_lines, period))
    listed = _joined(listed, _stock(stock_levels, period))
    days = engine.ratio(listed["n_on_hand"] * PACE_DAYS, listed["n_sold"])
    ahead = engine.ratio((listed["n_on_hand"] + listed["n_on_order"].fill_null(0)) * PACE_DAYS, listed["n_sold"])
    same = ibis.window(group_by=listed["name"])
    told = listed["name"].concat(" (", listed["product_id"].cast("string"), ")")
    return listed.mutate(
        name=(listed.count().over(same) > 1).ifelse(told, listed["name"]).fill_null(listed["product_id"].cast("string")),
        stock_days=days,
        stock_amount=(listed["n_on_hand"].cast(MONEY) * listed["cost"]).cast("float64"),
        n_orders_before=(listed["stage"] == "not compared").ifelse(ibis.null("int64"), listed["n_orders_before"]),
        is_short=(ahead < listed["lead_time_days"].fill_null(1.0)).fill_null(False),
        short_days=ibis.greatest(listed["lead_time_days"] - ahead, 0.0),
    ).select(
        "product_id", "name", "category", "cell", "amount", "amount_share", *_OF_STAGES, "n_on_hand", "stock_days",
        "stock_amount", "is_short", "short_days",
    )  # fmt: skip


def _joined(left: ir.Table, right: ir.Table) -> ir.Table:
    right = right.rename(right_id="product_id")
    return left.left_join(right, left["product_id"] == right["right_id"]).drop("right_id")


def _described(products: Table) -> ir.Table:
    """What is known of a product."""
    table = engine.as_table(products)
    known = {name: table[name].cast(kind) for name, kind in _TOLD.items()}
    return table.select("product_id", **known)


def _pace(order_lines: Table, period: Period) -> ir.Table:
    """Units sold in the last days of the period."""
    lines = paid(order_lines)
    day = order_day(lines)
    lines = lines.filter(day > period.end - timedelta(days=PACE_DAYS), day <= period.end)
    return lines.group_by("product_id").aggregate(n_sold=lines["quantity"].sum().cast("float64"))


def _stock(stock_levels: Table, period: Period) -> ir.Table:
    """What lay in stock, and was on order, on the last day that was counted."""
    names = ("n_on_hand", "n_on_order")
    table = engine.as_table(stock_levels)
    rows = table.select(
        "product_id", day=day_of(table, "date"), **{name: table[name].cast("float64") for name in names}
    )
    rows = rows.filter(rows["day"] <= period.end)
    rows = rows.mutate(place=ibis.row_number().over(ibis.window(group_by="product_id", order_by=ibis.desc("day"))))
    return rows.filter(rows["place"] == 0).select("product_id", *names)
