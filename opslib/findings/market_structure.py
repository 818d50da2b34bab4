"""Sentences of the market structure page: what belongs together, what competes, what a launch took."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

import pandas as pd

from opslib import privacy
from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.matching import match_findings
from opslib.findings.positioning import settled
from opslib.findings.wording import estimate_of, how_many, listed
from opslib.formats import DASH, count_of, format_estimate, format_number, format_share
from opslib.positioning import ProductMatches, clear_pairs
from opslib.proposals.drafting import LEAD_DAYS
from opslib.stats.estimates import Estimate


def findings(
    matches: ProductMatches,
    before: pd.DataFrame,
    after: pd.DataFrame,
    together: pd.DataFrame,
    rivals: pd.DataFrame,
    groups: pd.DataFrame,
    launches: pd.DataFrame,
    *,
    from_views: bool,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the market structure page.

    Parameters
    ----------
    matches : ProductMatches
        From `positioning.match_products`; of no possible pairs where competitors' products are not known.
    before, after : pandas.DataFrame
        `positioning.price_position` without and with the accepted matches; may be empty, as every table here.
    together : pandas.DataFrame
        From `positioning.co_bought`.
    rivals : pandas.DataFrame
        From `positioning.co_viewed` or `positioning.substitutes`, strongest first.
    groups : pandas.DataFrame
        From `positioning.substitute_groups`.
    launches : pandas.DataFrame
        From `positioning.cannibalisation`, ``item`` as it should be read.
    from_views : bool
        Whether visits were compared, the stronger evidence, or orders of the same customers.
    page : Facts
        With the tables that the shop has: without orders nothing is said of what is bought together.

    Returns
    -------
    tuple of Finding
    """
    found = [*_complements(together)] if "order_lines" in page.tables else []
    found += _substitutes(rivals, groups, from_views=from_views) if page.tables & {"order_lines", "events"} else []
    found += _launches(launches) if len(launches) else []
    found += match_findings(matches, before=before, after=after)
    return settled(found, due=page.period.end + timedelta(days=LEAD_DAYS))


def answer(together: pd.DataFrame, rivals: pd.DataFrame, groups: pd.DataFrame, *, from_views: bool, page: Facts) -> str:
    """What belongs together and what competes, each by its clearest pair; '' where nothing could be counted."""
    said = []
    pairs = _two_things(together) if "order_lines" in page.tables and len(together) else together.head(0)
    if len(pairs):
        times = _times(pairs.iloc[0])
        said.append(
            f"{pairs.iloc[0]['item_a']} and {pairs.iloc[0]['item_b']} sell together {times} as often as chance."
        )
    elif len(together):
        said.append("Nothing is clearly bought together beyond chance, looks and sizes of one thing apart.")
    rival = _rivals(rivals, groups)
    if len(rival):
        said.append(_replace(rival.iloc[0], from_views=from_views))
    return " ".join(said)


def _replace(pair: pd.Series, *, from_views: bool) -> str:
    """The two products that compete most clearly, by what was counted of them."""
    names = f"{pair['item_a']} and {pair['item_b']}"
    if not from_views:
        return f"{names} may replace each other: the same customers buy one or the other."
    counts = [int(pair[name]) if name in pair.index else 0 for name in ("n_viewed", "n_switched", "n_bought_both")]
    said = f"{names} are looked at in one visit, and not both bought, {_times(pair)} as often as chance"
    if min(counts) < privacy.MINIMUM:
        return f"{said}: they may replace each other."
    return f"{said}. Of {counts[0]:,} visits with both, {counts[1]:,} bought one of them, {counts[2]:,} both."


def _times(pair: pd.Series) -> str:
    """ "16.7 times": with the tenth that the table shows."""
    return f"{format_number(float(pair['ratio']), step=0.1)} times"


def _times_between(estimate: Estimate) -> str:
    """ "16.7x (13.8-20.0)": with the tenth that the table shows, unless an end would come to lie on chance."""
    if not 1.1 <= estimate.lower <= estimate.upper < math.inf:
        return format_estimate(estimate)
    value, lower, upper = (format_number(end, step=0.1) for end in (estimate.value, estimate.lower, estimate.upper))
    return f"{value}x ({lower}{DASH}{upper})"


def rival_heads(pairs: pd.DataFrame, *, from_views: bool) -> dict[str, str]:
    """Heads of the pairs that compete, as far as `positioning.rivals` could count them."""
    seen_as = "looked at together, times chance" if from_views else "in one order, times chance"
    heads = {"item_a": "product", "item_b": "competes with", "n_customers": "customers", "ratio": seen_as}
    return {name: head for name, head in heads.items() if name in pairs}


def rivals_note(pairs: pd.DataFrame, *, from_views: bool) -> str:
    """That nothing is seen to compete, and from what; '' where something is."""
    seen = "looked at in one visit" if from_views else "bought by the same customers"
    return "" if len(pairs) else f"Among products {seen}, {how_many(0, 'pair')} clearly compete here."


def limits(page: Facts, launches: pd.DataFrame) -> tuple[str, ...]:
    """What the market structure page cannot say."""
    short = int(launches["q_value"].isna().sum()) if len(launches) else 0
    if short:
        return (
            f"What {count_of(short, 'launch')} took is not known: too little was sold before or after, up to {page.period.label}.",
        )
    return ("Bought together is not bought because of it: only a test shows what placing products together sells.",)


def _two_things(pairs: pd.DataFrame) -> pd.DataFrame:
    """Clear pairs that are not looks or sizes of one thing."""
    clear = clear_pairs(pairs)
    return clear[~clear["is_variant"].astype(bool)]


