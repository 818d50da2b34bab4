"""Market basket analysis: product pairs bought in one order, or viewed in one visit, more often than chance."""

from __future__ import annotations

from itertools import pairwise

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, buyer, day_of, order_day, paid, require_table_columns
from opslib.periods import Period
from opslib.privacy import MINIMUM
from opslib.stats.association import expected_together, pair_tests

#: Strata of basket sizes: from each number of different items up to the next.
SIZE_BOUNDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
SIGNIFICANT = 0.05
MAX_PAIRS = 500_000
COLUMNS = (
    "item_a", "item_b", "n_viewed", "n_bought_both", "n_switched", "n_both", "n_a", "n_b", "n_all", "n_customers", "lift",
    "expected", "ratio", "ratio_lower", "ratio_upper", "p_value", "q_value", "is_beyond_chance",
)  # fmt: skip


def product_pairs(
    order_lines: Table,
    *,
    period: Period | None = None,
    min_support: float = 0.001,
    products: Table | None = None,
    by: str = "product_id",
) -> ir.Table:
    """Products that are bought in one order: counts, support, confidence and lift of each pair.

    Parameters
    ----------
    order_lines : order_lines
        Only paid lines count; a product counts once an order.
    period : Period or None
        Days that count; all unless given.
    min_support : float
        Share of orders (0-1) that must hold a pair; rarer products are left out before pairs are made.
    products : products or None
        Needed where ``by`` is one of its columns: category, brand, ...
    by : str
        What is paired.

    Returns
    -------
    ibis.Table
        One row a pair, lazy: item_a, item_b (a < b), n_both, n_a, n_b, n_orders (all orders), support_share,
        confidence_share (of the orders with a, those with b), reverse_confidence_share, lift (against independence; large
        baskets raise it, `co_bought` takes that out).

    Raises
    ------
    ParameterError
        ``min_support`` is not above 0 and at most 1.

    Notes
    -----
    Agrawal and Srikant (1994).

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "1", "2", "2", "3"], "product_id": ["a", "b", "a", "b", "c"],
    ...     "ordered_at": pd.to_datetime(["2026-10-05"] * 5)})
    >>> engine.collect(product_pairs(lines))[["item_a", "item_b", "n_both", "lift"]].values.tolist()
    [['a', 'b', 2, 1.5]]
    """
    bought = _bought(order_lines, period=period, products=products, by=by)
    items = bought.select("basket", "item").distinct()
    frequent, least = _frequent(items, _checked(min_support))
    # Items as numbers in their order: pairs of numbers are compared and grouped in a fifth less time than those of words.
    coded = frequent.mutate(code=ibis.row_number().over(ibis.window(order_by="item")).cast("int32"))
    both = _paired(items.inner_join(coded.select("item", "code"), "item").select("basket", item="code"))
    pairs = both.group_by("item_a", "item_b").aggregate(n_both=both.count())
    pairs = pairs.filter(pairs["n_both"].cast("float64") >= least).rename(code_a="item_a", code_b="item_b")
    one, two = (coded.select(**{f"code_{x}": "code", f"item_{x}": "item", f"n_{x}": "n_baskets"}) for x in "ab")
    full = pairs.inner_join(one, "code_a").inner_join(two, "code_b").cross_join(_total(items))
    return full.select(
        "item_a", "item_b", "n_both", "n_a", "n_b", n_orders=full["n_all"],
        support_share=engine.ratio(full["n_both"], full["n_all"]),
        confidence_share=engine.ratio(full["n_both"], full["n_a"]),
        reverse_confidence_share=engine.ratio(full["n_both"], full["n_b"]),
        lift=engine.ratio(full["n_both"].cast("float64") * full["n_all"].cast("float64"),
                          full["n_a"].cast("float64") * full["n_b"].cast("float64")),
    )  # fmt: skip


