"""Texts into typed contract columns; what cannot be read is named: file, row, column, value and the way out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

import duckdb

from opslib.contracts import CONTRACTS, STATUSES, ColumnKind, TableContract, Violation
from opslib.errors import SourceError, require_columns
from opslib.metrics.blocks import PAID
from opslib.metrics.statuses import status_of
from opslib.shop.adapters import sql
from opslib.shop.adapters.export import Accounted, Agreement, Extract, Reading, account, identifier, quote
from opslib.shop.adapters.orders import newest_states, require_no_copies
from opslib.shop.adapters.reading import FILE, ROW, load_raw, require_effect
from opslib.shop.adapters.sql import Sources
from opslib.shop.shopfile import ColumnSource, Dialect, TableSource

SQL_TYPES: dict[ColumnKind, str] = {
    "string": "VARCHAR", "integer": "BIGINT", "quantity": "DECIMAL(18,4)", "money": "DECIMAL(18,4)", "number": "DOUBLE",
    "timestamp": "TIMESTAMP", "date": "DATE", "boolean": "BOOLEAN",
}  # fmt: skip
_CLOCKS = (" %H:%M", " %H:%M:%S", "", " %I:%M %p", " %I:%M:%S %p")
#: Families of date notations that are tried where shop.yml names none; ISO first, then by what people write.
#: A year has four digits or two, never both ways in one reading: %Y would read 26 as the year 26.
DATE_FAMILIES: dict[str, tuple[str, ...]] = {
    name: tuple(day + clock for day in days.split("|") for clock in _CLOCKS)
    for name, days in {
        "day/month/year": "%d/%m/%Y", "month/day/year": "%m/%d/%Y", "day.month.year": "%d.%m.%Y", "day-month-year": "%d-%m-%Y",
        "year/month/day": "%Y/%m/%d", "month's name": "%b %d, %Y|%B %d, %Y|%d %b %Y|%d %B %Y|%d-%b-%Y", "month's name, yy": "%d-%b-%y|%d %b %y",
        "day/month/yy": "%d/%m/%y", "month/day/yy": "%m/%d/%y", "yy/month/day": "%y/%m/%d", "day.month.yy": "%d.%m.%y",
        "day-month-yy": "%d-%m-%y", "yy-month-day": "%y-%m-%d",
    }.items()
}  # fmt: skip
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?$"
_OFFSET = r"\d{2}:\d{2}\S*? ?(Z|UTC|[+-]\d{2}(:?\d{2})?)$"
_MISSING = "('nan', 'null', 'none', 'na', 'n/a', 'nat', '-')"
#: Signs of money, and the currencies that they are written for.
SIGNS = {
    "€": ("EUR",), "£": ("GBP",), "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"), "¥": ("JPY", "CNY"), "zł": ("PLN",),
    "Kč": ("CZK",), "₹": ("INR",), "kr": ("SEK", "NOK", "DKK"), "R$": ("BRL",), "₺": ("TRY",), "Fr.": ("CHF",),
}  # fmt: skip
#: Before 1990 there were no online shops: such a date is a year misread.
FIRST_YEAR = 1990
#: Rows that cannot be used are set aside up to so many, or up to this share of the rows; more stop the shop. So does this share of the money.
MOST_ROWS, MOST_SHARE = 20, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """How the texts of one raw table are written."""

    raw: str
    time_zone: str
    dialect: Dialect = field(default_factory=Dialect)
    currency: str = ""
    reading: Reading | None = None
    is_lenient: bool = False

    @classmethod
    def of(cls, reading: Reading, raw: str, *, time_zone: str | None = None, is_lenient: bool = False) -> Texts:
        """Texts of one raw table of a reading; a lenient reading sets rows aside that it cannot use, and counts them."""
        zone = time_zone or reading.time_zone
        return cls(raw=raw, time_zone=zone, dialect=reading.dialect, currency=reading.currency, reading=reading,
                   is_lenient=is_lenient)  # fmt: skip


def read(reading: Reading) -> Extract:
    """Read every table of ``reading.options["tables"]`` through its column map."""
    tables: dict[str, str] = {}
    accounting: list[Accounted] = []
    agreements: list[Agreement] = []
    sources: Mapping[str, tuple[TableSource, Sources]] = reading.options["tables"]
    for done, (name, (source, files)) in enumerate(sources.items()):
        reading.progress(f"reading {name} ({len(files.paths)} files)", done / len(sources))
        raw = f"raw_{name}"
        here = replace(
            reading, dialect=source.over(reading.dialect), source=f"rows in the files of {name}", is_opened=True
        )
        if source.sql is not None:
            found, counted, totals = sql.make(here, name, source, files, raw=raw)
            accounting += counted
            agreements += totals
        else:
            require_effect(source.model_fields_set, files.paths, where=f"table {name}")
            found = load_raw(here, files.paths, name=raw)
            if name == "order_lines" and len(files.paths) > 1 and not source.unpivot:
                older, repeated = _newest(here, raw, source, found)
                accounting += older
                reading.violations.extend(repeated)
            accounting += _keep(reading.con, raw, source=source, table=name, found=found, dialect=here.dialect)
            _require_currency(here, name, source, found)
            if source.unpivot:
                found = _unpivot(reading.con, raw, source=source, found=found)
        columns = source.mapped(
            CONTRACTS[name], found, where=f"the file {files.paths[0].name}", has_derived=source.sql is not None
        )
        _require_in_every_file(here, raw, columns)
        texts = Texts.of(here, raw, time_zone=source.time_zone, is_lenient=True)
        n_before = len(reading.set_aside)
        tables[name] = typed_query(
            reading.con, columns, texts=texts, contract=CONTRACTS[name], prices_include_tax=bool(reading.prices_include_tax), rates=source.rates,
            currency=source.currency,
        )  # fmt: skip
        n_aside = sum(item.n_rows for item in reading.set_aside[n_before:])
        for at, item in enumerate(accounting):
            if item.table == name and item.reason == "kept":
                accounting[at] = replace(item, n_rows=item.n_rows - n_aside)
    return Extract(tables=tables, accounting=tuple(accounting), agreements=tuple(agreements))


def _newest(
    reading: Reading, raw: str, source: TableSource, found: list[str]
) -> tuple[tuple[Accounted, ...], tuple[Violation, ...]]:
    """Leave each order in its newest state; files may also hold different lines of one order."""
    columns = source.mapped(CONTRACTS["order_lines"], found, where="one of the files")
    order, part, at = (columns.get(name, ColumnSource()) for name in ("order_id", "line_id", "ordered_at"))
    if not order.sources:
        require_no_copies(reading.con, raw, found)
        return (), ()
    texts = Texts.of(reading, raw, time_zone=source.time_zone)
    time = cast(
        reading.con,
        _text(at, is_id=False),
        kind="timestamp",
        texts=texts,
        date_format=at.date_format,
        column="order_lines.ordered_at",
    )
    part = part if part.sources else columns["product_id"]
    return newest_states(
        reading.con, raw, order=_text(order, is_id=True), at=time, part=_text(part, is_id=True), source=reading.source
    )


def _require_in_every_file(reading: Reading, raw: str, columns: Mapping[str, ColumnSource]) -> None:
    """Refuse a file that lacks a column which the map names and which another file of the table has."""
    for ours, column in columns.items():
        for theirs in column.sources:
            lacking = [file for file, header in reading.headers.get(raw, {}).items() if theirs not in header]
            if lacking and len(lacking) < len(reading.headers[raw]):
                others = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
                raise SourceError(
                    f"{lacking[0]}{others}: has no column '{theirs}' ({ours}), which other files of the table have; "
                    "leave the file out, or rename its column"
                )


#: What exports call the column that names the currency, folded to letters.
_CURRENCY_NAMES = (
    "currency",
    "currencycode",
    "ordercurrency",
    "ordercurrencycode",
    "waehrung",
    "währung",
    "devise",
    "valuta",
    "moneda",
)


def _require_currency(reading: Reading, table: str, source: TableSource, found: list[str]) -> None:
    """Refuse rows whose money is in another currency than the shop's and has no rate; a column of that name is looked at unasked."""
    require_columns(found, [source.currency] if source.currency else [], f"{table}: currency")
    named = [column for column in found if re.sub(r"[^a-zäöü]", "", column.lower()) in _CURRENCY_NAMES]
    money = [c for c in CONTRACTS[table].columns if c.kind == "money" and c.name in source.columns]
    if not (money or "line_amount" in source.columns):
        return
    for column in [source.currency] if source.currency else named:
        cell, raw = identifier(column), identifier(f"raw_{table}")
        seen = reading.con.sql(
            f"SELECT upper({cell}), count(*) FROM {raw} WHERE {cell} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
        if not source.currency and not all(re.fullmatch("[A-Z]{3}", name) for name, _ in seen):
            continue
        lost = [(name, n) for name, n in seen if name != reading.currency and name not in source.rates]
        if lost:
            shown, other = ", ".join(f"{name} ({n:,} rows)" for name, n in seen[:4]), lost[0][0]
            way = (
                f"write currency: {other}"
                if len(seen) == 1
                else f"keep one with keep: {{{column}: [{reading.currency}]}}"
            )
            raise SourceError(
                f"{table}: column '{column}': money in {shown}; the shop's currency is {reading.currency}: {way}, or turn it: currency: {column} and "
                f"rates: {{{other}: what one is worth}}"
            )


def _keep(
    con: duckdb.DuckDBPyConnection, raw: str, *, source: TableSource, table: str, found: list[str], dialect: Dialect
) -> tuple[Accounted, ...]:
    """Leave only the rows that ``keep``, ``where`` and ``first_of`` ask for, and count both sides."""
    require_columns(found, [*source.keep, *([source.first_of] if source.first_of else [])], f"{table}: keep")
    tests = [f"coalesce({identifier(c)}, '') IN ({', '.join(quote(v) for v in vs)})" for c, vs in source.keep.items()]
    tests += _where(source, found, table=table, dialect=dialect)
    said = " and ".join(
        [*(f"{c} is {' or '.join(vs)}" for c, vs in source.keep.items()), *([source.where] if source.where else [])]
    )
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
    counted = account(con, "_opslib_kept", source=f"rows in the files of {table}", rules=rules)
    if tests or source.first_of:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {raw}_kept AS SELECT * EXCLUDE (_opslib_reason) FROM _opslib_sorted WHERE _opslib_reason = 'kept'"
        )
        con.execute("DROP VIEW _opslib_kept")
        con.execute("DROP VIEW _opslib_sorted")
        con.execute(f"DROP TABLE {raw}")
        con.execute(f"ALTER TABLE {raw}_kept RENAME TO {raw}")
    return counted


