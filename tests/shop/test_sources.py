"""Opening shops: by name from anywhere, by file, by format; and what is not there says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from opslib.errors import ContractError, NotAvailableError, ShopFileError, SourceError
from opslib.shop import opening
from tests.shop.builders import ORDERS, open_orders, write_csv, write_shop


def test_a_name_is_found_from_any_folder_of_the_project(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(root / "data" / "shops")
    assert opening.project_root() == root
    assert "demo" in opening.shop_names()
    (tmp_path / "data" / "shops").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    assert opening.project_root() == tmp_path
    write_csv(ORDERS, tmp_path / "data" / "raw" / "orders.csv")
    columns = {"order_id": "No", "product_id": "Sku", "ordered_at": "When", "quantity": "Qty", "unit_price": "Price"}
    write_shop(
        tmp_path / "data" / "shops", tables={"order_lines": {"files": "data/raw/orders.csv", "columns": columns}}
    )
    (tmp_path / "data" / "shops" / "shop.yml").rename(tmp_path / "data" / "shops" / "mine.yml")
    assert opening.open_shop("mine").title == "Test shop"


def test_a_shop_that_is_nowhere_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"shop 'demmo' is no name in data/shops, no file and no folder; did you mean 'demo'\?"
    ):
        opening.open_shop("demmo")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match="the format is not recognised"):
        opening.open_shop(tmp_path / "folder", root=tmp_path)


def test_missing_tables_say_what_they_would_have_answered(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    shop = open_orders(tmp_path, "orders.csv")
    assert shop.has("order_lines")
    assert not shop.has("returns")
    with pytest.raises(NotAvailableError, match=r"no table 'returns' \(it would answer: which products come back"):
        shop.table("returns")
    with pytest.raises(ContractError, match=r"no table 'retuns'; did you mean 'returns'\?"):
        shop.has("retuns")


def test_settings_that_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ShopFileError, match="'files:' needs 'adapter:'"):
        opening.open_shop(write_shop(tmp_path, files="x.csv"), root=tmp_path)
    with pytest.raises(ShopFileError, match=r"adapter: there is none called 'shopfy'; did you mean 'shopify'\?"):
        opening.open_shop(write_shop(tmp_path, adapter="shopfy", files="x.csv"), root=tmp_path)
    with pytest.raises(ShopFileError, match="engine: reads tables of a database, but none is named"):
        opening.open_shop(
            write_shop(tmp_path, engine="duckdb:///x.duckdb", tables={"returns": {"files": "x.csv"}}), root=tmp_path
        )
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no file of a shopify export"):
        opening.open_shop(write_shop(tmp_path, adapter="shopify", files="empty"), root=tmp_path)


def test_progress_is_told_and_ends_at_one(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    open_orders(tmp_path, "orders.csv")
    told: list[tuple[str, float]] = []
    write_csv(ORDERS.head(4), tmp_path / "orders.csv")
    opening.open_shop(
        tmp_path / "shop.yml", root=tmp_path, progress=lambda sentence, share: told.append((sentence, share))
    )
    assert told[0][0].startswith("reading order_lines")
    assert told[-1] == ("ready", 1.0)
    shares = [share for _, share in told]
    assert all(0 <= share <= 1 for share in shares)


def test_the_demo_shop_is_simulated_whole_and_covered(root: Path) -> None:
    shop = opening.open_shop("demo", root=root)
    assert shop.is_simulated
    assert {"order_lines", "products", "customers", "sessions", "events", "returns"} <= set(shop.tables)
    assert shop.coverage is not None
    assert shop.coverage.missing, "the demo has lost days planted"
    assert shop.folder is not None
    assert (shop.folder / "order_lines").is_dir()
    assert shop.require_coverage() == shop.coverage
