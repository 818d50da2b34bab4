"""Heat maps: cohort retention and the RFM grid."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.rows import require_for_chart
from opslib.privacy import SUPPRESSED
from opslib.suppression import UNSAID, Said

RAMP = LinearSegmentedColormap.from_list("opslib", ["#F4F8FB", "#9CC9E6", theme.BLUE, "#003A5C"])
MOST_LABELLED = 18
"""Columns up to which every cell carries its number."""


def heat_map(
    values: np.ndarray, texts: np.ndarray | None, *, rows: Sequence[str], columns: Sequence[str], high: float, low: float = 0.0,
    ramp: Any = RAMP, per_row: float = 0.34, around: float = 1.6, cell: float = 0.24, size: float = 8.5, is_hatched: bool = True,
) -> Axes:  # fmt: skip
    """Coloured cells with their texts; one without a value keeps its text in grey, on hatching unless told otherwise.

    ``cell`` is the least width of a column in inches, ``texts`` None where a scale takes the place of numbers.
    """
    n_rows, n_columns = values.shape
    ax = theme.new_axes(height=theme.height_for(n_rows, per_row=per_row, around=around), least=1.1 + cell * n_columns)
    ax.patch.set(edgecolor=theme.LIGHT, hatch="////" if is_hatched else None)
    sns.heatmap(
        values, annot=texts, fmt="", cmap=ramp, vmin=low, vmax=high, cbar=texts is None, linewidths=1, linecolor="white",
        annot_kws={"fontsize": size}, xticklabels=False, yticklabels=False, ax=ax,
        cbar_kws={"shrink": 0.6, "aspect": 30},
    )  # fmt: skip
    for row, column in zip(*np.nonzero(np.isnan(values)), strict=True):
        if texts is not None and texts[row, column]:
            ground: Any = {"backgroundcolor": "white"} if is_hatched else {}
            theme.text_at(ax, texts[row, column], (column + 0.5, row + 0.5), size=min(size, 7.5), colour=theme.GREY, ha="center", **ground)  # fmt: skip
    every = [max(1, -(-n // most)) for n, most in ((n_columns, 20), (n_rows, 30))]
    ax.set_xticks(np.arange(0, n_columns, every[0]) + 0.5, [textwrap.fill(name, 11) for name in columns[:: every[0]]])
    ax.set_yticks(np.arange(0, n_rows, every[1]) + 0.5, [textwrap.fill(name, 16) for name in rows[:: every[1]]])
    return ax


@drawing
def draw_cohorts(
    cohorts: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Cohort retention: one row a cohort, one column an age; what was not yet observed stays hatched, never zero; nothing before one has.

    Parameters
    ----------
    cohorts : DataFrame
        From `kpis.cohort_retention`: ``cohort`` (date), ``age`` (0, 1, ... periods) and ``retention_share`` (0-1; missing
        where the period is unfinished or unobserved).
    """
    require_for_chart(cohorts, "cohorts", "cohort", "age", "retention_share")
    later = cohorts[cohorts["age"] > 0]  # all of a cohort bought at age 0
    grid = later.pivot(index="cohort", columns="age", values="retention_share").astype("float64")
    shares = later["retention_share"].astype("float64").dropna()
    seen = grid[1].dropna() if 1 in grid.columns else shares.head(0)
    if seen.empty:
        return None
    top = shares.max()
    texts = grid.map(lambda share: "" if np.isnan(share) else _per_cent(share)).astype("object")
    gone = later[later[SUPPRESSED].astype(bool)] if SUPPRESSED in later else later.head(0)
    for cohort, age in zip(gone["cohort"], gone["age"], strict=True):
        texts.loc[cohort, age] = "few"
    is_labelled = grid.shape[1] <= MOST_LABELLED
    ax = heat_map(
        grid.to_numpy(), texts.to_numpy() if is_labelled else None, per_row=0.3, high=top or 1.0,
        rows=[f"{cohort:%b %Y}" for cohort in grid.index], columns=[str(age) for age in grid.columns],
    )  # fmt: skip
    if not is_labelled:
        theme.format_axis(ax.collections[0].colorbar.ax.yaxis, "share", n_ticks=4)  # type: ignore[union-attr]
    piece = _piece(grid.index)
    ax.set_xlabel(f"{piece}s after the first order")
    low, high = (f"{x * 100:.0f}" for x in (seen.min(), seen.max()))
    span = low if low == high else f"{low} to {high}"
    plain = f"{span} of 100 new customers order again in the {piece} after their first order"
    extremes = f" Values run from {formats.format_share(shares.min())} to {formats.format_share(top)}."
    return finish(
        ax,
        title=plain,
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


def _per_cent(value: float) -> str:
    return f"{value * 100:.0f}" if value >= 0.0995 or value == 0 else f"{value * 100:.1f}"


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
    cells = counts.unstack().sort_index(ascending=False).astype("float64")
    cells = cells.loc[~(cells == 0).all(axis=1), ~(cells == 0).all(axis=0)]
    values = cells.to_numpy()
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    texts = cells.map(lambda number: "withheld" if np.isnan(number) else formats.format_number(number)).to_numpy()
    rows, columns = [str(score) for score in cells.index], [str(score) for score in cells.columns]
    ax = heat_map(values, texts, rows=rows, columns=columns, high=top or 1.0, per_row=0.55, size=9, cell=0.5)
    ax.set_xlabel("recency score (right: bought lately)")
    ax.set_ylabel("frequency score (top: buys often)")
    row, column = np.unravel_index(np.nanargmax(values), values.shape) if np.isfinite(values).any() else (0, 0)
    best, whole = f"recency {columns[column]}, frequency {rows[row]}", float(np.nansum(values)) or 1.0
    share = formats.format_share(top / whole, step=1.0)
    return finish(
        ax,
        title=f"The fullest cell, {best}, holds {share} of the customers shown",
        subtitle="customers a cell; score 1: long ago or seldom, top score: lately or often",
        alt=f"A grid of {values.size} cells; the largest is {best} with {formats.format_number(top)}.",
    )
