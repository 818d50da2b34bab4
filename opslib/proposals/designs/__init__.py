"""One module a design; importing the package enters every evaluator in the register."""

from opslib.proposals.designs import clusters, described, experiment, over_time, prices
from opslib.proposals.designs.base import EVALUATORS, Context, Plan, RecordedMetric, measure

__all__ = [
    "EVALUATORS", "Context", "Plan", "RecordedMetric", "clusters", "described", "experiment", "measure", "over_time", "prices",
]  # fmt: skip
