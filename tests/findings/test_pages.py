"""The sentences of the health and classification pages."""

from __future__ import annotations

from datetime import date

import pandas as pd

from opslib.contracts import Violation
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


def test_a_shop_without_days_is_not_said_to_have_any():
    assert "days" not in {f.key for f in data_health.findings(ROWS, (), page=page(coverage=None))}


def test_without_rows_little_is_said():
    nothing = data_health.findings(ROWS.head(0), (), page=page())
    assert [f.key for f in nothing] == ["verdict", "days"]


def test_every_page_says_what_it_cannot_say():
    for say in (data_health, classification):
        assert say.limits(page())
        assert all(sentence.endswith(".") for sentence in say.limits(page()))
