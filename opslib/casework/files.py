"""Proposals and their ledger on disk: YAML files, one locked append-only ledger a shop, checked against git's history."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from opslib.errors import LedgerError, OpslibError, ProposalError, nearest
from opslib.proposals.drafting import ProposalDraft
from opslib.proposals.ledger import (
    Record,
    RecordKind,
    history_faults,
    is_simulated,
    ledger_faults,
    next_line,
    read_ledger,
    records_of,
)
from opslib.proposals.parsing import parse_proposal
from opslib.proposals.preregistration import FrozenRecord, first_freezes
from opslib.proposals.schema import Consultation, Proposal
from opslib.shop.disk import locked, write_whole
from opslib.shop.reads import note
from opslib.shop.root import proposals_of

LEDGER = "ledger.jsonl"
#: Commits of the ledger that are looked at.
VERSIONS = 50
_HEAD = re.compile(r"ledger head.{0,80}?\b([0-9a-f]{12,64})\b", re.DOTALL | re.IGNORECASE)
_NEW = """\
# A proposal: what we want to change, and what would prove us wrong. docs/proposals.md says how to write one.
id: {id}
title: What changes, in five words
need: Which need of visitors or customers this answers, and where it was seen
owner: Department that carries it out
owner_person_days: 5
departments:
  - {{department: Another department, person_days: 2}}
one_off_cost_amount: 1000
running_cost_amount: 0
reach: 10000
horizon_days: 365
start: {start}
deadline: {deadline}
stated_probability: 0.5
claims:
  - id: c1
    sentence: Conversion of visitors rises by 5 %.
    metric: conversion
    unit: visitor
    promise: 0.05
    smallest_worthwhile: 0
    window: {{start: {start}, end: {deadline}}}
    design: {{kind: experiment, experiment: {id}, control: control, treatment: treatment, randomised: visitor}}
"""


class Proposals(dict[str, Proposal]):
    """Proposals of a shop by id, in the order of ids; asking for one that is not there names the nearest.

    Parameters
    ----------
    shop : str
        Name of the shop.
    """

    def __init__(self, shop: str) -> None:
        super().__init__()
        self.shop = shop
        self.paths: dict[str, Path] = {}

    def __missing__(self, proposal_id: str) -> Proposal:
        raise ProposalError(
            f"no proposal '{proposal_id}' for {self.shop}; {nearest(proposal_id, self) if self else 'none yet'}"
        )


def load_proposals(folder: Path) -> Proposals:
    """Read every proposal of a shop.

    Parameters
    ----------
    folder : Path
        ``data/proposals/<shop>``.

    Returns
    -------
    Proposals
        A dict of id to Proposal, with the ``paths`` of their files; empty where the folder does not exist.

    Raises
    ------
    ProposalError
        A file breaks the schema, each fault named, or two hold the same id.
    """
    note("proposals", folder.name)
    found = Proposals(folder.name)
    read: dict[str, tuple[Proposal, Path]] = {}
    for path in sorted(folder.glob("*.yml")):
        proposal = parse_proposal(_text(path, ProposalError), source=path.name)
        if proposal.id in read:
            raise ProposalError(f"{path.name}: id '{proposal.id}' is used by another file; give it its own")
        read[proposal.id] = proposal, path
    for name, (proposal, path) in sorted(read.items()):
        found[name], found.paths[name] = proposal, path
    return found


def write_new_proposal(folder: Path, proposal_id: str, *, start: str, deadline: str) -> Path:
    """Write a file to fill in; neither a file nor an id is ever used twice.

    Parameters
    ----------
    folder : Path
        ``data/proposals/<shop>``.
    proposal_id : str
    start, deadline : str
        ISO dates.

    Returns
    -------
    Path
    """
    text = _NEW.format(id=proposal_id, start=start, deadline=deadline)
    parse_proposal(text, source=f"{proposal_id}.yml")
    return _write_new(folder / f"{proposal_id}.yml", proposal_id, text)


def write_draft(folder: Path, draft: ProposalDraft) -> Path:
    """Write a draft as ``<id>-draft.yml``; neither a file nor an id is ever used twice.

    Parameters
    ----------
    folder : Path
        ``data/proposals/<shop>``.
    draft : ProposalDraft

    Returns
    -------
    Path
    """
    return _write_new(folder / f"{draft.id}-draft.yml", draft.id, draft.text)


def _write_new(path: Path, proposal_id: str, text: str) -> Path:
    if path.exists() or proposal_id in load_proposals(path.parent):
        raise ProposalError(f"proposal '{proposal_id}' exists; choose another id, or edit its file in {path.parent}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def add_consultation(folder: Path, proposal_id: str, consultation: Consultation) -> Path:
    """Write a department's answer into a proposal's file, whose other lines stay as they are.

    Parameters
    ----------
    folder : Path
        ``data/proposals/<shop>``.
    proposal_id : str
    consultation : Consultation

    Returns
    -------
    Path
        The file.
    """
    known = load_proposals(folder)
    path = known.paths[known[proposal_id].id]
    text = path.read_text(encoding="utf-8")
    item = yaml.safe_dump([consultation.model_dump(exclude_defaults=True)], sort_keys=False, allow_unicode=True)
    block = "".join(f"  {line}\n" for line in item.splitlines())
    new = _with_block(text, "consultations", block)
    parse_proposal(new, source=path.name)
    write_whole(path, new)
    return path


def ledger_path(folder: Path) -> Path:
    """The ledger of a shop's proposals."""
    return folder / LEDGER


