"""Funnels: how far each visit gets, how long it takes, and the shares of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import MONEY, day_of, require_table_columns
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.sessions import sessionised
from opslib.stats.shares import share
from opslib.stats.skewed import level_interval
from opslib.stats.sufficient_statistics import SufficientStatistics
from opslib.suppression import of_people

Steps = Mapping[str, Sequence[str]]
Order = Literal["loose", "strict", "any"]
STEPS: dict[str, tuple[str, ...]] = {
    "visit": (),
    "product": ("view_item",),
    "cart": ("add_to_cart",),
    "checkout": ("begin_checkout",),
    "delivery": ("add_shipping_info",),
    "payment": ("add_payment_info",),
    "order": ("purchase",),
}
"""Steps of the usual funnel and the events that show each; a first step without events is the visit itself."""
PARTS = ("device", "source", "medium", "campaign", "country", "landing_page")
"""What a session says of its visit."""


def within(rows: ir.Table, column: str, period: Period | None) -> ir.Table:
    """Rows of the local days of a period."""
    return rows if period is None else rows.filter(day_of(rows, column).between(period.start, period.end))


def cut_visits(
    events: Table, sessions: Table, *, rule: str = "recorded", period: Period | None = None
) -> tuple[ir.Table, ir.Table]:
    """Events and sessions of a period by a rule of what a visit is; the events are read once and kept in the engine.

    Parameters
    ----------
    events : events
        With visitor_id, unless the visits stay as recorded.
    sessions : sessions
        What is known of each recorded visit.
    rule : {"recorded", "timeout", "midnight", "campaign"}
        As the shop recorded them; after 30 minutes of silence; at midnight as well; at a new campaign as well.
    period : Period or None
        Local days whose events count; all unless given.

    Returns
    -------
    tuple of ibis.Table
        Events and sessions with the columns that they had; visits cut anew have what the recorded visit of their first
        event had, and begin with it.

    Raises
    ------
    ParameterError
        The rule is not known.

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": "s", "event_index": [0, 1], "visitor_id": "v", "event_name": "page_view",
    ...     "occurred_at": pd.to_datetime(["2026-01-05 23:50", "2026-01-06 00:10"])})
    >>> sessions = pd.DataFrame({"session_id": ["s"], "device": ["mobile"]})
    >>> _, visits = cut_visits(events, sessions, rule="midnight")
    >>> engine.collect(visits.order_by("session_id"))[["session_id", "device"]].values.tolist()
    [['v-0', 'mobile'], ['v-1', 'mobile']]
    """
    rows, visits = within(engine.as_table(events), "occurred_at", period), engine.as_table(sessions)
    if rule == "recorded":
        return engine.held(rows), visits
    known = visits.select(recorded="session_id", **{name: name for name in PARTS if name in visits.columns})
    names = [name for name in known.columns if name not in ("recorded", *rows.columns)]
    joined = rows.left_join(known, rows["session_id"] == known["recorded"]).select(*rows.columns, *names)
    cut = engine.held(sessionised(joined, rules=("timeout",) if rule == "timeout" else ("timeout", rule)))
    first = cut.filter(cut["event_index"] == 0)
    days = {"started_on": first["occurred_on"]} if "occurred_on" in rows.columns else {}
    return cut.select(*rows.columns), first.select(
        "session_id", "visitor_id", started_at=first["occurred_at"], **days, **{name: first[name] for name in names}
    )


def steps_seen(events: Table, *, steps: Steps = STEPS) -> dict[str, tuple[str, ...]]:
    """The steps that the data show at all, or every step where they show none: what a shop does not record is no step of its funnel.

    Examples
    --------
    >>> list(steps_seen(pd.DataFrame({"event_name": ["view_item", "purchase"]})))
    ['visit', 'product', 'order']
    """
    table = engine.as_table(events)
    seen = set(engine.collect(table.select("event_name").distinct().order_by("event_name"))["event_name"])
    known = {step: tuple(names) for step, names in steps.items() if not names or seen.intersection(names)}
    return known if len(known) > 1 else {step: tuple(names) for step, names in steps.items()}


def two_largest(reach: Table, *, by: str) -> tuple[str, str]:
    """The two values of a column with the largest numbers of visits; ('', '') where there are fewer.

    Examples
    --------
    >>> two_largest(pd.DataFrame({"device": ["tablet", "mobile", "mobile", "desktop", "desktop"]}), by="device")
    ('desktop', 'mobile')
    """
    table = engine.as_table(reach)
    require_table_columns(table, by, name="reach")
    known = table.filter(table[by].notnull())
    known = known.mutate(group=known[by].cast("string"))
    sizes = engine.grouped(known, "group", n=known.count())
    first = sizes.sort_values(["n", "group"], ascending=[False, True], kind="stable")["group"].tolist()
    return (first[0], first[1]) if len(first) > 1 else ("", "")


def funnel_reach(
    events: Table,
    *,
    sessions: Table | None = None,
    steps: Steps = STEPS,
    order: Order = "loose",
    by: Literal["session_id", "visitor_id"] = "session_id",
    period: Period | None = None,
) -> ir.Table:
    """How far each visit (or visitor) gets through the steps of a funnel, and when.

    Parameters
    ----------
    events : events
        session_id, event_index, event_name, occurred_at; visitor_id and value are used where they are.
    sessions : sessions or None
        With it, device, source, medium, campaign, country and landing_page of each visit.
    steps : mapping of str to sequence of str
        Names of the steps with the events that show each, any of them. A first step without events is the visit itself.
    order : {"loose", "strict", "any"}
        In this order with anything in between, each step at its earliest after the one before; with nothing in
        between (the same event several times in a row counts once); in any order.
    by : {"session_id", "visitor_id"}
        Whose way it is: one visit's, or all visits' of a visitor together.
    period : Period or None
        Local days whose events count; all unless given.

    Returns
    -------
    ibis.Table
        One row a visit (visitor) that did the first step: its key; visitor_id (the visit where unknown); started_at (first event), month (``2026-01``),
        n_steps (1 to all), ``seconds_<k>`` (whole seconds from step ``k`` - 1 to step ``k``, counted from 0; missing where not reached; from ``k`` = 1 on),
        revenue_amount (value of its purchase events, 0 where they have none), and of sessions what it says of a visit.

    Raises
    ------
    ContractError
        A column is missing.
    ParameterError
        Fewer than two steps, a later step without events, or an order that is not known.

    Examples
    --------
    >>> names = ["add_to_cart", "view_item", "purchase"]
    >>> events = pd.DataFrame({"session_id": "s", "event_index": [0, 1, 2], "event_name": names,
    ...     "occurred_at": pd.to_datetime(["2026-01-05 10:00", "2026-01-05 10:01", "2026-01-05 10:05"])})
    >>> steps = {"product": ("view_item",), "cart": ("add_to_cart",), "order": ("purchase",)}
    >>> [int(engine.collect(funnel_reach(events, steps=steps, order=o))["n_steps"][0]) for o in ("loose", "strict", "any")]
    [1, 1, 3]
    """
    if len(steps) < 2 or not all(list(steps.values())[1:]):
        raise ParameterError(f"steps: {dict(steps)} needs two steps or more, each but the first with its events")
    if order not in _REACHED:
        raise ParameterError(f"order: '{order}' is not one of {', '.join(_REACHED)}")
    table = engine.as_table(events)
    require_table_columns(table, "session_id", "event_index", "event_name", "occurred_at", name="events")
    rows = _rows(within(table, "occurred_at", period), by)
    whole = _paths(rows, order, tuple(steps.values()))
    found = _REACHED[order](rows, whole, list(steps.values())).rename({by: "path"})
    if by == "visitor_id":
        return found
    if sessions is None:
        return found.mutate(visitor_id=found["who"].fill_null(found[by].cast("string"))).drop("who")
    known = engine.as_table(sessions)
    parts = [name for name in PARTS if name in known.columns]
    own = known.select(
        own_id="session_id", own_who=known["visitor_id"].cast("string"), **{name: name for name in parts}
    )
    joined = found.left_join(own, found[by] == own["own_id"])
    visitor = ibis.coalesce(joined["own_who"], joined["who"], joined[by].cast("string"))
    return joined.mutate(visitor_id=visitor).drop("who", "own_id", "own_who")


def _rows(table: ir.Table, by: str) -> ir.Table:
    """Path, place in it, name and time of each event; a visitor's visits follow one another."""
    who = table["visitor_id"].cast("string") if "visitor_id" in table.columns else ibis.null("string")
    value = table["value"].cast(MONEY) if "value" in table.columns else ibis.null(MONEY)
    rows = table.select(
        path=table[by], who=who, place=table["event_index"].cast("int64"), name=table["event_name"], value=value,
        at=table["occurred_at"], day=day_of(table, "occurred_at"), visit=table["session_id"],
    )  # fmt: skip
    if by == "session_id":
        return rows
    rows = rows.filter(rows["path"].notnull())
    return rows.mutate(place=ibis.row_number().over(group_by="path", order_by=["at", "visit", "place"]).cast("int64"))


