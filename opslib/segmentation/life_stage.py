"""Customer life stages: one order, in rhythm, overdue or silent, by each customer's own purchase interval."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, group_sizes
from opslib.segmentation.rfm import customer_lines
from opslib.suppression import of_people

STAGES: dict[str, tuple[str, str]] = {
    "one order": ("a welcome that leads to the second order", "Customer service"),
    "in rhythm": ("no push; recommend what goes with the last orders", "Buying"),
    "overdue": ("a reminder now, while a return is still likely", "Customer service"),
    "silent": ("one win-back offer, then only the newsletter", "Customer service"),
}
"""Action and department of each stage, in the order of a customer's life."""


#: Gaps of the shop's mean length that every customer starts with: what is known of one who ordered once.
PRIOR_GAPS = 2.0


def life_stages(order_lines: Table, *, as_of: date, limits: tuple[float, float] = (0.25, 0.05)) -> ir.Table:
    """Life stage of each customer: time since the last order against the customer's own purchase interval.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines with a customer count.
    as_of : date
        Day from which silence counts; later orders do not count.
    limits : tuple of two floats
        A customer is overdue when a silence of this length has at most the first probability for one who still buys,
        silent at the second.

    Returns
    -------
    ibis.Table
        customer_id, first_on, last_on, n_order_days, silence_days, gap_days (expected between two of the customer's
        order days: the mean of the law below, b / (a - 1)), silence_share (probability that a gap lasts at least as long as this silence), revenue_amount,
        stage. Gaps are taken as exponential with a rate of the customer's own, gamma-distributed among customers, so
        that the next gap follows a Lomax law: (b / (b + silence)) ** a with a = `PRIOR_GAPS` + gaps and b = `PRIOR_GAPS` x
        the shop's mean gap + the customer's time between first and last order.

    Raises
    ------
    ParameterError
        Limits do not fall between 1 and 0.

    References
    ----------
    Lomax law as the mixture of exponentials: Johnson, Kotz, Balakrishnan (1994), Continuous Univariate Distributions 1,
    chapter 20. The rule on it is ours; it asks how unusual a silence is, not whether the customer is gone for good. Of
    simulated customers who never leave, 4-12 % fall under the limit of 5 % (gamma shape of their rates 5 to 1).

    Examples
    --------
    >>> days = [f"2026-01-{d:02d}" for d in (1, 4, 7, 10)] + ["2025-09-01", "2026-01-10"]
    >>> lines = pd.DataFrame({"order_id": list("123456"), "product_id": "a", "customer_id": list("wwwwyz"),
    ...     "ordered_at": pd.to_datetime(days), "quantity": 1.0, "unit_price": 1.0})
    >>> stages = engine.collect(life_stages(lines, as_of=date(2026, 1, 12)).order_by("customer_id"))
    >>> stages[["silence_days", "stage"]].values.tolist()
    [[2, 'in rhythm'], [133, 'silent'], [2, 'one order']]
    """
    risk, lapse = limits
    if not 0 < lapse < risk < 1:
        raise ParameterError(f"limits: {limits} do not fall between 1 and 0; e.g. (0.25, 0.05)")
    rows = customer_lines(order_lines, as_of=as_of)
    totals = rows.group_by("customer_id").aggregate(
        first_on=rows["day"].min(),
        last_on=rows["day"].max(),
        n_order_days=rows["day"].nunique(),
        revenue_amount=rows["amount"].sum().cast("float64"),
    )
    everything = ibis.window()
    totals = totals.mutate(
        gaps=totals["n_order_days"].cast("float64") - 1,
        span=engine.days_between(totals["last_on"], totals["first_on"]).cast("float64"),
        silence_days=engine.days_between(ibis.literal(as_of), totals["last_on"]),
    )
    # Nobody has come back yet: the shop's rhythm is unknown, and a month stands for it.
    spans, gaps = (totals[name].sum().over(everything) for name in ("span", "gaps"))
    totals = totals.mutate(shape=totals["gaps"] + PRIOR_GAPS, shop_gap=engine.ratio(spans, gaps).fill_null(30.0))
    shape, scale = totals["shape"], totals["span"] + totals["shop_gap"] * PRIOR_GAPS
    rated = totals.mutate(
        gap_days=engine.ratio(scale, shape - 1),
        silence_share=(engine.ratio(scale, scale + totals["silence_days"]).ln() * shape).exp(),
    ).drop("gaps", "span", "shape", "shop_gap")
    return rated.mutate(
        stage=ibis.cases(
            (rated["silence_share"] <= lapse, "silent"),
            (rated["silence_share"] <= risk, "overdue"),
            (rated["n_order_days"] == 1, "one order"),
            else_="in rhythm",
        )
    )


@of_people("n_customers", by=("stage",))
def stage_sizes(stages: Table, *, treatments: Mapping[str, tuple[str, str]] = STAGES) -> pd.DataFrame:
    """Customers and revenue of each stage, with its treatment.

    Parameters
    ----------
    stages : table
        From `life_stages`.
    treatments : mapping of str to tuple of str
        Action and department of each stage.

    Returns
    -------
    DataFrame
        One row a stage, empty ones too (none of no customer): stage, n_customers, customer_share, revenue_amount,
        revenue_share, median_gap_days (of those with several order days), action, department.
    """
    sizes = group_sizes(
        stages, "stage", treatments,
        median_gap_days=lambda t: (t["n_order_days"] > 1).ifelse(t["gap_days"], ibis.null("float64")).median(),
    )  # fmt: skip
    for place, word in enumerate(("action", "department")):
        sizes[word] = sizes["stage"].map({name: told[place] for name, told in treatments.items()})
    return sizes
