"""Visits as the site saw them: sessions, GA4 events in order, searches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opslib.simulate import phrasing, planted
from opslib.simulate.baskets import Lines, _rank
from opslib.simulate.catalogue import Catalogue
from opslib.simulate.config import WARM_UP_DAYS
from opslib.simulate.draws import Draws, Floats, Ints
from opslib.simulate.people import GUIDE_LANDING, ITEM_BITS, VISIT_BITS, PeopleSimulator, Visits
from opslib.simulate.trials import Arms

EVENTS = ("page_view", "view_item_list", "select_item", "view_item", "search", "add_to_cart", "remove_from_cart",
          "begin_checkout", "add_shipping_info", "add_payment_info", "purchase", "refund")  # fmt: skip
(PAGE_VIEW, LIST, SELECT, VIEW, SEARCH, CART, REMOVE, CHECKOUT, SHIPPING, PAYMENT, PURCHASE, REFUND) = range(12)
#: Fixed pages, before the category pages, the guides and the product pages.
HOME, SEARCH_PAGE, HELP, BASKET, CHECKOUT_PAGE, SHIPPING_PAGE, PAYMENT_PAGE, DONE_PAGE = range(8)
FIXED_PAGES = (
    ("/", "home", "Home"), ("/search", "search", "Search"), ("/help", "help", "Help"), ("/basket", "checkout", "Basket"),
    ("/checkout", "checkout", "Checkout"), ("/checkout/delivery", "checkout", "Delivery"),
    ("/checkout/payment", "checkout", "Payment"), ("/checkout/thanks", "checkout", "Thank you"),
)  # fmt: skip
CHECKOUT_STEPS = (
    ("begin_checkout", CHECKOUT, CHECKOUT_PAGE), ("add_shipping_info", SHIPPING, SHIPPING_PAGE),
    ("add_payment_info", PAYMENT, PAYMENT_PAGE),
)  # fmt: skip
#: Share of searches with results that are clicked; of bought products compared with a substitute; of further looks that
#: stay among substitutes; mean number of further looks.
CLICK_SHARE, COMPARE_SHARE, NEAR_SHARE, MEAN_MORE_VIEWS = 0.62, 0.35, 0.6, 1.1
LOST_AT_PAYMENT, AFTER_DELIVERY = 2, ("add_shipping_info", "add_payment_info")
NOUN_SHARE = 0.76  # of searches, for what is sold by its own name
_CHECKOUT_PLACE, _PAID_PLACE = 15_000, 15_100
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
    n_results: Ints


@dataclass(frozen=True)
class Browsing:
    """Turns a block's site visits into events and searches."""

    catalogue: Catalogue
    draws: Draws
    arms: Arms

    @cached_property
    def pages(self) -> list[tuple[str, str, str, str]]:
        """Page, section, title and template of every page, in page-number order."""
        fixed = [(*page, page[1]) for page in FIXED_PAGES]
        names = [category.name for category in planted.CATEGORIES]
        lists = [(f"/{name.lower()}", name.lower(), name, "category") for name in names]
        guides = [
            (f"/guides/{name}", "guides", name.replace("-", " ").capitalize(), "guide") for name in planted.GUIDES
        ]
        items = [
            (f"/p/{product_id(number)}", names[category].lower(), f"Product {number + 1}", "product")
            for number, category in enumerate(self.catalogue.category)
        ]
        return fixed + lists + guides + items

    @property
    def _first_list(self) -> int:
        return len(FIXED_PAGES)

    @property
    def _first_guide(self) -> int:
        return self._first_list + len(planted.CATEGORIES)

    @property
    def first_item(self) -> int:
        """Page number of the first product."""
        return self._first_guide + len(planted.GUIDES)

    @cached_property
    def queries(self) -> tuple[list[str], Ints, Floats]:
        """Query texts, the noun each one finds (-1: nothing sold, -2: not understood), and their weights."""
        nouns, sold = [noun for names in phrasing.NOUNS.values() for noun in names], set(self.catalogue.noun.tolist())
        unmet_share, rows = sum(share for share, _ in phrasing.UNMET.values()), []
        for number, noun in enumerate(nouns):
            weight = NOUN_SHARE / len(sold) if number in sold else 0.0
            look = phrasing.LOOKS[number % len(phrasing.LOOKS)]
            rows += [(noun, number, 0.60 * weight), (f"{look} {noun}", number, 0.16 * weight)]
            rows += [(noun + "s", number, 0.14 * weight), (misspelt(noun), -2, 0.10 * weight)]
        for place, (text, noun) in enumerate(phrasing.SYNONYMS.items()):
            number = nouns.index(noun)
            weight = (1.0 - NOUN_SHARE - unmet_share) / len(phrasing.SYNONYMS) if number in sold else 0.0
            rows.append((text, number if place < phrasing.N_KNOWN_SYNONYMS else -2, weight))
        for theme, (share, unmet) in phrasing.UNMET.items():
            finds = len(nouns) if theme == phrasing.SOLVED[2] else -1
            rows += [(text, finds, share * 0.5 ** min(place + 1, len(unmet) - 1)) for place, text in enumerate(unmet)]
        texts, finds, weights = zip(*rows, strict=True)
        return list(texts), np.array(finds), np.array(weights)

    @cached_property
    def _n_of_noun(self) -> Ints:
        return np.bincount(self.catalogue.noun, minlength=len(self.catalogue.articles))

    def n_results(self, query: Ints, day: Ints) -> Ints:
        """Products that the site's search shows for queries on shop days; those of a need only once they are launched."""
        finds = self.queries[1][query]
        waits = (finds == len(self._n_of_noun) - 1) & (day < self.catalogue.launched[self.catalogue.is_solving].max())
        return np.where((finds >= 0) & ~waits, self._n_of_noun[np.maximum(finds, 0)], 0)

    def block(self, people: PeopleSimulator, visits: Visits, lines: Lines) -> tuple[Events, Searches]:
        """Events and searches of a block's site visits."""
        site = np.flatnonzero(visits.channel != planted.STORE)
        key = (people.number[visits.person] << VISIT_BITS) | (visits.number << ITEM_BITS)
        scene = _Scene(visits=visits, lines=lines, site=site, key=key, day=visits.day - WARM_UP_DAYS, rows=_Rows())
        reach = self._reach(scene)
        scene.rows.add(site, 0, PAGE_VIEW, self._landing_page(scene))
        searches = self._searches(scene, site[reach["search"]])
        guides = site[reach["guide"]]
        scene.rows.add(guides, 2, PAGE_VIEW, self._guide_page(visits.day[guides], key[guides], "guide page"))
        lost = site[reach["not_bounced"] & ~reach["list"] & ~reach["search"] & ~reach["guide"]]
        scene.rows.add(lost, 2, PAGE_VIEW, np.full(lost.size, HELP))
        self._lists(scene, site[reach["list"]])
        self._looks(scene, reach)
        self._purchases(scene)
        for place, (step, name, page) in enumerate(CHECKOUT_STEPS):
            who = site[reach[step]]
            scene.rows.add(who, _CHECKOUT_PLACE + place, name, np.full(who.size, page))
        return self._timed(scene), searches

    def _reach(self, scene: _Scene) -> dict[str, np.ndarray]:
        """How far each site visit goes: buyers all the way, those who wanted to buy up to the step that lost them."""
        visits, site = scene.visits, scene.site
        buys, lost, funnel, key = visits.is_buy[site], visits.lost_at[site], planted.FUNNEL, scene.key[site]
        out, on = {}, np.ones(site.size, dtype=bool)
        stays = np.ones(site.size)
        guide = np.flatnonzero(visits.landing[site] == GUIDE_LANDING)
        landed = self.catalogue.calendar.guide(visits.day[site[guide]], self.draws.uniform("landing guide", key[guide]))
        stays[guide] = np.minimum(self.catalogue.calendar.page_effects(visits.day[site[guide]], landed), 1.0)
        for step in ("not_bounced", "list", "view_item", "add_to_cart", *(step for step, _, _ in CHECKOUT_STEPS)):
            goes = buys | (lost == LOST_AT_PAYMENT) | ((lost > 0) & (step not in AFTER_DELIVERY))
            share = funnel[step] * (stays if step == "not_bounced" else 1.0)
            on = on & (goes | ((lost == 0) & (self.draws.uniform(f"reach/{step}", key) < share)))
            out[step] = on
        for step in ("search", "guide"):
            out[step] = out["not_bounced"] & (self.draws.uniform(f"reach/{step}", key) < funnel[step])
        taken_out = self.draws.uniform("reach/remove_from_cart", key) < funnel["remove_from_cart"]
        out["remove_from_cart"] = out["add_to_cart"] & ~out["begin_checkout"] & taken_out
        return out

    def _guide_page(self, day: Ints, key: Ints, purpose: str) -> Ints:
        return self._first_guide + self.catalogue.calendar.guide(day, self.draws.uniform(purpose, key))

    def _landing_page(self, scene: _Scene) -> Ints:
        key = scene.key[scene.site]
        product = self._any_product(scene.day[scene.site], key, "landing product")
        listing, item = self._first_list + self.catalogue.category[product], self.first_item + product
        pages = [
            np.full(key.size, HOME),
            listing,
            self._guide_page(scene.visits.day[scene.site], key, "landing guide"),
            item,
        ]
        return np.choose(scene.visits.landing[scene.site], pages)

    def _any_product(self, day: Ints, key: Ints, purpose: str) -> Ints:
        """A product on the shelf, by general popularity among all missions."""
        mission = (self.draws.uniform(purpose + "/mission", key) * len(planted.MISSIONS)).astype(np.int64)
        return self.catalogue.pick(day, mission * 2, self.draws.uniform(purpose, key))

    def _searches(self, scene: _Scene, who: Ints) -> Searches:
        """One search a searching visit; clicks go to the first results most."""
        key, day = scene.key[who], scene.day[who]
        _, finds, weights = self.queries
        query = self.draws.choice("query", key, weights)
        scene.rows.add(who, 1, SEARCH, np.full(who.size, SEARCH_PAGE))
        order, counts = np.argsort(self.catalogue.noun, kind="stable"), self._n_of_noun
        first, noun = np.cumsum(counts) - counts, np.maximum(finds[query], 0)
        within = (self.draws.uniform("clicked", key) ** 2 * counts[noun]).astype(np.int64)
        product = order[np.minimum(first[noun] + within, order.size - 1)]
        chance = CLICK_SHARE * self.arms.treated_in("search_success", scene.visits.variants, scene.visits.person[who],
                                                    scene.visits.day[who])  # fmt: skip
        n_results = self.n_results(query, day)
        clicks = (n_results > 0) & (self.draws.uniform("clicks", key) < chance)
        clicks &= self.catalogue.launched[product] <= day
        scene.rows.add(who[clicks], 3, VIEW, self.first_item + product[clicks], product[clicks])
        return Searches(visit=who, query=query, clicked=np.where(clicks, product, -1), n_results=n_results)

    def _lists(self, scene: _Scene, who: Ints) -> None:
        product = self._any_product(scene.day[who], scene.key[who], "listed")
        scene.rows.add(who, 4, LIST, self._first_list + self.catalogue.category[product])

    def _seen(self, scene: _Scene, visit: Ints, place: Ints, product: Ints) -> None:
        """Product views; the first ones are selected from a list."""
        chosen = place <= 4
        listing = self._first_list + self.catalogue.category[product[chosen]]
        scene.rows.add(visit[chosen], 8 + place[chosen] * 4, SELECT, listing, product[chosen])
        scene.rows.add(visit, 9 + place * 4, VIEW, self.first_item + product, product)

    def _purchases(self, scene: _Scene) -> None:
        """Bought products are seen, sometimes compared with a substitute, put in the basket and paid for."""
        lines = scene.lines
        online = np.flatnonzero(scene.visits.channel[lines.visit] != planted.STORE)
        visit, product, line = lines.visit[online], lines.product[online], lines.line[online]
        self._seen(scene, visit, line * 4, product)
        scene.rows.add(visit, 10 + line * 16, CART, self.first_item + product, product)
        scene.rows.add(visit, _PAID_PLACE + line, PURCHASE, np.full(online.size, DONE_PAGE), product, online)
        compared = self.draws.uniform("compare", lines.key[online]) < COMPARE_SHARE
        other = self.catalogue.sibling(product, self.draws.uniform("compared", lines.key[online]))
        compared &= self.catalogue.launched[other] <= scene.day[visit]
        self._seen(scene, visit[compared], line[compared] * 4 - 1, other[compared])

    def _looks(self, scene: _Scene, reach: dict[str, np.ndarray]) -> None:
        """Views of visits that do not buy: one product, then mostly its substitutes; some put the first in the basket."""
        looking = reach["view_item"] & ~scene.visits.is_buy[scene.site]
        who, key = scene.site[looking], scene.key[scene.site[looking]]
        count = np.minimum(1 + self.draws.geometric("views", key, MEAN_MORE_VIEWS), _MAX_VIEWS)
        rank, visit, first = _rank(count), np.repeat(who, count), self._any_product(scene.day[who], key, "viewed")
        view_key, seen_first = np.repeat(key, count) + rank, np.repeat(first, count)
        near = self.catalogue.sibling(seen_first, self.draws.uniform("near", view_key))
        far = self._any_product(scene.day[visit], view_key, "viewed next")
        stays = self.draws.uniform("stays near", view_key) < NEAR_SHARE
        product = np.where(rank == 0, seen_first, np.where(stays, near, far))
        product = np.where(self.catalogue.launched[product] <= scene.day[visit], product, seen_first)
        self._seen(scene, visit, (rank + 1) * 4, product)
        into, out = reach["add_to_cart"][looking], reach["remove_from_cart"][looking]
        scene.rows.add(who[into], 10 + 16, CART, self.first_item + first[into], first[into])
        scene.rows.add(who[out], _CHECKOUT_PLACE - 1, REMOVE, np.full(out.sum(), BASKET), first[out])

    def _timed(self, scene: _Scene) -> Events:
        """Events in order, each a while after the one before; lines of one purchase at the same time."""
        visit, place, name, page, product, line = scene.rows.columns()
        order = np.argsort((visit << 14) | place, kind="stable")
        visit, name = visit[order], name[order]
        starts = np.flatnonzero(np.diff(visit, prepend=-1))
        lengths = np.diff(np.append(starts, visit.size))
        index = _rank(lengths)
        gaps = self.draws.exponential("gap between events", (scene.key[visit] << 2) + index) * _MEAN_GAP_SECONDS
        gaps = 1.0 + np.minimum(gaps, _MAX_GAP_SECONDS)
        same = (name[1:] == PURCHASE) & (name[:-1] == PURCHASE) & (visit[1:] == visit[:-1])
        gaps[1:][same] = 0.0
        gaps[starts] = 0.0
        total = np.cumsum(gaps)
        seconds = np.minimum(total - np.repeat(total[starts], lengths), _MAX_VISIT_SECONDS)
        return Events(
            visit=visit, index=index, seconds=seconds, name=name, page=page[order], product=product[order],
            line=line[order],
        )  # fmt: skip


class _Rows:
    """Events as they are found, before they are put in order."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(
        self,
        visit: Ints,
        place: Ints | int,
        name: int,
        page: Ints,
        product: Ints | None = None,
        line: Ints | None = None,
    ) -> None:
        """Add events of one name; ``place`` orders them within the visit."""
        none = np.full(visit.size, -1)
        places, names = (np.broadcast_to(np.asarray(each, dtype=np.int64), visit.shape) for each in (place, name))
        products, lines = (none if each is None else each for each in (product, line))
        self._parts.append((visit, places, names, page, products, lines))

    def columns(self) -> list[np.ndarray]:
        """Visit, place, name, page, product and line of all events."""
        return [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """A block's site visits while their events are being found."""

    visits: Visits
    lines: Lines
    site: Ints  # positions of the site's visits
    key: Ints  # draw key of each visit
    day: Ints  # day of the shop of each visit
    rows: _Rows


def misspelt(noun: str) -> str:
    """The noun with two letters of its middle swapped."""
    middle = len(noun) // 2
    return noun[: middle - 1] + noun[middle] + noun[middle - 1] + noun[middle + 1 :]


def product_id(number: int) -> str:
    """Id of a product number."""
    return f"P{number + 1:05d}"
