"""Which products need which treatment: by value, by steadiness of demand, by growth and by age."""

from opslib.classification.classes import TREATMENTS, AbcXyzLimits, Treatment, abc_xyz, cell_summary, pareto_curve
from opslib.classification.growth import growth_share, largest_groups, with_names
from opslib.classification.life import STAGES, life_cycle, longest_window, stage_summary
