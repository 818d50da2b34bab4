"""Sentences of the price response page: how sales answer to prices; what to do with a price is decided on the positioning page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import pandas as pd

from opslib.finding import About, Facts, Finding
from opslib.findings.wording import estimate_of, how_many, listed, more_than, moved
from opslib.formats import format_estimate, format_money, format_number, format_share
from opslib.positioning import PriceResponse, WhatIf
from opslib.stats.estimates import Estimate

NAMED = 2
"""Groups with clear money that are told, and groups whose promotions are named."""
LEAST_PART = 0.03
"""Money below this part of the largest on the page is a number of a table, not a finding."""
OFF = 0.10
"""Discount for which the answer to promotions is told."""
UNCONFOUNDED = "Prices were not moved at random: what moved them may have moved sales as well."
UNREAD = {
    "followed": "prices may have followed demand",
    "tiers": "the price depends on how much is bought",
    "variation": "prices hardly moved",
    "clusters": "too few products changed their price",
    "unclear": "sales did not clearly answer to prices",
    "band": "such prices were never seen",
    "unseen": "too little was sold to tell",
}
"""Why a price response cannot be read, by its name in the results of `positioning`."""


def findings(
    response: PriceResponse, moves: pd.DataFrame, moved: WhatIf, *, price_change: float, page: Facts
) -> tuple[Finding, ...]:
    """Findings of the price response page: evidence, without an action, since a category's price is decided on one page.

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
        Groups whose money clearly changes, how promotions answer, which groups cannot be read, and one product moved.
    """
    clear = moves[moves["is_clear"].astype(bool)] if len(moves) else moves
    largest = clear.sort_values("change_amount", key=abs, ascending=False, kind="stable") if len(clear) else clear
    found = [
        _group(row, response, price_change, page.currency, is_told=place < NAMED)
        for place, (_, row) in enumerate(largest.iterrows())
    ]
    if len(response.groups):
        found += [*_promotions(response), *_refused(response, leads=not found)]
    most = max((abs(float(amount)) for amount in largest["change_amount"]), default=0.0) if len(largest) else 0.0
    return (*found, *([_what_if(moved, page.currency, least=LEAST_PART * most)] if moved.product_id else []))


def answer(response: PriceResponse, moves: pd.DataFrame, *, price_change: float) -> str:
    """Where buyers answer to prices and where that cannot be told; '' where no group was read."""
    known = response.groups
    if not len(known):
        return ""
    clear = known[known["is_usable"].astype(bool) & (known["slope_upper"] < 0)].sort_values("slope", kind="stable")
    unread = known[~known["is_usable"].astype(bool)]
    if not len(clear):
        why = str(unread["refusal"].mode().iloc[0]) if len(unread) else "unclear"
        return f"How buyers answer to our prices cannot be told: {UNREAD[why]}."
    first, last = clear.iloc[0], clear.iloc[-1]
    way = "higher" if price_change > 0 else "lower"
    said = f"At {_percent(price_change)} {way} prices {_sells(first, price_change)}"
    said += f", {_sells(last, price_change)}" if len(clear) > 1 else ""
    n = len(clear) - 2
    said += f"; {how_many(n, 'group')} {'lies' if n == 1 else 'lie'} between" if n > 0 else ""
    said += "."
    gains = moves[moves["is_clear"].astype(bool) & (moves["change_amount"] > 0)].sort_values(
        "change_amount", ascending=False
    )
    names = list(gains["group"].astype(str))
    return said + (f" That would leave more {gains['counted'].iloc[0]} in {listed(names)}." if names else "")


def left_out_notes(response: PriceResponse) -> tuple[str, ...]:
    """How many groups are not answered for, where there are such."""
    left = response.n_groups_left_out
    return (f"{left} more categories, with fewer units sold, are not answered for.",) if left else ()


def limits(page: Facts, response: PriceResponse) -> tuple[str, ...]:
    """What the price response page cannot say."""
    left = response.n_groups_left_out
    small = (
        f" {how_many(left, 'smaller group').capitalize()} {'was' if left == 1 else 'were'} not looked at."
        if left
        else ""
    )
    return (
        f"What happens at prices that were not seen in {page.period.label}, and how competitors would answer.{small}",
    )


def _percent(share: float) -> str:
    return format_share(abs(share), step=1.0 if abs(share) >= 0.01 else 0.1)


def _units(row: pd.Series, price_change: float, name: str = "slope") -> Estimate:
    """Relative change of units when the price changes, from the slope on logarithms."""
    ends = [math.expm1(float(row[f"{name}{end}"]) * math.log1p(price_change)) for end in ("", "_lower", "_upper")]
    method = "price response of the group, Poisson pseudo-likelihood"
    return Estimate(value=ends[0], lower=min(ends), upper=max(ends), n=0, unit="relative change", method=method)


def _sells(row: pd.Series, price_change: float) -> str:
    units = _units(row, price_change)
    return f"{row['group']} sells {_percent(units.value)} {more_than(1 + units.value, 1.0).removesuffix(' than')}"


def _group(row: pd.Series, response: PriceResponse, price_change: float, currency: str, *, is_told: bool) -> Finding:
    slope = response.groups.set_index("group").loc[row["group"]]
    units, method = _units(slope, price_change), "price response of the group, Poisson pseudo-likelihood"
    money = estimate_of(row, "change_amount", n=row["n_products"], unit=f"{currency}/month", method=method)
    size = money if money.value > 0 else money.scaled(-1, unit=money.unit)
    way = "higher" if price_change > 0 else "lower"
    return Finding(
        key="price-response-" + "-".join(re.findall(r"\w+", str(row["group"]).lower())),
        sentence=f"{row['group']}: at {_percent(price_change)} {way} prices sales {moved(units.value, up='rise', down='fall')} by "
        f"{_percent(units.value)}, which {moved(money.value, up='adds', down='costs')} {format_estimate(size)} of {row['counted']}.",
        kind="estimated",
        grade="Low",
        estimate=units,
        section="price-response",
        is_told=is_told,
        caveat=UNCONFOUNDED,
        about=About(metric="units_sold", scope=(("category", str(row["group"])),), people=None),
    )


def _promotions(response: PriceResponse) -> Iterator[Finding]:
    known = response.groups.dropna(subset=["promotion_slope"])
    clear = known[known["promotion_slope_upper"] < 0].sort_values("promotion_slope", kind="stable")
    if clear.empty:
        return
    first = clear.iloc[0]
    units = _units(first, -OFF, "promotion_slope")
    others = listed(list(clear["group"].astype(str))[1:], shown=NAMED)
    yield Finding(
        key="promotion-response",
        sentence=f"A promotion at {_percent(OFF)} off sells {format_estimate(units, signed=True)} in {first['group']}"
        f"{f', and clearly in {others} too' if others else ''}.",
        kind="estimated",
        grade="Low",
        estimate=units,
        section="price-response",
        caveat="It holds display and advertising as well as the price, and units that were only bought earlier.",
        about=About(people=None),
    )


def _refused(response: PriceResponse, *, leads: bool) -> Iterator[Finding]:
    """Groups whose response cannot be read, by reason; where no group is clear, the first reason leads the page."""
    for name, why in UNREAD.items():
        rows = response.groups[response.groups["refusal"] == name]
        if len(rows):
            yield Finding(
                key=f"price-response-{name}",
                sentence=f"In {listed(list(rows['group'].astype(str)))} {why}, so what a price does cannot be told.",
                kind="estimated",
                grade="Very low" if name in ("followed", "tiers") else None,
                section="price-response",
                priority=2 if leads else 3,
                about=About(people=None),
            )
            leads = False


def _what_if(found: WhatIf, currency: str, *, least: float) -> Finding:
    """What moving one product would bring, or why it cannot be told."""
    moved_to = (
        f"{found.name} from {format_money(found.now.price, currency)} to {format_money(found.then.price, currency)}"
    )
    place = _place(found)
    scope = (("product_id", found.product_id),)
    if found.consequence is None:
        return Finding(
            key="what-if",
            sentence=f"What {moved_to} would sell cannot be told ({found.reason}).{place}",
            kind="described",
            section="price-moves",
            priority=4,
            about=About(scope=scope, objects=(found.product_id,), people=None),
        )
    told = found.consequence.margin or found.consequence.revenue
    money = told.scaled(1.0, unit=f"{currency}/month")
    what = "margin" if found.consequence.margin else "revenue"
    units = found.consequence.units
    return Finding(
        key="what-if",
        sentence=f"{moved_to}: {what} {format_estimate(money, signed=True)}, at "
        f"{format_number(abs(units.value), step=1.0 if abs(units.value) >= 1 else 0.1)} {'fewer' if units.value < 0 else 'additional'} units sold.{place}",
        kind="estimated",
        grade="Low",
        section="price-moves",
        priority=4,
        is_told=abs(money.value) >= least,
        estimate=money,
        caveat=UNCONFOUNDED,
        about=About(metric="units_sold", scope=scope, objects=(found.product_id,), people=None),
    )


def _place(found: WhatIf) -> str:
    """Its place then, against competitors or else on the ladder."""
    now, then = found.now, found.then
    if then.price_index == then.price_index:
        away = f"{_percent(then.price_index - 1)} {more_than(then.price_index, 1.0)}"
        return f" It would then cost {away} at competitors."
    if then.cheaper_share == then.cheaper_share:
        return (
            f" Of the others in {found.group}, {format_share(then.cheaper_share, step=1.0)} would then be cheaper "
            f"(now {format_share(now.cheaper_share, step=1.0)})."
        )
    return ""
