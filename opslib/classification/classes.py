"""ABC-XYZ classification of products by value and variability of demand, with a treatment a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.formats import count_of
from opslib.metrics import MONEY, line_revenue, order_day, paid, require_table_columns, running_shares
from opslib.metrics.blocks import Table, group_sizes
from opslib.periods import Coverage, Grain, Period, floor_date, next_start

Value = Literal["revenue", "margin", "units"]


@dataclass(frozen=True, slots=True)
class Treatment:
    """What a class of products gets, and from whom."""

    name: str
    action: str
    department: str


TREATMENTS: dict[str, Treatment] = {
    "AX": Treatment("never out", "replenish automatically, small safety stock, fixed supplier", "Buying"),
    "AY": Treatment("forecast and buffer", "forecast seasons, safety stock by the forecast error", "Buying"),
    "AZ": Treatment(
        "watch by hand",
        "order by hand after asking what comes (season, promotion, a large order), agree on short lead times",
        "Buying",
    ),
    "BX": Treatment("run by rule", "replenish by reorder point, review once a quarter", "Buying"),
    "BY": Treatment("plan the season", "order ahead of the season, clear what is left after it", "Buying"),
    "BZ": Treatment("order on demand", "little stock, longer delivery promise", "Buying"),
    "CX": Treatment("bundle the effort", "large lots, few orders, no manual work", "Buying"),
    "CY": Treatment("thin out", "keep what completes the range, drop the rest", "Buying"),
    "CZ": Treatment("delist or drop-ship", "delist, or sell without own stock", "Buying"),
    "AN": Treatment("watch the launch", "check weekly against the launch plan, secure supply", "Buying"),
    "BN": Treatment("watch the launch", "check weekly against the launch plan", "Buying"),
    "CN": Treatment("watch the launch", "decide after three full periods", "Buying"),
}
"""Nine cells of value x steadiness, and N for products too new to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbcXyzLimits:
    """Where classes end.

    Parameters
    ----------
    abc : tuple of two floats
        Share of value held by more valuable products below which a product is A, then B.
    xyz : tuple of two floats
        Coefficient of variation of demand up to which a product is X, then Y.
    min_pieces : int
        Full calendar pieces of life below which steadiness is not judged.
    """

    abc: tuple[float, float] = (0.8, 0.95)
    xyz: tuple[float, float] = (0.5, 1.0)
    min_pieces: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.abc[0] < self.abc[1] < 1:
            raise ParameterError(f"abc: {self.abc} do not rise between 0 and 1; e.g. (0.8, 0.95)")
        if not 0 < self.xyz[0] < self.xyz[1]:
            raise ParameterError(f"xyz: {self.xyz} do not rise from 0; e.g. (0.5, 1.0)")


DEFAULT_LIMITS = AbcXyzLimits()


def abc_xyz(
    order_lines: Table,
    *,
    period: Period,
    value: Value = "revenue",
    grain: Grain = "month",
    coverage: Coverage | None = None,
    limits: AbcXyzLimits = DEFAULT_LIMITS,
) -> ir.Table:
    """ABC-XYZ classes of products: by value (ABC) and by variability of demand (XYZ).

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count; lines before the period only say when a product was first sold.
    period : Period
        Days whose value and demand count.
    value : {"revenue", "margin", "units"}
        Margin is revenue minus cost of lines with a known cost, before refunds.
    grain : {"week", "month", "quarter"}
        Calendar pieces of demand.
    coverage : Coverage or None
        With it, pieces that were not wholly observed are left out of XYZ, as cut ones always are.
    limits : AbcXyzLimits
        Ends of the classes.

    Returns
    -------
    ibis.Table
        product_id, <value>_amount (units: n_units), <value>_share, cumulative_share, abc_class, n_pieces, demand_mean (units a piece),
        demand_variation (population standard deviation / mean over the product's own full pieces: those after the one
        of its first sale, or all of the period for older products), xyz_class (N: too new), cell. Equal value, equal
        class.

    Raises
    ------
    ParameterError
        An unknown value or grain, or no full piece in the period.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2", "3"], "product_id": ["a", "a", "b"],
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05", "2026-02-09"]), "quantity": 1.0,
    ...     "unit_price": [9.0, 9.0, 2.0]})
    >>> classes = abc_xyz(lines, period=Period.parse("2026-01-01", "2026-02-28"), limits=AbcXyzLimits(min_pieces=1))
    >>> found = engine.collect(classes.order_by("product_id"))
    >>> found[["cell", "demand_variation"]].values.tolist()
    [['AX', 0.0], ['BN', nan]]
    """
    if value not in ("revenue", "margin", "units"):
        raise ParameterError(f"value: '{value}' is not one of revenue, margin, units")
    if grain not in ("week", "month", "quarter"):
        raise ParameterError(f"grain: '{grain}' is not one of week, month, quarter")
    full = _full_pieces(period, grain, coverage)
    totals = _product_totals(order_lines, period=period, value=value, grain=grain, full=full)
    ranked = running_shares(totals, column="amount")
    n, mean = ranked["n_pieces"].cast("float64"), engine.ratio(ranked["demand"], ranked["n_pieces"])
    variance = ibis.greatest(engine.ratio(ranked["squares"], n) - mean * mean, 0)
    variation = engine.ratio(variance.sqrt(), mean)
    is_new, ahead = ranked["n_pieces"] < limits.min_pieces, ranked["share_ahead"]
    places = ((ranked["amount"] <= 0, "C"), (ahead < limits.abc[0], "A"), (ahead < limits.abc[1], "B"))
    steadiness = ((is_new, "N"), (variation <= limits.xyz[0], "X"), (variation <= limits.xyz[1], "Y"))
    judged = ranked.select(
        "product_id",
        **{
            "n_units" if value == "units" else f"{value}_amount": ranked["amount"],
            f"{value}_share": ranked["own_share"],
        },
        cumulative_share="cumulative_share",
        abc_class=ibis.cases(*places, else_="C"),
        n_pieces="n_pieces",
        demand_mean=mean,
        demand_variation=variation,
        xyz_class=ibis.cases(*steadiness, else_="Z"),
    )
    return judged.mutate(cell=judged["abc_class"].concat(judged["xyz_class"]))


