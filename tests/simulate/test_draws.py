"""Draws are uniform, keyed, and independent of how keys are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opslib.simulate.draws import Draws, Quantiles

N = 200_000
ALPHA = 1e-4  # chance of a false alarm of each test of fit; seeds are fixed, so it is no flake


def test_uniform_over_consecutive_keys_and_over_key_fields():
    draws = Draws(3)
    for keys in (np.arange(N), np.arange(N) << 24, (np.arange(N) << 24) | (5 << 12)):
        assert stats.kstest(draws.uniform("a", keys), "uniform").pvalue > ALPHA


def test_neighbours_purposes_and_seeds_do_not_correlate():
    keys, bound = np.arange(N), 4.5 / np.sqrt(N)
    base = Draws(3).uniform("a", keys)
    for other in (np.roll(base, 1), Draws(3).uniform("b", keys), Draws(4).uniform("a", keys)):
        assert abs(np.corrcoef(base, other)[0, 1]) < bound


def test_known_distributions():
    draws, keys = Draws(5), np.arange(N)
    assert stats.kstest(draws.normal("n", keys), "norm").pvalue > ALPHA
    assert stats.kstest(draws.exponential("e", keys), "expon").pvalue > ALPHA
    counts = np.bincount(draws.geometric("g", keys, 1.5), minlength=40)[:8]
    expected = N * stats.geom.pmf(np.arange(1, 9), 1 / 2.5)
    assert ((counts - expected) ** 2 / expected).sum() < stats.chi2.isf(ALPHA, 8)
    shares = np.bincount(draws.choice("c", keys, [1, 2, 5])) / N
    assert shares == pytest.approx([0.125, 0.25, 0.625], abs=0.006)  # five standard errors


@pytest.mark.parametrize(("shape", "rate"), [(0.5, 3.0), (1.4, 16.0), (4.0, 1.0)])
def test_tabled_gamma_is_the_gamma(shape, rate):
    table = Quantiles.gamma(np.array([9.0, shape]), np.array([1.0, rate]))
    drawn = table.at(np.ones(N, dtype=int), Draws(1).uniform("g", np.arange(N)))
    assert stats.kstest(drawn, stats.gamma(shape, scale=1 / rate).cdf).pvalue > ALPHA


def test_tabled_beta_is_the_beta():
    table = Quantiles.beta(np.array([1.2]), np.array([8.0]))
    drawn = table.at(np.zeros(N, dtype=int), Draws(1).uniform("g", np.arange(N)))
    assert stats.kstest(drawn, stats.beta(1.2, 8.0).cdf).pvalue > ALPHA


@given(seed=st.integers(0, 2**31), cut=st.integers(1, 99))
def test_any_cut_of_the_keys_gives_the_same_draws(seed, cut):
    keys, draws = np.arange(100), Draws(seed)
    parts = np.concatenate([draws.uniform("x", keys[:cut]), draws.uniform("x", keys[cut:])])
    assert (parts == draws.uniform("x", keys)).all()
    assert ((parts > 0) & (parts < 1)).all()
