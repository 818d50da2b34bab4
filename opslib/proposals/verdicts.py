"""Verdict of a claim: state, grade and the sentence that a page prints, from what was measured."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from scipy import stats as distributions

from opslib.finding import Grade
from opslib.metrics import Metric
from opslib.proposals import number_text
from opslib.proposals.claim_text import claim_sentence, unit_of_values
from opslib.proposals.designs import RecordedMetric
from opslib.proposals.grades import grade_of, is_association_only, lowest
from opslib.proposals.results import ClaimResult, GuardrailResult, GuardState, Measured, ProposalResult, State
from opslib.proposals.schema import DESCRIPTIVE, Claim, Guardrail
from opslib.stats.estimates import Estimate
from opslib.stats.multiplicity import adjusted
from opslib.stats.power import needed_days, needed_units
from opslib.stats.verdict_rule import guardrail_state_of, level_verdict_of, verdict_of

#: From the worst to the best: the weakest confirmatory claim decides for its proposal.
WEAKEST_FIRST: tuple[State, ...] = (
    "invalid", "harmful", "refuted", "inconclusive", "partly", "supported", "confirmed",
)  # fmt: skip


def judge_claim(
    claim: Claim,
    measured: Measured,
    *,
    is_frozen: bool,
    is_replay: bool = False,
    launch: date,
    metric: Metric | RecordedMetric | None = None,
    currency: str = "money",
) -> ClaimResult:
    """Verdict of one claim.

    Parameters
    ----------
    claim : Claim
    measured : Measured
        What its design found.
    is_frozen : bool
        Frozen before the window's first outcome, and unchanged since.
    is_replay : bool
        Judged on history on purpose: a verdict is permitted, and the page says so.
    launch : date
        First day of the change for everybody.
    metric : Metric or RecordedMetric or None
        For title and unit in the sentence; the claim's own name for it unless given.
    currency : str
        ISO code of the shop's money, for the sentence.

    Returns
    -------
    ClaimResult
    """
    grade, reasons = grade_of(claim, measured, is_frozen=is_frozen, launch=launch)
    state, qualifier = _state_of(claim, measured, may_confirm=is_frozen or is_replay)
    n_needed, days = still_needed(claim, measured) if state == "inconclusive" and not qualifier else (None, None)
    unit = unit_of_values(metric, measured)
    result = ClaimResult(
        claim_id=claim.id,
        sentence=claim.sentence,
        metric=claim.metric,
        design=claim.design.kind,
        state=state,
        qualifier=qualifier,
        page_sentence="",
        measured=measured,
        grade=grade,
        grade_reasons=reasons,
        promise=claim.promise,
        smallest_worthwhile=claim.smallest_worthwhile,
        scale=claim.scale,
        is_confirmatory=claim.is_confirmatory,
        p_promise=exceedance(measured.effect, claim.promise, df=measured.df),
        n_needed=n_needed,
        days_needed=days,
        title=metric.title if metric else claim.metric.replace("_", " ").capitalize(),
        unit=currency if unit == "money" else unit,
        is_down=claim.direction == "down"
        or (claim.direction is None and metric is not None and metric.direction == -1),
        days=claim.window.period,
    )
    return replace(result, page_sentence=claim_sentence(claim, result))


def judge_guardrail(guardrail: Guardrail, measured: Measured) -> GuardrailResult:
    """Whether a guardrail held: ``effect`` in its wanted direction, against its margin."""
    effect, title = measured.effect, guardrail.metric.replace("_", " ").capitalize()
    state: GuardState
    if measured.failed or measured.pending or effect is None:
        state = "invalid" if measured.failed else "unclear"
        why = measured.failed[0].sentence if measured.failed else measured.pending or "nothing was measured"
        sentence = f"{title}: {why}."
    else:
        state = guardrail_state_of((effect.lower, effect.upper), margin=guardrail.margin)
        relative = guardrail.scale == "relative"
        said = {"held": "did not get", "broken": "got", "unclear": "may or may not have got"}[state]
        margin = number_text.number(guardrail.margin, relative=relative, signed=False)
        found = number_text.interval(effect, relative=relative)
        sentence = f"{title} {said} worse by more than {margin}: {found}, where a plus is better."
    return GuardrailResult(
        metric=guardrail.metric, state=state, margin=guardrail.margin, measured=measured, page_sentence=sentence
    )


def overall(
    claims: Sequence[ClaimResult],
    guardrails: Sequence[GuardrailResult],
) -> tuple[State, str]:
    """Verdict of a proposal: its weakest confirmatory claim's; harmful where a guardrail is broken on valid evidence."""
    counted = [claim for claim in claims if claim.is_confirmatory] or list(claims)
    weakest = min(counted, key=lambda claim: WEAKEST_FIRST.index(claim.state))
    broken = [guard.metric for guard in guardrails if guard.state == "broken"]
    if broken and weakest.state != "invalid" and not weakest.qualifier:
        return "harmful", f"guardrail {broken[0]} broken"
    return weakest.state, weakest.qualifier


