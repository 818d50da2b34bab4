"""Unit economics: what a relative effect is worth in margin, for how many months, at which cost and error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from scipy import stats as distributions

from opslib.errors import NotAvailableError
from opslib.metrics import METRICS, unit_statistics, unit_values
from opslib.periods import Period
from opslib.proposals.designs import Plan
from opslib.proposals.designs.design import Table
from opslib.proposals.results import ClaimResult
from opslib.proposals.schema import Proposal
from opslib.stats.estimates import Estimate
from opslib.stats.sufficient_statistics import arms_of

DAYS_A_MONTH = 365.25 / 12
_FACTORS = {
    "margin share": "margin_share",
    "margin an order": "margin_per_order",
    "margin a buyer": "margin_per_buyer",
    "margin an item": "margin_per_item",
    "margin of a repeat order": "margin_per_order",
    "margin a customer": "margin_per_buyer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """What one more order, buyer or item leaves, in the shop's currency; shares 0-1."""

    margin_share: float
    margin_per_order: float
    margin_per_buyer: float
    margin_per_item: float


def economics_of(tables: Mapping[str, Table], *, period: Period) -> Economics:
    """Margin per order, buyer and item in a period.

    Parameters
    ----------
    tables : mapping of name to table
        ``order_lines`` with ``cost_amount``.
    period : Period

    Returns
    -------
    Economics

    Raises
    ------
    NotAvailableError
        No costs are known.
    """
    if "order_lines" not in tables or "cost_amount" not in tables["order_lines"].columns:
        raise NotAvailableError(
            "order_lines.cost_amount", "what a further order leaves, hence what a proposal is worth"
        )
    metrics = [METRICS[name] for name in ("margin_share", "average_order_value", "items_per_order")]
    values = unit_values(tables, metrics, unit="buyer", period=period)
    sums = arms_of(unit_statistics(values, metrics), arm="metric")
    margin, orders, items = (sums[metric.name] for metric in metrics)
    if not (margin.d > 0 and orders.d > 0 and items.y > 0):
        raise NotAvailableError(
            "order_lines", f"what an order leaves: there is no paid order with a cost in {period.label}"
        )
    share = float(margin.y / margin.d)
    revenue = float(orders.y)
    order, buyer, item = (share * revenue / float(n) for n in (orders.d, orders.n, items.y))
    return Economics(margin_share=share, margin_per_order=order, margin_per_buyer=buyer, margin_per_item=item)


def cost_of(proposal: Proposal) -> float:
    """One-off cost, and running cost over the horizon."""
    return proposal.one_off_cost_amount + proposal.running_cost_amount * proposal.horizon_days / DAYS_A_MONTH


def effective_months(proposal: Proposal) -> float:
    """Months of full effect that the horizon holds, decay taken off: the integral of (1 - decay)^t.

    Parameters
    ----------
    proposal : Proposal

    Returns
    -------
    float
    """
    months = proposal.horizon_days / DAYS_A_MONTH
    if proposal.decay == 0:
        return months
    rate = -math.log1p(-proposal.decay)
    return -math.expm1(-rate * months) / rate


def amount_per_lift(proposal: Proposal, claim: ClaimResult, plan: Plan, economics: Economics) -> float | None:
    """Money over the horizon for a relative effect of 1 in the wanted direction; None without a money path."""
    baseline, path = claim.measured.baseline, plan.metric.money_path
    if not path or not baseline or proposal.reach is None:
        return None
    name = _FACTORS.get(path.rpartition(" x ")[2])
    if name is None and path != "the change itself":
        return None
    factor = 1.0 if name is None else float(getattr(economics, name))
    # A total was counted over the whole window; the reach is a month's.
    per_month = DAYS_A_MONTH / claim.measured.n_days if getattr(plan.metric, "is_total", False) else 1.0
    return abs(baseline) * proposal.reach * effective_months(proposal) * factor * per_month


def relative_bias(claim: ClaimResult) -> float:
    """The design's stated bias as a share of the baseline (standard deviation)."""
    return claim.measured.bias_sd * claim.measured.per_baseline(claim.scale)


def relative_error(claim: ClaimResult) -> float | None:
    """Error of a claim's relative effect as money and base rates take it: half the interval over z, with the stated bias.

    Parameters
    ----------
    claim : ClaimResult

    Returns
    -------
    float or None
        None without an effect, or without an error.
    """
    effect = relative_effect(claim)
    if effect is None or not effect.std_error:
        return None
    half = effect.width / 2 / _z(effect)
    return math.hypot(max(effect.std_error, half if math.isfinite(half) else 0.0), relative_bias(claim))


def relative_effect(claim: ClaimResult) -> Estimate | None:
    """The effect as a relative change; None for a level or trend.

    A test's error does not depend on when one looked, and keeps what units lost unseen may have moved.
    """
    measured, effect = claim.measured, claim.measured.effect
    if effect is None or claim.design in ("level", "trend"):
        return None
    if claim.scale == "absolute":
        if not measured.baseline:
            return None
        effect = effect.scaled(1 / abs(measured.baseline), unit="relative")
    if claim.design == "experiment" and effect.std_error:
        half = _z(effect) * effect.std_error + measured.missing_bound * measured.per_baseline(claim.scale)
        return replace(effect, lower=effect.value - half, upper=effect.value + half, unit="relative")
    return effect


def _z(effect: Estimate) -> float:
    """Standard errors on either side of an interval of the effect's level."""
    return float(distributions.norm.ppf((1 + effect.confidence_level) / 2))
