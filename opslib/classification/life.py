"""Product life cycle: launched, growing, mature, declining, dormant, against the same days a year before."""

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
from opslib.metrics.blocks import Table, day_of, group_sizes
from opslib.periods import Coverage

WEEK = 7
LEVEL = 0.95
"""Coverage of the intervals, and one less the share of false finds among "growth" and "decline"."""
_FARTHEST = 8.0
"""Standard errors beyond which a probability (1e-15) is not told apart."""

STAGES: dict[str, str] = {
    "launch": "launched, or first sold, within the last window",
    "growth": "ordered more than in the same days a year before, beyond the shop's own growth and beyond chance",
    "maturity": "moves with the shop, as far as can be told",
    "decline": "ordered less than the shop's course explains, against the same days a year before, beyond chance",
    "dormant": "not sold within the last window",
    "not compared": "sold; the same days a year before were not seen, or the product was not on sale then",
}
"""Stages of a product's life and the rule of each; dormant and launch come first."""

YEAR = 52 * WEEK
"""Days between the windows that are compared: the same season and the same weekdays."""
FIRST_SALES = 364
"""Days that the data must have run before a first sale in them is a launch, where nothing says when it was launched: a
product of one season, or one that is seldom bought, is not new when it is first seen."""


def life_cycle(
    order_lines: Table,
    *,
    as_of: date,
    coverage: Coverage,
    window_days: int = 90,
    shift_days: int = YEAR,
    products: Table | None = None,
) -> ir.Table:
    """Stage of each product's life: orders of a window against those of the same days a year before, and the shop's own course.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count; all of them, since the first sale decides what is a launch.
    as_of : date
        Last day of the recent window.
    coverage : Coverage
        What the data have seen.
    window_days : int
        Length of the recent window and of the one before, in days.
    shift_days : int
        Days between the beginnings of both windows: a year, since seasons of products differ from the shop's.
    products : products or None
        With ``launched_at``, where it is known; else the first sale stands for it.

    Returns
    -------
    ibis.Table
        product_id, first_on, last_on, n_orders_before, n_orders_recent, n_buyers (of both windows), relative_growth (of
        the product's orders over that of all products: a course that all share cancels), relative_growth_lower, relative_growth_upper
        (logarithm, half an order added to each side; the error is the largest of three: Poisson orders, Poisson orders
        as uneven over weeks as these are against the shop's, buyers with as many orders as these have), stage. Growth
        and decline need ten buyers and a product that was on sale before the earlier window, and hold over all products
        together by Benjamini and Hochberg (1995).

    Raises
    ------
    ParameterError
        The windows are empty or overlap.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": ["a", "b"], "quantity": 1.0, "unit_price": 1.0,
    ...     "ordered_at": pd.to_datetime(["2025-01-05", "2026-02-20"])})
    >>> stages = life_cycle(lines, as_of=date(2026, 2, 28), coverage=Coverage(date(2025, 1, 1), date(2026, 2, 28)))
    >>> engine.collect(stages.order_by("product_id"))["stage"].tolist()
    ['dormant', 'launch']
    """
    if not 1 <= window_days <= shift_days:
        raise ParameterError(f"window_days: {window_days} is not from 1 to shift_days, {shift_days}; e.g. 90")
    recent = as_of - timedelta(days=window_days - 1)
    before = recent - timedelta(days=shift_days)
    lines = paid(order_lines)
    rows = lines.select("product_id", "order_id", buyer_id=buyer(lines), day=order_day(lines))
    rows = rows.filter(rows["day"] <= as_of)
    is_recent = rows["day"] >= recent
    is_before = (rows["day"] >= before) & (rows["day"] < before + timedelta(days=window_days))
    life = rows.group_by("product_id").aggregate(
        first_on=rows["day"].min(),
        last_on=rows["day"].max(),
        n_orders_before=rows["order_id"].nunique(where=is_before),
        n_orders_recent=rows["order_id"].nunique(where=is_recent),
    )
    life = _with_launch(life, products, coverage)
    seen = rows.filter(is_before | is_recent)
    weeks = _by_weeks(seen, before=before, recent=recent, window_days=window_days)
    for side in (_by_buyers(seen, is_before, is_recent), weeks):
        side = side.rename(side_id="product_id")
        joined = life.left_join(side, life["product_id"] == side["side_id"])
        nothing = {name: joined[name].fill_null(0) for name in side.columns if name != "side_id"}
        life = joined.mutate(**nothing).drop("side_id")
    is_seen = coverage.first <= before
    return _staged(_with_error(life, window_days=window_days), recent=recent, before=before, is_seen=is_seen)


