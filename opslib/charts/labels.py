"""Placement of labels without overlaps, deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from opslib.charts.theme import LIGHT, figure_of, text_at

_GAP = 2.0
_SIZE = 9.5
"""Type size beside the end of a line, in points."""


def spread_apart(positions: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move points on a line apart until each is ``gap`` from the next, as little as needed, within ``[low, high]``.

    Parameters
    ----------
    positions : sequence of float
        Wished positions, in any order.
    gap : float
        Least distance.
    low, high : float
        Ends of the line; where not all fit, they are spaced evenly.

    Returns
    -------
    list of float
        New positions, in the order of ``positions``.

    Examples
    --------
    >>> spread_apart([1.0, 1.2, 5.0], gap=1.0, low=0.0, high=10.0)
    [0.6, 1.6, 5.0]
    """
    order = sorted(range(len(positions)), key=lambda i: (positions[i], i))
    if len(order) < 2:
        return [min(max(p, low), high) for p in positions]
    gap = min(gap, (high - low) / (len(order) - 1))
    # Blocks of touching labels sit at the mean of their wishes (pool adjacent violators).
    blocks: list[tuple[float, int]] = []
    for rank, i in enumerate(order):
        blocks.append((positions[i] - rank * gap, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (one, n), (two, m) = blocks[-2:]
            blocks[-2:] = [((one * n + two * m) / (n + m), n + m)]
    flat = [start for start, n in blocks for _ in range(n)]
    top = high - (len(order) - 1) * gap
    moved = {i: round(min(max(flat[rank], low), top) + rank * gap, 9) for rank, i in enumerate(order)}
    return [moved[i] for i in range(len(positions))]


def label_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]]) -> list[Annotation]:
    """Write the name of each line beside its end instead of a legend.

    Parameters
    ----------
    ax : Axes
        With its limits final.
    ends : sequence of (x, y, text, colour)
        Last point of each line, in data coordinates.

    Returns
    -------
    list of Annotation
    """
    if not ends:
        return []
    scale = figure_of(ax).dpi / 72
    pixels = ax.transData.transform(np.array([(x, y) for x, y, _, _ in ends], dtype="float64"))
    box = ax.get_window_extent()
    heights = spread_apart(pixels[:, 1].tolist(), gap=_SIZE * 1.35 * scale, low=box.y0, high=box.y1)
    look: dict[str, Any] = {"size": _SIZE, "fontweight": "bold", "annotation_clip": False}
    return [
        text_at(ax, text, (x, y), shift=(8, (at - wished) / scale), colour=colour, **look)
        for (x, y, text, colour), at, wished in zip(ends, heights, pixels[:, 1], strict=True)
    ]


def label_points(
    ax: Axes, points: Sequence[tuple[float, float, str]], *, sizes: Sequence[float] | None = None
) -> list[Annotation]:
    """Label points of a cloud without overlaps; a thin line leads back where a label had to move.

    Parameters
    ----------
    ax : Axes
        With its limits final.
    points : sequence of (x, y, text)
        In data coordinates, the most important first: where there is no room the last stay unlabelled. A point without
        text is only kept clear.
    sizes : sequence of float or None
        Radius of each point, in points.

    Returns
    -------
    list of Annotation
        The labels that found room.
    """
    if not points:
        return []
    scale = figure_of(ax).dpi / 72
    anchors = ax.transData.transform(np.array([(x, y) for x, y, _ in points], dtype="float64"))
    radii = np.array(sizes if sizes is not None else [4.0] * len(points)) * scale
    taken = [Bbox([anchor - radius, anchor + radius]) for anchor, radius in zip(anchors, radii, strict=True)]
    labels: list[Annotation] = []
    for (x, y, text), anchor, radius in zip(points, anchors, radii, strict=True):
        if not text:
            continue
        label = text_at(ax, text, (x, y), ha="center", annotation_clip=False)
        size = np.array(label.get_window_extent().size)
        place = _free_place(anchor, radius, size, taken, ax.get_window_extent())
        if place is None:
            label.remove()
            continue
        taken.append(_box(place, size))
        label.set_position(tuple((place - anchor) / scale))
        if np.hypot(*(place - anchor)) > radius + size[1] + size[0] / 2 + 4:
            ax.annotate(
                "",
                (x, y),
                xytext=label.get_position(),
                textcoords="offset points",
                zorder=1,
                arrowprops={"arrowstyle": "-", "color": LIGHT, "linewidth": 0.8, "shrinkA": 6, "shrinkB": 3},
            )
        labels.append(label)
    return labels


def _box(centre: np.ndarray, size: np.ndarray) -> Bbox:
    return Bbox([centre - size / 2 - _GAP, centre + size / 2 + _GAP])


def _free_place(
    anchor: np.ndarray, radius: float, size: np.ndarray, taken: list[Bbox], frame: Bbox
) -> np.ndarray | None:
    """Nearest place on a widening spiral around the point where the label touches nothing."""
    w, h = size / 2
    starts = [(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)]
    for ring in range(6):
        reach = radius + 3 * _GAP + ring * size[1] * 0.9
        for dx, dy in starts:
            place = anchor + np.array([dx * (w + reach if dy == 0 else (w + reach) * 0.8), dy * (h + reach)])
            box = _box(place, size)
            if frame.contains(*box.min) and frame.contains(*box.max) and not box.count_overlaps(taken):
                return place
    return None
