"""WooCommerce orders export, one row per item (item_name, item_quantity, item_subtotal, item_total, item_refunded ...).

Totals in it are without tax. It carries no date of a refund, so refunds are booked on the day of the order.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.contracts import CONTRACTS, ColumnKind, Violation
from opslib.shop.adapters.columns import Texts, typed_query
from opslib.shop.adapters.export import Extract, Reading, account, complete, finding, identifier, totals
from opslib.shop.adapters.orders import filled, most_frequent, pseudonym, require_one_currency
from opslib.shop.adapters.reading import load_raw
from opslib.shop.shopfile import ColumnSource
from opslib.shop.sniff import files_in, header_of

NAME, EXPORT = "woocommerce", "WooCommerce orders export"
TITLE, CURRENCY, TIME_ZONE = "WooCommerce shop", "USD", "UTC"
ENDINGS = (".csv", ".csv.gz")
NEEDED = ("order_id", "order_date", "status", "order_currency", "item_name", "item_quantity", "item_total")
OPTIONAL = (
    "customer_id", "billing_email", "billing_country", "shipping_country", "item_id", "item_product_id", "item_sku", "item_subtotal",
    "item_total_tax", "item_refunded", "item_refunded_qty",
)  # fmt: skip
ORDER_FIELDS = (
    "order_date",
    "status",
    "order_currency",
    "customer_id",
    "billing_email",
    "billing_country",
    "shipping_country",
)
#: Other names that versions of the export give to the same column.
ALIASES = {
    "date": "order_date",
    "item_tax": "item_total_tax",
    "currency": "order_currency",
    "order_number": "order_id",
    "item_refunded_quantity": "item_refunded_qty",
}
STATUS = {
    "completed": "paid", "processing": "paid", "refunded": "paid", "on-hold": "pending", "pending": "pending", "checkout-draft": "pending",
    "cancelled": "cancelled", "failed": "voided", "trash": "voided",
}  # fmt: skip
RULES = {"item": "every row that names an item", "no item": "rows without an item (fees, shipping, empty orders)"}
_EXTRA: dict[str, ColumnKind] = {
    "subtotal": "money",
    "total": "money",
    "refunded": "money",
    "refunded_units": "quantity",
}


def detect(path: Path) -> bool:
    """Whether the first csv has one row per item."""
    files = files_in(path, ENDINGS)
    names = {_plain(name) for name in header_of(files[0])} if files else set()
    return {"item_name", "item_quantity", "item_total"} <= names


def find_files(path: Path) -> list[Path]:
    """All csv files of a folder, or the file itself."""
    return files_in(path, ENDINGS)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def read(reading: Reading) -> Extract:
    """Order lines, refunds and products."""
    con = reading.con
    found = load_raw(reading, reading.files, name="woo_raw")
    names = _rename(con, found)
    complete(reading, "woo_raw", names, needed=NEEDED, optional=OPTIONAL, export=EXPORT)
    require_one_currency(con, "woo_raw", column="order_currency", currency=reading.currency, export=EXPORT)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE woo_rows AS SELECT * REPLACE (regexp_replace(lower(status), '^wc-', '') AS status),
        coalesce(item_sku, item_product_id, item_name) AS product, coalesce(shipping_country, billing_country) AS country,
        coalesce(nullif(customer_id, '0'), {pseudonym("billing_email")}) AS customer
        FROM ({filled("woo_raw", order="order_id", columns=ORDER_FIELDS)})"""
    )
    con.execute("CREATE OR REPLACE TEMP TABLE woo_items AS SELECT * FROM woo_rows WHERE item_name IS NOT NULL")
    _lines(reading)
    con.execute(
        """CREATE OR REPLACE TEMP VIEW woo_accounted AS
        SELECT 'order_lines' AS goes_to, 'item' AS reason, quantity, total AS amount, order_id || ' ' || product_id AS example FROM woo_lines
        UNION ALL SELECT NULL, 'no item', NULL, NULL, order_id FROM woo_rows WHERE item_name IS NULL"""
    )
    accounting = account(
        con,
        "woo_accounted",
        source="rows of the export",
        rules=RULES,
        units="quantity",
        amount="amount",
        example="example",
    )
    return Extract(
        tables=TABLES, accounting=accounting, raw_totals=totals(con, "woo_lines", TOTALS), violations=_violations(con)
    )


