"""Matomo's visits, as ``Live.getLastVisitsDetails`` returns them in JSON: one visit with its actions.

An order's discount is shared among its lines in proportion to their value; abandoned carts are no orders. An order without its
items is one of a product that is not known, for its subtotal.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.shop.adapters.export import Extract, Reading, account, complete, quote, totals
from opslib.shop.adapters.orders import most_frequent, real_id, require_one_currency, shared_out
from opslib.shop.adapters.reading import ROW, load_raw
from opslib.shop.shopfile import NOT_KNOWN
from opslib.shop.sniff import files_in, first_object

NAME, EXPORT = "matomo", "Matomo visits export"
TITLE, CURRENCY, TIME_ZONE = "Matomo", "EUR", "UTC"
NEEDED = ("idVisit", "visitorId", "serverTimestamp", "actionDetails")
OPTIONAL = (
    "userId",
    "referrerType",
    "referrerName",
    "referrerKeyword",
    "deviceType",
    "countryCode",
    "siteCurrency",
    "firstActionTimestamp",
)
ENDINGS = (".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz")
RULES = {
    "page": "action: a page view, or a product view where the action names a SKU",
    "search": "search on the site",
    "order": "ecommerceOrder: an order",
    "abandoned cart": "ecommerceAbandonedCart: no order",
    "other action": "downloads, outlinks, goals, custom events",
}
_ITEM = '{"itemSKU":"VARCHAR","itemName":"VARCHAR","itemCategory":"VARCHAR","price":"DOUBLE","quantity":"DOUBLE"}'
_ACTION = (
    '[{"type":"VARCHAR","url":"VARCHAR","pageTitle":"VARCHAR","timestamp":"DOUBLE","siteSearchKeyword":"VARCHAR","siteSearchCount":"VARCHAR",'
    '"productViewSku":"VARCHAR","productViewName":"VARCHAR","orderId":"VARCHAR","revenue":"DOUBLE","revenueSubTotal":"DOUBLE",'
    f'"revenueTax":"DOUBLE","revenueShipping":"DOUBLE","revenueDiscount":"DOUBLE","itemDetails":[{_ITEM}]}}]'
)


def detect(path: Path) -> bool:
    """Whether the first file holds visits."""
    files = files_in(path, ENDINGS)
    return bool(files) and {"idVisit", "actionDetails"} <= set(first_object(files[0]))


def find_files(path: Path) -> list[Path]:
    """All JSON files of a folder, or the file itself."""
    return files_in(path, ENDINGS)


def read(reading: Reading) -> Extract:
    """Sessions, events, order lines, products and searches."""
    con = reading.con
    found = load_raw(reading, reading.files, name="matomo_raw")
    complete(reading, "matomo_raw", found, needed=NEEDED, optional=OPTIONAL, export=EXPORT)
    require_one_currency(con, "matomo_raw", column='"siteCurrency"', currency=reading.currency, export=EXPORT)
    _open(con)
    accounting = account(con, "matomo", source="actions", rules=RULES, amount="CASE WHEN reason = 'order' THEN CAST(action.revenue AS DECIMAL(18,4)) END",
                         example="action.type || ' ' || coalesce(action.url, action.orderId, '')")  # fmt: skip
    return Extract(tables=TABLES, accounting=accounting, raw_totals=totals(con, "matomo", TOTALS))


def _open(con: duckdb.DuckDBPyConnection) -> None:
    """Actions and ordered items as rows."""
    path = "coalesce(nullif(regexp_replace(regexp_replace(action.url, '^[a-z]+://[^/]+', ''), '[?#].*$', ''), ''), '/')"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE matomo AS
        WITH opened AS (SELECT *, from_json("actionDetails", {quote(_ACTION)}) AS actions FROM matomo_raw),
        rows AS (SELECT "idVisit" AS session_id, "visitorId" AS visitor_id, {ROW} AS row_number, action, place,
            make_timestamp(CAST(1000000 * coalesce(action.timestamp, CAST("serverTimestamp" AS DOUBLE)) AS BIGINT)) AS occurred_at
            FROM opened, unnest(actions) WITH ORDINALITY AS u(action, place)),
        reasoned AS (SELECT *, CASE action.type WHEN 'action' THEN 'page' WHEN 'search' THEN 'search' WHEN 'ecommerceOrder' THEN 'order'
            WHEN 'ecommerceAbandonedCart' THEN 'abandoned cart' ELSE 'other action' END AS reason FROM rows)
        SELECT *, CASE WHEN reason IN ('page', 'search', 'order') THEN 'events' END AS goes_to,
            CASE reason WHEN 'search' THEN 'search' WHEN 'order' THEN 'purchase' ELSE CASE WHEN action.productViewSku IS NOT NULL
                THEN 'view_item' ELSE 'page_view' END END AS event_name,
            CASE WHEN action.url IS NOT NULL THEN {path} END AS page,
            CASE WHEN reason = 'order' THEN {real_id("action.orderId")} END AS named,
            row_number() OVER (PARTITION BY session_id, reason IN ('page', 'search', 'order') ORDER BY occurred_at, place) - 1 AS event_index,
            CASE WHEN reason = 'order' THEN coalesce(named, session_id || '-' || event_index) END AS order_id
        FROM reasoned"""
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE matomo_items AS
        WITH orders AS (SELECT session_id, visitor_id, occurred_at, event_index, action, place AS action_place, order_id,
            action.itemDetails AS sold FROM matomo WHERE reason = 'order'),
        items AS (SELECT orders.* EXCLUDE (sold), item, CAST(item_place AS BIGINT) AS item_place, CAST(item.price AS DECIMAL(18,4)) AS unit_price,
                CAST(coalesce(item.quantity, 1) AS DECIMAL(18,4)) AS quantity, {real_id("item.itemSKU")} AS sku
            FROM orders, unnest(sold) WITH ORDINALITY AS u(item, item_place)
            UNION ALL BY NAME SELECT * EXCLUDE (sold), 1 AS item_place, 1 AS quantity, {quote(NOT_KNOWN)} AS sku,
                CAST(coalesce(action.revenueSubTotal, action.revenue - coalesce(action.revenueShipping, 0), 0)
                    + coalesce(action.revenueDiscount, 0) AS DECIMAL(18,4)) AS unit_price
            FROM orders WHERE coalesce(len(sold), 0) = 0),
        valued AS (SELECT *, CAST(quantity * unit_price AS DECIMAL(18,4)) AS value, CAST(coalesce(action.revenueDiscount, 0) AS DECIMAL(18,4)) AS off,
            CAST(coalesce(action.revenueTax, 0) AS DECIMAL(18,4)) AS tax, coalesce(sku, {real_id("item.itemName")}, {quote(NOT_KNOWN)}) AS product_id FROM items)
        SELECT *, {shared_out("off", "value", order="order_id", line="item_place")} AS discount_amount,
            {shared_out("tax", "value", order="order_id", line="item_place")} AS tax_amount, item.itemName AS name, item.itemCategory AS category
        FROM valued"""
    )


TABLES = {
    "order_lines": f"""SELECT order_id, lpad(CAST(item_place AS VARCHAR), 4, '0') AS line_id, {real_id('"userId"')} AS customer_id, product_id,
        occurred_at AS ordered_at, quantity, unit_price, discount_amount, tax_amount, upper("countryCode") AS country, lower("deviceType") AS device,
        session_id FROM matomo_items JOIN matomo_raw ON session_id = "idVisit" """,
    "products": f"""SELECT product_id, name, category FROM (SELECT DISTINCT product_id FROM matomo_items)
        LEFT JOIN ({most_frequent("matomo_items", key="product_id", value="name")}) USING (product_id)
        LEFT JOIN ({most_frequent("matomo_items", key="product_id", value="category")}) USING (product_id)""",
    "sessions": f"""SELECT "idVisit" AS session_id, "visitorId" AS visitor_id, {real_id('"userId"')} AS customer_id,
        make_timestamp(CAST(1000000 * CAST(coalesce("firstActionTimestamp", "serverTimestamp") AS DOUBLE) AS BIGINT)) AS started_at,
        CASE "referrerType" WHEN 'direct' THEN '(direct)' ELSE "referrerName" END AS source,
        CASE "referrerType" WHEN 'direct' THEN '(none)' WHEN 'search' THEN 'organic' WHEN 'website' THEN 'referral' ELSE "referrerType" END AS medium,
        CASE WHEN "referrerType" = 'campaign' THEN "referrerName" END AS campaign, lower("deviceType") AS device, upper("countryCode") AS country,
        landing_page FROM matomo_raw LEFT JOIN (SELECT session_id, min_by(page, (occurred_at, place)) AS landing_page FROM matomo
        WHERE page IS NOT NULL GROUP BY session_id) ON session_id = "idVisit" """,
    "events": """SELECT session_id, event_index, visitor_id, occurred_at, event_name, page,
        CASE WHEN page IS NOT NULL THEN coalesce(nullif(split_part(page, '/', 2), ''), 'home') END AS section,
        action.productViewSku AS product_id, order_id, CAST(action.revenue AS DECIMAL(18,4)) AS value FROM matomo WHERE goes_to = 'events'""",
    "searches": """SELECT session_id || '-' || event_index AS search_id, session_id, occurred_at AS searched_at, action.siteSearchKeyword AS query,
        TRY_CAST(action.siteSearchCount AS BIGINT) AS n_results FROM matomo WHERE reason = 'search' AND action.siteSearchKeyword IS NOT NULL""",
}


TOTALS = {
    "visits": "(SELECT count(*) FROM matomo_raw)",
    "actions": "count(*)",
    "orders": "count(*) FILTER (reason = 'order')",
    "order value": "coalesce(sum(CAST(action.revenue AS DECIMAL(18,4))) FILTER (reason = 'order'), 0)",
}
