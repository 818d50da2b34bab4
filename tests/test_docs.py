"""Documents that the code makes say what the code has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs import FIRST, LAST, made, page_rows, readme


def test_made_documents_are_current() -> None:
    stale = [str(path.relative_to(ROOT)) for path, text in made().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], f"run `make docs`: {', '.join(stale)}"


def _page(folder: Path, name: str, first: str) -> None:
    (folder / f"{name}.ipynb").write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": [first]}]}))


def test_a_page_becomes_a_row_of_the_readme(tmp_path: Path) -> None:
    _page(tmp_path, "73_gifts", "# Who gives?\n\n*Question:* who?\n*Reader:* buying. *Decision:* what to wrap.")
    assert page_rows(tmp_path)[2:] == ["| Who gives? | `73_gifts` | buying |"]
    text = readme(f"before\n{FIRST}\n| old |\n{LAST}\nafter\n", tmp_path)
    assert text.splitlines()[0] == "before"
    assert text.splitlines()[-3:] == ["| Who gives? | `73_gifts` | buying |", LAST, "after"]


def test_a_page_that_names_no_reader_is_refused(tmp_path: Path) -> None:
    _page(tmp_path, "74_nobody", "# Who?")
    with pytest.raises(ValueError, match=r"74_nobody.ipynb: the first cell names no reader"):
        page_rows(tmp_path)
