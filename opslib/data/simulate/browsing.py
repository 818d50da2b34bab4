"""Visits as the site saw them: sessions, GA4 events in order, searches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opslib.data.simulate import planted, wording
from opslib.data.simulate.baskets import Lines, _rank
from opslib.data.simulate.catalogue import Catalogue
from opslib.data.simulate.config import WARM_UP_DAYS
from opslib.data.simulate.draws import Draws, Floats, Ints
from opslib.data.simulate.people import ITEM_BITS, VISIT_BITS, People, Visits

EVENTS = ("page_view", "view_item_list", "select_item", "view_item", "search", "add_to_cart", "remove_from_cart",
          "begin_checkout", "add_shipping_info", "add_payment_info", "purchase")  # fmt: skip
(PAGE_VIEW, LIST, SELECT, VIEW, SEARCH, CART, REMOVE, CHECKOUT, SHIPPING, PAYMENT, PURCHASE) = range(11)
#: Fixed pages, before the category pages, the guides and the product pages.
HOME, SEARCH_PAGE, HELP, BASKET, CHECKOUT_PAGE, SHIPPING_PAGE, PAYMENT_PAGE, DONE_PAGE = range(8)
FIXED_PAGES = (
    ("/", "home", "Home"), ("/search", "search", "Search"), ("/help", "help", "Help"), ("/basket", "checkout", "Basket"),
    ("/checkout", "checkout", "Checkout"), ("/checkout/delivery", "checkout", "Delivery"),
    ("/checkout/payment", "checkout", "Payment"), ("/checkout/thanks", "checkout", "Thank you"),
)  # fmt: skip
GUIDES = ("lighting-a-room", "caring-for-linen", "planting-a-pot", "setting-a-table", "choosing-a-gift", "a-tidy-desk")
_MAX_VIEWS, _MEAN_GAP_SECONDS, _MAX_GAP_SECONDS, _MAX_VISIT_SECONDS = 40, 28.0, 400.0, 4_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events of one block, in order within each visit; -1 stands for none."""

    visit: Ints
    index: Ints  # from 0 within the visit
    seconds: Floats  # since the visit's start
    name: Ints
    page: Ints
    product: Ints
    line: Ints  # position among the block's lines (purchase only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searches:
    """Searches of one block; one a searching visit."""

    visit: Ints
    query: Ints
    clicked: Ints  # product, -1 for none


