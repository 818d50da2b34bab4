"""Errors that an operator may read: each names the thing, the value, what is allowed and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OpslibError(Exception):
    """Base of every error that opslib raises on purpose; its text is meant for the person at the screen."""


class ContractError(OpslibError):
    """A table breaks its contract: a column is missing, a key repeats, a value is not allowed."""


class ParameterError(OpslibError):
    """A choice handed to a function, a notebook or the command line is not one of those allowed."""


class ProjectError(OpslibError):
    """There is no project where one is needed, or it cannot be written."""


class SourceError(OpslibError):
    """A file or a database cannot be read as it was described."""


class ShopFileError(OpslibError):
    """A ``shop.yml`` says something that cannot be carried out."""


class EngineError(OpslibError):
    """The engine cannot be reached or cannot answer."""


class RowCapError(EngineError):
    """A query would pull more rows out of the engine than its caller allowed."""


class ProposalError(OpslibError):
    """A proposal's file breaks its schema or its own promises."""


class LedgerError(OpslibError):
    """The ledger's chain is broken: a line was edited, removed or moved."""


class MissingColumnError(ContractError, ParameterError, SourceError):
    """A table lacks a column that is needed: a contract's, or one that a function counts on; see `require_columns`."""


class ReportError(OpslibError):
    """A page could not be made."""


class DesignError(OpslibError):
    """A design cannot carry an answer on these data; ``gate`` names what failed (it becomes an invalid verdict).

    Parameters
    ----------
    gate : str
        One word: "history", "window", "units", "clusters", "variation", ...
    message : str
        What was found, what is needed, and the way out.
    """

    def __init__(self, gate: str, message: str) -> None:
        self.gate = gate
        super().__init__(f"{gate}: {message}")


class NotAvailableError(OpslibError):
    """The shop lacks a table, so a question cannot be answered.

    Parameters
    ----------
    table : str
        Name of the missing table.
    would_answer : str
        What the table would have answered, as a clause ("which products come back, and why").
    """

    def __init__(self, table: str, would_answer: str) -> None:
        self.table = table
        self.would_answer = would_answer
        super().__init__(f"not available: this shop has no table '{table}' (it would answer: {would_answer})")


def require_columns(columns: Iterable[object], needed: Iterable[str], where: str) -> None:
    """Refuse a table that lacks a column; the one message for it, for frames, tables and files alike.

    Parameters
    ----------
    columns : iterable
        Columns of the table: ``table.columns`` or ``frame.columns``.
    needed : iterable of str
        Columns that must be there.
    where : str
        Which table, figure or file it is.

    Raises
    ------
    MissingColumnError
        Naming the first one missing, and the nearest or all that there are. It is a :class:`ContractError`, a
        :class:`ParameterError` and a :class:`SourceError`, whichever its reader looks for.

    Examples
    --------
    >>> require_columns(["day", "value"], ["value"], "series")
    >>> require_columns(["day", "value"], ["values", "x"], "series")
    Traceback (most recent call last):
    opslib.errors.MissingColumnError: series: no column 'values'; did you mean 'value'?
    >>> require_columns(["day", "value"], ["country"], "series")
    Traceback (most recent call last):
    opslib.errors.MissingColumnError: series: no column 'country'; it has: day, value
    """
    found = [str(column) for column in columns]
    for name in needed:
        if name not in found:
            raise MissingColumnError(f"{where}: no column '{name}'; {nearest(name, found, otherwise='it has')}")


def nearest(name: str, known: Iterable[str], *, otherwise: str = "allowed") -> str:
    """Say which known name was probably meant, or list what is allowed.

    Parameters
    ----------
    name : str
        The name that was not recognised.
    known : iterable of str
        The allowed names.
    otherwise : str
        What the list is called where none is near.

    Returns
    -------
    str
        A clause to end an error with.

    Examples
    --------
    >>> nearest("revenu", ["revenue", "orders"])
    "did you mean 'revenue'?"
    >>> nearest("x", ["revenue", "orders"])
    'allowed: orders, revenue'
    """
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{match[0]}'?" if match else f"{otherwise}: {', '.join(names)}"
