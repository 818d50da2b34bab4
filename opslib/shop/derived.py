"""Columns that a table gets on the way in: what is derived from its own, and typed nulls for what its contract allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.contracts import require_table
from opslib.errors import ShopFileError, nearest
from opslib.metrics import MONEY, line_revenue
from opslib.metrics.blocks import money
from opslib.metrics.statuses import known_status
from opslib.periods import zone_shifts

#: Longer than this, a zone's change-overs are too many to list.
_LONGEST_SPAN = 366 * 30


#: A rate of tax (0.19), or one by the values of a column: ``{country: {DE: 0.19, other: 0.2}}``.
TaxRate: TypeAlias = float | Mapping[str, Mapping[str, float]]


def with_derived(
    lines: ir.Table, *, time_zone: str, prices_include_tax: bool | None, tax_rate: TaxRate | None = None
) -> ir.Table:
    """Order lines with the columns that every reader may count on.

    Parameters
    ----------
    lines : ibis.Table
        order_lines with the columns of its contract that the source has, under their types.
    time_zone : str
        Of the shop: decides ``ordered_on``.
    prices_include_tax : bool or None
        Whether ``unit_price`` includes tax, so that ``tax_amount`` comes off; not, unless said.
    tax_rate : float, mapping or None
        Rate by which the tax is worked out of a price that includes it, where a line says none.

    Returns
    -------
    ibis.Table
        As given, plus line_id, customer_id, discount_amount, status (where they were not there), ``ordered_on`` (local
        day) and ``revenue_amount`` (line revenue without tax after discount). Statuses are in our words as far as they
        are known; discount and tax are such whatever their sign; where goods come back (a quantity below 0) both flow
        back with the price, which is above 0.
    """
    found = set(lines.columns)
    zero, paid = ibis.literal(0).cast(MONEY), ibis.literal("paid")
    is_back = lines["quantity"] < 0
    signed: dict[str, ir.Value] = {
        name: is_back.ifelse(-lines[name].abs(), lines[name].abs()).cast(MONEY)
        for name in found & {"discount_amount", "tax_amount"}
    }
    lines = lines.mutate(unit_price=is_back.ifelse(lines["unit_price"].abs(), lines["unit_price"]), **signed)
    if "revenue_amount" in found:
        lines = lines.rename(given_amount="revenue_amount")
    if prices_include_tax and tax_rate is not None:
        rate = _rate(lines, tax_rate)
        within = money(line_revenue(lines).cast("float64") * rate / (rate + 1))
        lines = lines.mutate(tax_amount=lines["tax_amount"].fill_null(within) if "tax_amount" in found else within)
    revenue = line_revenue(lines, prices_include_tax=bool(prices_include_tax))
    columns: dict[str, ir.Value] = {
        "discount_amount": lines["discount_amount"].fill_null(zero) if "discount_amount" in found else zero,
        "status": known_status(lines["status"]).fill_null(paid) if "status" in found else paid,
        "revenue_amount": lines["given_amount"].fill_null(revenue) if "revenue_amount" in found else revenue,
    }
    if "customer_id" not in found:
        columns["customer_id"] = ibis.null("string")
    if "line_id" not in found:
        first = ["product_id", "ordered_at", "quantity", "unit_price"]
        order = [lines[name] for name in (*first, *sorted(found.difference(first, ["revenue_amount"])))]
        number = ibis.row_number().over(group_by=lines["order_id"], order_by=order) + 1
        columns["line_id"] = number.cast("string").lpad(4, "0")
    if "ordered_on" not in found:
        columns["ordered_on"] = local_time(lines, "ordered_at", zone=time_zone).date()
    derived = lines.mutate(**columns)
    return derived.drop("given_amount") if "revenue_amount" in found else derived


def _rate(lines: ir.Table, tax_rate: TaxRate) -> ir.FloatingValue:
    """The rate of each line; missing where its value is not listed and there is no ``other``."""
    if not isinstance(tax_rate, Mapping):
        return ibis.literal(float(tax_rate))
    ((column, rates),) = tax_rate.items()
    if column not in lines.columns:
        raise ShopFileError(f"tax_rate: order_lines has no column '{column}'; {nearest(column, lines.columns)}")
    cases = [(lines[column] == value, float(rate)) for value, rate in rates.items() if value != "other"]
    other = ibis.literal(float(rates["other"])) if "other" in rates else ibis.null("float64")
    return ibis.cases(*cases, else_=other) if cases else other


def local_time(table: ir.Table, column: str, *, zone: str) -> ir.TimestampValue:
    """Local time of a UTC column; on DuckDB by the zone's change-overs, ten times faster than the builtin.

    Parameters
    ----------
    table : ibis.Table
        Has the column.
    column : str
        Naive UTC times.
    zone : str
        IANA name.

    Returns
    -------
    ibis timestamp column
    """
    at = table[column]
    if zone in ("UTC", "Etc/UTC") or engine.backend_of(table).name != "duckdb":
        return engine.to_local(at, zone)
    first, last = engine.collect(table.aggregate(first=at.min(), last=at.max())).iloc[0]
    if pd.isna(first) or (last - first).days > _LONGEST_SPAN:
        return engine.to_local(at, zone)
    (_, before), *changes = zone_shifts(zone, first.to_pydatetime(), last.to_pydatetime())
    cases = [(at >= ibis.literal(moment), seconds) for moment, seconds in reversed(changes)]
    shift = ibis.cases(*cases, else_=before) if cases else ibis.literal(before)
    return at + shift.as_interval("s")


def with_contract_columns(table: ir.Table, name: str) -> ir.Table:
    """The table with every column that its contract allows: those that the shop lacks as typed nulls.

    Parameters
    ----------
    table : ibis.Table
        A shop's table.
    name : str
        Its contract.

    Returns
    -------
    ibis.Table

    Examples
    --------
    >>> reviews = engine.as_table(pd.DataFrame({"review_id": ["1"], "rating": [5.0]}))
    >>> with_contract_columns(reviews, "reviews").columns
    ('review_id', 'rating', 'product_id', 'written_at', 'title', 'text')
    """
    schema = require_table(name).schema
    return table.mutate(**{column: ibis.null(kind) for column, kind in schema.items() if column not in table.columns})
