"""Transitions: from where to where visits go, what differs between two groups beyond chance, the step matrix, ways."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats as distributions

from opslib import engine
from opslib.metrics import MONEY, day_of, require_table_columns
from opslib.metrics.blocks import Table
from opslib.paths.friction import FALSE_SHARE
from opslib.periods import Period
from opslib.sessions import ordered_events
from opslib.stats.multiplicity import adjusted
from opslib.suppression import of_people

START, END = "(start)", "(end)"
"""What stands before a visit's first and after its last place."""
MIN_VISITORS = 30
"""Fewest visitors of each group at a place that are compared."""


def _places(events: Table, by: str, period: Period | None) -> ir.Table:
    """Where each event of a visit takes place, and whose it is."""
    table = engine.as_table(events)
    require_table_columns(table, "session_id", "event_index", "occurred_at", by, name="events")
    rows = table.filter(table[by].notnull())
    if period is not None:
        rows = rows.filter(day_of(rows, "occurred_at").between(period.start, period.end))
    who = rows["visitor_id"].cast("string") if "visitor_id" in rows.columns else ibis.null("string")
    visitor = who.fill_null(rows["session_id"].cast("string"))
    return rows.select("session_id", "event_index", "occurred_at", event_name=rows[by], visitor_id=visitor)


def _moves(rows: ir.Table, *more: str) -> ir.Table:
    """One row a visitor and pair of places, with ``n``: from each place, where there are several events in a row from the last, to the next or the end.

    One window: an event's way to the next counts where the place changes.
    """
    in_order = ibis.window(group_by="session_id", order_by="event_index")
    rows = rows.mutate(target=rows["event_name"].lead().over(in_order).fill_null(END), source=rows["event_name"])
    return _by_visitor(rows.filter(rows["source"] != rows["target"]), *more)


def _by_visitor(moves: ir.Table, *more: str) -> ir.Table:
    return moves.group_by("source", "target", "visitor_id", *more).aggregate(n=moves.count())


@of_people("n_visitors", by=("source", "target"), adds_up=False)
def transitions(
    events: Table, *, by: str = "section", period: Period | None = None, max_rows: int = 10_000
) -> pd.DataFrame:
    """How often visits go from one place to the next.

    Parameters
    ----------
    events : events
        session_id, event_index, occurred_at and the column ``by``; visitor_id is used where it is.
    by : str
        What a place is: section, page or event_name. Several events in a row at one place are one stay.
    period : Period or None
        Local days that count; all unless given.
    max_rows : int
        Most rows that may come back.

    Returns
    -------
    DataFrame
        One row a pair, by source and the more frequent first: source (`START` at the beginning), target (`END` after the last), n_transitions,
        n_visitors, source_share (of those that leave the source).

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": "s", "event_index": range(3), "section": ["home", "guides", "home"],
    ...     "occurred_at": pd.to_datetime(["2026-01-05"] * 3)})
    >>> transitions(events)[["source", "target", "n_transitions"]].values.tolist()
    [['(start)', 'home', 1], ['guides', 'home', 1], ['home', '(end)', 1], ['home', 'guides', 1]]
    """
    rows = _places(events, by, period)
    first = rows.group_by("session_id").aggregate(event_index=rows["event_index"].min())
    begun = rows.semi_join(first, ["session_id", "event_index"]).mutate(
        source=ibis.literal(START), target=rows["event_name"]
    )
    people = _moves(rows).union(_by_visitor(begun))
    pairs = people.group_by("source", "target").aggregate(n_transitions=people["n"].sum(), n_visitors=people.count())
    found = engine.collect(pairs.order_by("source", ibis.desc("n_transitions"), "target"), max_rows=max_rows)
    found["source_share"] = found["n_transitions"] / found.groupby("source")["n_transitions"].transform("sum")
    return found


_DIFFERENCES = ("source", "target", "n_first", "n_second", "first_share", "second_share", "gap_share", "gap_share_lower",
                "gap_share_upper", "q_value", "is_clear")  # fmt: skip


