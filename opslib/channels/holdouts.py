"""Plans of the tests that would show what a paid channel brings: who is left without it, for how long, and what that can cost."""

from __future__ import annotations

import math
from datetime import timedelta

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.channels.traffic import of_period
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.stats.power import needed_days, needed_units
from opslib.suppression import of_people

#: Days whose traffic a plan counts on; shortest test; longest that is called useful.
WINDOW_DAYS, SHORTEST_DAYS, LONGEST_DAYS = 56, 28, 182
#: From this share of visits by people who came before, the people can be drawn; else weeks are.
KNOWN_SHARE = 0.5
MONTH = 365.25 / 12
_COLUMNS = [
    "channel", "design", "n_visitors", "later_share", "credit_share", "n_needed", "test_days", "is_useful", "cost_amount", "margin_amount",
    "break_even_share", "saved_amount", "at_risk_amount",
]  # fmt: skip


@of_people("n_visitors", by=("channel",))
def holdout_plans(visits: Table, costs: pd.DataFrame, *, period: Period) -> pd.DataFrame:
    """For each channel that costs money: the hold-out that would show whether the orders it is credited with are its own.

    Where most visits of a channel are by people who came before, a random half of the visitors is left without it, and the share
    that orders is compared. Where it brings people for the first time nobody can be drawn beforehand: it is switched off in
    a random half of the weeks (or of regions and weeks), and the new customers of the whole shop are compared.

    Parameters
    ----------
    visits : table
        From `channel_visits`.
    costs : DataFrame
        From `channel_traffic`, by channel.
    period : Period
        Days of the costs; visitors are counted in its last 56, weeks in all of it.

    Returns
    -------
    DataFrame
        One row a channel with a cost, highest first: channel, design (visitors, weeks), n_visitors, later_share, credit_share (rise of
        buyers, or of new customers, if all those credited by the visit of the order were its own: what the test must see), n_needed
        (visitors or weeks of both sides), test_days (whole weeks), is_useful (within half a year), cost_amount and margin_amount (a month; margin by the visit of
        the order), break_even_share (of the credited margin that must be its own for the channel to pay), saved_amount (cost not
        spent during the test), at_risk_amount (margin lost during the test if all that is credited were its own, less
        what is saved); both missing where the test is not useful. What no margin or no orders tell is missing.

    Notes
    -----
    Power of 80 % at a two-sided 95 % level, as in proposals (`stats.power`); the variation of weeks is half the mean squared
    difference of neighbouring weeks (von Neumann 1941), so that a slow trend is no noise.

    Examples
    --------
    >>> from opslib.channels import channel_traffic, channel_visits
    >>> at = pd.to_datetime(["2026-01-05"])
    >>> sessions = pd.DataFrame({"session_id": ["a"], "started_at": at, "source": "google", "medium": "cpc", "campaign": "mugs"})
    >>> spend = pd.DataFrame({"date": at, "channel": ["ads"], "campaign": ["mugs"], "cost_amount": [3.0]})
    >>> january, visits = Period.parse("2026-01-01", "2026-01-31"), channel_visits(sessions)
    >>> holdout_plans(visits, channel_traffic(visits, ad_spend=spend, period=january), period=january)[["channel", "design"]].values.tolist()
    [['Paid Search', 'weeks']]
    """
    asked = costs[(costs["cost_amount"] > 0) & (costs["n_visits"] > 0)].sort_values(
        "cost_amount", ascending=False, kind="stable"
    )
    if asked.empty:
        return pd.DataFrame(columns=_COLUMNS)
    table = of_period(visits, period)
    people, weeks, whole = (
        _known_people(table, period),
        _new_customers(table, period),
        costs[["n_orders", "n_new_customers"]].sum(),
    )
    plans = [_plan(row, whole, people, weeks, period) for _, row in asked.iterrows()]
    return pd.DataFrame(plans, columns=_COLUMNS)


def _known_people(table: ir.Table, period: Period) -> tuple[int, int, int]:
    """Visitors of the last days who had come before, those of them who ordered, and the days."""
    start = max(period.start, period.end - timedelta(days=WINDOW_DAYS - 1))
    late = table.filter((table["started_on"] >= start) & (table["n_earlier"] > 0))
    sums = engine.collect(
        late.aggregate(n=late["visitor_id"].nunique(), y=late["visitor_id"].nunique(where=late["n_orders"] > 0))
    )
    return int(sums["n"].iloc[0]), int(sums["y"].iloc[0]), (period.end - start).days + 1


def _new_customers(table: ir.Table, period: Period) -> np.ndarray:
    """New customers of each whole week."""
    new = table.filter(table["is_new"] > 0)
    days = engine.grouped(new, "started_on", n=new["customer_id"].nunique())
    week = (pd.to_datetime(days["started_on"]) - pd.Timestamp(period.start)).dt.days // 7
    return days.groupby(week)["n"].sum().reindex(range(period.n_days // 7), fill_value=0).to_numpy(dtype="float64")


def _plan(
    row: pd.Series, whole: pd.Series, people: tuple[int, int, int], weeks: np.ndarray, period: Period
) -> dict[str, object]:
    """Credited effect, needed units, days and money of one channel's test."""
    by_people = row["later_share"] >= KNOWN_SHARE
    if by_people:
        (n, buyers, days), name = people, "n_orders"
        n_a_day, variation = n / days, (n - buyers) / buyers if buyers else math.nan
    else:
        n_a_day, mean, name = 1 / 7, weeks.mean() if len(weeks) else 0.0, "n_new_customers"
        variation = float((np.diff(weeks) ** 2).mean() / 2 / mean**2) if len(weeks) > 1 and mean > 0 else math.nan
    others = whole[name] - row[name]
    credit = row[name] / others if others > 0 else math.nan
    can = credit > 0 and variation > 0 and n_a_day > 0
    needed = needed_units(variation, change=credit) if can else math.nan
    test_days = max(math.ceil(needed_days(needed, units_per_day=n_a_day) / 7) * 7, SHORTEST_DAYS) if can else math.nan
    is_useful = bool(test_days <= LONGEST_DAYS)
    cost, margin = row["cost_amount"] / period.n_days, row["margin_amount"] / period.n_days
    return {
        **row[["channel", "n_visitors", "later_share"]], "design": "visitors" if by_people else "weeks", "credit_share": credit,
        "n_needed": needed, "test_days": test_days, "is_useful": is_useful, "cost_amount": cost * MONTH,
        "margin_amount": margin * MONTH, "break_even_share": cost / margin if margin > 0 else math.nan,
        "saved_amount": cost * test_days / 2 if is_useful else math.nan,
        "at_risk_amount": max((margin - cost) * test_days / 2, 0.0) if is_useful else math.nan,
    }  # fmt: skip
