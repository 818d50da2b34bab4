"""The table of key figures as a reader wants it: one row a figure."""

from __future__ import annotations

import math

import pandas as pd

from opslib.periods import Period


def kpi_summary(kpis: pd.DataFrame) -> pd.DataFrame:
    """One row a figure: where it stands, and its change against each comparison period.

    Parameters
    ----------
    kpis : DataFrame
        From `kpi_table`.

    Returns
    -------
    DataFrame
        figure, value, value_lower, value_upper, unit, then for ``previous`` and ``year_before``, as far as compared: the
        value under its name, and ``<name>_change`` with ``_lower`` and ``_upper``.

    Examples
    --------
    >>> one = {"metric": "orders", "title": "Orders", "unit": "count", "lower": None, "upper": None, "status": "complete"}
    >>> rows = [{**one, "comparison": "current", "value": 3.0}, {**one, "comparison": "previous", "value": 2.0,
    ...     "change_share": 0.5, "change_lower": -0.2, "change_upper": 1.2}]
    >>> kpi_summary(pd.DataFrame(rows))[["figure", "value", "previous_change"]].values.tolist()
    [['Orders', 3.0, 0.5]]
    """
    current = kpis[kpis["comparison"] == "current"].set_index("metric")
    summary = current[["title", "value", "lower", "upper", "unit"]].rename(
        columns={"title": "figure", "lower": "value_lower", "upper": "value_upper"}
    )
    for name in ("previous", "year_before"):
        other = kpis[(kpis["comparison"] == name) & (kpis["status"] != "unobserved")].set_index("metric")
        if other.empty:
            continue
        summary[name] = other["value"]
        for end, column in (("", "change_share"), ("_lower", "change_lower"), ("_upper", "change_upper")):
            summary[f"{name}_change{end}"] = other[column]
    return summary.reset_index(drop=True)


def summary_heads(summary: pd.DataFrame, *, period: Period) -> dict[str, str]:
    """Heads of the columns of a summary that are there: figure, value and the periods that were compared, by their label.

    Examples
    --------
    >>> summary_heads(pd.DataFrame(columns=["figure", "value", "previous"]), period=Period.parse("2026-02-01", "2026-02-28"))
    {'figure': 'Figure', 'value': 'Feb 2026', 'previous': 'Jan 2026'}
    """
    heads = {"figure": "Figure", "value": period.label, "previous": period.previous().label}
    heads["year_before"] = period.year_before().label
    return {name: head for name, head in heads.items() if name in summary}


def comparisons(kpis: pd.DataFrame) -> list[str]:
    """Earlier periods that figures could be compared with: ``previous``, ``year_before``."""
    return sorted(set(kpis.loc[kpis["change_share"].notna(), "comparison"]))


def change_ends(kpis: pd.DataFrame, *, metric: str, comparison: str) -> tuple[float, float]:
    """A metric in the earlier period and now; missing where it is not known."""
    values = kpis[kpis["metric"] == metric].set_index("comparison")["value"].astype("float64")
    return float(values.get(comparison, math.nan)), float(values.get("current", math.nan))
