"""Format detection: first looks at a file or folder, enough to tell which export it is."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import json
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import duckdb
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from opslib.errors import SourceError
from opslib.shop.shopfile import Dialect

#: Bytes that are read at a time, and names of the encoding that the engine reads itself.
BLOCK = 1 << 20
UTF8 = ("utf-8", "utf8", "utf-8-sig", "ascii")


def files_in(path: Path, endings: tuple[str, ...]) -> list[Path]:
    """The file itself, or a folder's files with one of the endings, by name; only of the ending that comes first."""
    endings = (*endings, ".zip") if ".csv" in endings else endings
    if path.is_file():
        return [path] if path.name.lower().endswith(endings) else []
    for ending in endings:
        if found := sorted(p for p in path.glob("*") if p.is_file() and p.name.lower().endswith(ending)):
            return found
    return []


def header_of(path: Path, dialect: Dialect | None = None) -> list[str]:
    """Column names of a csv, xlsx, Parquet or JSON file, zipped or not; empty if it has none that can be read."""
    name = path.name.lower()
    try:
        if name.endswith(".zip"):
            with tempfile.TemporaryDirectory(prefix="opslib-sniff-") as folder:
                return header_of(unzipped(path, Path(folder) / "0"), dialect)
        if name.endswith(".parquet"):
            rows = duckdb.connect().execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
            return [row[0] for row in rows[1:]]
        if name.endswith(".xlsx"):
            book = CalamineWorkbook.from_path(str(path))
            return [str(cell) for cell in next(iter(book.get_sheet_by_name(first_sheet(book)).iter_rows()), [])]
        if name.removesuffix(".gz").endswith((".json", ".ndjson", ".jsonl")):
            return list(first_object(path))
        return list(layout_of(path, encoding=encoding_of(path), dialect=dialect or Dialect()).header)
    except (CalamineError, duckdb.Error, OSError, zipfile.BadZipFile, SourceError, csv.Error):
        return []


def first_text(path: Path, *, limit: int = 1 << 20) -> str:
    """The start of a text file, by the encoding that its first bytes tell."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as source:
        start = source.read(limit)
    return start.decode(encoding_of(path), errors="ignore").lstrip("\ufeff").lstrip()


def first_line(path: Path) -> str:
    """First line of a text file that is not blank; empty for an empty file."""
    return next(iter(first_text(path, limit=65_536).splitlines()), "")


def first_object(path: Path) -> dict[str, Any]:
    """First JSON object of a file: one a line, pretty-printed, in a list, in a list under a key; empty if there is none."""
    text = first_text(path)
    try:
        found, end = json.JSONDecoder().raw_decode(text.lstrip("[ \t\r\n"))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    if not text.startswith("[") and not text.lstrip()[end:].strip():  # the file is one object: its rows lie within
        nested = [value for value in found.values() if isinstance(value, list | dict)]
        if len(nested) == 1 and isinstance(nested[0], list) and nested[0] and isinstance(nested[0][0], dict):
            return dict(nested[0][0])
        if len(found) > 1 and all(isinstance(value, dict) for value in found.values()):
            return {"key": "", **next(iter(found.values()))}
    return found


def unzipped(path: Path, folder: Path) -> Path:
    """The one file in a zip archive, unpacked into a folder."""
    with zipfile.ZipFile(path) as archive:
        members = [item for item in archive.namelist() if not item.endswith("/") and "__MACOSX" not in item]
        if len(members) != 1:
            listed = f" ({', '.join(members[:4])})" if members else ""
            raise SourceError(f"{path.name}: {len(members)} files inside{listed}; unpack it and name the one to read")
        folder.mkdir(parents=True)
        target = folder / Path(members[0]).name
        with archive.open(members[0]) as source, target.open("wb") as sink:
            while block := source.read(BLOCK):
                sink.write(block)
    return target


def open_file(path: Path) -> IO[bytes]:
    """A file's bytes, unpacked if it is gzipped."""
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")  # type: ignore[return-value]


def encoding_of(path: Path) -> str:
    """The encoding that a text file's first bytes tell; UTF-8 where they tell none."""
    with open_file(path) as source:
        start = source.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(start) == 4 and start[1::2] == b"\0\0":
        return "utf-16-le"
    return "utf-16-be" if len(start) == 4 and start[::2] == b"\0\0" else "utf-8"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one text file is cut into cells: lines above the header, lines of the header, delimiter, quoting, columns."""

    skip: int
    n_header: int
    delimiter: str
    is_quoted: bool
    header: tuple[str, ...]


def layout_of(path: Path, *, encoding: str, dialect: Dialect) -> Layout:
    """How a text file is cut into cells, by its first lines and by what ``shop.yml`` says.

    Parameters
    ----------
    path : Path
        File of any encoding, gzipped or not.
    encoding : str
        Its encoding.
    dialect : Dialect
        What is said of it.

    Returns
    -------
    Layout
        A first line ``sep=;``, as spreadsheets write it, names the delimiter and is no header.
    """
    mark = dialect.delimiter
    with io.TextIOWrapper(open_file(path), encoding=_without_bom(encoding), newline="", errors="replace") as source:
        skip = dialect.skip_rows
        for _ in range(skip):
            source.readline()
        while (line := source.readline()) and not line.strip():
            skip += 1
        if named := re.fullmatch(r'"?sep=(.|\\t)"?\s*', line, flags=re.IGNORECASE):
            mark = mark or named.group(1).replace("\\t", "\t")
            line, skip = source.readline(), skip + 1
        if mark is None:
            text = re.sub(r'"[^"]*"', "", line)
            mark = max(",;\t|", key=text.count)
        is_quoted = dialect.quoting != "none"
        how: Any = {"delimiter": mark, "quoting": csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE}
        rows = csv.reader(itertools.chain([line], source), **how)
        names = [cell.strip() for cell in next(rows, [])]
        return Layout(skip, rows.line_num, mark, is_quoted, named_columns(names, path))


def _without_bom(encoding: str) -> str:
    return "utf-8-sig" if encoding.lower().replace("_", "-") in UTF8 else encoding


def named_columns(names: list[str], path: Path) -> tuple[str, ...]:
    """Column names of a header: unnamed ones are numbered, and two of one name are an error."""
    names = [name or f"column_{n + 1}" for n, name in enumerate(names)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise SourceError(f"{path.name}: the header names column '{', '.join(twice)}' twice; rename one of them")
    return tuple(names)


def first_sheet(book: CalamineWorkbook) -> str:
    """Name of the first sheet that is not hidden."""
    shown = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
    ]
    return shown[0] if shown else book.sheet_names[0]
