"""A first description of an export: what is recognised, what is asked."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import pandas as pd
import pytest
import yaml

from opslib.errors import ContractError, ShopFileError, SourceError
from opslib.shop.init import draft_shop_file
from opslib.shop.opening import open_shop
from opslib.shop.root import project_root
from tests.conftest import real_data
from tests.shop.builders import frame_of
from tests.shop.test_field import FIELD


def _export(tmp_path, header, *rows):
    path = tmp_path / "orders.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def _described(draft, folder):
    """The shop that the draft describes, opened as it stands."""
    for file, text in draft.queries.items():
        (folder / file).write_text(text)
    body = yaml.safe_load(draft.text)
    path = folder / "shop.yml"
    path.write_text(yaml.safe_dump(body))
    return open_shop(path, root=project_root())


def test_common_names_are_mapped(tmp_path):
    path = _export(
        tmp_path, "Order Number;SKU;Order Date;Qty;Unit Price;Customer ID;Colour", "1;MUG;2026-10-05;1;9,90;c;red"
    )
    draft = draft_shop_file("my_shop", path, currency="EUR", time_zone="Europe/Berlin")
    columns = yaml.safe_load(draft.text)["tables"]["order_lines"]["columns"]
    assert columns == {
        "order_id": "Order Number", "customer_id": "Customer ID", "product_id": "SKU", "ordered_at": "Order Date",
        "quantity": "Qty", "unit_price": "Unit Price",
    }  # fmt: skip
    assert "not used: Colour" in draft.to_do


def test_a_missing_column_is_asked_for_by_meaning(tmp_path):
    draft = draft_shop_file("my_shop", _export(tmp_path, "order_id,sku,date,qty,Wert", "1,MUG,2026-10-05,2,5.00"))
    assert any(
        "unit_price: which column holds price of one unit before discount? (one of Wert)" in q for q in draft.to_do
    )
    assert yaml.safe_load(draft.text)["tables"]["order_lines"]["columns"]["unit_price"] == "WHICH_COLUMN"


@pytest.mark.real_data
def test_a_known_layout_needs_nothing_more():
    draft = draft_shop_file("uk", real_data("online_retail"))
    described = yaml.safe_load(draft.text)
    assert described["adapter"] == "online_retail"
    assert described["currency"] == "GBP"
    assert "recognised as online_retail" in draft.to_do[0]


def test_names_and_paths_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(ShopFileError, match="'My Shop': use small letters"):
        draft_shop_file("My Shop", tmp_path)
    with pytest.raises(SourceError, match="no such file or folder"):
        draft_shop_file("x", tmp_path / "absent")
    with pytest.raises(SourceError, match="no csv, xlsx, Parquet or NDJSON file"):
        draft_shop_file("x", tmp_path)


def test_every_file_of_a_folder_is_looked_at_and_becomes_a_table_of_its_own(tmp_path):
    texts = {
        "bestellungen.csv": "Beleg;Kunde;Artikel;Datum;Menge;Einzelpreis;Status\n1;Zoë;MUG;05.10.2026;2;1.010,00;bezahlt\n2;B;MUG;25.10.2026;1;5,00;gemahnt\n",
        "artikel.csv": "Artikelnummer;Bezeichnung;Warengruppe;VK;EK\nMUG;Tasse;Küche;9,90;4,00\n",
        "kunden.csv": "Kundennummer;Land;seit\nA;DE;01.10.2026\n", "bewertungen.csv": "Artikel;Sterne;Text;Datum\nMUG;5;gut;26.10.2026\n",
        "suchen.csv": "Suchbegriff;Treffer;Datum\nkerze;0;26.10.2026\n",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.encode("cp1252"))
    draft = draft_shop_file("glas", tmp_path, currency="EUR", time_zone="Europe/Berlin")
    tables = yaml.safe_load(draft.text)["tables"]
    assert set(tables) == {"order_lines", "products", "customers", "reviews", "searches"}
    lines = tables["order_lines"]
    assert (lines["encoding"], lines["decimal"], lines["thousands"]) == ("cp1252", ",", ".")
    assert lines["columns"]["status"]["values"] == {"bezahlt": "paid", "gemahnt": "WHICH_STATUS"}
    assert any("what is gemahnt? (one of paid, pending" in said for said in draft.to_do)
    assert "prices_include_tax: false is assumed; write true if prices carry tax" in draft.to_do
    assert draft.shown["bestellungen.csv"][1] == ["1", "Zoë", "MUG", "05.10.2026", "2", "1.010,00", "bezahlt"]
    with pytest.raises(ContractError, match=r"'WHICH_STATUS' .1 row. is no known status"):
        frame_of(_described(draft, tmp_path), "order_lines")
    shop = _described(replace(draft, text=draft.text.replace("WHICH_STATUS", "pending")), tmp_path)
    assert frame_of(shop, "order_lines")["revenue_amount"].sum() == 2020 + 5
    assert frame_of(shop, "products")["cost"].tolist() == [4]


def test_the_total_of_a_line_is_told_by_the_values_or_asked(tmp_path):
    head = "order_id,sku,date,qty,price"
    of_line = _export(tmp_path, head, "1,MUG,2026-10-05,1,5.00", "2,MUG,2026-10-06,3,15.00", "3,MUG,2026-10-07,2,10.00")
    draft = draft_shop_file("a", of_line)
    assert yaml.safe_load(draft.text)["tables"]["order_lines"]["columns"]["line_amount"] == {"from": "price"}
    assert frame_of(_described(draft, tmp_path), "order_lines")["revenue_amount"].sum() == 30
    each = _export(tmp_path, head, "1,MUG,2026-10-05,1,5.00", "2,MUG,2026-10-06,3,5.00", "3,MUG,2026-10-07,2,5.00")
    assert yaml.safe_load(draft_shop_file("a", each).text)["tables"]["order_lines"]["columns"]["unit_price"] == "price"
    unclear = _export(tmp_path, head, "1,MUG,2026-10-05,1,5.00", "2,LAMP,2026-10-06,3,15.00")
    draft = draft_shop_file("a", unclear)
    assert any(
        "is price the price of one unit (write unit_price: price) or the total of the line" in said
        for said in draft.to_do
    )
    with pytest.raises(SourceError, match="'UNIT_PRICE_OR_LINE_AMOUNT' waits for an answer"):
        _described(draft, tmp_path)
    amazon = draft_shop_file("a", FIELD / "amazon_all_orders")
    assert "line_amount" in yaml.safe_load(amazon.text)["tables"]["order_lines"]["columns"] or any(
        "item-price the price of one unit" in q for q in amazon.to_do
    )


def test_dates_of_two_readings_negative_rows_and_currencies_are_asked_about(tmp_path):
    path = _export(
        tmp_path,
        "order_id,sku,date,qty,unit_price,currency",
        "1,MUG,03/04/2026,1,5.00,CHF",
        "2,MUG,05/04/2026,-1,5.00,CHF",
    )
    draft = draft_shop_file("a", path)
    assert yaml.safe_load(draft.text)["currency"] == "CHF"
    assert "currency: CHF is what the files say" in draft.to_do
    assert any(
        "date can be read as day/month/year and as month/day/year; write date_format" in said for said in draft.to_do
    )
    assert any("1 rows have a negative qty; if they are returns, write where" in said for said in draft.to_do)


def test_orders_and_lines_in_two_files_are_joined_by_sql_where_the_key_is_unique(tmp_path):
    (tmp_path / "orders.csv").write_text("order_id,customer_id,date\n1,a,2026-10-05\n2,b,2026-10-06\n")
    (tmp_path / "items.csv").write_text("order_id,sku,qty,unit_price\n1,MUG,2,5.00\n1,LAMP,1,25.00\n2,MUG,1,5.00\n")
    draft = draft_shop_file("two", tmp_path)
    assert set(draft.queries) == {"two_order_lines.sql"}
    lines = frame_of(_described(draft, tmp_path), "order_lines")
    assert (len(lines), lines["revenue_amount"].sum(), set(lines["customer_id"])) == (3, 40, {"a", "b"})
    (tmp_path / "orders.csv").write_text("order_id,customer_id,date\n1,a,2026-10-05\n1,b,2026-10-06\n")
    draft = draft_shop_file("two", tmp_path)
    assert not draft.queries
    assert any("orders.csv repeats order_id: not joined" in said for said in draft.to_do)


def test_zipped_and_nested_files_are_looked_at_as_well(tmp_path):
    rows = {
        "7": {"order_id": 7, "sku": "MUG", "date": "2026-10-05", "qty": 1, "unit_price": "5.00"},
        "8": {"order_id": 8, "sku": "MUG", "date": "2026-10-06", "qty": 2, "unit_price": "5.00"},
    }
    (tmp_path / "keyed").mkdir()
    (tmp_path / "keyed" / "orders.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "zipped").mkdir()
    with zipfile.ZipFile(tmp_path / "zipped" / "orders.zip", "w") as archive:
        archive.writestr("orders.csv", pd.DataFrame(rows.values()).to_csv(index=False))
    for folder in ("keyed", "zipped"):
        draft = draft_shop_file("a", tmp_path / folder)
        assert frame_of(_described(draft, tmp_path / folder), "order_lines")["revenue_amount"].sum() == 15


def test_a_list_of_orders_without_lines_is_told_how_it_can_be_described():
    draft = draft_shop_file("p", FIELD / "prestashop")
    assert yaml.safe_load(draft.text)["tables"]["order_lines"]["decimal"] == ","
    assert any(said.startswith("a list of orders without lines? then write product_id") for said in draft.to_do)


def test_a_list_of_orders_is_no_list_of_customers_and_a_line_no_product(tmp_path):
    """Orders with a customer's number, and lines with a product's, were drafted as customers and as products."""
    (tmp_path / "orders.csv").write_text(
        "order_id,order_date,status,order_total,customer_id,note\n1,2026-10-05,paid,9.90,c,x\n"
    )
    draft = draft_shop_file("my_shop", tmp_path, currency="USD", time_zone="UTC")
    tables = yaml.safe_load(draft.text)["tables"]
    assert list(tables) == ["order_lines"]
    with pytest.raises(SourceError, match="'WHICH_COLUMN' waits for an answer; allowed: customer_id, note, order_"):
        _described(draft, tmp_path)
    (tmp_path / "orders.csv").unlink()
    (tmp_path / "Auftraege.csv").write_text(
        "Auftragsnummer;Erstellt am;Kundennummer\nAU1;05.10.2026;K1\nAU2;06.10.2026;K1\n"
    )
    (tmp_path / "Positionen.csv").write_text(
        "Auftragsnummer;Artikelnummer;Menge;VK brutto\nAU1;T;2;4,50\nAU2;T;1;4,50\n"
    )
    (tmp_path / "Kunden.csv").write_text("Kundennummer;Land\nK1;DE\n")
    draft = draft_shop_file("mein_laden", tmp_path, currency="EUR", time_zone="Europe/Berlin")
    assert set(yaml.safe_load(draft.text)["tables"]) == {"order_lines", "customers"}
    shop = _described(draft, tmp_path)
    assert frame_of(shop, "order_lines")["revenue_amount"].astype(float).tolist() == [9.0, 4.5]
