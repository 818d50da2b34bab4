"""Substitutes, groups of substitutes, and cannibalisation by launches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import t as student

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, order_day, paid, require_table_columns
from opslib.periods import Period
from opslib.positioning.pairs import MAX_PAIRS, SIGNIFICANT, co_viewed, in_period
from opslib.stats.association import linked_groups, pair_tests
from opslib.stats.multiplicity import false_discovery_rates

#: Classes of order sizes (different items) within which a customer's orders are compared.
SIZE_CLASSES = (4, 16)
#: Orders with both that chance must give before a pair is tested: with fewer, none together says nothing.
MIN_EXPECTED = 5.0
#: Whole weeks before and after a launch, lines sold on either side, and groups without a launch, that an answer needs.
MIN_WEEKS, MIN_LINES, MIN_PLACEBOS = 8, 30, 8
#: Weeks on either side of a launch that are compared at most: in longer ones every product drifts.
MAX_WEEKS = 26
LEVEL = 0.95


def substitutes(order_lines: Table, products: Table, *, period: Period, by: str = "product_id") -> pd.DataFrame:
    """Substitutes: items of one category that the same customers buy in turn, and in one order less often than chance.

    Chance is each customer's own: her orders of a quarter and of a size class are shuffled, so that neither taste, nor
    season, nor large orders can look like competition. Without views of products this is the weaker evidence: it misses
    products whose buyers never change, and sees what is bought in turn for other reasons.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines with a customer count.
    products : products
        product_id, category, and ``by`` where it is another.
    period : Period
        Days that count.
    by : str
        What competes: product_id, or a column of products.

    Returns
    -------
    pandas.DataFrame
        One row a pair that can be tested (at least five orders with both by chance), strongest evidence first: group,
        item_a, item_b, n_both (orders), n_customers (who bought both in one quarter), expected, ratio, ratio_lower,
        ratio_upper, p_value, q_value (over these pairs), is_substitute (q at most 0.05).

    Notes
    -----
    Cochran (1954), Mantel and Haenszel (1959): strata are customer x quarter x size class.

    Examples
    --------
    >>> rows = [(f"{c}-{i}", c, "tea" if i % 2 else "coffee") for c in "abcdef" for i in range(8)]
    >>> lines = pd.DataFrame(rows, columns=["order_id", "customer_id", "product_id"]).assign(ordered_at=pd.Timestamp("2026-10-05"))
    >>> own = pd.DataFrame({"product_id": ["tea", "coffee"], "category": "hot drinks"})
    >>> found = substitutes(lines, own, period=Period.parse("2026-10-01", "2026-10-31"))
    >>> found[["item_a", "item_b", "n_both", "expected", "is_substitute"]].values.tolist()
    [['coffee', 'tea', 0, 12.0, True]]
    """
    lines = in_period(paid(order_lines), period)
    require_table_columns(lines, "order_id", "customer_id", "product_id", name="order_lines")
    catalogue = engine.as_table(products)
    require_table_columns(catalogue, "product_id", by, "category", name="products")
    own = catalogue.filter(catalogue[by].notnull() & catalogue["category"].notnull())
    labels = own.select(key="product_id", item=own[by].cast("string"), group=own["category"].cast("string"))
    known = lines.filter(lines["customer_id"].notnull())
    rows = known.select("order_id", "product_id", who=known["customer_id"], quarter=order_day(known).truncate("Q"))
    rows = rows.inner_join(labels, rows["product_id"] == labels["key"])
    items = rows.group_by("order_id", "who", "quarter", "group", "item").aggregate(n_rows=rows.count())
    found = engine.collect(_in_turn(items))
    n, expected = (found[name].to_numpy(dtype="float64") for name in ("n_both", "expected"))
    spread = np.maximum(found["variance"].to_numpy(dtype="float64") / np.maximum(expected, 1e-12), 1e-6)
    tests = pair_tests(n, expected, dispersion=spread, n_tested=len(found), side="less")
    found = pd.concat([found.drop(columns="variance"), tests], axis=1)
    found["is_substitute"] = found["q_value"] <= SIGNIFICANT
    return found.sort_values(["p_value", "ratio_upper", "item_a", "item_b"], ignore_index=True)


def _in_turn(items: ir.Table) -> ir.Table:
    """Orders with both items of a pair beside their hypergeometric mean and variance, summed over strata."""
    sized = items.mutate(size=items.count().over(ibis.window(group_by="order_id")))
    low, high = SIZE_CLASSES
    stratum = ibis.cases((sized["size"] < low, 0), (sized["size"] < high, 1), else_=2)
    rows = sized.mutate(stratum=stratum)
    cell = ("who", "quarter", "stratum")
    orders = rows.group_by(*cell).aggregate(n=rows["order_id"].nunique().cast("float64"))
    held = rows.group_by(*cell, "group", "item").aggregate(k=rows.count().cast("float64"))
    held = held.inner_join(orders, cell).filter(lambda t: t["n"] > 1)
    one, two = (held.select(*cell, "group", "n", **{f"item_{x}": "item", f"k_{x}": "k"}) for x in "ab")
    cells = one.join(
        two.drop("n"), [*(one[name] == two[name] for name in (*cell, "group")), one["item_a"] < two["item_b"]]
    )
    a, b, n = cells["k_a"], cells["k_b"], cells["n"]
    margins = cells.group_by("group", "item_a", "item_b").aggregate(
        n_customers=cells["who"].nunique(),
        expected=engine.ratio(a * b, n).sum(),
        variance=engine.ratio(a * (n - a) * b * (n - b), n * n * (n - 1)).sum(),
    )
    margins = margins.filter(margins["expected"] >= MIN_EXPECTED)
    kept = rows.inner_join(orders, cell).filter(lambda t: t["n"] > 1)
    left, right = (kept.select("order_id", "group", **{f"item_{x}": "item"}) for x in "ab")
    both = left.join(
        right,
        [left["order_id"] == right["order_id"], left["group"] == right["group"], left["item_a"] < right["item_b"]],
    )
    counts = both.group_by("item_a", "item_b").aggregate(n_seen=both.count())
    joined = margins.left_join(counts, ["item_a", "item_b"])
    return joined.select(
        "group", "item_a", "item_b", "n_customers", "expected", "variance", n_both=joined["n_seen"].fill_null(0)
    ).order_by("group", "item_a", "item_b")


def rivals(
    events: Table, order_lines: Table, products: Table, *, period: Period, min_support: float, by: str = "product_id"
) -> tuple[pd.DataFrame, bool]:
    """Products that compete: by visits where views are known, else by what customers buy in turn.

    Parameters
    ----------
    events, order_lines, products : table
        As for `co_viewed` and `substitutes`; empty where the shop has none.
    period : Period
        Days that count.
    min_support : float
        For visits, as for `co_viewed`.
    by : str
        Column of products that names them.

    Returns
    -------
    (pandas.DataFrame, bool)
        Pairs as `co_viewed` or `substitutes` give them, and whether they come from visits.

    Examples
    --------
    >>> none = pd.DataFrame({"product_id": [], "category": []})
    >>> lines = pd.DataFrame({"order_id": ["1"], "customer_id": [None], "product_id": ["a"], "ordered_at": pd.Timestamp("2026-10-05")})
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> found, from_views = rivals(pd.DataFrame(), lines, none, period=october, min_support=0.0005)
    >>> len(found), from_views
    (0, False)
    """
    if not engine.is_empty(events, "product_id"):
        return co_viewed(events, period=period, min_support=min_support, products=products, by=by), True
    if engine.is_empty(products, "category") or engine.is_empty(order_lines, "customer_id"):
        return pd.DataFrame(columns=["item_a", "item_b", "is_substitute", "n_customers"]), False
    return substitutes(order_lines, products, period=period, by=by), False


def substitute_groups(pairs: pd.DataFrame) -> pd.DataFrame:
    """Groups of products that compete with each other.

    Parameters
    ----------
    pairs : DataFrame
        From `co_viewed` or `substitutes`: only pairs that passed their test link two products.

    Returns
    -------
    DataFrame
        item, group (1, 2, ... largest first), n_items; groups of at least two in which half of the pairs are linked.

    Examples
    --------
    >>> pairs = pd.DataFrame({"item_a": ["a", "c"], "item_b": ["b", "d"], "is_substitute": [True, False]})
    >>> substitute_groups(pairs).values.tolist()
    [['a', 1, 2], ['b', 1, 2]]
    """
    flag = next((name for name in ("is_substitute", "is_beyond_chance") if name in pairs.columns), None)
    if flag is None:
        raise ParameterError(
            "substitute groups: pairs need is_substitute or is_beyond_chance; pass what substitutes or co_viewed gave"
        )
    linked = pairs[pairs[flag].astype(bool)]
    labels = linked_groups(list(zip(linked["item_a"], linked["item_b"], strict=True)))
    out = pd.DataFrame({"item": list(labels), "group": list(labels.values())}, columns=["item", "group"])
    out["n_items"] = out.groupby("group")["item"].transform("size").astype("int64")
    out = out[out["n_items"] > 1].sort_values(
        ["n_items", "group", "item"], ascending=[False, True, True], ignore_index=True
    )
    out["group"] = pd.factorize(out["group"])[0] + 1
    return out


def cannibalisation(
    order_lines: Table, products: Table, *, groups: pd.DataFrame, period: Period, by: str = "product_id"
) -> pd.DataFrame:
    """Cannibalisation: what each product launched in the period took from its substitutes.

    The launch's group is compared with the rest of its category, before and after, on logarithms of lines sold in whole
    weeks. The yardstick is the same comparison for all groups without a launch, so that prices, stock and fashion of a few
    products are inside the interval.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines.
    products : products
        product_id, category; ``launched_at`` where known, else a launch is a first sale at least `MIN_WEEKS` after the
        start.
    groups : DataFrame
        ``item`` and ``group``, from `substitute_groups`.
    period : Period
        Days that count.
    by : str
        What the items of ``groups`` are: product_id, or a column of products.

    Returns
    -------
    pandas.DataFrame
        One row a product launched in the period, by day: item, launched_on, group, n_weeks_before, n_weeks_after,
        n_lines_new (of the launch), n_lines_before and n_lines_after (of the group without it), lost_share (of the
        group's sales, a week) with lost_share_lower and lost_share_upper, taken_ratio (lines the group lost over lines the launch
        sold; above 1 the launch cost more than it sold) with taken_ratio_lower and taken_ratio_upper, p_value, q_value (over the
        launches with an answer), n_placebos, reason (why there is no answer, else empty), is_taken (q at most 0.05, and
        the interval of what was lost is above zero).

    Raises
    ------
    ParameterError
        ``groups`` lacks a column.

    Notes
    -----
    Difference-in-differences collapsed by group (Bertrand, Duflo, Mullainathan 2004), placebo groups as in Conley and Taber
    (2011); Student's t.

    Examples
    --------
    >>> weeks = pd.date_range("2026-01-05", periods=20, freq="W-MON")
    >>> rows = [(w, p) for w in weeks for p in "abcd" for _ in range(4) if p != "b" or w >= weeks[10]]
    >>> lines = pd.DataFrame(rows, columns=["ordered_at", "product_id"]).assign(order_id=lambda t: t.index.astype(str))
    >>> own = pd.DataFrame({"product_id": list("abcd"), "category": "x"})
    >>> groups = pd.DataFrame({"item": list("abcd"), "group": [1, 1, 2, 2]})
    >>> cannibalisation(lines, own, groups=groups, period=Period.parse("2026-01-05", "2026-05-24"))[["item", "reason"]].values.tolist()
    [['b', '1 group without a launch to compare with; 8 are needed']]
    """
    for name in ("item", "group"):
        if name not in groups.columns:
            raise ParameterError(f"cannibalisation: groups lack '{name}'; pass what substitute_groups gave")
    catalogue = engine.as_table(products)
    require_table_columns(catalogue, "product_id", "category", by, name="products")
    lines = in_period(paid(order_lines), period)
    if not len(groups):
        return pd.DataFrame(columns=_TAKEN)
    labels = catalogue.select(key="product_id", item=catalogue[by].cast("string"), category=catalogue["category"])
    sold = lines.select("product_id", day=order_day(lines)).inner_join(labels, lines["product_id"] == labels["key"])
    weekly = _weekly_lines(sold, groups, period)
    launches = _launches(sold, catalogue, groups, period, by)
    rows = [_taken(launch, weekly, launches, period=period) for launch in launches.itertuples()]
    found = pd.DataFrame(rows, columns=_TAKEN)
    answered = found["p_value"].notna()
    p_values = found.loc[answered, "p_value"].to_numpy(dtype="float64")
    found.loc[answered, "q_value"] = false_discovery_rates(p_values, n_tested=len(p_values))
    return found.assign(is_taken=(found["q_value"] <= SIGNIFICANT) & (found["lost_share_lower"] > 0))


_TAKEN = (
    "item", "launched_on", "group", "n_weeks_before", "n_weeks_after", "n_lines_new", "n_lines_before",
    "n_lines_after", "lost_share", "lost_share_lower", "lost_share_upper", "taken_ratio", "taken_ratio_lower", "taken_ratio_upper", "p_value",
    "q_value", "n_placebos", "reason", "is_taken",
)  # fmt: skip


def _weekly_lines(sold: ir.Table, groups: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Lines of each category and week, by grouped item; the rest of the category has no item."""
    item = sold["item"].isin(sorted(groups["item"].astype(str))).ifelse(sold["item"], ibis.null("string"))
    week = engine.days_between(sold["day"], ibis.literal(period.start)) // 7
    rows = sold.mutate(item=item, week=week)
    weekly = engine.grouped(rows, ["category", "item", "week"], max_rows=MAX_PAIRS, n=rows.count())
    weekly["group"] = weekly["item"].map(groups.set_index("item")["group"])
    return weekly[weekly["week"] < period.n_days // 7]


def _launches(sold: ir.Table, catalogue: ir.Table, groups: pd.DataFrame, period: Period, by: str) -> pd.DataFrame:
    """Grouped items that came in the period: item, launched_on, group."""
    if not engine.is_empty(catalogue, "launched_at"):
        days = catalogue.group_by(item=catalogue[by].cast("string")).aggregate(
            launched_on=catalogue["launched_at"].cast("date").min()
        )
        first = period.start
    else:
        days = sold.group_by("item").aggregate(launched_on=sold["day"].min())
        first = period.start + timedelta(weeks=MIN_WEEKS)
    days = days.filter(days["launched_on"].between(first, period.end)).order_by("launched_on", "item")
    return engine.collect(days).merge(groups[["item", "group"]], on="item")


def _taken(launch: Any, weekly: pd.DataFrame, launches: pd.DataFrame, *, period: Period) -> dict[str, Any]:
    """One launch's row: products that are new themselves are left out of every group and category."""
    cut, n_weeks = (launch.launched_on.date() - period.start).days / 7, period.n_days // 7
    last, first = int(cut) - 1, int(np.ceil(cut))  # the week of the launch, where it is a part, belongs to neither side
    before, after = min(last + 1, MAX_WEEKS), min(n_weeks - first, MAX_WEEKS)
    is_before = weekly["week"].between(last - before + 1, last)
    is_after = weekly["week"].between(first, first + after - 1)
    sides = weekly[is_before | is_after].assign(side=is_after.astype(int))
    is_new = sides["item"] == launch.item
    settled = sides[~sides["item"].isin(launches["item"])]
    sums, rest = (_by_side(settled, key) for key in ("group", "category"))
    own = sums.loc[launch.group].to_numpy() if launch.group in sums.index else np.zeros(2)
    row = {
        "item": launch.item, "launched_on": launch.launched_on, "group": launch.group, "n_weeks_before": before,
        "n_weeks_after": after, "n_lines_new": int(sides.loc[is_new & (sides["side"] == 1), "n"].sum()),
        "n_lines_before": int(own[0]), "n_lines_after": int(own[1]),
    }  # fmt: skip
    # A group's home is the category of most of its lines; those that it sold elsewhere are no part of the category's rest.
    parts = settled.groupby(["group", "category"], as_index=False).agg({"n": "sum"}).sort_values("n", kind="stable")
    home = parts.drop_duplicates("group", keep="last").set_index("group")["category"]
    inside = _by_side(settled[settled["category"] == settled["group"].map(home)], "group")
    others = rest.reindex(home.reindex(sums.index)).to_numpy() - inside.reindex(sums.index).to_numpy()
    enough = (sums.to_numpy() >= MIN_LINES).all(axis=1) & (others >= MIN_LINES).all(axis=1)
    both = np.column_stack([sums.to_numpy(), others])[enough]
    gaps = pd.DataFrame(
        {"change": np.log(both[:, 1] * both[:, 2] / (both[:, 0] * both[:, 3])), "noise": (1 / both).sum(axis=1)},
        index=sums.index[enough],
    )
    placebos = gaps[~gaps.index.isin(launches["group"])]
    reason = _too_little(min(before, after), launch.group in gaps.index, len(placebos))
    row |= {"n_placebos": len(placebos), "reason": reason}
    return row if reason else row | _loss(gaps.loc[launch.group], placebos, row)


def _loss(own: pd.Series, placebos: pd.DataFrame, row: dict[str, Any]) -> dict[str, float]:
    """What the group lost, as a share of its own sales and of the launch's.

    The spread of the placebo groups beyond that of counting goes with every group; counting noise with each group's size.
    """
    n, df = len(placebos), len(placebos) - 1
    drift = max(float(placebos["change"].var()) - float(placebos["noise"].mean()), 0.0)
    error = float(np.sqrt(drift + own["noise"] + placebos["change"].var() / n))
    effect, half = float(own["change"] - placebos["change"].mean()), student.ppf(0.5 + LEVEL / 2, df) * error
    out = {"p_value": float(2 * student.sf(abs(effect) / error, df))}
    for end, change in {"": effect, "_lower": effect + half, "_upper": effect - half}.items():
        out[f"lost_share{end}"] = -float(np.expm1(change))
        lost = row["n_lines_after"] * float(np.expm1(-change))
        out[f"taken_ratio{end}"] = lost / row["n_lines_new"] if row["n_lines_new"] else float("nan")
    return out


def _too_little(n_weeks: int, has_sold: bool, n_placebos: int) -> str:
    if n_weeks < MIN_WEEKS:
        return f"{n_weeks} whole weeks on one side of the launch; {MIN_WEEKS} are needed"
    if not has_sold:
        return f"fewer than {MIN_LINES} lines of its group, or of the rest of its category, on one side of the launch"
    if n_placebos < MIN_PLACEBOS:
        return f"{n_placebos} group{'' if n_placebos == 1 else 's'} without a launch to compare with; {MIN_PLACEBOS} are needed"
    return ""


def _by_side(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """Lines before (0) and after (1) of each group or category."""
    return rows.pivot_table(index=key, columns="side", values="n", aggfunc="sum", fill_value=0).reindex(
        columns=[0, 1], fill_value=0
    )
