"""Pairs against chance: expected counts by hand and by brute force, tests against scipy, groups by eye."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opslib.errors import ParameterError
from opslib.stats.association import expected_together, linked_groups, pair_tests


def summed(baskets: list[set[str]]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Counts, strata (one a basket size) and all pairs of some baskets."""
    rows = pd.DataFrame(
        [(item, len(basket)) for basket in baskets for item in sorted(basket)], columns=["item", "stratum"]
    )
    counts = rows.groupby(["item", "stratum"]).size().rename("n").reset_index()
    counts["n_others"] = counts["n"] * (counts["stratum"] - 1)
    strata = counts.groupby("stratum")[["n", "n_others"]].sum().rename(columns={"n": "n_items"}).reset_index()
    strata["n_sets"] = strata["n_items"] / strata["stratum"]
    pairs = pd.DataFrame(list(combinations(sorted(set(rows["item"])), 2)), columns=["item_a", "item_b"])
    return counts, strata, pairs


def test_items_alike_share_the_pairs_of_the_baskets():
    counts, strata, pairs = summed([{"a", "b"}, {"b", "c"}, {"c", "a"}, {"a", "b", "c"}])
    # Three baskets of two hold one pair each, shared by three pairs; the basket of three holds each pair once.
    assert expected_together(counts, strata, pairs).tolist() == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_expected_counts_sum_to_the_pairs_that_the_baskets_hold(seed):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 7, 200)
    counts, strata, pairs = summed([set(random.choice(list("abcdefgh"), size, replace=False)) for size in sizes])
    expected = expected_together(counts, strata, pairs)
    assert expected.sum() == pytest.approx((sizes * (sizes - 1)).sum() / 2, rel=1e-6)  # the fit has converged
    shuffled = expected_together(counts.sample(frac=1, random_state=seed), strata.iloc[::-1], pairs)
    assert shuffled == pytest.approx(expected)


def test_expected_counts_are_those_of_baskets_filled_at_random():
    # Sizes with a heavy tail, items of unequal frequency: without the sizes the counts would be far off.
    random = np.random.default_rng(5)
    weights, sizes = 0.6 ** np.arange(8), np.minimum(1 + random.pareto(1.2, 4_000).astype(int), 6)
    baskets = [set(random.choice(list("abcdefgh"), k, replace=False, p=weights / weights.sum())) for k in sizes]
    counts, strata, pairs = summed(baskets)
    seen = np.array([sum(a in basket and b in basket for basket in baskets) for a, b in pairs.to_numpy()])
    expected = expected_together(counts, strata, pairs)
    assert np.abs(seen - expected).max() < 3.5 * np.sqrt(
        expected.max()
    )  # chance of 28 Poisson counts, no room for bias
    assert ((seen - expected) / np.sqrt(expected)).std() < 1.3
    margin = counts.groupby("item")["n"].sum()
    plain = np.array([margin[a] * margin[b] / len(baskets) for a, b in pairs.to_numpy()])
    assert np.abs(np.log(seen / expected)).mean() < 0.5 * np.abs(np.log(seen / plain)).mean()


def test_tests_are_poisson_where_nothing_clusters():
    found = pair_tests(np.array([10.0, 0.0]), np.array([4.0, 2.0]), dispersion=np.ones(2), n_tested=2)
    assert found["p_value"].tolist() == pytest.approx([stats.poisson.sf(9, 4.0), 1.0])
    # Garwood's interval of 10 events: 4.795 to 18.390 (Ulm 1990, Am J Epidemiol 131:373, table 1).
    assert found.loc[0, ["ratio_lower", "ratio_upper"]].tolist() == pytest.approx([4.795 / 4, 18.390 / 4], abs=1e-3)
    less = pair_tests(np.array([1.0]), np.array([4.0]), dispersion=np.ones(1), n_tested=1, side="less")
    assert less["p_value"].iloc[0] == pytest.approx(stats.poisson.cdf(1, 4.0))


def test_clusters_weaken_the_evidence():
    alone, clustered = (
        pair_tests(np.array([20.0]), np.array([8.0]), dispersion=np.array([d]), n_tested=1) for d in (1.0, 5.0)
    )
    assert clustered["p_value"].iloc[0] > 100 * alone["p_value"].iloc[0]
    assert clustered["ratio_lower"].iloc[0] < alone["ratio_lower"].iloc[0]
    assert clustered["ratio"].iloc[0] == pytest.approx(2.5)


def test_one_false_link_does_not_chain_two_groups():
    links = [*combinations("abcd", 2), *combinations("wxyz", 2), ("d", "w")]
    groups = linked_groups(links)
    assert [{item for item, label in groups.items() if label == g} for g in (0, 1)] == [set("abcd"), set("wxyz")]
    assert linked_groups([]) == {}


@given(order=st.permutations(list(combinations("abcd", 2))))
def test_groups_do_not_depend_on_the_order_of_clear_links(order):
    assert len(set(linked_groups(order).values())) == 1


def test_what_cannot_be_is_refused():
    with pytest.raises(ParameterError, match="n_tested: 1 is below the 2 pairs"):
        pair_tests(np.ones(2), np.ones(2), dispersion=np.ones(2), n_tested=1)
    with pytest.raises(ParameterError, match="side: 'both' is not one of"):
        pair_tests(np.ones(1), np.ones(1), dispersion=np.ones(1), n_tested=1, side="both")
