"""Searches as they were meant: typing, clicks and exits by hand, rates by a second road, misspellings, and every engine."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from opslib import demand, engine
from opslib.demand.searches import corrections
from opslib.errors import ContractError
from opslib.periods import Period
from tests.conftest import real_data_folder, skip_or_fail

MARCH = Period.parse("2026-03-01", "2026-03-31")


def log(*rows, **more):
    """Searches of one day from (visit, second, query, results, clicked)."""
    frame = pd.DataFrame(list(rows), columns=["session_id", "second", "query", "n_results", "clicked_product_id"])
    frame["searched_at"] = pd.Timestamp("2026-03-10 12:00") + pd.to_timedelta(frame["second"], unit="s")
    frame["clicked_product_id"] = (
        frame["clicked_product_id"].astype("str").where(frame["clicked_product_id"].notna(), None)
    )
    return frame.assign(search_id=[f"s{n:03d}" for n in range(len(frame))], **more)


def meant(searches, **options):
    found = demand.visit_searches(searches, period=MARCH, **options)
    return engine.collect(found.order_by("search_id"))


def test_what_is_typed_key_by_key_is_one_search_the_last():
    typed = log(("a", 0, "gar", 3, None), ("a", 2, "garden", 3, None), ("a", 4, "garden b", 0, None), ("a", 5, "Garden Bench", 2, "p1"),
                ("b", 0, "garden", 3, None))  # fmt: skip
    assert meant(typed)["text"].tolist() == ["garden bench", "garden"]


def test_letters_taken_back_are_typing_and_clicks_and_pauses_end_it():
    back = log(("a", 0, "oak trays", 3, None), ("a", 3, "oak tray", 3, None))
    assert meant(back)["text"].tolist() == ["oak tray"]
    clicked = log(("a", 0, "oak", 3, "p1"), ("a", 3, "oak tray", 3, None))
    assert meant(clicked)["text"].tolist() == ["oak", "oak tray"]
    later = log(("a", 0, "oak", 3, None), ("a", 31, "oak tray", 3, None))
    assert meant(later)["text"].tolist() == ["oak", "oak tray"]


def test_what_became_of_a_search_by_hand():
    found = meant(log(("a", 0, "dog bed", 0, None), ("a", 60, "cushion", 4, "p1"), ("b", 0, "dog bed", 0, None), ("c", 0, "mug", 5, None),
                      ("c", 90, "cup", 5, None), ("d", 0, "rug", None, None)))  # fmt: skip
    # The first found something by another search; the unknown number of results is no failure and no result.
    assert found["is_zero_result"].fillna(-1).tolist() == [0, 0, 1, 0, 0, -1]
    assert found["is_not_clicked"].fillna(-1).tolist() == [-1, 0, -1, 1, 1, -1]
    assert found["is_refined"].tolist() == [1, 0, 0, 1, 0, 0]
    assert found["is_exit"].isna().all()


def test_where_no_visit_has_two_searches_searching_again_is_not_recorded():
    found = demand.visit_searches(
        log(("a", 0, "mug", 5, "p1"), ("b", 0, "cup", 0, None), ("c", 0, "jug", 3, None)), period=MARCH
    )
    assert engine.collect(found)["is_refined"].isna().all()
    assert demand.search_rates(found)["outcome"].tolist() == [
        "no result, of all searches",
        "none clicked, of searches with results",
    ]


def test_an_exit_is_a_search_after_which_nothing_but_its_own_list_comes():
    searches = log(
        ("a", 10, "mug", 5, None), ("b", 10, "mug", 5, None), ("c", 10, "mug", 5, None), ("d", 10, "mug", 5, None)
    )
    events = pd.DataFrame(
        [("a", 10, "search", "search"), ("a", 12, "view_item_list", "search"), ("b", 10, "search", "search"), ("b", 50, "view_item", "mugs"),
         ("c", 2, "page_view", "home"), ("c", 10, "search", "search")],
        columns=["session_id", "second", "event_name", "section"],
    )  # fmt: skip
    events["occurred_at"] = pd.Timestamp("2026-03-10 12:00") + pd.to_timedelta(events["second"], unit="s")
    # Of the last visit no event was recorded, so nobody knows.
    assert meant(searches, events=events)["is_exit"].fillna(-1).tolist() == [1, 0, 1, -1]


def test_people_stand_behind_visits_and_what_names_a_person_is_gone():
    sessions = pd.DataFrame({"session_id": ["a", "b"], "visitor_id": ["v", "v"]})
    found = meant(
        log(("a", 0, "mug jo@example.org", 5, None), ("b", 0, "mug", 5, None), ("c", 0, "…", 5, None)),
        sessions=sessions,
    )
    assert found[["text", "person"]].values.tolist() == [["mug", "v"], ["mug", "v"]]


def test_days_outside_the_period_and_missing_columns():
    searches = log(("a", 0, "mug", 5, None))
    none = demand.visit_searches(searches, period=Period.parse("2026-04-01", "2026-04-30"))
    assert len(engine.collect(none)) == 0
    assert len(demand.search_rates(none)) == 0
    bare = meant(searches[["search_id", "searched_at", "query"]])
    assert bare[["is_zero_result", "is_not_clicked", "is_exit"]].isna().all(axis=None)
    with pytest.raises(ContractError, match="searches: no column 'query'"):
        demand.visit_searches(searches.drop(columns="query"), period=MARCH)


def test_rates_are_clustered_by_person_by_a_second_road():
    draws = np.random.default_rng(4)
    person = draws.integers(0, 60, 300)
    own = draws.beta(1, 3, 60)
    flags = pd.DataFrame(
        {"person": person.astype(str), "is_zero_result": (draws.random(300) < own[person]).astype(float)}
    )
    flags = flags.assign(is_not_clicked=np.nan, is_refined=np.nan, is_exit=np.nan)
    (row,) = demand.search_rates(flags).to_dict("records")
    # The sandwich of a ratio: residuals summed by person, as a regression with clustered errors has them.
    by_person = flags.groupby("person")["is_zero_result"].agg(["sum", "count"])
    share = by_person["sum"].sum() / by_person["count"].sum()
    rest = by_person["sum"] - share * by_person["count"]
    n = len(by_person)
    error = np.sqrt((rest**2).sum() * n / (n - 1)) / by_person["count"].sum()
    half = stats.t.ppf(0.975, n - 1) * error
    assert [row["failed_share"], row["failed_share_lower"], row["failed_share_upper"]] == pytest.approx(
        [share, share - half, share + half]
    )
    assert half > 1.2 * 1.96 * np.sqrt(share * (1 - share) / 300)  # wider than if searches were independent
    assert (row["outcome"], row["n_searches"], row["n_people"]) == ("no result, of all searches", 300, n)


@settings(max_examples=5, deadline=None)
@given(st.permutations(list(range(12))))
def test_the_order_of_rows_does_not_matter(order):
    searches = log(*[(f"v{n % 3}", n, ("mug", "mu", "rug x")[n % 3 - n % 2], n % 2, None) for n in range(12)])
    pd.testing.assert_frame_equal(meant(searches), meant(searches.iloc[order]))


# --- misspellings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "right"), [
    ("ketle", "kettle"), ("kettlle", "kettle"), ("kettke", "kettle"), ("ketlte", "kettle"), ("teat owel", "tea towel"),
    ("teatowel", "tea towel"), ("umg", "mug"),
])  # fmt: skip
def test_one_slip_is_corrected(typed, right):
    assert corrections({"kettle": 90, "tea towel": 80, "mug": 70}, {typed: 3}) == {typed: right}


@pytest.mark.parametrize(("typed", "known"), [
    ("iphone 12", "iphone 11"), ("cot", "cat"), ("cot bed", "cat bed"), ("kettle", "kettle"), ("ketltt", "kettle"), ("", "kettle"), ("mat", "mug"),
])  # fmt: skip
def test_another_size_another_short_word_or_two_slips_stay(typed, known):
    assert corrections({known: 90}, {typed: 3}) == {}


def test_a_word_of_the_catalogue_is_corrected_inside_a_text_and_plurals_are_no_slip():
    words = ["linen", "napkin", "blue", "kettle"]
    assert corrections({}, {"blue ketlte": 2, "linen napkins": 9, "blue xyzzy": 2}, words=words) == {
        "blue ketlte": "blue kettle"
    }


def test_of_two_that_find_nothing_the_much_more_frequent_one_is_right():
    assert corrections({}, {"air fryer": 50, "air frier": 10}) == {"air frier": "air fryer"}
    assert corrections({}, {"air fryer": 50, "air frier": 11}) == {}


@pytest.mark.real_data
def test_prefixes_of_the_real_log_are_collapsed():
    if not (real_data_folder() / "search_log").exists():
        skip_or_fail("the real data 'search_log' are not beside the project (see CONTRIBUTING, 'Real data')")
    from opslib.shop.opening import open_shop

    tables = open_shop("search_log").tables
    raw = engine.collect(tables["searches"])
    found = demand.visit_searches(
        tables["searches"], period=Period.parse("2024-06-01", "2025-03-31"), sessions=tables["sessions"]
    )
    rows = engine.collect(found)
    # By hand, from the log: "g", "wi", "wirele", "wirelese", "wireless", "wireless earbun" were typed on the way in one visit.
    visit = raw.loc[raw["query"] == "wirelese", "session_id"].iloc[0]
    kept = set(rows.loc[rows["visit"] == visit, "text"])
    assert not kept & {"wirele", "wirelese", "wireless", "wireless earbun"}
    assert {"gold", "wireless earbud"} <= kept
    assert 0.8 * len(raw) < len(rows) < len(raw)
    failed = demand.search_rates(found).set_index("outcome").loc["no result, of all searches"]
    assert failed["n_failed"] <= (raw["n_results"] == 0).sum() == 8


# --- every engine -----------------------------------------------------------------------------------------------------


def _searches(w: Any, times: int = 1) -> ibis.Table:
    """The shop's searches, each several times in visits of their own."""
    one = w.table("searches")
    if times == 1:
        return one
    more = ibis.union(*(one.mutate(search_id=one["search_id"].concat(f"-{n}")) for n in range(times)))
    return more.mutate(session_id=more["search_id"])


