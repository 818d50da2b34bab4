"""Sentences about price responses: evidence in plain words, no action, and each word as its number says."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.finding import in_order
from opslib.findings import price_response as say
from opslib.positioning import price_moves, what_if
from tests.findings.facts import EMPTY, NOTHING, page
from tests.positioning.test_response import exact
from tests.positioning.test_what_if import OWN

CHOICES = {"price_change": 0.05, "page": page()}
NONE = {"promotion_slope": np.nan, "promotion_slope_lower": np.nan, "promotion_slope_upper": np.nan}


def found_of(response):
    moves = price_moves(response, OWN, price_change=0.05)
    return {f.key: f for f in in_order(say.findings(response, moves, NOTHING, **CHOICES))}


def with_groups(response, **columns):
    return replace(response, groups=response.groups.assign(**{**NONE, "n_products": 1, **columns}))


def test_a_clear_gain_is_told_by_units_and_money_and_decided_elsewhere():
    finding = found_of(with_groups(exact(slope=-1.0, width=0.1)))["price-response-lamps"]
    assert finding.sentence.startswith("lamps: at 5\xa0% higher prices sales fall by 5\xa0%, which adds £")
    assert finding.estimate.value == pytest.approx(1 / 1.05 - 1)
    assert (finding.action, finding.worth, finding.proposes) == (None, None, None)
    assert finding.about.scope == (("category", "lamps"),)


def test_a_clear_loss_is_a_cost():
    finding = found_of(with_groups(exact(slope=-4.0, width=0.1)))["price-response-lamps"]
    assert "sales fall by 18\xa0%, which costs £" in finding.sentence  # 1.05 ** -4 = 0.823


def test_refused_groups_are_named_and_nothing_is_claimed():
    found = found_of(with_groups(exact(), refusal="followed", is_usable=False))
    assert list(found) == ["price-response-followed"]
    assert found["price-response-followed"].sentence == (
        "In lamps prices may have followed demand, so what a price does cannot be told."
    )


def test_promotions_are_told_for_a_tenth_off():
    response = with_groups(exact(), promotion_slope=-3.0, promotion_slope_lower=-3.5, promotion_slope_upper=-2.5)
    sentence = found_of(response)["promotion-response"].sentence
    assert sentence == "A promotion at 10\xa0% off sells +37\xa0% (30–45) in lamps."  # 0.9 ** -3 = 1.372


def test_the_answer_runs_from_the_strongest_to_the_weakest():
    rows = [
        exact(slope=slope, width=0.1).groups.assign(group=name)
        for name, slope in (("a", -1.0), ("b", -2.0), ("c", -1.5))
    ]
    response = replace(exact(), groups=pd.concat(rows, ignore_index=True))
    moves = pd.DataFrame({"group": ["a"], "is_clear": [True], "change_amount": [9.0], "counted": ["margin"]})
    assert say.answer(response, moves, price_change=0.05) == (
        "At 5\xa0% higher prices b sells 9\xa0% less, a sells 5\xa0% less; 1 group lie between. That would leave more margin in a."
    ).replace("group lie", "group lies")
    unread = replace(response, groups=response.groups.assign(is_usable=False, refusal="tiers"))
    assert say.answer(unread, moves, price_change=0.05).endswith(
        "cannot be told: the price depends on how much is bought."
    )
    assert say.answer(replace(response, groups=response.groups.head(0)), moves, price_change=0.05) == ""


def test_groups_that_nobody_looked_at_are_counted_on_the_page():
    assert "No smaller" not in say.limits(page(), exact())[0]
    assert say.limits(page(), replace(exact(), n_groups_left_out=12))[0].endswith(
        "12 smaller groups were not looked at."
    )


def test_a_move_is_told_with_its_place_or_refused_with_its_reason():
    indices = pd.DataFrame({"product_id": ["a"], "rival_price": [12.5]})
    (told,) = say.findings(
        NOTHING, EMPTY, what_if(exact(), OWN, product_id="a", price_change=0.1, indices=indices), **CHOICES
    )
    assert told.sentence.startswith("Lamp from £10.00 to £11.00: margin ")
    assert told.sentence.endswith("It would then cost 12\xa0% less than at competitors.")  # 11 / 12.5
    assert told.action is None
    (refused,) = say.findings(NOTHING, EMPTY, what_if(exact(), OWN, product_id="a", price_change=0.5), **CHOICES)
    assert "cannot be told (a price of 15 for product 'a' lies outside the evidence (9 to 12)" in refused.sentence
    assert say.findings(NOTHING, EMPTY, NOTHING, **CHOICES) == ()


@given(st.floats(-5, 1), st.floats(0.01, 2), st.sampled_from([-0.05, 0.05]))
def test_no_sentence_contradicts_its_slope(slope, width, change):
    response = with_groups(exact(slope=slope, width=width))
    moves = price_moves(response, OWN, price_change=change)
    found = say.findings(response, moves, NOTHING, price_change=change, page=page())
    for f in found:
        if f.key == "price-response-lamps":
            units = (1 + change) ** slope - 1
            assert ("sales fall" in f.sentence) == (units < 0)
            money = float(moves["change_amount"].iloc[0])
            assert ("which adds" in f.sentence) == (money > 0)
            assert "(-" not in f.sentence
    text = " ".join(f.sentence for f in found) + say.answer(response, moves, price_change=change)
    assert not re.search(r"\b(elasticity|slope|probability|p_|nan|units)\b", text)


def test_groups_that_are_left_out_are_counted_below_the_table_and_only_where_there_are_some():
    response = exact(slope=-1.0, width=0.1)
    (note,) = say.left_out_notes(replace(response, n_groups_left_out=3))
    assert note == "3 more categories, with fewer units sold, are not answered for."
    assert say.left_out_notes(replace(response, n_groups_left_out=0)) == ()
