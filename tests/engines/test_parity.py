"""Every public table function gives the same answer on DuckDB, PostgreSQL and Spark."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from opslib import engine
from opslib.errors import EngineError, ShopFileError
from opslib.proposals.evaluate import ShopData, evaluate_proposal
from opslib.proposals.parsing import parse_proposal
from opslib.shop import opening
from tests.collecting import collected
from tests.engines import shops
from tests.engines.cases import EXCEPTIONS, asked, cases, expected, public_functions
from tests.engines.comparing import RELATIVE, differences
from tests.engines.shops import ENGINES, SHOPS, World, world

#: Each engine with the marks by which a run can leave it out.
MARKED = [
    pytest.param(
        name, marks=[pytest.mark.engine(name)] if name in ("postgres", "spark") else [], id=name.replace(" ", "-")
    )
    for name in ENGINES
]


def test_every_public_table_function_is_asked() -> None:
    public = set(public_functions())
    forgotten = public - set(cases()) - set(EXCEPTIONS)
    assert not forgotten, (
        f"without a parity case in tests/engines/cases.py or PARITY_CASES of the room's test file: {', '.join(sorted(forgotten))}"
    )
    gone = (set(cases()) | set(EXCEPTIONS)) - public
    assert not gone, f"a case for what is no public table function: {', '.join(sorted(gone))}"


def test_a_room_may_keep_its_cases_in_its_own_test_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "test_one.py").write_text("PARITY_CASES = {'one.first': len}\n")
    (folder / "test_two.py").write_text("ANYTHING = PARITY_CASES = {'two.second': max}\n")
    (folder / "test_none.py").write_text("raise SystemExit('not imported: it has no cases')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert collected("PARITY_CASES", folder=folder) == {"one.first": len, "two.second": max}
    (folder / "test_three.py").write_text("PARITY_CASES = {'one.first': min}\n")
    with pytest.raises(ValueError, match=r"test_three.py: a case for one.first stands in another file already"):
        collected("PARITY_CASES", folder=folder)


@pytest.mark.parametrize("engine_name", MARKED)
@pytest.mark.parametrize("shop", SHOPS)
@pytest.mark.parametrize("name", sorted(cases()))
def test_the_answer_is_the_same(name: str, shop: str, engine_name: str) -> None:
    if (shop, engine_name) == ("simulated", "spark") and os.environ.get("OPSLIB_MATRIX") != "1":
        pytest.skip("Spark is asked of the shop made by hand alone: `make parity` and `make full` ask it of both")
    found = differences(expected(name, shop), asked(name, world(shop, engine_name)))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("shop", SHOPS)
@pytest.mark.parametrize("name", sorted(cases()))
def test_the_answer_is_not_empty(name: str, shop: str) -> None:
    """Two empty answers are equal and say nothing."""
    assert _n_rows(expected(name, shop)) > 0


def _n_rows(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_n_rows(item) for item in value.values())
    return len(value) if isinstance(value, (pd.DataFrame, list)) else int(value is not None)


@pytest.mark.parametrize(
    ("one", "other", "n"),
    [
        (pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [1.0 + RELATIVE / 2]}), 0),
        (pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [1.0 + RELATIVE * 2]}), 1),
        (pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [1, 3]}), 1),
        (pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [1.0]}), 1),
        (pd.DataFrame({"x": ["a", None]}), pd.DataFrame({"x": ["a", "b"]}), 1),
        (pd.DataFrame({"x": [float("nan")]}), pd.DataFrame({"x": [0.0]}), 1),
        ({"a": [1, 2.0]}, {"a": [1, 2.5]}, 1),
        ({"a": 1}, {"b": 1}, 1),
    ],
)
def test_what_differs_is_seen(one: Any, other: Any, n: int) -> None:
    assert len(differences(one, other)) == n


# --- the door of each engine -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine_name", MARKED)
@pytest.mark.parametrize("shop", SHOPS)
def test_a_shop_file_opens_the_same_shop_on_every_engine(shop: str, engine_name: str) -> None:
    ours, theirs = world(shop).shop, world(shop, engine_name).shop
    assert theirs.connection.name == {"duckdb file": "duckdb", "postgres": "postgres", "spark": "pyspark"}[engine_name]
    assert list(theirs.tables) == list(ours.tables)
    assert theirs.coverage == ours.coverage
    assert differences(ours.days, theirs.days) == []


@pytest.mark.engine("postgres")
def test_inner_results_are_never_joined_row_by_row() -> None:
    connection = world("nasty", "postgres").shop.connection
    connection.con.rollback()
    assert connection.raw_sql("SHOW enable_nestloop").fetchall() == [("off",)]


@pytest.mark.engine("postgres")
def test_the_role_of_the_postgres_tests_can_only_read() -> None:
    connection = world("nasty", "postgres").shop.connection
    import psycopg

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.raw_sql("CREATE TEMP TABLE t (x int)")
    connection.con.rollback()


@pytest.mark.engine("postgres")
def test_no_password_is_in_the_shop_file_or_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    path = shops.shop_file("nasty", "postgres")
    assert shops.PASSWORD not in path.read_text()
    address = shops.os.environ[shops.ADDRESS]
    monkeypatch.setenv(shops.ADDRESS, address.replace(shops.PASSWORD, "wr0ng-secret"))
    with pytest.raises(EngineError, match=r"cannot connect.*password authentication failed") as caught:
        opening.open_shop(path, root=path.parent)
    chain = [str(caught.value), repr(caught.value), str(caught.value.__cause__)]
    assert not [text for text in chain if "wr0ng-secret" in text]
    monkeypatch.delenv(shops.ADDRESS)
    with pytest.raises(ShopFileError, match=f"environment variable {shops.ADDRESS} is not set"):
        opening.open_shop(path, root=path.parent)


@pytest.mark.engine("postgres")
def test_the_log_of_queries_holds_no_password() -> None:
    asked("metrics.paid", world("nasty", "postgres"))
    assert not [query for query in engine.query_log() if shops.PASSWORD in query.sql]


def test_the_database_file_is_opened_to_read() -> None:
    with pytest.raises(duckdb.Error, match="read-only"):
        world("nasty", "duckdb file").shop.connection.con.execute("DELETE FROM order_lines")


# --- a proposal --------------------------------------------------------------------------------------------------------

PROPOSAL = """
id: P-001
title: One-page checkout
need: Visitors leave at the delivery step
owner: Website
start: 2026-11-09
deadline: 2027-02-28
replay: true
claims:
  - id: conversion
    sentence: Conversion of visitors rises by 15 % with the checkout on one page.
    metric: conversion
    unit: visitor
    promise: 0.15
    window: {start: 2026-04-28, end: 2026-09-02}
    design: {kind: experiment, experiment: exp-express-checkout, control: control, treatment: treatment, randomised: visitor}
  - id: phones
    sentence: Revenue per visitor on phones rises by 10 %.
    metric: revenue_per_visitor
    unit: visitor
    promise: 0.1
    scope: [{column: sessions.device, op: eq, value: mobile}]
    window: {start: 2026-04-28, end: 2026-09-02}
    design: {kind: experiment, experiment: exp-express-checkout, control: control, treatment: treatment, randomised: visitor}
guardrails:
  - {metric: average_order_value, margin: 0.3}
"""


def judged(w: World) -> Any:
    data = ShopData(
        tables=w.shop.tables, as_of=w.coverage.last, time_zone=w.shop.time_zone, coverage=w.coverage, allows_replay=True
    )
    return evaluate_proposal(parse_proposal(PROPOSAL, source="parity.yml"), shop=data)


@pytest.mark.parametrize("engine_name", MARKED)
def test_an_experiment_gets_the_same_verdict(engine_name: str) -> None:
    ours, theirs = judged(world("simulated")), judged(world("simulated", engine_name))
    assert ours.claims[0].measured.effect is not None
    assert dataclasses.is_dataclass(ours)
    assert differences(ours, theirs) == []
