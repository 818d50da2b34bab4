"""What a notebook's common parameters mean for a shop: which days, which rows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import ibis.expr.types as ir

from opslib import engine
from opslib.contracts import CONTRACTS
from opslib.errors import ParameterError, nearest
from opslib.metrics import Filter, with_column, with_local_days
from opslib.metrics.blocks import buyer, day_of
from opslib.periods import Coverage, Period, floor_date, parse_date, shift_months
from opslib.privacy import IDENTITY_COLUMNS
from opslib.shop import reads
from opslib.shop.opening import Shop

Default = Literal["month", "year", "all"]
DEFAULTS: tuple[Default, ...] = ("month", "year", "all")
#: Days that pages of a shop without dates are about, since every page is about some; no shop has any data there.
NO_DATES = Period(date(1900, 1, 1), date(1900, 12, 31))

_CONDITION = re.compile(
    r"""\s*(?P<column>[a-z_][a-z0-9_]*)\s*(?P<operator><=|>=|!=|=|<|>|not\s+in\b|in\b)\s*
        (?P<value>\([^)]*\)|"[^"]*"|'[^']*'|.*?)\s*(?=$|\s+and\s)""",
    re.VERBOSE | re.IGNORECASE,
)
#: Values of a column that a refused condition is compared with, and the most that its message lists.
_MOST_VALUES, _SHOWN_VALUES = 10_000, 12
_FORM = 'write it as column = value, joined by "and", e.g. country = Germany and channel in (email, search)'


def choose_period(shop: Shop, *, start: str = "", end: str = "", default: Default = "month") -> Period:
    """The period that a page is about.

    Parameters
    ----------
    shop : Shop
        Its coverage gives what is not said.
    start, end : str
        ISO dates; empty for the default's.
    default : {"month", "year", "all"}
        Last whole calendar month seen; the twelve months up to its end; every day seen.

    Returns
    -------
    Period
        A shop without any dated table has none to choose from: its pages are about `NO_DATES`, and say that there are none.

    Raises
    ------
    ParameterError
        If the dates are none, or lie wholly outside the data.
    """
    seen = shop.coverage
    fallback = _default_period(seen, default) if seen else NO_DATES
    if seen and start and not end:
        fallback = Period(min(parse_date(start), seen.last), seen.last)
    if seen and end and not start:
        last = parse_date(end, name="end")
        fallback = Period(seen.first if default == "all" else min(fallback.start, floor_date(last, "month")), last)
    period = Period(
        parse_date(start, name="start") if start else fallback.start,
        parse_date(end, name="end") if end else fallback.end,
    )
    if seen and seen.status(period) == "unobserved":
        raise ParameterError(
            f"period {period.label}: {shop.name} has no data there; it was seen from {seen.first} to {seen.last}"
        )
    return period


def _default_period(seen: Coverage, default: Default) -> Period:
    if default == "all":
        return Period(seen.first, seen.last)
    until = seen.last + timedelta(days=1)
    end = floor_date(until, "month") - timedelta(days=1)
    if end < seen.first:  # less than one whole month of data
        return Period(seen.first, seen.last)
    start = floor_date(end, "month") if default == "month" else shift_months(end + timedelta(days=1), -12)
    return Period(max(start, seen.first), end)


def read_where(text: str) -> tuple[Filter, ...]:
    """Read the ``where`` parameter: typed conditions, never evaluated.

    Parameters
    ----------
    text : str
        ``column operator value`` joined by ``and``; operators =, !=, <, <=, >, >=, in, not in.

    Returns
    -------
    tuple of Filter

    Raises
    ------
    ParameterError
        If the text is not of that form.

    Examples
    --------
    >>> [(f.column, f.operator, f.value) for f in read_where("country = Germany and channel in (email, 'paid search')")]
    [('country', '=', 'Germany'), ('channel', 'in', ('email', 'paid search'))]
    """
    if re.search(r"\sand\s*$", text, re.IGNORECASE):
        raise ParameterError(f"where: a condition is missing after 'and'; {_FORM}")
    conditions, place = [], 0
    while text[place:].strip():
        match = _CONDITION.match(text, place)
        if match is None or not match["value"]:
            raise ParameterError(f"where: '{text[place:].strip()}' is not understood; {_FORM}")
        operator = re.sub(r"\s+", " ", match["operator"].lower())
        conditions.append(Filter(match["column"].lower(), operator, _value_of(match["value"], operator)))
        place = match.end()
        joint = re.compile(r"\s+and\s+", re.IGNORECASE).match(text, place)
        place = joint.end() if joint else place
    return tuple(conditions)


