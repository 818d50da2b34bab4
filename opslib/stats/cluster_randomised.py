"""Cluster-randomised comparison: one value a cluster, Student's interval with the degrees of freedom of few clusters."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from opslib.errors import ContractError, ParameterError
from opslib.stats.estimates import Estimate
from opslib.stats.named_columns import as_frame
from opslib.stats.ratios import RatioComparison

Errors = Literal["auto", "pooled", "bell_mccaffrey"]
#: With fewer clusters than this in the smaller arm, its own variance cannot be estimated and both arms' is pooled.
OWN_VARIANCE_FROM = 10


def compare_clusters(
    clusters: object,
    *,
    unit: str,
    confidence_level: float = 0.95,
    errors: Errors = "auto",
    adjust: bool = True,
) -> RatioComparison:
    """Difference and relative difference when whole clusters (stores, regions, weeks) were randomised.

    Parameters
    ----------
    clusters : Table or DataFrame
        One row a cluster: ``is_treated`` (boolean), ``value`` (the metric of the cluster) and, optionally,
        ``covariate`` (the same metric before the randomisation, where possible).
    unit : str
        Unit of the metric.
    confidence_level : float
        Level of the intervals (0-1).
    errors : {"auto", "pooled", "bell_mccaffrey"}
        ``pooled``: one variance for both arms, Student with clusters minus parameters degrees of freedom.
        ``bell_mccaffrey``: HC2 errors with Satterthwaite degrees of freedom. ``auto``: pooled if an arm has fewer
        than ten.
    adjust : bool
        Use the covariate, where there is one.

    Returns
    -------
    RatioComparison
        ``n_*`` and ``Estimate.n`` count clusters. ``control_value`` is the control mean at the covariate's mean over all
        clusters, the plain one without a covariate: large stores drawn into one arm do not move it. The relative difference is that of geometric means where every
        value is positive, else the difference over the control arm's mean.

    Raises
    ------
    ParameterError
        Fewer than two clusters in an arm, or no degree of freedom left.

    Notes
    -----
    Donald and Lang (2007) for collapsing; Bell and McCaffrey (2002), Imbens and Kolesar (2016) for the errors.

    Examples
    --------
    >>> stores = pd.DataFrame({"is_treated": [True] * 3 + [False] * 3, "value": [11.0, 12, 13, 9, 10, 11]})
    >>> result = compare_clusters(stores, unit="orders")
    >>> round(result.absolute.value, 6), result.df
    (2.0, 4.0)
    """
    frame = _frame(clusters)
    treated = frame["is_treated"].to_numpy(dtype=bool)
    values = frame["value"].to_numpy(dtype=float)
    covariate = frame["covariate"].to_numpy(dtype=float) if adjust and "covariate" in frame.columns else None
    _require(treated, covariate)
    chosen = resolved_errors(treated, errors)
    is_log = bool((values > 0).all() and (covariate is None or (covariate > 0).all()))
    plain = cluster_effect(values, treated, covariate=covariate, errors=chosen)
    a_value, a_error, a_df = (float(part) for part in plain)
    control = float(values.mean() - treated.mean() * a_value)
    value, error, df = a_value / control, a_error / abs(control), a_df
    if is_log:
        log_x = None if covariate is None else np.log(covariate)
        logs = cluster_effect(np.log(values), treated, covariate=log_x, errors=chosen)
        value, error, df = (float(part) for part in logs)
    n = len(values)
    method = f"clusters, {chosen.replace('_', '-')} errors, {df:.1f} degrees of freedom" + (
        "" if covariate is None else ", covariate-adjusted"
    )
    reach = float(stats.t.ppf(0.5 + confidence_level / 2, df)) * error
    ends = [value - reach, value, value + reach]
    low, middle, high = np.expm1(ends) if is_log else ends
    return RatioComparison(
        absolute=Estimate.around(
            a_value, a_error, df=a_df, n=n, unit=unit, confidence_level=confidence_level, method=method
        ),
        relative=Estimate(
            value=float(middle),
            lower=float(low),
            upper=float(high),
            n=n,
            unit="relative",
            confidence_level=confidence_level,
            method=method,
            std_error=float(error * (1 + middle) if is_log else error),
        ),
        p_value=float(2 * stats.t.sf(abs(value) / error, df)) if error > 0 else float(value == 0),
        df=df,
        control_value=control,
        treated_value=control + a_value,
        n_control=int((~treated).sum()),
        n_treated=int(treated.sum()),
    )


def cluster_effect(
    values: np.ndarray,
    treated: np.ndarray,
    *,
    covariate: np.ndarray | None = None,
    errors: Errors = "pooled",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Treated minus control of one sample of clusters, or of many at once.

    Parameters
    ----------
    values, covariate : array, shape (..., n_clusters)
        One value a cluster.
    treated : boolean array, shape (n_clusters,)
        Which clusters are treated.
    errors : {"pooled", "bell_mccaffrey"}
        As in `compare_clusters`.

    Returns
    -------
    (effect, std_error, df)
        One of each a sample.
    """
    columns = [np.ones_like(values), np.broadcast_to(treated.astype(float), values.shape)]
    if covariate is not None:
        columns.append(covariate - covariate.mean(axis=-1, keepdims=True))
    x = np.stack(columns, axis=-1)
    inverse = np.linalg.pinv(np.swapaxes(x, -1, -2) @ x)
    projector = inverse @ np.swapaxes(x, -1, -2)
    beta = projector @ values[..., None]
    residual = values - (x @ beta)[..., 0]
    row = projector[..., 1, :]
    df = np.full(values.shape[:-1], float(values.shape[-1] - x.shape[-1]))
    if resolved_errors(treated, errors) == "pooled":
        variance = (residual**2).sum(axis=-1) / df * inverse[..., 1, 1]
        return beta[..., 1, 0], np.sqrt(variance), df
    annihilator = np.eye(values.shape[-1]) - x @ projector
    weight = row**2 / np.maximum(np.einsum("...ii->...i", annihilator), 1e-12)
    variance = (weight * residual**2).sum(axis=-1)
    trace = np.einsum("...i,...ii->...", weight, annihilator)
    square = np.einsum("...i,...j,...ij,...ij->...", weight, weight, annihilator, annihilator)
    return beta[..., 1, 0], np.sqrt(variance), trace**2 / square


def resolved_errors(treated: np.ndarray, errors: Errors) -> Errors:
    """What ``auto`` means for these arms."""
    if errors != "auto":
        return errors
    smaller = int(min(treated.sum(), (~treated).sum()))
    return "pooled" if smaller < OWN_VARIANCE_FROM else "bell_mccaffrey"


def _frame(clusters: object) -> pd.DataFrame:
    optional = ("covariate",) if "covariate" in clusters.columns else ()  # type: ignore[attr-defined]
    frame = as_frame(clusters, columns=("is_treated", "value", *optional))
    if frame.isna().any().any():
        column = frame.columns[frame.isna().any()][0]
        raise ContractError(f"clusters.{column}: {int(frame[column].isna().sum())} missing; every cluster needs one")
    return frame


def _require(treated: np.ndarray, covariate: np.ndarray | None) -> None:
    least = min(int(treated.sum()), int((~treated).sum()))
    if least < 2:
        raise ParameterError(
            f"{int(treated.sum())} treated and {int((~treated).sum())} untreated clusters: "
            "two of each are the least from which a spread can be told"
        )
    if len(treated) <= 2 + (covariate is not None):
        raise ParameterError(f"{len(treated)} clusters leave no degree of freedom; use adjust=False (no covariate)")