def read_records(folder: Path) -> tuple[Record, ...]:
    """Records of a shop's ledger; none where there is no file.

    Raises
    ------
    LedgerError
        The chain is broken; the first fault is named.
    """
    note("ledger", folder.name)
    return read_ledger(_text(ledger_path(folder)))


def records_of_shop(shop: str) -> tuple[Record, ...]:
    """The ledger of a shop, by its name."""
    return read_records(proposals_of(shop))


def proposals_of_shop(shop: str) -> Proposals:
    """Every proposal of a shop, by its name."""
    return load_proposals(proposals_of(shop))


def titles_of_shop(shop: str) -> dict[str, str]:
    """Title of each proposal of a shop, by id."""
    return {name: item.title for name, item in proposals_of_shop(shop).items()}


def append_record(
    folder: Path,
    *,
    kind: RecordKind,
    proposal: str,
    at: datetime,
    payload: Mapping[str, Any],
) -> Record:
    """Append one record, holding the ledger's lock, and force it to the disk.

    Parameters
    ----------
    folder : Path
        ``data/proposals/<shop>``.
    kind, proposal, at, payload
        As in `proposals.ledger.Record`.

    Returns
    -------
    Record

    Raises
    ------
    LedgerError
        The chain is broken; nothing is written.
    """
    with locked(ledger_path(folder)) as file:
        text = file.read()
        line = next_line(text, kind=kind, proposal=proposal, at=at, payload=payload)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return read_ledger(text + line)[-1]


def frozen_records(folder: Path) -> dict[str, FrozenRecord]:
    """The first freeze of every proposal of a shop."""
    return first_freezes(read_records(folder))


def write_freeze(folder: Path, record: FrozenRecord) -> Record:
    """Append a freeze; a proposal is frozen once.

    Raises
    ------
    ProposalError
        It is frozen already.
    """
    if records_of(read_records(folder), proposal=record.proposal_id, kind="freeze"):
        raise ProposalError(f"{record.proposal_id} is frozen already; a changed claim is a new proposal with a new id")
    return append_record(
        folder, kind="freeze", proposal=record.proposal_id, at=record.frozen_at, payload=record.to_json()
    )


def check_ledger(
    folder: Path, *, pages: Mapping[str, str] | None = None, may_be_simulated: bool = False
) -> tuple[str, ...]:
    """Everything that is wrong with a shop's ledger, itself and against what was published and committed.

    Parameters
    ----------
    folder : Path
        ``data/proposals/<shop>``.
    pages : mapping of page name to HTML
        Published pages, whose "ledger head" is looked up.
    may_be_simulated : bool
        Whether the shop is simulated: a ledger that was made for it is made anew as a whole, so it is held to its own
        chain only.

    Returns
    -------
    tuple of str
        One sentence a fault; empty where all agree.
    """
    text = _text(ledger_path(folder))
    faults = ledger_faults(text)
    if faults:
        return faults
    made = [record.n for record in read_ledger(text) if is_simulated(record)]
    if made and not may_be_simulated:
        return (f"record {made[0]} is marked simulated, and the shop is not; restore the file from the repository",)
    if made:
        return ()
    heads = {name: match for name, html in (pages or {}).items() for match in _HEAD.findall(html)}
    return history_faults(text, heads=heads, earlier=committed_versions(ledger_path(folder)))


def committed_versions(path: Path) -> dict[str, str]:
    """Text of a file at its last commits, newest first; empty outside a repository."""
    if not path.parent.is_dir():
        return {}
    commits = _git(path, "log", f"-{VERSIONS}", "--format=%h", "--", path.name)
    versions = {}
    for commit in (commits or "").split():
        text = _git(path, "show", f"{commit}:./{path.name}")
        if text is not None:
            versions[f"commit {commit}"] = text
    return versions


def _git(path: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=path.parent, capture_output=True, text=True, check=False, timeout=30
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def _text(path: Path, error: type[OpslibError] = LedgerError) -> str:
    if not path.exists():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise error(
            f"{path.name}: not UTF-8 text ({fault.reason} at byte {fault.start}); restore it from the repository"
        ) from None


def _with_block(text: str, key: str, block: str) -> str:
    """The YAML text with lines added to the list of a top-level key, comments and order kept."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    at = next((i for i, line in enumerate(lines) if line.startswith(f"{key}:")), None)
    if at is None:
        return "".join(lines) + f"{key}:\n{block}"
    rest = lines[at].split(":", 1)[1].split("#")[0].strip()
    if rest not in ("", "[]"):
        raise ProposalError(f"{key}: is written on one line; write it as a list, one item a line, and try again")
    lines[at] = f"{key}:\n"
    end = next((i for i in range(at + 1, len(lines)) if re.match(r"[^\s#-]", lines[i])), len(lines))
    first = next((line for line in lines[at + 1 : end] if line.lstrip().startswith("- ")), "  - ")
    indent = first[: len(first) - len(first.lstrip())]
    shifted = "".join(f"{indent}{line[2:]}\n" for line in block.splitlines())
    return "".join([*lines[:end], shifted, *lines[end:]])
