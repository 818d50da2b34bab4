"""How customers move between segments, what money moves with them, and where growth comes from."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.metrics import require_columns
from opslib.metrics.blocks import Table
from opslib.periods import Grain, require_grain
from opslib.segmentation.rfm import customer_totals
from opslib.stats.decomposition import lmdi_effects
from opslib.stats.shares import share

NOBODY = "not a customer"
"""Segment of a customer who is in one of the two tables only."""


def segment_migration(before: Table, after: Table, *, by: str = "segment", level: float = 0.95) -> pd.DataFrame:
    """Customers and revenue of every flow between the segments of two periods.

    Parameters
    ----------
    before, after : table
        customer_id, a segment, and if known revenue_amount of either period: `rfm_scores`, `value_tiers` or
        `life_stages` on the lines of each.
    by : str
        Column of the segment.
    level : float
        Coverage of the Wilson intervals (0-1): customers as a sample of those who might have been in the segment.

    Returns
    -------
    DataFrame
        One row a flow that happened, largest first within its origin: segment_before, segment_after, n_customers,
        n_before (customers of the origin), flow_share, lower, upper, revenue_before, revenue_after, revenue_change: the
        money at stake. ``not a customer`` is the origin of new and the end of missing customers.

    Raises
    ------
    ContractError
        A table lacks customer_id or the segment.

    Examples
    --------
    >>> before = pd.DataFrame({"customer_id": ["x", "y"], "segment": "loyal", "revenue_amount": [9.0, 5.0]})
    >>> after = pd.DataFrame({"customer_id": ["x"], "segment": "loyal", "revenue_amount": [10.0]})
    >>> flows = segment_migration(before, after)
    >>> flows[["segment_after", "flow_share", "revenue_change"]].values.tolist()
    [['loyal', 0.5, 1.0], ['not a customer', 0.5, -5.0]]
    """
    pairs = _pairs(before, after, by)
    flows = engine.collect(
        pairs.group_by("segment_before", "segment_after")
        .aggregate(
            n_customers=pairs.count(),
            revenue_before=pairs["revenue_before"].sum(),
            revenue_after=pairs["revenue_after"].sum(),
        )
        .order_by("segment_before", ibis.desc("n_customers"), "segment_after")
    )
    flows = _with_shares(flows, of="segment_before", whole="n_before", name="flow_share", level=level)
    return flows.assign(revenue_change=flows["revenue_after"] - flows["revenue_before"])


def _with_shares(frame: pd.DataFrame, *, of: str, whole: str, name: str, level: float) -> pd.DataFrame:
    """Customers of the whole that a row is part of, and its share of them with Wilson's interval, behind its customers."""
    n_whole = frame.groupby(of)["n_customers"].transform("sum")
    estimates = [share(n, k, level=level) for n, k in zip(frame["n_customers"], n_whole, strict=True)]
    columns = list(frame.columns)
    place = columns.index("n_customers") + 1
    ends = [(estimate.value, estimate.lower, estimate.upper) for estimate in estimates]
    shares = pd.DataFrame(ends, columns=[name, "lower", "upper"], dtype="float64")
    both = pd.concat([frame, n_whole.rename(whole), shares], axis=1)
    return both[[*columns[:place], whole, *shares.columns, *columns[place:]]]


def _pairs(before: Table, after: Table, by: str) -> ir.Table:
    """One row a customer of either table."""
    sides = {}
    for side, data in (("before", before), ("after", after)):
        table = engine.as_table(data)
        require_columns(table, "customer_id", by, name=side)
        revenue = table["revenue_amount"] if "revenue_amount" in table.columns else ibis.literal(0)
        sides[side] = table.select(
            **{
                f"id_{side}": table["customer_id"],
                f"segment_{side}": table[by].cast("string"),
                f"revenue_{side}": revenue.cast("float64"),
            }
        )
    pairs = sides["before"].outer_join(sides["after"], sides["before"]["id_before"] == sides["after"]["id_after"])
    return pairs.select(
        **{
            **{f"segment_{side}": pairs[f"segment_{side}"].fill_null(NOBODY) for side in sides},
            **{f"revenue_{side}": pairs[f"revenue_{side}"].fill_null(0.0) for side in sides},
        }
    )


