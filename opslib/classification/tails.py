"""Quantiles and probabilities as expressions of the engine, which has neither Student's nor the normal distribution."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from scipy import stats as distributions

from opslib import engine

_TABLED = 30
"""Degrees of freedom up to which Student's quantile is listed; beyond, it is expanded around the normal's."""
_FARTHEST = 8.0
"""Standard errors beyond which a probability (1e-15) is not told apart."""


def student_quantile(df: ir.NumericValue, *, level: float) -> ir.FloatingValue:
    """Two-sided critical value of Student's t, row by row; missing below one degree of freedom.

    Parameters
    ----------
    df : column
        Degrees of freedom, whole numbers.
    level : float
        Coverage (0-1).

    Returns
    -------
    column, float64
        Exact up to 30 degrees of freedom, then by the expansion of Abramowitz and Stegun (1964), 26.7.5, off by less
        than 1e-6 at 95 %.

    Examples
    --------
    >>> import pandas as pd
    >>> table = engine.as_table(pd.DataFrame({"df": [1.0, 60.0]}))
    >>> found = engine.collect(table.select("df", t=student_quantile(table["df"], level=0.95)).order_by("df"))
    >>> found["t"].round(4).tolist()
    [12.7062, 2.0003]
    """
    p = (1 + level) / 2
    z = float(distributions.norm.ppf(p))
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    one = df.cast("float64") * 0 + 1
    share, power = engine.ratio(one, df), one
    expanded = one * z
    for term in terms:
        power = power * share
        expanded = expanded + power * term
    listed = [(df == k, one * float(distributions.t.ppf(p, k))) for k in range(1, _TABLED + 1)]
    return ibis.cases((df < 1, ibis.null("float64")), *listed, else_=expanded)


def two_sided(z: ir.FloatingValue) -> ir.FloatingValue:
    """Probability that a standard normal is at least as far from zero (Abramowitz and Stegun 26.2.17, within 2e-7).

    Examples
    --------
    >>> import pandas as pd
    >>> table = engine.as_table(pd.DataFrame({"z": [-1.959964]}))
    >>> engine.collect(table.select(p=two_sided(table["z"])))["p"].round(5).tolist()
    [0.05]
    """
    size = ibis.least(z.abs(), _FARTHEST).cast("float64")
    t = engine.ratio(size * 0 + 1, size * 0.2316419 + 1)
    curve = t * 0
    for coefficient in (1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530):
        curve = (curve + coefficient) * t
    return (size * size * -0.5).exp() * curve * 0.7978845608028654
