"""Files of any common kind into one table of texts, so that every cast that follows can name what it could not read."""

from __future__ import annotations

import codecs
import contextlib
import datetime as dt
import glob
import html
import io
import itertools
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from opslib.contracts import Severity, Violation
from opslib.errors import SourceError, nearest
from opslib.shop.adapters.export import Accounted, Reading, identifier, quote
from opslib.shop.sniff import (
    BLOCK,
    UTF8,
    Layout,
    encoding_of,
    first_sheet,
    layout_of,
    named_columns,
    open_file,
    unzipped,
)

KINDS = (".csv", ".tsv", ".txt", ".csv.gz", ".xlsx", ".xls", ".parquet", ".ndjson", ".jsonl", ".json", ".zip")
#: Columns that :func:`load_raw` adds: file name and row number within the file, counted from 1.
FILE, ROW = "_file", "_row"


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


def load_raw(reading: Reading, files: Sequence[Path], *, name: str, may_be_empty: bool = False) -> list[str]:
    """Load files into one temporary table of texts.

    Parameters
    ----------
    reading : Reading
        Where the table is made, and how the files are written; it learns what was seen and what was set aside.
    files : sequence of Path
        All of one kind.
    name : str
        Name of the table.
    may_be_empty : bool
        Whether files without a row are no error.

    Returns
    -------
    list of str
        The files' columns. The table also has ``_file`` and ``_row``; empty cells and words for nothing are NULL.

    Raises
    ------
    SourceError
        If a file is empty, torn, of an unknown kind or in another encoding, or a key says what has no effect on it.
    """
    con = reading.con
    kinds = {file_kind(path) for path in files}
    if len(kinds) != 1:
        raise SourceError(f"files of several kinds together ({', '.join(sorted(kinds))}); give each kind its own table")
    for path in files:
        if path.is_file() and path.stat().st_size == 0:
            raise SourceError(f"{path.name}: the file is empty (0 bytes); export it again, or leave it out")
    kind = kinds.pop()
    with tempfile.TemporaryDirectory(prefix="opslib-read-") as scratch:
        if kind == "zip":
            files = [unzipped(path, Path(scratch) / str(n) / path.stem) for n, path in enumerate(files)]
            kind = file_kind(files[0])
        files = _told_apart(files, Path(scratch))
        loaders = {"csv": _load_csv, "xlsx": _load_rows, "parquet": _load_parquet}
        loaders.get(kind, _load_json)(reading, files, name=name, scratch=Path(scratch))
    columns = [row[0] for row in con.sql(f"DESCRIBE {identifier(name)}").fetchall()]
    if not may_be_empty and not con.sql(f"SELECT 1 FROM {identifier(name)} LIMIT 1").fetchone():
        raise SourceError(f"{', '.join(path.name for path in files[:3])}: only a header, no rows; export it again")
    return [column for column in columns if column not in (FILE, ROW)]


def _told_apart(files: Sequence[Path], scratch: Path) -> Sequence[Path]:
    """Files under names of their own: of two called alike the names of their folders become part of the name."""
    tails = next(
        (tails for n in range(1, 99) if len({*(tails := [path.parts[-n:] for path in files])}) == len({*files})), []
    )
    if not tails or len(tails[0]) == 1:
        return files
    named = []
    for n, (path, tail) in enumerate(zip(files, tails, strict=True)):
        # Folders ``key=value`` stay folders: they may be columns.
        folder = scratch.joinpath(f"named-{n}", *(part for part in path.parts[:-1] if "=" in part))
        folder.mkdir(parents=True)
        named.append(folder / " ".join(tail))
        named[-1].symlink_to(path.resolve())
    return named


