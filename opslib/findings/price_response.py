"""Sentences of the price response page: how sales answer to prices, and what another price would bring."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes, answer
from opslib.findings.wording import estimate_of, more_as_clear
from opslib.formats import count_of, format_change, format_estimate, format_money, format_number, format_share
from opslib.positioning import PriceResponse, WhatIf
from opslib.proposals.number_text import probability

__all__ = ["answer", "findings", "limits"]

NAMED = 3
"""Groups that are named; the others are counted."""
UNCONFOUNDED = "Prices were not moved by lot: what moved them may have moved sales as well. Other products' sales are taken to stay."
_TESTED = Proposes(metric="units_sold", design="elasticity")
_REFUSALS = {
    "followed": "prices followed demand",
    "tiers": "the price depends on how much is bought",
    "variation": "prices hardly moved",
    "clusters": "too few products moved",
}


def findings(
    response: PriceResponse, moves: pd.DataFrame, moved: WhatIf, *, price_change: float, page: Facts
) -> tuple[Finding, ...]:
    """Findings of the price response page.

    Parameters
    ----------
    response : PriceResponse
        From `positioning.price_response`; may have no groups.
    moves : pandas.DataFrame
        From `positioning.price_moves`, by group, for the same change.
    moved : WhatIf
        From `positioning.what_if`; of no product ('') where none can be moved.
    price_change : float
        Relative change of prices.
    page : Facts
        With the currency of prices.

    Returns
    -------
    tuple of Finding
        Groups that could bear another price, how promotions answer, which slopes are no effect, and one product moved.
    """
    found: list[Finding] = []
    if len(response.groups):
        clear = moves[moves["is_clear"].astype(bool)]
        largest = clear.sort_values("change_amount", key=abs, ascending=False, kind="stable").head(NAMED)
        more = more_as_clear(len(clear) - len(largest), how="with less money")
        found = [
            _group(row, response, price_change, page.currency, more if place == len(largest) else "")
            for place, (_, row) in enumerate(largest.iterrows(), 1)
        ]
        found += [] if found else [_nothing_clear(response, moves, price_change)]
        found += [*_promotions(response), *_refused(response, leads=clear.empty)]
    return (*found, *([_what_if(moved, page.currency)] if moved.product_id else []))


def limits(page: Facts) -> tuple[str, ...]:
    """What the price response page cannot say."""
    return (
        "What happens at prices that were never seen, and how competitors would answer: only a test of prices shows that.",
    )


def _group(row: pd.Series, response: PriceResponse, price_change: float, currency: str, more: str) -> Finding:
    slope = response.groups.set_index("group").loc[row["group"]]
    method = "price response of the group, Poisson pseudo-likelihood"
    worth, told = (
        estimate_of(
            of,
            name,
            n=of["n_products"],
            unit=unit,
            method=method,
            confidence_level=response.confidence_level,
        )
        for of, name, unit in ((row, "change_amount", f"{currency}/month"), (slope, "slope", "% per %"))
    )
    is_gain = worth.value > 0
    change = format_change(price_change)
    return Finding(
        key="price-response-" + "-".join(re.findall(r"\w+", str(row["group"]).lower())),
        sentence=f"{row['group']}: list prices {change} would {'add' if is_gain else 'cost'} "
        f"{format_estimate(worth if is_gain else worth.scaled(-1, unit=worth.unit))} of {row['counted']}, since 1 % more "
        f"of the price goes with {_slope(told.value)} % units ({_slope(told.lower)} to {_slope(told.upper)}).{more}",
        kind="estimated",
        grade="Low",
        estimate=told,
        worth=worth if is_gain else None,
        section="price-response",
        action=f"test it: {change} on half of the products of {row['group']}, drawn by lot, for eight weeks"
        if is_gain
        else f"leave the prices of {row['group']} as they are, or test {format_change(-price_change)} on half of its products",
        department="Buying",
        caveat=UNCONFOUNDED,
        about=About(metric="units_sold", scope=(("category", str(row["group"])),), people=None),
        proposes=_TESTED,
    )


def _slope(value: float) -> str:
    return format_number(value, step=0.1)


def _nothing_clear(response: PriceResponse, moves: pd.DataFrame, price_change: float) -> Finding:
    answered = int((moves["refusal"] == "").sum()) if len(moves) else 0
    n = len(response.groups)
    return Finding(
        key="price-response",
        sentence=f"No group is known well enough to say whether list prices {format_change(price_change)} would bring more or less: "
        + (
            f"{answered} of {count_of(n, 'group')} can be answered for, none of them clear of zero."
            if answered
            else f"none of {count_of(n, 'group')} can be answered for."
        ),
        kind="estimated",
        section="price-response",
        action="move prices on purpose: half of the products of one group, drawn by lot, for eight weeks",
        department="Buying",
        proposes=_TESTED,
        about=About(people=None),
    )


def _promotions(response: PriceResponse) -> Iterator[Finding]:
    known = response.groups.dropna(subset=["promotion_slope"])
    clear = known[known["promotion_slope_upper"] < 0]
    if clear.empty:
        return
    names = ", ".join(
        f"{r['group']} {_slope(r['promotion_slope'])} ({_slope(r['promotion_slope_lower'])} to {_slope(r['promotion_slope_upper'])})"
        for _, r in clear.head(NAMED).iterrows()
    )
    yield Finding(
        key="promotion-response",
        sentence=f"Promotions move units in {len(clear)} of {count_of(len(known), 'group')} where they can be told from the "
        f"week; change of units in % for a price paid 1 % higher: {names}.",
        kind="estimated",
        grade="Low",
        section="price-response",
        caveat="It holds display and advertising as well as the price, and units that were only bought earlier.",
        about=About(people=None),
    )


def _refused(response: PriceResponse, *, leads: bool) -> Iterator[Finding]:
    """Groups whose slope is no effect, by reason; where no group is clear, the first reason leads the page."""
    for name, why in _REFUSALS.items():
        rows = response.groups[response.groups["refusal"] == name]
        if len(rows):
            shown = ", ".join(map(str, rows["group"].head(NAMED))) + (" and others" if len(rows) > NAMED else "")
            yield Finding(
                key=f"price-response-{name}",
                sentence=f"In {count_of(len(rows), 'group')} ({shown}) {why}, so no effect of a price is claimed.",
                kind="estimated",
                grade="Very low" if name in ("followed", "tiers") else None,
                section="price-response",
                priority=2 if leads else 3,
                about=About(people=None),
            )
            leads = False


def _what_if(found: WhatIf, currency: str) -> Finding:
    """What moving one product would bring, or why it cannot be told."""
    now, then = found.now, found.then
    moved = f"{found.name} from {format_money(now.price, currency)} to {format_money(then.price, currency)}"
    place = _place(found)
    if found.consequence is None:
        return Finding(
            key="what-if",
            sentence=f"What {moved} would sell cannot be told ({found.reason}).{place}",
            kind="described",
            section="price-moves",
            action="test it first",
            department="Buying",
            about=About(people=None),
        )
    told = found.consequence.margin or found.consequence.revenue
    worth = told.scaled(1.0, unit=f"{currency}/month")
    what = "margin" if found.consequence.margin else "revenue"
    return Finding(
        key="what-if",
        sentence=f"{moved}: {what} {format_estimate(worth, signed=True)}, more than now with a probability of "
        f"{probability(found.consequence.p_gain)}, at "
        f"{format_number(found.consequence.units.value, step=0.1, signed=True)} units a month.{place}",
        kind="estimated",
        grade="Low",
        section="price-moves",
        estimate=worth,
        worth=worth,
        action=f"test it: {moved} for half of the weeks or stores, drawn by lot",
        department="Buying",
        caveat=UNCONFOUNDED,
        about=About(
            metric="units_sold", scope=(("product_id", found.product_id),), objects=(found.product_id,), people=None
        ),
    )


def _place(found: WhatIf) -> str:
    """Its place then: against competitors, on the ladder, against the going rate."""
    now, then, parts = found.now, found.then, []
    if then.price_index == then.price_index:
        parts.append(
            f"its index against competitors goes from {format_number(now.price_index, step=0.01)} to "
            f"{format_number(then.price_index, step=0.01)}"
        )
    if then.cheaper_share == then.cheaper_share:
        parts.append(
            f"{format_share(then.cheaper_share, step=1.0)} of the others in {found.group} are cheaper (now "
            f"{format_share(now.cheaper_share, step=1.0)})"
        )
    if then.premium:
        parts.append(
            f"its price is {format_estimate(then.premium, signed=True)} against the going rate of what it offers"
        )
    return f" Then {'; '.join(parts)}." if parts else ""
