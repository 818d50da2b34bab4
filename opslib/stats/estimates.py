"""Estimate: a value with its interval, the one type of an uncertain number."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its interval, and where both come from.

    Parameters
    ----------
    value : float
        Point estimate, in ``unit``.
    lower, upper : float
        Ends of the interval, in ``unit``; infinite where one side is open.
    n : int
        Independent units behind it (customers, visitors, clusters - not rows).
    unit : str
        What is counted: "share", "orders", a currency code, "days", ...
    method : str
        How it was computed, as one would write it in a methods section.
    confidence_level : float
        Coverage that the interval claims (0-1).
    std_error : float or None
        Standard error in ``unit`` where the method has one.

    Examples
    --------
    >>> e = Estimate(value=0.31, lower=0.28, upper=0.34, n=900, unit="share", method="Wilson")
    >>> e.width
    0.06
    >>> e.excludes(0.25)
    True
    """

    value: float
    lower: float
    upper: float
    n: int
    unit: str
    method: str
    confidence_level: float = 0.95
    std_error: float | None = None

    @classmethod
    def around(
        cls,
        value: float,
        std_error: float,
        *,
        df: float,
        n: int,
        unit: str,
        method: str,
        confidence_level: float = 0.95,
    ) -> Estimate:
        """An estimate with Student's interval of ``df`` degrees of freedom around it.

        Examples
        --------
        >>> round(Estimate.around(-2.0, 0.1, df=10, n=11, unit="% per %", method="regression").lower, 3)
        -2.223
        """
        from scipy import stats  # slow to import, and most who read an estimate make none

        half = float(stats.t.ppf(0.5 + confidence_level / 2, df)) * std_error
        return cls(
            value=value,
            lower=value - half,
            upper=value + half,
            n=n,
            unit=unit,
            method=method,
            confidence_level=confidence_level,
            std_error=std_error,
        )

    @property
    def width(self) -> float:
        """Width of the interval, in ``unit``."""
        return round(self.upper - self.lower, 12)

    def excludes(self, value: float) -> bool:
        """Whether ``value`` lies outside the interval."""
        return value < self.lower or value > self.upper

    def scaled(self, factor: float, *, unit: str) -> Estimate:
        """The same estimate in another unit (``factor`` may be negative: the ends then change places)."""
        ends = sorted((self.lower * factor, self.upper * factor))
        error = None if self.std_error is None else abs(factor) * self.std_error
        return replace(self, value=self.value * factor, lower=ends[0], upper=ends[1], unit=unit, std_error=error)
