"""Schema of a proposal's file: preregistered claims, and all that judging them needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from opslib.periods import Period
from opslib.proposals.scope import Part, Scope, column_kind

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=1_000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
UnitOfAnalysis = Literal["visitor", "customer", "session", "order", "product", "store", "region", "week", "day"]
Department = Annotated[str, Field(min_length=1, max_length=80)]


class Window(Part):
    """Local days on which a claim's outcomes count, both ends included."""

    start: date
    end: date

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.end < self.start:
            raise ValueError(f"the end {self.end} is before the start {self.start}")
        return self

    @property
    def period(self) -> Period:
        """The window as a period."""
        return Period(self.start, self.end)


class Fixed(Part):
    """One look, when the window has ended."""

    kind: Literal["fixed"] = "fixed"


class GroupSequential(Part):
    """Looks planned beforehand (O'Brien-Fleming spending); the last one is the window's end."""

    kind: Literal["group_sequential"] = "group_sequential"
    looks: Annotated[tuple[date, ...], Field(strict=False, min_length=2, max_length=12)]

    @model_validator(mode="after")
    def _in_order(self) -> GroupSequential:
        if list(self.looks) != sorted(set(self.looks)):
            raise ValueError("looks must be different dates in order")
        return self


class Anytime(Part):
    """A look at any time, paid for by a wider interval (confidence sequence)."""

    kind: Literal["anytime"] = "anytime"
    tuned_n: Annotated[int, Field(gt=1, description="units of both arms at which the sequence is narrowest")]


Stopping = Annotated[Fixed | GroupSequential | Anytime, Field(discriminator="kind")]


def _two_arms(design: Any) -> Any:
    if design.control == design.treatment:
        raise ValueError(f"control and treatment are both '{design.control}'")
    return design


class ExperimentDesign(Part):
    """Customers, visitors or sessions randomised."""

    kind: Literal["experiment"]
    experiment: Text
    control: Text
    treatment: Text
    randomised: Literal["visitor", "customer", "session"]
    source: Literal["experiments", "unit_outcomes", "experiment_summaries"] = "experiments"
    analysed_by: UnitOfAnalysis | None = None
    covariate_days: Annotated[int, Field(ge=0, le=365)] = 0
    segment: (
        Annotated[str, Field(description="table.column whose groups must not point in opposite directions")] | None
    ) = None
    is_ramp_pooled: bool = False

    _arms = model_validator(mode="after")(_two_arms)

    @model_validator(mode="after")
    def _known(self) -> ExperimentDesign:
        if self.segment is not None:
            column_kind(*self.segment.partition(".")[::2])
        return self


class ClusterExperimentDesign(Part):
    """Stores, regions or weeks randomised."""

    kind: Literal["cluster_experiment"]
    experiment: Text
    control: Text
    treatment: Text
    randomised: Literal["store", "region", "week"]
    source: Literal["experiments", "unit_outcomes"] = "experiments"
    covariate_days: Annotated[int, Field(ge=0, le=365)] = 0

    _arms = model_validator(mode="after")(_two_arms)


class RolloutDesign(Part):
    """Treated against untreated units over time."""

    kind: Literal["rollout"]
    rollout: Text
    history_days: Annotated[int, Field(ge=14)] = 84
    method: Literal["did", "synthetic_did"] = "did"


class BeforeAfterDesign(Part):
    """The shop's own history before and after a date, with or without a control series."""

    kind: Literal["before_after"]
    changed_on: date
    history_days: Annotated[
        int, Field(ge=56, description="days before the change that are read, where the data reach")
    ] = 728
    control_scope: Scope = ()


class ElasticityDesign(Part):
    """Response of units sold to a change of price, promotion weeks left out."""

    kind: Literal["elasticity"]
    price_change: Annotated[float, Field(gt=-1, allow_inf_nan=False, description="relative, e.g. -.05 for 5 % less")]
    history_days: Annotated[int, Field(ge=56)] = 364

    @model_validator(mode="after")
    def _moves(self) -> ElasticityDesign:
        if self.price_change == 0:
            raise ValueError("price_change is 0: say by how much the price moves")
        return self


