"""White space: a matrix of demand over offer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.estimates import draw_intervals
from opslib.charts.heat import heat_axes, write_cell
from opslib.charts.rows import require_for_chart, rows_of, short
from opslib.suppression import UNSAID, Said

MOST_ROWS = 14
SCALE = {0.0: "#DCEBF5", 1.25: "#9CC9E6", 1.5: theme.BLUE, 2.5: "#003A5C"}
"""Colour from each ratio of demand to offer on."""


@drawing
def draw_white_space(
    gaps: pd.DataFrame, *, currency: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Matrix of demand over offer: 1.5x is half as much again as the group's share of the offer; money below.

    Parameters
    ----------
    gaps : DataFrame
        From `positioning.demand_gaps`: ``category``, ``pressure``, ``pressure_lower``, ``pressure_upper``,
        ``excess_amount``, those with the largest gap first; without a ``price_band`` intervals are drawn.
    currency : str
        ISO code.
    """
    if "price_band" not in gaps:
        sides = ("less wanted than offered", "wanted more than offered")
        drawn = draw_intervals(gaps.head(12), value="pressure", unit="ratio", reference=1.0, sides=sides, people=None)
        assert drawn is not None  # there are rows
        return drawn
    require_for_chart(gaps, "white space", "category", "pressure", "pressure_lower", "pressure_upper", "excess_amount")
    names = list(dict.fromkeys(gaps["category"]))[:MOST_ROWS]
    heads = sorted(set(gaps["price_band"]))
    ax = theme.new_axes(height=theme.height_for(len(names), per_row=0.5, around=1.8))
    for r in rows_of(gaps[gaps["category"].isin(names)]):
        _cell(ax, heads.index(r.price_band), names.index(r.category), r, currency)
    heat_axes(ax, [f"{head} price third" for head in heads], [short(name, 26) for name in names])
    ax.tick_params(labelcolor=theme.INK)
    clear = gaps[gaps["pressure_lower"] > 1].dropna(subset=["pressure"])
    plain = "Every group is wanted about as much as it is offered"
    if len(clear):
        best = clear.iloc[0]
        where = f"{best['category']}, {best['price_band']} price third,"
        plain = f"{where} is wanted {best['pressure']:.1f} times its share of the offer"
    left = gaps["category"].nunique() - len(names)
    return finish(
        ax,
        title=plain,
        subtitle="demand share over offer share (95 % interval); money a month that rests on the excess; blue: clearly above 1"
        + (f"; {left} smaller rows left out" if left > 0 else ""),
        alt=f"A matrix of {formats.count_of(len(gaps), 'group')}; {len(clear)} draw clearly more demand than their share of the offer.",
    )  # fmt: skip


def _cell(ax: Axes, x: int, y: int, r: Any, currency: str) -> None:
    """One group: its colour by the ratio where that is clear of one, and its numbers."""
    ratio = r.pressure
    is_clear = np.isfinite(ratio) and r.pressure_lower > 1
    colour = max((end, shade) for end, shade in SCALE.items() if end <= ratio)[1] if is_clear else "#FFFFFF"
    ax.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour, edgecolor=theme.PALE, linewidth=0.8))
    if not np.isfinite(ratio):
        theme.text_at(ax, "nothing offered", (x, y), size=8.5, colour=theme.GREY, ha="center")
        return
    ink = theme.ink_on(colour) if is_clear else theme.GREY
    text = f"{ratio:.2f}x ({r.pressure_lower:.2f}–{r.pressure_upper:.2f})"
    step = None if abs(r.excess_amount) >= 1e4 else 1.0
    money = formats.format_money(r.excess_amount, currency, step=step, signed=True)
    write_cell(ax, (x, y), text, money, ink=ink)
