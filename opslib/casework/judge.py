"""Evaluation of a shop's proposals: claims judged on the shop's data, with money and recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from opslib.casework.files import Proposals, load_proposals, read_records, records_of_shop
from opslib.departments import department
from opslib.errors import NotAvailableError, ParameterError, ProposalError
from opslib.metrics import Metric, shop_metrics, with_local_days
from opslib.periods import Period
from opslib.proposals.desirability import Desirability, desirability, stated_base_rate
from opslib.proposals.economics import Economics, economics_of
from opslib.proposals.evaluate import ShopData, evaluate_proposal, evaluate_proposals, plans_of
from opslib.proposals.follow_up import LAUNCHES, learned_base_rates, recorded_day
from opslib.proposals.ledger import Record
from opslib.proposals.preregistration import FrozenRecord, first_freezes
from opslib.proposals.results import ProposalResult
from opslib.proposals.roadmap import OpenCases
from opslib.proposals.schema import Fixed, Proposal
from opslib.proposals.sides import Sides, sides_of
from opslib.shop.checks import known_violations
from opslib.shop.opening import Shop
from opslib.shop.root import proposals_of
from opslib.stats.estimates import Estimate
from opslib.stats.shrinkage import Mixture

DAYS_A_YEAR = 365
#: Metrics of one step of a visit: an effect on them is local, as one on a scope or on some places only.
STEP_METRICS = (
    "checkout_completion", "add_to_cart_rate", "search_success", "zero_result_rate", "bounce_rate", "items_per_order",
)  # fmt: skip


def own_metrics(shop: Shop) -> dict[str, Metric]:
    """Metrics that ``shop.yml`` defines."""
    return shop_metrics(shop.settings.get("metrics", {}))


def with_departments(proposal: Proposal, *, own: Sequence[str] = ()) -> Proposal:
    """The proposal with each department by its one name; what is frozen and written in its file stays as it is.

    Parameters
    ----------
    proposal : Proposal
        A draft is left as it is.
    own : sequence of str
        Departments that the shop adds.

    Returns
    -------
    Proposal

    Raises
    ------
    ProposalError
        Nobody knows one of its departments; the nearest is named.
    """
    if proposal.to_do:
        return proposal
    try:
        efforts, answers = (
            tuple(part.model_copy(update={"department": department(part.department, own=own)}) for part in parts)
            for parts in (proposal.departments, proposal.consultations)
        )
        owner = department(proposal.owner, own=own)
    except ParameterError as error:
        raise ProposalError(f"{proposal.id}: {error}") from None
    return proposal.model_copy(update={"owner": owner, "departments": efforts, "consultations": answers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Casework:
    """A shop's proposals and its ledger, each file read once, and what they are judged on.

    Parameters
    ----------
    shop : Shop
    known : Proposals
        As written, by id.
    records : tuple of Record
        The ledger.
    data : ShopData
        The shop's tables, metrics and violations.
    """

    shop: Shop
    known: Proposals
    records: tuple[Record, ...]
    data: ShopData

    def proposal(self, proposal_id: str) -> Proposal:
        """A proposal by its id, its departments by their one name; an unknown id is refused with the nearest."""
        return with_departments(self.known[proposal_id], own=self.shop.settings.get("departments", ()))

    @property
    def frozen(self) -> dict[str, FrozenRecord]:
        """The first freeze of each."""
        return first_freezes(self.records)


def open_casework(shop: Shop, *, on: date | None = None) -> Casework:
    """Read a shop's proposals and its ledger.

    Parameters
    ----------
    shop : Shop
        An open shop.
    on : date or None
        Later data are not looked at; all are unless given.

    Returns
    -------
    Casework
        Its data have the checks' violations and what runs already; ``replay`` is allowed for a simulated shop and where
        ``shop.yml`` says ``options: {historical: true}``.
    """
    folder = proposals_of(shop.name)
    known, records = load_proposals(folder), read_records(folder)
    decided = {record.proposal for record in records if record.kind == "decision"}
    data = ShopData(
        tables=shop.tables,
        as_of=min(on or date.max, shop.require_coverage().last),
        time_zone=shop.time_zone,
        coverage=shop.coverage,
        own_metrics=own_metrics(shop),
        currency=shop.currency,
        violations=known_violations(shop),
        allows_replay=shop.is_simulated or bool(shop.settings.get("options", {}).get("historical")),
        proposals={name: "running" if name in decided else "open" for name in known},
    )
    return Casework(shop=shop, known=known, records=records, data=data)


def weigh(shop: Shop, proposal: Proposal, result: ProposalResult, *, as_of: date | None = None) -> Desirability:
    """Money and recommendation of a judged proposal.

    Parameters
    ----------
    shop : Shop
        An open shop.
    proposal : Proposal
    result : ProposalResult
        From `judge`.
    as_of : date or None
        Later data are not looked at; all are unless given.

    Returns
    -------
    Desirability
        With the margin of as many days as the first claim's window, up to its end; none where no costs are known.
    """
    return _weighed(
        shop, proposal, result, economics=_economics(shop, _money_period(shop, proposal, as_of)), as_of=as_of
    )


def _money_period(shop: Shop, proposal: Proposal, as_of: date | None) -> Period:
    window = proposal.claims[0].window
    end = min(window.end, as_of or shop.require_coverage().last)
    return Period(end - timedelta(days=window.period.n_days - 1), end)


def _economics(shop: Shop, period: Period) -> Economics | None:
    first = shop.coverage.first if shop.coverage else period.start
    try:
        return economics_of(with_local_days(shop.tables, zone=shop.time_zone), period=period, first=first)
    except NotAvailableError:
        return None


def _weighed(
    shop: Shop, proposal: Proposal, result: ProposalResult, *, economics: Economics | None, as_of: date | None
) -> Desirability:
    plans, priors = plans_of(proposal, own=own_metrics(shop)), base_rates(shop, proposal, on=as_of)
    found = desirability(proposal, result, plans=plans, economics=economics, priors=priors)
    return found if found.net is None else replace(found, net=replace(found.net, unit=shop.currency))


def open_cases(shop: Shop, *, on: date) -> OpenCases:
    """Judge and weigh what is still to be decided in a shop.

    Parameters
    ----------
    shop : Shop
        An open shop.
    on : date
        Later data are not looked at.

    Returns
    -------
    OpenCases
        In the order of ids; empty where nothing was proposed.
    """
    if not load_proposals(proposals_of(shop.name)):
        return OpenCases()
    case = open_casework(shop, on=on)
    last = {r.proposal: str(r.payload["decision"]) for r in case.records if r.kind == "decision"}
    followed = {record.proposal for record in case.records if record.kind == "follow_up"}
    launched = tuple(name for name in case.known if last.get(name) in LAUNCHES)
    open_ = [item for name, item in case.known.items() if name not in launched and last.get(name) != "reject"]
    chosen = [case.proposal(item.id) for item in open_ if not item.to_do and not item.replay]
    results = evaluate_proposals(chosen, shop=case.data, frozen=case.frozen)
    economics: dict[Period, Economics | None] = {}
    judged = []
    for proposal, result in zip(chosen, results, strict=True):
        period = _money_period(shop, proposal, on)
        if period not in economics:
            economics[period] = _economics(shop, period)
        judged.append((proposal, result, _weighed(shop, proposal, result, economics=economics[period], as_of=on)))
    return OpenCases(
        judged=tuple(judged),
        drafts=tuple(item for item in open_ if item.to_do),
        decided=tuple(
            p for p in map(case.proposal, launched) if p.start > on and p.id not in followed and not p.replay
        ),
        launched=launched,
        n_replays=sum(item.replay and not item.to_do for item in open_),
    )


def yearly_nets(shop: Shop, ids: Sequence[str]) -> dict[str, Estimate]:
    """Net money a year of some proposals, as their cards show it.

    Parameters
    ----------
    shop : Shop
        An open shop.
    ids : sequence of str
        Ids without a file any more are left out.

    Returns
    -------
    dict of id to Estimate
        Only those that were turned into money.
    """
    known = [name for name in ids if name in open_casework(shop).known]
    found = {}
    for proposal, result in zip(*judge(shop, known), strict=True) if known else ():
        net = weigh(shop, proposal, result).net
        if net is not None:
            found[proposal.id] = net.scaled(DAYS_A_YEAR / proposal.horizon_days, unit=f"{shop.currency}/year")
    return found


def sides(shop: Shop, proposal: Proposal, result: ProposalResult) -> tuple[Sides, ...]:
    """What was counted without and with the change, claim by claim, on the rows that the claims were judged on.

    Parameters
    ----------
    shop : Shop
        An open shop.
    proposal : Proposal
    result : ProposalResult
        From `judge`.

    Returns
    -------
    tuple of Sides
        In the order of the claims; without rows where a claim compares no sides.
    """
    context = ShopData(
        tables=shop.tables,
        as_of=shop.require_coverage().last,
        time_zone=shop.time_zone,
        coverage=shop.coverage,
    ).context
    plans = plans_of(proposal, own=own_metrics(shop))
    return tuple(sides_of(plans[claim.claim_id], claim, context, currency=shop.currency) for claim in result.claims)


def base_rates(shop: Shop, proposal: Proposal, *, on: date | None = None) -> dict[str, Mixture]:
    """Base rates of a proposal's designs, the same for its page, the index, its decision and its follow-up.

    Parameters
    ----------
    shop : Shop
    proposal : Proposal
    on : date or None
        Later records of the ledger are not looked at; all are unless given.

    Returns
    -------
    dict of design to Mixture
        What ``shop.yml`` states comes before what the ledger has taught; a design without either has the stated rate of
        its kind (`desirability.prior_of`).
    """
    records = [r for r in records_of_shop(shop.name) if on is None or recorded_day(r) <= on]
    sd = stated_sd(shop, proposal)
    stated = {} if sd is None else {claim.design.kind: stated_base_rate(sd) for claim in proposal.claims}
    return learned_base_rates(records) | stated


def judge(shop: Shop, ids: Sequence[str] = ()) -> tuple[tuple[Proposal, ...], tuple[ProposalResult, ...]]:
    """Judge a shop's proposals, or some of them.

    Parameters
    ----------
    shop : Shop
        An open shop.
    ids : sequence of str
        Which; all but drafts unless given.

    Returns
    -------
    (tuple of Proposal, tuple of ProposalResult)
        In the order of ids.

    Raises
    ------
    ProposalError
        If an id is unknown, or a file breaks the schema.
    """
    case = open_casework(shop)
    finished = [name for name, item in case.known.items() if not item.to_do]
    chosen = tuple(case.proposal(name) for name in ids or finished)
    return chosen, evaluate_proposals(chosen, shop=case.data, frozen=case.frozen)


def judge_again(shop: Shop, proposal_id: str, *, window_days: int) -> ProposalResult:
    """Judge a proposal with longer or shorter windows, to see what hangs on the days chosen; the ledger is not touched.

    Parameters
    ----------
    shop : Shop
        An open shop.
    proposal_id : str
    window_days : int
        Days added to the end of every claim's window; negative ones shorten it, at most to its first day.

    Returns
    -------
    ProposalResult
        Looked at once, at the end, and exploratory: nobody wrote these windows down before the result.
    """
    case = open_casework(shop)
    proposal = case.proposal(proposal_id)
    claims = []
    for claim in proposal.claims:
        end = max(claim.window.end + timedelta(days=window_days), claim.window.start)
        window = claim.window.model_copy(update={"end": end})
        claims.append(claim.model_copy(update={"window": window, "stopping": Fixed()}))
    moved = proposal.model_copy(update={"claims": tuple(claims), "replay": False})
    return evaluate_proposal(moved, shop=case.data)


def stated_sd(shop: Shop, proposal: Proposal) -> float | None:
    """Base rate that ``shop.yml`` states for a proposal's effects, as a standard deviation; None where it states none."""
    rates = shop.settings.get("base_rate")
    if rates is None:
        return None
    claim = proposal.claims[0]
    is_local = bool(claim.scope) or claim.design.kind == "rollout" or claim.metric in STEP_METRICS
    return float(rates["local_sd" if is_local else "shop_wide_sd"])
