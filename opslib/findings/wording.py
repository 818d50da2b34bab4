"""What sentences share: a row's estimate, rows named with their numbers, what is left unnamed."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from opslib.formats import count_of, format_estimate
from opslib.stats.estimates import Estimate


def estimate_of(
    row: pd.Series,
    column: str,
    *,
    unit: str,
    n: float = 0,
    method: str = "",
    confidence_level: float = 0.95,
) -> Estimate:
    """Value and interval of a row: ``<column>``, ``<column>_lower``, ``<column>_upper``.

    Examples
    --------
    >>> row = pd.Series({"ratio": 2.0, "ratio_lower": 1.5, "ratio_upper": 3.0})
    >>> estimate_of(row, "ratio", n=40, unit="ratio", method="by hand").width
    1.5
    """
    value, lower, upper = (float(row[f"{column}{end}"]) for end in ("", "_lower", "_upper"))
    return Estimate(
        value=value, lower=lower, upper=upper, n=int(n), unit=unit, method=method, confidence_level=confidence_level
    )


def named(rows: pd.DataFrame, estimate: Callable[[pd.Series], Estimate]) -> str:
    """Each ``group`` of a table with its change.

    Examples
    --------
    >>> rows = pd.DataFrame({"group": ["lamps"], "change_share": [0.2], "change_share_lower": [0.1], "change_share_upper": [0.3]})
    >>> named(rows, lambda row: estimate_of(row, "change_share", unit="relative change")).replace("\\xa0", " ")
    'lamps +20 % (10–30)'
    """
    return ", ".join(f"{row['group']} {format_estimate(estimate(row), signed=True)}" for _, row in rows.iterrows())


def are(n: float) -> str:
    """The verb after a number of things.

    Examples
    --------
    >>> are(1), are(2)
    ('is', 'are')
    """
    return "is" if n == 1 else "are"


def more_as_clear(n: int, *, how: str) -> str:
    """A sentence that counts the groups which are not named.

    Examples
    --------
    >>> more_as_clear(2, how="with less money"), more_as_clear(0, how="")
    (' 2 more groups are as clear, with less money.', '')
    """
    return f" {count_of(n, 'more group')} {are(n)} as clear, {how}." if n > 0 else ""
