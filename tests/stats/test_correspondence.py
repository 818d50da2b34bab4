"""Correspondence analysis against Greenacre's smoking table, prince, and tables without association."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opslib.errors import ParameterError
from opslib.stats.correspondence import correspondence_map

#: Staff groups by smoking habit (Greenacre 1984): none, light, medium, heavy.
SMOKE = pd.DataFrame(
    [[4, 2, 3, 2], [4, 3, 7, 4], [25, 10, 12, 4], [18, 24, 33, 13], [10, 6, 7, 2]],
    index=["SM", "JM", "SE", "JE", "SC"],
    columns=["none", "light", "medium", "heavy"],
)


def test_smoke_table_equals_the_book():
    # "inertias .07476 .01002 .00041, total .08519, chi2 16.44" (Greenacre 1984; ca package)
    found = correspondence_map(SMOKE, n_resamples=50)
    assert found.inertias == pytest.approx([0.07476, 0.01002, 0.00041], abs=5e-6)
    assert found.inertias.sum() == pytest.approx(0.08519, abs=5e-6)
    assert found.chi_square == pytest.approx(16.44, abs=5e-3)
    assert found.p_value == pytest.approx(0.1718, abs=5e-5)  # published with the table: p = .1718


def test_coordinates_equal_prince_to_1e8():
    prince = pytest.importorskip("prince")
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.integers(1, 60, size=(7, 5)))
    table.index, table.columns = [f"r{i}" for i in range(7)], [f"c{i}" for i in range(5)]
    oracle = prince.CA(n_components=3, engine="scipy").fit(table)
    found = correspondence_map(table, n_resamples=10)
    for ours, theirs in (
        (found.rows, oracle.row_coordinates(table)),
        (found.columns, oracle.column_coordinates(table)),
    ):
        a, b = ours.to_numpy()[:, :3], theirs.to_numpy()[:, :3]
        sign = np.sign((a * b).sum(axis=0))
        assert np.abs(a - b * sign).max() < 1e-8
    assert found.inertias[:3] == pytest.approx(oracle.eigenvalues_, abs=1e-10)


def test_a_table_without_association_shows_nothing_beyond_chance():
    rng = np.random.default_rng(11)
    share = np.outer([0.1, 0.2, 0.3, 0.4], [0.2, 0.3, 0.5])
    n_false = sum(
        correspondence_map(
            pd.DataFrame(rng.multinomial(2_000, share.ravel()).reshape(4, 3)), n_resamples=100, seed=i
        ).n_axes_beyond_chance
        > 0
        for i in range(100)
    )
    # Nominal 5 % of 100; P(more than 13) is below .1 % for a binomial with p = .05.
    assert n_false <= 13


def test_regions_shrink_with_the_square_root_of_the_counts():
    small, large = (correspondence_map(SMOKE * k, n_resamples=2_000, seed=3) for k in (10, 40))
    ratio = np.sqrt(small.row_regions["var_1"] / large.row_regions["var_1"])
    assert ratio.to_numpy() == pytest.approx(2.0, rel=0.08)  # Monte Carlo error of a variance from 2,000 draws: 3 %


def _procrustes_similarity(found, truth):
    """Correlation of two maps once moved, turned and scaled onto each other."""
    a, b = found - found.mean(axis=0), truth - truth.mean(axis=0)
    return np.linalg.svd(a.T @ b, compute_uv=False).sum() / (np.linalg.norm(a) * np.linalg.norm(b))


def test_a_planted_map_is_recovered():
    rng = np.random.default_rng(2)
    brands, themes = rng.normal(size=(12, 2)), rng.normal(size=(9, 2))
    rate = np.exp(0.5 * brands @ themes.T) * 400
    found = correspondence_map(pd.DataFrame(rng.poisson(rate)), n_resamples=100)
    assert found.n_axes_beyond_chance >= 2
    assert _procrustes_similarity(found.rows.to_numpy()[:, :2], brands) > 0.85


@given(arrays(np.int64, st.tuples(st.integers(2, 6), st.integers(2, 6)), elements=st.integers(1, 50)))
def test_masses_centre_the_map_and_rows_may_be_permuted(values):
    table = pd.DataFrame(values)
    found = correspondence_map(table, n_resamples=2)
    mass = values.sum(axis=1) / values.sum()
    assert np.abs(mass @ found.rows.to_numpy()).max() < 1e-9
    assert found.inertias.sum() * values.sum() == pytest.approx(found.chi_square, abs=1e-8)
    turned = correspondence_map(table.iloc[::-1], n_resamples=2)
    assert turned.inertias == pytest.approx(found.inertias, abs=1e-10)


def test_tables_that_cannot_be_mapped_are_refused():
    with pytest.raises(ParameterError, match=r"nothing was counted for b; leave it out"):
        correspondence_map(pd.DataFrame([[1, 2], [0, 0]], index=["a", "b"]))
    with pytest.raises(ParameterError, match="too small"):
        correspondence_map(pd.DataFrame([[1, 2]]))
    with pytest.raises(ParameterError, match="not negative"):
        correspondence_map(pd.DataFrame([[1, -2], [3, 4]]))
