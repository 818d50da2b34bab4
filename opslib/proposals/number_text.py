"""Numbers inside the sentences of a verdict."""

from __future__ import annotations

from opslib.stats.estimates import Estimate


def number(value: float, *, relative: bool, signed: bool = True) -> str:
    """A change or a level as people write it: ``+5.1 %`` or ``+0.0342``.

    Examples
    --------
    >>> number(0.0512, relative=True), number(0.0342, relative=False), number(0.0342, relative=False, signed=False)
    ('+5.1 %', '+0.0342', '0.0342')
    """
    sign = "+" if signed else ""
    if not abs(value) < float("inf"):
        return "no bound"
    return f"{100 * value:{sign}.{_places(100 * value)}f} %" if relative else f"{value:{sign}.3g}"


def interval(estimate: Estimate, *, relative: bool, signed: bool = True) -> str:
    """Value and ends: ``+5.1 % (+1.0 % to +9.2 %)``."""
    value, low, high = (
        number(end, relative=relative, signed=signed) for end in (estimate.value, estimate.lower, estimate.upper)
    )
    return f"{value} ({low} to {high})"


def probability(value: float) -> str:
    """A probability in per cent, never 0 or 100.

    Examples
    --------
    >>> probability(0.9999), probability(0.314)
    ('over 99 %', '31 %')
    """
    if value > 0.99:
        return "over 99 %"
    return "under 1 %" if value < 0.01 else f"{100 * value:.0f} %"


def count(value: float) -> str:
    """A count with thousands apart, at two digits where it is an expectation.

    Examples
    --------
    >>> count(118_699)
    '120,000'
    """
    rounded = float(f"{value:.2g}") if value >= 100 else round(value)
    return f"{rounded:,.0f}"


def _places(per_cent: float) -> int:
    return 0 if abs(per_cent) >= 100 else 1 if abs(per_cent) >= 0.1 or per_cent == 0 else 2
