"""Sentences of the positioning page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from opslib.finding import Finding
from opslib.findings import positioning as say
from opslib.positioning import hedonic_prices
from opslib.stats.correspondence import correspondence_map
from tests.findings.facts import EMPTY, NOTHING, page

POSITION = pd.DataFrame({
    "group": ["lamps", "rugs", "chairs"], "n_products": [10, 10, 10], "n_covered": [8, 9, 1], "n_stale": [1, 0, 0],
    "price_index": [1.2, 0.9, 1.0], "price_index_lower": [1.1, 0.8, np.nan], "price_index_upper": [1.3, 0.95, np.nan],
})  # fmt: skip
LADDER = pd.DataFrame({
    "category": ["lamps", "lamps"], "band": [0, 1], "lower_price": [1.0, 10.0], "upper_price": [10.0, 100.0],
    "offer_share": [0.9, 0.1], "demand_share": [0.4, 0.6],
})  # fmt: skip


def found_of(position=EMPTY, model=NOTHING, ladder=EMPTY, promotions=EMPTY, perceived=NOTHING) -> dict[str, Finding]:
    found = say.findings(position, model, ladder, promotions, NOTHING, {}, perceived, page=page())
    return {f.key: f for f in found}


def test_only_groups_clear_of_the_competitors_are_named():
    found = found_of(POSITION, ladder=LADDER)
    assert "1 of 3 groups is clearly dearer than competitors: lamps +20" in found["price-dearer"].sentence
    assert "rugs −10" in found["price-cheaper"].sentence
    assert "60\xa0% of the products; 1 price is stale" in found["coverage"].sentence


def test_the_band_with_more_demand_than_offer_is_named():
    gap = found_of(ladder=LADDER)["ladder-gap"]
    assert "the band from £10.00 to £100 takes 60\xa0% of the demand with 10\xa0% of the products" in gap.sentence


def test_promotion_is_weighted_by_list_value():
    promotions = pd.DataFrame(
        {"group": ["a", "b"], "list_amount": [300.0, 100.0], "promoted_share": [0.1, 0.5], "depth_share": [0.3, 0.2]}
    )
    found = found_of(promotions=promotions)["promotion"]
    assert found.sentence.startswith("20\xa0% of the list value is sold with a discount; deepest in a, 30\xa0% off")


def test_nothing_is_said_about_what_is_not_known():
    assert found_of() == {}


def test_a_map_without_axes_says_that_it_shows_nothing():
    counts = pd.DataFrame([[30, 31, 29], [30, 29, 31], [60, 60, 60]], index=list("abc"), columns=["x", "y", "z"])
    found = found_of(perceived=correspondence_map(counts, n_resamples=100))["perception"]
    assert found.sentence.startswith("Reviews do not tell the brands apart")


def test_a_premium_is_a_question_with_its_interval():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"brand": ["a", "b"] * 60, "category": ["x"] * 120})
    frame["price"] = np.exp(3 + 0.2 * (frame["brand"] == "b") + rng.normal(0, 0.05, 120))
    found = found_of(model=hedonic_prices(frame, attributes=["category"]))["quality-adjusted"]
    assert "b +" in found.sentence
    assert found.caveat


def test_limits():
    assert "£1.00 are not on the ladder" in say.limits(page(), LADDER)[0]
    assert "ladder" not in say.limits(page(), EMPTY)[0]
