"""What each channel brings and costs by the visit of the order, when its cost comes back, who it brings, where channels meet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.channels.groups import UNKNOWN
from opslib.metrics import METRICS, MONEY, day_of, order_totals, unit_values
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.suppression import counted, of_people

#: Days of a step of the pay-back.
STEP_DAYS = 30


def channel_traffic(
    visits: Table, *, ad_spend: Table | None = None, by: str | Sequence[str] = "channel", period: Period
) -> pd.DataFrame:
    """Visits, orders, new customers, money and cost of each channel, an order counted for the visit in which it was placed.

    Parameters
    ----------
    visits : table
        From `channel_visits`.
    ad_spend : ad_spend or None
        Cost goes to the visits that carry the campaign, else to the channel of the same name, else stands alone.
    by : str or sequence of str
        channel, source, medium, campaign: what a row is.
    period : Period
        Local days that count.

    Returns
    -------
    DataFrame
        One row a channel, most visits first: the columns of ``by``, n_visits, visit_share, n_visitors, later_share (visits of
        those who had come before), n_orders, n_buyers, n_new_customers, revenue_amount, margin_amount, cost_amount
        (missing where none is recorded: that is not 0), cost_per_new_customer_amount, margin_per_cost (margin over cost: an association, no return).

    Examples
    --------
    >>> from opslib.channels import channel_visits
    >>> sessions = pd.DataFrame({"session_id": ["a", "b"], "started_at": pd.to_datetime(["2026-01-05"] * 2),
    ...     "source": ["google", "google"], "medium": ["cpc", "organic"], "campaign": ["mugs", None]})
    >>> spend = pd.DataFrame({"date": pd.to_datetime(["2026-01-05"]), "channel": ["ads"], "campaign": ["mugs"], "cost_amount": [3.0]})
    >>> found = channel_traffic(channel_visits(sessions), ad_spend=spend, period=Period.parse("2026-01-01", "2026-01-31"))
    >>> found[["channel", "n_visits", "cost_amount"]].values.tolist()
    [['Organic Search', 1, nan], ['Paid Search', 1, 3.0]]
    """
    keys = [by] if isinstance(by, str) else list(by)
    table = of_period(visits, period)
    has_order = table["n_orders"] > 0
    found = engine.grouped(
        table, keys, n_visits=table.count(), n_visitors=table["visitor_id"].nunique(),
        n_later=(table["n_earlier"] > 0).ifelse(1, 0).sum(), n_orders=table["n_orders"].sum().cast("int64"),
        n_buyers=table["visitor_id"].nunique(where=has_order), n_new_customers=table["is_new"].sum().cast("int64"),
        revenue_amount=table["revenue_amount"].sum(), margin_amount=table["margin_amount"].sum(),
    )  # fmt: skip
    costs = _costs(table, ad_spend, keys, period)
    found = found.merge(costs, on=keys, how="outer").sort_values(keys, kind="stable")
    counts = ["n_visits", "n_visitors", "n_later", "n_orders", "n_buyers", "n_new_customers"]
    found[counts] = found[counts].fillna(0).astype("int64")
    found["later_share"] = found["n_later"] / found["n_visits"].where(found["n_visits"] > 0)
    found["visit_share"] = found["n_visits"] / max(found["n_visits"].sum(), 1)
    found["cost_per_new_customer_amount"] = found["cost_amount"].where(found["cost_amount"] > 0) / found[
        "n_new_customers"
    ].where(found["n_new_customers"] > 0)
    found["margin_per_cost"] = found["margin_amount"] / found["cost_amount"].where(found["cost_amount"] > 0)
    found = found.sort_values("n_visits", ascending=False, kind="stable", ignore_index=True)
    columns = [*keys, "n_visits", "visit_share", "n_visitors", "later_share", "n_orders", "n_buyers", "n_new_customers", "revenue_amount",
               "margin_amount", "cost_amount", "cost_per_new_customer_amount", "margin_per_cost"]  # fmt: skip
    return counted(found[columns], "n_visitors", by=keys)


def of_period(visits: Table, period: Period) -> ir.Table:
    """Visits of the period."""
    table = engine.as_table(visits)
    return table.filter(table["started_on"].between(period.start, period.end))


def _costs(table: ir.Table, ad_spend: Table | None, keys: list[str], period: Period) -> pd.DataFrame:
    """Cost of each row of ``keys`` in the period."""
    names = list(dict.fromkeys(["channel", "source", "medium", "campaign", *keys]))
    seen = engine.grouped(table, names, n=table.count()).sort_values("n", ascending=False, kind="stable")
    empty = pd.DataFrame({name: pd.Series(dtype="str") for name in keys} | {"cost_amount": pd.Series(dtype="float64")})
    if ad_spend is None:
        return empty
    spend = engine.as_table(ad_spend)
    spend = spend.filter(day_of(spend, "date").between(period.start, period.end))
    campaign = (
        engine.trimmed(spend["campaign"].cast("string").lower()) if "campaign" in spend.columns else ibis.null("string")
    )
    spend = spend.select("channel", campaign=campaign.fill_null(""), cost=spend["cost_amount"].cast(MONEY))
    sums = engine.grouped(spend, ["channel", "campaign"], cost_amount=spend["cost"].sum())
    sums = sums[sums["cost_amount"] > 0]
    if sums.empty:
        return empty
    rows = pd.DataFrame([_place(seen, row, keys) for row in sums.itertuples()]).assign(
        cost=sums["cost_amount"].to_numpy()
    )
    return rows.groupby(keys, as_index=False).agg(cost_amount=("cost", "sum"))


def _place(seen: pd.DataFrame, spent: object, keys: list[str]) -> dict[str, str]:
    """The row that a campaign's cost belongs to."""
    channel, campaign = str(spent.channel), str(spent.campaign)  # type: ignore[attr-defined]
    alike = seen[(seen["campaign"] == campaign) & (campaign != "")]
    if alike.empty:
        alike = seen[seen["channel"].map(_plain) == _plain(channel)]
    if alike.empty:
        return {name: channel if name == "channel" else UNKNOWN for name in keys}
    return {name: str(alike.iloc[0][name]) for name in keys}


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip().removesuffix("s")


