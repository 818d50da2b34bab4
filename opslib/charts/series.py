"""Values over time: what was seen whole, what was not, and what changed."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.frames import short, top_row
from opslib.charts.labels import label_ends, spread
from opslib.errors import ParameterError
from opslib.formats import format_date, format_value

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
    title: str | None = None,
    currency: str | None = None,
    changes: pd.DataFrame | None = None,
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
    changes : DataFrame or None
        ``started_at`` and ``description`` of changes to mark.
    """
    frame = _prepared(series)
    unit = unit if unit is not None else _one_unit(series)
    ax = theme.new_axes(ax)
    names = list(dict.fromkeys(frame["name"]))
    colours = {names[0]: theme.BLUE} if len(names) == 1 else theme.colours_of(names)
    ends = []
    for name, group in frame.groupby("name", sort=False):
        colour = colours[str(name)]
        _line(ax, group, colour)
        seen = group.dropna(subset="value")
        if len(names) > 1 and len(seen):
            ends.append(
                (mdates.date2num(seen["start"].iloc[-1]), seen["value"].iloc[-1], short(name, LONGEST_NAME), colour)
            )
    _axes_limits(ax, frame)
    _unobserved(ax, frame)
    theme.format_axis(ax.yaxis, unit, currency=currency)
    _date_axis(ax, frame["start"])
    if changes is not None and len(changes):
        _changes(ax, changes)
    what = "hollow: unfinished, not joined; shaded: not observed" if (frame["status"] != COMPLETE).any() else ""
    subtitle = "; ".join(part for part in (theme.unit_words(unit, currency), what) if part)
    return finish(
        ax,
        title=title or _plain_title(frame, unit, currency),
        alt=_alt(frame, unit, currency),
        subtitle=subtitle,
        label=lambda: label_ends(ax, ends),
    )


def _prepared(series: pd.DataFrame) -> pd.DataFrame:
    missing = {"start", "value"} - set(series.columns)
    if missing:
        raise ParameterError(f"series: no column '{sorted(missing)[0]}'; needed are start and value")
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
    ax.plot(group["start"], whole, color=colour, marker=marker, markersize=3.8)
    if {"lower", "upper"} <= set(group.columns):
        ax.fill_between(
            group["start"],
            group["lower"].astype("float64").where(whole.notna()),
            group["upper"].astype("float64").where(whole.notna()),
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    partial = group[(group["status"] != COMPLETE) & group["value"].notna()]
    ax.plot(
        partial["start"],
        partial["value"],
        color=colour,
        marker="o",
        markersize=5,
        linestyle="none",
        markerfacecolor="white",
        markeredgewidth=1.3,
    )


def _axes_limits(ax: Axes, frame: pd.DataFrame) -> None:
    """Start at zero where the values are far from constant; leave room at the right for names."""
    columns = [name for name in ("value", "lower", "upper") if name in frame]
    values = frame[columns].to_numpy(dtype="float64")
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        ax.set_ylim(0, 1)
    elif finite.min() >= 0 and (finite.max() == 0 or finite.min() < 0.7 * finite.max()):
        ax.set_ylim(0, finite.max() * 1.08 or 1)
    days = (frame["start"].max() - frame["start"].min()).days or 2
    names = max(len(short(name, LONGEST_NAME)) for name in frame["name"]) if _has_names(frame) else 0
    share = names * 0.0136 + (0.03 if names else 0.0)  # of the axes' width that the longest name takes
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


def _date_axis(ax: Axes, starts: pd.Series) -> None:
    unique = starts.drop_duplicates().sort_values()
    first = unique.iloc[0]
    if len(unique) <= 6:
        ax.set_xticks(mdates.date2num(unique))
    else:
        ax.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=3, maxticks=7))
    months = len(unique) > 1 and (unique.dt.day == 1).all()

    def write(at: float, position: int | None = None) -> str:
        day = mdates.num2date(at)
        if months:
            return f"{day:%b}\n{day.year}" if day.month == 1 or position == 0 else f"{day:%b}"
        text = format_date(day, year=False)
        return f"{text}\n{day.year}" if position == 0 or (day.year != first.year and day.month == 1) else text

    ax.xaxis.set_major_formatter(FuncFormatter(write))


def _changes(ax: Axes, changes: pd.DataFrame) -> None:
    """Numbered lines with their texts above, pushed apart."""
    inside = changes.assign(at=mdates.date2num(pd.to_datetime(changes["started_at"]))).sort_values("at", kind="stable")
    low, high = ax.get_xlim()
    inside = inside[(inside["at"] >= low) & (inside["at"] <= high)].head(6)
    bottom, top = ax.get_ylim()
    lines = len(inside)
    ax.set_ylim(bottom, top + (top - bottom) * 0.075 * lines)
    tops = spread([1 - 0.055 * i for i in range(lines)], gap=0.05, low=0.0, high=1.0)
    for at, text, y in zip(inside["at"], inside["description"].astype(str), tops, strict=True):
        ax.axvline(at, color=theme.GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        right = at > low + (high - low) * 0.55
        theme.text_at(
            ax,
            text if len(text) <= 44 else text[:43] + "…",
            (at, y),
            shift=(-5 if right else 5, 0),
            colour=theme.GREY,
            ha="right" if right else "left",
            va="top",
            xycoords=("data", "axes fraction"),
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.9},
        )


def _when(frame: pd.DataFrame, day: pd.Timestamp) -> str:
    """ "Oct 2026" where every piece is a month, else the day."""
    is_monthly = len(set(frame["start"])) > 1 and (frame["start"].dt.day == 1).all()
    return f"{day:%b %Y}" if is_monthly else format_date(day)


def _plain_title(frame: pd.DataFrame, unit: str, currency: str | None) -> str:
    whole = frame[(frame["status"] == COMPLETE) & frame["value"].notna()]
    if whole.empty:
        return "Nothing was observed from beginning to end yet"
    newest = whole[whole["start"] == whole["start"].max()].sort_values(["value", "name"], kind="stable").iloc[-1]
    text = f"{format_value(newest['value'], unit, currency=currency)} in {_when(frame, newest['start'])}"
    text = text if _when(frame, newest["start"]) != format_date(newest["start"]) else text.replace(" in ", " on ")
    return f"{newest['name']} is highest: {text}" if _has_names(frame) else text


def _alt(frame: pd.DataFrame, unit: str, currency: str | None) -> str:
    sentences = []
    for name, group in frame.groupby("name", sort=False):
        whole = group[(group["status"] == COMPLETE) & group["value"].notna()]
        if whole.empty:
            continue
        low, high = top_row(whole.assign(value=-whole["value"]), "value"), top_row(whole, "value")
        who = f"{name}: " if _has_names(frame) else ""
        sentences.append(
            f"{who}{len(whole)} values from {_when(frame, whole['start'].min())} "
            f"to {_when(frame, whole['start'].max())}, lowest "
            f"{format_value(-low['value'], unit, currency=currency)} ({_when(frame, low['start'])}), highest "
            f"{format_value(high['value'], unit, currency=currency)} ({_when(frame, high['start'])}), last "
            f"{format_value(whole['value'].iloc[-1], unit, currency=currency)}."
        )
    left_out = frame[frame["status"] != COMPLETE]
    if len(left_out):
        sentences.append(f"Unfinished or unobserved, marked and not joined: {len(left_out)}.")
    return "A line over time. " + " ".join(sentences)
