"""Cuts by local day, statuses, and tables that are not there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from opslib.engine import collect
from opslib.errors import NotAvailableError, ParameterError
from opslib.periods import Period
from opslib.shop import loading, sources
from opslib.shop.sources import Shop
from tests.shop.builders import COLUMNS, ORDERS, REVENUE, write_csv, write_shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """The orders with a voided one, returns around midnight, and two prices of one product."""
    frame = ORDERS.assign(State=["paid"] * 2 + ["voided"] + ["paid"] * 6)
    write_csv(frame, tmp_path / "orders.csv")
    back = pd.DataFrame(
        {
            "return_id": ["r1", "r2"],
            "returned_at": ["2026-03-31 23:59", "2026-04-01 00:01"],
            "refund_amount": ["1", "2"],
        }
    )
    write_csv(back, tmp_path / "returns.csv")
    prices = pd.DataFrame(
        {
            "product_id": "p1",
            "valid_from": ["2026-01-01", "2026-03-02"],
            "valid_to": ["2026-03-01", None],
            "price": ["9", "10"],
        }
    )
    write_csv(prices, tmp_path / "prices.csv")
    write_csv(pd.DataFrame({"product_id": ["p1"]}), tmp_path / "products.csv")
    tables = {
        "order_lines": {"files": "orders.csv", "columns": {**COLUMNS, "status": "State"}}, "returns": {"files": "returns.csv"},
        "price_history": {"files": "prices.csv"}, "products": {"files": "products.csv"},
    }  # fmt: skip
    return sources.open_shop(write_shop(tmp_path, tables=tables), root=tmp_path)


def count(table: object) -> int:
    return int(collect(table.count()).iloc[0, 0])  # type: ignore[attr-defined]


def test_only_paid_lines_are_revenue_and_the_others_are_counted(shop: Shop) -> None:
    lines = loading.load_order_lines(shop)
    assert collect(lines.aggregate(x=lines["revenue_amount"].sum()))["x"][0] == pytest.approx(REVENUE - 30, abs=1e-9)
    assert count(loading.load_order_lines(shop, statuses=("paid", "voided"))) == 9
    by_status = collect(loading.lines_by_status(shop))
    assert by_status.to_dict("records") == [
        {"status": "paid", "n_lines": 8, "n_orders": 3, "revenue_amount": pytest.approx(REVENUE - 30)},
        {"status": "voided", "n_lines": 1, "n_orders": 1, "revenue_amount": 30.0},
    ]
    with pytest.raises(ParameterError, match=r"statuses: 'payed' is not known; did you mean 'paid'\?"):
        loading.load_order_lines(shop, statuses=("payed",))


def test_periods_are_local_days_with_both_ends(shop: Shop) -> None:
    # A4 was placed at 23:30 in Berlin on 29 March, 21:30 UTC.
    assert count(loading.load_order_lines(shop, period=Period.parse("2026-03-29", "2026-03-29"))) == 3
    assert count(loading.load_order_lines(shop, period=Period.parse("2026-03-30", "2026-03-31"))) == 0
    march, april = Period.parse("2026-03-01", "2026-03-31"), Period.parse("2026-04-01", "2026-04-30")
    assert [collect(loading.load_returns(shop, period=p))["return_id"].tolist() for p in (march, april)] == [
        ["r1"],
        ["r2"],
    ]


def test_two_halves_are_the_whole(shop: Shop) -> None:
    whole = Period.parse("2026-03-01", "2026-03-29")
    parts = [Period.parse("2026-03-01", "2026-03-28"), Period.parse("2026-03-29", "2026-03-29")]
    assert (
        sum(count(loading.load_order_lines(shop, period=p)) for p in parts)
        == count(loading.load_order_lines(shop, period=whole))
        == 8
    )


def test_prices_that_touch_the_period_and_tables_without_time(shop: Shop) -> None:
    def prices(period: Period) -> list[float]:
        return sorted(collect(loading.load_table(shop, "price_history", period=period))["price"])

    assert prices(Period.parse("2026-02-01", "2026-02-28")) == [9.0]
    assert prices(Period.parse("2026-03-01", "2026-03-02")) == [9.0, 10.0]
    assert prices(Period.parse("2026-06-01", "2026-06-30")) == [10.0]
    assert count(loading.load_table(shop, "products", period=Period.parse("2020-01-01", "2020-01-02"))) == 1


def test_a_missing_table_says_what_it_would_have_answered(shop: Shop) -> None:
    with pytest.raises(NotAvailableError, match=r"tickets.*what customers need help with"):
        loading.load_table(shop, "tickets")
