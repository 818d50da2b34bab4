"""One demo shop for all tests of the simulator, with its tables as DuckDB views."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from opslib.simulate.config import preset
from opslib.simulate.simulation import simulate_shop

SEED = 2


@dataclass
class Simulated:
    """A simulated shop on disk."""

    folder: Path
    truth: dict[str, Any]
    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> pd.DataFrame:
        return self.connection.sql(sql).df()

    def value(self, sql: str) -> float:
        return self.connection.sql(sql).fetchone()[0]


def open_simulated(folder: Path) -> Simulated:
    """Views over every table of a simulated shop; those of the truth are prefixed ``truth_``."""
    connection = duckdb.connect()
    for path in sorted({part.parent for part in folder.rglob("part-*.parquet")}):
        name = "_".join(path.relative_to(folder).parts)
        connection.sql(f"create view {name} as from read_parquet('{path}/*.parquet')")
    return Simulated(folder, json.loads((folder / "truth.json").read_text()), connection)


def local_day(times: pd.Series, zone: str) -> pd.Series:
    """Local date of naive UTC times, by pandas: a second road beside the simulator's own calendar."""
    return times.dt.tz_localize("UTC").dt.tz_convert(zone).dt.date


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """The demo shop as ``data/shops/demo.yml`` makes it."""
    folder = tmp_path_factory.mktemp("shop") / "demo"
    return open_simulated(simulate_shop(folder, config=preset("demo"), seed=SEED))


@pytest.fixture(scope="session")
def local_days(demo: Simulated) -> Simulated:
    """The demo shop with ``local_day`` on its order lines."""
    days = demo.rows("select distinct order_id, ordered_at from order_lines")
    days["local_day"] = local_day(days["ordered_at"], demo.truth["shop"]["time_zone"])
    opened = open_simulated(demo.folder)
    opened.connection.register("order_days", days[["order_id", "local_day"]])
    opened.connection.sql(f"""create or replace view order_lines as select l.*, d.local_day::date as local_day
        from read_parquet('{demo.folder}/order_lines/*.parquet') l join order_days d using (order_id)""")
    return opened
