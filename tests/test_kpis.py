"""Key figures, cohorts and decompositions."""

from __future__ import annotations

from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from opslib.errors import ParameterError
from opslib.kpis import (
    cohort_retention,
    concentration,
    decompose_by,
    decompose_change,
    history_days,
    kpi_series,
    kpi_table,
    largest_changes,
    shop_kpis,
)
from opslib.metrics import METRICS
from opslib.periods import Coverage, Period
from tests import retail

REL = 1e-9  # engine floats at 12 significant digits against Python's own sums
ENDS = 1e-8  # the ends of an interval are told to nine digits
JANUARY, FEBRUARY, MARCH = Period.parse("2026-01-01", "2026-03-31").split("month")
SEEN = Coverage(date(2026, 1, 1), date(2026, 3, 20))


def order(order_id: str, customer: str | None, day: str, quantity: float, price: float, **more: object) -> dict:
    return {
        "order_id": order_id, "product_id": "a", "customer_id": customer, "ordered_at": pd.Timestamp(day),
        "quantity": quantity, "unit_price": price, **more,
    }  # fmt: skip


@pytest.fixture
def lines() -> pd.DataFrame:
    """January: x twice, y once. February: x, z, a guest. March (begun): x. One order of April."""
    return pd.DataFrame([
        order("1", "x", "2026-01-05", 2, 5.0), order("2", "x", "2026-01-20", 1, 8.0), order("3", "y", "2026-01-21", 1, 3.0),
        order("4", "x", "2026-02-03", 1, 6.0), order("5", "z", "2026-02-04", 4, 5.0), order("6", None, "2026-02-05", 1, 4.0),
        order("7", "x", "2026-03-03", 1, 2.0), order("8", "x", "2026-04-02", 1, 2.0),
    ])  # fmt: skip


def row(table: pd.DataFrame, metric: str, comparison: str = "current") -> pd.Series:
    return table[(table["metric"] == metric) & (table["comparison"] == comparison)].iloc[0]


def test_figures_counted_by_hand(lines: pd.DataFrame) -> None:
    table = kpi_table({"order_lines": lines}, period=FEBRUARY, coverage=SEEN)
    by_hand = {
        "revenue": (30.0, 21.0), "orders": (3.0, 3.0), "customers": (2.0, 2.0), "average_order_value": (10.0, 7.0),
        "items_per_order": (2.0, 4 / 3), "price_per_item": (5.0, 5.25), "repeat_rate": (0.0, 0.5),
        "guest_order_share": (1 / 3, 0.0),
    }  # fmt: skip
    for metric, (current, previous) in by_hand.items():
        assert row(table, metric)["value"] == pytest.approx(current, rel=REL), metric
        assert row(table, metric, "previous")["value"] == pytest.approx(previous, rel=REL), metric
    assert row(table, "revenue", "previous")["change_share"] == pytest.approx(9 / 21, rel=REL)
    assert (table["metric"] != "return_rate").all()  # this shop has no returns


def test_interval_of_a_ratio_is_the_delta_method_over_buyers(lines: pd.DataFrame) -> None:
    found = row(kpi_table({"order_lines": lines}, period=FEBRUARY, coverage=SEEN), "average_order_value")
    y, d = np.array([6.0, 20.0, 4.0]), np.ones(3)  # x, z and the guest
    error = np.sqrt(np.sum((y - 10.0 * d) ** 2) / 3**2 * 3 / 2)
    half = stats.t.ppf(0.975, 2) * error
    assert found["value_lower"] == pytest.approx(10 - half, rel=ENDS)
    assert found["value_upper"] == pytest.approx(10 + half, rel=ENDS)
    assert found["n"] == 3


