"""How counts fall after a start: a peak that halves again and again, and what remains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate

_STARTS = (10.0, 30.0, 90.0)
_HALF_LIVES = (2.0, 1000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """A fitted fall: rate(t) = rest + peak x 0.5 ** (t / half-life).

    Parameters
    ----------
    first : Estimate
        Rate at the start (rest + peak), per unit of exposure.
    rest : Estimate
        Rate that remains, per unit of exposure.
    half_life : Estimate
        Days in which the peak halves.
    p_value : float
        Chance of a fit as good if the rate were the same all the time.
    """

    first: Estimate
    rest: Estimate
    half_life: Estimate
    p_value: float


def fit_decay(
    days: np.ndarray, counts: np.ndarray, exposures: np.ndarray, *, confidence_level: float = 0.95
) -> Decay | None:
    """Fit a decaying rate to counts by quasi-Poisson maximum likelihood.

    Parameters
    ----------
    days : ndarray, n
        Days since the start, at the middle of each piece of time.
    counts : ndarray, n
        What was counted.
    exposures : ndarray, n
        What a rate of one would have given; pieces without exposure are left out.
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    Decay or None
        None where there are fewer than 8 pieces, nothing was counted, or no fall can be fitted.

    Raises
    ------
    ParameterError
        The three are not of one length.

    Notes
    -----
    McCullagh, Nelder (1989), chapter 9: the variance is the mean times a dispersion, estimated by Pearson's statistic. Intervals are
    Wald's on the log scale; the test compares deviances with F(2, n - 3).

    Examples
    --------
    >>> t = np.arange(3.5, 200, 7)
    >>> found = fit_decay(t, np.round(1000 * (0.5 + 2 * 0.5 ** (t / 30))), np.full(t.size, 1000.0))
    >>> round(found.half_life.value), round(found.rest.value, 1), found.p_value < 0.01
    (30, 0.5, True)
    """
    days, counts, exposures = (np.asarray(values, dtype="float64") for values in (days, counts, exposures))
    if not days.shape == counts.shape == exposures.shape:
        raise ParameterError(
            f"days, counts, exposures: {days.size}, {counts.size}, {exposures.size} numbers; give as many of each"
        )
    days, counts, exposures = (values[exposures > 0] for values in (days, counts, exposures))
    if days.size < 8 or counts.sum() <= 0:
        return None

    def mean(logs: np.ndarray) -> np.ndarray:
        rest, peak, half = np.exp(logs)
        return exposures * (rest + peak * 0.5 ** (days / half))

    def loss(logs: np.ndarray) -> float:
        expected = mean(logs)
        return float((expected - counts * np.log(np.maximum(expected, 1e-12))).sum())

    overall = counts.sum() / exposures.sum()
    bounds = [(np.log(overall) - 8, np.log(overall) + 8)] * 2 + [tuple(np.log(_HALF_LIVES))]
    begins = [np.log([overall / 2, overall * 2, start]) for start in _STARTS]
    fits = [
        optimize.minimize(loss, begin, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-9})
        for begin in begins
    ]
    best = min(fits, key=lambda fit: fit.fun)
    expected, (rest, peak, half) = mean(best.x), np.exp(best.x)
    fall = 0.5 ** (days / half)
    slopes = np.stack(
        [exposures * rest, exposures * peak * fall, exposures * peak * fall * np.log(2) * days / half], axis=1
    )
    information = slopes.T @ (slopes / expected[:, None])
    if np.linalg.cond(information) > 1e12:
        return None
    freedom = days.size - 3
    dispersion = max(float(((counts - expected) ** 2 / expected).sum() / freedom), 1.0)
    covariance = np.linalg.inv(information) * dispersion
    t = float(stats.t.ppf(0.5 + confidence_level / 2, freedom))
    constant = exposures * overall
    gain = 2 * (loss(best.x) - float((constant - counts * np.log(constant)).sum()))
    p_value = float(stats.f.sf(max(-gain, 0.0) / 2 / dispersion, 2, freedom))
    parts = np.array([rest, peak, 0.0]) / (rest + peak)

    def estimate(value: float, weights: np.ndarray, unit: str) -> Estimate:
        error = float(np.sqrt(weights @ covariance @ weights))
        return Estimate(
            value=float(value), lower=float(value * np.exp(-t * error)), upper=float(value * np.exp(min(t * error, 50.0))), n=int(days.size),
            unit=unit, method="quasi-Poisson decay", confidence_level=confidence_level,
        )  # fmt: skip

    rows = np.eye(3)
    return Decay(
        first=estimate(rest + peak, parts, "ratio"), rest=estimate(rest, rows[0], "ratio"), half_life=estimate(half, rows[2], "days"),
        p_value=p_value,
    )  # fmt: skip