#: Keys that say how a text file is cut into cells: of no effect on other kinds.
_TEXT_KEYS = ("encoding", "delimiter", "quoting")
_IDLE = {
    "csv": ("sheet", "hive"), "xlsx": (*_TEXT_KEYS, "hive"), "parquet": (*_TEXT_KEYS, "sheet", "skip_rows"),
    "ndjson": ("delimiter", "quoting", "sheet", "skip_rows", "hive"), "json": ("delimiter", "quoting", "sheet", "skip_rows", "hive"),
}  # fmt: skip


def require_effect(said: Iterable[str], files: Sequence[Path], *, where: str) -> None:
    """Refuse keys of ``shop.yml`` that would have no effect on files of this kind."""
    kinds = {file_kind(path) for path in files}
    idle = [key for kind in kinds for key in _IDLE.get(kind, ()) if key in said and kind != "zip"]
    if idle:
        raise SourceError(f"{where}: {idle[0]}: has no effect on {files[0].name}; leave it out")


def _blocks(path: Path) -> Iterator[bytes]:
    with open_file(path) as source:
        while block := source.read(BLOCK):
            yield block


def require_encoding(path: Path, encoding: str | None) -> tuple[str, int]:
    """The encoding of a text file, declared or told by its first bytes, and its lines; an error if it cannot be that."""
    chosen = encoding or encoding_of(path)
    try:
        decoder = codecs.getincrementaldecoder(chosen)()
    except LookupError:
        known = ["utf-8", "utf-16", "cp1252", "latin-1", "iso-8859-15", "cp1250", "shift_jis"]
        raise SourceError(f"{path.name}: encoding '{chosen}' is not known; {nearest(chosen, known)}") from None
    n_lines, last = 1, "\n"
    for block in _blocks(path):
        try:
            text = decoder.decode(block)
            n_lines, last = n_lines + text.count("\n"), text[-1:] or last
        except UnicodeDecodeError as error:
            bad = error.object[error.start : error.start + 1]
            n_lines += error.object[: error.start].count(b"\n")
            remedy = "cp1252" if chosen == "utf-8" else "utf-8"
            raise SourceError(
                f"{path.name}: line {n_lines} is not {chosen} (byte 0x{bad.hex().upper()}, which is "
                f"'{bad.decode('cp1252', errors='replace')}' in cp1252); write 'encoding: {remedy}' for this table"
            ) from None
    return chosen, n_lines - (last == "\n")


def _as_utf8(path: Path, encoding: str, folder: Path) -> Path:
    """The file itself if it is UTF-8, else a copy in UTF-8 under the same name."""
    if encoding.lower().replace("_", "-") in UTF8:
        return path
    folder.mkdir(parents=True)
    target = folder / path.name.removesuffix(".gz")
    with (
        io.TextIOWrapper(open_file(path), encoding=encoding, newline="") as source,
        target.open("w", encoding="utf-8", newline="") as sink,
    ):
        while text := source.read(BLOCK):
            sink.write(text)
    return target


def _load_csv(reading: Reading, files: Sequence[Path], *, name: str, scratch: Path) -> None:
    """Text files, each by its own encoding, delimiter and header; rows read are held against the lines in the file."""
    con, dialect = reading.con, reading.dialect
    ready: dict[Path, tuple[Path, Layout, int]] = {}
    for n, path in enumerate(files):
        encoding, n_lines = require_encoding(path, dialect.encoding)
        layout = layout_of(path, encoding=encoding, dialect=dialect)
        ready[path] = (_as_utf8(path, encoding, scratch / f"utf8-{n}"), layout, n_lines)
    reading.headers[name] = {path.name: layout.header for path, (_, layout, _) in ready.items()}
    for attempt in (1, 2):
        try:
            _read_csv(con, ready.values(), whole=name + "_all", hive=dialect.hive)
            torn = None
        except duckdb.Error as error:
            torn = SourceError(_csv_problem(str(error), files))
        unquoted = (
            {} if attempt == 2 or dialect.quoting else _unquoted(con, ready, whole=None if torn else name + "_all")
        )
        if not unquoted:
            break
        ready |= unquoted
        reading.violations.append(
            _seen("file", f"lone quotes: read without quoting ({', '.join(p.name for p in unquoted)})", len(unquoted))
        )
    if torn:
        raise torn
    if dialect.quoting is None:  # who says how cells are quoted has looked
        _require_whole_rows(con, ready, whole=name + "_all")
    _finish(reading, name)


