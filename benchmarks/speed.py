"""The rooms against hand-written SQL: the same answer from the same table, in interleaved pairs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import yaml

from benchmarks.speed_sql import SQL
from opslib import classification, engine, kpis, positioning, segmentation
from opslib.errors import EngineError, ParameterError
from opslib.periods import Coverage, Period
from opslib.shop.opening import Shop
from opslib.simulate.config import preset as preset_of
from opslib.simulate.simulation import simulate_shop

N_PAIRS = 15
#: Columns of order lines that the cases read.
COLUMNS = ("order_id", "customer_id", "product_id", "quantity", "revenue_amount", "ordered_on", "status")
#: Relative difference up to which two floats are one: sums in another order.
SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all cases are run on.

    Parameters
    ----------
    lines : ibis.Table
        Order lines, in DuckDB, visible there as ``order_lines``.
    coverage : Coverage
        Days seen.
    period : Period
        Days of the cases that take a period; its halves are those of the migration.
    min_support : float
        Of co-purchase: share of orders (0-1) that must hold a pair.
    """

    lines: ir.Table
    coverage: Coverage
    period: Period
    min_support: float = 0.001

    @property
    def n_lines(self) -> int:
        """Order lines in the table."""
        return int(engine.collect(self.lines.aggregate(n=self.lines.count()))["n"][0])

    @property
    def halves(self) -> tuple[Period, Period]:
        """The period's first and second half."""
        middle = self.period.start + (self.period.end - self.period.start) // 2
        first = Period(self.period.start, middle)
        return first, Period(first.until, self.period.end)

    def sql(self, case: str) -> str:
        """The hand-written query of a case, with its dates."""
        before, after = self.halves
        months = [piece for piece in self.period.split("month") if self.coverage.status(piece) == "complete"]
        whole = [piece.start for piece in months if piece.n_months]
        return SQL[case].format(
            as_of=self.coverage.last, first=self.coverage.first, start=self.period.start, end=self.period.end,
            before=before.start, middle=before.end, after=after.start, min_support=self.min_support, n_full=len(whole),
            full=", ".join(f"DATE '{day}'" for day in whole), first_full=min(whole, default=self.period.start),
        )  # fmt: skip


def setting_of(shop: Shop, *, period: Period) -> Setting:
    """A shop's order lines copied into a table of its engine, so that no file is read while the clock runs.

    Parameters
    ----------
    shop : Shop
        An open shop in DuckDB.
    period : Period
        Days of the cases that take one.

    Returns
    -------
    Setting

    Raises
    ------
    ParameterError
        The shop lies in another engine, or has no dates.
    """
    if shop.connection.name != "duckdb" or shop.coverage is None:
        raise ParameterError(f"speed: the queries are written for orders in DuckDB, not {shop.connection.name}")
    rows = shop.table("order_lines").select(*COLUMNS)
    backend = shop.connection
    backend.raw_sql(f"CREATE OR REPLACE TEMP TABLE order_lines AS {backend.compile(rows)}")
    lines = backend.table("order_lines", database=("temp", "main"))
    return Setting(lines=lines, coverage=shop.coverage, period=period)


def _migration(setting: Setting) -> pd.DataFrame:
    scores = [
        segmentation.rfm_scores(
            setting.lines.filter(setting.lines["ordered_on"].between(half.start, half.end)), as_of=half.end
        )
        for half in setting.halves
    ]
    return segmentation.segment_migration(*scores)


