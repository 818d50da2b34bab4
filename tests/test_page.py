"""The seam of pages: one way in, sections, one way out."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from opslib import engine, open_page
from opslib import page as page_module
from opslib.contracts import CONTRACTS
from opslib.errors import ContractError, ParameterError
from opslib.finding import About, Finding, Limits
from opslib.shop import reads
from opslib.shop.latest import RUN_FOLDER
from tests.shop.builders import write_csv, write_shop


@pytest.fixture
def shown(monkeypatch) -> list:
    """What a page displays, in order."""
    kept: list = []
    monkeypatch.setattr(page_module, "display", lambda *values, **options: kept.extend(values))
    return kept


@pytest.fixture
def few(tmp_path) -> Path:
    """A shop of two orders: no other table, no optional column."""
    lines = "order_id,product_id,ordered_at,quantity,unit_price,region\n1,a,2026-03-01 10:00,1,5\n2,a,2026-03-02 10:00,2,5\n"
    (tmp_path / "orders.csv").write_text(lines.replace(",region", ""))
    path = tmp_path / "few.yml"
    names = ("order_id", "product_id", "ordered_at", "quantity", "unit_price")
    columns = ", ".join(f"{name}: {name}" for name in names)
    path.write_text(
        "name: few_lines\ntitle: Few\ncurrency: EUR\ntime_zone: Europe/Berlin\nprices_include_tax: false\n"
        f"tables:\n  order_lines:\n    files: {tmp_path}/orders.csv\n    columns: {{{columns}}}\n"
    )
    return path


def test_a_table_that_the_shop_lacks_is_empty_and_under_contract(few, shown):
    page = open_page(str(few), default="all")
    for name, contract in CONTRACTS.items():
        table = page.table(name)
        assert {column.name for column in contract.columns} <= set(table.columns), name
        assert len(engine.collect(table)) == (2 if name == "order_lines" else 0), name
    assert engine.is_empty(page.table("order_lines"), "country")
    assert set(page.tables) == {"order_lines"}
    with pytest.raises(ContractError, match="order_line"):
        page.table("order_line")


def test_what_was_asked_for_is_noted_whether_there_or_not(few, shown):
    page = open_page(str(few), default="all")
    page.table("reviews")
    page.section("visits", needs=("events",))
    assert {("table", "reviews"), ("table", "events"), ("settings", "few_lines"), ("days", "few_lines")} <= set(
        reads.noted()
    )
    assert ("table", "order_lines") not in reads.noted()
    page.tables["order_lines"]
    assert ("table", "order_lines") in reads.noted()


def test_with_a_cut_every_table_counts_as_asked_for_since_any_may_link_the_rows_to_it(few, shown):
    open_page(str(few), default="all", where="product_id = a", minimum=1)
    assert {name for kind, name in reads.noted() if kind == "table"} == set(CONTRACTS)


def test_rows_are_counted_of_the_tables_that_were_asked_for(few, shown):
    page = open_page(str(few), default="all")
    page.table("reviews")
    page.finish(answer="")
    assert [row["table"] for row in shown[-1].tables] == ["order_lines"]  # none that is there was asked for: all are
    (few.parent / "reviews.csv").write_text("review_id,product_id,written_at,rating\n1,a,2026-03-01 10:00,5\n")
    few.write_text(
        few.read_text() + f"  reviews:\n    files: {few.parent}/reviews.csv\n"
        "    columns: {review_id: review_id, product_id: product_id, written_at: written_at, rating: rating}\n"
    )
    page = open_page(str(few), default="all")
    page.table("reviews")
    page.finish(answer="")
    assert [row["table"] for row in shown[-1].tables] == ["reviews"]


@pytest.fixture
def doubtful(tmp_path) -> Path:
    """Two orders, one of which brought 10 and gave 12 back; customers of whom one stands twice."""
    write_csv(pd.DataFrame({"order_id": ["1", "2"], "product_id": "a", "ordered_at": ["2026-03-01", "2026-03-02"], "quantity": 1,
                            "unit_price": 10}), tmp_path / "orders.csv")  # fmt: skip
    write_csv(
        pd.DataFrame({"return_id": ["r"], "order_id": ["1"], "returned_at": ["2026-03-02"], "refund_amount": [12]}),
        tmp_path / "back.csv",
    )
    write_csv(pd.DataFrame({"customer_id": ["x", "x", "y"]}), tmp_path / "people.csv")
    sources = {"order_lines": "orders.csv", "returns": "back.csv", "customers": "people.csv"}
    tables = {
        name: {"files": file, "columns": {column: column for column in pd.read_csv(tmp_path / file).columns}}
        for name, file in sources.items()
    }
    return write_shop(tmp_path, tables=tables)


DOUBTS = {
    "returns": "100\xa0% of returns: more money back than the order brought; tax or shipping in it, or the same refund twice.",
    "customers": "Customers customer id breaks the rule 'unique key' (67\xa0% of rows); figures of these rows are not to be relied on.",
}


@pytest.mark.parametrize("read", [("order_lines",), ("returns",), ("customers",), ("returns", "customers")])
def test_what_the_checks_say_stands_on_every_page_that_reads_the_table(doubtful, shown, read):
    page = open_page(str(doubtful), default="all")
    for table in read:
        page.table(table)
    page.finish(answer="", limits=["Own."])
    (limits,) = (item for item in shown if isinstance(item, Limits))
    said = [DOUBTS[name] for name in ("customers", "returns") if name in read]  # errors first
    assert limits.sentences == (*([f"Whether its figures are right. {' '.join(said)}"] if said else []), "Own.")


def test_what_a_page_has_told_of_its_data_is_not_said_again(doubtful, shown):
    page = open_page(str(doubtful), default="all")
    page.table("returns")
    page.section("rules")
    told = Finding(key="k", sentence=DOUBTS["returns"], kind="measured", section="rules", about=About(people=None))
    page.finish(answer="", findings=[told])
    (limits,) = (item for item in shown if isinstance(item, Limits))
    assert limits.sentences == ()


@pytest.mark.parametrize(
    ("needs", "missing"),
    [
        (("order_lines",), []),
        (("reviews",), ["reviews"]),
        ((("reviews", "order_lines"),), []),
        (("order_lines.customer_id",), ["order_lines.customer_id"]),
        (("order_lines.quantity",), []),
        ((("reviews", "events"), "order_lines"), ["reviews or events"]),
    ],
)
def test_a_section_says_which_of_its_needs_the_shop_lacks(few, shown, needs, missing):
    open_page(str(few), default="all").section("one", needs=needs)
    (bundle,) = shown
    said = bundle["application/vnd.opslib.section+json"]
    assert (said["id"], [gap["table"] for gap in said["missing"]]) == ("one", missing)


def test_a_finding_of_an_unknown_section_or_department_is_refused(few, shown):
    page = open_page(str(few), default="all")
    page.section("sales", needs=("order_lines",))
    wrong = Finding(key="k", sentence="S.", kind="described", section="sale")
    with pytest.raises(ParameterError, match="'sale', which this page has not; did you mean 'sales'"):
        page.finish(answer="", findings=[wrong])
    nobody = Finding(key="k", sentence="S.", kind="described", section="sales", department="Byuing")
    with pytest.raises(ParameterError, match=r"Byuing.*Buying"):
        page.finish(answer="", findings=[nobody])
    with pytest.raises(ParameterError, match="stands twice"):
        page.section("sales")


def test_findings_of_a_section_without_its_data_stay_off_the_page(few, shown):
    page = open_page(str(few), default="all")
    page.section("stars", needs=("reviews",))
    page.section("sales", needs=("order_lines",))
    said = [Finding(key=key, sentence=key, kind="described", section=key) for key in ("stars", "sales")]
    page.finish(answer="sales", findings=said)
    assert [item.key for item in shown if isinstance(item, Finding)] == ["sales"]


def test_findings_of_another_page_are_of_this_run_and_of_the_same_days(few, shown, tmp_path, monkeypatch):
    page = open_page(str(few), default="all")
    monkeypatch.setenv(RUN_FOLDER, str(tmp_path / ".building"))
    assert page.findings("70_statistics") == ()
    assert "70_statistics" in shown[-1]["text/plain"]
    (tmp_path / ".building").mkdir()
    found = Finding(key="revenue", sentence="Revenue was 15.", kind="measured").to_json()
    days = {"start": page.period.start.isoformat(), "end": page.period.end.isoformat()}
    record = {"harvest": {"findings": [found], "provenance": days}}
    file = tmp_path / ".building" / "70_statistics.json"
    file.write_text(json.dumps(record))
    assert [item.sentence for item in page.findings("70_statistics")] == ["Revenue was 15."]
    record["harvest"]["provenance"]["end"] = "2026-12-31"
    file.write_text(json.dumps(record))
    assert page.findings("70_statistics") == ()
    assert ("page", "70_statistics") in reads.noted()


def test_a_list_of_orders_without_lines_names_no_product(few, shown):
    """Its one product 'not known' once was a steady seller of class A that should never run out."""
    text = few.read_text().replace("product_id: product_id, ", "").replace("quantity: quantity, ", "")
    few.write_text(text)
    page = open_page(str(few), default="all")
    page.section("products", needs=("order_lines.product_id",))
    page.section("series", needs=("order_lines",))
    page.section("groups", needs=(("order_lines.product_id", "order_lines.country"),))
    missing = [item["application/vnd.opslib.section+json"]["missing"] for item in shown if isinstance(item, dict)]
    assert [[gap["table"] for gap in gaps] for gaps in missing] == [
        ["order_lines.product_id"], [], ["order_lines.product_id or order_lines.country"],
    ]  # fmt: skip
