"""Few clusters: scipy's t-tests, exact permutation, planted correlation."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opslib.errors import ContractError, ParameterError
from opslib.stats.cluster_randomised import cluster_effect, compare_clusters


def frame(treated, control, **more) -> pd.DataFrame:
    flags = [True] * len(treated) + [False] * len(control)
    return pd.DataFrame({"is_treated": flags, "value": [*treated, *control], **more})


RNG = np.random.default_rng(12)
TREATED, CONTROL = RNG.normal(11, 1, 7), RNG.normal(10, 2, 12)


def test_pooled_errors_are_students_t_test():
    result = compare_clusters(frame(TREATED, CONTROL), unit="x", errors="pooled")
    theirs = stats.ttest_ind(TREATED, CONTROL).confidence_interval(0.95)
    assert (result.absolute.lower, result.absolute.upper) == pytest.approx((theirs.low, theirs.high))
    assert result.df == 17


def test_bell_mccaffrey_by_hand_for_two_groups():
    """Two groups of single clusters: HC2 is Welch's error; degrees of freedom by Imbens and Kolesar (2016), eq. for two means."""
    n1, n0 = len(TREATED), len(CONTROL)
    result = compare_clusters(frame(TREATED, CONTROL), unit="x", errors="bell_mccaffrey")
    welch = np.sqrt(TREATED.var(ddof=1) / n1 + CONTROL.var(ddof=1) / n0)
    df = (n1 + n0) ** 2 * (n1 - 1) * (n0 - 1) / (n1**2 * (n1 - 1) + n0**2 * (n0 - 1))
    assert result.absolute.std_error == pytest.approx(welch)
    assert result.df == pytest.approx(df)


def test_exact_permutation_agrees():
    """Second road: all 924 ways to draw 6 of 12."""
    values = np.random.default_rng(3).normal(0, 1, 12) + np.repeat([1.0, 0.0], 6)
    ours = compare_clusters(pd.DataFrame({"is_treated": np.repeat([True, False], 6), "value": values}), unit="x")
    seen = abs(values[:6].mean() - values[6:].mean())
    gaps = [
        abs(values[list(c)].sum() / 6 - (values.sum() - values[list(c)].sum()) / 6) for c in combinations(range(12), 6)
    ]
    assert ours.p_value == pytest.approx(np.mean(np.array(gaps) >= seen - 1e-12), abs=0.02)


def test_a_covariate_of_the_time_before_takes_out_what_lasts():
    rng = np.random.default_rng(9)
    lasting = rng.normal(0, 0.3, 20)
    after = np.exp(4 + lasting + rng.normal(0, 0.02, 20) + 0.05 * np.repeat([1, 0], 10))
    stores = frame(after[:10], after[10:], covariate=np.exp(4 + lasting))
    adjusted, plain = (compare_clusters(stores, unit="x", adjust=a) for a in (True, False))
    assert 1 - (adjusted.absolute.std_error / plain.absolute.std_error) ** 2 > 0.9
    assert adjusted.relative.lower < np.expm1(0.05) < adjusted.relative.upper
    assert adjusted.relative.width < plain.relative.width / 5


def test_a_test_on_units_is_too_sure_where_clusters_were_randomised():
    """Planted: 12 stores differ, no effect; 400 draws. Units reject far more than 5 %, clusters do not."""
    rng = np.random.default_rng(10)
    stores = rng.normal(0, 1, (400, 12))
    units = stores[:, :, None] + rng.normal(0, 1, (400, 12, 20))
    naive = stats.ttest_ind(units[:, :6].reshape(400, -1), units[:, 6:].reshape(400, -1), axis=1).pvalue
    effect, error, df = cluster_effect(units.mean(axis=2), np.arange(12) < 6)
    ours = 2 * stats.t.sf(np.abs(effect) / error, df)
    assert (naive < 0.05).mean() > 0.4
    assert (ours < 0.05).mean() < 0.09


@given(st.permutations(range(8)))
def test_the_order_of_clusters_does_not_matter(order):
    stores = frame([3.0, 4, 6], [1.0, 2, 2, 5, 3])
    a, b = compare_clusters(stores, unit="x"), compare_clusters(stores.iloc[list(order)], unit="x")
    assert (a.absolute.lower, a.relative.upper) == pytest.approx((b.absolute.lower, b.relative.upper))


def test_what_cannot_be_told_is_refused():
    with pytest.raises(ParameterError, match="1 treated and 4 untreated"):
        compare_clusters(frame([1.0], [1.0, 2, 3, 4]), unit="x")
    with pytest.raises(ContractError, match=r"clusters\.value: 1 missing"):
        compare_clusters(frame([1.0, np.nan], [1.0, 2]), unit="x")


def test_the_control_value_is_that_of_average_clusters():
    """Values are the covariate plus 1 where treated: the covariate's mean is 30, whichever clusters were drawn."""
    before = [30.0, 40, 50, 10, 20, 30]
    values = frame([31.0, 41, 51], [10.0, 20, 30], covariate=before)
    found = compare_clusters(values, unit="x")
    assert (found.control_value, found.treated_value) == pytest.approx((30.0, 31.0))
    assert compare_clusters(values, unit="x", adjust=False).control_value == pytest.approx(20.0)
