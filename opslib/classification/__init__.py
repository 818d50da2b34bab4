"""Product classification: ABC-XYZ, growth-share matrix, life cycle."""

from opslib.classification.classes import TREATMENTS, AbcXyzLimits, Treatment, abc_xyz, cell_summary, pareto_curve
from opslib.classification.growth import growth_share, largest_groups, with_names
from opslib.classification.life import STAGES, life_cycle, longest_window, stage_summary
