"""A first description of an export: what is recognised, what is asked."""

from __future__ import annotations

import pytest
import yaml

from opslib.errors import ShopFileError, SourceError
from opslib.shop.init import draft_shop_file
from tests.conftest import real_data


def _export(tmp_path, header, row="1"):
    path = tmp_path / "orders.csv"
    path.write_text(header + "\n" + row + "\n")
    return path


def test_common_names_are_mapped(tmp_path):
    path = _export(tmp_path, "Order Number;SKU;Order Date;Qty;Unit Price;Customer ID;Colour")
    draft = draft_shop_file("my_shop", path, currency="EUR", time_zone="Europe/Berlin")
    columns = yaml.safe_load(draft.text)["tables"]["order_lines"]["columns"]
    assert columns == {
        "order_id": "Order Number", "customer_id": "Customer ID", "product_id": "SKU", "ordered_at": "Order Date",
        "quantity": "Qty", "unit_price": "Unit Price",
    }  # fmt: skip
    assert "not used: Colour" in draft.to_do


def test_a_missing_column_is_asked_for_by_meaning(tmp_path):
    draft = draft_shop_file("my_shop", _export(tmp_path, "order_id,sku,date,qty,Betrag"))
    assert any(
        "unit_price: which column holds price of one unit before discount? (one of Betrag)" in q for q in draft.to_do
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
