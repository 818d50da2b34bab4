"""Tables that stay where they are: DuckDB files, PostgreSQL, Spark. Casts and derived columns are computed on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
from ibis.backends import BaseBackend
from ibis.common.exceptions import TableNotFound

from opslib import engine
from opslib.contracts import CONTRACTS, IBIS_TYPES, TableContract
from opslib.errors import EngineError, ShopFileError, SourceError, nearest
from opslib.shop import derived
from opslib.shop.shopfile import ColumnSource, ShopFile, TableSource

#: Python files that decide what a database's table is turned into.
READERS = (Path(__file__), Path(derived.__file__))


def located_engine(url: str, *, folders: Sequence[Path]) -> str:
    """The engine's address, with the path of a DuckDB file as seen from the project or from the ``shop.yml``.

    Examples
    --------
    >>> located_engine("duckdb:///raw/shop.duckdb", folders=[Path("/project")])
    'duckdb:////project/raw/shop.duckdb'
    >>> located_engine("spark://local", folders=[Path("/project")])
    'spark://local'
    """
    scheme, _, path = url.partition("://")
    path = path.removeprefix("/")
    return f"duckdb:///{located(path, folders=folders)}" if scheme == "duckdb" and path else url


def located(path: str, *, folders: Sequence[Path]) -> Path:
    """A path as seen from the first folder that has it; from the first of all where none has."""
    return next((folder / path for folder in folders if (folder / path).exists()), folders[0] / path)


def contract_table(
    backend: BaseBackend, name: str, source: TableSource, *, shop: ShopFile, folders: Sequence[Path] = ()
) -> ir.Table:
    """A table of a database under our names and types, still lazy.

    Parameters
    ----------
    backend : ibis backend
        The database; read-only access is enough.
    name : str
        Contract table.
    source : TableSource
        ``table:`` (schema.name, or a Parquet path on Spark) and the column map.
    shop : ShopFile
        Time zone and tax rule.
    folders : sequence of Path
        Where the relative path of a Parquet file starts.

    Returns
    -------
    ibis.Table

    Raises
    ------
    ShopFileError
        If the table is not given by ``table:``.
    SourceError
        If table or column do not exist.
    """
    if source.table is None:
        raise ShopFileError(
            f"shop {shop.name}: table {name}: a database shop cannot read files as well; load them first, use 'table:'"
        )
    theirs = _find(backend, source.table, folders=folders)
    contract = CONTRACTS[name]
    zone = source.time_zone or "UTC"
    columns = {
        ours: _typed(_value(theirs, item), contract, ours, zone=zone)
        for ours, item in source.mapped(contract, theirs.columns, where="the database table", has_derived=True).items()
    }
    table = theirs.select(**columns)
    return derived.with_derived(table, **shop.rules) if name == "order_lines" else table


def _find(backend: BaseBackend, name: str, *, folders: Sequence[Path]) -> ir.Table:
    if backend.name == "pyspark" and name.endswith(".parquet"):
        is_local = "://" not in name and any((folder / name).exists() for folder in folders)
        return backend.read_parquet(str(located(name, folders=folders)) if is_local else name)
    schema, _, table = name.rpartition(".")
    try:
        return backend.table(table, database=schema or None)
    except TableNotFound:
        known = backend.list_tables(database=schema or None)
        raise SourceError(f"no table '{name}' in the database; {nearest(table, known)}") from None


def _value(theirs: ir.Table, item: ColumnSource) -> ir.Value:
    if item.value is not None:
        return ibis.literal(item.value)
    if item.source is None:
        raise SourceError(
            "row: true numbers the rows of files; a table of a database needs a column: write from: COLUMN"
        )
    column = theirs[item.source]
    return column.cast("string").substitute(item.values) if item.values else column


def _typed(value: ir.Value, contract: TableContract, name: str, *, zone: str) -> ir.Value:
    """The value under the type of its column; of columns that the contract does not declare as it is."""
    wanted = IBIS_TYPES[contract.column(name).kind] if name in contract.names else str(value.type())
    if wanted == IBIS_TYPES["timestamp"] and zone not in ("UTC", "Etc/UTC"):
        raise SourceError(
            f"{name}: times of a database must be stored in UTC, not in {zone}; convert them in a view, or leave time_zone out"
        )
    return value if str(value.type()) == wanted else value.cast(wanted)


def _errors() -> tuple[type[Exception], ...]:
    """What the engines raise when a query of the shop's own is wrong."""
    found: list[type[Exception]] = [ibis.IbisError, EngineError, duckdb.Error]
    if find_spec("psycopg"):
        found.append(import_module("psycopg").Error)
    if find_spec("pyspark"):
        found.append(import_module("pyspark.errors").PySparkException)
    return tuple(found)


def watermark(backend: BaseBackend, shop: ShopFile) -> str | None:
    """What the shop's ``watermark`` query says, as text; None without one, so that pages always run again."""
    if shop.watermark is None:
        return None
    try:
        row = engine.collect(backend.sql(shop.watermark), max_rows=1)
    except _errors() as error:
        raise ShopFileError(
            f"shop {shop.name}: watermark: {engine.hide_password(str(error))}; give a query that returns one row"
        ) from None
    return row.to_json(date_format="iso")
