"""Events by hand and at random, for the tests of ways through the site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd

EMPTY = pd.DataFrame({
    name: pd.Series(dtype=kind)
    for name, kind in {
        "session_id": "str", "event_index": "int64", "visitor_id": "str", "occurred_at": "datetime64[us]", "event_name": "str",
        "page": "str", "section": "str", "product_id": "str", "value": "float64",
    }.items()
})  # fmt: skip


def events_of(
    log: dict[str, Sequence[str]], *, at: str = "2026-01-05 10:00", column: str = "event_name"
) -> pd.DataFrame:
    """One event a minute in each visit; the names go to ``column``, and to page and section."""
    rows = [
        {"session_id": visit, "event_index": i, "visitor_id": f"v{visit}", "occurred_at": pd.Timestamp(at) + pd.Timedelta(minutes=i), "event_name": "page_view",
         "page": name, "section": name, "product_id": None, "value": 9.5 if name == "purchase" else None, column: name}
        for visit, names in log.items() for i, name in enumerate(names)
    ]  # fmt: skip
    return pd.concat([EMPTY, pd.DataFrame(rows)]).astype(EMPTY.dtypes.to_dict()) if rows else EMPTY


def random_visits(seed: int, *, n: int = 3_000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events over five sections, and sessions whose visitors fall into two equal groups by lot: nothing differs between them.

    A visitor's visits are alike: each has places of his own that he prefers.
    """
    rng = np.random.default_rng(seed)
    visitor = rng.integers(0, n // 3, n)
    taste = rng.dirichlet(np.full(5, 0.8), n // 3)
    length = 1 + rng.poisson(2.0, n)
    session = np.repeat(np.arange(n), length)
    index = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    place = (taste[visitor[session]].cumsum(axis=1) < rng.random(session.size)[:, None]).sum(axis=1)
    events = pd.DataFrame({
        "session_id": session.astype(str), "event_index": index, "visitor_id": visitor[session].astype(str), "occurred_at": pd.Timestamp("2026-01-05"),
        "event_name": "page_view", "section": np.array(["home", "help", "garden", "play", "bath"])[np.minimum(place, 4)],
    })  # fmt: skip
    events["page"] = events["section"]
    side = rng.random(n // 3) < 0.5
    sessions = pd.DataFrame(
        {
            "session_id": np.arange(n).astype(str),
            "visitor_id": visitor.astype(str),
            "device": np.where(side[visitor], "mobile", "desktop"),
        }
    )
    return events, sessions


def site(world: Any) -> dict[str, Any]:
    """Tables of a parity shop as a site: one made by hand without sections has its event names for pages and sections, and seven times its visitors."""
    events, sessions = world.table("events"), world.table("sessions")
    if "section" in events.columns:
        return {
            "events": events,
            "sessions": sessions,
            "pages": world.table("pages"),
            "changes": world.table("changes"),
            "groups": ("mobile", "desktop"),
        }
    times = events.select(times=events["event_index"].cast("string")).distinct()

    def many(table: ibis.Table) -> ibis.Table:
        rows = table.cross_join(times)
        named = {name: rows[name].cast("string").concat("-", rows["times"]) for name in ("session_id", "visitor_id")}
        return rows.mutate(**named).drop("times")

    events = many(events)
    events = events.mutate(page=events["event_name"], section=events["event_name"])
    pages = events.select("page", "section", title=events["page"], template="page").distinct()
    changes = world.table("changes").mutate(
        kind=ibis.literal("release"), scope=ibis.literal("device:phone"), description=ibis.literal("a")
    )
    return {
        "events": events,
        "sessions": many(sessions),
        "pages": pages,
        "changes": changes,
        "groups": ("phone", "desktop"),
    }


def months_of(world: Any) -> ibis.Table:
    """Exits of two things in six months, made of a parity shop's events: nobody goes on from one of them in the third."""
    events = site(world)["events"]
    index = events["event_index"].cast("int64")
    month = events["occurred_at"].day() % 6 + 1
    is_first = events["event_name"].isin(["page_view", "search", "view_item"])
    on = ((month == 3) & is_first) | ((index + events["occurred_at"].day() + events["session_id"].length()) % 9 == 0)
    kept = events.mutate(month_number=month, is_first=is_first, on=on)
    return kept.select(
        place=ibis.literal("step"), thing=kept["is_first"].ifelse("a", "b"), month=ibis.literal("2026-0").concat(kept["month_number"].cast("string")),
        visitor_id=kept["session_id"].cast("string").concat("/", kept["event_index"].cast("string")), n_at=ibis.literal(1).cast("float64"),
        n_on=kept["on"].ifelse(0, 1).cast("float64"), n_orders=ibis.literal(0).cast("float64"), revenue_amount=kept["on"].ifelse(0, 10).cast("float64"),
    )  # fmt: skip
