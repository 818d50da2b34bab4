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
    money = replace(made.amount, value=9_000.0, lower=8_000.0, upper=9_900.0)
    total = Estimate(value=880.0, lower=800.0, upper=960.0, n=400, unit="purchases", method="by hand")
    skill = Estimate(value=0.2, lower=0.05, upper=0.35, n=400, unit="share", method="by hand")
    return replace(
        made,
        orders=total,
        realised_orders=1000.0,
        naive_orders=1300.0,
        skill=skill,
        amount=money,
        realised_amount=10_000.0,
    )


def findings(check, checks, kinds=EMPTY):
    found = say.findings(NO_TIERS, check, checks, ALL, VALUES, kinds, horizon_days=90, page=page())
    return {f.key: f for f in found}, [f.key for f in found]


def checks_of(check, *failed: str) -> pd.DataFrame:
    return lifetime_checks(check.model, check).assign(is_passed=lambda t: ~t["check"].isin(failed))


def plain(finding) -> str:
    return finding.sentence.replace("\xa0", " ")


def test_worth_stands_beside_what_the_forecast_missed(check):
    found, keys = findings(check, checks_of(check))
    assert keys == ["lifetime-worth", "win-back", "lifetime-holdout"]
    assert plain(found["lifetime-worth"]) == (
        "520 known customers should bring £10k in the next 90 days (£8,500 to £11.8k). Over the last 91 days the same forecast "
        "was 10 % too low in money, outside the interval that it gave then."
    )
    assert plain(found["win-back"]) == (
        "About 300 of 400 customers in 'at risk' are likely to have stopped. These 300 back would bring £4,800 of revenue in 90 days at the very best."
    )
    assert found["win-back"].action.endswith(
        "spend well under £12 on each, the revenue that it may bring at best"
    )  # 4,800 of 400
    costed = say.findings(
        NO_TIERS, check, checks_of(check), ALL, VALUES, EMPTY, horizon_days=90, margin_share=0.5, page=page()
    )
    assert costed[1].action.endswith("spend well under £6.00 on each, the margin that it may bring at best")
    told = say.answer(NO_TIERS, check, checks_of(check), ALL, horizon_days=90, page=page())
    assert told.replace("\xa0", " ") == (
        "520 known customers should bring about £10k in the next 90 days; over the last 91 days this forecast was 10 % too low in money."
    )
    assert found["win-back"].department == "Customer service"
    assert plain(found["lifetime-holdout"]) == (
        "Over the last 91 days 880 purchases were forecast (800–960) and 1,000 came; going on as before said 1,300, further off than the forecast."
    )
    assert found["lifetime-holdout"].action is None


def test_a_forecast_that_missed_is_no_amount(check):
    """Three failed checks stood beside "£2.16m (812k to 5.75m)" on the first screen."""
    checks = checks_of(check, "held-out total", "values have a spread")
    found, keys = findings(check, checks)
    assert keys == ["lifetime-worth", "win-back", "lifetime-holdout"]
    assert "£" not in " ".join(f.sentence for f in found.values())
    assert say.usable(VALUES, checks).empty
    assert len(say.usable(VALUES, checks_of(check))) == len(VALUES)
    assert say.why_not_told(checks).startswith(
        f"Amounts are left out: the forecast failed 2 of its {len(checks)} checks"
    )
    assert say.why_not_told(checks_of(check)) == ""
    assert (say.check_rows(checks)["meaning"] != "").sum() == 2
    assert found["lifetime-worth"].estimate is None
    assert found["lifetime-holdout"].action.startswith("Budget with last year's months")
    told = say.answer(NO_TIERS, check, checks, ALL, horizon_days=90, page=page())
    assert told == "What they will bring in the next 90 days cannot be told: the forecast does not fit this shop."


def test_where_nobody_is_seen_to_stop_nobody_is_to_be_won_back(check):
    found, keys = findings(check, checks_of(check, "customers stop", "repeat share"))
    assert keys == ["lifetime-worth", "win-back", "lifetime-holdout"]
    stops = checks_of(check, "customers stop")
    assert set(say.worth_heads(checks_of(check), of="segment")) - set(say.worth_heads(stops, of="segment")) == {
        "alive_share",
        "dormant_amount",
    }
    assert plain(found["win-back"]).endswith("in 'at risk' have left cannot be told from their orders.")
    assert found["win-back"].action.startswith("Write to a random half")
    assert found["lifetime-worth"].caveat.startswith("Nearly everybody, or nobody, comes back")


@pytest.mark.parametrize(("naive", "word"), [(1300.0, "further off than"), (1050.0, "nearer than")])
def test_the_nearer_forecast_is_called_so(check, naive, word):
    found, _ = findings(replace(check, naive_orders=naive), checks_of(check))
    assert found["lifetime-holdout"].sentence.endswith(f"{word} the forecast.")


def test_business_and_consumers_apart(check):
    kinds = VALUES.head(2).assign(segment=["business", "consumer"])
    found, _ = findings(check, checks_of(check), kinds)
    assert plain(found["kinds-worth"]) == (
        "A business customer should bring £80 in 90 days, a consumer £4.00; 83 % of all comes from 100 business customers."
    )
    assert "kinds-worth" not in findings(check, checks_of(check), kinds.head(1))[0]


def test_withheld_segments_are_not_named(check):
    found = say.findings(NO_TIERS, check, checks_of(check), ALL, VALUES.tail(1), EMPTY, horizon_days=90, page=page())
    assert [f.key for f in found] == ["lifetime-worth", "lifetime-holdout"]
    assert "tiny" not in found[0].sentence


def test_limits_name_the_horizon():
    assert "90" in say.limits(page(), horizon_days=90)[0]


def test_a_small_tier_that_joined_the_heavy_one_is_named_with_it_and_no_forecast_is_none():
    sizes = pd.DataFrame({"tier": ["heavy", "medium"], "n_customers": [20, 5], "customer_share": [0.8, 0.2],
                          "revenue_amount": [60.0, 40.0], "revenue_share": [0.6, 0.4]})  # fmt: skip
    tiers = merge_small(sizes, people="n_customers", name="tier")
    (only,) = say.findings(tiers, NOTHING, EMPTY, EMPTY, EMPTY, EMPTY, horizon_days=90, page=page())
    assert (only.key, only.section) == ("concentration", "tiers")
    assert (
        only.sentence == "25 customers (100\xa0%) brought 100\xa0% of the revenue of known customers in Oct 2026, £100."
    )
    assert say.findings(tiers.head(0), NOTHING, EMPTY, EMPTY, EMPTY, EMPTY, horizon_days=90, page=page()) == ()