def _where(source: TableSource, found: list[str], *, table: str, dialect: Dialect) -> list[str]:
    """SQL tests of ``where``: comparisons of a column (theirs, or ours of the map) with a number or a text."""
    tests = []
    for part in re.split(r"\s+and\s+", source.where or "", flags=re.IGNORECASE) if source.where else []:
        match = re.fullmatch(r"\s*(.+?)\s*(<=|>=|!=|=|<|>)\s*(.+?)\s*", part)
        if match is None:
            raise SourceError(
                f"{table}: where: '{part}' is no comparison; write COLUMN < VALUE with one of = != < > <= >="
            )
        column, sign, value = match.groups()
        ours = source.columns.get(column)
        theirs = column if column in found else (ours.sources[0] if ours and ours.sources else column)
        require_columns(found, [theirs], f"{table}: where")
        text = identifier(theirs)
        if re.fullmatch(r"[+-]?\d+(\.\d+)?", value):
            tests.append(
                f"coalesce(TRY_CAST({_number(text, 'number', dialect=dialect, currency='')} AS DOUBLE) {sign} {value}, false)"
            )
        elif sign in ("=", "!="):
            tests.append(f"coalesce(lower({text}), '') {sign} lower({quote(value.strip(chr(39) + chr(34)))})")
        else:
            raise SourceError(
                f"{table}: where: '{value}' in '{part}' is no number; texts are compared with = or != only"
            )
    return tests


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
    prices_include_tax: bool = False,
    currency: str | None = None,
    rates: Mapping[str, Decimal] = MappingProxyType({}),
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
    prices_include_tax : bool
        Whether the total of a line includes its tax.
    currency, rates : str or None, mapping
        Column that names each row's currency, and what one unit of each is worth in the shop's.

    Returns
    -------
    str
        A query without an order.

    Raises
    ------
    SourceError
        At a value that cannot be read, with file, row, column, value and remedy; of a lenient reading only where too many
        rows, or too much money, could not be used.
    """
    parts: dict[str, str] = {}
    checks: dict[str, tuple[str, str, ColumnKind]] = {}
    given = {**_OUR_KINDS, **{c.name: c.kind for c in (*contract.columns, *contract.derived)}, **(kinds or {})}
    for ours, source in columns.items():
        kind: ColumnKind = given.get(ours, "string")
        text = _text(source, is_id=ours.endswith("_id"), statuses=texts.dialect.statuses if ours == "status" else {})
        if source.rate == "percent":
            text = f"replace({text}, '%', '')"
        parts[ours] = cast(
            con, text, kind=kind, texts=texts, date_format=source.date_format, column=f"{contract.name}.{ours}"
        )
        if kind == "money" and currency and rates and not source.rate:
            worth = " ".join(f"WHEN {quote(name.upper())} THEN {rate}" for name, rate in rates.items())
            parts[ours] = (
                f"CAST({parts[ours]} * CASE upper({identifier(currency)}) {worth} ELSE 1 END AS DECIMAL(18,4))"
            )
        checks[ours] = (text, parts[ours], kind)
    _require_whole_ids(con, columns, texts=texts, contract=contract)
    parts = _money(con, parts, columns, texts=texts, contract=contract, prices_include_tax=prices_include_tax)
    usable = _usable(con, checks, parts, texts=texts, contract=contract)
    rows = f" WHERE {usable}" if usable else ""
    return f"SELECT {', '.join(f'{sql} AS {identifier(ours)}' for ours, sql in parts.items())} FROM {texts.raw}{rows}"


_OUR_KINDS: dict[str, ColumnKind] = {"line_amount": "money"}


def _text(source: ColumnSource, *, is_id: bool, statuses: Mapping[str, str] = MappingProxyType({})) -> str:
    """SQL of the raw text of one column. Ids lose the ``.0`` that spreadsheets and data frames add to whole numbers."""
    if source.row:
        return f"lpad(CAST({ROW} AS VARCHAR), 8, '0')"
    if source.value is not None:
        return quote(source.value)
    names = [identifier(name) for name in source.sources]
    joined = f"nullif(concat_ws({quote('-' if is_id else ' ')}, {', '.join(names)}), '')"
    text = names[0] if len(names) == 1 else joined
    values = {theirs.lower(): ours for theirs, ours in {**source.values, **statuses}.items()}
    if values:
        cases = " ".join(f"WHEN {quote(theirs)} THEN {quote(ours)}" for theirs, ours in values.items())
        text = f"CASE lower({text}) {cases} ELSE {text} END"
    return rf"regexp_replace({text}, '^(\d+)\.0$', '\1')" if is_id else text


def _require_whole_ids(
    con: duckdb.DuckDBPyConnection, columns: Mapping[str, ColumnSource], *, texts: Texts, contract: TableContract
) -> None:
    """Refuse ids that a spreadsheet rounded: 1.23457E+15, or whole columns of long numbers that end in zeros after 15 digits."""
    cells = {name: ours for ours, source in columns.items() if ours.endswith("_id") for name in source.sources}
    if not cells:
        return
    # Nearly always nothing looks like it: one cheap look at all, and a closer one at what does.
    seen = [
        f"bool_or(contains({c}, 'E+') OR contains({c}, 'e+') OR (length({c}) > 15 AND right({c}, 1) = '0'))"
        for c in map(identifier, cells)
    ]
    asked = con.sql(f"SELECT {', '.join(seen)} FROM {texts.raw}").fetchone() or ()
    for (name, ours), is_seen in zip(cells.items(), asked, strict=False):
        if not is_seen:
            continue
        cell = identifier(name)
        long, cut = f"length({cell}) > 15", rf"regexp_full_match({cell}, '\d{{15}}0+')"
        row = con.sql(
            rf"SELECT min({cell}) FILTER (regexp_full_match({cell}, '\d([.,]\d+)?[eE]\+?\d{{2}}')), CASE WHEN count(*) FILTER ({long} AND NOT {cut}) = 0 "
            f"AND count(DISTINCT {cell}) FILTER ({cut} AND {long}) > 2 THEN min({cell}) FILTER ({long}) END FROM {texts.raw}"
        ).fetchone()
        if row and (row[0] or row[1]):
            raise SourceError(
                f"{contract.name}.{ours}: '{row[0] or row[1]}' in column '{name}' was rounded by a spreadsheet, so that different ids became "
                "one; export the file again and do not save it in a spreadsheet, or format the column as text before"
            )


def _money(
    con: duckdb.DuckDBPyConnection, parts: Mapping[str, str], columns: Mapping[str, ColumnSource], *, texts: Texts, contract: TableContract,
    prices_include_tax: bool,
) -> dict[str, str]:  # fmt: skip
    """Money that is written in another way than the contract has it: totals of lines, rates, signs, other currencies."""
    found, money = dict(parts), "CAST({} AS DECIMAL(18,4))"
    off = columns.get("discount_amount")
    line = found.pop("line_amount", None)
    if off is not None and off.rate:
        base = line or f"({found['quantity']} * {found['unit_price']})"
        part = f"{found['discount_amount']} / 100" if off.rate == "percent" else found["discount_amount"]
        is_off = columns["line_amount"].after_discount if line else False
        found["discount_amount"] = money.format(f"abs({base}) * {f'({part}) / (1 - {part})' if is_off else part}")
    unsigned = {"order_lines": ("discount_amount",), "returns": ("quantity", "refund_amount")}.get(contract.name, ())
    for name in [name for name in unsigned if name in found]:
        found[name] = _unsigned(con, found[name], name, texts=texts, contract=contract)
    if line is not None:
        # Of goods that come back, discount and tax come back too.
        sign = f"CASE WHEN {found['quantity']} < 0 THEN -1 ELSE 1 END"
        discount = f"coalesce({found['discount_amount']}, 0) * {sign}" if off else "0"
        before, after = (
            (f"({line} + {discount})", line)
            if columns["line_amount"].after_discount
            else (line, f"({line} - {discount})")
        )
        units = found["quantity"]
        found["unit_price"] = money.format(f"CASE WHEN {units} = 0 THEN abs({before}) ELSE {before} / {units} END")
        # A unit price has four decimals, the line's total is exact; tax comes off where the export names it.
        if not prices_include_tax or "tax_amount" in found:
            tax = f" - abs({found['tax_amount']}) * {sign}" if prices_include_tax else ""
            found["revenue_amount"] = money.format(f"{after}{tax}")
    return found


def _unsigned(con: duckdb.DuckDBPyConnection, value: str, name: str, *, texts: Texts, contract: TableContract) -> str:
    """A discount is a discount and a return a return, whatever its sign; negative ones are counted."""
    if texts.reading is None:
        return value
    row = con.sql(
        f"SELECT count(*) FILTER ({value} < 0), count(*) FILTER ({value} > 0), count(*) FROM {texts.raw}"
    ).fetchone() or (0, 0, 0)
    if not row[0]:
        return value
    word = "discounts" if name == "discount_amount" else "returns"
    if row[1]:
        rule, severity = f"written with either sign: all taken as {word}", "warning"
    else:
        rule, severity = f"written as negative numbers: taken as {word}", "note"
    texts.reading.violations.append(Violation(contract.name, name, rule, severity, row[0], row[0] / row[2], ""))  # type: ignore[arg-type]
    return f"abs({value})"


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
        return _time(
            con, text, texts=texts, kind=kind, date_format=date_format or texts.dialect.date_format, column=column
        )
    return f"TRY_CAST({_number(text, kind, dialect=texts.dialect, currency=texts.currency)} AS {SQL_TYPES[kind]})"


def _number(text: str, kind: ColumnKind, *, dialect: Dialect, currency: str) -> str:
    """SQL of a number's text as the engine reads it, NULL where it is none: signs of money, groups and brackets as people write them."""
    point, group = re.escape(dialect.decimal), re.escape(dialect.thousands or "")
    whole = rf"(\d{{1,3}}({group}\d{{3}})+|\d+)" if group else r"\d+"
    tail = rf"({point}0+)?" if kind == "integer" else rf"({point}\d*)?([eE][+-]?\d+)?"
    pattern = rf"[+-]?({whole}{tail}|{point}\d+)" if kind != "integer" else rf"[+-]?{whole}{tail}"

    def plain(of: str) -> str:
        bare = f"replace({of}, {quote(dialect.thousands)}, '')" if dialect.thousands else of
        return f"replace({bare}, ',', '.')" if dialect.decimal == "," else bare

    tidy = f"regexp_replace({text}, {quote(_signs(currency))}, '', 'g')"
    for old, new in (
        ("^[\\s\\x{A0}]+|[\\s\\x{A0}]+$", ""),
        (r"^\((.*)\)$", r"-\1"),
        (r"^(.*\d)-$", r"-\1"),
        (r"^([+-])[\s\x{A0}]+", r"\1"),
    ):
        tidy = f"regexp_replace({tidy}, {quote(old)}, {quote(new)}, 'g')"
    spaced = rf"[+-]?\d{{1,3}}([{_SPACES}'’]\d{{3}})+({point}\d*)?"
    tidy = f"CASE WHEN regexp_full_match({tidy}, {quote(spaced)}) THEN regexp_replace({tidy}, {quote(f'[{_SPACES}' + chr(39) + '’]')}, '', 'g') ELSE {tidy} END"
    return (
        f"CASE WHEN regexp_full_match({text}, {quote(pattern)}) THEN {plain(text)} "
        f"WHEN regexp_full_match({tidy}, {quote(pattern)}) THEN {plain(tidy)} END"
    )


