"""Orders: what is in the basket, at what price, what becomes of the order, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opslib.data.simulate import planted
from opslib.data.simulate.catalogue import COMPLEMENT_SHARE, UNIT, Catalogue
from opslib.data.simulate.config import WARM_UP_DAYS
from opslib.data.simulate.draws import Draws, Floats, Ints
from opslib.data.simulate.people import ITEM_BITS, VISIT_BITS, People, Visits, heavy

STATUSES = ("paid", "pending", "authorised", "cancelled", "voided", "test")
PAID, PENDING, AUTHORISED, CANCELLED, VOIDED, TEST = range(6)
_MAX_LINES, _MAX_UNITS, _COUPON, _TAX = 60, 240, 0.10, 0.20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Order lines of one block, ordered by visit and product; money in ten-thousandths."""

    visit: Ints  # position among the block's visits
    line: Ints  # from 1 within the order
    product: Ints
    quantity: Ints
    unit_price: Ints
    discount: Ints
    cost: Ints
    tax: Ints
    status: Ints
    key: Ints  # person, visit and line

    @property
    def revenue(self) -> Ints:
        """Line revenue: price x quantity - discount."""
        return self.quantity * self.unit_price - self.discount


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """Returned lines of one block; ``line`` is the position among the block's lines."""

    line: Ints
    days_after: Floats
    quantity: Ints
    refund: Ints
    reason: Ints
    key: Ints


