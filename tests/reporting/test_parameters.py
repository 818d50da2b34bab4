"""Parameters: what papermill's own inspector misses or damages must be read, kept or refused here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.reporting.parameters import check_parameters, load_notebook, read_parameters
from tests.reporting.notebooks import COMMON, notebook, save


def declared(source: str):
    return read_parameters(notebook(parameters=source), name="nb")


def test_every_declaration_is_read_with_its_meaning_and_hint() -> None:
    found = declared(
        "url: str = 'http://x/#frag=1'  # an address\nbins: int = 5  # bins [2..10]\nby: str = 'month'  # grain [day|month]\n"
        "level: float = .95\nis_short: bool = False\nskus: list = ['001',\n 'b']  # articles\n"
    )
    assert found["url"].default == "http://x/#frag=1"  # papermill cuts it at the hash
    assert found["url"].meaning == "an address"
    assert (found["bins"].lower, found["bins"].upper, found["bins"].meaning) == (2, 10, "bins")
    assert found["by"].choices == ("day", "month")
    assert found["skus"].default == ["001", "b"]
    assert found["skus"].meaning == "articles"


@pytest.mark.parametrize(
    "line",
    [
        "x = 1",
        "x: int | None = None",
        "x: datetime.date = None",
        "x: int",
        "import os",
        "x: int = 1 + n",
        "x: str = f()",
    ],
)
def test_a_declaration_that_papermill_would_miss_is_refused(line: str) -> None:
    with pytest.raises(ParameterError, match=r"nb: .*(form|literal)"):
        declared(line)


def test_a_default_must_obey_its_own_hint() -> None:
    with pytest.raises(ParameterError, match=r"bins = 50 is not allowed: int from 2 to 10"):
        declared("bins: int = 50  # bins [2..10]")


def test_exactly_one_cell_is_tagged() -> None:
    twice = notebook()
    twice.cells.append(twice.cells[1])
    with pytest.raises(ParameterError, match="exactly one code cell tagged 'parameters', has 2"):
        read_parameters(twice, name="nb")


def test_text_stays_as_it_was_written() -> None:
    names = declared("sku: str = ''")
    for text in ("00123", "1e5", "1_000", "nan", "True", '"; import os'):
        assert check_parameters(names, {"sku": text}, name="nb") == {"sku": text}


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ("n: int = 1", "7", 7),
        ("n: float = 1.0", "7", 7.0),
        ("n: float = 1.0", 7, 7.0),
        ("f: bool = True", "false", False),
        ("x: list = []", "a, b", ["a", "b"]),
        ("x: list = []", (1, 2), [1, 2]),
    ],
)
def test_text_from_a_command_line_becomes_the_declared_type(source: str, value: object, expected: object) -> None:
    assert list(check_parameters(declared(source), {source[0]: value}, name="nb").values()) == [expected]


@pytest.mark.parametrize(
    ("source", "value", "allowed"),
    [
        ("n: int = 1", "notanint", "int"),
        ("n: int = 1", 1.5, "int"),
        ("n: int = 1", True, "int"),
        ("n: float = 1.0", float("nan"), "float"),
        ("f: bool = True", "yes", "bool"),
        ("f: bool = True", 1, "bool"),
        ("s: str = ''", 5, "str"),
        ("s: str = 'a'  # [a|b]", "c", "one of a, b"),
        ("n: int = 3  # [1..9]", 10, "from 1 to 9"),
        ("x: list = ['a']  # [a|b]", ["a", "c"], "one of a, b"),
        ("x: list = []", [{}], "list"),
        ("start: str = ''", "31.10.2026", "a date such as 2026-10-31"),
        ("end: str = ''", "2026-02-30", "a date"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(source: str, value: object, allowed: str) -> None:
    name = source.partition(":")[0]
    with pytest.raises(ParameterError, match=rf"nb: {name} = .* is not allowed: .*{allowed}"):
        check_parameters(declared(source), {name: value}, name="nb")


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ParameterError, match="nb has no parameter 'wher': did you mean 'where'"):
        check_parameters(declared(COMMON), {"wher": "x"}, name="nb")
    with pytest.raises(ParameterError, match="has no parameter"):  # papermill would run this as code
        check_parameters(declared(COMMON), {'x=__import__("os").system("true"); y': 1}, name="nb")


def test_the_period_runs_forward() -> None:
    with pytest.raises(ParameterError, match="is after end"):
        check_parameters(declared(COMMON), {"start": "2026-11-01", "end": "2026-10-31"}, name="nb")


def test_a_missing_notebook_names_the_nearest(tmp_path) -> None:
    save(tmp_path / "31_segmentation.ipynb", notebook())
    with pytest.raises(ParameterError, match=r"did you mean '31_segmentation.ipynb'"):
        load_notebook(tmp_path / "31_segmentatoin.ipynb")


@given(st.text(max_size=40))
def test_any_text_survives_as_default_and_as_value(text: str) -> None:
    names = declared(f"s: str = {text!r}")
    assert names["s"].default == text
    assert check_parameters(names, {"s": text}, name="nb") == {"s": text}
