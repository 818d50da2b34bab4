"""What order exports have in common: fields on the first row only, one currency, money shared out to the cent."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from opslib.errors import SourceError
from opslib.shop.adapters.export import identifier


def require_one_currency(con: duckdb.DuckDBPyConnection, raw: str, *, column: str, currency: str, export: str) -> None:
    """Refuse money in several currencies, or in another one than the shop's: amounts must never be added across them."""
    rows = con.sql(
        f"SELECT {column}, count(*) FROM {raw} WHERE {column} IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, 1"
    ).fetchall()
    if len(rows) > 1:
        shown = " and ".join(f"{name} ({n:,} rows)" for name, n in rows)
        raise SourceError(
            f"{export}: several currencies in one export: {shown}; export each currency apart and describe each as a shop of its own"
        )
    if rows and rows[0][0].upper() != currency:
        raise SourceError(
            f"{export}: the money is in {rows[0][0]}, the shop's currency is {currency}; write currency: {rows[0][0]}"
        )


def filled(raw: str, *, order: str, columns: Sequence[str]) -> str:
    """SQL of a raw table whose order-level columns stand on the first row of an order only: now on every row."""
    given = ", ".join(
        f"max({identifier(name)}) OVER (PARTITION BY {identifier(order)}) AS {identifier(name)}" for name in columns
    )
    left_out = ", ".join(identifier(name) for name in columns)
    return f"SELECT * EXCLUDE ({left_out}), {given} FROM {raw}" if columns else f"SELECT * FROM {raw}"


def shared_out(total: str, base: str, *, order: str, line: str) -> str:
    """SQL that shares an order's amount among its lines in proportion to ``base``; the shares add up exactly.

    Parameters
    ----------
    total, base : str
        SQL of the order's amount (the same in each of its rows) and of the line's weight.
    order, line : str
        Columns that identify and order the lines.

    Returns
    -------
    str
        DECIMAL(18,4); 0 where all weights are 0. Each share is the difference of two rounded running totals.
    """
    whole = f"nullif(sum({base}) OVER (PARTITION BY {order}), 0)"
    running = f"sum({base}) OVER (PARTITION BY {order} ORDER BY {line} ROWS UNBOUNDED PRECEDING)"
    upper = f"CAST({total} * {running} / {whole} AS DECIMAL(18,4))"
    lower = f"CAST({total} * ({running} - {base}) / {whole} AS DECIMAL(18,4))"
    return f"CAST(coalesce({upper} - {lower}, 0) AS DECIMAL(18,4))"


def pseudonym(text: str) -> str:
    """SQL of a stable stand-in for an e-mail address: the address itself is never stored."""
    return f"left(sha256(lower(trim({text}))), 16)"


def most_frequent(table: str, *, key: str, value: str) -> str:
    """SELECT of each key's most frequent value; ties go to the first by alphabet."""
    return (
        f"SELECT {key}, {value} FROM (SELECT {key}, {value}, row_number() OVER (PARTITION BY {key} ORDER BY count(*) DESC, {value}) "
        f"AS place FROM {table} WHERE {value} IS NOT NULL GROUP BY {key}, {value}) WHERE place = 1"
    )
