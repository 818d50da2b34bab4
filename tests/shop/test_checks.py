"""Contracts as findings: each rule broken once, counted, with an example; and silence where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import contracts, engine
from opslib.errors import ContractError
from opslib.periods import Period
from opslib.shop import checks, opening
from opslib.shop.opening import Shop
from tests.shop.builders import COLUMNS, ORDERS, REVENUE, open_orders, write_csv, write_shop

Rules: TypeAlias = dict[tuple[str, str], tuple[str, int, str]]


def rules_of(shop: Shop, *, found: Callable[[Shop], tuple[contracts.Violation, ...]] = checks.check_shop) -> Rules:
    return {(f.column, f.rule): (f.severity, f.n_rows, f.example) for f in found(shop)}


def known_rules(shop: Shop) -> Rules:
    return rules_of(shop, found=checks.known_violations)


def open_rows(folder: Path, frame: pd.DataFrame, **table: object) -> Shop:
    write_csv(frame, folder / "orders.csv")
    return open_orders(folder, "orders.csv", **table)  # type: ignore[arg-type]


def test_clean_lines_have_nothing_but_guests(tmp_path: Path) -> None:
    found = rules_of(open_rows(tmp_path, ORDERS))
    assert found == {("customer_id", "without customer: left out of customer figures"): ("warning", 3, "")}


def test_each_rule_is_broken_once(tmp_path: Path) -> None:
    frame = pd.concat([ORDERS] * 12, ignore_index=True).assign(Pos=[str(n) for n in range(108)])
    frame["No"] = [f"A{n}" for n in range(108)]
    frame["When"] = [f"2026-03-{1 + n // 4:02d} 10:{n % 60:02d}:00" for n in range(108)]
    frame["State"] = "paid"
    frame.loc[0, "Price"] = "-1"
    frame.loc[1, "Qty"] = "0"
    frame.loc[2, "Price"] = "0"
    frame.loc[4, "State"] = "voided"
    frame.loc[5, "Qty"] = "90000"
    frame.loc[6, "Off"] = "500"
    frame.loc[7, "When"] = "1999-01-01 00:00:00"
    columns = {**COLUMNS, "status": "State"}
    found = rules_of(open_rows(tmp_path, frame, columns=columns))
    assert found[("unit_price", "at least 0")] == ("error", 1, "-1.0000")
    assert found[("quantity", "quantity 0")] == ("note", 1, "A1 p2")
    assert found[("unit_price", "price 0")] == ("note", 1, "A2 p1")
    assert found[("status", "not paid: no revenue")] == ("note", 1, "A4 p1")
    assert found[("quantity", "over 50 times the 99th percentile")] == ("warning", 1, "A5 p2")
    assert found[("revenue_amount", "revenue below 0")][1] == 2  # price -1, and 500 off
    assert found[("ordered_at", "within a year of nearly all other rows")] == ("warning", 1, "1999-01-01")


def test_identical_lines_are_counted_once_each(tmp_path: Path) -> None:
    frame = pd.concat([ORDERS, ORDERS.iloc[[2]], ORDERS.iloc[[2]]])
    columns = {ours: theirs for ours, theirs in COLUMNS.items() if ours != "line_id"}
    found = rules_of(open_rows(tmp_path, frame, columns=columns))
    assert found[("order_id, product_id", "identical lines: kept, numbered apart")] == ("note", 2, "A2 p1")


def test_references_name_what_points_nowhere(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    write_csv(pd.DataFrame({"product_id": ["p1", "p2"], "name": ["Mug", "Tea"]}), tmp_path / "products.csv")
    write_csv(
        pd.DataFrame({"return_id": ["r1", "r2"], "order_id": ["A1", "A9"], "returned_at": "2026-03-05 10:00"}),
        tmp_path / "returns.csv",
    )
    tables = {
        "order_lines": {"files": "orders.csv", "columns": COLUMNS},
        "products": {"files": "products.csv"},
        "returns": {"files": "returns.csv"},
    }
    shop = opening.open_shop(write_shop(tmp_path, tables=tables), root=tmp_path)
    found = rules_of(shop)
    assert found[("product_id", "found in products.product_id")] == ("warning", 2, "p3")
    assert found[("order_id", "found in order_lines.order_id")] == ("warning", 1, "A9")
    accounting = checks.health_accounting(shop)
    assert accounting[["table", "n_rows"]].to_numpy().tolist() == [["order_lines", 9], ["products", 2], ["returns", 2]]


def test_orders_that_name_no_visit_are_said(tmp_path: Path) -> None:
    visits = pd.DataFrame({"session_id": ["s1", "s2"], "visitor_id": ["v1", "v2"], "started_at": "2026-03-01 09:00"})
    write_csv(visits, tmp_path / "sessions.csv")
    write_csv(ORDERS.assign(Visit=["s1", *[None] * 8]), tmp_path / "orders.csv")
    rule = ("session_id", "names the visit of an order: without it conversion reads 0")
    linked = {"files": "orders.csv", "columns": {**COLUMNS, "session_id": "Visit"}}
    for orders, expected in (({"files": "orders.csv", "columns": COLUMNS}, ("warning", 9, "")), (linked, None)):
        tables = {"order_lines": orders, "sessions": {"files": "sessions.csv"}}
        shop = opening.open_shop(write_shop(tmp_path, tables=tables), root=tmp_path)
        assert rules_of(shop).get(rule) == expected


def test_examples_never_name_people(tmp_path: Path) -> None:
    write_csv(ORDERS, tmp_path / "orders.csv")
    write_csv(pd.DataFrame({"customer_id": ["c2", "c2"]}), tmp_path / "customers.csv")
    tables = {"order_lines": {"files": "orders.csv", "columns": COLUMNS}, "customers": {"files": "customers.csv"}}
    found = rules_of(opening.open_shop(write_shop(tmp_path, tables=tables), root=tmp_path))
    assert found[("customer_id", "found in customers.customer_id")] == ("warning", 5, "")
    assert found[("customer_id", "unique key")] == ("error", 2, "")


def test_a_table_alone_is_checked_as_a_frame() -> None:
    reviews = pd.DataFrame({"review_id": ["1", "2", "2", None], "rating": [5.0, 0.0, 6.0, float("nan")]})
    found = {(f.column, f.rule): (f.n_rows, round(f.share, 2)) for f in checks.check_table(reviews, name="reviews")}
    assert found == {
        ("review_id", "not null"): (1, 0.25), ("rating", "not null"): (1, 0.25), ("rating", "at least 1"): (1, 0.25),
        ("rating", "at most 5"): (1, 0.25), ("review_id", "unique key"): (2, 0.5),
    }  # fmt: skip
    absent = checks.check_table(pd.DataFrame({"review_id": ["1"]}), name="reviews")
    assert [(f.column, f.rule, f.severity) for f in absent] == [("rating", "required column", "error")]


def test_empty_tables_break_no_rule_but_a_missing_column() -> None:
    empty = pd.DataFrame({"review_id": pd.Series([], dtype="str"), "rating": pd.Series([], dtype="float64")})
    assert checks.check_table(empty, name="reviews") == ()


def test_contracts_refuse_unknown_names() -> None:
    with pytest.raises(ContractError, match=r"no table 'order_line'; did you mean 'order_lines'\?"):
        contracts.require_table("order_line")
    with pytest.raises(ContractError, match=r"order_lines: no column 'qty' in its contract"):
        contracts.require_table("order_lines").column("qty")


def test_errors_come_first(tmp_path: Path) -> None:
    frame = ORDERS.copy()
    frame.loc[0, "Price"] = "-1"
    findings = checks.check_shop(open_rows(tmp_path, frame))
    order = [checks.SEVERITIES.index(f.severity) for f in findings]
    assert order == sorted(order)
    assert findings[0].severity == "error"


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(-2, 8)), min_size=1, max_size=30))
def test_counts_equal_pandas_and_rows_order_does_not_matter(rows: list[tuple[str, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["review_id", "rating"]).astype({"rating": "float64"})
    found = {(f.column, f.rule): f.n_rows for f in checks.check_table(frame, name="reviews")}
    assert found.get(("rating", "at least 1"), 0) == int((frame["rating"] < 1).sum())
    assert found.get(("rating", "at most 5"), 0) == int((frame["rating"] > 5).sum())
    assert found.get(("review_id", "unique key"), 0) == int(frame["review_id"].duplicated(keep=False).sum())
    assert found == {(f.column, f.rule): f.n_rows for f in checks.check_table(frame[::-1], name="reviews")}


def test_findings_are_worked_out_once_for_the_same_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_rows(tmp_path, ORDERS)
    engine.clear_log()
    first = checks.known_violations(shop)
    assert engine.query_log() == ()  # what prepares the data is not what a page was computed from
    monkeypatch.setattr(checks, "check_table", lambda *rows, **name: pytest.fail("checked again"))
    assert checks.known_violations(opening.open_shop(tmp_path / "shop.yml", root=tmp_path)) == first


def test_other_content_or_other_rules_are_checked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = known_rules(open_rows(tmp_path, ORDERS))
    worse = ORDERS.assign(Qty=["0", *ORDERS["Qty"][1:]])
    assert known_rules(open_rows(tmp_path, worse)) == before | {
        ("quantity", "quantity 0"): ("note", 1, "A1 p1"),
        ("revenue_amount", "revenue below 0"): ("warning", 1, "A1 p1"),  # the discount of 1 stays
    }
    monkeypatch.setattr(checks, "_rules_version", lambda own: "other")
    monkeypatch.setattr(checks, "check_table", lambda *rows, **name: ())
    monkeypatch.setattr(checks, "_suspicious", lambda lines: ())
    assert known_rules(open_rows(tmp_path, worse)) == {}


def test_where_nothing_may_be_written_findings_are_the_same(tmp_path: Path) -> None:
    shop = open_rows(tmp_path, ORDERS)
    nowhere = replace(shop.staged, folder=Path("/proc/nowhere"))
    assert checks.known_violations(replace(shop, staged=nowhere)) == checks.check_shop(shop)


def test_only_paid_lines_are_revenue_and_the_others_are_counted(tmp_path: Path) -> None:
    frame = ORDERS.assign(State=["paid"] * 2 + ["voided"] + ["paid"] * 6)
    lines = open_rows(tmp_path, frame, columns={**COLUMNS, "status": "State"}).table("order_lines")
    assert engine.collect(checks.lines_by_status(lines)).to_dict("records") == [
        {
            "status": "paid",
            "n_lines": 8,
            "n_orders": 3,
            "n_customers": 2,
            "revenue_amount": pytest.approx(REVENUE - 30),
        },
        {"status": "voided", "n_lines": 1, "n_orders": 1, "n_customers": 1, "revenue_amount": 30.0},
    ]

    def paid(first: str, last: str) -> int:
        counted = engine.collect(checks.lines_by_status(lines, period=Period.parse(first, last)))
        return int(counted.loc[counted["status"] == "paid", "n_lines"].sum())

    # A4 was placed at 23:30 in Berlin on 29 March, 21:30 UTC; both ends of a period are in it.
    assert paid("2026-03-29", "2026-03-29") == 3
    assert paid("2026-03-30", "2026-03-31") == 0
    assert paid("2026-03-01", "2026-03-28") + paid("2026-03-29", "2026-03-29") == paid("2026-03-01", "2026-03-29") == 8


def test_the_empty_table_has_no_status_and_breaks_no_rule(tmp_path: Path) -> None:
    shop = open_rows(tmp_path, ORDERS)
    empty = shop.empty_table("order_lines")
    assert engine.collect(checks.lines_by_status(empty)).empty
    assert checks.check_table(empty, name="order_lines") == ()


def test_capacity_of_a_department_that_nobody_knows_is_named_with_the_nearest(tmp_path: Path) -> None:
    rows = {"department": ["Markting", "purchasing", "Legal"], "month": "2026-03-01", "person_days": 5.0}
    write_csv(pd.DataFrame(rows), tmp_path / "capacity.csv")
    tables = {"capacity": {"files": "capacity.csv"}}
    shop = opening.open_shop(write_shop(tmp_path, tables=tables, departments=["Legal"]), root=tmp_path)
    found = known_rules(shop)
    assert found == {("department", "no department 'Markting': did you mean 'Marketing'?"): ("warning", 1, "Markting")}
    added = opening.open_shop(write_shop(tmp_path, tables=tables, departments=["Legal", "Markting"]), root=tmp_path)
    assert known_rules(added) == {}
