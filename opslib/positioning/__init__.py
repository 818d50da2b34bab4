"""Positioning: where our products stand in price, quality and perception, and where there is free space."""

from opslib.positioning.category_verdicts import is_service, price_verdicts
from opslib.positioning.competition import cannibalisation, rivals, substitute_groups, substitutes
from opslib.positioning.elasticity import PriceResponse, price_response
from opslib.positioning.gaps import attribute_gaps, demand_gaps
from opslib.positioning.hedonic import HedonicModel, attribute_columns, going_rate, hedonic_prices
from opslib.positioning.matching import ProductMatches, match_products, matched_prices
from opslib.positioning.moves import price_moves, product_to_move
from opslib.positioning.pairs import clear_pairs, co_bought, co_viewed, label_column, product_pairs
from opslib.positioning.perception import brand_words, buyer_counts, perception_counts, told_apart, word_counts
from opslib.positioning.price_index import (
    STALE_AFTER_DAYS,
    latest_competitor_prices,
    price_indices,
    price_ladder,
    price_position,
    promotion_depths,
)
from opslib.positioning.scenario import WhatIf, what_if
from opslib.positioning.weeks import product_weeks
