"""Measurement of a launched proposal by its preregistered follow-up design, on days that the verdict did not use."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

from opslib import engine
from opslib.errors import DesignError, ProposalError
from opslib.metrics import UNITS
from opslib.proposals.designs import Context, Plan, measure
from opslib.proposals.designs.assignment import require_table_of, rollout_units
from opslib.proposals.results import ClaimResult, Measured
from opslib.proposals.schema import (
    RANDOMISED,
    BeforeAfterDesign,
    Claim,
    ExperimentDesign,
    Fixed,
    Proposal,
    RolloutDesign,
    Window,
)
from opslib.proposals.scope import ScopeFilter
from opslib.stats.estimates import Estimate

#: Variants under which a launch records who is held out: the experiment ``<proposal id>-hold-out``.
HELD_OUT, LAUNCHED = "hold_out", "launched"
LEAST_HISTORY, MOST_HISTORY = 56, 728
LEVEL = 0.95


def follow_up_claim(proposal: Proposal, claim: Claim, *, context: Context) -> Claim:
    """The claim as its follow-up measures it: same metric and scope, the follow-up's window and design.

    Parameters
    ----------
    proposal : Proposal
    claim : Claim
        With a ``follow_up``.
    context : Context
        Who is held out, who was treated, how far history reaches back.

    Returns
    -------
    Claim
        A hold-out is the experiment ``<proposal id>-hold-out`` (hold_out, launched), else the test's own control
        group that goes on; before_after looks from the day of the change, beside the claim's control series or untreated units.

    Raises
    ------
    ProposalError
        No follow-up was named, nobody was held out, or the window lies inside the claim's own.
    """
    plan = claim.follow_up
    if plan is None:
        raise ProposalError(
            f"{proposal.id}: claim '{claim.id}' named no follow-up before it was frozen, so nothing can be "
            "scored; name follow_up (design, window) in the next proposal"
        )
    if plan.window.start <= claim.window.end:
        raise ProposalError(
            f"{proposal.id}: the follow-up starts on {plan.window.start}, inside the claim's window to "
            f"{claim.window.end}; a follow-up needs days that the verdict has not seen"
        )
    if plan.design == "before_after":
        return _before_after(proposal, claim, context, window=plan.window)
    fixed = {"window": plan.window, "stopping": Fixed(), "follow_up": None}
    return claim.model_copy(update={**fixed, "design": _hold_out(proposal, claim, context)})


def measured_follow_up(proposal: Proposal, plan: Plan, *, context: Context) -> tuple[Estimate, float]:
    """Relative effect that the follow-up finds, in the wanted direction, and the stated bias of its design.

    Parameters
    ----------
    proposal : Proposal
    plan : Plan
        Of the claim that was decided on.
    context : Context
        ``as_of`` is the day of the follow-up.

    Returns
    -------
    (Estimate, float)
        At 95 %, with its standard error; bias as relative standard deviation, 0 for a hold-out.

    Raises
    ------
    ProposalError
        The window has not ended, or a gate failed; the gate is named.
    """
    claim = follow_up_claim(proposal, plan.claim, context=context)
    if context.as_of < claim.window.end:
        raise ProposalError(
            f"{proposal.id}: the follow-up is due after {claim.window.end}, and the data reach "
            f"{context.as_of}; come back then"
        )
    found = _measured(plan, claim, context)
    if found.effect is None:
        why = f"{found.failed[0].name}: {found.failed[0].sentence}" if found.failed else found.pending
        raise ProposalError(f"{proposal.id}: the follow-up cannot be measured ({why})")
    return _relative(found, claim), found.bias_sd * found.per_baseline(claim.scale)


def expected_error(proposal: Proposal, plan: Plan, result: ClaimResult, *, context: Context) -> float | None:
    """Error that the follow-up's estimate will have, stated bias included, as far as it can be known at the decision.

    Parameters
    ----------
    proposal : Proposal
    plan : Plan
        Of the claim decided on.
    result : ClaimResult
        As judged.
    context : Context

    Returns
    -------
    float or None
        Relative. A hold-out's from the test's own error, its days and its split; a before_after's from a rehearsal on the
        last days before the decision. None where nothing can be told.
    """
    claim, measured = plan.claim, result.measured
    if claim.follow_up is None or measured.effect is None:
        return None
    own = _relative(measured, claim).std_error if claim.scale == "relative" or measured.baseline else None
    if claim.follow_up.design == "hold_out":
        return None if own is None else own * _size_factor(claim, measured)
    if isinstance(claim.design, BeforeAfterDesign):
        return None if own is None else math.hypot(own, measured.bias_sd * measured.per_baseline(claim.scale))
    return _rehearsed(proposal, plan, context)


def _size_factor(claim: Claim, measured: Measured) -> float:
    """How much wider a hold-out's error is than the test's: fewer or more days, and a smaller side."""
    assert claim.follow_up is not None
    n = measured.n_control + measured.n_treated
    share = measured.n_treated / n if n else 0.5
    held = claim.follow_up.hold_out_share or 0.5
    split = (1 / held + 1 / (1 - held)) / (1 / share + 1 / (1 - share)) if 0 < share < 1 and 0 < held < 1 else 1.0
    return math.sqrt(split * measured.n_days / claim.follow_up.window.period.n_days)


def _rehearsed(proposal: Proposal, plan: Plan, context: Context) -> float | None:
    """Error of the same follow-up on history, with its window ending on the last day seen."""
    assert plan.claim.follow_up is not None
    first = context.as_of - timedelta(days=plan.claim.follow_up.window.period.n_days - 1)
    window = Window(start=first, end=context.as_of)
    try:
        rehearsal = _before_after(proposal, plan.claim, context, window=window, changed_on=first)
        found = _measured(plan, rehearsal, context)
    except ProposalError:
        return None
    error = None if found.effect is None else _relative(found, rehearsal).std_error
    return None if error is None else math.hypot(error, found.bias_sd * found.per_baseline(rehearsal.scale))


def _measured(plan: Plan, claim: Claim, context: Context) -> Measured:
    return measure([replace(plan, claim=claim, confidence_level=LEVEL)], context)[plan.key]


def _hold_out(proposal: Proposal, claim: Claim, context: Context) -> object:
    """Units held out of the launch, else the test's own groups, which go on."""
    name = f"{proposal.id}-hold-out"
    rows = require_table_of(context.tables, "experiments")
    rows = rows.filter(rows["experiment_id"] == name, rows["variant"].isin([HELD_OUT, LAUNCHED]))
    found = engine.collect(rows.select("unit", "variant").distinct().order_by(["unit", "variant"]))
    if set(found["variant"]) == {HELD_OUT, LAUNCHED}:
        return ExperimentDesign(
            kind="experiment",
            experiment=name,
            control=HELD_OUT,
            treatment=LAUNCHED,
            randomised=str(found["unit"].iloc[0]),  # type: ignore[arg-type]
        )
    if claim.design.kind in RANDOMISED:
        return claim.design
    raise ProposalError(
        f"{proposal.id}: nobody is recorded as held out; the table experiments needs rows with "
        f"experiment_id '{name}' and the variants {HELD_OUT} and {LAUNCHED}"
    )


