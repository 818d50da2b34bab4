"""shop.yml: every mistake names file, key, value, what is allowed and the nearest right word; secrets are never repeated."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from opslib.errors import ShopFileError
from opslib.shop import opening
from opslib.shop.shopfile import closed_days, read_shop_file
from tests.shop.builders import frame_of, write_shop, write_xlsx

pytestmark = pytest.mark.fault


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    shop = read_shop_file(write_shop(tmp_path))
    assert (shop.name, shop.currency, shop.engine, shop.week_start, shop.simulated) == (
        "test",
        "EUR",
        "duckdb://",
        "monday",
        False,
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"currency": "euro"}, r"shop.yml: currency: 'euro' is not allowed; write three capital letters such as EUR"),
        ({"name": "My Shop"}, r"shop.yml: name: 'My Shop' is not allowed; use lower-case letters"),
        ({"time_zone": "Berlin"}, r"shop.yml: time_zone: 'Berlin' is not a time zone; write an IANA name"),
        ({"titel": "x"}, r"shop.yml: titel: no such key; did you mean 'title'\?"),
        ({"title": None}, r"shop.yml: title: 'None' input should be a valid string"),
        ({"week_start": "sunday"}, r"shop.yml: week_start: 'sunday' is not built: weeks begin on Monday"),
        ({"memory_limit": "lots"}, r"shop.yml: memory_limit: 'lots'"),
        ({"tables": {"orderlines": {"files": "x"}}}, r"there is no table 'orderlines'; did you mean 'order_lines'\?"),
        ({"tables": {"returns": {"files": "x", "columns": {"return_at": "y"}}}}, r"table returns has no column 'return_at'; did you mean 'returned_at'\?"),
        ({"tables": {"returns": {"file": "x"}}}, r"tables.returns.file: no such key; did you mean 'files'\?"),
        ({"tables": {"returns": {}}}, r"table returns needs either files: or table:"),
        ({"tables": {"returns": {"files": "x", "decimal": ";"}}}, r"tables.returns.decimal: ';' input should be '.' or ','"),
        ({"closed": ["2026-13-01"]}, r"closed: '2026-13-01' is no day; write 2010-12-25"),
        ({"simulate": {"presett": "demo"}}, r"simulate.presett: no such key; did you mean 'preset'\?"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ShopFileError, match=message):
        read_shop_file(write_shop(tmp_path, **keys))


def test_files_that_are_no_description(tmp_path: Path) -> None:
    path = tmp_path / "shop.yml"
    path.write_text("")
    with pytest.raises(ShopFileError, match=r"is empty or no list of key: value pairs"):
        read_shop_file(path)
    path.write_text("name: [unclosed\n  title: x")
    with pytest.raises(ShopFileError, match=r"is not YAML; check indentation"):
        read_shop_file(path)
    with pytest.raises(ShopFileError, match=r"nowhere.yml: cannot be read"):
        read_shop_file(tmp_path / "nowhere.yml")
    path.write_text("title: !!python/object/apply:os.system ['true']")
    with pytest.raises(ShopFileError, match=r"is not YAML"):
        read_shop_file(path)
    path.write_text("title: x")
    with pytest.raises(ShopFileError, match=r"name: is missing; add a line 'name: ...'"):
        read_shop_file(path)


def test_the_environment_fills_in_and_is_never_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", "postgres://ana:s3cret@db/shop")
    monkeypatch.delenv("SHOP_ZONE", raising=False)
    shop = read_shop_file(write_shop(tmp_path, engine="${SHOP_DB}", time_zone="${SHOP_ZONE:-Europe/Paris}"))
    assert shop.engine == "postgres://ana:s3cret@db/shop"
    assert shop.time_zone == "Europe/Paris"
    monkeypatch.delenv("SHOP_DB")
    with pytest.raises(
        ShopFileError,
        match=r"engine: the environment variable SHOP_DB is not set; export it, or write \$\{SHOP_DB:-default\}",
    ):
        read_shop_file(write_shop(tmp_path, engine="${SHOP_DB}"))
    monkeypatch.setenv("SECRET", "s3cret")
    with pytest.raises(ShopFileError) as caught:
        read_shop_file(write_shop(tmp_path, engine=["${SECRET}"], currency="${SECRET}"))
    assert "s3cret" not in str(caught.value)
    assert "currency: '${SECRET}' is not allowed" in str(caught.value)


def test_closed_days_are_days_and_spans() -> None:
    days = closed_days(["2026-12-24..2026-12-26", date(2026, 1, 1)])
    assert sorted(days) == [date(2026, 1, 1), date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26)]


@pytest.mark.parametrize(
    "name",
    ["demo", "online_retail", "complete_journey", "hillstrom", "search_log", "online_shoppers", "clothing_reviews"],
)
def test_committed_shops_are_valid_and_named_after_their_file(root: Path, name: str) -> None:
    assert read_shop_file(root / "data" / "shops" / f"{name}.yml").name == name


@pytest.mark.parametrize("name", ["columns", "duckdb_file", "postgres", "spark"])
def test_examples_are_valid(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE", "postgres://reader@localhost/shop")
    shop = read_shop_file(root / "data" / "shops" / "examples" / f"{name}.yml")
    assert shop.name == name
    assert set(shop.tables) >= {"order_lines"}


def test_the_example_of_a_column_map_reads_such_files(root: Path, tmp_path: Path) -> None:
    raw = tmp_path / "data" / "raw" / "columns"
    raw.mkdir(parents=True)
    rows = "Beleg;Pos;Kunde;Artikel;Datum;Menge;Preis;Rabatt;MwSt;Status;Art\nB1;1;K1;Tür 7;31.10.2026 09:05;2;1.190,00;;380,00;bezahlt;V\n"
    (raw / "orders_1.csv").write_bytes((rows + "B2;1;K2;x;01.11.2026 10:00;1;1,00;;0,00;bezahlt;X\n").encode("cp1252"))
    stock = pd.DataFrame(
        [["Tür 7", "Tür", "Türen", 1190.0, 700.5, "rot"]],
        columns=["Nummer", "Bezeichnung", "Warengruppe", "VK", "EK", "Farbe"],
    )
    write_xlsx(stock, raw / "artikel.xlsx", sheet="Stamm", kinds={"VK": float, "EK": float})
    shop = opening.open_shop(root / "data" / "shops" / "examples" / "columns.yml", root=tmp_path)
    line = frame_of(shop, "order_lines").iloc[0]
    assert (line["product_id"], line["status"], line["country"], str(line["ordered_at"])) == (
        "Tür 7",
        "paid",
        "DE",
        "2026-10-31 08:05:00",
    )
    assert line["revenue_amount"] == 2 * 1190 - 380
    assert frame_of(shop, "products").iloc[0].tolist() == ["Tür 7", "Tür", "Türen", 1190.0, 700.5, "rot"]
    assert shop.staged is not None
    assert [(i.reason, i.n_rows) for i in shop.staged.accounting if i.source == "rows in the files of order_lines"] == [
        ("kept", 1),
        ("other rows", 1),
    ]
