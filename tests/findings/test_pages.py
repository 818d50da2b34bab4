"""The sentences of the health, classification and segmentation pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from opslib.contracts import Violation
from opslib.findings.classification import classification_findings, classification_limits
from opslib.findings.health import health_findings, health_limits
from opslib.findings.order import strongest_first
from opslib.findings.segmentation import segmentation_findings, segmentation_limits
from opslib.periods import Coverage, Period
from opslib.privacy import merge_small

OCTOBER = Period.parse("2026-10-01", "2026-10-31")
ROWS = pd.DataFrame({
    "source": ["lines"] * 3, "outcome": ["kept", "kept", "set aside"], "table": ["order_lines", "returns", ""],
    "reason": ["sale", "cancellation", "postage"], "n_rows": [7, 1, 2],
})  # fmt: skip


def finding(severity, rule="must be filled"):
    return Violation("order_lines", "product_id", rule, severity, 3, 0.25, "")


def health(findings=(), coverage=None):
    seen = coverage or Coverage(OCTOBER.start, OCTOBER.end)
    return {f.key: f for f in health_findings(ROWS, findings, seen, period=OCTOBER)}


def test_every_row_is_accounted_for_in_one_sentence():
    assert health()["rows-lines"].sentence == (
        "Every one of 10 lines is accounted for: 7 became order lines, 1 became returns and 2 (20\xa0%) were set aside "
        "for 1 stated reason."
    )


def test_the_verdict_follows_the_worst_finding():
    assert health()["verdict"].sentence.startswith("The data are fit to be evidence: no rule")
    assert "with 1 reservation, named" in health([finding("warning")])["verdict"].sentence
    assert (
        "not yet fit to be evidence: 2 rules are broken"
        in health([finding("error"), finding("error", "x")])["verdict"].sentence
    )


def test_only_an_error_has_to_be_mended():
    error, warning = (
        next(f for k, f in health([finding(s)]).items() if k.startswith("rule")) for s in ("error", "warning")
    )
    assert (error.department, error.action) == ("Data", "mend order_lines.product_id at its source")
    assert warning.action is None


def test_missing_days_are_named_and_counted():
    seen = Coverage(OCTOBER.start, OCTOBER.end, frozenset(date(2026, 10, d) for d in (3, 4, 5, 6)))
    assert health(coverage=seen)["days"].sentence == (
        "27 of 31 days were observed, 1 Oct 2026 to 31 Oct 2026; missing within the data: 3 Oct 2026, 4 Oct 2026, 5 Oct 2026 "
        "and 1 more."
    )


def test_groups_that_moved_are_named_with_their_interval():
    cells = pd.DataFrame({"cell": ["AZ"], "abc_class": ["A"], "xyz_class": ["Z"], "n_products": [4], "product_share": [0.5],
                          "amount": [900.0], "amount_share": [0.8], "action": ["watch"], "owner": ["purchasing"]})  # fmt: skip
    matrix = pd.DataFrame({"group": ["rugs", "lamps"], "growth_share": [0.4, 0.1], "growth_lower": [0.3, -0.2],
                           "growth_upper": [0.5, 0.4], "shop_growth": [0.1, 0.1], "is_clear": [True, False]})  # fmt: skip
    stages = pd.DataFrame({"stage": ["decline"], "n_products": [2], "revenue_share": [0.05]})
    found = {f.key: f for f in classification_findings(cells, matrix, stages, currency="EUR")}
    assert (
        "1 of 2 groups grew faster than the shop (+10.0\xa0%) beyond chance: rugs +40\xa0%"
        in found["groups-faster"].sentence
    )
    assert "groups-slower" not in found
    assert found["cell-AZ"].department == "Buying"
    assert found["declining"].sentence.startswith("2 products with 5\xa0% of the revenue: ordered less")


def test_segments_without_customers_are_not_talked_about():
    sizes = pd.DataFrame({"segment": ["champions", "at risk"], "n_customers": [10, 0], "customer_share": [1.0, 0.0],
                          "n_orders": [30, 0], "revenue_amount": [500.0, 0.0], "revenue_share": [1.0, 0.0],
                          "mean_recency_days": [5.0, float("nan")], "action": ["thank", "win back"], "owner": ["a", "b"]})  # fmt: skip
    tiers = pd.DataFrame(
        {
            "tier": ["heavy"],
            "n_customers": [2],
            "customer_share": [0.2],
            "revenue_amount": [250.0],
            "revenue_share": [0.5],
        }
    )
    coverage = pd.DataFrame(
        {
            "part": ["with a customer", "without a customer"],
            "revenue_amount": [500.0, 100.0],
            "revenue_share": [5 / 6, 1 / 6],
        }
    )
    found = {f.key: f for f in segmentation_findings(sizes, tiers, coverage, currency="GBP")}
    assert set(found) == {"concentration", "segment-champions", "without-customer"}
    assert "16.7\xa0% of the revenue (£100) has no customer" in found["without-customer"].sentence
    ordered = strongest_first(
        [replace(found["concentration"], key="win-back"), *list(found.values())[::-1]], page="segmentation"
    )
    assert [f.key for f in ordered] == ["concentration", "win-back", "without-customer", "segment-champions"]


def test_a_small_tier_that_joined_the_heavy_one_is_named_with_it():
    sizes = pd.DataFrame({"tier": ["heavy", "medium"], "n_customers": [20, 5], "customer_share": [0.8, 0.2],
                          "revenue_amount": [60.0, 40.0], "revenue_share": [0.6, 0.4]})  # fmt: skip
    tiers = merge_small(sizes, people="n_customers", name="tier")
    coverage = pd.DataFrame({"part": ["without a customer"], "revenue_amount": [0.0]})
    none = pd.DataFrame(columns=["segment", "n_customers", "revenue_share"])
    (only,) = segmentation_findings(none, tiers, coverage, currency="GBP")
    assert (
        only.sentence == "100\xa0% of the customers bring 100\xa0% of the revenue: 25 heavy or medium customers, £100."
    )


def test_every_page_says_what_it_cannot_say():
    for sentences in (health_limits(), classification_limits(OCTOBER), segmentation_limits(n_days=365)):
        assert len(sentences) >= 2
        assert all(sentence.endswith(".") for sentence in sentences)
