"""Expectations of one history in closed form, as published: what the moments of the package are held against."""

from __future__ import annotations

import numpy as np
from scipy.special import hyp2f1

from opslib.stats.lifetime import BgNbd, GammaGamma, probability_alive


def expected_events(
    model: BgNbd, *, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray, horizon: float
) -> np.ndarray:
    """Events expected in the next ``horizon`` units of time: Fader, Hardie, Lee (2005), eq. 10; not defined at a = 1."""
    x, t_x, span = (np.asarray(v, dtype=float) for v in (frequency, recency, age))
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    z = horizon / (alpha + span + horizon)
    growth = (1 - z) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    expected = (a + b + x - 1) / (a - 1) * (1 - growth)
    return expected * probability_alive(model, frequency=x, recency=t_x, age=span)


def expected_value(model: GammaGamma, *, frequency: np.ndarray, mean_value: np.ndarray) -> np.ndarray:
    """Mean value of a unit's events, drawn towards that of all: Fader, Hardie (2013), eq. 5; infinite where undefined."""
    x, value = np.asarray(frequency, dtype=float), np.asarray(mean_value, dtype=float)
    denominator = model.p * x + model.q - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = model.p * (model.gamma + np.where(x > 0, x * value, 0.0)) / denominator
    return np.where(denominator > 0, drawn, np.inf)
