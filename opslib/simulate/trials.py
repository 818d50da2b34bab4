"""Randomised tests and roll-outs: who gets which arm, and what it does to a visit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from opslib.simulate import planted
from opslib.simulate.calendar import Calendar
from opslib.simulate.draws import Draws, Floats, Ints

if TYPE_CHECKING:
    from opslib.simulate.people import PeopleSimulator, Visits

CONTROL, TREATMENT = 0, 1
VARIANTS = ("control", "treatment")
RETARGETING_TEST = "exp-no-retargeting"
MARKETS = np.isin(np.array(planted.COUNTRIES), planted.ROLLOUT_MARKETS)


@dataclass(frozen=True)
class Arms:
    """Assignment and effects of site tests, store tests and roll-outs.

    Parameters
    ----------
    calendar : Calendar
        The shop's days.
    draws : Draws
        Source of the assignment.
    """

    calendar: Calendar
    draws: Draws

    @cached_property
    def visitor_tests(self) -> tuple[planted.PlantedExperiment, ...]:
        """Tests that randomise visitors on the site."""
        return tuple(test for test in self.calendar.experiments if test.unit == "visitor" and not test.base)

    @cached_property
    def _windows(self) -> list[tuple[planted.PlantedExperiment, slice]]:
        return [(test, self.calendar.window(test.starts, test.ends)) for test in self.visitor_tests]

    @cached_property
    def _epochs(self) -> dict[str, list[tuple[int, int, float]]]:
        return {test.experiment_id: self.epochs(test) for test in self.visitor_tests}

    @cached_property
    def store_tests(self) -> tuple[planted.PlantedExperiment, ...]:
        """Tests that randomise stores."""
        return tuple(test for test in self.calendar.experiments if test.unit == "store")

    @cached_property
    def mail_tests(self) -> tuple[planted.PlantedExperiment, ...]:
        """Tests on the newsletter list; their outcomes are in ``unit_outcomes`` only."""
        return tuple(test for test in self.calendar.experiments if test.base)

    @cached_property
    def treated_stores(self) -> np.ndarray:
        """Half of the stores, drawn at random, that got the store test."""
        order = np.argsort(self.draws.uniform("store test", np.arange(self.calendar.config.n_stores)))
        treated = np.zeros(self.calendar.config.n_stores, dtype=bool)
        treated[order[: self.calendar.config.n_stores // 2]] = True
        return treated

    @cached_property
    def n_rollout_stores(self) -> int:
        """Stores, from number 0, in which the store roll-out began."""
        return round(planted.ROLLOUT_STORE_SHARE * self.calendar.config.n_stores)

    def epochs(self, test: planted.PlantedExperiment) -> list[tuple[int, int, float]]:
        """Days and planned treatment share of each allocation epoch: (first day, day after, share)."""
        window = self.calendar.window(test.starts, test.ends)
        epochs = test.epochs if self.calendar.config.ramp else test.epochs[-1:]
        length = window.stop - window.start
        starts = [window.start + round(share * length) for share, _ in epochs]
        starts[0] = window.start
        return [
            (start, stop, share)
            for start, stop, (_, share) in zip(starts, [*starts[1:], window.stop], epochs, strict=True)
        ]

    def unassigned(self, n: int) -> dict[str, np.ndarray]:
        """No arm for anybody."""
        return {test.experiment_id: np.full(n, -1, dtype=np.int8) for test in self.visitor_tests}

    def effects(
        self, variants: dict[str, np.ndarray], people: PeopleSimulator, who: Ints, day: Ints, in_store: np.ndarray
    ) -> tuple[Floats, Floats, Floats]:
        """Factors on conversion, basket size and delivery step of one round of visits; assigns newcomers on the way."""
        chance, lines, step = np.ones(who.size), np.ones(who.size), np.ones(who.size)
        acts = {"conversion": chance, "order_lines": lines, "checkout_completion": step}
        for test, window in self._windows:
            inside = np.flatnonzero((day >= window.start) & (day < window.stop) & ~in_store)
            if not inside.size:
                continue
            arm, person = variants[test.experiment_id], who[inside]
            fresh = np.flatnonzero(arm[person] < 0)
            if fresh.size:
                arm[person[fresh]] = self._assign(test, people.number[person[fresh]], day[inside[fresh]])
            if test.effect and test.metric in acts:
                acts[test.metric][inside] *= 1.0 + test.effect * (arm[person] == TREATMENT)
        chance *= self._unit_effects(people, who, day, in_store)
        return chance, lines, step

    def is_withheld(self, numbers: Ints, day: Ints) -> np.ndarray:
        """Whether the come-back banners are withheld from somebody on a day: the control group of their test."""
        test, window = next(pair for pair in self._windows if pair[0].experiment_id == RETARGETING_TEST)
        inside = (day >= window.start) & (day < window.stop)
        drawn = self.draws.uniform(f"group/{test.experiment_id}", numbers[inside]) >= test.epochs[-1][1]
        inside[inside] = drawn
        return inside

    def treated_in(self, metric: str, variants: dict[str, np.ndarray], person: Ints, day: Ints) -> Floats:
        """Factor of the tests of one metric on visits of some people and days."""
        out = np.ones(day.size)
        for test, window in self._windows:
            if test.metric == metric:
                inside = (day >= window.start) & (day < window.stop)
                out *= 1.0 + test.effect * (inside & (variants[test.experiment_id][person] == TREATMENT))
        return out

    def _assign(self, test: planted.PlantedExperiment, numbers: Ints, day: Ints) -> np.ndarray:
        share = np.zeros(numbers.size)
        for start, stop, planned in self._epochs[test.experiment_id]:
            share[(day >= start) & (day < stop)] = planned
        return (self.draws.uniform(f"group/{test.experiment_id}", numbers) < share).astype(np.int8)

    def _unit_effects(self, people: PeopleSimulator, who: Ints, day: Ints, in_store: np.ndarray) -> Floats:
        """Effects on stores and markets."""
        chance, calendar, store, country = np.ones(who.size), self.calendar, people.store[who], people.country[who]
        for test in self.store_tests:
            window = calendar.window(test.starts, test.ends)
            treated = in_store & self.treated_stores[store] & (day >= window.start) & (day < window.stop)
            chance[treated] *= 1.0 + test.effect
        for rollout in calendar.rollouts:
            treated = day >= calendar.at(rollout.starts)
            treated &= (
                in_store & (store < self.n_rollout_stores) if rollout.unit == "store" else ~in_store & MARKETS[country]
            )
            chance[treated] *= 1.0 + rollout.effect
        return chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Who took part in one visitor test, one entry a logged visitor of the block."""

    test: planted.PlantedExperiment
    person: Ints  # position in the block
    arm: Ints
    day: Ints  # of the first visit in the window
    fraction: Floats


def exposures(arms: Arms, people: PeopleSimulator, visits: Visits) -> list[Exposure]:
    """Assignment log of each visitor test in a block; the broken test loses treated visitors who did not buy."""
    out = []
    for test in arms.visitor_tests:
        window = arms.calendar.window(test.starts, test.ends)
        inside = (visits.day >= window.start) & (visits.day < window.stop) & (visits.channel != planted.STORE)
        place = np.flatnonzero(inside)
        person, first = np.unique(visits.person[place], return_index=True)
        arm = visits.variants[test.experiment_id][person].astype(np.int64)
        keep = np.ones(person.size, dtype=bool)
        if test.is_lossy:
            bought = np.isin(person, visits.person[place][visits.is_buy[place]])
            lost = arms.draws.uniform(f"lost/{test.experiment_id}", people.number[person])
            keep = (arm == CONTROL) | bought | (lost >= arms.calendar.config.sample_ratio_loss)
        place = place[first][keep]
        out.append(
            Exposure(
                test=test, person=person[keep], arm=arm[keep], day=visits.day[place], fraction=visits.fraction[place]
            )
        )
    return out
