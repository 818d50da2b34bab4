"""What the page about product control says: faulty products, bad deliveries, stock and prices with money at stake, sales that stay out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.wording import are, estimate_of, listed
from opslib.formats import count_of, format_date, format_money, format_share, is_missing
from opslib.stats.estimates import Estimate

#: Days after the period's end by which a loss is stopped, and a thing is looked into.
_SOON, _LATER = 14, 45
_NAMED, _MOST_THINGS = 2, 50
_WAIT = "eight weeks"


def findings(
    maintenance: pd.DataFrame, months: pd.DataFrame, alarms: pd.DataFrame, days: pd.DataFrame, moves: pd.DataFrame, *, page: Facts
) -> tuple[Finding, ...]:  # fmt: skip
    """Findings of the page of product control.

    Parameters
    ----------
    maintenance : pandas.DataFrame
        From `product_control.maintenance_list`; may be empty, as everything here.
    months : pandas.DataFrame
        From `product_control.supplier_months`.
    alarms : pandas.DataFrame
        From `product_control.product_alarms`.
    days : pandas.DataFrame
        From `product_control.category_days`.
    moves : pandas.DataFrame
        From `product_control.category_price_moves`.
    page : Facts
        With its period and currency.

    Returns
    -------
    tuple of Finding
        Faulty products, bad deliveries, products sold below cost, stock that runs out, sales that stay out, days beyond their limits, categories whose
        prices moved together.
    """
    return (
        *_faulty(maintenance, page), *_deliveries(months, page), *_below_cost(alarms, page), *_stock(alarms, page),
        *_unsold(maintenance, page), *_beyond(days), *_moved(moves),
    )  # fmt: skip


def answer(faults: pd.DataFrame, maintenance: pd.DataFrame, months: pd.DataFrame, *, page: Facts) -> str:
    """Which products and deliveries are off and what they cost; that none is, where returns, ratings or cases are known; else ''."""
    if not any(name.endswith("_ratio") for name in faults.columns):
        return ""
    faulty, bad = maintenance[maintenance["is_faulty"]], _bad(months)
    if faulty.empty and bad.empty:
        return f"Of {count_of(len(faults), 'product')} none shows faults beyond chance."
    told = []
    if len(faulty):
        lost = _lost(faulty, page)
        money = f"; their refunds beyond the usual cost {_money(lost.value, page)} a month" if lost.value > 0 else ""
        told.append(
            f"{count_of(len(faulty), 'product')} of {len(faults):,} {_have(len(faulty))} faults beyond chance{money}."
        )
    if len(bad):
        supplier, own = _first_supplier(bad)
        told.append(f"{supplier}’s bad deliveries cost {_money(own['loss_amount'].sum(), page)} in {_months(own)}.")
    return " ".join(told)


def limits(page: Facts) -> tuple[str, ...]:
    """What the page cannot say."""
    weeks = f"{format_date(page.period.end - timedelta(days=27), year=False)} to {format_date(page.period.end)}"
    return (f"A product whose season differs from its category’s may look off in {weeks}.",)


def faults_title(maintenance: pd.DataFrame, *, page: Facts) -> str:
    """Title of the figure of faulty products: who costs how much."""
    faulty = maintenance[maintenance["is_faulty"]]
    if faulty.empty:
        return ""
    total = _money(_lost(faulty, page).value, page)
    return f"{count_of(len(faulty), 'product')} {_cost(len(faulty))} {total} a month in refunds beyond the usual"


def maintenance_heads(rows: pd.DataFrame) -> dict[str, str]:
    """Heads of the list of maintenance whose columns hold something."""
    heads = {
        "name": "product", "supplier": "supplier", "signs": "stands out by", "return_share": "came back", "expected_share": "usual", "reason": "reason",
        "rating": "stars", "theme": "complaint", "sold_change": "sales against expected", "out_days": "days without stock, of 28", "cost_amount": "costs a month", "turn": "mend",
    }  # fmt: skip
    return {name: head for name, head in heads.items() if rows[name].replace("", None).notna().any()}


def health_heads(rows: pd.DataFrame) -> dict[str, str]:
    """Heads of the table of all products whose columns hold something."""
    heads = {
        "name": "product", "category": "category", "supplier": "supplier", "revenue_amount": "revenue a month", "margin_amount": "margin a month",
        "return_share": "came back", "rating": "stars", "sold_change": "sales against expected", "n_on_hand": "in stock", "stock_days": "lasts", "price_index": "price to competitors",
        "content_share": "content", "lacks": "lacks", "signs": "stands out by",
    }  # fmt: skip
    return {name: head for name, head in heads.items() if rows[name].replace("", None).notna().any()}


def mended_note(maintenance: pd.DataFrame, *, page: Facts) -> str:
    """What the list would lose anyway, what holding back costs, and why half of it waits; '' where nothing is held back."""
    faulty = maintenance[maintenance["is_faulty"]]
    held = faulty[faulty["turn"] == "held back"]
    if held.empty:
        return ""
    lost, later = faulty["loss_amount"].sum(), faulty["loss_next_amount"].sum()
    waits = held["loss_amount"].sum() * 56 / (365.25 / 12)
    return (
        f"Of {_money(lost, page)} a month, about {_money(later, page)} will remain if nothing is done; the rest was chance, which put some "
        f"products on this list (regression to the mean). Holding back {count_of(len(held), 'product')} for {_WAIT} costs about "
        f"{_money(waits, page)}, and shows what mending brings. A product that can hurt somebody is never held back."
    )


def supplier_rows(maintenance: pd.DataFrame, months: pd.DataFrame) -> pd.DataFrame:
    """What to send each supplier: its faulty products and bad months with shares, reason and money."""
    faulty = maintenance[maintenance["is_faulty"] & maintenance["supplier"].notna()]
    rows = [
        {"supplier": row["supplier"], "about": row["name"], "came_back_share": row["return_share"], "usual_share": row["expected_share"], "reason": row["reason"],
         "money_amount": row["loss_amount"], "when": "a month"}
        for _, row in faulty.iterrows()
    ]  # fmt: skip
    rows += [
        {"supplier": row["supplier"], "about": "all its products", "came_back_share": row["return_share"], "usual_share": row["expected_share"], "reason": None,
         "money_amount": row["loss_amount"], "when": f"{pd.Timestamp(row['month']):%b %Y}"}
        for _, row in _bad(months).iterrows()
    ]  # fmt: skip
    columns = ["supplier", "about", "came_back_share", "usual_share", "reason", "money_amount", "when"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(["supplier", "money_amount"], ascending=[True, False], kind="stable", ignore_index=True)


def _money(value: float, page: Facts) -> str:
    return format_money(float(f"{value:.3g}"), page.currency, step=1.0 if abs(value) < 1e4 else None)


def _have(n: int) -> str:
    return "has" if n == 1 else "have"


def _cost(n: int) -> str:
    return "costs" if n == 1 else "cost"


def _lost(faulty: pd.DataFrame, page: Facts) -> Estimate:
    """Refunds a month beyond the usual, of independent products together."""
    known = faulty.dropna(subset=["loss_amount"])
    value, sides = known["loss_amount"].sum(), [known["loss_amount"] - known["loss_amount_lower"], known["loss_amount_upper"] - known["loss_amount"]]  # fmt: skip
    low, high = (float(np.sqrt((side.astype("float64") ** 2).sum())) for side in sides)
    return Estimate(
        value=float(value), lower=float(value) - low, upper=float(value) + high, n=int(known["n_returns"].sum()), unit=f"{page.currency}/month",
        method="returns against those of the category, Poisson intervals added in squares",
    )  # fmt: skip


def _acted(rows: pd.DataFrame, page: Facts, *, days: int) -> dict[str, Any]:
    return {"things": tuple(rows["name"].astype(str))[:_MOST_THINGS], "due": page.period.end + timedelta(days=days)}


def _faulty(maintenance: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    rows = maintenance[maintenance["is_faulty"]] if len(maintenance) else maintenance
    if rows.empty:
        return
    first = rows.iloc[0]
    why = f", mostly “{first['reason']}”" if not is_missing(first["reason"]) else ""
    back = f": {format_share(first['return_share'], step=1.0)} came back where {format_share(first['expected_share'], step=1.0)} is usual{why}"  # fmt: skip
    others = f", ahead of {count_of(len(rows) - 1, 'other')}" if len(rows) > 1 else ""
    lost = _lost(rows, page)
    n_held = int((rows["turn"] == "held back").sum())
    held = f"; a random half waits {_WAIT}, to show what mending brings" if n_held else ""
    yield Finding(
        key="faulty-products", kind="estimated", section="faults", department="Product control", priority=1, is_urgent=True,
        sentence=f"{first['name']} is the costliest{others}{back if 'returns' in str(first['signs']) else ''}.",
        estimate=lost, worth=lost if lost.value > 0 else None, would_tell=None if lost.value > 0 else f"its returns in the {_WAIT} after",
        action=f"Find the fault and mend it{held}", **_acted(rows, page, days=_SOON),
        about=About(metric="return_rate", people=None, objects=tuple(rows["product_id"].astype(str))),
        proposes=Proposes(metric="return_rate", design="before_after"),
    )  # fmt: skip


def _bad(months: pd.DataFrame) -> pd.DataFrame:
    return months[months["is_bad"].astype(bool)] if len(months) else months


def _first_supplier(bad: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The supplier of the costliest bad month, and all its bad months in order."""
    supplier = str(bad.iloc[0]["supplier"])
    return supplier, bad[bad["supplier"] == supplier].sort_values("month")


