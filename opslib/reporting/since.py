"""Alarms of the pages, and what changed since the report before."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.finding import Finding, read_estimate
from opslib.metrics import METRICS
from opslib.reporting.manifest import PageRecord, digest
from opslib.stats.estimates import Estimate

PERIOD = ("start", "end")


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of the index that leads to a page."""

    kind: str  # what it is: new, gone, changed, verdict, decision; for an alarm, why it is one
    text: str  # a sentence
    address: str  # page, and the finding on it where there is one; '' where no page says it any more


def alarms(records: Sequence[PageRecord]) -> list[Notice]:
    """What calls for somebody today, in the order of the pages.

    An alarm is: a page that could not be made; a rule of the data that is broken as an error (its finding says what to
    mend); a key figure whose change is worse beyond chance (its whole interval lies on the bad side of zero); a launched
    promise to undo; a proposal that is harmful (also by a broken guardrail) or invalid and was not rejected.

    Parameters
    ----------
    records : sequence of PageRecord
        The run's pages.

    Returns
    -------
    list of Notice
    """
    every = {r.name: [Finding.from_json(item) for item in r.harvest.findings] for r in records}
    undone = {
        name for items in every.values() for item in items if item.role == "promise" for name in item.about.objects
    }
    found = []
    for record in records:
        if record.status == "failed":
            found.append(Notice("page failed", f"{record.title} This page could not be made.", f"{record.name}.html"))
        for card in record.harvest.proposals:
            is_bad = card["verdict"].startswith(("harmful", "invalid")) and card["id"] not in undone
            if is_bad and not str(card.get("decision") or "").startswith("reject"):
                text = f"{card['id']} {card['title']}: {card['verdict']}, {card.get('decision') or 'not decided'}."
                found.append(Notice("proposal", text, f"{record.name}.html"))
        for item in () if record.harvest.proposals else every[record.name]:
            if why := _why_alarming(item):
                found.append(Notice(why, item.sentence, _address(record.name, item.key)))
    return found


def _why_alarming(item: Finding) -> str:
    if item.role == "promise" or (item.role == "data" and item.action):
        return item.role
    change, metric = item.estimate, METRICS.get(item.about.metric or "")
    if item.role != "change" or item.about.compared != "previous" or item.about.scope or not metric or not change:
        return ""
    is_worse = change.upper < 0 if metric.direction > 0 else change.lower > 0
    return "key figure" if is_worse and not _is_counted(change) else ""


def finding_anchor(key: str) -> str:
    """Id of a finding on its page.

    Examples
    --------
    >>> finding_anchor("rule-order_lines: must be filled")
    'f-rule-order_lines-must-be-filled'
    """
    return "f-" + re.sub(r"[^a-z0-9_]+", "-", key.lower()).strip("-")


def _address(page: str, key: str) -> str:
    return f"{page}.html#{finding_anchor(key)}"


def snapshot(records: Sequence[PageRecord]) -> dict[str, Any]:
    """What a later report compares itself with, as JSON values.

    Parameters
    ----------
    records : sequence of PageRecord
        A run's pages.

    Returns
    -------
    dict
        ``state`` (digest of data, period and proposals: the same for the same data made again), ``data_until``, ``pages``
        (parameters but for the period, findings by key) and ``proposals`` (title, verdict, decision by id).
    """
    about = [r for r in records if not r.harvest.proposals]
    cards = [card for r in records for card in r.harvest.proposals]
    parts = {
        (digest(r.asked) if None not in r.asked.values() else r.sha256, *(str(r.parameters.get(p, "")) for p in PERIOD))
        for r in records
    }
    return {
        "state": digest(sorted(parts)),
        "data_until": max((r.harvest.provenance.get("data_until") or "" for r in records), default=""),
        "pages": {
            r.name: {
                "asked": {k: v for k, v in r.parameters.items() if k not in PERIOD},
                "findings": {e["key"]: {n: e.get(n) for n in ("sentence", "estimate")} for e in r.harvest.findings},
            }
            for r in about
            if r.status == "ok"
        },
        "proposals": {c["id"]: {name: c.get(name) for name in ("title", "verdict", "decision")} for c in cards},
    }


def changes(records: Sequence[PageRecord], before: Mapping[str, Any]) -> list[Notice]:
    """New, gone and moved findings of the pages that both reports have, verdicts and decisions of proposals.

    A finding moved when its number differs by more than both intervals allow; one that is counted has no interval, and
    does not move here. A page with other parameters than before (the period apart) is not compared.

    Parameters
    ----------
    records : sequence of PageRecord
        The run's pages.
    before : mapping
        From `snapshot`, of an earlier run.

    Returns
    -------
    list of Notice
        Decisions and verdicts first.
    """
    now = snapshot(records)
    found: list[Notice] = []
    for record in records:
        for card in record.harvest.proposals:
            found += _card_changes(record.name, card, before["proposals"].get(card["id"]))
    gone = [
        f"{i} {c['title']}" for i, c in before["proposals"].items() if now["proposals"] and i not in now["proposals"]
    ]
    found += [Notice("gone", f"{name} is no longer among the proposals.", "") for name in gone]
    found.sort(key=lambda notice: ("decision", "verdict", "new", "gone").index(notice.kind))
    for name, page in now["pages"].items():
        past = before["pages"].get(name)
        if past is not None and past["asked"] == page["asked"]:
            found += _page_changes(name, page["findings"], past["findings"])
    return found


def _card_changes(page: str, card: Mapping[str, Any], past: Mapping[str, Any] | None) -> Iterator[Notice]:
    name, address = f"{card['id']} {card['title']}", f"{page}.html"
    if past is None:
        yield Notice("new", f"{name}: {card['verdict']}.", address)
    elif past["verdict"] != card["verdict"]:
        yield Notice("verdict", f"{name}: {card['verdict']}, was {past['verdict']}.", address)
    if card.get("decision") and (past or {}).get("decision") != card["decision"]:
        yield Notice("decision", f"{name}: {card['decision']}.", address)


def _page_changes(name: str, now: Mapping[str, Any], past: Mapping[str, Any]) -> Iterator[Notice]:
    for key, item in now.items():
        if key not in past:
            yield Notice("new", item["sentence"], _address(name, key))
        elif _has_moved(past[key]["estimate"], item["estimate"]):
            yield Notice("changed", item["sentence"], _address(name, key))
    for key, item in past.items():
        if key not in now:
            yield Notice("gone", item["sentence"], f"{name}.html")


def _has_moved(past: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    """Whether two numbers differ by more than their intervals together allow."""
    if not past or not now or past["unit"] != now["unit"]:
        return False
    low, high = sorted((read_estimate(past), read_estimate(now)), key=lambda e: e.value)
    if _is_counted(low) or _is_counted(high):
        return False
    return high.value - low.value > math.hypot(low.upper - low.value, high.value - high.lower)


def _is_counted(estimate: Estimate) -> bool:
    return estimate.lower == estimate.upper
