"""Events cut into visits, and their neighbours."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.sessions import ordered_events, sessionised


def _events(times: list[str], *, visitor: str | None = "v", names: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame({
        "visitor_id": [visitor] * len(times), "occurred_at": pd.to_datetime(times),
        "event_name": names or ["page_view"] * len(times),
    })  # fmt: skip


def test_thirty_minutes_of_silence_do_not_end_a_visit_and_one_second_more_does() -> None:
    events = _events(["2026-01-05 10:00:00", "2026-01-05 10:30:00", "2026-01-05 11:00:01"])
    found = engine.collect(sessionised(events).order_by("occurred_at"))
    assert found["session_id"].tolist() == ["v-0", "v-0", "v-1"]
    assert found["event_index"].tolist() == [0, 1, 0]


def test_visitors_do_not_mix_and_nameless_events_belong_to_no_visit() -> None:
    events = pd.concat([_events(["2026-01-05 10:00"]), _events(["2026-01-05 10:01"], visitor="w"),
                        _events(["2026-01-05 10:02"], visitor=None)])  # fmt: skip
    assert sorted(engine.collect(sessionised(events))["session_id"]) == ["v-0", "w-0"]


def test_no_events_no_visits() -> None:
    events = _events(["2026-01-05 10:00"]).iloc[:0].astype({"visitor_id": "string", "event_name": "string"})
    assert engine.collect(sessionised(events)).empty


def test_neighbours_end_with_the_visit() -> None:
    events = pd.DataFrame(
        {
            "session_id": ["a", "a", "b"],
            "event_index": [0, 1, 0],
            "event_name": ["search", "purchase", "search"],
            "occurred_at": pd.to_datetime(["2026-01-05 10:00", "2026-01-05 10:02", "2026-01-05 10:01"]),
        }
    )
    found = engine.collect(ordered_events(events).order_by("session_id", "position"))
    assert found["next_event"].fillna("-").tolist() == ["purchase", "-", "-"]
    assert found["previous_event"].fillna("-").tolist() == ["-", "search", "-"]
    assert found["seconds_to_next"].tolist()[0] == 120


def test_collapsing_keeps_a_return_to_the_same_event() -> None:
    names = ["search", "search", "view_item", "search"]
    events = pd.DataFrame({
        "session_id": "a", "event_index": range(4), "event_name": names,
        "occurred_at": pd.to_datetime(["2026-01-05"] * 4),
    })  # fmt: skip
    found = engine.collect(ordered_events(events, collapse=True).order_by("position"))
    assert found["event_name"].tolist() == ["search", "view_item", "search"]
    assert found["position"].tolist() == [0, 1, 2]


def test_midnight_ends_a_visit_where_asked_by_the_local_day_where_there_is_one() -> None:
    events = _events(["2026-01-05 23:50", "2026-01-06 00:10"])
    for rules, expected in ((("timeout",), ["v-0", "v-0"]), (("timeout", "midnight"), ["v-0", "v-1"])):
        found = engine.collect(sessionised(events, rules=rules).order_by("occurred_at"))
        assert found["session_id"].tolist() == expected
    local = events.assign(occurred_on=pd.to_datetime(["2026-01-06"] * 2))
    assert set(engine.collect(sessionised(local, rules=("midnight",)))["session_id"]) == {"v-0"}


def test_an_event_with_another_campaign_begins_a_visit() -> None:
    events = _events(["2026-01-05 10:00", "2026-01-05 10:01", "2026-01-05 10:02", "2026-01-05 10:03"])
    events["campaign"] = ["spring", None, "summer", "summer"]
    found = engine.collect(sessionised(events, rules=("timeout", "campaign")).order_by("occurred_at"))
    assert found["session_id"].tolist() == ["v-0", "v-0", "v-1", "v-1"]
    assert found["event_index"].tolist() == [0, 1, 0, 1]
    with pytest.raises(ContractError, match="events: no column 'campaign'"):
        sessionised(events.drop(columns="campaign"), rules=("campaign",))


def test_errors_name_the_thing() -> None:
    with pytest.raises(ParameterError, match="rules: 'noon' is not one of timeout, midnight, campaign"):
        sessionised(_events(["2026-01-05"]), rules=("noon",))
    with pytest.raises(ParameterError, match="timeout_minutes: 0 is not positive"):
        sessionised(_events(["2026-01-05"]), timeout_minutes=0)
    with pytest.raises(ContractError, match="events: no column 'visitor_id'"):
        sessionised(_events(["2026-01-05"]).drop(columns="visitor_id"))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=30), st.integers(1, 120))
def test_number_of_visits_is_one_more_than_the_number_of_long_gaps(seconds: list[int], minutes: int) -> None:
    at = pd.Timestamp("2026-01-05") + pd.to_timedelta(seconds, unit="s")
    events = pd.DataFrame({"visitor_id": "v", "event_name": "page_view", "occurred_at": at})
    gaps = pd.Series(sorted(seconds)).diff().gt(minutes * 60).sum()
    found = engine.collect(sessionised(events, timeout_minutes=minutes))
    assert found["session_id"].nunique() == gaps + 1
    assert len(found) == len(seconds)
