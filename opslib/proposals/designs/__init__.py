"""One module a design; importing the package enters every evaluator in the register."""

from opslib.proposals.designs import cluster_randomised, described, experiment, over_time, price_elasticity
from opslib.proposals.designs.design import EVALUATORS, Context, Plan, RecordedMetric, measure

__all__ = [
    "EVALUATORS", "Context", "Plan", "RecordedMetric", "cluster_randomised", "described", "experiment", "measure", "over_time", "price_elasticity",
]  # fmt: skip
