"""A first ``shop.yml`` for an export that somebody just has: what is recognised is filled in, the rest is asked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from opslib.contracts import CONTRACTS
from opslib.errors import ShopFileError, SourceError
from opslib.shop import adapters
from opslib.shop.root import project_root
from opslib.shop.sniff import files_in, header_of

_ENDINGS = (".csv", ".csv.gz", ".tsv", ".txt", ".xlsx", ".parquet", ".ndjson", ".jsonl")

#: Names that exports give to the columns of order lines, folded to letters and digits.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "order_id": "orderid order ordernumber orderno invoice invoiceno invoiceid transactionid bestellnummer",
        "line_id": "lineid line lineno linenumber position itemid orderlineid orderitemid",
        "customer_id": "customerid customer clientid userid buyerid accountid householdid kundennummer",
        "product_id": "productid product sku itemsku article articleid stockcode productcode artikelnummer",
        "ordered_at": "orderedat orderdate date datetime timestamp createdat created invoicedate purchasedate",
        "quantity": "quantity qty units count menge itemquantity",
        "unit_price": "unitprice price itemprice priceeach netprice stueckpreis einzelpreis",
        "discount_amount": "discountamount discount linediscount rabatt",
        "cost_amount": "costamount cost linecost",
        "tax_amount": "taxamount tax vat linetax mwst",
        "status": "status orderstatus financialstatus paymentstatus",
        "country": "country shippingcountry land",
        "channel": "channel saleschannel sourcechannel",
        "device": "device",
        "store": "store shop storeid filiale",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A ``shop.yml`` to be, and what its owner still has to say.

    Parameters
    ----------
    text : str
        YAML.
    to_do : tuple of str
        Sentences, one a gap.
    """

    text: str
    to_do: tuple[str, ...]


def draft_shop_file(name: str, source: Path, *, title: str = "", currency: str = "", time_zone: str = "") -> Draft:
    """Describe an export as far as its header tells.

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
    to_do = []
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
    if not currency:
        to_do.append(f"currency: {facts['currency']} is assumed; correct it if the shop sells in another")
    if not time_zone:
        to_do.append(f"time_zone: {facts['time_zone']} is assumed; days begin and end there")
    if adapter:
        to_do.insert(0, f"recognised as {adapter.NAME}: nothing else is needed")
        body: dict = {**facts, "adapter": adapter.NAME, "files": _from_root(source)}
    else:
        table, questions = _mapped(source)
        to_do += questions
        body = {**facts, "prices_include_tax": False, "tables": {"order_lines": table}}
    head = f"# {facts['title']}: drafted by `opslib shop init`; every key is explained in data/shops/demo.yml.\n"
    return Draft(head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True), tuple(to_do))


def _from_root(path: Path) -> str:
    """A path as seen from the project, so that the description holds on another machine."""
    return os.path.relpath(path.resolve(), project_root())


def _mapped(source: Path) -> tuple[dict, list[str]]:
    """A column map of the export's header, and questions about what is missing or left over."""
    files = files_in(source, _ENDINGS)
    header = header_of(files[0]) if files else []
    if not header:
        raise SourceError(f"{source}: no csv, xlsx, Parquet or NDJSON file with a header was found there")
    folded = {re.sub(r"[^a-z0-9]", "", column.lower()): column for column in header}
    columns: dict[str, str] = {}
    for ours, theirs in _SYNONYMS.items():
        match = next((folded[word] for word in theirs if word in folded), None)
        if match is not None and match not in columns.values():
            columns[ours] = match
    contract = CONTRACTS["order_lines"]
    questions = [
        f"tables.order_lines.columns.{name}: which column holds {contract.column(name).meaning}? "
        f"(one of {', '.join(c for c in header if c not in columns.values())})"
        for name in contract.required
        if name not in columns
    ]
    left = [column for column in header if column not in columns.values()]
    if left:
        questions.append(f"not used: {', '.join(left)}")
    questions.append(
        "check decimal, date_format and encoding under tables.order_lines if the check finds unreadable values"
    )
    files_text = _from_root(source) if source.is_file() else f"{_from_root(source)}/*{''.join(files[0].suffixes)}"
    for name in contract.required:
        columns.setdefault(name, "WHICH_COLUMN")
    return {"files": files_text, "columns": columns}, questions
