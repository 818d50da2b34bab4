"""Rows of small result tables as estimates."""

from __future__ import annotations

import pandas as pd

from opslib.stats.estimates import Estimate


def estimate_of(
    row: pd.Series, names: tuple[str, str, str], *, n: float, unit: str, method: str, level: float = 0.95
) -> Estimate:
    """Value, lower and upper end of a row, by the names of their columns.

    Examples
    --------
    >>> row = pd.Series({"ratio": 2.0, "lower": 1.5, "upper": 3.0})
    >>> estimate_of(row, ("ratio", "lower", "upper"), n=40, unit="ratio", method="by hand").width
    1.5
    """
    value, lower, upper = (float(row[name]) for name in names)
    return Estimate(value=value, lower=lower, upper=upper, n=int(n), unit=unit, method=method, level=level)
