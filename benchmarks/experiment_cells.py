"""Scenarios of randomised experiments: conversion, skewed spend, unequal splits, ramps, lost units, planned looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.cells import Cell, Replicates, over_effects, sums_of, until_decided
from opslib.stats.moments import Moments
from opslib.stats.ratios import interval_of
from opslib.stats.sample_ratio import mismatch_p_value, missingness_bound, sample_ratio
from opslib.stats.sequential import anytime_critical, nominal_level, planned_looks

GATE_ALPHA = 0.001
LOOKS = (0.25, 0.5, 0.75, 1.0)
DAYS = 28

Sample = tuple[dict[Any, Moments], dict[Any, Moments]]


def simulate(cell: Cell, rng: np.random.Generator, n_replicates: int) -> Replicates:
    """Runs of an experiment: allocation, gate, comparison; see `Family`."""
    make = _OUTCOMES[cell.settings["outcome"]]
    epochs = _allocate(cell, rng, n_replicates)
    control, treated = make(cell, rng, epochs)
    p_value = mismatch_p_value(epochs.seen, epochs.expected, df=len(epochs.names))
    is_invalid = p_value < GATE_ALPHA
    if cell.kind != "fixed":
        return _looked_at(cell, control, treated, is_invalid)
    value, lower, upper = interval_of(
        control, treated, level=0.95, adjust=cell.settings.get("adjust", True), scale=cell.settings.get("scale", "auto")
    )
    bound = _bound(cell) if cell.settings.get("is_widened", True) else 0.0
    return Replicates(
        value=value, lower=lower - bound, upper=upper + bound, is_invalid=is_invalid, statistical=(lower, upper)
    )


class _Epochs:
    """Units of each epoch and arm: planned, and those that are left after a loss."""

    def __init__(self, names: list[str], planned: np.ndarray, seen: np.ndarray, shares: np.ndarray) -> None:
        self.names = names
        self.planned = planned  # (n_replicates, n_epochs, 2): control, treated
        self.counts = seen
        totals = seen.sum(axis=-1, keepdims=True)
        split = np.stack([1 - shares, shares], axis=-1)
        self.seen = seen.reshape(len(seen), -1)
        self.expected = np.broadcast_to(totals * split, seen.shape).reshape(len(seen), -1)


def _allocate(cell: Cell, rng: np.random.Generator, n_replicates: int) -> _Epochs:
    sizes = np.array(cell.settings.get("epochs") or (cell.settings["n"],))
    shares = np.array(cell.settings.get("shares", (cell.settings.get("share", 0.5),)))
    if cell.kind != "fixed":
        steps = len(LOOKS) if cell.kind == "sequential" else DAYS
        sizes, shares = np.full(steps, sizes.sum() // steps), np.full(steps, shares[0])
    treated = rng.binomial(sizes, shares, size=(n_replicates, len(sizes)))
    planned = np.stack([sizes - treated, treated], axis=-1)
    lost = rng.binomial(treated, cell.settings.get("loss", 0.0))
    seen = planned - np.stack([np.zeros_like(lost), lost], axis=-1)
    return _Epochs([f"{i:02d}" for i in range(len(sizes))], planned, seen, shares)


def _conversion(cell: Cell, rng: np.random.Generator, epochs: _Epochs) -> Sample:
    """Buyers among visitors; lost visitors buy less often by ``contrast``, so the rest looks better."""
    rates = np.broadcast_to(np.array(cell.settings["rate"]), (len(epochs.names),))
    loss, contrast = cell.settings.get("loss", 0.0), cell.settings.get("contrast", 0.0)
    bias = (1 - loss * (1 - contrast)) / (1 - loss) if loss else 1.0
    factors = 1.0, (1 + cell.true_effect) * bias
    arms = []
    for arm, factor in enumerate(factors):
        n = epochs.counts[..., arm]
        successes = rng.binomial(n, rates * factor)
        arms.append(
            {
                name: Moments.of_share(n=n[:, i].astype(float), successes=successes[:, i].astype(float))
                for i, name in enumerate(epochs.names)
            }
        )
    return arms[0], arms[1]


def _spend(cell: Cell, rng: np.random.Generator, epochs: _Epochs) -> Sample:
    """Spend a visitor: few buy, and what they spend has a heavy tail; the effect scales it, or brings buyers."""
    by_buyers = cell.settings.get("effect_on") == "buyers"
    arms = []
    for arm in (0, 1):
        effect = 1 + cell.true_effect if arm else 1.0
        rate = cell.settings["rate"] * (effect if by_buyers else 1.0)
        sums: dict[Any, Moments] = {}
        for i, name in enumerate(epochs.names):
            n = epochs.counts[:, i, arm]
            buyers = rng.binomial(n, rate)
            spend = _amounts(cell.settings, rng, int(buyers.sum()), is_treated=bool(arm))
            y, yy, yyy = (sums_of(spend**power, buyers) for power in (1, 2, 3))
            moments = Moments.of_mean(n=n.astype(float), y=y, yy=yy, yyy=yyy)
            sums[name] = moments if by_buyers else moments.scaled(effect)
        arms.append(sums)
    return arms[0], arms[1]


def _amounts(settings: Mapping[str, Any], rng: np.random.Generator, n: int, *, is_treated: bool) -> np.ndarray:
    if "pareto" in settings:
        return 1 + rng.pareto(settings["pareto"], n)
    sigma = settings.get("treated_sigma", settings["sigma"]) if is_treated else settings["sigma"]
    return np.exp(rng.normal(0.0, 1.0, n) * sigma - sigma**2 / 2)


def _sessions(cell: Cell, rng: np.random.Generator, epochs: _Epochs) -> Sample:
    """Converting sessions over sessions; a visitor's sessions resemble each other (beta-binomial)."""
    return _from_table(
        cell, rng, epochs, lambda effect: _session_table(cell.settings["rate"] * (1 + effect), cell.settings["icc"])
    )


