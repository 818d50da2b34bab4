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
from opslib.errors import ContractError, ShopFileError, SourceError
from opslib.kpis import cohort_retention
from opslib.metrics import order_totals
from opslib.periods import Coverage, Period
from opslib.shop import checks, opening
from opslib.shop.opening import Shop
from opslib.shop.root import project_secret
from tests.conftest import ROOT
from tests.shop.builders import COLUMNS, ORDERS, REVENUE, frame_of, open_orders, write_csv, write_ndjson, write_shop
from tests.shop.test_order_exports import SHOPIFY, open_shopify, open_woo, woo_rows

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
    assert now["refunds"] == 3_300
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
    assert (now["orders"], now["revenue"], now["refunds"]) == (5, 295.0, 100.0)


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
    assert now["refunds"] == pytest.approx(now["revenue"] / 2)
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


# Two more inputs a kind, from another platform or another table


def open_map(folder: Path, frame: pd.DataFrame, columns: dict[str, Any] | None = None, **keys: Any) -> Shop:
    write_csv(frame, folder / "orders.csv")
    return open_orders(folder, "orders.csv", columns=columns or COLUMNS, shop=keys)


def test_a_till_s_refunds_stand_among_its_sales(tmp_path: Path) -> None:
    columns = {"order_id": "Transaction ID", "product_id": "SKU", "ordered_at": ["Date", "Time"], "quantity": "Qty", "customer_id": "Customer ID",
               "line_amount": {"from": "Gross Sales", "after_discount": False}, "discount_amount": "Discounts", "tax_amount": "Tax"}  # fmt: skip
    source = {"files": str(FIELD / "square_items" / "*.csv"), "columns": columns, "thousands": ","}
    shop = opening.open_shop(write_shop(tmp_path, currency="USD", tables={"order_lines": source}), root=tmp_path)
    assert {k: sold(shop)[k] for k in ("orders", "revenue", "refunds", "units_back")} == {
        "orders": 2, "revenue": 1013.0, "refunds": 4.5, "units_back": 1}  # fmt: skip
    assert frame_of(shop, "returns")["order_id"].tolist() == ["T1"], "the customer's latest order of the product"


def test_parquet_read_where_it_lies_is_told_apart_as_well(tmp_path: Path) -> None:
    lines = IN_MEMORY.assign(line_id="1").astype({"quantity": "object", "unit_price": "object"})
    import duckdb

    con = duckdb.connect()
    con.register("t", lines.astype({"quantity": float, "unit_price": float}))
    con.execute(f"""COPY (SELECT order_id, line_id, customer_id, product_id, CAST(ordered_at AS TIMESTAMP) AS ordered_at, CAST(quantity AS DECIMAL(18,4))
        AS quantity, CAST(unit_price AS DECIMAL(18,4)) AS unit_price FROM t) TO '{tmp_path}/lines.parquet' (FORMAT parquet)""")
    shop = opening.open_shop(write_shop(tmp_path, tables={"order_lines": {"files": "lines.parquet"}}), root=tmp_path)
    assert sold(shop) == {"orders": 5, "revenue": 295.0, "units": 5, "customers": 4, "refunds": 100.0, "units_back": 1}


def test_what_was_never_paid_gives_nothing_back(tmp_path: Path) -> None:
    frame = ORDERS.assign(State="paid")
    frame.loc[0, ["Qty", "State"]] = ["-2", "storniert"]
    shop = open_map(tmp_path, frame, {**COLUMNS, "status": "State"})
    assert not shop.has("returns"), "an empty table would say that nothing came back"
    assert shop.staged is not None
    assert {(a.table, a.reason): a.n_rows for a in shop.staged.accounting} == {
        ("order_lines", "kept"): 8,
        (None, "never paid"): 1,
    }


