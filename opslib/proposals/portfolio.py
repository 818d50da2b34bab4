"""Portfolio of proposals: the most money within capacity and budget, and a multi-criteria ranking under other weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from opslib.errors import ParameterError
from opslib.proposals.schema import Proposal

#: Draws of weights in the robustness of a ranking.
N_WEIGHTS = 2_000


def chosen_proposals(
    proposals: Sequence[Proposal],
    *,
    worth: Mapping[str, float],
    person_days: Mapping[str, float],
    budget_amount: float | None = None,
    done: Sequence[str] = (),
) -> pd.DataFrame:
    """The set of proposals that brings most within every department's person-days and the budget.

    Parameters
    ----------
    proposals : sequence of Proposal
    worth : mapping of proposal id to float
        Expected net amount; proposals without one are left out of the choice.
    person_days : mapping of department to float
        Free person-days; a department that is missing has none.
    budget_amount : float or None
        Money for one-off costs; unlimited unless given.
    done : sequence of str
        Proposals carried out already: those that depend on them are free.

    Returns
    -------
    DataFrame
        One row a proposal, chosen ones first, by worth: proposal, title, owner, worth_amount, person_days,
        one_off_cost_amount, is_chosen, why (the limit that keeps it out).

    Notes
    -----
    A knapsack with several limits, prerequisites and exclusions, solved exactly (mixed-integer programme).
    """
    rows = [p for p in proposals if p.id in worth]
    limits = _limits(rows, person_days, budget_amount, done)
    gains = np.array([worth[p.id] for p in rows])
    taken = _best_choice(gains, limits) if rows else np.zeros(0, dtype=bool)
    frame = pd.DataFrame(
        {
            "proposal": [p.id for p in rows],
            "title": [p.title for p in rows],
            "owner": [p.owner for p in rows],
            "worth_amount": gains,
            "person_days": [sum(e.person_days for e in p.affected) for p in rows],
            "one_off_cost_amount": [p.one_off_cost_amount for p in rows],
            "is_chosen": taken,
            "why": [_why(i, taken=taken, gains=gains, limits=limits) for i in range(len(rows))],
        }
    )
    return frame.sort_values(
        ["is_chosen", "worth_amount", "proposal"], ascending=[False, False, True], ignore_index=True
    )


def _best_choice(gains: np.ndarray, limits: Constraints) -> np.ndarray:
    """Whether each proposal is in the set of the most money."""
    solved = milp(
        -gains,
        constraints=LinearConstraint(limits.rows, ub=limits.bounds),
        bounds=Bounds(0, 1),
        integrality=np.ones(len(gains)),
    )
    if solved.x is None:
        raise ParameterError(f"portfolio: no choice meets the limits ({solved.message}); check negative capacities")
    return np.asarray(solved.x > 0.5)


def robust_ranking(scores: pd.DataFrame, *, weights: Mapping[str, tuple[float, float]], seed: int = 0) -> pd.DataFrame:
    """Rank by a weighted sum of scores, and how often the rank survives other weights.

    Parameters
    ----------
    scores : DataFrame
        Indexed by proposal; one column a criterion, each 0 (worst) to 1 (best).
    weights : mapping of criterion to (float, float)
        Range within which each weight may lie; the middle is the stated weight.
    seed : int
        Of the draws.

    Returns
    -------
    DataFrame
        proposal, score, rank (1 = best), rank_lower, rank_upper (5th and 95th percentile over the draws), first_share
        (share of draws in which it is first).

    Raises
    ------
    ParameterError
        A criterion without a weight range, a range out of order, or a score outside 0-1.
    """
    missing = [name for name in scores.columns if name not in weights]
    if missing:
        raise ParameterError(f"weights: criterion '{missing[0]}' has no range; give (lowest, highest) for each")
    ranges = np.array([weights[name] for name in scores.columns], dtype=float)
    if (ranges[:, 0] > ranges[:, 1]).any() or (ranges < 0).any() or not ranges.mean(axis=1).sum() > 0:
        raise ParameterError("weights: needed 0 <= lowest <= highest, and not all 0")
    values = scores.to_numpy(dtype=float)
    if not ((values >= 0) & (values <= 1)).all():
        raise ParameterError("scores: each criterion runs from 0 (worst) to 1 (best)")
    middle = ranges.mean(axis=1)
    draws = np.random.default_rng(seed).uniform(ranges[:, 0], ranges[:, 1], size=(N_WEIGHTS, len(ranges)))
    draws /= np.maximum(draws.sum(axis=1, keepdims=True), 1e-12)
    stated = values @ (middle / middle.sum())
    ranks = np.stack([_ranks(values @ draw) for draw in draws])
    return pd.DataFrame(
        {
            "proposal": scores.index,
            "score": stated,
            "rank": _ranks(stated),
            "rank_lower": np.quantile(ranks, 0.05, axis=0),
            "rank_upper": np.quantile(ranks, 0.95, axis=0),
            "first_share": (ranks == 1).mean(axis=0),
        }
    ).sort_values(["rank", "proposal"], ignore_index=True)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """1 for the best; equal scores get the same rank."""
    return 1 + (scores[None, :] > scores[:, None] + 1e-12).sum(axis=1)


@dataclass(frozen=True, slots=True)
class Constraints:
    """Rows of ``rows @ chosen <= bounds``, each with the words for it."""

    rows: np.ndarray
    bounds: np.ndarray
    names: tuple[str, ...]


def _limits(
    given: Sequence[Proposal],
    person_days: Mapping[str, float],
    budget_amount: float | None,
    done: Sequence[str],
) -> Constraints:
    at, one = {p.id: i for i, p in enumerate(given)}, np.eye(len(given))
    found: list[tuple[np.ndarray, float, str]] = []
    for department in sorted({e.department for p in given for e in p.affected}):
        days = [sum(e.person_days for e in p.affected if e.department == department) for p in given]
        found.append((np.array(days, dtype=float), person_days.get(department, 0.0), f"days of {department}"))
    costs = np.array([p.one_off_cost_amount for p in given])
    found.append((costs, np.inf if budget_amount is None else budget_amount, "budget"))
    for i, p in enumerate(given):
        for other in (o for o in p.depends_on if o not in done):
            found.append((one[i] - (one[at[other]] if other in at else 0.0), 0.0, f"needs {other} first"))
        for other in (o for o in p.excludes if o in at):
            found.append((one[i] + one[at[other]], 1.0, f"excludes {other}"))
    rows, bounds, names = zip(*found, strict=True)
    return Constraints(np.array(rows), np.array(bounds, dtype=float), names)


def _why(i: int, *, taken: np.ndarray, gains: np.ndarray, limits: Constraints) -> str:
    """The limits that keep a proposal out of the choice."""
    if taken[i]:
        return ""
    if gains[i] <= 0:
        return "brings no money on average"
    over = limits.rows @ taken + limits.rows[:, i] > limits.bounds + 1e-9
    broken = [
        name for name, is_over, need in zip(limits.names, over, limits.rows[:, i], strict=True) if is_over and need > 0
    ]
    return "; ".join(broken) or "others bring more"
