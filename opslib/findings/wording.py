"""What sentences share: the words that compare, each from the number it stands for; rows named with their numbers.

No other module of findings writes *rose*, *fell*, *most*, *more than*, *largest*, *smallest* or *no*: a test reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from opslib.formats import count_of, format_estimate
from opslib.formats import listed as listed
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


def moved(
    change: Estimate | float, *, up: str = "rose", down: str = "fell", still: str = "did not clearly change"
) -> str:
    """The verb of a change, in the direction of its sign; of an estimate only where its interval leaves out zero.

    Examples
    --------
    >>> moved(0.2), moved(-3, up="sold more", down="sold less")
    ('rose', 'sold less')
    >>> moved(Estimate(value=0.1, lower=-0.1, upper=0.3, n=9, unit="relative change", method="t"))
    'did not clearly change'
    """
    known = not isinstance(change, Estimate) or change.excludes(0.0)
    value = change.value if isinstance(change, Estimate) else change
    if not known or value == 0 or math.isnan(value):
        return still
    return up if value > 0 else down


def more_than(left: float, right: float) -> str:
    """How two numbers compare.

    Examples
    --------
    >>> more_than(3, 2), more_than(2, 3), more_than(2, 2)
    ('more than', 'less than', 'as much as')
    """
    return "more than" if left > right else "less than" if left < right else "as much as"


def largest(rows: pd.DataFrame, column: str, *, smallest: bool = False) -> tuple[pd.Series, str]:
    """The row with the largest (smallest) value, and the word for it: ties are called so, missing values left out.

    Examples
    --------
    >>> rows = pd.DataFrame({"group": ["lamps", "mugs"], "amount": [5.0, 2.0]})
    >>> row, word = largest(rows, "amount")
    >>> row["group"], word, largest(rows.assign(amount=1.0), "amount")[1]
    ('lamps', 'largest', 'one of the largest')
    """
    known = rows.dropna(subset=[column]).sort_values(column, ascending=smallest, kind="stable")
    word = "smallest" if smallest else "largest"
    is_tied = len(known) > 1 and known[column].iloc[0] == known[column].iloc[1]
    return known.iloc[0], f"one of the {word}" if is_tied else word


def cut_to_largest(n: int, most: int) -> str:
    """What a list that was cut to its first ``most`` rows says of that; '' where it has fewer, so holds them all.

    Examples
    --------
    >>> cut_to_largest(30, 30), cut_to_largest(8, 30)
    ('the 30 largest', '')
    """
    return f"the {most} largest" if n >= most else ""


def how_many(number: float, word: str) -> str:
    """A count with its noun, "no" for none.

    Examples
    --------
    >>> how_many(0, "product"), how_many(1, "product"), how_many(1_200, "category")
    ('no products', '1 product', '1,200 categories')
    """
    return count_of(number, word) if number else f"no {count_of(2, word).removeprefix('2 ')}"
