"""Open a shop: find its description, read or reuse its tables, hand them over under contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis.backends import BaseBackend

from opslib import engine
from opslib.contracts import CONTRACTS, Violation, require_table
from opslib.errors import NotAvailableError, ShopFileError, SourceError, nearest
from opslib.periods import Coverage
from opslib.shop import adapters, coverage, database, staging
from opslib.shop.adapters import columns
from opslib.shop.adapters.export import Extract, Progress, Reading, quote
from opslib.shop.adapters.reading import expand, require_effect
from opslib.shop.adapters.sql import Sources
from opslib.shop.disk import locked
from opslib.shop.reads import note
from opslib.shop.root import homes_of, project_root, project_secret, writable
from opslib.shop.settle import CAME_BACK, apart, require_sound
from opslib.shop.shopfile import Dialect, ShopFile, TableSource, closed_days, read_shop_file
from opslib.simulate.made import ensure, folder_name

#: Tables that tell which days were seen, best first.
_DAY_TABLES = (
    "order_lines", "events", "sessions", "searches", "reviews", "tickets", "unit_outcomes", "returns", "ad_spend", "stock_levels",
    "competitor_prices", "experiments", "experiment_summaries",
)  # fmt: skip


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
    fingerprints : mapping of str to (str or None)
        The same of each table alone: its files and all that decides how they are read.
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
    fingerprints: Mapping[str, str | None]
    coverage: Coverage | None
    days: pd.DataFrame
    staged: staging.Staged | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def __repr__(self) -> str:
        seen = "no dates" if self.coverage is None else f"{self.coverage.first} to {self.coverage.last}"
        return f"<Shop {self.name}: {self.title}, {seen}; {', '.join(self.tables)}>"

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

    def empty_table(self, name: str) -> ir.Table:
        """A table without rows on the shop's engine, with all columns that its contract allows or that are derived."""
        nulls = {column: ibis.null(kind) for column, kind in require_table(name).schema.items()}
        return next(iter(self.tables.values())).filter(ibis.literal(False)).select(**nulls)

    def require_coverage(self) -> Coverage:
        """The days seen; :class:`NotAvailableError` for a shop none of whose tables has dates."""
        if self.coverage is None:
            raise NotAvailableError(
                f"{', '.join(_DAY_TABLES[:3])} or another with dates",
                "which days were seen, and so what a period is about",
            )
        return self.coverage


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
    folders = [root, folder]
    with engine.unlogged():
        if any(source.table for source in described.tables.values()):
            return _open_database(described, folders=folders)
        if described.engine != "duckdb://":
            raise ShopFileError(
                f"shop {described.name}: engine: reads tables of a database, but none is named; give each 'table: schema.name'"
            )
        progress = progress or (lambda sentence, share: None)
        return _open_files(described, folders=folders, root=root, verify=verify, progress=progress)


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
    mapped: dict[str, tuple[TableSource, Sources]]  # through a column map or SQL
    in_place: dict[str, list[Path]]  # Parquet under contract already

    def read(self, reading: Reading) -> Extract:
        """Everything that needs reading, by adapter and by column map."""
        parts = [self.adapter.read(reading)] if self.adapter else []
        parts.append(columns.read(reading))
        unsure = (
            _not_reconciled(name) for name, (source, _) in self.mapped.items() if source.sql and not source.reconcile
        )
        seen = Extract(tables={}, accounting=tuple(reading.set_aside), violations=(*reading.violations, *unsure))
        return _merge([*parts, seen])


def _not_reconciled(table: str) -> Violation:
    rule = "made by SQL and not reconciled with the files: write reconcile: in shop.yml"
    return Violation(table, "", rule, "warning", 0, 1.0, "")


def _sources(source: TableSource, *, folders: list[Path]) -> Sources:
    """The files of a table, and with SQL the SELECT's file and the files of each raw table."""
    if not isinstance(source.files, dict):
        return Sources(expand(source.files or [], folders=folders))
    named = {name: expand(patterns, folders=folders) for name, patterns in source.files.items()}
    (query, *_) = expand(str(source.sql), folders=folders[::-1])
    return Sources([query, *(path for many in named.values() for path in many)], query, named)