def _value_of(text: str, operator: str) -> Any:
    if operator in ("in", "not in"):
        if not text.startswith("("):
            raise ParameterError(f"where: '{operator}' needs a list in brackets, e.g. {operator} (a, b), not {text}")
        return tuple(part.strip().strip("'\"") for part in text[1:-1].split(",") if part.strip())
    return text.strip("'\"")


#: Columns that a change is split by where nobody asks for another, first that the data have.
GROUPS = ("country", "category", "channel", "store", "device", "brand")


def choose_group(tables: Mapping[str, ir.Table], *, by: str = "", among: Sequence[str] = GROUPS) -> str:
    """The column that figures are split by.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        A shop's tables.
    by : str
        Column of order lines or products; empty for the first of ``among`` that the data have.
    among : sequence of str
        Candidates; ``product_id`` is the last resort.

    Returns
    -------
    str

    Raises
    ------
    ParameterError
        If the column is asked for and not there; the nearest is named.
    """
    known = {column for name in ("order_lines", "products") if name in tables for column in tables[name].columns}
    if by and by not in known:
        raise ParameterError(f"by: neither order lines nor products have a column '{by}'; {nearest(by, known)}")
    return by or next((column for column in among if column in known), "product_id")


#: Share of the days of a year before that must have been seen: a day of outage does not forbid half a year.
LEAST_SEEN = 0.98


