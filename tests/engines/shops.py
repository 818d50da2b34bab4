"""Two small shops, each described by a ``shop.yml`` for every engine: one simulated, one made by hand to be nasty."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from opslib.contracts import CONTRACTS
from opslib.periods import Coverage, Period
from opslib.shop import opening
from opslib.shop.opening import Shop
from opslib.simulate.config import preset
from opslib.simulate.simulation import simulate_shop
from tests.engines.servers import into_duckdb, into_parquet, into_postgres, postgres_url, spark_backend
from tests.shop.builders import write_csv, write_shop

SHOPS = ("simulated", "nasty")
#: DuckDB on files is what the others are compared with.
ENGINES = ("duckdb file", "postgres", "spark")
_NEEDED: dict[str, Callable[[], object]] = {"postgres": postgres_url, "spark": spark_backend}
ROLE, PASSWORD, ADDRESS = "analyst", "pa55-of-the-parity-tests", "OPSLIB_PARITY_DATABASE"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """A shop on one engine, and the days that its questions are about."""

    shop: Shop
    period: Period
    baseline: Period
    as_of: date
    coverage: Coverage

    def table(self, name: str) -> Any:
        return self.shop.table(name)


@functools.cache
def _home() -> Path:
    # The simulated shop is opened again and again; it stays until the process ends.
    folder = tempfile.TemporaryDirectory(prefix="opslib-parity-")
    _kept.append(folder)
    return Path(folder.name)


_kept: list[Any] = []


@functools.cache
def world(name: str, engine_name: str = "duckdb") -> World:
    """One of the two shops on one engine, opened through its ``shop.yml``."""
    shop = (
        _files(name)
        if engine_name == "duckdb"
        else opening.open_shop(shop_file(name, engine_name), root=_home() / name)
    )
    assert shop.coverage is not None
    period = Period.parse("2026-03-01", "2026-03-31")
    return World(shop=shop, period=period, baseline=period.previous(), as_of=period.end, coverage=shop.coverage)


@functools.cache
def _files(name: str) -> Shop:
    folder = _home() / name
    if name == "simulated":
        made = simulate_shop(
            folder / "raw", config=preset("demo", n_orders=400, n_products=40, n_stores=8, days=420), seed=7
        )
        tables = {table: {"files": str(made / table / "*.parquet")} for table in CONTRACTS if (made / table).is_dir()}
        zone = "Europe/London"
    else:
        frames = nasty_tables()
        for table, frame in frames.items():
            write_csv(frame, folder / f"{table}.csv")
        tables = {
            table: {"files": str(folder / f"{table}.csv"), "time_zone": "UTC", "columns": {c: c for c in frame.columns}}
            for table, frame in frames.items()
        }
        zone = "Europe/Berlin"
    return opening.open_shop(_described(folder, name, zone=zone, tables=tables), root=folder)


def _described(folder: Path, name: str, *, zone: str, tables: Mapping[str, Any], **keys: Any) -> Path:
    return write_shop(folder, name=name, title=name, time_zone=zone, simulated=True, tables=dict(tables), **keys)


def raw_tables(shop: Shop) -> dict[str, Any]:
    """A shop's tables without derived columns: each engine has to derive days and revenue itself."""
    return {
        name: table.drop(*({"ordered_on", "revenue_amount"} & set(table.columns)))
        for name, table in shop.tables.items()
    }


@functools.cache
def shop_file(name: str, engine_name: str) -> Path:
    """The shop's tables loaded into the engine, and the ``shop.yml`` that opens them there."""
    if engine_name in _NEEDED:
        _NEEDED[engine_name]()  # skips before anything is written
    shop, folder = _files(name), _home() / name / engine_name.replace(" ", "_")
    folder.mkdir(parents=True)
    tables = raw_tables(shop)
    if engine_name == "duckdb file":
        address = f"duckdb:///{into_duckdb(tables, shop=shop, path=folder / 'shop.duckdb')}"
        places = {table: table for table in tables}
    elif engine_name == "postgres":
        into_postgres(tables, shop=shop, schema=name, scratch=folder)
        os.environ[ADDRESS] = _role_address(name)
        address, places = f"${{{ADDRESS}}}", {table: f"{name}.{table}" for table in tables}
    else:
        address, places = (
            "spark://local",
            {t: str(p) for t, p in into_parquet(tables, shop=shop, folder=folder).items()},
        )
    described = {table: {"table": place} for table, place in places.items()}
    return _described(folder, name, zone=shop.time_zone, tables=described, engine=address, memory_limit="1GB")


