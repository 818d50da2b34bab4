"""Weekly shelves counted by hand and by pandas; planted price responses; what is refused and why."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.periods import Period
from opslib.positioning import PriceResponse, price_moves, price_response, product_weeks
from tests.positioning.elasticity_bench import many_draws, report

MONDAY = pd.Timestamp("2026-01-05")
YEAR = Period.parse("2026-01-05", "2026-12-27")
QUARTER = Period.parse("2026-01-05", "2026-04-12")
SLOPE = -1.8


def sold(rows):
    frame = pd.DataFrame(rows, columns=["product_id", "week", "quantity", "unit_price", "discount_amount"])
    frame["ordered_at"] = MONDAY + pd.to_timedelta(7 * frame["week"] + 2, unit="D")
    frame["order_id"] = [str(i) for i in range(len(frame))]
    return frame.drop(columns="week")


OWN = pd.DataFrame({"product_id": ["a", "b"], "category": ["lamps", "lamps"]})
#: Fourteen weeks of two products: a sells two a week but none in week 3; b starts in week 1 and is promoted in week 5.
LINES = sold(
    [("a", week, 2.0, 10.0 if week < 7 else 11.0, 0.0) for week in range(14) if week != 3]
    + [("b", week, 3.0, 5.0, 6.0 if week == 5 else 0.0) for week in range(1, 14)]
    + [("b", 6, 1.0, 4.0, 0.0)]
)


def weeks_of(lines=LINES, products=OWN, period=QUARTER, **choices):
    known = {"price_history": None, "stock_levels": None, "by": "category"} | choices
    table = product_weeks(lines, products, period=period, **known)
    return engine.collect(table.order_by(["product_id", "week"]), max_rows=10_000)


def test_weeks_on_the_shelf_by_hand():
    found = weeks_of()
    a, b = found[found["product_id"] == "a"], found[found["product_id"] == "b"]
    assert a["units"].tolist() == [2, 2, 2, 0, *[2] * 10]
    assert a["price"].tolist() == [10.0] * 7 + [11.0] * 7
    # b's first week is its launch, partly on the shelf, so it starts with week 2.
    assert (len(b), b["week"].min()) == (12, MONDAY + pd.Timedelta(days=14))
    assert b["is_promotion"].tolist() == [week == 5 for week in range(2, 14)]
    cheap = b[b["week"] == MONDAY + pd.Timedelta(days=42)].iloc[0]
    # Of two equally frequent prices the lower is the usual one, so nothing was sold below it.
    assert (cheap["units"], cheap["price"], cheap["low_units"]) == (4, 4.0, 0)


def test_unsold_weeks_take_the_groups_discount():
    lines = sold([("a", w, 2.0, 10.0, 0.0) for w in range(14) if w != 5] + [("b", w, 3.0, 5.0, 6.0) for w in range(14)])
    a = weeks_of(lines).query("product_id == 'a'")
    assert a["discount_share"].round(2).tolist() == [0.4 if week == 5 else 0.0 for week in range(14)]


def test_recorded_prices_are_averaged_over_the_weeks_days():
    history = pd.DataFrame({
        "product_id": ["a", "a"], "price": [10.0, 17.0],
        "valid_from": [MONDAY, MONDAY + pd.Timedelta(days=9)], "valid_to": [MONDAY + pd.Timedelta(days=8), pd.NaT],
    })  # fmt: skip
    found = weeks_of(price_history=history)
    a = found[found["product_id"] == "a"]["price"].tolist()
    assert a == pytest.approx([10.0, (2 * 10 + 5 * 17) / 7, *[17.0] * 12])
    assert found[found["product_id"] == "b"]["price"].iloc[0] == 5.0
    without_end = weeks_of(price_history=history.drop(columns="valid_to"))
    assert without_end["price"].tolist() == pytest.approx(found["price"].tolist())


def test_days_without_stock_are_not_on_the_shelf():
    days = pd.date_range(MONDAY, periods=98)
    stock = pd.DataFrame({"product_id": "a", "date": days, "n_on_hand": 1})
    stock.loc[21:27, "n_on_hand"] = 0  # week 3, unsold: gone
    stock.loc[28:30, "n_on_hand"] = 0
    stock.loc[35:41, "n_on_hand"] = 0  # week 5, but sold: one day at least
    a = weeks_of(stock_levels=stock).query("product_id == 'a'")
    assert a["n_days"].tolist() == [7, 7, 7, 4, 1, *[7] * 8]


def test_few_or_rare_sales_are_left_out_and_a_missing_group_is_one():
    rare = sold([("a", week, 1.0, 10.0, 0.0) for week in range(14)])
    assert weeks_of(rare).empty  # 14 units
    gaps = [("a", week, 9.0, 10.0, 0.0) for week in range(0, 52, 4)]
    steady = sold(gaps + [("b", week, 1.0, 10.0, 0.0) for week in range(52)])
    assert set(weeks_of(steady, period=YEAR)["product_id"]) == {"b"}  # a sold in a quarter of its weeks
    priced = pd.DataFrame({"product_id": ["a"], "valid_from": [MONDAY], "price": [10.0]})
    assert (weeks_of(steady, period=YEAR, price_history=priced)["product_id"] == "a").sum() == 49
    assert weeks_of(products=OWN[["product_id"]])["group"].unique().tolist() == ["(all products)"]


def test_only_whole_weeks_are_read():
    cut = Period.parse("2026-01-06", "2026-04-14")
    found = weeks_of(period=cut)
    assert found["week"].min() == MONDAY + pd.Timedelta(days=7)
    assert found["week"].max() == MONDAY + pd.Timedelta(days=91)
    with pytest.raises(ParameterError, match="fewer than 13 whole weeks"):
        weeks_of(period=Period.parse("2026-01-05", "2026-03-01"))
    with pytest.raises(ContractError, match="no column 'unit_price'"):
        weeks_of(LINES.drop(columns="unit_price"))


def market(seed=0, *, follow=0.0, n=16, slope=SLOPE, promote=0.0, tiers=False):
    """A year of sales of one group: prices step every four weeks, freely or after demand; some weeks promoted."""
    rng = np.random.default_rng(seed)
    shock = np.repeat(rng.normal(0, 0.3, 13), 4)
    price = 10 * np.exp(np.repeat(0.12 * rng.normal(size=(n, 13)), 4, axis=1) + follow * shock)
    cut = np.where(rng.random((n, 52)) < promote, 0.25, 0.0)
    rate = 40 * np.exp(shock + slope * np.log(price / 10) - 3.0 * np.log1p(-cut))
    units = rng.poisson(rate)
    product, week = np.nonzero(units)
    rows = pd.DataFrame({"product_id": [f"p{i:02d}" for i in product], "week": week, "quantity": units[product, week],
                         "unit_price": price[product, week].round(2)})  # fmt: skip
    rows["discount_amount"] = (rows["quantity"] * rows["unit_price"] * cut[product, week]).round(4)
    parts = [rows.assign(quantity=1.0, discount_amount=rows["discount_amount"] / rows["quantity"]) for _ in range(3)]
    rows = pd.concat([rows.assign(quantity=rows["quantity"] - 3.0), *parts]).query("quantity > 0")
    if tiers:
        bulk = rows["quantity"] > 3
        rows["unit_price"] = rows["unit_price"].where(~bulk, rows["unit_price"] * 0.8)
    rows["ordered_at"] = MONDAY + pd.to_timedelta(7 * rows["week"], unit="D")
    rows["order_id"] = [str(i) for i in range(len(rows))]
    own = pd.DataFrame({"product_id": [f"p{i:02d}" for i in range(n)], "category": "lamps", "cost": 5.0})
    return rows.drop(columns="week"), own


@pytest.fixture(scope="module")
def free():
    lines, own = market(promote=0.15)
    return price_response(lines, own, period=YEAR), own


def test_list_price_and_promotion_are_told_apart(free):
    row = free[0].groups.iloc[0]
    assert row["slope_lower"] < SLOPE < row["slope_upper"]
    assert row["promotion_slope_lower"] < -3.0 < row["promotion_slope_upper"]
    assert row["is_usable"]
    assert row["reason"] == ""
    assert row["n_products"] == 16


def test_products_lie_between_their_own_slope_and_the_groups(free):
    products = free[0].products
    assert len(products) == 16
    assert ((products["slope_lower"] < SLOPE) & (products["slope_upper"] > SLOPE)).mean() >= 0.8
    assert products["slope"].std() < 0.5
    assert (products["lower_price"] <= products["price"]).all()
    assert (products["price"] <= products["upper_price"]).all()


def test_prices_that_followed_demand_are_no_effect():
    lines, own = market(follow=0.45)
    found = price_response(lines, own, period=YEAR)
    assert found.groups["refusal"].tolist() == ["followed"]
    name, reason = found.refusal("p00", price=float(found.product("p00")["price"]))
    assert (name, reason.startswith("prices followed demand")) == ("followed", True)
    moves = price_moves(found, own)
    assert moves["refusal"].tolist() == ["followed"]
    assert moves["change_amount"].isna().all()


def test_prices_that_depend_on_the_quantity_are_no_effect():
    lines, own = market(tiers=True)
    row = price_response(lines, own, period=YEAR).groups.iloc[0]
    assert row["refusal"] == "tiers"
    assert "the price depends on how much is bought" in row["reason"]


def test_a_promotion_that_all_share_is_the_weeks():
    lines, own = market()
    everyone = lines["ordered_at"].isin(MONDAY + pd.to_timedelta([70, 77], unit="D"))
    lines["discount_amount"] = lines["discount_amount"].mask(everyone, lines["quantity"] * lines["unit_price"] * 0.3)
    assert price_response(lines, own, period=YEAR).groups["promotion_slope"].isna().all()


def test_prices_that_never_moved_are_refused_by_name():
    found = price_response(LINES, OWN, period=QUARTER)
    assert found.groups["refusal"].tolist() == ["variation"]
    assert "needed: 6" in found.groups["reason"].iloc[0]
    assert found.products.empty
    with pytest.raises(ParameterError, match="product 'a' has no price response"):
        found.product("a")


def test_nothing_sold_gives_no_groups():
    empty = LINES.assign(ordered_at=pd.Timestamp("2020-01-06"))
    found = price_response(empty, OWN, period=QUARTER)
    assert found.groups.empty
    assert found.products.empty
    assert price_moves(found, OWN).empty


def test_no_change_is_told_beyond_the_prices_seen(free):
    response = free[0]
    row = response.product("p03")
    assert response.refusal("p03", price=float(row["price"])) == ("", "")
    assert response.refusal("p03", price=float(row["upper_price"])) == ("", "")
    name, reason = response.refusal("p03", price=1.2 * float(row["upper_price"]))
    assert name == "band"
    assert re.match(r"a price of .* for product 'p03' lies outside the evidence", reason)


def exact(slope=-2.0, width=1e-6, **product):
    """One product whose slope is known."""
    row = {"product_id": "a", "group": "lamps", "price": 10.0, "lower_price": 9.0, "upper_price": 12.0, "n_weeks": 50,
           "units_a_week": 7.0, "slope": slope, "slope_lower": slope - width, "slope_upper": slope + width, "std_error": width}  # fmt: skip
    group = {"group": "lamps", "slope": slope, "slope_lower": slope - width, "slope_upper": slope + width, "lower_share": -0.1,
             "upper_share": 0.1, "refusal": "", "reason": "", "is_usable": True}  # fmt: skip
    return PriceResponse(groups=pd.DataFrame([group]), products=pd.DataFrame([{**row, **product}]), n_groups_left_out=0,
                         period=YEAR, confidence_level=0.95)  # fmt: skip


def test_moves_are_sales_times_margin():
    own = pd.DataFrame({"product_id": ["a"], "cost": [6.0]})
    found = price_moves(exact(), own, price_change=0.1).iloc[0]
    now = 7 * 365.25 / 12 / 7 * 4.0
    assert found["now_amount"] == pytest.approx(now)
    assert found["change_amount"] == pytest.approx(now * (1.1**-2 * 5 / 4 - 1), rel=1e-6)
    assert (found["p_gain"], found["is_clear"], found["refusal"]) == (1.0, True, "")
    assert price_moves(exact(), own, price_change=0.2)["refusal"].tolist() == ["band"]
    alone = price_moves(exact(), own, price_change=0.2, by="product")
    assert alone[["product_id", "refusal"]].values.tolist() == [["a", ""]]
    without = price_moves(exact(), own[["product_id"]], price_change=0.1).iloc[0]
    assert (without["counted"], without["p_gain"]) == ("revenue", 0.0)


def test_a_slope_that_may_be_none_bears_no_price():
    found = price_moves(exact(slope=-0.2, width=0.3), OWN.assign(cost=5.0), price_change=0.05).iloc[0]
    assert np.isnan(found["change_amount"])
    assert found["refusal"] == "unclear"
    assert not found["is_clear"]


def test_products_with_a_clear_gain_come_first_and_those_that_cannot_be_answered_last():
    one = exact(slope=-1.0, width=0.1)
    big, sure, small, unseen = (
        one.products.assign(product_id=name, **changes)
        for name, changes in {
            "big": {"units_a_week": 90.0, "slope_lower": -2.9, "slope_upper": 0.9}, "sure": {"units_a_week": 5.0},
            "small": {"units_a_week": 4.0}, "unseen": {"units_a_week": 500.0, "upper_price": 10.0},
        }.items()
    )  # fmt: skip
    response = replace(one, products=pd.concat([unseen, big, small, sure]))
    own = pd.DataFrame({"product_id": ["big", "sure", "small", "unseen"], "cost": 2.0})
    found = price_moves(response, own, price_change=0.05, by="product").set_index("product_id")
    assert found.index.tolist() == ["sure", "small", "unseen", "big"]
    assert found["refusal"].tolist() == ["", "", "band", "unclear"]


def test_moves_ask_for_a_change_and_a_grain():
    with pytest.raises(ParameterError, match="by: 'brand' is not one of group, product"):
        price_moves(exact(), OWN, by="brand")
    with pytest.raises(ParameterError, match="0 is not a small change"):
        price_moves(exact(), OWN, price_change=0)


def test_planted_elasticities_are_covered_and_followers_flagged():
    free, follows = many_draws(4, is_confounded=False), many_draws(4, is_confounded=True)
    # 30 of 32 expected inside; fewer than 26 has a chance below one in a thousand. All 1,000 draws: docs/elasticities.md.
    assert free["is_inside"].sum() >= 26
    assert free["is_flagged"].sum() <= 6
    assert follows.loc[follows["follows"], "is_flagged"].all()
    page = report(free, follows, seconds=1.0)
    assert "Flagged: 100.0 % of the two that follow" in page
    assert page.count("| 4 |") == 16
