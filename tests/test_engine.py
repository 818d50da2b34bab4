"""The one door: what comes out, what is refused, what is remembered."""

from __future__ import annotations

import ast
from datetime import date
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import engine
from opslib.errors import EngineError, RowCapError
from tests.conftest import ROOT


def frame(**columns):
    return engine.as_table(pd.DataFrame(columns))


def test_a_query_over_the_cap_is_refused_with_the_way_out():
    table = frame(x=list(range(11)))
    with pytest.raises(RowCapError, match=r"more than 10 rows; aggregate it in the engine.*max_rows="):
        engine.collect(table, max_rows=10)
    assert len(engine.collect(table, max_rows=11)) == 11


def test_every_query_is_remembered_with_rows_and_fingerprint():
    engine.clear_log()
    table = frame(x=[3, 1, 2]).order_by("x")
    engine.collect(table)
    engine.collect(table)
    first, second = engine.query_log()
    assert (first.n_rows, second.n_rows) == (3, 3)
    assert first.fingerprint == second.fingerprint
    assert "ORDER BY" in first.sql
    assert first.seconds > 0


def test_money_sums_are_exact_and_leave_as_floats():
    prices = pd.Series(["0.1"] * 10).map(float)
    table = frame(p=prices).mutate(p=ibis._.p.cast("decimal(18, 4)"))
    assert engine.collect(table.aggregate(total=table.p.sum()))["total"].tolist() == [1.0]


def test_ratio_neither_truncates_nor_divides_by_zero():
    table = frame(a=[1, 1, None], b=[2, 0, 1])
    out = engine.collect(table.select(r=engine.ratio(table.a, table.b)))["r"]
    assert out[0] == 0.5
    assert out.isna().tolist() == [False, True, True]


def test_types_at_the_exit():
    table = frame(
        day=pd.to_datetime(["2026-10-01", "2026-10-02"]), n=pd.array([1, None], dtype="Int64"), s=["a", None]
    ).mutate(day=ibis._.day.date())
    out = engine.collect(table)
    assert str(out["day"].dtype) == "datetime64[us]"
    assert str(out["n"].dtype) == "Int64"
    assert out["s"].isna().tolist() == [False, True]


def test_an_aware_frame_is_turned_to_utc():
    at = pd.Series(pd.to_datetime(["2026-07-01 00:30"])).dt.tz_localize("Europe/London")
    out = engine.collect(frame(at=at))
    assert out["at"][0] == pd.Timestamp("2026-06-30 23:30")


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Asia/Kolkata", "UTC"])
def test_local_times_equal_the_time_zone_database(zone):
    # Second road: Python's zoneinfo, hour by hour over both change-overs of 2026.
    utc = pd.date_range("2026-03-27", "2026-03-31", freq="h").union(pd.date_range("2026-10-23", "2026-11-03", freq="h"))
    table = frame(at=pd.Series(utc))
    expected = [t.tz_localize("UTC").tz_convert(ZoneInfo(zone)).tz_localize(None) for t in utc]
    for local in (engine.to_local(table["at"], zone), engine._by_transitions(table["at"], zone)):
        got = engine.collect(table.select(at=table["at"], x=local).order_by("at"))["x"]
        assert got.tolist() == expected


def test_days_between_counts_days():
    table = frame(a=[pd.Timestamp("2026-03-31")], b=[pd.Timestamp("2026-01-01")])
    out = engine.collect(table.select(n=engine.days_between(table.a.date(), table.b.date())))
    assert out["n"].tolist() == [(date(2026, 3, 31) - date(2026, 1, 1)).days]


def test_whole_seconds_are_whole_and_rounded_down():
    # Counted by hand: 1970-01-02 begins 86,400 seconds after the epoch.
    table = frame(at=[pd.Timestamp("1970-01-02 00:00:00"), pd.Timestamp("1970-01-02 00:00:00.999999")])
    out = engine.collect(table.select(s=engine.epoch_second(table["at"])))["s"]
    assert out.dtype == "int64"
    assert out.tolist() == [86_400, 86_400]


def test_no_room_counts_seconds_by_the_form_that_differs_between_engines():
    plain = [
        p
        for p in sorted((ROOT / "opslib").rglob("*.py"))
        if ".epoch_seconds()" in p.read_text() and p.name != "engine.py"
    ]
    assert not plain, f"use engine.epoch_second: {plain}"


def test_unknown_engine_and_wrong_object_are_named():
    with pytest.raises(EngineError, match="'mysql' is not one of duckdb, postgres, spark"):
        engine.connect("mysql://host/db")
    with pytest.raises(EngineError, match=r"not a list: pass an ibis\.Table or a pandas\.DataFrame"):
        engine.as_table([1, 2])


def test_a_missing_database_file_is_named(tmp_path):
    with pytest.raises(EngineError, match="cannot connect"):
        engine.connect(f"duckdb:///{tmp_path}/absent.duckdb")


def test_tables_of_two_engines_are_not_mixed():
    one, two = (engine.connect() for _ in range(2))
    a = one.create_table("a", pd.DataFrame({"x": [1]}), temp=True)
    b = two.create_table("b", pd.DataFrame({"x": [1]}), temp=True)
    with pytest.raises(EngineError, match="two engines"):
        engine.collect(a.join(b, "x"))


def test_extensions_are_never_downloaded():
    backend = engine.connect()
    settings = dict(
        backend.raw_sql("select name, value from duckdb_settings() where name like 'auto%known_extensions'").fetchall()
    )
    assert settings == {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def test_passwords_are_never_repeated():
    with pytest.raises(EngineError) as caught:
        engine.connect("postgres://ana:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("secret", ["s3cret", "p@ss", "a:b@c", "x/y"])
def test_no_part_of_a_password_is_left(secret):
    hidden = engine.hide_password(f"cannot reach postgres://ana:{secret}@db:5432/shop now")
    assert hidden == "cannot reach postgres://ana:***@db:5432/shop now"


@given(st.lists(st.floats(-1e15, 1e15, allow_nan=False), min_size=1))
def test_rounding_keeps_twelve_digits_and_is_stable(values):
    array = np.array(values)
    once = engine.round_significant(array)
    assert np.allclose(once, array, rtol=1e-11, atol=0)
    assert np.array_equal(engine.round_significant(once), once)


def test_no_room_divides_integers_or_pulls_rows_by_itself():
    """The door is the only door: nobody else executes an expression."""
    pulls = {"execute", "to_pandas", "to_pyarrow", "to_pyarrow_batches", "to_polars"}
    allowed = {"engine.py", "charts/display.py"}  # the second lays a figure out: matplotlib calls that execute as well
    found = []
    for path in sorted((ROOT / "opslib").rglob("*.py")):
        relative = path.relative_to(ROOT / "opslib")
        if str(relative) in allowed or relative.parts[0] in ("shop", "simulate", "reporting"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in pulls:
                found.append(f"{relative}:{node.lineno} .{node.func.attr}()")
    assert found == []


def test_what_prepares_the_data_is_not_remembered():
    engine.clear_log()
    table = frame(x=[1, 2])
    engine.collect(table)
    with engine.unlogged():
        engine.collect(table.order_by("x"))
    assert len(engine.query_log()) == 1
