"""Multiple testing: corrected confidence levels and p-values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from opslib.errors import ParameterError

#: What statsmodels calls them.
_NAMES = {"holm": "holm", "benjamini_hochberg": "fdr_bh", "bonferroni": "bonferroni"}


def adjusted(
    p_values: Mapping[Hashable, float],
    *,
    method: Literal["holm", "benjamini_hochberg", "bonferroni"] = "holm",
    alpha: float = 0.05,
) -> pd.DataFrame:
    """P-values corrected for their number.

    Parameters
    ----------
    p_values : mapping of name to float
        One p-value a question (0-1).
    method : {"holm", "benjamini_hochberg", "bonferroni"}
        Holm and Bonferroni hold the chance of any false rejection, Benjamini-Hochberg the expected share of false ones.
    alpha : float
        That chance or share (0-1).

    Returns
    -------
    DataFrame
        One row a question, in the order given: ``name``, ``p_value``, ``adjusted_p_value`` (a q-value for
        Benjamini-Hochberg), ``is_rejected``.

    Raises
    ------
    ParameterError
        A p-value is not in [0, 1], or the method is not known.

    Notes
    -----
    Holm (1979); Benjamini and Hochberg (1995).

    Examples
    --------
    >>> adjusted({"a": 0.01, "b": 0.04}, method="holm")["adjusted_p_value"].tolist()
    [0.02, 0.04]
    """
    from statsmodels.stats.multitest import multipletests  # slow to import, and few commands ask several questions

    if method not in _NAMES:
        raise ParameterError(f"method '{method}' is not known; allowed: {', '.join(_NAMES)}")
    values = np.array(list(p_values.values()), dtype=float)
    if not np.all((values >= 0) & (values <= 1)):
        bad = next(name for name, p in p_values.items() if not 0 <= p <= 1)
        raise ParameterError(f"p-value of '{bad}' is {p_values[bad]}: needed a number between 0 and 1")
    corrected = multipletests(values, method=_NAMES[method])[1] if values.size else values
    return pd.DataFrame(
        {
            "name": list(p_values),
            "p_value": values,
            "adjusted_p_value": corrected,
            "is_rejected": corrected <= alpha,
        }
    )


def false_discovery_rates(p_values: np.ndarray, *, n_tested: int) -> np.ndarray:
    """Benjamini-Hochberg q-values where only some of the tests are at hand; the others count as p = 1.

    Examples
    --------
    >>> false_discovery_rates(np.array([0.01, 0.001]), n_tested=10).round(6).tolist()
    [0.05, 0.01]
    """
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * n_tested / np.arange(1, len(p_values) + 1)
    q = np.empty(len(p_values))
    q[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return q


def bonferroni_level(n_claims: int, *, confidence_level: float = 0.95) -> float:
    """Level of each of ``n_claims`` intervals that all hold together with ``confidence_level``.

    Examples
    --------
    >>> round(bonferroni_level(5), 4)
    0.99
    """
    if n_claims < 1:
        raise ParameterError(f"n_claims {n_claims}: at least one claim")
    return 1 - (1 - confidence_level) / n_claims
