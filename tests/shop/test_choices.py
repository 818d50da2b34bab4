"""Which days and rows a page is about."""

from __future__ import annotations

import re
from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import engine
from opslib.errors import ParameterError
from opslib.periods import Coverage, Period
from opslib.shop.choices import NO_DATES, choose_period, choose_rows, read_where


def shop(tables=None, first=date(2025, 3, 10), last=date(2026, 11, 8)):
    tables = {name: engine.as_table(frame) for name, frame in (tables or {}).items()}
    return SimpleNamespace(name="x", tables=tables, time_zone="Europe/London", coverage=Coverage(first, last))


@pytest.mark.parametrize(
    ("given_dates", "default", "expected"),
    [
        ({}, "month", ("2026-10-01", "2026-10-31")),  # November is not over
        ({}, "year", ("2025-11-01", "2026-10-31")),
        ({}, "all", ("2025-03-10", "2026-11-08")),
        ({"start": "2026-01-15"}, "month", ("2026-01-15", "2026-11-08")),
        ({"end": "2026-05-10"}, "month", ("2026-05-01", "2026-05-10")),
        ({"start": "2026-02-01", "end": "2026-02-28"}, "year", ("2026-02-01", "2026-02-28")),
    ],
)
def test_defaults_end_with_the_last_whole_month(given_dates, default, expected):
    assert choose_period(shop(), default=default, **given_dates) == Period.parse(*expected)


def test_a_month_that_the_data_end_with_counts_as_whole():
    assert choose_period(shop(last=date(2026, 10, 31))).label == "Oct 2026"


def test_less_than_a_month_of_data_is_taken_whole():
    few = shop(first=date(2026, 10, 3), last=date(2026, 10, 20))
    assert choose_period(few) == Period.parse("2026-10-03", "2026-10-20")


def test_a_period_outside_the_data_is_refused():
    with pytest.raises(ParameterError, match="x has no data there; it was seen from 2025-03-10 to 2026-11-08"):
        choose_period(shop(), start="2020-01-01", end="2020-01-31")
    assert choose_period(SimpleNamespace(name="x", coverage=None)) == NO_DATES  # no dates at all: pages say so


LINES = pd.DataFrame({
    "order_id": ["1", "2", "3"], "product_id": ["a", "b", "a"], "country": ["DE", "FR", None],
    "ordered_at": pd.to_datetime(["2026-10-01"] * 3), "quantity": [1.0, 2.0, 3.0], "unit_price": [1.0, 1.0, 1.0],
})  # fmt: skip
RETURNS = pd.DataFrame(
    {"return_id": ["r1", "r2"], "order_id": ["1", "2"], "returned_at": pd.to_datetime(["2026-10-09"] * 2)}
)


def _ids(table, column="order_id"):
    return engine.collect(table.order_by(column))[column].tolist()


def test_linked_tables_are_cut_too_and_the_others_named():
    prices = pd.DataFrame(
        {"competitor": ["A"], "competitor_product_id": ["1"], "observed_at": pd.to_datetime(["2026-10-01"])}
    )
    rows = choose_rows(
        shop({"order_lines": LINES, "returns": RETURNS, "competitor_prices": prices}), where="country = DE"
    )
    assert _ids(rows.tables["order_lines"]) == ["1"]
    assert _ids(rows.tables["returns"]) == ["1"]
    assert "Not cut, since nothing links them to it: competitor_prices" in rows.sentence


def test_values_take_the_type_of_their_column():
    rows = choose_rows(shop({"order_lines": LINES}), where="quantity >= 2 and country != FR")
    assert _ids(rows.tables["order_lines"]) == ["3"]
    with pytest.raises(ParameterError, match=r"order_lines.quantity holds float64; 'many' is no such value"):
        choose_rows(shop({"order_lines": LINES}), where="quantity = many")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("country = FRR", "nothing has country 'FRR'; did you mean 'FR'"),
        ("country in (XX, YY)", "nothing has country 'XX'; allowed: DE, FR"),
        ("quantity > 1000 and country = FR", "no row passes 'quantity > 1000 and country = FR'"),
    ],
)
def test_conditions_that_nothing_passes_are_refused_with_the_nearest_value(where, said):
    with pytest.raises(ParameterError, match=re.escape(said)):
        choose_rows(shop({"order_lines": LINES}), where=where)
    assert choose_rows(shop({"order_lines": LINES}), where="country in (FR, XX)").sentence  # one of them is there


def test_no_condition_cuts_nothing():
    rows = choose_rows(shop({"order_lines": LINES}))
    assert len(_ids(rows.tables["order_lines"])) == 3
    assert rows.sentence == ""


@pytest.mark.parametrize(
    "text", ["country", "country = ", "= DE", "country = DE and", "1; drop table x", "country like D%"]
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ParameterError, match="where"):
        read_where(text)


def test_an_unknown_column_is_refused():
    with pytest.raises(ParameterError, match="no table of x has the column of 'colour = red'"):
        choose_rows(shop({"order_lines": LINES}), where="colour = red")


@given(
    st.text(alphabet="abc XYZ'äöü0123-", min_size=1)
    .map(str.strip)
    .filter(lambda t: t and "'" not in t and " and " not in t)
)
def test_a_quoted_value_is_read_as_written(value):
    (condition,) = read_where(f'country = "{value}"')
    assert condition.value == value
