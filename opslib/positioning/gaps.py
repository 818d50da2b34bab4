"""Demand against offer by category, price band and attribute level."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, amounts_of, day_of, paid, require_table_columns
from opslib.periods import Period
from opslib.positioning.pairs import in_period
from opslib.stats.ranks import count_draws, top_shares

NONE, BAND, BANDS = "(none)", "price_band", ("lower", "middle", "upper")
ENDS = [0.025, 0.975]
MONTH_DAYS = 365.25 / 12
N_DRAWS = 4_000


#: Columns of :func:`demand_gaps` besides those that it is asked to group by.
_MEASURES = (
    "n_products", "in_stock_share", "n_demand", "demand_share", "offer_share", "pressure", "pressure_lower", "pressure_upper",
    "excess_per_month", "excess_amount", "excess_amount_lower", "excess_amount_upper", "top_three_share",
)  # fmt: skip


def demand_gaps(
    order_lines: Table,
    products: Table,
    *,
    period: Period,
    by: Sequence[str] = ("category", "price_band"),
    events: Table | None = None,
    stock_levels: Table | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Groups of products whose share of demand exceeds their share of the offer, and the money that depends on it.

    Parameters
    ----------
    order_lines : table
        What was bought, for the amount that a view (without events: a line) brings.
    products : table
        product_id and the columns ``by``; price where ``price_band`` is among them.
    period : Period
        Days that count.
    by : sequence of str
        Columns of products, and ``price_band``: within the first column, cheapest third of products to dearest; left out
        where no product has a price.
    events : table or None
        ``view_item`` events are the demand: product seen in a visit, each once. Without any, paid lines are: what was not
        offered then shows less.
    stock_levels : table or None
        Offer is days in stock; without any, products.
    seed : int
        Seed of the draws.

    Returns
    -------
    pandas.DataFrame
        The columns ``by``, n_products, lower_price, upper_price (with ``price_band``), in_stock_share (days in stock of
        days listed; missing without stock), n_demand, demand_share, offer_share (0-1, of all groups), pressure (demand over
        offer share), pressure_lower, pressure_upper, excess_per_month (demand beyond the offer's share; negative where the
        offer is larger), excess_amount, excess_amount_lower, excess_amount_upper (a month: that demand x what one view or line brings
        in the first column's group; it is earned today, so it bounds what more choice could win, and is no forecast),
        top_three_share (chance of being among the three best). Best first. Intervals and ranks are from 4,000 draws with a
        fixed start: demand compound Poisson by visit, the amount of one normal.

    Raises
    ------
    ParameterError
        If ``by`` is empty.

    Examples
    --------
    >>> own = pd.DataFrame({"product_id": ["a", "b", "c", "d"], "category": ["rug", "rug", "rug", "lamp"]})
    >>> sold = pd.DataFrame({"order_id": list("1234"), "product_id": ["d", "d", "d", "a"], "quantity": 1.0,
    ...     "unit_price": 10.0, "ordered_at": pd.to_datetime(["2026-10-05"] * 4)})
    >>> gaps = demand_gaps(sold, own, period=Period.parse("2026-10-01", "2026-10-31"), by=["category"])
    >>> gaps[["category", "offer_share", "demand_share", "pressure"]].values.tolist()
    [['lamp', 0.25, 0.75, 3.0], ['rug', 0.75, 0.25, 0.3333333333333333]]
    """
    if not by:
        raise ParameterError("demand gaps: by is empty; name columns of products, e.g. category and price_band")
    keys = [key for key in by if key != BAND or not engine.is_empty(products, "price")]
    if not keys or engine.is_empty(products):
        return pd.DataFrame(columns=[*by, *_MEASURES])
    events = None if events is None or engine.is_empty(events) else events
    stock_levels = None if stock_levels is None or engine.is_empty(stock_levels) else stock_levels
    offered = _offered(_grouped(products, keys), stock_levels, period)
    lines = in_period(paid(order_lines), period)
    wanted = lines.select(visit=lines["order_id"].cast("string"), product_id="product_id")
    wanted = (wanted if events is None else _viewed(events, period)).distinct()
    cells = engine.collect(_cells(offered, keys).order_by(keys))
    demand = engine.collect(_demand(wanted, offered, keys).order_by(keys))
    values = engine.collect(_values(wanted, offered, lines, keys[0]).order_by(keys[0]))
    both = cells.merge(demand, on=keys, how="left").fillna({"n_demand": 0.0, "squares": 0.0}).merge(values, on=keys[0])
    if not both["n_demand"].sum() > 0 or not both["offer"].sum() > 0:
        return pd.DataFrame(columns=[*keys, *_MEASURES])
    return _weighed(both, keys, factor=MONTH_DAYS / period.n_days, seed=seed)


