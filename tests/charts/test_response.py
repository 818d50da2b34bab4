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


CHART_CASES = {
    "slopes": lambda: charts.draw_price_slopes(groups()),
    "what if": lambda: charts.draw_price_response(
        what_if(exact(), OWN, product_id="a", price_change=0.1), currency="GBP"
    ),
}


def test_slopes_name_what_is_clear_and_what_is_refused():
    ax = charts.draw_price_slopes(groups())
    title = readable(ax).replace("\n", " ")
    assert title == "Higher prices sell fewer units in lamps; a very long name of a category of products cannot be told"
    low, high = ax.get_xlim()
    assert (low, high) == pytest.approx((-6.3, 2.3))
    assert ax.get_yticklabels()[0].get_text() == "lamps"


def test_promotions_have_their_own_points():
    ax = charts.draw_price_slopes(
        groups(promotion_slope=[-3.0, np.nan, np.nan], promotion_slope_lower=-3.5, promotion_slope_upper=-2.5)
    )
    readable(ax)
    drawn = [
        colours for dots in ax.collections if len(colours := dots.get_facecolors()) and len(dots.get_offsets()) == 1
    ]
    assert [mpl.colors.to_hex(colours[0]).upper() for colours in drawn].count(theme.GREEN) == 1


def test_of_no_slope_at_all_nothing_is_drawn():
    assert charts.draw_price_slopes(groups(slope=np.nan)) is None


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


def test_rows_stand_by_their_value_and_groups_left_out_are_counted():
    many = pd.concat([groups().groups.iloc[[0]].assign(group=f"g{n:02d}", slope=-1.0 - n / 10) for n in range(20)])
    ax = charts.draw_price_slopes(replace(groups(), groups=many, n_groups_left_out=3))
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == [f"g{n:02d}" for n in range(14, -1, -1)]  # steepest first, of the fifteen with the most units
    assert "8 smaller groups left out" in " ".join(text.get_text() for text in ax.texts).replace("\n", " ")


def test_the_reference_lies_inside_the_axis_and_titles_name_the_sides():
    rows = pd.DataFrame(
        {"group": ["a", "b", "c"], "x": [1.2, 1.5, 1.3], "x_lower": [1.1, 1.4, 1.2], "x_upper": [1.3, 1.6, 1.4]}
    )
    ax = charts.draw_intervals(rows, value="x", unit="ratio", reference=1.0, sides=("cheap", "dear"), people=None)
    assert readable(ax) == "b, c and a are dear"
    assert ax.get_xlim()[0] < 1 < ax.get_xlim()[1]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "c", "a"]
    eight = pd.DataFrame({"group": list("abcdefgh"), "x": 0.2, "x_lower": 0.1, "x_upper": 0.3})
    options = {"each": "category", "measure": "difference from competitors, per cent"}
    ax = charts.draw_intervals(
        eight, value="x", unit="relative change", reference=0.0, sides=("cheap", "dear"), people=None, **options
    )
    assert readable(ax) == "All 8 categories are dear"
    assert "difference from competitors, per cent" in " ".join(text.get_text() for text in ax.texts).replace("\n", " ")


def ladder(demand):
    edges = [10.0, 15.0, 22.0, 29.0, 39.0]
    return pd.DataFrame({
        "category": "Garden", "band": range(4), "lower_price": edges[:-1], "upper_price": edges[1:], "n_products": [10, 10, 1, 1],
        "revenue_amount": [1e3 * x for x in demand], "offer_share": [0.48, 0.48, 0.02, 0.02], "demand_share": demand,
        "leading_product": "Amber doormat", "leading_amount": [1e2, 1e2, 1e1, 1e3 * demand[3]],
    })  # fmt: skip


def test_a_ladder_calls_empty_what_looks_empty_and_names_the_product_that_is_a_band():
    title = readable(charts.draw_price_ladder(ladder([0.35, 0.3, 0.01, 0.34]), currency="GBP", people=None)).replace(
        "\n", " "
    )
    assert title == "Garden from £22.00 to £29.00: next to nothing between filled prices"
    title = readable(charts.draw_price_ladder(ladder([0.3, 0.26, 0.1, 0.34]), currency="GBP", people=None)).replace(
        "\n", " "
    )
    assert title.startswith(
        "Garden, £29.00 to £39.00: 34\xa0% of revenue from 2\xa0% of products, 100\xa0% of it Amber doormat"
    )
