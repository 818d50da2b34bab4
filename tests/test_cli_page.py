"""A new page, both ways, in a copy of the project: it runs, keeps the house's rules, and edits nothing that it need not."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from opslib.cli import app
from opslib.cli.new_page import complete_names, write_page
from opslib.errors import ParameterError
from tests.conftest import ROOT

PARTS = ("opslib", "benchmarks", "tests", "notebooks", "data/shops", "data/proposals", "docs", "reports/batches")
FILES = ("pyproject.toml", "README.md", "CONTRIBUTING.md", "environment.yml", "Makefile")
PAGE_TESTS = "all_pages or answers_first or same_bytes or default_of_every"


def copy_of_the_project(folder: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", "node_modules", ".*")
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    if (ROOT / "data" / "raw" / "demo").is_dir():  # else the copy simulates its own
        (folder / "data" / "raw").mkdir()
        (folder / "data" / "raw" / "demo").symlink_to(ROOT / "data" / "raw" / "demo")
    return folder


def run(folder: Path, *command: str) -> str:
    """The output of a command inside the copy, which imports the copy and nothing of the project."""
    asked = {k: v for k, v in os.environ.items() if not k.startswith(("OPSLIB_", "PYTEST_"))} | {
        "PYTHONPATH": str(folder),
        "OPSLIB_SLOW": "1",
    }
    done = subprocess.run(command, cwd=folder, env=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
    return done.stdout


def python(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", *arguments)


def lint(folder: Path, *new: str) -> None:
    """`make lint`, with types of the new files only."""
    python(folder, "ruff", "check", "opslib", "benchmarks", "tests")
    python(folder, "ruff", "format", "--check", "opslib", "benchmarks", "tests")
    run(folder, str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    if new:
        python(folder, "mypy", *new)


def changed(folder: Path) -> tuple[set[str], set[str]]:
    """Files that the copy has and the project has not, and files that differ."""
    added, edited = set(), set()
    for part in (*PARTS, *FILES):
        for path in (folder / part).rglob("*") if (folder / part).is_dir() else [folder / part]:
            name = path.relative_to(folder)
            if not path.is_file() or "__pycache__" in name.parts or any(p.startswith(".") for p in name.parts):
                continue
            if not (ROOT / name).exists():
                added.add(str(name))
            elif not filecmp.cmp(path, ROOT / name, shallow=False):
                edited.add(str(name))
    return added, edited


def keep_only(folder: Path, page: str) -> None:
    """Leave one notebook, so that the tests of all pages are about the new one."""
    for path in (folder / "notebooks").glob("*.ipynb"):
        if path.stem != page:
            path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("room", ["", "gifts"], ids=["on rooms that exist", "with a room"])
def test_a_new_page_passes_the_tests_of_pages_and_the_linters(tmp_path: Path, room: str) -> None:
    folder = copy_of_the_project(tmp_path / "copy")
    python(folder, "opslib", "page", "new", "73_gifts", *(["--room", room] if room else []))
    own = {"opslib/gifts.py", "opslib/findings/gifts.py", "tests/test_gifts.py", "tests/findings/test_gifts.py"}
    assert changed(folder) == (
        {"notebooks/73_gifts.ipynb"} | (own if room else set()),
        {"pyproject.toml"} if room else set(),
    )
    lint(folder, *(sorted(name for name in own if name.startswith("opslib")) if room else []))
    keep_only(folder, "73_gifts")
    python(folder, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_project.py", "-k", "73_gifts")
    python(folder, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_pages.py", "-k", PAGE_TESTS)
    if room:
        python(folder, "pytest", "-q", "-p", "no:cacheprovider", *sorted(own))
        asked = "gifts and (duckdb or not_empty)"
        python(folder, "pytest", "-q", "-p", "no:cacheprovider", "tests/engines", "-k", asked)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that holds no checkout of opslib."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "70_statistics.ipynb").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "room", "message"),
    [
        ("gifts", "", "page 'gifts': write two figures, an underscore and a word"),
        ("7_gifts", "", "write two figures"),
        ("70_gifts", "", "70 is the number of a page already; 71 is free"),
        ("73_gifts", "gifts", "this project holds no checkout of it; leave --room out"),
    ],
)
def test_what_cannot_be_a_page_is_refused(project: Path, name: str, room: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        write_page(name, room=room, root=project)
    assert [path.name for path in (project / "notebooks").iterdir()] == ["70_statistics.ipynb"]


@pytest.mark.parametrize(
    ("room", "message"),
    [
        ("kpis", "--room 'kpis': opslib/kpis is there already"),
        ("class", "--room 'class': write one word in small letters"),
        ("my-room", "--room 'my-room': write one word in small letters"),
    ],
)
def test_what_cannot_be_a_room_is_refused(tmp_path: Path, room: str, message: str) -> None:
    (tmp_path / "opslib" / "kpis").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with pytest.raises(ParameterError, match=message):
        write_page("73_gifts", room=room, root=tmp_path)
    assert not (tmp_path / "notebooks").exists()


def test_a_room_that_the_layers_expect_takes_its_place_there(tmp_path: Path) -> None:
    (tmp_path / "opslib").mkdir()
    row = '    "kpis | segmentation | (demand)",\n'
    (tmp_path / "pyproject.toml").write_text(f'    "(content)",\n{row}')
    write_page("71_content", room="content", root=tmp_path)
    assert (tmp_path / "pyproject.toml").read_text() == f'    "content",\n{row}'
    write_page("73_gifts", room="gifts", root=tmp_path)
    assert "(demand) | gifts" in (tmp_path / "pyproject.toml").read_text()


def test_the_command_says_how_and_completes() -> None:
    said = CliRunner().invoke(app, ["page", "new", "--help"]).output
    assert "opslib page new 73_gifts --room gifts" in " ".join(said.split())
    assert "70_" not in complete_names("7")
    assert "73_" in complete_names("7")
