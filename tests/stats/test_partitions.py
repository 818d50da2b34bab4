"""Groups that come again, shares that moved, what sets groups apart: by hand and against a second road."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_blobs

from opslib.stats.cluster_validation import population_stability, replication, standardised_differences
from opslib.stats.unimodality import group_labels


def test_clear_groups_come_again_and_a_cut_through_one_cloud_does_not():
    points, labels = make_blobs([60, 60], centers=[[0, 0], [9, 0]], random_state=1)
    assert replication(points, labels, draws=10, seed=1).min() > 0.99
    cloud = np.random.default_rng(1).normal(size=(3_000, 2))
    cut = group_labels(cloud, 4, seed=1)
    assert replication(cloud, cut, draws=20, size=600, seed=1).min() < 0.75


def test_similarity_is_the_jaccard_of_the_likest_new_group():
    # Drawn anew, three far groups are always found: cut wrongly into {a, b} and {c, d, rest}, similarities are by hand.
    points = np.repeat([0.0, 10.0, 30.0], [10, 10, 20])[:, None] + np.linspace(0, 0.1, 40)[:, None]
    labels = np.repeat([0, 1, 2], [10, 10, 20])
    wrong = np.repeat([0, 1, 2], [10, 20, 10])
    again = replication(points, wrong, draws=5, size=40, seed=1)
    assert replication(points, labels, draws=5, size=40, seed=1).tolist() == [1, 1, 1]
    assert again.tolist() == pytest.approx(
        [1.0, 0.5, 0.5]
    )  # 10 of 20 | 20; {11..30} and {21..40} share 10 of 30 or 10 of 20


def test_stability_index_by_hand_and_its_chance_level_by_simulation():
    index, _ = population_stability(np.array([99.5, 99.5]), np.array([149.5, 49.5]))
    assert index == pytest.approx(0.25 * np.log(1.5) - 0.25 * np.log(0.5))
    rng = np.random.default_rng(1)
    over = [a > b for a, b in (population_stability(*rng.multinomial(2_000, [0.1] * 10, size=2)) for _ in range(1_000))]
    assert np.mean(over) == pytest.approx(0.05, abs=0.025)  # 3.6 standard errors of 1,000 draws


def test_an_empty_part_does_not_make_the_index_infinite():
    assert np.isfinite(population_stability(np.array([10, 0, 5]), np.array([0, 9, 5]))[0])


def test_differences_equal_the_t_test_and_cover():
    rng = np.random.default_rng(1)
    points, labels = rng.normal(size=(90, 2)), np.repeat([0, 1, 2], 30)
    found = standardised_differences(points, labels)
    t = stats.ttest_ind(points[labels == 1, 0], points[labels != 1, 0]).statistic
    row = found[(found["group"] == 1) & (found["dimension"] == 0)].iloc[0]
    assert row["difference"] == pytest.approx(t * np.sqrt(1 / 30 + 1 / 60))
    covered = []
    for _ in range(400):
        points = rng.normal(size=(80, 1))
        points[:40] += 1.0
        row = standardised_differences(points, np.repeat([0, 1], 40)).iloc[0]
        covered.append(row["difference_lower"] <= 1.0 <= row["difference_upper"])
    assert np.mean(covered) == pytest.approx(0.95, abs=0.04)  # 3.6 standard errors of 400 draws


def test_missing_and_constant_values():
    points = np.array([[1.0, 5.0], [2.0, 5.0], [np.nan, 5.0], [7.0, 5.0], [8.0, 5.0], [9.0, 5.0]])
    found = standardised_differences(points, np.array([0, 0, 0, 1, 1, 1]))
    assert found["mean"].tolist()[0] == 1.5
    assert found.loc[found["dimension"] == 1, "difference"].tolist() == [0.0, 0.0]


def test_sides_that_do_not_vary_are_apart_only_if_they_differ():
    # The mean of three times .1 is not .1 to the last digit; all and nothing, three each, lie two deviations of 1/2 apart.
    points = np.array([[0.1, 1.0]] * 3 + [[0.1, 0.0]] * 3)
    found = standardised_differences(points, np.array([0, 0, 0, 1, 1, 1]))
    assert found["difference"].tolist() == [0.0, 2.0, 0.0, -2.0]
