"""Texts into typed contract columns; what cannot be read is named: file, row, column, value and the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from opslib.contracts import CONTRACTS, ColumnKind, TableContract
from opslib.errors import SourceError, require_columns
from opslib.shop.adapters.export import Accounted, Extract, Reading, account, identifier, quote
from opslib.shop.adapters.reading import FILE, ROW, load_raw
from opslib.shop.shopfile import ColumnSource, TableSource

SQL_TYPES: dict[ColumnKind, str] = {
    "string": "VARCHAR", "integer": "BIGINT", "quantity": "DECIMAL(18,4)", "money": "DECIMAL(18,4)", "number": "DOUBLE",
    "timestamp": "TIMESTAMP", "date": "DATE", "boolean": "BOOLEAN",
}  # fmt: skip
#: Families of date notations that are tried where shop.yml names none; ISO first, then by what people write.
DATE_FAMILIES: dict[str, tuple[str, ...]] = {
    "day/month/year": ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y"),
    "month/day/year": ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y", "%m/%d/%Y %I:%M %p"),
    "day.month.year": ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y"),
    "day-month-year": ("%d-%m-%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y"),
    "year/month/day": ("%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d"),
}
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?$"
_OFFSET = r"\d{2}:\d{2}\S*? ?(Z|UTC|[+-]\d{2}(:?\d{2})?)$"
_MISSING = "('nan', 'null', 'none', 'na', 'n/a', 'nat', '-')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """How the texts of one raw table are written."""

    raw: str
    time_zone: str
    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None


def read(reading: Reading) -> Extract:
    """Read every table of ``reading.options["tables"]`` through its column map."""
    tables: dict[str, str] = {}
    accounting: list[Accounted] = []
    sources: Mapping[str, tuple[TableSource, list]] = reading.options["tables"]
    for done, (name, (source, files)) in enumerate(sources.items()):
        reading.progress(f"reading {name} ({len(files)} files)", done / len(sources))
        raw = f"raw_{name}"
        found = load_raw(
            reading.con, files, name=raw, encoding=source.encoding, delimiter=source.delimiter, sheet=source.sheet
        )
        texts = Texts(raw=raw, time_zone=source.time_zone or reading.time_zone, decimal=source.decimal,
                      thousands=source.thousands, date_format=source.date_format)  # fmt: skip
        accounting += _keep(reading.con, raw, source=source, table=name, found=found)
        if source.unpivot:
            found = _unpivot(reading.con, raw, source=source, found=found)
        columns = source.mapped(CONTRACTS[name], found, where=f"the file {files[0].name}")
        tables[name] = typed_query(reading.con, columns, texts=texts, contract=CONTRACTS[name])
    return Extract(tables=tables, accounting=tuple(accounting))


def _keep(
    con: duckdb.DuckDBPyConnection, raw: str, *, source: TableSource, table: str, found: list[str]
) -> tuple[Accounted, ...]:
    """Leave only the rows that ``keep`` and ``first_of`` ask for, and count both sides."""
    require_columns(found, [*source.keep, *([source.first_of] if source.first_of else [])], f"{table}: keep")
    tests = [f"coalesce({identifier(c)}, '') IN ({', '.join(quote(v) for v in vs)})" for c, vs in source.keep.items()]
    said = " and ".join(f"{c} is {' or '.join(vs)}" for c, vs in source.keep.items())
    is_kept = " AND ".join(tests) or "true"
    place = "1"
    if source.first_of:
        place = f"row_number() OVER (PARTITION BY {is_kept}, {identifier(source.first_of)} ORDER BY {FILE}, {ROW})"
    # The files may have columns of any name, "reason" among them: ours are set apart before rows are counted.
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW _opslib_sorted AS SELECT *, CASE WHEN NOT ({is_kept}) THEN 'other rows' WHEN {place} > 1 THEN 'repeats' "
        f"ELSE 'kept' END AS _opslib_reason FROM {raw}"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW _opslib_kept AS SELECT _opslib_reason AS reason, CASE _opslib_reason WHEN 'kept' THEN {quote(table)} END AS goes_to "
        "FROM _opslib_sorted"
    )
    rules = {
        "kept": said or "every row of the files",
        "other rows": f"rows where not: {said}",
        "repeats": f"rows that repeat a value of {source.first_of}: the first row stands for all",
    }
    counted = account(con, "_opslib_kept", source=f"files of {table}", rules=rules)
    if tests or source.first_of:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {raw}_kept AS SELECT * EXCLUDE (_opslib_reason) FROM _opslib_sorted WHERE _opslib_reason = 'kept'"
        )
        con.execute("DROP VIEW _opslib_kept")
        con.execute("DROP VIEW _opslib_sorted")
        con.execute(f"DROP TABLE {raw}")
        con.execute(f"ALTER TABLE {raw}_kept RENAME TO {raw}")
    return counted


def _unpivot(con: duckdb.DuckDBPyConnection, raw: str, *, source: TableSource, found: list[str]) -> list[str]:
    require_columns(found, source.unpivot, "unpivot")
    names = ", ".join(identifier(column) for column in source.unpivot)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {raw}_long AS UNPIVOT {raw} ON {names} INTO NAME metric VALUE value")
    con.execute(f"DROP TABLE {raw}")
    con.execute(f"ALTER TABLE {raw}_long RENAME TO {raw}")
    return [column for column in found if column not in source.unpivot] + ["metric", "value"]


def typed_query(
    con: duckdb.DuckDBPyConnection,
    columns: Mapping[str, ColumnSource],
    *,
    texts: Texts,
    contract: TableContract,
    kinds: Mapping[str, ColumnKind] | None = None,
) -> str:
    """SELECT of contract columns from a raw table of texts.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Holds the raw table.
    columns : mapping of str to ColumnSource
        Our column -> where it comes from.
    texts : Texts
        How numbers and times are written.
    contract : TableContract
        Gives each column its kind, and says which must be filled.
    kinds : mapping of str to kind, optional
        Kinds of columns that the contract does not name; text unless given.

    Returns
    -------
    str
        A query without an order.

    Raises
    ------
    SourceError
        At the first value that cannot be read, with file, row, column, value and remedy.
    """
    parts: dict[str, str] = {}
    checks: dict[str, tuple[str, str, ColumnKind]] = {}
    for ours, source in columns.items():
        kind: ColumnKind = contract.column(ours).kind if ours in contract.names else (kinds or {}).get(ours, "string")
        text = _text(source, is_id=ours.endswith("_id"))
        parts[ours] = cast(
            con, text, kind=kind, texts=texts, date_format=source.date_format, column=f"{contract.name}.{ours}"
        )
        checks[ours] = (text, parts[ours], kind)
    _require_readable(con, checks, texts=texts, contract=contract)
    _require_filled(
        con, {name: parts[name] for name in contract.required if name in parts}, texts=texts, contract=contract
    )
    return f"SELECT {', '.join(f'{sql} AS {identifier(ours)}' for ours, sql in parts.items())} FROM {texts.raw}"


def _text(source: ColumnSource, *, is_id: bool) -> str:
    """SQL of the raw text of one column. Ids lose the ``.0`` that spreadsheets and data frames add to whole numbers."""
    if source.row:
        return f"lpad(CAST({ROW} AS VARCHAR), 8, '0')"
    if source.value is not None:
        return quote(source.value)
    text = identifier(str(source.source))
    if source.values:
        cases = " ".join(f"WHEN {quote(theirs)} THEN {quote(ours)}" for theirs, ours in source.values.items())
        text = f"CASE {text} {cases} ELSE {text} END"
    return rf"regexp_replace({text}, '^(\d+)\.0$', '\1')" if is_id else text


def cast(
    con: duckdb.DuckDBPyConnection,
    text: str,
    *,
    kind: ColumnKind,
    texts: Texts,
    date_format: str | None = None,
    column: str = "",
) -> str:
    """SQL that turns a text into a kind, and into NULL where it cannot."""
    if kind == "string":
        return text
    if kind == "boolean":
        return f"CASE WHEN lower({text}) IN ('1','1.0','true','t','yes','y') THEN true WHEN lower({text}) IN ('0','0.0','false','f','no','n') THEN false END"
    if kind in ("timestamp", "date"):
        return _time(con, text, texts=texts, kind=kind, date_format=date_format or texts.date_format, column=column)
    plain = text
    if texts.thousands:
        plain = f"replace({plain}, {quote(texts.thousands)}, '')"
    if texts.decimal == ",":
        plain = (
            f"replace({plain}, ',', '.')"
            if texts.thousands == "."
            else f"replace(replace({plain}, '.', '#'), ',', '.')"
        )
    pattern = r"[+-]?\d+(\.0+)?" if kind == "integer" else r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
    return f"CASE WHEN regexp_full_match({plain}, '{pattern}') THEN TRY_CAST({plain} AS {SQL_TYPES[kind]}) END"


def _time(
    con: duckdb.DuckDBPyConnection, text: str, *, texts: Texts, kind: ColumnKind, date_format: str | None, column: str
) -> str:
    local = {"epoch": f"to_timestamp(TRY_CAST({text} AS DOUBLE))", "epoch_ms": f"to_timestamp(TRY_CAST({text} AS DOUBLE) / 1e3)",
             "epoch_us": f"to_timestamp(TRY_CAST({text} AS DOUBLE) / 1e6)"}  # fmt: skip
    if date_format in local:
        utc = f"timezone('UTC', {local[date_format]})"
        return utc if kind == "timestamp" else f"CAST({utc} AS DATE)"
    if date_format == "iso":
        formats = []
    else:
        formats = [date_format] if date_format else _formats(con, text, raw=texts.raw, column=column)
    if formats:
        naive = f"coalesce({', '.join(f'try_strptime({text}, {quote(f)})' for f in formats)})"
        if kind == "date":
            return f"CAST({naive} AS DATE)"
        if any("%z" in f for f in formats):
            return f"timezone('UTC', CAST({naive} AS TIMESTAMPTZ))"
        return _to_utc(f"CAST({naive} AS TIMESTAMP)", texts.time_zone)
    if kind == "date":
        return f"CASE WHEN regexp_matches({text}, '{_ISO}') THEN CAST(TRY_CAST({text} AS TIMESTAMP) AS DATE) END"
    with_offset = rf"regexp_replace(replace({text}, ' UTC', 'Z'), ' ?([+-]\d{{2}}):?(\d{{2}})$', '\1:\2')"
    return (
        f"CASE WHEN NOT regexp_matches({text}, '{_ISO}') THEN NULL "
        f"WHEN regexp_matches({text}, '{_OFFSET}') THEN timezone('UTC', TRY_CAST({with_offset} AS TIMESTAMPTZ)) "
        f"ELSE {_to_utc(f'TRY_CAST({text} AS TIMESTAMP)', texts.time_zone)} END"
    )


def _to_utc(naive: str, zone: str) -> str:
    return naive if zone in ("UTC", "Etc/UTC") else f"timezone('UTC', timezone({quote(zone)}, {naive}))"


def _formats(con: duckdb.DuckDBPyConnection, text: str, *, raw: str, column: str) -> list[str]:
    """Formats of the one family that reads every value; none for ISO. Two readings, or two families, are an error."""
    if not re.search(r'"', text):
        return []
    distinct = f"(SELECT DISTINCT {text} AS t FROM {raw} WHERE {text} IS NOT NULL AND lower({text}) NOT IN {_MISSING})"
    if not con.sql(f"SELECT 1 FROM {distinct} WHERE NOT regexp_matches(t, '{_ISO}') LIMIT 1").fetchone():
        return []
    reads = {
        name: f"coalesce({', '.join(f'try_strptime(t, {quote(f)})' for f in formats)}) IS NOT NULL"
        for name, formats in DATE_FAMILIES.items()
    }
    reads = {"ISO (year-month-day)": f"regexp_matches(t, '{_ISO}')", **reads}
    counted = ", ".join(f"count(*) FILTER ({sql}), min(t) FILTER ({sql})" for sql in reads.values())
    row = con.sql(f"SELECT count(*), {counted} FROM {distinct}").fetchone() or ()
    total, hits = row[0], {name: (row[1 + 2 * n], row[2 + 2 * n]) for n, name in enumerate(reads)}
    whole = [name for name, (n, _) in hits.items() if n == total]
    if len(whole) > 1 and total:
        raise SourceError(
            f"{column}: '{hits[whole[0]][1]}' can be read as {whole[0]} and as {whole[1]}; write date_format, "
            f'e.g. date_format: "{DATE_FAMILIES.get(whole[0], ("%Y-%m-%d",))[0]}"'
        )
    if whole:
        return list(DATE_FAMILIES.get(whole[0], ()))
    seen = sorted(((n, name, example) for name, (n, example) in hits.items() if n), reverse=True)
    mixed = [item for item in seen[1:] if item[0] + seen[0][0] >= total] if seen else []
    if mixed:
        raise SourceError(
            f"{column}: two notations of dates in one column: '{seen[0][2]}' ({seen[0][1]}) and '{mixed[0][2]}' ({mixed[0][1]}); "
            "export them in one notation, or split the files and give each its date_format"
        )
    return list(DATE_FAMILIES.get(seen[0][1], ())) if seen else []


def _require_readable(
    con: duckdb.DuckDBPyConnection,
    checks: Mapping[str, tuple[str, str, ColumnKind]],
    *,
    texts: Texts,
    contract: TableContract,
) -> None:
    tests = {
        ours: f"{text} IS NOT NULL AND lower({text}) NOT IN {_MISSING} AND ({value}) IS NULL"
        for ours, (text, value, kind) in checks.items() if kind != "string"
    }  # fmt: skip
    if not tests:
        return
    row = (
        con.sql(
            f"SELECT {', '.join(f'count(*) FILTER ({test})' for test in tests.values())} FROM {texts.raw}"
        ).fetchone()
        or ()
    )
    for (ours, test), n in zip(tests.items(), row, strict=True):
        if n:
            text, _, kind = checks[ours]
            where, at, value = con.sql(
                f"SELECT {FILE}, {ROW}, {text} FROM {texts.raw} WHERE {test} ORDER BY 1, 2 LIMIT 1"
            ).fetchone() or ("", 0, "")
            others = f" ({n - 1:,} more like it)" if n > 1 else ""
            raise SourceError(
                f"{where}: row {at}: {contract.name}.{ours}: {_complaint(str(value), kind, texts)}{others}"
            )


def _complaint(value: str, kind: ColumnKind, texts: Texts) -> str:
    shown = f"'{value[:60]}'"
    if kind in ("timestamp", "date"):
        wanted = (
            f"does not fit date_format {texts.date_format}" if texts.date_format else "is not a date that can be read"
        )
        return (
            f'{shown} {wanted}; write date_format for this table, e.g. date_format: "%d.%m.%Y %H:%M", or mend the cell'
        )
    if kind == "boolean":
        return f"{shown} is neither yes nor no; allowed: 1/0, true/false, yes/no"
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", value) and texts.thousands is None:
        return f'{shown} has a thousands separator; write thousands: "," for this table'
    if "," in value and re.fullmatch(r"[+-]?[\d.]*,\d+", value) and texts.decimal == ".":
        return f'{shown} has a decimal comma; write decimal: "," for this table' + (
            ' and thousands: "."' if "." in value else ""
        )
    wanted = "a whole number" if kind == "integer" else "a number"
    return f"{shown} is text where {wanted} is needed; mend the cell, or map another column"


def _require_filled(
    con: duckdb.DuckDBPyConnection, parts: Mapping[str, str], *, texts: Texts, contract: TableContract
) -> None:
    counted = ", ".join(f"count(*) FILTER (({sql}) IS NULL)" for sql in parts.values())
    row = con.sql(f"SELECT {counted} FROM {texts.raw}").fetchone() or ()
    for (name, sql), n in zip(parts.items(), row, strict=True):
        if n:
            where, at = con.sql(
                f"SELECT {FILE}, {ROW} FROM {texts.raw} WHERE ({sql}) IS NULL ORDER BY 1, 2 LIMIT 1"
            ).fetchone() or ("", 0)
            raise SourceError(
                f"{where}: row {at}: {contract.name}.{name}: is empty in {n:,} rows, but required "
                f"({contract.column(name).meaning}); fill it, or keep those rows out with 'keep:'"
            )
