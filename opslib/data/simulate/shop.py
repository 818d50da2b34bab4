"""The whole shop: people in blocks, streamed to Parquet, then what stands beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opslib.data.simulate.baskets import Baskets
from opslib.data.simulate.browsing import Browsing
from opslib.data.simulate.calendar import Calendar
from opslib.data.simulate.catalogue import Catalogue
from opslib.data.simulate.config import WARM_UP_DAYS, ShopConfig
from opslib.data.simulate.draws import Draws, Ints
from opslib.data.simulate.people import Population
from opslib.data.simulate.records import Block, Records, Simulator
from opslib.data.simulate.market import Market
from opslib.data.simulate.standing import Standing
from opslib.data.simulate.trials import Arms, exposures
from opslib.data.simulate.writing import Parts
from opslib.errors import ParameterError

Progress = Callable[[float, str], None]
_PILOT, _PILOT_FROM = 20_000, 900_000_000
_PEOPLE_PER_CHUNK = 131_072


@dataclass(slots=True)
class Totals:
    """Sums over all people that later tables need."""

    units: np.ndarray  # units ordered, days x products
    clicks: np.ndarray  # site visits, days x channels
    n_people: int = 0
    tests: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, block: Block) -> None:
        """Count one block."""
        lines, visits = block.lines, block.visits
        np.add.at(self.units, (visits.day[lines.visit] - WARM_UP_DAYS, lines.product), lines.quantity)
        np.add.at(self.clicks, (visits.day - WARM_UP_DAYS, visits.channel), 1)


def simulate_shop(
    folder: Path | str,
    *,
    config: ShopConfig,
    seed: int = 20261031,
    people_per_chunk: int = _PEOPLE_PER_CHUNK,
    progress: Progress | None = None,
) -> Path:
    """Write a simulated shop, all tables and their truth, to ``<folder>/<table>/part-*.parquet``.

    Parameters
    ----------
    folder : Path or str
        Folder to write to; made if absent, must hold no tables yet.
    config : ShopConfig
        Size, period and nuisances.
    seed : int
        Seed; the same seed and configuration give the same rows, whatever the chunk size.
    people_per_chunk : int
        People simulated at once; bounds the memory.
    progress : callable, optional
        Called with the share done (0-1) and what is being done.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ParameterError
        If the folder holds tables already, or a chunk is smaller than one person.
    """
    folder = Path(folder)
    if people_per_chunk < 1:
        raise ParameterError(f"people_per_chunk: {people_per_chunk} is below 1")
    if any(folder.glob("*/part-*.parquet")):
        raise ParameterError(f"folder: {folder} holds tables already; choose an empty folder")
    report = progress or (lambda share, step: None)
    simulator = new_simulator(config, seed)
    n_people = count_people(simulator, seed)
    totals = new_totals(simulator, n_people)
    with Parts(folder) as parts:
        for first in range(0, n_people, people_per_chunk):
            numbers = np.arange(first, min(first + people_per_chunk, n_people), dtype=np.int64)
            parts.write(_chunk(simulator, numbers, totals))
            report(0.9 * (first + numbers.size) / n_people, "people, visits and orders")
        standing = Standing(simulator, totals.units, totals.clicks)
        parts.write({**standing.tables(), **Market(standing).tables()})
    report(1.0, "truth")
    return folder


def new_simulator(config: ShopConfig, seed: int) -> Simulator:
    """The causal chain of one shop."""
    draws = Draws(seed)
    calendar = Calendar(config, draws)
    catalogue = Catalogue(calendar, draws)
    population = Population(calendar, draws, Arms(calendar, draws))
    return Simulator(population, Baskets(catalogue, draws), Browsing(catalogue, draws))


def new_totals(simulator: Simulator, n_people: int) -> Totals:
    """Empty totals of one shop."""
    config = simulator.calendar.config
    return Totals(
        units=np.zeros((config.days, config.n_products), dtype=np.int64),
        clicks=np.zeros((config.days, 8), dtype=np.int64),
        n_people=n_people,
    )


def count_people(simulator: Simulator, seed: int) -> int:
    """People needed for the orders aimed at: from a pilot without nuisances, so that switches do not change it."""
    config = simulator.calendar.config
    pilot = new_simulator(config.without_nuisances(), seed)
    numbers = np.arange(_PILOT_FROM, _PILOT_FROM + _PILOT, dtype=np.int64)
    _, visits = pilot.population.block(numbers)
    return max(round(config.n_orders * _PILOT / max(int(visits.is_buy.sum()), 1)), 50)


def _chunk(simulator: Simulator, numbers: Ints, totals: Totals) -> dict[str, dict]:
    """Rows of one chunk of people; counts them in the totals."""
    block = simulator.block(numbers)
    totals.add(block)
    records = Records(simulator, block)
    logged = exposures(simulator.population.arms, block.people, block.visits)
    return {
        **records.tables(),
        "experiments": records.experiments(logged),
        "truth/customers": records.truth(),
    }