def choose_baseline(seen: Coverage, *, period: Period) -> tuple[Period, Period]:
    """Two periods of equal length to compare: the same months of two years wherever those days exist.

    Parameters
    ----------
    seen : Coverage
        Days that the data have seen.
    period : Period
        The period of interest.

    Returns
    -------
    (Period, Period)
        As much of the period, counted back from its end in months, as was seen a year before too, and those days; else the
        later and the earlier half of the period, whether seen or not, which a season moves apart.

    Examples
    --------
    >>> year = Period.parse("2025-11-01", "2026-10-31")
    >>> [part.label for part in choose_baseline(Coverage(date(2025, 5, 1), year.end), period=year)]
    ['May-Oct 2026', 'May-Oct 2025']
    >>> pair = choose_baseline(Coverage(date(2026, 1, 1), date(2026, 4, 30)), period=Period.parse("2026-03-01", "2026-04-30"))
    >>> [part.label for part in pair]
    ['Apr 2026', 'Mar 2026']
    """
    for piece in period.split("month"):
        part = Period(piece.start, period.end)
        before = part.year_before()
        if before.end < part.start and seen.n_observed(before) >= LEAST_SEEN * before.n_days:
            return part, before
    if period.n_months and period.n_months % 2 == 0:
        middle = shift_months(period.start, period.n_months // 2)
        return Period(middle, period.end), Period(period.start, middle - timedelta(days=1))
    later = Period(period.end - timedelta(days=max(period.n_days // 2 - 1, 0)), period.end)
    return later, later.previous()


@dataclass(frozen=True, slots=True)
class Rows:
    """A shop's tables, cut by ``where``.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        With local days; rows that pass every condition that the table can be linked to.
    sentence : str
        What was cut, and which tables could not be, in words; empty without a condition.
    """

    tables: Mapping[str, ir.Table]
    sentence: str


def choose_rows(shop: Shop, *, where: str = "") -> Rows:
    """The rows that a page is about.

    Parameters
    ----------
    shop : Shop
        Its tables.
    where : str
        As for :func:`read_where`.

    Returns
    -------
    Rows

    Raises
    ------
    ParameterError
        If no table of the shop has a column of the condition, the value is not of its type, or no row passes; the nearest
        value is named.
    """
    tables = with_local_days(shop.tables, zone=shop.time_zone)
    conditions = read_where(where)
    if not conditions:
        return Rows(tables, "")
    for condition in conditions:
        require_group(condition.column, asked_by=f"where {condition.column}")
    for name in CONTRACTS:  # any table may link another to the condition, one that the shop lacks today too
        reads.note("table", name)
    kept, whole = {}, set()
    for name, table in tables.items():
        rows = table
        for condition in conditions:
            linked = with_column(rows, condition.column, tables, is_required=False)
            if condition.column in linked.columns:
                rows = linked.filter(_typed(condition, linked, name).on(linked)).select(*rows.columns)
            else:
                whole.add(name)
        kept[name] = rows
    if whole == set(tables):
        columns = sorted({column for table in tables.values() for column in table.columns})
        raise ParameterError(
            f"where: no table of {shop.name} has the column of '{where}'; columns are {', '.join(columns)}"
        )
    _require_matches(kept, tables, conditions, where=where)
    uncut = f" Not cut, since nothing links them to it: {', '.join(sorted(whole))}." if whole else ""
    return Rows(kept, f"Only rows where {where}.{uncut}")


def _require_matches(
    kept: Mapping[str, ir.Table], tables: Mapping[str, ir.Table], conditions: Sequence[Filter], *, where: str
) -> None:
    """Refuse conditions that no row of any table with such a column passes; the first whose value is nowhere is named."""
    columns = {condition.column for condition in conditions}
    holding = {name: table for name, table in tables.items() if columns & set(table.columns)}
    if not holding or not all(engine.is_empty(kept[name]) for name in holding):
        return
    for condition in conditions:
        values: set[str] = set()
        for table in holding.values():
            if condition.column in table.columns and not engine.is_empty(table, condition.column):
                column = table[condition.column].cast("string")
                rows = table.select(value=column).distinct().order_by("value").limit(_MOST_VALUES)
                values |= {str(value) for value in engine.collect(rows, max_rows=_MOST_VALUES)["value"].dropna()}
        wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        lost = [str(value) for value in wanted if str(value) not in values]
        if condition.operator in ("=", "in") and len(lost) == len(wanted):
            known = values if len(values) <= _SHOWN_VALUES else difflib.get_close_matches(lost[0], values, n=3)
            close = nearest(lost[0], known) if known else f"there are {len(values)} others"
            raise ParameterError(f"where: nothing has {condition.column} {lost[0]!r}; {close}")
    raise ParameterError(f"where: no row passes '{where}'; take one of its conditions out")


def require_group(column: str, *, asked_by: str) -> None:
    """Refuse a column that names people or their orders: a page is about a group.

    Raises
    ------
    ParameterError
        Named by what asked for the column.
    """
    if column in IDENTITY_COLUMNS:
        raise ParameterError(
            f"{asked_by}: '{column}' names people or their orders; pages are about groups, "
            "e.g. country, channel, category or device"
        )


def people_by(
    tables: Mapping[str, ir.Table], columns: Sequence[str] = (), *, period: Period | None = None
) -> ir.Table | None:
    """Distinct people of each group: customers of the orders (a guest's order is one), else visitors of the events; else None.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        A shop's tables.
    columns : sequence of str
        Columns that name a group; tables without them say nothing.
    period : Period or None
        Days that count; all unless given.

    Returns
    -------
    ibis.Table or None
        ``columns`` and ``n_people``.
    """
    for name, person, day in (("order_lines", "order_id", "ordered_at"), ("events", "visitor_id", "occurred_at")):
        if name in tables and {person, *columns} <= set(tables[name].columns):
            rows = tables[name]
            if period is not None:
                rows = rows.filter(day_of(rows, day).between(period.start, period.end))
            who = buyer(rows) if name == "order_lines" else rows[person]
            return rows.aggregate(by=list(columns), n_people=who.nunique())
    return None


def require_people(rows: Rows, *, period: Period, where: str, minimum: int) -> None:
    """Refuse a page whose cut leaves too few people, since its totals would be about them.

    Raises
    ------
    ParameterError
        If rows of the period are cut to fewer people than ``minimum``, and to one at least.
    """
    counts = people_by(rows.tables, period=period) if where.strip() else None
    if counts is None:
        return
    n_people = int(engine.collect(counts)["n_people"].iloc[0])
    if 0 < n_people < minimum:
        raise ParameterError(
            f"where: '{where}' leaves fewer than {minimum} people, and a page would tell about them; widen it"
        )


def _typed(condition: Filter, table: ir.Table, name: str) -> Filter:
    """The condition with its value in the type of the column."""
    kind = table[condition.column].type()
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    try:
        if kind.is_numeric():
            values = tuple(float(value) for value in values)
        elif kind.is_boolean():
            values = tuple({"true": True, "false": False}[str(value).lower()] for value in values)
        elif kind.is_date() or kind.is_timestamp():
            values = tuple(parse_date(str(value), name=f"where {condition.column}") for value in values)
    except (ValueError, KeyError):
        raise ParameterError(
            f"where: {name}.{condition.column} holds {kind}; '{condition.value}' is no such value"
        ) from None
    value = values if isinstance(condition.value, tuple) else values[0]
    return Filter(condition.column, condition.operator, value)
