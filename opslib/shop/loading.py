"""Contract tables of a shop, cut to a period of local days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

import ibis
import ibis.expr.types as ir

from opslib.contracts import STATUSES, require_table
from opslib.engine import to_local
from opslib.errors import ParameterError, nearest
from opslib.periods import Period
from opslib.shop.sources import Shop


def load_order_lines(shop: Shop, *, period: Period | None = None, statuses: Sequence[str] = ("paid",)) -> ir.Table:
    """Order lines of a period with the statuses that count.

    Parameters
    ----------
    shop : Shop
        An open shop.
    period : Period or None
        Local days, both ends included; everything unless given.
    statuses : sequence of str
        Statuses to keep; only paid lines are revenue. :func:`lines_by_status` counts the others.

    Returns
    -------
    ibis.Table
        Lazy; contract columns plus ``ordered_on`` (local day) and ``revenue_amount``.

    Raises
    ------
    ParameterError
        If a status is not one of the contract's.
    NotAvailableError
        If the shop has no order lines.
    """
    for status in statuses:
        if status not in STATUSES:
            raise ParameterError(f"statuses: '{status}' is not known; {nearest(status, STATUSES)}")
    lines = load_table(shop, "order_lines", period=period)
    return lines.filter(lines["status"].isin(list(statuses)))


def load_returns(shop: Shop, *, period: Period | None = None) -> ir.Table:
    """Returns booked in a period of local days; :class:`NotAvailableError` without such a table."""
    return load_table(shop, "returns", period=period)


def load_table(shop: Shop, name: str, *, period: Period | None = None) -> ir.Table:
    """Any contract table, cut to a period by its own time column.

    Parameters
    ----------
    shop : Shop
        An open shop.
    name : str
        Contract table.
    period : Period or None
        Local days, both ends included. Tables without a time column come whole; a table of prices keeps every row
        whose validity touches the period.

    Returns
    -------
    ibis.Table

    Raises
    ------
    NotAvailableError
        If the shop lacks the table; says what it would have answered.
    """
    table = shop.table(name)
    column = require_table(name).time_column
    if period is None or column is None or column not in table.columns:
        return table
    if "ordered_on" in table.columns:
        # The bound in UTC lets the engine skip parts of files; the local day decides.
        return table.filter(_between(table[column], period, slack=1), _on(table["ordered_on"], period))
    if name == "price_history":
        ends = table["valid_to"] if "valid_to" in table.columns else ibis.null("date")
        return table.filter(table[column] <= period.end, ends.isnull() | (ends >= period.start))
    if table[column].type().is_date():
        return table.filter(_on(table[column], period))
    return table.filter(
        _between(table[column], period, slack=1), _between(to_local(table[column], shop.time_zone), period)
    )


def lines_by_status(shop: Shop, *, period: Period | None = None) -> ir.Table:
    """Lines, units and money by status, so that what is no revenue is seen as well.

    Parameters
    ----------
    shop : Shop
        An open shop.
    period : Period or None
        Local days; everything unless given.

    Returns
    -------
    ibis.Table
        status, n_lines, n_orders, revenue_amount; by status.
    """
    lines = load_table(shop, "order_lines", period=period)
    counted = lines.group_by("status").aggregate(
        n_lines=lines.count(), n_orders=lines["order_id"].nunique(), revenue_amount=lines["revenue_amount"].sum()
    )
    return counted.order_by("status")


def _on(day: ir.DateValue, period: Period) -> ir.BooleanValue:
    return day.between(period.start, period.end)


def _between(at: ir.TimestampValue, period: Period, *, slack: int = 0) -> ir.BooleanValue:
    start = datetime.combine(period.start - timedelta(days=slack), time())
    until = datetime.combine(period.until + timedelta(days=slack), time())
    return (at >= ibis.literal(start)) & (at < ibis.literal(until))
