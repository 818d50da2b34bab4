"""Sentences on what customers are worth: numbers, doubts and actions, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from opslib.findings import customer_value as say
from opslib.privacy import merge_small
from opslib.segmentation import holdout_check, lifetime_checks
from opslib.stats.estimates import Estimate
from tests.findings.facts import EMPTY, NOTHING, page
from tests.segmentation.lifetimes import day_after, shop

VALUES = pd.DataFrame({
    "segment": ["champions", "at risk", "tiny"], "n_customers": [100, 400, np.nan], "alive_share": [0.9, 0.25, np.nan],
    "alive_share_lower": [0.88, 0.2, np.nan], "alive_share_upper": [0.92, 0.3, np.nan], "value_amount": [8000.0, 1600.0, np.nan],
    "value_amount_lower": [7000.0, 1200.0, np.nan], "value_amount_upper": [9000.0, 2100.0, np.nan], "customer_value_amount": [80.0, 4.0, np.nan],
    "dormant_amount": [500.0, 4800.0, np.nan],
})  # fmt: skip
ALL = pd.DataFrame({"segment": ["all customers"], "n_customers": [520], "value_amount": [10_000.0], "value_amount_lower": [8500.0],
                    "value_amount_upper": [11_800.0], "customer_value_amount": [19.23]})  # fmt: skip


NO_TIERS = pd.DataFrame(columns=["tier", "n_customers"])


@pytest.fixture(scope="module")
def check():
    made = holdout_check(shop(400, seed=2), calibration_end=day_after(45), holdout_end=day_after(58))
    total = Estimate(value=880.0, lower=800.0, upper=960.0, n=400, unit="purchases", method="by hand")
    skill = Estimate(value=0.2, lower=0.05, upper=0.35, n=400, unit="share", method="by hand")
    return replace(made, orders=total, realised_orders=1000.0, naive_orders=1300.0, skill=skill)


def findings(check, checks):
    found = say.findings(NO_TIERS, check, checks, ALL, VALUES, horizon_days=90, page=page())
    return {f.key: f for f in found}, [f.key for f in found]


def checks_of(check, *failed: str) -> pd.DataFrame:
    return lifetime_checks(check.model, check).assign(is_passed=lambda t: ~t["check"].isin(failed))


def test_worth_win_back_and_trust(check):
    found, keys = findings(check, checks_of(check))
    assert keys == ["lifetime-worth", "win-back", "lifetime-holdout"]
    worth = found["lifetime-worth"].sentence.replace("\xa0", " ")
    assert worth.startswith(
        "520 known customers are expected to bring £10k in the next 90 days (95 %: £8,500 to £11.8k)"
    )
    assert "80 % of it from 100 customers in 'champions'" in worth
    assert found["lifetime-worth"].action is None  # what to do with a segment is said by the segment's own finding
    back = found["win-back"]
    assert "Most a customer is to be won back in 'at risk': of 400 customers 25\xa0% (20–30) are" in back.sentence
    assert "£12.00 a customer" in back.action  # 4,800 of 400
    assert back.department == "Customer service"
    trust = found["lifetime-holdout"].sentence.replace("\xa0", " ")
    assert "predicted 880 purchases (800–960) and 1,000 came: 12 % too low, beyond what chance allows" in trust
    assert trust.endswith(
        "Going on as before would have been 30 % too high; per customer the model is better than that."
    )


def test_a_model_outside_its_comfort_says_so_and_names_nobody_to_win_back(check):
    found, keys = findings(check, checks_of(check, "customers stop", "repeat share"))
    assert keys == ["lifetime-worth", "lifetime-holdout"]
    assert "fails 2 checks: repeat share, customers stop" in found["lifetime-worth"].caveat
    trust = found["lifetime-holdout"]
    assert "outside what it was made for here (repeat share: nearly everybody" in trust.sentence
    assert trust.action.startswith("Use the forecast for the order of segments")
    assert trust.department == "Data"


def test_no_better_than_naive(check):
    level = replace(check, skill=replace(check.skill, lower=-0.1))
    found, _ = findings(level, checks_of(level))
    assert "the model is no better than that" in found["lifetime-holdout"].sentence


def test_withheld_segments_are_not_named(check):
    found = say.findings(NO_TIERS, check, checks_of(check), ALL, VALUES.tail(1), horizon_days=90, page=page())
    assert [f.key for f in found] == ["lifetime-worth", "lifetime-holdout"]
    assert "tiny" not in found[0].sentence


def test_limits_name_the_horizon():
    assert "90" in say.limits(page(), horizon_days=90)[0]


def test_a_small_tier_that_joined_the_heavy_one_is_named_with_it_and_no_forecast_is_none():
    sizes = pd.DataFrame({"tier": ["heavy", "medium"], "n_customers": [20, 5], "customer_share": [0.8, 0.2],
                          "revenue_amount": [60.0, 40.0], "revenue_share": [0.6, 0.4]})  # fmt: skip
    tiers = merge_small(sizes, people="n_customers", name="tier")
    (only,) = say.findings(tiers, NOTHING, EMPTY, EMPTY, EMPTY, horizon_days=90, page=page())
    assert (only.key, only.section) == ("concentration", "tiers")
    assert (
        only.sentence == "100\xa0% of the customers bring 100\xa0% of the revenue: 25 heavy or medium customers, £100."
    )
    assert say.findings(tiers.head(0), NOTHING, EMPTY, EMPTY, EMPTY, horizon_days=90, page=page()) == ()
