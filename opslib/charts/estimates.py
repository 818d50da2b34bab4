"""Forest plots of estimates, the distribution of money, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import bars, dots, intervals, line
from opslib.charts.rows import require_for_chart, rows_of
from opslib.proposals import number_text
from opslib.stats.estimates import Estimate
from opslib.suppression import UNSAID, Said

DOT = 0.025
"""Width of a dot, as a share of the axis: intervals that are shorter make bars of the dots."""


@drawing
def draw_estimates(
    estimates: Mapping[str, Estimate],
    *,
    title: str | None = None,
    reference: float | None = None,
    highlight: Sequence[str] = (),
    measure: str = "",
    people: Said = UNSAID,
    ax: Axes | None = None,
) -> Axes:
    """Forest plot: one line a name, its point and its interval, the number written at the right.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        All in one unit, in the order to draw.
    title : str or None
        The finding; a plain one unless given.
    reference : float or None
        Value to compare with, drawn as a line (0 for changes, 1 for ratios).
    highlight : sequence of str
        Names that matter; the others turn grey. All matter unless given.
    measure : str
        What the values are, for the subtitle ("difference from competitors, per cent"); their unit unless given.
    """
    first = next(iter(estimates.values()))
    written = formats.format_estimates([*estimates.values()], signed=reference == 0)
    texts = dict(zip(estimates, written, strict=True))
    colours = [theme.BLUE if not highlight or name in highlight else theme.GREY for name in texts]
    ax = forest(list(estimates), list(estimates.values()), list(texts.values()), colours, base=reference or 0.0)
    if reference is not None:
        ax.axvline(reference, color=theme.GREY, linewidth=1, zorder=1)
        low, high = ax.get_xlim()
        room = 0.03 * (max(high, reference) - min(low, reference))
        ax.set_xlim(min(low, reference - room), max(high, reference + room))
    theme.format_axis(ax.xaxis, first.unit, n_ticks=5)
    parts = [f"{name} {text}" for name, text in texts.items()]
    plain = ": ".join(*texts.items()) if len(texts) == 1 else f"{len(texts)} estimates with their intervals"
    return finish(
        ax,
        title=title or plain,
        alt=f"Points with intervals: {'; '.join(parts)}.",
        subtitle="; ".join(
            filter(None, (measure or theme.unit_words(first.unit), theme.level_words(first.confidence_level)))
        ),
    )


def _estimates_in(frame: pd.DataFrame, value: str, *, unit: str) -> list[Estimate]:
    """Each row's estimate, from the column of its value and those of its ends."""
    numbers = frame[[value, f"{value}_lower", f"{value}_upper"]].astype("float64").itertuples(index=False, name=None)
    return [
        Estimate(value=value, lower=lower, upper=upper, n=0, unit=unit, method="") for value, lower, upper in numbers
    ]