def _paths(rows: ir.Table, order: Order, steps: Sequence[Sequence[str]]) -> ir.Table:
    """One row a path: who, when it began, its revenue, and place and time of the first step."""
    began = rows["name"].isin(steps[0]) if steps[0] else ibis.literal(True)
    found = rows.group_by("path").aggregate(
        who=rows["who"].max(),
        started_at=rows["at"].min(),
        day=rows["day"].min(),
        revenue_amount=rows["value"].sum(where=rows["name"] == "purchase").cast("float64").fill_null(0.0),
        place_0=rows["place"].min(where=began) if steps[0] else ibis.literal(-1),
        at_0=rows["at"].min(where=began),
    )
    return found.filter(found["place_0"].notnull()) if steps[0] and order != "strict" else found


def _loose(rows: ir.Table, whole: ir.Table, steps: list[Sequence[str]]) -> ir.Table:
    """Each step at its earliest place after the step before: one join a step, on the events of that step alone."""
    before = whole.select(before="path", after=whole["place_0"].cast("int64"))
    found = whole
    for k, names in enumerate(steps[1:], 1):
        step = rows.filter(rows["name"].isin(names))
        joined = step.join(before, [step["path"] == before["before"], step["place"] > before["after"]])
        first = {"after": joined["place"].min(), f"at_{k}": joined["at"].min()}
        reached = joined.group_by(before=joined["path"]).aggregate(**first)
        before = reached.select("before", "after")
        own = reached.select(f"at_{k}", **{f"path_{k}": "before"})
        found = found.left_join(own, found["path"] == own[f"path_{k}"])
    found = found.mutate(
        n_steps=sum((found[f"path_{k}"].notnull().ifelse(1, 0) for k in range(1, len(steps))), ibis.literal(1)).cast(
            "int64"
        )
    )
    return _timed(found.drop("place_0", *(f"path_{k}" for k in range(1, len(steps)))), len(steps))


