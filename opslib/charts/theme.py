"""One look for every figure: colours, type, sizes, axes in units, titles that state the finding."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from opslib import formats
from opslib.charts.rows import short

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, INK = "#56B4E9", "#CC79A7", "#F0E442", "#1A1A1A"
GREY, LIGHT, PALE = "#6B6B6B", "#C9C9C9", "#EFEFEF"
PALETTE = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)
WIDTH, NARROW, HEIGHT = 7.5, 3.35, 4.2
"""Inches; 720 pixels of a page's column, 322 of a phone's, at 96 an inch."""
NARROW_CHARS = 40
"""Characters of a line across a phone."""
RISE = 0.2
"""How far above its row a name stands on a phone, in rows."""
TITLE_CHARS, SUBTITLE_CHARS = 66, 92
DEFAULT_AXES_SHARE = 0.775
"""Width of the axes before they are laid out, as a share of the figure's; square ones are narrower."""

_THINGS = {
    BLUE: ("revenue", "confirmed", "star", "maturity"),
    SKY: ("orders", "supported", "launch"),
    ORANGE: ("cost", "partly", "question mark", "decline"),
    GREY: ("refuted", "dog", "dormant"),
    RED: ("returns", "harmful"),
    LIGHT: ("inconclusive", "invalid"),
    GREEN: ("margin", "cash cow", "growth"),
    PURPLE: ("customers",),
}
#: The same thing has the same colour on every page.
COLOURS: dict[str, str] = {thing: colour for colour, things in _THINGS.items() for thing in things}
#: Colours as a legend of quadrants names them.
COLOUR_WORDS = {BLUE: "blue", GREEN: "green", ORANGE: "orange", GREY: "grey"}
COUNTED = frozenset(
    {"orders", "customers", "visitors", "sessions", "lines", "products", "searches", "returns", "count"}
)
SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": GREY,
    "axes.edgecolor": LIGHT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid.axis": "y",
    "grid.color": PALE,
    "xtick.labelcolor": GREY,
    "ytick.labelcolor": GREY,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "axes.labelsize": 9.5,
    "lines.linewidth": 1.8,
    "hatch.linewidth": 0.6,
    "figure.dpi": 72,
    "savefig.dpi": 144,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "opslib",
    "figure.max_open_warning": 0,
    "text.parse_math": False,  # two amounts in dollars are no formula
}


def use() -> None:
    """Set the look for everything that matplotlib and seaborn draw from now on."""
    sns.set_theme(style="whitegrid", palette=PALETTE, font=SETTINGS["font.family"], rc=SETTINGS)


def colour_of(name: str) -> str:
    """The colour of a thing: fixed for the words of this field, else chosen by the name alone.

    Examples
    --------
    >>> colour_of("Revenue"), colour_of("rattan") == colour_of("rattan")
    ('#0072B2', True)
    """
    known = COLOURS.get(str(name).lower())
    if known:
        return known
    return PALETTE[int(hashlib.sha256(str(name).encode()).hexdigest()[:8], 16) % len(PALETTE)]


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Colours of things drawn together: their own where they differ, the next free one where two would clash."""
    chosen: dict[str, str] = {}
    for name in names:
        colour = colour_of(name)
        start = PALETTE.index(colour) if colour in PALETTE else 0
        if colour in chosen.values() and len(chosen) < len(PALETTE):
            turned = PALETTE[start:] + PALETTE[:start]
            colour = next((other for other in turned if other not in chosen.values()), colour)
        chosen[name] = colour
    return chosen


#: Axes that a caller gave to draw on.
_given: list[Axes] = []


@contextmanager
def drawn_on(ax: Axes | None) -> Iterator[None]:
    """Have `new_axes` hand out these axes, where some are given."""
    _given.extend([ax] if ax is not None else [])
    try:
        yield
    finally:
        _given.clear()


#: Whether figures are drawn for a phone.
_for_phone: list[bool] = []


@contextmanager
def for_phone() -> Iterator[None]:
    """Draw for a phone's width."""
    _for_phone.append(True)
    try:
        yield
    finally:
        _for_phone.pop()


def is_narrow() -> bool:
    """Whether the figure is drawn for a phone."""
    return bool(_for_phone)


def new_axes(*, height: float = HEIGHT, least: float = 0.0) -> Axes:
    """Axes of a new figure as wide as its column, ``least`` inches where a phone is narrower, or those that the caller gave."""
    if _given:
        return _given.pop()
    width = min(max(NARROW, least), WIDTH) if is_narrow() else WIDTH
    return cast(Axes, plt.subplots(figsize=(width, height))[1])


def row_axes(
    names: Iterable[object], texts: Sequence[str] = (), *, wrap: int = 0, limit: int = 38, per_row: float = 0.0
) -> Axes:
    """Axes of one line a thing, the first on top: its name at the left and its text at the right, both above it on a phone."""
    heads = [short(name, 2 * wrap + 4 if wrap else limit) for name in names]
    texts = texts or [""] * len(heads)
    labels = [textwrap.fill(name, wrap) if wrap else name for name in heads]
    if is_narrow():
        said = (": ".join(filter(None, both)).replace("\n", ", ") for both in zip(heads, texts, strict=True))
        labels = [textwrap.fill(words, NARROW_CHARS) for words in said]
    n_lines = 1 + max((label.count("\n") for label in (*labels, *texts)), default=0)
    a_line, around = (0.18, 2.6) if is_narrow() else (0.15, 1.5)
    ax = new_axes(height=height_for(len(heads), per_row=max(per_row, 0.2 + a_line * n_lines), around=around))
    look: dict[str, Any] = {"size": 9.5, "annotation_clip": False}
    for row, (label, text) in enumerate(zip(labels, texts, strict=True)):
        if is_narrow():
            text_at(ax, label, (0, row - RISE), va="bottom", xycoords=("axes fraction", "data"), **look)
        else:
            text_at(ax, text, (1, row), shift=(8, 0), xycoords=("axes fraction", "data"), **look)
    ax.set_yticks(range(len(heads)), [""] * len(heads) if is_narrow() else labels)
    ax.set_ylim(max(len(heads), 1) - 0.4, -1.0 if is_narrow() else -0.6)
    horizontal(ax)
    return ax


