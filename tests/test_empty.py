"""Classes, key figures and metrics of tables that a shop lacks: the same kind of result, without a row or a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis.expr.types as ir
import pandas as pd
import pytest

from opslib import classification, engine, kpis, metrics
from opslib.contracts import CONTRACTS
from opslib.metrics import METRICS
from opslib.periods import Coverage
from tests.empty import BASELINE, PERIOD, SEEN, empty_table, n_rows, without_optional

AS_OF = PERIOD.end
LINES = empty_table("order_lines")
ALL = {name: empty_table(name) for name in CONTRACTS}
UNSEEN = Coverage(PERIOD.start, PERIOD.end)
SIDES = {"period": PERIOD, "baseline": BASELINE}
SOLD = without_optional(
    pd.DataFrame({
        "order_id": ["1", "2"], "product_id": "a", "customer_id": "x", "quantity": 1.0, "unit_price": [4.0, 6.0],
        "ordered_at": pd.to_datetime(["2025-11-05", "2026-02-05"]),
    }), "order_lines",
)  # fmt: skip


def classes(**choices: Any) -> ir.Table:
    return classification.abc_xyz(LINES, period=PERIOD, coverage=SEEN, **choices)


def ages() -> ir.Table:
    return classification.life_cycle(LINES, as_of=AS_OF, coverage=SEEN)


def growth(lines: ir.Table = LINES, by: str = "product_id", **more: Any) -> ir.Table:
    return classification.largest_groups(lines, by=by, products=ALL["products"], **SIDES, **{"coverage": SEEN, **more})


EMPTY: dict[str, Callable[[], Any]] = {
    "abc_xyz": classes,
    "abc_xyz by margin": lambda: classes(value="margin"),
    "cell_summary": lambda: classification.cell_summary(classes()),
    "pareto_curve": lambda: classification.pareto_curve(classes()),
    "growth_share": lambda: classification.growth_share(LINES, by="country", **SIDES),
    "largest_groups": growth,
    "largest_groups, nothing to compare with": lambda: growth(SOLD, coverage=UNSEEN),
    "largest_groups of no category": lambda: growth(SOLD, by="category"),
    "with_names": lambda: classification.with_names(growth(), ALL["products"]),
    "life_cycle": ages,
    "stage_summary": lambda: classification.stage_summary(ages(), classes()),
    "decompose_change": lambda: kpis.decompose_change(LINES, coverage=SEEN, **SIDES),
    "decompose_change, not wholly seen": lambda: kpis.decompose_change(SOLD, coverage=UNSEEN, **SIDES),
    "decompose_by": lambda: kpis.decompose_by(LINES, by="category", products=ALL["products"], **SIDES),
    "decompose_by, not wholly seen": lambda: kpis.decompose_by(SOLD, by="country", coverage=UNSEEN, **SIDES),
    "cohort_retention": lambda: kpis.cohort_retention(LINES, coverage=SEEN),
    "concentration": lambda: kpis.concentration(LINES, period=PERIOD),
    "concentration of no customer": lambda: kpis.concentration(SOLD.mutate(customer_id=None), period=PERIOD),
    "kpi_table": lambda: kpis.kpi_table({}, period=PERIOD, coverage=SEEN),
    "kpi_series": lambda: kpis.kpi_series({}, grain="month", period=PERIOD, coverage=SEEN),
    "largest_changes": lambda: kpis.largest_changes(LINES, products=ALL["products"], **SIDES),
    "largest_changes, nothing to compare with": lambda: kpis.largest_changes(
        SOLD, products=ALL["products"], **{**SIDES, "baseline": None}
    ),
    "order_totals": lambda: metrics.order_totals(LINES),
    "running_shares": lambda: metrics.running_shares(metrics.order_totals(LINES), column="revenue_amount"),
}


@pytest.mark.parametrize("ask", EMPTY.values(), ids=EMPTY)
def test_of_nothing_nothing_is_told(ask):
    found = ask()
    assert isinstance(found, ir.Table | pd.DataFrame)
    assert n_rows(found) == 0


def test_figures_of_a_table_that_is_not_there_are_missing_and_never_zero():
    nothing = kpis.kpi_table({}, period=PERIOD, coverage=SEEN)
    assert kpis.shop_kpis({}) == ()
    assert "revenue" not in set(nothing["metric"])
    known = kpis.kpi_table({"order_lines": SOLD}, period=PERIOD, coverage=SEEN)
    assert not {"return_rate", "refunds"} & set(known["metric"])


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_of_empty_tables_has_no_unit(metric):
    unit = "session" if metric.unit_of_analysis == "visitor" else metric.unit_of_analysis
    values = metrics.unit_values(ALL, [metric], unit=unit, period=PERIOD)
    assert len(engine.collect(values)) == 0
    assert metrics.unit_statistics(values, [metric])["n"].tolist() == [0]
