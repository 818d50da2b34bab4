"""Sentences of the positioning and market structure pages on the demo shop, each number found again by plain SQL."""

from __future__ import annotations

import re

import pytest

from opslib import positioning
from opslib.findings import gaps as say_gaps
from opslib.findings import market_structure
from opslib.findings import positioning as say
from opslib.formats import format_money
from opslib.periods import Period
from opslib.simulate.config import preset
from opslib.simulate.simulation import simulate_shop
from tests.findings.facts import EMPTY, NOTHING, page
from tests.simulate.conftest import open_simulated

YEAR = Period.parse("2025-11-01", "2026-10-31")
DAYS = "cast(timezone('Europe/London', timezone('UTC', {})) as date) between '2025-11-01' and '2026-10-31'"
FACTS = page(period=YEAR, tables=frozenset({"order_lines", "events", "products"}))


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return open_simulated(simulate_shop(tmp_path_factory.mktemp("sql") / "demo", config=preset("demo")))


@pytest.fixture(scope="module")
def lines(demo):
    import ibis

    return ibis.duckdb.from_connection(demo.connection)


@pytest.fixture(scope="module")
def verdicts(lines):
    response = positioning.price_response(
        lines.table("order_lines"), lines.table("products"), period=YEAR, price_history=lines.table("price_history"),
        stock_levels=lines.table("stock_levels"),
    )  # fmt: skip
    indices = positioning.price_indices(lines.table("products"), lines.table("competitor_prices"), as_of=YEAR.end)
    position = positioning.price_position(indices)
    return positioning.price_verdicts(position, response, lines.table("products"), EMPTY), response


def test_who_is_dearer_than_competitors(demo, verdicts):
    """Newest price a competitor's product in the fortnight, geometric means by product and by category, in SQL."""
    told = demo.rows("""
        with newest as (
          select product_id, ln(price) as log_price, in_stock, observed_at,
                 row_number() over (partition by competitor, competitor_product_id order by observed_at desc) as place
          from competitor_prices where cast(observed_at as date) <= '2026-10-31' and price > 0
        ), theirs as (
          select product_id, avg(log_price) as log_price from newest
          where place = 1 and coalesce(in_stock, true) and date_diff('day', cast(observed_at as date), date '2026-10-31') <= 14
          group by 1
        )
        select category, exp(avg(ln(p.price) - t.log_price)) - 1 as away
        from products p join theirs t using (product_id) group by 1""").set_index("category")["away"]  # fmt: skip
    table, _ = verdicts
    rows = table.set_index("group")["price_change"]
    assert rows.to_dict() == pytest.approx(told.loc[rows.index].to_dict(), abs=1e-9)
    found = [f for f in say.findings(table, NOTHING, EMPTY, EMPTY, {}, page=FACTS) if f.key.startswith("position-")]
    assert found
    for f in found:
        ((_, category),) = f.about.scope
        percent, word = re.search(r"costs (\d+)\xa0% (more|less) than", f.sentence).groups()
        assert (int(percent), word) == (round(100 * abs(told[category])), "more" if told[category] > 0 else "less")


def test_money_of_a_price_move(demo, verdicts):
    """The same money from each product's own price, cost and sales: units follow the price to the power of the slope."""
    table, response = verdicts
    cost = demo.rows("select product_id, cast(cost as double) as cost from products").set_index("product_id")["cost"]
    moving = table[table["is_known"]]
    assert len(moving)
    for _, row in moving.iterrows():
        slope = float(response.groups.set_index("group").loc[row["group"], "slope"])
        own = response.products[response.products["group"] == row["group"]].set_index("product_id")
        factor, costs = (1 + row["move"]) ** slope, cost.loc[own.index]
        money = (
            own["units_a_week"]
            * 365.25
            / 84
            * (factor * (own["price"] * (1 + row["move"]) - costs) - (own["price"] - costs))
        )
        assert row["units_change"] == pytest.approx(factor - 1)
        assert row["change_amount"] == pytest.approx(
            money.sum(), rel=0.06
        )  # the mean over the slope's interval, not at its value


