"""truth.json: every planted quantity, its unit, and where it shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from math import erf, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from opslib.simulate import catalogue as shelf
from opslib.simulate import phrasing, planted
from opslib.simulate.browsing import product_id
from opslib.simulate.outcomes import Outcomes
from opslib.simulate.records import Simulator, store_name
from opslib.simulate.standing import Standing
from opslib.simulate.totals import Totals
from opslib.simulate.trials import TREATMENT
from opslib.simulate.voices import REVIEW_SHARE, Voices

VERSION = 2


@dataclass(frozen=True)
class Truth:
    """What is planted in one shop.

    Parameters
    ----------
    simulator : Simulator
        The shop.
    standing : Standing
        Its products and spend.
    outcomes : Outcomes
        Its tests.
    voices : Voices
        Its reviews.
    totals : Totals
        What was counted while people were simulated.
    seed : int
        The seed.
    """

    simulator: Simulator
    standing: Standing
    outcomes: Outcomes
    voices: Voices
    totals: Totals
    seed: int

    def write(self, folder: Path) -> None:
        """Write ``truth.json`` into the shop's folder."""
        text = json.dumps(self.as_dict(), indent=1, default=_plain, sort_keys=False)
        (folder / "truth.json").write_text(text + "\n", encoding="utf-8")

    def as_dict(self) -> dict[str, Any]:
        """All sections; each names its unit and the columns that show it."""
        return {
            "version": VERSION, "shop": self._shop(), "nuisances": self._nuisances(), "segments": self._segments(),
            "lifetime": self._lifetime(), "elasticities": self._elasticities(), "hedonic": self._hedonic(),
            "perceptual_map": self._perceptual_map(), "market_structure": self._market_structure(),
            "competitors": self._competitors(), "unmet_demand": self._unmet(), "search": self._search(),
            "funnel": self._funnel(), "channels": self._channels(), "changes": self._changes(),
            "promotions": self._promotions(), "experiments": self._experiments(), "rollouts": self._rollouts(),
            "faulty_products": self._faulty(), "stock": self._stock(), "life_cycle": self._life_cycle(),
            "base_rate": self._base_rate(), "supplier_fault": self._supplier_fault(),
            "competitor_cut": self._competitor_cut(), "new_guide": self._new_guide(), "survey": self._survey(),
            "refund_visits": self._refund_visits(),
        }  # fmt: skip

    def _shop(self) -> dict[str, Any]:
        config = self.simulator.calendar.config
        return {
            "title": phrasing.SHOP_TITLE, "currency": phrasing.CURRENCY, "time_zone": config.time_zone, "prices_include_tax": False,
            "start": config.start, "end": config.end, "seed": self.seed, "n_people": self.totals.n_people,
            "missing_days": self._dates(np.flatnonzero(self.simulator.calendar.missing)), "config": asdict(config),
            "n_rows": self.totals.n_rows,
        }  # fmt: skip

    def _dates(self, days: np.ndarray) -> list[date]:
        first = np.datetime64(self.simulator.calendar.first_day)
        return [(first + int(day)).astype(object) for day in days]

    def _on(self, share: float) -> date:
        return self.simulator.calendar.on(share)

    def _nuisances(self) -> dict[str, Any]:
        config = self.simulator.calendar.config
        return {
            "unit": "as named in ShopConfig", "shows": ["order_lines.ordered_at", "sessions.started_at"],
            "ar": config.ar, "shock_sd_log": config.shock_sd, "trend_a_year": config.trend,
            "level_break": {"from": self._on(0.70), "effect": config.level_break, "acts_on": "traffic and repeat visits"},
            "weekday": config.weekday, "annual_season": config.annual_season, "icc_log_basket": config.icc, "tail": config.tail,
            "spend_sigma": config.spend_sigma, "late_returns_share": config.late_returns, "carry_over": config.carry_over,
        }  # fmt: skip

    def _segments(self) -> dict[str, Any]:
        kinds = self.simulator.calendar.types
        counts, orders, revenue = self.totals.by_type.T
        return {
            "unit": "customers; the type of each is in truth/customers", "shows": ["order_lines.customer_id"],
            "types": [
                {**asdict(kind), "n_customers": int(counts[n]), "n_orders": int(orders[n]), "revenue_amount": revenue[n] / 100.0}
                for n, kind in enumerate(kinds)
            ],
        }  # fmt: skip

    def _lifetime(self) -> dict[str, Any]:
        kinds, shares = self.simulator.calendar.types, np.array([kind.share for kind in self.simulator.calendar.types])
        rates = [(kind.r / kind.alpha_weeks, kind.r * (1.0 + kind.r) / kind.alpha_weeks**2) for kind in kinds]
        drops = [
            (kind.a / (kind.a + kind.b), kind.a * (kind.a + 1.0) / ((kind.a + kind.b) * (kind.a + kind.b + 1.0)))
            for kind in kinds
        ]
        mean, second = shares @ np.array(rates)
        drop, drop_second = shares @ np.array(drops)
        r = mean**2 / (second - mean**2)
        scale = drop * (1.0 - drop) / (drop_second - drop**2) - 1.0
        return {
            "unit": "repeat orders a week while active; dropout probability after each repeat order",
            "shows": ["order_lines.customer_id", "order_lines.ordered_at"],
            "note": "cohort of customers first seen after the start; running time follows the season; promotions, releases and tests come on top",
            "by_type": {kind.name: {"r": kind.r, "alpha_weeks": kind.alpha_weeks, "a": kind.a, "b": kind.b} for kind in kinds},
            "pooled_by_moments": {"r": r, "alpha_weeks": r / mean, "a": drop * scale, "b": (1.0 - drop) * scale},
            "mean_orders_a_week": mean, "mean_dropout": drop,
        }  # fmt: skip

    def _elasticities(self) -> dict[str, Any]:
        follows = self.simulator.calendar.config.confounded_price
        return {
            "unit": "log units sold per log list price, a product and day on the shelf",
            "shows": ["price_history.price", "order_lines.quantity", "stock_levels.n_on_hand"],
            "note": "confounded categories: prices follow a monthly demand shock of the whole category",
            "confounded_follow": shelf.CONFOUNDED_FOLLOW, "confounded_shock_sd": shelf.CONFOUNDED_SD,
            "categories": {
                each.name: {"elasticity": each.elasticity, "is_confounded": each.is_confounded and follows}
                for each in planted.CATEGORIES
            },
        }  # fmt: skip

    def _hedonic(self) -> dict[str, Any]:
        brands = [*phrasing.BRANDS, phrasing.OWN_LABEL]
        return {
            "unit": "log price per unit of the attribute (size: per log litre)", "shows": ["products.price", "products.attr_*"],
            "coefficients": shelf.HEDONIC, "brand_premium": dict(zip(brands, self.standing.catalogue.brand_premium, strict=True)),
            "category_log_price": {each.name: each.log_price for each in planted.CATEGORIES}, "residual_sd": 0.10,
        }  # fmt: skip

    def _perceptual_map(self) -> dict[str, Any]:
        brands = [*phrasing.BRANDS, phrasing.OWN_LABEL]
        return {
            "unit": "latent axes: plain to decorative, delicate to sturdy", "shows": ["reviews.text", "products.brand"],
            "brands": {**phrasing.BRANDS, phrasing.OWN_LABEL: (0.0, 0.0)},
            "themes": {name: position for name, (position, _, _) in phrasing.THEMES.items()},
            "theme_phrases": {name: {"praise": good, "complaint": bad} for name, (_, good, bad) in phrasing.THEMES.items()},
            "theme_shares": {
                brand: dict(zip(phrasing.THEMES, shares, strict=True))
                for brand, shares in zip(brands, self.voices.theme_shares, strict=True)
            },
            "review_share_of_lines": REVIEW_SHARE,
        }  # fmt: skip

    def _market_structure(self) -> dict[str, Any]:
        catalogue = self.standing.catalogue
        pairs = np.flatnonzero(catalogue.partner >= 0)
        return {
            "unit": "groups of substitutes (truth/products.substitute_group); pairs bought together",
            "shows": ["events.product_id", "order_lines.product_id"],
            "co_view_share_within_group": 0.6,
            "complements": [
                {"product_id": product_id(int(n)), "with": product_id(int(catalogue.partner[n])), "probability": shelf.COMPLEMENT_SHARE}
                for n in pairs
            ],
            "cannibals": [
                {"product_id": product_id(int(n)), "launched_at": self._dates(np.array([catalogue.launched[n] + self._warm_up]))[0],
                 "substitute_group": int(catalogue.group[n]), "taken_share": shelf.CANNIBAL_SHARE}
                for n in catalogue.cannibals
            ],
        }  # fmt: skip

    @property
    def _warm_up(self) -> int:
        return self.simulator.calendar.n_days - self.simulator.calendar.config.days

    def _competitors(self) -> dict[str, Any]:
        return {
            "unit": "price index, own reference price = 1", "shows": ["competitor_prices.price", "competitor_products.name"],
            "index": phrasing.COMPETITORS, "matches": "truth/matches",
        }  # fmt: skip

    def _unmet(self) -> dict[str, Any]:
        solving = np.flatnonzero(self.standing.catalogue.is_solving)
        answer = {"solved_from": self._on(planted.SOLVED_FROM), "solved_by": [product_id(int(n)) for n in solving]}
        return {
            "unit": "share of all searches; n_searches: those that found nothing", "shows": ["searches.query", "searches.n_results"],
            "themes": {
                name: {"share": share, "n_searches": int(self.totals.unmet[n]), "queries": queries,
                       **(answer if name == phrasing.SOLVED[2] else {})}
                for n, (name, (share, queries)) in enumerate(phrasing.UNMET.items())
            },
        }  # fmt: skip

    def _search(self) -> dict[str, Any]:
        _, finds, weights = self.simulator.browsing.queries
        weights, queries = weights / weights.sum(), np.arange(weights.size)
        last = np.full(weights.size, self.simulator.calendar.config.days)
        zero = [weights[self.simulator.browsing.n_results(queries, day) == 0].sum() for day in (0 * last, last)]
        return {
            "unit": "share of all searches", "shows": ["searches.query", "searches.n_results", "searches.clicked_product_id"],
            "not_understood_share": weights[finds == -2].sum(), "zero_result_share": zero[0],
            "zero_result_share_later": zero[1], "later_from": self._on(planted.SOLVED_FROM),
            "synonyms": phrasing.SYNONYMS, "known_synonyms": list(phrasing.SYNONYMS)[: phrasing.N_KNOWN_SYNONYMS],
        }  # fmt: skip

    def _funnel(self) -> dict[str, Any]:
        return {
            "unit": "probability of the step given the one before, visits that do not want to buy; of those that do, the share "
                    "that gets through a step before any effect; n_lost: visits lost at the step, by device",
            "shows": ["events.event_name", "sessions.device"],
            "steps": planted.FUNNEL, "checkout_steps": planted.STEPS,
            "n_lost": {step: dict(zip(planted.DEVICES, self.totals.lost[n].tolist(), strict=True))
                       for n, step in enumerate(planted.STEPS, 1)}, "prospect_conversion": self.simulator.calendar.prospect_conversion,
            "repeat_conversion": {kind.name: kind.conversion for kind in self.simulator.calendar.types},
            "device_factor": dict(zip(planted.DEVICES, planted.DEVICE_CONVERSION, strict=True)),
            "channel_factor": {channel.name: channel.conversion for channel in planted.CHANNELS},
        }  # fmt: skip

    def _channels(self) -> dict[str, Any]:
        out = {}
        for number, channel in enumerate(planted.CHANNELS):
            people, orders, revenue = self.totals.by_arrival[number] / np.array([1.0, 1.0, 100.0])
            spend = self.standing.spend[number].sum() / 10_000.0 if number in self.standing.spend else 0.0
            is_causal = spend > 0 and number != planted.RETARGETING
            out[channel.name] = {
                "spend_amount": spend, "n_people_brought": int(people), "n_orders_brought": int(orders), "revenue_brought_amount": revenue,
                "incremental_orders_per_1000": 1_000.0 * orders / spend if is_causal else 0.0,
            }  # fmt: skip
        return {
            "unit": "people, orders and revenue that would not exist without the channel; orders per 1,000 of spend",
            "shows": ["ad_spend.cost_amount", "sessions.source", "order_lines.channel"],
            "note": "first visits from paid channels are proportional to spend; retargeting only re-labels later visits: its increment is zero",
            "channels": out,
        }  # fmt: skip

    def _changes(self) -> list[dict[str, Any]]:
        return [
            {**asdict(change), "unit": "relative change while it lasts", "starts": self._on(change.starts),
             "ends": None if change.ends is None else self._on(change.ends)}
            for change in self.simulator.calendar.changes
        ]  # fmt: skip

    def _promotions(self) -> list[dict[str, Any]]:
        if not self.simulator.calendar.config.promotions:
            return []
        names = [category.name for category in planted.CATEGORIES]
        return [
            {**asdict(promotion), "categories": [names[n] for n in promotion.categories], "starts": self._on(promotion.starts),
             "ends": self._on(promotion.ends), "unit": "relative change; demand is of the categories' units, discount included",
             "shows": ["changes.started_at", "order_lines.discount_amount", "order_lines.quantity"]}
            for promotion in planted.PROMOTIONS
        ]  # fmt: skip

    def _experiments(self) -> list[dict[str, Any]]:
        return [self._experiment(test) for test in self.simulator.calendar.experiments]

    def _experiment(self, test: planted.PlantedExperiment) -> dict[str, Any]:
        out = {
            **asdict(test), "effect_unit": "relative change of the metric", "starts": self._on(test.starts), "ends": self._on(test.ends),
            "decided": None if test.decided is None else self._on(test.decided),
            "epochs": [
                {"from": self._dates(np.array([start]))[0], "treatment_share": share}
                for start, _, share in self.outcomes.simulator.population.arms.epochs(test)
            ],
        }  # fmt: skip
        if test.unit == "store":
            treated = self.simulator.population.arms.treated_stores
            return {
                **out,
                "treated": [store_name(int(n)) for n in np.flatnonzero(treated)],
                "shows": ["order_lines.store"],
            }
        if test.base:
            n = (self.outcomes.n_recipients / 2,) * 2
            return {
                **out,
                **_power(test, test.effect, n, test.base),
                "shows": ["unit_outcomes.value", "experiments.variant"],
            }
        arms = self.outcomes.totals.sums[test.experiment_id][-1]
        without, treated = self.outcomes.totals.expected[test.experiment_id]
        lift, n = treated / max(without, 1.0) - 1.0, (arms[0, 0], arms[1, 0])
        out["effect_unit"] = "relative change of the metric of a visit (conversion) or of an order (order_lines)"
        out["visitor_effect"] = round(lift, 6)
        return {
            **out,
            **_power(test, lift, n, without / 1e6 / max(sum(n), 1.0)),
            "shows": ["experiments.variant", "events.event_name", "order_lines"],
        }

    def _rollouts(self) -> list[dict[str, Any]]:
        arms = self.simulator.population.arms
        return [
            {**asdict(rollout), "starts": self._on(rollout.starts), "effect_unit": "relative change of orders of treated units",
             "treated": [store_name(n) for n in range(arms.n_rollout_stores)] if rollout.unit == "store" else planted.ROLLOUT_MARKETS,
             "shows": ["rollouts.treated_from", "order_lines.store" if rollout.unit == "store" else "order_lines.country"]}
            for rollout in self.simulator.calendar.rollouts
        ]  # fmt: skip

    def _faulty(self) -> dict[str, Any]:
        catalogue = self.standing.catalogue
        return {
            "unit": "return probability of a paid line", "shows": ["returns.product_id", "returns.reason", "reviews.rating", "tickets.topic"],
            "return_probability": planted.FAULTY_RETURN, "reason": "faulty",
            "category_return_share": {each.name: each.return_share for each in planted.CATEGORIES},
            "product_ids": [product_id(int(n)) for n in np.flatnonzero(catalogue.is_faulty)],
        }  # fmt: skip

    def _base_rate(self) -> dict[str, Any]:
        config, drawn = self.simulator.calendar.config, planted.SITE_EXPERIMENTS
        return {
            "unit": "relative effect of a shop-wide test: normal, mean 0, standard deviation", "shows": ["experiments.variant"],
            "sd": config.effect_sd, "drawn": [test.experiment_id for test in drawn if test.is_drawn],
        }  # fmt: skip

    def _supplier_fault(self) -> dict[str, Any]:
        fault, catalogue = planted.SUPPLIER_FAULT, self.standing.catalogue
        return {
            **asdict(fault), "unit": "return probability of a paid line while the bad batch is sold; reviews lose 1.2 stars",
            "shows": ["returns.reason", "products.supplier", "reviews.rating"],
            "starts": self._on(fault.starts), "ends": self._on(fault.ends), "happened": self.simulator.calendar.config.effect_scale > 0,
            "product_ids": [product_id(int(n)) for n in np.flatnonzero(catalogue.supplier == fault.supplier)],
        }  # fmt: skip

    def _competitor_cut(self) -> dict[str, Any]:
        cut = self.simulator.calendar.competitor_cut
        return {
            **asdict(cut), "unit": "relative change of the competitor's prices, and of our units, in the category for good",
            "shows": ["competitor_prices.price", "order_lines.quantity"], "starts": self._on(cut.starts),
        }  # fmt: skip

    def _new_guide(self) -> dict[str, Any]:
        return {
            "unit": "visits to the guide per visit to another guide: rest + peak x half ** (days / half-life)",
            "shows": ["events.page", "pages.published_at"], "page": f"/guides/{planted.GUIDES[planted.NEW_GUIDE]}",
            "published": self._on(planted.NEW_GUIDE_FROM), "peak": planted.NEW_GUIDE_PEAK, "rest": planted.NEW_GUIDE_REST,
            "half_life_days": planted.NEW_GUIDE_HALF_LIFE,
        }  # fmt: skip

    def _survey(self) -> dict[str, Any]:
        return {
            "unit": "share of those asked who would give the answer", "shows": ["survey_answers.answer"],
            "survey_id": planted.SURVEY_ID, "from": self._on(planted.SURVEY_FROM), "n_respondents": self.standing.n_respondents,
            "questions": planted.SURVEY,
        }  # fmt: skip

    def _refund_visits(self) -> dict[str, Any]:
        return {
            "unit": "share of the website's returns that are asked for in a visit", "shows": ["events.event_name"],
            "share": planted.REFUND_ON_SITE,
        }  # fmt: skip

    def _stock(self) -> dict[str, Any]:
        catalogue = self.standing.catalogue
        sold = np.arange(catalogue.calendar.config.days)[:, None] >= catalogue.launched
        return {
            "unit": "share of product-days on sale without stock", "shows": ["stock_levels.n_on_hand"],
            "out_of_stock_share": 1.0 - catalogue.in_stock[sold].mean(), "late_supplier": "Supplier C",
            "overstocked": [product_id(int(n)) for n in np.flatnonzero(self.standing.is_overstocked)],
            "below_cost": [product_id(int(n)) for n in np.flatnonzero(catalogue.is_loss_maker)],
        }  # fmt: skip

    def _life_cycle(self) -> dict[str, Any]:
        catalogue = self.standing.catalogue
        return {
            "unit": "products", "shows": ["products.launched_at", "order_lines.quantity"], "half_life_days": 150,
            "declining": [product_id(int(n)) for n in np.flatnonzero(catalogue.is_declining)],
            "launched_in_period": [product_id(int(n)) for n in np.flatnonzero(catalogue.launched >= 0)],
            "no_image_demand_factor": shelf.NO_IMAGE,
        }  # fmt: skip


def _power(test: planted.PlantedExperiment, lift: float, n: tuple[float, float], base: float) -> dict[str, Any]:
    """Realised sizes, and the power of a two-sided 5 % z-test on the relative lift of units (delta method)."""
    if test.metric not in ("conversion", "visited"):
        return {"n_units": [int(each) for each in n]}
    odds = (1.0 - base) / max(base, 1e-9)
    error = sqrt(odds * (1.0 / max(n[0], 1.0) + 1.0 / max(n[TREATMENT], 1.0))) * max(1.0 + lift, 0.1)
    shift = abs(lift) / error
    return {
        "n_units": [int(each) for each in n], "control_mean": base, "relative_std_error": error,
        "expected_power": 0.5 * (1.0 + erf((shift - 1.96) / sqrt(2.0))) + 0.5 * (1.0 + erf((-shift - 1.96) / sqrt(2.0))),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    return np.asarray(value).tolist()
