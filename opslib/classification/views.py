"""Classes of products summed up for a page: the curve of their value, and their stages of life."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.classification.growth import STAGES, growth_share
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Period


def pareto_curve(classes: Table, *, n_points: int = 100) -> pd.DataFrame:
    """Cumulative share of value by cumulative share of products, most valuable first.

    Parameters
    ----------
    classes : table
        From `abc_xyz`.
    n_points : int
        Points of the curve at most.

    Returns
    -------
    DataFrame
        item_share, value_share (cumulative, 0-1, ascending), abc (class of the last product of each point).

    Examples
    --------
    >>> classes = pd.DataFrame({"product_id": ["a", "b"], "revenue_amount": [3.0, 1.0], "revenue_share": [0.75, 0.25],
    ...     "cumulative_share": [0.75, 1.0], "abc_class": ["A", "C"]})
    >>> pareto_curve(classes).values.tolist()
    [[0.5, 0.75, 'A'], [1.0, 1.0, 'C']]
    """
    table = engine.as_table(classes)
    amount = "revenue_amount" if "revenue_amount" in table.columns else "margin_amount"
    ranked = table.mutate(
        place=ibis.row_number().over(ibis.window(order_by=[ibis.desc(amount), "product_id"])) + 1,
        n_all=table.count().over(ibis.window()),
    )
    pieces = ranked.mutate(piece=((ranked["place"] - 1) * n_points) // ranked["n_all"])
    found = engine.collect(
        pieces.group_by("piece")
        .aggregate(
            item_share=engine.ratio(pieces["place"].max(), pieces["n_all"].max()),
            value_share=pieces["cumulative_share"].max(),
            abc=pieces["abc_class"].max(),
        )
        .order_by("piece")
    )
    return found.drop(columns="piece")


def stage_summary(stages: Table, classes: Table) -> pd.DataFrame:
    """Products and value of each stage of life.

    Parameters
    ----------
    stages : table
        From `life_cycle`.
    classes : table
        From `abc_xyz`, for the value.

    Returns
    -------
    DataFrame
        In the order of life, empty stages too: stage, n_products, revenue_amount, revenue_share, rule.

    Examples
    --------
    >>> stages = pd.DataFrame({"product_id": ["a", "b"], "stage": ["growth", "dormant"]})
    >>> classes = pd.DataFrame({"product_id": ["a"], "revenue_amount": [4.0]})
    >>> stage_summary(stages, classes).query("n_products > 0")["revenue_share"].tolist()
    [1.0, 0.0]
    """
    values = engine.as_table(classes)
    amount = "revenue_amount" if "revenue_amount" in values.columns else "margin_amount"
    values = values.select("product_id", value=values[amount].cast("float64"))
    joined = engine.as_table(stages).select("product_id", "stage").left_join(values, "product_id")
    found = engine.collect(
        joined.group_by("stage")
        .aggregate(n_products=joined.count(), revenue_amount=joined["value"].sum().fill_null(0.0))
        .order_by("stage")
    )
    if found.empty:
        return pd.DataFrame(columns=["stage", "n_products", "revenue_amount", "revenue_share", "rule"])
    order = pd.DataFrame({"stage": list(STAGES), "rule": list(STAGES.values())})
    summary = order.merge(found, how="left", on="stage").fillna({"n_products": 0, "revenue_amount": 0.0})
    total = summary["revenue_amount"].sum()
    summary["revenue_share"] = summary["revenue_amount"] / total if total else float("nan")
    summary = summary.astype({"n_products": "int64"})
    return summary[["stage", "n_products", "revenue_amount", "revenue_share", "rule"]]


def with_names(matrix: Table, products: Table | None) -> ir.Table:
    """Rows about products with the product's name as their group, where it is known.

    Parameters
    ----------
    matrix : table
        From `growth_share` by ``product_id``.
    products : products or None
        Where names stand.

    Returns
    -------
    ibis.Table
        The same rows and columns.

    Examples
    --------
    >>> matrix = pd.DataFrame({"group": ["a", "b"], "revenue_after": [2.0, 1.0]})
    >>> products = pd.DataFrame({"product_id": ["a"], "name": ["Lamp"]})
    >>> engine.collect(with_names(matrix, products).order_by("group"))["group"].tolist()
    ['Lamp (a)', 'b']
    """
    rows = engine.as_table(matrix)
    if products is None or "name" not in engine.as_table(products).columns:
        return rows
    names = engine.as_table(products).select("product_id", "name")
    joined = rows.left_join(names, rows["group"] == names["product_id"])
    named = joined["name"].concat(" (", joined["group"], ")").fill_null(joined["group"])
    return joined.mutate(group=named).select(*rows.columns)


def largest_groups(
    order_lines: Table,
    *,
    by: str,
    period: Period,
    baseline: Period,
    coverage: Coverage,
    products: Table | None = None,
    most: int = 30,
) -> ir.Table:
    """`growth_share` of the groups with the most revenue, products by their names; empty where a period was not seen.

    Parameters
    ----------
    order_lines, by, period, baseline, products
        As for `growth_share`.
    coverage : Coverage
        Days seen: without a day of either period there is nothing to compare.
    most : int
        Groups at most.

    Returns
    -------
    ibis.Table
        As from `growth_share`.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": ["a", "a"], "quantity": 1.0, "unit_price": 5.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"])})
    >>> months = Period.parse("2026-02-01", "2026-02-28"), Period.parse("2026-01-01", "2026-01-31")
    >>> seen = Coverage(months[1].start, months[0].end)
    >>> options = {"by": "product_id", "period": months[0], "baseline": months[1], "coverage": seen}
    >>> engine.collect(largest_groups(lines, **options))["group"].tolist()
    ['a']
    """
    matrix = growth_share(order_lines, by=by, period=period, baseline=baseline, products=products)
    is_seen = all(coverage.status(part) != "unobserved" for part in (period, baseline))
    largest = matrix.order_by(matrix["revenue_after"].desc(), "group").limit(most if is_seen else 0)
    return with_names(largest, products) if by == "product_id" else largest


def growth_heads(matrix: pd.DataFrame) -> pd.DataFrame:
    """The matrix for display: its growth is a change, so that it shows as one."""
    ends = ("", "_lower", "_upper")
    return matrix.rename(columns={f"growth_share{end}": f"growth_change{end}" for end in ends[:1]} | {
        f"growth{end}": f"growth_change{end}" for end in ends[1:]
    })  # fmt: skip
