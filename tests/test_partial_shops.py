"""Shops that have only some tables get every page that they can have, and no crash."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from opslib.contracts import CONTRACTS
from opslib.reporting import batch, plans
from opslib.shop.opening import open_shop
from tests.conftest import ROOT

#: Pages about a shop; those about a proposal are made once a proposal.
NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if '"proposal: str' not in path.read_text()]
FIRST = "00_data_health"
MATRIX = pytest.mark.skipif(os.environ.get("OPSLIB_MATRIX") != "1", reason="the matrix of shops: `make full` runs it")


@pytest.fixture(scope="module")
def demo_tables() -> dict[str, Path]:
    """Folders of the demo's simulated tables."""
    folder = open_shop("demo").folder
    return {name: folder / name for name in CONTRACTS if (folder / name).is_dir()}


def _statuses(folder: Path, tables: dict[str, Path], notebooks: list[Path]) -> dict[str, str]:
    described = {
        "name": "partial", "title": "Partial", "currency": "GBP", "time_zone": "Europe/London", "simulated": True,
        "prices_include_tax": False, "tables": {name: {"files": f"{path}/*.parquet"} for name, path in tables.items()},
    }  # fmt: skip
    path = folder / "partial.yml"
    path.write_text(yaml.safe_dump(described))
    shop = open_shop(path)
    plan = plans.plan_run(
        "partial",
        notebooks,
        out=folder / "reports",
        parameters={"shop": str(path)},
        n_workers=2,
        **plans.shop_facts(shop),
    )
    result = batch.run(plan, progress=False)
    shutil.rmtree(ROOT / "data" / "staged" / "partial", ignore_errors=True)
    return {page.name: f"{page.status} {page.reason}".strip() for page in result.pages}


def test_a_shop_of_events_alone_gets_its_pages(demo_tables, tmp_path):
    found = _statuses(tmp_path, {"events": demo_tables["events"]}, NOTEBOOKS)
    assert {name for name, status in found.items() if status.startswith("failed")} == set(), found
    assert found[FIRST] == found["31_segmentation"] == "ok"


def test_a_shop_of_products_alone_gets_its_pages(demo_tables, tmp_path):
    found = _statuses(tmp_path, {"products": demo_tables["products"]}, NOTEBOOKS)
    assert {name for name, status in found.items() if status.startswith("failed")} == set(), found
    assert found[FIRST] == found["20_positioning"] == "ok"


@MATRIX
@pytest.mark.parametrize("table", sorted(CONTRACTS))
def test_a_shop_of_one_table_gets_its_pages(demo_tables, tmp_path, table):
    if table not in demo_tables:
        pytest.skip(f"the demo has no table {table}")
    found = _statuses(tmp_path, {table: demo_tables[table]}, NOTEBOOKS)
    assert {name for name, status in found.items() if status.startswith("failed")} == set(), found
    assert found[FIRST] == "ok"


@MATRIX
@pytest.mark.parametrize("table", sorted(CONTRACTS))
def test_the_demo_without_one_table_gets_its_pages(demo_tables, tmp_path, table):
    if table not in demo_tables:
        pytest.skip(f"the demo has no table {table}")
    found = _statuses(tmp_path, {n: p for n, p in demo_tables.items() if n != table}, NOTEBOOKS)
    assert {name for name, status in found.items() if status.startswith("failed")} == set(), found
