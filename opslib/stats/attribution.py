"""Credit for an outcome, shared out over the touches of the paths that led to it: rules, Markov chains, Shapley values.

Every model gives each outcome away once: a model's credits add up to the outcomes. None of them knows what would have
happened without a touch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import spsolve

from opslib.errors import ParameterError

ORDERS = (1, 2, 3)
#: Share of the first and of the last touch under `position`; the touches between share the rest.
ENDS_SHARE = 0.4


def attributed(
    paths: Sequence[Sequence[str]],
    *,
    amounts: Sequence[float],
    n_reached: Sequence[float],
    n_lost: Sequence[float],
    decay: np.ndarray | None = None,
    orders: Sequence[int] = ORDERS,
) -> pd.DataFrame:
    """Credit of each touch under every model, side by side.

    Parameters
    ----------
    paths : sequence of sequence of str, n_paths
        Distinct paths, first touch first; at least one touch each.
    amounts : sequence of float, n_paths
        What the paths brought in all (outcomes, money); what is shared out.
    n_reached, n_lost : sequence of float, n_paths
        How many of the path's journeys ended with the outcome, and how many without it.
    decay : ndarray, n_paths x longest path, or None
        Weights of the touches by their age, of which only the proportions within a path count; halved with every touch
        further from the end unless given.
    orders : sequence of int
        Memory of the Markov chains, in touches.

    Returns
    -------
    DataFrame
        One row a touch, by name: touch, last, first, linear, position, time_decay, markov_1, ... (one an order), shapley, in
        the unit of ``amounts``; each model adds up to their sum.

    Raises
    ------
    ParameterError
        A path without touch, lists of different lengths, an amount without a journey that reached, or an order below 1.

    Notes
    -----
    Position: 40 % each to the first and the last touch, the rest equally between. Markov: removal effects of the chain of
    the last k touches (Anderl, Becker, von Wangenheim, Schumann 2016), the outcome shared out in proportion. Shapley: of the
    game in which a set of touches earns what the paths made of these touches alone brought (Zhao, Mahboobi, Bagheri 2018),
    where it is each path's amount in equal parts over its different touches.

    Examples
    --------
    >>> found = attributed([["a", "b", "c"], ["a"], ["b", "c"]], amounts=[1, 0, 0], n_reached=[1, 0, 0], n_lost=[0, 1, 1])
    >>> found.set_index("touch")["markov_1"].round(9).tolist()
    [0.2, 0.4, 0.4]
    >>> found.set_index("touch").loc["a", ["last", "first", "position"]].tolist()
    [0.0, 1.0, 0.4]
    """
    _require(paths, amounts, n_reached, n_lost, orders)
    names = sorted({touch for path in paths for touch in path})
    place = {name: n for n, name in enumerate(names)}
    longest = max((len(path) for path in paths), default=0)
    codes = np.full((len(paths), longest), -1)
    for row, path in enumerate(paths):
        codes[row, : len(path)] = [place[touch] for touch in path]
    amount, reached, lost = (np.asarray(values, dtype="float64") for values in (amounts, n_reached, n_lost))
    lengths = (codes >= 0).sum(axis=1)
    steps = np.arange(longest)
    to_end = lengths[:, None] - 1 - steps
    weights = {
        "last": (to_end == 0) * 1.0,
        "first": np.broadcast_to((steps == 0) * 1.0, codes.shape),
        "linear": np.ones(codes.shape),
        "position": _position(lengths, steps),
        "time_decay": 0.5 ** np.maximum(to_end, 0) if decay is None else np.asarray(decay, dtype="float64"),
    }
    found = {name: _shared(codes, weight, amount, len(names)) for name, weight in weights.items()}
    found |= {f"markov_{order}": _markov(codes, lengths, amount, reached, lost, len(names), order) for order in orders}
    return pd.DataFrame({"touch": names, **found, "shapley": _shared(codes, _firsts(codes), amount, len(names))})


def _require(paths: Sequence[Sequence[str]], *lists: Sequence[float]) -> None:
    *numbers, orders = lists
    for name, values in zip(("amounts", "n_reached", "n_lost"), numbers, strict=True):
        if len(values) != len(paths):
            raise ParameterError(f"{name}: {len(values)} numbers for {len(paths)} paths; give one a path")
    if any(len(path) == 0 for path in paths):
        raise ParameterError("paths: a path has no touch; leave out what came without any")
    if any(amount and not reached for amount, reached in zip(numbers[0], numbers[1], strict=True)):
        raise ParameterError("n_reached: a path with an amount has no journey that reached the outcome")
    if any(order < 1 for order in orders):
        raise ParameterError(f"orders: {tuple(orders)}; a chain remembers one touch or more")


def _shared(codes: np.ndarray, weights: np.ndarray, amounts: np.ndarray, n: int) -> np.ndarray:
    """Each path's amount over its touches in proportion to their weights."""
    weights = np.where(codes >= 0, weights, 0.0)
    parts = amounts[:, None] * weights / np.where(total := weights.sum(axis=1, keepdims=True), total, 1.0)
    return np.bincount(codes[codes >= 0], weights=parts[codes >= 0], minlength=n)


