"""Visit intent: one intent a visit, by rules in a fixed order, and the size of each."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats as distributions

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import day_of, require_table_columns, with_column
from opslib.metrics.blocks import MONEY, Table
from opslib.periods import Period
from opslib.stats.skewed import share_intervals
from opslib.suppression import counted, of_people, suppressed

INTENTS: dict[str, str] = {
    "unseen": "no event was recorded",
    "buy": "an order was placed",
    "left at once": "one event, and gone",
    "checkout": "the checkout was begun and left",
    "cart": "something was put into the cart, and left there",
    "compare": "two or more products of one category were viewed",
    "search": "the shop's search was used",
    "consider": "a product was viewed",
    "service": "help, account or delivery pages were read, and no product viewed",
    "browse": "home, lists or guides were looked through",
}
"""The rules, first match counts: what happened in a visit of each intent."""

SERVICE_SECTIONS = ("help", "service", "support", "account", "contact", "returns", "faq", "delivery")
#: Columns of events that are used where they are, and of sessions that a visit gets.
READ = ("visitor_id", "section", "product_id", "value")
PARTS = ("device", "source", "medium", "country")
CHECKOUT = ("begin_checkout", "add_shipping_info", "add_payment_info")


def visit_intents(
    events: Table,
    *,
    sessions: Table | None = None,
    products: Table | None = None,
    service_sections: tuple[str, ...] = SERVICE_SECTIONS,
    horizon_days: int = 30,
    period: Period | None = None,
) -> ir.Table:
    """Visit intent from events in GA4's names, and whether the visitor bought in a later visit.

    Parameters
    ----------
    events : events
        session_id, event_name, occurred_at; visitor_id, section, product_id, order_id, value are used where they are.
    sessions : sessions or None
        With it, visits without events are there as well (``unseen``), and device, source, medium and country.
    products : products or None
        Its category says which products can be compared; without it any two products count.
    service_sections : tuple of str
        Sections of the site that are service, in lower case.
    horizon_days : int
        How long a later order counts as one of this visitor.
    period : Period or None
        Local days whose events and sessions count; all unless given.

    Returns
    -------
    ibis.Table
        session_id, visitor_id (the session where unknown), started_at, intent (one of `INTENTS`), n_events, n_products,
        is_buy (1 or 0), revenue_amount (value of the visit's purchase events, 0 where they have none), bought_later (1 or
        0: an order in a later visit within the horizon; missing for unknown visitors and where the data end before the
        horizon does), and of sessions
        device, source, medium, country.

    Raises
    ------
    ContractError
        A column is missing.
    ParameterError
        The horizon is not positive.

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["s", "s", "t"], "event_name": ["view_item", "add_to_cart", "page_view"],
    ...     "occurred_at": pd.to_datetime(["2026-01-05 10:00", "2026-01-05 10:02", "2026-01-05 11:00"])})
    >>> engine.collect(visit_intents(events).order_by("session_id"))["intent"].tolist()
    ['cart', 'left at once']
    """
    if horizon_days <= 0:
        raise ParameterError(f"horizon_days: {horizon_days} is not positive; e.g. 30")
    table = engine.as_table(events)
    require_table_columns(table, "session_id", "event_name", "occurred_at", name="events")
    visits = _counts(_with_category(_within(table, "occurred_at", period), products), service_sections)
    if sessions is None:
        visits = _named(visits)
    else:
        visits = _with_sessions(visits, _within(engine.as_table(sessions), "started_at", period))
    return _with_later(visits.mutate(intent=_intent(visits)), horizon_days)


def _within(rows: ir.Table, column: str, period: Period | None) -> ir.Table:
    return rows if period is None else rows.filter(day_of(rows, column).between(period.start, period.end))


def _with_category(events: ir.Table, products: Table | None) -> ir.Table:
    """The columns that the rules read, one row an event; a category of its own for every one where none is known."""
    known = {name: events[name] if name in events.columns else ibis.null("string") for name in READ}
    rows = events.select("session_id", "event_name", "occurred_at", **known)
    rows = rows.mutate(value=rows["value"].cast(MONEY))
    linked = {} if products is None else {"products": engine.as_table(products)}
    rows = with_column(rows, "category", linked, is_required=False)
    return rows if "category" in rows.columns else rows.mutate(category=ibis.literal("any"))


def _counts(rows: ir.Table, service_sections: tuple[str, ...]) -> ir.Table:
    """One row a visit: what happened how often, gathered by category first, so that products of one can be counted."""
    name = rows["event_name"]
    happened = {
        "n_events": name.notnull(),
        "n_purchases": name == "purchase",
        "n_checkouts": name.isin(CHECKOUT),
        "n_carts": name == "add_to_cart",
        "n_searches": name == "search",
        "n_views": name == "view_item",
        "n_services": rows["section"].lower().isin(service_sections),
    }
    parts = rows.group_by("session_id", "category").aggregate(
        visitor_id=rows["visitor_id"].max(),
        started_at=rows["occurred_at"].min(),
        n_products=rows["product_id"].nunique(where=name == "view_item"),
        revenue_amount=rows["value"].sum(where=name == "purchase"),
        **{column: condition.fill_null(False).ifelse(1, 0).sum() for column, condition in happened.items()},
    )
    return parts.group_by("session_id").aggregate(
        visitor_id=parts["visitor_id"].max(),
        started_at=parts["started_at"].min(),
        n_compared=parts["n_products"].max(),
        n_products=parts["n_products"].sum().cast("int64"),
        revenue_amount=parts["revenue_amount"].sum().cast("float64").fill_null(0.0),
        **{column: parts[column].sum().cast("int64") for column in happened},
    )


def _named(visits: ir.Table) -> ir.Table:
    """A visit of nobody known is a visitor of its own, and of those nobody knows what they did later."""
    known = visits["visitor_id"].cast("string")
    return visits.mutate(visitor_id=known.fill_null(visits["session_id"].cast("string")), is_known=known.notnull())


def _with_sessions(visits: ir.Table, sessions: ir.Table) -> ir.Table:
    """Every session with what its events say; those without events too."""
    parts = [name for name in PARTS if name in sessions.columns]
    who = sessions["visitor_id"] if "visitor_id" in sessions.columns else ibis.null("string")
    known = sessions.select("session_id", "started_at", *parts, own_visitor=who)
    seen = visits.rename(seen_session="session_id", seen_at="started_at")
    joined = known.left_join(seen, known["session_id"] == seen["seen_session"])
    numbers = [name for name, kind in visits.schema().items() if kind.is_numeric()]
    filled = {name: joined[name].fill_null(0) for name in numbers}
    visitor = ibis.coalesce(joined["own_visitor"], joined["visitor_id"])
    return _named(joined.mutate(visitor_id=visitor, **filled).drop("own_visitor", "seen_session", "seen_at"))


def _intent(visits: ir.Table) -> ir.StringValue:
    """The first rule that holds, in the order of `INTENTS`."""
    rules = {
        "unseen": visits["n_events"] == 0,
        "buy": visits["n_purchases"] > 0,
        "left at once": visits["n_events"] == 1,
        "checkout": visits["n_checkouts"] > 0,
        "cart": visits["n_carts"] > 0,
        "compare": visits["n_compared"] > 1,
        "search": visits["n_searches"] > 0,
        "consider": visits["n_views"] > 0,
        "service": visits["n_services"] > 0,
    }
    return ibis.cases(*((rule, name) for name, rule in rules.items()), else_="browse")


def _with_later(visits: ir.Table, horizon_days: int) -> ir.Table:
    """Whether the visitor's next order in a later visit lies within the horizon, where that has been observed."""
    is_buy = visits["n_purchases"] > 0
    visits = visits.mutate(
        is_buy=is_buy.ifelse(1, 0), bought_at=is_buy.ifelse(visits["started_at"], ibis.null("timestamp"))
    )
    backwards = [ibis.desc("started_at"), ibis.desc("session_id")]
    running = ibis.cumulative_window(group_by="visitor_id", order_by=backwards)
    visits = visits.mutate(own_or_next=visits["bought_at"].min().over(running))
    next_at = visits["own_or_next"].lag().over(ibis.window(group_by="visitor_id", order_by=backwards))
    visits = visits.mutate(next_at=next_at, ends_at=visits["started_at"].max().over(ibis.window()))
    until = visits["started_at"] + ibis.interval(days=horizon_days)
    later = (visits["next_at"] <= until).fill_null(False).ifelse(1, 0)
    is_asked = visits["is_known"] & (until <= visits["ends_at"])
    visits = visits.mutate(bought_later=is_asked.ifelse(later, ibis.null("int8")))
    return visits.select(
        "session_id", "visitor_id", "started_at", "intent", "n_events", "n_products", "is_buy", "revenue_amount",
        "bought_later", *(name for name in PARTS if name in visits.columns),
    )  # fmt: skip


