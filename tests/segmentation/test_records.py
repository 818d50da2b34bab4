"""Who came for the first time, and who is a business: by hand and by plain SQL."""

from __future__ import annotations

from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.segmentation import kind_sizes, newcomers, rfm_scores, segment_sizes

YEAR = {"as_of": date(2026, 10, 31), "since": date(2025, 11, 1)}


def lines_of(orders: dict[str, list[str]]) -> pd.DataFrame:
    rows = [(f"{who}-{day}", who, pd.Timestamp(day)) for who, days in orders.items() for day in days]
    frame = pd.DataFrame(rows, columns=["order_id", "customer_id", "ordered_at"])
    return frame.assign(product_id="p", quantity=1.0, unit_price=10.0)


def new_of(lines: pd.DataFrame, **more: object) -> set[str]:
    return set(engine.collect(newcomers(lines, **{**YEAR, **more}))["customer_id"])


OLD = ["2025-05-01", "2025-06-01", "2026-10-01"]  # gaps of 31 and 487 days


def test_a_first_order_needs_data_that_ran_before_it() -> None:
    """The data begin on 1 May 2025 and gaps are 10 days: from 30 July 2025 an order can be called a first one."""
    often = [str(day.date()) for day in pd.date_range("2025-05-01", "2026-10-31", freq="10D")]
    lines = lines_of(
        {"often": often, "early": ["2025-07-29"], "late": ["2025-07-30"], "again": ["2025-05-02", "2026-10-20"]}
    )
    assert new_of(lines, since=date(2025, 5, 1)) == {"late"}
    assert new_of(lines) == set()


def test_a_shop_of_long_gaps_needs_longer_data() -> None:
    """Repeat orders take 31 or 487 days: 95 % of them within 487; counted from 1 May 2025 that ends on 31 August 2026."""
    lines = lines_of({"old": OLD, "summer": ["2026-08-30"], "autumn": ["2026-08-31"]})
    assert new_of(lines) == {"autumn"}


def test_who_was_seen_before_is_no_newcomer() -> None:
    lines = lines_of({"old": ["2025-05-01"], "seen": ["2026-10-01"], "fresh": ["2026-10-01"]})
    customers = pd.DataFrame(
        {"customer_id": ["seen", "fresh"], "first_seen_at": pd.to_datetime(["2024-01-01", "2026-09-30"])}
    )
    assert new_of(lines) == {"seen", "fresh"}
    assert new_of(lines, customers=customers) == {"fresh"}


def test_an_old_customer_with_one_order_in_the_window_is_not_new() -> None:
    """One order in a year made an old customer new: only the window's lines were asked."""
    lines = lines_of(
        {
            "back": ["2025-05-01", "2026-10-20"],
            "fresh": ["2026-10-20"],
            "busy": ["2026-01-01", "2026-02-01", "2026-10-30"],
        }
    )
    window = lines[lines["ordered_at"] >= "2025-11-01"]
    told = engine.collect(
        rfm_scores(
            window, as_of=YEAR["as_of"], bins=2, newcomers=newcomers(lines, **{**YEAR, "since": date(2025, 12, 1)})
        )
    )
    segments = told.set_index("customer_id")["segment"]
    assert segments["back"] != "new"
    assert (
        engine.collect(rfm_scores(window, as_of=YEAR["as_of"], bins=2))["segment"].eq("new").sum()
        >= (segments == "new").sum()
    )


def test_kinds_equal_plain_sql_and_add_up() -> None:
    rng = np.random.default_rng(3)
    lines = pd.DataFrame({"order_id": np.arange(900).astype(str), "customer_id": [f"c{i}" for i in rng.integers(0, 300, 900)],
                          "product_id": "p", "ordered_at": pd.Timestamp("2026-10-01"), "quantity": 1.0, "unit_price": rng.integers(1, 90, 900) / 2})  # fmt: skip
    customers = pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(250)], "kind": ["business"] * 20 + ["consumer"] * 220 + [None] * 10}
    )
    found = kind_sizes(rfm_scores(lines, as_of=YEAR["as_of"]), customers)
    assert found["kind"].tolist() == ["business", "consumer", "not told"]
    assert found[["customer_share", "revenue_share"]].sum().tolist() == pytest.approx([1.0, 1.0])
    told = duckdb.sql("""select coalesce(kind, 'not told') as kind, count(distinct customer_id) as n, count(*) as n_orders, sum(unit_price) as revenue
        from lines left join customers using (customer_id) group by 1 order by 1""").df()
    assert found["n_customers"].tolist() == told["n"].tolist()
    assert found["n_orders"].tolist() == told["n_orders"].tolist()
    np.testing.assert_allclose(found["revenue_amount"], told["revenue"].astype(float))
    np.testing.assert_allclose(found["order_amount"], (told["revenue"] / told["n_orders"]).astype(float))


def test_nobody_tells_a_kind() -> None:
    scores = rfm_scores(lines_of({"x": ["2026-10-01"]}), as_of=YEAR["as_of"])
    assert kind_sizes(scores, pd.DataFrame({"customer_id": ["x"], "kind": pd.Series([None], dtype="str")})).empty
    assert segment_sizes(scores)["n_customers"].sum() == 1
