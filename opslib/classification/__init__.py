"""Product classification: ABC-XYZ, growth-share matrix, life cycle, products of each class by name."""

from opslib.classification.classes import (
    TREATMENTS,
    AbcXyzLimits,
    Treatment,
    abc_xyz,
    cell_summary,
    pareto_curve,
    value_known,
)
from opslib.classification.growth import growth_share, largest_groups, with_names
from opslib.classification.life import STAGES, life_cycle, stage_summary
from opslib.classification.listing import class_products
