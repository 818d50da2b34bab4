"""Designs without randomisation: a level, a trend, a comparison of groups as found, an outside figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import stats as distributions

from opslib.metrics import UNITS, unit_statistics, unit_values
from opslib.periods import Period
from opslib.proposals.designs.design import (
    LEAST_UNITS,
    Context,
    GateError,
    Plan,
    days_of,
    evaluates,
    from_comparison,
    health_gate,
    metrics_of,
    passed,
    relative_change,
    units_gate,
)
from opslib.proposals.results import Gate, Measured
from opslib.proposals.schema import ComparisonDesign, OutsideDesign, TrendDesign
from opslib.proposals.scope import ScopeFilter, where_of
from opslib.stats.estimates import Estimate
from opslib.stats.ratios import compare
from opslib.stats.skewed import metric_level
from opslib.stats.sufficient_statistics import SufficientStatistics, statistics_of_row
from opslib.stats.trends import LEAST_DAYS, WEEK, series_trend, slope_of
from opslib.stats.verdict_rule import towards

LEAST_WEEKS = 12
DAYS_IN = {"week": 7.0, "month": 365.25 / 12}
#: Documented bias of groups as found and of other people's figures, in relative terms (standard deviation):
#: observational estimates of marketing effects miss the randomised one by half of it and more.
BIAS_SD = {"comparison": 0.20, "outside": 0.10}


#: Level claims that one scan answers: unit, period, columns of equality filters (told apart afterwards), other filters.
_Scan: TypeAlias = tuple[str, Period, tuple[str, ...], tuple[ScopeFilter, ...]]


def _scan_of(plan: Plan, period: Period) -> _Scan:
    groups, others = _split(plan)
    return plan.unit, period, tuple(sorted(groups)), others


def _scanned(scan: _Scan, plans: Sequence[Plan], context: Context) -> pd.DataFrame:
    (unit, period, columns, others), metrics = scan, metrics_of(plans)
    values = unit_values(context.tables, metrics, unit=(unit, *columns), period=period, where=where_of(others))
    return unit_statistics(values, metrics, by=columns).set_index(["metric", *columns]).sort_index()


@evaluates("level", key=_scan_of, read=_scanned)
def measure_level(plan: Plan, period: Period, statistics: pd.DataFrame, context: Context) -> Measured:
    """Level of a metric over a window, clustered by unit; claims that differ in a group's value share a scan."""
    group = [value for _, value in sorted(_split(plan)[0].items())]
    arm = _statistics_at(statistics, (plan.metric.name, *group) if group else plan.metric.name)
    gates = [health_gate(plan, context, period), _counted_gate(arm.n, unit=plan.unit)]
    if not arm.d > 0:
        gates.append(Gate("measurable", "failed", f"nothing to divide {plan.metric.name} by"))
    passed(*gates)
    if plan.direction == "down":
        way_out = "claim the opposite share, or write the claim as a change"
        refused = Gate("measurable", "failed", f"a level is claimed to be at least the promise; {way_out}")
        raise GateError(*gates, refused)
    level = metric_level(arm, unit=plan.metric.unit, confidence_level=plan.confidence_level)
    return Measured(
        effect=level,
        gates=tuple(gates),
        n_treated=level.n,
        n_days=period.n_days,
        doubt=f"Counted {period.label}; it says how things stood, not what a change would do.",
    )


@evaluates(
    "trend",
    key=lambda plan, period: (period, plan.claim.scope),
    read=lambda batch, plans, context: days_of(plans, context, *batch),
)
def measure_trend(plan: Plan, period: Period, days: pd.DataFrame, context: Context) -> Measured:
    """Relative growth a week or month from the daily series, its days dependent."""
    design, name = plan.claim.design, plan.metric.name
    assert isinstance(design, TrendDesign)
    series = days[["day", name]].rename(columns={name: "value"})
    seen = series[series["value"].notna()]
    gates = passed(health_gate(plan, context, period))
    if len(seen) < 2 * LEAST_DAYS:
        sentence = f"{len(seen)} days with a value; {2 * LEAST_DAYS} are the least for a trend"
        raise GateError(*gates, Gate("enough history", "failed", sentence))
    span = DAYS_IN[design.grain]
    if (seen["value"] > 0).all():
        slope = series_trend(
            series.assign(value=np.log(series["value"])), unit="log", confidence_level=plan.confidence_level
        )
    else:
        slope, span = _slope_of_weeks(_week_logs(days, name), plan, gates), span / WEEK
    return Measured(
        effect=towards(relative_change(slope, span, unit=f"relative per {design.grain}"), direction=plan.direction),
        gates=gates,
        n_treated=len(seen),
        n_days=period.n_days,
        doubt=f"The season of {period.label} is part of the growth.",
    )


