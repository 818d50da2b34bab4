"""What the market structure says: what belongs together, what competes, what a launch took."""

from __future__ import annotations

import pandas as pd

from opslib import privacy
from opslib.formats import count_of, format_number, format_share
from opslib.proposals.evidence import Evidence
from opslib.stats.estimates import Estimate

_TOGETHER, _COMPETE, _LAUNCHED = "What is bought together", "What competes", "What launches took"


def complement_findings(pairs: pd.DataFrame) -> tuple[Evidence, ...]:
    """The products that belong together most clearly.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `positioning.co_bought`.

    Returns
    -------
    tuple of Evidence
    """
    clear = pairs[pairs["is_beyond_chance"].astype(bool)]
    shown = clear[clear["n_customers"] >= privacy.MINIMUM]
    if not len(shown):
        text = f"None of {count_of(len(pairs), 'pair')} in enough orders is bought together more often than chance."
        return (Evidence(key="complements", sentence=text, kind="estimated", section=_TOGETHER),)
    first = shown.iloc[0]
    estimate = _times_chance(first, "orders")
    others = ", ".join(f"{r['item_a']} with {r['item_b']}" for _, r in shown.iloc[1:3].iterrows())
    return (
        Evidence(
            key="complements",
            sentence=f"{first['item_a']} and {first['item_b']} are bought together {_times(estimate)} as often as chance, by "
            f"{count_of(first['n_customers'], 'customer')}; {format_number(len(clear))} of {count_of(len(pairs), 'pair')} "
            f"in enough orders go beyond chance" + (f", next {others}." if others else "."),
            kind="estimated",
            estimate=estimate,
            section=_TOGETHER,
            action=f"show {first['item_b']} beside {first['item_a']} to half of the visitors, and measure the basket",
            owner="Merchandising",
            caveat="Bought together is not bought because of it: a bundle may only give a discount to those who buy both anyway.",
        ),
    )


def substitute_findings(pairs: pd.DataFrame, groups: pd.DataFrame, *, from_views: bool) -> tuple[Evidence, ...]:
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
    tuple of Evidence
    """
    shown = pairs[pairs["n_customers"] >= privacy.MINIMUM]
    shown = shown[shown["item_a"].isin(groups["item"]) & shown["item_b"].isin(groups["item"])]
    if not len(shown):
        text = "No products compete clearly: none are chosen in turn more than chance allows."
        return (Evidence(key="substitutes", sentence=text, kind="estimated", section=_COMPETE),)
    first = shown.iloc[0]
    estimate = _times_chance(first, "visits" if from_views else "orders")
    rivals = groups[groups["group"] == groups.set_index("item")["group"][first["item_a"]]]["item"]
    n_groups = groups["group"].nunique()
    how = "looked at in one visit without both being bought" if from_views else "in one order"
    return (
        Evidence(
            key="substitutes",
            sentence=f"{count_of(n_groups, 'group')} of products compete{'s' if n_groups == 1 else ''}; clearest are {first['item_a']} and "
            f"{first['item_b']}, {how} {_times(estimate)} as often as chance.",
            kind="estimated",
            estimate=estimate,
            section=_COMPETE,
            action=f"review together whether each is needed or can be told apart: {', '.join(sorted(rivals)[:4])}",
            owner="Buying",
            caveat="Looking at two products in one visit shows that they are compared, not that one could go without loss."
            if from_views
            else "Without views of products this rests on who buys what in turn: size of household and stock at home look alike.",
        ),
    )


def launch_findings(launches: pd.DataFrame) -> tuple[Evidence, ...]:
    """What the launches of the period took from their neighbours.

    Parameters
    ----------
    launches : pandas.DataFrame
        From `positioning.cannibalisation`, ``item`` as it should be read.

    Returns
    -------
    tuple of Evidence
    """
    answered = launches[launches["q_value"].notna()]
    if not len(answered):
        return ()
    clear = answered[(answered["q_value"] <= 0.05) & (answered["lost_lower"] > 0)]
    counted = f"Of {count_of(len(answered), 'launch').replace('launchs', 'launches')} with enough sales around, "
    if not len(clear):
        text = counted + "none took clearly from the products that it competes with."
        return (Evidence(key="launches", sentence=text, kind="estimated", section=_LAUNCHED),)
    first = clear.sort_values(["q_value", "item"]).iloc[0]
    estimate = Estimate(
        value=float(first["lost_share"]), lower=float(first["lost_lower"]), upper=float(first["lost_upper"]),
        n=int(first["n_placebos"]), unit="share", method="difference-in-differences, groups without a launch as yardstick",
    )  # fmt: skip
    return (
        Evidence(
            key="launches",
            sentence=f"{counted}{format_number(len(clear))} took from {'its' if len(clear) == 1 else 'their'} neighbours: after "
            f"{first['item']} came, its group lost {format_share(first['lost_share'])} of its sales "
            f"({format_share(first['lost_lower'])} to {format_share(first['lost_upper'])}), "
            f"{format_number(first['taken_share'], step=0.1)} lines for each line that it sold "
            f"({format_number(first['taken_lower'], step=0.1)} to {format_number(first['taken_upper'], step=0.1)}).",
            kind="estimated",
            estimate=estimate,
            grade="Low",
            section=_LAUNCHED,
            action=f"count {first['item']} net of what it takes from its group before more like it is bought",
            owner="Buying",
            caveat="The group may have lost for another reason at the same time; launches are not random.",
        ),
    )


def _times_chance(row: pd.Series, unit: str) -> Estimate:
    value, lower, upper = (float(row[name]) for name in ("ratio", "ratio_lower", "ratio_upper"))
    method = (
        "observed over expected, clustered on customers"
        if unit != "orders" or "lift" in row.index
        else "Mantel-Haenszel"
    )
    return Estimate(value=value, lower=lower, upper=upper, n=int(row["n_customers"]), unit="ratio", method=method)


def _times(estimate: Estimate) -> str:
    value, lower, upper = (
        format_number(x, step=0.01 if estimate.value < 1 else 0.1)
        for x in (estimate.value, estimate.lower, estimate.upper)
    )
    return f"{value} times ({lower} to {upper})"
