"""The recommendation against the three usual rules and an oracle."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.regret import COST, PRECISIONS, RULES, run_regret
from opslib.errors import ParameterError
from opslib.stats.shrinkage import SITE_LIFTS

N_PROPOSALS = 60_000


@pytest.fixture(scope="module")
def table():
    return run_regret(n_proposals=N_PROPOSALS).pivot(index="std_error", columns="rule", values="lift_points")


def test_shrinking_beats_every_usual_rule_at_every_precision(table):
    for rule in ("launch if above cost", "p < .05", "always test"):
        assert (table["shrunk"] > table[rule]).all(), rule
    assert (table["shrunk"] < table["oracle"]).all()


def test_the_known_order_and_size_at_a_small_shop(table):
    """reference/truth.md: whatever exceeds its cost loses 1.7 points a hundred, p < .05 gains 1.8, shrunk 2.5."""
    rough = table.loc[0.03]
    assert rough["launch if above cost"] == pytest.approx(-1.7, abs=1.5)
    assert rough["p < .05"] == pytest.approx(1.8, abs=1.0)
    assert rough["shrunk"] > 2.5


def test_the_oracle_is_the_closed_form():
    """It gains the expected value of max(effect - cost, 0), whatever the precision."""
    rows = run_regret([0.01], n_proposals=N_PROPOSALS).set_index("rule")
    error = rows.loc["oracle", "lift_error"]
    assert rows.loc["oracle", "lift_points"] == pytest.approx(1e4 * SITE_LIFTS.expected_gain(COST), abs=4 * error)


def test_launching_nothing_with_a_cost_nobody_reaches():
    rows = run_regret([0.01], cost=0.5, n_proposals=2_000).set_index("rule")
    assert rows.loc[["shrunk", "oracle", "always test"], "lift_points"].tolist() == [0.0, 0.0, 0.0]
    assert rows.loc["p < .05", "lift_points"] < 0


def test_the_same_seed_gives_the_same_table():
    first, second = (run_regret([0.02], n_proposals=5_000, seed=3) for _ in range(2))
    assert first.equals(second)
    assert list(first["rule"]) == list(RULES)
    assert np.isclose(first.loc[first["rule"] == "oracle", "regret_points"], 0).all()
    assert len(PRECISIONS) >= 3


def test_an_impossible_precision_is_refused():
    with pytest.raises(ParameterError, match="needed: positive"):
        run_regret([0.0])
