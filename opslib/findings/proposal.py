"""Sentences of a proposal's page: its answer, its card, its claims, what it is worth, and what would change our mind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from opslib.finding import About, Facts, Finding
from opslib.findings.wording import more_than
from opslib.formats import format_between, format_days, format_estimate, format_money, format_share
from opslib.periods import Period
from opslib.proposals import number_text
from opslib.proposals.card import VerdictCard
from opslib.proposals.claim_text import change_text, is_out_of_reach, needed_sentence, promise_text
from opslib.proposals.desirability import FORBIDDING, TELLING, WORTH_A_TEST, Desirability
from opslib.proposals.follow_up import LAUNCHES, UNDO_DAYS, promises
from opslib.proposals.grades import OTHER_SEASON
from opslib.proposals.ledger import Record, records_of
from opslib.proposals.overview import outcomes_frame
from opslib.proposals.results import ClaimResult, Obstacle, ProposalResult
from opslib.proposals.schema import DESCRIPTIVE, Proposal
from opslib.stats.estimates import Estimate

__all__ = ["answer", "findings", "limits", "mind_changers", "verdict_card", "worth_sentences"]

#: Obstacles that stand in the way of carrying a proposal out, whatever was measured.
LASTING = (
    *FORBIDDING,
    "capacity unknown",
    "metric swapped after freezing",
    "changed after freezing",
    "to be filled in",
)
_RECOMMENDED = {
    "launch": "Launch", "launch with hold-out": "Launch with a hold-out", "test first": "Test first",
    "gather data": "Gather data", "reject": "Reject",
}  # fmt: skip
#: How far belief may be from what was measured before it is told.
_APART = 0.1
DAYS_A_YEAR = 365
_OPEN = ("test first", "gather data")


def answer(
    proposal: Proposal,
    result: ProposalResult,
    worth: Desirability,
    *,
    currency: str,
    decision: str | None = None,
    followed: str = "",
) -> str:
    """Recommendation, what must happen before it, and why, in one sentence; what came of it, else what was decided, in a second.

    Parameters
    ----------
    proposal, result, worth
        The file, its judgement, and its money.
    currency : str
        ISO code.
    decision : str or None
        What the ledger says was decided.
    followed : str
        From `followed_sentence`; '' before the follow-up.

    Returns
    -------
    str
    """
    head = _RECOMMENDED[worth.recommendation]
    if worth.recommendation.startswith("launch"):
        once = [_once(item, text) for item, text in zip(_forbidding(result), worth.once, strict=False)]
        head += f" once {' and '.join(dict.fromkeys(once))}" if once else ""
    money = _money_clause(proposal, worth, currency=currency)
    shown = _shown(result, currency=currency)
    is_good = (
        result.state in ("confirmed", "supported", "partly") and not result.qualifier and not _is_described(result)
    )
    is_gain = worth.net is not None and worth.net.lower > 0
    joint = "" if not money else ", and " if is_good == is_gain else ", but "
    text = f"{head}: {shown}{joint}{money}."
    if followed:
        return f"{text} {followed}"
    return f"{text} Decided: {decision}." if decision else text


def _once(obstacle: Obstacle, text: str) -> str:
    """What must be out of the way: a condition in its own words."""
    condition = obstacle.sentence.partition(" agrees if: ")[2].rstrip(".")
    return f"{obstacle.place} has {condition}" if obstacle.name == "condition" and condition else text


def _forbidding(result: ProposalResult) -> list[Obstacle]:
    return [item for item in result.obstacles if item.name in FORBIDDING]


def _is_described(result: ProposalResult) -> bool:
    return _deciding(result).design in DESCRIPTIVE


def _deciding(result: ProposalResult) -> ClaimResult:
    """The claim that decided the verdict."""
    return next((claim for claim in result.claims if claim.state == result.state), result.claims[0])


def _shown(result: ProposalResult, *, currency: str) -> str:
    """What the evidence says, as the middle of a sentence."""
    claim = _deciding(result)
    change, promised = change_text(claim, currency=currency), promise_text(claim, currency=currency)
    title = (claim.title or claim.metric).lower()
    broken = [guard.metric.replace("_", " ") for guard in result.guardrails if guard.state == "broken"]
    if broken and result.qualifier.startswith("guardrail"):
        return f"{broken[0]} got worse by too much"
    if claim.measured.failed:
        return f"{_invalid(claim)}"
    if claim.qualifier == "not due":
        return f"the result is not there yet: {claim.measured.pending or 'nothing was measured'}"
    if claim.qualifier == "exploratory":
        return f"{title} {change} was seen, but the claim was written down after the first of its days"
    if claim.qualifier:
        effect = claim.measured.effect
        if effect is not None and not effect.excludes(0.0):
            return f"a difference in {title} is not clear ({change}, {promised} claimed)"
        return f"the difference in {title} ({change}) does not prove an effect"
    if claim.design in DESCRIPTIVE:
        return {
            "supported": f"the need is there ({title} {change}), what the change does about it is not measured",
            "refuted": f"the need is smaller than claimed ({title} {change}, {promised} was claimed)",
        }.get(claim.state, f"whether the need is there cannot be told ({title} {change}, {promised} was claimed)")
    if len(result.claims) > 1:
        change = f"{title} {change}"
    works = "lower prices sell more" if claim.design == "elasticity" else "it works"
    return {
        "harmful": f"it does harm ({change})",
        "confirmed": f"{works} ({change})",
        "supported": f"{works.replace('works', 'helps')} ({change}, {promised} promised)",
        "partly": f"{works.replace('works', 'helps')} by less than promised ({change}, {promised} promised)",
        "refuted": f"it does not bring what was promised ({change}, {promised} promised)",
    }.get(claim.state, f"whether it works cannot be told ({change}, {promised} promised)")


def _invalid(claim: ClaimResult) -> str:
    gate = claim.measured.failed[0]
    if gate.name == "sample ratio":
        return f"the test is not to be used, {gate.sentence.partition(';')[0].replace('the two groups', 'its groups')}"
    return f"it cannot be judged, {gate.sentence.partition(';')[0].partition('. ')[0]}"


def _money_clause(proposal: Proposal, worth: Desirability, *, currency: str) -> str:
    """What it brings or costs; '' where it was not turned into money."""
    if worth.net is None:
        return ""
    when = _span(proposal)
    if not worth.net.excludes(0.0):
        return f"what it is worth is not known: {format_between(worth.net, currency=currency)} {when}"
    if worth.net.value > 0:
        share = worth.margin_share
        tail = f" ({format_share(share, step=1.0)} of the margin)" if share is not None and share > TELLING else ""
        return f"it is expected to bring about {_middle(worth.net, currency)} {when}{tail}"
    gain = worth.net.value + worth.cost_amount
    why = f", since it costs {more_than(worth.cost_amount, gain)} it brings" if gain > 0 else ""
    return f"it would lose about {_middle(_loss(worth.net), currency)} {when}{why}"


def _middle(money: Estimate, currency: str) -> str:
    """An amount as the page's figure of it is written, without its interval."""
    return format_estimate(money, currency=currency).partition(" (")[0]


