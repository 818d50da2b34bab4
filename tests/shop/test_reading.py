"""Kinds of trouble in real files, each from two more platforms or tables than tests/field has, with the value by hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from opslib.errors import ShopFileError, SourceError
from opslib.shop import opening
from opslib.shop.opening import Shop
from tests.shop.builders import ORDERS, REVENUE, frame_of, open_orders, write_csv, write_shop, write_xlsx
from tests.shop.test_field import PLAIN, aside, orders, revenue, rules, shop_of

pytestmark = pytest.mark.fault

HEAD = "order_id,customer_id,sku,created_at,quantity,price"


def written(folder: Path, *rows: str, head: str = HEAD, name: str = "o.csv", **more: Any) -> Shop:
    """A shop of order lines from rows of text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    columns = {**PLAIN, **more.pop("columns", {})}
    return orders(folder, str(folder / name), {k: v for k, v in columns.items() if v is not None}, **more)


def table(folder: Path, name: str, text: str, columns: dict[str, Any], **more: Any) -> pd.DataFrame:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    source = {"files": f"{name}.csv", "columns": columns, **more}
    return frame_of(opening.open_shop(write_shop(folder, tables={name: source}), root=folder), name)


# Lone quotes: a pipe file of searches, and a comma file whose quote swallows rows beside honest ones.
def test_lone_quotes_in_a_pipe_file_of_searches(tmp_path: Path) -> None:
    text = 'id|at|words\n1|2026-10-05 10:00|"tv 55\n2|2026-10-05 10:01|mug\n3|2026-10-05 10:02|shelf 12"\n'
    found = table(tmp_path, "searches", text, {"search_id": "id", "searched_at": "at", "query": "words"})
    assert found["query"].tolist() == ['"tv 55', "mug", 'shelf 12"']


def test_lone_quotes_beside_cells_of_two_lines_are_refused_by_name(tmp_path: Path) -> None:
    rows = [
        '1,a,"MUG\nblue",2026-10-05,1,5',
        '2,b,"LAMP,2026-10-05,1,5',
        "3,c,MUG,2026-10-05,1,5",
        '4,d,MUG",2026-10-05,1,5',
    ]
    with pytest.raises(
        SourceError,
        match=r"o.csv: column 'sku': the cell that begins 'LAMP,2026-10-05,1,5' holds whole rows.*quoting: none",
    ):
        written(tmp_path, *rows)


def test_cells_of_several_lines_and_blank_lines_are_no_trouble(tmp_path: Path) -> None:
    shop = written(tmp_path, '1,a,"MUG\n\nblue",2026-10-05,1,5', "", '2,b,"say ""hi""",2026-10-05,1,7', "", "")
    assert (revenue(shop), set(frame_of(shop, "order_lines")["product_id"])) == (12, {"MUG\n\nblue", 'say "hi"'})


# Years of two digits: slashes that tell, and dashes that do not.
def test_two_digit_years_of_other_notations(tmp_path: Path) -> None:
    shop = written(tmp_path, "1,a,MUG,5-Oct-26,1,5", "2,b,MUG,31-Oct-26,1,5")
    assert sorted(frame_of(shop, "order_lines")["ordered_on"].astype(str)) == ["2026-10-05", "2026-10-31"]
    for cell, first, second in (
        ("25-10-26", "day-month-yy", "yy-month-day"),
        ("25/12/26 10:00", "day/month/yy", "yy/month/day"),
    ):
        with pytest.raises(SourceError, match=f"'{cell}' can be read as {first} and as {second}; write date_format"):
            written(tmp_path / "b", f"1,a,MUG,{cell},1,5")
    shop = written(tmp_path / "b", "1,a,MUG,25-10-26,1,5", date_format="%d-%m-%y")
    assert frame_of(shop, "order_lines")["ordered_on"].astype(str).tolist() == ["2026-10-25"]
    text = "sku,day,n\nMUG,05.10.26,4\nMUG,06.10.26,3\n"
    stock = table(tmp_path / "c", "stock_levels", text, {"product_id": "sku", "date": "day", "n_on_hand": "n"})
    assert stock["date"].astype(str).tolist() == ["2026-10-05", "2026-10-06"]
    with pytest.raises(SourceError, match=r"'05.10.26' does not fit date_format %d.%m.%Y"):
        written(tmp_path / "d", "1,a,MUG,05.10.26,1,5", date_format="%d.%m.%Y")


