"""Moments: sums, their frames, and the engine expressions that make them."""

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ContractError, ParameterError
from opslib.stats.sufficient_statistics import SUMS, SufficientStatistics, arms_of, statistic_sums, strata_of

#: Sums of squares lose about half the digits of a double when centred.
ROUNDING = 1e-8

UNITS = pd.DataFrame(
    {
        "arm": ["a", "a", "a", "b", "b", "b"],
        "day": [1, 1, 2, 1, 2, 2],
        "spend": [0.0, 2.0, 4.0, 1.0, 0.0, 9.0],
        "visits": [1, 2, 3, 1, 1, 4],
        "before": [1.0, 0.0, 3.0, 2.0, 0.0, 5.0],
    }
)


def gathered(keys: list[str]) -> pd.DataFrame:
    t = ibis.memtable(UNITS)
    sums = statistic_sums(t.spend, denominator=t.visits, covariate=t.before)
    return t.group_by(keys).aggregate(**sums).execute()


def test_the_engine_gathers_every_sum_counted_by_hand():
    arm = arms_of(gathered(["arm"]), arm="arm")["a"]
    # a: spend 0, 2, 4; visits 1, 2, 3; before 1, 0, 3
    assert (arm.n, arm.y, arm.d, arm.x) == (3, 6, 6, 4)
    assert (arm.yy, arm.dd, arm.xx, arm.yd, arm.yx, arm.dx) == (20, 14, 10, 16, 12, 10)
    assert (arm.yyy, arm.yyd, arm.ydd, arm.ddd) == (72, 56, 44, 36)


def test_strata_add_up_to_the_arm():
    whole, parts = arms_of(gathered(["arm"]), arm="arm"), strata_of(gathered(["arm", "day"]), arm="arm", stratum="day")
    for arm in ("a", "b"):
        total = parts[arm][1] + parts[arm][2]
        assert all(getattr(total, name) == getattr(whole[arm], name) for name in ("n", *SUMS))


def test_a_mean_needs_no_denominator_column():
    arm = arms_of(pd.DataFrame({"arm": ["a"], "n": [4], "y": [10.0], "yy": [30.0]}), arm="arm")["a"]
    assert (arm.d, arm.dd, arm.yd) == (4, 4, 10)
    assert np.isnan(arm.yyy)


def test_a_summary_gives_back_its_mean_and_variance():
    m = SufficientStatistics.of_summary(n=50, mean=2.0, variance=3.0, denominator=(4.0, 1.5, 0.5))
    assert (m.y / m.n, m.d / m.n) == (2.0, 4.0)
    assert m.variance("y", "y") == pytest.approx(3.0, rel=ROUNDING)
    assert m.variance("y", "d") == pytest.approx(0.5, rel=ROUNDING)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_variance_is_that_of_numpy(values):
    y = np.array(values)
    m = SufficientStatistics.of_mean(n=len(y), y=y.sum(), yy=(y**2).sum())
    assert m.variance("y", "y") == pytest.approx(np.var(y, ddof=1), rel=ROUNDING, abs=1e-6)


@given(st.floats(0.1, 10))
def test_scaling_the_numerator_scales_its_powers(factor):
    m = SufficientStatistics.of_share(n=10, successes=4).scaled(factor)
    assert (m.y, m.yy, m.n, m.d) == pytest.approx((4 * factor, 4 * factor**2, 10, 10))


def test_missing_columns_and_repeated_arms_are_named():
    with pytest.raises(ContractError, match="no column 'yy'"):
        arms_of(pd.DataFrame({"arm": ["a"], "n": [1], "y": [1.0]}), arm="arm")
    twice = pd.DataFrame({"arm": ["a", "a"], "n": [1, 1], "y": [1.0, 1], "yy": [1.0, 1]})
    with pytest.raises(ContractError, match="'a' has more than one row"):
        arms_of(twice, arm="arm")
    with pytest.raises(ContractError, match="is not a key"):
        strata_of(twice.assign(day=1), arm="arm", stratum="day")
    with pytest.raises(ParameterError, match="cannot be negative"):
        arms_of(pd.DataFrame({"arm": ["a"], "n": [-1], "y": [1.0], "yy": [1.0]}), arm="arm")
