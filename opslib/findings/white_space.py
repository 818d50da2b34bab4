"""Where demand exceeds what we offer, in sentences."""

from __future__ import annotations

import pandas as pd

from opslib.formats import count_of, format_estimate, format_money, format_share, is_missing
from opslib.positioning import UnmetSearches
from opslib.privacy import redact
from opslib.proposals.evidence import Evidence
from opslib.stats.estimates import Estimate

SEARCHES, GAPS = "Looked for in vain", "Demand against offer"


def unmet_findings(unmet: UnmetSearches | None, *, currency: str) -> tuple[Evidence, ...]:
    """The share of searches in vain, and the three themes that matter most.

    Parameters
    ----------
    unmet : UnmetSearches or None
        From `positioning.unmet_searches`.
    currency : str
        ISO code.

    Returns
    -------
    tuple of Evidence
    """
    if unmet is None:
        return ()
    found = [
        Evidence(
            key="unmet-share",
            kind="estimated",
            section=SEARCHES,
            estimate=unmet.unmet_share,
            sentence=f"{format_estimate(unmet.unmet_share)} of searches are in vain: no result, or one that is clicked clearly "
            "less than others.",
            caveat="Some fail because the word is misspelt or unknown to the search, not because nothing is offered.",
        )
    ]
    best = unmet.themes[unmet.themes["top_three_share"] >= 0.5].head(3)
    return (*found, *(_theme(row, place, unmet, currency) for place, (_, row) in enumerate(best.iterrows(), 1)))


def _theme(row: pd.Series, place: int, unmet: UnmetSearches, currency: str) -> Evidence:
    """One theme: visits, money, what to do."""
    name = redact(str(row["theme"]))
    value = unmet.visit_value
    worth = None
    money = "its worth cannot be told: orders do not name the visit they came from"
    if value is not None:
        worth = Estimate(
            value=float(row["worth_amount"]), lower=float(row["worth_lower"]), upper=float(row["worth_upper"]),
            n=int(row["n_visits"]), unit=f"{currency}/month", method="visits in vain x value of a visit that found; draws",
        )  # fmt: skip
        kind = "margin" if unmet.is_margin else "revenue"
        money = f"meeting it is worth about {format_estimate(worth)} of {kind}"
        money += "" if worth.lower > 0 else ", which does not exclude nothing" if worth.upper > 0 else ": no gain"
    n_ours = 0 if is_missing(row["n_products"]) else int(row["n_products"])
    is_named = n_ours > 0
    certain = float(row["top_three_share"]) > 0.99
    chance = f"over {format_share(0.99)}" if certain else format_share(float(row["top_three_share"]))
    return Evidence(
        key=f"unmet-{place}",
        kind="estimated",
        section=SEARCHES,
        sentence=f"“{name}” was looked for in vain in {count_of(int(row['n_visits']), 'visit')}; {money} "
        f"(among the best three themes with a chance of {chance}).",
        estimate=worth,
        worth=worth,
        grade="Low",
        action=f"find out why search does not lead “{name}” to the {count_of(n_ours, 'product')} whose name has the word"
        if is_named
        else f"look for products for “{name}”, once it is clear that we do not sell them under another word",
        owner="Website" if is_named else "Buying",
        caveat="Assumes that a visit which failed would bring, if met, what visits that found something bring beyond what "
        "failing ones buy anyway; the two may differ in other ways.",
    )


def gap_findings(gaps: pd.DataFrame, *, by: str, currency: str) -> tuple[Evidence, ...]:
    """The group whose demand exceeds its offer most clearly.

    Parameters
    ----------
    gaps : pandas.DataFrame
        From `positioning.demand_gaps`; may be empty.
    by : str
        Its first column: category, attr_colour, ...
    currency : str
        ISO code.

    Returns
    -------
    tuple of Evidence
    """
    clear = gaps[gaps["pressure_lower"] > 1] if len(gaps) else gaps
    if not len(clear):
        return ()
    row = clear.iloc[0]
    pressure, amount = (
        Estimate(
            value=float(row[value]), lower=float(row[f"{stem}_lower"]), upper=float(row[f"{stem}_upper"]),
            n=int(row["n_demand"]), unit=unit, method="compound Poisson by visit; draws",
        )
        for value, stem, unit in (("pressure", "pressure", "ratio"), ("excess_amount", "excess", f"{currency}/month"))
    )  # fmt: skip
    name, word = str(row[by]), by.removeprefix("attr_").replace("_", " ")
    if "price_band" in row:
        low, high = (format_money(row[end], currency) for end in ("lower_price", "upper_price"))
        name += f" from {low} to {high}"
    return (
        Evidence(
            key=f"gap-{by.removeprefix('attr_').replace('_', '-')}",
            kind="estimated",
            section=GAPS,
            sentence=f"By {word}, {name} draws {format_estimate(pressure)} its share of the offer; "
            f"{format_estimate(amount)} rests on that excess.",
            estimate=pressure,
            grade="Low",
            action=f"look for more choice: {name}",
            owner="Buying",
            caveat="That money is earned today: it bounds what more choice could win, and some would come from neighbours.",
        ),
    )
