"""Sales against expectation: by hand, planted losses found, quiet shops left alone for as long as the chart says."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats as distributions

from opslib import product_control
from opslib.metrics import with_local_days
from opslib.periods import Coverage, Period
from opslib.product_control.faults import FALSE_DISCOVERY
from opslib.shop.opening import open_shop
from tests.conftest import ROOT
from tests.product_control.shops import SEEN, YEAR, quiet

PARITY_CASES = {
    "product_control.product_sales": lambda w: product_control.product_sales(
        w.table("order_lines"), as_of=w.coverage.last, coverage=w.coverage, products=w.table("products")
    ),
    "product_control.category_days": lambda w: product_control.category_days(
        w.table("order_lines"), period=w.period, coverage=w.coverage, products=w.table("products"), run_length=30
    ),
}
CHART_CASES = {"control days": lambda: drawn(judged(quiet(1), run_length=5))}


def drawn(days):
    from opslib import charts

    return charts.draw_control_days(days)


def judged(tables, *, run_length=100, period=YEAR):
    return product_control.category_days(tables["order_lines"], period=period, coverage=SEEN, products=tables["products"], run_length=run_length)  # fmt: skip


def sold(counts: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame, Coverage]:
    """Lines of products (rows) in blocks of 28 days (columns, oldest first), all on a block's first day, in one category."""
    n_products, n_blocks = counts.shape
    product, block = np.nonzero(counts)
    of = np.repeat(np.arange(len(product)), counts[product, block])
    first = pd.Timestamp("2025-01-01")
    lines = pd.DataFrame({"product_id": [f"p{i:03}" for i in product[of]], "ordered_at": first + pd.to_timedelta(28 * block[of], unit="D")})  # fmt: skip
    last = (first + pd.Timedelta(days=28 * n_blocks - 1)).date()
    own = pd.DataFrame({"product_id": [f"p{i:03}" for i in range(n_products)], "category": "c"})
    return lines, own, Coverage(first.date(), last)


def sales_of(counts: np.ndarray) -> pd.DataFrame:
    lines, own, seen = sold(counts)
    return product_control.product_sales(lines, as_of=seen.last, coverage=seen, products=own)


def test_expected_is_the_share_of_the_category_by_hand():
    """One of three products sells 10 of 40 before, the others 30; then the others double: 20 expected where 10 were sold."""
    counts = np.tile(np.array([[10], [20], [10]]), (1, 12))
    counts[1:, -1] *= 2
    row = sales_of(counts).set_index("product_id").loc["p000"]
    assert row[["n_sold", "n_expected", "sold_change"]].tolist() == [10, 20, -0.5]


def test_a_category_that_falls_as_a_whole_names_no_product():
    counts = np.tile(np.full((12, 1), 30), (1, 14))
    counts[:, -1] = 10
    assert not sales_of(counts)["is_off"].any()


def test_too_short_a_history_says_nothing():
    assert len(sales_of(np.full((3, 10), 9))) == 0
    assert len(product_control.product_sales(pd.DataFrame({"product_id": pd.Series(dtype="str"), "ordered_at": pd.Series(dtype="datetime64[us]")}), as_of=date(2026, 1, 1), coverage=Coverage(date(2025, 1, 1), date(2026, 1, 1)), products=pd.DataFrame({"product_id": pd.Series(dtype="str"), "category": pd.Series(dtype="str")}))) == 0  # fmt: skip