def test_change_takes_off_what_both_periods_share(lines: pd.DataFrame) -> None:
    """Influence of each buyer on the logarithm of both values, by hand: x bought in both months."""
    found = row(kpi_table({"order_lines": lines}, period=FEBRUARY, coverage=SEEN), "revenue", "previous")
    before = {"x": 18.0, "y": 3.0}
    after = {"x": 6.0, "z": 20.0, "guest": 4.0}
    buyers = set(before) | set(after)
    influence = [after.get(b, 0.0) / 30 - before.get(b, 0.0) / 21 for b in buyers]
    half = stats.t.ppf(0.975, 1) * np.sqrt(np.sum(np.square(influence)))  # two buyers in January
    assert found["change_share_lower"] == pytest.approx(30 / 21 * np.exp(-half) - 1, rel=ENDS)
    assert found["change_share_upper"] == pytest.approx(30 / 21 * np.exp(half) - 1, rel=ENDS)


def test_one_buyer_gives_a_change_without_an_interval(lines: pd.DataFrame) -> None:
    """x bought for 18.0 and then 6.0: what both months share cancels, and a fall of 67 % had an interval of no width."""
    found = row(kpi_table({"order_lines": lines[lines["customer_id"] == "x"]}, period=FEBRUARY, coverage=SEEN),
                "revenue", "previous")  # fmt: skip
    assert found["change_share"] == pytest.approx(6 / 18 - 1, rel=REL)
    assert np.isnan([found["change_share_lower"], found["change_share_upper"]]).all()


def test_an_unfinished_month_is_no_fall_and_an_unobserved_one_no_zero(lines: pd.DataFrame) -> None:
    table = kpi_table({"order_lines": lines}, period=MARCH, coverage=SEEN)
    march, before = row(table, "revenue"), row(table, "revenue", "previous")
    assert (march["status"], march["value"], march["note"]) == ("partial", 2.0, "20 of 31 days observed")
    assert np.isnan(before["change_share"])
    year = row(table, "revenue", "year_before")
    assert year["status"] == "unobserved"
    assert np.isnan(year["value"])
    assert np.isnan(year["change_share"])


def test_data_that_begin_too_late_call_nobody_new(lines: pd.DataFrame) -> None:
    """The share of new customers once "fell by 53 %" in a shop whose data begin in May: everybody is new at first."""
    for period in (JANUARY, FEBRUARY):
        new = row(kpi_table({"order_lines": lines}, period=period, coverage=SEEN), "new_customer_share")
        assert np.isnan(new["value"])
        assert new["note"] == "the data begin too late to tell new customers from old ones"
    assert kpi_table({"order_lines": lines}, period=FEBRUARY, coverage=SEEN).query(
        "metric == 'new_customer_share'")["change_points"].isna().all()  # fmt: skip


def test_who_was_known_before_the_data_begin_is_not_new(lines: pd.DataFrame) -> None:
    """February: x bought in January; z bought first in February, and is known since 2020 in one of two shops."""
    for seen_z, n_new in (("2020-05-01", 0), ("2026-02-04", 1)):
        customers = pd.DataFrame({"customer_id": ["x", "y", "z"],
                                  "first_seen_at": pd.to_datetime(["2019-03-01", "2026-01-21", seen_z])})  # fmt: skip
        tables = {"order_lines": lines, "customers": customers}
        assert history_days(tables, coverage=SEEN) == 0
        table = kpi_table(tables, period=FEBRUARY, coverage=SEEN)
        assert row(table, "new_customer_share")["value"] == pytest.approx(n_new / 2, rel=REL)
        # x 6.0 always returns; z 20.0 where he is known from before.
        assert row(table, "returning_revenue_share")["value"] == pytest.approx((6 if n_new else 26) / 26, rel=REL)
        cohorts = cohort_retention(lines, coverage=SEEN, customers=customers)
        assert set(cohorts["cohort"].dt.month) == ({1, 2} if n_new else {1})
        assert set(cohorts["n_customers"]) == {1}  # y in January, z in February, never x


def test_cohorts_without_enough_history_are_left_out(lines: pd.DataFrame) -> None:
    assert history_days({"order_lines": lines}, coverage=SEEN) == 90  # gaps of 14, 15 and 30 days
    assert cohort_retention(lines, coverage=SEEN, history=90).empty
    assert set(cohort_retention(lines, coverage=SEEN, history=31)["cohort"].dt.month) == {2}


