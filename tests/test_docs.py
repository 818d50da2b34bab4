"""Documents that the code makes say what the code has."""

from __future__ import annotations

import ast
import doctest
import json
import re
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


ANALYST = ROOT / "docs" / "analyst.md"


def test_the_examples_for_analysts_give_what_they_show(capsys: pytest.CaptureFixture[str]) -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.testfile(str(ANALYST), module_relative=False, optionflags=flags)
    assert (found.failed, found.attempted > 50) == (0, True), capsys.readouterr().out


def test_the_small_package_is_ten_functions_in_at_most_five_lines_each() -> None:
    sections = re.findall(
        r"^### (\d+)\. .*?```python\n(.*?)```", ANALYST.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert [int(number) for number, _ in sections] == list(range(1, 11))
    called = set()
    for _, block in sections:
        source = "".join(example.source for example in doctest.DocTestParser().get_examples(block))
        assert source.count("\n") <= 5, source
        called |= {
            node.func.attr
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and getattr(node.func.value, "id", "") in ("segmentation", "positioning")
        }
    assert len(called) >= 10
