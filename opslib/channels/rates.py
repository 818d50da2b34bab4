"""Which channels' visits end with an order more often than others': a description, with intervals that hold for all channels at once."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from scipy import stats as distributions

from opslib import engine
from opslib.channels.traffic import of_period
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.suppression import of_people

_SUMS = ("d", "y", "dd", "yy", "yd", "da", "db", "ya", "yb")
#: Fewest visitors of a channel that is compared, and visits with an order on either side.
LEAST_VISITORS, LEAST_ORDERS = 50, 10


@of_people("n_visitors", by=("channel",))
def buying_rates(visits: Table, *, period: Period, confidence_level: float = 0.95) -> pd.DataFrame:
    """Share of a channel's visits with an order, and how far it is from that of all other visits.

    Parameters
    ----------
    visits : table
        From `channel_visits`.
    period : Period
        Local days that count.
    confidence_level : float
        Chance that the intervals of all channels hold together (0-1).

    Returns
    -------
    DataFrame
        One row a channel, highest share first: channel, n_visits, n_visitors, buy_share, buy_share_lower, buy_share_upper,
        others_share, gap_share (the difference), gap_share_lower, gap_share_upper, is_apart (its interval leaves out zero). Missing
        ends where a side has fewer than 50 visitors or 10 visits with an order.

    Notes
    -----
    Delta method over visitors, who may stand on both sides; Bonferroni over channels.

    Examples
    --------
    >>> from opslib.channels import channel_visits
    >>> sessions = pd.DataFrame({"session_id": ["a", "b"], "started_at": pd.to_datetime(["2026-01-05"] * 2), "source": "x",
    ...     "medium": ["email", "organic"]})
    >>> found = buying_rates(channel_visits(sessions), period=Period.parse("2026-01-01", "2026-01-31"))
    >>> found[["channel", "buy_share", "is_apart"]].values.tolist()
    [['Email', 0.0, False], ['Organic Search', 0.0, False]]
    """
    table = of_period(visits, period)
    bought = engine.flag(table["n_orders"] > 0)
    parts = table.group_by("visitor_id", "channel").aggregate(d=table.count().cast("float64"), y=bought.sum())
    own = ibis.window(group_by="visitor_id")
    parts = parts.mutate(a=parts["d"].sum().over(own), b=parts["y"].sum().over(own))
    products = {name: (parts[name[0]] * parts[name[1]]).sum() for name in _SUMS if len(name) == 2}
    found = engine.grouped(
        parts, "channel", n_visitors=parts.count(), d=parts["d"].sum(), y=parts["y"].sum(), **products
    )
    people = table.group_by("visitor_id").aggregate(a=table.count().cast("float64"), b=bought.sum())
    whole = engine.collect(people.aggregate(
        n=people.count(), a=people["a"].sum(), b=people["b"].sum(), aa=(people["a"] * people["a"]).sum(),
        bb=(people["b"] * people["b"]).sum(), ba=(people["b"] * people["a"]).sum(),
    )).iloc[0]  # fmt: skip
    z = float(distributions.norm.ppf(1 - (1 - confidence_level) / 2 / max(len(found), 1)))
    rows = [{"channel": row["channel"], "n_visits": int(row["d"]), "n_visitors": int(row["n_visitors"]), **_gap(row, whole, z)}
            for _, row in found.iterrows()]  # fmt: skip
    columns = ["channel", "n_visits", "n_visitors", "buy_share", "buy_share_lower", "buy_share_upper", "others_share", "gap_share",
               "gap_share_lower", "gap_share_upper", "is_apart"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).sort_values(
        "buy_share", ascending=False, kind="stable", ignore_index=True
    )


@np.errstate(divide="ignore", invalid="ignore")
def _gap(row: pd.Series, whole: pd.Series, z: float) -> dict[str, float | bool]:
    """Two ratios of sums over the same visitors, the second over what is not the channel's."""
    n, (d, y, dd, yy, yd, d_whole, d_bought, y_whole, y_bought) = whole["n"], (float(row[name]) for name in _SUMS)
    rest, rest_bought = whole["a"] - d, whole["b"] - y
    own, others = np.float64(y) / d, np.float64(rest_bought) / rest
    # Sums over visitors of the products of (bought, visits) here and elsewhere; a visitor of one side adds nothing to the other.
    here = np.array([[yy, yd], [yd, dd]])
    across = np.array([[y_bought - yy, y_whole - yd], [d_bought - yd, d_whole - dd]])
    away = np.array([
        [whole["bb"] - 2 * y_bought + yy, whole["ba"] - y_whole - d_bought + yd],
        [whole["ba"] - y_whole - d_bought + yd, whole["aa"] - 2 * d_whole + dd],
    ])  # fmt: skip
    one, two = np.array([1.0, -own]) / d, np.array([1.0, -others]) / rest
    factor = n / (n - 1) if n > 1 else np.nan
    error = np.sqrt(one @ here @ one * factor)
    gap_error = np.sqrt(max(one @ here @ one + two @ away @ two - 2 * one @ across @ two, 0.0) * factor)
    enough = min(y, rest_bought) >= LEAST_ORDERS and min(row["n_visitors"], n - row["n_visitors"]) >= LEAST_VISITORS
    error, gap_error = (error, gap_error) if enough else (np.nan, np.nan)
    gap = own - others
    return {
        "buy_share": own, "buy_share_lower": max(own - z * error, 0.0) if enough else np.nan, "buy_share_upper": own + z * error,
        "others_share": others, "gap_share": gap, "gap_share_lower": gap - z * gap_error, "gap_share_upper": gap + z * gap_error,
        "is_apart": bool(abs(gap) > z * gap_error),
    }  # fmt: skip
