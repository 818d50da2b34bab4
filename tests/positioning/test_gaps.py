"""White space: gaps of demand over offer counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from opslib.errors import ParameterError
from opslib.periods import Period
from opslib.positioning import demand_gaps
from opslib.positioning.gaps import MONTH_DAYS

MARCH = Period.parse("2026-03-01", "2026-03-31")


# --- gaps, by hand ----------------------------------------------------------------------------------------------------

OWN = pd.DataFrame({
    "product_id": list("abcdef"), "category": ["rug"] * 3 + ["lamp"] * 3, "price": [1.0, 2.0, 3.0, 10.0, 10.0, 30.0],
    "attr_colour": ["red", "red", "blue", "blue", None, "blue"],
})  # fmt: skip


def views(**counts):
    rows = [(f"{name}{n}", name) for name, count in counts.items() for n in range(count)]
    frame = pd.DataFrame(rows, columns=["session_id", "product_id"])
    return frame.assign(event_index=1, event_name="view_item", occurred_at=pd.Timestamp("2026-03-10"))


def sold(**amounts):
    frame = pd.DataFrame({"product_id": list(amounts), "unit_price": list(amounts.values())})
    return frame.assign(order_id=frame["product_id"], quantity=1.0, ordered_at=pd.Timestamp("2026-03-11"))


def test_demand_against_offer_by_hand():
    gaps = demand_gaps(sold(a=30.0, d=50.0), OWN, period=MARCH, by=["category"], events=views(a=20, b=10, d=60, e=10))
    rows = gaps.set_index("category")
    # Half of the products are lamps; they draw 70 of 100 views. One lamp view brings 50/70.
    assert rows.loc["lamp", ["demand_share", "offer_share", "pressure"]].tolist() == pytest.approx([0.7, 0.5, 1.4])
    assert rows.loc["lamp", "excess_per_month"] == pytest.approx(20 * MONTH_DAYS / 31)
    assert rows.loc["lamp", "excess_amount"] == pytest.approx(20 * 50 / 70 * MONTH_DAYS / 31)
    assert rows.loc["rug", "excess_amount"] == pytest.approx(-20 * 30 / 30 * MONTH_DAYS / 31)
    assert gaps["category"].tolist() == ["lamp", "rug"]


def test_a_group_that_was_bought_and_never_looked_at_has_no_amount_of_a_look():
    gaps = demand_gaps(sold(a=30.0, d=50.0), OWN, period=MARCH, by=["category"], events=views(d=60))
    assert gaps["category"].tolist() == ["lamp", "rug"]
    assert gaps.loc[1, ["excess_amount", "excess_amount_lower", "excess_amount_upper"]].tolist() == [0.0, 0.0, 0.0]
    assert gaps["top_three_share"].tolist() == [1.0, 1.0]


def test_price_bands_hold_ties_together_and_prices_out():
    gaps = demand_gaps(sold(a=30.0), OWN, period=MARCH).set_index(["category", "price_band"])
    assert gaps["n_products"].to_dict() == {
        ("rug", "lower"): 1, ("rug", "middle"): 1, ("rug", "upper"): 1, ("lamp", "lower"): 2, ("lamp", "upper"): 1,
    }  # fmt: skip
    assert gaps.loc[("lamp", "lower"), ["lower_price", "upper_price"]].tolist() == [10.0, 10.0]


def test_days_in_stock_are_the_offer():
    stock = pd.DataFrame({"product_id": ["a", "a", "b", "b", "d", "d"], "n_on_hand": [5, 0, 5, 5, 1, 0],
                          "date": pd.to_datetime(["2026-03-01", "2026-03-02"] * 3)})  # fmt: skip
    gaps = demand_gaps(sold(a=30.0), OWN, period=MARCH, by=["category"], stock_levels=stock).set_index("category")
    assert gaps.loc["rug", ["offer_share", "in_stock_share"]].tolist() == [0.75, 0.75]
    assert gaps.loc["lamp", ["offer_share", "in_stock_share"]].tolist() == [0.25, 0.5]


def test_views_of_one_visit_come_together_and_widen_the_interval():
    alone = views(a=40, d=40)
    together = alone.assign(session_id=[f"v{n // 2}" for n in range(80)])
    own = pd.concat([OWN, OWN.assign(product_id=OWN["product_id"] + "2")])
    together["product_id"] = [name + ("2" if n % 2 else "") for n, name in enumerate(together["product_id"])]
    widths = []
    for events in (alone, together):
        gaps = demand_gaps(sold(a=30.0), own, period=MARCH, by=["category"], events=events).set_index("category")
        widths.append(gaps.loc["lamp", "pressure_upper"] - gaps.loc["lamp", "pressure_lower"])
    # Two views a visit: twice the variance.
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(2), rel=0.08)


def test_products_without_a_level_are_a_group_of_their_own_and_shares_sum_to_one():
    gaps = demand_gaps(sold(a=30.0, e=10.0), OWN, period=MARCH, by=["attr_colour"])
    assert set(gaps["attr_colour"]) == {"red", "blue", "(none)"}
    assert gaps[["demand_share", "offer_share"]].sum().tolist() == pytest.approx([1, 1])


def test_gap_errors_say_what_is_wrong():
    with pytest.raises(ParameterError, match="by is empty"):
        demand_gaps(sold(a=1.0), OWN, period=MARCH, by=[])
    none = demand_gaps(sold(a=1.0), OWN, period=Period.parse("2020-01-01", "2020-01-31"), by=["category"])
    assert not len(none)
    unpriced = demand_gaps(sold(a=1.0), OWN.drop(columns="price"), period=MARCH)
    pd.testing.assert_frame_equal(unpriced, demand_gaps(sold(a=1.0), OWN, period=MARCH, by=["category"]))