@dataclass(frozen=True)
class Baskets:
    """Fills the baskets of a block's buying visits."""

    catalogue: Catalogue
    draws: Draws

    def block(self, people: People, visits: Visits) -> Lines:
        """Order lines of a block."""
        buys = np.flatnonzero(visits.is_buy)
        who, day = visits.person[buys], visits.day[buys] - WARM_UP_DAYS
        order_key = (people.number[who] << VISIT_BITS) | (visits.number[buys] << ITEM_BITS)
        style = self._style(people.kind[who], order_key)
        count = self._n_lines(people, who, order_key, style, day) * visits.lines_factor[buys]
        half = np.maximum(count - 1.0, 0.02) / 2.0  # two geometric counts: negative binomial of shape two
        count = 1 + self.draws.geometric("lines", order_key, half) + self.draws.geometric("more lines", order_key, half)
        count = np.minimum(count, _MAX_LINES)
        order = np.repeat(np.arange(buys.size), count)
        key = order_key[order] + _rank(count)
        product = self.catalogue.pick(day[order], style[order], self.draws.uniform("product", key))
        order, key, product = self._with_partners(order, key, product, day)
        units = np.array([kind.units for kind in self.catalogue.calendar.types])[people.kind[who[order]]]
        quantity = 1 + np.minimum(self.draws.geometric("units", key, units - 1.0 + 1e-6), _MAX_UNITS)
        order, product, quantity = _merged(order, product, quantity, self.catalogue.n)
        return self._priced(people, visits, buys, order, product, quantity, order_key)

    def _style(self, kind: Ints, key: Ints) -> Ints:
        types = self.catalogue.calendar.types
        missions = np.cumsum([np.array(each.missions) / sum(each.missions) for each in types], axis=1)
        mission = (self.draws.uniform("mission", key)[:, None] > missions[kind]).sum(axis=1)
        mission = np.minimum(mission, len(planted.MISSIONS) - 1)
        is_budget = self.draws.uniform("budget", key) < np.array([each.budget_share for each in types])[kind]
        return mission * 2 + is_budget

    def _n_lines(self, people: People, who: Ints, key: Ints, style: Ints, day: Ints) -> Floats:
        """Expected lines of each order: the type's mean, the person's and the order's own factor, and demand that day."""
        config = self.catalogue.calendar.config
        own = config.spend_sigma * np.sqrt(1.0 - config.icc)
        mean = np.array([each.lines for each in self.catalogue.calendar.types])[people.kind[who]]
        noise = np.exp(own * heavy(self.draws, "basket", key, tail=config.tail) - 0.5 * own**2)
        return mean * people.spend_factor[who] * noise * self.catalogue.shelves[1][day, style]

    def _with_partners(self, order: Ints, key: Ints, product: Ints, day: Ints) -> tuple[Ints, Ints, Ints]:
        """Add the product that is bought along, where it is on the shelf."""
        partner = self.catalogue.partner[product]
        adds = (partner >= 0) & (self.draws.uniform("partner", key) < COMPLEMENT_SHARE)
        adds &= self.catalogue.in_stock[day[order], partner]
        return (
            np.concatenate([order, order[adds]]),
            np.concatenate([key, key[adds] + 2_048]),
            np.concatenate([product, partner[adds]]),
        )

    def _priced(
        self, people: People, visits: Visits, buys: Ints, order: Ints, product: Ints, quantity: Ints, order_key: Ints
    ) -> Lines:
        catalogue, day = self.catalogue, visits.day[buys] - WARM_UP_DAYS
        price = catalogue.prices[day[order], product]
        share = catalogue.discount[day[order], catalogue.category[product]]
        coupon = np.array([kind.coupon_share for kind in catalogue.calendar.types])[people.kind[visits.person[buys]]]
        has_coupon = self.draws.uniform("coupon", order_key) < coupon
        share = np.where(has_coupon[order], np.maximum(share, _COUPON), share)
        pence = UNIT // 100
        discount = np.floor(quantity * price * share / pence).astype(np.int64) * pence
        starts = np.flatnonzero(np.diff(order, prepend=-1))
        line = np.arange(order.size) - np.repeat(starts, np.diff(np.append(starts, order.size))) + 1
        return Lines(
            visit=buys[order], line=line, product=product, quantity=quantity, unit_price=price, discount=discount,
            cost=quantity * catalogue.cost[product], tax=((quantity * price - discount) * _TAX).round().astype(np.int64),
            status=self._status(day, order_key)[order], key=order_key[order] + line,
        )  # fmt: skip

    def _status(self, day: Ints, key: Ints) -> Ints:
        """What became of each order; only the last days are still open."""
        u, age = self.draws.uniform("status", key), self.catalogue.calendar.config.days - 1 - day
        done = np.select([u < 0.032, u < 0.038, u < 0.040], [CANCELLED, VOIDED, TEST], PAID)
        done = np.where((age < 3) & (u > 0.90), PENDING, done)
        return np.where((age < 2) & (u > 0.80) & (u <= 0.90), AUTHORISED, done).astype(np.int64)

    @cached_property
    def return_share(self) -> Floats:
        """True return probability of each product's line."""
        by_category = np.array([category.return_share for category in planted.CATEGORIES])
        usual = by_category[self.catalogue.category] * np.exp(-0.15 * self.catalogue.quality)
        return np.where(self.catalogue.is_faulty, planted.FAULTY_RETURN, np.minimum(usual, 0.25))

    def returns(self, lines: Lines) -> Returns:
        """Lines that come back."""
        hit = (lines.status == PAID) & (self.draws.uniform("returned", lines.key) < self.return_share[lines.product])
        line = np.flatnonzero(hit)
        key, product = lines.key[line], lines.product[line]
        share = self.draws.uniform("returned part", key)
        quantity = np.where(share < 0.75, lines.quantity[line], np.ceil(lines.quantity[line] * share * 0.6)).astype(np.int64)
        is_late = self.draws.uniform("late", key) < self.catalogue.calendar.config.late_returns
        wait = 4.0 + 9.0 * self.draws.exponential("return delay", key)
        late = 30.0 + 90.0 * self.draws.uniform("late by", key)
        refund = lines.revenue[line] * quantity // np.maximum(lines.quantity[line], 1)
        faulty = self.catalogue.is_faulty[product] & (self.draws.uniform("fault told", key) < 0.75)
        usual = self.draws.choice("reason", key, planted.REASON_SHARES)
        return Returns(
            line=line, days_after=np.where(is_late, late, np.minimum(wait, 30.0)), quantity=quantity, refund=refund,
            reason=np.where(faulty, planted.RETURN_REASONS.index("faulty"), usual), key=key,
        )  # fmt: skip


def _rank(count: Ints) -> Ints:
    """0, 1, ... within each run of the given lengths."""
    ends = np.cumsum(count)
    return np.arange(ends[-1] if count.size else 0) - np.repeat(ends - count, count)


def _merged(order: Ints, product: Ints, quantity: Ints, n_products: int) -> tuple[Ints, Ints, Ints]:
    """One line a product and order, quantities added."""
    place = order * n_products + product
    by_place = np.argsort(place, kind="stable")
    place, quantity = place[by_place], quantity[by_place]
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    totals = np.add.reduceat(quantity, starts) if place.size else quantity
    return place[starts] // n_products, place[starts] % n_products, totals
