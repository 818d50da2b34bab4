"""Which first: the best plan by hand and against brute force, what limits it, and usual rules beside it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import milp

from opslib.errors import ParameterError
from opslib.proposals.portfolio import (
    DAYS,
    MONEY,
    RULES,
    Candidate,
    Capacity,
    capacity_of,
    choice_stability,
    person_month_worth,
    plan_by_rule,
    plan_portfolio,
    planned_work,
    planned_worth,
)

WEB = "Technology"
MONTHS = (date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1))


def _one(name: str, worth: float, web: float = 0.0, **more: Any) -> Candidate:
    return Candidate(id=name, owner=WEB, worth_amount=worth, person_days={WEB: web}, **more)


def _free(*web: float, **more: list[float]) -> Capacity:
    every = {(WEB, DAYS): list(web), **{tuple(key.split("__")): values for key, values in more.items()}}
    return Capacity(months=MONTHS[: len(web)], free={name: np.array(values, float) for name, values in every.items()})


def _live(candidates: list[Candidate], capacity: Capacity, **choices: Any) -> dict[str, int]:
    return plan_portfolio(candidates, capacity=capacity, **choices).to_dict()


def test_two_small_ones_beat_a_large_one() -> None:
    three = [_one("A", 100.0, 10), _one("B", 70.0, 6), _one("C", 50.0, 4)]
    assert _live(three, _free(10.0)) == {"A": -1, "B": 0, "C": 0}
    # Money alone takes A; a day of A brings 10, of B 11.7, of C 12.5.
    assert plan_by_rule("money alone", three, capacity=_free(10.0)).to_dict() == {"A": 0, "B": -1, "C": -1}
    assert plan_by_rule("money a person-day", three, capacity=_free(10.0)).to_dict() == {"A": -1, "B": 0, "C": 0}


def test_work_is_spread_over_months_and_waiting_costs_a_part_of_the_horizon() -> None:
    pair = [_one("A", 120.0, 8), _one("B", 1200.0, 15)]
    free = _free(10.0, 10.0, 10.0)
    # B needs both months and is then a month late (1,100); A first would make B a third late (120 + 1,000).
    assert _live(pair, free) == {"A": 2, "B": 1}
    assert planned_worth(pair, plan_portfolio(pair, capacity=free)) == pytest.approx(1100 + 100)
    work = planned_work(pair, plan_portfolio(pair, capacity=free), capacity=free)
    assert [tuple(row) for row in work[["proposal", "month", "person_days"]].to_numpy()] == [
        ("B", MONTHS[0], 10.0), ("A", MONTHS[1], 5.0), ("B", MONTHS[1], 5.0), ("A", MONTHS[2], 3.0),
    ]  # fmt: skip


def test_prerequisites_exclusions_budget_dates_and_losses() -> None:
    first, second = _one("A", -10.0, 1), _one("B", 50.0, 1, depends_on=("A",))
    assert _live([first, second], _free(9.0)) == {"A": 0, "B": 0}
    assert _live([replace(first, worth_amount=-60.0), second], _free(9.0)) == {"A": -1, "B": -1}
    assert _live([second], _free(9.0)) == {"B": -1}
    assert _live([second], _free(9.0), done=("A",)) == {"B": 0}
    assert _live([replace(first, first=1), second], _free(9.0, 9.0)) == {"A": 1, "B": 1}, "not before what it needs"
    rival = _one("C", 5.0, 1, excludes=("D",))
    assert _live([rival, _one("D", 6.0, 1)], _free(9.0)) == {"C": -1, "D": 0}
    assert _live([rival], _free(9.0), done=("D",)) == {"C": -1}
    dear = _one("E", 9.0, 1, one_off_cost_amount=500.0)
    assert _live([dear], _free(9.0, Technology__budget_amount=[499.0])) == {"E": -1}
    assert _live([dear], _free(9.0, 9.0, Technology__budget_amount=[499.0, 1.0])) == {"E": -1}, (
        "a month late it loses 33.4"
    )
    assert _live([replace(dear, worth_amount=60.0)], _free(9.0, 9.0, Technology__budget_amount=[499.0, 1.0])) == {
        "E": 1
    }
    assert _live([_one("F", 9.0, 1, first=1, last=1)], _free(1.0, 0.0)) == {"F": 1}
    assert _live([_one("F", 9.0, 2, first=0, last=0)], _free(1.0, 1.0)) == {"F": -1}


def test_what_is_not_known_limits_nothing_and_nothing_is_planned_of_nothing() -> None:
    assert _live([Candidate(id="A", worth_amount=1.0, person_days={"Legal": 99.0})], _free(0.0)) == {"A": 0}
    assert _live([], _free(1.0)) == {}
    with pytest.raises(ParameterError, match="ids that differ"):
        _live([_one("A", 1.0), _one("A", 2.0)], _free(1.0))


def test_capacity_of_the_months_and_what_decided_ones_leave() -> None:
    table = pd.DataFrame(
        {
            "department": ["Web", "web", "analytics", "Web"],
            "month": [date(2026, 10, 1), *MONTHS[:1], MONTHS[2], MONTHS[1]],
            "person_days": [99.0, 10.0, 4.0, 7.0],
            "budget_amount": [1.0, 500.0, np.nan, np.nan],
        }
    )
    found = capacity_of(table, start=MONTHS[0], n_months=3)
    assert found.months == MONTHS
    assert {name: values.tolist() for name, values in found.free.items()} == {
        (WEB, DAYS): [10.0, 7.0, 0.0], ("Data", DAYS): [0.0, 0.0, 4.0], (WEB, MONEY): [500.0, 0.0, 0.0],
    }  # fmt: skip
    left = found.less([_one("X", 0.0, 12.0, first=1), _one("Y", 0.0, 3.0)])
    assert left.free[WEB, DAYS].tolist() == [0.0, 2.0, 0.0]
    assert found.free[WEB, DAYS].tolist() == [10.0, 7.0, 0.0]


CASES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(-20, 60), st.integers(0, 2), st.integers(0, 40)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(
    CASES,
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 50)), min_size=3, max_size=3),
    st.data(),
)
def test_the_plan_equals_brute_force(
    items: list[tuple[int, int, int, int, int]], months: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Every month for every proposal, day by day put into the months by hand: none brings more, none of the rules either."""
    names = [f"P{i}" for i in range(len(items))]
    links = {name: data.draw(st.sampled_from(["", *(n for n in names if n != name)])) for name in names}
    rivals = {name: data.draw(st.sampled_from(["", "", *(n for n in names if n != name)])) for name in names}
    given_ = [
        Candidate(
            id=name, owner=WEB, worth_amount=float(v), one_off_cost_amount=float(c), first=f, horizon_months=6.0,
            person_days={WEB: float(w), "Logistics": float(s)}, promised_amount=float(abs(v)),
            depends_on=(links[name],) if links[name] and data.draw(st.booleans()) else (),
            excludes=(rivals[name],) if rivals[name] else (),
        )
        for name, (w, s, v, f, c) in zip(names, items, strict=True)
    ]  # fmt: skip
    web, logistics, money = (np.array(values, float) for values in zip(*months, strict=True))
    free = Capacity(months=MONTHS, free={(WEB, DAYS): web, ("Logistics", DAYS): logistics, (WEB, MONEY): money})
    plans = [dict(zip(names, plan, strict=True)) for plan in product([-1, 0, 1, 2], repeat=len(items))]
    possible = {tuple(plan.values()): _worth(given_, plan) for plan in plans if _fits(given_, plan, free)}
    found = plan_portfolio(given_, capacity=free)
    assert tuple(found) in possible
    assert planned_worth(given_, found) == pytest.approx(max(possible.values()), abs=1e-6)
    for rule in RULES:
        other = plan_by_rule(rule, given_, capacity=free)
        assert tuple(other) in possible
        assert planned_worth(given_, other) <= max(possible.values()) + 1e-6
    work = planned_work(given_, found, capacity=free).groupby(["department", "month"])["person_days"].sum()
    assert all(days <= free.free[name, DAYS][MONTHS.index(month)] + 1e-6 for (name, month), days in work.items())
    assert work.sum() == pytest.approx(sum(one.total_days for one in given_ if found[one.id] >= 0))


