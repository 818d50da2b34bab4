"""Words of reviews: counted by hand, mapped, and silent where there is nothing to tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ContractError, ParameterError
from opslib.positioning.perception import MIN_VOICES, brand_words, buyer_counts, word_counts
from opslib.stats.correspondence import correspondence_map

PRODUCTS = pd.DataFrame({"product_id": list("abcd"), "brand": ["A", "B", "C", None]})


def reviews(said):
    rows = [(f"{product}{i}", product, text) for product, texts in said.items() for i, text in enumerate(texts)]
    return pd.DataFrame(rows, columns=["review_id", "product_id", "text"])


SAID = {
    "a": ["Sturdy oak. STURDY!"] * 20 + ["warm"] * 5,
    "b": ["soft and warm wool"] * 25,
    "c": ["cheap plastic, soft"] * 22,
}


def test_a_word_counts_once_a_review_and_short_words_not_at_all():
    counts = word_counts(reviews(SAID), PRODUCTS)
    assert counts.loc["A", "sturdy"] == 20  # twice in a review, counted once
    assert counts.loc["A", "warm"] == 5
    assert counts["soft"].tolist() == [0, 25, 22]
    assert "oak" not in counts.columns  # three letters
    assert "and" not in counts.columns
    pd.testing.assert_frame_equal(word_counts(reviews(SAID).drop(columns="review_id"), PRODUCTS), counts)


def test_groups_with_few_reviews_and_products_without_a_group_are_left_out():
    few = SAID | {"c": ["cheap plastic"] * (MIN_VOICES - 1), "d": ["cheap plastic"] * 40}
    assert word_counts(reviews(few), PRODUCTS).empty


def test_the_most_telling_words_are_kept():
    counts = word_counts(reviews(SAID), PRODUCTS, n_words=5)
    assert set(counts.columns) <= {"sturdy", "cheap", "plastic", "wool", "warm", "soft"}
    assert counts.shape[1] == 5


def test_brands_that_are_talked_about_alike_give_no_map():
    rng = np.random.default_rng(4)
    words = ["sturdy", "warm", "soft", "cheap", "plastic", "wooden"]
    same = {p: [" ".join(rng.choice(words, 2)) for _ in range(200)] for p in "abc"}
    counts = word_counts(reviews(same), PRODUCTS)
    assert correspondence_map(counts, n_resamples=200).n_axes_beyond_chance == 0


def test_missing_text_and_too_few_words_are_refused():
    with pytest.raises(ContractError, match="reviews: no column 'text'"):
        word_counts(reviews(SAID).drop(columns="text"), PRODUCTS)
    with pytest.raises(ParameterError, match="n_words: 2 is too few"):
        word_counts(reviews(SAID), PRODUCTS, n_words=2)


@pytest.mark.slow
@given(order=st.permutations(range(72)))
def test_the_order_of_reviews_does_not_matter(order):
    frame = reviews(SAID)
    pd.testing.assert_frame_equal(word_counts(frame.iloc[list(order)], PRODUCTS), word_counts(frame, PRODUCTS))


def test_a_buyer_counts_once_a_brand_where_most_is_bought():
    products = pd.DataFrame(
        {"product_id": list("abcd"), "brand": ["A", "A", "B", "C"], "category": ["tea", "mug", "mug", "pot"]}
    )
    rows = [(f"c{n}", product) for n in range(30) for product in "abcd"]  # everybody buys everything once ...
    rows += [(f"c{n}", "a") for n in range(12)] + [
        (f"c{n}", "b") for n in range(12, 20)
    ]  # ... 12 more tea, 8 more mugs
    lines = pd.DataFrame(rows, columns=["customer_id", "product_id"])
    counts = buyer_counts(lines, products)
    # brand A: 8 bought most mugs, 12 most tea; the ten others as many of both: "mug" comes first by name
    assert counts.loc["A"].to_dict() == {"mug": 18, "pot": 0, "tea": 12}
    assert counts.loc[["B", "C"]].sum(axis=1).tolist() == [30, 30]
    shuffled = buyer_counts(lines.sample(frac=1, random_state=3), products)
    pd.testing.assert_frame_equal(shuffled, counts)
    refused = lines.assign(product_id="c", status="cancelled")
    pd.testing.assert_frame_equal(buyer_counts(pd.concat([lines.assign(status="paid"), refused]), products), counts)
    # One brand is no map, so the suppliers are; a category may be called what reviews say without a meaning.
    named = products.rename(columns={"brand": "supplier"}).assign(brand="A").replace("mug", "item")
    pd.testing.assert_frame_equal(buyer_counts(lines, named), counts.rename(columns={"mug": "item"}))


def test_two_brands_make_no_map():
    products = pd.DataFrame({"product_id": list("ab"), "brand": ["A", "B"], "category": ["tea", "mug"]})
    lines = pd.DataFrame([(f"c{n}", p) for n in range(30) for p in "ab"], columns=["customer_id", "product_id"])
    assert buyer_counts(lines, products).empty


def test_words_of_a_brand_are_those_beyond_its_share():
    """Of 200 mentions 80 are of A and 50 say oak: 20 expected, 40 seen, twice as often; soft stands at its share."""
    counts = pd.DataFrame({"oak": [40, 5, 5], "soft": [20, 15, 15], "cheap": [20, 40, 40]}, index=list("ABC"))
    words = brand_words(counts).set_index("brand")["words"]
    assert words["A"] == "oak 2.0x"
    assert words["B"] == "cheap 1.3x"  # 60 x 100 / 200 = 30 expected, 40 seen
    assert "soft" not in " ".join(words)
    assert brand_words(counts.head(0)).empty
    assert brand_words(counts // 5)["brand"].empty  # none said ten times


@given(st.lists(st.lists(st.integers(0, 200), min_size=3, max_size=3), min_size=3, max_size=6))
def test_lifts_are_above_one_whatever_is_said(rows):
    counts = pd.DataFrame(rows, columns=list("xyz"))
    counts = counts.loc[counts.sum(axis=1) > 0, counts.sum(axis=0) > 0]
    found = brand_words(counts)
    assert (found["top_lift"] > 1).all()
