"""What the page about product control says."""

from __future__ import annotations

import pandas as pd

from opslib.finding import About, Facts, Finding
from opslib.formats import count_of


def findings(days: pd.DataFrame, *, page: Facts) -> tuple[Finding, ...]:
    """Findings of the page; none where nothing was ordered.

    Parameters
    ----------
    days : DataFrame
        From `product_control.product_control_by_day`.
    page : Facts
        Period and currency of the page.

    Returns
    -------
    tuple of Finding
    """
    if days.empty:
        return ()
    n = int(days["n_orders"].max())
    return (
        Finding(
            key="orders", kind="measured", section="days", department="Management",
            sentence=f"The busiest day brought {count_of(n, 'order')}.", about=About(metric="orders", people=None),
        ),
    )  # fmt: skip


def answer(days: pd.DataFrame, *, page: Facts) -> str:
    """The answer of the page; '' where nothing was ordered."""
    return f"{count_of(int(days['n_orders'].sum()), 'order')} came in {page.period.label}." if len(days) else ""


def limits(page: Facts) -> tuple[str, ...]:
    """What the page cannot say."""
    return (f"Orders of {page.period.label} are counted, nothing is explained.",)
