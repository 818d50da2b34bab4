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
import seaborn as sns
from matplotlib.text import Text

from opslib import charts
from opslib.charts import display, theme
from opslib.errors import ParameterError, ReportError
from tests.charts.cases import CASES, EFFECTS, cells, changes, cohorts, every_day, months, needs, portfolio, two_years
from tests.charts.looking import cut_off, overlaps
from tests.collecting import collected

WORDS_OF_AN_ALT = 6
SMALLEST_TYPE = 7.5
"""Points, a phone's drawing is shown at its own size: ten pixels."""


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
    "levels": None,
    "spans": {},
}


@pytest.mark.parametrize("name", EVERY)
def test_every_figure(name):
    ax = EVERY[name]()
    figure = theme.figure_of(ax)
    assert overlaps(ax) == []
    assert cut_off(ax) == []
    with theme.for_phone():
        small = EVERY[name]()
    assert overlaps(small) == []
    assert cut_off(small) == []
    assert (
        theme.figure_of(small).get_figwidth() == theme.NARROW or len(small.get_xticks()) > 2
    )  # wider only for columns
    sizes = [text.get_fontsize() for text in [*small.texts, *small.get_xticklabels(), *small.get_yticklabels()]]
    assert min(sizes) >= SMALLEST_TYPE
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


def test_needs_that_are_all_met_have_no_picture():
    assert charts.draw_needs(needs().tail(1), currency="GBP") is None


@dataclass
class EmptyResult:
    """A room's result whose tables are all empty."""

    groups: pd.DataFrame
    weeks: pd.DataFrame
    value: float = float("nan")


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
    assert len(line.get_xdata()) == 3  # the whole months between
    assert len(hollow.get_xdata()) == 2  # the two partial months; the unobserved one has no point
    assert "Unfinished or unobserved, marked and not joined: 3." in charts.alt_of(ax.figure)


def test_titles_are_those_of_the_marks():
    ax = charts.draw_with_last_year(two_years(), currency="GBP")
    now, before = ax.lines[1].get_ydata(), ax.lines[0].get_ydata()
    assert len(before) == len(now) - 6  # the data begin in May 2025, so there is no year before November to April
    assert (now[-1], before[-1]) == (67e3, 55e3)  # 50k + 17 x 1k in October, + 5 x 1k a year before
    assert ax.get_title(loc="left") == "Revenue was £67k in October 2026, £55k a year before"
    young = charts.draw_with_last_year(two_years().head(5), currency="GBP")
    assert [t.get_text() for t in young.texts if t.get_gid() == "subtitle"] == ["the last twelve months"]
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


#: The seaborn function that draws each figure: heat maps, intervals and dots, distributions, lines, bars.
SEABORN = {
    "draw_abc_xyz": {"heatmap"},
    "draw_accounting": {"barplot"},
    "draw_attribution": {"scatterplot"},
    "draw_calibration": {"lineplot", "scatterplot"},
    "draw_claims": {"scatterplot"},
    "draw_clv_holdout": {"scatterplot"},
    "draw_clv_tracking": {"lineplot"},
    "draw_cohorts": {"heatmap"},
    "draw_control_days": {"lineplot", "scatterplot"},
    "draw_course": {"lineplot"},
    "draw_days": {"lineplot"},
    "draw_decomposition": {"barplot"},
    "draw_estimates": {"scatterplot"},
    "draw_funnel": {"barplot"},
    "draw_growth_share": {"scatterplot"},
    "draw_intervals": {"scatterplot"},
    "draw_life_cycle": {"barplot", "scatterplot"},
    "draw_migration_flow": {"heatmap"},
    "draw_money_changes": {"barplot"},
    "draw_needs": {"barplot"},
    "draw_pairs": {"scatterplot"},
    "draw_pareto": {"lineplot", "scatterplot"},
    "draw_posterior": {"histplot", "scatterplot"},
    "draw_price_ladder": {"histplot"},
    "draw_price_response": {"lineplot"},
    "draw_price_slopes": {"scatterplot"},
    "draw_promises": {"barplot", "scatterplot"},
    "draw_rfm_grid": {"heatmap"},
    "draw_roadmap": {"heatmap"},
    "draw_segment_profile": {"heatmap"},
    "draw_segment_sizes": {"scatterplot"},
    "draw_series": {"lineplot"},
    "draw_step_matrix": {"heatmap"},
    "draw_test_curve": {"lineplot"},
    "draw_transitions": {"heatmap"},
    "draw_white_space": {"heatmap"},
    "draw_with_last_year": {"lineplot"},
}
ESTIMATES_NOTHING = {"barplot": {"errorbar": None}, "lineplot": {"errorbar": None, "estimator": None}}


