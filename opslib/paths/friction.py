"""Friction: where visits end more often than at the same step or kind of page elsewhere, or than there in other months, and what that costs."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats as distributions

from opslib import engine
from opslib.metrics import day_of, require_table_columns
from opslib.metrics.blocks import MONEY, Table
from opslib.paths.funnels import STEPS, Steps
from opslib.periods import Period
from opslib.stats.multiplicity import adjusted
from opslib.suppression import of_people

OTHER_MATTERS = ("view_item", "begin_checkout", "add_shipping_info", "add_payment_info", "purchase")
"""Events whose pages are not compared: a product's page is left for what the product is, and the funnel is about its steps."""
EXITS = ("place", "thing", "month", "visitor_id", "n_at", "n_on", "n_orders", "revenue_amount")
"""Columns of what `friction` compares: visits at a place, and those that went on."""
MIN_VISITORS, MIN_MONTHS, FALSE_SHARE = 30, 6, 0.025
"""Fewest visitors of a thing and of the others, fewest months in which a spell is looked for, and the q-value up to which a
difference is named: half of 5 %, since the normal approximation of a few hundred visitors errs towards too much."""
DAYS_A_MONTH = 365.25 / 12


def step_exits(reach: Table, *, steps: Steps = STEPS, by: str = "device") -> ir.Table:
    """Visits of each visitor at each step of a funnel, and those that went on to the next.

    Parameters
    ----------
    reach : table
        From `funnel_reach` with the same steps.
    steps : mapping of str to sequence of str
        Names of the steps, in order.
    by : str
        Column of the visits whose values are compared: device, source, medium, country.

    Returns
    -------
    ibis.Table
        The columns of `EXITS`: place (the step that is to be reached), thing (value of ``by``; unknown ones are left out), month, visitor_id,
        n_at (visits at the step before), n_on (of those, visits that reach the step), n_orders and revenue_amount (of these).

    Raises
    ------
    ContractError
        ``by`` is no column of the visits.

    Examples
    --------
    >>> reach = pd.DataFrame({"visitor_id": ["v", "v"], "month": "2026-01", "device": "mobile", "n_steps": [1, 2], "revenue_amount": [0.0, 9.0]})
    >>> engine.collect(step_exits(reach, steps={"visit": (), "order": ("purchase",)}))[["place", "n_at", "n_on"]].values.tolist()
    [['order', 2.0, 1.0]]
    """
    table, names = engine.as_table(reach), list(steps)
    require_table_columns(table, "visitor_id", "month", "n_steps", "revenue_amount", by, name="reach")
    table = table.filter(table[by].notnull())
    is_past = {k: table["n_steps"] > k for k in range(len(names))}
    counts = {f"c_{k}": engine.flag(past).sum() for k, past in is_past.items()}
    sums = {f"r_{k}": past.ifelse(table["revenue_amount"], 0.0).sum() for k, past in is_past.items()}
    people = engine.held(table.group_by(thing=table[by].cast("string"), month="month", visitor_id="visitor_id").aggregate(**counts, **sums))  # fmt: skip
    last = f"c_{len(names) - 1}"
    parts = [
        people.filter(people[f"c_{k - 1}"] > 0).select(
            place=ibis.literal(names[k]), thing="thing", month="month", visitor_id="visitor_id", n_at=f"c_{k - 1}", n_on=f"c_{k}",
            n_orders=last, revenue_amount=f"r_{k}",
        )
        for k in range(1, len(names))
    ]  # fmt: skip
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def page_exits(events: Table, pages: Table | None = None, *, period: Period | None = None) -> ir.Table:
    """Visits of each visitor that saw each page, and those that went on from it: another page later, or an order.

    Parameters
    ----------
    events : events
        session_id, event_index, event_name, occurred_at, page; visitor_id, section and value are used where they are.
    pages : pages or None
        Its template says which pages are of one kind; without it the section of the events does.
    period : Period or None
        Local days that count; all unless given.

    Returns
    -------
    ibis.Table
        The columns of `EXITS`: place (kind of page, and whether visits began there: those leave more often), thing (page), month,
        visitor_id, n_at, n_on, n_orders, revenue_amount. Pages of `OTHER_MATTERS` are left out.

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["s", "s", "t"], "event_index": [0, 1, 0], "event_name": "page_view", "section": "guides",
    ...     "page": ["/a", "/b", "/a"], "occurred_at": pd.to_datetime(["2026-01-05 10:00"] * 3)})
    >>> engine.collect(page_exits(events).order_by("thing", "visitor_id"))[["thing", "n_at", "n_on"]].values.tolist()
    [['/a', 1.0, 1.0], ['/a', 1.0, 0.0], ['/b', 1.0, 0.0]]
    """
    table = engine.as_table(events)
    require_table_columns(table, "session_id", "event_index", "event_name", "occurred_at", "page", name="events")
    day = day_of(table, "occurred_at")
    table = table.filter(table["page"].notnull(), *([day.between(period.start, period.end)] if period else []))
    table = table.mutate(
        day=day_of(table, "occurred_at"),
        who=table["visitor_id"].cast("string") if "visitor_id" in table.columns else ibis.null("string"),
        kind=table["section"] if "section" in table.columns else ibis.literal("page"),
        sold=table["value"].cast(MONEY) if "value" in table.columns else ibis.null(MONEY),
    )
    seen = table.group_by(visit=table["session_id"], page=table["page"]).aggregate(
        visitor_id=table["who"].max(), day=table["day"].min(), kind=table["kind"].max(), first=table["event_index"].min(), last=table["event_index"].max(),
        is_step=engine.flag(table["event_name"].isin(OTHER_MATTERS)).max(), is_order=engine.flag(table["event_name"] == "purchase").max(),
        value=table["sold"].sum(where=table["event_name"] == "purchase").fill_null(0),
    )  # fmt: skip
    whole = ibis.window(group_by="visit")
    seen = seen.mutate(
        visitor_id=ibis.coalesce(seen["visitor_id"].max().over(whole), seen["visit"].cast("string")),
        begin=seen["first"].min().over(whole), end=seen["last"].max().over(whole), orders=seen["is_order"].max().over(whole), revenue=seen["value"].sum().over(whole),
    )  # fmt: skip
    seen = seen.mutate(step_page=seen["is_step"].max().over(ibis.window(group_by="page")))
    seen = seen.filter(seen["step_page"] == 0)
    if pages is not None and "template" in (known := engine.as_table(pages)).columns:
        named = known.select(known_page="page", template="template")
        seen = seen.left_join(named, seen["page"] == named["known_page"])
        seen = seen.mutate(kind=seen["template"].fill_null(seen["kind"])).drop("known_page", "template")
    on = engine.flag((seen["last"] < seen["end"]) | (seen["orders"] > 0))
    year, month = (part.cast("string") for part in (seen["day"].year(), seen["day"].month()))
    rows = seen.mutate(on=on, month=year.concat("-", month.lpad(2, "0")))
    begins = (rows["first"] == rows["begin"]).ifelse(", first page", ", on the way")
    keys = {
        "place": rows["kind"].fill_null("page").concat(begins),
        "thing": rows["page"],
        "month": rows["month"],
        "visitor_id": rows["visitor_id"],
    }
    return rows.group_by(**keys).aggregate(
        n_at=rows.count().cast("float64"), n_on=rows["on"].sum(), n_orders=(rows["on"] * rows["orders"]).sum(),
        revenue_amount=(rows["on"] * rows["revenue"].cast("float64")).sum(),
    )  # fmt: skip


