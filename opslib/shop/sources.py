"""Open a shop: find its description, read or reuse its tables, hand them over under contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import ibis.expr.types as ir
import pandas as pd
from ibis.backends import BaseBackend

from opslib import engine
from opslib.contracts import CONTRACTS, require_table
from opslib.errors import NotAvailableError, ShopFileError, SourceError, nearest
from opslib.periods import Coverage
from opslib.shop import adapters, database, staging
from opslib.shop.adapters import columns
from opslib.shop.adapters.base import Extract, Progress, Reading, quote
from opslib.shop.adapters.files import expand
from opslib.shop.coverage import coverage_of, observed_days
from opslib.shop.reads import note
from opslib.shop.root import project_root
from opslib.shop.shopfile import ShopFile, TableSource, closed_days, read_shop_file
from opslib.simulate.made import ensure

#: Tables that tell which days were seen, best first, where a shop has no order lines.
_DAY_TABLES = ("order_lines", "events", "sessions", "searches", "reviews", "tickets", "unit_outcomes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """An open shop.

    Parameters
    ----------
    name, title : str
        Short name (folders, addresses) and the name that people use.
    currency, time_zone : str
        ISO code; IANA zone in which days begin and end.
    is_simulated : bool
        Whether the data were made up; every page says so.
    prices_include_tax : bool
        Whether ``unit_price`` carries tax.
    week_start : str
        "monday" or "sunday".
    connection : ibis backend
        The engine that holds the tables.
    tables : mapping of str to ibis.Table
        Contract tables that the shop has.
    fingerprint : str or None
        SHA-256 of the content; None for a database without a watermark, which always counts as changed.
    coverage : Coverage or None
        Days seen; None without any dated table.
    days : pandas.DataFrame
        day, n_rows, kind: see :func:`opslib.shop.coverage.observed_days`.
    staged : Staged or None
        Accounting of raw rows and the adapter's violations; None for a database.
    settings : mapping
        Further keys of ``shop.yml`` (``metrics``, ``options``).
    folder : Path or None
        Where a simulated shop lies, with its ``truth.json``; None for real shops.
    """

    name: str
    title: str
    currency: str
    time_zone: str
    is_simulated: bool
    prices_include_tax: bool
    week_start: str
    connection: BaseBackend
    tables: Mapping[str, ir.Table]
    fingerprint: str | None
    coverage: Coverage | None
    days: pd.DataFrame
    staged: staging.Staged | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def has(self, name: str) -> bool:
        """Whether the shop has a table; :class:`ContractError` if no contract has that name."""
        require_table(name)
        note("table", name)
        return name in self.tables

    def table(self, name: str) -> ir.Table:
        """A table of the shop; :class:`NotAvailableError` says what it would have answered."""
        if not self.has(name):
            raise NotAvailableError(name, CONTRACTS[name].would_answer)
        return self.tables[name]


def shop_names(root: Path | None = None) -> tuple[str, ...]:
    """Names of the shops that ``data/shops`` describes."""
    folder = (root or project_root()) / "data" / "shops"
    return tuple(sorted(path.stem for path in folder.glob("*.yml")))


def open_shop(
    shop: str | Path, *, root: Path | None = None, verify: bool = False, progress: Progress | None = None
) -> Shop:
    """Open a shop by name, by its ``shop.yml``, or by a folder or file in a known export format.

    Parameters
    ----------
    shop : str or Path
        ``demo`` (found in ``data/shops`` from the project's root, whatever the working directory), ``path/to/shop.yml``,
        or e.g. ``exports/shopify/``, whose format is recognised.
    root : Path or None
        The project's root, if not the one around the working directory.
    verify : bool
        Hash every file again instead of trusting size and time.
    progress : callable or None
        Called with a sentence and the share done (0-1) while files are read.

    Returns
    -------
    Shop
        The first opening reads and types every file; later ones take milliseconds.

    Raises
    ------
    ShopFileError, SourceError, ContractError
        Naming file, key or column, value, what is allowed and the way out.
    """
    root = root or project_root()
    described, folder = _describe(shop, root=root)
    if any(source.table for source in described.tables.values()):
        with engine.unlogged():
            return _open_database(described)
    if described.engine != "duckdb://":
        raise ShopFileError(
            f"shop {described.name}: engine: reads tables of a database, but none is named; give each 'table: schema.name'"
        )
    with engine.unlogged():
        return _open_files(described, folders=[root, folder], root=root, verify=verify, progress=progress or _silent)


def _silent(sentence: str, share: float) -> None:
    """No progress wanted."""


def _describe(shop: str | Path, *, root: Path) -> tuple[ShopFile, Path]:
    """The shop's description and the folder that its relative paths may start from."""
    text = str(shop)
    named = root / "data" / "shops" / f"{text}.yml"
    if "/" not in text and named.is_file():
        return read_shop_file(named), named.parent
    path = Path(shop).expanduser()
    path = path if path.exists() else root / path
    if path.suffix in (".yml", ".yaml") and path.is_file():
        return read_shop_file(path), path.resolve().parent
    if path.exists():
        path = path.resolve()
        adapter = adapters.detect(path)
        name = "".join(c if c.isalnum() else "_" for c in path.stem.lower()).strip("_") or "shop"
        return ShopFile(
            name=name, title=adapter.TITLE, currency=adapter.CURRENCY, time_zone=adapter.TIME_ZONE, adapter=adapter.NAME, files=str(path)
        ), path.parent  # fmt: skip
    raise SourceError(
        f"shop '{text}' is no name in data/shops, no file and no folder; {nearest(text, shop_names(root)) or 'none described yet'}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Which files are read by whom."""

    adapter: adapters.Adapter | None
    files: list[Path]  # for the adapter
    mapped: dict[str, tuple[TableSource, list[Path]]]  # through a column map
    in_place: dict[str, list[Path]]  # Parquet under contract already
    hashed: list[Path]  # decide the fingerprint

    def read(self, reading: Reading) -> Extract:
        """Everything that needs reading, by adapter and by column map."""
        parts = [self.adapter.read(reading)] if self.adapter else []
        return _merge([*parts, columns.read(reading)])


def _plan(described: ShopFile, *, folders: list[Path], con: duckdb.DuckDBPyConnection) -> _Plan:
    """Sort the shop's files by how they are read."""
    adapter = adapters.by_name(described.adapter) if described.adapter else None
    files: list[Path] = []
    if adapter is not None:
        given = expand(described.files, folders=folders) if described.files else [Path()]
        files = [file for path in given for file in adapter.find_files(path)]
        if not files:
            raise SourceError(
                f"shop {described.name}: no file of a {adapter.NAME} export in {described.files}; check 'files:'"
            )
    elif described.files is not None:
        raise ShopFileError(
            f"shop {described.name}: 'files:' needs 'adapter:' (one of {', '.join(adapters.NAMES)}), or use 'tables:'"
        )
    mapped = {
        name: (source, expand(source.files, folders=folders))
        for name, source in described.tables.items()
        if source.files
    }
    in_place = {
        name: many for name, (source, many) in mapped.items()
        if not source.columns and {path.suffix for path in many} == {".parquet"} and staging.is_contract_parquet(con, many, table=name)
    }  # fmt: skip
    return _Plan(
        adapter=adapter, files=files, mapped={name: item for name, item in mapped.items() if name not in in_place},
        in_place=in_place, hashed=[*files, *(path for _, many in mapped.values() for path in many)],
    )  # fmt: skip


def _open_files(described: ShopFile, *, folders: list[Path], root: Path, verify: bool, progress: Progress) -> Shop:
    settings = described.model_dump(
        mode="json", exclude={"title", "engine", "memory_limit", "metrics", "watermark", "files"}
    )
    for table in settings["tables"].values():
        table.pop("files")
    made = _simulated(described, root=root, progress=progress) if described.simulate else None
    if made is not None:
        simulated = {
            name: TableSource(files=str(made / name / "*.parquet")) for name in CONTRACTS if (made / name).is_dir()
        }
        described = described.model_copy(update={"tables": {**simulated, **described.tables}})
    backend = engine.connect(described.engine, memory_limit=described.memory_limit)
    con = backend.con
    plan = _plan(described, folders=folders, con=con)
    folder = root / "data" / "staged" / described.name
    # What a seed makes is known by the seed and the generator; hashing it would only take time.
    hashed = [path for path in plan.hashed if made is None or made not in path.parents]
    hashes = staging.file_hashes(hashed, memory=folder / "hashes.json", verify=verify)
    readers = adapters.readers(described.adapter)
    digest = staging.fingerprint(hashes, settings={**settings, "made": made.name if made else ""}, readers=readers)

    reading = Reading(
        con=con, files=plan.files, time_zone=described.time_zone, currency=described.currency, progress=progress,
        prices_include_tax=described.prices_include_tax, options={**described.options, "tables": plan.mapped},
    )  # fmt: skip
    staged = staging.stage(folder, digest, reading=reading, build=plan.read)
    for name, path in staged.tables.items():
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet({quote(path)})")
    for name, many in plan.in_place.items():
        staging.view_in_place(con, many, table=name, time_zone=described.time_zone, tax=described.prices_include_tax)
    tables = {name: backend.table(name) for name in CONTRACTS if name in staged.tables or name in plan.in_place}
    days = _days(tables, described, memory=staged.folder / "days.json")
    return replace(
        _shop(described, backend=backend, tables=tables, digest=digest, days=days, staged=staged), folder=made
    )


def _simulated(described: ShopFile, *, root: Path, progress: Progress) -> Path:
    """Folder of the shop's simulated tables, made by one process at a time."""
    assert described.simulate is not None
    home = root / "data" / "raw" / described.name
    with staging.locked(home):
        return ensure(home, preset=described.simulate.preset, seed=described.simulate.seed, progress=progress)


def _merge(parts: list[Extract]) -> Extract:
    return Extract(
        tables={name: query for part in parts for name, query in part.tables.items()},
        accounting=tuple(item for part in parts for item in part.accounting),
        raw_totals={label: value for part in parts for label, value in part.raw_totals.items()},
        violations=tuple(item for part in parts for item in part.violations),
    )


def _open_database(described: ShopFile) -> Shop:
    backend = engine.connect(described.engine, memory_limit=described.memory_limit)
    tables = {
        name: database.contract_table(backend, name, source, shop=described)
        for name, source in described.tables.items()
    }
    digest = database.watermark(backend, described)
    return _shop(described, backend=backend, tables=tables, digest=digest, days=_days(tables, described, memory=None))


def _days(tables: Mapping[str, ir.Table], described: ShopFile, *, memory: Path | None) -> pd.DataFrame:
    """Days seen, remembered beside the staged tables."""

    def work_out() -> dict[Any, list[Any]]:
        for name in _DAY_TABLES:
            column = CONTRACTS[name].time_column
            if name in tables and column in tables[name].columns:
                days = observed_days(
                    tables[name],
                    time_column=str(column),
                    time_zone=described.time_zone,
                    closed=closed_days(described.closed),
                )
                return days.assign(day=days["day"].dt.strftime("%Y-%m-%d")).to_dict("list")
        return {"day": [], "n_rows": [], "kind": []}

    kept = work_out() if memory is None else staging.remembered(memory, work_out)
    return pd.DataFrame(kept).assign(day=pd.to_datetime(kept["day"]).astype("datetime64[us]"))


def _shop(
    described: ShopFile,
    *,
    backend: BaseBackend,
    tables: Mapping[str, ir.Table],
    digest: str | None,
    days: pd.DataFrame,
    staged: staging.Staged | None = None,
) -> Shop:
    return Shop(
        name=described.name,
        title=described.title,
        currency=described.currency,
        time_zone=described.time_zone,
        is_simulated=described.simulated or described.simulate is not None,
        prices_include_tax=described.prices_include_tax,
        week_start=described.week_start,
        connection=backend,
        tables=MappingProxyType(dict(tables)),
        fingerprint=digest,
        coverage=coverage_of(days),
        days=days,
        staged=staged,
        settings=MappingProxyType({"metrics": described.metrics, "options": described.options}),
    )


def last_day(shop: Shop) -> date:
    """Last whole day of the shop's data; :class:`NotAvailableError` for a shop without dates."""
    if shop.coverage is None:
        raise NotAvailableError("order_lines", CONTRACTS["order_lines"].would_answer)
    return shop.coverage.last
