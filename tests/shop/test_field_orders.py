"""Orders as shop operators export them, each with its value counted by hand: repeated, refunded, guest, tipped, without lines."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from opslib import kpis, segmentation
from opslib.engine import collect
from opslib.kpis import cohort_retention
from opslib.metrics import order_totals
from opslib.periods import Coverage, Period
from opslib.shop import checks, opening
from opslib.shop.opening import Shop
from tests.conftest import ROOT
from tests.shop.builders import frame_of, write_shop

FIELD = ROOT / "tests" / "field"
LINES = {"order_id": "order_id", "customer_id": "customer_id", "product_id": "sku", "ordered_at": "created_at", "quantity": "quantity",
         "unit_price": "price"}  # fmt: skip


def open_export(folder: Path, name: str, adapter: str, files: str = "*", **keys: Any) -> Shop:
    """A field folder through an adapter."""
    path = write_shop(folder, adapter=adapter, files=str(FIELD / name / files), **keys)
    return opening.open_shop(path, root=folder)


def sold(shop: Shop) -> dict[str, float]:
    """Orders, revenue, units and customers of paid lines, and money and units that came back."""
    lines = frame_of(shop, "order_lines")
    paid = lines[lines["status"] == "paid"].astype({"revenue_amount": float, "quantity": float})
    back = frame_of(shop, "returns") if shop.has("returns") else pd.DataFrame({"refund_amount": [], "quantity": []})
    return {
        "orders": paid["order_id"].nunique(), "revenue": round(paid["revenue_amount"].sum(), 2), "units": paid["quantity"].sum(),
        "customers": paid["customer_id"].nunique(), "refunds": round(back["refund_amount"].astype(float).sum(), 2),
        "units_back": back["quantity"].astype(float).sum() if "quantity" in back else None,
    }  # fmt: skip


def rules_of(shop: Shop, severity: str = "") -> str:
    return "\n".join(v.rule for v in checks.check_shop(shop) if severity in ("", v.severity))


# Money that flows back as rows of its own


def test_refunds_as_rows_are_returns_in_every_room(tmp_path: Path) -> None:
    source = {"files": str(FIELD / "big_refunds" / "orders.csv"), "columns": LINES}
    shop = opening.open_shop(write_shop(tmp_path, tables={"order_lines": source}), root=tmp_path)
    quarter = Period(date(2026, 7, 1), date(2026, 9, 30))
    figures = kpis.kpi_table(shop.tables, period=quarter, coverage=shop.require_coverage())
    now = figures[figures["comparison"] == "current"].set_index("metric")["value"]
    assert now["orders"] == 354
    assert now["average_order_value"] == pytest.approx(34.79, abs=0.005)
    assert now["customers"] == 275
    assert now["repeat_rate"] == pytest.approx(0.265, abs=0.0005)
    assert now["revenue"] == 12_315
    assert now["refund_share"] == pytest.approx(3_300 / 12_315)
    ages = cohort_retention(shop.table("order_lines"), coverage=shop.require_coverage()).set_index(["cohort", "age"])
    assert ages.loc[("2026-08-01", 1), ["n_active", "n_customers"]].tolist() == [13.0, 67]
    assert not [v for v in checks.check_shop(shop) if v.severity == "error"]
    assert shop.staged is not None
    assert {(a.table, a.n_rows) for a in shop.staged.accounting} == {("order_lines", 910), ("returns", 204)}


#: Customer x bought once and gave it back two months later; the others bought once.
IN_MEMORY = pd.DataFrame(
    [("1", "x", "a", "2026-01-05", 1, 100), ("R1", "x", "a", "2026-03-10", -1, 100), ("2", "y", "a", "2026-01-06", 1, 50),
     ("3", "y", "b", "2026-03-07", 1, 60), ("4", "z", "a", "2026-03-08", 1, 40), ("5", "w", "a", "2026-01-08", 1, 45)],
    columns=["order_id", "customer_id", "product_id", "ordered_at", "quantity", "unit_price"],
).astype({"ordered_at": "datetime64[us]", "quantity": float, "unit_price": float})  # fmt: skip


def test_a_refund_in_a_data_frame_is_no_purchase() -> None:
    until, seen = date(2026, 3, 31), Coverage(date(2026, 1, 1), date(2026, 3, 31))
    scores = collect(segmentation.rfm_scores(IN_MEMORY, as_of=until)).set_index("customer_id")
    assert scores.loc["x", ["n_orders", "recency_days", "revenue_amount"]].tolist() == [1, 85, 100.0]
    stages = collect(segmentation.life_stages(IN_MEMORY, as_of=until)).set_index("customer_id")
    assert str(stages.loc["x", "last_on"])[:10] == "2026-01-05"
    assert stages.loc["x", "n_order_days"] == 1
    ages = cohort_retention(IN_MEMORY, coverage=seen).set_index(["cohort", "age"])
    assert ages.loc[("2026-01-01", 2), ["n_active", "n_customers"]].tolist() == [1.0, 3]
    assert collect(order_totals(IN_MEMORY))["order_id"].nunique() == 5
    figures = kpis.kpi_table({"order_lines": IN_MEMORY}, period=Period(date(2026, 1, 1), until), coverage=seen)
    now = figures[figures["comparison"] == "current"].set_index("metric")["value"]
    assert (now["orders"], now["revenue"], now["refund_share"]) == (5, 295.0, pytest.approx(100 / 295))


def test_woocommerce_refunds_as_orders_of_their_own(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "woo_refund_rows", "woocommerce", time_zone="UTC")
    assert sold(shop) == {"orders": 2, "revenue": 30.0, "units": 3, "customers": 2, "refunds": 10.0, "units_back": 1}
    assert frame_of(shop, "returns")[["order_id", "product_id"]].to_numpy().tolist() == [["501", "MUG"]]
    assert not rules_of(shop, "error")


# One order in several files


def test_the_newest_state_of_an_order_wins_as_a_whole(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "shopify_overlap", "shopify")
    assert sold(shop) == {
        "orders": 3,
        "revenue": 290.0,
        "units": 5,
        "customers": 3,
        "refunds": 130.0,
        "units_back": None,
    }
    lines = frame_of(shop, "order_lines")
    assert lines["discount_amount"].astype(float).sum() == 0
    assert set(lines["status"]) == {"paid"}
    assert shop.staged is not None
    assert {a.reason: a.n_rows for a in shop.staged.accounting}["older state"] == 3


def test_woocommerce_states_of_one_order(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "woo_overlap", "woocommerce")
    assert {k: sold(shop)[k] for k in ("orders", "revenue")} == {"orders": 3, "revenue": 30.0}


# Refunds, tips, placeholders


def test_a_refund_of_an_order_splits_into_goods_and_the_rest(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "shopify_full_refund", "shopify", currency="USD", time_zone="America/New_York")
    assert {k: sold(shop)[k] for k in ("revenue", "refunds")} == {"revenue": 200.0, "refunds": 100.0}
    october = Period(date(2026, 10, 1), date(2026, 10, 31))
    figures = kpis.kpi_table(shop.tables, period=october, coverage=shop.require_coverage())
    now = figures[figures["comparison"] == "current"].set_index("metric")["value"]
    assert now["refund_share"] == pytest.approx(0.5)
    assert math.isnan(now.get("return_rate", math.nan)), "units that came back are not known, and never 0"


def test_a_tip_is_no_product(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "shopify_pos_tip", "shopify")
    assert {k: sold(shop)[k] for k in ("orders", "revenue", "units", "refunds")} == {
        "orders": 2,
        "revenue": 30.0,
        "units": 3,
        "refunds": 4.0,
    }
    assert frame_of(shop, "products")["product_id"].tolist() == ["COFFEE-BEANS"]
    assert shop.staged is not None
    assert {a.reason: a.n_rows for a in shop.staged.accounting if a.table is None} == {"tip": 1}


@pytest.mark.parametrize("name", ["ga4_empty_id", "ga4_not_set"])
def test_a_placeholder_is_no_order_id(tmp_path: Path, name: str) -> None:
    shop = open_export(tmp_path, name, "ga4")
    assert {k: sold(shop)[k] for k in ("orders", "revenue")} == {"orders": 3, "revenue": 60.0}
    buyers = frame_of(shop, "order_lines").merge(frame_of(shop, "sessions"), on="session_id")
    assert buyers["visitor_id"].nunique() == 3


def test_purchases_without_items_or_prices_count_with_their_revenue(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "ga4_no_items", "ga4")
    assert {k: sold(shop)[k] for k in ("orders", "revenue")} == {"orders": 3, "revenue": 90.0}
    by_order = frame_of(shop, "order_lines").set_index("order_id")
    assert by_order.loc["T1", ["product_id", "revenue_amount"]].tolist() == ["not known", 50]
    assert by_order.loc["T2", ["product_id", "quantity", "unit_price"]].tolist() == ["mug", 3, 10]


def test_a_ga4_refund_is_a_return(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "ga4_refund", "ga4")
    assert {**sold(shop), "customers": 0} == {
        "orders": 1,
        "revenue": 50.0,
        "units": 2,
        "customers": 0,
        "refunds": 25.0,
        "units_back": 1,
    }
    assert frame_of(shop, "returns")[["order_id", "product_id"]].to_numpy().tolist() == [["T1", "mug"]]


def test_a_minus_in_woocommerce_s_own_escape(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "woo_apostrophe", "woocommerce")
    assert {k: sold(shop)[k] for k in ("revenue", "refunds", "units_back")} == {
        "revenue": 30.0,
        "refunds": 10.0,
        "units_back": 1,
    }


def test_guest_and_account_of_one_address_are_one_customer(tmp_path: Path) -> None:
    shop = open_export(tmp_path, "woo_guest_then_account", "woocommerce")
    orders = frame_of(shop, "order_lines").groupby("customer_id")["order_id"].nunique()
    assert sorted(orders) == [1, 2]


# Order lists without lines


def test_a_list_of_orders_without_lines_opens(tmp_path: Path) -> None:
    source = {"files": str(FIELD / "woo_analytics" / "*.csv"),
              "columns": {"order_id": "Order #", "ordered_at": "Date", "unit_price": "N. Revenue", "status": "Status"}}  # fmt: skip
    shop = opening.open_shop(write_shop(tmp_path, tables={"order_lines": source}), root=tmp_path)
    assert {k: sold(shop)[k] for k in ("orders", "revenue")} == {"orders": 2, "revenue": 65.0}
    assert frame_of(shop, "order_lines")["product_id"].unique().tolist() == ["not known"]
    assert "not known" in rules_of(shop, "warning")
