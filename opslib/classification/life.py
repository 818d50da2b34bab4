"""Product life cycle: launched, growing, mature, declining, dormant."""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd
from scipy import stats as distributions

from opslib import engine
from opslib.classification.classes import value_of
from opslib.classification.growth import MIN_BUYERS
from opslib.errors import ParameterError
from opslib.metrics import buyer, order_day, paid
from opslib.metrics.blocks import Table, group_sizes
from opslib.periods import Coverage

WEEK = 7
LEVEL = 0.95
"""Coverage of the intervals, and one less the share of false finds among "growth" and "decline"."""
_FARTHEST = 8.0
"""Standard errors beyond which a probability (1e-15) is not told apart."""

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


def life_cycle(order_lines: Table, *, as_of: date, coverage: Coverage, window_days: int = 90) -> ir.Table:
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

    Returns
    -------
    ibis.Table
        product_id, first_on, last_on, n_orders_before, n_orders_recent, n_buyers (of both windows), relative_growth (of
        the product's orders over that of all products: a season that all share cancels), relative_growth_lower, relative_growth_upper
        (logarithm, half an order added to each side; the error is the largest of three: Poisson orders, Poisson orders
        as uneven over weeks as these are against the shop's, buyers with as many orders as these have), stage. Growth
        and decline need ten buyers, and hold over all products together by Benjamini and Hochberg (1995).

    Raises
    ------
    ParameterError
        The data begin after the earlier window.

    Examples
    --------
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
    rows = lines.select("product_id", "order_id", buyer_id=buyer(lines), day=order_day(lines))
    rows = rows.filter(rows["day"] <= as_of)
    is_recent, is_before = rows["day"] >= recent, (rows["day"] >= before) & (rows["day"] < recent)
    life = rows.group_by("product_id").aggregate(
        first_on=rows["day"].min(),
        last_on=rows["day"].max(),
        n_orders_before=rows["order_id"].nunique(where=is_before),
        n_orders_recent=rows["order_id"].nunique(where=is_recent),
    )
    seen = rows.filter(rows["day"] >= before)
    for side in (_by_buyers(seen, is_before, is_recent), _by_weeks(seen, before=before, window_days=window_days)):
        side = side.rename(side_id="product_id")
        joined = life.left_join(side, life["product_id"] == side["side_id"])
        nothing = {name: joined[name].fill_null(0) for name in side.columns if name != "side_id"}
        life = joined.mutate(**nothing).drop("side_id")
    return _staged(_with_error(life, window_days=window_days), recent=recent)


def _by_buyers(rows: ir.Table, is_before: ir.BooleanValue, is_recent: ir.BooleanValue) -> ir.Table:
    """How unevenly a product's orders come by buyers."""
    buyers = rows.group_by("product_id", "buyer_id").aggregate(
        o0=rows["order_id"].nunique(where=is_before).cast("float64"),
        o1=rows["order_id"].nunique(where=is_recent).cast("float64"),
    )
    o0, o1 = buyers["o0"], buyers["o1"]
    return buyers.group_by("product_id").aggregate(
        oo0=(o0 * o0).sum(), oo1=(o1 * o1).sum(), oo01=(o0 * o1).sum(), n_buyers=buyers.count()
    )


def _n_pieces(window_days: int) -> int:
    return max(window_days // WEEK, 1)


def _by_weeks(rows: ir.Table, *, before: date, window_days: int) -> ir.Table:
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


def _staged(life: ir.Table, *, recent: date) -> ir.Table:
    """Intervals of each product, and stages by Benjamini and Hochberg over the products that could have grown."""
    half = life["error"] * float(distributions.norm.ppf((1 + LEVEL) / 2))
    life = life.mutate(
        relative_growth=life["log"].exp() - 1,
        relative_growth_lower=(life["log"] - half).exp() - 1,
        relative_growth_upper=(life["log"] + half).exp() - 1,
        p=two_sided(engine.ratio(life["log"], life["error"])),
        is_asked=(
            (life["n_orders_recent"] > 0)
            & (life["first_on"] < recent)
            & (life["n_buyers"] >= MIN_BUYERS)
            & life["log"].notnull()
        ),
    )
    rank = ibis.cume_dist().over(ibis.window(group_by="is_asked", order_by="p"))
    life = life.mutate(is_step=life["is_asked"] & (life["p"] <= rank * (1 - LEVEL)))
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
        In the order of life, empty stages too (none of no product): stage, n_products, revenue_amount, revenue_share, rule.

    Examples
    --------
    >>> stages = pd.DataFrame({"product_id": ["a", "b"], "stage": ["growth", "dormant"]})
    >>> classes = pd.DataFrame({"product_id": ["a"], "revenue_amount": [4.0]})
    >>> stage_summary(stages, classes).query("n_products > 0")["revenue_share"].tolist()
    [1.0, 0.0]
    """
    values = engine.as_table(classes)
    values = values.select("product_id", revenue_amount=value_of(values))
    joined = engine.as_table(stages).select("product_id", "stage").left_join(values, "product_id")
    sizes = group_sizes(joined, "stage", STAGES, counted="product")
    return sizes.drop(columns="product_share").assign(rule=sizes["stage"].map(STAGES))


def two_sided(z: ir.FloatingValue) -> ir.FloatingValue:
    """Probability that a standard normal is at least as far from zero (Abramowitz and Stegun 26.2.17, within 2e-7).

    Examples
    --------
    >>> table = engine.as_table(pd.DataFrame({"z": [-1.959964]}))
    >>> engine.collect(table.select(p=two_sided(table["z"])))["p"].round(5).tolist()
    [0.05]
    """
    size = ibis.least(z.abs(), _FARTHEST).cast("float64")
    t = engine.ratio(size * 0 + 1, size * 0.2316419 + 1)
    curve = t * 0
    for coefficient in (1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530):
        curve = (curve + coefficient) * t
    return (size * size * -0.5).exp() * curve * 0.7978845608028654
