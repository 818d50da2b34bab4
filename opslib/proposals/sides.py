"""What was counted without and with a change, beside each other, and how the difference of a test grew over its days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pandas as pd

from opslib.errors import DesignError
from opslib.formats import format_number, format_value
from opslib.metrics import unit_statistics, unit_values
from opslib.periods import Period
from opslib.proposals.claim_text import effect_text, in_own_unit, promise_text, sides_text
from opslib.proposals.designs import Context, Plan
from opslib.proposals.designs.assignment import assigned_units, outcome_values, rollout_units
from opslib.proposals.designs.design import LEAST_UNITS, days_of, look_of
from opslib.proposals.results import ClaimResult
from opslib.proposals.schema import (
    BeforeAfterDesign,
    ClusterExperimentDesign,
    ComparisonDesign,
    ExperimentDesign,
    RolloutDesign,
)
from opslib.proposals.scope import where_of
from opslib.stats.ratios import compare
from opslib.stats.sufficient_statistics import strata_of

#: Most days at which the difference of a test is looked at again, and fewest that make a curve.
MOST_POINTS, LEAST_POINTS = 24, 4
WEEK = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The counts behind a claim.

    Parameters
    ----------
    title : str
        Of the table: what it shows, and of which days.
    rows : DataFrame
        One row a side and one for their difference, as text; empty where a design has no sides.
    heads : mapping of column to head
    notes : tuple of str
    curve : DataFrame
        day, value, value_lower, value_upper: the difference of a test among those who had come by that day.
    """

    title: str = ""
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    heads: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    curve: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["day", "value", "value_lower", "value_upper"])
    )


def sides_of(plan: Plan, result: ClaimResult, context: Context, *, currency: str = "money") -> Sides:
    """Counts without and with the change, of the days on which a claim was judged.

    Parameters
    ----------
    plan : Plan
    result : ClaimResult
        Of the plan's claim: rates and their difference are its own numbers.
    context : Context
        That it was judged on.
    currency : str
        Code of the shop's money.

    Returns
    -------
    Sides
        Without rows where nothing was measured, or where the design compares no sides (trend, price response, outside).
    """
    period, _ = look_of(plan.claim, as_of=context.as_of)
    kind = plan.claim.design.kind
    if (
        result.measured.effect is None
        or period is None
        or getattr(plan.claim.design, "source", "") == "experiment_summaries"
    ):
        return Sides()
    if kind in ("experiment", "cluster_experiment"):
        return _tested(plan, result, period, context, currency)
    if kind in ("comparison", "level"):
        return _as_found(plan, result, period, context, currency)
    if kind in ("rollout", "before_after"):
        return _before_and_after(plan, result, period, context, currency)
    return Sides()


def sums_by_day(plan: Plan, period: Period, context: Context) -> pd.DataFrame:
    """Sums of a test's units by variant, epoch and the day on which they came (see `metrics.unit_statistics`)."""
    design = plan.claim.design
    assert isinstance(design, (ExperimentDesign, ClusterExperimentDesign))
    units = assigned_units(context.tables, design, period=period)
    if design.kind == "cluster_experiment":
        units = units.select("unit_id", "variant", "epoch", "assigned_on")
        if design.randomised == "week":
            units = units.mutate(unit_id=units["unit_id"].cast("date"))
    values = outcome_values(
        context.tables,
        design,
        [plan.metric],
        period=period,
        scope=plan.claim.scope,
        units=units,
        before=None,  # type: ignore[arg-type]
    )
    return unit_statistics(values, [plan.metric], by=["variant", "epoch", "assigned_on"])  # type: ignore[list-item]


def _tested(plan: Plan, result: ClaimResult, period: Period, context: Context, currency: str) -> Sides:
    design = plan.claim.design
    sums = sums_by_day(plan, period, context)
    added = sums.groupby("variant")[["n", "y", "d"]].sum()
    by_arm = {str(name): {key: float(row[key]) for key in ("n", "y", "d")} for name, row in added.iterrows()}
    names = {design.control: "without the change", design.treatment: "with the change"}  # type: ignore[union-attr]
    counts = {word: by_arm[name] for name, word in names.items() if name in by_arm}
    notes = []
    if (sums["epoch"] != sums["epoch"].iloc[0]).any():
        notes.append("The split changed on the way, so the rates compare like days with like days.")
    if getattr(design, "covariate_days", 0):
        notes.append(f"The last column takes into account what the same {design.randomised}s did before.")  # type: ignore[union-attr]
    made = _table(plan, result, counts, currency)
    curve = _curve(sums, plan, result) if design.kind == "experiment" else Sides().curve
    return Sides(
        title=f"Without and with the change, {period.label}",
        rows=made[0],
        heads=made[1],
        notes=tuple(notes),
        curve=curve,
    )


def _as_found(plan: Plan, result: ClaimResult, period: Period, context: Context, currency: str) -> Sides:
    design, scope = plan.claim.design, where_of(plan.claim.scope)
    groups: dict[str, list[object]] = {"all": []}
    if isinstance(design, ComparisonDesign):
        column = design.group.partition(".")[2]
        groups = {name: [(column, "=", name)] for name in (design.control, design.treatment)}
    counts = {}
    for name, filters in groups.items():
        values = unit_values(context.tables, [plan.metric], unit=plan.unit, period=period, where=[*scope, *filters])  # type: ignore[list-item]
        found = unit_statistics(values, [plan.metric])  # type: ignore[list-item]
        counts[name] = {key: float(found[key].iloc[0]) for key in ("n", "y", "d")}
    rows, heads = _table(plan, result, counts, currency)
    title = "The groups beside each other" if len(groups) > 1 else "What was counted"
    return Sides(title=f"{title}, {period.label}", rows=rows, heads=heads)


