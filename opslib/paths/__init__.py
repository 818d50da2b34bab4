"""Ways through the site: funnels, friction, transitions, page value, structure, the stage of the shop."""

from opslib.paths.friction import broken_spells, friction, page_exits, step_exits
from opslib.paths.funnels import STEPS, cut_visits, funnel, funnel_reach, steps_seen, two_largest
from opslib.paths.pages import commerce_stage, page_values, section_balance
from opslib.paths.releases import release_effects
from opslib.paths.transitions import step_matrix, transition_differences, transitions, ways
