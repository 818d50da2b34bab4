"""Typed outputs collected from a run notebook."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

PREFIX = "application/vnd.opslib."
MIME = {
    name: f"{PREFIX}{name}+json"
    for name in (
        "finding",
        "limits",
        "provenance",
        "notavailable",
        "series",
        "proposal",
        "section",
        "answer",
        "figure",
    )
}
NARROW_SVG = "image/vnd.opslib.narrow+svg"  # a figure's drawing for a phone, beside the wide one
_MISSING_TABLE = re.compile(r"this shop has no table '([^']+)' \(it would answer: (.*)\)\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """Everything machine-readable that one page's notebook displayed, in the order of its cells."""

    findings: list[dict[str, Any]] = field(default_factory=list)  # `Finding.to_json()` each
    limits: list[str] = field(default_factory=list)  # what the page cannot say, one sentence each
    provenance: dict[str, Any] = field(default_factory=dict)  # shop title, currency, fingerprint, queries
    not_available: list[dict[str, str]] = field(default_factory=list)  # table, would_answer
    series: dict[str, list[float | None]] = field(default_factory=dict)  # metric -> values in time order
    proposals: list[dict[str, Any]] = field(default_factory=list)  # verdict, grade, money, recommendation
    sections: list[dict[str, Any]] = field(default_factory=list)  # id, title, missing (table, would_answer)
    answer: list[str] = field(default_factory=list)  # one or two sentences

    @property
    def is_without_data(self) -> bool:
        """Whether nothing of the page could be had: no section that has its data, or a table that all of it needs."""
        return all(section["missing"] for section in self.sections) if self.sections else bool(self.not_available)


def harvest(notebook: Mapping[str, Any]) -> Harvest:
    """Collect the typed outputs of a run notebook.

    Parameters
    ----------
    notebook : mapping
        A run notebook (nbformat 4).

    Returns
    -------
    Harvest
        Its findings, limits, provenance, and what was not available.

    Examples
    --------
    >>> bundle = {"application/vnd.opslib.limits+json": {"sentences": ["Whether they came back."]}}
    >>> output = {"output_type": "display_data", "data": bundle}
    >>> harvest({"cells": [{"cell_type": "code", "outputs": [output]}]}).limits
    ['Whether they came back.']
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in MIME}
    for output in outputs(notebook):
        if output["output_type"] == "error":
            found["notavailable"] += _missing_table(output)
        for name, mime in MIME.items():
            found[name] += [output["data"][mime]] if mime in output.get("data", {}) else []
    lacking = [gap for section in found["section"] for gap in section["missing"]] + found["notavailable"]
    return Harvest(
        findings=found["finding"],
        limits=[sentence for item in found["limits"] for sentence in item["sentences"]],
        provenance=dict(fact for item in found["provenance"] for fact in item.items()),
        not_available=[gap for place, gap in enumerate(lacking) if gap not in lacking[:place]],
        series={item["metric"]: item["values"] for item in found["series"]},
        proposals=found["proposal"],
        sections=found["section"],
        answer=[item["text"] for item in found["answer"]],
    )


def is_harvested(output: Mapping[str, Any]) -> bool:
    """Whether an output's content stands elsewhere on the page, so that its own HTML is not repeated."""
    return any(mime.startswith(PREFIX) for mime in output.get("data", {}))


def failed_output(notebook: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]] | None:
    """Position (among the code cells as written) of the first that raised, and its error; None if none did."""
    for position, cell in enumerate(written_cells(notebook), start=1):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                return position, output
    return None


def tags(cell: Mapping[str, Any]) -> list[str]:
    """Tags of a cell."""
    return list(cell.get("metadata", {}).get("tags", []))


def outputs(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Outputs of all cells, in order."""
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def statements(notebook: Mapping[str, Any]) -> Iterator[ast.stmt]:
    """Statements of all code cells; a cell with a magic has none that can be read."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            with suppress(SyntaxError):
                yield from ast.parse("".join(cell["source"])).body


def written_cells(notebook: Mapping[str, Any]) -> list[Any]:
    """Code cells as they were written, without the one that papermill adds."""
    return [c for c in notebook["cells"] if c["cell_type"] == "code" and "injected-parameters" not in tags(c)]


def _missing_table(error: Mapping[str, Any]) -> list[dict[str, str]]:
    match = _MISSING_TABLE.search(error["evalue"])
    if error["ename"] != "NotAvailableError" or match is None:
        return []
    return [{"table": match[1], "would_answer": match[2]}]
