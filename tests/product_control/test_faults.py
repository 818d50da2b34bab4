"""Faulty products: by hand, by a second road, planted ones found at the stated rate, none where none is planted."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats as distributions
from statsmodels.stats.multitest import multipletests

from opslib import product_control
from opslib.metrics import with_local_days
from opslib.product_control.faults import CHECKS, FALSE_DISCOVERY
from opslib.shop.opening import open_shop
from tests.conftest import ROOT
from tests.product_control.shops import NONE, RATES, YEAR, N, planted

_ASKED = ("products", "returns", "reviews", "tickets")
#: How the parity tests ask the functions of this room, on DuckDB, PostgreSQL and Spark.
PARITY_CASES = {
    "product_control.product_faults": lambda w: faults_of(w),
    "product_control.supplier_months": lambda w: product_control.supplier_months(
        w.table("order_lines"), faults_of(w), period=w.period, products=w.table("products"), returns=w.table("returns")
    ),
}


def faults_of(world):
    return product_control.product_faults(world.table("order_lines"), period=world.period, **{name: world.table(name) for name in _ASKED})  # fmt: skip


def found_in(tables, **choices):
    lines, rest = tables["order_lines"], {name: tables[name] for name in _ASKED}
    return product_control.product_faults(lines, period=YEAR, **rest | choices)


def test_counts_by_a_second_road():
    tables, _, _ = planted(1)
    found = found_in(tables).set_index("product_id")
    for name, table in (("n_lines", "order_lines"), ("n_returns", "returns"), ("n_reviews", "reviews"), ("n_cases", "tickets")):  # fmt: skip
        assert found[name].sum() == len(tables[table])
        assert found[name].to_dict() == tables[table]["product_id"].value_counts().reindex(found.index, fill_value=0).to_dict()  # fmt: skip
    low = tables["reviews"].loc[tables["reviews"]["rating"] <= 2, "product_id"].value_counts()
    assert found["n_low"].to_dict() == low.reindex(found.index, fill_value=0).to_dict()
    # Refunds beyond the usual a month: 10 a return, observed less expected, in 365 days of 12 months.
    lost = 10 * (found["n_returns"] - found["returns_expected"]) / 365 * 365.25 / 12
    assert found["loss_amount"].dropna().to_numpy() == pytest.approx(lost[found["loss_amount"].notna()].to_numpy())


def test_only_what_is_recorded_is_checked_and_few_lines_are_not_judged():
    tables, _, _ = planted(1)
    found = found_in(tables, reviews=NONE, tickets=NONE)
    assert [check for check in CHECKS if f"{check}_ratio" in found] == ["returns"]
    few = pd.concat([tables["returns"]] + [pd.DataFrame({"product_id": ["new"], "returned_at": pd.Timestamp("2026-03-09"), "refund_amount": 1.0, "reason": "x"})] * 9)  # fmt: skip
    lines = pd.concat([tables["order_lines"], pd.DataFrame({"product_id": ["new"] * 9, "ordered_at": pd.Timestamp("2026-03-02")})])  # fmt: skip
    again = found_in({**tables, "returns": few, "order_lines": lines}).set_index("product_id")
    assert not again.loc["new", "is_faulty"]
    assert pd.isna(again.loc["new", "reason"])  # nine people said so
    none = product_control.product_faults(tables["order_lines"], period=YEAR, products=tables["products"], returns=NONE, reviews=NONE, tickets=NONE)  # fmt: skip
    assert not none["is_faulty"].any()


def test_without_lines_there_is_nothing():
    tables, _, _ = planted(1)
    assert len(found_in({**tables, **{name: tables[name].head(0) for name in ("order_lines", "returns", "reviews", "tickets")}})) == 0  # fmt: skip


def oracle(tables, found) -> set[str]:
    """Who knows each category's true rates and how much products differ (but not each product's quality) finds these at the same rate."""
    rates = RATES[tables["products"]["category"].str[1:].astype(int)]
    spread, ps = np.exp(0.15**2) - 1, []
    low = distributions.norm.cdf((2.5 - 4.15) / np.hypot(0.8, 0.45))
    for check, rate in (("returns", rates), ("low ratings", np.full(N, low)), ("service cases", np.full(N, 0.012))):
        events, chances = (found[name].to_numpy() for name in CHECKS[check])
        shape = 1 / {"returns": spread, "low ratings": 1.0, "service cases": 1e-9}[check]
        ps.append(distributions.nbinom.sf(events - 1, shape, shape / (shape + chances * rate)))
    best = np.minimum(3 * np.min(ps, axis=0), 1.0)
    return set(found["product_id"][multipletests(best, alpha=FALSE_DISCOVERY, method="fdr_bh")[0]])


def figures(seeds) -> tuple[np.ndarray, float]:
    """False-discovery proportion of each shop, and true finds as a share of the oracle's."""
    wrong, hits, of_oracle = [], 0, 0
    for seed in seeds:
        tables, faulty, _ = planted(seed)
        found = found_in(tables)
        named = set(found["product_id"][found["is_faulty"]])
        wrong.append(len(named - faulty) / max(len(named), 1))
        hits += len(named & faulty)
        of_oracle += len(oracle(tables, found) & faulty)
    return np.array(wrong), hits / of_oracle


