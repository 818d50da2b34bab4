"""The sentences of the statistics page, on tables small enough to count."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from opslib import kpis
from opslib.finding import About
from opslib.findings import statistics as say
from opslib.periods import Coverage, Period
from tests.findings.facts import EMPTY
from tests.findings.facts import page as facts

MARCH = Period.parse("2026-03-01", "2026-03-31")
SEEN = Coverage(date(2026, 1, 1), date(2026, 3, 31))


def lines(rows):
    frame = pd.DataFrame(rows, columns=["order_id", "customer_id", "ordered_at", "quantity", "unit_price"])
    return frame.assign(product_id="a", ordered_at=pd.to_datetime(frame["ordered_at"]))


LINES = lines([
    ("1", "x", "2026-02-03", 1.0, 10.0),
    ("2", "y", "2026-02-05", 1.0, 10.0),
    ("3", "x", "2026-03-03", 2.0, 10.0),
    ("4", "y", "2026-03-05", 1.0, 10.0),
])  # fmt: skip


def page(table, coverage=SEEN, period=MARCH):
    figures = kpis.kpi_table({"order_lines": table}, period=period, coverage=coverage)
    comparable = coverage.status(period.previous()) == coverage.status(period) == "complete"
    factors = kpis.decompose_change(table, period=period, baseline=period.previous()) if comparable else pd.DataFrame()
    cohorts = kpis.cohort_retention(table, coverage=coverage)
    return {f.key: f for f in say.findings(figures, factors, cohorts, page=facts())}


def test_revenue_and_its_reason_are_said_first():
    found = page(LINES)
    assert list(found)[:2] == ["revenue", "why-revenue-moved"]
    # February 20, March 30: two buyers, one order each, so the ten came from items per order.
    assert found["revenue"].sentence.startswith("Revenue was £30.00 in Mar 2026: +50")
    assert "most came from items per order: items per order +£10.00" in found["why-revenue-moved"].sentence
    assert found["revenue"].about.metric == "revenue"
    assert found["revenue"].estimate.value == 30.0


def test_an_interval_that_holds_zero_is_said_to_be_chance():
    assert "no change beyond chance, against Feb 2026" in page(LINES)["average-order-value"].sentence


def test_changes_stand_apart_for_the_index():
    found = page(LINES)
    assert found["revenue-change"].estimate.value == pytest.approx(0.5)
    assert found["revenue-change"].about == About(metric="revenue", compared="previous", people=None)
    # The data begin in January: a year before was not seen.
    assert "revenue-change-year" not in found
    old = page(
        lines([("z", "c1", "2025-03-10", 1.0, 60.0), ("b", "c1", "2026-03-10", 1.0, 30.0)]),
        Coverage(date(2025, 1, 1), date(2026, 3, 31)),
    )
    assert old["revenue-change-year"].estimate.value == pytest.approx(-0.5)


def test_an_unfinished_month_is_never_called_a_fall():
    found = page(LINES, coverage=Coverage(date(2026, 1, 1), date(2026, 3, 20)))
    assert "20 of 31 days observed" in found["revenue"].sentence
    assert "not comparable with Feb 2026" in found["revenue"].sentence
    assert "why-revenue-moved" not in found
    assert "revenue-change" not in found


def test_without_an_earlier_period_nothing_is_compared():
    found = page(LINES, coverage=Coverage(date(2026, 3, 1), date(2026, 3, 31)))
    assert found["revenue"].sentence == "Revenue was £30.00 in Mar 2026."


def test_a_worse_figure_names_who_looks_closer():
    many = [(f"a{i}", f"c{i % 50}", "2026-02-10", 1.0, 10.0) for i in range(200)]
    few = [(f"b{i}", f"c{i % 50}", "2026-03-10", 1.0, 10.0) for i in range(60)]
    found = page(lines(many + few))
    assert found["repeat-rate"].department == "Customer service"
    assert found["orders"].department is None


def test_a_figure_that_fell_to_nothing_is_said_with_what_it_was():
    few = [(f"b{i}", f"c{i}", "2026-03-10", 1.0, 10.0) for i in range(50)]
    many = [(f"a{i}", f"c{i % 50}", "2026-02-10", 1.0, 10.0) for i in range(200)]
    assert page(lines(many + few))["repeat-rate"].sentence == (
        "Repeat rate: 0\xa0%; not comparable with Feb 2026 (100\xa0% then)."
    )


def test_limits_name_what_is_missing():
    costs, none = (pd.DataFrame({"metric": metrics}) for metrics in (["margin_share"], []))
    assert len(say.limits(facts(tables=frozenset({"sessions"})), costs)) == 2
    assert any("no margin" in s for s in say.limits(facts(tables=frozenset({"sessions"})), none))
    assert any("no conversion" in s for s in say.limits(facts(), costs))


def test_nothing_is_said_of_no_figures():
    figures = kpis.kpi_table({"order_lines": LINES}, period=MARCH, coverage=SEEN)
    assert say.findings(figures.head(0), EMPTY, EMPTY, page=facts()) == ()
    assert say.findings(figures.assign(value=float("nan")), EMPTY, EMPTY, page=facts()) == ()
