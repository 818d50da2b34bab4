"""Response to price: products over weeks, promotion weeks left out, clustered where the price varies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pandas as pd

from opslib import engine
from opslib.metrics import METRICS, unit_values
from opslib.periods import Period, floor_date
from opslib.proposals.designs.base import Context, Plan, evaluates, health_gate, look_of, pending, refused, where_of
from opslib.proposals.model import Elasticity
from opslib.proposals.results import Gate, Measured
from opslib.stats.response import log_response
from opslib.stats.verdict_rule import towards

MAX_ROWS = 1_000_000
#: Documented bias of an observed price response, relative (standard deviation). Stated, not measured.
BIAS_SD = 0.05
#: Share of product-weeks without a sale that costs a grade, and that forbids a verdict.
EMPTY_WARNING, EMPTY_FAILED = 0.05, 0.2
_WARNINGS = {
    "followed": "prices followed demand, so what looks like a response may be its cause",
    "few_clusters": "few products whose price moved", "common_driver": "all prices moved together",
}  # fmt: skip


@evaluates("elasticity")
def measure_price_responses(plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """Change of units sold that a stated change of price brings, from how sales answered to earlier ones.

    Parameters
    ----------
    plans : sequence of Plan
        Claims with the design elasticity, on the metric units_sold.
    context : Context

    Returns
    -------
    dict of plan key to Measured
    """
    return {plan.key: _response(plan, context) for plan in plans}


def _response(plan: Plan, context: Context) -> Measured:
    design, look = plan.claim.design, look_of(plan.claim, as_of=context.as_of)
    assert isinstance(design, Elasticity)
    if look.period is None:
        return pending(look)
    if plan.metric.name != "units_sold" or plan.claim.scale != "relative":
        return refused(Gate(name="measurable", status="failed", sentence="the response to a price is claimed as a relative "
                            f"change of units_sold, not of {plan.metric.name}"))
    period = Period(look.period.end - timedelta(days=design.history_days - 1), look.period.end)
    gate = health_gate(plan, context, period)
    if gate.status == "failed":
        return refused(gate)
    rows = _rows(plan, context, period, promotions=_promotion_weeks(context, period))
    sparse = _sparse_gate(rows)
    if sparse.status == "failed":
        return refused(sparse, gate)
    found = log_response(rows, level=plan.level)
    step = math.log1p(design.price_change)
    ends = sorted(math.expm1(step * end) for end in (found.slope.lower, found.slope.upper))
    value = math.expm1(step * found.slope.value)
    effect = replace(
        found.slope, value=value, lower=ends[0], upper=ends[1], unit="relative",
        std_error=None if found.slope.std_error is None else abs(step) * found.slope.std_error * (1 + value),
    )
    warnings = tuple(Gate(name="measurable", status="warning", sentence=_WARNINGS[name]) for name in found.warnings)
    return Measured(
        effect=towards(effect, direction=plan.direction), gates=(gate, sparse, *warnings), n_treated=found.n_clusters,
        n_days=period.n_days, baseline=float(rows["outcome"].mean()), bias_sd=BIAS_SD,
        is_confounded="followed" in found.warnings,
        doubt="Prices were not moved by lot: what moved them may have moved sales as well.",
    )


def _sparse_gate(rows: pd.DataFrame) -> Gate:
    """Weeks without a sale have no logarithm; leaving many of them out pulls the response towards nothing."""
    if rows.empty:
        return Gate(name="measurable", status="failed", sentence="nothing was sold in the scope")
    weeks = rows["period"].nunique()
    spans = rows.groupby("unit")["period"].agg(["min", "size"])
    expected = sum(int((rows["period"].drop_duplicates() >= first).sum()) for first in spans["min"])
    share = 1 - len(rows) / max(expected, 1)
    status: Literal["passed", "warning", "failed"] = (
        "failed" if share > EMPTY_FAILED else "warning" if share > EMPTY_WARNING else "passed")
    return Gate(name="measurable", status=status, sentence=f"{share:.0%} of the product-weeks ({len(spans)} products, {weeks} "
                "weeks) are without a sale, and only those with one can be read; take products that sell every week")


def _rows(plan: Plan, context: Context, period: Period, *, promotions: frozenset[pd.Timestamp]) -> pd.DataFrame:
    """One row a product and week: unit, period, outcome (units sold), driver (price an item, after discount)."""
    metric = METRICS["price_per_item"]
    values = unit_values(context.tables, [metric], unit=("product", "week"), period=period, where=where_of(plan.claim.scope))
    frame = engine.collect(values.order_by(["unit_id", "week"]), max_rows=MAX_ROWS)
    frame = frame[frame["price_per_item_denominator"] > 0]
    week = pd.to_datetime(frame["week"])
    rows = pd.DataFrame({
        "unit": frame["unit_id"], "period": week, "outcome": frame["price_per_item_denominator"],
        "driver": frame["price_per_item_numerator"] / frame["price_per_item_denominator"],
    })
    return rows[~week.isin(promotions)].reset_index(drop=True)


def _promotion_weeks(context: Context, period: Period) -> frozenset[pd.Timestamp]:
    """Mondays of the weeks that a promotion touched; none where the shop keeps no list of changes."""
    if "changes" not in context.tables:
        return frozenset()
    changes = engine.as_table(context.tables["changes"])
    changes = changes.filter(changes["kind"] == "promotion")
    found = engine.collect(changes.select("change_id", "started_at", "ended_at").order_by("change_id"))
    weeks: set[pd.Timestamp] = set()
    for start, end in zip(pd.to_datetime(found["started_at"]), pd.to_datetime(found["ended_at"]), strict=True):
        last = period.end if pd.isna(end) else end.date()
        day = floor_date(start.date(), "week")
        while day <= last:
            weeks.add(pd.Timestamp(day))
            day += timedelta(days=7)
    return frozenset(weeks)
