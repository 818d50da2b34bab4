"""Files of any common kind into one table of texts, so that every cast that follows can name what it could not read."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import glob
import gzip
import io
import re
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from opslib.errors import SourceError, nearest
from opslib.shop.adapters.export import identifier, quote

KINDS = (".csv", ".tsv", ".txt", ".csv.gz", ".xlsx", ".xls", ".parquet", ".ndjson", ".jsonl", ".json", ".zip")
#: Columns that :func:`load_raw` adds: file name and row number within the file, counted from 1.
FILE, ROW = "_file", "_row"
_BLOCK = 1 << 20


def expand(patterns: str | Sequence[str], *, folders: Sequence[Path]) -> list[Path]:
    """Files that one or more patterns name, in order of name.

    Parameters
    ----------
    patterns : str or sequence of str
        Paths; ``*``, ``?`` and ``**`` stand for many.
    folders : sequence of Path
        Where relative patterns start; the first folder with a match wins.

    Returns
    -------
    list of Path

    Raises
    ------
    SourceError
        If a pattern matches nothing.
    """
    found: list[Path] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        bases = [Path()] if Path(pattern).is_absolute() else list(folders)
        for base in bases:
            matches = sorted(Path(hit) for hit in glob.glob(str(base / pattern), recursive=True))
            if matches:
                found += [hit.resolve() for hit in matches]
                break
        else:
            looked = " and ".join(str(base) for base in folders)
            raise SourceError(f"no file matches '{pattern}' (looked from {looked}); check the name, or set the folder")
    return found


def file_kind(path: Path) -> str:
    """Kind of a file by its ending: csv, xlsx, parquet, ndjson or zip.

    Examples
    --------
    >>> file_kind(Path("orders.csv.gz"))
    'csv'
    """
    name = path.name.lower().removesuffix(".gz")
    kinds = {
        ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".xls": "xlsx", ".parquet": "parquet",
        ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json", ".zip": "zip",
    }  # fmt: skip
    for ending, kind in kinds.items():
        if name.endswith(ending):
            return kind
    raise SourceError(f"{path.name}: this kind of file is not known; allowed: {', '.join(KINDS)}")


def load_raw(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    *,
    name: str,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> list[str]:
    """Load files into one temporary table of texts.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the table is made.
    files : sequence of Path
        All of one kind.
    name : str
        Name of the table.
    encoding, delimiter, sheet : str or None
        Of text files and of xlsx files; found out where not given.

    Returns
    -------
    list of str
        The files' columns. The table also has ``_file`` and ``_row``; empty cells are NULL.

    Raises
    ------
    SourceError
        If a file is empty, torn, of an unknown kind or in another encoding.
    """
    kinds = {file_kind(path) for path in files}
    if len(kinds) != 1:
        raise SourceError(f"files of several kinds together ({', '.join(sorted(kinds))}); give each kind its own table")
    for path in files:
        if path.is_file() and path.stat().st_size == 0:
            raise SourceError(f"{path.name}: the file is empty (0 bytes); export it again, or leave it out")
    kind = kinds.pop()
    with tempfile.TemporaryDirectory(prefix="opslib-read-") as scratch:
        if kind == "zip":
            files = [_unzip(path, Path(scratch) / str(n)) for n, path in enumerate(files)]
            kind = file_kind(files[0])
        if kind == "csv":
            _load_csv(con, files, name=name, encoding=encoding, delimiter=delimiter, scratch=Path(scratch))
        elif kind == "xlsx":
            _load_rows(con, files, name=name, sheet=sheet)
        elif kind == "parquet":
            _load_parquet(con, files, name=name)
        else:
            _load_json(con, files, name=name)
    columns = [row[0] for row in con.sql(f"DESCRIBE {identifier(name)}").fetchall()]
    if not con.sql(f"SELECT 1 FROM {identifier(name)} LIMIT 1").fetchone():
        raise SourceError(f"{', '.join(path.name for path in files[:3])}: only a header, no rows; export it again")
    return [column for column in columns if column not in (FILE, ROW)]


def _unzip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = [item for item in archive.namelist() if not item.endswith("/") and "__MACOSX" not in item]
        if len(members) != 1:
            raise SourceError(f"{path.name}: {len(members)} files inside; unpack it and name the one to read")
        folder.mkdir(parents=True)
        target = folder / Path(members[0]).name
        with archive.open(members[0]) as source, target.open("wb") as sink:
            while block := source.read(_BLOCK):
                sink.write(block)
    return target


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")  # type: ignore[return-value]


def _blocks(path: Path) -> Iterator[bytes]:
    with _open(path) as source:
        while block := source.read(_BLOCK):
            yield block


def _require_encoding(path: Path, encoding: str | None) -> str:
    """The encoding of a text file: declared, told by its first bytes, or UTF-8; an error if it cannot be that."""
    with _open(path) as source:
        start = source.read(4)
    if encoding is None and start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    chosen = encoding or "utf-8"
    try:
        decoder = codecs.getincrementaldecoder(chosen)()
    except LookupError:
        known = ["utf-8", "utf-16", "cp1252", "latin-1", "iso-8859-15", "cp1250", "shift_jis"]
        raise SourceError(f"{path.name}: encoding '{chosen}' is not known; {nearest(chosen, known)}") from None
    n_lines = 1
    for block in _blocks(path):
        try:
            n_lines += decoder.decode(block).count("\n")
        except UnicodeDecodeError as error:
            bad = error.object[error.start : error.start + 1]
            n_lines += error.object[: error.start].count(b"\n")
            remedy = "cp1252" if chosen == "utf-8" else "utf-8"
            raise SourceError(
                f"{path.name}: line {n_lines} is not {chosen} (byte 0x{bad.hex().upper()}, which is "
                f"'{bad.decode('cp1252', errors='replace')}' in cp1252); write 'encoding: {remedy}' for this table"
            ) from None
    return chosen


def _as_utf8(path: Path, encoding: str, folder: Path) -> Path:
    """The file itself if it is UTF-8, else a copy in UTF-8 under the same name."""
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig", "ascii"):
        return path
    folder.mkdir(parents=True)
    target = folder / path.name.removesuffix(".gz")
    with (
        io.TextIOWrapper(_open(path), encoding=encoding, newline="") as source,
        target.open("w", encoding="utf-8", newline="") as sink,
    ):
        while text := source.read(_BLOCK):
            sink.write(text)
    return target


def _load_csv(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    *,
    name: str,
    encoding: str | None,
    delimiter: str | None,
    scratch: Path,
) -> None:
    ready = [_as_utf8(path, _require_encoding(path, encoding), scratch / f"utf8-{n}") for n, path in enumerate(files)]
    mark = delimiter or _delimiter(ready[0])
    groups: dict[tuple[str, ...], list[Path]] = {}
    for path in ready:
        groups.setdefault(_header(path, mark), []).append(path)
    scans = []
    for header, paths in groups.items():
        columns = ", ".join(f"{quote(column)}: 'VARCHAR'" for column in header)
        listed = ", ".join(quote(str(path)) for path in paths)
        scans.append(
            f"SELECT * FROM read_csv([{listed}], columns={{{columns}}}, header=true, auto_detect=false, delim={quote(mark)}, "
            f"quote='\"', escape='\"', nullstr='', filename={quote(FILE + '0')}, max_line_size=16000000)"
        )
    try:
        _create(con, name, " UNION ALL BY NAME ".join(scans))
    except duckdb.Error as error:
        raise SourceError(_csv_problem(str(error), files)) from None


def _delimiter(path: Path) -> str:
    with io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="") as source:
        header = next(csv.reader([source.readline()], delimiter="\0"), [""])
    text = re.sub(r'"[^"]*"', "", header[0] if header else "")
    return max(",;\t|", key=text.count)


def _header(path: Path, mark: str) -> tuple[str, ...]:
    """Column names of a csv file."""
    with io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="") as source:
        names = [cell.strip() for cell in next(csv.reader(source, delimiter=mark), [])]
    return _named(names, path)


def _named(names: list[str], path: Path) -> tuple[str, ...]:
    """Column names of a header: unnamed ones are numbered, and two of one name are an error."""
    names = [name or f"column_{n + 1}" for n, name in enumerate(names)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise SourceError(f"{path.name}: the header names column '{', '.join(twice)}' twice; rename one of them")
    return tuple(names)


def _csv_problem(message: str, files: Sequence[Path]) -> str:
    """The engine's words on a torn file, in one line."""
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = next((path.name for path in files if path.name in message), files[0].name)
    what = re.search(
        r"(Expected Number of Columns: \d+ Found: \d+|Value with unterminated quote[^\n]*|Maximum line size[^\n]*)",
        message,
    )
    reason = what.group(1).lower() if what else message.splitlines()[0]
    at = f" at line {line.group(1)}" if line else ""
    return f"{where}: cannot be read{at}: {reason}; check quotes and the delimiter there, or write 'delimiter:' for this table"


