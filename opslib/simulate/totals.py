"""Sums over all people that later tables and the truth need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opslib.simulate import phrasing, planted
from opslib.simulate.baskets import PAID
from opslib.simulate.config import WARM_UP_DAYS
from opslib.simulate.records import Block, Simulator


@dataclass(slots=True, kw_only=True)
class Totals:
    """Whole numbers only, so that they do not depend on how people were cut into chunks."""

    units: np.ndarray  # units ordered, days x products
    clicks: np.ndarray  # site visits, days x channels
    by_type: np.ndarray  # types x (customers, orders, revenue in pence)
    by_arrival: np.ndarray  # channels x (people brought in the period, orders, revenue in pence)
    unmet: np.ndarray  # searches of each unmet need that found nothing
    lost: np.ndarray  # visits by where they were lost (not, delivery, payment) and device
    n_people: int
    n_rows: dict[str, int]

    @classmethod
    def empty(cls, simulator: Simulator, n_people: int) -> Totals:
        """Nothing counted yet."""
        config, whole = simulator.calendar.config, np.int64
        return cls(
            units=np.zeros((config.days, config.n_products), dtype=whole),
            clicks=np.zeros((config.days, len(planted.CHANNELS)), dtype=whole),
            by_type=np.zeros((len(simulator.calendar.types), 3), dtype=whole),
            by_arrival=np.zeros((len(planted.CHANNELS), 3), dtype=whole),
            unmet=np.zeros(len(phrasing.UNMET), dtype=whole),
            lost=np.zeros((3, len(planted.DEVICES)), dtype=whole), n_people=n_people, n_rows={},
        )  # fmt: skip

    def add(self, block: Block, query_need: np.ndarray) -> None:
        """Count one block; ``query_need`` is the unmet need of each query, -1 for none."""
        lines, visits, people = block.lines, block.visits, block.people
        np.add.at(self.units, (visits.day[lines.visit] - WARM_UP_DAYS, lines.product), lines.quantity)
        np.add.at(self.clicks, (visits.day - WARM_UP_DAYS, visits.channel), 1)
        paid = lines.status == PAID
        pence = np.bincount(lines.visit, lines.revenue * paid // 100, minlength=visits.day.size).astype(np.int64)
        bought = np.zeros(visits.day.size, dtype=np.int64)
        bought[lines.visit[paid]] = 1
        is_customer = (visits.n_orders > 0) & ~people.is_guest
        np.add.at(self.by_type[:, 0], people.kind[is_customer], 1)
        brought = people.arrival_day >= WARM_UP_DAYS
        np.add.at(self.by_arrival[:, 0], people.channel[brought], 1)
        kind, channel, counts = people.kind[visits.person], people.channel[visits.person], brought[visits.person]
        for column, values in ((1, bought), (2, pence)):
            np.add.at(self.by_type[:, column], kind, values)
            np.add.at(self.by_arrival[:, column], channel[counts], values[counts])
        needs = np.where(block.searches.n_results == 0, query_need[block.searches.query], -1)
        np.add.at(self.unmet, needs[needs >= 0], 1)
        np.add.at(self.lost, (block.visits.lost_at, people.device[visits.person]), 1)
