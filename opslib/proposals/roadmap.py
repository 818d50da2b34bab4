"""What each judged proposal may be in a plan: launched, tested first, decided by judgement, found out about, or left; and its candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from opslib.proposals.claim_text import is_out_of_reach
from opslib.proposals.desirability import Desirability, TestOption
from opslib.proposals.economics import DAYS_A_MONTH
from opslib.proposals.feasibility import effort_days_of
from opslib.proposals.portfolio import RULES, Candidate, Capacity, plan_by_rule, planned_worth
from opslib.proposals.results import ProposalResult
from opslib.proposals.schema import Proposal

Judged = tuple[Proposal, ProposalResult, Desirability]
LAUNCH, TEST, DECIDE, FIND_OUT, LEAVE = "launch", "test", "decide", "find out", "leave"
_COLUMNS = (
    "proposal", "title", "owner", "step", "worth_amount", "year_amount", "net_amount", "net_amount_lower",
    "net_amount_upper", "n_test_days", "test_amount", "effort_days", "why", "once", "start_on",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCases:
    """Proposals of a shop about which something is still to be decided, and what stands beside them.

    Parameters
    ----------
    judged : tuple of (Proposal, ProposalResult, Desirability)
        Neither launched nor rejected, drafts and replays apart.
    drafts : tuple of Proposal
        With something to be filled in, so not judged.
    decided : tuple of Proposal
        Launched, start still to come: their days are spoken for.
    launched : tuple of str
        Every launched one.
    n_replays : int
        Replayed on old data: nobody is to decide about them.
    """

    judged: tuple[Judged, ...] = ()
    drafts: tuple[Proposal, ...] = ()
    decided: tuple[Proposal, ...] = ()
    launched: tuple[str, ...] = ()
    n_replays: int = 0


def steps_of(judged: Sequence[Judged], *, drafts: Sequence[Proposal] = ()) -> pd.DataFrame:
    """The next step of each proposal, and what it is worth.

    Parameters
    ----------
    judged : sequence of (Proposal, ProposalResult, Desirability)
        From `casework.judge.open_cases`.
    drafts : sequence of Proposal
        With something to be filled in.

    Returns
    -------
    DataFrame
        One row a proposal: proposal, title, owner, step, worth_amount (expected over the horizon: of a launch its net money,
        of a test what deciding after the best one brings, of what cannot be tested in any useful time its net money; missing where there is none), year_amount (the same a year; of what is left, what a launch is expected to bring),
        net_amount with its 90 % interval (a year, of a launch now), n_test_days and test_amount (the best further test and
        what it adds a year), effort_days (of all departments), why (where it is neither), once (who must agree first), start_on.
    """
    rows = [_row(*case) for case in judged]
    for item in drafts:
        rows.append(
            {"proposal": item.id, "title": item.title, "owner": item.owner, "step": FIND_OUT,
             "effort_days": sum(effort_days_of(item).values()), "once": "", "start_on": item.start,
             "why": f"a draft that lacks {item.to_do[0].partition(': ')[0].replace('_', ' ')}"}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(_COLUMNS)).sort_values("proposal", ignore_index=True)


def _row(proposal: Proposal, result: ProposalResult, worth: Desirability) -> dict[str, Any]:
    a_year, net = 365 / proposal.horizon_days, worth.net
    best = max(worth.tests, key=lambda test: test.net_amount, default=None)
    step, amount, why = _step(result, worth, best)
    shown = net.value if amount is None and step == LEAVE and net is not None else amount
    row: dict[str, Any] = {
        "proposal": proposal.id, "title": proposal.title, "owner": proposal.owner, "step": step, "worth_amount": amount,
        "year_amount": None if shown is None else shown * a_year, "why": why,
        "effort_days": sum(effort_days_of(proposal).values()), "start_on": proposal.start,
        "once": " and ".join(item.place for item in result.obstacles if item.name in ("no answer", "condition")),
    }  # fmt: skip
    if net is not None:
        row |= {"net_amount": net.value * a_year, "net_amount_lower": net.lower * a_year, "net_amount_upper": net.upper * a_year}  # fmt: skip
    if best is not None and best.net_amount > 0 and step == TEST:
        row |= {"n_test_days": best.days, "test_amount": best.net_amount * a_year}
    return row


def _step(result: ProposalResult, worth: Desirability, best: TestOption | None) -> tuple[str, float | None, str]:
    """Step, expected money over the horizon, and why it is neither launched nor tested."""
    objecting = [item.place for item in result.obstacles if item.name == "objection"]
    if objecting:
        return LEAVE, None, f"{' and '.join(objecting)} objects"
    if worth.recommendation == "reject":
        return LEAVE, None, "it loses money on average" if worth.net else f"its claim is {result.label}"
    if worth.net is None or worth.recommendation == "gather data":
        return FIND_OUT, None, _lacking(result, worth)
    if worth.recommendation != "test first":
        return LAUNCH, worth.net.value, ""
    cannot = any(c.state == "inconclusive" and not c.qualifier and is_out_of_reach(c) for c in result.claims)
    gain = max(worth.net.value, 0.0) + max(best.net_amount if best and not cannot else 0.0, 0.0)
    if gain > 0:
        return DECIDE if cannot else TEST, gain, ""
    return LEAVE, None, "it loses money on average"


def _lacking(result: ProposalResult, worth: Desirability) -> str:
    """What must be found out before anything can be chosen."""
    claim = result.claims[0]
    if claim.qualifier == "not due":
        return "the result of its test is not there yet"
    if result.state == "invalid":
        return f"its test is not valid ({result.qualifier})"
    if worth.raw is None:
        return "what the change does is not measured"
    return f"what {(claim.title or claim.metric).lower()} brings in money is not known"


def candidates_of(judged: Sequence[Judged], steps: pd.DataFrame, *, capacity: Capacity) -> tuple[Candidate, ...]:
    """Candidates of a plan: what is worth a launch or a test.

    Parameters
    ----------
    judged : sequence of (Proposal, ProposalResult, Desirability)
    steps : DataFrame
        From `steps_of`.
    capacity : Capacity
        Whose months the plan has.

    Returns
    -------
    tuple of Candidate
    """
    worth = steps.dropna(subset=["worth_amount"]).set_index("proposal")["worth_amount"].to_dict()
    return tuple(
        candidate_of(p, worth=worth[p.id], months=capacity.months, claim_id=found.claim_id)
        for p, _, found in judged
        if p.id in worth
    )


def candidate_of(proposal: Proposal, *, worth: float = 0.0, months: Sequence[date], claim_id: str = "") -> Candidate:
    """A proposal as a plan takes it: live from the month of its start on, at the latest in the month of its deadline.

    Parameters
    ----------
    proposal : Proposal
    worth : float
        Expected net money over its horizon.
    months : sequence of date
        First days of the plan's months.
    claim_id : str
        The claim that was turned into money; the first unless given.

    Returns
    -------
    Candidate
    """
    claim = next((item for item in proposal.claims if item.id == claim_id), proposal.claims[0])
    chance = 0.5 if proposal.stated_probability is None else proposal.stated_probability
    first, last = (
        12 * (day.year - months[0].year) + day.month - months[0].month
        for day in (proposal.start, proposal.deadline or date.max)
    )
    return Candidate(
        id=proposal.id, title=proposal.title, owner=proposal.owner, worth_amount=worth,
        one_off_cost_amount=proposal.one_off_cost_amount, horizon_months=proposal.horizon_days / DAYS_A_MONTH,
        person_days=effort_days_of(proposal), first=max(first, 0), last=last, depends_on=proposal.depends_on,
        excludes=proposal.excludes, promised_amount=(proposal.reach or 0.0) * claim.promise * chance,
    )  # fmt: skip


def with_decided(live: pd.Series, decided: Sequence[Candidate], *, n_months: int) -> pd.Series:
    """A plan with what was decided before it, each in its first month, at the latest in the last of the plan."""
    first = pd.Series({one.id: min(one.first, n_months - 1) for one in decided}, dtype="int64")
    return pd.concat([live, first])


def net_draws(
    judged: Sequence[Judged], candidates: Sequence[Candidate], *, n_draws: int, seed: int = 1
) -> pd.DataFrame:
    """Draws of each candidate's net money over its horizon, from what is believed of its effect.

    Parameters
    ----------
    judged : sequence of (Proposal, ProposalResult, Desirability)
    candidates : sequence of Candidate
    n_draws : int
    seed : int

    Returns
    -------
    DataFrame
        One column a candidate, one row a draw of all; effects of different proposals are taken as independent.
    """
    rng, wanted = np.random.default_rng(seed), {one.id for one in candidates}
    drawn = {}
    for proposal, _, found in judged:
        if proposal.id in wanted and found.posterior is not None and found.amount_per_lift is not None:
            after = found.posterior
            part = rng.choice(len(after.weights), n_draws, p=np.array(after.weights) / sum(after.weights))
            lifts = np.array(after.means)[part] + np.array(after.sds)[part] * rng.standard_normal(n_draws)
            drawn[proposal.id] = found.amount_per_lift * lifts - found.cost_amount
    return pd.DataFrame(drawn, index=range(n_draws))


def roadmap(
    steps: pd.DataFrame, live: pd.Series, *, months: Sequence[date], why: dict[str, str], stability: pd.DataFrame
) -> pd.DataFrame:
    """Every proposal with its place in the plan.

    Parameters
    ----------
    steps : DataFrame
        From `steps_of`.
    live : Series
        From `portfolio.plan_portfolio`.
    months : sequence of date
    why : dict of id to str
        From `portfolio.what_keeps_out`.
    stability : DataFrame
        From `portfolio.choice_stability`.

    Returns
    -------
    DataFrame
        The columns of `steps_of`, ``place`` (now, after, find out, not), ``month`` (in words; empty outside the plan),
        ``chosen_share``; in the order of places, months and money.
    """
    shares = dict(zip(stability["proposal"], stability["chosen_share"], strict=True))
    rows = steps.assign(chosen_share=steps["proposal"].map(shares).astype("float64"))
    month = rows["proposal"].map(live).fillna(-1).astype("int64")
    rows["month"] = [f"{months[m]:%b %Y}" if m >= 0 else "" for m in month]
    rows["why"] = [why.get(name, text) for name, text in zip(rows["proposal"], rows["why"], strict=True)]
    outside = np.where(rows["step"] == FIND_OUT, "find out", "not")
    rows["place"] = np.where(month == 0, "now", np.where(month > 0, "after", outside))
    order = rows["place"].map({"now": 0, "after": 1, "find out": 2, "not": 3})
    return (
        rows.assign(_order=order, _month=month)
        .sort_values(["_order", "_month", "year_amount", "proposal"], ascending=[True, True, False, True])
        .drop(columns=["_order", "_month"])
        .reset_index(drop=True)
    )


def compare_rules(
    candidates: Sequence[Candidate], live: pd.Series, *, capacity: Capacity, done: Sequence[str] = ()
) -> pd.DataFrame:
    """Usual rules that would choose otherwise than a plan, and what that would bring.

    Parameters
    ----------
    candidates, capacity, done
        As `portfolio.plan_portfolio` takes them.
    live : Series
        What that gave.

    Returns
    -------
    DataFrame
        rule, counts (what it ranks by), worth_amount (expected over the horizons), less_amount (than the plan),
        otherwise (each proposal that it places elsewhere, in words); empty where all agree.
    """
    best, rows = planned_worth(candidates, live), []
    for rule, counts in RULES.items():
        other = plan_by_rule(rule, candidates, capacity=capacity, done=done)
        moved = [f"{name} {_when(int(other[name]), capacity)}" for name in live.index[other != live]]
        if moved:
            brought = planned_worth(candidates, other)
            rows.append((rule, counts, brought, best - brought, ", ".join(moved)))
    return pd.DataFrame(rows, columns=["rule", "counts", "worth_amount", "less_amount", "otherwise"])


def _when(month: int, capacity: Capacity) -> str:
    return "not" if month < 0 else f"in {capacity.months[month]:%b %Y}"