def _table(
    plan: Plan, result: ClaimResult, counts: Mapping[str, Mapping[str, float]], currency: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Who, how many, the rate of each side, and the difference."""
    own = in_own_unit(result, currency=currency)
    sides = sides_text(result, currency=currency)
    values = dict(zip(counts, reversed(sides), strict=False)) if sides else {}
    unit = result.measured.unit or plan.unit
    top = getattr(plan.metric, "numerator", plan.metric.name).replace("_", " ")
    below = getattr(plan.metric, "denominator", "units").replace("_", " ")
    shows_below = below not in ("units", f"{unit}s")
    rows = []
    for side, sums in counts.items():
        value = values.get(side) or format_value(
            sums["y"] / sums["d"], currency if result.unit == "money" else result.unit
        )
        rows.append({
            "side": side, "n": format_number(sums["n"], step=1), "below": format_number(sums["d"], step=1),
            "top": format_number(sums["y"], step=1), "value": value,
        })  # fmt: skip
    assert own.effect is not None
    if len(rows) > 1:
        text = effect_text(own)
        rows.append({"side": "difference", "n": "", "below": "", "top": "", "value": text})
    heads = {
        "side": "",
        "n": f"{unit}s".capitalize(),
        "below": below.capitalize(),
        "top": top.capitalize(),
        "value": result.title,
    }
    if not shows_below:
        del heads["below"]
    return pd.DataFrame(rows, columns=list(heads)), heads


def _curve(sums: pd.DataFrame, plan: Plan, result: ClaimResult) -> pd.DataFrame:
    """The difference among those who had come by each of some days, from where both sides are large enough on."""
    design = plan.claim.design
    days = np.array(sorted(pd.to_datetime(sums["assigned_on"]).unique()))
    places = np.unique(np.linspace(0, len(days) - 1, min(len(days), MOST_POINTS)).round().astype(int))
    rows = []
    for day in days[places]:
        seen = sums[pd.to_datetime(sums["assigned_on"]) <= day].drop(columns=["metric", "assigned_on"])
        strata = strata_of(seen.groupby(["variant", "epoch"], as_index=False).sum(), arm="variant", stratum="epoch")
        control, treated = (strata.get(arm, {}) for arm in (design.control, design.treatment))  # type: ignore[union-attr]
        both = [k for k in control if k in treated and min(control[k].n, treated[k].n) >= LEAST_UNITS]
        arms = [{k: side[k] for k in both} for side in (control, treated)]
        if not both or not all(m.y > 0 and m.d > 0 for side in arms for m in side.values()):
            continue
        found = compare(*arms, unit=plan.metric.unit, confidence_level=plan.confidence_level)
        change = found.relative if in_own_unit(result).unit == "relative change" else found.absolute
        rows.append((pd.Timestamp(day), change.value, change.lower, change.upper))
    frame = pd.DataFrame(rows, columns=["day", "value", "value_lower", "value_upper"])
    return frame if len(frame) >= LEAST_POINTS else frame.iloc[:0]


def _before_and_after(plan: Plan, result: ClaimResult, period: Period, context: Context, currency: str) -> Sides:
    """Each side just before the change and in the window: of a total per place and week, of a ratio its value."""
    design, claim = plan.claim.design, plan.claim
    own = in_own_unit(result, currency=currency)
    assert own.effect is not None
    if isinstance(design, BeforeAfterDesign):
        changed, units = design.changed_on, None
    else:
        assert isinstance(design, RolloutDesign)
        try:
            units = rollout_units(context.tables, design)
        except DesignError:
            return Sides()
        changed = units["treated_from"].min().date()
    n_before = period.n_days if units is None else design.history_days
    before = Period(changed - timedelta(days=n_before), changed - timedelta(days=1))
    unit = currency if result.unit == "money" else result.unit
    by = None if units is None else str(units["unit"].iloc[0])
    name = plan.metric.name
    rows: dict[str, dict[str, str]] = {}
    for word, days in (("before", before), ("after", period)):
        frame = days_of([plan], context, days, claim.scope, by=by)
        groups = {"the shop": frame}
        if units is not None:
            treated = set(units.loc[units["treated_from"].notna(), "unit_id"])
            listed = frame[frame["unit_id"].isin(units["unit_id"])]
            is_treated = listed["unit_id"].isin(treated)
            groups = {"without the change": listed[~is_treated], "with the change": listed[is_treated]}
        for side, part in groups.items():
            n = 1 if units is None else part["unit_id"].nunique()
            seen = part["is_observed"].sum()
            value = part[f"{name}_numerator"].sum() / (
                seen / WEEK if plan.metric.is_total else part[f"{name}_denominator"].sum()
            )
            rows.setdefault(side, {"side": side, "n": format_number(n)})[word] = format_value(value, unit)
    per = f"{result.title} a {by or 'shop'} and week" if plan.metric.is_total else result.title
    heads = {"side": "", "n": f"{by}s".capitalize(), "before": f"{before.label}", "after": f"{period.label}"}
    if units is None:
        rows["the shop"]["side"] = "the part that was changed" if claim.scope else "the shop"
        del heads["n"]
    note = f"Put down to the change: {effect_text(own)}; the promise was {promise_text(result, currency=currency)}."
    if isinstance(design, RolloutDesign) and design.method != "synthetic_did" and claim.scale == "relative":
        note += (
            f" It is the mean of the log ratios (after to before) of the single {by}s, so large ones do not decide alone; "
            "the table's means would give another difference."
        )
    return Sides(
        title=f"{per}, before and after",
        rows=pd.DataFrame(rows.values(), columns=list(heads)),
        heads=heads,
        notes=(note,),
    )
