"""Log-log elasticity with fixed effects, clustered where the driver varies.

A driver that followed the outcome (raised because the outcome was high) gives a slope of the wrong size or sign;
whether it did is tested and said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyfixest
from scipy import stats

from opslib.errors import DesignError
from opslib.stats.estimates import Estimate
from opslib.stats.named_columns import panel_frame

MIN_CLUSTERS = 6
"""Fewest clusters from which an error is estimated."""
FEW_CLUSTERS = 15
"""Below this many the answer is given with a warning."""
MIN_CHANGES = 6
"""Fewest moves of the driver, over all units."""
FOLLOWED_LEVEL = 0.05
STILL = 1e-9
"""Log changes of the driver up to this size are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Slope of log outcome on log driver.

    Attributes
    ----------
    slope : Estimate
        Change of the outcome in % for 1 % more of the driver.
    clustered_by : {"unit", "spell"}
        Where the driver varies: unit by unit, or for all units together (a spell = a stretch of constant driver).
    n_clusters, n_changes : int
        Clusters; moves of the driver over all units (or of the common driver).
    followed : Estimate
        Log change of the driver after a 1 % higher outcome in the period before, its own past held fixed: away from
        zero means the driver followed the outcome.
    followed_p : float
        Two-sided, against a driver that did not follow.
    warnings : tuple of str
        Gates that warn: "followed", "few_clusters", "common_driver" (no period to compare within: season and trend
        are not taken out).
    """

    slope: Estimate
    clustered_by: str
    n_clusters: int
    n_changes: int
    followed: Estimate
    followed_p: float
    warnings: tuple[str, ...]


def log_response(panel: object, *, confidence_level: float = 0.95) -> Response:
    """Log-log response of an outcome to a driver, units' levels and common periods taken out.

    Parameters
    ----------
    panel : Table or DataFrame
        One row a unit and period: ``unit``, ``period`` (date or number), ``outcome`` (> 0), ``driver`` (> 0). Leave
        out periods in which something else moved as well; rows that are not positive are left out.
    confidence_level : float
        Coverage of the interval (0-1), t with clusters - 1 degrees of freedom.

    Returns
    -------
    Response
        The slope, where it is clustered, and whether the driver followed the outcome.

    Raises
    ------
    DesignError
        gate "variation": the driver moves fewer than six times; gate "clusters": fewer than six clusters.
    ParameterError
        A column is missing, or a unit has two rows for a period.

    Source: fixed effects and clustering by pyfixest; cluster jackknife, MacKinnon, Nielsen, Webb (2023), JoE 232;
    clustering at the level of assignment, Abadie, Athey, Imbens, Wooldridge (2023), QJE 138.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(2)
    >>> table = pd.DataFrame([(u, t) for u in range(20) for t in range(30)], columns=["unit", "period"])
    >>> table["driver"] = np.exp(rng.normal(0, 0.1, 600))
    >>> table["outcome"] = table["driver"] ** -2.0 * np.exp(rng.normal(0, 0.05, 600))
    >>> result = log_response(table)
    >>> result.clustered_by, bool(result.slope.lower < -2 < result.slope.upper)
    ('unit', True)
    """
    rows = _log_rows(panel)
    is_common = bool(rows.groupby("period")["driver"].agg(np.ptp).max() <= STILL)
    cluster = "spell" if is_common else "unit"
    n_changes = _n_changes(rows, is_common=is_common)
    n_clusters = rows[cluster].nunique()
    if n_changes < MIN_CHANGES:
        raise DesignError(
            "variation",
            f"the driver moves {n_changes} times; needed: {MIN_CHANGES}; "
            "try more units or a longer period, or move it on purpose in a test",
        )
    if n_clusters < MIN_CLUSTERS:
        raise DesignError(
            "clusters",
            f"{n_clusters} clusters ({cluster}s); needed: {MIN_CLUSTERS}; take more units or a longer period",
        )
    effects = "unit" if is_common else "unit + period"
    slope = clustered_slope(
        rows, f"outcome ~ driver | {effects}", cluster=cluster, confidence_level=confidence_level, is_jackknife=True
    )
    answer = f"driver ~ past_outcome + past_driver | {effects}"
    followed = clustered_slope(
        _with_past(rows), answer, cluster=cluster, confidence_level=confidence_level, is_jackknife=True
    )
    followed_p = slope_p_value(followed, df=n_clusters - 1)
    found = {
        "followed": followed_p < FOLLOWED_LEVEL,
        "few_clusters": n_clusters < FEW_CLUSTERS,
        "common_driver": is_common,
    }
    return Response(
        slope=slope,
        clustered_by=cluster,
        n_clusters=n_clusters,
        n_changes=n_changes,
        followed=followed,
        followed_p=followed_p,
        warnings=tuple(name for name, is_on in found.items() if is_on),
    )


def clustered_slope(
    rows: pd.DataFrame, formula: str, *, cluster: str, confidence_level: float = 0.95, is_jackknife: bool = False
) -> Estimate:
    """First slope of a linear model with cluster-robust error.

    Parameters
    ----------
    rows : DataFrame
        The columns of the formula and of the clusters.
    formula : str
        ``outcome ~ driver + others | absorbed + absorbed``.
    cluster : str
        Column of the clusters, ``a+b`` for two-way clusters.
    is_jackknife : bool
        Error from leaving out one cluster at a time (CRV3), which holds for few clusters; one-way only.
    confidence_level : float
        Coverage of the interval (0-1), t with clusters - 1 degrees of freedom.

    Returns
    -------
    Estimate
        The coefficient; ``n`` counts clusters (the fewer of the two ways).

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"x": [0, 1, 0, 1, 0, 1], "y": [1.0, 3, 1, 4, 1, 3], "g": [1, 1, 2, 2, 3, 3]})
    >>> round(clustered_slope(rows, "y ~ x", cluster="g").value, 4)
    2.3333
    """
    fit = pyfixest.feols(formula, rows, vcov={"CRV1": cluster}, ssc=pyfixest.ssc(G_df="conventional"), fixef_rm="none")
    right, _, absorbed = formula.split("~")[1].partition("|")
    name = _terms(right)[0]
    value, error = float(fit.coef()[name]), float(fit.se()[name])
    if is_jackknife:
        error = _jackknife_error(rows, formula, cluster=cluster, value=value)
    n_clusters = min(rows[part].nunique() for part in cluster.split("+"))
    kind = "cluster jackknife" if is_jackknife else "cluster-robust"
    method = f"regression with {absorbed.strip() or 'no'} effects, {kind} by {cluster}"
    return slope_estimate(
        value, error, df=n_clusters - 1, n=n_clusters, confidence_level=confidence_level, method=method
    )


def slope_estimate(
    value: float, std_error: float, *, df: float, n: int, confidence_level: float, method: str
) -> Estimate:
    """A slope of logs on logs with Student's interval (one degree of freedom at least).

    Examples
    --------
    >>> round(slope_estimate(-2.0, 0.1, df=10, n=11, confidence_level=0.95, method="").lower, 3)
    -2.223
    """
    return Estimate.around(
        value, std_error, df=max(df, 1.0), n=n, unit="% per %", confidence_level=confidence_level, method=method
    )


def slope_p_value(slope: Estimate, *, df: float) -> float:
    """Two-sided p-value of "the slope is zero", by Student's law.

    Examples
    --------
    >>> round(slope_p_value(slope_estimate(-0.2228, 0.1, df=10, n=11, confidence_level=0.95, method=""), df=10), 3)
    0.05
    """
    if not slope.std_error:
        return float(slope.value == 0)
    return float(2 * stats.t.sf(abs(slope.value) / slope.std_error, max(df, 1.0)))


def _terms(side: str) -> list[str]:
    return [term.strip() for term in side.split("+") if term.strip()]


def _jackknife_error(rows: pd.DataFrame, formula: str, *, cluster: str, value: float) -> float:
    """CRV3 of the first slope: how it moves when each cluster is left out and all the rest, effects too, fitted anew."""
    outcome, right = formula.split("~")
    right, _, absorbed = right.partition("|")
    effects = [pd.factorize(rows[effect])[0] for effect in _terms(absorbed)] or [np.zeros(len(rows), dtype=int)]
    columns = [rows[term].to_numpy(dtype=float) for term in (*_terms(right), outcome.strip())]
    # The first effect is taken out by its means, the others by a column a level (the first level is the reference).
    dummies = [effect == level for effect in effects[1:] for level in range(1, effect.max() + 1)]
    table = np.column_stack([*columns[:-1], *dummies, columns[-1]]).astype(float)
    at = pd.factorize(rows[cluster])[0]
    slopes = np.array([_slope_of(products) for products in _products_without_each(table, effects[0], at)])
    return float(np.sqrt((len(slopes) - 1) / len(slopes) * ((slopes - value) ** 2).sum()))


def _products_without_each(table: np.ndarray, effect: np.ndarray, at: np.ndarray) -> Iterator[np.ndarray]:
    """Products of all columns around the effect's means, with one cluster after the other left out."""
    clusters = range(at.max() + 1)
    if pd.DataFrame({"effect": effect, "at": at}).drop_duplicates()["effect"].is_unique:
        # No effect spans clusters: its means stay as they are, and a cluster's own products are taken off.
        centred = _centred(table, effect)
        whole = centred.T @ centred
        for cluster in clusters:
            own = centred[at == cluster]
            yield whole - own.T @ own
        return
    for cluster in clusters:
        kept = at != cluster
        centred = _centred(table[kept], effect[kept])
        yield centred.T @ centred


