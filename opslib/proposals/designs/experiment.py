"""Customers, visitors or sessions randomised: one scan for all claims that share a test, then moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.metrics import Metric, unit_moments
from opslib.periods import Period
from opslib.proposals.designs.arms import (
    Allocation,
    allocation_of,
    assigned_units,
    before_assignment,
    crossing_gate,
    outcome_values,
    ratio_gate,
    require,
)
from opslib.proposals.designs.base import (
    Context,
    GateError,
    Look,
    Plan,
    RecordedMetric,
    evaluates,
    from_comparison,
    health_gate,
    look_of,
    metrics_of,
    passed,
    units_gate,
)
from opslib.proposals.model import Anytime, Experiment, GroupSequential, Scope
from opslib.proposals.results import Gate, Measured
from opslib.stats.moments import Moments, Strata, strata_of
from opslib.stats.multiplicity import bonferroni_level
from opslib.stats.ratios import Comparison, common_strata, compare
from opslib.stats.sample_ratio import widened
from opslib.stats.sequential import anytime_critical, nominal_level, planned_looks


@dataclass(frozen=True, slots=True)
class _Batch:
    """Claims that one scan answers."""

    design: Experiment
    period: Period
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSums:
    """Sums of a test's units.

    Parameters
    ----------
    moments : DataFrame
        metric, variant, epoch, segment, n and the sums of `stats.moments.SUMS`.
    assigned : DataFrame
        variant, epoch, assigned_on, n: who was taken in when; without assigned_on where only totals were kept.
    allocation : Allocation
        Planned shares.
    arms : dict of metric to (Strata, Strata)
        Control and treated by epoch, segments added up.
    ratio, bound : Gate, float
        From `arms.ratio_gate`.
    crossing : tuple of Gate
        From `arms.crossing_gate`.
    """

    moments: pd.DataFrame
    assigned: pd.DataFrame
    allocation: Allocation
    arms: dict[str, tuple[Strata, Strata]]
    ratio: Gate
    bound: float
    crossing: tuple[Gate, ...] = ()

    @classmethod
    def of(
        cls,
        moments: pd.DataFrame,
        assigned: pd.DataFrame,
        *,
        design: Experiment,
        allocation: Allocation,
        crossing: tuple[Gate, ...] = (),
    ) -> ArmSums:
        """What all claims of a batch share, worked out once."""
        ratio, bound = ratio_gate(assigned.groupby(["variant", "epoch"])["n"].sum().reset_index(), allocation)
        arms = {str(name): _arms(rows, design) for name, rows in moments.groupby("metric")}
        return cls(
            moments=moments,
            assigned=assigned,
            allocation=allocation,
            arms=arms,
            ratio=ratio,
            bound=bound,
            crossing=crossing,
        )

    def n_left_out(self, metric: str) -> int:
        """Units of epochs in which one of the arms has none to compare with."""
        whole = self.moments.loc[self.moments["metric"] == metric, "n"].sum()
        return int(whole - sum(m.n for arm in self.arms.get(metric, ()) for m in arm.values()))


def unit_gate(design: Experiment) -> Gate:
    """Refuses an analysis by another unit than the one that was randomised."""
    by = design.analysed_by or design.randomised
    if by == design.randomised:
        return Gate("clustered unit known", "passed", f"analysed by {by}, as randomised")
    sentence = (
        f"a test by {by} although each {design.randomised} was randomised counts what belongs together as independent "
        "and finds effects that are not there"
    )
    return Gate("clustered unit known", "failed", sentence)


def _wrong_unit(plan: Plan) -> Measured | None:
    gate = unit_gate(plan.claim.design)  # type: ignore[arg-type]
    return Measured(effect=None, gates=(gate,)) if gate.status == "failed" else None


def compare_at_look(
    control: Strata | Moments,
    treated: Strata | Moments,
    *,
    plan: Plan,
    look: Look,
    fractions: Sequence[float] = (),
) -> Comparison:
    """Two arms compared at the level that the stopping rule allows.

    Parameters
    ----------
    control, treated : Moments, or mapping of stratum to Moments
    plan : Plan
        Its level holds over all looks together.
    look : Look
        From `look_of`.
    fractions : sequence of float
        Share of the information at each planned look up to this one (0-1).

    Returns
    -------
    Comparison
        Repeated confidence interval after planned looks, confidence sequence for an anytime design.
    """
    level, stopping = plan.level, plan.claim.stopping
    if isinstance(stopping, GroupSequential):
        level = planned_looks(list(fractions), level=plan.level).levels[look.number - 1]
    elif isinstance(stopping, Anytime):
        n = float(sum(m.n for arm in common_strata(control, treated) for m in arm.values()))
        level = nominal_level(anytime_critical(n, tuned_at=stopping.tuned_n, level=plan.level))
    return compare(control, treated, unit=plan.metric.unit, level=level).at_level(plan.level)


def _sums(batch: _Batch, plans: Sequence[Plan], context: Context) -> ArmSums:
    design, metrics, period = batch.design, metrics_of(plans), batch.period
    allocation = allocation_of(context.tables, design)
    if design.source == "experiment_summaries":
        return _summary_sums(batch, metrics, context, allocation)
    units = _with_segment(assigned_units(context.tables, design, period=period), design, context)
    days = units.group_by(["variant", "epoch", "assigned_on"]).aggregate(n=units.count())
    assigned = engine.collect(days.order_by(["variant", "epoch", "assigned_on"]))
    before = before_assignment(period, assigned, design)
    values = outcome_values(
        context.tables, design, metrics, period=period, scope=batch.scope, units=units, before=before
    )
    sides = {f"{metric.name}_covariate": f"{metric.name}_before_numerator" for metric in metrics}
    values = values.mutate(**{name: values[side] for name, side in sides.items() if side in values.columns})
    moments = unit_moments(values, metrics, by=["variant", "epoch", "segment"])
    crossing = crossing_gate(context.tables, design, period=period)
    return ArmSums.of(moments, assigned, design=design, allocation=allocation, crossing=crossing)


@evaluates(
    "experiment",
    key=lambda plan, period: _Batch(plan.claim.design, period, plan.claim.scope),  # type: ignore[arg-type]
    read=_sums,
    unread=_wrong_unit,
)
def measure_experiment(plan: Plan, period: Period, sums: ArmSums, context: Context) -> Measured:
    """Effect of a randomised test; claims that share test, period and scope are answered by one scan of each source."""
    design, look = plan.claim.design, look_of(plan.claim, as_of=context.as_of)
    assert isinstance(design, Experiment)
    arms = sums.arms.get(plan.metric.name, ({}, {}))
    n_control, n_treated = (sum(m.n for m in arm.values()) for arm in arms)
    gates = passed(
        health_gate(plan, context, period),
        *sums.crossing,
        sums.ratio,
        *_ramp_gates(design, sums.allocation),
        units_gate(n_control, n_treated, unit=f"{design.randomised}s"),
        n_control=int(n_control),
        n_treated=int(n_treated),
    )
    baseline = sum(m.y for m in arms[0].values())
    if not baseline > 0 or not all(m.d > 0 and m.n >= 2 for arm in arms for m in arm.values()):
        sentence = f"{plan.metric.name} is {baseline:.3g} in '{design.control}': nothing to compare with"
        raise GateError(*gates, Gate("measurable", "failed", sentence))
    fractions = _fractions(plan, sums.assigned, look)
    result = compare_at_look(*arms, plan=plan, look=look, fractions=fractions)
    measured = from_comparison(
        plan,
        result,
        n_days=period.n_days,
        gates=gates,
        is_conflicting=_is_conflicting(sums.moments, plan),
        doubt=_doubt(design, sums.n_left_out(plan.metric.name)),
    )
    assert measured.effect is not None
    margin = plan.on_scale(sums.bound, baseline=result.control_value)
    return replace(measured, effect=widened(measured.effect, bound=margin), missing_bound=margin)


def _arms(rows: pd.DataFrame, design: Experiment) -> tuple[Strata, Strata]:
    """Both arms by epoch, segments added up; an epoch with fewer than two units of an arm is left out."""
    keys = ["variant", "epoch"]
    summed = rows.drop(columns=["metric", "segment"]).groupby(keys, as_index=False).sum(min_count=1)
    strata = strata_of(summed, arm="variant", stratum="epoch") if len(summed) else {}
    control, treated = strata.get(design.control, {}), strata.get(design.treatment, {})
    both = [k for k in control if k in treated and min(control[k].n, treated[k].n) >= 2]
    return {k: control[k] for k in both}, {k: treated[k] for k in both}


def _ramp_gates(design: Experiment, allocation: Allocation) -> tuple[Gate, ...]:
    if not allocation.is_ramped:
        return ()
    if design.is_ramp_pooled or design.source == "experiment_summaries":
        pooled = "the split changed on the way, and totals pooled over it mix early with late units"
        return (Gate("ramp strata", "failed", pooled),)
    return (Gate("ramp strata", "passed", f"{len(allocation.shares)} allocation epochs, compared within each"),)


def _fractions(plan: Plan, assigned: pd.DataFrame, look: Look) -> list[float]:
    """Information at the planned looks up to this one: units taken in, against the calendar's share at this look."""
    stopping, window = plan.claim.stopping, plan.claim.window
    if not isinstance(stopping, GroupSequential):
        return []
    share = ((stopping.looks[look.number - 1] - window.start).days + 1) / window.period.n_days
    days = pd.to_datetime(assigned["assigned_on"])
    n = [float(assigned.loc[days <= pd.Timestamp(day), "n"].sum()) for day in stopping.looks[: look.number]]
    rising = all(a < b for a, b in zip([0.0, *n], n, strict=False))
    if not rising:
        n = [((day - window.start).days + 1.0) for day in stopping.looks[: look.number]]
    return [share * k / n[-1] for k in n]