def _scan_of(paths: Sequence[Path], layout: Layout) -> str:
    columns = ", ".join(f"{quote(column)}: 'VARCHAR'" for column in layout.header)
    listed = ", ".join(quote(str(path)) for path in paths)
    mark = "'\"'" if layout.is_quoted else "''"
    return (
        f"read_csv([{listed}], columns={{{columns}}}, header=true, skip={layout.skip}, auto_detect=false, delim={quote(layout.delimiter)}, "
        f"quote={mark}, escape={mark}, nullstr='', filename={quote(FILE + '0')}, hive_partitioning=false, max_line_size=16000000)"
    )


def _read_csv(
    con: duckdb.DuckDBPyConnection, ready: Iterable[tuple[Path, Layout, int]], *, whole: str, hive: bool
) -> None:
    groups: dict[Layout, list[Path]] = {}
    for path, layout, _ in ready:
        groups.setdefault(layout, []).append(path)
    scans = " UNION ALL BY NAME ".join(f"SELECT * FROM {_scan_of(paths, layout)}" for layout, paths in groups.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(whole)} AS {scans}")


def _short_files(
    con: duckdb.DuckDBPyConnection, ready: Mapping[Path, tuple[Path, Layout, int]], *, whole: str
) -> list[Path]:
    """Files of which fewer rows were read than they have lines."""
    counted = dict(con.sql(f"SELECT {FILE}0, count(*) FROM {identifier(whole)} GROUP BY 1").fetchall())
    return [
        path
        for path, (copy, layout, n_lines) in ready.items()
        if counted.get(str(copy), 0) < n_lines - layout.skip - layout.n_header
    ]


def _unquoted(
    con: duckdb.DuckDBPyConnection, ready: Mapping[Path, tuple[Path, Layout, int]], *, whole: str | None
) -> dict[Path, tuple[Path, Layout, int]]:
    """Files that were read with quotes and are to be read without: every line of them has all cells, quotes or not."""
    found = {}
    for path in _short_files(con, ready, whole=whole) if whole else ready:
        copy, layout, n_lines = ready[path]
        plain = replace(layout, is_quoted=False)
        with contextlib.suppress(duckdb.Error):
            rows = con.sql(f"SELECT count(*) FROM {_scan_of([copy], plain)}").fetchone() or (0,)
            n_texts = n_lines - layout.skip - layout.n_header - _blank_lines(copy)
            if rows[0] == n_texts and layout.n_header == 1 and len(layout.header) > 1:
                found[path] = (copy, plain, n_lines)
    return found


def _blank_lines(path: Path) -> int:
    with open_file(path) as source:
        return sum(not line.strip() for line in source)


def _require_whole_rows(
    con: duckdb.DuckDBPyConnection, ready: Mapping[Path, tuple[Path, Layout, int]], *, whole: str
) -> None:
    """Refuse a cell that holds whole rows: a lone quote began it, and the next one ended it."""
    for path in _short_files(con, ready, whole=whole):
        copy, layout, _ = ready[path]
        table, of_file = identifier(whole), f"{FILE}0 = {quote(str(copy))}"
        if len(layout.header) < 3:
            continue
        for column in layout.header:
            cell = identifier(column)
            n_marks = f"length({cell}) - length(replace({cell}, {quote(layout.delimiter)}, ''))"
            swallowed = con.sql(
                f"SELECT left({cell}, 40) FROM {table} WHERE {of_file} AND contains({cell}, chr(10)) AND {n_marks} >= {len(layout.header) - 1} LIMIT 1"
            ).fetchone()
            if swallowed:
                start = swallowed[0].splitlines()[0]
                raise SourceError(
                    f"{path.name}: column '{column}': the cell that begins '{start}' holds whole rows, since a lone quote begins it; "
                    "write quoting: none if quotes are text in this file, quoting: double if such cells are meant, or double the quote"
                )


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


