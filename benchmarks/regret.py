"""Regret of launch rules: lift per hundred proposals, against an oracle that knows every effect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import optimize, stats

from opslib.errors import ParameterError
from opslib.stats.shrinkage import SITE_LIFTS, Mixture, posterior, sample_information_value

#: Standard errors of the estimate (relative): from a large shop's month to a small one's.
PRECISIONS = (0.003, 0.005, 0.01, 0.02, 0.03)
#: Relative lift that just pays for a launch.
COST = 0.002
#: Share of the horizon that one more test takes up before its answer can be used.
DELAY_SHARE = 0.25
RULES = ("launch if above cost", "p < .05", "always test", "shrunk", "oracle")


def run_regret(
    precisions: Sequence[float] = PRECISIONS,
    *,
    cost: float = COST,
    n_proposals: int = 200_000,
    prior: Mixture = SITE_LIFTS,
    seed: int = 1,
) -> pd.DataFrame:
    """Expected lift per hundred proposals of the product's recommendation, three usual rules and an oracle.

    Effects are drawn from the base rate. ``launch if above cost`` launches whatever estimate exceeds its cost; ``p <
    .05`` whatever is significantly positive; ``always test`` repeats every test at the same precision and launches if
    both together exceed the cost, late; ``shrunk`` launches if the posterior mean exceeds the cost, tests once more
    where that is worth more than its delay, else leaves it.

    Parameters
    ----------
    precisions : sequence of float
        Standard errors of the estimates (relative).
    cost : float
        Relative lift that just pays for a launch.
    n_proposals : int
        Simulated proposals, the same for all rules.
    prior : Mixture
        Base rate of true effects.
    seed : int
        Start of the random numbers.

    Returns
    -------
    DataFrame
        One row a precision and rule: ``std_error``, ``rule``, ``lift_points`` (percentage points net of cost, a
        hundred proposals), ``lift_error`` (its standard error), ``launched_share``, ``tested_share``,
        ``regret_points`` (oracle minus rule).

    Raises
    ------
    ParameterError
        A precision is not positive, or there are no proposals.

    Examples
    --------
    >>> table = run_regret([0.01], n_proposals=20_000).set_index("rule")["lift_points"]
    >>> bool(table["launch if above cost"] < table["p < .05"] < table["shrunk"] < table["oracle"])
    True
    """
    if n_proposals < 1 or min(precisions) <= 0:
        raise ParameterError(f"precisions {list(precisions)}, {n_proposals} proposals; needed: positive, at least one")
    rng = np.random.default_rng(seed)
    at = rng.choice(len(prior.weights), n_proposals, p=prior.weights)
    effects = np.array(prior.means)[at] + np.array(prior.sds)[at] * rng.standard_normal(n_proposals)
    first, second = rng.standard_normal((2, n_proposals))
    rows = []
    for error in precisions:
        decisions = _decisions(
            effects, effects + error * first, effects + error * second, error=error, cost=cost, prior=prior
        )
        best = decisions["oracle"][0].mean()
        for rule in RULES:
            gains, launched, tested = decisions[rule]
            rows.append(
                {
                    "std_error": error,
                    "rule": rule,
                    "lift_points": 1e4 * gains.mean(),
                    "lift_error": 1e4 * gains.std() / np.sqrt(n_proposals),
                    "launched_share": launched.mean(),
                    "tested_share": tested.mean(),
                    "regret_points": 1e4 * (best - gains.mean()),
                }
            )
    return pd.DataFrame(rows)


def _decisions(
    effects: np.ndarray,
    estimates: np.ndarray,
    repeats: np.ndarray,
    *,
    error: float,
    cost: float,
    prior: Mixture,
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Net gain, whether launched and whether tested again, for every rule."""
    net, none, every = effects - cost, np.zeros(len(effects), bool), np.ones(len(effects), bool)
    both = (estimates + repeats) / 2
    late = 1 - DELAY_SHARE
    now, test = _shrunk_choice(estimates, error=error, cost=cost, prior=prior)
    after = both > _launch_threshold(error / np.sqrt(2), cost=cost, prior=prior)
    chosen = {
        "launch if above cost": (estimates > cost, none, 1.0),
        "p < .05": (estimates > stats.norm.ppf(0.975) * error, none, 1.0),
        "always test": (both > cost, every, late),
        "oracle": (net > 0, none, 1.0),
    }
    results = {rule: (net * launch * share, launch, tested) for rule, (launch, tested, share) in chosen.items()}
    results["shrunk"] = (np.where(test, late * net * after, net * now), np.where(test, after, now), test)
    return results


def _launch_threshold(error: float, *, cost: float, prior: Mixture) -> float:
    """Estimate above which the posterior mean exceeds the cost."""
    reach = 40 * (error + max(prior.sds))
    return float(optimize.brentq(lambda x: posterior(x, error, prior=prior).mean - cost, -reach, reach))


def _shrunk_choice(
    estimates: np.ndarray,
    *,
    error: float,
    cost: float,
    prior: Mixture,
) -> tuple[np.ndarray, np.ndarray]:
    """Whether to launch now, and whether one more test is worth more than either choice now (on a fine grid)."""
    grid = np.linspace(estimates.min(), estimates.max(), 161)
    believed = [posterior(float(x), error, prior=prior) for x in grid]
    means = np.array([after.mean for after in believed]) - cost
    gains = np.array([sample_information_value(after, cost=cost, std_error=error) for after in believed])
    margin = (1 - DELAY_SHARE) * (gains + np.maximum(means, 0)) - np.maximum(means, 0)
    return np.interp(estimates, grid, means) > 0, np.interp(estimates, grid, margin) > 0
