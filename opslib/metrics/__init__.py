"""Metrics: the one registry of definitions, and their numbers per unit, group and day."""

from opslib.metrics.blocks import (
    MONEY,
    OPERATORS,
    Filter,
    buyer,
    day_of,
    filters_of,
    line_revenue,
    order_day,
    order_totals,
    paid,
    require_table_columns,
    returned_lines,
    running_shares,
    with_returns,
)
from opslib.metrics.measured_rows import UNITS, with_column, with_local_days
from opslib.metrics.registry import MEASURES, METRICS, Measure, Metric, explained_by_days, shop_metrics
from opslib.metrics.values import daily_values, unit_statistics, unit_values
