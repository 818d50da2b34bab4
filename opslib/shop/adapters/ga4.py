"""Google Analytics 4 as exported to BigQuery (``events_*``), saved as Parquet or NDJSON: nested parameters and items are flattened here.

Visits are ``user_pseudo_id`` and the ``ga_session_id`` parameter; of a purchase sent twice the first counts. Items without a
price take their part of ``purchase_revenue``, and a purchase without items is one of a product that is not known.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.contracts import EVENT_NAMES, Violation
from opslib.shop.adapters.export import Extract, Reading, account, complete, finding, quote, totals
from opslib.shop.adapters.orders import real_id, require_one_currency, shared_out
from opslib.shop.adapters.reading import ROW, load_raw
from opslib.shop.shopfile import NOT_KNOWN
from opslib.shop.sniff import files_in, first_object, header_of

NAME, EXPORT = "ga4", "GA4 BigQuery export"
TITLE, CURRENCY, TIME_ZONE = "Google Analytics 4", "USD", "UTC"
NEEDED = ("event_timestamp", "event_name", "user_pseudo_id", "event_params")
OPTIONAL = ("user_id", "device", "geo", "traffic_source", "collected_traffic_source", "ecommerce", "items")
ENDINGS = (".parquet", ".ndjson", ".jsonl", ".json", ".ndjson.gz", ".jsonl.gz", ".json.gz")
RENAMED = {"view_search_results": "search"}
RULES = {
    "shop event": f"event names of the contract ({', '.join(EVENT_NAMES[:4])} ...); view_search_results counts as search",
    "repeated purchase": "a purchase whose transaction_id came before",
    "other event": "names outside the contract (session_start, scroll, user_engagement ...)",
    "order without visit": "purchases without ga_session_id (consent refused): an order of no visit",
    "no visit": "other events without ga_session_id (consent refused): belong to no visit",
}
_VALUE = '{"string_value":"VARCHAR","int_value":"VARCHAR","float_value":"VARCHAR","double_value":"VARCHAR"}'
_PARAMS = f'[{{"key":"VARCHAR","value":{_VALUE}}}]'
_ITEMS = '[{"item_id":"VARCHAR","item_name":"VARCHAR","item_brand":"VARCHAR","item_category":"VARCHAR","price":"DOUBLE","quantity":"DOUBLE","discount":"DOUBLE",'
_ITEMS += '"item_revenue":"DOUBLE","item_refund":"DOUBLE"}]'


def detect(path: Path) -> bool:
    """Whether the first file has the export's columns."""
    files = files_in(path, ENDINGS)
    if not files:
        return False
    names = header_of(files[0]) if files[0].suffix == ".parquet" else list(first_object(files[0]))
    return {"event_timestamp", "event_name", "event_params"} <= set(names)


def find_files(path: Path) -> list[Path]:
    """All daily files of a folder, or the file itself."""
    return files_in(path, ENDINGS)


def _param(key: str) -> str:
    value = f"list_filter(params, lambda p: p.key = {quote(key)})[1].value"
    return f"coalesce({value}.string_value, {value}.int_value, {value}.double_value, {value}.float_value)"


def read(reading: Reading) -> Extract:
    """Sessions, events, order lines, products and searches."""
    con = reading.con
    found = load_raw(reading, reading.files, name="ga4_raw")
    complete(reading, "ga4_raw", found, needed=NEEDED, optional=OPTIONAL, export=EXPORT)
    reading.progress("flattening events", 0.4)
    _flatten(con)
    require_one_currency(con, "(SELECT currency FROM ga4_flat WHERE event_name = 'purchase')", column="currency", currency=reading.currency,
                         export=EXPORT)  # fmt: skip
    _classify(con)
    _order(con)
    accounting = account(con, "ga4", source="events", rules=RULES, amount="CASE WHEN event_name = 'purchase' THEN value END",
                         example="event_name || ' ' || occurred_at")  # fmt: skip
    has_refunds = con.sql("SELECT 1 FROM ga4_lines WHERE event_name = 'refund' LIMIT 1").fetchone()
    tables = TABLES | ({"returns": RETURNS} if has_refunds else {})
    return Extract(
        tables=tables, accounting=accounting, raw_totals=totals(con, "ga4", TOTALS), violations=_violations(con)
    )


