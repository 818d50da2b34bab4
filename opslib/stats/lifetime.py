"""Buy-till-you-die models: BG/NBD for the number of repeat events, Gamma-Gamma for their value.

Both are fitted on distinct histories with their number of units, so the cost does not grow with the number of units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, gammaln

from opslib.errors import ParameterError
from opslib.stats.named_columns import as_frame

#: Bounds of the logarithms of the parameters: a fit that ends on them is not identified, and says so.
LOG_BOUND = 12.0
#: Standard deviation of a weak prior on the logarithm of each parameter, for the covariance only.
LOG_PRIOR = 3.0
_STARTS = ((0.0, 1.0, 0.0, 1.0), (-1.0, 2.0, -0.5, 0.5), (0.5, 3.0, 0.0, 3.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class BgNbd:
    """Fitted BG/NBD model (Fader, Hardie and Lee 2005).

    Parameters
    ----------
    r, alpha : float
        Shape and rate (in units of time) of the gamma distribution of event rates.
    a, b : float
        Beta distribution of the chance to stop after an event.
    log_likelihood : float
        At the optimum.
    n_units : int
        Units fitted on.
    is_identified : bool
        False if a parameter ran to the edge: the data hold too little dropout to tell.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    n_units: int
    is_identified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaGamma:
    """Fitted Gamma-Gamma model of the mean value of an event (Fader and Hardie 2013).

    Parameters
    ----------
    p, q, gamma : float
        Shape within a unit, shape and scale across units.
    log_likelihood : float
        At the optimum.
    n_units : int
        Units with at least one repeat event.
    """

    p: float
    q: float
    gamma: float
    log_likelihood: float
    n_units: int


def fit_bg_nbd(histories: pd.DataFrame) -> BgNbd:
    """Fit BG/NBD by maximum likelihood.

    Parameters
    ----------
    histories : pandas.DataFrame
        One row a distinct history: ``frequency`` (repeat events), ``recency`` (time of the last one since the first),
        ``age`` (time observed since the first), ``n_units`` (how many units share it).

    Returns
    -------
    BgNbd

    Raises
    ------
    ParameterError
        If there are no histories, or one is impossible (last event after the end of observation).

    References
    ----------
    Fader, Hardie, Lee (2005), Counting your customers the easy way. Marketing Science 24(2), eq. 6.

    Examples
    --------
    >>> h = pd.DataFrame({"frequency": [0, 1, 2, 5], "recency": [0, 3, 8, 9], "age": [10, 10, 10, 10],
    ...                   "n_units": [500, 200, 120, 60]})
    >>> fit_bg_nbd(h).n_units
    880
    """
    x, t_x, age, weight = _columns(histories, "frequency", "recency", "age", "n_units")
    if not len(x) or weight.sum() <= 0:
        raise ParameterError("BG/NBD: no histories to fit on; widen the period")
    if np.any(t_x > age) or np.any((x == 0) & (t_x != 0)) or np.any(age <= 0):
        raise ParameterError(
            "BG/NBD: a history is impossible: its last event lies after the end, or its age is not positive"
        )
    scale = float(np.average(age, weights=weight)) / 10

    def loss(log_parameters: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = np.exp(log_parameters)
        r, alpha, a, b = parameters
        likelihood = _bg_nbd_log_likelihood(r, alpha, a, b, x, t_x / scale, age / scale)
        slopes = _bg_nbd_slopes(r, alpha, a, b, x, t_x / scale, age / scale) @ weight
        return -float(weight @ likelihood) / float(weight.sum()), -slopes * parameters / float(weight.sum())

    logs = _lowest(loss, _STARTS, has_slopes=True)
    r, alpha, a, b = np.exp(logs)
    total = float(weight @ _bg_nbd_log_likelihood(r, alpha * scale, a, b, x, t_x, age))
    return BgNbd(
        r=float(r), alpha=float(alpha * scale), a=float(a), b=float(b), log_likelihood=total,
        n_units=int(weight.sum()), is_identified=bool(np.all(np.abs(logs) < LOG_BOUND - 2)),
    )  # fmt: skip


def _lowest(loss: Callable[..., object], starts: tuple[tuple[float, ...], ...], *, has_slopes: bool) -> np.ndarray:
    """Logarithms of the parameters with the smallest loss, over all starts."""
    limits, options = [(-LOG_BOUND, LOG_BOUND)] * len(starts[0]), {"ftol": 1e-14, "gtol": 1e-9}
    fits = [
        minimize(loss, start, jac=has_slopes, method="L-BFGS-B", bounds=limits, options=options) for start in starts
    ]
    return np.asarray(min(fits, key=lambda fit: float(fit.fun)).x)


def _bg_nbd_log_likelihood(
    r: float, alpha: float, a: float, b: float, x: np.ndarray, t_x: np.ndarray, age: np.ndarray
) -> np.ndarray:
    """Log-likelihood of each history; equation 6 of the paper in a form that neither over- nor underflows."""
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    return common + np.logaddexp(-(r + x) * np.log(alpha + age), _gone(r, alpha, a, b, x, t_x))


def _gone(r: float, alpha: float, a: float, b: float, x: np.ndarray, t_x: np.ndarray) -> np.ndarray:
    """Logarithm of the part of the likelihood in which the last event seen was the last; impossible without one."""
    return np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x), -np.inf)


