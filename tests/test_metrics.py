"""The registry and the counting of metrics per unit, group and day."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import engine
from opslib.contracts import CONTRACTS
from opslib.errors import ContractError, NotAvailableError, ParameterError
from opslib.metrics import (
    MEASURES,
    METRICS,
    Filter,
    daily_values,
    filters_of,
    line_revenue,
    order_totals,
    paid,
    shop_metrics,
    unit_statistics,
    unit_values,
    with_local_days,
)
from opslib.periods import Coverage, Period
from opslib.stats.sufficient_statistics import arms_of

EXACT = 1e-12  # sums of a few decimals: only the last bit of a float may differ
JANUARY = Period.parse("2026-01-01", "2026-01-31")


@pytest.fixture
def lines() -> pd.DataFrame:
    """Seven lines, six orders: x buys on three days, y once, a guest once; z's order is cancelled."""
    rows = [
        # order, line, customer, product, ordered, quantity, price, discount, cost, status, session
        ("1", "1", "x", "a", "2026-01-05 10:00", 2, 5.0, 1.0, 4.0, "paid", "s1"),
        ("1", "2", "x", "b", "2026-01-05 10:00", 1, 3.0, None, None, "paid", "s1"),
        ("2", "1", "x", "a", "2026-01-20 23:30", 1, 5.0, 0.0, 2.0, "paid", "s2"),
        ("3", "1", "y", "a", "2026-01-20 12:00", 4, 5.0, 0.0, 8.0, "paid", "s3"),
        ("4", "1", None, "b", "2026-01-21 12:00", 1, 3.0, 0.0, 1.0, "paid", "s4"),
        ("5", "1", "z", "a", "2026-01-22 12:00", 9, 5.0, 0.0, 9.0, "cancelled", "s5"),
        ("6", "1", "x", "b", "2026-02-02 12:00", 1, 3.0, 0.0, 1.0, "paid", None),
    ]
    columns = ["order_id", "line_id", "customer_id", "product_id", "ordered_at", "quantity", "unit_price",
               "discount_amount", "cost_amount", "status", "session_id"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).assign(ordered_at=lambda t: pd.to_datetime(t["ordered_at"]))


