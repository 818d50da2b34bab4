"""Sentences about customer clusters, or that there are none."""

from __future__ import annotations

import pandas as pd

from opslib.finding import About, Finding, Proposes
from opslib.findings.wording import estimate_of, how_many, listed
from opslib.formats import count_of, format_estimate, format_share
from opslib.segmentation import Drift, SegmentClusters
from opslib.segmentation.clusters import STABLE
from opslib.segmentation.features import feature_named
from opslib.stats.shares import share

#: What to try with a group that stands out by a habit, and who would: (feature, more of it).
_ACTIONS: dict[tuple[str, bool], tuple[str, str]] = {
    ("discount", True): ("test fewer discounts on a random half: do they buy at full price?", "Buying"),
    ("discount", False): ("leave this group out of discount mailings, and measure what that costs", "Buying"),
    ("units", True): ("offer packs and quantity prices", "Buying"),
    ("lines", True): ("offer lists to order again from", "Technology"),
    ("gap", True): ("a reminder at their own rhythm instead of a weekly letter", "Customer service"),
    ("gap", False): ("early access and re-order lists instead of offers", "Customer service"),
    ("price", True): ("show the better range first", "Buying"),
    ("price", False): ("show the entry range first", "Buying"),
}


def cluster_findings(found: SegmentClusters) -> tuple[Finding, ...]:
    """Findings about groups of customers by habit.

    Parameters
    ----------
    found : SegmentClusters
        From `segmentation.segment_clusters`, small groups withheld (counts missing).

    Returns
    -------
    tuple of Finding
        Whether there are groups, then each group for which there is something to try.
    """
    if not found.has_segments:
        return (_none(found),) if found.n_customers else ()
    groups = [_group(row, found) for _, row in found.segments.dropna(subset=["n_customers"]).iterrows()]
    return (_whether(found), *(group for group in groups if group is not None))


def _none(found: SegmentClusters) -> Finding:
    own = found.habits.sort_values(["customer_share", "feature"], ascending=[False, True], kind="stable").head(1)
    by_degrees = "".join(
        f"; they differ by degrees, above all from '{feature_named(row['feature']).low}' to '{feature_named(row['feature']).high}'"
        for _, row in own.iterrows()
    )
    return Finding(
        key="no-groups",
        sentence=f"{count_of(found.n_fitted, 'customer')} with {found.min_orders} orders or more fall into {how_many(0, 'group')} "
        f"by habit{by_degrees}.",
        kind="described",
        section="groups",
        priority=4,
        about=About(people=found.n_fitted),
    )


def _whether(found: SegmentClusters) -> Finding:
    shown = found.segments.dropna(subset=["n_customers"])
    names = [
        f"{row['segment'].split(',')[0]} ({format_share(row['customer_share'], step=1.0)})"
        for _, row in shown.iterrows()
    ]
    again = int((shown["jaccard"] >= STABLE).sum())
    stable = "" if again == len(shown) else f" Only {again} of them are found again in resampled data."
    who = f": {listed(names, shown=5)}" if names else ""
    return Finding(
        key="groups",
        sentence=f"{count_of(found.n_fitted, 'customer')} with {found.min_orders} orders or more fall into "
        f"{count_of(found.n_groups, 'buying habit')}{who}.{stable}",
        kind="described",
        section="groups",
        priority=4,
        about=About(people=found.n_fitted),
    )


def _group(row: pd.Series, found: SegmentClusters) -> Finding | None:
    known = _action(found.profiles[found.profiles["cluster"] == row["cluster"]])
    if known is None:
        return None
    action, owner = known
    part = share(round(row["n_customers"]), found.n_fitted)
    return Finding(
        key=f"group-{row['cluster']}",
        sentence=f"{format_estimate(part)} of these customers share a habit: {row['segment']}.",
        kind="measured",
        estimate=part,
        section="groups",
        priority=5,
        is_told=False,
        action=f"{action[0].upper()}{action[1:]}",
        things=(str(row["segment"]),),
        would_tell="a random half of the group, six weeks",
        department=owner,
        about=About(scope=(("segment", str(row["segment"])),), people=int(row["n_customers"])),
        proposes=Proposes(metric="purchase_rate", design="experiment"),
    )


def _action(profile: pd.DataFrame) -> tuple[str, str] | None:
    """What to try with the strongest habit for which there is something to try, and who."""
    apart = profile[profile["is_distinct"]].assign(size=lambda rows: rows["difference"].abs())
    for _, row in apart.sort_values(["size", "feature"], ascending=[False, True], kind="stable").iterrows():
        known = _ACTIONS.get((row["feature"], row["difference"] > 0))
        if known is None and row["feature"].startswith("share_") and row["difference"] > 0:
            words = feature_named(row["feature"]).high.removeprefix("more ")
            known = (f"lead with {words}, and test whether they take up a second category", "Buying")
        if known is not None:
            return known
    return None


def drift_findings(drift: Drift) -> tuple[Finding, ...]:
    """Findings about how customers moved since a model was fitted.

    Parameters
    ----------
    drift : Drift
        From `SegmentModel.drift`; of no customers where no model was kept.

    Returns
    -------
    tuple of Finding
        Whether the model still fits, then each segment whose share moved beyond chance.
    """
    if not drift.n_customers:
        return ()
    moved = drift.features[drift.features["reading"] != "as at fitting"]
    names = ", ".join(feature_named(name).meaning for name in moved["feature"])
    far = format_share(drift.n_far / drift.n_customers)
    since = f"Habits have moved since the model was fitted: {names}."
    whole = Finding(
        key="model-fit",
        sentence=f"{since if len(moved) else how_many(0, 'habit').capitalize() + ' moved beyond chance since the model was fitted.'} {far} of "
        f"{count_of(drift.n_customers, 'customer')} lie further from every group than 99 % did at fitting.",
        kind="measured",
        section="groups",
        action="fit the groups again" if len(moved) or drift.far_share_lower > 0 else "keep the model",
        department="Data",
        about=About(people=drift.n_customers),
    )
    beyond = drift.segments[(drift.segments["change_share_lower"] > 0) | (drift.segments["change_share_upper"] < 0)]
    return (whole, *(_moved(row, drift.n_customers) for _, row in beyond.iterrows()))


def _moved(row: pd.Series, n: int) -> Finding:
    change = estimate_of(row, "change_share", n=n, unit="share", method="Newcombe")
    points = f"{change.value * 100:+.0f} points ({change.lower * 100:+.0f} to {change.upper * 100:+.0f})"
    return Finding(
        key=f"group-{row['cluster']}-moved",
        sentence=f"Group {row['cluster']}, {row['segment']}, went from {format_share(row['share_then'])} to "
        f"{format_share(row['share_now'])} of the customers, a change of {points}.",
        kind="measured",
        estimate=change,
        section="groups",
        about=About(people=int(row["n_customers"])),
    )
