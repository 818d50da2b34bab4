"""Customer clusters by k-means on habits, tested for multimodality and stability; none where none are shown."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd

from opslib import __version__, engine
from opslib.errors import ParameterError
from opslib.metrics import require_table_columns
from opslib.metrics.blocks import Table
from opslib.segmentation.features import SHARE, VARIANCE, feature_named
from opslib.segmentation.segment_model import FAR_SHARE, SegmentModel, bin_counts
from opslib.stats.cluster_validation import replication, standardised_differences
from opslib.stats.multiplicity import adjusted
from opslib.stats.unimodality import group_labels, valley_test
from opslib.suppression import counted

ALPHA = 0.01
"""Chance of finding groups in a shop that has one kind of customer."""
STABLE = 0.75
"""Mean Jaccard similarity from which a group counts as one that comes again (Hennig: "valid")."""
RIDGE_ALPHA = 0.1
"""A cut counts only if customers are thinner there than at the mean of its larger side, at this level."""
MOST_FITTED = 20_000
FEWEST_FITTED = 100
_NAMED, _DISTINCT = 3, 0.5
_PARTS = 10
_TRIALS = ["n_groups", "p_value", "adjusted_p_value", "is_parted", "least_jaccard", "ridge_p_value", "is_chosen"]
_SEGMENTS = ["cluster", "segment", "n_customers", "customer_share", "jaccard"]
_PROFILES = [*_SEGMENTS[:2], "feature", "meaning", "mean", "others_mean", "difference", "difference_lower", "difference_upper",
             "q_value"]  # fmt: skip
_PROFILES += ["is_distinct"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClusters:
    """Customer clusters: how many, on what evidence, and the profile of each.

    Parameters
    ----------
    n_groups : int
        Groups; 1 where there are no segments.
    reason : str
        Why so many, in a sentence.
    trials : DataFrame
        One row a number of groups tried: n_groups, p_value (none of its splits has a valley), adjusted_p_value (Holm),
        is_parted, least_jaccard (of its groups; missing where none is parted), ridge_p_value (a cut runs where
        customers are densest), is_chosen.
    segments : DataFrame
        One row a group, the largest first: cluster (1, 2, ...), segment (name), n_customers, customer_share (of those
        fitted), jaccard.
    profiles : DataFrame
        One row a group and feature: cluster, segment, feature, meaning, mean, others_mean, difference (standardised),
        difference_lower, difference_upper, q_value, is_distinct (q below .05 and at least half a standard deviation).
    habits : DataFrame
        One row a feature: feature, meaning, mean, customer_share (of the variance of one order's value that is between
        customers: 0 where customers differ by chance alone, 1 where each always does the same).
    model : SegmentModel or None
        To score with; None where there are no segments.
    n_customers, n_fitted : int
        Customers in the table, and those fitted on.
    min_orders : int
        Fewest orders that show a habit: customers with fewer are left out.
    """

    n_groups: int = 1
    reason: str
    trials: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_TRIALS))
    segments: pd.DataFrame = field(
        default_factory=lambda: counted(pd.DataFrame(columns=_SEGMENTS), "n_customers", by=["cluster"])
    )
    profiles: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_PROFILES))
    habits: pd.DataFrame
    model: SegmentModel | None = None
    n_customers: int
    n_fitted: int
    min_orders: int

    @property
    def habits_without_groups(self) -> pd.DataFrame:
        """``habits`` where there are no segments, else no row: where there are, their profiles say more."""
        return self.habits.head(0) if self.has_segments else self.habits

    @property
    def has_segments(self) -> bool:
        """Whether there is more than one group."""
        return self.n_groups > 1


def segment_clusters(
    features: Table, *, as_of: date, k: int | None = None, max_k: int = 8, min_orders: int = 5, seed: int = 0
) -> SegmentClusters:
    """Groups of customers by habit, or the answer that there are none.

    Parameters
    ----------
    features : table
        From `customer_features`.
    as_of : date
        The day it was made for; kept in the model.
    k : int or None
        This many groups, whatever the evidence; None: as many as the evidence carries, perhaps one.
    max_k : int
        Most groups tried, 2 to 12.
    min_orders : int
        Customers with fewer orders are not fitted on: their means are mostly chance.
    seed : int
        Seed of all draws.

    Returns
    -------
    SegmentClusters
        There are segments if, for some number of groups, a split shows a valley among customers who did not choose
        where it lies (`stats.unimodality.valley_test`, Holm over the numbers tried, 1 %). Then the number is the largest of
        which every group comes again in draws of 600 customers (`stats.cluster_validation.replication`, .75) and no cut runs
        along a ridge.

    Raises
    ------
    ParameterError
        ``k``, ``max_k`` or ``min_orders`` out of range; or ``k`` given with too few customers.

    Notes
    -----
    Each feature is measured in standard deviations among one customer's orders, so that what repeats in the orders of a
    customer weighs more than what varies from order to order. k-means, since its groups are scored by nearest centroid.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> kinds = np.repeat([0.0, 3.0], 150)
    >>> table = pd.DataFrame({"customer_id": [f"c{i:03d}" for i in range(300)], "n_orders": 9,
    ...     "gap": kinds + rng.normal(size=300) / 3, "gap_variance": 1.0, "lines": rng.normal(size=300) / 3, "lines_variance": 1.0})
    >>> found = segment_clusters(table, as_of=date(2026, 3, 1), max_k=3)
    >>> found.n_groups, found.segments["segment"].tolist()
    (2, ['often', 'seldom'])
    >>> segment_clusters(table.assign(gap=0.1 * table["lines"]), as_of=date(2026, 3, 1), max_k=3).has_segments
    False
    """
    _require_choices(k, max_k, min_orders)
    n_customers, frame = _habits(features, min_orders=min_orders)
    names = _informative(frame)
    common: dict[str, Any] = {"n_customers": n_customers, "n_fitted": len(frame), "min_orders": min_orders}
    common["habits"] = _habits_of(frame, names)
    if len(frame) < FEWEST_FITTED or not names:
        too_few = f"{len(frame)} customers with {min_orders} orders or more and {len(names)} habits that differ"
        if k is not None:
            raise ParameterError(f"k: no {k} groups of {too_few}; at least {FEWEST_FITTED} customers are needed")
        return SegmentClusters(reason=f"{too_few} are too little to look for groups", **common)
    centre = np.array(_numbers(frame[names].mean()))
    scale = np.array(_numbers([_noise(frame, name) for name in names]))
    points = np.nan_to_num((frame[names].to_numpy(dtype="float64") - centre) / scale)
    numbers = range(2, max_k + 1) if k is None else range(k, k + 1)
    trials, number, reason = _chosen(frame, points, scale, names=names, numbers=numbers, seed=seed)
    if k is None and number == 1:
        return SegmentClusters(reason=reason, trials=trials, **common)
    labels = group_labels(points, k or number, seed=seed)
    profiles = _profiles(frame, names, labels)
    sizes = np.bincount(labels)
    segments = pd.DataFrame({
        "cluster": range(1, len(sizes) + 1), "segment": segment_names(profiles), "n_customers": sizes,
        "customer_share": sizes / sizes.sum(), "jaccard": replication(points, labels, seed=seed),
    })  # fmt: skip
    profiles["segment"] = profiles["cluster"].map(segments.set_index("cluster")["segment"])
    model = _model(
        frame, points, labels, features=tuple(names), centre=tuple(centre), scale=tuple(scale), min_orders=min_orders,
        segments=tuple(segments["segment"]), as_of=as_of.isoformat(), seed=seed,
    )  # fmt: skip
    return SegmentClusters(
        n_groups=len(segments), reason=reason if k is None else f"{k} groups were asked for", trials=trials,
        segments=counted(segments, "n_customers", by=["cluster"]),
        profiles=counted(profiles[_PROFILES], "n_customers", by=["cluster"]), model=model, **common,
    )  # fmt: skip


def _require_choices(k: int | None, max_k: int, min_orders: int) -> None:
    if not 2 <= max_k <= 12:
        raise ParameterError(f"max_k: {max_k} is not from 2 to 12")
    if k is not None and not 2 <= k <= 12:
        raise ParameterError(f"k: {k} is not from 2 to 12; leave it out to let the evidence decide")
    if min_orders < 2:
        raise ParameterError(f"min_orders: {min_orders} is below 2; a habit needs at least two orders")


def _habits(features: Table, *, min_orders: int) -> tuple[int, pd.DataFrame]:
    """Customers in all; and those with enough orders, every second, third, ... by id where there are very many."""
    table = engine.as_table(features)
    require_table_columns(table, "customer_id", "n_orders", name="features")
    known = table.filter(table["n_orders"] >= min_orders)
    n_customers, n_known = (int(engine.collect(part.count()).to_numpy()[0, 0]) for part in (table, known))
    step = max(-(-n_known // MOST_FITTED), 1)
    if step > 1:
        known = known.mutate(place=ibis.row_number().over(ibis.window(order_by=known["customer_id"])))
        known = known.filter(known["place"] % step == 0).drop("place")
    return n_customers, engine.collect(known.order_by("customer_id"))


def _informative(frame: pd.DataFrame) -> list[str]:
    """Habits in which customers differ."""
    names = [name.removesuffix(VARIANCE) for name in frame.columns if name.endswith(VARIANCE)]
    return [name for name in names if frame[name].std() > 1e-9]


def _noise(frame: pd.DataFrame, name: str) -> float:
    """Standard deviation among one customer's orders, pooled; among customers where orders of one never differ."""
    seen = frame[f"{name}{VARIANCE}"].notna()
    n = frame.loc[seen, "n_orders"].to_numpy(dtype="float64")
    pooled = float(np.sqrt((n * frame.loc[seen, f"{name}{VARIANCE}"]).sum() / (n - 1).sum()))
    return pooled if pooled > 1e-6 else float(frame[name].std())


