"""A notebook's page: its shop, period and tables, its sections, and its findings at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ibis.expr.types as ir
from IPython.display import display
from matplotlib.axes import Axes

from opslib import charts, engine, suppression, tables
from opslib.contracts import require_table
from opslib.departments import department
from opslib.errors import ParameterError, nearest
from opslib.finding import Facts, Finding, Limits, first_sentence, first_told, in_order
from opslib.findings import data_health
from opslib.formats import format_date
from opslib.metrics import with_local_days
from opslib.periods import Coverage, Period
from opslib.privacy import MINIMUM
from opslib.proposals.drafting import draft
from opslib.shop import checks, choices, latest, reads
from opslib.shop.derived import with_contract_columns
from opslib.shop.opening import Shop, open_shop
from opslib.shop.shopfile import NOT_KNOWN

Need = str | tuple[str, ...]
_PREFIX = "application/vnd.opslib."


class _Asked(Mapping[str, ir.Table]):
    """Tables by name that note which of them was asked for."""

    def __init__(self, kept: Mapping[str, ir.Table]) -> None:
        self._kept = kept

    def __getitem__(self, name: str) -> ir.Table:
        reads.note("table", name)
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        for name in self._kept:
            reads.note("table", name)
            yield name

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a notebook reads its shop through, and where its results leave; made by `open_page`.

    Parameters
    ----------
    shop : Shop
        The open shop, for proposals and data health.
    period : Period
        Days that the page is about.
    facts : Facts
        What sentences need to know: period, currency, time zone, coverage, names of the tables that are there.
    tables : mapping of str to ibis.Table
        Tables that are there, cut by ``where``, with local days.
    what_was_read : str
        Title, days and cut in one line.
    """

    shop: Shop
    period: Period
    facts: Facts
    tables: Mapping[str, ir.Table]
    what_was_read: str
    _sections: dict[str, bool] = field(default_factory=dict, repr=False)  # id -> whether its tables are there

    def __repr__(self) -> str:
        return f"<Page: {self.what_was_read} {', '.join(sorted(self.facts.tables))}>"

    def table(self, name: str) -> ir.Table:
        """A table of the shop, cut as the page is; one that the shop lacks is empty, an optional column null.

        Parameters
        ----------
        name : str
            Of a contract.

        Returns
        -------
        ibis.Table
            With every column of the contract; `ContractError` names the nearest where none is called so.
        """
        require_table(name)
        reads.note("table", name)
        if name not in self.facts.tables:
            return with_local_days({name: self.shop.empty_table(name)}, zone=self.shop.time_zone)[name]
        return with_contract_columns(self.tables[name], name)

    def section(self, name: str, *, needs: Sequence[Need] = (), title: str = "") -> None:
        """Name the section under the heading above, and say what of its data the shop lacks.

        Parameters
        ----------
        name : str
            Id that findings name as their section.
        needs : sequence of str or tuple of str
            Tables, or columns as ``table.column``, without which the section leaves the page; any of a tuple will do.
        title : str
            Takes the place of the heading.
        """
        if name in self._sections:
            raise ParameterError(f"section '{name}' stands twice on this page; give each heading an id of its own")
        missing = [gap for need in needs if (gap := self._missing(need))]
        self._sections[name] = not missing
        text = "; ".join(f"{gap['table']} ({gap['would_answer']})" for gap in missing)
        _show(
            "section",
            {"id": name, "title": title, "missing": missing},
            text=f"Not available here: this shop has no {text}" if missing else "",
        )

    def _missing(self, need: Need) -> dict[str, str] | None:
        """The alternatives, with what the first would answer; None where the shop has one: a table, or a value of a column."""
        names = (need,) if isinstance(need, str) else need
        for name in names:
            table, _, column = name.partition(".")
            require_table(table)
            reads.note("table", table)
            if table in self.facts.tables and not (column and _is_blank(self.tables[table], column)):
                return None
        contract = require_table(names[0].partition(".")[0])
        return {"table": " or ".join(names), "would_answer": contract.would_answer}

    def findings(self, page: str) -> tuple[Finding, ...]:
        """Findings of another page of the same days: of this run, else of the latest report, else none, which is said.

        Parameters
        ----------
        page : str
            Its name, written out, since a batch reads it there: pages that are read are made first.

        Returns
        -------
        tuple of Finding
        """
        reads.note("page", page)
        found, why_none = latest.findings_of(page, shop=self.shop.name, period=self.period)
        if why_none:
            display({"text/plain": why_none}, raw=True)
        return found

    def column(self, *, by: str = "", among: Sequence[str] = choices.GROUPS) -> str:
        """The column that figures are split by: the one asked for, else the first of ``among`` that the data have."""
        return choices.choose_group(self.tables, by=by, among=among)

    @property
    def days_seen(self) -> Period:
        """Every day that the data have seen."""
        return Period(self.facts.coverage.first, self.facts.coverage.last)

    def baseline(self) -> tuple[Period, Period]:
        """The period and the same days of the year before, else its later and earlier half: see `choose_baseline`."""
        return choices.choose_baseline(self.facts.coverage, period=self.period)

    def finish(
        self,
        *,
        answer: str,
        figure: Axes | None = None,
        findings: Sequence[Finding] = (),
        limits: Sequence[str] = (),
    ) -> None:
        """End the page: its answer, findings, limits, the draft of a proposal, and where everything came from.

        Parameters
        ----------
        answer : str
            One or two sentences; '' where nothing can be said.
        figure : Axes or None
            The figure of the first screen.
        findings : sequence of Finding
            By priority. A reader sees the sentences of the first five; the others go on as numbers alone.
        limits : sequence of str
            What the page cannot say.

        Raises
        ------
        ParameterError
            If a finding names a section that the page has not.
        """
        for found in findings:
            if found.department is not None:
                department(found.department, own=self.facts.departments)
            suppression.require_said(found.about.people, of=f"finding '{found.key}'")
            if found.section is not None and found.section not in self._sections:
                raise ParameterError(
                    f"finding '{found.key}' names the section '{found.section}', which this page has not; "
                    f"{nearest(found.section, self._sections)}"
                )
        few = [f for f in findings if suppression.is_few(f.about.people, scope=f.about.scope)]
        findings = [f for f in findings if f not in few]
        if any(f.sentence in answer for f in few):
            answer = first_sentence(in_order(findings))
        _show("answer", {"text": answer}, text=answer)
        if figure is not None:
            drawn, words = charts.figure_bundle(figure)
            display({f"{_PREFIX}figure+json": {}, **drawn}, metadata=words, raw=True)
        ordered = first_told(
            in_order([f for f in findings if self._sections.get(f.section or "", True)]), answer=answer
        )
        asked = reads.noted()
        display(*ordered, Limits((*self._doubts(asked, told=[found.sentence for found in findings]), *limits)))
        proposing = [found for found in ordered if found.proposes is not None]
        display(*(draft(found, as_of=self.period.end) for found in proposing[:1]))
        display(tables.provenance(self.shop, period=self.period, asked=asked))

    def _doubts(self, asked: Sequence[tuple[str, str]], *, told: Sequence[str]) -> tuple[str, ...]:
        """What the checks say of the tables that this page read; of a database, which is checked by hand, nothing."""
        if self.shop.staged is None:
            return ()
        found = checks.known_violations(self.shop)
        read = [name for kind, name in asked if kind == "table"]
        return data_health.doubts(found, page=self.facts, tables=read, told=told)


