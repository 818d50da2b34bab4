"""Order lines before anybody counts them: statuses known, tax known, and what came back apart from what was sold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends import BaseBackend

from opslib.contracts import Violation
from opslib.engine import collect
from opslib.errors import ContractError
from opslib.metrics.blocks import PAID, money, paid, returned_lines
from opslib.metrics.statuses import require_known
from opslib.shop.adapters.export import Accounted, Extract, Reading, finding, quote
from opslib.shop.shopfile import NOT_KNOWN

#: Reason of rows that left the order lines for the returns.
CAME_BACK = "came back"
_BACK = "a quantity below 0: goods or money that flowed back, as returns"
_NEVER = "a quantity below 0 in an order that was never paid: nothing flowed back"


def require_sound(lines: ir.Table, *, prices_include_tax: bool | None) -> int:
    """Refuse order lines whose revenue would be wrong in silence.

    Parameters
    ----------
    lines : ibis.Table
        With derived columns.
    prices_include_tax : bool or None
        What the shop says of its prices.

    Returns
    -------
    int
        Number of rows with a quantity below 0.

    Raises
    ------
    ContractError
        A status that is not known, or prices with tax in lines that do not say how much.
    """
    is_back = (lines["quantity"] < 0).fill_null(False)
    measures: dict[str, ir.Scalar] = {"n": lines.count(), "n_back": is_back.ifelse(1, 0).sum()}
    if prices_include_tax:
        gross = lines["quantity"] * lines["unit_price"] - lines["discount_amount"]
        is_gross = (lines["revenue_amount"] != 0) & ((lines["revenue_amount"] - gross).abs().cast("float64") < 0.00005)
        is_silent = is_gross & lines["tax_amount"].isnull() if "tax_amount" in lines.columns else is_gross
        measures["n_silent"] = is_silent.fill_null(False).ifelse(1, 0).sum()
    rows = collect(lines.group_by("status").aggregate(**measures).order_by("status")).set_index("status")
    require_known((str(status), int(n)) for status, n in (rows["n"] - rows["n_back"]).items() if n)
    n_silent = int(rows["n_silent"].get(PAID, 0)) if prices_include_tax else 0
    if n_silent:
        raise ContractError(
            f"order_lines: prices carry tax (prices_include_tax: true), and {n_silent:,} of {int(rows['n'][PAID]):,} paid lines say no "
            "tax, so that revenue would be counted with it; write tax_rate: 0.19 in shop.yml (or tax_rate: {country: {DE: 0.19, "
            "AT: 0.20}}), map tax_amount, or write prices_include_tax: false if prices are without tax"
        )
    return int(rows["n_back"].sum())


def apart(tables: Mapping[str, ir.Table]) -> dict[str, ir.Table]:
    """Tables of an engine in which what came back stands in ``returns``, computed on the fly."""
    lines = tables["order_lines"]
    back = returned_lines(lines)
    if "returns" in tables:
        known = tables["returns"]
        added = {name: ibis.null(kind) for name, kind in known.schema().items() if name not in back.columns}
        missing = {name: ibis.null(kind) for name, kind in back.schema().items() if name not in known.columns}
        whole = known.mutate(**missing)
        back = whole.union(back.mutate(**added).select(*whole.columns).cast(dict(whole.schema().items())))
    return {**tables, "order_lines": lines.filter(lines["quantity"].fill_null(0) >= 0), "returns": back}


def settle(backend: BaseBackend, folder: Path, *, extract: Extract, reading: Reading) -> Extract:
    """Check the order lines that were just written, and take out of them what came back.

    Parameters
    ----------
    backend : ibis backend
        DuckDB.
    folder : Path
        Holds ``order_lines.parquet``, which is written again if goods came back.
    extract : Extract
        What it was written from.
    reading : Reading
        Says how prices are meant.

    Returns
    -------
    Extract
        With those rows in ``returns``, and counted.

    Raises
    ------
    ContractError
        See `require_sound`.
    """
    con, path = reading.con, folder / "order_lines.parquet"
    con.execute(f"CREATE OR REPLACE TEMP VIEW _opslib_written AS SELECT * FROM read_parquet({quote(str(path))})")
    lines = backend.table("_opslib_written", database=("temp", "main"))
    n_back = require_sound(lines, prices_include_tax=reading.prices_include_tax)
    violations = [*extract.violations, *_unsaid(extract, reading), *_without_lines(reading)]
    if reading.prices_include_tax and "returns" in reading.options.get("tables", {}):
        con.execute(f"CREATE OR REPLACE TEMP TABLE _opslib_returns AS {extract.tables['returns']}")
        returns = backend.table("_opslib_returns", database=("temp", "main"))
        if "refund_amount" in returns.columns:
            query = backend.compile(refunds_without_tax(returns, lines))
            extract = replace(extract, tables={**extract.tables, "returns": query})
            counted = "SELECT count(refund_amount), count(*), min(return_id) FROM _opslib_returns"
            rule = "refunds carry tax as prices do: it comes off at the rate of what was bought"
            violations += finding(con, counted, table="returns", column="refund_amount", rule=rule, severity="note")
    if not n_back:
        return replace(extract, violations=tuple(violations))
    con.execute(f"CREATE OR REPLACE TEMP TABLE _opslib_back AS {backend.compile(returned_lines(lines))}")
    if "returns" in extract.tables:
        _require_once(reading, extract.tables["returns"])
    accounting = _recounted(reading, extract.accounting)
    unlinked = "SELECT count(*) FILTER (order_id IS NULL), count(*), min(return_id) FILTER (order_id IS NULL) FROM _opslib_back"
    rule = "comes back of an order that is not known: its money counts, its customer does not"
    violations += finding(con, unlinked, table="returns", column="order_id", rule=rule, severity="warning")
    beside = folder / "sold.parquet"
    con.execute(
        f"COPY (SELECT * FROM _opslib_written WHERE quantity >= 0) TO {quote(str(beside))} (FORMAT parquet, COMPRESSION zstd)"
    )
    beside.replace(path)
    tables = dict(extract.tables)
    if any(item.reason == CAME_BACK for item in accounting):
        back = "SELECT * FROM _opslib_back"
        tables["returns"] = (
            f"SELECT * FROM ({tables['returns']}) UNION ALL BY NAME {back}" if "returns" in tables else back
        )
    return replace(extract, tables=tables, accounting=accounting, violations=tuple(violations))


def refunds_without_tax(returns: ir.Table, lines: ir.Table) -> ir.Table:
    """Refunds as revenue is counted: without tax.

    Parameters
    ----------
    returns : ibis.Table
        With ``refund_amount`` that carries tax.
    lines : ibis.Table
        Order lines with derived columns, whose prices carry tax.

    Returns
    -------
    ibis.Table
        As given. The rate is that of the order's lines of this product, else of the order, else of all paid lines.
    """
    sold = paid(lines)
    sold = sold.mutate(gross=sold["quantity"] * sold["unit_price"] - sold["discount_amount"])
    sold = sold.filter((sold["gross"] > 0) & (sold["quantity"] > 0))
    net = {"net": sold["revenue_amount"].sum(), "gross": sold["gross"].sum()}
    columns, rates = returns.columns, list[str]()
    for place, keys in enumerate((("order_id", "product_id"), ("order_id",), ())):
        if not {*keys} <= {*columns}:
            continue
        known = sold.group_by(keys).aggregate(**net) if keys else sold.aggregate(**net)
        named = {f"{key}_{place}": known[key] for key in keys}
        known = known.select(
            **named, **{f"rate_{place}": known["net"].cast("float64") / known["gross"].cast("float64")}
        )
        on = [returns[key] == known[f"{key}_{place}"] for key in keys]
        returns = returns.left_join(known, on) if keys else returns.cross_join(known)
        rates.append(f"rate_{place}")
    rate = ibis.coalesce(*[returns[name] for name in rates], 1.0)
    refund = money(returns["refund_amount"].cast("float64") * rate)
    return returns.mutate(refund_amount=refund).select(*columns)


def _require_once(reading: Reading, returns: str) -> None:
    """Refuse what came back in the order lines if the shop's own returns tell it too: it would be taken off twice."""
    found = {row[0] for row in reading.con.sql(f"DESCRIBE {returns}").fetchall()}
    same = [f"r.{name} = b.{name}" for name in ("product_id", "quantity", "refund_amount") if name in found]
    where = " OR ".join(f"r.{name} = b.{name}" for name in ("returned_at", "order_id") if name in found)
    query = f"FROM _opslib_back AS b JOIN ({returns}) AS r ON {' AND '.join([*same, f'({where})'])}"
    n, example = reading.con.sql(f"SELECT count(DISTINCT b.return_id), min(b.return_id) {query}").fetchone() or (0, "")
    if n and len(same) > 1:
        raise ContractError(
            f"returns: {n:,} of them, e.g. {example}, stand in the order lines too, with a quantity below 0, and would be taken off twice; "
            "keep them out of one: where: quantity > 0 under order_lines, or leave returns out (of an adapter's export: export it "
            "without refunds as rows)"
        )


