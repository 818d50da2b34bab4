"""Online Retail twice over: the raw files for plain SQL, and its paid lines as a table under contract."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import duckdb
import ibis
import ibis.expr.types as ir

from opslib.periods import Coverage
from tests.conftest import real_data

#: Paid lines of the raw files, in the words of the files: no cancellation, something sold at a price.
RAW = "select * from raw where InvoiceNo not like 'C%' and Quantity > 0 and UnitPrice > 0"
_COLUMNS = {
    "InvoiceNo": "VARCHAR", "StockCode": "VARCHAR", "Description": "VARCHAR", "Quantity": "BIGINT",
    "InvoiceDate": "TIMESTAMP", "UnitPrice": "DECIMAL(18,4)", "CustomerID": "VARCHAR", "Country": "VARCHAR",
}  # fmt: skip
SEEN = Coverage(date(2010, 12, 1), date(2011, 12, 9))


@lru_cache(maxsize=1)
def _connection() -> ibis.BaseBackend:
    files = real_data("online_retail") / "*.csv"
    con = ibis.duckdb.connect()
    con.raw_sql(
        f"create table raw as select * replace (try_cast(CustomerID as double)::bigint as CustomerID) "
        f"from read_csv('{files}', header=true, auto_detect=false, quote='\"', columns={_COLUMNS})"
    )
    con.raw_sql(
        "create table order_lines as select InvoiceNo as order_id, row_number() over () as line_id, "
        "CustomerID::varchar as customer_id, StockCode as product_id, InvoiceDate as ordered_at, "
        "Quantity::decimal(18,4) as quantity, UnitPrice as unit_price, Country as country, "
        "case when InvoiceNo like 'C%' then 'cancelled' when Quantity > 0 and UnitPrice > 0 then 'paid' else 'voided' end as status from raw"
    )
    return con


def raw() -> duckdb.DuckDBPyConnection:
    """Connection with the table ``raw``: the files as they are."""
    return _connection().con


def lines() -> ir.Table:
    """All lines under contract, with the status that their invoice number, quantity and price say."""
    return _connection().table("order_lines")
