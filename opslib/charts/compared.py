"""This year against the last, amounts that rose and fell, and what every day holds."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.labels import label_ends
from opslib.charts.marks import bars, line
from opslib.charts.rows import require_for_chart, short
from opslib.charts.series import COMPLETE, date_axis
from opslib.suppression import UNSAID, Said

_YEAR = pd.DateOffset(years=1)


@drawing
def draw_with_last_year(
    series: pd.DataFrame, *, currency: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """The last twelve months of each metric in a panel of its own, with the year before in grey.

    Parameters
    ----------
    series : DataFrame
        From `kpis.kpi_series`: ``metric``, ``title``, ``unit``, ``start``, ``status`` and ``value``, one row a piece.
    currency : str
        Code for the unit "money".
    """
    require_for_chart(series, "series", "metric", "title", "unit", "start", "status", "value")
    frame = series.assign(start=pd.to_datetime(series["start"]), value=series["value"].astype("float64"))
    metrics = list(dict.fromkeys(frame["metric"]))
    first = theme.new_axes(height=1.2 + 1.75 * len(metrics))
    panels = [first]
    if len(metrics) > 1:
        figure = theme.figure_of(first)
        figure.clear()
        panels = list(figure.subplots(len(metrics), 1, sharex=True))
    told, ends, has_before = [], [], False
    for panel, metric in zip(panels, metrics, strict=True):
        rows = frame[frame["metric"] == metric].set_index("start")
        unit = str(rows["unit"].iloc[0]).replace("money", currency)
        now, before = _two_years(rows)
        has_before |= bool(before.notna().any())
        for course, colour in ((before, theme.LIGHT), (now, theme.BLUE)):
            line(panel, course.index, course, colour, marker="o", markersize=4.5)
        top = max((x for x in (*now, *before) if np.isfinite(x)), default=1.0)
        panel.set_ylim(0, top * 1.12 or 1)
        theme.format_axis(panel.yaxis, unit, n_ticks=4)
        panel.set_ylabel(str(rows["title"].iloc[0]))
        words, labels = _last(now, before, unit, str(rows["title"].iloc[0]))
        told.append(words)
        ends.append((panel, labels))
    _room(panels[-1], frame["start"], now)
    return finish(
        panels[0],
        title=told[0] if told[0] else f"{frame['title'].iloc[0]}: nothing was observed from beginning to end yet",
        subtitle=f"the last twelve months{'; grey: the same months a year before' if has_before else ''}",
        alt=f"Lines over time. {' '.join(f'{words}.' for words in told if words)}",
        label=lambda: [label_ends(panel, labels) for panel, labels in ends],
    )


def _two_years(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Values of the pieces of the last year that were seen as a whole, and those of a year before at the same places."""
    whole = rows["value"].where(rows["status"] == COMPLETE)
    known = whole.dropna()
    newest = known.index.max() if len(known) else whole.index.max()
    now = whole[(whole.index <= newest) & (whole.index > newest - _YEAR)]
    is_monthly = (rows.index.day == 1).all()  # type: ignore[attr-defined]
    back = _YEAR if is_monthly else pd.Timedelta(days=364)  # so that weeks meet weeks
    return now, pd.Series(whole.reindex(now.index - back).to_numpy(), index=now.index)


def _last(now: pd.Series, before: pd.Series, unit: str, title: str) -> tuple[str, list[tuple[float, float, str, str]]]:
    """The newest value and the one of a year before: in words, and as labels at the ends of the lines."""
    known = now.dropna()
    if known.empty:
        return "", []
    at, value = known.index[-1], float(known.iloc[-1])
    when = f"{at:%B %Y}" if at.day == 1 else formats.format_date(at)
    place, text = float(mdates.date2num(at)), formats.format_value(value, unit)
    labels = [(place, value, text, theme.BLUE)]
    words = f"{title} was {text} in {when}"
    then = float(before[at])
    if np.isfinite(then):
        earlier = formats.format_value(then, unit)
        labels.append((place, then, earlier if theme.is_narrow() else f"{earlier} a year before", theme.GREY))
        words += f", {earlier} a year before"
    return words, labels