def _is_conflicting(moments: pd.DataFrame, plan: Plan) -> bool:
    """Whether two segments show effects of opposite signs, each beyond doubt at their joint level."""
    segments = moments["segment"].unique()
    if len(segments) < 2:
        return False
    rows = moments[moments["metric"] == plan.metric.name]
    level = bonferroni_level(len(segments))
    signs = set()
    for segment in segments:
        arms = _arms(rows[rows["segment"] == segment], plan.claim.design)  # type: ignore[arg-type]
        if not arms[0] or not all(m.d > 0 and m.y > 0 for arm in arms for m in arm.values()):
            continue
        effect = compare(*arms, unit="share", level=level).relative
        signs |= {1} if effect.lower > 0 else {-1} if effect.upper < 0 else set()
    return len(signs) == 2


def _doubt(design: Experiment, n_left_out: int) -> str:
    if n_left_out:
        return f"{n_left_out:,} units fall in epochs with one arm only and are left out."
    return f"Holds for the {design.randomised}s and days of the test; what lasts, the follow-up shows."


def _with_segment(units: ir.Table, design: Experiment, context: Context) -> ir.Table:
    """The units with the segment whose signs are compared; one segment where none is asked for."""
    if design.segment is None:
        return units.mutate(segment=units["epoch"].cast("string").substr(0, 0))
    table, _, column = design.segment.partition(".")
    rows, key = require(context.tables, table), f"{design.randomised}_id"
    side = rows.group_by(key).aggregate(segment=rows[column].cast("string").max()).rename(segment_id=key)
    joined = units.left_join(side, units["unit_id"] == side["segment_id"]).drop("segment_id")
    return joined.mutate(segment=joined["segment"].fill_null("unknown"))


