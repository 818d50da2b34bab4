"""The table of health, the list of maintenance and alarms: money by hand, planted prices found, halves drawn fairly."""

from __future__ import annotations

import json
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from opslib import classification, engine, product_control
from opslib.metrics import with_local_days
from opslib.periods import Period
from opslib.shop.derived import with_contract_columns
from opslib.shop.opening import open_shop
from tests.conftest import ROOT
from tests.product_control.shops import NONE, YEAR
from tests.product_control.test_faults import faults_of

_READ = ("order_lines", "returns", "products", "competitor_prices", "reviews", "stock_levels")
PARITY_CASES = {
    "product_control.product_health": lambda w: health_of(w),
    "product_control.product_alarms": lambda w: product_control.product_alarms(health_of(w)),
    "product_control.maintenance_list": lambda w: product_control.maintenance_list(
        health_of(w).assign(is_faulty=lambda rows: rows.index < 4)
    ),
    "product_control.category_price_moves": lambda w: product_control.category_price_moves(
        moved_together(w),
        w.table("products").mutate(category=ibis.literal("all")),
        period=Period(w.coverage.first, w.coverage.last),
    ),
}
OCTOBER = Period.parse("2026-10-01", "2026-10-31")


def moved_together(world) -> Any:
    """The prices of the product that has most of them, for every product of the shop: the small shop has one move of its own."""
    prices = world.table("price_history")
    sizes = prices.group_by("product_id").aggregate(n=prices.count()).order_by(ibis.desc("n"), "product_id").limit(1)
    found = engine.collect(sizes)["product_id"].tolist()
    own = prices.filter(prices["product_id"].isin(found)).drop("product_id")
    return world.table("products").select("product_id").cross_join(own) if found else prices


def listed_of(tables, *, period, coverage) -> pd.DataFrame:
    lines, products = tables["order_lines"], tables["products"]
    classes = classification.abc_xyz(lines, period=period, value=classification.value_known(lines), grain="week")
    stages = classification.life_cycle(lines, as_of=period.end, coverage=coverage, products=products)
    return engine.collect(classification.class_products(classes, lines, period=period, stages=stages, products=products, stock_levels=tables["stock_levels"]))  # fmt: skip


def health_of(world) -> pd.DataFrame:
    tables = {name: with_contract_columns(world.table(name), name) for name in _READ}
    listed = listed_of(tables, period=world.period, coverage=world.coverage)
    sales = product_control.product_sales(tables["order_lines"], as_of=world.period.end, coverage=world.coverage, products=tables["products"])  # fmt: skip
    found = product_control.product_health(listed, faults_of(world), sales, tables=tables, period=world.period)
    return found.sort_values("product_id", ignore_index=True)


def faulty(n: int, *, others: int = 0) -> pd.DataFrame:
    rows = pd.DataFrame({"name": [f"p{i}" for i in range(n + others)], "cost_amount": np.arange(n + others, 0, -1.0)})
    return rows.assign(is_faulty=rows.index < n, is_unsold=False)


def test_each_pair_of_neighbours_has_one_mended_now_and_the_draw_is_fair():
    turns = np.array([product_control.maintenance_list(faulty(6, others=3), seed=seed)["turn"] == "now" for seed in range(400)])  # fmt: skip
    assert turns.shape == (400, 6)
    assert (turns.reshape(400, 3, 2).sum(axis=2) == 1).all()
    assert turns.mean(axis=0) == pytest.approx(np.full(6, 0.5), abs=4 * 0.5 / 20)
    assert product_control.maintenance_list(faulty(1))["turn"].tolist() == ["now"]
    assert sorted(product_control.maintenance_list(faulty(3))["turn"]) == ["held back", "now", "now"]
    assert len(product_control.maintenance_list(faulty(0, others=2))) == 0


