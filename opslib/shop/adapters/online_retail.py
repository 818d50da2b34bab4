"""UCI Online Retail: a UK gift shop's invoice lines, as daily files, one csv, xlsx or Parquet.

Every raw line goes through the rules below in order; the first that fits decides. Nothing is dropped in silence.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.contracts import CONTRACTS, Violation
from opslib.errors import require_columns
from opslib.shop.adapters.columns import Texts, typed_query
from opslib.shop.adapters.export import Extract, Reading, account, finding, quote, totals
from opslib.shop.adapters.reading import load_raw
from opslib.shop.shopfile import ColumnSource
from opslib.shop.sniff import files_in, header_of

NAME = "online_retail"
TITLE, CURRENCY, TIME_ZONE = "Online Retail (UK gift shop)", "GBP", "Europe/London"
ENDINGS = (".csv", ".csv.gz", ".xlsx", ".parquet")
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
#: The second edition of the data set names some columns otherwise.
OTHER_NAMES = {"InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID"}

#: Codes that are no goods. PADS and the DCGS codes look like fees and are products.
FEES = {
    "POST": "postage", "DOT": "postage", "C2": "postage", "M": "manual entry", "D": "discount", "S": "samples",
    "BANK CHARGES": "bank charges", "AMAZONFEE": "marketplace fee", "CRUK": "charity commission", "B": "bad debt",
}  # fmt: skip
RULES = {
    "bad debt": "invoice number starts with A, or code B: an accounting entry",
    "postage": "codes POST, DOT, C2: postage and carriage charged",
    "manual entry": "code M: typed by hand, without a product",
    "discount": "code D: discount booked as a line",
    "samples": "code S: samples",
    "bank charges": "code BANK CHARGES",
    "marketplace fee": "code AMAZONFEE: what a marketplace kept",
    "charity commission": "code CRUK",
    "gift voucher": "codes gift_...: money taken for later goods, not a sale of goods",
    "cancellation": "invoice number starts with C: goods taken back",
    "stock correction": "negative quantity without a cancellation number: stock written off or corrected",
    "stock note": "price 0 and no customer: stock found or moved, not sold",
    "given away": "price 0 with a customer: kept, worth nothing",
    "sale": "everything else: goods sold",
}


def detect(path: Path) -> bool:
    """Whether the first file has the data set's columns."""
    files = files_in(path, ENDINGS)
    header = header_of(files[0]) if files else []
    return {"StockCode", "Description", "Quantity", "InvoiceDate", "Country"} <= set(header)


def find_files(path: Path) -> list[Path]:
    """All data files of a folder, or the file itself."""
    return files_in(path, ENDINGS)


def read(reading: Reading) -> Extract:
    """Order lines, returns, products and customers; fees and stock notes set aside by reason."""
    con = reading.con
    reading.progress(f"reading {len(reading.files)} files", 0.0)
    found = load_raw(reading, reading.files, name="uci_raw")
    names = {
        name: OTHER_NAMES[name] if OTHER_NAMES.get(name) in found and name not in found else name for name in COLUMNS
    }
    require_columns(found, names.values(), f"{reading.files[0].name}, Online Retail")
    reading.progress("classifying lines", 0.5)
    _type(reading, names)
    accounting = account(
        con, "uci", source="invoice lines", rules=RULES, units="quantity", amount="quantity * unit_price",
        example="order_id || ' ' || product_id || ' ' || coalesce(name, '(no description)')",
    )  # fmt: skip
    return Extract(
        tables=TABLES, accounting=accounting, raw_totals=totals(con, "uci", TOTALS), violations=_violations(con)
    )


