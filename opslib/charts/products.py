"""Product classes: Pareto curve, ABC-XYZ matrix, growth-share matrix, life-cycle stages."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.heat import heat_map
from opslib.charts.labels import label_points
from opslib.charts.marks import bars, dots, line
from opslib.charts.rows import require_for_chart, rows_of, short, top_row
from opslib.classification.classes import count_of_cell
from opslib.suppression import UNSAID, Said

MOST_LABELLED = 15
"""Largest bubbles that are named; more names would only cover each other."""
MANY_POINTS = 400
"""Points from which a cloud becomes a picture inside the SVG."""


@drawing
def draw_pareto(
    curve: pd.DataFrame,
    *,
    measure: str = "revenue",
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Pareto curve: cumulative share of the value, with the ends of the ABC classes.

    Parameters
    ----------
    curve : DataFrame
        From `classification.pareto_curve`: ``item_share`` and ``value_share``, both cumulative (0-1, ascending), and
        ``abc``, the class of each point.
    measure : str
        What is summed.
    """
    require_for_chart(curve, "pareto curve", "item_share", "value_share", "abc")
    frame = curve.sort_values(["item_share", "value_share"], kind="stable")
    x = np.concatenate([[0.0], frame["item_share"].to_numpy(dtype="float64")])
    y = np.concatenate([[0.0], frame["value_share"].to_numpy(dtype="float64")])
    ax = theme.new_axes()
    line(ax, [0, 1], [0, 1], theme.LIGHT, linewidth=1, linestyle=(0, (4, 3)))
    line(ax, x, y, theme.BLUE)
    ends = _class_ends(frame)
    for _, at, height in ends:
        line(ax, [at, at, 0], [0, height, height], theme.GREY, linewidth=0.9, linestyle=(0, (2, 2)))
        dots(ax, [at], [height], theme.BLUE)
    texts = [
        f"{name}: {formats.format_share(at, step=1.0)} of products, {formats.format_share(h, step=1.0)} of {measure}"
        for name, at, h in ends
    ]
    for place, ((_, at, height), text) in enumerate(zip(ends, texts, strict=True), start=1):
        is_left = theme.is_narrow() and at > 0.4
        text = textwrap.fill(text, 20) if theme.is_narrow() else text
        shift: Any = (-6 if is_left else 9, -9 - (40 if theme.is_narrow() else 0) * (len(ends) - place))
        theme.text_at(ax, text, (at, height), shift=shift, size=9.5, va="top", ha="right" if is_left else "left")
    ax.set_xlim(0, 1)
    ax.set_ylim(min(0.0, float(y.min())), max(1.03, float(y.max()) * 1.03))
    for axis in (ax.xaxis, ax.yaxis):
        theme.format_axis(axis, "share", n_ticks=5)
    ax.set_xlabel("share of products, largest first")
    fifth = formats.format_share(float(np.interp(0.2, x, y)), step=1.0)
    return finish(
        ax,
        title=f"The largest fifth of products brings {fifth} of {measure}",
        subtitle=f"cumulative share of {measure}; dashed: if all products were equal",
        alt=f"A cumulative curve over {formats.count_of(len(frame), 'point')}; at a fifth of products it reaches {fifth} of "
        f"{measure}. {'; '.join(texts)}.",
    )


