"""What about product control? Counted by hand, on empty tables, and on every engine."""

from __future__ import annotations

import pandas as pd

from opslib import product_control
from opslib.periods import Period

MARCH = Period.parse("2026-03-01", "2026-03-31")
LINES = pd.DataFrame({
    "order_id": ["1", "1", "2", "3", "4"],
    "ordered_on": pd.to_datetime(["2026-03-01", "2026-03-01", "2026-03-01", "2026-03-31", "2026-04-01"]),
    "status": ["paid", "paid", "paid", "paid", "paid"],
})  # fmt: skip
#: How the parity tests ask the functions of this room, on DuckDB, PostgreSQL and Spark.
PARITY_CASES = {
    "product_control.product_control_by_day": lambda w: product_control.product_control_by_day(w.table("order_lines"), period=w.period),
}


def test_orders_are_counted_once_and_within_the_period() -> None:
    days = product_control.product_control_by_day(LINES, period=MARCH)
    assert days["n_orders"].tolist() == [2, 1]


def test_what_was_cancelled_is_no_order() -> None:
    assert len(product_control.product_control_by_day(LINES.assign(status="cancelled"), period=MARCH)) == 0


def test_an_empty_table_gives_no_row() -> None:
    days = product_control.product_control_by_day(LINES.head(0), period=MARCH)
    assert list(days.columns) == ["day", "n_orders"]
    assert len(days) == 0
