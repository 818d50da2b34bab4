"""Which questions a shop's tables can answer."""

from __future__ import annotations

import pandas as pd

from opslib.contracts import CONTRACTS
from opslib.shop.sources import Shop


def table_answers(shop: Shop) -> pd.DataFrame:
    """Every table that a shop may have, what it would answer, and whether it is there.

    Parameters
    ----------
    shop : Shop
        An open shop.

    Returns
    -------
    pandas.DataFrame
        table, is_there, would_answer; those that are there first, then by name of the contract's list.
    """
    rows = [(name, shop.has(name), contract.would_answer) for name, contract in CONTRACTS.items()]
    frame = pd.DataFrame(rows, columns=["table", "is_there", "would_answer"])
    return frame.sort_values("is_there", ascending=False, kind="stable", ignore_index=True)
