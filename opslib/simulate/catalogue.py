"""Products: attributes, quality, cost, life cycle, prices by day, stock-outs, and what demand makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from opslib.simulate import phrasing, planted
from opslib.simulate.calendar import Calendar
from opslib.simulate.config import WARM_UP_DAYS
from opslib.simulate.draws import Draws, Floats, Ints

#: True hedonic coefficients on log price, per unit of each attribute.
HEDONIC = {"attr_durability": 0.06, "attr_eco_score": 0.035, "attr_size_cm": 0.40}  # the last on log size
PRICE_STEP_DAYS, PRICE_STEP_SD, PRICE_STEP_SHARE = 28, 0.13, 0.45
CONFOUNDED_SD, CONFOUNDED_FOLLOW, CONFOUNDED_OWN = 0.30, 0.45, 0.5
GROUP_SIZE, N_COMPLEMENTS, COMPLEMENT_SHARE = 4, 10, 0.30
CANNIBAL_SHARE, NO_IMAGE = 0.45, 0.65
MOST_APPEAL = 1.3  # standard deviations: no product outsells its category by accident
UNIT = 10_000  # money is whole ten-thousandths


@dataclass(frozen=True)
class Catalogue:
    """All products of one shop. Day axes start on the shop's first day; product axes follow the product number."""

    calendar: Calendar
    draws: Draws

    @cached_property
    def n(self) -> int:
        """Number of products."""
        return self.calendar.config.n_products

    @cached_property
    def number(self) -> Ints:
        """Product numbers."""
        return np.arange(self.n, dtype=np.int64)

    @cached_property
    def category(self) -> Ints:
        """Category of each product; four neighbours in number form a group of substitutes, so they share it."""
        return (self.number // GROUP_SIZE) % len(planted.CATEGORIES)

    @cached_property
    def brand(self) -> Ints:
        """Brand of each product; the last is the shop's own label."""
        return (self.draws.uniform("brand", self.number) * (len(phrasing.BRANDS) + 1)).astype(np.int64)

    @cached_property
    def position(self) -> Floats:
        """Latent position (products x 2): plain to decorative, delicate to sturdy."""
        brands = np.array([*phrasing.BRANDS.values(), (0.0, 0.0)])
        noise = [self.draws.normal(f"position/{axis}", self.number) for axis in (0, 1)]
        return brands[self.brand] + 0.3 * np.stack(noise, axis=1)

    @cached_property
    def quality(self) -> Floats:
        """Latent quality, standard normal."""
        return self.draws.normal("quality", self.number)

    @cached_property
    def durability(self) -> Floats:
        """attr_durability, 1-10, from the sturdy axis and quality."""
        score = (
            5.5 + 1.6 * self.position[:, 1] + 0.9 * self.quality + 0.7 * self.draws.normal("durability", self.number)
        )
        return np.round(np.clip(score, 1.0, 10.0), 1)

    @cached_property
    def eco_score(self) -> Floats:
        """attr_eco_score, 0-10."""
        return np.round(np.clip(5.0 + 2.0 * self.draws.normal("eco", self.number), 0.0, 10.0), 1)

    @cached_property
    def noun(self) -> Ints:
        """What each product is: its place among :attr:`articles`; substitutes share it."""
        n_categories = len(planted.CATEGORIES)
        out = self.category * 8 + self.group // n_categories % 8
        out[self.is_solving] = 8 * n_categories
        return out

    @cached_property
    def articles(self) -> list[tuple[str, tuple[float, str]]]:
        """Article, with its length and its materials, of each noun; the last is the one that answers a need."""
        known = [item for articles in phrasing.ARTICLES.values() for item in articles.items()]
        return [*known, (phrasing.SOLVED[1], phrasing.SOLVED_ARTICLE)]

    @cached_property
    def is_solving(self) -> np.ndarray:
        """The products launched to answer a need: the last group of substitutes of the need's category."""
        names = [each.name for each in planted.CATEGORIES]
        whole = self.group[(self.category == names.index(phrasing.SOLVED[0])) & (self.group < self.n // GROUP_SIZE)]
        return self.group == whole.max()

    @cached_property
    def size(self) -> Floats:
        """attr_size_cm: the longest side, about what such an article measures."""
        usual = np.array([length for _, (length, _) in self.articles])[self.noun]
        spread = np.clip(self.draws.normal("size", self.number), -1.5, 1.5)
        return np.maximum(np.round(usual * np.exp(0.18 * spread)), 3.0)

    @cached_property
    def usual_size(self) -> Floats:
        """Mean log length of each category's articles."""
        return np.array(
            [np.mean([np.log(length) for length, _ in each.values()]) for each in phrasing.ARTICLES.values()]
        )

    @cached_property
    def material(self) -> Ints:
        """Material of each product, one of those that its article is made of."""
        u, made_of = self.draws.uniform("word/material", self.number), [item[1][1].split() for item in self.articles]
        names = [made_of[noun][int(share * len(made_of[noun]))] for noun, share in zip(self.noun, u, strict=True)]
        return np.array([phrasing.MATERIALS.index(name) for name in names])

    @cached_property
    def brand_premium(self) -> Floats:
        """Log price premium of each brand."""
        return 0.12 * self.draws.normal("brand premium", np.arange(len(phrasing.BRANDS) + 1))

    @cached_property
    def log_price(self) -> Floats:
        """Log of the reference price."""
        base = np.array([category.log_price for category in planted.CATEGORIES])[self.category]
        worth = HEDONIC["attr_durability"] * (self.durability - 5.5) + HEDONIC["attr_eco_score"] * (
            self.eco_score - 5.0
        )
        worth = worth + HEDONIC["attr_size_cm"] * (np.log(self.size) - self.usual_size[self.category])
        worth = worth + self.brand_premium[self.brand]
        return base + worth + 0.10 * self.draws.normal("price residual", self.number)

    @cached_property
    def cost(self) -> Ints:
        """Cost of one unit, in ten-thousandths; a few products lose money."""
        margin = 0.52 + 0.08 * self.draws.normal("margin", self.number)
        margin = np.where(self.is_loss_maker, -0.06, np.clip(margin, 0.25, 0.75))
        return (np.round(np.exp(self.log_price) * (1.0 - margin), 2) * UNIT).round().astype(np.int64)

    @cached_property
    def is_loss_maker(self) -> np.ndarray:
        """Products sold below cost."""
        return self.draws.uniform("loss maker", self.number) < 0.012

    @cached_property
    def is_faulty(self) -> np.ndarray:
        """Products with a planted fault."""
        order = np.argsort(self.draws.uniform("faulty", self.number) - 0.15 * np.log(self.popularity))
        flags = np.zeros(self.n, dtype=bool)
        flags[order[: max(round(planted.FAULTY_SHARE * self.n), 2)]] = True
        return flags

    @cached_property
    def popularity(self) -> Floats:
        """Demand weight at the reference price."""
        appeal = np.minimum(self.draws.normal("popularity", self.number), MOST_APPEAL)
        weight = np.exp(0.75 * appeal + 0.30 * np.minimum(self.quality, MOST_APPEAL))
        return weight * np.where(self.has_image, 1.0, NO_IMAGE)

    @cached_property
    def has_image(self) -> np.ndarray:
        """Whether the product page has a picture."""
        return self.draws.uniform("image", self.number) < 0.94

    @cached_property
    def group(self) -> Ints:
        """Group of substitutes of each product."""
        return self.number // GROUP_SIZE

    @cached_property
    def launched(self) -> Ints:
        """Launch, in days after the shop's first day; negative for most."""
        days, u = self.calendar.config.days, self.draws.uniform("launch", self.number)
        old = -30.0 - 900.0 * self.draws.uniform("launched long ago", self.number)
        launched = np.where(u < 0.82, old, (u - 0.82) / 0.18 * 0.85 * days).astype(np.int64)
        return np.where(self.is_solving, self.calendar.at(planted.SOLVED_FROM) - WARM_UP_DAYS, launched)

    @cached_property
    def sibling_hit(self) -> Floats:
        """Factor on demand of products whose substitute was launched in the period (days x products)."""
        factor, days = np.ones((self.calendar.config.days, self.n)), np.arange(self.calendar.config.days)
        for newcomer in self.cannibals:
            hit = self._siblings(newcomer)
            factor[np.ix_(days >= self.launched[newcomer], hit)] *= 1.0 - CANNIBAL_SHARE
        return factor

    @cached_property
    def cannibals(self) -> Ints:
        """Products launched in the period that take demand from their group of substitutes."""
        days = self.calendar.config.days
        late = np.flatnonzero((self.launched > 0.15 * days) & (self.launched < 0.75 * days))
        alone = [number for number in late if (self.launched[self._siblings(number)] < 0).all()]
        chosen = sorted(alone, key=lambda number: -self.popularity[self._siblings(number)].sum())[:3]
        return np.array(sorted(chosen), dtype=np.int64)

    def _siblings(self, number: Any) -> Ints:
        group = self.number[self.number // GROUP_SIZE == number // GROUP_SIZE]
        return group[group != number]

    @cached_property
    def is_declining(self) -> np.ndarray:
        """Products whose demand halves every 150 days from a fifth of the period on."""
        return (self.draws.uniform("decline", self.number) < 0.10) & (self.launched < 0)

    @cached_property
    def life(self) -> Floats:
        """Life cycle (days x products): nothing before launch, a rise of a month, decline of some."""
        age = np.arange(self.calendar.config.days)[:, None] - self.launched[None, :]
        rise = np.where(age >= 0, 1.0 - 0.8 * np.exp(-np.maximum(age, 0) / 30.0), 0.0)
        late = np.maximum(np.arange(self.calendar.config.days) - 0.2 * self.calendar.config.days, 0.0)
        return rise * np.where(self.is_declining[None, :], 0.5 ** (late[:, None] / 150.0), 1.0)

    @cached_property
    def demand_shock(self) -> Floats:
        """Monthly demand shocks (log) of the categories whose prices may follow demand (days x categories)."""
        days, n = self.calendar.config.days, len(planted.CATEGORIES)
        step = np.arange(days) // PRICE_STEP_DAYS
        shocks = np.stack([self.draws.normal(f"category shock/{c}", step) for c in range(n)], axis=1)
        follows = np.array([category.is_confounded for category in planted.CATEGORIES])
        return CONFOUNDED_SD * shocks * follows

    @cached_property
    def log_relative_price(self) -> Floats:
        """Log of list price over reference price (days x products): random steps, or prices that follow demand."""
        days, follows = self.calendar.config.days, self._follows_demand
        phase = (self.draws.uniform("price phase", self.number) * PRICE_STEP_DAYS).astype(np.int64)
        step = (np.arange(days)[:, None] + phase[None, :]) // PRICE_STEP_DAYS
        step[:, follows] = (np.arange(days) // PRICE_STEP_DAYS)[:, None]
        n_steps = int(step.max()) + 1
        key = self.number[None, :] * 4_096 + np.arange(n_steps)[:, None]
        level = PRICE_STEP_SD * self.draws.normal("price level", key)
        stays = self.draws.uniform("price stays", key) > PRICE_STEP_SHARE
        level[0] *= ~stays[0]
        for number in range(1, n_steps):
            level[number] = np.where(stays[number], level[number - 1], level[number])
        shock = self.demand_shock[np.minimum(np.arange(n_steps) * PRICE_STEP_DAYS, days - 1)][:, self.category]
        level = np.where(follows, CONFOUNDED_FOLLOW * shock + CONFOUNDED_OWN * level, level)
        return np.take_along_axis(level, step, axis=0) + self._price_changes

    @cached_property
    def _follows_demand(self) -> np.ndarray:
        confounded = np.array([category.is_confounded for category in planted.CATEGORIES])
        return confounded[self.category] & self.calendar.config.confounded_price

    @cached_property
    def _price_changes(self) -> Floats:
        """Log effect of planned list price changes (days x products)."""
        out, names = np.zeros((self.calendar.config.days, self.n)), [each.name for each in planted.CATEGORIES]
        for change in self.calendar.changes:
            if change.acts_on == "price":
                hit = self.category == names.index(change.scope.removeprefix("category:"))
                out[self.calendar.at(change.starts) - WARM_UP_DAYS :, hit] += np.log1p(change.effect)
        return out

    @cached_property
    def prices(self) -> Ints:
        """List price (days x products), in ten-thousandths, whole pence."""
        pounds = np.round(np.exp(self.log_price[None, :] + self.log_relative_price), 2)
        return np.maximum((pounds * UNIT).round().astype(np.int64), UNIT // 2)

    @cached_property
    def discount(self) -> Floats:
        """Promotion discount share (days x categories)."""
        return self._promotions(lambda promotion: promotion.discount, empty=0.0)

    def _promotions(self, value, *, empty: float) -> Floats:  # type: ignore[no-untyped-def]
        out = np.full((self.calendar.config.days, len(planted.CATEGORIES)), empty)
        for promotion in planted.PROMOTIONS if self.calendar.config.promotions else ():
            window = self.calendar.window(promotion.starts, promotion.ends)
            out[window.start - WARM_UP_DAYS : window.stop - WARM_UP_DAYS, list(promotion.categories)] = value(promotion)
        return out

    @cached_property
    def promotion_demand(self) -> Floats:
        """Factor of promotions on category demand (days x categories), with what they borrow from the two weeks after."""
        out = self._promotions(lambda promotion: 1.0 + promotion.demand, empty=1.0)
        for promotion in planted.PROMOTIONS if self.calendar.config.promotions else ():
            window = self.calendar.window(promotion.starts, promotion.ends)
            length, stop = window.stop - window.start, window.stop - WARM_UP_DAYS
            borrowed = self.calendar.config.carry_over * promotion.demand * length / 14.0
            out[stop : stop + 14, list(promotion.categories)] *= max(1.0 - borrowed, 0.1)
        return out

    @cached_property
    def in_stock(self) -> np.ndarray:
        """Whether a product can be bought (days x products): late suppliers empty the shelf for days."""
        days = self.calendar.config.days
        key = self.number[None, :] * 4_096 + np.arange(days)[:, None]
        begins = self.draws.uniform("stock-out", key) < 0.0035 * self.supply_trouble[None, :]
        length = 2 + self.draws.geometric("stock-out length", key, 6.0)
        left, out = np.zeros(self.n, dtype=np.int64), np.zeros((days, self.n), dtype=bool)
        for day in range(days):
            left = np.where(begins[day], np.maximum(left, length[day]), left - 1)
            out[day] = left > 0
        return ~out & (np.arange(days)[:, None] >= self.launched[None, :])

    @cached_property
    def supply_trouble(self) -> Floats:
        """Factor on the rate of stock-outs; one supplier is four times as late."""
        return np.where(self.supplier == 2, 3.0, 0.75)

    @cached_property
    def supplier(self) -> Ints:
        """Supplier of each product, 0-5."""
        return (self.draws.uniform("supplier", self.number) * 6).astype(np.int64)

    @cached_property
    def demand(self) -> Floats:
        """Demand weight (days x products), before missions: popularity, life, price, season, promotions, stock."""
        categories, calendar = planted.CATEGORIES, self.calendar
        elasticity = np.array([category.elasticity for category in categories])[self.category]
        season = calendar.summer[WARM_UP_DAYS:, None] * np.array([category.summer for category in categories])
        season = season + calendar.gift_season[WARM_UP_DAYS:, None] * np.array(
            [category.gifts for category in categories]
        )
        by_category = np.exp(season + self.demand_shock) * self.promotion_demand * self.competition
        weight = self.popularity * self.life * self.sibling_hit * by_category[:, self.category] * self.in_stock
        return weight * np.exp(elasticity * self.log_relative_price)

    @cached_property
    def competition(self) -> Floats:
        """Factor on category demand once a competitor has cut its prices (days x categories)."""
        cut, names = self.calendar.competitor_cut, [each.name for each in planted.CATEGORIES]
        out = np.ones((self.calendar.config.days, len(names)))
        out[self.calendar.at(cut.starts) - WARM_UP_DAYS :, names.index(cut.category)] *= 1.0 + cut.own_demand
        return out

    def is_bad_batch(self, product: Ints, day: Ints) -> np.ndarray:
        """Whether a product sold on a shop day is of the supplier's bad batch."""
        fault = planted.SUPPLIER_FAULT
        first, last = (self.calendar.at(share) - WARM_UP_DAYS for share in (fault.starts, fault.ends))
        happened = self.calendar.config.effect_scale > 0
        return (self.supplier[product] == fault.supplier) & (day >= first) & (day < last) & happened

    @cached_property
    def pull(self) -> Floats:
        """Pull of each basket style on each product (styles x products); styles are missions x (any, budget)."""
        missions = np.array([category.missions for category in planted.CATEGORIES]).T[:, self.category]
        means = np.array([category.log_price for category in planted.CATEGORIES])[self.category]
        tilt = np.exp(np.array([0.35, -1.6])[:, None] * np.clip(self.log_price - means, -1.2, 1.2)[None, :])
        return (missions[:, None, :] * tilt[None, :, :]).reshape(-1, self.n)

    @cached_property
    def shelves(self) -> tuple[Floats, Floats]:
        """Cumulated choice shares by day and style, laid end to end, and demand relative to its usual level."""
        usual = (self.popularity * self.life).mean(axis=0) @ self.pull.T
        days, styles = self.calendar.config.days, len(self.pull)
        edges, level = np.empty((days, styles, self.n)), np.empty((days, styles))
        for style in range(styles):
            cumulated = np.cumsum(self.demand * self.pull[style], axis=1)
            level[:, style] = cumulated[:, -1] / usual[style]
            edges[:, style] = cumulated / np.maximum(cumulated[:, -1:], 1e-300)
        edges += (np.arange(days)[:, None] * styles + np.arange(styles)[None, :])[:, :, None]
        return edges.ravel(), level

    def pick(self, day: Ints, style: Ints, u: Floats) -> Ints:
        """Product chosen on a shop day in a basket style, by a uniform draw; never one out of stock."""
        edges, _ = self.shelves
        row = day * len(self.pull) + style
        order = np.argsort(row.astype(np.uint16), kind="stable")  # one row's edges fit in the cache
        found = np.empty(row.size, dtype=np.int64)
        found[order] = np.searchsorted(edges, row[order] + np.minimum(u[order], 1.0 - 1e-6), side="right")
        return found - row * self.n

    @cached_property
    def partner(self) -> Ints:
        """The product that is bought along with each one, -1 for none."""
        out = np.full(self.n, -1, dtype=np.int64)
        ranked = np.argsort(-self.popularity)
        old = ranked[(self.launched[ranked] < 0) & ~self.is_declining[ranked]]
        leaders, followers = old[:N_COMPLEMENTS], old[-3 * N_COMPLEMENTS :]
        for leader, follower in zip(leaders, followers, strict=False):
            out[leader] = follower
        return out

    def sibling(self, product: Ints, u: Floats) -> Ints:
        """A product of the same group of substitutes, chosen by a uniform draw."""
        group = product // GROUP_SIZE * GROUP_SIZE
        size = np.minimum(self.n - group, GROUP_SIZE)
        return group + (product - group + 1 + np.floor(u * np.maximum(size - 1, 1)).astype(np.int64)) % size
