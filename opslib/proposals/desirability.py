"""Desirability of a proposal: posterior lift times its value, less cost; value of a further test; recommendation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from opslib.formats import format_share
from opslib.proposals import number_text
from opslib.proposals.designs import Plan
from opslib.proposals.economics import Economics, cost_of, relative_bias, relative_effect, worth_of_lift
from opslib.proposals.results import ClaimResult, ProposalResult
from opslib.proposals.schema import RANDOMISED, Proposal
from opslib.stats.estimates import Estimate
from opslib.stats.shrinkage import SITE_LIFTS, Mixture, sample_information_value, shrink

Recommendation = Literal["launch", "launch with hold-out", "test first", "gather data", "reject"]
#: Stated base rate of designs that are no randomised site test: normal around 0, in relative terms.
OTHER_LIFTS = Mixture(weights=(1.0,), means=(0.0,), sds=(0.03,))
TEST_WEEKS = (2, 4, 8)
#: Probability of a gain from which a change that is easily undone goes to everybody at once.
SURE = 0.95
BAND = 0.9
#: Share of the proposal's cost that a further test must be worth: below it, it is not worth anybody's time.
WORTH_A_TEST = 0.01
#: Distance from the base rate, in standard deviations, from which a mistake is likelier than the effect (Twyman's law).
SURPRISING = 3.0
#: Obstacles that forbid a launch, and when they no longer do.
_ONCE = {
    "over capacity": "{place} has the days", "over budget": "the budget is there",
    "prerequisite missing": "what it depends on is there", "excluded": "what it excludes has ended",
    "objection": "{place} agrees", "no answer": "{place} has answered", "condition": "{place} has what it asks for",
}  # fmt: skip
FORBIDDING = tuple(_ONCE)
#: Shares of the shop's yearly margin from which an amount says its share, and from which it is taken for a mistake.
TELLING, LARGE = 0.05, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOption:
    """One more test before the decision.

    Parameters
    ----------
    days : int
        Length.
    n_units : float
        Units of both arms.
    information_amount : float
        Expected gain from deciding after it.
    delay_amount : float
        Expected gain lost while half of the units wait.
    """

    days: int
    n_units: float
    information_amount: float
    delay_amount: float

    @property
    def net_amount(self) -> float:
        """Information less delay."""
        return self.information_amount - self.delay_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Desirability:
    """What a proposal is worth, and what follows.

    Parameters
    ----------
    claim_id : str
        The claim whose effect is turned into money.
    raw, shrunk : Estimate or None
        Relative effect as measured, and after the base rate (bias variance included).
    posterior : Mixture or None
        Of the relative effect.
    amount_per_lift : float or None
        Money over the horizon for a relative effect of 1.
    cost_amount : float
        One-off and running cost over the horizon.
    net : Estimate or None
        Gain less cost over the horizon: mean and central 90 %.
    p_net_positive : float or None
        P(net > 0) (0-1).
    downside_amount : float or None
        Expected loss where it loses, times the chance of that (negative or 0).
    tests : tuple of TestOption
        What testing more would be worth.
    recommendation : str
        launch, launch with hold-out, test first, gather data or reject.
    once : tuple of str
        What must be out of the way before a launch.
    sentences : tuple of str
        Why the shrunk estimate differs, the money, and the reason for the recommendation.
    why : str
        The reason for the recommendation alone.
    reach_sentence : str
        Whom the change reaches; empty where nothing was turned into money.
    margin_share : float or None
        The net amount as a share of the shop's margin of a year.
    """

    claim_id: str
    cost_amount: float
    recommendation: Recommendation
    sentences: tuple[str, ...]
    raw: Estimate | None = None
    shrunk: Estimate | None = None
    posterior: Mixture | None = None
    amount_per_lift: float | None = None
    net: Estimate | None = None
    p_net_positive: float | None = None
    downside_amount: float | None = None
    tests: tuple[TestOption, ...] = ()
    once: tuple[str, ...] = ()
    why: str = ""
    reach_sentence: str = ""
    margin_share: float | None = None

    @property
    def advice(self) -> str:
        """The recommendation as it is told: a launch that something forbids comes once that is out of the way."""
        if not self.recommendation.startswith("launch") or not self.once:
            return self.recommendation
        return f"{self.recommendation} once {' and '.join(dict.fromkeys(self.once))}"


def desirability(
    proposal: Proposal,
    result: ProposalResult,
    *,
    plans: Mapping[str, Plan],
    economics: Economics | None,
    priors: Mapping[str, Mixture] | None = None,
) -> Desirability:
    """Money and recommendation of a judged proposal.

    Parameters
    ----------
    proposal : Proposal
    result : ProposalResult
    plans : mapping of claim id to Plan
        From `evaluate.plans_of`: the metrics with their money path.
    economics : Economics or None
        None where no costs are known: nothing is turned into money then.
    priors : mapping of design to Mixture
        Base rates learned from the ledger; the stated ones where there are none.

    Returns
    -------
    Desirability
    """
    claim = _money_claim(result, plans)
    prior = (priors or {}).get(claim.design) or prior_of(claim.design)
    cost = cost_of(proposal)
    effect = relative_effect(claim)
    if effect is None:
        recommendation, why = _without_effect(result)
        return Desirability(
            claim_id=claim.claim_id, cost_amount=cost, recommendation=recommendation, sentences=(why,), why=why
        )
    found = shrink(effect, prior=prior, bias_sd=relative_bias(claim))
    believed = Desirability(
        claim_id=claim.claim_id,
        cost_amount=cost,
        recommendation="test first",
        sentences=(_shrunk_sentence(effect, found.shrunk, prior),),
        raw=effect,
        shrunk=found.shrunk,
        posterior=found.posterior,
        once=tuple(_ONCE[item.name].format(place=item.place) for item in result.obstacles if item.name in FORBIDDING),
    )
    lift = None if economics is None else worth_of_lift(proposal, claim, plans[claim.claim_id], economics)
    if lift is None or lift.amount <= 0 or economics is None:
        recommendation, why = _by_verdict(result)
        name = (claim.title or claim.metric).lower()
        why = f"{name[0].upper()}{name[1:]} cannot be turned into money here, so the verdict decides: {why}"
        return replace(believed, recommendation=recommendation, sentences=(*believed.sentences, why), why=why)
    worth = lift.amount
    after, threshold = found.posterior, cost / worth
    tests = _tests(proposal, claim, after, worth, threshold)
    chance = after.above(threshold)
    mean = worth * after.mean - cost
    recommendation, why = _recommended(proposal, result, chance=chance, mean=mean, tests=tests)
    tail = (1 - BAND) / 2
    net = Estimate(
        value=mean,
        lower=worth * after.quantile(tail) - cost,
        upper=worth * after.quantile(1 - tail) - cost,
        n=effect.n,
        unit="money",
        confidence_level=BAND,
        method="posterior x reach x margin - cost",
        std_error=worth * after.sd,
    )
    money = (
        f"Over the horizon it brings about {net.value:,.0f} net (90 %: {net.lower:,.0f} to {net.upper:,.0f}); the chance "
        f"that it pays is {number_text.probability(chance)}."
    )
    share = (
        abs(net.value) / proposal.horizon_days * 365 / economics.margin_a_year if economics.margin_a_year > 0 else 0.0
    )
    size = (f"That is {format_share(share)} of the shop's margin of a year.",) if share > TELLING else ()
    if share > LARGE and not proposal.large and recommendation.startswith("launch"):
        recommendation = "test first"
        why = "So large an amount is likelier a mistake: check reach and baseline, and say in the file why it is right (large: ...)."
    found_in_way = [f"{item.name} ({item.place})" for item in result.obstacles if item.name in FORBIDDING]
    hindrances = (f"Not as it stands: {', '.join(found_in_way)}.",) if found_in_way else ()
    return replace(
        believed,
        amount_per_lift=worth,
        net=net,
        p_net_positive=chance,
        tests=tests,
        recommendation=recommendation,
        downside_amount=mean - worth * after.expected_gain(threshold),
        sentences=(*believed.sentences, lift.sentence, money, *size, why, *hindrances),
        why=why,
        reach_sentence=lift.sentence,
        margin_share=share,
    )


def prior_of(design: str) -> Mixture:
    """Base rate of relative effects: the mixture of public site tests for experiments, a wider stated one otherwise."""
    return SITE_LIFTS if design == "experiment" else OTHER_LIFTS


def stated_base_rate(sd: float) -> Mixture:
    """A base rate of one's own: normal around 0 with standard deviation ``sd`` in relative terms (.03 = 3 %).

    Examples
    --------
    >>> round(stated_base_rate(0.03).above(0.05), 3)
    0.048
    """
    return Mixture(weights=(1.0,), means=(0.0,), sds=(sd,))


def _money_claim(result: ProposalResult, plans: Mapping[str, Plan]) -> ClaimResult:
    """The first confirmatory claim with a money path and an effect; else the first."""
    for claim in result.claims:
        if claim.is_confirmatory and plans[claim.claim_id].metric.money_path and relative_effect(claim) is not None:
            return claim
    return result.claims[0]


def _tests(
    proposal: Proposal,
    claim: ClaimResult,
    after: Mixture,
    worth: float,
    threshold: float,
) -> tuple[TestOption, ...]:
    """Tests of a few lengths at half and half, where the traffic is known."""
    measured = claim.measured
    n, days = measured.n_control + measured.n_treated, measured.n_days
    if not measured.variation or not days or claim.design not in ("experiment", "comparison"):
        return ()
    options = []
    for weeks in TEST_WEEKS:
        length = 7 * weeks
        units = n / days * length
        error = math.sqrt(4 * measured.variation / units)
        left = max(1 - length / proposal.horizon_days, 0.0)
        gain = worth * sample_information_value(after, cost=threshold, std_error=error) * left
        delay = max(worth * (after.mean - threshold), 0.0) * (1 - left) / 2
        options.append(TestOption(days=length, n_units=units, information_amount=gain, delay_amount=delay))
    return tuple(options)


def _recommended(
    proposal: Proposal,
    result: ProposalResult,
    *,
    chance: float,
    mean: float,
    tests: tuple[TestOption, ...],
) -> tuple[Recommendation, str]:
    """What maximises expected money within what the design may recommend."""
    best = max(tests, key=lambda test: test.net_amount, default=None)
    pays = best is not None and best.net_amount > WORTH_A_TEST * cost_of(proposal)
    if result.state in ("invalid", "harmful"):
        return _by_verdict(result)
    if result.qualifier in ("exploratory", "association only", "not due"):
        if mean > 0 or pays:
            return "test first", f"The evidence is {result.qualifier}: a randomised test comes before any launch."
        return "gather data", f"The evidence is {result.qualifier}, and as it stands the change does not pay."
    if pays and chance < SURE and best is not None:
        return "test first", (
            f"A test of {best.days} days is worth about {number_text.count(best.net_amount)} more than deciding now."
        )
    if result.state == "inconclusive" and result.claims[0].design not in RANDOMISED:
        return "test first", "It is not shown, and nothing was randomised: a test comes before any launch."
    if mean > 0:
        if chance >= SURE and proposal.reversibility == "easy":
            return "launch", "It pays with near certainty and is easily undone."
        return "launch with hold-out", "It pays on average; a hold-out shows whether it lasts."
    return "reject", "On average it costs more than it brings, and no test is worth its time."


def _by_verdict(result: ProposalResult) -> tuple[Recommendation, str]:
    """Recommendation from the verdict alone, where nothing can be turned into money."""
    if result.state == "invalid":
        return "gather data", f"there is no valid evidence ({result.qualifier}); mend that and run it again."
    if result.state in ("harmful", "refuted"):
        return "reject", f"the claim is {result.label}."
    if result.state == "inconclusive":
        return "test first", f"the claim is {result.label}."
    return "launch with hold-out", f"the claim is {result.label}; a hold-out shows whether it lasts."


def _without_effect(result: ProposalResult) -> tuple[Recommendation, str]:
    claim = result.claims[0]
    if claim.design in ("level", "trend") and claim.state == "supported":
        return "test first", "The need is there; what the change does about it is not measured yet."
    if claim.design in ("level", "trend") and claim.state == "refuted":
        return "reject", "The need that it answers is smaller than claimed."
    recommendation, why = _by_verdict(result)
    return ("gather data" if result.state == "inconclusive" else recommendation), f"Without a measured effect {why}"


def _shrunk_sentence(raw: Estimate, shrunk: Estimate, prior: Mixture) -> str:
    text = (
        f"Measured: {number_text.interval(raw, relative=True)}; believed: {number_text.interval(shrunk, relative=True)}, because "
        "large effects are rare and part of a large estimate is luck."
    )
    usual = math.hypot(prior.sd, raw.std_error or 0.0)
    if abs(raw.value - prior.mean) > SURPRISING * usual:
        text += " So large an effect is outside what such changes have shown: look for a mistake before believing it."
    return text
