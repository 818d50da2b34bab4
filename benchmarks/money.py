"""One planted truth measured by four designs: the same net money, and an interval that holds it as often as it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.series_cells import autoregression
from opslib.metrics import with_local_days
from opslib.periods import Period
from opslib.proposals.designs import Context, measure
from opslib.proposals.designs.over_time import BIAS_SD
from opslib.proposals.desirability import desirability, prior_of
from opslib.proposals.economics import Economics, economics_of
from opslib.proposals.evaluate import plans_of
from opslib.proposals.results import ProposalResult
from opslib.proposals.schema import Proposal
from opslib.proposals.verdicts import judge_claim, overall
from opslib.stats.estimates import Estimate
from opslib.stats.shrinkage import Mixture

#: The shop: visitors who come once, each near one of its stores; which share of them orders, for how much, at what margin.
VISITORS_A_DAY, N_STORES, RATE, ORDER_AMOUNT, MARGIN_SHARE = 650.0, 24, 0.2, 40.0, 0.4
STORE_SPREAD, STORE_WOBBLE, SHOP_WOBBLE = 0.3, 0.1, 0.05
_WEEK = np.array([1.0, 0.9, 0.9, 1.0, 1.1, 1.3, 0.8])
#: The change: so many more orders a visitor, for a year, fading; what it costs.
EFFECT, HORIZON_DAYS, DECAY, ONE_OFF, RUNNING = 0.2, 365, 0.02, 15_000.0, 400.0
WINDOW = Period(date(2026, 3, 2), date(2026, 3, 29))
#: Days of history that each design reads.
HISTORY = {"experiment": 0, "cluster_experiment": 56, "rollout": 112, "before_after": 364}
DESIGNS: Mapping[str, dict[str, Any]] = {
    "experiment": {"experiment": "E1", "control": "a", "treatment": "b", "randomised": "visitor"},
    "cluster_experiment": {
        "experiment": "E1", "control": "a", "treatment": "b", "randomised": "store", "covariate_days": 56,
    },
    "rollout": {"rollout": "R1", "history_days": 112},
    "before_after": {"changed_on": WINDOW.start, "history_days": 364},
}  # fmt: skip
#: So wide that nothing is shrunk.
FLAT = Mixture(weights=(1.0,), means=(0.0,), sds=(100.0,))
#: Asked of the coverage of 90 % intervals: with everything off, and at least with base rate and bias; and of the medians.
COVERAGE, LEAST_COVERAGE, MOST_APART = (0.84, 0.96), 0.84, 0.10
DAYS_A_MONTH = 30.4375


def planted_net(effect: float) -> float:
    """Net money of a relative effect on orders a visitor, by hand: day by day over the horizon, less cost."""
    months = np.arange(0.5, HORIZON_DAYS) / DAYS_A_MONTH
    a_day = effect * VISITORS_A_DAY * RATE * ORDER_AMOUNT * MARGIN_SHARE * (1 - DECAY) ** months
    return float(a_day.sum()) - ONE_OFF - RUNNING * HORIZON_DAYS / DAYS_A_MONTH


def simulate(design: str, effect: float, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Tables of a shop in which the change reached whom the design lets it reach, with this effect on orders a visitor."""
    day, store = _visitors(HISTORY[design], rng)
    half, few = (rng.permutation(N_STORES) < n for n in (N_STORES // 2, N_STORES // 3))
    who = np.arange(len(day))
    reached = {
        "experiment": rng.random(len(day)) < 0.5,
        "cluster_experiment": half[store],
        "rollout": few[store],
        "before_after": np.ones(len(day), bool),
    }[design]
    bought = rng.random(len(day)) < RATE * (1 + effect * (reached & (day >= 0)))
    noon = pd.Timestamp(WINDOW.start) + pd.to_timedelta(day, unit="D") + pd.Timedelta(hours=12)
    names = np.array([f"s{n:02}" for n in range(N_STORES)])
    amounts = rng.gamma(4.0, ORDER_AMOUNT / 4.0, int(bought.sum()))
    is_logged = day >= 0
    tables = {
        "sessions": pd.DataFrame({"session_id": who, "visitor_id": who, "started_at": noon})[is_logged],
        "order_lines": pd.DataFrame({
            "order_id": who, "line_id": 1, "session_id": who, "customer_id": who, "product_id": "p", "quantity": 1.0,
            "store": names[store], "ordered_at": noon, "status": "paid",
        })[bought].assign(unit_price=amounts, cost_amount=(1 - MARGIN_SHARE) * amounts),
    }  # fmt: skip
    if design == "experiment":
        tables["experiments"] = _assigned("visitor", who, reached, noon)
    elif design == "cluster_experiment":
        tables["experiments"] = _assigned("store", names, half, pd.Timestamp(WINDOW.start))
    elif design == "rollout":
        begun = np.where(few, np.datetime64(WINDOW.start, "ns"), np.datetime64("NaT"))
        rows = {"rollout_id": "R1", "unit_id": names, "unit": "store", "treated_from": begun}
        tables["rollouts"] = pd.DataFrame(rows)
    return tables


def _visitors(n_history: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Day (0 = the change) and store of every visitor: stores differ in size, days in weekday and weather."""
    days = np.arange(-n_history, WINDOW.n_days)
    sizes = np.exp(STORE_SPREAD * rng.standard_normal((N_STORES, 1)))
    logs = SHOP_WOBBLE * autoregression(rng, (1, len(days)), phi=0.5)
    logs = logs + STORE_WOBBLE * autoregression(rng, (N_STORES, len(days)), phi=0.5)
    mean_one = np.exp(logs - (SHOP_WOBBLE**2 + STORE_WOBBLE**2) / 2)
    n = rng.poisson(VISITORS_A_DAY * sizes / sizes.sum() * _WEEK[days % 7] * mean_one).ravel()
    store, day = (np.repeat(index.ravel(), n) for index in np.indices((N_STORES, len(days))))
    return days[day], store


def _assigned(unit: str, names: np.ndarray, is_treated: np.ndarray, at: Any) -> pd.DataFrame:
    variant = np.where(is_treated, "b", "a")
    rows = {"experiment_id": "E1", "unit_id": names, "unit": unit, "variant": variant, "assigned_at": at}
    return pd.DataFrame(rows)


def economics_in(rng: np.random.Generator) -> Economics:
    """What an order leaves and how much comes in a month, counted in a shop without the change."""
    return economics_of(_local(simulate("experiment", 0.0, rng)), period=WINDOW, first=WINDOW.start)


def net_of(
    design: str, tables: Mapping[str, pd.DataFrame], *, economics: Economics, is_shrunk: bool
) -> Estimate | None:
    """Net money of the one proposal as its page has it; without base rate and bias variance where it is not to be shrunk."""
    proposal = _proposal(design)
    plan = plans_of(proposal)["c1"]
    measured = measure([plan], Context(tables=_local(tables), as_of=WINDOW.end))[plan.key]
    if not is_shrunk:
        measured = replace(measured, bias_sd=0.0)
    claim = judge_claim(plan.claim, measured, is_frozen=True, launch=proposal.start)
    state, qualifier = overall([claim], [])
    result = ProposalResult(
        proposal_id=proposal.id, title=proposal.title, owner=proposal.owner, claims=(claim,), guardrails=(), state=state,
        qualifier=qualifier, grade=claim.grade,
    )  # fmt: skip
    priors = None if is_shrunk else {design: FLAT}
    return desirability(proposal, result, plans={"c1": plan}, economics=economics, priors=priors).net


def _local(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    return with_local_days(tables, zone="UTC")


def _proposal(design: str) -> Proposal:
    """The same change, reach, cost and horizon, whatever measures it."""
    is_test = design == "experiment"
    return Proposal.model_validate({
        "id": "M-01", "title": "A change", "need": "More orders", "owner": "Website", "start": date(2026, 5, 1),
        "reach": VISITORS_A_DAY * DAYS_A_MONTH, "reach_unit": "visitor", "horizon_days": HORIZON_DAYS, "decay": DECAY,
        "one_off_cost_amount": ONE_OFF, "running_cost_amount": RUNNING,
        "claims": ({
            "id": "c1", "sentence": "A fifth more orders.", "promise": EFFECT, "window": {"start": WINDOW.start, "end": WINDOW.end},
            "metric": "orders_per_visitor" if is_test else "orders", "unit": "visitor" if is_test else "store",
            "design": {"kind": design, **DESIGNS[design]},
        },),
    })  # fmt: skip


def run_seed(seed: int) -> list[dict[str, Any]]:
    """Net money of one planted truth by design, plain; and of truths drawn from the base rate, shrunk and with bias.

    Where it is shrunk, the comparison of a design that is not randomised is off by a draw from its stated bias, so that
    what the bias variance is there for happens.

    Parameters
    ----------
    seed : int
        Start of the random numbers.

    Returns
    -------
    list of dict
        One a design: ``design``; ``value``, ``lower``, ``upper`` (net money, nothing shrunk) and ``planted``; the same
        with ``_shrunk``. Missing where a gate refused an answer.
    """
    rng, rows = np.random.default_rng(seed), []
    economics = economics_in(rng)
    for design in DESIGNS:
        prior, bias_sd = prior_of(design), BIAS_SD.get(design, 0.0)
        truth = float(rng.choice(prior.sds, p=prior.weights) * rng.standard_normal())
        row: dict[str, Any] = {"design": design}
        for end, effect, bias in (("", EFFECT, 0.0), ("_shrunk", truth, bias_sd * float(rng.standard_normal()))):
            tables = simulate(design, effect + bias, rng)
            net = net_of(design, tables, economics=economics, is_shrunk=bool(end))
            row |= {f"{name}{end}": getattr(net, name, np.nan) for name in ("value", "lower", "upper")}
            row[f"planted{end}"] = planted_net(effect)
        rows.append(row)
    return rows


def coverage(found: pd.DataFrame) -> pd.DataFrame:
    """One row a design: shops answered, median net money, coverage with nothing shrunk and with everything on (0-1)."""
    rows = []
    for design, runs in found.groupby("design", sort=False):
        row: dict[str, Any] = {"design": design, "n": len(runs), "median": runs["value"].median()}
        for end in ("", "_shrunk"):
            answered = runs.dropna(subset=f"value{end}")
            is_inside = answered[f"planted{end}"].between(answered[f"lower{end}"], answered[f"upper{end}"])
            row |= {f"n{end}_answered": len(answered), f"coverage{end}": is_inside.mean()}
        rows.append(row)
    return pd.DataFrame(rows)


def is_met(table: pd.DataFrame) -> bool:
    """Whether every design does what is asked."""
    apart = (table["median"].max() - table["median"].min()) / planted_net(EFFECT)
    plain = table["coverage"].between(*COVERAGE).all()
    return bool(plain and (table["coverage_shrunk"] >= LEAST_COVERAGE).all() and apart < MOST_APART)


def render_money_markdown(table: pd.DataFrame) -> str:
    """The table of `coverage`, with what is asked."""
    apart = (table["median"].max() - table["median"].min()) / planted_net(EFFECT)
    head = (
        f"A change that brings {EFFECT:.0%} more orders a visitor is worth {planted_net(EFFECT):,.0f} net over its horizon, by hand "
        "from what the simulated shop was made with. Each design measures it in shops of its own, with the same reach, cost and "
        f"horizon. Asked: 90 % intervals hold it in {COVERAGE[0]:.0%} to {COVERAGE[1]:.0%} where nothing is shrunk and no bias "
        f"added; in at least {LEAST_COVERAGE:.0%} with both, over truths drawn from the base rate and comparisons off by a draw "
        f"from the stated bias; medians less than {MOST_APART:.0%} apart (found: {apart:.1%}). A run that a gate refuses is left out.\n\n"
    )
    lines = [
        "| design | median net | inside, nothing shrunk | inside, base rate and bias | refused |",
        "|---|---|---|---|---|",
    ]
    rows: Iterable[Any] = table.itertuples()
    lines += [
        f"| {row.design} | {row.median:,.0f} | {row.coverage:.1%} of {row.n_answered} | "
        f"{row.coverage_shrunk:.1%} of {row.n_shrunk_answered} | {2 * row.n - row.n_answered - row.n_shrunk_answered} |"
        for row in rows
    ]
    return head + "\n".join(lines) + "\n"
