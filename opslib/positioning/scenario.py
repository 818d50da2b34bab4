"""What would follow if a product's price or attributes moved: its place, its premium, its neighbours, sales and money."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, require_table_columns
from opslib.positioning.elasticity import RECENT_WEEKS, PriceResponse
from opslib.positioning.hedonic import OTHER, HedonicModel, going_rate
from opslib.stats.estimates import Estimate

WEEKS_A_MONTH = 365.25 / 12 / 7
N_NEIGHBOURS = 3
MAX_PRODUCTS = 100_000
_POINTS, _CURVE = 101, 41
_ENDS = ("value", "lower", "upper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a product stands at a price.

    Parameters
    ----------
    price : float
        List price.
    price_index : float
        Price over the competitors' (NaN without a fresh one).
    cheaper_share : float
        Share of the category's other products that are cheaper: its place on the price ladder (0-1).
    rate : Estimate or None
        Going rate of its attributes, in money; None without a hedonic model.
    premium : Estimate or None
        Price over the going rate, less one.
    neighbours : tuple of str
        Names of the nearest products of the category, in price and in what is offered.
    """

    price: float = math.nan
    price_index: float = math.nan
    cheaper_share: float = math.nan
    rate: Estimate | None = None
    premium: Estimate | None = None
    neighbours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What a price brings, a month, against the present one.

    Parameters
    ----------
    units_now, units : Estimate
        Units a month at the present price; change.
    revenue : Estimate
        Change of the revenue at list price.
    margin : Estimate or None
        Change of the margin; None where the cost is not known.
    p_gain : float
        Probability (0-1) that the margin (the revenue where the cost is not known) rises.
    """

    units_now: Estimate
    units: Estimate
    revenue: Estimate
    margin: Estimate | None
    p_gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A product moved.

    Parameters
    ----------
    product_id, name, group : str
        The product.
    now, then : Place
        Before and after the move.
    band : (float, float)
        Prices that it has had, beyond which nothing is said about sales; NaN where its response is not known.
    curve : pandas.DataFrame
        Along the band: price; revenue_value, revenue_lower, revenue_upper, and the same for margin (change a month); no
        rows where the slope is no effect.
    consequence : Consequence or None
        None where nothing is said about sales.
    refusal, reason : str
        Why: "band" (no such price was seen), "followed" (prices followed demand), "tiers" (prices depend on the quantity),
        "unknown" (no price response), and in words; empty where the consequence is told.
    """

    product_id: str = ""
    name: str = ""
    group: str = ""
    now: Place = Place()
    then: Place = Place()
    band: tuple[float, float] = (math.nan, math.nan)
    curve: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["price"]))
    consequence: Consequence | None = None
    refusal: str
    reason: str


