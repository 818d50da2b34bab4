"""Products by growth and share, and by the stage of their life."""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
from scipy import stats as distributions

from opslib import engine
from opslib.classification.cells import Treatment
from opslib.classification.tails import student_quantile, two_sided
from opslib.errors import ParameterError
from opslib.metrics import buyer, line_revenue, order_day, paid, with_column
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Period

MIN_BUYERS = 10
"""Buyers from which a growth is told from chance: fewer say too little of how much buyers differ."""
WEEK = 7

QUADRANTS: dict[str, Treatment] = {
    "star": Treatment(name="star", action="secure supply and visibility, invest", department="Buying"),
    "cash cow": Treatment(name="cash cow", action="hold price and quality, harvest", department="Buying"),
    "question mark": Treatment(name="question mark", action="test what makes it large, or stop", department="Buying"),
    "dog": Treatment(name="dog", action="reduce range and effort", department="Buying"),
}


def growth_share(
    order_lines: Table,
    *,
    by: str,
    period: Period,
    baseline: Period,
    products: Table | None = None,
    level: float = 0.95,
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
    level : float
        Coverage of the interval of growth (0-1).

    Returns
    -------
    ibis.Table
        group (the value of ``by``), revenue_before, revenue_after, revenue_share, relative_share (revenue over that of
        the largest other group: the market is not known), growth_share, growth_lower, growth_upper (logarithm, buyers
        arriving as a Poisson process, buyers of both periods counted once; Student's t with n_buyers - 1, missing for
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
    >>> engine.collect(matrix.order_by("group"))[["relative_share", "quadrant", "is_clear"]].values.tolist()
    [[3.0, 'star', False], [0.333333333333, 'dog', False]]
    """
    if abs(period.n_days - baseline.n_days) > 3:
        raise ParameterError(f"baseline: {baseline.n_days} days against {period.n_days}; growth needs equal lengths")
    sums = _group_sums(order_lines, by=by, period=period, baseline=baseline, products=products)
    everything = ibis.window()
    top = sums["revenue_after"].max().over(everything)
    sums = sums.mutate(
        top=top,
        whole=sums["revenue_after"].sum().over(everything),
        whole_before=sums["revenue_before"].sum().over(everything),
        n_groups=sums.count().over(everything).cast("float64"),
    )
    is_top = sums["revenue_after"] == sums["top"]
    sums = sums.mutate(
        n_top=engine.flag(is_top).sum().over(everything),
        second=is_top.ifelse(ibis.null("float64"), sums["revenue_after"]).max().over(everything),
    )
    other = (is_top & (sums["n_top"] == 1)).ifelse(sums["second"], sums["top"])
    growth = engine.ratio(sums["revenue_after"], sums["revenue_before"])
    variance = (
        engine.ratio(sums["yy0"], sums["revenue_before"] * sums["revenue_before"])
        + engine.ratio(sums["yy1"], sums["revenue_after"] * sums["revenue_after"])
        - engine.ratio(sums["yy01"] * 2, sums["revenue_before"] * sums["revenue_after"])
    )
    half = ibis.greatest(variance, 0).cast("float64").sqrt() * student_quantile(sums["n_buyers"] - 1, level=level)
    matrix = sums.select(
        "group",
        "revenue_before",
        "revenue_after",
        "n_groups",
        revenue_share=engine.ratio(sums["revenue_after"], sums["whole"]),
        relative_share=engine.ratio(sums["revenue_after"], other),
        growth_share=growth - 1,
        growth_lower=growth * (-half).exp() - 1,
        growth_upper=growth * half.exp() - 1,
        n_buyers=sums["n_buyers"],
        shop_growth=engine.ratio(sums["whole"], sums["whole_before"]) - 1,
    )
    is_large = matrix["revenue_share"] * matrix["n_groups"] >= 1
    is_growing = matrix["growth_share"].fill_null(float("inf")) > matrix["shop_growth"]
    is_off = (matrix["growth_lower"] > matrix["shop_growth"]) | (matrix["growth_upper"] < matrix["shop_growth"])
    return matrix.mutate(
        quadrant=ibis.cases(
            (is_large & is_growing, "star"),
            (is_large, "cash cow"),
            (is_growing, "question mark"),
            else_="dog",
        ),
        is_clear=(is_off & (matrix["n_buyers"] >= MIN_BUYERS)).fill_null(False),
    ).drop("n_groups")


def _group_sums(
    order_lines: Table,
    *,
    by: str,
    period: Period,
    baseline: Period,
    products: Table | None,
) -> ir.Table:
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


STAGES: dict[str, str] = {
    "launch": "first sold within the last window",
    "growth": "orders rise faster than the shop's, beyond chance",
    "maturity": "orders move with the shop's, as far as can be told",
    "decline": "orders fall behind the shop's, beyond chance",
    "dormant": "not sold within the last window",
}
"""Stages of a product's life and the rule of each, in this order of precedence after dormant and launch."""


def longest_window(coverage: Coverage, *, as_of: date, most: int = 90) -> int:
    """Days of the two windows of `life_cycle` that fit into what was seen until a day.

    Examples
    --------
    >>> longest_window(Coverage(date(2026, 1, 1), date(2026, 3, 1)), as_of=date(2026, 3, 1))
    29
    """
    return max(min(most, ((as_of - coverage.first).days + 1) // 2 - 1), 1)


def life_cycle(
    order_lines: Table,
    *,
    as_of: date,
    coverage: Coverage,
    window_days: int = 90,
    level: float = 0.95,
) -> ir.Table:
    """Stage of each product's life: two windows of orders against the shop's own.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count; all of them, since the first sale decides what is a launch.
    as_of : date
        Last day of the recent window.
    coverage : Coverage
        What the data have seen.
    window_days : int
        Length of the recent window and of the one before it, in days.
    level : float
        Coverage of the interval (0-1), and one less the share of false finds among "growth" and "decline".

    Returns
    -------
    ibis.Table
        product_id, first_on, last_on, n_orders_before, n_orders_recent, n_buyers (of both windows), relative_growth (of
        the product's orders over that of all products: a season that all share cancels), growth_lower, growth_upper
        (logarithm, half an order added to each side; the error is the largest of three: Poisson orders, Poisson orders
        as uneven over weeks as these are against the shop's, buyers with as many orders as these have), stage. Growth
        and decline need ten buyers, and hold over all products together by Benjamini and Hochberg (1995).

    Raises
    ------
    ParameterError
        The data begin after the earlier window.

    Examples
    --------
    >>> import pandas as pd
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": ["a", "b"], "quantity": 1.0, "unit_price": 1.0,
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-20"])})
    >>> stages = life_cycle(lines, as_of=date(2026, 2, 28), coverage=Coverage(date(2026, 1, 1), date(2026, 2, 28)),
    ...     window_days=28)
    >>> engine.collect(stages.order_by("product_id"))["stage"].tolist()
    ['dormant', 'launch']
    """
    recent = as_of - timedelta(days=window_days - 1)
    before = recent - timedelta(days=window_days)
    if window_days < 1 or coverage.first > before:
        n = max((as_of - coverage.first).days + 1, 0) // 2
        raise ParameterError(
            f"window_days: {window_days} needs data from {before}, they begin {coverage.first}; at most {n} is possible"
        )
    lines = paid(order_lines)
    rows = lines.select(
        product_id=lines["product_id"], order_id=lines["order_id"], buyer_id=buyer(lines), day=order_day(lines)
    )
    rows = rows.filter(rows["day"] <= as_of)
    is_recent, is_before = rows["day"] >= recent, (rows["day"] >= before) & (rows["day"] < recent)
    life = rows.group_by("product_id").aggregate(
        first_on=rows["day"].min(),
        last_on=rows["day"].max(),
        n_orders_before=rows["order_id"].nunique(where=is_before),
        n_orders_recent=rows["order_id"].nunique(where=is_recent),
    )
    buyers = (
        rows.filter(rows["day"] >= before)
        .group_by("product_id", "buyer_id")
        .aggregate(
            o0=rows["order_id"].nunique(where=is_before).cast("float64"),
            o1=rows["order_id"].nunique(where=is_recent).cast("float64"),
        )
    )
    life = _joined(life, _squares(buyers))
    life = _joined(life, _bursts(rows.filter(rows["day"] >= before), before=before, window_days=window_days))
    return _staged(_with_error(life, window_days=window_days), recent=recent, level=level)


def _joined(life: ir.Table, side: ir.Table) -> ir.Table:
    """Sums of each product beside its life; nothing within the windows is 0."""
    side = side.rename(side_id="product_id")
    joined = life.left_join(side, life["product_id"] == side["side_id"]).drop("side_id")
    return joined.mutate(**{name: joined[name].fill_null(0) for name in side.columns if name != "side_id"})


def _squares(buyers: ir.Table) -> ir.Table:
    """How unevenly a product's orders come by buyers."""
    o0, o1 = buyers["o0"], buyers["o1"]
    return buyers.group_by("product_id").aggregate(
        oo0=(o0 * o0).sum(),
        oo1=(o1 * o1).sum(),
        oo01=(o0 * o1).sum(),
        n_buyers=buyers.count(),
    )


def _n_pieces(window_days: int) -> int:
    return max(window_days // WEEK, 1)


def _bursts(rows: ir.Table, *, before: date, window_days: int) -> ir.Table:
    """How unevenly a product's orders come by weeks, against the shop's weeks: sums of count squared over share."""
    n = _n_pieces(window_days)
    since = engine.days_between(rows["day"], ibis.literal(before))
    weeks = rows.mutate(piece=(since * n) // window_days).group_by("product_id", "piece")
    counts = weeks.aggregate(n_orders=rows["order_id"].nunique().cast("float64"))
    counts = counts.mutate(is_recent=counts["piece"] >= n)
    shares = counts.mutate(
        share=engine.ratio(
            counts["n_orders"].sum().over(ibis.window(group_by="piece")),
            counts["n_orders"].sum().over(ibis.window(group_by="is_recent")),
        )
    )
    weighed = engine.ratio(shares["n_orders"] * shares["n_orders"], shares["share"])
    return shares.group_by("product_id").aggregate(
        w0=weighed.sum(where=~shares["is_recent"]).fill_null(0.0),
        w1=weighed.sum(where=shares["is_recent"]).fill_null(0.0),
    )


def _with_error(life: ir.Table, *, window_days: int) -> ir.Table:
    """Logarithm of the growth against the shop's, and the largest of what orders, weeks and buyers say of its error."""
    b, r = (life[name].cast("float64") for name in ("n_orders_before", "n_orders_recent"))
    whole = engine.ratio(r.sum().over(ibis.window()), b.sum().over(ibis.window()))
    two = ibis.literal(2)
    u0, u1 = engine.ratio(two, b * 2 + 1), engine.ratio(two, r * 2 + 1)
    chi_square = (engine.ratio(life["w0"], b) - b).fill_null(0.0) + (engine.ratio(life["w1"], r) - r).fill_null(0.0)
    df = (engine.flag(b > 0) + engine.flag(r > 0)) * (_n_pieces(window_days) - 1)
    dispersion = ibis.greatest(engine.ratio(chi_square, df).fill_null(1.0), u0 * 0 + 1)
    # Half an order on each side varies by half an order: with an order a buyer this is the Poisson error.
    by_buyers = (life["oo0"] + 0.5) * u0 * u0 + (life["oo1"] + 0.5) * u1 * u1 - life["oo01"] * u0 * u1 * 2
    return life.mutate(
        log=engine.ratio(engine.ratio(r * 2 + 1, b * 2 + 1), whole).ln(),
        error=ibis.greatest((u0 + u1) * dispersion, by_buyers).sqrt(),
    ).drop("oo0", "oo1", "oo01", "w0", "w1")


def _staged(life: ir.Table, *, recent: date, level: float) -> ir.Table:
    """Intervals of each product, and stages by Benjamini and Hochberg over the products that could have grown."""
    half = life["error"] * float(distributions.norm.ppf((1 + level) / 2))
    life = life.mutate(
        relative_growth=life["log"].exp() - 1,
        growth_lower=(life["log"] - half).exp() - 1,
        growth_upper=(life["log"] + half).exp() - 1,
        p=two_sided(engine.ratio(life["log"], life["error"])),
        is_asked=(
            (life["n_orders_recent"] > 0)
            & (life["first_on"] < recent)
            & (life["n_buyers"] >= MIN_BUYERS)
            & life["log"].notnull()
        ),
    )
    rank = ibis.cume_dist().over(ibis.window(group_by="is_asked", order_by="p"))
    life = life.mutate(is_step=life["is_asked"] & (life["p"] <= rank * (1 - level)))
    limit = life["p"].max(where=life["is_step"]).over(ibis.window())
    life = life.mutate(is_beyond=(life["is_asked"] & (life["p"] <= limit)).fill_null(False))
    return life.mutate(
        stage=ibis.cases(
            (life["n_orders_recent"] == 0, "dormant"),
            (life["first_on"] >= recent, "launch"),
            (life["is_beyond"] & (life["log"] > 0), "growth"),
            (life["is_beyond"], "decline"),
            else_="maturity",
        )
    ).drop("log", "error", "p", "is_asked", "is_step", "is_beyond")
