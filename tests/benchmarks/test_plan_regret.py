"""The plan against usual rules and an oracle that knows the truth."""

from __future__ import annotations

import pytest

from benchmarks.plan_regret import CAPACITIES, run_portfolios
from opslib.proposals.portfolio import RULES


def test_nobody_beats_the_oracle_and_the_same_seed_gives_the_same_table() -> None:
    first, second = (run_portfolios(4, seed=2) for _ in range(2))
    assert first.equals(second)
    assert (first["regret_amount"] >= -1e-6).all()
    assert list(first["rule"].unique()) == ["plan", *RULES]


@pytest.mark.slow
def test_the_plan_leaves_less_than_usual_rules() -> None:
    """500 portfolios: never more than any rule; clearly less than each wherever days are scarce."""
    table = run_portfolios(500)
    rules = table[table["rule"] != "plan"]
    assert (rules["above_amount"] >= 0).all()
    scarce = rules[rules["capacity"].isin([name for name, share in CAPACITIES.items() if share < 1])]
    assert (scarce["above_amount_lower"] > 0).all(), scarce