def what_if(
    response: PriceResponse,
    products: Table,
    *,
    product_id: str,
    price_change: float = 0.0,
    attributes: Mapping[str, object] | None = None,
    model: HedonicModel | None = None,
    indices: Table | None = None,
) -> WhatIf:
    """Move a product's list price, or its attributes, and see what would follow.

    Parameters
    ----------
    response : PriceResponse
        From `price_response`.
    products : table
        As the contract says: name, category, cost and attributes are used where they are there.
    product_id : str
        The product.
    price_change : float
        Relative change of its price (0.05 is five per cent more).
    attributes : mapping or None
        New levels of attributes: what they are worth is known from the model, what they do to sales is not.
    model : HedonicModel or None
        From `hedonic_prices`.
    indices : table or None
        From `price_indices`.

    Returns
    -------
    WhatIf
        Money at list price, from the product's slope (shrunk) and its sales of the last 13 weeks without promotion, both
        uncertain, on a grid of their quantiles: nothing is drawn at random. Sales of other products are taken to stay.

    Raises
    ------
    ParameterError
        The product or an attribute is unknown, or no price would be left.

    Examples
    --------
    >>> from opslib.periods import Period
    >>> lamp = {"product_id": "a", "group": "lamps", "price": 10.0, "lower_price": 9.0, "upper_price": 11.0, "n_weeks": 50,
    ...     "units_a_week": 12.0, "slope": -2.0, "lower": -2.4, "upper": -1.6, "std_error": 0.2}
    >>> groups = pd.DataFrame({"group": ["lamps"], "refusal": [""], "reason": [""]})
    >>> known = PriceResponse(groups=groups, products=pd.DataFrame([lamp]), n_groups_left_out=0,
    ...     period=Period.parse("2026-01-05", "2026-12-27"), level=0.95)
    >>> own = pd.DataFrame({"product_id": ["a"], "name": ["Lamp"], "price": [10.0], "cost": [6.0]})
    >>> found = what_if(known, own, product_id="a", price_change=0.05)
    >>> round(found.consequence.margin.value), what_if(known, own, product_id="a", price_change=0.5).refusal
    (4, 'band')
    """
    if not product_id:
        return WhatIf(refusal="unknown", reason="no product can be moved")
    model = model if model is not None and len(model.terms) else None
    if price_change <= -1:
        raise ParameterError(f"what-if: a price change of {price_change:+.0%} leaves no price; -0.1 is a tenth less")
    shelf = shelf_of(products, model)
    found = shelf[shelf["product_id"] == product_id].to_dict("records")
    if not found:
        raise ParameterError(f"what-if: no product '{product_id}' among {len(shelf)} products")
    own: dict[Any, Any] = found[0]
    row, refusal, reason = _answer(response, product_id, price_change)
    price = float(own["price"] if row is None else row["price"])
    others = shelf[(shelf["category"] == own["category"]) & (shelf["product_id"] != product_id)]
    rival, moved = _rival_price(indices, product_id), own | _known(attributes, model)
    is_told = row is not None and refusal in ("", "band")
    sales = (
        _Sales(row, cost=float(own["cost"]), confidence_level=response.confidence_level)
        if is_told and row is not None
        else None
    )
    return WhatIf(
        product_id=product_id,
        name=str(own["name"]),
        group=str(own["category"] if row is None else row["group"]),
        now=_place(others, own, price, rival=rival, model=model),
        then=_place(others, moved, price * (1 + price_change), rival=rival, model=model),
        band=(math.nan, math.nan) if row is None else (float(row["lower_price"]), float(row["upper_price"])),
        curve=sales.curve() if sales else pd.DataFrame(columns=["price"]),
        consequence=sales.at(price * (1 + price_change)) if sales and not refusal else None,
        refusal=refusal,
        reason=reason,
    )


def shelf_of(products: Table, model: HedonicModel | None = None) -> pd.DataFrame:
    """What is known about every product: name, category, price, cost and the attributes that the model prices."""
    table = engine.as_table(products)
    require_table_columns(table, "product_id", *(model.levels if model else ()), name="products")
    words = {*(model.levels if model else ()), *({"name", "category"} & set(table.columns))}
    texts = {column: table[column].cast("string") for column in sorted(words)}
    numbers = {column: table[column].cast("float64") for column in ("price", "cost") if column in table.columns}
    frame = engine.collect(table.select("product_id", **texts, **numbers).order_by("product_id"), max_rows=MAX_PRODUCTS)
    for column, empty in (("category", ""), ("price", math.nan), ("cost", math.nan), ("name", "")):
        frame[column] = frame.get(column, empty)
    return frame.assign(name=frame["name"].where(frame["name"].fillna("") != "", frame["product_id"]))


def slope_error(rows: Any, *, confidence_level: float) -> Any:
    """Standard deviation of the normal whose interval is a slope's: few clusters make it wider than the standard error."""
    return (rows["upper"] - rows["lower"]) / 2 / stats.norm.ppf(0.5 + confidence_level / 2)


def _answer(response: PriceResponse, product_id: str, price_change: float) -> tuple[pd.Series | None, str, str]:
    """The product's row, and why its sales at the new price cannot be told."""
    try:
        row = response.product(product_id)
    except ParameterError as error:
        return None, "unknown", str(error)
    return row, *response.refusal(product_id, price=float(row["price"]) * (1 + price_change))


def _known(attributes: Mapping[str, object] | None, model: HedonicModel | None) -> dict[Any, Any]:
    if attributes and model is None:
        raise ParameterError("what-if: new attributes have a going rate only with model=, from hedonic_prices")
    unknown = [name for name in attributes or {} if model and name not in model.levels]
    if unknown and model:
        raise ParameterError(f"what-if: the model has no attribute '{unknown[0]}'; it has {', '.join(model.levels)}")
    return dict(attributes or {})