def _before_after(
    proposal: Proposal, claim: Claim, context: Context, *, window: Window, changed_on: date | None = None
) -> Claim:
    """The claim beside the shop's own history: day of the change (unless given), history, control series and scope."""
    design = claim.design
    changed, control, scope = proposal.start, (), claim.scope
    if isinstance(design, BeforeAfterDesign):
        changed, control = design.changed_on, design.control_scope
    elif isinstance(design, RolloutDesign):
        changed, treated, untreated = _sides(design, context)
        control, scope = (*claim.scope, untreated), (*claim.scope, treated)
    day = changed_on or changed
    after = BeforeAfterDesign(
        kind="before_after", changed_on=day, history_days=_history(day, context), control_scope=control
    )
    return claim.model_copy(
        update={"window": window, "stopping": Fixed(), "follow_up": None, "design": after, "scope": scope}
    )


def _history(changed: date, context: Context) -> int:
    """Days before the change that were observed, two years at most."""
    if context.coverage is None:
        return MOST_HISTORY
    return max(min((changed - context.coverage.first).days, MOST_HISTORY), LEAST_HISTORY)


def _sides(design: RolloutDesign, context: Context) -> tuple[date, ScopeFilter, ScopeFilter]:
    """First day of a roll-out, and its treated and untreated units as filters."""
    try:
        units = rollout_units(context.tables, design)
    except DesignError as error:
        raise ProposalError(str(error)) from None
    starts = units["treated_from"]
    column = f"order_lines.{UNITS[str(units['unit'].iloc[0])][-1]}"
    treated, untreated = (
        ScopeFilter(column=column, op="in", value=tuple(units.loc[side, "unit_id"]))
        for side in (starts.notna(), starts.isna())
    )
    return starts.min().date(), treated, untreated


def _relative(measured: Measured, claim: Claim) -> Estimate:
    """The effect as a share of the baseline."""
    assert measured.effect is not None
    if claim.scale == "relative":
        return measured.effect
    if not measured.baseline:
        raise ProposalError(f"claim '{claim.id}': the baseline is 0, so the follow-up has no relative effect to score")
    return measured.effect.scaled(measured.per_baseline(claim.scale), unit="relative")
