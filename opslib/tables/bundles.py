"""Display of values in a notebook as HTML, text and JSON, and what of them a batch can harvest.

Each value is displayed as HTML for people, as text for terminals, and, where a batch reads it back, as JSON under
a media type of its own. The formatters are installed by :func:`register`; the values know nothing of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date
from html import escape
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.errors import NotAvailableError
from opslib.finding import Finding, Limits, jsonable
from opslib.formats import format_date, format_estimate, format_number, format_share
from opslib.periods import Period
from opslib.proposals.card import VerdictCard
from opslib.proposals.drafting import ProposalDraft
from opslib.shop.opening import Shop
from opslib.stats.estimates import Estimate
from opslib.tables.showing import Table, is_long, show, to_csv, to_html, to_text

PREFIX = "application/vnd.opslib."
HEAD_ROWS = 10
"""Rows that are shown of a table that is not computed yet."""
DOTS = {"measured": "●", "estimated": "◐", "described": "○", "simulated": "◌"}
_TEMPORARY = re.compile(r"\bibis_[a-z_]*?[a-z0-9]{16,}\b")

Bundle = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a page's numbers come from; everything here is the same at the next run on the same data.

    Parameters
    ----------
    title, currency, time_zone : str
        Of the shop.
    is_simulated : bool
        Whether the shop is made up.
    data_until : date or None
        Last day that the data have seen within the period; None for a shop without dates.
    period : Period
        Days that the page speaks of.
    fingerprint : str or None
        Of the shop's data; None for a database without a watermark.
    tables : tuple of dict
        ``table`` and ``n_rows`` of each table.
    queries : tuple of dict
        ``sql``, ``n_rows`` and ``fingerprint`` of each query, in order.
    asked : tuple of (str, str)
        Kind and name of everything that the page asked for, whether it was there or not.
    """

    title: str
    currency: str
    time_zone: str
    is_simulated: bool
    data_until: date | None
    period: Period
    fingerprint: str | None
    tables: tuple[dict[str, Any], ...] = ()
    queries: tuple[dict[str, Any], ...] = ()
    asked: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """Recent values of a metric for the small line beside it on the index.

    Parameters
    ----------
    metric : str
        Name in the registry.
    values : tuple of float
        In time order; NaN where unobserved.
    """

    metric: str
    values: tuple[float, ...] = ()


def provenance(shop: Shop, *, period: Period, asked: tuple[tuple[str, str], ...] = ()) -> Provenance:
    """Collect where the numbers so far came from: the shop, its tables and every query of this notebook.

    Parameters
    ----------
    shop : Shop
        The open shop.
    period : Period
        Days that the page speaks of.
    asked : tuple of (str, str)
        Kind and name of everything that the page asked for; rows are counted of its tables only, or of all where none
        is named.

    Returns
    -------
    Provenance
        To be displayed in the last cell.
    """
    queries = tuple(
        {"sql": _stable_sql(query.sql), "n_rows": query.n_rows, "fingerprint": query.fingerprint}
        for query in engine.query_log()
    )
    read = sorted(name for kind, name in asked if kind == "table" and name in shop.tables) or sorted(shop.tables)
    counts = tuple({"table": name, "n_rows": _n_rows(shop.tables[name])} for name in read)
    own = {name: getattr(shop, name) for name in ("title", "currency", "time_zone", "is_simulated", "fingerprint")}
    until = min(shop.coverage.last, period.end) if shop.coverage else None
    return Provenance(**own, data_until=until, period=period, tables=counts, queries=queries, asked=asked)


def _n_rows(table: ir.Table) -> int:
    return int(engine.collect(table.aggregate(n_rows=table.count()))["n_rows"].iloc[0])


def _stable_sql(sql: str) -> str:
    """SQL without passwords, its temporary tables numbered instead of named by chance."""
    names: dict[str, str] = {}
    number = lambda match: names.setdefault(match[0], f"temporary_{len(names) + 1}")  # noqa: E731
    return engine.hide_password(_TEMPORARY.sub(number, sql))


