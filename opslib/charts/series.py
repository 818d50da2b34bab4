"""Time series with complete, partial and unobserved periods, and marked changes."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.labels import label_ends
from opslib.charts.marks import line
from opslib.charts.rows import require_for_chart, short
from opslib.errors import ParameterError
from opslib.formats import format_date, format_value
from opslib.suppression import UNSAID, Said

COMPLETE = "complete"
MANY_POINTS = 60
"""Pieces up to which each is marked by a dot."""
LONGEST_NAME = 26
"""Characters of a name beside its line."""


@drawing
def draw_series(
    series: pd.DataFrame,
    *,
    unit: str | None = None,
    currency: str | None = None,
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Lines over time; unfinished pieces are hollow and not joined, unobserved ones are shaded and have no value.

    Parameters
    ----------
    series : DataFrame
        One row a piece of time, as from `kpis.kpi_series`: ``start`` (date), ``value`` (in ``unit``); optional
        ``status`` (complete, partial, unobserved), ``lower`` and ``upper``, and ``name`` or ``title`` where several
        lines are drawn.
    unit : str or None
        "share", "GBP", "orders", ...; read from the column ``unit`` unless given.
    currency : str or None
        Code for the unit "money".
    """
    frame = _prepared(series)
    unit = (unit or _one_unit(series)).replace("money", currency or "money")
    ax = theme.new_axes()
    names = list(dict.fromkeys(frame["name"]))
    colours = {names[0]: theme.BLUE} if len(names) == 1 else theme.colours_of(names)
    ends = []
    for name, group in frame.groupby("name", sort=False):
        colour = colours[str(name)]
        _line(ax, group, colour)
        seen = group.dropna(subset="value")
        if len(names) > 1 and len(seen):
            at, value = seen[["start", "value"]].iloc[-1]
            ends.append((mdates.date2num(at), value, _beside(name), colour))
    _axes_limits(ax, frame)
    _unobserved(ax, frame)
    theme.format_axis(ax.yaxis, unit)
    date_axis(ax, frame["start"])
    what = "hollow: unfinished, not joined; shaded: not observed" if (frame["status"] != COMPLETE).any() else ""
    subtitle = "; ".join(filter(None, (theme.unit_words(unit), what)))
    return finish(
        ax,
        title=_plain_title(frame, unit),
        alt=_alt(frame, unit),
        subtitle=subtitle,
        label=lambda: label_ends(ax, ends),
    )


def _prepared(series: pd.DataFrame) -> pd.DataFrame:
    require_for_chart(series, "series", "start", "value")
    frame = series.copy()
    frame["start"] = pd.to_datetime(frame["start"])
    frame["status"] = frame["status"].astype(str) if "status" in frame else COMPLETE
    label = next((column for column in ("name", "title") if column in frame), None)
    frame["name"] = frame[label].astype(str) if label else "value"
    frame["value"] = frame["value"].astype("float64").mask(frame["status"] == "unobserved")
    return frame.sort_values(["name", "start"], kind="stable") if not _has_names(frame) else frame


def _one_unit(series: pd.DataFrame) -> str:
    units = sorted(set(series["unit"].astype(str))) if "unit" in series else []
    if len(units) != 1:
        raise ParameterError(
            f"series: one unit a figure is needed, not {', '.join(units) or 'none'}; "
            "pass unit= or keep the rows of one metric"
        )
    return units[0]


def _has_names(frame: pd.DataFrame) -> bool:
    return len(set(frame["name"])) > 1


def _line(ax: Axes, group: pd.DataFrame, colour: str) -> None:
    whole = group["value"].where(group["status"] == COMPLETE)
    marker = "o" if len(group) <= MANY_POINTS else None
    line(ax, group["start"], whole, colour, marker=marker, markersize=4.5)
    if {"value_lower", "value_upper"} <= set(group.columns):
        low, high = (group[name].astype("float64").where(whole.notna()) for name in ("value_lower", "value_upper"))
        ax.fill_between(group["start"], low, high, color=colour, alpha=0.15, linewidth=0)
    partial = group[(group["status"] != COMPLETE) & group["value"].notna()]
    hollow = {"markerfacecolor": "white", "markeredgecolor": colour, "markeredgewidth": 1.3}
    line(ax, partial["start"], partial["value"], colour, marker="o", markersize=5, linestyle="none", **hollow)


