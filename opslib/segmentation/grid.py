"""How customers lie on the grid of recency and frequency."""

from __future__ import annotations

import pandas as pd

from opslib import engine
from opslib.metrics.blocks import Table


def rfm_grid(scores: Table, *, bins: int = 5) -> pd.DataFrame:
    """Customers and revenue of each pair of recency and frequency scores.

    Parameters
    ----------
    scores : table
        From `rfm_scores`.
    bins : int
        Number of scores that it was made with.

    Returns
    -------
    DataFrame
        One row a pair, empty ones too: recency_score, frequency_score, n_customers, revenue_amount.

    Examples
    --------
    >>> scores = pd.DataFrame({"r_score": [1, 2, 2], "f_score": [1, 2, 2], "revenue_amount": [1.0, 2.0, 4.0]})
    >>> rfm_grid(scores, bins=2)["n_customers"].tolist()
    [1, 0, 0, 2]
    """
    table = engine.as_table(scores)
    found = engine.collect(
        table.group_by(recency_score=table["r_score"].cast("int64"), frequency_score=table["f_score"].cast("int64"))
        .aggregate(n_customers=table.count(), revenue_amount=table["revenue_amount"].sum())
        .order_by(["recency_score", "frequency_score"])
    )
    every = pd.MultiIndex.from_product([range(1, bins + 1)] * 2, names=["recency_score", "frequency_score"])
    grid = found.set_index(["recency_score", "frequency_score"]).reindex(every, fill_value=0)
    return grid.astype({"n_customers": "int64", "revenue_amount": "float64"}).reset_index()
