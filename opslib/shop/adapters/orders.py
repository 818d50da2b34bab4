"""What order exports have in common: fields on the first row only, one currency, money shared out to the cent."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from opslib.contracts import Severity, Violation
from opslib.errors import SourceError
from opslib.shop.adapters.export import Accounted, Reading, identifier, quote
from opslib.shop.adapters.reading import FILE, ROW


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
    """SQL of a raw table whose order-level columns stand on the first row of an order only: now on every row.

    ``order`` is SQL of what tells orders apart; of several values within an order the first counts.
    """
    window = (
        f"OVER (PARTITION BY {order} ORDER BY {FILE}, {ROW} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
    )
    given = ", ".join(
        f"first_value({identifier(name)} IGNORE NULLS) {window} AS {identifier(name)}" for name in columns
    )
    left_out = ", ".join(identifier(name) for name in columns)
    return f"SELECT * EXCLUDE ({left_out}), {given} FROM {raw}" if columns else f"SELECT * FROM {raw}"


def natural(name: str) -> list[tuple[int, str]]:
    """What file names are ordered by: numbers by their value, and a copy after its original.

    Examples
    --------
    >>> sorted(["export (10).csv", "export (9).csv", "export.csv"], key=natural)
    ['export.csv', 'export (9).csv', 'export (10).csv']
    """
    stem = re.sub(r"(\.[a-z]+)+$", "", name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", stem)]


def newest_states(
    con: duckdb.DuckDBPyConnection,
    raw: str,
    *,
    order: str,
    at: str,
    source: str,
    part: str = "''",
    updated: str = "NULL",
) -> tuple[tuple[Accounted, ...], tuple[Violation, ...]]:
    """Leave each order only as the newest file has it: the rows that older files have of it are deleted, and counted.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Holds the raw table.
    raw : str
        Raw table; rows of older states are deleted from it.
    order, at : str
        SQL of what tells orders apart, and of the time of an order.
    source : str
        What the rows are, for the accounting.
    part : str
        SQL of what tells the rows of an order apart, where files may hold different parts of one order: only an order of
        which a part stands in two files is in two states.
    updated : str
        SQL of the time of a row's last change, where the export tells one; else the file with the newest order is newer, of
        two alike the later one by name.

    Returns
    -------
    (tuple of Accounted, tuple of Violation)
        Empty if no order stands in two files.

    Raises
    ------
    SourceError
        Two files have an order of one number that was made at two times.
    """
    if len(con.sql(f"SELECT DISTINCT {FILE} FROM {raw} LIMIT 2").fetchall()) < 2:
        return (), ()
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE _opslib_states AS SELECT {order} AS k, {FILE} AS f, min({at}) AS began_at, max({at}) AS made_at, "
        f"max({updated}) AS updated, list(DISTINCT {part}) AS parts FROM {raw} GROUP BY ALL"
    )
    # An order is in two states if one of its parts stands in two files.
    con.execute(
        """CREATE OR REPLACE TEMP TABLE _opslib_repeated AS SELECT DISTINCT k FROM (SELECT k, unnest(parts) AS p FROM _opslib_states
        WHERE k IN (SELECT k FROM _opslib_states GROUP BY k HAVING count(*) > 1)) GROUP BY k, p HAVING count(*) > 1"""
    )
    several = con.sql(
        """SELECT k, min_by(f, began_at), min(began_at), max_by(f, began_at), max(began_at) FROM _opslib_states JOIN _opslib_repeated USING (k)
        GROUP BY k HAVING date_diff('second', min(began_at), max(began_at)) > 60 ORDER BY k LIMIT 1"""
    ).fetchone()
    if several:
        name, first, at_first, last, at_last = several
        raise SourceError(
            f"{last}: order '{name}' was made at {at_last} (UTC), and in {first} at {at_first}: two orders of one number would count as one; "
            "describe the files of each store as a shop of their own, or make order_id of several columns, e.g. order_id: [store, number]"
        )
    files = con.sql("SELECT f, max(made_at) FROM _opslib_states GROUP BY f").fetchall()
    ranked = sorted(files, key=lambda row: (row[1] is not None, str(row[1]), natural(row[0])))
    places = ", ".join(f"({quote(name)}, {place}, {quote(str(newest))})" for place, (name, newest) in enumerate(ranked))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE _opslib_older AS SELECT k, f, made_of, lead(made_of) OVER by_age AS next_made FROM _opslib_states
        JOIN (VALUES {places}) AS files(name, place, made_of) ON f = name WHERE k IN (SELECT k FROM _opslib_repeated)
        WINDOW by_age AS (PARTITION BY k ORDER BY updated NULLS FIRST, place)
        QUALIFY lead(f) OVER by_age IS NOT NULL"""
    )
    found = con.sql(
        f"""SELECT count(*), count(DISTINCT k), (SELECT count(DISTINCT k) FROM _opslib_states), min(k), bool_or(made_of = next_made)
        FROM {raw} JOIN _opslib_older ON ({order}) = k AND {FILE} = f"""
    ).fetchone()
    n_rows, n_orders, n_all, example, by_name = found or (0, 0, 0, "", False)
    if not n_rows:
        return (), ()
    con.execute(f"DELETE FROM {raw} WHERE (({order}), {FILE}) IN (SELECT (k, f) FROM _opslib_older)")
    rule = "rows of an order that stands in a newer file too"
    item = Accounted(source=source, table=None, reason="older state", rule=rule, n_rows=n_rows, example=str(example))
    told = "the same order in several files: its newest state counts as a whole"
    told += "; which is newer, only the files' names say" if by_name else ""
    severity: Severity = "warning" if by_name else "note"
    return (item,), (Violation("order_lines", "order_id", told, severity, n_orders, n_orders / n_all, str(example)),)


