"""How sales answer to the price: by category and product, only within the prices that were seen, and only if prices moved first."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from opslib import engine
from opslib.errors import DesignError, ParameterError
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.positioning.weeks import product_weeks, whole_weeks
from opslib.stats.count_response import MIN_COUNT, MIN_PERIODS, CountResponse, count_response
from opslib.stats.log_response import MIN_CLUSTERS
from opslib.stats.pooling import pool_towards

LEVEL = 0.95
BAND = (0.05, 0.95)
"""Part of the prices seen that counts as evidence."""
RECENT_WEEKS = 13
"""Weeks without promotion whose sales are today's."""
LOW_SHARE, LOW_FACTOR = 0.1, 2.0
"""A price is a quantity discount where a tenth of the units go 5 % below the week's usual price, in lines twice as large."""
MIN_PROMOTED, OFTEN, COMMON_SHARE = 20, 3.0, 0.8
"""A promotion's answer needs 20 promoted weeks of products sold three times a week or more, in weeks in which at most four
fifths of the group are promoted: what all share is the week's."""
MOST_GROUPS = 40
"""Groups that are answered for: those with the most units."""
MAX_ROWS = 3_000_000
_SLOPES = ("slope", "lower", "upper", "std_error", "between_sd", "followed_p", "common", "ahead",
           "promotion_slope", "promotion_lower", "promotion_upper")  # fmt: skip
_GROUP_COLUMNS = ("group", "n_products", "n_weeks", "n_moves", *_SLOPES, "lower_share", "upper_share",
                  "refusal", "reason", "is_usable")  # fmt: skip
_PRODUCT_COLUMNS = ("product_id", "group", "n_weeks", "n_moves", "units_a_week", "price", "lower_price", "upper_price",
                    "slope", "lower", "upper", "std_error", "kept_share")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceResponse:
    """Answers of sales to the list price.

    Parameters
    ----------
    groups : pandas.DataFrame
        group, n_products (on the shelf often enough), n_weeks, n_moves (by 1 % or more), slope (% more units for a price 1 %
        higher), lower, upper, std_error, between_sd (of true slopes of its products), followed_p, common, ahead (what
        prices did before demand: see `stats.count_response.CountResponse`), promotion_slope, promotion_lower,
        promotion_upper (% more units for a price paid 1 % higher in promotions, display and advertising included),
        lower_share, upper_share (band of prices seen, against each product's usual price), refusal ("variation",
        "clusters", "followed", "tiers" or empty), reason (in words), is_usable. Most units first.
    products : pandas.DataFrame
        product_id, group, n_weeks, n_moves, units_a_week (recent weeks without promotion), price (latest list price),
        lower_price, upper_price (of those seen), slope, lower, upper, std_error (shrunk towards the group), kept_share.
    n_groups_left_out : int
        Groups beyond the 40 with the most units.
    period : Period
        Whole weeks that were read.
    confidence_level : float
        Level of the intervals.
    """

    groups: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_GROUP_COLUMNS)))
    products: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_PRODUCT_COLUMNS)))
    n_groups_left_out: int
    period: Period
    confidence_level: float

    def product(self, product_id: str) -> pd.Series:
        """The row of a product.

        Raises
        ------
        ParameterError
            The product has no answer, and why it may not.
        """
        found = self.products[self.products["product_id"] == product_id]
        if found.empty:
            raise ParameterError(
                f"product '{product_id}' has no price response: it sold fewer than {MIN_COUNT} units or in fewer than "
                f"{MIN_PERIODS} weeks, or its group has none; products with one: {len(self.products)}"
            )
        return found.iloc[0]

    def refusal(self, product_id: str, *, price: float) -> tuple[str, str]:
        """Name and words of why nothing is said of a product's sales at a price; both empty where something is.

        "followed" or "tiers", where its group's slope is no effect; "band", where it never had such a price.
        """
        own = self.product(product_id)
        row = self.groups.set_index("group").loc[own["group"]]
        low, high = float(own["lower_price"]), float(own["upper_price"])
        if row["refusal"] or low * (1 - 1e-9) <= price <= high * (1 + 1e-9):
            return str(row["refusal"]), str(row["reason"])
        return "band", (
            f"a price of {price:g} for product '{product_id}' lies outside the evidence ({low:g} to {high:g}); "
            "test it on some customers first"
        )


