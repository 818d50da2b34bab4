"""Pictures of price responses: readable with awkward results, and what each says, by hand."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from opslib import charts
from opslib.charts import theme
from opslib.positioning import what_if
from tests.charts.test_lifetime import readable
from tests.positioning.test_response import exact
from tests.positioning.test_what_if import OWN


@pytest.fixture(autouse=True)
def clean():
    mpl.use("agg")
    theme.use()
    yield
    plt.close("all")


def groups(**columns):
    frame = pd.DataFrame({
        "group": ["lamps", "a very long name of a category of products", "rugs"], "slope": [-2.0, -1.0, np.nan],
        "slope_lower": [-2.5, -40.0, np.nan], "slope_upper": [-1.5, 30.0, np.nan], "promotion_slope": np.nan,
        "promotion_slope_lower": np.nan, "promotion_slope_upper": np.nan, "refusal": ["", "followed", "variation"],
        "is_usable": [True, False, False],
    })  # fmt: skip
    return replace(exact(), groups=frame.assign(**columns))


def test_slopes_count_what_is_clear_and_what_is_refused():
    ax = charts.draw_price_slopes(groups())
    assert readable(ax) == "In 1 of 2 groups a higher list price clearly sells fewer units; 1 cannot be used"
    low, high = ax.get_xlim()
    assert (low, high) == pytest.approx((-6.3, 2.3))
    assert ax.get_yticklabels()[0].get_text() == "lamps"


def test_promotions_have_their_own_points():
    ax = charts.draw_price_slopes(
        groups(promotion_slope=[-3.0, np.nan, np.nan], promotion_slope_lower=-3.5, promotion_slope_upper=-2.5)
    )
    readable(ax)
    assert sum(line.get_marker() == "D" for line in ax.lines) == 1


def test_no_slope_at_all_is_still_a_figure():
    ax = charts.draw_price_slopes(groups(slope=np.nan))
    assert readable(ax) == "No group's price moved enough to tell"
    assert ax.get_yticklabels() == []


def test_a_move_shows_the_money_and_where_evidence_ends():
    ax = charts.draw_price_response(what_if(exact(), OWN, product_id="a", price_change=0.1), currency="GBP")
    assert readable(ax).startswith("Lamp at +10.0\xa0%: margin ")
    assert sum(patch.get_hatch() is not None for patch in ax.patches) == 2
    assert {"now £10.00", "then £11.00", "revenue", "margin"} <= {text.get_text() for text in ax.texts}


@pytest.mark.parametrize(("product", "change", "words"), [
    ("a", 0.5, "since no such price was seen"), ("e", 0.1, "since too little is known"), ("a", 0.0, "margin"),
    ("a", -0.08, "margin"),
])  # fmt: skip
def test_what_cannot_be_told_is_said(product, change, words):
    found = what_if(exact(), OWN, product_id=product, price_change=change)
    assert words in readable(charts.draw_price_response(found, currency="GBP"))
