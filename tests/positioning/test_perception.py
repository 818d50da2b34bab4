"""Words of reviews: counted by hand, mapped, and silent where there is nothing to tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ContractError, ParameterError
from opslib.positioning.perception import MIN_REVIEWS, word_counts
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


def test_groups_with_few_reviews_and_products_without_a_group_are_left_out():
    few = SAID | {"c": ["cheap plastic"] * (MIN_REVIEWS - 1), "d": ["cheap plastic"] * 40}
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


@given(order=st.permutations(range(72)))
def test_the_order_of_reviews_does_not_matter(order):
    frame = reviews(SAID)
    pd.testing.assert_frame_equal(word_counts(frame.iloc[list(order)], PRODUCTS), word_counts(frame, PRODUCTS))
