"""A shop of a few hundred rows with groups of few people in it, and an identity planted wherever somebody may write one."""

from __future__ import annotations

import shutil
from itertools import count, cycle
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from tests.conftest import ROOT

#: Customers of each country; the last two are few, and NL is few in the last month.
COUNTRIES = {"DE": 70, "FR": 40, "NL": 24, "AT": 6, "PT": 2}
FIRST, LAST = pd.Timestamp("2025-07-01"), pd.Timestamp("2026-10-31")
_FORMS = (
    "jo.{n}@example.org",
    "jo.{n} (at) example (dot) org",
    "+44 20 7946 {n}",
    "4111 1111 1111 {n}",
    "order #10{n}",
    "customer K-10{n}",
    "DE89 3704 0044 0532 01{n}",
    "8812{n}773",
)


def identities(n: int = 200) -> list[str]:
    """E-mails, phones, cards, orders, customers, accounts and long numbers, each with four digits of its own."""
    return [form.format(n=4000 + 7 * i) for i, form in zip(range(n), cycle(_FORMS), strict=False)]


def small_tables(*, planted: bool = False) -> dict[str, pd.DataFrame]:
    """Tables of the shop; ``planted``: with identities in every column that holds text."""
    draw = np.random.default_rng(7)
    names = [country for country, n in COUNTRIES.items() for _ in range(n)]
    people = pd.DataFrame({"customer_id": [f"K-{100000 + 37 * i}" for i in range(len(names))], "country": names})
    people["device"] = draw.choice(["desktop", "phone", "tablet"], len(people), p=[0.55, 0.41, 0.04])
    people["channel"] = draw.choice(["search", "email", "fax"], len(people), p=[0.6, 0.36, 0.04])
    people["acquisition_channel"], people["first_seen_at"] = people["channel"], FIRST
    products = pd.DataFrame({"product_id": [f"p{i}" for i in range(12)], "category": ["mugs", "pans", "lamps"] * 4})
    products["name"] = [
        f"{c[:-1]} {a}" for c, a in zip(products["category"], ["red", "blue", "old", "new"] * 3, strict=True)
    ]
    products["brand"] = ["Akra", "Bodo", "Cleo", "Dora"] * 3
    products["price"] = draw.uniform(5, 90, 12).round(2)
    order, lines, days = count(1), [], (LAST - FIRST).days
    for person in people.itertuples():
        is_lively = person.Index % 3 == 0
        for day in np.sort(draw.integers(0, days, 2 + draw.poisson(4 if is_lively else 1.2))):
            if person.country == "NL" and day > days - 62 and person.Index % 8:
                continue
            for line, row in enumerate(
                products.sample(1 + draw.integers(0, 2), random_state=int(draw.integers(1e6))).itertuples()
            ):
                lines.append(
                    {"order_id": f"R-{700000 + next(order) if line == 0 else lines[-1]['order_id'][2:]}", "line_id": str(line + 1),
                     "customer_id": person.customer_id, "product_id": row.product_id, "quantity": int(draw.integers(1, 4)),
                     "ordered_at": FIRST + pd.Timedelta(days=int(day), hours=12), "unit_price": round(row.price * draw.uniform(0.7, 1.3), 2),
                     "country": person.country, "device": person.device, "channel": person.channel, "status": "paid"}
                )  # fmt: skip
    lines = pd.DataFrame(lines).sort_values("ordered_at", kind="stable")
    orders = lines.drop_duplicates("order_id")
    visits = people.sample(600, replace=True, random_state=1).reset_index(drop=True)
    visits["session_id"] = [f"S-{900000 + i}" for i in range(len(visits))]
    visits["visitor_id"] = "v" + visits["customer_id"]
    visits["started_at"] = (
        FIRST + pd.to_timedelta(draw.integers(0, days, len(visits)), unit="D") + pd.Timedelta(hours=9)
    )
    sessions = visits.drop(columns=["acquisition_channel", "first_seen_at"]).rename(columns={"channel": "source"})
    steps = ["page_view", "view_item", "add_to_cart", "begin_checkout", "purchase"]
    depth = draw.choice([1, 2, 3, 4, 5], len(visits), p=[0.3, 0.35, 0.2, 0.1, 0.05])
    events = pd.DataFrame(
        {"session_id": v.session_id, "visitor_id": v.visitor_id, "event_index": i, "event_name": steps[i], "page": "/shop", "section": "shop",
         "occurred_at": v.started_at + pd.Timedelta(minutes=i), "product_id": f"p{v.Index % 12}" if i else None}
        for v, n in zip(visits.itertuples(), depth, strict=True) for i in range(n)
    )  # fmt: skip
    wishes = ["copper kettle", "copper kettle red", "tea cosy", "bread bin", "oak spoon set"]
    searches = visits.head(360).reset_index(drop=True)
    searches = pd.DataFrame(
        {"search_id": [f"Q-{500000 + i}" for i in range(len(searches))], "session_id": searches["session_id"], "searched_at": searches["started_at"],
         "query": [wishes[i % 5 if i % 60 else 4] for i in range(len(searches))], "n_results": 0, "clicked_product_id": None}
    )  # fmt: skip
    told = orders.head(240).reset_index(drop=True)
    words = ["sturdy and warm", "cheap but pretty", "broke at once", "fine gift", "sturdy gift"]
    reviews = pd.DataFrame(
        {"review_id": [f"W-{600000 + i}" for i in range(len(told))], "product_id": told["product_id"], "rating": draw.integers(1, 6, len(told)),
         "written_at": told["ordered_at"] + pd.Timedelta(days=3), "title": [words[i % 5] for i in range(len(told))],
         "text": [f"{words[(i + i // 5) % 5]} for my kitchen" for i in range(len(told))]}
    )  # fmt: skip
    tickets = pd.DataFrame(
        {"ticket_id": [f"T-{300000 + i}" for i in range(60)], "opened_at": told["ordered_at"].head(60), "closed_at": told["ordered_at"].head(60) + pd.Timedelta(days=1),
         "topic": "delivery", "product_id": told["product_id"].head(60), "text": "where is my parcel"}
    )  # fmt: skip
    returned = orders.iloc[::9]
    returns = pd.DataFrame(
        {"return_id": [f"B-{800000 + i}" for i in range(len(returned))], "order_id": returned["order_id"].to_numpy(), "product_id": returned["product_id"].to_numpy(),
         "returned_at": (returned["ordered_at"] + pd.Timedelta(days=5)).to_numpy(), "quantity": 1, "refund_amount": returned["unit_price"].to_numpy(), "reason": "too small"}
    )  # fmt: skip
    tables = {
        "order_lines": lines, "customers": people[["customer_id", "first_seen_at", "country", "acquisition_channel"]], "products": products,
        "sessions": sessions, "events": events, "searches": searches, "reviews": reviews, "tickets": tickets, "returns": returns,
    }  # fmt: skip
    if planted:
        for name, column in (*_TYPED, *_GROUPS):
            table = tables[name]
            who = pd.Series(identities())[: len(table) // 2]
            # Every one in the shop's own words, and the first of them so often that no floor of frequency hides it.
            once = [f"{text} {who.iloc[i]}" if i < len(who) else text for i, text in enumerate(table[column])]
            often = range(len(who), int(1.4 * len(who)) if (name, column) in _TYPED else 0)
            table[column] = [f"{text} {who.iloc[0]}" if i in often else text for i, text in enumerate(once)]
    return tables


def write_small_project(folder: Path, *, planted: bool = False) -> dict[str, pd.DataFrame]:
    """Make a project of the shop ``small``, with all notebooks; returns its tables."""
    tables, raw = small_tables(planted=planted), folder / "data" / "raw" / "small"
    raw.mkdir(parents=True)
    for name, table in tables.items():
        table.to_csv(raw / f"{name}.csv", index=False)
    described = {
        "name": "small", "title": "Small shop", "currency": "EUR", "time_zone": "Europe/Berlin", "prices_include_tax": False,
        "tables": {name: {"files": str(raw / f"{name}.csv")} for name in tables},
    }  # fmt: skip
    (folder / "data" / "shops").mkdir()
    (folder / "data" / "shops" / "small.yml").write_text(yaml.safe_dump(described), encoding="utf-8")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return tables


#: Columns that people type into.
_TYPED = (
    ("searches", "query"),
    ("reviews", "title"),
    ("reviews", "text"),
    ("tickets", "topic"),
    ("tickets", "text"),
    ("returns", "reason"),
)
#: Columns that name groups, into which an export may have put a person.
_GROUPS = (
    ("order_lines", "country"),
    ("order_lines", "device"),
    ("order_lines", "channel"),
    ("customers", "country"),
    ("customers", "acquisition_channel"),
    ("sessions", "source"),
    ("sessions", "device"),
    ("sessions", "country"),
    ("events", "page"),
    ("events", "section"),
)
