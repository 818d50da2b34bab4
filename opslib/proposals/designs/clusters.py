"""Stores, regions or weeks randomised: each cluster becomes one value, and few clusters stay few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from opslib import engine
from opslib.metrics import unit_values
from opslib.periods import Period
from opslib.proposals.designs.arms import (
    allocation_of,
    assigned_units,
    before_assignment,
    crossing_gate,
    ratio_gate,
    recorded_values,
)
from opslib.proposals.designs.base import (
    Context,
    Plan,
    evaluates,
    from_comparison,
    health_gate,
    in_batches,
    refused,
    units_gate,
    where_of,
)
from opslib.proposals.model import ClusterExperiment, Scope
from opslib.proposals.results import Gate, Measured
from opslib.stats.clusters import compare_clusters

#: Clusters an arm that a spread can be told from, and below which a grade is lost.
LEAST_CLUSTERS, FEW_CLUSTERS = 2, 5
MAX_CLUSTERS = 10_000


@evaluates("cluster_experiment")
def measure_cluster_experiments(plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """Effects of tests in which whole clusters were randomised.

    Parameters
    ----------
    plans : sequence of Plan
        Claims with the design cluster_experiment.
    context : Context

    Returns
    -------
    dict of plan key to Measured
        Claims that share test, window and scope are answered by one scan of each source.
    """
    return in_batches(
        plans,
        context,
        key=lambda plan, period: (plan.claim.design, period, plan.claim.scope),
        read=_clusters,
        judge=_measured,
    )


def _measured(plan: Plan, period: Period, clusters: pd.DataFrame, context: Context) -> Measured:
    design, name = plan.claim.design, plan.metric.name
    assert isinstance(design, ClusterExperiment)
    ratio, _ = ratio_gate(
        clusters.groupby(["variant", "epoch"], as_index=False).size().rename(columns={"size": "n"}),
        allocation_of(context.tables, design),
    )
    frame = pd.DataFrame(
        {
            "is_treated": clusters["variant"] == design.treatment,
            "value": clusters[f"{name}_numerator"] / clusters[f"{name}_denominator"],
        }
    )
    if f"{name}_before" in clusters.columns:
        frame["covariate"] = clusters[f"{name}_before"]
    frame = frame.replace([float("inf"), float("-inf")], float("nan")).dropna()
    n_treated = int(frame["is_treated"].sum())
    size = units_gate(len(frame) - n_treated, n_treated, least=LEAST_CLUSTERS, unit=f"{design.randomised}s")
    gates = [health_gate(plan, context, period), *crossing_gate(context.tables, design, period=period), ratio, size]
    if min(n_treated, len(frame) - n_treated) < FEW_CLUSTERS and size.status == "passed":
        gates.append(
            Gate(
                name="clustered unit known",
                status="warning",
                sentence=f"fewer than {FEW_CLUSTERS} {design.randomised}s in an arm",
            )
        )
    if any(gate.status == "failed" for gate in gates):
        return Measured(effect=None, gates=tuple(gates), n_control=len(frame) - n_treated, n_treated=n_treated)
    if not frame.loc[~frame["is_treated"], "value"].mean() > 0:
        return refused(Gate(name="measurable", status="failed", sentence=f"{name} is not positive without the change"))
    adjust = "covariate" in frame.columns and len(frame) > 4
    result = compare_clusters(frame, unit=plan.metric.unit, level=plan.level, adjust=adjust)
    return from_comparison(
        plan,
        result,
        n_days=period.n_days,
        gates=tuple(gates),
        doubt=f"{len(frame)} {design.randomised}s are few: one unusual {design.randomised} moves it.",
    )


def _clusters(batch: tuple[Any, Period, Scope], plans: Sequence[Plan], context: Context) -> pd.DataFrame:
    """One row a cluster with every metric's numerator, denominator and value before."""
    design, period, scope = batch
    metrics = list({plan.metric.name: plan.metric for plan in plans}.values())
    units = assigned_units(context.tables, design, period=period)
    before = None
    if design.covariate_days:
        first = engine.collect(units.aggregate(assigned_on=units["assigned_on"].min())).dropna()
        before = before_assignment(period, first, design)
    units = units.select("unit_id", "variant", "epoch")
    if design.randomised == "week":
        units = units.mutate(unit_id=units["unit_id"].cast("date"))
    if design.source == "unit_outcomes":
        values = recorded_values(context.tables, design, metrics, period=period, units=units)
    else:
        values = unit_values(
            context.tables,
            metrics,  # type: ignore[arg-type]
            unit=design.randomised,
            period=period,
            where=where_of(scope),
            units=units,
        )
    if before is not None:
        earlier = unit_values(
            context.tables,
            metrics,  # type: ignore[arg-type]
            unit=design.randomised,
            period=before,
            where=where_of(scope),
            units=units.select("unit_id"),
        )
        side = earlier.select(
            before_id="unit_id",
            **{
                f"{m.name}_before": engine.ratio(earlier[f"{m.name}_numerator"], earlier[f"{m.name}_denominator"])
                for m in metrics
            },
        )
        values = values.left_join(side, values["unit_id"] == side["before_id"]).drop("before_id")
    return engine.collect(values.order_by("unit_id"), max_rows=MAX_CLUSTERS)