def _complements(pairs: pd.DataFrame) -> Iterator[Finding]:
    """The products that belong together most clearly."""
    if not len(pairs):
        return
    shown = _two_things(pairs)
    if not len(shown):
        n = len(clear_pairs(pairs))
        text = f"Of {count_of(len(pairs), 'pair')} in enough orders, {how_many(n, 'pair')} {'is' if n == 1 else 'are'} bought together beyond chance"
        yield Finding(
            key="complements", sentence=text + (", looks or sizes of one thing." if n else "."), kind="estimated",
            section="complements", about=About(people=None),
        )  # fmt: skip
        return
    first = shown.iloc[0]
    estimate, customers = _times_chance(first), count_of(first["n_customers"], "customer")
    yield Finding(
        key="complements",
        sentence=f"{customers} bought {first['item_a']} together with {first['item_b']}, {_times_between(estimate)} "
        "as often as chance.",
        kind="estimated",
        estimate=estimate,
        section="complements",
        priority=1,
        action=f"Show {first['item_b']} beside {first['item_a']} to half of the visitors",
        things=(str(first["item_a"]), str(first["item_b"])),
        would_tell="items an order of both halves after eight weeks",
        department="Buying",
        caveat="Who buys both anyway would only get a discount from a bundle.",
        about=About(people=None),
        proposes=Proposes(metric="items_per_order", design="experiment"),
    )
    names = [f"{row['item_a']} with {row['item_b']}" for _, row in shown.iloc[1:3].iterrows()]
    if names:
        yield Finding(
            key="complements-next",
            sentence=f"Next: {listed(names)}.",
            kind="measured",
            section="complements",
            priority=2,
            about=About(people=None),
        )


def _rivals(pairs: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Pairs that compete, of enough people, both in a group."""
    if not len(pairs) or not len(groups):
        return pairs.head(0)
    shown = pairs[pairs["n_customers"] >= privacy.MINIMUM]
    return shown[shown["item_a"].isin(groups["item"]) & shown["item_b"].isin(groups["item"])]


def _substitutes(pairs: pd.DataFrame, groups: pd.DataFrame, *, from_views: bool) -> Iterator[Finding]:
    """The products that compete with each other."""
    shown = _rivals(pairs, groups)
    if not len(shown):
        if len(pairs):
            text = "Nothing competes clearly: none are chosen in turn beyond what chance allows."
            yield Finding(
                key="substitutes", sentence=text, kind="estimated", section="competitors", about=About(people=None)
            )
        return
    first = shown.iloc[0]
    estimate = _times_chance(first)
    rivals = sorted(groups[groups["group"] == groups.set_index("item")["group"][first["item_a"]]]["item"].astype(str))
    how = "are looked at in one visit, and not both bought," if from_views else "stand in one order"
    yield Finding(
        key="substitutes",
        sentence=f"{first['item_a']} and {first['item_b']} {how} {_times_between(estimate)} as often as chance"
        f"{f'. There {len(rivals)} products compete with each other' if len(rivals) > 2 else ''}.",
        kind="estimated",
        estimate=estimate,
        section="competitors",
        priority=2,
        action=f"Decide which of {count_of(len(rivals), 'rival')} are needed, or tell them apart: {listed(rivals, shown=4)}",
        things=tuple(rivals[:10]),
        would_tell="leaving one out for eight weeks and counting what its rivals gain",
        department="Buying",
        caveat="Looking at two products in one visit shows that they are compared, not that one could go without loss."
        if from_views
        else "Without views of products this rests on who buys what in turn: size of household and stock at home look alike.",
        about=About(people=None),
    )


def _launches(launches: pd.DataFrame) -> Iterator[Finding]:
    """What the launches of the period took from their neighbours."""
    answered = launches[launches["q_value"].notna()]
    if not len(answered):
        return
    clear = answered[answered["is_taken"].astype(bool)]
    counted = f"{count_of(len(answered), 'launch')} with enough sales around"
    if not len(clear):
        yield Finding(
            key="launches",
            sentence=f"Of {counted}, none took clearly from the products that it competes with.",
            kind="estimated",
            section="launches",
            priority=4,
            about=About(people=None),
        )
        return
    first = clear.sort_values(["q_value", "item"]).iloc[0]
    method = "difference-in-differences, groups without a launch as yardstick"
    estimate = estimate_of(first, "lost_share", n=first["n_placebos"], unit="share", method=method)
    others = listed(list(clear["item"].astype(str))[1:])
    yield Finding(
        key="launches",
        sentence=f"After {first['item']} came, its neighbours lost {format_share(estimate.value, step=1.0)} of their sales, "
        f"{format_number(float(first['taken_ratio']), step=0.1)} for each one of its own"
        f"{f'; the same holds for {others}' if others else ''}.",
        kind="estimated",
        estimate=estimate,
        grade="Low",
        section="launches",
        priority=3,
        action=f"Judge {first['item']} by its sales less those of its neighbours before more like it is listed",
        things=(str(first["item"]),),
        would_tell="the next eight weeks of the whole group",
        department="Buying",
        caveat="The group may have lost for another reason at the same time; launches are not random.",
        about=About(people=None),
    )


def _times_chance(row: pd.Series) -> Estimate:
    method = "observed over expected, clustered on customers" if "lift" in row.index else "Mantel-Haenszel"
    return estimate_of(row, "ratio", n=row["n_customers"], unit="ratio", method=method)
