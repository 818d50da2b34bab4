"""Bayesian shrinkage to a base rate: posterior, predictive, and the value of more information.

Everything is a mixture of normals, so posteriors, predictives, scores and values of information are closed forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate

MIN_LEARNED = 10
"""Fewest evaluated effects from which a base rate is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """A mixture of normal distributions: of an effect, or of an estimate to come.

    Attributes
    ----------
    weights, means, sds : tuple of float
        One entry a component; weights sum to 1; means and standard deviations in the unit of the effect.

    Examples
    --------
    >>> half = Mixture(weights=(0.5, 0.5), means=(-1.0, 1.0), sds=(1.0, 1.0))
    >>> half.mean, round(half.sd, 4), round(half.above(0.0), 4)
    (0.0, 1.4142, 0.5)
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Expected value."""
        return float(np.dot(self.weights, self.means))

    @property
    def sd(self) -> float:
        """Standard deviation."""
        second = np.dot(self.weights, np.square(self.sds) + np.square(self.means))
        return float(np.sqrt(second - self.mean**2))

    def above(self, threshold: float) -> float:
        """Probability (0-1) of more than ``threshold``."""
        return float(np.dot(self.weights, _upper_tail(np.array(self.means) - threshold, np.array(self.sds))))

    def quantile(self, share: float) -> float:
        """Value below which ``share`` (0-1, exclusive) of the probability lies."""
        ends = np.array(self.means)[:, None] + np.array(self.sds)[:, None] * np.array([-1, 1]) * _QUANTILE_REACH
        if ends.min() == ends.max():
            return float(ends.min())
        return float(optimize.brentq(lambda x: 1 - self.above(x) - share, ends.min(), ends.max(), xtol=1e-12))

    def expected_gain(self, cost: float) -> float:
        """Expected value of max(effect - cost, 0), in the unit of the effect."""
        means, sds = np.array(self.means) - cost, np.array(self.sds)
        safe = np.where(sds > 0, sds, 1.0)
        gains = np.where(sds > 0, safe * unit_normal_loss(-means / safe), np.maximum(means, 0))
        return float(np.dot(self.weights, gains))

    def widened(self, sd: float) -> Mixture:
        """The same with independent normal noise of standard deviation ``sd`` added: of an effect, the distribution of
        an estimate to come whose standard error is ``sd``.

        Examples
        --------
        >>> Mixture(weights=(1.0,), means=(0.0,), sds=(3.0,)).widened(4.0).sds
        (5.0,)
        """
        return Mixture(weights=self.weights, means=self.means, sds=tuple(float(np.hypot(own, sd)) for own in self.sds))


_QUANTILE_REACH = 12.0

