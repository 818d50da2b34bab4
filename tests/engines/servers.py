"""The other two engines for parity tests: a throw-away PostgreSQL server, one local Spark session, and a shop's tables in either."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import importlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from ibis.backends import BaseBackend

from opslib import engine
from opslib.shop.opening import Shop
from tests.conftest import skip_or_fail

#: PostgreSQL types of the Ibis types that contract tables use.
_POSTGRES = {
    "string": "text", "int64": "bigint", "float64": "double precision", "boolean": "boolean", "date": "date", "timestamp(6)": "timestamp",
    "decimal(18, 4)": "numeric(18,4)",
}  # fmt: skip
#: Roles that must show a password; everybody else is trusted, on a loopback port and with throw-away data.
_WITH_PASSWORD = ("analyst", "reader")


def _binary(name: str) -> str | None:
    found = shutil.which(name) or next(
        (str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    return str(Path(found).resolve()) if found else None


class _MissingError(Exception):
    """Why an engine cannot be had on this machine."""


_T = TypeVar("_T")


def postgres_url() -> str:
    """Address of a server that lives as long as the tests; skips where none can be started."""
    return _had(_postgres)


def spark_backend() -> BaseBackend:
    """One local Spark session for all tests; skips where pyspark or Java is missing."""
    return _had(_spark)


def _had(start: Callable[[], tuple[_T | None, str]]) -> _T:
    made, why_not = start()
    if made is None:
        skip_or_fail(f"{why_not} (see CONTRIBUTING, 'Engines')")
        raise AssertionError("skip_or_fail returns to nobody")
    return made


def _once(start: Callable[[], _T]) -> Callable[[], tuple[_T | None, str]]:
    """Try once a run: what cannot be started is not tried again by each of the hundreds of tests that ask for it."""

    @functools.cache
    def tried() -> tuple[_T | None, str]:
        try:
            return start(), ""
        except _MissingError as error:
            return None, str(error)

    return tried


def _require(module: str) -> None:
    """An installed package may still not load: psycopg without libpq, for one."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise _MissingError(f"{module} is not installed, or does not load: {error}") from error


@_once
def _postgres() -> str:
    _require("psycopg")
    initdb, pg_ctl = _binary("initdb"), _binary("pg_ctl")
    if initdb is None or pg_ctl is None:
        raise _MissingError("PostgreSQL's initdb and pg_ctl are not installed")
    is_root = os.geteuid() == 0
    if is_root and shutil.which("runuser") is None:
        raise _MissingError("PostgreSQL refuses root, and there is no runuser")
    # PostgreSQL refuses root: the server then runs as nobody, in a folder that nobody owns.
    prefix = ["runuser", "-u", "nobody", "--"] if is_root else []
    home = Path(tempfile.mkdtemp(prefix="opslib-pg-"))
    if is_root:
        shutil.chown(home, "nobody")
    home.chmod(0o700)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(home / "data")
    settings = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off -c synchronous_commit=off "
        "-c full_page_writes=off -c timezone=UTC -c jit=off -c work_mem=64MB"
    )
    _run(prefix, [initdb, "-D", data, "-U", "lab", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
    rules = home / "data" / "pg_hba.conf"
    asked = [f"host all {role} 127.0.0.1/32 scram-sha-256\n" for role in _WITH_PASSWORD]
    rules.write_text("".join(asked) + rules.read_text())
    _run(prefix, [pg_ctl, "-D", data, "-w", "-l", str(home / "log"), "-o", settings, "start"])

    def stop() -> None:
        subprocess.run(
            [*prefix, str(pg_ctl), "-D", data, "-m", "immediate", "stop"], cwd="/", capture_output=True, check=False
        )
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)
    return f"postgres://lab@127.0.0.1:{port}/postgres"


def _run(prefix: list[str], command: list[str]) -> None:
    done = subprocess.run([*prefix, *command], cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise _MissingError(f"PostgreSQL does not start: {done.stderr.strip() or done.stdout.strip()}")


@_once
def _spark() -> BaseBackend:
    _require("pyspark")
    if shutil.which("java") is None:
        raise _MissingError("Java is not installed")
    # A machine may have a `java` that only says where to get one (macOS).
    if subprocess.run(["java", "-version"], capture_output=True, check=False).returncode:
        raise _MissingError("the machine's java does not run")
    return engine.connect("spark://local", memory_limit="1GB")


def copy_shop(shop: Shop, backend: BaseBackend, *, scratch: Path, names: tuple[str, ...] | None = None) -> Shop:
    """The same shop with its tables, derived columns and all, loaded into another engine."""
    names = names or tuple(shop.tables)
    if backend.name == "postgres":
        into_postgres({name: shop.tables[name] for name in names}, shop=shop, schema="public", scratch=scratch)
        tables = {name: backend.table(name) for name in names}
    else:
        paths = into_parquet({name: shop.tables[name] for name in names}, shop=shop, folder=scratch)
        tables = {name: backend.read_parquet(str(path)) for name, path in paths.items()}
    return dataclasses.replace(shop, connection=backend, tables=MappingProxyType(tables), staged=None)


def into_parquet(tables: Mapping[str, object], *, shop: Shop, folder: Path) -> dict[str, Path]:
    """Tables of a DuckDB shop as one Parquet file each."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        _copy_out(shop, table, f"'{paths[name]}' (FORMAT parquet)")
    return paths


def into_duckdb(tables: Mapping[str, object], *, shop: Shop, path: Path) -> Path:
    """Tables of a DuckDB shop as a database file of their own."""
    con = shop.connection.con
    con.execute(f"ATTACH '{path}' AS target")
    for name, table in tables.items():
        con.execute(f"CREATE TABLE target.{name} AS {shop.connection.compile(table)}")
    con.execute("DETACH target")
    return path


def into_postgres(tables: Mapping[str, object], *, shop: Shop, schema: str, scratch: Path) -> None:
    """Tables of a DuckDB shop in a schema of the throw-away server."""
    url = postgres_url()  # skips before psycopg is asked for
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for name, table in tables.items():
            path = scratch / f"{name}.csv"
            _copy_out(shop, table, f"'{path}' (FORMAT csv, HEADER false, NULLSTR '\\N')")
            columns = ", ".join(f'"{c}" {_POSTGRES[str(kind)]}' for c, kind in table.schema().items())
            cursor.execute(f"DROP TABLE IF EXISTS {schema}.{name}")
            cursor.execute(f"CREATE UNLOGGED TABLE {schema}.{name} ({columns})")
            with cursor.copy(f"COPY {schema}.{name} FROM STDIN (FORMAT csv, NULL '\\N')") as sink:
                sink.write(path.read_bytes())
            cursor.execute(f"ANALYZE {schema}.{name}")


def _copy_out(shop: Shop, table: object, target: str) -> None:
    shop.connection.con.execute(f"COPY ({shop.connection.compile(table)}) TO {target}")
