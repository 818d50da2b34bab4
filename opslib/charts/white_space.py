"""White space: zero-result search themes in visits and money, and a matrix of demand over offer."""

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
from opslib.stats.estimates import Estimate
from opslib.suppression import UNSAID, Said

MOST_THEMES, MOST_ROWS = 12, 14
SCALE = {0.0: "#DCEBF5", 1.25: "#9CC9E6", 1.5: theme.BLUE, 2.5: "#003A5C"}
"""Colour from each ratio of demand to offer on."""


@drawing
def draw_unmet_searches(
    themes: pd.DataFrame, *, currency: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Themes of zero-result searches: money a month with its interval, or visits where no money is known.

    Parameters
    ----------
    themes : DataFrame
        ``theme``, ``n_visits``, ``visits_per_month``, ``worth_amount``, ``worth_amount_lower``, ``worth_amount_upper``,
        ``top_three_share``, best first; from `positioning.unmet_searches`. Rows without visits are left out.
    currency : str
        ISO code.
    """
    require_for_chart(themes, "unmet searches", "theme", "visits_per_month", "worth_amount", "worth_amount_lower", "worth_amount_upper", "top_three_share")  # fmt: skip
    shown = themes.dropna(subset=["visits_per_month"]).head(MOST_THEMES)
    has_money = bool((shown["worth_amount"] > 0).any())  # else what success brings cannot be seen, and visits are drawn
    ax = theme.new_axes(height=theme.height_for(len(shown), per_row=0.36, around=1.6))
    for row, r in enumerate(rows_of(shown)):
        colour = theme.BLUE if r.top_three_share >= 0.5 else theme.GREY
        visits = formats.format_number(r.visits_per_month, step=1.0 if r.visits_per_month >= 10 else 0.1)
        theme.text_at(ax, f"{visits} visits", (1.01, row), colour=theme.GREY, xycoords=("axes fraction", "data"))
        if not has_money:
            ax.barh(row, r.visits_per_month, height=0.6, color=colour)
            continue
        ax.plot([r.worth_amount_lower, r.worth_amount_upper], [row, row], color=colour, alpha=0.45, linewidth=3)
        ax.plot(r.worth_amount, row, marker="o", color=colour, markersize=6)
    ax.axvline(0, color=theme.GREY, linewidth=0.8)
    theme.row_axis(ax, [short(name, 28) for name in shown["theme"]])
    theme.format_axis(ax.xaxis, currency if has_money else "visits", n_ticks=5)
    left = len(themes) - len(shown)
    names = ", ".join(shown["theme"].head(3))
    what = f"{currency} a month if met, with 95 % intervals" if has_money else "visits a month whose search failed"
    more = f"; {left} smaller themes left out" if left else ""
    first = _worth_words(shown.iloc[0], currency) if len(shown) and has_money else ""
    return finish(
        ax,
        title=(
            f"Searched without success: {names}" if len(shown) else "No theme is searched without success often enough"
        ),
        subtitle=f"{what}; right: visits a month; blue: likely among the best three{more}",
        alt=f"{formats.count_of(len(shown), 'theme')} of searches without success, most first: {names or 'none'}. {first}",
    )


def _worth_words(row: pd.Series, currency: str) -> str:
    value, lower, upper = row[["worth_amount", "worth_amount_lower", "worth_amount_upper"]]
    worth = Estimate(value=value, lower=lower, upper=upper, n=0, unit=currency, method="")
    return f"{row['theme']} is worth {formats.format_estimate(worth)} a month."


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
