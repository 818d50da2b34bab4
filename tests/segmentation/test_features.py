"""Habits by hand, and by pandas on a simulated shop."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.errors import ContractError
from opslib.segmentation import FEATURES, customer_features
from tests.segmentation.shops import sold

AS_OF = date(2026, 3, 31)
#: Two roads of the same sums of floats.
SAME = 1e-9


def _lines(**columns: object) -> pd.DataFrame:
    base = {
        "order_id": ["1", "1", "2", "3", "4"],
        "customer_id": ["x", "x", "x", "x", None],
        "product_id": ["a", "b", "a", "c", "a"],
        "ordered_on": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-01-04", "2026-01-11", "2026-01-12"]),
        "quantity": [1.0, 3.0, 5.0, 2.0, 9.0],
        "unit_price": [1.0, 4.0, 1.0, 0.0, 1.0],
        "discount_amount": [0.0, 0.5, 0.0, 0.0, 0.0],
    }
    return pd.DataFrame({**base, **columns})


PRODUCTS = pd.DataFrame({"product_id": ["a", "b", "c"], "category": ["Tea & Co", "Mugs", None]})


def test_habits_by_hand():
    row = engine.collect(customer_features(_lines(), as_of=AS_OF, products=PRODUCTS)).iloc[0]
    assert row["n_orders"] == 3
    assert row["gap"] == pytest.approx((np.log(4) + np.log(8)) / 2)
    assert row["lines"] == pytest.approx(np.log(2) / 3)
    assert row["units"] == pytest.approx((np.log(2) + np.log(5) + np.log(2)) / 3)
    assert row["discount"] == pytest.approx(1 / 3)
    assert row["discount_variance"] == pytest.approx(2 / 9)
    assert row["share_tea_co"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert row["share_mugs"] == pytest.approx(0.5 / 3)
    assert row["price"] == 0  # every priced line is at its category's mean; the free line has no price level


def test_a_later_order_an_unpaid_one_and_a_guest_do_not_count():
    lines = _lines(status=["paid", "paid", "cancelled", "paid", "paid"])
    found = engine.collect(customer_features(lines, as_of=date(2026, 1, 5), products=PRODUCTS))
    assert found["customer_id"].tolist() == ["x"]
    assert found["n_orders"].tolist() == [1]
    assert np.isnan(found["gap"].iloc[0])


def test_columns_follow_what_the_tables_hold():
    names = set(customer_features(_lines().drop(columns="discount_amount"), as_of=AS_OF).columns)
    assert "discount" not in names
    assert not [name for name in names if name.startswith("share_")]
    assert {f.name for f in FEATURES} - names == {"discount"}


def test_categories_of_an_earlier_table_give_the_same_columns():
    found = customer_features(_lines(), as_of=AS_OF, products=PRODUCTS, categories=("share_mugs", "Gone"))
    assert [name for name in found.columns if name.startswith("share_") and "variance" not in name] == [
        "share_mugs",
        "share_gone",
    ]
    assert engine.collect(found)["share_gone"].tolist() == [0.0]


def test_a_missing_column_is_named():
    with pytest.raises(ContractError, match="order_lines: no column 'customer_id'"):
        customer_features(_lines().drop(columns="customer_id"), as_of=AS_OF)


def test_a_simulated_shop_equals_pandas():
    shop = sold(seed=3, n_orders=1_500)
    lines = shop.lines.merge(shop.products, on="product_id")
    lines["log_price"] = np.log(lines["unit_price"])
    lines["price"] = lines["log_price"] - lines.groupby("category")["log_price"].transform("mean")
    orders = lines.groupby(["customer_id", "order_id"]).agg(
        day=("ordered_on", "min"), n=("quantity", "size"), units=("quantity", "sum"), price=("price", "mean")
    )
    orders["garden"] = (lines["category"] == "Garden").groupby([lines["customer_id"], lines["order_id"]]).mean()
    orders = orders.reset_index().sort_values(["customer_id", "day", "order_id"])
    orders["gap"] = np.log1p(orders.groupby("customer_id")["day"].diff().dt.days)
    orders["lines"] = np.log(orders["n"])
    by_customer = orders.groupby("customer_id")
    found = shop.features.set_index("customer_id")
    for ours, theirs in {"gap": "gap", "lines": "lines", "price": "price", "share_garden": "garden"}.items():
        np.testing.assert_allclose(found[ours], by_customer[theirs].mean(), rtol=SAME, atol=SAME)
        np.testing.assert_allclose(found[f"{ours}_variance"], by_customer[theirs].var(ddof=0), rtol=SAME, atol=SAME)
    assert found["n_orders"].sum() == len(orders)