def _rename(con: duckdb.DuckDBPyConnection, found: list[str]) -> list[str]:
    """Columns under one spelling; a column is never renamed onto one that is there."""
    names = []
    for column in found:
        plain = _plain(column)
        wanted = ALIASES.get(plain, plain)
        taken = wanted in names or any(_plain(other) == wanted for other in found if other != column)
        target = plain if taken else wanted
        if target != column:
            con.execute(f"ALTER TABLE woo_raw RENAME COLUMN {identifier(column)} TO {identifier(target)}")
        names.append(target)
    return names


def _lines(reading: Reading) -> None:
    """Typed lines; the price before discount is the item's subtotal divided by its quantity."""
    con = reading.con
    ours = {
        "order_id": "order_id", "line_id": "item_id", "product_id": "product", "customer_id": "customer", "ordered_at": "order_date",
        "quantity": "item_quantity", "tax_amount": "item_total_tax", "country": "country", "name": "item_name", "subtotal": "item_subtotal",
        "total": "item_total", "unit_price": "item_total", "refunded": "item_refunded", "refunded_units": "item_refunded_qty", "raw_status": "status",
    }  # fmt: skip
    columns = {name: ColumnSource(source=theirs) for name, theirs in ours.items()}
    columns["status"] = ColumnSource(source="status", values=STATUS)
    columns["row_number"] = ColumnSource(row=True)
    typed = typed_query(
        con,
        columns,
        texts=Texts.of(reading, "woo_items", is_lenient=True),
        contract=CONTRACTS["order_lines"],
        kinds=_EXTRA,
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE woo_lines AS
        WITH typed AS (SELECT *, coalesce(subtotal, total) AS value FROM ({typed}))
        SELECT * REPLACE (
            CAST(CASE WHEN quantity = 0 THEN value ELSE value / quantity END AS DECIMAL(18,4)) AS unit_price,
            coalesce(line_id, lpad(CAST(row_number() OVER (PARTITION BY order_id ORDER BY row_number) AS VARCHAR), 4, '0')) AS line_id,
            CASE WHEN raw_status = 'refunded' AND coalesce(refunded, 0) = 0 THEN total ELSE abs(refunded) END AS refunded,
            CASE WHEN raw_status = 'refunded' AND coalesce(refunded_units, 0) = 0 THEN quantity ELSE abs(refunded_units) END AS refunded_units),
            CAST(value - total AS DECIMAL(18,4)) AS discount_amount
        FROM typed"""
    )


TABLES = {
    "order_lines": """SELECT order_id, line_id, customer_id, product_id, ordered_at, quantity, unit_price, discount_amount, tax_amount, status,
        country, total AS revenue_amount FROM woo_lines""",
    "returns": """SELECT order_id || '-' || line_id AS return_id, order_id, product_id, ordered_at AS returned_at, refunded_units AS quantity,
        refunded AS refund_amount FROM woo_lines WHERE refunded > 0 AND status = 'paid'""",
    "products": f"""SELECT product_id, name FROM (SELECT DISTINCT product_id FROM woo_lines)
        LEFT JOIN ({most_frequent("woo_lines", key="product_id", value="name")}) USING (product_id)""",
}


TOTALS = {
    "items": "count(*)",
    "orders": "count(DISTINCT order_id)",
    "customers": "count(DISTINCT customer_id)",
    "value before discounts": "sum(value)",
    "value": "sum(total)",
}


def _violations(con: duckdb.DuckDBPyConnection) -> tuple[Violation, ...]:
    refunds = "SELECT count(*) FILTER (refunded > 0), count(*), min(order_id) FILTER (refunded > 0) FROM woo_lines"
    rule = "the export has no date of refunds: booked on the day of the order"
    return finding(con, refunds, table="returns", column="returned_at", rule=rule, severity="warning")
