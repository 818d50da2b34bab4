"""Rows that measures are summed over: each source with its day, its time and the columns that measures name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ibis
import ibis.expr.types as ir

from opslib import engine
from opslib.contracts import CONTRACTS
from opslib.errors import ContractError
from opslib.metrics.blocks import MONEY, Table, day_of, line_revenue, money, paid
from opslib.metrics.registry import SOURCES

BUYER = "buyer"
#: Columns that name each unit; of several, the first that the tables have.
UNITS: dict[str, tuple[str, ...]] = {
    **{unit: (f"{unit}_id",) for unit in ("visitor", "customer", "session", "order", "product")},
    **{unit: (unit,) for unit in ("store", "country", "device", "category", "brand", "supplier")},
    BUYER: ("customer_id",),
    "region": ("region", "country"),
    "market": ("market", "country"),
    "channel": ("channel", "medium"),
}
_LINKS = (
    ("session_id", "sessions"),
    ("order_id", "order_lines"),
    ("product_id", "products"),
    ("customer_id", "customers"),
)


def with_local_days(tables: Mapping[str, Table], *, zone: str) -> dict[str, ir.Table]:
    """A shop's tables with the local day beside each table's own time column (``started_at`` -> ``started_on``), and the last day of what ends.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables; those that have the day already stay as they are.
    zone : str
        IANA zone of the shop.

    Returns
    -------
    dict of name to ibis.Table

    Examples
    --------
    >>> import pandas as pd
    >>> searches = pd.DataFrame({"search_id": ["1"], "searched_at": pd.to_datetime(["2026-07-01 23:30"])})
    >>> local = with_local_days({"searches": searches}, zone="Europe/London")["searches"]
    >>> str(engine.collect(local)["searched_on"][0].date())
    '2026-07-02'
    """
    return {name: _with_day(engine.as_table(table), name, zone) for name, table in tables.items()}


def _with_day(table: ir.Table, name: str, zone: str) -> ir.Table:
    column = CONTRACTS[name].time_column if name in CONTRACTS else None
    if (
        "ended_at" in table.columns and "ended_on" not in table.columns
    ):  # what ends at midnight has had the day before as its last
        last = table["ended_at"].cast("timestamp") - ibis.interval(seconds=1)
        table = table.mutate(ended_on=engine.local_day(last, zone))
    if column is None or not column.endswith("_at") or column not in table.columns:
        return table
    twin = column.removesuffix("_at") + "_on"
    return table if twin in table.columns else table.mutate(**{twin: day_of(table, column, zone=zone)})


def source_rows(source: str, tables: Mapping[str, ir.Table], *, own_columns: Sequence[str]) -> ir.Table:
    """Rows of a source with ``day`` (local), ``at`` (time) and the columns that its measures sum.

    Raises
    ------
    ContractError
        The table lacks a column that a measure sums.
    """
    name = SOURCES[source]
    table, column = tables[name], str(CONTRACTS[name].time_column)
    rows = table.mutate(day=day_of(table, column, name=name), at=table[column])
    if source == "lines" and {"costed_amount", "cost_amount"} & set(own_columns):
        rows = _with_product_cost(rows, tables)
    rows = _DERIVED[source](rows) if source in _DERIVED else rows
    if {"new_customer_id", "returning_amount"} & set(own_columns) and "customer_id" in rows.columns:
        rows = _with_first_day(rows, tables)
    linked = {"visitor_id", "customer_id", "session_id", "order_id", ""}
    for needed in own_columns:
        if needed not in rows.columns and needed not in linked:
            raise ContractError(f"{name}: no column '{_COLUMN_OF.get(needed, needed)}', which a metric needs")
    return rows


_COLUMN_OF = {
    "costed_amount": "cost_amount",
    "list_amount": "discount_amount",
    "known_order_id": "customer_id",
    "known_amount": "customer_id",
    "new_customer_id": "customer_id",
    "returning_amount": "customer_id",
}


def _lines(rows: ir.Table) -> ir.Table:
    kept = paid(rows)
    revenue = line_revenue(kept)
    columns = {"revenue_amount": revenue}
    if "customer_id" in kept.columns:
        is_guest = kept["customer_id"].isnull()
        columns["known_order_id"] = is_guest.ifelse(ibis.null("string"), kept["order_id"].cast("string"))
        columns["known_amount"] = is_guest.ifelse(ibis.null(MONEY), revenue)
    if "cost_amount" in kept.columns:
        columns["costed_amount"] = kept["cost_amount"].isnull().ifelse(ibis.null(MONEY), revenue)
    if "discount_amount" in kept.columns:
        discount = kept["discount_amount"].cast(MONEY).fill_null(0)
        columns |= {"discount_amount": discount, "list_amount": revenue + discount}
    return kept.mutate(**columns)


def _with_product_cost(lines: ir.Table, tables: Mapping[str, ir.Table]) -> ir.Table:
    """Lines with units x the product's cost where they carry no cost of their own."""
    if not {"product_id", "cost"} <= set(tables["products"].columns if "products" in tables else ()):
        return lines
    costs = tables["products"].select(costed_id="product_id", product_cost="cost")
    rows = lines.left_join(costs, lines["product_id"] == costs["costed_id"])
    of_product = money(rows["quantity"].cast(MONEY) * rows["product_cost"].cast(MONEY))
    own = rows["cost_amount"].cast(MONEY) if "cost_amount" in lines.columns else ibis.null(MONEY)
    return rows.mutate(cost_amount=ibis.coalesce(own, of_product)).drop("costed_id", "product_cost")


