"""Moments of the future: against the closed form, against simulated units, and covariances against repeated fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.stats.lifetime import (
    BgNbd,
    GammaGamma,
    fit_bg_nbd,
    fit_gamma_gamma,
    log_parameter_covariance,
    probability_alive,
)
from opslib.stats.lifetime_expectations import dropout_nodes, event_moments, future_moments
from tests.stats.lifetime_oracle import expected_events

#: Nodes against the hypergeometric function.
QUADRATURE = 1e-6
#: Four standard errors of 200,000 simulated units.
SIMULATED = 0.03


def model(r: float, alpha: float, a: float, b: float) -> BgNbd:
    return BgNbd(r=r, alpha=alpha, a=a, b=b, log_likelihood=0, n_units=0, is_identified=True)


CDNOW = model(0.243, 4.414, 0.793, 2.426)


@pytest.mark.parametrize(
    "fit", [CDNOW, model(1.41, 1.39, 0.294, 421.6), model(0.5, 0.3, 0.2, 0.4), model(0.9, 14.0, 3e4, 1e5)]
)
def test_the_mean_is_the_closed_form(fit):
    x = np.array([0, 0, 1, 2, 10, 60, 200.0])
    age = np.array([0.1, 50, 3, 50, 50, 50, 52.0])
    recency = np.where(x > 0, age * 0.9, 0.0)
    mean, variance = event_moments(fit, frequency=x, recency=recency, age=age, horizon=13.0)
    exact = expected_events(fit, frequency=x, recency=recency, age=age, horizon=13.0)
    assert mean == pytest.approx(exact, rel=QUADRATURE, abs=1e-12)
    assert np.all(variance >= 0)


def test_a_chance_to_stop_of_nothing_is_the_smallest_that_counts():
    mean, _ = event_moments(model(0.5, 3.0, 1e-4, 160_000), frequency=[4], recency=[9.0], age=[10.0], horizon=13.0)
    assert mean[0] == pytest.approx(4.5 / 13 * 13, rel=1e-4)  # nobody stops: rate (r + x) / (alpha + age) times 13


def test_so_many_events_that_no_unit_should_be_left_still_give_a_number():
    # .77 to the power of 5,000 is no floating point number. Chance to stop p: a / (a + b + x) = 30 / 135; an active unit
    # of rate 78 a week goes on to its last event, 1 / p on average; just after an event it is active with 1 - p.
    many = model(0.9, 14.0, 3e4, 1e5)
    mean, variance = event_moments(many, frequency=[5_000], recency=[50.0], age=[50.0], horizon=13.0)
    assert mean[0] == pytest.approx((1 - 30 / 135) * 135 / 30, rel=0.01)
    assert variance[0] > 0


def test_nodes_have_the_moments_of_the_beta_law():
    p, weight = dropout_nodes(CDNOW)
    a, b = CDNOW.a, CDNOW.b
    assert weight.sum() == pytest.approx(1.0, abs=1e-12)
    assert weight @ p**2 == pytest.approx(a * (a + 1) / ((a + b) * (a + b + 1)), rel=1e-9)


def test_mean_and_variance_are_those_of_simulated_units():
    rng = np.random.default_rng(4)
    n, horizon = 200_000, 30.0
    rate, stop = rng.gamma(CDNOW.r, 1 / CDNOW.alpha, n), rng.beta(CDNOW.a, CDNOW.b, n)
    clock, count, alive = np.zeros(n), np.zeros(n), np.ones(n, dtype=bool)
    while alive.any():
        clock[alive] += rng.exponential(1 / np.maximum(rate[alive], 1e-12))
        alive &= clock < horizon
        count[alive] += 1
        alive &= rng.random(n) >= stop
    mean, variance = event_moments(CDNOW, frequency=[0], recency=[0.0], age=[0.0], horizon=horizon)
    assert mean[0] == pytest.approx(count.mean(), rel=SIMULATED)
    assert variance[0] == pytest.approx(count.var(), rel=2 * SIMULATED)


def test_amounts_are_those_of_simulated_units():
    rng = np.random.default_rng(5)
    spend, x, total = GammaGamma(p=4.0, q=5.0, gamma=60.0, log_likelihood=0, n_units=0), 3, 45.0
    n, horizon = 200_000, 20.0
    v = rng.gamma(spend.p * x + spend.q, 1 / (spend.gamma + x * 15.0), n)
    rate, stop = rng.gamma(CDNOW.r + x, 1 / (CDNOW.alpha + 30.0), n), rng.beta(CDNOW.a, CDNOW.b + x, n)
    clock, amount = np.zeros(n), np.zeros(n)
    alive = rng.random(n) < probability_alive(CDNOW, frequency=x, recency=28.0, age=30.0)
    while alive.any():
        clock[alive] += rng.exponential(1 / rate[alive])
        alive &= clock < horizon
        amount[alive] += rng.gamma(spend.p, 1 / v[alive])
        alive &= rng.random(n) >= stop
    units = pd.DataFrame({"frequency": [x], "recency": [28.0], "age": [30.0], "n_units": [3], "value_sum": [total],
                          "value_squares": [3 * 15.0**2]})  # fmt: skip
    ahead = future_moments(units, events=CDNOW, values=spend, horizon=horizon)
    assert ahead.amount[0] / 3 == pytest.approx(amount.mean(), rel=SIMULATED)
    assert ahead.amount_variance[0] / 3 == pytest.approx(amount.var(), rel=3 * SIMULATED)


def test_values_without_a_variance_leave_the_interval_open():
    heavy = GammaGamma(p=4.0, q=1.5, gamma=60.0, log_likelihood=0, n_units=0)
    units = pd.DataFrame({"frequency": [0, 3], "recency": [0.0, 28.0], "age": [30.0, 30.0], "n_units": [5, 5],
                          "value_sum": [0.0, 45.0], "value_squares": [0.0, 700.0]})  # fmt: skip
    ahead = future_moments(units, events=CDNOW, values=heavy, horizon=10.0)
    assert np.isinf(ahead.amount_variance[0])
    assert np.isfinite(ahead.amount_variance[1])


@given(st.integers(0, 40), st.floats(0.05, 1.0), st.floats(1.0, 60.0), st.floats(0.5, 30.0))
@settings(max_examples=40, deadline=None)
def test_a_longer_future_holds_more(x, part, age, horizon):
    recency = age * part if x else 0.0
    short, long = (
        event_moments(CDNOW, frequency=[x], recency=[recency], age=[age], horizon=h)[0][0]
        for h in (horizon, 2 * horizon)
    )
    assert 0 <= short <= long * (1 + 1e-9)
    assert long <= 2 * short * (1 + 1e-9)  # activity only ever falls


def test_standard_errors_are_the_spread_of_repeated_fits():
    fits, errors = [], []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        n = 1500
        x = rng.integers(1, 6, n)
        mean = rng.gamma(4.0 * x, 1 / (x * rng.gamma(5.0, 1 / 60.0, n)))
        histories = pd.DataFrame({"frequency": x, "mean_value": mean, "n_units": 1})
        fit = fit_gamma_gamma(histories)
        fits.append(np.log([fit.p, fit.q, fit.gamma]))
        errors.append(np.sqrt(np.diag(log_parameter_covariance(fit, histories))))
    # 25 fits tell a spread to within 14 % (1 / sqrt(50)); two and a half of those
    assert np.mean(errors, axis=0) == pytest.approx(np.std(fits, axis=0, ddof=1), rel=0.35)


def test_the_covariance_does_not_explode_where_the_data_say_nothing():
    nobody_stops = pd.DataFrame(
        {"frequency": [1, 3, 6], "recency": [9.9, 9.9, 9.9], "age": 10.0, "n_units": [50, 80, 50]}
    )
    covariance = log_parameter_covariance(fit_bg_nbd(nobody_stops), nobody_stops)
    assert np.all(np.linalg.eigvalsh(covariance) <= 9.0 + 1e-6)  # the weak prior's variance
