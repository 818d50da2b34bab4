"""Results of judging a proposal: gates, measured effects, claim results, and the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from opslib.finding import Grade
from opslib.periods import Period
from opslib.stats.estimates import Estimate
from opslib.stats.verdict_rule import ClaimState, GuardrailState

State = ClaimState | Literal["invalid"]
GuardState = GuardrailState | Literal["invalid"]
GateName = Literal[
    "data health",
    "sample ratio",
    "enough history",
    "clustered unit known",
    "measurable",
    "planned looks",
    "ramp strata",
    "selection of the worst",
]
METHOD_VERSION = "2"
"""Raised when the same data would give another verdict; every evaluation in the ledger carries it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition that the data must meet before a verdict.

    Parameters
    ----------
    name : str
        Which condition.
    status : {"passed", "warning", "failed"}
        A failed gate makes the claim invalid; a warning costs a grade.
    sentence : str
        What was found.
    """

    name: GateName
    status: Literal["passed", "warning", "failed"]
    sentence: str

    @classmethod
    def check(cls, name: GateName, is_met: bool, sentence: str) -> Gate:
        """A gate that is passed or failed."""
        return cls(name, "passed" if is_met else "failed", sentence)

    @classmethod
    def most(cls, name: GateName, share: float, sentence: str, *, warning: float, failed: float) -> Gate:
        """A gate on a share that should be small: a grade is lost above ``warning``, the verdict above ``failed``.

        Examples
        --------
        >>> [Gate.most("data health", share, "", warning=0.02, failed=0.2).status for share in (0.02, 0.1, 0.3)]
        ['passed', 'warning', 'failed']
        """
        return cls(name, "failed" if share > failed else "warning" if share > warning else "passed", sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a design found out about one claim.

    Parameters
    ----------
    effect : Estimate or None
        Change in the wanted direction, on the claim's scale; for a level the level, for a trend the growth.
    gates : tuple of Gate
        In the order checked.
    baseline : float or None
        Metric of the control group (or before), in the metric's unit.
    unit : str
        Who varies independently ("visitor", "store"; "shop": the whole scope at once); empty where nothing was measured.
    per : str
        What one unit of the baseline is: ``unit`` for a total, the metric's own denominator ("order") for a ratio.
    per_days : int or None
        Days over which the baseline of one ``per`` was counted; None where it counts once, as one comes.
    n_control, n_treated : int
        Independent units of each side.
    n_days : int
        Days observed.
    variation : float or None
        Squared coefficient of variation of one unit.
    p_value : float or None
        Two-sided, of no change; for the q-value across a portfolio only.
    is_conflicting : bool
        Segments whose signs conflict.
    has_control : bool
        Before/after only: a control series was used.
    is_confounded : bool
        What was changed is seen to have followed the outcome (prices raised where sales rose): an association at most.
    bias_sd : float
        Documented bias of a non-randomised design, on the claim's scale.
    missing_bound : float
        By how much units lost unseen may have moved the effect, on the claim's scale; inside the effect's interval.
    df : float or None
        Degrees of freedom of Student's t behind the interval; None where the normal is used.
    pending : str
        Why no verdict is due yet; empty when one is.
    doubt : str
        The main doubt that the design leaves.
    """

    effect: Estimate | None
    gates: tuple[Gate, ...] = ()
    baseline: float | None = None
    unit: str = ""
    per: str = ""
    per_days: int | None = None
    n_control: int = 0
    n_treated: int = 0
    n_days: int = 0
    variation: float | None = None
    p_value: float | None = None
    is_conflicting: bool = False
    has_control: bool = False
    is_confounded: bool = False
    bias_sd: float = 0.0
    missing_bound: float = 0.0
    df: float | None = None
    pending: str = ""
    doubt: str = ""

    @property
    def failed(self) -> tuple[Gate, ...]:
        """Gates that forbid a verdict."""
        return tuple(gate for gate in self.gates if gate.status == "failed")

    def per_baseline(self, scale: str) -> float:
        """Factor from a claim's scale to the relative one; 1 where there is no baseline."""
        return 1 / abs(self.baseline) if scale == "absolute" and self.baseline else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """A claim's verdict, with what it stands on.

    Parameters
    ----------
    claim_id, sentence, metric, design : str
        From the claim.
    state : str
        The verdict.
    qualifier : str
        "exploratory", "association only", the failed gate's name, "not due", or empty.
    page_sentence : str
        The verdict in a careful analyst's words, with number and interval.
    measured : Measured
        The numbers.
    grade : str
        High, Moderate, Low or Very low.
    grade_reasons : tuple of str
        Why it is lower than the design's start.
    promise, smallest_worthwhile : float
        On the claim's scale.
    scale : str
        relative or absolute.
    p_promise : float or None
        P(effect >= promise) under a flat prior (0-1).
    n_needed, days_needed : float or None
        Units and days still needed, where inconclusive.
    is_confirmatory : bool
        Counts for the proposal's verdict.
    title, unit : str
        The metric's title and the unit of its values.
    is_down : bool
        Whether less of the metric is wanted: effects are turned so that a promise is positive.
    days : Period or None
        The claim's window.
    """

    claim_id: str
    sentence: str
    metric: str
    design: str
    state: State
    qualifier: str
    page_sentence: str
    measured: Measured
    grade: Grade
    grade_reasons: tuple[str, ...]
    promise: float
    smallest_worthwhile: float
    scale: str
    p_promise: float | None = None
    n_needed: float | None = None
    days_needed: float | None = None
    is_confirmatory: bool = True
    title: str = ""
    unit: str = ""
    is_down: bool = False
    days: Period | None = None

    @property
    def label(self) -> str:
        """The verdict as it is written: "inconclusive (association only)"."""
        return _label(self.state, self.qualifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailResult:
    """Whether a metric that must not get worse did not."""

    metric: str
    state: GuardState
    margin: float
    page_sentence: str
    measured: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that stands in a proposal's way.

    Parameters
    ----------
    name : str
        Fixed name of the finding ("no deadline").
    place : str
        Claim, department or field concerned.
    sentence : str
        What is wrong, and the way out.
    severity : {"error", "warning"}
        An error means that the proposal cannot be carried out or judged as written.
    """

    name: str
    place: str
    sentence: str
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalResult:
    """A proposal, judged.

    Parameters
    ----------
    proposal_id, title, owner : str
        From the proposal.
    claims : tuple of ClaimResult
        In the order of the file.
    guardrails : tuple of GuardrailResult
        In the order of the file.
    state : str
        The weakest confirmatory claim's; harmful where a guardrail is broken.
    grade : str
        The lowest of the confirmatory claims.
    obstacles : tuple of Obstacle
        Feasibility, changes since the freeze, silent departments.
    is_frozen, is_replay : bool
        Claims stand as frozen; judged on history.
    method_version : str
        Of the code that judged.
    """

    proposal_id: str
    title: str
    owner: str
    claims: tuple[ClaimResult, ...]
    guardrails: tuple[GuardrailResult, ...]
    state: State
    qualifier: str
    grade: Grade
    obstacles: tuple[Obstacle, ...] = ()
    is_frozen: bool = False
    is_replay: bool = False
    method_version: str = METHOD_VERSION

    @property
    def label(self) -> str:
        """The verdict as it is written."""
        return _label(self.state, self.qualifier)


def _label(state: State, qualifier: str) -> str:
    return f"{state} ({qualifier})" if qualifier else state
