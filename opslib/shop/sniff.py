"""Format detection: first looks at a file or folder, enough to tell which export it is."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb
from python_calamine import CalamineError, CalamineWorkbook

_ENCODINGS = ("utf-8-sig", "utf-16", "cp1252")


def files_in(path: Path, endings: tuple[str, ...]) -> list[Path]:
    """The file itself, or a folder's files with one of the endings, by name; only of the ending that comes first."""
    if path.is_file():
        return [path] if path.name.lower().endswith(endings) else []
    for ending in endings:
        if found := sorted(p for p in path.glob("*") if p.is_file() and p.name.lower().endswith(ending)):
            return found
    return []


def header_of(path: Path) -> list[str]:
    """Column names of a csv, xlsx or Parquet file; empty if it has none that can be read."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            rows = duckdb.connect().execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
            return [row[0] for row in rows[1:]]
        if name.endswith(".xlsx"):
            sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
            return [str(cell) for cell in next(iter(sheet.iter_rows()), [])]
        line = first_line(path)
    except (CalamineError, duckdb.Error, OSError, zipfile.BadZipFile):
        return []
    mark = max(",;\t|", key=line.count)
    return [cell.strip() for cell in next(csv.reader([line], delimiter=mark), [])]


def first_line(path: Path, *, limit: int = 65_536) -> str:
    """First line of a text file, whatever its encoding; empty for an empty file."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as source:
        start = source.read(limit)
    for encoding in _ENCODINGS if start[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        text = io.StringIO(start.decode(encoding, errors="ignore"))
        if line := text.readline().strip("\r\n"):
            return line
    return ""


def first_object(path: Path) -> dict[str, Any]:
    """First JSON object of an NDJSON file or of a JSON list; empty if there is none."""
    line = first_line(path).strip()
    for text in (line, line.rstrip(","), line.lstrip("[").rstrip(",]")):
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, list):
            found = found[0] if found else {}
        return found if isinstance(found, dict) else {}
    return {}
