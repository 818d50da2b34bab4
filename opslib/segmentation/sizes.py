"""How large the groups of customers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.metrics.blocks import Table


def group_sizes(
    customers: Table, by: str, names: Sequence[str], **more: Callable[[ir.Table], ir.Scalar]
) -> pd.DataFrame:
    """Customers and revenue of each of the named groups, in this order and empty ones too, and what ``more`` asks for."""
    table = engine.as_table(customers)
    measures = {name: measure(table) for name, measure in more.items()}
    found = engine.collect(
        table.group_by(by)
        .aggregate(n_customers=table.count(), revenue_amount=table["revenue_amount"].sum(), **measures)
        .order_by(by)
    )
    sizes = pd.DataFrame({by: names}).merge(found, how="left", on=by)
    n = sizes["n_customers"].fillna(0).astype("int64")
    amount = sizes["revenue_amount"].fillna(0).astype("float64")
    total = amount.sum()
    return pd.DataFrame({
        by: sizes[by], "n_customers": n, "customer_share": n / max(n.sum(), 1), "revenue_amount": amount,
        "revenue_share": amount / total if total else float("nan"), **{name: sizes[name] for name in more},
    })  # fmt: skip