def overall_grade(claims: Sequence[ClaimResult]) -> Grade:
    """The lowest grade of the confirmatory claims."""
    return lowest(tuple(claim.grade for claim in claims if claim.is_confirmatory) or tuple(c.grade for c in claims))


def q_values(results: Sequence[ProposalResult]) -> Mapping[str, float]:
    """Benjamini-Hochberg q-value of each claim across a portfolio; shown on the index, never used in a verdict.

    Parameters
    ----------
    results : sequence of ProposalResult

    Returns
    -------
    mapping of "proposal/claim" to float
        Claims with a p-value only (0-1).
    """
    p_values: dict[Hashable, float] = {
        f"{result.proposal_id}/{claim.claim_id}": claim.measured.p_value
        for result in results
        for claim in result.claims
        if claim.measured.p_value is not None and not claim.measured.failed
    }
    frame = adjusted(p_values, method="benjamini_hochberg")
    return dict(zip(frame["name"], frame["adjusted_p_value"], strict=True))


def exceedance(effect: Estimate | None, threshold: float, *, df: float | None = None) -> float | None:
    """P(effect >= threshold) under a flat prior; None without a standard error.

    The error is Student's t with ``df`` degrees of freedom where the interval is (few clusters or windows), else normal.

    Examples
    --------
    >>> e = Estimate(value=0.05, lower=0.01, upper=0.09, n=900, unit="relative", method="delta", std_error=0.02)
    >>> exceedance(e, 0.05)
    0.5
    """
    if effect is None or not effect.std_error or not math.isfinite(effect.std_error):
        return None
    distance = (threshold - effect.value) / effect.std_error
    return float(distributions.norm.sf(distance) if df is None else distributions.t.sf(distance, df))


def still_needed(claim: Claim, measured: Measured) -> tuple[float | None, float | None]:
    """Units and days still needed to tell the promise from the smallest worthwhile change with 80 % power, at the traffic so far."""
    effect = measured.effect
    n = measured.n_control + measured.n_treated
    gap = claim.promise - claim.smallest_worthwhile
    if effect is None or n == 0:
        return None, None
    if claim.design.kind in DESCRIPTIVE:
        distance = abs(effect.value - claim.promise)
        total = n * (effect.width / 2 / distance) ** 2 if distance > 0 else math.inf
    elif measured.variation and measured.baseline and measured.n_control and measured.n_treated:
        change, share = claim.contrast(measured.per_baseline(claim.scale)), measured.n_treated / n
        total = (
            needed_units(
                measured.variation, change=change, treated_share=share, confidence_level=effect.confidence_level
            )
            if change > -1 and change != 0
            else math.inf
        )
    else:
        total = n * (effect.width / gap) ** 2 if gap > 0 else math.inf
    if total <= n and gap > 0 and claim.design.kind not in DESCRIPTIVE:
        total = n * (effect.width / gap) ** 2  # the truth lies between: a width below the gap always decides
    missing = max(total - n, 1.0)
    days = needed_days(missing, units_per_day=n / measured.n_days) if measured.n_days and total < math.inf else None
    return missing, days


def _state_of(claim: Claim, measured: Measured, *, may_confirm: bool) -> tuple[State, str]:
    if measured.failed:
        return "invalid", measured.failed[0].name
    if measured.pending or measured.effect is None:
        return "inconclusive", "not due"
    if not may_confirm or not claim.is_confirmatory:
        return "inconclusive", "exploratory"
    if measured.is_confounded or is_association_only(claim.design.kind, has_control=measured.has_control):
        return "inconclusive", "association only"
    ends = (measured.effect.lower, measured.effect.upper)
    if claim.design.kind in DESCRIPTIVE:
        return level_verdict_of(ends, threshold=claim.promise), ""
    return verdict_of(ends, promise=claim.promise, smallest_worthwhile=claim.smallest_worthwhile), ""