def test_visits_and_conversion_are_counted_by_visitor(lines: pd.DataFrame) -> None:
    """February: visitors u (two visits, an order), v and w (one visit each): a third buys, four visits."""
    sessions = pd.DataFrame({
        "session_id": ["s1", "s2", "s3", "s4", "s0"], "visitor_id": ["u", "u", "v", "w", "u"],
        "started_at": pd.to_datetime(["2026-02-03", "2026-02-05", "2026-02-04", "2026-02-06", "2026-01-05"]),
    })  # fmt: skip
    linked = lines.assign(session_id=lines["order_id"].map({"4": "s1", "1": "s0"}))
    table = kpi_table({"order_lines": linked, "sessions": sessions}, period=FEBRUARY, coverage=SEEN)
    assert [row(table, name)["value"] for name in ("sessions", "visitors", "conversion")] == pytest.approx(
        [4, 3, 1 / 3]
    )
    assert row(table, "conversion", "previous")["value"] == 1.0
    assert row(table, "conversion", "previous")["change_points"] == pytest.approx(1 / 3 - 1)
    assert np.isnan(row(table, "conversion", "previous")["change_share"])
    unlinked = lines.assign(session_id=None)
    unlinked["session_id"] = unlinked["session_id"].astype("string")
    nobody = row(
        kpi_table({"order_lines": unlinked, "sessions": sessions}, period=FEBRUARY, coverage=SEEN), "conversion"
    )
    assert (np.isnan(nobody["value"]), nobody["note"]) == (True, "orders do not name their visit")


def test_margin_is_after_refunds_and_uses_the_cost_of_products(lines: pd.DataFrame) -> None:
    """February: revenue 30, six units at 2.0 each, 5.0 given back: 30 - 12 - 5 = 13; one line's own cost comes first."""
    returns = pd.DataFrame({"return_id": ["r"], "order_id": ["5"], "returned_at": pd.to_datetime(["2026-02-10"]),
                            "quantity": [1.0], "refund_amount": [5.0]})  # fmt: skip
    tables = {"order_lines": lines, "returns": returns, "products": pd.DataFrame({"product_id": ["a"], "cost": [2.0]})}
    table = kpi_table(tables, period=FEBRUARY, coverage=SEEN)
    value = {name: row(table, name)["value"] for name in ("margin", "net_revenue", "refunds", "margin_share")}
    assert value == pytest.approx({"margin": 13.0, "net_revenue": 25.0, "refunds": 5.0, "margin_share": 18 / 30})
    own = lines.assign(cost_amount=lines["order_id"].map({"5": 3.0}))  # instead of 4 x 2.0
    table = kpi_table(tables | {"order_lines": own}, period=FEBRUARY, coverage=SEEN)
    assert row(table, "margin")["value"] == pytest.approx(18.0)
    assert "margin" not in {metric.name for metric in shop_kpis({"order_lines": lines})}


def test_advertising_is_spent_and_not_drawn_by_chance(lines: pd.DataFrame) -> None:
    ads = pd.DataFrame({"date": pd.to_datetime(["2026-01-03", "2026-02-03", "2026-02-04"]), "channel": "search",
                        "campaign": "c", "cost_amount": [10.0, 8.0, 4.0], "n_clicks": 1, "n_impressions": 9})  # fmt: skip
    table = kpi_table({"order_lines": lines, "ad_spend": ads}, period=FEBRUARY, coverage=SEEN)
    spent = row(table, "ad_cost", "previous")
    assert (row(table, "ad_cost")["value"], spent["change_share"]) == (12.0, pytest.approx(0.2))
    assert np.isnan(spent["change_share_lower"])
    assert row(table, "cost_per_order")["value"] == pytest.approx(4.0)  # three orders


