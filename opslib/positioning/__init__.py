"""Positioning: where our products stand in price, quality and perception, and where there is free space."""

from opslib.positioning.hedonic import HedonicModel, hedonic_prices
from opslib.positioning.perception import word_counts
from opslib.positioning.prices import (
    STALE_AFTER_DAYS,
    latest_competitor_prices,
    price_indices,
    price_ladder,
    price_position,
    promotion_depths,
)

__all__ = [
    "STALE_AFTER_DAYS",
    "HedonicModel",
    "hedonic_prices",
    "latest_competitor_prices",
    "price_indices",
    "price_ladder",
    "price_position",
    "promotion_depths",
    "word_counts",
]
