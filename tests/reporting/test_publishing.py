"""Folders of runs: one writer, whole runs only, a stable address."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opslib.errors import ReportError
from opslib.reporting import publishing


def make_run(folder: Path, name: str, text: str = "") -> Path:
    building = folder / publishing.BUILDING
    building.mkdir(parents=True)
    (building / "index.html").write_text(text or name)
    (building / "manifest.json").write_text("{}")
    return publishing.publish(folder, name)


def test_a_second_writer_is_turned_away(tmp_path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom opslib.reporting import publishing\n"
        "with publishing.output_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = rf"is being written by another run \(process {holder.pid}\): wait for it, or choose another --out"
        with pytest.raises(ReportError, match=message), publishing.output_lock(tmp_path):
            pass
        holder.kill()  # a dead writer leaves no lock behind
    with publishing.output_lock(tmp_path):
        pass


def test_latest_follows_the_newest_run(tmp_path) -> None:
    make_run(tmp_path, "1")
    make_run(tmp_path, "2")
    latest = tmp_path / "latest"
    assert latest.is_symlink()
    assert os.readlink(latest) == "2"  # relative, so that the folder can be moved
    assert (latest / "index.html").read_text() == "2"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2", "latest"]


def test_latest_is_a_copy_where_links_are_missing(tmp_path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    make_run(tmp_path, "1")
    make_run(tmp_path, "2")
    assert not (tmp_path / "latest").is_symlink()
    assert (tmp_path / "latest" / "index.html").read_text() == "2"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2", "latest"]


def test_prune_keeps_the_newest_and_what_latest_shows(tmp_path) -> None:
    for name in ("20260101T000000Z", "20260102T000000Z", "20260103T000000Z", "20260104T000000Z"):
        make_run(tmp_path, name)
    publishing._point_latest(tmp_path, tmp_path / "20260101T000000Z")
    gone = publishing.prune(tmp_path, keep=2)
    assert [p.name for p in gone] == ["20260102T000000Z"]
    assert (tmp_path / "latest" / "index.html").is_file()
    with pytest.raises(ReportError, match="keep = 0 is not allowed"):
        publishing.prune(tmp_path, keep=0)


def test_run_names_sort_by_time_and_never_clash(tmp_path) -> None:
    now = datetime(2026, 11, 24, 8, 0, 5, tzinfo=UTC)
    (tmp_path / "20261124T080005Z").mkdir()
    assert publishing.run_name(tmp_path, now=now) == "20261124T080005Z-2"


def test_a_failed_notebook_is_for_its_owner_only(tmp_path) -> None:
    for text in ("first", "second"):
        path = publishing.keep_failed(tmp_path, "demo-x", text)
        assert path.read_text() == text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
