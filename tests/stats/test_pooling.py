"""Shrinking towards a centre: closed forms, coverage and the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate
from opslib.stats.pooling import pool_towards

NAN = float("nan")


def centre(value=-2.0, error=0.1):
    return Estimate(value=value, lower=value - 2 * error, upper=value + 2 * error, n=9, unit="% per %", method="",
                    std_error=error)  # fmt: skip


def test_one_known_spread_gives_the_textbook_weight():
    # 400 estimates with noise 0.5 around values with spread 1: the spread is known to 4 %, so the weight is 1 / 1.25.
    rng = np.random.default_rng(1)
    true = -2 + rng.normal(size=400)
    found = pool_towards(centre(), (true + 0.5 * rng.normal(size=400)).tolist(), [0.5] * 400)
    assert found.between_sd.value == pytest.approx(1.0, abs=0.12)
    assert found.units["kept_share"].iloc[0] == pytest.approx(0.8, abs=0.04)
    assert found.units["std_error"].iloc[0] == pytest.approx(np.sqrt(0.2), abs=0.03)
    inside = (found.units["value_lower"] <= true) & (true <= found.units["value_upper"])
    assert 0.92 <= inside.mean() <= 0.98


def test_equal_values_leave_little_spread_and_shrink_most():
    rng = np.random.default_rng(2)
    own = -2 + 0.5 * rng.normal(size=60)
    found = pool_towards(centre(), own.tolist(), [0.5] * 60)
    assert found.between_sd.lower < 0.1
    assert found.units["kept_share"].max() < 0.35
    assert np.std(found.units["value"]) < 0.3 * np.std(own)


@pytest.mark.parametrize("spread", [0.0, 0.4, 1.0])
def test_intervals_cover_on_average(spread):
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        errors = rng.uniform(0.3, 1.5, 30)
        true = -2 + spread * rng.normal(size=30)
        units = pool_towards(centre(), (true + errors * rng.normal(size=30)).tolist(), errors.tolist()).units
        inside.append(((units["value_lower"] <= true) & (true <= units["value_upper"])).mean())
    # Where all values are equal a flat prior of their spread is careful; 1,800 draws leave half a point of noise.
    assert 0.92 <= np.mean(inside) <= (1.0 if spread == 0 else 0.97)


def test_who_has_no_estimate_gets_the_centre_and_the_spread_around_it():
    found = pool_towards(centre(), [-1.0, -2.0, -3.0, -4.0, NAN], [0.2, 0.2, 0.2, 0.2, NAN])
    last = found.units.iloc[-1]
    assert last["value"] == -2.0
    assert last["kept_share"] == 0
    assert last["std_error"] > found.between_sd.value


def test_values_that_agree_with_each_other_and_not_with_the_centre_are_not_pulled_to_it():
    # Five at -1 within .05: around a centre of -2 true values lie 1 apart, so each keeps 1 / (1 + .05^2) of its distance.
    found = pool_towards(centre(), [-1.0] * 5, [0.05] * 5)
    assert found.between_sd.lower > 0.5
    assert found.units["value"].tolist() == pytest.approx([-1.0] * 5, abs=0.01)


def test_errors_do_not_drown_in_large_values():
    near = pool_towards(centre(), [-1.0, -2.0, -3.0, -4.0], [0.2] * 4)
    far = pool_towards(centre(1e9 - 2.0), [1e9 - 1.0, 1e9 - 2.0, 1e9 - 3.0, 1e9 - 4.0], [0.2] * 4)
    assert far.units["std_error"].tolist() == pytest.approx(near.units["std_error"].tolist())
    assert far.units["value"].to_numpy() - 1e9 == pytest.approx(near.units["value"].to_numpy(), abs=1e-6)


def test_the_spread_has_the_unit_of_the_centre():
    days = Estimate(value=3.0, lower=2.0, upper=4.0, n=9, unit="days", method="", std_error=0.5)
    assert pool_towards(days, [2.0, 3.0, 4.0], [0.5] * 3).between_sd.unit == "days"


def test_two_estimates_keep_their_own():
    found = pool_towards(centre(), [-1.0, -3.0], [0.2, 0.4])
    assert found.units["value"].tolist() == [-1.0, -3.0]
    assert found.units["kept_share"].tolist() == [1.0, 1.0]
    assert np.isinf(found.between_sd.upper)


def test_what_cannot_be_pooled_is_refused():
    with pytest.raises(ParameterError, match="2 values and 1 standard errors"):
        pool_towards(centre(), [1.0, 2.0], [0.1])
    with pytest.raises(ParameterError, match="3 values and 2 standard errors"):
        pool_towards(centre(), [1.0, 2.0, 3.0], [0.1, 0.1])
    with pytest.raises(ParameterError, match="need a standard error above 0"):
        pool_towards(centre(), [1.0, 2.0, 3.0], [0.1, 0.0, 0.1])
    with pytest.raises(ParameterError, match="need a standard error above 0"):
        pool_towards(centre(error=0.0), [1.0, 2.0, 3.0], [0.1, 0.1, 0.1])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 3), st.floats(0.05, 2)), min_size=3, max_size=12))
def test_every_value_lies_between_its_own_and_the_centre(pairs):
    own, errors = (list(column) for column in zip(*pairs, strict=True))
    units = pool_towards(centre(), own, errors).units
    low, high = np.minimum(own, -2.0), np.maximum(own, -2.0)
    assert ((units["value"] >= low - 1e-9) & (units["value"] <= high + 1e-9)).all()
    assert units["kept_share"].between(0, 1).all()