def _role_address(schema: str) -> str:
    """Address of a role that has a password and may only read: every transaction of its is read-only."""
    url = postgres_url()  # skips before psycopg is asked for
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
            connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
            connection.execute(f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {ROLE}")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {ROLE}")
    return url.replace("lab@", f"{ROLE}:{PASSWORD}@")


def _frame(columns: str, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split()).astype(object)


#: Order lines that have hurt somebody: order, line, customer, product, time (UTC), quantity, price, discount, cost, status, store, country.
_HARD_LINES: list[tuple[Any, ...]] = [
    # Both change-overs of Berlin: 23:30 UTC is the next local day; 01:30 local happens twice on 2025-10-26.
    ("d1", "1", "c1", "p1", "2026-03-28 22:59:59.999999", 1, "10.00", None, "4.00", "paid", "s1", "DE"),
    ("d2", "1", "c1", "p1", "2026-03-28 23:00:00", 1, "10.00", None, "4.00", "paid", "s1", "DE"),
    ("d3", "1", "c2", "p2", "2026-03-29 00:59:59", 1, "10.00", None, "4.00", "paid", "s1", "DE"),
    ("d4", "1", "c2", "p2", "2026-03-29 01:00:00", 1, "10.00", None, "4.00", "paid", "s1", "DE"),
    ("d5", "1", "c3", "p1", "2026-03-29 22:00:00", 2, "5.00", None, None, "paid", "s2", "DE"),
    ("d6", "1", "c3", "p1", "2025-10-25 22:00:00", 2, "5.00", None, None, "paid", "s2", "DE"),
    ("d7", "1", "c4", "p2", "2025-10-26 00:30:00", 2, "5.00", None, None, "paid", "s2", "AT"),
    ("d8", "1", "c4", "p2", "2025-10-26 01:30:00", 2, "5.00", None, None, "paid", "s2", "AT"),
    ("d9", "1", "c4", "p2", "2025-10-26 22:59:59", 2, "5.00", None, None, "paid", "s2", "AT"),
    # Guests, nothing known, nothing paid, nothing bought.
    ("g1", "1", None, "p1", "2026-03-05 10:00:00", 1, "7.77", None, None, None, None, None),
    ("g2", "1", None, "p3", "2026-03-05 10:00:00", 1, "7.77", "0.77", "9.99", "paid", None, "DE"),
    ("z1", "1", "c5", "p4", "2026-03-06 10:00:00", 1, "0.00", None, "1.00", "paid", "s1", "DE"),
    ("z2", "1", "c6", "p5", "2026-03-06 10:00:00", 3, "9.99", "29.97", "9.00", "paid", "s1", "DE"),
    ("z3", "1", "c7", "p6", "2026-03-06 10:00:00", 0, "9.99", None, "0.00", "paid", "s1", "DE"),
    ("z4", "1", "c7", "p6", "2025-12-06 10:00:00", 1, "5.00", "7.50", "1.00", "paid", "s1", "DE"),
    ("z5", "1", "c7", "p6", "2025-11-06 10:00:00", 1, "20.00", None, "1.00", "paid", "s1", "DE"),
    # One row in its country, store and month; text that sorts by bytes, quotes, commas, accents.
    ("i1", "1", "c8", "p7", "2025-12-31 23:30:00", 1, "1000000.0001", None, "0.01", "paid", "S1", "IS"),
    ("i2", "1", "Ärmel, \"K\"", "Über-p", "2026-03-07 10:00:00", 1, "3.30", "0.30", "1.10", "paid", "Zürich", "ch"),
    ("i3", "1", "_c", "B'p", "2026-03-07 10:00:00", 1, "3.30", "0.30", "1.10", "paid", "a;b", "CH"),
    ("i4", "1", "%c", "a\\p", "2026-03-07 10:00:00", 1, "3.30", "0.30", "1.10", "paid", "100%", "CH"),
    # Half a unit of the fourth decimal, and sums that are not what floats would make of them.
    ("r1", "1", "c9", "p8", "2026-03-08 10:00:00", "0.5", "0.0003", None, "0.0001", "paid", "s1", "DE"),
    ("r2", "1", "c9", "p8", "2026-03-08 10:00:00", "0.5", "0.0001", None, "0.0001", "paid", "s1", "DE"),
    ("r3", "1", "c9", "p8", "2026-03-08 10:00:00", "0.1", "0.1", None, "0.03", "paid", "s1", "DE"),
    ("r4", "1", "c9", "p8", "2026-03-08 10:00:00", "0.2", "0.1", None, "0.03", "paid", "s1", "DE"),
    # No revenue, and the same line twice.
    ("n1", "1", "c1", "p1", "2026-03-09 10:00:00", 5, "10.00", None, "4.00", "cancelled", "s1", "DE"),
    ("n2", "1", "c1", "p1", "2026-03-09 11:00:00", 5, "10.00", None, "4.00", "test", "s1", "DE"),
    ("n3", "1", "c1", "p1", "2026-03-09 12:00:00", 5, "10.00", None, "4.00", "pending", "s1", "DE"),
    ("t1", "1", "c1", "p1", "2026-03-10 10:00:00", 1, "10.00", None, "4.00", "paid", "s1", "DE"),
    ("t1", "2", "c1", "p1", "2026-03-10 10:00:00", 1, "10.00", None, "4.00", "paid", "s1", "DE"),
    ("x1", "1", "c1", "gone", "2026-03-10 10:00:00", 1, "10.00", None, "4.00", "paid", "s1", "DE"),
]  # fmt: skip


