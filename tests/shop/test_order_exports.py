"""Shopify and WooCommerce exports in their documented layouts: order fields on first rows, refunds, discounts, currencies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import SourceError
from opslib.shop import checks, opening
from opslib.shop.adapters.orders import shared_out
from opslib.shop.opening import Shop
from tests.shop.builders import frame_of, write_csv, write_shop

#: Columns of Shopify's orders export, in its order (help centre, "Orders CSV file").
SHOPIFY = [
    "Name",
    "Email",
    "Financial Status",
    "Paid at",
    "Fulfillment Status",
    "Fulfilled at",
    "Accepts Marketing",
    "Currency",
    "Subtotal",
    "Shipping",
    "Taxes",
    "Total",
    "Discount Code",
    "Discount Amount",
    "Shipping Method",
    "Created at",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Lineitem compare at price",
    "Lineitem sku",
    "Lineitem requires shipping",
    "Lineitem taxable",
    "Lineitem fulfillment status",
    "Billing Name",
    "Billing Country",
    "Shipping Name",
    "Shipping Country",
    "Notes",
    "Cancelled at",
    "Payment Method",
    "Refunded Amount",
    "Vendor",
    "Id",
    "Tags",
    "Source",
    "Lineitem discount",
    "Location",
]
#: Columns of WooCommerce's "Default - One Row per Item" export.
WOO = [
    "order_id",
    "order_number",
    "date",
    "status",
    "shipping_total",
    "tax_total",
    "discount_total",
    "order_total",
    "refunded_total",
    "order_currency",
    "payment_method",
    "customer_id",
    "billing_email",
    "billing_country",
    "shipping_country",
    "item_id",
    "item_product_id",
    "item_name",
    "item_sku",
    "item_quantity",
    "item_subtotal",
    "item_subtotal_tax",
    "item_total",
    "item_total_tax",
    "item_refunded",
    "item_refunded_qty",
    "item_meta",
    "coupon_items",
]


def shopify_rows() -> list[dict[str, Any]]:
    """Five orders: three lines with a code of 10.00, a refund, a pending one, a cancelled one, one without SKU."""
    first = {
        "Name": "#1001", "Email": "Ana@Example.com", "Financial Status": "paid", "Currency": "EUR", "Subtotal": "80.00", "Shipping": "5.00",
        "Taxes": "12.77", "Total": "85.00", "Discount Code": "TEN", "Discount Amount": "10.00", "Created at": "2026-07-01 23:30:00 +0200",
        "Shipping Country": "DE", "Billing Country": "AT", "Source": "web", "Id": "901", "Vendor": "Acme", "Lineitem discount": "0",
    }  # fmt: skip
    line = {"Lineitem discount": "0", "Vendor": "Acme"}
    return [
        {**first, "Lineitem quantity": "2", "Lineitem name": "Mug - Red", "Lineitem price": "20.00", "Lineitem sku": "MUG-R"},
        {**line, "Name": "#1001", "Lineitem quantity": "1", "Lineitem name": "Tea", "Lineitem price": "30.00", "Lineitem sku": "TEA"},
        {**line, "Name": "#1001", "Lineitem quantity": "1", "Lineitem name": "Pot", "Lineitem price": "20.00", "Lineitem sku": "POT"},
        {"Name": "#1001", "Notes": "second payment"},
        {**first, "Name": "#1002", "Financial Status": "partially_refunded", "Subtotal": "30.00", "Discount Amount": "0.00", "Taxes": "0.00",
         "Refunded Amount": "12.50", "Email": "ana@example.com ", "Lineitem quantity": "1", "Lineitem name": "Tea", "Lineitem price": "30.00",
         "Lineitem sku": "TEA"},
        {**first, "Name": "#1003", "Financial Status": "pending", "Subtotal": "20.00", "Discount Amount": "0.00", "Taxes": "0.00",
         "Lineitem quantity": "1", "Lineitem name": "Pot", "Lineitem price": "20.00", "Lineitem sku": "POT", "Email": ""},
        {**first, "Name": "#1004", "Financial Status": "refunded", "Subtotal": "20.00", "Discount Amount": "0.00", "Taxes": "0.00",
         "Cancelled at": "2026-07-02 10:00:00 +0200", "Refunded Amount": "20.00", "Lineitem quantity": "1", "Lineitem name": "Pot",
         "Lineitem price": "20.00", "Lineitem sku": "POT"},
        {**first, "Name": "#1005", "Subtotal": "19.00", "Discount Amount": "0.00", "Taxes": "0.00", "Lineitem quantity": "2",
         "Lineitem name": "Gift wrap", "Lineitem price": "10.00", "Lineitem sku": "", "Lineitem discount": "1.00"},
    ]  # fmt: skip


def open_shopify(folder: Path, rows: list[dict[str, Any]]) -> Shop:
    write_csv(pd.DataFrame(rows, columns=SHOPIFY), folder / "orders_export_1.csv")
    return opening.open_shop(write_shop(folder, adapter="shopify", files="orders_export_1.csv"), root=folder)


def woo_rows() -> list[dict[str, Any]]:
    """Four orders: a coupon on two items, a partly refunded one, a wholly refunded one, one on hold."""
    first = {
        "order_id": "501", "date": "2026-07-01 21:30", "status": "completed", "order_currency": "EUR", "customer_id": "7",
        "billing_email": "bo@example.com", "billing_country": "FR", "shipping_country": "BE",
    }  # fmt: skip
    item = {"item_refunded": "0", "item_refunded_qty": "0", "item_total_tax": "0"}
    mug = {**item, "item_id": "1", "item_product_id": "11", "item_name": "Mug", "item_sku": "MUG", "item_quantity": "2"}
    tea = {**item, "item_id": "2", "item_product_id": "12", "item_name": "Tea", "item_sku": "", "item_quantity": "1"}
    return [
        {**first, **mug, "item_subtotal": "40.00", "item_total": "36.00", "item_total_tax": "7.20"},
        {"order_id": "501", **tea, "item_subtotal": "30.00", "item_total": "27.00", "item_total_tax": "5.40"},
        {**first, "order_id": "502", **mug, "item_subtotal": "40.00", "item_total": "40.00", "item_refunded": "-20.00", "item_refunded_qty": "-1"},
        {**first, "order_id": "503", "status": "wc-refunded", "customer_id": "0", **tea, "item_subtotal": "30.00", "item_total": "30.00"},
        {**first, "order_id": "504", "status": "on-hold", **tea, "item_subtotal": "30.00", "item_total": "30.00"},
        {**first, "order_id": "505", "status": "failed"},
    ]  # fmt: skip


def open_woo(folder: Path, rows: list[dict[str, Any]], *, titles: bool = False) -> Shop:
    frame = pd.DataFrame(rows, columns=WOO)
    if titles:
        frame.columns = [name.replace("_", " ").title() for name in WOO]
    write_csv(frame, folder / "orders.csv")
    return opening.open_shop(write_shop(folder, adapter="woocommerce", files="orders.csv"), root=folder)


def test_shopify_lines_inherit_their_order_and_share_its_discount(tmp_path: Path) -> None:
    lines = frame_of(open_shopify(tmp_path, shopify_rows()), "order_lines").set_index(["order_id", "line_id"])
    order = lines.loc["#1001"]
    assert order["product_id"].tolist() == ["MUG-R", "TEA", "POT"]
    assert set(order["ordered_at"]) == {pd.Timestamp("2026-07-01 21:30")}
    assert set(order["country"]) == {"DE"}
    # 10.00 off 40 + 30 + 20: running totals 4.4444, 7.7778, 10; so the shares add up to the 10.00 exactly. The tax alike.
    assert order["discount_amount"].tolist() == pytest.approx([4.4444, 3.3334, 2.2222])
    assert order["discount_amount"].sum() == pytest.approx(10, abs=1e-9)
    # Total 85 = Subtotal 80 + Shipping 5 with tax of 12.77: the tax lies within, and 12.77 x 80 / 85 of it in the goods.
    assert order["tax_amount"].sum() == pytest.approx(12.0188, abs=1e-9)
    assert order["revenue_amount"].sum() == pytest.approx(67.9812, abs=1e-9)
    assert lines.loc[("#1005", "0001"), "revenue_amount"] == 19.0
    assert lines.loc[("#1005", "0001"), "product_id"] == "Gift wrap"


def test_shopify_statuses_customers_and_refunds(tmp_path: Path) -> None:
    shop = open_shopify(tmp_path, shopify_rows())
    lines = frame_of(shop, "order_lines")
    status = lines.groupby("order_id")["status"].first().to_dict()
    assert status == {"#1001": "paid", "#1002": "paid", "#1003": "pending", "#1004": "cancelled", "#1005": "paid"}
    customer = lines.groupby("order_id")["customer_id"].first()
    assert customer["#1001"] == customer["#1002"], "capitals and blanks make no other person"
    assert pd.isna(customer["#1003"])
    assert "ana" not in "".join(customer.dropna()).lower()
    back = frame_of(shop, "returns")
    assert back[["order_id", "product_id", "refund_amount"]].to_numpy().tolist() == [["#1002", "TEA", 12.5]]
    assert shop.staged is not None
    assert {item.reason: item.n_rows for item in shop.staged.accounting} == {"line item": 7, "no line item": 1}
    assert "the export has no date of refunds: booked on the day of the order" in {
        f.rule for f in checks.check_shop(shop)
    }


def test_a_shopify_folder_is_recognised(tmp_path: Path) -> None:
    rows = [{**row, "Currency": row.get("Currency") and "USD"} for row in shopify_rows()]
    write_csv(pd.DataFrame(rows, columns=SHOPIFY), tmp_path / "export" / "orders_export_1.csv")
    shop = opening.open_shop(tmp_path / "export", root=tmp_path)
    assert (shop.currency, len(frame_of(shop, "order_lines"))) == ("USD", 7)


@pytest.mark.parametrize("export", ["shopify", "woo"])
def test_money_in_two_currencies_is_never_added(tmp_path: Path, export: str) -> None:
    rows, column = (shopify_rows(), "Currency") if export == "shopify" else (woo_rows(), "order_currency")
    opener = open_shopify if export == "shopify" else open_woo
    rows[-1 if export == "woo" else 5][column] = "CHF"
    with pytest.raises(
        SourceError,
        match=r"several currencies in one export: EUR \(\d rows\) and CHF \(1 rows\); export each currency apart",
    ):
        opener(tmp_path / "two", rows)
    for row in rows:
        if row.get(column):
            row[column] = "SEK"
    with pytest.raises(SourceError, match=r"the money is in SEK, the shop's currency is EUR; write currency: SEK"):
        opener(tmp_path / "other", rows)


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    write_csv(pd.DataFrame(shopify_rows(), columns=SHOPIFY).drop(columns="Created at"), tmp_path / "o.csv")
    with pytest.raises(SourceError, match=r"o.csv, Shopify orders export: no column 'Created at'"):
        opening.open_shop(write_shop(tmp_path, adapter="shopify", files="o.csv"), root=tmp_path)


@pytest.mark.parametrize("titles", [False, True])
def test_woocommerce_items_discounts_and_refunds_by_hand(tmp_path: Path, titles: bool) -> None:
    shop = open_woo(tmp_path, woo_rows(), titles=titles)
    lines = frame_of(shop, "order_lines").set_index(["order_id", "line_id"])
    assert lines["revenue_amount"].to_dict() == {
        ("501", "1"): 36.0,
        ("501", "2"): 27.0,
        ("502", "1"): 40.0,
        ("503", "2"): 30.0,
        ("504", "2"): 30.0,
    }
    assert lines.loc[("501", "1"), ["unit_price", "discount_amount", "tax_amount"]].tolist() == [20.0, 4.0, 7.2]
    assert lines["status"].tolist() == ["paid", "paid", "paid", "paid", "pending"]
    assert lines["product_id"].tolist() == ["MUG", "12", "MUG", "12", "12"]
    assert lines.loc[("501", "2"), "country"] == "BE", "the order's country stands on its first row only"
    assert str(lines.loc[("501", "2"), "ordered_at"]) == "2026-07-01 19:30:00"
    assert lines.loc[("503", "2"), "customer_id"] not in ("0", "bo@example.com")
    back = frame_of(shop, "returns")
    assert back[["order_id", "quantity", "refund_amount"]].to_numpy().tolist() == [
        ["502", 1.0, 20.0],
        ["503", 1.0, 30.0],
    ]
    assert shop.staged is not None
    assert {item.reason: item.n_rows for item in shop.staged.accounting} == {"item": 5, "no item": 1}


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=9), st.integers(0, 5_000))
def test_shares_of_an_order_s_amount_add_up_to_it(cents: list[int], total: int) -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE t (o INT, n INT, value DECIMAL(18,4), total DECIMAL(18,4))")
    con.executemany("INSERT INTO t VALUES (1, ?, ?, ?)", [(n, c / 100, total / 100) for n, c in enumerate(cents)])
    shares = con.sql(f"SELECT {shared_out('total', 'value', order='o', line='n')} AS share, value FROM t").fetchall()
    expected = total / 100 if sum(cents) else 0
    assert float(sum(share for share, _ in shares)) == pytest.approx(expected, abs=1e-9)
    assert all(share >= 0 for share, _ in shares)
    assert all(share == 0 for share, value in shares if value == 0)
