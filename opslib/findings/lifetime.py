"""What known customers are worth, whom to win back, how far to trust it, and what visits are for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from opslib.formats import count_of, format_date, format_days, format_money, format_share
from opslib.proposals.evidence import Evidence
from opslib.segmentation import SEGMENTS, HoldoutCheck
from opslib.stats.estimates import Estimate

WORTH, TRUST, VISITS = "What the customers are worth", "How far to trust the forecast", "What visits are for"
_ACTIONS = {segment.name: (segment.action, segment.owner) for segment in SEGMENTS}


def lifetime_findings(
    everybody: pd.DataFrame,
    values: pd.DataFrame,
    holdout: HoldoutCheck,
    checks: pd.DataFrame,
    *,
    currency: str,
    horizon_days: int,
) -> tuple[Evidence, ...]:
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
    tuple of Evidence
        The worth of all, the segment to win back (where the model can tell), how the forecast did, and where the model is
        outside what it was made for.
    """
    whole, shown = everybody.iloc[0], values.dropna(subset=["value_amount"])
    failed = checks[~checks["is_passed"].astype(bool)]
    found = [_worth(whole, shown, failed, currency, horizon_days), _trust(holdout)]
    if "customers stop" not in set(failed["check"]) and len(shown) and shown["dormant_amount"].max() > 0:
        found.insert(1, _win_back(shown, currency, horizon_days))
    if len(failed):
        found.append(_outside(failed))
    return tuple(found)


def _worth(whole: pd.Series, shown: pd.DataFrame, failed: pd.DataFrame, currency: str, days: int) -> Evidence:
    ends = f"{_money(whole['lower'], currency)} to {_money(whole['upper'], currency)}"
    sentence = (
        f"{count_of(whole['n_customers'], 'known customer')} are expected to bring {_money(whole['value_amount'], currency)} "
        f"in the next {format_days(days)} (95 %: {ends}), {_money(whole['customer_value_amount'], currency)} each"
    )
    action, owner = None, None
    if len(shown):
        top = shown.sort_values("value_amount", ascending=False).iloc[0]
        share = format_share(top["value_amount"] / whole["value_amount"], step=1.0)
        sentence += f"; {share} of it from {count_of(top['n_customers'], 'customer')} in '{top['segment']}'"
        action, owner = _ACTIONS.get(str(top["segment"]), (None, None))
    caveat = f"The model fails {count_of(len(failed), 'check')}: {', '.join(failed['check'])}." if len(failed) else None
    return Evidence(
        key="lifetime-worth", sentence=f"{sentence}.", kind="estimated", section=WORTH,
        estimate=_estimate(whole, "value_amount", "lower", "upper", currency),
        action=None if action is None else f"{top['segment']}: {action}",
        owner=None if owner is None else owner.capitalize(),
        caveat=caveat or "It counts today's customers only, and takes the season to be an average one.",
    )  # fmt: skip


def _win_back(shown: pd.DataFrame, currency: str, days: int) -> Evidence:
    shown = shown.assign(each=shown["dormant_amount"] / shown["n_customers"])
    target = shown.sort_values(["each", "segment"], ascending=[False, True]).iloc[0]
    ends = f"{format_share(target['alive_lower'])}–{format_share(target['alive_upper'])}"
    return Evidence(
        key="win-back",
        sentence=f"Most a customer is to be won back in '{target['segment']}': of {count_of(target['n_customers'], 'customer')} "
        f"{format_share(target['alive_share'])} ({ends}) are expected to be still active; those who stopped would bring "
        f"{_money(target['dormant_amount'], currency)} in {format_days(days)} if all came back.",
        kind="estimated",
        section=WORTH,
        estimate=Estimate(
            value=float(target["alive_share"]), lower=float(target["alive_lower"]), upper=float(target["alive_upper"]),
            n=int(target["n_customers"]), unit="share", method="BG/NBD, mean chance to be active",
        ),
        action=f"Try a win-back on a random half of '{target['segment']}', at well under {_money(target['each'], currency)} a customer",
        owner="Customer relations",
        caveat="That is the most there is: few of those who stopped answer an offer, and some would return without one.",
        scope=(("segment", str(target["segment"])),),
    )  # fmt: skip


