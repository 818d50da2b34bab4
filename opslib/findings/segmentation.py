"""Sentences of the segmentation page: what the customer segments say, and what visits are for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.clusters import cluster_findings, drift_findings
from opslib.findings.wording import are, estimate_of
from opslib.formats import count_of, format_days, format_money, format_share
from opslib.periods import Period
from opslib.segmentation import Drift, RfmCutPoints, SegmentClusters, SegmentModel
from opslib.suppression import suppressed

DAYS_A_MONTH = 365.25 / 12
#: Days after the end of the page's period by which an action is done.
_LATER = 45
_TEST = "the test itself: six weeks, the other half left alone"
#: What a segment's customers do; what is done about it, unless the page of customer value says it with an amount. First in the order of the page.
_SAID = {
    "at risk": ("used to order often and {have} been silent for {days} on average; {they} brought {amount} {when}",
                None),
    "new": ("ordered once, for the first time, {days} ago on average: {amount} so far, {each} each",
            "Send a welcome that leads to the second order to a random half of the new customers"),
    "champions": ("{order} often and lately; {they} brought {amount} {when}, {share} of the revenue of known customers", None),
}  # fmt: skip
_PRIORITY = {"at risk": 1, "new": 3, "champions": 2}
_LEFT = {"checkout": "leave a checkout that was begun", "cart": "leave a filled cart"}


def findings(
    sizes: pd.DataFrame,
    left: pd.DataFrame,
    kinds: pd.DataFrame,
    clusters: SegmentClusters,
    drift: Drift,
    *,
    horizon_days: int = 30,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the segmentation page.

    Parameters
    ----------
    sizes : pandas.DataFrame
        From `segmentation.segment_sizes`.
    left : pandas.DataFrame
        From `segmentation.left_behind`; empty where no visit was seen.
    kinds : pandas.DataFrame
        From `segmentation.kind_sizes`; empty where no kind is told.
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
        Each segment that calls for an action, businesses and consumers, what visits leave behind, groups by habit; none about a
        group that the page withholds.
    """
    sizes, left, kinds = suppressed(sizes), suppressed(left), suppressed(kinds)
    filled = _filled(sizes)
    found = [_segment(name, filled[name], page) for name in _SAID if name in filled]
    found += [*_kinds(kinds, page), *_left_behind(left, horizon_days, page)]
    return (*found, *cluster_findings(suppressed(clusters)), *drift_findings(suppressed(drift)))


def answer(sizes: pd.DataFrame, *, page: Facts) -> str:
    """Whom the shop lives on, and who is about to be lost; '' where nobody is counted or shown."""
    filled = _filled(suppressed(sizes))
    told = []
    if (best := filled.get("champions")) is not None:
        told.append(
            f"{count_of(best['n_customers'], 'champion')} ({_share(best['customer_share'])} of those who ordered {_when(page)}) "
            f"brought {_share(best['revenue_share'])} of the revenue of known customers."
        )
    if (quiet := filled.get("at risk")) is not None:
        n = quiet["n_customers"]
        told.append(f"{count_of(n, 'good customer')} {are(n)} at risk: silent for {_days(quiet)} on average.")
    return " ".join(told)


def cut_points(cuts: RfmCutPoints) -> pd.DataFrame:
    """Where each score begins, one row a score; no row where nobody was scored.

    A border is what one customer spent: it is told to two digits.
    """
    scores = range(2, 2 + len(cuts.n_orders))
    return pd.DataFrame({
        "score": [str(score) for score in scores], "recency_days": cuts.recency_days, "n_orders": cuts.n_orders,
        "revenue_amount": [float(f"{float(amount):.1e}") for amount in cuts.revenue_amount],
    })  # fmt: skip


def kept_categories(kept: SegmentModel | None) -> tuple[str, ...] | None:
    """Categories that a kept model counts; None: those of today's customers."""
    return None if kept is None else kept.categories


def drift_title(kept: SegmentModel | None, *, as_of: date) -> str:
    """Title of the table of groups then and now."""
    return f"Groups at {kept.as_of} and at {as_of}" if kept else "Groups then and now"


def season_note(now: Period, then: Period) -> str:
    """What to mind where two periods are not the same days of two years."""
    return "" if then == now.year_before() else " Half against half of the window: the season is included."


def limits(coverage: pd.DataFrame) -> tuple[str, ...]:
    """What the segmentation page cannot say, from `segmentation.rfm_coverage`."""
    guests = coverage[(coverage["part"] == "without a customer") & (coverage["revenue_amount"] > 0)]
    for share in guests["revenue_share"]:
        return (
            f"How guests behave: {_share(share)} of the revenue are guest orders, which stand in none of the segments.",
        )
    return ("Who a customer is: two accounts of one person count as two customers.",)