def _grouped(products: Table, keys: list[str]) -> ir.Table:
    """Products with their groups; the price band is the third of the first column's group, ties in one band."""
    table = engine.as_table(products)
    require_table_columns(table, "product_id", *(key for key in keys if key != BAND), name="products")
    groups = {key: table[key].cast("string").fill_null(NONE) for key in keys if key != BAND}
    if BAND not in keys:
        return table.select(product_id=table["product_id"].cast("string"), **groups)
    require_table_columns(table, "price", name="products")
    priced = table.filter(table["price"] > 0)
    rows = priced.select(
        product_id=priced["product_id"].cast("string"), price=priced["price"].cast("float64"), **groups
    )
    place = ibis.percent_rank().over(ibis.window(group_by=keys[0] if keys[0] != BAND else None, order_by="price"))
    cut = [place * 3 < 1, place * 3 < 2]
    return rows.mutate(price_band=ibis.cases((cut[0], BANDS[0]), (cut[1], BANDS[1]), else_=BANDS[2]))


def _offered(table: ir.Table, stock_levels: Table | None, period: Period) -> ir.Table:
    """Days in stock of each product, and days listed; one of each where stock is not recorded."""
    if stock_levels is None:
        return table.mutate(offer=ibis.literal(1), listed=ibis.null("int64"))
    stock = engine.as_table(stock_levels)
    require_table_columns(stock, "product_id", "date", "n_on_hand", name="stock_levels")
    seen = stock.filter(stock["date"].cast("date").between(ibis.literal(period.start), ibis.literal(period.end)))
    days = seen.group_by("product_id").aggregate(offer=(seen["n_on_hand"] > 0).ifelse(1, 0).sum(), listed=seen.count())
    return table.left_join(days, "product_id").select(table, offer=_.offer.fill_null(0), listed=_.listed.fill_null(0))


def _viewed(events: Table, period: Period) -> ir.Table:
    """Products seen in visits of the period."""
    table = engine.as_table(events)
    require_table_columns(table, "session_id", "occurred_at", "event_name", "product_id", name="events")
    inside = day_of(table, "occurred_at").between(ibis.literal(period.start), ibis.literal(period.end))
    views = table.filter(inside & (table["event_name"] == "view_item") & table["product_id"].notnull())
    return views.select(visit=views["session_id"].cast("string"), product_id=views["product_id"].cast("string"))


def _cells(offered: ir.Table, keys: list[str]) -> ir.Table:
    """Products, offer and prices of each group."""
    price = {"lower_price": _.price.min(), "upper_price": _.price.max()} if BAND in keys else {}
    return offered.group_by(keys).aggregate(
        n_products=_.count(), offer=_.offer.sum().cast("float64"), listed=_.listed.sum().cast("float64"), **price
    )


def _demand(wanted: ir.Table, offered: ir.Table, keys: list[str]) -> ir.Table:
    """Demand of each group, and the sum of squares by visit: its variance as a compound Poisson count."""
    joined = wanted.inner_join(offered.select("product_id", *keys), "product_id")
    by_visit = joined.group_by([*keys, "visit"]).aggregate(n=_.count().cast("float64"))
    return by_visit.group_by(keys).aggregate(n_demand=_.n.sum(), squares=(_.n * _.n).sum())


