"""Market map: groups of substitutes as blocks, arcs between complements."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Arc
from matplotlib.transforms import Bbox

from opslib import formats, privacy
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.rows import require_for_chart, rows_of, short
from opslib.suppression import UNSAID, Said

MOST_ITEMS, MOST_RIVALS, MOST_ARCS = 36, 3, 2
"""Products on the map, rivals of a linked product that are named beside it, and arcs of one block."""
BLOCK_GAP = 0.7


@drawing
def draw_market_map(
    complements: pd.DataFrame,
    groups: pd.DataFrame,
    *,
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Groups of competing products as blocks, and arcs between products that are bought together beyond chance.

    Parameters
    ----------
    complements : DataFrame
        From `positioning.co_bought`: ``item_a``, ``item_b``, ``ratio``, ``ratio_lower``, ``ratio_upper``,
        ``n_customers``, ``is_beyond_chance``, strongest first; pairs of fewer people than `privacy.MINIMUM` are not drawn.
    groups : DataFrame
        From `positioning.substitute_groups`: ``item``, ``group``.
    """
    needed = ("item_a", "item_b", "ratio", "ratio_lower", "ratio_upper", "n_customers", "is_beyond_chance")
    require_for_chart(complements, "market map", *needed)
    known = dict(zip(groups["item"], groups["group"], strict=True))
    clear = complements[complements["is_beyond_chance"].astype(bool) & (complements["n_customers"] >= privacy.MINIMUM)]
    clear = clear.sort_values(["ratio_lower", "item_a", "item_b"], ascending=[False, True, True], ignore_index=True)
    across = [known.get(a, a) != known.get(b, b) for a, b in zip(clear["item_a"], clear["item_b"], strict=True)]
    blocks, arcs = _chosen(clear[across], known)
    place = _places(blocks)
    ax = theme.new_axes(height=theme.height_for(len(place), per_row=0.215, around=1.5))
    _blocks(ax, blocks, place)
    points = [_arc(ax, place, arc, widest=float(arcs["ratio_lower"].max())) for arc in rows_of(arcs)]
    bottom = max(place.values(), default=0.0)
    reach = max((x for x, _, _ in points), default=1.0)
    ax.set(xlim=(-0.3, reach * 1.4 + 0.4), ylim=(bottom + 0.8, -0.8))
    ax.set_yticks(list(place.values()), [short(item, 34) for item in place], fontsize=8.5)
    theme.horizontal(ax)
    ax.set_xticks([])
    ax.grid(False)
    ax.spines["bottom"].set_visible(False)
    n_groups = sum(len(block) > 1 for block in blocks)
    return finish(
        ax,
        title=_title(arcs, n_groups),
        subtitle="blue block: products that compete; arc: bought together, times chance with 95\u00a0% interval (width: lower end)",
        alt=f"{formats.count_of(len(place), 'product')} in {formats.count_of(len(blocks), 'block')}, {formats.count_of(n_groups, 'group')} of rivals among them. "
        f"{formats.count_of(len(arcs), 'arc')}: {_said(arcs) or 'none'}.",
        label=lambda: _label(ax, points),
    )


def _chosen(pairs: pd.DataFrame, known: dict[str, int]) -> tuple[list[list[str]], pd.DataFrame]:
    """Blocks of products and the arcs between them: the strongest pairs, with their rivals, while there is room."""
    members: dict[object, list[str]] = {}
    for item, group in known.items():
        members.setdefault(group, []).append(item)
    shown: dict[object, list[str]] = {}
    drawn: list[int] = []
    ends: Counter[object] = Counter()
    for position, pair in enumerate(rows_of(pairs)):
        keys = [known.get(item, item) for item in (pair.item_a, pair.item_b)]
        if max(ends[key] for key in keys) >= MOST_ARCS:
            continue
        wanted = {key: list(items) for key, items in shown.items()}
        for item in (pair.item_a, pair.item_b):
            block = wanted.setdefault(known.get(item, item), [])
            rivals = [other for other in members.get(known.get(item), []) if other != item][:MOST_RIVALS]
            block += [name for name in (item, *rivals) if name not in block]
        if sum(map(len, wanted.values())) <= MOST_ITEMS:
            shown, drawn = wanted, [*drawn, position]
            ends.update(keys)
    if not shown:
        for group, items in members.items():
            if sum(map(len, shown.values())) + len(items) <= MOST_ITEMS:
                shown[group] = items
    return list(shown.values()), pairs.iloc[drawn]


def _places(blocks: list[list[str]]) -> dict[str, float]:
    """Height of each product, blocks a gap apart."""
    items = [(item, number) for number, block in enumerate(blocks) for item in block]
    return {item: row + BLOCK_GAP * number for row, (item, number) in enumerate(items)}


def _blocks(ax: Axes, blocks: list[list[str]], place: dict[str, float]) -> None:
    for block in blocks:
        low, high = place[block[0]] - 0.38, place[block[-1]] + 0.38
        colour = theme.BLUE if len(block) > 1 else theme.LIGHT
        ax.plot([0, 0], [low, high], color=colour, linewidth=5, solid_capstyle="butt", zorder=3)


def _arc(ax: Axes, place: dict[str, float], arc: Any, *, widest: float) -> tuple[float, float, str]:
    """Draw one arc; its farthest point with its label."""
    top, bottom = sorted((place[arc.item_a], place[arc.item_b]))
    middle, tall = (top + bottom) / 2, bottom - top
    reach = np.sqrt(tall)
    width = 0.8 + 3.0 * float(arc.ratio_lower) / widest
    ax.add_patch(
        Arc((0.12, middle), 2 * reach, tall, theta1=-90, theta2=90, color=theme.ORANGE, linewidth=width, zorder=2)
    )
    ends = (arc.ratio, arc.ratio_lower, arc.ratio_upper)
    value, low, high = (formats.format_number(float(x), step=0.1) for x in ends)
    return 0.12 + reach, middle, f"{value}x ({low} to {high})"


def _label(ax: Axes, points: list[tuple[float, float, str]]) -> None:
    """Each arc's label right of it, strongest first; one that would lie on another stays away."""
    taken: list[Bbox] = []
    for x, y, words in points:
        text = theme.text_at(ax, words, (x, y), shift=(5, 0), size=8.0)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6})
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in taken):
            text.remove()
        else:
            taken.append(box)


def _said(arcs: pd.DataFrame) -> str:
    return "; ".join(f"{r.item_a} with {r.item_b}, {r.ratio:.1f} times chance" for r in rows_of(arcs.head(5)))


def _title(arcs: pd.DataFrame, n_groups: int) -> str:
    if not len(arcs):
        found = f"{formats.count_of(n_groups, 'group')} of products compete" if n_groups else "No products compete"
        return f"{found}; none are bought together beyond chance"
    first = arcs.iloc[0]
    return f"{short(first['item_a'], 30)} and {short(first['item_b'], 30)} belong together: {first['ratio']:.1f} times chance"
