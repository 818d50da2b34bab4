"""Design: cluster-randomised experiment (stores, regions, weeks), one value a cluster, few-cluster inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from opslib import engine
from opslib.periods import Period
from opslib.proposals.designs.assignment import (
    allocation_of,
    assigned_units,
    before_assignment,
    crossing_gate,
    outcome_values,
    ratio_gate,
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
from opslib.proposals.schema import ClusterExperimentDesign
from opslib.proposals.scope import Scope
from opslib.stats.cluster_randomised import compare_clusters

#: Clusters an arm that a spread can be told from, and below which a grade is lost.
LEAST_CLUSTERS, FEW_CLUSTERS = 2, 5
MAX_CLUSTERS = 10_000


def _clusters(batch: tuple[Any, Period, Scope], plans: Sequence[Plan], context: Context) -> pd.DataFrame:
    """One row a cluster with every metric's numerator, denominator and the same before."""
    design, period, scope = batch
    units = assigned_units(context.tables, design, period=period)
    before = None
    if design.covariate_days:
        first = engine.collect(units.aggregate(assigned_on=units["assigned_on"].min())).dropna()
        before = before_assignment(period, first, design)
    units = units.select("unit_id", "variant", "epoch")
    if design.randomised == "week":
        units = units.mutate(unit_id=units["unit_id"].cast("date"))
    values = outcome_values(
        context.tables, design, metrics_of(plans), period=period, scope=scope, units=units, before=before
    )
    return engine.collect(values.order_by("unit_id"), max_rows=MAX_CLUSTERS)


@evaluates("cluster_experiment", key=lambda plan, period: (plan.claim.design, period, plan.claim.scope), read=_clusters)
def measure_clusters(plan: Plan, period: Period, clusters: pd.DataFrame, context: Context) -> Measured:
    """Effect of a test in which whole clusters were randomised; claims of one test, window and scope share a scan."""
    design, name = plan.claim.design, plan.metric.name
    assert isinstance(design, ClusterExperimentDesign)
    counts = clusters.groupby(["variant", "epoch"], as_index=False).size().rename(columns={"size": "n"})
    ratio, _ = ratio_gate(
        counts, allocation_of(context.tables, design), unit=design.randomised, control=design.control, is_widened=False
    )
    is_treated = clusters["variant"] == design.treatment
    frame = pd.DataFrame({"is_treated": is_treated, "value": _ratio(clusters, name)})
    if f"{name}_before_numerator" in clusters.columns:
        frame["covariate"] = _ratio(clusters, f"{name}_before")
    frame = frame.replace([float("inf"), float("-inf")], float("nan")).dropna()
    n_treated = int(frame["is_treated"].sum())
    n_control = len(frame) - n_treated
    size = units_gate(n_control, n_treated, least=LEAST_CLUSTERS, unit=f"{design.randomised}s")
    gates = [health_gate(plan, context, period), *crossing_gate(context.tables, design, period=period), ratio, size]
    if min(n_treated, n_control) < FEW_CLUSTERS and size.status == "passed":
        few = f"fewer than {FEW_CLUSTERS} {design.randomised}s on a side"
        gates.append(Gate("clustered unit known", "warning", few))
    passed(*gates, n_control=n_control, n_treated=n_treated)
    if not frame.loc[~frame["is_treated"], "value"].mean() > 0:
        raise GateError(Gate("measurable", "failed", f"{name} is not positive without the change"))
    adjust = "covariate" in frame.columns and len(frame) > 4
    result = compare_clusters(frame, unit=plan.metric.unit, confidence_level=plan.confidence_level, adjust=adjust)
    doubt = f"{len(frame)} {design.randomised}s are few: one unusual {design.randomised} moves the result. Tested {period.label}."
    return from_comparison(plan, result, unit=design.randomised, n_days=period.n_days, gates=tuple(gates), doubt=doubt)


def _ratio(clusters: pd.DataFrame, name: str) -> pd.Series:
    return clusters[f"{name}_numerator"] / clusters[f"{name}_denominator"]