def _with_launch(life: ir.Table, products: Table | None, coverage: Coverage) -> ir.Table:
    """The day of launch: as the products say, else the first sale where the data had run for a while, else missing."""
    enough = coverage.first + timedelta(days=FIRST_SALES)
    life = life.mutate(launched_on=(life["first_on"] >= enough).ifelse(life["first_on"], ibis.null("date")))
    if products is None or "launched_at" not in engine.as_table(products).columns:
        return life
    table = engine.as_table(products)
    told = table.select(told_id=table["product_id"], told_on=day_of(table, "launched_at"))
    joined = life.left_join(told, life["product_id"] == told["told_id"])
    return joined.mutate(launched_on=joined["told_on"].fill_null(joined["launched_on"])).drop("told_id", "told_on")


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


def _by_weeks(rows: ir.Table, *, before: date, recent: date, window_days: int) -> ir.Table:
    """How unevenly a product's orders come by weeks, against the shop's weeks: sums of count squared over share."""
    n = _n_pieces(window_days)
    is_recent = rows["day"] >= recent
    since = engine.days_between(rows["day"], is_recent.ifelse(ibis.literal(recent), ibis.literal(before)))
    weeks = rows.mutate(piece=(since * n) // window_days + is_recent.ifelse(n, 0)).group_by("product_id", "piece")
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


def _staged(life: ir.Table, *, recent: date, before: date, is_seen: bool) -> ir.Table:
    """Intervals of each product, and stages by Benjamini and Hochberg over the products that could have grown."""
    is_launch = (life["launched_on"] >= recent).fill_null(False)
    is_old = ibis.literal(is_seen) & (life["launched_on"].fill_null(life["first_on"]) <= before)
    half = life["error"] * float(distributions.norm.ppf((1 + LEVEL) / 2))
    life = life.mutate(
        relative_growth=life["log"].exp() - 1,
        relative_growth_lower=(life["log"] - half).exp() - 1,
        relative_growth_upper=(life["log"] + half).exp() - 1,
        p=two_sided(engine.ratio(life["log"], life["error"])),
        is_asked=((life["n_orders_recent"] > 0) & is_old & (life["n_buyers"] >= MIN_BUYERS) & life["log"].notnull()),
    )
    rank = ibis.cume_dist().over(ibis.window(group_by="is_asked", order_by="p"))
    life = life.mutate(is_step=life["is_asked"] & (life["p"] <= rank * (1 - LEVEL)))
    limit = life["p"].max(where=life["is_step"]).over(ibis.window())
    life = life.mutate(is_beyond=(life["is_asked"] & (life["p"] <= limit)).fill_null(False))
    return life.mutate(
        stage=ibis.cases(
            (life["n_orders_recent"] == 0, "dormant"),
            (is_launch, "launch"),
            (~is_old, "not compared"),
            (life["is_beyond"] & (life["log"] > 0), "growth"),
            (life["is_beyond"], "decline"),
            else_="maturity",
        )
    ).drop("launched_on", "log", "error", "p", "is_asked", "is_step", "is_beyond")


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
        In the order of life, stages with products: stage, n_products, revenue_amount, revenue_share, rule.

    Examples
    --------
    >>> stages = pd.DataFrame({"product_id": ["a", "b"], "stage": ["growth", "dormant"]})
    >>> classes = pd.DataFrame({"product_id": ["a"], "revenue_amount": [4.0]})
    >>> stage_summary(stages, classes)["revenue_share"].tolist()
    [1.0, 0.0]
    """
    values = engine.as_table(classes)
    values = values.select("product_id", revenue_amount=value_of(values))
    joined = engine.as_table(stages).select("product_id", "stage").left_join(values, "product_id")
    sizes = group_sizes(joined, "stage", STAGES, counted="product")
    sizes = sizes[sizes["n_products"] > 0].reset_index(drop=True)
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
