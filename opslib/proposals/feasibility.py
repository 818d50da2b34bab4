"""Feasibility of a proposal: obstacles to carrying it out or judging it, each by a fixed name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import pandas as pd

from opslib.formats import format_date
from opslib.periods import Period
from opslib.proposals import number_text
from opslib.proposals.designs.design import Definitions
from opslib.proposals.preregistration import FrozenDifference
from opslib.proposals.results import Obstacle
from opslib.proposals.schema import RANDOMISED, Claim, Consultation, Proposal
from opslib.stats.multiplicity import bonferroni_level
from opslib.stats.power import minimal_detectable_change, needed_units

LONG_DAYS = 56
"""Windows from this length on hold every weekday often enough."""
MIN_WINDOWS = 5
"""Windows of the same length that history must hold before a chosen one can be called the best of them."""
_GOAL_WORDS = re.compile(
    r"\b(ris\w+|rais\w+|increas\w+|grow\w*|lift\w*|gain\w*|improv\w+|doubl\w+|fall\w*|drop\w*|reduc\w+|decreas\w+|"
    r"lower\w*|cut\w*|halv\w+|shrink\w*|more|fewer|less|higher)\b",
    re.IGNORECASE,
)
_JOINTS = re.compile(r"\s(?:and|as well as|while|plus|but also)\s|;|\s&\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What flows past a claim, from history.

    Parameters
    ----------
    units_per_day : float
        New units a day that would enter the comparison, both arms together.
    variation : float
        Squared coefficient of variation of one unit.
    baseline : float
        The metric now, in its unit.
    """

    units_per_day: float
    variation: float
    baseline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRange:
    """What a metric has done before, over windows as long as the claim's.

    Parameters
    ----------
    values : tuple of float
        The metric in each earlier window of that length, oldest first, in its unit; the claim's own window last if it
        has been seen.
    chosen : float or None
        The metric in the claim's own window.
    """

    values: tuple[float, ...]
    chosen: float | None = None

    @property
    def largest_change(self) -> float:
        """Largest relative change from one window to the next, either way; infinite where nothing is known."""
        pairs = [(a, b) for a, b in zip(self.values, self.values[1:], strict=False) if a > 0]
        return max((abs(b / a - 1) for a, b in pairs), default=float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PrePeriod:
    """Pre-period data and context of a proposal; what is left out is not checked.

    Parameters
    ----------
    traffic, history : mapping of claim id
        `Traffic` and `HistoryRange`.
    runs : mapping of claim id to Period
        Days on which the claim's experiment took in units.
    capacity : DataFrame or None
        Table ``capacity``: department, month, person_days, budget_amount.
    proposals : mapping of proposal id to {"open", "running", "done", "rejected"}
        The shop's other proposals.
    obstacles : mapping of claim id to str
        Why the shop's tables cannot carry a claim.
    changes : tuple of FrozenDifference
        Fields that differ from the frozen ones.
    frozen_in_time : bool
        Frozen before the first outcome.
    """

    traffic: Mapping[str, Traffic] = field(default_factory=dict)
    history: Mapping[str, HistoryRange] = field(default_factory=dict)
    runs: Mapping[str, Period] = field(default_factory=dict)
    capacity: pd.DataFrame | None = None
    proposals: Mapping[str, Literal["open", "running", "done", "rejected"]] | None = None
    obstacles: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[FrozenDifference, ...] = ()
    frozen_in_time: bool = False


def feasibility(
    proposal: Proposal,
    *,
    metrics: Definitions,
    pre_period: PrePeriod,
) -> tuple[Obstacle, ...]:
    """Everything that stands in a proposal's way, by name.

    Parameters
    ----------
    proposal : Proposal
    metrics : mapping of name to Metric
        The registry, with the shop's own.
    pre_period : PrePeriod
        Traffic, history, capacity, other proposals, what was frozen.

    Returns
    -------
    tuple of Obstacle
        Errors first.
    """
    found = [
        *_unfinished(proposal),
        *_concrete(proposal, metrics),
        *_measurable(proposal, pre_period),
        *_inside_history(proposal, pre_period),
        *_frozen(pre_period.changes),
        *_windows(proposal, pre_period),
        *_within_capacity(proposal, pre_period.capacity),
        *_prerequisites(proposal, pre_period.proposals),
        *_answers(proposal),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity))


def latest_answers(consultations: Iterable[Consultation]) -> dict[str, Consultation]:
    """The last answer of each department."""
    return {answer.department: answer for answer in sorted(consultations, key=lambda item: item.date)}


def effort_days_of(proposal: Proposal) -> dict[str, float]:
    """Person-days by department, the owner first: what it answered last, else what the proposal says."""
    answered = {name: answer.effort_person_days for name, answer in latest_answers(proposal.consultations).items()}
    needed: dict[str, float] = {}
    for effort in proposal.affected:
        days = answered.get(effort.department)
        if days is None or effort.department not in needed:
            needed[effort.department] = needed.get(effort.department, 0.0) + (
                effort.person_days if days is None else days
            )
    return needed


