"""Decisions and follow-ups of a shop's proposals, from its data and its ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from opslib.casework.agenda import awaited, is_overdue
from opslib.casework.files import records_of_shop
from opslib.casework.judge import base_rates, open_casework, own_metrics, weigh
from opslib.departments import department_or_own
from opslib.errors import ProposalError
from opslib.formats import format_date
from opslib.metrics import Metric
from opslib.proposals.desirability import Desirability, prior_of
from opslib.proposals.evaluate import definitions_of, evaluate_proposal, plans_of
from opslib.proposals.follow_up import LAUNCHES, decision_payload, follow_up_payload, recorded_day
from opslib.proposals.follow_up_measurement import expected_error, measured_follow_up
from opslib.proposals.ledger import Record, records_of
from opslib.proposals.preregistration import FrozenRecord, changes_since, require_finished
from opslib.proposals.results import ProposalResult
from opslib.proposals.schema import Proposal
from opslib.shop.opening import Shop

OPEN = ("test first", "gather data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A proposal as it stands on the day of its decision.

    Parameters
    ----------
    proposal : Proposal
    result : ProposalResult
        Judged on what was known on that day.
    desirable : Desirability
        Money and recommendation.
    follow_up_error : float or None
        Standard error that the follow-up will have (relative).
    """

    proposal: Proposal
    result: ProposalResult
    desirable: Desirability
    follow_up_error: float | None


def before_decision(shop: Shop, proposal_id: str, *, on: date) -> Weighed:
    """Judge a proposal and turn it into money as of the day of its decision.

    Parameters
    ----------
    shop : Shop
    proposal_id : str
    on : date
        Later data are not looked at.

    Returns
    -------
    Weighed
    """
    case = open_casework(shop, on=on)
    proposal, data = case.proposal(proposal_id), case.data
    require_finished(proposal)
    result = evaluate_proposal(proposal, shop=data, frozen=case.frozen.get(proposal.id))
    desirable = weigh(shop, proposal, result, as_of=data.as_of)
    claim = next(c for c in result.claims if c.claim_id == desirable.claim_id)
    plan = plans_of(proposal, own=data.own_metrics)[claim.claim_id]
    error = expected_error(proposal, plan, claim, context=data.context)
    return Weighed(proposal=proposal, result=result, desirable=desirable, follow_up_error=error)


def decided(weighed: Weighed, *, person: str, decision: str, reason: str, is_against: bool, on: date) -> dict[str, Any]:
    """Ledger payload of a decision, with whether it follows the recommendation.

    Parameters
    ----------
    weighed : Weighed
    person, decision, reason : str
        Who, one of `follow_up.DECISIONS`, and why.
    is_against : bool
        Whether the person knows that it goes against the recommendation.
    on : date
        Day of the decision.

    Returns
    -------
    dict
        JSON values for the ledger.

    Raises
    ------
    ProposalError
        The decision goes against the recommendation and nobody said so, or the other way round.
    """
    payload = decision_payload(
        weighed.proposal,
        weighed.result,
        weighed.desirable,
        person=person,
        decision=decision,
        reason=reason,
        follow_up_error=weighed.follow_up_error,
    )
    advice = weighed.desirable.recommendation
    if not payload["is_with_recommendation"] and not is_against:
        raise ProposalError(
            f"{weighed.proposal.id}: '{decision}' goes against the recommendation '{advice}' "
            f"({weighed.desirable.sentences[-1]}); add --against, or decide '{advice}'"
        )
    if payload["is_with_recommendation"] and is_against:
        raise ProposalError(f"{weighed.proposal.id}: '{decision}' is what is recommended; leave out --against")
    worth = weighed.desirable.net
    return {
        **payload,
        "on": on.isoformat(),
        "verdict": weighed.result.label,
        "grade": weighed.result.grade,
        "net_amount": None if worth is None else worth.value,
        "p_net_positive": weighed.desirable.p_net_positive,
    }


def require_open(records: Sequence[Record], proposal_id: str) -> None:
    """Refuse a second decision after a launch or a rejection.

    Raises
    ------
    ProposalError
        It was decided for good; what can be done instead is said.
    """
    past = records_of(records, proposal=proposal_id, kind="decision")
    if past and past[-1].payload["decision"] not in OPEN:
        last = past[-1].payload
        raise ProposalError(
            f"{proposal_id}: decided on {recorded_day(past[-1])} ({last['decision']}, {last['person']}); the ledger "
            "replaces nothing, so write a new proposal that names this one"
        )


def last_decision(shop: Shop, proposal_id: str) -> dict[str, Any] | None:
    """Payload of a proposal's last decision; None where nothing was decided."""
    past = records_of(records_of_shop(shop.name), proposal=proposal_id, kind="decision")
    return past[-1].payload if past else None


def launched_on(shop: Shop, proposal_id: str) -> date | None:
    """Day of the decision that launched a proposal; None where it was not launched."""
    past = records_of(records_of_shop(shop.name), proposal=proposal_id, kind="decision")
    return recorded_day(past[-1]) if past and past[-1].payload["decision"] in LAUNCHES else None


