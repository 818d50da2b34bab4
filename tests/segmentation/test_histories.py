"""What a purchase is: by hand, and the published figures of CDNOW."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.segmentation import customer_summary, fit_lifetime, repeat_customers
from tests.conftest import real_data
from tests.segmentation.lifetimes import bought

END = date(2026, 1, 31)


def summary(lines: pd.DataFrame, **choices) -> pd.DataFrame:
    return engine.collect(customer_summary(lines, as_of=END, **choices).order_by("customer_id")).set_index(
        "customer_id"
    )


def test_days_by_hand():
    lines = bought("xxxxy", ["2026-01-01", "2026-01-11", "2026-01-11", "2026-01-21", "2026-01-31"], [5, 6, 4, 20, 7])
    table = summary(lines)
    assert table.loc["x", ["frequency", "recency_days", "age_days"]].tolist() == [2, 20, 30]
    assert table.loc["x", ["mean_value", "revenue_amount"]].tolist() == [
        15.0,
        35.0,
    ]  # (6 + 4) and 20; the first is left out
    assert table.loc["y", ["frequency", "recency_days", "age_days"]].tolist() == [0, 0, 0]
    assert pd.isna(table.loc["y", "mean_value"])


def test_weeks_are_counted_back_from_the_end_so_that_none_is_partial():
    # 25-31 January is the last week, 18-24 the one before
    lines = bought("xxx", ["2026-01-24", "2026-01-25", "2026-01-31"], [5, 6, 4])
    assert summary(lines, grain="week").loc["x"].tolist() == [1, 7, 7, 10.0, 15.0]


def test_what_came_back_is_no_purchase_and_undoes_none_and_free_orders_count():
    lines = bought("xxxxy", ["2026-01-01", "2026-01-05", "2026-01-05", "2026-01-09", "2026-01-09"], [5, 8, 8, 0, 3])
    lines.loc[
        2, "quantity"
    ] = -1.0  # taken back on the day that it was bought: a return, as if it stood in its own table
    table = summary(lines)
    assert table.loc["x", ["frequency", "recency_days", "mean_value"]].tolist() == [2, 8, 4.0]  # 8 and 0


def test_status_start_guests_and_later_days_are_left_out():
    days = ["2025-12-01", "2026-01-02", "2026-01-03", "2026-02-03", "2026-01-04"]
    lines = bought("xxxxy", days, [5, 6, 4, 20, 7]).assign(status=["paid", "paid", "cancelled", "paid", "paid"])
    lines["customer_id"] = lines["customer_id"].where(lines["customer_id"] == "x")
    table = summary(lines, start=date(2026, 1, 1))
    assert table.index.tolist() == ["x"]
    assert table.loc["x", ["frequency", "age_days", "revenue_amount"]].tolist() == [0, 29, 6.0]


def test_an_unknown_grain_and_a_missing_column_are_named():
    with pytest.raises(ParameterError, match="'month' is not one of day, week"):
        customer_summary(bought("x", ["2026-01-01"], [5]), as_of=END, grain="month")
    with pytest.raises(ContractError, match="customer_id"):
        customer_summary(bought("x", ["2026-01-01"], [5]).drop(columns="customer_id"), as_of=END)


def test_nobody_gives_an_empty_table():
    nobody = bought("x", ["2026-02-01"], [5])
    assert summary(nobody).empty
    assert repeat_customers(customer_summary(nobody, as_of=END)) == 0


def test_who_came_back_is_counted():
    lines = bought("xxyz", ["2026-01-01", "2026-01-02", "2026-01-02", "2026-01-03"], [5, 6, 7, 8])
    assert repeat_customers(customer_summary(lines, as_of=END)) == 1


@given(st.permutations(range(5)))
@settings(max_examples=4, deadline=None)
def test_the_order_of_rows_does_not_matter(order):
    lines = bought("xxxxy", ["2026-01-01", "2026-01-11", "2026-01-11", "2026-01-21", "2026-01-31"], [5, 6, 4, 20, 7])
    pd.testing.assert_frame_equal(summary(lines.iloc[list(order)]), summary(lines))


def cdnow() -> pd.DataFrame:
    names = ["all", "customer_id", "ordered_at", "n", "unit_price"]
    frame = pd.read_fwf(real_data("cdnow/CDNOW_sample.txt"), header=None, names=names)
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"].astype(str))
    return frame.assign(order_id=range(len(frame)), product_id="cd", quantity=1.0)


@pytest.mark.real_data
def test_orders_of_cdnow_give_the_published_parameters():
    # Fader, Hardie, Lee (2005), table 2; Hardie's note 025: 946 repeat buyers, p 6.25, q 3.74, gamma 15.44
    model = fit_lifetime(customer_summary(cdnow(), as_of=date(1997, 9, 30)))
    orders, values = model.orders, model.values
    assert (orders.r, orders.alpha, orders.a, orders.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=5e-4)
    assert (values.p, values.q, values.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=6e-3)
    assert (model.n_customers, model.n_repeaters) == (2357, 946)
