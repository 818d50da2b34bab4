"""Sentences of the customer value page: what known customers are worth, whom to win back, how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.wording import are, estimate_of
from opslib.formats import count_of, format_days, format_money, format_number, format_share
from opslib.segmentation import HoldoutCheck
from opslib.segmentation.lifetime import UNSEGMENTED
from opslib.suppression import suppressed

_LATER = 45  # days after the end of the page's period by which an action is done
_TEST = "the test itself: six weeks, the other half left alone"
#: Checks without which a forecast is not told as an amount.
_NEEDED = ("enough repeaters", "held-out total", "better than naive")


def findings(
    tiers: pd.DataFrame,
    holdout: HoldoutCheck,
    checks: pd.DataFrame,
    everybody: pd.DataFrame,
    worth: pd.DataFrame,
    kinds: pd.DataFrame,
    *,
    horizon_days: int,
    margin_share: float = math.nan,
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
    everybody, worth, kinds : pandas.DataFrame
        From `segmentation.segment_lifetime_value`: without segments, by segment, by kind of customer; withheld segments have missing
        measures; empty where nothing is forecast.
    horizon_days : int
        Days ahead of the values.
    margin_share : float
        Margin over revenue (0-1), to say what may be spent; missing where costs are not known.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
        The worth of all beside how the forecast did, the segment to win back (where the model can tell), business and consumers,
        concentration, and the forecast against going on as before.
    """
    tiers, worth, kinds, holdout = suppressed(tiers), suppressed(worth), suppressed(kinds), suppressed(holdout)
    found = [*_concentration(tiers, page)]
    if everybody.empty or holdout.groups.empty:
        return tuple(found)
    failed = _failed(checks)
    shown = worth.dropna(subset=["value_amount"])
    found.append(_worth(everybody.iloc[0], holdout, failed, page, horizon_days))
    if _is_barred(failed) or "customers stop" in set(failed["check"]):
        found += _ask_quiet(worth, page)
    else:
        found += _win_back(shown, page, horizon_days, margin_share)
    if not _is_barred(failed):
        found += _kinds(kinds, page, horizon_days)
    return (*found, _trust(holdout, failed, page))


def answer(
    tiers: pd.DataFrame,
    holdout: HoldoutCheck,
    checks: pd.DataFrame,
    everybody: pd.DataFrame,
    *,
    horizon_days: int,
    page: Facts,
) -> str:
    """On how few the revenue hangs, and what today's customers should bring beside the last miss; '' where nobody is counted."""
    told = [f"{finding.sentence}" for finding in _concentration(suppressed(tiers), page)]
    if everybody.empty:
        return " ".join(told)
    whole, days = everybody.iloc[0], format_days(horizon_days)
    if _is_barred(_failed(checks)):
        told.append(f"What they will bring in the next {days} cannot be told: the forecast does not fit this shop.")
    else:
        told.append(
            f"{count_of(whole['n_customers'], 'known customer')} should bring about {_money(whole['value_amount'], page)} in the next {days}; "
            f"over the last {_held_out(holdout)} this forecast was {_miss(holdout.amount_error)} in money."
        )
    return " ".join(told)


def usable(worth: pd.DataFrame, checks: pd.DataFrame) -> pd.DataFrame:
    """What a forecast says, without a row where it failed a check without which no amount is told, or tells of all as one."""
    return worth.head(0) if _is_barred(_failed(checks)) or set(worth["segment"]) == {UNSEGMENTED} else worth


def check_rows(checks: pd.DataFrame) -> pd.DataFrame:
    """Checks of the forecast; what follows stands beside those that failed alone."""
    return checks.assign(meaning=checks["meaning"].where(~checks["is_passed"].astype(bool), ""))


def worth_heads(checks: pd.DataFrame, *, of: str) -> dict[str, str]:
    """Heads of what segments or kinds are worth; who is active and what winning back brings only where the model sees customers stop."""
    heads = {"segment": of, "n_customers": "customers", "alive_share": "still active", "value_amount": "worth"}
    heads |= {"customer_value_amount": "each", "dormant_amount": "at best won back"}
    untold = ("alive_share", "dormant_amount") if "customers stop" in set(_failed(checks)["check"]) else ()
    return {name: head for name, head in heads.items() if name not in untold}


def why_not_told(checks: pd.DataFrame) -> str:
    """Why no amount is told; '' where one is."""
    failed = _failed(checks)
    if not _is_barred(failed):
        return ""
    return f"Amounts are left out: the forecast failed {len(failed)} of its {len(checks)} checks above. Whether a customer who is silent has left cannot be told either."


