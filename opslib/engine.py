"""Access to the query engine: connect, portable expressions, collect.

Every number of a page comes through :func:`collect`, which counts, times and fingerprints the query and refuses to pull
more rows than its caller expects. The builders beside it (:func:`ratio`, :func:`to_local`) are the forms that
give the same answer on DuckDB, PostgreSQL and Spark.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from ibis.backends import BaseBackend

from opslib.errors import EngineError, RowCapError
from opslib.periods import zone_shifts

#: Rows that leave the engine unless a caller says otherwise: results are per group, not per customer.
MAX_ROWS = 100_000
#: Significant digits kept of every float that leaves the engine: parallel sums differ after about the 14th.
SIGNIFICANT_DIGITS = 12
#: Queries remembered for the provenance of a page.
LOG_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class Query:
    """One query that left the engine.

    Parameters
    ----------
    sql : str
        Text sent to the engine.
    n_rows : int
        Rows that came back.
    seconds : float
        Wall time; for the manifest, never for a page.
    fingerprint : str
        First 16 hex digits of the SHA-256 of the result.
    """

    sql: str
    n_rows: int
    seconds: float
    fingerprint: str


# A lazy table that is typed in a shell shows its first ten rows, and not its expression; the query is none of the log's.
ibis.options.interactive = True

_log: deque[Query] = deque(maxlen=LOG_LENGTH)
_local: list[BaseBackend] = []


def query_log() -> tuple[Query, ...]:
    """Queries of this process so far, oldest first."""
    return tuple(_log)


def clear_log() -> None:
    """Forget the queries so far; a notebook starts with an empty log."""
    _log.clear()


@contextmanager
def unlogged() -> Iterator[None]:
    """Queries inside are not remembered: what prepares the data is not what a page was computed from."""
    before = tuple(_log)
    try:
        yield
    finally:
        _log.clear()
        _log.extend(before)


def connect(url: str = "duckdb://", *, memory_limit: str = "4GB") -> BaseBackend:
    """Connect to an engine.

    Parameters
    ----------
    url : str
        ``duckdb://`` (in memory), ``duckdb:///shop.duckdb`` (four slashes for an absolute path; opened read-only),
        ``postgres://user:password@host/db`` or ``spark://local``.
    memory_limit : str
        Most memory that DuckDB takes before it spills to the system's temporary directory, or that Spark's driver gets.

    Returns
    -------
    ibis.backends.BaseBackend

    Raises
    ------
    EngineError
        If the engine is unknown, not installed, or does not answer. Passwords are never repeated.

    Examples
    --------
    >>> connect("duckdb://").name
    'duckdb'
    """
    scheme = url.split(":", 1)[0]
    makers = {"duckdb": _duckdb, "postgres": _postgres, "postgresql": _postgres, "spark": _spark}
    if scheme not in makers:
        raise EngineError(f"engine: '{scheme}' is not one of duckdb, postgres, spark; write e.g. duckdb:///shop.duckdb")
    spill = Path(tempfile.gettempdir()) / "opslib-spill"
    try:
        return makers[scheme](url, memory_limit=memory_limit, spill=spill)
    except ImportError as error:
        raise EngineError(f"engine {scheme}: {error}; install it with: pip install 'opslib[{scheme}]'") from None
    except (OSError, ValueError, RuntimeError, ibis.IbisError) as error:
        raise EngineError(f"engine {hide_password(url)}: cannot connect: {hide_password(str(error))}") from None


def hide_password(text: str) -> str:
    """The text with passwords of addresses and connection strings replaced by stars.

    Examples
    --------
    >>> hide_password("postgres://ana:s3cret@db/shop password=s3cret")
    'postgres://ana:***@db/shop password=***'
    """
    # Up to the last @ of the word: a password may hold one itself.
    text = re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"(password\s*=\s*)\S+", r"\1***", text, flags=re.IGNORECASE)


def _duckdb(url: str, *, memory_limit: str, spill: Path) -> BaseBackend:
    spill.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    path = url.split("://", 1)[1].removeprefix("/")
    try:
        return ibis.duckdb.connect(path or ":memory:", read_only=bool(path), **config)
    except duckdb.Error as error:
        raise EngineError(f"engine {url}: cannot connect: {error}") from None


def _postgres(url: str, *, memory_limit: str, spill: Path) -> BaseBackend:
    import psycopg

    try:
        backend = ibis.connect(url.replace("postgresql://", "postgres://", 1))
        # Of a query's inner results PostgreSQL knows no statistics, takes them for a few rows and joins them row by row:
        # measured, 97 s instead of .5 s on 26,000 lines. Joins by hash are never far from the best for whole tables.
        backend.con.execute("SET enable_nestloop = off")
        backend.con.commit()
        return backend
    except psycopg.Error as error:
        raise EngineError(f"engine {hide_password(url)}: cannot connect: {hide_password(str(error))}") from None


def _spark(url: str, *, memory_limit: str, spill: Path) -> BaseBackend:
    from pyspark.sql import SparkSession

    spill.mkdir(parents=True, exist_ok=True)
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": memory_limit.lower().removesuffix("b"),
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(spill / "warehouse"),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC",
    }
    master = "local[*]" if url in ("spark://local", "spark://") else url
    builder = SparkSession.builder.master(master).appName("opslib")
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return ibis.pyspark.connect(session)


def local_backend() -> BaseBackend:
    """The process's own in-memory DuckDB, for frames that belong to no engine yet."""
    if not _local:
        _local.append(connect("duckdb://"))
    return _local[0]


