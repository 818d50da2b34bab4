"""Every figure: same bytes, alt text, no text over text, nothing cut off; and what each shows, by hand."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from opslib import charts
from opslib.charts import theme
from opslib.errors import ParameterError, ReportError
from tests.charts.cases import CASES, EFFECTS, cells, changes, cohorts, every_day, months, portfolio, two_years
from tests.charts.looking import overlaps
from tests.collecting import collected

SLACK_PIXELS = 2.0
"""A glyph's box may reach past the figure by its own margin."""
WORDS_OF_AN_ALT = 6


@pytest.fixture(autouse=True)
def clean():
    mpl.use("agg")
    theme.use()
    yield
    plt.close("all")


#: Every picture: of this room's cases, and the ``CHART_CASES`` of rooms whose test file brings its own.
EVERY = CASES | collected("CHART_CASES")
#: What draw functions ask for besides a result, which an empty one must not look at.
CHOICES = {
    "currency": "GBP",
    "what": "orders",
    "names": ("September", "October"),
    "value": "x",
    "unit": "share",
    "period": None,
    "ends": (0.0, 0.0),
    "estimate": None,
    "p_positive": 0.5,
    "groups": None,
}


@pytest.mark.parametrize("name", EVERY)
def test_every_figure(name):
    ax = EVERY[name]()
    figure = theme.figure_of(ax)
    assert overlaps(ax) == []
    assert cut_off(ax) == []
    alt = charts.alt_of(figure)
    assert len(alt.split()) >= WORDS_OF_AN_ALT
    assert alt.endswith(".")
    for raw in ("nan", "inf ", "None", "e+0", "  "):
        assert raw not in alt
    svg = charts.to_svg(figure)
    assert svg.startswith("<svg")
    assert not re.search(r"<metadata|<!--|20\d\d-\d\d-\d\dT", svg)
    ElementTree.fromstring(svg)


@pytest.mark.parametrize("name", [name for name in charts.__all__ if name.startswith("draw_")])
def test_nothing_is_drawn_of_nothing(name):
    draw = getattr(charts, name)
    if name == "draw_price_response":  # the only result that says something by an empty table
        price = SimpleNamespace(price=float("nan"))
        assert draw(SimpleNamespace(now=price, then=price), currency="GBP") is None
        return
    needed = [p.name for p in list(inspect.signature(draw).parameters.values())[1:] if p.default is p.empty]
    for empty in (pd.DataFrame(), {}, [], None, EmptyResult(pd.DataFrame({"x": []}), pd.DataFrame())):
        if name == "draw_intervals" and not isinstance(empty, pd.DataFrame):
            continue  # reads the columns of its frame before it hands over estimates
        frame = pd.DataFrame({"name": [], "x": [], "x_lower": [], "x_upper": []}) if name == "draw_intervals" else empty
        assert draw(frame, **{choice: CHOICES[choice] for choice in needed}) is None
    assert plt.get_fignums() == []


@dataclass
class EmptyResult:
    """A room's result whose tables are all empty."""

    groups: pd.DataFrame
    weeks: pd.DataFrame
    value: float = float("nan")


def cut_off(ax) -> list[str]:
    """Visible texts that reach past the figure's edge."""
    figure = theme.figure_of(ax)
    box = figure.bbox
    texts = [*ax.texts, ax._left_title, *ax.get_yticklabels()]
    low, high = sorted(ax.get_ylim())
    cut = []
    for text in texts:
        if not text.get_text().strip() or not text.get_visible():
            continue
        if text in ax.get_yticklabels() and not low <= text.get_position()[1] <= high:
            continue
        extent = text.get_window_extent()
        if extent.x0 < box.x0 - SLACK_PIXELS or extent.x1 > box.x1 + SLACK_PIXELS:
            cut.append(text.get_text())
    return cut


@pytest.mark.parametrize("name", ["series", "with last year", "cohorts", "portfolio", "days", "claims"])
def test_the_same_result_gives_the_same_bytes(name):
    first, second = (charts.to_svg(theme.figure_of(CASES[name]())) for _ in range(2))
    assert first == second


def test_letters_are_paths_so_that_no_font_of_the_reader_matters():
    assert "<text" not in charts.to_svg(theme.figure_of(CASES["series"]()))


