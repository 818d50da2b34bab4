"""Display of figures: deterministic SVG with alt text."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Sized
from dataclasses import fields, is_dataclass
from typing import Any, ParamSpec

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from opslib.charts import theme
from opslib.errors import ReportError
from opslib.privacy import SUPPRESSED
from opslib.suppression import UNSAID, suppressed

_ALT, _AGAIN = "opslib_alt", "opslib_again"
NARROW_SVG = "image/vnd.opslib.narrow+svg"
"""Media type of the drawing for a phone, beside the wide one."""
_NOISE = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
_PLACES = re.compile(r"\b(?:d|x|y|points|width|height)=\"[^\"]*\"")
_PATH, _LETTER = re.compile(r' d="([^"]*)"'), re.compile(r"\s*([A-Za-z])\s*")
_USE = re.compile(r'<use([^>]*) transform="translate\(([-\d.]+) ([-\d.]+)\)"')
_AS_GROUP = r"\1"
_LONG = re.compile(r"(\d+\.\d{2})\d+")
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


_Given = ParamSpec("_Given")


#: Title of the figure that is being drawn, where its caller gave one.
_titles: list[str] = []
#: Whose data figures show, and until when: in their corner, since figures are pasted into slides.
_source: list[str] = []
SOURCE_INCHES = 0.2


def drawing(draw: Callable[_Given, Axes | None], *, draws_empty: bool = False) -> Callable[_Given, Axes | None]:
    """Give a draw function what all have in common: ``people``, ``title``, ``ax``, and nothing drawn of an empty or withheld result.

    Small groups are withheld from the result, its first argument, before it is drawn (`suppression.suppressed`). ``title``
    takes the place of the one made from the result, ``ax`` of a new figure. With ``draws_empty`` the function says itself
    what it draws of an empty result.
    """

    plain: Callable[..., Axes | None] = draw

    @functools.wraps(draw)
    def drawn(*given: _Given.args, **chosen: _Given.kwargs) -> Axes | None:
        options: dict[str, Any] = dict(chosen)
        people, title, ax = options.pop("people", UNSAID), options.pop("title", None), options.pop("ax", None)
        result, *rest = given or (options.pop(next(iter(options))),)
        result = suppressed(result, people, of=f"charts.{draw.__name__}")
        if isinstance(result, pd.DataFrame) and len(result) and SUPPRESSED in result and result[SUPPRESSED].all():
            return None
        if has_nothing(result) and not draws_empty:
            return None

        def draw_it() -> Axes | None:
            with mpl.rc_context(), theme.drawn_on(ax):
                theme.use()
                _titles.append(title or "")
                try:
                    return plain(result, *rest, **options)
                finally:
                    _titles.pop()

        axes = draw_it()
        if axes is not None and ax is None:
            setattr(theme.figure_of(axes), _AGAIN, draw_it)
        return axes

    return drawn


def has_nothing(result: object) -> bool:
    """Whether there is nothing in a result: no row, no item, or a dataclass whose tables are all without a row.

    Examples
    --------
    >>> has_nothing({}), has_nothing([0])
    (True, False)
    """
    if is_dataclass(result):
        values = [getattr(result, part.name) for part in fields(result)]
        tables = [value for value in values if isinstance(value, pd.DataFrame)]
        return bool(tables) and all(len(table) == 0 for table in tables)
    return result is None or (isinstance(result, Sized) and len(result) == 0)


def finish(ax: Axes, *, title: str, alt: str, subtitle: str = "", label: Callable[[], object] | None = None) -> Axes:
    """Write the headline and keep the alt text; every draw function ends here.

    Parameters
    ----------
    ax : Axes
        The drawn axes.
    title : str
        The finding.
    alt : str
        Whole sentences for those who cannot see the figure: what is drawn, range, extremes.
    subtitle : str
        Units and what is drawn.
    label : callable or None
        Places labels that must not overlap; called once everything else has its place.
    """
    title = next(filter(None, _titles), title)
    theme.headline(ax, title, subtitle=subtitle)
    describe(ax, f"{title.rstrip('.')}. {alt}")
    figure = theme.figure_of(ax)
    if _source and figure.get_layout_engine() is not None:
        figure.set_figheight(figure.get_figheight() + SOURCE_INCHES)
        room = SOURCE_INCHES / figure.get_figheight()
        figure.get_layout_engine().set(rect=(0, room, 1, 1 - room))  # type: ignore[union-attr,call-arg]
        figure.text(0.0, 0.0, _source[0], fontsize=7.5, color=theme.GREY, va="bottom")
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    theme.align_headline(ax)
    figure.set_layout_engine("none")
    if label is not None:
        label()
    return ax


def first_drawn(*figures: Axes | None) -> Axes | None:
    """The first of several figures that had something to draw; None where none had."""
    return next((figure for figure in figures if figure is not None), None)


def describe(ax: Axes, alt: str) -> None:
    """Say in whole sentences what the axes show; a figure without is refused.

    Parameters
    ----------
    ax : Axes
        Of any figure, also one that seaborn drew.
    alt : str
        What is drawn, its range and its extremes.
    """
    if len(alt.split()) < 4:
        raise ReportError(f"alt text '{alt}': write a whole sentence about what the figure shows")
    setattr(ax, _ALT, " ".join(alt.split()))


def alt_of(figure: Figure) -> str:
    """Alt text of a figure: the sentences of its axes, in order.

    Raises
    ------
    ReportError
        If no axes has any.
    """
    alts = [getattr(ax, _ALT) for ax in figure.axes if hasattr(ax, _ALT)]
    if not alts:
        raise ReportError(
            "this figure has no alt text, so a reader who cannot see it learns nothing; call "
            "charts.describe(ax, 'A sentence about what it shows') or use a charts.draw_ function"
        )
    return " ".join(dict.fromkeys(alts))


def to_svg(figure: Figure) -> str:
    """The figure as SVG text; letters as paths, ids salted, no date: the same bytes every time."""
    buffer, dpi, canvas = io.StringIO(), figure.dpi, figure.canvas
    keep: Any = {key: theme.SETTINGS[key] for key in ("svg.hashsalt", "svg.fonttype")}
    try:
        figure.dpi = theme.SETTINGS["savefig.dpi"]
        with mpl.rc_context(keep):  # the canvas itself: figure.savefig would draw everything once more to lay it out
            FigureCanvasSVG(figure).print_svg(buffer, metadata=_METADATA)
    finally:
        figure.dpi = dpi
        figure.set_canvas(canvas)
    return _lean(buffer.getvalue())


def _lean(svg: str) -> str:
    """The drawing alone: no prologue, comments or metadata, coordinates to a hundredth of a point, letters in few signs."""
    svg = _NOISE.sub("", svg[svg.index("<svg") :])
    svg = _PLACES.sub(lambda match: _LONG.sub(r"\1", match[0]), svg)
    svg = _PATH.sub(lambda match: f' d="{_LETTER.sub(_AS_GROUP, match[1])}"', svg)
    svg = _USE.sub(lambda match: f'<use{match[1]} x="{float(match[2]):.1f}" y="{float(match[3]):.1f}"', svg)
    svg = svg.replace(' y="0.0"', "").replace("xlink:href", "href").replace("DejaVuSans-", "D")
    return re.sub(r">\s+<", "><", svg)


def figure_bundle(drawn: Figure | Axes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Data and metadata of a figure, or of the one that axes stand in, for a notebook: for a desk, and drawn again for a phone."""
    figure = theme.figure_of(drawn) if isinstance(drawn, Axes) else drawn
    alt = alt_of(figure)
    data = {"image/svg+xml": to_svg(figure), "text/plain": alt}
    if hasattr(figure, _AGAIN):
        with theme.for_phone():
            narrow = theme.figure_of(getattr(figure, _AGAIN)())
        data[NARROW_SVG] = to_svg(narrow)
        plt.close(narrow)
    return data, {"image/svg+xml": {"alt": alt}}


def register(*, source: str = "") -> None:
    """Set the look and let figures show themselves as SVG with alt text, and as nothing else.

    Works under the inline backend and in a kernel that was forked after matplotlib was loaded; where no IPython runs,
    only the look is set.

    Parameters
    ----------
    source : str
        Whose data figures show, and until when, for the corner of each.
    """
    from IPython import get_ipython

    theme.use()
    _source[:] = [source] if source else []
    shell = get_ipython()
    if shell is None:
        return
    _no_other_formats(shell)
    shell.display_formatter.mimebundle_formatter.for_type(Figure, figure_bundle)


def unregister() -> None:
    """Take the formatter out again and let matplotlib show PNG."""
    from IPython import get_ipython
    from IPython.core.pylabtools import select_figure_formats

    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.mimebundle_formatter.pop(Figure, None)
        select_figure_formats(shell, {"png"})


def _no_other_formats(shell: Any) -> None:
    """Take PNG and the rest away, now and from the inline backend's own configuration."""
    from IPython.core.pylabtools import select_figure_formats
    from matplotlib_inline.config import InlineBackend

    backend = InlineBackend.instance(parent=shell)
    backend.figure_formats = set()
    backend.rc = {}
    select_figure_formats(shell, set())
