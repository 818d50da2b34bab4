"""Every public table function, and how the parity tests ask it: found by introspection, so that none is forgotten."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from types import ModuleType
from typing import Any

import ibis
import numpy as np
import pandas as pd

from opslib import classification, engine, kpis, metrics, segmentation, sessions
from opslib.metrics import METRICS, Filter, unit_statistics, unit_values, with_local_days
from opslib.periods import Coverage, Period
from opslib.positioning import (
    category_verdicts,
    competition,
    elasticity,
    gaps,
    hedonic,
    matching,
    moves,
    pairs,
    perception,
    price_index,
    weeks,
    what_if,
)
from opslib.shop import checks, coverage
from opslib.shop.derived import with_contract_columns
from opslib.stats.estimates import Estimate
from opslib.stats.lifetime import BgNbd, GammaGamma
from tests.collecting import collected
from tests.conftest import ROOT
from tests.engines.shops import World, world

Case = Callable[[World], Any]

#: Modules of the room of a shop's data that take tables; the rest of it reads files.
SHOP_MODULES = ("shop.checks", "shop.coverage")
#: Public functions with a table among their parameters that no engine is asked about, and why.
EXCEPTIONS = {
    "positioning.told_apart": "takes the finished counts of perception_counts, which is compared itself",
    "positioning.brand_words": "takes the finished counts of perception_counts, which is compared itself",
    "kpis.current_value": "takes the finished figures of kpi_table, which is compared itself",
    "metrics.with_returns": "sets frames of pandas apart by returned_lines, which is compared itself",
    "metrics.require_table_columns": "looks at the names of columns only: nothing runs in an engine",
    "shop.checks.raw_totals": "what an adapter read beside the rows of an export: a database has none",
    "shop.checks.sorted_sources": "takes the finished rows of health_accounting, which is compared itself, and names files",
    "shop.coverage.coverage_of": "takes the finished days of observed_days, which is compared itself",
}
#: Annotations that stand for rows of a shop.
_TABLES = re.compile(r"\bTable\b|\bDataFrame\b|\bShop\b|\bir\.\w+")
CASES: dict[str, Case] = {}


def rooms() -> list[str]:
    """Domain rooms, sessions and metrics: what pyproject's layers name, as far as it exists."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    wanted = [
        name.strip(" ()")
        for layer in layers
        for name in layer.split("|")
        if {"segmentation", "sessions", "content"} & set(re.findall(r"\w+", layer))
    ]
    return [name for name in wanted if (ROOT / "opslib" / name).exists() or (ROOT / "opslib" / f"{name}.py").exists()]


def public_functions() -> dict[str, Callable[..., Any]]:
    """Public functions that take a table, by ``room.name``."""
    found = {}
    for room in (*rooms(), *SHOP_MODULES):
        for name, function in _exported(importlib.import_module(f"opslib.{room}")):
            if _takes_tables(function):
                found[f"{room}.{name}"] = function
    return found


