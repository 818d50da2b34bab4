"""Transitions, ways and the step matrix: by hand, by pandas, and silent where two groups are equal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from opslib import charts, paths
from tests.paths.data import EMPTY, events_of, random_visits, site


def differences_of(world):
    tables = site(world)
    first, second = tables["groups"]
    return paths.transition_differences(
        tables["events"], tables["sessions"], first=first, second=second, column="device"
    )


PARITY_CASES = {
    "paths.transitions": lambda w: paths.transitions(site(w)["events"]),
    "paths.transition_differences": differences_of,
    "paths.step_matrix": lambda w: {
        "collapsed": paths.step_matrix(site(w)["events"]),
        "events": paths.step_matrix(w.table("events"), by="event_name", collapse=False, period=w.period),
    },
    "paths.ways": lambda w: paths.ways(site(w)["events"], period=w.period),
}
CHART_CASES = {
    "transitions": lambda: charts.draw_transitions(paths.transitions(random_visits(2, n=600)[0])),
    "step_matrix": lambda: charts.draw_step_matrix(paths.step_matrix(random_visits(2, n=600)[0])),
}
LOG = {"a": ["home", "home", "help", "home"], "b": ["home", "purchase"], "c": ["play"]}


def test_transitions_by_hand():
    moves = paths.transitions(events_of(LOG, column="section")).set_index(["source", "target"])["n_transitions"]
    assert moves.to_dict() == {
        ("(start)", "home"): 2, ("(start)", "play"): 1, ("help", "home"): 1, ("home", "(end)"): 1, ("home", "help"): 1, ("home", "purchase"): 1,
        ("play", "(end)"): 1, ("purchase", "(end)"): 1,
    }  # fmt: skip


def test_as_many_visits_begin_as_end_and_what_comes_goes():
    moves = paths.transitions(random_visits(3)[0])
    assert moves.groupby("source")["source_share"].sum().to_numpy() == pytest.approx(1.0)
    came, went = (moves.groupby(side)["n_transitions"].sum() for side in ("target", "source"))
    assert came["(end)"] == went["(start)"] == 3_000
    inner = sorted(set(came.index) & set(went.index))
    assert came[inner].tolist() == went[inner].tolist()


def test_step_matrix_by_hand():
    found = paths.step_matrix(events_of(LOG, column="section")).set_index(["step", "place"])["n_visits"]
    assert found.to_dict() == {(1, "home"): 2, (1, "play"): 1, (2, "help"): 1, (2, "purchase"): 1, (3, "home"): 1}
    plain = paths.step_matrix(events_of(LOG, column="section"), collapse=False, n_steps=2).set_index(["step", "place"])[
        "n_visits"
    ]
    assert plain.to_dict() == {(1, "home"): 2, (1, "play"): 1, (2, "home"): 1, (2, "purchase"): 1}


def test_ways_by_hand_and_the_valuable_among_them():
    log = events_of({**LOG, **{str(i): ["home"] for i in range(3)}}, column="section")
    log.loc[log["section"] == "purchase", ["event_name", "value"]] = ["purchase", 12.0]
    found = paths.ways(log, most=1).set_index("way")
    assert found["n_visits"].to_dict() == {"home": 3, "home > purchase": 1}
    assert found[["is_common", "is_valuable", "order_share", "visit_amount"]].loc["home > purchase"].tolist() == [
        False,
        True,
        1.0,
        12.0,
    ]


def compared(seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    events, sessions = random_visits(seed)
    if shift:
        rng, on_phones = (
            np.random.default_rng(seed + 1_000),
            set(sessions.loc[sessions["device"] == "mobile", "session_id"]),
        )
        moved = events["session_id"].isin(on_phones) & (events["event_index"] == 1) & (rng.random(len(events)) < shift)
        events.loc[moved, "section"] = "help"
    return paths.transition_differences(events, sessions, first="mobile", second="desktop", column="device")


def test_a_planted_difference_is_named_first():
    found = compared(1, shift=0.3)
    assert found["is_clear"].iloc[0]
    assert found["target"].iloc[0] == "help"
    assert found["gap_share"].iloc[0] > 0


def test_two_equal_groups_name_a_difference_in_few_seeds():
    named = [compared(seed)["is_clear"].any() for seed in range(60)]
    assert np.mean(named) <= 0.05


def test_nothing_gives_nothing():
    assert paths.transitions(EMPTY).empty
    assert paths.step_matrix(EMPTY).empty
    assert paths.ways(EMPTY).empty
    sessions = pd.DataFrame({"session_id": ["s"], "device": ["mobile"]})
    assert paths.transition_differences(EMPTY, sessions, first="mobile", second="desktop", column="device").empty
    assert charts.draw_transitions(paths.transitions(EMPTY)) is None
