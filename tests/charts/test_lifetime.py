"""Lifetime and migration figures: readable with awkward results, and what each says, by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from opslib import charts
from opslib.charts import theme
from opslib.errors import ParameterError
from opslib.segmentation import NOBODY, SEGMENTS, holdout_check, segment_migration
from tests.charts.looking import cut_off, overlaps
from tests.segmentation.lifetimes import day_after, shop
from tests.suppressing import suppress_small

ORDER = [segment.name for segment in SEGMENTS]


@pytest.fixture(autouse=True)
def clean():
    mpl.use("agg")
    theme.use()
    yield
    plt.close("all")


@cache
def checked():
    return holdout_check(shop(400, seed=2), calibration_end=day_after(45), holdout_end=day_after(58))


@pytest.fixture(scope="module")
def check():
    return checked()


def flows(n: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    before, after = (
        pd.DataFrame({"customer_id": rng.choice(2 * n, n, replace=False), "segment": rng.choice(ORDER, n),
                      "revenue_amount": rng.gamma(2, 4e4, n)}) for _ in range(2)
    )  # fmt: skip
    return suppress_small(
        segment_migration(before, after), people="n_customers", dimensions=["segment_before", "segment_after"]
    )


CHART_CASES = {
    "hold-out": lambda: charts.draw_clv_holdout(checked()),
    "tracking": lambda: charts.draw_clv_tracking(checked()),
    "flows": lambda: charts.draw_migration_flow(flows(), order=ORDER, currency="GBP"),
}


def readable(ax) -> str:
    figure = theme.figure_of(ax)
    alt = charts.alt_of(figure)
    assert overlaps(ax) == []
    assert cut_off(ax) == []
    assert not any(raw in alt for raw in ("nan", "inf ", "None"))
    assert charts.to_svg(figure) == charts.to_svg(figure)
    return ax.get_title(loc="left").replace("\n", " ")


def test_holdout_says_how_far_it_missed(check):
    groups = check.groups.assign(is_outside=[True, True] + [False] * (len(check.groups) - 2))
    half = replace(check, realised_orders=check.orders.value * 2, naive_orders=check.orders.value * 3, groups=groups)
    title = readable(charts.draw_clv_holdout(half))
    assert title.replace("\xa0", " ") == (
        f"Purchases forecast 50 % too low, 2 of {len(groups)} groups missed beyond chance; going on as before: 50 % too high"
    )


def test_holdout_without_a_purchase(check):
    groups = check.groups.assign(realised_orders=0.0, naive_orders=0.0)
    title = readable(charts.draw_clv_holdout(replace(check, realised_orders=0.0, groups=groups)))
    assert "without a purchase to compare with" in title


@pytest.mark.parametrize(("factor", "place"), [(1.0, "within"), (3.0, "above"), (0.1, "below")])
def test_tracking_says_where_it_ends(check, factor, place):
    weeks = check.weeks.assign(realised_orders=check.weeks["predicted_orders"] * factor)
    changed = replace(check, realised_orders=check.orders.value * factor, weeks=weeks)
    assert readable(charts.draw_clv_tracking(changed)) == f"Realised purchases end {place} the forecast's interval"


@pytest.mark.parametrize("currency", ["GBP", "USD"])
def test_flows_of_all_segments(currency):
    title = readable(charts.draw_migration_flow(flows(), order=ORDER, currency=currency))
    assert " brought " in title


def test_the_flow_that_cost_most_is_the_headline():
    before = pd.DataFrame({"customer_id": range(40), "segment": ["loyal"] * 30 + ["new"] * 10, "revenue_amount": 10.0})
    after = pd.DataFrame({"customer_id": range(15, 60), "segment": "new", "revenue_amount": 4.0})
    ax = charts.draw_migration_flow(segment_migration(before, after), currency="GBP", people=None)
    # 30 loyal customers brought 10 each; 15 of them are gone and 15 brought 4
    assert readable(ax).replace("\xa0", " ") == "The customers who were 'loyal' brought £60.00, before that £300"
    texts = [text.get_text() for text in ax.texts]
    assert "£300 → £60.00" in texts
    assert [label.get_text() for label in ax.get_yticklabels()] == ["loyal", "new", NOBODY]


def test_a_withheld_row_hides_its_money():
    frame = flows().assign(
        **dict.fromkeys(
            ("flow_share", "flow_share_lower", "flow_share_upper", "revenue_before", "revenue_after"), np.nan
        )
    )
    ax = charts.draw_migration_flow(frame, currency="GBP")
    assert readable(ax) == "In no segment did the customers shown bring less than before"
    assert {text.get_text() for text in ax.texts if "£" in text.get_text()} == set()


def test_a_missing_column_is_named():
    with pytest.raises(ParameterError, match="flows: no column 'segment_before'"):
        charts.draw_migration_flow(pd.DataFrame({"x": [1]}))
