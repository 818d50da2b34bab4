"""Scoring rules: CRPS of a predictive distribution, Brier score with its decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.shrinkage import Mixture


@dataclass(frozen=True, slots=True, kw_only=True)
class BrierScore:
    """A Brier score and its parts: score = reliability - resolution + uncertainty + within.

    Attributes
    ----------
    score : float
        Mean squared distance between stated probability and outcome (0 best, 0.25 for always saying one half).
    reliability : float
        How far stated probabilities lie from what then happened (0 best).
    resolution : float
        How much what happened differs between the bins (higher is better).
    uncertainty : float
        Variance of the outcomes themselves.
    within : float
        What binning leaves over (0 where each bin holds one probability).
    bins : DataFrame
        One row a bin: ``stated_share`` (mean probability), ``happened_share``, ``n``.
    n : int
        Promises scored.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    bins: pd.DataFrame
    n: int


def crps(predicted: Mixture, observed: float) -> float:
    """Continuous ranked probability score of one prediction (0 best, in the unit of the effect).

    Parameters
    ----------
    predicted : Mixture
        Predictive distribution, noise of the follow-up included.
    observed : float
        What the follow-up found.

    Returns
    -------
    float
        Score; for a point prediction the absolute error.

    Source: Grimit, Gneiting, Berrocal, Johnson (2006), QJRMS 132, closed form for normal mixtures.

    Examples
    --------
    >>> round(crps(Mixture(weights=(1.0,), means=(0.0,), sds=(1.0,)), 0.0), 4)
    0.2337
    """
    weights, means, sds = (np.array(part) for part in (predicted.weights, predicted.means, predicted.sds))
    to_observed = weights @ _mean_absolute(observed - means, sds)
    between = _mean_absolute(means[:, None] - means, np.hypot(sds[:, None], sds))
    return float(to_observed - weights @ between @ weights / 2)


def brier(probabilities: Sequence[float], outcomes: Sequence[float], *, n_bins: int = 10) -> BrierScore:
    """Brier score of stated probabilities with Murphy's decomposition.

    Parameters
    ----------
    probabilities : sequence of float
        Stated probabilities (0-1).
    outcomes : sequence of float
        1 where it happened, 0 where not, between where the follow-up leaves a probability.
    n_bins : int
        Equal-width bins of the stated probability.

    Returns
    -------
    BrierScore
        Score, its parts, and the reliability table.

    Raises
    ------
    ParameterError
        Nothing to score, or lengths that differ, or values outside 0-1.

    Source: Murphy (1973), J. Applied Meteorology 12; within-bin part, Stephenson, Coelho, Jolliffe (2008), WAF 23.

    Examples
    --------
    >>> result = brier([0.9, 0.9, 0.1, 0.1], [1, 0, 0, 0])
    >>> round(result.score, 3), round(result.reliability, 3), round(result.resolution, 4), result.uncertainty
    (0.21, 0.085, 0.0625, 0.1875)
    """
    stated, happened = np.asarray(probabilities, float), np.asarray(outcomes, float)
    if len(stated) == 0 or len(stated) != len(happened):
        raise ParameterError(f"probabilities: {len(stated)}, outcomes: {len(happened)}; needed: as many, at least one")
    for name, numbers in (("probabilities", stated), ("outcomes", happened)):
        outside = numbers[~((numbers >= 0) & (numbers <= 1))]
        if len(outside):
            raise ParameterError(f"{name}: {outside[0]} is outside 0-1")
    at = np.minimum((stated * n_bins).astype(int), n_bins - 1)
    rows = pd.DataFrame({"at": at, "stated_share": stated, "happened_share": happened})
    grouped = rows.groupby("at", sort=True)
    bins = grouped.mean().assign(n=grouped.size()).reset_index(drop=True)
    share = bins["n"].to_numpy() / len(stated)
    reliability = float(share @ (bins["stated_share"] - bins["happened_share"]) ** 2)
    resolution = float(share @ (bins["happened_share"] - happened.mean()) ** 2)
    uncertainty, score = float(happened.var()), float(np.mean((stated - happened) ** 2))
    return BrierScore(
        score=score,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within=score - (reliability - resolution + uncertainty),
        bins=bins,
        n=len(stated),
    )


def _mean_absolute(means: np.ndarray, sds: np.ndarray) -> np.ndarray:
    """Expected absolute value of a normal variable."""
    safe = np.where(sds > 0, sds, 1.0)
    z = means / safe
    return np.where(sds > 0, 2 * safe * stats.norm.pdf(z) + means * (2 * stats.norm.cdf(z) - 1), np.abs(means))
