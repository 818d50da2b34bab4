"""Run the contracts over a shop's tables: what breaks a rule comes back as rows, and nothing is repaired here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from functools import cache, reduce
from pathlib import Path
from typing import TypeAlias

import ibis.expr.types as ir
import pandas as pd

from opslib import contracts, departments, engine
from opslib.contracts import CONTRACTS, ColumnContract, Severity, TableContract, Violation
from opslib.engine import as_table, collect, unlogged
from opslib.errors import ParameterError
from opslib.metrics.blocks import buyer, paid
from opslib.periods import Period
from opslib.shop import coverage
from opslib.shop.derived import with_contract_columns
from opslib.shop.opening import Shop
from opslib.shop.reads import note
from opslib.shop.staging import remembered, source_fingerprint

#: A line is unusually large above this many times the 99th percentile.
OUTLIER_TIMES = 50
#: Dates are implausible when a silence of so many days parts them from the rest, and they hold less than this share of the rows.
IMPLAUSIBLE_DAYS, IMPLAUSIBLE_SHARE = 366, 0.01
#: Values of these columns stand for people: they are counted, never shown.
PERSONAL = ("customer_id", "visitor_id", "session_id", "unit_id")
#: Tables whose dates may lie long before all others.
_OLD_DATES = ("price_history", "pages", "changes", "experiment_arms")
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
#: Column, rule, severity, the condition under which a row breaks it, and what names such a row.
_Rule: TypeAlias = tuple[str, str, Severity, ir.BooleanValue, ir.StringValue]


def check_shop(shop: Shop) -> tuple[Violation, ...]:
    """Everything that the contracts, the days and the adapter have to say about a shop's tables.

    Parameters
    ----------
    shop : Shop
        An open shop.

    Returns
    -------
    tuple of Violation
        Errors first, then warnings, then notes; by table, column and rule. Empty if nothing is to be said.
    """
    found: list[Violation] = list(shop.staged.violations) if shop.staged else []
    for name, table in shop.tables.items():
        found += check_table(table, name=name)
        found += _references(shop, name)
        found += _implausible_dates(shop, name)
    found += _departments(shop)
    if shop.has("order_lines"):
        found += _suspicious(shop.table("order_lines"))
        found += _unlinked(shop)
        found += _more_back(shop)
        found += _days(shop)
    shown = (replace(f, example="") if f.column in PERSONAL or f.table == "customers" else f for f in found)
    # A file that two tables read is seen twice.
    return tuple(sorted(dict.fromkeys(shown), key=lambda f: (SEVERITIES.index(f.severity), f.table, f.column, f.rule)))


def known_violations(shop: Shop) -> tuple[Violation, ...]:
    """What `check_shop` says, worked out once for the same content and the same rules.

    Parameters
    ----------
    shop : Shop
        An open shop; of a database nothing is remembered.

    Returns
    -------
    tuple of Violation
        Read from beside the staged tables; the queries are not logged, whether they were needed or not.
    """
    for name in contracts.CONTRACTS:
        note("table", name)
    with unlogged():
        if shop.staged is None:
            return check_shop(shop)
        memory = shop.staged.folder / f"violations-{_rules_version(tuple(shop.settings.get('departments', ())))}.json"
        kept = remembered(memory, lambda: [asdict(finding) for finding in check_shop(shop)])
    return tuple(Violation(**row) for row in kept)


@cache
def _rules_version(own_departments: tuple[str, ...]) -> str:
    """First 8 hex digits of the fingerprint of the code that checks: other rules, other violations."""
    readers = (__file__, contracts.__file__, coverage.__file__, departments.__file__, engine.__file__)
    return source_fingerprint({}, settings={"departments": own_departments}, readers=[Path(file) for file in readers])[
        :8
    ]


def check_table(rows: ir.Table | pd.DataFrame, *, name: str) -> tuple[Violation, ...]:
    """Null rule, range, allowed values and key of one contract table.

    Parameters
    ----------
    rows : ibis.Table or pandas.DataFrame
        The table.
    name : str
        Its contract.

    Returns
    -------
    tuple of Violation

    Examples
    --------
    >>> reviews = pd.DataFrame({"review_id": ["1", "1"], "rating": [5.0, 6.0]})
    >>> [(f.column, f.rule, f.n_rows) for f in check_table(reviews, name="reviews")]
    [('rating', 'at most 5', 1), ('review_id', 'unique key', 2)]
    """
    table, contract = as_table(rows), CONTRACTS[name]
    absent = [column for column in contract.required if column not in table.columns]
    found = [Violation(name, column, "required column", "error", 0, 1.0, "") for column in absent]
    rules = [
        (column.name, *rule, table[column.name].cast("string"))
        for column in contract.columns
        if column.name in table.columns
        for rule in _rules(table, column)
    ]
    return (*found, *_broken(table, rules, name=name), *_key(table, contract))


def _broken(table: ir.Table, rules: Sequence[_Rule], *, name: str) -> list[Violation]:
    """One query for all rules: how many rows break each, and the first example."""
    if not rules:
        return []
    measures: dict[str, ir.Scalar] = {"n": table.count()}
    for i, (_, _, _, bad, example) in enumerate(rules):
        measures[f"n_{i}"] = bad.fill_null(False).ifelse(1, 0).sum().fill_null(0)
        measures[f"x_{i}"] = example.min(where=bad)
    row = collect(table.aggregate(**measures)).iloc[0]
    return [
        violation
        for i, (column, rule, severity, _, _) in enumerate(rules)
        for violation in _found(name, column, rule, severity, row[f"n_{i}"], row["n"], row[f"x_{i}"])
    ]


def _found(
    table: str, column: str, rule: str, severity: Severity, n_rows: float, total: float, example: object = ""
) -> tuple[Violation, ...]:
    """The violation, if any row is concerned."""
    if not n_rows or not total:
        return ()
    return (Violation(table, column, rule, severity, int(n_rows), float(n_rows / total), _text(example)),)


def _rules(table: ir.Table, column: ColumnContract) -> Iterable[tuple[str, Severity, ir.BooleanValue]]:
    """The rules of one column, each with the condition under which a row breaks it."""
    value = table[column.name]
    if column.is_required:
        yield "not null", "error", value.isnull()
    if column.minimum is not None:
        yield f"at least {column.minimum:g}", "error", value < int(column.minimum)
    if column.maximum is not None:
        yield f"at most {column.maximum:g}", "error", value > int(column.maximum)
    if column.allowed:
        yield f"one of {', '.join(column.allowed)}", "error", ~value.isin(column.allowed)


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)


def _key(table: ir.Table, contract: TableContract) -> tuple[Violation, ...]:
    key = [column for column in contract.key if column in table.columns]
    if len(key) < len(contract.key):
        return ()
    repeated = table.group_by(key).aggregate(n=table.count())
    text = reduce(lambda a, b: a + " " + b, [repeated[column].cast("string").fill_null("") for column in key])
    several = repeated["n"] > 1
    counted = repeated.aggregate(
        n_rows=repeated["n"].sum(where=several).fill_null(0),
        total=repeated["n"].sum(),
        example=text.min(where=several),
    )
    row = collect(counted).iloc[0]
    return _found(contract.name, ", ".join(key), "unique key", "error", row["n_rows"], row["total"], row["example"])


def _departments(shop: Shop) -> Iterable[Violation]:
    """Rows of capacity whose department is none of the list, nor one that the shop adds."""
    if not shop.has("capacity"):
        return
    table = shop.table("capacity")
    rows = collect(table.group_by("department").aggregate(n=table.count()).order_by("department"))
    for name, n in zip(rows.dropna()["department"], rows.dropna()["n"], strict=True):
        try:
            departments.department(str(name), own=shop.settings.get("departments", ()))
        except ParameterError as error:
            rule = str(error).split("; ")[0]
            yield from _found("capacity", "department", rule, "warning", int(n), int(rows["n"].sum()), str(name))


def _references(shop: Shop, name: str) -> Iterable[Violation]:
    """Values that the table they point to does not hold."""
    table = shop.tables[name]
    for column in CONTRACTS[name].columns:
        target, _, key = (column.references or "").partition(".")
        if column.name not in table.columns or target not in shop.tables or key not in shop.tables[target].columns:
            continue
        known = shop.tables[target].select(known=shop.tables[target][key]).distinct()
        used = table.filter(table[column.name].notnull()).group_by(column.name).aggregate(n=lambda t: t.count())
        lost = used.anti_join(known, used[column.name] == known["known"])
        row = collect(lost.aggregate(n=lost["n"].sum().fill_null(0), example=lost[column.name].min())).iloc[0]
        if row["n"]:
            rule = f"found in {column.references}"
            yield from _found(name, column.name, rule, "warning", row["n"], _count(table), row["example"])


def _count(table: ir.Table) -> int:
    return int(collect(table.aggregate(n=table.count()))["n"][0])


def _implausible_dates(shop: Shop, name: str) -> tuple[Violation, ...]:
    """Rows dated more than a year outside nearly all others: a clock set wrong, a year mistyped."""
    column, table = CONTRACTS[name].time_column, shop.tables[name]
    if column is None or column not in table.columns or name in _OLD_DATES:
        return ()
    days = coverage.daily_counts(table, time_column=column, time_zone=shop.time_zone)
    # Days before a silence of a year with next to no rows before it, and after one with next to none after it.
    gap = days["day"].diff() > timedelta(IMPLAUSIBLE_DAYS)
    total = days["n_rows"].sum()
    share = days.groupby(gap.cumsum())["n_rows"].transform("sum") / total
    far = days[(share < IMPLAUSIBLE_SHARE) & bool(gap.any())]
    if far.empty:
        return ()
    rule = "within a year of nearly all other rows"
    return _found(name, column, rule, "warning", far["n_rows"].sum(), total, far["day"].iloc[0].date())


def _suspicious(lines: ir.Table) -> tuple[Violation, ...]:
    """Order lines that are allowed and still worth a look."""
    quantity = lines["quantity"].cast("float64")
    head = collect(lines.aggregate(n=lines.count(), q=quantity.quantile(0.99))).iloc[0]
    if not head["n"]:
        return ()
    outlier, often = OUTLIER_TIMES * max(float(head["q"]), 1.0), f"over {OUTLIER_TIMES} times the 99th percentile"
    which = lines["order_id"] + " " + lines["product_id"]
    rules: list[tuple[str, str, Severity, ir.BooleanValue]] = [
        ("quantity", "quantity 0", "note", lines["quantity"] == 0),
        ("unit_price", "price 0", "note", lines["unit_price"] == 0),
        ("customer_id", "without customer: left out of customer figures", "warning", lines["customer_id"].isnull()),
        ("status", "not paid: no revenue", "note", lines["status"] != "paid"),
        ("revenue_amount", "revenue below 0", "warning", lines["revenue_amount"] < 0),
        ("quantity", often, "warning", quantity > outlier),
    ]
    found = _broken(lines, [(*rule, which) for rule in rules], name="order_lines")
    return (*found, *_identical(lines))


def _unlinked(shop: Shop) -> tuple[Violation, ...]:
    """Visits and orders are both known, and no order names its visit: every conversion would read zero."""
    lines = with_contract_columns(shop.table("order_lines"), "order_lines")
    if not shop.has("sessions"):
        return ()
    row = collect(lines.aggregate(n=lines.count(), named=lines["session_id"].count())).iloc[0]
    rule = "names the visit of an order: without it conversion reads 0"
    return () if row["named"] else _found("order_lines", "session_id", rule, "warning", row["n"], row["n"])


def _more_back(shop: Shop) -> tuple[Violation, ...]:
    """Orders of which more money came back than they brought: refunds that hold tax or shipping, or are counted twice."""
    returns = shop.table("returns") if shop.has("returns") else None
    if returns is None or not {"order_id", "refund_amount"} <= set(returns.columns):
        return ()
    known = returns.filter(returns["order_id"].notnull())
    back = known.group_by("order_id").aggregate(back=known["refund_amount"].sum())
    lines = paid(shop.table("order_lines")).semi_join(back, "order_id")
    sold = lines.group_by("order_id").aggregate(sold=lines["revenue_amount"].sum()).join(back, "order_id")
    is_more = (sold["back"] - sold["sold"]).cast("float64") > 0.01
    measures = {"n_more": is_more.ifelse(1, 0).sum().fill_null(0), "example": sold["order_id"].min(where=is_more)}
    row = collect(sold.aggregate(n=sold.count(), **measures)).iloc[0]
    rule = "more money back than the order brought: tax or shipping in it, or the same refund twice"
    return _found("returns", "refund_amount", rule, "warning", row["n_more"], row["n"], row["example"])


def _identical(lines: ir.Table) -> tuple[Violation, ...]:
    """Lines equal in everything but their number: a double export, or two units rung up apart."""
    same = [column for column in lines.columns if column != "line_id"]
    # Few orders name a product twice: only their lines are compared in every column.
    pairs = lines.group_by(["order_id", "product_id"]).aggregate(n=lambda t: t.count())
    again = lines.semi_join(pairs.filter(pairs["n"] > 1), ["order_id", "product_id"])
    grouped = again.group_by(same).aggregate(n=lambda t: t.count())
    extra = (grouped["n"] - 1).sum().fill_null(0)
    example = (grouped["order_id"] + " " + grouped["product_id"]).min(where=grouped["n"] > 1)
    row = collect(grouped.aggregate(extra=extra, example=example)).iloc[0]
    rule, columns = "identical lines: kept, numbered apart", "order_id, product_id"
    n_rows = _count(lines) if row["extra"] else 0
    return _found("order_lines", columns, rule, "note", row["extra"], n_rows, row["example"])


#: What a kind of day says about a shop's order lines.
_DAY_RULES: dict[str, tuple[str, Severity]] = {
    "missing": ("days without a line while neighbours sell: not counted as zero", "warning"),
    "part of a day": ("first or last day seen in part: left out of comparisons", "note"),
    "holiday closure": ("closed over a public holiday", "note"),
    "closed weekday": ("weekday on which the shop does not sell", "note"),
    "closed": ("closed, says the shop", "note"),
}


def _days(shop: Shop) -> Iterable[Violation]:
    """Days that the export lost, and days that are not whole."""
    for kind, (rule, severity) in _DAY_RULES.items():
        days = shop.days.loc[shop.days["kind"] == kind, "day"].dt.date
        example = next(iter(days), "")
        yield from _found("order_lines", "ordered_on", rule, severity, len(days), len(shop.days), example)


def health_accounting(shop: Shop) -> pd.DataFrame:
    """Where every raw row went: kept and set aside add up to the source, in rows and in money.

    Parameters
    ----------
    shop : Shop
        An open shop.

    Returns
    -------
    pandas.DataFrame
        source, outcome (kept or set aside), table, reason, rule, n_rows, row_share (0-1 of the source), n_units,
        amount (money as it came; missing where the source has none), example. Tables that are read as they are
        count as kept.
    """
    staged = shop.staged
    rows = [
        {**asdict(item), "outcome": "kept" if item.table else "set aside", "table": item.table or ""}
        for item in (staged.accounting if staged else ())
    ]
    accounted = {row["table"] for row in rows} | set(staged.tables if staged else ())
    rows += [
        {"source": name, "outcome": "kept", "table": name, "reason": "kept", "rule": "read as it is", "n_rows": _count(table),
         "n_units": None, "amount": None, "example": ""}
        for name, table in shop.tables.items() if name not in accounted
    ]  # fmt: skip
    columns = ["source", "outcome", "table", "reason", "rule", "n_rows", "row_share", "n_units", "amount", "example"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["row_share"] = frame["n_rows"] / frame.groupby("source")["n_rows"].transform("sum")
    return frame.astype({"n_rows": "int64", "row_share": "float64", "n_units": "float64", "amount": "float64"})


def lines_by_status(order_lines: ir.Table, *, period: Period | None = None) -> ir.Table:
    """Lines, orders and money by status, so that what is no revenue is seen as well.

    Parameters
    ----------
    order_lines : ibis.Table
        A shop's order lines.
    period : Period or None
        Local days, both ends included; everything unless given.

    Returns
    -------
    ibis.Table
        status, n_lines, n_orders, n_customers (a guest's order is one of its own), revenue_amount; by status.
    """
    days = order_lines["ordered_on"]
    lines = order_lines if period is None else order_lines.filter(days.between(period.start, period.end))
    counted = lines.group_by("status").aggregate(
        n_lines=lines.count(),
        n_orders=lines["order_id"].nunique(),
        n_customers=buyer(lines).nunique(),
        revenue_amount=lines["revenue_amount"].sum(),
    )
    return counted.order_by("status")


def sorted_sources(accounting: pd.DataFrame) -> pd.DataFrame:
    """Rows of `health_accounting` whose source went to more than one place.

    Examples
    --------
    >>> sorted_sources(pd.DataFrame({"source": ["a", "a", "b"], "n_rows": [2, 1, 9]}))["n_rows"].tolist()
    [2, 1]
    """
    return accounting[accounting.groupby("source")["n_rows"].transform("size") > 1]


def raw_totals(shop: Shop) -> pd.DataFrame:
    """What the export itself adds up to, one row a total: raw total, number; no row for a database."""
    totals = shop.staged.raw_totals if shop.staged is not None else {}
    return pd.DataFrame(totals.items(), columns=["raw total", "number"])
