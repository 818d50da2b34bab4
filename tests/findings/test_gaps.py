"""Sentences about matches, searches that end with nothing, and what is looked at beyond its share of the offer."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.findings.matching import match_findings
from opslib.findings.positioning import unmet_heads
from opslib.findings.white_space import gap_findings, unmet_findings
from opslib.positioning import UnmetSearches, match_products
from opslib.stats.estimates import Estimate
from opslib.stats.shares import share
from tests.findings.facts import EMPTY, NOTHING

VALUE = Estimate(value=2.0, lower=1.0, upper=3.0, n=500, unit="GBP", method="by hand", std_error=0.5)
THEMES = pd.DataFrame({
    "theme": ["air fryer", "desk jo@example.org", "rug"], "n_visits": [300, 120, 90], "n_people": [280, 100, 80], "n_products": [0, 4, 0],
    "visits_per_month": [24.2, 1.2, 7.0], "worth_amount": [40.0, 20.0, 9.0], "worth_amount_lower": [-30.0, -5.0, -9.0],
    "worth_amount_upper": [110.0, 45.0, 30.0], "top_three_share": [1.0, 0.8, 0.6],
})  # fmt: skip


def unmet(value=VALUE, **columns):
    return UnmetSearches(
        themes=THEMES.assign(**columns), unmet_share=share(420, 2000), visit_value=value, is_margin=True
    )


def test_a_theme_is_said_in_plain_words_with_money_action_and_owner():
    whole, first, second = unmet_findings(unmet(), currency="GBP")
    assert whole.sentence.startswith("21.0\xa0% (19.3–22.8) of searches lead nowhere")
    assert first.sentence == (
        "24 visits a month searched for “air fryer” and found none. Meeting it may bring about £40 a month of margin, possibly nothing."
    )
    assert (first.department, first.grade, first.worth.unit, first.things) == (
        "Buying",
        "Low",
        "GBP/month",
        ("air fryer",),
    )
    # Four products have its words: search may be at fault; addresses do not reach the page.
    assert second.sentence.startswith("1 visit a month searched for ")
    assert "did not get to our 4 products of that name" in second.sentence
    assert second.department == "Technology"
    assert "example.org" not in second.sentence + second.action
    assert [f.is_told for f in (whole, first, second)] == [False, True, False]
    (_, sure, _) = unmet_findings(unmet(worth_amount_lower=25.0), currency="GBP")
    assert sure.sentence.endswith("Meeting it may bring £40 a month (20–110) of margin.")


@pytest.mark.parametrize(("value", "words"), [
    (None, "What that costs is not known."),
    (Estimate(value=-1.0, lower=-2.0, upper=0.5, n=500, unit="GBP", method="by hand", std_error=0.5), "cannot be seen in what such visits buy."),
])  # fmt: skip
def test_without_money_there_is_no_worth_but_what_would_tell(value, words):
    first = unmet_findings(
        unmet(value, worth_amount=-40.0, worth_amount_lower=-90.0, worth_amount_upper=5.0), currency="GBP"
    )[1]
    assert first.sentence.endswith(words)
    assert first.worth is None
    assert first.would_tell
    assert unmet_findings(NOTHING, currency="GBP") == ()


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


@given(st.floats(-500, 500), st.floats(0, 300), st.floats(0, 300), st.floats(0, 99), st.integers(0, 9))
def test_a_theme_never_promises_what_its_interval_does_not(value, below, above, visits, n_ours):
    one = Estimate(value=value, lower=value - below, upper=value + above, n=9, unit="GBP", method="by hand")
    columns = {"worth_amount": value, "worth_amount_lower": value - below, "worth_amount_upper": value + above}
    found = unmet_findings(unmet(one, **columns, visits_per_month=visits, n_products=n_ours), currency="GBP")[1]
    assert ("may bring" in found.sentence) == (value > 0)
    assert ("possibly nothing" in found.sentence) == (value > 0 >= value - below)
    assert ("found none" in found.sentence) == (n_ours == 0)
    assert (found.worth is None) == (value <= 0)


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


def test_money_of_searches_has_a_column_only_where_finding_something_brings_more():
    worse = Estimate(value=-1.0, lower=-2.0, upper=0.5, n=500, unit="GBP", method="by hand")
    assert unmet_heads(unmet())["worth_amount"] == "worth a month"
    assert "worth_amount" not in unmet_heads(unmet(None)) | unmet_heads(unmet(worse))