def first_orders(lines: ir.Table, tables: Mapping[str, ir.Table]) -> ir.Table:
    """Each customer's first day among paid lines, and whether he was known before the first line of all.

    Parameters
    ----------
    lines : ibis.Table
        Paid lines with ``day``.
    tables : mapping of name to ibis.Table
        A shop's tables; without ``customers.first_seen_at`` nobody is known from before.

    Returns
    -------
    ibis.Table
        first_id, first_day, is_known_before.
    """
    known = lines.filter(lines["customer_id"].notnull())
    firsts = known.group_by(first_id=known["customer_id"]).aggregate(first_day=known["day"].min())
    firsts = firsts.mutate(begin=firsts["first_day"].min().over(ibis.window()))
    customers = tables.get("customers")
    if customers is None or not {"first_seen_at", "first_seen_on"} & set(customers.columns):
        return firsts.select("first_id", "first_day", is_known_before=ibis.literal(False))
    seen = customers.select(seen_id="customer_id", seen_on=day_of(customers, "first_seen_at", name="customers"))
    rows = firsts.left_join(seen, firsts["first_id"] == seen["seen_id"])
    before = (rows["seen_on"] < rows["begin"]).fill_null(False)
    return rows.select("first_id", "first_day", is_known_before=before)


def _with_first_day(lines: ir.Table, tables: Mapping[str, ir.Table]) -> ir.Table:
    """Lines with what depends on a customer's first order, whatever the period."""
    firsts = first_orders(lines, tables)
    rows = lines.left_join(firsts, lines["customer_id"] == firsts["first_id"])
    is_first = (rows["day"] == rows["first_day"]) & ~rows["is_known_before"]
    new = is_first.ifelse(rows["customer_id"], ibis.null("string"))
    later = ((rows["day"] > rows["first_day"]) | rows["is_known_before"]).ifelse(
        rows["revenue_amount"], ibis.null(MONEY)
    )
    return rows.mutate(new_customer_id=new, returning_amount=later)


def _visits(rows: ir.Table) -> ir.Table:
    """One row a visit, with what happened in it."""

    def has(event: str) -> ir.FloatingValue:
        return engine.flag(rows["event_name"] == event).max()

    visits = rows.group_by("session_id").aggregate(
        day=rows["day"].min(),
        at=rows["at"].min(),
        n_events=rows.count(),
        has_cart=has("add_to_cart"),
        has_checkout=has("begin_checkout"),
        has_purchase=has("purchase"),
        has_search=has("search"),
        **{name: rows[name].max() for name in ("visitor_id",) if name in rows.columns},
    )
    return visits.mutate(
        is_bounced=engine.flag(visits["n_events"] == 1),
        has_purchase_after_checkout=visits["has_checkout"] * visits["has_purchase"],
    )


def _searches(rows: ir.Table) -> ir.Table:
    columns: dict[str, ir.Value] = {}
    if "n_results" in rows.columns:
        columns["is_empty"] = engine.flag(rows["n_results"] == 0)
        columns["is_counted"] = engine.flag(rows["n_results"].notnull())
    if "clicked_product_id" in rows.columns:
        columns["is_clicked"] = engine.flag(rows["clicked_product_id"].notnull())
    return rows.mutate(**columns)


def _tickets(rows: ir.Table) -> ir.Table:
    if "closed_at" not in rows.columns:
        return rows
    closed = rows["closed_at"].cast("timestamp").date()
    days = engine.days_between(closed, rows["opened_at"].cast("timestamp").date())
    return rows.mutate(is_closed=engine.flag(rows["closed_at"].notnull()), open_days=days.cast("float64"))


def _stock(rows: ir.Table) -> ir.Table:
    return rows.mutate(is_out=engine.flag(rows["n_on_hand"] <= 0))


#: What the rows of a source are made of its table's, where they are not those of the table.
_DERIVED: dict[str, Callable[[ir.Table], ir.Table]] = {
    "lines": _lines,
    "visits": _visits,
    "searches": _searches,
    "tickets": _tickets,
    "stock": _stock,
}


def with_column(
    rows: ir.Table,
    column: str,
    tables: Mapping[str, ir.Table],
    *,
    is_required: bool = True,
    why: str = "filter",
) -> ir.Table:
    """The rows with a column, brought from a linked table where they lack it.

    Parameters
    ----------
    rows : ibis.Table
        Rows of a source.
    column : str
        Column needed.
    tables : mapping of name to ibis.Table
        A shop's tables; links go by session, order, product and customer.
    is_required : bool
        Whether to refuse, or to return the rows unchanged, where no link leads to the column.
    why : str
        What needs it, for the error.

    Returns
    -------
    ibis.Table

    Raises
    ------
    ContractError
        No table that the rows link to has the column.
    """
    if column in rows.columns:
        return rows
    links = [(key, name) for key, name in _LINKS if key in rows.columns and name in tables]
    # A table that has the column itself comes before one that would have to fetch it.
    for key, name in sorted(links, key=lambda link: column not in tables[link[1]].columns):
        others = {other: table for other, table in tables.items() if other != name}
        target = with_column(tables[name], column, others, is_required=False)
        if column in target.columns:
            side = _one_row_a_key(target, key, column, is_unique=key != "order_id")
            return rows.left_join(side, rows[key] == side["link_key"]).drop("link_key")
    if is_required:
        raise ContractError(
            f"{why}: needs a column '{column}', which neither these rows ({', '.join(rows.columns)}) "
            f"nor a table they link to has"
        )
    return rows


def _one_row_a_key(target: ir.Table, key: str, column: str, *, is_unique: bool) -> ir.Table:
    """The column by its key; an order's lines agree, so the largest stands for all."""
    pairs = target.select(link_key=target[key], **{column: target[column]})
    if is_unique:
        return pairs
    return pairs.group_by("link_key").aggregate(**{column: pairs[column].max()})
