"""The daily course of one figure with the periods that are compared and the days on which its level changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import matplotlib.dates as mdates
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import line
from opslib.charts.rows import require_for_chart, rows_of
from opslib.charts.series import date_axis
from opslib.suppression import UNSAID, Said


@drawing
def draw_course(
    course: pd.DataFrame,
    *,
    levels: pd.DataFrame,
    spans: Mapping[str, tuple[date, date]],
    unit: str,
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean of seven days over time, the compared periods shaded, and where the level may have changed.

    Parameters
    ----------
    course : DataFrame
        From `investigation.daily_course`: ``day``, ``adjusted`` (in ``unit``).
    levels : DataFrame
        From `investigation.level_changes`: ``day``, ``day_lower``, ``day_upper``.
    spans : mapping of str to (date, date)
        First and last day of each shaded period, by its name.
    unit : str
        "share", "GBP", "visits", ...
    """
    require_for_chart(course, "course", "day", "adjusted")
    smooth = course["adjusted"].rolling(7, center=True, min_periods=4).mean()
    ax = theme.new_axes()
    for name, ends in spans.items():
        first, last = (float(mdates.date2num(end)) for end in ends)
        ax.axvspan(first, last + 1, color=theme.SKY, alpha=0.18, zorder=0, linewidth=0)
        ax.text(
            (first + last) / 2, 0.03, name, transform=ax.get_xaxis_transform(), ha="center", va="bottom", color=theme.GREY, fontsize=9
        )  # fmt: skip
    for level in rows_of(levels):
        ax.axvspan(
            level.day_lower,
            level.day_upper + pd.Timedelta(days=1),
            color=theme.ORANGE,
            alpha=0.18,
            zorder=0,
            linewidth=0,
        )
        ax.axvline(level.day, color=theme.ORANGE, linewidth=1.4, zorder=1)
    line(ax, course["day"], smooth, theme.BLUE)
    top = float(smooth.max()) if smooth.notna().any() else 0.0
    ax.set_ylim(0, top * 1.12 or 1)
    theme.format_axis(ax.yaxis, unit)
    date_axis(ax, course["day"])
    days = [formats.format_date(day) for day in levels["day"]]
    lowest, highest = (formats.format_value(value, unit) for value in (smooth.min(), smooth.max()))
    return finish(
        ax,
        title="The level changed around " + formats.listed(days) if days else "The level did not clearly change",
        subtitle=f"{theme.unit_words(unit)} a day, mean of seven days; orange: where the level changed, shaded as far as that is open",
        alt=f"A line from {lowest} to {highest}; the level changed around {formats.listed(days) if days else 'none of the days'}.",
    )  # fmt: skip
