"""What a relative effect is worth: margin per order, buyer and item, months of effect, cost, and the error money takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from scipy import stats as distributions

from opslib import engine
from opslib.errors import NotAvailableError
from opslib.formats import count_of, format_number
from opslib.metrics import METRICS, Metric, unit_statistics, unit_values
from opslib.periods import Period
from opslib.proposals.designs import Plan
from opslib.proposals.designs.design import COUNTED, Table
from opslib.proposals.results import ClaimResult
from opslib.proposals.schema import Proposal
from opslib.stats.estimates import Estimate
from opslib.stats.sufficient_statistics import SufficientStatistics, arms_of

DAYS_A_MONTH = 365.25 / 12
_FACTORS = {
    "margin share": "margin_share",
    "margin an order": "margin_per_order",
    "margin a buyer": "margin_per_buyer",
    "margin an item": "margin_per_item",
    "margin of a repeat order": "margin_per_order",
    "margin a customer": "margin_per_buyer",
}


#: Flows of a month that reach may be stated in: unit -> metric whose denominator counts them.
_FLOWS = {"visitor": "orders_per_visitor", "session": "session_conversion", "checkout": "checkout_completion"}
#: Orders that visitors placed: what an order is to a visitor, a visit or a checkout, where stores sell as well.
_ONLINE_ORDER = "order online"


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """What one more order, buyer or item leaves, in the shop's currency; shares 0-1.

    Parameters
    ----------
    margin_share, margin_per_order, margin_per_buyer, margin_per_item : float
        Of the period.
    margin_a_year : float
        Margin of the twelve months up to the period's end, or of as many as were seen, scaled to a year.
    a_month : mapping of str to float
        How many visitors, sessions, orders, customers and items come in a month, how many stores and regions there are.
    """

    margin_share: float
    margin_per_order: float
    margin_per_buyer: float
    margin_per_item: float
    margin_a_year: float
    a_month: Mapping[str, float]


def economics_of(tables: Mapping[str, Table], *, period: Period, first: date) -> Economics:
    """Margin per order, buyer and item in a period, margin of a year, and what comes in a month.

    Parameters
    ----------
    tables : mapping of name to table
        ``order_lines`` with ``cost_amount``.
    period : Period
    first : date
        First day that the data have seen.

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
    margin, orders, items = (_sums(tables, metrics, period)[metric.name] for metric in metrics)
    if not (margin.d > 0 and orders.d > 0 and items.y > 0):
        raise NotAvailableError(
            "order_lines", f"what an order leaves: there is no paid order with a cost in {period.label}"
        )
    share = float(margin.y / margin.d)
    revenue = float(orders.y)
    order, buyer, item = (share * revenue / float(n) for n in (orders.d, orders.n, items.y))
    year = Period(max(first, period.end - timedelta(days=364)), period.end)
    gross = METRICS["gross_margin"]
    a_year = float(_sums(tables, [gross], year)[gross.name].y) * 365 / year.n_days
    per = DAYS_A_MONTH / period.n_days
    a_month = {"order": orders.d * per, "customer": orders.n * per, "item": items.y * per}
    for unit, name in _FLOWS.items():
        metric = METRICS[name]
        if set(metric.tables) <= set(tables):
            sums = _sums(tables, [metric], period, unit=metric.unit_of_analysis)[name]
            a_month |= {unit: sums.d * per} | ({_ONLINE_ORDER: sums.y * per} if unit == "visitor" else {})
    lines = tables["order_lines"]
    for unit in ("store", "region"):
        if unit in lines.columns:
            counted = engine.as_table(lines)
            a_month[unit] = float(engine.collect(counted.aggregate(n=counted[unit].nunique()))["n"].iloc[0])
    return Economics(
        margin_share=share, margin_per_order=order, margin_per_buyer=buyer, margin_per_item=item,
        margin_a_year=a_year, a_month={unit: float(n) for unit, n in a_month.items()},
    )  # fmt: skip


def _sums(
    tables: Mapping[str, Table], metrics: Sequence[Metric], period: Period, *, unit: str = "buyer"
) -> dict[str, SufficientStatistics]:
    found = arms_of(unit_statistics(unit_values(tables, metrics, unit=unit, period=period), metrics), arm="metric")
    return {str(name): sums for name, sums in found.items()}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """What a relative effect of 1 is worth.

    Parameters
    ----------
    amount : float
        Money over the horizon, in the wanted direction.
    sentence : str
        The reach in the unit of the estimate, and how it was converted.
    """

    amount: float
    sentence: str


def worth_of_lift(proposal: Proposal, claim: ClaimResult, plan: Plan, economics: Economics) -> Lift | None:
    """Money over the horizon for a relative effect of 1: baseline x reach in its unit x margin x months of effect.

    The baseline is of one visitor, order, store, ... (`Measured.per`), over ``per_days`` days where it grows with them. The
    reach is stated in the proposal's unit; another unit is converted by what the shop counts of both in a month. A reach
    in what a total counts (so many orders a month) is taken as it is: units of unlike size need no baseline then.

    Parameters
    ----------
    proposal : Proposal
    claim : ClaimResult
    plan : Plan
    economics : Economics

    Returns
    -------
    Lift or None
        None without a money path, a baseline, or a reach that can be converted.
    """
    measured, path = claim.measured, plan.metric.money_path
    name = _FACTORS.get((path or "").rpartition(" x ")[2])
    if not measured.baseline or not measured.per or (name is None and path != "the change itself"):
        return None
    factor = 1.0 if name is None else float(getattr(economics, name))
    each = abs(measured.baseline) * (DAYS_A_MONTH / measured.per_days if measured.per_days else 1.0)
    total = COUNTED.get(getattr(plan.metric, "numerator", "")) if plan.metric.is_total else None
    if proposal.reach is not None and proposal.reach_unit is not None and proposal.reach_unit == total:
        n, sentence = proposal.reach / each, f"It reaches {count_of(proposal.reach, total)} a month."
    else:
        reached = _reached(proposal, claim, economics)
        if reached is None:
            return None
        n, sentence = reached
    return Lift(amount=each * n * factor * effective_months(proposal), sentence=sentence)


def _reached(proposal: Proposal, claim: ClaimResult, economics: Economics) -> tuple[float, str] | None:
    """How many of what the baseline counts are reached, and the sentence that says so; None where that is not known."""
    per, unit = claim.measured.per, claim.measured.unit
    stated = proposal.reach_unit or (per if unit == "shop" else unit)
    if per == "shop":
        return 1.0, "The change reaches everything that was measured."
    if proposal.reach is None:
        return None
    often = "" if claim.measured.per_days else " a month"
    if per == stated:
        return proposal.reach, f"It reaches {count_of(proposal.reach, per)}{often}."
    known = dict(economics.a_month)
    if {per, stated} & set(_FLOWS) and _ONLINE_ORDER in known:
        known["order"] = known[_ONLINE_ORDER]
    if not known.get(per) or not known.get(stated):
        return None
    rate = known[per] / known[stated]
    n = proposal.reach * rate
    return n, (
        f"It reaches {count_of(proposal.reach, stated)} a month, hence {count_of(n, per)}{often}: the shop counts "
        f"{format_number(rate, step=0.001)} for each {stated}."
    )


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
