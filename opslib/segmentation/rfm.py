"""RFM segmentation: recency, frequency and money scores, reusable cut points, segments with a treatment each."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import line_revenue, order_day, paid, require_table_columns
from opslib.metrics.blocks import Table, group_sizes
from opslib.suppression import of_people


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One RFM segment: where it lies, and what the shop does about it.

    Parameters
    ----------
    name, meaning : str
        Name, and who is in it.
    recency, frequency : tuple of int
        First and last score on a scale of five.
    action, department : str
        What to do, and who does it.
    """

    name: str
    meaning: str
    recency: tuple[int, int]
    frequency: tuple[int, int]
    action: str
    department: str


SEGMENTS: tuple[Segment, ...] = (
    Segment(name="champions", meaning="bought lately and more often than most", recency=(4, 5), frequency=(4, 5),
            action="early access, ask for reviews and referrals; no discounts", department="Customer service"),
    Segment(name="new", meaning="first order ever, lately, and the only one", recency=(4, 5), frequency=(1, 1),
            action="a welcome that leads to the second order", department="Customer service"),
    Segment(name="promising", meaning="bought lately, not yet often", recency=(4, 5), frequency=(1, 3),
            action="recommend what goes with the first orders", department="Buying"),
    Segment(name="loyal", meaning="often, but not just now", recency=(3, 3), frequency=(4, 5),
            action="remind of what they buy regularly", department="Customer service"),
    Segment(name="cooling", meaning="middling in both", recency=(3, 3), frequency=(1, 3),
            action="one reminder with the season's range", department="Customer service"),
    Segment(name="at risk", meaning="used to order often, and has been silent for long", recency=(1, 2), frequency=(4, 5),
            action="a personal win-back, and ask why", department="Customer service"),
    Segment(name="hibernating", meaning="seldom, and long ago", recency=(1, 2), frequency=(1, 3),
            action="one low-cost win-back, then silence", department="Customer service"),
)  # fmt: skip
"""The rule table, first match counts: scores are put on a scale of five, and "new" also needs a first order that is the only one."""

