"""The other two engines for parity tests: a throw-away PostgreSQL server, one local Spark session, and a shop's tables in either."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import os
import shutil
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from ibis.backends import BaseBackend

from opslib import engine
from opslib.data.sources import Shop
from tests.conftest import skip_or_fail

#: PostgreSQL types of the Ibis types that contract tables use.
_POSTGRES = {
    "string": "text", "int64": "bigint", "float64": "double precision", "boolean": "boolean", "date": "date", "timestamp(6)": "timestamp",
    "decimal(18, 4)": "numeric(18,4)",
}  # fmt: skip


def _binary(name: str) -> str | None:
    found = shutil.which(name) or next((str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    return str(Path(found).resolve()) if found else None


@functools.cache
def postgres_url() -> str:
    """Address of a server that lives as long as the tests; skips where none can be started."""
    initdb, pg_ctl = _binary("initdb"), _binary("pg_ctl")
    if initdb is None or pg_ctl is None or find_spec("psycopg") is None:
        skip_or_fail("PostgreSQL's initdb or psycopg is not installed (see CONTRIBUTING, 'Engines')")
    is_root = os.geteuid() == 0
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
    make = [initdb, "-D", data, "-U", "lab", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    start = [pg_ctl, "-D", data, "-w", "-l", str(home / "log"), "-o", settings, "start"]
    for command in (make, start):
        done = subprocess.run([*prefix, *map(str, command)], cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            skip_or_fail(f"PostgreSQL does not start: {done.stderr.strip() or done.stdout.strip()}")

    def stop() -> None:
        subprocess.run([*prefix, str(pg_ctl), "-D", data, "-m", "immediate", "stop"], cwd="/", capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)
    return f"postgres://lab@127.0.0.1:{port}/postgres"


@functools.cache
def spark_backend() -> BaseBackend:
    """One local Spark session for all tests; skips where pyspark or Java is missing."""
    if find_spec("pyspark") is None or shutil.which("java") is None:
        skip_or_fail("pyspark or Java is not installed (see CONTRIBUTING, 'Engines')")
    return engine.connect("spark://local", memory_limit="1GB", threads=1)


def copy_shop(shop: Shop, backend: BaseBackend, *, scratch: Path, names: tuple[str, ...] | None = None) -> Shop:
    """The same shop with its tables loaded into another engine."""
    tables = {}
    for name in names or tuple(shop.tables):
        path = scratch / f"{name}.{'csv' if backend.name == 'postgres' else 'parquet'}"
        form = "FORMAT csv, HEADER false, NULLSTR '\\N'" if backend.name == "postgres" else "FORMAT parquet"
        shop.connection.con.execute(f"COPY (SELECT * FROM {name}) TO '{path}' ({form})")
        if backend.name == "postgres":
            _copy_in(shop, name, path)
            tables[name] = backend.table(name)
        else:
            tables[name] = backend.read_parquet(str(path))
    return dataclasses.replace(shop, connection=backend, tables=MappingProxyType(tables), staged=None)


def _copy_in(shop: Shop, name: str, path: Path) -> None:
    import psycopg

    columns = ", ".join(f'"{c}" {_POSTGRES[str(kind)]}' for c, kind in shop.tables[name].schema().items())
    with psycopg.connect(postgres_url(), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {name}")
        cursor.execute(f"CREATE UNLOGGED TABLE {name} ({columns})")
        with cursor.copy(f"COPY {name} FROM STDIN (FORMAT csv, NULL '\\N')") as sink:
            sink.write(path.read_bytes())
        cursor.execute(f"ANALYZE {name}")
