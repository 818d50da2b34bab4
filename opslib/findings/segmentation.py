"""What the customer segments say."""

from __future__ import annotations

import pandas as pd

from opslib.finding import About, Finding, Proposes
from opslib.formats import count_of, format_days, format_money, format_share

#: Segments that call for an action on this page, most urgent first.
_ACTED_ON = ("at risk", "new", "champions")


def segmentation_findings(
    sizes: pd.DataFrame, tiers: pd.DataFrame, coverage: pd.DataFrame, *, currency: str
) -> tuple[Finding, ...]:
    """Findings of the segmentation page.

    Parameters
    ----------
    sizes : pandas.DataFrame
        From `segmentation.segment_sizes`.
    tiers : pandas.DataFrame
        From `segmentation.tier_sizes`; small tiers may have joined the one before ("heavy or medium").
    coverage : pandas.DataFrame
        From `segmentation.rfm_coverage`.
    currency : str
        ISO code.

    Returns
    -------
    tuple of Finding
        Concentration first, then each segment that calls for an action, then what is left out.

    Examples
    --------
    >>> tiers = pd.DataFrame({"tier": ["heavy"], "n_customers": [10], "customer_share": [.1], "revenue_amount": [50.],
    ...     "revenue_share": [.5]})
    >>> left = pd.DataFrame({"part": ["without a customer"], "revenue_amount": [0.], "revenue_share": [0.]})
    >>> empty = pd.DataFrame(columns=["segment", "n_customers", "revenue_share"])
    >>> segmentation_findings(empty, tiers, left, currency="GBP")[0].key
    'concentration'
    """
    filled = sizes[sizes["n_customers"] > 0]
    top = tiers.iloc[0]
    found = [_concentration(top, currency)] if top["n_customers"] > 0 else []
    rows = {name: filled[filled["segment"] == name] for name in _ACTED_ON}
    found += [_segment(name, part.iloc[0], currency) for name, part in rows.items() if len(part)]
    unknown = coverage[coverage["part"] == "without a customer"].iloc[0]
    if unknown["revenue_amount"] > 0:
        found.append(_left_out(unknown, currency))
    return tuple(found)


def _concentration(top: pd.Series, currency: str) -> Finding:
    amount = format_money(top["revenue_amount"], currency)
    return Finding(
        key="concentration",
        sentence=f"{format_share(top['customer_share'])} of the customers bring {format_share(top['revenue_share'])} "
        f"of the revenue: {count_of(top['n_customers'], top['tier'] + ' customer')}, {amount}.",
        kind="measured",
        section="A few customers carry the revenue",
    )


_SAID = {
    "at risk": "used to order often and have not for {days} on average",
    "new": "have ordered once so far, and lately",
    "champions": "order lately and more often than most",
}


def _segment(name: str, row: pd.Series, currency: str) -> Finding:
    said = _SAID[name].format(days=format_days(round(row["mean_recency_days"])))
    amount = format_money(row["revenue_amount"], currency)
    return Finding(
        key=f"segment-{name.replace(' ', '-')}",
        sentence=f"{count_of(row['n_customers'], 'customer')} ({format_share(row['customer_share'])}) {said}; "
        f"they brought {amount}, {format_share(row['revenue_share'])} of the revenue.",
        kind="measured",
        section="Seven segments, each with its treatment",
        action=f"{name}: {row['action']}",
        department=str(row["owner"]).capitalize(),
        about=About(scope=(("segment", name),)),
        proposes=Proposes(metric="purchase_rate", design="experiment"),
    )


def _left_out(row: pd.Series, currency: str) -> Finding:
    amount = format_money(row["revenue_amount"], currency)
    return Finding(
        key="without-customer",
        sentence=f"{format_share(row['revenue_share'])} of the revenue ({amount}) has no customer and is in no segment.",
        kind="measured",
        section="Who is counted, and who is not",
        caveat="Guests may behave differently from customers who are known.",
    )


def segmentation_limits(*, n_days: int) -> tuple[str, ...]:
    """What the segmentation page cannot say.

    Parameters
    ----------
    n_days : int
        Days of the window.

    Returns
    -------
    tuple of str
    """
    return (
        "Whether a treatment works: segments describe what customers did, they do not show what an offer would change. "
        "Treat half of a segment at random and compare.",
        f"Anything before the window of {format_days(n_days)}: an old customer who came back looks like a new one.",
        "Who a customer is: two accounts of one person count as two customers.",
    )