def _summary_sums(batch: _Batch, metrics: list[Any], context: Context, allocation: Allocation) -> ArmSums:
    """Moments from totals as published: the last row of each arm and metric in the window."""
    design = batch.design
    rows = require(context.tables, "experiment_summaries")
    rows = rows.filter(
        rows["experiment_id"] == design.experiment,
        rows["observed_at"].date() < batch.period.until,
        rows["variant"].isin([design.control, design.treatment]),
    )
    frame = engine.collect(rows.order_by(["metric", "variant", "observed_at"]))
    last = frame.groupby(["metric", "variant"]).tail(1).set_index(["metric", "variant"])
    made = []
    for metric in metrics:
        for variant in (design.control, design.treatment):
            if (metric.name, variant) in last.index:
                moments = _summary_moments(last, metric, variant)
                made.append(
                    {
                        "metric": metric.name,
                        "variant": variant,
                        "epoch": 0,
                        "segment": "",
                        **{name: getattr(moments, name) for name in moments.__slots__},
                    }
                )
    found = pd.DataFrame(made, columns=["metric", "variant", "epoch", "segment", *Moments.__slots__])
    assigned = found.drop_duplicates("variant")[["variant", "epoch", "n"]].assign(assigned_on=pd.Timestamp.max)
    return ArmSums.of(found, assigned, design=design, allocation=allocation)


def _summary_moments(last: pd.DataFrame, metric: Metric | RecordedMetric, variant: str) -> Moments:
    rows: dict[Any, dict[str, Any]] = last.to_dict("index")  # type: ignore[assignment]
    row, other = rows[(metric.name, variant)], rows.get((f"{metric.name}_denominator", variant))
    denominator = None
    if other is not None:
        denominator = (float(other["mean"]), float(other["variance"]), float(row["covariance"]))
    return Moments.of_summary(
        n=float(row["n"]), mean=float(row["mean"]), variance=float(row["variance"]), denominator=denominator
    )