#: Words that stand for nothing, in any case; ``not_missing`` keeps some of them.
MISSING = ("null", r"\n", "nan", "none", "n/a", "#n/a", "-", "(not set)", "undefined")
_ENTITY = r"&(#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+\d*);"


def _create(reading: Reading, name: str, query: str) -> None:
    """Make the raw table of a query of texts with the files' paths."""
    reading.con.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(name + '_all')} AS {query}")
    _finish(reading, name)


def _finish(reading: Reading, name: str) -> None:
    """The raw table: outer blanks off, words for nothing as NULL, entities as letters, and the row's number within its file."""
    con, whole = reading.con, identifier(name + "_all")
    columns = [row[0] for row in con.sql(f"DESCRIBE {whole}").fetchall() if row[0] != f"{FILE}0"]
    kept = {word.lower() for word in reading.dialect.not_missing}
    words = [word for word in MISSING if word not in kept]
    spelt = ", ".join(
        quote(w)
        for w in dict.fromkeys(
            form
            for word in words
            for form in (word, word.upper(), word.title(), word.capitalize(), "NaN" if word == "nan" else word)
        )
    )
    cells = {column: identifier(column) for column in columns}
    asked = ", ".join(
        f"count(*) FILTER ({cell} IN ({spelt})), count(*) FILTER (contains({cell}, '&') AND regexp_matches({cell}, {quote(_ENTITY)}))"
        for cell in cells.values()
    )
    seen = con.sql(f"SELECT count(*), {asked} FROM {whole}").fetchone() or ()
    total, texts = seen[0] if seen else 0, []
    for n, (column, cell) in enumerate(cells.items()):
        n_words, n_entities = seen[1 + 2 * n], seen[2 + 2 * n]
        text = cell
        if n_entities:
            found = con.sql(
                f"SELECT DISTINCT unnest(regexp_extract_all({cell}, {quote(_ENTITY)})) AS e FROM {whole} ORDER BY e LIMIT 500"
            ).fetchall()
            for (entity,) in found:
                text = f"replace({text}, {quote(entity)}, {quote(html.unescape(entity))})"
            reading.violations.append(
                _seen(column, "HTML entities: read as the letters that they stand for", n_entities, total, found[0][0])
            )
        text = f"nullif(trim({text}), '')"
        if n_words:
            text = f"CASE WHEN {text} IN ({spelt}) THEN NULL ELSE {text} END"
            example = con.sql(f"SELECT min({cell}) FROM {whole} WHERE {cell} IN ({spelt})").fetchone() or ("",)
            reading.violations.append(_seen(column, "words for nothing: read as empty", n_words, total, example[0]))
        texts.append(f"{text} AS {cell}, ")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {identifier(name)} AS SELECT {''.join(texts)}parse_filename({FILE}0) AS {FILE}, "
        f"rowid - min(rowid) OVER (PARTITION BY {FILE}0) + 1 AS {ROW} FROM {whole}"
    )
    con.execute(f"DROP TABLE {whole}")
    if columns:
        blank = con.execute(
            f"DELETE FROM {identifier(name)} WHERE coalesce({', '.join(cells.values())}) IS NULL"
        ).fetchone()
        if blank and blank[0]:
            rule = "rows all of whose cells are empty"
            reading.set_aside.append(
                Accounted(source=reading.source, table=None, reason="blank lines", rule=rule, n_rows=blank[0])
            )


def _seen(
    column: str, rule: str, n_rows: int, total: int = 0, example: str = "", severity: Severity = "note"
) -> Violation:
    """Something that a reader saw in the raw files."""
    return Violation("files", column, rule, severity, n_rows, n_rows / total if total else 0.0, str(example))