_SIZES = ("intent", "n_visits", "n_visitors", "visit_share", "visit_share_lower", "visit_share_upper", "revenue_amount", "n_followed",
          "later_share", "later_share_lower", "later_share_upper", "meaning")  # fmt: skip


def intent_sizes(intents: Table, *, by: str | None = None, confidence_level: float = 0.95) -> pd.DataFrame:
    """Visits of each intent, and how often an order follows in a later visit; visits of a visitor are not independent.

    Parameters
    ----------
    intents : table
        From `visit_intents`.
    by : str or None
        A column to split by, such as ``device`` or ``source``; shares are then of the visits of its value.
    confidence_level : float
        Coverage of the intervals (0-1): delta method over visitors.

    Returns
    -------
    DataFrame
        One row an intent that occurred (and value of ``by``), in the order of `INTENTS`: intent, n_visits, n_visitors,
        visit_share, visit_share_lower, visit_share_upper, revenue_amount, n_followed (visits whose horizon was observed), later_share (of those,
        followed by an order in a later visit), later_share_lower, later_share_upper, meaning.

    Raises
    ------
    ContractError
        ``by`` is no column of the visits.

    Examples
    --------
    >>> visits = pd.DataFrame({"visitor_id": ["v", "v", "w"], "intent": ["browse", "buy", "browse"],
    ...     "revenue_amount": [0.0, 9.0, 0.0], "bought_later": [1, 0, 0]})
    >>> intent_sizes(visits)[["intent", "n_visits", "later_share"]].values.tolist()
    [['buy', 1, 0.0], ['browse', 2, 0.5]]
    """
    table = engine.as_table(intents)
    if by is not None:
        require_table_columns(table, by, name="intents")
        if engine.is_empty(table, by):
            return counted(pd.DataFrame(columns=[by, *_SIZES]), "n_visitors", by=(by, "intent"))
    group = ibis.literal("all") if by is None else table[by].cast("string").fill_null("unknown")
    people = table.group_by(group=group, visitor_id=table["visitor_id"], intent=table["intent"]).aggregate(
        y=table.count().cast("float64"),
        e=table["bought_later"].count().cast("float64"),
        b=table["bought_later"].sum().cast("float64").fill_null(0.0),
        revenue=table["revenue_amount"].sum(),
    )
    people = people.mutate(d=people["y"].sum().over(ibis.window(group_by=["group", "visitor_id"])))
    pairs = ("yy", "yd", "bb", "ee", "be")
    found = engine.grouped(
        people, ["group", "intent"], n_visits=people["y"].sum(), n_visitors=people.count(), n_followed=people["e"].sum(),
        n_asked=(people["e"] > 0).ifelse(1, 0).sum(), revenue_amount=people["revenue"].sum(), b=people["b"].sum(),
        **{pair: (people[pair[0]] * people[pair[1]]).sum() for pair in pairs},
    )  # fmt: skip
    whole = people.group_by("group", "visitor_id").aggregate(d=people["y"].sum())
    wholes = engine.grouped(whole, "group", n=whole.count(), d=whole["d"].sum(), dd=(whole["d"] * whole["d"]).sum())
    found = found.merge(wholes, on="group", validate="many_to_one").astype({"n_visits": "int64", "n_followed": "int64"})
    share_intervals(
        found,
        ("visit_share", "visit_share_lower", "visit_share_upper"),
        ("n", "n_visits", "d", "yy", "dd", "yd"),
        confidence_level=confidence_level,
    )
    share_intervals(
        found,
        ("later_share", "later_share_lower", "later_share_upper"),
        ("n_asked", "b", "n_followed", "bb", "ee", "be"),
        confidence_level=confidence_level,
    )
    found["meaning"] = found["intent"].map(INTENTS)
    places = {name: place for place, name in enumerate(INTENTS)}
    found = found.sort_values("intent", key=lambda intents: intents.map(places), kind="stable")
    found = found.sort_values("group", kind="stable", ignore_index=True)
    named = found[list(_SIZES)] if by is None else found.rename(columns={"group": by})[[by, *_SIZES]]
    return counted(named, "n_visitors", by=(*([] if by is None else [by]), "intent"))