def _worth(given_: list[Candidate], plan: dict[str, int]) -> float:
    late = {one.id: 1 - (plan[one.id] - one.first) / 6 for one in given_}
    return sum(
        (one.worth_amount + one.one_off_cost_amount) * late[one.id] - one.one_off_cost_amount
        for one in given_
        if plan[one.id] >= 0
    )


def _fits(given_: list[Candidate], plan: dict[str, int], free: Capacity) -> bool:
    """Whether unit after unit of the work finds a place: most urgent first, each in its last free month."""
    live = [one for one in given_ if plan[one.id] >= 0]
    for one in live:
        if plan[one.id] < one.first:
            return False
        if any(not 0 <= plan.get(other, -1) <= plan[one.id] for other in one.depends_on):
            return False
        if any(plan.get(other, -1) >= 0 for other in one.excludes):
            return False
    for name, months in free.free.items():
        left = [int(value) for value in months]
        units = [
            plan[one.id]
            for one in live
            for _ in range(int(one.one_off_cost_amount if name[1] == MONEY else one.person_days[name[0]]))
        ]
        for latest in sorted(units):
            place = next((m for m in range(latest, -1, -1) if left[m]), None)
            if place is None:
                return False
            left[place] -= 1
    return True


def test_a_person_month_is_worth_what_the_plan_made_anew_brings_more() -> None:
    pair = [_one("A", 1000.0, 20), _one("B", 700.0, 15), Candidate(id="C", worth_amount=5.0, person_days={"Data": 1.0})]
    free = _free(20.0, Data__person_days=[9.0])
    found = person_month_worth(pair, capacity=free)
    assert [tuple(row) for row in found.to_numpy()] == [(WEB, pytest.approx(700.0), ("B",)), ("Data", 0.0, ())]
    # Half a person-month would do nothing: the dual of a relaxed programme would say 35 a day.
    assert person_month_worth(pair, capacity=_free(10.0, Data__person_days=[9.0]))["gained"][0] == ("A",)


