"""Probabilistic record linkage: a latent-class mixture over patterns of agreement, with or without known pairs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from opslib.errors import ParameterError

CLASSES = ("match", "variant", "relative", "unrelated")
MATCH, VARIANT, RELATIVE, UNRELATED = range(4)
#: Shares of the classes that the fit starts from.
START_SHARES = np.array([0.01, 0.01, 0.08, 0.90])
KNOWN_MATCH, KNOWN_OTHER, UNKNOWN = 1, 0, -1
MISSING = -1
#: Pairs that the starting values count for, a class and feature: keeps a level that was never seen from being impossible.
PRIOR_PAIRS = 1.0
ENOUGH_KNOWN = 30
"""Known matches from which they alone teach what a match looks like; below, likely matches teach too."""
MAX_ROUNDS, CONVERGED = 500, 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkageModel:
    """Four classes of pairs: the same thing, a variant of it, a relative (of one make, else different), unrelated.

    Parameters
    ----------
    shares : tuple of float
        Shares of the classes among pairs of unknown status, in the order of `CLASSES`; they sum to one.
    levels : pandas.DataFrame
        feature, level (0 = disagrees, larger = agrees more), and one column a class: the probability of the level in it.
        Within a class, features are taken as independent; a missing one says nothing.
    n_known : int
        Pairs that were known to match.
    """

    shares: tuple[float, ...]
    levels: pd.DataFrame
    n_known: int


def fit_linkage(
    patterns: pd.DataFrame, *, features: Mapping[str, int], telling: Collection[str] | None = None
) -> LinkageModel:
    """Fit the mixture by expectation-maximisation on counted patterns, so the cost does not grow with the pairs.

    Parameters
    ----------
    patterns : pandas.DataFrame
        One row a pattern: a column a feature (level from 0 to its largest; -1 = missing), n (pairs), label (1 = known to
        match, 0 = known not to, -1 = unknown). Known pairs stay in their class; the others are shared out.
    features : mapping of str to int
        Number of levels of each feature.
    telling : collection of str or None
        Features in which a variant may differ from a match; in the others variants agree as matches do. All, unless given.
        The fit starts from variants that differ in the first feature.

    Returns
    -------
    LinkageModel

    Raises
    ------
    ParameterError
        If there is no pair, or a level is out of range.

    References
    ----------
    Fellegi and Sunter (1969) for the weights; Winkler (1988) for fitting them without known pairs; Larsen and Rubin (2001)
    for known pairs beside unknown ones and for classes between, without which variants pass as matches.

    Examples
    --------
    >>> table = pd.DataFrame({"name": [2, 1, 0, 0], "size": [1, 1, 0, 1], "n": [40, 30, 200, 100], "label": [1, 0, -1, -1]})
    >>> model = fit_linkage(table, features={"name": 3, "size": 2})
    >>> bool(model.levels.query("feature == 'name' and level == 2")["match"].item() > 0.9)
    True
    """
    codes, counts, labels = _arrays(patterns, features)
    telling = features.keys() if telling is None else telling
    # One column a level of a feature; a missing feature has none, so it says nothing.
    places = [(name, level) for name, n_levels in features.items() for level in range(n_levels)]
    of = np.array([name for name, _ in places])
    seen = np.column_stack([codes[name] == level for name, level in places]).astype("float64")
    tied = ~np.isin(of, list(telling))
    prior = np.hstack(_starts(features, telling))
    table, shares = _per_feature(prior, of), START_SHARES
    allowed = np.ones((len(counts), len(CLASSES)))
    allowed[labels == KNOWN_MATCH] = [1, 0, 0, 0]
    allowed[labels == KNOWN_OTHER] = [0, 1, 1, 1]
    is_open = (labels == UNKNOWN) if (labels == UNKNOWN).any() else np.ones(len(labels), dtype=bool)
    n_known = int(counts[labels == KNOWN_MATCH].sum())
    known_teach = n_known >= ENOUGH_KNOWN
    for _ in range(MAX_ROUNDS):
        joint = allowed * shares * np.exp(seen @ np.log(table).T)
        weights = counts[:, None] * joint / joint.sum(axis=1, keepdims=True)
        before, shares = shares, weights[is_open].sum(axis=0) + PRIOR_PAIRS * START_SHARES
        shares = shares / shares.sum()
        if known_teach:
            weights[labels != KNOWN_MATCH, MATCH] = 0.0
        totals = weights.T @ seen + PRIOR_PAIRS * prior
        totals[VARIANT, tied] = totals[MATCH, tied] + (0.0 if known_teach else totals[VARIANT, tied])
        totals[MATCH, tied] = totals[VARIANT, tied]
        table = _per_feature(totals, of)
        if np.abs(shares - before).max() < CONVERGED:
            break
    levels = pd.DataFrame(places, columns=["feature", "level"]).assign(**dict(zip(CLASSES, table, strict=True)))
    return LinkageModel(shares=tuple(float(each) for each in shares), levels=levels, n_known=n_known)


def _arrays(patterns: pd.DataFrame, features: Mapping[str, int]) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Levels, numbers of pairs and labels, in an order that does not depend on that of the rows."""
    rows = patterns[patterns["n"] > 0].groupby([*features, "label"])["n"].sum().reset_index()
    if rows.empty:
        raise ParameterError("linkage: no pair to learn from; widen the blocking, so that some pairs are compared")
    for name, n_levels in features.items():
        if rows[name].min() < MISSING or rows[name].max() >= n_levels:
            raise ParameterError(f"linkage: levels of '{name}' run from -1 (missing) to {n_levels - 1}")
    return rows[list(features)], rows["n"].to_numpy(dtype="float64"), rows["label"].to_numpy(dtype="int64")


def _starts(features: Mapping[str, int], telling: Collection[str]) -> list[np.ndarray]:
    """Where the fit begins: matches agree, variants but for the first feature, relatives in what does not tell, others not.

    One block a feature: rows are classes, columns levels; each row counts for as many pairs as there are levels.
    """
    blocks = []
    for place, (name, n_levels) in enumerate(features.items()):
        rising = 4.0 ** np.arange(n_levels)
        middle = np.where(np.arange(n_levels) < n_levels - 1, rising, 1.0)
        falling = rising[::-1]
        block = np.vstack([rising, middle if place == 0 else rising, falling if name in telling else rising, falling])
        blocks.append(block / block.sum(axis=1, keepdims=True) * n_levels)
    return blocks


def _per_feature(totals: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Totals of each class as probabilities that sum to one within each feature."""
    same = (of[:, None] == of[None, :]).astype("float64")
    return totals / (totals @ same)
