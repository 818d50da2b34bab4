"""A fitted segmentation kept as JSON, scored as one engine expression, monitored for drift."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import require_table_columns
from opslib.metrics.blocks import Table
from opslib.segmentation.features import SHARE, feature_named
from opslib.stats.cluster_validation import population_stability
from opslib.stats.shares import share_difference
from opslib.suppression import counted

KIND = "opslib segment model"
#: Of models as text; a later version of opslib reads this one, and refuses one that it does not know.
FORMAT = 1
TOO_FEW = "too few orders"
FAR_SHARE = 0.01
#: Edges are values of the data, which differ between engines in their last digits.
_EDGE = 1e-9
_MOVED = (
    "cluster",
    "segment",
    "n_customers",
    "share_then",
    "share_now",
    "change_share",
    "change_share_lower",
    "change_share_upper",
)
_SHIFTED = ("feature", "meaning", "stability_index", "chance_level", "reading")
_READINGS = ((0.1, "as at fitting"), (0.25, "moved"), (float("inf"), "another shop: fit again"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How the customers of today differ from those that a model was fitted on.

    Parameters
    ----------
    segments : DataFrame
        One row a segment: cluster, segment, n_customers, share_then, share_now, change_share, change_share_lower, change_share_upper
        (0-1; Newcombe's interval).
    features : DataFrame
        One row a feature: feature, meaning, stability_index, chance_level (exceeded by one draw in twenty from the same
        customers), reading.
    n_customers, n_far : int
        Scored customers, and those further from their centre than 99 % were at fitting.
    far_share, far_share_lower, far_share_upper : float
        ``n_far`` over ``n_customers`` less the share at fitting (0-1), with Newcombe's interval.
    """

    segments: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_MOVED))
    features: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_SHIFTED))
    n_customers: int = 0
    n_far: int = 0
    far_share: float = float("nan")
    far_share_lower: float = float("nan")
    far_share_upper: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentModel:
    """Groups of customers that can be found again in other data.

    Parameters
    ----------
    version, as_of, seed : str, str (ISO date), int
        Of opslib, of the last day and of the draws at fitting.
    n_fitted, min_orders : int
        Customers fitted on, and fewest orders that show a habit.
    features : tuple of str
        Columns of `customer_features`, in the order of all tuples below.
    centre, scale : tuple of float
        Mean of each feature, and its standard deviation among one customer's orders: a customer lies at
        (value - centre) / scale; a missing value at 0.
    centroids : tuple of tuples of float
        Scaled place of each group.
    segments : tuple of str
        Name of each group.
    sizes : tuple of int
        Customers of each group at fitting.
    reach : float
        Distance to the nearest centroid within which 99 % lay.
    edges, bins : tuple of tuples
        Inner edges of ten parts of each feature, and customers in each part at fitting.
    """

    version: str
    as_of: str
    seed: int
    n_fitted: int
    min_orders: int
    features: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    centroids: tuple[tuple[float, ...], ...]
    segments: tuple[str, ...]
    sizes: tuple[int, ...]
    reach: float
    edges: tuple[tuple[float, ...], ...]
    bins: tuple[tuple[int, ...], ...]

    @property
    def categories(self) -> tuple[str, ...]:
        """What `customer_features` needs as ``categories`` to make the same columns."""
        return tuple(name for name in self.features if name.startswith(SHARE))

    def to_json(self) -> str:
        """The model as JSON text; the same model gives the same text.

        Examples
        --------
        >>> SegmentModel.from_json("{}")
        Traceback (most recent call last):
            ...
        opslib.errors.ParameterError: not a segment model: 'kind' is None, expected 'opslib segment model'
        """
        return json.dumps({"kind": KIND, "format": FORMAT, **asdict(self)}, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SegmentModel:
        """The model of a JSON text.

        Raises
        ------
        ParameterError
            The text is not such a model, or a field is missing or of another length.
        """
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise ParameterError(f"not a segment model: no JSON ({error.msg}, line {error.lineno})") from error
        kind = found.pop("kind", None) if isinstance(found, dict) else type(found).__name__
        if kind not in (KIND, f"{KIND} {FORMAT}"):
            raise ParameterError(f"not a segment model: 'kind' is {kind!r}, expected {KIND!r}")
        written = found.pop("format", FORMAT)
        if written != FORMAT:
            raise ParameterError(
                f"segment model: its format is {written!r}, this version reads {FORMAT}; fit and save it again, or "
                "read it with the version that wrote it"
            )
        names = {field.name for field in fields(cls)}
        if set(found) != names:
            wrong = ", ".join(sorted(names.symmetric_difference(found)))
            raise ParameterError(f"segment model: fields missing or unknown: {wrong}; fit and save it again")
        model = cls(**{name: _frozen(value) for name, value in found.items()})
        model._require_shape()
        return model

    def _require_shape(self) -> None:
        n, k = len(self.features), len(self.centroids)
        lengths = {"centre": n, "scale": n, "edges": n, "bins": n, "segments": k, "sizes": k}
        for name, length in lengths.items():
            if len(getattr(self, name)) != length:
                raise ParameterError(f"segment model: {name} has {len(getattr(self, name))} entries, expected {length}")
        if k == 0 or any(len(place) != n for place in self.centroids) or not all(s > 0 for s in self.scale):
            raise ParameterError(f"segment model: centroids need {n} numbers each, and every scale must be positive")

    def score(self, features: Table) -> ir.Table:
        """The group of each customer, as one engine expression.

        Parameters
        ----------
        features : table
            From `customer_features` with this model's ``categories``.

        Returns
        -------
        ibis.Table
            customer_id, n_orders, cluster (1, 2, ...; the nearest centroid, the lowest number of equally near ones; missing
            below ``min_orders``), segment (its name, or "too few orders"), distance (in scaled units).

        Raises
        ------
        ContractError
            A feature is missing.
        """
        table = engine.as_table(features)
        require_table_columns(table, "customer_id", "n_orders", *self.features, name="features")
        squares = self._squares(table)
        scored = table.select("customer_id", "n_orders", **squares)
        nearest = ibis.least(*(scored[name] for name in squares)) if len(squares) > 1 else scored["to_1"]
        is_known = scored["n_orders"] >= self.min_orders
        numbers = range(1, len(self.segments) + 1)
        at = [(is_known & (scored[f"to_{number}"] <= nearest), number) for number in numbers]
        named = [(condition, self.segments[number - 1]) for condition, number in at]
        return scored.select(
            "customer_id",
            "n_orders",
            cluster=ibis.cases(*at, else_=ibis.null("int64")).cast("int64"),
            segment=ibis.cases(*named, else_=TOO_FEW),
            distance=is_known.ifelse(nearest, ibis.null("float64")).sqrt(),
        )

    def _squares(self, table: ir.Table) -> dict[str, ir.FloatingValue]:
        """Squared scaled distance to each centroid."""
        places = [
            ((table[name].cast("float64") - centre) / scale).fill_null(0.0)
            for name, centre, scale in zip(self.features, self.centre, self.scale, strict=True)
        ]
        found = {}
        for number, centroid in enumerate(self.centroids, start=1):
            gaps = [place - at for place, at in zip(places, centroid, strict=True)]
            total = gaps[0] * gaps[0]
            for gap in gaps[1:]:
                total = total + gap * gap
            found[f"to_{number}"] = total
        return found


def drift(kept: SegmentModel | None, features: Table) -> Drift:
    """How far today's customers have moved from those that a kept model was fitted on.

    Parameters
    ----------
    kept : SegmentModel or None
        The model; None where none was kept.
    features : table
        From `customer_features` with the model's ``categories``, of another period of the same length.

    Returns
    -------
    Drift
        Empty without a model, or without a customer with enough orders.

    Examples
    --------
    >>> len(drift(None, pd.DataFrame()).segments)
    0
    """
    if kept is None:
        return Drift()
    table = engine.as_table(features)
    table = table.filter(table["n_orders"] >= kept.min_orders)
    scored = kept.score(table)
    counts = {f"n_{place}": engine.flag(scored["cluster"] == place).sum() for place in range(1, len(kept.sizes) + 1)}
    far = engine.flag(scored["distance"] > kept.reach).sum()
    n_far, *now = engine.collect(scored.aggregate(far=far, **counts)).fillna(0).iloc[0].astype(int).tolist()
    n = sum(now)
    if n == 0:
        return Drift()
    moved = []
    for place, (name, then, count) in enumerate(zip(kept.segments, kept.sizes, now, strict=True), start=1):
        change = share_difference((then, kept.n_fitted), (count, n))
        ends = (change.value, change.lower, change.upper)
        moved.append((place, name, count, then / kept.n_fitted, count / n, *ends))
    held = bin_counts(table, edges=dict(zip(kept.features, kept.edges, strict=True)))
    shifted = []
    for name, then in zip(kept.features, kept.bins, strict=True):
        index, chance = population_stability(np.array(then), np.array(held[name]))
        reading = next(words for limit, words in _READINGS if index < limit) if index > chance else _READINGS[0][1]
        shifted.append((name, feature_named(name).meaning, index, chance, reading))
    beyond = share_difference((round(FAR_SHARE * kept.n_fitted), kept.n_fitted), (n_far, n))
    return Drift(
        segments=counted(pd.DataFrame(moved, columns=_MOVED), "n_customers", by=["cluster"]), features=pd.DataFrame(shifted, columns=_SHIFTED), n_customers=n,
        n_far=n_far, far_share=beyond.value, far_share_lower=beyond.lower, far_share_upper=beyond.upper,
    )  # fmt: skip


def bin_counts(table: ir.Table, *, edges: dict[str, tuple[float, ...]]) -> dict[str, tuple[int, ...]]:
    """Rows in each part of each column (a value on an edge is in the lower part; missing ones count in a part of their own)."""
    sums = {}
    for name, points in edges.items():
        value = table[name].cast("float64")
        for number, point in enumerate(points):
            sums[f"{name}|{number}"] = engine.flag(value <= point + _EDGE).sum()
        sums[f"{name}|{len(points)}"] = engine.flag(value.notnull()).sum()
    row = engine.collect(table.aggregate(n=table.count(), **sums)).iloc[0].fillna(0)
    found = {}
    for name, points in edges.items():
        reached = [int(row[f"{name}|{number}"]) for number in range(len(points) + 1)]
        found[name] = (*(int(x) for x in np.diff([0, *reached])), int(row["n"]) - reached[-1])
    return found


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
