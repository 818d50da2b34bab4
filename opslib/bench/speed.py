"""The rooms against hand-written SQL: the same answer from the same staged table, in interleaved pairs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import classification, engine, kpis, segmentation
from opslib.errors import ParameterError
from opslib.periods import Coverage, Period

N_PAIRS = 15
_WHERE = "COALESCE(status, 'paid') = 'paid'"

#: Hand-written DuckDB SQL of each case; {as_of}, {start} and {end} are dates.
SQL: Mapping[str, str] = {
    "rfm": f"""
        WITH c AS (
            SELECT customer_id, max(ordered_on) AS last_on, count(DISTINCT order_id) AS n_orders, sum(revenue_amount) AS revenue
            FROM order_lines WHERE {_WHERE} AND customer_id IS NOT NULL AND ordered_on <= DATE '{{as_of}}' GROUP BY 1)
        SELECT customer_id, DATE '{{as_of}}' - last_on AS recency_days, n_orders, revenue::DOUBLE AS revenue_amount,
               least(floor(percent_rank() OVER (ORDER BY last_on) * 5)::BIGINT + 1, 5) AS r_score,
               least(floor(percent_rank() OVER (ORDER BY n_orders) * 5)::BIGINT + 1, 5) AS f_score,
               least(floor(percent_rank() OVER (ORDER BY revenue) * 5)::BIGINT + 1, 5) AS m_score
        FROM c""",
    "value tiers": f"""
        WITH c AS (
            SELECT customer_id, sum(revenue_amount) AS revenue FROM order_lines
            WHERE {_WHERE} AND customer_id IS NOT NULL AND ordered_on <= DATE '{{as_of}}' GROUP BY 1),
        r AS (SELECT customer_id, revenue, sum(greatest(revenue, 0)) OVER (ORDER BY revenue DESC) AS running,
                     sum(greatest(revenue, 0)) OVER () AS whole FROM c)
        SELECT customer_id, revenue::DOUBLE AS revenue_amount, running::DOUBLE / nullif(whole::DOUBLE, 0) AS cumulative_share,
               CASE WHEN revenue <= 0 THEN 'zero'
                    WHEN (running - greatest(revenue, 0))::DOUBLE / whole::DOUBLE < 0.5 THEN 'heavy'
                    WHEN (running - greatest(revenue, 0))::DOUBLE / whole::DOUBLE < 0.8 THEN 'medium' ELSE 'light' END AS tier
        FROM r""",
    "cohorts": f"""
        WITH p AS (
            SELECT customer_id, date_trunc('month', ordered_on)::DATE AS piece, sum(revenue_amount) AS amount FROM order_lines
            WHERE {_WHERE} AND customer_id IS NOT NULL AND ordered_on BETWEEN DATE '{{first}}' AND DATE '{{as_of}}' GROUP BY 1, 2),
        c AS (SELECT *, min(piece) OVER (PARTITION BY customer_id) AS cohort FROM p)
        SELECT cohort, piece, count(*) AS n_active, sum(amount)::DOUBLE AS revenue_amount FROM c GROUP BY 1, 2 ORDER BY 1, 2""",
    "abc": f"""
        WITH p AS (
            SELECT product_id, sum(revenue_amount) AS amount FROM order_lines
            WHERE {_WHERE} AND ordered_on BETWEEN DATE '{{start}}' AND DATE '{{end}}' GROUP BY 1),
        r AS (SELECT product_id, amount, sum(greatest(amount, 0)) OVER (ORDER BY amount DESC) AS running,
                     sum(greatest(amount, 0)) OVER () AS whole FROM p)
        SELECT product_id, amount::DOUBLE AS revenue_amount,
               CASE WHEN amount <= 0 THEN 'C'
                    WHEN (running - greatest(amount, 0))::DOUBLE / whole::DOUBLE < 0.8 THEN 'A'
                    WHEN (running - greatest(amount, 0))::DOUBLE / whole::DOUBLE < 0.95 THEN 'B' ELSE 'C' END AS abc_class
        FROM r""",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all cases are run on.

    Parameters
    ----------
    lines : ibis.Table
        Staged order lines, in DuckDB, visible there as ``order_lines``.
    coverage : Coverage
        Days seen.
    period : Period
        Days of the cases that take a period.
    """

    lines: ir.Table
    coverage: Coverage
    period: Period

    @property
    def as_of(self) -> date:
        """Last day seen."""
        return self.coverage.last

    def sql(self, case: str) -> str:
        """The hand-written query of a case, with its dates."""
        return SQL[case].format(
            as_of=self.as_of, first=self.coverage.first, start=self.period.start, end=self.period.end
        )