def value_spread(quantiles: pd.DataFrame, checks: pd.DataFrame, *, horizon_days: int, page: Facts) -> str:
    """What half of the customers, and one in ten, are expected to bring; '' where nobody is valued or the forecast does not fit."""
    half, tenth = quantiles["expected_revenue_amount"]
    if math.isnan(half) or _is_barred(_failed(checks)):
        return ""
    return (
        f"Half of the customers are expected to bring less than {format_money(half, page.currency)} in {horizon_days} days, "
        f"one in ten over {format_money(tenth, page.currency)}."
    )


def limits(page: Facts, *, horizon_days: int) -> tuple[str, ...]:
    """What the customer value page cannot say."""
    return (
        f"What new customers will bring: the {format_days(horizon_days)} after {page.period.end:%d %b %Y} are those of customers known then.".replace(
            "after 0", "after "
        ),
    )


def _failed(checks: pd.DataFrame) -> pd.DataFrame:
    return checks[~checks["is_passed"].astype(bool)] if len(checks) else pd.DataFrame(columns=["check", "meaning"])


def _is_barred(failed: pd.DataFrame) -> bool:
    return bool(set(failed["check"]) & set(_NEEDED))


def _share(value: float) -> str:
    return format_share(float(value), step=1.0 if value >= 0.0995 else 0.1)