def backend_of(expr: ir.Expr) -> BaseBackend:
    """The engine that an expression runs on; the local one for frames alone."""
    bound = expr.op().find((ops.DatabaseTable, ops.SQLQueryResult))
    backends = {id(source): source for source in (getattr(node, "source", None) for node in bound) if source}
    if len(backends) > 1:
        raise EngineError("one query reads tables of two engines; load both into one first")
    return next(iter(backends.values()), None) or local_backend()


def is_empty(data: ir.Table | pd.DataFrame, column: str | None = None) -> bool:
    """Whether a table has no row, or none with a value in a column; a column that is not there has none.

    Parameters
    ----------
    data : ibis.Table or pandas.DataFrame
        Any table.
    column : str or None
        Column that is asked about.

    Returns
    -------
    bool
        Looks at the first such row alone, and is not remembered as a query of the page.

    Examples
    --------
    >>> frame = pd.DataFrame({"price": [None, 2.0]})
    >>> is_empty(frame), is_empty(frame, "price"), is_empty(frame, "cost")
    (False, False, True)
    """
    table = as_table(data)
    if column is not None and column not in table.columns:
        return True
    rows = table.filter(table[column].notnull()) if column else table
    with unlogged():
        return not len(collect(rows.select(rows.columns[0]).limit(1)))


def as_table(data: ir.Table | pd.DataFrame | pa.Table) -> ir.Table:
    """Take an Ibis table or a pandas frame alike.

    Parameters
    ----------
    data : ibis.Table, pandas.DataFrame or pyarrow.Table
        A contract table in any of the three forms.

    Returns
    -------
    ibis.Table
        Times as naive microseconds; a frame's time zone, if it has one, is turned to UTC first.

    Examples
    --------
    >>> as_table(pd.DataFrame({"n": [1, 2]})).count().get_name()
    'CountStar(...)'
    """
    if isinstance(data, ir.Table):
        return data
    if isinstance(data, pd.DataFrame):
        columns = {}
        for name, column in data.items():
            if isinstance(column.dtype, pd.DatetimeTZDtype):
                column = column.dt.tz_convert("UTC").dt.tz_localize(None)
            if pd.api.types.is_datetime64_dtype(column):
                column = column.astype("datetime64[us]")
            columns[str(name)] = column
        return ibis.memtable(pd.DataFrame(columns))
    if isinstance(data, pa.Table):
        return ibis.memtable(data)
    raise EngineError(f"a table is needed, not a {type(data).__name__}: pass an ibis.Table or a pandas.DataFrame")


def collect(expr: ir.Table | ir.Scalar | ir.Column, *, max_rows: int = MAX_ROWS) -> pd.DataFrame:
    """Run a query and bring its result out of the engine: the only way out.

    Parameters
    ----------
    expr : ibis expression
        What to compute; order it, so that the result does not depend on the engine.
    max_rows : int
        Most rows that may come back.

    Returns
    -------
    pandas.DataFrame
        Decimals as float64, dates as datetime64, integers with gaps as Int64, floats at 12 significant digits.

    Raises
    ------
    RowCapError
        If more than ``max_rows`` rows would come back.

    Examples
    --------
    >>> t = as_table(pd.DataFrame({"x": [1.0, 2.0, 4.0]}))
    >>> collect(t.aggregate(total=t.x.sum()))["total"].tolist()
    [7.0]
    """
    table = expr.as_table()
    backend = backend_of(table)
    started = time.perf_counter()
    sql, arrow = _run(backend, table.limit(max_rows + 1))
    if arrow.num_rows > max_rows:
        raise RowCapError(
            f"the query gives more than {max_rows:,} rows; aggregate it in the engine, filter it, "
            f"or pass max_rows= if you really want every row in memory"
        )
    frame = _to_frame(arrow)
    seconds = time.perf_counter() - started
    _log.append(Query(sql, arrow.num_rows, seconds, fingerprint(frame)))
    return frame


