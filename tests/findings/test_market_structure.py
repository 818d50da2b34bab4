"""Sentences about pairs, rivals and launches."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from opslib.finding import Finding
from opslib.findings import market_structure as say
from opslib.positioning import clear_pairs
from tests.findings.facts import EMPTY, NOTHING, page

PAIRS = pd.DataFrame({
    "item_a": ["frosting", "soap", "pen"], "item_b": ["cake mix", "towel", "ink"], "n_customers": [653, 4, 90],
    "lift": [50.0, 9.0, 1.0], "ratio": [18.69, 9.0, 1.1], "ratio_lower": [16.93, 3.0, 0.9], "ratio_upper": [20.59, 20.0, 1.3],
    "is_beyond_chance": [True, True, False],
})  # fmt: skip
#: Two colours of one thing, of which many buy both, and a pair with a higher lower end but less evidence than the first.
MORE = pd.DataFrame({
    "item_a": ["PINK TEA CUP", "fork"], "item_b": ["BLUE TEA CUP", "spoon set"], "n_customers": [900, 30], "lift": [90.0, 40.0],
    "ratio": [80.0, 30.0], "ratio_lower": [70.0, 20.0], "ratio_upper": [90.0, 45.0], "is_beyond_chance": [True, True],
})  # fmt: skip
LAUNCHES = pd.DataFrame({
    "item": ["new lamp", "new rug", "late mat"], "lost_share": [0.46, 0.1, None], "lost_share_lower": [0.2, -0.3, None],
    "lost_share_upper": [0.6, 0.4, None], "taken_ratio": [1.5, 0.2, None], "taken_ratio_lower": [0.5, -0.5, None], "taken_ratio_upper": [3.0, 1.0, None],
    "q_value": [0.01, 0.6, None], "n_placebos": [40, 40, 3], "reason": ["", "", "3 whole weeks"],
    "is_taken": [True, False, False],
})  # fmt: skip


NO_GROUPS = pd.DataFrame(columns=["item", "group"])


def found_of(
    together=PAIRS, rivals=PAIRS, groups=NO_GROUPS, launches=EMPTY, *, from_views=True, **facts
) -> dict[str, Finding]:
    found = say.findings(
        NOTHING, EMPTY, EMPTY, together, rivals, groups, launches, from_views=from_views, page=page(**facts)
    )
    return {f.key: f for f in found}


def test_the_clearest_pair_is_named_with_its_interval_and_small_groups_are_not():
    found = found_of(PAIRS)["complements"]
    assert (
        found.sentence == "653 customers bought frosting together with cake mix, 18.7x (16.9–20.6) as often as chance."
    )
    assert (found.estimate.lower, found.estimate.n) == (16.93, 653)
    assert found.action == "Show cake mix beside frosting to half of the visitors"
    assert (found.things, found.proposes.metric, found.proposes.design) == (
        ("frosting", "cake mix"),
        "items_per_order",
        "experiment",
    )
    assert found.would_tell
    assert "complements-next" not in found_of(PAIRS)  # soap and towel were bought by four people
    none = found_of(PAIRS.iloc[2:])["complements"]
    assert none.sentence == "Of 1 pair in enough orders, no pairs are bought together beyond chance."


def test_the_strongest_pair_of_two_things_leads_and_looks_of_one_are_left_out():
    found = found_of(pd.concat([PAIRS, MORE]))
    assert found["complements"].sentence.startswith(
        "30 customers bought fork together with spoon set, 30.0x (20.0–45.0)"
    )
    assert found["complements-next"].sentence == "Next: frosting with cake mix."
    assert clear_pairs(pd.concat([PAIRS, MORE]))["item_a"].tolist() == ["PINK TEA CUP", "fork", "frosting"]
    alike = found_of(MORE.iloc[:1])["complements"]
    assert (
        alike.sentence
        == "Of 1 pair in enough orders, 1 pair is bought together beyond chance, looks or sizes of one thing."
    )
    assert alike.action is None


GROUPS = pd.DataFrame({"item": ["frosting", "cake mix", "icing"], "group": [1, 1, 1]})


def test_rivals_are_named_with_their_group():
    found = found_of(groups=GROUPS, from_views=True)["substitutes"]
    assert found.sentence.startswith("frosting and cake mix are looked at in one visit, and not both bought, 18.7x")
    assert found.sentence.endswith("There 3 products compete with each other.")
    assert found.things == ("cake mix", "frosting", "icing")
    assert found_of(PAIRS, groups=GROUPS)["substitutes"].action is None  # both have their action as a pair already
    weak = found_of(groups=GROUPS, from_views=False)["substitutes"]
    assert "stand in one order 18.7x" in weak.sentence
    assert "Nothing competes clearly" in found_of(from_views=True)["substitutes"].sentence


def test_the_answer_counts_what_visits_did_in_the_digits_of_the_table():
    pairs = PAIRS.assign(ratio=[16.7, 9.0, 1.1], ratio_lower=[13.8, 3.0, 0.9], ratio_upper=[20.0, 20.0, 1.3])
    pairs = pairs.assign(n_viewed=[204, 9, 90], n_switched=[53, 3, 9], n_bought_both=[26, 1, 9])
    said = say.answer(pairs, pairs, GROUPS, from_views=True, page=page())
    assert said == (
        "frosting and cake mix sell together 16.7 times as often as chance. frosting and cake mix are looked at in one visit, and not "
        "both bought, 16.7 times as often as chance. Of 204 visits with both, 53 bought one of them, 26 both."
    )
    assert "16.7x (13.8–20.0) as often as chance" in found_of(pairs)["complements"].sentence
    few = say.answer(pairs.assign(n_bought_both=3), pairs.assign(n_bought_both=3), GROUPS, from_views=True, page=page())
    assert few.endswith("16.7 times as often as chance: they may replace each other.")


def test_launches_that_took_are_named_with_what_they_took():
    found = found_of(launches=LAUNCHES)["launches"]
    assert (
        found.sentence
        == "After new lamp came, its neighbours lost 46\xa0% of their sales, 1.5 for each one of its own."
    )
    assert found.grade == "Low"
    none = found_of(launches=LAUNCHES.iloc[1:])["launches"]
    assert (
        none.sentence
        == "Of 1 launch with enough sales around, none took clearly from the products that it competes with."
    )
    assert "launches" not in found_of(launches=LAUNCHES.iloc[2:])
    assert say.limits(page(), LAUNCHES)[0].startswith("What 1 launch took is not known")


def test_what_a_shop_has_no_table_for_is_not_said():
    assert set(found_of(tables=frozenset({"events"}))) == {"substitutes"}
    assert found_of(tables=frozenset({"products"})) == {}
    assert found_of(EMPTY, EMPTY) == {}


def test_the_answer_names_the_pair_and_the_rivals():
    options = {"from_views": True, "page": page()}
    assert say.answer(PAIRS, PAIRS, GROUPS, **options) == (
        "frosting and cake mix sell together 18.7 times as often as chance. frosting and cake mix are looked at in one visit, and not "
        "both bought, 18.7 times as often as chance: they may replace each other."
    )
    assert say.answer(EMPTY, EMPTY, NO_GROUPS, **options) == ""
    assert say.answer(MORE.head(1), EMPTY, NO_GROUPS, **options).startswith(
        "Nothing is clearly bought together beyond chance"
    )


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.2, 30), st.booleans()), max_size=6))
def test_only_clear_pairs_of_enough_people_are_ever_named(rows):
    pairs = pd.DataFrame({
        "item_a": [f"a{n}" for n in range(len(rows))], "item_b": [f"b{n}" for n in range(len(rows))],
        "n_customers": [row[0] for row in rows], "lift": 1.0, "ratio": [row[1] for row in rows],
        "ratio_lower": [0.9 * row[1] for row in rows], "ratio_upper": [1.1 * row[1] for row in rows],
        "is_beyond_chance": pd.Series([row[2] for row in rows], dtype=bool),
    })  # fmt: skip
    said = " ".join(f.sentence for f in found_of(pairs).values()) + say.answer(
        pairs, EMPTY, NO_GROUPS, from_views=True, page=page()
    )
    for row in pairs.itertuples():
        if f"{row.item_a} " in said:
            assert row.is_beyond_chance
            assert row.n_customers >= 10


def test_heads_of_rivals_say_what_was_counted_and_leave_out_what_was_not():
    assert say.rival_heads(PAIRS, from_views=True)["ratio"] == "looked at together, times chance"
    assert say.rival_heads(PAIRS, from_views=False)["ratio"] == "in one order, times chance"
    uncounted = PAIRS.drop(columns="ratio")
    assert list(say.rival_heads(uncounted, from_views=False)) == ["item_a", "item_b", "n_customers"]


def test_that_nothing_competes_is_said():
    assert say.rivals_note(PAIRS, from_views=True) == ""
    assert say.rivals_note(PAIRS.head(0), from_views=False).endswith("no pairs clearly compete here.")
