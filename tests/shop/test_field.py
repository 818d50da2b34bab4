"""Exports in the shape of what shops really have, each with the value counted by hand (tests/field)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from opslib.errors import ShopFileError, SourceError
from opslib.shop import opening
from opslib.shop.opening import Shop
from tests.shop.builders import frame_of, write_shop

pytestmark = pytest.mark.fault

FIELD = Path(__file__).parents[1] / "field"
PLAIN = {"order_id": "order_id", "customer_id": "customer_id", "product_id": "sku", "ordered_at": "created_at", "quantity": "quantity",
         "unit_price": "price"}  # fmt: skip
AMAZON = {
    "order_id": "amazon-order-id", "product_id": "sku", "ordered_at": "purchase-date", "quantity": "quantity", "line_amount": "item-price",
    "discount_amount": "item-promotion-discount", "tax_amount": "item-tax", "country": "ship-country",
    "status": {"from": "order-status", "values": {"shipped": "paid", "Cancelled": "cancelled"}},
}  # fmt: skip
US = {"currency": "USD", "time_zone": "America/New_York"}


def shop_of(folder: Path, **keys: Any) -> Shop:
    return opening.open_shop(write_shop(folder, **keys), root=folder)


def orders(
    folder: Path, files: str, columns: dict[str, Any], *, shop: dict[str, Any] | None = None, **table: Any
) -> Shop:
    source = {"files": str(FIELD / files), "columns": columns, **table}
    return shop_of(folder, tables={"order_lines": source}, **(shop or {}))


def export(folder: Path, name: str, adapter: str, **keys: Any) -> Shop:
    return shop_of(folder, adapter=adapter, files=str(FIELD / name), **keys)


def lines_of(shop: Shop) -> pd.DataFrame:
    return frame_of(shop, "order_lines")


def revenue(shop: Shop) -> float:
    lines = lines_of(shop)
    return round(float(lines.loc[lines["status"] == "paid", "revenue_amount"].sum()), 4)


def rules(shop: Shop) -> list[tuple[str, str, str]]:
    return [(v.column, v.rule, v.severity) for v in shop.staged.violations]


def aside(shop: Shop) -> dict[str, tuple[int, float | None]]:
    rows = [item for item in shop.staged.accounting if item.table is None]
    return {item.reason: (item.n_rows, None if item.amount is None else float(item.amount)) for item in rows}


def test_lone_quotes_of_an_unquoted_file_swallow_no_row(tmp_path: Path) -> None:
    lines = lines_of(
        orders(
            tmp_path,
            "amazon_quotes/orders.txt",
            {**AMAZON, "line_amount": {"from": "item-price", "after_discount": False}},
        )
    )
    assert (len(lines), lines["revenue_amount"].sum()) == (4, 140)


def test_the_price_of_a_line_is_no_unit_price(tmp_path: Path) -> None:
    shop = orders(tmp_path, "amazon_all_orders/orders.txt", {**AMAZON, "line_amount": {"from": "item-price", "after_discount": False}},
                  shop={"prices_include_tax": True})  # fmt: skip
    assert revenue(shop) == 150.61  # 2 x (42.00 - 2.00 - 6.71) + 84.03


def test_cancelled_lines_without_a_price_do_not_stop_the_shop(tmp_path: Path) -> None:
    head = (FIELD / "amazon_all_orders" / "orders.txt").read_text(encoding="utf-8").splitlines()[0].split("\t")
    said = dict.fromkeys(head, "") | {
        "purchase-date": "2026-10-01T09:15:00+00:00",
        "order-status": "Shipped",
        "sku": "MUG",
        "currency": "EUR",
    }
    # Thirty orders that were sent, at 10.00, and thirty that were cancelled: the report then names neither price nor number.
    sent = [said | {"amazon-order-id": f"S{n}", "quantity": "1", "item-price": "10.00"} for n in range(30)]
    gone = [said | {"amazon-order-id": f"C{n}", "quantity": "0", "order-status": "Cancelled"} for n in range(30)]
    path = tmp_path / "orders.txt"

    def opened(rows: list[dict[str, str]]) -> Shop:
        path.write_text(
            "\n".join("\t".join(row.values()) for row in [dict(zip(head, head, strict=True)), *rows]), encoding="utf-8"
        )
        price = {"line_amount": {"from": "item-price", "after_discount": False}}
        return orders(tmp_path, str(path), {**{k: v for k, v in AMAZON.items() if k != "tax_amount"}, **price})

    shop = opened([*sent, *gone])
    assert (revenue(shop), len(lines_of(shop))) == (300, 30)
    assert aside(shop) == {"not paid and without a price": (30, None)}
    # Goods that were sent and have no price are money that is not known: those still stop it.
    with pytest.raises(SourceError, match=r"30 of 90 rows.*unit_price is empty \(30\)"):
        opened(
            [*sent, *gone, *(row | {"amazon-order-id": "X" + row["amazon-order-id"], "item-price": ""} for row in sent)]
        )


def test_two_digit_years(tmp_path: Path) -> None:
    columns = {"order_id": "Beleg", "customer_id": "Kunde", "product_id": "Artikel", "ordered_at": "Datum", "quantity": "Menge",
               "unit_price": "Preis"}  # fmt: skip
    lines = lines_of(orders(tmp_path, "two_digit_year/bestellungen.csv", columns, decimal=","))
    assert [str(day.date()) for day in sorted(lines["ordered_on"])] == ["2026-10-05", "2026-10-25", "2026-11-03"]
    etsy = {"order_id": "Order ID", "line_id": "Transaction ID", "customer_id": "Buyer", "product_id": "SKU", "ordered_at": "Sale Date",
            "quantity": "Quantity", "unit_price": "Price", "discount_amount": "Discount Amount"}  # fmt: skip
    shop = orders(tmp_path, "etsy_items/EtsySoldOrderItems2026.csv", etsy, shop=US)
    assert [str(day.date()) for day in sorted(lines_of(shop)["ordered_on"])] == [
        "2026-10-05",
        "2026-10-25",
        "2026-11-03",
    ]
    assert revenue(shop) == 20 - 2 + 10 + 15


def test_every_reading_option_works_for_an_export(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match='has a decimal comma; write decimal: ","'):
        export(tmp_path, "shopify_excel", "shopify")
    lines = lines_of(export(tmp_path, "shopify_excel", "shopify", decimal=","))
    assert (lines["order_id"].nunique(), float(lines["revenue_amount"].sum())) == (1, 29.90)
    with pytest.raises(SourceError, match="can be read as day/month/year and as month/day/year; write date_format"):
        export(tmp_path, "shopify_ambiguous_dates", "shopify", **US)
    shop = export(tmp_path, "shopify_ambiguous_dates", "shopify", **US, date_format="%m/%d/%Y %H:%M")
    assert revenue(shop) == 200
    assert [str(day.date()) for day in sorted(lines_of(shop)["ordered_on"])] == ["2026-10-05", "2026-10-06"]
    lines = lines_of(export(tmp_path, "shopify_excel_dates", "shopify"))
    assert (lines["order_id"].nunique(), float(lines["revenue_amount"].sum())) == (2, 39.80)
    assert [str(day.date()) for day in sorted(lines["ordered_on"])] == ["2026-10-05", "2026-10-25"]


# A pot at 19.90 and two cans at 5.00; a lamp at 19.90.
@pytest.mark.parametrize(("name", "money", "units"), [("shopify_utf16", 29.90, 3), ("shopify_sep", 19.90, 1)])
def test_exports_that_a_spreadsheet_saved_are_recognised_and_read(
    tmp_path: Path, name: str, money: float, units: int
) -> None:
    assert opening.adapters.detect(FIELD / name).NAME == "shopify"
    shop = export(tmp_path, name, "shopify")
    lines = lines_of(shop)
    assert (revenue(shop), lines["quantity"].sum(), lines["order_id"].nunique()) == (money, units, 1)


def test_woocommerce_s_own_escapes(tmp_path: Path) -> None:
    shop = export(tmp_path, "woo_apostrophe", "woocommerce")
    back = frame_of(shop, "returns")
    assert (back["refund_amount"].tolist(), back["quantity"].tolist()) == ([10], [1])
    assert set(lines_of(export(tmp_path, "woo_entities", "woocommerce"))["product_id"]) == {"Salt & Pepper set"}


def test_money_as_people_write_it(tmp_path: Path) -> None:
    columns = {**PLAIN, "discount_amount": "discount"}
    shop = orders(tmp_path, "symbols/orders.csv", columns, shop=US, thousands=",")
    assert revenue(shop) == 1019
    assert ("discount_amount", "written as negative numbers: taken as discounts", "note") in rules(shop)
    with pytest.raises(
        SourceError, match=r"'\$10.00' is money in \$, and the shop's currency is EUR; write currency: "
    ):
        orders(tmp_path, "symbols/orders.csv", columns, thousands=",")


def test_sales_and_refunds_in_one_file(tmp_path: Path) -> None:
    common = {"product_id": "SKU", "quantity": "Qty"}
    files = str(FIELD / "square_items/items-2026-10.csv")
    sold = {**common, "order_id": "Transaction ID", "customer_id": "Customer ID", "ordered_at": ["Date", "Time"], "tax_amount": "Tax",
            "line_amount": {"from": "Gross Sales", "after_discount": False}, "discount_amount": "Discounts"}  # fmt: skip
    back = {**common, "return_id": "Transaction ID", "returned_at": ["Date", "Time"], "refund_amount": "Net Sales"}
    shop = shop_of(tmp_path, **US, thousands=",", tables={
        "order_lines": {"files": files, "where": "quantity > 0", "columns": sold},
        "returns": {"files": files, "where": "quantity < 0", "columns": back},
    })  # fmt: skip
    assert (revenue(shop), lines_of(shop)["order_id"].nunique()) == (1013, 2)
    returned = frame_of(shop, "returns")
    assert (returned["refund_amount"].tolist(), returned["quantity"].tolist()) == ([4.5], [1])
    assert str(lines_of(shop)["ordered_at"].max()) == "2026-10-07 03:50:26"  # 23:50 in New York


def test_order_lists_of_shop_systems(tmp_path: Path) -> None:
    one = {"product_id": {"value": "order"}, "quantity": {"value": "1"}}
    presta = {**one, "order_id": "ID", "customer_id": "Customer", "ordered_at": "Date", "unit_price": "Total",
              "status": {"from": "Status", "values": {"payment accepted": "paid", "canceled": "cancelled"}}}  # fmt: skip
    shop = orders(tmp_path, "prestashop/order_2026.csv", presta, decimal=",")
    assert (revenue(shop), len(lines_of(shop))) == (54.30, 2)
    magento = {**one, "order_id": "ID", "customer_id": "Customer Email", "ordered_at": "Purchase Date", "unit_price": "Subtotal",
               "status": {"from": "Status", "values": {"complete": "paid", "canceled": "cancelled"}}}  # fmt: skip
    assert revenue(orders(tmp_path, "magento_grid/export.csv", magento, shop=US, thousands=",")) == 1200
    woo = {**one, "order_id": "Order #", "ordered_at": "Date", "unit_price": "N. Revenue",
           "status": {"from": "Status", "values": {"completed": "paid"}}}  # fmt: skip
    for column in ("N. Revenue", "N. Revenue (formatted)"):
        shop = orders(tmp_path, "woo_analytics/wc-orders-report-export.csv", {**woo, "unit_price": column})
        assert (revenue(shop), lines_of(shop)["order_id"].nunique()) == (65, 2)


def test_a_footer_that_sums_the_rows_above_is_no_row(tmp_path: Path) -> None:
    shop = orders(tmp_path, "footer_total/orders.csv", PLAIN)
    assert revenue(shop) == 30
    assert aside(shop) == {"blank lines": (1, None), "footer that sums the rows above": (1, 30.0)}


def test_a_key_without_effect_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ShopFileError, match=r"week_start: 'sunday' .*weeks begin on Monday"):
        orders(tmp_path, "week_sunday/orders.csv", PLAIN, shop={"week_start": "sunday"})


def test_days_begin_in_the_shop_s_zone(tmp_path: Path) -> None:
    lines = lines_of(orders(tmp_path, "month_end_tz/orders.csv", PLAIN, shop={"time_zone": "America/New_York"}))
    days = lines.set_index("order_id")["ordered_on"].dt.strftime("%d %b").to_dict()
    assert days == {"1": "31 Mar", "2": "30 Apr", "3": "01 Apr", "4": "30 Apr"}
    lines = lines_of(orders(tmp_path, "dst/orders.csv", PLAIN))
    assert sorted(lines["ordered_on"].dt.strftime("%d %b")) == ["25 Oct", "25 Oct", "29 Mar"]
    assert lines["revenue_amount"].sum() == 30
