"""Record of what was read, so that a page is made again when, and only when, some of it has changed."""

from __future__ import annotations

from typing import Literal

ReadKind = Literal["table", "proposals", "ledger", "model", "settings", "days", "page"]

_asked: dict[tuple[str, str], None] = {}


def note(kind: ReadKind, name: str) -> None:
    """Remember that something was asked for, whether it is there or not.

    Parameters
    ----------
    kind : {"table", "proposals", "ledger", "model", "settings", "days", "page"}
        What it is; the doors to tables, proposals, ledgers and models note by themselves.
    name : str
        Which one: a table, the shop of proposals and ledger, a model's path from the project's root, another page.

    Examples
    --------
    >>> clear()
    >>> note("table", "events"); note("table", "events"); note("page", "70_statistics")
    >>> noted()
    (('table', 'events'), ('page', '70_statistics'))
    >>> clear()
    """
    _asked[kind, name] = None


def noted() -> tuple[tuple[str, str], ...]:
    """Kind and name of everything asked for since the start or the last `clear`, in order, without repeats."""
    return tuple(_asked)


def clear() -> None:
    """Forget what was asked for; a page starts with an empty record."""
    _asked.clear()
