"""Calendar arithmetic, counted on a calendar by hand."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.periods import GRAINS, Coverage, Period, floor_date, parse_date, require_grain, shift_months

DAYS = st.dates(date(2000, 1, 1), date(2030, 12, 31))


def test_previous_period_of_whole_months_has_as_many_months():
    quarter = Period.parse("2026-01-01", "2026-03-31")
    assert quarter.previous() == Period.parse("2025-10-01", "2025-12-31")
    assert quarter.year_before() == Period.parse("2025-01-01", "2025-03-31")


def test_year_before_of_february_follows_the_leap_year():
    assert Period.parse("2025-02-01", "2025-02-28").year_before() == Period.parse("2024-02-01", "2024-02-29")


def test_year_before_of_odd_days_keeps_weekdays():
    week = Period.parse("2026-11-02", "2026-11-08")  # a Monday to a Sunday
    assert week.year_before().start.weekday() == 0
    assert week.previous() == Period.parse("2026-10-26", "2026-11-01")


@pytest.mark.parametrize(
    ("start", "end", "label"),
    [
        ("2026-01-01", "2026-12-31", "2026"),
        ("2026-10-01", "2026-10-31", "Oct 2026"),
        ("2026-01-01", "2026-03-31", "Jan-Mar 2026"),
        ("2025-11-01", "2026-01-31", "Nov 2025-Jan 2026"),
        ("2026-10-05", "2026-10-05", "5 Oct 2026"),
        ("2025-12-24", "2026-01-02", "24 Dec 2025-2 Jan 2026"),
    ],
)
def test_labels_are_written_as_people_write_them(start, end, label):
    assert Period.parse(start, end).label == label


def test_a_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(ParameterError, match=r"end 2026-01-01 is before the start 2026-02-01"):
        Period.parse("2026-02-01", "2026-01-01")


def test_a_date_that_is_none_is_refused_with_the_form_to_write():
    with pytest.raises(ParameterError, match=r"start: '31/10/2026' is not a date; write it as YYYY-MM-DD"):
        parse_date("31/10/2026", name="start")


def test_unknown_grain_is_refused():
    with pytest.raises(ParameterError, match="'fortnight' is not one of day, week"):
        require_grain("fortnight")


@given(start=DAYS, length=st.integers(0, 800), grain=st.sampled_from(GRAINS))
def test_the_pieces_of_a_period_are_the_period(start, length, grain):
    period = Period(start, start + timedelta(days=length))
    pieces = period.split(grain)
    assert sum(piece.n_days for piece in pieces) == period.n_days
    assert pieces[0].start == period.start
    assert pieces[-1].end == period.end
    assert all(a.until == b.start for a, b in pairwise(pieces))
    assert all(floor_date(piece.start, grain) == floor_date(piece.end, grain) for piece in pieces)


@given(start=DAYS, length=st.integers(0, 400))
def test_the_previous_period_touches_this_one(start, length):
    period = Period(start, start + timedelta(days=length))
    assert period.previous().until == period.start


@given(day=DAYS, months=st.integers(-40, 40))
def test_shifting_months_keeps_the_day_or_ends_the_month(day, months):
    moved = shift_months(day, months)
    assert moved.day == day.day or (moved + timedelta(days=1)).day == 1


def test_coverage_tells_a_part_from_nothing_and_counts_missing_days():
    seen = Coverage(date(2026, 1, 1), date(2026, 2, 10), frozenset({date(2026, 1, 5)}))
    january, february, march = Period.parse("2026-01-01", "2026-03-31").split("month")
    assert [seen.status(p) for p in (january, february, march)] == ["partial", "partial", "unobserved"]
    assert [seen.n_observed(p) for p in (january, february, march)] == [30, 10, 0]
