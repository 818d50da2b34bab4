"""Two randomised arms compared: means, shares and ratios by the delta method over units, adjusted and stratified.

A share is a mean of zeros and ones, a mean is a ratio whose denominator is one for every unit, and one arm without
strata is one stratum: so there is one road. Arms may hold arrays, one element a sample, which is how the truth
bench runs thousands of experiments through the same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.arms import Arm, ArmPoint, arm_points, common_strata, has_covariate, require_two_units
from opslib.stats.estimates import Estimate
from opslib.stats.sufficient_statistics import Strata

IntervalScale = Literal["auto", "log", "delta", "shape"]
#: The larger arm may be this many times the smaller before "auto" pools the shape of skewed outcomes.
BALANCED = 2.0
#: Skewness of a difference beyond which its Cornish-Fisher quantiles stop being monotone where they are used.
MAX_SKEWNESS = 1.2
#: Logarithm of how far from the ratio seen an end is looked for, and halvings of that stretch.
_REACH, _STEPS = np.log(1000.0), 60
_METHODS = {
    "welch": "delta method, Welch",
    "log": "delta method on the log ratio",
    "delta": "delta method on the ratio",
    "shape": "pooled shape, corrected for skewness",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioComparison:
    """One metric, treated against control.

    Parameters
    ----------
    absolute : Estimate
        Treated minus control, in the unit of the metric.
    relative : Estimate
        Treated over control minus one.
    p_value : float
        Two-sided, of no difference; agrees with the relative interval.
    df : float
        Welch-Satterthwaite degrees of freedom.
    control_value, treated_value : float
        Metric of each arm, after adjustment and standardised to the same strata.
    n_control, n_treated : int
        Units compared.
    """

    absolute: Estimate
    relative: Estimate
    p_value: float
    df: float
    control_value: float
    treated_value: float
    n_control: int
    n_treated: int

    def at_level(self, confidence_level: float) -> RatioComparison:
        """The same intervals under the level they hold jointly (repeated looks, several claims)."""
        return replace(
            self,
            absolute=replace(self.absolute, confidence_level=confidence_level),
            relative=replace(self.relative, confidence_level=confidence_level),
        )


def compare(
    control: Arm,
    treated: Arm,
    *,
    unit: str,
    confidence_level: float = 0.95,
    scale: IntervalScale = "auto",
    adjust: bool = True,
) -> RatioComparison:
    """Difference and relative difference of a mean, share or ratio between two randomised arms.

    Parameters
    ----------
    control, treated : SufficientStatistics, or mapping of stratum to it
        With strata, both arms are standardised to the strata's joint sizes: the only fair way when the allocation
        changed on the way (a ramp). Strata that lack an arm are left out and counted.
    unit : str
        Unit of the metric.
    confidence_level : float
        Level of the intervals (0-1).
    scale : {"auto", "log", "delta", "shape"}
        How the relative interval is made: ``log`` is symmetric in the log ratio; ``delta`` symmetric in the ratio;
        ``shape`` assumes that the change scales outcomes without changing the shape of their distribution, pools
        variance and skewness over both arms and inverts the test with Cornish-Fisher quantiles. ``auto`` is
        ``shape`` for skewed outcomes under an unequal split, where the others fail, else ``log``.
    adjust : bool
        Use the covariate (CUPED), where there is one.

    Returns
    -------
    RatioComparison

    Raises
    ------
    ParameterError
        No common stratum, fewer than two units in an arm, or a control value that is not positive.

    Notes
    -----
    Deng, Knoblich, Lu (2018) for the delta method over units; Deng et al. (2013) for the covariate; Miratrix, Sekhon,
    Yu (2013) for post-stratification; Hall (1992), *The Bootstrap and Edgeworth Expansion*, for ``shape``.

    Examples
    --------
    >>> from opslib.stats.sufficient_statistics import SufficientStatistics
    >>> control = SufficientStatistics.of_mean(n=3407, y=1396.87, yy=52377.9767)
    >>> treated = SufficientStatistics.of_mean(n=3461, y=2422.7, yy=134698.29)
    >>> result = compare(control, treated, unit="units", scale="delta")
    >>> [round(v, 4) for v in (result.relative.value, result.relative.lower, result.relative.upper)]
    [0.7073, -0.0353, 1.4499]
    """
    if not 0 < confidence_level < 1:
        raise ParameterError(f"level {confidence_level}: a level lies between 0 and 1, such as 0.95")
    c_strata, t_strata = common_strata(control, treated)
    require_two_units(c_strata, t_strata)
    c, t = arm_points(c_strata, t_strata, adjust=adjust)
    if not c.value > 0:
        raise ParameterError(
            f"control value is {c.value:.6g}: a relative change needs a positive one; "
            "compare differences of another metric"
        )
    chosen = resolved_scale(c_strata, t_strata, scale)
    df = float(_freedom(c, t))
    value, lower, upper = interval_of(
        c_strata, t_strata, confidence_level=confidence_level, scale=chosen, adjust=adjust
    )
    n_control, n_treated = int(sum(c.n)), int(sum(t.n))
    n = int(sum(c.n) + sum(t.n))
    details = [
        *(["covariate-adjusted"] if adjust and has_covariate(c_strata, t_strata) else []),
        *([f"{len(c.n)} strata"] if len(c.n) > 1 else []),
    ]
    method, welch = (", ".join([_METHODS[name], *details]) for name in (chosen, "welch"))
    error = float(np.sqrt(c.variance + t.variance))
    absolute = Estimate.around(
        float(t.value - c.value), error, df=df, n=n, unit=unit, method=welch, confidence_level=confidence_level
    )
    if chosen == "shape":
        absolute = replace(absolute, lower=float(lower * c.value), upper=float(upper * c.value), method=method)
    relative = Estimate(
        value=float(value),
        lower=float(lower),
        upper=float(upper),
        n=n,
        unit="relative",
        confidence_level=confidence_level,
        method=method,
        std_error=float(_relative_error(c, t)),
    )
    return RatioComparison(
        absolute=absolute,
        relative=relative,
        p_value=float(_p_value(c, t, chosen)),
        df=df,
        control_value=float(c.value),
        treated_value=float(t.value),
        n_control=n_control,
        n_treated=n_treated,
    )


def interval_of(
    control: Strata,
    treated: Strata,
    *,
    confidence_level: float,
    scale: IntervalScale = "auto",
    adjust: bool = True,
) -> tuple[Any, Any, Any]:
    """Relative difference and its ends of many samples at once (arguments as in `compare`, the same strata in both)."""
    c, t = arm_points(control, treated, adjust=adjust)
    scale = resolved_scale(control, treated, scale)
    critical = _critical(c, t, confidence_level, scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = t.value / c.value
        if scale == "shape":
            lower, upper = _shape_ends(c, t, critical)
        elif scale == "delta":
            half = critical * _relative_error(c, t)
            lower, upper = ratio - half, ratio + half
        else:
            half = critical * np.sqrt(c.variance / c.value**2 + t.variance / t.value**2)
            lower, upper = ratio * np.exp(-half), ratio * np.exp(half)
        empty = t.value <= 0
        lower, upper = np.where(empty, 0.0, lower), np.where(empty, np.inf, upper)
    return ratio - 1, lower - 1, upper - 1


def resolved_scale(control: Strata, treated: Strata, scale: IntervalScale) -> IntervalScale:
    """What ``auto`` means for these arms: decided by the design (sizes, kind of outcome), never by the result."""
    if scale != "auto":
        return scale
    n_c, n_t = (np.mean(sum(m.n for m in arm.values())) for arm in (control, treated))
    arms = [m for arm in (control, treated) for m in arm.values()]
    has_cubes = not any(np.any(np.isnan(m.yyy + m.yyd + m.ydd + m.ddd)) for m in arms)
    is_share = all(np.allclose(m.yy, m.y) and np.allclose(m.dd, m.n) for m in arms)
    unequal = max(n_c, n_t) > BALANCED * min(n_c, n_t)
    return "shape" if has_cubes and unequal and not is_share else "log"


def _freedom(c: ArmPoint, t: ArmPoint, *, factor: Any = 1.0) -> Any:
    """Welch-Satterthwaite degrees of freedom of treated less control, control's variance times ``factor``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        df = (t.variance + c.variance * factor) ** 2 / (t.df_term + c.df_term * factor**2)
    return np.where(np.isfinite(df), df, sum(c.n) + sum(t.n) - 2)


