"""Panel of products by week: units at list price, weeks without a sale, in stock and without promotion told apart."""

from __future__ import annotations

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import MONEY, Table, money, order_day, paid, require_table_columns
from opslib.periods import Period, floor_date
from opslib.positioning.pairs import in_period
from opslib.stats.count_response import MIN_COUNT, MIN_PERIODS

PROMOTION_DISCOUNT = 0.1
"""Mean discount of a product's week from which the week is a promotion."""
LOW_PRICE = 0.95
"""Share of the week's usual price from which down a line counts as sold below it."""
MIN_SOLD_SHARE = 0.5
"""Least share of a product's weeks with a sale where its list price is known from sales alone."""
ALL = "(all products)"


def product_weeks(
    order_lines: Table,
    products: Table,
    *,
    period: Period,
    price_history: Table | None,
    stock_levels: Table | None,
    by: str,
) -> ir.Table:
    """Units and list price of each product and week on the shelf, weeks without a sale included.

    Parameters
    ----------
    order_lines, products : table
        As the contract says; products without a column ``by`` are one group.
    period : Period
        Whole weeks (Monday to Sunday) within it are read.
    price_history : table or None
        Recorded list prices; without them the price at which most lines of the week were sold before discount, and in
        weeks without a sale the last one seen.
    stock_levels : table or None
        Days without stock are not on the shelf.
    by : str
        Column of products.

    Returns
    -------
    ibis.Table
        product_id, group, week, units, n_lines, n_days (in stock), price, discount_share (of the list value; in unsold
        weeks the group's), is_promotion, low_units, low_lines (sold 5 % or more below the week's usual price). Products
        with at least 20 units in at least 13 weeks (half of their weeks, unless list prices are recorded), from their first week with a sale (the next one where that was a
        launch within the period) to their last; a week in which nothing at all was sold counts as not observed.

    Examples
    --------
    >>> import pandas as pd
    >>> weeks = [0, 1, 2, *range(4, 14)]
    >>> sold = pd.DataFrame({"order_id": range(13), "product_id": "a", "quantity": 3.0, "unit_price": 2.0,
    ...     "ordered_at": pd.Timestamp("2026-01-06") + pd.to_timedelta([7 * week for week in weeks], unit="D")})
    >>> own = pd.DataFrame({"product_id": ["a"]})
    >>> more = sold.assign(product_id="b", ordered_at=sold["ordered_at"].iloc[2] + pd.Timedelta(days=7), quantity=1.0)
    >>> table = product_weeks(pd.concat([sold, more]), own, period=Period.parse("2026-01-05", "2026-04-12"),
    ...     price_history=None, stock_levels=None, by="category")
    >>> found = engine.collect(table.order_by("week"))
    >>> found["units"].tolist()[:5], found["price"].unique().tolist()
    ([3.0, 3.0, 3.0, 0.0, 3.0], [2.0])
    """
    weeks = whole_weeks(period)
    if weeks is None:
        raise ParameterError(
            f"price response: {period.label} holds fewer than {MIN_PERIODS} whole weeks; take a longer period"
        )
    sold = _sold(order_lines, weeks)
    totals = _with_usual_price(sold)
    labels = engine.as_table(products)
    group = ibis.literal(ALL) if engine.is_empty(labels, by) else labels[by].cast("string")
    labels = labels.select("product_id", group=group)
    spans = totals.group_by("product_id").aggregate(
        first=totals["week"].min(), last=totals["week"].max(), n=totals.count(), total=totals["units"].sum()
    )
    spans = spans.filter((spans["n"] >= MIN_PERIODS) & (spans["total"] >= MIN_COUNT))
    if price_history is None:
        n_weeks = engine.days_between(spans["last"], spans["first"]) / 7 + 1
        spans = spans.filter(spans["n"] >= MIN_SOLD_SHARE * n_weeks)
    spans = spans.inner_join(labels, "product_id").filter(lambda t: t["group"].notnull())
    grid = spans.select("product_id", "group", "first", "last").cross_join(totals.select("week").distinct())
    start = ibis.literal(weeks.start)
    is_on = (grid["week"] >= grid["first"]) & (grid["week"] <= grid["last"])
    grid = grid.filter(is_on & ((grid["first"] == start) | (grid["week"] > grid["first"]))).drop("first", "last")
    joined = grid.left_join(totals, ["product_id", "week"]).drop("product_id_right", "week_right")
    counts = {
        name: joined[name].cast("float64").fill_null(0) for name in ("units", "n_lines", "low_units", "low_lines")
    }
    rows = _with_promotions(joined.mutate(**counts))
    rows = _on_shelf(_listed(rows, price_history, weeks), stock_levels)
    return rows.filter(rows["price"] > 0).select(
        "product_id", "group", "week", "units", "n_lines", "n_days", "price", "discount_share",
        "low_units", "low_lines", is_promotion=rows["discount_share"] >= PROMOTION_DISCOUNT,
    )  # fmt: skip


def whole_weeks(period: Period) -> Period | None:
    """The weeks, Monday to Sunday, that lie within the period; None where they are too few for an answer."""
    first, until = floor_date(period.start + timedelta(days=6), "week"), floor_date(period.until, "week")
    return Period(first, until - timedelta(days=1)) if (until - first).days >= 7 * MIN_PERIODS else None


def _sold(order_lines: Table, weeks: Period) -> ir.Table:
    lines = in_period(paid(order_lines), weeks)
    require_table_columns(lines, "product_id", "quantity", "unit_price", name="order_lines")
    quantity, price = lines["quantity"].cast(MONEY), lines["unit_price"].cast(MONEY)
    discount = (
        lines["discount_amount"].cast(MONEY).fill_null(0) if "discount_amount" in lines.columns else money(quantity * 0)
    )
    rows = lines.select("product_id", day=order_day(lines), quantity=quantity, price=price,
                        listed=money(quantity * price), discount=discount)  # fmt: skip
    rows = rows.filter((rows["quantity"] > 0) & (rows["price"] > 0))
    return rows.mutate(week=rows["day"].truncate("W").cast("date")).drop("day")