def test_what_stands_in_the_returns_too_is_not_taken_off_twice(tmp_path: Path) -> None:
    frame = pd.concat([ORDERS, ORDERS.iloc[[2]].assign(No="R1", Qty="-3", When="2026-03-20 10:00:00")])
    write_csv(frame, tmp_path / "orders.csv")
    back = {"return_id": "No", "product_id": "Sku", "returned_at": "When", "quantity": "Qty"}
    tables = {
        "order_lines": {"files": "orders.csv", "columns": COLUMNS},
        "returns": {"files": "orders.csv", "where": "Qty < 0", "columns": back},
    }
    with pytest.raises(
        ContractError, match=r"returns: 1 of them, e.g. R1-1, stand in the order lines too.*where: quantity > 0"
    ):
        opening.open_shop(write_shop(tmp_path, tables=tables), root=tmp_path)
    tables["order_lines"]["where"] = "Qty > 0"
    assert frame_of(opening.open_shop(write_shop(tmp_path, tables=tables), root=tmp_path), "returns")[
        "quantity"
    ].tolist() == [3]
    rows = woo_rows()[:3]  # 502: one of two came back, by its columns and by a row of its own
    rows.append({**rows[2], "order_id": "777", "item_id": "77", "item_quantity": "-1", "item_subtotal": "-20.00", "item_total": "-20.00",
                 "item_refunded": "0", "item_refunded_qty": "0"})  # fmt: skip
    with pytest.raises(ContractError, match=r"returns: 1 of them, e.g. 777-77, stand in the order lines too"):
        open_woo(tmp_path / "woo", rows)


def two_files(folder: Path, first: pd.DataFrame, second: pd.DataFrame, columns: dict[str, Any] = COLUMNS) -> Shop:
    write_csv(first, folder / "export (9).csv")
    write_csv(second, folder / "export (10).csv")
    return open_orders(folder, "export *.csv", columns=columns)


def test_states_of_one_order_through_a_column_map(tmp_path: Path) -> None:
    later = ORDERS[ORDERS["No"] == "A2"].assign(Qty="1")
    shop = two_files(tmp_path, ORDERS, later)
    # A2 had three at 10.00 and now has one; it stands in the later file by number, whose orders are older.
    newest = ORDERS[ORDERS["No"] == "A4"].assign(Qty="1")
    assert sold(shop)["revenue"] == pytest.approx(REVENUE), "the file with the newest order is the newer one"
    again = two_files(tmp_path / "again", ORDERS, newest)
    assert sold(again)["revenue"] == pytest.approx(REVENUE - 2.5)
    assert "only the files' names say" in rules_of(again, "warning")


def test_files_with_different_lines_of_one_order_are_no_states(tmp_path: Path) -> None:
    shop = two_files(tmp_path, ORDERS.iloc[:4], ORDERS.iloc[4:])
    assert sold(shop)["revenue"] == pytest.approx(REVENUE)
    assert sold(shop)["orders"] == 4


def test_rows_without_an_order_id_in_two_files_are_refused(tmp_path: Path) -> None:
    columns = {**{k: v for k, v in COLUMNS.items() if k != "line_id"}, "order_id": {"row": True}}
    with pytest.raises(
        SourceError,
        match=r"export \(9\).csv: 1 rows stand in export \(10\).csv too, and rows have no order id of their own",
    ):
        two_files(tmp_path, ORDERS, ORDERS.iloc[[2]], columns)


def test_one_number_of_two_stores_is_refused(tmp_path: Path) -> None:
    other = ORDERS[ORDERS["No"] == "A2"].assign(When="2026-04-01 09:00:00")
    with pytest.raises(
        SourceError, match=r"order 'A2' was made at 2026-04-01 07:00:00 \(UTC\), and in export \(9\).csv at"
    ):
        two_files(tmp_path, ORDERS, other)


def shopify_order(name: str, total: str, **more: str) -> dict[str, str]:
    return {"Name": name, "Email": "a@example.org", "Financial Status": "paid", "Currency": "EUR", "Subtotal": total, "Shipping": "0", "Taxes": "0",
            "Total": total, "Created at": "2026-10-05 10:00:00 +0200", "Lineitem quantity": "1", "Lineitem name": "Mug", "Lineitem price": total,
            "Lineitem sku": "MUG", "Id": name, **more}  # fmt: skip


