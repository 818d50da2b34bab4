"""Sessionisation: raw events into visits, and the events of a visit in order."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.errors import ContractError, ParameterError

RULES = ("timeout", "midnight", "campaign")
"""What may end a visit: silence; the end of the local day; an event that comes with another campaign than the one before."""


def sessionised(
    events: ir.Table | pd.DataFrame, *, rules: Sequence[str] = ("timeout",), timeout_minutes: int = 30
) -> ir.Table:
    """Events without visits cut into visits: a new one after so many minutes of silence, or by further rules.

    Silence alone is Google Analytics 4's rule; midnight and campaign, beside it, were those of Universal Analytics.

    Parameters
    ----------
    events : table
        visitor_id, occurred_at (UTC), event_name; more columns stay. An ``event_index``, where there is one, orders
        events of the same moment; without it their names do. ``midnight`` is that of ``occurred_on`` (local days) where
        it is there, else of UTC; ``campaign`` needs the column ``campaign``.
    rules : sequence of str
        Of `RULES`; the first that holds ends the visit.
    timeout_minutes : int
        Silence that ends a visit; a gap of exactly that long does not.

    Returns
    -------
    ibis.Table
        The events with session_id (``<visitor_id>-<number>``) and event_index (from 0 within the visit). Events without
        a visitor are left out: they belong to no visit.

    Raises
    ------
    ContractError
        A column is missing.
    ParameterError
        The timeout is not positive, or a rule is not known.

    Examples
    --------
    >>> events = pd.DataFrame({"visitor_id": "v", "event_name": "page_view",
    ...     "occurred_at": pd.to_datetime(["2026-01-05 10:00", "2026-01-05 10:30", "2026-01-05 11:01"])})
    >>> engine.collect(sessionised(events).order_by("occurred_at"))["session_id"].tolist()
    ['v-0', 'v-0', 'v-1']
    """
    if timeout_minutes <= 0:
        raise ParameterError(f"timeout_minutes: {timeout_minutes} is not positive; 30 is the custom")
    if unknown := [rule for rule in rules if rule not in RULES]:
        raise ParameterError(f"rules: '{unknown[0]}' is not one of {', '.join(RULES)}")
    table = _required(events, "visitor_id", "occurred_at", "event_name", *(["campaign"] if "campaign" in rules else []))
    table = table.filter(table["visitor_id"].notnull())
    order = [table["occurred_at"], *_ties(table)]
    by_visitor = ibis.window(group_by="visitor_id", order_by=order)
    place = ibis.row_number().over(by_visitor).cast("int64")
    table = table.mutate(starts_visit=_is_first(table, rules, by_visitor, timeout_minutes), place=place)
    running = ibis.cumulative_window(group_by="visitor_id", order_by=[table["occurred_at"], *_ties(table)])
    table = table.mutate(
        visit=table["starts_visit"].sum().over(running),
        start=(table["place"] * table["starts_visit"]).max().over(running),
    )
    session = table["visitor_id"].cast("string").concat("-", table["visit"].cast("string"))
    return table.mutate(session_id=session, event_index=table["place"] - table["start"]).drop(
        "starts_visit", "place", "visit", "start"
    )


def _is_first(table: ir.Table, rules: Sequence[str], by_visitor: object, timeout_minutes: int) -> ir.IntegerValue:
    """1 where a visit begins after another, else 0 (the first event of a visitor too)."""
    before = table["occurred_at"].lag().over(by_visitor)
    ends = ibis.literal(False)
    if "timeout" in rules:
        ends = ends | (table["occurred_at"] > before + ibis.interval(minutes=timeout_minutes))
    if "midnight" in rules:
        day = table["occurred_on"] if "occurred_on" in table.columns else table["occurred_at"].date()
        ends = ends | (day != day.lag().over(by_visitor))
    if "campaign" in rules:
        campaign = table["campaign"]
        ends = ends | (
            campaign.notnull() & before.notnull() & (campaign != campaign.lag().over(by_visitor).fill_null(""))
        )
    return ends.fill_null(False).ifelse(1, 0)


def _ties(table: ir.Table) -> list[ir.Value]:
    """Columns that order events of the same moment; equal in all of them, they are interchangeable."""
    return [table[name] for name in ("event_index", "event_name", "page", "product_id") if name in table.columns]


def ordered_events(events: ir.Table | pd.DataFrame, *, collapse: bool = False) -> ir.Table:
    """Events with their neighbours in the visit, for funnels and paths.

    Parameters
    ----------
    events : events
        As the contract says: (session_id, event_index) is the key and the order.
    collapse : bool
        Keep one of several equal events in a row.

    Returns
    -------
    ibis.Table
        The events with position (from 0, after collapsing), previous_event and next_event (missing at the ends), and
        seconds_to_next.

    Examples
    --------
    >>> names = ["search", "search", "purchase"]
    >>> events = pd.DataFrame({"session_id": "s", "event_index": [0, 1, 2], "event_name": names,
    ...     "occurred_at": pd.to_datetime(["2026-01-05 10:00", "2026-01-05 10:01", "2026-01-05 10:05"])})
    >>> found = engine.collect(ordered_events(events, collapse=True).order_by("position"))
    >>> found[["event_name", "next_event"]].values.tolist()
    [['search', 'purchase'], ['purchase', nan]]
    """
    table = _required(events, "session_id", "event_index", "event_name", "occurred_at")
    if collapse:
        before = table["event_name"].lag().over(ibis.window(group_by="session_id", order_by="event_index"))
        table = table.mutate(previous_event=before)
        is_new = table["previous_event"].isnull() | (table["previous_event"] != table["event_name"])
        table = table.filter(is_new).drop("previous_event")
    order = ibis.window(group_by="session_id", order_by="event_index")
    later = table["occurred_at"].lead().over(order)
    return table.mutate(
        position=ibis.row_number().over(order),
        previous_event=table["event_name"].lag().over(order),
        next_event=table["event_name"].lead().over(order),
        seconds_to_next=(engine.epoch_second(later) - engine.epoch_second(table["occurred_at"])).cast("float64"),
    )


def _required(events: ir.Table | pd.DataFrame, *columns: str) -> ir.Table:
    table = engine.as_table(events)
    for column in columns:
        if column not in table.columns:
            raise ContractError(f"events: no column '{column}'; it has {', '.join(table.columns)}")
    return table
