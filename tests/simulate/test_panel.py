"""The price module alone shows the same elasticities as the whole shop."""

from __future__ import annotations

import numpy as np
import pyfixest as pf
import pytest

from opslib.simulate import preset, price_panel

SIGMAS = 3.3  # two-sided chance of 1 in 1,000 a check, with a fixed seed


def _fit(rows, formula):
    fit = pf.fepois(
        formula, data=rows.assign(offset=np.log(rows["n_days"])), offset="offset", vcov={"CRV1": "product_id"}
    )
    return fit.coef()["log_price"], fit.se()["log_price"]


@pytest.mark.parametrize("seed", [3])
def test_free_prices_show_the_elasticity(seed):
    panel = price_panel(config=preset("demo", confounded_price=False), seed=seed, lines_a_day=400.0)
    for name, rows in panel.groupby("category"):
        estimate, error = _fit(rows, "lines ~ log_price | product_id + week")
        assert estimate == pytest.approx(rows["elasticity"].iloc[0], abs=SIGMAS * error), name
        assert error < 0.4  # a category lives on a few products of its forty


def test_prices_that_follow_demand_deceive():
    panel = price_panel(config=preset("demo"), seed=3, lines_a_day=400.0)
    rows = panel[panel["is_confounded"]]
    assert set(rows["category"]) == {"Lighting", "Garden"}
    estimate, _ = _fit(rows, "lines ~ log_price | product_id")
    assert estimate > rows["elasticity"].max() + 0.5


def test_sales_are_as_many_as_asked_for():
    panel = price_panel(config=preset("demo"), seed=3, lines_a_day=80.0)
    days = 7 * (panel["week"].max() + 1)
    assert panel["lines"].sum() == pytest.approx(80.0 * days, abs=SIGMAS * np.sqrt(80.0 * days))
    assert (panel["n_days"] <= 7).all()