def _flatten(con: duckdb.DuckDBPyConnection) -> None:
    """One row an event, its parameters as columns."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE ga4_flat AS
        WITH opened AS (SELECT *, from_json(event_params, {quote(_PARAMS)}) AS params, from_json(items, {quote(_ITEMS)}) AS sold FROM ga4_raw)
        SELECT {ROW} AS row_number, make_timestamp(CAST(event_timestamp AS BIGINT)) AS occurred_at, event_name, user_pseudo_id AS visitor_id,
            {real_id("user_id")} AS customer_id, {_param("ga_session_id")} AS visit, {_param("page_location")} AS address, {_param("search_term")} AS term,
            {_param("content_group")} AS content_group, {_param("currency")} AS currency,
            CAST(TRY_CAST(coalesce({_param("value")}, json_extract_string(ecommerce, '$.purchase_revenue')) AS DOUBLE) AS DECIMAL(18,4)) AS value,
            {_number("purchase_revenue")} AS purchase_revenue, {_number("refund_value")} AS refund_value,
            coalesce({real_id(_param("transaction_id"))}, {real_id("json_extract_string(ecommerce, '$.transaction_id')")}) AS order_id,
            coalesce({_param("source")}, json_extract_string(collected_traffic_source, '$.manual_source'), json_extract_string(traffic_source, '$.source')) AS source,
            coalesce({_param("medium")}, json_extract_string(collected_traffic_source, '$.manual_medium'), json_extract_string(traffic_source, '$.medium')) AS medium,
            coalesce({_param("campaign")}, json_extract_string(collected_traffic_source, '$.manual_campaign_name'), json_extract_string(traffic_source, '$.name')) AS campaign,
            json_extract_string(device, '$.category') AS device, json_extract_string(geo, '$.country') AS country, sold
        FROM opened"""
    )


def _number(name: str) -> str:
    return f"CAST(TRY_CAST(json_extract_string(ecommerce, '$.{name}') AS DOUBLE) AS DECIMAL(18,4))"


