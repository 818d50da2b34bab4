"""Format detection: first looks at a file or folder, enough to tell which export it is."""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import duckdb
from python_calamine import CalamineError, CalamineWorkbook

from opslib.errors import SourceError
from opslib.shop.adapters.reading import encoding_of, first_sheet, layout_of, unzipped
from opslib.shop.shopfile import Dialect


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
    while text:
        try:
            found, _ = json.JSONDecoder().raw_decode(text.lstrip("[ \t\r\n"))
        except ValueError:
            return {}
        inner = (
            next((v for v in found.values() if isinstance(v, list) and v and isinstance(v[0], dict)), None)
            if isinstance(found, dict)
            else None
        )
        only = inner and all(not isinstance(v, list | dict) or v is inner for v in found.values())
        whole = (
            len(text) < 1 << 20
            and isinstance(found, dict)
            and len(found) > 1
            and all(isinstance(v, dict) for v in found.values())
        )
        if only and not text.startswith("[") and "\n{" not in text.strip()[1:]:
            return dict(inner[0])
        if whole:
            return {"key": "", **next(iter(found.values()))}
        return found if isinstance(found, dict) else {}
    return {}
