"""Shopify's orders export (Admin, Orders, Export): one row a line item, order fields on the first row of an order.

The export carries no date of a refund, so refunds are booked on the day of the order; it carries no product and no units of
a refund either. Refunds and taxes are of the whole order: what is the goods' share is worked out (`_lines`, `TABLES`). E-mail
addresses become pseudonyms. Whether prices carry tax is told by each order: Total = Subtotal + Shipping (+ Taxes).
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.contracts import CONTRACTS, ColumnKind, Violation
from opslib.errors import SourceError
from opslib.shop.adapters.columns import Texts, cast, typed_query
from opslib.shop.adapters.export import Accounted, Extract, Reading, account, complete, finding, totals
from opslib.shop.adapters.orders import (
    NO_GOODS_RULES,
    charge,
    filled,
    key_pseudonyms,
    most_frequent,
    newest_states,
    pseudonym,
    require_one_currency,
    shared_out,
)
from opslib.shop.adapters.reading import FILE, ROW, load_raw
from opslib.shop.shopfile import ColumnSource
from opslib.shop.sniff import files_in, header_of

NAME, EXPORT, SOURCE = "shopify", "Shopify orders export", "rows of the export"
TITLE, CURRENCY, TIME_ZONE = "Shopify shop", "USD", "UTC"
ENDINGS = (".csv", ".csv.gz")
NEEDED = ("Name", "Financial Status", "Currency", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price")
OPTIONAL = (
    "Id", "Email", "Subtotal", "Shipping", "Taxes", "Total", "Discount Amount", "Refunded Amount", "Cancelled at", "Shipping Country", "Billing Country",
    "Source", "Location", "Vendor", "Lineitem sku", "Lineitem discount", "Lineitem taxable",
)  # fmt: skip
ORDER_FIELDS = (
    "Email", "Financial Status", "Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Amount", "Refunded Amount", "Created at", "Cancelled at",
    "Shipping Country", "Billing Country", "Source", "Location",
)  # fmt: skip
STATUS = {
    "paid": "paid", "partially_paid": "pending", "partially_refunded": "paid", "refunded": "paid", "pending": "pending",
    "authorized": "authorised", "voided": "voided", "expired": "voided",
}  # fmt: skip
RULES = {
    "line item": "every row that names a line item",
    "no line item": "rows that name none (a further payment or fee of the order above)",
    **NO_GOODS_RULES,
}
_EXTRA: dict[str, ColumnKind] = {
    "subtotal": "money",
    "order_tax": "money",
    "shipping": "money",
    "order_total": "money",
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
    key_pseudonyms(reading)
    older, repeated = _newest(reading)
    require_one_currency(con, "shopify_raw", column='"Currency"', currency=reading.currency, export=EXPORT)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE shopify_rows AS SELECT *, coalesce("Lineitem sku", "Lineitem name") AS product,
        {pseudonym('"Email"')} AS customer, coalesce("Shipping Country", "Billing Country") AS country, {charge('"Lineitem name"')} AS charge,
        "Name" || CASE WHEN n_of_name > 1 THEN ' ' || order_key ELSE '' END AS order_name
        FROM ({filled("shopify_raw", order="order_key", columns=ORDER_FIELDS)})
        JOIN (SELECT "Name", count(DISTINCT order_key) AS n_of_name FROM shopify_raw GROUP BY "Name") USING ("Name")"""
    )
    con.execute(
        'CREATE OR REPLACE TEMP TABLE shopify_items AS SELECT * FROM shopify_rows WHERE "Lineitem name" IS NOT NULL'
    )
    _lines(reading)
    con.execute(
        """CREATE OR REPLACE TEMP VIEW shopify_accounted AS
        SELECT CASE WHEN charge IS NULL THEN 'order_lines' END AS goes_to, coalesce(charge, 'line item') AS reason, quantity,
            quantity * unit_price AS amount, order_id || ' ' || product_id AS example
        FROM shopify_sold UNION ALL
        SELECT NULL, 'no line item', NULL, NULL, "Name" FROM shopify_rows WHERE "Lineitem name" IS NULL"""
    )
    accounting = account(
        con,
        "shopify_accounted",
        source=SOURCE,
        rules=RULES,
        units="quantity",
        amount="amount",
        example="example",
    )
    return Extract(
        tables=TABLES,
        accounting=(*accounting, *older),
        raw_totals=totals(con, "shopify_lines", TOTALS),
        violations=(*repeated, *_violations(con)),
    )


