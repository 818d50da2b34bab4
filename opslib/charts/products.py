"""Product classes: which bring the money, which are steady, which grow, which end."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.frames import plural, renamed, require, rows_of, short, top_row
from opslib.charts.heat import RAMP
from opslib.charts.labels import label_points

MOST_LABELLED = 15
"""Largest bubbles that are named; more names would only cover each other."""
GROWTH_NAMES = {
    "group": "name",
    "growth_change": "growth",
    "revenue_after": "revenue_amount",
    "shop_growth": "growth_cut",
}
MANY_POINTS = 400
"""Points from which a cloud becomes a picture inside the SVG."""


@drawing
def draw_pareto(
    curve: pd.DataFrame,
    *,
    title: str | None = None,
    what: str = "products",
    measure: str = "revenue",
    ax: Axes | None = None,
) -> Axes:
    """How much of the money the largest few bring: the cumulative curve, with the ends of the classes.

    Parameters
    ----------
    curve : DataFrame
        ``item_share`` and ``value_share``, both cumulative (0-1, ascending); optional ``abc`` names the class of each
        point.
    what, measure : str
        What is counted and what is summed.
    """
    require(curve, "pareto curve", "item_share", "value_share")
    frame = curve.sort_values(["item_share", "value_share"], kind="stable")
    x = np.concatenate([[0.0], frame["item_share"].to_numpy(dtype="float64")])
    y = np.concatenate([[0.0], frame["value_share"].to_numpy(dtype="float64")])
    ax = theme.new_axes(ax)
    ax.plot([0, 1], [0, 1], color=theme.LIGHT, linewidth=1, linestyle=(0, (4, 3)))
    ax.plot(x, y, color=theme.BLUE)
    ends = _class_ends(frame)
    for _, at, height in ends:
        ax.plot([at, at, 0], [0, height, height], color=theme.GREY, linewidth=0.9, linestyle=(0, (2, 2)))
        ax.plot(at, height, marker="o", color=theme.BLUE, markersize=6)
    texts = [
        f"{name}: {formats.format_share(at, step=1.0)} of {what}, {formats.format_share(h, step=1.0)} of {measure}"
        for name, at, h in ends
    ]
    for (_, at, height), text in zip(ends, texts, strict=True):
        theme.text_at(ax, text, (at, height), shift=(9, -9), size=9.5, va="top")
    ax.set_xlim(0, 1)
    ax.set_ylim(min(0.0, float(y.min())), max(1.03, float(y.max()) * 1.03))
    for axis in (ax.xaxis, ax.yaxis):
        theme.format_axis(axis, "share", n_ticks=5)
    ax.set_xlabel(f"share of {what}, largest first")
    fifth = float(np.interp(0.2, x, y))
    return finish(
        ax,
        title=title or f"The largest fifth of {what} brings {formats.format_share(fifth, step=1.0)} of {measure}",
        subtitle=f"cumulative share of {measure}; dashed: if all {what} were equal",
        alt=f"A cumulative curve over {plural(len(frame), 'point')}; at a fifth of {what} it reaches "
        f"{formats.format_share(fifth, step=1.0)} of {measure}. {'; '.join(texts)}.",
    )


def _class_ends(frame: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Cumulative ends of every class but the last."""
    if "abc" not in frame:
        return []
    last = frame.groupby("abc", sort=True)[["item_share", "value_share"]].max()
    return [
        (f"{name} and above" if i else str(name), float(r.item_share), float(r.value_share))
        for i, (name, r) in enumerate(last.iterrows())
    ][:-1]