def _orders(cell: Cell, rng: np.random.Generator, epochs: _Epochs) -> Sample:
    """Orders a customer, with orders of the time before as covariate (a Poisson rate that differs by gamma)."""
    return _from_table(cell, rng, epochs, lambda effect: _order_table(cell.settings["dispersion"], 1 + effect))


def _from_table(cell: Cell, rng: np.random.Generator, epochs: _Epochs, table: Any) -> Sample:
    arms = []
    for arm in (0, 1):
        columns, probability = table(cell.true_effect if arm else 0.0)
        sums = {}
        for i, name in enumerate(epochs.names):
            n = epochs.counts[:, i, arm]
            counts = rng.multinomial(n, probability)
            y, d, x = columns
            sums[name] = Moments(
                n=n.astype(float),
                **{
                    letters: counts @ np.prod([{"y": y, "d": d, "x": x}[letter] for letter in letters], axis=0)
                    for letters in ("y", "d", "x", "yy", "dd", "xx", "yd", "yx", "dx", "yyy", "yyd", "ydd", "ddd")
                },
            )
        arms.append(sums)
    return arms[0], arms[1]


@cache
def _session_table(rate: float, icc: float) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    rows = [
        (
            y,
            k,
            0.0,
            stats.geom.pmf(k, 0.5) * stats.betabinom.pmf(y, k, rate * (1 / icc - 1), (1 - rate) * (1 / icc - 1)),
        )
        for k in range(1, 13)
        for y in range(k + 1)
    ]
    return _normalised(rows)


@cache
def _order_table(dispersion: float, effect: float) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    nodes = stats.gamma.ppf((np.arange(400) + 0.5) / 400, dispersion) / dispersion
    rows = [
        (y, 1.0, x, float(np.mean(stats.poisson.pmf(y, nodes * effect) * stats.poisson.pmf(x, 3 * nodes))))
        for y in range(30)
        for x in range(60)
    ]
    return _normalised(rows)


def _normalised(rows: Sequence[tuple[float, float, float, float]]) -> Any:
    y, d, x, probability = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    kept = probability > 1e-12
    probability = probability[kept] / probability[kept].sum()
    return (y[kept], d[kept], x[kept]), probability


_OUTCOMES = {"conversion": _conversion, "spend": _spend, "sessions": _sessions, "orders": _orders}


def _bound(cell: Cell) -> float:
    """The missingness bound of the design, from its planned sizes."""
    n = sum(cell.settings.get("epochs") or (cell.settings["n"],))
    share = cell.settings.get("share", 0.5)
    return missingness_bound(
        sample_ratio(
            pd.DataFrame(
                {
                    "arm": ["control", "treated"],
                    "n": [n * (1 - share), n * share],
                    "planned_share": [1 - share, share],
                }
            )
        )
    )


def _looked_at(cell: Cell, control: dict[Any, Moments], treated: dict[Any, Moments], bad: np.ndarray) -> Replicates:
    """Interval at the look where the claim is first decided; the oracle looks once, at the end."""
    levels = planned_looks(LOOKS).levels
    ends, so_far_c, so_far_t = [], None, None
    for look, name in enumerate(control):
        so_far_c = control[name] if so_far_c is None else so_far_c + control[name]
        so_far_t = treated[name] if so_far_t is None else so_far_t + treated[name]
        n = float(np.mean(so_far_c.n + so_far_t.n))
        level = (
            levels[look]
            if cell.kind == "sequential"
            else nominal_level(anytime_critical(n, tuned_at=cell.settings["n"]))
        )
        ends.append(interval_of({"all": so_far_c}, {"all": so_far_t}, level=level))
    value, lower, upper = (np.stack(parts, axis=-1) for parts in zip(*ends, strict=True))
    bound = _bound(cell)
    at = until_decided(lower - bound, upper + bound, promise=cell.promise, m=cell.m)
    rows = np.arange(len(at))
    low, high = lower[rows, at], upper[rows, at]
    return Replicates(
        value=value[rows, at],
        lower=low - bound,
        upper=high + bound,
        is_invalid=bad,
        statistical=(low, high),
        oracle=(value[:, -1], np.full(len(at), np.std(np.log1p(value[:, -1])))),
    )


_BOTH = ("0", "promise")
_SPEND = {"outcome": "spend", "rate": 0.04, "sigma": 1.2}
CELLS: tuple[Cell, ...] = tuple(
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