def price_response(
    order_lines: Table,
    products: Table,
    *,
    period: Period,
    price_history: Table | None = None,
    stock_levels: Table | None = None,
    by: str = "category",
) -> PriceResponse:
    """How units sold answer to the list price, by group, and by product drawn towards its group.

    Parameters
    ----------
    order_lines, products, period, price_history, stock_levels, by
        As for :func:`product_weeks`.

    Returns
    -------
    PriceResponse
        Slopes of Poisson pseudo-likelihood with product and group-week effects on weeks without promotion, so that
        season, trend and what a whole group is promoted with are taken out, and weeks without a sale stay in. A group
        in which prices followed demand keeps its slope, marked as not usable.

    References
    ----------
    Santos Silva, Tenreyro (2006), The log of gravity; van Heerde, Gupta, Wittink (2003) for what a promotion's answer
    holds besides the price.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> rows = [(p, w, 10 * np.exp(0.15 * rng.normal())) for p in range(12) for w in range(20)]
    >>> sold = pd.DataFrame([(p, w, price, rng.poisson(30 * (price / 10) ** -2)) for p, w, price in rows],
    ...     columns=["product_id", "week", "unit_price", "quantity"]).query("quantity > 0")
    >>> sold["order_id"], sold["ordered_at"] = range(len(sold)), pd.Timestamp("2026-01-05") + pd.to_timedelta(7 * sold["week"], unit="D")
    >>> own = pd.DataFrame({"product_id": range(12), "category": "lamps"})
    >>> found = price_response(sold, own, period=Period.parse("2026-01-05", "2026-05-24"))
    >>> row = found.groups.iloc[0]
    >>> bool(row["lower"] < -2 < row["upper"]), bool(row["is_usable"])
    (True, True)
    """
    price_history = None if price_history is None or engine.is_empty(price_history) else price_history
    stock_levels = None if stock_levels is None or engine.is_empty(stock_levels) else stock_levels
    whole = whole_weeks(period)
    if engine.is_empty(order_lines) or whole is None:
        return PriceResponse(n_groups_left_out=0, period=period, confidence_level=LEVEL)
    known = {"price_history": price_history, "stock_levels": stock_levels}
    weeks = product_weeks(order_lines, products, period=whole, **known, by=by)
    rows = engine.collect(weeks.order_by(["group", "product_id", "week"]), max_rows=MAX_ROWS)
    totals = rows.groupby("group", sort=True)["units"].sum().sort_values(ascending=False, kind="stable")
    parts = dict(list(rows.groupby("group", sort=True)))
    found = [_group_response(str(name), parts[name].reset_index(drop=True)) for name in totals.index[:MOST_GROUPS]]
    told = [part for _, part in found if len(part)]
    products_told = {"products": pd.concat(told, ignore_index=True)[list(_PRODUCT_COLUMNS)]} if told else {}
    groups = pd.DataFrame([row for row, _ in found], columns=list(_GROUP_COLUMNS))
    left_out = len(totals) - len(found)
    return PriceResponse(
        groups=groups, **products_told, n_groups_left_out=left_out, period=whole, confidence_level=LEVEL
    )


