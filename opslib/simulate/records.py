"""Blocks of people as rows of the contract tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from opslib.simulate import planted
from opslib.simulate.baskets import STATUSES, Baskets, Lines, Returns
from opslib.simulate.browsing import EVENTS, HELP, Browsing, Events, Searches, product_id
from opslib.simulate.calendar import Calendar
from opslib.simulate.catalogue import UNIT
from opslib.simulate.draws import Floats, Ints
from opslib.simulate.people import PeopleSimulator, Population, Visits
from opslib.simulate.trials import VARIANTS, Exposure
from opslib.simulate.writing import coded, ids, moments, money_column

Columns = dict[str, pa.Array]
Tables = dict[str, Columns | list[Columns]]
WEB, KINDS = "web", ("consumer", "business")
REFUND_SECONDS = 90
_LINE_NUMBERS = [str(number) for number in range(200)]


def microseconds(seconds: Floats) -> Ints:
    """Whole milliseconds, in microseconds."""
    return (seconds * 1_000.0).astype(np.int64) * 1_000


def store_name(number: int) -> str:
    """Name of a store number."""
    return f"store-{number + 1:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One simulated block of people, before it becomes rows."""

    people: PeopleSimulator
    visits: Visits
    lines: Lines
    events: Events
    searches: Searches
    returns: Returns
    started: Ints  # microseconds in UTC, one a visit
    ordered: Ints  # the same, of each visit's order; its start where there is none


@dataclass(frozen=True)
class Simulator:
    """The causal chain from people to baskets to events, for any block of people."""

    population: Population
    baskets: Baskets
    browsing: Browsing

    @property
    def calendar(self) -> Calendar:
        """The shop's days."""
        return self.population.calendar

    @cached_property
    def product_ids(self) -> pa.Array:
        """Id of every product number."""
        return pa.array([product_id(number) for number in range(self.baskets.catalogue.n)])

    @cached_property
    def page_columns(self) -> tuple[pa.Array, list[str], Ints]:
        """Address of every page, the section names, and the section of every page."""
        pages = self.browsing.pages
        sections = sorted({page[1] for page in pages})
        return pa.array([page[0] for page in pages]), sections, np.array([sections.index(page[1]) for page in pages])

    def block(self, numbers: Ints) -> Block:
        """Simulate the people with the given running numbers."""
        people, visits = self.population.block(numbers)
        lines = self.baskets.block(people, visits)
        events, searches = self.browsing.block(people, visits, lines)
        started = self.calendar.moment(visits.day, visits.fraction, in_store=visits.channel == planted.STORE)
        ordered, bought = started.copy(), events.line >= 0
        ordered[events.visit[bought]] = started[events.visit[bought]] + microseconds(events.seconds[bought])
        return Block(
            people=people, visits=visits, lines=lines, events=events, searches=searches, started=started,
            ordered=ordered, returns=self.baskets.returns(lines, visits),
        )  # fmt: skip


