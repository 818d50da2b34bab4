"""Scenarios of randomised experiments: conversion, skewed spend, unequal splits, ramps, lost units, planned looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.truth_scenario import Replicates, Scenario, over_effects, sums_of, until_decided
from opslib.stats.ratios import interval_of
from opslib.stats.sample_ratio import mismatch_p_value, missingness_bound, sample_ratio
from opslib.stats.sequential import anytime_critical, nominal_level, planned_looks
from opslib.stats.sufficient_statistics import SUMS, SufficientStatistics

GATE_ALPHA = 0.001
LOOKS = (0.25, 0.5, 0.75, 1.0)
DAYS = 28

Arm = dict[Any, SufficientStatistics]


def simulate(cell: Scenario, rng: np.random.Generator, n_replicates: int) -> Replicates:
    """Runs of an experiment: allocation, gate, comparison; see `Family`."""
    outcome = _OUTCOMES[cell.settings["outcome"]]
    seen, shares = _allocate(cell, rng, n_replicates)
    arms: list[Arm] = [dict(enumerate(outcome(cell, rng, seen[..., arm], is_treated=bool(arm)))) for arm in (0, 1)]
    control, treated = arms
    expected = seen.sum(axis=-1, keepdims=True) * np.stack([1 - shares, shares], axis=-1)
    flat = (n_replicates, -1)
    is_invalid = mismatch_p_value(seen.reshape(flat), expected.reshape(flat), df=len(shares)) < GATE_ALPHA
    if cell.kind != "fixed":
        return _looked_at(cell, control, treated, is_invalid)
    value, lower, upper = interval_of(control, treated, confidence_level=0.95, adjust=cell.settings.get("adjust", True))
    bound = _bound(cell)
    return Replicates(value, lower - bound, upper + bound, is_invalid, statistical=(lower, upper))


def _allocate(cell: Scenario, rng: np.random.Generator, n_replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Units left after a loss, (n_replicates, n_epochs, control and treated), and the planned share of each epoch."""
    sizes = np.array(cell.settings.get("epochs") or (cell.settings["n"],))
    shares = np.array(cell.settings.get("shares", (cell.settings.get("share", 0.5),)))
    if cell.kind != "fixed":
        steps = len(LOOKS) if cell.kind == "sequential" else DAYS
        sizes, shares = np.full(steps, sizes.sum() // steps), np.full(steps, shares[0])
    treated = rng.binomial(sizes, shares, size=(n_replicates, len(sizes)))
    lost = rng.binomial(treated, cell.settings.get("loss", 0.0))
    return np.stack([sizes - treated, treated - lost], axis=-1), shares


def _conversion(
    cell: Scenario, rng: np.random.Generator, n: np.ndarray, *, is_treated: bool
) -> list[SufficientStatistics]:
    """Buyers among visitors; lost visitors buy less often by ``contrast``, so the rest looks better."""
    loss, contrast = cell.settings.get("loss", 0.0), cell.settings.get("contrast", 0.0)
    bias = (1 - loss * (1 - contrast)) / (1 - loss)
    factor = (1 + cell.true_effect) * bias if is_treated else 1.0
    successes = rng.binomial(n, np.array(cell.settings["rate"]) * factor)
    return [
        SufficientStatistics.of_share(n=units.astype(float), successes=buyers.astype(float))
        for units, buyers in zip(n.T, successes.T, strict=True)
    ]


def _spend(cell: Scenario, rng: np.random.Generator, n: np.ndarray, *, is_treated: bool) -> list[SufficientStatistics]:
    """Spend a visitor: few buy, and what they spend has a heavy tail; the effect scales it, or brings buyers."""
    by_buyers = cell.settings.get("effect_on") == "buyers"
    effect = 1 + cell.true_effect if is_treated else 1.0
    found = []
    for units in n.T:
        buyers = rng.binomial(units, cell.settings["rate"] * (effect if by_buyers else 1.0))
        spend = _amounts(cell.settings, rng, int(buyers.sum()), is_treated=is_treated)
        y, yy, yyy = (sums_of(spend**power, buyers) for power in (1, 2, 3))
        statistics = SufficientStatistics.of_mean(n=units.astype(float), y=y, yy=yy, yyy=yyy)
        found.append(statistics if by_buyers else statistics.scaled(effect))
    return found


def _amounts(settings: Mapping[str, Any], rng: np.random.Generator, n: int, *, is_treated: bool) -> np.ndarray:
    if "pareto" in settings:
        return 1 + rng.pareto(settings["pareto"], n)
    sigma = settings.get("treated_sigma", settings["sigma"]) if is_treated else settings["sigma"]
    return np.exp(rng.normal(0.0, 1.0, n) * sigma - sigma**2 / 2)


def _sessions(
    cell: Scenario, rng: np.random.Generator, n: np.ndarray, *, is_treated: bool
) -> list[SufficientStatistics]:
    """Converting sessions over sessions; a visitor's sessions resemble each other (beta-binomial)."""
    rate = cell.settings["rate"] * (1 + cell.true_effect * is_treated)
    return _drawn(rng, n, *_session_table(rate, cell.settings["icc"]))


def _orders(cell: Scenario, rng: np.random.Generator, n: np.ndarray, *, is_treated: bool) -> list[SufficientStatistics]:
    """Orders a customer, with orders of the time before as covariate (a Poisson rate that differs by gamma)."""
    return _drawn(rng, n, *_order_table(cell.settings["dispersion"], 1 + cell.true_effect * is_treated))


def _drawn(
    rng: np.random.Generator, n: np.ndarray, columns: np.ndarray, probability: np.ndarray
) -> list[SufficientStatistics]:
    """Sufficient statistics of units drawn from a table of what a unit may be: y, d, x and its probability."""
    products = {name: np.prod([columns["ydx".index(letter)] for letter in name], axis=0) for name in SUMS}
    found = []
    for units in n.T:
        counts = rng.multinomial(units, probability)
        found.append(
            SufficientStatistics(
                n=units.astype(float), **{name: counts @ product for name, product in products.items()}
            )
        )
    return found


@cache
def _session_table(rate: float, icc: float) -> tuple[np.ndarray, np.ndarray]:
    k, y = np.indices((12, 13)) + np.array([1, 0])[:, None, None]
    clustered = stats.betabinom.pmf(y, k, rate * (1 / icc - 1), (1 - rate) * (1 / icc - 1))
    return _normalised(y, k, np.zeros_like(y), stats.geom.pmf(k, 0.5) * clustered)


@cache
def _order_table(dispersion: float, effect: float) -> tuple[np.ndarray, np.ndarray]:
    nodes = stats.gamma.ppf((np.arange(400) + 0.5) / 400, dispersion) / dispersion
    y, x = np.indices((30, 60))
    now, before = stats.poisson.pmf(y[..., None], nodes * effect), stats.poisson.pmf(x[..., None], 3 * nodes)
    return _normalised(y, np.ones_like(y), x, np.mean(now * before, axis=-1))


def _normalised(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of y, d, x that may occur, and their probabilities (the last column)."""
    table = np.array([column.ravel() for column in columns], dtype=float)
    table = table[:, table[-1] > 1e-12]
    return table[:-1], table[-1] / table[-1].sum()


_OUTCOMES: Mapping[str, Callable[..., list[SufficientStatistics]]] = {
    "conversion": _conversion,
    "spend": _spend,
    "sessions": _sessions,
    "orders": _orders,
}


def _bound(cell: Scenario) -> float:
    """The missingness bound of the design, from its planned sizes."""
    share = cell.settings.get("share", 0.5)
    shares = np.array([1 - share, share])
    n = sum(cell.settings.get("epochs") or (cell.settings["n"],)) * shares
    return missingness_bound(
        sample_ratio(pd.DataFrame({"arm": ["control", "treated"], "n": n, "planned_share": shares}))
    )


def _looked_at(cell: Scenario, control: Arm, treated: Arm, bad: np.ndarray) -> Replicates:
    """Interval at the look where the claim is first decided; the oracle looks once, at the end."""
    levels, ends = planned_looks(LOOKS).levels, []
    for look, (c, t) in enumerate(zip(accumulate(control.values()), accumulate(treated.values()), strict=True)):
        n = float(np.mean(c.n + t.n))
        anytime = nominal_level(anytime_critical(n, tuned_at=cell.settings["n"]))
        level = levels[look] if cell.kind == "sequential" else anytime
        ends.append(interval_of({"all": c}, {"all": t}, confidence_level=level))
    value, lower, upper = (np.stack(parts, axis=-1) for parts in zip(*ends, strict=True))
    bound = _bound(cell)
    at = until_decided(lower - bound, upper + bound, promise=cell.promise, smallest_worthwhile=cell.smallest_worthwhile)
    rows, last = np.arange(len(at)), value[:, -1]
    low, high = lower[rows, at], upper[rows, at]
    oracle = (last, np.full(len(at), np.std(np.log1p(last))))
    return Replicates(value[rows, at], low - bound, high + bound, bad, statistical=(low, high), oracle=oracle)


_BOTH = ("0", "promise")
_SPEND = {"outcome": "spend", "rate": 0.04, "sigma": 1.2}
CELLS: tuple[Scenario, ...] = tuple(
    cell
    for nuisance, settings, more in (
        ("conversion, 50/50", {"outcome": "conversion", "n": 100_000, "rate": 0.1}, {}),
        ("conversion, 10/90", {"outcome": "conversion", "n": 200_000, "rate": 0.1, "share": 0.1}, {}),
        ("conversion, rare", {"outcome": "conversion", "n": 40_000, "rate": 0.01}, {}),
        ("spend lognormal, 50/50", {**_SPEND, "n": 200_000}, {}),
        ("spend lognormal, 10/90", {**_SPEND, "n": 20_000, "share": 0.1}, {}),
        ("spend lognormal, 10/90, many", {**_SPEND, "n": 600_000, "share": 0.1, "rate": 0.1}, {}),
        ("spend lognormal, 10/90, by buyers", {**_SPEND, "n": 60_000, "share": 0.1, "effect_on": "buyers"}, {}),
        ("spend lognormal, 10/90, other shape", {**_SPEND, "n": 60_000, "share": 0.1, "treated_sigma": 1.25}, {}),
        ("spend lognormal, 90/10", {**_SPEND, "n": 20_000, "share": 0.9}, {}),
        ("spend Pareto 2.5, 50/50", {"outcome": "spend", "rate": 0.04, "pareto": 2.5, "n": 200_000}, {}),
        ("spend Pareto 2.5, 10/90", {"outcome": "spend", "rate": 0.04, "pareto": 2.5, "n": 60_000, "share": 0.1}, {}),
        ("sessions, ICC .1", {"outcome": "sessions", "rate": 0.1, "icc": 0.1, "n": 60_000}, {}),
        ("sessions, ICC .6", {"outcome": "sessions", "rate": 0.1, "icc": 0.6, "n": 60_000}, {}),
        ("orders, plain", {"outcome": "orders", "dispersion": 0.5, "n": 20_000, "adjust": False}, {"pair": "orders"}),
        ("orders, covariate", {"outcome": "orders", "dispersion": 0.5, "n": 20_000}, {"pair": "orders"}),
        (
            "ramp 1-50 %",
            {
                "outcome": "conversion",
                "epochs": (30_000, 40_000, 50_000, 60_000),
                "shares": (0.01, 0.05, 0.2, 0.5),
                "rate": (0.14, 0.12, 0.1, 0.08),
            },
            {},
        ),
        ("four looks, conversion", {"outcome": "conversion", "n": 100_000, "rate": 0.1}, {"kind": "sequential"}),
        ("four looks, spend", {**_SPEND, "n": 200_000}, {"kind": "sequential"}),
        ("any time, 28 days", {"outcome": "conversion", "n": 99_988, "rate": 0.1}, {"kind": "anytime"}),
    )
    for cell in over_effects(design="experiment", nuisance=nuisance, settings=settings, **more)  # type: ignore[arg-type]
) + tuple(
    cell
    for loss, contrast in ((0.0, 0.0), (0.01, 0.25), (0.01, 0.5), (0.02, 0.5), (0.05, 0.5))
    for cell in over_effects(
        _BOTH,
        design="experiment",
        nuisance=f"units lost {loss:.0%}, worth {1 - contrast:.0%}",
        pair="units lost",
        settings={"outcome": "conversion", "n": 100_000, "rate": 0.1, "loss": loss, "contrast": contrast},
        is_valid=loss == 0,
    )
)
