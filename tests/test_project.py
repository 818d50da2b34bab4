"""The project's own promises: environments equal, pins that still hold, rooms that are used, notebooks that argue."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import yaml

import opslib
from tests.conftest import ROOT, git
from tests.reaching import Package

#: conda-forge's name of a package where it differs from PyPI's.
CONDA_NAMES = {"python-duckdb": "duckdb", "python-tzdata": "tzdata", "types-pyyaml": "types-pyyaml"}
EXTRAS_IN_CONDA = ("dev", "demo")


def _split(requirement: str) -> tuple[str, str]:
    name, _, spec = re.match(r"([A-Za-z0-9_.-]+)(\[[^]]*\])?(.*)", requirement.strip()).groups()
    return name.lower(), spec.replace(" ", "")


def test_environment_yml_equals_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = dict(_split(r) for r in project["dependencies"])
    for extra in EXTRAS_IN_CONDA:
        wanted |= dict(_split(r) for r in project["optional-dependencies"][extra])
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(item["pip"] for item in listed if isinstance(item, dict))
    found = dict(_split(r) for r in [i for i in listed if isinstance(i, str)] + [p for p in pip if p != "-e ."])
    assert found.pop("python") == project["requires-python"]
    found.pop("pip")
    assert {CONDA_NAMES.get(name, name): spec for name, spec in found.items()} == wanted
    assert pip[-1] == "-e ."


def test_the_duckdb_and_sqlglot_pins_are_still_needed():
    """When a newer ibis is installed, this test says that the pins may go: try them, then change it."""
    import ibis

    assert ibis.__version__.startswith("12."), (
        "ibis moved on: try duckdb 2 and sqlglot >= 30.18, drop the pins that pass"
    )
    backend = ibis.duckdb.connect()
    assert backend.create_table("t", pd.DataFrame({"x": [1]})).count().execute() == 1
    assert backend.sql("select 1 as x").count().execute() == 1
    assert "t" in backend.list_tables()


#: What nothing reaches yet, and the issue that will call it. Nothing else stays that only tests use.
WAITING = {
    "proposals.verdicts.q_values": 20,
    "proposals.parsing.json_schema": 20,
    "stats.skewed": 20,
    "stats.rollouts.event_study": 20,
    "stats.sequential.confidence_sequence": 20,
}


def _waits(name: str) -> bool:
    return any(name == waiting or name.startswith(f"{waiting}.") for waiting in WAITING)


def test_what_no_page_command_or_registry_reaches_does_not_exist():
    """Small: calls are followed; a mention in a docstring or a test keeps nothing."""
    assert [name for name in Package(ROOT).unreached if not _waits(name)] == []


def test_what_waits_for_an_issue_still_waits():
    unreached = Package(ROOT).unreached
    called = [name for name in WAITING if not any(u == name or u.startswith(f"{name}.") for u in unreached)]
    assert called == [], "reached by now, or gone: take it from WAITING"


def test_calls_are_followed_through_the_names_of_modules(tmp_path):
    """A small package by hand: what is passed on, aliased, registered or written out is reached; a docstring reaches nothing."""
    package = tmp_path / "opslib"
    (package / "room").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project.scripts]\nopslib = "opslib.cli:main"\n')
    files = {
        "__init__.py": "",
        "cli.py": "import importlib\ndef main(): importlib.import_module('opslib.late')\ndef unused(): main()\n",
        "late.py": "def read(): pass\n",
        "room/__init__.py": "from opslib.room.inner import shown as shown\n__all__ = ['shown', 'lost']\n",
        "room/inner.py": (
            "from opslib.registry import enter\n"
            "def shown(): return _helped()\ndef _helped(): return Box\nclass Box:\n    def open(self): return opened()\n"
            "def opened(): pass\ndef lost(): return also_lost()\ndef also_lost(): 'shown calls lost()'\n"
            "@enter('x')\ndef entered(): pass\nTABLE = {'a': kept}\ndef kept(): pass\n"
        ),
        "registry.py": "def enter(name): return lambda f: f\n",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    cell = {"cell_type": "code", "source": ["from opslib import room as r\n", "r.shown()"]}
    (tmp_path / "notebooks" / "10_x.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert Package(tmp_path).unreached == ["cli.unused", "room.inner.also_lost", "room.inner.kept", "room.inner.lost"]


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_an_argument(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    prose = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    sources = ["".join(cell["source"]) for cell in code]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    tagged = [i for i, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == [0]
    assert {"shop", "start", "end", "where"} <= {line.split(":")[0] for line in sources[0].splitlines()}
    assert "import" in sources[1]
    assert not any("import " in source for source in sources[2:])
    words = sum(len("".join(cell["source"]).split()) for cell in prose)
    assert 25 <= words / len(code) <= 55
    assert "".join(prose[0]["source"]).startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_section_has_a_heading_of_its_own(path):
    """A heading is known by one name: of two under it the first led nowhere, and a page with a finding about it failed."""
    begun = 0
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            begun = 0 if re.search(r"^## ", source, re.MULTILINE) else begun
        else:
            begun += source.count("page.section(")
            assert begun <= 1, source


MOST_CODE_CELLS = 16  # a page that needs more is two pages
MOST_CELL_LINES = 15
LONGEST_LINE = 120
#: What decides or defines: conditions on tables stand in sections, conditions on values in `findings`, steps in rooms.
NOT_IN_A_NOTEBOOK = (
    ast.If, ast.IfExp, ast.BoolOp, ast.While, ast.Match, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try,
)  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_no_programme(path):
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    found = [
        f"cell {n}, line {node.lineno}: {type(node).__name__}"
        for n, source in enumerate(sources)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, NOT_IN_A_NOTEBOOK)
    ]
    found += [
        f"cell {n}: a comprehension with a condition"
        for n, source in enumerate(sources)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.comprehension) and node.ifs
    ]
    found += [
        f"cell {n}: {what}"
        for n, lines in enumerate(source.splitlines() for source in sources)
        for what, is_so in (
            (f"more than {MOST_CELL_LINES} lines", sum(bool(line.strip()) for line in lines) > MOST_CELL_LINES),
            (f"a line of more than {LONGEST_LINE} characters", any(len(line) > LONGEST_LINE for line in lines)),
        )
        if is_so
    ]
    assert found == []
    assert len(cells) <= MOST_CODE_CELLS


#: docs/adr/0008: lines of code of the package and its benchmarks, without docstrings, comments and blank lines; adapters and
#: simulation apart.
MOST_CODE_LINES = 34_000
LONGEST_MODULE = 600


def _code_lines(path: Path) -> int:
    """Lines that hold code."""
    text = path.read_text()
    documented: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        for part in getattr(node, "body", []) if isinstance(getattr(node, "body", None), list) else []:
            if (
                isinstance(part, ast.Expr)
                and isinstance(part.value, ast.Constant)
                and isinstance(part.value.value, str)
            ):
                documented.update(range(part.lineno, (part.end_lineno or part.lineno) + 1))
    empty = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in empty:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - documented)


def _modules() -> list[Path]:
    found = [path for part in ("opslib", "benchmarks") for path in (ROOT / part).rglob("*.py")]
    return [p for p in found if not {"adapters", "simulate"} & set(p.relative_to(ROOT).parts)]


def test_the_package_stays_within_its_recorded_size():
    assert sum(_code_lines(path) for path in _modules()) <= MOST_CODE_LINES


def test_no_module_has_two_reasons_to_change():
    assert [str(p.relative_to(ROOT)) for p in _modules() if p.read_text().count("\n") > LONGEST_MODULE] == []


def test_no_machine_paths_are_committed():
    files = git("ls-files").split()
    bad = []
    for name in files:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yml", ".toml", ".ipynb", ".j2", ".css", ""} and path.is_file():
            text = path.read_text(errors="replace")
            if re.search(r"/(home|root|Users|work)/\w", text) and name != "tests/test_project.py":
                bad.append(name)
    assert bad == []


@pytest.mark.parametrize("module", ["opslib", "opslib.cli"])
def test_importing_the_package_or_its_command_line_loads_no_heavy_library(module):
    heavy = ("pandas", "numpy", "ibis", "duckdb", "matplotlib", "sklearn", "scipy", "papermill", "IPython")
    code = f"import sys, {module}; dir(opslib); print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


def test_every_name_of_the_package_is_there_when_asked_for_and_type_checkers_see_the_same():
    names = [name for name in dir(opslib) if not name.startswith("__")]
    assert all(getattr(opslib, name).__name__.rpartition(".")[2] == name for name in names)
    tree = ast.parse((ROOT / "opslib" / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and node.test.id == "TYPE_CHECKING")
    assert sorted(alias.asname for statement in block.body for alias in statement.names) == names
    with pytest.raises(AttributeError, match="module 'opslib' has no attribute 'segments'"):
        opslib.segments  # noqa: B018


def test_every_room_is_a_name_of_the_package():
    """The rows of rooms are import-linter's: those that know nothing of each other, and those above them."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    rows = " | ".join(row for row in layers if "segmentation" in row or "product_control" in row)
    assert set(re.findall(r"(?<![(\w])\w+(?![\w)])", rows)) | {"charts", "tables"} == set(opslib._MODULES)


