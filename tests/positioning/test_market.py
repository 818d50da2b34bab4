"""Rivals and launches: counted by hand, planted ones found on the demo shop, refusals with a reason."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from opslib.errors import ContractError, ParameterError
from opslib.periods import Period
from opslib.positioning import cannibalisation, co_bought, co_viewed, substitute_groups, substitutes
from opslib.simulate.config import preset
from opslib.simulate.simulation import simulate_shop
from tests.simulate.conftest import open_simulated

WHOLE = Period.parse("2025-05-01", "2026-10-31")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return open_simulated(simulate_shop(tmp_path_factory.mktemp("market") / "demo", config=preset("demo")))


@pytest.fixture(scope="module")
def shop(demo):
    return ibis.duckdb.from_connection(demo.connection)


@pytest.fixture(scope="module")
def viewed(shop):
    return co_viewed(shop.table("events"))


@pytest.fixture(scope="module")
def launches(shop, viewed):
    groups = substitute_groups(viewed)
    return cannibalisation(shop.table("order_lines"), shop.table("products"), groups=groups, period=WHOLE)


def test_planted_complements_lead_the_list(demo, shop):
    found = co_bought(shop.table("order_lines"))
    planted = {frozenset((pair["product_id"], pair["with"])) for pair in demo.truth["market_structure"]["complements"]}
    strongest = [frozenset(pair) for pair in found[["item_a", "item_b"]].to_numpy()[: len(planted)]]
    assert set(strongest) == planted


def test_planted_groups_of_substitutes_are_found(demo, viewed):
    truth = demo.rows("from truth_products").set_index("product_id")["substitute_group"]
    groups = substitute_groups(viewed).set_index("item")["group"]
    assert len(groups) > 0.9 * len(truth)
    assert adjusted_rand_score(truth[groups.index], groups) > 0.95
    pairs = viewed[viewed["is_beyond_chance"]]
    same = truth[pairs["item_a"]].to_numpy() == truth[pairs["item_b"]].to_numpy()
    assert same.sum() > 0.85 * 6 * truth.nunique()  # of all pairs within the groups of four
    assert same.mean() > 0.8  # the rest shares a mission, which is no chance either


def test_planted_cannibals_are_found_and_no_other_launch_is_accused(demo, launches):
    planted = demo.truth["market_structure"]["cannibals"]
    rows = launches.set_index("item")
    for launch in planted:
        row = rows.loc[launch["product_id"]]
        assert row["lost_share_lower"] < launch["taken_share"] < row["lost_share_upper"]
    mean = rows.loc[[launch["product_id"] for launch in planted], "lost_share"].mean()
    assert mean == pytest.approx(planted[0]["taken_share"], abs=0.1)
    accused = set(rows[(rows["q_value"] <= 0.1) & (rows["lost_share_lower"] > 0)].index)
    assert set(rows.index[rows["is_taken"]]) <= accused
    assert accused == {launch["product_id"] for launch in planted}


def test_each_launch_has_a_number_or_a_reason(launches):
    assert len(launches) > 20
    assert (launches["lost_share"].isna() == (launches["reason"] != "")).all()
    assert launches["reason"].str.contains("whole weeks on one side of the launch; 8 are needed").any()


def test_a_launch_counted_by_hand_in_a_group_of_two_categories():
    weeks = pd.date_range("2026-01-05", periods=20, freq="W-MON")
    # Lines a week before and after: the group's own p and s, the new one, and nine steady groups of p's category.
    sold = {"p": (40, 10), "s": (5, 10), "new": (0, 5)} | {f"{n}{x}": (10, 10) for n in range(9) for x in "ab"}
    rows = [(day, item) for place, day in enumerate(weeks) for item, n in sold.items() for _ in range(n[place >= 10])]
    lines = pd.DataFrame(rows, columns=["ordered_at", "product_id"]).assign(order_id=lambda t: t.index.astype(str))
    own = pd.DataFrame({"product_id": list(sold), "launched_at": pd.Timestamp("2020-01-01")})
    own["category"] = np.where(own["product_id"] == "s", "away", "home")
    own.loc[own["product_id"] == "new", "launched_at"] = weeks[10]
    groups = pd.DataFrame({"item": list(sold), "group": [0, 0, 0, *(n + 1 for n in range(9) for _ in "ab")]})
    found = cannibalisation(lines, own, groups=groups, period=Period.parse("2026-01-05", "2026-05-24"))
    (row,) = found.to_dict("records")
    assert [row[n] for n in ("n_weeks_before", "n_lines_before", "n_lines_after", "n_lines_new")] == [10, 450, 200, 50]
    # Its category's rest stays at 1,800; that of each other group falls from 2,000 to 1,700.
    kept = 200 / 450 * 1_700 / 2_000
    assert row["lost_share"] == pytest.approx(1 - kept)
    assert row["taken_ratio"] == pytest.approx((200 / kept - 200) / 50)
    assert row["is_taken"]


def bought(rows):
    return pd.DataFrame(rows, columns=["order_id", "customer_id", "product_id"]).assign(
        ordered_at=pd.Timestamp("2026-10-05")
    )


OWN = pd.DataFrame({"product_id": ["tea", "coffee", "milk"], "category": ["hot", "hot", "cold"]})
OCTOBER = Period.parse("2026-10-01", "2026-10-31")


def test_products_bought_in_turn_by_hand():
    # Three customers with six orders, three with tea and three with coffee, never both: 3 x 3 / 6 = 1.5 each.
    rows = [(f"{c}{i}", c, ("tea", "coffee")[i % 2]) for c in "abcd" for i in range(6)]
    row = substitutes(bought(rows), OWN, period=OCTOBER).iloc[0]
    assert row[["n_both", "n_customers", "expected"]].tolist() == [0, 4, 6.0]
    # Hypergeometric variance of each: 3 x 3 x 3 x 3 / (36 x 5) = 0.45; dispersion .3, P(none) = exp(-1.5 / .3 x 4).
    assert row["p_value"] == pytest.approx(np.exp(-6.0 / 0.3))
    assert row["is_substitute"]


def test_customers_who_only_buy_one_of_them_are_no_evidence():
    rows = [(f"{c}{i}", c, "tea" if c in "abc" else "coffee") for c in "abcdef" for i in range(6)]
    assert substitutes(bought(rows), OWN, period=OCTOBER).empty


def test_independent_choices_of_one_customer_are_not_substitutes():
    random = np.random.default_rng(2)
    orders = [(f"{c}-{i}", f"c{c}") for c in range(60) for i in range(8)]
    # Something else is in every order, so that orders with neither are seen.
    rows = [(*order, "milk") for order in orders]
    rows += [(*order, product) for order in orders for product in ("tea", "coffee") if random.random() < 0.4]
    row = substitutes(bought(rows), OWN, period=OCTOBER).iloc[0]
    assert not row["is_substitute"]
    assert row["ratio_lower"] < 1 < row["ratio_upper"]


def test_groups_need_a_test_and_two_members():
    pairs = pd.DataFrame({"item_a": ["a", "b", "x"], "item_b": ["b", "c", "y"], "is_substitute": [True, True, False]})
    assert substitute_groups(pairs)["item"].tolist() == ["a", "b", "c"]
    assert substitute_groups(pairs.iloc[2:]).empty
    with pytest.raises(ParameterError, match="pairs need is_substitute or is_beyond_chance"):
        substitute_groups(pairs.drop(columns="is_substitute"))


def test_missing_columns_and_empty_groups():
    with pytest.raises(ContractError, match="products: no column 'category'"):
        substitutes(bought([("1", "a", "tea")]), OWN[["product_id"]], period=OCTOBER)
    with pytest.raises(ParameterError, match="groups lack 'group'"):
        cannibalisation(bought([]), OWN, groups=pd.DataFrame({"item": []}), period=OCTOBER)
    none = pd.DataFrame({"item": [], "group": []})
    assert cannibalisation(bought([("1", "a", "tea")]), OWN, groups=none, period=OCTOBER).empty
