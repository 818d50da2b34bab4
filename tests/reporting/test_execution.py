"""What became of a notebook: papermill's metadata calls several of these a success."""

from __future__ import annotations

import pytest

from opslib.reporting.execution import execute
from tests.reporting.notebooks import notebook

pytestmark = pytest.mark.fault


def run(*cells: str, folder, timeout: float = 60):
    return execute(notebook(*cells), {}, folder=folder, timeout=timeout, on_cell=lambda n: None)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1 / 0", "code cell 3 stopped with ZeroDivisionError"),
        ("import sys; sys.exit(0)", "code cell 3 stopped with SystemExit"),
        ("import os; os._exit(0)", "its kernel ended by itself after"),
        ("raise ValueError('secret postgres://me:hunter2@db')", "code cell 3 stopped with ValueError"),
        ("no_such_magic = %no_such_magic", "code cell 3 did not run to its end"),
    ],
)
def test_a_run_that_breaks_off_has_failed(cell: str, reason: str, tmp_path) -> None:
    done = run("print('before')", cell, "print('after')", folder=tmp_path)
    assert done.status == "failed"
    assert reason in done.reason
    assert "hunter2" not in done.reason
    printed = [o.get("text") for c in done.notebook.cells for o in c.get("outputs", [])]
    assert "before\n" in printed
    assert "after\n" not in printed


def test_a_run_that_takes_too_long_is_stopped_as_a_whole(tmp_path) -> None:
    done = run(*["import time; time.sleep(1)"] * 20, folder=tmp_path, timeout=3)
    assert (done.status, done.reason) == ("failed", "it took longer than 3 seconds and was stopped")
    assert done.seconds < 15  # seconds; noticing the end and a busy machine included


def test_a_missing_table_is_no_failure(tmp_path) -> None:
    cell = (
        "from opslib.errors import NotAvailableError\nraise NotAvailableError('reviews', 'what disappoints (and why)')"
    )
    done = run(cell, "print('after')", folder=tmp_path)
    assert done.status == "not available"


def test_an_error_of_ours_keeps_its_words(tmp_path) -> None:
    done = run("from opslib.errors import ContractError\nraise ContractError('no column x')", folder=tmp_path)
    assert done.reason == "code cell 2 stopped with ContractError: no column x"


def test_a_good_run_tells_its_cells(tmp_path) -> None:
    seen: list[int] = []
    done = execute(notebook("1", "", "print(2)"), {}, folder=tmp_path, timeout=60, on_cell=seen.append)
    assert (done.status, done.reason) == ("ok", "")
    assert seen[-1] == 3  # the parameters cell and two with code; an empty cell is not run
    assert seen == sorted(seen)
