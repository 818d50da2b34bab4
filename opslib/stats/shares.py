"""Intervals of proportions: Wilson's for one, Newcombe's for the difference of two."""

from __future__ import annotations

from functools import cache

from scipy import stats as distributions
from statsmodels.stats.proportion import confint_proportions_2indep

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate


def share(successes: int, n: int, *, confidence_level: float = 0.95) -> Estimate:
    """A share with Wilson's interval.

    Parameters
    ----------
    successes, n : int
        Units with the property, units in all; the units must be independent (one a person, not one a row).
    confidence_level : float
        Level of the interval (0-1).

    Returns
    -------
    Estimate
        Unit "share".

    Raises
    ------
    ParameterError
        No units, or more successes than units.

    Notes
    -----
    Wilson (1927); Newcombe (1998), *Statistics in Medicine* 17:857-872.

    Examples
    --------
    >>> e = share(81, 263)
    >>> round(e.lower, 4), round(e.upper, 4)
    (0.2553, 0.3662)
    """
    _require(successes, n)
    value, z = successes / n, _quantile(confidence_level)
    centre = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * (value * (1 - value) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    lower, upper = max(centre - reach, 0.0), min(centre + reach, 1.0)
    return Estimate(
        value=value,
        lower=float(min(lower, value)),
        upper=float(max(upper, value)),
        n=int(n),
        unit="share",
        confidence_level=confidence_level,
        method="Wilson",
        std_error=float((value * (1 - value) / n) ** 0.5),
    )


def share_difference(control: tuple[int, int], treated: tuple[int, int], *, confidence_level: float = 0.95) -> Estimate:
    """Treated share minus control share, with Newcombe's hybrid score interval.

    Parameters
    ----------
    control, treated : (int, int)
        Successes and units of each arm.
    confidence_level : float
        Level of the interval (0-1).

    Returns
    -------
    Estimate
        Unit "share" (a difference of 0.02 is two points).

    Notes
    -----
    Newcombe (1998), *Statistics in Medicine* 17:873-890, method 10.

    Examples
    --------
    >>> e = share_difference((48, 80), (56, 70))
    >>> round(e.lower, 4), round(e.upper, 4)
    (0.0524, 0.3339)
    """
    _require(*control)
    _require(*treated)
    lower, upper = confint_proportions_2indep(
        treated[0],
        treated[1],
        control[0],
        control[1],
        method="newcomb",
        compare="diff",
        alpha=1 - confidence_level,
    )
    a, b = treated[0] / treated[1], control[0] / control[1]
    error = (a * (1 - a) / treated[1] + b * (1 - b) / control[1]) ** 0.5
    return Estimate(
        value=a - b,
        lower=float(lower),
        upper=float(upper),
        n=int(control[1] + treated[1]),
        unit="share",
        confidence_level=confidence_level,
        method="Newcombe",
        std_error=float(error),
    )


@cache
def _quantile(confidence_level: float) -> float:
    """Two-sided quantile of the normal; a table of shares asks it hundreds of times."""
    return float(distributions.norm.isf((1 - confidence_level) / 2))


def _require(successes: int, n: int) -> None:
    if n <= 0 or not 0 <= successes <= n:
        raise ParameterError(f"{successes} of {n}: needed at least one unit and 0 <= successes <= units")