def _values(wanted: ir.Table, offered: ir.Table, lines: ir.Table, key: str) -> ir.Table:
    """Sums over products of what one view or line brings, by the first column's group."""
    bought, _is_margin = amounts_of(lines, ["product_id"])
    counts = wanted.group_by("product_id").aggregate(n=_.count().cast("float64"))
    rows = offered.left_join(counts, "product_id").select(offered, "n")
    rows = rows.left_join(bought, "product_id").select(rows, amount=_.amount.fill_null(0.0))
    rows = rows.mutate(n=_.n.fill_null(0.0))
    return rows.group_by(key).aggregate(
        m=_.count(), count=_.n.sum(), total=_.amount.sum(), count_squares=(_.n * _.n).sum(),
        products=(_.n * _.amount).sum(), amount_squares=(_.amount * _.amount).sum(),
    )  # fmt: skip


def _weighed(cells: pd.DataFrame, keys: list[str], *, factor: float, seed: int) -> pd.DataFrame:
    """Shares, pressure and money; the amount of one is a ratio over the group's products, drawn once a group."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one = (cells["total"] / cells["count"]).where(cells["count"] > 0, 0.0)
        spread = cells["amount_squares"] - 2 * one * cells["products"] + one**2 * cells["count_squares"]
        error = np.sqrt(spread.clip(lower=0) * cells["m"] / (cells["m"] - 1).clip(lower=1)) / cells["count"]
        error = error.where(cells["count"] > 0, 0.0)
    generator = np.random.default_rng(seed)
    counts = count_draws(
        cells["n_demand"].to_numpy(), cells["squares"].to_numpy(), n_draws=N_DRAWS, generator=generator
    )
    group = pd.factorize(cells[keys[0]])[0]
    shifts = generator.normal(size=(N_DRAWS, group.max() + 1))[:, group]
    offer = (cells["offer"] / cells["offer"].sum()).to_numpy()
    demand = (cells["n_demand"] / cells["n_demand"].sum()).to_numpy()
    totals = counts.sum(axis=1, keepdims=True)
    excess = counts - offer * totals
    worth = excess * (one.to_numpy() + shifts * error.to_numpy()) * factor
    out = cells[[*keys, "n_products", *(name for name in ("lower_price", "upper_price") if name in cells)]].copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        out["in_stock_share"] = cells["offer"] / cells["listed"].where(cells["listed"] > 0)
        out["n_demand"] = cells["n_demand"].astype("int64")
        out["demand_share"], out["offer_share"], out["pressure"] = demand, offer, demand / offer
        out["pressure_lower"], out["pressure_upper"] = np.quantile(counts / totals, ENDS, axis=0) / offer
    out["excess_per_month"] = (cells["n_demand"] - offer * cells["n_demand"].sum()) * factor
    out["excess_amount"] = out["excess_per_month"] * one
    out["excess_amount_lower"], out["excess_amount_upper"] = np.quantile(worth, ENDS, axis=0)
    out["top_three_share"] = top_shares(worth)
    return out.sort_values(["excess_amount", *keys], ascending=[False, *[True] * len(keys)], ignore_index=True)


def attribute_gaps(
    order_lines: Table,
    products: Table,
    *,
    period: Period,
    events: Table | None = None,
    stock_levels: Table | None = None,
) -> dict[str, pd.DataFrame]:
    """Demand against offer by each attribute that is text: `demand_gaps` of every ``attr_`` column, by its name.

    Examples
    --------
    >>> own = pd.DataFrame({"product_id": ["a", "b"], "attr_colour": ["red", "blue"], "attr_size": [1.0, 2.0]})
    >>> sold = pd.DataFrame({"order_id": ["1"], "product_id": ["a"], "quantity": 1.0, "unit_price": 10.0,
    ...     "ordered_at": pd.to_datetime(["2026-10-05"])})
    >>> list(attribute_gaps(sold, own, period=Period.parse("2026-10-01", "2026-10-31")))
    ['attr_colour']
    """
    table = engine.as_table(products)
    names = [name for name in table.columns if name.startswith("attr_") and table[name].type().is_string()]
    options = {"period": period, "events": events, "stock_levels": stock_levels}
    return {name: demand_gaps(order_lines, products, by=[name], **options) for name in names}  # type: ignore[arg-type]
