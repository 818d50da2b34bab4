"""Price ladders of categories, with bands that are next to empty."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.rows import require_for_chart, short
from opslib.suppression import UNSAID, Said

MOST_CATEGORIES = 8
"""Categories of a price ladder that are drawn: those with the most revenue."""
TALLEST = 0.42
THIN = 0.03
"""A band with less than this part of offer and of demand looks empty, and is called so."""


@drawing
def draw_price_ladder(
    ladder: pd.DataFrame, *, currency: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Price bands of each category: what is offered above its line, what is bought below, bands next to empty marked.

    Parameters
    ----------
    ladder : DataFrame
        From `positioning.price_ladder`: ``category``, ``band``, ``lower_price``, ``upper_price``, ``n_products``,
        ``revenue_amount``, ``leading_product``, ``leading_amount``, ``offer_share``, ``demand_share``.
    currency : str
        ISO code of prices.
    """
    require_for_chart(
        ladder, "price ladder", "category", "band", "lower_price", "upper_price", "offer_share", "demand_share"
    )
    order = ladder.groupby("category", sort=True)["revenue_amount"].sum().sort_values(ascending=False, kind="stable")
    names = list(order.index[:MOST_CATEGORIES])
    ax = theme.row_axes(names, limit=28, per_row=0.75 if theme.is_narrow() else 0.62)
    drawn = ladder[ladder["category"].isin(names)]
    top = float(drawn[["offer_share", "demand_share"]].max().max()) or 1.0
    gaps = []
    for row, name in enumerate(names):
        bands = drawn[drawn["category"] == name].sort_values("band")
        _bands(ax, row, bands, top)
        for low, high in _gaps(bands):
            ax.hlines(row, low, high, color=theme.ORANGE, linewidth=5, zorder=3)
            gaps.append(f"{name} from {formats.format_money(low, currency)} to {formats.format_money(high, currency)}")
    ax.set_xscale("log")
    theme.format_axis(ax.xaxis, currency)
    left_out = len(order) - len(names)
    what = "price (log scale); grey above: products offered, blue below: revenue, orange: next to nothing between two filled bands"
    return finish(
        ax,
        title=f"{gaps[0]}: next to nothing between filled prices" if gaps else _widest(drawn, currency),
        subtitle=what + (f"; {left_out} smaller categories left out" if left_out else ""),
        alt=f"Price bands of {formats.count_of(len(names), 'category')}. Next to empty: {'; '.join(gaps) or 'none'}.",
    )


def _widest(ladder: pd.DataFrame, currency: str) -> str:
    """The band that takes most revenue beyond its share of products, and what it is where that is one product."""
    rows = ladder.assign(excess=ladder["demand_share"] - ladder["offer_share"])
    row = rows.sort_values(["excess", "category", "band"], ascending=[False, True, True], kind="stable").iloc[0]
    prices = " to ".join(formats.format_money(row[end], currency) for end in ("lower_price", "upper_price"))
    shares = [formats.format_share(float(row[of]), step=1.0) for of in ("demand_share", "offer_share")]
    if row["excess"] <= 0:
        return "Revenue lies where the products are"
    one = f", {formats.format_share(float(row['leading_amount'] / row['revenue_amount']), step=1.0)} of it {short(row['leading_product'])}"
    is_one = row["leading_amount"] >= row["revenue_amount"] / 2
    return f"{short(row['category'])}, {prices}: {shares[0]} of revenue from {shares[1]} of products{one if is_one else ''}"


def _bands(ax: Axes, row: int, bands: pd.DataFrame, top: float) -> None:
    """Bars of given shares, one a band, above the row's line and below it."""
    edges = [*bands["lower_price"].astype("float64"), float(bands["upper_price"].iloc[-1])]
    limits = ax.get_ylim()
    for column, colour, sign in (("offer_share", theme.LIGHT, -1), ("demand_share", theme.BLUE, 1)):
        heights = (
            sign
            * (theme.RISE if theme.is_narrow() else TALLEST)
            * bands[column].fillna(0.0).to_numpy(dtype="float64")
            / top
        )
        look = {"color": colour, "edgecolor": "white", "linewidth": 0.8, "alpha": 1}
        n_before = len(ax.patches)
        sns.histplot(x=edges[:-1], weights=heights, bins=edges, ax=ax, **look)
        for bar in ax.patches[n_before:]:
            bar.set_y(row)  # type: ignore[attr-defined]
    ax.hlines(row, edges[0], edges[-1], color=theme.GREY, linewidth=0.8, zorder=2)
    ax.set_ylim(limits)
    ax.set_ylabel("")


def _gaps(bands: pd.DataFrame) -> list[tuple[float, float]]:
    """Runs of bands that look empty between two that do not."""
    filled = (bands[["offer_share", "demand_share"]].fillna(0).max(axis=1) >= THIN).to_numpy()
    prices = bands[["lower_price", "upper_price"]].astype("float64").to_numpy()
    return [
        (prices[low + 1, 0], prices[high - 1, 1]) for low, high in pairwise(np.flatnonzero(filled)) if high - low > 1
    ]
