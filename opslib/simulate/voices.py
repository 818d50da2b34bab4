"""What buyers say: reviews from planted themes, and service cases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from opslib.simulate import phrasing, planted
from opslib.simulate.baskets import PAID
from opslib.simulate.browsing import EVENTS
from opslib.simulate.catalogue import Catalogue
from opslib.simulate.config import WARM_UP_DAYS
from opslib.simulate.draws import Draws, Floats, Ints
from opslib.simulate.records import Block, Columns, Simulator, microseconds
from opslib.simulate.writing import coded, ids, moments

REVIEW_SHARE, TICKET_SHARE, FAULTY_TICKET_SHARE, OUTAGE_TICKET_SHARE = 0.10, 0.012, 0.08, 0.30
THEME_SPREAD = 0.55
_DAY = 86_400.0
_GOOD, _BAD = 0, 1


@dataclass(frozen=True)
class Voices:
    """Reviews and tickets of any block.

    Parameters
    ----------
    simulator : Simulator
        The shop's products and days.
    """

    simulator: Simulator

    @property
    def catalogue(self) -> Catalogue:
        """The shop's products."""
        return self.simulator.baskets.catalogue

    @property
    def draws(self) -> Draws:
        """Source of all draws."""
        return self.simulator.baskets.draws

    @cached_property
    def theme_shares(self) -> Floats:
        """True share of each theme in each brand's reviews (brands x themes), falling with squared distance."""
        brands = np.array([*phrasing.BRANDS.values(), (0.0, 0.0)])
        themes = np.array([position for position, _, _ in phrasing.THEMES.values()])
        squared = ((brands[:, None, :] - themes[None, :, :]) ** 2).sum(axis=2)
        weights = np.exp(-squared / (2.0 * THEME_SPREAD))
        return weights / weights.sum(axis=1, keepdims=True)

    @cached_property
    def _texts(self) -> tuple[list[str], list[str]]:
        """Sentences of the themes, [theme][mood][variant] laid end to end, and of faults."""
        phrases = [phrase for _, *moods in phrasing.THEMES.values() for mood in moods for phrase in mood]
        return phrases, list(phrasing.FAULT_COMPLAINTS)

    def reviews(self, block: Block) -> Columns:
        """reviews of paid orders, some days after delivery."""
        lines = block.lines
        line = np.flatnonzero((lines.status == PAID) & (self.draws.uniform("review", lines.key) < REVIEW_SHARE))
        wait = 4.0 + 14.0 * self.draws.exponential("review delay", lines.key[line])
        at = block.ordered[lines.visit[line]] + microseconds(wait * _DAY)
        line, at = line[at <= self.simulator.calendar.end_moment], at[at <= self.simulator.calendar.end_moment]
        product, key = lines.product[line], lines.key[line]
        faulty = self.catalogue.is_faulty[product]
        is_bad = self.catalogue.is_bad_batch(product, block.visits.day[lines.visit[line]] - WARM_UP_DAYS)
        score = 4.15 + 0.45 * self.catalogue.quality[product] - 1.7 * faulty + 0.8 * self.draws.normal("rating", key)
        score = score - 1.2 * (is_bad & ~faulty)
        rating = np.clip(np.round(score), 1, 5).astype(np.int64)
        mood = np.where((rating <= 2) | ((rating == 3) & (self.draws.uniform("mood", key) < 0.5)), _BAD, _GOOD)
        title = mood * 4 + (self.draws.uniform("title", key) * 4).astype(np.int64)
        return {
            "review_id": ids("W", self._code(block, line), 16),
            "product_id": coded(product, self.simulator.product_ids),
            "written_at": moments(at),
            "rating": pa.array(rating.astype(np.float64)),
            "title": coded(title, [*phrasing.TITLES_GOOD, *phrasing.TITLES_BAD]),
            "text": self._text(product, mood, faulty, key),
        }

    def _text(self, product: Ints, mood: Ints, faulty: np.ndarray, key: Ints) -> pa.Array:
        """One or two themes by the brand's mix; buyers of a faulty product mostly tell the fault."""
        phrases, faults = self._texts
        edges = np.cumsum(self.theme_shares, axis=1)[self.catalogue.brand[product]]
        parts = []
        for turn in ("first", "second"):
            theme = np.minimum(
                (self.draws.uniform(f"theme/{turn}", key)[:, None] > edges).sum(axis=1), len(phrasing.THEMES) - 1
            )
            variant = (self.draws.uniform(f"phrase/{turn}", key) * 3).astype(np.int64)
            parts.append((theme * 2 + mood) * 3 + variant)
        tells = faulty & (mood == _BAD) & (self.draws.uniform("tells fault", key) < 0.7)
        has_second = (self.draws.uniform("two themes", key) < 0.45) & (parts[0] // 6 != parts[1] // 6) & ~tells
        opener = (self.draws.uniform("opener", key) * len(phrasing.OPENERS)).astype(np.int64)
        closer = mood * 4 + (self.draws.uniform("closer", key) * 4).astype(np.int64)
        fault = (self.draws.uniform("fault text", key) * len(faults)).astype(np.int64)
        closers, everything = [*phrasing.CLOSERS_GOOD, *phrasing.CLOSERS_BAD], [*phrases, *faults]
        first = np.where(tells, len(phrases) + fault, parts[0])
        opened = pa.array([f"{text} it " for text in phrasing.OPENERS]).take(pa.array(opener))
        said = pa.array(everything).take(pa.array(first))
        also = pa.array([f" and {text}. " for text in phrases] + [". "]).take(
            pa.array(np.where(has_second, parts[1], len(phrases)))
        )
        return _joined(opened, said, also, pa.array(closers).take(pa.array(closer)))

    def tickets(self, block: Block) -> Columns:
        """tickets about orders, and about payment while it failed."""
        orders, outage = self._order_tickets(block), self._outage_tickets(block)
        code, at, text, product = (np.concatenate([one, two]) for one, two in zip(orders, outage, strict=True))
        end = self.simulator.calendar.end_moment
        code, at, text, product = (column[at <= end] for column in (code, at, text, product))
        closed = at + microseconds((0.1 + 1.6 * self.draws.exponential("ticket closed", code)) * _DAY)
        topics, texts, topic_of = self._cases
        return {
            "ticket_id": ids("T", code, 16),
            "opened_at": moments(at),
            "closed_at": pa.array(closed.astype("datetime64[us]"), mask=closed > end),
            "topic": coded(topic_of[text], topics),
            "product_id": coded(product, self.simulator.product_ids),
            "text": coded(text, texts),
        }

    @cached_property
    def _cases(self) -> tuple[list[str], list[str], Ints]:
        """Topics, sentences, and the topic of each sentence; the outage's sentences come last."""
        topics = list(phrasing.TICKETS)
        texts = [
            (topics.index(topic), text) for topic, (_, sentences) in phrasing.TICKETS.items() for text in sentences
        ]
        texts += [(topics.index("payment"), text) for text in phrasing.OUTAGE_TICKETS]
        return topics, [text for _, text in texts], np.array([topic for topic, _ in texts])

    def _order_tickets(self, block: Block) -> tuple[np.ndarray, ...]:
        lines, faulty = block.lines, self.catalogue.is_faulty[block.lines.product]
        chance = TICKET_SHARE + FAULTY_TICKET_SHARE * faulty
        line = np.flatnonzero((self.draws.uniform("ticket", lines.key) < chance) & (lines.status == PAID))
        key, topics = lines.key[line], list(phrasing.TICKETS)
        topic = self.draws.choice("topic", key, [share for share, _ in phrasing.TICKETS.values()])
        broken = faulty[line] & (self.draws.uniform("ticket fault", key) < 0.85)
        topic = np.where(broken, topics.index("damaged"), topic)
        counts = np.array([len(sentences) for _, sentences in phrasing.TICKETS.values()])
        text = (np.cumsum(counts) - counts)[topic] + (self.draws.uniform("ticket text", key) * counts[topic]).astype(
            np.int64
        )
        at = block.ordered[lines.visit[line]] + microseconds(
            (0.5 + 4.0 * self.draws.exponential("ticket delay", key)) * _DAY
        )
        concerns = np.isin(topic, [topics.index("product"), topics.index("damaged")])
        return self._code(block, line), at, text, np.where(concerns, lines.product[line], -1)

    def _outage_tickets(self, block: Block) -> tuple[np.ndarray, ...]:
        """Some of those who got as far as payment while it failed complain within the hour."""
        calendar, events, visits = self.simulator.calendar, block.events, block.visits
        outage = next(change for change in planted.CHANGES if change.kind == "outage")
        window = calendar.window(outage.starts, outage.ends)
        failed = (visits.day >= window.start) & (visits.day < window.stop) & ~visits.is_buy & calendar.config.outages
        reached = np.unique(events.visit[events.name == EVENTS.index("begin_checkout")])
        visit = reached[failed[reached]]
        code = (block.people.number[visits.person[visit]] * 10_000 + visits.number[visit]) * 1_000
        visit, code = (
            column[self.draws.uniform("outage ticket", code) < OUTAGE_TICKET_SHARE] for column in (visit, code)
        )
        variant = (self.draws.uniform("outage text", code) * len(phrasing.OUTAGE_TICKETS)).astype(np.int64)
        text = len(self._cases[1]) - len(phrasing.OUTAGE_TICKETS) + variant
        return code, block.started[visit] + microseconds(np.full(visit.size, 2_400.0)), text, np.full(visit.size, -1)

    @staticmethod
    def _code(block: Block, line: Ints) -> Ints:
        visit = block.lines.visit[line]
        number = block.people.number[block.visits.person[visit]]
        return (number * 10_000 + block.visits.number[visit]) * 1_000 + block.lines.line[line]


def _joined(*parts: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(*parts, "")
