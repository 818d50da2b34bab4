"""GA4, Matomo, Olist and the search log in their documented layouts, counted by hand; the real log by a second road."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opslib.contracts import EVENT_NAMES
from opslib.errors import SourceError
from opslib.shop import checks, opening
from opslib.shop.opening import Shop
from tests.conftest import real_data
from tests.shop.builders import frame_of, write_csv, write_ndjson, write_shop

DAY = 1_782_900_000  # 2026-07-01 10:00:00 UTC


def ga4_event(
    name: str,
    second: int,
    *,
    visit: int | None = 11,
    user: str = "u1",
    items: list[dict[str, Any]] | None = None,
    **params: Any,
) -> dict[str, Any]:
    """One event as BigQuery exports it: parameters as key and typed value."""
    keys = {**({"ga_session_id": visit} if visit else {}), **params}
    listed = [{"key": k, "value": {"string_value": v if isinstance(v, str) else None, "int_value": v if isinstance(v, int) else None,
                                   "float_value": None, "double_value": v if isinstance(v, float) else None}} for k, v in keys.items()]  # fmt: skip
    return {
        "event_date": "20260701", "event_timestamp": (DAY + second) * 1_000_000, "event_name": name, "user_pseudo_id": user, "user_id": None,
        "event_params": listed, "device": {"category": "mobile"}, "geo": {"country": "Germany"},
        "traffic_source": {"source": "google", "medium": "cpc", "name": "spring"}, "items": items or [],
    }  # fmt: skip


MUG = {
    "item_id": "MUG",
    "item_name": "Mug",
    "item_brand": "Acme",
    "item_category": "Kitchen",
    "price": 9.0,
    "quantity": 2,
    "discount": 1.0,
}
TEA = {
    "item_id": "TEA",
    "item_name": "Tea",
    "item_brand": "Leaf",
    "item_category": "Food",
    "price": 5.5,
    "quantity": 1,
    "discount": None,
}
GA4 = [
    ga4_event("session_start", 0, page_location="https://shop.example/?utm=x"),
    ga4_event("page_view", 1, page_location="https://shop.example/"),
    ga4_event("view_item", 20, items=[MUG], page_location="https://shop.example/kitchen/mug?color=red#top"),
    ga4_event("view_search_results", 30, search_term="red mug", page_location="https://shop.example/search?q=red"),
    ga4_event("add_to_cart", 40, items=[MUG], value=18.0, currency="EUR"),
    ga4_event("purchase", 60, items=[MUG, TEA], transaction_id="T1", value=23.5, currency="EUR"),
    ga4_event("purchase", 61, items=[MUG, TEA], transaction_id="T1", value=23.5, currency="EUR"),
    ga4_event("scroll", 70),
    ga4_event("page_view", 5, visit=None, user="u2", page_location="https://shop.example/a"),
    ga4_event("page_view", 90, visit=12, user="u3", page_location="https://shop.example/kitchen/"),
]


def open_ga4(folder: Path, *, as_parquet: bool, events: list[dict[str, Any]] = GA4) -> Shop:
    if as_parquet:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(events), folder / "events_20260701.parquet")
    else:
        write_ndjson(events, folder / "events_20260701.ndjson")
    return opening.open_shop(write_shop(folder, adapter="ga4", files="events_2026*"), root=folder)


@pytest.mark.parametrize("as_parquet", [True, False])
def test_ga4_nested_events_become_flat_tables(tmp_path: Path, as_parquet: bool) -> None:
    shop = open_ga4(tmp_path, as_parquet=as_parquet)
    lines = frame_of(shop, "order_lines")
    assert lines[["order_id", "line_id", "product_id", "quantity", "unit_price", "discount_amount", "revenue_amount"]].to_numpy().tolist() == [
        ["T1", "0001", "MUG", 2.0, 10.0, 2.0, 18.0], ["T1", "0002", "TEA", 1.0, 5.5, 0.0, 5.5],
    ]  # fmt: skip
    assert str(lines["ordered_at"].iloc[0]) == str(pd.Timestamp(DAY + 60, unit="s"))
    events = frame_of(shop, "events")
    assert events.loc[events["session_id"] == "u1.11", "event_name"].tolist() == [
        "page_view",
        "view_item",
        "search",
        "add_to_cart",
        "purchase",
    ]
    assert events.loc[events["session_id"] == "u1.11", "event_index"].tolist() == [0, 1, 2, 3, 4]
    assert events.loc[1, ["page", "section", "product_id"]].tolist() == ["/kitchen/mug", "kitchen", "MUG"]
    assert pd.isna(events.loc[4, "product_id"]), "two products: no one of them"
    assert set(events["event_name"]) <= set(EVENT_NAMES)
    visits = frame_of(shop, "sessions").set_index("session_id")
    assert visits.loc["u1.11", ["source", "medium", "campaign", "device", "country", "landing_page"]].tolist() == [
        "google", "cpc", "spring", "mobile", "Germany", "/",
    ]  # fmt: skip
    assert frame_of(shop, "searches")["query"].tolist() == ["red mug"]
    assert frame_of(shop, "products")[["product_id", "name", "category", "brand"]].to_numpy().tolist() == [
        ["MUG", "Mug", "Kitchen", "Acme"], ["TEA", "Tea", "Food", "Leaf"],
    ]  # fmt: skip
    assert shop.staged is not None
    assert {item.reason: item.n_rows for item in shop.staged.accounting} == {
        "shop event": 6,
        "repeated purchase": 1,
        "other event": 2,
        "no visit": 1,
    }
    assert not [f for f in checks.check_shop(shop) if f.severity == "error"]


def test_ga4_is_recognised_and_two_currencies_are_refused(tmp_path: Path) -> None:
    events = [*GA4, ga4_event("purchase", 99, items=[TEA], transaction_id="T2", value=5.5, currency="USD")]
    with pytest.raises(SourceError, match=r"several currencies in one export: EUR \(2 rows\) and USD \(1 rows\)"):
        open_ga4(tmp_path / "two", as_parquet=False, events=events)
    dollars = [ga4_event("purchase", 1, items=[TEA], transaction_id="T2", value=5.5, currency="USD")]
    write_ndjson(dollars, tmp_path / "found" / "events_20260701.ndjson")
    assert len(frame_of(opening.open_shop(tmp_path / "found", root=tmp_path), "order_lines")) == 1


def matomo_visits() -> list[dict[str, Any]]:
    """Two visits as Live.getLastVisitsDetails returns them: one that orders, one that leaves a cart."""
    items = [
        {"itemSKU": "MUG", "itemName": "Mug", "itemCategory": "Kitchen", "price": 10, "quantity": 2},
        {"itemSKU": "TEA", "itemName": "Tea", "itemCategory": "Food", "price": "10.00", "quantity": "1"},
    ]
    order = {"type": "ecommerceOrder", "orderId": "M1", "revenue": 27.0, "revenueSubTotal": 27.0, "revenueTax": 3.0, "revenueShipping": 0,
             "revenueDiscount": 3.0, "timestamp": DAY + 50, "itemDetails": items}  # fmt: skip
    first = {
        "idSite": "1", "idVisit": "3", "visitorId": "abc", "userId": "c9", "serverTimestamp": DAY, "firstActionTimestamp": DAY - 5,
        "siteCurrency": "EUR", "referrerType": "search", "referrerName": "Google", "deviceType": "Desktop", "countryCode": "de",
        "actionDetails": [
            {"type": "action", "url": "https://shop.example/kitchen/mug?x=1", "pageTitle": "Mug", "timestamp": DAY - 5, "productViewSku": "MUG"},
            {"type": "search", "siteSearchKeyword": "tea", "siteSearchCount": 0, "url": None, "timestamp": DAY + 10},
            {"type": "outlink", "url": "https://elsewhere.example", "timestamp": DAY + 20},
            order,
        ],
    }  # fmt: skip
    cart = {"type": "ecommerceAbandonedCart", "revenue": 10, "items": 1, "itemDetails": items[1:], "timestamp": DAY + 8}
    second = {**first, "idVisit": "4", "visitorId": "def", "userId": None, "referrerType": "direct", "referrerName": "",
              "actionDetails": [{"type": "action", "url": "https://shop.example/", "timestamp": DAY + 1}, cart]}  # fmt: skip
    return [first, second]


def test_matomo_visits_become_flat_tables(tmp_path: Path) -> None:
    (tmp_path / "visits").mkdir()
    (tmp_path / "visits" / "visits.json").write_text(json.dumps(matomo_visits()))
    shop = opening.open_shop(tmp_path / "visits", root=tmp_path)
    lines = frame_of(shop, "order_lines")
    assert lines[["order_id", "product_id", "quantity", "unit_price", "discount_amount", "tax_amount", "revenue_amount"]].to_numpy().tolist() == [
        ["M1", "MUG", 2.0, 10.0, 2.0, 2.0, 18.0], ["M1", "TEA", 1.0, 10.0, 1.0, 1.0, 9.0],
    ]  # fmt: skip
    assert lines["customer_id"].tolist() == ["c9", "c9"]
    events = frame_of(shop, "events")
    assert events[["session_id", "event_name"]].to_numpy().tolist() == [
        ["3", "view_item"],
        ["3", "search"],
        ["3", "purchase"],
        ["4", "page_view"],
    ]
    assert events["page"].tolist()[0] == "/kitchen/mug"
    assert frame_of(shop, "searches")[["query", "n_results"]].to_numpy().tolist() == [["tea", 0]]
    visits = frame_of(shop, "sessions").set_index("session_id")
    assert visits[["source", "medium"]].to_numpy().tolist() == [["Google", "organic"], ["(direct)", "(none)"]]
    assert str(visits.loc["3", "started_at"]) == str(pd.Timestamp(DAY - 5, unit="s"))
    assert shop.staged is not None
    assert {item.reason: item.n_rows for item in shop.staged.accounting} == {
        "page": 2,
        "search": 1,
        "order": 1,
        "abandoned cart": 1,
        "other action": 1,
    }
    assert not [f for f in checks.check_shop(shop) if f.severity == "error"]


def write_olist(folder: Path) -> None:
    """The files of Olist that become tables, with the columns of its data dictionary."""
    at = "2017-10-02 22:56:33"
    tables = {
        "olist_orders_dataset": pd.DataFrame({
            "order_id": ["o1", "o2", "o3"], "customer_id": ["k1", "k2", "k3"], "order_status": ["delivered", "canceled", "shipped"],
            "order_purchase_timestamp": at, "order_approved_at": at, "order_delivered_carrier_date": at, "order_delivered_customer_date": at,
            "order_estimated_delivery_date": at}),
        "olist_order_items_dataset": pd.DataFrame({
            "order_id": ["o1", "o1", "o2", "o9"], "order_item_id": [1, 2, 1, 1], "product_id": ["p1", "p2", "p1", "p1"], "seller_id": "s",
            "shipping_limit_date": at, "price": [10.0, 20.5, 10.0, 7.0], "freight_value": [1.0, 2.0, 1.0, 1.0]}),
        "olist_customers_dataset": pd.DataFrame({
            "customer_id": ["k1", "k2", "k3"], "customer_unique_id": ["u1", "u1", "u2"], "customer_zip_code_prefix": 1, "customer_city": "c",
            "customer_state": "SP"}),
        "olist_products_dataset": pd.DataFrame({
            "product_id": ["p1", "p2"], "product_category_name": ["perfumaria", None], "product_photos_qty": [1, 0], "product_weight_g": [225, None]}),
        "olist_order_reviews_dataset": pd.DataFrame({
            "review_id": ["r1", "r1"], "order_id": ["o1", "o2"], "review_score": [4, 1], "review_comment_title": [None, "não"],
            "review_comment_message": ["bom, \"muito\"\nbom", None], "review_creation_date": "2017-10-18 00:00:00",
            "review_answer_timestamp": at}),
        "product_category_name_translation": pd.DataFrame({
            "product_category_name": ["perfumaria"], "product_category_name_english": ["perfumery"]}),
    }  # fmt: skip
    for name, frame in tables.items():
        write_csv(frame, folder / f"{name}.csv")


def test_olist_files_join_up(tmp_path: Path) -> None:
    write_olist(tmp_path / "olist")
    shop = opening.open_shop(tmp_path / "olist", root=tmp_path)
    lines = frame_of(shop, "order_lines")
    assert lines[["order_id", "line_id", "customer_id", "status", "revenue_amount"]].to_numpy().tolist() == [
        ["o1", "0001", "u1", "paid", 10.0], ["o1", "0002", "u1", "paid", 20.5], ["o2", "0001", "u1", "cancelled", 10.0],
    ]  # fmt: skip
    assert (
        str(lines["ordered_at"].iloc[0]) == "2017-10-03 01:56:33"
    )  # Sao Paulo is three hours behind UTC in early October
    reviews = frame_of(shop, "reviews").set_index("review_id")
    assert reviews["product_id"].fillna("").to_dict() == {"r1-o1": "", "r1-o2": "p1"}
    assert reviews.loc["r1-o1", "text"] == 'bom, "muito"\nbom'
    assert frame_of(shop, "products")["category"].fillna("").tolist() == ["perfumery", ""]
    assert shop.staged is not None
    assert {item.reason: item.n_rows for item in shop.staged.accounting} == {"item": 3, "no order": 1}
    assert shop.staged.violations[0].rule == "orders without items: no line to keep"
    (tmp_path / "olist" / "olist_products_dataset.csv").unlink()
    with pytest.raises(
        SourceError, match=r"olist_products_dataset.csv is missing in olist; the nine files belong together"
    ):
        opening.open_shop(tmp_path / "olist", root=tmp_path)


@pytest.mark.real_data
def test_the_search_log_by_a_second_road(root: Path) -> None:
    """Counted again line by line in plain Python."""
    path = real_data("search_log") / "ubi_queries_events.ndjson"
    documents = [json.loads(line) for line in path.read_text().splitlines()]
    documents = [document for document in documents if "index" not in document]
    queries = [document for document in documents if "action_name" not in document]
    actions = collections.Counter(document["action_name"] for document in documents if "action_name" in document)
    shop = opening.open_shop("search_log", root=root)
    searches = frame_of(shop, "searches").set_index("search_id")
    assert len(queries) == 473
    # One search sends up to three requests: the text of a query_id is one search, at the time of its first request.
    first: dict[tuple[str, str], pd.Timestamp] = {}
    for query in queries:
        if not query["user_query"].strip():
            continue
        key = query["query_id"], query["user_query"].strip()
        at = pd.Timestamp(query["timestamp"]).tz_convert("UTC").tz_localize(None)
        first[key] = min(first.get(key, at), at)
    assert sorted(zip(searches["query"], searches["searched_at"], strict=True)) == sorted(
        (text, at) for (_, text), at in first.items()
    )
    assert searches.index.is_unique
    events = frame_of(shop, "events")
    assert (events["event_name"] == "select_item").sum() == actions["click"] + actions["item_click"]
    assert (events["event_name"] == "add_to_cart").sum() == actions["add_to_cart"]
    assert (events["event_name"] == "purchase").sum() == actions["purchase"]
    hits: dict[str, int] = collections.defaultdict(int)
    for query in queries:
        if "query_response_hit_ids" in query:
            text = query["user_query"].strip()
            hits[text] = max(hits[text], len(query["query_response_hit_ids"]))
    empty = {text for text, n in hits.items() if n == 0 and text}
    assert empty <= set(searches.loc[searches["n_results"] == 0, "query"]), (
        "searches without a result are known as such"
    )
    assert shop.staged is not None
    assert sum(item.n_rows for item in shop.staged.accounting) == len(documents)


@pytest.mark.real_data
def test_hillstrom_and_online_shoppers_through_column_maps(root: Path) -> None:
    path = real_data("hillstrom") / "hillstrom.csv"
    raw = pd.read_csv(path)
    shop = opening.open_shop("hillstrom", root=root)
    joined = frame_of(shop, "unit_outcomes").merge(frame_of(shop, "experiments"), on="unit_id")
    means = joined.groupby(["variant", "metric"])["value"].mean()
    for metric in ("visit", "conversion", "spend"):
        expected = raw.groupby("segment")[metric].mean()
        for variant, mean in expected.items():
            assert means[(variant, metric)] == pytest.approx(mean, abs=1e-9)
    # Published: visit rates +.0766 (men) and +.0452 (women) over no e-mail.
    lift = (
        means["Mens E-Mail", "visit"] - means["No E-Mail", "visit"],
        means["Womens E-Mail", "visit"] - means["No E-Mail", "visit"],
    )
    assert lift == pytest.approx((0.0766, 0.0452), abs=5e-5)
    shoppers = opening.open_shop("online_shoppers", root=root)
    assert len(frame_of(shoppers, "sessions")) == 12_330
    assert len(frame_of(shoppers, "events")) == 1_908  # published: 15.5 % of the visits end in a purchase
