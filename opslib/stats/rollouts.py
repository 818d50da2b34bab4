"""Difference-in-differences of roll-outs: units treated from a date against units not (yet) treated, for few units.

Each unit is collapsed to one change (mean after minus mean before), so that days never count as independent; the
spread between units is the yardstick, by permutation of the treatment over the units or a pooled t.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from opslib.errors import DesignError
from opslib.stats.estimates import Estimate
from opslib.stats.panels import Panel, Scale

MIN_UNITS = 2
"""Fewest treated, and fewest untreated, units for any inference."""
FEW_UNITS = 5
"""Below this many on one side the answer is given with a warning."""
MAX_ASSIGNMENTS = 5_000
"""All assignments are enumerated up to here; beyond, this many are drawn with a fixed seed."""
MIN_ASSIGNMENTS = 1_000
"""Fewer assignments than this make the permutation interval too coarse; the pooled t takes its place."""
MIN_TREND_PERIODS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PreTrend:
    """Whether treated and untreated units already drifted apart before, and how well that could be seen.

    Attributes
    ----------
    slope : Estimate
        Difference of slopes before the roll-out, per period, on the scale of the effect.
    p_value : float
        Two-sided, against equal slopes.
    power : float
        Chance (0-1) that the test finds a drift large enough to explain the whole estimated effect.
    """

    slope: Estimate
    p_value: float
    power: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEstimate:
    """Effect of a roll-out, collapsed by unit.

    Attributes
    ----------
    effect : Estimate
        Average effect on the treated: a share (scale "relative") or in the unit of the series.
    p_value : float
        By permutation of the treatment over units, two-sided.
    inference : {"permutation", "pooled t"}
        Where the interval comes from.
    df : float or None
        Degrees of freedom of the pooled t; None where the interval comes from the permutation.
    pre_trend : PreTrend or None
        None where there are fewer than four periods before.
    n_treated, n_untreated, n_incomplete : int
        Units used on both sides; units left out because a side of their change is missing.
    warnings : tuple of str
        Gates that warn: "few_units", "pre_trend" (p < 0.05), "weak_pre_trend_test" (power below 0.5).
    """

    effect: Estimate
    p_value: float
    inference: Literal["permutation", "pooled t"]
    df: float | None
    pre_trend: PreTrend | None
    n_treated: int
    n_untreated: int
    n_incomplete: int
    warnings: tuple[str, ...]


def rollout(
    panel: object, *, scale: Scale = "relative", confidence_level: float = 0.95, seed: int = 0
) -> RolloutEstimate:
    """Difference-in-differences collapsed by unit; staggered starts compare each cohort with the never treated.

    Parameters
    ----------
    panel : Table or DataFrame
        One row a unit and period: ``unit``, ``period`` (date or number), ``value``, ``treated_from`` (first period
        under treatment; null = never).
    scale : {"relative", "absolute"}
        Changes of log means (an effect as a share), or of means.
    confidence_level : float
        Coverage of the interval (0-1).
    seed : int
        For the drawn assignments where there are too many to enumerate.

    Returns
    -------
    Rollout
        Effect with its interval, permutation p, pre-trend test.

    Raises
    ------
    DesignError
        gate "units": fewer than two treated or two untreated complete units.
    ParameterError
        A column is missing, a unit has two starts, or a period repeats.

    Source: collapsing, Bertrand, Duflo, Mullainathan (2004), QJE 119; permutation for few clusters, Conley and
    Taber (2011), REStat 93; cohorts against never treated, Callaway and Sant'Anna (2021), JoE 225.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(u, t, 10.0 + u + t + 3.0 * (u < 2 and t >= 2), 2 if u < 2 else None)
    ...         for u in range(6) for t in range(4)]
    >>> table = pd.DataFrame(rows, columns=["unit", "period", "value", "treated_from"])
    >>> result = rollout(table, scale="absolute")
    >>> round(result.effect.value, 6), result.n_treated, result.n_untreated, result.inference
    (3.0, 2, 4, 'pooled t')
    """
    data = Panel.of(panel, scale=scale)
    changes, exposure = _collapse(data, data.values), _collapse(data, data.exposure, logs=False)
    complete = np.isfinite(changes).all(axis=1)
    require_units(data, complete)
    cohorts = data.cohort[complete]
    observed = _contrasts(changes[complete], cohorts[None, :])[0]
    assignments = _assignments(cohorts, seed=seed)
    permuted = _contrasts(changes[complete], assignments)
    share_treated = _contrasts(exposure[complete], assignments)
    p_value = float(np.mean(np.abs(permuted) >= abs(observed) * (1 - 1e-9)))
    error, df = _pooled_error(changes[complete], cohorts)
    is_fine = len(assignments) >= MIN_ASSIGNMENTS
    if is_fine:
        ends = _permutation_interval(observed, permuted, share_treated, confidence_level=confidence_level)
    else:
        half = stats.t.ppf(0.5 + confidence_level / 2, df) * error
        ends = (observed - half, observed + half)
    inference: Literal["permutation", "pooled t"] = "permutation" if is_fine else "pooled t"
    method = f"difference-in-differences collapsed by unit, {inference}"
    value, lower, upper = (data.to_effect(x) for x in (observed, *ends))
    trend = pre_trend(data, complete=complete, effect=observed, confidence_level=confidence_level)
    n_treated = int((cohorts >= 0).sum())
    return RolloutEstimate(
        effect=Estimate(
            value=value,
            lower=lower,
            upper=upper,
            n=len(cohorts),
            unit=data.effect_unit,
            method=method,
            confidence_level=confidence_level,
            std_error=error,
        ),
        p_value=p_value,
        inference=inference,
        df=None if is_fine else float(df),
        pre_trend=trend,
        n_treated=n_treated,
        n_untreated=len(cohorts) - n_treated,
        n_incomplete=int((~complete).sum()),
        warnings=_warnings(n_treated, len(cohorts) - n_treated, trend),
    )


def event_study(panel: object, *, scale: Scale = "relative", confidence_level: float = 0.95) -> pd.DataFrame:
    """Difference between treated and never treated units by period since the start, against all periods before.

    Parameters
    ----------
    panel : Table or DataFrame
        As for `rollout`.
    scale : {"relative", "absolute"}
        As for `rollout`.
    confidence_level : float
        Coverage of each interval (0-1), pooled t over units.

    Returns
    -------
    DataFrame
        One row a relative period (0 = first under treatment): ``relative_period``, ``effect``, ``effect_lower``,
        ``effect_upper``, ``n_treated``.

    Raises
    ------
    DesignError
        gate "units": fewer than two treated or two untreated units.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(u, t, 10.0 + u + t + 3.0 * (u < 2 and t >= 2), 2 if u < 2 else None)
    ...         for u in range(6) for t in range(4)]
    >>> table = pd.DataFrame(rows, columns=["unit", "period", "value", "treated_from"])
    >>> event_study(table, scale="absolute")["effect"].round(6).tolist()
    [0.0, 0.0, 3.0, 3.0]
    """
    data = Panel.of(panel, scale=scale)
    require_units(data, np.ones(len(data.units), bool))
    logged = data.on_scale(data.values)
    rows = []
    for relative in range(-int(data.starts.max()), len(data.periods) - int(data.starts.min())):
        columns = data.starts + relative
        inside = (columns >= 0) & (columns < len(data.periods))
        before = data.on_scale(np.column_stack([_mean(data.values[:, :start]) for start in data.starts]))
        changes = np.full((len(data.units), len(data.starts)), np.nan)
        changes[:, inside] = logged[:, columns[inside]] - before[:, inside]
        cohorts = np.where(np.isin(data.cohort, np.flatnonzero(inside)), data.cohort, -1)
        used = np.isfinite(changes[:, inside]).all(axis=1) & ((data.cohort < 0) | (cohorts >= 0))
        if (cohorts[used] >= 0).sum() < 1 or (cohorts[used] < 0).sum() < MIN_UNITS:
            continue
        effect = _contrasts(np.nan_to_num(changes[used]), cohorts[None, used])[0]
        error, df = _pooled_error(np.nan_to_num(changes[used]), cohorts[used])
        half = stats.t.ppf(0.5 + confidence_level / 2, df) * error
        ends = [data.to_effect(x) for x in (effect, effect - half, effect + half)]
        rows.append((relative, *ends, int((cohorts[used] >= 0).sum())))
    return pd.DataFrame(rows, columns=["relative_period", "effect", "effect_lower", "effect_upper", "n_treated"])


def pre_trend(data: Panel, *, complete: np.ndarray, effect: float, confidence_level: float) -> PreTrend | None:
    """Compare slopes before the first start between treated and untreated units.

    Parameters
    ----------
    data : Panel
        The panel as matrices.
    complete : ndarray of bool, shape (n_units,)
        Units to use.
    effect : float
        Estimated effect on the scale of the fit, for the power.
    confidence_level : float
        Coverage of the slope's interval (0-1).

    Returns
    -------
    PreTrend or None
        None with fewer than four common periods before, or a unit without three of them.
    """
    n_before = int(data.starts.min())
    if n_before < MIN_TREND_PERIODS:
        return None
    values = data.on_scale(data.values[complete, :n_before])
    slopes = _slopes(values)
    if not np.isfinite(slopes).all():
        return None
    treated = data.cohort[complete] >= 0
    groups = np.where(treated, 0, -1)
    error, df = _pooled_error(slopes[:, None], groups)
    slope = float(slopes[treated].mean() - slopes[~treated].mean())
    distance = len(data.periods) / 2  # from the middle of before to the middle of after, wherever the start lies
    critical = stats.t.ppf(0.975, df)
    shift = abs(effect) / distance / error if error > 0 else np.inf
    power = float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)) if error > 0 else 1.0
    p_value = float(2 * stats.t.sf(abs(slope) / error, df)) if error > 0 else float(slope == 0)
    method = "difference of mean slopes by unit, pooled t"
    estimate = Estimate.around(
        slope, error, df=df, n=len(slopes), unit="a period", method=method, confidence_level=confidence_level
    )
    return PreTrend(slope=estimate, p_value=p_value, power=power)


def require_units(data: Panel, complete: np.ndarray) -> None:
    """Refuse a comparison with fewer than two complete units on either side (gate "units")."""
    n_treated, n_untreated = int((data.cohort[complete] >= 0).sum()), int((data.cohort[complete] < 0).sum())
    if min(n_treated, n_untreated) < MIN_UNITS:
        raise DesignError(
            "units",
            f"{n_treated} treated and {n_untreated} untreated units with values before and after; needed: "
            f"{MIN_UNITS} of each; hold some units back, or ask for a before_after with control series",
        )


def _collapse(data: Panel, values: np.ndarray, *, logs: bool = True) -> np.ndarray:
    """Mean after minus mean before each cohort's start (logs of means where relative), (n_units, n_cohorts)."""
    before = np.column_stack([_mean(values[:, :start]) for start in data.starts])
    after = np.column_stack([_mean(values[:, start:]) for start in data.starts])
    return data.on_scale(after) - data.on_scale(before) if logs else after - before


