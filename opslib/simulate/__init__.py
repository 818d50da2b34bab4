"""A whole shop with planted truth, at any size: every table of the contracts, and ``truth.json`` beside them."""

from opslib.simulate.config import PRESETS, ShopConfig, preset
from opslib.simulate.panel import price_panel
from opslib.simulate.shop import simulate_shop

__all__ = ["PRESETS", "ShopConfig", "preset", "price_panel", "simulate_shop"]
