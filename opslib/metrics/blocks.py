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
from opslib.contracts import STATUSES
from opslib.errors import ContractError, ParameterError, nearest
from opslib.metrics.statuses import require_known, status_of

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


def as_lines(lines: Table) -> ir.Table:
    """Order lines as an Ibis table; of a frame, statuses are put in our words, and one that is not known is refused.

    Raises
    ------
    ContractError
        A frame has a status that is none of ours: it would silently be no revenue.
    """
    if not isinstance(lines, pd.DataFrame) or "status" not in lines:
        return engine.as_table(lines)
    status = lines["status"].map(status_of, na_action="ignore")
    require_known((str(text), n) for text, n in status.value_counts().sort_index().items())
    return engine.as_table(lines.assign(status=status))


def paid(lines: Table) -> ir.Table:
    """Lines that are revenue: bought, with status ``paid`` or none; goods that come back are no purchase.

    Parameters
    ----------
    lines : order_lines
        As the contract says; rows with a quantity below 0 are left out (see `returned_lines`).

    Returns
    -------
    ibis.Table
        The same columns.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2", "3"], "status": ["paid", "cancelled", "paid"], "quantity": [1.0, 1.0, -1.0]})
    >>> engine.collect(paid(lines))["order_id"].tolist()
    ['1']
    """
    table = as_lines(lines)
    if "quantity" in table.columns:
        table = table.filter(table["quantity"].fill_null(0) >= 0)
    return table if "status" not in table.columns else table.filter(table["status"].fill_null(PAID) == PAID)


def returned_lines(lines: ir.Table) -> ir.Table:
    """Rows of order lines with a quantity below 0, as returns: goods and money that flow back.

    Parameters
    ----------
    lines : ibis.Table
        order_lines. Rows that were never paid (cancelled, pending, ...) give nothing back and are left out.

    Returns
    -------
    ibis.Table
        The columns of `returns`: return_id, order_id, product_id, returned_at, quantity, refund_amount. The order is that of
        the row if goods were sold under its number, else the customer's latest before it with this product, else missing.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "R1"], "line_id": "1", "product_id": "a", "customer_id": "x", "quantity": [2.0, -1.0],
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"]), "unit_price": 4.0})
    >>> back = engine.collect(returned_lines(engine.as_table(lines)))
    >>> back[["return_id", "order_id", "quantity", "refund_amount"]].values.tolist()
    [['R1-1', '1', 1.0, 4.0]]
    """
    bought, ids = paid(lines), {"order_id": "string", "product_id": "string"}
    back = lines.filter(lines["quantity"] < 0)
    if "status" in back.columns:
        back = back.filter(back["status"].fill_null(PAID).notin([status for status in STATUSES if status != PAID]))
    number: ir.StringValue
    if "line_id" in back.columns:
        number = back["line_id"].cast("string")
    else:
        keys = [back[name] for name in ("product_id", "ordered_at", "quantity", "unit_price")]
        number = (ibis.row_number().over(group_by=back["order_id"], order_by=keys) + 1).cast("string")
    back = back.mutate(
        **{name: back[name].cast(kind) for name, kind in ids.items()},
        return_id=back["order_id"].cast("string") + "-" + number,
        refund_amount=money(-line_revenue(back)),
        who=back["customer_id"].cast("string") if "customer_id" in back.columns else ibis.null("string"),
    )
    own = bought.select(own_id=bought["order_id"].cast("string")).distinct()
    back = back.left_join(own, back["order_id"] == own["own_id"])
    if "customer_id" in bought.columns:
        sold = bought.group_by(
            by=bought["customer_id"].cast("string"), what=bought["product_id"].cast("string"),
            sold_id=bought["order_id"].cast("string"),
        ).aggregate(sold_at=bought["ordered_at"].min())  # fmt: skip
        is_before = sold["sold_at"] <= back["ordered_at"]
        back = back.left_join(sold, [back["who"] == sold["by"], back["product_id"] == sold["what"], is_before])
        latest = [ibis.desc(back["sold_at"]), ibis.desc(back["sold_id"])]
        back = back.mutate(place=ibis.row_number().over(group_by=back["return_id"], order_by=latest))
        back = back.filter(back["place"] == 0).mutate(own_id=ibis.coalesce(back["own_id"], back["sold_id"]))
    return back.select(
        "return_id",
        order_id=back["own_id"],
        product_id=back["product_id"],
        returned_at=back["ordered_at"],
        quantity=-back["quantity"],
        refund_amount=back["refund_amount"],
    )


def with_returns(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Tables in which goods that come back stand in ``returns``, for frames whose order lines hold them; others as they are.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables; those that `open_shop` gives are apart already.

    Returns
    -------
    dict of name to table
    """
    lines = tables.get("order_lines")
    if not isinstance(lines, pd.DataFrame) or "quantity" not in lines or not (lines["quantity"] < 0).any():
        return dict(tables)
    whole = as_lines(lines)
    back = returned_lines(whole)
    if "returns" in tables:
        known = engine.as_table(tables["returns"])
        kinds = {column: kind for column, kind in known.schema().items() if column in back.columns}
        others = {column: ibis.null(kind) for column, kind in known.schema().items() if column not in back.columns}
        back = known.union(back.cast(kinds).mutate(**others).select(*known.columns))
    return {**tables, "order_lines": whole.filter(whole["quantity"].fill_null(0) >= 0), "returns": back}


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


def amounts_of(lines: ir.Table, keys: Sequence[str]) -> tuple[ir.Table, bool]:
    """Margin of each key (revenue, where some line's cost is unknown), and whether it is margin.

    Parameters
    ----------
    lines : ibis.Table
        Paid order_lines; those without the first key are left out.
    keys : sequence of str
        Columns that name a row: product, visit.

    Returns
    -------
    (ibis.Table, bool)
        ``keys`` and amount (float64), and whether it is margin.

    Examples
    --------
    >>> t = engine.as_table(pd.DataFrame({"product_id": ["a", "a"], "quantity": [1.0, 2.0], "unit_price": 3.0, "cost_amount": 1.0}))
    >>> rows, is_margin = amounts_of(t, ["product_id"])
    >>> engine.collect(rows)["amount"].tolist(), is_margin
    ([7.0], True)
    """
    revenue = line_revenue(lines)
    is_margin = (
        "cost_amount" in lines.columns
        and not engine.collect(lines.aggregate(n=lines["cost_amount"].isnull().sum()))["n"].fillna(1).iloc[0]
    )
    amount = (revenue - lines["cost_amount"].cast(MONEY)) if is_margin else revenue
    rows = lines.mutate(amount=amount).filter(ibis._[keys[0]].notnull())
    return rows.group_by(keys).aggregate(amount=ibis._.amount.sum().cast("float64")), bool(is_margin)


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
