"""Key figures of a shop with intervals, cohort retention, and decomposition of changes."""

from opslib.kpis.cohorts import cohort_retention
from opslib.kpis.decompose import FACTORS, concentration, decompose_by, decompose_change, largest_changes
from opslib.kpis.figures import KPIS, current_value, kpi_series, kpi_table, like_period, shop_kpis
from opslib.metrics.history import history_days