def test_sales_that_stay_out_are_missed_margin_and_never_held_back():
    """10 of 40 expected lines sold, each line leaves 8: 30 x 8 in four weeks are 260.89 a month."""
    listed = pd.DataFrame({"product_id": ["a"], "name": ["Lamp"], "category": ["Light"], "amount": [310.0], "n_on_hand": [0.0], "stock_days": [0.0], "short_days": [7.0], "is_short": [True]})  # fmt: skip
    faults = pd.DataFrame({"product_id": ["a"], "n_lines": [31.0], "is_faulty": [False], "supplier": ["S"], "signs": [""]})  # fmt: skip
    sales = pd.DataFrame({"product_id": ["a"], "n_sold": [10.0], "n_expected": [40.0], "sold_change": [-0.75], "is_off": [True]})  # fmt: skip
    lines = pd.DataFrame({"order_id": [str(i) for i in range(31)], "product_id": "a", "quantity": 1.0, "unit_price": 10.0, "cost_amount": 2.0, "ordered_at": pd.Timestamp("2026-10-05")})  # fmt: skip
    own = pd.DataFrame({"product_id": ["a", "b"], "price": 10.0, "category": ["Light", None], "description": [None, "x"]})  # fmt: skip
    rivals = pd.DataFrame({"competitor": ["A"], "competitor_product_id": ["1"], "product_id": ["a"], "observed_at": pd.to_datetime(["2026-10-30"]), "price": [8.0]})  # fmt: skip
    back = pd.DataFrame({"product_id": ["a"], "returned_at": pd.to_datetime(["2026-10-09"]), "quantity": 1.0, "refund_amount": [48.0]})  # fmt: skip
    stock = pd.DataFrame({"product_id": ["a"] * 3, "date": pd.to_datetime(["2026-10-29", "2026-10-30", "2026-10-31"]).date, "n_on_hand": [0, 0, 5]})  # fmt: skip
    tables = {"order_lines": lines, "products": own, "competitor_prices": rivals, "returns": back, "stock_levels": stock}  # fmt: skip
    row = product_control.product_health(listed, faults, sales, tables=tables, period=OCTOBER).iloc[0]
    month = 365.25 / 12
    assert row["missed_amount"] == pytest.approx(30 * 8 * month / 28)
    assert row["margin_amount"] == pytest.approx((31 * 8 - 48) * month / 31)
    assert row[["price_index", "content_share", "lacks", "out_days"]].tolist() == [1.25, 0.5, "description", 2.0]
    rows = product_control.maintenance_list(product_control.product_health(listed, faults, sales, tables=tables, period=OCTOBER))  # fmt: skip
    assert rows[["name", "turn"]].values.tolist() == [["Lamp", "now"]]
    alarms = product_control.product_alarms(rows)
    # 248 of margin in 31 days are 8 a day; 7 days without stock.
    assert alarms[["kind", "stake_amount"]].values.tolist() == [["runs out", pytest.approx(56.0)]]


def test_prices_move_together_or_each_for_itself():
    before = pd.DataFrame({"product_id": [f"p{i}" for i in range(10)], "valid_from": pd.Timestamp("2026-01-01").date(), "price": 10.0})  # fmt: skip
    own = pd.DataFrame({"product_id": before["product_id"], "category": "lamps"})
    day = pd.Timestamp("2026-10-05").date()

    def moves(prices):
        later = before.head(len(prices)).assign(valid_from=day, price=prices)
        return product_control.category_price_moves(pd.concat([before, later]), own, period=OCTOBER)

    assert moves([11.0] * 8)[["n_moved", "n_products", "n_same"]].values.tolist() == [[8, 10, 8]]
    assert moves([11.0] * 8)["price_change"].tolist() == [pytest.approx(0.1)]
    assert len(moves([11.0] * 7)) == 0
    assert len(moves([11.0, 9.0] * 5)) == 0
    assert len(product_control.category_price_moves(before, own, period=OCTOBER)) == 0


@pytest.fixture(scope="module")
def demo():
    shop = open_shop("demo", root=ROOT)
    return shop, with_local_days({name: shop.table(name) for name in (*_READ, "price_history", "tickets")}, zone=shop.time_zone)  # fmt: skip


def test_the_category_whose_prices_all_rose_is_named(demo):
    shop, tables = demo
    truth = {change["change_id"]: change for change in json.loads((shop.folder / "truth.json").read_text())["changes"]}
    rise = truth["chg-kitchen-prices"]
    moves = product_control.category_price_moves(tables["price_history"], tables["products"], period=YEAR)
    kitchen = moves[moves["category"] == "Kitchen"]
    assert pd.to_datetime(kitchen["day"]).dt.strftime("%Y-%m-%d").tolist() == [rise["starts"]]
    assert kitchen["price_change"].tolist() == [pytest.approx(rise["effect"], abs=0.005)]
    # Every other move is of the two categories whose prices are planted to follow their demand.
    assert set(moves["category"]) <= {"Kitchen", "Garden", "Lighting"}


def test_products_sold_below_cost_in_the_demo_are_the_planted_ones(demo):
    shop, tables = demo
    below = set(json.loads((shop.folder / "truth.json").read_text())["stock"]["below_cost"])
    faults = product_control.product_faults(tables["order_lines"], period=YEAR, products=tables["products"], returns=tables["returns"], reviews=NONE, tickets=NONE)  # fmt: skip
    listed = listed_of(tables, period=YEAR, coverage=shop.coverage)
    health = product_control.product_health(listed, faults, NONE, tables=tables, period=YEAR)
    alarms = product_control.product_alarms(health)
    named = set(health.loc[health["gross_amount"] < 0, "product_id"])
    assert named
    assert named <= below
    assert (alarms["kind"] == "below cost").sum() == len(named)
    # By a second road: what each lost a month, from the lines.
    lines = engine.collect(tables["order_lines"].filter(lambda t: (t["status"] == "paid") & t["product_id"].isin(sorted(named)) & t["ordered_on"].between(YEAR.start, YEAR.end)))  # fmt: skip
    money = lines[["quantity", "unit_price", "discount_amount", "cost_amount"]].astype(float)
    lost = -(money["quantity"] * money["unit_price"] - money["discount_amount"] - money["cost_amount"]).sum() * (365.25 / 12) / 365  # fmt: skip
    assert alarms.loc[alarms["kind"] == "below cost", "stake_amount"].sum() == pytest.approx(lost)
    assert set(health["lacks"].unique()) == {"", "image"}