def test_a_cloud_of_many_points_becomes_a_picture():
    svg = charts.to_svg(theme.figure_of(charts.draw_growth_share(portfolio(900), currency="GBP")))
    assert "<image" in svg
    assert len(svg) < 400_000


def test_a_figure_without_alt_text_is_refused():
    figure, ax = plt.subplots()
    with pytest.raises(ReportError, match="this figure has no alt text"):
        charts.alt_of(figure)
    with pytest.raises(ReportError, match="write a whole sentence"):
        charts.describe(ax, "chart")


def test_unfinished_and_unobserved_pieces_are_not_joined():
    ax = charts.draw_series(months(6), unit="GBP")
    line, hollow = ax.lines[0], ax.lines[1]
    assert np.isnan(line.get_ydata()[[0, 4, 5]].astype(float)).all()
    assert np.isfinite(line.get_ydata()[1:4].astype(float)).all()
    assert len(hollow.get_xdata()) == 2  # the two partial months; the unobserved one has no point
    assert "Unfinished or unobserved, marked and not joined: 3." in charts.alt_of(ax.figure)


def test_titles_are_those_of_the_marks():
    ax = charts.draw_with_last_year(two_years(), currency="GBP")
    now, before = ax.lines[1].get_ydata(), ax.lines[0].get_ydata()
    assert (now[-1], before[-1]) == (67e3, 55e3)  # 50k + 17 x 1k in October, + 5 x 1k a year before
    assert ax.get_title(loc="left") == "Revenue was £67k in October 2026, £55k a year before"
    assert np.isnan(before[:6]).all()  # the data begin in May 2025, so there is no year before November to April
    bars = charts.draw_money_changes(changes(), currency="GBP", names=("Oct 2025", "Oct 2026"))
    assert [bar.get_width() for bar in bars.patches] == [2000.0, 10.0, -800.0]
    assert bars.get_title(loc="left") == "mug +£2,000, rug −£800"
    assert charts.draw_days(every_day(), what="orders").get_title(loc="left") == "Missing: 4 Sep 2026"
    assert charts.draw_days(every_day().assign(orders=0.0), what="orders") is None


def test_cohorts_print_numbers_and_three_signs():
    """Once 13.9 and 31 % looked like 100 %, and a withheld cell like one that is not over."""
    table = cohorts(6).assign(is_suppressed=False)
    table.loc[(table["cohort"] == "2025-02-01") & (table["age"] == 2), ["retention_share", "is_suppressed"]] = [
        np.nan,
        True,
    ]
    table.loc[(table["cohort"] == "2025-03-01") & (table["age"] == 1), "retention_share"] = 0.0
    table["is_suppressed"] = table["is_suppressed"].astype(bool)
    ax = charts.draw_cohorts(table, people=None)
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("few") == 1
    assert texts.count("0") == 1
    assert "35" in texts
    assert (
        ax.get_title(loc="left").split()
        == "0 to 35 of 100 new customers order again in the month after their first order".split()
    )


def test_effects_must_add_up():
    with pytest.raises(ParameterError, match=r"effects add up to 8,000.00, the ends differ by 9,000.00"):
        charts.draw_decomposition(EFFECTS, ends=(400e3, 409e3), currency="GBP")


def test_new_products_are_no_cell_of_the_nine():
    with_new = pd.concat([cells(), cells().head(1).assign(xyz_class="N", amount_share=0.9)])
    assert charts.draw_abc_xyz(with_new).get_title(loc="left").startswith("1 steady seller of class A (AX) brings")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: charts.draw_series(pd.DataFrame({"value": [1]}), unit="GBP"), "no column 'start'"),
        (lambda: charts.draw_series(months()), "one unit a figure is needed"),
        (lambda: charts.draw_cohorts(pd.DataFrame({"cohort": [1]})), "cohorts: no column 'age'"),
        (lambda: charts.draw_pareto(pd.DataFrame({"x": [1]})), "pareto curve: no column 'item_share'"),
    ],
)
def test_missing_columns_are_named(draw, message):
    with pytest.raises(ParameterError, match=message):
        draw()


def test_the_first_figure_that_was_drawn_is_taken():
    first, second = plt.subplots(1, 2)[1]
    assert charts.first_drawn(None, second, first) is second
    assert charts.first_drawn(None, None) is None