def _exported(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions that a room offers: those that its ``__init__`` brings in, or, where that is empty, those of its modules."""
    inner = [
        importlib.import_module(f"{module.__name__}.{m.name}")
        for m in pkgutil.iter_modules(getattr(module, "__path__", []))
    ]
    offered = dict(_own_functions(module, module.__name__))
    yield from offered.items() or [pair for part in inner for pair in _own_functions(part, part.__name__)]


def _own_functions(module: ModuleType, home: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__.startswith(home) and not name.startswith("_"):
            yield name, value


def _takes_tables(function: Callable[..., Any]) -> bool:
    return any(_TABLES.search(str(p.annotation)) for p in inspect.signature(function).parameters.values())


def case(name: str) -> Callable[[Case], Case]:
    """Enter a case under the function's name."""

    def enter(ask: Case) -> Case:
        CASES[name] = ask
        return ask

    return enter


def lines_of(world: World) -> ibis.Table:
    return world.table("order_lines")


def local_tables(world: World) -> dict[str, ibis.Table]:
    return with_local_days(world.shop.tables, zone=world.shop.time_zone)


# --- sessions ---------------------------------------------------------------------------------------------------------


@case("sessions.sessionised")
def _(w: World) -> Any:
    raw = w.table("events").drop("session_id")
    return {"30": sessions.sessionised(raw), "5": sessions.sessionised(raw.drop("event_index"), timeout_minutes=5)}


@case("sessions.ordered_events")
def _(w: World) -> Any:
    return {str(collapse): sessions.ordered_events(w.table("events"), collapse=collapse) for collapse in (False, True)}


# --- metrics ----------------------------------------------------------------------------------------------------------


@case("metrics.paid")
def _(w: World) -> Any:
    return metrics.paid(lines_of(w))


@case("metrics.returned_lines")
def _(w: World) -> Any:
    lines = lines_of(w)
    back = ibis.ifelse(lines["unit_price"] > 15, -lines["quantity"], lines["quantity"])
    return metrics.returned_lines(lines.mutate(quantity=back))


@case("metrics.buyer")
def _(w: World) -> Any:
    return lines_of(w).select("order_id", "line_id", buyer=metrics.buyer(lines_of(w)))


@case("metrics.line_revenue")
def _(w: World) -> Any:
    raw = lines_of(w).drop("revenue_amount")
    tax = raw.mutate(tax_amount=raw["cost_amount"])
    return {
        "without tax": raw.select("order_id", "line_id", revenue=metrics.line_revenue(raw)),
        "with tax": tax.select("order_id", "line_id", revenue=metrics.line_revenue(tax, prices_include_tax=True)),
    }


@case("metrics.day_of")
def _(w: World) -> Any:
    table = w.table("searches")
    return {
        zone: table.select("search_id", day=metrics.day_of(table, "searched_at", zone=zone, name="searches"))
        for zone in ("America/New_York", "Asia/Kolkata")
    }


@case("metrics.order_day")
def _(w: World) -> Any:
    raw = lines_of(w).drop("ordered_on")
    keys = ("order_id", "line_id")
    return {"loaded": lines_of(w).select(*keys, day=metrics.order_day(lines_of(w))),
            "raw": raw.select(*keys, day=metrics.order_day(raw, zone=w.shop.time_zone))}  # fmt: skip


@case("metrics.order_totals")
def _(w: World) -> Any:
    return metrics.order_totals(lines_of(w))


@case("metrics.running_shares")
def _(w: World) -> Any:
    totals = metrics.order_totals(lines_of(w)).select("order_id", "revenue_amount")
    return metrics.running_shares(totals, column="revenue_amount")


@case("metrics.with_local_days")
def _(w: World) -> Any:
    return {name: table.select(*(c for c in table.columns if c.endswith("_on"))) for name, table in local_tables(w).items()
            if any(c.endswith("_on") for c in table.columns)}  # fmt: skip


@case("metrics.with_column")
def _(w: World) -> Any:
    tables = local_tables(w)
    return {
        "category": metrics.with_column(tables["order_lines"], "category", tables),
        "customer of a return": metrics.with_column(tables["returns"], "customer_id", tables),
        "device of an event": metrics.with_column(tables["events"], "device", tables),
        "no such column": metrics.with_column(tables["searches"], "no_such_column", tables, is_required=False),
    }


#: Every way to ask a filter, on columns with missing values.
FILTERS = (
    Filter("country", "=", "DE"), Filter("channel", "!=", "organic"), Filter("quantity", "<", 3), Filter("quantity", "<=", 2),
    Filter("unit_price", ">", 2), Filter("unit_price", ">=", 3), Filter("country", "in", ("DE", "AT", "GB")), Filter("device", "not in", ("phone",)),
    Filter("category", "!=", "vases"),
)  # fmt: skip


def countable(world: World) -> list[metrics.Metric]:
    """Metrics of the registry that the shop's tables can give; money back that some returns do not know is in no column."""
    known = world.shop.tables
    has_refunds = "refund_amount" in known["returns"].columns
    return [
        m
        for m in METRICS.values()
        if set(m.tables) <= set(known) and (has_refunds or "returns" not in m.tables or m.name == "return_rate")
    ]


#: Every unit that the nasty and the simulated shop both have, in panels of two: half the queries.
PANELS = (
    ("customer", "day"), ("buyer", "week"), ("order", "month"), ("product", "quarter"), ("store", "year"), ("country", "device"),
    ("channel", "category"), ("brand", "supplier"),
)  # fmt: skip


@case("metrics.unit_values")
def _(w: World) -> Any:
    tables = local_tables(w)
    by_lines = [
        METRICS[name] for name in ("revenue", "average_order_value", "margin_share", "items_per_order", "return_rate")
    ]
    by_unit = {
        unit: [m for m in countable(w) if m.unit_of_analysis == unit]
        for unit in ("customer", "visitor", "product", "channel")
    }
    linked = metrics.with_column(lines_of(w), "category", tables)
    return {
        **{" x ".join(panel): unit_values(tables, by_lines[:1], unit=panel, period=w.period) for panel in PANELS},
        **{f"all of a {unit}": unit_values(tables, chosen, unit=unit) for unit, chosen in by_unit.items()},
        "population": unit_values(tables, by_lines, unit="customer", units=tables["customers"].select(
            unit_id="customer_id", country="country", counted_from="first_seen_at")),
        "where": unit_values(tables, by_lines, unit="order", where=FILTERS[-2:], period=w.period),
        "filters": linked.select("order_id", "line_id", **{f"passes_{n}": chosen.on(linked) for n, chosen in enumerate(FILTERS)}),
    }  # fmt: skip


@case("metrics.unit_statistics")
def _(w: World) -> Any:
    wanted = [METRICS[name] for name in ("revenue", "average_order_value", "margin_share", "repeat_rate")]
    values = unit_values(local_tables(w), wanted, unit="customer")
    half = values.mutate(
        arm=(values["unit_id"] < "c").ifelse("a", "b"), revenue_covariate=values["revenue_numerator"] * 2
    )
    return {"whole": unit_statistics(values, wanted), "arms": unit_statistics(half, wanted, by=["arm"])}


@case("metrics.daily_values")
def _(w: World) -> Any:
    tables, wanted = (
        local_tables(w),
        [METRICS[name] for name in ("revenue", "conversion", "zero_result_rate", "stock_out_share")],
    )
    return {
        "shop": metrics.daily_values(tables, wanted, period=w.period, coverage=w.coverage),
        "stores": metrics.daily_values(tables, wanted[:1], period=w.period, by="store"),
    }


# --- kpis -------------------------------------------------------------------------------------------------------------


@case("kpis.shop_kpis")
def _(w: World) -> Any:
    return [metric.name for metric in kpis.shop_kpis(local_tables(w))]


@case("kpis.kpi_table")
def _(w: World) -> Any:
    return kpis.kpi_table(local_tables(w), period=w.period, coverage=w.coverage)


def figures_of(w: World) -> pd.DataFrame:
    few = [METRICS["revenue"], METRICS["average_order_value"]]
    return kpis.kpi_table(local_tables(w), period=w.period, coverage=w.coverage, metrics=few)


@case("kpis.largest_changes")
def _(w: World) -> Any:
    pair = {"period": w.period, "baseline": w.baseline}
    return kpis.largest_changes(lines_of(w), products=w.table("products"), minimum=3, **pair)


@case("kpis.kpi_series")
def _(w: World) -> Any:
    few = [METRICS["revenue"], METRICS["average_order_value"], METRICS["conversion"]]
    return {
        grain: kpis.kpi_series(local_tables(w), grain=grain, period=w.period, coverage=w.coverage, metrics=few)
        for grain in ("day", "week", "month")
    }


@case("kpis.cohort_retention")
def _(w: World) -> Any:
    cohorts = {
        grain: kpis.cohort_retention(lines_of(w), coverage=w.coverage, grain=grain) for grain in ("month", "quarter")
    }
    known = {"customers": local_tables(w)["customers"], "history": 60}
    return cohorts | {"of new customers": kpis.cohort_retention(lines_of(w), coverage=w.coverage, **known)}


@case("kpis.decompose_change")
def _(w: World) -> Any:
    return kpis.decompose_change(lines_of(w), period=w.period, baseline=w.baseline)


@case("kpis.decompose_by")
def _(w: World) -> Any:
    pair = {"period": w.period, "baseline": w.baseline}
    return {"country": kpis.decompose_by(lines_of(w), by="country", **pair),
            "category": kpis.decompose_by(lines_of(w), by="category", products=w.table("products"), **pair)}  # fmt: skip


@case("kpis.concentration")
def _(w: World) -> Any:
    return {
        by: kpis.concentration(lines_of(w), period=w.period, by=by) for by in ("customer_id", "product_id", "store")
    }


# --- segmentation -----------------------------------------------------------------------------------------------------


def scores_of(w: World, *, before: bool = False) -> ibis.Table:
    return segmentation.rfm_scores(lines_of(w), as_of=w.baseline.end if before else w.as_of)


@case("segmentation.customer_totals")
def _(w: World) -> Any:
    return segmentation.customer_totals(lines_of(w), as_of=w.as_of)


@case("segmentation.rfm_coverage")
def _(w: World) -> Any:
    return segmentation.rfm_coverage(lines_of(w), as_of=w.as_of)


@case("segmentation.rfm_scores")
def _(w: World) -> Any:
    learned = segmentation.rfm_cut_points(scores_of(w, before=True))
    return {"own": scores_of(w), "three": segmentation.rfm_scores(lines_of(w), as_of=w.as_of, bins=3),
            "carried over": segmentation.rfm_scores(lines_of(w), as_of=w.as_of, cut_points=learned)}  # fmt: skip


@case("segmentation.rfm_cut_points")
def _(w: World) -> Any:
    return segmentation.rfm_cut_points(scores_of(w))


@case("segmentation.segment_sizes")
def _(w: World) -> Any:
    return segmentation.segment_sizes(scores_of(w))


@case("segmentation.rfm_grid")
def _(w: World) -> Any:
    return segmentation.rfm_grid(scores_of(w))


@case("segmentation.life_stages")
def _(w: World) -> Any:
    return segmentation.life_stages(lines_of(w), as_of=w.as_of)


@case("segmentation.stage_sizes")
def _(w: World) -> Any:
    return segmentation.stage_sizes(segmentation.life_stages(lines_of(w), as_of=w.as_of))


@case("segmentation.value_tiers")
def _(w: World) -> Any:
    return segmentation.value_tiers(lines_of(w), as_of=w.as_of)


@case("segmentation.tier_sizes")
def _(w: World) -> Any:
    return segmentation.tier_sizes(segmentation.value_tiers(lines_of(w), as_of=w.as_of))


#: Two groups on two habits, by hand: no fit, so that every engine scores with the same numbers.
KEPT_MODEL = segmentation.SegmentModel(
    version="0", as_of="2026-01-31", seed=1, n_fitted=50, min_orders=1, features=("lines", "price"), centre=(0.5, 0.0),
    scale=(0.7, 0.2), centroids=((-0.5, 0.1), (0.8, -0.1)), segments=("small", "large"), sizes=(30, 20), reach=1.5,
    edges=((0.0, 0.6), (-0.1, 0.1)), bins=((20, 20, 10, 0), (10, 20, 18, 2)),
)  # fmt: skip


def habits_of(w: World) -> ibis.Table:
    return segmentation.customer_features(lines_of(w), as_of=w.as_of, products=w.table("products"))


@case("segmentation.customer_features")
def _(w: World) -> Any:
    alone = segmentation.customer_features(lines_of(w), as_of=w.as_of)
    return {"with categories": habits_of(w), "without": alone}


@case("segmentation.segment_clusters")
def _(w: World) -> Any:
    found = segmentation.segment_clusters(habits_of(w), as_of=w.as_of, min_orders=2)
    return {"found": found, "scored": KEPT_MODEL.score(habits_of(w)),
            "moved": segmentation.drift(KEPT_MODEL, habits_of(w))}  # fmt: skip


@case("segmentation.drift")
def _(w: World) -> Any:
    return {"kept": segmentation.drift(KEPT_MODEL, habits_of(w)), "none kept": segmentation.drift(None, habits_of(w))}


@case("segmentation.segment_migration")
def _(w: World) -> Any:
    return segmentation.segment_migration(scores_of(w, before=True), scores_of(w))


@case("segmentation.segment_growth")
def _(w: World) -> Any:
    return segmentation.segment_growth(scores_of(w, before=True), scores_of(w))


@case("segmentation.cohort_segments")
def _(w: World) -> Any:
    return segmentation.cohort_segments(lines_of(w), scores_of(w), as_of=w.as_of)


def summary_of(w: World) -> ibis.Table:
    return segmentation.customer_summary(lines_of(w), as_of=w.as_of)


def lifetimes_of(w: World) -> Any:
    """A model of plausible size: the hand-made shop has too few customers to fit one."""
    orders = BgNbd(r=0.8, alpha=10.0, a=0.8, b=4.0, log_likelihood=0, n_units=0, is_identified=True)
    values = GammaGamma(p=4.0, q=4.0, gamma=60.0, log_likelihood=0, n_units=0)
    nothing = Estimate(value=0.0, lower=0.0, upper=0.0, n=0, unit="correlation", method="by hand")
    return segmentation.LifetimeModel(
        orders=orders, values=values, orders_covariance=np.eye(4) / 100, values_covariance=np.eye(3) / 100,
        n_customers=100, n_repeaters=50, alive_share=0.8, value_correlation=nothing,
    )  # fmt: skip


@case("segmentation.customer_summary")
def _(w: World) -> Any:
    return {grain: segmentation.customer_summary(lines_of(w), as_of=w.as_of, start=w.baseline.start, grain=grain)
            for grain in ("day", "week")}  # fmt: skip


@case("segmentation.repeat_customers")
def _(w: World) -> Any:
    return {"all": segmentation.repeat_customers(summary_of(w))}


@case("segmentation.fit_lifetime")
def _(w: World) -> Any:
    found = segmentation.fit_lifetime(summary_of(w))
    return {
        "orders": found.orders,
        "values": found.values,
        "correlation": found.value_correlation,
        "alive": found.alive_share,
    }


@case("segmentation.customer_lifetime_value")
def _(w: World) -> Any:
    return segmentation.customer_lifetime_value(summary_of(w), model=lifetimes_of(w))


@case("segmentation.value_quantiles")
def _(w: World) -> Any:
    return segmentation.value_quantiles(segmentation.customer_lifetime_value(summary_of(w), model=lifetimes_of(w)))


@case("segmentation.segment_lifetime_value")
def _(w: World) -> Any:
    return {"all": segmentation.segment_lifetime_value(summary_of(w), model=lifetimes_of(w)),
            "segments": segmentation.segment_lifetime_value(summary_of(w), scores_of(w, before=True), model=lifetimes_of(w))}  # fmt: skip


@case("segmentation.holdout_check")
def _(w: World) -> Any:
    found = segmentation.holdout_check(lines_of(w), calibration_end=w.baseline.end, holdout_end=w.as_of)
    return {"groups": found.groups, "weeks": found.weeks, "skill": found.skill}


@case("segmentation.visit_intents")
def _(w: World) -> Any:
    known = {"sessions": w.table("sessions"), "products": w.table("products")}
    return {"sessions": segmentation.visit_intents(w.table("events"), **known),
            "events": segmentation.visit_intents(w.table("events"))}  # fmt: skip


@case("segmentation.intent_sizes")
def _(w: World) -> Any:
    intents = segmentation.visit_intents(w.table("events"), sessions=w.table("sessions"), horizon_days=7)
    return {"all": segmentation.intent_sizes(intents), "device": segmentation.intent_sizes(intents, by="device")}


@case("segmentation.left_behind")
def _(w: World) -> Any:
    return segmentation.left_behind(segmentation.visit_intents(w.table("events"), horizon_days=7))


@case("segmentation.intent_matrix")
def _(w: World) -> Any:
    intents = segmentation.visit_intents(w.table("events"), sessions=w.table("sessions"), horizon_days=7)
    return segmentation.intent_matrix(segmentation.intent_sizes(intents, by="device"), by="device")


@case("segmentation.newcomers")
def _(w: World) -> Any:
    return segmentation.newcomers(lines_of(w), as_of=w.as_of, since=w.period.start, customers=w.table("customers"))


@case("segmentation.kind_sizes")
def _(w: World) -> Any:
    customers = w.table("customers")
    kinds = customers.mutate(kind=(customers["country"] == "GB").ifelse("business", "consumer"))
    return segmentation.kind_sizes(scores_of(w), kinds)


# --- classification ---------------------------------------------------------------------------------------------------


def classes_of(w: World, **choices: Any) -> ibis.Table:
    return classification.abc_xyz(
        lines_of(w), period=w.period, grain=choices.pop("grain", "week"), coverage=w.coverage, **choices
    )


@case("classification.abc_xyz")
def _(w: World) -> Any:
    return {"revenue": classes_of(w), "margin": classes_of(w, value="margin"), "months": classes_of(w, grain="month")}


@case("classification.cell_summary")
def _(w: World) -> Any:
    return classification.cell_summary(classes_of(w))


@case("classification.pareto_curve")
def _(w: World) -> Any:
    return classification.pareto_curve(classes_of(w), n_points=7)


def matrix_of(w: World, by: str) -> ibis.Table:
    return classification.growth_share(
        lines_of(w), by=by, period=w.period, baseline=w.baseline, products=w.table("products")
    )


@case("classification.growth_share")
def _(w: World) -> Any:
    return {by: matrix_of(w, by) for by in ("product_id", "category")}


@case("classification.with_names")
def _(w: World) -> Any:
    return classification.with_names(matrix_of(w, "product_id"), w.table("products"))


@case("classification.largest_groups")
def _(w: World) -> Any:
    known = {"period": w.period, "baseline": w.baseline, "products": w.table("products")}
    unseen = Coverage(w.baseline.start, w.baseline.end)
    return {
        "products": classification.largest_groups(lines_of(w), by="product_id", coverage=w.coverage, most=5, **known),
        "categories": classification.largest_groups(lines_of(w), by="category", coverage=w.coverage, **known),
        "not seen": classification.largest_groups(lines_of(w), by="category", coverage=unseen, **known),
    }


def ages_of(w: World) -> ibis.Table:
    known = {"as_of": w.as_of, "coverage": w.coverage, "products": w.table("products")}
    return classification.life_cycle(lines_of(w), window_days=60, shift_days=60, **known)


@case("classification.life_cycle")
def _(w: World) -> Any:
    return ages_of(w)


@case("classification.stage_summary")
def _(w: World) -> Any:
    return classification.stage_summary(ages_of(w), classes_of(w))


@case("classification.class_products")
def _(w: World) -> Any:
    known = {name: with_contract_columns(w.table(name), name) for name in ("products", "stock_levels")}
    return classification.class_products(classes_of(w), lines_of(w), period=w.period, stages=ages_of(w), **known)


@case("classification.value_known")
def _(w: World) -> Any:
    return classification.value_known(lines_of(w))


# --- positioning ------------------------------------------------------------------------------------------------------


def indices_of(w: World) -> ibis.Table:
    return price_index.price_indices(w.table("products"), w.table("competitor_prices"), as_of=w.as_of)


@case("positioning.latest_competitor_prices")
def _(w: World) -> Any:
    return price_index.latest_competitor_prices(w.table("competitor_prices"), as_of=w.as_of)


@case("positioning.price_indices")
def _(w: World) -> Any:
    return indices_of(w)


@case("positioning.price_position")
def _(w: World) -> Any:
    return {by: price_index.price_position(indices_of(w), by=by) for by in ("category", "brand")}


@case("positioning.price_ladder")
def _(w: World) -> Any:
    return price_index.price_ladder(lines_of(w), w.table("products"), period=w.period)


@case("positioning.promotion_depths")
def _(w: World) -> Any:
    return price_index.promotion_depths(lines_of(w), w.table("products"), period=w.period)


@case("positioning.hedonic_prices")
def _(w: World) -> Any:
    return hedonic.hedonic_prices(w.table("products"), attributes=["category"])


@case("positioning.attribute_columns")
def _(w: World) -> Any:
    return hedonic.attribute_columns(w.table("products"))


def their_products(w: World) -> ibis.Table:
    """What competitors sell: as recorded, or our own products under shouted names."""
    if w.shop.has("competitor_products"):
        return w.table("competitor_products")
    own = w.table("products")
    name = ibis.literal("ÄRMEL 1,5 L (").concat(own["name"].upper(), ")")
    price = (own["price"].cast("float64") * 1.05).cast("decimal(18, 4)")
    return own.select(
        "brand", competitor=ibis.literal("Ann"), competitor_product_id=own["product_id"], name=name, price=price
    )


@functools.cache
def matches_of(w: World) -> matching.ProductMatches:
    theirs = their_products(w)
    known = theirs.select("competitor", "competitor_product_id", product_id="competitor_product_id")
    known = w.table("competitor_prices") if w.shop.has("competitor_products") else known
    return matching.match_products(w.table("products"), theirs, known=known, accept=0.5)


@case("positioning.match_products")
def _(w: World) -> Any:
    found = matches_of(w)
    return {"pairs": found.pairs, "review": found.review, "levels": found.model.levels, "n_compared": found.n_compared,
            "n_known": found.n_known, "brier": found.brier}  # fmt: skip


@case("positioning.matched_prices")
def _(w: World) -> Any:
    return matching.matched_prices(w.table("competitor_prices"), matches_of(w))


@case("positioning.demand_gaps")
def _(w: World) -> Any:
    known = {"events": w.table("events"), "stock_levels": w.table("stock_levels")}
    return {"views": white_gaps(w, by=["category", "price_band"], **known), "sales": white_gaps(w, by=["brand"])}


def white_gaps(w: World, **choices: Any) -> pd.DataFrame:
    return gaps.demand_gaps(lines_of(w), w.table("products"), period=Period(w.baseline.start, w.period.end), **choices)


@case("positioning.attribute_gaps")
def _(w: World) -> Any:
    return gaps.attribute_gaps(lines_of(w), w.table("products"), period=w.period, events=w.table("events"))


def said_of(w: World) -> ibis.Table:
    """Every line as a review of its product, in words of its columns."""
    lines = lines_of(w)
    words = [lines[c].fill_null("GRÖẞE, äußerst!") for c in ("channel", "device", "store", "country")]
    text = words[0].concat(" 12x & ", words[1], "\t", words[2], " - ", words[3], ".")
    return lines.select("product_id", review_id=lines["order_id"].concat("-", lines["line_id"]), text=text)


@case("positioning.word_counts")
def _(w: World) -> Any:
    return perception.word_counts(said_of(w), w.table("products"))


@case("positioning.perception_counts")
def _(w: World) -> Any:
    products, lines = w.table("products"), lines_of(w)
    many = lines.mutate(customer_id=lines["order_id"].concat("-", lines["line_id"]))
    return {
        "reviews": perception.perception_counts(said_of(w), products, lines),
        "buyers": perception.perception_counts(said_of(w).limit(0), products, many),
    }


@case("positioning.buyer_counts")
def _(w: World) -> Any:
    lines, products = lines_of(w), w.table("products")
    many = lines.mutate(customer_id=lines["order_id"].concat("-", lines["line_id"]))
    number = products["product_id"]
    own = products.mutate(brand=number.right(1), category=number.substr(0, number.length() - 1))
    return perception.buyer_counts(many, own)


#: Twenty weeks in which the shop's lines are sold again, at prices and in numbers that move in two ways.
TWENTY_WEEKS = Period.parse("2026-01-05", "2026-05-24")


@functools.cache
def weekly_lines(w: World) -> ibis.Table:
    lines, parts = lines_of(w), []
    is_even = lines["product_id"].right(1).isin(list("02468"))
    for k in range(20):
        factor, times = is_even.ifelse(20 + k * k % 7, 20 + k * 3 % 5), is_even.ifelse(1 + k * 3 % 4, 2 + k * k % 5)
        price, quantity = lines["unit_price"].cast("decimal(18, 4)"), lines["quantity"].cast("decimal(18, 4)")
        parts.append(lines.select(
            "product_id", "status", order_id=lines["order_id"].concat(f"-{k}"), discount_amount=price * (k % 3),
            ordered_on=ibis.literal(TWENTY_WEEKS.start + timedelta(days=7 * k + 2)),
            unit_price=(price * factor).cast("decimal(18, 4)"), quantity=(quantity * times).cast("decimal(18, 4)"),
        ))  # fmt: skip
    return engine.held(ibis.union(*parts))


@functools.cache
def responses_of(w: World, **choices: Any) -> elasticity.PriceResponse:
    return elasticity.price_response(weekly_lines(w), w.table("products"), period=TWENTY_WEEKS, **choices)


@case("positioning.product_weeks")
def _(w: World) -> Any:
    known = {"price_history": w.table("price_history"), "stock_levels": w.table("stock_levels")}
    return {
        name: weeks.product_weeks(weekly_lines(w), w.table("products"), period=TWENTY_WEEKS, **choices, by="category")
        for name, choices in {"sales": dict.fromkeys(known), "recorded": known}.items()
    }


@case("positioning.price_response")
def _(w: World) -> Any:
    return responses_of(w)


@case("positioning.price_moves")
def _(w: World) -> Any:
    return {"groups": moves.price_moves(responses_of(w), w.table("products"), by="group")}


@case("positioning.price_verdicts")
def _(w: World) -> Any:
    position = price_index.price_position(indices_of(w))
    wanted = gaps.demand_gaps(lines_of(w), w.table("products"), period=w.period, by=["category"])
    return category_verdicts.price_verdicts(position, responses_of(w), w.table("products"), wanted)


@case("positioning.product_to_move")
def _(w: World) -> Any:
    found = moves.price_moves(responses_of(w), w.table("products"), by="product")
    return {"surest": moves.product_to_move(found), "asked": moves.product_to_move(found, asked="p1")}


@case("positioning.what_if")
def _(w: World) -> Any:
    first = engine.collect(w.table("products").select("product_id").order_by("product_id").limit(1))["product_id"].iloc[
        0
    ]
    return what_if(responses_of(w), w.table("products"), product_id=first, indices=indices_of(w))


# --- shop -------------------------------------------------------------------------------------------------------------


@case("shop.checks.check_shop")
def _(w: World) -> Any:
    # What the reading of files found out has no twin in a database.
    read = w.shop.staged.violations if w.shop.staged else ()
    return [finding for finding in checks.check_shop(w.shop) if finding not in read]


@case("shop.checks.known_violations")
def _(w: World) -> Any:
    read = w.shop.staged.violations if w.shop.staged else ()
    return [finding for finding in checks.known_violations(w.shop) if finding not in read]


def broken_lines(w: World) -> ibis.Table:
    """Order lines that break every kind of rule, twice over."""
    lines = lines_of(w).drop("ordered_on", "revenue_amount")
    worse = lines.mutate(
        quantity=(-lines["quantity"]).cast("decimal(18, 4)"), product_id=lines["product_id"].nullif("p1"), status=lines["status"].concat("?"),
    )  # fmt: skip
    return worse.union(worse)


@case("shop.checks.check_table")
def _(w: World) -> Any:
    tables = {name: w.table(name) for name in ("order_lines", "events", "reviews", "competitor_prices")}
    found = {name: list(checks.check_table(table, name=name)) for name, table in tables.items()}
    return {**found, "broken": list(checks.check_table(broken_lines(w), name="order_lines"))}


@case("shop.checks.health_accounting")
def _(w: World) -> Any:
    rows = checks.health_accounting(w.shop)
    return rows[rows["outcome"] == "kept"].groupby("table")[["n_rows"]].sum().reset_index()


@case("shop.checks.lines_by_status")
def _(w: World) -> Any:
    lines = w.shop.table("order_lines")
    return {
        "all": checks.lines_by_status(lines),
        "in the period": checks.lines_by_status(lines, period=w.period),
    }


@case("shop.coverage.observed_days")
def _(w: World) -> Any:
    zone = w.shop.time_zone
    return {
        "lines": coverage.observed_days(lines_of(w), time_zone=zone),
        "stock": coverage.observed_days(w.table("stock_levels"), time_column="date"),
    }


@case("shop.coverage.daily_counts")
def _(w: World) -> Any:
    return coverage.daily_counts(w.table("searches"), time_column="searched_at", time_zone=w.shop.time_zone)


def asked(name: str, world: World) -> Any:
    """The answer of a function on one shop, with everything lazy collected and its rows in one order."""
    return settled(cases()[name](world))


@functools.cache
def cases() -> dict[str, Case]:
    """The cases of this file, and the ``PARITY_CASES`` of rooms whose test file brings its own."""
    own = collected("PARITY_CASES")
    if twice := sorted(CASES.keys() & own.keys()):
        raise ValueError(f"cases in tests/engines/cases.py and in a room's test file: {', '.join(twice)}")
    return CASES | own


@functools.cache
def expected(name: str, shop: str) -> Any:
    """The answer on DuckDB, from files."""
    return asked(name, world(shop))


def settled(value: Any) -> Any:
    """Lazy tables as frames, ordered by all columns: the order of their rows is no part of the answer."""
    if isinstance(value, ibis.Table):
        frame = engine.collect(value)
        exact = [c for c in frame.columns if not pd.api.types.is_float_dtype(frame[c].dtype)]
        return frame.sort_values([*exact, *(c for c in frame.columns if c not in exact)], ignore_index=True)
    if isinstance(value, dict):
        return {key: settled(item) for key, item in value.items()}
    return value


# --- market structure -------------------------------------------------------------------------------------------------


@case("positioning.product_pairs")
def _(w: World) -> Any:
    named = pairs.product_pairs(lines_of(w), min_support=0.01, products=w.table("products"), by="name")
    return {"id": pairs.product_pairs(lines_of(w), period=w.period), "name": named}


@case("positioning.co_bought")
def _(w: World) -> Any:
    return pairs.co_bought(lines_of(w))


@case("positioning.clear_pairs")
def _(w: World) -> Any:
    found = pairs.co_bought(lines_of(w))
    clear = found.assign(is_beyond_chance=found["ratio"] > 1, n_customers=found["n_customers"] + pairs.MINIMUM)
    return {"as found": pairs.clear_pairs(found), "enough people": pairs.clear_pairs(clear)}


@case("positioning.label_column")
def _(w: World) -> Any:
    products = w.table("products")
    return {"names": pairs.label_column(products), "none": pairs.label_column(products.drop("name"))}


@case("positioning.co_viewed")
def _(w: World) -> Any:
    return pairs.co_viewed(w.table("events"), min_support=0.001)


def weekly_market(w: World) -> tuple[ibis.Table, ibis.Table, pd.DataFrame]:
    """Lines of twenty weeks by one customer, products of one category, and every two of them a group; one is launched."""
    products = w.table("products")
    names = sorted(products["product_id"].execute())
    launched = (products["product_id"] == names[0]).ifelse(
        ibis.literal(date(2026, 3, 17)), ibis.literal(date(2020, 1, 1))
    )
    groups = pd.DataFrame({"item": names, "group": [n // 2 + 1 for n in range(len(names))]})
    return (
        weekly_lines(w).mutate(customer_id=ibis.literal("x")),
        products.mutate(category=ibis.literal("all"), launched_at=launched),
        groups,
    )


@case("positioning.substitutes")
def _(w: World) -> Any:
    lines, products, _ = weekly_market(w)
    return competition.substitutes(lines, products, period=TWENTY_WEEKS)


@case("positioning.rivals")
def _(w: World) -> Any:
    lines, products, _ = weekly_market(w)
    events = w.table("events")
    days = Period(w.coverage.first, w.coverage.last)
    return {
        "visits": competition.rivals(events, lines_of(w), w.table("products"), period=days, min_support=0.0001),
        "sales": competition.rivals(events.limit(0), lines, products, period=TWENTY_WEEKS, min_support=0.0001),
    }


@case("positioning.substitute_groups")
def _(w: World) -> Any:
    found = pairs.co_viewed(w.table("events"), min_support=0.001)
    return competition.substitute_groups(found.assign(is_beyond_chance=found["ratio"] > 1))


@case("positioning.cannibalisation")
def _(w: World) -> Any:
    lines, products, groups = weekly_market(w)
    return competition.cannibalisation(lines, products, groups=groups, period=TWENTY_WEEKS)
