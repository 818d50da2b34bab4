"""Key figures of a shop with intervals, cohort retention, and decomposition of changes."""

from opslib.kpis.cohorts import cohort_retention
from opslib.kpis.decompose import FACTORS, concentration, decompose_by, decompose_change
from opslib.kpis.figures import (
    KPIS,
    change_ends,
    comparisons,
    kpi_series,
    kpi_summary,
    kpi_table,
    shop_kpis,
    summary_heads,
)