@pytest.mark.parametrize("where", ["shop", "table", "column"])
def test_a_format_without_a_year_is_refused(tmp_path: Path, where: str) -> None:
    key = {"date_format": "%d.%m. %H:%M"}
    more = {"shop": {"shop": key}, "table": key, "column": {"columns": {"ordered_at": {"from": "created_at", **key}}}}[
        where
    ]
    with pytest.raises(ShopFileError, match=r"date_format: '%d.%m. %H:%M' names no year"):
        written(tmp_path, "1,a,MUG,05.10. 10:00,1,5", **more)


@pytest.mark.parametrize("day", ["1926-10-05", "2226-10-05", "0026-10-05"])
def test_days_that_cannot_be_are_an_error_of_the_check(tmp_path: Path, day: str) -> None:
    shop = written(tmp_path, f"1,a,MUG,{day},1,5")
    assert ("ordered_at", "dated between 1990 and today: look at date_format and the year", "error") in rules(shop)


# Money: Swiss and French ways, brackets, trailing minus, codes; separators that are not what was said are never dropped.
@pytest.mark.parametrize(
    ("cell", "keys", "money"),
    [
        ("1'054.30", {}, 1054.30), ("CHF 1’054.30", {"shop": {"currency": "CHF"}}, 1054.30), ("1 054,30 €", {"decimal": ","}, 1054.30),
        ("1\u202f054,30", {"decimal": ","}, 1054.30), ("£1,054.30", {"thousands": ",", "shop": {"currency": "GBP"}}, 1054.30), ("USD 12.50", {"shop": {"currency": "USD"}}, 12.5),
        ("12.50EUR", {}, 12.5), ("&euro;12.50", {}, 12.5), ("'12.50", {}, 12.5), ("1.054,30", {"decimal": ",", "thousands": "."}, 1054.30), (".5", {}, 0.5), ("12,", {"decimal": ","}, 12),
    ],
)  # fmt: skip
def test_money_is_read_as_people_write_it(tmp_path: Path, cell: str, keys: dict[str, Any], money: float) -> None:
    assert revenue(written(tmp_path, f'1,a,MUG,2026-10-05,1,"{cell}"', **keys)) == money


@pytest.mark.parametrize(
    ("cell", "keys", "message"),
    [
        ("12.50", {"decimal": ",", "thousands": "."}, r"'12.50' has a decimal point, and decimal is ','"),
        ("1,054", {}, r"'1,054' has a thousands separator"),
        ("12,5", {"thousands": ","}, r"'12,5' has a decimal comma"),
        ("$10", {}, r"'\$10' is money in \$, and the shop's currency is EUR; write currency: USD or CAD"),
        ("10 GBP", {}, r"'10 GBP' is money in GBP, and the shop's currency is EUR"),
        ("10 20", {}, r"'10 20' is text where a number is needed"),
    ],
)
def test_money_that_would_be_another_sum_is_refused(
    tmp_path: Path, cell: str, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        written(tmp_path, f'1,a,MUG,2026-10-05,1,"{cell}"', **keys)


def test_brackets_and_trailing_minus_are_below_zero(tmp_path: Path) -> None:
    text = "id,day,n,back\n1,2026-10-05,1,(4.50)\n2,2026-10-06,1,2.00-\n3,2026-10-06,1,- 1.00\n"
    found = table(
        tmp_path, "returns", text, {"return_id": "id", "returned_at": "day", "quantity": "n", "refund_amount": "back"}
    )
    assert sorted(found["refund_amount"]) == [1, 2, 4.5]


# Totals of lines, rates, currencies, several columns, cases.
@pytest.mark.parametrize(("after", "money"), [(True, 10.0), (False, 9.0)])
def test_the_total_of_a_line_is_exact_whatever_its_quantity(tmp_path: Path, after: bool, money: float) -> None:
    columns = {"unit_price": None, "line_amount": {"from": "price", "after_discount": after}, "discount_amount": "off"}
    shop = written(tmp_path, "1,a,MUG,2026-10-05,3,10.00,1.00", head=HEAD + ",off", columns=columns)
    line = frame_of(shop, "order_lines").iloc[0]
    assert float(line["revenue_amount"]) == money
    assert float(line["unit_price"]) == pytest.approx((money + 1) / 3, abs=1e-4)  # a unit price has four decimals


def test_a_total_without_a_word_on_its_discount_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShopFileError, match=r"is the discount off already\? write line_amount"):
        written(
            tmp_path,
            "1,a,MUG,2026-10-05,3,10.00,1.00",
            head=HEAD + ",off",
            columns={"unit_price": None, "line_amount": "price", "discount_amount": "off"},
        )
    with pytest.raises(ShopFileError, match="map either unit_price or line_amount"):
        written(tmp_path, "1,a,MUG,2026-10-05,3,10.00", columns={"line_amount": "price"})


