"""Atomic publishing of finished runs, one writer at a time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from opslib.errors import ReportError
from opslib.shop import disk

BUILDING, LATEST, FAILED = ".building", "latest", ".failed"


@contextmanager
def output_lock(folder: Path) -> Iterator[None]:
    """Hold the one lock of an output folder.

    Parameters
    ----------
    folder : Path
        Folder of a shop's runs; made if it is missing.

    Raises
    ------
    ReportError
        If another run is writing there.
    """
    path = folder / ".lock"
    with ExitStack() as held:
        try:
            file = held.enter_context(disk.locked(path, is_patient=False))
        except BlockingIOError:
            holder = path.read_text(encoding="utf-8") or "unknown"
            raise ReportError(
                f"{folder} is being written by another run (process {holder}): wait for it, or choose another --out"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def run_name(folder: Path, *, now: datetime) -> str:
    """Name of a new run: the time in UTC, with a counter where that is taken."""
    name = f"{now:%Y%m%dT%H%M%SZ}"
    taken = {p.name for p in folder.iterdir()}
    candidates = [name, *(f"{name}-{i}" for i in range(2, 100))]
    return next(c for c in candidates if c not in taken)


def publish(folder: Path, run: str) -> Path:
    """Turn the finished ``.building`` into a run, then point ``latest`` at it.

    Parameters
    ----------
    folder : Path
        Folder of a shop's runs.
    run : str
        Name for the run.

    Returns
    -------
    Path
        The run's folder.
    """
    target = folder / run
    (folder / BUILDING).rename(target)
    _point_latest(folder, target)
    return target


def _point_latest(folder: Path, target: Path) -> None:
    latest, fresh = folder / LATEST, folder / ".latest"
    remove(fresh)
    try:
        fresh.symlink_to(target.name, target_is_directory=True)
    except OSError:  # no symbolic links here: a copy instead
        shutil.copytree(target, fresh)
    if latest.is_dir() and not latest.is_symlink():
        old = folder / ".previous"
        remove(old)
        latest.rename(old)
        fresh.rename(latest)
        remove(old)
    else:
        os.replace(fresh, latest)


def keep_failed(out: Path, name: str, text: str) -> Path:
    """Keep a half-run notebook for the analyst, readable by this user only."""
    folder = out / FAILED
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def carry_over(source: Path, target: Path) -> None:
    """Put a finished file of an earlier run into this one, without a second copy where links exist."""
    if source.resolve() == target.resolve():
        return
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def runs(folder: Path) -> list[Path]:
    """Finished runs of a shop, oldest first."""
    found = [p for p in folder.iterdir() if (p / "manifest.json").is_file() and p.name != LATEST]
    return sorted((p for p in found if not p.name.startswith(".")), key=lambda p: p.name)


def prune(folder: Path, *, keep: int) -> list[Path]:
    """Remove all but the newest runs; the one that ``latest`` shows always stays.

    Parameters
    ----------
    folder : Path
        Folder of a shop's runs.
    keep : int
        Number of runs to keep, at least 1.

    Returns
    -------
    list of Path
        What was removed.

    Raises
    ------
    ReportError
        If ``keep`` is below 1.
    """
    if keep < 1:
        raise ReportError(f"prune: keep = {keep} is not allowed: at least 1 run stays")
    with output_lock(folder):
        shown = (folder / LATEST).resolve()
        gone = [p for p in runs(folder)[:-keep] if p.resolve() != shown]
        for path in gone:
            remove(path)
    return gone


def remove(path: Path) -> None:
    """Remove a file, link or folder, if it is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
