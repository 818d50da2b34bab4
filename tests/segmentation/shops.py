"""Order lines of simulated shops without files, visits or events: cheap enough for a hundred seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from opslib import engine
from opslib.segmentation import customer_features
from opslib.simulate.baskets import PAID
from opslib.simulate.config import WARM_UP_DAYS, ShopConfig, preset
from opslib.simulate.planted import CATEGORIES
from opslib.simulate.simulation import count_people, new_simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """Paid lines of known customers, the products in them, and each customer's true type."""

    config: ShopConfig
    lines: pd.DataFrame
    products: pd.DataFrame
    types: pd.Series

    @property
    def features(self) -> pd.DataFrame:
        """Habits of every customer at the last day, by id."""
        table = customer_features(self.lines, as_of=self.config.end, products=self.products)
        return engine.collect(table.order_by("customer_id"), max_rows=10**7)


def sold(*, seed: int, n_orders: int = 10_000, customer_types: str = "planted") -> Sold:
    """What a simulated shop sold: the same people and baskets as `simulate_shop`, straight from its causal core."""
    config = preset("demo", n_orders=n_orders, customer_types=customer_types)
    simulator = new_simulator(config, seed)
    people, visits = simulator.population.block(np.arange(count_people(config, seed), dtype=np.int64))
    lines, catalogue = simulator.baskets.block(people, visits), simulator.baskets.catalogue
    person = visits.person[lines.visit]
    frame = pd.DataFrame({
        "customer_id": person, "order_id": lines.visit, "product_id": lines.product, "quantity": lines.quantity,
        "unit_price": lines.unit_price / 1e4, "discount_amount": lines.discount / 1e4,
        "ordered_on": pd.Timestamp(config.start) + pd.to_timedelta(visits.day[lines.visit] - WARM_UP_DAYS, unit="D"),
    })  # fmt: skip
    frame = frame[(lines.status == PAID) & ~people.is_guest[person]]
    for column in ("customer_id", "order_id", "product_id"):
        frame[column] = frame[column].map("{:09d}".format)
    names = np.array([category.name for category in CATEGORIES])[catalogue.category]
    products = pd.DataFrame({"product_id": [f"{n:09d}" for n in range(catalogue.n)], "category": names})
    kinds = np.array([kind.name for kind in simulator.calendar.types])[people.kind]
    return Sold(
        config=config, lines=frame, products=products, types=pd.Series(kinds, [f"{n:09d}" for n in range(len(kinds))])
    )