def register() -> None:
    """Install the formatters in the running IPython; without one, do nothing.

    Finding, limits, provenance, missing tables, series, estimates, tables, data frames and lazy tables then show themselves
    as this package writes them, never as raw floats.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    formatter = shell.display_formatter.mimebundle_formatter
    for kind, bundle in BUNDLES.items():
        formatter.for_type(kind, bundle)
    ibis.options.interactive = False  # ibis would print names of people


def unregister() -> None:
    """Take the formatters out again."""
    from IPython import get_ipython

    shell = get_ipython()
    for kind in BUNDLES if shell is not None else ():
        shell.display_formatter.mimebundle_formatter.pop(kind, None)
    ibis.options.interactive = True


def finding_bundle(finding: Finding) -> Bundle:
    """A finding: its dot, its sentence, what to do and who, the doubt."""
    kind = finding.kind + (f", grade {finding.grade}" if finding.grade else "")
    parts = [f'<span class="dot {finding.kind}" aria-hidden="true">{DOTS[finding.kind]}</span> ']
    parts.append(f'<span class="sentence">{escape(finding.sentence)}</span> ')
    parts.append(f'<small class="kind">{escape(kind)}</small>')
    todo = _todo(finding)
    if todo:
        parts.append(f'<br><span class="todo">→ {escape(todo)}</span>')
    if finding.caveat:
        parts.append(f'<br><small class="caveat">Main doubt: {escape(finding.caveat)}</small>')
    text = f"{DOTS[finding.kind]} {finding.sentence} [{kind}]" + (f"\n  → {todo}" if todo else "")
    text += f"\n  Main doubt: {finding.caveat}" if finding.caveat else ""
    return _bundle("finding", finding.to_json(), html=f'<p class="finding">{"".join(parts)}</p>', text=text)


def _todo(finding: Finding) -> str:
    """What to do, who, what it may bring a month, by when."""
    parts = [finding.action, finding.department]
    if finding.worth:
        unit = finding.worth.unit
        parts.append(format_estimate(replace(finding.worth, unit=unit if "/" in unit else f"{unit}/month")))
    if finding.due:
        parts.append(f"by {format_date(finding.due)}")
    return " · ".join(part for part in parts if part) if finding.action else ""


def limits_bundle(limits: Limits) -> Bundle:
    """What a page cannot say."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in limits.sentences)
    text = "\n".join(["What this page cannot say:", *(f"- {sentence}" for sentence in limits.sentences)])
    html = f'<div class="limits"><p>What this page cannot say:</p><ul>{items}</ul></div>' if items else ""
    return _bundle("limits", limits.to_json(), html=html, text=text)


def provenance_bundle(value: Provenance) -> Bundle:
    """Shop, period, data and number of queries; the queries themselves go into the JSON."""
    simulated = " (simulated)" if value.is_simulated and "simulated" not in value.title.lower() else ""
    until = f"data until {format_date(value.data_until)}, {value.time_zone}" if value.data_until else "no dates"
    days = f" · {value.period.label}" if value.data_until else ""
    line = f"{value.title}{simulated}{days} · {until} · {value.currency}"
    rows = ", ".join(f"{table['table']} {format_number(table['n_rows'])}" for table in value.tables)
    queries = "1 query" if len(value.queries) == 1 else f"{len(value.queries)} queries"
    counts = (
        f"{queries} on {rows}; fingerprint of the data {value.fingerprint[:16] if value.fingerprint else 'not known'}"
    )
    data = {known.name: getattr(value, known.name) for known in fields(value) if known.name != "period"}
    data |= {end: getattr(value.period, end) if value.data_until else None for end in ("start", "end")}
    html = f'<p class="provenance">{escape(line)}<br><small>{escape(counts)}</small></p>'
    return _bundle("provenance", jsonable(data), html=html, text=f"{line}\n{counts}")


