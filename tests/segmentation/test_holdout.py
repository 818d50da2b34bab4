"""The holdout check: totals by a second road, chance where the model holds, and words where it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.formats import format_date
from opslib.segmentation import customer_summary, holdout_check, lifetime_checks
from tests.segmentation.lifetimes import bought, day_after, shop
from tests.segmentation.test_histories import cdnow
from tests.stats.lifetime_oracle import expected_events

FITTED, CHECKED = day_after(45), day_after(58)


@pytest.fixture(scope="module")
def lines():
    return shop(seed=3)


@pytest.fixture(scope="module")
def check(lines):
    return holdout_check(lines, calibration_end=FITTED, holdout_end=CHECKED)


def test_what_came_is_counted_by_pandas(lines, check):
    days = lines.assign(day=lines["ordered_at"].dt.date)
    known = set(days.loc[days["day"] <= FITTED, "customer_id"])
    later = days[(days["day"] > FITTED) & (days["day"] <= CHECKED) & days["customer_id"].isin(known)]
    assert check.realised_orders == len(later.drop_duplicates(["customer_id", "day"]))
    assert check.realised_amount == pytest.approx(later["unit_price"].round(4).sum(), rel=1e-6)
    assert check.weeks["realised_orders"].iloc[-1] == check.realised_orders
    assert check.weeks["week"].tolist() == list(range(1, 14))


def test_forecast_and_naive_rule_customer_by_customer(lines, check):
    frame = engine.collect(customer_summary(lines, as_of=FITTED).order_by("customer_id"))
    x, age = frame["frequency"], frame["age_days"] / 7
    own = expected_events(check.model.orders, frequency=x, recency=frame["recency_days"] / 7, age=age, horizon=13.0)
    naive = x * 13 / np.maximum(age, 13)
    assert check.orders.value == pytest.approx(own.sum(), rel=1e-6)
    assert check.naive_orders == pytest.approx(naive.sum(), rel=1e-9)
    assert check.naive_amount == pytest.approx((naive * frame["mean_value"].fillna(0)).sum(), rel=1e-9)
    days = lines.assign(day=lines["ordered_at"].dt.date)
    later = days[(days["day"] > FITTED) & (days["day"] <= CHECKED)].drop_duplicates(["customer_id", "day"])
    did = frame["customer_id"].map(later.groupby("customer_id").size()).fillna(0)
    gain = (did - naive) ** 2 - (did - own) ** 2
    assert check.skill.value == pytest.approx(gain.sum() / ((did - naive) ** 2).sum(), rel=1e-6)
    error = gain.std(ddof=0) * np.sqrt(len(gain)) / ((did - naive) ** 2).sum()
    assert check.skill.std_error == pytest.approx(error, rel=1e-6)


def test_groups_hold_every_customer_once_most_promising_first(check):
    groups = check.groups
    assert groups["n_customers"].sum() == check.model.n_customers
    assert groups["predicted_orders"].sum() == pytest.approx(check.orders.value, rel=1e-9)
    assert groups["realised_orders"].sum() == check.realised_orders
    rate = groups["predicted_orders"] / groups["n_customers"]
    assert rate.is_monotonic_decreasing
    assert groups["n_customers"].between(100, 250).all()  # a tenth of 1,500, give or take ties


def test_where_the_model_holds_chance_covers_what_came():
    """Eight shops that follow the model: 95 % intervals of the total; three misses have a chance of 0.6 %."""
    inside = []
    for seed in range(10, 18):
        check = holdout_check(shop(400, seed=seed), calibration_end=FITTED, holdout_end=CHECKED, n_groups=2)
        inside.append(check.orders.lower <= check.realised_orders <= check.orders.upper)
    assert sum(inside) >= 6


@pytest.mark.real_data
def test_cdnow_is_tracked_like_in_the_literature():
    """39 weeks fitted, 39 predicted; naive by far too high because many stopped."""
    check = holdout_check(cdnow(), calibration_end=date(1997, 9, 30), holdout_end=date(1998, 6, 30))
    assert check.realised_orders == 1882  # repeat purchases of weeks 40-78, counted in the file by customer and day
    assert -0.15 < check.orders_error < 0
    assert check.naive_error > 0.25
    assert check.skill.lower > 0
    assert check.groups["realised_orders"].iloc[0] == pytest.approx(check.groups["predicted_orders"].iloc[0], rel=0.05)


def test_checks_name_what_the_model_is_not_made_for(check):
    rows = lifetime_checks(check.model, check).set_index("check")
    assert rows["is_passed"].all(), rows
    broken = replace(
        check.model,
        n_repeaters=check.model.n_customers,
        value_correlation=replace(check.model.value_correlation, value=0.5),
        orders=replace(check.model.orders, a=0.001, b=400.0),
        values=replace(check.model.values, q=1.5),
    )
    bad = lifetime_checks(broken, replace(check, realised_orders=check.orders.value * 2)).set_index("check")[
        "is_passed"
    ]
    assert bad[~bad].index.tolist() == [
        "repeat share", "customers stop", "value apart from number", "values have a spread", "held-out total",
    ]  # fmt: skip
    assert len(lifetime_checks(check.model)) == len(bad) - 2


def test_a_shop_where_nobody_stops_says_so():
    rng = np.random.default_rng(2)
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 360, 6000), unit="D")
    steady = bought("x" * 6000, list(days), list(rng.gamma(4, 5, 6000)))
    steady["customer_id"] = rng.integers(0, 150, 6000)
    check = holdout_check(steady, calibration_end=date(2025, 9, 30), holdout_end=date(2025, 12, 20))
    checks = lifetime_checks(check.model, check).set_index("check")["is_passed"]
    assert not checks["customers stop"]
    assert not checks["repeat share"]
    assert abs(check.orders_error) < 0.1


def test_a_stretch_without_a_day_gives_its_reason_and_no_forecast(lines):
    nothing = holdout_check(lines, calibration_end=FITTED, holdout_end=FITTED)
    assert (nothing.model, nothing.reason) == (
        None,
        f"No day was seen after {format_date(FITTED)}: nothing to hold a forecast against.",
    )
    short = holdout_check(lines, calibration_end=FITTED, holdout_end=FITTED + timedelta(days=6), grain="week")
    assert (short.model, short.reason[:16]) == (None, "No week was seen")


def test_groups_are_never_a_handful_of_people():
    check = holdout_check(shop(90, seed=4), calibration_end=FITTED, holdout_end=CHECKED)
    assert len(check.groups) <= 4
    assert check.groups["n_customers"].min() >= 10


def test_nobody_came_back(lines):
    before = lines[lines["ordered_at"].dt.date <= FITTED]
    check = holdout_check(before, calibration_end=FITTED, holdout_end=CHECKED)
    assert check.realised_orders == 0
    assert np.isnan(check.orders_error)
    assert np.isinf(check.model_error)
