"""Elasticity of counts: Poisson pseudo-likelihood with unit and period effects, zeros included.

A count of zero has no logarithm, and leaving it out flattens the slope; the Poisson likelihood needs only that the mean
is right, and the error comes from leaving out one unit at a time. Whether the driver followed the counts is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from opslib.errors import DesignError, ParameterError
from opslib.stats.estimates import Estimate
from opslib.stats.log_response import FOLLOWED_LEVEL, MIN_CHANGES, MIN_CLUSTERS, slope_estimate, slope_p_value
from opslib.stats.named_columns import panel_frame

LEAST_MOVE = 0.01
"""Relative change of the driver from which it counts as a move."""
MIN_PERIODS = 13
"""Fewest periods with a count."""
HORIZON = 4
"""Periods over which common moves of the driver are held against those of the counts."""
MIN_COUNT, MIN_OWN_MOVES = 20, 2
"""Least total and fewest moves of a unit that gets a slope of its own."""
_BLOCK, _STEPS, _NEAR, _FAR = 128, 60, 1e-9, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CountResponse:
    """Slope of log expected count on log driver.

    Attributes
    ----------
    slopes : dict of str to Estimate
        Of every driver: change of the expected count in % for 1 % more; ``n`` counts units.
    units : pandas.DataFrame
        unit, n_periods, n_moves, total, slope, std_error (both of the unit alone, missing where it moved or counts too
        little).
    n_moves : int
        Moves of the first driver by 1 % or more, over all units.
    common : Estimate
        Change of the period effects in % when the units' driver moves by 1 % on average; with a driver that did not
        follow the counts it is zero.
    ahead : Estimate
        Answer of a count to the driver's move one period later: zero unless the driver follows the counts.
    followed_p : float
        Smaller p-value of the two, doubled.
    """

    slopes: dict[str, Estimate]
    units: pd.DataFrame
    n_moves: int
    common: Estimate
    ahead: Estimate
    followed_p: float

    @property
    def has_followed(self) -> bool:
        """Whether the driver followed the counts, at 5 %."""
        return self.followed_p < FOLLOWED_LEVEL


@dataclass(frozen=True)
class _Grid:
    """Counts, exposure (0: not there) and log drivers, by unit and period."""

    counts: np.ndarray
    exposure: np.ndarray
    drivers: np.ndarray  # drivers x units x periods

    def without_empty(self) -> _Grid:
        """Units and periods without a count say nothing about a slope."""
        rows, columns = self.counts.sum(axis=1) > 0, self.counts.sum(axis=0) > 0
        return _Grid(
            self.counts[rows][:, columns], self.exposure[rows][:, columns], self.drivers[:, rows][:, :, columns]
        )


@dataclass(frozen=True)
class _Fit:
    slopes: np.ndarray
    covariance: np.ndarray
    periods: np.ndarray
    expected: np.ndarray
    information: np.ndarray
    grid: _Grid

    @property
    def freedom(self) -> float:
        """Effective number of units, less one: those that move much and count much carry a slope."""
        return float(self.information.sum() ** 2 / max((self.information**2).sum(), _NEAR)) - 1

    def estimate(self, driver: int, *, confidence_level: float) -> Estimate:
        """Slope on one of the drivers."""
        error = float(self.covariance[driver, driver]) ** 0.5
        method = "Poisson pseudo-likelihood with unit and period effects, jackknife by unit"
        return slope_estimate(
            float(self.slopes[driver]),
            error,
            df=self.freedom,
            n=len(self.information),
            confidence_level=confidence_level,
            method=method,
        )


def count_response(
    panel: object, *, drivers: Sequence[str] = ("driver",), confidence_level: float = 0.95
) -> CountResponse:
    """Response of counts to a driver, units' levels and common periods taken out, periods without a count kept.

    Parameters
    ----------
    panel : Table or DataFrame
        One row a unit and period that the unit was there: ``unit``, ``period`` (date or number), ``outcome`` (count, 0
        or more), the drivers (> 0), and ``exposure`` (> 0; 1 unless given).
    drivers : sequence of str
        Columns; the first one's answer is asked for unit by unit and tested for having followed the counts.
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    CountResponse
        Error by leaving out one unit at a time; t with the effective number of units less one, since a few units that
        move much and sell much can carry the slope.

    Raises
    ------
    DesignError
        gate "variation": fewer than six moves, or thirteen periods; gate "clusters": fewer than six units that move.
    ParameterError
        A column is missing, a driver is not positive, a count negative, or a unit has two rows for a period.

    Source: Poisson pseudo-likelihood, Santos Silva, Tenreyro (2006), REStat 88; cluster jackknife, MacKinnon, Nielsen,
    Webb (2023), JoE 232 (one Newton step a unit); effective clusters, Carter, Schnepel, Steigerwald (2017), REStat 99;
    leads as a test of strict exogeneity, Wooldridge (2010), Econometric Analysis, ch. 10;
    error of the common move, Lazarus, Lewis, Stock, Watson (2018), JBES 36.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> table = pd.DataFrame([(u, t) for u in range(20) for t in range(30)], columns=["unit", "period"])
    >>> table["driver"] = np.exp(rng.normal(0, 0.2, 600))
    >>> table["outcome"] = rng.poisson(2 * table["driver"] ** -2.0)
    >>> found = count_response(table)
    >>> bool(found.slopes["driver"].lower < -2 < found.slopes["driver"].upper), found.has_followed
    (True, False)
    """
    labels, grid = _grid(panel, drivers)
    moves = _moves(grid)
    _require_variation(moves, grid)
    fit = _fitted(grid)
    common, common_p = _common(fit, confidence_level=confidence_level)
    ahead, ahead_p = _ahead(grid, confidence_level=confidence_level)
    return CountResponse(
        slopes={name: fit.estimate(k, confidence_level=confidence_level) for k, name in enumerate(drivers)},
        units=_units(fit, grid, moves, labels),
        n_moves=int(moves.sum()),
        common=common,
        ahead=ahead,
        followed_p=min(1.0, 2 * min(common_p, ahead_p)),
    )


def _grid(panel: object, drivers: Sequence[str]) -> tuple[np.ndarray, _Grid]:
    optional = ("exposure",) if "exposure" in getattr(panel, "columns", ()) else ()
    frame = panel_frame(panel, columns=("outcome", *drivers, *optional))
    for name, n_wrong in (~(frame[[*drivers, *optional]] > 0)).sum().items():
        if n_wrong:
            raise ParameterError(f"panel: {name} has {n_wrong} values that are not positive")
    if not (frame["outcome"] >= 0).all():
        raise ParameterError(f"panel: outcome has {(~(frame['outcome'] >= 0)).sum()} values that are no count")
    exposure = frame["exposure"].to_numpy(float) if optional else np.ones(len(frame))
    unit, labels = pd.factorize(frame["unit"], sort=True)
    period, periods = pd.factorize(frame["period"], sort=True)
    shape = (len(labels), len(periods))

    def placed(values: np.ndarray) -> np.ndarray:
        out = np.zeros(shape)
        out[unit, period] = values
        return out

    logs = np.array([placed(np.log(frame[name].to_numpy(float))) for name in drivers])
    return np.asarray(labels), _Grid(placed(frame["outcome"].to_numpy(float)), placed(exposure), logs)


def _moves(grid: _Grid) -> np.ndarray:
    """Moves of the first driver of each unit and period, against the last period that the unit was there."""
    there = grid.exposure > 0
    at = np.maximum.accumulate(np.where(there, np.arange(there.shape[1]), -1), axis=1)
    before = np.concatenate([np.full((len(at), 1), -1), at[:, :-1]], axis=1)
    last = np.take_along_axis(grid.drivers[0], np.maximum(before, 0), axis=1)
    return there & (before >= 0) & (np.abs(grid.drivers[0] - last) >= np.log1p(LEAST_MOVE))


def _require_variation(moves: np.ndarray, grid: _Grid) -> None:
    has_count = grid.counts.sum(axis=1) > 0
    n_moves, n_moving = int(moves[has_count].sum()), int((moves.any(axis=1) & has_count).sum())
    n_periods = int((grid.counts.sum(axis=0) > 0).sum())
    if n_periods < MIN_PERIODS:
        raise DesignError("variation", f"{n_periods} periods with a count; needed: {MIN_PERIODS}; take a longer period")
    if n_moves < MIN_CHANGES:
        raise DesignError(
            "variation",
            f"the driver moves {n_moves} times by {LEAST_MOVE:.0%} or more; needed: {MIN_CHANGES}; "
            "take more units or a longer period, or move it on purpose in a test",
        )
    if n_moving < MIN_CLUSTERS:
        raise DesignError("clusters", f"{n_moving} units move and count; needed: {MIN_CLUSTERS}; take more units")


def _fitted(grid: _Grid) -> _Fit:
    """Newton steps on period effects and slopes; a unit's level follows from its total at every step."""
    grid = grid.without_empty()
    if not len(grid.counts):
        raise DesignError("variation", "no unit is there in two periods in a row; take longer periods")
    n_periods, n_drivers = grid.counts.shape[1], len(grid.drivers)
    weight = grid.exposure / grid.exposure.sum(axis=1, keepdims=True)
    around = (grid.drivers * weight).sum(axis=2, keepdims=True)
    centred = np.where(grid.exposure > 0, grid.drivers - around, 0.0)
    theta = np.concatenate([np.log(grid.counts.sum(axis=0) / grid.exposure.sum(axis=0)), np.zeros(n_drivers)])
    total = grid.counts.sum(axis=1)
    likelihood, step, tries = -np.inf, np.zeros_like(theta), 0
    for _ in range(_STEPS):
        raw = grid.exposure * np.exp(theta[:n_periods] + np.tensordot(theta[n_periods:], centred, 1))
        expected = raw * (total / raw.sum(axis=1))[:, None]
        now = float((grid.counts * np.log(np.where(grid.counts > 0, expected, 1.0))).sum())
        if now < likelihood - _NEAR * abs(likelihood) and tries < 20:  # too far: half the step
            tries, step = tries + 1, step / 2
            theta = theta - step
            continue
        likelihood, tries = now, 0
        scores, hessian = _scores(grid.counts, expected, centred), _curvature(expected, centred)
        step = np.zeros_like(theta)
        step[1:] = np.clip(np.linalg.solve(_firm(hessian)[1:, 1:], scores.sum(axis=0)[1:]), -_FAR, _FAR)
        theta = theta + step
        if np.abs(step).max() < _NEAR:
            break
    else:
        raise DesignError(
            "variation", "the driver moved only where nothing was counted, so no slope is best; take more units"
        )
    spread = centred[0] - (expected * centred[0]).sum(axis=1, keepdims=True) / total[:, None]
    return _Fit(
        slopes=theta[n_periods:],
        covariance=_jackknife(scores, hessian, expected, centred),
        periods=theta[:n_periods],
        expected=expected,
        information=(expected * spread**2).sum(axis=1),
        grid=grid,
    )


