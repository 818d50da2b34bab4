"""Design: price elasticity from products by week, promotion weeks left out, clustered where the price varies."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd

from opslib import engine
from opslib.formats import format_date
from opslib.metrics import METRICS, unit_values
from opslib.periods import Period, floor_date
from opslib.proposals.designs.assignment import require_table_of
from opslib.proposals.designs.design import (
    Context,
    GateError,
    Plan,
    evaluates,
    health_gate,
    passed,
    relative_change,
)
from opslib.proposals.results import Gate, Measured
from opslib.proposals.schema import ElasticityDesign
from opslib.proposals.scope import where_of
from opslib.stats.log_response import MIN_CHANGES, log_response
from opslib.stats.verdict_rule import towards

MAX_ROWS = 1_000_000
#: Documented bias of an observed price response, relative (standard deviation). Stated, not measured.
BIAS_SD = 0.05
#: Share of product-weeks without a sale that costs a grade, and that forbids a verdict.
EMPTY_WARNING, EMPTY_FAILED = 0.05, 0.2
#: Relative change of a product's list price from week to week from which it counts as a move.
LEAST_MOVE = 0.01
#: Mean discount of a product's week from which the week is taken for a promotion.
PROMOTION_DISCOUNT = 0.1
_WARNINGS = {
    "followed": "prices followed demand, so what looks like a response may be its cause",
    "few_clusters": "few products whose price moved", "common_driver": "all prices moved together",
}  # fmt: skip


@evaluates("elasticity")
def measure_price_response(plan: Plan, period: Period, _: None, context: Context) -> Measured:
    """Change of units sold that a stated change of price brings, from how sales answered to earlier ones."""
    design = plan.claim.design
    assert isinstance(design, ElasticityDesign)
    if plan.metric.name != "units_sold" or plan.claim.scale != "relative":
        only = f"the response to a price is claimed as a relative change of units_sold, not of {plan.metric.name}"
        raise GateError(Gate("measurable", "failed", only))
    period = Period(period.end - timedelta(days=design.history_days - 1), period.end)
    (gate,) = passed(health_gate(plan, context, period))
    rows = _rows(plan, context, period, promotions=_promotion_weeks(context, period))
    sparse, moves = _sparse_gate(rows), _moves_gate(rows)
    for each in (sparse, moves):
        passed(gate, each)
    found = log_response(rows, confidence_level=plan.confidence_level)
    effect = relative_change(found.slope, math.log1p(design.price_change))
    return Measured(
        effect=towards(effect, direction=plan.direction),
        gates=(gate, sparse, moves, *(Gate("measurable", "warning", _WARNINGS[name]) for name in found.warnings)),
        n_treated=found.n_clusters,
        n_days=period.n_days,
        baseline=float(rows["outcome"].mean()),
        bias_sd=BIAS_SD,
        is_confounded="followed" in found.warnings,
        doubt=f"Prices from {format_date(period.start)} on were not moved by lot: what moved them may have moved sales as well.",
    )


def _sparse_gate(rows: pd.DataFrame) -> Gate:
    """Weeks without a sale have no logarithm; leaving many of them out pulls the response towards nothing."""
    if rows.empty:
        return Gate("measurable", "failed", "nothing was sold in the scope")
    weeks = rows["period"].nunique()
    spans = rows.groupby("unit")["period"].agg(["min", "size"])
    expected = sum(int((rows["period"].drop_duplicates() >= first).sum()) for first in spans["min"])
    share = 1 - len(rows) / max(expected, 1)
    sentence = (
        f"{share:.0%} of the product-weeks ({len(spans)} products, {weeks} weeks) are without a sale, and only those with "
        "one can be read; take products that sell every week"
    )
    return Gate.most("measurable", share, sentence, warning=EMPTY_WARNING, failed=EMPTY_FAILED)


def _rows(plan: Plan, context: Context, period: Period, *, promotions: frozenset[pd.Timestamp]) -> pd.DataFrame:
    """One row a product and week: unit, period, outcome (units sold), driver (list price).

    The price paid is no driver: coupons and quantity discounts move it by who bought how much. The recorded price is taken
    where the product has one, else the unit price of its lines before discount.
    """
    paid = METRICS["price_per_item"]
    has_discounts = "discount_amount" in require_table_of(context.tables, "order_lines").columns
    listed = replace(paid, name="list_price", numerator="list_revenue") if has_discounts else paid
    values = unit_values(
        context.tables,
        [paid, listed] if has_discounts else [paid],
        unit=("product", "week"),
        period=period,
        where=where_of(plan.claim.scope),
    )
    frame = engine.collect(values.order_by(["unit_id", "week"]), max_rows=MAX_ROWS)
    frame = frame[frame[f"{paid.name}_denominator"] > 0]
    week, units = pd.to_datetime(frame["week"]), frame[f"{paid.name}_denominator"]
    is_promotion = week.isin(promotions) | (
        frame[f"{paid.name}_numerator"] < (1 - PROMOTION_DISCOUNT) * frame[f"{listed.name}_numerator"]
    )
    rows = pd.DataFrame(
        {
            "unit": frame["unit_id"],
            "period": week,
            "outcome": units,
            "driver": frame[f"{listed.name}_numerator"] / units,
        }
    )[~is_promotion]
    return _with_recorded_prices(rows, context, period).reset_index(drop=True)


def _with_recorded_prices(rows: pd.DataFrame, context: Context, period: Period) -> pd.DataFrame:
    """The driver from ``price_history`` (mean over the week's days) for products in it; their weeks without one go."""
    if "price_history" not in context.tables:
        return rows
    table = engine.as_table(context.tables["price_history"])
    columns = ["product_id", "valid_from", "price", *(["valid_to"] if "valid_to" in table.columns else [])]
    table = table.filter(table["valid_from"].cast("date") < period.until)
    found = engine.collect(table.select(*columns).order_by(["product_id", "valid_from"]), max_rows=MAX_ROWS)
    found = found[found["product_id"].isin(rows["unit"])]
    if found.empty:
        return rows
    weekly = _weekly_prices(found, period)
    at = pd.MultiIndex.from_frame(rows[["unit", "period"]])
    recorded = pd.Series(weekly.reindex(at).to_numpy(), index=rows.index)
    is_known = rows["unit"].isin(found["product_id"])
    return rows.assign(driver=recorded.where(is_known, rows["driver"])).dropna(subset=["driver"])


def _weekly_prices(history: pd.DataFrame, period: Period) -> pd.Series:
    """Mean list price over the days of each product's week, by (product, Monday)."""
    start = pd.to_datetime(history["valid_from"]).dt.normalize()
    following = start.groupby(history["product_id"]).shift(-1) - pd.Timedelta(days=1)
    end = (
        pd.to_datetime(history["valid_to"]) if "valid_to" in history.columns else pd.Series(pd.NaT, index=history.index)
    )
    last = pd.concat([end, following], axis=1).min(axis=1).fillna(pd.Timestamp(period.end))
    last = last.mask(last > pd.Timestamp(period.end), pd.Timestamp(period.end))
    monday = pd.Timestamp(floor_date(period.start, "week"))
    first = start.mask(start < monday, monday)
    n_days = ((last - first).dt.days + 1).clip(lower=0).to_numpy()
    offsets = np.arange(n_days.sum()) - np.repeat(np.cumsum(n_days) - n_days, n_days)
    day = np.repeat(first.to_numpy(), n_days) + pd.to_timedelta(offsets, unit="D").to_numpy()
    days = pd.DataFrame(
        {
            "unit": np.repeat(history["product_id"].to_numpy(), n_days),
            "day": pd.to_datetime(day),
            "price": np.repeat(history["price"].to_numpy(float), n_days),
        }
    )
    week = days["day"] - pd.to_timedelta(days["day"].dt.dayofweek, unit="D")
    return days.groupby(["unit", week])["price"].mean()


def _moves_gate(rows: pd.DataFrame) -> Gate:
    """Whether list prices moved at all: jitter of the price paid is no move."""
    ordered = rows.sort_values(["unit", "period"])
    change = np.log(ordered["driver"]).groupby(ordered["unit"]).diff().abs()
    n_moves = int((change >= math.log1p(LEAST_MOVE)).sum())
    sentence = f"list prices moved {n_moves} times by {LEAST_MOVE:.0%} or more; {MIN_CHANGES} moves are the least"
    return Gate.check("measurable", n_moves >= MIN_CHANGES, sentence)


def _promotion_weeks(context: Context, period: Period) -> frozenset[pd.Timestamp]:
    """Mondays of the weeks that a promotion touched; none where the shop keeps no list of changes."""
    if "changes" not in context.tables:
        return frozenset()
    changes = engine.as_table(context.tables["changes"])
    changes = changes.filter(changes["kind"] == "promotion")
    found = engine.collect(changes.select("change_id", "started_at", "ended_at").order_by("change_id"))
    weeks: set[pd.Timestamp] = set()
    for start, end in zip(pd.to_datetime(found["started_at"]), pd.to_datetime(found["ended_at"]), strict=True):
        last = period.end if pd.isna(end) else end.date()
        weeks |= set(pd.date_range(floor_date(start.date(), "week"), last, freq="7D"))
    return frozenset(weeks)
