"""Staging: written once per content, complete or not at all, by one process at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from opslib import engine
from opslib.errors import SourceError
from opslib.shop import derived, opening, staging
from tests.shop.builders import COLUMNS, ORDERS, open_orders, write_csv, write_shop


def staged_folders(root: Path) -> list[str]:
    return sorted(p.name for p in (root / "data" / "staged" / "test").iterdir() if p.is_dir())


def test_the_second_opening_reads_no_file(tmp_path: Path) -> None:
    path = write_csv(ORDERS, tmp_path / "orders.csv")
    first = open_orders(tmp_path, "orders.csv")
    # Same size, time and inode: whatever the content, it is taken as known, until somebody asks to verify.
    stat = path.stat()
    text = path.read_text().replace("99.99", "11.11")
    with path.open("r+") as handle:
        handle.write(text)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    second = open_orders(tmp_path, "orders.csv")
    assert second.fingerprint == first.fingerprint
    verified = opening.open_shop(tmp_path / "shop.yml", root=tmp_path, verify=True)
    assert verified.fingerprint != first.fingerprint


def test_the_fingerprint_follows_content_and_reading_but_not_place_or_title(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "a" / "orders.csv")
    write_csv(ORDERS, tmp_path / "b" / "orders.csv")
    write_csv(ORDERS.head(8), tmp_path / "c" / "orders.csv")
    prints = {f: open_orders(tmp_path / f, "orders.csv").fingerprint for f in "abc"}
    assert prints["a"] == prints["b"] != prints["c"]
    assert open_orders(tmp_path / "a", "orders.csv", shop={"title": "Another"}).fingerprint == prints["a"]
    assert open_orders(tmp_path / "a", "orders.csv", shop={"time_zone": "UTC"}).fingerprint != prints["a"]


def test_a_failed_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    write_csv(ORDERS.assign(Qty="x"), tmp_path / "orders.csv")
    with pytest.raises(SourceError, match="'x' is text"):
        open_orders(tmp_path, "orders.csv")
    assert staged_folders(tmp_path) == []


def test_old_contents_are_forgotten_but_the_newest_stay(tmp_path: Path) -> None:
    for n in range(4):
        write_csv(ORDERS.head(5 + n), tmp_path / "orders.csv")
        open_orders(tmp_path, "orders.csv")
    assert len(staged_folders(tmp_path)) == staging.KEEP


def test_the_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    first, second = open_orders(tmp_path, "orders.csv"), open_orders(tmp_path, "orders.csv")
    assert first.staged == second.staged
    pd.testing.assert_frame_equal(first.days, second.days)
    assert first.coverage == second.coverage
    folder = tmp_path / "data" / "staged" / "test" / staged_folders(tmp_path)[0]
    assert json.loads((folder / "manifest.json").read_text())["fingerprint"] == first.fingerprint


def _open(args: tuple[str, int]) -> int:
    return int(opening.open_shop(Path(args[0]) / "shop.yml", root=Path(args[0])).table("order_lines").count().execute())


def test_several_processes_may_open_at_once(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    write_shop(tmp_path, tables={"order_lines": {"files": "orders.csv", "columns": COLUMNS}})
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_open, [(str(tmp_path), n) for n in range(3)]) == [9, 9, 9]
    assert len(staged_folders(tmp_path)) == 1


@pytest.mark.parametrize(
    "zone", ["Europe/London", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
)
def test_local_time_by_change_overs_equals_the_builtin(zone: str) -> None:
    backend = engine.connect("duckdb://")
    backend.con.execute(
        "CREATE TABLE t AS SELECT ? + to_minutes(CAST(i * 37 AS BIGINT)) AS moment FROM range(0, 90_000) AS r(i)",
        [datetime(2017, 1, 1, 0, 7)],
    )
    table = backend.table("t")
    local, builtin = derived.local_time(table, "moment", zone=zone), engine.to_local(table["moment"], zone)
    counted = table.aggregate(
        differ=(local != builtin).sum(), first=table["moment"].min(), last=table["moment"].max(), n=local.count()
    )
    row = engine.collect(counted).iloc[0]
    assert row["differ"] == 0
    assert row["n"] == 90_000
    assert row["last"] - row["first"] > timedelta(days=6 * 365)


def test_parquet_under_contract_is_read_where_it_lies(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    first = open_orders(tmp_path, "orders.csv")
    for part in (0, 1):
        con = first.connection.con
        (tmp_path / "typed").mkdir(exist_ok=True)
        con.execute(
            f"COPY (SELECT * EXCLUDE (ordered_on, revenue_amount) FROM order_lines WHERE (order_id < 'A3') = ({part} = 0)) "
            f"TO '{tmp_path}/typed/part-{part}.parquet'"
        )
    shop = opening.open_shop(
        write_shop(tmp_path / "p", tables={"order_lines": {"files": "../typed/*.parquet"}}), root=tmp_path / "p"
    )
    assert shop.staged is not None
    assert shop.staged.tables == {}
    old, new = (
        s.connection.con.sql(
            "SELECT ordered_on, sum(revenue_amount) FROM order_lines GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for s in (first, shop)
    )
    assert old == new
