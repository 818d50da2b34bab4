"""What was asked for is noted by the doors themselves, there or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from opslib.casework import files
from opslib.contracts import CONTRACTS
from opslib.errors import ContractError, NotAvailableError, ParameterError, ProposalError
from opslib.shop import checks, reads
from opslib.shop.segment_models import load_segment_model
from tests.shop.builders import ORDERS, open_orders, write_csv


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    reads.clear()
    yield
    reads.clear()


def test_tables_are_noted_whether_there_or_not(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    shop = open_orders(tmp_path, "orders.csv")
    reads.clear()
    shop.table("order_lines")
    with pytest.raises(NotAvailableError):
        shop.table("events")
    assert not shop.has("tickets")
    shop.table("order_lines")
    with pytest.raises(ContractError):
        shop.has("orders")
    assert reads.noted() == (("table", "order_lines"), ("table", "events"), ("table", "tickets"))


def test_the_checks_read_every_table_also_when_their_result_is_remembered(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    for _ in range(2):
        reads.clear()
        checks.known_violations(open_orders(tmp_path, "orders.csv"))
        assert {name for _, name in reads.noted()} == set(CONTRACTS)


def test_proposals_and_ledger_are_noted_by_shop(tmp_path: Path) -> None:
    files.load_proposals(tmp_path / "one")
    with pytest.raises(ProposalError):
        files.load_proposals(tmp_path / "two")["x"]
    files.frozen_records(tmp_path / "one")
    assert reads.noted() == (("proposals", "one"), ("proposals", "two"), ("ledger", "one"))


def test_a_model_is_noted_by_its_path_from_the_project() -> None:
    with pytest.raises(ParameterError):
        load_segment_model("data/models/none.json")
    assert reads.noted() == (("model", "data/models/none.json"),)
