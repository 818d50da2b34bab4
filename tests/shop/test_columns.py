"""Column maps: the same table from any file, and an error with a remedy for every broken one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opslib.errors import ContractError, SourceError
from opslib.shop import opening
from tests.shop.builders import (
    COLUMNS,
    ORDERS,
    REVENUE,
    frame_of,
    open_orders,
    write_csv,
    write_ndjson,
    write_shop,
    write_xlsx,
)

pytestmark = pytest.mark.fault

CENT = 1e-9  # sums of DECIMAL are exact; only their way to float64 rounds


def changed(**cells: object) -> pd.DataFrame:
    """The orders with the third row's cells changed."""
    frame = ORDERS.copy()
    for column, value in cells.items():
        frame.loc[2, column] = value
    return frame


def test_types_days_and_revenue_are_as_counted_by_hand(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    lines = frame_of(open_orders(tmp_path, "orders.csv"), "order_lines")
    assert len(lines) == 9
    assert lines["revenue_amount"].sum() == pytest.approx(REVENUE, abs=CENT)
    assert lines["customer_id"].isna().sum() == 3
    assert set(lines["status"]) == {"paid"}
    # 23:30 in Berlin is 22:30 UTC in winter and 21:30 UTC after the clocks changed on 29 March 2026.
    at = lines.groupby("order_id")["ordered_at"].min()
    assert str(at["A3"]) == "2026-03-28 22:30:00"
    assert str(at["A4"]) == "2026-03-29 21:30:00"
    days = lines.groupby("order_id")["ordered_on"].min().dt.strftime("%Y-%m-%d").to_dict()
    assert days == {"A1": "2026-03-01", "A2": "2026-03-02", "A3": "2026-03-28", "A4": "2026-03-29"}


def test_csv_gz_xlsx_parquet_and_ndjson_give_the_same_table(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "a" / "orders.csv.gz")
    kinds = {"Qty": int, "Price": float, "Off": float, "When": lambda v: pd.Timestamp(v).to_pydatetime(), "Pos": float}
    write_xlsx(ORDERS, tmp_path / "b" / "orders.xlsx", kinds=kinds)
    typed = ORDERS.assign(
        When=pd.to_datetime(ORDERS["When"]), Qty=ORDERS["Qty"].astype(int), Price=ORDERS["Price"].astype(float)
    )
    (tmp_path / "c").mkdir()
    typed.to_parquet(tmp_path / "c" / "orders.parquet", index=False)
    write_ndjson(ORDERS.astype(object).where(ORDERS.notna(), None).to_dict("records"), tmp_path / "d" / "orders.ndjson")
    write_csv(ORDERS, tmp_path / "e" / "orders.csv")
    frames = {f: frame_of(open_orders(tmp_path / f, "orders.*"), "order_lines") for f in "abcde"}
    for name in "abcd":
        pd.testing.assert_frame_equal(frames[name], frames["e"], obj=name)


def test_many_files_are_one_table_and_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    for day, rows in ORDERS.groupby(ORDERS["When"].str[:10]):
        write_csv(rows[::-1], tmp_path / "many" / f"{day}.csv")
    write_csv(ORDERS, tmp_path / "one" / "orders.csv")
    many = frame_of(open_orders(tmp_path / "many", "*.csv"), "order_lines")
    pd.testing.assert_frame_equal(many, frame_of(open_orders(tmp_path / "one", "orders.csv"), "order_lines"))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"When": "yesterday"}, r"orders.csv: row 3: order_lines.ordered_at: 'yesterday' is not a date .* date_format"),
        (
            {"Price": "1,234.50"},
            r"row 3: order_lines.unit_price: '1,234.50' has a thousands separator; write thousands: \",\"",
        ),
        ({"Price": "12,50"}, r"row 3: order_lines.unit_price: '12,50' has a decimal comma; write decimal: \",\""),
        (
            {"Price": "1.234,50"},
            r"'1.234,50' has a decimal comma; write decimal: \",\" for this table and thousands: \".\"",
        ),
        ({"Sku": None}, r"orders.csv: row 3: order_lines.product_id: is empty in 1 rows, but required"),
        (
            {"When": "02/03/2026 11:30"},
            r"two notations of dates in one column: '2026-03-01 10:00:00' \(ISO.*'02/03/2026 11:30'",
        ),
        ({"When": "2026-02-30 10:00"}, r"'2026-02-30 10:00' is not a date"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_its_remedy(
    tmp_path: Path, cells: dict[str, str], message: str
) -> None:
    write_csv(changed(**cells), tmp_path / "orders.csv")
    with pytest.raises(SourceError, match=message):
        open_orders(tmp_path, "orders.csv")


@pytest.mark.parametrize(
    ("cells", "column", "rule"),
    [
        ({"Qty": "three"}, "quantity", "cannot be read: rows set aside, their money is not known"),
        ({"Qty": "=1+1"}, "quantity", "cannot be read: rows set aside, their money is not known"),
        ({"Price": "nan"}, "unit_price", "is empty: rows set aside, their money is not known"),
    ],
)
def test_a_row_whose_money_cannot_be_read_is_set_aside_and_an_error_says_so(
    tmp_path: Path, cells: dict[str, str], column: str, rule: str
) -> None:
    write_csv(changed(**cells), tmp_path / "orders.csv")
    shop = open_orders(tmp_path, "orders.csv")
    assert shop.staged is not None
    assert (column, rule, "error", 1) in [(v.column, v.rule, v.severity, v.n_rows) for v in shop.staged.violations]
    assert [(item.table, item.n_rows) for item in shop.staged.accounting] == [("order_lines", 8), (None, 1)]
    assert frame_of(shop, "order_lines")["revenue_amount"].sum() == pytest.approx(REVENUE - 30, abs=CENT)


def test_few_rows_of_little_money_are_set_aside_and_more_stop_the_shop(tmp_path: Path) -> None:
    many = pd.concat([ORDERS.head(1).assign(No=f"B{n}", Off=None) for n in range(2100)], ignore_index=True)
    for n_bad, column in ((20, "Sku"), (21, "Sku")):
        frame = many.copy()
        frame.loc[: n_bad - 1, column] = None
        write_csv(frame, tmp_path / "orders.csv")
        lines = frame_of(open_orders(tmp_path, "orders.csv"), "order_lines")  # 21 of 2,100 rows: 1 %, not more
        assert len(lines) == 2100 - n_bad
    frame.loc[:21, "Sku"] = None
    write_csv(frame, tmp_path / "orders.csv")
    with pytest.raises(
        SourceError, match=r"product_id: is empty in 22 rows.*22 of 2,100 rows, 1.0% of the money cannot be used"
    ):
        open_orders(tmp_path, "orders.csv")
    many.loc[0, ["Sku", "Qty"]] = [None, "50"]  # one row, and 500 of 42,480
    write_csv(many, tmp_path / "orders.csv")
    with pytest.raises(
        SourceError, match=r"1 of 2,100 rows, 1.2% of the money cannot be used: product_id is empty \(1\)"
    ):
        open_orders(tmp_path, "orders.csv")


def test_unknown_missing_and_empty_things_are_named(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    with pytest.raises(
        SourceError, match=r"order_lines.quantity: the file orders.csv has no column 'Qyt'; did you mean 'Qty'\?"
    ):
        open_orders(tmp_path, "orders.csv", columns={**COLUMNS, "quantity": "Qyt"})
    short = {ours: theirs for ours, theirs in COLUMNS.items() if ours != "ordered_at"}
    with pytest.raises(
        SourceError, match=r"column 'ordered_at' is required \(when, in UTC\).*map it to one of: No, Pos"
    ):
        open_orders(tmp_path, "orders.csv", columns=short)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(SourceError, match=r"empty.csv: the file is empty \(0 bytes\)"):
        open_orders(tmp_path, "empty.csv")
    write_csv(ORDERS.head(0), tmp_path / "header.csv")
    with pytest.raises(SourceError, match=r"header.csv: only a header, no rows"):
        open_orders(tmp_path, "header.csv")
    with pytest.raises(SourceError, match=r"no file matches 'nothing_\*.csv' \(looked from"):
        open_orders(tmp_path, "nothing_*.csv")
    (tmp_path / "x.pdf").write_text("x")
    with pytest.raises(SourceError, match=r"x.pdf: this kind of file is not known; allowed: .csv"):
        open_orders(tmp_path, "x.pdf")
    (tmp_path / "twice.csv").write_text("No,No\n1,2\n")
    with pytest.raises(SourceError, match=r"twice.csv: the header names column 'No' twice"):
        open_orders(tmp_path, "twice.csv")


def test_torn_files_are_named(tmp_path: Path) -> None:
    text = ORDERS.to_csv(index=False).splitlines()
    (tmp_path / "ragged.csv").write_text("\n".join([*text[:3], text[3] + ",surplus,cells", *text[4:]]))
    with pytest.raises(
        SourceError, match=r"ragged.csv: cannot be read at line 4: expected number of columns: 8 found: 9"
    ):
        open_orders(tmp_path, "ragged.csv")
    (tmp_path / "not.xlsx").write_text("no spreadsheet")
    with pytest.raises(SourceError, match=r"not.xlsx: cannot be read as a spreadsheet"):
        open_orders(tmp_path, "not.xlsx")
    (tmp_path / "not.parquet").write_text("no parquet")
    with pytest.raises(SourceError, match=r"not.parquet: cannot be read as Parquet"):
        open_orders(tmp_path, "not.parquet")
    (tmp_path / "bad.ndjson").write_text('{"No": "A1"\n')
    with pytest.raises(SourceError, match=r"bad.ndjson: cannot be read as JSON"):
        open_orders(tmp_path, "bad.ndjson")
    write_xlsx(ORDERS, tmp_path / "book.xlsx", sheet="Orders")
    with pytest.raises(SourceError, match=r"book.xlsx: no sheet 'Ordesr'; did you mean 'Orders'\?"):
        open_orders(tmp_path, "book.xlsx", sheet="Ordesr")


def test_a_repeated_line_id_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    write_csv(pd.concat([ORDERS, ORDERS.iloc[[3]]]), tmp_path / "orders.csv")
    with pytest.raises(
        ContractError, match=r"order 'A3' has line '1' 2 times \(1 such keys\); \(order_id, line_id\) must be unique"
    ):
        open_orders(tmp_path, "orders.csv")


def test_identical_lines_without_line_id_are_kept_and_numbered(tmp_path: Path) -> None:
    write_csv(pd.concat([ORDERS, ORDERS.iloc[[2]], ORDERS.iloc[[2]]]), tmp_path / "orders.csv")
    columns = {ours: theirs for ours, theirs in COLUMNS.items() if ours != "line_id"}
    lines = frame_of(open_orders(tmp_path, "orders.csv", columns=columns), "order_lines")
    assert lines.loc[lines["order_id"] == "A2", "line_id"].tolist() == ["0001", "0002", "0003"]
    assert len(lines) == 11


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_encodings_that_say_what_they_are_need_no_word(tmp_path: Path, encoding: str) -> None:
    frame = changed(Client="Zoë Müller")
    if encoding == "utf-16-le-bom":
        (tmp_path / "orders.csv").write_bytes(b"\xff\xfe" + frame.to_csv(index=False).encode("utf-16-le"))
    else:
        write_csv(frame, tmp_path / "orders.csv", encoding=encoding)
    assert "Zoë Müller" in set(frame_of(open_orders(tmp_path, "orders.csv"), "order_lines")["customer_id"].dropna())


def test_another_encoding_is_named_with_its_line_and_the_word_to_write(tmp_path: Path) -> None:
    write_csv(changed(Client="Zoë"), tmp_path / "orders.csv", encoding="cp1252")
    with pytest.raises(
        SourceError,
        match=r"orders.csv: line 4 is not utf-8 \(byte 0xEB, which is 'ë' in cp1252\); write 'encoding: cp1252'",
    ):
        open_orders(tmp_path, "orders.csv")
    shop = open_orders(tmp_path, "orders.csv", encoding="cp1252")
    assert "Zoë" in set(frame_of(shop, "order_lines")["customer_id"].dropna())
    with pytest.raises(SourceError, match=r"encoding 'cp1225' is not known; did you mean 'cp1252'"):
        open_orders(tmp_path, "orders.csv", encoding="cp1225")


def test_german_numbers_and_dates(tmp_path: Path) -> None:
    frame = ORDERS.assign(
        When=pd.to_datetime(ORDERS["When"]).dt.strftime("%d.%m.%Y %H:%M"),
        Price=ORDERS["Price"].str.replace(".", ",").where(ORDERS["Price"] != "99.99", "1.099,99"),
        Off=ORDERS["Off"].str.replace(".", ","),
    )
    write_csv(frame, tmp_path / "orders.csv", sep=";")
    shop = open_orders(tmp_path, "orders.csv", decimal=",", thousands=".")
    lines = frame_of(shop, "order_lines")
    assert lines["revenue_amount"].sum() == pytest.approx(REVENUE + 2 * 1000, abs=CENT)
    assert lines["ordered_on"].max() == pd.Timestamp("2026-03-29")


def test_dates_that_can_be_read_two_ways_are_refused(tmp_path: Path) -> None:
    write_csv(ORDERS.assign(When="03/04/2026 10:00"), tmp_path / "orders.csv")
    with pytest.raises(
        SourceError, match=r"'03/04/2026 10:00' can be read as day/month/year and as month/day/year; write date_format"
    ):
        open_orders(tmp_path, "orders.csv")
    shop = open_orders(tmp_path, "orders.csv", date_format="%m/%d/%Y %H:%M")
    assert frame_of(shop, "order_lines")["ordered_on"].unique().tolist() == [pd.Timestamp("2026-03-04")]


def test_offsets_win_over_the_time_zone(tmp_path: Path) -> None:
    times = ["2026-07-01T10:00:00Z", "2026-07-01 12:00:00 +0200", "2026-07-01T05:00:00-05:00", "2026-07-01 12:00"]
    write_csv(ORDERS.head(4).assign(When=times, Pos=["1", "2", "3", "4"], No="A1"), tmp_path / "orders.csv")
    lines = frame_of(open_orders(tmp_path, "orders.csv"), "order_lines")
    assert lines["ordered_at"].unique().tolist() == [pd.Timestamp("2026-07-01 10:00:00")]


def test_prices_with_tax_lose_it(tmp_path: Path) -> None:
    write_csv(ORDERS.head(1).assign(Tax="3.20"), tmp_path / "orders.csv")
    columns = {**COLUMNS, "tax_amount": "Tax"}
    for includes, revenue in ((True, 15.80), (False, 19.00)):
        shop = open_orders(tmp_path, "orders.csv", columns=columns, shop={"prices_include_tax": includes})
        assert frame_of(shop, "order_lines")["revenue_amount"].tolist() == pytest.approx([revenue], abs=CENT)


def test_values_fixed_values_rows_kept_and_first_rows(tmp_path: Path) -> None:
    frame = ORDERS.assign(State=["ok", "ok", "test", "ok", "ok", "void", "ok", "ok", "ok"])
    write_csv(frame, tmp_path / "orders.csv")
    columns = {
        **COLUMNS,
        "status": {"from": "State", "values": {"ok": "paid", "void": "voided"}},
        "country": {"value": "DE"},
    }
    shop = open_orders(tmp_path, "orders.csv", columns=columns, keep={"State": ["ok", "void"]})
    lines = frame_of(shop, "order_lines")
    assert lines["status"].value_counts().to_dict() == {"paid": 7, "voided": 1}
    assert set(lines["country"]) == {"DE"}
    assert shop.staged is not None
    assert [(item.table, item.reason, item.n_rows) for item in shop.staged.accounting] == [
        ("order_lines", "kept", 8),
        (None, "other rows", 1),
    ]
    shop = open_orders(tmp_path, "orders.csv", first_of="No")
    assert len(frame_of(shop, "order_lines")) == 4
    assert [(item.reason, item.n_rows) for item in shop.staged.accounting] == [("kept", 4), ("repeats", 5)]


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    texts = [
        "'; DROP TABLE order_lines; --", '=HYPERLINK("http://x","y")', "<script>alert(1)</script>", 'a "quoted", name', "line\nbreak",
        "ключ 🛒 " + "x" * 3000, "\\", "{{7*7}}", "NULL",
    ]  # fmt: skip
    write_csv(ORDERS.assign(Sku=texts), tmp_path / "orders '; x.csv")
    columns = {**COLUMNS, "order_id": "No"}
    lines = frame_of(open_orders(tmp_path, "orders*.csv", columns=columns, not_missing=["NULL"]), "order_lines")
    assert sorted(lines["product_id"]) == sorted(text.strip() for text in texts)


def test_odd_column_names_are_found(tmp_path: Path) -> None:
    renamed = {"No": 'order "no"', "Qty": "Menge, Stück", "Sku": "o'sku", "Price": "preis\u00a0€"}
    write_csv(ORDERS.rename(columns=renamed), tmp_path / "orders.csv")
    columns = {ours: renamed.get(theirs, theirs) for ours, theirs in COLUMNS.items()}
    assert len(frame_of(open_orders(tmp_path, "orders.csv", columns=columns), "order_lines")) == 9


@pytest.mark.parametrize("more", [{}, {"keep": {"goes_to": ["us"]}}])
def test_columns_with_the_names_that_we_use_ourselves_are_read_as_any_other(
    tmp_path: Path, more: dict[str, object]
) -> None:
    back = pd.DataFrame(
        {"return_id": ["1", "2"], "returned_at": "2026-03-01 10:00:00", "reason": ["broken", "kept"], "goes_to": "us"}
    )
    write_csv(back, tmp_path / "returns.csv")
    source = {"files": "returns.csv", "columns": {c: c for c in ("return_id", "returned_at", "reason")}, **more}
    shop = opening.open_shop(write_shop(tmp_path, tables={"returns": source}), root=tmp_path)
    assert frame_of(shop, "returns")["reason"].tolist() == ["broken", "kept"]


def test_money_and_quantities_are_exact_decimals(tmp_path: Path) -> None:
    frame = pd.concat([ORDERS.head(1).assign(Pos=str(n), Qty="1", Price="0.1", Off=None) for n in range(1000)])
    write_csv(frame, tmp_path / "orders.csv")
    shop = open_orders(tmp_path, "orders.csv")
    assert str(shop.table("order_lines").schema()["revenue_amount"]) == "decimal(18, 4)"
    total = shop.connection.con.sql("SELECT sum(revenue_amount) FROM order_lines").fetchone()
    assert str(total[0]) == "100.0000"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 999), st.integers(0, 10**6), st.integers(0, 99)).map(lambda t: (str(t[0]), f"{t[1] / 100:.2f}", f"{t[2] / 100:.2f}")),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_revenue_is_the_sum_over_lines_whatever_they_are(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["Qty", "Price", "Off"]).assign(
        No="A1", Sku="p", Client="c", When="2026-03-01 10:00"
    )
    frame["Pos"] = [str(n) for n in range(len(frame))]
    write_csv(frame, tmp_path / "orders.csv")
    cents = sum(int(q) * round(float(p) * 100) - round(float(o) * 100) for q, p, o in rows)
    assert frame_of(open_orders(tmp_path, "orders.csv"), "order_lines")["revenue_amount"].sum() == pytest.approx(
        cents / 100, abs=1e-6
    )