def _load_rows(reading: Reading, files: Sequence[Path], *, name: str, scratch: Path) -> None:
    """Spreadsheets: cells as the text that a CSV export would have shown."""
    con, sheet, point, parts = reading.con, reading.dialect.sheet, reading.dialect.decimal, []
    for path in files:
        try:
            book = CalamineWorkbook.from_path(str(path))
        except (CalamineError, OSError) as error:
            raise SourceError(f"{path.name}: cannot be read as a spreadsheet: {error}") from None
        if sheet is not None and sheet not in book.sheet_names:
            raise SourceError(f"{path.name}: no sheet '{sheet}'; {nearest(sheet, book.sheet_names)}")
        chosen = sheet or first_sheet(book)
        others = [other for other in book.sheet_names if other != chosen]
        if others and sheet is None:
            rule = f"sheets that are not read: {', '.join(others)} (sheet: names another)"
            reading.violations.append(_seen(path.name, rule, len(others), severity="warning"))
        rows = itertools.islice(book.get_sheet_by_name(chosen).iter_rows(), reading.dialect.skip_rows, None)
        header = next((row for row in rows if any(cell != "" for cell in row)), None)
        if header is None:
            raise SourceError(f"{path.name}: sheet '{chosen}' is empty; name another with 'sheet:'")
        names = named_columns([str(cell).strip() for cell in header], path)
        reading.headers.setdefault(name, {})[path.name] = names
        columns: dict[str, list[str | None]] = {name: [] for name in names}
        for row in rows:
            for values, cell in zip(columns.values(), row, strict=False):
                text = cell_text(cell)
                # A number of the spreadsheet's own has a point: it is written as the texts beside it are.
                values.append(text.replace(".", point) if text is not None and isinstance(cell, float) else text)
        filled = {name: pa.array(values, pa.string()) for name, values in columns.items()}
        n_rows = len(next(iter(columns.values())))
        parts.append(pa.table({**filled, f"{FILE}0": pa.array([str(path)] * n_rows, pa.string())}))
    arrow = pa.concat_tables(parts, promote_options="default")
    con.register("_opslib_rows", arrow)
    _create(reading, name, "SELECT * FROM _opslib_rows")
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


