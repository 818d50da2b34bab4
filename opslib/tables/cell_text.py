"""What the columns of a table mean, read from their names and types, and their cells as text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from opslib import formats
from opslib.privacy import FREE_TEXT_COLUMNS, redact
from opslib.stats.estimates import Estimate

ColumnFormat = Literal[
    "text", "flag", "date", "count", "number", "share", "change", "money", "chance", "estimate", "by_unit"
]
NUMERIC: frozenset[ColumnFormat] = frozenset(
    {"count", "number", "share", "change", "money", "chance", "estimate", "by_unit"}
)
PER_CENT: frozenset[ColumnFormat] = frozenset({"share", "change"})
WITHHELD_TEXT = "withheld"


@dataclass(frozen=True, slots=True)
class CellText:
    """One cell as it is shown.

    Parameters
    ----------
    text : str
        Formatted, not yet escaped.
    sort : str
        Number or ISO date that orders the column; empty where the text does.
    """

    text: str
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """Head of a column.

    Parameters
    ----------
    label, unit : str
        "Revenue", "£"; unit may be empty.
    is_number : bool
        Whether cells are right-aligned and sorted by value.
    """

    label: str
    unit: str
    is_number: bool


def format_of(name: str, column: pd.Series, *, has_unit: bool = False) -> ColumnFormat:
    """What a column holds, by its name's ending first and by its type second."""
    if any(isinstance(value, Estimate) for value in column):
        return "estimate"
    if pd.api.types.is_bool_dtype(column):
        return "flag"
    if pd.api.types.is_datetime64_any_dtype(column) or _is_dates(column):
        return "date"
    if not pd.api.types.is_numeric_dtype(column):
        return "text"
    if name == "change" or name.endswith(("_change", "change_share", "growth_share")):
        return "change"
    if name == "share" or name.endswith(("_share", "_rate")):
        return "share"
    if name.split("_")[0] in ("revenue", "margin", "refund") and name.endswith(("_before", "_after")):
        return "money"
    if name == "amount" or name.endswith(("_amount", "_price", "_cost")):
        return "money"
    if name.startswith("p_") or name.endswith(("p_value", "q_value")):
        return "chance"
    if has_unit:
        return "by_unit"
    whole = pd.to_numeric(column, errors="coerce").dropna().astype("float64")
    is_count = name.startswith("n_") or pd.api.types.is_integer_dtype(column)
    return "count" if is_count and (whole == np.round(whole)).all() else "number"


def _is_dates(column: pd.Series) -> bool:
    values = [value for value in column if not formats.is_missing(value)]
    return bool(values) and all(hasattr(value, "isoformat") for value in values)


def head_of(name: str, kind: ColumnFormat, *, label: str | None, currency: str | None) -> Head:
    """Head of a column; a label of the caller's own keeps its words and gets the unit."""
    unit = {"share": "%", "change": "%", "money": formats.currency_sign(currency or "").strip()}.get(kind, "")
    if kind in ("number", "count") and name.endswith("_days"):
        unit = "days"
    if kind == "share" and name.startswith("gap_"):  # a difference of two percentages
        unit = "points"
    words = (
        name.removeprefix("n_")
        .removeprefix("is_")
        .removeprefix("attr_")
        .removesuffix("_days" if unit == "days" else "_amount")
    )
    words = label or words.replace("_", " ").strip() or name
    return Head(words[:1].upper() + words[1:], unit, kind in NUMERIC)


