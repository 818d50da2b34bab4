"""Sequential analysis: group-sequential bounds with repeated intervals, and confidence sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import optimize, stats
from scipy.special import ndtr

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate

Spending = Literal["obrien_fleming", "lan_demets"]
_GRID = 401  # nodes of the recursive integral: published bounds are met to their last digit (4)
_FAR = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLooks:
    """Bounds of a group-sequential design.

    Parameters
    ----------
    bounds : tuple of float
        Critical value of the statistic at each look.
    levels : tuple of float
        Level at which an ordinary interval at that look is the repeated confidence interval (0-1).
    spent : tuple of float
        Two-sided error spent up to and including each look (0-1).
    confidence_level : float
        Coverage of the repeated intervals together (0-1).
    """

    bounds: tuple[float, ...]
    levels: tuple[float, ...]
    spent: tuple[float, ...]
    confidence_level: float


def planned_looks(
    fractions: Sequence[float],
    *,
    confidence_level: float = 0.95,
    spending: Spending = "lan_demets",
) -> PlannedLooks:
    """Critical values for looks at planned shares of the information.

    Parameters
    ----------
    fractions : sequence of float
        Share of the planned units (of the information) at each look: rising, positive, at most 1.
    confidence_level : float
        Joint coverage of the repeated intervals (0-1).
    spending : {"lan_demets", "obrien_fleming"}
        ``obrien_fleming``: bound proportional to ``1 / sqrt(fraction)``, all looks known beforehand.
        ``lan_demets``: the error spent on each side by ``2 - 2 Phi(z / sqrt(fraction))``, which holds when
        looks move or are skipped.

    Returns
    -------
    PlannedLooks

    Raises
    ------
    ParameterError
        The fractions do not rise within (0, 1].

    Notes
    -----
    O'Brien and Fleming (1979); Lan and DeMets (1983); the recursion of Armitage, McPherson and Rowe (1969);
    Jennison and Turnbull (2000), chapters 2, 7 and 9, for bounds and repeated confidence intervals.

    Examples
    --------
    >>> looks = planned_looks([0.25, 0.5, 0.75, 1.0], spending="obrien_fleming")
    >>> [round(b, 3) for b in looks.bounds]
    [4.049, 2.863, 2.337, 2.024]
    """
    times = np.asarray(fractions, dtype=float)
    if times.size == 0 or np.any(np.diff(np.concatenate(([0.0], times))) <= 0) or times[-1] > 1 + 1e-12:
        raise ParameterError(f"fractions {list(fractions)}: each look needs more information than the last, up to 1")
    if not 0 < confidence_level < 1:
        raise ParameterError(f"level {confidence_level}: a level lies between 0 and 1, such as 0.95")
    alpha = 1 - confidence_level
    if spending == "lan_demets":
        target = 4 * stats.norm.sf(stats.norm.isf(alpha / 4) / np.sqrt(times))
        bounds = _bounds_that_spend(times, target)
    else:

        def excess(constant: float) -> float:
            return _crossings(times, constant / np.sqrt(times))[-1] - alpha

        bounds = optimize.brentq(excess, 1.0, 8.0, xtol=1e-7) / np.sqrt(times)
    spent = _crossings(times, bounds)
    levels = 1 - 2 * stats.norm.sf(bounds)
    return PlannedLooks(
        bounds=tuple(bounds.tolist()),
        levels=tuple(levels.tolist()),
        spent=tuple(spent.tolist()),
        confidence_level=confidence_level,
    )


def anytime_critical(n: float, *, tuned_at: float, confidence_level: float = 0.95) -> float:
    """Critical value that makes an interval valid at every sample size: an asymptotic confidence sequence.

    Parameters
    ----------
    n : float
        Units so far, both arms together.
    tuned_at : float
        Units at which the interval is to be tightest; fixed beforehand.
    confidence_level : float
        Coverage over all times together (0-1).

    Returns
    -------
    float
        To multiply the standard error with.

    Notes
    -----
    Normal mixture of Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), *Time-uniform central limit theory
    and asymptotic confidence sequences*. Asymptotic: it holds from the first few hundred units on.

    Examples
    --------
    >>> round(anytime_critical(6868, tuned_at=1000), 3)
    3.192
    """
    if not n > 0 or not tuned_at > 0:
        raise ParameterError(f"n {n}, tuned_at {tuned_at}: both are numbers of units and must be positive")
    alpha = 1 - confidence_level
    rho2 = (-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha))) / tuned_at
    inflated = n * rho2 + 1
    return float(np.sqrt(2 * inflated / (n * rho2) * np.log(np.sqrt(inflated) / alpha)))


def nominal_level(critical: float) -> float:
    """Level of the ordinary interval whose half-width is ``critical`` standard errors.

    Examples
    --------
    >>> round(nominal_level(1.959964), 4)
    0.95
    """
    return float(1 - 2 * stats.norm.sf(critical))


def confidence_sequence(estimate: Estimate, *, tuned_at: float, confidence_level: float = 0.95) -> Estimate:
    """An estimate's interval made valid at every look, from its value, standard error and units.

    Parameters
    ----------
    estimate : Estimate
        With ``std_error``; ``n`` is both arms together.
    tuned_at : float
        Units at which the interval is to be tightest.
    confidence_level : float
        Coverage over all times together (0-1).

    Returns
    -------
    Estimate

    Examples
    --------
    >>> e = Estimate(value=0.1, lower=0, upper=0.2, n=1000, unit="relative", method="delta", std_error=0.05)
    >>> round(confidence_sequence(e, tuned_at=1000).lower, 4)
    -0.0518
    """
    if estimate.std_error is None:
        raise ParameterError(f"the estimate by {estimate.method} has no std_error; a confidence sequence needs one")
    half = anytime_critical(estimate.n, tuned_at=tuned_at, confidence_level=confidence_level) * estimate.std_error
    return replace(
        estimate,
        lower=estimate.value - half,
        upper=estimate.value + half,
        confidence_level=confidence_level,
        method=f"{estimate.method}, confidence sequence tuned at {tuned_at:.0f} units",
    )


def _crossings(times: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Two-sided probability of having crossed by each look, under no effect."""
    spent, inside = [], None
    for i in range(times.size):
        spent.append(1 - _mass_within(times, i, bounds[i], inside))
        inside = _inside(times, i, bounds[i], inside)
    return np.array(spent)


