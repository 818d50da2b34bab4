"""Sentences about pairs, rivals and launches."""

from __future__ import annotations

import pandas as pd

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
    assert found.sentence.startswith(
        "frosting and cake mix are bought together 18.7x (16.9–20.6) as often as chance, by 653 customers; 1 of 3 pairs"
    )
    assert "soap" not in found.sentence
    assert found.estimate is not None
    assert (found.estimate.lower, found.estimate.n) == (16.93, 653)
    none = found_of(PAIRS.iloc[2:])["complements"]
    assert none.sentence == "None of 1 pair in enough orders is bought together more often than chance."


def test_the_strongest_pair_of_two_things_leads_and_colours_of_one_are_counted():
    found = found_of(pd.concat([PAIRS, MORE]))["complements"]
    assert found.sentence.startswith("fork and spoon set are bought together 30x (20–45)")
    assert (
        "3 of 5 pairs in enough orders go beyond chance (1 of them looks or sizes of one thing), next frosting"
        in found.sentence
    )
    assert clear_pairs(pd.concat([PAIRS, MORE]))["item_a"].tolist() == ["PINK TEA CUP", "fork", "frosting"]
    alike = found_of(MORE.iloc[:1])["complements"]
    assert alike.sentence == "What is bought together beyond chance, 1 pair, is looks or sizes of one thing."
    assert alike.action is None


def test_rivals_are_named_with_their_group():
    groups = pd.DataFrame({"item": ["frosting", "cake mix", "icing"], "group": [1, 1, 1]})
    found = found_of(groups=groups, from_views=True)["substitutes"]
    assert found.sentence.startswith(
        "1 group of products competes; clearest are frosting and cake mix, looked at in one visit"
    )
    assert found.action == "review together whether each is needed or can be told apart: cake mix, frosting, icing"
    weak = found_of(groups=groups, from_views=False)["substitutes"]
    assert "in one order 18.7x" in weak.sentence
    none = found_of(groups=groups.iloc[:0], from_views=True)["substitutes"]
    assert "No products compete clearly" in none.sentence


def test_launches_that_took_are_named_and_the_others_counted():
    found = found_of(launches=LAUNCHES)["launches"]
    assert found.sentence.startswith(
        "Of 2 launches with enough sales around, 1 took from its neighbours: after new lamp came, its group lost 46"
    )
    assert "1.5 lines (0.5–3.0) for each line that it sold" in found.sentence
    assert found.grade == "Low"
    none = found_of(launches=LAUNCHES.iloc[1:])["launches"]
    assert (
        none.sentence
        == "Of 1 launch with enough sales around, none took clearly from the products that it competes with."
    )
    assert "launches" not in found_of(launches=LAUNCHES.iloc[2:])


def test_what_a_shop_has_no_table_for_is_not_said():
    assert set(found_of(tables=frozenset({"events"}))) == {"substitutes"}
    assert found_of(tables=frozenset({"products"})) == {}
