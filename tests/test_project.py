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

from tests.conftest import ROOT, git

#: conda-forge's name of a package where it differs from PyPI's.
CONDA_NAMES = {"python-duckdb": "duckdb", "python-tzdata": "tzdata", "types-pyyaml": "types-pyyaml"}
EXTRAS_IN_CONDA = ("dev", "demo")
ROOMS = (
    "demand", "positioning", "segmentation", "classification", "forecasting", "product_control", "kpis",
    "content", "channels", "paths",
)  # fmt: skip


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


def _public_functions(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    return [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]


def _text_of_callers() -> dict[Path, str]:
    texts = {path: path.read_text() for path in (ROOT / "opslib").rglob("*.py")}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        texts[path] = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return texts


def _names_used(path: Path) -> set[str]:
    """Names that a module's code uses, definitions and docstrings apart."""
    tree = ast.parse(path.read_text())
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_a_public_function_of_a_room_is_called_by_somebody():
    """Small: what no notebook, command or other function calls does not exist."""
    texts = _text_of_callers()
    unused = []
    for room in ROOMS:
        for path in [ROOT / "opslib" / f"{room}.py", *sorted((ROOT / "opslib" / room).glob("*.py"))]:
            if not path.exists() or path.name == "__init__.py":
                continue
            others = [text for other, text in texts.items() if other != path and other.name != "__init__.py"]
            for name in set(_public_functions(path)) - _names_used(path):
                if not any(re.search(rf"\b{name}\b", text) for text in others):
                    unused.append(f"{path.relative_to(ROOT)}: {name}")
    assert unused == []


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
    assert len(code) < 25
    for source in sources:
        assert len([line for line in source.splitlines() if line.strip()]) <= 15
        assert not re.search(r"^\s*(def|class|try|except)\b", source, re.MULTILINE)
    words = sum(len("".join(cell["source"]).split()) for cell in prose)
    assert 25 <= words / len(code) <= 55
    assert "".join(prose[0]["source"]).startswith("# ")


#: docs/adr/0008: lines of code without docstrings, comments and blank lines; adapters and simulation apart.
MOST_CODE_LINES = 24_500
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
    package = ROOT / "opslib"
    return [p for p in package.rglob("*.py") if not {"adapters", "simulate"} & set(p.relative_to(package).parts)]


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


def test_the_command_line_starts_without_heavy_libraries():
    code = (
        "import sys, opslib.cli; print([m for m in ('matplotlib', 'sklearn', 'papermill', 'ibis') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"
