"""Growth-share matrix of products or categories, with intervals."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from scipy import stats as distributions

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import buyer, line_revenue, order_day, paid, with_column
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Period

MIN_BUYERS = 10
"""Buyers from which a growth is told from chance: fewer say too little of how much buyers differ."""
_TABLED = 30
"""Degrees of freedom up to which Student's quantile is listed; beyond, it is expanded around the normal's."""


def growth_share(
    order_lines: Table, *, by: str, period: Period, baseline: Period, products: Table | None = None
) -> ir.Table:
    """Growth-share matrix of products or categories within the shop.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count.
    by : str
        ``product_id``, or a column of the lines or of ``products`` (category, brand).
    period, baseline : Period
        After and before, of equal length.
    products : products or None
        Where ``by`` stands, if not in the lines.

    Returns
    -------
    ibis.Table
        group (the value of ``by``), revenue_before, revenue_after, revenue_share, average_share (1 / number of
        groups: where "large" begins), growth_change, with growth_change_lower and growth_change_upper (logarithm, buyers arriving as a Poisson process, buyers of both periods counted once; Student's t with n_buyers - 1, missing for
        one buyer), n_buyers (of the period with fewer), shop_growth, quadrant (large: at least the average group's
        share; growing: faster than the shop), is_clear (the interval excludes the shop's growth, and ten buyers at
        least stand behind it). No correction for the number of groups.

    Raises
    ------
    ParameterError
        The periods differ in length by more than three days.

    Examples
    --------
    >>> import pandas as pd
    >>> lines = pd.DataFrame({"order_id": list("1234"), "product_id": list("abab"), "customer_id": list("wxyz"),
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-01-05", "2026-02-05", "2026-02-05"]), "quantity": 1.0,
    ...     "unit_price": [9.0, 5.0, 12.0, 4.0]})
    >>> months = Period.parse("2026-01-01", "2026-02-28").split("month")
    >>> matrix = growth_share(lines, by="product_id", period=months[1], baseline=months[0])
    >>> engine.collect(matrix.order_by("group"))[["average_share", "quadrant", "is_clear"]].values.tolist()
    [[0.5, 'star', False], [0.5, 'dog', False]]
    """
    if abs(period.n_days - baseline.n_days) > 3:
        raise ParameterError(f"baseline: {baseline.n_days} days against {period.n_days}; growth needs equal lengths")
    sums = _group_sums(order_lines, by=by, period=period, baseline=baseline, products=products)
    everything = ibis.window()
    sums = sums.mutate(
        whole=sums["revenue_after"].sum().over(everything),
        whole_before=sums["revenue_before"].sum().over(everything),
        n_groups=sums.count().over(everything).cast("float64"),
    )
    growth = engine.ratio(sums["revenue_after"], sums["revenue_before"])
    variance = (
        engine.ratio(sums["yy0"], sums["revenue_before"] * sums["revenue_before"])
        + engine.ratio(sums["yy1"], sums["revenue_after"] * sums["revenue_after"])
        - engine.ratio(sums["yy01"] * 2, sums["revenue_before"] * sums["revenue_after"])
    )
    half = ibis.greatest(variance, 0).cast("float64").sqrt() * student_quantile(
        sums["n_buyers"] - 1, confidence_level=0.95
    )
    matrix = sums.select(
        "group",
        "revenue_before",
        "revenue_after",
        revenue_share=engine.ratio(sums["revenue_after"], sums["whole"]),
        average_share=engine.ratio(ibis.literal(1.0), sums["n_groups"]),
        growth_change=growth - 1,
        growth_change_lower=growth * (-half).exp() - 1,
        growth_change_upper=growth * half.exp() - 1,
        n_buyers=sums["n_buyers"],
        shop_growth=engine.ratio(sums["whole"], sums["whole_before"]) - 1,
    )
    is_large = matrix["revenue_share"] >= matrix["average_share"]
    is_growing = matrix["growth_change"].fill_null(float("inf")) > matrix["shop_growth"]
    is_off = (matrix["growth_change_lower"] > matrix["shop_growth"]) | (
        matrix["growth_change_upper"] < matrix["shop_growth"]
    )
    return matrix.mutate(
        quadrant=ibis.cases(
            (is_large & is_growing, "star"),
            (is_large, "cash cow"),
            (is_growing, "question mark"),
            else_="dog",
        ),
        is_clear=(is_off & (matrix["n_buyers"] >= MIN_BUYERS)).fill_null(False),
    )


def _group_sums(order_lines: Table, *, by: str, period: Period, baseline: Period, products: Table | None) -> ir.Table:
    """Revenue of each group in both periods, with squares and products over buyers."""
    lines = paid(order_lines)
    lines = with_column(lines, by, {} if products is None else {"products": engine.as_table(products)}, why="by")
    rows = lines.select(group=lines[by], buyer_id=buyer(lines), day=order_day(lines), amount=line_revenue(lines))
    inside = [(rows["day"] >= part.start) & (rows["day"] < part.until) for part in (baseline, period)]
    rows = rows.filter(inside[0] | inside[1], rows["group"].notnull())
    buyers = rows.group_by("group", "buyer_id").aggregate(
        y0=rows["amount"].sum(where=inside[0]).cast("float64").fill_null(0.0),
        y1=rows["amount"].sum(where=inside[1]).cast("float64").fill_null(0.0),
    )
    y0, y1 = buyers["y0"], buyers["y1"]
    return buyers.group_by("group").aggregate(
        revenue_before=y0.sum(),
        revenue_after=y1.sum(),
        yy0=(y0 * y0).sum(),
        yy1=(y1 * y1).sum(),
        yy01=(y0 * y1).sum(),
        n_buyers=ibis.least((y0 != 0).sum(), (y1 != 0).sum()).cast("int64"),
    )


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

    Between periods that are not the same days of two years a season decides who grew: quadrants are withheld then.

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
        As from `growth_share`, of groups with revenue; ``quadrant`` missing between periods of unlike season.

    Examples
    --------
    >>> import pandas as pd
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": ["a", "a"], "quantity": 1.0, "unit_price": 5.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-05"])})
    >>> months = Period.parse("2026-02-01", "2026-02-28"), Period.parse("2026-01-01", "2026-01-31")
    >>> seen = Coverage(months[1].start, months[0].end)
    >>> options = {"by": "product_id", "period": months[0], "baseline": months[1], "coverage": seen}
    >>> engine.collect(largest_groups(lines, **options))["quadrant"].isna().tolist()
    [True]
    """
    matrix = growth_share(order_lines, by=by, period=period, baseline=baseline, products=products)
    is_seen = all(coverage.status(part) != "unobserved" for part in (period, baseline))
    matrix = matrix.filter(matrix["revenue_after"] > 0)
    if baseline != period.year_before():
        matrix = matrix.mutate(quadrant=ibis.null("string"))
    largest = matrix.order_by(matrix["revenue_after"].desc(), "group").limit(most if is_seen else 0)
    return with_names(largest, products) if by == "product_id" else largest


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
    >>> import pandas as pd
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


