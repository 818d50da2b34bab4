"""Regression to the mean: a gate for units that were chosen because they had just done badly."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy import stats

from opslib import engine
from opslib.metrics import UNITS, Metric, unit_values
from opslib.periods import Period
from opslib.proposals.designs.design import Context, Plan
from opslib.proposals.results import Gate, GateName
from opslib.proposals.scope import where_of

#: Fewest units on either side for which ranks can tell anything.
LEAST_UNITS = 3
#: One-sided levels: chosen among the worst of the last days, and worse than their own past by more than the others.
WORST_LEVEL, FALLEN_LEVEL = 0.01, 0.05
MAX_UNITS = 200_000
SHOWN = 6
NAME: GateName = "selection of the worst"


def selection_gate(
    plan: Plan, context: Context, *, changed_on: date, n_days: int, history_days: int
) -> tuple[Gate, ...]:
    """Whether the units that a claim's scope names were the worst just before the change.

    Parameters
    ----------
    plan : Plan
        Its scope may name units with ``in`` (products, stores, ...).
    context : Context
    changed_on : date
        First day under the change.
    n_days, history_days : int
        Days just before the change, and all days of history, the last ``n_days`` among them.

    Returns
    -------
    tuple of Gate
        Failed where they were chosen for their bad days; empty where no units are named.
    """
    chosen = next((item for item in plan.claim.scope if item.op == "in" and _unit_of(item.name)), None)
    if chosen is None or not isinstance(plan.metric, Metric):
        return ()
    unit = _unit_of(chosen.name)
    others = where_of(tuple(item for item in plan.claim.scope if item is not chosen))
    last = Period(changed_on - timedelta(days=n_days), changed_on - timedelta(days=1))
    before = Period(changed_on - timedelta(days=history_days), last.start - timedelta(days=1))
    if before.end <= before.start:
        return ()
    values = pd.DataFrame({
        name: _per_day(plan.metric, engine.collect(
            unit_values(context.tables, [plan.metric], unit=unit, period=period, where=others).order_by("unit_id"),
            max_rows=MAX_UNITS), period)
        for name, period in (("last", last), ("earlier", before))
    })  # fmt: skip
    if plan.metric.is_total:
        values = values.fillna(0.0)
    return worst_gate(
        values,
        {str(value) for value in chosen.values},
        is_down=plan.direction == "down",
        label=f"{unit}s",
        seed=plan.key,
    )


def worst_gate(
    values: pd.DataFrame, chosen: Collection[str], *, is_down: bool, label: str, seed: str
) -> tuple[Gate, ...]:
    """Ranks of chosen units just before a change, and against their own past.

    Parameters
    ----------
    values : DataFrame
        One row a unit (index): ``last`` (just before the change) and ``earlier``, in one unit.
    chosen : collection of str
        Units that were changed.
    is_down : bool
        Whether small is good.
    label : str
        Word for the units.
    seed : str
        Draws the half that is proposed to be held back.

    Returns
    -------
    tuple of Gate
        Empty with fewer than three units on a side.

    Source: regression to the mean; ranks: Mann and Whitney (1947), Ann. Math. Stat. 18.

    Examples
    --------
    >>> rows = pd.DataFrame({"last": [1.0, 2, 3, *range(20, 40)], "earlier": 30.0}, index=[f"p{i}" for i in range(23)])
    >>> worst_gate(rows, {"p0", "p1", "p2"}, is_down=False, label="products", seed="c")[0].status
    'failed'
    """
    rows = values.dropna()
    rows = -rows if is_down else rows
    inside = rows.index.astype(str).isin(list(chosen))
    n, rest = int(inside.sum()), int((~inside).sum())
    if min(n, rest) < LEAST_UNITS:
        return ()
    fallen = rows["last"] - rows["earlier"]
    if _p_below(rows["last"], inside) >= WORST_LEVEL or _p_below(fallen, inside) >= FALLEN_LEVEL:
        return (Gate(NAME, "passed", f"the {n} {label} changed were not the worst of {n + rest} just before"),)
    half = held_back(chosen, seed=seed)
    names = ", ".join(half[:SHOWN]) + (", ..." if len(half) > SHOWN else "")
    sentence = (
        f"the {n} {label} changed are among the worst of {n + rest} in the days just before, and worse than their own past: "
        f"such units recover by themselves. Hold half of them back at random (drawn: {names}) and compare the halves"
    )
    return (Gate(NAME, "failed", sentence),)


def held_back(units: Collection[str], *, seed: str) -> tuple[str, ...]:
    """Half of some units, drawn by a hash so that everybody draws the same.

    Examples
    --------
    >>> len(held_back(["a", "b", "c", "d"], seed="x")), held_back([], seed="x")
    (2, ())
    """
    drawn = sorted(units, key=lambda unit: hashlib.sha256(f"{seed}/{unit}".encode()).hexdigest())
    return tuple(sorted(drawn[: len(drawn) // 2]))


def _p_below(values: pd.Series, inside: np.ndarray) -> float:
    """One-sided p that the marked values are not below the others."""
    return float(stats.mannwhitneyu(values[inside], values[~inside], alternative="less").pvalue)


def _unit_of(column: str) -> str:
    """Unit of which a column holds the ids; empty where it names groups of people or nothing."""
    known = (
        unit for unit in ("product", "store", "country", "category", "brand", "supplier") if UNITS[unit][-1] == column
    )
    return next(known, "")


def _per_day(metric: Metric, frame: pd.DataFrame, period: Period) -> pd.Series:
    below = float(period.n_days) if metric.is_total else frame[f"{metric.name}_denominator"].where(lambda d: d > 0)
    return pd.Series((frame[f"{metric.name}_numerator"] / below).to_numpy(), index=frame["unit_id"].astype(str))
