"""Price elasticities by group, and revenue and margin along a product's prices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import dots, intervals, line
from opslib.charts.rows import rows_of, short
from opslib.positioning import PriceResponse, WhatIf
from opslib.suppression import UNSAID, Said

MOST_GROUPS = 15
"""Groups that are drawn: those with the most units."""
SHOWN = (-6.0, 2.0)
"""Slopes of the axis; longer intervals end in an arrow."""


@drawing
def draw_price_slopes(
    response: PriceResponse, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Forest plot of price elasticities by group: list price blue, promotion green; grey where it is no effect; nothing is drawn without any.

    Parameters
    ----------
    response : PriceResponse
        From `positioning.price_response`.
    """
    known = response.groups.dropna(subset=["slope"])
    left_out = len(known) - len(known.head(MOST_GROUPS)) + response.n_groups_left_out
    rows = rows_of(known.head(MOST_GROUPS).sort_values("slope", kind="stable"))
    if not rows:
        return None
    has_promotions = any(np.isfinite(r.promotion_slope) for r in rows)
    ax = theme.row_axes([short(r.group, 26) + ("" if r.is_usable else f" ({r.refusal})") for r in rows], limit=60)
    _slopes(ax, rows, "slope", [theme.BLUE if r.is_usable else theme.GREY for r in rows])
    if has_promotions:
        _slopes(ax, rows, "promotion_slope", [theme.GREEN] * len(rows), below=0.3, marker="D", s=22)
    ax.axvline(0, color=theme.GREY, linewidth=1, zorder=1)
    ax.axvline(-1, color=theme.LIGHT, linewidth=1, linestyle="--", zorder=1)
    ax.set_xlim(*_shown(known.head(MOST_GROUPS)))
    parts = "; ".join(f"{r.group} {r.slope:.1f} ({r.slope_lower:.1f} to {r.slope_upper:.1f})" for r in rows)
    parts = parts.replace(" -", f" {formats.MINUS}").replace("(-", f"({formats.MINUS}")
    what = "units sold, change in % for 1 % more of the list price (blue)"
    what += "; grey: prices followed demand or depend on quantity"
    what += "; green: price paid in promotions" if has_promotions else ""
    what += f"; {formats.count_of(left_out, 'smaller group')} left out" if left_out else ""
    return finish(
        ax,
        title=_slopes_title(rows),
        subtitle=f"{what}; {theme.level_words(response.confidence_level)}; dashed: revenue stays",
        alt=f"Points with intervals: {parts or 'none'}.",
    )


def _slopes_title(rows: Sequence[Any]) -> str:
    """Where a higher price clearly sells fewer units, and where that cannot be read."""
    clear = [str(r.group) for r in rows if r.is_usable and r.slope_upper < 0]
    unread = [str(r.group) for r in rows if not r.is_usable]
    if len(unread) == len(rows):
        return f"What higher prices sell cannot be told in {formats.listed(unread)}"
    said = (
        f"Higher prices sell fewer units in {formats.listed(clear)}"
        if clear
        else "Nowhere do higher prices clearly sell fewer units"
    )
    return said + (f"; {formats.listed(unread, shown=2)} cannot be told" if unread else "")


def _shown(rows: pd.DataFrame) -> tuple[float, float]:
    columns = ["slope_lower", "slope_upper", "promotion_slope_lower", "promotion_slope_upper"]
    ends = rows[columns].to_numpy(float) if len(rows) else np.array([[-1.0, 0.0]])
    return max(float(np.nanmin(ends)), SHOWN[0]) - 0.3, min(max(float(np.nanmax(ends)), 0.0), SHOWN[1]) + 0.3


def _slopes(ax: Axes, rows: Sequence[Any], column: str, colours: list[str], *, below: float = 0.0, **look: Any) -> None:
    """Intervals of one slope a row, cut at the ends of the axis, with an arrow where they go on."""
    ends = np.array([[getattr(r, f"{column}{end}") for end in ("", "_lower", "_upper")] for r in rows], dtype="float64")
    places, shown = np.arange(len(rows)) + below, np.clip(ends, *SHOWN)
    intervals(ax, places, np.column_stack([np.where(shown == ends, ends, np.nan)[:, 0], shown[:, 1:]]), colours, **look)
    for end, arrow in ((1, "<"), (2, ">")):
        dots(ax, np.where(shown[:, end] == ends[:, end], np.nan, shown[:, end]), places, colours, marker=arrow, s=30)