def _meant(w: Any, times: int = 1) -> ibis.Table:
    return demand.visit_searches(
        _searches(w, times), period=w.period, sessions=w.table("sessions"), events=w.table("events")
    )


def _needs(w: Any, times: int) -> dict[str, Any]:
    found = demand.unmet_needs(
        _meant(w, times), period=w.period, order_lines=w.table("order_lines"), products=w.table("products")
    )
    return {"needs": found.needs, "share": found.unmet_share, "value": found.visit_value}


def _said(w: Any) -> ibis.Table:
    """Every search as a review: its words, and few stars where it found nothing."""
    rows = _searches(w, 12)
    stars = 5 - 4 * engine.flag((rows["n_results"] == 0).fill_null(False))
    return rows.select(
        review_id="search_id", written_at="searched_at", rating=stars, text="query", product_id="clicked_product_id"
    )


def _asked(w: Any) -> ibis.Table:
    rows = w.table("searches")
    return rows.select(
        survey_id=ibis.literal("S"), respondent_id="search_id", question=ibis.literal("Why?"), answered_at="searched_at", answer="query"
    )  # fmt: skip


def _outside(w: Any) -> ibis.Table:
    rows = w.table("searches")
    n = rows["n_results"].fill_null(1).cast("int64")
    return rows.select(
        date=rows["searched_at"].cast("date"),
        query="query",
        n_impressions=n * 7,
        n_clicks=n,
        position=n.cast("float64"),
    )


PARITY_CASES = {
    "demand.visit_searches": _meant,
    "demand.search_rates": lambda w: demand.search_rates(_meant(w)),
    "demand.unmet_needs": lambda w: {"as found": _needs(w, 1), "often": _needs(w, 12)},
    "demand.text_themes": lambda w: demand.text_themes(
        _said(w),
        period=w.period,
        products=w.table("products"),
        order_lines=w.table("order_lines"),
        returns=w.table("returns"),
    ),
    "demand.survey_shares": lambda w: demand.survey_shares(_asked(w), period=w.period),
    "demand.outside_searches": lambda w: demand.outside_searches(_outside(w), _meant(w), period=w.period),
}
