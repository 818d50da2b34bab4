"""What is withheld cannot be worked out again; what people typed loses its personal data."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from opslib.errors import ParameterError
from opslib.privacy import merge_small, plan_suppression, redact
from tests.suppressing import suppress_small

SECONDS_FOR_HOSTILE_TEXT = 3.0
"""Linear patterns need a fraction of a second of processor time for 30,000 characters; a quadratic one minutes."""


def long_form(counts: np.ndarray) -> pd.DataFrame:
    rows, columns = np.indices(counts.shape)
    return pd.DataFrame({"row": rows.ravel(), "column": columns.ravel(), "n": counts.ravel(), "revenue_amount": 1.5})


def hidden_cells(counts: np.ndarray, minimum: int = 10) -> np.ndarray:
    plan = plan_suppression(long_form(counts), people="n", dimensions=["row", "column"], minimum=minimum)
    hidden = np.zeros(counts.shape, dtype=bool)
    for cell in plan.cells:
        hidden[cell] = True
    return hidden


def can_be_computed(hidden: np.ndarray) -> list[tuple[int, int]]:
    """Second road: a cell follows from the totals if adding it as an equation does not raise the rank."""
    cells = [tuple(c) for c in np.argwhere(hidden)]
    lines = [[c[0] == i for c in cells] for i in range(hidden.shape[0])]
    lines += [[c[1] == j for c in cells] for j in range(hidden.shape[1])]
    system = np.array(lines, dtype=float)
    rank = np.linalg.matrix_rank(system) if cells else 0
    return [
        cell
        for k, cell in enumerate(cells)
        if np.linalg.matrix_rank(np.vstack([system, np.eye(len(cells))[k]])) == rank
    ]


def test_one_list_by_hand():
    sizes = pd.DataFrame({"segment": list("abcd"), "n": [4, 300, 40, 0], "revenue_amount": [1.0, 2.0, 3.0, 0.0]})
    shown = suppress_small(sizes, people="n", dimensions=["segment"])
    # a is small; c, the next smallest with anybody in it, keeps a from being total - b
    assert shown["is_withheld"].tolist() == [True, False, True, False]
    assert shown["revenue_amount"].isna().tolist() == [True, False, True, False]
    assert shown["segment"].tolist() == list("abcd")


def test_nothing_small_nothing_withheld():
    sizes = pd.DataFrame({"segment": ["a", "b"], "n": [10, 300]})
    shown = suppress_small(sizes, people="n", dimensions=["segment"])
    assert shown["n"].tolist() == [10, 300]
    assert not shown["is_withheld"].any()


def test_a_table_by_hand():
    # 3 is small; 20 is next in its row and 30 in its column; 40 closes the rectangle, else 20 and 30 give 3 away
    counts = np.array([[3, 20, 90], [30, 40, 95], [99, 98, 97]])
    expected = np.array([[True, True, False], [True, True, False], [False, False, False]])
    assert (hidden_cells(counts) == expected).all()


def test_text_stays_and_flags_go():
    sizes = pd.DataFrame({"segment": list("abc"), "n": [4, 30, 40], "action": ["call", "mail", "wait"], "is_new": True})
    shown = suppress_small(sizes, people="n", dimensions=["segment"])
    assert shown["action"].tolist() == ["call", "mail", "wait"]
    assert shown["is_new"].isna().tolist() == [True, True, False]


def test_the_same_groups_go_for_every_metric():
    people = pd.DataFrame({"country": ["DE", "FR", "UK"], "n_customers": [3, 50, 900]})
    plan = plan_suppression(people, people="n_customers", dimensions=["country"])
    other = plan.apply(pd.DataFrame({"country": ["UK", "FR", "DE"], "repeat_share": [0.3, 0.2, 0.5]}))
    assert other["repeat_share"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([5], [True]),
        ([5, 4], [True, True]),
        ([5, 0], [True, True]),
        ([0, 0], [False, False]),
        ([], []),
        ([9, 9, 9], [True, True, True]),
        ([9, 12, 11], [True, False, True]),
        ([1, 2, 100], [True, True, True]),
    ],
)
def test_edges_of_one_list(counts, expected):
    frame = pd.DataFrame({"segment": range(len(counts)), "n": counts})
    assert suppress_small(frame, people="n", dimensions=["segment"])["is_withheld"].tolist() == expected


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"s": ["a", "a"], "n": [1, 2]}), "appears twice"),
        (pd.DataFrame({"s": ["a"], "n": [np.nan]}), "'n' has missing or negative counts"),
        (pd.DataFrame({"s": ["a"], "n": [-1]}), "'n' has missing or negative counts"),
        (pd.DataFrame({"s": ["a"]}), "no column 'n'; it has: s"),
    ],
)
def test_refusals(frame, message):
    with pytest.raises(ParameterError, match=message):
        plan_suppression(frame, people="n", dimensions=["s"])


shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6)


@given(hnp.arrays(np.int64, shapes, elements=st.sampled_from([1, 2, 5, 9, 10, 11, 30, 50, 200, 1000])))
def test_no_withheld_cell_follows_from_the_totals(counts):
    hidden = hidden_cells(counts)
    assert can_be_computed(hidden) == []
    assert hidden[counts < 10].all()
    for line_hidden, line in [*zip(hidden, counts, strict=True), *zip(hidden.T, counts.T, strict=True)]:
        n_hidden = int(line_hidden.sum())
        assert n_hidden != 1
        assert n_hidden == 0 or line[line_hidden].sum() >= 10 or line_hidden.all()


@given(hnp.arrays(np.int64, shapes, elements=st.sampled_from([0, 0, 1, 4, 10, 60])))
def test_empty_cells_do_not_give_others_away(counts):
    hidden = hidden_cells(counts)
    assert hidden[(counts > 0) & (counts < 10)].all()
    assert can_be_computed(hidden) == []


@given(hnp.arrays(np.int64, shapes, elements=st.integers(0, 60)), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(counts, random):
    frame = long_form(counts + np.arange(counts.size).reshape(counts.shape) * 100)
    order = list(frame.index)
    random.shuffle(order)
    plans = [plan_suppression(f, people="n", dimensions=["row", "column"]) for f in (frame, frame.loc[order])]
    assert plans[0].cells == plans[1].cells


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail jo.bloggs+shop@mail.example.co.uk!", "Mail [e-mail]!"),
        ("jo [at] mail [dot] com", "[e-mail]"),
        ("jo at mail dot com please", "[e-mail] please"),
        ("ｊｏ＠ｅｘａｍｐｌｅ．ｃｏｍ", "[e-mail]"),  # full-width letters
        ("j\u200bo@ex\u200bample.com", "[e-mail]"),  # zero-width spaces
        ("call 020 7946 0958 or (0151) 496-0123", "call [phone] or [phone]"),
        ("+49 151 23456789", "[phone]"),
        ("card 4111 1111 1111 1111", "card [card]"),
        ("4111\u20111111\u20111111\u20111111", "[card]"),  # no-break hyphens
        ("GB29 NWBK 6016 1331 9268 19", "[account]"),
        ("I live at 12 High Street, Leeds LS1 4AP", "I live at [address], Leeds [postcode]"),
        ("Hauptstraße 12a", "[address]"),
        ("order #10442 is late", "[number] is late"),
        ("Order no. AB-77123", "[number]"),
        ("INV-2026-0042", "[number]"),
        ("customer 17850 complained", "[number] complained"),
        ("see https://shop.example/?user=jo", "see [link]"),
        ("31.10.2026 0151 496 0123", "31.10.2026 [phone]"),  # a date does not shelter a number behind it
    ],
)
def test_personal_data_goes(text, expected):
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "rattan storage 40x60",
        "Paid £1,234.56 on 2026-10-31",
        "31.10.2026 10:15",
        "size 38 x 40 cm, 12 pieces",
        "3 stars. too small",
        "best 100 % cotton",
        "in 2019-2020",
        "order arrived broken",
        "the order of 1999 was fine",
    ],
)
def test_ordinary_words_stay(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 30_000,
        "a@" * 15_000,
        "1 " * 15_000,
        "1" * 30_000,
        "a." * 15_000 + "@",
        "12 " + "Ab " * 10_000,
        "order " * 6_000,
        "a at b dot " * 3_000,
        "AB12 " * 6_000,
    ],
)
def test_hostile_text_takes_no_time(text):
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < SECONDS_FOR_HOSTILE_TEXT


@given(st.text(max_size=40), st.text(max_size=40))
def test_an_address_is_found_in_any_surroundings(before, after):
    assert "jo.bloggs@example.org" not in redact(f"{before} jo.bloggs@example.org {after}")


def test_a_small_group_joins_its_neighbour():
    tiers = pd.DataFrame(
        {
            "tier": ["heavy", "medium", "light", "zero"],
            "n_customers": [226, 930, 3138, 4],
            "share": [0.25, 0.25, 0.25, 0.25],
        }
    )
    merged = merge_small(tiers, people="n_customers", name="tier")
    assert merged["tier"].tolist() == ["heavy", "medium", "light or zero"]
    assert merged["n_customers"].tolist() == [226, 930, 3142]
    assert merged["share"].tolist() == [0.25, 0.25, 0.5]
    shown = suppress_small(merged, people="n_customers", dimensions=["tier"])
    assert not shown["is_withheld"].any()


def test_a_first_small_group_and_empty_ones_stay():
    tiers = pd.DataFrame({"tier": ["heavy", "medium", "light"], "n_customers": [3, 0, 40]})
    merged = merge_small(tiers, people="n_customers", name="tier")
    assert merged["tier"].tolist() == ["heavy", "medium", "light"]
