"""Evaluation of a proposal: claims measured, judged and graded, obstacles, one result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opslib.contracts import Violation
from opslib.errors import ProposalError, nearest
from opslib.metrics import METRICS, Metric, with_local_days
from opslib.periods import Coverage
from opslib.proposals.designs import Context, Plan, RecordedMetric, measure
from opslib.proposals.designs.design import Definitions, Table
from opslib.proposals.feasibility import feasibility
from opslib.proposals.pre_period import pre_period_of
from opslib.proposals.preregistration import FrozenDifference, FrozenRecord, changes_since, is_before
from opslib.proposals.results import Measured, Obstacle, ProposalResult
from opslib.proposals.schema import Claim, ElasticityDesign, Guardrail, Proposal
from opslib.proposals.verdicts import judge_claim, judge_guardrail, overall, overall_grade
from opslib.stats.multiplicity import bonferroni_level

_RECORDED = ("unit_outcomes", "experiment_summaries")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopData:
    """What proposals of one shop are judged on.

    Parameters
    ----------
    tables : mapping of name to table
        The shop's tables.
    as_of : date
        Last local day whose data may be looked at.
    time_zone : str
        IANA zone of the shop's days.
    own_metrics : mapping of name to Metric
        The shop's own, besides the registry.
    coverage : Coverage or None
        Days observed.
    violations : tuple of Violation
        From the data checks.
    allows_replay : bool
        A historical data set or the demo: ``replay: true`` is permitted there only.
    proposals : mapping of proposal id to status or None
        The shop's proposals: open, running, done or rejected.
    currency : str
        ISO code, for sentences.
    """

    tables: Mapping[str, Table]
    as_of: date
    time_zone: str = "UTC"
    own_metrics: Mapping[str, Metric] | None = None
    coverage: Coverage | None = None
    violations: tuple[Violation, ...] = ()
    allows_replay: bool = False
    proposals: Mapping[str, str] | None = None
    currency: str = "money"

    @property
    def context(self) -> Context:
        """The same for the designs, with local days."""
        return Context(
            tables=with_local_days(self.tables, zone=self.time_zone),
            as_of=self.as_of,
            coverage=self.coverage,
            violations=self.violations,
        )


def evaluate_proposal(
    proposal: Proposal,
    *,
    shop: ShopData,
    frozen: FrozenRecord | None = None,
) -> ProposalResult:
    """Judge one proposal (see `evaluate_proposals`)."""
    return evaluate_proposals([proposal], shop=shop, frozen={proposal.id: frozen} if frozen else {})[0]


def evaluate_proposals(
    proposals: Sequence[Proposal],
    *,
    shop: ShopData,
    frozen: Mapping[str, FrozenRecord] | None = None,
) -> tuple[ProposalResult, ...]:
    """Judge proposals; claims that ask the same rows are answered by one scan.

    Parameters
    ----------
    proposals : sequence of Proposal
    shop : ShopData
    frozen : mapping of proposal id to FrozenRecord
        The oldest freeze of each, from the ledger.

    Returns
    -------
    tuple of ProposalResult
        In the order given.

    Raises
    ------
    ProposalError
        An unknown metric, or a replay where the shop does not allow it.
    """
    records, context = frozen or {}, shop.context
    for proposal in proposals:
        if proposal.replay and not shop.allows_replay:
            raise ProposalError(
                f"{proposal.id}: replay: true is for historical data sets and the demo only; remove it, "
                "and freeze before the window starts"
            )
    registries = {p.id: definitions_of(p, own=shop.own_metrics) for p in proposals}
    plans = [plan for p in proposals for plan in _plans(p, registries[p.id])]
    measured = measure(plans, context)
    return tuple(_result(p, measured, registries[p.id], shop=shop, record=records.get(p.id)) for p in proposals)


def definitions_of(
    proposal: Proposal, *, own: Mapping[str, Metric] | None = None
) -> dict[str, Metric | RecordedMetric]:
    """Every metric that a proposal uses, resolved.

    Parameters
    ----------
    proposal : Proposal
    own : mapping of name to Metric or None
        The shop's own.

    Returns
    -------
    dict of name to Metric or RecordedMetric

    Raises
    ------
    ProposalError
        A name that is in no registry; the nearest is named.
    """
    found = {claim.metric: _metric_of(claim, own or {}, proposal.id) for claim in proposal.claims}
    for guard in proposal.guardrails:
        found.setdefault(guard.metric, _metric_of(_guard_claim(proposal, guard), own or {}, proposal.id))
    return found


def plans_of(proposal: Proposal, *, own: Mapping[str, Metric] | None = None) -> dict[str, Plan]:
    """Claims with their resolved metrics and levels, by claim id (what `desirability.desirability` needs)."""
    return {plan.claim.id: plan for plan in _plans(proposal, definitions_of(proposal, own=own))}


def first_outcome_of(proposal: Proposal, *, zone: str) -> datetime:
    """Earliest moment at which an outcome of any claim can occur: the first window's local midnight, in UTC."""
    start = min(claim.window.start for claim in proposal.claims)
    return datetime.combine(start, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def claim_outcome_of(claim: Claim, *, zone: str) -> datetime:
    """Earliest moment of an outcome that a claim reads, in UTC: a price response reads its whole history as outcomes."""
    start = claim.window.start
    if isinstance(claim.design, ElasticityDesign):
        start = claim.window.end - timedelta(days=claim.design.history_days - 1)
    return datetime.combine(start, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _metric_of(claim: Claim, own: Mapping[str, Metric], place: str = "") -> Metric | RecordedMetric:
    known = {**METRICS, **own}
    alike = known.get(claim.metric)
    if getattr(claim.design, "source", "") in _RECORDED or (alike is None and claim.design.kind == "outside"):
        unit = getattr(claim.design, "randomised", None) or claim.unit or "customer"
        return RecordedMetric(
            name=claim.metric,
            unit_of_analysis=unit,
            direction=alike.direction if alike else 1,
            unit=alike.unit if alike else "count",
            money_path=alike.money_path if alike else None,
        )
    if alike is not None:
        return alike
    where = f"{place}: {claim.id}.metric" if place else f"{claim.id}.metric"
    raise ProposalError(f"{where}: no metric '{claim.metric}'; {nearest(claim.metric, known)}")


def _guard_claim(proposal: Proposal, guard: Guardrail) -> Claim:
    """A guardrail as a claim of the first claim's design and window."""
    return proposal.claims[0].model_copy(
        update={
            "id": f"guardrail-{guard.metric}",
            "metric": guard.metric,
            "direction": None,
            "scale": guard.scale,
            "promise": max(guard.margin, 1e-9),
            "smallest_worthwhile": 0.0,
        }
    )


def _plans(proposal: Proposal, metrics: Definitions) -> Iterable[Plan]:
    level = bonferroni_level(max(len(proposal.confirmatory), 1))
    for claim in proposal.claims:
        yield Plan(key=f"{proposal.id}/{claim.id}", claim=claim, metric=metrics[claim.metric], confidence_level=level)
    if proposal.claims[0].design.kind in ("level", "trend", "outside"):
        return
    for guard in proposal.guardrails:
        claim = _guard_claim(proposal, guard)
        yield Plan(key=f"{proposal.id}/{claim.id}", claim=claim, metric=metrics[guard.metric])


def _standing(
    proposal: Proposal,
    metrics: Definitions,
    record: FrozenRecord | None,
    zone: str,
) -> tuple[tuple[FrozenDifference, ...], bool]:
    """What changed since the freeze, and whether the claims stand as frozen before their first outcome."""
    changes = () if record is None else changes_since(record, proposal, definitions=metrics)
    return changes, is_before(record, first_outcome=first_outcome_of(proposal, zone=zone)) and not changes


def _result(
    proposal: Proposal,
    measured: Mapping[str, Measured],
    metrics: Definitions,
    *,
    shop: ShopData,
    record: FrozenRecord | None,
) -> ProposalResult:
    changes, in_time = _standing(proposal, metrics, record, shop.time_zone)
    claims = tuple(
        judge_claim(
            claim,
            measured[f"{proposal.id}/{claim.id}"],
            is_frozen=in_time and is_before(record, first_outcome=claim_outcome_of(claim, zone=shop.time_zone)),
            is_replay=proposal.replay and not changes,
            launch=proposal.start,
            metric=metrics[claim.metric],
            currency=shop.currency,
        )
        for claim in proposal.claims
    )
    nothing = Measured(effect=None, pending="the first claim's design has no two sides to compare")
    guards = tuple(
        judge_guardrail(guard, measured.get(f"{proposal.id}/guardrail-{guard.metric}", nothing))
        for guard in proposal.guardrails
    )
    state, qualifier = overall(claims, guards)
    return ProposalResult(
        proposal_id=proposal.id,
        title=proposal.title,
        owner=proposal.owner,
        claims=claims,
        guardrails=guards,
        state=state,
        qualifier=qualifier,
        grade=overall_grade(claims),
        is_frozen=in_time,
        is_replay=proposal.replay,
        obstacles=check_proposal(proposal, shop=shop, frozen=record),
    )


def check_proposal(
    proposal: Proposal,
    *,
    shop: ShopData,
    frozen: FrozenRecord | None = None,
) -> tuple[Obstacle, ...]:
    """Feasibility alone, with what was changed since the freeze.

    Parameters
    ----------
    proposal : Proposal
    shop : ShopData
    frozen : FrozenRecord or None
        As the ledger holds it.

    Returns
    -------
    tuple of Obstacle
        Errors first.
    """
    metrics = definitions_of(proposal, own=shop.own_metrics)
    changes, in_time = _standing(proposal, metrics, frozen, shop.time_zone)
    pre_period = pre_period_of(
        proposal,
        metrics=metrics,
        context=shop.context,
        changes=changes,
        frozen_in_time=in_time,
        proposals=shop.proposals,
    )
    return feasibility(proposal, metrics={**METRICS, **metrics}, pre_period=pre_period)
