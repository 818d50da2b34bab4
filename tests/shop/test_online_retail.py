"""Online Retail: published raw totals to the cent, every line accounted for, every rule on lines counted by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from opslib.errors import SourceError
from opslib.shop import checks, opening
from opslib.shop.adapters import online_retail
from opslib.shop.opening import Shop
from tests.conftest import real_data
from tests.shop.builders import frame_of, write_csv, write_xlsx

HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
UK, AT = "United Kingdom", "2011-07-01 09:30:00"
#: line, and the reason that the rules give it
LINES = [
    (["536365", "85123A", "WHITE HEART", 6, AT, 2.55, 17850.0, UK], "sale"),
    (["536365", "85123a", "WHITE HEART", 1, AT, 2.55, 17850.0, UK], "sale"),
    (["536366", "85123A", "?", 2, AT, 2.55, None, UK], "sale"),
    (["536366", "PADS", "PADS TO MATCH ALL CUSHIONS", 1, AT, 0.001, None, UK], "sale"),
    (["536366", "DCGSSGIRL", "GIRLS PARTY BAG", 1, AT, 3.29, None, UK], "sale"),
    (["C536367", "85123A", "WHITE HEART", -2, AT, 2.55, 17850.0, UK], "cancellation"),
    (["C536368", "POST", "POSTAGE", -1, AT, 18.0, 12583.0, "France"], "postage"),
    (["536369", "DOT", "DOTCOM POSTAGE", 1, AT, 99.5, None, UK], "postage"),
    (["536369", "C2", "CARRIAGE", 1, AT, 50.0, 14911.0, "EIRE"], "postage"),
    (["536370", "m", "Manual", 1, AT, 2.55, None, UK], "manual entry"),
    (["C536371", "D", "Discount", -1, AT, 27.5, 14527.0, UK], "discount"),
    (["536372", "S", "SAMPLES", -1, AT, 1.0, None, UK], "samples"),
    (["536373", "BANK CHARGES", "Bank Charges", 1, AT, 15.0, None, UK], "bank charges"),
    (["C536374", "AMAZONFEE", "AMAZON FEE", -1, AT, 13541.33, None, UK], "marketplace fee"),
    (["C536375", "CRUK", "CRUK Commission", -1, AT, 1.6, None, UK], "charity commission"),
    (["536376", "gift_0001_20", "Gift Voucher £20", 1, AT, 16.67, None, UK], "gift voucher"),
    (["A563185", "B", "Adjust bad debt", 1, AT, 11062.06, None, UK], "bad debt"),
    (["A563186", "B", "Adjust bad debt", 1, AT, -11062.06, None, UK], "bad debt"),
    (["536377", "22139", "damages", -10, AT, 0.0, None, UK], "stock correction"),
    (["536378", "22139", "found", 56, AT, 0.0, None, UK], "stock note"),
    (["536379", "22841", "ROUND CAKE TIN", 1, AT, 0.0, 12647.0, "Germany"], "given away"),
]


@pytest.fixture(scope="module")
def shop(root: Path) -> Shop:
    real_data("online_retail")
    return opening.open_shop("online_retail", root=root)


@pytest.fixture
def small(tmp_path: Path) -> Shop:
    write_csv(pd.DataFrame([line for line, _ in LINES], columns=HEADER), tmp_path / "small" / "lines.csv")
    return opening.open_shop(tmp_path / "small", root=tmp_path)


@pytest.mark.real_data
def test_raw_totals_are_the_published_ones(shop: Shop) -> None:
    """UCI Online Retail as published (Chen 2015): see the data set's page, and counts reproduced independently."""
    assert shop.staged is not None
    raw = shop.staged.raw_totals
    expected = {
        "lines": 541_909, "invoices": 25_900, "stock codes": 4_070, "customers": 4_372, "countries": 38, "lines without customer": 135_080,
        "cancellation lines": 9_288, "lines with negative quantity": 10_624, "lines with price 0 or less": 2_517, "repeated identical lines": 5_268,
    }  # fmt: skip
    assert {label: int(raw[label]) for label in expected} == expected
    assert round(Decimal(raw["revenue"]), 2) == Decimal("9747747.93")


@pytest.mark.real_data
def test_every_line_and_every_penny_is_accounted_for(shop: Shop) -> None:
    assert shop.staged is not None
    accounting = shop.staged.accounting
    assert sum(item.n_rows for item in accounting) == 541_909
    assert sum(item.amount for item in accounting if item.amount is not None) == Decimal(
        shop.staged.raw_totals["revenue"]
    )
    kept = {name: sum(item.n_rows for item in accounting if item.table == name) for name in ("order_lines", "returns")}
    assert kept == {name: len_of(shop, name) for name in kept}
    frame = checks.health_accounting(shop)
    assert frame["n_rows"].sum() == 541_909
    assert frame["row_share"].sum() == pytest.approx(1.0)
    assert set(frame["outcome"]) == {"kept", "set aside"}


def len_of(shop: Shop, table: str) -> int:
    return int(shop.table(table).count().execute())


