"""Customer segmentation: RFM, life stages, value tiers, clusters, lifetime value, migration, visit intent."""

from opslib.segmentation.clusters import SegmentClusters, segment_clusters
from opslib.segmentation.features import FEATURES, Feature, customer_features
from opslib.segmentation.first_orders import kind_sizes, newcomers
from opslib.segmentation.histories import FEWEST_REPEATERS, customer_summary, repeat_customers
from opslib.segmentation.holdout import HoldoutCheck, holdout_check, lifetime_checks
from opslib.segmentation.life_stage import STAGES, life_stages, stage_sizes
from opslib.segmentation.lifetime import (
    LifetimeModel,
    customer_lifetime_value,
    fit_lifetime,
    segment_lifetime_value,
    value_quantiles,
)
from opslib.segmentation.migration import NOBODY, cohort_segments, segment_growth, segment_migration
from opslib.segmentation.rfm import (
    SEGMENTS,
    RfmCutPoints,
    Segment,
    customer_totals,
    rfm_coverage,
    rfm_cut_points,
    rfm_grid,
    rfm_scores,
    segment_sizes,
)
from opslib.segmentation.segment_model import Drift, SegmentModel, drift
from opslib.segmentation.tiers import TIERS, tier_sizes, value_tiers
from opslib.segmentation.visits import INTENTS, intent_matrix, intent_sizes, left_behind, visit_intents
