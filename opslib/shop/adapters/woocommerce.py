"""WooCommerce orders export, one row per item (item_name, item_quantity, item_subtotal, item_total, item_refunded ...).

Totals in it are without tax. It carries no date of a refund, so refunds are booked on the day of the order. Customers are
accounts; a guest is the account of the same e-mail address, else a pseudonym of the address.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.contracts import CONTRACTS, ColumnKind, Violation
from opslib.shop.adapters.columns import Texts, cast, typed_query
from opslib.shop.adapters.export import Extract, Reading, account, complete, finding, identifier, totals
from opslib.shop.adapters.orders import (
    NO_GOODS_RULES,
    charge,
    filled,
    key_pseudonyms,
    most_frequent,
    newest_states,
    pseudonym,
    require_one_currency,
)
from opslib.shop.adapters.reading import FILE, ROW, load_raw
from opslib.shop.shopfile import ColumnSource
from opslib.shop.sniff import files_in, header_of

NAME, EXPORT, SOURCE = "woocommerce", "WooCommerce orders export", "rows of the export"
TITLE, CURRENCY, TIME_ZONE = "WooCommerce shop", "USD", "UTC"
ENDINGS = (".csv", ".csv.gz")
NEEDED = ("order_id", "order_date", "status", "order_currency", "item_name", "item_quantity", "item_total")
OPTIONAL = (
    "customer_id", "billing_email", "billing_country", "shipping_country", "item_id", "item_product_id", "item_sku", "item_subtotal",
    "item_total_tax", "item_refunded", "item_refunded_qty", "order_modified",
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
    "date_modified": "order_modified",
    "modified_date": "order_modified",
}
STATUS = {
    "completed": "paid", "processing": "paid", "refunded": "paid", "on-hold": "pending", "pending": "pending", "checkout-draft": "pending",
    "cancelled": "cancelled", "failed": "voided", "trash": "voided",
}  # fmt: skip
RULES = {
    "item": "every row that names an item",
    "no item": "rows without an item (fees, shipping, empty orders)",
    **NO_GOODS_RULES,
}
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
    key_pseudonyms(reading)
    texts = Texts.of(reading, "woo_raw")
    at, updated = (
        cast(con, identifier(name), kind="timestamp", texts=texts, column=f"order_lines.{name}")
        for name in ("order_date", "order_modified")
    )
    older, repeated = newest_states(con, "woo_raw", order="order_id", at=at, updated=updated, source=SOURCE)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE woo_rows AS SELECT * REPLACE (regexp_replace(lower(status), '^wc-', '') AS status),
        coalesce(item_sku, item_product_id, item_name) AS product, coalesce(shipping_country, billing_country) AS country,
        {charge("item_name")} AS charge, nullif(customer_id, '0') AS account, {pseudonym("billing_email")} AS address
        FROM ({filled("woo_raw", order="order_id", columns=ORDER_FIELDS)})"""
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE woo_items AS
        WITH addresses AS (SELECT address, min(account) AS first FROM woo_rows WHERE address IS NOT NULL AND account IS NOT NULL GROUP BY address),
        accounts AS (SELECT account, min(first) AS person FROM woo_rows JOIN addresses USING (address) WHERE account IS NOT NULL GROUP BY account)
        SELECT r.*, coalesce(own.person, guest.person, r.account, r.address) AS customer FROM woo_rows AS r
        LEFT JOIN accounts AS own ON own.account = r.account LEFT JOIN addresses AS a ON a.address = r.address AND r.account IS NULL
        LEFT JOIN accounts AS guest ON guest.account = a.first WHERE r.item_name IS NOT NULL ORDER BY {FILE}, {ROW}"""
    )
    _lines(reading)
    con.execute(
        """CREATE OR REPLACE TEMP VIEW woo_accounted AS
        SELECT CASE WHEN charge IS NULL THEN 'order_lines' END AS goes_to, coalesce(charge, 'item') AS reason, quantity, total AS amount,
            order_id || ' ' || product_id AS example FROM woo_sold
        UNION ALL SELECT NULL, 'no item', NULL, NULL, order_id FROM woo_rows WHERE item_name IS NULL"""
    )
    accounting = account(
        con,
        "woo_accounted",
        source=SOURCE,
        rules=RULES,
        units="quantity",
        amount="amount",
        example="example",
    )
    return Extract(
        tables=TABLES,
        accounting=(*accounting, *older),
        raw_totals=totals(con, "woo_lines", TOTALS),
        violations=(*repeated, *_violations(con)),
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
        "charge": "charge",
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
        f"""CREATE OR REPLACE TEMP TABLE woo_sold AS
        WITH typed AS (SELECT *, coalesce(subtotal, total) AS value FROM ({typed}))
        SELECT * REPLACE (
            CAST(CASE WHEN quantity = 0 THEN value ELSE value / quantity END AS DECIMAL(18,4)) AS unit_price,
            coalesce(line_id, lpad(CAST(row_number() OVER (PARTITION BY order_id ORDER BY row_number) AS VARCHAR), 4, '0')) AS line_id,
            CASE WHEN raw_status = 'refunded' AND coalesce(refunded, 0) = 0 THEN total ELSE abs(refunded) END AS refunded,
            CASE WHEN raw_status = 'refunded' AND coalesce(refunded, 0) = 0 AND coalesce(refunded_units, 0) = 0 THEN quantity
                ELSE abs(refunded_units) END AS refunded_units),
            CAST(value - total AS DECIMAL(18,4)) AS discount_amount
        FROM typed"""
    )
    con.execute("CREATE OR REPLACE TEMP VIEW woo_lines AS SELECT * FROM woo_sold WHERE charge IS NULL")


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
