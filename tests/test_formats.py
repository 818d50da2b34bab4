"""Numbers as people write them: a table of cases written by hand, and what holds for every number."""

from __future__ import annotations

import math
from datetime import date, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import formats
from opslib.formats import DASH, MINUS, NBSP
from opslib.stats.estimates import Estimate

FACTOR = {"": 1.0, "k": 1e3, "m": 1e6, "bn": 1e9}


def estimate(value: float, lower: float, upper: float, unit: str) -> Estimate:
    return Estimate(value=value, lower=lower, upper=upper, n=10, unit=unit, method="by hand")


def parse(text: str) -> float:
    """Read a number back as a reader would."""
    text = text.replace(MINUS, "-").replace(",", "").replace(NBSP, "").replace("£", "").replace("%", "").lstrip("+")
    suffix = text.lstrip("-0123456789.")
    return float(text.removesuffix(suffix)) * FACTOR[suffix]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (1, "1"),
        (3.14159, "3.14"),
        (99.999, "100"),
        (999.6, "1,000"),
        (9812, "9,812"),
        (12_432.7, "12.4k"),
        (999_951, "1m"),
        (1_000_000, "1m"),
        (9_750_000, "9.75m"),
        (2.5e9, "2.5bn"),
        (-0.034, MINUS + "0.034"),
        (float("nan"), "unknown"),
        (None, "unknown"),
        (pd.NA, "unknown"),
        (math.inf, "no limit"),
    ],
)
def test_numbers(value, expected):
    assert formats.format_number(value) == expected


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        (412_345, "GBP", "£412k"),
        (12_400, "GBP", "£12.4k"),
        (3100, "GBP", "£3,100"),
        (3.5, "EUR", "€3.50"),
        (-9.5, "USD", MINUS + "$9.50"),
        (0, "GBP", "£0"),
        (1500, "JPY", "¥1,500"),
        (55, "JPY", "¥55"),
        (3100, "CHF", f"CHF{NBSP}3,100"),
        (-0.0001, "GBP", "£0.00"),
        (float("nan"), "GBP", "unknown"),
    ],
)
def test_money(value, currency, expected):
    assert formats.format_money(value, currency) == expected


def test_money_to_the_cent_is_the_published_total_of_online_retail():
    assert formats.format_money(9_747_747.93, "GBP", step=0.01) == "£9,747,747.93"


@pytest.mark.parametrize(
    ("given_estimate", "expected"),
    [
        # the examples of the page sketch
        (estimate(0.112, 0.108, 0.116, "share"), f"11.2{NBSP}% (10.8{DASH}11.6)"),
        (estimate(0.0231, 0.0224, 0.0238, "share"), f"2.31{NBSP}% (2.24{DASH}2.38)"),
        (estimate(0.031, 0.004, 0.059, "relative change"), f"+3.1{NBSP}% (0.4{DASH}5.9)"),
        (estimate(3100, 1400, 5200, "GBP/month"), f"£3,100 a month (1,400{DASH}5,200)"),
        (estimate(18e3, -4e3, 41e3, "GBP/year"), f"£18k a year ({MINUS}4k to 41k)"),
        (estimate(2.1, 1.8, 2.4, "ratio"), f"2.1x (1.8{DASH}2.4)"),
        # edges
        (estimate(0.31, 0.28, math.inf, "share"), f"31.0{NBSP}% (at least 28.0)"),
        (estimate(5, -math.inf, 19, "days"), "5 days (at most 19)"),
        (estimate(5, 5, 5, "orders"), "5 orders"),
        (estimate(7, math.nan, math.nan, "orders"), "7 orders (interval unknown)"),
        (estimate(math.nan, 0, 1, "share"), "unknown"),
        (estimate(19.3, 18.2, 20.4, "GBP"), f"£19.30 (18.20{DASH}20.40)"),
        (estimate(412_345, 412_300, 412_390, "GBP"), f"£412,340 (412,300{DASH}412,390)"),
        (estimate(-0.012, -0.03, 0.006, "points"), f"{MINUS}1.2{NBSP}points ({MINUS}3.0 to 0.6)"),
        (estimate(4.31, 4.2, 4.42, "rating"), f"4.31 (4.20{DASH}4.42)"),
    ],
)
def test_estimates_show_the_digits_that_their_interval_allows(given_estimate, expected):
    assert formats.format_estimate(given_estimate) == expected