def _counted_gate(n: float, *, unit: str) -> Gate:
    """Whether enough were counted for a level."""
    return Gate.check("measurable", n >= LEAST_UNITS, f"{n:,.0f} {unit}s counted; {LEAST_UNITS} are the least")


def _slope_of_weeks(weeks: np.ndarray, plan: Plan, gates: tuple[Gate, ...]) -> Estimate:
    """Slope a week of logarithms, for shops with closed days; refused where too few weeks are above 0."""
    if len(weeks) < LEAST_WEEKS or not np.isfinite(weeks).all():
        few = f"fewer than {LEAST_WEEKS} whole weeks are above 0; take a wider scope"
        raise GateError(*gates, Gate("measurable", "failed", f"{plan.metric.name} is 0 on some days and {few}"))
    return slope_of(
        weeks,
        unit="log",
        method="slope of weeks with autoregressive errors",
        confidence_level=plan.confidence_level,
        season=1,
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
def measure_comparison(plan: Plan, period: Period, _: None, context: Context) -> Measured:
    """Two groups as found, clustered by unit; an association, whatever its size."""
    design = plan.claim.design
    assert isinstance(design, ComparisonDesign)
    control, treated = (_group_statistics(plan, context, period, group) for group in (design.control, design.treatment))
    gates = passed(
        health_gate(plan, context, period),
        units_gate(
            control.n, treated.n, unit=f"{plan.unit}s", sides=(f"in '{design.control}'", f"in '{design.treatment}'")
        ),
    )
    if not control.y > 0 or not min(control.d, treated.d) > 0:
        raise GateError(Gate("measurable", "failed", f"{plan.metric.name} is 0 in '{design.control}'"))
    result = compare(control, treated, unit=plan.metric.unit, confidence_level=plan.confidence_level)
    doubt = f"Who is in '{design.treatment}' was not drawn by lot: they may differ in more than that."
    bias = plan.on_scale(BIAS_SD["comparison"], baseline=result.control_value)
    return from_comparison(plan, result, unit=plan.unit, n_days=period.n_days, gates=gates, bias_sd=bias, doubt=doubt)


def _group_statistics(plan: Plan, context: Context, period: Period, group: str) -> SufficientStatistics:
    """Sums of a claim's metric over the units of one group."""
    column, metrics = plan.claim.design.group.partition(".")[2], metrics_of([plan])  # type: ignore[union-attr]
    where = [*where_of(plan.claim.scope), (column, "=", group)]
    values = unit_values(context.tables, metrics, unit=plan.unit, period=period, where=where)
    return _statistics_at(unit_statistics(values, metrics).set_index("metric"), plan.metric.name)


def measure_outside(plan: Plan, *_: object) -> Measured:
    """What a benchmark or an expert says, as cited: no data of the shop are needed."""
    design = plan.claim.design
    assert isinstance(design, OutsideDesign)
    z = float(distributions.norm.ppf((1 + design.level) / 2))
    estimate = Estimate(
        value=design.value,
        lower=design.lower,
        upper=design.upper,
        confidence_level=design.level,
        n=0,
        method=f"cited: {design.citation}",
        unit="relative" if plan.claim.scale == "relative" else plan.metric.unit,
        std_error=(design.upper - design.lower) / (2 * z),
    )
    return Measured(effect=estimate, bias_sd=BIAS_SD["outside"], doubt=f"Measured elsewhere ({design.citation}).")


evaluates("outside", unread=measure_outside)(measure_outside)


def _split(plan: Plan) -> tuple[dict[str, Any], tuple[ScopeFilter, ...]]:
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


def _statistics_at(statistics: pd.DataFrame, key: object) -> SufficientStatistics:
    if key not in statistics.index:
        return SufficientStatistics.of_mean(n=0.0, y=0.0, yy=0.0)
    return statistics_of_row(statistics.loc[[key]].iloc[0].to_dict())
