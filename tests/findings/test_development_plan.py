"""The development plan in words: what now, what after, what not; nothing said of nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import charts
from opslib.findings import development_plan as say
from opslib.proposals import portfolio
from opslib.proposals.portfolio import DAYS, Candidate, Capacity
from opslib.proposals.roadmap import OpenCases, candidates_of, compare_rules, net_draws, roadmap, steps_of
from tests.findings.facts import page
from tests.proposals.test_roadmap import EVERY, MONTHS, judged, planned

FACTS = page(tables=frozenset({"capacity"}))


def _made(cases: list[Any], *days: float) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    free = Capacity(months=MONTHS[: len(days)], free={("Technology", DAYS): np.array(days)})
    steps = steps_of(cases)
    candidates = candidates_of(cases, steps, capacity=free)
    live = portfolio.plan_portfolio(candidates, capacity=free)
    stability = portfolio.choice_stability(candidates, net_draws(cases, candidates, n_draws=4), capacity=free)
    why = portfolio.what_keeps_out(candidates, live, capacity=free)
    return (
        roadmap(steps, live, months=free.months, why=why, stability=stability),
        portfolio.person_month_worth(candidates, capacity=free),
        compare_rules(candidates, live, capacity=free),
    )


def test_now_after_not_and_why() -> None:
    plan, people, rules = _made(EVERY, 4.0, 4.0, 4.0)
    cases = OpenCases(judged=tuple(EVERY))
    assert say.answer(plan, cases, months=MONTHS) == (
        "Begin in April: A Idea A (launch) and C Idea C (decide by judgement). After that: B Idea B (test first). "
        "Not K Idea K (and 3 others): Technology has not the days for it."
    )
    found = {one.key: one for one in say.findings(plan, people, rules, months=MONTHS, page=FACTS)}
    assert found["begin-a"].sentence == "A Idea A is expected to bring £400 a year net."
    assert (found["begin-a"].action, found["begin-a"].department) == ("launch A Idea A", "Technology")
    assert (
        found["begin-c"].sentence
        == "C Idea C is expected to bring £180 a year net, and cannot be tested in any useful time."
    )
    assert found["find-out"].sentence == "4 proposals cannot be compared, since the money is not known: G, H, I, J."
    # With 20 days more in April B comes a month earlier: an eighteenth of 137; K needs 99.
    assert (
        found["person-month"].sentence
        == "One person added at Technology in April would bring £8 over the horizon of B."
    )
    assert say.limits(plan, FACTS) == ("4 of 11 proposals are not in the choice, because the money is not known.",)


def test_a_test_is_worth_between_nothing_and_what_the_change_brings_at_best() -> None:
    plan, people, rules = _made([judged("B", -80.0, "test first", tests=(137.0,))], 9.0)
    (found, *_) = say.findings(plan, people, rules, months=MONTHS, page=FACTS)
    assert found.sentence == "Testing B Idea B 14 days before deciding is worth about £91 a year."
    assert found.worth is not None
    assert (found.worth.lower, round(found.worth.value, 2)) == (0.0, 91.25)


def test_of_nothing_nothing_is_said() -> None:
    plan, people, rules = _made([], 4.0)
    assert say.findings(plan, people, rules, months=MONTHS, page=FACTS) == ()
    assert say.answer(plan, OpenCases(), months=MONTHS) == "Nothing is proposed here yet, so there is nothing to plan."
    assert say.answer(plan, OpenCases(launched=("A",)), months=MONTHS).endswith("every proposal is decided.")
    assert (
        say.answer(plan, OpenCases(n_replays=2), months=MONTHS)
        == "Nothing is to be planned: 2 proposals are replayed on old data."
    )
    assert "capacity" in say.limits(plan, page())[0]
    lost, *_ = _made([judged("F", -5.0, "reject")], 4.0)
    assert say.answer(lost, OpenCases(), months=MONTHS) == (
        "Nothing that is proposed is worth its days by what is known today. Not F Idea F: it loses money on average."
    )


def test_what_was_asked_names_what_is_decided() -> None:
    cases = OpenCases(judged=tuple(EVERY), drafts=(planned("L"),), decided=(planned("X"),), n_replays=1)
    assert say.what_was_asked(cases) == (
        "12 proposals to be decided.", "Decided, and their days set aside first: X Idea X.", "Left out as replayed on old data: 1 proposal.",
    )  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(-300, 900), st.integers(0, 9)), min_size=1, max_size=5), st.integers(0, 12))
def test_what_is_begun_now_is_what_the_plan_holds_and_fits(items: list[tuple[int, int]], days: int) -> None:
    cases = [judged(f"P{i}", float(net), days=float(need)) for i, (net, need) in enumerate(items)]
    plan, people, rules = _made(cases, float(days))
    begun = [f for f in say.findings(plan, people, rules, months=MONTHS, page=FACTS) if f.key.startswith("begin-")]
    assert sum(items[int(f.about.objects[0][1:])][1] for f in begun) <= days
    assert all(f.worth is None or f.worth.value > 0 for f in begun)
    assert sum(f.action is not None for f in begun) <= 3
    if not begun:
        assert say.answer(plan, OpenCases(), months=MONTHS).startswith("Nothing that is proposed")


def _work(n_departments: int, n_months: int, *, is_known: bool = True) -> pd.DataFrame:
    names = [f"Department {i}" for i in range(n_departments)]
    months = tuple(stamp.date() for stamp in pd.date_range("2026-11-01", periods=n_months, freq="MS"))
    given = [Candidate(id=f"D-{i:02d}", worth_amount=1.0, person_days=dict.fromkeys(names, 3.5)) for i in range(6)]
    free = {(name, DAYS): np.full(n_months, 21.0 / n_months) for name in names} if is_known else {}
    live = pd.Series({one.id: n_months - 1 for one in given})
    return portfolio.planned_work(given, live, capacity=Capacity(months=months, free=free))


def test_a_full_month_is_named() -> None:
    ax = charts.draw_roadmap(_work(2, 3), people=None)
    assert ax is not None
    assert "Department 0 is planned fullest, in November: 7 of 7 days" in charts.alt_of(ax.figure)


CHART_CASES = {
    "roadmap": lambda: charts.draw_roadmap(_work(4, 6), people=None),
    "roadmap, one department": lambda: charts.draw_roadmap(_work(1, 1), people=None),
    "roadmap, days not known": lambda: charts.draw_roadmap(_work(2, 2, is_known=False), people=None),
}
