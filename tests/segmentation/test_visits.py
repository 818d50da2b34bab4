"""One intent a visit, by hand; shares by a second road; intervals that know a visitor's visits."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.periods import Period
from opslib.segmentation import INTENTS, intent_matrix, intent_sizes, left_behind, visit_intents
from opslib.stats.shares import share

PRODUCTS = pd.DataFrame({"product_id": ["l1", "l2", "r1"], "category": ["lamps", "lamps", "rugs"]})
LOG = {
    "buy": [("view_item", "l1"), ("add_to_cart", "l1"), ("begin_checkout", None), ("purchase", "l1")],
    "left at once": [("view_item", "l1")],
    "checkout": [("add_to_cart", "l1"), ("begin_checkout", None)],
    "cart": [("search", None), ("view_item", "l1"), ("view_item", "l2"), ("add_to_cart", "l1")],
    "compare": [("search", None), ("view_item", "l1"), ("view_item", "l2")],
    "search": [("search", None), ("view_item", "l1"), ("view_item", "r1")],  # two products, but no two of a kind
    "consider": [("page_view", None), ("view_item", "l1"), ("view_item", "l1")],
    "service": [("page_view", None), ("page_view", "help")],
    "browse": [("page_view", None), ("view_item_list", None)],
}


def events_of(log: dict[str, list[tuple[str, str | None]]], at: str = "2026-01-05 10:00") -> pd.DataFrame:
    rows = [
        {
            "session_id": session, "visitor_id": session, "event_index": i, "event_name": name,
            "occurred_at": pd.Timestamp(at) + pd.Timedelta(minutes=i), "section": "Help" if what == "help" else "shop",
            "product_id": None if what == "help" else what, "value": 9.5 if name == "purchase" else None,
        }
        for session, steps in log.items() for i, (name, what) in enumerate(steps)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"product_id": "string"})


def intents(events: pd.DataFrame, **choices) -> pd.DataFrame:
    return engine.collect(visit_intents(events, **choices).order_by("session_id")).set_index("session_id")


def test_every_rule_by_hand():
    found = intents(events_of(LOG), products=PRODUCTS)
    assert found["intent"].to_dict() == {name: name for name in sorted(LOG)}
    assert found.loc["buy", ["is_buy", "revenue_amount"]].tolist() == [1, 9.5]
    assert found.loc["compare", ["n_events", "n_products"]].tolist() == [3, 2]


def test_without_categories_any_two_products_are_compared():
    assert intents(events_of(LOG)).loc["search", "intent"] == "compare"


def test_only_what_is_there_is_used():
    bare = events_of(LOG)[["session_id", "event_name", "occurred_at"]]
    found = intents(bare)["intent"]
    assert found["buy"] == "buy"
    assert found["compare"] == "search"  # no product, nothing to compare
    assert found["service"] == "browse"


def test_only_days_of_the_period_count():
    day = Period(date(2026, 1, 5), date(2026, 1, 5))
    late = events_of({"late": LOG["browse"]}, at="2026-01-06 00:00")
    sessions = pd.DataFrame({"session_id": ["buy", "z"], "started_at": pd.to_datetime(["2026-01-05", "2026-01-06"])})
    assert set(intents(pd.concat([events_of(LOG), late]), period=day).index) == set(LOG)
    assert intents(events_of(LOG), sessions=sessions, period=day).index.tolist() == ["buy"]


def test_sessions_without_events_are_unseen():
    sessions = pd.DataFrame(
        {"session_id": ["buy", "z"], "started_at": pd.to_datetime(["2026-01-05"] * 2), "device": "mobile"}
    )
    found = intents(events_of(LOG), sessions=sessions)
    assert found["intent"].to_dict() == {"buy": "buy", "z": "unseen"}
    assert found["device"].tolist() == ["mobile", "mobile"]
    assert found.loc["z", ["n_events", "revenue_amount"]].tolist() == [0, 0.0]


def later(days: list[int], buys: list[bool], **choices) -> list[float]:
    """bought_later of visits of one visitor on these days, with somebody else's visit on day 100."""
    log = pd.concat([
        events_of({f"s{i}": LOG["buy" if buy else "browse"]}, at=f"2026-01-01 {10 + i}:00").assign(
            visitor_id="v", occurred_at=lambda t, day=day: t["occurred_at"] + pd.Timedelta(days=day))
        for i, (day, buy) in enumerate(zip(days, buys, strict=True))
    ] + [events_of({"zz": LOG["browse"]}, at="2026-04-11 09:00")])  # fmt: skip
    return intents(log, **choices)["bought_later"].iloc[:-1].astype("float64").tolist()


