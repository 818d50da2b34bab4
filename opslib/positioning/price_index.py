"""Price indices against competitors, price ladders of categories, and promotion depths."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import t as student

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import MONEY, Table, line_revenue, money, paid, require_table_columns
from opslib.periods import Period
from opslib.positioning.pairs import in_period

#: A competitor's price older than this says what was, not what is.
STALE_AFTER_DAYS = 14


def latest_competitor_prices(
    competitor_prices: Table, *, as_of: date, stale_after_days: int = STALE_AFTER_DAYS
) -> ir.Table:
    """Newest price of every competitor's product up to a day.

    Parameters
    ----------
    competitor_prices : table
        As the contract says; rows not matched to a product of ours stay, with an empty ``product_id``.
    as_of : date
        Last day that counts.
    stale_after_days : int
        Age from which a price is called stale.

    Returns
    -------
    ibis.Table
        competitor, competitor_product_id, product_id, price (float64), in_stock, age_days, is_stale.

    Examples
    --------
    >>> seen = pd.DataFrame({"competitor": ["A", "A"], "competitor_product_id": ["1", "1"], "product_id": ["p", "p"],
    ...     "observed_at": pd.to_datetime(["2026-10-01", "2026-10-09"]), "price": [8.0, 9.0]})
    >>> engine.collect(latest_competitor_prices(seen, as_of=date(2026, 10, 31)))[["price", "age_days"]].values.tolist()
    [[9.0, 22.0]]
    """
    table = engine.as_table(competitor_prices)
    require_table_columns(
        table, "competitor", "competitor_product_id", "observed_at", "price", name="competitor_prices"
    )
    stock = table["in_stock"] if "in_stock" in table.columns else ibis.null("boolean")
    product = table["product_id"] if "product_id" in table.columns else ibis.null("string")
    seen = table.select(
        "competitor", "competitor_product_id", "observed_at", product_id=product, in_stock=stock,
        price=table["price"].cast("float64"), seen_on=table["observed_at"].date(),
    ).filter(lambda t: (t["seen_on"] <= ibis.literal(as_of)) & (t["price"] > 0))  # fmt: skip
    newest = ibis.window(
        group_by=["competitor", "competitor_product_id"],
        order_by=[ibis.desc("observed_at"), "price"],
    )
    last = seen.mutate(place=ibis.row_number().over(newest)).filter(lambda t: t["place"] == 0)
    aged = last.mutate(age_days=engine.days_between(ibis.literal(as_of), last["seen_on"]))
    return aged.select(
        "competitor", "competitor_product_id", "product_id", "price", "in_stock", "age_days",
        is_stale=aged["age_days"] > stale_after_days,
    )  # fmt: skip


def price_indices(
    products: Table, competitor_prices: Table, *, as_of: date, stale_after_days: int = STALE_AFTER_DAYS
) -> ir.Table:
    """Own price against the competitors' of each product: 1.05 is five per cent dearer.

    Parameters
    ----------
    products : table
        product_id, price; category and brand where known.
    competitor_prices : table
        As the contract says.
    as_of, stale_after_days
        As for :func:`latest_competitor_prices`.

    Returns
    -------
    ibis.Table
        product_id, category, brand, price, n_competitors (with a fresh price and not known to be out of stock),
        n_stale, rival_price (geometric mean of theirs), cheapest_rival_price, price_index. Without a fresh
        competitor the last three are missing.

    Examples
    --------
    >>> own = pd.DataFrame({"product_id": ["p"], "price": [10.0]})
    >>> seen = pd.DataFrame({"competitor": ["A", "B"], "competitor_product_id": ["1", "2"], "product_id": ["p", "p"],
    ...     "observed_at": pd.to_datetime(["2026-10-30", "2026-10-30"]), "price": [8.0, 12.5]})
    >>> engine.collect(price_indices(own, seen, as_of=date(2026, 10, 31)))["price_index"].tolist()
    [1.0]
    """
    table = engine.as_table(products)
    require_table_columns(table, "product_id", "price", name="products")
    latest = latest_competitor_prices(competitor_prices, as_of=as_of, stale_after_days=stale_after_days)
    known = latest.filter(latest["product_id"].notnull())
    is_fresh = ~known["is_stale"] & known["in_stock"].fill_null(True)
    rivals = known.group_by("product_id").aggregate(
        n_competitors=known["competitor"].nunique(where=is_fresh),
        n_stale=known["is_stale"].ifelse(1, 0).sum(),
        log_rival=known["price"].ln().mean(where=is_fresh),
        cheapest_rival_price=known["price"].min(where=is_fresh),
    )
    labels = {name: table[name] if name in table.columns else ibis.null("string") for name in ("category", "brand")}
    own = table.select("product_id", price=table["price"].cast("float64"), **labels)
    joined = own.left_join(rivals, "product_id").drop("product_id_right")
    filled = joined.mutate(
        n_competitors=joined["n_competitors"].fill_null(0), n_stale=joined["n_stale"].fill_null(0),
        rival_price=joined["log_rival"].exp(),
    ).drop("log_rival")  # fmt: skip
    return filled.mutate(price_index=engine.ratio(filled["price"], filled["rival_price"]))


def price_position(indices: Table, *, by: str = "category", confidence_level: float = 0.95) -> pd.DataFrame:
    """How dear each category or brand is, as the geometric mean of its products' indices.

    Parameters
    ----------
    indices : table
        From :func:`price_indices`.
    by : {"category", "brand"}
        What to group by.
    confidence_level : float
        Level of the interval.

    Returns
    -------
    pandas.DataFrame
        group, n_products, n_covered, coverage_share, n_stale, price_index, price_index_lower, price_index_upper (Student's t on the logarithms,
        products as units; missing below two covered products), cheapest_share (share of covered products at or
        below the cheapest rival). Dearest first.

    Raises
    ------
    ParameterError
        If ``by`` is neither.

    Examples
    --------
    >>> one = pd.DataFrame({"product_id": ["a", "b"], "category": ["x", "x"], "price": [1.1, 1.1],
    ...     "n_competitors": [1, 1], "n_stale": [0, 0], "cheapest_rival_price": [1.0, 1.0], "price_index": [1.1, 1.1]})
    >>> price_position(one)["price_index"].round(3).tolist()
    [1.1]
    """
    if by not in ("category", "brand"):
        raise ParameterError(f"price position: by '{by}' is not one of category, brand")
    table = engine.as_table(indices)
    logs = table.mutate(
        log_index=table["price_index"].cast("float64").ln(),
        is_cheapest=engine.flag(table["price"].cast("float64") <= table["cheapest_rival_price"].cast("float64")),
        group=table[by].fill_null("(none)"),
    )
    log = logs["log_index"]
    sums = engine.grouped(
        logs, "group", n_products=logs.count(), n_covered=log.count(), n_stale=logs["n_stale"].sum(),
        total=log.sum(), squares=(log * log).sum(), n_cheapest=logs["is_cheapest"].sum(),
    )  # fmt: skip
    n = sums["n_covered"].to_numpy(dtype=float)
    total, squares = sums["total"].fillna(0).to_numpy(), sums["squares"].fillna(0).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        variance = np.maximum(squares - n * mean**2, 0) / (n - 1)
        half = student.ppf(0.5 + confidence_level / 2, n - 1) * np.sqrt(variance / n)
        out = pd.DataFrame({
            "group": sums["group"],
            "n_products": sums["n_products"],
            "n_covered": sums["n_covered"],
            "coverage_share": n / sums["n_products"].to_numpy(dtype=float),
            "n_stale": sums["n_stale"],
            "price_index": np.exp(mean),
            "price_index_lower": np.exp(mean - half),
            "price_index_upper": np.exp(mean + half),
            "cheapest_share": sums["n_cheapest"].to_numpy(dtype=float) / n,
        })  # fmt: skip
    return out.sort_values(["price_index", "group"], ascending=[False, True], na_position="last", ignore_index=True)


def price_ladder(order_lines: Table, products: Table, *, period: Period, n_bands: int = 6) -> pd.DataFrame:
    """Price bands of each category with what is offered and what is bought in them, so that gaps show.

    Parameters
    ----------
    order_lines : table
        Lines of the shop; only paid ones count.
    products : table
        product_id, category, price.
    period : Period
        Days of sale that count.
    n_bands : int
        Bands a category, of equal ratio between its cheapest and its dearest price.

    Returns
    -------
    pandas.DataFrame
        category, band (0 = cheapest), lower_price, upper_price, n_products, revenue_amount, leading_product (its name, else
        its id: the one that sells for most in the band; missing where nothing is sold), leading_amount (its revenue),
        offer_share, demand_share (within the category). An empty band between two filled ones is a gap on the ladder.

    Examples
    --------
    >>> own = pd.DataFrame({"product_id": ["a", "b"], "category": ["x", "x"], "price": [1.0, 8.0]})
    >>> sold = pd.DataFrame({"order_id": ["1"], "product_id": ["a"], "ordered_at": pd.to_datetime(["2026-10-05"]),
    ...     "quantity": [3.0], "unit_price": [1.0]})
    >>> ladder = price_ladder(sold, own, period=Period.parse("2026-10-01", "2026-10-31"), n_bands=3)
    >>> ladder[["n_products", "demand_share"]].values.tolist()
    [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
    """
    if n_bands < 2:
        raise ParameterError(f"price ladder: n_bands {n_bands} is not allowed; at least 2")
    sold = in_period(paid(order_lines), period)
    sold = sold.mutate(revenue_amount=line_revenue(sold)).group_by("product_id")
    revenue = sold.aggregate(revenue_amount=lambda t: t["revenue_amount"].sum().cast("float64"))
    table = engine.as_table(products)
    require_table_columns(table, "product_id", "category", "price", name="products")
    own_name = table["product_id"].cast("string")
    own_name = own_name if engine.is_empty(table, "name") else ibis.coalesce(table["name"], own_name)
    priced = table.filter(table["category"].notnull() & (table["price"] > 0)).select(
        "product_id", "category", name=own_name, log_price=table["price"].cast("float64").ln()
    )
    ends = priced.mutate(
        low=priced["log_price"].min().over(group_by="category"),
        high=priced["log_price"].max().over(group_by="category"),
    )
    place = engine.ratio(ends["log_price"] - ends["low"], ends["high"] - ends["low"]).fill_null(0.0) * n_bands
    banded = ends.mutate(band=ibis.least(place.floor().cast("int64"), n_bands - 1))
    joined = banded.left_join(revenue, "product_id")
    keys, sums = ["category", "low", "high", "band"], {"revenue_amount": joined["revenue_amount"].sum()}
    counted = engine.grouped(joined, keys, n_products=joined.count(), **sums)
    first = ibis.window(group_by=["category", "band"], order_by=[ibis.desc("revenue_amount"), "product_id"])
    ranked = joined.filter(joined["revenue_amount"] > 0).mutate(place=ibis.row_number().over(first))
    leading = engine.collect(
        ranked.filter(ranked["place"] == 0)
        .select("category", "band", leading_product="name", leading_amount="revenue_amount")
        .order_by("category", "band")
    )
    # Every band of every category, empty ones included.
    grid = counted[keys[:3]].drop_duplicates().merge(pd.DataFrame({"band": range(n_bands)}), how="cross")
    full = grid.merge(counted, on=keys, how="left").fillna({"n_products": 0, "revenue_amount": 0})
    full = full.merge(leading, on=["category", "band"], how="left")
    step = (full["high"] - full["low"]) / n_bands
    full.insert(4, "lower_price", np.exp(full["low"] + step * full["band"]))
    full.insert(5, "upper_price", np.exp(full["low"] + step * (full["band"] + 1)))
    totals = full.groupby("category")[["n_products", "revenue_amount"]].transform("sum")
    full["offer_share"] = full["n_products"] / totals["n_products"]
    demand = full["revenue_amount"] / totals["revenue_amount"].where(totals["revenue_amount"] > 0)
    return full.assign(demand_share=demand.fillna(0)).drop(columns=["low", "high"])


_PROMOTIONS = ("group", "list_amount", "revenue_amount", "promoted_share", "depth_share")


def promotion_depths(order_lines: Table, products: Table, *, period: Period) -> pd.DataFrame:
    """How much of each category is sold below list price, and by how much.

    Parameters
    ----------
    order_lines : table
        With ``discount_amount``.
    products : table
        product_id, category.
    period : Period
        Days that count.

    Returns
    -------
    pandas.DataFrame
        group, list_amount, revenue_amount, promoted_share (share of list value sold with a discount), depth_share
        (discount as a share of the list value of discounted lines; missing where there are none). Deepest first.

    Examples
    --------
    >>> sold = pd.DataFrame({"order_id": ["1", "2"], "product_id": ["a", "a"], "quantity": [1.0, 1.0],
    ...     "unit_price": [10.0, 10.0], "discount_amount": [2.0, 0.0],
    ...     "ordered_at": pd.to_datetime(["2026-10-05", "2026-10-05"])})
    >>> own = pd.DataFrame({"product_id": ["a"], "category": ["x"]})
    >>> promotion_depths(sold, own, period=Period.parse("2026-10-01", "2026-10-31")).iloc[0, 1:].tolist()
    [20.0, 18.0, 0.5, 0.2]
    """
    sold = in_period(paid(order_lines), period)
    require_table_columns(sold, "discount_amount", name="order_lines")
    if engine.is_empty(sold, "discount_amount"):  # which is not to say that there were none
        return pd.DataFrame(columns=list(_PROMOTIONS))
    labels = engine.as_table(products).select("product_id", group="category")
    joined = sold.select("product_id", "quantity", "unit_price", "discount_amount").left_join(labels, "product_id")
    rows = joined.select(
        group=joined["group"].fill_null("(none)"),
        listed=money(joined["quantity"].cast(MONEY) * joined["unit_price"].cast(MONEY)),
        discount=joined["discount_amount"].cast(MONEY).fill_null(0),
    )
    listed = rows["listed"]
    out = engine.grouped(
        rows, "group", list_amount=listed.sum().cast("float64"), discount_amount=rows["discount"].sum().cast("float64"),
        promoted_amount=listed.sum(where=rows["discount"] > 0).cast("float64"),
    )  # fmt: skip
    known = out[["list_amount", "promoted_amount"]].where(lambda sums: sums > 0)
    out["revenue_amount"] = out["list_amount"] - out["discount_amount"]
    out["promoted_share"] = out["promoted_amount"].fillna(0.0) / known["list_amount"]
    out["depth_share"] = out["discount_amount"] / known["promoted_amount"]
    out = out.sort_values(["depth_share", "group"], ascending=[False, True], na_position="last", ignore_index=True)
    return out[list(_PROMOTIONS)]
