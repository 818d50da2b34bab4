"""Metric of two arms with its variance and skewness: post-stratified, and adjusted by a covariate (CUPED)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.errors import ParameterError
from opslib.stats.sufficient_statistics import Strata, SufficientStatistics

Arm = SufficientStatistics | Strata


@dataclass(frozen=True, slots=True)
class ArmPoint:
    """A metric in one arm, with what its variance is made of (lists run over strata).

    Parameters
    ----------
    value : float or array
        The metric.
    weights : list
        Share of each stratum.
    n, variances, thirds : list
        Units, variance and third central moment of one unit's influence on the value.
    """

    value: Any
    weights: list[Any]
    n: list[Any]
    variances: list[Any]
    thirds: list[Any]

    @property
    def variance(self) -> Any:
        """Variance of the value."""
        return sum(w**2 * v / n for w, v, n in zip(self.weights, self.variances, self.n, strict=True))

    @property
    def df_term(self) -> Any:
        """This arm's part of the Welch-Satterthwaite denominator."""
        parts = zip(self.weights, self.variances, self.n, strict=True)
        return sum((w**2 * v / n) ** 2 / np.maximum(n - 1, 1) for w, v, n in parts)


def common_strata(control: Arm, treated: Arm) -> tuple[Strata, Strata]:
    """Both arms over the strata that have units of both."""
    c: Strata = control if isinstance(control, Mapping) else {"all": control}
    t: Strata = treated if isinstance(treated, Mapping) else {"all": treated}
    keys = [k for k in c if k in t and np.all(np.asarray(c[k].n) > 0) and np.all(np.asarray(t[k].n) > 0)]
    if not keys:
        raise ParameterError(f"no stratum has both arms: control has {list(c)}, treated has {list(t)}")
    return {k: c[k] for k in keys}, {k: t[k] for k in keys}


def arm_points(control: Strata, treated: Strata, *, adjust: bool = True) -> tuple[ArmPoint, ArmPoint]:
    """Both arms' metric, standardised to the same strata and adjusted by one covariate slope (elementwise).

    A stratum weighs ``n_c n_t / (n_c + n_t)``, as Mantel and Haenszel (1959) do: an epoch in which an arm had a handful of
    units can then not carry a result whose error it cannot tell. Where the split is the same in all, that is their size.

    Parameters
    ----------
    control, treated : mapping of stratum to SufficientStatistics
        The same strata in both.
    adjust : bool
        Use the covariate.

    Returns
    -------
    (ArmPoint, ArmPoint)
        Control, treated.
    """
    sizes = {k: control[k].n * treated[k].n / (control[k].n + treated[k].n) for k in control}
    total = sum(sizes.values())
    weights = {k: size / total for k, size in sizes.items()}
    means = {k: (control[k].x + treated[k].x) / (control[k].n + treated[k].n) for k in control}
    slope = _slope(control, treated, weights) if adjust and has_covariate(control, treated) else 0.0
    return _point(control, weights, slope, means), _point(treated, weights, slope, means)


def require_two_units(control: Strata, treated: Strata) -> None:
    """Raise unless every stratum of both arms has two units and a positive denominator."""
    for name, arm in (("control", control), ("treated", treated)):
        for key, m in arm.items():
            if m.n < 2 or not m.d > 0:
                raise ParameterError(
                    f"{name}, stratum '{key}': {m.n:.0f} units, denominator {m.d:.6g}; "
                    "two units and a positive denominator are the least; merge strata"
                )


def _point(strata: Strata, weights: Mapping[Any, Any], slope: Any, x_means: Mapping[Any, Any]) -> ArmPoint:
    numerator = sum(weights[k] * (m.y / m.n - slope * (m.x / m.n - x_means[k])) for k, m in strata.items())
    denominator = sum(weights[k] * m.d / m.n for k, m in strata.items())
    with np.errstate(divide="ignore", invalid="ignore"):
        value = numerator / denominator
    variances, thirds = [], []
    for m in strata.values():
        raw = m.variance("y", "y") - 2 * value * m.variance("y", "d") + value**2 * m.variance("d", "d")
        with_x = m.variance("y", "x") - value * m.variance("d", "x")
        raw = np.maximum(raw, 0.0)
        adjusted = np.maximum(raw - 2 * slope * with_x + slope**2 * m.variance("x", "x"), 0.0)
        shrink = np.divide(adjusted, raw, out=np.ones_like(np.asarray(raw, dtype=float)), where=np.asarray(raw) > 0)
        variances.append(adjusted / denominator**2)
        thirds.append(_third(m, value) * shrink**1.5 / denominator**3)
    return ArmPoint(value, [weights[k] for k in strata], [m.n for m in strata.values()], variances, thirds)


def _third(m: SufficientStatistics, value: Any) -> Any:
    """Third central moment of ``y - value * d``."""
    mean = (m.y - value * m.d) / m.n
    square = (m.yy - 2 * value * m.yd + value**2 * m.dd) / m.n
    cube = (m.yyy - 3 * value * m.yyd + 3 * value**2 * m.ydd - value**3 * m.ddd) / m.n
    return cube - 3 * mean * square + 2 * mean**3


def _slope(control: Strata, treated: Strata, weights: Mapping[Any, Any]) -> Any:
    """Slope of the linearised outcome on the covariate, pooled within arms and strata."""
    top: Any = 0.0
    bottom: Any = 0.0
    for strata in (control, treated):
        value = sum(weights[k] * m.y / m.n for k, m in strata.items())
        value = value / sum(weights[k] * m.d / m.n for k, m in strata.items())
        for m in strata.values():
            top = top + (m.n - 1) * (m.variance("y", "x") - value * m.variance("d", "x"))
            bottom = bottom + (m.n - 1) * m.variance("x", "x")
    return np.divide(top, bottom, out=np.zeros_like(np.asarray(top, dtype=float)), where=np.asarray(bottom) > 0)


def has_covariate(*arms: Strata) -> bool:
    """Whether a covariate was gathered that varies."""
    return any(np.any(np.asarray(m.xx) > 0) for arm in arms for m in arm.values())
