"""Quality-adjusted prices against statsmodels, planted premiums and the edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from opslib.positioning.hedonic import OTHER, hedonic_prices

#: Cells and rows give the same normal equations; only float error is left.
SAME = 1e-7


def _catalogue(n=600, seed=4):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "brand": rng.choice(["north", "south", "west"], n, p=[0.5, 0.3, 0.2]),
        "attr_material": rng.choice(["oak", "pine", "steel"], n),
        "category": rng.choice(["chair", "table"], n),
    })  # fmt: skip
    log = (
        3.0
        + frame["brand"].map({"north": 0.0, "south": 0.15, "west": -0.2})
        + frame["attr_material"].map({"oak": 0.4, "pine": 0.0, "steel": 0.25})
        + frame["category"].map({"chair": 0.0, "table": 0.7})
        + rng.normal(0, 0.1 + 0.1 * (frame["category"] == "table"), n)
    )
    return frame.assign(price=np.exp(log), product_id=[str(i) for i in range(n)])


def test_premiums_equal_a_robust_regression_on_rows():
    frame = _catalogue()
    model = hedonic_prices(frame, attributes=["category", "attr_material"])
    base = {c: frame[c].value_counts().sort_index().idxmax() for c in ("category", "attr_material", "brand")}
    terms = " + ".join(f"C({c}, Treatment('{b}'))" for c, b in base.items())
    oracle = smf.ols(f"np.log(price) ~ {terms}", data=frame).fit(cov_type="HC3", use_t=True)
    for row in model.attributes.itertuples():
        name = f"C({row.attribute}, Treatment('{base[row.attribute]}'))[T.{row.level}]"
        low, high = oracle.conf_int().loc[name]
        assert np.log1p(row.premium_share) == pytest.approx(oracle.params[name], abs=SAME)
        assert np.log1p([row.premium_share_lower, row.premium_share_upper]) == pytest.approx([low, high], abs=SAME)
    assert model.r_squared == pytest.approx(oracle.rsquared, abs=SAME)
    assert model.n_products == 600


def test_planted_premiums_lie_in_their_intervals():
    hits = 0
    for seed in range(60):
        frame = _catalogue(n=300, seed=seed)
        groups = hedonic_prices(frame, attributes=["category", "attr_material"]).groups.set_index("group")
        share = frame["brand"].value_counts(normalize=True)
        truth = 0.15 - (0.15 * share["south"] - 0.2 * share["west"])
        hits += (
            groups.loc["south", "premium_share_lower"] <= np.expm1(truth) <= groups.loc["south", "premium_share_upper"]
        )
    # 57 expected of 60; fewer than 51 has probability below .1 % at 95 %.
    assert hits >= 51


def test_small_brands_without_premium_are_seldom_marked():
    """Planted: no premium anywhere, brands of ten products among 200, errors of equal size; 60 catalogues x 10 brands.

    Nominal 5 %; 600 marks have a standard error of .9 points, and groups of ten cost a little: 8 % at most.
    """
    marked = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({"brand": ["large"] * 100 + [f"b{i}" for i in range(10)] * 10})
        frame["attr_size"] = rng.choice(["s", "l"], 200)
        frame["price"] = np.exp(2 + 0.3 * (frame["attr_size"] == "l") + rng.normal(0, 0.2, 200))
        groups = hedonic_prices(frame, attributes=["attr_size"]).groups
        small = groups[groups["group"] != "large"]
        marked += (small["is_dear"] | small["is_cheap"]).tolist()
    assert np.mean(marked) <= 0.08


def test_a_pool_of_one_product_has_no_interval():
    frame = _catalogue(n=100)
    frame.loc[0, ["brand", "price"]] = ["one-off", 900.0]
    other = hedonic_prices(frame, attributes=["category"]).groups.set_index("group").loc[OTHER]
    assert other["n_products"] == 1
    assert np.isnan([other["premium_share_lower"], other["premium_share_upper"]]).all()
    assert not other["is_dear"]


def test_a_brand_that_only_sells_dear_things_is_not_called_dear():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "brand": ["lux"] * 90 + ["base"] * 210,
            "category": ["table"] * 80 + ["chair"] * 10 + ["table"] * 20 + ["chair"] * 190,
        }
    )
    frame["price"] = np.exp(3 + 1.0 * (frame["category"] == "table") + rng.normal(0, 0.1, 300))
    groups = hedonic_prices(frame, attributes=["category"]).groups.set_index("group")
    assert groups.loc["lux", "raw_share"] > 0.5
    assert abs(groups.loc["lux", "premium_share"]) < 0.05


def test_rare_levels_are_pooled_and_too_few_products_carry_none():
    frame = _catalogue(n=100)
    frame.loc[0, "brand"] = "one-off"
    assert OTHER in hedonic_prices(frame, attributes=["category"]).groups["group"].tolist()
    few = hedonic_prices(frame.head(10), attributes=["category", "attr_material"])
    assert (few.n_products, len(few.groups), len(few.attributes)) == (10, 0, 0)


def test_order_of_rows_does_not_matter():
    frame = _catalogue(n=120)
    one = hedonic_prices(frame, attributes=["category"])
    other = hedonic_prices(frame.sample(frac=1, random_state=1), attributes=["category"])
    pd.testing.assert_frame_equal(one.groups, other.groups)
