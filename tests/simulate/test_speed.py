"""Making rows costs at most five times as much processor time as writing them."""

from __future__ import annotations

import time

import numpy as np
import pytest

from opslib.simulate.config import preset
from opslib.simulate.outcomes import TestTotals
from opslib.simulate.simulation import _chunk, new_simulator
from opslib.simulate.totals import Totals
from opslib.simulate.voices import Voices
from opslib.simulate.writing import Parts

MOST = 5.0  # times the processor time of writing the same rows; measured 1.3 in chunks of 131,072 people


@pytest.mark.slow
def test_making_rows_is_not_much_slower_than_writing_them(tmp_path):
    simulator = new_simulator(preset("demo", n_products=400), 1)
    voices, totals, tests = Voices(simulator), Totals.empty(simulator, 1), TestTotals()
    _chunk(simulator, voices, np.arange(2_000), totals, tests)  # prices, stock and quantiles are tabled once a shop
    started = time.process_time()
    tables = _chunk(simulator, voices, np.arange(2_000, 52_000), totals, tests)
    made = time.process_time()
    with Parts(tmp_path) as parts:
        parts.write(tables)
    written = time.process_time()
    assert made - started < MOST * (written - made)