def _bg_nbd_slopes(
    r: float, alpha: float, a: float, b: float, x: np.ndarray, t_x: np.ndarray, age: np.ndarray
) -> np.ndarray:
    """Derivatives of each history's log-likelihood by r, alpha, a and b, one row each."""
    stayed = expit(-(r + x) * np.log(alpha + age) - _gone(r, alpha, a, b, x, t_x))
    left = 1 - stayed
    both = digamma(a + b) - digamma(a + b + x)
    return np.stack([
        digamma(r + x) - digamma(r) + np.log(alpha) - stayed * np.log(alpha + age) - left * np.log(alpha + t_x),
        r / alpha - (r + x) * (stayed / (alpha + age) + left / (alpha + t_x)),
        both + left / a,
        both + digamma(b + x) - digamma(b) - left / (b + np.maximum(x, 1) - 1),
    ])  # fmt: skip


def probability_alive(model: BgNbd, *, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Chance that a unit with this history is still active.

    Parameters
    ----------
    model : BgNbd
    frequency, recency, age : array of float
        As in :func:`fit_bg_nbd`.

    Returns
    -------
    numpy.ndarray
        Shares (0-1).

    References
    ----------
    Fader, Hardie (2008), Computing P(alive) using the BG/NBD model.

    Examples
    --------
    >>> m = BgNbd(r=.243, alpha=4.414, a=.793, b=2.426, log_likelihood=0, n_units=0, is_identified=True)
    >>> round(float(probability_alive(m, frequency=2, recency=30.43, age=38.86)), 4)
    0.7266
    """
    x, t_x, span = (np.asarray(v, dtype=float) for v in (frequency, recency, age))
    stayed = -(model.r + x) * np.log(model.alpha + span)
    return np.asarray(expit(stayed - _gone(model.r, model.alpha, model.a, model.b, x, t_x)))


def fit_gamma_gamma(histories: pd.DataFrame) -> GammaGamma:
    """Fit Gamma-Gamma by maximum likelihood on units with a repeat event and a positive mean value.

    Parameters
    ----------
    histories : pandas.DataFrame
        ``frequency`` (repeat events), ``mean_value`` (mean of their values), ``n_units``.

    Returns
    -------
    GammaGamma

    Raises
    ------
    ParameterError
        If no unit has a repeat event of positive value.

    References
    ----------
    Fader, Hardie (2013), The Gamma-Gamma model of monetary value (note 025).

    Examples
    --------
    >>> h = pd.DataFrame({"frequency": [1, 2, 3], "mean_value": [20., 35., 50.], "n_units": [50, 30, 20]})
    >>> fit_gamma_gamma(h).n_units
    100
    """
    x, value, weight = _columns(histories, "frequency", "mean_value", "n_units")
    keep = (x > 0) & (value > 0)
    x, value, weight = x[keep], value[keep], weight[keep]
    if not len(x):
        raise ParameterError("Gamma-Gamma: no unit has a repeat event of positive value; widen the period")
    scale = float(np.average(value, weights=weight))

    def loss(log_parameters: np.ndarray) -> float:
        p, q, gamma = np.exp(log_parameters)
        return -float(weight @ _gamma_gamma_log_likelihood(p, q, gamma, x, value / scale)) / float(weight.sum())

    p, q, gamma = np.exp(_lowest(loss, ((0.0, 1.0, 0.0), (1.5, 1.2, 0.0), (-1.0, 1.5, 1.0)), has_slopes=False))
    total = float(weight @ _gamma_gamma_log_likelihood(p, q, gamma * scale, x, value))
    return GammaGamma(
        p=float(p), q=float(q), gamma=float(gamma * scale), log_likelihood=total, n_units=int(weight.sum())
    )


def _gamma_gamma_log_likelihood(p: float, q: float, gamma: float, x: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Log-likelihood of each mean value of ``x`` events."""
    return (
        gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
        + (p * x - 1) * np.log(value) + p * x * np.log(x) - (p * x + q) * np.log(gamma + value * x)
    )  # fmt: skip


def log_parameter_covariance(model: BgNbd | GammaGamma, histories: pd.DataFrame) -> np.ndarray:
    """Covariance of the logarithms of a fit's parameters: the inverse of the observed information.

    Parameters
    ----------
    model : BgNbd or GammaGamma
        Fitted on ``histories``.
    histories : pandas.DataFrame
        As given to the fit.

    Returns
    -------
    numpy.ndarray
        (4, 4) for r, alpha, a, b or (3, 3) for p, q, gamma. A prior of standard deviation `LOG_PRIOR` on each logarithm
        keeps directions finite about which the data say nothing.

    References
    ----------
    Efron, Hinkley (1978), Assessing the accuracy of the maximum likelihood estimator. Biometrika 65(3).

    Examples
    --------
    >>> h = pd.DataFrame({"frequency": [0, 1, 2, 5], "recency": [0, 3, 8, 9], "age": [10, 10, 10, 10],
    ...                   "n_units": [500, 200, 120, 60]})
    >>> log_parameter_covariance(fit_bg_nbd(h), h).shape
    (4, 4)
    """
    likelihood, weight, centre = _likelihood_of(model, histories)
    size, step = len(centre), 5e-3
    steps = np.eye(size) * step
    information = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            corners = [
                s * t * float(weight @ likelihood(centre + s * steps[i] + t * steps[j]))
                for s in (1, -1)
                for t in (1, -1)
            ]
            information[i, j] = information[j, i] = -sum(corners) / (4 * step**2)
    values, vectors = np.linalg.eigh(information)
    return (vectors / (np.maximum(values, 0.0) + LOG_PRIOR**-2)) @ vectors.T


def _likelihood_of(
    model: BgNbd | GammaGamma, histories: pd.DataFrame
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray, np.ndarray]:
    """Log-likelihood of each history by the logarithms of the parameters; the weights; where the fit is."""
    if isinstance(model, BgNbd):
        x, t_x, age, weight = _columns(histories, "frequency", "recency", "age", "n_units")

        def of_events(logs: np.ndarray) -> np.ndarray:
            r, alpha, a, b = np.exp(logs)
            return _bg_nbd_log_likelihood(r, alpha, a, b, x, t_x, age)

        return of_events, weight, np.log([model.r, model.alpha, model.a, model.b])
    x, value, weight = _columns(histories, "frequency", "mean_value", "n_units")
    keep = (x > 0) & (value > 0)

    def of_values(logs: np.ndarray) -> np.ndarray:
        p, q, gamma = np.exp(logs)
        return _gamma_gamma_log_likelihood(p, q, gamma, x[keep], value[keep])

    return of_values, weight[keep], np.log([model.p, model.q, model.gamma])


def _columns(frame: pd.DataFrame, *names: str) -> tuple[np.ndarray, ...]:
    rows = as_frame(frame, columns=names)
    return tuple(rows[name].to_numpy(dtype=float) for name in names)
