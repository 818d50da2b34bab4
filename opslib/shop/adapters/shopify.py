"""Shopify's orders export (Admin, Orders, Export): one row a line item, order fields on the first row of an order.

The export carries no date of a refund, so refunds are booked on the day of the order; it carries no product of a refund
either. E-mail addresses become pseudonyms.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.contracts import CONTRACTS, ColumnKind, Violation
from opslib.shop.adapters.columns import Texts, typed_query
from opslib.shop.adapters.export import Extract, Reading, account, complete, finding, totals
from opslib.shop.adapters.orders import (
    filled,
    most_frequent,
    pseudonym,
    require_one_currency,
    shared_out,
)
from opslib.shop.adapters.reading import load_raw
from opslib.shop.shopfile import ColumnSource
from opslib.shop.sniff import files_in, header_of

NAME, EXPORT = "shopify", "Shopify orders export"
TITLE, CURRENCY, TIME_ZONE = "Shopify shop", "USD", "UTC"
ENDINGS = (".csv", ".csv.gz")
NEEDED = ("Name", "Financial Status", "Currency", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price")
OPTIONAL = (
    "Email", "Subtotal", "Taxes", "Discount Amount", "Refunded Amount", "Cancelled at", "Shipping Country", "Billing Country",
    "Source", "Location", "Vendor", "Lineitem sku", "Lineitem discount", "Lineitem taxable",
)  # fmt: skip
ORDER_FIELDS = (
    "Email", "Financial Status", "Currency", "Subtotal", "Taxes", "Discount Amount", "Refunded Amount", "Created at", "Cancelled at",
    "Shipping Country", "Billing Country", "Source", "Location",
)  # fmt: skip
STATUS = {
    "paid": "paid", "partially_paid": "pending", "partially_refunded": "paid", "refunded": "paid", "pending": "pending",
    "authorized": "authorised", "voided": "voided", "expired": "voided",
}  # fmt: skip
RULES = {
    "line item": "every row that names a line item",
    "no line item": "rows that name none (a further payment or fee of the order above)",
}
_EXTRA: dict[str, ColumnKind] = {
    "subtotal": "money",
    "order_tax": "money",
    "order_discount": "money",
    "refunded": "money",
    "cancelled_at": "timestamp",
}


def detect(path: Path) -> bool:
    """Whether the first csv has Shopify's line item columns."""
    files = files_in(path, ENDINGS)
    return bool(files) and {"Name", "Lineitem name", "Lineitem price"} <= set(header_of(files[0]))


def find_files(path: Path) -> list[Path]:
    """All csv files of a folder, or the file itself."""
    return files_in(path, ENDINGS)


