"""Who was in which arm, and when: assignment, allocation epochs, sample ratio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.contracts import CONTRACTS
from opslib.errors import NotAvailableError
from opslib.periods import Period
from opslib.proposals import words
from opslib.proposals.designs.base import Table
from opslib.proposals.model import ClusterExperiment, Experiment
from opslib.proposals.results import Gate
from opslib.stats.sample_ratio import SampleRatio, missingness_bound, sample_ratio

#: A loss of this share of an arm's units would matter; the interval is widened where the gate would not see it.
LOSS_SHARE, CONTRAST = 0.01, 0.5


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


def require(tables: Mapping[str, Table], name: str) -> ir.Table:
    """A table of the shop; `NotAvailableError` with what it would have answered."""
    if name not in tables:
        raise NotAvailableError(name, CONTRACTS[name].would_answer)
    return engine.as_table(tables[name])


def assigned_units(
    tables: Mapping[str, Table], design: Experiment | ClusterExperiment, *, period: Period,
) -> ir.Table:
    """Units of the two arms that were assigned by the end of a period.

    Parameters
    ----------
    tables : mapping of name to table
        With ``experiments`` (and ``experiment_arms``).
    design : Experiment or ClusterExperiment
    period : Period
        Outcomes that count; units assigned after its end do not.

    Returns
    -------
    ibis.Table
        unit_id, variant, assigned_at, assigned_on, epoch, counted_from.
    """
    rows = require(tables, "experiments")
    rows = rows.filter(
        rows["experiment_id"] == design.experiment, rows["unit"] == design.randomised,
        rows["variant"].isin([design.control, design.treatment]),
    )
    day = rows["assigned_on"] if "assigned_on" in rows.columns else rows["assigned_at"].date()
    rows = rows.mutate(assigned_on=day.cast("date"))
    rows = rows.filter(rows["assigned_on"] < period.until)
    epoch = allocation_of(tables, design).epoch_of(rows["assigned_at"])
    return rows.select("unit_id", "variant", "assigned_at", "assigned_on", epoch=epoch, counted_from=rows["assigned_at"])


def allocation_of(tables: Mapping[str, Table], design: Experiment | ClusterExperiment) -> Allocation:
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


def ratio_gate(counts: pd.DataFrame, allocation: Allocation) -> tuple[Gate, float]:
    """Whether the arms were filled as planned, and by how much a loss too small to see may bias the result.

    Parameters
    ----------
    counts : DataFrame
        variant, epoch, n.
    allocation : Allocation

    Returns
    -------
    (Gate, float)
        The gate, and the missingness bound relative to the control value.
    """
    planned = [
        allocation.shares[int(epoch)].get(variant, 0.0) if allocation.shares else 0.5
        for variant, epoch in zip(counts["variant"], counts["epoch"], strict=True)
    ]
    frame = pd.DataFrame({"arm": counts["variant"], "stratum": counts["epoch"], "n": counts["n"].astype(float),
                          "planned_share": planned})
    frame = frame[frame["planned_share"] > 0]
    frame = frame[frame.groupby("stratum")["arm"].transform("nunique") == 2]
    if frame.empty:
        return Gate(name="sample ratio", status="failed", sentence="no day on which both arms took in units"), 0.0
    found = sample_ratio(frame)
    bound = 0.0 if found.is_mismatch else missingness_bound(found, loss_share=LOSS_SHARE, contrast=CONTRAST)
    return Gate(name="sample ratio", status=_status(found, allocation), sentence=_sentence(found, bound, is_planned=bool(allocation.shares))), bound


def _status(found: SampleRatio, allocation: Allocation) -> Literal["passed", "warning", "failed"]:
    if found.is_mismatch:
        return "failed"
    return "passed" if allocation.shares else "warning"


def _sentence(found: SampleRatio, bound: float, *, is_planned: bool) -> str:
    sizes = found.counts.groupby("arm")["n"].sum()
    text = " against ".join(f"{n:,.0f} in '{arm}'" for arm, n in sizes.items())
    if found.is_mismatch:
        return f"{text}: the arms were not filled as planned (p {found.p_value:.1g}), so they are not alike"
    plan = "as planned" if is_planned else "close to equal (no planned split was recorded)"
    power = words.probability(found.power_against(LOSS_SHARE))
    widened = f"; the interval is widened by {100 * bound:.2g} % of the control value for that" if bound else ""
    return f"{text}, {plan}; a loss of {LOSS_SHARE:.0%} of one arm would be seen with a chance of {power}{widened}"
