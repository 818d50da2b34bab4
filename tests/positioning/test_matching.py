"""Matching: by hand, on planted matches of the demo shop, and on names that were spoilt on purpose."""

from __future__ import annotations

import functools

import pandas as pd
import pytest

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.positioning import ProductMatches, match_products, matched_prices
from opslib.positioning.candidates import THEIRS
from tests.positioning.market import demo, noisy_market

KEY = [*THEIRS, "product_id"]
#: Four standard errors of a share of 200 pairs near .95.
ROOM = 0.06


@functools.cache
def on_demo(with_known: bool) -> ProductMatches:
    tables, _, _ = demo()
    known = tables["competitor_prices"] if with_known else None
    return match_products(tables["products"], tables["competitor_products"], known=known)


def judged(matches: ProductMatches, truth: pd.DataFrame) -> pd.DataFrame:
    pairs = engine.collect(matches.pairs)
    return pairs.assign(is_true=pairs[KEY].merge(truth.assign(is_true=True), how="left", on=KEY)["is_true"].notna())


def hand(names, **columns):
    return pd.DataFrame(
        {"competitor": "A", "competitor_product_id": [str(n) for n in range(len(names))], "name": names, **columns}
    )


OWN = pd.DataFrame({
    "product_id": ["p1", "p2", "p3"], "name": ["Oak tray 1.5 l", "Oak tray 3 l", "Tin mug"], "brand": ["Nord", "Nord", None],
    "price": [10.0, 20.0, None],
})  # fmt: skip


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_what_is_compared_by_hand():
    theirs = hand(["Nord TRAYS (oak), 1500ml", "mug"], brand=[None, "Ost"], price=[11.0, 5.0])
    pairs = engine.collect(match_products(OWN, theirs).pairs).set_index(["competitor_product_id", "product_id"])
    columns = ["name", "measures", "brand", "attributes", "price"]
    # Brand: named in their name. 1.5 l is 1500 ml, not 3 l. ln(10/11) = -.095: within a tenth; ln(20/11) = .6: beyond a half.
    assert pairs.loc[("0", "p1"), columns].tolist()[1:] == [2, 1, -1, 3]
    assert pairs.loc[("0", "p2"), columns].tolist()[1:] == [0, 1, -1, 0]
    # Words nord, tray, oak against tray, oak; nord is rarer (1 of 5 against 3 of 5): ln 6 = 1.8, twice ln(8/3) = 1.96: .52.
    assert pairs.loc[("0", "p1"), "name"] == 2
    # Brand of ours and price unknown: nothing is said.
    assert pairs.loc[("1", "p3"), columns].tolist()[1:] == [-1, -1, -1, -1]
    assert ("1", "p1") not in pairs.index


def test_each_product_is_matched_at_most_once_and_ties_go_to_review():
    theirs = hand(["Oak tray 1.5 l", "Oak tray 1.5 l"], brand="Nord", price=10.0)
    found = match_products(OWN, theirs, accept=0.2, review=0.01)
    best = engine.collect(found.pairs).query("product_id == 'p1'")
    assert best["probability"].nunique() == 1
    assert best["decision"].tolist() == ["review", "review"]
    assert found.n_matched == 0
    assert found.review.loc[0, ["name", "their_name"]].tolist() == ["Oak tray 1.5 l", "Oak tray 1.5 l"]


def test_hostile_text_is_only_text():
    names = ["<script>alert('oak')</script> tray", "Robert'); DROP TABLE products;-- oak", "tray " * 3_000, "\\d+ %s {0} oak\ttray", "oak\u202etray"]  # fmt: skip
    found = match_products(OWN, hand(names))
    assert found.n_possible == 15
    assert 0 < found.n_compared <= 15


def test_known_pairs_stay_and_a_contradiction_counts_as_unknown():
    theirs = hand(["Oak tray 1.5 l", "Tin mug"])
    known = pd.DataFrame(
        {"competitor": "A", "competitor_product_id": ["0", "0", "1", "9"], "product_id": ["p1", "p2", "p3", "p1"]}
    )
    found = match_products(OWN, theirs, known=known)
    # Product 0 has two answers, product 9 is no product of theirs.
    assert found.n_known == 1
    pairs = engine.collect(found.pairs)
    assert pairs[pairs["decision"] == "known"][KEY].values.tolist() == [["A", "1", "p3"]]


