"""What a told sentence says, in pieces, and the raw tables: every number and comparing word that a produced page tells, found again by plain SQL on the raw tables.

A road is a function of one told sentence. It asks the raw tables in SQL of its own, calls nothing of the library, and returns what
the sentence must say, in its order: numbers, comparing words, names and dates. `faults` reads the sentence into the same pieces and
compares: a number to the digits shown, everything else to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_MONTHS += "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_PIECES = {
    "date": rf"(?:\b\d{{1,2}} )?\b(?:{_MONTHS})\b(?: \d{{4}})?(?:[-–](?:{_MONTHS}) \d{{4}})?",
    "interval": r"\([£−+]?\d[\d.,]*[kmx]?[\s ]?%?(?:[\s ]points)?(?:–| to )[£−+]?\d[\d.,]*[kmx]?[\s ]?%?\)",
    "quote": r"“[^”]*”",
    "proposal": r"\b[A-Z]-\d\d\b",
    "number": r"[−+]?£?−?\b\d[\d,]*(?:\.\d+)?(?:[kmx]\b|[\s ]?%)?",
    "word": r"(?<![\w-])(?i:rose|fell|rise|fall|falls|up(?! to)|down|most|more|less|fewer|largest|smallest|no|none|higher|lower|furthest|nearer|"
    r"larger|smaller|dearer|cheaper|better|worse|not|least|all|half|missing|dear|cheap|short)\b",
}
_SCALES = {"k": 1e3, "m": 1e6, "%": 0.01, "x": 1.0, "": 1.0}


@dataclass(frozen=True)
class Elsewhere:
    """A number from a model, which plain SQL cannot find again: where its own test stands."""

    where: str


@dataclass(frozen=True)
class Piece:
    """A part of a sentence that can be checked."""

    kind: str
    text: str
    value: float = 0.0
    half_a_digit: float = 0.0


class Raw:
    """The raw tables of the demo in DuckDB, with the views that all roads share."""

    def __init__(self, folder: Path, views: Iterable[str] = ()) -> None:
        self.connection = duckdb.connect()
        self.connection.sql(f"set threads = 2; create macro local_day(t) as {_DAY}")
        for table in sorted({path.parent for path in folder.rglob("part-*.parquet")}):
            name = "_".join(table.relative_to(folder).parts)
            self.connection.sql(f"create view {name} as from read_parquet('{table}/*.parquet')")
        for script in (_VIEWS, *views):
            self.connection.sql(script)

    def row(self, sql: str) -> tuple[Any, ...]:
        """The one row of a query."""
        rows = self.connection.sql(sql).fetchall()
        assert len(rows) == 1, f"{len(rows)} rows: {sql}"
        return rows[0]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.sql(sql).fetchall()


_DAY = "cast(timezone('Europe/London', timezone('UTC', t)) as date)"
_VIEWS = """
create table paid as
  select *, local_day(ordered_at) as day, cast(quantity * unit_price - coalesce(discount_amount, 0) as double) as amount,
         coalesce('c' || customer_id, 'o' || order_id) as who
  from order_lines where status = 'paid';
create view year as from paid where day between '2025-11-01' and '2026-10-31';
"""
Road = Callable[[Raw, str], list[Any]]


def word(number: float, up: str, down: str) -> str:
    """The comparing word of a number's sign."""
    return up if number > 0 else down


def pieces(sentence: str, names: list[str]) -> Iterator[Piece]:
    """What can be checked in a sentence, in its order; intervals are left to their own tests.

    ``names`` are those of products, the longest first: they hold digits that are no numbers.
    """
    patterns = {"name": "|".join(map(re.escape, names)) or "(?!)", **_PIECES}
    pattern = "|".join(f"(?P<{kind}>{text})" for kind, text in patterns.items())
    for found in re.finditer(pattern, sentence):
        kind, text = str(found.lastgroup), found[0]
        if kind == "number":
            is_about = sentence[: found.start()].lower().endswith(("about ", "up to "))
            text += "%" * bool(
                "%" not in text and re.match(r"(?: to |–)\d[\d.,]*[\s\u202f]?%", sentence[found.end() :])
            )
            yield _number(text, is_rounded=is_about or "£" in text, is_about=is_about)
        elif kind != "interval":
            yield Piece(kind, text)


def _number(text: str, *, is_rounded: bool, is_about: bool) -> Piece:
    bare = re.sub(r"[£+\s \u202f,]", "", text).replace("−", "-")
    suffix = bare[-1] if bare[-1] in _SCALES else ""
    digits = bare.removesuffix(suffix)
    scale, (whole, _, decimals) = _SCALES[suffix], digits.lstrip("-").partition(".")
    step = 10.0 ** -len(decimals)
    if is_rounded and not decimals and not suffix:
        n_shown = len(whole.rstrip("0")) if is_about else 3
        step = 10.0 ** max(len(whole) - n_shown, 0)
    return Piece("number", text, float(digits) * scale, 0.5 * step * scale)


def faults(sentence: str, expected: list[Any], names: list[str]) -> list[str]:
    """Where a sentence says something else than its road found; none where they agree."""
    said = list(pieces(sentence, names))
    if len(said) != len(expected):
        return [f"says {[p.text for p in said]}, the second road {expected}"]
    return [f"says {p.text}, the second road {e}" for p, e in zip(said, expected, strict=True) if not _agrees(p, e)]


def _agrees(piece: Piece, expected: Any) -> bool:
    if isinstance(expected, Elsewhere):
        return piece.kind == "number" and (ROOT / expected.where).is_file()
    if isinstance(expected, str):
        return piece.text.strip("“”").casefold() == expected.casefold()
    return piece.kind == "number" and abs(piece.value - float(expected)) <= piece.half_a_digit * (1 + 1e-9)
