"""What the key figures say: where they stand, whether they moved, and why."""

from __future__ import annotations

import math

import pandas as pd

from opslib.finding import About, Compared, Finding
from opslib.formats import format_change, format_estimate, format_money, format_number, format_share
from opslib.metrics import METRICS
from opslib.stats.estimates import Estimate

#: Figures that get a sentence each after the revenue, most important first.
_TOLD = ("orders", "average_order_value", "repeat_rate", "return_rate", "margin_share")
_OWNERS = {
    "return_rate": ("look at the products that come back most", "Product control"),
    "repeat_rate": ("look at which first orders lead to a second", "Customer relations"),
}
#: Words of the factors of revenue.
FACTOR_WORDS = {
    "buyers": "buyers",
    "orders_per_buyer": "orders per buyer",
    "items_per_order": "items per order",
    "price_per_item": "price per item",
}
_UNITS = {"money": "", "share": "share", "count": "", "days": "days", "rating": "stars"}
_COUNTED = {"orders": "orders", "customers": "customers", "items_per_order": "items"}


def statistics_findings(
    kpis: pd.DataFrame, factors: pd.DataFrame, retention: pd.DataFrame, *, currency: str
) -> tuple[Finding, ...]:
    """Findings of the statistics page.

    Parameters
    ----------
    kpis : pandas.DataFrame
        From `kpis.kpi_table`.
    factors : pandas.DataFrame
        From `kpis.decompose_change`; empty where there is nothing to compare with.
    retention : pandas.DataFrame
        From `kpis.cohort_retention`; may be empty.
    currency : str
        ISO code.

    Returns
    -------
    tuple of Finding
        Revenue and why it moved first; each figure names its metric, so that the index can show it; a change that is
        known stands beside its figure under the key ``<metric>-change``, and under ``<metric>-change-year`` against the
        year before.
    """
    found = [_revenue(kpis, currency)]
    if len(factors):
        found.append(_reason(factors, kpis, currency))
    for metric in _TOLD:
        if metric in set(kpis["metric"]):
            found.append(_figure(kpis, metric, currency))
    if (one := _retention(retention)) is not None:
        found.append(one)
    keys: dict[Compared, str] = {"previous": "change", "year_before": "change-year"}
    changes = [
        _change(kpis, metric, side, key=f"{metric}-{key}")
        for side, key in keys.items()
        for metric in ("revenue", *_TOLD)
    ]
    return (*found, *(change for change in changes if change is not None))


def _row(kpis: pd.DataFrame, metric: str, comparison: str) -> pd.Series | None:
    rows = kpis[(kpis["metric"] == metric) & (kpis["comparison"] == comparison)]
    return rows.iloc[0] if len(rows) else None


def _estimate(row: pd.Series, currency: str) -> Estimate:
    unit = currency if row["unit"] == "money" else _COUNTED.get(row["metric"], _UNITS[row["unit"]])
    value = float(row["value"])
    lower, upper = (value if math.isnan(float(end)) else float(end) for end in (row["lower"], row["upper"]))
    method = "counted" if math.isnan(float(row["lower"])) else "delta method, buyers as clusters"
    return Estimate(value=value, lower=lower, upper=upper, n=int(row["n"]), unit=unit, method=method)


def _said(row: pd.Series, currency: str) -> str:
    estimate = _estimate(row, currency)
    if estimate.lower == estimate.upper:
        write = {"money": lambda v: format_money(v, currency), "share": format_share}.get(row["unit"], format_number)
        return write(estimate.value)
    return format_estimate(estimate, currency=currency)


def _against(kpis: pd.DataFrame, metric: str, currency: str) -> str:
    """The changes that can be told, in words; what cannot be compared is said too."""
    parts = []
    for comparison in ("previous", "year_before"):
        row = _row(kpis, metric, comparison)
        if row is None or row["status"] == "unobserved":
            continue
        if math.isnan(float(row["change_share"])):
            why = row["note"] or (f"{_said(row, currency)} then" if row["status"] == "complete" else row["status"])
            parts.append(f"not comparable with {row['period']} ({why})")
            continue
        moved = _moved(row)
        parts.append(f"{moved} against {row['period']}")
    return "; ".join(parts)


def _moved(row: pd.Series) -> str:
    change, low, high = (float(row[name]) for name in ("change_share", "change_lower", "change_upper"))
    if math.isnan(low):
        return format_change(change)
    estimate = Estimate(value=change, lower=low, upper=high, n=int(row["n"]), unit="relative change", method="")
    text = format_estimate(estimate, signed=True)
    return text if estimate.excludes(0.0) else f"{text}, no change beyond chance,"


def _revenue(kpis: pd.DataFrame, currency: str) -> Finding:
    row = _row(kpis, "revenue", "current")
    assert row is not None
    against = _against(kpis, "revenue", currency)
    note = f" ({row['note']})" if row["note"] else ""
    return Finding(
        key="revenue",
        sentence=f"Revenue was {_said(row, currency)} in {row['period']}{note}{': ' if against else ''}{against}.",
        kind="measured",
        estimate=_estimate(row, currency),
        section="Where the figures stand",
        role="key figure",
        about=About(metric="revenue"),
    )


