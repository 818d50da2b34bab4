"""What documents say of the code, made and not kept by hand: ``python -m tests.docs``, or ``make docs``."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.conftest import ROOT

#: README's rows of pages stand between these two lines.
FIRST, LAST = "<!-- pages: made by `make docs` -->", "<!-- end of pages -->"


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


def readme(text: str, folder: Path) -> str:
    """README with its table of pages as the notebooks have it."""
    before, _, rest = text.partition(FIRST)
    _, _, after = rest.partition(LAST)
    return "\n".join((before + FIRST, *page_rows(folder), LAST)) + after


def made() -> dict[Path, str]:
    """Every made document and its text."""
    from tests.engines.report import report

    return {
        ROOT / "README.md": readme((ROOT / "README.md").read_text(encoding="utf-8"), ROOT / "notebooks"),
        ROOT / "docs" / "parity.md": "\n".join(report()) + "\n",
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")
