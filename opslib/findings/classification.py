"""What the classes of products say."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from opslib.finding import About, Finding, Proposes
from opslib.formats import count_of, format_change, format_estimate, format_money, format_share
from opslib.periods import Period
from opslib.stats.estimates import Estimate

#: Cells whose treatment is worth a line of its own, most urgent first.
_ACTED_ON = ("AX", "AZ", "CZ")
_NAMED_GROUPS = 3


def classification_findings(
    cells: pd.DataFrame, matrix: pd.DataFrame, stages: pd.DataFrame, *, currency: str
) -> tuple[Finding, ...]:
    """Findings of the classification page.

    Parameters
    ----------
    cells : pandas.DataFrame
        From `classification.cell_summary`.
    matrix : pandas.DataFrame
        Rows of `classification.growth_share`; may be empty.
    stages : pandas.DataFrame
        From `classification.stage_summary`; may be empty.
    currency : str
        ISO code.

    Returns
    -------
    tuple of Finding

    Examples
    --------
    >>> cells = pd.DataFrame({"cell": ["AX"], "abc_class": ["A"], "xyz_class": ["X"], "n_products": [4],
    ...     "product_share": [1.0], "amount": [9.0], "amount_share": [1.0], "action": ["keep"], "owner": ["buying"]})
    >>> found = classification_findings(cells, pd.DataFrame(), pd.DataFrame(), currency="GBP")
    >>> [f.key for f in found]
    ['a-products', 'cell-AX']
    """
    found = [_a_products(cells, currency)]
    rows = {name: cells[(cells["cell"] == name) & (cells["n_products"] > 0)] for name in _ACTED_ON}
    found += [_cell(name, part.iloc[0], currency) for name, part in rows.items() if len(part)]
    if len(matrix):
        found += _movers(matrix)
    if len(stages):
        found += _stages(stages)
    return tuple(found)


def _a_products(cells: pd.DataFrame, currency: str) -> Finding:
    a = cells[cells["abc_class"] == "A"]
    return Finding(
        key="a-products",
        sentence=f"{count_of(a['n_products'].sum(), 'product')} ({format_share(a['product_share'].sum())}) bring "
        f"{format_share(a['amount_share'].sum())} of the revenue, {format_money(a['amount'].sum(), currency)}.",
        kind="measured",
        section="Few products carry the revenue",
    )


def _cell(name: str, row: pd.Series, currency: str) -> Finding:
    value = {"A": "high value", "B": "middling value", "C": "low value"}[name[0]]
    demand = {"X": "steady", "Y": "varying", "Z": "erratic"}[name[1]]
    return Finding(
        key=f"cell-{name}",
        sentence=f"{count_of(row['n_products'], 'product')} of {value} and {demand} demand ({name}) bring "
        f"{format_money(row['amount'], currency)}, {format_share(row['amount_share'])} of the revenue.",
        kind="measured",
        section="Nine cells, each with its treatment",
        action=f"{name}: {row['action']}",
        department=str(row["owner"]).capitalize(),
        about=About(scope=(("cell", name),)),
        proposes=Proposes(metric="margin" if name[0] == "C" else "stock_out_share", design="before_after"),
    )


def _movers(matrix: pd.DataFrame) -> list[Finding]:
    """Groups that grew or shrank against the shop beyond chance."""
    clear = matrix[matrix["is_clear"].astype(bool)].copy()
    clear["gap"] = clear["growth_share"] - clear["shop_growth"]
    found = []
    for word, rows in (("faster", clear[clear["gap"] > 0]), ("slower", clear[clear["gap"] < 0])):
        if not len(rows):
            continue
        top = rows.reindex(rows["gap"].abs().sort_values(ascending=False, kind="stable").index).head(_NAMED_GROUPS)
        names = ", ".join(
            f"{row['group']} {format_estimate(_growth(row), signed=True)}" for row in top.to_dict("records")
        )
        found.append(
            Finding(
                key=f"groups-{word}",
                sentence=f"{len(rows)} of {len(matrix)} groups grew {word} than the shop "
                f"({format_change(float(rows['shop_growth'].iloc[0]))}) beyond chance: {names}.",
                kind="estimated",
                section="What grows and what shrinks",
                caveat="Several groups are judged at once; of twenty without any change one would be named.",
            )
        )
    return found


def _growth(row: dict[Hashable, Any]) -> Estimate:
    value, lower, upper = (float(row[name]) for name in ("growth_share", "growth_lower", "growth_upper"))
    return Estimate(value=value, lower=lower, upper=upper, n=0, unit="relative change", method="")


def _stages(stages: pd.DataFrame) -> list[Finding]:
    declining = stages[(stages["stage"] == "decline") & (stages["n_products"] > 0)]
    if declining.empty:
        return []
    row = declining.iloc[0]
    return [
        Finding(
            key="declining",
            sentence=f"{count_of(row['n_products'], 'product')} with {format_share(row['revenue_share'])} of the revenue: ordered less "
            "than before, beyond what the shop's own season and the number of products explain.",
            kind="estimated",
            section="Where products stand in their life",
            action="decide for each: renew, mark down once, or let it run out",
            department="Buying",
        )
    ]


def classification_limits(period: Period) -> tuple[str, ...]:
    """What the classification page cannot say."""
    return (
        "The market: shares are within the shop, so a star may be small outside, and competitors are not seen.",
        f"Demand that met an empty shelf: units are those sold in {period.label}, and a stock-out looks like erratic demand.",
        "What a treatment would change: classes sort products, they do not test anything.",
    )
