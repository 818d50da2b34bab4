"""Verdict rule: interval, smallest worthwhile change and promise give a state."""

from __future__ import annotations

from typing import Literal

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate

ClaimState = Literal["harmful", "confirmed", "supported", "partly", "refuted", "inconclusive"]
LevelState = Literal["supported", "refuted", "inconclusive"]
GuardrailState = Literal["held", "broken", "unclear"]


def towards(estimate: Estimate, *, direction: Literal["up", "down"]) -> Estimate:
    """The estimate with its sign turned so that an improvement is positive.

    Examples
    --------
    >>> fewer = Estimate(value=-0.03, lower=-0.05, upper=-0.01, n=900, unit="share", method="Newcombe")
    >>> towards(fewer, direction="down").lower
    0.01
    """
    if direction not in ("up", "down"):
        raise ParameterError(f"direction '{direction}' is not known; allowed: up, down")
    return estimate if direction == "up" else estimate.scaled(-1.0, unit=estimate.unit)


def verdict_of(interval: tuple[float, float], *, promise: float, smallest_worthwhile: float = 0.0) -> ClaimState:
    """State of a claim about a change, its direction normalised so that the promise is positive.

    Parameters
    ----------
    interval : (float, float)
        ``[L, U]`` of the effect, in the unit of the promise.
    promise : float
        Promised effect, positive.
    smallest_worthwhile : float
        Smallest change worth having, ``0 <= smallest_worthwhile <= promise``.

    Returns
    -------
    str
        harmful, confirmed, supported, partly, refuted or inconclusive: the first that matches.

    Raises
    ------
    ParameterError
        The promise is not positive, ``smallest_worthwhile`` is not in [0, promise], or the ends are out of order.

    Examples
    --------
    >>> verdict_of((0.01, 0.08), promise=0.05)
    'supported'
    >>> verdict_of((-0.01, 0.03), promise=0.05)
    'refuted'
    """
    lower, upper = _ordered(interval)
    if not promise > 0 or not 0 <= smallest_worthwhile <= promise:
        raise ParameterError(
            f"promise {promise} and smallest_worthwhile {smallest_worthwhile}: needed 0 <= smallest_worthwhile <= promise "
            "and promise > 0; "
            "normalise the direction first (towards)"
        )
    if upper < 0:
        return "harmful"
    if lower >= promise:
        return "confirmed"
    if lower > smallest_worthwhile:
        return "supported" if upper >= promise else "partly"
    return "refuted" if upper < promise else "inconclusive"


def level_verdict_of(interval: tuple[float, float], *, threshold: float) -> LevelState:
    """State of a claim about a level or a trend: at least ``threshold``, in the normalised direction.

    Examples
    --------
    >>> level_verdict_of((0.31, 0.36), threshold=0.30)
    'supported'
    """
    lower, upper = _ordered(interval)
    if lower >= threshold:
        return "supported"
    return "refuted" if upper < threshold else "inconclusive"


def guardrail_state_of(interval: tuple[float, float], *, margin: float) -> GuardrailState:
    """State of a guardrail: no worse than ``margin`` (positive), in the normalised direction.

    Examples
    --------
    >>> guardrail_state_of((-0.004, 0.02), margin=0.01)
    'held'
    """
    lower, upper = _ordered(interval)
    if margin < 0:
        raise ParameterError(f"margin {margin}: a guardrail's margin is the loss allowed, 0 or more")
    if lower > -margin:
        return "held"
    return "broken" if upper < -margin else "unclear"


def _ordered(interval: tuple[float, float]) -> tuple[float, float]:
    lower, upper = interval
    if not lower <= upper:
        raise ParameterError(f"interval ({lower}, {upper}): the ends must be numbers in order")
    return lower, upper