def test_known_pairs_that_blocking_loses_are_counted():
    theirs = hand(["Something else", "Oak tray"])
    known = pd.DataFrame({"competitor": "A", "competitor_product_id": ["0"], "product_id": ["p3"]})
    found = match_products(OWN, theirs, known=known)
    assert (found.n_known, found.n_known_lost) == (1, 1)
    assert found.precision is None


def test_matches_fill_prices_but_never_overwrite():
    theirs = hand(["Oak tray 1.5 l", "Tin mug", "Gold ring"])
    found = match_products(OWN, theirs, accept=0.2, review=0.1)
    seen = theirs[list(THEIRS)].assign(product_id=[None, "other", None], price=1.0)
    filled = engine.collect(matched_prices(seen, found).order_by("competitor_product_id"))
    assert filled["product_id"].fillna("none").tolist() == ["p1", "other", "none"]
    assert list(filled.columns) == list(seen.columns)


def test_errors_say_what_is_wrong():
    with pytest.raises(ParameterError, match=r"accept 0.5, review 0.7: needed 0 < review <= accept < 1"):
        match_products(OWN, hand(["x"]), accept=0.5, review=0.7)
    alike = match_products(OWN, hand(["nothing alike"]))
    assert (alike.n_compared, alike.n_matched, len(alike.review)) == (0, 0, 0)
    assert alike.n_possible == len(OWN)
    with pytest.raises(ContractError, match="competitor_products: no column 'name'"):
        match_products(OWN, hand(["x"]).drop(columns="name"))


# --- planted truth ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_known", [True, False])
def test_planted_matches_of_the_demo_are_found(with_known):
    found, truth = on_demo(with_known), demo()[2]
    pairs = judged(found, truth)
    assert pairs["is_true"].sum() >= 0.99 * len(truth)  # what blocking keeps
    accepted = pairs[pairs["decision"].isin(["known", "match"])]
    assert accepted["is_true"].mean() >= 0.98
    assert accepted["is_true"].sum() >= 0.98 * len(truth)
    # Strangers of the same brand and material, but another look and size, are not taken for matches.
    assert pairs.loc[~pairs["is_true"], "probability"].sum() < 0.02 * len(truth)
    assert found.n_compared < 0.1 * found.n_possible


def test_tested_on_known_pairs_out_of_sample():
    found = on_demo(True)
    assert found.n_known > 300
    assert found.n_known_lost <= 0.01 * found.n_known
    assert found.precision.lower > 0.97
    assert found.recall.lower > 0.97
    assert found.brier < 0.005
    assert found.calibration["n_pairs"].sum() > found.n_known


@pytest.mark.parametrize("known_share", [0.0, 0.5])
def test_probabilities_come_true_on_spoilt_names(known_share):
    own, theirs, truth = noisy_market(seed=4)
    known = truth.sample(frac=known_share, random_state=1) if known_share else None
    found = match_products(own, theirs, known=known)
    pairs = judged(found, truth)
    open_ = pairs if known is None else pairs[~pairs["competitor_product_id"].isin(known["competitor_product_id"])]
    accepted = open_[open_["decision"] == "match"]
    assert len(accepted) > 30
    assert accepted["is_true"].mean() == pytest.approx(accepted["probability"].mean(), abs=ROOM)
    # What is left open between both ends holds matches and others, as its probabilities say.
    doubtful = open_[(open_["probability"] >= 0.1) & (open_["probability"] < 0.9)]
    assert doubtful["is_true"].mean() == pytest.approx(doubtful["probability"].mean(), abs=0.25)


def test_order_of_rows_does_not_matter():
    own, theirs, _ = noisy_market(seed=5, n=60)
    a = match_products(own, theirs)
    b = match_products(own.sample(frac=1, random_state=1), theirs.sample(frac=1, random_state=2))
    rows = [engine.collect(m.pairs).sort_values(KEY, ignore_index=True) for m in (a, b)]
    pd.testing.assert_frame_equal(*rows)
    pd.testing.assert_frame_equal(a.review, b.review)
