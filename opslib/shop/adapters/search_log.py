"""A search log in the user-behaviour-insights layout (Chorus): NDJSON pairs of an index line and a document.

Documents are queries or events. Times come as ISO with Z, with +0000, and as epoch milliseconds; all are UTC.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from opslib.contracts import Violation
from opslib.errors import SourceError
from opslib.shop.adapters.columns import Texts, cast
from opslib.shop.adapters.export import Extract, Reading, account, complete, finding, quote, totals
from opslib.shop.adapters.reading import ROW, load_raw
from opslib.shop.sniff import files_in, first_line

NAME = "search_log"
TITLE, CURRENCY, TIME_ZONE = "Search log", "USD", "UTC"
ENDINGS = (".ndjson", ".ndjson.gz")
NEEDED = ("query_id", "client_id", "user_query", "timestamp", "action_name", "event_attributes")
OPTIONAL = ("session_id", "query_response_hit_ids", "index")
EVENTS = {
    "impression": "view_item_list", "view_search_results": "view_item_list", "search": "search", "on_search": "search", "click": "select_item",
    "item_click": "select_item", "add_to_cart": "add_to_cart", "purchase": "purchase",
}  # fmt: skip
RULES = {
    "query": "documents without action_name, the first of each query_id and text: what was typed",
    "empty search": "documents without action_name and without text: the search page was opened",
    "same search": "further documents of the same query_id and text: one search asks for its list, its facets and its count apart",
    "shop event": "impressions, searches, clicks on an item, carts and purchases",
    "other event": "filters, sorting, hovering, errors, clicks elsewhere: no shop event",
}


def detect(path: Path) -> bool:
    """Whether the first NDJSON file starts with an index line of a query or event store."""
    files = files_in(path, ENDINGS)
    return bool(files) and '"_index"' in first_line(files[0]) and "ubi_" in first_line(files[0])


def find_files(path: Path) -> list[Path]:
    """All NDJSON files of a folder, or the file itself."""
    return files_in(path, ENDINGS)


def read(reading: Reading) -> Extract:
    """Searches, events and sessions."""
    con = reading.con
    found = load_raw(reading, reading.files, name="ubi_raw")
    complete(reading, "ubi_raw", found, needed=NEEDED, optional=OPTIONAL, export="search log")
    texts = Texts(raw="ubi_raw", time_zone="UTC")
    iso = cast(con, '"timestamp"', kind="timestamp", texts=texts, date_format="iso")
    epoch = cast(con, '"timestamp"', kind="timestamp", texts=texts, date_format="epoch_ms")
    names = " ".join(f"WHEN {quote(theirs)} THEN {quote(ours)}" for theirs, ours in EVENTS.items())
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE ubi AS
        WITH documents AS (SELECT * EXCLUDE (session_id, "index"), {ROW} AS row_number, coalesce({iso}, {epoch}) AS occurred_at,
            coalesce(session_id, json_extract_string(event_attributes, '$.session_id'), client_id) AS session_id,
            json_extract_string(event_attributes, '$.object.object_id') AS product_id,
            coalesce(json_extract_string(event_attributes, '$.result_count'), json_extract_string(event_attributes, '$.object.results_num')) AS logged,
            CASE action_name {names} END AS event_name FROM ubi_raw WHERE "index" IS NULL),
        numbered AS (SELECT *, row_number() OVER (PARTITION BY query_id, user_query, action_name IS NULL ORDER BY occurred_at, row_number) AS request,
            max(json_array_length(query_response_hit_ids)) OVER (PARTITION BY query_id, user_query, action_name IS NULL) AS n_hits FROM documents),
        reasoned AS (SELECT *, CASE WHEN action_name IS NULL AND user_query IS NULL THEN 'empty search'
            WHEN action_name IS NULL AND request > 1 THEN 'same search' WHEN action_name IS NULL THEN 'query'
            WHEN event_name IS NULL THEN 'other event' ELSE 'shop event' END AS reason FROM numbered)
        SELECT *, CASE reason WHEN 'query' THEN 'searches' WHEN 'shop event' THEN 'events' END AS goes_to,
            row_number() OVER (PARTITION BY session_id, reason ORDER BY occurred_at, row_number) - 1 AS event_index FROM reasoned"""
    )
    lost = con.sql('SELECT count(*), min("timestamp") FROM ubi WHERE occurred_at IS NULL').fetchone()
    if lost and lost[0]:
        raise SourceError(
            f"{reading.files[0].name}: '{lost[1]}' is not a time that can be read ({lost[0]:,} documents)"
        )
    accounting = account(con, "ubi", source="documents", rules=RULES, example="coalesce(action_name, user_query)")
    return Extract(
        tables=TABLES, accounting=accounting, raw_totals=totals(con, "ubi", TOTALS), violations=_violations(con)
    )


TABLES = {
    "searches": """WITH seen AS (SELECT query_id, first(session_id ORDER BY occurred_at, row_number) AS session_id,
            max(TRY_CAST(logged AS BIGINT)) AS n_logged, nullif(count(DISTINCT product_id) FILTER (event_name = 'view_item_list'), 0) AS n_shown,
            first(product_id ORDER BY occurred_at, row_number) FILTER (event_name = 'select_item' AND product_id IS NOT NULL) AS clicked
            FROM ubi WHERE action_name IS NOT NULL GROUP BY query_id),
        texts AS (SELECT *, row_number() OVER (PARTITION BY query_id ORDER BY occurred_at, row_number) AS text_number FROM ubi
            WHERE goes_to = 'searches')
        SELECT query_id || CASE WHEN text_number > 1 THEN '-' || text_number ELSE '' END AS search_id, s.session_id, occurred_at AS searched_at,
            user_query AS query, coalesce(n_hits, n_logged, n_shown) AS n_results, clicked AS clicked_product_id
        FROM texts LEFT JOIN seen AS s USING (query_id)""",
    "sessions": """SELECT session_id, min(client_id) AS visitor_id, min(occurred_at) AS started_at FROM ubi
        WHERE action_name IS NOT NULL GROUP BY session_id""",
    "events": """SELECT session_id, event_index, client_id AS visitor_id, occurred_at, event_name, 'search' AS section, product_id
        FROM ubi WHERE goes_to = 'events'""",
}


TOTALS = {
    "queries": "count(*) FILTER (action_name IS NULL)",
    "events": "count(*) FILTER (action_name IS NOT NULL)",
    "different queries": "count(DISTINCT lower(user_query))",
    "visitors": "count(DISTINCT client_id)",
}


def _violations(con: duckdb.DuckDBPyConnection) -> tuple[Violation, ...]:
    unnamed = """SELECT count(*) FILTER (product_id IS NULL), count(*), min(action_name) FILTER (product_id IS NULL) FROM ubi
        WHERE event_name = 'view_item_list'"""
    return finding(
        con, unnamed, table="events", column="product_id", rule="result lists without the products they showed"
    )
