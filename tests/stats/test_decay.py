"""A decay fitted to counts: exact on counts without noise, covered under noise, silent where nothing falls."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from opslib.errors import ParameterError
from opslib.stats.decay import fit_decay

DAYS = np.arange(3.5, 300, 7)


def counts_of(seed: int, *, rest=0.25, peak=4.0, half=45.0, exposure=60.0, noise=1.0) -> np.ndarray:
    """Counts around the decay with a variance ``noise`` times the mean."""
    draws, mean = np.random.default_rng(seed), exposure * (rest + peak * 0.5 ** (DAYS / half))
    return draws.poisson(mean) if noise == 1.0 else draws.negative_binomial(mean / (noise - 1), 1 / noise)


def test_without_noise_the_parts_come_back() -> None:
    exposures = np.linspace(1e6, 2e6, DAYS.size)
    found = fit_decay(DAYS, exposures * (0.25 + 4 * 0.5 ** (DAYS / 45)), exposures)
    assert (found.first.value, found.rest.value, found.half_life.value) == pytest.approx((4.25, 0.25, 45.0), rel=1e-3)


def test_rest_and_peak_equal_a_generalised_linear_model_at_the_same_half_life() -> None:
    """With the half-life fixed the rate is linear: statsmodels' Poisson regression with the identity link is a second road."""
    counts = counts_of(3)
    found = fit_decay(DAYS, counts, np.full(DAYS.size, 60.0))
    design = 60.0 * np.stack([np.ones(DAYS.size), 0.5 ** (DAYS / found.half_life.value)], axis=1)
    model = sm.GLM(counts, design, family=sm.families.Poisson(sm.families.links.Identity())).fit(
        start_params=[1.0, 1.0]
    )
    assert (found.rest.value, found.first.value - found.rest.value) == pytest.approx(tuple(model.params), rel=1e-3)


def test_intervals_cover_a_planted_decay() -> None:
    """Of 100 draws at least 88 intervals hold the truth (95 % nominal; fewer has a chance under .005)."""
    fits = [fit_decay(DAYS, counts_of(seed, noise=2.0), np.full(DAYS.size, 60.0)) for seed in range(100)]
    for name, truth in (("half_life", 45.0), ("rest", 0.25), ("first", 4.25)):
        assert sum(fit is not None and not getattr(fit, name).excludes(truth) for fit in fits) >= 88
    assert all(fit.p_value < 0.001 for fit in fits)


def test_a_page_that_does_not_fall_is_seldom_said_to() -> None:
    """At .05 at most 16 of 200 flat series (5 % nominal; more has a chance of about .03), with counts twice as noisy as Poisson's."""
    fits = [
        fit_decay(DAYS, counts_of(seed, peak=0.0, rest=1.0, noise=2.0), np.full(DAYS.size, 60.0)) for seed in range(200)
    ]
    assert sum(fit is not None and fit.p_value < 0.05 for fit in fits) <= 16


def test_too_little_is_no_fit_and_errors_are_by_name() -> None:
    assert fit_decay(DAYS[:7], np.ones(7), np.ones(7)) is None
    assert fit_decay(DAYS, np.zeros(DAYS.size), np.ones(DAYS.size)) is None
    with pytest.raises(ParameterError, match="3, 2, 3 numbers"):
        fit_decay(DAYS[:3], np.ones(2), np.ones(3))