BESIDE = 0.05
"""P-value up to which a month next to a broken one belongs to the spell."""
_KEYS = ("place", "thing")
_FRICTION = (*_KEYS, "n_at", "n_visitors", "on_share", "on_share_lower", "on_share_upper", "others_share", "gap_share",
             "gap_share_lower", "gap_share_upper", "q_value", "is_clear", "n_lost", "lost_amount", "lost_amount_lower",
             "lost_amount_upper")  # fmt: skip


@of_people("n_visitors", by=_KEYS, adds_up=False)
def friction(
    exits: Table,
    *,
    n_days: int,
    spells: pd.DataFrame | None = None,
    margin_share: float = float("nan"),
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Where visits go on less often than at the same place elsewhere, with the most that this costs a month.

    Parameters
    ----------
    exits : table
        From `step_exits` or `page_exits`.
    n_days : int
        Days that the visits are of, to tell money a month.
    spells : DataFrame or None
        From `broken_spells`: months of a spell that is over are left out of its place, so that what is told is there today.
    margin_share : float
        Margin over revenue (0-1): amounts are then margin; missing: they are revenue.
    confidence_level : float
        Coverage of the intervals (0-1): delta method over visitors, who may stand on both sides.

    Returns
    -------
    DataFrame
        One row a place and thing that has others to be compared with, the most money first: place, thing, n_at (visits), n_visitors,
        on_share (of them that went on) with its interval, others_share (of all other things at this place), gap_share (the difference)
        with its interval, q_value (Benjamini-Hochberg over all rows), is_clear (q at most `FALSE_SHARE`), n_lost (visits a
        month that would have gone on at the others' share, below 0 where more go on), lost_amount (margin or revenue a month: those visits times what a visit
        that went on brings there; a bound, since who leaves may have wanted less) with its interval.

    Examples
    --------
    >>> exits = pd.DataFrame({"place": "delivery", "thing": ["mobile"] * 40 + ["desktop"] * 40, "month": "2026-01", "visitor_id": range(80),
    ...     "n_at": 1.0, "n_on": [0.0, 1.0] * 20 + [1.0] * 40, "n_orders": 0.0, "revenue_amount": [0.0, 10.0] * 20 + [10.0] * 40})
    >>> friction(exits, n_days=30)[["thing", "on_share", "gap_share", "is_clear"]].values.tolist()
    [['mobile', 0.5, -0.5, True], ['desktop', 1.0, 0.5, True]]
    """
    table = engine.as_table(exits)
    if engine.is_empty(table):
        return pd.DataFrame(columns=list(_FRICTION))
    today = _without(table, spells)
    found = _compared(_by_visitor(today, by_month=False), [])
    if found.empty:
        return pd.DataFrame(columns=list(_FRICTION))
    z = float(distributions.norm.ppf((1 + confidence_level) / 2))
    for name, error in (("gap_share", "gap_error"), ("on_share", "on_error")):
        found[f"{name}_lower"], found[f"{name}_upper"] = (
            (found[name] + side * z * found[error]).clip(-1.0 if name == "gap_share" else 0.0, 1.0) for side in (-1, 1)
        )
    found["q_value"] = adjusted(dict(enumerate(found["p_value"])), method="benjamini_hochberg")["adjusted_p_value"]
    found["is_clear"] = found["q_value"] <= FALSE_SHARE
    n_months, left = (
        engine.grouped(rows, "place", n=rows["month"].nunique()).set_index("place")["n"] for rows in (table, today)
    )
    monthly = DAYS_A_MONTH / n_days * found["place"].map(n_months) / found["place"].map(left)
    found["n_lost"] = -found["gap_share"] * found["n_at"] * monthly
    worth = (found["revenue_amount"] / found["n_on"].where(found["n_on"] > 0)) * found["n_at"] * monthly
    worth = worth * (1.0 if np.isnan(margin_share) else margin_share)
    for end, other in (("", ""), ("_lower", "_upper"), ("_upper", "_lower")):
        found[f"lost_amount{end}"] = -found[f"gap_share{other}"] * worth
    found = found.sort_values(["lost_amount", *_KEYS], ascending=[False, True, True], kind="stable", ignore_index=True)
    return found[list(_FRICTION)]


def _without(exits: ir.Table, spells: pd.DataFrame | None) -> ir.Table:
    """The rows but those of a place in the months of a spell that is over."""
    over = spells[spells["is_over"].astype(bool)] if spells is not None and len(spells) else pd.DataFrame()
    for _, spell in over.iterrows():
        is_in = exits["month"].between(spell["first_month"], spell["last_month"])
        exits = exits.filter((exits["place"] != spell["place"]) | ~is_in)
    return exits


def _by_visitor(exits: ir.Table, *, by_month: bool) -> ir.Table:
    keys = [*_KEYS, "visitor_id", *(["month"] if by_month else [])]
    return exits.group_by(keys).aggregate(
        d=exits["n_at"].sum().cast("float64"), y=exits["n_on"].sum().cast("float64"), revenue=exits["revenue_amount"].sum().cast("float64"),
        orders=exits["n_orders"].sum().cast("float64"),
    )  # fmt: skip


def _compared(people: ir.Table, more: list[str]) -> pd.DataFrame:
    """Each thing against all others at its place (and month): shares, difference, its error; visitors may be on both sides.

    The error of the difference is that of a linear function of four sums over visitors: visits and those that went on, of
    the thing and of all things at the place. Products are summed in the engine, for the thing and for the whole.
    """
    place = ["place", *more]
    both = ibis.window(group_by=[*place, "visitor_id"])
    people = people.mutate(t=people["y"].sum().over(both), u=people["d"].sum().over(both))
    pairs = ("yy", "yd", "dd", "yt", "yu", "dt", "du")
    own = engine.grouped(
        people, [*_KEYS, *more], n_visitors=people.count(), n_on=people["y"].sum(), n_at=people["d"].sum(),
        revenue_amount=people["revenue"].sum(), n_orders=people["orders"].sum(), **{f"p_{pair}": (people[pair[0]] * people[pair[1]]).sum() for pair in pairs},
    )  # fmt: skip
    whole = people.group_by([*place, "visitor_id"]).aggregate(t=people["y"].sum(), u=people["d"].sum())
    wholes = engine.grouped(
        whole, place, n_all=whole.count(), t=whole["t"].sum(), u=whole["u"].sum(),
        **{f"p_{a}{b}": (whole[a] * whole[b]).sum() for a, b in (("t", "t"), ("t", "u"), ("u", "u"))},
    )  # fmt: skip
    found = own.merge(wholes, on=place, validate="many_to_one")
    enough = (found["n_visitors"] >= MIN_VISITORS) & (found["n_all"] - found["n_visitors"] >= MIN_VISITORS)
    found = found[enough & (found["u"] > found["n_at"])].reset_index(drop=True)
    rest = found["u"] - found["n_at"]
    found["on_share"], found["others_share"] = found["n_on"] / found["n_at"], (found["t"] - found["n_on"]) / rest
    found["gap_share"] = found["on_share"] - found["others_share"]
    found["gap_error"] = np.sqrt(_variance(found, found["on_share"], found["others_share"]))
    found["on_error"] = np.sqrt(
        (found["p_yy"] - 2 * found["on_share"] * found["p_yd"] + found["on_share"] ** 2 * found["p_dd"]).clip(lower=0)
    ) / found["n_at"]  # fmt: skip
    pooled = found["t"] / found["u"]
    error = np.sqrt(
        _variance(found, pooled, pooled)
    )  # of no difference: the test does not lean on a small group's own spread
    z = (found["gap_share"] / error.where(error > 0)).fillna(0.0)
    found["p_value"] = 2 * distributions.norm.sf(z.abs())
    return found


def _variance(found: pd.DataFrame, one: pd.Series, other: pd.Series) -> Any:
    """Of the difference of two ratios over the same visitors, around the shares given."""
    d, rest = found["n_at"], found["u"] - found["n_at"]
    weight = {"y": 1 / d + 1 / rest, "d": -one / d - other / rest, "t": -1 / rest, "u": other / rest}
    total: Any = 0.0
    for a in weight:
        for b in weight:
            name = f"p_{a}{b}" if f"p_{a}{b}" in found else f"p_{b}{a}"
            total = total + weight[a] * weight[b] * found[name]
    return (total * found["n_all"] / (found["n_all"] - 1)).clip(lower=0)


_SPELLS = (*_KEYS, "first_month", "last_month", "is_over", "n_at", "n_visitors", "on_share", "usual_share", "gap_share",
           "gap_share_lower", "gap_share_upper", "n_lost", "n_orders_lost", "lost_amount")  # fmt: skip


@of_people("n_visitors", by=(*_KEYS, "first_month"), adds_up=False)
def broken_spells(
    exits: Table, *, last_month: str, margin_share: float = float("nan"), confidence_level: float = 0.95
) -> pd.DataFrame:
    """Months in which a step or page let fewer visits through than in its other months, the others there taken off.

    What a thing always has less than the others (phones are used for other visits than desktops) is no spell: each month's difference from
    the others is held against the median of all months, and the spread between quiet months counts as chance.

    Parameters
    ----------
    exits : table
        From `step_exits` or `page_exits`.
    last_month : str
        Last month that the data are of (``2026-10``): a spell that reaches it is not over.
    margin_share : float
        As in `friction`.
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    DataFrame
        One row a spell of months in a row, the most money first: place, thing, first_month, last_month, is_over, n_at, n_visitors (the fewest of its months),
        on_share, usual_share (what it would have been), gap_share with its interval, n_lost (visits lost in all), n_orders_lost and lost_amount (orders, and margin or revenue, that
        as many visits brought that got through in these months). Empty
        where fewer than `MIN_MONTHS` months are there.

    Notes
    -----
    A month is named by Benjamini-Hochberg over all places, things and months; those next to it belong to the spell where they are below by themselves (p at most `BESIDE`). The median's variance is pi/2 of the mean's; the dispersion of quiet months is
    their median absolute deviation, where it is above what chance gives.

    Examples
    --------
    >>> broken_spells(pd.DataFrame(columns=list(EXITS)), last_month="2026-10").empty
    True
    """
    table = engine.as_table(exits)
    if engine.is_empty(table):
        return pd.DataFrame(columns=list(_SPELLS))
    found = _compared(_by_visitor(table, by_month=True), ["month"])
    found = found[found["gap_error"] > 0]
    months = found.groupby(list(_KEYS))["month"].transform("count")
    found = found[months >= MIN_MONTHS].copy()
    if found.empty:
        return pd.DataFrame(columns=list(_SPELLS))
    groups = found.groupby(list(_KEYS))
    found["usual_gap"] = groups["gap_share"].transform("median")
    size, variance = groups["gap_share"].transform("count"), found["gap_error"] ** 2
    centre = np.pi / 2 * variance.groupby([found[key] for key in _KEYS]).transform("mean") / size
    found["change"], found["error"] = found["gap_share"] - found["usual_gap"], np.sqrt(variance + centre)
    z = found["change"] / found["error"]
    spread = 1.4826 * z.abs().groupby([found[key] for key in _KEYS]).transform("median")
    found["error"] = found["error"] * spread.clip(lower=1.0)
    p = 2 * distributions.norm.sf((found["change"] / found["error"]).abs())
    q = adjusted(dict(enumerate(p)), method="benjamini_hochberg")["adjusted_p_value"].to_numpy()
    number = pd.PeriodIndex(found["month"], freq="M").astype("int64")
    below = found.assign(number=number, is_clear=q <= FALSE_SHARE)[(p <= BESIDE) & (found["change"] < 0)]
    below = below.sort_values([*_KEYS, "number"])
    below["spell"] = (below["number"] - below.groupby(list(_KEYS))["number"].cumcount()).astype("int64")
    bad = below[below.groupby([*_KEYS, "spell"])["is_clear"].transform("any")]
    z_level = float(distributions.norm.ppf((1 + confidence_level) / 2))
    kept_share = 1.0 if np.isnan(margin_share) else margin_share
    rows = [_spell(key, part, last_month, z_level, kept_share) for key, part in bad.groupby([*_KEYS, "spell"])]
    spells = pd.DataFrame(rows, columns=list(_SPELLS))
    order = ["lost_amount", *_KEYS, "first_month"]
    return spells.sort_values(order, ascending=[False, True, True, True], kind="stable", ignore_index=True)


def _spell(key: Any, part: pd.DataFrame, last_month: str, z: float, kept_share: float) -> dict[str, Any]:
    weight = part["n_at"] / part["n_at"].sum()
    change, half = float((weight * part["change"]).sum()), z * float(np.sqrt((weight**2 * part["error"] ** 2).sum()))
    on, n_on = float(part["n_on"].sum() / part["n_at"].sum()), float(part["n_on"].sum())
    orders, each = (float(part[name].sum()) / n_on if n_on else float("nan") for name in ("n_orders", "revenue_amount"))
    lost = -float((part["change"] * part["n_at"]).sum())
    return {
        "place": key[0], "thing": key[1], "first_month": part["month"].iloc[0], "last_month": part["month"].iloc[-1],
        "is_over": part["month"].iloc[-1] < last_month, "n_at": int(part["n_at"].sum()), "n_visitors": int(part["n_visitors"].min()),
        "on_share": on, "usual_share": on - change, "gap_share": change, "gap_share_lower": change - half, "gap_share_upper": change + half,
        "n_lost": lost, "n_orders_lost": lost * orders, "lost_amount": lost * each * kept_share,
    }  # fmt: skip