def test_a_band_of_one_product(demo, lines):
    ladder = positioning.price_ladder(lines.table("order_lines"), lines.table("products"), period=YEAR)
    told = demo.rows(f"""
        select category, name, sum(cast(quantity * unit_price - coalesce(discount_amount, 0) as double)) as amount,
               amount / sum(amount) over (partition by category) as share
        from order_lines join products using (product_id)
        where status = 'paid' and {DAYS.format("ordered_at")} group by 1, 2""").set_index("name")
    leading = ladder.dropna(subset=["leading_product"])
    assert leading["leading_amount"].tolist() == pytest.approx(
        told.loc[leading["leading_product"], "amount"].tolist(), rel=1e-9
    )
    found = {f.key: f for f in say.findings(EMPTY_VERDICTS, NOTHING, ladder, EMPTY, {}, page=FACTS)}
    if "one-product" in found:
        name, share = re.match(r"One product, (.*), brings (\d+)\xa0%", found["one-product"].sentence).groups()
        assert int(share) == round(100 * told.loc[name, "share"])
        assert format_money(told.loc[name, "amount"], "GBP") in found["one-product"].sentence


def test_what_is_looked_at_beyond_its_share(demo, lines):
    gaps = positioning.attribute_gaps(
        lines.table("order_lines"),
        lines.table("products"),
        period=YEAR,
        events=lines.table("events"),
        stock_levels=lines.table("stock_levels"),
    )
    told = say_gaps.gap_findings(gaps, currency="GBP", from_views=True)
    assert told
    for f in told:
        column = "attr_" + f.key.removeprefix("gap-").replace("-", "_")
        shares = demo.rows(f"""
            with seen as (select distinct session_id, product_id from events
                          where event_name = 'view_item' and product_id is not null and {DAYS.format("occurred_at")}),
            stock as (select product_id, count(*) filter (n_on_hand > 0) as n from stock_levels
                      where date between '2025-11-01' and '2026-10-31' group by 1),
            a as (select coalesce({column}, '(none)') as word, count(*) as n from seen join products using (product_id) group by 1),
            b as (select coalesce({column}, '(none)') as word, sum(n) as n from stock join products using (product_id) group by 1)
            select word, b.n / sum(b.n) over () as offer, a.n / sum(a.n) over () as demand from a join b using (word)""").set_index(
            "word"
        )
        offer, demand = re.search(r" is (\d+)\xa0% of what we show and (\d+)\xa0%", f.sentence).groups()
        row = shares.loc[f.things[0]] if f.things else shares.loc[f.sentence.split(" is ")[0].lower()]
        assert (int(offer), int(demand)) == (round(100 * row["offer"]), round(100 * row["demand"]))
        assert row["demand"] > say_gaps.SHORT * row["offer"]


def test_how_many_customers_bought_a_pair(demo, lines):
    together = positioning.co_bought(
        lines.table("order_lines"), period=YEAR, min_support=0.005, products=lines.table("products"), by="name"
    )
    found = {
        f.key: f
        for f in market_structure.findings(
            NOTHING, EMPTY, EMPTY, together, EMPTY, EMPTY, EMPTY, from_views=True, page=FACTS
        )
    }
    customers, one, other = re.match(
        r"(\d+) customers bought (.*) together with (.*), \d", found["complements"].sentence
    ).groups()
    (told,) = demo.rows(f"""
        select count(distinct coalesce(a.customer_id, a.order_id)) as n
        from order_lines a join order_lines b using (order_id)
        join products p on p.product_id = a.product_id join products q on q.product_id = b.product_id
        where a.status = 'paid' and b.status = 'paid' and p.name = '{one}' and q.name = '{other}'
          and {DAYS.format("a.ordered_at")}""")["n"]
    assert int(customers) == told


EMPTY_VERDICTS = positioning.price_verdicts(
    EMPTY, positioning.PriceResponse(n_groups_left_out=0, period=YEAR, confidence_level=0.95), EMPTY, EMPTY
)