def _rival_price(indices: Table | None, product_id: str) -> float:
    if indices is None:
        return math.nan
    table = engine.as_table(indices)
    found = engine.collect(table.filter(table["product_id"] == product_id).select("rival_price"))
    return float(found["rival_price"].astype("float64").mean())


def _place(
    others: pd.DataFrame, own: Mapping[Any, Any], price: float, *, rival: float, model: HedonicModel | None
) -> Place:
    rate = going_rate(model, bundle={name: own[name] for name in model.levels}) if model else None
    premium = rate and Estimate(
        value=price / rate.value - 1, lower=price / rate.upper - 1, upper=price / rate.lower - 1, n=rate.n,
        unit="relative change", confidence_level=rate.confidence_level, method=rate.method,
    )  # fmt: skip
    priced = others[others["price"] > 0]
    distance = np.log(priced["price"] / price).to_numpy() ** 2
    if model and rate and len(priced):
        distance = distance + (_log_worth(priced, model) - _log_worth(pd.DataFrame([own]), model)) ** 2
    nearest = np.lexsort((priced["product_id"], distance))[:N_NEIGHBOURS]
    return Place(
        price=price, price_index=price / rival, rate=rate, premium=premium,
        cheaper_share=float((priced["price"] < price).mean()) if len(priced) else math.nan,
        neighbours=tuple(priced["name"].iloc[nearest].astype(str)),
    )  # fmt: skip


def _log_worth(shelf: pd.DataFrame, model: HedonicModel) -> np.ndarray:
    """Log price of each row's attributes against the most common ones."""
    worth = np.zeros(len(shelf))
    for name, known in model.levels.items():
        terms = model.terms[model.terms["column"] == name].set_index("level")["coefficient"]
        levels = shelf[name].fillna("(none)").astype(str)
        worth += levels.where(levels.isin(known), OTHER).map(terms).fillna(0.0).to_numpy(float)
    return worth


class _Sales:
    """Sales a month at any price of the band, on a grid of equally likely slopes and present sales."""

    def __init__(self, row: pd.Series, *, cost: float, confidence_level: float) -> None:
        tails = (np.arange(_POINTS) + 0.5) / _POINTS
        error = float(slope_error(row, confidence_level=confidence_level))
        n_weeks = min(int(row["n_weeks"]), RECENT_WEEKS)
        self.row, self.cost, self.confidence_level, self.price = row, cost, confidence_level, float(row["price"])
        self.slopes = (float(row["slope"]) + error * stats.norm.ppf(tails))[:, None]
        total = float(row["units_a_week"]) * n_weeks
        self.now = np.tile(stats.gamma.ppf(tails, total + 0.5) / n_weeks * WEEKS_A_MONTH, (_POINTS, 1))

    def gain(self, price: float, cost: float) -> np.ndarray:
        then = self.now * np.exp(self.slopes * math.log(price / self.price))
        return then * (price - cost) - self.now * (self.price - cost)

    def estimate(self, values: np.ndarray, unit: str = "money/month") -> Estimate:
        lower, upper = np.quantile(values, [0.5 - self.confidence_level / 2, 0.5 + self.confidence_level / 2])
        return Estimate(
            value=float(values.mean()), lower=float(lower), upper=float(upper), n=int(self.row["n_weeks"]), unit=unit,
            confidence_level=self.confidence_level, method="the product's price response, shrunk towards its group, times its recent sales",
            std_error=float(values.std()),
        )  # fmt: skip

    def at(self, price: float) -> Consequence:
        is_known = math.isfinite(self.cost)
        sold = self.now * np.expm1(self.slopes * math.log(price / self.price))
        margin = self.gain(price, self.cost)
        return Consequence(
            units_now=self.estimate(self.now, "units/month"), units=self.estimate(sold, "units/month"),
            revenue=self.estimate(self.gain(price, 0.0)), margin=self.estimate(margin) if is_known else None,
            p_gain=float(((margin if is_known else self.gain(price, 0.0)) > 0).mean()),
        )  # fmt: skip

    def curve(self) -> pd.DataFrame:
        prices = np.linspace(float(self.row["lower_price"]), float(self.row["upper_price"]), _CURVE)
        out = pd.DataFrame({"price": prices})
        for name, cost in (("revenue", 0.0), ("margin", self.cost)):
            found = [self.estimate(self.gain(float(price), cost)) for price in prices]
            out = out.assign(**{f"{name}_{end}": [getattr(each, end) for each in found] for end in _ENDS})
        return out