@pytest.mark.parametrize(("rate", "cell"), [("percent", "10"), ("percent", "10%"), ("share", "0.1")])
def test_a_discount_as_a_rate(tmp_path: Path, rate: str, cell: str) -> None:
    shop = written(
        tmp_path,
        f"1,a,MUG,2026-10-05,2,10.00,{cell}",
        head=HEAD + ",off",
        columns={"discount_amount": {"from": "off", "rate": rate}},
    )
    assert (revenue(shop), float(frame_of(shop, "order_lines")["discount_amount"][0])) == (18, 2)


def test_money_of_several_currencies_is_refused_or_turned(tmp_path: Path) -> None:
    rows, head = ("1,a,MUG,2026-10-05,1,10.00,EUR", "2,b,MUG,2026-10-05,1,10.00,usd"), HEAD + ",Currency"
    with pytest.raises(
        SourceError,
        match=r"'Currency': money in EUR \(1 rows\), USD \(1 rows\); the shop's currency is EUR: keep one with keep: {Currency: \[EUR\]}, or turn it",
    ):
        written(tmp_path, *rows, head=head)
    assert revenue(written(tmp_path, *rows, head=head, currency="Currency", rates={"USD": "0.9"})) == 19
    assert revenue(written(tmp_path, *rows, head=head, keep={"Currency": ["EUR"]})) == 10
    text = "day,channel,spend,Currency\n2026-10-05,ads,5,CHF\n"
    with pytest.raises(SourceError, match="money in CHF"):
        table(tmp_path / "b", "ad_spend", text, {"date": "day", "channel": "channel", "cost_amount": "spend"})


def test_keys_and_dates_of_several_columns_and_values_of_any_case(tmp_path: Path) -> None:
    head = "shop,no,customer_id,sku,day,clock,quantity,price,state"
    rows = (
        "A,1,a,MUG,05/10/2026,09:50:26,1,5,PAID",
        "B,1,b,MUG,25/10/2026,10:00:00,1,7,Paid",
        "B,2,b,MUG,26/10/2026,10:00:00,1,9,VOID",
    )
    columns = {
        "order_id": ["shop", "no"],
        "ordered_at": ["day", "clock"],
        "status": {"from": "state", "values": {"paid": "paid", "void": "voided"}},
    }
    shop = written(tmp_path, *rows, head=head, columns=columns)
    lines = frame_of(shop, "order_lines")
    assert (revenue(shop), sorted(lines["order_id"]), str(lines["ordered_at"].min())) == (
        12,
        ["A-1", "B-1", "B-2"],
        "2026-10-05 07:50:26",
    )
    shop = written(
        tmp_path,
        *rows,
        head=head,
        columns={**columns, "status": "state"},
        shop={"statuses": {"paid": "paid", "Void": "voided"}},
    )
    assert revenue(shop) == 12


def test_rows_by_a_comparison(tmp_path: Path) -> None:
    rows = ("1,a,MUG,2026-10-05,2,5", "1,a,MUG,2026-10-06,-1,5", "2,b,MUG,2026-10-06,1,0")
    assert revenue(written(tmp_path, *rows, where="quantity > 0")) == 10
    shop = written(tmp_path, *rows, where="quantity > 0 and price != 0")
    assert [(item.reason, item.n_rows) for item in shop.staged.accounting] == [("kept", 1), ("other rows", 2)]
    assert revenue(written(tmp_path, *rows, where="customer_id = A and quantity > 0")) == 10
    assert len(frame_of(written(tmp_path, *rows, where="quantity > 100"), "order_lines")) == 0
    with pytest.raises(SourceError, match="where: 'quantity' is no comparison; write COLUMN < VALUE"):
        written(tmp_path, *rows, where="quantity")
    with pytest.raises(SourceError, match=r"where.*'quantty'"):
        written(tmp_path, *rows, where="quantty > 0")


