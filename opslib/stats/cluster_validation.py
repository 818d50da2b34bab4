"""Cluster validation: stability under resampling, standardised profiles, population stability index."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.cluster import KMeans

from opslib.stats.unimodality import one_thread

Floats = np.ndarray
#: Points of which two cuts are compared: with more, even an arbitrary cut through one cloud comes again.
REPLICATE_SIZE = 600
_STARTS, _STILL = 5, 1e-12


@one_thread
def replication(
    points: Floats, labels: Floats, *, draws: int = 50, size: int = REPLICATE_SIZE, seed: int = 0
) -> Floats:
    """Stability of each cluster under resampling: mean Jaccard similarity to the most similar new cluster.

    Parameters
    ----------
    points : array, (n, dimensions)
        What was grouped.
    labels : array of int, (n,)
        Groups 0, 1, ... by `group_labels`.
    draws, size : int
        Bootstrap draws, and points of each (at most n): fixed, because with very many points an arbitrary cut through one
        cloud comes again as well.
    seed : int
        Seed of the draws.

    Returns
    -------
    array of float, (groups,)
        0-1, one a group; .85 and more is "highly stable", below .6 not to be trusted.

    Notes
    -----
    Hennig (2007), *Computational Statistics & Data Analysis* 52:258-271.

    Examples
    --------
    >>> points = np.r_[np.zeros((30, 1)), np.ones((20, 1))] + np.linspace(0, 0.1, 50)[:, None]
    >>> replication(points, np.repeat([0, 1], [30, 20]), draws=5).tolist()
    [1.0, 1.0]
    """
    rng, n_groups = np.random.default_rng(seed), int(labels.max()) + 1
    found = np.zeros((draws, n_groups))
    for draw in range(draws):
        sample = points[rng.integers(0, len(points), min(size, len(points)))]
        again = KMeans(n_groups, n_init=_STARTS, random_state=seed + draw).fit(sample).predict(points)
        both = np.zeros((n_groups, n_groups))
        np.add.at(both, (labels, again), 1)
        found[draw] = (both / (both.sum(1)[:, None] + both.sum(0) - both)).max(axis=1)
    return np.asarray(found.mean(axis=0))


def population_stability(before: Floats, now: Floats) -> tuple[float, float]:
    """Population stability index of two sets of counts over the same parts, and the level that chance alone reaches.

    Parameters
    ----------
    before, now : array of int, (parts,)
        Counts; half a count is added to each, so that an empty part does not make the index infinite.

    Returns
    -------
    (float, float)
        Sum of (share now - share before) x log of their ratio; and what it exceeds in one draw of twenty when both come
        from the same distribution: (1/n + 1/m) times the 95 % quantile of chi-squared over the parts in use, less one.

    Notes
    -----
    Siddiqi (2006), *Credit Risk Scorecards*, for the index and its reading (.1, .25); Yurdakul (2018) for its law.

    Examples
    --------
    >>> index, chance = population_stability(np.array([50, 50]), np.array([75, 25]))
    >>> round(index, 2), round(chance, 2)
    (0.27, 0.08)
    """
    used = (before + now) > 0
    shares = [(counts[used] + 0.5) / (counts[used] + 0.5).sum() for counts in (before, now)]
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    degrees = max(int(used.sum()) - 1, 1)
    return index, float((1 / before.sum() + 1 / now.sum()) * stats.chi2.ppf(0.95, degrees))


def standardised_differences(points: Floats, labels: Floats, *, confidence_level: float = 0.95) -> pd.DataFrame:
    """How each group differs from all other points, in standard deviations.

    Parameters
    ----------
    points : array, (n, dimensions)
        Missing values (NaN) are left out.
    labels : array of int, (n,)
        Groups 0, 1, ...
    confidence_level : float
        Level of the intervals (0-1).

    Returns
    -------
    DataFrame
        One row a group and dimension with two values on either side: group, dimension, mean, others_mean, difference
        (over the pooled standard deviation; over that of all values where the sides do not vary, 0 where nothing
        does), difference_lower, difference_upper, p_value.

    Notes
    -----
    Cohen's d, with the large-sample error of Hedges and Olkin (1985), ch. 5. The groups were formed on these very
    dimensions, so some difference is there by construction.

    Examples
    --------
    >>> found = standardised_differences(np.array([[1.0], [2.0], [3.0], [6.0], [7.0], [8.0]]), np.array([0, 0, 0, 1, 1, 1]))
    >>> found["difference"].tolist()
    [-5.0, 5.0]
    """
    rows = []
    for group in range(int(labels.max()) + 1):
        for dimension, values in enumerate(points.T):
            inside, outside = (values[mask & np.isfinite(values)] for mask in (labels == group, labels != group))
            n, m = len(inside), len(outside)
            if min(n, m) < 2:
                continue
            squares = ((inside - inside.mean()) ** 2).sum() + ((outside - outside.mean()) ** 2).sum()
            spread = float(np.sqrt(squares / (n + m - 2)))
            gap = float(inside.mean() - outside.mean())
            both = np.r_[inside, outside]
            # Equal values have a mean that is theirs but for the last digit: no spread to divide by.
            spread = spread if spread > _STILL * np.abs(both).max() else float(both.std())
            d = gap / spread if np.ptp(both) > 0 else 0.0
            error = float(np.sqrt((n + m) / (n * m) + d**2 / (2 * (n + m))))
            reach = float(stats.norm.ppf((1 + confidence_level) / 2)) * error
            p_value = float(2 * stats.norm.sf(abs(d) / error))
            rows.append((group, dimension, inside.mean(), outside.mean(), d, d - reach, d + reach, p_value))
    names = [
        "group",
        "dimension",
        "mean",
        "others_mean",
        "difference",
        "difference_lower",
        "difference_upper",
        "p_value",
    ]
    return pd.DataFrame(rows, columns=names)