def _full_pieces(period: Period, grain: Grain, coverage: Coverage | None) -> list[date]:
    """First days of the calendar pieces that the period holds whole and the data have seen whole."""
    full = []
    for piece in period.split(grain):
        start = floor_date(piece.start, grain)
        is_whole = piece.start == start and piece.until == next_start(start, grain)
        if is_whole and (coverage is None or coverage.status(piece) == "complete"):
            full.append(start)
    return full


def _product_totals(
    order_lines: Table,
    *,
    period: Period,
    value: Value,
    grain: Grain,
    full: list[date],
) -> ir.Table:
    """Value, demand, its squares and the number of full pieces of each product, one scan."""
    lines = paid(order_lines)
    amount = lines["quantity"].cast(MONEY) if value == "units" else line_revenue(lines)
    if value == "margin":
        require_table_columns(lines, "cost_amount", name="order_lines")
        amount = amount - lines["cost_amount"].cast(MONEY)
    # A line without a cost has no margin and adds nothing; a sum is missing only where nothing was sold in the period.
    amount = amount.fill_null(ibis.literal(0).cast(MONEY))
    rows = lines.select(product_id=lines["product_id"], day=order_day(lines), units=lines["quantity"], amount=amount)
    rows = rows.filter(rows["day"] < period.until)
    pieces = rows.group_by("product_id", piece=rows["day"].truncate(grain[0].upper())).aggregate(
        amount=rows["amount"].sum(where=rows["day"] >= period.start),
        units=rows["units"].sum().cast("float64"),
    )
    if not full:  # nothing can be said of steadiness yet: every product is new
        totals = pieces.group_by("product_id").aggregate(amount=pieces["amount"].sum())
        return totals.filter(totals["amount"].notnull()).mutate(n_pieces=0, demand=0.0, squares=0.0)
    first = pieces["piece"].min().over(ibis.window(group_by="product_id"))
    pieces = pieces.mutate(first=first)
    # The piece of the first sale is cut by the launch, unless the product is older than the period.
    unseen = [piece.start for piece in Period(full[0], full[-1]).split(grain) if piece.start not in full]
    is_life = pieces["piece"].between(full[0], full[-1]) & (
        (pieces["piece"] > pieces["first"]) | (pieces["first"] <= full[0])
    )
    if unseen:
        is_life &= pieces["piece"].notin(unseen)
    totals = pieces.group_by("product_id").aggregate(
        amount=pieces["amount"].sum(),
        first=pieces["first"].min(),
        demand=pieces["units"].sum(where=is_life).fill_null(0.0),
        squares=(pieces["units"] * pieces["units"]).sum(where=is_life).fill_null(0.0),
    )
    totals = totals.filter(totals["amount"].notnull())
    younger = ibis.greatest(_pieces_since(totals["first"], full[-1], grain), 0)
    for start in unseen:
        younger -= (totals["first"] < start).ifelse(1, 0)
    return totals.mutate(n_pieces=(totals["first"] <= full[0]).ifelse(len(full), younger))


