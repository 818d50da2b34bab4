"""Roll-outs against published studies, hand counts, a peer library and planted effects."""

from __future__ import annotations

import diff_diff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import DesignError, ParameterError
from opslib.stats import rollouts
from opslib.stats.panels import Panel
from tests.conftest import real_data

EXACT = 1e-9  # floating point only
PUBLISHED = 5e-4  # published with three decimals


def panel(changes, *, treated, n_before=2, n_after=2, base=10.0):
    """Units with a flat level that moves by their change at the start."""
    rows = [
        (unit, period, base + unit + change * (period >= n_before), n_before if unit in treated else None)
        for unit, change in enumerate(changes)
        for period in range(n_before + n_after)
    ]
    return pd.DataFrame(rows, columns=["unit", "period", "value", "treated_from"])


def noisy(rng, *, n=12, n_treated=4, effect=0.0, n_before=20, n_after=10, start=None):
    levels = np.exp(rng.normal(4, 0.5, n))[:, None]
    noise = np.exp(0.1 * rng.standard_normal((n, n_before + n_after)))
    lift = np.ones((n, n_before + n_after))
    starts = start or [n_before] * n_treated
    for unit, first in enumerate(starts):
        lift[unit, first:] += effect
    rows = pd.DataFrame(levels * noise * lift).reset_index(names="unit").melt("unit", var_name="period")
    rows["period"] = rows["period"].astype(int)
    rows["treated_from"] = rows["unit"].map(dict(enumerate(starts)))
    return rows


def test_card_krueger_1994():
    """Employment in fast food: 2.750 on the balanced panel of this file (published 2.76)."""
    raw = pd.read_csv(real_data("oracles") / "card-krueger.csv")
    table = pd.DataFrame(
        {
            "unit": raw["id"],
            "period": raw["d"],
            "value": raw["fte"],
            "treated_from": np.where(raw["nj"] == 1, 1, np.nan),
        }
    )
    result = rollouts.rollout(table, scale="absolute")
    assert result.effect.value == pytest.approx(2.750, abs=PUBLISHED)
    assert (result.n_treated, result.n_untreated) == (309, 75)
    assert result.n_incomplete == 26
    assert result.pre_trend is None
    assert "weak_pre_trend_test" in result.warnings


def test_by_hand():
    """Treated change 5 and 7, untreated 1, 2, 3: 6 - 2 = 4; pooled variance (2 + 2) / 3, error sqrt(4/3 * 5/6)."""
    result = rollouts.rollout(panel([5, 7, 1, 2, 3], treated={0, 1}), scale="absolute")
    assert result.effect.value == pytest.approx(4.0, abs=EXACT)
    assert result.effect.std_error == pytest.approx(np.sqrt(4 / 3 * 5 / 6), abs=EXACT)
    assert result.p_value == pytest.approx(1 / 10, abs=EXACT)  # the largest of ten assignments
    assert (result.inference, result.df) == ("pooled t", 3)
    assert "few_units" in result.warnings


def test_a_relative_effect_is_a_share():
    table = panel([0] * 6, treated={0, 1, 2})
    table.loc[(table["unit"] < 3) & (table["period"] >= 2), "value"] *= 1.25
    assert rollouts.rollout(table).effect.value == pytest.approx(0.25, abs=EXACT)


def test_a_common_shock_is_no_effect():
    table = panel([0.0] * 6, treated={0, 1})
    table["value"] *= np.where(table["period"] == 3, 2.0, 1.0)
    result = rollouts.rollout(table)
    assert result.effect.value == pytest.approx(0.0, abs=EXACT)


def test_the_permutation_interval_is_the_inverted_test():
    """Second road: subtract each candidate effect from the treated and permute anew."""
    rng = np.random.default_rng(8)
    changes = rng.normal(size=14) + 2.0 * (np.arange(14) < 6)
    result = rollouts.rollout(panel(changes, treated=set(range(6)), base=100.0), scale="absolute", confidence_level=0.9)
    assert result.inference == "permutation"
    for null, is_inside in (
        (result.effect.lower - 1e-6, False),
        (result.effect.lower + 1e-6, True),
        (result.effect.upper - 1e-6, True),
        (result.effect.upper + 1e-6, False),
    ):
        adjusted = rollouts.rollout(
            panel(changes - null * (np.arange(14) < 6), treated=set(range(6)), base=100.0), scale="absolute"
        )
        assert (adjusted.p_value > 0.1) == is_inside


def test_staggered_starts_are_compared_with_the_never_treated():
    """Unit 0 starts at 2 and unit 1 at 4; both gain 3; a plain two-way regression would mix them."""
    rows = [
        (u, t, 10.0 * u + t + 3.0 * (t >= s), s if s < 9 else None)
        for u, s in enumerate([2, 4, 9, 9, 9])
        for t in range(6)
    ]
    table = pd.DataFrame(rows, columns=["unit", "period", "value", "treated_from"])
    result = rollouts.rollout(table, scale="absolute")
    assert result.effect.value == pytest.approx(3.0, abs=EXACT)
    study = rollouts.event_study(table, scale="absolute").set_index("relative_period")
    assert study.loc[[0, 1], "effect"].tolist() == pytest.approx([3.0, 3.0], abs=EXACT)
    assert study.loc[3, "n_treated"] == 1