def _with_usual_price(sold: ir.Table) -> ir.Table:
    """One row a product and week with a sale: sums, and the price of most lines (of equals the lower)."""
    prices = sold.group_by("product_id", "week", "price").aggregate(
        n=sold.count(), units=sold["quantity"].sum(), listed=sold["listed"].sum(), discount=sold["discount"].sum()
    )
    within = ibis.window(group_by=["product_id", "week"])
    ordered = ibis.window(group_by=["product_id", "week"], order_by=[ibis.desc("n"), "price"])
    ranked = prices.mutate(place=ibis.row_number().over(ordered), price=prices["price"].cast("float64"))
    marked = ranked.mutate(usual=ranked["price"].max(where=ranked["place"] == 0).over(within))
    is_low = marked["price"] <= LOW_PRICE * marked["usual"]
    return marked.group_by("product_id", "week").aggregate(
        usual=marked["usual"].max(), n_lines=marked["n"].sum(), units=marked["units"].sum().cast("float64"),
        listed=marked["listed"].sum().cast("float64"), discount=marked["discount"].sum().cast("float64"),
        low_units=marked["units"].sum(where=is_low).cast("float64"), low_lines=marked["n"].sum(where=is_low),
    )  # fmt: skip


def _with_promotions(rows: ir.Table) -> ir.Table:
    """Discount as a share of the list value; in weeks without a sale, that of the group."""
    within = ibis.window(group_by=["group", "week"])
    of_group = engine.ratio(rows["discount"].sum().over(within), rows["listed"].sum().over(within))
    own = engine.ratio(rows["discount"], rows["listed"])
    return rows.mutate(discount_share=ibis.coalesce(own, of_group, ibis.literal(0).cast("float64"))).drop(
        "discount", "listed"
    )


def _listed(rows: ir.Table, price_history: Table | None, weeks: Period) -> ir.Table:
    """With the list price: recorded where the product's are, else the usual one, carried on over weeks without a sale."""
    so_far = ibis.window(group_by="product_id", order_by="week", preceding=None, following=0)
    counted = rows.mutate(block=rows["usual"].notnull().ifelse(1, 0).sum().over(so_far))
    carried = counted.mutate(price=counted["usual"].max().over(group_by=["product_id", "block"])).drop("block", "usual")
    if price_history is None:
        return carried
    recorded = _recorded(price_history, carried.select("week").distinct(), weeks)
    known = recorded.select("product_id").distinct().mutate(is_known=True)
    joined = carried.left_join(recorded, ["product_id", "week"]).drop("product_id_right", "week_right")
    joined = joined.left_join(known, "product_id").drop("product_id_right")
    price = joined["is_known"].fill_null(False).ifelse(joined["recorded"], joined["price"])
    return joined.mutate(price=price).drop("recorded", "is_known")


def _recorded(price_history: Table, mondays: ir.Table, weeks: Period) -> ir.Table:
    """Mean recorded price over the days of each product's week."""
    table = engine.as_table(price_history)
    require_table_columns(table, "product_id", "valid_from", "price", name="price_history")
    start = table["valid_from"].cast("date")
    spells = table.select("product_id", start=start, price=table["price"].cast("float64"),
                          end=table["valid_to"].cast("date") if "valid_to" in table.columns else ibis.null("date"))  # fmt: skip
    following = spells["start"].lead().over(group_by="product_id", order_by="start")
    spells = spells.mutate(end=ibis.coalesce(spells["end"], following - ibis.interval(days=1), ibis.literal(weeks.end)))
    spells = spells.mutate(end=spells["end"].cast("date"))
    days = mondays.mutate(sunday=(mondays["week"] + ibis.interval(days=6)).cast("date"))
    pairs = spells.cross_join(days)
    pairs = pairs.filter((pairs["start"] <= pairs["sunday"]) & (pairs["end"] >= pairs["week"]))
    first, last = ibis.greatest(pairs["start"], pairs["week"]), ibis.least(pairs["end"], pairs["sunday"])
    pairs = pairs.mutate(n=engine.days_between(last, first).cast("float64") + 1)
    summed = pairs.group_by("product_id", "week").aggregate(
        total=(pairs["price"] * pairs["n"]).sum(), n=pairs["n"].sum()
    )
    return summed.select("product_id", "week", recorded=engine.ratio(summed["total"], summed["n"]))


def _on_shelf(rows: ir.Table, stock_levels: Table | None) -> ir.Table:
    """With the days in stock; weeks without one and without a sale go."""
    if stock_levels is None:
        return rows.mutate(n_days=ibis.literal(7).cast("float64"))
    table = engine.as_table(stock_levels)
    require_table_columns(table, "product_id", "date", "n_on_hand", name="stock_levels")
    days = table.select(
        "product_id",
        week=table["date"].cast("date").truncate("W").cast("date"),
        is_there=engine.flag(table["n_on_hand"] > 0),
    )
    stocked = days.group_by("product_id", "week").aggregate(n_days=days["is_there"].sum())
    joined = rows.left_join(stocked, ["product_id", "week"]).drop("product_id_right", "week_right")
    n_days = ibis.coalesce(joined["n_days"], ibis.literal(7).cast("float64"))
    joined = joined.mutate(n_days=ibis.greatest(n_days, engine.flag(joined["units"] > 0)))
    return joined.filter(joined["n_days"] > 0)
