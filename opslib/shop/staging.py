"""Staging: typed Parquet tables, written once per content of the files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from ibis.backends import BaseBackend

from opslib.contracts import CONTRACTS, Violation
from opslib.errors import ContractError, SourceError
from opslib.shop.adapters.columns import SQL_TYPES
from opslib.shop.adapters.export import Accounted, Extract, Reading, identifier, quote
from opslib.shop.adapters.sql import require_agreement
from opslib.shop.derived import with_derived
from opslib.shop.disk import locked, write_whole
from opslib.shop.root import writable
from opslib.shop.settle import known_amounts, settle

#: Of staged folders; what another version of opslib wrote is made again.
FORMAT = 1
#: Staged contents of one shop that are kept.
KEEP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Tables of one shop on disk.

    Parameters
    ----------
    tables : mapping of str to str
        Table -> path or pattern of its Parquet files.
    folder : Path
        Where they lie, with what was worked out from them once.
    fingerprint : str
        SHA-256 of what they were made from.
    accounting, violations : tuple
        Where raw rows went, and what the adapter saw.
    raw_totals : mapping of str to str
        Totals of the source as it came.
    """

    tables: Mapping[str, str]
    folder: Path
    fingerprint: str
    accounting: tuple[Accounted, ...]
    violations: tuple[Violation, ...]
    raw_totals: Mapping[str, str]


def file_hashes(files: Sequence[Path], *, homes: Sequence[Path], verify: bool = False) -> dict[Path, str]:
    """SHA-256 of each file's content, remembered by size, time and inode.

    Parameters
    ----------
    files : sequence of Path
        Files to hash.
    homes : sequence of Path
        Folders whose ``hashes.json`` remembers; the first that can be written learns what is new.
    verify : bool
        Hash again whatever is remembered.

    Returns
    -------
    dict of Path to str
        File -> hex digest.
    """
    known: dict[str, list[Any]] = {}
    for home in [] if verify else reversed(homes):
        with contextlib.suppress(OSError, json.JSONDecodeError):
            known |= json.loads((home / "hashes.json").read_text(encoding="utf-8"))
    hashes: dict[Path, str] = {}
    is_new = verify
    for path in dict.fromkeys(files):
        stat = path.stat()
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        entry = known.get(str(path))
        if entry is None or entry[:3] != mark:
            entry, is_new = [*mark, _hash(path)], True
            known[str(path)] = entry
        hashes[path] = str(entry[3])
    if is_new:
        write_whole(writable(homes) / "hashes.json", json.dumps(known))
    return hashes