def _newest(reading: Reading) -> tuple[tuple[Accounted, ...], tuple[Violation, ...]]:
    """Give each row the key of its order, and leave each order in its newest state.

    The key is the name and the ``Id``, which stands on an order's first row; in exports without it, name and minute.
    """
    con = reading.con
    at = cast(
        con,
        '"Created at"',
        kind="timestamp",
        texts=Texts.of(reading, "shopify_raw"),
        column="order_lines.ordered_at",
    )
    above = f'OVER (PARTITION BY {FILE}, "Name" ORDER BY {ROW})'
    within = above.replace(")", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)")

    def on_every_row(value: str) -> str:
        return f"coalesce(last_value({value} IGNORE NULLS) {above}, first_value({value} IGNORE NULLS) {within})"

    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE shopify_keyed AS SELECT *, "Name" || ' ' || coalesce(row_id, strftime(made_at, '%Y-%m-%d %H:%M'), '')
        AS order_key FROM (SELECT *, {on_every_row('"Id"')} AS row_id, {on_every_row(at)} AS made_at FROM shopify_raw)"""
    )
    mixed = con.sql(
        f"""SELECT "Name", max({FILE}) FILTER (row_id IS NULL) FROM shopify_keyed GROUP BY "Name"
        HAVING count(row_id) BETWEEN 1 AND count(*) - 1 ORDER BY 1 LIMIT 1"""
    ).fetchone()
    if mixed:
        raise SourceError(
            f"{mixed[1]}: order {mixed[0]} has no Id here and one in another file, so that nobody can tell whether they are the same; "
            "export the orders of that file again, with all columns"
        )
    con.execute("DROP TABLE shopify_raw")
    con.execute("ALTER TABLE shopify_keyed RENAME TO shopify_raw")
    return newest_states(con, "shopify_raw", order="order_key", at="made_at", source=SOURCE)


def _lines(reading: Reading) -> None:
    """Typed lines with each order's discount and tax shared out.

    A tax within prices is that of the goods and of shipping, in proportion; one on top is taken as the goods'. Lines that are
    not taxable bear none.
    """
    con, said = reading.con, reading.prices_include_tax
    ours = {
        "order_id": "order_name", "product_id": "product", "customer_id": "customer", "ordered_at": "Created at", "quantity": "Lineitem quantity",
        "unit_price": "Lineitem price", "discount_amount": "Lineitem discount", "country": "country", "channel": "Source", "store": "Location",
        "name": "Lineitem name", "brand": "Vendor", "subtotal": "Subtotal", "order_tax": "Taxes", "order_discount": "Discount Amount",
        "refunded": "Refunded Amount", "cancelled_at": "Cancelled at", "shipping": "Shipping", "order_total": "Total", "charge": "charge",
        "taxable": "Lineitem taxable",
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
        f"""CREATE OR REPLACE TEMP TABLE shopify_taxed AS
        WITH typed AS (SELECT * REPLACE (abs(coalesce(discount_amount, 0)) AS discount_amount, CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled'
                ELSE status END AS status, coalesce(order_tax, 0) AS order_tax, coalesce(shipping, 0) AS shipping),
                quantity * unit_price - abs(coalesce(discount_amount, 0)) AS value,
                CASE WHEN charge IS NULL THEN quantity * unit_price - abs(coalesce(discount_amount, 0)) ELSE 0 END AS goods_value FROM ({typed})),
        totals AS (SELECT *, sum(value) OVER (PARTITION BY order_id) AS order_value FROM typed),
        discounted AS (SELECT *, greatest(coalesce(order_value - subtotal, order_discount, 0), 0) AS to_share FROM totals)
        SELECT * REPLACE (CAST(discount_amount + {shared_out("to_share", "goods_value", order="order_id", line="line_id")} AS DECIMAL(18,4)) AS discount_amount),
            CASE WHEN order_tax = 0 THEN NULL WHEN abs(order_total - subtotal - shipping) < 0.005 THEN true
                WHEN abs(order_total - subtotal - shipping - order_tax) < 0.005 THEN false END AS tells
        FROM discounted"""
    )
    n_within, n_on_top = con.sql(
        "SELECT count(DISTINCT order_id) FILTER (tells), count(DISTINCT order_id) FILTER (NOT tells) FROM shopify_taxed"
    ).fetchone() or (0, 0)
    if said is not None and (n_on_top and not n_within if said else n_within and not n_on_top):
        told = "without tax (Total = Subtotal + Shipping + Taxes)" if said else "with tax (Total = Subtotal + Shipping)"
        raise SourceError(
            f"{EXPORT}: prices are {told} in {n_within + n_on_top:,} of {n_within + n_on_top:,} taxed orders, and shop.yml says "
            f"prices_include_tax: {str(said).lower()}; write prices_include_tax: {str(not said).lower()}, or leave the line out"
        )
    mostly = "true" if (said if said is not None else n_within > n_on_top) else "false"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE shopify_sold AS
        WITH weighed AS (SELECT *, coalesce(tells, {mostly}) AS is_within, CASE WHEN lower(taxable) IN ('false', 'no', '0') THEN 0
                ELSE CAST(quantity * unit_price - discount_amount AS DECIMAL(18,4)) END AS weight FROM shopify_taxed),
        goods AS (SELECT *, sum(weight) OVER (PARTITION BY order_id) AS taxed FROM weighed),
        rated AS (SELECT *, CASE WHEN is_within AND taxed + shipping > 0 THEN CAST(order_tax * taxed / (taxed + shipping) AS DECIMAL(18,4))
                ELSE order_tax END AS goods_tax FROM goods),
        shared AS (SELECT *, {shared_out("goods_tax", "weight", order="order_id", line="line_id")} AS tax_amount FROM rated)
        SELECT *, CAST(quantity * unit_price - discount_amount - CASE WHEN is_within THEN tax_amount ELSE 0 END AS DECIMAL(18,4)) AS revenue_amount
        FROM shared"""
    )
    con.execute("CREATE OR REPLACE TEMP VIEW shopify_lines AS SELECT * FROM shopify_sold WHERE charge IS NULL")


