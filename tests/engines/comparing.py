"""Whether two answers are the same: exactly, but for the last digits of floats."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

#: Engines add floats in different orders: sums differ after about the fourteenth digit, variances of near-equal values after
#: the eleventh or twelfth. Whole numbers, text, dates and truth values must be equal.
RELATIVE = 1e-9
#: What is left of sums that cancel to zero; money has four decimals, shares matter to the sixth.
ABSOLUTE = 1e-12


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """What differs, and where; empty if nothing does."""
    if type(one) is not type(other) and not (_is_number(one) and _is_number(other)):
        return [f"{where}: {type(one).__name__} against {type(other).__name__}"]
    if isinstance(one, pd.DataFrame):
        return _of_frames(one, other, where)
    if dataclasses.is_dataclass(one):
        pairs = ((f.name, getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
        return [d for name, left, right in pairs for d in differences(left, right, f"{where}.{name}")]
    if isinstance(one, dict):
        if list(one) != list(other):
            return [f"{where}: keys {list(one)} against {list(other)}"]
        return [d for key in one for d in differences(one[key], other[key], f"{where}[{key}]")]
    if isinstance(one, (list, tuple)):
        if len(one) != len(other):
            return [f"{where}: {len(one)} against {len(other)} items: {one} against {other}"]
        return [d for n, pair in enumerate(zip(one, other, strict=True)) for d in differences(*pair, f"{where}[{n}]")]
    if isinstance(one, float) or isinstance(other, float):
        same = (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        return [] if same else [f"{where}: {one!r} against {other!r}"]
    return [] if one == other else [f"{where}: {one!r} against {other!r}"]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of_frames(one: pd.DataFrame, other: pd.DataFrame, where: str) -> list[str]:
    if list(one.columns) != list(other.columns):
        return [f"{where}: columns {list(one.columns)} against {list(other.columns)}"]
    if len(one) != len(other):
        return [f"{where}: {len(one)} against {len(other)} rows"]
    return [d for column in one.columns for d in _of_columns(one[column], other[column], f"{where}.{column}")]


def _of_columns(one: pd.Series, other: pd.Series, where: str) -> list[str]:
    if one.dtype != other.dtype:
        return [f"{where}: {one.dtype} against {other.dtype}"]
    if pd.api.types.is_float_dtype(one.dtype):
        same = np.isclose(one.to_numpy(float), other.to_numpy(float), rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    else:
        same = ((one == other).fillna(False) | (one.isna() & other.isna())).to_numpy(bool)
    wrong = np.flatnonzero(~same)
    return (
        [
            f"{where}, {len(wrong)} of {len(one)} rows, first {wrong[0]}: {one.iloc[wrong[0]]!r} against {other.iloc[wrong[0]]!r}"
        ]
        if len(wrong)
        else []
    )
