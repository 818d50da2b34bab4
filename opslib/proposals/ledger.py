"""Hash-chained ledger of what was frozen, found, answered and decided.

Text in, text out: `opslib.casework.files` does the writing, the locking and the reading of git's history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from opslib.errors import LedgerError

RecordKind = Literal["freeze", "evaluation", "response", "decision", "follow_up"]
KINDS: tuple[RecordKind, ...] = ("freeze", "evaluation", "response", "decision", "follow_up")
GENESIS = "0" * 64
FORMAT = 1
"""Of the lines written now; a line without one is of format 1."""
_FIELDS = ("n", "kind", "proposal", "at", "payload", "previous", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of the ledger.

    Parameters
    ----------
    n : int
        Position, from 1.
    kind : str
        freeze, evaluation, response, decision or follow_up.
    proposal : str
        Id of the proposal.
    at : str
        ISO time in UTC.
    payload : dict
        What was frozen, found or decided, as JSON values.
    previous, hash : str
        SHA-256 of the line before, and of this line without its own hash.
    format : int
        Of the line and its payload; 1 where none is written.
    """

    n: int
    kind: RecordKind
    proposal: str
    at: str
    payload: dict[str, Any]
    previous: str
    hash: str
    format: int = 1


def next_line(
    text: str,
    *,
    kind: RecordKind,
    proposal: str,
    at: datetime,
    payload: Mapping[str, Any],
) -> str:
    """The line to append to a ledger.

    Parameters
    ----------
    text : str
        The ledger so far; its chain is verified first.
    kind, proposal, at, payload
        As in `Record`; ``at`` has a zone.

    Returns
    -------
    str
        One line, with its line end.

    Raises
    ------
    LedgerError
        The chain is broken, the kind unknown or the time without a zone.

    Examples
    --------
    >>> line = next_line("", kind="response", proposal="P-1", at=datetime(2026, 1, 1, tzinfo=UTC), payload={})
    >>> read_ledger(line)[0].previous == GENESIS
    True
    """
    if kind not in KINDS:
        raise LedgerError(f"ledger: kind '{kind}' is not one of {', '.join(KINDS)}")
    if at.tzinfo is None:
        raise LedgerError(f"ledger: the time {at} has no zone; give it in UTC")
    records = read_ledger(text)
    body = {
        "n": len(records) + 1,
        "kind": kind,
        "proposal": proposal,
        "at": at.astimezone(UTC).isoformat(),
        "payload": dict(payload),
        "previous": records[-1].hash if records else GENESIS,
        "format": FORMAT,
    }
    return _dump({**body, "hash": _hash(body)}) + "\n"


def read_ledger(text: str) -> tuple[Record, ...]:
    """The records of a ledger whose chain holds.

    Parameters
    ----------
    text : str
        JSON lines.

    Returns
    -------
    tuple of Record

    Raises
    ------
    LedgerError
        The first fault of `ledger_faults`.
    """
    faults = ledger_faults(text)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise LedgerError(f"ledger: {faults[0]}{more}; restore the file from the repository's history")
    return tuple(Record(**json.loads(line)) for line in text.splitlines())


def ledger_faults(text: str) -> tuple[str, ...]:
    """What is wrong with a chain: lines edited, removed, moved or cut short, each named.

    Parameters
    ----------
    text : str
        JSON lines.

    Returns
    -------
    tuple of str
        Empty where the chain holds.
    """
    lines: list[tuple[int, dict[str, Any]]] = []
    faults = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            lines.append((number, _parsed(line)))
        except (ValueError, TypeError) as error:
            faults.append(f"line {number} is not a record ({error})")
    edited = {number for number, row in lines if _hash({k: v for k, v in row.items() if k != "hash"}) != row["hash"]}
    faults += [f"line {number} was edited: its content does not give its hash" for number in sorted(edited)]
    faults += _order_faults(lines)
    if text and not text.endswith("\n"):
        faults.append(f"line {len(text.splitlines())} has no line end: the last write was cut short")
    return tuple(faults)


def _order_faults(lines: Sequence[tuple[int, dict[str, Any]]]) -> list[str]:
    faults, by_hash = [], {row["hash"]: number for number, row in lines}
    ordinals = [row["n"] for _, row in lines]
    if len(set(ordinals)) == len(ordinals) and ordinals != sorted(ordinals):
        moved = [number for (number, row), right in zip(lines, sorted(ordinals), strict=True) if row["n"] != right]
        faults.append(f"lines {', '.join(map(str, moved))} were reordered")
    previous = GENESIS
    for expected, (number, row) in enumerate(sorted(lines, key=lambda item: item[1]["n"]), start=1):
        if row["previous"] != previous and row["previous"] not in by_hash and row["previous"] != GENESIS:
            faults.append(f"the record before line {number} (record {row['n'] - 1}) was removed or replaced")
        elif row["previous"] != previous:
            faults.append(f"line {number} does not follow the record before it: a line was removed, added or replaced")
        elif row["n"] != expected:
            faults.append(f"line {number} says it is record {row['n']}, and is record {expected}")
        previous = row["hash"]
    return faults


def history_faults(text: str, *, heads: Mapping[str, str], earlier: Mapping[str, str]) -> tuple[str, ...]:
    """Whether what was published or committed earlier is still the beginning of the ledger.

    Parameters
    ----------
    text : str
        The ledger now.
    heads : mapping of str to str
        Where a head was printed (a page) -> the hash, or its first digits.
    earlier : mapping of str to str
        Name of an earlier version (a commit) -> its text.

    Returns
    -------
    tuple of str
        One sentence a contradiction.
    """
    known = {GENESIS, *(record.hash for record in read_ledger(text))}
    faults = [
        f"{place} shows the head {hash_[:12]}, which is not in the ledger: records were removed or rewritten"
        for place, hash_ in heads.items()
        if not any(own.startswith(hash_) for own in known)
    ]
    lines = text.splitlines()
    for name, old in earlier.items():
        before = old.splitlines()
        if lines[: len(before)] != before:
            at = next((i for i, (a, b) in enumerate(zip(lines, before, strict=False), 1) if a != b), len(lines) + 1)
            faults.append(f"{name}: line {at} of the ledger then is not line {at} now")
    return tuple(faults)


def is_simulated(record: Record) -> bool:
    """Whether a record was made for a simulated shop, its time included."""
    return record.payload.get("is_simulated") is True


def records_of(records: Iterable[Record], *, proposal: str, kind: RecordKind) -> tuple[Record, ...]:
    """Records of one proposal and kind, oldest first."""
    return tuple(record for record in records if record.proposal == proposal and record.kind == kind)


def _parsed(line: str) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict) or set(row) - {"format"} != set(_FIELDS):
        raise ValueError(f"needed the fields {', '.join(_FIELDS)}")
    if row.get("format", 1) not in range(1, FORMAT + 1):
        raise ValueError(f"format {row['format']} is not known here; a later opslib wrote it")
    if not isinstance(row["n"], int):
        raise TypeError("n is not an integer")
    return row


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_dump(body).encode()).hexdigest()


def _dump(row: Mapping[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
