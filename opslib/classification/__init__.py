"""Which products need which treatment: by value, by steadiness of demand, by growth and by age."""

from opslib.classification.cells import TREATMENTS, AbcXyzLimits, Treatment, abc_xyz, cell_summary
from opslib.classification.growth import QUADRANTS, STAGES, growth_share, life_cycle
from opslib.classification.views import pareto_curve, stage_summary, with_names

__all__ = [
    "QUADRANTS",
    "STAGES",
    "TREATMENTS",
    "AbcXyzLimits",
    "Treatment",
    "abc_xyz",
    "cell_summary",
    "growth_share",
    "life_cycle",
    "pareto_curve",
    "stage_summary",
    "with_names",
]
