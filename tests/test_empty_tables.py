"""Tables without a row, under their contract, are asked like any other: every public table function answers."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest

from opslib import kpis, positioning, segmentation
from opslib.contracts import CONTRACTS
from opslib.metrics import with_local_days
from opslib.periods import Coverage, Period
from opslib.shop.opening import open_shop
from tests.engines.cases import Case, cases, settled
from tests.engines.shops import World
from tests.shop.builders import write_csv, write_shop

MONTH = Period.parse("2026-03-01", "2026-03-31")
#: Cases that pick a product of the shop by hand, or open a result: asked here as a page asks.
OWN: dict[str, Case] = {
    "segmentation.segment_clusters": lambda w: segmentation.segment_clusters(
        segmentation.customer_features(w.table("order_lines"), as_of=w.as_of, products=w.table("products")),
        as_of=w.as_of,
    ),
    "positioning.substitutes": lambda w: positioning.substitutes(
        w.table("order_lines"), w.table("products"), period=w.period
    ),
    "positioning.rivals": lambda w: positioning.rivals(
        w.table("events"), w.table("order_lines"), w.table("products"), period=w.period, min_support=0.0001
    )[0],
    "positioning.cannibalisation": lambda w: positioning.cannibalisation(
        w.table("order_lines"), w.table("products"), groups=pd.DataFrame({"item": [], "group": []}), period=w.period
    ),
    "positioning.match_products": lambda w: (
        positioning.match_products(
            w.table("products"), w.table("competitor_products"), known=w.table("competitor_prices")
        ).pairs
    ),
    "positioning.what_if": lambda w: (
        positioning.what_if(
            positioning.price_response(w.table("order_lines"), w.table("products"), period=w.period),
            w.table("products"),
            product_id="",
        ).curve
    ),
}
#: Functions that cannot answer, and why.
EXCEPTIONS = {
    "segmentation.fit_lifetime": "a model of nobody: the documented error; pages ask holdout_check, which answers",
}
#: Answers with a row for every class, factor, quantile or day, whoever is in it.
FIXED = {
    "classification.cell_summary", "classification.stage_summary", "content.topic_pages", "investigation.daily_course",
    "investigation.factor_effects", "kpis.concentration", "kpis.decompose_change", "kpis.kpi_series",
    "kpis.kpi_table", "paths.commerce_stage", "paths.steps_seen", "paths.two_largest", "metrics.unit_statistics", "metrics.daily_values", "segmentation.rfm_coverage",
    "segmentation.rfm_grid", "segmentation.segment_sizes", "segmentation.stage_sizes", "segmentation.tier_sizes",
    "segmentation.value_quantiles",
}  # fmt: skip
ASKED = sorted(name for name in cases() if not name.startswith("shop.") and name not in EXCEPTIONS)


@functools.cache
def empty_world() -> World:
    """A shop on files all of whose tables, of every contract, are without a row."""
    folder = Path(tempfile.mkdtemp(prefix="opslib-empty-"))
    write_csv(pd.DataFrame({"product_id": ["a"], "price": ["1.00"]}), folder / "products.csv")
    files = {"files": str(folder / "products.csv"), "columns": {"product_id": "product_id", "price": "price"}}
    described = {"name": "empty", "title": "Empty", "time_zone": "Europe/Berlin", "simulated": True}
    shop = open_shop(write_shop(folder, tables={"products": files}, **described), root=folder)
    tables = with_local_days({name: shop.empty_table(name) for name in CONTRACTS}, zone=shop.time_zone)
    return World(
        shop=dataclasses.replace(shop, tables=MappingProxyType(tables)),
        period=MONTH,
        baseline=MONTH.previous(),
        as_of=MONTH.end,
        coverage=Coverage(date(2025, 1, 1), MONTH.end),
    )


def frames(answer: Any) -> list[pd.DataFrame]:
    """Every frame of an answer, however deep."""
    if isinstance(answer, pd.DataFrame):
        return [answer]
    if dataclasses.is_dataclass(answer):
        return [f for field in dataclasses.fields(answer) for f in frames(settled(getattr(answer, field.name)))]
    if isinstance(answer, (dict, tuple, list)):
        parts = answer.values() if isinstance(answer, dict) else answer
        return [f for part in parts for f in frames(settled(part))]
    return []


@pytest.mark.parametrize("name", ASKED)
def test_tables_without_a_row_are_answered_without_one(name: str) -> None:
    answer = settled(OWN.get(name, cases()[name])(empty_world()))
    assert answer is not None
    if name not in FIXED:
        assert [len(frame) for frame in frames(answer)] == [0] * len(frames(answer))


@pytest.mark.parametrize("name", ["kpi_table", "shop_kpis"])
def test_a_table_that_is_not_there_is_not_counted_as_none(name: str) -> None:
    seen = {"period": MONTH, "coverage": empty_world().coverage} if name == "kpi_table" else {}
    assert len(getattr(kpis, name)({}, **seen)) == 0


def test_every_exception_is_a_function_that_is_asked_elsewhere() -> None:
    assert {*EXCEPTIONS, *OWN, *FIXED} <= set(cases())
