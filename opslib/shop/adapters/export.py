"""What an adapter is given and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb

from opslib.contracts import Violation
from opslib.errors import require_columns
from opslib.shop.shopfile import Dialect

#: Called with a sentence about what is being done and the share that is done (0-1).
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of a shop's files.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where raw and typed tables are made; its session is in UTC.
    files : sequence of Path
        Files to read, in order.
    time_zone, currency : str
        Of the shop.
    prices_include_tax : bool or None
        Whether prices carry tax; None where nobody said.
    tax_rate : float, mapping or None
        Rate of tax within prices, for lines that say none.
    secret : callable
        Gives what stand-ins for e-mail addresses are keyed with; made when first asked for.
    options : mapping
        ``options`` and table settings of ``shop.yml``.
    progress : callable
        Told what is going on.
    dialect : Dialect
        How the files are written, as far as ``shop.yml`` says it.
    source : str
        What the raw rows are called in the accounting.
    is_opened : bool
        Whether objects within a JSON object become columns ``outer.inner`` as well.
    violations, set_aside : list
        What the readers saw on the way, and the rows that they could not use.
    headers : dict
        Raw table -> file name -> its columns.
    """

    con: duckdb.DuckDBPyConnection
    files: Sequence[Path]
    time_zone: str
    currency: str
    prices_include_tax: bool | None = None
    tax_rate: Any = None
    secret: Callable[[], str] = lambda: ""
    options: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = lambda sentence, share: None
    dialect: Dialect = field(default_factory=Dialect)
    source: str = "rows of the export"
    is_opened: bool = False
    violations: list[Violation] = field(default_factory=list)
    set_aside: list[Accounted] = field(default_factory=list)
    headers: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounted:
    """Raw rows that one rule sent somewhere; the rows of all rules add up to the source.

    Parameters
    ----------
    source : str
        What was read ("order export").
    table : str or None
        Contract table that took the rows, or None if they were set aside.
    reason, rule : str
        Why, in one word or three; and the rule that decided, in words.
    n_rows : int
        Raw rows.
    n_units : Decimal or None
        Sum of raw quantities, where the source has some.
    amount : Decimal or None
        Raw money, in the shop's currency.
    example : str
        One raw row, in short.
    """

    source: str
    table: str | None
    reason: str
    rule: str
    n_rows: int
    n_units: Decimal | None = None
    amount: Decimal | None = None
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A number of the raw files that a table must show: which of its ``measure``, and how the number came about."""

    table: str
    measure: str
    expected: Decimal
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """What an adapter found: one SQL query a table, and where every raw row went.

    Parameters
    ----------
    tables : mapping of str to str
        Contract table -> SELECT over the reading's connection, with contract column names and types.
    accounting : tuple of Accounted
        Where the raw rows went.
    raw_totals : mapping
        Totals of the source as it came, by label.
    violations : tuple of Violation
        What the adapter saw on the way.
    agreements : tuple of Agreement
        Totals that the written tables must show.
    """

    tables: Mapping[str, str]
    accounting: tuple[Accounted, ...] = ()
    raw_totals: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    agreements: tuple[Agreement, ...] = ()


class Adapter(Protocol):
    """A module that knows one public export format."""

    NAME: str
    TITLE: str
    CURRENCY: str
    TIME_ZONE: str

    def detect(self, path: Path) -> bool:
        """Whether a file or folder has this format."""
        ...

    def find_files(self, path: Path) -> list[Path]:
        """The files of a folder (or the file itself) that belong to the format."""
        ...

    def read(self, reading: Reading) -> Extract:
        """Turn the files into contract tables."""
        ...


def account(
    con: duckdb.DuckDBPyConnection,
    classified: str,
    *,
    source: str,
    rules: Mapping[str, str],
    units: str | None = None,
    amount: str | None = None,
    example: str = "''",
) -> tuple[Accounted, ...]:
    """Count the rows of a classified raw table by where they went and why.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Holds the table.
    classified : str
        Name of a table with columns ``goes_to`` (contract table, or NULL) and ``reason``.
    source : str
        What the rows are, for people.
    rules : mapping of str to str
        Reason -> rule in words.
    units, amount, example : str
        SQL of quantity, money and a short text of one raw row.

    Returns
    -------
    tuple of Accounted
        Kept rows first, then those set aside by size.
    """
    rows = con.sql(
        f"SELECT goes_to, reason, count(*), {f'sum({units})' if units else 'NULL'}, "
        f"{f'sum({amount})' if amount else 'NULL'}, min({example}) FROM {classified} GROUP BY ALL "
        "ORDER BY any_value(goes_to) IS NULL, count(*) DESC, reason"
    ).fetchall()
    return tuple(
        Accounted(
            source=source, table=table, reason=reason, rule=rules[reason], n_rows=n,
            n_units=_decimal(n_units), amount=_decimal(money), example=str(text or ""),
        )
        for table, reason, n, n_units, money, text in rows
    )  # fmt: skip


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def totals(con: duckdb.DuckDBPyConnection, table: str, measures: Mapping[str, str]) -> dict[str, str]:
    """Totals of a source as it came: label -> SQL over a table, worked out in one query."""
    row = con.sql(f"SELECT {', '.join(measures.values())} FROM {table}").fetchone() or ()
    return {label: str(value) for label, value in zip(measures, row, strict=True)}


def complete(
    reading: Reading, raw: str, found: Sequence[str], *, needed: Sequence[str], optional: Sequence[str], export: str
) -> None:
    """Refuse a raw table that lacks a needed column, and add the optional ones that it lacks, empty."""
    require_columns(found, needed, f"{reading.files[0].name}, {export}")
    for name in optional:
        if name not in found:
            reading.con.execute(f"ALTER TABLE {raw} ADD COLUMN {identifier(name)} VARCHAR")


def finding(
    con: duckdb.DuckDBPyConnection,
    query: str,
    *,
    table: str,
    column: str,
    rule: str,
    severity: str = "note",
) -> tuple[Violation, ...]:
    """A finding from a query that gives rows concerned, all rows and one example; none if no row is concerned."""
    row = con.sql(query).fetchone()
    n, total, example = row if row else (0, 0, "")
    if not n:
        return ()
    return (Violation(table, column, rule, severity, int(n), n / total if total else 0.0, str(example)),)  # type: ignore[arg-type]


def quote(text: str) -> str:
    """A text as an SQL literal.

    Examples
    --------
    >>> quote("O'Hara")
    "'O''Hara'"
    """
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier.

    Examples
    --------
    >>> identifier("order no")
    '"order no"'
    """
    return '"' + name.replace('"', '""') + '"'
