"""Designs over time: before/after with placebo windows, and roll-outs by difference-in-differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from opslib.errors import DesignError
from opslib.formats import format_date
from opslib.periods import Period
from opslib.proposals.designs.assignment import rollout_units
from opslib.proposals.designs.design import Context, GateError, Plan, days_of, evaluates, health_gate, passed, per_of
from opslib.proposals.designs.selection import selection_gate, worst_gate
from opslib.proposals.results import Gate, GateName, Measured
from opslib.proposals.schema import BeforeAfterDesign, RolloutDesign
from opslib.proposals.scope import Scope
from opslib.stats import before_after as placebo
from opslib.stats import rollouts
from opslib.stats.estimates import Estimate
from opslib.stats.synthetic import synthetic_did
from opslib.stats.verdict_rule import towards

WEEK = 7
#: Weeks just before a roll-out in which its units may have been chosen.
LAST_WEEKS = 4
#: Days of a week that must have been seen: the week's total is then scaled up to all seven.
LEAST_DAYS_SEEN = 4
#: Documented bias of designs that follow units or a series over time, relative (standard deviation): what else changed
#: on the same day is not taken out. Stated, not measured.
BIAS_SD = {"rollout": 0.02, "controlled": 0.03, "before_after": 0.05}
_WARNINGS = {
    "few_windows": "few windows of history", "no_season": "less than two years of history, so no season is taken out",
    "level_break": "the level broke in the history", "recent_shift": "the last window before the change was unusual",
    "trend": "a trend was taken out", "few_units": "few {unit}s on a side",
    "pre_trend": "both sides already drifted apart before",
    "poor_fit": "the comparison does not follow the {unit}s with the change before the start", "weak_pre_trend_test": "a drift before would hardly be seen",
}  # fmt: skip


@evaluates("before_after")
def measure_before_after(plan: Plan, period: Period, _: None, context: Context) -> Measured:
    """The window after a change beside windows in which nothing was changed; the control series is over ``control_scope``."""
    design = plan.claim.design
    assert isinstance(design, BeforeAfterDesign)
    if period.start < design.changed_on:
        early = f"the window starts before the change on {format_date(design.changed_on)}"
        raise GateError(Gate("measurable", "failed", early))
    first = _first_of_history(design, context)
    n_history = (design.changed_on - first).days
    chosen = selection_gate(plan, context, changed_on=design.changed_on, n_days=period.n_days, history_days=n_history)
    passed(*chosen)
    whole = Period(first, period.end)
    series = _series(plan, context, whole, plan.claim.scope)
    controls: tuple[str, ...] = ()
    if design.control_scope:
        series["control"] = _series(plan, context, whole, design.control_scope)["value"]
        controls = ("control",)
    if context.coverage is None:  # days before the first value are days before the data, not days without sales
        series = series[(series["value"].fillna(0.0) != 0).cummax()].reset_index(drop=True)
    after, before = series["day"] >= pd.Timestamp(period.start), series["day"] < pd.Timestamp(design.changed_on)
    found = placebo.before_after(
        series[before | after],
        changed_on=period.start,
        n_days=period.n_days,
        controls=controls,
        scale=plan.claim.scale,
        confidence_level=plan.confidence_level,
    )
    gates = passed(health_gate(plan, context, period))
    effect = found.relative if plan.claim.scale == "relative" else found.absolute
    baseline = float(series.loc[before, "value"].mean())
    return Measured(
        effect=towards(effect, direction=plan.direction),
        gates=(*gates, *_warnings(found.warnings, "enough history"), *chosen),
        baseline=baseline,
        **per_of(plan, unit="shop", n_days=1),
        n_control=found.n_windows,
        n_treated=1,
        n_days=period.n_days,
        p_value=found.p_value,
        df=found.df,
        has_control=bool(controls),
        bias_sd=plan.on_scale(BIAS_SD["controlled" if controls else "before_after"], baseline=baseline),
        doubt=f"Whatever else changed around {format_date(design.changed_on)} is in it; only changes above "
        f"{100 * found.detectable_share:.0f} % stand out from the usual ups and downs.",
    )


def _first_of_history(design: BeforeAfterDesign, context: Context) -> date:
    """First day of the history asked for, or of the data where they reach less far."""
    asked = design.changed_on - timedelta(days=design.history_days)
    if context.coverage is None:
        return asked
    return min(max(asked, context.coverage.first), design.changed_on - timedelta(days=1))


def _series(plan: Plan, context: Context, period: Period, scope: Scope) -> pd.DataFrame:
    """One row a day: day, value; days that were not observed are missing."""
    days = days_of([plan], context, period, scope)
    return days[["day", plan.metric.name]].rename(columns={plan.metric.name: "value"})


@evaluates("rollout")
def measure_rollout(plan: Plan, period: Period, _: None, context: Context) -> Measured:
    """Treated against untreated units (those that ``rollouts`` lists without ``treated_from``), week by week."""
    design = plan.claim.design
    assert isinstance(design, RolloutDesign)
    gates = passed(health_gate(plan, context, period))
    panel, unit = _panel(plan, design, period, context)
    passed(*gates, *_chosen_for_their_bad_days(panel, plan))
    effect, p_value, warnings, sizes, df = _estimated(panel, design, plan)
    before = panel[panel["treated_from"].isna() | (panel["period"] < panel["treated_from"])]
    baseline = float(before["value"].mean())
    return Measured(
        effect=towards(effect, direction=plan.direction),
        gates=(*gates, *_warnings(_once(warnings), "clustered unit known", unit=unit)),
        baseline=baseline,
        **per_of(plan, unit=unit, n_days=WEEK),
        n_control=sizes[0],
        n_treated=sizes[1],
        n_days=period.n_days,
        p_value=p_value,
        df=df,
        bias_sd=plan.on_scale(BIAS_SD["rollout"], baseline=baseline),
        doubt=f"The {sizes[1]} {unit}s with the change were chosen, not drawn by lot: they may have grown anyway.",
    )


def _chosen_for_their_bad_days(panel: pd.DataFrame, plan: Plan) -> tuple[Gate, ...]:
    """The treated units' last weeks before the first start, beside their own past and the others."""
    first = panel["treated_from"].min()
    before = panel[panel["period"] < first]
    is_last = before["period"] >= first - LAST_WEEKS
    values = pd.DataFrame(
        {
            "last": before[is_last].groupby("unit")["value"].mean(),
            "earlier": before[~is_last].groupby("unit")["value"].mean(),
        }
    )
    treated = set(panel.loc[panel["treated_from"].notna(), "unit"].astype(str))
    return worst_gate(values, treated, is_down=plan.direction == "down", label="units", seed=plan.key)