class LevelDesign(Part):
    """Is a share, mean or ratio at least the promise?"""

    kind: Literal["level"]


class TrendDesign(Part):
    """Is the growth a period at least the promise (relative, e.g. .01 = 1 % a month)?"""

    kind: Literal["trend"]
    grain: Literal["week", "month"] = "month"


class ComparisonDesign(Part):
    """Two groups as found; shows an association, never a cause."""

    kind: Literal["comparison"]
    group: Annotated[str, Field(description="table.column that tells the groups apart")]
    control: Text
    treatment: Text

    _arms = model_validator(mode="after")(_two_arms)

    @model_validator(mode="after")
    def _known(self) -> ComparisonDesign:
        column_kind(*self.group.partition(".")[::2])
        return self


class OutsideDesign(Part):
    """A cited benchmark, or the range that an expert gives with stated certainty."""

    kind: Literal["outside"]
    citation: Text
    value: Number
    lower: Number
    upper: Number
    level: Annotated[float, Field(gt=0, lt=1)] = 0.9

    @model_validator(mode="after")
    def _in_order(self) -> OutsideDesign:
        if not self.lower <= self.value <= self.upper:
            raise ValueError(f"needed lower <= value <= upper, not {self.lower}, {self.value}, {self.upper}")
        return self


Design = Annotated[
    ExperimentDesign
    | ClusterExperimentDesign
    | RolloutDesign
    | BeforeAfterDesign
    | ElasticityDesign
    | LevelDesign
    | TrendDesign
    | ComparisonDesign
    | OutsideDesign,
    Field(discriminator="kind"),
]
RANDOMISED = ("experiment", "cluster_experiment")
DESCRIPTIVE = ("level", "trend")


class FollowUp(Part):
    """How the promise is looked at again after the launch."""

    design: Literal["hold_out", "before_after"]
    window: Window
    hold_out_share: Share | None = None

    @model_validator(mode="after")
    def _has_share(self) -> FollowUp:
        if (self.design == "hold_out") != (self.hold_out_share is not None):
            raise ValueError("hold_out_share belongs to the design hold_out, and is needed there")
        return self


class Claim(Part):
    """One sentence that data can prove wrong.

    ``promise`` and ``smallest_worthwhile`` (smallest change worth having; ``m`` in a file is the same) are positive in the wanted direction: relative changes
    (.05 = 5 %) or, with ``scale: absolute``, changes in the metric's own unit. For a level the promise is the threshold.
    """

    id: Id
    sentence: Text
    metric: Id
    unit: UnitOfAnalysis | None = None
    direction: Literal["up", "down"] | None = None
    scope: Scope = ()
    design: Design
    promise: Positive
    smallest_worthwhile: Annotated[Amount, Field(validation_alias=AliasChoices("smallest_worthwhile", "m"))] = 0.0
    scale: Literal["relative", "absolute"] = "relative"
    window: Window
    stopping: Stopping = Fixed()
    follow_up: FollowUp | None = None
    is_confirmatory: bool = True

    @model_validator(mode="after")
    def _hangs_together(self) -> Claim:
        if self.smallest_worthwhile > self.promise:
            raise ValueError(
                f"smallest_worthwhile {self.smallest_worthwhile} is larger than the promise {self.promise}; "
                "needed 0 <= smallest_worthwhile <= promise"
            )
        if isinstance(self.stopping, GroupSequential):
            looks = self.stopping.looks
            if looks[0] <= self.window.start or looks[-1] != self.window.end:
                raise ValueError("looks lie after the window's start, and the last one is the window's end")
        if not isinstance(self.stopping, Fixed) and self.design.kind != "experiment":
            raise ValueError(f"stopping '{self.stopping.kind}' needs the design experiment, not {self.design.kind}")
        return self

    def contrast(self, per_baseline: float) -> float:
        """Relative change from the smallest worthwhile to the promised value, whose factor to shares is given."""
        sign = -1 if self.direction == "down" else 1
        return (1 + sign * self.promise * per_baseline) / (1 + sign * self.smallest_worthwhile * per_baseline) - 1