def open_page(
    shop: str,
    *,
    start: str = "",
    end: str = "",
    where: str = "",
    default: choices.Default = "month",
    minimum: int = MINIMUM,
) -> Page:
    """Open a shop for one page.

    Parameters
    ----------
    shop : str
        Name in ``data/shops``, path of a ``shop.yml``, or an export's folder.
    start, end : str
        ISO dates; empty for the default's.
    where : str
        Rows that count: conditions on columns, joined by "and".
    default : {"month", "year", "all"}
        Last whole calendar month seen; the twelve months up to its end; every day seen.
    minimum : int
        Fewest people that a group on the page may stand for, and the page itself where ``where`` cuts it.

    Returns
    -------
    Page

    Raises
    ------
    NotAvailableError, ParameterError, ShopFileError, SourceError, ContractError
        As opening, reading dates and reading conditions raise them.
    """
    reads.clear()
    engine.clear_log()
    suppression.begin(minimum=minimum, is_strict=bool(os.environ.get(latest.RUN_FOLDER)))
    tables.register()
    opened = open_shop(shop)
    reads.note("settings", opened.name)
    reads.note("days", opened.name)
    period = choices.choose_period(opened, start=start, end=end, default=default)
    rows = choices.choose_rows(opened, where=where)
    choices.require_people(rows, period=period, where=where, minimum=minimum)
    facts = Facts(
        title=opened.title, period=period, currency=opened.currency, time_zone=opened.time_zone,
        coverage=opened.coverage or Coverage(choices.NO_DATES.start, choices.NO_DATES.end), tables=frozenset(opened.tables), is_simulated=opened.is_simulated,
        departments=tuple(opened.settings.get("departments", ())),
    )  # fmt: skip
    until = f", data until {format_date(min(opened.coverage.last, period.end))}" if opened.coverage else ""
    simulated = " (simulated)" if opened.is_simulated and "simulated" not in opened.title.lower() else ""
    charts.register(source=f"{opened.title}{simulated}{until}{', in part' if where else ''}")
    return Page(
        shop=opened, period=period, facts=facts, tables=_Asked(rows.tables),
        what_was_read=" ".join(filter(None, [f"{opened.title}, {period.label if opened.coverage else 'no dates'}.", rows.sentence])),
    )  # fmt: skip


def _is_blank(table: ir.Table, column: str) -> bool:
    """Whether no row has a value there; a list of orders without lines names no product."""
    return engine.is_empty(table.filter(table[column] != NOT_KNOWN) if column == "product_id" else table, column)


def _show(name: str, data: Mapping[str, Any], *, text: str) -> None:
    """Display a value for the batch, with its text for people."""
    display({f"{_PREFIX}{name}+json": dict(data), "text/plain": text}, raw=True)
