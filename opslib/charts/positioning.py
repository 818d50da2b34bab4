"""Price ladders with their gaps, and perceptual maps of brands."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from scipy.stats import chi2

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.labels import label_points
from opslib.charts.rows import require_for_chart, short
from opslib.stats.correspondence import REGION_LEVEL, CorrespondenceMap
from opslib.suppression import UNSAID, Said

MOST_CATEGORIES = 8
"""Categories of a price ladder that are drawn: those with the most revenue."""
TALLEST = 0.42


@drawing
def draw_price_ladder(
    ladder: pd.DataFrame, *, currency: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Price bands of each category: what is offered above its line, what is bought below, gaps marked.

    Parameters
    ----------
    ladder : DataFrame
        From `positioning.price_ladder`: ``category``, ``band``, ``lower_price``, ``upper_price``, ``n_products``,
        ``revenue_amount``, ``offer_share``, ``demand_share``.
    currency : str
        ISO code of prices.
    """
    require_for_chart(
        ladder, "price ladder", "category", "band", "lower_price", "upper_price", "offer_share", "demand_share"
    )
    order = ladder.groupby("category", sort=True)["revenue_amount"].sum().sort_values(ascending=False, kind="stable")
    names = list(order.index[:MOST_CATEGORIES])
    ax = theme.new_axes(height=theme.height_for(len(names), per_row=0.62, around=1.6))
    drawn = ladder[ladder["category"].isin(names)]
    top = float(drawn[["offer_share", "demand_share"]].max().max()) or 1.0
    gaps = []
    for row, name in enumerate(names):
        bands = drawn[drawn["category"] == name].sort_values("band")
        _bands(ax, row, bands, top)
        for low, high in _gaps(bands):
            ax.plot([low, high], [row, row], color=theme.ORANGE, linewidth=5, solid_capstyle="butt", zorder=3)
            gaps.append(f"{name} from {formats.format_money(low, currency)} to {formats.format_money(high, currency)}")
    ax.set_xscale("log")
    theme.row_axis(ax, [short(name, 28) for name in names])
    theme.format_axis(ax.xaxis, currency)
    left_out = len(order) - len(names)
    what = "price (log scale); grey above: products offered, blue below: revenue, orange: a gap"
    return finish(
        ax,
        title=(f"{formats.count_of(len(gaps), 'gap')} on the price ladder" if gaps else "No gaps on the price ladder"),
        subtitle=what + (f"; {left_out} smaller categories left out" if left_out else ""),
        alt=f"Price bands of {len(names)} categories. Gaps: {'; '.join(gaps) or 'none'}.",
    )


def _bands(ax: Axes, row: int, bands: pd.DataFrame, top: float) -> None:
    widths = (bands["upper_price"] - bands["lower_price"]).to_numpy(dtype="float64")
    left = bands["lower_price"].to_numpy(dtype="float64")
    for column, colour, sign in (("offer_share", theme.LIGHT, -1), ("demand_share", theme.BLUE, 1)):
        heights = sign * TALLEST * bands[column].fillna(0.0).to_numpy(dtype="float64") / top
        ax.bar(left, heights, width=widths, bottom=row, align="edge", color=colour, edgecolor="white", linewidth=0.8)
    ax.plot([left[0], left[-1] + widths[-1]], [row, row], color=theme.GREY, linewidth=0.8, zorder=2)


def _gaps(bands: pd.DataFrame) -> list[tuple[float, float]]:
    """Runs of empty bands between two filled ones."""
    filled = (bands["offer_share"].fillna(0) > 0).to_numpy()
    prices = bands[["lower_price", "upper_price"]].astype("float64").to_numpy()
    return [
        (prices[low + 1, 0], prices[high - 1, 1]) for low, high in pairwise(np.flatnonzero(filled)) if high - low > 1
    ]


@drawing
def draw_perceptual_map(
    mapped: CorrespondenceMap,
    *,
    columns: str = "themes",
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Brands among the themes that people mention; ellipses hold a brand's place with 95 % confidence.

    Parameters
    ----------
    mapped : CorrespondenceMap
        With at least two axes.
    columns : str
        What its columns are; its rows are brands.
    """
    ax = theme.new_axes(height=5.4)
    own, others = mapped.rows[["axis_1", "axis_2"]], mapped.columns[["axis_1", "axis_2"]]
    ax.axhline(0, color=theme.LIGHT, linewidth=0.8, zorder=1)
    ax.axvline(0, color=theme.LIGHT, linewidth=0.8, zorder=1)
    for name, (x, y) in zip(own.index, own.to_numpy(), strict=True):
        if name in mapped.row_regions.index:
            ax.add_patch(_region((x, y), mapped.row_regions.loc[name]))
    ax.scatter(others["axis_1"], others["axis_2"], color=theme.GREY, marker="D", s=16, zorder=2, linewidths=0)
    ax.scatter(own["axis_1"], own["axis_2"], color=theme.BLUE, s=46, zorder=3, linewidths=0)
    ax.margins(0.14)
    ax.set_aspect("equal", adjustable="datalim")
    ax.grid(False)
    for axis, position in ((ax.xaxis, 0), (ax.yaxis, 1)):
        axis.set_ticks([])
        share = formats.format_share(float(mapped.shares[position]), step=1.0)
        axis.set_label_text(f"axis {position + 1}: {share} of all differences")
    points = [(float(x), float(y), short(name, 24)) for name, x, y in pd.concat([own, others]).itertuples(name=None)]
    is_empty = mapped.n_axes_beyond_chance == 0
    plain = f"{formats.count_of(len(own), 'brand')} among {formats.count_of(len(others), columns.removesuffix('s'))}"
    ends = own["axis_1"].astype("float64")
    return finish(
        ax,
        title=("The map of brands shows nothing beyond chance" if is_empty else plain),
        subtitle=f"blue: brands, with {formats.format_share(REGION_LEVEL)} regions; grey: {columns}; close means alike",
        alt=f"A map of {plain}; axis one runs from {ends.idxmin()} to {ends.idxmax()}. "
        f"Axes beyond chance: {mapped.n_axes_beyond_chance}.",
        label=lambda: label_points(ax, points),
    )


def _region(centre: tuple[float, float], spread: pd.Series) -> Ellipse:
    covariance = np.array([[spread["var_1"], spread["cov_12"]], [spread["cov_12"], spread["var_2"]]], dtype="float64")
    values, vectors = np.linalg.eigh(covariance)
    width, height = 2 * np.sqrt(np.clip(values, 0, None) * chi2.ppf(REGION_LEVEL, 2))
    angle = float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0])))
    return Ellipse(centre, width, height, angle=angle, facecolor=theme.BLUE, alpha=0.13, edgecolor="none")