# Words for nothing, entities, ids that a spreadsheet rounded.
def test_words_for_nothing_are_nothing_in_text_too_and_counted(tmp_path: Path) -> None:
    words = ["NULL", r"\N", "nan", "None", "N/A", "#N/A", "-", "(not set)", "undefined"]
    shop = written(
        tmp_path, *(f"{n},{word},MUG,2026-10-05,1,5" for n, word in enumerate(words)), "99,NA,MUG,2026-10-05,1,5"
    )
    assert frame_of(shop, "order_lines")["customer_id"].dropna().tolist() == ["NA"]
    seen = next(v for v in shop.staged.violations if v.rule == "words for nothing: read as empty")
    assert (seen.column, seen.n_rows, seen.severity) == ("customer_id", 9, "note")
    kept = written(tmp_path, "1,None,MUG,2026-10-05,1,5", not_missing=["None"])
    assert frame_of(kept, "order_lines")["customer_id"].tolist() == ["None"]
    with pytest.raises(SourceError, match="order_id: is empty in 1 rows, but required"):
        written(tmp_path, "(not set),a,MUG,2026-10-05,1,5", "2,b,MUG,2026-10-05,1,5")


@pytest.mark.parametrize(
    "ids",
    [
        ["1.23457E+15", "1.23458E+15"],
        ["1,23457E+15"],
        ["1234567890123450000", "1234567890123460000", "1234567890123470000"],
    ],
)
def test_ids_that_a_spreadsheet_rounded_are_refused(tmp_path: Path, ids: list[str]) -> None:
    with pytest.raises(
        SourceError, match=r"order_lines.order_id: '.*' in column 'order_id' was rounded by a spreadsheet"
    ):
        written(tmp_path, *(f'"{one}",a,MUG,2026-10-05,1,5' for one in ids))


def test_long_ids_that_are_whole_stay(tmp_path: Path) -> None:
    shop = written(tmp_path, *(f"12345678901234567{n},a,MUG,2026-10-05,1,5" for n in range(10)))
    assert frame_of(shop, "order_lines")["order_id"].nunique() == 10


def test_entities_in_other_tables(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "products",
        "id,name\n1,&quot;Caf&eacute;&quot; &amp; Bar\n2,AT&T\n",
        {"product_id": "id", "name": "name"},
    )
    assert found["name"].tolist() == ['"Café" & Bar', "AT&T"]


# Footers.
def test_footers_that_add_up_are_named_and_others_refused(tmp_path: Path) -> None:
    shop = written(tmp_path, "1,a,MUG,2026-10-05,1,10", "2,b,MUG,2026-10-05,2,20", "Summe,,,,3,50")
    assert (revenue(shop), aside(shop)) == (50, {"footer that sums the rows above": (1, 50.0)})
    with pytest.raises(
        SourceError, match=r"o.csv: row 3: the footer says 4.00, 70.00, and the rows above add up to 3.00"
    ):
        written(tmp_path, "1,a,MUG,2026-10-05,1,10", "2,b,MUG,2026-10-05,2,20", "Total,,,,4,70")
    with pytest.raises(SourceError, match="cannot be used"):  # a row within is no footer
        written(tmp_path, "1,a,MUG,2026-10-05,1,10", ",,,,1,10", "2,b,MUG,2026-10-05,2,20")


# Kinds of files: spreadsheets, JSON, archives, folders.
def test_hidden_sheets_are_not_read_and_further_ones_are_named(tmp_path: Path) -> None:
    write_xlsx(ORDERS, tmp_path / "orders.xlsx", sheet="Orders")
    book = openpyxl.load_workbook(tmp_path / "orders.xlsx")
    book.create_sheet("Old", 0).append(["No", "junk"])
    book["Old"].sheet_state = "hidden"
    book.create_sheet("Notes").append(["x"])
    book.save(tmp_path / "orders.xlsx")
    shop = open_orders(tmp_path, "orders.xlsx")
    assert revenue(shop) == REVENUE
    assert ("orders.xlsx", "sheets that are not read: Old, Notes (sheet: names another)", "warning") in rules(shop)