@pytest.fixture
def shop(lines: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The lines with six visits of five visitors, their events, a return, searches, reviews, stock and a case."""
    at = pd.to_datetime
    sessions = pd.DataFrame(
        {
            "session_id": ["s1", "s2", "s3", "s4", "s5", "s6"],
            "visitor_id": ["vx", "vx", "vy", "vg", "vz", "vn"],
            "started_at": at(["2026-01-05", "2026-01-20", "2026-01-20", "2026-01-21", "2026-01-22", "2026-01-23"]),
            "country": ["DE", "DE", "FR", "DE", "FR", "FR"],
        }
    )
    steps = {"s1": ["page_view", "add_to_cart", "begin_checkout", "purchase"],
             "s5": ["page_view", "add_to_cart", "begin_checkout"], "s6": ["page_view"]}  # fmt: skip
    events = pd.DataFrame(
        [
            {"session_id": s, "event_index": i, "occurred_at": at("2026-01-05"), "event_name": name}
            for s, names in steps.items()
            for i, name in enumerate(names)
        ]
    )
    return {
        "order_lines": lines,
        "sessions": sessions,
        "events": events,
        "returns": pd.DataFrame(
            {
                "return_id": ["r1"],
                "order_id": ["1"],
                "product_id": ["a"],
                "returned_at": at(["2026-01-25"]),
                "quantity": [1.0],
                "refund_amount": [4.5],
            }
        ),
        "products": pd.DataFrame({"product_id": ["a", "b"], "category": ["Gifts", "Cards"]}),
        "searches": pd.DataFrame(
            {
                "search_id": ["1", "2", "3"],
                "session_id": ["s1", "s1", "s6"],
                "searched_at": at(["2026-01-05"] * 3),
                "query": ["mug", "cup", "cap"],
                "n_results": pd.array([3, 0, None], dtype="Int64"),
                "clicked_product_id": ["a", None, None],
            }
        ),
        "reviews": pd.DataFrame(
            {
                "review_id": ["1", "2"],
                "product_id": ["a", "a"],
                "written_at": at(["2026-01-06"] * 2),
                "rating": [5.0, 2.0],
            }
        ),
        "stock_levels": pd.DataFrame(
            {
                "product_id": ["a", "a", "b"],
                "date": [date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 5)],
                "n_on_hand": [3, 0, 1],
            }
        ),
        "tickets": pd.DataFrame(
            {
                "ticket_id": ["1", "2"],
                "opened_at": at(["2026-01-05", "2026-01-06"]),
                "closed_at": at(["2026-01-08", None]),
                "product_id": ["a", "b"],
            }
        ),
    }


def whole(shop: dict, name: str, *, unit: str = "product", **more: object) -> float:
    """A metric over all units of a shop."""
    values = engine.collect(unit_values(shop, [METRICS[name]], unit=unit, **more))
    return values[f"{name}_numerator"].sum() / values[f"{name}_denominator"].sum()


def test_only_paid_lines_are_revenue(lines: pd.DataFrame) -> None:
    assert engine.collect(paid(lines))["order_id"].tolist() == ["1", "1", "2", "3", "4", "6"]


def test_a_missing_status_is_paid(lines: pd.DataFrame) -> None:
    assert len(engine.collect(paid(lines.assign(status=None).astype({"status": "string"})))) == 7


def test_revenue_is_price_times_quantity_less_discount_and_tax() -> None:
    line = engine.as_table(
        pd.DataFrame({"quantity": [2.0], "unit_price": [5.0], "discount_amount": [1.0], "tax_amount": [1.44]})
    )
    assert engine.collect(line.select(r=line_revenue(line)))["r"].tolist() == [9.0]
    assert engine.collect(line.select(r=line_revenue(line, prices_include_tax=True)))["r"].tolist() == [7.56]


def test_revenue_as_loaded_is_taken_as_it_is() -> None:
    line = engine.as_table(pd.DataFrame({"revenue_amount": [7.5], "quantity": [2.0], "unit_price": [5.0]}))
    assert engine.collect(line.select(r=line_revenue(line)))["r"].tolist() == [7.5]


def test_a_price_column_is_named_when_missing() -> None:
    with pytest.raises(ContractError, match="order_lines: no column 'unit_price'"):
        line_revenue(engine.as_table(pd.DataFrame({"quantity": [1.0]})))


def test_order_totals_count_by_hand(lines: pd.DataFrame) -> None:
    totals = engine.collect(order_totals(lines).order_by("order_id"))
    assert totals["order_id"].tolist() == ["1", "2", "3", "4", "6"]
    assert totals["revenue_amount"].tolist() == [12.0, 5.0, 20.0, 3.0, 3.0]
    assert totals["n_items"].tolist() == [3.0, 1.0, 4.0, 1.0, 1.0]
    assert totals["buyer_id"].tolist() == ["x", "x", "y", "order 4", "x"]


# Counted by hand on the fixture, January only.
BY_HAND = {
    ("conversion", "visitor"): 3 / 5,             # vx, vy, vg of vx, vy, vg, vz, vn
    ("session_conversion", "session"): 4 / 6,
    ("revenue_per_visitor", "visitor"): 40 / 5,
    ("orders_per_visitor", "visitor"): 4 / 5,
    ("average_order_value", "customer"): 37 / 3,  # the guest is no customer
    ("average_order_value", "buyer"): 40 / 4,
    ("average_order_value", "order"): 40 / 4,
    ("items_per_order", "buyer"): 9 / 4,
    ("price_per_item", "product"): 40 / 9,
    ("repeat_rate", "customer"): 1 / 2,
    ("repeat_rate", "buyer"): 1 / 2,
    ("purchase_rate", "visitor"): 1.0,
    ("margin_share", "product"): (37 - 15) / 37,  # line 1/2 has no cost, so its 3.00 are left out
    ("discount_share", "product"): 1 / 41,
    ("new_customer_share", "customer"): 2 / 2,
    ("returning_revenue_share", "day"): 5 / 37,
    ("guest_order_share", "day"): 1 / 4,
    ("return_rate", "product"): 1 / 9,
    ("refund_share", "buyer"): 4.5 / 40,
    ("search_success", "visitor"): 1 / 3,
    ("zero_result_rate", "session"): 1 / 2,       # one search does not say how many it found
    ("add_to_cart_rate", "visitor"): 2 / 3,
    ("checkout_completion", "session"): 1 / 2,
    ("bounce_rate", "visitor"): 1 / 3,
    ("rating", "product"): 3.5,
    ("stock_out_share", "product"): 1 / 3,
    ("ticket_days", "product"): 3.0,
    ("tickets_per_order", "product"): 2 / 5,      # order 1 counts for both products
}  # fmt: skip


@pytest.mark.parametrize(("name", "unit"), BY_HAND)
def test_metric_counted_by_hand(shop: dict, name: str, unit: str) -> None:
    assert whole(shop, name, unit=unit, period=JANUARY) == pytest.approx(BY_HAND[name, unit], rel=EXACT)


def test_totals_per_customer_by_hand(shop: dict) -> None:
    metrics = [METRICS[name] for name in ("revenue", "net_revenue", "orders", "margin")]
    values = engine.collect(unit_values(shop, metrics, unit="customer").order_by("unit_id")).set_index("unit_id")
    assert values["revenue_numerator"].to_dict() == {"x": 20.0, "y": 20.0}
    assert values["net_revenue_numerator"].to_dict() == {"x": 15.5, "y": 20.0}
    assert values["orders_numerator"].to_dict() == {"x": 3.0, "y": 1.0}
    assert values["margin_numerator"].to_dict() == {"x": 9 + 5 + 3 - 7 - 4.5, "y": 12.0}
    assert (values["revenue_denominator"] == 1.0).all()


def test_the_population_keeps_units_without_rows_and_its_own_columns(shop: dict) -> None:
    arms = pd.DataFrame({"unit_id": ["x", "y", "q"], "variant": ["a", "b", "b"]})
    values = engine.collect(
        unit_values(shop, [METRICS["purchase_rate"]], unit="customer", units=arms).order_by("unit_id")
    )
    assert values["variant"].tolist() == ["b", "a", "b"]
    assert values["purchase_rate_numerator"].tolist() == [0.0, 1.0, 1.0]
    assert values["purchase_rate_denominator"].tolist() == [1.0, 1.0, 1.0]


def test_what_happened_before_the_assignment_does_not_count(shop: dict) -> None:
    starts = pd.to_datetime(["2026-01-20 23:30", "2026-01-21 00:00"])
    arms = pd.DataFrame({"unit_id": ["x", "y"], "counted_from": starts})
    values = engine.collect(unit_values(shop, [METRICS["revenue"]], unit="customer", units=arms).order_by("unit_id"))
    assert values["revenue_numerator"].tolist() == [8.0, 0.0]


@pytest.mark.parametrize("kept", [["unit_id"], ["unit_id", "counted_from"], ["unit_id", "variant"]])
def test_a_unit_in_two_rows_is_refused(shop: dict, kept: list[str]) -> None:
    """Joined as they stand, x would have twice its 20.0 in each of two rows."""
    arms = pd.DataFrame({"unit_id": ["x", "y", "x"], "variant": ["a", "b", "b"],
                         "counted_from": pd.to_datetime(["2026-01-01"] * 3)})  # fmt: skip
    with pytest.raises(ContractError, match=r"1 units stand in more than one row, e\.g\. 'x'; needed: one row a unit"):
        unit_values(shop, [METRICS["revenue"]], unit="customer", units=arms[kept])


def test_filters_reach_linked_tables(shop: dict) -> None:
    gifts = whole(shop, "average_order_value", unit="order", where=[["category", "=", "Gifts"]])
    assert gifts == pytest.approx((9 + 5 + 20) / 3, rel=EXACT)
    german = whole(shop, "conversion", unit="visitor", where=[["country", "=", "DE"]], period=JANUARY)
    assert german == 1.0


def test_a_panel_has_one_row_a_unit_and_day(shop: dict) -> None:
    panel = engine.collect(
        unit_values(shop, [METRICS["revenue"]], unit=("product", "day"), period=JANUARY).order_by("unit_id", "day")
    )
    assert panel[["unit_id", "revenue_numerator"]].values.tolist() == [
        ["a", 9.0],
        ["a", 25.0],
        ["b", 3.0],
        ["b", 3.0],
    ]


def test_one_scan_of_each_table_however_many_metrics(lines: pd.DataFrame) -> None:
    con = engine.connect()
    table = con.create_table("staged_lines", lines)
    names = ("revenue", "orders", "average_order_value", "items_per_order", "margin_share", "repeat_rate", "customers")
    sql = con.compile(unit_values({"order_lines": table}, [METRICS[name] for name in names], unit="customer"))
    assert sql.count('"staged_lines"') == 1


def test_frame_and_table_give_the_same(shop: dict) -> None:
    con = engine.connect()
    staged = {name: con.create_table(name, frame) for name, frame in shop.items()}
    metrics = [METRICS[name] for name in ("conversion", "revenue_per_visitor")]
    a, b = (
        engine.collect(unit_values(tables, metrics, unit="visitor").order_by("unit_id")) for tables in (shop, staged)
    )
    pd.testing.assert_frame_equal(a, b)


def test_moments_feed_the_comparison_of_arms(shop: dict) -> None:
    arms = pd.DataFrame({"unit_id": ["x", "y", "q"], "variant": ["a", "b", "b"]})
    metrics = [METRICS["revenue"], METRICS["average_order_value"]]
    values = unit_values(shop, metrics, unit="customer", units=arms)
    sums = unit_statistics(values, metrics, by=["variant"])
    b = arms_of(sums[sums["metric"] == "average_order_value"], arm="variant")["b"]
    assert (b.n, b.y, b.d, b.yy, b.yd, b.dd) == (2.0, 20.0, 1.0, 400.0, 20.0, 1.0)
    assert sums["metric"].tolist() == ["revenue", "revenue", "average_order_value", "average_order_value"]


def test_daily_values_tell_zero_from_unobserved(lines: pd.DataFrame) -> None:
    seen = Coverage(date(2026, 1, 4), date(2026, 1, 21), frozenset({date(2026, 1, 6)}))
    period = Period.parse("2026-01-03", "2026-01-22")
    days = daily_values({"order_lines": lines}, [METRICS["revenue"], METRICS["average_order_value"]],
                        period=period, coverage=seen).set_index("day")  # fmt: skip
    assert np.isnan(days.loc["2026-01-03", "revenue"])
    assert np.isnan(days.loc["2026-01-06", "revenue"])
    assert np.isnan(days.loc["2026-01-22", "revenue"])
    assert days.loc["2026-01-04", "revenue"] == 0.0
    assert np.isnan(days.loc["2026-01-04", "average_order_value"])
    assert days.loc["2026-01-20", "average_order_value"] == 12.5
    assert len(days) == 20


def test_daily_values_by_unit_have_every_day(lines: pd.DataFrame) -> None:
    days = daily_values({"order_lines": lines}, [METRICS["orders"]], period=JANUARY, by="product")
    assert days.groupby("unit_id").size().to_dict() == {"a": 31, "b": 31}
    assert days.groupby("unit_id")["orders"].sum().to_dict() == {"a": 3.0, "b": 2.0}


def test_days_are_those_of_the_shop(lines: pd.DataFrame) -> None:
    local = with_local_days({"order_lines": lines}, zone="Europe/Berlin")
    days = daily_values(local, [METRICS["orders"]], period=Period.parse("2026-01-20", "2026-01-21"))
    assert days["orders"].tolist() == [1.0, 2.0]  # order 2 was placed at 00:30 on the 21st in Berlin


def test_what_ends_at_midnight_had_the_day_before_as_its_last() -> None:
    changes = pd.DataFrame(
        {"started_at": ["2026-04-05 23:00"] * 3, "ended_at": ["2026-07-19 23:00", "2026-07-19 23:01", None]}
    )
    changes = changes.apply(pd.to_datetime).assign(change_id=list("abc"))
    local = engine.collect(with_local_days({"changes": changes}, zone="Europe/London")["changes"].order_by("change_id"))
    assert local["started_on"].astype(str).tolist() == ["2026-04-06"] * 3
    assert local["ended_on"].astype(str).tolist()[:2] == ["2026-07-19", "2026-07-20"]
    assert local["ended_on"].isna().tolist() == [False, False, True]


def test_missing_tables_and_columns_are_named(shop: dict) -> None:
    with pytest.raises(NotAvailableError, match="no table 'searches'"):
        unit_values({"order_lines": shop["order_lines"]}, [METRICS["search_success"]], unit="visitor")
    without = {"order_lines": shop["order_lines"].drop(columns="cost_amount")}
    with pytest.raises(ContractError, match="order_lines: no column 'cost_amount'"):
        unit_values(without, [METRICS["gross_margin"]], unit="order")
    with pytest.raises(ContractError, match="unit 'store': needs a column 'store'"):
        unit_values(shop, [METRICS["revenue"]], unit="store")
    with pytest.raises(ParameterError, match="'costumer' is not a unit; did you mean 'customer'"):
        unit_values(shop, [METRICS["revenue"]], unit="costumer")
    with pytest.raises(ParameterError, match=r"repeat_rate.*unit 'day' cannot carry it"):
        unit_values(shop, [METRICS["repeat_rate"]], unit="day")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["country", "~", "DE"], "'~' is not an operator"),
        (["country", "in", "DE"], "'in' needs a list"),
        (["country", "=", ["DE"]], "'=' needs one value"),
        (["country", "=", object()], "allowed: text, number, true/false, date"),
        ("country = DE", "write it as"),
        ({"column": "country"}, "needs exactly column, operator, value"),
    ],
)
def test_bad_filters_are_refused(given: object, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        filters_of([given])


def test_unlike_is_true_of_a_missing_value() -> None:
    t = engine.as_table(pd.DataFrame({"x": ["a", "b", None]}))
    assert len(engine.collect(t.filter(Filter("x", "!=", "a").on(t)))) == 2
    assert len(engine.collect(t.filter(Filter("x", "not in", ["a"]).on(t)))) == 2
    assert len(engine.collect(t.filter(Filter("x", "in", ["a", "b"]).on(t)))) == 2


GIFT = {"definition": "Share of revenue from gifts.", "unit": "share", "numerator": "revenue",
        "numerator_where": [["category", "=", "Gifts"]], "denominator": "revenue", "unit_of_analysis": "customer",
        "direction": 1}  # fmt: skip


def test_a_shop_composes_its_own_metric(shop: dict) -> None:
    own = shop_metrics({"gift_share": GIFT})
    metric = own["gift_share"]
    values = engine.collect(unit_values(shop, [metric], unit="buyer", period=JANUARY))
    assert values["gift_share_numerator"].sum() / values["gift_share_denominator"].sum() == pytest.approx(34 / 40)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"numerator": "revenu"}, "no measure 'revenu'; did you mean 'revenue'"),
        ({"numerator": "revenue / orders"}, "joined by"),
        ({"unit": "euro"}, "unit 'euro' is not one of share"),
        ({"direction": 0}, "neither 1 nor -1"),
        ({"titel": "x"}, "no setting 'titel'; did you mean 'title'"),
    ],
)
def test_bad_metrics_of_a_shop_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        shop_metrics({"gift_share": {**GIFT, **change}})


def test_a_shop_cannot_redefine_or_leave_out() -> None:
    with pytest.raises(ParameterError, match="'revenue' exists in the registry"):
        shop_metrics({"revenue": GIFT})
    with pytest.raises(ParameterError, match="'direction' is missing"):
        shop_metrics({"gift_share": {k: v for k, v in GIFT.items() if k != "direction"}})


def test_every_metric_names_known_tables_and_every_measure_is_used() -> None:
    assert all(set(metric.tables) <= set(CONTRACTS) and metric.tables for metric in METRICS.values())
    assert all(metric.definition.endswith(".") for metric in METRICS.values())
    assert METRICS["conversion"].tables == ("order_lines", "sessions")
    assert METRICS["net_revenue"].measures["numerator"][1].startswith("-1 money given back")
    assert {"revenue", "units"} <= set(MEASURES)


def test_nothing_sold_is_an_empty_table(lines: pd.DataFrame) -> None:
    none = {"order_lines": lines.assign(status="cancelled")}
    assert len(engine.collect(unit_values(none, [METRICS["revenue"]], unit="customer"))) == 0


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(2, 30), seed=st.integers(0, 1000))
def test_two_parts_of_a_period_add_up_and_row_order_does_not_matter(cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    frame = pd.DataFrame({
        "order_id": rng.integers(0, 15, n).astype(str), "product_id": "a", "customer_id": "c",
        "ordered_at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 31, n), unit="D"),
        "quantity": rng.integers(0, 4, n).astype(float), "unit_price": rng.integers(1, 999, n) / 100,
    })  # fmt: skip
    metric = [METRICS["revenue"]]

    def total(rows: pd.DataFrame, first: int, last: int) -> float:
        period = Period(date(2026, 1, first), date(2026, 1, last))
        values = unit_values({"order_lines": rows}, metric, unit="customer", period=period)
        return engine.collect(values)["revenue_numerator"].sum()

    shuffled = frame.sample(frac=1, random_state=seed)
    assert total(frame, 1, 31) == total(shuffled, 1, 31)
    assert total(frame, 1, cut - 1) + total(frame, cut, 31) == pytest.approx(total(frame, 1, 31), rel=EXACT)
