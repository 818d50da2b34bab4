"""Sentences of a judged claim, each in the words of its design: what was found, what follows, what is doubtful."""

from __future__ import annotations

import math
from dataclasses import dataclass

from opslib.formats import (
    SHARE_UNITS,
    count_of,
    format_days,
    format_estimate,
    format_number,
    format_value,
)
from opslib.metrics import Metric
from opslib.proposals import number_text
from opslib.proposals.designs import RecordedMetric
from opslib.proposals.results import ClaimResult, Measured
from opslib.proposals.schema import DESCRIPTIVE, Claim, ComparisonDesign, ElasticityDesign, TrendDesign
from opslib.stats.estimates import Estimate

#: Last digit of points that are told.
POINT_STEP = 0.001
#: Days from which more of the same traffic is no help.
USEFUL_DAYS = 365
#: How far the variation of an outcome may be from that of a yes or no, which is (1 - share) / share.
_YES_OR_NO = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class InOwnUnit:
    """A claim in its metric's own unit and direction: a share in points, a total in per cent of itself, a level as it is.

    Parameters
    ----------
    effect : Estimate or None
        In ``unit``; a fall is negative, whatever was wanted.
    promise, smallest_worthwhile : float
        In the same unit and direction.
    unit : str
        As `formats.format_value` takes it.
    """

    effect: Estimate | None
    promise: float
    smallest_worthwhile: float
    unit: str


def unit_of_values(metric: Metric | RecordedMetric | None, measured: Measured) -> str:
    """Unit of a metric's values; an outcome that the shop recorded and that is always 0 or 1 is a share.

    Examples
    --------
    >>> visit, found = RecordedMetric(name="visit"), Measured(effect=None, baseline=0.25, variation=3.0)
    >>> unit_of_values(visit, found), unit_of_values(visit, Measured(effect=None, baseline=0.65, variation=90.0))
    ('share', 'count')
    """
    unit, baseline = metric.unit if metric else "count", measured.baseline
    if not isinstance(metric, RecordedMetric) or unit != "count" or not measured.variation or not baseline:
        return unit
    change = 0.0
    if measured.effect is not None:
        change = measured.effect.value * (baseline if measured.effect.unit.startswith("relative") else 1.0)
    middle = baseline + change / 2  # both sides stand behind the variation
    is_yes_or_no = 0 < middle < 1 and abs(measured.variation * middle / (1 - middle) - 1) < _YES_OR_NO
    return "share" if is_yes_or_no else unit


def in_own_unit(claim: ClaimResult, *, currency: str = "money") -> InOwnUnit:
    """A claim as its metric is counted, so that no percentage of a percentage is told or drawn."""
    effect, baseline = claim.measured.effect, claim.measured.baseline
    sign = -1.0 if claim.is_down and claim.design not in DESCRIPTIVE else 1.0
    factor, unit = sign, currency if claim.unit == "money" else claim.unit
    if claim.design == "trend":
        unit = f"relative change/{_grain(effect)}"
    elif claim.design != "level":
        is_share = claim.unit in SHARE_UNITS
        if claim.scale == "relative" and is_share and baseline:
            factor, unit = sign * abs(baseline), "points"
        elif claim.scale == "relative":
            unit = "relative change"
        elif is_share:
            unit = "points"
    return InOwnUnit(
        effect=None if effect is None else effect.scaled(factor, unit=unit),
        promise=factor * claim.promise,
        smallest_worthwhile=factor * claim.smallest_worthwhile,
        unit=unit,
    )


def change_text(claim: ClaimResult, *, currency: str = "money") -> str:
    """The change alone, signed: "+5.1 points", "−6 %"; '' where nothing was measured.

    A level has no sign.
    """
    own = in_own_unit(claim, currency=currency)
    if own.effect is None:
        return ""
    return effect_text(own, signed=claim.design != "level").split(" (")[0]