class Records:
    """Rows of one block, table by table.

    Parameters
    ----------
    simulator : Simulator
        Where words, pages and products are looked up.
    block : Block
        The simulated people.
    """

    def __init__(self, simulator: Simulator, block: Block) -> None:
        people, visits = block.people, block.visits
        code = people.number[visits.person] * 10_000 + visits.number
        self.simulator, self.block = simulator, block
        self.session_ids, self.order_ids = ids("S", code, 13), ids("O", code, 13)
        self.visitor_ids, self.customer_ids = ids("V", people.number, 9), ids("C", people.number, 9)
        self.in_store = visits.channel == planted.STORE
        self.is_anonymous = people.is_guest[visits.person]
        self.is_unknown = self.is_anonymous | ((visits.n_before == 0) & ~visits.is_buy)

    def tables(self) -> Tables:
        """All tables whose rows belong to people."""
        return {
            "order_lines": self.order_lines(), "returns": self.returns(), "customers": self.customers(),
            "sessions": [self.sessions(), self.refund_sessions()], "events": [self.events(), self.refund_events()],
            "searches": self.searches(),
        }  # fmt: skip

    def order_lines(self) -> Columns:
        """order_lines."""
        lines, visits, people = self.block.lines, self.block.visits, self.block.people
        visit, person = lines.visit, visits.person[lines.visit]
        in_store = self.in_store[visit]
        stores = [store_name(number) for number in range(self.simulator.calendar.config.n_stores)]
        return {
            "order_id": coded(visit, self.order_ids),
            "line_id": coded(lines.line, _LINE_NUMBERS),
            "customer_id": coded(person, self.customer_ids, is_null=self.is_anonymous[visit]),
            "product_id": coded(lines.product, self.simulator.product_ids),
            "ordered_at": moments(self.block.ordered[visit]),
            "quantity": money_column(lines.quantity * UNIT),
            "unit_price": money_column(lines.unit_price),
            "discount_amount": money_column(lines.discount),
            "cost_amount": money_column(lines.cost),
            "tax_amount": money_column(lines.tax),
            "status": coded(lines.status, STATUSES),
            "store": coded(np.where(in_store, people.store[person] + 1, 0), [WEB, *stores]),
            "country": coded(people.country[person], planted.COUNTRIES),
            "channel": coded(visits.channel[visit], [channel.name for channel in planted.CHANNELS]),
            "device": coded(people.device[person], planted.DEVICES, is_null=in_store),
            "session_id": coded(visit, self.session_ids, is_null=in_store),
        }

    def returns(self) -> Columns:
        """returns; what would come back after the last day is not known yet."""
        returns, lines = self.block.returns, self.block.lines
        at = self.block.ordered[lines.visit[returns.line]] + microseconds(returns.days_after * 86_400.0)
        known = np.flatnonzero(at <= self.simulator.calendar.end_moment)
        line = returns.line[known]
        visit = lines.visit[line]
        number = self.block.people.number[self.block.visits.person[visit]]
        code = (number * 10_000 + self.block.visits.number[visit]) * 1_000 + lines.line[line]
        return {
            "return_id": ids("R", code, 16),
            "order_id": coded(visit, self.order_ids),
            "product_id": coded(lines.product[line], self.simulator.product_ids),
            "returned_at": moments(at[known]),
            "quantity": money_column(returns.quantity[known] * UNIT),
            "refund_amount": money_column(returns.refund[known]),
            "reason": coded(returns.reason[known], planted.RETURN_REASONS),
        }

    @cached_property
    def known_customers(self) -> Ints:
        """Positions of the people who are customers: an order, and not as a guest."""
        return np.flatnonzero((self.block.visits.n_orders > 0) & ~self.block.people.is_guest)

    def customers(self) -> Columns:
        """customers."""
        who, people = self.known_customers, self.block.people
        in_store = people.channel[who] == planted.STORE
        seen = self.simulator.calendar.moment(people.arrival_day[who], people.arrival_fraction[who], in_store=in_store)
        years_before = people.is_existing[who] * planted.EXISTING_YEARS * people.arrival_fraction[who]
        seen = seen - microseconds(years_before * 365.25 * 86_400.0)
        first = np.full(people.number.size, np.iinfo(np.int64).max)
        np.minimum.at(first, self.block.visits.person, self.block.started)  # a store's hours are not the site's
        seen = np.minimum(seen, first[who])
        return {
            "customer_id": coded(who, self.customer_ids),
            "first_seen_at": moments(seen),
            "country": coded(people.country[who], planted.COUNTRIES),
            "acquisition_channel": coded(people.channel[who], [channel.name for channel in planted.CHANNELS]),
            "kind": coded(
                np.array([kind.is_business for kind in self.simulator.calendar.types])[people.kind[who]] * 1, KINDS
            ),
        }

    def truth(self) -> Columns:
        """What only the simulation knows about each customer."""
        who, people = self.known_customers, self.block.people
        return {
            "customer_id": coded(who, self.customer_ids),
            "customer_type": coded(people.kind[who], [kind.name for kind in self.simulator.calendar.types]),
            "orders_a_week": pa.array(people.rate_week[who]),
            "dropout_probability": pa.array(people.dropout[who]),
            "basket_factor": pa.array(people.spend_factor[who]),
            "n_orders_ever": pa.array(self.block.visits.n_orders[who]),
        }

    def sessions(self) -> Columns:
        """sessions: the site's visits."""
        visits, people = self.block.visits, self.block.people
        visit = np.flatnonzero(~self.in_store)
        person, channel = visits.person[visit], visits.channel[visit]
        events = self.block.events
        landing = np.zeros(self.in_store.size, dtype=np.int64)
        first = events.index == 0
        landing[events.visit[first]] = events.page[first]
        sources = sorted({each.source for each in planted.CHANNELS})
        source = np.array([sources.index(each.source) for each in planted.CHANNELS])
        campaigns = [each.campaign or "" for each in planted.CHANNELS]
        unnamed = np.array([each.campaign is None for each in planted.CHANNELS])
        return {
            "session_id": self.session_ids.take(pa.array(visit)),
            "visitor_id": coded(person, self.visitor_ids),
            "customer_id": coded(person, self.customer_ids, is_null=self.is_unknown[visit]),
            "started_at": moments(self.block.started[visit]),
            "source": coded(source[channel], sources),
            "medium": coded(channel, [each.medium for each in planted.CHANNELS]),
            "campaign": coded(channel, campaigns, is_null=unnamed[channel]),
            "device": coded(people.device[person], planted.DEVICES),
            "country": coded(people.country[person], planted.COUNTRIES),
            "landing_page": coded(landing[visit], self.simulator.page_columns[0]),
        }

    def events(self) -> Columns:
        """events; a purchase has one event a line, as GA4's items come out flat."""
        events, visits = self.block.events, self.block.visits
        pages, sections, section = self.simulator.page_columns
        bought = events.line >= 0
        value = np.zeros(events.visit.size, dtype=np.int64)
        value[bought] = self.block.lines.revenue[events.line[bought]]
        decimals = money_column(value)
        empty = pa.py_buffer(np.packbits(bought, bitorder="little"))
        return {
            "session_id": coded(events.visit, self.session_ids),
            "event_index": pa.array(events.index),
            "visitor_id": coded(visits.person[events.visit], self.visitor_ids),
            "occurred_at": moments(self.block.started[events.visit] + microseconds(events.seconds)),
            "event_name": coded(events.name, EVENTS),
            "page": coded(events.page, pages),
            "section": coded(section[events.page], sections),
            "product_id": coded(events.product, self.simulator.product_ids),
            "order_id": coded(np.where(bought, events.visit, -1), self.order_ids),
            "value": pa.Array.from_buffers(decimals.type, len(decimals), [empty, decimals.buffers()[1]]),
        }

    @cached_property
    def _refunds(self) -> tuple[Ints, Ints]:
        """Returns that were asked for in a visit to the site's help page, and when."""
        returns, lines, calendar = self.block.returns, self.block.lines, self.simulator.calendar
        at = self.block.ordered[lines.visit[returns.line]] + microseconds(returns.days_after * 86_400.0)
        asked = ~self.in_store[lines.visit[returns.line]] & (at <= calendar.end_moment)
        asked &= self.simulator.baskets.draws.uniform("refund on site", returns.key) < planted.REFUND_ON_SITE
        found = np.flatnonzero(asked)
        found = found[~calendar.missing[calendar.day_of(at[found])]]
        return found, at[found]

    def _refund_ids(self, found: Ints) -> tuple[pa.Array, Ints, Ints]:
        lines = self.block.lines
        line = self.block.returns.line[found]
        visit = lines.visit[line]
        return ids("SR", self._code(visit) * 1_000 + lines.line[line], 16), line, self.block.visits.person[visit]

    def refund_sessions(self) -> Columns:
        """sessions in which a refund was asked for."""
        found, at = self._refunds
        session, _, person = self._refund_ids(found)
        people, none = self.block.people, np.zeros(found.size, dtype=np.int64)
        sources = sorted({each.source for each in planted.CHANNELS})
        direct = planted.CHANNELS[planted.DIRECT]
        return {
            "session_id": session,
            "visitor_id": coded(person, self.visitor_ids),
            "customer_id": coded(person, self.customer_ids, is_null=people.is_guest[person]),
            "started_at": moments(at - REFUND_SECONDS * 1_000_000),
            "source": coded(none + sources.index(direct.source), sources),
            "medium": coded(none + planted.DIRECT, [each.medium for each in planted.CHANNELS]),
            "campaign": coded(none - 1, [each.campaign or "" for each in planted.CHANNELS]),
            "device": coded(people.device[person], planted.DEVICES),
            "country": coded(people.country[person], planted.COUNTRIES),
            "landing_page": coded(none + HELP, self.simulator.page_columns[0]),
        }

    def refund_events(self) -> Columns:
        """events of those visits: the help page, then GA4's refund of one line."""
        found, at = self._refunds
        session, line, person = self._refund_ids(found)
        pages, sections, section = self.simulator.page_columns
        step, each = np.tile(np.arange(2), found.size), np.repeat(np.arange(found.size), 2)
        is_refund = step == 1
        value = np.where(is_refund, self.block.returns.refund[found][each], 0)
        decimals, shown = money_column(value), pa.py_buffer(np.packbits(is_refund, bitorder="little"))
        lines = self.block.lines
        return {
            "session_id": coded(each, session),
            "event_index": pa.array(step),
            "visitor_id": coded(person[each], self.visitor_ids),
            "occurred_at": moments(at[each] - np.where(is_refund, 0, REFUND_SECONDS * 1_000_000)),
            "event_name": coded(np.where(is_refund, EVENTS.index("refund"), 0), EVENTS),
            "page": coded(np.full(each.size, HELP), pages),
            "section": coded(np.full(each.size, section[HELP]), sections),
            "product_id": coded(np.where(is_refund, lines.product[line[each]], -1), self.simulator.product_ids),
            "order_id": coded(np.where(is_refund, lines.visit[line[each]], -1), self.order_ids),
            "value": pa.Array.from_buffers(decimals.type, len(decimals), [shown, decimals.buffers()[1]]),
        }

    def searches(self) -> Columns:
        """searches."""
        searches, events = self.block.searches, self.block.events
        at = np.zeros(self.in_store.size, dtype=np.int64)
        found = events.name == EVENTS.index("search")
        at[events.visit[found]] = self.block.started[events.visit[found]] + microseconds(events.seconds[found])
        texts = self.simulator.browsing.queries[0]
        return {
            "search_id": ids("Q", self._code(searches.visit), 13),
            "session_id": coded(searches.visit, self.session_ids),
            "searched_at": moments(at[searches.visit]),
            "query": coded(searches.query, texts),
            "n_results": pa.array(searches.n_results),
            "clicked_product_id": coded(searches.clicked, self.simulator.product_ids),
        }

    def _code(self, visit: Ints) -> Ints:
        return self.block.people.number[self.block.visits.person[visit]] * 10_000 + self.block.visits.number[visit]

    def experiments(self, exposures: list[Exposure]) -> Columns:
        """experiments of the visitor tests."""
        person = np.concatenate([each.person for each in exposures])
        day, fraction = (np.concatenate([getattr(each, name) for each in exposures]) for name in ("day", "fraction"))
        test = np.repeat(np.arange(len(exposures)), [each.person.size for each in exposures])
        return {
            "experiment_id": coded(test, [each.test.experiment_id for each in exposures]),
            "unit_id": coded(person, self.visitor_ids),
            "unit": coded(np.zeros(person.size, dtype=np.int64), ["visitor"]),
            "variant": coded(np.concatenate([each.arm for each in exposures]), VARIANTS),
            "assigned_at": moments(self.simulator.calendar.moment(day, fraction)),
        }
