"""Exact additive decomposition of a change of a product of factors (LMDI)."""

from __future__ import annotations

from collections.abc import Sequence

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