def test_a_later_order_counts_within_the_horizon_only():
    assert later([0, 10, 60], [False, True, False]) == [1.0, 0.0, 0.0]
    assert later([0, 40], [False, True]) == [0.0, 0.0]
    assert later([0, 40], [False, True], horizon_days=45) == [1.0, 0.0]


def test_what_is_not_yet_over_is_missing():
    assert np.isnan(later([0, 95], [True, False])).tolist() == [False, True]


def test_visits_of_nobody_known_have_no_later():
    unknown = events_of(LOG).drop(columns="visitor_id")
    early = unknown.assign(session_id="early", occurred_at=unknown["occurred_at"] - pd.Timedelta(days=90))
    assert intents(pd.concat([unknown, early]))["bought_later"].isna().all()


@given(
    st.lists(
        st.sampled_from(["page_view", "view_item", "search", "add_to_cart", "purchase", "begin_checkout", "odd"]),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=8, deadline=None)
def test_every_visit_has_exactly_one_intent(names):
    found = intents(events_of({"s": [(name, "l1") for name in names]}), products=PRODUCTS)
    assert len(found) == 1
    assert found["intent"].iloc[0] in INTENTS


def visits(n: int = 400, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    people = rng.integers(0, n // 4, n)
    kind = np.where(rng.random(n) < (people % 5) / 8, "buy", "browse")
    return pd.DataFrame({"visitor_id": people, "intent": kind, "revenue_amount": 1.0, "bought_later": rng.random(n) < 0.2,
                         "device": np.where(people % 2, "mobile", None)}).astype({"bought_later": "int64"})  # fmt: skip


def test_shares_and_their_errors_by_pandas():
    frame = visits()
    row = intent_sizes(frame).set_index("intent").loc["buy"]
    d = frame.groupby("visitor_id").size()
    y = frame[frame["intent"] == "buy"].groupby("visitor_id").size().reindex(d.index, fill_value=0)
    ratio = y.sum() / d.sum()
    error = np.sqrt(((y - ratio * d) ** 2).sum() * len(d) / (len(d) - 1)) / d.sum()
    assert row["visit_share"] == pytest.approx(ratio, rel=1e-9)
    assert (row["visit_share_upper"] - row["visit_share_lower"]) / 2 == pytest.approx(
        1.984 * error, rel=1e-3
    )  # Student's t, 98 degrees
    bought = frame[frame["intent"] == "buy"]
    assert row["later_share"] == pytest.approx(bought["bought_later"].mean(), rel=1e-9)
    assert row["n_visitors"] == bought["visitor_id"].nunique()


def test_repeated_visits_do_not_make_a_share_surer():
    frame = visits()
    once, tenfold = (intent_sizes(pd.concat([frame] * times)).set_index("intent") for times in (1, 10))
    assert tenfold["visit_share_lower"].to_numpy() == pytest.approx(once["visit_share_lower"].to_numpy(), rel=1e-9)
    assert tenfold["n_visits"]["buy"] == 10 * once["n_visits"]["buy"]


def test_shares_of_each_device_sum_to_one():
    sizes = intent_sizes(visits(), by="device")
    assert sizes.groupby("device")["visit_share"].sum().to_dict() == pytest.approx({"mobile": 1.0, "unknown": 1.0})


def test_all_of_a_kind_has_wilsons_interval():
    row = intent_sizes(visits().assign(intent="browse", bought_later=0)).iloc[0]
    n = visits()["visitor_id"].nunique()
    assert row["visit_share_lower"] == pytest.approx(share(n, n).lower)
    assert row["later_share_upper"] == pytest.approx(share(0, n).upper)


def test_errors_are_by_name():
    with pytest.raises(ContractError, match="events: no column 'event_name'"):
        visit_intents(events_of(LOG).drop(columns="event_name"))
    with pytest.raises(ContractError, match="intents: no column 'browser'"):
        intent_sizes(visits(), by="browser")
    with pytest.raises(ParameterError, match="horizon_days: 0"):
        visit_intents(events_of(LOG), horizon_days=0)


def test_no_visit_gives_no_row():
    assert intent_sizes(visits().head(0)).empty


def many_visits(seed: int, *, lift: float = 0.0, n: int = 4_000) -> pd.DataFrame:
    """Visits of visitors who each come back with a chance of their own, ``lift`` more after a cart."""
    rng = np.random.default_rng(seed)
    visitor = rng.integers(0, n // 3, n)
    own = rng.beta(2, 10, n // 3 + 1)[visitor]
    intent = rng.choice(
        ["cart", "checkout", "browse", "left at once", "buy", "unseen"], n, p=[0.15, 0.1, 0.3, 0.3, 0.1, 0.05]
    )
    later = (rng.random(n) < own + lift * (intent == "cart")).astype(float)
    return pd.DataFrame(
        {"visitor_id": visitor, "intent": intent, "bought_later": np.where(rng.random(n) < 0.1, np.nan, later)}
    )


def test_what_was_left_equals_plain_sums_and_the_delta_method_by_hand() -> None:
    visits = many_visits(4)
    found = left_behind(visits).set_index("intent")
    assert found.index.tolist() == ["checkout", "cart"]
    others = visits[visits["intent"].isin(["browse", "left at once"])]
    for intent, row in found.iterrows():
        own = visits[visits["intent"] == intent]
        assert row["n_visits"] == len(own)
        assert row["n_visitors"] == own["visitor_id"].nunique()
        assert row["visit_share"] == pytest.approx(len(own) / len(visits))
        one, two = own["bought_later"].mean(), others["bought_later"].mean()
        assert row[["later_share", "others_share", "gap_share"]].tolist() == pytest.approx([one, two, one - two])
        # Each visitor's pull on the difference, squared and summed: the delta method written out.
        pull = (own["bought_later"] - one).groupby(own["visitor_id"]).sum() / own["bought_later"].count()
        push = (others["bought_later"] - two).groupby(others["visitor_id"]).sum() / others["bought_later"].count()
        n = visits["visitor_id"].nunique()
        error = np.sqrt((pull.sub(push, fill_value=0.0) ** 2).sum() * n / (n - 1))
        assert row["gap_share_upper"] - row["gap_share"] == pytest.approx(1.959964 * error, rel=1e-6)


def test_a_difference_is_covered_and_a_planted_one_is_found() -> None:
    """Of 200 shops without any difference at most 7.5 % of intervals leave out zero (5 %, p of more about .05)."""
    wrong = [not (row.gap_share_lower <= 0 <= row.gap_share_upper) for seed in range(100)
             for row in left_behind(many_visits(seed, n=900)).itertuples()]  # fmt: skip
    assert np.mean(wrong) <= 0.075
    assert left_behind(many_visits(1, lift=0.1)).set_index("intent").loc["cart", "gap_share_lower"] > 0


def test_nothing_left_is_no_row() -> None:
    visits = many_visits(1)
    assert left_behind(visits[visits["intent"] == "buy"]).empty
    assert left_behind(visits.head(0)).empty


def test_a_matrix_adds_up_to_one_for_each_device() -> None:
    visits = many_visits(2).assign(device=lambda t: np.where(t["visitor_id"] % 3, "phone", "desk"), revenue_amount=0.0)
    matrix = intent_matrix(intent_sizes(visits, by="device"), by="device").set_index("intent")
    assert matrix.sum().tolist() == pytest.approx([1.0, 1.0])
    for device in ("phone", "desk"):
        own = visits[visits["device"] == device]
        assert matrix.loc["cart", f"{device}_share"] == pytest.approx((own["intent"] == "cart").mean())
    assert list(matrix.index) == [intent for intent in INTENTS if intent in set(visits["intent"])]
