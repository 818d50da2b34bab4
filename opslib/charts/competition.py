"""Pairs of products that are bought together beyond chance."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import intervals
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
    names = [f"{short(r.item_a, 36)} + {short(r.item_b, 36)}" for r in rows]
    ax = theme.row_axes(names, [formats.count_of(r.n_customers, "customer") for r in rows], wrap=44)
    intervals(ax, range(len(rows)), shown[["ratio", "ratio_lower", "ratio_upper"]], [theme.BLUE] * len(rows))
    ax.axvline(1, color=theme.GREY, linewidth=1)
    ax.set_xlim(0, 1.04 * float(shown["ratio_upper"].max()))
    theme.format_axis(ax.xaxis, "ratio", n_ticks=6)
    first = rows[0]
    times = formats.format_number(first.ratio, step=0.1)
    parts = "; ".join(f"{name} {r.ratio:.1f} times" for name, r in zip(names, rows, strict=True))
    return finish(
        ax,
        title=f"{short(first.item_a, 40)} and {short(first.item_b, 40)} sell together {times} times as often as chance",
        subtitle="times chance, with 95\u00a0% intervals; line: chance; at the end: customers who bought both",
        alt=f"Points with intervals: {parts}.",
    )
