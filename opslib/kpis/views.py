"""The table of key figures as a reader wants it: one row a figure."""

from __future__ import annotations

import pandas as pd


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
