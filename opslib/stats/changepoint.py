"""Changepoints: when the level of a series changed, each with an interval of its position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from opslib.errors import ParameterError
from opslib.stats.daily_series import CHANGE_PENALTY, autocorrelation, change_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Changepoint:
    """One change of level.

    Attributes
    ----------
    position, lower, upper : int
        First value of the new level: the most likely one, and the ends of its interval (0 is the first value of the series).
    before, after : float
        Level on either side, up to the next change, in the unit of the series.
    confidence_level : float
        Coverage that the interval claims (0-1).
    """

    position: int
    lower: int
    upper: int
    before: float
    after: float
    confidence_level: float


def changepoints(
    values: np.ndarray, *, min_length: int = 14, penalty: float = CHANGE_PENALTY, confidence_level: float = 0.95
) -> tuple[Changepoint, ...]:
    """Changes of a series' level, with the interval in which each began.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In time order and evenly spaced, without weekday pattern; missing ones are bridged linearly.
    min_length : int
        Shortest stretch between two changes.
    penalty : float
        What a change must earn, in long-run variances times log n.
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    tuple of Changepoint
        In time order; empty where the level never changes. The number is that of `daily_series.change_positions`.

    Raises
    ------
    ParameterError
        A confidence level outside 0-1.

    Notes
    -----
    The interval is the smallest set of positions that holds ``confidence_level`` of the posterior, between its ends: one
    change between the two neighbouring ones, noise AR(1), every position, both levels and the logarithm of the noise
    equally likely beforehand.

    Source: Smith (1975), Biometrika 62, 407-416 (posterior of a changepoint), on values whitened as by Cochrane and Orcutt
    (1949); number and neighbours: Killick, Fearnhead, Eckley (2012), JASA 107.

    Examples
    --------
    >>> level = np.r_[np.full(40, 5.0), np.full(40, 9.0)] + np.tile([0.0, 0.1], 40)
    >>> [(found.position, found.lower, found.upper) for found in changepoints(level)]
    [(40, 40, 40)]
    """
    if not 0 < confidence_level < 1:
        raise ParameterError(f"confidence_level: {confidence_level} is not between 0 and 1; e.g. 0.95")
    series = np.asarray(values, dtype=float)
    positions = change_positions(series, min_days=min_length, penalty=penalty)
    if not positions:
        return ()
    filled = pd.Series(series).interpolate(limit_direction="both").to_numpy(float)
    phi = max(autocorrelation(series), 0.0)
    edges = [0, *positions, len(filled)]
    found = []
    for start, end in zip(edges[:-2], edges[2:], strict=True):
        likely = _posterior(filled[start:end], phi)
        order = np.argsort(-likely, kind="stable")
        held = order[: int(np.searchsorted(np.cumsum(likely[order]), confidence_level)) + 1]
        best, lower, upper = (start + int(place) for place in (order[0], held.min(), held.max()))
        while lower > 1 and np.isnan(series[lower - 1]):
            lower -= 1  # a change may lie anywhere in a gap
        while upper < len(series) - 1 and np.isnan(series[upper]):
            upper += 1
        found.append(
            Changepoint(
                position=best, lower=lower, upper=upper,
                before=float(filled[start:best].mean()), after=float(filled[best:end].mean()), confidence_level=confidence_level,
            )
        )  # fmt: skip
    return tuple(found)


def _posterior(values: np.ndarray, phi: float) -> np.ndarray:
    """Probability of each position to be the first of a new level; positions with fewer than two values beside them have none."""
    n = len(values)
    steps = np.tri(n, n)  # column k: 0 before position k, 1 from it on
    white = np.column_stack([values - values.mean(), np.ones(n), steps])
    white = np.vstack([white[:1] * np.sqrt(1 - phi**2), white[1:] - phi * white[:-1]])
    y, one, steps = white[:, 0], white[:, 1], white[:, 2:]
    y, steps = (part - np.multiply.outer(one, one @ part / (one @ one)) for part in (y, steps))
    squares, along = (steps**2).sum(axis=0), y @ steps
    fits = np.full(n, -np.inf)
    inner = slice(2, n - 1)
    left = np.maximum(
        y @ y - along[inner] ** 2 / squares[inner], 1e-12 * (y @ y)
    )  # of a series without noise nothing is left
    fits[inner] = -0.5 * np.log(squares[inner]) - 0.5 * (n - 2) * np.log(left)
    likely = np.exp(fits - fits.max())
    return likely / likely.sum()