def text_at(
    ax: Axes,
    text: str,
    at: tuple[Any, Any],
    *,
    shift: tuple[float, float] = (0, 0),
    size: float = 9,
    colour: str = INK,
    ha: Any = "left",
    va: Any = "center",
    **more: Any,
) -> Annotation:
    """Write a text at a point of the axes, moved from it by so many points of type."""
    more |= {"fontsize": size, "color": colour, "ha": ha, "va": va}
    return ax.annotate(text, at, xytext=shift, textcoords="offset points", **more)


def figure_of(ax: Axes) -> Figure:
    """The figure that the axes belong to."""
    return cast(Figure, ax.get_figure(root=True))


def height_for(n_rows: int, *, per_row: float = 0.34, around: float = 1.5) -> float:
    """Height in inches of a figure with one line a row."""
    return min(max(n_rows * per_row + around, 2.2), 14.0)


def headline(ax: Axes, title: str, *, subtitle: str = "") -> None:
    """Write the finding above the axes, with units and what is drawn in a smaller line under it."""
    for label in (ax.xaxis.label, ax.yaxis.label) if is_narrow() else ():
        label.set_text(textwrap.fill(label.get_text(), NARROW_CHARS - 8))
    room = min(1.0, ax.get_position().width / DEFAULT_AXES_SHARE) * (NARROW if is_narrow() else WIDTH) / WIDTH
    above, below = textwrap.fill(title, int(TITLE_CHARS * room)), textwrap.fill(subtitle, int(SUBTITLE_CHARS * room))
    if below:
        look: Any = {"xycoords": "axes fraction", "gid": "subtitle", "linespacing": 1.25, "in_layout": False}
        text_at(ax, below, (0, 1), shift=(0, 7), size=9.5, colour=GREY, va="bottom", **look)
    pad = 12.0 + (13.0 * (below.count("\n") + 1) if below else 0.0)
    ax.set_title(above, loc="left", y=1.0, pad=pad, fontsize=12, fontweight="bold", linespacing=1.25)


def align_headline(ax: Axes) -> None:
    """Move title and subtitle to the left edge of everything drawn, so that they never run out on the right."""
    low, high = sorted(ax.get_ylim())
    ticks = [tick.label1 for tick in ax.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    boxes = [label.get_window_extent() for label in ticks if label.get_text() and label.get_visible()]
    boxes += [ax.get_window_extent(), ax.yaxis.label.get_window_extent()]
    left = min(box.x0 for box in boxes if box.width > 0)
    x = float(ax.transAxes.inverted().transform((left, 0))[0])
    title = ax._left_title  # type: ignore[attr-defined]
    title.set_x(x)
    for text in ax.texts:
        if text.get_gid() == "subtitle":
            text.xy = (x, 1)  # type: ignore[attr-defined]


def format_axis(axis: Axis, unit: str, *, n_ticks: int = 6) -> None:
    """Write an axis in its unit: £12.4k, 20 %, +5 %, plain numbers."""

    def write(value: float, position: int | None = None) -> str:
        base = unit.split("/")[0]
        number = 0.0 if abs(value) < 1e-12 else round(value, 12)
        if base in formats.POINT_UNITS:
            return formats.format_number(100 * number, signed=True)
        if base in formats.PERCENT_UNITS:
            return formats.format_share(number, signed=base not in formats.SHARE_UNITS)
        text = formats.format_number(number)
        if formats.is_money(unit) and base != "money":
            sign = formats.MINUS if text.startswith(formats.MINUS) else ""
            return sign + formats.currency_sign(base) + text.removeprefix(sign)
        return text + ("x" if base in formats.RATIO_UNITS else "")

    is_count = unit in COUNTED
    if axis.get_scale() == "linear":
        n_ticks = min(n_ticks, 4) if is_narrow() else n_ticks
        axis.set_major_locator(MaxNLocator(n_ticks, steps=[1, 2, 2.5, 5, 10], integer=is_count))
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 3.0) if is_narrow() else (1.0, 2.0, 5.0), numticks=9))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(write))


def unit_words(unit: str) -> str:
    """The unit in words, for a subtitle: "per cent", "GBP a month", "orders"."""
    base, _, tail = unit.partition("/")
    if base in formats.SHARE_UNITS:
        words = "share"
    elif base in formats.PERCENT_UNITS:
        words = "change in per cent" if base in formats.CHANGE_UNITS else "change in percentage points"
    else:
        words = base
    return f"{words} a {tail}" if tail else words


def level_words(confidence_level: float) -> str:
    """ "95 % intervals".

    Examples
    --------
    >>> level_words(0.95)
    '95\\xa0% intervals'
    """
    return f"{formats.format_share(confidence_level)} intervals"


def horizontal(ax: Axes) -> None:
    """Grid and spines of a chart whose rows are things: vertical grid, no left spine."""
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, labelcolor=INK)
