"""Sentences of the statistics page: where the key figures stand, whether they moved, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from opslib.finding import About, Compared, Facts, Finding, answer
from opslib.findings.wording import estimate_of
from opslib.formats import format_change, format_estimate, format_money, format_number, format_share
from opslib.metrics import METRICS
from opslib.privacy import SUPPRESSED
from opslib.stats.estimates import Estimate
from opslib.suppression import suppressed

__all__ = ["answer", "findings", "limits"]

#: Figures that get a sentence each after the revenue, most important first.
_TOLD = ("orders", "average_order_value", "repeat_rate", "return_rate", "margin_share")
#: What to do where a figure is worse beyond chance, and who.
_MENDED_BY = {
    "return_rate": ("look at the products that come back most", "Product control"),
    "repeat_rate": ("look at which first orders lead to a second", "Customer service"),
}
#: Words of the factors of revenue.
_UNITS = {"money": "", "share": "share", "count": "", "days": "days", "rating": "stars"}
_COUNTED = {"orders": "orders", "customers": "customers", "items_per_order": "items"}


_COMPARED: dict[Compared, str] = {"previous": "change", "year_before": "change-year"}


def findings(kpis: pd.DataFrame, factors: pd.DataFrame, retention: pd.DataFrame, *, page: Facts) -> tuple[Finding, ...]:
    """Findings of the statistics page.

    Parameters
    ----------
    kpis : pandas.DataFrame
        From `kpis.kpi_table`.
    factors : pandas.DataFrame
        From `kpis.decompose_change`; empty where there is nothing to compare with.
    retention : pandas.DataFrame
        From `kpis.cohort_retention`; may be empty.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
        Revenue and why it moved first, then a key figure a metric, then each change that is known, against the period
        before and the year before.
    """
    kpis, factors = suppressed(kpis), suppressed(factors)
    current = kpis[(kpis["comparison"] == "current") & kpis["value"].notna()]
    known = [metric for metric in ("revenue", *_TOLD) if metric in set(current["metric"])]
    found = [_figure(kpis, metric, page.currency) for metric in known]
    is_told = len(factors) and factors["effect_amount"].notna().all()
    found[1:1] = _reason(factors, kpis, page.currency) if is_told else []
    changes = [_change(kpis, metric, side) for side in _COMPARED for metric in known]
    return (*found, *_retention(retention), *(change for change in changes if change is not None))


def comparable_sentence(kpis: pd.DataFrame) -> str:
    """That nothing can be compared, where it is so; '' else."""
    if kpis["change_share"].notna().any():
        return ""
    return "Nothing to compare with: neither the period before nor a year ago was seen as a whole."


def limits(page: Facts, kpis: pd.DataFrame) -> tuple[str, ...]:
    """What the statistics page cannot say.

    Parameters
    ----------
    page : Facts
        With the tables that the shop has.
    kpis : pandas.DataFrame
        From `kpis.kpi_table`: without costs it has no margin.

    Returns
    -------
    tuple of str
    """
    sentences = [
        "Why a figure moved: season, price, range and advertising move together here; a test or a comparison with "
        "an unaffected group tells them apart.",
        "Whether a period would be as good again: an interval covers the chance of who happened to buy, not the market.",
    ]
    if "margin_share" not in set(kpis["metric"]):
        sentences.append("What is earned: the orders carry no cost, so there is no margin.")
    if "sessions" not in page.tables:
        sentences.append("How many visitors left without buying: there are no visits in the data, so no conversion.")
    return tuple(sentences)


def _row(kpis: pd.DataFrame, metric: str, comparison: str) -> pd.Series | None:
    rows = kpis[(kpis["metric"] == metric) & (kpis["comparison"] == comparison)]
    return rows.iloc[0] if len(rows) else None


def _number(row: pd.Series, column: str, *, unit: str, method: str) -> Estimate:
    """The estimate of a row; what is counted has no interval, so that its value stands at both ends."""
    ends = dict.fromkeys((f"{column}_lower", f"{column}_upper"), row[column])
    return estimate_of(row.fillna(ends), column, n=row["n"], unit=unit, method=method)


def _value(row: pd.Series, currency: str) -> Estimate:
    unit = currency if row["unit"] == "money" else _COUNTED.get(row["metric"], _UNITS[row["unit"]])
    method = "counted" if math.isnan(float(row["value_lower"])) else "delta method, buyers as clusters"
    return _number(row, "value", unit=unit, method=method)


def _said(row: pd.Series, currency: str) -> str:
    estimate = _value(row, currency)
    if estimate.lower == estimate.upper:
        write = {"money": lambda v: format_money(v, currency), "share": format_share}.get(row["unit"], format_number)
        return write(estimate.value)
    return format_estimate(estimate, currency=currency)


def _against(kpis: pd.DataFrame, metric: str, currency: str) -> str:
    """The changes that can be told, in words; what cannot be compared is said too."""
    parts = []
    for comparison in _COMPARED:
        row = _row(kpis, metric, comparison)
        if row is None or row["status"] == "unobserved" or row.get(SUPPRESSED, False):
            continue
        if math.isnan(float(row["change_share"])):
            why = row["note"] or (f"{_said(row, currency)} then" if row["status"] == "complete" else row["status"])
            parts.append(f"not comparable with {row['period']} ({why})")
        else:
            parts.append(f"{_moved(row)} against {row['period']}")
    return "; ".join(parts)


def _moved(row: pd.Series) -> str:
    if math.isnan(float(row["change_share_lower"])):
        return format_change(float(row["change_share"]))
    estimate = estimate_of(row, "change_share", unit="relative change")
    text = format_estimate(estimate, signed=True)
    return text if estimate.excludes(0.0) else f"{text}, no change beyond chance,"


def _figure(kpis: pd.DataFrame, metric: str, currency: str) -> Finding:
    row, before = _row(kpis, metric, "current"), _row(kpis, metric, "previous")
    assert row is not None
    against = _against(kpis, metric, currency)
    if metric == "revenue":
        note = f" ({row['note']})" if row["note"] else ""
        sentence = f"Revenue was {_said(row, currency)} in {row['period']}{note}{': ' if against else ''}{against}."
    else:
        sentence = f"{row['title']}: {_said(row, currency)}{'; ' if against else ''}{against}."
    is_worse = before is not None and _is_worse(before)
    action, who = _MENDED_BY.get(metric, (None, None)) if is_worse else (None, None)
    return Finding(
        key=metric.replace("_", "-"),
        sentence=sentence,
        kind="measured" if metric == "revenue" or math.isnan(float(row["value_lower"])) else "estimated",
        estimate=_value(row, currency),
        section="figures",
        role="key figure",
        about=About(metric=metric, people=None),
        action=action,
        department=who,
    )


def _is_worse(before: pd.Series) -> bool:
    """Whether the change against the period before is for the worse, beyond chance."""
    is_good = METRICS[before["metric"]].direction > 0
    return bool(before["change_share_upper"] < 0 if is_good else before["change_share_lower"] > 0)


def _reason(factors: pd.DataFrame, kpis: pd.DataFrame, currency: str) -> Iterator[Finding]:
    ordered = factors.reindex(factors["effect_amount"].abs().sort_values(ascending=False, kind="stable").index)
    first, total = ordered.iloc[0], float(factors["effect_amount"].sum())
    words = [
        f"{str(name).replace('_', ' ')} {format_money(float(amount), currency, signed=True)}"
        for name, amount in zip(ordered["factor"], ordered["effect_amount"], strict=True)
    ]
    before = _row(kpis, "revenue", "previous")
    against = f"against {before['period']}" if before is not None else ""
    yield Finding(
        key="why-revenue-moved",
        sentence=f"Of the {format_money(total, currency, signed=True)} {against}, most came from "
        f"{str(first['factor']).replace('_', ' ')}: {', '.join(words)}.",
        kind="measured",
        section="reasons",
        caveat="A factor that moved is where to look, not yet why it moved.",
        about=About(people=None),
    )


def _change(kpis: pd.DataFrame, metric: str, comparison: Compared) -> Finding | None:
    row = _row(kpis, metric, comparison)
    if row is None or math.isnan(float(row["change_share"])):
        return None
    method = "delta method, buyers as clusters, both periods"
    return Finding(
        key=f"{metric}-{_COMPARED[comparison]}",
        sentence=f"{row['title']} against {row['period']}: {_moved(row).removesuffix(',')}.",
        kind="estimated",
        estimate=_number(row, "change_share", unit="relative change", method=method),
        section="changes",
        role="change",
        about=About(metric=metric, compared=comparison, people=None),
    )


def _retention(retention: pd.DataFrame) -> Iterator[Finding]:
    """How many of the youngest cohort that can be judged ordered again in the period after their first."""
    if retention.empty:
        return
    retention = suppressed(retention)
    known = retention[(retention["age"] == 1) & retention["retention_share"].notna()].sort_values("cohort")
    if known.empty:
        return
    row = known.iloc[-1]
    estimate = estimate_of(row, "retention_share", n=row["n_customers"], unit="share", method="Wilson")
    oldest = f" The oldest cohort: {format_share(float(known['retention_share'].iloc[0]))}." if len(known) > 3 else ""
    yield Finding(
        key="retention",
        sentence=f"Of the {format_number(row['n_customers'])} customers who first ordered in {row['cohort']:%b %Y}, "
        f"{format_estimate(estimate)} ordered again in the month after.{oldest}",
        kind="estimated",
        estimate=estimate,
        section="retention",
        caveat="Customers of the first cohort may be older than the data.",
        about=About(people={name: int(row[name]) for name in ("n_customers", "n_active")}),
    )