def _create(con: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    """Make the raw table: outer blanks off, the file's name, and the row's number within its file."""
    whole = identifier(name + "_all")
    con.execute(f"CREATE OR REPLACE TEMP TABLE {whole} AS {query}")
    columns = [row[0] for row in con.sql(f"DESCRIBE {whole}").fetchall() if row[0] != f"{FILE}0"]
    trimmed = "".join(f"nullif(trim({identifier(column)}), '') AS {identifier(column)}, " for column in columns)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {identifier(name)} AS SELECT {trimmed}parse_filename({FILE}0) AS {FILE}, "
        f"rowid - min(rowid) OVER (PARTITION BY {FILE}0) + 1 AS {ROW} FROM {whole}"
    )
    con.execute(f"DROP TABLE {whole}")


def _load_rows(con: duckdb.DuckDBPyConnection, files: Sequence[Path], *, name: str, sheet: str | None) -> None:
    """Spreadsheets: cells as the text that a CSV export would have shown."""
    parts = []
    for path in files:
        try:
            book = CalamineWorkbook.from_path(str(path))
        except (CalamineError, OSError) as error:
            raise SourceError(f"{path.name}: cannot be read as a spreadsheet: {error}") from None
        if sheet is not None and sheet not in book.sheet_names:
            raise SourceError(f"{path.name}: no sheet '{sheet}'; {nearest(sheet, book.sheet_names)}")
        cells = book.get_sheet_by_name(sheet or book.sheet_names[0]).iter_rows()
        header = next((row for row in cells if any(cell != "" for cell in row)), None)
        if header is None:
            raise SourceError(
                f"{path.name}: sheet '{sheet or book.sheet_names[0]}' is empty; name another with 'sheet:'"
            )
        names = _named([str(cell).strip() for cell in header], path)
        columns: dict[str, list[str | None]] = {name: [] for name in names}
        for row in cells:
            for values, cell in zip(columns.values(), row, strict=False):
                values.append(cell_text(cell))
        filled = {name: pa.array(values, pa.string()) for name, values in columns.items()}
        n_rows = len(next(iter(columns.values())))
        parts.append(pa.table({**filled, f"{FILE}0": pa.array([str(path)] * n_rows, pa.string())}))
    arrow = pa.concat_tables(parts, promote_options="default")
    con.register("_opslib_rows", arrow)
    _create(con, name, "SELECT * FROM _opslib_rows")
    con.unregister("_opslib_rows")