def read(reading: Reading) -> Extract:
    """Order lines, refunds and products."""
    con = reading.con
    found = load_raw(reading, reading.files, name="shopify_raw")
    complete(reading, "shopify_raw", found, needed=NEEDED, optional=OPTIONAL, export=EXPORT)
    require_one_currency(con, "shopify_raw", column='"Currency"', currency=reading.currency, export=EXPORT)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE shopify_rows AS SELECT *, coalesce("Lineitem sku", "Lineitem name") AS product,
        {pseudonym('"Email"')} AS customer, coalesce("Shipping Country", "Billing Country") AS country
        FROM ({filled("shopify_raw", order="Name", columns=ORDER_FIELDS)})"""
    )
    con.execute(
        'CREATE OR REPLACE TEMP TABLE shopify_items AS SELECT * FROM shopify_rows WHERE "Lineitem name" IS NOT NULL'
    )
    _lines(reading)
    con.execute(
        """CREATE OR REPLACE TEMP VIEW shopify_accounted AS
        SELECT 'order_lines' AS goes_to, 'line item' AS reason, quantity, quantity * unit_price AS amount, order_id || ' ' || product_id AS example
        FROM shopify_lines UNION ALL
        SELECT NULL, 'no line item', NULL, NULL, "Name" FROM shopify_rows WHERE "Lineitem name" IS NULL"""
    )
    accounting = account(
        con,
        "shopify_accounted",
        source="rows of the export",
        rules=RULES,
        units="quantity",
        amount="amount",
        example="example",
    )
    return Extract(
        tables=TABLES,
        accounting=accounting,
        raw_totals=totals(con, "shopify_lines", TOTALS),
        violations=_violations(con),
    )


def _lines(reading: Reading) -> None:
    """Typed lines with each order's discount and tax shared out."""
    con = reading.con
    ours = {
        "order_id": "Name", "product_id": "product", "customer_id": "customer", "ordered_at": "Created at", "quantity": "Lineitem quantity",
        "unit_price": "Lineitem price", "discount_amount": "Lineitem discount", "country": "country", "channel": "Source", "store": "Location",
        "name": "Lineitem name", "brand": "Vendor", "subtotal": "Subtotal", "order_tax": "Taxes", "order_discount": "Discount Amount",
        "refunded": "Refunded Amount", "cancelled_at": "Cancelled at",
    }  # fmt: skip
    columns = {name: ColumnSource(source=theirs) for name, theirs in ours.items()}
    columns["status"] = ColumnSource(source="Financial Status", values=STATUS)
    columns["line_id"] = ColumnSource(row=True)
    typed = typed_query(
        con,
        columns,
        texts=Texts.of(reading, "shopify_items", is_lenient=True),
        contract=CONTRACTS["order_lines"],
        kinds=_EXTRA,
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE shopify_lines AS
        WITH typed AS (SELECT * REPLACE (coalesce(discount_amount, 0) AS discount_amount, CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled'
                ELSE status END AS status), quantity * unit_price - coalesce(discount_amount, 0) AS value FROM ({typed})),
        totals AS (SELECT *, sum(value) OVER (PARTITION BY order_id) AS order_value FROM typed),
        discounted AS (SELECT *, greatest(coalesce(order_value - subtotal, order_discount, 0), 0) AS to_share FROM totals)
        SELECT * REPLACE (CAST(discount_amount + {shared_out("to_share", "value", order="order_id", line="line_id")} AS DECIMAL(18,4)) AS discount_amount),
            {shared_out("coalesce(order_tax, 0)", "value", order="order_id", line="line_id")} AS tax_amount
        FROM discounted"""
    )


TABLES = {
    "order_lines": """SELECT order_id, lpad(CAST(row_number() OVER (PARTITION BY order_id ORDER BY line_id) AS VARCHAR), 4, '0') AS line_id,
        customer_id, product_id, ordered_at, quantity, unit_price, discount_amount, tax_amount, status, store, country, channel
        FROM shopify_lines""",
    "returns": """SELECT order_id || '-refund' AS return_id, order_id, CASE WHEN count(DISTINCT product_id) = 1 THEN min(product_id) END AS product_id,
        min(ordered_at) AS returned_at, CAST(NULL AS DECIMAL(18,4)) AS quantity, min(refunded) AS refund_amount
        FROM shopify_lines WHERE refunded > 0 AND status = 'paid' GROUP BY order_id""",
    "products": f"""SELECT product_id, name, brand FROM (SELECT DISTINCT product_id FROM shopify_lines)
        LEFT JOIN ({most_frequent("shopify_lines", key="product_id", value="name")}) USING (product_id)
        LEFT JOIN ({most_frequent("shopify_lines", key="product_id", value="brand")}) USING (product_id)""",
}


TOTALS = {
    "line items": "count(*)",
    "orders": "count(DISTINCT order_id)",
    "customers": "count(DISTINCT customer_id)",
    "value before discounts": "sum(quantity * unit_price)",
    "discounts": "sum(discount_amount)",
}


def _violations(con: duckdb.DuckDBPyConnection) -> tuple[Violation, ...]:
    refunds = """SELECT count(DISTINCT order_id) FILTER (refunded > 0), count(DISTINCT order_id), min(order_id) FILTER (refunded > 0) FROM shopify_lines"""
    no_sku = """SELECT count(*) FILTER ("Lineitem sku" IS NULL), count(*), min("Lineitem name") FILTER ("Lineitem sku" IS NULL) FROM shopify_items"""
    return (
        *finding(con, refunds, table="returns", column="returned_at", rule="the export has no date of refunds: booked on the day of the order", severity="warning"),
        *finding(con, no_sku, table="order_lines", column="product_id", rule="no SKU: the line item's name stands for it"),
    )  # fmt: skip
