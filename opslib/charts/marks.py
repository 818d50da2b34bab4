"""Marks of all figures, drawn by seaborn: bars, dots, intervals, lines. Nothing is estimated; one row is one mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from opslib.charts.theme import RISE, is_narrow

Numbers = Any  # whatever numpy makes an array of


def bars(
    ax: Axes,
    sizes: Numbers,
    colours: Sequence[str],
    *,
    orient: Any = "h",
    width: float = 0.62,
    start: Numbers = 0.0,
    zorder: float = 1,
) -> None:
    """One bar a row, at places 0, 1, ...; limits of the places stay as they are."""
    width = RISE if orient == "h" and is_narrow() else width
    sizes, limits = np.asarray(sizes, dtype="float64"), (ax.get_xlim(), ax.get_ylim())
    place, size = ("y", "x") if orient == "h" else ("x", "y")
    look: Any = {
        "left" if orient == "h" else "bottom": start,
        "facecolor": list(colours),
        "linewidth": 0,
        "zorder": zorder,
    }
    sns.barplot(
        **{place: range(len(sizes)), size: sizes}, orient=orient, native_scale=True, width=width, errorbar=None,
        color=colours[0], saturation=1, ax=ax, **look,
    )  # fmt: skip
    (ax.set_ylim if orient == "h" else ax.set_xlim)(limits[orient == "h"])


def dots(ax: Axes, x: Numbers, y: Numbers, colours: Sequence[str] | str, **look: Any) -> None:
    """One dot a row, in its colour."""
    x, y = np.asarray(x, dtype="float64"), np.asarray(y, dtype="float64")
    shades = [colours] * len(x) if isinstance(colours, str) else list(colours)
    look = {"s": 46, "zorder": 3} | look
    sns.scatterplot(x=x, y=y, hue=shades, palette={c: c for c in shades}, legend=False, ax=ax, **look)


def intervals(ax: Axes, rows: Numbers, ends: Numbers, colours: Sequence[str], **look: Any) -> None:
    """Points with their intervals, one a row; ``ends`` holds value, lower and upper end of each."""
    values, lower, upper = np.asarray(ends, dtype="float64").reshape(-1, 3).T
    limits = ax.get_ylim()
    ax.hlines(rows, lower, upper, colors=list(colours), linewidth=2.4, alpha=0.55, zorder=2)
    dots(ax, values, rows, colours, **look)
    ax.set_ylim(limits)


def line(ax: Axes, x: Numbers, y: Numbers, colour: str, **look: Any) -> None:
    """A line in the order given, broken where a value is missing."""
    y = np.asarray(y, dtype="float64")
    if np.isnan(y).all():
        return
    sns.lineplot(
        x=np.asarray(x), y=y, units=np.isnan(y).cumsum(), color=colour, estimator=None, errorbar=None, sort=False, ax=ax, **look
    )  # fmt: skip
