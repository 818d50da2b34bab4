"""Periods of whole local days, and coverage: which days the data have seen."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from opslib.errors import ParameterError

Grain = Literal["day", "week", "month", "quarter", "year"]
GRAINS: tuple[Grain, ...] = ("day", "week", "month", "quarter", "year")
Status = Literal["complete", "partial", "unobserved"]

_MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}


def parse_date(text: str | date, *, name: str = "date") -> date:
    """Read an ISO date, or say what was wrong with it.

    Parameters
    ----------
    text : str or date
        ``2026-10-31``.
    name : str
        What the date is, for the error.

    Returns
    -------
    date

    Raises
    ------
    ParameterError
        If the text is not an ISO date of the calendar.

    Examples
    --------
    >>> parse_date("2026-10-31")
    datetime.date(2026, 10, 31)
    """
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ParameterError(f"{name}: '{text}' is not a date; write it as YYYY-MM-DD, e.g. 2026-10-31") from None


def floor_date(day: date, grain: Grain) -> date:
    """First day of the week (Monday), month, quarter or year that contains ``day``.

    Examples
    --------
    >>> floor_date(date(2026, 11, 24), "quarter")
    datetime.date(2026, 10, 1)
    """
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS_IN[grain]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def shift_months(day: date, months: int) -> date:
    """The same day of another month, or that month's last day if it is shorter.

    Examples
    --------
    >>> shift_months(date(2026, 3, 31), -1)
    datetime.date(2026, 2, 28)
    """
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month0 + 1, min(day.day, calendar.monthrange(year, month0 + 1)[1]))


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Whole local days from ``start`` to ``end``, both included.

    Parameters
    ----------
    start, end : date
        First and last day.

    Raises
    ------
    ParameterError
        If ``end`` is before ``start``.

    Examples
    --------
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> october.n_days, october.label
    (31, 'Oct 2026')
    >>> october.previous().label, october.year_before().label
    ('Sep 2026', 'Oct 2025')
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ParameterError(f"period: the end {self.end} is before the start {self.start}; swap them")

    @classmethod
    def parse(cls, start: str | date, end: str | date) -> Period:
        """Period from two ISO dates."""
        return cls(parse_date(start, name="start"), parse_date(end, name="end"))

    @property
    def until(self) -> date:
        """The day after the last one."""
        return self.end + timedelta(days=1)

    @property
    def n_days(self) -> int:
        """Number of days."""
        return (self.until - self.start).days

    @property
    def n_months(self) -> int:
        """Number of whole calendar months if the period is made of such, else 0."""
        if self.start.day != 1 or self.until.day != 1:
            return 0
        return (self.until.year - self.start.year) * 12 + self.until.month - self.start.month

    @property
    def label(self) -> str:
        """The period as people write it."""
        if self.n_months == 12 and self.start.month == 1:
            return str(self.start.year)
        first, last = ("" if self.n_months else f"{end.day} " for end in (self.start, self.end))
        last += f"{self.end:%b %Y}"
        if self.n_months == 1 or self.n_days == 1:
            return last
        return first + (f"{self.start:%b}" if self.start.year == self.end.year else f"{self.start:%b %Y}") + f"-{last}"

    def previous(self) -> Period:
        """The period just before: as many calendar months if made of whole months, else as many days."""
        before = self.start - timedelta(days=1)
        if self.n_months:
            return Period(shift_months(self.start, -self.n_months), before)
        return Period(self.start - timedelta(days=self.n_days), before)

    def year_before(self) -> Period:
        """The same dates a year earlier; periods without whole months move 364 days, so weekdays match."""
        if self.n_months:
            return Period(shift_months(self.start, -12), shift_months(self.until, -12) - timedelta(days=1))
        return Period(self.start - timedelta(days=364), self.end - timedelta(days=364))

    def split(self, grain: Grain) -> tuple[Period, ...]:
        """Calendar pieces of the period; the first and the last may be cut by its ends.

        Examples
        --------
        >>> [p.label for p in Period.parse("2026-01-15", "2026-03-31").split("month")]
        ['15 Jan-31 Jan 2026', 'Feb 2026', 'Mar 2026']
        """
        require_grain(grain)
        pieces, first = [], self.start
        while first <= self.end:
            last = min(next_start(first, grain) - timedelta(days=1), self.end)
            pieces.append(Period(first, last))
            first = last + timedelta(days=1)
        return tuple(pieces)

    def contains(self, day: date) -> bool:
        """Whether ``day`` lies in the period."""
        return self.start <= day <= self.end


def zone_shifts(zone: str, first: datetime, last: datetime) -> list[tuple[datetime, int]]:
    """Shift of a zone from UTC in seconds at ``first`` and at each change-over until ``last``, to the minute.

    Examples
    --------
    >>> [(str(at), seconds) for at, seconds in zone_shifts("Europe/London", datetime(2026, 1, 1), datetime(2026, 6, 1))]
    [('2026-01-01 00:00:00', 0), ('2026-03-29 01:00:00', 3600)]
    """
    info = ZoneInfo(zone)

    def shift(at: datetime) -> int:
        return int(at.replace(tzinfo=UTC).astimezone(info).utcoffset().total_seconds())  # type: ignore[union-attr]

    at = first.replace(second=0, microsecond=0)
    changes = [(at, shift(at))]
    while at <= last:
        low, high = at, at + timedelta(days=1)
        at = high
        if shift(high) == changes[-1][1]:
            continue
        while high - low > timedelta(minutes=1):
            middle = low + timedelta(minutes=(high - low) // timedelta(minutes=2))
            low, high = (middle, high) if shift(middle) == changes[-1][1] else (low, middle)
        changes.append((high, shift(high)))
    return changes


def require_grain(grain: str) -> None:
    """Refuse a grain that is none of day, week, month, quarter, year."""
    if grain not in GRAINS:
        raise ParameterError(f"grain: '{grain}' is not one of {', '.join(GRAINS)}")


def next_start(day: date, grain: Grain) -> date:
    """First day of the calendar piece after the one that contains ``day``."""
    floor = floor_date(day, grain)
    if grain in _MONTHS_IN:
        return shift_months(floor, _MONTHS_IN[grain])
    return floor + timedelta(days=7 if grain == "week" else 1)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which days a shop's data have seen.

    Parameters
    ----------
    first, last : date
        First and last local day with data that is known to be whole.
    missing : frozenset of date
        Days between them that were not observed (an outage of the export, not a day without sales).

    Examples
    --------
    >>> seen = Coverage(date(2026, 1, 1), date(2026, 3, 9))
    >>> [seen.status(p) for p in Period.parse("2026-02-01", "2026-04-30").split("month")]
    ['complete', 'partial', 'unobserved']
    """

    first: date
    last: date
    missing: frozenset[date] = field(default_factory=frozenset)

    def n_observed(self, period: Period) -> int:
        """Observed days of ``period``."""
        first, last = max(self.first, period.start), min(self.last, period.end)
        if last < first:
            return 0
        return (last - first).days + 1 - sum(first <= day <= last for day in self.missing)

    def status(self, period: Period) -> Status:
        """Whether ``period`` was seen as a whole, in part, or not at all."""
        seen = self.n_observed(period)
        if seen == 0:
            return "unobserved"
        return "complete" if seen == period.n_days else "partial"
