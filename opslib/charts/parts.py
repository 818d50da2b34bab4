"""Wholes and their parts: what was kept of the raw lines, which days were seen, what moved a figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.frames import require, short
from opslib.errors import ParameterError
from opslib.periods import Coverage, Period

MOST_STEPS = 8
"""Steps of a decomposition that are drawn one by one."""


@drawing
def draw_accounting(
    accounting: pd.DataFrame, *, title: str | None = None, kept: str = "kept", ax: Axes | None = None
) -> Axes:
    """Where all raw lines went: one bar a reason; together they are all lines.

    Parameters
    ----------
    accounting : DataFrame
        ``reason`` and ``n_rows``, one row a reason; the reason, or the ``outcome`` where there is such a column,
        ``kept`` is what the analysis uses.
    kept : str
        The reason that means "used".
    """
    require(accounting, "accounting", "reason", "n_rows")
    frame = accounting[["reason", "n_rows"]].copy()
    frame["is_kept"] = accounting["outcome"] == kept if "outcome" in accounting else frame["reason"] == kept
    frame = frame.sort_values(["is_kept", "n_rows", "reason"], ascending=[False, False, True], kind="stable")
    total = int(frame["n_rows"].sum())
    ax = theme.new_axes(ax, height=theme.height_for(len(frame), per_row=0.32))
    rows = np.arange(len(frame))
    colours = [theme.BLUE if is_kept else theme.ORANGE for is_kept in frame["is_kept"]]
    ax.barh(rows, frame["n_rows"], color=colours, height=0.66)
    for row, n in zip(rows, frame["n_rows"], strict=True):
        share = formats.format_share(n / total) if total else formats.UNKNOWN
        theme.text_at(ax, f"{n:,} ({share})", (n, row), shift=(5, 0), size=9.5)
    ax.set_yticks(rows, [short(reason) for reason in frame["reason"]])
    ax.invert_yaxis()
    ax.set_xlim(0, max(frame["n_rows"].max(), 1) * 1.42)
    theme.horizontal(ax)
    theme.format_axis(ax.xaxis, "lines", n_ticks=5)
    used = int(frame.loc[frame["is_kept"], "n_rows"].sum())
    parts = "; ".join(f"{reason} {n:,}" for reason, n in zip(frame["reason"], frame["n_rows"], strict=True))
    share = formats.format_share(used / total) if total else formats.UNKNOWN
    return finish(
        ax,
        title=title or f"{share} of {total:,} lines are used; every other line has its reason",
        subtitle="lines by what became of them; the bars add up to all lines",
        alt=f"Bars: {parts}; together {total:,} lines.",
    )


@drawing
def draw_days_observed(coverage: Coverage, *, period: Period, title: str | None = None, ax: Axes | None = None) -> Axes:
    """A strip of days a month: seen, missing within the data, or outside them.

    Parameters
    ----------
    coverage : Coverage
        Days that the data have seen.
    period : Period
        Days to draw.
    """
    months = period.split("month")
    ax = theme.new_axes(ax, height=theme.height_for(len(months), per_row=0.24, around=1.5))
    days = pd.date_range(period.start, period.end)
    first = pd.Timestamp(months[0].start)
    patches: dict[str, list[Rectangle]] = {"seen": [], "missing": [], "outside": []}
    for day in days:
        row = (day.year - first.year) * 12 + day.month - first.month
        patches[_day_state(day.date(), coverage)].append(Rectangle((day.day - 0.92, row - 0.36), 0.84, 0.72))
    for state, face, hatch in (
        ("seen", theme.BLUE, None),
        ("missing", theme.RED, None),
        ("outside", theme.PALE, "////"),
    ):
        ax.add_collection(
            PatchCollection(patches[state], facecolor=face, edgecolor=theme.LIGHT, hatch=hatch, linewidth=0)
        )
    ax.set_xlim(0, 31.2)
    ax.set_ylim(len(months) - 0.4, -0.6)
    ax.set_yticks(range(len(months)), [f"{month.start:%b %Y}" for month in months])
    ax.set_xticks([d - 0.5 for d in (1, 5, 10, 15, 20, 25, 31)], ["1", "5", "10", "15", "20", "25", "31"])
    theme.bare(ax)
    n_seen, n_missing = coverage.n_observed(period), sum(period.contains(day) for day in coverage.missing)
    return finish(
        ax,
        title=title or f"{n_seen:,} of {period.n_days:,} days were observed",
        subtitle="blue: observed; red: missing within the data; hatched: before or after the data",
        alt=f"A calendar strip, one row a month, {period.label}: {n_seen} days observed, "
        f"{n_missing} missing within the data, {period.n_days - n_seen - n_missing} outside the data.",
    )


def _day_state(day: date, coverage: Coverage) -> str:
    if day in coverage.missing:
        return "missing"
    return "seen" if coverage.first <= day <= coverage.last else "outside"


@drawing
def draw_decomposition(
    effects: pd.DataFrame,
    *,
    ends: tuple[float, float],
    names: tuple[str, str] = ("before", "after"),
    currency: str | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Steps from one sum of money to the next, each the effect of one cause; they add up exactly.

    Parameters
    ----------
    effects : DataFrame
        From `kpis.decompose_change` or `kpis.decompose_by`: ``factor``, ``group`` or ``effect`` names a step,
        ``effect_amount`` or ``change_amount`` is its size. Drawn in the order given; from the ninth on as one step.
    ends : (float, float)
        The sum before and after.
    names : (str, str)
        Names of the two ends.
    currency : str or None
        ISO code.

    Raises
    ------
    ParameterError
        If the effects do not add up to the difference of the ends.
    """
    unit = "money"
    causes, amounts = _steps(effects)
    gap = ends[1] - ends[0] - amounts.sum()
    if abs(gap) > 1e-6 * max(1.0, abs(ends[0]), abs(ends[1])):
        raise ParameterError(
            f"decomposition: effects add up to {amounts.sum():,.2f}, the ends differ by {ends[1] - ends[0]:,.2f}"
        )
    labels = [names[0], *causes, names[1]]
    bottoms = (
        np.concatenate([[0.0], ends[0] + np.concatenate([[0.0], amounts.cumsum()[:-1]]), [0.0]])
        if len(amounts)
        else np.zeros(2)
    )
    sizes = np.concatenate([[ends[0]], amounts, [ends[1]]])
    ax = theme.new_axes(ax, height=theme.height_for(len(labels)))
    rows = np.arange(len(labels))
    colours = [theme.GREY, *(theme.BLUE if a >= 0 else theme.RED for a in amounts), theme.GREY]
    ax.barh(rows, sizes, left=bottoms, color=colours, height=0.62)
    _step_labels(ax, rows, bottoms, sizes, unit=unit, currency=currency)
    ax.set_yticks(rows, [short(label) for label in labels])
    ax.invert_yaxis()
    _zoom(ax, bottoms, sizes)
    theme.horizontal(ax)
    theme.format_axis(ax.xaxis, unit, currency=currency, n_ticks=5)
    cut = "; the axis does not start at zero" if ax.get_xlim()[0] > 0 else ""
    largest = int(np.abs(amounts[:MOST_STEPS]).argmax()) if len(amounts) else None
    biggest = ""
    if largest is not None:
        step = formats.format_value(float(amounts[largest]), unit, currency=currency, signed=True)
        biggest = f"; the largest step is {labels[largest + 1]}, {step}"
    total = formats.format_value(ends[1] - ends[0], unit, currency=currency, signed=True)
    parts = "; ".join(
        f"{label} {formats.format_value(float(a), unit, currency=currency, signed=True)}"
        for label, a in zip(labels[1:-1], amounts, strict=True)
    )
    return finish(
        ax,
        title=title or f"{total} from {names[0]} to {names[1]}{biggest}",
        subtitle=f"{theme.unit_words(unit, currency)}; blue adds, red takes away; the steps add up exactly{cut}",
        alt=f"Steps from {formats.format_value(ends[0], unit, currency=currency)} to "
        f"{formats.format_value(ends[1], unit, currency=currency)}: {parts}.",
    )