def _group_response(name: str, part: pd.DataFrame) -> tuple[dict[str, object], pd.DataFrame]:
    regular = part[~part["is_promotion"]]
    usual = regular["price"] / regular.groupby("product_id")["price"].transform("median")
    band = np.quantile(usual, BAND) - 1 if len(usual) else (0.0, 0.0)
    row: dict[str, object] = dict.fromkeys(_SLOPES, math.nan) | {
        "group": name, "n_products": part["product_id"].nunique(), "n_weeks": part["week"].nunique(), "n_moves": 0,
        "lower_share": float(band[0]), "upper_share": float(band[1]), "refusal": "", "reason": "",
    }  # fmt: skip
    try:
        found = count_response(_panel(regular), confidence_level=LEVEL)
    except DesignError as error:
        return row | {"refusal": error.gate, "reason": str(error), "is_usable": False}, pd.DataFrame()
    slope = found.slopes["driver"]
    pooled = pool_towards(
        slope, found.units["slope"].tolist(), found.units["std_error"].tolist(), confidence_level=LEVEL
    )
    refusal, reason = _refusal(found, regular)
    row |= {
        "n_moves": found.n_moves, "slope": slope.value, "lower": slope.lower, "upper": slope.upper,
        "std_error": slope.std_error, "between_sd": pooled.between_sd.value, "followed_p": found.followed_p,
        "common": found.common.value, "ahead": found.ahead.value, "refusal": refusal, "reason": reason,
        "is_usable": not refusal,
    }  # fmt: skip
    each = found.units[["unit", "n_periods", "n_moves"]].rename(columns={"unit": "product_id", "n_periods": "n_weeks"})
    each = each.join(pooled.units.rename(columns={"value": "slope"})).assign(group=name)
    each = each[each["slope"].notna()].merge(_shelf(regular), on="product_id")
    return row | _promotion(part), each


def _panel(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({
        "unit": rows["product_id"], "period": rows["week"], "outcome": rows["units"], "exposure": rows["n_days"],
        "driver": rows["price"], "paid_share": (1 - rows["discount_share"]).clip(lower=0.05),
    })  # fmt: skip


def _refusal(found: CountResponse, rows: pd.DataFrame) -> tuple[str, str]:
    """Why a slope is no effect: the first reason's name, and all in words."""
    reasons = {}
    units, lines, low, low_lines = (float(rows[name].sum()) for name in ("units", "n_lines", "low_units", "low_lines"))
    factor = (low / max(low_lines, 1.0)) / max((units - low) / max(lines - low_lines, 1.0), 1e-9)
    if low > LOW_SHARE * units and factor > LOW_FACTOR:
        reasons["tiers"] = (
            f"{low / units:.0%} of the units went 5 % or more below the week's usual price, in lines {factor:.1f} times "
            "as large, so the price depends on how much is bought"
        )
    if found.has_followed:
        reasons["followed"] = "prices followed demand, so what looks like an answer to the price may be its cause"
    return next(iter(reasons), ""), "; ".join(reasons.values())


def _promotion(part: pd.DataFrame) -> dict[str, object]:
    """Answer to the price paid over the list price, of products that sell often; nothing where promotions are few or shared."""
    often = part[part.groupby("product_id")["n_lines"].transform("mean") >= OFTEN]
    shared = often.groupby("week")["is_promotion"].transform("mean") > COMMON_SHARE
    promoted = often["is_promotion"] & ~shared
    if promoted.sum() < MIN_PROMOTED or often.loc[promoted, "product_id"].nunique() < MIN_CLUSTERS:
        return {}
    try:
        found = count_response(_panel(often[~shared]), drivers=("paid_share", "driver"), confidence_level=LEVEL)
    except DesignError:
        return {}
    slope = found.slopes["paid_share"]
    return {"promotion_slope": slope.value, "promotion_lower": slope.lower, "promotion_upper": slope.upper}


def _shelf(regular: pd.DataFrame) -> pd.DataFrame:
    """Each product's latest list price, the band of those seen, and its recent sales a week."""
    by_product = regular.groupby("product_id", sort=True)
    recent = by_product.tail(RECENT_WEEKS).groupby("product_id")["units"].mean()
    price = by_product["price"].last()
    low, high = (by_product["price"].quantile(share) for share in BAND)
    frame = pd.DataFrame({
        "units_a_week": recent, "price": price, "lower_price": np.minimum(low, price), "upper_price": np.maximum(high, price),
    })  # fmt: skip
    return frame.reset_index()