def test_a_year_before_that_overlaps_is_no_comparison(lines: pd.DataFrame) -> None:
    long = Coverage(date(2023, 1, 1), date(2026, 12, 31))
    months = kpi_table({"order_lines": lines}, period=Period.parse("2025-01-01", "2026-06-30"), coverage=long)
    assert set(months["comparison"]) == {"current", "previous"}
    year = kpi_table({"order_lines": lines}, period=Period.parse("2026-01-01", "2026-12-31"), coverage=long)
    assert set(year["comparison"]) == {"current", "previous"}  # the year before is the period before


def test_products_that_gained_and_lost_by_hand(lines: pd.DataFrame) -> None:
    """January: a 21.0. February: a 10.0, b 20.0 of one buyer; c and d are two numbers of one name."""
    more = pd.DataFrame([order("9", "y", "2026-02-09", 1, 3.0), order("10", "z", "2026-02-09", 1, 4.0)])
    frame = pd.concat(
        [lines.assign(product_id=["a", "a", "a", "a", "b", "a", "a", "a"]), more.assign(product_id=["c", "d"])]
    )
    names = pd.DataFrame({"product_id": ["a", "c", "d"], "name": ["mug", "rug", "rug"]})
    pair = {"period": FEBRUARY, "baseline": JANUARY, "products": names}
    found = largest_changes(frame, minimum=1, **pair)
    assert found[["group", "change_amount"]].values.tolist() == [["b", 20.0], ["rug", 7.0], ["mug", -11.0]]
    assert largest_changes(frame, minimum=2, **pair)["group"].tolist() == ["rug", "mug"]  # b had one buyer
    assert largest_changes(frame, minimum=1, n=1, **pair)["group"].tolist() == ["b", "mug"]
    assert largest_changes(frame, **{**pair, "baseline": None}).empty


def test_returns_are_counted_against_their_buyers(lines: pd.DataFrame) -> None:
    returns = pd.DataFrame({
        "return_id": ["r1", "r2"], "order_id": ["5", None], "returned_at": pd.to_datetime(["2026-02-10", "2026-02-11"]),
        "quantity": [2.0, 1.0], "refund_amount": [10.0, 1.0],
    })  # fmt: skip
    table = kpi_table({"order_lines": lines, "returns": returns}, period=FEBRUARY, coverage=SEEN)
    assert row(table, "return_rate")["value"] == pytest.approx(3 / 6, rel=REL)
    assert row(table, "refunds")["value"] == 11.0
    assert row(table, "net_revenue")["value"] == 19.0


def test_a_period_without_orders_has_no_ratio(lines: pd.DataFrame) -> None:
    empty = kpi_table({"order_lines": lines.iloc[:3]}, period=FEBRUARY, coverage=SEEN)
    assert row(empty, "revenue")["value"] == 0.0
    assert np.isnan(row(empty, "average_order_value")["value"])
    assert row(empty, "average_order_value")["note"] == "nothing to divide by"
    assert np.isnan(row(empty, "average_order_value", "previous")["change_share"])


def test_figures_follow_the_tables(lines: pd.DataFrame) -> None:
    names = {metric.name for metric in shop_kpis({"order_lines": lines.drop(columns="customer_id")})}
    assert "revenue" in names
    assert not names & {"repeat_rate", "customers", "new_customer_share", "return_rate", "margin_share"}
    guests = kpi_table({"order_lines": lines.drop(columns="customer_id")}, period=FEBRUARY, coverage=SEEN)
    assert row(guests, "average_order_value")["value"] == pytest.approx(10.0, rel=REL)
    assert row(guests, "average_order_value")["n"] == 3  # each order its own buyer
    assert shop_kpis({}) == ()
    assert kpi_table({}, period=MARCH, coverage=SEEN).empty


