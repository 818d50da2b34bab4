"""What an eye would see in a figure: texts on texts, and texts cut off."""

from __future__ import annotations

from matplotlib.axes import Axes

from opslib.charts.theme import figure_of

SLACK_PIXELS = 2.0
"""A glyph's box may reach past the figure by its own margin."""


def overlaps(ax: Axes) -> list[tuple[str, str]]:
    """Pairs of visible texts of the axes whose boxes lie on each other; a figure has none."""
    figure = figure_of(ax)
    figure.draw_without_rendering()
    ticks = []
    for axis, (low, high) in ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim()))):
        ticks += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    candidates = [*ax.texts, *ticks, ax._left_title, ax.xaxis.label, ax.yaxis.label]  # type: ignore[attr-defined]
    texts = [text for text in candidates if text.get_visible() and text.get_text().strip()]
    shrunk = [(text.get_text(), text.get_window_extent().padded(-1)) for text in texts]
    return [(one, two) for i, (one, a) in enumerate(shrunk) for two, b in shrunk[i + 1 :] if a.overlaps(b)]


def cut_off(ax) -> list[str]:
    """Visible texts that reach past the figure's edge."""
    figure = figure_of(ax)
    box = figure.bbox
    texts = [*ax.texts, ax._left_title, ax.xaxis.label, *ax.get_yticklabels()]
    low, high = sorted(ax.get_ylim())
    cut = []
    for text in texts:
        if not text.get_text().strip() or not text.get_visible():
            continue
        if text in ax.get_yticklabels() and not low <= text.get_position()[1] <= high:
            continue
        extent = text.get_window_extent()
        if extent.x0 < box.x0 - SLACK_PIXELS or extent.x1 > box.x1 + SLACK_PIXELS:
            cut.append(text.get_text())
    return cut
