"""Helpers of the draw functions: required columns, rows, shortened labels."""

from __future__ import annotations

from typing import Any

import pandas as pd

from opslib.errors import require_columns


def require_for_chart(frame: pd.DataFrame, what: str, *columns: str) -> None:
    """Refuse a frame that lacks a column, naming it and what is there."""
    require_columns(frame.columns, columns, what)


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
