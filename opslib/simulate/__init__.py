"""A whole shop with planted truth, at any size: every table of the contracts, and ``truth.json`` beside them."""
