"""The shop's days: traffic, season, shocks, spend, and what multiplies conversion on each day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from opslib.simulate import planted
from opslib.simulate.config import WARM_UP_DAYS, ShopConfig
from opslib.simulate.draws import Draws, Floats, Ints

DAY_SECONDS = 86_400
Planned = TypeVar("Planned", planted.PlantedChange, planted.PlantedExperiment, planted.PlantedRollout)
_WEEKDAY = np.array([1.02, 0.98, 0.97, 1.0, 1.05, 1.14, 0.84])
#: Hours of a visit's start and the share of visits begun before each (site, store); nights are left free, so that no
#: visit crosses midnight or a change of the clock.
_HOURS = np.array([6.5, 9.0, 12.0, 14.0, 17.0, 19.0, 21.0, 22.75])
_SITE_SHARE = np.array([0.0, 0.12, 0.32, 0.46, 0.62, 0.77, 0.93, 1.0])
_STORE_SHARE = np.array([0.0, 0.0, 0.35, 0.60, 0.92, 1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Calendar:
    """Daily multipliers of one shop; index 0 is the first day of the warm-up, not of the shop.

    Parameters
    ----------
    config : ShopConfig
        Size, period and nuisances.
    draws : Draws
        Source of the daily shocks.
    """

    config: ShopConfig
    draws: Draws

    @cached_property
    def n_days(self) -> int:
        """Days with the warm-up."""
        return WARM_UP_DAYS + self.config.days

    @cached_property
    def first_day(self) -> date:
        """First day of the warm-up."""
        return self.config.start - timedelta(days=WARM_UP_DAYS)

    def at(self, share: float) -> int:
        """Day index of a share of the shop's period."""
        return WARM_UP_DAYS + round(share * self.config.days)

    def on(self, share: float) -> date:
        """Date of a share of the shop's period."""
        return self.first_day + timedelta(days=self.at(share))

    @cached_property
    def _day_of_year(self) -> Ints:
        first = np.datetime64(self.first_day) + np.arange(self.n_days)
        return (first - first.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)

    @cached_property
    def shocks(self) -> Floats:
        """Autocorrelated demand shocks (log), stationary."""
        z = self.draws.normal("shock", np.arange(self.n_days))
        rho, out = self.config.ar, np.empty(self.n_days)
        out[0] = z[0]
        for day in range(1, self.n_days):
            out[day] = rho * out[day - 1] + np.sqrt(1.0 - rho**2) * z[day]
        return out * self.config.shock_sd

    @cached_property
    def gift_season(self) -> Floats:
        """Bump before Christmas, 0-1."""
        return np.exp(-0.5 * ((self._day_of_year - 341) / 16.0) ** 2) * self.config.annual_season

    @cached_property
    def summer(self) -> Floats:
        """Summer wave, -1 to 1."""
        return np.cos(2 * np.pi * (self._day_of_year - 172) / 365.25) * self.config.annual_season

    @cached_property
    def season(self) -> Floats:
        """Log season of traffic."""
        return 0.40 * self.gift_season - 0.08 * self.summer

    def window(self, starts: float, ends: float | None) -> slice:
        """Days of a window given as shares of the period."""
        return slice(self.at(starts), self.n_days if ends is None else max(self.at(ends), self.at(starts) + 1))

    @cached_property
    def promotion_days(self) -> np.ndarray:
        """Whether a promotion runs, one flag a day."""
        running = np.zeros(self.n_days, dtype=bool)
        for promotion in planted.PROMOTIONS if self.config.promotions else ():
            running[self.window(promotion.starts, promotion.ends)] = True
        return running

    @cached_property
    def _base(self) -> Floats:
        """Traffic of a day without trend and annual season."""
        log = self.shocks.copy()
        if self.config.weekday:
            log += np.log(_WEEKDAY)[(self.first_day.weekday() + np.arange(self.n_days)) % 7]
        for promotion in planted.PROMOTIONS if self.config.promotions else ():
            log[self.window(promotion.starts, promotion.ends)] += np.log1p(promotion.traffic)
        log[self.at(0.70) :] += np.log1p(self.config.level_break)
        return np.exp(log)

    @cached_property
    def arrivals(self) -> Floats:
        """Expected share of all people by day and channel of arrival (days x channels); sums to one."""
        growth = np.exp(np.log1p(self.config.trend) * (np.arange(self.n_days) - WARM_UP_DAYS) / 365.25)
        traffic = self._base * np.exp(self.season) * growth
        online = np.array([channel.arrival_share for channel in planted.CHANNELS])
        table = traffic[:, None] * online * self.spend
        table *= (1.0 - self.store_arrivals) / table.sum()
        table[:, planted.STORE] = traffic * (self.store_arrivals / traffic.sum())
        return table

    @cached_property
    def store_arrivals(self) -> float:
        """Share of all people who come to a store first, so that the wanted share of new customers does."""
        store, visits = self.config.store_share, 1.0 / (1.0 - planted.PROSPECT_RETURN)
        buying = self.prospect_conversion * visits / planted.WALK_IN_CONVERSION
        return store * buying / (store * buying + 1.0 - store)

    @cached_property
    def prospect_conversion(self) -> float:
        """Conversion of a visit by somebody who has not bought, before any effect."""
        return planted.PROSPECT_CONVERSION / self.config.browser_share

    @cached_property
    def spend(self) -> Floats:
        """Spend relative to its mean, by day and channel (days x channels): weekly flights, some weeks off."""
        weeks = np.arange(self.n_days) // 7
        out = np.ones((self.n_days, len(planted.CHANNELS)))
        for number, channel in enumerate(planted.CHANNELS):
            if channel.cost_per_click > 0:
                u = self.draws.uniform(f"flight/{channel.name}", weeks)
                out[:, number] = np.select([u < 0.15, u < 0.40, u < 0.75], [0.0, 0.6, 1.1], 1.86)
                for change in self.changes:
                    if change.scope == f"channel:{channel.name}":
                        out[self.window(change.starts, change.ends), number] *= 1.0 + change.effect
        return out

    @cached_property
    def rhythm(self) -> Floats:
        """Running time of repeat visits (types x days + 1), in days; each type has its own season."""
        powers = np.array([kind.season_power for kind in self.types])
        rate = self._base[None, :] * np.exp(powers[:, None] * self.season[None, :])
        rate /= rate[:, WARM_UP_DAYS:].mean(axis=1, keepdims=True)
        return np.concatenate([np.zeros((len(powers), 1)), np.cumsum(rate, axis=1)], axis=1)

    @cached_property
    def types(self) -> tuple[planted.CustomerType, ...]:
        """Latent types of this shop."""
        return planted.CUSTOMER_TYPES if self.config.customer_types == "planted" else planted.SINGLE_TYPE

    @cached_property
    def changes(self) -> tuple[planted.PlantedChange, ...]:
        """Changes of this shop, with their effects as scaled; the rise of list prices stays as it is."""
        happened = [each for each in planted.CHANGES if each.kind != "outage" or self.config.outages]
        return tuple(each if each.acts_on == "price" else self._scaled(each) for each in happened)

    @cached_property
    def experiments(self) -> tuple[planted.PlantedExperiment, ...]:
        """Tests on the site and in stores, then those by mail, with their effects as scaled."""
        return tuple(self._scaled(test) for test in planted.SITE_EXPERIMENTS + planted.MAIL_EXPERIMENTS)

    @cached_property
    def rollouts(self) -> tuple[planted.PlantedRollout, ...]:
        """Roll-outs, with their effects as scaled."""
        return tuple(self._scaled(rollout) for rollout in planted.ROLLOUTS)

    @cached_property
    def competitor_cut(self) -> planted.CompetitorCut:
        """The competitor's price cut, with its effect on own demand as scaled."""
        cut = planted.COMPETITOR_CUT
        return replace(cut, own_demand=cut.own_demand * self.config.effect_scale)

    def _scaled(self, planned: Planned) -> Planned:
        """With its effect as scaled; one that is left to the base rate is drawn from it."""
        effect = planned.effect
        if isinstance(planned, planted.PlantedExperiment) and planned.is_drawn:
            drawn = self.draws.normal(f"effect/{planned.experiment_id}", np.zeros(1, dtype=np.int64))
            effect = self.config.effect_sd * float(drawn[0])
        return replace(planned, effect=round(effect * self.config.effect_scale, 6))

    @cached_property
    def conversion(self) -> Floats:
        """Factor on conversion by day and device (days x devices): releases."""
        return np.array(planted.DEVICE_CONVERSION) * self._by_device("conversion")

    @cached_property
    def steps(self) -> Floats:
        """Share that gets through delivery and payment (steps x days x devices), before tests."""
        return np.stack([share * self._by_device(step) for step, share in planted.STEPS.items()])

    def _by_device(self, acts_on: str) -> Floats:
        """Factor of releases and outages (days x devices)."""
        out = np.ones((self.n_days, len(planted.DEVICES)))
        for change in self.changes:
            if change.acts_on != acts_on or change.scope.startswith(("section:", "page:")):
                continue
            device = change.scope.removeprefix("device:")
            columns = slice(None) if device == change.scope else planted.DEVICES.index(device)
            out[self.window(change.starts, change.ends), columns] *= 1.0 + change.effect
        return out

    @cached_property
    def _guide_edges(self) -> Floats:
        """Cumulated share of each guide among visits to guides (days x guides); the new one is read less and less."""
        shares, age = (
            np.ones((self.n_days, len(planted.GUIDES))),
            np.arange(self.n_days) - self.at(planted.NEW_GUIDE_FROM),
        )
        novelty = planted.NEW_GUIDE_PEAK * 0.5 ** (np.maximum(age, 0) / planted.NEW_GUIDE_HALF_LIFE)
        shares[:, planted.NEW_GUIDE] = np.where(age >= 0, planted.NEW_GUIDE_REST + novelty, 0.0)
        edges = np.cumsum(shares, axis=1)
        return edges / edges[:, -1:]

    def guide(self, day: Ints, u: Floats) -> Ints:
        """Guide that a visit of a day comes to, by a uniform draw."""
        return (u[:, None] > self._guide_edges[day]).sum(axis=1)

    def page_effects(self, day: Ints, guide: Ints) -> Floats:
        """Factor on what a visit that lands on a guide does there: guides rewritten, links lost."""
        out = np.ones(day.size)
        for change in self.changes:
            window = self.window(change.starts, change.ends)
            inside = (day >= window.start) & (day < window.stop)
            if change.scope.startswith("page:/guides/"):
                inside &= guide == planted.GUIDES.index(change.scope.removeprefix("page:/guides/"))
            elif change.scope != planted.GUIDES_SECTION:
                continue
            out[inside] *= 1.0 + change.effect
        return out

    @cached_property
    def missing(self) -> np.ndarray:
        """Whether a day is lost from the exports, one flag a day."""
        lost = np.zeros(self.n_days, dtype=bool)
        for number in range(self.config.missing_days):
            lost[self.at(0.23 + 0.07 * number) % self.n_days] = True
        return lost

    @cached_property
    def _utc_midnight(self) -> Ints:
        """Seconds since 1970 in UTC of each local midnight, by the offset that holds at noon."""
        zone = ZoneInfo(self.config.time_zone)
        days = [self.first_day + timedelta(days=day) for day in range(self.n_days)]
        noon = [datetime.combine(day, time(12), tzinfo=zone).timestamp() for day in days]
        return np.array(noon, dtype=np.int64) - 12 * 3_600

    def moment(self, day: Ints, fraction: Floats, *, in_store: np.ndarray | bool = False) -> Ints:
        """Microseconds in UTC of a point of the local day; the fraction (0-1) is spread over opening hours."""
        site = np.interp(fraction, _SITE_SHARE, _HOURS)
        store = np.interp(fraction, _STORE_SHARE[1:6], _HOURS[1:6])
        seconds = np.where(in_store, store, site) * 3_600.0
        return (self._utc_midnight[day] * 1_000_000 + (seconds * 1_000.0).astype(np.int64) * 1_000).astype(np.int64)

    def midnight(self, day: Ints | int) -> Ints:
        """Microseconds in UTC of local midnight; days after the last one are of 24 hours."""
        later = np.maximum(np.asarray(day) - (self.n_days - 1), 0)
        return (self._utc_midnight[day - later] + later * DAY_SECONDS) * 1_000_000

    def day_of(self, moment: Ints) -> Ints:
        """Day of microseconds in UTC."""
        return np.searchsorted(self._utc_midnight * 1_000_000, moment, side="right") - 1

    @property
    def end_moment(self) -> int:
        """Microseconds in UTC of the end of the last day: nothing written is later."""
        return int(self._utc_midnight[-1] + DAY_SECONDS) * 1_000_000 - 1