def _loss(net: Estimate) -> Estimate:
    return net.scaled(-1.0, unit=net.unit)


def _about(amount: float, currency: str) -> str:
    return f"about {format_money(float(f'{amount:.2g}'), currency, step=1.0 if abs(amount) < 1_000 else None)}"


def _span(proposal: Proposal) -> str:
    return "a year" if proposal.horizon_days == 365 else f"over {format_days(proposal.horizon_days)}"


def findings(
    result: ProposalResult,
    *,
    proposal: Proposal | None = None,
    worth: Desirability | None = None,
    page: Facts | None = None,
    decision: Mapping[str, Any] | None = None,
) -> tuple[Finding, ...]:
    """One finding a claim, for the page and for the ledger, and what is to be done, by whom and when.

    Parameters
    ----------
    result : ProposalResult
    proposal, worth, page : Proposal, Desirability and Facts
        For what is to be done; the claims alone unless given.
    decision : mapping or None
        Last decision of the ledger; nothing is left to decide where it launched or rejected.

    Returns
    -------
    tuple of Finding
    """
    claims = [
        Finding(
            key=f"{result.proposal_id}-{claim.claim_id}".lower(),
            sentence=claim.page_sentence,
            kind="described" if claim.measured.effect is None else "estimated",
            estimate=claim.measured.effect,
            grade=claim.grade,
            section="claims",
            department=result.owner,
            about=About(metric=claim.metric, objects=(result.proposal_id,), people=None),
        )
        for claim in result.claims
    ]
    if proposal is None or worth is None or page is None or proposal.replay:  # history asks for nothing any more
        return tuple(claims)
    is_open = decision is None or decision["decision"] in _OPEN
    done = not is_open and decision is not None
    if done and decision is not None and decision["decision"] not in LAUNCHES:
        return tuple(claims)
    lead = {
        "priority": 1,
        **(_after_launch(result, proposal, worth, page) if done else _to_decide(result, proposal, worth, page)),
    }
    claims[0] = replace(claims[0], **lead)
    return (*claims, *([] if done else _answers_missing(result, proposal, page)))


