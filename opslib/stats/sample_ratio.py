"""Sample-ratio mismatch (SRM): the gate, its power, and the bias of a loss that it cannot see."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize, stats

from opslib.errors import ContractError, ParameterError
from opslib.stats.estimates import Estimate

#: Below this expected count in any cell the chi-square is replaced by the exact test where there are two arms.
SMALL_EXPECTED = 5.0
#: Level of the gate: it is looked at often, and a false alarm stops an experiment.
ALPHA = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """The sample-ratio gate of one experiment.

    Parameters
    ----------
    p_value : float
        Of "the arms were filled as planned".
    counts : DataFrame
        One row an arm (and stratum): ``arm``, ``stratum``, ``n``, ``expected``.
    """

    p_value: float
    counts: pd.DataFrame

    @property
    def is_mismatch(self) -> bool:
        """Whether the gate fails: p below `ALPHA`."""
        return self.p_value < ALPHA

    def power_against(self, loss_share: float) -> float:
        """Power of the gate if one arm lost ``loss_share`` (0-1) of its units (the lowest of the arms)."""
        frame, df = self.counts, _degrees(self.counts)
        powers = []
        for arm in frame["arm"].unique():
            kept = frame["expected"] * np.where(frame["arm"] == arm, 1 - loss_share, 1.0)
            totals = kept.groupby(frame["stratum"]).transform("sum")
            planned = frame["expected"] / frame.groupby("stratum")["expected"].transform("sum") * totals
            distance = float(((kept - planned) ** 2 / planned).sum())
            powers.append(float(stats.ncx2.sf(stats.chi2.isf(ALPHA, df), df, distance)) if distance > 0 else ALPHA)
        return min(powers)


def sample_ratio(counts: pd.DataFrame) -> SampleRatio:
    """Test the sizes of the arms against the plan, stratum by stratum where the plan changed on the way.

    Parameters
    ----------
    counts : DataFrame
        One row an arm: ``arm``, ``n`` and ``planned_share`` (any positive weights); with a column ``stratum``, one
        row an arm and stratum, each stratum with its own shares.

    Returns
    -------
    SampleRatio

    Raises
    ------
    ContractError
        A column is missing, a share is not positive, or a stratum has one arm only.

    Notes
    -----
    Pearson's chi-square summed over strata (Fabijan et al. 2019, *Diagnosing Sample Ratio Mismatch*); two arms with a
    small expected count: the exact binomial test.

    Examples
    --------
    >>> arms = pd.DataFrame({"arm": ["a", "b"], "n": [821588, 815482], "planned_share": [1, 1]})
    >>> gate = sample_ratio(arms)
    >>> f"{gate.p_value:.1e}", gate.is_mismatch
    ('1.8e-06', True)
    """
    frame = _expected(counts)
    if len(frame) == 2 and frame["expected"].min() < SMALL_EXPECTED:
        share = float(frame["expected"].iloc[0] / frame["n"].sum())
        p_value = float(stats.binomtest(int(frame["n"].iloc[0]), int(frame["n"].sum()), share).pvalue)
    else:
        p_value = float(mismatch_p_value(frame["n"].to_numpy(), frame["expected"].to_numpy(), df=_degrees(frame)))
    return SampleRatio(p_value=p_value, counts=frame)


def mismatch_p_value(n: np.ndarray, expected: np.ndarray, *, df: int) -> np.ndarray:
    """Chi-square p-value of counts against expected counts, over the last axis (many experiments at once)."""
    return np.asarray(stats.chi2.sf(((n - expected) ** 2 / expected).sum(axis=-1), df))


def missingness_bound(
    gate: SampleRatio,
    *,
    loss_share: float = 0.01,
    contrast: float = 0.25,
    needed_power: float = 0.8,
) -> float:
    """Largest relative bias that a loss of at most ``loss_share``, too small for the gate to see, could have made.

    If one arm lost a share l of its units, and those differ from the rest by up to ``contrast`` times the arm's value,
    the arm's value is off by up to l * contrast / (1 - l). l is ``loss_share``, or less where the gate sees less with
    ``needed_power``. Larger losses that a small test cannot see either are not covered (docs/methods.md says why).

    Parameters
    ----------
    gate : SampleRatio
    loss_share : float
        Largest loss considered, as a share of one arm's units (0-1).
    contrast : float
        Stated bound on the lost units' difference: .25 = they are worth 75 % to 125 % of the average unit.
    needed_power : float
        Power at which the gate is trusted (0-1).

    Returns
    -------
    float
        Bound, relative to the control value.

    Examples
    --------
    >>> arms = pd.DataFrame({"arm": ["a", "b"], "n": [20000, 20000], "planned_share": [1, 1]})
    >>> round(missingness_bound(sample_ratio(arms)), 5)
    0.00253
    """
    if not 0 <= loss_share < 1 or contrast < 0:
        raise ParameterError(f"loss_share {loss_share}, contrast {contrast}: needed 0 <= loss < 1, contrast >= 0")
    if gate.power_against(loss_share) > needed_power:
        loss_share = float(optimize.brentq(lambda loss: gate.power_against(loss) - needed_power, 0.0, loss_share))
    return loss_share * contrast / (1 - loss_share)


def widened(estimate: Estimate, *, bound: float) -> Estimate:
    """The estimate with both ends moved out by ``bound`` (in its unit), and the method saying so.

    Examples
    --------
    >>> e = Estimate(value=0.02, lower=0.01, upper=0.03, n=900, unit="relative", method="delta")
    >>> widened(e, bound=0.005).lower
    0.005
    """
    if bound < 0:
        raise ParameterError(f"bound {bound}: an interval can only be widened, by 0 or more")
    if bound == 0:
        return estimate
    return replace(
        estimate,
        lower=estimate.lower - bound,
        upper=estimate.upper + bound,
        method=f"{estimate.method}, widened for units that may be missing",
    )


def _expected(counts: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in ("arm", "n", "planned_share") if c not in counts.columns]
    if missing:
        raise ContractError(f"counts: no column '{missing[0]}'; needed: arm, n, planned_share (and stratum)")
    frame = counts.copy()
    if "stratum" not in frame.columns:
        frame["stratum"] = "all"
    if not (frame["planned_share"] > 0).all():
        raise ContractError("counts.planned_share: every share must be positive; leave out arms that were not open")
    lone = frame.groupby("stratum").size()
    if (lone < 2).any():
        raise ContractError(f"counts: stratum '{lone[lone < 2].index[0]}' has one arm only; leave it out of the gate")
    by = frame.groupby("stratum")
    shares = frame["planned_share"] / by["planned_share"].transform("sum")
    frame["expected"] = shares * by["n"].transform("sum")
    frame = frame[frame["expected"] > 0]
    if frame.empty:
        raise ContractError("counts.n: no unit in any arm; nothing to test")
    return frame[["arm", "stratum", "n", "expected"]].reset_index(drop=True)


def _degrees(frame: pd.DataFrame) -> int:
    return int(len(frame) - frame["stratum"].nunique())
