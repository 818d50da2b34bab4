"""Atomic file writes, and file locks."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO


def write_whole(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write beside, force it to the disk, then move over: a reader sees the old file or the new one, never half.

    ``mode`` is that of the file from its first byte on, less what the process masks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    opener = partial(os.open, mode=mode)
    with open(beside, "w", encoding="utf-8", newline="\n", opener=opener) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


@contextmanager
def locked(path: Path, *, is_patient: bool = True) -> Iterator[TextIO]:
    """A file opened for appending, with its exclusive lock; `BlockingIOError` at once for who does not wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8", newline="") as file:  # closing it gives the lock back
        fcntl.flock(file, fcntl.LOCK_EX | (0 if is_patient else fcntl.LOCK_NB))
        file.seek(0)
        yield file
