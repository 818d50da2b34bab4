"""Sentences about white space: zero-result searches, and demand beyond offer."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from opslib.finding import About, Finding
from opslib.findings.wording import estimate_of, more_as_clear
from opslib.formats import count_of, format_estimate, format_money, is_missing
from opslib.positioning import UnmetSearches
from opslib.privacy import redact
from opslib.proposals.number_text import probability

NAMED = 2
"""Themes and gaps that call for an action; the others are counted."""


def unmet_findings(unmet: UnmetSearches, *, currency: str) -> tuple[Finding, ...]:
    """The share of zero-result searches, and the themes that matter most; nothing where no search was seen."""
    if not unmet.unmet_share.n:
        return ()
    best = unmet.themes[unmet.themes["top_three_share"] >= 0.5].head(NAMED)
    n_more = len(unmet.themes) - len(best)
    whole = Finding(
        key="unmet-share",
        kind="estimated",
        section="unmet-searches",
        estimate=unmet.unmet_share,
        sentence=f"{format_estimate(unmet.unmet_share)} of searches fail: no result, or one that is clicked clearly "
        "less than others" + (f"; {count_of(n_more, 'more theme')} beside those named here." if n_more else "."),
        caveat="Some fail because the word is misspelt or unknown to the search, not because nothing is offered.",
        about=About(people=None),
    )
    return (whole, *(_theme(row, place, unmet, currency) for place, (_, row) in enumerate(best.iterrows(), 1)))


def _theme(row: pd.Series, place: int, unmet: UnmetSearches, currency: str) -> Finding:
    """One theme: visits, money, what to do."""
    name = redact(str(row["theme"]))
    value = unmet.visit_value
    worth = None
    money = "its worth cannot be told: orders do not name the visit they came from"
    if value is not None:
        method = "visits whose search failed x value of a visit that found; draws"
        worth = estimate_of(row, "worth_amount", n=row["n_visits"], unit=f"{currency}/month", method=method)
        kind = "margin" if unmet.is_margin else "revenue"
        money = f"meeting it is worth about {format_estimate(worth)} of {kind}"
        money += "" if worth.lower > 0 else ", which does not exclude nothing" if worth.upper > 0 else ": no gain"
    n_ours = 0 if is_missing(row["n_products"]) else int(row["n_products"])
    return Finding(
        key=f"unmet-{place}",
        kind="estimated",
        section="unmet-searches",
        sentence=f"{count_of(int(row['n_visits']), 'visit')} searched for “{name}” without success; {money} "
        f"(among the best three themes with a chance of {probability(float(row['top_three_share']))}).",
        estimate=worth,
        worth=worth,
        grade="Low",
        priority=2 if place == 1 else 3,
        action=f"find out why search does not lead “{name}” to the {count_of(n_ours, 'product')} whose name has the word"
        if n_ours
        else f"look for products for “{name}”, once it is clear that we do not sell them under another word",
        department="Technology" if n_ours else "Buying",
        caveat="Assumes that a visit which failed would bring, if met, what visits that found something bring beyond what "
        "failing ones buy anyway; the two may differ in other ways.",
        about=About(people=int(row["n_people"])),
    )


def gap_findings(gaps: Mapping[str, pd.DataFrame], *, currency: str) -> tuple[Finding, ...]:
    """The groups whose demand exceeds their offer most clearly: the best of each grouping, those on which most money rests."""
    clear = {by: table[table["pressure_lower"] > 1] for by, table in gaps.items() if len(table)}
    best = {by: table.iloc[0] for by, table in clear.items() if len(table)}
    ranked = sorted(best, key=lambda by: (-float(best[by]["excess_amount_lower"]), by))
    told = ranked[:NAMED]
    more = more_as_clear(sum(map(len, clear.values())) - len(told), how="by another cut or with less money")
    return tuple(
        _gap(best[by], by, currency, more=more if by == told[-1] else "", is_first=by == told[0]) for by in told
    )


def _gap(row: pd.Series, by: str, currency: str, *, more: str, is_first: bool) -> Finding:
    method = "compound Poisson by visit; draws"
    pressure, amount = (
        estimate_of(row, value, n=row["n_demand"], unit=unit, method=method)
        for value, unit in (("pressure", "ratio"), ("excess_amount", f"{currency}/month"))
    )
    name, word = str(row[by]), by.removeprefix("attr_").replace("_", " ")
    if "price_band" in row:
        low, high = (format_money(row[end], currency) for end in ("lower_price", "upper_price"))
        name += f" from {low} to {high}"
    return Finding(
        key=f"gap-{by.removeprefix('attr_').replace('_', '-')}",
        kind="estimated",
        section="demand-offer",
        priority=2 if is_first else 3,
        sentence=f"By {word}, {name} draws {format_estimate(pressure)} its share of the offer; "
        f"{format_estimate(amount)} rests on that excess.{more}",
        estimate=pressure,
        grade="Low",
        action=f"look for more choice: {name}",
        department="Buying",
        caveat="That money is earned today: it bounds what more choice could win, and some would come from neighbours.",
        about=About(people=None),
    )