@pytest.mark.real_data
def test_revenue_and_returns_equal_plain_sql_on_the_files(shop: Shop) -> None:
    """Second road: the rules written out once more over the csv files, in one query without the adapter."""
    files = real_data("online_retail") / "*.csv"
    row = duckdb.sql(
        f"""WITH raw AS (SELECT *, upper(StockCode) AS code, CAST(Quantity AS INT) AS q, CAST(UnitPrice AS DECIMAL(18,4)) AS p
            FROM read_csv('{files}', all_varchar=true)),
        goods AS (SELECT * FROM raw WHERE NOT regexp_full_match(code, 'POST|DOT|C2|M|D|S|B|BANK CHARGES|AMAZONFEE|CRUK|GIFT_.*'))
        SELECT sum(q * p) FILTER (InvoiceNo NOT LIKE 'C%' AND q > 0), sum(-q * p) FILTER (InvoiceNo LIKE 'C%'),
            count(DISTINCT InvoiceNo) FILTER (InvoiceNo NOT LIKE 'C%' AND q > 0 AND (p > 0 OR CustomerID IS NOT NULL)) FROM goods"""
    ).fetchone()
    con = shop.connection.con
    ours = con.sql(
        "SELECT (SELECT sum(revenue_amount) FROM order_lines), (SELECT sum(refund_amount) FROM returns)"
    ).fetchone()
    assert row is not None
    assert ours == row[:2]
    assert con.sql("SELECT count(DISTINCT order_id) FROM order_lines").fetchone() == row[2:]


@pytest.mark.real_data
def test_days_are_explained(shop: Shop) -> None:
    kinds = shop.days["kind"].value_counts().to_dict()
    assert kinds == {"sold": 304, "closed weekday": 53, "holiday closure": 15, "closed": 1, "part of a day": 1}
    closed = shop.days.loc[shop.days["kind"] == "closed weekday", "day"]
    assert set(closed.dt.day_name()) == {"Saturday"}
    assert shop.coverage is not None
    assert str(shop.coverage.last) == "2011-12-08", "the last file ends at noon"


@pytest.mark.real_data
def test_what_the_checks_say(shop: Shop) -> None:
    found = {(f.column, f.rule): f.n_rows for f in checks.check_shop(shop)}
    assert not [f for f in checks.check_shop(shop) if f.severity == "error"]
    assert found[("quantity", "over 50 times the 99th percentile")] == 3  # 80,995 and 74,215 and 12,540 pieces: known
    assert found[("product_id", "codes that differ only in case: one product, in capitals")] == 112


def test_each_line_gets_the_reason_of_the_first_rule_that_fits(small: Shop) -> None:
    assert small.staged is not None
    counted = {item.reason: item.n_rows for item in small.staged.accounting}
    assert counted == pd.Series([reason for _, reason in LINES]).value_counts().to_dict()
    assert set(counted) == set(online_retail.RULES)
    assert all(item.rule for item in small.staged.accounting)


def test_lines_returns_products_and_customers_by_hand(small: Shop) -> None:
    lines = frame_of(small, "order_lines")
    assert lines["order_id"].tolist() == ["536365", "536365", "536366", "536366", "536366", "536379"]
    assert lines["revenue_amount"].sum() == pytest.approx(7 * 2.55 + 2 * 2.55 + 0.001 + 3.29)
    assert lines["customer_id"].dropna().tolist() == ["17850", "17850", "12647"]
    assert str(lines["ordered_at"].iloc[0]) == "2011-07-01 08:30:00"  # British summer time
    back = frame_of(small, "returns")
    assert (back["quantity"].tolist(), back["refund_amount"].tolist()) == ([2.0], [5.1])
    names = frame_of(small, "products").set_index("product_id")["name"].to_dict()
    assert names["85123A"] == "WHITE HEART", "the most frequent of three descriptions"
    assert set(frame_of(small, "customers")["customer_id"]) == {"17850", "12583", "14911", "14527", "12647"}


def test_xlsx_parquet_and_daily_files_give_the_same_tables(small: Shop, tmp_path: Path) -> None:
    frame = pd.DataFrame([line for line, _ in LINES], columns=HEADER)
    stamped = frame.assign(InvoiceDate=pd.to_datetime(frame["InvoiceDate"]))
    kinds = {
        "Quantity": int,
        "UnitPrice": float,
        "CustomerID": float,
        "InvoiceDate": lambda v: pd.Timestamp(v).to_pydatetime(),
    }
    write_xlsx(frame, tmp_path / "x" / "Online Retail.xlsx", kinds=kinds)
    (tmp_path / "p").mkdir()
    stamped.to_parquet(tmp_path / "p" / "lines.parquet", index=False)
    for n in range(3):
        write_csv(frame.iloc[n::3], tmp_path / "d" / f"2011-07-0{n + 1}.csv")
    for folder in ("x", "p", "d"):
        other = opening.open_shop(tmp_path / folder, root=tmp_path)
        for table in small.tables:
            pd.testing.assert_frame_equal(frame_of(other, table), frame_of(small, table), obj=f"{folder} {table}")


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    frame = pd.DataFrame([line for line, _ in LINES], columns=HEADER).rename(columns={"UnitPrice": "Unit Price"})
    write_csv(frame, tmp_path / "bad" / "lines.csv")
    with pytest.raises(SourceError, match=r"Online Retail: no column 'UnitPrice'; did you mean 'Unit Price'\?"):
        opening.open_shop(tmp_path / "bad", root=tmp_path)