@pytest.mark.parametrize(
    ("key", "name"),
    [("delimiter", "orders.xlsx"), ("quoting", "orders.xlsx"), ("sheet", "orders.csv"), ("hive", "orders.csv")],
)
def test_reading_options_that_have_no_effect_on_a_file_are_refused(tmp_path: Path, key: str, name: str) -> None:
    write_xlsx(ORDERS, tmp_path / "orders.xlsx")
    write_csv(ORDERS, tmp_path / "orders.csv")
    value = {"delimiter": ";", "quoting": "none", "sheet": "x", "hive": True}[key]
    with pytest.raises(SourceError, match=rf"table order_lines: {key}: has no effect on {name}; leave it out"):
        open_orders(tmp_path, name, **{key: value})


@pytest.mark.parametrize("kind", ["list", "keyed", "wrapped", "lines", "pretty", "utf16"])
def test_json_of_every_kind(tmp_path: Path, kind: str) -> None:
    rows = [
        {"no": n, "who": {"id": f"c{n}"}, "sku": "MUG", "at": "2026-10-05", "qty": 1, "price": 10.5} for n in (1, 2)
    ]
    text = {
        "list": json.dumps(rows), "keyed": json.dumps({f"k{row['no']}": row for row in rows}), "wrapped": json.dumps({"total": 2, "orders": rows}, indent=2),
        "lines": "\n".join(json.dumps(row) for row in rows), "pretty": "\n".join(json.dumps(row, indent=2) for row in rows), "utf16": json.dumps(rows),
    }[kind]  # fmt: skip
    (tmp_path / "o.json").write_bytes(text.encode("utf-16" if kind == "utf16" else "utf-8"))
    columns = {
        "order_id": "no",
        "customer_id": "who.id",
        "product_id": "sku",
        "ordered_at": "at",
        "quantity": "qty",
        "unit_price": "price",
    }
    shop = orders(tmp_path, str(tmp_path / "o.json"), columns)
    assert (revenue(shop), set(frame_of(shop, "order_lines")["customer_id"])) == (21, {"c1", "c2"})


def test_a_zipped_export_is_recognised(tmp_path: Path) -> None:
    from tests.shop.test_field import FIELD

    with zipfile.ZipFile(tmp_path / "orders_export.zip", "w") as archive:
        archive.write(FIELD / "shopify_excel_dates/orders_export_1.csv", "orders_export_1.csv")
    shop = shop_of(tmp_path / "s", adapter="shopify", files=str(tmp_path))
    assert revenue(shop) == 39.80
    assert opening.adapters.detect(tmp_path).NAME == "shopify"


def test_every_file_of_a_glob_is_looked_at_by_itself(tmp_path: Path) -> None:
    semi = ORDERS.head(3)
    write_csv(semi, tmp_path / "in" / "a.csv", sep=";")
    write_csv(ORDERS.iloc[3:], tmp_path / "in" / "b.csv", encoding="utf-16")
    assert revenue(open_orders(tmp_path, "in/*.csv")) == pytest.approx(REVENUE)
    write_csv(ORDERS.iloc[3:].drop(columns="Off"), tmp_path / "in" / "b.csv")
    with pytest.raises(
        SourceError, match=r"b.csv: has no column 'Off' \(discount_amount\), which other files of the table have"
    ):
        open_orders(tmp_path, "in/*.csv")


def test_folder_names_are_columns_only_if_asked(tmp_path: Path) -> None:
    ORDERS.to_parquet((tmp_path / "Client=zz").mkdir() or tmp_path / "Client=zz" / "o.parquet")
    assert set(frame_of(open_orders(tmp_path, "Client=*/o.parquet"), "order_lines")["customer_id"].dropna()) == {
        "c1",
        "c2",
    }
    ORDERS.drop(columns="Client").to_parquet(tmp_path / "Client=zz" / "o.parquet")
    assert set(frame_of(open_orders(tmp_path, "Client=*/o.parquet", hive=True), "order_lines")["customer_id"]) == {"zz"}
    with pytest.raises(SourceError, match="has no column 'Client'"):
        open_orders(tmp_path, "Client=*/o.parquet")


