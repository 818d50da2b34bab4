"""Releases and redesigns: what each change of the site did to the visits that it touched, the others taken off."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.errors import DesignError
from opslib.metrics import day_of, require_table_columns
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.stats.before_after import BeforeAfterEstimate, before_after
from opslib.stats.multiplicity import adjusted
from opslib.suppression import of_people

KINDS = ("release", "content", "outage")
"""Changes of the site; prices and promotions are judged where prices are."""
WINDOWS = (28, 14)
"""Days after a change that are compared, and of each window before it: the first for which the history is long enough."""
FALSE_SHARE = 0.05
_COLUMN = {"device": "device", "page": "landing_page", "section": "section", "country": "country"}
_RELEASES = ("change_id", "description", "kind", "started_on", "ended_on", "scope", "measure", "n_days", "n_visits", "n_visitors", "with_share", "without_share",
             "gap_share", "gap_share_lower", "gap_share_upper", "n_windows", "q_value", "verdict")  # fmt: skip


@of_people("n_visitors", by=("change_id",), adds_up=False)
def release_effects(
    events: Table,
    sessions: Table,
    changes: Table,
    *,
    pages: Table | None = None,
    period: Period,
    days_seen: Period,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """What releases, new content and outages of the period did, before against after, beside the visits that they did not touch.

    Parameters
    ----------
    events : events
        session_id, event_name, page.
    sessions : sessions
        session_id, visitor_id, started_at, and the columns that scopes name: device, landing_page, country.
    changes : changes
        change_id, kind, started_at, ended_at, scope (``device:mobile``, ``page:/about``, ``section:guides``, ``country:FR``; anything else cannot be told from
        the rest of the site and is left out), description.
    pages : pages or None
        Needed for scopes of a section.
    period : Period
        Local days in which a change must have begun.
    days_seen : Period
        Days that the data have: the history that effects are held against.
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    DataFrame
        One row a change, the earliest first: change_id, description, kind, started_on, ended_on (missing while it lasts), scope, measure ("order": share of visits that order;
        "go on": of those that begin on the page, that see another), n_days (compared), n_visits and n_visitors (touched, in these days), with_share (of the measure, in these
        days), without_share (what it would have been), gap_share (with less without) with its interval, n_windows (of as many days before it), q_value (Benjamini-Hochberg over the changes that can be judged), verdict ("helped" or
        "harmed" with a q-value of at most 0.05, "not clear", or why nothing can be said).

    Notes
    -----
    `stats.before_after.before_after`: the spread of windows of 28 (14) days in the series' own history, the untouched visits as control.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=260).repeat(40)
    >>> sessions = pd.DataFrame({"session_id": range(len(days)), "visitor_id": range(len(days)), "started_at": days,
    ...     "device": ["mobile", "desktop"] * (len(days) // 2)})
    >>> is_new = sessions["started_at"] >= "2026-08-01"
    >>> order = (sessions.index % 40 < 20) & ~(is_new & (sessions["device"] == "mobile") & (sessions.index % 40 < 10))
    >>> events = pd.DataFrame({"session_id": sessions["session_id"][order], "event_name": "purchase", "page": "/"})
    >>> changes = pd.DataFrame({"change_id": ["c"], "kind": ["release"], "started_at": pd.to_datetime(["2026-08-01"]), "ended_at": pd.NaT,
    ...     "scope": ["device:mobile"], "description": ["New form"]})
    >>> period = Period.parse("2026-01-01", "2026-09-17")
    >>> release_effects(events, sessions, changes, period=period, days_seen=period)[["gap_share", "verdict"]].round(2).values.tolist()
    [[-0.25, 'harmed']]
    """
    known = _changes(changes, period)
    if known.empty:
        return pd.DataFrame(columns=list(_RELEASES))
    visits = _visits(events, sessions, pages)
    found = pd.DataFrame([_judged(change, visits, days_seen, confidence_level) for _, change in known.iterrows()])
    judged = found["p_value"].dropna()
    q = adjusted(judged.to_dict(), method="benjamini_hochberg")["adjusted_p_value"]
    found["q_value"] = pd.Series(q.to_numpy(), index=judged.index, dtype="float64").reindex(found.index)
    clear = found["q_value"] <= FALSE_SHARE
    found["verdict"] = (
        found["verdict"]
        .mask(clear & (found["gap_share"] < 0), "harmed")
        .mask(clear & (found["gap_share"] > 0), "helped")
    )
    return found[list(_RELEASES)]


def _changes(changes: Table, period: Period) -> pd.DataFrame:
    """Changes of the site that began in the period and touch a part of the visits."""
    table = engine.as_table(changes)
    require_table_columns(table, "change_id", "kind", "started_at", "ended_at", "scope", "description", name="changes")
    table = table.mutate(day=day_of(table, "started_at"), end=day_of(table, "ended_at"))
    table = table.filter(table["day"].between(period.start, period.end), table["kind"].isin(KINDS))
    found = engine.collect(
        table.select("change_id", "kind", "day", "end", "scope", "description").order_by("day", "change_id")
    )
    scopes = [str(scope).partition(":") for scope in found["scope"].fillna("")]
    found["what"], found["value"] = [what for what, _, _ in scopes], [value for _, _, value in scopes]
    return found[found["what"].isin(list(_COLUMN))].reset_index(drop=True)


def _visits(events: Table, sessions: Table, pages: Table | None) -> ir.Table:
    """One row a visit: day, visitor, what scopes name, and whether it ordered and saw another page."""
    rows, known = engine.as_table(events), engine.as_table(sessions)
    done = rows.group_by(done_id=rows["session_id"]).aggregate(
        orders=engine.flag(rows["event_name"] == "purchase").max(), n_pages=rows["page"].nunique()
    )
    own = known.select(
        "session_id", visitor_id=known["visitor_id"].cast("string").fill_null(known["session_id"].cast("string")), day=day_of(known, "started_at"),
        **{name: known[name] if name in known.columns else ibis.null("string") for name in ("device", "landing_page", "country")},
    )  # fmt: skip
    visits = own.left_join(done, own["session_id"] == done["done_id"])
    visits = visits.mutate(orders=visits["orders"].fill_null(0.0), goes_on=engine.flag(visits["n_pages"] > 1))
    if pages is None:
        return visits.mutate(section=ibis.null("string"))
    names = engine.as_table(pages).select(landed="page", section="section")
    return visits.left_join(names, visits["landing_page"] == names["landed"])


def _judged(change: pd.Series, visits: ir.Table, days_seen: Period, confidence_level: float) -> dict[str, Any]:
    """One change: daily shares of the visits that it touched and of the others, and its effect."""
    measure = "go on" if change["what"] in ("page", "section") else "order"
    column = "goes_on" if measure == "go on" else "orders"
    touched = engine.flag(visits[_COLUMN[change["what"]]] == change["value"])
    if change["what"] == "page":  # beside visits that begin on pages of the same section, not on all others
        section = visits.filter(visits["landing_page"] == change["value"])["section"].max()
        same = engine.collect(section.name("section").as_table())["section"].iloc[0]
        visits = visits if pd.isna(same) else visits.filter(visits["section"] == same)
        touched = engine.flag(visits["landing_page"] == change["value"])
    rows = visits.mutate(side=touched, y=visits[column])
    daily = engine.grouped(rows, ["day", "side"], y=rows["y"].sum(), d=rows.count())
    daily["value"] = daily["y"] / daily["d"]
    wide = daily.pivot(index="day", columns="side", values="value")
    every = pd.date_range(days_seen.start, days_seen.end, freq="D")
    series = (
        wide.reindex(columns=[1.0, 0.0])
        .reindex(every)
        .set_axis(["value", "others"], axis=1)
        .rename_axis("day")
        .reset_index()
    )
    start = change["day"]
    found, why = _effect(series, start, confidence_level)
    n_days = found[1] if found else WINDOWS[0]
    after = rows.filter(
        rows["side"] == 1, rows["day"].between(start.date(), (start + pd.Timedelta(days=n_days - 1)).date())
    )
    sizes = engine.collect(after.aggregate(n=after.count(), v=after["visitor_id"].nunique(), y=after["y"].sum())).iloc[
        0
    ]
    seen = sizes["y"] / sizes["n"] if sizes["n"] else float("nan")
    relative = found[0].relative if found else None
    effects = (relative.value, relative.lower, relative.upper) if relative else (float("nan"),) * 3
    gaps = [
        seen * effect / (1 + effect) if effect > -1 else -1.0 if effect == effect else effect for effect in effects
    ]  # x - x / (1 + effect)
    return {
        "change_id": change["change_id"], "description": change["description"], "kind": change["kind"], "started_on": start, "ended_on": change["end"],
        "scope": change["scope"], "measure": measure, "n_days": n_days, "n_visits": int(sizes["n"]), "n_visitors": int(sizes["v"]),
        "with_share": seen, "without_share": seen - gaps[0], **dict(zip(("gap_share", "gap_share_lower", "gap_share_upper"), gaps, strict=True)),
        "n_windows": found[0].n_windows if found else 0, "p_value": found[0].p_value if found else float("nan"), "verdict": why,
    }  # fmt: skip


def _effect(
    series: pd.DataFrame, start: pd.Timestamp, confidence_level: float
) -> tuple[tuple[BeforeAfterEstimate, int] | None, str]:
    """The effect over the longest window that the history allows, or why there is none."""
    why = ""
    for n_days in WINDOWS:
        try:
            options: dict[str, Any] = {"n_days": n_days, "controls": ("others",), "confidence_level": confidence_level}
            return (before_after(series, changed_on=start.date(), **options), n_days), "not clear"
        except DesignError as error:
            why = "too little history" if error.gate == "history" else "too few visits after it"
    return None, why
