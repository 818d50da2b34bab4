"""Product health: one row a product from what the rooms measure, the list of maintenance, alarms about stock and prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import ibis
import numpy as np
import pandas as pd

from opslib import engine
from opslib.demand.themes import Themes
from opslib.metrics import METRICS, unit_values
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.positioning import price_indices
from opslib.product_control.sales import BLOCK_DAYS
from opslib.suppression import counted

MONTH = 365.25 / 12
CONTENT = ("category", "brand", "description", "has_image")
"""Columns of products, beside the attributes, that a complete product page needs."""
MOVED_TOGETHER, FEWEST_MOVED = 0.8, 3
"""Share of a category's list prices, and number of them, that change on one day where it is called a move of the category."""


def product_health(
    listed: pd.DataFrame,
    faults: pd.DataFrame,
    sales: pd.DataFrame,
    *,
    tables: Mapping[str, Table],
    period: Period,
    themes: Themes | None = None,
) -> pd.DataFrame:
    """One row a product: what it brings, what is off about it, and what that costs a month.

    Parameters
    ----------
    listed : DataFrame
        Rows of `classification.class_products` by revenue: name, category, amount, stock.
    faults : DataFrame
        From `product_faults`.
    sales : DataFrame
        From `product_sales`.
    tables : mapping of str to table
        order_lines, returns, products, competitor_prices; reviews and stock_levels where there are such.
    period : Period
        Days of revenue and margin.
    themes : Themes or None
        Of the reviews: from `demand.text_themes`.

    Returns
    -------
    pandas.DataFrame
        product_id, name, category, supplier, revenue_amount and margin_amount (a month; margin after refunds, missing without a cost), margin_share, return_share,
        expected_share, return_ratio_lower, return_ratio_upper, reason, rating (mean stars), theme, n_sold, n_expected, sold_change, is_off, is_unsold (less than expected), out_days (without
        stock, of the last 28), n_on_hand, stock_days, short_days, price_index
        (against competitors), content_share (of what the shop tells of its products), lacks, signs, is_faulty, loss_amount
        (refunds beyond those expected, a month) with loss_amount_lower, loss_amount_upper, loss_next_amount, missed_amount (margin of sales that
        stayed out, a month, where sales are off), cost_amount (both). The costliest first.

    Examples
    --------
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> listed = pd.DataFrame({"product_id": ["a"], "name": ["Lamp"], "category": ["Light"], "amount": [31.0], "n_on_hand": [1.0], "stock_days": [2.0],
    ...     "short_days": [5.0], "is_short": [True]})
    >>> lines = pd.DataFrame({"order_id": ["1"], "product_id": ["a"], "quantity": [1.0], "unit_price": [31.0], "cost_amount": [11.0],
    ...     "ordered_at": pd.to_datetime(["2026-10-05"])})
    >>> own = pd.DataFrame({"product_id": ["a"], "price": [31.0], "cost": [11.0], "category": ["Light"], "brand": [None], "description": ["x"], "has_image": [True]})
    >>> seen = pd.DataFrame({"competitor": ["A"], "competitor_product_id": ["1"], "product_id": ["a"],
    ...     "observed_at": pd.to_datetime(["2026-10-30"]), "price": [25.0]})
    >>> back = pd.DataFrame({"product_id": ["a"], "returned_at": pd.to_datetime(["2026-10-09"]), "quantity": 1.0, "refund_amount": [0.0]})
    >>> none = pd.DataFrame({"product_id": pd.Series(dtype="str")})
    >>> tables = {"order_lines": lines, "products": own, "competitor_prices": seen, "returns": back}
    >>> health = product_health(listed, none, none, tables=tables, period=october)
    >>> health[["name", "margin_amount", "price_index", "content_share", "lacks"]].round(2).values.tolist()
    [['Lamp', 19.64, 1.24, 1.0, '']]
    """
    factor = MONTH / period.n_days
    known = ["n_on_hand", "stock_days", "short_days", "is_short"]
    health = listed[["product_id", "name", "category", "amount", *known]].copy()
    health["revenue_amount"] = health.pop("amount") * factor
    of_faults = [
        "supplier", "n_lines", "n_returns", "n_reviews", "reason", "signs", "is_faulty", "returns_expected", "returns_ratio_lower", "returns_ratio_upper",
        "loss_amount", "loss_amount_lower", "loss_amount_upper", "loss_next_amount",
    ]  # fmt: skip
    of_sales = ["n_sold", "n_expected", "n_expected_lower", "n_expected_upper", "sold_change", "is_off"]
    prices = engine.collect(price_indices(tables["products"], tables["competitor_prices"], as_of=period.end).select("product_id", "price_index"))  # fmt: skip
    joined = [
        _out(tables, period), faults.reindex(columns=["product_id", *of_faults]), sales.reindex(columns=["product_id", *of_sales]), _margins(tables, period),
        prices, _content(tables["products"]), _told(themes),
    ]  # fmt: skip
    for found in joined:
        key = "name" if "theme" in found.columns else "product_id"
        health = health.merge(found.astype({key: "object"}), on=key, how="left", validate="many_to_one")
    for name in ("is_faulty", "is_off"):
        health[name] = health[name].eq(True)
    lines = health["n_lines"].astype("float64").where(lambda n: n > 0)
    health["return_share"], health["expected_share"] = (health[name].astype("float64") / lines for name in ("n_returns", "returns_expected"))  # fmt: skip
    health["is_unsold"] = health["is_off"] & (health["sold_change"] < 0)
    health["missed_amount"] = ((health["n_expected"] - health["n_sold"]).astype("float64") * health["gross_amount"] / lines * MONTH / BLOCK_DAYS).where(
        health["is_unsold"]
    )  # fmt: skip
    health["gross_amount"] *= factor
    health["margin_amount"] *= factor
    losses = health["loss_amount"].astype("float64").where(health["is_faulty"])
    health["cost_amount"] = losses.fillna(0.0) + health["missed_amount"].fillna(0.0)
    ordered = health.sort_values(
        ["cost_amount", "revenue_amount", "product_id"], ascending=[False, False, True], ignore_index=True
    )
    return counted(ordered, None)