def _type(reading: Reading, names: dict[str, str]) -> None:
    """Typed and classified lines in table ``uci``."""
    con = reading.con
    ours = {
        "order_id": "InvoiceNo", "product_id": "StockCode", "quantity": "Quantity", "ordered_at": "InvoiceDate",
        "unit_price": "UnitPrice", "customer_id": "CustomerID", "country": "Country", "name": "Description",
    }  # fmt: skip
    columns = {name: ColumnSource(source=names[theirs]) for name, theirs in ours.items()}
    typed = typed_query(con, columns, texts=Texts.of(reading, "uci_raw"), contract=CONTRACTS["order_lines"])
    con.execute(f"CREATE OR REPLACE TEMP TABLE uci_typed AS {typed}")
    con.execute("DROP TABLE uci_raw")
    fees = " ".join(f"WHEN {quote(code)} THEN {quote(reason)}" for code, reason in FEES.items())
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE uci AS
        WITH coded AS (SELECT * REPLACE (upper(product_id) AS product_id), product_id AS raw_code FROM uci_typed),
        reasoned AS (SELECT *, CASE
            WHEN order_id LIKE 'A%' THEN 'bad debt'
            WHEN product_id LIKE 'GIFT\\_%' ESCAPE '\\' THEN 'gift voucher'
            WHEN product_id IN ({", ".join(quote(code) for code in FEES)}) THEN CASE product_id {fees} END
            WHEN order_id LIKE 'C%' THEN 'cancellation'
            WHEN quantity < 0 THEN 'stock correction'
            WHEN unit_price = 0 AND customer_id IS NULL THEN 'stock note'
            WHEN unit_price = 0 THEN 'given away'
            ELSE 'sale' END AS reason FROM coded)
        SELECT *, CASE WHEN reason IN ('sale', 'given away') THEN 'order_lines' WHEN reason = 'cancellation' THEN 'returns' END AS goes_to,
            lpad(CAST(row_number() OVER (PARTITION BY order_id ORDER BY product_id, raw_code, quantity, unit_price, ordered_at, name) AS VARCHAR),
                 4, '0') AS line_id
        FROM reasoned"""
    )


_NAMES = """SELECT product_id, name FROM (
    SELECT product_id, name, row_number() OVER (PARTITION BY product_id ORDER BY count(*) DESC, name) AS place
    FROM uci WHERE goes_to IS NOT NULL AND name IS NOT NULL GROUP BY product_id, name) WHERE place = 1"""
TABLES = {
    "order_lines": """SELECT order_id, line_id, customer_id, product_id, ordered_at, quantity, unit_price, country
        FROM uci WHERE goes_to = 'order_lines'""",
    "returns": """SELECT order_id || '-' || line_id AS return_id, CAST(NULL AS VARCHAR) AS order_id, product_id, ordered_at AS returned_at,
        CAST(-quantity AS DECIMAL(18,4)) AS quantity, CAST(-quantity * unit_price AS DECIMAL(18,4)) AS refund_amount
        FROM uci WHERE goes_to = 'returns'""",
    "products": f"""SELECT product_id, name FROM (SELECT DISTINCT product_id FROM uci WHERE goes_to IS NOT NULL)
        LEFT JOIN ({_NAMES}) USING (product_id)""",
    "customers": """SELECT customer_id, min(ordered_at) AS first_seen_at, min_by(country, (-n, country)) AS country FROM (
        SELECT customer_id, country, min(ordered_at) AS ordered_at, count(*) AS n FROM uci WHERE customer_id IS NOT NULL
        GROUP BY customer_id, country) GROUP BY customer_id""",
}


TOTALS = {
    "lines": "count(*)",
    "invoices": "count(DISTINCT order_id)",
    "stock codes": "count(DISTINCT raw_code)",
    "customers": "count(DISTINCT customer_id)",
    "countries": "count(DISTINCT country)",
    "lines without customer": "count(*) FILTER (customer_id IS NULL)",
    "cancellation lines": "count(*) FILTER (order_id LIKE 'C%')",
    "lines with negative quantity": "count(*) FILTER (quantity < 0)",
    "lines with price 0 or less": "count(*) FILTER (unit_price <= 0)",
    "repeated identical lines": "count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM uci_typed))",
    "revenue": "CAST(sum(quantity * unit_price) AS DECIMAL(18,4))",
}


def _violations(con: duckdb.DuckDBPyConnection) -> tuple[Violation, ...]:
    names = """SELECT count(*) FILTER (n > 1), count(*), min_by(raw_code, (-n, raw_code)) FROM (
        SELECT raw_code, count(DISTINCT name) AS n FROM uci GROUP BY raw_code)"""
    cases = """SELECT count(*) FILTER (n > 1), count(*), min(code) FILTER (n > 1) FROM (
        SELECT product_id AS code, count(DISTINCT raw_code) AS n FROM uci GROUP BY product_id)"""
    return (
        *finding(
            con,
            names,
            table="products",
            column="name",
            rule="several descriptions: the most frequent is the name, ties by alphabet",
        ),
        *finding(
            con,
            cases,
            table="products",
            column="product_id",
            rule="codes that differ only in case: one product, in capitals",
        ),
    )
