"""Price position on tables that can be counted by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.periods import Period
from opslib.positioning.price_index import (
    latest_competitor_prices,
    price_indices,
    price_ladder,
    price_position,
    promotion_depths,
)

TODAY = date(2026, 10, 31)
OCTOBER = Period.parse("2026-10-01", "2026-10-31")


def seen(rows):
    names = ["competitor", "competitor_product_id", "product_id", "observed_at", "price", "in_stock"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(observed_at=pd.to_datetime(frame["observed_at"]))


PRODUCTS = pd.DataFrame({
    "product_id": ["p1", "p2", "p3", "p4"],
    "category": ["lamp", "lamp", "lamp", "rug"],
    "brand": ["a", "b", "b", None],
    "price": [10.0, 20.0, 30.0, 40.0],
})  # fmt: skip
SEEN = seen([
    ("A", "1", "p1", "2026-10-30", 8.0, True),
    ("B", "1", "p1", "2026-10-29", 12.5, None),
    ("A", "2", "p2", "2026-09-01", 25.0, True),  # stale
    ("B", "2", "p3", "2026-10-30", 20.0, False),  # known to be out of stock
    ("A", "4", "p4", "2026-10-30", 50.0, True),
    ("A", "4", "p4", "2026-11-02", 10.0, True),  # after the day asked for
])  # fmt: skip


def test_fresh_prices_in_stock_or_unknown_count_and_others_are_named():
    out = engine.collect(price_indices(PRODUCTS, SEEN, as_of=TODAY).order_by("product_id")).set_index("product_id")
    # p1: geometric mean of 8 and 12.5 is 10. p2: only a stale price. p3: only one out of stock. p4: 40 / 50.
    assert out["price_index"].round(9).tolist()[0] == 1.0
    assert out.loc["p4", "price_index"] == pytest.approx(0.8)
    assert out["price_index"].isna().tolist() == [False, True, True, False]
    assert out["n_competitors"].tolist() == [2, 0, 0, 1]
    assert out["n_stale"].tolist() == [0, 1, 0, 0]
    assert out.loc["p1", "cheapest_rival_price"] == 8.0


def test_position_counts_coverage_and_gives_no_interval_from_one_product():
    out = price_position(price_indices(PRODUCTS, SEEN, as_of=TODAY)).set_index("group")
    assert out.loc["lamp", ["n_products", "n_covered", "n_stale"]].tolist() == [3, 1, 1]
    assert out.loc["lamp", "coverage_share"] == pytest.approx(1 / 3)
    assert np.isnan(out.loc["lamp", "price_index_lower"])
    assert out.loc["rug", "cheapest_share"] == 1.0


def test_position_equals_a_t_interval_on_logs():
    from scipy import stats

    rng = np.random.default_rng(3)
    index = np.exp(rng.normal(0.05, 0.2, 40))
    frame = pd.DataFrame({
        "product_id": range(40), "category": "x", "price": 1.0, "price_index": index, "n_competitors": 1, "n_stale": 0,
        "cheapest_rival_price": 0.5,
    })  # fmt: skip
    found = price_position(frame).iloc[0]
    low, high = stats.t.interval(0.95, 39, np.log(index).mean(), stats.sem(np.log(index)))
    assert [found["price_index_lower"], found["price_index_upper"]] == pytest.approx(np.exp([low, high]), rel=1e-9)


@given(factor=st.floats(0.01, 100))
def test_the_index_does_not_depend_on_the_currency(factor):
    one = engine.collect(price_indices(PRODUCTS, SEEN, as_of=TODAY).order_by("product_id"))
    other = engine.collect(
        price_indices(
            PRODUCTS.assign(price=PRODUCTS["price"] * factor), SEEN.assign(price=SEEN["price"] * factor), as_of=TODAY
        ).order_by("product_id")
    )
    assert other["price_index"].dropna().tolist() == pytest.approx(one["price_index"].dropna().tolist(), rel=1e-9)


def test_frames_and_engine_tables_agree():
    table = engine.connect().create_table("seen", SEEN, temp=True)
    one = engine.collect(latest_competitor_prices(SEEN, as_of=TODAY).order_by(["competitor", "competitor_product_id"]))
    other = engine.collect(
        latest_competitor_prices(table, as_of=TODAY).order_by(["competitor", "competitor_product_id"])
    )
    pd.testing.assert_frame_equal(one, other)


def _sold(rows):
    frame = pd.DataFrame(rows, columns=["order_id", "product_id", "quantity", "unit_price", "discount_amount"])
    return frame.assign(ordered_at=pd.Timestamp("2026-10-05"))


def test_the_ladder_shows_offer_demand_and_the_empty_band():
    products = PRODUCTS.assign(category="lamp", price=[1.0, 2.0, 2.0, 16.0])
    ladder = price_ladder(
        _sold([("1", "p4", 1, 16.0, 0.0), ("2", "p1", 4, 1.0, 0.0)]), products, period=OCTOBER, n_bands=4
    )
    # Bands of equal ratio from 1 to 16: 1-2, 2-4, 4-8, 8-16.
    assert ladder["lower_price"].round(6).tolist() == [1, 2, 4, 8]
    assert ladder["n_products"].tolist() == [1, 2, 0, 1]
    assert ladder["demand_share"].tolist() == [0.2, 0, 0, 0.8]
    assert ladder["offer_share"].sum() == pytest.approx(1)


def test_promotion_depth_by_hand():
    sold = _sold([("1", "p1", 2, 10.0, 4.0), ("2", "p1", 1, 10.0, 0.0), ("3", "p4", 1, 40.0, 0.0)])
    out = promotion_depths(sold, PRODUCTS, period=OCTOBER).set_index("group")
    # lamp: list 30, of which 20 with a discount of 4. rug: nothing discounted.
    assert out.loc["lamp", ["list_amount", "revenue_amount"]].tolist() == [30, 26]
    assert out.loc["lamp", "promoted_share"] == pytest.approx(2 / 3)
    assert out.loc["lamp", "depth_share"] == pytest.approx(0.2)
    assert np.isnan(out.loc["rug", "depth_share"])


def test_errors_name_the_thing():
    with pytest.raises(ParameterError, match="by 'colour' is not one of category, brand"):
        price_position(price_indices(PRODUCTS, SEEN, as_of=TODAY), by="colour")
    with pytest.raises(ContractError, match="competitor_prices: no column 'price'"):
        latest_competitor_prices(SEEN.drop(columns="price"), as_of=TODAY)
    with pytest.raises(ParameterError, match="n_bands 1 is not allowed"):
        price_ladder(_sold([]), PRODUCTS, period=OCTOBER, n_bands=1)
