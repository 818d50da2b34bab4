"""What every design shares: plans, context, looks, gates, and the register that evaluators enter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias, TypeVar

import ibis.expr.types as ir
import pandas as pd

from opslib.contracts import Violation
from opslib.errors import ContractError, DesignError, NotAvailableError, ParameterError, ProposalError
from opslib.metrics import Metric
from opslib.periods import Coverage, Period
from opslib.proposals.model import RANDOMISED, Anytime, Claim, Fixed, Scope
from opslib.proposals.results import Gate, GateName, Measured
from opslib.stats.ratios import Comparison
from opslib.stats.verdict_rule import towards

Table: TypeAlias = ir.Table | pd.DataFrame
Key = TypeVar("Key")
Read = TypeVar("Read")
#: Share of a window's days without data that costs a grade, and that forbids a verdict.
MISSING_WARNING, MISSING_FAILED = 0.02, 0.2
#: Units of each side below which the large-sample intervals are not to be trusted.
LEAST_UNITS = 50
_GATES: dict[str, GateName] = {"history": "enough history", "window": "enough history"}
_DESIGN_TABLES = {"rollout": frozenset({"rollouts"}), "elasticity": frozenset({"price_history", "changes"})}
_COUNTED_BY_DESIGN = {("experiments", "unique key")}
_OPERATORS = {"eq": "=", "ne": "!=", "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "in": "in", "not_in": "not in"}


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

    def resolved(self) -> dict[str, Any]:
        """What a freeze hashes: the name, and that its meaning lies in the recorded table."""
        return {"name": self.name, "definition": "outcome as recorded per unit", "direction": self.direction}


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
    level : float
        Level of this claim's interval: 1 - .05 / k (0-1).
    """

    key: str
    claim: Claim
    metric: Metric | RecordedMetric
    level: float = 0.95

    @property
    def direction(self) -> Literal["up", "down"]:
        """Wished-for direction: the claim's own, else the metric's."""
        return self.claim.direction or ("up" if self.metric.direction == 1 else "down")

    @property
    def unit(self) -> str:
        """Who varies independently where nothing was randomised."""
        return self.claim.unit or self.metric.unit_of_analysis


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
class Look:
    """Which data a stopping rule lets one see.

    Parameters
    ----------
    period : Period or None
        Outcomes that count; None while no look is due.
    number : int
        Position among the planned looks, from 1; 0 where there are none.
    pending : str
        Why no look is due, else empty.
    """

    period: Period | None
    number: int = 0
    pending: str = ""


Evaluator = Callable[[Sequence[Plan], Context], dict[str, Measured]]
EVALUATORS: dict[str, Evaluator] = {}
"""Design kind -> function; a new design enters itself with `evaluates`."""


def evaluates(kind: str) -> Callable[[Evaluator], Evaluator]:
    """Enter a function as the evaluator of a design.

    Examples
    --------
    >>> "experiment" in EVALUATORS or True
    True
    """

    def enter(function: Evaluator) -> Evaluator:
        EVALUATORS[kind] = function
        return function

    return enter


