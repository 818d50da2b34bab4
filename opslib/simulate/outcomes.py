"""Rows of the tests: allocation, store arms, totals per look, and outcomes per unit of the mail tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pyarrow as pa

from opslib.simulate import planted
from opslib.simulate.baskets import PAID
from opslib.simulate.draws import Draws, Floats, Ints
from opslib.simulate.records import Block, Columns, Simulator, store_name
from opslib.simulate.trials import CONTROL, TREATMENT, VARIANTS, Arms, Exposure
from opslib.simulate.writing import coded, dates, ids, moments

LOOKS = (0.25, 0.5, 0.75, 1.0)
METRICS = ("conversion", "orders_per_visitor", "revenue_per_visitor")


@dataclass(slots=True)
class TestTotals:
    """Sums over logged visitors of each visitor test: tests x looks x arms x sums.

    The sums are n, buyers, orders, orders squared, revenue, revenue squared and orders x revenue; ``expected`` are the
    buyers (in millionths) to be expected of all visitors without and with the treatment, given how often they came.
    """

    __test__ = False
    sums: dict[str, Floats] = field(default_factory=dict)
    expected: dict[str, Floats] = field(default_factory=dict)

    def add(self, block: Block, exposures: list[Exposure], arms: Arms) -> None:
        """Count one block."""
        paid = block.lines.status == PAID
        pence = block.lines.revenue * paid // 100  # whole, so that sums do not depend on the chunks
        revenue = np.bincount(block.lines.visit, pence, minlength=block.visits.day.size)
        for exposure in exposures:
            window = arms.calendar.window(exposure.test.starts, exposure.test.ends)
            expected = self.expected.setdefault(exposure.test.experiment_id, np.zeros(2))
            expected += _expected(block, exposure, window.start, window.stop)
            sums = self.sums.setdefault(exposure.test.experiment_id, np.zeros((len(LOOKS), 2, 7)))
            for look, share in enumerate(LOOKS):
                until = window.start + round(share * (window.stop - window.start))
                sums[look] += _sums(block, exposure, revenue, window.start, until)


def _sums(block: Block, exposure: Exposure, revenue: np.ndarray, start: int, until: int) -> Floats:
    """Arms x sums of one test up to one look."""
    visits, n = block.visits, block.people.number.size
    bought = visits.is_buy & (visits.day >= start) & (visits.day < until) & (visits.channel != planted.STORE)
    orders = np.bincount(visits.person[bought], minlength=n).astype(np.float64)
    spent = np.bincount(visits.person[bought], revenue[bought], minlength=n)
    seen = exposure.day < until
    who, arm = exposure.person[seen], exposure.arm[seen]
    x, y = orders[who], spent[who]
    columns = (np.ones(who.size), x > 0, x, x * x, y, y * y, x * y)
    return np.stack([np.bincount(arm, column, minlength=2) for column in columns], axis=1)


def _expected(block: Block, exposure: Exposure, start: int, stop: int) -> Floats:
    """Buyers to be expected without and with the treatment, in millionths."""
    visits, test = block.visits, exposure.test
    inside = np.flatnonzero((visits.day >= start) & (visits.day < stop) & (visits.channel != planted.STORE))
    inside = inside[visits.variants[test.experiment_id][visits.person[inside]] >= 0]
    factor = 1.0 + test.effect * (test.metric in ("conversion", "checkout_completion"))
    treated = visits.variants[test.experiment_id][visits.person[inside]] == TREATMENT
    without = visits.probability[inside] / np.where(treated, factor, 1.0)
    out = []
    for chance in (without, np.minimum(without * factor, 0.98)):
        misses = np.bincount(visits.person[inside], np.log1p(-chance), minlength=block.people.number.size)
        out.append(np.round(1e6 * -np.expm1(misses)).sum())
    return np.array(out)


@dataclass(frozen=True)
class Outcomes:
    """Rows about tests that do not belong to one person.

    Parameters
    ----------
    simulator : Simulator
        The shop's days and draws.
    totals : TestTotals
        Sums of the visitor tests.
    """

    simulator: Simulator
    totals: TestTotals

    @property
    def _arms(self) -> Arms:
        return self.simulator.population.arms

    @property
    def _draws(self) -> Draws:
        return self._arms.draws

    @property
    def n_recipients(self) -> int:
        """People on the newsletter list."""
        return int(np.clip(2.5 * self.simulator.calendar.config.n_orders, 3_000, 600_000))

    def tables(self) -> dict[str, Columns]:
        """All tables of this module."""
        return {
            "experiments": self.assignments(), "experiment_arms": self.arms(),
            "experiment_summaries": self.summaries(), "unit_outcomes": self.unit_outcomes(),
        }  # fmt: skip

    def _mail_arm(self, test: planted.PlantedExperiment) -> Ints:
        u = self._draws.uniform(f"arm/{test.experiment_id}", np.arange(self.n_recipients))
        return np.where(u < 0.5, TREATMENT, CONTROL)

    def assignments(self) -> Columns:
        """experiments: stores of the store test and recipients of the mail tests."""
        calendar, stores = self.simulator.calendar, range(self.simulator.calendar.config.n_stores)
        store_ids = [store_name(number) for number in stores]
        parts = [
            (test, np.array(stores), self._arms.treated_stores.astype(np.int64), 0) for test in self._arms.store_tests
        ]
        recipients = len(store_ids) + np.arange(self.n_recipients)
        parts += [(test, recipients, self._mail_arm(test), 1) for test in self._arms.mail_tests]
        which = np.repeat(np.arange(len(parts)), [part[1].size for part in parts])
        names = pa.concat_arrays([pa.array(store_ids), ids("M", np.arange(self.n_recipients), 7)])
        begun = np.array([int(calendar.midnight(calendar.at(part[0].starts))) for part in parts])
        return {
            "experiment_id": coded(which, [part[0].experiment_id for part in parts]),
            "unit_id": coded(np.concatenate([part[1] for part in parts]), names),
            "unit": coded(np.array([part[3] for part in parts])[which], ["store", "visitor"]),
            "variant": coded(np.concatenate([part[2] for part in parts]), VARIANTS),
            "assigned_at": moments(begun[which]),
        }

    def arms(self) -> Columns:
        """experiment_arms: planned shares, epoch by epoch."""
        rows = []
        for test in self.simulator.calendar.experiments:
            for start, stop, share in self._arms.epochs(test):
                for variant, planned in ((VARIANTS[CONTROL], 1.0 - share), (VARIANTS[TREATMENT], share)):
                    rows.append((test.experiment_id, variant, start, stop, planned))
        midnight = self.simulator.calendar.midnight
        return {
            "experiment_id": pa.array([row[0] for row in rows]),
            "variant": pa.array([row[1] for row in rows]),
            "valid_from": moments(midnight(np.array([row[2] for row in rows]))),
            "planned_share": pa.array([row[4] for row in rows]),
            "valid_to": moments(midnight(np.array([row[3] for row in rows]))),
        }

    def summaries(self) -> Columns:
        """experiment_summaries: totals of each visitor test at four looks; covariance is with orders."""
        rows = []
        for test in self._arms.visitor_tests:
            window = self.simulator.calendar.window(test.starts, test.ends)
            for look, share in enumerate(LOOKS):
                day = window.start + round(share * (window.stop - window.start))
                if day > self.simulator.calendar.n_days:
                    continue
                at = int(self.simulator.calendar.midnight(day))
                for arm, variant in enumerate(VARIANTS):
                    for metric, (n, mean, variance, covariance) in _moments(
                        self.totals.sums[test.experiment_id][look, arm]
                    ):
                        rows.append((test.experiment_id, variant, metric, at, n, mean, variance, covariance))
        names = ("experiment_id", "variant", "metric", "observed_at", "n", "mean", "variance", "covariance")
        columns = {name: pa.array([row[number] for row in rows]) for number, name in enumerate(names)}
        return {**columns, "observed_at": moments(np.array([row[3] for row in rows]))}

    def unit_outcomes(self) -> Columns:
        """unit_outcomes of the mail tests: whether each recipient visited, and whether they had the month before."""
        key, parts = np.arange(self.n_recipients), []
        habit = np.where(self._draws.uniform("mail habit", key) < 0.35, 2.0, 0.4615)
        for test in self._arms.mail_tests:
            chance = np.minimum(test.base * habit * (1.0 + test.effect * (self._mail_arm(test) == TREATMENT)), 1.0)
            value = self._draws.uniform(f"visited/{test.experiment_id}", key) < chance
            before = self._draws.uniform(f"before/{test.experiment_id}", key) < test.base * habit
            last = self.simulator.calendar.on(test.ends) - timedelta(days=1)
            parts.append((value, before, last))
        days = np.array([np.datetime64(last) for *_, last in parts])
        which = np.repeat(np.arange(len(parts)), self.n_recipients)
        return {
            "unit": coded(np.zeros(which.size, dtype=np.int64), ["visitor"]),
            "unit_id": coded(np.tile(key, len(parts)), ids("M", key, 7)),
            "date": dates(np.datetime64("1970-01-01"), days.astype("datetime64[D]").astype(np.int64)[which]),
            "metric": coded(np.zeros(which.size, dtype=np.int64), ["visited"]),
            "value": pa.array(np.concatenate([value for value, *_ in parts]).astype(np.float64)),
            "covariate": pa.array(np.concatenate([before for _, before, _ in parts]).astype(np.float64)),
        }


def _moments(sums: Floats) -> list[tuple[str, tuple[int, float, float, float | None]]]:
    """n, mean, variance and covariance with orders of each metric."""
    n, buyers, x, xx, y, yy, xy = sums / np.array([1.0, 1.0, 1.0, 1.0, 100.0, 10_000.0, 100.0])
    size = max(n, 2.0)
    spread = size / (size - 1.0)
    conversion, orders, revenue = buyers / size, x / size, y / size
    variance = (xx / size - orders**2) * spread
    return [
        ("conversion", (int(n), conversion, conversion * (1.0 - conversion) * spread, None)),
        ("orders_per_visitor", (int(n), orders, variance, None)),
        (
            "revenue_per_visitor",
            (int(n), revenue, (yy / size - revenue**2) * spread, (xy / size - revenue * orders) * spread),
        ),
    ]