def _margins(tables: Mapping[str, Table], period: Period) -> pd.DataFrame:
    """Margin of each product before and after refunds, and of its revenue; missing where no cost is known."""
    read = {name: tables[name] for name in ("order_lines", "returns", "products")}
    asked = [METRICS[name] for name in ("margin", "gross_margin", "margin_share", "rating")]
    asked = asked if "reviews" in tables else asked[:3]
    read |= {name: tables[name] for name in ("reviews",) if name in tables}
    found = engine.collect(unit_values(read, asked, unit="product", period=period))
    costed = found["margin_share_denominator"].where(found["margin_share_denominator"] > 0)
    out = pd.DataFrame({
        "product_id": found["unit_id"], "margin_amount": found["margin_numerator"].where(costed.notna()),
        "gross_amount": found["gross_margin_numerator"].where(costed.notna()), "margin_share": found["margin_share_numerator"] / costed,
    })  # fmt: skip
    if "reviews" not in tables:
        return out.assign(rating=np.nan)
    return out.assign(
        rating=found["rating_numerator"] / found["rating_denominator"].where(found["rating_denominator"] > 0)
    )


def _out(tables: Mapping[str, Table], period: Period) -> pd.DataFrame:
    """Days without stock among the last four weeks, where stock is counted."""
    if "stock_levels" not in tables:
        return pd.DataFrame({"product_id": pd.Series(dtype="str"), "out_days": np.array([])})
    weeks = Period(period.end - timedelta(days=BLOCK_DAYS - 1), period.end)
    found = engine.collect(unit_values(tables, [METRICS["stock_out_share"]], unit="product", period=weeks))
    return pd.DataFrame({"product_id": found["unit_id"], "out_days": found["stock_out_share_numerator"]})


def _content(products: Table) -> pd.DataFrame:
    """Share of what the shop tells of its products that each has, and what it lacks; columns that hold nothing are not asked for."""
    table = engine.as_table(products)
    names = [name for name in table.columns if name in CONTENT or name.startswith("attr_")]
    names = [name for name in names if not engine.is_empty(table, name)]
    flags = {}
    for name in names:
        column = table[name]
        is_there = column if column.type().is_boolean() else column.notnull()
        flags[name] = (is_there & (column != "") if column.type().is_string() else is_there).fill_null(False)
    found = engine.collect(table.select("product_id", **flags))
    words = {name: name.removeprefix("attr_").removeprefix("has_").replace("_", " ") for name in names}
    lacks = [", ".join(words[name] for name, has in zip(names, row, strict=True) if not has) for row in found[names].to_numpy()]  # fmt: skip
    share = found[names].mean(axis=1) if names else np.nan
    return pd.DataFrame({"product_id": found["product_id"], "content_share": share, "lacks": lacks})


def _told(themes: Themes | None) -> pd.DataFrame:
    """The theme of complaints that each product is named for."""
    rows = [] if themes is None else [(name, theme) for theme, names in themes.themes[["theme", "products"]].itertuples(index=False) for name in names]  # fmt: skip
    return pd.DataFrame(rows, columns=["name", "theme"]).drop_duplicates("name")


