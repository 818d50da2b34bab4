"""Shrinkage against quadrature, published tables and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from scipy import stats as sps

from opslib.errors import ParameterError
from opslib.stats import shrinkage
from opslib.stats.estimates import Estimate
from opslib.stats.shrinkage import SITE_LIFTS, Mixture

QUADRATURE = 1e-7  # adaptive quadrature of smooth functions on a bounded range
SIMULATION = 0.004  # four standard errors of a mean over 400,000 draws of spread < 0.7

STANDARD = Mixture(weights=(1.0,), means=(0.0,), sds=(1.0,))


def prior_density(effect: float) -> float:
    return float(sum(w * sps.norm.pdf(effect, 0, s) for w, s in zip(SITE_LIFTS.weights, SITE_LIFTS.sds, strict=True)))


def integral(function) -> float:
    points = [-0.03, -0.01, -0.003, 0.0, 0.003, 0.01, 0.03]
    return integrate.quad(function, -0.3, 0.3, points=points, limit=400)[0]


def test_the_base_rate_is_the_stated_mixture():
    """reference/truth.md: sd .1, .3, 1 and 3 %, weights .48, .26, .20, .06; P(|lift| > 5 %) < 1 %, P(> 1 %) 8-13 %."""
    assert SITE_LIFTS.weights == (0.48, 0.26, 0.20, 0.06)
    assert SITE_LIFTS.sds == (0.001, 0.003, 0.01, 0.03)
    assert 2 * SITE_LIFTS.above(0.05) < 0.01
    assert 0.08 < 2 * SITE_LIFTS.above(0.01) < 0.13


def test_posterior_agrees_with_bayes_by_quadrature():
    value, error = 0.03, 0.012
    after = shrinkage.posterior(value, error)
    evidence = integral(lambda x: prior_density(x) * sps.norm.pdf(value, x, error))
    mean = integral(lambda x: x * prior_density(x) * sps.norm.pdf(value, x, error)) / evidence
    square = integral(lambda x: x * x * prior_density(x) * sps.norm.pdf(value, x, error)) / evidence
    assert after.mean == pytest.approx(mean, abs=QUADRATURE)
    assert after.sd == pytest.approx(np.sqrt(square - mean**2), abs=QUADRATURE)


def test_posterior_of_one_normal_by_hand():
    """Prior N(0, 3^2), estimate 10 with error 4: keeps 9/25 -> 3.6; sd = sqrt(9*16/25) = 2.4."""
    after = shrinkage.posterior(10.0, 4.0, prior=Mixture(weights=(1.0,), means=(0.0,), sds=(3.0,)))
    assert after.mean == pytest.approx(3.6)
    assert after.sds[0] == pytest.approx(2.4)


@pytest.mark.parametrize("error", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_error_is_refused(error):
    with pytest.raises(ParameterError, match="std_error"):
        shrinkage.posterior(0.1, error)


def test_shrink_uses_the_wider_of_error_and_interval_and_adds_the_bias():
    """t with few df: half width 4 over 1.96 is more than the error 1.5; bias 3 makes sqrt(2.041^2 + 3^2) = 3.628."""
    raw = Estimate(value=10, lower=6, upper=14, n=5, unit="EUR", method="t", std_error=1.5)
    prior = Mixture(weights=(1.0,), means=(0.0,), sds=(3.0,))
    result = shrinkage.shrink(raw, prior=prior, bias_sd=3.0)
    variance = (4 / sps.norm.ppf(0.975)) ** 2 + 9
    assert result.shrunk.value == pytest.approx(10 * 9 / (9 + variance))
    assert result.shrunk.lower < result.shrunk.value < result.shrunk.upper


def test_an_estimate_without_any_error_is_refused():
    endless = Estimate(value=1, lower=-np.inf, upper=np.inf, n=1, unit="share", method="-")
    with pytest.raises(ParameterError, match="needed: a positive number"):
        shrinkage.shrink(endless)


def test_a_learned_prior_recovers_the_spread_it_was_made_with():
    rng = np.random.default_rng(4)
    errors = rng.uniform(0.5, 2, 4_000)
    values = rng.normal(0.3, 1.2, 4_000) + errors * rng.standard_normal(4_000)
    prior = shrinkage.learned_prior(values, errors)
    assert prior.means[0] == pytest.approx(0.3, abs=0.1)  # four standard errors
    assert prior.sds[0] == pytest.approx(1.2, abs=0.12)


def test_a_learned_prior_is_a_point_where_noise_explains_everything():
    prior = shrinkage.learned_prior([0.1, -0.1] * 5, [1.0] * 10)
    assert prior.sds == (0.0,)
    assert prior.above(0.5) == 0.0
    assert shrinkage.posterior(3.0, 1.0, prior=prior).mean == pytest.approx(prior.mean)


def test_too_few_effects_teach_no_base_rate():
    with pytest.raises(ParameterError, match="9 effects; needed: 10"):
        shrinkage.learned_prior([0.0] * 9, [1.0] * 9)


def test_the_predictive_covers_new_estimates_as_often_as_it_says():
    rng = np.random.default_rng(5)
    at = rng.choice(4, size=20_000, p=SITE_LIFTS.weights)
    effects = rng.standard_normal(20_000) * np.array(SITE_LIFTS.sds)[at]
    first = effects + 0.01 * rng.standard_normal(20_000)
    second = effects + 0.02 * rng.standard_normal(20_000)
    near = np.flatnonzero(np.abs(first - 0.02) < 0.002)
    after = shrinkage.posterior(0.02, 0.01).widened(0.02)
    share = np.mean((second[near] > after.quantile(0.05)) & (second[near] < after.quantile(0.95)))
    assert share == pytest.approx(0.90, abs=4 * np.sqrt(0.09 / len(near)))


def test_unit_normal_loss_is_the_published_table():
    """Raiffa and Schlaifer 1961, also reference/oracles.md: .3989, .0833, .0085."""
    assert np.round(shrinkage.unit_normal_loss(np.array([0.0, 1.0, 2.0])), 4).tolist() == [0.3989, 0.0833, 0.0085]


def test_sample_information_agrees_with_simulation():
    after = Mixture(weights=(0.3, 0.7), means=(-0.5, 0.4), sds=(0.2, 0.6))
    rng = np.random.default_rng(7)
    at = rng.choice(2, 400_000, p=after.weights)
    effects = np.array(after.means)[at] + np.array(after.sds)[at] * rng.standard_normal(400_000)
    grid = np.linspace(-4, 4, 801)
    believed = np.array([shrinkage.posterior(x, 0.5, prior=after).mean for x in grid])
    posterior_means = np.interp(effects + 0.5 * rng.standard_normal(400_000), grid, believed)
    known = np.where(posterior_means > 0.1, effects - 0.1, 0).mean() - max(after.mean - 0.1, 0)
    assert shrinkage.sample_information_value(after, cost=0.1, std_error=0.5) == pytest.approx(known, abs=SIMULATION)


def test_sample_information_of_one_normal_is_the_unit_normal_loss():
    """N(1, 2^2), error 1.5: sd of the posterior mean = 4/2.5 = 1.6; cost 3: 1.6 * G(2/1.6)."""
    after = Mixture(weights=(1.0,), means=(1.0,), sds=(2.0,))
    expected = 1.6 * float(shrinkage.unit_normal_loss(2 / 1.6))
    assert shrinkage.sample_information_value(after, cost=3.0, std_error=1.5) == pytest.approx(expected)


@given(st.floats(-0.1, 0.1), st.floats(0.002, 0.1), st.floats(-0.02, 0.05), st.floats(0.001, 0.2))
def test_a_test_is_never_worth_more_than_the_truth(value, error, cost, test_error):
    after = shrinkage.posterior(value, error)
    perfect = after.expected_gain(cost) - max(after.mean - cost, 0.0)  # the effect is known, then decided
    sample = shrinkage.sample_information_value(after, cost=cost, std_error=test_error)
    assert -1e-12 <= sample <= perfect + 1e-9
    assert abs(after.mean) <= abs(value) + 1e-12


def test_quantiles_invert_the_distribution():
    after = shrinkage.posterior(0.04, 0.02)
    for share in (0.025, 0.5, 0.975):
        assert 1 - after.above(after.quantile(share)) == pytest.approx(share, abs=1e-6)