def test_two_orders_of_one_name_stay_two(tmp_path: Path) -> None:
    shop = open_shopify(tmp_path, [shopify_order("#1001", "10.00", Id="1"), shopify_order("#1001", "20.00", Id="2")])
    assert {k: sold(shop)[k] for k in ("orders", "revenue")} == {"orders": 2, "revenue": 30.0}
    assert frame_of(shop, "order_lines")["order_id"].tolist() == ["#1001 #1001 1", "#1001 #1001 2"]
    without = [
        {k: v for k, v in row.items() if k != "Id"}
        for row in (shopify_order("#1001", "10.00"), shopify_order("#1001", "20.00"))
    ]
    without[1]["Created at"] = "2026-10-06 10:00:00 +0200"
    assert sold(open_shopify(tmp_path / "no_id", without))["orders"] == 2


def test_a_partial_refund_of_prices_with_tax(tmp_path: Path) -> None:
    # 119 of goods with 19 tax, no shipping; 23.80 back are 20 of goods and 3.80 of tax.
    rows = [
        shopify_order(
            "#1", "119.00", **{"Taxes": "19.00", "Refunded Amount": "23.80", "Financial Status": "partially_refunded"}
        )
    ]
    assert {k: sold(open_shopify(tmp_path, rows))[k] for k in ("revenue", "refunds")} == {
        "revenue": 100.0,
        "refunds": 20.0,
    }


def test_prices_are_as_the_export_tells(tmp_path: Path) -> None:
    rows = [shopify_order("#1", "100.00", Taxes="19.00", Total="119.00")]
    write_csv(pd.DataFrame(rows, columns=SHOPIFY), tmp_path / "o.csv")
    shop = write_shop(tmp_path, adapter="shopify", files="o.csv", prices_include_tax=True)
    with pytest.raises(
        SourceError,
        match=r"prices are without tax .* in 1 of 1 taxed orders, and shop.yml says prices_include_tax: true; write",
    ):
        opening.open_shop(shop, root=tmp_path)


