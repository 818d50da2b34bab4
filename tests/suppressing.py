"""A frame without its small cells, for tests of what comes after."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from opslib.privacy import MINIMUM, plan_suppression


def suppress_small(
    frame: pd.DataFrame, *, people: str, dimensions: Sequence[str], minimum: int = MINIMUM
) -> pd.DataFrame:
    """Measures of withheld cells missing; ``is_withheld`` says which."""
    return plan_suppression(frame, people=people, dimensions=dimensions, minimum=minimum).apply(frame)
