"""White space: a matrix of demand over offer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.estimates import draw_intervals
from opslib.charts.heat import heat_map
from opslib.charts.rows import require_for_chart, rows_of, short
from opslib.suppression import UNSAID, Said

MOST_ROWS = 14


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
    values = np.full((len(names), len(heads)), np.nan)
    texts = np.full(values.shape, "", dtype="object")
    for r in rows_of(gaps[gaps["category"].isin(names)]):
        at = (names.index(r.category), heads.index(r.price_band))
        values[at] = r.pressure if np.isfinite(r.pressure) and r.pressure_lower > 1 else np.nan
        texts[at] = _cell(r, currency)
    ax = heat_map(
        values, texts, rows=[short(name, 26) for name in names], columns=[f"{head}\nprice third" for head in heads], low=0.75,
        high=2.5, per_row=0.5, around=1.9, cell=1.5, is_hatched=False,
    )  # fmt: skip
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


def _cell(r: Any, currency: str) -> str:
    """A group's ratio with its interval, and the money that rests on it."""
    if not np.isfinite(r.pressure):
        return "nothing offered"
    step = None if abs(r.excess_amount) >= 1e4 else 1.0
    money = formats.format_money(r.excess_amount, currency, step=step, signed=True)
    return f"{r.pressure:.2f}x ({r.pressure_lower:.2f}–{r.pressure_upper:.2f})\n{money}"
