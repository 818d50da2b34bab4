"""Funnels: by hand in each order, against a walk through the events in plain Python, intervals by a second road."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import engine, paths
from opslib.errors import ContractError, ParameterError
from tests.paths.data import EMPTY, events_of

STEPS = {"product": ("view_item",), "cart": ("add_to_cart",), "order": ("purchase",)}
V, A, P, X = "view_item", "add_to_cart", "purchase", "search"


def reach_of(world):
    return paths.funnel_reach(world.table("events"), sessions=world.table("sessions"), period=world.period)


#: How the parity tests ask the functions of this room, on DuckDB, PostgreSQL and Spark.
PARITY_CASES = {
    "paths.cut_visits": lambda w: dict(zip(("events", "sessions"), paths.cut_visits(w.table("events"), w.table("sessions"), rule="midnight", period=w.period), strict=True)),
    "paths.steps_seen": lambda w: pd.DataFrame({"step": list(paths.steps_seen(w.table("events")))}),
    "paths.funnel_reach": lambda w: {
        "sessions": reach_of(w),
        **{order: paths.funnel_reach(w.table("events"), steps=STEPS, order=order) for order in ("loose", "strict", "any")},
        "visitors": paths.funnel_reach(w.table("events"), by="visitor_id"),
    },
    "paths.funnel": lambda w: paths.funnel(reach_of(w)),
    "paths.two_largest": lambda w: pd.DataFrame({"group": paths.two_largest(reach_of(w), by="device")}),
}  # fmt: skip
CHART_CASES = {
    "funnel": lambda: draw_of(paths.funnel(paths.funnel_reach(events_of({str(i): [V, A, P][: 1 + i % 3] for i in range(60)})), steps=paths.STEPS)),
}  # fmt: skip


def draw_of(steps):
    from opslib import charts

    return charts.draw_funnel(steps)


def depth(names: list[str], order: str, **choices) -> int:
    found = engine.collect(paths.funnel_reach(events_of({"s": names}), steps=STEPS, order=order, **choices))
    return int(found["n_steps"].iloc[0]) if len(found) else 0


@pytest.mark.parametrize(
    ("names", "loose", "strict", "any_order"),
    [
        ([V, A, P], 3, 3, 3),
        ([V, X, A, P], 3, 1, 3),  # something in between
        ([A, V, P], 1, 1, 3),  # the cart before the product
        ([A, V, A, P], 3, 3, 3),  # repeated: the later cart counts
        ([V, V, A, A, P], 3, 3, 3),  # the same event several times in a row counts once
        ([P, A, V], 1, 1, 3),
        ([V, P], 1, 1, 1),  # an order without a cart is no third step
        ([X, A], 0, 0, 0),
        ([V, A, X, V, A, P], 3, 3, 3),  # the longest run counts
    ],
)
def test_orders_by_hand(names, loose, strict, any_order):
    assert [depth(names, order) for order in ("loose", "strict", "any")] == [loose, strict, any_order]


def test_a_visit_as_first_step_is_every_visit_and_strict_begins_with_its_first_event():
    steps = {"visit": (), "product": (V,), "order": (P,)}
    log = events_of({"a": [V, P], "b": [X, V, P], "c": [X]})
    found = {
        order: engine.collect(paths.funnel_reach(log, steps=steps, order=order).order_by("session_id"))[
            "n_steps"
        ].tolist()
        for order in ("loose", "strict", "any")
    }
    assert found == {"loose": [3, 3, 1], "strict": [3, 1, 1], "any": [3, 3, 1]}


def test_time_to_convert_is_from_the_step_before():
    found = engine.collect(paths.funnel_reach(events_of({"s": [X, V, V, X, A, P]}), steps=STEPS))
    assert found[["seconds_1", "seconds_2"]].values.tolist() == [[180.0, 60.0]]
    steps = paths.funnel(found, steps=STEPS)
    assert steps["median_seconds"].fillna(-1).tolist() == [-1, 180, 60]
    assert found["revenue_amount"].tolist() == [9.5]


def test_a_visitors_visits_are_one_way_where_asked():
    log = pd.concat([events_of({"1": [V]}), events_of({"2": [A, P]}, at="2026-01-06 10:00")]).assign(visitor_id="v")
    assert engine.collect(paths.funnel_reach(log, steps=STEPS))["n_steps"].tolist() == [1]
    found = engine.collect(paths.funnel_reach(log, steps=STEPS, by="visitor_id"))
    assert found[["visitor_id", "n_steps"]].values.tolist() == [["v", 3]]


def walked(names: list[str]) -> int:
    """Each step at its earliest after the one before: a walk through the events."""
    wanted = [V, A, P]
    done = 0
    for name in names:
        done += done < 3 and name == wanted[done]
    return done


def longest_run(names: list[str]) -> int:
    short = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    runs = [0]
    for i in range(len(short)):
        n = 0
        while n < 3 and i + n < len(short) and short[i + n] == (V, A, P)[n]:
            n += 1
        runs.append(n)
    return max(runs)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(st.sampled_from([V, A, P, X]), min_size=1, max_size=9), min_size=1, max_size=12))
def test_any_visits_are_walked_as_by_plain_python(visits):
    log = events_of({str(i): names for i, names in enumerate(visits)})
    for order, count in (("loose", walked), ("strict", longest_run)):
        found = engine.collect(paths.funnel_reach(log, steps=STEPS, order=order)).set_index("session_id")["n_steps"]
        assert found.to_dict() == {str(i): count(names) for i, names in enumerate(visits) if count(names)}


def test_shares_and_their_intervals_by_pandas():
    rng = np.random.default_rng(3)
    visitor = rng.integers(0, 80, 400)
    reach = pd.DataFrame(
        {"visitor_id": visitor, "n_steps": 1 + (rng.random(400) < (visitor % 7) / 9), "seconds_1": 1.0}
    )
    row = paths.funnel(reach, steps={"visit": (), "order": (P,)}).set_index("step").loc["order"]
    people = reach.assign(y=reach["n_steps"] - 1).groupby("visitor_id")["y"].agg(["sum", "count"])
    ratio = people["sum"].sum() / people["count"].sum()
    spread = ((people["sum"] - ratio * people["count"]) ** 2).sum() * len(people) / (len(people) - 1)
    error = np.sqrt(spread) / people["count"].sum()
    assert row["step_share"] == pytest.approx(ratio)
    assert (row["step_share_upper"] - row["step_share_lower"]) / 2 == pytest.approx(
        1.99 * error, rel=5e-3
    )  # Student's t, 79 degrees
    assert row["n_visits"] == reach["n_steps"].gt(1).sum()


def test_visits_are_cut_anew_with_what_their_recorded_visit_had():
    log = events_of({"s": [V, A]}, at="2026-01-05 23:59:30").assign(visitor_id="v")
    sessions = pd.DataFrame({"session_id": ["s"], "visitor_id": ["v"], "device": ["mobile"]})
    events, visits = paths.cut_visits(log, sessions, rule="midnight")
    found = engine.collect(visits.order_by("session_id"))
    assert found[["session_id", "device"]].values.tolist() == [["v-0", "mobile"], ["v-1", "mobile"]]
    assert list(events.columns) == list(log.columns)
    same, _ = paths.cut_visits(log, sessions)
    assert len(engine.collect(same)) == 2


def test_without_events_there_is_no_step():
    reach = paths.funnel_reach(EMPTY)
    assert engine.collect(reach).empty
    assert paths.funnel(reach).empty
    assert paths.steps_seen(EMPTY) == {name: tuple(names) for name, names in paths.STEPS.items()}
    assert paths.two_largest(reach.mutate(device=ibis.literal("x")), by="device") == ("", "")


def test_errors_are_by_name():
    with pytest.raises(ContractError, match="events: no column 'event_index'"):
        paths.funnel_reach(EMPTY.drop(columns="event_index"))
    with pytest.raises(ParameterError, match="needs two steps or more"):
        paths.funnel_reach(EMPTY, steps={"product": (V,), "cart": ()})
    with pytest.raises(ParameterError, match="order: 'exact' is not one of loose, strict, any"):
        paths.funnel_reach(EMPTY, order="exact")
