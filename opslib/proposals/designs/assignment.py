"""Assignment of units to arms: who was assigned when, allocation epochs, the sample-ratio gate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.contracts import CONTRACTS
from opslib.errors import DesignError, NotAvailableError
from opslib.formats import count_of
from opslib.metrics import unit_values
from opslib.periods import Period
from opslib.proposals.designs.design import Table
from opslib.proposals.results import Gate
from opslib.proposals.schema import ClusterExperimentDesign, ExperimentDesign, RolloutDesign
from opslib.proposals.scope import Scope, where_of
from opslib.stats.sample_ratio import SampleRatio, missingness_bound, sample_ratio

#: A loss of this share of an arm's units would matter; the interval is widened where the gate would not see it.
LOSS_SHARE, CONTRAST = 0.01, 0.5
#: Share of a test's units in more than one arm that forbids a verdict; below it they are set aside, and a grade is lost.
CROSSED_FAILED = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Planned shares of an experiment over time.

    Parameters
    ----------
    starts : tuple of Timestamp
        When each allocation epoch began, in UTC; empty where no plan was recorded.
    shares : tuple of dict
        Planned share of each variant in each epoch.
    """

    starts: tuple[pd.Timestamp, ...]
    shares: tuple[dict[str, float], ...]

    @property
    def is_ramped(self) -> bool:
        """Whether the split between arms changed on the way."""
        return len({tuple(sorted(share.items())) for share in self.shares}) > 1

    def epoch_of(self, assigned_at: ir.TimestampValue) -> ir.IntegerValue:
        """Number of the epoch in which a unit was assigned; the first where no plan was recorded."""
        number: ir.IntegerValue = ibis.literal(0)
        for start in self.starts[1:]:
            number = number + (assigned_at >= ibis.literal(start.to_pydatetime(), "timestamp(6)")).ifelse(1, 0)
        return number.cast("int64")


def require_table_of(tables: Mapping[str, Table], name: str) -> ir.Table:
    """A table of the shop; `NotAvailableError` with what it would have answered."""
    if name not in tables:
        raise NotAvailableError(name, CONTRACTS[name].would_answer)
    return engine.as_table(tables[name])


def rollout_units(tables: Mapping[str, Table], design: RolloutDesign) -> pd.DataFrame:
    """Units of a roll-out: unit_id, unit and treated_from (missing = never), some of them treated and some not.

    Raises
    ------
    DesignError
        All are treated, or none.
    """
    rows = require_table_of(tables, "rollouts")
    rows = rows.filter(rows["rollout_id"] == design.rollout)
    units = engine.collect(rows.select("unit_id", "unit", "treated_from").order_by("unit_id"))
    units["treated_from"] = pd.to_datetime(units["treated_from"])
    n_treated = int(units["treated_from"].notna().sum())
    if n_treated in (0, len(units)):
        raise DesignError(
            "units",
            f"roll-out '{design.rollout}' has {n_treated} treated of {len(units)} units; needed: "
            "some treated and some never treated, listed in rollouts without treated_from",
        )
    return units


def assigned_units(
    tables: Mapping[str, Table],
    design: ExperimentDesign | ClusterExperimentDesign,
    *,
    period: Period,
) -> ir.Table:
    """Units of the two arms that were assigned by the end of a period, each once; those of several arms are set aside.

    Parameters
    ----------
    tables : mapping of name to table
        With ``experiments`` (and ``experiment_arms``).
    design : Experiment or ClusterExperimentDesign
    period : Period
        Outcomes that count; units assigned after its end do not.

    Returns
    -------
    ibis.Table
        unit_id, variant, assigned_at (first), assigned_on, epoch, counted_from.
    """
    rows = _first_assignments(tables, design, period=period)
    rows = rows.filter(rows["n_variants"] == 1, rows["variant"].isin([design.control, design.treatment]))
    epoch = allocation_of(tables, design).epoch_of(rows["assigned_at"])
    return rows.select(
        "unit_id", "variant", "assigned_at", "assigned_on", epoch=epoch, counted_from=rows["assigned_at"]
    )


def before_assignment(
    period: Period,
    assigned: pd.DataFrame,
    design: ExperimentDesign | ClusterExperimentDesign,
) -> Period | None:
    """Days of the covariate: they end before the window and before the test's first assignment.

    Parameters
    ----------
    period : Period
        Outcomes that count.
    assigned : DataFrame
        assigned_on, of all units.
    design : Experiment or ClusterExperimentDesign

    Returns
    -------
    Period or None
        None where the design asks for no covariate, or nobody was assigned.
    """
    if not design.covariate_days or assigned.empty:
        return None
    end = min(period.start, pd.to_datetime(assigned["assigned_on"]).min().date()) - timedelta(days=1)
    return Period(end - timedelta(days=design.covariate_days - 1), end)


