"""How sales answer to prices, and what another price would bring, in sentences."""

from __future__ import annotations

import re

import pandas as pd

from opslib.finding import About, Finding, Proposes
from opslib.findings.rows import estimate_of
from opslib.formats import count_of, format_change, format_estimate, format_money, format_number, format_share
from opslib.positioning import PriceResponse, WhatIf
from opslib.proposals.words import probability

SECTION, MOVED = "How sales answer to the price", "If a price moved"
NAMED = 3
"""Groups that are named; the others are counted."""
UNCONFOUNDED = "Prices were not moved by lot: what moved them may have moved sales as well. Other products' sales are taken to stay."


def response_findings(
    response: PriceResponse, moves: pd.DataFrame, *, price_change: float, currency: str
) -> tuple[Finding, ...]:
    """Which groups could bear another price, how promotions answer, and which slopes are no effect.

    Parameters
    ----------
    response : PriceResponse
        From `positioning.price_response`.
    moves : pandas.DataFrame
        From `positioning.price_moves`, by group, for the same change.
    price_change : float
        Relative change of prices.
    currency : str
        ISO code of prices.

    Returns
    -------
    tuple of Finding
    """
    clear = moves[moves["is_clear"].astype(bool)]
    largest = clear.sort_values("change_amount", key=abs, ascending=False, kind="stable").head(NAMED)
    n_more = len(clear) - len(largest)
    more = (
        f" {count_of(n_more, 'more group')} {'is' if n_more == 1 else 'are'} as clear, with less money."
        if n_more
        else ""
    )
    found = [
        _group(row, response, price_change, currency, more if place == len(largest) else "")
        for place, (_, row) in enumerate(largest.iterrows(), 1)
    ]
    if not found:
        found = [_nothing_clear(response, moves, price_change)]
    return tuple(found + _promotions(response) + _refused(response))


def _group(row: pd.Series, response: PriceResponse, price_change: float, currency: str, more: str) -> Finding:
    slope = response.groups.set_index("group").loc[row["group"]]
    method = "price response of the group, Poisson pseudo-likelihood"
    worth, answer = (
        estimate_of(of, (name, "lower", "upper"), n=of["n_products"], unit=unit, method=method, level=response.level)
        for of, name, unit in ((row, "change_amount", f"{currency}/month"), (slope, "slope", "% per %"))
    )
    is_gain = worth.value > 0
    change = format_change(price_change)
    return Finding(
        key="price-response-" + "-".join(re.findall(r"\w+", str(row["group"]).lower())),
        sentence=f"{row['group']}: list prices {change} would {'add' if is_gain else 'cost'} "
        f"{format_estimate(worth if is_gain else worth.scaled(-1, unit=worth.unit))} of {row['counted']}, since 1 % more "
        f"of the price goes with {_slope(answer.value)} % units ({_slope(answer.lower)} to {_slope(answer.upper)}).{more}",
        kind="estimated",
        grade="Low",
        estimate=answer,
        worth=worth if is_gain else None,
        section=SECTION,
        action=f"test it: {change} on half of the products of {row['group']}, drawn by lot, for eight weeks"
        if is_gain
        else f"leave the prices of {row['group']} as they are, or test {format_change(-price_change)} on half of its products",
        department="Pricing",
        caveat=UNCONFOUNDED,
        about=About(metric="units_sold", scope=(("category", str(row["group"])),)),
        proposes=Proposes(metric="units_sold", design="elasticity"),
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
        section=SECTION,
        action="move prices on purpose: half of the products of one group, drawn by lot, for eight weeks",
        department="Pricing",
        proposes=Proposes(metric="units_sold", design="elasticity"),
    )


def _promotions(response: PriceResponse) -> list[Finding]:
    known = response.groups.dropna(subset=["promotion_slope"])
    clear = known[known["promotion_upper"] < 0]
    if clear.empty:
        return []
    names = ", ".join(
        f"{r['group']} {_slope(r['promotion_slope'])} ({_slope(r['promotion_lower'])} to {_slope(r['promotion_upper'])})"
        for _, r in clear.head(NAMED).iterrows()
    )
    return [
        Finding(
            key="promotion-response",
            sentence=f"Promotions move units in {len(clear)} of {count_of(len(known), 'group')} where they can be told from the "
            f"week; change of units in % for a price paid 1 % higher: {names}.",
            kind="estimated",
            grade="Low",
            section=SECTION,
            caveat="It holds display and advertising as well as the price, and units that were only bought earlier.",
        )
    ]


def _refused(response: PriceResponse) -> list[Finding]:
    """Groups whose slope is no effect, by reason."""
    found = []
    words = {
        "followed": "prices followed demand",
        "tiers": "the price depends on how much is bought",
        "variation": "prices hardly moved",
        "clusters": "too few products moved",
    }
    for name, why in words.items():
        rows = response.groups[response.groups["refusal"] == name]
        if len(rows):
            shown = ", ".join(map(str, rows["group"].head(NAMED))) + (" and others" if len(rows) > NAMED else "")
            found.append(
                Finding(
                    key=f"price-response-{name}",
                    sentence=f"In {count_of(len(rows), 'group')} ({shown}) {why}, so no effect of a price is claimed.",
                    kind="estimated",
                    grade="Very low" if name in ("followed", "tiers") else None,
                    section=SECTION,
                )
            )
    return found


def what_if_findings(found: WhatIf | None, *, currency: str) -> tuple[Finding, ...]:
    """What moving one product would bring, or why it cannot be told.

    Parameters
    ----------
    found : WhatIf or None
        From `positioning.what_if`.
    currency : str
        ISO code of prices.

    Returns
    -------
    tuple of Finding
    """
    if found is None:
        return ()
    now, then = found.now, found.then
    moved = f"{found.name} from {format_money(now.price, currency)} to {format_money(then.price, currency)}"
    place = _place(found)
    if found.consequence is None:
        text = f"What {moved} would sell cannot be told ({found.reason}).{place}"
        return (
            Finding(
                key="what-if",
                sentence=text,
                kind="described",
                section=MOVED,
                action="test it first",
                department="Pricing",
            ),
        )
    told = found.consequence.margin or found.consequence.revenue
    worth = told.scaled(1.0, unit=f"{currency}/month")
    what = "margin" if found.consequence.margin else "revenue"
    return (
        Finding(
            key="what-if",
            sentence=f"{moved}: {what} {format_estimate(worth, signed=True)}, more than now with a probability of "
            f"{probability(found.consequence.p_gain)}, at "
            f"{format_number(found.consequence.units.value, step=0.1, signed=True)} units a month.{place}",
            kind="estimated",
            grade="Low",
            section=MOVED,
            estimate=worth,
            worth=worth,
            action=f"test it: {moved} for half of the weeks or stores, drawn by lot",
            department="Pricing",
            caveat=UNCONFOUNDED,
            about=About(metric="units_sold", scope=(("product_id", found.product_id),)),
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