def _room(ax: Axes, starts: pd.Series, now: pd.Series) -> None:
    """Months below the lowest panel, and room at the right for labels."""
    first, last = now.index.min(), now.index.max()
    days = max((last - first).days, 2)
    ax.set_xlim(first - pd.Timedelta(days=days * 0.03), last + pd.Timedelta(days=days * 0.36))
    date_axis(ax, pd.Series(now.index) if len(now) else starts)
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= mdates.date2num(last)])


@drawing
def draw_money_changes(
    changes: pd.DataFrame,
    *,
    currency: str,
    names: tuple[str, str],
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Bars to the right for what rose, to the left for what fell, in order of money.

    Parameters
    ----------
    changes : DataFrame
        From `kpis.largest_changes` or `kpis.decompose_by`: ``group``, ``revenue_before``, ``revenue_after``,
        ``change_amount``.
    currency : str
        ISO code.
    names : (str, str)
        Names of the periods before and after.
    """
    require_for_chart(changes, "changes", "group", "change_amount", "revenue_before", "revenue_after")
    frame = changes.dropna(subset=["change_amount"]).sort_values("change_amount", ascending=False, kind="stable")
    if frame.empty:
        return None  # type: ignore[return-value]
    amounts = frame["change_amount"].astype("float64").to_numpy()
    texts = [formats.format_money(float(amount), currency, signed=True) for amount in amounts]
    ax = theme.row_axes(frame["group"], texts)
    bars(ax, amounts, [theme.BLUE if a > 0 else theme.RED for a in amounts])
    ax.axvline(0, color=theme.GREY, linewidth=1, zorder=1)
    theme.format_axis(ax.xaxis, currency, n_ticks=5)
    parts = "; ".join(f"{name} {text}" for name, text in zip(frame["group"], texts, strict=True))
    return finish(
        ax,
        title=_rise_and_fall(list(frame["group"]), amounts, texts),
        subtitle=f"change of revenue from {names[0]} to {names[1]}, {theme.unit_words(currency)}",
        alt=f"Bars: {parts}.",
    )


def _rise_and_fall(names: list[str], amounts: np.ndarray, texts: list[str]) -> str:
    """The first bar where it rose and the last where it fell, each with its amount."""
    ends = [(0, amounts[0] > 0), (len(names) - 1, amounts[-1] < 0)]
    told = dict.fromkeys(f"{short(names[row])} {texts[row]}" for row, is_told in ends if is_told)
    return ", ".join(told) or "Nothing rose or fell"


@drawing
def draw_days(
    days: pd.DataFrame, *, what: str, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """One thin line of what every day holds; days that were not observed are red.

    Parameters
    ----------
    days : DataFrame
        From `metrics.daily_values`: ``day``, ``is_observed`` and a column named ``what``.
    what : str
        Column to draw, and its name ("orders").
    """
    require_for_chart(days, "days", "day", "is_observed", what)
    values = days[what].astype("float64")
    if not values.fillna(0.0).any():
        return None  # type: ignore[return-value]
    week = values.rolling(7, center=True, min_periods=4).mean()
    ax = theme.new_axes(height=3.0)
    line(ax, days["day"], values, theme.SKY, linewidth=0.7, alpha=0.8)
    line(ax, days["day"], week, theme.BLUE)
    gone = days.loc[~days["is_observed"], "day"]
    half = pd.Timedelta(hours=18)
    for day in gone:
        ax.axvspan(day - half, day + half, color=theme.RED, linewidth=0)
    ax.set_ylim(0, (values.max() if values.notna().any() else 0.0) * 1.08 or 1)
    date_axis(ax, days["day"])
    theme.format_axis(ax.yaxis, what, n_ticks=4)
    missing = ", ".join(formats.format_date(day) for day in gone.head(3)) + (" ..." if len(gone) > 3 else "")
    lowest, highest = (formats.format_number(x, step=1) for x in (values.min(), values.max()))
    return finish(
        ax,
        title=f"Missing: {missing}" if missing else f"Every day has its data, {lowest} to {highest} {what} a day",
        subtitle=f"{what} a day, thick: mean of seven days" + ("; red: not in the data" if missing else ""),
        alt=f"A line of {len(days)} days, {lowest} to {highest} {what} a day; {len(gone)} days are missing.",
    )