def crossing_gate(
    tables: Mapping[str, Table],
    design: ExperimentDesign | ClusterExperimentDesign,
    *,
    period: Period,
) -> tuple[Gate, ...]:
    """Units that were in more than one arm of a test: set aside and counted, too many of them forbid a verdict.

    Parameters
    ----------
    tables, design, period
        As for `assigned_units`.

    Returns
    -------
    tuple of Gate
        Empty where every unit was in one arm.
    """
    rows = _first_assignments(tables, design, period=period)
    found = engine.collect(rows.aggregate(n=rows.count(), n_crossed=(rows["n_variants"] > 1).sum()))
    n, n_crossed = int(found["n"][0]), int(found["n_crossed"].fillna(0)[0])
    if not n_crossed:
        return ()
    what = f"{n_crossed:,} of {n:,} {design.randomised}s were in both arms"
    if n_crossed > CROSSED_FAILED * n:
        sentence = f"{what}, more than {CROSSED_FAILED:.0%}: who saw what was not kept apart"
        return (Gate("data health", "failed", sentence),)
    return (Gate("data health", "warning", f"{what} and are set aside"),)


def _first_assignments(
    tables: Mapping[str, Table],
    design: ExperimentDesign | ClusterExperimentDesign,
    *,
    period: Period,
) -> ir.Table:
    """One row a unit of a test: unit_id, variant, assigned_at and assigned_on (first), n_variants (all arms)."""
    rows = require_table_of(tables, "experiments")
    rows = rows.filter(rows["experiment_id"] == design.experiment, rows["unit"] == design.randomised)
    day = rows["assigned_on"] if "assigned_on" in rows.columns else rows["assigned_at"].date()
    rows = rows.mutate(assigned_on=day.cast("date"))
    rows = rows.filter(rows["assigned_on"] < period.until)
    return rows.group_by("unit_id").aggregate(
        variant=rows["variant"].min(),
        assigned_at=rows["assigned_at"].min(),
        assigned_on=rows["assigned_on"].min(),
        n_variants=rows["variant"].nunique(),
    )


def allocation_of(tables: Mapping[str, Table], design: ExperimentDesign | ClusterExperimentDesign) -> Allocation:
    """Planned shares of the two arms, epoch by epoch."""
    if "experiment_arms" not in tables:
        return Allocation(starts=(), shares=())
    arms = engine.as_table(tables["experiment_arms"])
    arms = arms.filter(arms["experiment_id"] == design.experiment)
    frame = engine.collect(arms.select("variant", "valid_from", "planned_share").order_by(["valid_from", "variant"]))
    frame = frame[frame["variant"].isin([design.control, design.treatment])]
    starts, shares = [], []
    now: dict[str, float] = {}
    for start, group in frame.groupby("valid_from", sort=True):
        now = {**now, **dict(zip(group["variant"], group["planned_share"].astype(float), strict=True))}
        starts.append(pd.Timestamp(str(start)))
        shares.append(dict(now))
    return Allocation(starts=tuple(starts), shares=tuple(shares))


def outcome_values(
    tables: Mapping[str, Table],
    design: ExperimentDesign | ClusterExperimentDesign,
    metrics: Sequence[Any],
    *,
    period: Period,
    scope: Scope,
    units: ir.Table,
    before: Period | None,
) -> ir.Table:
    """Outcomes of a test's units, as recorded or counted by the registry, beside what they did before the test.

    Parameters
    ----------
    tables, design, period
        As for `assigned_units`.
    metrics : sequence of Metric or RecordedMetric
    scope : Scope
        Rows that count.
    units : ibis.Table
        unit_id and what else is kept of a unit.
    before : Period or None
        Days of the covariate.

    Returns
    -------
    ibis.Table
        The units with ``<metric>_numerator`` and ``<metric>_denominator``; counted before the test as well,
        ``<metric>_before_numerator`` and ``<metric>_before_denominator``.
    """
    if design.source == "unit_outcomes":
        return recorded_values(tables, design, metrics, period=period, units=units)
    unit, where = design.randomised, where_of(scope)
    values = unit_values(tables, metrics, unit=unit, period=period, where=where, units=units)
    if before is None:
        return values
    earlier = unit_values(tables, metrics, unit=unit, period=before, where=where, units=units.select("unit_id"))
    columns = {
        f"{metric.name}_before_{side}": earlier[f"{metric.name}_{side}"]
        for metric in metrics
        for side in ("numerator", "denominator")
    }
    side = earlier.select(before_id="unit_id", **columns)
    return values.left_join(side, values["unit_id"] == side["before_id"]).drop("before_id")


