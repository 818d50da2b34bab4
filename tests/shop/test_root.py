"""Where the project lies, and what is written where: nothing beside the package, nothing in a project that is read-only."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import opslib
from opslib.engine import collect
from opslib.errors import ProjectError
from opslib.shop import opening
from opslib.shop.root import homes_of, project_root
from tests.engines import spark_backend
from tests.shop.builders import COLUMNS, ORDERS, open_orders, write_csv, write_shop


@pytest.fixture(autouse=True)
def _no_project_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPSLIB_PROJECT", raising=False)


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_nearest_folder_with_a_marker_is_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "outer" / "inner"
    (inner / "deep").mkdir(parents=True)
    (tmp_path / "outer" / ".opslib").touch()
    monkeypatch.chdir(inner / "deep")
    assert project_root() == tmp_path / "outer"
    (inner / "data" / "shops").mkdir(parents=True)
    assert project_root() == tmp_path / "outer", "data/shops alone is no marker"
    (inner / "notebooks").mkdir()
    assert project_root() == inner
    monkeypatch.setenv("OPSLIB_PROJECT", str(tmp_path))
    assert project_root() == tmp_path
    monkeypatch.setenv("OPSLIB_PROJECT", str(tmp_path / "none"))
    with pytest.raises(ProjectError, match=r"OPSLIB_PROJECT: '.*none' is no folder"):
        project_root()


def test_an_installed_package_is_no_project(tmp_path: Path) -> None:
    """A copy of the package as pip would lay it down: without a marker beside it, opened from anywhere."""
    site = tmp_path / "site"
    shutil.copytree(Path(opslib.__file__).parent, site / "opslib", ignore=shutil.ignore_patterns("__pycache__"))
    before = files_of(site)
    (tmp_path / "elsewhere").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "from opslib.shop.opening import open_shop; open_shop('demo')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "elsewhere",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ProjectError: no project here: cd into one" in done.stderr
    assert files_of(site) == before


def test_opening_what_is_staged_writes_nothing(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    open_orders(tmp_path, "orders.csv")
    before = files_of(tmp_path)
    opening.open_shop(tmp_path / "shop.yml", root=tmp_path)
    assert files_of(tmp_path) == before


def test_opening_a_simulated_shop_again_writes_nothing(root: Path) -> None:
    opening.open_shop("demo", root=root)
    folders = [root / "data" / kind / "demo" for kind in ("raw", "staged")]
    before = [files_of(folder) for folder in folders]
    opening.open_shop("demo", root=root)
    assert [files_of(folder) for folder in folders] == before


def test_a_project_that_cannot_be_written_is_staged_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    project, cache = tmp_path / "project", tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    write_csv(ORDERS, project / "orders.csv")
    (project / "data").mkdir()
    (project / "data" / "staged").touch()  # a file where the folder should be: no user can write there, root neither
    with caplog.at_level(logging.WARNING):
        shop = open_orders(project, "orders.csv")
    assert int(collect(shop.table("order_lines").count()).iloc[0, 0]) == 9
    assert shop.staged is not None
    assert shop.staged.folder.is_relative_to(homes_of("staged", "test", root=project)[1])
    assert shop.staged.folder.is_relative_to(cache / "opslib")
    (said,) = caplog.messages
    assert said.endswith(f"staged/test cannot be written: what is made of the data goes to {shop.staged.folder.parent}")
    caplog.clear()
    before = files_of(tmp_path)
    assert opening.open_shop(project / "shop.yml", root=project).fingerprint == shop.fingerprint
    assert files_of(tmp_path) == before
    assert caplog.messages == []
    cache.rename(tmp_path / "gone")
    cache.touch()
    with pytest.raises(ProjectError, match="set XDG_CACHE_HOME to a folder of yours"):
        opening.open_shop(project / "shop.yml", root=project)


def test_what_another_version_staged_is_staged_again(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    shop = open_orders(tmp_path, "orders.csv")
    assert shop.staged is not None
    manifest = shop.staged.folder / "manifest.json"
    whole = json.loads(manifest.read_text())
    for other in ({**whole, "format": 99}, {key: value for key, value in whole.items() if key != "format"}):
        manifest.write_text(json.dumps(other))
        (shop.staged.folder / "order_lines.parquet").unlink()
        again = opening.open_shop(tmp_path / "shop.yml", root=tmp_path)
        assert int(collect(again.table("order_lines").count()).iloc[0, 0]) == 9
        assert json.loads(manifest.read_text()) == whole


def example(root: Path, project: Path, name: str) -> Path:
    """A project with a shipped example under its own name."""
    (project / "data" / "shops").mkdir(parents=True)
    (project / "data" / "raw").mkdir()
    shutil.copy(root / "data" / "shops" / "examples" / f"{name}.yml", project / "data" / "shops")
    shutil.copytree(root / "notebooks", project / "notebooks")
    return project


def orders_database(path: Path) -> None:
    """Two years of small orders, with the columns that the example maps."""
    with duckdb.connect(str(path)) as con:
        con.execute(
            "CREATE TABLE orders AS SELECT 'o' || (i // 2) AS id, 'p' || (i % 7) AS sku, TIMESTAMP '2025-01-01 09:00' + to_hours(i // 2 * 6) "
            "AS created_at, 1 + i % 3 AS qty, 5.0 + i % 4 AS price, 'c' || (i // 2 % 90) AS buyer FROM range(4000) AS t(i)"
        )
        con.execute("CREATE TABLE loads AS SELECT TIMESTAMP '2026-06-01' AS loaded_at")


@pytest.mark.slow
@pytest.mark.parametrize("has_watermark", [True, False])
def test_the_example_of_a_duckdb_file_gets_its_pages_from_anywhere(
    root: Path, tmp_path: Path, has_watermark: bool
) -> None:
    project = example(root, tmp_path / "project", "duckdb_file")
    orders_database(project / "data" / "raw" / "shop.duckdb")
    if not has_watermark:
        path = project / "data" / "shops" / "duckdb_file.yml"
        path.write_text(
            "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("watermark"))
        )
    shop = opening.open_shop("duckdb_file", root=project)
    assert int(collect(shop.table("order_lines").count()).iloc[0, 0]) == 4000
    assert (shop.fingerprint is not None, None not in shop.fingerprints.values()) == (has_watermark, has_watermark)
    shop.connection.disconnect()
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "opslib", "run", "duckdb_file", "--only", "00,70"], cwd=tmp_path / "elsewhere",
        env={**os.environ, "OPSLIB_PROJECT": str(project), "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "reports" / "duckdb_file" / "latest" / "70_statistics.html").exists()


@pytest.mark.slow
@pytest.mark.engine("spark")
def test_the_example_on_spark_reads_parquet_of_the_project(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark_backend()
    project = example(root, tmp_path / "project", "spark")
    path = project / "data" / "shops" / "spark.yml"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "site.events" not in line))
    lines = ORDERS.rename(columns={theirs: ours for ours, theirs in COLUMNS.items()})
    lines["ordered_at"] = pd.to_datetime(lines["ordered_at"]).astype("datetime64[us]")
    (project / "data" / "raw" / "spark").mkdir()
    lines.to_parquet(project / "data" / "raw" / "spark" / "order_lines.parquet", index=False, coerce_timestamps="us")
    monkeypatch.chdir(tmp_path)
    shop = opening.open_shop("spark", root=project)
    assert int(collect(shop.table("order_lines").count()).iloc[0, 0]) == 9


def test_a_duckdb_file_beside_its_description_is_found(tmp_path: Path) -> None:
    orders_database(tmp_path / "folder.duckdb")
    columns = {
        "order_id": "id",
        "product_id": "sku",
        "ordered_at": "created_at",
        "quantity": "qty",
        "unit_price": "price",
    }
    described = write_shop(
        tmp_path, engine="duckdb:///folder.duckdb", tables={"order_lines": {"table": "orders", "columns": columns}}
    )
    shop = opening.open_shop(described, root=tmp_path / "another")
    assert "order_lines" in shop.tables