def _class_ends(frame: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Cumulative ends of every class but the last."""
    last = frame.groupby("abc", sort=True)[["item_share", "value_share"]].max()
    return [
        (f"{name} and above" if i else str(name), float(r.item_share), float(r.value_share))
        for i, (name, r) in enumerate(last.iterrows())
    ][:-1]


@drawing
def draw_abc_xyz(
    cells: pd.DataFrame,
    *,
    measure: str = "revenue",
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes | None:
    """ABC-XYZ matrix: share of revenue, number of products and treatment of each cell.

    Parameters
    ----------
    cells : DataFrame
        From `classification.cell_summary`, one row a cell: ``abc_class``, ``xyz_class``, ``n_products``,
        ``amount_share``, ``treatment``. Products too new for a class are not drawn.
    measure : str
        What is shared.
    """
    require_for_chart(cells, "abc-xyz cells", "abc_class", "xyz_class", "n_products", "amount_share", "treatment")
    n_new = int(cells.loc[cells["xyz_class"] == "N", "n_products"].sum())
    cells = cells[cells["xyz_class"] != "N"]
    if cells.empty:
        return None
    rows, columns = sorted(cells["abc_class"].unique()), sorted(cells["xyz_class"].unique())
    values = cells.pivot(index="abc_class", columns="xyz_class", values="amount_share").astype("float64")
    texts = values.astype("object").where(values.isna(), "").fillna("")
    for r in rows_of(cells):
        treatment = textwrap.fill(short(r.treatment, 44), 16 if theme.is_narrow() else 26)
        share = formats.format_share(r.amount_share, step=0.1)
        texts.loc[r.abc_class, r.xyz_class] = f"{share}\n{formats.count_of(r.n_products, 'product')}\n{treatment}"
    demand = {"X": "X steady demand", "Y": "Y changing", "Z": "Z erratic"}
    ax = heat_map(
        values.to_numpy(), texts.to_numpy(), rows=rows, columns=[textwrap.fill(demand.get(c, c), 16) for c in columns],
        high=max(float(cells["amount_share"].max()), 0.01) / 0.75, per_row=1.0, size=9, cell=0.72, is_hatched=False,
    )  # fmt: skip
    ax.tick_params(labelcolor=theme.INK, labelsize=10.5)
    best = cells.sort_values(["amount_share", "abc_class", "xyz_class"], ascending=[False, True, True]).iloc[0]
    cell = f"{best['abc_class']}{best['xyz_class']}"
    share, n = (
        formats.format_share(best["amount_share"], step=1.0),
        count_of_cell(best["n_products"], cell),
    )
    new = f"; {n_new:,} {'is' if n_new == 1 else 'are'} too new to be classed" if n_new else ""
    parts = "; ".join(
        f"{r.abc_class}{r.xyz_class} {formats.format_share(r.amount_share, step=0.1)}, {formats.count_of(r.n_products, 'product')}"
        for r in rows_of(cells)
    )
    return finish(
        ax,
        title=f"{n} ({cell}) {'brings' if best['n_products'] == 1 else 'bring'} {share} of the {measure}",
        subtitle=f"share of {measure}, number of products, treatment; rows: value, columns: steadiness of demand{new}",
        alt=f"A grid of cells: {parts}{new}.",
    )


@drawing
def draw_growth_share(
    products: pd.DataFrame, *, currency: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Growth-share matrix: growth against share of the revenue, a bubble a group, both borders as the rule has them.

    Parameters
    ----------
    products : DataFrame
        From `classification.largest_groups`: ``group``, ``growth_change`` (relative, 0.1 is +10 %), ``revenue_share``,
        ``revenue_after``, ``quadrant`` (missing where withheld), ``is_clear``, and the borders, the same in each row:
        ``average_share`` and ``shop_growth``.
    currency : str
        Code of the revenue.
    """
    needed = (
        "group",
        "growth_change",
        "revenue_share",
        "revenue_after",
        "quadrant",
        "is_clear",
        "average_share",
        "shop_growth",
    )
    require_for_chart(products, "growth-share", *needed)
    frame = products.dropna(subset=["growth_change"]).sort_values(["revenue_after", "group"], ascending=[False, True])
    revenue = frame["revenue_after"].clip(lower=0).to_numpy(dtype="float64")
    areas = 30 + 900 * revenue / (revenue.max(initial=0.0) or 1.0)
    names = frame["quadrant"].astype("object").where(frame["quadrant"].notna(), "no quadrant")
    ax = theme.new_axes(height=5.0)
    colours = [theme.GREY if q == "no quadrant" else theme.colour_of(q) for q in names]
    look = {"s": areas, "alpha": 0.55, "rasterized": len(frame) > MANY_POINTS}
    dots(ax, frame["revenue_share"], frame["growth_change"], colours, **look)
    borders = (float(products["average_share"].iloc[0]), float(products["shop_growth"].iloc[0]))
    _room(ax, frame, borders)
    for at, draw in zip(borders, (ax.axvline, ax.axhline), strict=True):
        draw(at, color=theme.GREY, linewidth=0.9, zorder=1)
    theme.format_axis(ax.xaxis, "share")
    theme.format_axis(ax.yaxis, "relative change")
    ax.set_xlabel("share of the revenue; the line: the average group's")
    ax.set_ylabel("growth; the line: the shop's")
    points = [
        (float(r.revenue_share), float(r.growth_change), short(r.group, 28) if i < MOST_LABELLED else "")
        for i, r in enumerate(rows_of(frame.head(MANY_POINTS)))
    ]
    counts = names.groupby(names, sort=True).size()
    legend = ", ".join(f"{theme.COLOUR_WORDS[theme.colour_of(q)]}: {q}" for q in counts.index if q != "no quadrant")
    each = "; ".join(
        f"{r.group} {formats.format_change(r.growth_change)}, {formats.format_money(r.revenue_after, currency)}"
        for r in rows_of(frame.head(MOST_LABELLED))
    )
    return finish(
        ax,
        title=_apart(frame),
        subtitle=f"area: revenue. {legend or 'no star, no dog: the periods differ in season'}",
        alt=f"A bubble chart of {formats.count_of(len(frame), 'group')}, the shop {formats.format_change(borders[1])}: {each}.",
        label=lambda: label_points(ax, points, sizes=list(np.sqrt(areas[:MANY_POINTS]) / 2)),
    )


def _apart(frame: pd.DataFrame) -> str:
    """Who clearly did better or worse than the shop, of the marks that are drawn."""
    clear = frame[frame["is_clear"].fillna(False).astype(bool)]
    gap = clear["growth_change"] - clear["shop_growth"]
    words = []
    for word, rows in (("better", clear[gap > 0]), ("worse", clear[gap < 0])):
        if len(rows):
            names, left = [short(name, 20) for name in rows["group"].head(2)], len(rows) - 2
            words.append(f"{', '.join(names)}{f' and {left} more' if left > 0 else ''} did {word} than the shop")
    return "; ".join(words) or "No group clearly differs from the shop"


def _room(ax: Axes, frame: pd.DataFrame, borders: tuple[float, float]) -> None:
    """Limits with room for bubbles and labels around all points and both borders."""
    for column, border, limit, least in (
        ("revenue_share", borders[0], ax.set_xlim, 0.02),
        ("growth_change", borders[1], ax.set_ylim, 0.1),
    ):
        values = np.append(frame[column].to_numpy(dtype="float64"), border)
        values = values[np.isfinite(values)]
        span = max(values.max(initial=0.0) - values.min(initial=0.0), least)
        limit(values.min(initial=0.0) - 0.14 * span, values.max(initial=0.0) + 0.14 * span)


@drawing
def draw_life_cycle(
    stages: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Products and revenue by stage of life, in the order of life.

    Parameters
    ----------
    stages : DataFrame
        ``stage``, ``n_products``, ``revenue_share``.
    """
    require_for_chart(stages, "life cycle", "stage", "n_products", "revenue_share")
    shares = stages[["revenue_share"]].astype("float64").reset_index(drop=True)
    shares["product_share"] = (stages["n_products"] / (stages["n_products"].sum() or 1.0)).to_numpy()
    counts = [formats.count_of(n, "product") for n in stages["n_products"]]
    ax = theme.new_axes(height=3.6)
    x = shares.index
    ax.set_xlim(-0.6, len(x) - 0.4)
    bars(ax, shares["revenue_share"], [theme.colour_of(s) for s in stages["stage"]], orient="v")
    dots(ax, x, shares["product_share"], theme.INK, marker="_", s=900, linewidth=2)
    tops = shares.max(axis=1).clip(lower=0.0)
    for i, share in enumerate(shares["revenue_share"]):
        text = formats.format_share(share, step=1.0)
        theme.text_at(ax, text, (i, tops[i]), shift=(0, 6), size=10, ha="center", va="baseline")
    ax.set_xticks(
        x, [f"{textwrap.fill(name, 9)}\n{n}" for name, n in zip(stages["stage"], stages["n_products"], strict=True)]
    )
    ax.tick_params(axis="x", length=0, labelcolor=theme.INK, labelsize=8 if theme.is_narrow() else 9.5)
    ax.set_ylim(min(0.0, shares["revenue_share"].min()), float(shares.max().max()) * 1.15)
    theme.format_axis(ax.yaxis, "share", n_ticks=4)
    best = top_row(stages, "revenue_share")
    most = formats.format_share(best["revenue_share"], step=1.0)
    where = (
        f"products in {best['stage']}" if best["stage"] != "not compared" else "products that cannot be compared yet"
    )
    parts = "; ".join(
        f"{name} {formats.format_share(share)} of revenue, {count}"
        for name, share, count in zip(stages["stage"], stages["revenue_share"], counts, strict=True)
    )
    return finish(
        ax,
        title=f"{most} of the revenue comes from {where}",
        subtitle="bars: share of revenue; black lines: share of products; below: their number",
        alt=f"Bars by stage of life: {parts}.",
    )