def test_money_without_a_code_takes_that_of_the_shop():
    assert formats.format_estimate(estimate(3100, 1400, 5200, "money"), currency="EUR").startswith("€3,100 (")


def test_words_for_intervals():
    assert formats.format_between(estimate(3100, 1400, 5200, "GBP")) == "between £1,400 and £5,200"
    assert formats.format_between(estimate(3100, 1400, math.inf, "GBP")) == "at least £1,400"
    assert formats.format_between(estimate(3100, -math.inf, 5200, "GBP")) == "at most £5,200"
    assert formats.format_between(estimate(1, -math.inf, math.inf, "GBP")) == "unknown"


def test_shares_and_changes():
    assert formats.format_share(0.28) == f"28{NBSP}%"
    assert formats.format_share(0.0231) == f"2.31{NBSP}%"
    assert formats.format_change(0.031) == f"+3.1{NBSP}%"
    assert formats.format_change(-0.00001) == f"0.0{NBSP}%"


def test_dates_and_durations():
    assert formats.format_date(date(2026, 10, 31)) == "31 Oct 2026"
    assert formats.format_date(datetime(2026, 10, 1, 23, 59)) == "1 Oct 2026"
    assert formats.format_date(pd.NaT) == "unknown"
    assert [formats.format_days(n) for n in (0, 1, 18, 0.25, 365, 1096)] == [
        "0 days",
        "1 day",
        "18 days",
        "6 hours",
        "365 days",
        "3 years",
    ]
    assert formats.format_days(float("nan")) == "unknown"


finite = st.floats(-1e12, 1e12, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)


@given(finite)
def test_a_number_reads_back_within_its_third_digit(value):
    shown = parse(formats.format_number(value))
    assert abs(shown - value) <= 0.0051 * abs(value)  # half of the third digit, as parsed in floating point


@given(finite, st.floats(0.001, 1e6))
def test_an_estimate_reads_back_within_a_sixth_of_its_half_width(value, half):
    text = formats.format_estimate(estimate(value, value - half, value + half, "orders"))
    shown = parse(text.split(" ")[0])
    assert abs(shown - value) <= half / 6 + 1e-9 * abs(value) + 0.0051  # the last digit is at most half / 3


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_raw_float_gets_through(value):
    for text in (formats.format_number(value), formats.format_money(value, "GBP"), formats.format_share(value)):
        assert "nan" not in text
        assert "e+" not in text
        assert "e-" not in text
        assert "inf" not in text
        assert "-" not in text


def test_numbers_below_each_other_have_equal_decimals_and_keep_their_side_of_zero():
    wide, narrow = estimate(0.2, 0.1, 0.3, "relative change"), estimate(0.031, 0.021, 0.042, "relative change")
    assert formats.format_estimates([wide, narrow, wide]) == ["+20\xa0% (10–30)", "+3\xa0% (2–4)", "+20\xa0% (10–30)"]
    clear = estimate(0.021, 0.004, 0.038, "relative change")  # at whole per cents its lower end would be 0
    assert formats.format_estimates([wide, clear, wide])[0] == "+20.0\xa0% (10.0–30.0)"
    short = estimate(0.0214, 0.0196, 0.0233, "relative change")  # and both ends of this 2
    assert formats.format_estimates([wide, short, wide])[1] == "+2.1\xa0% (2.0–2.3)"
    assert formats.format_estimates([]) == []
