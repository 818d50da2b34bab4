"""Where proposals stand: who must answer, what is to be looked at again."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from opslib.casework.agenda import NOTICE_DAYS, standings
from opslib.proposals.ledger import Record
from opslib.proposals.parsing import parse_proposal

TEXT = """
id: P-1
title: Pots
need: Nobody finds pots
owner: Buying
departments: [{department: warehouse, person_days: 1}, {department: Finance, person_days: 1}, {department: Buying}]
consultations: [CONSULTATIONS]
start: 2026-06-01
rests_on: [{page: 60_product_control, finding: stock-outs}]
claims:
  - id: c1
    sentence: Conversion rises by 5 %.
    metric: conversion
    unit: visitor
    promise: 0.05
    window: {start: 2026-06-01, end: 2026-07-31}
    design: {kind: experiment, experiment: P-1, control: a, treatment: b, randomised: visitor}
    follow_up: {design: before_after, window: {start: 2026-08-01, end: 2026-09-30}}
"""
END = date(2026, 9, 30)


def proposal(consultations: str = "", more: str = ""):
    return parse_proposal(TEXT.replace("CONSULTATIONS", consultations) + more, source="P-1.yml")


def decision(word: str = "launch", **more: object) -> Record:
    payload = {"decision": word, "claim": "c1", "is_replay": False, **more}
    return Record(
        n=1, at="2026-07-31T09:00:00+00:00", proposal="P-1", kind="decision", payload=payload, previous="", hash=""
    )


def stands(consultations: str = "", records: tuple = (), on: date | None = END, more: str = ""):
    (found,) = standings({"P-1": proposal(consultations, more)}, records, on=on)
    return found


def test_who_has_not_answered_or_has_a_condition_is_waited_for_by_its_one_name() -> None:
    assert stands().waits_for == ("Logistics", "Finance")  # the owner need not answer to itself
    agrees = "{department: Logistics, person: A, date: 2026-05-01, answer: agree}"
    objects = "{department: Finance, person: B, date: 2026-05-02, answer: object, note: too dear}"
    assert stands(f"{agrees}, {objects}").waits_for == ("Finance",)
    later = "{department: Finance, person: B, date: 2026-05-03, answer: agree}"
    assert stands(f"{agrees}, {objects}, {later}").waits_for == ()


@pytest.mark.parametrize(
    ("days", "day", "is_overdue"),
    [(-NOTICE_DAYS - 1, None, False), (-NOTICE_DAYS, END, False), (0, END, False), (1, END, True)],
)
def test_a_follow_up_is_due_in_its_last_month_and_overdue_after_it(
    days: int, day: date | None, is_overdue: bool
) -> None:
    found = stands(records=(decision(),), on=END + timedelta(days=days))
    assert (found.follow_up_on, found.is_overdue) == (day, is_overdue)


@pytest.mark.parametrize("records", [(), (decision("test first"),), (decision(is_replay=True),)])
def test_only_a_real_launch_is_followed_up(records: tuple) -> None:
    assert stands(records=records, on=END + timedelta(days=9)).follow_up_on is None


def test_a_follow_up_that_was_made_is_no_longer_due() -> None:
    from dataclasses import replace

    made = replace(decision(), kind="follow_up")
    assert stands(records=(decision(), made), on=END + timedelta(days=9)).follow_up_on is None
    assert stands(records=(decision(),), on=None).follow_up_on is None  # a shop without dates


def test_replays_drafts_and_what_it_rests_on_are_said() -> None:
    found = stands()
    assert (found.is_replay, found.is_draft, found.rests_on) == (False, False, (("60_product_control", "stock-outs"),))
    assert stands(more="replay: true\n").is_replay
    assert stands(records=(decision(is_replay=True),)).is_replay
    assert stands(more="to_do: ['reach: nobody knows']\n").is_draft
