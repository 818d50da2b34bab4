"""Where the project lies, and where what is made of its data goes; light, so that a shell's completion does not wait."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from opslib.errors import ProjectError


def project_root() -> Path:
    """The project's folder: ``OPSLIB_PROJECT``, else the nearest one upwards from the working directory.

    Returns
    -------
    Path
        A folder with a file ``.opslib``, or with ``data/shops`` and ``notebooks``. From elsewhere, a source checkout
        that is installed as it stands is its own project.

    Raises
    ------
    ProjectError
        There is none; says how to name one.

    Examples
    --------
    >>> (project_root() / "data" / "shops").is_dir()
    True
    """
    if named := os.environ.get("OPSLIB_PROJECT"):
        if not Path(named).is_dir():
            raise ProjectError(f"OPSLIB_PROJECT: '{named}' is no folder; set it to the project's folder, or unset it")
        return Path(named).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        is_project = (folder / "data" / "shops").is_dir() and (folder / "notebooks").is_dir()
        if is_project or (folder / ".opslib").exists():
            return folder
    raise ProjectError(
        "no project here: cd into one (a folder with data/shops and notebooks, or with a file .opslib), "
        "or set OPSLIB_PROJECT to its folder"
    )


def proposals_of(shop: str) -> Path:
    """Folder of the proposals, and of their ledger, of the shop of that name."""
    return project_root() / "data" / "proposals" / shop


def homes_of(kind: str, name: str, *, root: Path) -> tuple[Path, Path]:
    """Folders for what is made of a shop's data: in the project, and in the user's cache for where that is read-only.

    Parameters
    ----------
    kind, name : str
        "staged" or "raw"; the shop's name.
    root : Path
        The project.

    Returns
    -------
    (Path, Path)
        In the order in which they are read and tried.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    project = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return root / "data" / kind / name, cache / "opslib" / project / kind / name


@cache
def _say(sentence: str) -> None:
    """Once a process."""
    logging.getLogger(__name__).warning(sentence)


def writable(homes: Sequence[Path]) -> Path:
    """The first of some folders that can be written, made if absent; one sentence if it is not the first of all."""
    for home in homes:
        try:
            home.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=home):
                pass
        except OSError:
            continue
        if home != homes[0]:
            _say(f"{homes[0]} cannot be written: what is made of the data goes to {home}")
        return home
    raise ProjectError(f"{homes[0]} cannot be written, nor can {homes[-1]}; set XDG_CACHE_HOME to a folder of yours")


def project_secret(root: Path) -> str:
    """What stand-ins for people are keyed with: random, made once a project, readable by its owner alone, never committed.

    Parameters
    ----------
    root : Path
        The project.

    Returns
    -------
    str
        64 hex digits, from ``data/.secret``, or from the user's cache where that cannot be written.
    """
    homes = [home.parents[1] for home in homes_of("staged", "any", root=root)]
    for home in homes:
        if (home / ".secret").exists():
            return (home / ".secret").read_text(encoding="utf-8")
    path = writable(homes) / ".secret"
    beside = path.with_name(f".secret.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(beside, path)  # the first of several processes wins
    except FileExistsError:
        pass
    finally:
        beside.unlink()
    return path.read_text(encoding="utf-8")
