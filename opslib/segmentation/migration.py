"""Segment migration: customers and revenue moving between segments, and growth by segment."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.metrics import require_table_columns
from opslib.metrics.blocks import Table
from opslib.periods import Grain, require_grain
from opslib.segmentation.rfm import customer_totals
from opslib.stats.decomposition import group_effects
from opslib.stats.shares import share
from opslib.suppression import of_people

NOBODY = "not a customer"
"""Segment of a customer who is in one of the two tables only."""


@of_people("n_customers", by=("segment_before", "segment_after"))
def segment_migration(before: Table, after: Table, *, by: str = "segment") -> pd.DataFrame:
    """Customers and revenue of every flow between the segments of two periods.

    Parameters
    ----------
    before, after : table
        customer_id, a segment, and if known revenue_amount of either period: `rfm_scores`, `value_tiers` or
        `life_stages` on the lines of each.
    by : str
        Column of the segment.

    Returns
    -------
    DataFrame
        One row a flow that happened, largest first within its origin: segment_before, segment_after, n_customers,
        n_before (customers of the origin), flow_share, flow_share_lower, flow_share_upper, revenue_before, revenue_after, revenue_change: the
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
    money = {name: pairs[name].sum() for name in ("revenue_before", "revenue_after")}
    flows = engine.grouped(pairs, ["segment_before", "segment_after"], n_customers=pairs.count(), **money)
    flows = _with_shares(flows, of="segment_before", whole="n_before", name="flow_share")
    return flows.assign(revenue_change=flows["revenue_after"] - flows["revenue_before"])


def _with_shares(frame: pd.DataFrame, *, of: str, whole: str, name: str) -> pd.DataFrame:
    """Customers of the whole that a row is part of, and its share of them with Wilson's interval, behind its customers."""
    frame = frame.sort_values([of, "n_customers"], ascending=[True, False], kind="stable", ignore_index=True)
    place = list(frame.columns).index("n_customers") + 1
    frame.insert(place, whole, frame.groupby(of)["n_customers"].transform("sum"))
    estimates = [share(n, k) for n, k in zip(frame["n_customers"], frame[whole], strict=True)]
    for number, (column, end) in enumerate(
        {name: "value", f"{name}_lower": "lower", f"{name}_upper": "upper"}.items(), start=1
    ):
        frame.insert(place + number, column, np.array([getattr(found, end) for found in estimates], dtype="float64"))
    return frame


def _pairs(before: Table, after: Table, by: str) -> ir.Table:
    """One row a customer of either table."""
    sides = {}
    for side, data in (("before", before), ("after", after)):
        table = engine.as_table(data)
        require_table_columns(table, "customer_id", by, name=side)
        revenue = table["revenue_amount"] if "revenue_amount" in table.columns else ibis.literal(0)
        named = {"id": table["customer_id"], "segment": table[by].cast("string"), "revenue": revenue.cast("float64")}
        sides[side] = table.select(**{f"{name}_{side}": column for name, column in named.items()})
    pairs = sides["before"].outer_join(sides["after"], sides["before"]["id_before"] == sides["after"]["id_after"])
    nobody = {"segment": NOBODY, "revenue": 0.0}
    filled = {f"{name}_{side}": value for name, value in nobody.items() for side in sides}
    return pairs.select(**{name: pairs[name].fill_null(value) for name, value in filled.items()})


@of_people(("n_before", "n_after"), by=("segment_compared",))
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
        One row a segment, largest change first: segment_compared (no group of the segments of one day, so withheld
        apart), n_before, n_after, revenue_before, revenue_after,
        change_amount, growth_share (of the whole change; missing if that is 0), volume_amount (customers in all),
        mix_amount (the segment's share of them), rate_amount (revenue a customer). The three amounts sum to the
        change of the segment, the segments to that of the shop.

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
        table = table.mutate(segment=table[by])
        sums = {f"n_{side}": table.count(), f"revenue_{side}": table["revenue_amount"].cast("float64").sum()}
        found.append(engine.grouped(table, "segment", **sums))
    growth = found[0].merge(found[1], how="outer", on="segment").fillna(0).sort_values("segment", ignore_index=True)
    growth = growth.astype(
        {"n_before": "int64", "n_after": "int64", "revenue_before": "float64", "revenue_after": "float64"}
    )
    whole = (growth["revenue_after"] - growth["revenue_before"]).sum()
    growth = group_effects(growth, units="n", total="revenue")
    growth.insert(6, "growth_share", growth["change_amount"] / (whole or np.nan))
    return growth.rename(columns={"segment": "segment_compared"})


@of_people("n_customers", by=("cohort", "segment"))
def cohort_segments(order_lines: Table, segments: Table, *, as_of: date, grain: Grain = "quarter") -> pd.DataFrame:
    """Segments of each cohort's customers today.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines with a customer count; they say when a customer first ordered.
    segments : table
        customer_id and a segment, from `rfm_scores`, `value_tiers` or `life_stages` of the same day.
    as_of : date
        Last local day that counts.
    grain : {"week", "month", "quarter", "year"}
        Length of a cohort.

    Returns
    -------
    DataFrame
        One row a cohort and segment that occurs in it: cohort (first day), segment, n_customers, n_cohort,
        segment_share, segment_share_lower, segment_share_upper, revenue_amount.

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
    named = named.select(named_id=named["customer_id"], segment=named["segment"].cast("string"))
    joined = totals.inner_join(named, totals["customer_id"] == named["named_id"])
    first = joined["first_on"]
    joined = joined.mutate(cohort=first if grain == "day" else first.truncate(grain[0].upper()))
    revenue = joined["revenue_amount"].sum().cast("float64")
    found = engine.grouped(joined, ["cohort", "segment"], n_customers=joined.count(), revenue_amount=revenue)
    found["cohort"] = pd.to_datetime(found["cohort"])
    return _with_shares(found, of="cohort", whole="n_cohort", name="segment_share")