def co_bought(
    order_lines: Table,
    *,
    period: Period | None = None,
    min_support: float = 0.001,
    products: Table | None = None,
    by: str = "product_id",
) -> pd.DataFrame:
    """Complements: products bought in one order more often than chance, false discovery rate controlled.

    Chance is what would be if products fell into orders independently, given how many products each order holds:
    without that, large orders make everything look bought together. Orders of one customer are not independent, so the
    test divides counts by how much they cluster on customers.

    Parameters
    ----------
    order_lines, period, min_support, products, by
        As for `product_pairs`.

    Returns
    -------
    pandas.DataFrame
        One row a pair with at least the support, strongest evidence first: item_a, item_b, n_both, n_a, n_b, n_orders,
        n_customers (who bought both in one order), lift, expected (orders by chance), ratio (n_both over expected) with
        ratio_lower and ratio_upper, p_value, q_value (over all pairs of frequent products, those never bought together
        included), is_beyond_chance (q at most 0.05).

    Examples
    --------
    >>> others = "abcdefgh"
    >>> pairs = [("pot", "tea") if i % 3 else (others[i % 8], others[(i // 3 + 5 * i) % 7]) for i in range(96)]
    >>> orders = [(str(i), item) for i, pair in enumerate(pairs) for item in pair]
    >>> lines = pd.DataFrame(orders, columns=["order_id", "product_id"]).assign(ordered_at=pd.Timestamp("2026-10-05"))
    >>> co_bought(lines).head(1)[["item_a", "item_b", "n_both", "is_beyond_chance"]].values.tolist()
    [['pot', 'tea', 64, True]]
    """
    items = _bought(order_lines, period=period, products=products, by=by)
    found = _beyond_chance(items, min_support=_checked(min_support))
    return found.drop(columns="n_viewed").rename(columns={"n_all": "n_orders"})


def co_viewed(
    events: Table,
    *,
    period: Period | None = None,
    min_support: float = 0.0005,
    products: Table | None = None,
    by: str = "product_id",
) -> pd.DataFrame:
    """Products that are compared: looked at in one visit more often than chance, and not both bought in it.

    Parameters
    ----------
    events : events
        ``view_item`` and ``purchase`` events with a product; purchases without one count as no purchase.
    period, products, by
        As for `product_pairs`.
    min_support : float
        Share of visits with a view (0-1) that must hold a pair.

    Returns
    -------
    pandas.DataFrame
        One row a pair, strongest evidence first: item_a, item_b, n_viewed (visits with both), n_bought_both, n_switched
        (visits with both in which exactly one was bought), n_both (n_viewed - n_bought_both: what is tested), n_a, n_b,
        n_visits, n_customers (visitors), lift, expected, ratio, ratio_lower, ratio_upper, p_value, q_value,
        is_beyond_chance: as for `co_bought`.

    Examples
    --------
    >>> others = "abcdefgh"
    >>> pairs = [("fir", "oak") if i % 3 else (others[i % 8], others[(i // 3 + 5 * i) % 7]) for i in range(96)]
    >>> views = [(str(i), item) for i, pair in enumerate(pairs) for item in pair]
    >>> seen = pd.DataFrame(views, columns=["session_id", "product_id"]).assign(event_name="view_item")
    >>> co_viewed(seen).head(1)[["item_a", "item_b", "n_viewed", "is_beyond_chance"]].values.tolist()
    [['fir', 'oak', 64, True]]
    """
    seen = engine.as_table(events)
    require_table_columns(seen, "session_id", "event_name", "product_id", name="events")
    seen = seen.filter(seen["event_name"].isin(["view_item", "purchase"]))
    if period is not None:
        seen = seen.filter(day_of(seen, "occurred_at", name="events").between(period.start, period.end))
    who = seen["session_id"] if engine.is_empty(seen, "visitor_id") else seen["visitor_id"]
    named = labelled(seen.mutate(who=who, is_bought=(seen["event_name"] == "purchase").ifelse(1, 0)), products, by)
    looked = named.select("item", "who", basket=named["session_id"], bought=named["is_bought"])
    found = _beyond_chance(looked, min_support=_checked(min_support))
    return found.rename(columns={"n_all": "n_visits"})


