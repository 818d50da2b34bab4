"""Demand: what visitors look for and do not find, what buyers complain about, and what people say when they are asked."""

from opslib.demand.needs import MISSPELT, NOT_CLICKED, UnmetNeeds, unmet_needs
from opslib.demand.searches import RATES, search_rates, visit_searches
from opslib.demand.surveys import outside_searches, survey_shares
from opslib.demand.themes import Themes, text_themes
