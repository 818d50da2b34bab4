"""Counts above those of their peers: a Poisson-lognormal test of many units, whose own differences are measured first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats as distributions

from opslib.errors import ParameterError
from opslib.stats.multiplicity import false_discovery_rates

MOST_ROUNDS, FARTHEST, N_NODES = 10, 0.1, 40
"""Times that units beyond chance are set aside and the others measured again; share of the units set aside at first;
nodes of the quadrature."""


def peer_excess(
    observed: np.ndarray,
    exposure: np.ndarray,
    groups: np.ndarray,
    *,
    false_discovery: float = 0.1,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Counts of units against the rate of the other units of their group, one-sided.

    Units of one group differ without any fault. Their variance beyond Poisson is measured over all units but those found to stand out
    (at first, the tenth farthest out), until nothing changes; a unit is tested against the Poisson law whose mean varies so,
    lognormally: some products are far below the others of their category without being broken.

    Parameters
    ----------
    observed, exposure : ndarray, shape (n_units,)
        Events, and chances for them (returns and lines, low ratings and reviews).
    groups : ndarray, shape (n_units,)
        Whose rate is expected: that of the other units of the group, with one event's worth of the rate of all.
    false_discovery : float
        Rate at which units are set aside (0-1), by Benjamini and Hochberg.
    confidence_level : float
        Coverage of the interval of each ratio (0-1): Poisson, the unit's own.

    Returns
    -------
    DataFrame
        One row a unit: expected, ratio (observed over expected; missing where nothing is expected), ratio_lower, ratio_upper, ratio_next (posterior mean: what
        the same unit will show next time if nothing is done), p_value, q_value.

    Raises
    ------
    ParameterError
        A count or exposure is negative.

    Notes
    -----
    Poisson-lognormal model and posterior: Clayton and Kaldor (1987), Biometrics 43, by Gauss-Hermite quadrature; variance between
    units by moments, with two standard errors added; Benjamini and Hochberg (1995).

    Examples
    --------
    >>> found = peer_excess(np.array([5.0, 6, 4, 5, 40]), np.full(5, 100.0), np.array(["lamps"] * 5))
    >>> found["expected"].round(1).tolist(), (found["q_value"] < 0.1).tolist()
    ([5.0, 4.7, 5.3, 5.0, 5.0], [False, False, False, False, True])
    """
    x, n = np.asarray(observed, dtype="float64"), np.asarray(exposure, dtype="float64")
    if (x < 0).any() or (n < 0).any():
        raise ParameterError("observed, exposure: a count is negative; returns and cases are counted, not summed")
    aside = _farthest(x, n * _rates(x, n, groups, np.ones(len(x), dtype=bool)))
    expected, p, q = np.zeros(len(x)), np.ones(len(x)), np.ones(len(x))
    for _ in range(MOST_ROUNDS):
        expected = n * _rates(x, n, groups, ~aside)
        means, weights = _peers(expected, _variance(x[~aside], expected[~aside]))
        p = np.where(n > 0, np.minimum(distributions.poisson.sf(x[:, None] - 1, means) @ weights, 1.0), 1.0)
        q = false_discovery_rates(p, n_tested=len(p))
        if (aside == (q <= false_discovery)).all():
            break
        aside = q <= false_discovery
    means, weights = _peers(expected, _variance(x, expected))
    likely = distributions.poisson.logpmf(x[:, None], means)
    likely = np.exp(likely - likely.max(axis=1, keepdims=True)) * weights
    tail = (1 - confidence_level) / 2
    known = np.where(expected > 0, expected, np.nan)
    return pd.DataFrame(
        {
            "expected": expected,
            "ratio": x / known,
            "ratio_lower": np.where(x > 0, distributions.gamma.ppf(tail, np.maximum(x, 1)), 0.0) / known,
            "ratio_upper": distributions.gamma.ppf(1 - tail, x + 1) / known,
            "ratio_next": (likely * means).sum(axis=1) / likely.sum(axis=1) / known,
            "p_value": p,
            "q_value": q,
        }
    )


def _farthest(x: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The tenth of the units farthest above what is expected: a few large ones must not hide each other."""
    distance = (x - expected) / np.sqrt(np.maximum(expected, 1.0))
    return distance > np.quantile(distance, 1 - FARTHEST) if len(x) else np.zeros(0, dtype=bool)


def _rates(x: np.ndarray, n: np.ndarray, groups: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Rate of the other kept units of each unit's group, with the rate of all as one event's worth of exposure."""
    whole = x[kept].sum() / max(n[kept].sum(), 1.0)
    frame = pd.DataFrame({"x": np.where(kept, x, 0.0), "n": np.where(kept, n, 0.0)})
    others = frame.groupby(pd.Series(groups).fillna("").to_numpy()).transform("sum") - frame
    if whole == 0:
        return np.zeros(len(x))
    return ((others["x"] + 1) / (others["n"] + 1 / whole)).to_numpy()


def _peers(expected: np.ndarray, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """Means that a unit without a fault may have, around what is expected, and how likely each is."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODES)
    spread = np.log1p(variance)
    ratios = np.exp(np.sqrt(spread) * nodes - spread / 2)
    return np.maximum(expected, 1e-12)[:, None] * ratios, weights / weights.sum()


def _variance(x: np.ndarray, expected: np.ndarray) -> float:
    """Variance of the units' true ratios, two standard errors above its estimate: who knows it badly names fewer."""
    weight = max(float((expected**2).sum()), 1e-12)
    return max(float(((x - expected) ** 2 - expected).sum()) / weight, 0.0) + 2 * np.sqrt(2 / weight)