def _order(con: duckdb.DuckDBPyConnection) -> None:
    """Lines of purchases and of refunds: an item's own money, else its part of what the event says and its items do not.

    A refund that says nothing is of the whole purchase.
    """
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE ga4_lines AS
        WITH asked AS (SELECT * REPLACE (coalesce(order_id, session_id || '-' || event_index, 'row ' || row_number) AS order_id),
                CASE event_name WHEN 'purchase' THEN coalesce(purchase_revenue, value) ELSE coalesce(refund_value, value) END AS told,
                row_number AS event_row, coalesce(len(sold), 0) AS n_items
            FROM ga4 WHERE (goes_to IS NOT NULL AND event_name = 'purchase') OR event_name = 'refund'),
        opened AS (SELECT asked.* EXCLUDE (sold), item, CAST(place AS BIGINT) AS place FROM asked, unnest(sold) WITH ORDINALITY AS u(item, place)
            UNION ALL BY NAME SELECT * EXCLUDE (sold), 1 AS place FROM asked WHERE n_items = 0),
        amounts AS (SELECT *, CASE WHEN n_items > 0 THEN CAST(coalesce(item.quantity, 1) AS DECIMAL(18,4)) WHEN event_name = 'purchase' THEN 1 END AS quantity,
                CASE WHEN n_items = 0 THEN NULL WHEN event_name = 'refund' THEN coalesce(item.item_refund, item.price * coalesce(item.quantity, 1))
                    ELSE coalesce(item.price * coalesce(item.quantity, 1), item.item_revenue) END AS own FROM opened),
        rest AS (SELECT *, greatest(told - coalesce(sum(CAST(own AS DECIMAL(18,4))) OVER one, 0), 0) AS to_share,
                CASE WHEN own IS NULL THEN coalesce(quantity, 1) ELSE 0 END AS weight FROM amounts WINDOW one AS (PARTITION BY event_row))
        SELECT *, CAST(CASE WHEN own IS NULL THEN {shared_out("to_share", "weight", order="event_row", line="place")} ELSE own END AS DECIMAL(18,4))
            AS amount, coalesce({real_id("item.item_id")}, {real_id("item.item_name")}, {quote(NOT_KNOWN)}) AS product,
            CAST(coalesce(item.discount, 0) AS DECIMAL(18,4)) AS off
        FROM rest"""
    )


def _classify(con: duckdb.DuckDBPyConnection) -> None:
    renamed = " ".join(f"WHEN {quote(theirs)} THEN {quote(ours)}" for theirs, ours in RENAMED.items())
    known = ", ".join(quote(name) for name in (*EVENT_NAMES, *RENAMED))
    path = "coalesce(nullif(regexp_replace(regexp_replace(address, '^[a-z]+://[^/]+', ''), '[?#].*$', ''), ''), '/')"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE ga4 AS
        WITH numbered AS (SELECT *, CASE WHEN event_name = 'purchase' AND order_id IS NOT NULL THEN row_number() OVER (
                PARTITION BY event_name, order_id ORDER BY occurred_at, row_number) ELSE 1 END AS time_sent FROM ga4_flat),
        reasoned AS (SELECT * REPLACE (CASE event_name {renamed} ELSE event_name END AS event_name), event_name AS raw_name,
            CASE WHEN address IS NOT NULL THEN {path} END AS page, visitor_id || '.' || visit AS session_id,
            CASE WHEN event_name NOT IN ({known}) THEN 'other event' WHEN time_sent > 1 THEN 'repeated purchase'
                WHEN visit IS NULL OR visitor_id IS NULL THEN CASE WHEN event_name = 'purchase' THEN 'order without visit' ELSE 'no visit' END
                ELSE 'shop event' END AS reason FROM numbered)
        SELECT *, CASE reason WHEN 'shop event' THEN 'events' WHEN 'order without visit' THEN 'order_lines' END AS goes_to, CASE WHEN len(sold) = 1 THEN sold[1].item_id END AS product_id,
            CASE WHEN page IS NOT NULL THEN coalesce(content_group, nullif(split_part(page, '/', 2), ''), 'home') END AS section,
            row_number() OVER (PARTITION BY session_id, reason ORDER BY occurred_at, row_number) - 1 AS event_index
        FROM reasoned"""
    )
    con.execute(
        """CREATE OR REPLACE TEMP TABLE ga4_items AS SELECT g.* EXCLUDE (sold), item, CAST(place AS BIGINT) AS place FROM ga4 AS g,
        unnest(sold) WITH ORDINALITY AS u(item, place)"""
    )