def require_no_copies(con: duckdb.DuckDBPyConnection, raw: str, columns: Sequence[str]) -> None:
    """Refuse rows that stand in two files and have no order id of their own: they would count twice.

    Raises
    ------
    SourceError
        Naming the files and how many rows.
    """
    whole = ", ".join(identifier(column) for column in columns)
    row = con.sql(
        f"""SELECT count(*), min(f), max(g) FROM (SELECT min({FILE}) AS f, max({FILE}) AS g FROM {raw} GROUP BY {whole}
        HAVING count(DISTINCT {FILE}) > 1)"""
    ).fetchone()
    if row and row[0]:
        raise SourceError(
            f"{row[2]}: {row[0]:,} rows stand in {row[1]} too, and rows have no order id of their own, so that they would count twice; "
            "leave one of the files out, or map order_id to a column that names the order"
        )


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


def key_pseudonyms(reading: Reading) -> None:
    """Make the project's secret known to the connection, for `pseudonym`."""
    reading.con.execute(f"SET VARIABLE opslib_secret = {quote(reading.secret())}")


def pseudonym(text: str) -> str:
    """SQL of a stable stand-in for an e-mail address: neither stored, nor to be found by hashing addresses without the secret."""
    key = "getvariable('opslib_secret')"
    return f"left(sha256({key} || sha256({key} || lower(trim({text})))), 16)"


#: Lines that are no goods, by their name in small letters.
_AMOUNT = r"([ :-]*[^a-z]*(eur|usd|gbp|chf|cad|aud)?)?"
NO_GOODS = {
    "tip": r"(tips?|gratuity|trinkgeld|pourboire|propina|mancia|fooi)",
    "gift card": r"(e-?gift cards?|gift (cards?|certificates?|vouchers?)|(geschenk)?gutschein|geschenkkarte|carte[ -]cadeau|cadeaubon|"
                 r"tarjeta regalo|buono regalo)" + _AMOUNT,
    "shipping": r"(shipping|delivery|postage|versand|(shipping|delivery) (charge|cost|fee|insurance|protection)s?|versandkosten|"
                r"frais de (port|livraison)|verzendkosten|gastos de envío|spese di spedizione)",
    "fee": r"((service|handling|payment|processing|convenience|booking|cod|bag|restocking) (fee|charge)s?|surcharge|pfand|"
           r"(bearbeitungs|service|nachnahme)gebühr)",
    "donation": r"(donations?|spende|donación|donazione|donatie)" + _AMOUNT,
}  # fmt: skip
NO_GOODS_RULES = {reason: f"lines named as a {reason}: no goods" for reason in NO_GOODS}


def charge(name: str) -> str:
    """SQL of why a line is no goods, by its name; NULL for goods."""
    tests = (
        f"WHEN regexp_full_match(lower(trim({name})), {quote(words)}) THEN {quote(why)}"
        for why, words in NO_GOODS.items()
    )
    return f"CASE {' '.join(tests)} END"


#: Texts that systems write where there is no id.
PLACEHOLDERS = (
    "",
    "(not set)",
    "not set",
    "(none)",
    "undefined",
    "null",
    "none",
    "nan",
    "n/a",
    "na",
    "-",
    "[object object]",
)


def real_id(text: str) -> str:
    """SQL of an id, and of NULL where a placeholder stands for none."""
    return f"CASE WHEN lower(trim({text})) NOT IN ({', '.join(quote(word) for word in PLACEHOLDERS)}) THEN {text} END"


def most_frequent(table: str, *, key: str, value: str) -> str:
    """SELECT of each key's most frequent value; ties go to the first by alphabet."""
    return (
        f"SELECT {key}, {value} FROM (SELECT {key}, {value}, row_number() OVER (PARTITION BY {key} ORDER BY count(*) DESC, {value}) "
        f"AS place FROM {table} WHERE {value} IS NOT NULL GROUP BY {key}, {value}) WHERE place = 1"
    )
