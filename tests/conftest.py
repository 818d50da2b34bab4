"""Shared fixtures: where the real data are, and what may be skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A shared machine is no stop-watch, and CI must not depend on luck: no deadline, the same examples every time.
settings.register_profile("opslib", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("opslib")

ROOT = Path(__file__).resolve().parents[1]
STRICT = os.environ.get("OPSLIB_STRICT") == "1"
SLOW = STRICT or os.environ.get("OPSLIB_SLOW") == "1"
#: File that names the tests that passed: written by the first run that is told of it, left out by the next.
PASSED = os.environ.get("OPSLIB_PASSED")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make test` leaves the slowest tests to `make full` and to CI, and lists them; one asked for by name runs.

    CI's strict run leaves out what passed in its run on a fresh clone of the same commit: no test does less there than
    here, it runs or it is skipped and therefore not in the list.
    """
    if PASSED and Path(PASSED).exists():
        passed = set(Path(PASSED).read_text(encoding="utf-8").splitlines())
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]
    if SLOW or any("::" in argument for argument in config.args):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: `make full` runs it, and CI does"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Note the result of `make full`, and the tests that passed, in the files that are named for them."""
    if PASSED and not hasattr(config, "workerinput") and not Path(PASSED).exists():
        lines = [f"{report.nodeid}\n" for report in terminalreporter.stats.get("passed", ())]
        Path(PASSED).write_text("".join(lines), encoding="utf-8")
    if target := os.environ.get("OPSLIB_RECORD"):
        from tests.recording import page_of

        Path(target).write_text(page_of(terminalreporter.stats), encoding="utf-8")


def skip_or_fail(reason: str) -> None:
    """Skip by hand, fail in CI: there every engine, browser and data set must be present."""
    if STRICT:
        pytest.fail(f"OPSLIB_STRICT=1 and {reason}", pytrace=False)
    pytest.skip(reason)


def real_data_folder() -> Path:
    """Folder of the real data: OPSLIB_REAL_DATA, or ``shared/data`` beside the project."""
    return Path(os.environ.get("OPSLIB_REAL_DATA", ROOT.parent / "shared" / "data"))


def real_data(name: str) -> Path:
    """A file or folder of the real data; skips, saying so, where it is absent."""
    path = real_data_folder() / name
    if not path.exists():
        skip_or_fail(f"the real data '{name}' are not beside the project (see CONTRIBUTING, 'Real data')")
    return path


def git(*words: str, folder: Path = ROOT) -> str:
    """What git says in a folder; skips, saying so, where there is no git or the project is no checkout."""
    if shutil.which("git") is None:
        skip_or_fail("git is not installed")
    if folder == ROOT and not (ROOT / ".git").exists():
        skip_or_fail("the project is no git checkout")
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT
