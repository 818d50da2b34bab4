"""Sales against what is expected: each product's of four weeks against its category's course, each category's day by day."""

from __future__ import annotations

from datetime import date

import ibis
import numpy as np
import pandas as pd
from scipy import optimize, special
from scipy import stats as distributions

from opslib import engine
from opslib.metrics import order_day, paid, with_column
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Period
from opslib.product_control.faults import FALSE_DISCOVERY
from opslib.stats.control import residual_chart
from opslib.stats.multiplicity import adjusted
from opslib.suppression import counted

BLOCK_DAYS, TRAIL, MOST_BLOCKS, FEWEST_PLACEBOS = 28, 6, 19, 4
"""Days of a block (whole weeks, so that weekdays cancel); earlier blocks that a product's share is taken from; blocks looked at; earlier
blocks predicted in the same way, whose errors say what is usual."""
BASELINE_DAYS, CAUTION = 56, 2.0
"""Days from which a category's chart is set at least (with fewer, its weekdays are not known); factor on the run length that its limits are
set for, since real days are not normal."""
FEWEST_LINES, LEAST_SPREAD = 4.0, 0.5
"""Order lines expected in a block from which a product's sales are judged; standard deviation of the root of a Poisson count."""


def product_sales(order_lines: Table, *, as_of: date, coverage: Coverage, products: Table) -> pd.DataFrame:
    """Order lines of each product in the last four weeks against its share of the category's lines in the 24 weeks before.

    The category's own course carries weekdays, season and trend. How far a product usually strays from it is measured on the
    product's own earlier four weeks, predicted in the same way, and moderated by all products.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count.
    as_of : date
        Last of the four weeks.
    coverage : Coverage
        Days seen.
    products : products
        Category; one group of all where none is known.

    Returns
    -------
    pandas.DataFrame
        One row a product that can be judged (sold in all of the earlier blocks looked at, at least four lines expected): product_id, n_sold (order lines), n_expected,
        n_expected_lower, n_expected_upper (95 % of such four weeks lie between, with the usual ups and downs), sold_change (relative), p_value, q_value, is_off. Empty with fewer
        than 11 blocks of four weeks.

    Notes
    -----
    Square roots of counts (Anscombe 1948); variances of products moderated by their common prior, Smyth (2004), SAGMB 3; Benjamini
    and Hochberg (1995).

    Examples
    --------
    >>> days = pd.date_range("2025-01-01", periods=28 * 12)
    >>> lines = pd.DataFrame({"ordered_at": np.tile(days, 12), "product_id": np.repeat(list("abcdefghijkl"), len(days))})
    >>> lines = lines[(lines["product_id"] != "a") | (lines["ordered_at"] < "2025-11-12")]
    >>> own = pd.DataFrame({"product_id": list("abcdefghijkl"), "category": "lamps"})
    >>> seen = Coverage(date(2025, 1, 1), date(2025, 12, 2))
    >>> found = product_sales(lines, as_of=seen.last, coverage=seen, products=own)
    >>> found.loc[found["is_off"], ["product_id", "n_sold", "n_expected"]].values.tolist()
    [['a', 7.0, 28.0]]
    """
    n_blocks = min((as_of - coverage.first).days + 1, MOST_BLOCKS * BLOCK_DAYS) // BLOCK_DAYS
    columns = ["product_id", "n_sold", "n_expected", "n_expected_lower", "n_expected_upper", "sold_change", "p_value", "q_value", "is_off"]  # fmt: skip
    if n_blocks < 1 + TRAIL + FEWEST_PLACEBOS:
        return counted(pd.DataFrame(columns=columns).astype({"is_off": bool}), None)
    counts, names, groups = _blocks(order_lines, as_of=as_of, n_blocks=n_blocks, products=products)
    whole = pd.DataFrame(counts).groupby(groups).transform("sum").to_numpy() - counts
    ahead = np.arange(n_blocks - TRAIL)
    own, all_of = (np.column_stack([rows[:, at + 1 : at + 1 + TRAIL].sum(axis=1) for at in ahead]) for rows in (counts, whole))  # fmt: skip
    expected = whole[:, ahead] * np.divide(own, all_of, out=np.zeros_like(own), where=all_of > 0)
    kept = (expected[:, 0] >= FEWEST_LINES) & (own[:, -1] > 0)
    counts, expected, names = counts[kept], expected[kept], names[kept]
    roots = np.sqrt(expected + 3 / 8)
    errors = np.sqrt(counts[:, ahead] + 3 / 8) - roots
    spread, df = _moderated((errors[:, 1:] ** 2).mean(axis=1), n_blocks - TRAIL - 1)
    spread = np.maximum(spread, LEAST_SPREAD)
    half = distributions.t.isf(0.025, df) * spread
    p = 2 * distributions.t.sf(np.abs(errors[:, 0]) / spread, df)
    found = pd.DataFrame({
        "product_id": names, "n_sold": counts[:, 0], "n_expected": expected[:, 0],
        "n_expected_lower": np.maximum((np.maximum(roots[:, 0] - half, 0)) ** 2 - 3 / 8, 0), "n_expected_upper": (roots[:, 0] + half) ** 2 - 3 / 8,
        "sold_change": counts[:, 0] / expected[:, 0] - 1, "p_value": p,
    })  # fmt: skip
    tested = adjusted(dict(enumerate(p)), method="benjamini_hochberg", alpha=FALSE_DISCOVERY)
    found["q_value"], found["is_off"] = tested["adjusted_p_value"], tested["is_rejected"].astype(bool)
    return counted(found[columns], None)


def _blocks(
    order_lines: Table, *, as_of: date, n_blocks: int, products: Table
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order lines of each product by block, the newest first; products and their categories."""
    lines = with_column(paid(order_lines), "category", {"products": engine.as_table(products)}, is_required=False)
    group = lines["category"].cast("string").fill_null("") if "category" in lines.columns else ""
    rows = lines.select(
        product_id=lines["product_id"].cast("string"),
        group=group,
        back=engine.days_between(ibis.literal(as_of), order_day(lines)),
    )
    rows = rows.filter(rows["product_id"].notnull(), rows["back"].between(0, n_blocks * BLOCK_DAYS - 1))
    sums = {f"b{at:02}": rows["back"].between(at * BLOCK_DAYS, (at + 1) * BLOCK_DAYS - 1).ifelse(1, 0).sum() for at in range(n_blocks)}  # fmt: skip
    found = engine.grouped(rows, ["product_id", "group"], **sums)
    return found[list(sums)].to_numpy(dtype="float64"), found["product_id"].to_numpy(), found["group"].to_numpy()


def _moderated(variances: np.ndarray, df: int) -> tuple[np.ndarray, float]:
    """Standard deviations drawn towards their common prior, and their degrees of freedom: Smyth (2004), section 6.2."""
    logs = np.log(np.maximum(variances, 1e-6)) - special.digamma(df / 2) + np.log(df / 2)
    excess = float(logs.var(ddof=1)) - special.polygamma(1, df / 2) if len(logs) > 1 else 0.0
    if excess <= special.polygamma(1, 500.0):
        return np.full(len(variances), np.sqrt(variances.mean()) if len(variances) else 0.0), 1_000.0
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-3, 500.0)
    centre = np.exp(logs.mean() + special.digamma(half) - np.log(half))
    return np.sqrt((2 * half * centre + df * variances) / (2 * half + df)), 2 * half + df


def category_days(
    order_lines: Table, *, period: Period, coverage: Coverage, products: Table, run_length: float
) -> pd.DataFrame:
    """Control chart of each category's daily orders after weekdays, season, trend and autocorrelation.

    A day is compared with the level and slope of the eight weeks before it and with the day before, on square roots of counts. Limits
    are set on the days before the period; a quiet shop's categories together signal once in ``run_length`` days or less often.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines count.
    period : Period
        Days that are judged.
    coverage : Coverage
        Days seen; a category needs 16 weeks of them before the period, else the days that are judged begin later.
    products : products
        Category; one group of all where none is known.
    run_length : float
        Days between two false alarms, over all categories together.

    Returns
    -------
    pandas.DataFrame
        One row a category and judged day: group, day, n_orders, n_expected, n_expected_lower, n_expected_upper, is_signal. Empty where too few days
        were seen. Sorted by group and day.

    Notes
    -----
    `stats.control.residual_chart` on the square root over its level; limits are never narrower than those of a Poisson
    count, whose tails the root alone would cut.

    Examples
    --------
    >>> days = pd.date_range("2025-01-01", periods=300).repeat(20)
    >>> lines = pd.DataFrame({"ordered_at": days, "product_id": "a", "order_id": np.arange(6_000).astype(str)})
    >>> lines = lines[lines["ordered_at"] != "2025-10-20"]
    >>> own, seen = pd.DataFrame({"product_id": ["a"], "category": "lamps"}), Coverage(date(2025, 1, 1), date(2025, 10, 27))
    >>> found = category_days(lines, period=Period.parse("2025-10-01", "2025-10-27"), coverage=seen, products=own, run_length=365)
    >>> found.loc[found["is_signal"], "day"].dt.day.tolist()[:1]
    [20]
    """
    lines = with_column(paid(order_lines), "category", {"products": engine.as_table(products)}, is_required=False)
    group = lines["category"].cast("string").fill_null("(none)") if "category" in lines.columns else "all products"
    lines = lines.mutate(group=group, day=order_day(lines)).filter(lambda t: t["day"].between(coverage.first, period.end))  # fmt: skip
    counts = engine.grouped(lines, ["group", "day"], n_orders=lines["order_id"].nunique())
    seen = pd.date_range(coverage.first, period.end)
    missing = pd.to_datetime(sorted(coverage.missing))
    names = sorted(counts["group"].unique())
    charts = [chart for name in names if (chart := _chart(name, counts, seen.difference(missing), period, CAUTION * run_length * len(names))) is not None]  # fmt: skip
    columns = ["group", "day", "n_orders", "n_expected", "n_expected_lower", "n_expected_upper", "is_signal"]
    whole = pd.concat(charts, ignore_index=True) if charts else pd.DataFrame(columns=columns).astype({"is_signal": bool})  # fmt: skip
    return counted(whole[columns], None)


def _chart(
    name: str, counts: pd.DataFrame, seen: pd.DatetimeIndex, period: Period, run_length: float
) -> pd.DataFrame | None:
    """One category's chart, back on the scale of orders; None where too few days come before."""
    own = counts[counts["group"] == name].set_index("day")["n_orders"]
    own.index = pd.to_datetime(own.index)
    daily = own.reindex(seen, fill_value=0).reindex(pd.date_range(seen.min(), period.end)).astype("float64")
    roots = pd.Series(np.sqrt(daily + 3 / 8), index=daily.index)
    month = roots.rolling(BLOCK_DAYS, min_periods=BLOCK_DAYS - 7).mean()
    slope = (month - month.shift(BLOCK_DAYS)) / BLOCK_DAYS
    level = (month + slope * (BLOCK_DAYS + 1) / 2).shift(1).clip(lower=0.5 * month.shift(1))
    series = pd.DataFrame({"day": daily.index, "value": (roots / level).to_numpy()}).iloc[2 * BLOCK_DAYS :]
    n_baseline = max((series["day"] < pd.Timestamp(period.start)).sum(), BASELINE_DAYS)
    if series["value"].iloc[:n_baseline].notna().sum() < BASELINE_DAYS or len(series) <= n_baseline:
        return None
    points = residual_chart(series, n_baseline=n_baseline, run_length=run_length).points.set_index("day")
    centre, scale = points["value"] - points["statistic"], level.reindex(points.index)
    still = pd.Series(0.0, index=points.index)
    moves = {"n_expected": still, "n_expected_lower": points["lower"], "n_expected_upper": points["upper"]}
    for column, move in moves.items():
        points[column] = (((centre + move).clip(lower=0) * scale) ** 2 - 3 / 8).clip(lower=0)
    chance = distributions.poisson(points["n_expected"].clip(lower=1e-9))
    points["n_expected_lower"] = points["n_expected_lower"].clip(upper=chance.ppf(0.5 / run_length))
    points["n_expected_upper"] = points["n_expected_upper"].clip(lower=chance.isf(0.5 / run_length))
    n_orders = daily.reindex(points.index)
    is_signal = (n_orders < points["n_expected_lower"]) | (n_orders > points["n_expected_upper"])
    return points.assign(group=name, n_orders=n_orders, is_signal=is_signal).reset_index()
