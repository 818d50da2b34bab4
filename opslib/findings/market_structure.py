"""Sentences of the market structure page: what belongs together, what competes, what a launch took."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from opslib import privacy
from opslib.finding import About, Facts, Finding, answer
from opslib.findings.matching import match_findings
from opslib.findings.wording import estimate_of
from opslib.formats import count_of, format_estimate, format_number
from opslib.positioning import ProductMatches, clear_pairs
from opslib.stats.estimates import Estimate

__all__ = ["answer", "findings", "limits"]


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
    found = [_complements(together)] if "order_lines" in page.tables else []
    found += [_substitutes(rivals, groups, from_views=from_views)] if page.tables & {"order_lines", "events"} else []
    found += _launches(launches) if len(launches) else []
    return (*found, *match_findings(matches, before=before, after=after))


def limits(page: Facts) -> tuple[str, ...]:
    """What the market structure page cannot say."""
    return ("Competitors that are not watched, and what their customers pay after coupons and delivery.",)


def _complements(pairs: pd.DataFrame) -> Finding:
    """The products that belong together most clearly."""
    clear = clear_pairs(pairs)
    shown = clear[~clear["is_variant"].astype(bool)]
    if not len(shown):
        text = f"None of {count_of(len(pairs), 'pair')} in enough orders is bought together more often than chance."
        if len(clear):
            text = f"What is bought together beyond chance, {count_of(len(clear), 'pair')}, is looks or sizes of one thing."
        return Finding(
            key="complements", sentence=text, kind="estimated", section="complements", about=About(people=None)
        )
    first = shown.iloc[0]
    estimate = _times_chance(first)
    others = ", ".join(f"{r['item_a']} with {r['item_b']}" for _, r in shown.iloc[1:3].iterrows())
    n_variants = len(clear) - len(shown)
    apart = f" ({format_number(n_variants)} of them looks or sizes of one thing)" if n_variants else ""
    return Finding(
        key="complements",
        sentence=f"{first['item_a']} and {first['item_b']} are bought together {format_estimate(estimate)} as often as "
        f"chance, by {count_of(first['n_customers'], 'customer')}; {format_number(len(clear))} of "
        f"{count_of(len(pairs), 'pair')} in enough orders go beyond chance{apart}{f', next {others}' if others else ''}.",
        kind="estimated",
        estimate=estimate,
        section="complements",
        action=f"show {first['item_b']} beside {first['item_a']} to half of the visitors, and measure the basket",
        department="Buying",
        caveat="Bought together is not bought because of it: a bundle may only give a discount to those who buy both anyway.",
        about=About(people=None),
    )


def _substitutes(pairs: pd.DataFrame, groups: pd.DataFrame, *, from_views: bool) -> Finding:
    """The products that compete with each other."""
    shown = pairs[pairs["n_customers"] >= privacy.MINIMUM]
    shown = shown[shown["item_a"].isin(groups["item"]) & shown["item_b"].isin(groups["item"])]
    if not len(shown):
        text = "No products compete clearly: none are chosen in turn more than chance allows."
        return Finding(
            key="substitutes", sentence=text, kind="estimated", section="competitors", about=About(people=None)
        )
    first = shown.iloc[0]
    estimate = _times_chance(first)
    rivals = groups[groups["group"] == groups.set_index("item")["group"][first["item_a"]]]["item"]
    n_groups = groups["group"].nunique()
    how = "looked at in one visit without both being bought" if from_views else "in one order"
    return Finding(
        key="substitutes",
        sentence=f"{count_of(n_groups, 'group')} of products compete{'s' if n_groups == 1 else ''}; clearest are {first['item_a']} and "
        f"{first['item_b']}, {how} {format_estimate(estimate)} as often as chance.",
        kind="estimated",
        estimate=estimate,
        section="competitors",
        action=f"review together whether each is needed or can be told apart: {', '.join(sorted(rivals)[:4])}",
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
    counted = f"Of {count_of(len(answered), 'launch')} with enough sales around, "
    if not len(clear):
        text = counted + "none took clearly from the products that it competes with."
        yield Finding(key="launches", sentence=text, kind="estimated", section="launches", about=About(people=None))
        return
    first = clear.sort_values(["q_value", "item"]).iloc[0]
    method = "difference-in-differences, groups without a launch as yardstick"
    estimate, taken = (
        estimate_of(first, value, n=first["n_placebos"], unit=unit, method=method)
        for value, unit in (("lost_share", "share"), ("taken_ratio", "lines"))
    )
    yield Finding(
        key="launches",
        sentence=f"{counted}{format_number(len(clear))} took from {'its' if len(clear) == 1 else 'their'} neighbours: after "
        f"{first['item']} came, its group lost {format_estimate(estimate)} of its sales, {format_estimate(taken)} for "
        "each line that it sold.",
        kind="estimated",
        estimate=estimate,
        grade="Low",
        section="launches",
        action=f"count {first['item']} net of what it takes from its group before more like it is bought",
        department="Buying",
        caveat="The group may have lost for another reason at the same time; launches are not random.",
        about=About(people=None),
    )


def _times_chance(row: pd.Series) -> Estimate:
    method = "observed over expected, clustered on customers" if "lift" in row.index else "Mantel-Haenszel"
    return estimate_of(row, "ratio", n=row["n_customers"], unit="ratio", method=method)
