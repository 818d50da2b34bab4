"""Decomposition of a revenue change into effects that add up to it (LMDI; volume, mix, rate), and concentration."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import line_revenue, order_day, order_totals, paid, require_table_columns, with_column
from opslib.metrics.blocks import Table, buyer
from opslib.periods import Coverage, Period
from opslib.privacy import MINIMUM
from opslib.stats.decomposition import group_effects, lmdi_effects
from opslib.suppression import counted, of_people

_CHANGES = [
    "group",
    "revenue_before",
    "revenue_after",
    "change_amount",
    "volume_amount",
    "mix_amount",
    "rate_amount",
    "n_before",
    "n_after",
]
_MOVERS = ["group", "revenue_before", "revenue_after", "change_amount", "n_before", "n_after"]
FACTORS = ("buyers", "orders_per_buyer", "items_per_order", "price_per_item")


def decompose_change(
    order_lines: Table, *, period: Period, baseline: Period | None, coverage: Coverage | None = None
) -> pd.DataFrame:
    """Revenue change decomposed into buyers, orders per buyer, items per order and price per item.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count; a guest's order is a buyer of its own.
    period : Period
        After.
    baseline : Period or None
        Before; None: nothing is told apart.
    coverage : Coverage or None
        Days seen: where either period was not seen as a whole, nothing is told apart.

    Returns
    -------
    DataFrame
        One row a factor: factor, before, after, effect_amount (they sum to the change of revenue), effect_share (of
        revenue before; missing if that is 0), n_before and n_after (buyers).

    Raises
    ------
    ParameterError
        The periods overlap.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": "a", "customer_id": ["x", "x"],
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"]), "quantity": [1.0, 3.0], "unit_price": 4.0})
    >>> months = Period.parse("2026-01-01", "2026-02-28").split("month")
    >>> effects = decompose_change(lines, period=months[1], baseline=months[0])
    >>> effects.set_index("factor")["effect_amount"].round(9).to_dict()
    {'buyers': 0.0, 'orders_per_buyer': 0.0, 'items_per_order': 8.0, 'price_per_item': 0.0}
    """
    nothing = pd.DataFrame(columns=["factor", "before", "after", "effect_amount", "effect_share"])
    if baseline is None or not _comparable(coverage, period, baseline):
        return nothing
    orders = order_totals(order_lines)
    orders = orders.filter(_within(orders["ordered_on"], baseline) | _within(orders["ordered_on"], period))
    sums: dict[str, ir.Value] = {}
    for label, part in (("0", baseline), ("1", period)):
        inside = _within(orders["ordered_on"], part)
        sums |= {
            f"buyers{label}": orders["buyer_id"].nunique(where=inside),
            f"orders{label}": orders.count(where=inside),
            f"items{label}": orders["n_items"].sum(where=inside),
            f"revenue{label}": orders["revenue_amount"].sum(where=inside).cast("float64"),
        }
    row = engine.collect(orders.aggregate(**sums)).astype("float64").fillna(0.0).iloc[0]
    if not row["orders0"] and not row["orders1"]:
        return nothing
    before, after = (_factors(*(row[f"{name}{label}"] for name in _LEVELS)) for label in ("0", "1"))
    effects = lmdi_effects(before, after)
    share = effects / row["revenue0"] if row["revenue0"] else np.full(len(effects), np.nan)
    told = {"factor": FACTORS, "before": before, "after": after, "effect_amount": effects, "effect_share": share}
    told |= {"n_before": row["buyers0"], "n_after": row["buyers1"]}
    return counted(pd.DataFrame(told), ("n_before", "n_after"), by=["factor"], adds_up=False)


_LEVELS = ("buyers", "orders", "items", "revenue")


def _factors(*levels: float) -> list[float]:
    """Each level over the one above it; missing where that is 0."""
    ratios = [b / a if a else float("nan") for a, b in pairwise(levels)]
    return [levels[0], *ratios]


def _within(day: ir.DateValue, period: Period) -> ir.BooleanValue:
    return (day >= period.start) & (day < period.until)


def _comparable(coverage: Coverage | None, period: Period, baseline: Period) -> bool:
    """Whether both periods, which must lie apart, were seen as a whole."""
    if baseline.start <= period.end and period.start <= baseline.end:
        raise ParameterError(f"baseline: {baseline.label} overlaps {period.label}; choose periods apart")
    return coverage is None or coverage.status(baseline) == coverage.status(period) == "complete"


@of_people(("n_before", "n_after"), by=("group",))
def decompose_by(
    order_lines: Table,
    *,
    by: str,
    period: Period,
    baseline: Period | None,
    products: Table | None = None,
    coverage: Coverage | None = None,
) -> pd.DataFrame:
    """Revenue change per group as volume, mix and rate, adding up to the change of the whole.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count.
    by : str
        A column of the lines, or of ``products`` (category, brand).
    period, baseline : Period
        After and before; without a baseline there is no change.
    products : products or None
        Where ``by`` stands, if not in the lines.
    coverage : Coverage or None
        As for `decompose_change`.

    Returns
    -------
    DataFrame
        One row a group, largest change first: group (the value of ``by``; missing values as their own), revenue_before,
        revenue_after, change_amount, volume_amount (the shop's items in all), mix_amount (the group's share of them),
        rate_amount (revenue an item), n_before and n_after (customers, and
        orders without one). The three sum to the change of the group, the groups to that of the shop.

    Raises
    ------
    ContractError
        No such column.
    ParameterError
        The periods overlap.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": "a", "country": "DE", "quantity": [1.0, 3.0],
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"]), "unit_price": 4.0})
    >>> months = Period.parse("2026-01-01", "2026-02-28").split("month")
    >>> found = decompose_by(lines, by="country", period=months[1], baseline=months[0])
    >>> found[["group", "change_amount", "volume_amount"]].values.tolist()
    [['DE', 8.0, 8.0]]
    """
    if baseline is None or not _comparable(coverage, period, baseline):
        return pd.DataFrame(columns=_CHANGES)
    groups, sums = _sides(order_lines, by=by, period=period, baseline=baseline, products=products)
    found = engine.collect(groups.order_by("group"))
    found = found.fillna(dict.fromkeys(sums, 0.0)).astype(dict.fromkeys(sums, "float64"))
    return group_effects(found, units="items", total="revenue")[_CHANGES]


def _sides(
    order_lines: Table, *, by: str, period: Period, baseline: Period, products: Table | None
) -> tuple[ir.Table, list[str]]:
    """One row a group with its items, revenue and buyers before and after, and the names of these columns."""
    lines = paid(order_lines)
    lines = with_column(lines, by, {} if products is None else {"products": engine.as_table(products)}, why="by")
    person = buyer(lines)
    rows = lines.select(
        group=lines[by], day=order_day(lines), items=lines["quantity"], amount=line_revenue(lines), person=person
    )
    rows = rows.filter(_within(rows["day"], baseline) | _within(rows["day"], period))
    sums: dict[str, ir.Value] = {}
    for label, part in (("before", baseline), ("after", period)):
        inside = _within(rows["day"], part)
        sums[f"items_{label}"] = rows["items"].sum(where=inside).cast("float64")
        sums[f"revenue_{label}"] = rows["amount"].sum(where=inside).cast("float64")
        sums[f"n_{label}"] = rows["person"].nunique(where=inside).cast("float64")
    return rows.group_by("group").aggregate(**sums), list(sums)


@of_people(("n_before", "n_after"), by=("group",), adds_up=False)
def largest_changes(
    order_lines: Table,
    *,
    period: Period,
    baseline: Period | None,
    products: Table,
    n: int = 5,
    minimum: int = MINIMUM,
) -> pd.DataFrame:
    """Products whose revenue rose and fell by the largest amounts, by name.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count.
    period, baseline : Period
        After and before; without a baseline there is no change.
    products : products
        For their names; products of one name count together, one without a name is called by its number.
    n : int
        Products that rose, and as many that fell, at most.
    minimum : int
        Fewest buyers on each side on which a product was sold: what a handful of people bought is theirs.

    Returns
    -------
    DataFrame
        One row a name, the largest rise first and the largest fall last: group (its name), revenue_before, revenue_after,
        change_amount, n_before and n_after (customers, and orders without one).

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": ["a", "b"], "quantity": 1.0, "unit_price": [4.0, 6.0],
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"])})
    >>> months = Period.parse("2026-01-01", "2026-02-28").split("month")
    >>> names = pd.DataFrame({"product_id": ["a", "b"], "name": ["mug", "rug"]})
    >>> found = largest_changes(lines, period=months[1], baseline=months[0], products=names, minimum=1)
    >>> found[["group", "change_amount"]].values.tolist()
    [['rug', 6.0], ['mug', -4.0]]
    """
    if baseline is None or not _comparable(None, period, baseline):
        return pd.DataFrame(columns=_MOVERS)
    lines = with_column(paid(order_lines), "name", {"products": engine.as_table(products)}, why="names of products")
    lines = lines.mutate(name=ibis.coalesce(lines["name"], lines["product_id"].cast("string")))
    groups, sums = _sides(lines, by="name", period=period, baseline=baseline, products=None)
    groups = groups.mutate(**{name: groups[name].fill_null(0.0) for name in sums})
    is_many = [(groups[side] == 0) | (groups[side] >= minimum) for side in ("n_before", "n_after")]
    rows = groups.filter(*is_many, groups["group"].notnull())
    rows = rows.mutate(change_amount=rows["revenue_after"].round(4) - rows["revenue_before"].round(4))
    rose, fell = (rows.filter(rows["change_amount"] * sign > 0) for sign in (1, -1))
    rose = rose.order_by(ibis.desc("change_amount"), "group").limit(n)
    ends = rose.union(fell.order_by("change_amount", "group").limit(n))
    found = engine.collect(ends.order_by(ibis.desc("change_amount"), "group"))
    return found[_MOVERS]


def concentration(
    order_lines: Table,
    *,
    period: Period,
    by: str = "customer_id",
    top: Sequence[float] = (0.01, 0.1, 0.2),
) -> pd.DataFrame:
    """Concentration of revenue: the share of the largest customers or products.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count.
    period : Period
        Days that count.
    by : {"customer_id", "product_id", "country", ...}
        Whose revenue; ``customer_id`` leaves out lines without a customer.
    top : sequence of float
        Shares of them, from the best (0-1).

    Returns
    -------
    DataFrame
        One row a share, none where nothing was sold: top_share, n (how many that is, also in part), n_all, revenue_amount, revenue_share. Those
        with equal revenue are interchangeable, so nothing depends on the order of rows.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": "a", "customer_id": ["x", "y"],
    ...     "ordered_at": pd.to_datetime(["2026-01-05"] * 2), "quantity": 1.0, "unit_price": [9.0, 1.0]})
    >>> concentration(lines, period=Period.parse("2026-01-01", "2026-01-31"), top=[0.5])["revenue_share"].tolist()
    [0.9]
    """
    lines = paid(order_lines)
    require_table_columns(lines, by, name="order_lines")
    rows = lines.select(key=lines[by], day=order_day(lines), amount=line_revenue(lines))
    rows = rows.filter(rows["key"].notnull(), rows["day"] >= period.start, rows["day"] < period.until)
    totals = rows.group_by("key").aggregate(amount=rows["amount"].sum())
    values = totals.group_by("amount").aggregate(n=totals.count().cast("float64"))
    frame = ibis.range_window(preceding=None, following=0, order_by=ibis.desc(values["amount"]))
    values = values.mutate(until=values["n"].sum().over(frame), n_all=values["n"].sum().over(ibis.window()))
    amount, before = values["amount"].cast("float64"), values["until"] - values["n"]
    held = {
        f"top{i}": (ibis.least(ibis.greatest(values["n_all"] * share - before, 0), values["n"]) * amount).sum()
        for i, share in enumerate(top)
    }
    row = engine.collect(values.aggregate(all=(amount * values["n"]).sum(), n_all=values["n"].sum(), **held)).iloc[0]
    amounts = np.array([float(row[name]) for name in held])
    shares = {"top_share": list(top), "n": [share * row["n_all"] for share in top], "n_all": row["n_all"]}
    told = pd.DataFrame({**shares, "revenue_amount": amounts, "revenue_share": amounts / (row["all"] or np.nan)})
    told = told.dropna(subset=["n_all"])
    return counted(told, "n" if by == "customer_id" else None, by=["top_share"], adds_up=False)
