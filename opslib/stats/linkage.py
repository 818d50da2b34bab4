"""Are two records the same thing? A mixture over patterns of agreement, with or without pairs that are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from opslib.errors import ParameterError

MATCH, VARIANT, UNRELATED = range(3)
KNOWN_MATCH, KNOWN_OTHER, UNKNOWN = 1, 0, -1
MISSING = -1
#: Pairs that the starting values count for, a class and feature: keeps a level that was never seen from being impossible.
PRIOR_PAIRS = 1.0
ENOUGH_KNOWN = 30
"""Known matches from which they alone teach what a match looks like; below, likely matches teach too."""
MAX_ROUNDS, CONVERGED = 500, 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkageModel:
    """Three classes of pairs: the same thing, a variant of it (alike in most, not the same), unrelated.

    Parameters
    ----------
    shares : tuple of float
        Shares of the classes among pairs of unknown status: match, variant, unrelated; they sum to one.
    levels : pandas.DataFrame
        feature, level (0 = disagrees, larger = agrees more), match, variant, unrelated: the probability of the level in
        each class. Within a class, features are taken as independent; a missing one says nothing.
    n_pairs, n_known : int
        Pairs used, and how many of them were known to match.
    """

    shares: tuple[float, float, float]
    levels: pd.DataFrame
    n_pairs: int
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
    for known pairs beside unknown ones and for the third class, without which variants pass as matches.

    Examples
    --------
    >>> table = pd.DataFrame({"name": [2, 1, 0, 0], "size": [1, 1, 0, 1], "n": [40, 30, 200, 100], "label": [1, 0, -1, -1]})
    >>> model = fit_linkage(table, features={"name": 3, "size": 2})
    >>> bool(model.levels.query("feature == 'name' and level == 2")["match"].item() > 0.9)
    True
    """
    codes, counts, labels = _arrays(patterns, features)
    starts = tables = _starts(features)
    prior = shares = np.array([0.01, 0.01, 0.98])
    allowed = np.ones((len(counts), 3))
    allowed[labels == KNOWN_MATCH] = [1, 0, 0]
    allowed[labels == KNOWN_OTHER] = [0, 1, 1]
    is_open = (labels == UNKNOWN) if (labels == UNKNOWN).any() else np.ones(len(labels), dtype=bool)
    n_known = int(counts[labels == KNOWN_MATCH].sum())
    teaches = (labels == KNOWN_MATCH) if n_known >= ENOUGH_KNOWN else np.ones(len(labels), dtype=bool)
    for _ in range(MAX_ROUNDS):
        joint = allowed * shares * _likelihood(codes, tables)
        weights = counts[:, None] * joint / joint.sum(axis=1, keepdims=True)
        before, shares = shares, weights[is_open].sum(axis=0) + PRIOR_PAIRS * prior
        shares = shares / shares.sum()
        weights[~teaches, MATCH] = 0.0
        tables = []
        for place, (name, start) in enumerate(zip(features, starts, strict=True)):
            totals = _level_totals(codes[:, place], weights, start.shape[1]) + PRIOR_PAIRS * start * start.shape[1]
            if telling is not None and name not in telling:
                totals[VARIANT] = totals[MATCH] + (0.0 if n_known >= ENOUGH_KNOWN else totals[VARIANT])
                totals[MATCH] = totals[VARIANT]
            tables.append(totals / totals.sum(axis=1, keepdims=True))
        if np.abs(shares - before).max() < CONVERGED:
            break
    rows = [(name, level, *table[:, level]) for name, table in zip(features, tables, strict=True) for level in range(table.shape[1])]  # fmt: skip
    return LinkageModel(
        shares=(float(shares[0]), float(shares[1]), float(shares[2])),
        levels=pd.DataFrame(rows, columns=["feature", "level", "match", "variant", "unrelated"]),
        n_pairs=int(counts.sum()),
        n_known=n_known,
    )


def _arrays(patterns: pd.DataFrame, features: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, numbers of pairs and labels, in an order that does not depend on that of the rows."""
    rows = patterns[patterns["n"] > 0].sort_values([*features, "label"], kind="stable")
    if not len(rows):
        raise ParameterError("linkage: no pair to learn from; widen the blocking, so that some pairs are compared")
    codes = rows[list(features)].to_numpy(dtype="int64")
    for place, (name, n_levels) in enumerate(features.items()):
        if codes[:, place].min() < MISSING or codes[:, place].max() >= n_levels:
            raise ParameterError(f"linkage: levels of '{name}' run from -1 (missing) to {n_levels - 1}")
    return codes, rows["n"].to_numpy(dtype="float64"), rows["label"].to_numpy(dtype="int64")


def _starts(features: Mapping[str, int]) -> list[np.ndarray]:
    """Where the fit begins: matches agree, unrelated pairs do not, variants agree but for the first feature."""
    tables = []
    for place, n_levels in enumerate(features.values()):
        rising = 4.0 ** np.arange(n_levels)
        middle = np.where(np.arange(n_levels) < n_levels - 1, rising, 1.0)
        table = np.vstack([rising, middle if place == 0 else rising, rising[::-1]])
        tables.append(table / table.sum(axis=1, keepdims=True))
    return tables


def _likelihood(codes: np.ndarray, tables: list[np.ndarray]) -> np.ndarray:
    out = np.ones((len(codes), 3))
    for place, table in enumerate(tables):
        out = out * np.where(codes[:, [place]] == MISSING, 1.0, table.T[np.maximum(codes[:, place], 0)])
    return out


def _level_totals(codes: np.ndarray, weights: np.ndarray, n_levels: int) -> np.ndarray:
    """Pairs of each class at each level (three rows)."""
    seen = codes >= 0
    return np.vstack([np.bincount(codes[seen], weights=w[seen], minlength=n_levels) for w in weights.T])