def _beside(name: object) -> str:
    return short(name, LONGEST_NAME // 2 if theme.is_narrow() else LONGEST_NAME)


def _axes_limits(ax: Axes, frame: pd.DataFrame) -> None:
    """Start at zero where the values are far from constant; leave room at the right for names."""
    columns = [name for name in ("value", "value_lower", "value_upper") if name in frame]
    values = frame[columns].to_numpy(dtype="float64")
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        ax.set_ylim(0, 1)
    elif finite.min() >= 0 and (finite.max() == 0 or finite.min() < 0.7 * finite.max()):
        ax.set_ylim(0, finite.max() * 1.08 or 1)
    days = (frame["start"].max() - frame["start"].min()).days or 2
    names = max(len(_beside(name)) for name in frame["name"]) if _has_names(frame) else 0
    share = names * 0.0136 * (2.9 if theme.is_narrow() else 1) + (
        0.03 if names else 0.0
    )  # of the axes' width that the longest name takes
    ax.set_xlim(
        frame["start"].min() - pd.Timedelta(days=days * 0.02 + 0.5),
        frame["start"].max() + pd.Timedelta(days=days * (0.03 + share / (1 - share)) + 0.5),
    )


def _unobserved(ax: Axes, frame: pd.DataFrame) -> None:
    first = frame[frame["name"] == frame["name"].iloc[0]]
    starts = first["start"].to_list()
    steps = np.diff(first["start"].to_numpy()).astype("timedelta64[h]").astype(float) if len(first) > 1 else [24.0]
    half = pd.Timedelta(hours=float(np.median(steps)) / 2)
    for start, status in zip(starts, first["status"], strict=True):
        if status == "unobserved":
            ax.axvspan(start - half, start + half, facecolor=theme.PALE, edgecolor=theme.LIGHT, hatch="///", zorder=0)


def date_axis(ax: Axes, starts: pd.Series) -> None:
    """Ticks of a time axis: months and years where every piece is a month, else days."""
    unique = starts.drop_duplicates().sort_values()
    first = unique.iloc[0]
    if len(unique) <= (3 if theme.is_narrow() else 6):
        ax.set_xticks(mdates.date2num(unique))
    else:
        ax.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=3, maxticks=4 if theme.is_narrow() else 7))
    months = len(unique) > 1 and (unique.dt.day == 1).all()

    def write(at: float, position: int | None = None) -> str:
        day = mdates.num2date(at)
        if months:
            return f"{day:%b}\n{day.year}" if day.month == 1 or position == 0 else f"{day:%b}"
        text = format_date(day, year=False)
        return f"{text}\n{day.year}" if position == 0 or (day.year != first.year and day.month == 1) else text

    ax.xaxis.set_major_formatter(FuncFormatter(write))


def _when(frame: pd.DataFrame, day: pd.Timestamp) -> str:
    """ "Oct 2026" where every piece is a month, else the day."""
    is_monthly = len(set(frame["start"])) > 1 and (frame["start"].dt.day == 1).all()
    return f"{day:%b %Y}" if is_monthly else format_date(day)


def _plain_title(frame: pd.DataFrame, unit: str) -> str:
    whole = frame[(frame["status"] == COMPLETE) & frame["value"].notna()]
    if whole.empty:
        return "Nothing was observed from beginning to end yet"
    newest = whole[whole["start"] == whole["start"].max()].sort_values(["value", "name"], kind="stable").iloc[-1]
    text = f"{format_value(newest['value'], unit)} in {_when(frame, newest['start'])}"
    text = text if _when(frame, newest["start"]) != format_date(newest["start"]) else text.replace(" in ", " on ")
    return f"{newest['name']} is highest: {text}" if _has_names(frame) else text


def _alt(frame: pd.DataFrame, unit: str) -> str:
    sentences = []
    whole = frame[(frame["status"] == COMPLETE) & frame["value"].notna()]
    for name, group in whole.groupby("name", sort=False):
        known = group.set_index("start")["value"]
        lowest, highest = known.index[int(known.argmin())], known.index[int(known.argmax())]
        low, high, last = (format_value(x, unit) for x in (known.min(), known.max(), known.iloc[-1]))
        who = f"{name}: " if _has_names(frame) else ""
        sentences.append(
            f"{who}{len(known)} values from {_when(frame, known.index.min())} to {_when(frame, known.index.max())}, lowest "
            f"{low} ({_when(frame, lowest)}), highest {high} ({_when(frame, highest)}), last {last}."
        )
    left_out = frame[frame["status"] != COMPLETE]
    if len(left_out):
        sentences.append(f"Unfinished or unobserved, marked and not joined: {len(left_out)}.")
    return "A line over time. " + " ".join(sentences)