def _to_decide(result: ProposalResult, proposal: Proposal, worth: Desirability, page: Facts) -> dict[str, Any]:
    """The recommended action, its money a year and its day: the start, or the deadline where that is over."""
    days = [day for day in (proposal.start, proposal.deadline) if day is not None and day > page.period.end]
    money = _a_year(worth.net, proposal, page, is_avoided=worth.recommendation == "reject")
    if worth.recommendation == "test first" and any(map(_is_out_of_reach, result.claims)):
        name = f"{proposal.id} {proposal.title}"
        return {
            "action": f"{name} cannot be tested in any useful time: decide by cost and judgement",
            "things": (proposal.title,),
            "worth": money,
        }
    return {
        "action": _action(proposal, worth),
        "things": (proposal.title,),
        "is_urgent": worth.recommendation == "reject" and worth.net is not None and worth.net.upper < 0,
        "due": days[0] if days else None,
        "worth": money,
        "would_tell": None
        if money is not None or worth.recommendation in ("reject", "gather data")
        else "a randomised test",
    }


def _a_year(net: Estimate | None, proposal: Proposal, page: Facts, *, is_avoided: bool) -> Estimate | None:
    """The net as the card shows it; what is not lost where the change is dropped or undone."""
    if net is None:
        return None
    sign = -1.0 if is_avoided else 1.0
    return net.scaled(sign * DAYS_A_YEAR / proposal.horizon_days, unit=f"{page.currency}/year")


def _is_out_of_reach(claim: ClaimResult) -> bool:
    return claim.state == "inconclusive" and not claim.qualifier and is_out_of_reach(claim)


def _action(proposal: Proposal, worth: Desirability) -> str:
    name = f"{proposal.id} {proposal.title}"
    return {
        "launch": f"decide to launch {name}", "launch with hold-out": f"decide to launch {name}, with a part held out",
        "test first": f"test {name} before anything is launched", "gather data": f"gather the data that {name} lacks",
        "reject": f"drop {name}",
    }[worth.recommendation]  # fmt: skip


