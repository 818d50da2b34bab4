"""What can be said without randomising: a level, a trend, two groups as found, and what others report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import stats as distributions

from opslib.metrics import UNITS, Metric, daily_values, unit_moments, unit_values
from opslib.periods import Period
from opslib.proposals.designs.base import (
    Context,
    Plan,
    evaluates,
    from_comparison,
    health_gate,
    in_batches,
    look_of,
    pending,
    refused,
    units_gate,
    where_of,
)
from opslib.proposals.model import Comparison, Outside, Trend
from opslib.proposals.results import Gate, Measured
from opslib.proposals.scope import Filter, Scope
from opslib.stats.estimates import Estimate
from opslib.stats.moments import Moments
from opslib.stats.ratios import compare
from opslib.stats.skewed import metric_level
from opslib.stats.trends import LEAST_DAYS, WEEK, autoregressive_interval, series_trend
from opslib.stats.verdict_rule import towards

LEAST_WEEKS = 12
DAYS_IN = {"week": 7.0, "month": 365.25 / 12}
#: Documented bias of groups as found and of other people's figures, in relative terms (standard deviation):
#: observational estimates of marketing effects miss the randomised one by half of it and more.
BIAS_SD = {"comparison": 0.20, "outside": 0.10}


#: Level claims that one scan answers: unit, period, columns of equality filters (told apart afterwards), other filters.
_Scan: TypeAlias = tuple[str, Period, tuple[str, ...], tuple[Filter, ...]]


@evaluates("level")
def measure_levels(plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """Levels of metrics over their window, clustered by unit; claims that differ in a group's value share a scan.

    Parameters
    ----------
    plans : sequence of Plan
    context : Context

    Returns
    -------
    dict of plan key to Measured
    """
    return in_batches(plans, context, key=_scan_of, read=_scanned, judge=_level)


def _scan_of(plan: Plan, period: Period) -> _Scan:
    groups, others = _split(plan)
    return plan.unit, period, tuple(sorted(groups)), others


def _scanned(scan: _Scan, plans: Sequence[Plan], context: Context) -> pd.DataFrame:
    (unit, period, columns, others), metrics = scan, metrics_of(plans)
    values = unit_values(context.tables, metrics, unit=(unit, *columns), period=period, where=where_of(others))
    return unit_moments(values, metrics, by=columns).set_index(["metric", *columns]).sort_index()


def _level(plan: Plan, period: Period, moments: pd.DataFrame, context: Context) -> Measured:
    group = [value for _, value in sorted(_split(plan)[0].items())]
    arm = _moments_at(moments, (plan.metric.name, *group) if group else plan.metric.name)
    gates = (health_gate(plan, context, period), units_gate(arm.n, arm.n, unit=f"{plan.unit}s"))
    if any(gate.status == "failed" for gate in gates) or not arm.d > 0:
        empty = Gate(name="measurable", status="failed", sentence=f"nothing to divide {plan.metric.name} by")
        return Measured(effect=None, gates=gates if arm.d > 0 else (*gates, empty))
    level = metric_level(arm, unit=plan.metric.unit, level=plan.level)
    if plan.direction == "down":
        return refused(
            Gate(
                name="measurable",
                status="failed",
                sentence="a level is claimed to be at least the promise; "
                "claim the opposite share, or write the claim as a change",
            ),
            *gates,
        )
    return Measured(
        effect=level,
        gates=gates,
        outcome=level.value,
        n_control=0,
        n_treated=level.n,
        n_days=period.n_days,
        doubt="A description of these days; it names no cause.",
    )


@evaluates("trend")
def measure_trends(plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """Relative growth a week or month from the daily series, its days dependent.

    Parameters
    ----------
    plans : sequence of Plan
    context : Context

    Returns
    -------
    dict of plan key to Measured
    """

    def days_of(batch: tuple[Period, Scope], members: Sequence[Plan], context: Context) -> pd.DataFrame:
        period, where = batch[0], where_of(batch[1])
        return daily_values(context.tables, metrics_of(members), period=period, coverage=context.coverage, where=where)

    return in_batches(plans, context, key=lambda plan, period: (period, plan.claim.scope), read=days_of, judge=_trend)


def _trend(plan: Plan, period: Period, days: pd.DataFrame, context: Context) -> Measured:
    series = days[["day", plan.metric.name]].rename(columns={plan.metric.name: "value"})
    seen = series[series["value"].notna()]
    gate = health_gate(plan, context, period)
    if gate.status == "failed":
        return refused(gate)
    if len(seen) < 2 * LEAST_DAYS:
        return refused(
            Gate(
                name="enough history",
                status="failed",
                sentence=f"{len(seen)} days with a value; {2 * LEAST_DAYS} are the least for a trend",
            ),
            gate,
        )
    design = plan.claim.design
    assert isinstance(design, Trend)
    span = DAYS_IN[design.grain]
    if (seen["value"] > 0).all():
        slope = series_trend(series.assign(value=np.log(series["value"])), unit="log", level=plan.level)
    else:
        weeks = _week_logs(days, plan.metric.name)
        if len(weeks) < LEAST_WEEKS or not np.isfinite(weeks).all():
            return refused(
                Gate(
                    name="measurable",
                    status="failed",
                    sentence=f"{plan.metric.name} is 0 on some days and "
                    f"fewer than {LEAST_WEEKS} whole weeks are above 0; take a wider scope",
                ),
                gate,
            )
        value, lower, upper, error = (
            float(part[0]) for part in autoregressive_interval(weeks[None], has_slope=True, level=plan.level, season=1)
        )
        slope = Estimate(
            value=value,
            lower=lower,
            upper=upper,
            n=len(weeks),
            unit="log",
            level=plan.level,
            std_error=error,
            method="slope of weeks with autoregressive errors",
        )
        span /= WEEK
    value, lower, upper = (math.expm1(end * span) for end in (slope.value, slope.lower, slope.upper))
    growth = replace(
        slope,
        value=value,
        lower=lower,
        upper=upper,
        unit=f"relative per {design.grain}",
        std_error=None if slope.std_error is None else slope.std_error * span * (1 + value),
    )
    return Measured(
        effect=towards(growth, direction=plan.direction),
        gates=(gate,),
        n_treated=len(seen),
        n_days=period.n_days,
        doubt="A description of these days; the season is part of it.",
    )


def _week_logs(days: pd.DataFrame, metric: str) -> np.ndarray:
    """Logarithm of the metric in each whole week from the first day on (for shops with closed days)."""
    week = np.arange(len(days)) // WEEK
    sums = days.groupby(week)[[f"{metric}_numerator", f"{metric}_denominator"]].agg(["sum", "size"])
    whole = sums[sums[(f"{metric}_numerator", "size")] == WEEK]
    top, bottom = whole[(f"{metric}_numerator", "sum")], whole[(f"{metric}_denominator", "sum")]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log((top / bottom).to_numpy(dtype=float))


@evaluates("comparison")
def measure_comparisons(plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """Two groups as found, clustered by unit; an association, whatever its size.

    Parameters
    ----------
    plans : sequence of Plan
    context : Context

    Returns
    -------
    dict of plan key to Measured
    """
    return {plan.key: _compared(plan, context) for plan in plans}


def _compared(plan: Plan, context: Context) -> Measured:
    design, look = plan.claim.design, look_of(plan.claim, as_of=context.as_of)
    assert isinstance(design, Comparison)
    if look.period is None:
        return pending(look)
    column, metrics = design.group.partition(".")[2], metrics_of([plan])
    arms = {}
    for group in (design.control, design.treatment):
        where = [*where_of(plan.claim.scope), (column, "=", group)]
        values = unit_values(context.tables, metrics, unit=plan.unit, period=look.period, where=where)
        arms[group] = _moments_at(unit_moments(values, metrics).set_index("metric"), plan.metric.name)
    control, treated = arms[design.control], arms[design.treatment]
    gates = (health_gate(plan, context, look.period), units_gate(control.n, treated.n, unit=f"{plan.unit}s"))
    if any(gate.status == "failed" for gate in gates):
        return Measured(effect=None, gates=gates)
    if not control.y > 0 or not min(control.d, treated.d) > 0:
        return refused(
            Gate(name="measurable", status="failed", sentence=f"{plan.metric.name} is 0 in '{design.control}'")
        )
    result = compare(control, treated, unit=plan.metric.unit, level=plan.level)
    bias = BIAS_SD["comparison"] * (1.0 if plan.claim.scale == "relative" else abs(result.control_value))
    return from_comparison(
        plan,
        result,
        n_days=look.period.n_days,
        gates=gates,
        bias_sd=bias,
        doubt=(
            f"Who is in '{design.treatment}' was not drawn by lot: they may differ in what else moves {plan.metric.name}."
        ),
    )


@evaluates("outside")
def measure_outside(plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """What a benchmark or an expert says, as cited.

    Parameters
    ----------
    plans : sequence of Plan
    context : Context

    Returns
    -------
    dict of plan key to Measured
    """
    return {plan.key: _cited(plan) for plan in plans}


def _cited(plan: Plan) -> Measured:
    design = plan.claim.design
    assert isinstance(design, Outside)
    z = float(distributions.norm.ppf((1 + design.level) / 2))
    estimate = Estimate(
        value=design.value,
        lower=design.lower,
        upper=design.upper,
        level=design.level,
        n=0,
        method=f"cited: {design.citation}",
        unit="relative" if plan.claim.scale == "relative" else plan.metric.unit,
        std_error=(design.upper - design.lower) / (2 * z),
    )
    return Measured(effect=estimate, bias_sd=BIAS_SD["outside"], doubt=f"Measured elsewhere ({design.citation}).")


def _split(plan: Plan) -> tuple[dict[str, Any], tuple[Filter, ...]]:
    """Groups (unit name -> value) that can be told apart after one scan, and the filters that cannot."""
    groups: dict[str, Any] = {}
    others = []
    for item in plan.claim.scope:
        name = _group_of(item.name)
        if item.op == "eq" and name is not None and name not in groups and name != plan.unit:
            groups[name] = item.value
        else:
            others.append(item)
    return groups, tuple(others)


def _group_of(column: str) -> str | None:
    """Name by which `metrics.unit_values` can group by a column, if it can."""
    if column in UNITS:
        return column
    return next((unit for unit, columns in UNITS.items() if columns == (column,) and unit != "buyer"), None)


def metrics_of(plans: Sequence[Plan]) -> list[Metric]:
    """Metrics of some plans that the registry defines, each once."""
    found = {plan.metric.name: plan.metric for plan in plans}
    return [metric for metric in found.values() if isinstance(metric, Metric)]


def _moments_at(moments: pd.DataFrame, key: object) -> Moments:
    if key not in moments.index:
        return Moments.of_mean(n=0.0, y=0.0, yy=0.0)
    row = moments.loc[[key]].iloc[0]
    return Moments(**{name: float(row[name]) for name in Moments.__slots__ if name in row.index})
