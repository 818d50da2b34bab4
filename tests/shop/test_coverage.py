"""Silent days: closed, on holiday, quiet by chance, or lost."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.shop.coverage import coverage_of, holidays, observed_days


def sales(days: list[date], *, n: int = 20, first: int = 9, last: int = 17) -> pd.DataFrame:
    """``n`` rows a day, evenly from ``first`` to ``last`` o'clock UTC."""
    seconds = np.linspace(first * 3600, last * 3600, n)
    at = [pd.Timestamp(day) + pd.Timedelta(seconds=float(s)) for day in days for s in seconds]
    return pd.DataFrame({"ordered_at": pd.Series(at, dtype="datetime64[us]")})


def every_day(start: date, n: int) -> list[date]:
    return [start + timedelta(days=i) for i in range(n)]


def kinds(rows: pd.DataFrame, **options: object) -> dict[str, list[str]]:
    days = observed_days(rows, **options)  # type: ignore[arg-type]
    return {kind: days.loc[days["kind"] == kind, "day"].dt.strftime("%m-%d").tolist() for kind in days["kind"].unique()}


def test_a_lost_day_is_not_a_day_without_sales() -> None:
    days = every_day(date(2026, 3, 2), 40)
    found = kinds(sales([day for day in days if day not in (days[10], days[11])]))
    assert found["missing"] == ["03-12", "03-13"]
    quiet = kinds(sales([day for day in days if day != days[10]], n=3))
    assert quiet["no sales"] == ["03-12"]
    assert "missing" not in quiet


def test_a_weekday_that_never_sells_is_closed() -> None:
    days = [day for day in every_day(date(2026, 3, 2), 42) if day.weekday() != 5]
    found = kinds(sales(days))
    assert found["closed weekday"] == ["03-07", "03-14", "03-21", "03-28", "04-04", "04-11"]


def test_holidays_explain_the_silence_around_them() -> None:
    days = [day for day in every_day(date(2025, 12, 1), 60) if not date(2025, 12, 24) <= day <= date(2026, 1, 2)]
    assert len(kinds(sales(days))["holiday closure"]) == 10
    long = [day for day in every_day(date(2025, 11, 1), 120) if not date(2025, 12, 10) <= day <= date(2026, 1, 2)]
    assert len(kinds(sales(long))["missing"]) == 24, "24 days are no holiday"


def test_the_shop_may_say_that_it_was_closed() -> None:
    days = [day for day in every_day(date(2026, 3, 2), 40) if day != date(2026, 3, 12)]
    assert kinds(sales(days), closed=frozenset({date(2026, 3, 12)}))["closed"] == ["03-12"]


def test_a_last_day_cut_at_noon_is_not_whole() -> None:
    days = every_day(date(2026, 3, 2), 40)
    cut = pd.concat([sales(days[:-1]), sales(days[-1:], n=8, last=12)])
    found = observed_days(cut)
    assert found["kind"].iloc[-1] == "part of a day"
    coverage = coverage_of(found)
    assert coverage is not None
    assert coverage.last == days[-2]
    thin_but_whole = pd.concat([sales(days[:-1]), sales(days[-1:], n=8)])
    assert observed_days(thin_but_whole)["kind"].iloc[-1] == "sold"


def test_days_are_the_zone_s_days() -> None:
    rows = pd.DataFrame({"ordered_at": pd.to_datetime(["2026-07-01 23:30"])})
    assert observed_days(rows, time_zone="Europe/London")["day"].tolist() == [pd.Timestamp("2026-07-02")]


def test_nothing_and_one_row() -> None:
    empty = observed_days(pd.DataFrame({"ordered_at": pd.to_datetime([])}))
    assert empty.empty
    assert coverage_of(empty) is None
    one = coverage_of(observed_days(sales([date(2026, 3, 2)], n=1)))
    assert one is not None
    assert (one.first, one.last) == (date(2026, 3, 2), date(2026, 3, 2))


@pytest.mark.parametrize(
    ("year", "month", "day"), [(1818, 3, 22), (1943, 4, 25), (2000, 4, 23), (2011, 4, 24), (2017, 4, 16), (2026, 4, 5)]
)
def test_easter(year: int, month: int, day: int) -> None:
    """1818 and 1943 are the earliest and latest Easter of the last centuries; the others from any almanac."""
    easter = date(year, month, day)
    found = holidays(easter - timedelta(2), easter + timedelta(1), time_zone="UTC")
    assert found == {easter - timedelta(2), easter, easter + timedelta(1)}, "Good Friday, Sunday, Monday"


@given(st.sets(st.integers(0, 59), min_size=2))
def test_every_day_from_first_to_last_has_one_kind(offsets: set[int]) -> None:
    days = [date(2026, 3, 2) + timedelta(days=n) for n in sorted(offsets)]
    found = observed_days(pd.DataFrame({"on": pd.to_datetime(days)}), time_column="on")
    assert len(found) == (days[-1] - days[0]).days + 1
    assert found["n_rows"].sum() == len(days)
    assert (found["kind"] == "sold").sum() == len(days)
