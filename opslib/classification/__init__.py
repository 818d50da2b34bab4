"""Which products need which treatment: by value, by steadiness of demand, by growth and by age."""

from opslib.classification.cells import TREATMENTS, AbcXyzLimits, Treatment, abc_xyz, cell_summary
from opslib.classification.growth import QUADRANTS, STAGES, growth_share, life_cycle, longest_window
from opslib.classification.views import growth_heads, largest_groups, pareto_curve, stage_summary, with_names

__all__ = [
    "QUADRANTS",
    "STAGES",
    "TREATMENTS",
    "AbcXyzLimits",
    "Treatment",
    "abc_xyz",
    "cell_summary",
    "growth_heads",
    "growth_share",
    "largest_groups",
    "life_cycle",
    "longest_window",
    "pareto_curve",
    "stage_summary",
    "with_names",
]
