"""A first ``shop.yml`` for an export that somebody just has: what is recognised is filled in, the rest is asked."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml

from opslib.contracts import CONTRACTS
from opslib.errors import ShopFileError, SourceError
from opslib.shop import adapters
from opslib.shop.adapters.columns import DATE_FAMILIES, SIGNS
from opslib.shop.adapters.export import Reading, identifier, quote
from opslib.shop.adapters.reading import KINDS, file_kind, load_raw, require_encoding
from opslib.shop.root import project_root
from opslib.shop.shopfile import TO_ANSWER, Dialect

#: Rows of each table that are shown, and bytes of a text file that are looked at.
SHOWN, LOOKED_AT = 20, 20_000_000

#: Names that exports give to columns, folded to letters and digits, by table; a column of any table by its own name.
_SYNONYMS: dict[str, dict[str, str]] = {
    "order_lines": {
        "order_id": "orderid id order ordernumber orderno invoice invoiceno invoiceid transactionid bestellnummer bestellnr beleg belegnummer "
        "auftragsnummer auftragsnr amazonorderid rechnungsnummer",
        "line_id": "lineid line lineno linenumber position pos itemid orderlineid orderitemid",
        "customer_id": "customerid customer clientid client userid buyerid buyer accountid householdid kundennummer kundennr kunde",
        "product_id": "productid product sku itemsku article articleid stockcode productcode artikelnummer artikelnr artikel",
        "ordered_at": "orderedat orderdate date datetime timestamp createdat created invoicedate purchasedate saledate datum bestelldatum auftragsdatum erstelltam when",
        "quantity": "quantity qty units count menge itemquantity anzahl stueck",
        "unit_price": "unitprice priceeach lineitemprice netprice stueckpreis einzelpreis vkbrutto vknetto verkaufspreis",
        "discount_amount": "discountamount discount linediscount rabatt itempromotiondiscount",
        "cost_amount": "costamount cost linecost",
        "tax_amount": "taxamount tax vat linetax mwst itemtax",
        "status": "status orderstatus financialstatus paymentstatus zustand",
        "country": "country shippingcountry shipcountry land",
        "channel": "channel saleschannel sourcechannel kanal",
        "store": "store shop storeid filiale",
    },
    "returns": {
        "return_id": "returnid retourennummer retourennr ruecksendung gutschriftnummer", "order_id": "orderid bestellnummer bestellnr auftragsnummer beleg",
        "product_id": "productid sku artikelnummer artikelnr artikel", "returned_at": "returnedat returndate date datum retourendatum erstelltam",
        "quantity": "quantity qty menge anzahl", "refund_amount": "refundamount refund erstattung betrag betragbrutto", "reason": "reason grund",
    },
    "products": {
        "product_id": "productid sku artikelnummer artikelnr nummer artikel", "name": "name title productname bezeichnung artikelname", "category": "category warengruppe kategorie",
        "brand": "brand vendor marke", "supplier": "supplier lieferant", "price": "price listprice vk preis", "cost": "cost ek einkaufspreis",
    },
    "customers": {"customer_id": "customerid kundennummer kundennr kunde", "first_seen_at": "firstseenat createdat registered seit", "country": "country land"},
    "sessions": {
        "session_id": "sessionid visitid besuch", "visitor_id": "visitorid besucher", "customer_id": "customerid kundennummer", "started_at": "startedat start timestamp "
        "date beginn datum", "source": "source quelle", "medium": "medium", "campaign": "campaign kampagne", "device": "device geraet", "country": "country land",
        "landing_page": "landingpage einstiegsseite",
    },
    "searches": {
        "search_id": "searchid suche", "session_id": "sessionid besuch", "searched_at": "searchedat timestamp date datum zeit", "query": "query searchterm suchbegriff begriff",
        "n_results": "nresults results treffer",
    },
    "reviews": {
        "review_id": "reviewid bewertung", "product_id": "productid sku artikelnummer artikelnr artikel", "written_at": "writtenat date datum",
        "rating": "rating stars sterne", "title": "title titel", "text": "text comment kommentar",
    },
    "stock_levels": {"product_id": "productid sku artikelnummer artikelnr artikel", "date": "date datum", "n_on_hand": "nonhand stock bestand"},
    "ad_spend": {"date": "date datum", "channel": "channel kanal", "campaign": "campaign kampagne", "cost_amount": "cost costamount spend kosten"},
}  # fmt: skip
#: Prices that are of one unit in some exports and of the whole line in others: never taken without a look at the values.
_PRICES = "price preis itemprice amount betrag linetotal total summe itemtotal grosssales umsatz vk".split()
_STATUSES = {
    "paid": "paid bezahlt paye pagado completed complete shipped versendet", "pending": "pending offen open", "cancelled": "cancelled canceled storniert",
    "voided": "voided failed", "test": "test",
}  # fmt: skip
#: Ids for which the row's number may stand.
_NUMBERED = ("return_id", "review_id", "search_id")
#: Columns of which one must be there: a date alone makes no return.
_TELLS = {"returns": ("return_id", "refund_amount", "reason"), "reviews": ("rating",), "searches": ("query",)}
_FILE_WORDS = {
    "returns": "return retour refund gutschrift korrektur", "products": "product artikel stamm", "customers": "customer kunde", "reviews": "review bewertung",
    "sessions": "session besuch visit", "searches": "search such", "stock_levels": "stock bestand lager", "ad_spend": "spend werbung ads", "order_lines": "order bestell sales",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """A ``shop.yml`` to be, and what its owner still has to say.

    Parameters
    ----------
    text : str
        YAML.
    to_do : tuple of str
        Sentences, one a gap.
    queries : dict of str to str
        SQL files that the description names, by file name.
    shown : dict of str to list
        First rows of each file group as they were read: the names of the columns, then the cells.
    """

    text: str
    to_do: tuple[str, ...]
    queries: dict[str, str] = field(default_factory=dict)
    shown: dict[str, list[list[str]]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Group:
    """Files of one header, loaded as texts into a table, and what their columns look like."""

    files: list[Path]
    raw: str
    header: list[str]
    keys: dict[str, Any]
    table: str = ""
    columns: dict[str, Any] = field(default_factory=dict)


def draft_shop_file(name: str, source: Path, *, title: str = "", currency: str = "", time_zone: str = "") -> Draft:
    """Describe an export as far as its headers and values tell.

    Parameters
    ----------
    name : str
        Short name of the shop.
    source : Path
        File or folder.
    title, currency, time_zone : str
        Known facts; an adapter's defaults or a question stand in for what is not given.

    Returns
    -------
    Draft

    Raises
    ------
    SourceError
        If there is no such file or folder, or nothing in it can be read.
    ShopFileError
        If the name is not usable.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ShopFileError(f"shop name '{name}': use small letters, digits, _ and - only, e.g. my_shop")
    if not source.exists():
        raise SourceError(f"{source}: there is no such file or folder")
    to_do: list[str] = []
    try:
        adapter = adapters.detect(source)
    except SourceError:
        adapter = None
    facts = {
        "name": name,
        "title": title or (adapter.TITLE if adapter else name.replace("_", " ").title()),
        "currency": currency or (adapter.CURRENCY if adapter else "EUR"),
        "time_zone": time_zone or (adapter.TIME_ZONE if adapter else "UTC"),
    }
    queries: dict[str, str] = {}
    shown: dict[str, list[list[str]]] = {}
    with duckdb.connect() as con, tempfile.TemporaryDirectory(prefix="opslib-init-") as scratch:
        if adapter:
            to_do.append(f"recognised as {adapter.NAME}: nothing else is needed")
            body: dict[str, Any] = {**facts, "adapter": adapter.NAME, "files": _from_root(source)}
        else:
            groups = _groups(con, source, Path(scratch), to_do)
            seen = _currency_of(con, groups)
            facts["currency"] = currency or seen or "EUR"
            tables = _tables(con, groups, to_do, queries, name=name)
            body = {**facts, "prices_include_tax": False, "tables": tables}
            shown = {group.files[0].name: _rows(con, group) for group in groups}
            if any(
                "unit_price" in t.get("columns", {}) or "line_amount" in t.get("columns", {}) or "sql" in t
                for t in tables.values()
            ):
                to_do.append("prices_include_tax: false is assumed; write true if prices carry tax")
    if not currency:
        how = "is what the files say" if not adapter and seen else "is assumed; correct it if the shop sells in another"
        to_do.append(f"currency: {facts['currency']} {how}")
    if not time_zone:
        to_do.append(
            f"time_zone: {facts['time_zone']} is assumed; days begin and end there, and times without an offset are taken as local to it"
        )
    head = f"# {facts['title']}: drafted by `opslib shop init`; every key is explained in data/shops/examples/columns.yml.\n"
    return Draft(head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True), tuple(to_do), queries, shown)