def _checked(min_support: float) -> float:
    if not 0 < min_support <= 1:
        raise ParameterError(f"min_support: {min_support} is not a share above 0 and at most 1; e.g. 0.001")
    return min_support


def clear_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs beyond chance that enough people stand behind, by the lower end of the ratio.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `co_bought`.

    Returns
    -------
    pandas.DataFrame
        The same columns and ``is_variant``: the two names differ in one word, so they are looks or sizes of one thing.
    """
    kept = pairs[pairs["is_beyond_chance"].astype(bool) & (pairs["n_customers"] >= MINIMUM)]
    names = zip(kept["item_a"], kept["item_b"], strict=True)
    kept = kept.assign(is_variant=[_is_variant(str(a), str(b)) for a, b in names])
    return kept.sort_values(["ratio_lower", "item_a", "item_b"], ascending=[False, True, True], ignore_index=True)


def _is_variant(one: str, two: str) -> bool:
    a, b = set(one.lower().split()), set(two.lower().split())
    return len(a & b) >= 2 and len(a - b) <= 1 and len(b - a) <= 1


def labelled(rows: ir.Table, products: Table | None, by: str) -> ir.Table:
    """Rows with the column ``item``: the product, or its label in the catalogue."""
    if by == "product_id":
        return rows.filter(rows["product_id"].notnull()).mutate(item=rows["product_id"].cast("string"))
    if products is None:
        raise ParameterError(f"by: '{by}' is a column of products; pass products=")
    catalogue = engine.as_table(products)
    require_table_columns(catalogue, "product_id", by, name="products")
    labels = catalogue.filter(catalogue[by].notnull()).select("product_id", item=catalogue[by].cast("string"))
    return rows.inner_join(labels, "product_id")


def _bought(order_lines: Table, *, period: Period | None, products: Table | None, by: str) -> ir.Table:
    """basket, item and who of every paid line."""
    lines = paid(order_lines)
    require_table_columns(lines, "order_id", "product_id", name="order_lines")
    lines = in_period(lines, period)
    named = labelled(lines, products, by)
    return named.select("item", basket=named["order_id"], who=buyer(named))


def label_column(products: Table) -> str:
    """What products are called by: their name where any has one, else their id.

    Examples
    --------
    >>> label_column(pd.DataFrame({"product_id": ["a"], "name": ["Lamp"]}))
    'name'
    """
    return "product_id" if engine.is_empty(products, "name") else "name"


def in_period(lines: ir.Table, period: Period | None) -> ir.Table:
    """Lines of the period's local days; all of them without one."""
    return lines if period is None else lines.filter(order_day(lines).between(period.start, period.end))


def _total(items: ir.Table) -> ir.Table:
    return items.aggregate(n_all=items["basket"].nunique())


def _frequent(items: ir.Table, min_support: float) -> tuple[ir.Table, ir.FloatingScalar]:
    """Items in enough baskets, and how many are enough."""
    least = _total(items)["n_all"].as_scalar().cast("float64") * min_support
    counts = items.group_by("item").aggregate(n_baskets=items.count())
    return counts.filter(counts["n_baskets"].cast("float64") >= least), least


def _paired(kept: ir.Table) -> ir.Table:
    """Every basket's pairs of items: one self-join."""
    others = [name for name in kept.columns if name not in ("basket", "item", "who")]
    one = kept.select(
        "basket", item_a="item", **({"who": "who"} if "who" in kept.columns else {}), **{f"{n}_a": n for n in others}
    )
    two = kept.select("basket", item_b="item", **{f"{name}_b": name for name in others})
    return one.join(two, [one["basket"] == two["basket"], one["item_a"] < two["item_b"]])


