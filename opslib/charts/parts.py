"""Accounting of raw rows, observed days, and the waterfall of a decomposition."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import bars
from opslib.charts.rows import require_for_chart
from opslib.errors import ParameterError
from opslib.suppression import UNSAID, Said

MOST_STEPS = 8
"""Steps of a decomposition that are drawn one by one."""


@drawing
def draw_accounting(
    accounting: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Where all raw lines went: one bar a reason; together they are all lines.

    Parameters
    ----------
    accounting : DataFrame
        From `checks.health_accounting`: ``reason``, ``n_rows`` and ``outcome``, one row a reason; the outcome "kept" is
        what the analysis uses.
    """
    require_for_chart(accounting, "accounting", "reason", "n_rows", "outcome")
    frame = accounting.assign(is_kept=accounting["outcome"] == "kept")
    frame = frame.sort_values(["is_kept", "n_rows", "reason"], ascending=[False, False, True], kind="stable")
    total = int(frame["n_rows"].sum())
    shares = [formats.format_share(n / total) if total else formats.UNKNOWN for n in frame["n_rows"]]
    ax = theme.row_axes(frame["reason"], [f"{n:,} ({share})" for n, share in zip(frame["n_rows"], shares, strict=True)])
    bars(ax, frame["n_rows"], [theme.BLUE if is_kept else theme.ORANGE for is_kept in frame["is_kept"]])
    theme.format_axis(ax.xaxis, "lines", n_ticks=5)
    used = int(frame.loc[frame["is_kept"], "n_rows"].sum())
    parts = "; ".join(f"{reason} {n:,}" for reason, n in zip(frame["reason"], frame["n_rows"], strict=True))
    share = formats.format_share(used / total) if total else formats.UNKNOWN
    return finish(
        ax,
        title=f"{share} of {total:,} lines are used; every other line has its reason",
        subtitle="lines by what became of them; the bars add up to all lines",
        alt=f"Bars: {parts}; together {total:,} lines.",
    )


@drawing
def draw_decomposition(
    effects: pd.DataFrame,
    *,
    ends: tuple[float, float],
    names: tuple[str, str] = ("before", "after"),
    currency: str,
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Waterfall: steps from one amount to the next, each the effect of one cause; they add up exactly.

    Parameters
    ----------
    effects : DataFrame
        From `kpis.decompose_change`: ``factor`` names a step, ``effect_amount`` is its size. Drawn in the order given; from
        the ninth on as one step.
    ends : (float, float)
        The sum before and after.
    names : (str, str)
        Names of the two ends.
    currency : str
        ISO code.

    Raises
    ------
    ParameterError
        If the effects do not add up to the difference of the ends.
    """
    causes, amounts = _steps(effects)
    gap = ends[1] - ends[0] - amounts.sum()
    if abs(gap) > 1e-6 * max(1.0, abs(ends[0]), abs(ends[1])):
        raise ParameterError(
            f"decomposition: effects add up to {amounts.sum():,.2f}, the ends differ by {ends[1] - ends[0]:,.2f}"
        )
    labels = [names[0], *causes, names[1]]
    bottoms = np.concatenate([[0.0], ends[0] + amounts.cumsum() - amounts, [0.0]])
    sizes = np.concatenate([[ends[0]], amounts, [ends[1]]])
    first, *steps, last = (
        formats.format_money(size, currency, signed=0 < row <= len(amounts)) for row, size in enumerate(sizes)
    )
    ax = theme.row_axes(labels, (first, *steps, last))
    bars(ax, sizes, [theme.GREY, *(theme.BLUE if a >= 0 else theme.RED for a in amounts), theme.GREY], start=bottoms)
    _zoom(ax, bottoms, sizes)
    theme.format_axis(ax.xaxis, currency, n_ticks=5)
    cut = "; the axis does not start at zero" if ax.get_xlim()[0] > 0 else ""
    largest = int(np.abs(amounts[:MOST_STEPS]).argmax())
    total = formats.format_money(ends[1] - ends[0], currency, signed=True)
    parts = "; ".join(f"{cause} {step}" for cause, step in zip(causes, steps, strict=True))
    return finish(
        ax,
        title=f"{total} from {names[0]} to {names[1]}; the largest step is {causes[largest]}, {steps[largest]}",
        subtitle=f"{theme.unit_words(currency)}; blue adds, red takes away; the steps add up exactly{cut}",
        alt=f"Steps from {first} to {last}: {parts}.",
    )


def _steps(effects: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Names and amounts of the steps; those past the eighth become one."""
    require_for_chart(effects, "decomposition", "factor", "effect_amount")
    causes = [str(cause).replace("_", " ") for cause in effects["factor"]]
    amounts = effects["effect_amount"].astype("float64").to_numpy()
    if len(causes) <= MOST_STEPS + 1:
        return causes, amounts
    rest = len(causes) - MOST_STEPS
    return [*causes[:MOST_STEPS], f"{rest} others"], np.append(amounts[:MOST_STEPS], amounts[MOST_STEPS:].sum())


def _zoom(ax: Axes, bottoms: np.ndarray, sizes: np.ndarray) -> None:
    """The axis is cut where the steps are small beside the ends."""
    tops = np.maximum(bottoms, bottoms + sizes)
    inner = np.concatenate([bottoms[1:-1], (bottoms + sizes)[1:-1], sizes[[0, -1]]])
    low, high = float(inner.min(initial=0.0)), float(max(tops.max(), 0.0))
    span = float(inner.max() - inner.min())
    start = inner.min() - 0.35 * span if low >= 0 and span < 0.4 * high and span > 0 else min(0.0, low)
    ax.set_xlim(
        start if start < 0 or span >= 0.4 * high or span == 0 else max(0.0, start),
        high + (high - max(start, 0)) * 0.03 or 1,
    )