def forest(
    names: Sequence[str],
    estimates: Sequence[Estimate],
    texts: Sequence[str],
    colours: Sequence[str],
    *,
    wrap: int = 0,
    base: float | None = None,
) -> Axes:
    """Points and intervals; an end that is missing or infinite is left open. Bars from ``base`` where dots would hide the intervals."""
    ax = theme.row_axes(names, texts, wrap=wrap)
    ends = np.array([(e.value, e.lower, e.upper) for e in estimates], dtype="float64").reshape(-1, 3)
    finite = ends[np.isfinite(ends)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    known, shades = np.flatnonzero(np.isfinite(ends[:, 0])), np.asarray(colours)
    is_hidden = len(known) > 1 and np.nanmedian(ends[:, 2] - ends[:, 1]) < DOT * (high - low)
    if base is not None and is_hidden:
        low, high = min(low, base), max(high, base)
        bars(ax, np.nan_to_num(ends[:, 0], nan=base) - base, colours, start=base)
        ax.hlines(known, ends[known, 1], ends[known, 2], colors=theme.INK, linewidth=1.6)
    elif len(known):
        ends = np.where(np.isfinite(ends), ends, [np.nan, low - margin, high + margin])
        intervals(ax, known, ends[known], list(shades[known]))
    ax.set_xlim(low - margin * (low != base), high + margin * (high != base))
    return ax


@drawing
def draw_intervals(
    frame: pd.DataFrame,
    *,
    value: str,
    unit: str,
    reference: float | None = None,
    of: str | None = None,
    sides: tuple[str, str] = ("below", "above"),
    each: str = "group",
    measure: str = "",
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes | None:
    """Forest plot of any table with intervals, largest first; with a reference, grey where the interval holds it.

    Parameters
    ----------
    frame : DataFrame
        First column: names; ``<value>``, ``<value>_lower``, ``<value>_upper``, all in ``unit``; rows without a value are left out.
    value : str
        Column of the number.
    unit : str
        "share", "relative change", "ratio", a currency code, ...
    reference : float or None
        Value to compare with (0 for changes, 1 for ratios).
    of : str or None
        Without a reference: what the values are of ("of the visits"); the title then names the largest.
    sides : (str, str)
        With a reference: what a name below and above it is ("cheaper than competitors", "dearer"); the title names those
        that are.
    each : str
        What a row is ("category"), for a title that is about all of them.
    measure : str
        What the values are, for the subtitle ("difference from competitors, per cent"); their unit unless given.
    """
    require_for_chart(frame, "intervals", value, f"{value}_lower", f"{value}_upper")
    known = frame.dropna(subset=[value]).sort_values(value, ascending=False, kind="stable")
    rows = dict(zip(known.iloc[:, 0].astype(str), _estimates_in(known, value, unit=unit), strict=True))
    clear = [name for name, e in rows.items() if reference is not None and e.excludes(reference)]
    title = _sides(rows, reference, sides, each) if reference is not None else None
    if reference is None and of is not None and rows:
        name, most = next(iter(rows.items()))
        title = f"{name}: {formats.format_value(most.value, unit)} {of}, more than any other"
    highlight = clear or [""] if reference is not None else ()
    return draw_estimates(rows, title=title, reference=reference, highlight=highlight, measure=measure, people=None)


def _sides(rows: Mapping[str, Estimate], reference: float, sides: tuple[str, str], each: str) -> str:
    """Who lies clearly above and below a reference, by name."""
    above = [name for name, e in rows.items() if e.lower > reference]
    below = [name for name, e in rows.items() if e.upper < reference][::-1]
    whole = f"All {formats.count_of(len(rows), each)}"
    parts = [
        f"{whole if len(names) == len(rows) > 3 else formats.listed(names)} {'is' if len(names) == 1 else 'are'} {what}"
        for names, what in ((above, sides[1]), (below, sides[0]))
        if names
    ]
    return ", ".join(parts) or f"Nothing is clearly {sides[1]} or {sides[0]}"


@drawing
def draw_posterior(
    density: pd.DataFrame,
    *,
    estimate: Estimate,
    p_positive: float,
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Distribution of the money that a proposal may bring; the part below zero is red.

    Parameters
    ----------
    density : DataFrame
        ``amount`` (ascending) and ``density``, on a grid.
    estimate : Estimate
        Expected amount with its interval; its unit names the currency.
    p_positive : float
        Probability that the amount is above zero.
    """
    require_for_chart(density, "density", "amount", "density")
    x, y = density["amount"].to_numpy(dtype="float64"), density["density"].to_numpy(dtype="float64")
    ax = theme.new_axes(height=3.2)
    edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    sns.histplot(
        x=x, weights=y, bins=list(edges), hue=x < 0, palette={False: theme.BLUE, True: theme.RED}, element="poly", alpha=0.45, linewidth=0.6,
        legend=False, ax=ax,
    )  # fmt: skip
    top = float(y.max()) if len(y) else 1.0
    intervals(ax, [-0.06 * top], [estimate.value, estimate.lower, estimate.upper], [theme.INK])
    ax.set(xlabel="", ylabel="")
    ax.axvline(0, color=theme.GREY, linewidth=1)
    ax.set_ylim(-0.12 * top, 1.1 * top)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    theme.format_axis(ax.xaxis, estimate.unit.split("/")[0])
    text = formats.format_estimate(estimate)
    chance = number_text.probability(p_positive)
    return finish(
        ax,
        title=f"Expected {text}; it pays with a chance of {chance}",
        subtitle=f"{theme.unit_words(estimate.unit)}; dot: expected, line: {theme.level_words(estimate.confidence_level)}",
        alt=f"A distribution of money: expected {text}, probability of a gain {chance}.",
    )


@drawing
def draw_calibration(
    bins: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Calibration: how often promises came true against their stated probability, with the line of perfect calibration.

    Parameters
    ----------
    bins : DataFrame
        ``stated`` (mean stated probability), ``observed`` (share that came true), ``observed_lower``, ``observed_upper``, ``n``.
    """
    require_for_chart(bins, "calibration", "stated", "observed", "observed_lower", "observed_upper", "n")
    ax = theme.new_axes(height=4.6)
    line(ax, [0, 1], [0, 1], theme.LIGHT, zorder=1)
    ax.vlines(
        bins["stated"], bins["observed_lower"], bins["observed_upper"], color=theme.BLUE, alpha=0.5, linewidth=2.4
    )
    dots(ax, bins["stated"], bins["observed"], theme.BLUE)
    for r in rows_of(bins):
        theme.text_at(ax, f"{int(r.n)}", (r.stated, r.observed), shift=(9, 0))
    ax.set_xlim(0, 1.04)
    ax.set_ylim(0, 1.04)
    ax.set_aspect("equal", adjustable="box", anchor="W")
    for axis in (ax.xaxis, ax.yaxis):
        theme.format_axis(axis, "share")
    ax.set_xlabel("stated probability")
    ax.set_ylabel("came true")
    n = int(bins["n"].sum())
    parts = "; ".join(f"stated {_whole(r.stated)}, came true {_whole(r.observed)} of {int(r.n)}" for r in rows_of(bins))
    return finish(
        ax,
        title=f"Of {n} promises {_whole((bins['observed'] * bins['n']).sum() / n)} came true, "
        f"{_whole((bins['stated'] * bins['n']).sum() / n)} were expected to",
        subtitle="on the line the stated probabilities were right; numbers: promises",
        alt=f"Points: {parts or 'none'}.",
    )


def _whole(share: float) -> str:
    return formats.format_share(share, step=1.0)