def maintenance_list(health: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Products to look into, the costliest first, of which a random half waits so that the effect of maintenance can be told.

    The worst of any list look better next time, mended or not, because part of what put them there was chance: only products left
    alone show how much. In each pair of neighbours on the list the draw decides which is mended now.

    Parameters
    ----------
    health : DataFrame
        From `product_health`.
    seed : int
        For the draw; the same list and seed give the same halves.

    Returns
    -------
    pandas.DataFrame
        Rows of the table of health that are faulty, or sell less than expected beyond chance; turn ("now" or "held back"; all now where fewer than
        two are faulty; sales that stay out are never held back).

    Examples
    --------
    >>> health = pd.DataFrame({"name": list("abc"), "is_faulty": [True, True, False], "is_unsold": [False, False, True], "cost_amount": [9.0, 7.0, 4.0]})
    >>> sorted(maintenance_list(health)["turn"])
    ['held back', 'now', 'now']
    """
    rows = health[health["is_faulty"] | health["is_unsold"]].reset_index(drop=True)
    rows["turn"] = "now"
    faulty = rows.index[rows["is_faulty"]]
    draws = np.random.default_rng(seed).random(len(faulty) // 2) < 0.5
    for pair, is_first in enumerate(draws):
        rows.loc[faulty[2 * pair + (0 if is_first else 1)], "turn"] = "held back"
    return counted(rows, None)


def product_alarms(health: pd.DataFrame) -> pd.DataFrame:
    """Stock that runs out before a delivery can come, and products sold below their cost, with the margin at stake.

    Parameters
    ----------
    health : DataFrame
        From `product_health`.

    Returns
    -------
    pandas.DataFrame
        One row an alarm, the most money first within each kind: kind ("runs out", "below cost"), name, supplier, n_lines, n_on_hand, stock_days, short_days,
        margin_share, stake_amount (runs out: margin of the days without stock until a delivery ordered now comes; below cost: loss a month).

    Examples
    --------
    >>> health = pd.DataFrame({"name": ["Lamp", "Mug"], "supplier": "S", "n_lines": 9, "n_on_hand": [0.0, 9.0], "stock_days": [0.0, 90.0], "short_days": [14.0, 0.0],
    ...     "is_short": [True, False], "margin_share": [0.5, -0.1], "gross_amount": [30.4375, -5.0]})
    >>> product_alarms(health)[["kind", "name", "stake_amount"]].values.tolist()
    [['runs out', 'Lamp', 14.0], ['below cost', 'Mug', 5.0]]
    """
    out, below = health[health["is_short"].eq(True)], health[health["gross_amount"] < 0]
    out = out.assign(
        kind="runs out", stake_amount=(out["gross_amount"] / MONTH * out["short_days"].fillna(0.0)).clip(lower=0)
    )
    below = below.assign(kind="below cost", stake_amount=-below["gross_amount"])
    columns = [
        "kind", "name", "supplier", "n_lines", "n_on_hand", "stock_days", "short_days", "margin_share", "stake_amount"
    ]  # fmt: skip
    rows = pd.concat([part.sort_values(["stake_amount", "name"], ascending=[False, True])[columns] for part in (out, below)], ignore_index=True)  # fmt: skip
    return counted(rows, None)


def category_price_moves(price_history: Table, products: Table, *, period: Period) -> pd.DataFrame:
    """Days on which the list prices of a whole category moved together: a decision, not a fault of each product.

    Parameters
    ----------
    price_history : price_history
        List prices and the days from which they hold.
    products : products
        Category of each product.
    period : Period
        Days of the moves.

    Returns
    -------
    pandas.DataFrame
        category, day, n_moved, n_products (with a price before that day), price_change (median, relative), n_same (that moved in its direction). In order of days.

    Examples
    --------
    >>> prices = pd.DataFrame({"product_id": list("abcabc"), "price": [10.0, 20.0, 30.0, 11.0, 22.0, 33.0],
    ...     "valid_from": pd.to_datetime(["2026-01-01"] * 3 + ["2026-10-05"] * 3).date})
    >>> own = pd.DataFrame({"product_id": list("abc"), "category": "lamps"})
    >>> moves = category_price_moves(prices, own, period=Period.parse("2026-10-01", "2026-10-31"))
    >>> moves[["category", "n_moved", "price_change"]].round(3).values.tolist()
    [['lamps', 3, 0.1]]
    """
    table, own = engine.as_table(price_history), engine.as_table(products)
    known = own.filter(own["category"].notnull()).select(known_id=own["product_id"], category=own["category"])
    rows = table.inner_join(known, table["product_id"] == known["known_id"])
    rows = rows.select("product_id", "category", day=rows["valid_from"].cast("date"), price=rows["price"].cast("float64"))  # fmt: skip
    before = rows["price"].lag().over(ibis.window(group_by="product_id", order_by="day"))
    rows = rows.mutate(price_change=engine.ratio(rows["price"], before) - 1)
    moved = engine.collect(rows.filter(rows["price_change"].notnull(), rows["price_change"] != 0, rows["day"].between(period.start, period.end)))  # fmt: skip
    firsts = engine.grouped(rows, ["category", "product_id"], first=rows["day"].min())
    found = []
    for (category, day), part in moved.groupby(["category", "day"]):
        n_products = int((firsts.loc[firsts["category"] == category, "first"] < day).sum())
        change = float(part["price_change"].median())
        n_same = int((np.sign(part["price_change"]) == np.sign(change)).sum())
        if n_same >= max(MOVED_TOGETHER * n_products, FEWEST_MOVED):
            found.append((category, day, len(part), n_products, change, n_same))
    columns = ["category", "day", "n_moved", "n_products", "price_change", "n_same"]
    return counted(pd.DataFrame(found, columns=columns).sort_values(["day", "category"], ignore_index=True), None)