OURS: Mapping[str, Callable[[Setting], ir.Table | pd.DataFrame]] = {
    "RFM": lambda s: segmentation.rfm_scores(s.lines, as_of=s.coverage.last),
    "value tiers": lambda s: segmentation.value_tiers(s.lines, as_of=s.coverage.last),
    "cohorts": lambda s: kpis.cohort_retention(s.lines, coverage=s.coverage),
    "co-purchase": lambda s: positioning.product_pairs(s.lines, min_support=s.min_support),
    "migration": _migration,
    "ABC-XYZ": lambda s: classification.abc_xyz(s.lines, period=s.period, coverage=s.coverage),
}
"""How the room is asked, by case."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "RFM": ("customer_id",), "value tiers": ("customer_id",), "cohorts": ("cohort", "period_start"),
    "co-purchase": ("item_a", "item_b"), "migration": ("segment_before", "segment_after"), "ABC-XYZ": ("product_id",),
}  # fmt: skip
"""Columns that name a row of the answer, by case; all other columns of the query are compared."""


def run_speed(setting: Setting, *, cases: Sequence[str] = tuple(SQL), n_pairs: int = N_PAIRS) -> pd.DataFrame:
    """Time every case against its hand-written query, in turn, after both have given the same answer.

    Parameters
    ----------
    setting : Setting
        Table and dates.
    cases : sequence of str
        Names of `SQL`.
    n_pairs : int
        Interleaved pairs a case.

    Returns
    -------
    DataFrame
        One row a case: case, n_rows; medians of seconds (the room: building, compiling, running, bringing out what is
        small), execute_seconds (its SQL alone), sql_seconds; ratio (median of the pairs' seconds / sql_seconds) and
        ratio_upper (95 % bootstrap bound), execute_ratio and execute_ratio_upper, cpu_ratio, cpu_ratio_upper,
        execute_cpu_ratio and execute_cpu_ratio_upper (the same of CPU seconds), overhead_ms and overhead_cpu_ms (medians
        of the room's seconds, wall and CPU, beyond the query's).

    Raises
    ------
    ParameterError
        An unknown case.
    EngineError
        The two answers differ.
    """
    unknown = [case for case in cases if case not in SQL]
    if unknown:
        raise ParameterError(f"speed: no case '{unknown[0]}'; there are {', '.join(SQL)}")
    return pd.DataFrame([_timed(case, setting, n_pairs) for case in cases])


def require_same(case: str, setting: Setting) -> int:
    """Rows of a case's answer; :class:`EngineError` unless the room and the query give the same."""
    backend = engine.backend_of(setting.lines)
    found = OURS[case](setting)
    if isinstance(found, pd.DataFrame):
        backend.con.register("speed_found", found[found.get("n_active", pd.Series(1, found.index)) > 0])
        backend.raw_sql("CREATE OR REPLACE TEMP TABLE speed_ours AS SELECT * FROM speed_found")
    else:
        backend.raw_sql(_kept("speed_ours", backend.compile(found)))
    backend.raw_sql(_kept("speed_sql", setting.sql(case)))
    described = {row[0]: row[1] for row in backend.raw_sql("DESCRIBE speed_sql").fetchall()}
    keys = " AND ".join(f"a.{key} = b.{key}" for key in KEYS[case])
    unlike = " OR ".join(_unlike(name, kind) for name, kind in described.items() if name not in KEYS[case])
    n_rows, n_lost, n_unlike = backend.raw_sql(
        f"SELECT count(*), count(*) FILTER (a.{KEYS[case][0]} IS NULL OR b.{KEYS[case][0]} IS NULL), "
        f"count(*) FILTER ({unlike}) FROM speed_ours AS a FULL JOIN speed_sql AS b ON {keys}"
    ).fetchall()[0]
    if n_lost or n_unlike:
        raise EngineError(f"speed: {case}: of {n_rows:,} rows {n_lost:,} are on one side only, {n_unlike:,} differ")
    return int(n_rows)


def _unlike(name: str, kind: str) -> str:
    if kind != "DOUBLE":
        return f"a.{name} IS DISTINCT FROM b.{name}"
    close = f"abs(a.{name} - b.{name}) <= {SAME} * greatest(abs(a.{name}), abs(b.{name}), 1)"
    unknown = [f"({side}.{name} IS NULL OR isnan({side}.{name}))" for side in "ab"]
    return f"NOT coalesce({close}, {' AND '.join(unknown)}) AND NOT ({' AND '.join(unknown)})"


def _kept(name: str, query: str) -> str:
    return f"CREATE OR REPLACE TEMP TABLE {name} AS {query}"


def _timed(case: str, setting: Setting, n_pairs: int) -> dict[str, Any]:
    n_rows, backend = require_same(case, setting), engine.backend_of(setting.lines)
    found = OURS[case](setting)
    is_small = isinstance(found, pd.DataFrame)
    sent = engine.query_log()[-1].sql if is_small else backend.compile(found)

    def run(query: str) -> None:
        if is_small:
            backend.raw_sql(query).fetchall()
        else:
            backend.raw_sql(_kept("speed_result", query))

    def ask() -> None:
        found = OURS[case](setting)
        if not isinstance(found, pd.DataFrame):
            run(backend.compile(found))

    ways = (ask, lambda: run(sent), lambda: run(setting.sql(case)))
    taken = np.array([[_seconds(way) for way in ways] for _ in range(n_pairs)])
    (whole, execute, sql), (cpu, execute_cpu, sql_cpu) = taken[:, :, 0].T, taken[:, :, 1].T
    return {
        "case": case, "n_rows": n_rows, "seconds": float(np.median(whole)),
        "execute_seconds": float(np.median(execute)), "sql_seconds": float(np.median(sql)),
        **_ratio("ratio", whole / sql), **_ratio("execute_ratio", execute / sql), **_ratio("cpu_ratio", cpu / sql_cpu),
        **_ratio("execute_cpu_ratio", execute_cpu / sql_cpu),
        "overhead_ms": float(np.median(whole - sql) * 1_000), "overhead_cpu_ms": float(np.median(cpu - sql_cpu) * 1_000),
    }  # fmt: skip


def _ratio(name: str, ratios: np.ndarray) -> dict[str, float]:
    drawn = np.median(np.random.default_rng(1).choice(ratios, size=(2_000, ratios.size)), axis=1)
    return {name: float(np.median(ratios)), f"{name}_upper": float(np.quantile(drawn, 0.975))}


def _seconds(run: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds, of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def speed_markdown(table: pd.DataFrame) -> str:
    """The rows of `run_speed` as a table of a document."""
    heads = {
        "case": "case", "n_rows": "rows", "seconds": "room, s", "execute_seconds": "its SQL alone, s", "sql_seconds": "by hand, s",
        "ratio": "ratio (95 % bound)", "execute_ratio": "SQL alone (95 % bound)", "cpu_ratio": "CPU (95 % bound)",
        "execute_cpu_ratio": "CPU of SQL alone (95 % bound)",
        "overhead_ms": "added, ms", "overhead_cpu_ms": "added, CPU ms",
    }  # fmt: skip
    rows = ["| " + " | ".join(heads.values()) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for row in table.to_dict("records"):
        cells = [row["case"], f"{row['n_rows']:,}"]
        cells += [f"{row[name]:.3f}" for name in ("seconds", "execute_seconds", "sql_seconds")]
        cells += [f"{row[name]:.2f} ({row[f'{name}_upper']:.2f})" for name in list(heads)[5:9]]
        cells += [f"{row[name]:.0f}" for name in ("overhead_ms", "overhead_cpu_ms")]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def orders_only(folder: Path) -> Path:
    """A simulated shop of ten million lines seen as one of orders, customers and products alone.

    Parameters
    ----------
    folder : Path
        Empty folder to write to.

    Returns
    -------
    Path
        Its ``shop.yml``.
    """
    kept = ("order_lines", "customers", "products")
    simulate_shop(folder / "tables", config=preset_of("10m"), seed=1)
    tables = {name: {"files": str(folder / "tables" / name / "*.parquet")} for name in kept}
    described = {
        "name": "orders_10m", "title": "Simulated orders, 10m", "currency": "GBP", "time_zone": "Europe/London",
        "simulated": True, "tables": tables,
    }  # fmt: skip
    path = folder / "shop.yml"
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    return path
