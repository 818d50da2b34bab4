"""The whole shop: people in blocks, streamed to Parquet, then what stands beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from opslib.errors import ParameterError
from opslib.simulate import phrasing
from opslib.simulate.baskets import Baskets
from opslib.simulate.browsing import Browsing
from opslib.simulate.calendar import Calendar
from opslib.simulate.catalogue import Catalogue
from opslib.simulate.competitors import Market
from opslib.simulate.config import ShopConfig
from opslib.simulate.draws import Draws, Ints
from opslib.simulate.outcomes import Outcomes, TestTotals
from opslib.simulate.people import Population
from opslib.simulate.planted_truth import Truth
from opslib.simulate.records import Records, Simulator, Tables
from opslib.simulate.standing import Standing
from opslib.simulate.totals import Totals
from opslib.simulate.trials import Arms, exposures
from opslib.simulate.voices import Voices
from opslib.simulate.writing import Parts

Progress = Callable[[float, str], None]
_PILOT, _PILOT_FROM, _MAX_PEOPLE = 10_000, 900_000_000, 800_000_000
_PEOPLE_PER_CHUNK = 131_072


def simulate_shop(
    folder: Path | str,
    *,
    config: ShopConfig,
    seed: int = 1,
    people_per_chunk: int = _PEOPLE_PER_CHUNK,
    progress: Progress | None = None,
) -> Path:
    """Write a simulated shop to ``<folder>/<table>/part-*.parquet``, with ``truth.json`` and ``truth/*`` beside it.

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

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shop = simulate_shop(folder, config=ShopConfig(n_orders=200, n_products=64, days=90), seed=1)
    ...     (shop / "truth.json").exists()
    True
    """
    folder = Path(folder)
    if people_per_chunk < 1:
        raise ParameterError(f"people_per_chunk: {people_per_chunk} is below 1")
    if any(folder.glob("*/part-*.parquet")):
        raise ParameterError(f"folder: {folder} holds tables already; choose an empty folder")
    simulator = new_simulator(config, seed)
    n_people = count_people(config, seed)
    totals, tests, voices = Totals.empty(simulator, n_people), TestTotals(), Voices(simulator)
    with Parts(folder) as parts:
        for first in range(0, n_people, people_per_chunk):
            numbers = np.arange(first, min(first + people_per_chunk, n_people), dtype=np.int64)
            parts.write(_chunk(simulator, voices, numbers, totals, tests))
            if progress:
                progress(0.95 * (first + numbers.size) / n_people, "people, visits and orders")
        standing = Standing(simulator, totals.units, totals.clicks)
        outcomes = Outcomes(simulator, tests)
        parts.write({**standing.tables(), **outcomes.tables(), **Market(standing).tables()})
    totals.n_rows = dict(sorted(parts.n_rows.items()))
    Truth(simulator, standing, outcomes, voices, totals, seed).write(folder)
    if progress:
        progress(1.0, "done")
    return folder


def new_simulator(config: ShopConfig, seed: int) -> Simulator:
    """The causal chain of one shop."""
    draws = Draws(seed)
    calendar = Calendar(config, draws)
    catalogue = Catalogue(calendar, draws)
    arms = Arms(calendar, draws)
    return Simulator(Population(calendar, draws, arms), Baskets(catalogue, draws), Browsing(catalogue, draws, arms))


def count_people(config: ShopConfig, seed: int) -> int:
    """People needed for the orders aimed at: from a pilot without nuisances, so that switches do not change it."""
    pilot = new_simulator(config.without_nuisances(), seed)
    numbers = np.arange(_PILOT_FROM, _PILOT_FROM + _PILOT, dtype=np.int64)
    _, visits = pilot.population.block(numbers)
    n_people = max(round(config.n_orders * _PILOT / max(int(visits.is_buy.sum()), 1)), 50)
    if n_people > _MAX_PEOPLE:
        raise ParameterError(
            f"ShopConfig.n_orders: {config.n_orders} would need {n_people} people; at most {_MAX_PEOPLE}"
        )
    return n_people


def _chunk(simulator: Simulator, voices: Voices, numbers: Ints, totals: Totals, tests: TestTotals) -> Tables:
    """Rows of one chunk of people; counts them in the totals on the way."""
    block = simulator.block(numbers)
    needs = [number for number, (_, texts) in enumerate(phrasing.UNMET.values()) for _ in texts]
    known = len(simulator.browsing.queries[0]) - len(needs)
    totals.add(block, np.array([-1] * known + needs))
    records = Records(simulator, block)
    logged = exposures(simulator.population.arms, block.people, block.visits)
    tests.add(block, logged, simulator.population.arms)
    return {
        **records.tables(), "reviews": voices.reviews(block), "tickets": voices.tickets(block),
        "experiments": records.experiments(logged), "truth/customers": records.truth(),
    }  # fmt: skip
