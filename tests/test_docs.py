"""Documents that the code makes say what the code has."""

from __future__ import annotations

import ast
import doctest
import json
import re
from pathlib import Path

import pytest

from opslib import engine
from opslib.shop.opening import open_shop
from opslib.shop.shopfile import ColumnSource, ShopFile, TableSource
from tests.conftest import ROOT
from tests.docs import FIRST, LAST, filled, made, page_rows


def test_made_documents_are_current() -> None:
    stale = [str(path.relative_to(ROOT)) for path, text in made().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], f"run `make docs`: {', '.join(stale)}"


def _page(folder: Path, name: str, first: str) -> None:
    (folder / f"{name}.ipynb").write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": [first]}]}))


def test_a_page_becomes_a_row_of_the_readme(tmp_path: Path) -> None:
    _page(tmp_path, "73_gifts", "# Who gives?\n\n*Question:* who?\n*Reader:* buying. *Decision:* what to wrap.")
    assert page_rows(tmp_path)[2:] == ["| Who gives? | `73_gifts` | buying |"]
    text = filled(f"before\n{FIRST}\n| old |\n{LAST}\nafter\n", page_rows(tmp_path), first=FIRST, last=LAST)
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


DATA = ROOT / "docs" / "data.md"


def _files(folder: Path) -> list[Path]:
    """The blocks of docs/data.md that name a file, written into a folder."""
    written = []
    for name, text in re.findall(
        r"^```\w+ (\S+)\n(.*?)^```", DATA.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


@pytest.mark.parametrize(("name", "revenue"), [("map", "1,244.30"), ("sql", "24.00")])
def test_the_examples_of_exports_open_with_the_revenue_that_is_said(tmp_path: Path, name: str, revenue: str) -> None:
    assert len(_files(tmp_path)) == 6
    tables = open_shop(str(tmp_path / name / "shop.yml"), root=tmp_path).tables
    lines = tables["order_lines"]
    paid = lines.filter(lines["status"] == "paid") if "status" in lines.columns else lines
    found = engine.collect(paid.aggregate(revenue=(paid["quantity"] * paid["unit_price"]).sum()))["revenue"].iloc[0]
    assert f"{found:,.2f}" == revenue
    assert f"{revenue} EUR here" in DATA.read_text(encoding="utf-8") or f"are {revenue}" in DATA.read_text(
        encoding="utf-8"
    )


def test_every_key_of_a_shop_file_is_explained() -> None:
    named = set(re.findall(r"`(\w+)`", DATA.read_text(encoding="utf-8").partition("## Every key")[2]))
    keys = {key for model in (ShopFile, TableSource, ColumnSource) for key in model.model_fields} - {"source"}
    assert keys - named == set()
