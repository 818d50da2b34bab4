"""The sample-ratio gate: published p, its power by simulation, ramps, the missingness bound."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opslib.errors import ContractError, ParameterError
from opslib.stats.estimates import Estimate
from opslib.stats.sample_ratio import mismatch_p_value, missingness_bound, sample_ratio, widened


def arms(*n, shares=None) -> pd.DataFrame:
    return pd.DataFrame({"arm": list("abcd"[: len(n)]), "n": n, "planned_share": shares or [1] * len(n)})


def test_published_mismatch():
    """Kohavi, Tang, Xu (2020), chapter 21: 821,588 against 815,482 under an equal split, p 1.8e-6."""
    gate = sample_ratio(arms(821588, 815482))
    assert gate.p_value == pytest.approx(1.8e-6, abs=5e-8)
    assert gate.is_mismatch


def test_power_is_what_simulation_says():
    """Second road: 20,000 an arm, 5 % of one arm lost, counted over 4,000 draws."""
    rng = np.random.default_rng(4)
    treated = rng.binomial(40_000, 0.5, 4000)
    counts = np.stack([40_000 - treated, rng.binomial(treated, 0.95)], axis=-1)
    expected = np.repeat(counts.sum(axis=-1, keepdims=True) / 2, 2, axis=-1)
    simulated = float((mismatch_p_value(counts, expected, df=1) < 0.001).mean())
    assert sample_ratio(arms(20_000, 20_000)).power_against(0.05) == pytest.approx(simulated, abs=0.015)  # 4 errors


def test_a_loss_of_one_or_two_percent_goes_unseen_at_20_000_an_arm():
    gate = sample_ratio(arms(20_000, 20_000))
    assert gate.power_against(0.01) < 0.02
    assert gate.power_against(0.02) < 0.15
    assert gate.power_against(0.05) > 0.9


def test_a_ramp_is_tested_epoch_by_epoch():
    ramp = pd.DataFrame(
        {
            "arm": ["a", "b"] * 2,
            "stratum": [1, 1, 2, 2],
            "n": [9_900, 100, 5_000, 5_000],
            "planned_share": [0.99, 0.01, 0.5, 0.5],
        }
    )
    assert sample_ratio(ramp).p_value == pytest.approx(1.0)
    pooled = ramp.groupby("arm", as_index=False)["n"].sum().assign(planned_share=[0.5, 0.5])
    assert sample_ratio(pooled).is_mismatch


def test_few_units_get_the_exact_test():
    assert sample_ratio(arms(0, 6)).p_value == pytest.approx(2 / 64)  # by hand: two outcomes of 2^6


@given(st.integers(50, 5000), st.integers(50, 5000))
def test_two_arms_are_scipys_chi_square(a, b):
    assert sample_ratio(arms(a, b)).p_value == pytest.approx(stats.chisquare([a, b]).pvalue)


def test_the_bound_is_of_the_largest_loss_unseen_up_to_the_one_considered():
    blind, seeing = sample_ratio(arms(20_000, 20_000)), sample_ratio(arms(2_000_000, 2_000_000))
    assert missingness_bound(blind, loss_share=0.02, contrast=0.5) == pytest.approx(0.02 * 0.5 / 0.98)
    bound = missingness_bound(seeing, loss_share=0.02)
    loss = bound / (0.25 + bound)
    assert 0 < loss < 0.02
    assert seeing.power_against(loss) == pytest.approx(0.8, abs=1e-6)


def test_the_bound_does_not_jump_where_the_gate_begins_to_see():
    """A loss of 1 % is seen with power .8 from about 343,000 units an arm on; a few more units change little."""
    bounds = [missingness_bound(sample_ratio(arms(n, n))) for n in range(300_000, 400_000, 2_000)]
    assert bounds[0] == pytest.approx(0.01 * 0.25 / 0.99)
    assert bounds[-1] < bounds[0]
    assert max(-np.diff(bounds)) < 0.01 * bounds[0]


def test_the_bound_covers_the_bias_it_is_for():
    """By hand: 1,000 units at 10 %, 20 lost that convert at half of that -> 99/980, 1.02 % too high."""
    bias = (99 / 980) / 0.1 - 1
    assert bias == pytest.approx(missingness_bound(sample_ratio(arms(1000, 1000)), loss_share=0.02, contrast=0.5))


def test_widening_says_so():
    e = Estimate(value=0.02, lower=0.01, upper=0.03, n=9, unit="relative", method="delta")
    assert widened(e, bound=0.0) is e
    wide = widened(e, bound=0.01)
    assert (wide.lower, wide.upper) == pytest.approx((0.0, 0.04))
    assert "widened" in wide.method


def test_errors_name_the_way_out():
    with pytest.raises(ContractError, match="no column 'planned_share'"):
        sample_ratio(pd.DataFrame({"arm": ["a"], "n": [1]}))
    with pytest.raises(ContractError, match="one arm only"):
        sample_ratio(arms(5))
    with pytest.raises(ContractError, match="must be positive"):
        sample_ratio(arms(5, 5, shares=[1, 0]))
    with pytest.raises(ContractError, match="no unit in any arm"):
        sample_ratio(arms(0, 0))
    with pytest.raises(ParameterError, match="contrast -1"):
        missingness_bound(sample_ratio(arms(9, 9)), contrast=-1)
    with pytest.raises(ParameterError, match="only be widened"):
        widened(Estimate(value=0, lower=0, upper=0, n=1, unit="x", method="m"), bound=-1)
