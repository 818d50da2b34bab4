"""Sentences about product control."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from opslib.findings import product_control as say
from opslib.product_control import maintenance_list
from tests.findings.facts import EMPTY, page

MONTHS = pd.DataFrame({
    "supplier": ["Supplier E", "Supplier E"], "month": [date(2026, 9, 1), date(2026, 8, 1)], "n_lines": [600.0, 400.0], "n_returns": [120.0, 40.0],
    "return_share": [0.2, 0.1], "expected_share": [0.05, 0.05], "loss_amount": [2000.0, 1000.0], "is_bad": True,
})  # fmt: skip
ALARMS = pd.DataFrame({
    "kind": ["runs out", "below cost"], "name": ["Lamp", "Mug"], "n_lines": [90.0, 100.0], "stake_amount": [124.4, 50.0],
})  # fmt: skip
DAYS = pd.DataFrame({"group": ["Kitchen"], "day": [pd.Timestamp("2026-10-20")], "is_signal": [True]})
MOVES = pd.DataFrame({"category": ["Kitchen"], "day": [date(2026, 10, 15)], "n_moved": [38], "n_products": [40], "n_same": [38], "price_change": [0.08]})  # fmt: skip


def listed(n: int = 2) -> pd.DataFrame:
    rows = pd.DataFrame({
        "product_id": [f"p{i}" for i in range(n)], "name": [f"Product {i}" for i in range(n)], "supplier": "S", "n_lines": 100.0, "n_returns": 37.0, "return_share": 0.37,
        "expected_share": 0.05, "reason": "faulty", "signs": "returns", "is_faulty": True, "is_unsold": False, "loss_amount": 300.0, "loss_amount_lower": 260.0,
        "loss_amount_upper": 340.0, "loss_next_amount": 290.0, "n_sold": 1.0, "n_expected": 54.0, "n_expected_lower": 25.0, "n_expected_upper": 93.0, "out_days": 27.0,
        "missed_amount": np.nan, "cost_amount": 300.0,
    })  # fmt: skip
    return maintenance_list(rows)


def told(maintenance=None, months=EMPTY, alarms=EMPTY, days=EMPTY, moves=EMPTY):
    found = say.findings(listed() if maintenance is None else maintenance, months, alarms, days, moves, page=page())
    return {one.key: one for one in found}


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


def test_a_faulty_product_is_named_with_its_share_its_money_and_the_half_that_waits():
    one = told()["faulty-products"]
    assert plain(one.sentence) == "Product 0 is the costliest, ahead of 1 other: 37 % came back where 5 % is usual, mostly “faulty”."  # fmt: skip
    # Two independent products: 600, and 40 either way added in squares.
    assert (one.worth.value, round(one.worth.lower, 2), round(one.worth.upper, 2)) == (600.0, 543.43, 656.57)
    assert one.worth.unit == "GBP/month"
    assert one.action == "Find the fault and mend it; a random half waits eight weeks, to show what mending brings"
    assert one.things == ("Product 0", "Product 1")
    alone = told(listed(1))["faulty-products"]
    assert alone.action == "Find the fault and mend it"
    assert "ahead" not in alone.sentence


def test_the_answer_counts_money_and_names_the_supplier():
    faults = pd.DataFrame({"product_id": ["p0", "p1", "p2"], "returns_ratio": [7.0, 7.0, 1.0]})
    words = plain(say.answer(faults, listed(), MONTHS, page=page()))
    assert words == (
        "2 products of 3 have faults beyond chance; their refunds beyond the usual cost £600 a month. "
        "Supplier E’s bad deliveries cost £3,000 in Aug 2026 and Sep 2026."
    )
    none = say.answer(faults, listed(0), EMPTY, page=page())
    assert plain(none) == "Of 3 products none shows faults beyond chance."
    assert say.answer(faults[["product_id"]], listed(), MONTHS, page=page()) == ""  # nothing was recorded to check


def test_a_bad_delivery_has_its_months_and_shares():
    one = told(months=MONTHS)["supplier-1"]
    assert plain(one.sentence) == (
        "16 % of Supplier E’s lines came back in Aug 2026 and Sep 2026, where 5 % is usual, faulty products left out."
    )  # 160 of 1,000 lines
    assert one.things == ("Supplier E",)


def test_alarms_days_and_prices():
    found = told(listed(0), alarms=ALARMS, days=DAYS, moves=MOVES)
    assert plain(found["runs-out"].sentence) == "1 product runs out before a delivery ordered on 31 Oct can come; £124 of margin would be missed until then."  # fmt: skip
    assert plain(found["below-cost"].sentence) == "1 product is sold below cost, which loses £50 a month: Mug."
    # 100 lines, give or take 19.6.
    assert (round(found["below-cost"].worth.lower, 1), round(found["below-cost"].worth.upper, 1)) == (40.2, 59.8)
    assert plain(found["days-beyond"].sentence) == "Orders left their usual ups and downs on 1 day of a category: Kitchen on 20 Oct."  # fmt: skip
    assert plain(found["prices-moved"].sentence) == "List prices of 38 of 40 products of Kitchen moved together on 15 Oct 2026."  # fmt: skip


def test_sales_that_stay_out_say_what_is_usual_and_what_was_out_of_stock():
    rows = listed().assign(is_unsold=[True, False])
    assert plain(told(rows)["unsold"].sentence) == "Product 0 was ordered 1 time in four weeks, where 25 to 93 are usual, out of stock on 27 days."  # fmt: skip
    bare = rows.assign(out_days=np.nan, is_unsold=True)
    assert plain(told(bare)["unsold"].sentence) == (
        "Product 0 was ordered 1 time in four weeks, where 25 to 93 are usual; 1 other is below their course."
    )


def test_what_is_held_back_has_its_price_and_the_supplier_its_list():
    note = plain(say.mended_note(listed(), page=page()))
    assert note.startswith("Of £600 a month, about £580 will remain if nothing is done; the rest was chance")
    assert "Holding back 1 product for eight weeks costs about £552" in note  # 300 x 56 days / 30.4375
    assert say.mended_note(listed(1), page=page()) == ""
    rows = say.supplier_rows(listed(), MONTHS)
    assert rows["supplier"].tolist() == ["S", "S", "Supplier E", "Supplier E"]
    assert rows["when"].tolist() == ["a month", "a month", "Sep 2026", "Aug 2026"]
    assert say.faults_title(listed(), page=page()) == "2 products cost £600 a month in refunds beyond the usual"
    assert say.faults_title(listed(0), page=page()) == ""


def test_heads_are_of_columns_that_hold_something():
    heads = say.maintenance_heads(listed().assign(rating=np.nan, theme=None, sold_change=0.1))
    assert "rating" not in heads
    assert heads["turn"] == "mend"


def test_of_nothing_nothing_is_said():
    assert say.findings(EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, page=page()) == ()
    assert say.answer(EMPTY, EMPTY, EMPTY, page=page()) == ""
    assert len(say.limits(page())) == 1


@given(st.integers(1, 40), st.floats(0, 1), st.booleans())
def test_sentences_stay_short_and_plain(n, share, has_reason):
    rows = listed(n).assign(return_share=share, reason="faulty" if has_reason else None)
    for one in say.findings(rows, MONTHS, ALARMS, DAYS, MOVES, page=page()):
        assert len(one.sentence.split()) <= 25, one.sentence
        assert one.action is None or (one.things and one.due and (one.worth or one.would_tell))
