"""Uncertainty of ranks, from draws of what is ranked."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from opslib.errors import ParameterError


def top_shares(draws: np.ndarray, *, top: int = 3) -> np.ndarray:
    """Chance of each thing to be among the best few.

    Parameters
    ----------
    draws : ndarray, shape (n_draws, n_things)
        Joint draws of the values that rank them; larger is better.
    top : int
        How many are the best few.

    Returns
    -------
    ndarray, shape (n_things,)
        Shares of the draws (0-1); equal values have equal shares of the places they take. They sum to ``top``, or to the
        number of things where there are fewer.

    Raises
    ------
    ParameterError
        If ``top`` is below one or there is no draw.

    References
    ----------
    Goldstein and Spiegelhalter (1996): a rank without its uncertainty misleads.

    Examples
    --------
    >>> top_shares(np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]]), top=2).tolist()
    [1.0, 0.5, 0.5]
    >>> top_shares(np.array([[2.0, 1.0, 1.0]]), top=2).tolist()
    [1.0, 0.5, 0.5]
    """
    if top < 1 or not len(draws):
        raise ParameterError(f"ranks: top {top} of {len(draws)} draws; needed at least one of both")
    better, up_to = (rankdata(-draws, method=ends, axis=1) for ends in ("min", "max"))
    return np.asarray(np.clip((top + 1 - better) / (up_to + 1 - better), 0, 1).mean(axis=0))


def count_draws(
    counts: np.ndarray, variances: np.ndarray, *, n_draws: int, generator: np.random.Generator
) -> np.ndarray:
    """Draws of counts: gamma with the counts as means and the variances given, so that none is negative.

    Parameters
    ----------
    counts : ndarray, shape (n_things,)
        Observed counts; a zero stays a zero.
    variances : ndarray, shape (n_things,)
        Their variances: the count itself for events that come alone (Poisson), the sum of squares of the groups for events
        that come in groups (compound Poisson).
    n_draws : int
        Rows of the result.
    generator : numpy.random.Generator
        Seeded by the caller.

    Returns
    -------
    ndarray, shape (n_draws, n_things)

    Examples
    --------
    >>> draws = count_draws(np.array([100.0, 0.0]), np.array([100.0, 0.0]), n_draws=2000, generator=np.random.default_rng(1))
    >>> bool(abs(draws[:, 0].mean() - 100) < 1), float(draws[:, 1].max())
    (True, 0.0)
    """
    counts, variances = np.asarray(counts, dtype="float64"), np.asarray(variances, dtype="float64")
    scale = np.divide(variances, counts, out=np.ones_like(counts), where=counts > 0)
    return generator.gamma(counts / scale, 1.0, size=(n_draws, len(counts))) * scale
