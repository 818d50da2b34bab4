"""A run notebook as one self-contained page: the answer first, then the argument, then how it was made."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup
from nbconvert.exporters import TemplateExporter

from opslib.errors import ReportError, nearest
from opslib.finding import MOST_TOLD, read_estimate
from opslib.formats import format_between, format_date, format_estimate
from opslib.metrics import METRICS
from opslib.periods import Period
from opslib.reporting.cleaning import keep_together, render_markdown, render_output
from opslib.reporting.glossary import DATA_NAMES, GLOSSARY, SIGNS
from opslib.reporting.harvest import MIME, Harvest, harvest, is_harvested, outputs, tags
from opslib.reporting.since import finding_anchor
from opslib.shop.choices import read_where

TEMPLATES = Path(__file__).parent / "templates"
N_FIRST = 3  # findings on the first screen; the others fold
N_ACTIONS = 3  # things to do on a page
WEAK = ("Low", "Very low")  # grades that a verdict names beside itself
N_THINGS = 5  # names of an action that stand in its line; more fold
HIDDEN_TAGS = {"injected-parameters", "papermill-error-cell-tag"}

PROTECTION = (
    "Groups of fewer than ten people are withheld, and so is what would give them away. That protects one report, its "
    "pages by country or another group included: setting two reports, or two filters, against each other is not hindered."
)


@dataclass(slots=True, kw_only=True)
class Section:
    """A heading of the notebook and what follows it."""

    title: str  # '' before the first heading of level 2
    anchor: str  # fixed id on the page
    blocks: list[Markup] = field(default_factory=list)  # in order
    is_method: bool = False  # stands folded at the end
    n_shown: int = 0  # outputs that a reader sees
    n_harvested: int = 0  # outputs that stand elsewhere on the page
    is_missing: bool = False  # the shop lacks its data


class PageExporter(TemplateExporter):
    """nbconvert with opslib's own template, which escapes whatever is not marked safe.

    Not built on nbconvert's HTML exporter: that one parses and rewrites the finished page, and gives every picture
    without words the same false ones.
    """

    output_mimetype = "text/html"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(template_name="opslib", extra_template_basedirs=[str(TEMPLATES)], **kwargs)

    def _file_extension_default(self) -> str:
        return ".html"

    def _create_environment(self) -> Any:
        environment = super()._create_environment()
        environment.autoescape = True
        environment.trim_blocks = environment.lstrip_blocks = True
        environment.globals |= {
            "asset": asset,
            "policy": policy(),
            "SIGNS": SIGNS,
            "PROTECTION": PROTECTION,
            "N_FIRST": N_FIRST,
            "N_THINGS": N_THINGS,
        }
        environment.filters |= {"moment": format_moment, "worth": worth, "estimate": estimate}
        environment.filters |= {"only": spoken_where, "lacking": lacking, "net": net, "anchor": department_anchor}
        environment.filters["verdict"] = verdict_text
        environment.filters["together"] = keep_together
        return environment


def render_page(
    notebook: Any,
    *,
    parameters: Mapping[str, Any],
    status: str = "ok",
    reason: str = "",
    versions: Mapping[str, str],
    is_code_shown: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> str:
    """Render a run notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The notebook with its outputs.
    parameters : mapping
        The checked parameters that it ran with.
    status, reason : str
        ``ok``, ``not available`` or ``failed``, and why.
    versions : mapping of str to str
        Installed versions, for the methods.
    is_code_shown : bool
        Whether code stands on the page, folded.
    origin : mapping, optional
        What is known of the shop before the notebook ran: title, is_simulated, currency, ...

    Returns
    -------
    str
        The page. The same notebook, parameters and versions give the same text.

    Raises
    ------
    ReportError
        If a figure has no alternative text.
    """
    found = harvest(notebook)
    figure = _first_figure(notebook) if status == "ok" else Markup("")
    opening, *rest = _sections(notebook, is_code_shown=is_code_shown, is_whole=status == "ok")
    for section in rest if figure else []:  # a picture stands once on a page
        section.blocks = [block for block in section.blocks if block != figure]
    period, sections = page_period(parameters, found), _argument(rest) if status == "ok" else []
    view = {
        "title": page_title(notebook),
        "question": first_heading(notebook),
        "lede": opening.blocks,
        "sections": sections,
        "methods": [s for s in rest if s.is_method and s.blocks],
        "found": found,
        "answer": " ".join(found.answer),
        "findings": _placed(found.findings, [section.anchor for section in sections]) if status == "ok" else [],
        "actions": actions_of(found.findings)[:N_ACTIONS],
        "metrics": used_metrics(found),
        "glossary": GLOSSARY,
        "origin": {**(origin or {}), **found.provenance},
        "parameters": parameters,
        "period": period.label if period else "",
        "status": status,
        "reason": reason.rstrip("."),
        "versions": versions,
        "figure": figure,
    }
    text, _ = PageExporter().from_notebook_node(notebook, resources={"view": view})
    return text


def _placed(findings: Sequence[dict[str, Any]], anchors: Sequence[str]) -> list[dict[str, Any]]:
    """Told findings with the id under which the index finds each, unless an earlier one has it; a section that is not on the page is refused."""
    placed, taken = [], set()
    for item in findings:
        wanted, anchor = item.get("section") or "", finding_anchor(item["key"])
        if wanted and wanted not in anchors:
            raise ReportError(
                f"finding '{item['key']}' names the section '{wanted}', which this page has not; {nearest(wanted, anchors)}"
            )
        if item.get("is_told", True):
            placed.append(item | {"anchor": "" if anchor in taken else anchor, "place": anchor})
            taken.add(anchor)
    return placed[:MOST_TOLD]


def actions_of(findings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings from which something follows, each action once: the urgent first, then what is surely worth most, then as they came.

    Examples
    --------
    >>> plain, sure = {"action": "a"}, {"action": "b", "worth": {"lower": 5.0}}
    >>> [item["action"] for item in actions_of([plain, sure, plain, {"action": "c", "is_urgent": True}])]
    ['c', 'b', 'a']
    """
    once: dict[str, dict[str, Any]] = {}
    for item in findings:
        if item.get("action"):
            once.setdefault(item["action"], item | {"place": finding_anchor(item.get("key", ""))})
    sure = {action: max((item.get("worth") or {}).get("lower") or 0.0, 0.0) for action, item in once.items()}
    return sorted(once.values(), key=lambda item: (not item.get("is_urgent"), -sure[item["action"]]))