SITE_LIFTS = Mixture(weights=(0.48, 0.26, 0.20, 0.06), means=(0.0, 0.0, 0.0, 0.0), sds=(0.001, 0.003, 0.01, 0.03))
"""Base rate of relative effects of randomised site tests: few changes are large (75 public retail experiments)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """What is believed of an estimate after the base rate is taken into account.

    Attributes
    ----------
    shrunk : Estimate
        Posterior mean with its central interval, same unit.
    posterior : Mixture
        Of the effect.
    """

    shrunk: Estimate
    posterior: Mixture


def posterior(value: float, std_error: float, *, prior: Mixture = SITE_LIFTS) -> Mixture:
    """Distribution of an effect after one estimate of it.

    Parameters
    ----------
    value, std_error : float
        The estimate and its standard error, in the unit of the prior.
    prior : Mixture
        Base rate of such effects.

    Returns
    -------
    Mixture
        One component a component of the prior.

    Raises
    ------
    ParameterError
        The standard error is not a positive number.

    Source: conjugate normal components; Gelman et al. (2013), Bayesian Data Analysis, ch. 2.

    Examples
    --------
    >>> after = posterior(0.05, 0.02)
    >>> round(after.mean, 4), round(after.above(0.0), 3)
    (0.0099, 0.736)
    """
    if not (np.isfinite(std_error) and std_error > 0):
        raise ParameterError(f"std_error: {std_error}; needed: a positive number in the unit of the prior")
    means, variances = np.array(prior.means), np.square(prior.sds)
    total = variances + std_error**2
    log_weights = np.log(np.maximum(prior.weights, 1e-300)) + stats.norm.logpdf(value, means, np.sqrt(total))
    keep = variances / total
    return Mixture(
        weights=tuple(np.exp(log_weights - special.logsumexp(log_weights)).tolist()),
        means=tuple((means + keep * (value - means)).tolist()),
        sds=tuple(np.sqrt(keep * std_error**2).tolist()),
    )


def shrink(estimate: Estimate, *, prior: Mixture = SITE_LIFTS, bias_sd: float = 0.0) -> Shrunk:
    """Shrink an estimate to a base rate; a design that may be biased adds its bias variance to the squared error.

    Parameters
    ----------
    estimate : Estimate
        In the unit of the prior. Its error is the larger of its standard error and its interval's half width over
        the normal quantile, so that few degrees of freedom count.
    prior : Mixture
        Base rate of such effects.
    bias_sd : float
        Standard deviation of the bias the design may have (0 where randomised), in the unit of the estimate.

    Returns
    -------
    Shrunk

    Raises
    ------
    ParameterError
        The estimate has neither a standard error nor a finite interval.

    Examples
    --------
    >>> raw = Estimate(value=0.05, lower=0.011, upper=0.089, n=9000, unit="share", method="z", std_error=0.02)
    >>> round(shrink(raw).shrunk.value / raw.value, 2)
    0.2
    """
    from_interval = (estimate.upper - estimate.lower) / 2 / float(stats.norm.ppf(0.5 + estimate.confidence_level / 2))
    error = max(estimate.std_error or 0.0, from_interval if np.isfinite(from_interval) else 0.0)
    after = posterior(estimate.value, float(np.hypot(error, bias_sd)), prior=prior)
    tail = (1 - estimate.confidence_level) / 2
    shrunk = Estimate(
        value=after.mean,
        lower=after.quantile(tail),
        upper=after.quantile(1 - tail),
        n=estimate.n,
        unit=estimate.unit,
        method=f"{estimate.method}, shrunk to a base rate",
        confidence_level=estimate.confidence_level,
        std_error=after.sd,
    )
    return Shrunk(shrunk=shrunk, posterior=after)


def learned_prior(values: Sequence[float], std_errors: Sequence[float]) -> Mixture:
    """Normal base rate learned from earlier estimates by maximum marginal likelihood (empirical Bayes).

    Parameters
    ----------
    values, std_errors : sequence of float
        First estimates of at least ten evaluated effects, launched or not, and their standard errors.

    Returns
    -------
    Mixture
        One component: mean and spread of true effects, noise taken out.

    Raises
    ------
    ParameterError
        Fewer than ten effects.

    Source: Efron and Morris (1975), JASA 70; Efron (2010), Large-Scale Inference, ch. 1.

    Examples
    --------
    >>> prior = learned_prior([-2, -1, -1, 0, 0, 1, 1, 2, 3, 3], [0.5] * 10)
    >>> round(prior.mean, 3), round(prior.sd, 3)
    (0.6, 1.546)
    """
    found, errors = np.asarray(values, float), np.asarray(std_errors, float)
    if len(found) < MIN_LEARNED:
        raise ParameterError(f"values: {len(found)} effects; needed: {MIN_LEARNED}; use a stated base rate until then")

    def centre(sd: float) -> float:
        return float(np.average(found, weights=1 / (errors**2 + sd**2)))

    def loss(sd: float) -> float:
        return -float(stats.norm.logpdf(found, centre(sd), np.sqrt(errors**2 + sd**2)).sum())

    widest = 3 * float(found.std()) + 1e-12
    best = optimize.minimize_scalar(loss, bounds=(0, widest), method="bounded", options={"xatol": widest * 1e-7})
    sd = float(best.x) if best.fun < loss(0.0) else 0.0
    return Mixture(weights=(1.0,), means=(centre(sd),), sds=(sd,))


def unit_normal_loss(u: float | np.ndarray) -> np.ndarray:
    """Expected value of max(Z - u, 0) for a standard normal Z.

    Source: Raiffa and Schlaifer (1961), Applied Statistical Decision Theory, table of G(u).

    Examples
    --------
    >>> [round(float(unit_normal_loss(u)), 4) for u in (0, 1, 2)]
    [0.3989, 0.0833, 0.0085]
    """
    return np.asarray(stats.norm.pdf(u) - np.asarray(u) * stats.norm.sf(u))


def sample_information_value(after: Mixture, *, cost: float, std_error: float) -> float:
    """Expected gain from one more test before the decision, in the unit of the effect.

    The posterior mean rises with the test's estimate, so launching means an estimate above one threshold; the gain
    beyond it is a closed form in each component.

    Parameters
    ----------
    after : Mixture
        What is believed about the effect now.
    cost : float
        Effect that just pays for the launch.
    std_error : float
        Standard error that the test would have.

    Returns
    -------
    float
        From 0 to what knowing the effect would be worth.

    Source: Raiffa and Schlaifer (1961), preposterior analysis, here for a mixture.

    Examples
    --------
    >>> flat = Mixture(weights=(1.0,), means=(0.0,), sds=(1.0,))
    >>> round(sample_information_value(flat, cost=0.0, std_error=1.0), 4)
    0.2821
    """
    means, sds = np.array(after.means), np.array(after.sds)
    spread = np.hypot(sds, std_error)
    reach = _QUANTILE_REACH * float(spread.max() + np.ptp(means)) * (1 + float(spread.max() / max(sds.max(), 1e-300)))
    low, high = float(min(means.min(), cost)) - reach, float(max(means.max(), cost)) + reach

    def surplus(observed: float) -> float:
        return posterior(observed, std_error, prior=after).mean - cost

    if surplus(low) >= 0 or surplus(high) <= 0:
        return 0.0
    threshold = float(optimize.brentq(surplus, low, high))
    z = (means - threshold) / spread
    gains = (means - cost) * stats.norm.cdf(z) + sds**2 / spread * stats.norm.pdf(z)
    return max(float(np.dot(after.weights, gains)) - max(after.mean - cost, 0.0), 0.0)


def _upper_tail(above: np.ndarray, sds: np.ndarray) -> np.ndarray:
    safe = np.where(sds > 0, sds, 1.0)
    return np.where(sds > 0, stats.norm.cdf(above / safe), (above > 0).astype(float))
