"""People: who comes, when, by which way, and whether they buy. The causal core; one block of people at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opslib.simulate import planted
from opslib.simulate.calendar import Calendar
from opslib.simulate.config import WARM_UP_DAYS
from opslib.simulate.draws import Draws, Floats, Ints, Quantiles
from opslib.simulate.trials import Arms

#: A key is person << 24 | visit << 12 | item: 4,096 visits of 4,096 items each.
VISIT_BITS, ITEM_BITS = 24, 12
_MAX_VISITS, _GAP_DAYS = 4_000, 0.06
GUIDE_LANDING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSimulator:
    """Latent traits of one block of people, one entry a person."""

    number: Ints  # running number in the shop
    kind: Ints  # latent type
    channel: Ints  # of arrival
    device: Ints
    country: Ints
    store: Ints  # home store
    in_store_share: Floats  # of later visits
    is_guest: np.ndarray
    rate_week: Floats  # repeat orders a week while active
    dropout: Floats  # probability after each repeat order
    spend_factor: Floats  # on mean basket size
    is_existing: np.ndarray  # customer since before the warm-up
    arrival_day: Ints
    arrival_fraction: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """Visits of one block, one entry a visit, in order of visit number; warm-up and unseen visits left out."""

    person: Ints  # position in the block
    number: Ints  # visit number of the person, from 0
    day: Ints
    fraction: Floats  # of the day, 0-1
    channel: Ints
    is_buy: np.ndarray
    n_before: Ints  # orders before this visit, warm-up included
    lost_at: Ints  # 0 not lost, 1 at delivery, 2 at payment, of those who wanted to buy
    lines_factor: Floats  # effect of tests on basket size
    landing: Ints  # 0 home, 1 category, 2 guide, 3 product
    probability: Floats  # of buying, given all effects
    variants: dict[str, np.ndarray]  # arm of each test, one entry a person: -1 not in it, 0 control, 1 treatment
    n_orders: Ints  # of each person, warm-up and lost days included


@dataclass(slots=True, kw_only=True)
class _State:
    """What changes from visit to visit, one entry a person."""

    clock: Floats  # running time of the person's type, days
    orders: Ints
    alive: Ints  # positions still active
    variants: dict[str, np.ndarray]  # arm of each test: -1 none yet, 0 control, 1 treatment


@dataclass(frozen=True, slots=True)
class Population:
    """Simulates blocks of people; any block can be asked for alone.

    Parameters
    ----------
    calendar : Calendar
        The shop's days.
    draws : Draws
        Source of all draws.
    arms : Arms
        Site and store tests, which act on each visit.
    """

    calendar: Calendar
    draws: Draws
    arms: Arms

    def block(self, numbers: Ints) -> tuple[PeopleSimulator, Visits]:
        """People with the given running numbers, and their visits."""
        people = self._traits(numbers)
        return people, self._visits(people)

    def _traits(self, numbers: Ints) -> PeopleSimulator:
        draws, calendar, key = self.draws, self.calendar, numbers << VISIT_BITS
        types = calendar.types
        kind = draws.choice("type", key, [each.share for each in types])
        config = calendar.config
        day, channel, fraction = self._arrival(key)
        existing = draws.uniform("existing", key) < planted.EXISTING_SHARE
        day = np.where(existing, 0, day)
        from_store = draws.uniform("existing store", key) < config.store_share
        channel = np.where(existing & from_store, planted.STORE, channel)
        gamma, beta = quantiles(types)
        own = config.spend_sigma * np.sqrt(config.icc)
        in_store = channel == planted.STORE
        country = draws.choice("country", key, planted.COUNTRY_SHARES)
        return PeopleSimulator(
            number=numbers,
            kind=kind,
            channel=channel,
            device=draws.choice("device", key, planted.DEVICE_SHARES),
            country=np.where(in_store, 0, country),
            store=(draws.uniform("store", key) * config.n_stores).astype(np.int64),
            in_store_share=np.where(in_store, 0.85, np.where(country == 0, 0.05, 0.0)),
            is_guest=draws.uniform("guest", key) < np.where(in_store, 0.10, 0.03),
            rate_week=gamma.at(kind, draws.uniform("rate", key)),
            dropout=np.clip(beta.at(kind, draws.uniform("dropout rate", key)), 0.0, 1.0),
            spend_factor=np.exp(own * heavy(draws, "spend", key, tail=config.tail) - 0.5 * own**2),
            is_existing=existing,
            arrival_day=day,
            arrival_fraction=fraction,
        )

    def _arrival(self, key: Ints) -> tuple[Ints, Ints, Floats]:
        """Day, channel and fraction of the day of each arrival; each of its own draw, so that switches move little."""
        table, n_days = self.calendar.arrivals, self.calendar.n_days
        in_store = self.draws.uniform("arrival in store", key) < self.calendar.store_arrivals
        daily = np.stack([table[:, : planted.STORE].sum(axis=1), table[:, planted.STORE]])
        edges = np.concatenate([np.zeros((2, 1)), np.cumsum(daily, axis=1)], axis=1)
        edges = edges / edges[:, -1:] + np.array([[0.0], [2.0]])
        u = self.draws.uniform("arrival day", key) + 2.0 * in_store
        cell = np.searchsorted(edges.ravel(), u, side="right") - 1
        low, high = edges.ravel()[cell], edges.ravel()[cell + 1]
        day = cell - (n_days + 1) * in_store
        ways = np.cumsum(table[:, : planted.STORE], axis=1)
        place = self.draws.uniform("arrival channel", key) * ways[day, -1]
        channel = np.where(in_store, planted.STORE, (place[:, None] > ways[day]).sum(axis=1))
        return day, channel, np.clip((u - low) / (high - low), 0.0, 1.0 - 1e-9)

    def _visits(self, people: PeopleSimulator) -> Visits:
        rhythm, n = self.calendar.rhythm, people.number.size
        low, high = rhythm[people.kind, people.arrival_day], rhythm[people.kind, people.arrival_day + 1]
        clock = low + people.arrival_fraction * (high - low)
        orders = people.is_existing.astype(np.int64)
        wait = self._gap(people, np.arange(n), orders > 0)
        wait = wait * self.draws.exponential("first gap", people.number << VISIT_BITS)
        clock = np.where(people.is_existing, np.minimum(wait, rhythm[0, -1] - 1e-6), clock)
        state = _State(clock=clock, orders=orders, alive=np.arange(n), variants=self.arms.unassigned(n))
        flat = (rhythm + np.arange(len(rhythm))[:, None] * (2.0 * rhythm[:, -1].max())).ravel()
        offset = np.arange(len(rhythm)) * (2.0 * rhythm[:, -1].max())
        steps = []
        for number in range(_MAX_VISITS):
            if not state.alive.size:
                break
            steps.append(self._step(people, state, number, flat, offset))
        return _kept(steps, state, self.calendar)

    def _step(
        self, people: PeopleSimulator, state: _State, number: int, flat: Floats, offset: Floats
    ) -> dict[str, np.ndarray]:
        """One visit of everybody still active, and who comes again when."""
        who = state.alive
        key = (people.number[who] << VISIT_BITS) | (number << ITEM_BITS)
        kind, rhythm = people.kind[who], self.calendar.rhythm
        day = np.searchsorted(flat, state.clock[who] + offset[kind], side="right") - 1 - kind * rhythm.shape[1]
        day = np.clip(day, 0, self.calendar.n_days - 1)
        fraction = (state.clock[who] - rhythm[kind, day]) / (rhythm[kind, day + 1] - rhythm[kind, day])
        before = state.orders[who]
        channel = self._channel(people, who, before, number, day, key)
        in_store = self._in_store(people, who, channel, before, key)
        channel = np.where(in_store, planted.STORE, channel)
        landing = self._landing(channel, key)
        effect, lines, step = self.arms.effects(state.variants, people, who, day, in_store)
        wish = self._chance(people, who, day, channel, before, landing, key) * effect
        wish = np.minimum(wish / np.where(in_store, 1.0, planted.COMPLETION), 0.98)
        passes = np.minimum(self.calendar.steps[:, day, people.device[who]] * np.stack([step, np.ones(who.size)]),
                            planted.MOST_THROUGH)  # fmt: skip
        passes[:, in_store] = 1.0
        chance, u = wish * passes.prod(axis=0), self.draws.uniform("buy", key)
        is_buy = u < chance
        lost_at = np.select([is_buy | (u >= wish), u >= wish * passes[0]], [0, 1], 2)
        self._move_on(people, state, who, key, is_buy, before)
        return {
            "person": who, "number": np.full(who.size, number), "day": day, "fraction": np.clip(fraction, 0.0, 1.0),
            "channel": channel, "is_buy": is_buy, "n_before": before, "lines_factor": lines, "landing": landing,
            "probability": chance, "lost_at": lost_at,
        }  # fmt: skip

    def _channel(self, people: PeopleSimulator, who: Ints, before: Ints, number: int, day: Ints, key: Ints) -> Ints:
        mixes = (planted.PROSPECT_MIX, planted.CUSTOMER_MIX)
        prospect, customer = (
            np.array(list(mix))[self.draws.choice("later channel", key, list(mix.values()))] for mix in mixes
        )
        later = np.where(before > 0, customer, prospect)
        reach = planted.RETARGETING_SHARE * self.calendar.spend[day, planted.RETARGETING]
        reached = np.flatnonzero(self.draws.uniform("retargeted", key) < reach)
        later[reached[~self.arms.is_withheld(people.number[who[reached]], day[reached])]] = planted.RETARGETING
        return np.where((number == 0) & (before == 0), people.channel[who], later)

    def _in_store(self, people: PeopleSimulator, who: Ints, channel: Ints, before: Ints, key: Ints) -> np.ndarray:
        later = self.draws.uniform("in store", key) < people.in_store_share[who]
        return (channel == planted.STORE) | (later & (before > 0))

    def _landing(self, channel: Ints, key: Ints) -> Ints:
        """First page: searchers land on categories and guides, advertisements on products, others at home."""
        shares = {planted.ORGANIC: (0.2, 0.3, 0.2, 0.3), planted.PAID_SEARCH: (0.1, 0.4, 0.0, 0.5),
                  planted.PAID_SOCIAL: (0.1, 0.2, 0.1, 0.6), planted.AFFILIATE: (0.3, 0.3, 0.1, 0.3),
                  planted.RETARGETING: (0.0, 0.1, 0.0, 0.9)}  # fmt: skip
        table = np.array([shares.get(number, (0.6, 0.2, 0.05, 0.15)) for number in range(len(planted.CHANNELS))])
        return (self.draws.uniform("landing", key)[:, None] > np.cumsum(table, axis=1)[channel]).sum(axis=1)

    def _chance(
        self, people: PeopleSimulator, who: Ints, day: Ints, channel: Ints, before: Ints, landing: Ints, key: Ints
    ) -> Floats:
        """Probability that the visit ends in an order, before tests."""
        calendar, kind = self.calendar, people.kind[who]
        repeat = np.array([each.conversion for each in calendar.types])[kind]
        base = np.where(before > 0, repeat, calendar.prospect_conversion)
        chance = base * np.array([each.conversion for each in planted.CHANNELS])[channel]
        in_store = channel == planted.STORE
        chance = chance * np.where(in_store, 1.0, calendar.conversion[day, people.device[who]])
        chance = np.where(in_store & (before == 0), planted.WALK_IN_CONVERSION, chance)
        response = np.array([each.promotion_response for each in calendar.types])[kind]
        chance = chance * np.where(calendar.promotion_days[day], response, 1.0)
        at = np.flatnonzero((landing == GUIDE_LANDING) & ~in_store)
        guide = calendar.guide(day[at], self.draws.uniform("landing guide", key[at]))
        chance[at] *= calendar.page_effects(day[at], guide)
        return chance

    def _move_on(
        self, people: PeopleSimulator, state: _State, who: Ints, key: Ints, is_buy: np.ndarray, before: Ints
    ) -> None:
        """Count orders, let some drop out, and set everybody's next visit."""
        state.orders[who] += is_buy
        is_customer = state.orders[who] > 0
        left = is_buy & (before > 0) & (self.draws.uniform("dropout", key) < people.dropout[who])
        left |= ~is_customer & (self.draws.uniform("return", key) >= planted.PROSPECT_RETURN)
        gap = self._gap(people, who, is_customer)
        state.clock[who] += gap * self.draws.exponential("gap", key) + _GAP_DAYS
        on_time = state.clock[who] < self.calendar.rhythm[people.kind[who], -1]
        state.alive = who[~left & on_time]

    def _gap(self, people: PeopleSimulator, who: Ints, is_customer: np.ndarray) -> Floats:
        """Mean running days to the next visit, so that customers order at their own rate."""
        repeat = np.array([each.conversion for each in self.calendar.types])[people.kind[who]]
        repeat = 7.0 * repeat * planted.CUSTOMER_MIX_CONVERSION / np.maximum(people.rate_week[who], 1e-9)
        return np.where(is_customer, repeat, planted.PROSPECT_GAP_DAYS)


