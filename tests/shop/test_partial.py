"""Shops that have little: one table, optional columns missing, no dates; and the empty tables that stand in for the rest."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from opslib.contracts import CONTRACTS
from opslib.engine import backend_of, collect, to_local
from opslib.errors import NotAvailableError
from opslib.shop import checks, opening
from opslib.shop.derived import with_contract_columns
from opslib.shop.opening import Shop
from tests.engines import copy_shop, postgres_url, spark_backend
from tests.shop.builders import ORDERS, frame_of, open_orders, write_csv, write_shop

AT = "2026-03-01 10:00:00"
#: One row of only the required columns.
SMALLEST = {
    "events": {"session_id": "s1", "event_index": "0", "occurred_at": AT, "event_name": "page_view"},
    "tickets": {"ticket_id": "t1", "opened_at": AT},
    "products": {"product_id": "p1"},
    "returns": {"return_id": "r1", "returned_at": AT},
    "customers": {"customer_id": "c1"},
    "searches": {"search_id": "q1", "searched_at": AT, "query": "mug"},
    "unit_outcomes": {"unit": "store", "unit_id": "s1", "date": "2026-03-01", "metric": "orders", "value": "3"},
    "experiment_summaries": {
        "experiment_id": "e1",
        "variant": "a",
        "metric": "orders",
        "observed_at": AT,
        "n": "9",
        "mean": "1",
        "variance": "1",
    },
    "stock_levels": {"product_id": "p1", "date": "2026-03-01", "n_on_hand": "3"},
}


def open_smallest(folder: Path, *names: str) -> Shop:
    tables = {}
    for name in names:
        write_csv(pd.DataFrame([SMALLEST[name]]), folder / f"{name}.csv")
        tables[name] = {"files": f"{name}.csv"}
    return opening.open_shop(write_shop(folder, tables=tables), root=folder)


@pytest.mark.parametrize("name", sorted(SMALLEST))
def test_a_shop_of_one_table_opens_and_is_checked(tmp_path: Path, name: str) -> None:
    shop = open_smallest(tmp_path, name)
    assert set(shop.tables) == {name}
    assert [found for found in checks.check_shop(shop) if found.severity == "error"] == []
    assert checks.known_violations(shop) == checks.check_shop(shop)
    assert checks.health_accounting(shop)["n_rows"].sum() == 1
    assert (shop.coverage is None) == (name in ("products", "customers"))


def test_a_shop_without_dates_says_which_tables_have_some(tmp_path: Path) -> None:
    with pytest.raises(NotAvailableError, match=r"no table 'order_lines, events, sessions or another with dates'"):
        open_smallest(tmp_path, "products").require_coverage()


def test_returns_may_lack_quantity_amount_and_order(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    write_csv(pd.DataFrame([SMALLEST["returns"]]), tmp_path / "returns.csv")
    lines = {"order_lines": {"files": "orders.csv", "columns": {"order_id": "No", "product_id": "Sku", "ordered_at": "When",
                                                                "quantity": "Qty", "unit_price": "Price"}}}  # fmt: skip
    shop = opening.open_shop(write_shop(tmp_path, tables={**lines, "returns": {"files": "returns.csv"}}), root=tmp_path)
    assert not [found for found in checks.check_shop(shop) if found.severity == "error"]
    whole = collect(with_contract_columns(shop.table("returns"), "returns"))
    assert list(whole.columns) == [
        "return_id",
        "returned_at",
        "order_id",
        "product_id",
        "quantity",
        "refund_amount",
        "reason",
    ]
    assert whole[["order_id", "quantity", "refund_amount"]].isna().all(axis=None)


def assert_empty_tables(shop: Shop) -> None:
    for name, contract in CONTRACTS.items():
        empty = shop.empty_table(name)
        assert {column: str(kind) for column, kind in empty.schema().items()} == contract.schema, name
        assert backend_of(empty) is shop.connection, "or an engine's own functions would not be found"
        assert collect(empty).shape == (0, len(contract.schema)), name
    local = shop.empty_table("events").mutate(local=lambda t: to_local(t["occurred_at"], "Europe/Berlin"))
    assert collect(local.aggregate(n=local.count(), last=local["local"].max()))["n"].tolist() == [0]
    together = shop.table("order_lines").left_join(shop.empty_table("products"), "product_id")
    assert collect(together.aggregate(n=together.count()))["n"].tolist() == [9]


def test_an_empty_table_has_every_column_of_its_contract(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    shop = open_orders(tmp_path, "orders.csv")
    assert_empty_tables(shop)
    assert set(shop.table("order_lines").columns) <= set(shop.empty_table("order_lines").columns)
    assert len(frame_of(shop, "order_lines")) == 9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["postgres", "spark"])
def test_an_empty_table_is_empty_on_every_engine(tmp_path: Path, name: str) -> None:
    from opslib import engine

    write_csv(ORDERS, tmp_path / "orders.csv")
    backend = engine.connect(postgres_url()) if name == "postgres" else spark_backend()
    shop = copy_shop(open_orders(tmp_path, "orders.csv"), backend, scratch=tmp_path)
    assert_empty_tables(shop)
    whole = with_contract_columns(shop.table("order_lines"), "order_lines")
    assert collect(whole.aggregate(n=whole["store"].count(), lines=whole.count())).iloc[0].tolist() == [0, 9]
