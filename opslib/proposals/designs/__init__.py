"""One module a design; importing the package enters every evaluator in the register."""

from opslib.proposals.designs import clusters, described, experiment, over_time, prices
from opslib.proposals.designs.base import (
    EVALUATORS,
    Context,
    Evaluator,
    Look,
    Plan,
    RecordedMetric,
    evaluates,
    from_comparison,
    health_gate,
    look_of,
    measure,
    pending,
    refused,
    units_gate,
    where_of,
)

__all__ = [
    "EVALUATORS",
    "Context",
    "Evaluator",
    "Look",
    "Plan",
    "RecordedMetric",
    "clusters",
    "described",
    "evaluates",
    "experiment",
    "from_comparison",
    "health_gate",
    "look_of",
    "measure",
    "over_time",
    "pending",
    "prices",
    "refused",
    "units_gate",
    "where_of",
]