def _bounds_that_spend(times: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Bounds in (0.5, 9), look after look, at which the error spent equals the target; 9 where a look is too early."""
    bounds: list[float] = []
    inside: tuple[np.ndarray, np.ndarray] | None = None

    def excess(bound: float) -> float:
        return 1 - _mass_within(times, len(bounds), bound, inside) - target[len(bounds)]

    for i in range(times.size):
        bound = float(optimize.brentq(excess, 0.5, _FAR, xtol=1e-8)) if excess(_FAR) < 0 else _FAR
        inside = _inside(times, i, bound, inside)
        bounds.append(bound)
    return np.array(bounds)


def _mass_within(times: np.ndarray, i: int, bound: float, inside: tuple[np.ndarray, np.ndarray] | None) -> float:
    """Probability of being within the bound at look ``i`` and at every look before."""
    if inside is None:
        return float(1 - 2 * stats.norm.sf(bound))
    nodes, mass = inside
    step, edge = np.sqrt(times[i] - times[i - 1]), bound * np.sqrt(times[i])
    return float((ndtr((edge - nodes) / step) - ndtr((-edge - nodes) / step)) @ mass)


def _inside(
    times: np.ndarray,
    i: int,
    bound: float,
    inside: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Simpson nodes and masses of the Brownian motion that has stayed within every bound up to look ``i``."""
    edge = bound * np.sqrt(times[i])
    nodes = np.linspace(-edge, edge, _GRID)
    if inside is None:
        density = stats.norm.pdf(nodes, scale=np.sqrt(times[i]))
    else:
        step = np.sqrt(times[i] - times[i - 1])
        gaps = (nodes[:, None] - inside[0][None, :]) / step
        density = np.exp(-0.5 * gaps**2) @ inside[1] / (step * np.sqrt(2 * np.pi))
    weights = np.full(_GRID, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return nodes, density * weights * (nodes[1] - nodes[0]) / 3
