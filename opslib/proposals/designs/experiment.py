"""Design: randomised experiment on customers, visitors or sessions, one scan for all claims of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.metrics import unit_statistics
from opslib.periods import Period
from opslib.proposals.designs.assignment import (
    Allocation,
    allocation_of,
    assigned_units,
    before_assignment,
    crossing_gate,
    outcome_values,
    ratio_gate,
    require_table_of,
)
from opslib.proposals.designs.design import (
    Context,
    GateError,
    Plan,
    evaluates,
    from_comparison,
    health_gate,
    metrics_of,
    passed,
    units_gate,
)
from opslib.proposals.results import Gate, Measured
from opslib.proposals.schema import Anytime, ExperimentDesign, GroupSequential, Scope
from opslib.stats.multiplicity import bonferroni_level
from opslib.stats.ratios import RatioComparison, compare
from opslib.stats.sample_ratio import widened
from opslib.stats.sequential import anytime_critical, nominal_level, planned_looks
from opslib.stats.sufficient_statistics import Strata, SufficientStatistics, strata_of

#: Claims that one scan answers: test, period, scope.
_Batch: TypeAlias = tuple[ExperimentDesign, Period, Scope]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSums:
    """Sums of a test's units, and what all claims of a batch share.

    Attributes
    ----------
    statistics : DataFrame
        One row a metric, arm, epoch and segment, with the columns of `SufficientStatistics`.
    assigned : DataFrame
        One row an arm, epoch and day: variant, epoch, assigned_on, n.
    arms : dict of metric to pair
        Control and treatment by epoch, segments added up.
    gates : tuple of Gate
        Units in both arms, the arms' sizes, changes of the split.
    bound : float
        By how much units lost unseen may bias the result, relative to the control value.
    """

    statistics: pd.DataFrame
    assigned: pd.DataFrame
    arms: dict[str, tuple[Strata, Strata]]
    gates: tuple[Gate, ...]
    bound: float

    @classmethod
    def of(
        cls,
        statistics: pd.DataFrame,
        assigned: pd.DataFrame,
        design: ExperimentDesign,
        context: Context,
        *crossing: Gate,
    ) -> ArmSums:
        """Sums with what is worked out once for a batch."""
        allocation = allocation_of(context.tables, design)
        sizes = assigned.groupby(["variant", "epoch"])["n"].sum().reset_index()
        ratio, bound = ratio_gate(sizes, allocation, unit=design.randomised, control=design.control)
        arms = {str(name): _arms(rows, design) for name, rows in statistics.groupby("metric")}
        gates = (*crossing, ratio, *_ramp_gates(design, allocation))
        return cls(statistics=statistics, assigned=assigned, arms=arms, gates=gates, bound=bound)

    def n_left_out(self, metric: str) -> int:
        """Units of epochs in which one of the arms has none to compare with."""
        whole = self.statistics.loc[self.statistics["metric"] == metric, "n"].sum()
        return int(whole - sum(m.n for arm in self.arms.get(metric, ()) for m in arm.values()))


def wrong_unit(plan: Plan) -> Measured | None:
    """Refuses an analysis by another unit than the one that was randomised."""
    design = plan.claim.design
    assert isinstance(design, ExperimentDesign)
    by = design.analysed_by or design.randomised
    if by == design.randomised:
        return None
    sentence = (
        f"a test by {by} although each {design.randomised} was randomised counts what belongs together as independent "
        "and finds effects that are not there"
    )
    return Measured(effect=None, gates=(Gate("clustered unit known", "failed", sentence),))


def _compared(control: Strata, treated: Strata, plan: Plan, *, fractions: Sequence[float]) -> RatioComparison:
    """Two arms at the level that the stopping rule allows after looks at these shares of the information (0-1).

    A repeated confidence interval after planned looks, a confidence sequence for an anytime design.
    """
    level, stopping = plan.confidence_level, plan.claim.stopping
    if isinstance(stopping, GroupSequential):
        level = planned_looks(fractions, confidence_level=plan.confidence_level).levels[-1]
    elif isinstance(stopping, Anytime):
        n = float(sum(m.n for arm in (control, treated) for m in arm.values()))
        level = nominal_level(anytime_critical(n, tuned_at=stopping.tuned_n, confidence_level=plan.confidence_level))
    return compare(control, treated, unit=plan.metric.unit, confidence_level=level).at_level(plan.confidence_level)


def _sums(batch: _Batch, plans: Sequence[Plan], context: Context) -> ArmSums:
    (design, period, scope), metrics = batch, metrics_of(plans)
    if design.source == "experiment_summaries":
        return _summary_sums(design, period, metrics, context)
    units = _with_segment(assigned_units(context.tables, design, period=period), design, context)
    days = units.group_by(["variant", "epoch", "assigned_on"]).aggregate(n=units.count())
    assigned = engine.collect(days.order_by(["variant", "epoch", "assigned_on"]))
    before = before_assignment(period, assigned, design)
    values = outcome_values(context.tables, design, metrics, period=period, scope=scope, units=units, before=before)
    sides = {f"{metric.name}_covariate": f"{metric.name}_before_numerator" for metric in metrics}
    values = values.mutate(**{name: values[side] for name, side in sides.items() if side in values.columns})
    statistics = unit_statistics(values, metrics, by=["variant", "epoch", "segment"])
    return ArmSums.of(statistics, assigned, design, context, *crossing_gate(context.tables, design, period=period))


@evaluates(
    "experiment",
    key=lambda plan, period: (plan.claim.design, period, plan.claim.scope),
    read=_sums,
    unread=wrong_unit,
)
def measure_experiment(plan: Plan, period: Period, sums: ArmSums, context: Context) -> Measured:
    """Effect of a randomised test; claims that share test, period and scope are answered by one scan of each source."""
    design = plan.claim.design
    assert isinstance(design, ExperimentDesign)
    arms = sums.arms.get(plan.metric.name, ({}, {}))
    n_control, n_treated = (sum(m.n for m in arm.values()) for arm in arms)
    gates = passed(
        health_gate(plan, context, period),
        *sums.gates,
        units_gate(n_control, n_treated, unit=f"{design.randomised}s"),
        n_control=int(n_control),
        n_treated=int(n_treated),
    )
    baseline = sum(m.y for m in arms[0].values())
    if not baseline > 0 or not all(m.d > 0 and m.n >= 2 for arm in arms for m in arm.values()):
        sentence = f"{plan.metric.title.lower()} is {baseline:.3g} without the change: nothing to compare with"
        raise GateError(*gates, Gate("measurable", "failed", sentence))
    result = _compared(*arms, plan, fractions=_fractions(plan, sums.assigned, period))
    measured = from_comparison(
        plan,
        result,
        unit=design.randomised,
        n_days=period.n_days,
        gates=gates,
        is_conflicting=_is_conflicting(sums.statistics, plan),
        doubt=_doubt(design, sums.n_left_out(plan.metric.name), period),
    )
    assert measured.effect is not None
    margin = plan.on_scale(sums.bound, baseline=result.control_value)
    return replace(measured, effect=widened(measured.effect, bound=margin), missing_bound=margin)


def _arms(rows: pd.DataFrame, design: ExperimentDesign) -> tuple[Strata, Strata]:
    """Both arms by epoch, segments added up; an epoch with fewer than two units of an arm is left out."""
    keys = ["variant", "epoch"]
    summed = rows.drop(columns=["metric", "segment"]).groupby(keys, as_index=False).sum(min_count=1)
    strata = strata_of(summed, arm="variant", stratum="epoch") if len(summed) else {}
    control, treated = strata.get(design.control, {}), strata.get(design.treatment, {})
    both = [k for k in control if k in treated and min(control[k].n, treated[k].n) >= 2]
    return {k: control[k] for k in both}, {k: treated[k] for k in both}


def _ramp_gates(design: ExperimentDesign, allocation: Allocation) -> tuple[Gate, ...]:
    if not allocation.is_ramped:
        return ()
    if design.is_ramp_pooled or design.source == "experiment_summaries":
        pooled = "the split changed on the way, and totals pooled over it mix early with late units"
        return (Gate("ramp strata", "failed", pooled),)
    return (
        Gate(
            "ramp strata",
            "passed",
            f"the split changed {len(allocation.shares) - 1} times; each stretch is compared within itself",
        ),
    )


def _fractions(plan: Plan, assigned: pd.DataFrame, period: Period) -> list[float]:
    """Information at the planned looks up to the period's end: units taken in, against the calendar's share there."""
    stopping, window = plan.claim.stopping, plan.claim.window
    if not isinstance(stopping, GroupSequential):
        return []
    looks = [look for look in stopping.looks if look <= period.end]
    days = pd.to_datetime(assigned["assigned_on"])
    n = [float(assigned.loc[days <= pd.Timestamp(look), "n"].sum()) for look in looks]
    if not all(a < b for a, b in zip([0.0, *n], n, strict=False)):
        n = [(look - window.start).days + 1.0 for look in looks]
    share = period.n_days / window.period.n_days
    return [share * k / n[-1] for k in n]


def _is_conflicting(statistics: pd.DataFrame, plan: Plan) -> bool:
    """Whether two segments show effects of opposite signs, each beyond doubt at their joint level."""
    segments = statistics["segment"].unique()
    if len(segments) < 2:
        return False
    rows = statistics[statistics["metric"] == plan.metric.name]
    level = bonferroni_level(len(segments))
    signs = set()
    for segment in segments:
        arms = _arms(rows[rows["segment"] == segment], plan.claim.design)  # type: ignore[arg-type]
        if not arms[0] or not all(m.d > 0 and m.y > 0 for arm in arms for m in arm.values()):
            continue
        effect = compare(*arms, unit="share", confidence_level=level).relative
        signs |= {1} if effect.lower > 0 else {-1} if effect.upper < 0 else set()
    return len(signs) == 2


def _doubt(design: ExperimentDesign, n_left_out: int, period: Period) -> str:
    if n_left_out:
        return f"{n_left_out:,} {design.randomised}s came while only one side took any in, and are left out."
    return f"Tested {period.label}; other months may differ."


def _with_segment(units: ir.Table, design: ExperimentDesign, context: Context) -> ir.Table:
    """The units with the segment whose signs are compared; one segment where none is asked for."""
    if design.segment is None:
        return units.mutate(segment=units["epoch"].cast("string").substr(0, 0))
    table, _, column = design.segment.partition(".")
    rows, key = require_table_of(context.tables, table), f"{design.randomised}_id"
    side = rows.group_by(key).aggregate(segment=rows[column].cast("string").max()).rename(segment_id=key)
    joined = units.left_join(side, units["unit_id"] == side["segment_id"]).drop("segment_id")
    return joined.mutate(segment=joined["segment"].fill_null("unknown"))


def _summary_sums(design: ExperimentDesign, period: Period, metrics: list[Any], context: Context) -> ArmSums:
    """Sufficient statistics from totals as published: the last row of each arm and metric in the window."""
    rows = require_table_of(context.tables, "experiment_summaries")
    rows = rows.filter(
        rows["experiment_id"] == design.experiment,
        rows["observed_at"].date() < period.until,
        rows["variant"].isin([design.control, design.treatment]),
    )
    frame = engine.collect(rows.order_by(["metric", "variant", "observed_at"]))
    last: dict[Any, Any] = (
        frame.groupby(["metric", "variant"]).tail(1).set_index(["metric", "variant"]).to_dict("index")
    )
    made = []
    for name, variant in ((metric.name, arm) for metric in metrics for arm in (design.control, design.treatment)):
        row, below = last.get((name, variant)), last.get((f"{name}_denominator", variant))
        if row is None:
            continue
        denominator = (
            None if below is None else (float(below["mean"]), float(below["variance"]), float(row["covariance"]))
        )
        sums = SufficientStatistics.of_summary(
            n=float(row["n"]), mean=float(row["mean"]), variance=float(row["variance"]), denominator=denominator
        )
        made.append({"metric": name, "variant": variant, "epoch": 0, "segment": "", **asdict(sums)})
    found = pd.DataFrame(made, columns=["metric", "variant", "epoch", "segment", *SufficientStatistics.__slots__])
    assigned = found.drop_duplicates("variant")[["variant", "epoch", "n"]].assign(assigned_on=pd.Timestamp.max)
    return ArmSums.of(found, assigned, design, context)
