"""Each table has its own fingerprint: it follows what decides the table's content, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from opslib.shop import adapters, opening
from opslib.shop.adapters import columns as reader
from opslib.shop.opening import Shop
from tests.shop.builders import COLUMNS, ORDERS, write_csv, write_shop

PRODUCTS = pd.DataFrame({"Nr": ["p1", "p2"], "Name": ["Mug", "Cup"], "Group": ["A", "B"]})
TABLES = {
    "order_lines": {"files": "orders.csv", "columns": COLUMNS},
    "products": {"files": "products.csv", "columns": {"product_id": "Nr", "name": "Name"}},
}


def opened(folder: Path, *, tables: dict[str, Any] = TABLES, **keys: Any) -> Shop:
    if not (folder / "orders.csv").exists():
        write_csv(ORDERS, folder / "orders.csv")
        write_csv(PRODUCTS, folder / "products.csv")
    return opening.open_shop(write_shop(folder, tables=tables, **keys), root=folder)


def changed(before: Shop, after: Shop) -> set[str]:
    """Tables whose fingerprint is another; the shop's own changes with any of them."""
    assert before.fingerprints.keys() == after.fingerprints.keys() == set(before.tables)
    found = {name for name, value in before.fingerprints.items() if after.fingerprints[name] != value}
    assert (before.fingerprint != after.fingerprint) == bool(found)
    return found


def test_a_changed_file_changes_its_own_table_only(tmp_path: Path) -> None:
    before = opened(tmp_path)
    write_csv(PRODUCTS.assign(Name=["Mug", "Jar"]), tmp_path / "products.csv")
    after = opened(tmp_path)
    assert changed(before, after) == {"products"}
    assert before.days.equals(after.days)
    write_csv(ORDERS.head(8), tmp_path / "orders.csv")
    assert changed(after, opened(tmp_path)) == {"order_lines"}
    assert not opened(tmp_path).days.equals(before.days)


@pytest.mark.parametrize(
    "key", [{"time_zone": "Asia/Tokyo"}, {"currency": "USD"}, {"prices_include_tax": True, "tax_rate": 0.19}]
)
def test_what_decides_every_table_changes_every_fingerprint(tmp_path: Path, key: dict[str, Any]) -> None:
    assert changed(opened(tmp_path), opened(tmp_path, **key)) == {"order_lines", "products"}


def test_a_changed_column_map_changes_its_own_table_only(tmp_path: Path) -> None:
    mapped = {**TABLES["products"]["columns"], "category": "Group"}  # type: ignore[dict-item]
    after = opened(tmp_path, tables={**TABLES, "products": {"files": "products.csv", "columns": mapped}})
    assert changed(opened(tmp_path), after) == {"products"}


def test_a_title_changes_nothing_and_a_closed_day_only_the_days(tmp_path: Path) -> None:
    before = opened(tmp_path)
    assert changed(before, opened(tmp_path, title="Another")) == set()
    closed = opened(tmp_path, closed=["2026-03-05"])
    assert closed.fingerprints == before.fingerprints
    assert not closed.days.equals(before.days)
    assert "closed" in set(closed.days["kind"])


def test_other_code_of_a_reader_is_another_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened(tmp_path)
    code = tmp_path / "columns.py"
    code.write_text(Path(reader.__file__).read_text() + "\n# changed\n")
    real = adapters.readers
    monkeypatch.setattr(adapters, "readers", lambda name: [*real(name)[:-1], code])
    assert changed(before, opened(tmp_path)) == {"order_lines", "products"}


def test_parquet_read_where_it_lies_is_known_by_its_files(tmp_path: Path) -> None:
    reviews = pd.DataFrame({"review_id": ["1"], "rating": [5.0]})
    tables = {**TABLES, "reviews": {"files": "reviews.parquet"}}
    reviews.to_parquet(tmp_path / "reviews.parquet", index=False)
    before = opened(tmp_path, tables=tables)
    assert before.staged is not None
    assert "reviews" not in before.staged.tables
    reviews.assign(rating=4.0).to_parquet(tmp_path / "reviews.parquet", index=False)
    assert changed(before, opened(tmp_path, tables=tables)) == {"reviews"}


def test_tables_of_an_adapter_follow_all_its_files(tmp_path: Path) -> None:
    export = pd.DataFrame({
        "Name": ["#1"], "Email": ["a@b.c"], "Financial Status": ["paid"], "Currency": ["EUR"], "Created at": ["2026-03-01 10:00:00 +0100"],
        "Lineitem quantity": ["1"], "Lineitem name": ["Mug"], "Lineitem price": ["4.00"],
    })  # fmt: skip
    keys = {"adapter": "shopify", "files": "export", "tables": {"products": TABLES["products"]}}
    write_csv(export, tmp_path / "export" / "a.csv")
    before = opened(tmp_path, **keys)
    write_csv(export.assign(Name="#2"), tmp_path / "export" / "b.csv")
    assert changed(before, opened(tmp_path, **keys)) == {"order_lines", "returns"}


def test_a_simulated_table_is_known_by_preset_seed_and_generator(root: Path) -> None:
    shop = opening.open_shop("demo", root=root)
    assert shop.fingerprints.keys() == shop.tables.keys()
    assert len(set(shop.fingerprints.values())) == len(shop.tables)
    assert None not in shop.fingerprints.values()
