"""A table made by one SELECT of the shop's own over its raw files: whatever a column map cannot say."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb

from opslib.contracts import CONTRACTS
from opslib.errors import SourceError, nearest
from opslib.shop.adapters.export import Accounted, Agreement, Reading, identifier, quote
from opslib.shop.adapters.reading import load_raw
from opslib.shop.shopfile import Dialect, Reconcile, TableSource

#: What ``reconcile`` may ask of a table, besides the sum of one of its columns.
MEASURES = {
    "rows": "count(*)",
    "orders": "count(DISTINCT order_id)",
    "units": "sum(quantity)",
    "revenue": "sum(revenue_amount) FILTER (status = 'paid')",
}
#: Money agrees to half a cent; a count agrees.
TOLERANCE = Decimal("0.005")

#: A connection that brings nothing in: no extension, and no table that is a variable of Python.
_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "python_enable_replacements": "false",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sources:
    """Files of one table: all of them, and for a table made by SQL the SELECT and the files of each raw table."""

    paths: list[Path]
    query: Path | None = None
    named: Mapping[str, list[Path]] = field(default_factory=dict)


def make(
    reading: Reading, name: str, source: TableSource, files: Sources, *, raw: str
) -> tuple[list[str], list[Accounted], list[Agreement]]:
    """Run a shop's SELECT over its raw files, and load what it gives as texts.

    Parameters
    ----------
    reading : Reading
        Where the table is made, and how the files are written.
    name : str
        Contract table.
    source : TableSource
        With ``sql`` and ``reconcile``.
    files : Sources
        The SELECT's file, and the files of each raw table.
    raw : str
        Name of the table to make.

    Returns
    -------
    tuple
        Columns of the result, rows read and made, and the totals that the table must show.

    Raises
    ------
    SourceError
        If the file holds anything but one SELECT, or the SELECT fails: it reads the raw tables and nothing else.
    """
    assert files.query is not None
    text = files.query.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="opslib-sql-") as folder, duckdb.connect(config=_CLOSED) as con:
        limit, spill = reading.con.sql(
            "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
        ).fetchone() or ("2GB", folder)
        con.execute(f"SET memory_limit = {quote(limit)}; SET temp_directory = {quote(spill)}; SET TimeZone = 'UTC'")
        accounting = []
        for view, paths in files.named.items():
            load_raw(replace(reading, con=con, source=f"rows of the raw file {view} for {name}"), paths, name=view)
            (n,) = con.sql(f"SELECT count(*) FROM {identifier(view)}").fetchone() or (0,)
            accounting.append(
                Accounted(
                    source=f"rows of the raw file {view} for {name}",
                    table=name,
                    reason="read by SQL",
                    rule=f"rows that {files.query.name} reads",
                    n_rows=n,
                )
            )
        # The raw tables are loaded: from here on no file can be read, but for the folder that takes the result.
        con.execute(
            f"SET allowed_directories = [{quote(folder)}]; SET enable_external_access = false; SET lock_configuration = true"
        )
        target = Path(folder) / "made.parquet"
        _run(con, text, target, where=files.query.name)
        agreements = [_agreement(con, item, table=name, where=files.query.name) for item in source.reconcile]
        plain = Dialect(decimal=reading.dialect.decimal, not_missing=reading.dialect.not_missing)
        found = load_raw(replace(reading, dialect=plain), [target], name=raw, may_be_empty=True)
    (n,) = reading.con.sql(f"SELECT count(*) FROM {identifier(raw)}").fetchone() or (0,)
    accounting.append(
        Accounted(
            source=reading.source, table=name, reason="kept", rule=f"rows that {files.query.name} makes", n_rows=n
        )
    )
    return found, accounting, agreements


def _run(con: duckdb.DuckDBPyConnection, text: str, target: Path, *, where: str) -> None:
    try:
        statements = con.extract_statements(text)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SourceError(
                f"{where}: holds {len(statements)} statements, or another than SELECT; write one SELECT over the names in files:"
            )
        con.execute(f"COPY ({statements[0].query.rstrip().rstrip(';')}\n) TO {quote(str(target))} (FORMAT parquet)")
    except duckdb.Error as error:
        raise SourceError(f"{where}: {_plain(error)}") from None


def _plain(error: duckdb.Error) -> str:
    """The engine's words in one line; that other files are closed to it is said as it is meant."""
    said = str(error).splitlines()[0]
    return (
        f"reads something else than its raw files: name it in files: ({said})"
        if isinstance(error, duckdb.PermissionException)
        else said
    )


def _agreement(con: duckdb.DuckDBPyConnection, item: Reconcile, *, table: str, where: str) -> Agreement:
    numeric = [c.name for c in CONTRACTS[table].columns if c.kind in ("money", "quantity", "number", "integer")]
    words = MEASURES if table == "order_lines" else {"rows": MEASURES["rows"]}
    if item.table not in (*words, *numeric):
        raise SourceError(
            f"table {table}: reconcile: '{item.table}' is no measure; {nearest(item.table, [*words, *numeric])}"
        )
    try:
        statements = con.extract_statements(item.source)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SourceError(f"table {table}: reconcile: '{item.source}' is not one SELECT")
        rows = con.execute(item.source).fetchmany(2)
        expected = Decimal(str(rows[0][0]))
    except (duckdb.Error, InvalidOperation, IndexError) as error:
        said = _plain(error) if isinstance(error, duckdb.Error) else "gives no number"
        raise SourceError(f"table {table}: reconcile: '{item.source}': {said}") from None
    return Agreement(
        table=table,
        measure=words.get(item.table, f"sum({identifier(item.table)})"),
        expected=expected,
        said=f"{item.table} against '{item.source}'",
    )


def require_agreement(con: duckdb.DuckDBPyConnection, agreement: Agreement, path: str) -> None:
    """Refuse a table that does not show what its raw files add up to."""
    (found,) = con.sql(f"SELECT coalesce({agreement.measure}, 0) FROM read_parquet({quote(path)})").fetchone() or (0,)
    if abs(Decimal(str(found)) - agreement.expected) > TOLERANCE:
        raise SourceError(
            f"table {agreement.table}: not reconciled: {agreement.said}: the files give {agreement.expected:,}, the table {Decimal(str(found)):,}; "
            "look for rows that a join lost or repeated, for filters, and for rounded unit prices (give revenue_amount, the line's total, as well)"
        )
