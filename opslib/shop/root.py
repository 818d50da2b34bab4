"""Where the project lies; imports nothing, so that a shell's completion does not wait for an engine."""

from __future__ import annotations

from pathlib import Path


def project_root() -> Path:
    """The nearest folder upwards from the working directory with ``data/shops`` and ``notebooks``, else the package's.

    Examples
    --------
    >>> (project_root() / "opslib").exists() or (project_root() / "data").exists()
    True
    """
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "data" / "shops").is_dir() and (folder / "notebooks").is_dir():
            return folder
    return Path(__file__).resolve().parents[2]


def proposals_of(shop: str) -> Path:
    """Folder of the proposals, and of their ledger, of the shop of that name."""
    return project_root() / "data" / "proposals" / shop
