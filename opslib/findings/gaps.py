"""Sentences about what is looked at beyond its share of the offer."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from opslib.finding import About, Finding
from opslib.findings.wording import estimate_of
from opslib.formats import format_money, format_share
from opslib.positioning import is_service

SHORT = 1.2
"""Choice is short where a group is looked at this many times its share of the offer, by the lower end of the interval."""
NAMED = 1
"""Gaps that are told; the others stand in their tables."""


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
