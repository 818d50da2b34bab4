"""Sentences of the customer value page: what known customers are worth, whom to win back, how far to trust it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes, answer
from opslib.findings.wording import estimate_of
from opslib.formats import count_of, format_date, format_days, format_estimate, format_money, format_share
from opslib.segmentation import HoldoutCheck
from opslib.suppression import suppressed

__all__ = ["answer", "findings", "limits"]


def findings(
    tiers: pd.DataFrame,
    holdout: HoldoutCheck,
    checks: pd.DataFrame,
    everybody: pd.DataFrame,
    worth: pd.DataFrame,
    *,
    horizon_days: int,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the customer value page.

    Parameters
    ----------
    tiers : pandas.DataFrame
        From `segmentation.tier_sizes`; small tiers may have joined the one before ("heavy or medium").
    holdout : HoldoutCheck
        From `segmentation.holdout_check`; without groups where too few customers came back to forecast.
    checks : pandas.DataFrame
        From `segmentation.lifetime_checks`, with the holdout.
    everybody, worth : pandas.DataFrame
        From `segmentation.segment_lifetime_value`, without and with segments; withheld segments have missing measures;
        empty where nothing is forecast.
    horizon_days : int
        Days ahead of the values.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
        Concentration, the worth of all, the segment to win back (where the model can tell), and how far to trust the
        forecast: how it did, and where the model is outside what it was made for.
    """
    tiers, worth, holdout = suppressed(tiers), suppressed(worth), suppressed(holdout)
    top = tiers.head(1)
    found = [_concentration(row, page.currency) for _, row in top[top["n_customers"] > 0].iterrows()]
    if everybody.empty or holdout.groups.empty:
        return tuple(found)
    shown, failed = worth.dropna(subset=["value_amount"]), checks[~checks["is_passed"].astype(bool)]
    found.append(_worth(everybody.iloc[0], shown, failed, page.currency, horizon_days))
    if "customers stop" not in set(failed["check"]) and len(shown) and shown["dormant_amount"].max() > 0:
        found.append(_win_back(shown, page.currency, horizon_days))
    return (*found, _trust(holdout, failed))


def value_spread(quantiles: pd.DataFrame, *, horizon_days: int, page: Facts) -> str:
    """What half of the customers, and one in ten, are expected to bring; '' where nobody is valued."""
    half, most = quantiles["expected_revenue_amount"]
    if math.isnan(half):
        return ""
    return (
        f"Half of the customers are expected to bring less than {format_money(half, page.currency)} in {horizon_days} days, "
        f"one in ten over {format_money(most, page.currency)}."
    )


def limits(page: Facts, *, horizon_days: int) -> tuple[str, ...]:
    """What the customer value page cannot say."""
    return (
        f"What new customers will bring: the {format_days(horizon_days)} ahead are those of customers who are known today.",
        "Whether a customer is gone: nobody tells a shop that they left; the chance to be active is a model's, and one who "
        "ordered once counts as active by its making.",
    )


def _concentration(top: pd.Series, currency: str) -> Finding:
    amount = format_money(top["revenue_amount"], currency)
    return Finding(
        key="concentration",
        sentence=f"{format_share(top['customer_share'])} of the customers bring {format_share(top['revenue_share'])} "
        f"of the revenue: {count_of(top['n_customers'], top['tier'] + ' customer')}, {amount}.",
        kind="measured",
        section="tiers",
        about=About(people=int(top["n_customers"])),
    )


def _worth(whole: pd.Series, shown: pd.DataFrame, failed: pd.DataFrame, currency: str, days: int) -> Finding:
    ends = f"{_money(whole['value_amount_lower'], currency)} to {_money(whole['value_amount_upper'], currency)}"
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
        key="lifetime-worth", sentence=f"{sentence}.", kind="estimated", section="worth",
        estimate=estimate_of(
            whole, "value_amount", n=whole["n_customers"], unit=currency, method="BG/NBD and Gamma-Gamma"
        ),
        caveat=caveat or "It counts today's customers only, and takes the season to be an average one.",
        about=About(people=int(whole["n_customers"])),
    )  # fmt: skip


def _win_back(shown: pd.DataFrame, currency: str, days: int) -> Finding:
    shown = shown.assign(each=shown["dormant_amount"] / shown["n_customers"])
    target = shown.sort_values(["each", "segment"], ascending=[False, True]).iloc[0]
    method = "BG/NBD, mean chance to be active"
    alive = estimate_of(target, "alive_share", n=target["n_customers"], unit="share", method=method)
    return Finding(
        key="win-back",
        sentence=f"Most a customer is to be won back in '{target['segment']}': of {count_of(target['n_customers'], 'customer')} "
        f"{format_estimate(alive)} are expected to be still active; those who stopped would bring "
        f"{_money(target['dormant_amount'], currency)} in {format_days(days)} if all came back.",
        kind="estimated",
        section="worth",
        estimate=alive,
        action=f"Try a win-back on a random half of '{target['segment']}', at well under {_money(target['each'], currency)} a customer",
        department="Customer service",
        caveat="That is the most there is: few of those who stopped answer an offer, and some would return without one.",
        about=About(scope=(("segment", str(target["segment"])),), people=int(target["n_customers"])),
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
        section="forecast-check",
        estimate=skill,
        action="Use the forecast for the order of segments, not for a budget" if outside_of else None,
        department="Data" if outside_of else None,
        caveat="One stretch of days: another season would be missed by another amount.",
        about=About(people=holdout.orders.n),
    )


def _miss(error: float) -> str:
    if not np.isfinite(error):
        return "not comparable"
    return f"{format_share(abs(error), step=0.1 if abs(error) < 0.0995 else 1.0)} too {'low' if error < 0 else 'high'}"


def _money(value: float, currency: str) -> str:
    return format_money(float(value), currency) if np.isfinite(value) else "an unknown amount"