def grouped(
    table: ir.Table, by: str | Sequence[str], *, max_rows: int = MAX_ROWS, **measures: ir.Value
) -> pd.DataFrame:
    """Measures of each group out of the engine, one row a group, in the order of ``by``.

    Examples
    --------
    >>> t = as_table(pd.DataFrame({"shelf": ["b", "a", "b"], "n": [1, 2, 3]}))
    >>> grouped(t, "shelf", n=t["n"].sum()).values.tolist()
    [['a', 2], ['b', 4]]
    """
    return collect(table.group_by(by).aggregate(**measures).order_by(by), max_rows=max_rows)


def held(table: ir.Table) -> ir.Table:
    """The table computed once and kept in the engine while somebody uses it; PostgreSQL, where only reading is asked, computes it again.

    Examples
    --------
    >>> t = as_table(pd.DataFrame({"x": [1, 2]}))
    >>> collect(held(t.mutate(y=t.x + 1)))["y"].tolist()
    [2, 3]
    """
    backend = backend_of(table)
    return table if backend.name == "postgres" else backend._cached_table(table)


def _run(backend: BaseBackend, table: ir.Table) -> tuple[str, pa.Table]:
    """Compile once and run; DuckDB is asked directly, which saves a second compilation."""
    if backend.name != "duckdb":
        return backend.compile(table), backend.to_pyarrow(table)
    backend._run_pre_execute_hooks(table)
    sql = backend.compile(table)
    return sql, backend.con.sql(sql).to_arrow_table()


def _to_frame(arrow: pa.Table) -> pd.DataFrame:
    """Bring an Arrow table to the few pandas types that the rooms work with."""
    columns: dict[str, Any] = {}
    for name, column in zip(arrow.column_names, arrow.columns, strict=True):
        kind = column.type
        if pa.types.is_decimal(kind):
            column = column.cast(pa.int64()) if kind.scale == 0 and _fits_int64(column) else column.cast(pa.float64())
        elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("us"))
        elif pa.types.is_float32(kind):
            column = column.cast(pa.float64())
        if pa.types.is_integer(column.type):
            column = column.cast(pa.int64())
            columns[name] = column.to_pandas() if not column.null_count else pd.array(column.to_pylist(), dtype="Int64")
        elif pa.types.is_boolean(column.type) and column.null_count:
            columns[name] = pd.array(column.to_pylist(), dtype="boolean")
        elif pa.types.is_floating(column.type):
            columns[name] = round_significant(column.to_numpy())
        else:
            columns[name] = column.to_pandas()
    return pd.DataFrame(columns)


def _fits_int64(column: pa.ChunkedArray) -> bool:
    ends = pc.min_max(column).as_py()
    return ends["max"] is None or (ends["max"] < 2**63 and ends["min"] >= -(2**63))


def round_significant(values: np.ndarray, *, digits: int = SIGNIFICANT_DIGITS) -> np.ndarray:
    """Round to significant digits, so that the order of a parallel sum cannot show.

    Examples
    --------
    >>> round_significant(np.array([1 / 3, 0.0, 123456789012345.0]), digits=3).tolist()
    [0.333, 0.0, 123000000000000.0]
    """
    values = np.asarray(values, dtype="float64")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        places = digits - 1 - np.floor(np.log10(np.abs(values)))
        scale = np.power(10.0, np.abs(places))
        small = np.round(values * scale) / scale
        large = np.round(values / scale) * scale
    rounded = np.where(places >= 0, small, large)
    return np.where(np.isfinite(rounded), rounded, values)


