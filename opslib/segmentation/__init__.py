"""Groups of customers that need a treatment of their own."""

from opslib.segmentation.grid import rfm_grid
from opslib.segmentation.life_stage import STAGES, life_stages, stage_sizes
from opslib.segmentation.migration import NOBODY, cohort_segments, segment_growth, segment_migration
from opslib.segmentation.rfm import (
    SEGMENTS,
    RfmCutPoints,
    Segment,
    customer_totals,
    rfm_coverage,
    rfm_cut_points,
    rfm_scores,
    segment_sizes,
)
from opslib.segmentation.tiers import TIERS, tier_sizes, value_tiers

__all__ = [
    "NOBODY",
    "SEGMENTS",
    "STAGES",
    "TIERS",
    "RfmCutPoints",
    "Segment",
    "cohort_segments",
    "customer_totals",
    "life_stages",
    "rfm_coverage",
    "rfm_cut_points",
    "rfm_grid",
    "rfm_scores",
    "segment_growth",
    "segment_migration",
    "segment_sizes",
    "stage_sizes",
    "tier_sizes",
    "value_tiers",
]