def _concentration(tiers: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    for _, top in tiers.head(1)[lambda t: t["n_customers"] > 0].iterrows():
        when = "in twelve months" if page.period.n_months == 12 else f"in {page.period.label}"
        yield Finding(
            key="concentration",
            sentence=f"{count_of(top['n_customers'], 'customer')} ({_share(top['customer_share'])}) brought {_share(top['revenue_share'])} "
            f"of the revenue of known customers {when}, {format_money(top['revenue_amount'], page.currency)}.",
            kind="measured",
            section="tiers",
            priority=3,
            about=About(people=int(top["n_customers"])),
        )


def _worth(whole: pd.Series, holdout: HoldoutCheck, failed: pd.DataFrame, page: Facts, days: int) -> Finding:
    """What everybody should bring, beside what the same forecast missed when it was checked: one sentence."""
    back = _held_out(holdout)
    is_out = not holdout.amount.lower <= holdout.realised_amount <= holdout.amount.upper
    outside = ", outside the interval that it gave then" if is_out else ""
    is_barred = _is_barred(failed)
    ends = f"{_money(whole['value_amount_lower'], page)} to {_money(whole['value_amount_upper'], page)}"
    first = (
        f"The forecast of customers does not fit this shop: checked on the last {back}, the money forecast was"
        if is_barred
        else f"{count_of(whole['n_customers'], 'known customer')} should bring {_money(whole['value_amount'], page)} in the next "
        f"{format_days(days)} ({ends}). Over the last {back} the same forecast was"
    )
    why = "; ".join(str(meaning) for meaning in failed["meaning"])
    return Finding(
        key="lifetime-worth", sentence=f"{first} {_miss(holdout.amount_error)}{'' if is_barred else ' in money'}{outside}.", kind="estimated", section="worth",
        estimate=None if is_barred else estimate_of(
            whole, "value_amount", n=whole["n_customers"], unit=page.currency, method="BG/NBD and Gamma-Gamma"
        ),
        priority=1,
        caveat=f"{why[0].upper()}{why[1:]}." if why else None,
        about=About(people=int(whole["n_customers"])),
    )  # fmt: skip


def _win_back(shown: pd.DataFrame, page: Facts, days: int, margin_share: float) -> Iterator[Finding]:
    """Those at risk, else the segment where a customer has the largest amount to be won back."""
    shown = shown[(shown["dormant_amount"] > 0) & (shown["segment"] != UNSEGMENTED)]
    if shown.empty:
        return
    shown = shown.assign(each=shown["dormant_amount"] / shown["n_customers"], first=shown["segment"] != "at risk")
    target = shown.sort_values(["first", "each", "segment"], ascending=[True, False, True]).iloc[0]
    n, name = int(target["n_customers"]), str(target["segment"])
    method = "BG/NBD, mean chance to be active"
    alive = estimate_of(target, "alive_share", n=n, unit="share", method=method)
    gone = round(n * (1 - alive.value))
    is_costed = math.isfinite(margin_share)
    most = float(target["each"]) * (margin_share if is_costed else 1.0)
    yield Finding(
        key="win-back",
        sentence=f"About {format_number(gone)} of {count_of(n, 'customer')} in '{name}' {are(gone)} likely to have stopped. {'This one' if gone == 1 else f'These {format_number(gone)}'} back would bring "
        f"{_money(target['dormant_amount'], page)} of revenue in {format_days(days)} at the very best.",
        kind="estimated",
        section="worth",
        priority=2,
        estimate=alive,
        action=f"Write to a random half of '{name}', personally, and ask why; spend well under {_money(most, page)} on each, the {'margin' if is_costed else 'revenue'} that it may bring at best",
        things=(name,),
        due=page.period.end + timedelta(days=_LATER),
        would_tell=_TEST,
        department="Customer service",
        about=About(scope=(("segment", name),), people=n),
        proposes=Proposes(metric="purchase_rate", design="experiment"),
    )


def _ask_quiet(worth: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    """Those at risk, where no model can tell whether they have left: they are asked."""
    for n in worth.loc[worth["segment"] == "at risk", "n_customers"].dropna().astype(int):
        yield Finding(
            key="win-back",
            sentence=f"Whether the {count_of(n, 'customer')} in 'at risk' have left cannot be told from their orders.",
            kind="described",
            section="forecast-check",
            priority=2,
            action="Write to a random half of 'at risk', personally, and ask why",
            things=("at risk",),
            due=page.period.end + timedelta(days=_LATER),
            would_tell=_TEST,
            department="Customer service",
            about=About(scope=(("segment", "at risk"),), people=n),
            proposes=Proposes(metric="purchase_rate", design="experiment"),
        )


def _kinds(kinds: pd.DataFrame, page: Facts, days: int) -> Iterator[Finding]:
    known = kinds[kinds["segment"] != UNSEGMENTED].dropna(subset=["value_amount"]) if len(kinds) else kinds
    if len(known) < 2:
        return
    first, second = (row for _, row in known.sort_values("customer_value_amount", ascending=False).head(2).iterrows())
    yield Finding(
        key="kinds-worth",
        sentence=f"A {first['segment']} customer should bring {_money(first['customer_value_amount'], page)} in {format_days(days)}, "
        f"a {second['segment']} {_money(second['customer_value_amount'], page)}; {_share(first['value_amount'] / known['value_amount'].sum())} "
        f"of all comes from {count_of(first['n_customers'], first['segment'] + ' customer')}.",
        kind="estimated",
        section="worth",
        priority=3,
        about=About(people={str(row["segment"]): int(row["n_customers"]) for row in (first, second)}),
    )


def _trust(holdout: HoldoutCheck, failed: pd.DataFrame, page: Facts) -> Finding:
    """Purchases forecast and seen, and what going on as before would have said."""
    back = _held_out(holdout)
    nearer = abs(holdout.naive_error) < abs(holdout.orders_error)
    than = "nearer than the forecast" if nearer else "further off than the forecast"
    is_barred = _is_barred(failed)
    return Finding(
        key="lifetime-holdout",
        sentence=f"Over the last {back} {holdout.orders.value:,.0f} purchases were forecast ({holdout.orders.lower:,.0f}–"
        f"{holdout.orders.upper:,.0f}) and {holdout.realised_orders:,.0f} came; going on as before said {holdout.naive_orders:,.0f}, {than}.",
        kind="measured",
        section="forecast-check",
        priority=4,
        estimate=holdout.skill,
        action="Budget with last year's months, not with this forecast" if is_barred else None,
        things=("forecast of customers",) if is_barred else (),
        due=page.period.end + timedelta(days=_LATER) if is_barred else None,
        would_tell="the next three months" if is_barred else None,
        department="Finance" if is_barred else None,
        about=About(people=holdout.orders.n),
    )


def _held_out(holdout: HoldoutCheck) -> str:
    return format_days((holdout.holdout_end - holdout.calibration_end).days)


def _miss(error: float) -> str:
    if not np.isfinite(error):
        return "not comparable"
    return f"{format_share(abs(error), step=0.1 if abs(error) < 0.0995 else 1.0)} too {'low' if error < 0 else 'high'}"


def _money(value: float, page: Facts) -> str:
    step = 1.0 if 10 <= abs(value) < 1_000 else None
    return format_money(float(value), page.currency, step=step) if np.isfinite(value) else "an unknown amount"
