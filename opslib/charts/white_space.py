"""White space: zero-result search themes in visits and money, and a matrix of demand over offer."""

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
from opslib.charts.marks import bars, intervals
from opslib.charts.rows import require_for_chart, rows_of, short
from opslib.stats.estimates import Estimate
from opslib.suppression import UNSAID, Said

MOST_THEMES, MOST_ROWS = 12, 14


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
    visits = [formats.format_number(n, step=1.0 if n >= 10 else 0.1) for n in shown["visits_per_month"]]
    colours = [theme.BLUE if share >= 0.5 else theme.GREY for share in shown["top_three_share"]]
    ax = theme.row_axes(shown["theme"], [f"{n} visits" for n in visits], limit=28)
    if has_money:
        ends = shown[["worth_amount", "worth_amount_lower", "worth_amount_upper"]]
        intervals(ax, range(len(shown)), ends, colours)
    else:
        bars(ax, shown["visits_per_month"], colours)
    ax.axvline(0, color=theme.GREY, linewidth=0.8)
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
        subtitle=f"{what}; at the end: visits a month; blue: likely among the best three{more}",
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