def cell_text(value: Any) -> str | None:
    """A spreadsheet's cell as text: whole numbers without a point, times in ISO, empty as None.

    Examples
    --------
    >>> cell_text(17850.0), cell_text(2.55), cell_text("")
    ('17850', '2.55', None)
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat(sep=" ") if isinstance(value, dt.datetime) else value.isoformat()
    return str(value)


def _load_parquet(con: duckdb.DuckDBPyConnection, files: Sequence[Path], *, name: str) -> None:
    scan = f"read_parquet([{', '.join(quote(str(path)) for path in files)}], union_by_name=true, filename={quote(FILE + '0')})"
    try:
        described = con.sql(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        nested = {c for c, kind, *_ in described if kind.startswith(("STRUCT", "MAP")) or kind.endswith("[]")}
        texts = ", ".join(
            f"{'to_json(' + identifier(c) + ')::VARCHAR' if c in nested else 'CAST(' + identifier(c) + ' AS VARCHAR)'} AS {identifier(c)}"
            for c, *_ in described if c != f"{FILE}0"
        )  # fmt: skip
        _create(con, name, f"SELECT {texts}, {FILE}0 FROM {scan}")
    except duckdb.Error as error:
        raise SourceError(f"{files[0].name}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _load_json(con: duckdb.DuckDBPyConnection, files: Sequence[Path], *, name: str) -> None:
    """One JSON object a row; nested values stay as JSON text."""
    for path in files:
        _require_encoding(path, None)
    layout = "array" if _starts_with_bracket(files[0]) else "newline_delimited"
    scan = (
        f"read_json_objects([{', '.join(quote(str(path)) for path in files)}], format='{layout}', filename={quote(FILE + '0')}, "
        "maximum_object_size=64000000)"
    )
    try:
        con.execute(f"CREATE OR REPLACE TEMP TABLE _opslib_json AS SELECT json, {FILE}0 FROM {scan}")
        keys = [
            row[0]
            for row in con.sql("SELECT DISTINCT unnest(json_keys(json)) AS k FROM _opslib_json ORDER BY k").fetchall()
        ]
        fields = ", ".join(f"json_extract_string(json, {quote(_pointer(key))}) AS {identifier(key)}" for key in keys)
        _create(con, name, f"SELECT {fields}, {FILE}0 FROM _opslib_json")
    except duckdb.Error as error:
        raise SourceError(f"{files[0].name}: cannot be read as JSON: {str(error).splitlines()[0]}") from None
    con.execute("DROP TABLE _opslib_json")


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _starts_with_bracket(path: Path) -> bool:
    with _open(path) as source:
        return source.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