def standing(shop: Shop, proposal_id: str, *, recommendation: str | None = None) -> dict[str, str | None]:
    """What the ledger says of a proposal today, as its card takes it.

    Parameters
    ----------
    shop : Shop
    proposal_id : str
    recommendation : str or None
        What is recommended today: a decision that is the same goes against nothing, whatever was recommended on its day.

    Returns
    -------
    dict
        ``decision`` (the last one: what, who, when, against what advice) and ``ledger_head``; None where there is none.
    """
    records = records_of_shop(shop.name)
    past, said = records_of(records, proposal=proposal_id, kind="decision"), None
    if past:
        last = past[-1].payload
        is_against = not last["is_with_recommendation"] and last["decision"] != recommendation
        advice = f", against the recommendation to {last['recommendation']}" if is_against else ""
        day = format_date(recorded_day(past[-1]))
        said = f"{last['decision']} ({last['person']}, {day}{advice})"
    return {"decision": said, "ledger_head": records[-1].hash if records else None}


def followed(shop: Shop, proposal_id: str, *, on: date) -> dict[str, Any]:
    """Measure what became of a launched proposal, by its preregistered design, and score the promise.

    Parameters
    ----------
    shop : Shop
    proposal_id : str
    on : date
        Later data are not looked at.

    Returns
    -------
    dict
        JSON values for the ledger.

    Raises
    ------
    ProposalError
        Nothing was launched or frozen, what was frozen is changed, the follow-up is not due, was made already, or a
        gate failed.
    """
    case = open_casework(shop, on=on)
    proposal, data = case.proposal(proposal_id), case.data
    decision = launch_of(case.records, proposal_id)
    _require_as_frozen(proposal, case.frozen.get(proposal.id), own=own_metrics(shop))
    plan = plans_of(proposal, own=data.own_metrics)[decision["claim"]]
    estimate, bias_sd = measured_follow_up(proposal, plan, context=data.context)
    assert plan.claim.follow_up is not None
    prior = base_rates(shop, proposal, on=on).get(decision["design"]) or prior_of(decision["design"])
    payload = follow_up_payload(decision, estimate, design=plan.claim.follow_up.design, bias_sd=bias_sd, prior=prior)
    return {
        **payload,
        "on": on.isoformat(),
        "promise": decision["promise"],
        "m": decision["m"],
        "window": plan.claim.follow_up.window.model_dump(mode="json"),
    }


def launch_of(records: Sequence[Record], proposal_id: str) -> dict[str, Any]:
    """Payload of the decision that launched a proposal and was not followed up yet.

    Raises
    ------
    ProposalError
        It was not decided, not launched, or followed up already.
    """
    past = records_of(records, proposal=proposal_id, kind="decision")
    if not past:
        raise ProposalError(f"{proposal_id}: nothing was decided; opslib proposal decide {proposal_id} comes first")
    if past[-1].payload["decision"] not in LAUNCHES:
        raise ProposalError(
            f"{proposal_id}: the decision was '{past[-1].payload['decision']}'; only a launch is followed up"
        )
    if records_of(records, proposal=proposal_id, kind="follow_up"):
        raise ProposalError(
            f"{proposal_id}: followed up already; a second look at the same promise would count it twice"
        )
    return past[-1].payload


def _require_as_frozen(proposal: Proposal, record: FrozenRecord | None, *, own: Mapping[str, Metric]) -> None:
    """Refuse a follow-up by another design than the preregistered one."""
    if record is None:
        raise ProposalError(
            f"{proposal.id}: it was never frozen, so nobody named its follow-up before the result, and none is scored"
        )
    changes = changes_since(record, proposal, definitions=definitions_of(proposal, own=own))
    if changes:
        raise ProposalError(
            f"{proposal.id}: {changes[0].sentence}; a follow-up measures what was frozen, so take the change back"
        )


def open_follow_ups(records: Sequence[Record], proposals: Mapping[str, Proposal], *, on: date) -> pd.DataFrame:
    """Launched proposals whose follow-up is still to come or overdue, the oldest day first.

    Parameters
    ----------
    records : sequence of Record
    proposals : mapping of id to Proposal
    on : date

    Returns
    -------
    pandas.DataFrame
        proposal, title, owner, due_on (missing where none was named), is_overdue, state in words.
    """
    rows = []
    for name, day in awaited(records, proposals).items():
        proposal, is_over = proposals[name], is_overdue(day, on=on)
        state = "none was named" if day is None else f"{'overdue since' if is_over else 'due on'} {format_date(day)}"
        rows.append((name, proposal.title, department_or_own(proposal.owner), day, is_over, state))
    found = pd.DataFrame(rows, columns=["proposal", "title", "owner", "due_on", "is_overdue", "state"])
    return found.sort_values(["due_on", "proposal"], kind="stable", na_position="last").reset_index(drop=True)


def due(records: Sequence[Record], proposals: dict[str, Proposal], *, on: date) -> tuple[str, ...]:
    """Frozen and launched proposals whose follow-up window has ended and that were not looked at again.

    Parameters
    ----------
    records : sequence of Record
    proposals : dict of id to Proposal
    on : date

    Returns
    -------
    tuple of str
        Ids in order.
    """
    return tuple(
        name
        for name, end in awaited(records, proposals).items()
        if end is not None and end <= on and records_of(records, proposal=name, kind="freeze")
    )