def _scores(counts: np.ndarray, expected: np.ndarray, drivers: np.ndarray) -> np.ndarray:
    """Score of each unit: period effects, then slopes."""
    rest = counts - expected
    return np.concatenate([rest, np.einsum("ut,kut->uk", rest, drivers)], axis=1)


def _curvature(expected: np.ndarray, drivers: np.ndarray, *, by_unit: bool = False) -> np.ndarray:
    """Information about period effects and slopes, levels taken out: of all units together, or of each."""
    share = expected / expected.sum(axis=1, keepdims=True)
    spread = drivers - np.einsum("ut,kut->ku", share, drivers)[:, :, None]
    weighted = expected * spread
    if by_unit:
        periods = -expected[:, :, None] * share[:, None, :]
        at = np.arange(expected.shape[1])
        periods[:, at, at] += expected
        mixed, own = weighted.transpose(1, 2, 0), np.einsum("kut,lut->ukl", weighted, spread)
    else:
        periods = np.diag(expected.sum(axis=0)) - expected.T @ share
        mixed, own = weighted.sum(axis=1).T, np.einsum("kut,lut->kl", weighted, spread)
    upper, lower = [periods, mixed], [mixed.swapaxes(-1, -2), own]
    return np.concatenate([np.concatenate(upper, axis=-1), np.concatenate(lower, axis=-1)], axis=-2)


