"""Orders: what is in the basket, at what price, what becomes of the order, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opslib.simulate import planted
from opslib.simulate.catalogue import COMPLEMENT_SHARE, UNIT, Catalogue
from opslib.simulate.config import WARM_UP_DAYS
from opslib.simulate.draws import Draws, Floats, Ints
from opslib.simulate.people import ITEM_BITS, VISIT_BITS, PeopleSimulator, Visits, heavy

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Orders:
    """A block's orders while they are being filled, one entry an order."""

    visit: Ints
    person: Ints
    day: Ints  # of the shop
    kind: Ints
    key: Ints


@dataclass(frozen=True)
class Baskets:
    """Fills the baskets of a block's buying visits."""

    catalogue: Catalogue
    draws: Draws

    def block(self, people: PeopleSimulator, visits: Visits) -> Lines:
        """Order lines of a block."""
        visit = np.flatnonzero(visits.is_buy)
        person = visits.person[visit]
        orders = _Orders(
            visit=visit, person=person, day=visits.day[visit] - WARM_UP_DAYS, kind=people.kind[person],
            key=(people.number[person] << VISIT_BITS) | (visits.number[visit] << ITEM_BITS),
        )  # fmt: skip
        style = self._style(orders)
        mean = self._mean_lines(orders, people.spend_factor[person], style) * visits.lines_factor[visit]
        half = np.maximum(mean - 1.0, 0.02) / 2.0  # two geometric counts: negative binomial of shape two
        count = 1 + sum(self.draws.geometric(purpose, orders.key, half) for purpose in ("lines", "more lines"))
        count = np.minimum(count, _MAX_LINES)
        order = np.repeat(np.arange(visit.size), count)
        key = orders.key[order] + _rank(count)
        product = self.catalogue.pick(orders.day[order], style[order], self.draws.uniform("product", key))
        order, key, product = self._with_partners(orders, order, key, product)
        units = np.array([kind.units for kind in self.catalogue.calendar.types])[orders.kind[order]]
        quantity = 1 + np.minimum(self.draws.geometric("units", key, units - 1.0 + 1e-6), _MAX_UNITS)
        return self._priced(orders, *_merged(order, product, quantity, self.catalogue.n))

    def _style(self, orders: _Orders) -> Ints:
        """Mission of each order, and whether it looks for cheap products first."""
        types = self.catalogue.calendar.types
        missions = np.cumsum([np.array(each.missions) / sum(each.missions) for each in types], axis=1)
        mission = (self.draws.uniform("mission", orders.key)[:, None] > missions[orders.kind]).sum(axis=1)
        budget = np.array([each.budget_share for each in types])[orders.kind]
        return np.minimum(mission, len(planted.MISSIONS) - 1) * 2 + (self.draws.uniform("budget", orders.key) < budget)

    def _mean_lines(self, orders: _Orders, spend_factor: Floats, style: Ints) -> Floats:
        """Mean lines of each order: its type's, times the person's and its own factor, times demand that day."""
        config = self.catalogue.calendar.config
        own = config.spend_sigma * np.sqrt(1.0 - config.icc)
        mean = np.array([each.lines for each in self.catalogue.calendar.types])[orders.kind]
        noise = np.exp(own * heavy(self.draws, "basket", orders.key, tail=config.tail) - 0.5 * own**2)
        return mean * spend_factor * noise * self.catalogue.shelves[1][orders.day, style]

    def _with_partners(self, orders: _Orders, order: Ints, key: Ints, product: Ints) -> tuple[Ints, Ints, Ints]:
        """Add the product that is bought along, where it is on the shelf."""
        partner = self.catalogue.partner[product]
        adds = (partner >= 0) & (self.draws.uniform("partner", key) < COMPLEMENT_SHARE)
        adds &= self.catalogue.in_stock[orders.day[order], partner]
        own, more = (order, key, product), (order[adds], key[adds] + 2_048, partner[adds])
        return tuple(np.concatenate(columns) for columns in zip(own, more, strict=True))  # type: ignore[return-value]

    def _priced(self, orders: _Orders, order: Ints, product: Ints, quantity: Ints) -> Lines:
        """Lines with price, discount, cost and tax."""
        catalogue, day = self.catalogue, orders.day[order]
        price = catalogue.prices[day, product]
        coupon = np.array([kind.coupon_share for kind in catalogue.calendar.types])[orders.kind]
        has_coupon = self.draws.uniform("coupon", orders.key) < coupon
        share = np.maximum(catalogue.discount[day, catalogue.category[product]], _COUPON * has_coupon[order])
        pence = UNIT // 100
        discount = np.floor(quantity * price * share / pence).astype(np.int64) * pence
        starts = np.flatnonzero(np.diff(order, prepend=-1))
        line = _rank(np.diff(np.append(starts, order.size))) + 1
        return Lines(
            visit=orders.visit[order], line=line, product=product, quantity=quantity, unit_price=price,
            discount=discount, cost=quantity * catalogue.cost[product], key=orders.key[order] + line,
            tax=((quantity * price - discount) * _TAX).round().astype(np.int64), status=self._status(orders)[order],
        )  # fmt: skip

    def _status(self, orders: _Orders) -> Ints:
        """What became of each order; only the last days are still open."""
        u, age = self.draws.uniform("status", orders.key), self.catalogue.calendar.config.days - 1 - orders.day
        done = np.select([u < 0.032, u < 0.038, u < 0.040], [CANCELLED, VOIDED, TEST], PAID)
        done = np.where((age < 3) & (u > 0.90), PENDING, done)
        return np.where((age < 2) & (u > 0.80) & (u <= 0.90), AUTHORISED, done).astype(np.int64)

    @cached_property
    def return_share(self) -> Floats:
        """True return probability of each product's line."""
        by_category = np.array([category.return_share for category in planted.CATEGORIES])
        usual = by_category[self.catalogue.category] * np.exp(-0.15 * self.catalogue.quality)
        return np.where(self.catalogue.is_faulty, planted.FAULTY_RETURN, np.minimum(usual, 0.25))

    def returns(self, lines: Lines, visits: Visits) -> Returns:
        """Lines that come back; those of a bad batch more often."""
        is_bad = self.catalogue.is_bad_batch(lines.product, visits.day[lines.visit] - WARM_UP_DAYS)
        share = self.return_share[lines.product]
        share = np.where(is_bad, np.maximum(share, planted.SUPPLIER_FAULT.return_share), share)
        hit = (lines.status == PAID) & (self.draws.uniform("returned", lines.key) < share)
        line = np.flatnonzero(hit)
        key, product = lines.key[line], lines.product[line]
        part = self.draws.uniform("returned part", key)
        quantity = np.where(part < 0.75, lines.quantity[line], np.ceil(lines.quantity[line] * part * 0.6)).astype(
            np.int64
        )
        is_late = self.draws.uniform("late", key) < self.catalogue.calendar.config.late_returns
        wait = 4.0 + 9.0 * self.draws.exponential("return delay", key)
        late = 30.0 + 90.0 * self.draws.uniform("late by", key)
        refund = lines.revenue[line] * quantity // np.maximum(lines.quantity[line], 1)
        faulty = self.catalogue.is_faulty[product] & (self.draws.uniform("fault told", key) < 0.75)
        usual = self.draws.choice("reason", key, planted.REASON_SHARES)
        broken = is_bad[line] & (self.draws.uniform("batch told", key) < 0.75)
        usual = np.where(broken, planted.RETURN_REASONS.index(planted.SUPPLIER_FAULT.reason), usual)
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
