"""Small helpers of the draw functions: columns that must be there, labels that must fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from opslib.errors import ParameterError


def require(frame: pd.DataFrame, what: str, *columns: str) -> None:
    """Refuse a frame that lacks a column, naming it and what is there."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        known = ", ".join(map(str, frame.columns))
        raise ParameterError(f"{what}: no column '{missing[0]}'; needed {', '.join(columns)}; the frame has {known}")


def renamed(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """The frame with a room's own column names turned to those of the figure, where the figure's are not there yet."""
    return frame.rename(columns={old: new for old, new in names.items() if new not in frame.columns})


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Rows with their columns as attributes."""
    return list(frame.itertuples())


def top_row(frame: pd.DataFrame, column: str) -> Any:
    """The row with the largest value; the first of equals."""
    return frame.loc[[frame[column].astype("float64").idxmax()]].iloc[0]


def short(text: object, limit: int = 38) -> str:
    """The text, cut with an ellipsis where it is longer than ``limit`` characters.

    Examples
    --------
    >>> short("a very long name of a product", 12)
    'a very long…'
    """
    words = str(text)
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def plural(number: int, word: str) -> str:
    """ "1 group", "2 groups".

    Examples
    --------
    >>> plural(1, "group"), plural(0, "group")
    ('1 group', '0 groups')
    """
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
