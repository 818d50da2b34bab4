"""Sentences of the positioning page: one verdict a category, each number and word as its row says."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.finding import MOST_TOLD, Finding
from opslib.findings import positioning as say
from opslib.positioning import hedonic_prices, price_verdicts
from tests.findings.facts import EMPTY, NOTHING, page
from tests.positioning.test_response import exact
from tests.positioning.test_what_if import OWN

LADDER = pd.DataFrame({
    "category": ["Garden", "Garden"], "band": [0, 1], "lower_price": [1.0, 10.0], "upper_price": [10.0, 100.0],
    "offer_share": [0.9, 0.1], "demand_share": [0.4, 0.6], "revenue_amount": [400.0, 600.0], "n_products": [9, 1],
    "leading_product": ["mug", "Amber doormat"], "leading_amount": [100.0, 600.0],
})  # fmt: skip
NO_VERDICTS = price_verdicts(EMPTY, NOTHING_READ := exact(slope=-1.0, width=0.1), OWN, EMPTY).head(0)


def row(
    group="lamps",
    away=(np.nan,) * 3,
    reading="",
    units=(-0.05, -0.08, -0.02),
    money=(700.0, 200.0, 1300.0),
    move=0.05,
    is_known=True,
):
    ends = ("", "_lower", "_upper")
    return {
        "group": group, "reading": reading, "counted": "margin", "now_amount": 9000.0, "move": move, "is_known": is_known,
        **{f"price_change{end}": x for end, x in zip(ends, away, strict=True)},
        **{f"units_change{end}": x for end, x in zip(ends, units, strict=True)},
        **{f"change_amount{end}": x for end, x in zip(ends, money, strict=True)},
        **dict.fromkeys(("pressure", "pressure_lower", "pressure_upper"), np.nan),
    }  # fmt: skip


def verdicts(*rows):
    return pd.DataFrame(list(rows), columns=NO_VERDICTS.columns)


def found_of(table=NO_VERDICTS, model=NOTHING, ladder=EMPTY, promotions=EMPTY) -> dict[str, Finding]:
    return {f.key: f for f in say.findings(table, model, ladder, promotions, {}, page=page())}


FOUR = verdicts(
    row("Kitchen", (0.17, 0.1, 0.24), money=(0.0, -9.0, 9.0), move=0.0, is_known=False),
    row("Textiles", (0.09, 0.04, 0.14), money=(0.0, -9.0, 9.0), move=0.0, is_known=False),
    row("Bath", (0.06, 0.01, 0.11), money=(0.0, -9.0, 9.0), move=0.0, is_known=False),
    row("Garden", (-0.15, -0.2, -0.1), money=(0.0, -9.0, 9.0), move=0.0, is_known=False),
)


def test_the_answer_names_who_is_dear_and_cheap_and_which_price_could_move():
    said = say.answer(FOUR, (), page=page())
    first = "Kitchen, Textiles and Bath cost 17, 9 and 6\xa0% more than at competitors; Garden costs 15\xa0% less than at competitors."
    assert said == f"{first} In Kitchen, Textiles, Bath and Garden another price would change little that can be seen."
    both = verdicts(row("Kitchen"), row("Garden", money=(300.0, 100.0, 500.0)))
    assert say.answer(both, (), page=page()) == (
        "If buyers react as they did, Kitchen and Garden could bear 5\xa0% higher prices: margin up about £1,000 a month together."
    )
    unread = verdicts(row("all", reading="tiers", move=0.0, is_known=False))
    assert say.answer(unread, (), page=page()).endswith("cannot be told here: the price depends on how much is bought.")
    assert say.answer(NO_VERDICTS, (), page=page()) == ""


def test_many_groups_on_one_side_are_not_listed_but_ranged():
    many = verdicts(*[row(str(n), (n / 100, 0.001, 0.9), move=0.0, is_known=False) for n in (7, 28, 18, 9)])
    assert say.answer(many, (), page=page()).startswith(
        "All 4 categories cost 7 to 28\xa0% more than at competitors, 28 furthest."
    )


def test_a_price_that_could_move_says_money_units_owner_date_and_what_is_drafted():
    found = found_of(verdicts(row("Kitchen", (0.17, 0.1, 0.24))))["price-kitchen"]
    assert found.sentence == (
        "Kitchen could bear 5\xa0% higher prices: on all of it margin up about £700 a month "
        "(200–1,300), as sales would fall by about 5\xa0%."
    )
    assert (
        found.action
        == "Start on 28 Nov 2026, for eight weeks: raise the prices of Kitchen by 5\xa0% on half of its products, chosen at random"
    )
    assert (found.department, found.things, found.due) == ("Buying", ("Kitchen",), date(2026, 11, 28))
    assert (found.worth.value, found.worth.lower, found.worth.upper) == (
        350,
        100,
        650,
    )  # half of the products: half of it
    assert found.proposes.metric == "margin"
    assert "costs 17\xa0% more than at competitors already" in found.caveat
    lower = found_of(verdicts(row("Bath", move=-0.05, units=(0.12, 0.08, 0.16))))["price-bath"]
    assert "would earn more at 5\xa0% lower prices" in lower.sentence
    assert "sales would rise by about 12\xa0%" in lower.sentence
    assert (lower.proposes.metric, lower.proposes.change) == ("units_sold", -0.05)


def test_a_category_that_cannot_be_read_is_tried_and_what_would_tell_is_said():
    found = found_of(verdicts(row("Lighting", (0.28, 0.24, 0.32), reading="followed", move=-0.05, is_known=False)))[
        "price-lighting"
    ]
    assert found.sentence.startswith(
        "Lighting costs 28\xa0% more than at competitors; what its buyers make of that cannot be told: prices may have followed demand"
    )
    assert found.worth is None
    assert found.would_tell == "those eight weeks"


def test_a_band_that_is_one_product_names_it():
    found = found_of(ladder=LADDER)["one-product"]
    assert found.sentence == "One product, Amber doormat, brings 60\xa0% of the revenue of Garden: £600 in Oct 2026."
    assert found_of(ladder=LADDER.assign(leading_amount=[100.0, 100.0])) == {}


def test_promotion_is_weighted_by_list_value_and_small_groups_do_not_lead():
    promotions = pd.DataFrame({
        "group": ["coffee", "a", "b"], "list_amount": [1.0, 300.0, 100.0], "promoted_share": [1.0, 0.1, 0.5],
        "depth_share": [0.93, 0.3, 0.2],
    })  # fmt: skip
    found = found_of(promotions=promotions)["promotion"]
    assert found.sentence.startswith(
        "20.2\xa0% of sales at list price carry a discount; in a it is deepest, 30\xa0% off"
    )


def test_nothing_is_said_about_what_is_not_known():
    assert found_of() == {}


def test_a_premium_is_told_only_where_a_brand_stands_out():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"brand": ["a", "b"] * 60, "category": ["x"] * 120})
    frame["price"] = np.exp(3 + 0.2 * (frame["brand"] == "b") + rng.normal(0, 0.05, 120))
    found = found_of(model=hedonic_prices(frame, attributes=["category"]))["quality-adjusted"]
    assert found.sentence.startswith("For what they offer, b is dear and a is cheap, b by ")
    frame["price"] = np.exp(3 + rng.normal(0, 0.05, 120))
    assert found_of(model=hedonic_prices(frame, attributes=["category"])) == {}


def test_a_model_that_explains_nothing_explains_zero_and_not_less():
    frame = pd.DataFrame({"brand": ["a", "b"] * 60, "category": ["x"] * 120, "price": [10.0, 10.0 + 1e-9] * 60})
    assert hedonic_prices(frame, attributes=["category"]).r_squared >= 0


def test_limits_count_what_is_not_covered():
    position = pd.DataFrame({"n_products": [10, 10], "n_covered": [8, 9]})
    assert say.limits(page(), position)[0].startswith("3 of 20 products lack a fresh competitor price")
    assert len(say.limits(page(), EMPTY)) == len(say.limits(page(), position)) == 1


def test_a_thing_has_one_action_and_a_page_three_and_small_money_is_not_told():
    def one(key, things, worth=None, priority=3):
        money = (
            None
            if worth is None
            else say.Estimate(value=worth, lower=0.0, upper=2 * worth, n=1, unit="GBP/month", method="by hand")
        )
        return Finding(
            key=key, sentence=key, kind="measured", action=key, things=things, worth=money, priority=priority
        )

    found = [
        one("a", ("x",), 1030.0, 1),
        one("b", ("x", "y")),
        one("c", ("z",), 20.0, 2),
        one("d", ("v",)),
        one("e", ("w",)),
        one("f", ("u",)),
    ]
    kept = {f.key: f for f in say.settled(found, due=date(2026, 11, 28))}
    assert [key for key, f in kept.items() if f.action] == ["a", "d", "e"]
    assert not kept["c"].is_told  # £20 beside £1,030
    assert sum(f.is_told for f in kept.values()) == MOST_TOLD


NUMBERS = st.floats(-0.9, 0.9, allow_nan=False).map(lambda x: round(x, 3))


@st.composite
def tables(draw):
    rows = []
    for n in range(draw(st.integers(0, 6))):
        away, units, money = (sorted(draw(NUMBERS) for _ in range(3)) for _ in range(3))
        reading = draw(st.sampled_from(["", *say.UNREAD]))
        is_known = not reading and draw(st.booleans())
        rows.append(row(
            f"g{n}", (away[1], away[0], away[2]), reading, (units[1], units[0], units[2]),
            (1e3 * money[1], 1e3 * money[0], 1e3 * money[2]), draw(st.sampled_from([-0.05, 0.0, 0.05])) if is_known or reading else 0.0,
            is_known,
        ))  # fmt: skip
        rows[-1]["is_known"] = is_known and rows[-1]["move"] != 0
    return verdicts(*rows)


@given(tables())
def test_words_never_contradict_their_rows(table):
    at = table.set_index("group")
    found = say.findings(table, NOTHING, EMPTY, EMPTY, {}, page=page())
    said = say.answer(table, found, page=page())
    assert sum(f.is_told for f in found) <= MOST_TOLD
    assert sum(f.action is not None for f in found) <= say.MOST_ACTIONS
    acted = [name for f in found if f.action for name in f.things]
    assert len(acted) == len(set(acted))
    for f in found:
        scope = dict(f.about.scope).get("category")
        if scope is None:
            continue
        away, units = at.loc[scope, "price_change"], at.loc[scope, "units_change"]
        if "at competitors" in f.sentence:
            assert ("more than at competitors" in f.sentence) == (away > 0)
        if "sales would rise" in f.sentence:
            assert units > 0
        if "sales would fall" in f.sentence:
            assert units < 0
        if f.action:
            assert (": raise the prices" in f.action) == (at.loc[scope, "move"] > 0)
            assert (f.worth is None) == (f.would_tell is not None)
    dear = at[at["price_change_lower"] > 0]
    assert ("more than at competitors" in said) == (len(dear) > 0)
    for word in ("nan", "None", "inf"):
        assert word not in said + "".join(f.sentence for f in found)


@pytest.mark.parametrize(("slope", "move"), [(-1.0, 0.05), (-4.0, -0.05)])
def test_a_verdict_follows_the_money(slope, move):
    """Lamp at £10, cost £6: at slope -1 the margin gains by a higher price, at -4 by a lower one (optimum: cost x s/(s+1))."""
    groups = exact(slope=slope, width=0.1)
    table = price_verdicts(EMPTY, groups, OWN, EMPTY)
    assert table["move"].tolist() == [move]
    assert table["change_amount"].iloc[0] > 0
    assert table["units_change"].iloc[0] == pytest.approx((1 + move) ** slope - 1)
