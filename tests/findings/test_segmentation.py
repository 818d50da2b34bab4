"""Sentences on segments and on what visits are for, by hand."""

from __future__ import annotations

import pandas as pd

from opslib.finding import Finding, Proposes, in_order
from opslib.findings import segmentation as say
from tests.findings.facts import EMPTY, NOTHING, page

NO_LINES = pd.DataFrame(columns=["part", "revenue_amount"])
NOBODY = pd.DataFrame(columns=["segment", "n_customers"])
INTENTS = pd.DataFrame({
    "intent": ["unseen", "bounce", "checkout", "cart"], "n_visits": [900, 500, 20, 60], "n_visitors": [800, 400, 19, 50],
    "visit_share": [0.6, 0.37, 0.013, 0.04], "lower": [0.55, 0.36, 0.01, 0.03], "upper": [0.65, 0.38, 0.016, 0.05],
    "later_share": [0.1, 0.15, 0.2, 0.17], "later_lower": [0.0, 0.1, 0.1, 0.12], "later_upper": [0.2, 0.2, 0.3, 0.22],
    "meaning": ["no event", "one event, and gone", "left the checkout", "left in the cart"],
})  # fmt: skip


def of_visits(intents: pd.DataFrame) -> tuple[Finding, ...]:
    return say.findings(NO_LINES, NOBODY, intents, NOTHING, NOTHING, page=page())


def test_visits_by_hand():
    (left,) = of_visits(INTENTS)
    assert left.key == "left-carts"
    assert left.sentence.startswith(
        "4.0\xa0% (3.0–5.0) of the visits end as 'cart' (left in the cart); in 17\xa0% (12–22) of them"
    )
    assert "in a later visit within 30" in left.sentence
    assert (left.estimate.value, left.estimate.n) == (0.17, 50)
    assert left.caveat


def test_no_visits_no_findings():
    assert of_visits(INTENTS.head(2)) == of_visits(INTENTS.head(0)) == of_visits(EMPTY) == ()


def test_segments_without_customers_are_not_talked_about():
    sizes = pd.DataFrame({"segment": ["champions", "at risk"], "n_customers": [10, 0], "customer_share": [1.0, 0.0],
                          "n_orders": [30, 0], "revenue_amount": [500.0, 0.0], "revenue_share": [1.0, 0.0],
                          "mean_recency_days": [5.0, float("nan")], "action": ["thank", "win back"], "department": ["Buying", "Data"]})  # fmt: skip
    coverage = pd.DataFrame(
        {
            "part": ["with a customer", "without a customer"],
            "revenue_amount": [500.0, 100.0],
            "revenue_share": [5 / 6, 1 / 6],
        }
    )
    found = {f.key: f for f in say.findings(coverage, sizes, EMPTY, NOTHING, NOTHING, page=page())}
    assert set(found) == {"segment-champions", "without-customer"}
    assert "16.7\xa0% of the revenue (£100) has no customer" in found["without-customer"].sentence


def test_those_at_risk_come_first_then_what_visits_leave_behind():
    names = ["champions", "new", "at risk"]
    sizes = pd.DataFrame({"segment": names, "n_customers": 10, "customer_share": 0.3, "revenue_amount": 9.0,
                          "revenue_share": 0.3, "mean_recency_days": 5.0, "action": "x", "department": "Buying"})  # fmt: skip
    found = in_order(say.findings(NO_LINES, sizes, INTENTS, NOTHING, NOTHING, page=page()))
    assert [f.key for f in found] == ["segment-at-risk", "left-carts", "segment-new", "segment-champions"]
    assert found[0].proposes == Proposes(metric="purchase_rate", design="experiment")


def test_limits_name_the_window():
    assert "31 days" in say.limits(page())[1].replace("\xa0", " ")
