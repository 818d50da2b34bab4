"""Sentences about matches, and what is looked at beyond its share of the offer."""

from __future__ import annotations

import pandas as pd
import pytest

from opslib.findings.gaps import gap_findings
from opslib.findings.matching import match_findings
from opslib.positioning import match_products
from tests.findings.facts import EMPTY, NOTHING


def gaps(name="rugs", lower=1.25, money=200.0, by="category", **more):
    return pd.DataFrame({
        by: [name], "n_demand": [900], "pressure": [1.5], "pressure_lower": [lower], "pressure_upper": [1.8], "offer_share": [0.14],
        "demand_share": [0.21], "excess_amount": [300.0], "excess_amount_lower": [money], "excess_amount_upper": [400.0], **more,
    })  # fmt: skip


def test_a_gap_is_two_shares_without_money_and_only_where_it_is_not_small():
    bands = {"price_band": ["lower"], "lower_price": [5.0], "upper_price": [9.0]}
    (found,) = gap_findings({"category": gaps(**bands)}, currency="GBP", from_views=True)
    assert (
        found.sentence
        == "Rugs from £5.00 to £9.00 is 14\xa0% of what we show and 21\xa0% of what visitors look at: short of choice."
    )
    assert (found.things, found.worth) == (("rugs",), None)
    assert found.would_tell
    assert gap_findings({"category": gaps(lower=1.05)}, currency="GBP", from_views=True) == ()
    assert gap_findings({"category": EMPTY}, currency="GBP", from_views=True) == ()
    assert (
        gap_findings({"category": gaps()}, currency="GBP", from_views=False) == ()
    )  # what sells well lacks no choice for that


@pytest.mark.parametrize(
    "name", ["COUPON/MISC ITEMS", "(none)", "Gift vouchers", "POSTAGE", "Delivery charges", "MISC. TRANS."]
)
def test_nobody_is_advised_to_list_more_services(name):
    assert gap_findings({"category": gaps(name)}, currency="GBP", from_views=True) == ()


@pytest.mark.parametrize("name", ["Otherworld toys", "Feed", "Serviettes", "Sampler kits"])
def test_names_that_only_look_like_services_stay(name):
    assert len(gap_findings({"category": gaps(name)}, currency="GBP", from_views=True)) == 1


def test_of_many_cuts_the_one_with_the_surest_money_is_told():
    cuts = {
        f"attr_{name}": gaps("a", money=money, by=f"attr_{name}")
        for name, money in {"size": 100.0, "colour": 300.0}.items()
    }
    found = gap_findings(cuts, currency="GBP", from_views=True)
    assert [(f.key, f.is_told) for f in found] == [("gap-colour", True), ("gap-size", False)]


def test_matching_says_what_tests_it_and_what_is_left():
    own = pd.DataFrame({"product_id": ["p1", "p2"], "name": ["Oak tray 1.5 l", "Tin mug"]})
    theirs = pd.DataFrame({"competitor": "A", "competitor_product_id": ["1", "2"], "name": ["Oak tray 1500 ml"] * 2})
    before, after = (pd.DataFrame({"n_covered": [n], "n_products": [10]}) for n in (4, 7))
    matches = match_products(own, theirs, accept=0.3, review=0.01)
    found = {f.key: f for f in match_findings(matches, before=before, after=after)}
    assert "None is known to be right or wrong" in found["matching"].sentence
    assert "“Oak tray 1500 ml” at A against our “Oak tray 1.5 l”" in found["matching-review"].sentence
    assert found["matching-coverage"].sentence.startswith(
        "Competitors' prices are known for 70\xa0% of our products, up from 40\xa0%"
    )
    same = {f.key: f for f in match_findings(matches, before=before, after=before)}
    assert " from " not in same["matching-coverage"].sentence
    assert list(match_findings(NOTHING, before=before, after=after)) == []