_SPACES = r" \x{A0}\x{202F}\x{2009}"


def _signs(currency: str) -> str:
    """Pattern of what stands beside a number and says nothing more: an escape's apostrophe, the shop's own currency."""
    own = [re.escape(sign) for sign, used in SIGNS.items() if currency in used]
    return "|".join(["^'", *own, *([rf"\b{currency}\b", rf"{currency}$", rf"^{currency}"] if currency else [])])


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
    iso = _iso(text, kind, texts.time_zone)
    if formats:
        naive = f"coalesce({', '.join(_strptime(text, f) for f in formats)})"
        if kind == "date":
            told = f"CAST({naive} AS DATE)"
        elif any("%z" in f for f in formats):
            told = f"timezone('UTC', CAST({naive} AS TIMESTAMPTZ))"
        else:
            told = _to_utc(f"CAST({naive} AS TIMESTAMP)", texts.time_zone)
        # Times that a spreadsheet or a database holds as times arrive in ISO, whatever the texts beside them look like.
        own = date_format is None or date_format.startswith("%Y")
        return told if own else f"CASE WHEN regexp_matches({text}, '{_ISO}') THEN {iso} ELSE {told} END"
    return iso


def _iso(text: str, kind: ColumnKind, zone: str) -> str:
    """SQL of a time in ISO, with an offset or in the zone; NULL where the text is none."""
    if kind == "date":
        return f"CASE WHEN regexp_matches({text}, '{_ISO}') THEN CAST(TRY_CAST({text} AS TIMESTAMP) AS DATE) END"
    with_offset = rf"regexp_replace(replace({text}, ' UTC', 'Z'), ' ?([+-]\d{{2}}):?(\d{{2}})$', '\1:\2')"
    return (
        f"CASE WHEN NOT regexp_matches({text}, '{_ISO}') THEN NULL "
        f"WHEN regexp_matches({text}, '{_OFFSET}') THEN timezone('UTC', TRY_CAST({with_offset} AS TIMESTAMPTZ)) "
        f"ELSE {_to_utc(f'TRY_CAST({text} AS TIMESTAMP)', zone)} END"
    )


