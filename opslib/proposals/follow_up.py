"""Follow-up: decisions with their prediction, outcomes scored against them, base rates learned from all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from opslib.departments import department_or_own
from opslib.errors import LedgerError, ProposalError
from opslib.proposals.desirability import Desirability
from opslib.proposals.economics import relative_effect, relative_error
from opslib.proposals.ledger import Record
from opslib.proposals.results import ProposalResult
from opslib.proposals.schema import Proposal
from opslib.stats.estimates import Estimate
from opslib.stats.scoring import BrierScore, brier, crps
from opslib.stats.shrinkage import MIN_LEARNED, Mixture, learned_prior, posterior

LAUNCHES = ("launch", "launch with hold-out")
DECISIONS = (*LAUNCHES, "test first", "gather data", "reject")
#: Days in which something that does harm is to be undone.
UNDO_DAYS = 7
#: Promises below which only their count is shown.
MIN_SCORED = 10
BAND = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseScores:
    """How good promises were, of one department, design or all.

    Parameters
    ----------
    group : str
        Department, design or "all".
    n : int
        Follow-ups scored.
    coverage_share : float or None
        Share inside the predicted central 90 %; None with fewer than ten.
    mean_crps : float or None
        Mean continuous ranked probability score, relative units (0 best).
    brier : BrierScore or None
        Of the stated probability that the effect exceeds m.
    """

    group: str
    n: int
    coverage_share: float | None
    mean_crps: float | None
    brier: BrierScore | None


def decision_payload(
    proposal: Proposal,
    result: ProposalResult,
    desirable: Desirability,
    *,
    person: str,
    decision: str,
    reason: str,
    follow_up_error: float | None,
) -> dict[str, Any]:
    """What the ledger keeps of a decision.

    Parameters
    ----------
    proposal, result, desirable
        As judged at the decision.
    person, decision, reason : str
        Who decided what, and why; the decision is one of `DECISIONS`.
    follow_up_error : float or None
        Error that the follow-up's estimate will have, its design's stated bias included (relative standard deviation);
        None where no effect was measured.

    Returns
    -------
    dict
        JSON values: decision, with or against the recommendation, reason, predictive distribution of the follow-up.

    Raises
    ------
    ProposalError
        An unknown decision, or one without a person or a reason.
    """
    if decision not in DECISIONS:
        raise ProposalError(f"{proposal.id}: decision '{decision}' is not one of {', '.join(DECISIONS)}")
    is_with = decision == desirable.recommendation
    if not is_with and not reason.strip():
        raise ProposalError(
            f"{proposal.id}: '{decision}' goes against the recommendation '{desirable.recommendation}'; say why"
        )
    if not (person.strip() and reason.strip()):
        raise ProposalError(f"{proposal.id}: a decision names who took it, and why; both stand on its page")
    after = desirable.posterior
    noisy = None if after is None or follow_up_error is None else after.widened(follow_up_error)
    claim = next(c for c in result.claims if c.claim_id == desirable.claim_id)
    return {
        "decision": decision,
        "recommendation": desirable.recommendation,
        "is_with_recommendation": is_with,
        "person": person,
        "reason": reason,
        "owner": proposal.owner,
        "design": claim.design,
        "claim": claim.claim_id,
        "m": claim.smallest_worthwhile,
        "promise": claim.promise,
        "stated_probability": proposal.stated_probability,
        "predictive": None if noisy is None else {name: list(values) for name, values in asdict(noisy).items()},
        "is_replay": proposal.replay,
    }


def follow_up_payload(
    decision: Mapping[str, Any],
    estimate: Estimate,
    *,
    design: str,
    prior: Mixture,
    bias_sd: float = 0.0,
) -> dict[str, Any]:
    """What the ledger keeps of a follow-up: estimate, place in the prediction, probability that the effect exceeds m.

    Parameters
    ----------
    decision : mapping
        Payload of the decision.
    estimate : Estimate
        Relative effect in the wanted direction, with its standard error.
    design : str
        hold_out or before_after.
    prior : Mixture
        Base rate, for the probability that an inconclusive follow-up counts with.
    bias_sd : float
        Stated bias of the follow-up's design (relative standard deviation; 0 for a hold-out).

    Returns
    -------
    dict
        JSON values.
    """
    if not estimate.std_error:
        raise ProposalError("follow-up: the estimate has no standard error, so a prediction cannot be scored by it")
    least = float(decision["m"])
    error = math.hypot(estimate.std_error, bias_sd)
    widening = error / estimate.std_error
    lower = estimate.value - widening * (estimate.value - estimate.lower)
    upper = estimate.value + widening * (estimate.upper - estimate.value)
    decided = 1.0 if lower > least else 0.0 if upper <= least else None
    happened = decided if decided is not None else posterior(estimate.value, error, prior=prior).above(least)
    return {
        "design": design,
        "value": estimate.value,
        "lower": estimate.lower,
        "upper": estimate.upper,
        "std_error": estimate.std_error,
        "bias_sd": bias_sd,
        "level": estimate.confidence_level,
        "p_worthwhile": happened,
        "predictive": decision["predictive"],
        "stated_probability": decision["stated_probability"],
        "owner": decision["owner"],
        "decided_design": decision["design"],
        "is_replay": decision["is_replay"],
    }


def scored_promises(
    records: Iterable[Record], *, by: str = "all", is_replay: bool = False
) -> tuple[PromiseScores, ...]:
    """Coverage, CRPS and Brier score of promises that were followed up, each once, by its latest follow-up.

    Replays never count with the others.

    Parameters
    ----------
    records : iterable of Record
        The ledger.
    by : {"all", "owner", "decided_design"}
        How to group.
    is_replay : bool
        Score the replays instead, to be shown as such.

    Returns
    -------
    tuple of PromiseScores
        One a group, by name; a figure with fewer than ten follow-ups behind it is None.
    """
    latest = {r.proposal: r.payload for r in records if r.kind == "follow_up"}
    rows = [payload for payload in latest.values() if payload["is_replay"] == is_replay]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        group = {"all": "all", "owner": department_or_own(row["owner"])}.get(by) or str(row[by])
        groups.setdefault(group, []).append(row)
    return tuple(_scores(name, groups[name]) for name in sorted(groups))


_PROMISED = (
    "decision",
    "recommendation",
    "is_with_recommendation",
    "person",
    "reason",
    "owner",
    "promise",
    "m",
    "stated_probability",
    "is_replay",
)
_PREDICTED = ("predicted", "predicted_lower", "predicted_upper")
_FOUND = {"value": "value", "value_lower": "lower", "value_upper": "upper", "p_worthwhile": "p_worthwhile"}
"""Columns, and their keys in the ledger."""


def promises(records: Sequence[Record]) -> pd.DataFrame:
    """Every decision with its follow-up, where there is one.

    Parameters
    ----------
    records : sequence of Record
        The ledger.

    Returns
    -------
    DataFrame
        proposal, decided_on, decision, recommendation, is_with_recommendation, person, reason, owner, promise, m,
        stated_probability, is_replay, predicted, predicted_lower, predicted_upper, value, value_lower, value_upper, p_worthwhile,
        followed_on, is_inside; missing until followed up.
    """
    followed = {r.proposal: r for r in records if r.kind == "follow_up"}
    latest = {r.proposal: r for r in records if r.kind == "decision"}
    rows = []
    for record in (r for r in records if r.kind == "decision"):
        payload = record.payload
        later = followed.get(record.proposal) if latest[record.proposal] is record else None
        found = {} if later is None else later.payload
        predicted = None if payload["predictive"] is None else _mixture(payload["predictive"])
        ends = (np.nan,) * 3 if predicted is None else (predicted.mean, *_band(predicted))
        is_told = bool(found) and predicted is not None
        rows.append(
            {
                "proposal": record.proposal,
                "decided_on": recorded_day(record),
                **{name: payload[name] for name in _PROMISED},
                "owner": department_or_own(payload["owner"]),
                **dict(zip(_PREDICTED, ends, strict=True)),
                **{name: found.get(key, np.nan) for name, key in _FOUND.items()},
                "followed_on": None if later is None else recorded_day(later),
                "is_inside": bool(ends[1] <= found["value"] <= ends[2]) if is_told else None,
            }
        )
    columns = ["proposal", "decided_on", *_PROMISED, *_PREDICTED, *_FOUND, "followed_on", "is_inside"]
    return pd.DataFrame(rows, columns=columns)


def recorded_day(record: Record) -> date:
    """Day of a decision or follow-up: as stated, else when it was written."""
    return date.fromisoformat(record.payload.get("on") or record.at.split("T")[0])


def learned_base_rates(records: Iterable[Record]) -> dict[str, Mixture]:
    """Base rate of each design from the first estimate of every evaluated proposal, launched or not.

    Parameters
    ----------
    records : iterable of Record
        The ledger; evaluations carry ``first_estimates`` (design, value, std_error, is_replay).

    Returns
    -------
    dict of design to Mixture
        Designs with at least ten first estimates that were no replay.
    """
    first: dict[str, list[tuple[float, float]]] = {}
    seen: set[tuple[str, str]] = set()
    for record in records:
        if record.kind != "evaluation":
            continue
        for row in record.payload.get("first_estimates", []):
            key = (record.proposal, row["claim"])
            if key in seen or row["is_replay"] or not row["std_error"]:
                continue
            seen.add(key)
            first.setdefault(row["design"], []).append((row["value"], row["std_error"]))
    return {
        design: learned_prior([v for v, _ in pairs], [e for _, e in pairs])
        for design, pairs in first.items()
        if len(pairs) >= MIN_LEARNED
    }


def first_estimates(result: ProposalResult) -> list[dict[str, Any]]:
    """Relative estimates of an evaluation, as `learned_base_rates` reads them from the ledger.

    ``std_error`` is the error that shrinking uses, the design's stated bias included: what is bias is no spread of effects.
    """
    rows = []
    for claim in result.claims:
        effect, error = relative_effect(claim), relative_error(claim)
        if effect is not None and error is not None:
            rows.append(
                {
                    "claim": claim.claim_id,
                    "design": claim.design,
                    "value": effect.value,
                    "std_error": error,
                    "is_replay": result.is_replay,
                }
            )
    return rows


def _scores(group: str, rows: list[dict[str, Any]]) -> PromiseScores:
    predicted = [(_mixture(row["predictive"]), row["value"]) for row in rows if row["predictive"]]
    predicted = predicted if len(predicted) >= MIN_SCORED else []
    inside = [lower <= value <= upper for mixture, value in predicted for lower, upper in [_band(mixture)]]
    stated = [row for row in rows if row["stated_probability"] is not None]
    stated = stated if len(stated) >= MIN_SCORED else []
    return PromiseScores(
        group=group,
        n=len(rows),
        coverage_share=float(np.mean(inside)) if inside else None,
        mean_crps=float(np.mean([crps(mixture, value) for mixture, value in predicted])) if predicted else None,
        brier=brier([r["stated_probability"] for r in stated], [r["p_worthwhile"] for r in stated]) if stated else None,
    )


def _band(mixture: Mixture) -> tuple[float, float]:
    return mixture.quantile((1 - BAND) / 2), mixture.quantile((1 + BAND) / 2)


def _mixture(parts: Mapping[str, Sequence[float]]) -> Mixture:
    try:
        return Mixture(weights=tuple(parts["weights"]), means=tuple(parts["means"]), sds=tuple(parts["sds"]))
    except KeyError as error:
        raise LedgerError(f"ledger: a prediction lacks {error}; needed: weights, means, sds") from None