def test_refunds_with_tax_against_revenue_without_are_said(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    # A2 brought 30.00; A1 21.50.
    back = pd.DataFrame(
        {
            "return_id": ["1", "2"],
            "order_id": ["A2", "A1"],
            "returned_at": "2026-03-09 10:00",
            "refund_amount": ["35.70", "21.50"],
        }
    )
    write_csv(back, tmp_path / "returns.csv")
    tables = {"order_lines": {"files": "orders.csv", "columns": COLUMNS}, "returns": {"files": "returns.csv"}}
    found = checks.check_shop(opening.open_shop(write_shop(tmp_path, tables=tables), root=tmp_path))
    assert [(v.n_rows, v.share, v.example) for v in found if "more money back" in v.rule] == [(1, 0.5, "A2")]


def test_gift_cards_and_fees_are_no_goods(tmp_path: Path) -> None:
    rows = woo_rows()
    rows[1] |= {"item_name": "Geschenkgutschein 25 EUR"}
    rows.append(
        {
            **rows[2],
            "order_id": "506",
            "item_id": "9",
            "item_name": "Gift card holder",
            "item_sku": "HOLD",
            "item_refunded": "0",
        }
    )
    shop = open_woo(tmp_path, rows)
    assert "HOLD" in set(frame_of(shop, "order_lines")["product_id"]), "a product whose name begins so"
    assert shop.staged is not None
    assert {a.reason: a.n_rows for a in shop.staged.accounting if a.table is None} == {"gift card": 1, "no item": 1}


def matomo_order(**more: Any) -> list[dict[str, Any]]:
    order = {"type": "ecommerceOrder", "revenue": 30.0, "revenueShipping": 5.0, "timestamp": 1_791_194_700, **more}
    return [{"idVisit": str(n), "visitorId": f"v{n}", "serverTimestamp": 1_791_194_400 + n, "siteCurrency": "EUR", "userId": "",
             "actionDetails": [order]} for n in (1, 2)]  # fmt: skip


@pytest.mark.parametrize("placeholder", ["", "undefined", None])
def test_matomo_orders_without_items_or_id(tmp_path: Path, placeholder: str | None) -> None:
    write_ndjson(matomo_order(orderId=placeholder), tmp_path / "visits.ndjson")
    shop = opening.open_shop(write_shop(tmp_path, adapter="matomo", files="visits.ndjson"), root=tmp_path)
    assert {k: sold(shop)[k] for k in ("orders", "revenue")} == {"orders": 2, "revenue": 50.0}
    assert set(frame_of(shop, "order_lines")["product_id"]) == {"not known"}


def test_an_account_with_two_addresses_takes_both_guests(tmp_path: Path) -> None:
    rows = woo_rows()[:1]
    for n, (account, address) in enumerate(
        [("7", "two@example.com"), ("0", "TWO@example.com "), ("0", "bo@example.com")]
    ):
        rows.append({**rows[0], "order_id": str(600 + n), "customer_id": account, "billing_email": address})
    assert sold(open_woo(tmp_path, rows))["customers"] == 1


def test_stand_ins_depend_on_a_secret_of_the_project(tmp_path: Path) -> None:
    people = set()
    for name in ("one", "two"):
        people |= set(
            frame_of(open_shopify(tmp_path / name, [shopify_order("#1", "10.00")]), "order_lines")["customer_id"]
        )
        secret = tmp_path / name / "data" / ".secret"
        assert secret.stat().st_mode & 0o777 == 0o600
        assert project_secret(tmp_path / name) == secret.read_text()
    assert len(people) == 2
    assert "data/.secret" in (ROOT / ".gitignore").read_text().split()


@pytest.mark.parametrize(
    ("word", "ours"),
    [("Bezahlt", "paid"), ("wc-on-hold", "pending"), ("Payment accepted", "paid"), ("CANCELED", "cancelled")],
)
def test_words_of_shop_systems_are_known(tmp_path: Path, word: str, ours: str) -> None:
    shop = open_map(tmp_path, ORDERS.assign(State=word), {**COLUMNS, "status": "State"})
    assert set(frame_of(shop, "order_lines")["status"]) == {ours}


def test_a_status_that_nobody_knows_is_refused_everywhere(tmp_path: Path) -> None:
    frame = ORDERS.assign(State=["payd", *["paid"] * 8])
    with pytest.raises(
        ContractError,
        match=r"'payd' \(1 row\) is no known status; did you mean 'paid'\? .* statuses: \{payd: paid\} in shop.yml",
    ):
        open_map(tmp_path, frame, {**COLUMNS, "status": "State"})
    assert sold(open_map(tmp_path, frame, {**COLUMNS, "status": "State"}, statuses={"payd": "paid"}))[
        "revenue"
    ] == pytest.approx(REVENUE)
    for call in (lambda t: segmentation.rfm_scores(t, as_of=date(2026, 3, 31)), order_totals):
        with pytest.raises(ContractError, match=r"'zurück' .* is no known status"):
            call(IN_MEMORY.assign(status="zurück"))
    seen = Coverage(date(2026, 1, 1), date(2026, 3, 31))
    with pytest.raises(ContractError, match="'zurück'"):
        kpis.kpi_table(
            {"order_lines": IN_MEMORY.assign(status="zurück")},
            period=Period(date(2026, 1, 1), date(2026, 3, 31)),
            coverage=seen,
        )


def test_prices_with_tax_need_the_tax(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"9 of 9 paid lines say no tax.*write tax_rate: 0.19 in shop.yml"):
        open_map(tmp_path, ORDERS, prices_include_tax=True)
    net = sold(open_map(tmp_path, ORDERS, prices_include_tax=True, tax_rate=0.19))["revenue"]
    assert net == pytest.approx(REVENUE / 1.19, abs=0.01)
    # A1 (21.50) in DE at 19 %, the rest without tax.
    frame, columns = ORDERS.assign(Land=["DE", "DE", *["CH"] * 7]), {**COLUMNS, "country": "Land"}
    rates = {"country": {"DE": 0.19, "other": 0.0}}
    assert sold(open_map(tmp_path, frame, columns, prices_include_tax=True, tax_rate=rates))["revenue"] == pytest.approx(
        REVENUE - 21.5 + 21.5 / 1.19, abs=0.01)  # fmt: skip
    with pytest.raises(ContractError, match="7 of 9 paid lines say no tax"):
        open_map(tmp_path, frame, columns, prices_include_tax=True, tax_rate={"country": {"DE": 0.19}})
    with pytest.raises(ShopFileError, match=r"is a share: write 0.19 for 19 %"):
        open_map(tmp_path, ORDERS, prices_include_tax=True, tax_rate=19)
    assert "nothing says whether prices carry tax" in rules_of(
        open_map(tmp_path, ORDERS, prices_include_tax=None), "warning"
    )


def test_refunds_of_prices_with_tax_lose_it_as_the_prices_did(tmp_path: Path) -> None:
    write_csv(
        pd.DataFrame(
            # Tea bears 7 % and a pot 19 %: 100 + 100, 200 and 50 without tax.
            [("1", "TEA", "2026-10-01", 1, 107, 7), ("1", "POT", "2026-10-01", 1, 119, 19), ("2", "POT", "2026-10-02", 2, 119, 38),
             ("3", "TEA", "2026-10-03", 1, 53.5, 3.5)],
            columns=["order", "sku", "at", "pieces", "price", "tax"],
        ),
        tmp_path / "lines.csv",
    )  # fmt: skip
    back = pd.DataFrame(
        # A tea of order 1; 113 of its 226 with nothing said of what; half a pot; and money of which nothing is known.
        [("a", "1", "TEA", 107), ("b", "1", None, 113), ("c", "2", "POT", 59.5), ("d", None, None, 517.5)],
        columns=["id", "order", "sku", "money"],
    ).assign(at="2026-10-05")
    write_csv(back, tmp_path / "back.csv")
    lines = {
        "order_id": "order",
        "product_id": "sku",
        "ordered_at": "at",
        "quantity": "pieces",
        "unit_price": "price",
        "tax_amount": "tax",
    }
    returns = {
        "return_id": "id",
        "order_id": "order",
        "product_id": "sku",
        "returned_at": "at",
        "refund_amount": "money",
    }
    for columns in (returns, {ours: theirs for ours, theirs in returns.items() if ours != "product_id"}):
        tables = {
            "order_lines": {"files": "lines.csv", "columns": lines},
            "returns": {"files": "back.csv", "columns": columns},
        }
        shop = opening.open_shop(write_shop(tmp_path, tables=tables, prices_include_tax=True), root=tmp_path)
        refunds = frame_of(shop, "returns").set_index("return_id")["refund_amount"].astype(float).to_dict()
        # Order 1 keeps 200 of 226; all lines together 450 of 517.50.
        assert refunds["a"] == (100 if "product_id" in columns else pytest.approx(107 * 200 / 226, abs=0.0001))
        assert {key: refunds[key] for key in "bcd"} == {"b": 100, "c": 50, "d": 450}
        assert "refunds carry tax as prices do" in rules_of(shop, "note")
    shop = opening.open_shop(write_shop(tmp_path, tables=tables, prices_include_tax=False), root=tmp_path)
    assert frame_of(shop, "returns")["refund_amount"].astype(float).sum() == 107 + 113 + 59.5 + 517.5


def test_lines_are_not_taken_for_a_list_of_orders(tmp_path: Path) -> None:
    columns = {ours: COLUMNS[ours] for ours in ("order_id", "ordered_at", "unit_price")}
    with pytest.raises(ContractError, match="order 'A1' has line '1' 2 times"):
        open_map(tmp_path, ORDERS, columns)
