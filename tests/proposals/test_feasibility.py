"""Feasibility: the seven bad proposals of the truth protocol, each caught by name, and every other finding."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from opslib.metrics import METRICS
from opslib.periods import Period
from opslib.proposals.evaluate import check_proposal, definitions_of
from opslib.proposals.feasibility import HistoryRange, PrePeriod, Traffic, feasibility
from opslib.proposals.preregistration import freeze
from opslib.proposals.schema import Consultation, Effort, Proposal
from tests.proposals.planted import proposal, shop, visitor_test

TRAFFIC = Traffic(units_per_day=1_000, variation=9.0, baseline=0.1)


def _names(given: Proposal, **known: object) -> set[str]:
    return {item.name for item in feasibility(given, metrics=METRICS, pre_period=PrePeriod(**known))}  # type: ignore[arg-type]


def test_a_good_proposal_has_no_finding() -> None:
    history = HistoryRange(values=(0.08, 0.1, 0.09, 0.11, 0.1, 0.12))
    assert _names(proposal(), traffic={"c1": TRAFFIC}, history={"c1": history}) == {"sample out of reach"}
    assert (
        _names(
            proposal(),
            traffic={"c1": Traffic(units_per_day=5_000, variation=9.0, baseline=0.1)},
            history={"c1": history},
        )
        == set()
    )


def test_no_denominator() -> None:
    # Revenue is a plain sum: without a unit, more traffic alone would fulfil it.
    bad = proposal(metric="revenue").claims[0].model_copy(update={"unit": None, "metric": "revenue"})
    assert "no denominator" in _names(proposal().model_copy(update={"claims": (bad,)}))
    assert "no denominator" not in _names(proposal(metric="revenue"))


def test_no_deadline() -> None:
    assert "no deadline" in _names(proposal().model_copy(update={"deadline": None}))


@pytest.mark.parametrize(
    ("sentence", "is_two"),
    [
        ("Conversion rises by 5 % and average order value rises by 3 %.", True),
        ("Free delivery raises conversion and reduces returns.", True),
        ("Conversion, repeat rate improve by 5 %.", True),
        ("Fewer searches end empty while the rating grows.", True),
        ("Conversion of visitors rises by 5 % with free delivery and a note.", False),
        ("Conversion of visits rises from 2 % to 3 % on phones and tablets.", False),
        ("Revenue per visitor rises by 4 %.", False),
    ],
)
def test_two_goals_in_one(sentence: str, is_two: bool) -> None:
    claim = proposal().claims[0].model_copy(update={"sentence": sentence})
    assert ("two goals in one" in _names(proposal().model_copy(update={"claims": (claim,)}))) == is_two


def test_promise_outside_history() -> None:
    # Largest step in history: .1 to .12, 20 %. Ten windows of noise never moved by the promised 10 %.
    steady = HistoryRange(values=tuple(0.1 + 0.001 * (i % 2) for i in range(10)))
    assert "promise outside history" in _names(proposal(), history={"c1": steady})
    assert "promise outside history" not in _names(proposal(), history={"c1": HistoryRange(values=(0.1, 0.12) * 4)})


def test_a_promise_in_units_is_a_share_of_the_last_window_where_that_is_not_zero() -> None:
    claim = proposal().claims[0].model_copy(update={"scale": "absolute", "promise": 0.05})
    given = proposal().model_copy(update={"claims": (claim,)})
    # .05 on .1 is 50 %, beyond the largest step of 20 %; on 0 it is no share of anything.
    assert "promise outside history" in _names(given, history={"c1": HistoryRange(values=(0.12, 0.1) * 4)})
    assert "promise outside history" not in _names(given, history={"c1": HistoryRange(values=(0.12, 0.1) * 4 + (0.0,))})


def test_a_level_never_reached_is_outside_history() -> None:
    level = proposal(design="{kind: level}", promise="0.2")
    assert "promise outside history" in _names(level, history={"c1": HistoryRange(values=(0.1, 0.12, 0.15, 0.11, 0.1))})


def test_too_little_history_says_nothing() -> None:
    assert "promise outside history" not in _names(proposal(), history={"c1": HistoryRange(values=(0.1, 0.1))})


def test_sample_out_of_reach_before_the_deadline() -> None:
    # +10 % at variation 9 needs about 4 x 9 x (2.8/ln 1.1)^2 = 31,000 units; a week until the deadline brings 7,000.
    soon = proposal(deadline="2026-04-13")
    assert "sample out of reach" in _names(soon, traffic={"c1": TRAFFIC})
    found = next(f for f in feasibility(soon, metrics=METRICS, pre_period=PrePeriod(traffic={"c1": TRAFFIC})))
    assert "too few visitors" in found.sentence
    assert "28 days until the deadline bring about 28,000 of the 31,000 needed" in found.sentence


def test_metric_swapped_after_freezing() -> None:
    record = freeze(proposal(), definitions=definitions_of(proposal()), at=datetime(2026, 2, 1, tzinfo=UTC))
    swapped = proposal(metric="session_conversion")
    names = {f.name for f in check_proposal(swapped, shop=shop(visitor_test(n=200)), frozen=record)}
    assert "metric swapped after freezing" in names
    moved = proposal(promise="0.01")
    names = {f.name for f in check_proposal(moved, shop=shop(visitor_test(n=200)), frozen=record)}
    assert "changed after freezing" in names
    assert "metric swapped after freezing" not in names


def test_cherry_picked_window_of_a_test() -> None:
    run = Period(date(2026, 3, 2), date(2026, 3, 29))
    part = proposal(window="{start: 2026-03-09, end: 2026-03-22}")
    assert "cherry-picked window" in _names(part, runs={"c1": run})
    assert "cherry-picked window" not in _names(part, runs={"c1": run}, frozen_in_time=True)
    assert "cherry-picked window" not in _names(proposal(), runs={"c1": run})


def test_cherry_picked_window_of_a_level() -> None:
    level = proposal(design="{kind: level}", promise="0.05")
    best = HistoryRange(values=(0.1, 0.11, 0.1, 0.12, 0.3), chosen=0.3)
    usual = HistoryRange(values=(0.1, 0.11, 0.1, 0.12, 0.11), chosen=0.11)
    assert "cherry-picked window" in _names(level, history={"c1": best})
    assert "cherry-picked window" not in _names(level, history={"c1": best}, frozen_in_time=True)
    assert "cherry-picked window" not in _names(level, history={"c1": usual})


def test_a_window_of_part_weeks_is_a_warning() -> None:
    found = feasibility(
        proposal(window="{start: 2026-03-02, end: 2026-03-11}"), metrics=METRICS, pre_period=PrePeriod()
    )
    assert [(f.name, f.severity) for f in found] == [("window of part weeks", "warning")]


CAPACITY = pd.DataFrame(
    {
        "department": ["Web", "Web", "Logistics"],
        "month": pd.to_datetime(["2026-04-01", "2026-05-01", "2026-04-01"]),
        "person_days": [5.0, 5.0, 1.0],
        "budget_amount": [1_000.0, 0.0, 0.0],
    }
)


def _with(**fields: object) -> Proposal:
    return proposal().model_copy(update=fields)


def test_capacity_over_the_months_until_the_deadline() -> None:
    fits = _with(owner_person_days=10.0)
    assert "over capacity" not in _names(fits, capacity=CAPACITY)
    assert "over capacity" in _names(_with(owner_person_days=10.5), capacity=CAPACITY)
    assert "over budget" in _names(_with(one_off_cost_amount=1_001.0), capacity=CAPACITY)
    unknown = _with(departments=(Effort(department="Press", person_days=1.0),))
    assert "capacity unknown" in _names(unknown, capacity=CAPACITY)


def test_the_answered_effort_counts_more_than_the_asked_one() -> None:
    answer = Consultation(
        department="Logistics", person="Ana", date=date(2026, 2, 1), answer="agree", effort_person_days=3.0
    )
    given = _with(departments=(Effort(department="Logistics", person_days=1.0),), consultations=(answer,))
    assert "over capacity" in _names(given, capacity=CAPACITY)


def test_prerequisites_and_exclusions() -> None:
    given = _with(depends_on=("P-000",), excludes=("P-002",))
    assert _names(given, proposals={"P-000": "open", "P-002": "running"}) == {"prerequisite missing", "excluded"}
    assert _names(given, proposals={"P-000": "done", "P-002": "rejected"}) == set()


def test_silence_objection_and_condition_stand_by_name() -> None:
    silent = _with(departments=(Effort(department="Logistics", person_days=1.0),))
    assert _names(silent) == {"no answer"}
    answers = [
        Consultation(department="Logistics", person="Ana", date=date(2026, 2, 1), answer="object", note="no van"),
        Consultation(department="Logistics", person="Ana", date=date(2026, 2, 9), answer="agree_if", note="a van"),
    ]
    assert _names(silent.model_copy(update={"consultations": (answers[0],)})) == {"objection"}
    # The later answer replaces the earlier one.
    assert _names(silent.model_copy(update={"consultations": tuple(answers)})) == {"condition"}


def test_traffic_and_history_are_read_before_the_window_only() -> None:
    tables = visitor_test(n=2_000)
    early = {name: table.copy() for name, table in visitor_test(n=2_000, seed=4).items()}
    for name, column in (("sessions", "started_at"), ("order_lines", "ordered_at")):
        early[name][column] -= pd.Timedelta(days=28)
        for key in ("session_id", "visitor_id", "order_id"):
            if key in early[name]:
                early[name][key] = "x" + early[name][key]
        tables[name] = pd.concat([early[name], tables[name]])
    found = check_proposal(proposal(promise="0.02"), shop=shop(tables, as_of=date(2026, 3, 1)))
    reach = next(item for item in found if item.name == "sample out of reach")
    # 2,000 visitors in the 28 days before: 28 more days bring about 2,000.
    assert "bring about 2,000" in reach.sentence
