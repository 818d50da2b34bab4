"""Small-cell suppression at the exit: one plan a set of groups, obeyed by everything after it, and closed by default."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import suppression, tables
from opslib.errors import ParameterError
from opslib.finding import About
from opslib.suppression import People, counted, is_few, suppressed

BY_SEGMENT = People("n_customers", ("segment",))


@pytest.fixture(autouse=True)
def page():
    """Each test is a page of its own."""
    suppression.begin()
    yield
    suppression.begin()


def sizes(**counts: int) -> pd.DataFrame:
    """Segments with their customers, and money that goes with them."""
    frame = pd.DataFrame({"segment": list(counts), "n_customers": list(counts.values())})
    return frame.assign(revenue_amount=frame["n_customers"] * 10.0)


def test_a_later_table_of_the_same_groups_withholds_the_same_ones():
    suppressed(sizes(a=4, b=300, c=40), BY_SEGMENT)
    later = suppressed(sizes(a=90, b=300, c=40)[["segment", "revenue_amount"]], BY_SEGMENT)
    assert later["revenue_amount"].isna().tolist() == [True, False, True]


def test_a_finer_table_withholds_every_part_of_a_withheld_group():
    suppressed(sizes(a=4, b=300, c=40), BY_SEGMENT)
    finer = pd.DataFrame({"segment": ["c", "c", "b", "b"], "device": ["x", "y"] * 2, "n_customers": [20, 20, 150, 150]})
    shown = suppressed(finer, People("n_customers", ("segment", "device")))
    assert shown["n_customers"].isna().tolist()[:2] == [True, True]


def test_groups_that_are_small_only_later_stay_withheld_from_there_on():
    suppressed(sizes(a=50, b=300, c=40), BY_SEGMENT)
    suppressed(sizes(a=5, b=300, c=40), BY_SEGMENT)
    assert suppressed(sizes(a=50, b=300, c=40), BY_SEGMENT)["n_customers"].isna().tolist() == [True, False, True]


def test_neither_side_of_a_change_leaves_a_group_alone():
    # All of 'new' came later and all of 'gone' left: on each side the total would tell the other one's few.
    sides = pd.DataFrame({"segment": ["gone", "new", "a", "b"], "n_before": [5, 0, 90, 40], "n_after": [0, 5, 80, 60]})
    shown = suppressed(sides, People(("n_before", "n_after"), ("segment",)))
    for side in ("n_before", "n_after"):
        assert sides[side].sum() - shown[side].sum() >= 10


def test_a_part_of_one_person_is_few_too():
    best = pd.DataFrame({"top_share": [0.01, 0.5], "n": [0.27, 13.5], "revenue_amount": [122.92, 900.0]})
    shown = suppressed(best, People("n", ("top_share",), adds_up=False))
    assert shown["revenue_amount"].isna().tolist() == [True, False]


def test_the_name_of_a_withheld_group_is_redacted():
    sizes = pd.DataFrame({"country": ["jo@example.org", "DE", "FR"], "n_customers": [1, 300, 40]})
    assert suppressed(sizes, People("n_customers", ("country",)))["country"].tolist() == ["[e-mail]", "DE", "FR"]


def test_what_is_withheld_stays_so_when_it_is_shown_again():
    once = suppressed(sizes(a=4, b=300, c=40), BY_SEGMENT)
    assert suppressed(once, BY_SEGMENT).equals(once)


def test_a_result_carries_its_people_through_what_notebooks_do_to_it():
    frame = counted(sizes(a=4, b=300, c=40), "n_customers", by=["segment"])
    chosen = frame[frame["n_customers"] < 100].sort_values("revenue_amount").assign(rank=[1, 2]).head(5)
    assert suppressed(chosen)["revenue_amount"].isna().all()


def test_a_result_with_several_tables_is_cut_in_each_that_says_whom_it_counts():
    @dataclass(frozen=True)
    class Result:
        segments: pd.DataFrame
        products: pd.DataFrame

    products = pd.DataFrame({"product": ["p"], "n": [3]})
    result = suppressed(Result(counted(sizes(a=4, b=300, c=40), "n_customers", by=["segment"]), products))
    assert result.segments["n_customers"].isna().sum() == 2
    assert result.products.equals(products)


@pytest.mark.parametrize("said", [{}, {"people": suppression.UNSAID}])
def test_a_batch_refuses_a_table_that_does_not_say_who_its_rows_are(said):
    suppression.begin(is_strict=True)
    with pytest.raises(ParameterError, match=r"tables.show 'Segments'.*people=None.*people=People\("):
        tables.show(sizes(a=400), title="Segments", **said)
    assert "400" in str(tables.show(sizes(a=400), title="Segments", people=None))


def test_a_table_without_sizes_is_refused_where_no_table_before_it_had_them():
    with pytest.raises(ParameterError, match="show their sizes first"):
        suppressed(sizes(a=4)[["segment"]], BY_SEGMENT)


def test_a_table_says_withheld_where_a_group_is_small():
    text = str(tables.show(sizes(a=4, b=300, c=40), title="Segments", people=BY_SEGMENT))
    assert "40" not in text.replace("400", "") or "withheld" in text
    assert text.count("withheld") == 4


@pytest.mark.parametrize(
    ("about", "few"),
    [
        (About(people=9), True),
        (About(people=10), False),
        (About(people=0), False),
        (About(people=None), False),
        (About(people={"a": 400, "b": 3}), True),
        (About(people=None, scope=(("segment", "a"),)), True),
        (About(people=40, scope=(("segment", "b"),)), False),
        (About(people=40, scope=(("segment", "a"), ("country", "DE"))), True),
    ],
)
def test_a_sentence_about_few_people_or_a_withheld_group_is_not_said(about, few):
    suppressed(sizes(a=4, b=300, c=40), BY_SEGMENT)
    assert is_few(about.people, scope=about.scope) is few


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8))
def test_no_group_of_few_follows_from_totals_and_what_two_tables_show(counts):
    suppression.begin()
    names = [f"s{i}" for i in range(len(counts))]
    for column in (0, 1):
        true = pd.Series([pair[column] for pair in counts], index=names)
        frame = sizes(**true.to_dict())
        shown = suppressed(frame, BY_SEGMENT).set_index("segment")["n_customers"]
        hidden = shown.index[shown.isna()]
        assert not ((true > 0) & (true < 10) & shown.notna()).any()
        rest = true.sum() - shown.sum()  # what the total leaves for all withheld groups together
        assert len(hidden) != 1 or true[hidden[0]] == 0 or len(names) == 1
        assert rest == 0 or rest >= 10 or len(hidden) == len(names)
