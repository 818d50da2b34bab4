"""Intervals of ratios and totals over buyers, and of their change between two periods that share buyers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats as distributions

from opslib import engine

LEVEL = 0.95
"""Coverage of the intervals of figures."""

_DIGITS = 9
"""Digits of the ends of an interval: variances are differences of sums of `engine.SIGNIFICANT_DIGITS` digits, and the last
of those depends on the order in which an engine adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodSums:
    """Sums over the buyers of one period: y numerator, d denominator (None for a total).

    Parameters
    ----------
    n : float
        Buyers with anything in the period.
    y, yy : float
        Sum of the numerator, and of its squares.
    d, dd, yd : float or None
        Sum of the denominator, of its squares, and of the products.
    """

    n: float
    y: float
    yy: float
    d: float | None = None
    dd: float | None = None
    yd: float | None = None

    @classmethod
    def of(cls, sums: Mapping[str, float], *, is_total: bool) -> PeriodSums:
        """A side from sums by name; what is not there is 0."""
        names = ("n", "y", "yy") if is_total else ("n", "y", "yy", "d", "dd", "yd")
        return cls(**{name: sums.get(name, 0.0) for name in names})

    @property
    def value(self) -> float:
        """Ratio or total; missing without a denominator."""
        if self.d is None:
            return self.y
        return self.y / self.d if self.d else float("nan")

    @property
    def variance(self) -> float:
        """Variance over buyers: delta method for a ratio, buyers arriving as a Poisson process for a total."""
        if self.d is None:
            return self.yy
        if not self.d or self.n < 2:
            return float("nan")
        squares = self.yy - 2 * self.value * self.yd + self.value**2 * self.dd  # type: ignore[operator]
        return max(squares, 0.0) / self.d**2 * self.n / (self.n - 1)


def value_interval(side: PeriodSums) -> tuple[float, float]:
    """Interval of a ratio with Student's t on buyers - 1; missing for a total, which is counted, not estimated."""
    if side.d is None or not np.isfinite(side.variance):
        return float("nan"), float("nan")
    half = _critical(side.n) * np.sqrt(side.variance)
    return _ends(side.value - half, side.value + half)


def change_interval(before: PeriodSums, after: PeriodSums, products: Mapping[str, float]) -> tuple[float, float, float]:
    """Relative change between two periods and its interval, on the logarithm.

    The covariance through buyers of both periods is taken off; buyers are taken as independent of each other. ``products``
    holds the sums of products over buyers of before (0) and after (1): y0y1, and for ratios y0d1, d0y1, d0d1.

    Returns
    -------
    tuple of three floats
        Change, lower, upper (0.05 is +5 %); missing unless both values are positive, the ends also where a period has
        one buyer: what it shares with the other would cancel, and an interval without width remain.
    """
    r0, r1 = before.value, after.value
    if not (r0 > 0 and r1 > 0):
        return float("nan"), float("nan"), float("nan")
    covariance = _covariance(before, after, products)
    squared = before.variance / r0**2 + after.variance / r1**2 - 2 * covariance / (r0 * r1)
    half = _half(squared, before, after)
    log = np.log(r1 / r0)
    return (r1 / r0 - 1, *_ends(np.exp(log - half) - 1, np.exp(log + half) - 1))


def difference_interval(
    before: PeriodSums, after: PeriodSums, products: Mapping[str, float]
) -> tuple[float, float, float]:
    """Difference of two shares in points (0.05 is 5 points) and its interval, with the covariance of `change_interval`."""
    half = _half(before.variance + after.variance - 2 * _covariance(before, after, products), before, after)
    difference = after.value - before.value
    return (difference, *_ends(difference - half, difference + half))


def _ends(lower: float, upper: float) -> tuple[float, float]:
    """The ends of an interval in digits that do not depend on the order of a sum."""
    lower, upper = engine.round_significant(np.array([lower, upper]), digits=_DIGITS)
    return float(lower), float(upper)


def _covariance(before: PeriodSums, after: PeriodSums, products: Mapping[str, float]) -> float:
    """Covariance of the two values through the buyers of both periods."""
    if before.d is None or after.d is None:
        return products["y0y1"]
    if not (before.d and after.d):
        return float("nan")
    r0, r1 = before.value, after.value
    shared = products["y0y1"] - r1 * products["y0d1"] - r0 * products["d0y1"] + r0 * r1 * products["d0d1"]
    return shared / (before.d * after.d)


def _half(squared: float, before: PeriodSums, after: PeriodSums) -> float:
    """Half the width of an interval of a squared error; missing where a period has one buyer."""
    fewest = min(before.n, after.n)
    return float(_critical(fewest) * np.sqrt(max(squared, 0.0))) if fewest >= 2 and np.isfinite(squared) else np.nan


def _critical(n: float) -> float:
    return float(distributions.t.ppf((1 + LEVEL) / 2, n - 1))
