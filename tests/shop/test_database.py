"""Tables that stay in a database: the same lines, checks and cuts as from files, read-only, without a password in sight."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest
from ibis.backends import BaseBackend

from opslib.engine import collect
from opslib.errors import EngineError, ShopFileError, SourceError
from opslib.periods import Period
from opslib.shop import checks, opening
from opslib.shop.opening import Shop
from tests.engines import copy_shop, postgres_url, spark_backend
from tests.shop.builders import COLUMNS, ORDERS, frame_of, open_orders, write_csv, write_shop

#: Columns of the database's own table, times in UTC.
THEIRS = {ours: theirs.lower() for ours, theirs in COLUMNS.items()}
DDL = 'no TEXT, pos TEXT, client TEXT, sku TEXT, "when" TIMESTAMP, qty INTEGER, price NUMERIC(10,2), off NUMERIC(10,2)'


@pytest.fixture
def from_files(tmp_path: Path) -> Shop:
    write_csv(ORDERS, tmp_path / "files" / "orders.csv")
    return open_orders(tmp_path / "files", "orders.csv", time_zone="UTC")


def rows() -> list[tuple[object, ...]]:
    return [tuple(None if pd.isna(v) else v for v in row) for row in ORDERS.itertuples(index=False)]


def describe(folder: Path, engine_url: str, **keys: object) -> Path:
    table = {"order_lines": {"table": keys.pop("table", "orders"), "columns": keys.pop("columns", THEIRS)}}
    return write_shop(folder, engine=engine_url, tables=table, **keys)


def duckdb_file(folder: Path) -> Path:
    path = folder / "shop.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(f"CREATE TABLE orders ({DDL})")
        con.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows())
    return path


def postgres_table() -> str:
    """The orders in PostgreSQL, and the address of a role that may only read them."""
    url = postgres_url()  # skips before psycopg is asked for
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS orders")
        connection.execute(f"CREATE TABLE orders ({DDL})")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", rows())
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'reader'").fetchone():
            connection.execute("CREATE ROLE reader LOGIN PASSWORD 's3cret'")
            connection.execute("ALTER ROLE reader SET default_transaction_read_only = on")
        connection.execute("GRANT SELECT ON orders TO reader")
    return url.replace("lab@", "reader:s3cret@")


def assert_same_lines(shop: Shop, other: Shop) -> None:
    columns = ["order_id", "line_id", "customer_id", "product_id", "ordered_at", "ordered_on", "quantity", "unit_price", "discount_amount",
               "revenue_amount", "status"]  # fmt: skip
    left, right = (
        frame_of(s, "order_lines")[columns].sort_values(["order_id", "line_id"], ignore_index=True)
        for s in (shop, other)
    )
    pd.testing.assert_frame_equal(left, right)


def test_a_duckdb_file_reads_like_the_csv(tmp_path: Path, from_files: Shop) -> None:
    shop = opening.open_shop(describe(tmp_path, f"duckdb:///{duckdb_file(tmp_path)}"), root=tmp_path)
    assert_same_lines(shop, from_files)
    assert shop.coverage == from_files.coverage
    assert shop.fingerprint is None
    with pytest.raises(duckdb.Error, match=r"read-only"):
        shop.connection.con.execute("DELETE FROM orders")


def test_a_watermark_is_the_fingerprint(tmp_path: Path) -> None:
    path = duckdb_file(tmp_path)
    yml = describe(tmp_path, f"duckdb:///{path}", watermark='SELECT count(*) AS n, max("when") AS latest FROM orders')
    first, again = (opening.open_shop(yml, root=tmp_path).fingerprint for _ in range(2))
    assert first is not None
    assert first == again
    bad = describe(tmp_path, f"duckdb:///{path}", watermark="SELECT no_such_column FROM orders")
    with pytest.raises(ShopFileError, match=r"watermark: .*no_such_column"):
        opening.open_shop(bad, root=tmp_path)


def test_what_is_not_in_the_database_is_named(tmp_path: Path) -> None:
    url = f"duckdb:///{duckdb_file(tmp_path)}"
    with pytest.raises(SourceError, match=r"no table 'order' in the database; did you mean 'orders'\?"):
        opening.open_shop(describe(tmp_path, url, table="order"), root=tmp_path)
    with pytest.raises(
        SourceError, match=r"order_lines.quantity: the database table has no column 'qyt'; did you mean 'qty'\?"
    ):
        opening.open_shop(describe(tmp_path, url, columns={**THEIRS, "quantity": "qyt"}), root=tmp_path)
    with pytest.raises(SourceError, match=r"column 'ordered_at' is required \(when, in UTC\) and not in the map"):
        opening.open_shop(
            describe(tmp_path, url, columns={k: v for k, v in THEIRS.items() if k != "ordered_at"}), root=tmp_path
        )


@pytest.mark.engine("postgres")
def test_postgres_read_only_gives_the_same_lines_without_a_trace_of_the_password(
    tmp_path: Path, from_files: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSLIB_TEST_DB", postgres_table())
    shop = opening.open_shop(describe(tmp_path, "${OPSLIB_TEST_DB}", table="public.orders"), root=tmp_path)
    assert_same_lines(shop, from_files)
    assert shop.coverage == from_files.coverage
    assert "s3cret" not in repr(shop.settings) + shop.title
    monkeypatch.setenv("OPSLIB_TEST_DB", "postgres://reader:s3cret@127.0.0.1:1/nowhere")
    with pytest.raises(EngineError) as caught:
        opening.open_shop(describe(tmp_path, "${OPSLIB_TEST_DB}"), root=tmp_path)
    assert "s3cret" not in str(caught.value)
    assert "cannot connect" in str(caught.value)


@pytest.mark.slow
@pytest.mark.engine("spark")
def test_spark_reads_parquet_under_the_same_map(tmp_path: Path, from_files: Shop) -> None:
    spark_backend()
    typed = ORDERS.assign(
        When=pd.to_datetime(ORDERS["When"]).astype("datetime64[us]"), Qty=ORDERS["Qty"].astype("int64")
    )
    typed = typed.assign(Price=typed["Price"].astype(float), Off=typed["Off"].astype(float))
    typed.rename(columns=str.lower).to_parquet(tmp_path / "orders.parquet", index=False, coerce_timestamps="us")
    shop = opening.open_shop(
        describe(tmp_path, "spark://local", table=str(tmp_path / "orders.parquet"), memory_limit="1GB"), root=tmp_path
    )
    assert_same_lines(shop, from_files)


def backend_of(name: str) -> BaseBackend:
    from opslib import engine

    return engine.connect(postgres_url()) if name == "postgres" else spark_backend()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["postgres", "spark"])
def test_checks_cuts_and_days_are_equal_on_every_engine(tmp_path: Path, name: str, root: Path) -> None:
    demo = opening.open_shop("demo", root=root)
    names = ("order_lines", "returns", "products", "customers", "price_history")
    other = copy_shop(demo, backend_of(name), scratch=tmp_path, names=names)
    period = Period.parse("2026-03-01", "2026-03-31")
    for table in names:
        left, right = (collect(shop.table(table).count()) for shop in (demo, other))
        assert left.iloc[0, 0] == right.iloc[0, 0], table
    for part in (None, period):
        left, right = (
            collect(checks.lines_by_status(shop.table("order_lines"), period=part)) for shop in (demo, other)
        )
        pd.testing.assert_frame_equal(left, right)
    for table in names:
        assert checks.check_table(other.table(table), name=table) == checks.check_table(
            demo.table(table), name=table
        ), table
    mine = {f for f in checks.check_shop(other) if f.table in names}
    skipped = {"found in sessions.session_id"}  # those tables were not copied
    assert {f for f in checks.check_shop(demo) if f.table in names and f.rule not in skipped} == mine