TABLES = {
    "order_lines": """SELECT order_id, lpad(CAST(row_number() OVER (PARTITION BY order_id ORDER BY line_id) AS VARCHAR), 4, '0') AS line_id,
        customer_id, product_id, ordered_at, quantity, unit_price, discount_amount, tax_amount, status, store, country, channel, revenue_amount
        FROM shopify_lines""",
    # The goods' share of a refund without tax: all of it if the whole order was paid back, else goods and their tax first.
    "returns": """WITH orders AS (SELECT order_id, CASE WHEN count(DISTINCT product_id) = 1 THEN min(product_id) END AS product_id,
            min(ordered_at) AS returned_at, abs(min(refunded)) AS refunded, min(order_total) AS order_total, sum(revenue_amount) AS goods,
            sum(revenue_amount + tax_amount) AS with_tax FROM shopify_lines WHERE refunded <> 0 AND status = 'paid' GROUP BY order_id)
        SELECT order_id || '-refund' AS return_id, order_id, product_id, returned_at, CAST(NULL AS DECIMAL(18,4)) AS quantity,
            CAST(CASE WHEN refunded >= coalesce(order_total, with_tax) - 0.005 OR refunded >= with_tax THEN goods
                ELSE refunded * goods / with_tax END AS DECIMAL(18,4)) AS refund_amount
        FROM orders WHERE with_tax > 0""",
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
    refunds = """SELECT count(DISTINCT order_id) FILTER (refunded <> 0), count(DISTINCT order_id), min(order_id) FILTER (refunded <> 0) FROM shopify_lines"""
    names = """SELECT count(*), (SELECT count(DISTINCT order_name) FROM shopify_rows), min(order_name) FROM (SELECT DISTINCT order_name FROM shopify_rows
        WHERE n_of_name > 1)"""
    no_sku = """SELECT count(*) FILTER ("Lineitem sku" IS NULL), count(*), min("Lineitem name") FILTER ("Lineitem sku" IS NULL) FROM shopify_items"""
    return (
        *finding(con, refunds, table="returns", column="returned_at", rule="the export has no date of refunds: booked on the day of the order", severity="warning"),
        *finding(con, refunds, table="returns", column="refund_amount", rule="refunds are of the whole order: counted as its goods and their tax first, shipping last"),
        *finding(con, names, table="order_lines", column="order_id", rule="several orders of one name: kept apart by Id or time"),
        *finding(con, no_sku, table="order_lines", column="product_id", rule="no SKU: the line item's name stands for it"),
    )  # fmt: skip
