"""Exact additive decomposition of a change: of a product of factors (LMDI, Shapley), and of a rate into mix and rates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from opslib.errors import ParameterError


def lmdi_effects(before: Sequence[float], after: Sequence[float]) -> np.ndarray:
    """Share the change of a product of factors out among them: logarithmic mean Divisia index, additive form.

    Parameters
    ----------
    before, after : sequence of float
        The factors in either period, none negative; their product is the total. Missing where not defined.

    Returns
    -------
    array of float
        Effects, in the unit of the total; they sum to its change and change sign when time is reversed. Where a total
        is 0, the factors that are 0 on one side share the change alike: the limit of ever smaller positive values.

    Raises
    ------
    ParameterError
        A factor is negative.

    References
    ----------
    Ang, B. W. (2005), The LMDI approach to decomposition analysis: a practical guide, Energy Policy 33, 867-871;
    Ang, B. W., Liu, N. (2007), Handling zero values in the logarithmic mean Divisia index decomposition approach,
    Energy Policy 35, 238-246.

    Examples
    --------
    >>> lmdi_effects([10, 2.0], [20, 2.0]).tolist()
    [20.0, 0.0]
    >>> lmdi_effects([0, float("nan")], [5, 2.0]).tolist()
    [10.0, 0.0]
    """
    x0, x1 = np.asarray(before, dtype="float64"), np.asarray(after, dtype="float64")
    if np.any(x0 < 0) or np.any(x1 < 0):
        raise ParameterError(
            f"factors {x0.tolist()} -> {x1.tolist()}: a negative one has no logarithm; "
            "keep refunds in the returns table, not as negative lines"
        )
    v0, v1 = (float(np.prod(np.where(np.isnan(x), 1.0, x))) for x in (x0, x1))
    v0, v1 = (0.0 if np.any(x == 0) else v for x, v in ((x0, v0), (x1, v1)))
    if v0 > 0 and v1 > 0:
        logs = np.log(x1 / x0)
        return logs * (v0 if np.isclose(v0, v1, rtol=1e-15) else (v1 - v0) / np.log(v1 / v0))
    turns = (x0 == 0) != (x1 == 0)
    turns &= ~(np.isnan(x0) | np.isnan(x1))
    return np.where(turns, (v1 - v0) / max(turns.sum(), 1), 0.0)


def shapley_effects(before: Sequence[float], after: Sequence[float]) -> np.ndarray:
    """Share the change of a product of factors out among them: each factor's step, averaged over all orders of stepping.

    Parameters
    ----------
    before, after : sequence of float
        The factors in either period; their product is the total. Eight at most, since every subset is looked at.

    Returns
    -------
    array of float
        Effects, in the unit of the total; they sum to its change and change sign when time is reversed. Zeros and negative
        factors need no limit; a factor that is not defined in one period is taken as unchanged.

    Raises
    ------
    ParameterError
        More than eight factors.

    References
    ----------
    Shapley, L. S. (1953), A value for n-person games; Ang, B. W., Liu, F. L., Chew, E. P. (2003), Perfect decomposition
    techniques in energy and environmental analysis, Energy Policy 31, 1561-1566.

    Examples
    --------
    >>> shapley_effects([10, 2.0], [20, 3.0]).tolist()
    [25.0, 15.0]
    """
    x0, x1 = np.asarray(before, dtype="float64"), np.asarray(after, dtype="float64")
    n = len(x0)
    if n > 8:
        raise ParameterError(f"{n} factors: more than 8 have too many orders; join some of them")
    x0, x1 = np.where(np.isnan(x0), x1, x0), np.where(np.isnan(x1), x0, x1)
    effects = np.zeros(n)
    for factor in range(n):
        others = [place for place in range(n) if place != factor]
        for size in range(n):
            for stepped in combinations(others, size):
                held = np.prod([x1[place] if place in stepped else x0[place] for place in others])
                effects[factor] += held * (x1[factor] - x0[factor]) / (n * comb(n - 1, size))
    return effects


def mix_effects(groups: pd.DataFrame, *, units: str, total: str) -> pd.DataFrame:
    """Share the change of a rate (total over units) out among groups: by who came, and by what each group's rate did.

    Parameters
    ----------
    groups : DataFrame
        One row a group, with ``<units>_before``, ``<units>_after``, ``<total>_before``, ``<total>_after``.
    units, total : str
        Names of the columns.

    Returns
    -------
    DataFrame
        The groups with mix_amount (change of the group's share of the units times the distance of its rate from that of all)
        and rate_amount (change of its rate times its share), both at the mean of the two periods: Shapley's split of two
        factors. All of them sum to the change of the rate, and change sign when time is reversed. A group without units in
        one period has no rate there, so its part is mix.

    Examples
    --------
    >>> groups = pd.DataFrame({"n_before": [50.0, 50.0], "n_after": [80.0, 20.0], "y_before": [5.0, 15.0], "y_after": [8.0, 6.0]})
    >>> mix_effects(groups, units="n", total="y")[["mix_amount", "rate_amount"]].sum().round(9).tolist()
    [-0.06, 0.0]
    """
    n0, n1, y0, y1 = (
        groups[f"{name}_{side}"].to_numpy(dtype="float64") for name in (units, total) for side in ("before", "after")
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rate0, rate1 = y0 / n0, y1 / n1
        share0, share1, whole = n0 / n0.sum(), n1 / n1.sum(), (y0.sum() / n0.sum() + y1.sum() / n1.sum()) / 2
    rate0, rate1 = np.where(n0 > 0, rate0, rate1), np.where(n1 > 0, rate1, rate0)
    rate0, rate1 = np.nan_to_num(rate0), np.nan_to_num(rate1)
    mix = (share1 - share0) * ((rate0 + rate1) / 2 - whole)
    return groups.assign(mix_amount=mix, rate_amount=(rate1 - rate0) * (share0 + share1) / 2)


def group_effects(groups: pd.DataFrame, *, units: str, total: str) -> pd.DataFrame:
    """Share the change of each group's total out among all units, the group's share of them, and its total a unit.

    Parameters
    ----------
    groups : DataFrame
        One row a group, with ``<units>_before``, ``<units>_after``, ``<total>_before``, ``<total>_after``.
    units, total : str
        Names of the columns.

    Returns
    -------
    DataFrame
        The groups with change_amount, and volume_amount, mix_amount and rate_amount that sum to it (`lmdi_effects`); the
        largest change first.

    Examples
    --------
    >>> groups = pd.DataFrame({"n_before": [1.0, 1.0], "n_after": [2.0, 2.0], "sum_before": 2.0, "sum_after": 4.0})
    >>> group_effects(groups, units="n", total="sum")[["volume_amount", "mix_amount"]].sum().round(9).tolist()
    [4.0, 0.0]
    """
    n0, n1, total0, total1 = (
        groups[f"{name}_{side}"].to_numpy(dtype="float64") for name in (units, total) for side in ("before", "after")
    )

    def factors(n_all: float, n: float, amount: float) -> list[float]:
        return [n_all, n / n_all if n_all else float("nan"), amount / n if n else float("nan")]

    effects = [
        lmdi_effects(factors(n0.sum(), a0, b0), factors(n1.sum(), a1, b1))
        for a0, a1, b0, b1 in zip(n0, n1, total0, total1, strict=True)
    ]
    found = groups.assign(change_amount=total1 - total0)
    found[["volume_amount", "mix_amount", "rate_amount"]] = np.array(effects).reshape(-1, 3)
    return found.sort_values("change_amount", key=abs, ascending=False, kind="stable", ignore_index=True)