def _strptime(text: str, form: str) -> str:
    """SQL of a time by a format; four digits of a year are four: ``%Y`` alone would read 26 as the year 26."""
    return (
        f"CASE WHEN regexp_matches({text}, '\\d{{4}}') THEN try_strptime({text}, {quote(form)}) END"
        if "%Y" in form
        else f"try_strptime({text}, {quote(form)})"
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
        name: f"coalesce({', '.join(_strptime('t', f) for f in formats)}) IS NOT NULL"
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


#: Tables whose dates may lie ahead: plans, and prices and changes that are to come.
_AHEAD = ("price_history", "changes", "capacity", "experiments", "experiment_arms", "rollouts", "pages")


def _usable(
    con: duckdb.DuckDBPyConnection, checks: Mapping[str, tuple[str, str, ColumnKind]], parts: Mapping[str, str], *, texts: Texts,
    contract: TableContract,
) -> str:  # fmt: skip
    """SQL of the rows that can be used, empty where all can; the others are set aside and counted, or stop the shop."""
    empty = {name: f"({parts[name]}) IS NULL" for name in contract.required if name in parts}
    unread = {
        ours: f"{text} IS NOT NULL AND lower({text}) NOT IN {_MISSING} AND ({value}) IS NULL"
        for ours, (text, value, kind) in checks.items() if kind != "string"
    }  # fmt: skip
    time = parts.get(contract.time_column or "", "NULL")
    latest = "9999-12-31" if contract.name in _AHEAD else str(dt.date.today() + dt.timedelta(2))
    odd = f"({time} < TIMESTAMP '{FIRST_YEAR}-01-01' OR {time} >= TIMESTAMP '{latest}')"
    tests = [*unread.values(), *empty.values(), odd]
    asked = ", ".join(f"count(*) FILTER ({test})" for test in tests)
    total, *counts = con.sql(f"SELECT count(*), {asked} FROM {texts.raw}").fetchone() or (0,)
    if texts.reading is not None and counts[-1]:
        (example,) = con.sql(f"SELECT min({time}) FROM {texts.raw} WHERE {odd}").fetchone() or ("",)
        rule = f"dated between {FIRST_YEAR} and today: look at date_format and the year"
        texts.reading.violations.append(
            Violation(
                contract.name, str(contract.time_column), rule, "error", counts[-1], counts[-1] / total, str(example)
            )
        )
    n_unread = dict(zip(unread, counts, strict=False))
    n_empty = dict(zip(empty, counts[len(unread) :], strict=False))
    if not any((*n_unread.values(), *n_empty.values())):
        return ""
    for ours, n in n_unread.items():
        if n and (not texts.is_lenient or _has_remedy(con, checks[ours], unread[ours], texts=texts) or n == total):
            _refuse_unread(con, ours, n, checks=checks, test=unread[ours], texts=texts, contract=contract)
    if texts.is_lenient and texts.reading is not None:
        reasons = {f"{ours} cannot be read": test for ours, test in unread.items() if n_unread[ours]}
        reasons |= _unpaid(con, parts, empty, texts=texts)
        reasons |= {f"{ours} is empty": test for ours, test in empty.items() if n_empty[ours]}
        found = _set_aside(con, reasons, parts, checks, total=total, texts=texts, contract=contract)
        if found is None:
            return f"NOT coalesce({' OR '.join(f'({test})' for test in reasons.values())}, false)"
        why = f"; {found}"
    else:
        why = ""
    for ours, n in n_unread.items():
        if n:
            _refuse_unread(con, ours, n, checks=checks, test=unread[ours], texts=texts, contract=contract, why=why)
    name, n = next((name, n) for name, n in n_empty.items() if n)
    where, at = con.sql(
        f"SELECT {FILE}, {ROW} FROM {texts.raw} WHERE {empty[name]} ORDER BY 1, 2 LIMIT 1"
    ).fetchone() or ("", 0)
    raise SourceError(
        f"{where}: row {at}: {contract.name}.{name}: is empty in {n:,} rows, but required ({contract.column(name).meaning}); "
        f"fill it, or keep those rows out with 'keep:' or 'where:'{why}"
    )


#: Reasons that are none to worry: they do not stop the shop, however many rows they take.
UNPAID, FOOTER = "not paid and without a price", "footer that sums the rows above"
_QUIET = {
    UNPAID: "rows that were never paid and name no price or no quantity: no revenue",
    FOOTER: "rows below all others that give their sums",
}


def _unpaid(
    con: duckdb.DuckDBPyConnection, parts: Mapping[str, str], empty: Mapping[str, str], *, texts: Texts
) -> dict[str, str]:
    """SQL of the lines that name no price because nothing was sold: shop systems empty it when an order is cancelled."""
    tests = [empty[name] for name in ("unit_price", "quantity") if name in empty]
    if "status" not in parts or not tests:
        return {}
    unsaid = f"({' OR '.join(tests)})"
    seen = con.sql(f"SELECT DISTINCT {parts['status']} FROM {texts.raw} WHERE {unsaid}").fetchall()
    words = [word for (word,) in seen if word is not None and status_of(word) in {*STATUSES} - {PAID}]
    return {UNPAID: f"{unsaid} AND {parts['status']} IN ({', '.join(map(quote, words))})"} if words else {}


def _set_aside(
    con: duckdb.DuckDBPyConnection, reasons: Mapping[str, str], parts: Mapping[str, str], checks: Mapping[str, tuple[str, str, ColumnKind]], *,
    total: int, texts: Texts, contract: TableContract,
) -> str | None:  # fmt: skip
    """Count the rows that cannot be used, by reason, in rows and in money; a sentence if they are too many to go on."""
    assert texts.reading is not None
    worth = _worth(parts, contract)
    case = " ".join(f"WHEN {test} THEN {quote(reason)}" for reason, test in reasons.items())
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE _opslib_aside AS SELECT * FROM (SELECT {FILE} AS file, {ROW} AS place, CASE {case} END AS reason, "
        f"{worth} AS money FROM {texts.raw}) WHERE reason IS NOT NULL"
    )
    _name_footers(con, parts, checks, worth=worth, texts=texts, contract=contract)
    rows = con.sql(
        "SELECT reason, count(*), sum(money), count(*) - count(money), min(file || ': row ' || place) FROM _opslib_aside GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    broken = [row for row in rows if row[0] not in _QUIET]
    n_broken, lost = sum(row[1] for row in broken), sum(row[2] or 0 for row in broken)
    (whole,) = con.sql(f"SELECT coalesce(sum({worth}), 0) FROM {texts.raw}").fetchone() or (0,)
    is_much = lost > whole * Decimal(str(MOST_SHARE))
    if is_much or (n_broken > MOST_ROWS and n_broken > MOST_SHARE * total):
        listed = ", ".join(f"{reason} ({n:,})" for reason, n, *_ in broken)
        money = f", {float(lost / whole):.1%} of the money" if whole else ""
        return f"{n_broken:,} of {total:,} rows{money} cannot be used: {listed}"
    for reason, n, money, n_unknown, example in rows:
        rule = _QUIET.get(reason, "rows that cannot be used")
        texts.reading.set_aside.append(
            Accounted(
                source=texts.reading.source,
                table=None,
                reason=reason,
                rule=rule,
                n_rows=n,
                amount=money,
                example=example,
            )
        )
        if reason not in _QUIET:
            column, _, said = reason.partition(" ")
            severity = "error" if n_unknown and worth != "NULL" else "warning"
            rule = f"{said}: rows set aside" + (", their money is not known" if severity == "error" else "")
            texts.reading.violations.append(Violation(contract.name, column, rule, severity, n, n / total, example))  # type: ignore[arg-type]
    return None


_TOTAL = r"(?i)(grand )?(total|totals|summe|gesamt|gesamtsumme|somme|totale|suma|sum|subtotal)[ :]*"


def _worth(parts: Mapping[str, str], contract: TableContract) -> str:
    """SQL of the money in a row, as far as it can be read; NULL for tables without money."""
    if contract.name == "order_lines" and {"quantity", "unit_price"} <= {*parts}:
        return f"abs({parts['quantity']} * {parts['unit_price']})"
    return next((f"abs({parts[c.name]})" for c in contract.columns if c.kind == "money" and c.name in parts), "NULL")


def _name_footers(
    con: duckdb.DuckDBPyConnection, parts: Mapping[str, str], checks: Mapping[str, tuple[str, str, ColumnKind]], *, worth: str, texts: Texts,
    contract: TableContract,
) -> None:  # fmt: skip
    """Rows below all others whose numbers are sums of the rows above are a footer; a footer that does not add up is an error."""
    numbers = [
        ours
        for ours, (_, _, kind) in checks.items()
        if kind in ("money", "quantity", "number", "integer") and ours in parts
    ]
    words = (
        [identifier(column) for column in texts.reading.headers.get(texts.raw, {}).get("", ())] if texts.reading else []
    )
    words = words or [text for text, _, kind in checks.values()]
    good = f"NOT EXISTS (SELECT 1 FROM _opslib_aside AS a WHERE a.file = r.{FILE} AND a.place = r.{ROW})"
    sums = ", ".join([f"sum({parts[n]})" for n in numbers] + [f"sum({worth})", "count(*)", f"max({ROW})"])
    is_total = " OR ".join(f"regexp_full_match({text}, {quote(_TOTAL)})" for text in words)
    for (file,) in con.sql(
        "SELECT DISTINCT file FROM _opslib_aside WHERE reason LIKE '%is empty' ORDER BY 1"
    ).fetchall():
        *above, last = con.sql(
            f"SELECT {sums} FROM {texts.raw} AS r WHERE {FILE} = {quote(file)} AND {good}"
        ).fetchone() or (0,)
        cells = ", ".join(f"{parts[n]}" for n in numbers) or "NULL"
        below = con.sql(
            f"SELECT {ROW}, coalesce({is_total}, false), {cells} FROM {texts.raw} WHERE {FILE} = {quote(file)} AND {ROW} > {last or 0} "
            f"AND {ROW} IN (SELECT place FROM _opslib_aside WHERE file = {quote(file)} AND reason LIKE '%is empty') ORDER BY 1 LIMIT 20"
        ).fetchall()
        known = {round(float(value), 2) for value in above if value is not None}
        for place, is_named, *values in below:
            given = [round(float(value), 2) for value in values if value is not None]
            if given and all(value in known for value in given):
                money = next(
                    (v for n, v in zip(numbers, values, strict=True) if checks[n][2] == "money" and v is not None), None
                )
                con.execute(
                    "UPDATE _opslib_aside SET reason = ?, money = ? WHERE file = ? AND place = ?",
                    [FOOTER, money, file, place],
                )
            elif given and is_named:
                raise SourceError(
                    f"{file}: row {place}: the footer says {', '.join(f'{v:,.2f}' for v in given)}, and the rows above add up to "
                    f"{', '.join(f'{float(v):,.2f}' for v in above[:-1] if v is not None)}; export the whole file again, or remove the footer"
                )


def _has_remedy(con: duckdb.DuckDBPyConnection, check: tuple[str, str, ColumnKind], test: str, *, texts: Texts) -> bool:
    """Whether a value that cannot be read is one that a key of ``shop.yml`` would let be read: such rows are never set aside."""
    text, _, kind = check
    values = con.sql(f"SELECT DISTINCT {text} FROM {texts.raw} WHERE {test} LIMIT 200").fetchall()
    if kind in ("timestamp", "date", "boolean"):
        return False
    return any("write " in _complaint(str(value), kind, texts) for (value,) in values)


def _refuse_unread(
    con: duckdb.DuckDBPyConnection, ours: str, n: int, *, checks: Mapping[str, tuple[str, str, ColumnKind]], test: str, texts: Texts,
    contract: TableContract, why: str = "",
) -> None:  # fmt: skip
    text, _, kind = checks[ours]
    rows = con.sql(f"SELECT {FILE}, {ROW}, {text} FROM {texts.raw} WHERE {test} ORDER BY 1, 2 LIMIT 200").fetchall()
    told = ((where, at, _complaint(str(value), kind, texts)) for where, at, value in rows)
    where, at, said = next(
        (item for item in told if "write " in item[2]), (*rows[0][:2], _complaint(str(rows[0][2]), kind, texts))
    )
    others = f" ({n - 1:,} more like it)" if n > 1 else ""
    raise SourceError(f"{where}: row {at}: {contract.name}.{ours}: {said}{others}{why}")


def _complaint(value: str, kind: ColumnKind, texts: Texts) -> str:
    shown, dialect = f"'{value[:60]}'", texts.dialect
    if kind in ("timestamp", "date"):
        wanted = (
            f"does not fit date_format {dialect.date_format}"
            if dialect.date_format
            else "is not a date that can be read"
        )
        return f'{shown} {wanted}; write date_format in shop.yml, e.g. date_format: "%d.%m.%Y %H:%M", or mend the cell'
    if kind == "boolean":
        return f"{shown} is neither yes nor no; allowed: 1/0, true/false, yes/no"
    sign = next((s for s in sorted(SIGNS, key=len, reverse=True) if s in value), None) or next(
        iter(re.findall(r"\b[A-Z]{3}\b", value)), None
    )
    if sign and texts.currency and texts.currency not in SIGNS.get(sign, (sign,)) and re.search(r"\d", value):
        own = " or ".join(SIGNS.get(sign, (sign,)))
        return f"{shown} is money in {sign}, and the shop's currency is {texts.currency}; write currency: {own}, or keep such rows apart"
    bare = re.sub(r"[^\d.,+-]", "", value)
    if dialect.thousands is None and dialect.decimal == "." and re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", bare):
        return f'{shown} has a thousands separator; write thousands: "," in shop.yml'
    if dialect.thousands is None and dialect.decimal == "," and re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?", bare):
        return f'{shown} has a thousands separator; write thousands: "." in shop.yml'
    if dialect.decimal == "." and re.fullmatch(r"[+-]?[\d.]*,\d+", bare):
        return f'{shown} has a decimal comma; write decimal: "," for this table' + (
            ' and thousands: "."' if "." in bare else ""
        )
    if re.fullmatch(r"[+-]?[\d,]*\.\d+", bare) and dialect.decimal == ",":
        return f"{shown} has a decimal point, and decimal is ','; write decimal: \".\", or give this file a table of its own"
    wanted = "a whole number" if kind == "integer" else "a number"
    return f"{shown} is text where {wanted} is needed; mend the cell, or map another column"
