"""What the market structure says: what belongs together, what competes, what a launch took."""

from __future__ import annotations

import pandas as pd

from opslib import privacy
from opslib.finding import Finding
from opslib.findings.rows import estimate_of
from opslib.formats import count_of, format_estimate, format_number
from opslib.stats.estimates import Estimate

_TOGETHER, _COMPETE, _LAUNCHED = "What is bought together", "What competes", "What launches took"


def clear_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs beyond chance that enough people stand behind, by the lower end of the ratio.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `positioning.co_bought`.

    Returns
    -------
    pandas.DataFrame
        The same columns and ``is_variant``: the two names differ in one word, so they are looks or sizes of one thing.
    """
    kept = pairs[pairs["is_beyond_chance"].astype(bool) & (pairs["n_customers"] >= privacy.MINIMUM)]
    names = zip(kept["item_a"], kept["item_b"], strict=True)
    kept = kept.assign(is_variant=[_is_variant(str(a), str(b)) for a, b in names])
    return kept.sort_values(["ratio_lower", "item_a", "item_b"], ascending=[False, True, True], ignore_index=True)


def _is_variant(one: str, two: str) -> bool:
    a, b = set(one.lower().split()), set(two.lower().split())
    return len(a & b) >= 2 and len(a - b) <= 1 and len(b - a) <= 1


def complement_findings(pairs: pd.DataFrame) -> tuple[Finding, ...]:
    """The products that belong together most clearly.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `positioning.co_bought`.

    Returns
    -------
    tuple of Finding
    """
    clear = clear_pairs(pairs)
    shown = clear[~clear["is_variant"].astype(bool)]
    if not len(shown):
        text = f"None of {count_of(len(pairs), 'pair')} in enough orders is bought together more often than chance."
        if len(clear):
            text = f"What is bought together beyond chance, {count_of(len(clear), 'pair')}, is looks or sizes of one thing."
        return (Finding(key="complements", sentence=text, kind="estimated", section=_TOGETHER),)
    first = shown.iloc[0]
    estimate = _times_chance(first)
    others = ", ".join(f"{r['item_a']} with {r['item_b']}" for _, r in shown.iloc[1:3].iterrows())
    n_variants = len(clear) - len(shown)
    apart = f" ({format_number(n_variants)} of them looks or sizes of one thing)" if n_variants else ""
    return (
        Finding(
            key="complements",
            sentence=f"{first['item_a']} and {first['item_b']} are bought together {format_estimate(estimate)} as often as "
            f"chance, by {count_of(first['n_customers'], 'customer')}; {format_number(len(clear))} of "
            f"{count_of(len(pairs), 'pair')} in enough orders go beyond chance{apart}{f', next {others}' if others else ''}.",
            kind="estimated",
            estimate=estimate,
            section=_TOGETHER,
            action=f"show {first['item_b']} beside {first['item_a']} to half of the visitors, and measure the basket",
            department="Merchandising",
            caveat="Bought together is not bought because of it: a bundle may only give a discount to those who buy both anyway.",
        ),
    )


def substitute_findings(pairs: pd.DataFrame, groups: pd.DataFrame, *, from_views: bool) -> tuple[Finding, ...]:
    """The products that compete with each other.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `positioning.co_viewed` or `positioning.substitutes`, strongest first.
    groups : pandas.DataFrame
        From `positioning.substitute_groups`.
    from_views : bool
        Whether visits were compared, the stronger evidence, or orders of the same customers.

    Returns
    -------
    tuple of Finding
    """
    shown = pairs[pairs["n_customers"] >= privacy.MINIMUM]
    shown = shown[shown["item_a"].isin(groups["item"]) & shown["item_b"].isin(groups["item"])]
    if not len(shown):
        text = "No products compete clearly: none are chosen in turn more than chance allows."
        return (Finding(key="substitutes", sentence=text, kind="estimated", section=_COMPETE),)
    first = shown.iloc[0]
    estimate = _times_chance(first)
    rivals = groups[groups["group"] == groups.set_index("item")["group"][first["item_a"]]]["item"]
    n_groups = groups["group"].nunique()
    how = "looked at in one visit without both being bought" if from_views else "in one order"
    return (
        Finding(
            key="substitutes",
            sentence=f"{count_of(n_groups, 'group')} of products compete{'s' if n_groups == 1 else ''}; clearest are {first['item_a']} and "
            f"{first['item_b']}, {how} {format_estimate(estimate)} as often as chance.",
            kind="estimated",
            estimate=estimate,
            section=_COMPETE,
            action=f"review together whether each is needed or can be told apart: {', '.join(sorted(rivals)[:4])}",
            department="Buying",
            caveat="Looking at two products in one visit shows that they are compared, not that one could go without loss."
            if from_views
            else "Without views of products this rests on who buys what in turn: size of household and stock at home look alike.",
        ),
    )


def launch_findings(launches: pd.DataFrame) -> tuple[Finding, ...]:
    """What the launches of the period took from their neighbours.

    Parameters
    ----------
    launches : pandas.DataFrame
        From `positioning.cannibalisation`, ``item`` as it should be read.

    Returns
    -------
    tuple of Finding
    """
    answered = launches[launches["q_value"].notna()]
    if not len(answered):
        return ()
    clear = answered[answered["is_taken"].astype(bool)]
    counted = f"Of {count_of(len(answered), 'launch')} with enough sales around, "
    if not len(clear):
        text = counted + "none took clearly from the products that it competes with."
        return (Finding(key="launches", sentence=text, kind="estimated", section=_LAUNCHED),)
    first = clear.sort_values(["q_value", "item"]).iloc[0]
    method = "difference-in-differences, groups without a launch as yardstick"
    estimate, taken = (
        estimate_of(first, (value, f"{stem}_lower", f"{stem}_upper"), n=first["n_placebos"], unit=unit, method=method)
        for value, stem, unit in (("lost_share", "lost", "share"), ("taken_ratio", "taken", "lines"))
    )
    return (
        Finding(
            key="launches",
            sentence=f"{counted}{format_number(len(clear))} took from {'its' if len(clear) == 1 else 'their'} neighbours: after "
            f"{first['item']} came, its group lost {format_estimate(estimate)} of its sales, {format_estimate(taken)} for "
            "each line that it sold.",
            kind="estimated",
            estimate=estimate,
            grade="Low",
            section=_LAUNCHED,
            action=f"count {first['item']} net of what it takes from its group before more like it is bought",
            department="Buying",
            caveat="The group may have lost for another reason at the same time; launches are not random.",
        ),
    )


def _times_chance(row: pd.Series) -> Estimate:
    method = "observed over expected, clustered on customers" if "lift" in row.index else "Mantel-Haenszel"
    names = ("ratio", "ratio_lower", "ratio_upper")
    return estimate_of(row, names, n=row["n_customers"], unit="ratio", method=method)
