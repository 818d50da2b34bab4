"""How many people a page or section reaches, how long they stay, where visits end, and which orders it was seen before."""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.metrics import day_of, require_table_columns
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.suppression import counted

#: A longer silence is no reading.
MOST_SECONDS = 1_800


def page_reach(
    events: Table, *, pages: Table | None = None, by: Literal["page", "section"] = "section", period: Period
) -> pd.DataFrame:
    """Reach, engagement, exits and assisted orders of each page or section.

    Parameters
    ----------
    events : events
        session_id, event_index, occurred_at, event_name, and page or section; visitor_id and order_id are used where they are.
    pages : pages or None
        Titles, sections and days of publishing.
    by : {"page", "section"}
        What a row is.
    period : Period
        Local days that count; the age of a page is counted at its end.

    Returns
    -------
    DataFrame
        One row a page (section), by visits: page (section), n_visits, n_visitors, visit_share (of all visits), n_views, mean_seconds
        (a view, until the next event of the visit; what ends a visit is not known), entry_share and exit_share (of its visits: the
        visit began here; ended here without an order), n_assisted_orders (paid for in visits that saw it: no effect), and of
        ``pages``: for a page title, section, template, published_on, age_days; for a section n_pages, newest_on, age_days
        (of the newest).

    Raises
    ------
    ContractError
        A column is missing.

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": "s", "event_index": [0, 1, 2], "page": ["/", "/help", "/help"], "event_name": "page_view",
    ...     "section": ["home", "help", "help"], "occurred_at": pd.to_datetime(["2026-01-05 10:00", "2026-01-05 10:01", "2026-01-05 10:03"])})
    >>> found = page_reach(events, period=Period.parse("2026-01-01", "2026-01-31"))
    >>> found[["section", "n_views", "mean_seconds", "exit_share"]].values.tolist()
    [['help', 1, 120.0, 1.0], ['home', 1, 60.0, 0.0]]
    """
    table = _seen(engine.as_table(events), by, period)
    within = ibis.window(group_by="session_id", order_by="event_index")
    whole = ibis.window(group_by="session_id")
    later = (
        engine.epoch_second(table["occurred_at"].lead().over(within)) - engine.epoch_second(table["occurred_at"])
    ).cast("float64")
    table = table.mutate(
        before=table["where_"].lag().over(within), seconds=(later > MOST_SECONDS).ifelse(float(MOST_SECONDS), later)
    )
    is_buy = (table["event_name"] == "purchase").fill_null(False).ifelse(1, 0)
    table = table.mutate(
        first=table["event_index"].min().over(whole),
        last=table["event_index"].max().over(whole),
        has_order=is_buy.max().over(whole),
    )
    bought = table.filter(table["event_name"] == "purchase")
    orders = bought.group_by("session_id").aggregate(n_orders=bought["order_id"].nunique())
    here = table.filter(table["where_"].notnull())
    is_view = here["before"].isnull() | (here["before"] != here["where_"])
    visits = here.group_by("where_", "session_id").aggregate(
        visitor_id=here["visitor_id"].max(), n_views=is_view.ifelse(1, 0).sum(), seconds=here["seconds"].sum(),
        n_timed=here["seconds"].count(), is_entry=(here["event_index"] == here["first"]).ifelse(1, 0).max(),
        is_exit=((here["event_index"] == here["last"]) & (here["has_order"] == 0)).ifelse(1, 0).max(),
    )  # fmt: skip
    orders = orders.rename(order_session="session_id")
    visits = visits.left_join(orders, visits["session_id"] == orders["order_session"])
    found = engine.grouped(
        visits, "where_", n_visits=visits.count(), n_visitors=visits["visitor_id"].nunique(), n_views=visits["n_views"].sum(),
        seconds=visits["seconds"].sum(), n_timed=visits["n_views"].sum(where=visits["n_timed"] > 0), entries=visits["is_entry"].sum(),
        exits=visits["is_exit"].sum(), n_assisted_orders=visits["n_orders"].sum().fill_null(0).cast("int64"),
    )  # fmt: skip
    n_all = int(engine.collect(table.aggregate(n=table["session_id"].nunique()))["n"].iloc[0])
    found["visit_share"] = found["n_visits"] / max(n_all, 1)
    found["mean_seconds"] = found["seconds"] / found["n_timed"].where(found["n_timed"] > 0)
    found["entry_share"], found["exit_share"] = found["entries"] / found["n_visits"], found["exits"] / found["n_visits"]
    columns = [
        "n_visits",
        "n_visitors",
        "visit_share",
        "n_views",
        "mean_seconds",
        "entry_share",
        "exit_share",
        "n_assisted_orders",
    ]
    found = found.rename(columns={"where_": by})[[by, *columns]]
    if pages is not None:
        found = found.merge(_published(pages, by, period), on=by, how="left")
    found = found.sort_values(["n_visits", by], ascending=[False, True], ignore_index=True)
    return counted(found, "n_visitors", by=[by], adds_up=False)


def _seen(events: ir.Table, by: str, period: Period) -> ir.Table:
    """Events of the period, with the page (section) that they happened on."""
    require_table_columns(events, "session_id", "event_index", "occurred_at", "event_name", by, name="events")
    visitor = events["visitor_id"].cast("string") if "visitor_id" in events.columns else ibis.null("string")
    order = events["order_id"].cast("string") if "order_id" in events.columns else ibis.null("string")
    session = events["session_id"].cast("string")
    table = events.select(
        "event_index", "occurred_at", "event_name", session_id=session, visitor_id=visitor.fill_null(session), order_id=order.fill_null(session),
        where_=events[by].cast("string"), day=day_of(events, "occurred_at"),
    )  # fmt: skip
    return table.filter(table["day"].between(period.start, period.end))


def _published(pages: Table, by: str, period: Period) -> pd.DataFrame:
    """What the table of pages says of each page (section), with its age at the end of the period."""
    table = engine.as_table(pages)
    named = {
        name: table[name].cast("string") if name in table.columns else ibis.null("string")
        for name in ("section", "title", "template")
    }
    day = (
        day_of(table, "published_at")
        if "published_at" in table.columns or "published_on" in table.columns
        else ibis.null("date")
    )
    table = table.select(page=table["page"].cast("string"), published_on=day, **named)
    table = table.filter(table["published_on"].isnull() | (table["published_on"] <= period.end))
    if by == "page":
        found = engine.grouped(table, "page", title=table["title"].max(), section=table["section"].max(), template=table["template"].max(),
                               published_on=table["published_on"].min())  # fmt: skip
        newest = "published_on"
    else:
        table = table.filter(table["section"].notnull())
        found = engine.grouped(table, "section", n_pages=table["page"].nunique(), newest_on=table["published_on"].max())
        newest = "newest_on"
    found["age_days"] = (pd.Timestamp(period.end) - pd.to_datetime(found[newest])).dt.days
    return found