@partial(drawing, draws_empty=True)
def draw_price_response(
    found: WhatIf, *, currency: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Change of revenue and margin along the prices that a product has had; hatched where there is no evidence.

    Parameters
    ----------
    found : WhatIf
        From `positioning.what_if`.
    currency : str
        ISO code of prices.
    """
    if not np.isfinite(found.now.price):  # an empty curve is drawn: it says that nothing can be told
        return None
    ax = theme.new_axes()
    band, now, then = found.band, found.now.price, found.then.price
    ends = [price for price in (*band, now, then) if np.isfinite(price)]
    room = 0.12 * (max(ends) - min(ends)) or 0.1 * now
    low, high = min(ends) - room, max(ends) + room
    curve = found.curve
    lines = [name for name in ("revenue", "margin") if name in curve and curve[name].notna().all()]
    for name in lines:
        colour = theme.colour_of(name)
        ax.fill_between(
            curve["price"], curve[f"{name}_lower"], curve[f"{name}_upper"], color=colour, alpha=0.16, linewidth=0
        )
        line(ax, curve["price"], curve[name], colour)
    unseen = [(low, band[0]), (band[1], high)] if len(curve) else [(low, high)]
    for start, stop in unseen:
        ax.axvspan(start, stop, facecolor=theme.PALE, edgecolor=theme.LIGHT, hatch="////", linewidth=0, zorder=0)
    ax.axhline(0, color=theme.GREY, linewidth=1, zorder=1)
    marks = [("now", now, theme.INK, 1.0), ("then", then, theme.ORANGE, 1.4)][: 2 if then != now else 1]
    for _, price, colour, width in marks:
        ax.axvline(price, color=colour, linewidth=width)
    ax.set_xlim(low, high)
    theme.format_axis(ax.xaxis, currency)
    theme.format_axis(ax.yaxis, currency, n_ticks=5)
    if not lines:
        ax.set_yticks([])
    named = [
        (name if theme.is_narrow() else f"{name} {formats.format_money(price, currency)}", price, colour)
        for name, price, colour, _ in marks
    ]
    seen = f"Prices seen run from {band[0]:.2f} to {band[1]:.2f}" if np.isfinite(band[0]) else "No prices are known"
    return finish(
        ax,
        title=_what_if_title(found, currency),
        subtitle=f"{currency} a month against the present price, by list price; ribbons: 95 % intervals; hatched: no evidence "
        "beyond the prices that were seen",
        alt=f"{seen}; now {now:.2f}, then {then:.2f} {currency}.",
        label=lambda: _curve_labels(ax, curve, lines, named),
    )


def _what_if_title(found: WhatIf, currency: str) -> str:
    if found.consequence is None:
        why = {"band": "no such price was seen", "followed": "its prices followed demand", "tiers": "its price depends on "
               "the quantity"}  # fmt: skip
        return f"{short(found.name)}: what another price sells cannot be told, since {why.get(found.refusal, 'too little is known')}"
    told = found.consequence.margin or found.consequence.revenue
    what = "margin" if found.consequence.margin else "revenue"
    change = formats.format_change(found.then.price / found.now.price - 1)
    return f"{short(found.name)} at {change}: {what} {formats.format_estimate(told, currency=currency, signed=True)}"


def _curve_labels(ax: Axes, curve: pd.DataFrame, lines: list[str], marks: list[tuple[str, float, str]]) -> None:
    """Names of the lines where they are widest apart, and of the two prices above the axes' floor."""
    low, high = ax.get_ylim()
    left, right = ax.get_xlim()
    lower = min(price for _, price, _ in marks)
    for rank, (text, price, colour) in enumerate(marks):
        at = (price - left) / (right - left)
        is_left = at > 0.8 or (at > 0.2 and price == lower and len(marks) > 1)
        theme.text_at(ax, text, (price, low + (0.03 + (0.2 if theme.is_narrow() else 0.07) * rank) * (high - low)), shift=(-5 if is_left else 5, 0), size=9.5, colour=colour, ha="right" if is_left else "left", va='baseline', fontweight="bold")  # fmt: skip
    if not lines:
        return
    ends = curve.iloc[[0, -1]][lines].to_numpy(float)
    side = 0 if len(lines) == 1 or abs(np.diff(ends[0])[0]) >= abs(np.diff(ends[1])[0]) else 1
    for name, y in zip(lines, ends[side], strict=True):
        above = y == ends[side].max()
        theme.text_at(ax, name, (curve["price"].iloc[-side], y), shift=(6 if side == 0 else -6, 9 if above else -14), size=9.5, colour=theme.colour_of(name), ha="left" if side == 0 else "right", va='baseline', fontweight="bold")  # fmt: skip