def column_step(kind: ColumnFormat, values: np.ndarray, widths: np.ndarray, *, is_days: bool = False) -> float:
    """Worth of the last digit of a column, the same in all its cells."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    widths = widths[np.isfinite(widths) & (widths > 0)]
    if kind == "count":
        return 1.0
    largest = float(sizes.max()) if len(sizes) else 0.0
    if len(widths):
        step = 10.0 ** math.floor(math.log10(float(np.median(widths)) / 6) + 1e-9)
        if kind in PER_CENT and largest >= 1:
            step = max(step, 0.01)  # a share near all or a half is not told to a millionth
        return min(step, 1.0) if kind != "money" or step >= 1 else 0.01
    if kind == "money":
        return 0.01 if 0 < largest < 1000 else 1.0
    if kind in PER_CENT:
        return 0.01 if 0 < largest < 5 else 0.1
    if kind == "number" and is_days:
        return 0.1
    middle = float(np.median(sizes)) if len(sizes) else 1.0
    return min(1.0, max(1e-4, 10.0 ** (math.floor(math.log10(middle)) - 2)))


def format_column(frame: pd.DataFrame, name: str, kind: ColumnFormat, *, currency: str | None) -> list[CellText]:
    """Cells of a column; ends of an interval in ``<name>_lower`` and ``<name>_upper`` join the number."""
    column = frame[name]
    if kind in ("text", "flag", "date"):
        return [_plain(value, name, kind) for value in column]
    if kind == "estimate":
        return [_estimate_cell(value, currency) for value in column]
    values, ends = _floats(column), ends_of(frame).get(name)
    lower, upper = (_floats(frame[end]) for end in ends) if ends else np.full((2, len(frame)), np.nan)
    if kind == "chance":
        return [_chance_cell(value) for value in values]
    if kind == "by_unit":
        units = frame["unit"].astype("string").fillna("")
        return [
            _by_unit(float(value), (float(low), float(high)), unit, currency=currency)
            for value, low, high, unit in zip(values, lower, upper, units, strict=True)
        ]
    factor = 100.0 if kind in PER_CENT else 1.0
    step = column_step(kind, values * factor, (upper - lower) * factor, is_days=name.endswith("_days"))
    return [
        _number_cell(number, ends, _writer(step, is_signed=kind == "change"))
        for number, ends in zip(values * factor, zip(lower * factor, upper * factor, strict=True), strict=True)
    ]


def ends_of(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Columns of the ends of each interval: ``x_lower`` and ``x_upper`` of ``x``."""
    pairs = {name: (f"{name}_lower", f"{name}_upper") for name in frame.columns}
    return {name: pair for name, pair in pairs.items() if set(pair) <= set(frame.columns)}


def _floats(column: pd.Series) -> np.ndarray:
    return pd.to_numeric(column, errors="coerce").astype("float64").to_numpy(na_value=np.nan)


def _writer(step: float, *, is_signed: bool) -> Callable[[float, bool], str]:
    """Full digits with separators: a column of a table is compared digit by digit."""
    places = max(0, round(-math.log10(step)))

    def write(number: float, is_end: bool) -> str:
        text = f"{abs(number):,.{places}f}"
        is_zero = not text.strip("0.,")
        sign = "" if is_zero else formats.MINUS if number < 0 else "+" if is_signed and not is_end else ""
        return sign + text

    return write


def _number_cell(number: float, ends: tuple[float, float], write: Callable[[float, bool], str]) -> CellText:
    if math.isnan(number):
        return CellText(formats.UNKNOWN)
    text = "no limit" if math.isinf(number) else write(number, False)
    if all(map(math.isfinite, ends)):
        joint = " to " if ends[0] < 0 else formats.DASH
        text += f" ({write(ends[0], True)}{joint}{write(ends[1], True)})"
    return CellText(text, f"{number:.12g}")


def _chance_cell(value: float) -> CellText:
    """A probability, p- or q-value: three digits, and never a plain 0."""
    if math.isnan(value):
        return CellText(formats.UNKNOWN)
    text = "under 0.001" if value < 0.001 else "over 0.999" if 0.999 < value < 1 else f"{value:.3f}"
    return CellText(text, f"{value:.12g}")


def _by_unit(value: float, ends: tuple[float, float], unit: str, *, currency: str | None) -> CellText:
    if math.isnan(value):
        return CellText(formats.UNKNOWN)
    lower, upper = ends
    if math.isnan(lower) or math.isnan(upper):
        return CellText(formats.format_value(value, unit, currency=currency), f"{value:.12g}")
    estimate = Estimate(value=value, lower=lower, upper=upper, n=0, unit=unit, method="")
    return CellText(formats.format_estimate(estimate, currency=currency), f"{value:.12g}")


def _estimate_cell(value: Any, currency: str | None) -> CellText:
    if not isinstance(value, Estimate):
        return CellText(formats.UNKNOWN)
    return CellText(formats.format_estimate(value, currency=currency), f"{value.value:.12g}")


def _plain(value: Any, name: str, kind: ColumnFormat) -> CellText:
    if formats.is_missing(value):
        return CellText(formats.UNKNOWN)
    if kind == "flag":
        return CellText("yes" if value else "no", str(int(value)))
    if kind == "date":
        return CellText(formats.format_date(value), value.isoformat()[:10])
    if isinstance(value, float):
        return CellText(formats.format_number(value), f"{value:.12g}")
    if isinstance(value, (list, tuple, set, frozenset)):
        value = ", ".join(map(str, sorted(value) if isinstance(value, (set, frozenset)) else value))
    return CellText(redact(str(value)) if name in FREE_TEXT_COLUMNS else str(value))
