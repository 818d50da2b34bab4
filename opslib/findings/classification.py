"""Sentences of the classification page: what the classes of products say."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes, answer
from opslib.findings.wording import estimate_of, named
from opslib.formats import count_of, format_change, format_money, format_share
from opslib.stats.estimates import Estimate

__all__ = ["answer", "findings", "limits"]

#: Cells whose treatment is worth a line of its own, most urgent first.
_ACTED_ON = ("AX", "AZ", "CZ")
_NAMED_GROUPS = 3


def findings(cells: pd.DataFrame, movers: pd.DataFrame, stages: pd.DataFrame, *, page: Facts) -> tuple[Finding, ...]:
    """Findings of the classification page.

    Parameters
    ----------
    cells : pandas.DataFrame
        From `classification.cell_summary`; may be empty.
    movers : pandas.DataFrame
        Rows of `classification.growth_share`; may be empty.
    stages : pandas.DataFrame
        From `classification.stage_summary`; may be empty.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding

    Examples
    --------
    >>> from opslib.periods import Period
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> page = Facts(title="A shop", period=october, currency="GBP", time_zone="UTC", coverage=None)
    >>> cells = pd.DataFrame({"cell": ["AX"], "abc_class": ["A"], "xyz_class": ["X"], "n_products": [4],
    ...     "product_share": [1.0], "amount": [9.0], "amount_share": [1.0], "action": ["keep"], "department": ["Buying"]})
    >>> [f.key for f in findings(cells, pd.DataFrame(), pd.DataFrame(), page=page)]
    ['a-products', 'cell-AX']
    """
    found = []
    if len(cells) and cells["n_products"].sum() > 0:
        sold = {row["cell"]: row for _, row in cells[cells["n_products"] > 0].iterrows()}
        found = [_a_products(cells, page.currency)]
        found += [_cell(sold[name], page.currency) for name in _ACTED_ON if name in sold]
    found += _movers(movers) if len(movers) else []
    found += _declining(stages) if len(stages) else []
    return tuple(found)


def limits(page: Facts) -> tuple[str, ...]:
    """What the classification page cannot say."""
    return (
        "The market: shares are within the shop, so a star may be small outside, and competitors are not seen.",
        f"Demand that met an empty shelf: units are those sold in {page.period.label}, and a stock-out looks like erratic demand.",
        "What a treatment would change: classes sort products, they do not test anything.",
    )


def _a_products(cells: pd.DataFrame, currency: str) -> Finding:
    a = cells[cells["abc_class"] == "A"]
    return Finding(
        key="a-products",
        sentence=f"{count_of(a['n_products'].sum(), 'product')} ({format_share(a['product_share'].sum())}) bring "
        f"{format_share(a['amount_share'].sum())} of the revenue, {format_money(a['amount'].sum(), currency)}.",
        kind="measured",
        section="value-classes",
        about=About(people=None),
    )


def _cell(row: pd.Series, currency: str) -> Finding:
    name = str(row["cell"])
    value = {"A": "high value", "B": "middling value", "C": "low value"}[name[0]]
    demand = {"X": "steady", "Y": "varying", "Z": "erratic"}[name[1]]
    return Finding(
        key=f"cell-{name}",
        sentence=f"{count_of(row['n_products'], 'product')} of {value} and {demand} demand ({name}) bring "
        f"{format_money(row['amount'], currency)}, {format_share(row['amount_share'])} of the revenue.",
        kind="measured",
        section="cells",
        action=f"{name}: {row['action']}",
        department=str(row["department"]),
        about=About(scope=(("cell", name),), people=None),
        proposes=Proposes(metric="margin" if name[0] == "C" else "stock_out_share", design="before_after"),
    )


def _movers(matrix: pd.DataFrame) -> Iterator[Finding]:
    """Groups that grew or shrank against the shop beyond chance."""
    clear = matrix[matrix["is_clear"].astype(bool)]
    gap = clear["growth_change"] - clear["shop_growth"]
    for word, rows in (("faster", clear[gap > 0]), ("slower", clear[gap < 0])):
        if not len(rows):
            continue
        top = rows.loc[gap[rows.index].abs().sort_values(ascending=False, kind="stable").index].head(_NAMED_GROUPS)
        yield Finding(
            key=f"groups-{word}",
            sentence=f"{len(rows)} of {len(matrix)} groups grew {word} than the shop "
            f"({format_change(float(rows['shop_growth'].iloc[0]))}) beyond chance: {named(top, _growth)}.",
            kind="estimated",
            section="growth-share",
            caveat="Several groups are judged at once; of twenty without any change one would be named.",
            about=About(people=None),
        )


def _growth(row: pd.Series) -> Estimate:
    return estimate_of(row, "growth_change", unit="relative change")


def _declining(stages: pd.DataFrame) -> list[Finding]:
    declining = stages[(stages["stage"] == "decline") & (stages["n_products"] > 0)]
    return [
        Finding(
            key="declining",
            sentence=f"{count_of(row['n_products'], 'product')} with {format_share(row['revenue_share'])} of the revenue: ordered less "
            "than before, beyond what the shop's own season and the number of products explain.",
            kind="estimated",
            section="life-cycle",
            action="decide for each: renew, mark down once, or let it run out",
            department="Buying",
            about=About(people=None),
        )
        for _, row in declining.iterrows()
    ]
