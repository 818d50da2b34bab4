"""Tables as a page gives them where a shop lacks them: no row, every column of the contract, local days beside times."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.contracts import require_table
from opslib.metrics import with_local_days
from opslib.periods import Coverage, Period

SEEN = Coverage(date(2025, 1, 1), date(2026, 6, 30))
PERIOD = Period.parse("2026-01-01", "2026-06-30")
BASELINE = Period.parse("2025-07-05", "2025-12-31")


def empty_table(name: str) -> ir.Table:
    """The contract's table without a row."""
    nulls = {column: ibis.null(kind) for column, kind in require_table(name).schema.items()}
    table = engine.as_table(pd.DataFrame({"row": [0]})).filter(ibis.literal(False)).select(**nulls)
    return with_local_days({name: table}, zone="Europe/London")[name]


def without_optional(rows: pd.DataFrame, name: str) -> ir.Table:
    """Rows with every column of the contract, those that they lack as nulls of its type."""
    table, contract = engine.as_table(rows), require_table(name)
    optional = [column.name for column in contract.columns if column.name not in rows]
    return table.mutate(**{column: ibis.null(contract.schema[column]) for column in optional})


def n_rows(result: ir.Table | pd.DataFrame) -> int:
    """Rows of a result in either form."""
    return len(engine.collect(engine.as_table(result)) if isinstance(result, ir.Table) else result)