@drawing
def draw_abc_xyz(cells: pd.DataFrame, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """The nine cells: share of revenue and number of products in each, and how each is treated.

    Parameters
    ----------
    cells : DataFrame
        From `classification.cell_summary`, one row a cell: ``abc_class``, ``xyz_class``, ``n_products``,
        ``amount_share`` and optionally ``treatment``. Products too new for a class are not drawn.
    """
    cells = renamed(cells, {"abc_class": "abc", "xyz_class": "xyz", "amount_share": "revenue_share"})
    cells = cells[cells.get("xyz", pd.Series(dtype="str")) != "N"]
    require(cells, "abc-xyz cells", "abc", "xyz", "n_products", "revenue_share")
    rows, columns = sorted(cells["abc"].astype(str).unique()), sorted(cells["xyz"].astype(str).unique())
    ax = theme.new_axes(ax, height=4.6)
    top = float(cells["revenue_share"].max() or 1.0)
    for r in rows_of(cells):
        x, y = columns.index(str(r.xyz)), rows.index(str(r.abc))
        shade = RAMP(max(float(r.revenue_share), 0.0) / top * 0.75 if top > 0 else 0.0)
        ax.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=shade))
        ink = theme.ink_on(shade)
        theme.text_at(
            ax,
            formats.format_share(r.revenue_share, step=0.1),
            (x, y - 0.14),
            size=13,
            colour=ink,
            ha="center",
            fontweight="bold",
        )
        detail = plural(int(r.n_products), "product")
        theme.text_at(ax, detail, (x, y + 0.1), colour=ink, ha="center")
        if "treatment" in cells.columns:
            theme.text_at(ax, short(r.treatment, 30), (x, y + 0.31), colour=ink, ha="center")
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    demand = {"X": "X steady demand", "Y": "Y changing", "Z": "Z erratic"}
    ax.set_xticks(range(len(columns)), [demand.get(c, c) for c in columns])
    ax.set_yticks(range(len(rows)), rows)
    theme.bare(ax)
    ax.tick_params(labelcolor=theme.INK, labelsize=10.5)
    ordered = cells.sort_values(["revenue_share", "abc", "xyz"], ascending=[False, True, True], kind="stable")
    best = ordered.iloc[0]
    share, n = (
        formats.format_share(best["revenue_share"], step=1.0),
        plural(int(best["n_products"]), "product"),
    )
    parts = "; ".join(
        f"{r.abc}{r.xyz} {formats.format_share(r.revenue_share, step=0.1)}, {plural(int(r.n_products), 'product')}"
        for r in rows_of(cells)
    )
    return finish(
        ax,
        title=title or f"{n} in {best['abc']}{best['xyz']} bring {share} of the revenue",
        subtitle="share of revenue, number of products, treatment; rows: value, columns: steadiness of demand",
        alt=f"A grid of cells: {parts}.",
    )


@drawing
def draw_growth_share(
    products: pd.DataFrame, *, title: str | None = None, currency: str | None = None, ax: Axes | None = None
) -> Axes:
    """Growth against relative share on a log axis, a bubble a product or category, area by revenue.

    Parameters
    ----------
    products : DataFrame
        From `classification.growth_share`: ``group``, ``growth_change`` (relative, 0.1 is +10 %), ``relative_share``
        (ratio to the largest other group, above 0), ``revenue_after``, ``quadrant``; optional ``shop_growth`` and
        ``share_cut`` (constant) place the lines.
    currency : str or None
        Code of the revenue.
    """
    products = renamed(products, GROWTH_NAMES)
    require(products, "growth-share", "name", "growth", "relative_share", "revenue_amount", "quadrant")
    frame = products[products["relative_share"] > 0].dropna(subset=["growth"])
    frame = frame.sort_values(["revenue_amount", "name"], ascending=[False, True], kind="stable")
    top = float(frame["revenue_amount"].clip(lower=0).max()) if len(frame) else 1.0
    areas = 30 + 900 * frame["revenue_amount"].clip(lower=0).to_numpy(dtype="float64") / (top or 1.0)
    ax = theme.new_axes(ax, height=5.0)
    ax.scatter(
        frame["relative_share"],
        frame["growth"],
        s=areas,
        alpha=0.55,
        linewidths=0.8,
        edgecolors="white",
        c=[theme.colour_of(q) for q in frame["quadrant"]],
        rasterized=len(frame) > MANY_POINTS,
    )
    ax.set_xscale("log")
    _room(ax, frame)
    for at, draw in ((_cut(frame, "growth_cut", 0.0), ax.axhline), (_cut(frame, "share_cut", 1.0), ax.axvline)):
        draw(at, color=theme.GREY, linewidth=0.9, zorder=1)
    theme.format_axis(ax.xaxis, "ratio")
    theme.format_axis(ax.yaxis, "relative change")
    ax.set_xlabel("relative share (log scale; right: stronger than the largest rival)")
    rows = rows_of(frame.head(MANY_POINTS))
    points = [
        (float(r.relative_share), float(r.growth), short(r.name, 28) if i < MOST_LABELLED else "")
        for i, r in enumerate(rows)
    ]
    counts = frame.groupby("quadrant", sort=True).size()
    parts = ", ".join(plural(int(n), str(q)) for q, n in counts.items())
    legend = ", ".join(f"{theme.COLOUR_WORDS.get(theme.colour_of(q), 'other')}: {q}" for q in counts.index)
    biggest = frame.iloc[0] if len(frame) else None
    tail = ""
    if biggest is not None:
        money = formats.format_money(biggest["revenue_amount"], currency or "")
        tail = f" The largest, {biggest['name']}, grew {formats.format_change(biggest['growth'])} and brings {money}."
    return finish(
        ax,
        title=title or f"Portfolio: {parts or 'nothing to place'}",
        subtitle=f"growth against relative share; area: revenue. {legend}",
        alt=f"A bubble chart of {plural(len(frame), 'item')}: {parts}.{tail}",
        label=lambda: label_points(ax, points, sizes=list(np.sqrt(areas[:MANY_POINTS]) / 2)),
    )