def student_quantile(df: ir.NumericValue, *, confidence_level: float) -> ir.FloatingValue:
    """Two-sided critical value of Student's t, row by row; missing below one degree of freedom.

    Parameters
    ----------
    df : column
        Degrees of freedom, whole numbers.
    confidence_level : float
        Coverage (0-1).

    Returns
    -------
    column, float64
        Exact up to 30 degrees of freedom, then by the expansion of Abramowitz and Stegun (1964), 26.7.5, off by less
        than 1e-6 at 95 %.

    Examples
    --------
    >>> import pandas as pd
    >>> table = engine.as_table(pd.DataFrame({"df": [1.0, 60.0]}))
    >>> found = engine.collect(table.select("df", t=student_quantile(table["df"], confidence_level=0.95)).order_by("df"))
    >>> found["t"].round(4).tolist()
    [12.7062, 2.0003]
    """
    p = (1 + confidence_level) / 2
    z = float(distributions.norm.ppf(p))
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    one = df.cast("float64") * 0 + 1
    share, power = engine.ratio(one, df), one
    expanded = one * z
    for term in terms:
        power = power * share
        expanded = expanded + power * term
    listed = [(df == k, one * float(distributions.t.ppf(p, k))) for k in range(1, _TABLED + 1)]
    return ibis.cases((df < 1, ibis.null("float64")), *listed, else_=expanded)
