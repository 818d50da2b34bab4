"""Counts that answer to a driver: against pyfixest, leaving units out by hand, and planted answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyfixest
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import DesignError, ParameterError
from opslib.stats.count_response import MIN_PERIODS, count_response
from opslib.stats.log_response import log_response

#: Two ways to the same maximum of a likelihood, both stopped at 1e-8 or below.
SAME = 1e-6
#: One Newton step instead of a full fit without a unit: seen to differ by 0.5 %.
ONE_STEP = 0.03
SLOPE = -2.0


def panel(seed=0, *, n_units=24, n_periods=40, rate=3.0, follow=0.0, late=0.0, common_sd=0.2, every=4):
    """Counts with slope -2, levels and common shocks; the driver steps every four periods and may follow the shocks."""
    rng = np.random.default_rng(seed)
    steps = n_periods // every
    shock = np.repeat(rng.normal(0, common_sd, steps), every)
    own = np.cumsum(rng.normal(0, 0.3, (n_units, n_periods)), axis=1) * (late > 0)
    driver = np.repeat(0.13 * rng.normal(size=(n_units, steps)), every, axis=1) + follow * shock
    driver[:, 1:] += late * own[:, :-1]
    log_rate = np.log(rate) + rng.normal(0, 0.8, (n_units, 1)) + shock + own
    counts = rng.poisson(np.exp(log_rate + SLOPE * driver))
    unit, period = np.indices(counts.shape)
    return pd.DataFrame({
        "unit": unit.ravel(), "period": period.ravel(), "outcome": counts.ravel(), "driver": np.exp(driver).ravel(),
    })  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return panel()


def test_slope_is_that_of_a_poisson_regression_with_fixed_effects(table):
    rows = table.assign(exposure=1.0 + table["unit"] % 3, log_driver=np.log(table["driver"]))
    rows["offset"] = np.log(rows["exposure"])
    oracle = pyfixest.fepois("outcome ~ log_driver | unit + period", rows, offset="offset").coef()["log_driver"]
    assert count_response(rows).slopes["driver"].value == pytest.approx(oracle, abs=SAME)


def test_two_drivers_at_once_are_those_of_the_regression(table):
    rng = np.random.default_rng(5)
    rows = table.assign(other=np.exp(rng.normal(0, 0.1, len(table))))
    logs = rows.assign(a=np.log(rows["driver"]), b=np.log(rows["other"]))
    oracle = pyfixest.fepois("outcome ~ a + b | unit + period", logs).coef()
    found = count_response(rows, drivers=("driver", "other")).slopes
    assert [found["driver"].value, found["other"].value] == pytest.approx(oracle.tolist(), abs=SAME)


def test_the_error_is_that_of_leaving_each_unit_out(table):
    found = count_response(table).slopes["driver"]
    rows = table.assign(log_driver=np.log(table["driver"]))
    slopes = [
        pyfixest.fepois("outcome ~ log_driver | unit + period", rows[rows["unit"] != unit]).coef()["log_driver"]
        for unit in range(24)
    ]
    by_hand = np.sqrt(23 / 24 * ((np.array(slopes) - found.value) ** 2).sum())
    assert found.std_error == pytest.approx(by_hand, rel=ONE_STEP)


def test_weeks_without_a_count_stay_and_their_logarithms_would_flatten():
    rows = panel(1, rate=0.5, n_units=40)
    assert (rows["outcome"] == 0).mean() > 0.4
    counts, logs = count_response(rows).slopes["driver"], log_response(rows).slope
    assert not counts.excludes(SLOPE)
    assert logs.excludes(SLOPE)
    assert logs.value > SLOPE + 0.5


def test_intervals_cover_and_free_drivers_are_seldom_flagged():
    found = [count_response(panel(seed)) for seed in range(40)]
    # 38 and 2 expected of 40; fewer than 33 inside, more than 7 flagged: below one in a thousand each.
    assert sum(not each.slopes["driver"].excludes(SLOPE) for each in found) >= 33
    assert sum(each.has_followed for each in found) <= 7


def test_a_driver_that_followed_the_common_counts_is_flagged():
    found = count_response(panel(2, follow=0.45))
    assert found.has_followed
    assert found.common.lower > 0


def test_a_driver_that_followed_each_units_own_counts_a_period_later_is_flagged():
    found = count_response(panel(3, late=0.3, n_units=40))
    assert found.has_followed
    assert found.ahead.lower > 0


def test_units_alone_need_counts_and_moves(table):
    still = table["unit"] == 0
    rows = table.assign(driver=table["driver"].mask(still, 2.0), outcome=table["outcome"].mask(table["unit"] == 1, 0))
    units = count_response(rows).units.set_index("unit")
    assert units.loc[[0, 1], "slope"].isna().all()
    assert units.loc[0, "n_moves"] == 0
    assert units.loc[1, "total"] == 0
    assert units["slope"].notna().sum() > 10


def test_moves_are_counted_from_the_last_period_that_a_unit_was_there():
    rows = panel(4, n_units=8, n_periods=16, every=4)
    kept = rows[~((rows["unit"] == 0) & rows["period"].isin([4, 5, 6, 7]))]
    whole, part = (count_response(each).units.set_index("unit") for each in (rows, kept))
    assert whole.loc[0, "n_moves"] == 3
    assert part.loc[0, "n_moves"] == 2


def test_refusals_name_the_gate(table):
    with pytest.raises(DesignError, match=r"variation: the driver moves 0 times by 1% or more; needed: 6"):
        count_response(table.assign(driver=2.0))
    with pytest.raises(DesignError, match=rf"variation: 6 periods with a count; needed: {MIN_PERIODS}"):
        count_response(table[table["period"] < 6])
    with pytest.raises(DesignError, match=r"variation: no unit is there in two periods in a row"):
        count_response(table[(table["unit"] + table["period"]) % 2 == 0])
    with pytest.raises(DesignError, match=r"clusters: 4 units move and count; needed: 6"):
        count_response(table[table["unit"] < 4])


def test_panels_that_cannot_be_read_are_refused(table):
    with pytest.raises(ParameterError, match="unit 0 has two rows for period 0"):
        count_response(pd.concat([table, table.head(1)]))
    with pytest.raises(ParameterError, match="driver has 960 values that are not positive"):
        count_response(table.assign(driver=-1.0))
    with pytest.raises(ParameterError, match="outcome has 2 values that are no count"):
        count_response(table.assign(outcome=table["outcome"].astype(float).mask(table.index < 2, [-1.0, np.nan] * 480)))
    with pytest.raises(ParameterError, match="lacks column 'outcome'"):
        count_response(table.drop(columns="outcome"))


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.2, 50.0))
def test_neither_the_order_of_rows_nor_the_drivers_unit_matters(seed, factor):
    rows = panel(6, n_units=8, n_periods=16)
    changed = rows.assign(driver=rows["driver"] * factor).sample(frac=1, random_state=seed)
    one, two = count_response(rows).slopes["driver"], count_response(changed).slopes["driver"]
    assert [one.value, one.std_error] == pytest.approx([two.value, two.std_error], rel=SAME)