LEFT = ("checkout", "cart")
"""Visits that leave something behind, of which a reminder could speak."""
_OTHERS = tuple(intent for intent in INTENTS if intent not in (*LEFT, "buy", "unseen"))


@of_people("n_visitors", by=("intent",), adds_up=False)
def left_behind(intents: Table, *, confidence_level: float = 0.95) -> pd.DataFrame:
    """Whether visitors who left a cart or a checkout order later more often than those of other visits without an order.

    Parameters
    ----------
    intents : table
        From `visit_intents`.
    confidence_level : float
        Coverage of the interval (0-1): delta method over visitors, who may stand on both sides.

    Returns
    -------
    DataFrame
        One row an intent of `LEFT` that occurred, checkout first: intent, n_visits, n_visitors, visit_share, later_share, others_share
        (of visits that neither ordered nor left anything), gap_share (the difference), gap_share_lower, gap_share_upper,
        meaning.

    Examples
    --------
    >>> visits = pd.DataFrame({"visitor_id": ["v", "v", "w"], "intent": ["cart", "browse", "browse"], "bought_later": [1, 1, 0]})
    >>> left_behind(visits)[["intent", "n_visits", "later_share", "others_share", "gap_share"]].values.tolist()
    [['cart', 1, 1.0, 0.5, 0.5]]
    """
    table = engine.as_table(intents)
    rows = []
    for intent in LEFT:
        own, other = table["intent"] == intent, table["intent"].isin(list(_OTHERS))
        people = table.group_by("visitor_id").aggregate(
            d=table.count().cast("float64"), y=engine.flag(own).sum(),
            e1=table["bought_later"].count(where=own).cast("float64"),
            b1=table["bought_later"].sum(where=own).cast("float64").fill_null(0.0),
            e2=table["bought_later"].count(where=other).cast("float64"),
            b2=table["bought_later"].sum(where=other).cast("float64").fill_null(0.0),
        )  # fmt: skip
        sides = ("b1", "e1", "b2", "e2")
        pairs = {f"{a}{b}": (people[a] * people[b]).sum() for i, a in enumerate(sides) for b in sides[i:]}
        sums = engine.collect(people.aggregate(
            n=people.count(), d=people["d"].sum(), y=people["y"].sum(), n_visitors=people.count(where=people["y"] > 0),
            **{side: people[side].sum() for side in sides}, **pairs,
        )).iloc[0]  # fmt: skip
        if sums["n"] and sums["y"]:
            rows.append({"intent": intent, **_gap(sums, confidence_level), "meaning": INTENTS[intent]})
    columns = ("intent", "n_visits", "n_visitors", "visit_share", "later_share", "others_share", "gap_share", "gap_share_lower", "gap_share_upper", "meaning")  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns))