def _position(lengths: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """40 % to each end; all of it to one touch, halves to two."""
    is_end = (steps == 0) | (steps == lengths[:, None] - 1)
    between = (1.0 - 2.0 * ENDS_SHARE) / np.maximum(lengths[:, None] - 2, 1)
    return np.where(is_end, ENDS_SHARE, between)


def _firsts(codes: np.ndarray) -> np.ndarray:
    """One for the first time that a path meets a touch."""
    earlier = [(codes[:, :n] == codes[:, [n]]).any(axis=1) for n in range(codes.shape[1])]
    return 1.0 - np.array(earlier, dtype="float64").T.reshape(codes.shape)


def _markov(
    codes: np.ndarray,
    lengths: np.ndarray,
    amounts: np.ndarray,
    reached: np.ndarray,
    lost: np.ndarray,
    n: int,
    order: int,
) -> np.ndarray:
    """The sum of the amounts in proportion to what the chain brings less once a touch leads nowhere."""
    total = amounts.sum()
    if not total:
        return np.zeros(n)
    states = np.zeros(codes.shape, dtype="int64")  # the last touches as digits, the latest first
    for back in range(min(order, codes.shape[1])):
        states[:, back:] += (codes[:, : codes.shape[1] - back] + 1) * (n + 1) ** back
    journeys, is_touch = reached + lost, codes >= 0
    known, number = np.unique(states[is_touch], return_inverse=True)
    rows = np.full(codes.shape, -1)
    rows[is_touch] = number
    flow = np.broadcast_to(journeys[:, None], codes.shape)
    inner = is_touch[:, 1:]
    moves = sparse.coo_array(
        (flow[:, 1:][inner], (rows[:, :-1][inner], rows[:, 1:][inner])), shape=(known.size, known.size)
    ).tocsr()
    leaving = np.bincount(number, weights=flow[is_touch], minlength=known.size)
    ends = rows[np.arange(len(codes)), lengths - 1]
    earned = np.bincount(ends, weights=amounts, minlength=known.size) / np.maximum(leaving, 1e-300)
    begins = np.bincount(rows[:, 0], weights=journeys, minlength=known.size)
    moves = sparse.diags_array(1.0 / np.maximum(leaving, 1e-300)) @ moves
    latest = known % (n + 1) - 1
    brings = _solver(moves, begins, earned)
    effects = np.array([1.0 - brings(latest != touch) / total for touch in range(n)])
    return total * effects / effects.sum()


def _solver(moves: sparse.sparray, begins: np.ndarray, earned: np.ndarray) -> Callable[[np.ndarray], float]:
    """What the chain earns when only some of its states are there; what moves to the others is lost."""

    def brings(there: np.ndarray) -> float:
        if not there.any():
            return 0.0
        kept = moves.tocsr()[there][:, there]
        worth = spsolve(sparse.csc_array(sparse.eye_array(int(there.sum())) - kept), earned[there])
        return float(begins[there] @ np.atleast_1d(worth))

    return brings
