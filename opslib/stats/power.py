"""Power, minimal detectable change, needed units and days, from sufficient statistics alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import optimize, stats

from opslib.errors import ParameterError
from opslib.stats.arms import arm_points
from opslib.stats.sufficient_statistics import SufficientStatistics

#: Chance of seeing an effect that a size or a smallest change is worked out for.
POWER = 0.8


def unit_variation(sums: SufficientStatistics, *, adjust: bool = True) -> float:
    """Squared coefficient of variation of one unit: its variance over the squared metric, after adjustment.

    Parameters
    ----------
    sums : SufficientStatistics
        History of the units that would be randomised (means, shares and ratios alike).
    adjust : bool
        Count on the covariate, where there is one.

    Returns
    -------
    float
        Without unit; divide by units for the variance of a log metric.

    Examples
    --------
    >>> unit_variation(SufficientStatistics.of_share(n=10_001, successes=1_000.1))
    9.0009
    """
    half = SufficientStatistics(**{name: getattr(sums, name) / 2 for name in sums.__slots__})
    control, _ = arm_points({"all": half}, {"all": half}, adjust=adjust)
    if not control.value > 0:
        raise ParameterError(f"the metric is {float(control.value):.6g}: relative changes need a positive one")
    return round(float(control.variances[0] * (half.n - 1) / (half.n - 0.5) / control.value**2), 12)


def power_of(change: Any, *, std_error: Any, confidence_level: float = 0.95) -> Any:
    """Chance that a two-sided test at ``1 - confidence_level`` sees ``change`` (elementwise; in the unit of the error).

    Examples
    --------
    >>> round(float(power_of(2.8, std_error=1.0)), 2)
    0.8
    """
    z = stats.norm.ppf((1 + confidence_level) / 2)
    ratio = np.abs(np.asarray(change) / np.asarray(std_error))
    return stats.norm.sf(z - ratio) + stats.norm.cdf(-z - ratio)


def minimal_detectable_change(
    variation: float,
    *,
    n_control: float,
    n_treated: float,
    confidence_level: float = 0.95,
) -> float:
    """Smallest relative change seen with a chance of 0.8.

    Parameters
    ----------
    variation : float
        From `unit_variation`.
    n_control, n_treated : float
        Units of each arm.
    confidence_level : float
        Level of the interval (0.2-1).

    Returns
    -------
    float
        Relative change (0.05 = 5 %).

    Examples
    --------
    >>> round(minimal_detectable_change(9.0, n_control=50_000, n_treated=50_000), 4)
    0.0546
    """
    if min(n_control, n_treated) <= 0:
        raise ParameterError(f"units ({n_control}, {n_treated}): every arm needs at least one")
    error = math.sqrt(variation * (1 / n_control + 1 / n_treated))
    return math.expm1(_detectable_z(confidence_level) * error)


def needed_units(
    variation: float,
    *,
    change: float,
    treated_share: float = 0.5,
    confidence_level: float = 0.95,
) -> int:
    """Units of both arms together at which a relative change is seen with a chance of 0.8.

    Parameters
    ----------
    variation : float
        From `unit_variation`.
    change : float
        Relative change (0.05 = 5 %), not zero.
    treated_share : float
        Share of the units that is treated (0-1).
    confidence_level : float
        Level of the interval (0.2-1).

    Returns
    -------
    int

    Examples
    --------
    >>> needed_units(9.0, change=0.05)
    118699
    """
    if not change > -1 or change == 0:
        raise ParameterError(f"change {change}: needed a relative change above -1 that is not zero")
    if not 0 < treated_share < 1:
        raise ParameterError(f"treated_share {treated_share}: a share lies between 0 and 1")
    z = _detectable_z(confidence_level)
    return math.ceil(variation * (1 / treated_share + 1 / (1 - treated_share)) * (z / math.log1p(change)) ** 2)


def needed_days(n_needed: float, *, units_per_day: float) -> float:
    """Days until the needed units are there at the present traffic; infinite without traffic.

    Examples
    --------
    >>> needed_days(98_708, units_per_day=4_000)
    25
    """
    if units_per_day <= 0:
        return math.inf
    return max(0, math.ceil(n_needed / units_per_day))


def _detectable_z(confidence_level: float) -> float:
    """Effect, in standard errors, that a two-sided test sees with `POWER`."""
    if not 1 - POWER < confidence_level < 1:
        raise ParameterError(f"level {confidence_level}: needed more than {1 - POWER:.1g} and less than 1")
    return float(
        optimize.brentq(
            lambda z: float(power_of(z, std_error=1.0, confidence_level=confidence_level)) - POWER, 0.0, 20.0
        )
    )
