"""One verdict a group of products: where its price stands, how its sales answer, how much is asked for, and what to do."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from opslib.metrics.blocks import Table
from opslib.positioning.elasticity import PriceResponse
from opslib.positioning.moves import price_moves

COLUMNS = (
    "group", "price_change", "price_change_lower", "price_change_upper", "reading", "units_change", "units_change_lower",
    "units_change_upper", "counted", "now_amount", "change_amount", "change_amount_lower", "change_amount_upper", "pressure",
    "pressure_lower", "pressure_upper", "move", "is_known",
)  # fmt: skip
"""Columns of :func:`price_verdicts`."""
SERVICE = re.compile(
    r"\b(coup(on)?s?|misc\w*|gift ?(card|voucher)s?|vouchers?|postage|carriage|delivery|shipping|fees?|charges?|charitable|"
    r"deposits?|donations?|services?|adjustments?|warranty|insurance|samples?|unknown|none|other)\b",
    re.IGNORECASE,
)
"""Groups that are booked as products and are none: nobody prices them or lists more of them."""


def is_service(name: object) -> bool:
    """Whether a group of products is none but a service or a way of booking.

    Examples
    --------
    >>> is_service("COUPON/MISC ITEMS"), is_service("Feed")
    (True, False)
    """
    return bool(SERVICE.search(str(name)))


def price_verdicts(
    position: pd.DataFrame, response: PriceResponse, products: Table, gaps: pd.DataFrame, *, price_change: float = 0.05
) -> pd.DataFrame:
    """What is known of each group's price in one row, and the one thing to do with it.

    A higher or lower price is advised where the margin would clearly gain by it. Where the response cannot be read, a group
    dearer than competitors tries a lower price on a part of its products, a cheaper one a higher price. Any other price stays.
    Where a cost is not known, more revenue speaks for a higher price and never for a lower one. Services have no row.

    Parameters
    ----------
    position : pandas.DataFrame
        From `price_position`; may be empty, as every table here.
    response : PriceResponse
        From `price_response`, by the same groups.
    products : table
        product_id, and cost where it is known.
    gaps : pandas.DataFrame
        From `demand_gaps` by the same groups alone.
    price_change : float
        Relative size of a move (0-1).

    Returns
    -------
    pandas.DataFrame
        group; price_change (against competitors: 0.1 is ten per cent dearer) with its interval; reading (why the response
        cannot be read: a refusal of `price_response` or `price_moves`, "unclear"; empty where it can); of the move that the row
        is about: units_change (relative) and change_amount (a month) with intervals, counted ("margin" or "revenue"), now_amount;
        pressure (share of demand over share of the offer) with its interval; move (relative: up, down, or 0 for a price that
        stays); is_known (whether the move's money is). Surest money first, then moves without known money, then prices that stay.

    Examples
    --------
    >>> from opslib.periods import Period
    >>> known = PriceResponse(n_groups_left_out=0, period=Period.parse("2026-01-05", "2026-12-27"), confidence_level=0.95)
    >>> place = {"price_index": 1.2, "price_index_lower": 1.1, "price_index_upper": 1.3}
    >>> position = pd.DataFrame([{"group": "lamps", **place}])
    >>> price_verdicts(position, known, pd.DataFrame({"product_id": []}), pd.DataFrame())[["group", "reading", "move"]].values.tolist()
    [['lamps', 'unseen', -0.05]]
    """
    moves = {
        change: price_moves(response, products, price_change=change, by="group").set_index("group")
        for change in (price_change, -price_change)
        if len(response.products)
    }
    slopes = response.groups.set_index("group")
    places = _by_group(position, "price_index").sub(1).add_prefix("price_change")
    demand = _by_group(gaps, "pressure").add_prefix("pressure")
    known = dict.fromkeys([*slopes.index, *places.index[places["price_change"].notna()]])
    rows = [_row(group, slopes, moves, places, demand, price_change) for group in known if not is_service(group)]
    out = pd.DataFrame(rows, columns=list(COLUMNS))
    rank = np.where(out["move"] == 0, 2, np.where(out["is_known"].astype(bool), 0, 1))
    far = out["price_change"].abs().fillna(0.0)
    sorted_rows = out.assign(rank=rank, far=far, money=out["change_amount"].where(out["is_known"].astype(bool), 0.0))
    sorted_rows = sorted_rows.sort_values(["rank", "money", "far", "group"], ascending=[True, False, False, True])
    return sorted_rows[list(COLUMNS)].reset_index(drop=True)


def _by_group(frame: pd.DataFrame, value: str) -> pd.DataFrame:
    """Value and ends of each group, under the names '', '_lower' and '_upper'."""
    ends = ["", "_lower", "_upper"]
    if not len(frame):
        return pd.DataFrame(columns=ends, dtype="float64")
    table = frame.set_index(frame.columns[0])[[f"{value}{end}" for end in ends]].astype("float64")
    return table.set_axis(ends, axis=1)


def _row(
    group: str,
    slopes: pd.DataFrame,
    moves: dict[float, pd.DataFrame],
    places: pd.DataFrame,
    demand: pd.DataFrame,
    size: float,
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan) | {
        "group": group,
        "counted": "",
        "move": 0.0,
        "is_known": False,
    }
    for table in (places, demand):
        if group in table.index:
            row |= {str(name): value for name, value in table.loc[group].items()}
    row["reading"] = _reading(group, slopes, moves)
    gains = {change: table.loc[group] for change, table in moves.items() if group in table.index}
    gaining = [change for change, move in gains.items() if move["is_clear"] and move["change_amount_lower"] > 0]
    paying = [change for change in gaining if change > 0 or gains[change]["counted"] == "margin"]
    if not row["reading"]:
        row["move"] = paying[0] if paying else 0.0
        row["is_known"] = bool(paying)
    elif row["price_change_lower"] > 0 or row["price_change_upper"] < 0:
        row["move"] = -size if row["price_change_lower"] > 0 else size
    told = gains.get(row["move"] or size)
    if told is not None and not row["reading"]:
        names = ["counted", "now_amount", "change_amount", "change_amount_lower", "change_amount_upper"]
        ends = [
            np.expm1(float(slopes[f"slope{end}"][group]) * np.log1p(row["move"] or size))
            for end in ("", "_lower", "_upper")
        ]
        row |= {name: told[name] for name in names}
        row |= {"units_change": ends[0], "units_change_lower": min(ends), "units_change_upper": max(ends)}
    return row


def _reading(group: str, slopes: pd.DataFrame, moves: dict[float, pd.DataFrame]) -> str:
    """Why a group's response cannot be read; '' where it can."""
    if group not in slopes.index:
        return "unseen"
    refusal = str(slopes.loc[group, "refusal"])
    if refusal:
        return refusal
    refusals = [table.loc[group, "refusal"] if group in table.index else "variation" for table in moves.values()]
    if refusals and all(refusals):
        return str(refusals[0])
    return "" if float(slopes["slope_upper"][group]) < 0 else "unclear"
