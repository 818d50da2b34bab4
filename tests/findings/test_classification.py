"""Sentences about products: names, numbers by a second road, and what a random table can never make them say."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.findings import classification as say
from opslib.formats import format_date
from opslib.periods import Coverage, Period
from tests.findings.facts import EMPTY, OCTOBER, page

LIKE = (OCTOBER, OCTOBER.year_before())
HALVES = (OCTOBER, OCTOBER.previous())
CELLS = [a + x for a in "ABC" for x in "XYZN"]


def products_of(rows: list[tuple[str, float, str, int, int, bool]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["cell", "amount", "stage", "n_orders_before", "n_orders_recent", "is_short"])
    frame["name"] = [f"product {i}" for i in range(len(frame))]
    return frame.assign(
        amount_share=frame["amount"] / frame["amount"].sum(),
        n_on_hand=1.0,
        stock_amount=10.0,
        stock_days=3.0,
        category="x",
    )


def matrix_of(rows: list[tuple[float, float, bool]], shop: float) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["growth_change", "half", "is_clear"])
    return frame.assign(group=[f"group {i}" for i in range(len(frame))], growth_change_lower=frame["growth_change"] - frame["half"],
                        growth_change_upper=frame["growth_change"] + frame["half"], shop_growth=shop)  # fmt: skip


def found_of(products: pd.DataFrame = EMPTY, movers: pd.DataFrame = EMPTY, **more):
    options = {"compared": LIKE, "page": page(), **more}
    return {f.key: f for f in say.findings(products, movers, **options)}


STAGES = ["launch", "growth", "maturity", "decline", "dormant", "not compared"]
ROWS = st.lists(st.tuples(st.sampled_from(CELLS), st.floats(0.5, 1e6), st.sampled_from(STAGES), st.integers(0, 90), st.integers(0, 90),
                          st.booleans()), min_size=1, max_size=25)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_no_table_makes_a_sentence_say_what_is_not_so(rows: list) -> None:
    products = products_of(rows)
    found = found_of(products)
    cell = products.set_index("name")["cell"]
    best, slow = products[products["cell"] == "AX"], products[products["cell"] == "CZ"]
    assert ("short-of-stock" in found) == bool((best["is_short"]).any())
    if "short-of-stock" in found:
        urgent = found["short-of-stock"]
        assert set(urgent.things) == set(best.loc[best["is_short"], "name"])
        assert urgent.is_urgent
        assert urgent.sentence.startswith(f"{int(best['is_short'].sum())} of {len(best)} steady seller")
    for key in ("declining", "declining-slow"):
        if key in found:
            part = products.set_index("name").loc[list(found[key].things)]
            assert (part["n_orders_recent"] < part["n_orders_before"]).all()
            assert (part["stage"] == "decline").all()
            assert f"{part['n_orders_recent'].sum()} order" in found[key].sentence
            assert (key == "declining-slow") == part["cell"].str.startswith("C").all()
    for finding in found.values():
        if finding.action and "let them run out" in finding.action:
            assert all(cell[name][0] == "C" for name in finding.things), "a best seller was to run out"
        if finding.action:
            assert finding.things
            assert finding.department
            assert finding.due
            assert finding.would_tell
    if "cell-CZ" in found:
        assert set(found["cell-CZ"].things) == set(slow.loc[slow["stage"] != "launch", "name"])
    told = say.answer(products, page=page())
    assert told
    share = round(float(best["amount_share"].sum()) * 100)
    if len(best) and share >= 10:
        assert re.search(rf"\b{share}\u00a0% of the revenue", told)


GROUPS = st.lists(st.tuples(st.floats(-0.9, 3.0), st.floats(0.01, 0.5), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=50, deadline=None)
@given(GROUPS, st.floats(-0.5, 1.0))
def test_only_who_is_clearly_apart_is_said_to_do_better_or_worse(rows: list, shop: float) -> None:
    movers = matrix_of(rows, shop)
    found = found_of(movers=movers)
    clear = movers[movers["is_clear"]]
    for key, word, apart in (("groups-faster", "better", clear[clear["growth_change"] > shop]),
                             ("groups-slower", "worse", clear[clear["growth_change"] < shop])):  # fmt: skip
        assert (key in found) == bool(len(apart))
        if key in found:
            sentence = found[key].sentence
            assert f"did {word} than the shop" in sentence
            named = re.findall(r"group \d+", sentence)
            assert set(named) <= set(apart["group"])
            others = re.search(r"and (\d+) other", sentence)
            assert len(named) + (int(others[1]) if others else 0) == len(apart)
            assert "season" not in sentence


def test_half_against_half_says_so_and_comes_last() -> None:
    movers = matrix_of([(2.0, 0.1, True), (0.1, 0.1, False)], 0.1)
    (faster,) = found_of(movers=movers, compared=HALVES).values()
    assert faster.sentence.endswith("in Oct 2026 against Sep 2026, half against half of the window, season included.")
    assert faster.priority > found_of(movers=movers)["groups-faster"].priority


def test_sentences_by_hand() -> None:
    products = products_of(
        [
            ("AX", 600.0, "maturity", 9, 9, True),
            ("AX", 200.0, "decline", 9, 2, False),
            ("CZ", 200.0, "decline", 8, 1, False),
        ]
    )
    found = {key: f.sentence.replace("\u00a0", " ") for key, f in found_of(products).items()}
    assert found == {
        "short-of-stock": "1 of 2 steady sellers of class A sells out before a delivery can arrive, counted on 31 Oct: product 0.",
        "cell-AX": "2 steady sellers of class A bring £800 in Oct 2026, 80 % of the revenue: product 0 and product 1.",
        "declining": "1 product (20 % of the revenue) clearly lags behind the shop, with 2 orders after 9 in the same days a year before: product 1.",
        "declining-slow": "1 slow seller (20 % of the revenue) clearly lags behind the shop, with 1 order after 8 in the same days a year before: product 2.",
        "cell-CZ": "1 erratic slow seller brings £200 in Oct 2026, 20 % of the revenue; £10.00 of stock, at cost, lies in them.",
        "a-products": "2 of 3 products bring 80 % of the revenue, £800 in Oct 2026.",
    }
    assert say.answer(products, page=page()).replace("\u00a0", " ") == (
        "2 steady sellers of class A of 3 products bring 80 % of the revenue; 1 of them is about to run out. "
        "1 erratic slow seller brings 20 %."
    )


def test_of_many_the_two_that_bring_the_most_are_named_and_a_day_that_was_not_seen_is_said() -> None:
    products = products_of([("AX", amount, "maturity", 9, 9, False) for amount in (100.0, 300.0, 200.0)])
    said = found_of(products)["cell-AX"].sentence.replace("\u00a0", " ")
    assert said.endswith("100 % of the revenue; the largest are product 1 and product 2.")
    gap = Coverage(LIKE[1].start, LIKE[0].end, missing=frozenset({LIKE[1].start}))
    told = say.compared_sentence(LIKE, products.head(0), by="category", seen=gap)
    assert told == f"{LIKE[0].label} against {LIKE[1].label} ({format_date(LIKE[1].start)} is missing), by category."
    movers = matrix_of([(2.0, 0.1, True), (0.1, 0.1, False)], 0.1)
    assert "is missing)" in found_of(movers=movers, page=page(coverage=gap))["groups-faster"].sentence


def test_units_are_no_money_and_a_year_is_said() -> None:
    year = Period.parse("2025-11-01", "2026-10-31")
    found = found_of(products_of([("AX", 1200.0, "maturity", 9, 9, False)]), value="units", page=page(period=year))
    assert "brings 1,200 units a year, 100\u00a0% of the units" in found["cell-AX"].sentence


def test_nothing_sold_says_nothing() -> None:
    assert found_of() == {}
    assert say.answer(EMPTY, page=page()) == ""


def test_titles_and_heads_are_of_what_is_there() -> None:
    products = products_of([("BY", float(i), "maturity", 1, 1, False) for i in range(1, 13)])
    assert say.cell_title(products) == "12 varying middling products (BY), the ten best of them"
    heads = say.product_heads(products.assign(category=np.nan), value="revenue")
    assert "category" not in heads
    assert heads["amount"] == "revenue"
    assert "the season is included" in say.compared_sentence(
        HALVES, products.head(0), by="category", seen=page().coverage
    )
    told = say.compared_sentence(LIKE, products, by="product_id", seen=page().coverage, most=12)
    assert told.endswith(", by product; the 12 largest.")
    whole = say.compared_sentence(
        LIKE, products, by="product_id", seen=page().coverage
    )  # twelve of at most thirty: all of them
    assert "largest" not in whole