@of_people("n_new_customers", by=("channel",))
def paybacks(
    visits: Table, costs: pd.DataFrame, *, order_lines: Table, returns: Table | None = None, period: Period
) -> pd.DataFrame:
    """How long until the margin of the customers that a channel brought has paid what it cost to bring them.

    Parameters
    ----------
    visits : table
        From `channel_visits`.
    costs : DataFrame
        From `channel_traffic`, by channel.
    order_lines : order_lines
        All later orders of these customers, wherever they were placed.
    returns : returns or None
        What came back of them.
    period : Period
        Days of the first orders; later orders count up to its end.

    Returns
    -------
    DataFrame
        One row a channel with a cost and new customers: channel, n_new_customers, cost_per_new_customer_amount,
        first_margin_amount (margin a new customer in the first 30 days), margin_each_amount (so far as was seen), payback_days (end
        of the first 30 days in which the margin reaches the cost; missing where it did not), seen_days (how far was looked).
        By the visit of the first order: what the customers would have done without the channel is not known.

    Examples
    --------
    >>> from opslib.channels import channel_visits
    >>> at = pd.to_datetime(["2026-01-05", "2026-02-20"])
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "line_id": "1", "product_id": "a", "customer_id": "x", "session_id": ["s", "t"],
    ...     "ordered_at": at, "quantity": 1.0, "unit_price": 9.0, "cost_amount": 4.0})
    >>> sessions = pd.DataFrame({"session_id": ["s", "t"], "started_at": at, "source": "google", "medium": "cpc", "campaign": "mugs"})
    >>> spend = pd.DataFrame({"date": at[:1], "channel": ["ads"], "campaign": ["mugs"], "cost_amount": [8.0]})
    >>> year, seen = Period.parse("2026-01-01", "2026-12-31"), channel_visits(sessions, order_lines=lines)
    >>> costs = channel_traffic(seen, ad_spend=spend, period=year)
    >>> paybacks(seen, costs, order_lines=lines, period=year)[["first_margin_amount", "payback_days"]].values.tolist()
    [[5.0, 60.0]]
    """
    columns = [
        "channel",
        "n_new_customers",
        "cost_per_new_customer_amount",
        "first_margin_amount",
        "margin_each_amount",
        "payback_days",
        "seen_days",
    ]
    asked = costs[(costs["cost_amount"] > 0) & (costs["n_new_customers"] > 0)]
    if asked.empty or engine.is_empty(order_lines, "cost_amount"):
        return pd.DataFrame(columns=columns)
    table = of_period(visits, period)
    firsts = table.filter(table["is_new"] > 0).select("channel", who="customer_id", first_on="started_on")
    returns = None if returns is None or "refund_amount" not in engine.as_table(returns).columns else returns
    tables = {"order_lines": order_lines} | ({} if returns is None else {"returns": returns})
    metric = METRICS["gross_margin" if returns is None else "margin"]
    worth = unit_values(tables, [metric], unit="order")
    orders = order_totals(order_lines)
    orders = orders.select("customer_id", "ordered_on", order_id=orders["order_id"].cast("string"))
    worth = worth.select(worth_id=worth["unit_id"].cast("string"), margin=worth[f"{metric.name}_numerator"])
    orders = orders.join(worth, orders["order_id"] == worth["worth_id"])
    joined = orders.join(firsts, orders["customer_id"] == firsts["who"])
    last = period.start + timedelta(days=period.n_days)
    joined = joined.filter(joined["ordered_on"].between(joined["first_on"], period.end))
    step = engine.days_between(joined["ordered_on"], joined["first_on"]) // STEP_DAYS
    joined = joined.mutate(step=step.cast("int64"), n_seen=_seen(joined, last))
    joined = joined.filter(joined["step"] < joined["n_seen"])
    amounts = engine.grouped(joined, ["channel", "step"], amount=joined["margin"].sum())
    seen = firsts.mutate(n_seen=_seen(firsts, last))
    people = engine.grouped(seen, ["channel", "n_seen"], n=seen.count())
    found = [
        _payback(row, amounts[amounts["channel"] == row.channel], people[people["channel"] == row.channel])
        for row in asked.itertuples()
    ]
    return pd.DataFrame(found, columns=columns)