def segment_growth(before: Table, after: Table, *, by: str = "segment") -> pd.DataFrame:
    """Revenue change of each segment as number of customers, mix and revenue per customer, exactly.

    Parameters
    ----------
    before, after : table
        As for `segment_migration`, with revenue_amount.
    by : str
        Column of the segment.

    Returns
    -------
    DataFrame
        One row a segment, largest change first: segment, n_before, n_after, revenue_before, revenue_after,
        change_amount, growth_share (of the whole change; missing if that is 0), volume_amount (customers in all),
        mix_amount (the segment's share of them), rate_amount (revenue a customer), n_least (the smaller number of its
        customers that is not 0: fewest people that the row speaks of). The three amounts sum to the change of the
        segment, the segments to that of the shop.

    Examples
    --------
    >>> before = pd.DataFrame({"customer_id": ["x"], "segment": "loyal", "revenue_amount": [9.0]})
    >>> after = pd.DataFrame({"customer_id": ["x"], "segment": "loyal", "revenue_amount": [10.0]})
    >>> segment_growth(before, after)[["volume_amount", "mix_amount", "rate_amount"]].round(9).values.tolist()
    [[0.0, 0.0, 1.0]]
    """
    found = []
    for side, data in (("before", before), ("after", after)):
        table = engine.as_table(data)
        sums = table.group_by(segment=table[by]).aggregate(
            **{f"n_{side}": table.count(), f"revenue_{side}": table["revenue_amount"].cast("float64").sum()}
        )
        found.append(engine.collect(sums.order_by("segment")))
    growth = found[0].merge(found[1], how="outer", on="segment").fillna(0).sort_values("segment", ignore_index=True)
    growth = growth.astype({"n_before": "int64", "n_after": "int64"})
    growth["change_amount"] = growth["revenue_after"] - growth["revenue_before"]
    whole = growth["change_amount"].sum()
    growth["growth_share"] = growth["change_amount"] / whole if whole else float("nan")
    n0, n1, r0, r1 = (
        growth[name].to_numpy(dtype="float64") for name in ("n_before", "n_after", "revenue_before", "revenue_after")
    )
    effects = [
        lmdi_effects(_factors(n0.sum(), a0, b0), _factors(n1.sum(), a1, b1))
        for a0, a1, b0, b1 in zip(n0, n1, r0, r1, strict=True)
    ]
    growth[["volume_amount", "mix_amount", "rate_amount"]] = np.array(effects).reshape(-1, 3)
    growth["n_least"] = (
        growth[["n_before", "n_after"]].replace(0, np.inf).min(axis=1).replace(np.inf, 0).astype("int64")
    )
    order = growth["change_amount"].abs().sort_values(ascending=False, kind="stable").index
    return growth.loc[order].reset_index(drop=True)


def _factors(n_all: float, n: float, revenue: float) -> list[float]:
    return [n_all, n / n_all if n_all else float("nan"), revenue / n if n else float("nan")]


def cohort_segments(
    order_lines: Table,
    segments: Table,
    *,
    as_of: date,
    by: str = "segment",
    grain: Grain = "quarter",
    level: float = 0.95,
) -> pd.DataFrame:
    """What became of each cohort: its customers by segment today.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines with a customer count; they say when a customer first ordered.
    segments : table
        customer_id and a segment, from `rfm_scores`, `value_tiers` or `life_stages` of the same day.
    as_of : date
        Last local day that counts.
    by : str
        Column of the segment.
    grain : {"week", "month", "quarter", "year"}
        Length of a cohort.
    level : float
        Coverage of the Wilson intervals (0-1).

    Returns
    -------
    DataFrame
        One row a cohort and segment that occurs in it: cohort (first day), segment, n_customers, n_cohort,
        segment_share, lower, upper, revenue_amount.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": "a", "customer_id": ["x", "y"], "quantity": 1.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"]), "unit_price": [4.0, 6.0]})
    >>> segments = pd.DataFrame({"customer_id": ["x", "y"], "segment": ["loyal", "new"]})
    >>> found = cohort_segments(lines, segments, as_of=date(2026, 3, 1))
    >>> found[["segment", "segment_share", "revenue_amount"]].values.tolist()
    [['loyal', 0.5, 4.0], ['new', 0.5, 6.0]]
    """
    require_grain(grain)
    totals = customer_totals(order_lines, as_of=as_of)
    named = engine.as_table(segments)
    named = named.select(named_id=named["customer_id"], segment=named[by].cast("string"))
    joined = totals.inner_join(named, totals["customer_id"] == named["named_id"])
    first = joined["first_on"]
    joined = joined.mutate(cohort=first if grain == "day" else first.truncate(grain[0].upper()))
    found = engine.collect(
        joined.group_by("cohort", "segment")
        .aggregate(n_customers=joined.count(), revenue_amount=joined["revenue_amount"].sum().cast("float64"))
        .order_by("cohort", ibis.desc("n_customers"), "segment")
    )
    found["cohort"] = pd.to_datetime(found["cohort"])
    return _with_shares(found, of="cohort", whole="n_cohort", name="segment_share", level=level)
