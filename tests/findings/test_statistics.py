"""The sentences of the statistics page, on tables small enough to count."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import kpis, suppression
from opslib.finding import About, first_told, in_order
from opslib.findings import statistics as say
from opslib.metrics import METRICS
from opslib.periods import Coverage, Period
from tests.findings.facts import EMPTY
from tests.findings.facts import page as facts

MARCH = Period.parse("2026-03-01", "2026-03-31")
SEEN = Coverage(date(2026, 1, 1), date(2026, 3, 31))
LONG = Coverage(date(2025, 1, 1), date(2026, 3, 31))
NAMES = pd.DataFrame({"product_id": ["a", "b"], "name": ["mug", "rug"]})


@pytest.fixture(autouse=True)
def everybody():
    """Tables that are counted by hand stand for few: here nobody is withheld."""
    suppression.begin(minimum=1)
    yield
    suppression.begin()


def lines(rows):
    frame = pd.DataFrame(rows, columns=["order_id", "customer_id", "ordered_at", "quantity", "unit_price"])
    return frame.assign(product_id="a", ordered_at=pd.to_datetime(frame["ordered_at"]))


LINES = lines([
    ("1", "x", "2026-02-03", 1.0, 10.0),
    ("2", "y", "2026-02-05", 1.0, 10.0),
    ("3", "x", "2026-03-03", 2.0, 10.0),
    ("4", "y", "2026-03-05", 1.0, 10.0),
])  # fmt: skip


def many(n, day, price, *, product="a", each=1):
    """So many customers with ``each`` orders on a day."""
    rows = [(f"{day}-{product}-{i}", f"c{i // each}", day, 1.0, price + i % 3) for i in range(n * each)]
    return lines(rows).assign(product_id=product)


def parts(table, coverage=SEEN, period=MARCH):
    like = kpis.like_period(period, coverage=coverage)
    figures = kpis.kpi_table({"order_lines": table}, period=period, coverage=coverage)
    split = {"period": period, "baseline": like, "coverage": coverage}
    movers = kpis.largest_changes(table, period=period, baseline=like, products=NAMES, minimum=1)
    groups = {"category": kpis.decompose_by(table, by="product_id", **split)}
    return (
        figures,
        kpis.decompose_change(table, **split),
        movers,
        groups,
        kpis.cohort_retention(table, coverage=coverage),
    )


def page(table, coverage=SEEN, period=MARCH):
    return {f.key: f for f in say.findings(*parts(table, coverage, period), page=facts(period=period))}


def told(table, coverage=SEEN):
    figures, *rest = parts(table, coverage)
    answer = say.answer(figures, page=facts())
    return answer, [
        f for f in first_told(in_order(say.findings(figures, *rest, page=facts())), answer=answer) if f.is_told
    ]


def test_a_change_within_chance_is_neither_split_nor_given_to_the_pound():
    """Page 70 once said of +£3,876 within ±20 % that "most came from items per order", which had lost £4,336."""
    answer, found = told(LINES)
    assert answer == "March 2026: revenue £30.00, within the usual ups and downs against February (£20.00)."
    assert "why-revenue-moved" not in {f.key for f in found}
    unchanged = next(f for f in found if f.key == "unchanged")
    assert unchanged.sentence.startswith("Unchanged within the usual ups and downs against February: revenue, orders")
    assert "not split" in say.why_not_split(parts(LINES)[0])


def test_what_brought_a_change_has_its_sign():
    """60 customers buy once for 10-12, then 200 for 20-22: both brought it, and nothing took."""
    table = pd.concat([many(60, "2026-02-10", 10.0), many(200, "2026-03-10", 20.0)])
    answer, found = told(table)
    # 60 x 10 + (0 + 1 + 2) x 20 = 660; 200 x 20 + 199 = 4,199
    assert re.match(r"March 2026: revenue £4,199, up 5\d0\xa0% on February \(£660\)\.", answer)
    assert next(f for f in found if f.key == "why-revenue-moved").sentence == (
        "Against February, more buyers and dearer items brought £3,539."
    )
    # 200 customers at 20-22 become 60 at 30-32: dearer items brought, fewer buyers took more, and take the first place.
    fallen = pd.concat([many(200, "2026-02-10", 20.0), many(60, "2026-03-10", 30.0)])
    sentence = page(fallen)["why-revenue-moved"].sentence
    assert re.fullmatch(r"Against February, fewer buyers took £[\d,.]+k?; dearer items brought £[\d,.]+k?\.", sentence)


def test_a_fall_of_revenue_is_urgent_and_names_what_lost_it():
    table = pd.concat([many(200, "2026-02-10", 20.0), many(60, "2026-03-10", 20.0)])
    found = page(table)["revenue"]
    assert (found.is_urgent, found.things, found.department) == (True, ("mug",), "Product control")
    assert found.due == date(2026, 4, 14)
    assert found.sentence.startswith("Revenue fell from £4,199 in February to £1,260: ")
    assert not page(LINES)["revenue"].is_urgent


def test_shares_change_in_points_and_never_in_per_cent_of_per_cent():
    """50 of 100 buyers order twice in February, 10 of 100 in March."""
    february = pd.concat(
        [
            many(50, "2026-02-10", 10.0, each=2),
            many(50, "2026-02-11", 10.0).assign(customer_id=[f"d{i}" for i in range(50)]),
        ]
    )
    march = pd.concat(
        [
            many(10, "2026-03-10", 10.0, each=2),
            many(90, "2026-03-11", 10.0).assign(customer_id=[f"e{i}" for i in range(90)]),
        ]
    )
    found = page(pd.concat([february, march]))
    change = found["repeat_rate-change"]
    assert (change.estimate.unit, change.estimate.value) == ("points", pytest.approx(-0.4))
    assert change.sentence.startswith(
        "Buyers with two or more orders in the period fell from 50.0\xa0% in February to 10.0\xa0%: −40\xa0points"
    )
    assert change.about == About(metric="repeat_rate", compared="previous", people=None)


def test_the_year_before_comes_first_where_it_was_seen():
    table = pd.concat([many(50, "2025-03-10", 10.0), many(48, "2026-02-10", 10.0), many(150, "2026-03-10", 10.0)])
    answer, found = told(table, LONG)
    assert answer.startswith(
        "March 2026: revenue £1,650, up 200\xa0% on March 2025 (£549), up 210\xa0% on February (£528)."
    )
    assert all("March 2025" in f.sentence for f in found if f.sentence.startswith("Against"))
    assert page(table, LONG)["revenue-change-year"].estimate.value == pytest.approx(1650 / 549 - 1)


def test_products_are_named_with_what_they_gained_and_lost():
    table = pd.concat(
        [many(40, "2026-02-10", 10.0), many(20, "2026-02-11", 50.0, product="b"), many(80, "2026-03-10", 10.0)]
    )
    found = page(table)["moved-by-product"]
    # 40 mugs for 439, then 80 for 879; 20 rugs for 1,019 and none.
    assert found.sentence == (
        "Against February, mug brought £440 more (largest rise of a product with at least 10 buyers); rug brought £1,019 less (largest fall of a product with at least 10 buyers)."
    )


def test_an_unfinished_month_is_never_called_a_fall():
    coverage = Coverage(date(2026, 1, 1), date(2026, 3, 20))
    answer, found = told(LINES, coverage)
    assert (
        answer
        == "March 2026: revenue £30.00 so far (20 of 31 days observed); there is nothing earlier to compare with."
    )
    assert {f.key for f in found} <= {"retention"}
    assert "revenue-change" not in page(LINES, coverage)


def test_without_an_earlier_period_nothing_is_compared():
    coverage = Coverage(date(2026, 3, 1), date(2026, 3, 31))
    answer, found = told(LINES, coverage)
    assert answer == "March 2026: revenue £30.00; there is nothing earlier to compare with."
    assert found == []
    assert say.why_not_split(parts(LINES, coverage)[0]).startswith("Nothing earlier was seen")


def test_the_table_marks_what_moved_and_gives_a_row_equal_decimals():
    table = pd.concat([many(60, "2026-02-10", 10.0), many(200, "2026-03-10", 20.0)])
    figures = parts(table)[0]
    rows = say.figure_rows(figures, currency="GBP")
    revenue = rows.set_index("figure").loc["Revenue"]
    assert [revenue["current"], revenue["previous"]] == ["£4,199", "£660"]
    assert rows["is_moved"].tolist() == sorted(rows["is_moved"], reverse=True)
    assert say.figure_heads(figures) == {
        "figure": "Figure",
        "current": "Mar 2026",
        "previous": "Feb 2026",
        "previous_moved": "Change",
    }


def test_a_cohort_of_a_handful_is_no_finding():
    """Of 11 customers "55 % (28-79) ordered again" once stood on a page."""
    few = pd.concat([many(11, "2026-02-10", 10.0), many(6, "2026-03-10", 10.0)])
    assert "retention" not in page(few)
    enough = pd.concat([many(50, "2026-02-10", 10.0), many(10, "2026-03-10", 10.0)])
    assert page(enough)["retention"].sentence == (
        "Of 100 customers who first ordered in February 2026, 20 ordered again in the month after (11 to 33)."
    )


def test_groups_that_add_up_have_a_total():
    groups = parts(LINES)[3]["category"]
    assert say.with_total(groups).iloc[-1][["group", "revenue_before", "revenue_after"]].tolist() == ["All", 20.0, 30.0]
    assert say.with_total(groups.head(0)).empty


def test_the_limit_is_one_line_about_this_shop():
    assert say.limits(parts(LINES)[0]) == (
        "Not known here: whether the season explains a change (the same days of the year before are not in the data), how many "
        "visitors bought (orders do not name a visit), what was earned (neither orders nor products carry a cost), how many "
        "items came back (the data hold returns without units, or none).",
    )


def test_returns_without_units_are_no_missing_returns():
    back = pd.DataFrame(
        {
            "return_id": ["r"],
            "order_id": [str(LINES["order_id"].iloc[0])],
            "returned_at": pd.to_datetime(["2026-03-09"]),
            "refund_amount": [2.0],
        }
    )
    figures = kpis.kpi_table({"order_lines": LINES, "returns": back}, period=MARCH, coverage=SEEN)
    (limit,) = say.limits(figures)
    assert limit.endswith("how many items came back (the data hold returns without units, or none).")


def test_nothing_is_said_of_no_figures():
    figures = kpis.kpi_table({"order_lines": LINES}, period=MARCH, coverage=SEEN)
    for nothing in (figures.head(0), figures.assign(value=float("nan"))):
        assert say.findings(nothing, EMPTY, EMPTY, {}, EMPTY, page=facts()) == ()
        assert say.answer(nothing, page=facts()) == ""
        assert say.figure_rows(nothing, currency="GBP").empty
        assert say.limits(nothing) == ()


orders = st.lists(
    st.tuples(
        st.sampled_from(["x", "y", "z", "w", None]), st.integers(0, 89), st.integers(1, 5), st.integers(1, 900),
        st.sampled_from("ab"),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(orders)
def test_words_agree_with_the_numbers_of_any_table(rows):
    """rose and fell, brought and took, more and less: each against a sum of its own over the raw rows."""
    suppression.begin(minimum=1)
    table = lines([(str(i), c, str(date(2026, 1, 1) + pd.Timedelta(days=d)), float(q), p / 100)
                   for i, (c, d, q, p, _) in enumerate(rows)]).assign(product_id=[row[4] for row in rows])  # fmt: skip
    if table.empty:
        return
    amount = table["quantity"] * table["unit_price"]
    month = table["ordered_at"].dt.month
    by_product = (amount[month == 3].groupby(table["product_id"]).sum().reindex(["a", "b"], fill_value=0)
                  - amount[month == 2].groupby(table["product_id"]).sum().reindex(["a", "b"], fill_value=0))  # fmt: skip
    change = amount[month == 3].sum() - amount[month == 2].sum()
    names = dict(zip(NAMES["name"], NAMES["product_id"], strict=True))
    figures, *rest = parts(table)
    for f in say.findings(figures, *rest, page=facts()):
        for word, sign in (("rose", 1), ("fell", -1)):
            if f" {word} from" in f.sentence and f.about.metric:
                figure = figures.query("metric == @f.about.metric").set_index("comparison")["value"]
                assert (figure["current"] - figure["previous"]) * sign > 0, f.sentence
        if f.key == "why-revenue-moved":
            first = re.split(r" (brought|took) ", f.sentence)[1]
            assert (first == "brought") == (change > 0), f.sentence
        if f.key == "moved-by-product":
            for name, word in re.findall(r"(mug|rug) brought £[\d,.k]+ (more|less)", f.sentence):
                assert (by_product[names[name]] > 0) == (word == "more"), f.sentence


def test_every_key_figure_is_a_metric_of_the_registry():
    assert set(say.KEY_FIGURES) <= set(METRICS)


def test_the_change_is_split_only_where_it_is_no_chance_and_the_page_says_with_what_it_compares():
    february = kpis.like_period(MARCH, coverage=SEEN)
    assert say.compared(MARCH, february) == (("Feb 2026", "Mar 2026"), "Compared with Feb 2026.")
    assert say.compared(MARCH, None) == (("", "Mar 2026"), "Nothing earlier was seen as a whole.")
    assert say.split_against(parts(LINES)[0], february) is None
    clear = pd.concat([many(300, "2026-02-03", 10.0), many(600, "2026-03-03", 10.0)])
    assert say.split_against(parts(clear)[0], february) == february


@pytest.mark.parametrize(("factor", "is_told"), [(1.0, False), (1.3, True)])
def test_three_more_days_in_a_month_are_no_rise(factor, is_told):
    """A hundred of four hundred buyers every day: March has 31 days and February 28, which alone is +10.7 %."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2026-02-01", "2026-03-31")
    table = lines([
        (f"{day:%m%d}-{buyer}", f"c{buyer}", str(day.date()), 1.0, 10.0 * (factor if day.month == 3 else 1.0))
        for day in days
        for buyer in rng.choice(400, size=100, replace=False)
    ])  # fmt: skip
    answer, _ = told(table)
    assert (" up " in answer) == is_told, answer
    assert ("usual ups and downs" in answer) != is_told, answer
