"""Customer segments: share of customers against share of revenue."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import dots
from opslib.charts.rows import require_for_chart, rows_of, top_row
from opslib.suppression import UNSAID, Said


@drawing
def draw_segment_sizes(
    sizes: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Share of customers against share of revenue, one line a segment.

    Parameters
    ----------
    sizes : DataFrame
        ``segment`` or ``tier``, ``customer_share``, ``revenue_share`` (0-1; both missing where withheld), in order.
    """
    frame = sizes.rename(columns={"tier": "segment"})
    if "tier" in sizes.columns:
        frame["segment"] = frame["segment"].astype(str) + " customers"
    require_for_chart(frame, "segment sizes", "segment", "customer_share", "revenue_share")
    known = frame[["customer_share", "revenue_share"]].to_numpy(dtype="float64")
    if np.isnan(known).all():
        return None
    ax = theme.row_axes(frame["segment"])
    rows, limits = np.arange(len(frame)), ax.get_ylim()
    ax.hlines(rows, known.min(axis=1), known.max(axis=1), color=theme.LIGHT, linewidth=2.4, zorder=1)
    for column, colour in enumerate((theme.GREY, theme.BLUE)):
        dots(ax, known[:, column], rows, colour)
    ax.set_ylim(limits)
    for row, (people, money) in enumerate(known):
        if np.isnan(people) or np.isnan(money):
            theme.text_at(ax, "withheld", (0, row), shift=(6, 0), colour=theme.GREY)
        else:
            _pair_labels(ax, row, people, money)
    low, high = min(np.nanmin(known, initial=0.0), 0.0), np.nanmax(known, initial=0.05)
    ax.set_xlim(low - 0.12 * (high - low), high * 1.14)
    theme.format_axis(ax.xaxis, "share", n_ticks=5)
    share = formats.format_share
    parts = "; ".join(
        f"{r.segment} {share(r.customer_share)} of customers, {share(r.revenue_share)} of revenue"
        for r in rows_of(frame)
    )
    return finish(
        ax,
        title=_most_valuable(frame),
        subtitle="grey: share of customers; blue: share of revenue",
        alt=f"Two dots a segment: {parts or 'none'}.",
    )


def _pair_labels(ax: Axes, row: int, people: float, money: float) -> None:
    is_right = money >= people
    for value, is_outer_right, colour in ((people, not is_right, theme.GREY), (money, is_right, theme.BLUE)):
        theme.text_at(
            ax,
            formats.format_share(value, step=0.1 if value < 0.0995 else 1.0),
            (value, row),
            shift=(8 if is_outer_right else -8, 0),
            colour=colour,
            ha="left" if is_outer_right else "right",
        )


def _most_valuable(frame: pd.DataFrame) -> str:
    known = frame.dropna(subset=["revenue_share", "customer_share"])
    best = top_row(known, "revenue_share")
    people, money = (formats.format_share(best[c], step=1.0) for c in ("customer_share", "revenue_share"))
    return f"{str(best['segment']).capitalize()}, {people} of the customers: {money} of the revenue of known customers"
