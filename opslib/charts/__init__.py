"""Figures of results: ``draw_*`` functions plot fields and compute nothing.

Every function takes a result and, where wanted, ``people`` (whom its rows stand for; None: they are not people),
``title`` (the finding; made from the result unless given) and ``ax`` (a new figure unless given). It returns the Axes;
of an empty result it draws nothing and returns None. Each figure carries alt text and shows itself as SVG once :func:`register` was called.
"""

from opslib.charts.channels import draw_attribution
from opslib.charts.claims import draw_claims, draw_promises, draw_test_curve
from opslib.charts.compared import draw_days, draw_money_changes, draw_with_last_year
from opslib.charts.competition import draw_pairs
from opslib.charts.control import draw_control_days
from opslib.charts.course import draw_course
from opslib.charts.demand import draw_needs
from opslib.charts.display import alt_of, describe, figure_bundle, first_drawn, register, to_svg, unregister
from opslib.charts.estimates import (
    draw_calibration,
    draw_estimates,
    draw_intervals,
    draw_posterior,
)
from opslib.charts.gaps import draw_white_space
from opslib.charts.heat import draw_cohorts, draw_rfm_grid
from opslib.charts.lifetime import draw_clv_holdout, draw_clv_tracking, draw_migration_flow
from opslib.charts.parts import draw_accounting, draw_decomposition
from opslib.charts.paths import draw_funnel, draw_step_matrix, draw_transitions
from opslib.charts.plan import draw_roadmap
from opslib.charts.positioning import draw_price_ladder
from opslib.charts.price_response import draw_price_response, draw_price_slopes
from opslib.charts.products import draw_abc_xyz, draw_growth_share, draw_life_cycle, draw_pareto
from opslib.charts.profiles import draw_segment_profile
from opslib.charts.segments import draw_segment_sizes
from opslib.charts.series import draw_series

__all__ = [
    "alt_of",
    "describe",
    "draw_abc_xyz",
    "draw_accounting",
    "draw_attribution",
    "draw_calibration",
    "draw_claims",
    "draw_clv_holdout",
    "draw_clv_tracking",
    "draw_cohorts",
    "draw_control_days",
    "draw_course",
    "draw_days",
    "draw_decomposition",
    "draw_estimates",
    "draw_funnel",
    "draw_growth_share",
    "draw_intervals",
    "draw_life_cycle",
    "draw_migration_flow",
    "draw_money_changes",
    "draw_needs",
    "draw_pairs",
    "draw_pareto",
    "draw_posterior",
    "draw_price_ladder",
    "draw_price_response",
    "draw_price_slopes",
    "draw_promises",
    "draw_rfm_grid",
    "draw_roadmap",
    "draw_segment_profile",
    "draw_segment_sizes",
    "draw_series",
    "draw_step_matrix",
    "draw_test_curve",
    "draw_transitions",
    "draw_white_space",
    "draw_with_last_year",
    "figure_bundle",
    "first_drawn",
    "register",
    "to_svg",
    "unregister",
]