def _reason(factors: pd.DataFrame, kpis: pd.DataFrame, currency: str) -> Finding:
    ordered = factors.reindex(factors["effect_amount"].abs().sort_values(ascending=False, kind="stable").index)
    first, total = ordered.iloc[0], float(factors["effect_amount"].sum())
    words = [
        f"{FACTOR_WORDS[str(name)]} {format_money(float(amount), currency, signed=True)}"
        for name, amount in zip(ordered["factor"], ordered["effect_amount"], strict=True)
    ]
    before = _row(kpis, "revenue", "previous")
    against = f"against {before['period']}" if before is not None else ""
    return Finding(
        key="why-revenue-moved",
        sentence=f"Of the {format_money(total, currency, signed=True)} {against}, most came from "
        f"{FACTOR_WORDS[str(first['factor'])]}: {', '.join(words)}.",
        kind="measured",
        section="Why the revenue moved",
        caveat="A factor that moved is where to look, not yet why it moved.",
    )


def _figure(kpis: pd.DataFrame, metric: str, currency: str) -> Finding:
    row = _row(kpis, metric, "current")
    assert row is not None
    against = _against(kpis, metric, currency)
    action, owner = _OWNERS.get(metric, (None, None)) if _is_worse(kpis, metric) else (None, None)
    return Finding(
        key=metric.replace("_", "-"),
        sentence=f"{row['title']}: {_said(row, currency)}{'; ' if against else ''}{against}.",
        kind="measured" if math.isnan(float(row["lower"])) else "estimated",
        estimate=_estimate(row, currency),
        section="Where the figures stand",
        role="key figure",
        about=About(metric=metric),
        action=action,
        department=owner,
    )


def _is_worse(kpis: pd.DataFrame, metric: str) -> bool:
    """Whether the change against the period before is for the worse, beyond chance."""
    row = _row(kpis, metric, "previous")
    if row is None:
        return False
    return bool(row["change_upper"] < 0 if METRICS[metric].direction > 0 else row["change_lower"] > 0)


def _change(kpis: pd.DataFrame, metric: str, comparison: Compared, *, key: str) -> Finding | None:
    row = _row(kpis, metric, comparison)
    if row is None or math.isnan(float(row["change_share"])):
        return None
    ends = (row["change_lower"], row["change_upper"])
    low, high = (float(row["change_share"] if math.isnan(float(end)) else end) for end in ends)
    estimate = Estimate(
        value=float(row["change_share"]), lower=low, upper=high, n=int(row["n"]), unit="relative change",
        method="delta method, buyers as clusters, both periods",
    )  # fmt: skip
    return Finding(
        key=key,
        sentence=f"{row['title']} against {row['period']}: {_moved(row).removesuffix(',')}.",
        kind="estimated",
        estimate=estimate,
        section="What moved beyond chance",
        role="change",
        about=About(metric=metric, compared=comparison),
    )


def _retention(retention: pd.DataFrame) -> Finding | None:
    """How many of the youngest cohort that can be judged ordered again in the period after their first."""
    if not len(retention):
        return None
    known = retention[(retention["age"] == 1) & retention["retention_share"].notna()].sort_values("cohort")
    if not len(known):
        return None
    row = known.iloc[-1]
    estimate = Estimate(
        value=float(row["retention_share"]), lower=float(row["lower"]), upper=float(row["upper"]),
        n=int(row["n_customers"]), unit="share", method="Wilson",
    )  # fmt: skip
    oldest = f" The oldest cohort: {format_share(float(known['retention_share'].iloc[0]))}." if len(known) > 3 else ""
    return Finding(
        key="retention",
        sentence=f"Of the {format_number(row['n_customers'])} customers who first ordered in {row['cohort']:%b %Y}, "
        f"{format_estimate(estimate)} ordered again in the month after.{oldest}",
        kind="estimated",
        estimate=estimate,
        section="Who comes back",
        caveat="Customers of the first cohort may be older than the data.",
    )


def statistics_limits(*, has_margin: bool, has_sessions: bool) -> tuple[str, ...]:
    """What the statistics page cannot say.

    Parameters
    ----------
    has_margin, has_sessions : bool
        Whether costs and visits are known.

    Returns
    -------
    tuple of str
    """
    sentences = [
        "Why a figure moved: season, price, range and advertising move together here; a test or a comparison with "
        "an unaffected group tells them apart.",
        "Whether a period would be as good again: an interval covers the chance of who happened to buy, not the market.",
    ]
    if not has_margin:
        sentences.append("What is earned: the orders carry no cost, so there is no margin.")
    if not has_sessions:
        sentences.append("How many visitors left without buying: there are no visits in the data, so no conversion.")
    return tuple(sentences)
