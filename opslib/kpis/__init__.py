"""What happened, how sure that is, and why it moved."""

from opslib.kpis.cohorts import cohort_retention
from opslib.kpis.decompose import FACTORS, concentration, decompose_by, decompose_change
from opslib.kpis.table import KPIS, kpi_series, kpi_table, shop_kpis
from opslib.kpis.views import kpi_summary

__all__ = [
    "FACTORS",
    "KPIS",
    "cohort_retention",
    "concentration",
    "decompose_by",
    "decompose_change",
    "kpi_series",
    "kpi_summary",
    "kpi_table",
    "shop_kpis",
]