def _any(rows: ir.Table, _: ir.Table, steps: list[Sequence[str]]) -> ir.Table:
    """Leading steps that occurred at all; a step is done once it and those before it have occurred."""
    firsts = {
        f"first_{n}": rows["at"].min(where=rows["name"].isin(names)) if names else rows["at"].min()
        for n, names in enumerate(steps)
    }
    found = rows.group_by("path").aggregate(
        who=rows["who"].max(), started_at=rows["at"].min(), day=rows["day"].min(),
        revenue_amount=rows["value"].sum(where=rows["name"] == "purchase").cast("float64").fill_null(0.0), **firsts,
    )  # fmt: skip
    found = found.filter(found["first_0"].notnull())
    done: Any = ibis.literal(True)
    depth: Any = ibis.literal(0)
    times: dict[str, ir.Value] = {}
    for n in range(len(steps)):
        done = done & found[f"first_{n}"].notnull()
        depth = depth + done.ifelse(1, 0)
        latest = ibis.greatest(*(found[f"first_{k}"] for k in range(n + 1))) if n else found["first_0"]
        times[f"at_{n}"] = done.ifelse(latest, ibis.null("timestamp"))
    return _timed(found.mutate(n_steps=depth.cast("int64"), **times).drop(*firsts), len(steps))


def _strict(rows: ir.Table, whole: ir.Table, steps: list[Sequence[str]]) -> ir.Table:
    """The longest run of steps with nothing in between; of several, the first."""
    in_order = ibis.window(group_by="path", order_by="place")
    rows = rows.mutate(before=rows["name"].lag().over(in_order))
    rows = rows.filter(rows["before"].isnull() | (rows["before"] != rows["name"]))
    ahead, begins_with_visit = len(steps), not steps[0]
    names = steps[1:] if begins_with_visit else steps
    rows = rows.mutate(
        spot=ibis.row_number().over(in_order),
        **{f"name_{k}": rows["name"].lead(k).over(in_order) for k in range(1, ahead)},
        **{f"time_{k}": rows["at"].lead(k).over(in_order) for k in range(1, ahead)},
    ).mutate(name_0=rows["name"], time_0=rows["at"])
    run: Any = ibis.literal(True)
    depth: Any = ibis.literal(int(begins_with_visit))
    times = {"at_0": rows["at"]} if begins_with_visit else {}
    for k, wanted in enumerate(names):
        run = run & rows[f"name_{k}"].isin(wanted).fill_null(False)
        depth = depth + run.ifelse(1, 0)
        times[f"at_{k + begins_with_visit}"] = run.ifelse(rows[f"time_{k}"], ibis.null("timestamp"))
    rows = rows.mutate(n_steps=depth.cast("int64"), **times)
    rows = rows.filter(rows["spot"] == 0) if begins_with_visit else rows.filter(rows["n_steps"] > 0)
    best = ibis.row_number().over(group_by="path", order_by=[ibis.desc("n_steps"), "place"])
    rows = rows.mutate(best=best)
    longest = rows.filter(rows["best"] == 0).select("path", "n_steps", *times)
    return _timed(whole.drop("place_0", "at_0").join(longest, "path"), len(steps))


_REACHED: dict[str, Any] = {"loose": _loose, "strict": _strict, "any": _any}


