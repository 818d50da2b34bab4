"""Pairs of products that are bought together beyond chance."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.rows import require_for_chart, rows_of, short
from opslib.suppression import UNSAID, Said

MOST_PAIRS = 10
"""Pairs that are drawn: the first."""


@drawing
def draw_pairs(
    pairs: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """How often pairs of products are bought together, in times chance with intervals, the largest first.

    Parameters
    ----------
    pairs : DataFrame
        From `positioning.clear_pairs`: ``item_a``, ``item_b``, ``ratio``, ``ratio_lower``, ``ratio_upper``, ``n_customers``.
    """
    require_for_chart(pairs, "pairs", "item_a", "item_b", "ratio", "ratio_lower", "ratio_upper", "n_customers")
    shown = pairs.head(MOST_PAIRS).sort_values("ratio", ascending=False, kind="stable")
    rows = rows_of(shown)
    ax = theme.new_axes(height=theme.height_for(len(rows), per_row=0.46))
    for place, r in enumerate(rows):
        ax.plot([r.ratio_lower, r.ratio_upper], [place, place], color=theme.BLUE, alpha=0.5, linewidth=2.4)
        ax.plot(r.ratio, place, marker="o", color=theme.BLUE, markersize=6)
        theme.text_at(ax, formats.count_of(r.n_customers, "customer"), (1.01, place), colour=theme.GREY, xycoords=("axes fraction", "data"))  # fmt: skip
    ax.axvline(1, color=theme.GREY, linewidth=1)
    names = [f"{short(r.item_a, 36)} + {short(r.item_b, 36)}" for r in rows]
    theme.row_axis(ax, [textwrap.fill(name, 44) for name in names])
    ax.set_xlim(0, 1.04 * float(shown["ratio_upper"].max()))
    theme.format_axis(ax.xaxis, "ratio", n_ticks=6)
    first = rows[0]
    times = formats.format_number(first.ratio, step=0.1)
    parts = "; ".join(f"{name} {r.ratio:.1f} times" for name, r in zip(names, rows, strict=True))
    return finish(
        ax,
        title=f"{short(first.item_a, 40)} and {short(first.item_b, 40)} sell together {times} times as often as chance",
        subtitle="times chance, with 95\u00a0% intervals; line: chance; right: customers who bought both",
        alt=f"Points with intervals: {parts}.",
    )