def known_amounts(path: Path, *, extract: Extract, reading: Reading) -> Extract:
    """Take a column out of the returns that some rows lack: a sum over it would take what is not known for 0.

    Parameters
    ----------
    path : Path
        Parquet file of returns, written again if need be.
    extract : Extract
        What it was written from.
    reading : Reading
        Its connection.

    Returns
    -------
    Extract
        Saying so.
    """
    con, scan = reading.con, f"read_parquet({quote(str(path))})"
    found = [row[0] for row in con.sql(f"DESCRIBE SELECT * FROM {scan}").fetchall()]
    said: list[Violation] = []
    for column, what in (("quantity", "units"), ("refund_amount", "money")):
        if column in found:
            query = f"SELECT count(*) FILTER ({column} IS NULL), count(*), min(return_id) FILTER ({column} IS NULL) FROM {scan}"
            rule = f"{what} of a return not known: none of its rates can be told"
            said += finding(con, query, table="returns", column=column, rule=rule, severity="warning")
    if said:
        beside, left = path.with_name("known.parquet"), ", ".join(violation.column for violation in said)
        con.execute(
            f"COPY (SELECT * EXCLUDE ({left}) FROM {scan}) TO {quote(str(beside))} (FORMAT parquet, COMPRESSION zstd)"
        )
        beside.replace(path)
    return replace(extract, violations=(*extract.violations, *said))


