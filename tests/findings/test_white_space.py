"""Sentences about matches, searches that failed, and demand against offer."""

from __future__ import annotations

import pandas as pd
import pytest

from opslib.findings.matching import match_findings
from opslib.findings.white_space import gap_findings, unmet_findings
from opslib.positioning import UnmetSearches, match_products
from opslib.stats.estimates import Estimate
from opslib.stats.shares import share
from tests.findings.facts import EMPTY, NOTHING

VALUE = Estimate(value=2.0, lower=1.0, upper=3.0, n=500, unit="GBP", method="by hand", std_error=0.5)
THEMES = pd.DataFrame({
    "theme": ["air fryer", "desk jo@example.org", "rug"], "n_visits": [300, 120, 90], "n_people": [280, 100, 80], "n_products": [0, 4, 0],
    "worth_amount": [50.0, 20.0, 9.0], "worth_amount_lower": [25.0, -5.0, -9.0], "worth_amount_upper": [80.0, 45.0, 30.0],
    "top_three_share": [1.0, 0.8, 0.6],
})  # fmt: skip


def unmet(value=VALUE):
    return UnmetSearches(themes=THEMES, unmet_share=share(420, 2000), visit_value=value, is_margin=True)


def test_a_theme_is_said_with_money_action_and_owner():
    whole, first, second = unmet_findings(unmet(), currency="GBP")
    assert whole.sentence.startswith("21.0\xa0% (19.3–22.8) of searches fail")
    assert whole.sentence.endswith("; 1 more theme beside those named here.")
    said = (
        "300 visits searched for “air fryer” without success; meeting it is worth about £50 a month (25–80) of margin"
    )
    assert first.sentence.startswith(said)
    assert (first.department, first.grade, first.worth.unit) == ("Buying", "Low", "GBP/month")
    assert "over 99" in first.sentence
    # Four products have its words: search may be at fault; the interval holds nothing; addresses do not reach the page.
    assert second.department == "Technology"
    assert "which does not exclude nothing" in second.sentence
    assert "example.org" not in second.sentence + second.action


def test_without_money_there_is_no_worth():
    first = unmet_findings(unmet(None), currency="GBP")[1]
    assert first.worth is None
    assert "its worth cannot be told" in first.sentence
    assert unmet_findings(NOTHING, currency="GBP") == ()


@pytest.mark.parametrize(("lower", "n"), [(1.2, 1), (0.9, 0)])
def test_only_a_gap_clear_of_one_is_named(lower, n):
    gaps = pd.DataFrame({
        "category": ["rugs"], "price_band": ["lower"], "lower_price": [5.0], "upper_price": [9.0], "n_demand": [900],
        "pressure": [1.5], "pressure_lower": [lower], "pressure_upper": [1.8], "excess_amount": [300.0], "excess_amount_lower": [200.0],
        "excess_amount_upper": [400.0],
    })  # fmt: skip
    found = gap_findings({"category": gaps}, currency="GBP")
    assert len(found) == n
    assert all("rugs from £5.00 to £9.00 draws 1.5" in f.sentence and f.worth is None for f in found)
    assert gap_findings({"category": EMPTY}, currency="GBP") == ()


def test_of_many_cuts_those_with_the_most_money_are_named_and_the_others_counted():
    gaps = {
        f"attr_{name}": pd.DataFrame({
            f"attr_{name}": ["a", "b"], "n_demand": 900, "pressure": 1.5, "pressure_lower": [1.2, 1.1], "pressure_upper": 1.8,
            "excess_amount": 900.0, "excess_amount_lower": money, "excess_amount_upper": 999.0,
        })
        for name, money in {"size": 100.0, "colour": 300.0, "look": 200.0}.items()
    }  # fmt: skip
    first, second = gap_findings(gaps, currency="GBP")
    assert [first.key, second.key] == ["gap-colour", "gap-look"]
    assert (first.priority, second.priority) == (2, 3)
    assert "more" not in first.sentence
    assert second.sentence.endswith("4 more groups are as clear, by another cut or with less money.")


def test_matching_says_what_tests_it_and_what_is_left():
    own = pd.DataFrame({"product_id": ["p1", "p2"], "name": ["Oak tray 1.5 l", "Tin mug"]})
    theirs = pd.DataFrame({"competitor": "A", "competitor_product_id": ["1", "2"], "name": ["Oak tray 1500 ml"] * 2})
    before, after = (pd.DataFrame({"n_covered": [n], "n_products": [10]}) for n in (4, 7))
    found = {
        f.key: f
        for f in match_findings(match_products(own, theirs, accept=0.3, review=0.01), before=before, after=after)
    }
    assert "no pair is known yet" in found["matching"].sentence
    assert "“Oak tray 1500 ml” at A against our “Oak tray 1.5 l”" in found["matching-review"].sentence
    assert found["matching-coverage"].sentence.endswith("from 40\xa0% to 70\xa0%.")
    assert list(match_findings(NOTHING, before=before, after=after)) == []
