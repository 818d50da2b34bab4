"""Purchase histories for lifetime models: frequency, recency and age, and how many customers share them."""

from __future__ import annotations

from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table
from opslib.segmentation.rfm import customer_lines

HistoryGrain = Literal["day", "week"]
DAYS_IN: dict[str, int] = {"day": 1, "week": 7}
FEWEST_REPEATERS = 20
"""Customers who came back at least, for a forecast to be asked: seven parameters are fitted, three customers to each."""
MAX_HISTORIES = 2_000_000
"""Most distinct histories; a shop of any size has fewer in weeks."""


def customer_summary(
    order_lines: Table, *, as_of: date, start: date | None = None, grain: HistoryGrain = "day"
) -> ir.Table:
    """What a lifetime model knows of each customer: how many purchases, the last one, how long ago the first.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines with a customer count. Negative lines are netted against the same day (week); a day with
        such lines that nets to nothing or less is no purchase, a free order is one. Refunds in another table are not looked at.
    as_of : date
        Last local day that counts.
    start : date or None
        First local day that counts; a customer's first order from then on opens the history.
    grain : {"day", "week"}
        All orders of a local day, or of seven days counted back from ``as_of``, are one purchase.

    Returns
    -------
    ibis.Table
        customer_id, frequency (purchases after the first), recency_days (from first to last purchase), age_days (from
        first purchase to ``as_of``), mean_value (of the purchases after the first; missing without one), revenue_amount.

    Raises
    ------
    ParameterError
        The grain is unknown.

    References
    ----------
    Fader, Hardie, Lee (2005): frequency, recency and age. By day, in weeks of seven days, CDNOW gives their figures.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-01", "2026-01-11", "2026-01-11", "2026-01-21"])
    >>> lines = pd.DataFrame({"order_id": list("1234"), "product_id": "a", "customer_id": "x", "ordered_at": days,
    ...     "quantity": 1.0, "unit_price": [5.0, 6.0, 4.0, 20.0]})
    >>> engine.collect(customer_summary(lines, as_of=date(2026, 1, 31))).iloc[0, 1:].astype(float).tolist()
    [2.0, 20.0, 30.0, 15.0, 35.0]
    """
    if grain not in DAYS_IN:
        raise ParameterError(f"grain: '{grain}' is not one of {', '.join(DAYS_IN)}")
    bought = purchases(order_lines, first=start, last=as_of, step=DAYS_IN[grain], anchor=as_of)
    bought = bought.mutate(age=bought["ago"].max().over(ibis.window(group_by="customer_id")))
    totals = bought.group_by("customer_id").aggregate(
        frequency=bought.count().cast("int64") - 1,
        recency_days=((bought["age"].max() - bought["ago"].min()) * DAYS_IN[grain]).cast("int64"),
        age_days=(bought["age"].max() * DAYS_IN[grain]).cast("int64"),
        repeats=bought["amount"].sum(where=bought["ago"] < bought["age"]),
        revenue_amount=bought["amount"].sum().cast("float64"),
    )
    mean = engine.ratio(totals["repeats"], totals["frequency"])
    return totals.select(
        "customer_id", "frequency", "recency_days", "age_days", mean_value=mean, revenue_amount="revenue_amount"
    )


def repeat_customers(summary: Table) -> int:
    """How many customers came back: below a hundred a lifetime model says little, below `FEWEST_REPEATERS` it is not asked.

    Parameters
    ----------
    summary : table
        From `customer_summary`.

    Returns
    -------
    int

    Examples
    --------
    >>> repeat_customers(pd.DataFrame({"customer_id": ["x", "y"], "frequency": [0, 3]}))
    1
    """
    table = engine.as_table(summary)
    return int(engine.collect(table.filter(table["frequency"] > 0).count()).to_numpy()[0, 0])


def purchases(order_lines: Table, *, first: date | None, last: date, step: int, anchor: date) -> ir.Table:
    """One row a customer and purchase: customer_id, ago (steps of days before the anchor, 0 on it), amount.

    Days after the anchor count up from 0 as well: a stretch lies on one side of it.
    """
    rows = customer_lines(order_lines, as_of=last)
    rows = rows if first is None else rows.filter(rows["day"] >= first)
    behind = engine.days_between(ibis.literal(anchor), rows["day"])
    ago = (behind < 0).ifelse(-behind - 1, behind) // step
    sums = rows.group_by(rows["customer_id"], ago=ago.cast("int64")).aggregate(
        amount=rows["amount"].sum(), least=rows["amount"].min()
    )
    return sums.filter((sums["amount"] > 0) | (sums["least"] >= 0)).drop("least")


def histories_of(table: ir.Table, **more: ir.Value) -> pd.DataFrame:
    """Distinct histories with their customers: time in weeks, ``n_units``, sums of values, and what ``more`` asks for."""
    value = table["mean_value"].fill_null(0.0)
    log = value.nullif(0.0).ln()
    keys = [name for name in ("segment", "frequency", "recency_days", "age_days") if name in table.columns]
    found = engine.grouped(
        table, keys, max_rows=MAX_HISTORIES, n_units=table.count(), value_sum=value.sum(), value_squares=(value * value).sum(),
        n_valued=log.count(), logs=log.sum().fill_null(0.0), log_squares=(log * log).sum().fill_null(0.0), **more,
    )  # fmt: skip
    return found.assign(recency=found["recency_days"] / 7, age=found["age_days"] / 7)