def _cut(frame: pd.DataFrame, name: str, otherwise: float) -> float:
    return float(frame[name].iloc[0]) if name in frame and len(frame) else otherwise


def _room(ax: Axes, frame: pd.DataFrame) -> None:
    """Limits with room for bubbles and labels around all points and both lines."""
    if frame.empty:
        return
    logs = np.log10(np.append(frame["relative_share"].to_numpy(dtype="float64"), 1.0))
    span = max(logs.max() - logs.min(), 0.5)
    ax.set_xlim(10 ** (logs.min() - 0.14 * span), 10 ** (logs.max() + 0.14 * span))
    growth = np.append(frame["growth"].to_numpy(dtype="float64"), 0.0)
    span = max(growth.max() - growth.min(), 0.1)
    ax.set_ylim(growth.min() - 0.14 * span, growth.max() + 0.14 * span)


@drawing
def draw_life_cycle(stages: pd.DataFrame, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Products and revenue by stage of life, in the order of life.

    Parameters
    ----------
    stages : DataFrame
        ``stage``, ``n_products``, ``revenue_share``.
    """
    require(stages, "life cycle", "stage", "n_products", "revenue_share")
    total = float(stages["n_products"].sum()) or 1.0
    frame = stages.reset_index(drop=True)
    ax = theme.new_axes(ax, height=3.6)
    x = np.arange(len(frame))
    ax.bar(x, frame["revenue_share"], color=[theme.colour_of(s) for s in frame["stage"]], width=0.66)
    ax.plot(
        x, frame["n_products"] / total, color=theme.INK, linestyle="none", marker="_", markersize=34, markeredgewidth=2
    )
    for i, r in enumerate(rows_of(frame)):
        at = max(float(r.revenue_share), float(r.n_products) / total, 0.0)
        theme.text_at(
            ax,
            formats.format_share(r.revenue_share, step=1.0),
            (i, at),
            shift=(0, 6),
            size=10,
            ha="center",
            va="baseline",
        )
    ax.set_xticks(x, [f"{short(r.stage, 16)}\n{plural(int(r.n_products), 'product')}" for r in rows_of(frame)])
    ax.tick_params(axis="x", length=0, labelcolor=theme.INK)
    highest = (
        max(float(frame["revenue_share"].max()), float((frame["n_products"] / total).max())) if len(frame) else 1.0
    )
    ax.set_ylim(min(0.0, float(frame["revenue_share"].min()) if len(frame) else 0.0), highest * 1.15)
    theme.format_axis(ax.yaxis, "share", n_ticks=4)
    best = top_row(frame, "revenue_share") if len(frame) else None
    plain = "No product could be placed"
    if best is not None:
        plain = f"{formats.format_share(best['revenue_share'], step=1.0)} of the revenue comes from products in {best['stage']}"
    parts = "; ".join(
        f"{r.stage} {formats.format_share(r.revenue_share)} of revenue, {plural(int(r.n_products), 'product')}"
        for r in rows_of(frame)
    )
    return finish(
        ax,
        title=title or plain,
        subtitle="bars: share of revenue; black lines: share of products",
        alt=f"Bars by stage of life: {parts or 'none'}.",
    )
