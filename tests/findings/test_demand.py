"""Sentences about demand: needs, misspelt words, complaints, and the one table."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import suppression
from opslib.demand import MISSPELT, RATES, Themes, UnmetNeeds
from opslib.findings import demand as say
from opslib.shop.choices import NO_DATES
from opslib.stats.estimates import Estimate
from opslib.stats.shares import share
from opslib.suppression import counted
from tests.findings.facts import page

VALUE = Estimate(value=2.0, lower=1.0, upper=3.0, n=500, unit="GBP", method="by hand", std_error=0.5)
NEEDS = pd.DataFrame({
    "need": ["misspelt words", "air fryer", "desk jo@example.org", "whisk", "solar lights"], "query": ["ketlte; umg", "airfryer", "", "", "solar lamps"],
    "kind": [MISSPELT, "finds nothing", "finds nothing", "finds, but is not clicked", "finds nothing"], "n_queries": [40, 2, 3, 1, 2],
    "n_visits": [600, 300, 120, 90, 80], "n_people": [500, 280, 100, 80, 70], "n_without_result": [600, 300, 120, 0, 80],
    "n_products": [float("nan"), 0, 4, 4, 0], "visits_per_month": [50.0, 24.2, 1.2, 7.0, 0.0], "worth_amount": [80.0, 40.0, 20.0, 9.0, 0.0],
    "worth_amount_lower": [-60.0, -30.0, -5.0, -9.0, 0.0], "worth_amount_upper": [190.0, 110.0, 45.0, 30.0, 0.0], "top_three_share": 0.6,
    "trend_change": [0.0, 0.4, -0.1, float("nan"), 0.1], "trend_change_lower": [-0.1, 0.1, -0.4, float("nan"), -0.3],
    "trend_change_upper": [0.1, 0.8, 0.3, float("nan"), 0.5], "is_met": [False, False, False, False, True], "n_new_products": [0, 0, 0, 0, 4],
    "met_on": [None, None, None, None, date(2026, 6, 25)], "words": [(), ("air", "fryer"), ("desk",), ("whisk",), ("light", "solar")],
})  # fmt: skip
THEMES = pd.DataFrame({
    "theme": ["lid, loose", "pale, wash"], "n_complaints": [40, 30], "n_texts": [50, 30], "theme_share": [0.1, 0.06], "mean_rating": [1.5, 2.0],
    "low_share": [0.8, 1.0], "low_share_lower": [0.7, 0.9], "low_share_upper": [0.9, 1.0], "trend_change": float("nan"),
    "trend_change_lower": float("nan"), "trend_change_upper": float("nan"), "n_products": [3, 1], "products": [("Jug", "Mug"), ("Rug",)],
    "return_share": [0.04, 0.3], "quotes": [("The lid is loose.",), ()],
})  # fmt: skip
COMPLAINTS = Themes(
    themes=counted(THEMES, "n_complaints", by=("theme",), adds_up=False), n_texts=500, n_read=500, agreement=0.5
)
NO_THEMES, NO_NEEDS = Themes(), UnmetNeeds()
FACTS = page(tables=frozenset({"searches", "reviews"}))


@pytest.fixture(autouse=True)
def _fresh_page():
    """What one page withholds, the next one knows nothing of."""
    suppression.begin()


def unmet(value=VALUE, **columns):
    frame = counted(NEEDS.assign(**columns), "n_people", by=("need",), adds_up=False)
    return UnmetNeeds(needs=frame, unmet_share=share(420, 2000), visit_value=value, is_margin=True)


def rates(nothing=0.25, passed=0.4):
    frame = pd.DataFrame({"outcome": [RATES["is_zero_result"], RATES["is_not_clicked"]], "n_searches": [4000, 3000], "n_people": [900, 800],
                          "n_failed": [int(4000 * nothing), int(3000 * passed)], "failed_share": [nothing, passed],
                          "failed_share_lower": [nothing - 0.01, passed - 0.02], "failed_share_upper": [nothing + 0.01, passed + 0.02]})  # fmt: skip
    return counted(frame, "n_people", by=("outcome",), adds_up=False)


def plain(text):
    return text.replace("\xa0", " ")


def told(**options):
    found = say.findings(rates(), unmet(**options), COMPLAINTS, page=FACTS)
    return {each.key: each for each in found}


def test_the_answer_names_the_needs_and_how_often_searches_fail():
    assert plain(say.answer(rates(), unmet(), COMPLAINTS, page=FACTS)) == (
        "Visitors look for “air fryer”, “desk [e-mail]” and “whisk” and do not find them. 25 % of searches find nothing; "
        "60 % of these misspell what is there. Meeting all 4 needs together would bring up to £380 margin a month."
    )
    assert (
        plain(say.answer(rates(0.008), NO_NEEDS, COMPLAINTS, page=FACTS))
        == "0.8 % of searches find nothing. 40 % of searches with results are not clicked."
    )
    assert (
        say.answer(pd.DataFrame(), NO_NEEDS, COMPLAINTS, page=FACTS)
        == "Buyers complain of “lid, loose” and “pale, wash”."
    )
    assert say.answer(pd.DataFrame(), NO_NEEDS, NO_THEMES, page=FACTS) == ""


def test_a_need_is_said_with_the_bound_of_its_money_and_who_acts():
    found = told()
    fryer, desk = found["need-air-fryer"], found["need-desk-e-mail"]
    assert plain(fryer.sentence) == (
        "24 visits a month search for “air fryer” or the like and do not find it; worth up to £110 margin a month."
    )
    assert (fryer.department, fryer.things, fryer.worth.unit, fryer.is_told) == (
        "Buying",
        ("air fryer",),
        "GBP/month",
        True,
    )
    assert fryer.action == "Check whether we sell “air fryer” under another word, and only if not, list a few products"
    # Four products have its words: search may be at fault.
    assert (desk.department, desk.action) == (
        "Technology",
        "Have the search lead “desk [e-mail]” to our 4 products of that name",
    )
    assert not any("example.org" in each.sentence + (each.action or "") for each in found.values())
    assert found["need-whisk"].sentence.startswith(
        "7 visits a month search for “whisk” or the like and click little of what they find"
    )
    assert not found["need-whisk"].is_told


def test_misspelt_words_a_met_need_and_complaints_are_said():
    found = told()
    assert plain(found["spelling"].sentence) == (
        "50 visits a month misspell a word that the shop has, and find nothing; correcting it would bring up to £190 margin a month."
    )
    assert next(iter(found)) == "spelling", "its money is the largest"
    assert next(iter(told(worth_amount_upper=[90.0, 110.0, 45.0, 30.0, 0.0]))) == "need-air-fryer"
    assert found["spelling"].action == "Let the search correct slips in spelling: “ketlte” and “umg”"
    assert (
        found["met-solar-lights"].sentence
        == "“solar lights” is met by 4 new products since 25 Jun: its searches find something now."
    )
    assert found["met-solar-lights"].action is None
    # Of the themes the one whose products come back.
    assert (
        plain(found["complaint"].sentence)
        == "29 reviews a month complain of “pale, wash”, above all of Rug; 30 % of such products came back."
    )
    assert (found["complaint"].things, found["complaint"].department) == (("Rug",), "Product control")


def test_a_product_that_leads_several_themes_is_named():
    frame = THEMES.assign(products=[("Rug", "Mug"), ("Rug",)])
    both = Themes(
        themes=counted(frame, "n_complaints", by=("theme",), adds_up=False), n_texts=500, n_read=500, agreement=0.5
    )
    (found,) = say.findings(pd.DataFrame(), NO_NEEDS, both, page=FACTS)
    assert found.caveat == "Rug is named first in 2 of 2 themes"
    (found,) = say.findings(pd.DataFrame(), NO_NEEDS, COMPLAINTS, page=FACTS)
    assert found.caveat is None


def test_what_the_log_does_not_record_is_said():
    assert (
        say.unrecorded_note(rates())
        == "Not recorded here, so not told: searched again with other words and left after the search."
    )
    assert say.unrecorded_note(pd.DataFrame()) == ""


def test_without_dates_nothing_is_a_month_and_nothing_is_due():
    undated = page(period=NO_DATES)
    (found,) = say.findings(pd.DataFrame(), NO_NEEDS, COMPLAINTS, page=undated)
    assert (found.sentence.split(" complain")[0], found.due) == ("30 reviews", None)
    rows = say.need_rows(NO_NEEDS, COMPLAINTS, page=undated)
    assert "n_people" in say.need_heads(rows)
    assert "worth_most_amount" not in say.need_heads(rows)


@pytest.mark.parametrize(
    ("value", "worth"),
    [
        (VALUE, 110.0),
        (None, None),
        (Estimate(value=-1.0, lower=-2.0, upper=0.5, n=9, unit="GBP", method="by hand"), None),
    ],
)
def test_money_is_worth_only_where_visits_that_find_bring_more(value, worth):
    first = told(value=value)["need-air-fryer"]
    assert (first.worth.upper if first.worth else None) == worth
    assert (first.would_tell is None) == (worth is not None)
    assert ("up to" in first.sentence) == (value is not None)


def test_the_one_table_has_needs_of_searches_and_reviews_and_their_status():
    proposals = {"D-1": SimpleNamespace(title="An air-fryer shelf", need="Fryers are missing", change=None, start=date(2026, 11, 30)),
                 "D-2": SimpleNamespace(title="Better pages", need="People leave", change="Larger desks on photos", start=date(2026, 9, 1))}  # fmt: skip
    rows = say.need_rows(unmet(), COMPLAINTS, proposals, page=FACTS).set_index("need")
    assert list(rows.index) == [
        "misspelt words",
        "air fryer",
        "desk [e-mail]",
        "whisk",
        "less of: lid, loose",
        "less of: pale, wash",
        "solar lights",
    ]
    assert rows["status"].tolist() == [
        "open", "D-1: from 30 Nov 2026", "D-2: since 1 Sep 2026", "open", "open", "open", "met since 25 Jun 2026: 4 new products",
    ]  # fmt: skip
    assert [plain(text) for text in rows["trend"]] == [
        "steady",
        "+40 % (10–80)",
        "steady",
        "too few to tell",
        "too few to tell",
        "too few to tell",
        "steady",
    ]
    assert rows.loc["air fryer", "worth_most_amount"] == 110.0
    assert rows.loc["air fryer", "n_per_month"] == 24, "as in the picture"
    assert rows.loc["less of: lid, loose", "n_per_month"] == round(40 * 365.25 / 12 / 31)
    assert rows.loc["air fryer", "next_step"] == "see D-1", "one need has one next step"
    assert rows.loc["whisk", "next_step"].startswith("Technology: ")
    assert rows.loc["solar lights", "next_step"] == "watch"
    decided = {f.key: f for f in say.findings(rates(), unmet(), COMPLAINTS, proposals, page=FACTS)}["need-air-fryer"]
    assert (decided.action, decided.caveat) == (None, "proposal D-1: from 30 Nov 2026")
    assert rows.loc["less of: lid, loose", "next_step"] == "Product control: check Jug and Mug"
    assert set(say.need_heads(rows.reset_index())) == {
        "need",
        "shown_by",
        "n_per_month",
        "trend",
        "worth_most_amount",
        "next_step",
        "status",
    }


def test_few_people_are_not_told():
    frame = counted(NEEDS.assign(n_people=[500, 4, 100, 80, 70]), "n_people", by=("need",), adds_up=False)
    one = UnmetNeeds(needs=frame, unmet_share=share(420, 2000), visit_value=VALUE)
    assert "need-air-fryer" not in {each.key for each in say.findings(rates(), one, NO_THEMES, page=FACTS)}
    assert "air fryer" not in say.answer(rates(), one, NO_THEMES, page=FACTS)


def test_of_nothing_nothing_is_said():
    assert say.findings(pd.DataFrame(), NO_NEEDS, NO_THEMES, page=FACTS) == ()
    assert say.need_rows(NO_NEEDS, NO_THEMES, page=FACTS).empty
    assert say.none_note(NO_NEEDS) == ""
    none = UnmetNeeds(unmet_share=share(1, 100))
    assert say.none_note(none).startswith("Too few searches fail")
    assert (len(say.limits(FACTS)), len(say.limits(page(tables=frozenset({"reviews"}))))) == (1, 1)


def test_quotes_and_products_become_words():
    shown = say.theme_rows(COMPLAINTS)
    assert shown["products"].tolist() == ["Jug and Mug", "Rug"]
    assert shown["quotes"].tolist() == ["“The lid is loose.”", ""]


@given(st.floats(-500, 500), st.floats(0, 300), st.floats(0, 300), st.floats(0, 99), st.integers(0, 9))
def test_a_need_never_promises_more_than_the_upper_end(value, below, above, visits, n_ours):
    one = Estimate(value=value, lower=value - below, upper=value + above, n=9, unit="GBP", method="by hand")
    columns = {"worth_amount": value, "worth_amount_lower": value - below, "worth_amount_upper": value + above}
    first = told(value=one, **columns, visits_per_month=visits, n_products=n_ours)["need-air-fryer"]
    amount = float(first.sentence.split("£")[1].split(" ")[0].replace(",", ""))
    assert amount <= max(value + above, 0.0) * 1.06 + 0.5  # two digits
    assert (first.worth is None) == (value <= 0)
    assert (first.department == "Technology") == (n_ours > 0)
