"""Control chart of a category's days: what was ordered, what was expected, and the days beyond."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import dots, line
from opslib.charts.rows import require_for_chart
from opslib.charts.series import date_axis
from opslib.suppression import UNSAID, Said


@drawing
def draw_control_days(
    days: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Orders a day of the category farthest out of its limits, with the band of a usual day; days beyond it are marked.

    Parameters
    ----------
    days : DataFrame
        From `product_control.category_days`: ``group``, ``day``, ``n_orders``, ``n_expected``, ``n_expected_lower``,
        ``n_expected_upper``, ``is_signal``.
    """
    require_for_chart(days, "control days", "group", "day", "n_orders", "n_expected", "n_expected_lower", "n_expected_upper", "is_signal")  # fmt: skip
    ends = ("n_expected_lower", "n_expected_upper")
    beyond = pd.concat([days[ends[0]] - days["n_orders"], days["n_orders"] - days[ends[1]]], axis=1).max(axis=1)
    far = beyond / (days[ends[1]] - days[ends[0]])
    group = str(days["group"].iloc[int(np.nanargmax(far)) if far.notna().any() else 0])
    own = days[days["group"] == group].sort_values("day", kind="stable")
    signals = own[own["is_signal"].astype(bool)]
    ax = theme.new_axes()
    ax.fill_between(own["day"], own[ends[0]], own[ends[1]], color=theme.SKY, alpha=0.25, linewidth=0)
    line(ax, own["day"], own["n_expected"], theme.BLUE, linewidth=1.2)
    dots(ax, mdates.date2num(own["day"]), own["n_orders"], theme.GREY, s=9)
    if len(signals):
        dots(ax, mdates.date2num(signals["day"]), signals["n_orders"], theme.RED, s=52)
    ax.set_ylim(0, own[["n_orders", ends[1]]].max().max() * 1.08 or 1)
    date_axis(ax, own["day"])
    theme.format_axis(ax.yaxis, "orders", n_ticks=5)
    named = formats.listed([formats.format_date(day, year=False) for day in signals["day"]])
    said = "every day within the usual ups and downs"
    if len(signals):
        at = own.iloc[int(np.nanargmax(far[own.index]))]
        usual = f"{formats.format_number(at[ends[0]], step=1)} to {formats.format_number(at[ends[1]], step=1)}"
        said = f"{formats.count_of(at['n_orders'], 'order')} on {formats.format_date(at['day'], year=False)}, where {usual} are usual"
    return finish(
        ax,
        title=f"{group}: {said}",
        subtitle="orders a day; line: expected; band: a usual day" + ("; red: beyond it" if named else ""),
        alt=f"Orders a day of {group} over {len(own)} days with the band of a usual day; "
        f"{formats.count_of(len(signals), 'day')} beyond it{': ' + named if named else ''}.",
    )
