"""BG/NBD and Gamma-Gamma against their papers, a second road, and planted parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from opslib.errors import ParameterError
from opslib.stats.lifetime import BgNbd, GammaGamma, fit_bg_nbd, fit_gamma_gamma, probability_alive
from tests.conftest import real_data
from tests.stats.lifetime_oracle import expected_events, expected_value

#: The papers print three or four digits.
PRINTED = 5e-4
PAPER = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=-9582.4, n_units=2357, is_identified=True)


@pytest.fixture(scope="module")
def cdnow():
    """CDNOW sample, first 39 weeks: one row a customer (Fader, Hardie, Lee 2005)."""
    path = real_data("cdnow/cdnow_customers_summary.csv")
    frame = pd.read_csv(path, index_col=0)
    return frame.rename(columns={"x": "frequency", "t_x": "recency", "T": "age"}).assign(n_units=1)


@pytest.mark.real_data
def test_bg_nbd_equals_the_paper(cdnow):
    # "r = .243, alpha = 4.414, a = .793, b = 2.426, LL = -9582.4" (Fader, Hardie, Lee 2005, table 2); the likelihood's other
    # digits are those of an independent fit (reference/oracles.md).
    fit = fit_bg_nbd(cdnow)
    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=PRINTED)
    assert fit.log_likelihood == pytest.approx(-9582.4256, abs=1e-3)
    assert fit.n_units == 2357
    assert fit.is_identified


@pytest.mark.real_data
def test_fitting_distinct_histories_is_fitting_customers(cdnow):
    grouped = cdnow.groupby(["frequency", "recency", "age"], as_index=False)["n_units"].sum()
    assert len(grouped) < len(cdnow)
    one, other = fit_bg_nbd(cdnow), fit_bg_nbd(grouped)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-5)
    assert other.alpha == pytest.approx(one.alpha, rel=1e-3)


def test_conditional_expectation_and_alive_equal_the_paper():
    # "1.226 transactions" for x=2, t_x=30.43, T=38.86, t=39; P(alive) .7266
    assert expected_events(PAPER, frequency=2, recency=30.43, age=38.86, horizon=39) == pytest.approx(
        1.226, abs=PRINTED
    )
    assert probability_alive(PAPER, frequency=2, recency=30.43, age=38.86) == pytest.approx(0.7266, abs=PRINTED)


@pytest.mark.real_data
def test_gamma_gamma_equals_the_note():
    # Hardie's note 025, 946 repeat buyers of the CDNOW sample: p 6.25, q 3.74, gamma 15.44
    frame = pd.read_fwf(real_data("cdnow/CDNOW_sample.txt"), header=None, names=["all", "id", "day", "n", "value"])
    frame["day"] = pd.to_datetime(frame["day"].astype(str))
    frame = frame[frame["day"] <= "1997-09-30"].groupby(["id", "day"], as_index=False)["value"].sum()
    frame = frame.sort_values(["id", "day"])
    repeats = frame[frame.groupby("id").cumcount() > 0].groupby("id")["value"].agg(["size", "mean"])
    histories = pd.DataFrame({"frequency": repeats["size"], "mean_value": repeats["mean"], "n_units": 1})
    fit = fit_gamma_gamma(histories)
    assert (fit.p, fit.q, fit.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=6e-3)
    assert fit.n_units == 946


def _simulate(n, seed):
    """BG/NBD by its own story: exponential gaps at a gamma rate, a beta chance to stop after each event."""
    rng = np.random.default_rng(seed)
    rate, stop, age = rng.gamma(0.8, 1 / 6.0, n), rng.beta(0.9, 2.5, n), rng.uniform(20, 60, n)
    x, t_x, now, alive = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n, bool)
    while alive.any():
        now = np.where(alive, now + rng.exponential(1 / rate), now)
        alive &= now <= age
        x, t_x = x + alive, np.where(alive, now, t_x)
        alive &= rng.random(n) > stop
    return pd.DataFrame({"frequency": x, "recency": t_x, "age": age, "n_units": 1})


def test_planted_parameters_are_recovered():
    fit = fit_bg_nbd(_simulate(40_000, seed=7))
    # Twice the spread seen over ten seeds at this size.
    assert fit.r == pytest.approx(0.8, rel=0.06)
    assert fit.alpha == pytest.approx(6.0, rel=0.08)
    assert fit.a / (fit.a + fit.b) == pytest.approx(0.9 / 3.4, rel=0.06)


def test_expected_events_of_a_new_unit_equal_the_integral():
    # Second road: E[X(t)] as an integral over the priors, for a unit without history and an age near 0.
    rng = np.random.default_rng(1)
    rate, stop = rng.gamma(PAPER.r, 1 / PAPER.alpha, 400_000), rng.beta(PAPER.a, PAPER.b, 400_000)
    direct = np.mean((1 - np.exp(-rate * stop * 39)) / stop)
    assert expected_events(PAPER, frequency=0, recency=0, age=1e-12, horizon=39) == pytest.approx(direct, rel=0.01)


def test_gamma_gamma_mean_of_all_is_the_mean_of_its_distribution():
    model = GammaGamma(p=6.25, q=3.74, gamma=15.44, log_likelihood=0, n_units=1)
    density = lambda v: v ** (-model.q - 1) * np.exp(-model.gamma / v)  # noqa: E731 - inverse gamma of 1/nu
    mass, _ = quad(density, 1e-3, 1e4, limit=400)
    mean, _ = quad(lambda v: v * density(v), 1e-3, 1e4, limit=400)
    assert expected_value(model, frequency=0, mean_value=0) == pytest.approx(model.p * mean / mass, rel=1e-4)


@given(
    x=st.integers(0, 60), share=st.floats(0, 1), age=st.floats(0.5, 200), horizon=st.floats(0.1, 100),
    r=st.floats(0.1, 5), alpha=st.floats(0.5, 30), a=st.floats(0.1, 0.95), b=st.floats(0.3, 9),
)  # fmt: skip
def test_more_time_never_means_fewer_events_and_alive_is_a_chance(x, share, age, horizon, r, alpha, a, b):
    model = BgNbd(r=r, alpha=alpha, a=a, b=b, log_likelihood=0, n_units=1, is_identified=True)
    t_x = share * age if x else 0.0
    alive = probability_alive(model, frequency=x, recency=t_x, age=age)
    short = expected_events(model, frequency=x, recency=t_x, age=age, horizon=horizon / 2)
    long = expected_events(model, frequency=x, recency=t_x, age=age, horizon=horizon)
    assert 0 <= alive <= 1
    assert -1e-9 <= short <= long + 1e-9


def test_a_history_of_thousands_of_events_that_stopped_half_way_is_gone():
    # Odds of 2 to the power of 5,000 have no floating point number; a doubling of the time is certain enough.
    with np.errstate(over="raise"):
        assert probability_alive(PAPER, frequency=5_000, recency=50, age=100) == 0


def test_impossible_and_missing_histories_are_refused():
    with pytest.raises(ParameterError, match="last event lies after the end"):
        fit_bg_nbd(pd.DataFrame({"frequency": [1], "recency": [9], "age": [5], "n_units": [1]}))
    with pytest.raises(ParameterError, match="lacks column 'n_units'"):
        fit_bg_nbd(pd.DataFrame({"frequency": [1], "recency": [1], "age": [5]}))
    with pytest.raises(ParameterError, match="no histories"):
        fit_bg_nbd(pd.DataFrame({"frequency": [], "recency": [], "age": [], "n_units": []}))
    with pytest.raises(ParameterError, match="no unit has a repeat event"):
        fit_gamma_gamma(pd.DataFrame({"frequency": [0], "mean_value": [0.0], "n_units": [3]}))
