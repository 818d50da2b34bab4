"""Synthetic comparisons against the published studies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from opslib.errors import DesignError
from opslib.stats import rollouts, synthetic
from tests.conftest import real_data

PUBLISHED = 5e-4  # published with three decimals


@pytest.fixture(scope="module")
def smoking():
    raw = pd.read_csv(real_data("oracles") / "california_prop99.csv", sep=";")
    return pd.DataFrame(
        {
            "unit": raw["State"],
            "period": raw["Year"],
            "value": raw["PacksPerCapita"],
            "treated_from": np.where(raw["State"] == "California", 1989, np.nan),
        }
    )


@pytest.fixture(scope="module")
def cities():
    raw = pd.read_csv(real_data("oracles") / "geolift_test.csv")
    is_treated = raw["location"].isin(["chicago", "portland"])
    return pd.DataFrame(
        {
            "unit": raw["location"],
            "period": raw["date"],
            "value": raw["Y"],
            "treated_from": np.where(is_treated, "2021-04-01", None),
        }
    )


def test_proposition_99(smoking):
    """Arkhangelsky et al. 2021, table 1: synthetic DiD -15.604, DiD -27.349."""
    result = synthetic.synthetic_did(smoking, n_placebos=20)
    assert result.effect.value == pytest.approx(-15.604, abs=PUBLISHED)
    assert np.isinf(result.effect.lower)
    assert np.isinf(result.effect.upper)
    assert "one treated unit" in result.effect.method
    assert result.weights["weight"].sum() == pytest.approx(1.0)
    with pytest.raises(DesignError, match="1 treated and 38 untreated"):
        rollouts.rollout(smoking, scale="absolute")


def test_proposition_99_plain_difference_in_differences(smoking):
    """A twin of California makes two treated units without moving any mean."""
    twin = smoking[smoking["unit"] == "California"].assign(unit="California again")
    result = rollouts.rollout(pd.concat([smoking, twin]), scale="absolute")
    assert result.effect.value == pytest.approx(-27.349, abs=PUBLISHED)


def test_no_weight_is_negative(cities):
    assert synthetic.synthetic_did(cities, n_placebos=2).weights["weight"].min() >= 0


def planted(effect, seed):
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(0, 0.3, 80))
    rows = [
        (
            u,
            t,
            50 + u + (1 + (u * 5 % 12) / 20) * common[t] + rng.normal(0, 0.5) + effect * (u < 3 and t >= 60),
            60 if u < 3 else None,
        )
        for u in range(12)
        for t in range(80)
    ]
    return pd.DataFrame(rows, columns=["unit", "period", "value", "treated_from"])


def test_a_planted_effect_is_recovered():
    result = synthetic.synthetic_did(planted(3.0, 13))
    assert result.effect.lower < 3.0 < result.effect.upper
    assert result.effect.lower > 0
    assert result.p_value < 0.05


def test_the_placebo_error_holds_with_more_periods_than_units():
    """Twelve units, sixty periods before: the error must be near the spread of estimates, not a fraction of it."""
    results = [synthetic.synthetic_did(planted(0.0, seed), n_placebos=40) for seed in range(30)]
    spread = np.std([result.effect.value for result in results])
    error = np.sqrt(np.mean([result.effect.std_error**2 for result in results]))
    assert 0.6 < error / spread < 2.0  # a spread from 30 draws is known to about 13 %, few units add more


def test_no_effect_is_seldom_found():
    """30 panels: at nominal 5 %, four standard errors allow 6."""
    rejected = sum(synthetic.synthetic_did(planted(0.0, seed), n_placebos=40).p_value <= 0.05 for seed in range(30))
    assert rejected <= 6


def test_a_comparison_that_does_not_follow_is_flagged():
    """The treated units swing against all others: no weighting can follow them."""
    table = planted(0.0, 14)
    swing = np.sin(table["period"] / 3)
    table["value"] += np.where(table["unit"] < 3, 6, -6) * swing
    assert synthetic.synthetic_did(table, n_placebos=2).warnings == ("poor_fit",)
    assert synthetic.synthetic_did(planted(0.0, 14), n_placebos=2).warnings == ()


def test_what_cannot_be_compared_is_refused(cities):
    with pytest.raises(DesignError, match="lacks a value in some period") as refusal:
        synthetic.synthetic_did(cities.iloc[1:])
    assert refusal.value.gate == "balance"
    moved = cities.assign(treated_from=np.where(cities["unit"] == "chicago", "2021-03-01", cities["treated_from"]))
    with pytest.raises(DesignError, match="start in 2 different periods"):
        synthetic.synthetic_did(moved)
    with pytest.raises(DesignError, match="1 untreated"):
        synthetic.synthetic_did(cities[cities["unit"].isin(["chicago", "portland", "new york"])])
