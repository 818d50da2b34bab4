"""The generators without a randomised test: gates fire where nothing can be known, and truth lies inside."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import history_cells, response_cells, rollout_cells
from benchmarks.truth_scenario import Replicates


def runs(module, nuisance, effect, n) -> Replicates:
    cell = next(c for c in module.CELLS if (c.nuisance, c.effect) == (nuisance, effect))
    return module.simulate(cell, cell.generator(1), n)


def test_a_history_with_a_recent_break_is_refused_unless_a_control_shares_it():
    alone = runs(history_cells, "level break 84 days before, AR 0.6", "0", 20)
    shared = runs(history_cells, "control, shared level break, AR 0.6", "0", 20)
    assert alone.is_invalid.mean() >= 0.9
    assert not shared.is_invalid.any()


def test_an_effect_only_shifts_the_answers():
    """Same draws, effect 10 %: on the log scale every end moves by log 1.1."""
    none, twice = (runs(history_cells, "own history, AR 0.6", effect, 10) for effect in ("0", "twice"))
    assert np.allclose((1 + twice.value) / (1 + none.value), 1.1)
    assert np.allclose((1 + twice.upper) / (1 + none.upper), 1.1)
    assert np.allclose((1 + twice.oracle[0]) / (1 + none.oracle[0]), 1.1)


@pytest.mark.parametrize("nuisance", ["2 of 6", "10 of 20, unequal noise", "6 of 24, staggered"])
def test_roll_outs_cover_the_truth(nuisance):
    found = runs(rollout_cells, nuisance, "promise", 25)
    inside = (found.lower <= 0.05) & (found.upper >= 0.05)
    assert inside.mean() >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / 25)


def test_a_driver_that_followed_is_called_invalid():
    assert runs(response_cells, "driver followed the outcome", "0", 5).is_invalid.all()
    assert not runs(response_cells, "20 units, 40 periods", "promise", 3).is_invalid.all()
