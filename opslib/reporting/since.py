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
#: What a report keeps of a finding for the next one.
_KEPT = ("sentence", "estimate", "section", "is_told")


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of the index that leads to a page."""

    kind: str  # what it is: new, gone, changed, verdict, decision; for an alarm, why it is one
    text: str  # a sentence
    address: str  # page, and the finding on it where there is one; '' where no page says it any more


#: The metric whose fall is always an alarm.
MAIN = "revenue"


def is_whole(record: PageRecord) -> bool:
    """Whether a page is about all that its report is about: neither a part of an ``--each`` nor a proposal."""
    return record.name == record.notebook.removesuffix(".ipynb") and not record.harvest.proposals


def is_harmful(card: Mapping[str, Any]) -> bool:
    """Whether a proposal's verdict is that it does harm."""
    return str(card["verdict"]).startswith("harmful")


def alarms(records: Sequence[PageRecord]) -> list[Notice]:
    """What calls for somebody today, in the order of the pages.

    An alarm is: a page that could not be made; a rule of the data that is broken as an error (its finding says what to
    mend); a key figure whose change is worse beyond chance (its whole interval lies on the bad side of zero; of the revenue
    against the year before where that is known, since a season is no alarm); a launched promise to undo; a proposal that
    does harm and was not rejected, or cannot be judged and was not decided. Parts of a report raise none of their own but
    that they could not be made.

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
            if card["id"] not in undone and (text := _why_card(card)):
                found.append(Notice("proposal", f"{card['id']} {card['title']} {text}.", f"{record.name}.html"))
        for item in every[record.name] if is_whole(record) else ():
            if why := _why_alarming(item, every[record.name]):
                found.append(Notice(why, item.sentence, address(record.name, item)))
    return found


def _why_card(card: Mapping[str, Any]) -> str:
    decision = str(card.get("decision") or "")
    if is_harmful(card) and not decision.startswith("reject"):
        if decision.startswith("launch"):
            return f"does harm and was launched; undo it if it is still on: {decision}"
        return f"does harm: {decision or 'not decided'}"
    if card["verdict"].startswith("invalid") and not decision:
        return f"cannot be judged: {card['verdict']}, not decided"
    return ""


def _why_alarming(item: Finding, others: Sequence[Finding]) -> str:
    if item.role == "promise" or (item.role == "data" and item.action):
        return item.role
    metric, side = METRICS.get(item.about.metric or ""), "previous"
    if item.role != "change" or item.about.scope or not metric:
        return ""
    if metric.name == MAIN and any(
        (one.role, one.about.metric, one.about.compared) == ("change", MAIN, "year_before")
        and one.estimate and not _is_counted(one.estimate) and not one.about.scope for one in others
    ):  # fmt: skip
        side = "year_before"
    change = item.estimate
    if item.about.compared != side or not change:
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


def address(page: str, item: Finding) -> str:
    """Where a finding is told: its sentence, else the section that argues it, else the page."""
    place = finding_anchor(item.key) if item.is_told else item.section
    return f"{page}.html#{place}" if place else f"{page}.html"


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
                "findings": {e["key"]: {n: e.get(n) for n in _KEPT} for e in r.harvest.findings},
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
    whole = {record.name for record in records if is_whole(record)}
    for name, page in ((name, page) for name, page in now["pages"].items() if name in whole):
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
    """Sentences that are new or gone, and numbers that moved; what no reader saw is neither new nor gone."""
    for key, item in now.items():
        is_told = item.get("is_told") is not False
        place = finding_anchor(key) if is_told else item.get("section")
        there = f"{name}.html#{place}" if place else f"{name}.html"
        if key not in past:
            yield from [Notice("new", item["sentence"], there)] if is_told else []
        elif _has_moved(past[key]["estimate"], item["estimate"]):
            yield Notice("changed", item["sentence"], there)
    for key, item in past.items():
        if key not in now and item.get("is_told") is not False:
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
