"""Heat maps: cohort retention and the RFM grid."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.rows import require_for_chart
from opslib.privacy import SUPPRESSED
from opslib.suppression import UNSAID, Said

RAMP = LinearSegmentedColormap.from_list("opslib", ["#F4F8FB", "#9CC9E6", theme.BLUE, "#003A5C"])
MOST_LABELLED = 18
"""Columns up to which every cell carries its number."""


@drawing
def draw_cohorts(
    cohorts: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Cohort retention: one row a cohort, one column an age; what was not yet observed stays hatched, never zero.

    Parameters
    ----------
    cohorts : DataFrame
        From `kpis.cohort_retention`: ``cohort`` (date), ``age`` (0, 1, ... periods) and ``retention_share`` (0-1; missing
        where the period is unfinished or unobserved).
    """
    require_for_chart(cohorts, "cohorts", "cohort", "age", "retention_share")
    later = cohorts[cohorts["age"] > 0] if (cohorts["age"] > 0).any() else cohorts  # all of a cohort bought at age 0
    grid = later.pivot(index="cohort", columns="age", values="retention_share").astype("float64")
    shares = later["retention_share"].astype("float64").dropna()
    top = shares.max() if len(shares) else 1.0
    ax = theme.new_axes(height=theme.height_for(len(grid), per_row=0.3, around=1.6))
    is_labelled = grid.shape[1] <= MOST_LABELLED
    norm = Normalize(0, top or 1.0)
    paint_cells(ax, grid.to_numpy(), norm, is_labelled=is_labelled)
    if not is_labelled:
        scale = ScalarMappable(norm, RAMP)
        theme.format_axis(
            theme.figure_of(ax).colorbar(scale, ax=ax, shrink=0.6, aspect=30).ax.yaxis, "share", n_ticks=4
        )
    gone = later[later[SUPPRESSED].astype(bool)] if SUPPRESSED in later else later.head(0)
    for cohort, age in zip(gone["cohort"], gone["age"], strict=True):
        at = (grid.columns.get_loc(age), grid.index.get_loc(cohort))
        theme.text_at(ax, "few", at, size=7, colour=theme.GREY, ha="center", backgroundcolor="white")
    piece = _piece(grid.index)
    heat_axes(ax, [str(age) for age in grid.columns], [f"{cohort:%b %Y}" for cohort in grid.index])
    ax.set_xlabel(f"{piece}s after the first order")
    seen = grid[1].dropna() if 1 in grid.columns else shares.head(0)
    low, high = (f"{x * 100:.0f}" for x in (seen.min(), seen.max()))
    span = low if low == high else f"{low} to {high}"
    plain = f"{span} of 100 new customers order again in the {piece} after their first order"
    extremes = (
        f" Values run from {formats.format_share(shares.min())} to {formats.format_share(top)}." if len(shares) else ""
    )
    return finish(
        ax,
        title=(plain if len(seen) else "No cohort has been observed for a whole period yet"),
        subtitle="% of a cohort's customers that bought; hatched: not over yet; few: too few people to show; 0: nobody",
        alt=f"A heat map of {formats.count_of(len(grid), 'cohort')} by {formats.count_of(grid.shape[1], 'age')}.{extremes}",
    )


def _piece(cohorts: pd.Index) -> str:
    """What a cohort is: a week, month, quarter or year; a period where there is one alone."""
    days = min((after - before).days for before, after in pairwise(cohorts)) if len(cohorts) > 1 else 0
    return next(
        word
        for most, word in ((0, "period"), (7, "week"), (31, "month"), (92, "quarter"), (1e9, "year"))
        if days <= most
    )


def paint_cells(ax: Axes, values: np.ndarray, norm: Normalize, *, is_labelled: bool) -> None:
    """Coloured cells over a hatched ground that shows where nothing was observed."""
    ax.patch.set(facecolor="white", edgecolor=theme.LIGHT, hatch="////")
    edges = [np.arange(n + 1) - 0.5 for n in values.shape[::-1]]
    ax.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=RAMP, norm=norm, edgecolors="white", linewidth=1)
    for (row, column), value in np.ndenumerate(values if is_labelled else np.empty((0, 0))):
        if np.isfinite(value):
            ink = theme.ink_on(RAMP(norm(value)))
            theme.text_at(ax, _per_cent(value), (column, row), size=8.5, colour=ink, ha="center")


def _per_cent(value: float) -> str:
    return f"{value * 100:.0f}" if value >= 0.0995 or value == 0 else f"{value * 100:.1f}"


def write_cell(ax: Axes, at: tuple[float, float], text: str, below: str, *, ink: str, is_bold: bool = False) -> None:
    """A cell's number, and its interval or amount smaller under it."""
    for words, rise, size in ((text, 5, 9.5), (below, -7, 7.5)):
        weight = "bold" if is_bold and words is text else "normal"
        theme.text_at(ax, words, at, shift=(0, rise), size=size, colour=ink, ha="center", fontweight=weight, parse_math=False)  # fmt: skip


def heat_axes(ax: Axes, columns: list[str], rows: list[str]) -> None:
    """Names of columns below and of rows beside a grid whose cells are one apart; every so many where there are too many."""
    ax.set_xlim(-0.5, max(len(columns), 1) - 0.5)
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    step = max(1, -(-len(columns) // 20))
    ax.set_xticks(range(0, len(columns), step), columns[::step])
    step = max(1, -(-len(rows) // 30))
    ax.set_yticks(range(0, len(rows), step), rows[::step])
    theme.bare(ax)


@drawing
def draw_rfm_grid(
    grid: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """RFM grid: customers by recency and frequency score; best at the top right.

    Parameters
    ----------
    grid : DataFrame
        ``recency_score``, ``frequency_score`` (1 = worst) and ``n_customers``; withheld cells missing.
    """
    require_for_chart(grid, "rfm grid", "recency_score", "frequency_score", "n_customers")
    counts = grid.groupby(["frequency_score", "recency_score"])["n_customers"].sum(min_count=1)
    cells = counts.unstack().sort_index(ascending=False)
    values = cells.to_numpy(dtype="float64")
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    ax = theme.new_axes(height=4.4)
    norm = Normalize(0, top or 1.0)
    paint_cells(ax, values, norm, is_labelled=False)
    for (row, column), number in np.ndenumerate(values):
        is_suppressed = np.isnan(number)
        text = "withheld" if is_suppressed else formats.format_number(number)
        ink = theme.GREY if is_suppressed else theme.ink_on(RAMP(norm(number)))
        theme.text_at(ax, text, (column, row), colour=ink, ha="center")
    rows, columns = [str(score) for score in cells.index], [str(score) for score in cells.columns]
    heat_axes(ax, columns, rows)
    ax.set_xlabel("recency score (right: bought lately)")
    ax.set_ylabel("frequency score (top: buys often)")
    row, column = np.unravel_index(np.nanargmax(values), values.shape) if np.isfinite(values).any() else (0, 0)
    best = f"recency {columns[column]}, frequency {rows[row]}"
    return finish(
        ax,
        title=f"Most customers stand at {best}",
        subtitle="customers a cell",
        alt=f"A grid of {values.size} cells; the largest is {best} with {formats.format_number(top)}.",
    )