def _pieces_since(first: ir.DateValue, last: date, grain: Grain) -> ir.IntegerValue:
    """Calendar pieces after the one that begins on ``first``, up to the one that begins on ``last``."""
    if grain == "week":
        return engine.days_between(ibis.literal(last), first) // 7
    months = last.year * 12 + last.month - first.year() * 12 - first.month()
    return months if grain == "month" else months // 3


def value_of(classes: ir.Table) -> ir.FloatingColumn:
    """What made the products of `abc_xyz` valuable: revenue, margin or units."""
    known = ("revenue_amount", "margin_amount", "n_units")
    return classes[next(name for name in known if name in classes.columns)].cast("float64")


def value_known(order_lines: Table, *, value: Value = "revenue") -> Value:
    """What can make products valuable: what was asked for, but units where lines have no price.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1"], "quantity": [2.0], "unit_price": [None]}).astype({"unit_price": "float64"})
    >>> value_known(lines), value_known(lines.assign(unit_price=3.0))
    ('units', 'revenue')
    """
    table = engine.as_table(order_lines)
    priced = table.mutate(paid_price=table["unit_price"].nullif(0))
    return "units" if engine.is_empty(priced, "paid_price") and not engine.is_empty(table, "quantity") else value


def cell_summary(classes: Table, *, treatments: Mapping[str, Treatment] = TREATMENTS) -> pd.DataFrame:
    """Products and value of each cell, with its treatment.

    Parameters
    ----------
    classes : table
        From `abc_xyz`.
    treatments : mapping of str to Treatment
        Of the cells, in the order of rows.

    Returns
    -------
    DataFrame
        One row a cell with products: cell, abc_class, xyz_class, n_products,
        product_share, amount, amount_share, treatment, action, department.

    Examples
    --------
    >>> classes = pd.DataFrame({"cell": ["AX", "AX"], "revenue_amount": [3.0, 1.0]})
    >>> cell_summary(classes)[["cell", "n_products"]].values.tolist()
    [['AX', 2]]
    """
    table = engine.as_table(classes)
    cells = group_sizes(table.mutate(revenue_amount=value_of(table)), "cell", treatments, counted="product")
    cells = cells.rename(columns={"revenue_amount": "amount", "revenue_share": "amount_share"})
    cells.insert(1, "abc_class", cells["cell"].str[0])
    cells.insert(2, "xyz_class", cells["cell"].str[1])
    for column, word in (("treatment", "name"), ("action", "action"), ("department", "department")):
        cells[column] = cells["cell"].map({name: getattr(told, word) for name, told in treatments.items()})
    return cells[cells["n_products"] > 0].reset_index(drop=True)


def count_of_cell(n: float, cell: str) -> str:
    """A number of products of a cell, in words.

    Examples
    --------
    >>> count_of_cell(103, "AX"), count_of_cell(1, "CZ")
    ('103 steady sellers of class A', '1 erratic slow seller')
    """
    demand = {"X": "steady", "Y": "varying", "Z": "erratic", "N": "new"}[cell[1]]
    noun = {"A": "seller", "B": "middling product", "C": "slow seller"}[cell[0]]
    return count_of(n, f"{demand} {noun}") + (" of class A" if cell[0] == "A" else "")


def pareto_curve(classes: Table, *, n_points: int = 100) -> pd.DataFrame:
    """Cumulative share of value by cumulative share of products, most valuable first.

    Parameters
    ----------
    classes : table
        From `abc_xyz`.
    n_points : int
        Points of the curve at most.

    Returns
    -------
    DataFrame
        item_share, value_share (cumulative, 0-1, ascending), abc (class of the last product of each point).

    Examples
    --------
    >>> classes = pd.DataFrame({"product_id": ["a", "b"], "revenue_amount": [3.0, 1.0], "revenue_share": [0.75, 0.25],
    ...     "cumulative_share": [0.75, 1.0], "abc_class": ["A", "C"]})
    >>> pareto_curve(classes).values.tolist()
    [[0.5, 0.75, 'A'], [1.0, 1.0, 'C']]
    """
    table = engine.as_table(classes)
    ranked = table.mutate(
        place=ibis.row_number().over(ibis.window(order_by=[value_of(table).desc(), "product_id"])) + 1,
        n_all=table.count().over(ibis.window()),
    )
    pieces = ranked.mutate(piece=((ranked["place"] - 1) * n_points) // ranked["n_all"])
    found = engine.grouped(
        pieces,
        "piece",
        item_share=engine.ratio(pieces["place"].max(), pieces["n_all"].max()),
        value_share=pieces["cumulative_share"].max(),
        abc=pieces["abc_class"].max(),
    )
    return found.drop(columns="piece")
