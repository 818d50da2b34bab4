"""Two runs of one shop, before and after a change that must change no number.

    python tests/comparison/compare_runs.py BEFORE_FOLDER AFTER_FOLDER

A folder is a published run (``reports/<shop>/<run>``). Findings are paired by page family, key (renamed ones are listed in
``renamed_keys.json`` beside this script) and scope; tables by page family and title. Nothing is paired by a value. Every
pair must be equal: sentence, value, interval, n and unit of a finding; heads and cells of a table. Exits with 1 if a pair
differs or something stands alone that ``explained.json`` does not explain.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
#: Pages that were one page before.
FAMILIES = {
    "21_price_response": "20_positioning",
    "22_market_structure": "20_positioning",
    "32_customer_value": "31_segmentation",
}
NUMBERS = ("value", "lower", "upper", "n", "unit")


def family(page: str) -> str:
    """The page's name before pages were split; what follows ``--`` (a proposal, a country) stays."""
    name, sign, rest = page.partition("--")
    return FAMILIES.get(name, name) + sign + rest


def findings_of(folder: Path, *, renamed: dict[str, dict[str, str]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Findings by page family, key before any renaming, and scope."""
    found = {}
    for path in sorted(folder.glob("[0-9]*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        old_names = {new: old for old, new in renamed.get(family(path.stem).partition("--")[0], {}).items()}
        harvest = record["harvest"]
        for item in harvest.get("findings", harvest.get("evidence", [])):
            scope = item.get("scope") or (item.get("about") or {}).get("scope") or []
            place = family(path.stem), old_names.get(item["key"], item["key"]), json.dumps(scope)
            found[place] = {
                "sentence": item["sentence"],
                "estimate": {name: (item.get("estimate") or {}).get(name) for name in NUMBERS},
                "worth": {name: (item.get("worth") or {}).get(name) for name in NUMBERS},
            }
    return found


class _Tables(HTMLParser):
    """Captions, heads and cells of a page's tables."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[dict[str, Any]] = []
        self._into: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append({"title": [], "rows": []})
        elif self.tables and tag == "caption":
            self._into = self.tables[-1]["title"]
        elif self.tables and tag == "tr":
            self.tables[-1]["rows"].append([])
        elif self.tables and tag in ("td", "th") and self.tables[-1]["rows"]:
            self.tables[-1]["rows"][-1].append([])
            self._into = self.tables[-1]["rows"][-1][-1]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("caption", "td", "th"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into.append(data)


def tables_of(folder: Path) -> dict[tuple[str, str], list[list[str]]]:
    """Cells of every table with a title, by page family and title."""
    found = {}
    for path in sorted(folder.glob("[0-9]*.html")):
        parser = _Tables()
        parser.feed(path.read_text(encoding="utf-8"))
        for table in parser.tables:
            title = " ".join("".join(table["title"]).split())
            if title:
                found[family(path.stem), title] = [[" ".join("".join(c).split()) for c in row] for row in table["rows"]]
    return found


def differences(
    before: dict[Any, Any], after: dict[Any, Any], *, kind: str, explained: dict[str, str]
) -> Iterator[str]:
    """What differs, and what stands alone, without an explanation."""
    for place, value in before.items():
        if place in after and after[place] != value and not _explanation(place, explained):
            yield f"{kind} {place} differs:\n  before {value}\n  after  {after[place]}"
    for name, these, those in (("gone", before, after), ("new", after, before)):
        for place in these:
            if place not in those and not _explanation(place, explained):
                yield f"{kind} {place} is {name}"


def _explanation(place: tuple[str, ...], explained: dict[str, str]) -> str:
    """Why a place may differ: of the entry whose page family and title (or key) it has; a family alone stands for its pages."""
    name = " | ".join((place[0].partition("--")[0], *place[1:2]))
    return explained.get(name, "")


def main(before: Path, after: Path) -> int:
    """Compare two runs; print what differs and a count."""
    renamed = json.loads((HERE / "renamed_keys.json").read_text(encoding="utf-8"))
    explained = json.loads((HERE / "explained.json").read_text(encoding="utf-8"))
    lines, counts = [], []
    pairs = {
        "finding": (findings_of(before, renamed=renamed), findings_of(after, renamed=renamed)),
        "table": (tables_of(before), tables_of(after)),
    }
    for kind, (these, those) in pairs.items():
        lines += differences(these, those, kind=kind, explained=explained)
        counts.append(f"{len(these.keys() & those.keys())} of {len(these)} {kind}s paired ({len(those)} after)")
    print("\n".join([*lines, "; ".join(counts), f"{len(lines)} differences"]))
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