_BY_TIME = "ORDER BY occurred_at, row_number"
TABLES = {
    "order_lines": """SELECT order_id, lpad(CAST(place AS VARCHAR), 4, '0') AS line_id, customer_id, product AS product_id,
        occurred_at AS ordered_at, quantity, CAST(CASE WHEN quantity = 0 THEN amount ELSE amount / quantity END + off AS DECIMAL(18,4)) AS unit_price,
        CAST(off * quantity AS DECIMAL(18,4)) AS discount_amount, country, device, session_id FROM ga4_lines WHERE event_name = 'purchase'""",
    "products": f"""SELECT product_id, min_by(item.item_name, (occurred_at, row_number, place)) AS name, min_by(item.item_category, (occurred_at, row_number, place)) AS category,
        min_by(item.item_brand, (occurred_at, row_number, place)) AS brand FROM (SELECT * EXCLUDE (product_id),
        coalesce({real_id("item.item_id")}, {real_id("item.item_name")}) AS product_id FROM ga4_items) WHERE product_id IS NOT NULL GROUP BY product_id
        UNION ALL SELECT DISTINCT {quote(NOT_KNOWN)}, NULL, NULL, NULL FROM ga4_lines WHERE product = {quote(NOT_KNOWN)}""",
    "sessions": f"""SELECT session_id, min(visitor_id) AS visitor_id, max(customer_id) AS customer_id, min(occurred_at) AS started_at,
        first(source {_BY_TIME}) FILTER (source IS NOT NULL) AS source, first(medium {_BY_TIME}) FILTER (medium IS NOT NULL) AS medium,
        first(campaign {_BY_TIME}) FILTER (campaign IS NOT NULL) AS campaign, first(device {_BY_TIME}) AS device,
        first(country {_BY_TIME}) AS country, first(page {_BY_TIME}) FILTER (page IS NOT NULL) AS landing_page
        FROM ga4 WHERE session_id IS NOT NULL GROUP BY session_id""",
    "events": """SELECT session_id, event_index, visitor_id, occurred_at, event_name, page, section, product_id, order_id, value
        FROM ga4 WHERE goes_to = 'events'""",
    "searches": """SELECT session_id || '-' || event_index AS search_id, session_id, occurred_at AS searched_at, term AS query
        FROM ga4 WHERE goes_to = 'events' AND event_name = 'search' AND term IS NOT NULL""",
}


#: Only of an export that has refunds: many sites never send them, and none would then look like 0.
RETURNS = f"""WITH paid AS (SELECT order_id, sum(amount) AS paid FROM ga4_lines WHERE event_name = 'purchase' GROUP BY order_id)
    SELECT r.order_id || '-' || event_row || '-' || place AS return_id, paid.order_id, nullif(product, {quote(NOT_KNOWN)}) AS product_id,
        occurred_at AS returned_at, quantity, CASE WHEN n_items = 0 AND told IS NULL THEN paid ELSE amount END AS refund_amount
    FROM ga4_lines AS r LEFT JOIN paid ON paid.order_id = r.order_id WHERE event_name = 'refund'"""


TOTALS = {
    "events": "count(*)",
    "visits": "count(DISTINCT session_id)",
    "visitors": "count(DISTINCT visitor_id)",
    "purchase events": "count(*) FILTER (event_name = 'purchase')",
    "purchase value": "coalesce(sum(value) FILTER (event_name = 'purchase'), 0)",
}


def _violations(con: duckdb.DuckDBPyConnection) -> tuple[Violation, ...]:
    twice = "SELECT count(*) FILTER (time_sent > 1), count(*), min(order_id) FILTER (time_sent > 1) FROM ga4 WHERE event_name = 'purchase'"
    unnamed = """SELECT count(*) FILTER (order_id IS NULL), count(*), min(session_id) FILTER (order_id IS NULL) FROM ga4
        WHERE goes_to = 'events' AND event_name = 'purchase'"""
    sums = """SELECT order_id, any_value(purchase_revenue) AS told, sum(amount) AS made, max(n_items) AS n_items FROM ga4_lines
        WHERE event_name = 'purchase' GROUP BY order_id"""
    apart = f"""SELECT count(*) FILTER (is_off), count(*), min(order_id || ': items ' || made || ', purchase_revenue ' || told) FILTER (is_off)
        FROM (SELECT *, abs(told - made) > 0.01 AS is_off FROM ({sums}))"""
    empty = f"SELECT count(*) FILTER (n_items = 0), count(*), min(order_id) FILTER (n_items = 0) FROM ({sums})"
    return (
        *finding(con, twice, table="events", column="order_id", rule="purchases sent twice: the first counts", severity="warning"),
        *finding(con, apart, table="order_lines", column="revenue_amount", rule="items do not add up to purchase_revenue: the items count", severity="warning"),
        *finding(con, empty, table="order_lines", column="product_id", rule="purchases without items: purchase_revenue counts", severity="warning"),
        *finding(con, unnamed, table="events", column="order_id", rule="purchases without transaction_id: each counts as an order", severity="warning"),
    )  # fmt: skip
