"""The truth bench: its own figures on results known by hand, its list, and a quick run of it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from benchmarks.truth import CELLS, FAMILIES, figures, render_truth_markdown, run_truth
from benchmarks.truth_scenario import Replicates, Scenario, until_decided
from opslib.errors import ParameterError

CELL = Scenario(design="experiment", nuisance="by hand", effect="0")

#: For every run of the tests: one or more of each kind, at no effect or at the promise.
QUICK = tuple(
    cell
    for cell in CELLS
    if (cell.nuisance, cell.effect)
    in {
        ("conversion, 50/50", "0"),
        ("spend lognormal, 10/90", "promise"),
        ("spend lognormal, 10/90, many", "0"),
        ("sessions, ICC .6", "0"),
        ("orders, covariate", "promise"),
        ("ramp 1-50 %", "0"),
        ("four looks, conversion", "promise"),
        ("units lost 5%, worth 50%", "0"),
        ("2 of 12, covariate", "promise"),
        ("20 of 40, covariate", "0"),
        ("180 days, AR 0.6", "0"),
        ("own history, AR 0.0", "promise"),
        ("3 of 6", "0"),
        ("8 units, 60 periods", "0"),
    }
)


def replicates(*ends, invalid=None) -> Replicates:
    lower, upper = (np.array(side, dtype=float) for side in zip(*ends, strict=True))
    bad = np.zeros(len(ends), dtype=bool) if invalid is None else np.array(invalid)
    return Replicates(value=(lower + upper) / 2, lower=lower, upper=upper, is_invalid=bad)


def test_figures_by_hand():
    """No effect, promise 5 %: one support, one refutation, one inconclusive, one support that the gate stopped."""
    runs = replicates((0.01, 0.06), (-0.02, 0.03), (-0.02, 0.07), (0.01, 0.06), invalid=[False, False, False, True])
    row = figures(CELL, runs)
    assert row["false_support_share"] == 0.25
    assert np.isnan(row["false_refute_share"])
    assert row["coverage_share"] == pytest.approx(2 / 3)
    assert row["power_share"] == 0.25
    assert row["invalid_share"] == 0.25


def test_false_refute_by_hand():
    row = figures(
        dataclasses.replace(CELL, effect="promise"), replicates((0.01, 0.04), (-0.1, -0.01), (0.01, 0.06), (0.06, 0.1))
    )
    assert row["false_refute_share"] == 0.5
    assert row["power_share"] == 0.75


def test_a_method_that_is_too_sure_misses_its_targets():
    """Planted: intervals half as wide as they should be."""
    z = np.random.default_rng(1).normal(size=2000)
    half = 0.98 * np.ones(2000)
    runs = Replicates(value=0.02 * z, lower=0.02 * (z - half), upper=0.02 * (z + half), is_invalid=np.zeros(2000, bool))
    row = figures(CELL, runs)
    assert not row["is_met"]
    assert "false support" in row["missed"]
    assert "coverage too low" in row["missed"]


def test_a_method_that_is_too_shy_misses_its_targets():
    z = np.random.default_rng(1).normal(size=2000)
    value = 0.1 + 0.02 * z
    runs = Replicates(value=value, lower=value - 0.06, upper=value + 0.06, is_invalid=np.ones(2000, bool))
    row = figures(dataclasses.replace(CELL, effect="twice"), runs)
    assert "power below 80%" in row["missed"]
    assert "invalid although nothing is wrong" in row["missed"]


def test_the_list_has_what_the_protocol_names():
    names = [(c.design, c.nuisance, c.effect) for c in CELLS]
    assert len(names) == len(set(names)) >= 120
    assert {c.design for c in CELLS} >= {"experiment", "cluster_experiment", "level", "trend"}
    clusters = [c.settings for c in CELLS if c.design == "cluster_experiment"]
    assert all(2 <= s["treated"] <= s["clusters"] - 2 and 6 <= s["clusters"] <= 40 for s in clusters)
    assert {c.effect for c in CELLS} == {"-promise", "0", "half", "promise", "twice"}
    assert all(c in CELLS for c in QUICK)


def test_pairs_share_their_draws():
    plain, adjusted = (next(c for c in CELLS if c.nuisance == f"orders, {name}") for name in ("plain", "covariate"))
    assert plain.generator(1).random() == adjusted.generator(1).random()
    other = next(c for c in CELLS if c.nuisance == "conversion, 50/50")
    assert plain.generator(1).random() != other.generator(1).random()


def test_the_first_decided_look_counts():
    lower = np.array([[-1, 0.01, -1], [-1, -1, -1], [-1, -1, -1]])
    upper = np.array([[1, 1, 1], [1, 1, 1], [1, 0.04, 1]])
    assert until_decided(lower, upper, promise=0.05, smallest_worthwhile=0.0).tolist() == [1, 2, 1]


@pytest.mark.slow
def test_quick_run_meets_every_target_and_repeats_itself():
    table = run_truth(QUICK, n_replicates=200, seed=1)
    assert len(table) == len(QUICK) == 15
    assert set(table["design"]) == set(FAMILIES)
    assert table["is_met"].all(), table.loc[~table["is_met"], ["nuisance", "missed"]].to_dict("records")
    again = run_truth(QUICK[:2], n_replicates=200, seed=1)
    assert again.equals(table.iloc[:2])
    lines = render_truth_markdown(table).splitlines()
    assert lines[0] == "15 of 15 scenarios meet every target; 200 runs each."
    assert len([line for line in lines if line.startswith("| ")]) == 1 + 15


def test_coverage_is_judged_by_the_runs_with_an_answer():
    """Twelve answers of 1,000 that all hold prove nothing of coverage above 97.5 %; 1,000 of 1,000 do."""

    def judged(n_valid: int) -> str:
        runs = Replicates(
            value=np.zeros(1000),
            lower=np.full(1000, -0.02),
            upper=np.full(1000, 0.02),
            is_invalid=np.arange(1000) >= n_valid,
        )
        return figures(dataclasses.replace(CELL, is_valid=False), runs)["missed"]

    assert judged(12) == ""
    assert judged(1000) == "coverage too high"


def test_three_misses_of_twelve_answers_are_no_proof_of_low_coverage():
    """By hand: the 99.9 % bound of 9 of 12 is .97, of 750 of 1,000 it is .79."""
    low = np.where(np.arange(1000) < 3, 0.01, -0.02)
    runs = Replicates(value=low + 0.02, lower=low, upper=low + 0.04, is_invalid=np.arange(1000) >= 12)
    assert figures(dataclasses.replace(CELL, is_valid=False), runs)["missed"] == ""


def test_lowered_floors_are_stated_with_their_reason():
    lowered = [cell for cell in CELLS if cell.power_floor < 0.8]
    assert {cell.design for cell in lowered} == {
        "cluster_experiment",
        "level",
        "trend",
        "before_after",
        "rollout",
        "elasticity",
    }
    row = {"n_replicates": 9, "is_met": True, "missed": "", "effect": "0"} | dict.fromkeys(
        ["false_support_share", "false_refute_share", "coverage_share", "width", "power_share", "oracle_power_share",
         "invalid_share"], 0.5)  # fmt: skip
    table = pd.DataFrame([row | {"design": cell.design, "nuisance": cell.nuisance} for cell in lowered])
    text = render_truth_markdown(table)
    for cell in lowered:
        assert f"- {cell.design}, {cell.nuisance}: {cell.power_floor:.0%}, {cell.floor_reason}" in text
    assert "Less is asked" not in render_truth_markdown(table.assign(nuisance="conversion, 50/50", design="experiment"))
    with pytest.raises(ParameterError, match=r"a power floor of 0.5 below 0.8 needs a floor_reason"):
        dataclasses.replace(CELL, power_floor=0.5)


def test_every_family_is_reached_and_unknown_ones_are_named():
    assert {c.design for c in CELLS} <= set(FAMILIES)
    with pytest.raises(ParameterError, match="design 'oracle' has no generator"):
        run_truth([dataclasses.replace(CELL, design="oracle")], n_replicates=5)
    with pytest.raises(ParameterError, match="at least one run"):
        run_truth(CELLS[:1], n_replicates=0)