def wandering(seed: int, *, n: int = 80) -> np.ndarray:
    """Counts of products whose demand wanders (AR .6 from block to block, 15 %), with a season that all share."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((n, 19)) * 0.15 * 0.8
    shocks[:, 0] /= 0.8
    for t in range(1, 19):
        shocks[:, t] += 0.6 * shocks[:, t - 1]
    season = np.exp(0.4 * np.sin(2 * np.pi * np.arange(19) / 13))
    return rng.poisson(rng.lognormal(2.8, 0.8, (n, 1)) * season * np.exp(shocks))


def test_quiet_products_are_left_alone_and_lost_ones_found():
    quiet_shops = [sales_of(wandering(seed))["is_off"].any() for seed in range(8)]
    assert sum(quiet_shops) <= distributions.binom.ppf(0.99, 8, FALSE_DISCOVERY)
    hits, wrong = 0, []
    for seed in range(5):
        counts = wandering(seed)
        gone = np.flatnonzero(counts[:, :-1].mean(axis=1) > 20)[:6]
        counts[gone, -1] //= 10
        named = {int(name[1:]) for name in sales_of(counts).query("is_off")["product_id"]}
        hits += len(named & set(gone))
        wrong.append(len(named - set(gone)) / max(len(named), 1))
    assert hits >= 0.6 * 30
    assert np.mean(wrong) <= FALSE_DISCOVERY + 2 * np.std(wrong, ddof=1) / np.sqrt(5)


@pytest.mark.parametrize(
    ("sd", "mean"),
    [(0.08, 10.0), pytest.param(0.08, 60.0, marks=pytest.mark.slow), pytest.param(0.25, 10.0, marks=pytest.mark.slow)],
)
def test_quiet_shops_alarm_no_oftener_than_stated(sd, mean):
    """AR .6, weekdays and a season: the lower 95 % bound of the mean run to a false alarm is at least the 60 days that were stated."""
    days = alarms = 0
    for seed in range(6):
        found = judged(quiet(seed, sd=sd, mean=mean), run_length=60)
        days += found["day"].nunique()
        alarms += found.loc[found["is_signal"], "day"].nunique()
    most = distributions.gamma.ppf(0.95, alarms + 1)  # Garwood's upper end of the expected number
    assert days == 6 * YEAR.n_days
    assert days / most >= 60


def test_a_day_without_orders_is_an_alarm_and_a_closed_one_is_not():
    tables = quiet(1, mean=40.0)
    lines = tables["order_lines"]
    lost = lines[lines["ordered_at"] != "2026-06-10"]
    signals = judged({**tables, "order_lines": lost}, run_length=365).query("is_signal")
    assert signals.loc[signals["day"] == "2026-06-10", "group"].nunique() == 8
    unseen = Coverage(SEEN.first, SEEN.last, missing=frozenset({date(2026, 6, 10)}))
    days = product_control.category_days(lost, period=YEAR, coverage=unseen, products=tables["products"], run_length=365)  # fmt: skip
    assert not days.loc[days["day"] == "2026-06-10", "is_signal"].any()
    assert {tuple(row) for row in days[["group", "day"]].to_numpy()} <= {tuple(row) for row in judged(tables)[["group", "day"]].to_numpy()}  # fmt: skip


def test_data_that_begin_with_the_period_are_judged_from_the_seventeenth_week():
    tables = quiet(1, n_days=200)
    seen = Coverage(date(2025, 5, 1), date(2025, 11, 16))
    days = product_control.category_days(tables["order_lines"], period=Period(seen.first, seen.last), coverage=seen, products=tables["products"], run_length=365)  # fmt: skip
    assert days["day"].min() == pd.Timestamp("2025-05-01") + pd.Timedelta(days=16 * 7)
    short = Period(seen.first, date(2025, 7, 1))
    assert len(product_control.category_days(tables["order_lines"], period=short, coverage=seen, products=tables["products"], run_length=365)) == 0  # fmt: skip


def test_the_demo_names_what_was_out_of_stock_and_its_promotion():
    shop = open_shop("demo", root=ROOT)
    tables = with_local_days({name: shop.table(name) for name in ("order_lines", "products", "stock_levels")}, zone=shop.time_zone)  # fmt: skip
    found = product_control.product_sales(tables["order_lines"], as_of=YEAR.end, coverage=shop.coverage, products=tables["products"])  # fmt: skip
    stock = tables["stock_levels"].to_pandas()
    recent = stock[pd.to_datetime(stock["date"]) > "2026-10-03"]
    out = recent[recent["n_on_hand"] <= 0]["product_id"].value_counts()
    for name in found.query("is_off and sold_change < 0")["product_id"]:
        assert out.get(name, 0) > 14
    days = product_control.category_days(tables["order_lines"], period=YEAR, coverage=shop.coverage, products=tables["products"], run_length=365)  # fmt: skip
    truth = json.loads((shop.folder / "truth.json").read_text())
    starts = {promotion["starts"] for promotion in truth["promotions"]}
    assert starts & set(days.query("is_signal")["day"].dt.strftime("%Y-%m-%d"))