def recorded_values(
    tables: Mapping[str, Table],
    design: ExperimentDesign | ClusterExperimentDesign,
    metrics: Sequence[Any],
    *,
    period: Period,
    units: ir.Table,
) -> ir.Table:
    """Outcomes recorded per unit: their sum over the period is the numerator, every unit counts once.

    Parameters
    ----------
    tables, design, period
        As for `assigned_units`.
    metrics : sequence of RecordedMetric
    units : ibis.Table
        unit_id and what else is kept of a unit.

    Returns
    -------
    ibis.Table
        The units with ``<metric>_numerator``, ``<metric>_denominator`` (1) and, where it was recorded,
        ``<metric>_covariate``.
    """
    rows = require_table_of(tables, "unit_outcomes")
    rows = rows.filter(rows["unit"] == design.randomised, rows["date"] >= period.start, rows["date"] < period.until)
    columns: dict[str, ir.Value] = {}
    for metric in metrics:
        own = rows["metric"] == metric.name
        columns[f"{metric.name}_numerator"] = rows["value"].sum(where=own).cast("float64")
        if "covariate" in rows.columns:
            columns[f"{metric.name}_covariate"] = rows["covariate"].max(where=own).cast("float64")
    sums = rows.group_by("unit_id").aggregate(**columns).rename(outcome_id="unit_id")
    joined = units.left_join(sums, units["unit_id"] == sums["outcome_id"]).drop("outcome_id")
    one = joined["epoch"].notnull().ifelse(1, 1).cast("float64")
    return joined.mutate(
        **{name: joined[name].fill_null(0.0) for name in columns},
        **{f"{metric.name}_denominator": one for metric in metrics},
    )


def ratio_gate(
    counts: pd.DataFrame, allocation: Allocation, *, unit: str = "unit", control: str = "", is_widened: bool = True
) -> tuple[Gate, float]:
    """Whether the arms were filled as planned, and by how much a loss too small to see may bias the result.

    Parameters
    ----------
    counts : DataFrame
        variant, epoch, n; an arm planned for an epoch that is not there got nobody.
    allocation : Allocation
    unit : str
        Who was randomised, for the sentence.
    control : str
        Variant that is named first.
    is_widened : bool
        Whether the interval is widened by the bound, which the sentence then says.

    Returns
    -------
    (Gate, float)
        The gate, and the missingness bound relative to the control value.
    """
    frame = counts.rename(columns={"variant": "arm", "epoch": "stratum"}).assign(planned_share=0.5)
    if allocation.shares and len(frame):
        planned = [
            (arm, epoch, share)
            for epoch in sorted(frame["stratum"].astype(int).unique())
            for arm, share in sorted(allocation.shares[epoch].items())
            if share > 0
        ]
        seen = frame.set_index(["arm", "stratum"])["n"].to_dict()
        frame = pd.DataFrame(planned, columns=["arm", "stratum", "planned_share"])
        frame["n"] = [seen.get(place, 0) for place in zip(frame["arm"], frame["stratum"], strict=True)]
    frame = frame.astype({"n": float})
    frame = frame[frame.groupby("stratum")["arm"].transform("nunique") == 2]
    if frame.empty:
        return Gate("sample ratio", "failed", "no day on which both arms took in units"), 0.0
    found = sample_ratio(frame)
    bound = 0.0 if found.is_mismatch else missingness_bound(found, loss_share=LOSS_SHARE, contrast=CONTRAST)
    status: Literal["passed", "warning"] = "passed" if allocation.shares else "warning"
    sentence = _sentence(
        found, bound if is_widened else 0.0, is_planned=bool(allocation.shares), unit=unit, control=control
    )
    return Gate("sample ratio", "failed" if found.is_mismatch else status, sentence), bound


def _sentence(found: SampleRatio, bound: float, *, is_planned: bool, unit: str, control: str) -> str:
    sums = found.counts.groupby("arm")[["n", "expected"]].sum()
    sums = sums.loc[sorted(sums.index, key=lambda arm: (arm != control, str(arm)))]
    (first, second), planned = ([f"{n:,.0f}" for n in sums[name]] for name in ("n", "expected"))
    if found.is_mismatch:
        should = "equal" if math.isclose(*sums["expected"], rel_tol=0.001) else " and ".join(planned)
        return (
            f"the two groups should be {should} and are {first} and {second}; {_how_rare(found.p_value)}. Something sorted "
            f"the {unit}s; do not use this test"
        )
    plan = "as planned" if is_planned else "close to equal (no planned split was recorded)"
    widened = ""
    if bound:
        widened = f"; a few {unit}s lost on one side would hardly be seen, so the interval is {100 * bound:.2g} % of the control value wider"
    return f"{first} {unit}s without the change and {second} with it, {plan}{widened}"


def _how_rare(p_value: float) -> str:
    """How often chance alone does something.

    Examples
    --------
    >>> _how_rare(2e-6), _how_rare(0.0004), _how_rare(2e-24)
    ('chance does that about 2 times in a million', 'chance does that about 4 times in 10,000', 'chance does that less than once in a million times')
    """
    if p_value < 1e-6:
        return "chance does that less than once in a million times"
    base, word = (1e6, "a million") if p_value < 1e-4 else (1e4, "10,000")
    return f"chance does that about {count_of(max(round(p_value * base), 1), 'time')} in {word}"