def _abc(setting: Setting) -> Any:
    classes = classification.abc_xyz(setting.lines, period=setting.period, coverage=setting.coverage)
    return classes.select("product_id", "revenue_amount", "abc_class")


OURS: Mapping[str, Callable[[Setting], Any]] = {
    "rfm": lambda s: segmentation.rfm_scores(s.lines, as_of=s.as_of),
    "value tiers": lambda s: segmentation.value_tiers(s.lines, as_of=s.as_of),
    "cohorts": lambda s: kpis.cohort_retention(s.lines, coverage=s.coverage),
    "abc": _abc,
}


def run_speed(setting: Setting, *, cases: tuple[str, ...] = tuple(SQL), n_pairs: int = N_PAIRS) -> pd.DataFrame:
    """Time every case against its hand-written query, ours and theirs in turn.

    Parameters
    ----------
    setting : Setting
        Table and dates.
    cases : tuple of str
        Names of `SQL`.
    n_pairs : int
        Interleaved pairs a case.

    Returns
    -------
    DataFrame
        One row a case: case, n_rows, seconds, sql_seconds (medians), ratio (median of the pairs' ratios), ratio_upper
        (95 % bootstrap bound of that median). Both sides keep their result inside the engine, except cohorts, whose
        small table both bring out.

    Raises
    ------
    ParameterError
        An unknown case, or a table outside DuckDB.
    """
    backend = engine.backend_of(setting.lines)
    if backend.name != "duckdb":
        raise ParameterError(f"speed: the queries are written for DuckDB, not {backend.name}")
    unknown = [case for case in cases if case not in SQL]
    if unknown:
        raise ParameterError(f"speed: no case '{unknown[0]}'; there are {', '.join(SQL)}")
    rows = [_timed(case, setting, backend, n_pairs) for case in cases]
    return pd.DataFrame(rows)


def _timed(case: str, setting: Setting, backend: Any, n_pairs: int) -> dict[str, Any]:
    ours = OURS[case]
    theirs = setting.sql(case)

    def run_ours() -> None:
        result = ours(setting)
        if isinstance(result, ir.Table):
            backend.raw_sql(f"CREATE OR REPLACE TEMP TABLE speed_ours AS {backend.compile(result)}")

    def run_sql() -> None:
        if case == "cohorts":
            backend.raw_sql(theirs).fetchall()
        else:
            backend.raw_sql(f"CREATE OR REPLACE TEMP TABLE speed_sql AS {theirs}")

    for warm in (run_ours, run_sql):
        warm()
    pairs = np.array([(_seconds(run_ours), _seconds(run_sql)) for _ in range(n_pairs)])
    ratios = pairs[:, 0] / pairs[:, 1]
    drawn = np.median(np.random.default_rng(1).choice(ratios, size=(2_000, n_pairs)), axis=1)
    n_rows = backend.raw_sql(f"SELECT count(*) FROM ({theirs})").fetchall()[0][0]
    return {
        "case": case, "n_rows": int(n_rows), "seconds": float(np.median(pairs[:, 0])),
        "sql_seconds": float(np.median(pairs[:, 1])), "ratio": float(np.median(ratios)),
        "ratio_upper": float(np.quantile(drawn, 0.975)),
    }  # fmt: skip


def _seconds(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