def _pair_sums(items: ir.Table, frequent: ir.Table, least: ir.FloatingScalar) -> ir.Table:
    """Baskets, people and clustering of each pair; ``n_both`` leaves out baskets in which both were bought after a look."""
    both = _paired(items.semi_join(frequent, "item"))
    often = both.group_by("item_a", "item_b").aggregate(n=both.count())
    both = both.semi_join(often.filter(often["n"].cast("float64") >= least), ["item_a", "item_b"])
    bought = {}
    if "bought" in items.columns:
        one, two = both["bought_a"], both["bought_b"]
        bought = {"n_bought_both": (one * two).sum(), "n_switched": (one + two - 2 * one * two).sum()}
    own = both.group_by("item_a", "item_b", "who").aggregate(n_viewed=both.count(), **bought)
    own = own.mutate(n_both=own["n_viewed"] - own["n_bought_both"] if bought else own["n_viewed"])
    pairs = own.group_by("item_a", "item_b").aggregate(
        **{name: own[name].sum() for name in ("n_viewed", *bought, "n_both")},
        squares=(own["n_both"].cast("float64") * own["n_both"].cast("float64")).sum(),
        n_customers=(own["n_both"] > 0).ifelse(1, 0).sum(),
    )
    return pairs.order_by("item_a", "item_b")


def _beyond_chance(rows: ir.Table, *, min_support: float) -> pd.DataFrame:
    """Pairs of items with what chance would give, tested."""
    bought = {"bought": rows["bought"].max()} if "bought" in rows.columns else {}
    items = rows.group_by("basket", "item").aggregate(who=rows["who"].max(), **bought)
    frequent, least = _frequent(items, min_support)
    pairs = engine.collect(_pair_sums(items, frequent, least), max_rows=MAX_PAIRS)
    sized = items.mutate(size=items.count().over(ibis.window(group_by="basket")))
    stratum = ibis.cases(*((sized["size"] < high, low) for low, high in pairwise(SIZE_BOUNDS)), else_=SIZE_BOUNDS[-1])
    sized, n_others = sized.mutate(stratum=stratum), (sized["size"] - 1).sum()
    per = sized.group_by("item", "stratum").aggregate(n=sized.count(), n_others=n_others)
    baskets = sized["basket"].nunique()
    strata = engine.grouped(sized, "stratum", n_sets=baskets, n_items=sized.count(), n_others=n_others)
    counts = engine.collect(per.semi_join(frequent, "item").order_by("item", "stratum"), max_rows=MAX_PAIRS)
    n_all = int(engine.collect(_total(items))["n_all"].iloc[0])
    return _tested(pairs, counts, strata, n_all)


def _tested(pairs: pd.DataFrame, counts: pd.DataFrame, strata: pd.DataFrame, n_all: int) -> pd.DataFrame:
    totals = counts.groupby("item")["n"].sum()
    found = pairs.assign(
        n_a=pairs["item_a"].map(totals), n_b=pairs["item_b"].map(totals), n_all=n_all,
        expected=expected_together(counts, strata, pairs) if len(pairs) else 0.0,
    )  # fmt: skip
    n = found["n_both"].to_numpy(dtype="float64")
    spread = np.divide(found["squares"].to_numpy(dtype="float64"), n, where=n > 0, out=np.ones_like(n))
    tests = pair_tests(
        n, found["expected"].to_numpy(dtype="float64"), dispersion=spread, n_tested=len(totals) * (len(totals) - 1) // 2
    )
    found["lift"] = n * n_all / (found["n_a"].astype("float64") * found["n_b"].astype("float64"))
    found = pd.concat([found, tests], axis=1)
    found["is_beyond_chance"] = found["q_value"] <= SIGNIFICANT
    found = found[[name for name in COLUMNS if name in found.columns]]
    order = ["p_value", "ratio_lower", "item_a", "item_b"]
    return found.sort_values(order, ascending=[True, False, True, True], ignore_index=True)
