"""Lifetime value: planted parameters, the engine's query against the closed form, segments that add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.segmentation import (
    customer_lifetime_value,
    customer_summary,
    fit_lifetime,
    segment_lifetime_value,
    value_quantiles,
)
from opslib.segmentation.lifetime import UNSEGMENTED
from opslib.simulate.config import preset
from opslib.simulate.simulation import simulate_shop
from opslib.stats.lifetime import probability_alive
from tests.segmentation.lifetimes import PLANTED, day_after, shop
from tests.stats.lifetime_oracle import expected_events, expected_value

#: The engine's query uses nodes where the closed form is a hypergeometric function; 12 digits leave the engine.
NODES = 1e-6
WITHIN_ERRORS = 3.5
#: About two standard errors (7 % of the rate, 12 % of the drop-out) and what five types in one law cost.
RECOVERED = 0.2


@pytest.fixture(scope="module")
def known():
    frame = engine.collect(customer_summary(shop(), as_of=day_after(45)).order_by("customer_id"))
    return frame, fit_lifetime(frame)


def test_planted_parameters_lie_within_their_errors(known):
    _, model = known
    for part, names in (("orders", ("r", "alpha", "a", "b")), ("values", ("p", "q", "gamma"))):
        errors = np.sqrt(np.diag(getattr(model, f"{part}_covariance")))
        for name, error in zip(names, errors, strict=True):
            assert abs(np.log(getattr(getattr(model, part), name) / PLANTED[name])) < WITHIN_ERRORS * error, name


def test_the_query_is_the_closed_form(known):
    frame, model = known
    found = engine.collect(customer_lifetime_value(frame, model=model, horizon_days=91).order_by("customer_id"))
    history = {"frequency": frame["frequency"], "recency": frame["recency_days"] / 7, "age": frame["age_days"] / 7}
    assert found["alive_share"].to_numpy() == pytest.approx(probability_alive(model.orders, **history), rel=NODES)
    expected = expected_events(model.orders, **history, horizon=13.0)
    assert found["expected_orders"].to_numpy() == pytest.approx(expected, rel=NODES)
    value = expected_value(model.values, frequency=frame["frequency"], mean_value=frame["mean_value"].fillna(0))
    assert found["expected_value"].to_numpy() == pytest.approx(value, rel=NODES)
    assert found["expected_revenue_amount"].to_numpy() == pytest.approx(expected * value, rel=NODES)


def test_quantiles_are_those_of_numpy(known):
    frame, model = known
    values = customer_lifetime_value(frame, model=model)
    expected = np.quantile(engine.collect(values)["expected_revenue_amount"], [0.5, 0.9])
    assert value_quantiles(values)["expected_revenue_amount"].to_numpy() == pytest.approx(expected, rel=1e-9)
    assert value_quantiles(values.head(0))["expected_revenue_amount"].isna().all()


def test_histories_far_outside_end_as_numbers(known):
    _, model = known
    row = {
        "frequency": [300, 1],
        "recency_days": [3, 0],
        "age_days": [4000, 1],
        "mean_value": 5.0,
        "revenue_amount": 9.0,
    }
    extreme = pd.DataFrame(row).assign(customer_id=["x", "y"])
    found = engine.collect(customer_lifetime_value(extreme, model=model).order_by("customer_id"))
    assert found["alive_share"][0] == pytest.approx(0.0, abs=1e-200)
    assert np.isfinite(found[["alive_share", "expected_orders", "expected_revenue_amount"]].to_numpy()).all()


def test_a_value_without_a_mean_is_missing(known):
    frame, model = known
    heavy = replace(model, values=replace(model.values, q=0.9))
    found = engine.collect(customer_lifetime_value(frame, model=heavy).order_by("customer_id"))
    assert found["expected_value"].isna().equals(frame["frequency"] == 0)


def test_segments_add_up_to_the_shop(known):
    frame, model = known
    halves = frame[["customer_id"]].assign(segment=np.where(frame["customer_id"] % 2, "odd", "even"))
    parts = segment_lifetime_value(frame, halves, model=model)
    whole = segment_lifetime_value(frame, model=model).iloc[0]
    for column in ("n_customers", "expected_orders", "value_amount", "dormant_amount"):
        assert parts[column].sum() == pytest.approx(whole[column], rel=1e-9)
    rows = engine.collect(customer_lifetime_value(frame, model=model).order_by("customer_id"))
    assert whole["value_amount"] == pytest.approx(rows["expected_revenue_amount"].sum(), rel=NODES)
    assert whole["alive_share"] == pytest.approx(rows["alive_share"].mean(), rel=NODES)


def test_intervals_hold_each_other(known):
    frame, model = known
    row = segment_lifetime_value(frame, model=model).iloc[0]
    assert (
        row["value_amount_lower"]
        < row["mean_lower"]
        < row["value_amount"]
        < row["mean_upper"]
        < row["value_amount_upper"]
    )
    assert row["alive_share_lower"] < row["alive_share"] < row["alive_share_upper"]
    wider = segment_lifetime_value(frame, model=model, model_error=0.2).iloc[0]
    assert wider["value_amount_lower"] < row["value_amount_lower"]
    assert wider["value_amount_upper"] == pytest.approx(
        row["value_amount"] * np.exp(np.hypot(np.log(row["value_amount_upper"] / row["value_amount"]), 1.959964 * 0.2)),
        rel=1e-6,
    )


def test_customers_without_a_segment_are_shown(known):
    frame, model = known
    named = frame[["customer_id"]].head(10).assign(tier="heavy")
    parts = segment_lifetime_value(frame, named, model=model, by="tier").set_index("segment")["n_customers"]
    assert parts.to_dict() == {"heavy": 10, UNSEGMENTED: len(frame) - 10}


def test_errors_say_what_is_missing(known):
    frame, model = known
    with pytest.raises(ContractError, match="segments: no column 'segment'"):
        segment_lifetime_value(frame, frame, model=model)
    for ask in (customer_lifetime_value, segment_lifetime_value):
        with pytest.raises(ParameterError, match="horizon_days: 0 is not positive"):
            ask(frame, model=model, horizon_days=0)
    with pytest.raises(ParameterError, match="no histories"):
        fit_lifetime(frame.head(0))


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """A simulated shop without season, trend, promotions or breaks: only the planted lifetimes move its customers."""
    plain = {"trend": 0.0, "annual_season": False, "weekday": False, "ar": 0.0, "shock_sd": 0.0, "promotions": False,
             "level_break": 0.0, "outages": False, "effect_scale": 0.0}  # fmt: skip
    folder = simulate_shop(tmp_path_factory.mktemp("quiet") / "shop", config=preset("demo", **plain))
    con = ibis.duckdb.connect()
    return {name: con.read_parquet(f"{folder}/{name}/*.parquet", table_name=name.replace("/", "_"))
            for name in ("order_lines", "customers", "truth/customers")}  # fmt: skip


def test_planted_lifetimes_of_a_quiet_shop_are_found(quiet):
    people, truth = quiet["customers"], quiet["truth/customers"]
    fresh = people.filter(people["first_seen_at"] >= ibis.timestamp("2025-05-02"))
    table = customer_summary(quiet["order_lines"].semi_join(fresh, "customer_id"), as_of=date(2026, 10, 31))
    model = fit_lifetime(table)
    rows = engine.collect(
        customer_lifetime_value(table, model=model).inner_join(truth, "customer_id").order_by("customer_id")
    )
    rate, leaving = model.orders.r / model.orders.alpha, model.orders.a / (model.orders.a + model.orders.b)
    assert rate == pytest.approx(rows["orders_a_week"].mean(), rel=RECOVERED)
    assert leaving == pytest.approx(rows["dropout_probability"].mean(), rel=RECOVERED)
    own = (model.orders.r + rows["frequency"]) / (model.orders.alpha + rows["age_days"] / 7)
    assert own.corr(rows["orders_a_week"], method="spearman") > 0.6
