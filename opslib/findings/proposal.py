"""A judged proposal in words: the card, the claims as a picture reads them, and what would change our mind."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy.stats import norm

from opslib.formats import format_days, format_number
from opslib.proposals.card import VerdictCard
from opslib.proposals.desirability import Desirability
from opslib.proposals.feasibility import latest_answers
from opslib.proposals.model import Proposal
from opslib.proposals.results import ClaimResult, ProposalResult
from opslib.stats.estimates import Estimate

_ANSWERS = {"agree": "agrees", "agree_if": "agrees if", "object": "objects"}
_MOST_NOTES = 4
_TAIL, _GRID = 0.002, 400


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


def worth_sentences(worth: Desirability, *, planted_sd: float | None) -> tuple[str, ...]:
    """What a proposal is worth in words: measured against believed, money, downside, and what testing more would bring.

    Parameters
    ----------
    worth : Desirability
    planted_sd : float or None
        Of a simulated shop: standard deviation of the stated base rate that tests and roll-outs got instead of the public
        one, since planted effects lie outside it.

    Returns
    -------
    tuple of str
    """
    found = [*worth.sentences]
    if planted_sd is not None and worth.raw is not None:
        found.insert(
            1,
            f"The shop is simulated, its effects were planted, far larger than public tests show: for tests and "
            f"roll-outs the base rate is a stated one of {100 * planted_sd:.0f} % instead.",
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


def money_density(worth: Desirability) -> pd.DataFrame | None:
    """The net amount as a density, as `charts.draw_posterior` reads it.

    Parameters
    ----------
    worth : Desirability

    Returns
    -------
    pandas.DataFrame or None
        amount, density; None where nothing was turned into money.
    """
    after, per_lift, net = worth.posterior, worth.amount_per_lift, worth.net
    if after is None or per_lift is None or net is None or not net.std_error:
        return None
    lift = np.linspace(after.quantile(_TAIL), after.quantile(1 - _TAIL), _GRID)
    parts = [w * norm.pdf(lift, m, s) for w, m, s in zip(after.weights, after.means, after.sds, strict=True)]
    return pd.DataFrame({"amount": per_lift * lift - worth.cost_amount, "density": np.sum(parts, axis=0) / per_lift})


def _doubt(result: ProposalResult) -> str:
    """The doubt of the claim that decided the verdict; a lowered grade's first reason if it names none."""
    for claim in (*[c for c in result.claims if c.state == result.state], *result.claims):
        if claim.measured.doubt:
            return claim.measured.doubt
        if claim.grade_reasons:
            return claim.grade_reasons[0]
    return "none beyond the interval itself"


def claims_frame(result: ProposalResult) -> pd.DataFrame:
    """Claims as `charts.draw_claims` and a table read them.

    Parameters
    ----------
    result : ProposalResult

    Returns
    -------
    pandas.DataFrame
        claim, sentence, metric, design, value, lower, upper, promise, m, unit, verdict, grade; only claims that were
        measured have numbers.
    """
    rows = [
        {
            "claim": c.claim_id, "sentence": c.sentence, "metric": c.metric, "design": c.design.replace("_", " "),
            "value": c.measured.effect.value if c.measured.effect else float("nan"),
            "lower": c.measured.effect.lower if c.measured.effect else float("nan"),
            "upper": c.measured.effect.upper if c.measured.effect else float("nan"),
            "promise": c.promise, "m": c.m, "verdict": c.label, "grade": c.grade,
            "unit": "relative change" if c.scale == "relative" else c.measured.effect.unit if c.measured.effect else "",
        }
        for c in result.claims
    ]  # fmt: skip
    return pd.DataFrame(rows)


def consultations_frame(proposal: Proposal) -> pd.DataFrame:
    """Every department that the proposal touches, with its answer or its silence.

    Parameters
    ----------
    proposal : Proposal

    Returns
    -------
    pandas.DataFrame
        department, person_days, answer, person, date, note.
    """
    answers = latest_answers(proposal.consultations)
    touched = {proposal.owner: proposal.owner_person_days} | {e.department: e.person_days for e in proposal.departments}
    rows = []
    for department, days in touched.items():
        said = answers.get(department)
        rows.append({
            "department": department, "effort_days": float(days),
            "answer": _ANSWERS[said.answer] if said else "has not answered",
            "person": said.person if said else "", "date": said.date if said else None, "note": said.note if said else "",
        })  # fmt: skip
    return pd.DataFrame(rows)


def gates_frame(result: ProposalResult) -> pd.DataFrame:
    """Every gate of every claim, failed ones first.

    Parameters
    ----------
    result : ProposalResult

    Returns
    -------
    pandas.DataFrame
        claim, gate, status, sentence.
    """
    rows = [(c.claim_id, g.name, g.status, g.sentence) for c in result.claims for g in c.measured.gates]
    frame = pd.DataFrame(rows, columns=["claim", "gate", "status", "what was found"])
    order = frame["status"].map({"failed": 0, "warning": 1, "passed": 2})
    return frame.iloc[order.argsort(kind="stable")].reset_index(drop=True)


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