def _relative_error(c: ArmPoint, t: ArmPoint) -> Any:
    return np.sqrt(t.variance / c.value**2 + c.variance * t.value**2 / c.value**4)


def _df_on(scale: IntervalScale, c: ArmPoint, t: ArmPoint) -> Any:
    """Degrees of freedom of the log ratio, or of the difference (as published for ``delta``)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _freedom(c, t, factor=1.0 if scale == "delta" else t.value**2 / c.value**2)


def _critical(c: ArmPoint, t: ArmPoint, confidence_level: float, scale: IntervalScale) -> Any:
    """Two-sided quantile: the normal's where the shape is known, else Student's."""
    p = (1 + confidence_level) / 2
    return float(stats.norm.ppf(p)) if scale == "shape" else stats.t.ppf(p, _df_on(scale, c, t))


def _shape_statistic(c: ArmPoint, t: ArmPoint, ratio: Any) -> tuple[Any, Any]:
    """Statistic and skewness of "treated is ``ratio`` times control", outcomes of the same shape."""
    variance: Any = 0.0
    third: Any = 0.0
    for i, weight in enumerate(c.weights):
        n_c, n_t = c.n[i], t.n[i]
        v = ((n_c - 1) * c.variances[i] + (n_t - 1) * t.variances[i] / ratio**2) / (n_c + n_t - 2)
        k = (n_c * c.thirds[i] + n_t * t.thirds[i] / ratio**3) / (n_c + n_t)
        variance = variance + weight**2 * v * (1 / n_c + 1 / n_t)
        third = third + weight**3 * k * (1 / n_t**2 - 1 / n_c**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.clip(third / variance**1.5, -MAX_SKEWNESS, MAX_SKEWNESS)
        return (t.value / ratio - c.value) / np.sqrt(variance), skewness


def _shape_ends(c: ArmPoint, t: ArmPoint, critical: float) -> tuple[Any, Any]:
    """Ratios at which the test of a common shape just does not reject."""
    bend = (critical**2 - 1) / 6

    def beyond(sign: float) -> Callable[[Any], Any]:
        def gap(ratio: Any) -> Any:
            statistic, skewness = _shape_statistic(c, t, ratio)
            return statistic - sign * critical - skewness * bend

        return gap

    return _falling_root(beyond(1.0), t.value / c.value), _falling_root(beyond(-1.0), t.value / c.value)


def _falling_root(function: Callable[[Any], Any], near: Any) -> Any:
    """Root of a falling function of a positive number by bisection of its logarithm; 0 or inf where it has none."""
    near = np.maximum(np.asarray(near, dtype=float), 1e-12)
    low, high = np.log(near) - _REACH, np.log(near) + _REACH
    none_below, none_above = function(np.exp(low)) < 0, function(np.exp(high)) > 0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        is_above = function(np.exp(middle)) > 0
        low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
    return np.where(none_below, 0.0, np.where(none_above, np.inf, np.exp((low + high) / 2)))


def _p_value(c: ArmPoint, t: ArmPoint, scale: IntervalScale) -> Any:
    """Two-sided p of no difference on the scale of the interval."""
    if scale == "shape":
        statistic, skewness = _shape_statistic(c, t, np.ones_like(np.asarray(c.value, dtype=float)))
        bend = skewness / 6
        root = np.sqrt(np.maximum(1 + 4 * bend * (statistic + bend), 0.0))
        return 2 * stats.norm.sf(np.abs(2 * (statistic + bend) / (1 + root)))
    ratio = t.value / c.value
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "delta":
            statistic = (ratio - 1) / _relative_error(c, t)
        else:
            statistic = np.log(ratio) / np.sqrt(c.variance / c.value**2 + t.variance / t.value**2)
    return np.where(t.value > 0, 2 * stats.t.sf(np.abs(statistic), _df_on(scale, c, t)), 1.0)
