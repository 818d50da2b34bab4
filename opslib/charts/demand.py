"""Needs: visits a month that look for something and do not find it."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import bars
from opslib.charts.rows import require_for_chart, rows_of
from opslib.suppression import UNSAID, Said

MOST_NEEDS = 10
_COLOURS = {"finds nothing": theme.BLUE, "finds, but is not clicked": theme.GREY, "misspelt": theme.SKY}


@drawing
def draw_needs(
    needs: pd.DataFrame, *, currency: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Visits a month whose search fails, one bar a need, with the most that meeting it could bring where that is known.

    Parameters
    ----------
    needs : DataFrame
        ``need``, ``kind``, ``visits_per_month``, ``worth_amount``, ``worth_amount_upper``, ``is_met``, the most first; from
        `demand.unmet_needs`. Needs that are met, and rows without visits, are left out.
    currency : str
        ISO code.
    """
    require_for_chart(
        needs, "needs", "need", "kind", "visits_per_month", "worth_amount", "worth_amount_upper", "is_met"
    )
    open_ones = needs[~needs["is_met"].astype("boolean").fillna(False).astype(bool)].dropna(subset=["visits_per_month"])
    shown = open_ones.head(MOST_NEEDS)
    if shown.empty:
        return None
    texts = []
    for r in rows_of(shown):
        visits = formats.format_number(r.visits_per_month, step=1.0 if r.visits_per_month >= 10 else 0.1)
        most = formats.format_money(r.worth_amount_upper, currency, step=1.0)
        texts.append(f"{visits}, up to {most}" if r.worth_amount > 0 else visits)
    ax = theme.row_axes(shown["need"], texts, limit=28)
    if len(shown):
        bars(ax, shown["visits_per_month"], [_COLOURS[kind] for kind in shown["kind"]])
    theme.format_axis(ax.xaxis, "visits", n_ticks=5)
    kinds = [kind for kind in _COLOURS if (shown["kind"] == kind).any()]
    words = {"finds nothing": "blue: no result", "finds, but is not clicked": "grey: results that are not clicked", "misspelt": "light blue: a slip in a word that is found"}  # fmt: skip
    named = formats.listed(
        [name for name, kind in zip(shown["need"], shown["kind"], strict=True) if kind != "misspelt"]
    )
    left = len(open_ones) - len(shown)
    return finish(
        ax,
        title=f"Searched and not found: {named}" if named else "Misspelt words are all that is searched and not found",
        subtitle="visits a month; " + "; ".join(words[kind] for kind in kinds) + (f"; {left} smaller needs left out" if left else ""),
        alt=f"{formats.count_of(len(shown), 'need')} by visits a month whose search fails, the most first: "
        + (", ".join(shown["need"]) or "none") + ".",
    )  # fmt: skip
