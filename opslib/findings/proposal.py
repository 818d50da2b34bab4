"""Sentences of a proposal's page: its card, its claims, what it is worth, and what would change our mind."""

from __future__ import annotations

from datetime import date

from opslib.finding import About, Facts, Finding, answer
from opslib.formats import format_days, format_number
from opslib.proposals.card import VerdictCard
from opslib.proposals.desirability import Desirability
from opslib.proposals.results import ClaimResult, ProposalResult
from opslib.proposals.schema import Proposal
from opslib.stats.estimates import Estimate

__all__ = ["answer", "findings", "limits", "mind_changers", "verdict_card", "worth_sentences"]

_MOST_NOTES = 4


def findings(result: ProposalResult, *, page: Facts | None = None) -> tuple[Finding, ...]:
    """One finding a claim, for the page and for the ledger."""
    return tuple(
        Finding(
            key=f"{result.proposal_id}-{claim.claim_id}".lower(),
            sentence=claim.page_sentence,
            kind="described" if claim.measured.effect is None else "estimated",
            estimate=claim.measured.effect,
            grade=claim.grade,
            section="claims",
            department=result.owner,
            caveat=claim.measured.doubt or None,
            about=About(metric=claim.metric, objects=(result.proposal_id,), people=None),
        )
        for claim in result.claims
    )


def limits(page: Facts, result: ProposalResult) -> tuple[str, ...]:
    """What the proposal's page cannot say: the doubt of each claim."""
    return tuple(f"{claim.claim_id}: {claim.measured.doubt}" for claim in result.claims if claim.measured.doubt)


def what_is_proposed(proposal: Proposal) -> tuple[str, ...]:
    """The proposal in its own words, and whether it is a replay."""
    change = proposal.change or "as the title says"
    return (
        f"{proposal.id} {proposal.title}. Need: {proposal.need}. Change: {change}.",
        "Replayed on historical data: it never enters scores." if proposal.replay else "Judged on new data.",
    )


def obstacles_sentence(result: ProposalResult) -> str:
    """That nothing stands in the way, where it is so; '' else."""
    return "" if result.obstacles else "Nothing stands in the way."


def grade_reasons(claim: ClaimResult) -> str:
    """What lowered a claim's grade."""
    return "; ".join(claim.grade_reasons) or "Nothing lowers it"


def verdict_card(
    proposal: Proposal,
    result: ProposalResult,
    *,
    as_of: date,
    recommendation: str | None = None,
    money: Estimate | None = None,
    decision: str | None = None,
    ledger_head: str | None = None,
) -> VerdictCard:
    """The card of a judged proposal.

    Parameters
    ----------
    proposal, result
        The file, and its judgement.
    as_of : date
        Last day of the data, from which waiting counts.
    recommendation, money, decision, ledger_head
        From desirability and the ledger, where there are such.

    Returns
    -------
    VerdictCard
    """
    last = max(claim.window.end for claim in proposal.claims)
    notes = [f"{f.name}: {f.sentence}" for f in result.obstacles]
    rest = len(notes) - _MOST_NOTES
    shown = notes[:_MOST_NOTES] + ([f"{rest} more, listed below"] if rest > 0 else [])
    return VerdictCard(
        id=proposal.id, title=proposal.title, owner=proposal.owner, verdict=result.label, grade=result.grade,
        doubt=_doubt(result), recommendation=recommendation, money=money, notes=tuple(shown),
        waiting_days=(as_of - last).days if last <= as_of and decision is None else None, decision=decision,
        ledger_head=ledger_head,
    )  # fmt: skip


def worth_sentences(worth: Desirability, *, stated_sd: float | None) -> tuple[str, ...]:
    """What a proposal is worth in words: measured against believed, money, downside, and what testing more would bring.

    Parameters
    ----------
    worth : Desirability
    stated_sd : float or None
        Standard deviation of the base rate that ``shop.yml`` states for such changes, where it states one.

    Returns
    -------
    tuple of str
    """
    found = [*worth.sentences]
    if stated_sd is not None and worth.raw is not None:
        found.insert(
            1,
            f"The base rate is the shop's own, stated in its shop.yml: such changes move their figure by up to about "
            f"{100 * stated_sd:.0f} % in two of three cases.",
        )
    if worth.net is None or worth.downside_amount is None:
        return (
            *found,
            "There is no money on this page: the claim's metric has no money path, or no costs or reach are known.",
        )
    found.append(
        f"The downside, size and chance of a loss together, is {format_number(-worth.downside_amount, step=1)} "
        f"{worth.net.unit}."
    )
    best = max(worth.tests, key=lambda test: test.net_amount, default=None)
    if best is None:
        return (*found, "What testing more is worth cannot be told for this design.")
    if best.net_amount <= 0:
        return (*found, "No further test is worth the delay.")
    value = format_number(best.net_amount, step=1)
    return (
        *found,
        f"Testing {format_days(best.days)} more before deciding is worth {value} {worth.net.unit}, delay taken off.",
    )


def _doubt(result: ProposalResult) -> str:
    """The doubt of the claim that decided the verdict; a lowered grade's first reason if it names none."""
    for claim in (*[c for c in result.claims if c.state == result.state], *result.claims):
        if claim.measured.doubt:
            return claim.measured.doubt
        if claim.grade_reasons:
            return claim.grade_reasons[0]
    return "none beyond the interval itself"


def mind_changers(result: ProposalResult) -> tuple[str, ...]:
    """What would change the verdict, one sentence a claim.

    Parameters
    ----------
    result : ProposalResult

    Returns
    -------
    tuple of str
    """
    return tuple(f"{claim.claim_id}: {_changer(claim)}" for claim in result.claims)


def _changer(claim: ClaimResult) -> str:
    if claim.state == "invalid":
        return "the test must be repeated once the failed gate is mended; nothing in these data can repair it."
    if claim.qualifier.startswith("association"):
        return "a randomised test, or at least a comparison with groups that did not choose for themselves."
    if claim.qualifier.startswith("exploratory"):
        return "the same claim, frozen before the next window begins, and seen again."
    if claim.state == "inconclusive" and claim.n_needed:
        days = f", about {format_days(round(claim.days_needed))} at this traffic" if claim.days_needed else ""
        return f"about {format_number(claim.n_needed)} more units{days}."
    if claim.state == "supported":
        return "more units, which would show whether the effect also reaches what was promised."
    if claim.state in ("harmful", "refuted"):
        return "another change: the same one, tested again, would have to overturn this interval."
    if claim.state == "partly":
        return "a smaller promise: the effect is there and stays below what was promised."
    return "a follow-up on new data that falls short of the promise."