def test_planted_faults_are_found_at_the_stated_rate():
    wrong, power = figures(range(8))
    assert wrong.mean() <= FALSE_DISCOVERY + 2 * wrong.std(ddof=1) / np.sqrt(len(wrong))
    assert power >= 0.6


@pytest.mark.slow
def test_planted_faults_of_200_shops():
    wrong, power = figures(range(200))
    print(f"\nfalse-discovery proportion {wrong.mean():.3f} +- {wrong.std(ddof=1) / np.sqrt(200):.3f}, finds of the oracle's {power:.2f}")  # fmt: skip
    assert wrong.mean() <= FALSE_DISCOVERY + 2 * wrong.std(ddof=1) / np.sqrt(200)
    assert power >= 0.6


def test_nothing_is_named_where_nothing_is_planted():
    """Products differ in quality, none is faulty: shops with any name at all are at most one in ten."""
    named = [found_in(planted(seed, n_faulty=0)[0])["is_faulty"].any() for seed in range(8)]
    assert sum(named) <= distributions.binom.ppf(0.99, 8, FALSE_DISCOVERY)


@pytest.fixture(scope="module")
def demo():
    shop = open_shop("demo", root=ROOT)
    tables = with_local_days({name: shop.table(name) for name in ("order_lines", *_ASKED)}, zone=shop.time_zone)
    return shop, tables, found_in(tables)


def test_the_faulty_products_of_the_demo_are_found_and_its_bad_deliveries(demo):
    shop, tables, found = demo
    truth = json.loads((shop.folder / "truth.json").read_text())
    named = set(found["product_id"][found["is_faulty"]])
    planted_ids, bad = (set(truth[name]["product_ids"]) for name in ("faulty_products", "supplier_fault"))
    assert planted_ids <= named
    assert named <= planted_ids | bad
    faulty = found[found["product_id"].isin(planted_ids)]
    assert set(faulty["reason"]) == {truth["faulty_products"]["reason"]}
    pooled = faulty["n_returns"].sum() / faulty["n_lines"].sum()
    assert pooled == pytest.approx(truth["faulty_products"]["return_probability"], rel=0.15)
    months = product_control.supplier_months(tables["order_lines"], found, period=YEAR, products=tables["products"], returns=tables["returns"])  # fmt: skip
    named_months = months[months["is_bad"]]
    assert set(named_months["supplier"]) == {truth["supplier_fault"]["name"]}
    # Sold from 19 July to 13 September, back some days later.
    assert set(pd.to_datetime(named_months["month"]).dt.strftime("%Y-%m")) == {"2026-08", "2026-09"}


def test_returns_dealt_out_anew_name_nobody(demo):
    """The demo's own returns, each given to a line of its category by lot: whom chance alone makes stand out."""
    _, tables, _ = demo
    rng = np.random.default_rng(5)
    lines = tables["order_lines"].filter(lambda t: t["status"] == "paid").select("product_id").to_pandas()
    back = tables["returns"].select("product_id", "returned_on", "returned_at", "refund_amount", "reason").to_pandas()
    of = tables["products"].select("product_id", "category").to_pandas().set_index("product_id")["category"]
    pools = {name: rows["product_id"].to_numpy() for name, rows in lines.groupby(lines["product_id"].map(of))}
    back["product_id"] = [rng.choice(pools[of[name]]) for name in back["product_id"]]
    again = product_control.product_faults(tables["order_lines"], period=YEAR, products=tables["products"], returns=back, reviews=NONE, tickets=NONE)  # fmt: skip
    assert not again["is_faulty"].any()