def _after_launch(result: ProposalResult, proposal: Proposal, worth: Desirability, page: Facts) -> dict[str, Any]:
    """After a launch: taking back what does harm, else the follow-up where one was named and is not over."""
    if result.state == "harmful" and not result.qualifier:
        return {
            "action": f"undo {proposal.id} {proposal.title}, if it is still on",
            "things": (proposal.title,),
            "is_urgent": True,
            "due": page.period.end + timedelta(days=UNDO_DAYS),
            "worth": _a_year(worth.net, proposal, page, is_avoided=True),
        }
    plan = next((claim.follow_up for claim in proposal.claims if claim.follow_up is not None), None)
    if plan is None or plan.window.end <= page.period.end:
        return {}
    return {
        "action": f"see whether {proposal.id} {proposal.title} lasts",
        "due": plan.window.end,
        "things": (proposal.title,),
    }


def _answers_missing(result: ProposalResult, proposal: Proposal, page: Facts) -> Iterator[Finding]:
    """Departments that have not answered, object, or ask for something."""
    for item in result.obstacles:
        if item.name not in ("no answer", "objection", "condition"):
            continue
        due = proposal.start if proposal.start > page.period.end else None
        asked = item.sentence.partition(" agrees if: ")[2].rstrip(".") or "what it asks for"
        does = {
            "no answer": "answer", "objection": "settle the objection to",
            "condition": f"say whether {item.place} gets {asked} for",
        }  # fmt: skip
        yield Finding(
            key=f"{result.proposal_id}-{item.name}-{item.place}".lower().replace(" ", "-"),
            sentence=f"{item.sentence.partition(';')[0].rstrip('.')}.",
            kind="described",
            section="obstacles",
            department=item.place if item.name == "no answer" else result.owner,
            action=f"{does[item.name]} {proposal.id} {proposal.title}",
            due=due,
            things=(proposal.title,),
            priority=4,
            about=About(objects=(result.proposal_id,), people=None),
        )


def followed_sentence(records: Sequence[Record], proposal_id: str) -> str:
    """What the follow-up found and what that says of the promise; '' where none was recorded.

    Parameters
    ----------
    records : sequence of Record
        The ledger.
    proposal_id : str

    Returns
    -------
    str
    """
    every = promises(records)
    outcomes = outcomes_frame(every[every["proposal"] == proposal_id], titles={})
    if outcomes.empty:
        return ""
    seen = _days_followed(records, proposal_id)
    found, when = outcomes.iloc[-1], f" {seen}" if seen else ""
    return f"Followed up{when}: {found['found']}, {found['outcome']}."


def _days_followed(records: Sequence[Record], proposal_id: str) -> str:
    """The days that the follow-up saw; '' where none was recorded or its record does not say."""
    done = records_of(records, proposal=proposal_id, kind="follow_up")
    window = done[-1].payload.get("window") if done else None
    return Period.parse(window["start"], window["end"]).label if window else ""


def limits(proposal: Proposal, records: Sequence[Record] = ()) -> tuple[str, ...]:
    """What the proposal's page cannot say, beside the doubt on its card: whether the effect lasts.

    Parameters
    ----------
    proposal : Proposal
    records : sequence of Record
        The ledger: after a follow-up it is what came later that is not seen, and what was rejected has none.

    Returns
    -------
    tuple of str
    """
    if records_of(records, proposal=proposal.id, kind="follow_up"):
        days = _days_followed(records, proposal.id)
        return (f"What came after the follow-up{f' of {days}' if days else ''} is not seen here.",)
    decided = records_of(records, proposal=proposal.id, kind="decision")
    if decided and decided[-1].payload["decision"] not in (*LAUNCHES, *_OPEN):
        return ("It was not launched, so what it would have brought is not seen here.",)
    plan = next((claim.follow_up for claim in proposal.claims if claim.follow_up is not None), None)
    seen = "a follow-up was not named" if plan is None else f"the follow-up looks at {plan.window.period.label}"
    return (f"Whether it lasts is not seen here: {seen}.",)


def what_is_proposed(proposal: Proposal) -> tuple[str, ...]:
    """The proposal in its own words, and whether it is a replay."""
    change = proposal.change or "as the title says"
    return (
        f"{proposal.id} {proposal.title}. Need: {proposal.need}. Change: {change}.",
        "Replayed on historical data: it never enters scores." if proposal.replay else "Judged on new data.",
    )


