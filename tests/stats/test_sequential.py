"""Looking before the end: published bounds, simulated error, the published confidence sequence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate
from opslib.stats.ratios import compare
from opslib.stats.sequential import (
    anytime_critical,
    confidence_sequence,
    nominal_level,
    planned_looks,
)
from opslib.stats.sufficient_statistics import SufficientStatistics

#: Published to three decimals.
PUBLISHED = 6e-4


@pytest.mark.parametrize(("n_looks", "constant"), [(2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040), (10, 2.087)])
def test_obrien_fleming_constants(n_looks, constant):
    """Jennison and Turnbull (2000), table 2.3, alpha .05."""
    looks = planned_looks(np.arange(1, n_looks + 1) / n_looks, spending="obrien_fleming")
    assert looks.bounds[-1] == pytest.approx(constant, abs=PUBLISHED)
    assert looks.spent[-1] == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(
    ("n_looks", "bounds"),
    [(4, (4.333, 2.963, 2.359, 2.014)), (5, (4.877, 3.357, 2.680, 2.290, 2.031))],
)
def test_lan_demets_bounds(n_looks, bounds):
    """Reboussin et al. (2000), Controlled Clinical Trials 21:190-207: O'Brien-Fleming-type spending, alpha .05."""
    looks = planned_looks(np.arange(1, n_looks + 1) / n_looks)
    assert looks.bounds == pytest.approx(bounds, abs=PUBLISHED)


def test_one_look_is_the_ordinary_test():
    for spending in ("lan_demets", "obrien_fleming"):
        assert planned_looks([1.0], spending=spending).bounds[0] == pytest.approx(1.959964, abs=1e-5)


@given(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=5, unique=True).map(sorted), st.floats(0.8, 0.99))
def test_the_error_spent_is_what_was_planned(fractions, level):
    if np.any(np.diff([0.0, *fractions]) < 0.02):
        return
    looks = planned_looks([f / fractions[-1] for f in fractions], confidence_level=level)
    assert looks.spent[-1] == pytest.approx(1 - level, abs=1e-5)
    assert all(np.diff(looks.spent) >= -1e-9)


def test_daily_looks_at_a_fixed_interval_err_and_planned_looks_do_not():
    """Second road, 20,000 simulated paths: 28 looks at 1.96 reject about 29 % (truth.md), four planned ones 5 %."""
    rng = np.random.default_rng(6)
    z = np.cumsum(rng.normal(size=(20_000, 28)), axis=1) / np.sqrt(np.arange(1, 29))
    assert (np.abs(z) > 1.96).any(axis=1).mean() > 0.25
    looks = planned_looks([0.25, 0.5, 0.75, 1.0])
    crossed = (np.abs(z[:, [6, 13, 20, 27]]) > np.array(looks.bounds)).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.006)  # four standard errors
    anytime = np.array([anytime_critical(n, tuned_at=28) for n in range(1, 29)])
    assert (np.abs(z) > anytime).any(axis=1).mean() < 0.05


def test_published_confidence_sequence():
    """GrowthBook's gbstats test: the arms of the Welch row, control with 3,000 units, tuned at 1,000."""
    control, treated = (
        SufficientStatistics.of_mean(n=3000, y=1396.87, yy=52377.9767),
        SufficientStatistics.of_mean(n=3461, y=2422.7, yy=134698.29),
    )
    e = confidence_sequence(compare(control, treated, unit="x", scale="delta").relative, tuned_at=1000)
    assert (e.lower, e.upper) == pytest.approx((-0.55844, 1.56516), abs=1e-5)


def test_repeated_interval_is_the_ordinary_one_at_the_look_s_level():
    looks = planned_looks([0.5, 1.0], spending="obrien_fleming")
    assert nominal_level(1.977) == pytest.approx(looks.levels[1], abs=1e-4)
    arm = SufficientStatistics.of_share(n=100_000, successes=10_000)
    ordinary, repeated = (compare(arm, arm, unit="share", confidence_level=level) for level in (0.95, looks.levels[1]))
    assert repeated.absolute.width / ordinary.absolute.width == pytest.approx(1.977 / 1.96, rel=1e-3)
    assert repeated.at_level(0.95).relative.confidence_level == 0.95


def test_wrong_looks_are_named():
    for fractions in ([], [0.5, 0.4], [0.5, 1.2], [0.0, 1.0]):
        with pytest.raises(ParameterError, match="each look needs more information"):
            planned_looks(fractions)
    bare = Estimate(value=0, lower=0, upper=0, n=5, unit="x", method="Wilson")
    with pytest.raises(ParameterError, match="no std_error"):
        confidence_sequence(bare, tuned_at=100)
    with pytest.raises(ParameterError, match="must be positive"):
        anytime_critical(0, tuned_at=100)
