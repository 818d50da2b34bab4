"""When a figure moved: its daily course without weekdays, and the days on which its level changed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from opslib.investigation.questions import Question
from opslib.metrics import daily_values
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Period
from opslib.stats.changepoint import changepoints
from opslib.stats.daily_series import weekday_factors

_COURSE = ("day", "y", "d", "value", "adjusted")
_LEVELS = ("day", "day_lower", "day_upper", "before", "after", "change_share")


def daily_course(tables: Mapping[str, Table], *, question: Question, coverage: Coverage) -> pd.DataFrame:
    """The figure of every day seen, as counted and without the pattern of the week.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables.
    question : Question
        Whose figure.
    coverage : Coverage
        Days seen; others are missing.

    Returns
    -------
    DataFrame
        One row a day: day, y and d (numerator and denominator), value, adjusted (value over its weekday's factor), both in
        the metric's unit. A share of a day counts a person once a day.

    Examples
    --------
    >>> nothing = Question(metric=None, period=Period.parse("2026-02-01", "2026-02-28"), baseline=None)
    >>> daily_course({}, question=nothing, coverage=None).empty
    True
    """
    if question.metric is None:
        return pd.DataFrame(columns=list(_COURSE))
    name = question.metric.name
    seen = Period(coverage.first, coverage.last)
    found = daily_values(tables, [question.metric], period=seen, coverage=coverage)
    found = found.rename(columns={f"{name}_numerator": "y", f"{name}_denominator": "d", name: "value"})
    weekdays = found["day"].dt.dayofweek.to_numpy()
    found["adjusted"] = found["value"] / weekday_factors(found["value"].to_numpy(float), weekdays)[weekdays]
    return found[list(_COURSE)]


def level_changes(course: pd.DataFrame, *, question: Question) -> pd.DataFrame:
    """Days on which the level of the figure changed, from the baseline's first day to the period's last.

    Parameters
    ----------
    course : DataFrame
        From `daily_course`.
    question : Question
        Its periods.

    Returns
    -------
    DataFrame
        One row a change, the earliest first: day (first of the new level, the most likely one), day_lower, day_upper (95 %),
        before, after (levels in the metric's unit), change_share (relative).

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=80)
    >>> course = pd.DataFrame({"day": days, "adjusted": np.r_[np.full(50, 5.0), np.full(30, 9.0)] + np.tile([0.0, 0.1], 40)})
    >>> asked = Question(metric=None, period=Period.parse("2026-02-10", "2026-03-21"), baseline=Period.parse("2026-01-01", "2026-02-09"))
    >>> level_changes(course, question=asked)["day"].dt.strftime("%d %b").tolist()
    ['20 Feb']
    """
    start = (question.baseline or question.period).start
    days = course["day"]
    rows = [
        (days[found.position], days[found.lower], days[found.upper], found.before, found.after,
         found.after / found.before - 1 if found.before else np.nan)
        for found in changepoints(course["adjusted"].to_numpy(float))
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(_LEVELS))
    inside = (table["day_upper"] >= pd.Timestamp(start)) & (table["day_lower"] <= pd.Timestamp(question.period.end))
    table = table[inside.astype(bool)].reset_index(drop=True)
    table.attrs["people"] = None
    return table