def page_title(notebook: Mapping[str, Any]) -> str:
    """What a page is called: its proposal where it judges one, else its first heading."""
    cards = harvest(notebook).proposals
    return f"{cards[0]['id']} {cards[0]['title']}" if len(cards) == 1 else first_heading(notebook)


def first_heading(notebook: Mapping[str, Any]) -> str:
    """The notebook's title: its first heading of level 1."""
    for cell in notebook["cells"]:
        found = re.search(r"^# (.+)$", "".join(cell["source"]), re.MULTILINE)
        if cell["cell_type"] == "markdown" and found:
            return found[1].strip()
    return "Untitled"


def page_period(parameters: Mapping[str, Any], found: Harvest) -> Period | None:
    """The days that a page speaks of: as it says, else as it was asked; None where it never said."""
    known = {**parameters, **found.provenance}
    return Period.parse(known["start"], known["end"]) if known.get("start") and known.get("end") else None


def format_moment(value: str) -> str:
    """An ISO date, or date and time, as people write it.

    Examples
    --------
    >>> format_moment("2026-10-31T23:59:00"), format_moment("2026-11-05")
    ('31 Oct 2026, 23:59', '5 Nov 2026')
    """
    day, clock = format_date(date.fromisoformat(value[:10])), value[11:16]
    return f"{day}, {clock}" if clock else day


def estimate(values: Mapping[str, Any], currency: str | None = None) -> str:
    """An estimate's JSON as value and interval."""
    return format_estimate(read_estimate(values), currency=currency)


