"""Same seed, same rows, however people are cut; switches leave all other draws alone; errors say what is allowed."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from opslib.errors import ParameterError
from opslib.simulate.config import ShopConfig, preset
from opslib.simulate.simulation import count_people, new_simulator, simulate_shop

SMALL = ShopConfig(n_orders=600, n_products=64, days=150)


def _tables(folder):
    """Every table, rows in an order of their own."""
    out = {}
    for path in sorted({part.parent for part in folder.rglob("part-*.parquet")}):
        frame = pq.read_table(path).to_pandas()
        out["/".join(path.relative_to(folder).parts)] = frame.sort_values(list(frame.columns)).reset_index(drop=True)
    return out


def test_rows_do_not_depend_on_the_chunk_size(tmp_path):
    simulate_shop(tmp_path / "one", config=SMALL, seed=5)
    simulate_shop(tmp_path / "many", config=SMALL, seed=5, people_per_chunk=701)
    one, many = _tables(tmp_path / "one"), _tables(tmp_path / "many")
    assert one.keys() == many.keys()
    for name, frame in one.items():
        assert frame.equals(many[name]), name
    assert (tmp_path / "one" / "truth.json").read_text() == (tmp_path / "many" / "truth.json").read_text()


def test_the_seed_decides(tmp_path):
    for name, seed in (("first", 5), ("again", 5), ("other", 6)):
        simulate_shop(tmp_path / name, config=SMALL, seed=seed)
    first, again, other = (_tables(tmp_path / name) for name in ("first", "again", "other"))
    assert all(frame.equals(again[name]) for name, frame in first.items())
    assert not first["order_lines"].equals(other["order_lines"])


@pytest.mark.parametrize(
    "switch",
    [{"ar": 0.8}, {"weekday": False}, {"annual_season": False}, {"trend": 0.8}, {"promotions": False}, {"level_break": 0.5},
     {"confounded_price": False}, {"carry_over": 0.0}, {"sample_ratio_loss": 0.0}, {"ramp": False}, {"outages": False}],
)  # fmt: skip
def test_a_switch_leaves_the_number_of_people_and_their_traits(switch):
    numbers, base = np.arange(4_000), new_simulator(preset("demo"), 9)
    other = new_simulator(preset("demo", **switch), 9)
    assert count_people(preset("demo"), 9) == count_people(preset("demo", **switch), 9)
    people, changed = base.population.block(numbers)[0], other.population.block(numbers)[0]
    for name in ("kind", "device", "country", "store", "rate_week", "dropout", "spend_factor"):
        assert (getattr(people, name) == getattr(changed, name)).all(), name


@pytest.mark.parametrize(
    ("switch", "untouched"),
    [({"late_returns": 0.5}, ("order_lines", "searches", "customers", "reviews")),
     ({"sample_ratio_loss": 0.0}, ("order_lines", "events", "sessions", "returns")),
     ({"missing_days": 0}, ("customers", "price_history", "competitor_prices"))],
)  # fmt: skip
def test_a_switch_touches_only_what_it_is_about(tmp_path, switch, untouched):
    simulate_shop(tmp_path / "off", config=SMALL, seed=5)
    values = {name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
    simulate_shop(tmp_path / "on", config=ShopConfig(**{**values, **switch}), seed=5)
    off, on = _tables(tmp_path / "off"), _tables(tmp_path / "on")
    assert all(off[name].equals(on[name]) for name in untouched)
    assert any(not off[name].equals(on[name]) for name in off)


def test_visits_that_a_switch_does_not_reach_stay_the_same():
    numbers = np.arange(4_000)
    base, other = (
        new_simulator(preset("demo", outages=flag), 9).population.block(numbers)[1] for flag in (True, False)
    )
    outage = base.day.max() * 0 + 364 + round(0.80 * 549)
    before = [visits.day < outage for visits in (base, other)]
    for name in ("person", "number", "fraction", "is_buy"):
        assert (getattr(base, name)[before[0]] == getattr(other, name)[before[1]]).all()


def test_confounding_moves_prices_of_two_categories_only():
    free, confounded = (
        new_simulator(preset("demo", confounded_price=flag), 9).baskets.catalogue for flag in (False, True)
    )
    moved = (free.prices != confounded.prices).any(axis=0)
    assert set(free.category[moved]) == {2, 5}
    shock = confounded.demand_shock[:, 2]
    follows = confounded.log_relative_price[:, confounded.category == 2].mean(axis=1)
    assert np.corrcoef(shock, follows)[0, 1] > 0.9
    assert abs(np.corrcoef(shock, free.log_relative_price[:, free.category == 2].mean(axis=1))[0, 1]) < 0.5


def test_a_single_type_shop_has_one_type(tmp_path):
    simulate_shop(tmp_path / "shop", config=ShopConfig(n_orders=300, n_products=64, days=90, customer_types="single"))
    truth = json.loads((tmp_path / "shop" / "truth.json").read_text())
    assert [kind["name"] for kind in truth["segments"]["types"]] == ["everyone"]


def test_a_pareto_tail_is_heavier():
    traits = [
        new_simulator(preset("demo", tail=tail), 9).population.block(np.arange(50_000))[0]
        for tail in ("lognormal", "pareto")
    ]
    thin, heavy = (np.quantile(each.spend_factor, 0.9995) for each in traits)
    assert heavy > 1.3 * thin


def test_every_truth_has_a_unit_and_says_where_it_shows(demo):
    for name, section in demo.truth.items():
        for entry in section if isinstance(section, list) else [section]:
            if name not in ("version", "shop"):
                assert any("unit" in key for key in entry), name
                assert entry.get("shows"), name


def test_a_folder_with_tables_is_refused(demo):
    with pytest.raises(ParameterError, match="holds tables already"):
        simulate_shop(demo.folder, config=SMALL)


def test_progress_ends_at_one(tmp_path):
    seen = []
    simulate_shop(
        tmp_path / "shop", config=SMALL, people_per_chunk=3_000, progress=lambda share, step: seen.append(share)
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 2


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: ShopConfig(n_orders=3), r"n_orders: 3 is outside \[100, "),
     (lambda: ShopConfig(ar=1.0), r"ar: 1.0 is outside \[0.0, 0.95\]"),
     (lambda: ShopConfig(tail="normal"), "tail: 'normal'"),
     (lambda: ShopConfig(time_zone="Europe/Lundon"), "'Europe/Lundon' is not an IANA time zone"),
     (lambda: preset("demmo"), "no preset 'demmo'; did you mean 'demo'"),
     (lambda: preset("demo", n_order=5), "no field 'n_order'; did you mean 'n_orders'"),
     (lambda: simulate_shop("unused", config=SMALL, people_per_chunk=0), "people_per_chunk: 0 is below 1")],
)  # fmt: skip
def test_wrong_choices_are_named(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "Australia/Sydney"])
def test_days_are_those_of_the_shop_in_any_time_zone(tmp_path, zone):
    config = ShopConfig(n_orders=500, n_products=64, days=400, time_zone=zone, missing_days=0)
    simulate_shop(tmp_path / "shop", config=config)
    lines = pq.read_table(tmp_path / "shop" / "order_lines").to_pandas()
    local = lines["ordered_at"].dt.tz_localize("UTC").dt.tz_convert(zone)
    assert local.dt.date.min() >= config.start
    assert local.dt.date.max() <= config.end
    assert local.dt.hour.min() >= 6  # the shop sleeps at night, when clocks change
    stock = pq.read_table(tmp_path / "shop" / "stock_levels").to_pandas()
    lines["date"] = local.dt.date
    sold = lines.merge(stock, on=["product_id", "date"], how="left")
    assert (sold["n_on_hand"] > 0).all()