def effect_text(own: InOwnUnit, *, signed: bool = True) -> str:
    """The effect with its interval; points at the one decimal that shares have, so that the difference adds up.

    Examples
    --------
    >>> found = Estimate(value=-0.1055, lower=-0.1467, upper=-0.0606, n=6_632, unit="points", method="log")
    >>> effect_text(InOwnUnit(effect=found, promise=0.03, smallest_worthwhile=0.0, unit="points")).replace("\xa0", " ")
    '−10.5 points (−14.7 to −6.1)'
    """
    effect = own.effect
    assert effect is not None
    ends = (effect.lower, effect.upper)
    if own.unit != "points" or not all(abs(end) >= POINT_STEP and math.isfinite(end) for end in ends):
        return format_estimate(effect, signed=signed, against=(own.promise,))
    lower, upper = (format_number(100 * end, step=100 * POINT_STEP) for end in ends)
    value = format_value(effect.value, own.unit, step=100 * POINT_STEP, signed=signed)
    return f"{value} ({lower} to {upper})"


def promise_text(claim: ClaimResult, *, currency: str = "money") -> str:
    """What was promised, in the same unit as the change."""
    own = in_own_unit(claim, currency=currency)
    return format_value(_rounded(own.promise), own.unit, signed=claim.design not in DESCRIPTIVE)


def sides_text(claim: ClaimResult, *, currency: str = "money") -> tuple[str, str] | None:
    """Value with and without the change, as they are written; None where the design has no two such sides."""
    found, baseline = claim.measured.effect, claim.measured.baseline
    if found is None or not baseline or claim.design not in ("experiment", "cluster_experiment", "comparison"):
        return None
    sign = -1.0 if claim.is_down else 1.0
    change = sign * found.value * (abs(baseline) if claim.scale == "relative" else 1.0)
    unit = currency if claim.unit == "money" else claim.unit
    step = 0.1 if unit in SHARE_UNITS and abs(baseline) >= 0.01 else None
    if unit not in SHARE_UNITS and 1 <= abs(baseline) < 1_000:
        step = 10.0 ** (math.floor(math.log10(abs(baseline))) - 2)
    with_it, without = (format_value(value, unit, step=step) for value in (baseline + change, baseline))
    return with_it, without


def claim_sentence(claim: Claim, result: ClaimResult) -> str:
    """A claim's result as its page says it: what was found, against what was promised, and what follows."""
    measured, title = result.measured, result.title or result.metric.replace("_", " ")
    if measured.failed:
        return f"No verdict on {title.lower()}: {measured.failed[0].sentence.rstrip('.')}."
    if measured.effect is None or measured.pending:
        return f"No verdict on {title.lower()} yet: {measured.pending or 'nothing was measured'}."
    return f"{_found(claim, result, title)} {_follows(result)}"


def _found(claim: Claim, result: ClaimResult, title: str) -> str:
    own, design, measured = in_own_unit(result), claim.design, result.measured
    assert own.effect is not None
    promised = promise_text(result)
    text = effect_text(own, signed=result.design != "level")
    if result.design == "level":
        return f"{title}: {text}; the claim was at least {promised}."
    if isinstance(design, TrendDesign):
        return f"{title}: {text}; the claim was at least {promised}."
    if isinstance(design, ElasticityDesign):
        lower = (
            format_number(abs(design.price_change) * 100) + " % " + ("lower" if design.price_change < 0 else "higher")
        )
        return f"{title} at prices {lower}: {text}; the claim was {promised}."
    sides = sides_text(result)
    if isinstance(design, ComparisonDesign) and sides:
        return f"{title}: {sides[0]} in '{design.treatment}', {sides[1]} in '{design.control}': {text}; the claim was {promised}."
    if sides:
        per = f" a {measured.unit}" if result.design == "cluster_experiment" and measured.per == measured.unit else ""
        return f"{title}{per}: {sides[0]} with the change, {sides[1]} without it: {text}; the promise was {promised}."
    if result.design == "rollout":
        treated, others = (count_of(n, measured.unit or "place") for n in (measured.n_treated, measured.n_control))
        return f"{title} of the {treated} with the change against the {others} without it: {text}; the promise was {promised}."
    if result.design == "before_after":
        return f"{title} after the change against before: {text}; the promise was {promised}."
    return f"{title}: {text}; the claim was {promised}."


