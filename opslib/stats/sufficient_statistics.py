"""Sufficient statistics of an arm: the sums of powers and products that means, ratios and intervals need, in one scan."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib.errors import ContractError, ParameterError

SUMS = ("y", "d", "x", "yy", "dd", "xx", "yd", "yx", "dx", "yyy", "yyd", "ydd", "ddd")
"""Column names of the sums, in the order of the letters: y numerator, d denominator, x covariate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SufficientStatistics:
    """Sums over the units of one arm (and stratum); numbers, or arrays of one shape for many samples at once.

    A unit is what was randomised. ``y`` is its numerator, ``d`` its denominator (1 for a mean), ``x`` a covariate
    known before the randomisation (0 where there is none).

    Parameters
    ----------
    n : float
        Number of units.
    y, d, x : float
        Sums.
    yy, dd, xx, yd, yx, dx : float
        Sums of squares and products.
    yyy, yyd, ydd, ddd : float
        Sums of third-order products; ``nan`` where they were not gathered (no correction for skewness then).

    Examples
    --------
    >>> arm = SufficientStatistics.of_mean(n=4, y=10.0, yy=30.0)
    >>> arm.y / arm.d, float(arm.variance("y", "y"))
    (2.5, 1.6666666666666667)
    """

    n: Any
    y: Any
    d: Any
    yy: Any
    dd: Any
    yd: Any
    x: Any = 0.0
    xx: Any = 0.0
    yx: Any = 0.0
    dx: Any = 0.0
    yyy: Any = np.nan
    yyd: Any = np.nan
    ydd: Any = np.nan
    ddd: Any = np.nan

    @classmethod
    def of_mean(cls, *, n: Any, y: Any, yy: Any, yyy: Any = np.nan, **covariate: Any) -> SufficientStatistics:
        """Sufficient statistics of a mean or a share: the denominator of every unit is one (``x``, ``xx``, ``yx`` may follow)."""
        x = covariate.get("x", 0.0)
        return cls(n=n, y=y, d=n, yy=yy, dd=n, yd=y, dx=x, yyy=yyy, yyd=yy, ydd=y, ddd=n, **covariate)

    @classmethod
    def of_share(cls, *, n: Any, successes: Any) -> SufficientStatistics:
        """Sufficient statistics of a share: ``successes`` of ``n`` units."""
        return cls.of_mean(n=n, y=successes, yy=successes, yyy=successes)

    @classmethod
    def of_summary(
        cls,
        *,
        n: float,
        mean: float,
        variance: float,
        denominator: tuple[float, float, float] | None = None,
    ) -> SufficientStatistics:
        """Sufficient statistics from a published summary.

        Parameters
        ----------
        n, mean, variance : float
            Units, mean and sample variance of the numerator.
        denominator : (mean, variance, covariance with the numerator) or None
            Of the denominator, for a ratio.

        Returns
        -------
        SufficientStatistics
        """
        y, yy = n * mean, (n - 1) * variance + n * mean**2
        if denominator is None:
            return cls.of_mean(n=n, y=y, yy=yy)
        d_mean, d_variance, covariance = denominator
        return cls(
            n=n,
            y=y,
            yy=yy,
            d=n * d_mean,
            dd=(n - 1) * d_variance + n * d_mean**2,
            yd=(n - 1) * covariance + n * mean * d_mean,
        )

    def variance(self, left: str, right: str) -> Any:
        """Sample (co)variance of two of ``y``, ``d``, ``x`` per unit (divisor ``n - 1``)."""
        pair = "".join(sorted((left, right), key="ydx".index))
        product, a, b = getattr(self, pair), getattr(self, left), getattr(self, right)
        return (product - a * b / self.n) / (self.n - 1)

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:
        """The two samples as one."""
        return SufficientStatistics(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def scaled(self, factor: Any) -> SufficientStatistics:
        """The same units with every numerator multiplied by ``factor``."""
        return SufficientStatistics(
            **{f.name: getattr(self, f.name) * factor ** f.name.count("y") for f in fields(self)}
        )


Strata = Mapping[Hashable, SufficientStatistics]
"""One arm, stratum by stratum (a stratum is an allocation epoch, a day, a country: anything fixed beforehand)."""


def statistic_sums(
    numerator: ir.Value,
    *,
    denominator: ir.Value | None = None,
    covariate: ir.Value | None = None,
) -> dict[str, ir.Value]:
    """Expressions whose sums make a `SufficientStatistics`, for one ``aggregate(**...)`` over a table of one row a unit.

    Parameters
    ----------
    numerator, denominator, covariate : ibis numeric columns
        Of the unit, without nulls (a unit that did nothing has 0); cast to float64 here.

    Returns
    -------
    dict of str to ibis scalar expressions
        ``n`` and the names of `SUMS`; those without a denominator or covariate are left out.

    Examples
    --------
    >>> import ibis
    >>> units = ibis.memtable({"arm": ["a", "a", "b"], "spend": [1.0, 2.0, 4.0]})
    >>> sums = units.group_by("arm").aggregate(**statistic_sums(units.spend)).execute()
    >>> arms_of(sums, arm="arm")["a"].yy
    5.0
    """
    given = {"y": numerator, "d": denominator, "x": covariate}
    columns = {letter: column.cast("float64") for letter, column in given.items() if column is not None}
    sums: dict[str, ir.Value] = {"n": numerator.count()}
    for name in SUMS:
        if set(name) <= set(columns):
            product = columns[name[0]]
            for letter in name[1:]:
                product = product * columns[letter]
            sums[name] = product.sum()
    return sums


def arms_of(sums: pd.DataFrame, *, arm: str) -> dict[Hashable, SufficientStatistics]:
    """Sufficient statistics of each arm from a frame of sums.

    Parameters
    ----------
    sums : DataFrame
        One row an arm: ``n``, ``y``, ``yy`` and what else of `SUMS` was gathered.
    arm : str
        Column that names the arm.

    Returns
    -------
    dict of arm to SufficientStatistics

    Raises
    ------
    ContractError
        A column is missing, or an arm has two rows.
    """
    _require(sums, [arm, "n", "y", "yy"])
    if sums[arm].duplicated().any():
        raise ContractError(
            f"sums.{arm}: '{sums[arm][sums[arm].duplicated()].iloc[0]}' has more than one row; "
            "give the second key as stratum to strata_of()"
        )
    return {row[arm]: statistics_of_row(row) for row in sums.to_dict("records")}


def strata_of(sums: pd.DataFrame, *, arm: str, stratum: str) -> dict[Hashable, dict[Hashable, SufficientStatistics]]:
    """Sufficient statistics of each arm and stratum from a frame of sums (columns as in `arms_of`, plus ``stratum``).

    Parameters
    ----------
    sums : DataFrame
        One row an arm and stratum.
    arm, stratum : str
        Columns that name them.

    Returns
    -------
    dict of arm to dict of stratum to SufficientStatistics
    """
    _require(sums, [arm, stratum, "n", "y", "yy"])
    if sums.duplicated([arm, stratum]).any():
        raise ContractError(f"sums: ({arm}, {stratum}) is not a key; aggregate to one row an arm and stratum first")
    groups = sums.sort_values([arm, stratum]).groupby(arm, sort=True)
    return {name: {row[stratum]: statistics_of_row(row) for row in group.to_dict("records")} for name, group in groups}


def _require(sums: pd.DataFrame, columns: list[str]) -> None:
    missing = [column for column in columns if column not in sums.columns]
    if missing:
        raise ContractError(
            f"sums: no column '{missing[0]}'; needed: {', '.join(columns)} (see statistic_sums for the names)"
        )


def statistics_of_row(row: Mapping[Hashable, Any]) -> SufficientStatistics:
    """Sufficient statistics of one row of sums; without the sums of a denominator every unit has one."""
    given = {name: float(row[name]) for name in SUMS if name in row}
    n = float(row["n"])
    if n < 0:
        raise ParameterError(f"n is {n}: a number of units cannot be negative")
    if "d" in given:
        return SufficientStatistics(n=n, **given)
    kept = {name: value for name, value in given.items() if name in ("x", "xx", "yx")}
    return SufficientStatistics.of_mean(n=n, y=given["y"], yy=given["yy"], yyy=given.get("yyy", np.nan), **kept)
