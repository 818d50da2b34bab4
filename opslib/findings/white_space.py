"""Sentences about white space: searches that end with nothing, and what is looked at beyond its share of the offer."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from opslib.finding import About, Finding
from opslib.findings.wording import estimate_of
from opslib.formats import count_of, format_estimate, format_money, format_share, is_missing
from opslib.positioning import UnmetSearches, is_service
from opslib.privacy import redact

SHORT = 1.2
"""Choice is short where a group is looked at this many times its share of the offer, by the lower end of the interval."""
NAMED = 1
"""Themes and gaps that are told; the others stand in their tables."""


def unmet_findings(unmet: UnmetSearches, *, currency: str) -> tuple[Finding, ...]:
    """The share of searches that end with nothing, and the themes that matter; nothing where no search was seen."""
    if not unmet.unmet_share.n:
        return ()
    best = unmet.themes[unmet.themes["top_three_share"] >= 0.5].head(2)
    whole = Finding(
        key="unmet-share",
        kind="estimated",
        section="unmet-searches",
        estimate=unmet.unmet_share,
        sentence=f"{format_estimate(unmet.unmet_share)} of searches lead nowhere: they find nothing, or nothing that is clicked as "
        "often as elsewhere.",
        is_told=False,
        caveat="Some fail because the word is misspelt or unknown to the search, not because nothing is offered.",
        about=About(people=None),
    )
    return (whole, *(_theme(row, place, unmet, currency) for place, (_, row) in enumerate(best.iterrows(), 1)))


def _theme(row: pd.Series, place: int, unmet: UnmetSearches, currency: str) -> Finding:
    """One theme: visits, money, what to do."""
    name = redact(str(row["theme"]))
    worth, money = None, "What that costs is not known."
    if unmet.visit_value is not None:
        method = "visits whose search failed x value of a visit that found; draws"
        worth = estimate_of(row, "worth_amount", n=row["n_visits"], unit=f"{currency}/month", method=method)
        kind = "margin" if unmet.is_margin else "revenue"
        about = format_money(float(f"{worth.value:.2g}"), currency, step=1.0)
        money = (
            f"Meeting it may bring {format_estimate(worth)} of {kind}."
            if worth.lower > 0
            else f"Meeting it may bring about {about} a month of {kind}, possibly nothing."
            if worth.value > 0
            else "What meeting it is worth cannot be seen in what such visits buy."
        )
    n_ours = 0 if is_missing(row["n_products"]) else int(row["n_products"])
    found = f"did not get to our {count_of(n_ours, 'product')} of that name" if n_ours else "found none"
    often = count_of(max(round(float(row["visits_per_month"])), 1), "visit")
    return Finding(
        key=f"unmet-{place}",
        kind="estimated",
        section="unmet-searches",
        sentence=f"{often} a month searched for “{name}” and {found}. {money}",
        estimate=worth,
        worth=worth if unmet.is_worth else None,
        would_tell=None if unmet.is_worth else "showing them to half of the visitors for eight weeks",
        grade="Low",
        priority=4 if place > NAMED else 2 if unmet.is_worth else 3,
        is_told=place <= NAMED,
        action=f"Have the search lead “{name}” to the {count_of(n_ours, 'product')} whose name has the word"
        if n_ours
        else f"List a few products for “{name}”, unless we sell them under another word",
        things=(name,),
        department="Technology" if n_ours else "Buying",
        caveat="A visit that failed may differ in other ways from one that found something.",
        about=About(people=int(row["n_people"])),
    )


def gap_findings(gaps: Mapping[str, pd.DataFrame], *, currency: str, from_views: bool) -> tuple[Finding, ...]:
    """The group that is looked at clearly beyond its share of the offer and on which the surest money rests.

    Nothing where only purchases are known: what sells well does not lack choice for that.
    """
    if not from_views:
        return ()
    clear = {
        by: table[(table["pressure_lower"] > SHORT) & ~table[by].map(is_service)]
        for by, table in gaps.items()
        if len(table)
    }
    best = {by: table.iloc[0] for by, table in clear.items() if len(table)}
    ranked = sorted(best, key=lambda by: (-float(best[by]["excess_amount_lower"]), by))
    return tuple(_gap(best[by], by, currency, is_told=place < NAMED) for place, by in enumerate(ranked))


def _gap(row: pd.Series, by: str, currency: str, *, is_told: bool) -> Finding:
    pressure = estimate_of(row, "pressure", n=row["n_demand"], unit="ratio", method="compound Poisson by visit; draws")
    name = str(row[by])
    if "price_band" in row:
        low, high = (format_money(row[end], currency) for end in ("lower_price", "upper_price"))
        name += f" from {low} to {high}"
    offer, demand = (
        format_share(float(row[of]), step=1.0 if row[of] >= 0.01 else 0.1) for of in ("offer_share", "demand_share")
    )
    return Finding(
        key=f"gap-{by.removeprefix('attr_').replace('_', '-')}",
        kind="estimated",
        section="demand-offer",
        priority=3,
        sentence=f"{name[:1].upper() + name[1:]} is {offer} of what we show and {demand} of what visitors look at: short of choice.",
        estimate=pressure,
        is_told=is_told,
        grade="Low",
        action=f"Add a few products: {name}",
        things=(str(row[by]),),
        would_tell="what the new ones sell in eight weeks, and what their neighbours lose",
        department="Buying",
        caveat="Part of what more choice sells would come from its neighbours.",
        about=About(people=None),
    )