def _order_lines() -> pd.DataFrame:
    """The hard lines, and plain ones over thirteen months in which customers, products and days tie on purpose."""
    plain = []
    for n in range(265):
        at = pd.Timestamp("2025-03-01 08:00") + pd.Timedelta(days=n * 3 // 2, hours=n % 3)
        price = ("10.00", "10.00", "2.50", "99.99")[n % 4]
        plain.append((f"o{n // 2:03d}", str(n % 2 + 1), f"k{n // 2 % 24:02d}" if n % 10 else None, f"q{n % 12:02d}", str(at), n % 3 + 1, price,
                      "0.50" if n % 5 == 0 else None, "3.00", "paid", f"s{n % 3}", ("DE", "AT", "CH")[n % 3]))  # fmt: skip
    columns = "order_id line_id customer_id product_id ordered_at quantity unit_price discount_amount cost_amount status store country"
    frame = _frame(columns, [*plain, *_HARD_LINES])
    frame["channel"] = [("organic", "email", None)[n % 3] for n in range(len(frame))]
    frame["device"] = [("phone", "desktop")[n % 2] for n in range(len(frame))]
    frame["session_id"] = [f"v{n % 40}" if n % 4 else None for n in range(len(frame))]
    return frame


def nasty_tables() -> dict[str, pd.DataFrame]:
    """Raw tables with ties, nulls, zero denominators, change-over days and groups of one row."""
    lines = _order_lines()
    products = sorted(set(lines["product_id"]) - {"gone"})
    own = [(p, f"Name of {p}", ("Ada", "Bo")[n % 2], ("lamps", "vases", None)[n % 3], ("Nord", "Süd", "Ost", None)[n % 4], None if n % 7 == 0 else f"{5 + n % 4}.00",
            "2.00", ("oak", "tin")[n % 2]) for n, p in enumerate(products)]  # fmt: skip
    seen = [(("Ann", "Bob")[n % 2], f"x{n % 9}", products[n % 9] if n % 5 else None, f"2026-03-{10 + n % 20:02d} 23:30:00", f"{4 + n % 4}.50",
             (True, False, None)[n % 3]) for n in range(60) if n % 20 < 9 or n < 20]  # fmt: skip
    visits = [(f"v{n}", f"u{n % 17}" if n % 9 else None, f"k{n % 24:02d}" if n % 3 == 0 else None, str(pd.Timestamp("2026-02-01 22:15") + pd.Timedelta(hours=31 * n)),
               ("google", None)[n % 2], ("organic", "cpc", "email")[n % 3], ("phone", "desktop")[n % 2], ("DE", "AT")[n % 2]) for n in range(48)]  # fmt: skip
    steps = ("page_view", "view_item", "search", "add_to_cart", "begin_checkout", "purchase")
    events = [(v[0], str(i), v[1], str(pd.Timestamp(v[3]) + pd.Timedelta(minutes=(i // 2) * 30, milliseconds=i % 3 * 500)), steps[(i + n) % 6 if n % 4 else 0], f"/{i % 3}",
               products[i % 5] if i % 2 else None, "1.50" if i % 3 == 0 else None) for n, v in enumerate(visits) for i in range(1 + n % 7)]  # fmt: skip
    return {
        "order_lines": lines,
        "returns": _frame("return_id order_id product_id returned_at quantity refund_amount reason", [
            ("r1", "d1", "p1", "2026-03-28 23:30:00", "1", "10.00", "broken"), ("r2", "o120", "q00", "2026-03-15 10:00:00", "1", None, None),
            ("r3", "none", "p9", "2026-03-16 10:00:00", "9", "900.00", "late")]),
        "products": _frame("product_id name supplier category brand price cost attr_material", own),
        "customers": _frame("customer_id first_seen_at country acquisition_channel", [
            (c, "2025-03-01 08:00:00" if n % 2 else None, ("DE", "AT")[n % 2], ("organic", None)[n % 2])
            for n, c in enumerate(sorted(set(lines["customer_id"].dropna())))]),
        "sessions": _frame("session_id visitor_id customer_id started_at source medium device country", visits),
        "events": _frame("session_id event_index visitor_id occurred_at event_name page product_id value", events),
        "searches": _frame("search_id session_id searched_at query n_results clicked_product_id", [
            (str(n), f"v{n % 48}", f"2026-03-{1 + n % 28:02d} 23:30:00", ("lamp", "Lamp ", "läMP", "100% \\ 'x'")[n % 4], (None, "0", "3")[n % 3],
             "p1" if n % 6 == 2 else None) for n in range(30)]),
        "reviews": _frame("review_id product_id written_at rating title text", [
            ("1", "p1", "2026-03-28 23:30:00", "5", "ok", "fine"), ("2", "p1", "2026-03-28 23:30:00", "1", None, None), ("3", "p2", None, "3.5", None, "so, \"so\"")]),
        "tickets": _frame("ticket_id opened_at closed_at topic product_id", [
            ("1", "2026-03-28 22:30:00", "2026-03-29 22:30:00", "late", "p1"), ("2", "2026-03-05 10:00:00", None, None, None),
            ("3", "2026-03-05 10:00:00", "2026-03-05 10:00:00", "late", "q01")]),
        "ad_spend": _frame("date channel campaign cost_amount n_impressions n_clicks", [
            (f"2026-03-{1 + n // 2:02d}", ("organic", "email")[n % 2], "c", f"{n % 3}.10", str(n * 10), "0") for n in range(40)]),
        "competitor_prices": _frame("competitor competitor_product_id product_id observed_at price in_stock", seen).drop_duplicates(
            ["competitor", "competitor_product_id", "observed_at"]),
        "stock_levels": _frame("product_id date n_on_hand", [
            (p, f"2026-03-{d:02d}", str((d * n) % 4)) for n, p in enumerate(products[:6]) for d in range(1, 32)]),
        "price_history": _frame("product_id valid_from valid_to price", [
            ("p1", "2026-01-01", "2026-03-14", "10.00"), ("p1", "2026-03-15", None, "11.00"), ("p2", "2025-01-01", "2026-02-28", "10.00")]),
        "changes": _frame("change_id kind started_at ended_at scope", [("1", "promotion", "2026-03-28 23:00:00", None, "all")]),
    }  # fmt: skip
