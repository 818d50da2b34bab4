"""Several questions at once: the published example, edges, the planted false alarms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from opslib.errors import ParameterError
from opslib.stats.multiplicity import adjusted, bonferroni_level, false_discovery_rates

#: Benjamini and Hochberg (1995), section 4.
PUBLISHED = (
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
)


@pytest.mark.parametrize(("method", "rejected"), [("benjamini_hochberg", 4), ("holm", 3), ("bonferroni", 3)])
def test_benjamini_and_hochberg_1995(method, rejected):
    assert adjusted(dict(enumerate(PUBLISHED)), method=method)["is_rejected"].sum() == rejected


@pytest.mark.parametrize(("ours", "theirs"), [("benjamini_hochberg", "fdr_bh"), ("holm", "holm")])
def test_statsmodels_agrees(ours, theirs):
    values = [0.03, 0.001, 0.03, 0.9, 0.04]
    assert adjusted(dict(enumerate(values)), method=ours)["adjusted_p_value"].tolist() == pytest.approx(
        multipletests(values, method=theirs)[1]
    )


def test_twenty_metrics_without_effect():
    """Experiments of 20 null metrics: some metric 'works' in 64 %, after Holm in 5 % (statsmodels collects garbage a call: 200)."""
    draws = np.random.default_rng(5).random((200, 20))
    holm = np.mean([adjusted(dict(enumerate(row)))["is_rejected"].any() for row in draws])
    assert (draws < 0.05).any(axis=1).mean() == pytest.approx(1 - 0.95**20, abs=0.07)  # 2 standard errors
    assert holm < 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_correction_never_helps_and_keeps_the_order(values):
    table = adjusted(dict(enumerate(values)))
    assert (table["adjusted_p_value"] >= table["p_value"] - 1e-12).all()
    assert table["name"].tolist() == list(range(len(values)))


def test_edges():
    assert adjusted({}).empty
    assert bonferroni_level(1) == 0.95
    with pytest.raises(ParameterError, match=r"p-value of 'b' is 1\.5"):
        adjusted({"a": 0.1, "b": 1.5})
    with pytest.raises(ParameterError, match="allowed: holm"):
        adjusted({"a": 0.1}, method="sidak")
    with pytest.raises(ParameterError, match="at least one claim"):
        bonferroni_level(0)


def test_rates_equal_scipy_and_count_the_tests_that_are_not_there():
    p = np.array([0.001, 0.2, 0.03, 0.03])
    assert false_discovery_rates(p, n_tested=4) == pytest.approx(stats.false_discovery_control(p))
    padded = stats.false_discovery_control(np.append(p, np.ones(16)))
    assert false_discovery_rates(p, n_tested=20) == pytest.approx(padded[:4])