PARTS = ("with a customer", "without a customer")
SCORES = {"r_score": "recency_days", "f_score": "n_orders", "m_score": "revenue_amount"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmCutPoints:
    """Where scores change, as numbers that can be used on other data.

    Parameters
    ----------
    recency_days : tuple of float
        Most days that still give score 2, 3, ... ``bins`` (falling).
    n_orders : tuple of float
        Fewest orders that give score 2, 3, ... ``bins``.
    revenue_amount : tuple of float
        Least revenue that gives score 2, 3, ... ``bins``; infinite where no customer had the score.
    """

    recency_days: tuple[float, ...]
    n_orders: tuple[float, ...]
    revenue_amount: tuple[float, ...]

    @property
    def bins(self) -> int:
        """Number of scores."""
        return len(self.n_orders) + 1


def customer_totals(order_lines: Table, *, as_of: date) -> ir.Table:
    """One row a customer: last order, number of orders, revenue, up to a day.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines with a customer count.
    as_of : date
        Last local day that counts.

    Returns
    -------
    ibis.Table
        customer_id, first_on, last_on, n_orders, revenue_amount (money).
    """
    rows = customer_lines(order_lines, as_of=as_of)
    # Grouped by order first: distinct orders are then counted in a fifth less time.
    orders = rows.group_by("customer_id", "order_id").aggregate(
        first_on=rows["day"].min(), last_on=rows["day"].max(), amount=rows["amount"].sum()
    )
    return orders.group_by("customer_id").aggregate(
        first_on=orders["first_on"].min(),
        last_on=orders["last_on"].max(),
        n_orders=orders["order_id"].count(),
        revenue_amount=orders["amount"].sum(),
    )


def customer_lines(order_lines: Table, *, as_of: date) -> ir.Table:
    """customer_id, order_id, day and amount of the paid lines of known customers up to a day."""
    lines = paid(order_lines)
    require_table_columns(lines, "order_id", "customer_id", name="order_lines")
    rows = lines.select("customer_id", "order_id", day=order_day(lines), amount=line_revenue(lines))
    return rows.filter(rows["customer_id"].notnull(), rows["day"] <= as_of)


def rfm_scores(
    order_lines: Table,
    *,
    as_of: date,
    bins: int = 5,
    cut_points: RfmCutPoints | None = None,
    segments: Sequence[Segment] = SEGMENTS,
    newcomers: Table | None = None,
) -> ir.Table:
    """Recency, frequency and money of each customer, with scores and a segment.

    Parameters
    ----------
    order_lines : order_lines
        Lines without a customer are left out (`rfm_coverage` counts them).
    as_of : date
        Day from which recency counts, in local days; later orders do not count.
    bins : int
        Number of scores, 2 to 10: 1 is worst.
    cut_points : RfmCutPoints or None
        Score by these numbers instead of by rank among these customers.
    segments : sequence of Segment
        Rules, the first that fits; the last takes whoever is left.
    newcomers : table or None
        customer_id of those whose first order is known to be their first (`newcomers`): nobody else is "new". None: the
        lines are taken to hold every order there ever was.

    Returns
    -------
    ibis.Table
        customer_id, recency_days, n_orders, revenue_amount (float64), r_score, f_score, m_score (1 to ``bins``),
        segment. A score is a function of the value alone: equal values share the percent rank, hence the score.

    Raises
    ------
    ParameterError
        ``bins`` is out of range, or differs from that of the cut points.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2", "3"], "product_id": "a", "customer_id": ["x", "y", "y"],
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-03-01", "2026-03-09"]), "quantity": 1.0,
    ...     "unit_price": [9.0, 4.0, 3.0]})
    >>> scores = engine.collect(rfm_scores(lines, as_of=date(2026, 3, 10), bins=2).order_by("customer_id"))
    >>> scores[["recency_days", "r_score", "f_score", "m_score"]].values.tolist()
    [[64, 1, 1, 2], [1, 2, 2, 1]]
    """
    if not 2 <= bins <= 10:
        raise ParameterError(f"bins: {bins} is not from 2 to 10; five is the custom")
    if cut_points is not None and cut_points.bins != bins:
        raise ParameterError(f"bins: {bins} differs from the {cut_points.bins} scores of the cut points")
    totals = customer_totals(order_lines, as_of=as_of)
    values: dict[str, ir.NumericValue] = {
        "recency_days": engine.days_between(ibis.literal(as_of), totals["last_on"]),
        "n_orders": totals["n_orders"],
        "revenue_amount": totals["revenue_amount"].cast("float64"),
    }
    scores = _by_rank(totals, bins) if cut_points is None else _by_cut_points(values, cut_points)
    scored = totals.select("customer_id", **values, **scores, is_first=totals["n_orders"] == 1)
    if newcomers is not None:
        first = engine.as_table(newcomers).select(new_id="customer_id")
        joined = scored.left_join(first, scored["customer_id"] == first["new_id"])
        scored = joined.mutate(is_first=joined["is_first"] & joined["new_id"].notnull()).drop("new_id")
    return scored.mutate(segment=_segment_of(scored, bins, segments)).drop("is_first")


def _by_rank(totals: ir.Table, bins: int) -> dict[str, ir.IntegerValue]:
    """Scores by percent rank: the share of the other customers who are worse."""

    def score(column: str) -> ir.IntegerValue:
        rank = ibis.percent_rank().over(ibis.window(order_by=totals[column]))
        return ibis.least((rank * bins).floor().cast("int64") + 1, bins)

    return {"r_score": score("last_on"), "f_score": score("n_orders"), "m_score": score("revenue_amount")}


def _by_cut_points(values: dict[str, ir.NumericValue], cut_points: RfmCutPoints) -> dict[str, ir.IntegerValue]:
    """Scores by numbers: one, and one more for each cut point reached."""
    scores = {}
    for name, column in SCORES.items():
        value = values[column].cast("float64")
        points = [point for point in getattr(cut_points, column) if np.isfinite(point)]
        reached = [(value <= p if name == "r_score" else value >= p).ifelse(1, 0) for p in points]
        scores[name] = functools.reduce(operator.add, reached, ibis.literal(1)).cast("int64")
    return scores


def _segment_of(scored: ir.Table, bins: int, segments: Sequence[Segment]) -> ir.StringValue:
    """The first segment of the table whose scores, on a scale of five, hold the customer."""

    def within(column: str, ends: tuple[int, int]) -> list[ir.BooleanValue]:
        # score s of b lies at ceil(5 s / b) on a scale of five
        low, high = (ends[0] - 1) * bins // 5, ends[1] * bins // 5
        above = [scored[column] > low] if low else []
        return above + ([scored[column] <= high] if high < bins else [])

    cases = []
    for segment in segments[:-1]:
        is_new = segment.name == "new"
        often = [scored["is_first"]] if is_new else within("f_score", segment.frequency)
        cases.append((ibis.and_(*within("r_score", segment.recency), *often), segment.name))
    return ibis.cases(*cases, else_=segments[-1].name)


def rfm_cut_points(scores: Table, *, bins: int = 5) -> RfmCutPoints:
    """The numbers at which scores change, to score other customers or another month alike.

    Parameters
    ----------
    scores : table
        From `rfm_scores`.
    bins : int
        Number of scores that it was made with.

    Returns
    -------
    RfmCutPoints
        ``rfm_scores(..., cut_points=...)`` on the same data gives the same scores.

    Examples
    --------
    >>> scores = pd.DataFrame({"recency_days": [9, 1], "n_orders": [1, 4], "revenue_amount": [5.0, 7.0],
    ...     "r_score": [1, 2], "f_score": [1, 2], "m_score": [1, 2]})
    >>> rfm_cut_points(scores, bins=2)
    RfmCutPoints(recency_days=(1.0,), n_orders=(4.0,), revenue_amount=(7.0,))
    """
    table = engine.as_table(scores)
    ends = {}
    for name, column in SCORES.items():
        value = table[column].cast("float64")
        for score in range(2, bins + 1):
            reached = table[name] >= score
            ends[f"{column}_{score}"] = value.max(where=reached) if name == "r_score" else value.min(where=reached)
    row = engine.collect(table.aggregate(**ends)).astype("float64").iloc[0]
    row = row.fillna({name: -np.inf if name.startswith("recency_days") else np.inf for name in ends})
    scores_up = range(2, bins + 1)
    points = {column: tuple(float(row[f"{column}_{score}"]) for score in scores_up) for column in SCORES.values()}
    return RfmCutPoints(**points)


@of_people("n_customers", by=("recency_score", "frequency_score"))
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
        One row a pair, empty ones too (none where there is no customer): recency_score, frequency_score, n_customers, revenue_amount.

    Examples
    --------
    >>> scores = pd.DataFrame({"r_score": [1, 2, 2], "f_score": [1, 2, 2], "revenue_amount": [1.0, 2.0, 4.0]})
    >>> rfm_grid(scores, bins=2)["n_customers"].tolist()
    [1, 0, 0, 2]
    """
    table, scored = engine.as_table(scores), ["recency_score", "frequency_score"]
    table = table.mutate(recency_score=table["r_score"].cast("int64"), frequency_score=table["f_score"].cast("int64"))
    found = engine.grouped(table, scored, n_customers=table.count(), revenue_amount=table["revenue_amount"].sum())
    scale = range(1, bins + 1 if len(found) else 1)
    grid = found.set_index(scored).reindex(pd.MultiIndex.from_product([scale] * 2, names=scored), fill_value=0)
    return grid.astype({"n_customers": "int64", "revenue_amount": "float64"}).reset_index()


@of_people("n_customers", by=("segment",))
def segment_sizes(scores: Table, *, segments: Sequence[Segment] = SEGMENTS) -> pd.DataFrame:
    """Customers, orders and revenue of each segment, with its treatment.

    Parameters
    ----------
    scores : table
        From `rfm_scores`.
    segments : sequence of Segment
        The rules that it was made with.

    Returns
    -------
    DataFrame
        In the order of ``segments``, one row each, empty ones too (none of no customer): segment, n_customers, customer_share, n_orders,
        revenue_amount, revenue_share, mean_recency_days, meaning, action, department.

    Examples
    --------
    >>> scores = pd.DataFrame({"segment": ["new"], "n_orders": [1], "revenue_amount": [5.0], "recency_days": [3]})
    >>> sizes = segment_sizes(scores)
    >>> len(sizes), sizes.loc[sizes["segment"] == "new", "revenue_share"].tolist()
    (7, [1.0])
    """
    sizes = group_sizes(
        scores,
        "segment",
        [segment.name for segment in segments],
        n_orders=lambda t: t["n_orders"].sum(),
        mean_recency_days=lambda t: t["recency_days"].cast("float64").mean(),
    )
    sizes.insert(3, "n_orders", sizes.pop("n_orders"))
    for word in ("meaning", "action", "department"):
        sizes[word] = sizes["segment"].map({segment.name: getattr(segment, word) for segment in segments})
    return sizes


def rfm_coverage(order_lines: Table, *, as_of: date) -> pd.DataFrame:
    """Coverage of the scores: lines and revenue with a known customer, and without.

    Parameters
    ----------
    order_lines : order_lines
        The lines given to `rfm_scores`.
    as_of : date
        The same day.

    Returns
    -------
    DataFrame
        Two rows (``with a customer``, ``without a customer``), none of no line: part, n_lines, n_orders, revenue_amount, revenue_share.
    """
    lines = paid(order_lines)
    rows = lines.select(
        "order_id",
        part=lines["customer_id"].notnull().ifelse(*PARTS),
        day=order_day(lines),
        revenue_amount=line_revenue(lines),
    )
    rows = rows.filter(rows["day"] <= as_of)
    sizes = group_sizes(rows, "part", PARTS, counted="line", n_orders=lambda t: t["order_id"].nunique())
    return sizes[["part", "n_lines", "n_orders", "revenue_amount", "revenue_share"]]
