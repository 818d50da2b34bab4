"""Which products need which treatment: by value, by steadiness of demand, by growth and by age."""

from opslib.classification.cells import TREATMENTS, AbcXyzLimits, Treatment, abc_xyz, cell_summary, pareto_curve
from opslib.classification.growth import QUADRANTS, growth_share, largest_groups, with_names
from opslib.classification.life import STAGES, life_cycle, longest_window, stage_summary

__all__ = [
    "QUADRANTS",
    "STAGES",
    "TREATMENTS",
    "AbcXyzLimits",
    "Treatment",
    "abc_xyz",
    "cell_summary",
    "growth_share",
    "largest_groups",
    "life_cycle",
    "longest_window",
    "pareto_curve",
    "stage_summary",
    "with_names",
]