def quantiles(types: tuple[planted.CustomerType, ...]) -> tuple[Quantiles, Quantiles]:
    """Quantiles of the order rates (a week) and of the dropout probabilities, one row a type."""
    if types not in _QUANTILES:
        column = {name: np.array([getattr(each, name) for each in types]) for name in ("r", "alpha_weeks", "a", "b")}
        _QUANTILES[types] = (
            Quantiles.gamma(column["r"], column["alpha_weeks"]), Quantiles.beta(column["a"], column["b"])
        )  # fmt: skip
    return _QUANTILES[types]


_QUANTILES: dict[tuple[planted.CustomerType, ...], tuple[Quantiles, Quantiles]] = {}


def heavy(draws: Draws, purpose: str, key: Ints, *, tail: str) -> Floats:
    """Standardised log of a heavy-tailed factor: normal, or exponential (a Pareto factor) cut at six deviations."""
    if tail == "lognormal":
        return draws.normal(purpose, key)
    return np.minimum(draws.exponential(purpose, key), 6.0) - 1.0


def _kept(steps: list[dict[str, np.ndarray]], state: _State, calendar: Calendar) -> Visits:
    """Visits in the shop's period and seen by it: site visits, and store visits with an order."""
    columns = {name: np.concatenate([step[name] for step in steps]) for name in steps[0]}
    seen = (columns["day"] >= WARM_UP_DAYS) & ~calendar.missing[columns["day"]]
    seen &= (columns["channel"] != planted.STORE) | columns["is_buy"]
    return Visits(
        variants=state.variants, n_orders=state.orders, **{name: values[seen] for name, values in columns.items()}
    )
