"""Valleys between groups: found where planted, not found in one cloud of any shape, exact where counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats import unimodality
from opslib.stats.unimodality import group_labels, valley_test

#: Level of the test in the clouds below; more than 2 of 40 has a chance of 1 % at that level.
LEVEL, DRAWS, MOST_FALSE = 0.01, 40, 2


def _two(gap: float, n: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat([0, 1], n // 2)
    points = np.random.default_rng(seed).normal(size=(n, 3))
    points[:, 0] += gap * labels
    return points, labels


def test_labels_put_the_largest_group_first():
    points = np.array([[0.0], [9.0], [9.1], [9.2], [0.1]])
    assert group_labels(points, 2, seed=1).tolist() == [1, 0, 0, 0, 1]


def test_p_value_is_the_larger_of_two_exact_binomials():
    counts = np.array([[9, 2, 12], [5, 5, 5], [0, 0, 0]])
    by_hand = [
        max(stats.binomtest(2, 11, alternative="less").pvalue, stats.binomtest(2, 14, alternative="less").pvalue),
        stats.binomtest(5, 10, alternative="less").pvalue,
        1.0,
    ]
    assert np.exp(unimodality._log_p(counts)) == pytest.approx(by_hand)


def test_windows_have_equal_width_and_do_not_overlap():
    left, middle, right, half = unimodality._WINDOWS.T
    assert len(left) > 50
    assert (middle - left >= 2 * half - 1e-9).all()
    assert (right - middle >= 2 * half - 1e-9).all()


@pytest.mark.parametrize(("gap", "is_parted"), [(5.0, True), (0.0, False)])
def test_a_planted_valley_is_found_and_none_is_invented(gap, is_parted):
    points, labels = _two(gap)
    assert (valley_test(points, labels, seed=1).p_value < LEVEL) == is_parted


def test_every_split_of_four_corners_has_its_valley():
    corners = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])[np.repeat(range(4), 80)]
    points = corners + np.random.default_rng(1).normal(size=corners.shape)
    found = valley_test(points, np.repeat(range(4), 80))
    assert len(found.splits) == 3
    assert found.splits["p_value"].max() < 1e-6
    assert found.p_value == 3 * found.splits["p_value"].min()
    assert found.ridge_p_value < 1e-6


def test_a_group_cut_in_two_is_cut_along_a_ridge():
    points, labels = _two(8.0)
    cut = labels + (labels == 1) * (points[:, 1] > 0)
    found = valley_test(points, cut)
    assert found.p_value < 1e-9
    assert found.splits["p_value"].max() > 0.05
    assert found.ridge_p_value > 0.2


CLOUDS = {
    "flat": lambda rng: rng.random((300, 2)),
    "skewed": lambda rng: rng.exponential(size=(300, 3)),
    "normal": lambda rng: rng.normal(size=(300, 5)) * [3, 1, 1, 1, 1],
    "two precisions": lambda rng: rng.normal(size=(300, 2)) * rng.choice([0.3, 2.0], 300)[:, None],
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_one_cloud_of_any_shape_is_seldom_parted(cloud):
    false = 0
    for seed in range(DRAWS):
        points = CLOUDS[cloud](np.random.default_rng(seed))
        false += valley_test(points, group_labels(points, 2 + seed % 3, seed=seed), seed=seed).p_value < LEVEL
    assert false <= MOST_FALSE


@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(-9, 9))
@settings(max_examples=10, deadline=None)
def test_scale_and_place_do_not_matter(seed, scale, shift):
    points, labels = _two(4.0, n=120, seed=seed)
    one, other = valley_test(points, labels), valley_test(points * scale + shift, labels)
    assert one.splits["n_valley"].tolist() == pytest.approx(other.splits["n_valley"].tolist(), abs=1)


def test_errors_say_what_is_needed():
    with pytest.raises(ParameterError, match="3 points, 3 labels, 1 groups: at least two groups"):
        valley_test(np.zeros((3, 1)), np.zeros(3, dtype=int))
    with pytest.raises(ParameterError, match="n_groups: 4 is not from 1 to the 3 points"):
        group_labels(np.zeros((3, 1)), 4, seed=1)