def _obstacle(name: str, place: str, sentence: str, *, is_warning: bool = False) -> Obstacle:
    return Obstacle(name=name, place=place, sentence=sentence, severity="warning" if is_warning else "error")


def _unfinished(proposal: Proposal) -> Iterable[Obstacle]:
    for item in proposal.to_do:
        place, _, sentence = item.partition(": ")
        yield _obstacle("to be filled in", place if sentence else "draft", sentence or place)


def _concrete(proposal: Proposal, metrics: Definitions) -> Iterable[Obstacle]:
    if proposal.deadline is None:
        yield _obstacle(
            "no deadline", "deadline", "no day is named by which the promise must have come true; set deadline"
        )
    for claim in proposal.claims:
        metric = metrics[claim.metric]
        if metric.is_total and claim.unit is None and claim.design.kind != "outside":
            yield _obstacle(
                "no denominator",
                claim.id,
                f"'{claim.metric}' is a total: say per what with unit (visitor, "
                "customer, session, ...), so that more traffic does not pass for success",
            )
        goals = _goals(claim, metrics)
        if len(goals) > 1:
            yield _obstacle(
                "two goals in one",
                claim.id,
                f"the sentence promises {' and '.join(goals)}; write one claim "
                "for each, so that each can fail on its own",
            )


def _goals(claim: Claim, metrics: Definitions) -> list[str]:
    """Goals that a sentence names: metrics by title, or parts with a word of change each."""
    text = claim.sentence.lower()
    titles: list[str] = []
    for title in sorted((metric.title.lower() for metric in metrics.values()), key=len, reverse=True):
        # Of "conversion of visitors" the visitors are no goal of their own.
        if re.search(rf"(?<!\bof )\b{re.escape(title)}\b", text):
            titles.append(title)
            text = text.replace(title, " ")
    parts = [part.strip() for part in _JOINTS.split(claim.sentence) if _GOAL_WORDS.search(part)]
    if len(titles) > 1 and (_JOINTS.search(claim.sentence) or "," in claim.sentence):
        return [f"'{title}'" for title in titles]
    return [f"'{part.rstrip('.')}'" for part in parts] if len(parts) > 1 else titles[:1]


def _measurable(proposal: Proposal, pre_period: PrePeriod) -> Iterable[Obstacle]:
    for place, obstacle in pre_period.obstacles.items():
        yield _obstacle("not measurable", place, obstacle)
    level = bonferroni_level(max(len(proposal.confirmatory), 1))
    for claim in proposal.claims:
        traffic = pre_period.traffic.get(claim.id)
        if traffic is None or claim.design.kind not in RANDOMISED:
            continue
        days = claim.window.period.n_days
        if proposal.deadline is not None:
            days = max(min(days, (proposal.deadline - claim.window.start).days + 1), 0)
        contrast = claim.contrast(1.0 if claim.scale == "relative" else 1 / traffic.baseline)
        if contrast in (0, -1):
            continue
        needed = needed_units(traffic.variation, change=contrast, confidence_level=level)
        there = traffic.units_per_day * days
        if needed > there:
            sentence = _reach_sentence(claim, needed, there, days, traffic, level)
            yield _obstacle("sample out of reach", claim.id, sentence)


def _reach_sentence(
    claim: Claim, needed: int, there: float, days: int, traffic: Traffic, confidence_level: float
) -> str:
    side, seen = there / 2, ""
    if side > 1:
        change = minimal_detectable_change(
            traffic.variation, n_control=side, n_treated=side, confidence_level=confidence_level
        )
        seen = f"; in that time a change of {number_text.number(change, relative=True)} can be seen"
    return (
        f"too few {getattr(claim.design, 'randomised', 'unit')}s to see the promise: {days} days until the deadline bring about "
        f"{number_text.count(there)} of the {number_text.count(needed)} needed (80 % power){seen}; promise more, wait longer, or "
        "choose a metric that varies less"
    )


def _inside_history(proposal: Proposal, pre_period: PrePeriod) -> Iterable[Obstacle]:
    for claim in proposal.claims:
        history = pre_period.history.get(claim.id)
        if history is None or len(history.values) < MIN_WINDOWS or claim.design.kind == "trend":
            continue
        base = 1.0 if claim.scale == "relative" else history.values[-1]
        change = claim.promise / base if base else 0.0  # of nothing, no share can be said
        best, is_down = max(history.values), claim.direction == "down"
        if claim.design.kind == "level":
            is_outside = claim.promise < min(history.values) if is_down else claim.promise > best
            windows = f"{len(history.values)} windows was {best:.3g}"
            sentence = f"the level {claim.promise:.3g} was never reached: the best of {windows}"
        else:
            is_outside = change > history.largest_change
            sentence = (
                f"a change of {number_text.number(change, relative=True)} is promised; from window to window the metric has "
                f"never moved more than {number_text.number(history.largest_change, relative=True).lstrip('+')}"
            )
        if is_outside:
            yield _obstacle("promise outside history", claim.id, sentence)


