"""Correspondence analysis of a table of counts, with bootstrap regions and a test against chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from opslib.errors import ParameterError

#: Coverage of a region drawn round a point.
REGION_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrespondenceMap:
    """A map of rows and columns of a table of counts.

    Parameters
    ----------
    rows, columns : pandas.DataFrame
        Principal coordinates, one column an axis (``axis_1``, ``axis_2``, ...), indexed by label.
    inertias : numpy.ndarray
        Inertia of each axis; their sum is chi-square / n.
    shares : numpy.ndarray
        Share of the total inertia of each axis (0-1).
    chi_square, p_value : float
        Test of independence of rows and columns.
    n : float
        Total count.
    n_axes_beyond_chance : int
        Leading axes beyond the 95th percentile of tables without association; 0 means that the map shows nothing.
    row_regions : pandas.DataFrame
        Bootstrap covariance of each row's first two coordinates: ``var_1``, ``var_2``, ``cov_12``, indexed by label.
    """

    rows: pd.DataFrame
    columns: pd.DataFrame
    inertias: np.ndarray
    shares: np.ndarray
    chi_square: float
    p_value: float
    n: float
    n_axes_beyond_chance: int
    row_regions: pd.DataFrame


def correspondence_map(counts: pd.DataFrame, *, n_resamples: int = 500, seed: int = 0) -> CorrespondenceMap:
    """Map rows and columns of a table of counts by their chi-square distances.

    Parameters
    ----------
    counts : pandas.DataFrame
        Non-negative counts, at least two rows and two columns; rows and columns without a count are refused.
    n_resamples : int
        Bootstrap tables for the regions, and independent tables for the test against chance.
    seed : int
        Seed of both.

    Returns
    -------
    CorrespondenceMap
        Signs are fixed: on each axis the row with the largest coordinate in absolute value is positive. Without rows and
        columns where the table has none.

    Raises
    ------
    ParameterError
        If the table is too small, holds negative counts, or an empty row or column.

    References
    ----------
    Greenacre (2017), Correspondence Analysis in Practice, 3rd ed., chapters 4 and 29 (partial bootstrap).

    Examples
    --------
    >>> table = pd.DataFrame([[30, 10], [10, 30]], index=["a", "b"], columns=["x", "y"])
    >>> found = correspondence_map(table, n_resamples=50)
    >>> round(float(found.inertias[0]), 4), found.n_axes_beyond_chance
    (0.25, 1)
    """
    if not counts.size:
        nothing, regions = (
            pd.DataFrame(columns=["axis_1", "axis_2"]),
            pd.DataFrame(columns=["var_1", "var_2", "cov_12"]),
        )
        return CorrespondenceMap(
            rows=nothing, columns=nothing, inertias=np.zeros(2), shares=np.zeros(2), chi_square=np.nan, p_value=np.nan, n=0.0,
            n_axes_beyond_chance=0, row_regions=regions,
        )  # fmt: skip
    values = _require_counts(counts)
    rows, columns, singular = _decompose(values)
    n_axes = len(singular)
    names = [f"axis_{i + 1}" for i in range(n_axes)]
    inertias = singular**2
    total = float(inertias.sum())
    chi_square = total * float(values.sum())
    freedom = (values.shape[0] - 1) * (values.shape[1] - 1)
    rng = np.random.default_rng(seed)
    return CorrespondenceMap(
        rows=pd.DataFrame(rows, index=counts.index, columns=names),
        columns=pd.DataFrame(columns, index=counts.columns, columns=names),
        inertias=inertias,
        shares=inertias / total if total > 0 else np.zeros(n_axes),
        chi_square=chi_square,
        p_value=float(chi2.sf(chi_square, freedom)),
        n=float(values.sum()),
        n_axes_beyond_chance=_axes_beyond_chance(values, inertias, rng=rng, n_resamples=n_resamples),
        row_regions=pd.DataFrame(
            _row_regions(values, columns, singular, rng=rng, n_resamples=n_resamples),
            index=counts.index,
            columns=["var_1", "var_2", "cov_12"],
        ),
    )


def _require_counts(counts: pd.DataFrame) -> np.ndarray:
    values = counts.to_numpy(dtype=float)
    if min(values.shape) < 2:
        raise ParameterError(
            f"correspondence map: a table of {values.shape} is too small; two rows and two columns are needed"
        )
    if np.any(values < 0) or not np.all(np.isfinite(values)):
        raise ParameterError("correspondence map: counts must be finite and not negative")
    for axis, labels in ((1, counts.index), (0, counts.columns)):
        empty = [str(label) for label, total in zip(labels, values.sum(axis=axis), strict=True) if total == 0]
        if empty:
            raise ParameterError(f"correspondence map: nothing was counted for {', '.join(empty[:5])}; leave it out")
    return values


def _decompose(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal coordinates of rows and columns, and singular values, of the standardised residuals."""
    share = values / values.sum()
    row_mass, column_mass = share.sum(axis=1), share.sum(axis=0)
    residuals = (share - np.outer(row_mass, column_mass)) / np.sqrt(np.outer(row_mass, column_mass))
    left, singular, right = np.linalg.svd(residuals, full_matrices=False)
    keep = min(values.shape) - 1
    left, singular, right = left[:, :keep], singular[:keep], right[:keep].T
    rows = left * singular / np.sqrt(row_mass)[:, None]
    columns = right * singular / np.sqrt(column_mass)[:, None]
    sign = np.sign(rows[np.abs(rows).argmax(axis=0), np.arange(keep)])
    sign[sign == 0] = 1.0
    return rows * sign, columns * sign, singular


def _axes_beyond_chance(values: np.ndarray, inertias: np.ndarray, *, rng: np.random.Generator, n_resamples: int) -> int:
    """Compare each axis with the same axis of tables drawn with the same margins' shares and no association."""
    share = np.outer(values.sum(axis=1), values.sum(axis=0)) / values.sum() ** 2
    n = round(values.sum())
    drawn = np.zeros((n_resamples, len(inertias)))
    for i, table in enumerate(rng.multinomial(n, share.ravel(), size=n_resamples)):
        table = table.reshape(values.shape).astype(float)
        table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
        singular = _decompose(table)[2]
        drawn[i, : len(singular)] = singular**2
    limits = np.quantile(drawn, 0.95, axis=0)
    beyond = inertias > limits
    return len(beyond) if beyond.all() else int(np.argmin(beyond))


def _row_regions(
    values: np.ndarray, columns: np.ndarray, singular: np.ndarray, *, rng: np.random.Generator, n_resamples: int
) -> np.ndarray:
    """Covariance of each row's point when its counts are drawn again and projected on the axes as they are."""
    axes = min(2, columns.shape[1])
    standard = columns[:, :axes] / np.where(singular[:axes] > 0, singular[:axes], np.inf)
    out = np.zeros((len(values), 3))
    for i, row in enumerate(values):
        total = round(row.sum())
        if total < 1:
            continue
        profiles = rng.multinomial(total, row / row.sum(), size=n_resamples) / total
        points = profiles @ standard
        covariance = np.atleast_2d(np.cov(points, rowvar=False))
        out[i, 0] = covariance[0, 0]
        if axes == 2:
            out[i, 1:] = covariance[1, 1], covariance[0, 1]
    return out
