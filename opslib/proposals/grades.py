"""Grade of evidence in GRADE's four words, computed from the design and what went wrong."""

from __future__ import annotations

from datetime import date

from opslib.finding import Grade
from opslib.proposals.results import Measured
from opslib.proposals.schema import Claim

WORDS: tuple[Grade, ...] = ("Very low", "Low", "Moderate", "High")
STARTS = {
    "experiment": 4, "cluster_experiment": 3, "rollout": 2, "before_after": 1, "elasticity": 2, "level": 4, "trend": 4,
    "comparison": 1, "outside": 1,
}  # fmt: skip
ASSOCIATION_ONLY = ("comparison", "outside", "before_after")
SEASON_DAYS = 92
#: What a claim loses a point for where its days lie in another season than the planned start.
OTHER_SEASON = "measured in another season than the planned start"
YEAR_DAYS = 365


def start_points(kind: str, *, has_control: bool = False) -> int:
    """Points that a design starts with: 4 High, 3 Moderate, 2 Low, 1 Very low.

    Examples
    --------
    >>> start_points("before_after", has_control=True)
    2
    """
    return STARTS[kind] + (kind == "before_after" and has_control)


def is_association_only(kind: str, *, has_control: bool = False) -> bool:
    """Whether the design can only show that two things went together."""
    return kind in ASSOCIATION_ONLY and not (kind == "before_after" and has_control)


def grade_of(claim: Claim, measured: Measured, *, is_frozen: bool, launch: date) -> tuple[Grade, tuple[str, ...]]:
    """Grade of a claim's evidence, and what it lost points for.

    Parameters
    ----------
    claim : Claim
    measured : Measured
    is_frozen : bool
        Frozen before the window's first outcome, and unchanged since.
    launch : date
        First day of the change for everybody: evidence of another season costs a point.

    Returns
    -------
    (str, tuple of str)
        Grade and reasons.

    Notes
    -----
    GRADE working group: Guyatt et al. (2008), *BMJ* 336:924-926.
    """
    kind = claim.design.kind
    reasons = [gate.sentence.split("; ")[0] for gate in measured.gates if gate.status == "warning"]
    effect = measured.effect
    if effect is not None and kind not in ("level", "trend") and effect.upper - effect.lower > 2 * claim.promise:
        reasons.append("the interval is wider than twice the promise")
    if measured.is_conflicting:
        reasons.append("segments point in opposite directions")
    if kind == "outside":
        reasons.append("other people than this shop's")
    elif kind not in ("level", "trend") and _other_season(claim, launch):
        reasons.append(OTHER_SEASON)
    if not is_frozen:
        reasons.append("not frozen before the result")
    if measured.failed:
        return "Very low", (f"gate failed: {measured.failed[0].name}",)
    points = start_points(kind, has_control=measured.has_control) - len(reasons)
    return WORDS[max(points, 1) - 1], tuple(reasons)


def lowest(grades: tuple[Grade, ...]) -> Grade:
    """The weakest of several grades; Very low where there is none.

    Examples
    --------
    >>> lowest(("High", "Low"))
    'Low'
    """
    return min(grades, key=WORDS.index, default="Very low")


def _other_season(claim: Claim, launch: date) -> bool:
    """Whether every day of the window is more than a quarter of a year away from the launch's season."""
    if claim.window.period.n_days >= YEAR_DAYS - 2 * SEASON_DAYS:
        return False
    ends = (claim.window.start, claim.window.end)
    gaps = [abs((day - launch).days) % YEAR_DAYS for day in ends]
    return min(min(gap, YEAR_DAYS - gap) for gap in gaps) > SEASON_DAYS