def lasting_obstacles(result: ProposalResult) -> tuple[Obstacle, ...]:
    """What stands in the way as things are: with a result, doubts about whether one could be measured no longer do."""
    if not is_measured(result):
        return result.obstacles
    return tuple(item for item in result.obstacles if item.name in LASTING)


def earlier_obstacles(result: ProposalResult) -> tuple[Obstacle, ...]:
    """Doubts about measuring from before the result; none where there is none yet."""
    kept = lasting_obstacles(result)
    return tuple(item for item in result.obstacles if item not in kept)


def is_measured(result: ProposalResult) -> bool:
    """Whether a claim has a number."""
    return any(claim.measured.effect is not None for claim in result.claims)


def obstacles_sentence(result: ProposalResult) -> str:
    """That nothing stands in the way, where it is so; '' else."""
    return "" if lasting_obstacles(result) else "Nothing stands in the way."


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
    launched_on: date | None = None,
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
    launched_on : date or None
        Day on which it was launched; else the planned start says into which season the launch falls.

    Returns
    -------
    VerdictCard
    """
    last = max(claim.window.end for claim in proposal.claims)
    notes = tuple(f"{item.name}: {item.sentence.partition(';')[0]}" for item in lasting_obstacles(result))
    return VerdictCard(
        id=proposal.id, title=proposal.title, owner=proposal.owner, verdict=result.label, grade=result.grade,
        doubt=doubt_of(result, launch=launched_on or proposal.start) or "none beyond the interval itself", recommendation=recommendation, money=money, notes=notes,
        waiting_days=(as_of - last).days if last <= as_of and decision is None and not proposal.replay else None,
        decision=decision, ledger_head=ledger_head,
    )  # fmt: skip


def worth_sentences(
    proposal: Proposal, worth: Desirability, *, stated_sd: float | None, currency: str = "money"
) -> tuple[str, ...]:
    """What a proposal is worth in words: belief where it is not what was measured, money, chance of a loss, a further test.

    Parameters
    ----------
    proposal : Proposal
    worth : Desirability
    stated_sd : float or None
        Standard deviation of the base rate that ``shop.yml`` states for such changes, where it states one.
    currency : str
        ISO code.

    Returns
    -------
    tuple of str
    """
    found = list(_belief(worth, stated_sd=stated_sd))
    if worth.net is None:
        return (
            *found,
            f"{worth.why[:1].upper()}{worth.why[1:]}",
            "The page names an amount only where one can be worked out.",
        )
    share = worth.margin_share
    size = f", {format_share(share, step=1.0)} of the shop's margin" if share is not None and share > TELLING else ""
    found += [worth.reach_sentence] if worth.reach_sentence else []
    found.append(
        f"{_span(proposal).capitalize().replace('A year', 'Over a year')} the net is "
        f"{format_estimate(worth.net, currency=currency)} after {_about(worth.cost_amount, currency)} of cost{size}; "
        "nine times in ten it lies in that range."
    )
    if worth.p_net_positive is not None:
        found.append(f"Chance of losing money: {number_text.probability(1 - worth.p_net_positive)}.")
    best = max(worth.tests, key=lambda test: test.net_amount, default=None)
    if best is None:
        return tuple(found)
    if best.net_amount <= max(WORTH_A_TEST * worth.cost_amount, 1.0):
        return (*found, "A further test is not worth the delay.")
    value = _about(best.net_amount, currency)
    return (*found, f"Testing {format_days(best.days)} more before deciding is worth {value}, delay taken off.")


def _belief(worth: Desirability, *, stated_sd: float | None) -> Iterator[str]:
    """Why we reckon with another size than was measured, where we do."""
    if worth.raw is None or worth.shrunk is None:
        return
    raw, believed = worth.raw.value, worth.shrunk.value
    if abs(raw - believed) <= _APART * abs(raw):
        return
    measured, reckoned = (format_share(value, signed=True, step=1.0) for value in (raw, believed))
    if measured == reckoned:
        return
    usual = ""
    if stated_sd is not None:
        usual = f" Two of three such changes move their figure by less than {100 * stated_sd:.0f} %."
    yield f"We reckon with {reckoned}, not the {measured} measured: large results usually shrink when they are seen again.{usual}"
    if "look for a mistake" in worth.sentences[0]:
        yield "So large an effect is outside what such changes have shown: look for a mistake before believing it."


def doubt_of(result: ProposalResult, *, launch: date | None = None) -> str:
    """The doubt of the claim that decided the verdict; a lowered grade's first reason if it names none."""
    for claim in (_deciding(result), *result.claims):
        if claim.measured.doubt:
            return _season(claim, launch)
        if claim.grade_reasons and not claim.measured.failed:
            return f"{claim.grade_reasons[0][0].upper()}{claim.grade_reasons[0][1:]}."
    return ""


