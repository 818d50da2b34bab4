"""From judged proposals to steps, candidates, and a plan in words: every branch by hand."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from opslib.proposals import desirability
from opslib.proposals.economics import DAYS_A_MONTH
from opslib.proposals.feasibility import effort_days_of
from opslib.proposals.portfolio import DAYS, MONEY, Capacity, choice_stability, plan_portfolio, what_keeps_out
from opslib.proposals.roadmap import (
    candidate_of,
    candidates_of,
    compare_rules,
    net_draws,
    roadmap,
    steps_of,
    with_decided,
)
from opslib.proposals.schema import Consultation, Effort, Proposal
from opslib.stats.estimates import Estimate
from opslib.stats.shrinkage import Mixture
from tests.proposals.planted import proposal

MONTHS = (date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1))
AFTER = Mixture(weights=(0.5, 0.5), means=(0.0, 0.02), sds=(0.01, 0.01))


def planned(name: str, days: float = 2.0, **more: Any) -> Proposal:
    """A proposal of Technology, from 13 April to 30 June, over a year and a half."""
    usual = {
        "id": name,
        "title": f"Idea {name}",
        "owner": "Technology",
        "owner_person_days": days,
        "horizon_days": 548,
        "reach": 1000.0,
    }
    return proposal().model_copy(update={**usual, **more})


def judged(
    name: str, net: float | None = None, advice: str = "launch", *, tests: tuple[float, ...] = (), obstacles: tuple[tuple[str, str], ...] = (),
    state: str = "supported", qualifier: str = "", n_needed: float | None = None, raw: Any = 1, **more: Any,
) -> Any:  # fmt: skip
    """A judged proposal with an amount over its horizon, and tests of so much."""
    claim = SimpleNamespace(state=state, qualifier=qualifier, n_needed=n_needed, days_needed=9e9, design="experiment",
                            title="Search success", metric="search_success")  # fmt: skip
    result = SimpleNamespace(
        claims=(claim,), state=state, qualifier=qualifier, label=state,
        obstacles=tuple(SimpleNamespace(name=what, place=where) for what, where in obstacles),
    )  # fmt: skip
    found = desirability.Desirability(
        claim_id="c1", cost_amount=100.0, recommendation=advice, sentences=(), raw=raw, posterior=AFTER, amount_per_lift=1e4,
        net=None if net is None else Estimate(value=net, lower=net - 500, upper=net + 500, n=1, unit="GBP", method="", confidence_level=0.9),
        tests=tuple(desirability.TestOption(days=14, n_units=1, information_amount=gain, delay_amount=0) for gain in tests),
    )  # fmt: skip
    return planned(name, **more), result, found


EVERY = [
    judged("A", 600.0), judged("B", -80.0, "test first", tests=(40.0, 137.0)), judged("C", 274.0, "test first", tests=(50.0,), state="inconclusive", n_needed=1e9),
    judged("D", -9.0, "test first"), judged("E", 400.0, obstacles=(("objection", "Stores"),)), judged("F", -5.0, "reject"),
    judged("G", None, "launch"), judged("H", None, "gather data", state="invalid", qualifier="sample ratio"),
    judged("I", None, "gather data", qualifier="not due"), judged("J", None, "test first", raw=None),
    judged("K", 5480.0, days=99.0, obstacles=(("no answer", "Data"),)),
]  # fmt: skip


def test_each_proposal_has_one_step_with_its_money_a_year() -> None:
    draft = planned("L", to_do=("reach: how many visitors a month",))
    steps = steps_of(EVERY, drafts=[draft]).set_index("proposal")
    assert steps["step"].to_dict() == {
        "A": "launch", "B": "test", "C": "decide", "D": "leave", "E": "leave", "F": "leave", "G": "find out", "H": "find out",
        "I": "find out", "J": "find out", "K": "launch", "L": "find out",
    }  # fmt: skip
    # A year and a half: 548 days. A test of what loses on average is worth what deciding after it brings.
    assert steps["worth_amount"].dropna().to_dict() == {"A": 600.0, "B": 137.0, "C": 274.0, "K": 5480.0}
    assert steps["year_amount"][list("ABCK")].round(6).to_dict() == {
        "A": 399.635036,
        "B": 91.25,
        "C": 182.5,
        "K": 3650.0,
    }
    assert steps["year_amount"][["D", "E", "F"]].lt([0, 300, 0]).all()
    assert steps["why"].to_dict() | {"A": ""} == {
        "A": "", "B": "", "C": "", "D": "it loses money on average", "E": "Stores objects", "F": "it loses money on average",
        "G": "what search success brings in money is not known", "H": "its test is not valid (sample ratio)",
        "I": "the result of its test is not there yet", "J": "what the change does is not measured", "K": "", "L": "a draft that lacks reach",
    }  # fmt: skip
    assert steps.loc["K", "once"] == "Data"
    assert steps_of([]).empty


def test_a_candidate_has_its_months_and_the_days_that_were_answered() -> None:
    answered = Consultation(
        department="Data", person="Ana", date=date(2026, 1, 1), answer="agree", effort_person_days=7.0
    )
    given = planned("A", departments=(Effort(department="Data", person_days=1.0), Effort(department="Data", person_days=2.0)),
                    stated_probability=0.4)  # fmt: skip
    assert effort_days_of(given) == {"Technology": 2.0, "Data": 3.0}
    assert effort_days_of(given.model_copy(update={"consultations": (answered,)})) == {"Technology": 2.0, "Data": 7.0}
    one = candidate_of(given, worth=5.0, months=MONTHS[1:])
    assert (one.first, one.last, one.horizon_months) == (0, 1, pytest.approx(548 / DAYS_A_MONTH))
    assert one.promised_amount == pytest.approx(1000 * 0.1 * 0.4)
    assert candidate_of(given.model_copy(update={"deadline": date(2026, 3, 31)}), months=MONTHS).last == -1
    assert candidate_of(given.model_copy(update={"deadline": None}), months=MONTHS).last > 10_000


def test_the_plan_says_when_and_why_not() -> None:
    more = [*EVERY, judged("M", 50.0, deadline=date(2026, 3, 31), start=date(2026, 3, 1)), judged("N", 50.0, depends_on=("Z",)),
            judged("O", 50.0, excludes=("A",)), judged("P", 50.0, start=date(2026, 9, 1), deadline=None),
            judged("Q", 50.0, one_off_cost_amount=900.0)]  # fmt: skip
    free = Capacity(
        months=MONTHS, free={("Technology", DAYS): np.array([4.0, 4.0, 4.0]), ("Technology", MONEY): np.zeros(3)}
    )
    steps = steps_of(more)
    given = candidates_of(more, steps, capacity=free)
    live = plan_portfolio(given, capacity=free)
    assert live[live >= 0].to_dict() == {"A": 0, "B": 1, "C": 0}
    draws = net_draws(more, given, n_draws=30)
    assert draws.shape == (30, len(given))
    rows = roadmap(
        steps, live, months=MONTHS, why=what_keeps_out(given, live, capacity=free),
        stability=choice_stability(given, draws, capacity=free),
    )  # fmt: skip
    assert rows["proposal"].tolist()[:3] == ["A", "C", "B"]
    assert rows.groupby("place")["proposal"].apply(list).to_dict() | {"not": []} == {
        "now": ["A", "C"], "after": ["B"], "find out": ["G", "H", "I", "J"], "not": [],
    }  # fmt: skip
    assert rows.set_index("proposal")["why"][list("KMNOPQ")].to_dict() == {
        "K": "Technology has not the days for it", "M": "its deadline has passed", "N": "it needs Z first", "O": "it excludes A",
        "P": "it starts after these months", "Q": "Technology has not the money for it",
    }  # fmt: skip
    assert rows.set_index("proposal")["month"][list("ACBK")].tolist() == ["Apr 2026", "Apr 2026", "May 2026", ""]


def test_draws_are_the_posterior_in_money() -> None:
    free = Capacity(months=MONTHS, free={})
    case = [judged("A", 1.0)]
    drawn = net_draws(case, candidates_of(case, steps_of(case), capacity=free), n_draws=40_000)["A"]
    # 10,000 for a lift of 1 less 100: mean .01, standard deviation .0141.
    assert drawn.mean() == pytest.approx(0.0, abs=4 * 141 / 200)
    assert drawn.std() == pytest.approx(1e4 * AFTER.sd, rel=0.02)


def test_a_rule_that_chooses_otherwise_is_told_and_one_that_agrees_is_not() -> None:
    case = [judged("A", 100.0, days=10.0), judged("B", 70.0, days=6.0), judged("C", 50.0, days=4.0)]
    free = Capacity(months=MONTHS[:1], free={("Technology", DAYS): np.array([10.0])})
    given = candidates_of(case, steps_of(case), capacity=free)
    told = compare_rules(given, plan_portfolio(given, capacity=free), capacity=free).set_index("rule")
    assert list(told.index) == ["money alone"]
    assert told.loc["money alone", ["worth_amount", "less_amount", "otherwise"]].tolist() == [
        100.0,
        20.0,
        "A in Apr 2026, B not, C not",
    ]


def test_what_was_decided_begins_in_its_month_or_the_last() -> None:
    decided = [
        candidate_of(planned("X", start=date(2027, 1, 1)), months=MONTHS),
        candidate_of(planned("Y"), months=MONTHS),
    ]
    assert with_decided(pd.Series({"A": -1}), decided, n_months=3).to_dict() == {"A": -1, "X": 2, "Y": 0}