def _filled(sizes: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(row["segment"]): row for _, row in sizes[sizes["n_customers"] > 0].iterrows()}


def _share(value: float) -> str:
    return format_share(float(value), step=1.0 if value >= 0.0995 else 0.1)


def _when(page: Facts) -> str:
    return "in twelve months" if page.period.n_months == 12 else f"in {page.period.label}"


def _days(row: pd.Series) -> str:
    return format_days(round(row["mean_recency_days"]))


def _segment(name: str, row: pd.Series, page: Facts) -> Finding:
    said, action = _SAID[name]
    n = int(row["n_customers"])
    one = n == 1
    words = said.format(
        days=_days(row), share=_share(row["revenue_share"]), have="has" if one else "have", order="orders" if one else "order",
        they="it" if one else "they", amount=format_money(row["revenue_amount"], page.currency), when=_when(page),
        each=format_money(row["revenue_amount"] / n, page.currency, step=1.0),
    )  # fmt: skip
    return Finding(
        key=f"segment-{name.replace(' ', '-')}",
        sentence=f"{count_of(n, 'customer')} ({_share(row['customer_share'])}) {words}.",
        kind="measured",
        section="segments",
        department=str(row["department"]),
        about=About(scope=(("segment", name),), people=n),
        priority=_PRIORITY[name],
        is_told=name != "champions",  # they stand in the answer
        **(_treated(action, name, page) if action else {}),
    )


def _treated(action: str, name: str, page: Facts) -> dict[str, Any]:
    """What is done with a segment, by when, and what would tell its worth."""
    return {
        "action": action, "things": (name,), "due": page.period.end + timedelta(days=_LATER), "would_tell": _TEST,
        "proposes": Proposes(metric="purchase_rate", design="experiment"),
    }  # fmt: skip


def _kinds(kinds: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    """The kind of customer that brings the larger amount each, beside the next."""
    known = kinds[(kinds["n_customers"] > 0) & (kinds["kind"] != "not told")] if len(kinds) else kinds
    if len(known) < 2:
        return
    known = known.assign(each=known["revenue_amount"] / known["n_customers"])
    first, second = (row for _, row in known.sort_values("each", ascending=False, kind="stable").head(2).iterrows())
    amounts = [
        format_money(row["each"] / page.period.n_days * DAYS_A_MONTH, page.currency, step=1.0)
        for row in (first, second)
    ]
    people = {str(row["kind"]): int(row["n_customers"]) for row in (first, second)}
    yield Finding(
        key="kinds",
        sentence=f"{count_of(first['n_customers'], str(first['kind']) + ' customer')} ({_share(first['customer_share'])}) brought "
        f"{_share(first['revenue_share'])} of the revenue of known customers: {amounts[0]} each a month, a {second['kind']} {amounts[1]}.",
        kind="measured",
        section="kinds",
        priority=2,
        about=About(people=people),
    )


def _left_behind(left: pd.DataFrame, horizon_days: int, page: Facts) -> Iterator[Finding]:
    """Whether those who leave a checkout or a cart order later more often than others: only they get a reminder."""
    known = left.dropna(subset=["later_share", "others_share", "gap_share_lower"]) if len(left) else left
    if known.empty:
        return
    helps = known[known["gap_share_lower"] > 0]
    rest = known.drop(index=helps.index)
    others, days = _share(known.iloc[0]["others_share"]), format_days(horizon_days)
    told = [
        f"{_share(row['later_share'])} of visitors who {_LEFT[row['intent']]} order within {days}, {others} of others without an order"
        for _, row in helps.iterrows()
    ]
    told += [
        f"Those who {_LEFT[row['intent']]} order {'less often' if row['gap_share_upper'] < 0 else 'not more often'} within {days}, "
        f"{_share(row['later_share'])}{'' if len(helps) else f' against {others}'}: a reminder is not advised"
        for _, row in rest.iterrows()
    ]
    text = ". ".join(told)
    first = (helps if len(helps) else rest).iloc[0]
    who = _LEFT[str(first["intent"])]
    people = {str(row["intent"]): int(row["n_visitors"]) for _, row in known.iterrows()}
    advice: dict[str, Any] = {
        "action": f"Try a reminder on a random half of the visitors who {who}", "things": (f"visitors who {who}",),
        "due": page.period.end + timedelta(days=_LATER), "would_tell": _TEST, "department": "Marketing",
    }  # fmt: skip
    yield Finding(
        key="left-carts",
        sentence=f"{text}.",
        kind="measured",
        section="visits",
        priority=3,
        estimate=estimate_of(
            first, "gap_share", n=first["n_visitors"], unit="share", method="difference of ratios over visitors"
        ),
        about=About(scope=(("intent", str(first["intent"])),), people=people),
        **(advice if len(helps) else {}),
    )