_QUALIFIED = {
    "exploratory": "It was written down after the first of the days that it reads, so it can suggest a test and no more.",
    "comparison": "The groups differ in more than this, so it is no proof that one made the other.",
    "before_after": "Without others to compare with, something else may have made it.",
    "outside": "It was measured elsewhere, so it is no proof for this shop.",
    "elasticity": "Prices followed sales here, so it is no proof of what a price does.",
}


def _follows(result: ClaimResult) -> str:
    """What follows from where the interval lies."""
    if result.qualifier:
        return _QUALIFIED.get(result.design if result.qualifier == "association only" else result.qualifier, "")
    if result.design in DESCRIPTIVE:
        return {"supported": "It holds.", "refuted": "It does not hold."}.get(result.state) or needed_sentence(result)
    helps = "Sales answer as claimed" if result.design == "elasticity" else "It helps"
    chance = ""
    if result.p_promise is not None:
        word = "likely" if result.p_promise >= 0.5 else "possible"
        chance = f" That it does so by as much as promised is {word} ({number_text.probability(result.p_promise)}), not certain."
    least = "any gain is not shown"
    if result.smallest_worthwhile:
        own = in_own_unit(result)
        least = f"not even {format_value(_rounded(own.smallest_worthwhile), own.unit, signed=True)} is shown"
    return {
        "harmful": "It does harm.",
        "confirmed": "Even the cautious end keeps the promise.",
        "supported": f"{helps}.{chance}",
        "partly": f"{helps}, by less than promised.",
        "refuted": f"The promise is ruled out, and {least}.",
    }.get(result.state) or needed_sentence(result)


def needed_sentence(result: ClaimResult) -> str:
    """What would still be needed to tell, in units that the design can have more of; nothing that takes over a year.

    Examples
    --------
    >>> from dataclasses import replace
    >>> claim = ClaimResult(
    ...     claim_id="a", sentence="", metric="conversion", design="experiment", state="inconclusive", qualifier="", page_sentence="",
    ...     measured=Measured(effect=None, unit="visitor"), grade="High", grade_reasons=(), promise=0.1, smallest_worthwhile=0.0,
    ...     scale="relative", n_needed=8_612, days_needed=60)
    >>> needed_sentence(claim)
    'We cannot tell yet; about 8,600 more visitors would tell, 60 days at this traffic.'
    >>> needed_sentence(replace(claim, days_needed=8_600))
    'We cannot tell, and not in any useful time at this traffic.'
    """
    measured, n, days = result.measured, result.n_needed, result.days_needed
    kind, places = result.design, measured.n_control + measured.n_treated
    if n is None or not math.isfinite(n):
        return "We cannot tell."
    if kind in ("cluster_experiment", "rollout"):
        word = measured.unit or "place"
        return f"We cannot tell with {count_of(places, word)}; about {number_text.count(n)} more would be needed."
    if is_out_of_reach(result):
        return "We cannot tell, and not in any useful time at this traffic."
    if kind == "elasticity":
        return "We cannot tell yet; more changes of price would tell."
    if kind in ("trend", "before_after"):
        more = "" if days is None else f" about {format_days(round(max(days, 1)))}"
        return (
            f"We cannot tell yet; a longer time,{more} more, would tell."
            if more
            else "We cannot tell yet; a longer time would tell."
        )
    rest = "" if days is None else f", {format_days(round(max(days, 1)))} at this traffic"
    word = measured.unit or "customer"
    return f"We cannot tell yet; about {count_of(float(number_text.count(n).replace(',', '')), f'more {word}')} would tell{rest}."


def is_out_of_reach(result: ClaimResult) -> bool:
    """Whether more of the same traffic would tell, and not in any useful time."""
    is_counted = result.n_needed is not None and math.isfinite(result.n_needed)
    has_days = result.days_needed is not None and result.days_needed > USEFUL_DAYS
    return is_counted and has_days and result.design not in ("cluster_experiment", "rollout")


def _grain(effect: Estimate | None) -> str:
    return "month" if effect is None else effect.unit.rpartition(" ")[2] or "month"


def _rounded(value: float) -> float:
    """A promise as somebody would say it: two digits are enough."""
    return float(f"{value:.2g}")