def test_event_study_agrees_with_callaway_and_santanna():
    """Peer: diff-diff, universal base period; ours is against all periods before, so compare differences to -1."""
    table = noisy(np.random.default_rng(9), effect=0.2, n_before=5, n_after=4)
    study = rollouts.event_study(table, scale="absolute").set_index("relative_period")["effect"]
    fit = diff_diff.CallawaySantAnna(base_period="universal").fit(
        table.assign(first=table["treated_from"].fillna(0)),
        outcome="value",
        unit="unit",
        time="period",
        first_treat="first",
    )
    for (_, period), entry in fit.group_time_effects.items():
        relative = int(period) - 5
        assert study[relative] - study[-1] == pytest.approx(entry["effect"], abs=1e-8)


def test_two_of_twelve_keeps_its_error_rate():
    """Cluster-robust errors reject 19 % here (reference/truth.md); 150 replicates, four standard errors above 5 %."""
    rng = np.random.default_rng(10)
    rejected = [rollouts.rollout(noisy(rng, n_treated=2)).effect.excludes(0.0) for _ in range(150)]
    assert np.mean(rejected) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 150)


def test_a_planted_effect_is_found():
    result = rollouts.rollout(noisy(np.random.default_rng(11), n=16, n_treated=8, effect=0.2))
    assert result.effect.lower < 0.2 < result.effect.upper
    assert result.effect.lower > 0.05
    assert result.p_value < 0.01


def test_a_drift_before_is_flagged_and_its_power_said():
    table = noisy(np.random.default_rng(12), n=20, n_treated=10)
    table.loc[table["unit"] < 10, "value"] *= np.exp(0.02 * table["period"])
    result = rollouts.rollout(table)
    assert "pre_trend" in result.warnings
    assert result.pre_trend.slope.value == pytest.approx(0.02, abs=0.01)
    assert result.pre_trend.power > 0.9


def test_incomplete_units_are_counted_not_hidden():
    table = panel([5, 7, 1, 2, 3, 4], treated={0, 1, 5})
    cut = table[~((table["unit"] == 5) & (table["period"] < 2))]
    result = rollouts.rollout(cut, scale="absolute")
    assert (result.n_incomplete, result.n_treated) == (1, 2)


@given(st.permutations(range(7)))
def test_the_order_of_rows_does_not_matter(order):
    table = panel([5, 7, 1, 2, 3, 9, 4], treated={0, 1, 5})
    mixed = pd.concat([table[table["unit"] == unit] for unit in order]).iloc[::-1]
    first, second = (rollouts.rollout(t, scale="absolute") for t in (table, mixed))
    assert first.effect == second.effect
    assert first.p_value == second.p_value


def test_dates_and_text_dates_are_periods():
    table = panel([5, 7, 1, 2, 3], treated={0, 1})
    days = pd.date_range("2024-01-01", periods=4, freq="W")
    dated = table.assign(period=days[table["period"]], treated_from=table["treated_from"].map({2.0: days[2]}))
    text = dated.assign(
        period=dated["period"].dt.strftime("%Y-%m-%d"), treated_from=dated["treated_from"].dt.strftime("%Y-%m-%d")
    )
    expected = rollouts.rollout(table, scale="absolute").effect
    assert rollouts.rollout(dated, scale="absolute").effect == expected
    assert rollouts.rollout(text, scale="absolute").effect == expected


@pytest.mark.parametrize(("treated", "text"), [({0}, "1 treated and 4 untreated"), ({0, 1, 2, 3}, "4 treated and 1")])
def test_too_few_units_are_refused_by_name(treated, text):
    with pytest.raises(DesignError, match=text) as refusal:
        rollouts.rollout(panel([1, 2, 3, 4, 5], treated=treated), scale="absolute")
    assert refusal.value.gate == "units"


def test_nobody_treated_is_refused():
    with pytest.raises(DesignError, match="no unit has periods both before and under treatment"):
        rollouts.rollout(panel([1, 2, 3], treated=set()))


def test_a_broken_panel_is_refused():
    table = panel([1, 2, 3, 4], treated={0, 1})
    with pytest.raises(ParameterError, match="two rows for period"):
        rollouts.rollout(pd.concat([table, table.iloc[:1]]))
    with pytest.raises(ParameterError, match="more than one treated_from"):
        rollouts.rollout(table.assign(treated_from=table["period"]))
    with pytest.raises(ParameterError, match="lacks column 'treated_from'"):
        rollouts.rollout(table.drop(columns="treated_from"))
    with pytest.raises(ParameterError, match="allowed: relative, absolute"):
        rollouts.rollout(table, scale="log")


def test_a_zero_level_has_no_relative_change():
    """A unit without sales before has no log: it is incomplete, not an error and not a zero."""
    table = panel([1, 2, 3, 4, 5, 6], treated={0, 1, 2})
    table.loc[(table["unit"] == 0) & (table["period"] < 2), "value"] = 0.0
    assert rollouts.rollout(table).n_incomplete == 1


def test_exposure_is_one_from_the_start():
    data = Panel.of(panel([1, 2, 3], treated={0}), scale="absolute")
    assert data.exposure.tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
