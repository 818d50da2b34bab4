"""Tables made by one SELECT over raw files: what it may read, and that its totals agree with the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opslib.errors import ShopFileError, SourceError
from opslib.shop import opening
from opslib.shop.checks import check_shop, health_accounting
from opslib.shop.opening import Shop
from tests.shop.builders import frame_of, write_shop
from tests.shop.test_field import FIELD, revenue

pytestmark = pytest.mark.fault

#: A shop whose customer stands in another file, whose lines carry totals, and whose refunds are negative lines.
HEADS = "no;kunde;am\n1;anna;05.10.2026\n2;ben;06.10.2026\n"
LINES = "no;artikel;menge;summe\n1;MUG;3;10,00\n1;LAMP;1;25,00\n2;MUG;2;6,00\n2;MUG;-1;-3,00\n"
SELL = """
SELECT h.no AS order_id, h.kunde AS customer_id, l.artikel AS product_id, strptime(h.am, '%d.%m.%Y') AS ordered_at, CAST(l.menge AS INT) AS quantity,
    CAST(replace(l.summe, ',', '.') AS DECIMAL(18,4)) / CAST(l.menge AS INT) AS unit_price,
    CAST(replace(l.summe, ',', '.') AS DECIMAL(18,4)) AS revenue_amount
FROM lines AS l JOIN heads AS h USING (no) WHERE CAST(l.menge AS INT) > 0;
"""
SOLD = "select sum(cast(replace(summe, ',', '.') as decimal(18,4))) from lines where menge not like '-%'"


def made(
    folder: Path,
    query: str = SELL,
    *,
    reconcile: list[dict[str, str]] | None = None,
    files: dict[str, str] | None = None,
    **more: Any,
) -> Shop:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "heads.csv").write_text(HEADS)
    (folder / "lines.csv").write_text(LINES)
    (folder / "order_lines.sql").write_text(query)
    source = {
        "sql": "order_lines.sql",
        "files": files or {"heads": "heads.csv", "lines": "lines.csv"},
        "reconcile": reconcile or [],
        **more,
    }
    return opening.open_shop(write_shop(folder, tables={"order_lines": source}), root=folder)


def test_a_select_joins_files_and_its_totals_agree_with_them(tmp_path: Path) -> None:
    agree = [
        {"source": SOLD, "table": "revenue"},
        {"source": "select count(*) from heads", "table": "orders"},
        {"source": "select 6", "table": "quantity"},
    ]
    shop = made(tmp_path, reconcile=agree)
    lines = frame_of(shop, "order_lines")
    assert (len(lines), float(lines["revenue_amount"].sum())) == (3, 41.0)  # 10 + 25 + 6
    assert set(lines["customer_id"]) == {"anna", "ben"}
    assert str(lines["ordered_at"].min()) == "2026-10-04 22:00:00"  # midnight in Berlin
    rows = health_accounting(shop)
    assert rows.set_index("source")["n_rows"].to_dict() == {
        "rows of the raw file heads for order_lines": 2,
        "rows of the raw file lines for order_lines": 4,
        "rows in the files of order_lines": 3,
    }
    assert not [v for v in check_shop(shop) if "reconciled" in v.rule]


def test_what_is_seen_in_a_file_of_two_tables_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("order,sku,made,price\n1,Salt &amp; Pepper,2026-10-05,5\n")
    (tmp_path / "lines.sql").write_text(
        'SELECT "order" AS order_id, sku AS product_id, made AS ordered_at, 1 AS quantity, price AS unit_price FROM o'
    )
    (tmp_path / "things.sql").write_text("SELECT DISTINCT sku AS product_id FROM o")
    tables = {
        name: {"sql": file, "files": {"o": "o.csv"}}
        for name, file in (("order_lines", "lines.sql"), ("products", "things.sql"))
    }
    found = check_shop(opening.open_shop(write_shop(tmp_path, tables=tables), root=tmp_path))
    assert sum("HTML entities" in violation.rule for violation in found) == 1


def test_without_reconcile_the_check_says_so(tmp_path: Path) -> None:
    found = [(v.table, v.rule, v.severity) for v in check_shop(made(tmp_path))]
    assert (
        "order_lines",
        "made by SQL and not reconciled with the files: write reconcile: in shop.yml",
        "warning",
    ) in found


def test_a_difference_stops_the_shop(tmp_path: Path) -> None:
    # The join loses order 2: its head is not there.
    query = SELL.replace("menge AS INT) > 0", "menge AS INT) > 0 AND h.no = '1'")
    with pytest.raises(
        SourceError,
        match=r"order_lines: not reconciled: revenue against .*the files give 41.0000, the table 35.0000",
    ):
        made(tmp_path, query, reconcile=[{"source": SOLD, "table": "revenue"}])
    with pytest.raises(SourceError, match=r"reconcile: 'revenu' is no measure; did you mean 'revenue'\?"):
        made(tmp_path, reconcile=[{"source": SOLD, "table": "revenu"}])
    with pytest.raises(SourceError, match="gives no number"):
        made(tmp_path, reconcile=[{"source": "select min(kunde) from heads", "table": "revenue"}])


SECRET = "select '1' as order_id, 'p' as product_id, '2026-10-05' as ordered_at, 1 as quantity, 1 as unit_price"


@pytest.mark.parametrize(
    "query",
    [
        f"{SECRET} FROM read_text('OUTSIDE')", f"{SECRET} FROM read_csv('OUTSIDE')", f"{SECRET} FROM 'OUTSIDE'", f"{SECRET} FROM read_parquet('OUTSIDE')",
        f"{SECRET} FROM glob('/*')", f"{SECRET} FROM 'https://127.0.0.1/x.csv'", f"{SECRET} FROM read_json('OUTSIDE')", f"{SECRET} FROM read_blob('OUTSIDE')",
        f"{SECRET} FROM (SELECT count(*) FROM read_csv('OUTSIDE'))",
    ],
)  # fmt: skip
def test_nothing_but_the_named_files_is_read(tmp_path: Path, query: str) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    with pytest.raises(
        SourceError, match=r"order_lines.sql: reads something else than its raw files: name it in files:"
    ):
        made(tmp_path / "shop", query.replace("OUTSIDE", str(tmp_path / "secret.csv")))


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO 'OUT'", "ATTACH 'OUT' AS x", "INSTALL httpfs", "LOAD httpfs", "SET enable_external_access = true", "DROP TABLE heads",
        f"{SECRET}; COPY heads TO 'OUT'", f"{SECRET}; {SECRET}", "CREATE TABLE t AS SELECT 1", "", "EXPORT DATABASE 'OUT'",
        "EXPLAIN SELECT 1", "CALL pragma_version()",
    ],
)  # fmt: skip
def test_nothing_but_one_select_is_run(tmp_path: Path, query: str) -> None:
    out = tmp_path / "out.csv"
    with pytest.raises(SourceError, match=r"order_lines.sql: .*(one SELECT|Parser|reads something else)"):
        made(tmp_path / "shop", query.replace("OUT", str(out)))
    assert not out.exists()
    assert (tmp_path / "shop" / "lines.csv").read_text() == LINES


def test_python_s_variables_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"order_lines.sql: "):
        made(tmp_path, f"{SECRET} FROM paths")  # a name that the reader itself holds while it runs


def test_a_broken_select_and_contradictions_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"order_lines.sql: .*lins"):
        made(tmp_path, SELL.replace("FROM lines", "FROM lins"))
    with pytest.raises(SourceError, match=r"column 'unit_price' is required"):
        made(
            tmp_path,
            "SELECT no AS order_id, artikel AS product_id, '2026-10-05' AS ordered_at, 1 AS quantity FROM lines",
        )
    with pytest.raises(ShopFileError, match="keep: no effect here; say it in the SELECT"):
        made(tmp_path, keep={"no": ["1"]})


def test_the_select_is_part_of_what_a_page_was_made_from(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = made(tmp_path, SELL.replace("> 0", "> 1"))
    assert first.fingerprints["order_lines"] != second.fingerprints["order_lines"]
    assert len(frame_of(second, "order_lines")) == 2  # 3 and 2 units


def test_several_lines_in_a_cell(tmp_path: Path) -> None:
    """BigCommerce writes an order's lines into one cell: 2 x 10 + 25."""
    query = r"""
    WITH items AS (SELECT *, unnest(string_split("Product Details", '|')) AS item, generate_subscripts(string_split("Product Details", '|'), 1) AS n FROM orders)
    SELECT "Order ID" AS order_id, n AS line_id, "Customer ID" AS customer_id, regexp_extract(item, 'Product SKU: ([^,]*)', 1) AS product_id,
        strptime("Order Date" || ' ' || "Order Time", '%d/%m/%Y %H:%M:%S') AS ordered_at, regexp_extract(item, 'Product Qty: (\d+)', 1) AS quantity,
        regexp_extract(item, 'Product Unit Price: ([\d.]+)', 1) AS unit_price FROM items
    """
    agree = [{"source": 'select sum("Subtotal (ex tax)"::decimal(18,4)) from orders', "table": "revenue"}]
    shop = made(tmp_path, query, files={"orders": str(FIELD / "bigcommerce/orders.csv")}, reconcile=agree)
    assert (revenue(shop), len(frame_of(shop, "order_lines"))) == (45, 2)