def _centred(table: np.ndarray, effect: np.ndarray) -> np.ndarray:
    sizes = np.maximum(np.bincount(effect), 1)
    means = np.column_stack([np.bincount(effect, column) / sizes for column in table.T])
    return table - means[effect]


def _slope_of(products: np.ndarray) -> float:
    """First coefficient of the last column on the others; a level that is gone with its cluster gets none."""
    return float(np.linalg.lstsq(products[:-1, :-1], products[:-1, -1], rcond=1e-10)[0][0])


def _log_rows(panel: object) -> pd.DataFrame:
    """Positive rows in logs, sorted by unit and period, with the spell of the common driver."""
    frame = panel_frame(panel, columns=("outcome", "driver"))
    frame = frame[(frame["outcome"] > 0) & (frame["driver"] > 0)].sort_values(["unit", "period"], ignore_index=True)
    if frame.empty:
        raise DesignError("variation", "no row has a positive outcome and a positive driver; needed: both")
    rows = frame.assign(outcome=np.log(frame["outcome"].astype(float)), driver=np.log(frame["driver"].astype(float)))
    rows["unit"] = pd.factorize(rows["unit"])[0]
    rows["period"] = pd.factorize(rows["period"], sort=True)[0]
    common = rows.groupby("period")["driver"].mean()
    spell = (common.diff().abs() > STILL).cumsum()
    return rows.assign(spell=rows["period"].map(spell))


def _n_changes(rows: pd.DataFrame, *, is_common: bool) -> int:
    if is_common:
        return int(rows["spell"].max())
    return int((rows.groupby("unit")["driver"].diff().abs() > STILL).sum())


def _with_past(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose unit also has the period before, with its outcome and driver."""
    past = rows[["unit", "period", "outcome", "driver"]].rename(
        columns={"outcome": "past_outcome", "driver": "past_driver"}
    )
    return rows.merge(past.assign(period=past["period"] + 1), on=["unit", "period"], how="inner")