def _from_root(path: Path) -> str:
    """A path as seen from the project, so that the description holds on another machine."""
    return os.path.relpath(path.resolve(), project_root())


def _fold(name: str) -> str:
    plain = name.lower().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
    return re.sub(r"[^a-z0-9]", "", plain)


def _groups(con: duckdb.DuckDBPyConnection, source: Path, scratch: Path, to_do: list[str]) -> list[_Group]:
    """Every file that can be read, together with those of the same header."""
    files = (
        [source]
        if source.is_file()
        else sorted(p for p in source.glob("*") if p.is_file() and p.name.lower().endswith(KINDS))
    )
    groups: dict[tuple[str, ...], _Group] = {}
    for n, path in enumerate(files):
        keys: dict[str, Any] = {}
        if file_kind(path) == "csv":
            try:
                require_encoding(path, None)
            except SourceError:
                keys["encoding"] = "cp1252"
        reading = Reading(con=con, files=[path], time_zone="UTC", currency="", dialect=Dialect(**keys), is_opened=True)
        try:
            header = load_raw(reading, [_start_of(path, scratch / str(n))], name=f"raw_{n}")
        except SourceError as error:
            to_do.append(f"not described, since it cannot be read: {error}")
            continue
        kind = (*header, file_kind(path))
        if kind in groups:
            groups[kind].files.append(path)
            groups[kind].keys |= keys
        else:
            groups[kind] = _Group(files=[path], raw=f"raw_{n}", header=header, keys=keys)
    if not groups:
        raise SourceError(
            f"{source}: no csv, xlsx, Parquet or NDJSON file with a header was found there{''.join(f'; {said}' for said in to_do)}"
        )
    for group in groups.values():
        group.keys |= _numbers(con, group)
    return list(groups.values())


