"""Regret of plans: money that a plan leaves against an oracle that knows the truth, over simulated portfolios."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from opslib.proposals.portfolio import (
    DAYS,
    MONEY,
    RULES,
    Candidate,
    Capacity,
    plan_by_rule,
    plan_portfolio,
    planned_worth,
)
from opslib.stats.shrinkage import Mixture, posterior

#: Days that departments have, as a share of what all proposals together would take: from scarce to more than enough.
CAPACITIES = {"a quarter": 0.25, "half": 0.5, "three quarters": 0.75, "more than enough": 3.0}
N_PROPOSALS, N_MONTHS, DEPARTMENTS = 12, 4, ("Technology", "Marketing", "Logistics")
PRIOR = Mixture(weights=(1.0,), means=(0.0,), sds=(0.05,))
#: Standard errors of measured effects: from a fifth of the effects' spread to all of it.
ERRORS = (0.01, 0.05)


def run_portfolios(n: int = 500, *, seed: int = 1) -> pd.DataFrame:
    """Mean regret of the plan and of the usual rules, and by how much each rule's is above the plan's.

    A portfolio has twelve proposals, a third of which need another one first and a sixth exclude one. Effects are drawn
    from the base rate and measured with error; owners promise what they measured or 5 %, whichever is more, and state a
    probability that knows little. All rules see the same estimates; those that count money count expected posterior money.

    Parameters
    ----------
    n : int
        Portfolios a capacity, the same for all rules.
    seed : int
        Start of the random numbers.

    Returns
    -------
    DataFrame
        One row a capacity and rule: ``capacity``, ``rule``, ``regret_share`` (of the oracle's money), ``regret_amount``
        (a portfolio), ``above_amount`` (regret above the plan's; 95 % interval from the paired differences in
        ``above_amount_lower`` and ``above_amount_upper``).

    Examples
    --------
    >>> table = run_portfolios(3).set_index(["capacity", "rule"])
    >>> bool(table.loc[("half", "plan"), "regret_amount"] >= 0)
    True
    """
    rows = []
    for name, share in CAPACITIES.items():
        rng = np.random.default_rng(seed)
        found = pd.DataFrame([_regrets(rng, share) for _ in range(n)])
        for rule in ("plan", *RULES):
            above = found[rule] - found["plan"]
            half = 1.96 * float(above.std()) / np.sqrt(n)
            rows.append(
                {
                    "capacity": name,
                    "rule": rule,
                    "regret_share": found[rule].sum() / found["oracle"].sum(),
                    "regret_amount": found[rule].mean(),
                    "above_amount": above.mean(),
                    "above_amount_lower": above.mean() - half,
                    "above_amount_upper": above.mean() + half,
                }
            )
    return pd.DataFrame(rows)


def render_portfolios_markdown(table: pd.DataFrame) -> str:
    """The table of `run_portfolios` in Markdown.

    Examples
    --------
    >>> render_portfolios_markdown(run_portfolios(2)).splitlines()[2]
    '| days there are | rule | regret, share of the oracle | above the plan (95 %) |'
    """
    lines = ["Regret: money that a plan leaves against an oracle, a portfolio.", ""]
    lines += ["| days there are | rule | regret, share of the oracle | above the plan (95 %) |", "|---|---|---|---|"]
    for row in table.itertuples():
        above = f"{row.above_amount:,.0f} ({row.above_amount_lower:,.0f} to {row.above_amount_upper:,.0f})"
        lines.append(
            f"| {row.capacity} | {row.rule} | {row.regret_share:.1%} | {above if row.rule != 'plan' else ''} |"
        )
    return "\n".join(lines) + "\n"


def _regrets(rng: np.random.Generator, share: float) -> dict[str, float]:
    believed, true, capacity = _portfolio(rng, share)
    best = planned_worth(true, plan_portfolio(true, capacity=capacity))
    plans = {"plan": plan_portfolio(believed, capacity=capacity)}
    plans |= {rule: plan_by_rule(rule, believed, capacity=capacity) for rule in RULES}
    return {"oracle": best} | {rule: best - planned_worth(true, plan) for rule, plan in plans.items()}


def _portfolio(rng: np.random.Generator, share: float) -> tuple[list[Candidate], list[Candidate], Capacity]:
    """Proposals as they are believed and as they are, and the days and money there are for them."""
    days = np.round(rng.lognormal(1.6, 0.8, (N_PROPOSALS, len(DEPARTMENTS))) * (rng.random((N_PROPOSALS, 3)) < 0.6), 1)
    costs = np.round(rng.lognormal(7.0, 0.8, N_PROPOSALS))
    effects = rng.normal(0.0, PRIOR.sds[0], N_PROPOSALS)
    errors, per_lift = rng.uniform(*ERRORS, N_PROPOSALS), rng.lognormal(12.5, 0.7, N_PROPOSALS)
    measured = effects + errors * rng.standard_normal(N_PROPOSALS)
    means = np.array([posterior(m, e, prior=PRIOR).mean for m, e in zip(measured, errors, strict=True)])
    stated = np.clip(0.5 + 2 * measured + rng.normal(0, 0.15, N_PROPOSALS), 0.05, 0.95)
    promised = per_lift * np.maximum(measured, 0.05) * stated
    believed: list[Candidate] = []
    for i in range(N_PROPOSALS):
        links: dict[str, Any] = {
            "depends_on": (f"P{rng.integers(i):02d}",) if i and rng.random() < 1 / 3 else (),
            "excludes": (f"P{rng.integers(i):02d}",) if i and rng.random() < 1 / 6 else (),
        }
        believed.append(
            Candidate(
                id=f"P{i:02d}", owner=DEPARTMENTS[rng.integers(3)], first=int(rng.integers(2)),
                worth_amount=float(per_lift[i] * means[i] - costs[i]), one_off_cost_amount=float(costs[i]),
                person_days=dict(zip(DEPARTMENTS, days[i].tolist(), strict=True)), promised_amount=float(promised[i]), **links,
            )
        )  # fmt: skip
    true = [replace(one, worth_amount=float(per_lift[i] * effects[i] - costs[i])) for i, one in enumerate(believed)]
    free = {(name, DAYS): np.full(N_MONTHS, share * days[:, k].sum() / N_MONTHS) for k, name in enumerate(DEPARTMENTS)}
    free |= {(name, MONEY): np.full(N_MONTHS, share * costs.sum() / N_MONTHS) for name in DEPARTMENTS}
    return (
        believed,
        true,
        Capacity(months=(date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)), free=free),
    )
