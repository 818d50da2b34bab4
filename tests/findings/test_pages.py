"""The sentences of the health and classification pages."""

from __future__ import annotations

from datetime import date

import pandas as pd

from opslib.contracts import CONTRACTS, Violation
from opslib.findings import classification, data_health
from opslib.periods import Coverage
from tests.findings.facts import OCTOBER, page

ROWS = pd.DataFrame({
    "source": ["lines"] * 3, "outcome": ["kept", "kept", "set aside"], "table": ["order_lines", "returns", ""],
    "reason": ["sale", "cancellation", "postage"], "n_rows": [7, 1, 2],
})  # fmt: skip


def finding(severity, rule="must be filled"):
    return Violation("order_lines", "product_id", rule, severity, 3, 0.25, "")


def health(findings=(), coverage=None):
    seen = coverage or Coverage(OCTOBER.start, OCTOBER.end)
    return {f.key: f for f in data_health.findings(ROWS, findings, page=page(coverage=seen))}


def test_every_row_is_accounted_for_in_one_sentence():
    assert health()["rows-lines"].sentence == (
        "Every one of 10 lines is accounted for: 7 became order lines, 1 became returns and 2 (20\xa0%) were set aside "
        "for 1 stated reason."
    )


def said(findings=(), coverage=None):
    seen = coverage or Coverage(OCTOBER.start, OCTOBER.end)
    return data_health.answer(findings, page=page(coverage=seen))


def test_the_answer_names_its_reservations():
    """It once said "fit with 2 reservations, named below", and a reader had to look for them."""
    guests = Violation(
        "order_lines", "customer_id", "without customer: left out of customer figures", "warning", 30, 0.0336, ""
    )
    assert said() == "Fit to be evidence: every rule of the data holds."
    assert said([guests]) == "Fit to be evidence, with 1 reservation: 3\xa0% of order lines are guest orders."
    assert next(f for k, f in health([guests]).items() if k.startswith("rule")).sentence == (
        "3\xa0% of order lines are guest orders; they count in revenue, not in customer figures."
    )
    both = said([finding("error"), finding("error", "x")])
    assert both.startswith(
        "Not yet fit to be evidence: 2 broken rules make figures wrong (order lines product id breaks"
    )


def test_shares_of_next_to_nothing_are_counts():
    """3 of 527,795 lines once read 0.000568 %."""
    large = Violation("order_lines", "quantity", "over 50 times the 99th percentile", "warning", 3, 3 / 527_795, "")
    rows = data_health.reservations([large], page=page())
    assert rows.loc[0, ["weight", "what"]].tolist() == ["reservation", "3 order lines have very large quantities"]
    odd = Violation("order_lines", "quantity", "fuel in gallons: counted in gallons", "warning", 3, 0.5, "")
    assert data_health.reservations([odd], page=page()).loc[0, ["what", "effect"]].tolist() == [
        "50\xa0% of order lines: fuel in gallons", "counted in gallons",
    ]  # fmt: skip


def test_only_an_error_has_to_be_mended():
    error, warning = (
        next(f for k, f in health([finding(s)]).items() if k.startswith("rule")) for s in ("error", "warning")
    )
    assert (error.department, error.action, error.is_urgent) == (
        "Data",
        "Mend order lines product id at its source",
        True,
    )
    assert error.things == ("order lines product id",)
    assert warning.action is None


def test_missing_days_are_named_with_the_months_that_are_not_compared():
    seen = Coverage(OCTOBER.start, OCTOBER.end, frozenset(date(2026, 10, d) for d in (3, 4)))
    gone = Violation(
        "order_lines",
        "ordered_on",
        "days without a line while neighbours sell: not counted as zero",
        "warning",
        2,
        0.06,
        "",
    )
    found = health([gone], coverage=seen)
    assert next(f for k, f in found.items() if k.startswith("rule")).sentence == (
        "3 Oct 2026 and 4 Oct 2026 are missing; October 2026 is not compared with other months."
    )
    assert found["days"].sentence == "29 of 31 days from 1 Oct 2026 to 31 Oct 2026 are in the data."
    assert health()["days"].sentence == "All 31 days from 1 Oct 2026 to 31 Oct 2026 are in the data."


def test_a_shop_without_days_is_not_said_to_have_any():
    assert "days" not in {f.key for f in data_health.findings(ROWS, (), page=page(coverage=None))}


def test_without_rows_little_is_said():
    nothing = data_health.findings(ROWS.head(0), (), page=page())
    assert [f.key for f in nothing] == ["days"]


def test_every_page_says_what_it_cannot_say():
    for say in (data_health, classification):
        assert say.limits(page())
        assert all(sentence.endswith(".") for sentence in say.limits(page()))


def test_what_is_absent_or_set_aside_is_said_and_so_is_that_nothing_is():
    assert data_health.absent_tables(page(tables=frozenset(CONTRACTS))) == "Every table of the contract is there."
    assert "searches (what is searched and not found)" in data_health.absent_tables(page())
    assert data_health.as_it_was(ROWS) == ""
    assert data_health.as_it_was(ROWS.head(0)) == "Every table was read as it is; nothing was set aside."
