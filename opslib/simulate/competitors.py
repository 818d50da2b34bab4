"""Competitors: what they sell, under which names, and at which moving prices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from opslib.simulate import phrasing, planted
from opslib.simulate.config import WARM_UP_DAYS
from opslib.simulate.draws import Draws, Floats, Ints
from opslib.simulate.records import Columns
from opslib.simulate.standing import Standing
from opslib.simulate.writing import coded, money_column

LISTED_SHARE, KNOWN_SHARE, STRANGER_SHARE = 0.62, 0.70, 0.30
OBSERVED_EVERY_DAYS, STEP_DAYS, STEP_SD, ITEM_SD = 14, 42, 0.05, 0.08


@dataclass(frozen=True)
class Market:
    """The competitors of one shop; items of all of them in one row of arrays.

    Parameters
    ----------
    standing : Standing
        The shop's own products and their words.
    """

    standing: Standing

    @property
    def _draws(self) -> Draws:
        return self.standing.catalogue.draws

    @cached_property
    def items(self) -> tuple[Ints, Ints, np.ndarray]:
        """Competitor, product copied or resembled, and whether it is the same product, one entry an item."""
        n = self.standing.catalogue.n
        competitor = np.repeat(np.arange(len(phrasing.COMPETITORS)), n)
        product = np.tile(np.arange(n), len(phrasing.COMPETITORS))
        u = self._draws.uniform("listed", competitor * 100_000 + product)
        own_label = self.standing.catalogue.brand[product] == len(phrasing.BRANDS)
        same = (u < LISTED_SHARE) & ~own_label
        stranger = ~same & (u < LISTED_SHARE + STRANGER_SHARE)
        keep = same | stranger
        return competitor[keep], product[keep], same[keep]

    @cached_property
    def key(self) -> Ints:
        """One key an item."""
        competitor, product, _ = self.items
        return competitor * 100_000 + product

    @cached_property
    def item_ids(self) -> list[str]:
        """Each competitor's own product id, in an order of its own."""
        competitor, _, _ = self.items
        order, out = np.argsort(self._draws.uniform("item order", self.key)), [""] * len(self.key)
        for place, item in enumerate(order):
            out[item] = f"{list(phrasing.COMPETITORS)[competitor[item]][:2].upper()}-{place + 1:05d}"
        return out

    @cached_property
    def names(self) -> list[str]:
        """Names, written another way; strangers differ in look and size."""
        _, product, same = self.items
        form = (self._draws.uniform("item form", self.key) * 4).astype(np.int64)
        (place, n_alike), u = self.standing.places, self._draws.uniform("item look", self.key)
        room = len(phrasing.LOOKS) - n_alike[product]  # looks that no product of ours of the same article has
        others = (n_alike - place)[product] + (u * room).astype(np.int64)
        shift = np.where(room > 0, others, 1 + (u * (len(phrasing.LOOKS) - 1)).astype(np.int64))
        return [
            _renamed(self.standing.names[p], form[n], 0 if same[n] else int(shift[n])) for n, p in enumerate(product)
        ]

    def tables(self) -> dict[str, Columns]:
        """All tables of this module."""
        competitor, product, same = self.items
        catalogue, words = self.standing.catalogue, self.standing.words
        listed = list(phrasing.COMPETITORS)
        brands = [*phrasing.BRANDS, "own brand"]
        attributes = [
            f"material: {phrasing.MATERIALS[words['material'][p]]}; colour: {phrasing.COLOURS[words['colour'][p]]}; "
            f"style: {phrasing.STYLES[words['style'][p]]}"
            for p in product
        ]
        products = {
            "competitor": coded(competitor, listed),
            "competitor_product_id": pa.array(self.item_ids),
            "name": pa.array(self.names),
            "brand": coded(catalogue.brand[product], brands),
            "price": money_column(self._money(self.prices[-1])),
            "attributes": pa.array(attributes),
        }
        matches = {
            "competitor": coded(competitor[same], listed),
            "competitor_product_id": pa.array([self.item_ids[n] for n in np.flatnonzero(same)]),
            "product_id": coded(product[same], self.standing.simulator.product_ids),
        }
        return {"competitor_products": products, "competitor_prices": self._observed(), "truth/matches": matches}

    @cached_property
    def prices(self) -> Floats:
        """Price of each item at each observation (observations x items)."""
        competitor, product, same = self.items
        n_steps = self.standing.calendar.config.days // OBSERVED_EVERY_DAYS + 1
        index = np.log(np.array(list(phrasing.COMPETITORS.values())))[competitor]
        level = (
            self.standing.catalogue.log_price[product] + index + ITEM_SD * self._draws.normal("item price", self.key)
        )
        level = level + np.where(same, 0.0, 0.2 * self._draws.normal("stranger price", self.key))
        step = np.arange(n_steps) * OBSERVED_EVERY_DAYS // STEP_DAYS
        moves = STEP_SD * self._draws.normal("item step", self.key[None, :] * 128 + step[:, None])
        cut, calendar = self.standing.calendar.competitor_cut, self.standing.calendar
        names = [each.name for each in planted.CATEGORIES]
        hit = (competitor == list(phrasing.COMPETITORS).index(cut.competitor)) & (
            self.standing.catalogue.category[product] == names.index(cut.category)
        )
        late = np.arange(n_steps) * OBSERVED_EVERY_DAYS >= calendar.at(cut.starts) - WARM_UP_DAYS
        moves = moves + np.log1p(cut.price_change) * (late[:, None] & hit[None, :])
        return np.round(np.exp(level[None, :] + moves), 2)

    def _observed(self) -> Columns:
        competitor, product, same = self.items
        n_seen, n_items = self.prices.shape
        at, item = np.repeat(np.arange(n_seen), n_items), np.tile(np.arange(n_items), n_seen)
        known = same & (self._draws.uniform("known match", self.key) < KNOWN_SHARE)
        first = np.datetime64(self.standing.calendar.config.start).astype("datetime64[us]") + np.timedelta64(5, "h")
        codes = np.where(known, product, -1)[item]
        return {
            "competitor": coded(competitor[item], list(phrasing.COMPETITORS)),
            "competitor_product_id": coded(item, self.item_ids),
            "observed_at": pa.array(first + at * np.timedelta64(OBSERVED_EVERY_DAYS, "D").astype("timedelta64[us]")),
            "product_id": coded(codes, self.standing.simulator.product_ids),
            "price": money_column(self._money(self.prices.ravel())),
            "in_stock": pa.array(self._draws.uniform("item stock", self.key[item] * 128 + at) < 0.94),
        }

    @staticmethod
    def _money(prices: Floats) -> Ints:
        return (prices * 10_000).round().astype(np.int64)


def _renamed(name: str, form: int, shift: int) -> str:
    """A name as a competitor writes it: words turned round, left out or in capitals; ``shift`` changes the look."""
    look, material, *noun, size, unit = name.split()
    if shift:
        look = phrasing.LOOKS[(phrasing.LOOKS.index(look.lower()) + shift) % len(phrasing.LOOKS)]
        size = f"{float(size) * 1.4:.0f}"
    item = " ".join(noun)
    forms = (
        f"{item} {look} {material}, {size} {unit}",
        f"{look} {item} ({material})",
        f"{look} {material} {item}",
        f"{item}, {material}, {look.upper()}",
    )
    return forms[form].capitalize()