def net(values: Mapping[str, Any], currency: str | None = None) -> str:
    """Money a year under a head that says so."""
    return format_estimate(read_estimate({**values, "unit": values["unit"].partition("/")[0]}), currency=currency)


def verdict_text(card: Mapping[str, Any]) -> str:
    """A verdict that says something, with how weak its evidence is.

    Examples
    --------
    >>> verdict_text({"verdict": "confirmed", "grade": "Very low"}), verdict_text({"verdict": "confirmed", "grade": "High"})
    ('confirmed, weak evidence', 'confirmed')
    >>> verdict_text({"verdict": "inconclusive", "grade": "Low"})
    'inconclusive'
    """
    is_said = not card["verdict"].startswith(("inconclusive", "invalid"))
    return f"{card['verdict']}, weak evidence" if is_said and card.get("grade") in WEAK else str(card["verdict"])


def department_anchor(name: str) -> str:
    """Id of a department's part of the index.

    Examples
    --------
    >>> department_anchor("Customer service")
    'd-customer-service'
    """
    return f"d-{finding_anchor(name).removeprefix('f-')}"


def worth(item: Mapping[str, Any], currency: str | None = None) -> str:
    """What an action may bring, with its period; else that it is not known, and what would tell.

    Examples
    --------
    >>> worth({"would_tell": "a two-week test"}), worth({})
    ('not known: a two-week test would tell', 'not known')
    """
    values = item.get("worth")
    if not values:
        return f"not known: {item['would_tell']} would tell" if item.get("would_tell") else "not known"
    unit, _, per = values["unit"].partition("/")
    return f"{format_between(read_estimate({**values, 'unit': unit}), currency=currency)} a {per or 'month'}"


def lacking(gaps: Sequence[Mapping[str, str]]) -> str:
    """What a page lacks for want of data, in one line and the reader's words.

    Examples
    --------
    >>> lacking([{"table": "order_lines.customer_id or sessions", "would_answer": "who comes back"}])
    'customers or visits (would say who comes back)'
    """
    said: dict[str, str] = {}
    for gap in gaps:
        names = " or ".join(
            DATA_NAMES.get(n) or n.rpartition(".")[2].replace("_", " ") for n in gap["table"].split(" or ")
        )
        said.setdefault(names, gap["would_answer"].rstrip("."))
    return ", ".join(f"{names} (would say {answer})" for names, answer in said.items())


_OPERATORS = {
    "=": "",
    "in": "",
    "!=": "not",
    "not in": "not",
    "<": "below",
    ">": "above",
    "<=": "at most",
    ">=": "at least",
}


def spoken_where(where: str) -> str:
    """Conditions in words.

    Examples
    --------
    >>> spoken_where("country = Germany and channel not in (email, search)"), spoken_where("")
    ('country Germany and channel not email or search', '')
    """
    said = []
    for one in read_where(where):
        values = " or ".join(map(str, one.value)) if isinstance(one.value, tuple) else str(one.value)
        said.append(" ".join(filter(None, [one.column.replace("_", " "), _OPERATORS[one.operator], values])))
    return " and ".join(said)


def used_metrics(found: Harvest) -> dict[str, str]:
    """Title and definition of the metrics that a page's findings and courses are about, by title."""
    named = {(item.get("about") or {}).get("metric") for item in found.findings} | set(found.series)
    return {METRICS[name].title: METRICS[name].definition for name in METRICS if name in named}


@cache
def asset(name: str) -> Markup:
    """Text of a style sheet or script that goes into every page."""
    return Markup((TEMPLATES / "opslib" / name).read_text(encoding="utf-8"))


