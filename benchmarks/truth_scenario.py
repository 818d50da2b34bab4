"""What a scenario of the truth bench is, and what comes back from simulating it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from opslib.errors import DesignError, ParameterError
from opslib.stats.estimates import Estimate

#: True effects, as multiples of the promise.
EFFECTS: Mapping[str, float] = {"-promise": -1.0, "0": 0.0, "half": 0.5, "promise": 1.0, "twice": 2.0}
PROMISE = 0.05
#: Share of an oracle's power that the protocol asks for.
POWER_FLOOR = 0.8

Rule = Literal["claim", "level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario: a design, a nuisance, a true effect.

    Parameters
    ----------
    design : str
        Design of the claim (experiment, cluster_experiment, level, trend, before_after, rollout).
    nuisance : str
        Name of the scenario within the design; names with one ``pair`` share their random draws.
    effect : str
        One of `EFFECTS`.
    settings : mapping
        What the family's generator needs.
    pair : str
        Seed group; empty means the nuisance itself.
    promise, smallest_worthwhile : float
        Promised effect and smallest change worth having (relative).
    rule : {"claim", "level"}
        Which verdict rule applies.
    kind : {"fixed", "sequential", "anytime"}
        Which targets apply: upper limit of coverage for fixed samples only, none for anytime designs.
    power_floor : float
        Share of the oracle's power that is asked for where the oracle's is at least 30 %.
    floor_reason : str
        Why less than `POWER_FLOOR` is asked for; needed where it is, and shown with the results.
    is_valid : bool
        Whether nothing is wrong, so that hardly anything may be called invalid.
    """

    design: str
    nuisance: str
    effect: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    pair: str = ""
    promise: float = PROMISE
    smallest_worthwhile: float = 0.0
    rule: Rule = "claim"
    kind: Literal["fixed", "sequential", "anytime"] = "fixed"
    power_floor: float = POWER_FLOOR
    floor_reason: str = ""
    is_valid: bool = True

    def __post_init__(self) -> None:
        if self.power_floor < POWER_FLOOR and not self.floor_reason:
            raise ParameterError(
                f"cell '{self.nuisance}': a power floor of {self.power_floor} below {POWER_FLOOR} needs a floor_reason"
            )

    @property
    def true_effect(self) -> float:
        """True effect (relative)."""
        return EFFECTS[self.effect] * self.promise

    def generator(self, seed: int) -> np.random.Generator:
        """Random numbers of this cell: the same for all effects and for all nuisances of one pair."""
        return np.random.default_rng([seed, zlib.crc32(f"{self.design}/{self.pair or self.nuisance}".encode())])


@dataclass(frozen=True, slots=True)
class Replicates:
    """Results of many simulated runs of one cell (arrays of shape (n_replicates,)).

    Parameters
    ----------
    value, lower, upper : array
        Estimate and the interval that the verdict is read from, in the unit of the promise.
    is_invalid : array of bool, or False
        A gate fired; False where there is none that could.
    statistical : (lower, upper) or None
        The interval before any widening for what the data cannot tell; None where it is the same.
    oracle : (value, std_error) or None
        What an oracle that knows the variance would use; None = the same values with their true spread.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    is_invalid: np.ndarray | bool = False
    statistical: tuple[np.ndarray, np.ndarray] | None = None
    oracle: tuple[np.ndarray, np.ndarray] | None = None


Family = Callable[[Scenario, np.random.Generator, int], Replicates]
"""Simulates so many runs of a cell and analyses them with the product's own functions."""


def over_effects(effects: tuple[str, ...] = tuple(EFFECTS), **of_cell: Any) -> tuple[Scenario, ...]:
    """The same scenario at several true effects."""
    return tuple(Scenario(effect=effect, **of_cell) for effect in effects)


def analysed(
    tables: Iterable[pd.DataFrame], analyse: Callable[[pd.DataFrame], tuple[Estimate, bool]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Value, ends and whether a gate fired (the second of ``analyse``), run by run; a refused run says nothing."""
    rows: list[tuple[float, float, float, bool]] = []
    for table in tables:
        try:
            found, is_flagged = analyse(table)
            rows.append((found.value, found.lower, found.upper, is_flagged))
        except DesignError:
            rows.append((0.0, -np.inf, np.inf, True))
    value, lower, upper, flags = np.array(rows).T
    return value, lower, upper, flags.astype(bool)


def panel_of(**columns: np.ndarray) -> pd.DataFrame:
    """One row a unit and period of matrices of units by periods (or what fits them)."""
    matrices = np.broadcast_arrays(*columns.values())
    unit, period = np.indices(matrices[0].shape).reshape(2, -1)
    values = {name: matrix.ravel() for name, matrix in zip(columns, matrices, strict=True)}
    return pd.DataFrame({"unit": unit, "period": period, **values})


def until_decided(lower: np.ndarray, upper: np.ndarray, *, promise: float, smallest_worthwhile: float) -> np.ndarray:
    """Look (index on the last axis) at which a claim with repeated intervals is first decided, else the last."""
    decided = (lower > smallest_worthwhile) | (upper < promise)
    last = decided.shape[-1] - 1
    return np.where(decided.any(axis=-1), decided.argmax(axis=-1), last)


def sums_of(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Sums of consecutive groups of the given sizes (empty groups give 0)."""
    running = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.cumsum(sizes)
    return running[ends] - running[ends - sizes]
