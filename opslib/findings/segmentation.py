"""Sentences of the segmentation page: what the customer segments say, and what visits are for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes, answer
from opslib.findings.clusters import cluster_findings, drift_findings
from opslib.findings.wording import estimate_of
from opslib.formats import count_of, format_days, format_estimate, format_money, format_share
from opslib.segmentation import Drift, RfmCutPoints, SegmentClusters, SegmentModel
from opslib.suppression import suppressed

__all__ = ["answer", "findings", "limits"]

#: Segments that call for an action on this page, most urgent first.
_ACTED_ON = ("at risk", "new", "champions")


def findings(
    coverage: pd.DataFrame,
    sizes: pd.DataFrame,
    intents: pd.DataFrame,
    clusters: SegmentClusters,
    drift: Drift,
    *,
    horizon_days: int = 30,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the segmentation page.

    Parameters
    ----------
    coverage : pandas.DataFrame
        From `segmentation.rfm_coverage`.
    sizes : pandas.DataFrame
        From `segmentation.segment_sizes`.
    intents : pandas.DataFrame
        From `segmentation.intent_sizes`; empty where no visit was seen.
    clusters : SegmentClusters
        From `segmentation.segment_clusters`.
    drift : Drift
        From `SegmentModel.drift`; of no customers where no model was kept.
    horizon_days : int
        Days in which a later order counts.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
        Each segment that calls for an action, what is left out, what visits leave behind, groups by habit; none about a
        group that the page withholds.
    """
    sizes, intents, clusters, drift = suppressed(sizes), suppressed(intents), suppressed(clusters), suppressed(drift)
    filled = {str(row["segment"]): row for _, row in sizes[sizes["n_customers"] > 0].iterrows()}
    found = [_segment(name, filled[name], page.currency) for name in _ACTED_ON if name in filled]
    unknown = coverage[(coverage["part"] == "without a customer") & (coverage["revenue_amount"] > 0)]
    found += [_left_out(row, page.currency) for _, row in unknown.iterrows()]
    found += _left_behind(intents, horizon_days)
    return (*found, *cluster_findings(clusters), *drift_findings(drift))


def cut_points(cuts: RfmCutPoints, *, page: Facts) -> str:
    """Where the scores begin, in words; '' where nobody was scored."""
    if not len(cuts.n_orders):
        return ""
    return (
        f"Scores 2, 3, ... begin at {', '.join(f'{n:.0f}' for n in cuts.n_orders)} orders; "
        f"silence of at most {', '.join(f'{n:.0f}' for n in cuts.recency_days)} days; "
        f"revenue of {', '.join(f'{n:,.0f}' for n in cuts.revenue_amount)} {page.currency}."
    )


def kept_categories(kept: SegmentModel | None) -> tuple[str, ...] | None:
    """Categories that a kept model counts; None: those of today's customers."""
    return None if kept is None else kept.categories


def drift_title(kept: SegmentModel | None, *, as_of: date) -> str:
    """Title of the table of groups then and now."""
    return f"Groups at {kept.as_of} and at {as_of}" if kept else "Groups then and now"


def limits(page: Facts) -> tuple[str, ...]:
    """What the segmentation page cannot say."""
    return (
        "Whether a treatment works: segments describe what customers did, they do not show what an offer would change. "
        "Treat half of a segment at random and compare.",
        f"Anything before the window of {format_days(page.period.n_days)}: an old customer who came back looks like a new one.",
        "Who a customer is: two accounts of one person count as two customers.",
        "What visits that were never measured were for, or people who use two devices: they count as two visitors.",
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
        section="segments",
        action=f"{name}: {row['action']}",
        department=str(row["department"]),
        about=About(scope=(("segment", name),), people=int(row["n_customers"])),
        priority=1 if name == "at risk" else 3,
        proposes=Proposes(metric="purchase_rate", design="experiment"),
    )


def _left_out(row: pd.Series, currency: str) -> Finding:
    amount = format_money(row["revenue_amount"], currency)
    return Finding(
        key="without-customer",
        sentence=f"{format_share(row['revenue_share'])} of the revenue ({amount}) has no customer and is in no segment.",
        kind="measured",
        section="coverage",
        caveat="Guests may behave differently from customers who are known.",
        about=About(people=None),
    )


def _left_behind(intents: pd.DataFrame, horizon_days: int) -> Iterator[Finding]:
    """What is left in most visits, the cart or the checkout, and how often an order follows; none without such visits."""
    if intents.empty:
        return
    left = intents[intents["intent"].isin(["checkout", "cart"])].dropna(subset=["later_share"])
    if left.empty:
        return
    worst = left.sort_values(["n_visits", "intent"], ascending=[False, True]).iloc[0]
    part, later = (
        estimate_of(worst, name, n=worst["n_visitors"], unit="share", method="ratio of sums over visitors")
        for name in ("visit_share", "later_share")
    )
    yield Finding(
        key="left-carts",
        sentence=f"{format_estimate(part)} of the visits end as '{worst['intent']}' ({worst['meaning']}); in "
        f"{format_estimate(later)} of them the visitor orders in a later visit within {format_days(horizon_days)}.",
        kind="measured",
        section="visits",
        priority=2,
        estimate=later,
        action=f"Try a reminder after a '{worst['intent']}' visit on a random half of such visitors",
        department="Marketing",
        about=About(scope=(("intent", str(worst["intent"])),), people=int(worst["n_visitors"])),
        caveat="Those who order later differ in more than the cart; the reminder's effect needs its own test.",
    )
