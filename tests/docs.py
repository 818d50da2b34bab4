"""What documents say of the code, made and not kept by hand: ``python -m tests.docs``, or ``make docs``."""

from __future__ import annotations

import json
import re
from pathlib import Path

from opslib.contracts import CONTRACTS
from tests.conftest import ROOT

#: README's rows of pages stand between these two lines, and the rows of tables of docs/data.md between these.
FIRST, LAST = "<!-- pages: made by `make docs` -->", "<!-- end of pages -->"
TABLES, END = "<!-- tables: made by `make docs` -->", "<!-- end of tables -->"


def page_rows(folder: Path) -> list[str]:
    """README's table of the notebooks of a folder: the title, the name, and the reader that the first cell names."""
    rows = ["| question | notebook | who reads it |", "|---|---|---|"]
    for path in sorted(folder.glob("[0-9]*_*.ipynb")):
        text = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        title = text.splitlines()[0].removeprefix("# ")
        reader = re.search(r"\*Reader:\*\s*(.+?)\.?\s*(?:\*Decision:\*|$)", text, re.MULTILINE)
        if reader is None:
            raise ValueError(f"{path.name}: the first cell names no reader; write *Reader:* who. *Decision:* which.")
        rows.append(f"| {title} | `{path.stem}` | {reader[1]} |")
    return rows


def table_rows() -> list[str]:
    """Rows of every table of the contract: what one of its rows is, and its columns with their meaning; in bold what must be there."""
    rows = ["| table | one row is | columns |", "|---|---|---|"]
    for contract in CONTRACTS.values():
        said = (
            f"{f'**`{c.name}`**' if c.name in contract.required else f'`{c.name}`'} {c.meaning.replace(', in UTC', '').replace(';', ',')}"
            for c in contract.columns
        )
        rows.append(f"| `{contract.name}` | {contract.meaning.removeprefix('one row ')} | {'; '.join(said)} |")
    return rows


def filled(text: str, rows: list[str], *, first: str, last: str) -> str:
    """A document with the rows between two lines of it."""
    before, _, rest = text.partition(first)
    _, _, after = rest.partition(last)
    return "\n".join((before + first, *rows, last)) + after


def made() -> dict[Path, str]:
    """Every made document and its text."""
    from tests.engines.report import report

    readme, data = ROOT / "README.md", ROOT / "docs" / "data.md"
    return {
        readme: filled(readme.read_text(encoding="utf-8"), page_rows(ROOT / "notebooks"), first=FIRST, last=LAST),
        data: filled(data.read_text(encoding="utf-8"), table_rows(), first=TABLES, last=END),
        ROOT / "docs" / "parity.md": "\n".join(report()) + "\n",
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")