class Guardrail(Part):
    """A metric that must not get worse by more than ``margin`` (judged in the first claim's design and window)."""

    metric: Id
    margin: Amount
    scale: Literal["relative", "absolute"] = "relative"


class Effort(Part):
    """Person-days that a department puts in."""

    department: Department
    person_days: Amount = 0.0


class Consultation(Part):
    """What a department answered, when asked."""

    department: Department
    person: Text
    date: date
    answer: Literal["agree", "agree_if", "object"]
    effort_person_days: Amount | None = None
    note: str = ""

    @model_validator(mode="after")
    def _says_why(self) -> Consultation:
        if self.answer != "agree" and not self.note.strip():
            raise ValueError(f"answer '{self.answer}' needs a note: the condition, or the reason")
        return self


class Basis(Part):
    """A finding that a proposal rests on."""

    page: Text
    finding: Text


class Proposal(Part):
    """A change that somebody wants to make, and the claims that it stands on."""

    id: Id
    title: Text
    need: Text
    change: Text | None = None
    owner: Department
    owner_person_days: Amount = 0.0
    departments: Annotated[tuple[Effort, ...], Field(strict=False)] = ()
    one_off_cost_amount: Amount = 0.0
    running_cost_amount: Annotated[float, Field(ge=0, allow_inf_nan=False, description="a month")] = 0.0
    reach_unit: UnitOfAnalysis | None = None
    large: Text | None = None
    reach: Annotated[float, Field(gt=0, allow_inf_nan=False, description="units of the first claim a month")] | None = (
        None
    )
    horizon_days: Annotated[int, Field(gt=0, le=3_660)] = 365
    decay: Annotated[float, Field(ge=0, lt=1, description="share of the effect that fades a month")] = 0.0
    reversibility: Literal["easy", "costly", "final"] = "easy"
    start: date
    deadline: date | None = None
    depends_on: Annotated[tuple[Id, ...], Field(strict=False)] = ()
    excludes: Annotated[tuple[Id, ...], Field(strict=False)] = ()
    guardrails: Annotated[tuple[Guardrail, ...], Field(strict=False)] = ()
    stated_probability: Share | None = None
    consultations: Annotated[tuple[Consultation, ...], Field(strict=False)] = ()
    claims: Annotated[tuple[Claim, ...], Field(strict=False, min_length=1)]
    rests_on: Annotated[
        tuple[Basis, ...], Field(strict=False, description="findings that the need comes from, by page and key")
    ] = ()
    replay: bool = False
    to_do: Annotated[
        tuple[Text, ...],
        Field(strict=False, description="what a draft still lacks, 'field: why'; none may be left to freeze"),
    ] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> Proposal:
        ids = [claim.id for claim in self.claims]
        if len(set(ids)) != len(ids):
            raise ValueError(f"claim id '{next(i for i in ids if ids.count(i) > 1)}' is used twice")
        if self.deadline is not None and self.deadline < self.start:
            raise ValueError(f"the deadline {self.deadline} is before the start {self.start}")
        if self.id in self.depends_on + self.excludes:
            raise ValueError(f"'{self.id}' depends on or excludes itself")
        return self

    @property
    def affected(self) -> tuple[Effort, ...]:
        """Every department with its effort, the owner first."""
        return (Effort(department=self.owner, person_days=self.owner_person_days), *self.departments)

    @property
    def confirmatory(self) -> tuple[Claim, ...]:
        """Claims that share the 5 % of error."""
        return tuple(claim for claim in self.claims if claim.is_confirmatory)

    def metrics(self) -> Iterator[str]:
        """Names of the metrics used, claims first, each once."""
        yield from dict.fromkeys([c.metric for c in self.claims] + [g.metric for g in self.guardrails])