def measure(plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """Measure claims, those of one design together.

    Parameters
    ----------
    plans : sequence of Plan
        Any number, from any proposals.
    context : Context

    Returns
    -------
    dict of plan key to Measured

    Raises
    ------
    ProposalError
        A design has no evaluator.
    """
    by_kind: dict[str, list[Plan]] = {}
    for plan in plans:
        by_kind.setdefault(plan.claim.design.kind, []).append(plan)
    found: dict[str, Measured] = {}
    for kind, group in by_kind.items():
        if kind not in EVALUATORS:
            raise ProposalError(f"design '{kind}' has no evaluator; those that have: {', '.join(sorted(EVALUATORS))}")
        found |= _measured_together(EVALUATORS[kind], group, context)
    return found


def _measured_together(evaluator: Evaluator, plans: Sequence[Plan], context: Context) -> dict[str, Measured]:
    """All plans in one go; where the tables cannot carry one of them, that one is refused by name."""
    try:
        return evaluator(plans, context)
    except (NotAvailableError, ContractError, ParameterError, DesignError) as error:
        if len(plans) > 1:
            return {
                key: value for plan in plans for key, value in _measured_together(evaluator, [plan], context).items()
            }
        gate = _GATES.get(getattr(error, "gate", ""), "measurable")
        return {plans[0].key: refused(Gate(name=gate, status="failed", sentence=str(error)))}


def in_batches(
    plans: Sequence[Plan],
    context: Context,
    *,
    key: Callable[[Plan, Period], Key],
    read: Callable[[Key, list[Plan], Context], Read],
    judge: Callable[[Plan, Period, Read, Context], Measured],
) -> dict[str, Measured]:
    """Measure the plans whose look is due, those of one key on what was read once; the others are pending."""
    found: dict[str, Measured] = {}
    batches: dict[Key, list[tuple[Plan, Period]]] = {}
    for plan in plans:
        look = look_of(plan.claim, as_of=context.as_of)
        if look.period is None:
            found[plan.key] = pending(look)
        else:
            batches.setdefault(key(plan, look.period), []).append((plan, look.period))
    for batch, members in batches.items():
        data = read(batch, [plan for plan, _ in members], context)
        found |= {plan.key: judge(plan, period, data, context) for plan, period in members}
    return found


def look_of(claim: Claim, *, as_of: date) -> Look:
    """Which data the claim's stopping rule lets one see on a day.

    Parameters
    ----------
    claim : Claim
    as_of : date
        Last day with data.

    Returns
    -------
    Look
        A fixed horizon is looked at once, at its end; planned looks at their dates; an anytime design on every day.
    """
    window, stopping = claim.window, claim.stopping
    if as_of < window.start:
        return Look(period=None, pending=f"the window starts on {window.start}")
    if isinstance(stopping, Fixed):
        if as_of < window.end:
            return Look(
                period=None,
                pending=f"a fixed horizon is looked at once, after {window.end}; an earlier look "
                "would raise false alarms",
            )
        return Look(period=window.period)
    if isinstance(stopping, Anytime):
        return Look(period=Period(window.start, min(as_of, window.end)))
    due = [day for day in stopping.looks if day <= as_of]
    if not due:
        return Look(period=None, pending=f"the first planned look is on {stopping.looks[0]}")
    return Look(period=Period(window.start, due[-1]), number=len(due))


def where_of(scope: Scope) -> list[tuple[str, str, Any]]:
    """A claim's scope as filters of the metrics; ``between`` becomes two."""
    found: list[tuple[str, str, Any]] = []
    for item in scope:
        if item.op == "between":
            found += [(item.name, ">=", item.values[0]), (item.name, "<=", item.values[1])]
        else:
            found.append((item.name, _OPERATORS[item.op], item.value))
    return found


def design_tables(design: Any) -> frozenset[str]:
    """Tables that a design itself reads, beside those of the metric.

    Examples
    --------
    >>> from opslib.proposals.model import Rollout
    >>> sorted(design_tables(Rollout(kind="rollout", rollout="R1")))
    ['rollouts']
    """
    if design.kind in RANDOMISED:
        read = {"experiment_arms", design.source}
        return frozenset(read if design.source == "experiment_summaries" else read | {"experiments"})
    return _DESIGN_TABLES.get(design.kind, frozenset())


def health_gate(plan: Plan, context: Context, period: Period) -> Gate:
    """Whether the tables behind a claim, its design's included, are fit, and the window's days were seen.

    Units that a test lists twice are no fault of the table here: `arms.crossing_gate` counts those of the test itself.
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
        return Gate(
            name="data health",
            status="failed",
            sentence=f"{first.table}.{first.column} breaks '{first.rule}' in {first.n_rows:,} rows",
        )
    seen = period.n_days if context.coverage is None else context.coverage.n_observed(period)
    share = 1 - seen / period.n_days
    status: Literal["passed", "warning", "failed"] = (
        "failed" if share > MISSING_FAILED else "warning" if share > MISSING_WARNING else "passed"
    )
    return Gate(
        name="data health", status=status, sentence=f"{period.n_days - seen} of {period.n_days} days have no data"
    )


def units_gate(n_control: float, n_treated: float, *, least: int = LEAST_UNITS, unit: str = "units") -> Gate:
    """Whether both sides have enough independent units."""
    enough = min(n_control, n_treated) >= least
    return Gate(
        name="measurable",
        status="passed" if enough else "failed",
        sentence=f"{n_control:,.0f} {unit} without and {n_treated:,.0f} with the change; {least} of each are the least",
    )


def from_comparison(plan: Plan, comparison: Comparison, *, n_days: int, **more: Any) -> Measured:
    """A `stats` comparison on the claim's scale, turned so that a promise is positive."""
    scaled = comparison.relative if plan.claim.scale == "relative" else comparison.absolute
    effect = towards(scaled, direction=plan.direction)
    return Measured(
        effect=effect,
        baseline=comparison.control_value,
        outcome=comparison.treated_value,
        n_control=comparison.n_control,
        n_treated=comparison.n_treated,
        n_days=n_days,
        variation=_variation(comparison),
        p_value=comparison.p_value,
        df=comparison.df,
        **more,
    )


def refused(gate: Gate, *others: Gate) -> Measured:
    """No number, because a gate failed."""
    return Measured(effect=None, gates=(*others, gate))


def pending(look: Look) -> Measured:
    """No number, because no look is due."""
    return Measured(effect=None, pending=look.pending)


def _variation(comparison: Comparison) -> float | None:
    """Squared coefficient of variation of one unit that the relative error implies."""
    error, n = comparison.relative.std_error, (comparison.n_control, comparison.n_treated)
    if error is None or min(n) < 1 or comparison.relative.value <= -1:
        return None
    return (error / (1 + comparison.relative.value)) ** 2 / (1 / n[0] + 1 / n[1])