def _season(claim: ClaimResult, launch: date | None) -> str:
    """A claim's doubt, with the season where the launch falls into another: more than a month from the months of the test."""
    is_near = claim.days is not None and launch is not None and months_apart(claim.days, launch) <= 1
    if OTHER_SEASON in claim.grade_reasons and not is_near:
        return claim.measured.doubt.replace("other months may differ", "the launch falls into another season")
    return claim.measured.doubt


def months_apart(tested: Period, day: date) -> int:
    """Months of the year from the nearest month of a test to a day's; 0 where the day's month is one of the test's.

    Examples
    --------
    >>> tested = Period(date(2026, 3, 2), date(2026, 5, 24))
    >>> months_apart(tested, date(2026, 6, 3)), months_apart(tested, date(2026, 11, 9)), months_apart(tested, date(2027, 4, 1))
    (1, 4, 0)
    """
    n_months = 12 * (tested.end.year - tested.start.year) + tested.end.month - tested.start.month
    gaps = [(tested.start.month + i - day.month) % 12 for i in range(n_months + 1)]
    return min(min(gap, 12 - gap) for gap in gaps)


def mind_changers(result: ProposalResult) -> tuple[str, ...]:
    """What would change the verdict, one sentence a claim.

    Parameters
    ----------
    result : ProposalResult

    Returns
    -------
    tuple of str
    """
    several = len(result.claims) > 1
    return tuple(
        f"{claim.sentence.rstrip('.')}: {_changer(claim)}" if several else _changer(claim) for claim in result.claims
    )


_QUALIFIED = {
    "comparison": "A randomised test, or at least a comparison with groups that did not choose for themselves.",
    "before_after": "A test in which a part goes on without the change.",
    "outside": "A measurement in this shop.",
    "elasticity": "Prices that are moved by lot.",
}


def _changer(claim: ClaimResult) -> str:
    if claim.state == "invalid":
        return "Nothing in these data: it must be measured again once what failed is mended."
    if claim.qualifier == "not due":
        return "The result itself."
    if claim.qualifier.startswith("association"):
        return _QUALIFIED[claim.design]
    if claim.qualifier.startswith("exploratory"):
        return "The same claim, written down before the next window begins, and seen again."
    if claim.state == "inconclusive":
        return needed_sentence(claim)
    if claim.design in DESCRIPTIVE:
        return f"A later count {'below' if claim.state == 'supported' else 'above'} the claimed {promise_text(claim)}."
    if claim.state in ("harmful", "refuted"):
        return "Nothing small: new data would have to contradict this clearly."
    if claim.state == "partly":
        return "A smaller promise: the effect is there and stays below what was promised."
    if claim.state == "supported":
        return "Longer measuring would show whether it also reaches what was promised."
    return "A follow-up that falls short of the promise."