def _mean(values: np.ndarray) -> np.ndarray:
    seen = np.isfinite(values)
    counts = seen.sum(axis=1)
    sums = np.where(seen, values, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)


def _contrasts(changes: np.ndarray, assignments: np.ndarray) -> np.ndarray:
    """Treated minus never treated, averaged over treated units, for each row of cohort labels (-1 = never)."""
    never = (assignments < 0).astype(float)
    total = np.zeros(len(assignments))
    for j in range(changes.shape[1]):
        mine = (assignments == j).astype(float)
        base = never @ changes[:, j] / never.sum(axis=1)
        total += mine @ changes[:, j] - mine.sum(axis=1) * base
    return total / (assignments >= 0).sum(axis=1)


def _assignments(cohorts: np.ndarray, *, seed: int) -> np.ndarray:
    """Rows of cohort labels, the observed one first: all of them where few, else drawn."""
    n, n_treated = len(cohorts), int((cohorts >= 0).sum())
    if cohorts.max() == 0 and math.comb(n, n_treated) <= MAX_ASSIGNMENTS:
        chosen = np.array(list(itertools.combinations(range(n), n_treated)))
        rows = np.full((len(chosen), n), -1)
        np.put_along_axis(rows, chosen, 0, axis=1)
        is_observed = (rows == cohorts).all(axis=1)
        return np.concatenate([rows[is_observed], rows[~is_observed]])
    draws = np.random.default_rng(seed).permuted(np.tile(cohorts, (MAX_ASSIGNMENTS - 1, 1)), axis=1)
    return np.concatenate([cohorts[None, :], draws])