def test_series_mark_what_is_cut_or_unseen(lines: pd.DataFrame) -> None:
    period = Period.parse("2026-01-01", "2026-04-30")
    series = kpi_series({"order_lines": lines}, grain="month", period=period, coverage=SEEN)
    revenue = series[series["metric"] == "revenue"]
    assert revenue["status"].tolist() == ["complete", "complete", "partial", "unobserved"]
    assert revenue["value"].tolist()[:3] == [21.0, 30.0, 2.0]
    assert np.isnan(revenue["value"].tolist()[3])  # an order of April lies beyond what was observed
    weeks = kpi_series({"order_lines": lines}, grain="week", period=JANUARY, coverage=SEEN, metrics=[METRICS["orders"]])
    assert weeks["status"].tolist() == ["partial", "complete", "complete", "complete", "partial"]
    assert weeks["value"].sum() == 3.0


def test_cohorts_by_hand(lines: pd.DataFrame) -> None:
    found = cohort_retention(lines, coverage=SEEN).set_index(["cohort", "age"])
    january, february = pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")
    assert found.loc[(january, 0), ["n_customers", "n_active"]].tolist() == [2, 2]
    assert found.loc[(january, 1), ["n_active", "retention_share"]].tolist() == [1, 0.5]
    assert found.loc[(february, 0), ["n_customers", "n_active"]].tolist() == [1, 1]


def test_cohort_cells_not_yet_seen_are_missing_not_zero(lines: pd.DataFrame) -> None:
    """A peer fills all 66 of 66 such cells with 0, so that the mean of its last column reads 7.5 % instead of 88.3 %."""
    found = cohort_retention(lines, coverage=SEEN).set_index(["cohort", "age"])
    unseen = found.loc[(pd.Timestamp("2026-02-01"), 2)]
    assert unseen["status"] == "unobserved"
    assert unseen[["n_active", "retention_share", "retention_share_lower", "retention_share_upper"]].isna().all()


def test_an_unfinished_last_month_is_flagged_and_has_no_share(lines: pd.DataFrame) -> None:
    """A peer shows the first hours of a new month as a whole one (2.2 %)."""
    found = cohort_retention(lines, coverage=SEEN).set_index(["cohort", "age"])
    march = found.loc[(pd.Timestamp("2026-01-01"), 2)]
    assert (march["status"], march["n_active"]) == ("partial", 1.0)
    assert np.isnan(march["retention_share"])
    assert found["period_start"].max() == pd.Timestamp("2026-04-01")  # only as the unseen age of the youngest cohort
    assert set(found.loc[found["period_start"] > "2026-03-31", "status"]) == {"unobserved"}


def test_cohorts_of_nobody_are_empty_and_days_are_refused(lines: pd.DataFrame) -> None:
    assert cohort_retention(lines.assign(status="cancelled"), coverage=SEEN).empty
    with pytest.raises(ParameterError, match="grain: 'day' is not one of"):
        cohort_retention(lines, coverage=SEEN, grain="day")


def test_frame_and_table_give_the_same(lines: pd.DataFrame) -> None:
    table = ibis.duckdb.connect().create_table("lines", lines)
    pd.testing.assert_frame_equal(cohort_retention(lines, coverage=SEEN), cohort_retention(table, coverage=SEEN))
    pd.testing.assert_frame_equal(
        kpi_table({"order_lines": lines}, period=FEBRUARY, coverage=SEEN),
        kpi_table({"order_lines": table}, period=FEBRUARY, coverage=SEEN),
    )


def test_why_revenue_moved_by_hand(lines: pd.DataFrame) -> None:
    effects = decompose_change(lines, period=FEBRUARY, baseline=JANUARY).set_index("factor")
    assert effects["before"].tolist() == pytest.approx([2.0, 1.5, 4 / 3, 5.25], rel=REL)
    assert effects["after"].tolist() == pytest.approx([3.0, 1.0, 2.0, 5.0], rel=REL)
    weight = (30 - 21) / np.log(30 / 21)
    assert effects.loc["buyers", "effect_amount"] == pytest.approx(weight * np.log(3 / 2), rel=REL)
    assert effects["effect_amount"].sum() == pytest.approx(9.0, rel=REL)
    assert effects["effect_share"].sum() == pytest.approx(9 / 21, rel=REL)


