"""Positioning: where our products stand in price, quality and perception, and where there is free space."""