def _plan(described: ShopFile, *, folders: list[Path], con: duckdb.DuckDBPyConnection) -> _Plan:
    """Sort the shop's files by how they are read."""
    adapter, files = adapters.by_name(described.adapter) if described.adapter else None, []
    if adapter is not None:
        given = expand(described.files, folders=folders) if described.files else [Path()]
        files = [file for path in given for file in adapter.find_files(path)]
        if not files:
            raise SourceError(
                f"shop {described.name}: no file of a {adapter.NAME} export in {described.files}; check 'files:'"
            )
        if not described.tables:
            require_effect(described.model_fields_set, files, where=f"shop {described.name}")
    elif described.files is not None:
        raise ShopFileError(
            f"shop {described.name}: 'files:' needs 'adapter:' (one of {', '.join(adapters.NAMES)}), or use 'tables:'"
        )
    elif not described.tables:
        raise ShopFileError(f"shop {described.name}: names no table; give 'tables:', or 'adapter:' and 'files:'")
    mapped, in_place = {}, {}
    for name, source in described.tables.items():
        many = _sources(source, folders=folders)
        is_parquet = not source.columns and source.sql is None and {path.suffix for path in many.paths} == {".parquet"}
        if is_parquet and staging.is_contract_parquet(con, many.paths, table=name):
            in_place[name] = many.paths
        else:
            mapped[name] = (source, many)
    return _Plan(adapter=adapter, files=files, mapped=mapped, in_place=in_place)


def _open_files(described: ShopFile, *, folders: list[Path], root: Path, verify: bool, progress: Progress) -> Shop:
    made = _simulated(described, root=root, progress=progress) if described.simulate else None
    given = described
    if made is not None:
        simulated = {
            name: TableSource(files=str(made / name / "*.parquet")) for name in CONTRACTS if (made / name).is_dir()
        }
        described = described.model_copy(update={"tables": {**simulated, **described.tables}})
    backend = engine.connect(described.engine, memory_limit=described.memory_limit)
    plan = _plan(described, folders=folders, con=backend.con)
    homes = homes_of("staged", described.name, root=root)
    prints = _fingerprints(given, plan, made=made, homes=homes, verify=verify)
    settings = given.model_dump(mode="json", include={"name", "simulated", "week_start", "options", "closed"})
    digest = staging.source_fingerprint({}, settings={**settings, "parts": prints}, readers=[Path(coverage.__file__)])

    reading = Reading(
        con=backend.con, files=plan.files, time_zone=described.time_zone, currency=described.currency, progress=progress,
        prices_include_tax=described.prices_include_tax, tax_rate=described.tax_rate, secret=partial(project_secret, root), dialect=described.over(Dialect()), options={**described.options, "tables": plan.mapped},
    )  # fmt: skip
    staged = staging.stage(homes, digest, backend=backend, reading=reading, build=plan.read)
    for name, path in staged.tables.items():
        backend.con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet({quote(path)})")
    for name, many in plan.in_place.items():
        staging.view_in_place(backend, many, table=name, rules=described.rules)
    tables = {name: backend.table(name) for name in CONTRACTS if name in staged.tables or name in plan.in_place}
    if "returns" in staged.tables and any(item.reason == CAME_BACK for item in staged.accounting):
        lines = prints.get("order_lines") or prints["adapter"]  # what came back stands in the lines' files
        prints["returns"] = staging.source_fingerprint({}, settings={"lines": lines, "own": prints.get("returns")})
    prints = {name: prints.get(name) or prints["adapter"] for name in tables}
    return _shop(described, backend=backend, tables=tables, digest=digest, prints=prints, staged=staged, folder=made)


def _fingerprints(
    described: ShopFile, plan: _Plan, *, made: Path | None, homes: Sequence[Path], verify: bool
) -> dict[str, str]:
    """Fingerprint of each table with files of its own, and of all that the adapter reads together."""
    parts: dict[str, tuple[Sequence[Path], Any]] = {}
    for name, many in ({name: many.paths for name, (_, many) in plan.mapped.items()} | plan.in_place).items():
        # What a seed makes is known by the seed and the generator; hashing it would only take time.
        own = described.tables.get(name)
        parts[name] = (many, own.model_dump(mode="json", exclude={"files"})) if own else ([], made and made.name)
    if plan.adapter:
        parts["adapter"] = (plan.files, described.options)
    hashes = staging.file_hashes([path for many, _ in parts.values() for path in many], homes=homes, verify=verify)
    prints = {}
    for name, (many, source) in parts.items():
        readers = adapters.readers(described.adapter if name == "adapter" else None)
        dialect = described.over(Dialect()).model_dump(mode="json")
        views = (
            {view: [path.name for path in paths] for view, paths in plan.mapped[name][1].named.items()}
            if name in plan.mapped
            else {}
        )
        settings = {
            "part": name,
            "source": source,
            "views": views,
            "dialect": dialect,
            "currency": described.currency,
            **described.rules,
        }
        prints[name] = staging.source_fingerprint(
            {path: hashes[path] for path in many}, settings=settings, readers=readers
        )
    return prints


