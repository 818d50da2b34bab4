"""Named columns of a table, read into memory for a statistic."""

from __future__ import annotations

import pandas as pd

from opslib import engine
from opslib.errors import ParameterError


def as_frame(table: object, *, columns: tuple[str, ...], max_rows: int = 1_000_000) -> pd.DataFrame:
    """Named columns of an Ibis table or a DataFrame as a fresh DataFrame.

    Parameters
    ----------
    table : Table or DataFrame
        Any table that has the columns.
    columns : tuple of str
        Columns to keep, in this order.
    max_rows : int
        Most rows that may come out of the engine.

    Returns
    -------
    DataFrame
        The columns, index 0 to n-1.

    Raises
    ------
    ParameterError
        A column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> as_frame(pd.DataFrame({"a": [1], "b": [2]}), columns=("b",)).columns.tolist()
    ['b']
    """
    missing = [name for name in columns if name not in table.columns]  # type: ignore[attr-defined]
    if missing:
        present = ", ".join(table.columns)  # type: ignore[attr-defined]
        raise ParameterError(f"table lacks column '{missing[0]}'; it has: {present}; needed: {', '.join(columns)}")
    if isinstance(table, pd.DataFrame):
        return table.loc[:, list(columns)].reset_index(drop=True).copy()
    return engine.collect(table.select(*columns), max_rows=max_rows)  # type: ignore[attr-defined]


def panel_frame(panel: object, *, columns: tuple[str, ...]) -> pd.DataFrame:
    """``unit``, ``period`` and the named columns of a panel, refused where a unit has two rows for a period.

    Examples
    --------
    >>> panel_frame(pd.DataFrame({"unit": ["a", "a"], "period": [1, 1], "y": [2, 3]}), columns=("y",))
    Traceback (most recent call last):
    opslib.errors.ParameterError: panel: unit a has two rows for period 1; one is needed (sum them first)
    """
    frame = as_frame(panel, columns=("unit", "period", *columns))
    twice = frame.duplicated(["unit", "period"])
    if twice.any():
        unit, period = frame.loc[twice, ["unit", "period"]].iloc[0]
        raise ParameterError(f"panel: unit {unit} has two rows for period {period}; one is needed (sum them first)")
    return frame
