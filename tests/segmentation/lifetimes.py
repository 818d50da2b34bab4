"""A shop whose customers follow the lifetime models exactly: orders with planted parameters."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

PLANTED = {"r": 0.8, "alpha": 10.0, "a": 0.8, "b": 4.0, "p": 4.0, "q": 4.0, "gamma": 60.0}
START = date(2025, 1, 1)


def day_after(weeks: int) -> date:
    return START + timedelta(days=7 * weeks)


def shop(n_customers: int = 1500, *, seed: int = 1, weeks: int = 60) -> pd.DataFrame:
    """Order lines of customers who join in the first forty weeks."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(PLANTED["r"], 1 / PLANTED["alpha"], n_customers) / 7
    stop = rng.beta(PLANTED["a"], PLANTED["b"], n_customers)
    value = rng.gamma(PLANTED["q"], 1 / PLANTED["gamma"], n_customers)
    clock, alive, orders = rng.uniform(0, 280, n_customers), np.arange(n_customers), []
    first = True
    while len(alive):
        orders.append(pd.DataFrame({"customer_id": alive, "day": np.floor(clock[alive]),
                                    "unit_price": rng.gamma(PLANTED["p"], 1 / value[alive])}))  # fmt: skip
        stays = first | (rng.random(len(alive)) >= stop[alive])
        first = False
        clock[alive] += rng.exponential(1 / rate[alive])
        alive = alive[stays & (clock[alive] < 7 * weeks)]
    lines = pd.concat(orders, ignore_index=True)
    lines["ordered_at"] = pd.Timestamp(START) + pd.to_timedelta(lines.pop("day"), unit="D")
    return lines.assign(order_id=np.arange(len(lines)), product_id="a", quantity=1.0)


def bought(customers: str, days: list[str], prices: list[float]) -> pd.DataFrame:
    """One line an order, by hand."""
    return pd.DataFrame({
        "order_id": range(len(days)), "product_id": "a", "customer_id": list(customers),
        "ordered_at": pd.to_datetime(days), "quantity": 1.0, "unit_price": prices,
    })  # fmt: skip
