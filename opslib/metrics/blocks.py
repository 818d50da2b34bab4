"""Building blocks of metrics: paid lines, revenue, local day, buyer, filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.errors import ContractError, ParameterError, nearest

Table: TypeAlias = ir.Table | pd.DataFrame
MONEY = "decimal(18, 4)"
PAID = "paid"


def money(value: ir.NumericValue) -> ir.DecimalValue:
    """A number as exact money; products of decimals are wider than their type says, so the cast goes through it."""
    return value.cast("decimal(38, 8)").cast(MONEY)


def require_table_columns(table: ir.Table, *columns: str, name: str) -> None:
    """Refuse a table that lacks a column.

    Raises
    ------
    ContractError
        Naming the table, the column and those that exist.
    """
    for column in columns:
        if column not in table.columns:
            raise ContractError(f"{name}: no column '{column}'; it has {', '.join(table.columns)}")


def paid(lines: Table) -> ir.Table:
    """Lines that are revenue: those whose status is ``paid``, or that have none.

    Parameters
    ----------
    lines : order_lines
        As the contract says.

    Returns
    -------
    ibis.Table
        The same columns.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "status": ["paid", "cancelled"]})
    >>> engine.collect(paid(lines))["order_id"].tolist()
    ['1']
    """
    table = engine.as_table(lines)
    return table if "status" not in table.columns else table.filter(table["status"].fill_null(PAID) == PAID)


def line_revenue(lines: ir.Table, *, prices_include_tax: bool = False) -> ir.DecimalValue:
    """Revenue of a line: quantity x unit price - discount, without tax.

    Parameters
    ----------
    lines : ibis.Table
        order_lines; a column ``revenue_amount``, where there is one, already holds it.
    prices_include_tax : bool
        Whether ``unit_price`` holds the tax that ``tax_amount`` names.

    Returns
    -------
    ibis decimal column
        In the shop's currency, four decimals.

    Examples
    --------
    >>> t = engine.as_table(pd.DataFrame({"quantity": [3.0], "unit_price": [2.5], "discount_amount": [0.5]}))
    >>> engine.collect(t.select(r=line_revenue(t)))["r"].tolist()
    [7.0]
    """
    if "revenue_amount" in lines.columns:
        column = lines["revenue_amount"]
        return column if column.type().is_decimal() else money(column)
    require_table_columns(lines, "quantity", "unit_price", name="order_lines")
    amount = lines["quantity"].cast(MONEY) * lines["unit_price"].cast(MONEY)
    deductions = ["discount_amount"] + (["tax_amount"] if prices_include_tax else [])
    for column in deductions:
        if column in lines.columns:
            amount = amount - lines[column].cast(MONEY).fill_null(0)
    return money(amount)


def order_day(table: ir.Table, *, zone: str | None = None) -> ir.DateValue:
    """Local day of an order line: ``ordered_on`` where there is one, else the day of ``ordered_at``.

    Parameters
    ----------
    table : ibis.Table
        order_lines.
    zone : str or None
        IANA zone of the shop, for tables without ``ordered_on``; UTC unless given.

    Returns
    -------
    ibis date column
    """
    return day_of(table, "ordered_at", zone=zone, name="order_lines")


def day_of(table: ir.Table, column: str, *, zone: str | None = None, name: str = "table") -> ir.DateValue:
    """Local day of a time column: its twin ``..._on`` where there is one (``started_at`` -> ``started_on``)."""
    twin = column.removesuffix("_at") + "_on"
    if twin in table.columns:
        return table[twin].cast("date")
    require_table_columns(table, column, name=name)
    if table[column].type().is_date():
        return table[column]
    return engine.local_day(table[column].cast("timestamp"), zone or "UTC")


def buyer(table: ir.Table) -> ir.StringValue:
    """Who ordered: the customer, else the order (or return) itself, so that guests count as separate buyers."""
    keys = [(column, column.removesuffix("id").replace("_", " ")) for column in ("order_id", "return_id")]
    names = [ibis.literal(text).concat(table[key].cast("string")) for key, text in keys if key in table.columns]
    known = [table["customer_id"].cast("string")] if "customer_id" in table.columns else []
    return ibis.coalesce(*known, *names)


def order_totals(lines: Table) -> ir.Table:
    """One row an order, of paid lines.

    Parameters
    ----------
    lines : order_lines
        With or without ``revenue_amount`` and ``ordered_on``.

    Returns
    -------
    ibis.Table
        order_id, buyer_id (the customer, or the order of a guest), customer_id, ordered_on (first day),
        revenue_amount (money), n_items (units, float64), n_lines.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "1"], "product_id": ["a", "b"], "ordered_at":
    ...     pd.to_datetime(["2026-01-05", "2026-01-05"]), "quantity": [1.0, 2.0], "unit_price": [4.0, 0.5]})
    >>> engine.collect(order_totals(lines))[["buyer_id", "revenue_amount", "n_items"]].values.tolist()
    [['order 1', 5.0, 3.0]]
    """
    table = paid(lines)
    if "customer_id" not in table.columns:
        table = table.mutate(customer_id=ibis.null("string"))
    orders = table.group_by("order_id").aggregate(
        customer_id=table["customer_id"].cast("string").max(),
        ordered_on=order_day(table).min(),
        revenue_amount=line_revenue(table).sum(),
        n_items=table["quantity"].sum().cast("float64"),
        n_lines=table.count(),
    )
    return orders.mutate(buyer_id=buyer(orders))


def running_shares(totals: ir.Table, *, column: str) -> ir.Table:
    """Shares of a positive total and their running sum, in which equal values are one step.

    Parameters
    ----------
    totals : ibis.Table
        One row an entity.
    column : str
        Money column, summed as exact decimals; nothing or less has no share.

    Returns
    -------
    ibis.Table
        The columns (``column`` as float64) and own_share, cumulative_share (of those with as much or more),
        share_ahead (cumulative without the row itself): functions of the value, not of the order of rows.
    """
    gain = ibis.greatest(totals[column].cast(MONEY), ibis.literal(0).cast(MONEY))
    frame = ibis.range_window(preceding=None, following=0, order_by=ibis.desc(totals[column]))
    rows = totals.mutate(gain=gain, running=gain.sum().over(frame), whole=gain.sum().over(ibis.window()))
    return rows.mutate(
        own_share=engine.ratio(rows["gain"], rows["whole"]),
        cumulative_share=engine.ratio(rows["running"], rows["whole"]),
        share_ahead=engine.ratio(rows["running"] - rows["gain"], rows["whole"]),
        **{column: rows[column].cast("float64")},
    ).drop("gain", "running", "whole")


def group_sizes(
    rows: Table,
    by: str,
    names: Iterable[str],
    *,
    counted: str = "customer",
    **more: Callable[[ir.Table], ir.Scalar],
) -> pd.DataFrame:
    """Rows and money of each of the named groups, in this order and empty ones too; of no row, no group.

    Parameters
    ----------
    rows : table
        One row an entity, with its group and its money.
    by : str
        Column of the group.
    names : iterable of str
        Groups.
    counted : str
        What a row is, for the names of columns.
    **more
        Measures; counts (``n_...``) are 0 for an empty group, others missing.

    Returns
    -------
    DataFrame
        The group, n_customers, customer_share, revenue_amount, revenue_share (0-1), and ``more``.

    Examples
    --------
    >>> rows = pd.DataFrame({"tier": ["a", "a"], "revenue_amount": [3.0, 1.0]})
    >>> group_sizes(rows, "tier", ["b", "a"])[["tier", "n_customers", "revenue_share"]].values.tolist()
    [['b', 0, 0.0], ['a', 2, 1.0]]
    """
    table = engine.as_table(rows)
    measures = {name: measure(table) for name, measure in more.items()}
    found = engine.grouped(table, by, n=table.count(), amount=table["revenue_amount"].sum(), **measures)
    sizes = pd.DataFrame({by: pd.Series(list(names) if len(found) else [], dtype="str")})
    sizes = sizes.merge(found, how="left", on=by)
    counts = ["n", *(name for name in more if name.startswith("n_"))]
    sizes[counts] = sizes[counts].fillna(0).astype("int64")
    revenue = sizes["amount"].fillna(0).astype("float64")
    return pd.DataFrame(
        {
            by: sizes[by],
            f"n_{counted}s": sizes["n"],
            f"{counted}_share": sizes["n"] / max(sizes["n"].sum(), 1),
            "revenue_amount": revenue,
            "revenue_share": revenue / (revenue.sum() or float("nan")),
            **{name: sizes[name] for name in more},
        }
    )


Operator = Callable[[Any, Any], ir.BooleanValue]
OPERATORS: dict[str, Operator] = {
    "=": lambda column, value: column == value,
    "!=": lambda column, value: (column != value) | column.isnull(),
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "in": lambda column, value: column.isin(list(value)),
    "not in": lambda column, value: column.notin(list(value)) | column.isnull(),
}
"""The closed list of what a filter may ask; rows without a value pass only ``!=`` and ``not in``."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A typed condition on one column: data, never evaluated code.

    Parameters
    ----------
    column : str
        Column of the table, or of one that it links to by session, order, product or customer.
    operator : str
        One of `OPERATORS`.
    value : str, number, bool, date, or tuple of such
        What to compare with; a tuple for ``in`` and ``not in``.

    Raises
    ------
    ParameterError
        Unknown operator, or a value of the wrong shape.

    Examples
    --------
    >>> t = engine.as_table(pd.DataFrame({"country": ["DE", "FR"]}))
    >>> engine.collect(t.filter(Filter("country", "=", "DE").on(t)))["country"].tolist()
    ['DE']
    """

    column: str
    operator: str
    value: Any

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise ParameterError(
                f"filter on '{self.column}': '{self.operator}' is not an operator; {nearest(self.operator, OPERATORS)}"
            )
        is_list = isinstance(self.value, (list, tuple, set, frozenset))
        if is_list != (self.operator in ("in", "not in")):
            shape = "a list" if not is_list else "one value"
            raise ParameterError(f"filter on '{self.column}': '{self.operator}' needs {shape}, not {self.value!r}")
        values = tuple(self.value) if is_list else (self.value,)
        for value in values:
            if not isinstance(value, (str, int, float, bool, date)):
                raise ParameterError(
                    f"filter on '{self.column}': {value!r} is a {type(value).__name__}; "
                    "allowed: text, number, true/false, date"
                )
        if is_list:
            object.__setattr__(self, "value", values)

    def on(self, table: ir.Table) -> ir.BooleanValue:
        """The condition on a table that has the column."""
        return OPERATORS[self.operator](table[self.column], self.value)


def filters_of(given: Sequence[Filter | Sequence[Any] | Mapping[str, Any]]) -> tuple[Filter, ...]:
    """Filters from what a file or a caller wrote: ``Filter``, ``[column, operator, value]`` or a mapping.

    Examples
    --------
    >>> filters_of([["country", "in", ["DE", "AT"]]])
    (Filter(column='country', operator='in', value=('DE', 'AT')),)
    """
    return tuple(_filter_of(item) for item in given)


def _filter_of(item: Filter | Sequence[Any] | Mapping[str, Any]) -> Filter:
    if isinstance(item, Filter):
        return item
    if isinstance(item, Mapping):
        if set(item) != {"column", "operator", "value"}:
            raise ParameterError(f"filter {dict(item)}: needs exactly column, operator, value")
        return Filter(item["column"], item["operator"], item["value"])
    if isinstance(item, str) or len(item) != 3:
        raise ParameterError(f"filter {item!r}: write it as [column, operator, value], e.g. [country, '=', DE]")
    return Filter(*item)