def _start_of(path: Path, folder: Path) -> Path:
    """The file itself, or whole lines of its start where it is large text."""
    if path.stat().st_size <= LOOKED_AT or not path.name.lower().endswith(
        (".csv", ".tsv", ".txt", ".ndjson", ".jsonl")
    ):
        return path
    folder.mkdir(parents=True)
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    (folder / path.name).write_bytes(start[: start.rindex(b"\n") + 1])
    return folder / path.name


def _numbers(con: duckdb.DuckDBPyConnection, group: _Group) -> dict[str, str]:
    """``decimal`` and ``thousands`` as the cells are written; nothing where the defaults hold."""
    bare = {c: f"regexp_replace({identifier(c)}, '[^0-9.,]', '', 'g')" for c in group.header}
    is_money = {
        c: f"regexp_full_match({identifier(c)}, '[^0-9a-zA-Z]{{0,3}}[0-9][0-9., ]*[^0-9a-zA-Z]{{0,3}}')"
        for c in group.header
    }
    comma, point = r"(\d{1,3}(\.\d{3})+|\d+),\d{1,2}", r"(\d{1,3}(,\d{3})+|\d+)\.\d{1,2}"

    def counted(pattern: str) -> int:
        tests = " + ".join(
            f"count(*) FILTER ({is_money[c]} AND regexp_full_match({bare[c]}, {quote(pattern)}))" for c in group.header
        )
        return int((con.sql(f"SELECT {tests} FROM {group.raw}").fetchone() or (0,))[0])

    is_comma = counted(comma) > counted(point)
    grouped = counted(r"\d{1,3}(\.\d{3})+,\d{1,2}" if is_comma else r"\d{1,3}(,\d{3})+\.\d{1,2}")
    return {**({"decimal": ","} if is_comma else {}), **({"thousands": "." if is_comma else ","} if grouped else {})}


