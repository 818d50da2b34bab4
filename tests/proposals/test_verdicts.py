"""From measured to judged: frozen or not, replay, grades, the weakest claim, q-values, evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ProposalError
from opslib.finding import Finding
from opslib.findings.proposal import findings
from opslib.proposals.evaluate import definitions_of, evaluate_proposal
from opslib.proposals.grades import grade_of, start_points
from opslib.proposals.preregistration import freeze
from opslib.proposals.results import ClaimResult, Gate, Measured
from opslib.proposals.schema import Guardrail, Proposal
from opslib.proposals.verdicts import (
    WEAKEST_FIRST,
    exceedance,
    judge_claim,
    judge_guardrail,
    overall,
    q_values,
    still_needed,
)
from opslib.stats.estimates import Estimate
from tests.proposals.planted import proposal, shop, visitor_test

LAUNCH = date(2026, 4, 13)


def _measured(value: float = 0.12, half: float = 0.01, **more: object) -> Measured:
    effect = Estimate(
        value=value,
        lower=value - half,
        upper=value + half,
        n=10_000,
        unit="relative",
        method="planted",
        std_error=half / 1.96,
    )
    base = Measured(
        effect=effect, baseline=0.1, n_control=5_000, n_treated=5_000, n_days=28, variation=9.0, p_value=0.01
    )
    return replace(base, **more)  # type: ignore[arg-type]


def _judge(measured: Measured, *, is_frozen: bool = True, is_replay: bool = False, **changes: str) -> ClaimResult:
    return judge_claim(proposal(**changes).claims[0], measured, is_frozen=is_frozen, is_replay=is_replay, launch=LAUNCH)


def _frozen_at(given: Proposal, day: str) -> object:
    return freeze(given, definitions=definitions_of(given), at=datetime.fromisoformat(day).replace(tzinfo=UTC))


def test_frozen_too_late_is_exploratory_and_in_time_is_not() -> None:
    honest = proposal(replay="false", promise="0.2")
    tables = visitor_test(lift=0.5)
    late = evaluate_proposal(honest, shop=shop(tables), frozen=_frozen_at(honest, "2026-03-10"))  # type: ignore[arg-type]
    in_time = evaluate_proposal(honest, shop=shop(tables), frozen=_frozen_at(honest, "2026-03-01"))  # type: ignore[arg-type]
    never = evaluate_proposal(honest, shop=shop(tables))
    assert late.label == never.label == "inconclusive (exploratory)"
    assert (in_time.label, in_time.grade, in_time.is_frozen) == ("confirmed", "High", True)
    assert "can suggest a test and no more" in late.claims[0].page_sentence


def test_a_claim_changed_after_freezing_is_no_longer_confirmatory() -> None:
    honest = proposal(replay="false")
    record = _frozen_at(honest, "2026-03-01")
    moved = proposal(replay="false", promise="0.01")
    result = evaluate_proposal(moved, shop=shop(visitor_test(lift=0.5)), frozen=record)  # type: ignore[arg-type]
    assert result.label == "inconclusive (exploratory)"
    assert "changed after freezing" in {obstacle.name for obstacle in result.obstacles}


def test_replay_is_for_historical_shops_only() -> None:
    with pytest.raises(ProposalError, match="replay: true is for historical data sets and the demo only"):
        evaluate_proposal(proposal(), shop=shop(visitor_test(n=200), allows_replay=False))


def test_an_unknown_metric_is_named_with_the_nearest() -> None:
    with pytest.raises(ProposalError, match=r"P-001: c1.metric: no metric 'conversoin'; did you mean 'conversion'\?"):
        evaluate_proposal(proposal(metric="conversoin"), shop=shop(visitor_test(n=200)))


def test_a_failed_gate_beats_everything() -> None:
    gate = Gate(name="sample ratio", status="failed", sentence="the arms differ")
    assert _judge(_measured(gates=(gate,))).label == "invalid (sample ratio)"


@pytest.mark.parametrize(
    ("kind", "has_control", "points"),
    [
        ("experiment", False, 4),
        ("cluster_experiment", False, 3),
        ("rollout", False, 2),
        ("before_after", True, 2),
        ("before_after", False, 1),
        ("elasticity", False, 2),
        ("level", False, 4),
        ("trend", False, 4),
        ("comparison", False, 1),
        ("outside", False, 1),
    ],
)
def test_where_each_design_starts(kind: str, has_control: bool, points: int) -> None:
    # The table of design.md, section 6.
    assert start_points(kind, has_control=has_control) == points


def test_every_reason_costs_one() -> None:
    claim = proposal().claims[0]
    warning = Gate(name="data health", status="warning", sentence="one day is missing")
    cases = [
        (_measured(), True, LAUNCH, "High"),
        (_measured(), False, LAUNCH, "Moderate"),
        (_measured(gates=(warning,)), True, LAUNCH, "Moderate"),
        (_measured(half=0.11), True, LAUNCH, "Moderate"),
        (_measured(is_conflicting=True), True, LAUNCH, "Moderate"),
        (_measured(), True, date(2026, 9, 15), "Moderate"),
        (_measured(half=0.11, is_conflicting=True, gates=(warning,)), False, LAUNCH, "Very low"),
    ]
    for measured, is_frozen, launch, expected in cases:
        assert grade_of(claim, measured, is_frozen=is_frozen, launch=launch)[0] == expected


def test_the_weakest_claim_decides() -> None:
    strong, weak = _judge(_measured()), _judge(_measured(0.05, 0.2))
    assert (strong.state, weak.state) == ("confirmed", "inconclusive")
    assert overall([strong, weak], [])[0] == "inconclusive"
    aside = replace(weak, is_confirmatory=False)
    assert overall([strong, aside], [])[0] == "confirmed"


def test_guardrails_hold_break_or_stay_unclear() -> None:
    guard = Guardrail(metric="margin", margin=0.02)
    states = [judge_guardrail(guard, _measured(value, 0.01)).state for value in (0.0, -0.05, -0.02)]
    assert states == ["held", "broken", "unclear"]
    gate = Gate(name="measurable", status="failed", sentence="no cost")
    assert judge_guardrail(guard, Measured(effect=None, gates=(gate,))).state == "invalid"


def test_q_values_never_touch_a_verdict() -> None:
    result = evaluate_proposal(proposal(promise="0.2"), shop=shop(visitor_test(lift=0.5)))
    others = [
        replace(
            result,
            proposal_id=f"P-{i}",
            claims=tuple(replace(c, measured=replace(c.measured, p_value=0.5)) for c in result.claims),
        )
        for i in range(9)
    ]
    q = q_values([result, *others])
    assert len(q) == 10
    assert q["P-001/c1"] == pytest.approx(min(10 * result.claims[0].measured.p_value, 1), rel=1e-6)  # type: ignore[operator]
    assert result.state == "confirmed"


def test_findings_leave_as_json() -> None:
    result = evaluate_proposal(proposal(promise="0.2"), shop=shop(visitor_test(lift=0.5)))
    (found,) = findings(result)
    assert isinstance(found, Finding)
    assert json.loads(json.dumps(found.to_json()))["about"]["metric"] == "conversion"
    assert found.grade == "Moderate"


def test_needed_units_by_hand() -> None:
    # Variation 9, +10 %: 2.802^2 x 4 x 9 / ln(1.1)^2 = 31,107; 10,000 are there, 357 a day.
    claim = _judge(_measured(0.05, 0.1))
    assert claim.n_needed == pytest.approx(31_107 - 10_000, rel=0.001)
    assert claim.days_needed == 60


def test_where_the_sample_was_enough_the_width_decides() -> None:
    # Enough for 80 % power, yet in between: a width below promise - m always decides.
    claim = proposal().claims[0]
    n, _ = still_needed(claim, _measured(0.09, 0.06, variation=0.1))
    assert n == pytest.approx(10_000 * (0.12 / 0.1) ** 2 - 10_000)


_ENDS = st.floats(-1, 1, allow_nan=False)


@given(_ENDS, st.floats(0, 1), st.floats(0.01, 0.5), st.floats(0, 1))
def test_every_interval_has_exactly_one_state_and_a_sentence(
    value: float, half: float, promise: float, least: float
) -> None:
    claim = proposal().claims[0].model_copy(update={"promise": promise, "m": least * promise})
    judged = judge_claim(claim, _measured(value, half), is_frozen=True, launch=LAUNCH)
    assert judged.state in WEAKEST_FIRST
    assert judged.page_sentence.endswith(".")
    if judged.state == "supported":
        assert judged.p_promise is not None


@given(_ENDS, st.floats(0.001, 1), _ENDS)
def test_the_chance_of_a_size_falls_with_the_size(value: float, half: float, threshold: float) -> None:
    effect = _measured(value, half).effect
    lower, higher = exceedance(effect, threshold), exceedance(effect, threshold + 0.1)
    assert 0 <= higher <= lower <= 1  # type: ignore[operator]


def test_few_clusters_make_the_chance_of_a_size_less_sure() -> None:
    effect = Estimate(value=0.05, lower=-0.01, upper=0.11, n=6, unit="relative", method="clusters", std_error=0.02)
    # Table of Student's t with 4 degrees of freedom: P(t > 2.132) = .05; of the normal: P(z > 2.132) = .0165.
    assert exceedance(effect, 0.05 + 2.132 * 0.02, df=4) == pytest.approx(0.05, abs=1e-4)
    assert exceedance(effect, 0.05 + 2.132 * 0.02) == pytest.approx(0.0165, abs=1e-4)