@dataclass(frozen=True)
class Browsing:
    """Turns a block's site visits into events and searches."""

    catalogue: Catalogue
    draws: Draws

    @cached_property
    def pages(self) -> list[tuple[str, str, str, str]]:
        """Page, section, title and template of every page, in page-number order."""
        fixed = [(*page, page[1]) for page in FIXED_PAGES]
        names = [category.name for category in planted.CATEGORIES]
        lists = [(f"/{name.lower()}", name.lower(), name, "category") for name in names]
        guides = [(f"/guides/{name}", "guides", name.replace("-", " ").capitalize(), "guide") for name in GUIDES]
        items = [
            (f"/p/{product_id(number)}", names[category].lower(), f"Product {number + 1}", "product")
            for number, category in enumerate(self.catalogue.category)
        ]
        return fixed + lists + guides + items

    @property
    def _first_list(self) -> int:
        return len(FIXED_PAGES)

    @property
    def first_item(self) -> int:
        """Page number of the first product."""
        return len(FIXED_PAGES) + len(planted.CATEGORIES) + len(GUIDES)

    @cached_property
    def queries(self) -> tuple[list[str], Ints, Floats]:
        """Query texts, the noun each one finds (-1: nothing sold, -2: not understood), and their weights."""
        texts, finds, weights = [], [], []
        unmet_share = sum(share for share, _ in wording.UNMET.values())
        nouns, sold = [noun for names in wording.NOUNS.values() for noun in names], set(self.catalogue_noun.tolist())
        for number, noun in enumerate(nouns):
            for text, weight in ((noun, 0.6), (f"{wording.LOOKS[number % 16]} {noun}", 0.16), (noun + "s", 0.14), (misspelt(noun), 0.10)):
                texts.append(text)
                finds.append(-2 if text == misspelt(noun) else number)
                weights.append(0.76 * weight / len(sold) if number in sold else 0.0)
        for number, (text, noun) in enumerate(wording.SYNONYMS.items()):
            texts.append(text)
            finds.append(nouns.index(noun) if number < wording.N_KNOWN_SYNONYMS else -2)
            weights.append((0.24 - unmet_share) / len(wording.SYNONYMS) if nouns.index(noun) in sold else 0.0)
        for share, unmet in wording.UNMET.values():
            for number, text in enumerate(unmet):
                texts.append(text)
                finds.append(-1)
                weights.append(share * 0.5 ** min(number + 1, len(unmet) - 1))
        return texts, np.array(finds), np.array(weights)

    @cached_property
    def n_results(self) -> Ints:
        """Products that the site's search shows for each query."""
        _, finds, _ = self.queries
        counts = np.bincount(self.catalogue_noun, minlength=64)
        return np.where(finds >= 0, counts[np.maximum(finds, 0)], 0)

    @cached_property
    def catalogue_noun(self) -> Ints:
        """Noun (0-63) of each product; substitutes share it."""
        return self.catalogue.category * 8 + self.catalogue.group // len(planted.CATEGORIES) % 8

    def block(self, people: People, visits: Visits, lines: Lines) -> tuple[Events, Searches]:
        """Events and searches of a block's site visits."""
        site = np.flatnonzero(visits.channel != planted.STORE)
        key = (people.number[visits.person] << VISIT_BITS) | (visits.number << ITEM_BITS)
        reach = self._reach(visits, site, key[site])
        rows = _Rows()
        landing = self._landing_page(visits, site, key[site])
        rows.add(site, 0, PAGE_VIEW, landing)
        searches = self._searches(visits, site[reach["search"]], key, rows)
        guides = site[reach["guide"]]
        number = (self.draws.uniform("guide page", key[guides]) * len(GUIDES)).astype(np.int64)
        rows.add(guides, 2, PAGE_VIEW, self.first_item - len(GUIDES) + number)
        lost = site[reach["not_bounced"] & ~reach["list"] & ~reach["search"] & ~reach["guide"]]
        rows.add(lost, 2, PAGE_VIEW, np.full(lost.size, HELP))
        self._views(people, visits, lines, site, reach, key, rows)
        return self._timed(rows, key), searches

    def _reach(self, visits: Visits, site: Ints, key: Ints) -> dict[str, np.ndarray]:
        """How far each site visit goes; buyers go all the way."""
        buys, funnel, out, on = visits.is_buy[site], planted.FUNNEL, {}, np.ones(site.size, dtype=bool)
        for step in ("not_bounced", "list", "view_item", "add_to_cart", "begin_checkout", "add_shipping_info", "add_payment_info"):
            on = on & (buys | (self.draws.uniform(f"reach/{step}", key) < funnel[step]))
            out[step] = on
        for step in ("search", "guide"):
            out[step] = out["not_bounced"] & (self.draws.uniform(f"reach/{step}", key) < funnel[step])
        taken_out = self.draws.uniform("reach/remove_from_cart", key) < funnel["remove_from_cart"]
        out["remove_from_cart"] = out["add_to_cart"] & ~out["begin_checkout"] & taken_out
        return out

    def _landing_page(self, visits: Visits, site: Ints, key: Ints) -> Ints:
        product = self._any_product(visits.day[site], key, "landing product")
        guide = self.first_item - len(GUIDES) + (self.draws.uniform("landing guide", key) * len(GUIDES)).astype(np.int64)
        kinds = [np.full(site.size, HOME), self._first_list + self.catalogue.category[product], guide, self.first_item + product]
        return np.choose(visits.landing[site], kinds)

    def _any_product(self, day: Ints, key: Ints, purpose: str) -> Ints:
        """A product on the shelf, by general popularity among all missions."""
        mission = (self.draws.uniform(purpose + "/mission", key) * len(planted.MISSIONS)).astype(np.int64)
        return self.catalogue.pick(day - WARM_UP_DAYS, mission * 2, self.draws.uniform(purpose, key))

    def _searches(self, visits: Visits, who: Ints, all_keys: Ints, rows: _Rows) -> Searches:
        key = all_keys[who]
        _, finds, weights = self.queries
        query = self.draws.choice("query", key, weights)
        rows.add(who, 1, SEARCH, np.full(who.size, SEARCH_PAGE))
        order = np.argsort(self.catalogue_noun, kind="stable")
        counts = np.bincount(self.catalogue_noun, minlength=64)
        first = np.cumsum(counts) - counts
        noun = np.maximum(finds[query], 0)
        within = (self.draws.uniform("clicked", key) ** 2 * counts[noun]).astype(np.int64)
        product = order[np.minimum(first[noun] + within, order.size - 1)]
        clicks = (self.n_results[query] > 0) & (self.draws.uniform("clicks", key) < 0.62)
        clicks &= self.catalogue.launched[product] <= visits.day[who] - WARM_UP_DAYS
        rows.add(who[clicks], 3, VIEW, self.first_item + product[clicks], product[clicks])
        return Searches(visit=who, query=query, clicked=np.where(clicks, product, -1))

    def _views(
        self, people: People, visits: Visits, lines: Lines, site: Ints, reach: dict[str, np.ndarray], key: Ints, rows: _Rows
    ) -> None:
        """Product views, basket and checkout: bought products are seen, put in the basket and paid for."""
        online = np.flatnonzero(visits.channel[lines.visit] != planted.STORE)
        looks = self._compared(visits, site[reach["view_item"] & ~visits.is_buy[site]], key)
        bought = (lines.visit[online], np.minimum(lines.line[online], 900) * 4, lines.product[online])
        extra = online[self.draws.uniform("compare", lines.key[online]) < 0.35]
        other = self.catalogue.sibling(lines.product[extra], self.draws.uniform("compared", lines.key[extra]))
        sold = self.catalogue.launched[other] <= visits.day[lines.visit[extra]] - WARM_UP_DAYS
        seen = (lines.visit[extra][sold], np.minimum(lines.line[extra][sold], 900) * 4 - 1, other[sold])
        listing = site[reach["list"]]
        first = self.catalogue.category[self._any_product(visits.day[listing], key[listing], "listed")]
        rows.add(listing, 4, LIST, self._first_list + first)
        for visit, place, product in (looks, bought, seen):
            chosen = place <= 4
            rows.add(visit[chosen], 8 + place[chosen] * 4, SELECT, self._first_list + self.catalogue.category[product[chosen]], product[chosen])
            rows.add(visit, 9 + place * 4, VIEW, self.first_item + product, product)
        self._basket(site, reach, looks, bought, rows)
        for step, name, page, place in (("begin_checkout", CHECKOUT, CHECKOUT_PAGE, 0), ("add_shipping_info", SHIPPING, SHIPPING_PAGE, 1), ("add_payment_info", PAYMENT, PAYMENT_PAGE, 2)):
            who = site[reach[step]]
            rows.add(who, 15_000 + place, name, np.full(who.size, page))
        rows.add(lines.visit[online], 15_100 + lines.line[online], PURCHASE, np.full(online.size, DONE_PAGE), lines.product[online], online)

    def _compared(self, visits: Visits, who: Ints, key: Ints) -> tuple[Ints, Ints, Ints]:
        """Views of visits that do not buy: one product, then mostly its substitutes."""
        count = np.minimum(1 + self.draws.geometric("views", key[who], 1.1), _MAX_VIEWS)
        visit, rank = np.repeat(who, count), _rank(count)
        first = self._any_product(visits.day[who], key[who], "viewed")
        view_key = key[visit] + rank
        near = self.catalogue.sibling(np.repeat(first, count), self.draws.uniform("near", view_key))
        far = self._any_product(visits.day[visit], view_key, "viewed next")
        stays = self.draws.uniform("stays near", view_key) < 0.6
        product = np.where(rank == 0, np.repeat(first, count), np.where(stays, near, far))
        known = self.catalogue.launched[product] <= visits.day[visit] - WARM_UP_DAYS
        product = np.where(known, product, np.repeat(first, count))
        return visit, (rank + 1) * 4, product

    def _basket(
        self, site: Ints, reach: dict[str, np.ndarray], looks: tuple[Ints, ...], bought: tuple[Ints, ...], rows: _Rows
    ) -> None:
        visit, place, product = bought
        rows.add(visit, 10 + place * 4, CART, self.first_item + product, product)
        carts, removes = np.zeros(site.max(initial=0) + 1, dtype=bool), np.zeros(site.max(initial=0) + 1, dtype=bool)
        carts[site[reach["add_to_cart"]]] = True
        removes[site[reach["remove_from_cart"]]] = True
        visit, place, product = looks
        first = place == 4
        into = first & carts[visit]
        rows.add(visit[into], 10 + place[into] * 4, CART, self.first_item + product[into], product[into])
        out = first & removes[visit]
        rows.add(visit[out], 14_000, REMOVE, np.full(out.sum(), BASKET), product[out])

    def _timed(self, rows: _Rows, key: Ints) -> Events:
        """Events in order, each a while after the one before; lines of one purchase at the same time."""
        visit, place, name, page, product, line = rows.columns()
        order = np.argsort((visit << 14) | place, kind="stable")
        visit, name = visit[order], name[order]
        starts = np.flatnonzero(np.diff(visit, prepend=-1))
        lengths = np.diff(np.append(starts, visit.size))
        index = _rank(lengths)
        gaps = self.draws.exponential("gap between events", (key[visit] << 2) + index) * _MEAN_GAP_SECONDS
        gaps = 1.0 + np.minimum(gaps, _MAX_GAP_SECONDS)
        same = (name[1:] == PURCHASE) & (name[:-1] == PURCHASE) & (visit[1:] == visit[:-1])
        gaps[1:][same] = 0.0
        gaps[starts] = 0.0
        total = np.cumsum(gaps)
        seconds = np.minimum(total - np.repeat(total[starts], lengths), _MAX_VISIT_SECONDS)
        return Events(visit=visit, index=index, seconds=seconds, name=name, page=page[order], product=product[order], line=line[order])


class _Rows:
    """Events as they are found, before they are put in order."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(self, visit: Ints, place: Ints | int, name: int, page: Ints, product: Ints | None = None, line: Ints | None = None) -> None:
        """Add events of one name; ``place`` orders them within the visit."""
        none = np.full(visit.size, -1)
        places = np.broadcast_to(np.asarray(place, dtype=np.int64), visit.shape)
        self._parts.append(
            (visit, places, np.full(visit.size, name, dtype=np.int64), page, none if product is None else product, none if line is None else line)
        )

    def columns(self) -> list[np.ndarray]:
        """Visit, place, name, page, product and line of all events."""
        return [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]


def misspelt(noun: str) -> str:
    """The noun with two letters of its middle swapped."""
    middle = len(noun) // 2
    return noun[: middle - 1] + noun[middle] + noun[middle - 1] + noun[middle + 1 :]


def product_id(number: int) -> str:
    """Id of a product number."""
    return f"P{number + 1:05d}"
