"""Every function of the room on tables that a shop lacks: the same kind of result, without a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pytest

from opslib import segmentation
from tests.empty import BASELINE, PERIOD, empty_table, n_rows, without_optional
from tests.engines.cases import KEPT_MODEL

AS_OF = PERIOD.end
LINES = empty_table("order_lines")
PRODUCTS = {"none": None, "empty": empty_table("products")}
#: Two orders of guests: a shop whose orders name no customer.
GUESTS = without_optional(
    pd.DataFrame({
        "order_id": ["1", "2"], "product_id": "a", "quantity": 1.0, "unit_price": [4.0, 6.0],
        "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"]),
    }), "order_lines",
)  # fmt: skip
LEFT = {"no line": LINES, "no customer": GUESTS}


def scores(lines: ir.Table) -> ir.Table:
    return segmentation.rfm_scores(lines, as_of=AS_OF)


def summary(lines: ir.Table) -> ir.Table:
    return segmentation.customer_summary(lines, as_of=AS_OF)


def visits() -> ir.Table:
    return segmentation.visit_intents(empty_table("events"), sessions=empty_table("sessions"), period=PERIOD)


EMPTY: dict[str, Callable[[ir.Table], Any]] = {
    "customer_totals": lambda lines: segmentation.customer_totals(lines, as_of=AS_OF),
    "rfm_scores": scores,
    "rfm_grid": lambda lines: segmentation.rfm_grid(scores(lines)),
    "segment_sizes": lambda lines: segmentation.segment_sizes(scores(lines)),
    "life_stages": lambda lines: segmentation.life_stages(lines, as_of=AS_OF),
    "stage_sizes": lambda lines: segmentation.stage_sizes(segmentation.life_stages(lines, as_of=AS_OF)),
    "value_tiers": lambda lines: segmentation.value_tiers(lines, as_of=AS_OF),
    "tier_sizes": lambda lines: segmentation.tier_sizes(segmentation.value_tiers(lines, as_of=AS_OF)),
    "customer_features": lambda lines: segmentation.customer_features(lines, as_of=AS_OF),
    "segment_migration": lambda lines: segmentation.segment_migration(scores(lines), scores(lines)),
    "segment_growth": lambda lines: segmentation.segment_growth(scores(lines), scores(lines)),
    "cohort_segments": lambda lines: segmentation.cohort_segments(lines, scores(lines), as_of=AS_OF),
    "customer_summary": summary,
    "customer_lifetime_value": lambda lines: segmentation.customer_lifetime_value(summary(lines), model=None),
    "segment_lifetime_value": lambda lines: segmentation.segment_lifetime_value(summary(lines), model=None),
    "lifetime_checks": lambda _: segmentation.lifetime_checks(None),
    "visit_intents": lambda _: visits(),
    "intent_sizes": lambda _: segmentation.intent_sizes(visits()),
    "intent_sizes by device": lambda _: segmentation.intent_sizes(visits(), by="device"),
}


@pytest.mark.parametrize("lines", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("ask", EMPTY.values(), ids=EMPTY)
def test_of_nobody_nothing_is_told(ask, lines):
    found = ask(lines)
    assert isinstance(found, ir.Table | pd.DataFrame)
    assert n_rows(found) == 0


def test_lines_without_a_customer_are_counted_and_no_line_is_no_row():
    assert n_rows(segmentation.rfm_coverage(LINES, as_of=AS_OF)) == 0
    assert segmentation.rfm_coverage(GUESTS, as_of=AS_OF)["n_orders"].tolist() == [0, 2]


@pytest.mark.parametrize("lines", LEFT.values(), ids=LEFT)
def test_a_forecast_of_nobody_says_why(lines):
    found = segmentation.holdout_check(lines, calibration_end=BASELINE.end, holdout_end=AS_OF, fewest_repeaters=20)
    assert found.reason == "Fewer than 20 customers came back until 31 Dec 2025: too few to forecast customers."
    assert found.model is found.refit(summary(lines)) is None
    assert len(found.groups) == len(found.weeks) == 0
    assert np.isnan([found.orders.value, found.realised_amount, found.orders_error, found.skill.lower]).all()
    assert segmentation.repeat_customers(summary(lines)) == 0
    quantiles = segmentation.value_quantiles(segmentation.customer_lifetime_value(summary(lines), model=None))
    assert quantiles["expected_revenue_amount"].isna().all()


@pytest.mark.parametrize("products", PRODUCTS.values(), ids=PRODUCTS)
@pytest.mark.parametrize("lines", LEFT.values(), ids=LEFT)
def test_nobody_has_no_habits_no_groups_and_no_drift(lines, products):
    habits = segmentation.customer_features(lines, as_of=AS_OF, products=products, categories=KEPT_MODEL.categories)
    found = segmentation.segment_clusters(habits, as_of=AS_OF)
    assert (found.n_groups, found.model, found.n_customers, found.n_fitted) == (1, None, 0, 0)
    assert [len(part) for part in (found.trials, found.segments, found.profiles, found.habits)] == [0, 0, 0, 0]
    assert n_rows(KEPT_MODEL.score(habits)) == 0
    for kept in (None, KEPT_MODEL):
        moved = segmentation.drift(kept, habits)
        assert (len(moved.segments), len(moved.features), moved.n_customers, moved.n_far) == (0, 0, 0, 0)
        assert np.isnan(moved.far_share)


def test_cut_points_of_nobody_are_reached_by_nobody():
    found = segmentation.rfm_cut_points(scores(LINES), bins=3)
    assert found.recency_days == (-np.inf, -np.inf)
    assert found.n_orders == found.revenue_amount == (np.inf, np.inf)


@pytest.mark.parametrize("products", PRODUCTS.values(), ids=PRODUCTS)
def test_visits_of_a_shop_without_sessions_devices_and_categories(products):
    rows = {"session_id": ["s", "s"], "event_name": ["view_item", "view_item"], "product_id": ["a", "b"],
            "occurred_at": pd.to_datetime(["2026-01-05", "2026-01-06"])}  # fmt: skip
    events = without_optional(pd.DataFrame(rows), "events")
    found = segmentation.visit_intents(events, products=products, period=PERIOD)
    assert segmentation.intent_sizes(found)[["intent", "n_visits"]].values.tolist() == [["compare", 1]]
    linked = segmentation.visit_intents(events, sessions=empty_table("sessions"), products=products, period=PERIOD)
    assert n_rows(linked) == n_rows(segmentation.intent_sizes(linked, by="device")) == 0
