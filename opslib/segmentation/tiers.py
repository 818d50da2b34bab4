"""Value tiers of customers: heavy, medium, light and zero."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib.errors import ParameterError
from opslib.metrics import running_shares
from opslib.metrics.blocks import Table, group_sizes
from opslib.segmentation.rfm import customer_lines
from opslib.suppression import of_people

TIERS: tuple[str, ...] = ("heavy", "medium", "light", "zero")


def value_tiers(order_lines: Table, *, as_of: date, shares: tuple[float, float] = (0.5, 0.8)) -> ir.Table:
    """Heavy, medium, light and zero customers by their place in the shop's revenue.

    Parameters
    ----------
    order_lines : order_lines
        Lines without a customer are left out.
    as_of : date
        Last local day that counts.
    shares : tuple of two floats
        Customers are heavy while those who spend more hold less than the first share of revenue, medium up to the
        second, else light.

    Returns
    -------
    ibis.Table
        customer_id, revenue_amount, revenue_share, cumulative_share (of those who spend as much or more), tier. Equal
        revenue, equal tier; ``zero`` is revenue of nothing or less.

    Raises
    ------
    ParameterError
        The shares do not rise between 0 and 1.

    Examples
    --------
    >>> from opslib import engine
    >>> lines = pd.DataFrame({"order_id": ["1", "2", "3"], "product_id": "a", "customer_id": ["x", "y", "z"],
    ...     "ordered_at": pd.to_datetime(["2026-01-05"] * 3), "quantity": 1.0, "unit_price": [6.0, 3.0, 1.0]})
    >>> tiers = value_tiers(lines, as_of=date(2026, 3, 10))
    >>> engine.collect(tiers.order_by("customer_id"))["tier"].tolist()
    ['heavy', 'medium', 'light']
    """
    low, high = shares
    if not 0 < low < high < 1:
        raise ParameterError(f"shares: {shares} do not rise between 0 and 1; e.g. (0.5, 0.8)")
    lines = customer_lines(order_lines, as_of=as_of)
    totals = lines.group_by("customer_id").aggregate(revenue_amount=lines["amount"].sum())
    ranked = running_shares(totals, column="revenue_amount").rename(revenue_share="own_share")
    return ranked.mutate(
        tier=ibis.cases(
            (ranked["revenue_amount"] <= 0, "zero"),
            (ranked["share_ahead"] < low, "heavy"),
            (ranked["share_ahead"] < high, "medium"),
            else_="light",
        )
    ).drop("share_ahead")


@of_people("n_customers", by=("tier",))
def tier_sizes(tiers: Table) -> pd.DataFrame:
    """Customers and revenue of each tier.

    Parameters
    ----------
    tiers : table
        From `value_tiers`.

    Returns
    -------
    DataFrame
        One row a tier, heaviest first, empty ones too (none of no customer): tier, n_customers, customer_share, revenue_amount,
        revenue_share.
    """
    sizes = group_sizes(tiers, "tier", TIERS, share=lambda t: t["revenue_share"].sum())
    # Of the revenue of those who brought any, like the tiers themselves.
    return sizes.assign(revenue_share=sizes.pop("share").fillna(0.0))
