"""Ranks and their uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats.ranks import count_draws, top_shares


def test_clear_and_open_ranks_by_hand():
    draws = np.array([[9.0, 5.0, 4.0, 1.0], [9.0, 4.0, 5.0, 1.0]])
    assert top_shares(draws, top=2).tolist() == [1.0, 0.5, 0.5, 0.0]


def test_equal_values_have_equal_shares_whatever_their_order():
    # One place is the 9's, two are left for three equals; then all four share three places.
    draws = np.array([[5.0, 9.0, 5.0, 5.0]])
    assert top_shares(draws).tolist() == pytest.approx([2 / 3, 1.0, 2 / 3, 2 / 3])
    assert top_shares(np.zeros((3, 4))).tolist() == [0.75] * 4


def test_fewer_things_than_places_are_all_in():
    assert top_shares(np.ones((5, 2))).tolist() == [1.0, 1.0]


@given(st.integers(1, 6), st.integers(1, 4))
def test_shares_sum_to_the_number_of_places(n, top):
    draws = np.random.default_rng(n).normal(size=(50, n))
    assert top_shares(draws, top=top).sum() == pytest.approx(min(n, top))


def test_draws_have_the_mean_and_variance_asked_for():
    draws = count_draws(np.array([50.0, 4.0, 0.0]), np.array([150.0, 4.0, 0.0]), n_draws=40_000, generator=np.random.default_rng(5))  # fmt: skip
    # Four standard errors of 40,000 draws: .25 of the first mean, 2 % of a gamma's variance.
    assert draws.mean(axis=0) == pytest.approx([50, 4, 0], abs=0.25)
    assert draws.var(axis=0)[:2] == pytest.approx([150, 4], rel=0.06)
    assert draws.min() >= 0


def test_errors_say_what_is_needed():
    with pytest.raises(ParameterError, match="top 0 of 2 draws"):
        top_shares(np.ones((2, 2)), top=0)
