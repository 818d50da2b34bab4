"""Olist's Brazilian marketplace: nine csv files that belong together.

One row of order items is one unit. A review belongs to an order; it is given a product only where the order has one.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.contracts import CONTRACTS, ColumnKind, Violation
from opslib.errors import SourceError
from opslib.shop.adapters.columns import Texts, typed_query
from opslib.shop.adapters.export import Extract, Reading, account, finding, totals
from opslib.shop.adapters.reading import load_raw
from opslib.shop.shopfile import ColumnSource

NAME = "olist"
TITLE, CURRENCY, TIME_ZONE = "Olist (Brazilian marketplace)", "BRL", "America/Sao_Paulo"
#: The nine files; those without a star may be missing.
FILES = {
    "orders": "olist_orders_dataset.csv", "items": "olist_order_items_dataset.csv", "customers": "olist_customers_dataset.csv",
    "products": "olist_products_dataset.csv", "reviews": "olist_order_reviews_dataset.csv", "payments": "olist_order_payments_dataset.csv",
    "sellers": "olist_sellers_dataset.csv", "geolocation": "olist_geolocation_dataset.csv", "names": "product_category_name_translation.csv",
}  # fmt: skip
REQUIRED = ("orders", "items", "customers", "products")
READ = (*REQUIRED, "reviews", "names")
STATUS = {
    "delivered": "paid", "shipped": "paid", "invoiced": "paid", "processing": "paid", "approved": "paid", "created": "pending",
    "canceled": "cancelled", "unavailable": "cancelled",
}  # fmt: skip
RULES = {"item": "every row of order items whose order is known", "no order": "order items without their order"}


def detect(path: Path) -> bool:
    """Whether a folder holds the orders and their items."""
    return path.is_dir() and (path / FILES["orders"]).is_file() and (path / FILES["items"]).is_file()


def find_files(path: Path) -> list[Path]:
    """The files of the folder that become tables."""
    missing = [FILES[name] for name in REQUIRED if not (path / FILES[name]).is_file()]
    if missing:
        raise SourceError(
            f"Olist: {missing[0]} is missing in {path.name}; the nine files belong together, see {', '.join(FILES.values())}"
        )
    return [path / FILES[name] for name in READ if (path / FILES[name]).is_file()]


def read(reading: Reading) -> Extract:
    """Order lines, products, customers and reviews."""
    con = reading.con
    by_name = {path.name: path for path in reading.files}
    for name in READ:
        if FILES[name] in by_name:
            load_raw(reading, [by_name[FILES[name]]], name=f"olist_{name}")
    if FILES["names"] not in by_name:
        con.execute(
            "CREATE OR REPLACE TEMP TABLE olist_names (product_category_name VARCHAR, product_category_name_english VARCHAR)"
        )
    _lines(reading)
    con.execute(
        """CREATE OR REPLACE TEMP VIEW olist_accounted AS
        SELECT 'order_lines' AS goes_to, 'item' AS reason, quantity, unit_price AS amount, order_id || ' ' || product_id AS example FROM olist_lines
        UNION ALL SELECT NULL, 'no order', 1, CAST(price AS DECIMAL(18,4)), order_id FROM olist_items WHERE order_id NOT IN (SELECT order_id FROM olist_orders)"""
    )
    accounting = account(
        con, "olist_accounted", source="order items", rules=RULES, units="quantity", amount="amount", example="example"
    )
    tables = dict(TABLES)
    if FILES["reviews"] in by_name:
        tables["reviews"] = _reviews(reading)
    return Extract(
        tables=tables, accounting=accounting, raw_totals=totals(con, "olist_lines", TOTALS), violations=_violations(con)
    )


def _lines(reading: Reading) -> None:
    con = reading.con
    con.execute(
        """CREATE OR REPLACE TEMP TABLE olist_joined AS SELECT i.*, '1' AS quantity, o.order_status, o.order_purchase_timestamp, c.customer_unique_id
        FROM olist_items AS i JOIN olist_orders AS o USING (order_id) LEFT JOIN olist_customers AS c USING (customer_id)"""
    )
    ours = {
        "order_id": "order_id", "line_id": "order_item_id", "customer_id": "customer_unique_id", "product_id": "product_id",
        "ordered_at": "order_purchase_timestamp", "quantity": "quantity", "unit_price": "price", "freight": "freight_value",
    }  # fmt: skip
    columns = {name: ColumnSource(source=theirs) for name, theirs in ours.items()}
    columns["status"] = ColumnSource(source="order_status", values=STATUS)
    kinds: dict[str, ColumnKind] = {"freight": "money"}
    typed = typed_query(
        con,
        columns,
        texts=Texts.of(reading, "olist_joined"),
        contract=CONTRACTS["order_lines"],
        kinds=kinds,
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE olist_lines AS {typed}")


TABLES = {
    "order_lines": """SELECT order_id, lpad(line_id, 4, '0') AS line_id, customer_id, product_id, ordered_at, quantity, unit_price, status, 'BR' AS country
        FROM olist_lines""",
    "products": """SELECT product_id, coalesce(product_category_name_english, product_category_name) AS category,
        TRY_CAST(product_photos_qty AS DOUBLE) > 0 AS has_image, TRY_CAST(product_weight_g AS DOUBLE) AS attr_weight_g
        FROM olist_products LEFT JOIN olist_names USING (product_category_name)""",
    "customers": """SELECT customer_unique_id AS customer_id, (SELECT min(ordered_at) FROM olist_lines AS l WHERE l.customer_id = customer_unique_id)
        AS first_seen_at, 'BR' AS country FROM (SELECT DISTINCT customer_unique_id FROM olist_customers)""",
}


def _reviews(reading: Reading) -> str:
    """Reviews; the same review id may stand for several orders, so the order is part of the key."""
    ours = {
        "review_id": "review_id", "order_id": "order_id", "written_at": "review_creation_date", "rating": "review_score",
        "title": "review_comment_title", "text": "review_comment_message",
    }  # fmt: skip
    columns = {name: ColumnSource(source=theirs) for name, theirs in ours.items()}
    typed = typed_query(reading.con, columns, texts=Texts.of(reading, "olist_reviews"), contract=CONTRACTS["reviews"])
    return f"""SELECT review_id || '-' || order_id AS review_id, product_id, written_at, rating, title, text FROM ({typed})
        LEFT JOIN (SELECT order_id, min(product_id) AS product_id FROM olist_lines GROUP BY order_id HAVING count(DISTINCT product_id) = 1) USING (order_id)"""


TOTALS = {
    "orders": "(SELECT count(*) FROM olist_orders)",
    "items": "count(*)",
    "customers": "count(DISTINCT customer_id)",
    "value": "sum(unit_price)",
    "freight (no revenue)": "sum(freight)",
}


def _violations(con: duckdb.DuckDBPyConnection) -> tuple[Violation, ...]:
    empty = """SELECT count(*) FILTER (n IS NULL), count(*), min(order_id) FILTER (n IS NULL) FROM olist_orders
        LEFT JOIN (SELECT order_id, count(*) AS n FROM olist_items GROUP BY order_id) USING (order_id)"""
    return finding(
        con,
        empty,
        table="order_lines",
        column="order_id",
        rule="orders without items: no line to keep",
        severity="note",
    )