def not_available_bundle(error: NotAvailableError) -> Bundle:
    """Which table is missing, and what stays open."""
    data = {"table": error.table, "would_answer": error.would_answer}
    text = f"Not available: this shop has no table {error.table}. It would answer: {error.would_answer}."
    return _bundle("notavailable", data, html=f'<p class="not-available">{escape(text)}</p>', text=text)


def verdict_bundle(card: VerdictCard) -> Bundle:
    """A proposal's card: verdict, grade, what to do, and the main doubt."""
    lines = [f"{card.id} {card.title}: {card.verdict} (grade {card.grade})"]
    lines += [f"Recommendation: {card.recommendation}"] if card.recommendation else []
    lines += [f"Net in a year: {format_estimate(card.money)}"] if card.money else []
    lines += [f"Main doubt: {card.doubt}", *card.notes]
    html = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return _bundle("proposal", card.to_json(), html=f'<div class="verdict">{html}</div>', text="\n".join(lines))


def draft_bundle(value: ProposalDraft) -> Bundle:
    """What is still to be said about a drafted proposal, and its file, folded."""
    lead = f"Draft of proposal {value.id}. Before it can be frozen, somebody has to say:"
    items = "".join(f"<li>{escape(item)}</li>" for item in value.to_do)
    html = (
        f'<div class="draft"><p>{escape(lead)}</p><ul>{items}</ul>'
        f"<details><summary>The file, as drafted</summary><pre>{escape(value.text)}</pre></details></div>"
    )
    return {"text/html": html, "text/plain": "\n".join([value.text, lead, *(f"- {item}" for item in value.to_do)])}


def series_bundle(value: MetricSeries) -> Bundle:
    """For the index only; people see its length."""
    data = jsonable({"metric": value.metric, "values": value.values})
    text = f"{value.metric}: {len(value.values)} values for the index"
    return _bundle("series", data, html=f'<p class="series"><small>{escape(text)}</small></p>', text=text)


def estimate_bundle(estimate: Estimate) -> Bundle:
    """A number with its interval and where it comes from."""
    text = format_estimate(estimate)
    how = f"{format_share(estimate.confidence_level)} interval, n = {estimate.n:,}, {estimate.method}"
    html = f'<p class="estimate">{escape(text)} <small>{escape(how)}</small></p>'
    return {"text/html": html, "text/plain": f"{text}  [{how}]"}


def table_bundle(table: Table) -> Bundle:
    """HTML and aligned text, and CSV of a long one; nothing to see of a table without rows."""
    whole = {"text/csv": to_csv(table)} if is_long(table) else {}
    return {"text/html": to_html(table), "text/plain": to_text(table), **whole} if table.rows else {"text/plain": ""}


def frame_bundle(frame: pd.DataFrame) -> Bundle:
    """A bare frame shown as any other table: no raw floats, no names of people."""
    return table_bundle(show(frame, title=""))


def lazy_bundle(table: ir.Table) -> Bundle:
    """The first rows of a table that is not computed yet, as a bare frame; the query is none of the page's."""
    with engine.unlogged():
        return frame_bundle(engine.collect(table.limit(HEAD_ROWS)))


def _bundle(name: str, data: Any, *, html: str, text: str) -> Bundle:
    return {f"{PREFIX}{name}+json": data, "text/html": html, "text/plain": text}


BUNDLES: dict[type, Callable[[Any], Bundle]] = {
    Finding: finding_bundle,
    Limits: limits_bundle,
    VerdictCard: verdict_bundle,
    ProposalDraft: draft_bundle,
    Provenance: provenance_bundle,
    NotAvailableError: not_available_bundle,
    MetricSeries: series_bundle,
    Estimate: estimate_bundle,
    Table: table_bundle,
    pd.DataFrame: frame_bundle,
    ir.Table: lazy_bundle,
}