def _recounted(reading: Reading, accounting: Sequence[Accounted]) -> tuple[Accounted, ...]:
    """The accounting with the rows that left the order lines counted where they went."""
    totals = reading.con.sql(
        """SELECT count(*), coalesce(sum(quantity), 0), coalesce(sum(quantity * unit_price), 0), (SELECT count(*) FROM _opslib_back),
        min(order_id) FROM _opslib_written WHERE quantity < 0"""
    ).fetchone() or (0, 0, 0, 0, "")
    n, units, amount, n_back, example = totals
    kept = [item for item in accounting if item.table == "order_lines"]
    source = max(kept, key=lambda item: item.n_rows)

    def less(value: Decimal | None, part: Decimal) -> Decimal | None:
        return None if value is None else value - Decimal(part)

    rest = replace(
        source, n_rows=source.n_rows - n, n_units=less(source.n_units, units), amount=less(source.amount, amount)
    )
    base = replace(source, n_units=None, amount=None, example=str(example))
    if n == n_back:
        base = replace(base, n_units=source.n_units and Decimal(units), amount=source.amount and Decimal(amount))
    added = [replace(base, table="returns", reason=CAME_BACK, rule=_BACK, n_rows=n_back)] if n_back else []
    if n > n_back:
        added.append(replace(base, table=None, reason="never paid", rule=_NEVER, n_rows=n - n_back))
    return tuple(part for item in accounting for part in ([rest, *added] if item is source else [item]))


def _unsaid(extract: Extract, reading: Reading) -> Iterable[Violation]:
    """A map says nothing of tax: the reader must know how prices were taken."""
    if reading.prices_include_tax is None and "order_lines" in reading.options.get("tables", {}):
        rule = "nothing says whether prices carry tax: taken as without; write prices_include_tax: false, or true and tax_rate"
        total = "SELECT count(*), count(*), '' FROM _opslib_written"
        yield from finding(reading.con, total, table="order_lines", column="unit_price", rule=rule, severity="warning")


def _without_lines(reading: Reading) -> Iterable[Violation]:
    query = f"""SELECT count(*) FILTER (product_id = {quote(NOT_KNOWN)}), count(*), min(order_id) FILTER (product_id = {quote(NOT_KNOWN)})
        FROM _opslib_written"""
    rule = f"orders without their lines: one of product '{NOT_KNOWN}' each; products and units cannot be told"
    return finding(reading.con, query, table="order_lines", column="product_id", rule=rule, severity="warning")