def _trust(holdout: HoldoutCheck) -> Evidence:
    days = (holdout.holdout_end - holdout.calibration_end).days
    outside = int(holdout.groups["is_outside"].sum())
    kept = holdout.orders.lower <= holdout.realised_orders <= holdout.orders.upper
    skill = holdout.skill
    better = "no better than" if skill.lower <= 0 <= skill.upper else "better than" if skill.lower > 0 else "worse than"
    return Evidence(
        key="lifetime-holdout",
        sentence=f"Fitted up to {format_date(holdout.calibration_end)} and checked on the {format_days(days)} after, the model predicted "
        f"{holdout.orders.value:,.0f} purchases ({holdout.orders.lower:,.0f}–{holdout.orders.upper:,.0f}) and "
        f"{holdout.realised_orders:,.0f} came: {_miss(holdout.orders_error)}, {'within' if kept else 'beyond'} what chance "
        f"allows; revenue {_miss(holdout.amount_error)}; {outside} of {len(holdout.groups)} groups were missed. Going on as "
        f"before would have been {_miss(holdout.naive_error)}; per customer the model is {better} that.",
        kind="measured",
        section=TRUST,
        estimate=skill,
        caveat="One stretch of days: another season would be missed by another amount.",
    )


def _miss(error: float) -> str:
    if not np.isfinite(error):
        return "not comparable"
    return f"{format_share(abs(error), step=0.1 if abs(error) < 0.0995 else 1.0)} too {'low' if error < 0 else 'high'}"


def _outside(failed: pd.DataFrame) -> Evidence:
    reasons = "; ".join(f"{row.check}: {row.meaning}" for row in failed.itertuples())
    return Evidence(
        key="lifetime-outside",
        sentence=f"The lifetime model is outside what it was made for here ({reasons}).",
        kind="described",
        section=TRUST,
        action="Use the forecast for the order of segments, not for a budget",
        owner="Data analysis",
    )


def visit_findings(sizes: pd.DataFrame | None, *, horizon_days: int) -> tuple[Evidence, ...]:
    """Findings on what visits are for.

    Parameters
    ----------
    sizes : pandas.DataFrame or None
        From `segmentation.intent_sizes`; withheld intents have missing measures. None where no visit was seen.
    horizon_days : int
        Days in which a later order counts.

    Returns
    -------
    tuple of Evidence
        The largest intent, and the intent without an order that is most often followed by one; none without visits.
    """
    if sizes is None:
        return ()
    seen = sizes[sizes["intent"] != "unseen"].dropna(subset=["visit_share"])
    if seen.empty:
        return ()
    top = seen.sort_values(["visit_share", "intent"], ascending=[False, True]).iloc[0]
    found = [
        Evidence(
            key="visit-intents",
            sentence=f"Most visits are of the kind '{top['intent']}' ({top['meaning']}): {_share_words(top)} of the visits.",
            kind="measured", section=VISITS, estimate=_estimate(top, "visit_share", "lower", "upper", "share"),
        )
    ]  # fmt: skip
    left = seen[seen["intent"].isin(["checkout", "cart"])].dropna(subset=["later_share"])
    if len(left):
        worst = left.sort_values(["n_visits", "intent"], ascending=[False, True]).iloc[0]
        later = f"{format_share(worst['later_share'])} ({format_share(worst['later_lower'])}–{format_share(worst['later_upper'])})"
        found.append(
            Evidence(
                key="left-carts",
                sentence=f"{_share_words(worst)} of the visits end as '{worst['intent']}' ({worst['meaning']}); in {later} of "
                f"them the visitor orders in a later visit within {format_days(horizon_days)}.",
                kind="measured", section=VISITS,
                estimate=_estimate(worst, "later_share", "later_lower", "later_upper", "share"),
                action=f"Try a reminder after a '{worst['intent']}' visit on a random half of such visitors",
                owner="Marketing", scope=(("intent", str(worst["intent"])),),
                caveat="Those who order later differ in more than the cart; the reminder's effect needs its own test.",
            )
        )  # fmt: skip
    return tuple(found)


def _share_words(row: pd.Series) -> str:
    return f"{format_share(row['visit_share'])} ({format_share(row['lower'])}–{format_share(row['upper'])})"


def _estimate(row: pd.Series, value: str, lower: str, upper: str, unit: str) -> Estimate:
    n = row["n_customers"] if "n_customers" in row.index else row["n_visitors"]
    low, middle, high = (float(row[name]) for name in (lower, value, upper))
    return Estimate(value=middle, lower=low, upper=high, n=int(n), unit=unit, method="see docs/methods.md")


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