@cache
def policy() -> str:
    """The pages' Content-Security-Policy: no address at all, and no script but ours."""
    script = base64.b64encode(hashlib.sha256(asset("page.js").encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sections(notebook: Any, *, is_code_shown: bool, is_whole: bool) -> list[Section]:
    sections, tables = [Section(title="", anchor="top")], itertools.count(1)
    for position, cell in enumerate(notebook["cells"], start=1):
        marks = set(tags(cell))
        if marks & HIDDEN_TAGS:
            continue
        if cell["cell_type"] == "markdown":
            _add_prose(sections, "".join(cell["source"]), is_folded="how" in marks)
        elif cell["cell_type"] == "code":
            _add_code(
                sections[-1], cell, where=f"cell {position}", is_shown=is_code_shown, is_whole=is_whole, tables=tables
            )
        sections[-1].is_method |= bool(marks & {"parameters", "methods"}) and len(sections) > 1
    return sections


def files_beside(notebook: Any) -> dict[str, str]:
    """What lies beside a page, by the end of its name: the queries behind it, and its long tables whole.

    Examples
    --------
    >>> files_beside({"cells": [{"outputs": [{"output_type": "display_data", "data": {"text/csv": "a,b"}}]}]})
    {'table-1.csv': 'a,b'}
    """
    queries = harvest(notebook).provenance.get("queries") or []
    told = (f"-- {query['n_rows']} rows\n{query['sql']};\n" for query in queries)
    return {**dict(_long_tables(notebook)), **({"queries.sql": "\n".join(told)} if queries else {})}


def _long_tables(notebook: Any) -> list[tuple[str, str]]:
    whole = [output["data"]["text/csv"] for output in outputs(notebook) if "text/csv" in output.get("data", {})]
    return [(f"table-{place}.csv", "".join(text)) for place, text in enumerate(whole, start=1)]


def _first_figure(notebook: Any) -> Markup:
    """The figure that the notebook chose for the first screen; empty where it chose none."""
    chosen = [output for output in outputs(notebook) if MIME["figure"] in output.get("data", {})]
    return render_output(chosen[-1], where="the first screen") if chosen else Markup("")


def _argument(sections: list[Section]) -> list[Section]:
    """The sections that argue: without methods, and without a last one whose findings stand at the top anyway."""
    argument = [s for s in sections if not s.is_method and not s.is_missing]
    while argument and argument[-1].n_harvested and not argument[-1].n_shown:
        argument.pop()
    return argument


def _add_prose(sections: list[Section], text: str, *, is_folded: bool) -> None:
    """Start a section at every heading of level 2; the title itself stands elsewhere."""
    for part in re.split(r"^(?=## )", re.sub(r"^# .+$", "", text, count=1, flags=re.MULTILINE), flags=re.MULTILINE):
        body = part
        if part.startswith("## "):
            heading, _, body = part.partition("\n")
            title = re.sub(r"^\d+[.)]?\s+", "", heading[3:].strip())
            sections.append(Section(title=title, anchor=f"s{len(sections)}"))
        if body.strip():
            block = render_markdown(body)
            fold = Markup("<details><summary>How this was computed</summary>{}</details>")
            sections[-1].blocks.append(fold.format(block) if is_folded else block)


def _add_code(
    section: Section, cell: Any, *, where: str, is_shown: bool, is_whole: bool, tables: Iterator[int]
) -> None:
    if is_shown and "".join(cell["source"]).strip():
        fold = Markup('<details class="code"><summary>Code</summary><pre><code>{}</code></pre></details>')
        section.blocks.append(fold.format("".join(cell["source"])))
    for output in cell.get("outputs", []):
        named = output.get("data", {}).get(MIME["section"])
        if named:
            section.anchor, section.is_missing = named["id"], bool(named["missing"])
            section.title = named["title"] or section.title
        if is_harvested(output):
            section.n_harvested += not named  # a section's name alone is nothing that stands elsewhere
        elif is_whole and output["output_type"] != "error":
            block = render_output(output, where=where)
            if "text/csv" in output.get("data", {}):
                block += Markup('<p class="beside"><!--to:table-{}.csv--><!--/to--></p>').format(next(tables))
            section.n_shown += bool(block)
            section.blocks.extend([block] if block else [])
