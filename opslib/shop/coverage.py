"""Coverage: days with sales, closed days and days lost by the export told apart."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from pandas.tseries.holiday import EasterMonday, GoodFriday, Holiday, USThanksgivingDay
from pandas.tseries.offsets import DateOffset, Day, Easter

from opslib.engine import as_table, collect, epoch_second, to_local
from opslib.periods import Coverage

#: Fewer days than this say nothing about weekdays or hours.
MIN_DAYS = 28
#: A weekday is closed if it sold on less than this share of its dates.
CLOSED_WEEKDAY_SHARE = 0.1
#: Silence says something only where the median weekday sells on at least this share of its dates.
USUAL_SHARE = 0.5
#: A silent day counts as lost only if days around it sell at least so many lines: then silence is no chance.
BUSY_LINES = 10
#: Days on each side that tell how busy a silent day would have been.
NEIGHBOURS = 14
#: Longest silence that a public holiday explains.
LONGEST_CLOSURE = 14
#: A first or last day with odd hours is cut off only if it has less than this share of its neighbours' rows.
THIN_SHARE = 0.6
MAX_DAYS = 50_000
DAY_KINDS = ("sold", "part of a day", "closed weekday", "closed", "holiday closure", "no sales", "missing")


def observed_days(
    rows: ir.Table | pd.DataFrame,
    *,
    time_column: str = "ordered_at",
    time_zone: str = "UTC",
    closed: frozenset[date] = frozenset(),
) -> pd.DataFrame:
    """Every local day from the first to the last, and what its rows or their absence mean.

    Parameters
    ----------
    rows : ibis.Table or pandas.DataFrame
        A contract table.
    time_column : str
        Its column of naive UTC times, or of dates.
    time_zone : str
        The shop's zone.
    closed : frozenset of date
        Days that the shop says it was closed on.

    Returns
    -------
    pandas.DataFrame
        day, n_rows, kind: one of "sold", "part of a day" (first or last day that starts late or ends early), "closed
        weekday" (this weekday hardly ever sells), "closed" (the shop says so), "holiday closure" (a silence of at most
        14 days that contains a public holiday), "no sales" (neighbours are so quiet that silence is chance), "missing".

    Examples
    --------
    >>> days = [date(2026, 3, d) for d in (2, 3, 5, 6) for _ in range(20)]
    >>> observed_days(pd.DataFrame({"on": pd.to_datetime(days)}), time_column="on")["kind"].tolist()
    ['sold', 'sold', 'missing', 'sold', 'sold']
    """
    counts = daily_counts(as_table(rows), time_column=time_column, time_zone=time_zone)
    if counts.empty:
        return pd.DataFrame({"day": pd.to_datetime([]), "n_rows": np.array([], "int64"), "kind": np.array([], "str")})
    span = pd.date_range(counts["day"].min(), counts["day"].max(), freq="D")
    frame = counts.set_index("day").reindex(span)
    frame["n_rows"] = frame["n_rows"].fillna(0).astype("int64")
    kind = _silences(frame["n_rows"], closed=closed, time_zone=time_zone)
    if "last" in frame:
        kind.loc[_partial(frame)] = "part of a day"
    days = pd.DataFrame({"day": span.astype("datetime64[us]"), "n_rows": frame["n_rows"].to_numpy()})
    return days.assign(kind=kind.to_numpy())


def _silences(n_rows: pd.Series, *, closed: frozenset[date], time_zone: str) -> pd.Series:
    """Kind of each day: sold, or why it is silent."""
    span = pd.DatetimeIndex(n_rows.index)
    is_silent = n_rows == 0
    # The stubs know no text column that is set.
    kind: Any = pd.Series(np.where(is_silent, "missing", "sold"), index=span)
    weekday = pd.Series(span.weekday, index=span)
    sold_share = (~is_silent).groupby(weekday).mean()
    usual_share = float(sold_share.median())
    if len(span) >= MIN_DAYS and usual_share >= USUAL_SHARE:
        shut = sold_share.index[sold_share < CLOSED_WEEKDAY_SHARE]
        kind.loc[is_silent & weekday.isin(shut)] = "closed weekday"
    kind.loc[is_silent & pd.Series([day.date() in closed for day in span], index=span)] = "closed"
    known = holidays(span[0].date(), span[-1].date(), time_zone=time_zone)
    silent = kind.ne("sold")
    for _, run in kind[silent].groupby((silent != silent.shift()).cumsum()):
        if len(run) <= LONGEST_CLOSURE and known & {day.date() for day in run.index}:
            kind.loc[run.index[run == "missing"]] = "holiday closure"
    is_chance = (_usual(n_rows, kind) < BUSY_LINES) | (usual_share < USUAL_SHARE)
    kind.loc[(kind == "missing") & is_chance] = "no sales"
    return kind


def coverage_of(days: pd.DataFrame) -> Coverage | None:
    """Coverage from :func:`observed_days`: whole days only, lost days left out; None without any day.

    Examples
    --------
    >>> days = pd.DataFrame({"day": pd.to_datetime(["2026-03-02", "2026-03-03"]), "kind": ["sold", "part of a day"]})
    >>> coverage_of(days).last
    datetime.date(2026, 3, 2)
    """
    whole = days[days["kind"] != "part of a day"]
    if whole.empty:
        whole = days
    if whole.empty:
        return None
    missing = frozenset(day.date() for day in days.loc[days["kind"] == "missing", "day"])
    return Coverage(whole["day"].min().date(), whole["day"].max().date(), missing)


def daily_counts(table: ir.Table, *, time_column: str, time_zone: str) -> pd.DataFrame:
    """Rows a local day (day, n_rows), and for times the first and last second of the day (first, last)."""
    column = table[time_column]
    keyed, ends = table.select(day=column), {}
    if not column.type().is_date():
        local = to_local(column, time_zone)
        day = table["ordered_on"] if "ordered_on" in table.columns else local.date()
        keyed = table.select(day=day, second=epoch_second(local) % 86_400)
        ends = {"first": keyed["second"].min(), "last": keyed["second"].max()}
    daily = keyed.group_by("day").aggregate(n_rows=keyed.count(), **ends)
    return collect(daily.filter(daily["day"].notnull()).order_by("day"), max_rows=MAX_DAYS)


def _usual(n_rows: pd.Series, kind: pd.Series) -> pd.Series:
    """Median rows of the selling days around each day."""
    selling = n_rows.where(kind == "sold").astype("float64")
    return selling.rolling(2 * NEIGHBOURS + 1, center=True, min_periods=1).median().fillna(0.0)


def _partial(frame: pd.DataFrame) -> list[pd.Timestamp]:
    """First day if it starts later than nearly all days, last day if it ends earlier; and either must be thin as well."""
    sold = frame[frame["n_rows"] > 0]
    inner = sold.iloc[1:-1]
    if len(inner) < MIN_DAYS or inner["n_rows"].median() < 2 * BUSY_LINES:
        return []
    first, last = sold.index[0], sold.index[-1]
    starts_late = sold.loc[first, "first"] > inner["first"].quantile(0.99)
    ends_early = sold.loc[last, "last"] < inner["last"].quantile(0.01)
    ends = ((first, starts_late, inner.head(NEIGHBOURS)), (last, ends_early, inner.tail(NEIGHBOURS)))
    return [
        day for day, is_odd, near in ends if is_odd and sold.loc[day, "n_rows"] < THIN_SHARE * near["n_rows"].median()
    ]


#: Days on which shops close: the Christian ones everywhere, and those of the zone's country.
_CHRISTIAN = (
    Holiday("New Year", month=1, day=1), GoodFriday, Holiday("Easter", month=1, day=1, offset=Easter()), EasterMonday,
    Holiday("Christmas", month=12, day=25), Holiday("second day of Christmas", month=12, day=26),
)  # fmt: skip
_BRITISH = tuple(
    Holiday(f"bank holiday, from {day}/{month}", month=month, day=day, offset=DateOffset(weekday=0))
    for month, day in ((5, 1), (5, 25), (8, 25))
)
_AMERICAN = (Holiday("Independence Day", month=7, day=4), USThanksgivingDay)
_CONTINENTAL = (
    Holiday("Labour Day", month=5, day=1),
    *(Holiday(f"{n} days after Easter", month=1, day=1, offset=[Easter(), Day(n)]) for n in (39, 50)),
)
_OF_ZONES = {"Europe/London": _BRITISH, "America/": _AMERICAN, "Europe/": _CONTINENTAL}


def holidays(first: date, last: date, *, time_zone: str) -> set[date]:
    """Public holidays on which shops of a zone close.

    Parameters
    ----------
    first, last : date
        Days looked at, both ends included.
    time_zone : str
        IANA name; tells the country, or at least the continent.

    Returns
    -------
    set of date

    Examples
    --------
    >>> [day.isoformat() for day in sorted(holidays(date(2011, 4, 1), date(2011, 5, 31), time_zone="Europe/London"))]
    ['2011-04-22', '2011-04-24', '2011-04-25', '2011-05-02', '2011-05-30']
    """
    own = next((rules for start, rules in _OF_ZONES.items() if time_zone.startswith(start)), ())
    return {day.date() for rule in (*_CHRISTIAN, *own) for day in rule.dates(first, last)}
