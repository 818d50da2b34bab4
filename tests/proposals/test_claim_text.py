"""Sentences of claims, design by design: words that belong to another design never occur, numbers are those of the effect."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.findings.proposal import doubt_of, mind_changers
from opslib.metrics import METRICS
from opslib.proposals.claim_text import effect_text, in_own_unit, needed_sentence, promise_text, sides_text
from opslib.proposals.designs.design import EVALUATORS
from opslib.proposals.evaluate import plans_of
from opslib.proposals.results import ClaimResult, Measured, ProposalResult
from opslib.proposals.schema import Claim
from opslib.proposals.verdicts import judge_claim
from opslib.stats.estimates import Estimate
from tests.proposals.planted import proposal

DESIGNS = {
    "experiment": ("conversion", "visitor", "{kind: experiment, experiment: E, control: a, treatment: b, randomised: visitor}"),
    "cluster_experiment": ("orders", "store", "{kind: cluster_experiment, experiment: E, control: a, treatment: b, randomised: store}"),
    "rollout": ("orders", "store", "{kind: rollout, rollout: R}"),
    "before_after": ("zero_result_rate", "visitor", "{kind: before_after, changed_on: 2026-03-02}"),
    "elasticity": ("units_sold", "product", "{kind: elasticity, price_change: -0.05}"),
    "level": ("conversion", "visitor", "{kind: level}"),
    "trend": ("orders", "customer", "{kind: trend, grain: month}"),
    "comparison": ("average_order_value", "customer", "{kind: comparison, group: order_lines.country, control: FR, treatment: DE}"),
    "outside": ("conversion", "visitor", "{kind: outside, citation: Report, value: 0.1, lower: 0.05, upper: 0.2}"),
}  # fmt: skip
#: Words of a test with two drawn groups, and what else a design does not have.
TEST_WORDS = r"\barms?\b|\btreat\w+|\bcontrol\b|\bvariant\b|more units"
FORBIDDEN = {
    "experiment": r"\barms?\b|\bgate\b",
    "cluster_experiment": rf"{TEST_WORDS}|\bvisitors?\b|at this traffic",
    "rollout": rf"{TEST_WORDS}|\bvisitors?\b|at this traffic",
    "before_after": rf"{TEST_WORDS}|without it",
    "elasticity": rf"{TEST_WORDS}|with the change|without it",
    "level": rf"{TEST_WORDS}|the change\b|without it|promise",
    "trend": rf"{TEST_WORDS}|with the change|without it|promise",
    "comparison": rf"{TEST_WORDS}|with the change|without it|promise",
    "outside": rf"{TEST_WORDS}|with the change|without it|promise",
}  # fmt: skip
#: Never above the fold: ISO dates, p-values, scientific notation, a hyphen as a minus, names of columns.
NEVER = r"\d{4}-\d\d-\d\d|\bp \d|\de[-+]\d|(?<![\w)])-\d|\binterval reaches\b|[a-z]_[a-z]|\d days more days|\bgate\b"
#: One interval a state, against a promise of .1 (of the claim's scale).
ENDS = {
    "harmful": (-0.2, -0.05), "confirmed": (0.12, 0.2), "supported": (0.05, 0.2), "partly": (0.01, 0.08),
    "refuted": (-0.05, 0.05), "inconclusive": (-0.05, 0.2),
}  # fmt: skip


def claim_of(kind: str) -> Claim:
    metric, unit, design = DESIGNS[kind]
    return proposal(metric=metric, unit=unit, design=design).claims[0]


def judged(
    kind: str, ends: tuple[float, float] | None, *, n: int = 8, is_frozen: bool = True, **more: object
) -> ClaimResult:
    claim = claim_of(kind)
    low, high = ends or (0.0, 0.0)
    unit = {"level": "share", "trend": "relative per month"}.get(kind, "relative")
    effect = Estimate(
        value=(low + high) / 2,
        lower=low,
        upper=high,
        n=2 * n,
        unit=unit,
        method="planted",
        std_error=(high - low) / 3.92,
    )
    sides = {"n_control": n, "n_treated": n} if kind not in ("level", "trend", "elasticity") else {"n_treated": n}
    measured = Measured(
        effect=effect if ends else None, pending="" if ends else "it starts on 1 Nov 2026", unit=DESIGNS[kind][1],
        per=DESIGNS[kind][1], n_days=28, baseline=0.25, variation=3.0, doubt="Counted in March 2026.", **sides, **more,
    )  # fmt: skip
    return judge_claim(claim, measured, is_frozen=is_frozen, launch=date(2026, 4, 13), metric=METRICS[claim.metric])


def _result(claim: ClaimResult) -> ProposalResult:
    return ProposalResult(
        proposal_id="P-001", title="t", owner="Website", claims=(claim,), guardrails=(), state=claim.state,
        qualifier=claim.qualifier, grade=claim.grade,
    )  # fmt: skip


def _said(claim: ClaimResult) -> str:
    return " ".join(
        [claim.page_sentence, needed_sentence(claim), *mind_changers(_result(claim)), doubt_of(_result(claim))]
    )


@pytest.mark.parametrize("kind", DESIGNS)
@pytest.mark.parametrize("state", [*ENDS, "exploratory", "not due"])
def test_a_text_has_no_word_of_another_design(kind: str, state: str) -> None:
    claim = judged(kind, None if state == "not due" else ENDS.get(state, (0.05, 0.2)), is_frozen=state != "exploratory")
    said = _said(claim)
    assert not re.search(FORBIDDEN[kind], said), said
    assert not re.search(NEVER, said), said
    assert said.count(claim.measured.doubt) == 1


ends = (
    st.tuples(st.floats(-0.6, 1.5), st.floats(-0.6, 1.5))
    .map(sorted)
    .filter(lambda pair: pair[1] - pair[0] > 1e-4 and min(map(abs, pair)) > 1e-4)
)


@given(st.sampled_from(sorted(DESIGNS)), ends, st.integers(1, 10**6))
def test_whatever_is_found_the_text_belongs_to_the_design_and_to_the_number(
    kind: str, pair: list[float], n: int
) -> None:
    claim = judged(kind, (pair[0], pair[1]), n=n)
    said = _said(claim)
    assert not re.search(FORBIDDEN[kind], said), said
    assert not re.search(NEVER, said), said
    own = in_own_unit(claim)
    text = effect_text(own, signed=True)
    low, high = own.effect.lower, own.effect.upper  # type: ignore[union-attr]
    if "(" in text:  # the ends that are read have the signs of the ends that were found
        read = text[text.index("(") + 1 : text.index(")")].replace(",", "")
        parts = read.split(" to ") if " to " in read else read.split("–")
        signs = [
            (float(re.sub(r"[^\d.]", "", part)) != 0) * (-1 if part.strip().startswith("−") else 1) for part in parts
        ]
        assert signs == [(low > 0) - (low < 0), (high > 0) - (high < 0)], (text, low, high)
    if "It does harm" in said:
        assert claim.measured.effect.upper < 0  # type: ignore[union-attr]
    if "It helps" in said:
        assert claim.measured.effect.lower > 0  # type: ignore[union-attr]


def test_a_share_is_told_in_points_that_add_up_and_a_fall_is_a_fall() -> None:
    # .25 x 1.125 = 28.1 %, 3.1 points above 25.0 %; the promise of 10 % is 2.5 points.
    claim = judged("experiment", (0.05, 0.2))
    assert sides_text(claim) == ("28.1\xa0%", "25.0\xa0%")
    assert effect_text(in_own_unit(claim)) == "+3.1\xa0points (1.2 to 5.0)"
    assert promise_text(claim) == "+2.5\xa0points"
    # Fewer searches without a result are wanted: an effect of +.125 is a rate that is 3.1 points lower.
    down = judged("before_after", (0.05, 0.2))
    assert down.is_down
    assert effect_text(in_own_unit(down)) == "−3.1\xa0points (−5.0 to −1.2)"
    assert promise_text(down) == "−2.5\xa0points"


def test_a_total_is_told_in_per_cent_of_itself_and_a_level_as_it_is() -> None:
    assert effect_text(in_own_unit(judged("rollout", (0.05, 0.2)))).startswith("+12")
    level = judged("level", (0.229, 0.255))
    assert level.page_sentence == "Conversion: 24.2\xa0% (22.9–25.5); the claim was at least 10\xa0%. It holds."
    assert "+0.1" not in judged("trend", (0.05, 0.2)).page_sentence


@pytest.mark.parametrize(
    ("kind", "word"), [("experiment", "visitors"), ("level", "visitors"), ("rollout", "16 stores")]
)
def test_what_is_needed_is_told_in_what_there_can_be_more_of(kind: str, word: str) -> None:
    claim = judged(kind, ENDS["inconclusive"] if kind != "level" else (0.05, 0.2), n=8 if kind == "rollout" else 9_000)
    assert claim.n_needed is not None
    assert word in needed_sentence(claim)


def test_what_would_take_over_a_year_is_not_told_in_days() -> None:
    claim = judged("experiment", (-0.05, 0.2), n=8)  # 16 visitors in 28 days; thousands are needed
    assert claim.days_needed > 365  # type: ignore[operator]
    assert claim.page_sentence.endswith("We cannot tell, and not in any useful time at this traffic.")


def test_every_design_is_judged_here() -> None:
    assert set(DESIGNS) == set(EVALUATORS)
    for kind in DESIGNS:
        metric, unit, design = DESIGNS[kind]
        assert plans_of(proposal(metric=metric, unit=unit, design=design))
