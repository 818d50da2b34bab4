"""A fitted segmentation as a value: kept as JSON, scored as one engine expression, watched for drift."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import require_columns
from opslib.metrics.blocks import Table
from opslib.segmentation.features import SHARE, feature_named
from opslib.stats.partitions import population_stability
from opslib.stats.shares import share_difference

KIND = "opslib segment model"
#: Of models as text; a later version of opslib reads this one, and refuses one that it does not know.
FORMAT = 1
TOO_FEW = "too few orders"
FAR_SHARE = 0.01
#: Edges are values of the data, which differ between engines in their last digits.
_EDGE = 1e-9
_READINGS = ((0.1, "as at fitting"), (0.25, "moved"), (float("inf"), "another shop: fit again"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How the customers of today differ from those that a model was fitted on.

    Parameters
    ----------
    segments : DataFrame
        One row a segment: cluster, segment, n_customers, share_then, share_now, change_share, change_lower, change_upper
        (0-1; Newcombe's interval).
    features : DataFrame
        One row a feature: feature, meaning, stability_index, chance_level (exceeded by one draw in twenty from the same
        customers), reading.
    n_customers, n_far : int
        Scored customers, and those further from their centre than 99 % were at fitting.
    far_share, far_lower, far_upper : float
        ``n_far`` over ``n_customers`` less the share at fitting (0-1), with Newcombe's interval.
    """

    segments: pd.DataFrame
    features: pd.DataFrame
    n_customers: int
    n_far: int
    far_share: float
    far_lower: float
    far_upper: float


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
        require_columns(table, "customer_id", "n_orders", *self.features, name="features")
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

    def drift(self, features: Table) -> Drift:
        """How far the customers have moved from those fitted on.

        Parameters
        ----------
        features : table
            From `customer_features` with this model's ``categories``, of another period of the same length.

        Returns
        -------
        Drift

        Raises
        ------
        ParameterError
            No customer has enough orders.
        """
        table = engine.as_table(features)
        table = table.filter(table["n_orders"] >= self.min_orders)
        scored = self.score(table)
        counts = {
            f"n_{number}": engine.flag(scored["cluster"] == number).sum() for number in range(1, len(self.sizes) + 1)
        }
        row = engine.collect(scored.aggregate(n_far=engine.flag(scored["distance"] > self.reach).sum(), **counts)).iloc[
            0
        ]
        now = [int(row[name]) if pd.notna(row[name]) else 0 for name in counts]
        n = sum(now)
        if n == 0:
            raise ParameterError(f"features: no customer has the {self.min_orders} orders that the model asks for")
        far = share_difference((round(FAR_SHARE * self.n_fitted), self.n_fitted), (int(row["n_far"]), n))
        return Drift(
            segments=self._moved(now, n), features=self._shifted(table, n), n_customers=n, n_far=int(row["n_far"]),
            far_share=far.value, far_lower=far.lower, far_upper=far.upper,
        )  # fmt: skip

    def _moved(self, now: list[int], n: int) -> pd.DataFrame:
        rows = []
        for number, (then, count, name) in enumerate(zip(self.sizes, now, self.segments, strict=True), start=1):
            change = share_difference((then, self.n_fitted), (count, n))
            rows.append(
                (number, name, count, then / self.n_fitted, count / n, change.value, change.lower, change.upper)
            )
        columns = ["cluster", "segment", "n_customers", "share_then", "share_now"]
        return pd.DataFrame(rows, columns=[*columns, "change_share", "change_lower", "change_upper"])

    def _shifted(self, table: ir.Table, n: int) -> pd.DataFrame:
        held = bin_counts(table, edges=dict(zip(self.features, self.edges, strict=True)))
        rows = []
        for name, then in zip(self.features, self.bins, strict=True):
            index, chance = population_stability(np.array(then), np.array(held[name]))
            reading = next(words for limit, words in _READINGS if index < limit) if index > chance else "as at fitting"
            rows.append((name, feature_named(name).meaning, index, chance, reading))
        return pd.DataFrame(rows, columns=["feature", "meaning", "stability_index", "chance_level", "reading"])


def drift(kept: SegmentModel | None, features: Table) -> Drift:
    """How today's customers differ from those that a kept model was fitted on; empty without a model or customers.

    Examples
    --------
    >>> len(drift(None, pd.DataFrame()).segments)
    0
    """
    if kept is not None and not engine.is_empty(features):
        return kept.drift(features)
    segments = [
        "cluster",
        "segment",
        "n_customers",
        "share_then",
        "share_now",
        "change_share",
        "change_lower",
        "change_upper",
    ]
    return Drift(
        segments=pd.DataFrame(columns=segments), n_customers=0, n_far=0, far_share=np.nan, far_lower=np.nan, far_upper=np.nan,
        features=pd.DataFrame(columns=["feature", "meaning", "stability_index", "chance_level", "reading"]),
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