@np.errstate(divide="ignore", invalid="ignore")
def _gap(sums: pd.Series, confidence_level: float) -> dict[str, float]:
    """Two ratios of sums over the same visitors, and their difference with its interval."""
    sides = ("b1", "e1", "b2", "e2")
    b1, e1, b2, e2 = (np.float64(sums[side]) for side in sides)
    one, other = b1 / e1, b2 / e2
    weight = np.array([1 / e1, -one / e1, -1 / e2, other / e2])
    products = np.array(
        [[sums[a + b] if a + b in sums else sums[b + a] for b in sides] for a in sides], dtype="float64"
    )
    n = np.float64(sums["n"])
    half = float(distributions.norm.ppf((1 + confidence_level) / 2)) * np.sqrt(weight @ products @ weight * n / (n - 1))
    return {
        "n_visits": int(sums["y"]), "n_visitors": int(sums["n_visitors"]), "visit_share": sums["y"] / sums["d"],
        "later_share": one, "others_share": other, "gap_share": one - other, "gap_share_lower": one - other - half,
        "gap_share_upper": one - other + half,
    }  # fmt: skip


def intent_matrix(split: pd.DataFrame, *, by: str) -> pd.DataFrame:
    """Shares of visits as a matrix: intents down, values of a column across; shares of withheld groups are missing.

    Parameters
    ----------
    split : DataFrame
        From `intent_sizes` with the same ``by``.
    by : str
        Column across.

    Returns
    -------
    DataFrame
        One row an intent in the order of `INTENTS`: intent, and a column ``<value>_share`` each, 0 where it did not occur.

    Examples
    --------
    >>> visits = pd.DataFrame({"visitor_id": range(40), "intent": ["buy", "browse"] * 20, "device": ["a"] * 20 + ["b"] * 20,
    ...     "revenue_amount": 0.0, "bought_later": 0})
    >>> intent_matrix(intent_sizes(visits, by="device"), by="device").values.tolist()
    [['buy', 0.5, 0.5], ['browse', 0.5, 0.5]]
    """
    shown = suppressed(split)
    if shown.empty:
        return pd.DataFrame(columns=["intent"])
    # Names that were redacted to the same words stand in one column: withheld where one of them is.
    shares = shown.groupby(["intent", by], observed=True)["visit_share"].agg(lambda x: x.sum(skipna=False))
    cells = shares.fillna(-1.0).unstack(by)
    cells = cells.reindex([intent for intent in INTENTS if intent in cells.index]).fillna(0.0).mask(lambda t: t < 0)
    cells.columns = pd.Index([f"{value}_share" for value in cells.columns])
    return cells.reset_index()