def _firm(hessian: np.ndarray) -> np.ndarray:
    """With a trace on the diagonal: a period that only one unit has loses its effect with it."""
    return hessian + _NEAR * np.diag(np.diag(hessian) + 1.0)


def _jackknife(scores: np.ndarray, hessian: np.ndarray, expected: np.ndarray, drivers: np.ndarray) -> np.ndarray:
    """Covariance of the slopes over samples without one unit, each one Newton step from the whole."""
    n_units, n_drivers = len(scores), len(drivers)
    moved = []
    for first in range(0, n_units, _BLOCK):
        block = slice(first, first + _BLOCK)
        rest = _firm(hessian) - _curvature(expected[block], drivers[:, block], by_unit=True)
        moved.append(np.linalg.solve(rest[:, 1:, 1:], -scores[block, 1:, None])[:, -n_drivers:, 0])
    change = np.concatenate(moved)
    return (n_units - 1) / n_units * change.T @ change


def _units(fit: _Fit, grid: _Grid, moves: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Slope of every unit alone, given the period effects of all; its error widened as counts scatter within units."""
    total, there = grid.counts.sum(axis=1), grid.exposure > 0
    rows, columns = total > 0, grid.counts.sum(axis=0) > 0
    slopes, errors = _own_slopes(fit, moves[rows][:, columns])
    frame = pd.DataFrame({
        "unit": labels, "n_periods": there.sum(axis=1), "n_moves": moves.sum(axis=1), "total": total,
        "slope": np.nan, "std_error": np.nan,
    })  # fmt: skip
    frame.loc[rows, "slope"], frame.loc[rows, "std_error"] = slopes, errors
    is_little = (frame["total"] < MIN_COUNT) | (frame["n_moves"] < MIN_OWN_MOVES)
    frame.loc[is_little, ["slope", "std_error"]] = np.nan
    return frame


def _own_slopes(fit: _Fit, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grid, slope = fit.grid, np.full(len(fit.expected), fit.slopes[0])
    driver, total = grid.drivers[0], grid.counts.sum(axis=1, keepdims=True)
    offset = np.where(grid.exposure > 0, np.log(np.where(fit.expected > 0, fit.expected, 1.0)), -np.inf)
    for _ in range(_STEPS):
        raw = np.exp(offset + (slope - fit.slopes[0])[:, None] * (driver - driver.max(axis=1, keepdims=True)))
        expected = raw * total / raw.sum(axis=1, keepdims=True)
        spread = driver - (expected * driver).sum(axis=1, keepdims=True) / total
        rest, information = grid.counts - expected, (expected * spread**2).sum(axis=1)
        step = (rest * spread).sum(axis=1) / np.maximum(information, _NEAR)
        slope = slope + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-6:
            break
    # Scores are summed over stretches of a constant driver: counts near in time scatter together.
    stretch = np.cumsum(moves, axis=1)
    n_stretches = stretch[:, -1] + 1
    key = np.arange(len(stretch))[:, None] * (stretch.max() + 1) + stretch
    sums = np.bincount(key.ravel(), (rest * spread).ravel())
    free = np.maximum(n_stretches - 2, 1) / n_stretches
    meat = np.bincount(np.arange(len(sums)) // (stretch.max() + 1), sums**2, minlength=len(stretch)) / free
    uses = (n_stretches > 2) & (total[:, 0] >= MIN_COUNT)
    scatter = max(1.0, meat[uses].sum() / information[uses].sum()) if uses.any() else 1.0
    with np.errstate(divide="ignore"):
        return slope, np.where(information > _NEAR, np.sqrt(scatter / information), np.nan)


def _common(fit: _Fit, *, confidence_level: float) -> tuple[Estimate, float]:
    """Whether period effects moved when the driver moved in common: changes over four periods, errors alike in time."""
    grid = fit.grid
    both = (grid.exposure[:, 1:] > 0) & (grid.exposure[:, :-1] > 0)
    weight = grid.counts.sum(axis=1)[:, None] * both
    moved = (np.diff(grid.drivers[0], axis=1) * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), _NEAR)
    at = np.concatenate([[0.0], np.cumsum(moved)])
    slope, error, freedom = _slope_in_time(at[HORIZON:] - at[:-HORIZON], fit.periods[HORIZON:] - fit.periods[:-HORIZON])
    method = "regression of changes over four periods, equal-weighted cosine error"
    found = slope_estimate(slope, error, df=freedom, n=len(at), confidence_level=confidence_level, method=method)
    return found, slope_p_value(found, df=freedom)


def _slope_in_time(x: np.ndarray, y: np.ndarray) -> tuple[float, float, int]:
    """Least-squares slope of two series and its error by the long waves of the scores, with their number."""
    x, y = x - x.mean(), y - y.mean()
    square, n = float(x @ x), len(x)
    n_waves = max(4, round(0.65 * n ** (2 / 3)))
    if square < _NEAR:
        return 0.0, float("inf"), n_waves
    slope = float(x @ y) / square
    scores = x * (y - slope * x) / np.maximum(1 - 1 / n - x**2 / square, 0.1)
    waves = np.cos(np.pi * np.arange(1, n_waves + 1)[:, None] * (np.arange(n) + 0.5) / n) @ scores
    return slope, float(np.sqrt(2 * (waves**2).mean())) / square, n_waves


def _ahead(grid: _Grid, *, confidence_level: float) -> tuple[Estimate, float]:
    """Elasticity of counts to the first driver one period ahead, its present value and the others held fixed (reverse causality)."""
    ready = (grid.exposure[:, 1:] > 0) & (grid.exposure[:, :-1] > 0)
    move = np.where(ready, np.diff(grid.drivers[0], axis=1), 0.0)
    drivers = np.concatenate([move[None], grid.drivers[:, :, :-1]])
    fit = _fitted(_Grid(grid.counts[:, :-1] * ready, grid.exposure[:, :-1] * ready, drivers))
    found = fit.estimate(0, confidence_level=confidence_level)
    return found, slope_p_value(found, df=fit.freedom)
