"""Pages and sections: value, depth, orphans, demand against supply; and which stage of e-commerce the site has reached."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.metrics import MONEY, day_of, require_table_columns
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.suppression import of_people

LOOPS = 3
"""Stays at one page from which a visit counts as going round in a loop."""
ENQUIRY = ("help", "service", "support", "contact", "faq", "enquiry")
SELF_SERVICE = ("account", "returns", "orders", "delivery")
STAGES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "information": ("pages are read", ("page_view", "view_item", "view_item_list"), ()),
    "product list": ("products are listed and looked at", ("view_item_list", "select_item", "view_item"), ()),
    "enquiry": ("help is asked for, or the shop is searched", ("search",), ENQUIRY),
    "cart": ("products are put into a cart", ("add_to_cart",), ()),
    "online payment": ("orders are paid on the site", ("add_payment_info", "purchase"), ()),
    "after-sales self-service": ("returns or the account are looked after on the site", ("refund",), SELF_SERVICE),
}
"""Stages of e-commerce in order: what happens, the events that show it, the sections that do."""


def _seen(events: Table, period: Period | None) -> ir.Table:
    table = engine.as_table(events)
    require_table_columns(table, "session_id", "event_index", "event_name", "occurred_at", "page", name="events")
    if period is not None:
        table = table.filter(day_of(table, "occurred_at").between(period.start, period.end))
    return table


_PAGE = ("page", "title", "section", "n_visits", "n_visitors", "entry_share", "exit_share", "median_depth", "back_share", "loop_share",
         "order_share", "page_amount", "is_orphan", "is_dead_end")  # fmt: skip


@of_people("n_visitors", by=("page",), adds_up=False)
def page_values(events: Table, pages: Table | None = None, *, period: Period | None = None) -> pd.DataFrame:
    """What each page is in the visits that see it: entry, exit, depth, and what is ordered after it.

    Parameters
    ----------
    events : events
        session_id, event_index, event_name, occurred_at, page; visitor_id, section, order and value are used where they are.
    pages : pages or None
        Title of each page; pages that no visit saw are there as well.
    period : Period or None
        Local days that count; all unless given.

    Returns
    -------
    DataFrame
        One row a page, the largest page_amount first: page, title (the page where unknown), section, n_visits (that see it), n_visitors, entry_share (of these that begin there), exit_share (that end there
        without an order), median_depth (pages before it, at first sight), back_share (of the stays there that lead back to the page before), loop_share (of the visits with `LOOPS` stays
        there), order_share (that order after seeing it), page_amount (revenue of those orders a visit that sees it: page value; each order counts at all pages
        seen before it), is_orphan (never reached from another page), is_dead_end (never left for another page).

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["s", "s", "t"], "event_index": [0, 1, 0], "page": ["/", "/a", "/a"], "value": [None, 8.0, None],
    ...     "event_name": ["page_view", "purchase", "page_view"], "occurred_at": pd.to_datetime(["2026-01-05"] * 3)})
    >>> page_values(events)[["page", "entry_share", "page_amount", "is_dead_end"]].values.tolist()
    [['/', 1.0, 8.0, False], ['/a', 0.5, 4.0, True]]
    """
    table = _seen(events, period)
    who = table["visitor_id"].cast("string") if "visitor_id" in table.columns else ibis.null("string")
    rows = table.select(
        "session_id", "page", place="event_index", visitor_id=who.fill_null(table["session_id"].cast("string")),
        section=table["section"] if "section" in table.columns else ibis.null("string"),
        value=(table["event_name"] == "purchase").ifelse(table["value"].cast(MONEY) if "value" in table.columns else ibis.literal(0).cast(MONEY), None),
        is_order=engine.flag(table["event_name"] == "purchase"),
    )  # fmt: skip
    rows = rows.filter(rows["page"].notnull())
    in_order = ibis.window(group_by="session_id", order_by="place")
    rows = rows.mutate(before=rows["page"].lag().over(in_order), sold=rows["value"].sum().over(ibis.window(group_by="session_id")),
                       ordered_at=ibis.ifelse(rows["is_order"] > 0, rows["place"], None).max().over(ibis.window(group_by="session_id")))  # fmt: skip
    stays = rows.filter(rows["before"].isnull() | (rows["before"] != rows["page"]))
    stays = stays.mutate(after=stays["page"].lead().over(in_order), depth=ibis.row_number().over(in_order))
    stays = stays.mutate(
        is_back=engine.flag(stays["before"].notnull() & (stays["after"] == stays["before"])), is_entry=engine.flag(stays["depth"] == 0),
        is_end=engine.flag(stays["after"].isnull()),
    )  # fmt: skip
    visits = stays.group_by("page", "session_id").aggregate(
        visitor_id=stays["visitor_id"].max(), section=stays["section"].max(), n_stays=stays.count(), n_back=stays["is_back"].sum(), depth=stays["depth"].min(),
        is_entry=stays["is_entry"].max(), is_end=stays["is_end"].max(), first=stays["place"].min(), ordered_at=stays["ordered_at"].max(), sold=stays["sold"].max(),
    )  # fmt: skip
    orders = engine.flag(visits["ordered_at"] >= visits["first"])
    visits = visits.mutate(orders=orders, exits=engine.flag((visits["is_end"] > 0) & visits["ordered_at"].isnull()),
                           loops=engine.flag(visits["n_stays"] >= LOOPS), after=orders * visits["sold"].cast("float64").fill_null(0.0))  # fmt: skip
    found = engine.grouped(
        visits, "page", section=visits["section"].max(), n_visits=visits.count(), n_visitors=visits["visitor_id"].nunique(), n_stays=visits["n_stays"].sum(),
        n_back=visits["n_back"].sum(), entry_share=visits["is_entry"].mean(), exit_share=visits["exits"].mean(), median_depth=visits["depth"].median(),
        loop_share=visits["loops"].mean(), order_share=visits["orders"].mean(), page_amount=visits["after"].mean(), n_reached=(visits["n_stays"] - visits["is_entry"]).sum(),
        n_left=(visits["n_stays"] - visits["is_end"]).sum(), sold=visits["after"].sum(),
    )  # fmt: skip
    found["back_share"] = found["n_back"] / found["n_stays"]
    found["is_orphan"], found["is_dead_end"] = found["n_reached"] == 0, found["n_left"] == 0
    if pages is None:
        return _ranked(found.assign(title=found["page"]))
    listed = engine.as_table(pages)
    names = engine.collect(listed.select("page", title=listed["title"], own="section").order_by("page"))
    every = found.merge(names, on="page", how="outer", validate="one_to_one")
    every["title"], every["section"] = every["title"].fillna(every["page"]), every["section"].fillna(every["own"])
    never = every["n_visits"].isna()
    every = every.assign(**{name: every[name].mask(never, True).astype(bool) for name in ("is_orphan", "is_dead_end")})
    return _ranked(every.fillna({"n_visits": 0, "n_visitors": 0}))


def _ranked(found: pd.DataFrame) -> pd.DataFrame:
    ranked = found.sort_values(["page_amount", "page"], ascending=[False, True], kind="stable", ignore_index=True)
    return ranked[list(_PAGE)].astype({"n_visits": "int64", "n_visitors": "int64"})


@of_people("n_visitors", by=("section",), adds_up=False)
def section_balance(events: Table, pages: Table, *, period: Period | None = None) -> pd.DataFrame:
    """Sections by demand (visits) against supply (pages).

    Parameters
    ----------
    events : events
        session_id, event_index, event_name, occurred_at, page, section; visitor_id is used where it is.
    pages : pages
        page and section.
    period : Period or None
        Local days that count; all unless given.

    Returns
    -------
    DataFrame
        One row a section, the most visits a page first: section, n_visits (that see it), n_visitors, visit_share (of all visits), n_pages, page_share (of all pages), page_visits (visits a page).

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["s", "t"], "event_index": 0, "page": "/a", "section": "guides", "event_name": "page_view",
    ...     "occurred_at": pd.to_datetime(["2026-01-05"] * 2)})
    >>> section_balance(events, pd.DataFrame({"page": ["/a", "/b"], "section": ["guides", "play"]}))[["section", "n_visits", "n_pages"]].values.tolist()
    [['guides', 2, 1], ['play', 0, 1]]
    """
    table = _seen(events, period)
    who = table["visitor_id"].cast("string") if "visitor_id" in table.columns else ibis.null("string")
    rows = table.mutate(who=who.fill_null(table["session_id"].cast("string"))).filter(table["section"].notnull())
    seen = engine.grouped(rows, "section", n_visits=rows["session_id"].nunique(), n_visitors=rows["who"].nunique())
    n_visits = int(engine.collect(table["session_id"].nunique().name("n").as_table())["n"].iloc[0])
    known = engine.as_table(pages)
    known = known.filter(known["section"].notnull())
    supply = engine.grouped(known, "section", n_pages=known["page"].nunique())
    found = seen.merge(supply, on="section", how="outer").fillna({"n_visits": 0, "n_visitors": 0, "n_pages": 0})
    found = found.astype({"n_visits": "int64", "n_visitors": "int64", "n_pages": "int64"})
    found["visit_share"], found["page_share"] = (
        found["n_visits"] / max(n_visits, 1),
        found["n_pages"] / max(found["n_pages"].sum(), 1),
    )
    found["page_visits"] = found["n_visits"] / found["n_pages"].where(found["n_pages"] > 0)
    order = ["section", "n_visits", "n_visitors", "visit_share", "n_pages", "page_share", "page_visits"]
    return found.sort_values(["page_visits", "section"], ascending=[False, True], kind="stable", ignore_index=True)[
        order
    ]


@of_people("n_visitors", by=("stage",), adds_up=False)
def commerce_stage(events: Table, *, period: Period | None = None) -> pd.DataFrame:
    """Which stages of e-commerce the site's own events show, up to which it has come, and what the next lacks.

    Parameters
    ----------
    events : events
        session_id, event_index, event_name, occurred_at; visitor_id and section are used where they are.
    period : Period or None
        Local days that count; all unless given.

    Returns
    -------
    DataFrame
        One row a stage of `STAGES`, in order: stage, meaning, n_visits, n_visitors, visit_share, is_there, is_reached (it and all before it are there),
        missing (events and sections of which any would show it; '' where it is there).

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": "s", "event_index": [0, 1], "event_name": ["page_view", "view_item_list"], "page": "/",
    ...     "occurred_at": pd.to_datetime(["2026-01-05"] * 2)})
    >>> commerce_stage(events)[["stage", "is_there", "is_reached"]].head(3).values.tolist()
    [['information', True, True], ['product list', True, True], ['enquiry', False, False]]
    """
    table = _seen(events, period)
    who = table["visitor_id"].cast("string") if "visitor_id" in table.columns else ibis.null("string")
    section = table["section"].lower() if "section" in table.columns else ibis.null("string")
    rows = table.select(
        "session_id", "event_name", who=who.fill_null(table["session_id"].cast("string")), section=section
    )
    shown = {
        stage: rows["event_name"].isin(names) | rows["section"].isin(sections).fill_null(False) if sections else rows["event_name"].isin(names)
        for stage, (_, names, sections) in STAGES.items()
    }  # fmt: skip
    measures = {"n": rows["session_id"].nunique()}
    for number, is_shown in enumerate(shown.values()):
        measures |= {
            f"n_{number}": rows["session_id"].nunique(where=is_shown),
            f"v_{number}": rows["who"].nunique(where=is_shown),
        }
    sums = engine.collect(rows.aggregate(**measures)).iloc[0]
    found = pd.DataFrame([
        {"stage": stage, "meaning": meaning, "n_visits": int(sums[f"n_{n}"]), "n_visitors": int(sums[f"v_{n}"]),
         "visit_share": sums[f"n_{n}"] / max(sums["n"], 1), "is_there": bool(sums[f"n_{n}"]),
         "missing": "" if sums[f"n_{n}"] else ", ".join([*names, *(f"section {name}" for name in sections)])}
        for n, (stage, (meaning, names, sections)) in enumerate(STAGES.items())
    ])  # fmt: skip
    found.insert(6, "is_reached", found["is_there"].cummin())
    return found