def test_a_choice_is_as_stable_as_the_draws_that_make_it() -> None:
    pair = [_one("A", 10.0, 5), _one("B", 8.0, 5)]
    draws = pd.DataFrame({"A": [9.0, 9.0, -1.0, 1.0], "B": [1.0, 12.0, 5.0, -2.0]})
    found = choice_stability(pair, draws, capacity=_free(5.0)).set_index("proposal")
    assert found["chosen_share"].to_dict() == {"A": 0.5, "B": 0.5}
    later = choice_stability(pair, draws, capacity=_free(5.0, 5.0)).set_index("proposal")
    assert later["chosen_share"].to_dict() == {"A": 0.75, "B": 0.75}


def test_rules_rank_by_what_they_say() -> None:
    pair = [_one("A", 600.0, 10, promised_amount=10.0), _one("B", 500.0, 5, horizon_months=24.0, promised_amount=-1.0)]
    # A month's delay of A costs 50 and takes a month; of B 20.8 and half a month.
    first = {rule: plan_by_rule(rule, pair, capacity=_free(10.0)).idxmax() for rule in RULES}
    assert first == {"RICE": "A", "WSJF": "A", "money alone": "A", "money a person-day": "B"}
    loss = [_one("C", -5.0, 1, promised_amount=3.0)]
    assert [plan_by_rule(rule, loss, capacity=_free(1.0))["C"] for rule in RULES] == [0, -1, -1, -1], (
        "RICE knows no loss"
    )


def test_what_the_solver_prints_stays_off_the_page(capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def talks(*args: Any, **more: Any) -> Any:
        os.write(1, b"HighsMipSolverData::\n")
        return milp(*args, **more)

    monkeypatch.setattr("opslib.proposals.portfolio.milp", talks)
    assert plan_portfolio([_one("a", 10.0, 5.0)], capacity=_free(5.0)).tolist() == [0]
    print("after")
    assert capfd.readouterr().out == "after\n"