def _seen(firsts: ir.Table, last: object) -> ir.IntegerValue:
    """Whole steps that a customer was seen for."""
    return (engine.days_between(ibis.literal(last).cast("date"), firsts["first_on"]) // STEP_DAYS).cast("int64")


def _payback(row: object, amounts: pd.DataFrame, people: pd.DataFrame) -> dict[str, object]:
    """Margin a customer by step, each of those who were seen for it, added up until it reaches the cost."""
    steps = np.arange(int(people["n_seen"].max()) if len(people) else 0)
    n = np.array([people.loc[people["n_seen"] > step, "n"].sum() for step in steps], dtype="float64")
    by_step = amounts.set_index("step")["amount"].reindex(steps, fill_value=0.0).to_numpy(dtype="float64")
    each = np.cumsum(by_step / n) if len(steps) else np.array([])
    cost = float(row.cost_per_new_customer_amount)  # type: ignore[attr-defined]
    reached = np.flatnonzero(each >= cost)
    return {
        "channel": row.channel, "n_new_customers": row.n_new_customers, "cost_per_new_customer_amount": cost,  # type: ignore[attr-defined]
        "first_margin_amount": each[0] if len(each) else np.nan, "margin_each_amount": each[-1] if len(each) else np.nan,
        "payback_days": (reached[0] + 1) * STEP_DAYS if len(reached) else np.nan, "seen_days": len(steps) * STEP_DAYS,
    }  # fmt: skip


@of_people("n_visitors", by=("channel", "who"), adds_up=False)
def first_and_later(visits: Table, *, period: Period) -> pd.DataFrame:
    """Visits of people who come for the first time, and of those who have come before, by channel.

    Parameters
    ----------
    visits : table
        From `channel_visits`.
    period : Period
        Local days that count.

    Returns
    -------
    DataFrame
        One row a channel and kind of visit: channel, who (first visit, came before), n_visits, n_visitors, visit_share (of the
        channel's), buy_share (visits with an order), revenue_amount.

    Examples
    --------
    >>> from opslib.channels import channel_visits
    >>> sessions = pd.DataFrame({"session_id": ["a", "b"], "visitor_id": "v", "started_at": pd.to_datetime(["2026-01-05", "2026-01-06"])})
    >>> found = first_and_later(channel_visits(sessions), period=Period.parse("2026-01-01", "2026-01-31"))
    >>> found[["who", "n_visits"]].values.tolist()
    [['came before', 1], ['first visit', 1]]
    """
    table = of_period(visits, period)
    table = table.mutate(who=(table["n_earlier"] > 0).ifelse("came before", "first visit"))
    found = engine.grouped(
        table, ["channel", "who"], n_visits=table.count(), n_visitors=table["visitor_id"].nunique(),
        n_bought=(table["n_orders"] > 0).ifelse(1, 0).sum(), revenue_amount=table["revenue_amount"].sum(),
    )  # fmt: skip
    found["visit_share"] = found["n_visits"] / found.groupby("channel")["n_visits"].transform("sum")
    found["buy_share"] = found["n_bought"] / found["n_visits"]
    return found[["channel", "who", "n_visits", "n_visitors", "visit_share", "buy_share", "revenue_amount"]]


@of_people("n_visitors", by=("channel", "other"), adds_up=False)
def channel_overlap(visits: Table, *, period: Period) -> pd.DataFrame:
    """How many of the people who came through one channel came through another as well.

    Parameters
    ----------
    visits : table
        From `channel_visits`.
    period : Period
        Local days that count.

    Returns
    -------
    DataFrame
        One row a pair that occurred: channel, other, n_visitors (who came through both), overlap_share (of those of ``channel``);
        a channel with itself holds those who came through it alone.

    Examples
    --------
    >>> from opslib.channels import channel_visits
    >>> sessions = pd.DataFrame({"session_id": ["a", "b", "c"], "visitor_id": ["v", "v", "w"], "medium": ["email", "organic", "email"],
    ...     "source": "letter", "started_at": pd.to_datetime(["2026-01-05"] * 3)})
    >>> found = channel_overlap(channel_visits(sessions), period=Period.parse("2026-01-01", "2026-01-31"))
    >>> found[found["channel"] == "Email"][["other", "n_visitors", "overlap_share"]].values.tolist()
    [['Email', 1, 0.5], ['Organic Search', 1, 0.5]]
    """
    table = of_period(visits, period)
    came = table.select("visitor_id", "channel").distinct()
    came = came.mutate(n_channels=came.count().over(ibis.window(group_by="visitor_id")))
    other = came.select(other_visitor="visitor_id", other="channel")
    pairs = came.join(other, came["visitor_id"] == other["other_visitor"])
    pairs = pairs.filter((pairs["channel"] != pairs["other"]) | (pairs["n_channels"] == 1))
    found = engine.grouped(pairs, ["channel", "other"], n_visitors=pairs.count())
    sizes = engine.grouped(came, "channel", n=came.count())
    found["overlap_share"] = found["n_visitors"] / found["channel"].map(sizes.set_index("channel")["n"]).astype(
        "float64"
    )
    return found


@of_people("n_customers", by=("kind", "channel"), adds_up=False)  # guests stand in no row: no total gives a cell away
def customer_kinds(visits: Table, customers: Table, *, period: Period) -> pd.DataFrame:
    """Through which channels the orders of businesses and of consumers come.

    Parameters
    ----------
    visits : table
        From `channel_visits`.
    customers : customers
        With ``kind``.
    period : Period
        Local days that count.

    Returns
    -------
    DataFrame
        One row a kind and channel with orders of customers whose kind is told: kind, channel, n_customers, n_orders, order_share
        (of the kind's), revenue_amount.

    Examples
    --------
    >>> from opslib.channels import channel_visits
    >>> at = pd.to_datetime(["2026-01-05"])
    >>> lines = pd.DataFrame({"order_id": ["1"], "line_id": "1", "product_id": "a", "customer_id": "x", "session_id": "s", "ordered_at": at,
    ...     "quantity": 1.0, "unit_price": 9.0})
    >>> visits = channel_visits(pd.DataFrame({"session_id": ["s"], "started_at": at}), order_lines=lines)
    >>> people = pd.DataFrame({"customer_id": ["x"], "kind": ["business"]})
    >>> customer_kinds(visits, people, period=Period.parse("2026-01-01", "2026-01-31"))[["kind", "channel", "n_orders"]].values.tolist()
    [['business', 'Direct', 1]]
    """
    table, told = of_period(visits, period), engine.as_table(customers)
    told = told.filter(told["kind"].notnull()).select(
        told_id=told["customer_id"].cast("string"), kind=told["kind"].cast("string")
    )
    rows = table.filter(table["n_orders"] > 0).join(told, table["customer_id"] == told["told_id"])
    found = engine.grouped(
        rows, ["kind", "channel"], n_customers=rows["customer_id"].nunique(), n_orders=rows["n_orders"].sum().cast("int64"),
        revenue_amount=rows["revenue_amount"].sum(),
    )  # fmt: skip
    found["order_share"] = found["n_orders"] / found.groupby("kind")["n_orders"].transform("sum")
    return found[["kind", "channel", "n_customers", "n_orders", "order_share", "revenue_amount"]]
