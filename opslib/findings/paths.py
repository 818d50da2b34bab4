"""What the page about website planning says."""

from __future__ import annotations

import pandas as pd

from opslib.finding import About, Facts, Finding
from opslib.finding import answer as answer
from opslib.formats import count_of


def findings(days: pd.DataFrame, *, page: Facts) -> tuple[Finding, ...]:
    """Findings of the page; none where nothing was ordered.

    Parameters
    ----------
    days : DataFrame
        From `paths.paths_by_day`.
    page : Facts
        Period and currency of the page.

    Returns
    -------
    tuple of Finding
    """
    if days.empty:
        return ()
    n = int(days["n_orders"].sum())
    return (
        Finding(
            key="orders", kind="measured", section="days", department="Management",
            sentence=f"{count_of(n, 'order')} came in {page.period.label}.", about=About(metric="orders", people=None),
        ),
    )  # fmt: skip


def limits(page: Facts) -> tuple[str, ...]:
    """What the page cannot say."""
    return (f"Orders of {page.period.label} are counted, nothing is explained.",)