def test_nested_json_and_wide_files(tmp_path: Path) -> None:
    body = {
        "orders": [
            {
                "id": 1,
                "created": "2026-10-05T10:00:00Z",
                "items": [{"sku": "MUG", "n": 2, "price": "10.50"}, {"sku": "LAMP", "n": 1, "price": "25"}],
            }
        ]
    }
    (tmp_path / "o.json").write_text(json.dumps(body, indent=2))
    query = """
    WITH opened AS (SELECT id, created, unnest(from_json(items, '[{"sku":"VARCHAR","n":"INTEGER","price":"VARCHAR"}]')) AS i FROM orders)
    SELECT id AS order_id, i.sku AS product_id, created AS ordered_at, i.n AS quantity, i.price AS unit_price FROM opened
    """
    shop = made(tmp_path, query, files={"orders": "o.json"})
    assert (revenue(shop), len(frame_of(shop, "order_lines"))) == (46, 2)
    (tmp_path / "stock.csv").write_text("sku,2026-10-05,2026-10-06\nMUG,5,4\nLAMP,1,0\n")
    (tmp_path / "stock.sql").write_text(
        "SELECT sku AS product_id, day AS date, n AS n_on_hand FROM (UNPIVOT stock ON COLUMNS(* EXCLUDE (sku, _file, _row)) INTO NAME day VALUE n)"
    )
    source = {
        "sql": "stock.sql",
        "files": {"stock": "stock.csv"},
        "reconcile": [{"source": "select 10", "table": "n_on_hand"}],
    }
    shop = opening.open_shop(write_shop(tmp_path, tables={"stock_levels": source}), root=tmp_path)
    assert len(frame_of(shop, "stock_levels")) == 4


def test_numbers_that_sql_makes_are_numbers_whatever_the_files_are_written_in(tmp_path: Path) -> None:
    query = "SELECT '1' AS order_id, 'p' AS product_id, '2026-10-05' AS ordered_at, '1.000' AS quantity, CAST(1.125 AS DECIMAL(18,3)) AS unit_price"
    assert revenue(made(tmp_path, query, decimal=",", thousands=".")) == 1125