def _load_parquet(reading: Reading, files: Sequence[Path], *, name: str, scratch: Path) -> None:
    con, hive = reading.con, str(reading.dialect.hive).lower()
    listed = ", ".join(quote(str(path)) for path in files)
    scan = f"read_parquet([{listed}], union_by_name=true, hive_partitioning={hive}, filename={quote(FILE + '0')})"
    try:
        described = con.sql(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        nested = {c for c, kind, *_ in described if kind.startswith(("STRUCT", "MAP")) or kind.endswith("[]")}
        numbers = {c for c, kind, *_ in described if kind.startswith(("DOUBLE", "FLOAT", "DECIMAL"))}
        point = quote(reading.dialect.decimal)
        texts = [
            f"to_json({c})::VARCHAR AS {c}" if plain in nested
            else f"replace(CAST({c} AS VARCHAR), '.', {point}) AS {c}" if plain in numbers
            else f"CAST({c} AS VARCHAR) AS {c}"
            for plain, c in ((c, identifier(c)) for c, *_ in described if c != f"{FILE}0")
        ]  # fmt: skip
        _create(reading, name, f"SELECT {', '.join(texts)}, {FILE}0 FROM {scan}")
    except duckdb.Error as error:
        raise SourceError(f"{files[0].name}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _load_json(reading: Reading, files: Sequence[Path], *, name: str, scratch: Path) -> None:
    """One JSON object a row: one a line, one after another, a list, a list under a key, or objects under their keys."""
    con, dialect = reading.con, reading.dialect
    ready = []
    for n, path in enumerate(files):
        encoding, _ = require_encoding(path, dialect.encoding)
        ready.append(_as_utf8(path, encoding, scratch / f"utf8-{n}"))
    try:
        scans = " UNION ALL ".join(f"SELECT json, {quote(str(p))} AS {FILE}0 FROM {_json_scan(p)}" for p in ready)
        con.execute(f"CREATE OR REPLACE TEMP TABLE _opslib_json AS {scans}")
        _open_containers(con)
        fields = _json_fields(con, is_opened=reading.is_opened, point=dialect.decimal)
        _create(reading, name, f"SELECT {', '.join(fields)}, {FILE}0 FROM _opslib_json")
    except duckdb.Error as error:
        raise SourceError(f"{files[0].name}: cannot be read as JSON: {str(error).splitlines()[0]}") from None
    con.execute("DROP TABLE _opslib_json")


def _json_scan(path: Path) -> str:
    layout = "array" if _starts_with_bracket(path) else "unstructured"
    return f"read_json_objects([{quote(str(path))}], format='{layout}', maximum_object_size=256000000)"


def _open_containers(con: duckdb.DuckDBPyConnection) -> None:
    """A file that is one object: its one list of objects, or its objects under their keys, are the rows."""
    single = f"SELECT {FILE}0 FROM _opslib_json GROUP BY {FILE}0 HAVING count(*) = 1"
    for (file,) in con.sql(single).fetchall():
        (text,) = con.sql(f"SELECT json FROM _opslib_json WHERE {FILE}0 = {quote(file)}").fetchone() or ("{}",)
        value = json.loads(text)
        if not isinstance(value, dict):
            continue
        lists = [
            key
            for key, item in value.items()
            if isinstance(item, list) and item and all(isinstance(i, dict) for i in item)
        ]
        rows: list[Any] = (
            value[lists[0]]
            if len(lists) == 1 and all(not isinstance(i, dict | list) or k == lists[0] for k, i in value.items())
            else []
        )
        if not rows and len(value) > 1 and all(isinstance(item, dict) for item in value.values()):
            rows = [{"key": key, **item} for key, item in value.items()]
        # Numbers keep their digits: a float of Python would not.
        if rows:
            table = pa.table({"json": [json.dumps(row) for row in rows], f"{FILE}0": [file] * len(rows)})
            con.register("_opslib_opened", table)
            con.execute(f"DELETE FROM _opslib_json WHERE {FILE}0 = {quote(file)}")
            con.execute(f"INSERT INTO _opslib_json SELECT CAST(json AS JSON), {FILE}0 FROM _opslib_opened")
            con.unregister("_opslib_opened")


def _json_fields(con: duckdb.DuckDBPyConnection, *, is_opened: bool, point: str) -> list[str]:
    """SQL of every key as a column; what is nested as JSON text, and where asked also as columns ``outer.inner``."""
    fields: list[str] = []
    paths: list[tuple[str, ...]] = [()]
    while paths:
        path = paths.pop(0)
        here = f"json_extract(json, {quote(_pointer(path))})" if path else "json"
        inner = f"SELECT unnest(json_keys({here})) AS k FROM _opslib_json WHERE json_type({here}) = 'OBJECT'"
        for (key,) in con.sql(f"SELECT DISTINCT k FROM ({inner}) ORDER BY k").fetchall():
            below = (*path, key)
            value, at = f"json_extract_string(json, {quote(_pointer(below))})", quote(_pointer(below))
            if point != ".":
                value = f"CASE WHEN json_type(json, {at}) = 'DOUBLE' THEN replace({value}, '.', {quote(point)}) ELSE {value} END"
            fields.append(f"{value} AS {identifier('.'.join(below))}")
            paths += [below] if is_opened and len(below) < 3 else []
    return fields


def _pointer(path: Sequence[str]) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def _starts_with_bracket(path: Path) -> bool:
    with open_file(path) as source:
        return source.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
