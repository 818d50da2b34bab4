"""Facts of a page for the tests of its sentences, and a result of which there is nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

from opslib.finding import Facts
from opslib.periods import Coverage, Period

OCTOBER = Period.parse("2026-10-01", "2026-10-31")
EMPTY = pd.DataFrame()
NOTHING: Any = SimpleNamespace(
    n=0, n_products=0, n_possible=0, n_customers=0, has_segments=False, product_id="", groups=EMPTY,
    unmet_share=SimpleNamespace(n=0),
)  # fmt: skip
"""Stands for a model, a map, a drift, ... of no rows: what sentences ask to know that there is nothing to say."""


def page(**choices: Any) -> Facts:
    """A shop with orders and events in October 2026, in pounds, seen as a whole, unless told otherwise."""
    usual = {
        "title": "Harbour Lane", "period": OCTOBER, "currency": "GBP", "time_zone": "UTC",
        "coverage": Coverage(OCTOBER.start, OCTOBER.end), "tables": frozenset({"order_lines", "events"}),
    }  # fmt: skip
    return Facts(**{**usual, **choices})
