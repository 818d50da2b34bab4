"""Counts against peers: by hand, against Poisson where peers do not differ, and not misled by how much they do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as distributions
from statsmodels.stats.multitest import multipletests

from opslib.errors import ParameterError
from opslib.stats.excess import peer_excess


def test_expected_is_the_rate_of_the_others_by_hand():
    """Group a: 6 and 2 events of 100 each; alone in b: the whole rate counts, since nobody else is there."""
    found = peer_excess([6.0, 2.0, 4.0], [100.0, 100.0, 100.0], np.array(["a", "a", "b"]), false_discovery=1e-9)
    # At first the tenth farthest out (the first) is set aside: rate of all 6 of 200. Then all are kept: 12 of 300.
    assert found["expected"].tolist() == pytest.approx([100 * 3 / 125, 100 * 7 / 125, 100 * 1 / 25])
    assert found["ratio"].tolist() == pytest.approx([6 / 2.4, 2 / 5.6, 4 / 4.0])


def test_intervals_are_those_of_garwood():
    """Garwood (1936): 10 events, exact Poisson 95 % interval 4.795 to 18.390."""
    found = peer_excess([10.0, 10.0], [50.0, 50.0], np.array(["a", "a"]))
    ends = found[["ratio_lower", "ratio_upper"]].mul(found["expected"], axis=0).iloc[0]
    assert ends.tolist() == pytest.approx([4.795, 18.390], abs=1e-3)


def test_among_equal_peers_it_is_the_poisson_test_with_false_discovery_of_statsmodels():
    x = np.random.default_rng(1).poisson(30.0, 400)
    x[:5] = 70
    found = peer_excess(x, np.full(400, 1000.0), np.full(400, "all"))
    plain = distributions.poisson.sf(x - 1, found["expected"])
    assert np.corrcoef(np.log(found["p_value"]), np.log(plain))[0, 1] > 0.999
    tail = plain < 0.2
    assert (found["p_value"][tail] >= plain[tail] * 0.999).all()  # never bolder than Poisson
    assert found["q_value"].to_numpy() == pytest.approx(multipletests(found["p_value"], method="fdr_bh")[1])
    assert set(np.flatnonzero(found["q_value"] <= 0.1)) >= set(range(5))


@pytest.mark.parametrize("spread", [0.0, 0.3, 0.6])
def test_peers_that_differ_are_not_faulty(spread):
    """Nothing planted, 200 units whose rates differ by up to 60 %: in at most one of ten shops is any unit named (60 shops)."""
    rng, named = np.random.default_rng(2), []
    for _ in range(60):
        exposed = rng.lognormal(4.0, 1.0, 200)
        true = rng.gamma(1 / spread**2, spread**2, 200) if spread else np.ones(200)
        found = peer_excess(rng.poisson(0.1 * exposed * true), exposed, np.full(200, "all"))
        named.append((found["q_value"] <= 0.1).any())
    assert np.mean(named) <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 60)


def test_what_stays_next_time_is_what_the_ratio_next_says():
    """Regression to the mean: of the 40 farthest out among 400 that differ, the same 40 are counted again."""
    rng, said, seen, first = np.random.default_rng(3), [], [], []
    for _ in range(30):
        true = rng.gamma(1 / 0.09, 0.09, 400)
        found = peer_excess(rng.poisson(10 * true), np.full(400, 100.0), np.full(400, "all"))
        worst = found["ratio"].nlargest(40).index
        said.append(found["ratio_next"][worst].mean())
        first.append(found["ratio"][worst].mean())
        seen.append((rng.poisson(10 * true) / 10)[worst].mean())
    assert np.mean(said) == pytest.approx(np.mean(seen), abs=0.06)
    assert np.mean(first) > np.mean(seen) + 0.2


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 200)), min_size=2, max_size=30), st.randoms())
def test_order_does_not_matter_and_p_values_are_probabilities(units, random):
    groups = np.array(["a" if i % 2 else "b" for i in range(len(units))])
    x, n = (np.array(side, dtype=float) for side in zip(*units, strict=True))
    found = peer_excess(x, n, groups)
    order = np.array(random.sample(range(len(x)), len(x)))
    again = peer_excess(x[order], n[order], groups[order])
    assert again["p_value"].to_numpy() == pytest.approx(found["p_value"].to_numpy()[order])
    assert found["p_value"].between(0, 1).all()
    known = found.dropna(subset=["ratio"])
    assert (known["ratio_lower"] <= known["ratio"]).all()
    assert (known["ratio"] <= known["ratio_upper"]).all()


def test_nothing_and_what_is_no_count():
    assert len(peer_excess([], [], np.array([]))) == 0
    assert peer_excess([0.0, 0.0], [9.0, 9.0], np.array(["a", "a"]))["p_value"].tolist() == [1.0, 1.0]
    with pytest.raises(ParameterError, match="a count is negative"):
        peer_excess([-1.0], [1.0], np.array(["a"]))
