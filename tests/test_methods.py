"""docs/methods.md against the code: what it names exists, what a page can show is named, constants are the code's."""

from __future__ import annotations

import ast
import importlib
import re

import pytest

from benchmarks.truth import CELLS
from opslib.metrics import METRICS
from tests.conftest import ROOT

METHODS = (ROOT / "docs" / "methods.md").read_text()
#: Functions of `stats` that give no number a page can show: they read, sort, check or choose.
HELPERS = {
    "as_frame",
    "panel_frame",
    "daily_frame",
    "arms_of",
    "strata_of",
    "statistics_of_row",
    "require_two_units",
    "require_units",
    "has_covariate",
    "resolved_scale",
    "resolved_errors",
}
_NAME = re.compile(r"`((?:\w+\.)+\w+)`")
#: What a dotted name of the code begins with; tables and columns are written with a dot as well.
_TOP = {path.stem for path in (ROOT / "opslib").iterdir() if path.suffix == ".py" or path.is_dir()}


def _public_functions() -> list[str]:
    found = []
    for path in sorted((ROOT / "opslib" / "stats").glob("*.py")):
        tree = ast.parse(path.read_text())
        found += [
            f"stats.{path.stem}.{node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        ]
    return found


def _resolved(dotted: str) -> object:
    """The object of a dotted name below opslib or of the benchmarks: as much of it as is a module, the rest by attribute."""
    parts = dotted.split(".")
    for n_module in range(len(parts), 0, -1):
        module = ".".join(parts[:n_module])
        try:
            found: object = importlib.import_module(module if parts[0] == "benchmarks" else f"opslib.{module}")
        except ModuleNotFoundError as error:
            if not str(error.name).startswith(("opslib", "benchmarks")):
                raise
            continue
        for attribute in parts[n_module:]:
            found = getattr(found, attribute)
        return found
    raise AttributeError(f"opslib has no '{dotted}'")


def _names() -> list[str]:
    found = {name for name in _NAME.findall(METHODS) if name.split(".")[0] in _TOP}
    return sorted(found - {"shop.yml"})  # a file


def _rows(section: str) -> list[list[str]]:
    """Cells of the first table after a heading."""
    text = METHODS.split(f"\n## {section}", 1)[1]
    table = re.search(r"((?:^\|.*\|\n)+)", text, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].strip().splitlines()[2:]]


def test_every_statistic_is_described():
    missing = [
        name for name in _public_functions() if name.rpartition(".")[2] not in HELPERS and f"`{name}`" not in METHODS
    ]
    assert not missing


def test_the_helpers_are_functions_of_stats():
    """A helper that is gone must leave the list, or it would hide a later statistic of that name."""
    assert {name.rpartition(".")[2] for name in _public_functions()} >= HELPERS


def test_every_named_function_exists():
    names = _names()
    assert len(names) > 100
    for name in names:
        _resolved(name)


def test_a_name_that_is_gone_is_found():
    with pytest.raises(AttributeError):
        _resolved("stats.ratios.compare_arms")


def test_every_named_test_exists():
    texts = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", METHODS))
    assert len(named) > 100
    assert sorted(name for name in named if f"def {name}(" not in texts) == []
    paths = re.findall(r"`(tests/[\w/.]*)`", METHODS)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_named_scenario_of_the_bench_exists():
    named = set(re.findall(r"`bench: ([^`]+)`", METHODS))
    assert len(named) > 20
    assert sorted(named - {cell.nuisance for cell in CELLS}) == []


def test_metrics_are_those_of_the_registry():
    written = {row[0].strip("`"): row[1:] for row in _rows("1 What is counted")}
    assert written == {
        name: [metric.definition, metric.unit_of_analysis, "more" if metric.direction == 1 else "less"]
        for name, metric in METRICS.items()
    }


def test_constants_are_those_of_the_code():
    rows = _rows("14 Constants")
    assert len(rows) > 50
    assert [(name, value) for name, value, _ in rows if ast.literal_eval(value) != _resolved(name.strip("`"))] == []


def test_the_number_of_judged_cells_is_the_benchs():
    families = ("experiment", "cluster_experiment", "level", "trend")
    n = sum(cell.design in families for cell in CELLS)
    assert f"{n} cells of experiments, clusters, levels and trends" in " ".join(METHODS.split())
