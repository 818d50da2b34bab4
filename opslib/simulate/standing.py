"""Tables that do not depend on people: products, prices, stock, pages, changes, spend, plans."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa

from opslib.simulate import phrasing, planted
from opslib.simulate.calendar import Calendar
from opslib.simulate.catalogue import Catalogue
from opslib.simulate.config import WARM_UP_DAYS
from opslib.simulate.draws import Ints
from opslib.simulate.records import Columns, Simulator, store_name
from opslib.simulate.writing import coded, dates, ids, moments, money_column

LEAD_TIMES, PACK_SIZES = (7, 14, 35, 10, 21, 28), (6, 12, 10, 4, 8, 12)
OVERSTOCK_SHARE, OVERSTOCK_DAYS = 0.04, 500


@dataclass(frozen=True)
class Standing:
    """Rows of the tables that do not belong to people.

    Parameters
    ----------
    simulator : Simulator
        The shop's products and days.
    units : ndarray
        Units ordered (days x products).
    clicks : ndarray
        Site visits (days x channels).
    """

    simulator: Simulator
    units: np.ndarray
    clicks: np.ndarray

    @property
    def catalogue(self) -> Catalogue:
        """The shop's products."""
        return self.simulator.baskets.catalogue

    @property
    def calendar(self) -> Calendar:
        """The shop's days."""
        return self.simulator.calendar

    @property
    def _start(self) -> np.datetime64:
        return np.datetime64(self.calendar.config.start)

    def tables(self) -> dict[str, Columns]:
        """All tables of this module."""
        return {
            "products": self.products(), "price_history": self.price_history(), "stock_levels": self.stock_levels(),
            "pages": self.pages(), "changes": self.changes(), "ad_spend": self.ad_spend(), "capacity": self.capacity(),
            "rollouts": self.rollouts(), "survey_answers": self.survey_answers(), "truth/products": self.truth_products(),
        }  # fmt: skip

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """Place of each product among those of its article, and their number: no two look alike, while there are looks."""
        noun = self.catalogue.noun
        order, place = np.argsort(noun, kind="stable"), np.empty(noun.size, dtype=np.int64)
        place[order] = np.arange(noun.size) - np.searchsorted(noun[order], noun[order])
        return place, np.bincount(noun)[noun]

    @cached_property
    def words(self) -> dict[str, Ints]:
        """Codes of each product's look, material, colour and style."""
        number, draws = self.catalogue.number, self.catalogue.draws
        sizes = {"colour": len(phrasing.COLOURS)}
        out = {name: (draws.uniform(f"word/{name}", number) * size).astype(np.int64) for name, size in sizes.items()}
        first = (draws.uniform("word/look", self.catalogue.noun) * len(phrasing.LOOKS)).astype(np.int64)
        out["look"] = (first + self.places[0]) % len(phrasing.LOOKS)
        return {
            **out,
            "material": self.catalogue.material,
            "style": np.digitize(self.catalogue.position[:, 0], [-0.6, 0.0, 0.6]),
        }

    @cached_property
    def names(self) -> list[str]:
        """Name of each product."""
        nouns, words = [noun for noun, _ in self.catalogue.articles], self.words
        return [
            f"{phrasing.LOOKS[words['look'][n]].capitalize()} {phrasing.MATERIALS[words['material'][n]]} "
            f"{nouns[self.catalogue.noun[n]]} {self.catalogue.size[n]:.0f} cm"
            for n in range(self.catalogue.n)
        ]

    def products(self) -> Columns:
        """products."""
        catalogue, words = self.catalogue, self.words
        described = [
            f"{name} in {phrasing.COLOURS[words['colour'][n]]}, {phrasing.STYLES[words['style'][n]]} in style."
            for n, name in enumerate(self.names)
        ]
        return {
            "product_id": self.simulator.product_ids,
            "name": pa.array(self.names),
            "category": coded(catalogue.category, [category.name for category in planted.CATEGORIES]),
            "brand": coded(catalogue.brand, [*phrasing.BRANDS, phrasing.OWN_LABEL]),
            "supplier": coded(catalogue.supplier, [f"Supplier {letter}" for letter in "ABCDEF"]),
            "price": money_column(catalogue.prices[-1]),
            "cost": money_column(catalogue.cost),
            "lead_time_days": pa.array(np.array(LEAD_TIMES)[catalogue.supplier]),
            "pack_size": pa.array(np.array(PACK_SIZES)[catalogue.supplier]),
            "min_order_quantity": pa.array(2 * np.array(PACK_SIZES)[catalogue.supplier]),
            "launched_at": dates(self._start, catalogue.launched),
            "description": pa.array(described),
            "has_image": pa.array(catalogue.has_image),
            "attr_durability": pa.array(catalogue.durability),
            "attr_eco_score": pa.array(catalogue.eco_score),
            "attr_size_cm": pa.array(catalogue.size),
            "attr_material": coded(words["material"], phrasing.MATERIALS),
            "attr_colour": coded(words["colour"], phrasing.COLOURS),
            "attr_style": coded(words["style"], phrasing.STYLES),
        }

    def truth_products(self) -> Columns:
        """What only the simulation knows about each product."""
        catalogue = self.catalogue
        return {
            "product_id": self.simulator.product_ids,
            "plain_to_decorative": pa.array(catalogue.position[:, 0]),
            "delicate_to_sturdy": pa.array(catalogue.position[:, 1]),
            "quality": pa.array(catalogue.quality),
            "popularity": pa.array(catalogue.popularity),
            "substitute_group": pa.array(catalogue.group),
            "return_probability": pa.array(self.simulator.baskets.return_share),
            "is_faulty": pa.array(catalogue.is_faulty),
            "is_declining": pa.array(catalogue.is_declining),
            "is_loss_maker": pa.array(catalogue.is_loss_maker),
            "is_overstocked": pa.array(self.is_overstocked),
            "reference_price": pa.array(np.exp(catalogue.log_price)),
        }

    def price_history(self) -> Columns:
        """price_history: one row a run of days at one price."""
        prices, launched = self.catalogue.prices, np.maximum(self.catalogue.launched, 0)
        day = np.arange(len(prices))[:, None]
        changed = np.diff(prices, axis=0, prepend=-1) != 0
        starts = (changed & (day > launched)) | (day == launched)
        product, first = np.nonzero(starts.T)
        last_of_product = np.append(np.diff(product) != 0, True)
        following = np.append(first[1:], 0) - 1
        until = dates(self._start, np.where(last_of_product, 0, following))
        return {
            "product_id": coded(product, self.simulator.product_ids),
            "valid_from": dates(self._start, first),
            "valid_to": pa.array(until.to_numpy(zero_copy_only=False), mask=last_of_product),
            "price": money_column(prices[first, product]),
        }

    @cached_property
    def is_overstocked(self) -> np.ndarray:
        """Products with far more on the shelf than they sell."""
        return self.catalogue.draws.uniform("overstock", self.catalogue.number) < OVERSTOCK_SHARE

    def stock_levels(self) -> Columns:
        """stock_levels at the end of each day, from the planned stock-outs and what was sold in between.

        A delivery comes at the end of each supplier cycle; what it must cover is sold until the next one. On days with
        the product on the shelf at least one unit is left. What comes next is on order from half of a cycle before.
        """
        days, n = self.units.shape
        in_stock, cycle = self.catalogue.in_stock, np.array(LEAD_TIMES)[self.catalogue.supplier]
        phase = (self.catalogue.draws.uniform("delivery", self.catalogue.number) * cycle).astype(np.int64)
        day = np.arange(days)[:, None]
        runs_out = in_stock & ~np.vstack([in_stock[1:], in_stock[-1:]])
        ends = ((day + phase) % cycle == cycle - 1) | runs_out
        ends[-1] = True
        end = np.minimum.accumulate(np.where(ends, day, days)[::-1], axis=0)[::-1]
        later = np.cumsum(self.units[::-1], axis=0)[::-1] - self.units
        daily = self.units.mean(axis=0)
        safety = np.where(self.is_overstocked, OVERSTOCK_DAYS * daily + 40, 0.5 * cycle * daily + 3).astype(np.int64)
        column = np.arange(n)
        spare = np.where(runs_out[end, column], 0, safety)
        level = np.where(in_stock, np.maximum(later - later[end, column] + spare, 1), 0)
        received = np.maximum(level[1:] + self.units[1:] - level[:-1], 0)
        received = np.vstack([received, np.ceil(daily * cycle).astype(np.int64)])
        comes = np.minimum.accumulate(np.where(received > 0, day, days - 1)[::-1], axis=0)[::-1]
        on_order = np.where(2 * (comes - day) < cycle, received[comes, column], 0)
        row, product = np.nonzero(day >= self.catalogue.launched)
        return {
            "product_id": coded(product, self.simulator.product_ids),
            "date": dates(self._start, row),
            "n_on_hand": pa.array(level[row, product]),
            "n_on_order": pa.array(on_order[row, product]),
        }

    def pages(self) -> Columns:
        """pages."""
        rows = self.simulator.browsing.pages
        launched = np.full(len(rows), -400)
        launched[self.simulator.browsing.first_item :] = self.catalogue.launched
        guide = self.simulator.browsing.first_item - len(planted.GUIDES) + planted.NEW_GUIDE
        launched[guide] = self.calendar.at(planted.NEW_GUIDE_FROM) - WARM_UP_DAYS
        titles = [row[2] for row in rows]
        titles[self.simulator.browsing.first_item :] = self.names
        at = (self._start.astype("datetime64[D]").astype(np.int64) + launched) * 86_400_000_000
        return {
            "page": pa.array([row[0] for row in rows]),
            "section": pa.array([row[1] for row in rows]),
            "title": pa.array(titles),
            "published_at": moments(at),
            "template": pa.array([row[3] for row in rows]),
        }

    def changes(self) -> Columns:
        """changes: releases, prices, content, outages, promotions and roll-outs."""
        rows = [
            (change.change_id, change.kind, change.starts, change.ends, change.scope, change.description)
            for change in self.calendar.changes
        ]
        names = [category.name for category in planted.CATEGORIES]
        for promotion in planted.PROMOTIONS if self.calendar.config.promotions else ():
            scope = "category:" + ",".join(names[number] for number in promotion.categories)
            rows.append((promotion.change_id, "promotion", promotion.starts, promotion.ends, scope, promotion.title))
        rows += [
            (roll.rollout_id, "release", roll.starts, None, f"rollout:{roll.unit}", roll.title)
            for roll in self.calendar.rollouts
        ]
        windows = [self.calendar.window(starts, ends) for _, _, starts, ends, _, _ in rows]
        lasts = np.array(
            [row[3] is None or window.stop >= self.calendar.n_days for row, window in zip(rows, windows, strict=True)]
        )
        ended = self.calendar.midnight(
            np.where(lasts, 0, [min(window.stop, self.calendar.n_days - 1) for window in windows])
        )
        return {
            "change_id": pa.array([row[0] for row in rows]),
            "kind": pa.array([row[1] for row in rows]),
            "started_at": moments(self.calendar.midnight(np.array([window.start for window in windows]))),
            "ended_at": pa.array(ended.astype("datetime64[us]"), mask=lasts),
            "scope": pa.array([row[4] for row in rows]),
            "description": pa.array([row[5] for row in rows]),
        }

    @cached_property
    def spend(self) -> dict[int, Ints]:
        """Money spent a day, in ten-thousandths, of each paid channel."""
        out = {}
        for number, channel in enumerate(planted.CHANNELS):
            if channel.cost_per_click > 0:
                plan = self.calendar.spend[WARM_UP_DAYS:, number]
                rate = self.clicks[:, number].sum() * channel.cost_per_click / max(plan.sum(), 1e-9)
                out[number] = (np.round(rate * plan, 2) * 10_000).round().astype(np.int64)
        return out

    def ad_spend(self) -> Columns:
        """ad_spend; clicks are a little more than the visits they became."""
        numbers, days = np.array(list(self.spend)), self.calendar.config.days
        channel, day = np.repeat(numbers, days), np.tile(np.arange(days), numbers.size)
        visits = self.clicks[day, channel]
        return {
            "date": dates(self._start, day),
            "channel": coded(channel, [each.name for each in planted.CHANNELS]),
            "campaign": coded(channel, [each.campaign or "" for each in planted.CHANNELS]),
            "cost_amount": money_column(np.concatenate([self.spend[number] for number in numbers])),
            "n_impressions": pa.array(visits * 62),
            "n_clicks": pa.array((visits * 1.07).round().astype(np.int64)),
        }

    def capacity(self) -> Columns:
        """capacity: person-days and money of each department, for the period and six months after."""
        start, end = self.calendar.config.start, self.calendar.config.end
        n_months = (end.year - start.year) * 12 + end.month - start.month + 7
        months = [
            date(start.year + (start.month - 1 + m) // 12, (start.month - 1 + m) % 12 + 1, 1) for m in range(n_months)
        ]
        names = list(phrasing.DEPARTMENTS)
        department, month = np.repeat(np.arange(len(names)), n_months), np.tile(np.arange(n_months), len(names))
        vary = 0.8 + 0.4 * self.catalogue.draws.uniform("capacity", department * 1_000 + month)
        days, budget = np.array(list(phrasing.DEPARTMENTS.values())).T
        return {
            "department": coded(department, names),
            "month": pa.array(months * len(names), pa.date32()),
            "person_days": pa.array(np.round(days[department] * vary, 1)),
            "budget_amount": money_column((np.round(budget[department] * vary, -2) * 10_000).astype(np.int64)),
        }

    def survey_answers(self) -> Columns:
        """survey_answers: what customers said when they were asked, at most one answer a question."""
        n, draws = self.n_respondents, self.catalogue.draws
        respondent = np.tile(np.arange(n), len(planted.SURVEY))
        which = np.repeat(np.arange(len(planted.SURVEY)), n)
        words = [answer for answers in planted.SURVEY.values() for answer in answers]
        first = np.cumsum([0, *(len(answers) for answers in planted.SURVEY.values())])
        said = [draws.choice(f"survey/{number}", np.arange(n), list(answers.values()))
                for number, answers in enumerate(planted.SURVEY.values())]  # fmt: skip
        days = self.calendar.at(planted.SURVEY_FROM) + (draws.uniform("survey day", respondent) * 14).astype(np.int64)
        at = self.calendar.midnight(np.minimum(days, self.calendar.n_days - 1)) + 12 * 3_600_000_000
        return {
            "survey_id": coded(np.zeros(which.size, dtype=np.int64), [planted.SURVEY_ID]),
            "respondent_id": ids("A", respondent, 6),
            "question": coded(which, list(planted.SURVEY)),
            "answered_at": moments(at),
            "answer": coded(np.concatenate(said) + first[which], words),
            "segment": coded((draws.uniform("survey segment", respondent) < 0.7) * 1, ["first order", "regular"]),
        }

    @property
    def n_respondents(self) -> int:
        """People who answered the survey."""
        return max(60, round(planted.SURVEY_SHARE * self.calendar.config.n_orders / 2))

    def rollouts(self) -> Columns:
        """rollouts: every unit, with the day from which it was treated."""
        arms, rows = self.simulator.population.arms, []
        for rollout in self.calendar.rollouts:
            day = self.calendar.on(rollout.starts)
            if rollout.unit == "store":
                units = [(store_name(n), n < arms.n_rollout_stores) for n in range(self.calendar.config.n_stores)]
            else:
                units = [(name, name in planted.ROLLOUT_MARKETS) for name in planted.COUNTRIES]
            rows += [(rollout.rollout_id, name, rollout.unit, day if treated else None) for name, treated in units]
        names, types = ("rollout_id", "unit_id", "unit", "treated_from"), (pa.string(),) * 3 + (pa.date32(),)
        return {name: pa.array([row[n] for row in rows], types[n]) for n, name in enumerate(names)}