def test_seaborn_draws_every_figure_and_estimates_nothing(monkeypatch):
    """A figure without a row here fails, and so does one that only wears the theme."""
    assert set(SEABORN) == {name for name in charts.__all__ if name.startswith("draw_")}
    called: list[str] = []

    def spied(name: str):
        drawn = getattr(sns, name)

        def spy(*given, **chosen):
            called.append(name)
            assert ESTIMATES_NOTHING.get(name, {}).items() <= chosen.items()
            return drawn(*given, **chosen)

        return spy

    for name in set().union(*SEABORN.values()) | {"kdeplot", "regplot", "pointplot"}:
        monkeypatch.setattr(sns, name, spied(name))
    by_figure: dict[str, set[str]] = {}
    for name in SEABORN:
        monkeypatch.setattr(charts, name, _noting(getattr(charts, name), by_figure.setdefault(name, set()), called))
    for case in EVERY.values():
        case()
        plt.close("all")
    assert {name: by_figure[name] >= functions for name, functions in SEABORN.items()} == dict.fromkeys(SEABORN, True)


def _noting(draw, seen: set[str], called: list[str]):
    def noted(*given, **chosen):
        called.clear()
        ax = draw(*given, **chosen)
        seen.update(called)
        return ax

    return noted


def test_intervals_shorter_than_their_dot_make_bars():
    rows = pd.DataFrame({"name": ["a", "b", "c"], "x": [0.1, 0.6, 0.3]})
    short, long = (rows.assign(x_lower=rows["x"] - half, x_upper=rows["x"] + half) for half in (0.003, 0.1))
    bars, points = (charts.draw_intervals(r, value="x", unit="share", of="of all", people=None) for r in (short, long))
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([0.6, 0.3, 0.1])  # largest first
    assert bars.get_xlim()[0] == 0
    assert len(points.patches) == 0


def test_a_figure_says_whose_data_it_shows(monkeypatch):
    monkeypatch.setattr(display, "_source", ["Harbour Lane (simulated), data until 31 Oct 2026"])
    ax = EVERY["estimates"]()
    texts = [text for text in theme.figure_of(ax).texts if text.get_text() == display._source[0]]
    assert len(texts) == 1
    lowest = min(label.get_window_extent().y0 for label in ax.get_xticklabels())
    assert texts[0].get_window_extent().y1 <= lowest


def test_a_long_headline_takes_no_room_from_the_axes():
    """Names of 40 letters once left the axes a width of 5 %: all points lay on one line."""
    names = [f"CHILDRENS CUTLERY AND BREAKFAST SET {n}" for n in "ABCDEF"]
    pairs = pd.DataFrame({"item_a": names[:3], "item_b": names[3:], "ratio": 30.0, "ratio_lower": 24.0, "ratio_upper": 37.0, "n_customers": 101})  # fmt: skip
    assert charts.draw_pairs(pairs, people=None).get_position().width > 0.3


def test_two_amounts_in_dollars_are_no_formula():
    ax = charts.draw_money_changes(changes(), currency="USD", names=("Oct 2025", "Oct 2026"))
    assert ax.get_title(loc="left").count("$") == 2
    assert not any(text.get_parse_math() for text in theme.figure_of(ax).findobj(Text))