def _hash(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def remembered(path: Path, work_out: Callable[[], Any]) -> Any:
    """What was worked out once, as JSON; worked out and written now if the file is not there.

    Parameters
    ----------
    path : Path
        File whose name says all that the value depends on; where it cannot be written, nothing is remembered.
    work_out : callable
        Gives the value: lists, mappings, text and numbers only.

    Returns
    -------
    object
    """
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    value = work_out()
    with contextlib.suppress(OSError):  # a full or read-only disk costs time only
        write_whole(path, json.dumps(value))
    return value


def source_fingerprint(hashes: Mapping[Path, str], *, settings: Mapping[str, Any], readers: Sequence[Path] = ()) -> str:
    """SHA-256 of files' contents and of everything that decides what is made of them.

    Parameters
    ----------
    hashes : mapping of Path to str
        File -> SHA-256; only the file's name counts, so that the folder may move, and of files called alike their order.
    settings : mapping
        What ``shop.yml`` says about reading.
    readers : sequence of Path
        Python files that do the reading: other code, other tables.

    Returns
    -------
    str
        64 hex digits.

    Examples
    --------
    >>> a = source_fingerprint({Path("/here/x.csv"): "00"}, settings={"currency": "EUR"})
    >>> a == source_fingerprint({Path("/elsewhere/x.csv"): "00"}, settings={"currency": "EUR"})
    True
    """
    content = sorted(((path.name, hashes[path]) for path in sorted(hashes)), key=lambda item: item[0])
    code = [_hash(path) for path in sorted(readers)]
    return hashlib.sha256(json.dumps([content, code, settings], sort_keys=True, default=str).encode()).hexdigest()


def stage(
    homes: Sequence[Path], digest: str, *, backend: BaseBackend, reading: Reading, build: Callable[[Reading], Extract]
) -> Staged:
    """Tables of this fingerprint: from disk if they are there, else made now.

    Parameters
    ----------
    homes : sequence of Path
        Where they may lie; new ones are made in the first that can be written.
    digest : str
        Fingerprint of the content.
    backend : ibis backend
        DuckDB.
    reading : Reading
        Connection, files, zone and tax rule.
    build : callable
        Reads the files; called only if needed.

    Returns
    -------
    Staged
    """
    for home in homes:
        if staged := _read(home / digest[:16]):
            return staged
    folder = writable(homes)
    target = folder / digest[:16]
    with locked(folder / ".lock"):
        if _read(target) is None:  # another process may have been first
            _write(target, digest, backend=backend, reading=reading, extract=build(reading))
            _forget_old(folder, keep=target)
            _drop_raw(reading.con)
    staged = _read(target)
    assert staged is not None, "it was written just now"
    return staged


def _write(target: Path, digest: str, *, backend: BaseBackend, reading: Reading, extract: Extract) -> None:
    """All tables and the manifest in a folder that gets its name only when it is complete."""
    con, folder = reading.con, target.parent
    scratch = Path(tempfile.mkdtemp(dir=folder, prefix=".making-"))
    try:
        if "order_lines" in extract.tables:
            reading.progress("writing order_lines", 0.0)
            query = _with_derived(backend, extract.tables["order_lines"], reading=reading)
            _require_unique(con, _copy(con, query, scratch, extract, "order_lines"))
            extract = settle(backend, scratch, extract=extract, reading=reading)
        others = {name: query for name, query in extract.tables.items() if name != "order_lines"}
        for done, (name, query) in enumerate(others.items(), start=1):
            reading.progress(f"writing {name}", done / len(extract.tables))
            _copy(con, query, scratch, extract, name)
        if "returns" in extract.tables:
            extract = known_amounts(scratch / "returns.parquet", extract=extract, reading=reading)
        manifest = {
            "format": FORMAT,
            "fingerprint": digest,
            "tables": list(extract.tables),
            "accounting": [asdict(item) for item in extract.accounting],
            "violations": [asdict(item) for item in extract.violations],
            "raw_totals": dict(extract.raw_totals),
        }
        (scratch / "manifest.json").write_text(json.dumps(manifest, default=str, indent=1), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    except duckdb.Error as error:
        raise SourceError(f"staging to {folder.name}: {str(error).splitlines()[0]}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        reading.progress("ready", 1.0)


def _copy(con: duckdb.DuckDBPyConnection, query: str, folder: Path, extract: Extract, name: str) -> str:
    """Write a table, ordered, and hold it against the totals of its files; its path."""
    path = str(folder / f"{name}.parquet")
    ordered = f"{query} ORDER BY {_order(con, query, name)}"
    con.execute(f"COPY ({ordered}) TO {quote(path)} (FORMAT parquet, COMPRESSION zstd)")
    for agreement in extract.agreements:
        if agreement.table == name:
            require_agreement(con, agreement, path)
    return path


def _with_derived(backend: BaseBackend, query: str, *, reading: Reading) -> str:
    """A query of order lines with the columns that are derived from them."""
    reading.con.execute(f"CREATE OR REPLACE TEMP VIEW _opslib_lines AS {query}")
    lines = backend.table("_opslib_lines", database=("temp", "main"))
    rules = {"prices_include_tax": bool(reading.prices_include_tax), "tax_rate": reading.tax_rate}
    return backend.compile(with_derived(lines, time_zone=reading.time_zone, **rules))


def _drop_raw(con: duckdb.DuckDBPyConnection) -> None:
    """Give back the memory of the raw tables."""
    for kind in ("view", "table"):
        listed = f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE temporary AND NOT internal"
        for (found,) in con.sql(listed).fetchall():
            con.execute(f"DROP {kind} IF EXISTS {identifier(found)}")


def _order(con: duckdb.DuckDBPyConnection, query: str, name: str) -> str:
    """By time and key, then by all other columns, so that the same rows give the same file."""
    contract = CONTRACTS[name]
    columns = [row[0] for row in con.sql(f"DESCRIBE {query}").fetchall()]
    first = [column for column in (contract.time_column, *contract.key) if column in columns]
    return ", ".join(identifier(column) for column in dict.fromkeys([*first, *columns]))


def _require_unique(con: duckdb.DuckDBPyConnection, path: str) -> None:
    repeated = con.sql(
        f"SELECT order_id, line_id, count(*) AS n, count(*) OVER () AS n_keys FROM read_parquet({quote(path)}) "
        "GROUP BY order_id, line_id HAVING count(*) > 1 ORDER BY order_id, line_id LIMIT 1"
    ).fetchone()
    if repeated:
        order, line, n, n_keys = repeated
        raise ContractError(
            f"order_lines: order '{order}' has line '{line}' {n} times ({n_keys:,} such keys); (order_id, line_id) must be "
            "unique: remove the repeated rows or files, or leave line_id out of the map if it does not number lines"
        )


def _forget_old(folder: Path, *, keep: Path) -> None:
    """Leave the newest few contents; half-made folders of processes that died go after a day."""
    others = [path.parent for path in folder.glob("*/manifest.json") if path.parent != keep]
    for old in sorted(others, key=lambda p: p.stat().st_mtime)[: 1 - KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    for half in folder.glob(".making-*"):
        if time.time() - half.stat().st_mtime > 86_400:
            shutil.rmtree(half, ignore_errors=True)


def _read(target: Path) -> Staged | None:
    """What lies in a folder; None if nothing does, or in another format than this version writes."""
    try:
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    except OSError:
        return None
    if manifest.get("format") != FORMAT:
        return None

    def accounted(row: dict[str, Any]) -> Accounted:
        numbers = {name: None if row[name] is None else Decimal(row[name]) for name in ("n_units", "amount")}
        return Accounted(**{**row, **numbers})

    return Staged(
        tables={name: str(target / f"{name}.parquet") for name in manifest["tables"]},
        folder=target,
        fingerprint=manifest["fingerprint"],
        accounting=tuple(accounted(row) for row in manifest["accounting"]),
        violations=tuple(Violation(**row) for row in manifest["violations"]),
        raw_totals=manifest["raw_totals"],
    )


def is_contract_parquet(con: duckdb.DuckDBPyConnection, files: Sequence[Path], *, table: str) -> bool:
    """Whether Parquet files already have contract names and types, so that they are read where they lie."""
    found = {row[0]: row[1] for row in con.sql(f"DESCRIBE SELECT * FROM {_scan(files)}").fetchall()}
    needed = {c.name: SQL_TYPES[c.kind] for c in CONTRACTS[table].columns if c.name in found or c.is_required}
    if table == "order_lines":
        needed["line_id"] = "VARCHAR"
    return all(found.get(name) == kind for name, kind in needed.items())


def view_in_place(backend: BaseBackend, files: Sequence[Path], *, table: str, rules: Mapping[str, Any]) -> None:
    """A view over Parquet files that are under contract already; order lines get their derived columns on the fly."""
    query = f"SELECT * FROM {_scan(files)}"
    if table == "order_lines":
        backend.con.execute(f"CREATE OR REPLACE VIEW _opslib_files AS {query}")
        lines = backend.table("_opslib_files")
        query = backend.compile(with_derived(lines, **rules))
    backend.con.execute(f"CREATE OR REPLACE VIEW {table} AS {query}")


def _scan(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(quote(str(path)) for path in files)}], hive_partitioning=false)"