def _permutation_interval(
    observed: float, permuted: np.ndarray, share_treated: np.ndarray, *, confidence_level: float
) -> tuple[float, float]:
    """Effects not rejected by the permutation test: each assignment fails to reject on one stretch around observed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (observed - permuted) / (1 - share_treated)
        second = (observed + permuted) / (1 + share_treated)
    lower, upper = np.minimum(first, second), np.maximum(first, second)
    never_rejects = np.abs(share_treated) > 1 - 1e-9
    lower, upper = np.where(never_rejects, -np.inf, lower), np.where(never_rejects, np.inf, upper)
    rank = int(np.floor((1 - confidence_level) * len(permuted)))
    return float(np.sort(lower)[rank]), float(np.sort(upper)[::-1][rank])


def _pooled_error(changes: np.ndarray, cohorts: np.ndarray) -> tuple[float, int]:
    """Standard error of the contrast with one variance for all units, and its degrees of freedom."""
    treated, never = np.flatnonzero(cohorts >= 0), np.flatnonzero(cohorts < 0)
    own = changes[treated, cohorts[treated]]
    means = {j: own[cohorts[treated] == j].mean() for j in np.unique(cohorts[treated])}
    weights = {j: float((cohorts[treated] == j).mean()) for j in means}
    base = sum(weights[j] * changes[never, j] for j in means)
    squares = sum(float(((own[cohorts[treated] == j] - mean) ** 2).sum()) for j, mean in means.items())
    squares += float(((base - base.mean()) ** 2).sum())
    df = len(treated) - len(means) + len(never) - 1
    return float(np.sqrt(squares / df * (1 / len(treated) + 1 / len(never)))), df


def _slopes(values: np.ndarray) -> np.ndarray:
    """Least-squares slope of each row on its period number; NaN with fewer than three values."""
    seen = [np.flatnonzero(np.isfinite(row)) for row in values]
    return np.array(
        [
            np.polyfit(at, row[at], 1)[0] if len(at) >= MIN_TREND_PERIODS - 1 else np.nan
            for at, row in zip(seen, values, strict=True)
        ]
    )


def _warnings(n_treated: int, n_untreated: int, trend: PreTrend | None) -> tuple[str, ...]:
    found = {
        "few_units": min(n_treated, n_untreated) < FEW_UNITS,
        "pre_trend": trend is not None and trend.p_value < 0.05,
        "weak_pre_trend_test": trend is None or trend.power < 0.5,
    }
    return tuple(name for name, is_on in found.items() if is_on)