@of_people(("n_first", "n_second"), by=("source", "target"), adds_up=False)
def transition_differences(
    events: Table,
    groups: Table,
    *,
    first: str,
    second: str,
    column: str,
    by: str = "section",
    period: Period | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """From which place two groups of visits go on differently, beyond what chance gives.

    Parameters
    ----------
    events : events
        As for `transitions`.
    groups : table
        One row a visit: session_id and ``column``.
    first, second : str
        Values of ``column`` that are compared.
    column : str
        What divides the visits (``device``).
    by, period
        As for `transitions`.
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    DataFrame
        One row a pair with `MIN_VISITORS` visitors of each group at the source, the clearest first: source, target, n_first and n_second (visitors of each group at the
        source), first_share and second_share (of the group's departures), gap_share (first less second) with its interval, q_value, is_clear (q at most `FALSE_SHARE`).

    Notes
    -----
    Score test of two ratios over visitors (a visitor's transitions are not independent); a visitor in both groups counts in each, which makes the test
    careful. Benjamini-Hochberg over all pairs: with no difference anywhere, 5 % of such tables name one at the very worst.

    Examples
    --------
    >>> n = 400
    >>> events = pd.DataFrame({"session_id": [i // 2 for i in range(n)], "event_index": [0, 1] * (n // 2), "occurred_at": pd.Timestamp("2026-01-05"),
    ...     "section": [("home", "help" if i // 2 % 2 else "guides")[i % 2] for i in range(n)]})
    >>> groups = pd.DataFrame({"session_id": range(n // 2), "device": ["desktop", "mobile"] * (n // 4)})
    >>> found = transition_differences(events, groups, first="mobile", second="desktop", column="device")
    >>> found[["source", "target", "gap_share", "is_clear"]].head(1).values.tolist()
    [['home', 'guides', -1.0, True]]
    """
    known = engine.as_table(groups)
    sides = known.filter(known[column].isin([first, second])).select(side_id="session_id", side=column)
    rows = _places(events, by, period)
    people = _moves(rows.join(sides, rows["session_id"] == sides["side_id"]), "side")
    people = people.select("side", "source", "target", "visitor_id", y=people["n"].cast("float64"))
    people = people.mutate(d=people["y"].sum().over(ibis.window(group_by=["side", "source", "visitor_id"])))
    pairs = engine.grouped(
        people, ["source", "target", "side"], n_y=people.count(), y=people["y"].sum(), yy=(people["y"] * people["y"]).sum(),
        yd=(people["y"] * people["d"]).sum(),
    )  # fmt: skip
    leaving = people.group_by("side", "source", "visitor_id").aggregate(d=people["y"].sum())
    wholes = engine.grouped(
        leaving, ["source", "side"], n=leaving.count(), d=leaving["d"].sum(), dd=(leaving["d"] * leaving["d"]).sum()
    )
    found = pairs if pairs.empty else _wide(pairs, wholes, first, second)
    if found.empty:
        return pd.DataFrame(columns=list(_DIFFERENCES))
    z = float(distributions.norm.ppf((1 + confidence_level) / 2))
    found["first_share"], found["second_share"] = (found[f"y_{s}"] / found[f"d_{s}"] for s in ("a", "b"))
    found["gap_share"] = found["first_share"] - found["second_share"]
    half = z * np.sqrt(
        _ratio_variance(found, "a", found["first_share"]) + _ratio_variance(found, "b", found["second_share"])
    )
    found["gap_share_lower"], found["gap_share_upper"] = (
        (found["gap_share"] - half).clip(lower=-1),
        (found["gap_share"] + half).clip(upper=1),
    )
    pooled = (found["y_a"] + found["y_b"]) / (found["d_a"] + found["d_b"])
    error = np.sqrt(_ratio_variance(found, "a", pooled) + _ratio_variance(found, "b", pooled))
    score = (found["gap_share"] / error.where(error > 0)).fillna(0.0)
    p_values = dict(enumerate(2 * distributions.norm.sf(score.abs())))
    found["q_value"] = adjusted(p_values, method="benjamini_hochberg")["adjusted_p_value"]
    found["is_clear"], found["n_first"], found["n_second"] = found["q_value"] <= FALSE_SHARE, found["n_a"], found["n_b"]
    found["size"] = -score.abs()
    found = found.sort_values(["size", "source", "target"], kind="stable", ignore_index=True)
    return found[list(_DIFFERENCES)].astype({"n_first": "int64", "n_second": "int64"})


def _wide(pairs: pd.DataFrame, wholes: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Sums of both groups side by side, of places where both have enough visitors, and pairs that are not too rare to test."""
    found = pairs[["source", "target"]].drop_duplicates()
    for name, side in (("_a", first), ("_b", second)):
        own, whole = (sums[sums["side"] == side].drop(columns="side") for sums in (pairs, wholes))
        own, whole = own.set_index(["source", "target"]).add_suffix(name), whole.set_index("source").add_suffix(name)
        found = found.join(own, on=["source", "target"]).join(whole, on="source")
    found = found.fillna(dict.fromkeys([c for c in found.columns if c not in ("source", "target")], 0.0))
    enough = (
        (found["n_a"] >= MIN_VISITORS)
        & (found["n_b"] >= MIN_VISITORS)
        & (found["n_y_a"] + found["n_y_b"] >= MIN_VISITORS)
    )
    others = (found["d_a"] + found["d_b"]) - (found["y_a"] + found["y_b"]) >= MIN_VISITORS
    alone = found.groupby("source")["target"].transform("count") > 1
    return found[enough & (others | alone)].reset_index(drop=True)


def _ratio_variance(found: pd.DataFrame, side: str, share: pd.Series) -> pd.Series:
    y, d = found[f"yy_{side}"], found[f"d_{side}"]
    return (
        (y - 2 * share * found[f"yd_{side}"] + share**2 * found[f"dd_{side}"])
        / d**2
        * found[f"n_{side}"]
        / (found[f"n_{side}"] - 1)
    ).clip(lower=0)


@of_people("n_visitors", by=("step", "place"), adds_up=False)
def step_matrix(
    events: Table, *, by: str = "section", n_steps: int = 8, collapse: bool = True, period: Period | None = None
) -> pd.DataFrame:
    """Where visits are at their first, second, ... place.

    Parameters
    ----------
    events : events
        As for `transitions`.
    by, period
        As for `transitions`.
    n_steps : int
        Steps that are looked at.
    collapse : bool
        Whether several events in a row at one place are one step.

    Returns
    -------
    DataFrame
        One row a step and place, in order: step (from 1), place, n_visits, n_visitors, visit_share (of all visits; what is missing to 1 at a step has ended).

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["s", "s", "t"], "event_index": [0, 1, 0], "section": ["home", "help", "home"],
    ...     "occurred_at": pd.to_datetime(["2026-01-05"] * 3)})
    >>> step_matrix(events)[["step", "place", "visit_share"]].values.tolist()
    [[1, 'home', 1.0], [2, 'help', 0.5]]
    """
    rows, in_order = _places(events, by, period), ibis.window(group_by="session_id", order_by="event_index")
    if collapse:
        rows = rows.mutate(before=rows["event_name"].lag().over(in_order))
        rows = rows.filter(rows["before"].isnull() | (rows["before"] != rows["event_name"]))
    early = rows.mutate(step=ibis.row_number().over(in_order) + 1, place=rows["event_name"])
    early = early.filter(early["step"] <= n_steps)
    people = early.group_by("step", "place", "visitor_id").aggregate(n=early.count())
    found = engine.grouped(people, ["step", "place"], n_visits=people["n"].sum(), n_visitors=people.count())
    return found.assign(visit_share=found["n_visits"] / max(found.loc[found["step"] == 1, "n_visits"].sum(), 1))


@of_people("n_visitors", by=("way",), adds_up=False)
def ways(
    events: Table, *, by: str = "section", n_places: int = 3, most: int = 10, period: Period | None = None
) -> pd.DataFrame:
    """The ways that visits take through their first places, how often, and what they bring: the most frequent and the most valuable.

    Parameters
    ----------
    events : events
        As for `transitions`; with event_name, and value where it is, of purchases.
    by, period
        As for `transitions`.
    n_places : int
        Places that make a way.
    most : int
        Ways that come back of each kind: by visits, and by revenue.

    Returns
    -------
    DataFrame
        One row a way, the most frequent first: way (``home > garden``), is_common and is_valuable (why it is there), n_visits, n_visitors, visit_share, order_share (of them that order) with its interval,
        revenue_amount (of all of them), visit_amount (a visit).

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["s", "s", "t"], "event_index": [0, 1, 0], "section": ["home", "help", "home"],
    ...     "event_name": ["page_view", "purchase", "page_view"], "occurred_at": pd.to_datetime(["2026-01-05"] * 3)})
    >>> ways(events)[["way", "n_visits", "order_share"]].values.tolist()
    [['home', 1, 0.0], ['home > help', 1, 1.0]]
    """
    table = engine.as_table(events)
    rows = ordered_events(_places(table, by, period), collapse=True)
    in_order = ibis.window(group_by="session_id", order_by="event_index")
    rows = rows.mutate(**{f"place_{k}": rows["event_name"].lead(k).over(in_order) for k in range(1, n_places)})
    begun = rows.filter(rows["position"] == 0)
    way = begun["event_name"]
    for k in range(1, n_places):
        way = way.concat(ibis.coalesce(ibis.literal(" > ").concat(begun[f"place_{k}"]), ""))
    starts = begun.select("session_id", "visitor_id", way=way)
    bought = table.filter(table["event_name"] == "purchase")
    value = bought["value"].cast(MONEY).sum() if "value" in table.columns else ibis.literal(0).cast(MONEY)
    orders = bought.group_by(order_visit=bought["session_id"]).aggregate(value=value)
    visits = starts.left_join(orders, starts["session_id"] == orders["order_visit"])
    visits = visits.mutate(orders=engine.flag(visits["order_visit"].notnull()))
    people = visits.group_by("way", "visitor_id").aggregate(
        d=visits.count().cast("float64"), y=visits["orders"].sum(), value=visits["value"].sum().cast("float64").fill_null(0.0)
    )  # fmt: skip
    sums = people.group_by("way").aggregate(
        n_visits=people["d"].sum().cast("int64"), n_visitors=people.count(), y=people["y"].sum(), revenue_amount=people["value"].sum(),
        **{a + b: (people[a] * people[b]).sum() for a, b in ("yy", "yd", "dd")},
    )  # fmt: skip
    sums = sums.mutate(
        all_visits=sums["n_visits"].sum().over(ibis.window()),
        is_common=ibis.row_number().over(order_by=[ibis.desc("n_visits"), "way"]) < most,
        is_valuable=(ibis.row_number().over(order_by=[ibis.desc("revenue_amount"), "way"]) < most)
        & (sums["revenue_amount"] > 0),
    )
    found = engine.collect(sums.filter(sums["is_common"] | sums["is_valuable"]).order_by(ibis.desc("n_visits"), "way"))
    found["visit_share"], found["order_share"] = found["n_visits"] / found["all_visits"], found["y"] / found["n_visits"]
    around = found["yy"] - 2 * found["order_share"] * found["yd"] + found["order_share"] ** 2 * found["dd"]
    half = float(distributions.norm.ppf(0.975)) * np.sqrt(around.clip(lower=0)) / found["n_visits"]
    found["order_share_lower"], found["order_share_upper"] = (
        (found["order_share"] - half).clip(lower=0),
        (found["order_share"] + half).clip(upper=1),
    )
    found["visit_amount"] = found["revenue_amount"] / found["n_visits"]
    return found[["way", "is_common", "is_valuable", "n_visits", "n_visitors", "visit_share", "order_share", "order_share_lower", "order_share_upper", "revenue_amount", "visit_amount"]]  # fmt: skip
