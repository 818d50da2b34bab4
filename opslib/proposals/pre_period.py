"""Pre-period data of a proposal: traffic and history before its window, the test's run, capacity."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pandas as pd

from opslib import engine
from opslib.departments import department_or_own
from opslib.errors import ContractError, NotAvailableError, ParameterError
from opslib.metrics import Metric, daily_values, unit_statistics, unit_values
from opslib.periods import Period
from opslib.proposals.designs import Context
from opslib.proposals.designs.design import Definitions
from opslib.proposals.feasibility import HistoryRange, PrePeriod, Traffic
from opslib.proposals.preregistration import FrozenDifference
from opslib.proposals.schema import RANDOMISED, Claim, Proposal
from opslib.proposals.scope import where_of
from opslib.stats.power import unit_variation
from opslib.stats.sufficient_statistics import SufficientStatistics, arms_of

#: Days of history read for traffic; windows read for the range of history.
TRAFFIC_DAYS = 56
HISTORY_WINDOWS, UNIT_WINDOWS = 26, 6
MIN_UNITS, LEAST_DAYS = 50, 14


def pre_period_of(
    proposal: Proposal,
    *,
    metrics: Definitions,
    context: Context,
    changes: tuple[FrozenDifference, ...] = (),
    frozen_in_time: bool = False,
    proposals: Mapping[str, str] | None = None,
) -> PrePeriod:
    """Gather what `feasibility` checks a proposal against.

    Parameters
    ----------
    proposal : Proposal
    metrics : mapping of name to Metric
        Resolved metrics of the proposal.
    context : Context
        The shop's tables; only rows before each claim's window are read for traffic.
    changes, frozen_in_time, proposals
        As in `PrePeriod`.

    Returns
    -------
    PrePeriod
        What the tables cannot tell is left out.
    """
    traffic: dict[str, Traffic] = {}
    history: dict[str, HistoryRange] = {}
    runs: dict[str, Period] = {}
    obstacles: dict[str, str] = {}
    for claim in proposal.claims:
        metric = metrics[claim.metric]
        if claim.design.kind in RANDOMISED:
            run = _run_of(claim, context)
            if run is not None:
                runs[claim.id] = run
        if not isinstance(metric, Metric) or claim.design.kind == "outside":
            continue
        if metric.is_total and _is_of_units(metric):  # without a list of units, only those that acted are seen
            continue
        alike = next((other for other in proposal.claims if _reads(other) == _reads(claim)), claim)
        if alike.id in history:
            history[claim.id] = history[alike.id]
            traffic |= {claim.id: traffic[alike.id]} if alike.id in traffic else {}
            continue
        try:
            history[claim.id] = history_of(claim, metric, context)
            found = traffic_of(claim, metric, context) if claim.design.kind == "experiment" else None
        except (NotAvailableError, ContractError, ParameterError) as error:
            obstacles[claim.id] = str(error)
            continue
        traffic |= {claim.id: found} if found is not None else {}
    capacity = None
    if "capacity" in context.tables:
        capacity = engine.collect(engine.as_table(context.tables["capacity"]).order_by(["department", "month"]))
        capacity["department"] = capacity["department"].map(department_or_own, na_action="ignore")
    return PrePeriod(
        traffic=traffic,
        history=history,
        runs=runs,
        capacity=capacity,
        changes=changes,
        frozen_in_time=frozen_in_time,
        proposals=proposals,  # type: ignore[arg-type]
        obstacles=obstacles,
    )


def traffic_of(claim: Claim, metric: Metric, context: Context) -> Traffic | None:
    """Units a day and their variation before the window; None where history is too short.

    Parameters
    ----------
    claim : Claim
    metric : Metric
    context : Context

    Returns
    -------
    Traffic or None
    """
    before = Period(claim.window.start - timedelta(days=TRAFFIC_DAYS), claim.window.start - timedelta(days=1))
    length = min(claim.window.period.n_days, TRAFFIC_DAYS)
    recent = Period(before.end - timedelta(days=length - 1), before.end)
    seen = recent.n_days if context.coverage is None else context.coverage.n_observed(recent)
    if seen < LEAST_DAYS:
        return None
    unit = claim.design.randomised  # type: ignore[union-attr]
    values = unit_values(context.tables, [metric], unit=unit, period=recent, where=where_of(claim.scope))
    sums = unit_statistics(values, [metric])
    statistics: SufficientStatistics = arms_of(sums, arm="metric")[metric.name]
    if statistics.n < MIN_UNITS or not statistics.d > 0 or not statistics.y > 0:
        return None
    return Traffic(
        units_per_day=statistics.n / seen,
        variation=unit_variation(statistics),
        baseline=float(statistics.y / statistics.d),
    )


def history_of(claim: Claim, metric: Metric, context: Context) -> HistoryRange:
    """The metric in windows as long as the claim's, up to the claim's own where it has been seen.

    Parameters
    ----------
    claim : Claim
    metric : Metric
    context : Context

    Returns
    -------
    HistoryRange
        Oldest first; windows without a value are left out.
    """
    length = claim.window.period.n_days
    seen = context.as_of >= claim.window.end
    last = claim.window.end if seen else claim.window.start - timedelta(days=1)
    first = last - timedelta(days=length * HISTORY_WINDOWS - 1)
    if context.coverage is not None:
        first = max(first, context.coverage.first)
    if (last - first).days + 1 < length:
        return HistoryRange(values=())
    if _is_of_units(metric):
        values = _values_by_unit(claim, metric, context, last=last)
    else:
        days = daily_values(context.tables, [metric], period=Period(first, last), where=where_of(claim.scope))
        values = _window_values(days, metric, length=length, last=last)
    return HistoryRange(values=tuple(values), chosen=values[-1] if seen and values else None)


def _window_values(days: pd.DataFrame, metric: Metric, *, length: int, last: object) -> list[float]:
    """The metric per window counted back from the last day; a total is its sum, a ratio that of the sums."""
    back = (pd.Timestamp(str(last)) - days["day"]).dt.days // length
    whole = back.value_counts()
    sums = days.groupby(back)[[f"{metric.name}_numerator", f"{metric.name}_denominator"]].sum()
    sums = sums[[whole[window] == length for window in sums.index]].sort_index(ascending=False)
    below = 1.0 if metric.is_total else sums[f"{metric.name}_denominator"].replace(0.0, float("nan"))
    found = (sums[f"{metric.name}_numerator"] / below).dropna()
    # Windows before the shop's first row are empty, not zero.
    return [float(value) for value in found[(found != 0).cummax()]]


def _values_by_unit(claim: Claim, metric: Metric, context: Context, *, last: date) -> list[float]:
    """The metric in the last windows, for one that is a property of units (a repeat rate has no daily value)."""
    length, found = claim.window.period.n_days, []
    first_day = context.coverage.first if context.coverage is not None else date.min
    for back in range(UNIT_WINDOWS):
        end = last - timedelta(days=back * length)
        if (end - first_day).days + 1 < length:
            break
        window = Period(end - timedelta(days=length - 1), end)
        values = unit_values(
            context.tables,
            [metric],
            unit=claim.unit or metric.unit_of_analysis,
            period=window,
            where=where_of(claim.scope),
        )
        sums = arms_of(unit_statistics(values, [metric]), arm="metric")[metric.name]
        if not sums.d > 0:
            break
        found.append(float(sums.y / sums.d))
    return found[::-1]


def _is_of_units(metric: Metric) -> bool:
    """Whether a property of the unit itself is counted (a customer with two orders), which a day cannot have."""
    terms = metric.terms("numerator") + metric.terms("denominator")
    return any(term.measure.kind == "unit" and term.measure.column for term in terms)


def _run_of(claim: Claim, context: Context) -> Period | None:
    """First and last local day on which the claim's test took in units."""
    if "experiments" not in context.tables or getattr(claim.design, "source", "") == "experiment_summaries":
        return None
    rows = engine.as_table(context.tables["experiments"])
    rows = rows.filter(rows["experiment_id"] == claim.design.experiment)  # type: ignore[union-attr]
    day = rows["assigned_on"] if "assigned_on" in rows.columns else rows["assigned_at"].date()
    ends = engine.collect(rows.aggregate(first=day.min(), last=day.max()))
    if ends["first"].isna().all():
        return None
    return Period(pd.Timestamp(ends["first"][0]).date(), pd.Timestamp(ends["last"][0]).date())


def _reads(claim: Claim) -> tuple[object, ...]:
    """What a claim's traffic and history are read from: claims alike in this share them."""
    return claim.metric, claim.window, claim.scope, claim.design.kind, getattr(claim.design, "randomised", None)