def _timed(found: ir.Table, n_steps: int) -> ir.Table:
    """Times of the steps as seconds since the step before, and the month."""
    seconds = {
        f"seconds_{k}": (engine.epoch_second(found[f"at_{k}"]) - engine.epoch_second(found[f"at_{k - 1}"])).cast(
            "float64"
        )
        for k in range(1, n_steps)
    }
    year, month = (part.cast("string") for part in (found["day"].year(), found["day"].month()))
    return found.mutate(month=year.concat("-", month.lpad(2, "0")), **seconds).drop(
        "day", *(f"at_{k}" for k in range(n_steps))
    )


@of_people("n_visitors", by=("step",), adds_up=False)
def funnel(reach: Table, *, steps: Steps = STEPS, confidence_level: float = 0.95) -> pd.DataFrame:
    """Visits at each step, the share that goes on, and how long it takes; visits of a visitor are not independent.

    Parameters
    ----------
    reach : table
        From `funnel_reach` with the same steps.
    steps : mapping of str to sequence of str
        Names of the steps, in order.
    confidence_level : float
        Coverage of the intervals (0-1): delta method over visitors.

    Returns
    -------
    DataFrame
        One row a step: step, n_visits (that reach it), n_visitors, step_share (of those at the step before; 1 at the
        first), step_share_lower, step_share_upper, whole_share (of those at the first), whole_share_lower, whole_share_upper,
        median_seconds (from the step before, of those who reach it).

    Examples
    --------
    >>> reach = pd.DataFrame({"visitor_id": ["v", "v", "w", "x"], "n_steps": [1, 2, 1, 2], "seconds_1": [None, 60.0, None, 180.0]})
    >>> funnel(reach, steps={"visit": (), "order": ("purchase",)})[["step", "n_visits", "step_share", "median_seconds"]].values.tolist()
    [['visit', 4, 1.0, nan], ['order', 2, 0.5, 120.0]]
    """
    table, names = engine.as_table(reach), list(steps)
    people = table.group_by("visitor_id").aggregate(
        **{f"c_{k}": (table["n_steps"] > k).ifelse(1, 0).sum().cast("float64") for k in range(len(names))}
    )
    count = {k: people[f"c_{k}"] for k in range(len(names))}
    pairs = sorted({(a, k) for k in range(len(names)) for a in (0, max(k - 1, 0), k)})
    sums = engine.collect(people.aggregate(
        n=people.count(), **{f"n_{k}": c.sum() for k, c in count.items()},
        **{f"v_{k}": (c > 0).ifelse(1, 0).sum() for k, c in count.items()},
        **{f"p_{a}_{b}": (count[a] * count[b]).sum() for a, b in pairs},
    )).iloc[0]  # fmt: skip
    medians = engine.collect(
        table.aggregate(**{f"m_{k}": table[f"seconds_{k}"].median() for k in range(1, len(names))})
    ).iloc[0]
    rows = []
    for k, name in enumerate(names if sums["n"] else ()):
        row = {"step": name, "n_visits": int(sums[f"n_{k}"]), "n_visitors": int(sums[f"v_{k}"])}
        for name_of, base in (("step_share", max(k - 1, 0)), ("whole_share", 0)):
            value, lower, upper = _share(sums, k, base, confidence_level)
            row |= {name_of: value, f"{name_of}_lower": lower, f"{name_of}_upper": upper}
        rows.append({**row, "median_seconds": medians[f"m_{k}"] if k else float("nan")})
    columns = ["step", "n_visits", "n_visitors"]
    columns += [f"{share}{end}" for share in ("step_share", "whole_share") for end in ("", "_lower", "_upper")]
    return pd.DataFrame(rows, columns=[*columns, "median_seconds"])


def _share(sums: pd.Series, step: int, base: int, confidence_level: float) -> tuple[float, float, float]:
    """Visits at a step over those at another, with its interval over visitors, kept within 0 and 1."""
    if step == base or not sums[f"n_{base}"]:
        return (1.0, 1.0, 1.0) if step == base else (float("nan"),) * 3
    n, y, d = (float(sums[name]) for name in (f"v_{base}", f"n_{step}", f"n_{base}"))
    if n < 2 or y in (0.0, d):  # visitors who all agree have no spread: Wilson's interval over them
        exact = share(round(y / d * n), int(n), confidence_level=confidence_level)
        return y / d, exact.lower, exact.upper
    products = {"yy": f"p_{step}_{step}", "dd": f"p_{base}_{base}", "yd": f"p_{base}_{step}"}
    statistics = SufficientStatistics(n=n, y=y, d=d, **{name: float(sums[column]) for name, column in products.items()})
    value, lower, upper, _ = level_interval(statistics, confidence_level=confidence_level)
    return float(value), max(float(lower), 0.0), min(float(upper), 1.0)
