"""What every design shares: plans, context, looks, gates, and the register that evaluators enter."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, TypeAlias, TypeVar

import ibis.expr.types as ir
import pandas as pd

from opslib.contracts import Violation
from opslib.errors import ContractError, DesignError, NotAvailableError, ParameterError, ProposalError
from opslib.formats import format_date
from opslib.metrics import Metric, daily_values
from opslib.periods import Coverage, Period
from opslib.proposals.results import Gate, GateName, Measured
from opslib.proposals.schema import RANDOMISED, Anytime, Claim, Fixed
from opslib.proposals.scope import Scope, where_of
from opslib.stats.estimates import Estimate
from opslib.stats.ratios import RatioComparison
from opslib.stats.verdict_rule import towards

Table: TypeAlias = ir.Table | pd.DataFrame
#: Share of a window's days without data that costs a grade, and that forbids a verdict.
MISSING_WARNING, MISSING_FAILED = 0.02, 0.2
#: Units of each side below which the large-sample intervals are not to be trusted.
LEAST_UNITS = 50
_GATES: dict[str, GateName] = {"history": "enough history", "window": "enough history"}
_DESIGN_TABLES = {"rollout": frozenset({"rollouts"}), "elasticity": frozenset({"price_history", "changes"})}
_COUNTED_BY_DESIGN = {("experiments", "unique key")}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMetric:
    """An outcome that the shop recorded per unit under a name of its own (an e-mail test's ``visit``)."""

    name: str
    direction: Literal[1, -1] = 1
    unit: str = "count"
    unit_of_analysis: str = "customer"
    is_total: bool = False
    tables: tuple[str, ...] = ()
    money_path: str | None = None

    @property
    def title(self) -> str:
        """Title on a page."""
        return self.name.replace("_", " ").capitalize()

    @property
    def definition(self) -> str:
        """Its meaning lies in the recorded table."""
        return "outcome as recorded per unit"


#: Metrics by name, as the registry or a shop defines them, or as recorded under a name of their own.
Definitions: TypeAlias = Mapping[str, Metric | RecordedMetric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One claim, ready to be measured.

    Parameters
    ----------
    key : str
        Unique among the claims measured together.
    claim : Claim
    metric : Metric or RecordedMetric
        Resolved.
    confidence_level : float
        Level of this claim's interval: 1 - .05 / k (0-1).
    """

    key: str
    claim: Claim
    metric: Metric | RecordedMetric
    confidence_level: float = 0.95

    @property
    def direction(self) -> Literal["up", "down"]:
        """Wanted direction: the claim's own, else the metric's."""
        return self.claim.direction or ("up" if self.metric.direction == 1 else "down")

    @property
    def unit(self) -> str:
        """Who varies independently where nothing was randomised."""
        return self.claim.unit or self.metric.unit_of_analysis

    def on_scale(self, share: float, *, baseline: float) -> float:
        """A share of the baseline on the claim's own scale."""
        return share * (1.0 if self.claim.scale == "relative" else abs(baseline))


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What claims are measured on.

    Parameters
    ----------
    tables : mapping of name to table
        The shop's, with local days (`metrics.with_local_days`).
    as_of : date
        Last local day whose data may be looked at.
    coverage : Coverage or None
        Days observed.
    violations : tuple of Violation
        What the data checks found; errors in a table that a claim needs make it invalid.
    """

    tables: Mapping[str, Table]
    as_of: date
    coverage: Coverage | None = None
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """How the claims of one design are measured.

    Parameters
    ----------
    judge : callable
        (plan, period, what was read, context) -> Measured; raises `GateError` where a gate failed.
    key : callable
        (plan, period) -> what must be alike for claims to share a read.
    read : callable
        (key, plans, context) -> what claims of that key are judged on.
    unread : callable
        (plan) -> what can be said without any data; None where nothing can.
    """

    judge: Callable[[Plan, Period, Any, Context], Measured]
    key: Callable[[Plan, Period], Hashable]
    read: Callable[[Any, list[Plan], Context], Any]
    unread: Callable[[Plan], Measured | None]


EVALUATORS: dict[str, Evaluator] = {}
"""Design kind -> how it is measured; a new design enters itself with `evaluates`."""
Judge = TypeVar("Judge", bound=Callable[..., Measured])


class GateError(Exception):
    """A gate failed: there is no number, and what is known stands in ``measured``."""

    def __init__(self, *gates: Gate, n_control: int = 0, n_treated: int = 0) -> None:
        self.measured = Measured(effect=None, gates=gates, n_control=n_control, n_treated=n_treated)


_REFUSING = (GateError, NotAvailableError, ContractError, ParameterError, DesignError)
"""What makes one claim invalid and leaves the others alone."""


def passed(*gates: Gate, **sizes: int) -> tuple[Gate, ...]:
    """The gates, none of which failed; else `GateError` with all of them and the sizes seen.

    Examples
    --------
    >>> passed(Gate.check("measurable", True, "enough units"))[0].status
    'passed'
    """
    if any(gate.status == "failed" for gate in gates):
        raise GateError(*gates, **sizes)
    return gates


def evaluates(
    kind: str,
    *,
    key: Callable[[Plan, Period], Hashable] = lambda plan, period: plan.key,
    read: Callable[[Any, list[Plan], Context], Any] = lambda key, plans, context: None,
    unread: Callable[[Plan], Measured | None] = lambda plan: None,
) -> Callable[[Judge], Judge]:
    """Register the decorated function as evaluator of a design (see `Evaluator`); each claim is read alone unless told.

    Examples
    --------
    >>> sorted(EVALUATORS)[:3]
    ['before_after', 'cluster_experiment', 'comparison']
    """

    def enter(judge: Judge) -> Judge:
        EVALUATORS[kind] = Evaluator(judge=judge, key=key, read=read, unread=unread)
        return judge

    return enter


def measure(plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """Measure claims; those of one design that ask the same rows are answered by one read.

    Parameters
    ----------
    plans : sequence of Plan
        Any number, from any proposals.
    context : Context

    Returns
    -------
    dict of plan key to Measured
        Pending where no look is due; refused by a gate where the tables cannot carry a claim.

    Raises
    ------
    ProposalError
        A design has no evaluator.
    """
    found: dict[str, Measured] = {}
    batches: dict[tuple[str, Hashable], list[tuple[Plan, Period]]] = {}
    for plan in plans:
        kind = plan.claim.design.kind
        if kind not in EVALUATORS:
            raise ProposalError(f"design '{kind}' has no evaluator; those that have: {', '.join(sorted(EVALUATORS))}")
        said, (period, pending) = EVALUATORS[kind].unread(plan), look_of(plan.claim, as_of=context.as_of)
        if said is not None:
            found[plan.key] = said
        elif period is None:
            found[plan.key] = Measured(effect=None, pending=pending)
        else:
            batches.setdefault((kind, EVALUATORS[kind].key(plan, period)), []).append((plan, period))
    for (kind, key), members in batches.items():
        found |= _measured_together(EVALUATORS[kind], key, members, context)
    return found


def _measured_together(
    evaluator: Evaluator, key: Hashable, members: Sequence[tuple[Plan, Period]], context: Context
) -> dict[str, Measured]:
    """Claims of one key, read once; where the tables cannot carry one of them, each is read alone."""
    try:
        data = evaluator.read(key, [plan for plan, _ in members], context)
    except _REFUSING as error:
        if len(members) == 1:
            return {members[0][0].key: _refusal(error)}
        alone = [_measured_together(evaluator, key, [member], context) for member in members]
        return {name: measured for one in alone for name, measured in one.items()}
    found = {}
    for plan, period in members:
        try:
            found[plan.key] = evaluator.judge(plan, period, data, context)
        except _REFUSING as error:
            found[plan.key] = _refusal(error)
    return found


def _refusal(error: Exception) -> Measured:
    """No number, by the gate that failed or for what the tables lack."""
    if isinstance(error, GateError):
        return error.measured
    gate = _GATES.get(getattr(error, "gate", ""), "measurable")
    return Measured(effect=None, gates=(Gate(gate, "failed", str(error)),))


def look_of(claim: Claim, *, as_of: date) -> tuple[Period | None, str]:
    """Which data the claim's stopping rule lets one see on a day.

    Parameters
    ----------
    claim : Claim
    as_of : date
        Last day whose data are there.

    Returns
    -------
    (Period or None, str)
        From the window's start to the look that is due; None before the first one, and when that will be.
    """
    window, stopping = claim.window, claim.stopping
    if as_of < window.start:
        return None, f"it starts on {format_date(window.start)}"
    if isinstance(stopping, Fixed):
        late = f"it is looked at once, after {format_date(window.end)}; an earlier look would raise false alarms"
        return (None, late) if as_of < window.end else (window.period, "")
    if isinstance(stopping, Anytime):
        return Period(window.start, min(as_of, window.end)), ""
    due = [day for day in stopping.looks if day <= as_of]
    if not due:
        return None, f"the first planned look is on {format_date(stopping.looks[0])}"
    return Period(window.start, due[-1]), ""


def design_tables(design: Any) -> frozenset[str]:
    """Tables that a design itself reads, besides those of the metric.

    Examples
    --------
    >>> from opslib.proposals.schema import RolloutDesign
    >>> sorted(design_tables(RolloutDesign(kind="rollout", rollout="R1")))
    ['rollouts']
    """
    if design.kind in RANDOMISED:
        read = {"experiment_arms", design.source}
        return frozenset(read if design.source == "experiment_summaries" else read | {"experiments"})
    return _DESIGN_TABLES.get(design.kind, frozenset())


def health_gate(plan: Plan, context: Context, period: Period) -> Gate:
    """Whether the tables behind a claim, its design's included, are fit, and the window's days were seen.

    Units that a test lists twice are no fault of the table here: `assignment.crossing_gate` counts those of the test itself.
    """
    tables = set(plan.metric.tables) | {item.table for item in plan.claim.scope} | design_tables(plan.claim.design)
    errors = [
        violation
        for violation in context.violations
        if violation.table in tables
        and violation.severity == "error"
        and (violation.table, violation.rule) not in _COUNTED_BY_DESIGN
    ]
    if errors:
        first = errors[0]
        sentence = f"{first.table}.{first.column} breaks '{first.rule}' in {first.n_rows:,} rows"
        return Gate("data health", "failed", sentence)
    seen = period.n_days if context.coverage is None else context.coverage.n_observed(period)
    sentence = f"{period.n_days - seen} of {period.n_days} days have no data"
    share = 1 - seen / period.n_days
    return Gate.most("data health", share, sentence, warning=MISSING_WARNING, failed=MISSING_FAILED)


def units_gate(
    n_control: float,
    n_treated: float,
    *,
    least: int = LEAST_UNITS,
    unit: str = "units",
    sides: tuple[str, str] = ("without", "with the change"),
) -> Gate:
    """Whether both sides have enough independent units."""
    sentence = f"{n_control:,.0f} {unit} {sides[0]} and {n_treated:,.0f} {sides[1]}; {least} of each are the least"
    return Gate.check("measurable", min(n_control, n_treated) >= least, sentence)


def from_comparison(plan: Plan, comparison: RatioComparison, *, unit: str, n_days: int, **more: Any) -> Measured:
    """A `stats` comparison on the claim's scale, turned so that a promise is positive."""
    scaled = comparison.relative if plan.claim.scale == "relative" else comparison.absolute
    effect = towards(scaled, direction=plan.direction)
    return Measured(
        effect=effect,
        baseline=comparison.control_value,
        n_control=comparison.n_control,
        n_treated=comparison.n_treated,
        n_days=n_days,
        **per_of(plan, unit=unit, n_days=n_days),
        variation=_variation(comparison),
        p_value=comparison.p_value,
        df=comparison.df,
        **more,
    )


#: Units that are there all the time, so that what they bring grows with the days; the others come, and count once.
STANDING = ("customer", "product", "store", "region", "market", "shop")
#: What one unit of a measure is, where it divides a metric or is its total.
COUNTED = {
    "visitors": "visitor", "visits": "session", "sessions": "session", "orders": "order", "units_sold": "item",
    "customers": "customer", "buying_customers": "customer", "checkout_visits": "checkout",
}  # fmt: skip


def per_of(plan: Plan, *, unit: str, n_days: int) -> dict[str, Any]:
    """What a baseline counts one of, and over how many days, as `Measured` carries it.

    Parameters
    ----------
    plan : Plan
    unit : str
        Who varies independently.
    n_days : int
        Days over which a total of one unit was counted.

    Returns
    -------
    dict
        ``unit``, ``per`` and ``per_days``.
    """
    if plan.metric.is_total:
        return {"unit": unit, "per": unit, "per_days": n_days if unit in STANDING else None}
    return {"unit": unit, "per": COUNTED.get(getattr(plan.metric, "denominator", ""), unit), "per_days": None}


def days_of(
    plans: Sequence[Plan], context: Context, period: Period, scope: Scope, *, by: str | None = None
) -> pd.DataFrame:
    """Daily values of the plans' metrics over the rows of a scope; days that were not observed are missing."""
    return daily_values(
        context.tables, metrics_of(plans), period=period, coverage=context.coverage, where=where_of(scope), by=by
    )


def metrics_of(plans: Sequence[Plan]) -> list[Any]:
    """Metrics of some plans, each once."""
    return list({plan.metric.name: plan.metric for plan in plans}.values())


def relative_change(slope: Estimate, step: float, *, unit: str = "relative") -> Estimate:
    """Relative change that a slope of logarithms gives over ``step`` of its driver."""
    value = math.expm1(step * slope.value)
    lower, upper = sorted(math.expm1(step * end) for end in (slope.lower, slope.upper))
    error = None if slope.std_error is None else slope.std_error * abs(step) * (1 + value)
    return replace(slope, value=value, lower=lower, upper=upper, unit=unit, std_error=error)


def _variation(comparison: RatioComparison) -> float | None:
    """Squared coefficient of variation of one unit that the relative error implies."""
    error, n = comparison.relative.std_error, (comparison.n_control, comparison.n_treated)
    if error is None or min(n) < 1 or comparison.relative.value <= -1:
        return None
    return (error / (1 + comparison.relative.value)) ** 2 / (1 / n[0] + 1 / n[1])