#: Parts whose modules are named after what they draw, tell or command: the same thing as in its room.
NAMED_AFTER_A_ROOM = {"charts", "findings", "cli"}
#: The same thing once more: a model of statistics and the room that fits it to customers; a comparison and its design.
SAME_THING = {"lifetime", "cluster_randomised"}
#: Functions that many modules have on purpose: an adapter's interface, what a page says, a scenario's runs, the switches
#: of a formatter, an entry point.
PARALLEL = {
    "detect",
    "find_files",
    "read",
    "findings",
    "limits",
    "answer",
    "simulate",
    "register",
    "unregister",
    "main",
}


def test_no_two_files_classes_or_functions_that_are_different_things_share_a_name():
    """Names that start with an underscore are a module's own; commands share their verbs with what they call."""
    places: dict[tuple[str, str], list[str]] = {}
    for path in sorted(p for part in ("opslib", "benchmarks") for p in (ROOT / part).rglob("*.py")):
        parts = set(path.relative_to(ROOT).parts)
        if not path.name.startswith("__") and not parts & NAMED_AFTER_A_ROOM and path.stem not in SAME_THING:
            places.setdefault(("file", path.stem), []).append(str(path))
        for node in ast.parse(path.read_text()).body if "cli" not in parts else []:
            kind = {ast.ClassDef: "class", ast.FunctionDef: "function"}.get(type(node))
            if kind and not node.name.startswith("_") and node.name not in PARALLEL:
                places.setdefault((kind, node.name), []).append(str(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