def _months(own: pd.DataFrame) -> str:
    return listed([f"{pd.Timestamp(month):%b %Y}" for month in own["month"]])


def _deliveries(months: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    bad = _bad(months)
    if bad.empty:
        return
    for place, name in enumerate(dict.fromkeys(bad["supplier"])):
        supplier, own = _first_supplier(bad[bad["supplier"] == name])
        came, usual = (format_share(float((own[share] * own["n_lines"]).sum() / own["n_lines"].sum()), step=1.0) for share in ("return_share", "expected_share"))  # fmt: skip
        yield Finding(
            key=f"supplier-{place + 1}", kind="estimated", section="suppliers", department="Buying", priority=2,
            sentence=f"{came} of {supplier}’s lines came back in {_months(own)}, where {usual} is usual, faulty products left out.",
            action=f"Send {supplier} its list, claim the refunds, check the next delivery", things=(supplier,),
            due=page.period.end + timedelta(days=_SOON), would_tell="what the supplier credits",
            about=About(metric="return_rate", scope=(("supplier", supplier),), people=None),
        )  # fmt: skip


def _of_kind(alarms: pd.DataFrame, kind: str) -> pd.DataFrame:
    return alarms[alarms["kind"] == kind] if len(alarms) else alarms


def _below_cost(alarms: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    rows = _of_kind(alarms, "below cost")
    if rows.empty:
        return
    n, lost = len(rows), float(rows["stake_amount"].sum())
    half = lost * float(norm.isf(0.025)) / max(float(rows["n_lines"].sum()), 1.0) ** 0.5
    worth = Estimate(value=lost, lower=lost - half, upper=lost + half, n=n, unit=f"{page.currency}/month", method="cost less revenue of the lines sold; Poisson lines")  # fmt: skip
    yield Finding(
        key="below-cost", kind="measured", section="alarms", department="Buying", priority=4, is_urgent=True,
        sentence=f"{count_of(n, 'product')} {are(n)} sold below cost, which loses {_money(lost, page)} a month: {listed(list(rows['name']), shown=_NAMED)}.",
        worth=worth,
        action="Ask for a lower cost, raise the price, or let it run out", **_acted(rows, page, days=_SOON), about=About(metric="gross_margin", people=None),
    )  # fmt: skip


def _stock(alarms: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    rows = _of_kind(alarms, "runs out")
    if rows.empty:
        return
    n, lost = len(rows), float(rows["stake_amount"].sum())
    money = f"; {_money(lost, page)} of margin would be missed until then" if lost > 0 else ""
    yield Finding(
        key="runs-out", kind="estimated", section="alarms", department="Buying", priority=3, is_urgent=True,
        sentence=f"{count_of(n, 'product')} {'runs' if n == 1 else 'run'} out before a delivery ordered on {format_date(page.period.end, year=False)} can come{money}.",
        action="Reorder, the costliest first", **_acted(rows, page, days=_SOON), would_tell="what they sell a day while they are in stock",
        about=About(metric="stock_out_share", people=None), proposes=Proposes(metric="stock_out_share", design="before_after"),
    )  # fmt: skip


def _unsold(maintenance: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    rows = maintenance[maintenance["is_unsold"].astype(bool)] if len(maintenance) else maintenance
    if rows.empty:
        return
    first = rows.iloc[0]
    usual = estimate_of(first, "n_expected", unit="orders", n=first["n_lines"], method="share of the category's lines, t limits")  # fmt: skip
    out = f", out of stock on {count_of(first['out_days'], 'day')}" if not is_missing(first["out_days"]) and first["out_days"] else ""  # fmt: skip
    others = f"; {count_of(len(rows) - 1, 'other')} {are(len(rows) - 1)} below their course" if len(rows) > 1 else ""
    yield Finding(
        key="unsold", kind="estimated", section="sales", department="Buying", priority=3, estimate=usual,
        sentence=f"{first['name']} was ordered {count_of(first['n_sold'], 'time')} in four weeks, where {usual.lower:.0f} to {usual.upper:.0f} are usual{out}{others}.",
        about=About(metric="orders", objects=tuple(rows["product_id"].astype(str)), people=None),
    )  # fmt: skip


def _beyond(days: pd.DataFrame) -> Iterator[Finding]:
    signals = days[days["is_signal"].astype(bool)] if len(days) else days
    if signals.empty:
        return
    named = [f"{row['group']} on {format_date(row['day'], year=False)}" for _, row in signals.sort_values(["day", "group"], ascending=[False, True]).iterrows()]  # fmt: skip
    yield Finding(
        key="days-beyond", kind="estimated", section="sales", priority=5, about=About(metric="orders", people=None),
        sentence=f"Orders left their usual ups and downs on {count_of(len(signals), 'day')} of a category: {listed(named, shown=_NAMED)}.",
    )  # fmt: skip


def _moved(moves: pd.DataFrame) -> Iterator[Finding]:
    rows = moves.sort_values(["n_moved", "day"], ascending=False) if len(moves) else moves
    for _, row in rows.head(1).iterrows():
        yield Finding(
            key="prices-moved", kind="measured", section="prices", priority=6, about=About(scope=(("category", str(row["category"])),), people=None),
            sentence=f"List prices of {row['n_same']:,} of {row['n_products']:,} products of {row['category']} moved together on {format_date(row['day'])}.",
        )  # fmt: skip