def _steps(effects: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Names and amounts of the steps; those past the eighth become one."""
    name = next((column for column in ("factor", "group", "effect") if column in effects), "factor")
    size = next((column for column in ("effect_amount", "change_amount") if column in effects), "effect_amount")
    require(effects, "decomposition", name, size)
    causes = [formats.UNKNOWN if formats.is_missing(c) else str(c).replace("_", " ") for c in effects[name]]
    amounts = effects[size].astype("float64").to_numpy()
    if len(causes) <= MOST_STEPS + 1:
        return causes, amounts
    rest = len(causes) - MOST_STEPS
    return [*causes[:MOST_STEPS], f"{rest} others"], np.append(amounts[:MOST_STEPS], amounts[MOST_STEPS:].sum())


def _step_labels(
    ax: Axes,
    rows: Sequence[int] | np.ndarray,
    bottoms: np.ndarray,
    sizes: np.ndarray,
    *,
    unit: str,
    currency: str | None,
) -> None:
    for row, bottom, size in zip(rows, bottoms, sizes, strict=True):
        is_end = row in (0, len(rows) - 1)
        text = formats.format_value(float(size), unit, currency=currency, signed=not is_end)
        theme.text_at(ax, text, (max(bottom, bottom + size), row), shift=(5, 0), size=9.5)


def _zoom(ax: Axes, bottoms: np.ndarray, sizes: np.ndarray) -> None:
    """Room for labels; the axis is cut where the steps are small beside the ends."""
    tops = np.maximum(bottoms, bottoms + sizes)
    inner = np.concatenate([bottoms[1:-1], (bottoms + sizes)[1:-1], sizes[[0, -1]]])
    low, high = float(inner.min(initial=0.0)), float(max(tops.max(), 0.0))
    span = float(inner.max() - inner.min())
    start = inner.min() - 0.35 * span if low >= 0 and span < 0.4 * high and span > 0 else min(0.0, low)
    ax.set_xlim(
        start if start < 0 or span >= 0.4 * high or span == 0 else max(0.0, start),
        high + (high - max(start, 0)) * 0.22 or 1,
    )
