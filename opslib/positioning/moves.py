"""Price changes by group and product: what the same small change of list prices would do to the margin."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from opslib.errors import ParameterError
from opslib.metrics.blocks import Table
from opslib.positioning.elasticity import PriceResponse
from opslib.positioning.scenario import WEEKS_A_MONTH, shelf_of, slope_error

_POINTS = 401


def price_moves(
    response: PriceResponse, products: Table, *, price_change: float = 0.05, by: Literal["group", "product"] = "group"
) -> pd.DataFrame:
    """Change of the margin a month if list prices changed by the same share, one row a group or product.

    Parameters
    ----------
    response : PriceResponse
        From `price_response`.
    products : table
        product_id, and cost where it is known.
    price_change : float
        Relative change of every price (0.05 is five per cent more).
    by : {"group", "product"}
        Groups move as a whole with the group's slope; products alone, each with its own (shrunk).

    Returns
    -------
    pandas.DataFrame
        group, product_id (products only), n_products, counted ("margin", or "revenue" where a cost is not known),
        now_amount (a month), change_amount, change_amount_lower, change_amount_upper, p_gain (0-1; all four missing where refused), refusal ("band",
        "followed", "tiers", "unclear": who has not clearly been seen to sell less at a higher price is not known to bear one;
        or empty), is_clear (the interval is clear of zero). Groups: surest gains first;
        products: clear gains first, of equals those that earn most now, refused ones last. The slope is uncertain here;
        present sales are taken as they are, which does not change the sign.

    Raises
    ------
    ParameterError
        ``by`` or ``price_change`` is not allowed.

    Examples
    --------
    >>> from opslib.periods import Period
    >>> lamp = {"product_id": "a", "group": "lamps", "price": 10.0, "lower_price": 9.0, "upper_price": 11.0, "n_weeks": 50,
    ...     "units_a_week": 12.0, "slope": -2.0, "slope_lower": -2.4, "slope_upper": -1.6, "std_error": 0.2}
    >>> lamps = {"group": "lamps", "slope": -2.0, "slope_lower": -2.4, "slope_upper": -1.6, "lower_share": -0.1, "upper_share": 0.1,
    ...     "refusal": "", "reason": ""}
    >>> known = PriceResponse(groups=pd.DataFrame([lamps]), products=pd.DataFrame([lamp]), n_groups_left_out=0,
    ...     period=Period.parse("2026-01-05", "2026-12-27"), confidence_level=0.95)
    >>> own = pd.DataFrame({"product_id": ["a"], "cost": [6.0]})
    >>> price_moves(known, own, price_change=0.05)[["counted", "refusal", "is_clear"]].values.tolist()
    [['margin', '', True]]
    """
    if by not in ("group", "product"):
        raise ParameterError(f"by: '{by}' is not one of group, product")
    if not -1 < price_change < 1 or not price_change:
        raise ParameterError(
            f"price_change: {price_change} is not a small change of a price; 0.05 is five per cent more"
        )
    costs = shelf_of(products)[["product_id", "cost"]]
    rows = response.products.merge(costs, on="product_id", how="left").sort_values(["group", "product_id"])
    groups = response.groups.set_index("group")
    if by == "group":
        slopes = ["slope", "slope_lower", "slope_upper"]
        rows = rows.drop(columns=slopes).join(groups[slopes], on="group")
    key = rows["group"] if by == "group" else rows["product_id"]
    is_known = rows["cost"].notna().groupby(key).transform("all")
    cost, price = rows["cost"].where(is_known, 0.0).to_numpy(float), rows["price"].to_numpy(float)
    units = rows["units_a_week"].to_numpy(float) * WEEKS_A_MONTH
    error = slope_error(rows, confidence_level=response.confidence_level).to_numpy(float)
    tails = stats.norm.ppf((np.arange(_POINTS) + 0.5) / _POINTS)
    factor = np.exp((rows["slope"].to_numpy(float)[:, None] + error[:, None] * tails) * math.log1p(price_change))
    gains = units[:, None] * (factor * (price * (1 + price_change) - cost)[:, None] - (price - cost)[:, None])
    by_key = pd.DataFrame(gains).groupby(key.to_numpy(), sort=True).sum()
    lower, upper = np.quantile(
        by_key.to_numpy(), [0.5 - response.confidence_level / 2, 0.5 + response.confidence_level / 2], axis=1
    )
    first = rows.assign(key=key, now=units * (price - cost), is_known=is_known).groupby("key", sort=True)
    out = pd.DataFrame({
        "group": first["group"].first(), "n_products": first.size(),
        "counted": first["is_known"].first().map({True: "margin", False: "revenue"}), "now_amount": first["now"].sum(),
        "change_amount": by_key.mean(axis=1), "change_amount_lower": lower, "change_amount_upper": upper, "p_gain": (by_key > 0).mean(axis=1),
    })  # fmt: skip
    refused = _refusals(out, rows, groups, price_change=price_change, by=by)
    out["refusal"] = refused.where((refused != "") | (first["slope_upper"].first() < 0), "unclear")
    told = ["change_amount", "change_amount_lower", "change_amount_upper", "p_gain"]
    out[told] = out[told].where(out["refusal"] == "")
    out["is_clear"] = (out["change_amount_lower"] > 0) | (out["change_amount_upper"] < 0)
    return _in_order(out, by=by)


def product_to_move(moves: pd.DataFrame, *, asked: str = "") -> str:
    """The product asked for, else the first whose move can be told: largest seller with a clear gain first.

    Parameters
    ----------
    moves : pandas.DataFrame
        From `price_moves`, by product.
    asked : str
        product_id; '' for the surest.

    Returns
    -------
    str
        product_id; '' where none can be moved.

    Examples
    --------
    >>> product_to_move(pd.DataFrame({"product_id": ["a", "b"], "refusal": ["band", ""]}))
    'b'
    """
    return asked or next(iter(moves.loc[moves["refusal"] == "", "product_id"]), "")


def _in_order(out: pd.DataFrame, *, by: str) -> pd.DataFrame:
    if by == "group":
        return out.sort_values(["p_gain", "change_amount", "group"], ascending=[False, False, True], ignore_index=True)
    out = out.rename_axis("product_id").reset_index()
    rank = (out["refusal"] == "").astype(int) + (out["is_clear"] & (out["change_amount_lower"] > 0))
    keys = out.assign(rank=rank).sort_values(["rank", "now_amount", "product_id"], ascending=[False, False, True])
    return keys.drop(columns="rank").reset_index(drop=True)


def _refusals(
    out: pd.DataFrame, rows: pd.DataFrame, groups: pd.DataFrame, *, price_change: float, by: str
) -> pd.Series:
    """Why a move is not answered: the group's reason, or a price outside those seen."""
    if by == "group":
        seen = groups[["lower_share", "upper_share"]].reindex(out["group"])
    else:
        at = rows.set_index("product_id")
        seen = at[["lower_price", "upper_price"]].div(at["price"], axis=0).sub(1).reindex(out.index)
    low, high = seen.to_numpy(float).T
    is_outside = (price_change < low - 1e-9) | (price_change > high + 1e-9)
    named = out["group"].map(groups["refusal"])
    return named.where(named != "", np.where(is_outside, "band", ""))
