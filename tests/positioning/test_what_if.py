"""What a move would bring, against closed forms; places on ladder, index and going rate by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from opslib.errors import ParameterError
from opslib.positioning import going_rate, hedonic_prices, what_if
from tests.positioning.test_hedonic import SAME, _catalogue
from tests.positioning.test_response import exact

OWN = pd.DataFrame({
    "product_id": ["a", "b", "c", "d", "e"], "name": ["Lamp", "Torch", "Bulb", None, "Rug"],
    "category": ["lamps", "lamps", "lamps", "lamps", "rugs"], "price": [10.0, 9.0, 10.8, 40.0, 10.1], "cost": [6.0] * 5,
})  # fmt: skip
#: Grid of 101 x 101 quantiles against the integral.
GRID = 0.01


def test_units_revenue_and_margin_follow_the_slope():
    found = what_if(exact(), OWN, product_id="a", price_change=0.1)
    told = found.consequence
    weeks = 365.25 / 12 / 7
    mean = (7 * 13 + 0.5) / 13 * weeks  # mean of a gamma with shape total + 1/2
    assert told.units_now.value == pytest.approx(mean, rel=GRID)
    assert told.units.value == pytest.approx(mean * (1.1**-2 - 1), rel=GRID)
    assert told.revenue.value == pytest.approx(mean * (1.1**-1 - 1) * 10, rel=GRID)
    assert told.margin.value == pytest.approx(mean * (1.1**-2 * 5 - 4), rel=GRID)
    assert told.p_gain == 1.0
    low, high = stats.gamma.ppf([0.025, 0.975], 7 * 13 + 0.5) / 13 * weeks
    assert (told.units_now.lower, told.units_now.upper) == pytest.approx((low, high), rel=GRID)


def test_an_unsure_slope_gives_the_chance_of_a_gain():
    response = exact(slope=-2.3, width=0.98)  # standard error 0.5
    found = what_if(response, OWN, product_id="a", price_change=0.1)
    # Margin rises where 1.1 ** slope * 5 > 4.
    by_hand = stats.norm.sf(math.log(0.8) / math.log(1.1), -2.3, 0.5)
    assert found.consequence.p_gain == pytest.approx(by_hand, abs=0.01)
    assert found.consequence.margin.lower < 0 < found.consequence.margin.upper


def test_without_a_cost_the_revenue_counts():
    found = what_if(exact(), OWN.drop(columns=["cost", "name"]), product_id="a", price_change=0.1)
    assert found.consequence.margin is None
    assert found.consequence.p_gain == 0.0
    assert found.name == "a"


def test_outside_the_band_only_the_place_is_told():
    found = what_if(exact(), OWN, product_id="a", price_change=0.5)
    assert (found.refusal, found.consequence, found.band) == ("band", None, (9.0, 12.0))
    assert found.then.cheaper_share == pytest.approx(2 / 3)
    assert len(found.curve) > 0
    assert (found.curve["price"].min(), found.curve["price"].max()) == (9.0, 12.0)


def test_a_slope_that_is_no_effect_and_a_product_without_one_tell_no_sales():
    response = exact()
    response.groups.loc[0, ["refusal", "reason"]] = ["followed", "prices followed demand"]
    found = what_if(response, OWN, product_id="a", price_change=0.05)
    assert (found.refusal, found.consequence, len(found.curve)) == ("followed", None, 0)
    other = what_if(response, OWN, product_id="e", price_change=0.05)
    assert (other.refusal, other.group) == ("unknown", "rugs")
    assert math.isnan(other.band[0])
    assert other.then.price == pytest.approx(10.605)


def test_the_place_on_ladder_index_and_among_neighbours():
    indices = pd.DataFrame({"product_id": ["a", "b"], "rival_price": [12.5, 9.0]})
    found = what_if(exact(), OWN, product_id="a", price_change=0.1, indices=indices)
    assert (found.now.price_index, found.then.price_index) == pytest.approx((0.8, 0.88))
    assert (found.now.cheaper_share, found.then.cheaper_share) == pytest.approx((1 / 3, 2 / 3))
    assert found.now.neighbours == ("Bulb", "Torch", "d")
    assert math.isnan(what_if(exact(), OWN, product_id="a", price_change=0.1).now.price_index)


def test_going_rate_is_the_regressions_prediction_for_an_average_brand():
    frame = _catalogue()
    model = hedonic_prices(frame, attributes=["category", "attr_material"])
    oracle = smf.ols("np.log(price) ~ C(category) + C(attr_material) + C(brand)", data=frame).fit(
        cov_type="HC3", use_t=True
    )
    rate = going_rate(model, bundle={"category": "table", "attr_material": "oak"})
    row = pd.Series(0.0, index=oracle.params.index)
    row[["Intercept", "C(category)[T.table]"]] = 1.0  # oak is the reference
    for brand in ("south", "west"):
        row[f"C(brand)[T.{brand}]"] = (frame["brand"] == brand).mean()
    value, error = row @ oracle.params, np.sqrt(row @ oracle.cov_params() @ row)
    half = stats.t.ppf(0.975, oracle.df_resid) * error
    assert np.log([rate.value, rate.lower, rate.upper]) == pytest.approx([value, value - half, value + half], abs=SAME)


def test_new_attributes_change_the_going_rate_and_the_premium():
    frame = _catalogue().assign(name=lambda t: "item " + t["product_id"], cost=1.0)
    model = hedonic_prices(frame, attributes=["category", "attr_material"])
    own = frame.iloc[0]
    to = "pine" if own["attr_material"] != "pine" else "oak"
    known = exact(product_id=own["product_id"], price=own["price"], lower_price=1.0, upper_price=1e3)
    found = what_if(known, frame, product_id=own["product_id"], attributes={"attr_material": to}, model=model)
    rate = going_rate(model, bundle={"category": own["category"], "attr_material": to})
    assert found.then.rate.value == pytest.approx(rate.value)
    assert found.then.premium.value == pytest.approx(own["price"] / rate.value - 1)
    assert found.then.premium.lower < found.then.premium.value < found.then.premium.upper
    assert found.now.rate.value != found.then.rate.value
    assert found.consequence.units.value == 0
    nearest = frame.set_index("name").loc[list(found.then.neighbours)]
    assert (np.abs(np.log(nearest["price"] / own["price"])) < 0.2).all()
    assert (nearest["category"] == own["category"]).all()


def test_what_is_not_known_is_named():
    frame = _catalogue()
    model = hedonic_prices(frame, attributes=["category"])
    with pytest.raises(ParameterError, match="no product 'z' among 5 products"):
        what_if(exact(), OWN, product_id="z")
    with pytest.raises(ParameterError, match="-100% leaves no price"):
        what_if(exact(), OWN, product_id="a", price_change=-1.0)
    with pytest.raises(ParameterError, match="only with model="):
        what_if(exact(), OWN, product_id="a", attributes={"attr_material": "oak"})
    with pytest.raises(ParameterError, match="the model has no attribute 'attr_size'"):
        what_if(exact(), OWN, product_id="a", attributes={"attr_size": 1}, model=model)
    with pytest.raises(ParameterError, match="no product has category = 'sofa'; seen: chair, table"):
        going_rate(model, bundle={"category": "sofa"})
    with pytest.raises(ParameterError, match="the bundle lacks 'category'"):
        going_rate(model, bundle={})