def _estimated(
    panel: pd.DataFrame,
    design: RolloutDesign,
    plan: Plan,
) -> tuple[Estimate, float, tuple[str, ...], tuple[int, int], float | None]:
    """Effect, p-value, warnings, units (untreated, treated) and degrees of freedom, by the method asked for."""
    if design.method == "synthetic_did":
        found = synthetic_did(panel, confidence_level=plan.confidence_level)
        treated = panel.groupby("unit")["treated_from"].first().notna()
        sizes = int((~treated).sum()), int(treated.sum())
        few = ("few_units",) if min(sizes) < rollouts.FEW_UNITS else ()
        effect = found.relative if plan.claim.scale == "relative" else found.effect
        return effect, found.p_value, (*found.warnings, *few), sizes, sizes[0] - 1.0
    collapsed = rollouts.rollout(panel, scale=plan.claim.scale, confidence_level=plan.confidence_level)
    sizes = collapsed.n_untreated, collapsed.n_treated
    return collapsed.effect, collapsed.p_value, collapsed.warnings, sizes, collapsed.df


def _panel(plan: Plan, design: RolloutDesign, period: Period, context: Context) -> tuple[pd.DataFrame, str]:
    """What a unit is (store, region, ...), and one row a unit and week: unit, period (number of the week), value, treated_from (number, missing = never).

    Weeks from the first start up to the window do not count, nor does a unit's week in which its own treatment began
    midway. A week's total is scaled up to seven days where some were not observed.
    """
    units = rollout_units(context.tables, design)
    first = units["treated_from"].min().date()
    whole = Period(first - timedelta(days=design.history_days // WEEK * WEEK), period.end)
    unit = str(units["unit"].iloc[0])
    days = days_of([plan], context, whole, plan.claim.scope, by=unit)
    days = days[days["unit_id"].isin(units["unit_id"])]
    days = days.assign(period=(days["day"] - pd.Timestamp(whole.start)).dt.days // WEEK)
    sums = _weeks(days[days["period"] < whole.n_days // WEEK], plan)
    begins = pd.Timestamp(whole.start) + pd.to_timedelta(sums["period"] * WEEK, unit="D")
    sums = sums[(begins < pd.Timestamp(first)) | (begins >= pd.Timestamp(period.start))]
    if sums.empty:
        raise DesignError("window", f"no whole week from {period.start} to {period.end} was observed")
    offsets = (units["treated_from"] - pd.Timestamp(whole.start)).dt.days
    begun = sums["unit_id"].map(dict(zip(units["unit_id"], offsets / WEEK, strict=True)))
    is_partly = (sums["period"] < begun) & (begun < sums["period"] + 1)
    panel = {"unit": sums["unit_id"], "period": sums["period"], "value": sums["value"].where(~is_partly)}
    return pd.DataFrame({**panel, "treated_from": np.ceil(begun)}), unit


def _weeks(days: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Values a unit and week from days: unit_id, period, value; weeks of which too few days were seen are left out."""
    name = plan.metric.name
    sums = days.groupby(["unit_id", "period"], as_index=False).agg(
        y=(f"{name}_numerator", "sum"), d=(f"{name}_denominator", "sum"), n_seen=("is_observed", "sum")
    )
    sums = sums[sums["n_seen"] >= LEAST_DAYS_SEEN]
    per = WEEK / sums["n_seen"] if plan.metric.is_total else 1 / sums["d"].replace(0.0, np.nan)
    return sums.assign(value=sums["y"] * per)[["unit_id", "period", "value"]]


def _once(names: Sequence[str]) -> tuple[str, ...]:
    """Warnings without that a drift would hardly be seen, where one is seen."""
    return tuple(name for name in names if name != "weak_pre_trend_test" or "pre_trend" not in names)


def _warnings(names: Sequence[str], gate: GateName, *, unit: str = "unit") -> tuple[Gate, ...]:
    """Warnings of the statistic as gates; those that the grade of the design holds already are left out."""
    told = (name for name in names if name in _WARNINGS and name != "trend")
    return tuple(Gate(gate, "warning", _WARNINGS[name].format(unit=unit)) for name in told)
