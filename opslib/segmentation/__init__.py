"""Groups of customers that need a treatment of their own."""

from opslib.segmentation.grid import rfm_grid
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
    "SEGMENTS",
    "TIERS",
    "RfmCutPoints",
    "Segment",
    "customer_totals",
    "rfm_coverage",
    "rfm_cut_points",
    "rfm_grid",
    "rfm_scores",
    "segment_sizes",
    "tier_sizes",
    "value_tiers",
]