def _habits_of(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """How much of each habit is the customer's own: an intraclass correlation, by the method of moments."""
    rows = []
    for name in names:
        within = _noise(frame, name) ** 2
        between = max(frame[name].var() - within * float((1 / frame["n_orders"]).mean()), 0.0)
        rows.append((name, feature_named(name).meaning, frame[name].mean(), between / (between + within)))
    return pd.DataFrame(rows, columns=["feature", "meaning", "mean", "customer_share"])


def _chosen(
    frame: pd.DataFrame, points: np.ndarray, scale: np.ndarray, *, names: list[str], numbers: range, seed: int
) -> tuple[pd.DataFrame, int, str]:
    """What each number of groups has for it; the number chosen; why."""
    spread = _without_ties(frame, points, scale, names=names, seed=seed)
    precision = frame["n_orders"].to_numpy(dtype="float64")
    labels = {number: group_labels(points, number, seed=seed) for number in numbers}
    tests = {number: valley_test(spread, own, precision=precision, seed=seed) for number, own in labels.items()}
    p_values: dict[Hashable, float] = {number: test.p_value for number, test in tests.items()}
    trials = adjusted(p_values, alpha=ALPHA).rename(columns={"name": "n_groups", "is_rejected": "is_parted"})
    trials = trials.assign(least_jaccard=np.nan, ridge_p_value=[test.ridge_p_value for test in tests.values()])
    if trials["is_parted"].any():
        trials["least_jaccard"] = [float(replication(points, own, seed=seed).min()) for own in labels.values()]
    is_stable = (trials["least_jaccard"] >= STABLE) & (trials["ridge_p_value"] < RIDGE_ALPHA)
    stable = trials.loc[is_stable, "n_groups"]
    number = int(stable.max()) if len(stable) else 1
    if not trials["is_parted"].any():
        reason = f"no valley beyond chance parts customers, whether into 2 or into {max(numbers)} groups: they differ by degrees"
    elif not len(stable):
        reason = "valleys part customers, but no number of groups comes again when customers are drawn anew"
    else:
        reason = (f"valleys beyond chance part customers, and {number} is the largest number of groups of which every one "
                  "comes again when customers are drawn anew")  # fmt: skip
    return trials.assign(is_chosen=trials["n_groups"] == number)[_TRIALS], number, reason


def _without_ties(
    frame: pd.DataFrame, points: np.ndarray, scale: np.ndarray, *, names: list[str], seed: int
) -> np.ndarray:
    """Shares of n orders move in steps of 1/n: each is spread evenly over its own step, so that steps are no valleys."""
    steps = np.array([float(feature_named(name).is_share) for name in names]) / scale
    even = np.random.default_rng(seed).random(points.shape) - 0.5
    return np.asarray(points + even * steps / frame["n_orders"].to_numpy(dtype="float64")[:, None])


def _profiles(frame: pd.DataFrame, names: list[str], labels: np.ndarray) -> pd.DataFrame:
    found = standardised_differences(frame[names].to_numpy(dtype="float64"), labels)
    p_values = found.set_index(["group", "dimension"])["p_value"].to_dict()
    found["q_value"] = adjusted(p_values, method="benjamini_hochberg")["adjusted_p_value"]
    features = [feature_named(names[number]) for number in found["dimension"]]
    return found.assign(
        cluster=found["group"] + 1,
        feature=[feature.name for feature in features],
        meaning=[feature.meaning for feature in features],
        is_distinct=(found["q_value"] < 0.05) & (found["difference"].abs() >= _DISTINCT),
    )


def segment_names(profiles: pd.DataFrame) -> list[str]:
    """A short name for each group: up to three habits that set it apart most, in words; no two alike.

    That a group buys less of a category is left to its profile: its name says what it buys more of.
    """
    names: list[str] = []
    for _, rows in profiles.groupby("cluster", sort=True):
        apart = rows[rows["is_distinct"] & ((rows["difference"] > 0) | ~rows["feature"].str.startswith(SHARE))]
        apart = apart.assign(size=apart["difference"].abs())
        apart = apart.sort_values(["size", "feature"], ascending=[False, True], kind="stable").head(_NAMED)
        words = [
            feature_named(name).high if up else feature_named(name).low
            for name, up in zip(apart["feature"], apart["difference"] > 0, strict=True)
        ]
        name = ", ".join(words) or "like the average"
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return names


def _model(frame: pd.DataFrame, points: np.ndarray, labels: np.ndarray, **known: Any) -> SegmentModel:
    """The fitted groups as a `SegmentModel`, rounded to twelve digits."""
    names = known["features"]
    centroids = np.array([points[labels == number].mean(axis=0) for number in range(labels.max() + 1)])
    nearest = np.sqrt(((points[:, None, :] - centroids) ** 2).sum(axis=2).min(axis=1))
    parts = np.linspace(0, 1, _PARTS + 1)[1:-1]
    edges = {name: _numbers(np.unique(frame[name].quantile(parts, interpolation="lower").dropna())) for name in names}
    return SegmentModel(
        version=__version__,
        n_fitted=len(frame),
        centroids=tuple(_numbers(centroid) for centroid in centroids),
        sizes=tuple(int(size) for size in np.bincount(labels)),
        reach=_numbers([np.quantile(nearest, 1 - FAR_SHARE)])[0],
        edges=tuple(edges.values()),
        bins=tuple(bin_counts(engine.as_table(frame), edges=edges).values()),
        **known,
    )


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in engine.round_significant(np.asarray(values, dtype="float64")))