def _currency_of(con: duckdb.DuckDBPyConnection, groups: list[_Group]) -> str:
    """The one currency that a column of codes names, or that a sign stands for alone; empty if none or several."""
    found: set[str] = set()
    for group in groups:
        for column in group.header:
            if "currency" in _fold(column) or _fold(column) in ("waehrung", "devise"):
                codes = con.sql(
                    f"SELECT DISTINCT upper({identifier(column)}) FROM {group.raw} WHERE {identifier(column)} IS NOT NULL LIMIT 9"
                ).fetchall()
                found |= {code for (code,) in codes if re.fullmatch("[A-Z]{3}", code)}
            for sign, used in SIGNS.items():
                pattern = rf"-?{re.escape(sign)} ?-?\d[\d.,]*|-?\d[\d., ]*\s?{re.escape(sign)}"
                if (
                    len(used) == 1
                    and con.sql(
                        f"SELECT 1 FROM {group.raw} WHERE regexp_full_match({identifier(column)}, {quote(pattern)}) LIMIT 1"
                    ).fetchone()
                ):
                    found |= set(used)
    return found.pop() if len(found) == 1 else ""


def _matched(group: _Group, table: str) -> dict[str, str]:
    """Our column -> theirs, by name."""
    folded = {_fold(column): column for column in group.header}
    columns: dict[str, str] = {}
    for ours in CONTRACTS[table].names:
        words = [_fold(ours), *_SYNONYMS.get(table, {}).get(ours, "").split()]
        match = next((folded[word] for word in words if word in folded), None)
        if match is not None and match not in columns.values():
            columns[ours] = match
    return columns


def _tables(
    con: duckdb.DuckDBPyConnection, groups: list[_Group], to_do: list[str], queries: dict[str, str], *, name: str
) -> dict[str, Any]:
    """A table for each group of files, and the questions that stay open."""
    for group in groups:
        group.table = _table_of(group)
        group.columns = dict(_matched(group, group.table))
    tables: dict[str, Any] = {}
    joined = _joined(con, groups, to_do, queries, name=name)
    if joined:
        tables["order_lines"] = joined
    for group in groups:
        names, table = ", ".join(path.name for path in group.files[:3]), group.table
        if table in tables:
            if not joined or table != "order_lines":
                to_do.append(
                    f"{names}: looks like {table} as well, and is not described; join the files with sql:, or describe it as another table"
                )
            continue
        to_do.append(f"{names}: taken as {table} ({len(group.header)} columns)")
        files = [_from_root(path) for path in group.files]
        tables[table] = {"files": files[0] if len(files) == 1 else files, **group.keys, "columns": group.columns}
        _ask(con, group, to_do)
    return tables


def _table_of(group: _Group) -> str:
    """The table whose columns the header names best; the file's name decides between equals."""

    def fit(table: str) -> tuple[float, int]:
        found = _matched(group, table)
        needed = [name for name in CONTRACTS[table].required if name not in _NUMBERED]
        priced = {"unit_price"} if any(_fold(c) in _PRICES for c in group.header) else set()
        named = any(word in group.files[0].name.lower() for word in _FILE_WORDS.get(table, "").split())
        tells = _TELLS.get(table, ())
        n_told = sum(name in found or name in priced for name in needed) + any(name in found for name in tells)
        share = n_told / (len(needed) + bool(tells))
        return (share + 0.5 * len(found) / len(group.header) + 0.3 * named, -list(_SYNONYMS).index(table))

    tables = [table for table in _SYNONYMS if table not in ("customers", "products") or not _names_orders(group)]
    return max(tables, key=fit)


def _names_orders(group: _Group) -> bool:
    """Whether rows have the number of an order and its date or pieces: then they are no list of customers or products."""
    found = _matched(group, "order_lines")
    return _fold(found.get("order_id", "id")) != "id" and bool({"ordered_at", "quantity"} & {*found})


