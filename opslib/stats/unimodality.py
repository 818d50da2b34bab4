"""Test of multimodality: whether k-means groups are parted by valleys of the density, cross-fitted on held-out points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController

from opslib.errors import ParameterError

Floats = np.ndarray
_Part = tuple[tuple[int, ...], np.ndarray, float]
_Split = tuple[tuple[int, ...], tuple[int, ...]]
_FOLDS = 5
#: k-means on few points waits for its own threads on a busy machine.
one_thread = ThreadpoolController().wrap(limits=1)
_STARTS, _SHRINKAGE, _HALF = 10, 0.1, 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ValleyTest:
    """Result of a multimodality test: whether groups are parted by valleys of the density.

    Parameters
    ----------
    p_value : float
        Of "none of the splits has a valley" (0-1): the smallest of the splits, times their number.
    ridge_p_value : float
        Of "at least one cut runs along a ridge", that is where points are as dense as at the mean of its larger side
        (0-1): weaker than a valley, as groups of unequal size that overlap have a shoulder and no valley.
    splits : DataFrame
        One row a split, from the whole down: left, right (tuples of group numbers), n_left, n_valley, n_right (points of
        windows of equal width, none of which had a say in where they lie), p_value; n_cut, n_home (the same half-way and
        at the mean of the larger side), ridge_p_value.
    """

    p_value: float
    ridge_p_value: float
    splits: pd.DataFrame


@one_thread
def group_labels(points: Floats, n_groups: int, *, seed: int = 0) -> Floats:
    """Number of each point's group (0, 1, ...) by k-means, best of ten starts; the largest group is 0.

    Parameters
    ----------
    points : array, (n, dimensions)
        In the unit in which distance counts.
    n_groups : int
        At most n.
    seed : int
        Seed of the starts.

    Returns
    -------
    array of int, (n,)

    Notes
    -----
    Lloyd (1982); Arthur and Vassilvitskii (2007) for the starts.

    Examples
    --------
    >>> group_labels(np.array([[0.0], [0.1], [9.0]]), 2, seed=1).tolist()
    [0, 0, 1]
    """
    if not 1 <= n_groups <= len(points):
        raise ParameterError(f"n_groups: {n_groups} is not from 1 to the {len(points)} points")
    labels = KMeans(n_groups, n_init=_STARTS, random_state=seed).fit(points).labels_
    sizes, centres = np.bincount(labels, minlength=n_groups), _means(points, labels, n_groups)
    order = np.lexsort([*centres.T[::-1], -sizes])
    return np.argsort(order)[labels]


@one_thread
def valley_test(points: Floats, labels: Floats, *, precision: Floats | None = None, seed: int = 0) -> ValleyTest:
    """Test whether groups are parted by valleys, against every single-peaked density.

    Parameters
    ----------
    points : array, (n, dimensions)
        What was grouped; without ties (spread lattice values over their own step).
    labels : array of int, (n,)
        Groups 0, 1, ... of the points.
    precision : array, (n,) or None
        How well each point is known (say, observations behind it): windows may leave out the least known.
    seed : int
        Seed of the folds.

    Returns
    -------
    ValleyTest
        Groups are merged two by two (Ward), which gives a tree of splits. For each split, four fifths of the points give
        a direction (Fisher's) and three windows of equal width on it, left of, in and right of the thinnest place; the
        last fifth is counted in them, each fifth in turn. Of a density with one peak the middle window cannot hold less
        than both others; p of a split is the larger of two exact binomial tests.

    Raises
    ------
    ParameterError
        Fewer than two groups, or lengths differ.

    Notes
    -----
    Parts of a log-concave cloud cut off by planes stay log-concave, so that every node of the tree is single-peaked in
    every direction if the whole is (Prékopa 1973). The pooled folds share training points, hence level by simulation.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> cloud, far = rng.normal(size=(400, 2)), np.repeat([[0.0, 0.0], [6.0, 0.0]], 200, axis=0)
    >>> valley_test(cloud + far, np.repeat([0, 1], 200)).p_value < 1e-9
    True
    >>> valley_test(cloud, group_labels(cloud, 2, seed=1)).p_value > 0.1
    True
    """
    n_groups = int(labels.max()) + 1 if len(labels) else 0
    if len(points) != len(labels) or n_groups < 2:
        raise ParameterError(
            f"{len(points)} points, {len(labels)} labels, {n_groups} groups: at least two groups of them"
        )
    known = np.ones(len(points)) if precision is None else np.asarray(precision, dtype=float)
    tree = _merges(_means(points, labels, n_groups), np.bincount(labels, minlength=n_groups).astype(float))
    least = np.unique(np.quantile(known, (0.0, 0.25, 0.5, 0.75), method="lower"))
    order = np.random.default_rng(seed).permutation(len(points)) % _FOLDS
    counts = np.zeros((len(tree), 5), dtype=np.int64)
    for fold in range(_FOLDS):
        train = order != fold
        if np.unique(labels[train]).size == n_groups:
            counts += _held_out(points, known, train, labels, tree, least)
    p_values = np.exp(_log_p(counts[:, :3]))
    ridges = stats.binom.cdf(counts[:, 3], counts[:, 3] + counts[:, 4], 0.5)
    splits = pd.DataFrame({"left": [a for a, _ in tree], "right": [b for _, b in tree]})
    splits[["n_left", "n_valley", "n_right", "n_cut", "n_home"]] = counts
    splits = splits.assign(p_value=p_values, ridge_p_value=ridges)
    return ValleyTest(
        p_value=min(float(p_values.min()) * len(tree), 1.0), ridge_p_value=float(ridges.max()), splits=splits
    )


def _means(points: Floats, labels: Floats, n_groups: int) -> Floats:
    return np.array([points[labels == group].mean(axis=0) for group in range(n_groups)])


def _merges(centres: Floats, sizes: Floats) -> list[_Split]:
    """Splits of a tree of groups, the whole first: those are merged first that add least to the squares (Ward)."""
    parts: list[_Part] = [
        ((group,), centre, size) for group, (centre, size) in enumerate(zip(centres, sizes, strict=True))
    ]
    merges: list[_Split] = []
    while len(parts) > 1:
        cost = {
            (i, j): a[2] * b[2] / (a[2] + b[2]) * float(((a[1] - b[1]) ** 2).sum())
            for i, a in enumerate(parts)
            for j, b in enumerate(parts)
            if i < j
        }
        i, j = min(cost, key=lambda pair: (cost[pair], pair))
        (one, at, n), (other, place, m) = parts[i], parts[j]
        merges.append((one, other))
        parts = [part for number, part in enumerate(parts) if number not in (i, j)]
        parts.append((one + other, (at * n + place * m) / (n + m), n + m))
    return merges[::-1]


def _windows() -> Floats:
    """Left, middle and right centre and half width, where the group means lie at -1 and 1; none overlap."""
    grid = np.array(np.meshgrid((-1.3, -1.0, -0.75), np.linspace(-0.4, 0.4, 9), (0.75, 1.0, 1.3), (0.2, 0.3, 0.4)))
    left, middle, right, half = grid.reshape(4, -1)
    return grid.reshape(4, -1).T[(middle - left >= 2 * half - 1e-9) & (right - middle >= 2 * half - 1e-9)]


_WINDOWS = _windows()


def _counted(places: Floats, windows: Floats) -> Floats:
    ordered, half = np.sort(places), windows[:, 3:]
    ends = np.searchsorted(ordered, np.stack([windows[:, :3] - half, windows[:, :3] + half]))
    return np.asarray(ends[1] - ends[0])


def _log_p(counts: Floats) -> Floats:
    left, middle, right = counts.T
    sides = [stats.binom.logcdf(middle, middle + side, 0.5) for side in (left, right)]
    return np.minimum(np.maximum(*sides), 0.0)


def _held_out(
    points: Floats, known: Floats, train: Floats, labels: Floats, tree: list[_Split], least: Floats
) -> Floats:
    """Held-out points in the windows of every split; all that is chosen is chosen on the training points."""
    n_groups = int(labels.max()) + 1
    start = _means(points[train], labels[train], n_groups)
    own = KMeans(n_groups, init=start, n_init=1).fit(points[train]).labels_
    if np.unique(own).size < n_groups:
        return np.zeros((len(tree), 5), dtype=np.int64)
    scatter = np.atleast_2d(np.cov((points[train] - _means(points[train], own, n_groups)[own]).T, ddof=0))
    scatter = (1 - _SHRINKAGE) * scatter + _SHRINKAGE * np.diag(np.diag(scatter)) + 1e-12 * np.eye(len(scatter))
    inside = {tuple(range(n_groups)): np.ones(len(points), dtype=bool)}
    counts = []
    for left, right in tree:
        members = inside[tuple(sorted(left + right))]
        low, high = (points[train][np.isin(own, side)].mean(axis=0) for side in (left, right))
        direction = np.linalg.solve(scatter, high - low)
        place = (points @ direction - direction @ (low + high) / 2) / (direction @ (high - low) / 2)
        window, at_least = _chosen(place[members & train], known[members & train], least)
        valley = _counted(place[members & ~train & (known >= at_least)], window[None])[0]
        home = -1.0 if np.isin(own, left).sum() >= np.isin(own, right).sum() else 1.0
        ridge = _counted(place[members & ~train], np.array([[0.0, home, home, _HALF]]))[0, :2]
        counts.append([*valley, *ridge])
        is_left = place <= window[1]
        inside[tuple(sorted(left))], inside[tuple(sorted(right))] = members & is_left, members & ~is_left
    return np.array(counts)


def _chosen(place: Floats, known: Floats, least: Floats) -> tuple[Floats, float]:
    """The windows, and the least precision, under which the training points show the clearest valley."""
    tried = [_log_p(_counted(place[known >= bound], _WINDOWS)) for bound in least]
    bound, window = divmod(int(np.argmin(np.concatenate(tried))), len(_WINDOWS))
    return _WINDOWS[window], float(least[bound])