def fingerprint(frame: pd.DataFrame) -> str:
    """First 16 hex digits of the SHA-256 of a frame's columns and values, in their order.

    Examples
    --------
    >>> fingerprint(pd.DataFrame({"a": [1]})) == fingerprint(pd.DataFrame({"a": [1]}))
    True
    """
    digest = hashlib.sha256("\x1f".join(map(str, frame.columns)).encode())
    for name in frame.columns:
        digest.update(pd.util.hash_pandas_object(frame[name], index=False, categorize=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]


def ratio(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.FloatingValue:
    """Divide so that no engine truncates and nothing divides by zero (the result is then missing).

    Examples
    --------
    >>> t = as_table(pd.DataFrame({"a": [1, 1], "b": [2, 0]}))
    >>> collect(t.select(r=ratio(t.a, t.b)))["r"].tolist()
    [0.5, nan]
    """
    return numerator.cast("float64") / denominator.cast("float64").nullif(0.0)


def flag(condition: ir.BooleanValue) -> ir.FloatingValue:
    """A condition as 1.0 and 0.0, safe to average and square on every engine; unknown counts as 0."""
    return condition.fill_null(False).ifelse(1, 0).cast("float64")


def trimmed(text: ir.StringValue) -> ir.StringValue:
    """A text without blanks at its ends; the plain form takes the letters v and f off on Spark.

    Examples
    --------
    >>> t = as_table(pd.DataFrame({"x": [" void  ", "fulfil"]}))
    >>> collect(t.select(x=trimmed(t["x"])))["x"].tolist()
    ['void', 'fulfil']
    """
    return text.re_replace(r"^\s+|\s+$", "")


def epoch_second(column: ir.TimestampValue) -> ir.IntegerValue:
    """Whole seconds since 1970 as an integer; the plain form keeps fractions on DuckDB and PostgreSQL and not on Spark.

    Examples
    --------
    >>> t = as_table(pd.DataFrame({"at": pd.to_datetime(["1970-01-01 00:00:01.9"])}))
    >>> collect(t.select(x=epoch_second(t["at"])))["x"].tolist()
    [1]
    """
    return column.epoch_seconds().floor()


def days_between(later: ir.DateValue, earlier: ir.DateValue) -> ir.IntegerValue:
    """Whole days from one date to another, equal on every engine."""
    return (later.cast("timestamp").epoch_seconds() - earlier.cast("timestamp").epoch_seconds()) // 86_400


def to_local(column: ir.TimestampValue, zone: str) -> ir.TimestampValue:
    """Turn naive UTC times into naive local times.

    Parameters
    ----------
    column : ibis timestamp column
        Naive, in UTC.
    zone : str
        IANA name such as ``Europe/London``.

    Returns
    -------
    ibis timestamp column
        Naive, in the zone. Ibis' own casts drop the zone without a word, so each engine's builtin is called.

    Examples
    --------
    >>> t = as_table(pd.DataFrame({"at": pd.to_datetime(["2026-07-01 23:30"])}))
    >>> str(collect(t.select(x=to_local(t["at"], "Europe/London")))["x"][0])
    '2026-07-02 00:30:00'
    """
    if zone in ("UTC", "Etc/UTC"):
        return column
    name = backend_of(column).name
    if name in ("duckdb", "postgres"):
        return _to_zone(zone, _from_zone("UTC", column))
    if name == "pyspark":
        return _spark_local(column, zone)
    return _by_transitions(column, zone)


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.timestamp), dt.Timestamp("UTC")))
def _from_zone(zone: str, at: datetime) -> datetime: ...  # type: ignore[empty-body]


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp("UTC")), dt.timestamp))
def _to_zone(zone: str, at: datetime) -> datetime: ...  # type: ignore[empty-body]


@ibis.udf.scalar.builtin(name="from_utc_timestamp", signature=((dt.timestamp, dt.string), dt.timestamp))
def _spark_local(at: datetime, zone: str) -> datetime: ...  # type: ignore[empty-body]


def _by_transitions(column: ir.TimestampValue, zone: str) -> ir.TimestampValue:
    """Local time on an engine whose zone function is not known: offsets from the zone's own change-overs."""
    (_, before), *changes = zone_shifts(zone, datetime(1995, 1, 1), datetime(2040, 1, 1))
    epoch = column.epoch_seconds()
    cases = [(epoch >= int(at.replace(tzinfo=UTC).timestamp()), seconds) for at, seconds in reversed(changes)]
    shift = ibis.cases(*cases, else_=before) if cases else ibis.literal(before)
    return (epoch + shift).as_timestamp("s")


def local_day(column: ir.TimestampValue, zone: str) -> ir.DateValue:
    """Local calendar day of naive UTC times."""
    return to_local(column, zone).date()