def _simulated(described: ShopFile, *, root: Path, progress: Progress) -> Path:
    """Folder of the shop's simulated tables, made by one process at a time."""
    assert described.simulate is not None
    homes = homes_of("raw", described.name, root=root)
    wanted = folder_name(described.simulate.preset, described.simulate.seed)
    found = next((home / wanted for home in homes if (home / wanted).exists()), None)
    if found is not None:
        return found
    home = writable(homes)
    with locked(home / ".lock"):
        return ensure(home, **described.simulate.model_dump(), progress=progress)


def _merge(parts: list[Extract]) -> Extract:
    return Extract(
        tables={name: query for part in parts for name, query in part.tables.items()},
        accounting=tuple(item for part in parts for item in part.accounting),
        raw_totals={label: value for part in parts for label, value in part.raw_totals.items()},
        violations=tuple(item for part in parts for item in part.violations),
        agreements=tuple(item for part in parts for item in part.agreements),
    )


def _open_database(described: ShopFile, *, folders: list[Path]) -> Shop:
    url = database.located_engine(described.engine, folders=folders)
    backend = engine.connect(url, memory_limit=described.memory_limit)
    tables = {
        name: database.contract_table(backend, name, source, shop=described, folders=folders)
        for name, source in described.tables.items()
    }
    mark = database.watermark(backend, described)
    prints = {}
    for name, source in described.tables.items():
        settings = {"table": name, "source": source.model_dump(mode="json"), "watermark": mark, **described.rules}
        prints[name] = staging.source_fingerprint({}, settings=settings, readers=database.READERS) if mark else None
    digest = staging.source_fingerprint({}, settings={"name": described.name, "parts": prints}) if mark else None
    return _shop(described, backend=backend, tables=tables, digest=digest, prints=prints)


def _shop(
    described: ShopFile,
    *,
    backend: BaseBackend,
    tables: Mapping[str, ir.Table],
    digest: str | None,
    prints: Mapping[str, str | None],
    staged: staging.Staged | None = None,
    folder: Path | None = None,
) -> Shop:
    is_staged = staged is not None and "order_lines" in staged.tables
    includes = described.prices_include_tax
    if "order_lines" in tables and not is_staged and require_sound(tables["order_lines"], prices_include_tax=includes):
        tables, prints = apart(tables), {"returns": prints["order_lines"], **prints}
    dated = (name for name in _DAY_TABLES if name in tables and CONTRACTS[name].time_column in tables[name].columns)
    day_table = next(dated, None)

    def work_out() -> dict[Any, Any]:
        if day_table is None:
            return {"day": [], "n_rows": [], "kind": []}
        column, closed = str(CONTRACTS[day_table].time_column), closed_days(described.closed)
        rows, zone = tables[day_table], described.time_zone
        days = coverage.observed_days(rows, time_column=column, time_zone=zone, closed=closed)
        return days.assign(day=days["day"].dt.strftime("%Y-%m-%d")).to_dict("list")

    kept = staging.remembered(staged.folder / "days.json", work_out) if staged else work_out()
    days = pd.DataFrame(kept).assign(day=pd.to_datetime(kept["day"]).astype("datetime64[us]"))
    facts = ("name", "title", "currency", "time_zone", "week_start")
    return Shop(
        **{fact: getattr(described, fact) for fact in facts},
        prices_include_tax=bool(described.prices_include_tax),
        is_simulated=described.simulated or described.simulate is not None,
        connection=backend,
        tables=MappingProxyType(dict(tables)),
        fingerprint=digest,
        fingerprints=MappingProxyType(dict(prints)),
        coverage=coverage.coverage_of(days),
        days=days,
        staged=staged,
        settings=MappingProxyType(described.model_dump(include={"metrics", "options", "departments", "base_rate"})),
        folder=folder,
    )