def test_a_period_without_sales_is_all_buyers(lines: pd.DataFrame) -> None:
    """A peer's revenue tree raises on a period without rows."""
    december = Period.parse("2025-12-01", "2025-12-31")
    effects = decompose_change(lines, period=JANUARY, baseline=december).set_index("factor")
    assert effects["effect_amount"].to_dict() == {
        "buyers": 21.0,
        "orders_per_buyer": 0.0,
        "items_per_order": 0.0,
        "price_per_item": 0.0,
    }
    assert effects["effect_share"].isna().all()


def test_groups_that_come_and_go_stay_apart() -> None:
    """A peer merges one group of the first period and another of the second into a single row."""
    lines = pd.DataFrame([order("1", "x", "2026-01-05", 1, 10.0, country="DE"),
                          order("2", "x", "2026-02-05", 1, 20.0, country="FR")])  # fmt: skip
    found = decompose_by(lines, by="country", period=FEBRUARY, baseline=JANUARY).set_index("group")
    assert found["change_amount"].to_dict() == {"FR": 20.0, "DE": -10.0}
    assert found["mix_amount"].to_dict() == {"FR": 20.0, "DE": -10.0}


def test_groups_reach_the_products_table(lines: pd.DataFrame) -> None:
    products = pd.DataFrame({"product_id": ["a"], "category": ["Gifts"]})
    found = decompose_by(lines, by="category", period=FEBRUARY, baseline=JANUARY, products=products)
    assert found[["group", "change_amount"]].values.tolist() == [["Gifts", 9.0]]


def test_overlapping_periods_are_refused(lines: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="overlaps"):
        decompose_change(lines, period=JANUARY, baseline=Period.parse("2026-01-31", "2026-02-05"))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pqr"), st.integers(0, 57), st.integers(0, 5), st.integers(1, 900)),
                min_size=1, max_size=25))  # fmt: skip
def test_group_effects_sum_to_the_change_of_the_shop(rows: list) -> None:
    frame = pd.DataFrame([
        order(str(i), "x", str(date(2026, 1, 1) + pd.Timedelta(days=d)), float(q), p / 100, country=g)
        for i, (g, d, q, p) in enumerate(rows)
    ])  # fmt: skip
    found = decompose_by(frame, by="country", period=FEBRUARY, baseline=JANUARY)
    parts = found[["volume_amount", "mix_amount", "rate_amount"]].sum(axis=1)
    np.testing.assert_allclose(parts, found["change_amount"], atol=1e-6)  # cents of a few thousand
    month = frame["ordered_at"].dt.month
    amount = frame["quantity"] * frame["unit_price"]
    assert found["change_amount"].sum() == pytest.approx(amount[month == 2].sum() - amount[month == 1].sum(), abs=1e-6)


def test_concentration_by_hand_and_with_ties() -> None:
    lines = pd.DataFrame([order(c, c, "2026-01-05", 1, p) for c, p in zip("abcd", (10, 10, 10, 70), strict=True)])
    found = concentration(lines, period=JANUARY, top=[0.25, 0.5, 1.0])
    assert found["revenue_share"].tolist() == [0.7, 0.8, 1.0]
    assert found["n"].tolist() == [1.0, 2.0, 4.0]
    renamed = lines.assign(customer_id=list("dcba"))
    pd.testing.assert_frame_equal(found, concentration(renamed, period=JANUARY, top=[0.25, 0.5, 1.0]))


