"""Sentences about price responses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from opslib.finding import in_order
from opslib.findings import price_response as say
from opslib.positioning import price_moves, what_if
from tests.findings.facts import EMPTY, NOTHING, page
from tests.positioning.test_response import exact
from tests.positioning.test_what_if import OWN

CHOICES = {"price_change": 0.05, "page": page()}
NONE = {"promotion_slope": np.nan, "promotion_slope_lower": np.nan, "promotion_slope_upper": np.nan}


def found_of(response, **choices):
    moves = price_moves(response, OWN, price_change=0.05)
    return {f.key: f for f in in_order(say.findings(response, moves, NOTHING, **CHOICES, **choices))}


def with_groups(response, **columns):
    return replace(response, groups=response.groups.assign(**{**NONE, "n_products": 1, **columns}))


def test_a_clear_gain_becomes_a_test_with_its_worth():
    finding = found_of(with_groups(exact(slope=-1.0, width=0.1)))["price-response-lamps"]
    assert finding.sentence.startswith("lamps: list prices +5.0\xa0% would add £")
    assert "1 % more of the price goes with −1.0 % units (−1.1 to −0.9)" in finding.sentence
    assert finding.action == "test it: +5.0\xa0% on half of the products of lamps, drawn by lot, for eight weeks"
    assert (finding.department, finding.grade, finding.about.scope) == ("Buying", "Low", (("category", "lamps"),))
    assert finding.worth.lower > 0


def test_more_groups_than_a_manager_can_test_are_counted():
    response = with_groups(exact(slope=-1.0, width=0.1))
    moves = price_moves(response, OWN, price_change=0.05)
    names = ["lamps", "rugs", "mugs", "pots"]
    many = pd.concat(
        [moves.assign(group=name, change_amount=float(n)) for n, name in enumerate(names, 1)], ignore_index=True
    )
    groups = pd.concat([response.groups.assign(group=name) for name in names])
    found = say.findings(replace(response, groups=groups), many, NOTHING, **CHOICES)
    assert [f.about.scope[0][1] for f in found] == ["pots", "mugs", "rugs"]
    assert [f.sentence.endswith(" 1 more group is as clear, with less money.") for f in found] == [False, False, True]


def test_a_clear_loss_is_no_gain():
    finding = found_of(with_groups(exact(slope=-4.0, width=0.1)))["price-response-lamps"]
    assert " would cost £" in finding.sentence
    assert finding.worth is None
    assert "as they are" in finding.action


def test_refused_groups_are_named_and_nothing_is_claimed():
    response = with_groups(exact(), refusal="followed", reason="prices followed demand")
    found = found_of(response)
    assert found["price-response-followed"].sentence.startswith("In 1 group (lamps) prices followed demand")
    assert "none of 1 group can be answered for" in found["price-response"].sentence
    assert list(found) == ["price-response-followed", "price-response"]  # why it cannot be told leads the page


def test_promotions_are_counted_where_they_can_be_told():
    response = with_groups(exact(), promotion_slope=-3.0, promotion_slope_lower=-3.5, promotion_slope_upper=-2.5)
    sentence = found_of(response)["promotion-response"].sentence
    assert "in 1 of 1 group" in sentence
    assert sentence.endswith("lamps −3.0 (−3.5 to −2.5).")


def test_a_move_is_told_with_its_place_or_refused_with_its_reason():
    indices = pd.DataFrame({"product_id": ["a"], "rival_price": [12.5]})
    (told,) = say.findings(
        NOTHING, EMPTY, what_if(exact(), OWN, product_id="a", price_change=0.1, indices=indices), **CHOICES
    )
    assert told.sentence.startswith("Lamp from £10.00 to £11.00: margin ")
    assert "index against competitors goes from 0.80 to 0.88" in told.sentence
    assert "over 99 %" in told.sentence
    (refused,) = say.findings(NOTHING, EMPTY, what_if(exact(), OWN, product_id="a", price_change=0.5), **CHOICES)
    assert "cannot be told (a price of 15 for product 'a' lies outside the evidence (9 to 12)" in refused.sentence
    assert say.findings(NOTHING, EMPTY, NOTHING, **CHOICES) == ()
