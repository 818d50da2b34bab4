"""Manifest of a run: one record a page, and the keys that decide whether a page is made again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from opslib.reporting.harvest import Harvest
from opslib.shop.disk import write_whole

PACKAGES = (
    "opslib",
    "pandas",
    "numpy",
    "pyarrow",
    "ibis-framework",
    "duckdb",
    "scipy",
    "statsmodels",
    "scikit-learn",
    "matplotlib",
    "seaborn",
    "great-tables",
    "papermill",
    "nbconvert",
)
#: Of page records and manifests; 1: before pages said what they ask for.
FORMAT = 2
WHY = {
    "notebook": "its notebook changed",
    "parameters": "its parameters changed",
    "library": "opslib changed",
    "versions": "the installed versions changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRecord:
    """One page of a run."""

    name: str  # file name without .html
    notebook: str  # file name of its notebook
    title: str  # its first heading
    answer: str  # its first finding; '' when it has none
    status: str  # ok, not available, failed
    reason: str  # why it is not ok; '' when ok
    why_run: str  # why it was computed in this run; '' when it was carried over unchanged
    seconds: float  # wall time of its notebook when it was last computed
    parameters: dict[str, Any]  # as the notebook got them
    key: dict[str, str]  # SHA-256 of what the page depends on, by part
    sha256: str  # of the page's bytes
    harvest: Harvest = field(default_factory=Harvest)  # its findings
    asked: dict[str, str | None] = field(
        default_factory=dict
    )  # kind:name -> fingerprint of what it read, if it has one
    files: tuple[str, ...] = ()  # what lies beside it: queries, long tables
    format: int = FORMAT  # of this record

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PageRecord:
        """Read a record as `asdict` wrote it, also one of format 1: findings were called evidence, and nothing was asked."""
        found = dict(values["harvest"])
        if "evidence" in found:
            found["findings"] = found.pop("evidence")
        return cls(**{"format": 1, **values, "harvest": Harvest(**found), "files": tuple(values.get("files", ()))})


def page_key(
    notebook: Mapping[str, Any], *, parameters: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, str]:
    """Fingerprints of what a page's bytes depend on besides what it asks for.

    Parameters
    ----------
    notebook : mapping
        The notebook as committed; its outputs and execution counts do not matter.
    parameters : mapping
        The checked parameters.
    options : mapping
        What else the page shows.

    Returns
    -------
    dict of str to str
        Parts notebook, parameters, library, versions.
    """
    cells = [[c["cell_type"], "".join(c["source"]), c.get("metadata", {}).get("tags", [])] for c in notebook["cells"]]
    return {
        "notebook": digest([cells, dict(options)]),
        "parameters": digest(dict(parameters)),
        "library": library_fingerprint(),
        "versions": digest(versions()),
    }


def reason_to_run(previous: PageRecord | None, key: Mapping[str, str]) -> str:
    """Why a page must be computed again, whatever it asks for; '' when its notebook, parameters and library hold.

    Examples
    --------
    >>> reason_to_run(None, {"notebook": "a"})
    'it was not there before'
    """
    if previous is None:
        return "it was not there before"
    if previous.status == "failed":
        return "it failed last time"
    return "; ".join(WHY[part] for part in WHY if previous.key.get(part) != key[part])


def write_record(record: PageRecord, folder: Path) -> None:
    """Write a page's record beside it, whole or not at all."""
    write_whole(folder / f"{record.name}.json", json.dumps(asdict(record), indent=1, ensure_ascii=False))


def read_page_records(folder: Path) -> dict[str, PageRecord]:
    """Records of the pages in a folder whose bytes are what the record says, by name."""
    records = {}
    for file in sorted(folder.glob("*.json")):
        values = json.loads(file.read_text(encoding="utf-8"))
        page = folder / f"{file.stem}.html"
        is_known = "sha256" in values and values.get("format", 1) <= FORMAT  # a newer opslib's is left alone
        is_known = is_known and all((folder / name).is_file() for name in values.get("files", ()))
        if is_known and page.is_file() and sha256(page.read_bytes()) == values["sha256"]:
            records[file.stem] = PageRecord.from_json(values)
    return records


def write_manifest(
    folder: Path,
    *,
    run: str,
    shop: str,
    started: datetime,
    records: Sequence[PageRecord],
    fingerprint: str | None,
    before: Mapping[str, Any] | None,
    exports: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write ``manifest.json``: the only place of a run that knows the time.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    run, shop : str
        Names of the run and the shop.
    started : datetime
        Start, in UTC; its end is now.
    records : sequence of PageRecord
        The run's pages.
    fingerprint : str or None
        Of the shop's data.
    before : mapping or None
        From `since.snapshot`: the report that this one was compared with.
    exports : sequence of mapping
        Lists of people that left the shop so far: from `read_exports` of the report before.
    """
    pages = [asdict(r) | {"queries": r.harvest.provenance.get("queries", [])} for r in records]
    for page in pages:
        del page["harvest"]
    times = [moment.isoformat(timespec="seconds") for moment in (started, datetime.now(UTC))]
    content = {
        "format": FORMAT,
        "run": run,
        "shop": shop,
        "started_at": times[0],
        "finished_at": times[1],
        "fingerprint": fingerprint,
        "library": library_fingerprint(),
        "versions": versions(),
        "pages": pages,
        "before": before,
        "exports": exports,
    }
    write_whole(folder / "manifest.json", json.dumps(content, indent=1, ensure_ascii=False))


def read_before(folder: Path) -> dict[str, Any] | None:
    """What the run in a folder was compared with; None for a first report."""
    path = folder / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")).get("before") if path.is_file() else None


def read_exports(folder: Path) -> list[dict[str, Any]]:
    """Lists of people that left the shop, as the manifest in a folder names them."""
    path = folder / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")).get("exports", []) if path.is_file() else []


def note_export(folder: Path, export: Mapping[str, Any]) -> None:
    """Name in a report's manifest that a list of people has left the shop, and when."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    content["exports"] = [*content.get("exports", []), {"written_at": at, **export}]
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False))


@cache
def library_fingerprint() -> str:
    """SHA-256 over names and contents of opslib's own files, whatever their dates."""
    folder = Path(__file__).parents[1]
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return digest([[p.relative_to(folder).as_posix(), sha256(p.read_bytes())] for p in files])


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that figures depend on."""
    installed = {d.metadata["Name"].lower() for d in metadata.distributions()}
    return {"python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES if p in installed}


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, the same whatever the order of its keys."""
    return sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode())


def sha256(content: bytes) -> str:
    """SHA-256 of bytes, as hex."""
    return hashlib.sha256(content).hexdigest()