def test_lines_above_the_header_and_words_of_the_file_itself(tmp_path: Path) -> None:
    body = ORDERS.to_csv(index=False, sep=";")
    (tmp_path / "orders.csv").write_text("Export of 5 October\nMy shop\n" + body)
    assert revenue(open_orders(tmp_path, "orders.csv", skip_rows=2)) == REVENUE
    (tmp_path / "orders.csv").write_bytes(b"\xef\xbb\xbfsep=;\r\n" + body.replace("\n", "\r\n").encode())
    assert revenue(open_orders(tmp_path, "orders.csv")) == REVENUE
    (tmp_path / "orders.csv").write_bytes(body.encode("utf-16-le"))  # without a mark at its start
    assert revenue(open_orders(tmp_path, "orders.csv")) == REVENUE


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "json"])
def test_numbers_and_times_that_a_file_holds_as_such_are_not_read_as_texts(tmp_path: Path, kind: str) -> None:
    """decimal: "," and date_format are of the texts beside them: 1.125 is one and an eighth, never 1,125."""
    frame = ORDERS.head(1).assign(Price=1.125, Off=0.5, When=pd.Timestamp("2026-10-05 10:00"), Qty="1.000")
    if kind == "xlsx":
        kinds = {"Price": float, "Off": float, "When": lambda at: at.to_pydatetime()}
        write_xlsx(frame, tmp_path / "o.xlsx", kinds=kinds)
    elif kind == "parquet":
        frame.to_parquet(tmp_path / "o.parquet")
    else:
        (tmp_path / "o.json").write_text(json.dumps([{**frame.iloc[0].to_dict(), "When": "2026-10-05 10:00"}]))
    shop = open_orders(tmp_path, f"o.{kind}", shop={"decimal": ",", "thousands": ".", "date_format": "%d.%m.%Y"})
    line = frame_of(shop, "order_lines").iloc[0]
    assert (float(line["unit_price"]), float(line["discount_amount"]), float(line["quantity"])) == (1.125, 0.5, 1000)
    assert str(line["ordered_at"]) == "2026-10-05 08:00:00"


# Files called alike in folders of their own: an order of both is one order, in whatever kind of file.
MARCH = ["1,a,MUG,2026-03-30 10:00,2,5", "2,b,MUG,2026-03-31 10:00,1,5"]
APRIL = ["2,b,MUG,2026-03-31 10:00,1,5", "3,c,MUG,2026-04-01 10:00,1,7"]


def write_month(path: Path, rows: list[str]) -> None:
    frame = pd.DataFrame([row.split(",") for row in rows], columns=HEAD.split(","))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".xlsx":
        write_xlsx(frame, path)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".ndjson":
        frame.to_json(path, orient="records", lines=True)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("orders.csv", frame.to_csv(index=False))
    else:
        write_csv(frame, path)


@pytest.mark.parametrize("name", ["orders.csv", "orders.xlsx", "part-0.parquet", "orders.ndjson", "export.zip"])
def test_files_called_alike_in_two_folders_are_two(tmp_path: Path, name: str) -> None:
    write_month(tmp_path / "2026-03" / name, MARCH)
    write_month(tmp_path / "2026-04" / name, APRIL)
    shop = orders(tmp_path, str(tmp_path / "*" / name), PLAIN)
    assert (revenue(shop), frame_of(shop, "order_lines")["order_id"].nunique()) == (22, 3)  # 10 + 5 + 7
    assert aside(shop) == {"older state": (1, None)}


def test_a_file_called_like_another_is_named_with_its_folder(tmp_path: Path) -> None:
    write_month(tmp_path / "2026-03" / "orders.csv", MARCH)
    write_month(tmp_path / "2026-04" / "orders.csv", ["3,c,MUG,soon,1,7"])
    with pytest.raises(SourceError, match=r"2026-04 orders\.csv: row 1: .*'soon'"):
        orders(tmp_path, str(tmp_path / "*" / "orders.csv"), PLAIN)