def _frozen(changes: tuple[FrozenDifference, ...]) -> Iterable[Obstacle]:
    for change in changes:
        swapped = change.field.startswith("metrics.") or change.field.endswith(".metric")
        name = "metric swapped after freezing" if swapped else "changed after freezing"
        yield _obstacle(name, change.field, f"{change.sentence}; freeze the change as a new proposal")


def _windows(proposal: Proposal, pre_period: PrePeriod) -> Iterable[Obstacle]:
    for claim in proposal.claims:
        period = claim.window.period
        is_daily = claim.design.kind != "outside" and getattr(claim.design, "source", "") not in (
            "unit_outcomes",
            "experiment_summaries",
        )
        if period.n_days % 7 and period.n_days < LONG_DAYS and is_daily:
            yield _obstacle(
                "window of part weeks",
                claim.id,
                f"{period.n_days} days hold some weekdays more often than others; take whole weeks",
                is_warning=True,
            )
        if pre_period.frozen_in_time:
            continue
        run = pre_period.runs.get(claim.id)
        if run is not None and (period.start > run.start or period.end < run.end) and not _continues(claim, run):
            yield _obstacle(
                "cherry-picked window",
                claim.id,
                f"the test took in units {run.label}, and the window chosen "
                f"afterwards is {period.label}; judge the whole run",
            )
        history = pre_period.history.get(claim.id)
        if history is not None and _is_best_of(history, claim):
            yield _obstacle(
                "cherry-picked window",
                claim.id,
                f"the window {period.label} was chosen afterwards and is the "
                f"best of {len(history.values)} of its length; name it before, or take all",
            )


def _continues(claim: Claim, run: Period) -> bool:
    """Whether the rest of the run was named as the follow-up's hold-out: then no day is left out."""
    plan, window = claim.follow_up, claim.window
    return (
        plan is not None
        and plan.design == "hold_out"
        and window.start <= run.start
        and plan.window.end >= run.end
        and plan.window.start == window.end + timedelta(days=1)
    )


def _is_best_of(history: HistoryRange, claim: Claim) -> bool:
    others = [value for value in history.values if value != history.chosen]
    if history.chosen is None or len(others) + 1 < MIN_WINDOWS or claim.design.kind in RANDOMISED:
        return False
    is_down = claim.direction == "down"
    return history.chosen < min(others) if is_down else history.chosen > max(others)


def _within_capacity(proposal: Proposal, capacity: pd.DataFrame | None) -> Iterable[Obstacle]:
    if capacity is None:
        return
    last = proposal.deadline or proposal.start
    month = pd.to_datetime(capacity["month"])
    there = capacity[(month >= pd.Timestamp(proposal.start).replace(day=1)) & (month <= pd.Timestamp(last))]
    for department, needed in effort_days_of(proposal).items():
        rows = there[there["department"] == department]
        free = float(rows["person_days"].sum())
        if rows.empty and needed > 0:
            yield _obstacle(
                "capacity unknown",
                department,
                "the table capacity has no row of this department between start and deadline",
                is_warning=True,
            )
        elif needed > free:
            yield _obstacle(
                "over capacity",
                department,
                f"needs {needed:g} person-days by {format_date(last)}, and has {free:g}",
            )
    budget = there[there["department"] == proposal.owner]
    if "budget_amount" in budget and not budget.empty and proposal.one_off_cost_amount > budget["budget_amount"].sum():
        yield _obstacle(
            "over budget",
            proposal.owner,
            f"costs {proposal.one_off_cost_amount:,.0f} once, and has {float(budget['budget_amount'].sum()):,.0f}",
        )


def _prerequisites(
    proposal: Proposal,
    known: Mapping[str, str] | None,
) -> Iterable[Obstacle]:
    if known is None:
        return
    for other in proposal.depends_on:
        if known.get(other) != "done":
            status = known.get(other, "not known here")
            yield _obstacle("prerequisite missing", other, f"'{other}' must be done first, and is {status}")
    for other in proposal.excludes:
        if known.get(other) in ("running", "done"):
            yield _obstacle("excluded", other, f"'{other}' is {known[other]} and cannot stand beside this one")


def _answers(proposal: Proposal) -> Iterable[Obstacle]:
    answers = latest_answers(proposal.consultations)
    for department in dict.fromkeys(effort.department for effort in proposal.affected):
        answer = answers.get(department)
        if answer is None:
            if department != proposal.owner:
                yield _obstacle("no answer", department, f"{department} has not answered; ask them")
        elif answer.answer == "object":
            yield _obstacle("objection", department, f"{answer.person} objects: {answer.note}")
        elif answer.answer == "agree_if":
            yield _obstacle("condition", department, f"{answer.person} agrees if: {answer.note}", is_warning=True)