@pytest.mark.real_data
def test_online_retail_figures_equal_plain_sql() -> None:
    period = Period.parse("2011-11-01", "2011-11-30")
    table = kpi_table({"order_lines": retail.lines()}, period=period, coverage=retail.SEEN)
    expected = (
        retail.raw()
        .sql(f"""
        with p as ({retail.RAW}), n as (select * from p where InvoiceDate >= '2011-11-01' and InvoiceDate < '2011-12-01'),
        f as (select CustomerID, min(InvoiceDate::date) as first from p where CustomerID is not null group by 1),
        c as (select CustomerID, count(distinct InvoiceNo) as k from n where CustomerID is not null group by 1)
        select sum(Quantity * UnitPrice)::double as revenue, count(distinct InvoiceNo) as orders,
            count(distinct CustomerID) as customers, sum(Quantity)::double as items,
            (select avg((k >= 2)::int) from c) as repeat_rate,
            (select avg((first >= '2011-11-01')::int) from c join f using (CustomerID)) as new_share,
            count(distinct InvoiceNo) filter (CustomerID is null) as guests
        from n
    """)
        .df()
        .iloc[0]
    )
    value = {name: row(table, name)["value"] for name in table["metric"].unique()}
    assert value["revenue"] == pytest.approx(expected["revenue"], rel=REL)
    assert value["orders"] == expected["orders"]
    assert value["customers"] == expected["customers"]
    assert value["average_order_value"] == pytest.approx(expected["revenue"] / expected["orders"], rel=REL)
    assert value["items_per_order"] == pytest.approx(expected["items"] / expected["orders"], rel=REL)
    assert value["repeat_rate"] == pytest.approx(expected["repeat_rate"], rel=REL)
    assert value["new_customer_share"] == pytest.approx(expected["new_share"], rel=REL)
    assert value["guest_order_share"] == pytest.approx(expected["guests"] / expected["orders"], rel=REL)
    assert row(table, "revenue", "year_before")["status"] == "unobserved"


@pytest.mark.real_data
def test_online_retail_change_covers_like_a_bootstrap_over_buyers() -> None:
    """Second road to the interval: resample buyers with Poisson weights (seed fixed), same weights in both months."""
    period = Period.parse("2011-11-01", "2011-11-30")
    table = kpi_table({"order_lines": retail.lines()}, period=period, coverage=retail.SEEN)
    buyers = (
        retail.raw()
        .sql(f"""
        select coalesce(CustomerID::varchar, InvoiceNo) as b, InvoiceDate < '2011-11-01' as before,
            sum(Quantity * UnitPrice)::double as y, count(distinct InvoiceNo)::double as d
        from ({retail.RAW}) where InvoiceDate >= '2011-10-01' and InvoiceDate < '2011-12-01' group by 1, 2
    """)
        .df()
        .pivot(index="b", columns="before", values=["y", "d"])
        .fillna(0.0)
    )
    weights = np.random.default_rng(7).poisson(1.0, (800, len(buyers)))
    y0, y1, d0, d1 = (
        weights @ buyers[key].to_numpy() for key in (("y", True), ("y", False), ("d", True), ("d", False))
    )
    for metric, draws in (("revenue", y1 / y0), ("average_order_value", (y1 / d1) / (y0 / d0))):
        found = row(table, metric, "previous")
        log = np.log1p([found["change_share_lower"], found["change_share_upper"]])
        error = (log[1] - log[0]) / (2 * stats.norm.ppf(0.975))
        # 800 draws know a standard deviation to 2.5 %; four times that.
        assert error == pytest.approx(np.log(draws).std(), rel=0.1), metric


@pytest.mark.real_data
def test_online_retail_cohorts_equal_plain_sql() -> None:
    found = cohort_retention(retail.lines(), coverage=retail.SEEN)
    expected = (
        retail.raw()
        .sql(f"""
        with a as (select distinct CustomerID as c, date_trunc('month', InvoiceDate)::date as m
                   from ({retail.RAW}) where CustomerID is not null),
        f as (select c, min(m) as cohort from a group by 1)
        select cohort::timestamp as cohort, date_diff('month', cohort, m) as age, count(*) as n
        from a join f using (c) group by 1, 2
    """)
        .df()
        .set_index(["cohort", "age"])["n"]
    )
    seen = found[found["n_active"] > 0].set_index(["cohort", "age"])["n_active"]
    assert len(seen) == len(expected)
    assert (seen.sort_index() == expected.sort_index()).all()
    assert (found.loc[found["period_start"] == "2011-12-01", "status"] == "partial").all()
    assert found.loc[found["period_start"] > "2011-12-09", "n_active"].isna().all()