def _ask(con: duckdb.DuckDBPyConnection, group: _Group, to_do: list[str]) -> None:
    """Fill in what the values tell, and ask for the rest."""
    table, contract, columns = group.table, CONTRACTS[group.table], group.columns
    if table == "order_lines" and "unit_price" not in columns:
        _price(con, group, to_do)
    used = {c["from"] if isinstance(c, dict) else c for c in columns.values()}
    left = [column for column in group.header if column not in used]
    for name in contract.required:
        if name in columns or (name == "unit_price" and "line_amount" in columns):
            continue
        if name in _NUMBERED:
            columns[name] = {"row": True}
            to_do.append(
                f"tables.{table}.columns.{name}: no column names {contract.column(name).meaning}; the row's number stands for it"
            )
            continue
        to_do.append(
            f"tables.{table}.columns.{name}: which column holds {contract.column(name).meaning}? (one of {', '.join(left)})"
        )
        columns[name] = TO_ANSWER[0]
    if table == "order_lines" and columns["product_id"] == columns["quantity"] == TO_ANSWER[0]:
        to_do.append(
            'a list of orders without lines? then write product_id: {value: "not known"} and quantity: {value: "1"}, and the order\'s total as unit_price'
        )
    if "status" in columns and contract.column("status").allowed:
        cell = identifier(columns["status"])
        words = {word: ours for ours, many in _STATUSES.items() for word in many.split()}
        seen = [
            v
            for (v,) in con.sql(
                f"SELECT DISTINCT {cell} FROM {group.raw} WHERE {cell} IS NOT NULL ORDER BY 1 LIMIT 30"
            ).fetchall()
        ]
        columns["status"] = {
            "from": columns["status"],
            "values": {v: words.get(v.lower(), "WHICH_STATUS") for v in seen},
        }
        if unknown := [v for v in seen if v.lower() not in words]:
            to_do.append(
                f"tables.{table}.columns.status: what is {', '.join(unknown)}? (one of {', '.join(contract.column('status').allowed)})"
            )
    _ask_dates(con, group, to_do)
    if "quantity" in columns and isinstance(columns["quantity"], str) and columns["quantity"] != TO_ANSWER[0]:
        cell = identifier(columns["quantity"])
        (n,) = con.sql(f"SELECT count(*) FROM {group.raw} WHERE {cell} LIKE '-%'").fetchone() or (0,)
        if n:
            to_do.append(
                f'tables.{table}: {n:,} rows have a negative {columns["quantity"]}; if they are returns, write where: "quantity > 0" here and describe a table '
                'returns of the same files with where: "quantity < 0"'
            )
    if left := [column for column in left if column not in columns.values()]:
        to_do.append(f"not used: {', '.join(left)}")


def _price(con: duckdb.DuckDBPyConnection, group: _Group, to_do: list[str]) -> None:
    """Unit price or total of the line: told by the values where a product was sold in different quantities, else asked."""
    theirs = next((column for word in _PRICES for column in group.header if _fold(column) == word), None)
    if theirs is None or not {"product_id", "quantity"} <= {*group.columns}:
        return
    point = group.keys.get("decimal", ".")
    number = "TRY_CAST(replace(regexp_replace({}, '[^0-9" + point + "-]', '', 'g'), '" + point + "', '.') AS DOUBLE)"
    price, units = number.format(identifier(theirs)), number.format(identifier(group.columns["quantity"]))
    each, of_line, n = con.sql(
        f"WITH r AS (SELECT {identifier(group.columns['product_id'])} AS k, abs({units}) AS q, abs({price}) AS p FROM {group.raw}), "
        "s AS (SELECT stddev(p) / avg(p) AS each, stddev(p / q) / avg(p / q) AS line FROM r WHERE q > 0 AND p > 0 GROUP BY k HAVING count(DISTINCT q) > 1) "
        "SELECT median(each), median(line), (SELECT count(*) FROM r WHERE q != 1) FROM s"
    ).fetchone() or (None, None, 0)  # fmt: skip
    is_told = each is not None and of_line is not None and (each + 0.02 < of_line / 2 or of_line + 0.02 < each / 2)
    if not n or (is_told and each < of_line):
        group.columns["unit_price"] = theirs
        return
    if is_told:
        group.columns["line_amount"] = {
            "from": theirs,
            **({"after_discount": False} if "discount_amount" in group.columns else {}),
        }
        to_do.append(
            f"tables.order_lines.columns.line_amount: {theirs} grows with the quantity, so it is taken as the total of the line; after_discount: true if the discount is off"
        )
        return
    group.columns["unit_price"] = TO_ANSWER[1]
    to_do.append(
        f"tables.order_lines.columns: is {theirs} the price of one unit (write unit_price: {theirs}) or the total of the line (write line_amount: {theirs})?"
    )


