"""What known customers are worth, whom to win back, how far to trust it, and what visits are for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from opslib.finding import About, Finding, Proposes
from opslib.findings.rows import estimate_of
from opslib.formats import count_of, format_date, format_days, format_estimate, format_money, format_share
from opslib.segmentation import HoldoutCheck

WORTH, TRUST, VISITS = "What the customers are worth", "How far to trust the forecast", "What visits are for"


def lifetime_findings(
    everybody: pd.DataFrame,
    values: pd.DataFrame,
    holdout: HoldoutCheck,
    checks: pd.DataFrame,
    *,
    currency: str,
    horizon_days: int,
) -> tuple[Finding, ...]:
    """Findings on customer lifetime value.

    Parameters
    ----------
    everybody, values : pandas.DataFrame
        From `segmentation.segment_lifetime_value`, without and with segments; withheld segments have missing measures.
    holdout : HoldoutCheck
        From `segmentation.holdout_check`.
    checks : pandas.DataFrame
        From `segmentation.lifetime_checks`, with the holdout.
    currency : str
        ISO code.
    horizon_days : int
        Days ahead of the values.

    Returns
    -------
    tuple of Finding
        The worth of all, the segment to win back (where the model can tell), and how far to trust the forecast: how it
        did, and where the model is outside what it was made for.
    """
    whole, shown = everybody.iloc[0], values.dropna(subset=["value_amount"])
    failed = checks[~checks["is_passed"].astype(bool)]
    found = [_worth(whole, shown, failed, currency, horizon_days), _trust(holdout, failed)]
    if "customers stop" not in set(failed["check"]) and len(shown) and shown["dormant_amount"].max() > 0:
        found.insert(1, _win_back(shown, currency, horizon_days))
    return tuple(found)


def _worth(whole: pd.Series, shown: pd.DataFrame, failed: pd.DataFrame, currency: str, days: int) -> Finding:
    ends = f"{_money(whole['lower'], currency)} to {_money(whole['upper'], currency)}"
    sentence = (
        f"{count_of(whole['n_customers'], 'known customer')} are expected to bring {_money(whole['value_amount'], currency)} "
        f"in the next {format_days(days)} (95 %: {ends}), {_money(whole['customer_value_amount'], currency)} each"
    )
    if len(shown):
        top = shown.sort_values("value_amount", ascending=False).iloc[0]
        share = format_share(top["value_amount"] / whole["value_amount"], step=1.0)
        sentence += f"; {share} of it from {count_of(top['n_customers'], 'customer')} in '{top['segment']}'"
    caveat = f"The model fails {count_of(len(failed), 'check')}: {', '.join(failed['check'])}." if len(failed) else None
    return Finding(
        key="lifetime-worth", sentence=f"{sentence}.", kind="estimated", section=WORTH,
        estimate=estimate_of(
            whole, ("value_amount", "lower", "upper"), n=whole["n_customers"], unit=currency, method="BG/NBD and Gamma-Gamma"
        ),
        caveat=caveat or "It counts today's customers only, and takes the season to be an average one.",
    )  # fmt: skip


def _win_back(shown: pd.DataFrame, currency: str, days: int) -> Finding:
    shown = shown.assign(each=shown["dormant_amount"] / shown["n_customers"])
    target = shown.sort_values(["each", "segment"], ascending=[False, True]).iloc[0]
    names, method = ("alive_share", "alive_lower", "alive_upper"), "BG/NBD, mean chance to be active"
    alive = estimate_of(target, names, n=target["n_customers"], unit="share", method=method)
    return Finding(
        key="win-back",
        sentence=f"Most a customer is to be won back in '{target['segment']}': of {count_of(target['n_customers'], 'customer')} "
        f"{format_estimate(alive)} are expected to be still active; those who stopped would bring "
        f"{_money(target['dormant_amount'], currency)} in {format_days(days)} if all came back.",
        kind="estimated",
        section=WORTH,
        estimate=alive,
        action=f"Try a win-back on a random half of '{target['segment']}', at well under {_money(target['each'], currency)} a customer",
        department="Customer relations",
        caveat="That is the most there is: few of those who stopped answer an offer, and some would return without one.",
        about=About(scope=(("segment", str(target["segment"])),)),
        proposes=Proposes(metric="purchase_rate", design="experiment"),
    )  # fmt: skip


def _trust(holdout: HoldoutCheck, failed: pd.DataFrame) -> Finding:
    days = (holdout.holdout_end - holdout.calibration_end).days
    outside = int(holdout.groups["is_outside"].sum())
    kept = holdout.orders.lower <= holdout.realised_orders <= holdout.orders.upper
    skill = holdout.skill
    better = "no better than" if skill.lower <= 0 <= skill.upper else "better than" if skill.lower > 0 else "worse than"
    outside_of = "; ".join(f"{row.check}: {row.meaning}" for row in failed.itertuples())
    return Finding(
        key="lifetime-holdout",
        sentence=f"Fitted up to {format_date(holdout.calibration_end)} and checked on the {format_days(days)} after, the model predicted "
        f"{holdout.orders.value:,.0f} purchases ({holdout.orders.lower:,.0f}–{holdout.orders.upper:,.0f}) and "
        f"{holdout.realised_orders:,.0f} came: {_miss(holdout.orders_error)}, {'within' if kept else 'beyond'} what chance "
        f"allows; revenue {_miss(holdout.amount_error)}; {outside} of {len(holdout.groups)} groups were missed. Going on as "
        f"before would have been {_miss(holdout.naive_error)}; per customer the model is {better} that."
        + (f" It is outside what it was made for here ({outside_of})." if outside_of else ""),
        kind="measured",
        section=TRUST,
        estimate=skill,
        action="Use the forecast for the order of segments, not for a budget" if outside_of else None,
        department="Data analysis" if outside_of else None,
        caveat="One stretch of days: another season would be missed by another amount.",
    )


def _miss(error: float) -> str:
    if not np.isfinite(error):
        return "not comparable"
    return f"{format_share(abs(error), step=0.1 if abs(error) < 0.0995 else 1.0)} too {'low' if error < 0 else 'high'}"


def visit_findings(sizes: pd.DataFrame | None, *, horizon_days: int) -> tuple[Finding, ...]:
    """Findings on what visits are for.

    Parameters
    ----------
    sizes : pandas.DataFrame or None
        From `segmentation.intent_sizes`; withheld intents have missing measures. None where no visit was seen.
    horizon_days : int
        Days in which a later order counts.

    Returns
    -------
    tuple of Finding
        What is left in most visits, the cart or the checkout, and how often an order follows; none without such visits.
    """
    left = sizes if sizes is None else sizes[sizes["intent"].isin(["checkout", "cart"])].dropna(subset=["later_share"])
    if left is None or left.empty:
        return ()
    worst = left.sort_values(["n_visits", "intent"], ascending=[False, True]).iloc[0]
    n, method = worst["n_visitors"], "ratio of sums over visitors"
    part = estimate_of(worst, ("visit_share", "lower", "upper"), n=n, unit="share", method=method)
    later = estimate_of(worst, ("later_share", "later_lower", "later_upper"), n=n, unit="share", method=method)
    return (
        Finding(
            key="left-carts",
            sentence=f"{format_estimate(part)} of the visits end as '{worst['intent']}' ({worst['meaning']}); in "
            f"{format_estimate(later)} of them the visitor orders in a later visit within {format_days(horizon_days)}.",
            kind="measured", section=VISITS, estimate=later,
            action=f"Try a reminder after a '{worst['intent']}' visit on a random half of such visitors",
            department="Marketing", about=About(scope=(("intent", str(worst["intent"])),)),
            caveat="Those who order later differ in more than the cart; the reminder's effect needs its own test.",
        ),
    )  # fmt: skip


def _money(value: float, currency: str) -> str:
    return format_money(float(value), currency) if np.isfinite(value) else "an unknown amount"


def lifetime_limits(*, horizon_days: int) -> tuple[str, ...]:
    """What the lifetime figures cannot say.

    Parameters
    ----------
    horizon_days : int
        Days ahead.

    Returns
    -------
    tuple of str
    """
    return (
        f"What new customers will bring: the {format_days(horizon_days)} ahead are those of customers who are known today.",
        "Whether a customer is gone: nobody tells a shop that they left; the chance to be active is a model's, and one who "
        "ordered once counts as active by its making.",
        "What visits that were never measured were for, or people who use two devices: they count as two visitors.",
    )