def _ask_dates(con: duckdb.DuckDBPyConnection, group: _Group, to_do: list[str]) -> None:
    """Ask for the notation of a date that can be read two ways."""
    contract = CONTRACTS[group.table]
    for ours, theirs in group.columns.items():
        if (
            ours not in contract.names
            or contract.column(ours).kind not in ("timestamp", "date")
            or theirs not in group.header
        ):
            continue
        cell = identifier(str(theirs))
        reads = [
            name
            for name, formats in DATE_FAMILIES.items()
            if not (
                con.sql(
                    f"SELECT 1 FROM {group.raw} WHERE {cell} IS NOT NULL AND coalesce({', '.join(_tried(cell, f) for f in formats)}) IS NULL LIMIT 1"
                ).fetchone()
            )
        ]
        if len(reads) > 1:
            to_do.append(
                f'tables.{group.table}: {theirs} can be read as {" and as ".join(reads)}; write date_format, e.g. date_format: "{DATE_FAMILIES[reads[0]][0]}"'
            )


def _tried(cell: str, form: str) -> str:
    return f"CASE WHEN regexp_matches({cell}, '\\d{{4}}') = {'true' if '%Y' in form else 'false'} THEN try_strptime({cell}, {quote(form)}) END"


def _joined(
    con: duckdb.DuckDBPyConnection, groups: list[_Group], to_do: list[str], queries: dict[str, str], *, name: str
) -> dict[str, Any] | None:
    """Order lines from a file of orders and a file of lines, joined by SQL where the order's id is unique in the first."""
    needed = ("product_id", "quantity", "unit_price")
    for lines in groups:
        have = _matched(lines, "order_lines")
        if not {"order_id", *needed} <= {*have} or "ordered_at" in have:
            continue
        for heads in groups:
            own = _matched(heads, "order_lines")
            if heads is lines or not {"order_id", "ordered_at"} <= {*own}:
                continue
            key = identifier(own["order_id"])
            (twice,) = con.sql(f"SELECT count(*) - count(DISTINCT {key}) FROM {heads.raw}").fetchone() or (1,)
            if twice:
                to_do.append(
                    f"{heads.files[0].name} repeats {own['order_id']}: not joined with {lines.files[0].name}, since lines would be counted more than once"
                )
                continue
            point = lines.keys.get("decimal", ".")
            number = (lambda c: f"replace({c}, ',', '.')") if point == "," else (lambda c: c)
            columns = [
                f"h.{identifier(theirs)} AS {ours}"
                for ours, theirs in own.items()
                if ours in ("order_id", "customer_id", "ordered_at", "status", "country", "channel")
            ]
            columns += [
                f"{number('l.' + identifier(theirs)) if ours in ('quantity', 'unit_price', 'discount_amount', 'tax_amount') else 'l.' + identifier(theirs)} AS {ours}"
                for ours, theirs in have.items() if ours not in own
            ]  # fmt: skip
            text = (
                "-- Order lines: each line with its order. A line without an order is kept and stops the check: ordered_at is empty.\nSELECT\n    "
                + ",\n    ".join(columns)
                + f"\nFROM lines AS l LEFT JOIN heads AS h ON l.{identifier(have['order_id'])} = h.{key}\n"
            )
            file = f"{name}_order_lines.sql"
            queries[file] = text
            heads.table = lines.table = "order_lines"
            to_do.append(
                f"order_lines: {file} joins {lines.files[0].name} with {heads.files[0].name}, where {own['order_id']} is unique"
            )
            many = [_from_root(p) for p in lines.files], [_from_root(p) for p in heads.files]
            return {
                "sql": file, "files": {"lines": many[0], "heads": many[1]}, **{k: v for k, v in lines.keys.items() if k == "encoding"},
                "reconcile": [{"source": "select count(*) from lines", "table": "rows"}],
            }  # fmt: skip
    return None


def _rows(con: duckdb.DuckDBPyConnection, group: _Group) -> list[list[str]]:
    names = ", ".join(identifier(column) for column in group.header)
    rows = con.sql(f"SELECT {names} FROM {group.raw} ORDER BY _row LIMIT {SHOWN}").fetchall()
    return [group.header, *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
