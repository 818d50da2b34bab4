"""Sections and pages by hand and by plain pandas, the planted guide found, seasons only where there are any."""

from __future__ import annotations

from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import content, engine
from opslib.errors import ContractError
from opslib.metrics import day_of
from opslib.periods import Period
from tests.positioning.market import demo

JANUARY = Period.parse("2026-01-01", "2026-01-31")
YEAR = Period.parse("2025-11-01", "2026-10-31")
STEPS = [  # visit, minute, what, section, order
    ("a", 0, "page_view", "home", None),
    ("a", 1, "view_item_list", "lamps", None),
    ("a", 2, "view_item", "lamps", None),
    ("a", 5, "purchase", "checkout", "o1"),
    ("b", 0, "page_view", "guides", None),
    ("b", 45, "page_view", "home", None),
    ("c", 0, "page_view", "home", None),
]
EVENTS = pd.DataFrame(STEPS, columns=["session_id", "minute", "event_name", "section", "order_id"])
EVENTS["event_index"], EVENTS["visitor_id"] = (
    EVENTS.groupby("session_id").cumcount(),
    EVENTS["session_id"].map({"a": "v", "b": "v", "c": "w"}),
)
EVENTS["occurred_at"] = pd.Timestamp("2026-01-05 10:00") + pd.to_timedelta(EVENTS["minute"], unit="m")
PAGES = pd.DataFrame({"page": ["/", "/g1", "/g2"], "section": ["home", "guides", "guides"], "title": ["Home", "Old", "New"], "template": "page",
                      "published_at": pd.to_datetime(["2025-01-01", "2025-06-01", "2026-01-21"])})  # fmt: skip


def whole(w) -> Period:
    return Period(w.coverage.first, w.coverage.last)


def placed(w):
    """Events with a section: the page's, where the shop names none."""
    events = w.table("events")
    return events if "section" in events.columns else events.mutate(section=events["page"])


def pages_of(w):
    """Pages of the shop, else those that its events name: the first is new."""
    if "pages" in w.shop.tables:
        return w.table("pages")
    events = w.table("events")
    seen = events.filter(events["page"].notnull()).select("page").distinct()
    first = seen["page"] == "/0"
    return seen.mutate(section=ibis.literal("site"), title=seen["page"], published_at=ibis.cases(
        (first, ibis.timestamp("2026-02-02")), else_=ibis.timestamp("2025-01-01")))  # fmt: skip


def reach_of(w, by="section"):
    return content.page_reach(placed(w), pages=pages_of(w), by=by, period=whole(w))


def weeks_of(w):
    events = placed(w)
    return content.page_weeks(events.filter(events["event_name"] != "view_item"), pages_of(w), as_of=w.coverage.last)


def offer_of(w):
    """Every search leads somewhere: to the product that the visit's section has."""
    events, searches = placed(w), w.table("searches")
    events = events.mutate(event_name=ibis.literal("view_item"), product_id=ibis.literal("p"))
    return content.section_offer(
        reach_of(w), events, searches.mutate(clicked_product_id=ibis.literal("p")), period=whole(w)
    )


def seasons_of(w):
    """Orders as visits, of which those of May have a section to themselves beside what all months have."""
    lines = w.table("order_lines")
    day = day_of(lines, "ordered_at")
    one = lines.select(session_id="order_id", occurred_on=day, section=ibis.ifelse(day.month() == 5, "a", "b"))
    both = one.union(one.mutate(section=ibis.literal("a"))).distinct().union(one.mutate(section=ibis.literal("c")))
    months = pd.period_range("2025-03", "2026-03", freq="M")
    seen = Period(months[0].start_time.date(), months[-1].end_time.date())
    return {
        "orders": engine.grouped(both, ["section"], n=both.count()),
        "calendar": content.content_calendar(both, days_seen=seen, as_of=w.as_of),
    }


#: How the parity tests ask the functions of this room, on DuckDB, PostgreSQL and Spark.
PARITY_CASES = {
    "content.page_reach": lambda w: {by: reach_of(w, by) for by in ("section", "page")},
    "content.page_weeks": weeks_of,
    "content.page_decays": lambda w: {"weeks": weeks_of(w), "decays": content.page_decays(weeks_of(w))},
    "content.section_offer": offer_of,
    "content.topic_pages": lambda w: content.topic_pages(pd.DataFrame({"need": ["lamp", "/1"]}), pages_of(w)),
    "content.content_calendar": seasons_of,
}


def test_reach_by_hand() -> None:
    found = content.page_reach(EVENTS, pages=PAGES, period=JANUARY).set_index("section")
    assert found["n_visits"].to_dict() == {"home": 3, "checkout": 1, "guides": 1, "lamps": 1}
    assert found.loc["home", ["n_visitors", "visit_share", "n_views", "n_assisted_orders"]].tolist() == [2, 1.0, 3, 1]
    assert found["exit_share"].to_dict() == pytest.approx(
        {"home": 2 / 3, "checkout": 0.0, "guides": 0.0, "lamps": 0.0}
    ), "a ended with an order"
    assert found["entry_share"].to_dict() == pytest.approx(
        {"home": 2 / 3, "checkout": 0.0, "guides": 1.0, "lamps": 0.0}
    )
    # One view of two events, 1 + 3 minutes; 45 minutes of silence count as half an hour.
    assert found["mean_seconds"].dropna().to_dict() == {"home": 60.0, "guides": 1800.0, "lamps": 240.0}
    assert found.loc["guides", ["n_pages", "age_days"]].tolist() == [2, 10]


def test_only_the_period_counts_and_a_missing_column_is_named() -> None:
    assert content.page_reach(EVENTS, period=Period.parse("2026-02-01", "2026-02-28")).empty
    with pytest.raises(ContractError, match="events: no column 'page'"):
        content.page_reach(EVENTS, by="page", period=JANUARY)


STEP = st.tuples(st.integers(0, 3), st.sampled_from(["home", "lamps", "guides", None]), st.booleans())


@settings(max_examples=20, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=20))
def test_every_visit_begins_once_and_ends_once(rows) -> None:
    frame = pd.DataFrame(rows, columns=["session_id", "section", "is_buy"]).sort_values(
        "session_id", kind="stable", ignore_index=True
    )
    frame["event_index"] = frame.groupby("session_id").cumcount()
    frame["occurred_at"] = pd.Timestamp("2026-01-05") + pd.to_timedelta(frame["event_index"], unit="m")
    frame["event_name"], frame["order_id"] = (
        np.where(frame["is_buy"], "purchase", "page_view"),
        frame["session_id"].astype(str),
    )
    found = content.page_reach(frame.astype({"section": "string"}), period=JANUARY)
    visits = frame.groupby("session_id")
    first, last = (
        visits["section"].first(),
        frame.loc[visits["event_index"].idxmax()].set_index("session_id")["section"],
    )
    first = frame.loc[visits["event_index"].idxmin()].set_index("session_id")["section"]
    buys = visits["is_buy"].any()
    assert (found["entry_share"] * found["n_visits"]).sum() == pytest.approx(first.notna().sum())
    assert (found["exit_share"] * found["n_visits"]).sum() == pytest.approx((last.notna() & ~buys).sum())
    plain = frame.groupby("section")["session_id"].nunique()
    assert found.set_index("section")["n_visits"].to_dict() == plain.to_dict()


def log_of(pages: dict[str, list[int]], *, start: str = "2026-01-01") -> pd.DataFrame:
    """Page views: so many a day of each page."""
    rows = [(f"{page}-{day}-{k}", page, pd.Timestamp(start) + pd.Timedelta(days=day)) for page, counts in pages.items()
            for day, n in enumerate(counts) for k in range(n)]  # fmt: skip
    return pd.DataFrame(rows, columns=["session_id", "page", "occurred_at"]).assign(event_name="page_view")


def test_weeks_of_a_new_page_by_hand() -> None:
    events = log_of({"/g1": [2] * 30, "/g3": [4] * 30, "/g2": [0] * 20 + [6] * 10})
    pages = pd.concat([PAGES, PAGES.iloc[[1]].assign(page="/g3")])
    found = content.page_weeks(events, pages, as_of=date(2026, 1, 30))
    assert found[["page", "week", "n_visits", "peer_visits", "ratio"]].values.tolist() == [["/g2", 0, 42.0, 21.0, 2.0]]
    assert content.page_weeks(events.assign(event_name="view_item"), pages, as_of=date(2026, 1, 30)).empty, (
        "pages of products are left out"
    )
    assert content.page_weeks(events.head(0), pages, as_of=date(2026, 1, 30)).empty


def weeks_like(seed: int, *, peak: float) -> pd.DataFrame:
    draws, week = np.random.default_rng(seed), np.arange(40)
    ratio = 0.5 + peak * 0.5 ** ((7 * week + 3.5) / 40)
    return pd.DataFrame({"page": f"/p{seed}", "title": "P", "section": "guides", "published_on": pd.Timestamp("2026-01-01"), "week": week,
                         "n_visits": draws.poisson(80 * ratio).astype(float), "peer_visits": 80.0})  # fmt: skip


def test_pages_that_hold_their_level_are_not_said_to_fall() -> None:
    """Ten pages at a time share one error of 5 %: at most 3 of 20 sites name any (more has a chance under .02)."""
    sites = [pd.concat([weeks_like(10 * site + page, peak=0.0) for page in range(10)]) for site in range(20)]
    assert sum(content.page_decays(site)["is_falling"].any() for site in sites) <= 3
    falling = content.page_decays(pd.concat([weeks_like(page, peak=2.0) for page in range(10)]))
    assert falling["is_falling"].all()
    flat = content.page_decays(weeks_like(1, peak=0.0))
    assert flat["half_life_days"].isna().all()
    assert flat["rest_ratio"].tolist() == pytest.approx([0.5], rel=0.1)


def test_offer_and_topics_by_hand() -> None:
    events = EVENTS.assign(product_id=np.where(EVENTS["event_name"] == "view_item", "p", None))
    searches = pd.DataFrame({"search_id": ["1", "2", "3"], "searched_at": pd.to_datetime(["2026-01-05", "2026-01-06", "2026-02-06"]), "query": "lamp",
                             "clicked_product_id": ["p", None, "p"]}).astype({"clicked_product_id": "string"})  # fmt: skip
    reach = content.page_reach(EVENTS, period=JANUARY).assign(n_pages=2)
    found = content.section_offer(reach, events, searches, period=JANUARY)
    assert found[["section", "n_searches", "search_share", "gap_share"]].values.tolist() == [["lamps", 1, 1.0, 0.0]]
    asked = pd.DataFrame({"need": ["new", "olds", "old new"], "n_people": [40, 30, 20]})
    assert content.topic_pages(asked, PAGES)["n_pages"].tolist() == [1, 1, 0]
    assert content.topic_pages(asked.head(0), PAGES).empty


def visits_by_month(seed: int, *, rise: float, n_months: int = 24) -> pd.DataFrame:
    """Three sections of 120 visits a month; one has more in June."""
    draws, rows = np.random.default_rng(seed), []
    for month in pd.period_range("2024-11", periods=n_months, freq="M"):
        for section in ("garden", "play", "bath"):
            mean = 120 * (1 + rise * (section == "garden" and month.month == 6))
            rows += [(f"{section}-{month}-{k}", month.start_time, section) for k in range(draws.poisson(mean))]
    return pd.DataFrame(rows, columns=["session_id", "occurred_at", "section"])


def test_a_season_is_found_and_none_is_made_up() -> None:
    """No section is named on any of 20 shops without a season; the planted June is, with the day six weeks before it."""
    seen = Period.parse("2024-11-01", "2026-10-31")
    assert all(
        content.content_calendar(visits_by_month(seed, rise=0.0), days_seen=seen, as_of=seen.end).empty
        for seed in range(20)
    )
    found = content.content_calendar(visits_by_month(1, rise=0.8), days_seen=seen, as_of=seen.end).iloc[0]
    assert (found["section"], found["month"], found["publish_by"]) == ("garden", "June", pd.Timestamp("2027-04-20"))
    late = content.content_calendar(visits_by_month(1, rise=0.8), days_seen=seen, as_of=date(2026, 4, 25)).iloc[0]
    assert late["starts_on"] == pd.Timestamp("2027-06-01"), "six weeks before June 2026 are over"
    short = Period.parse("2024-11-01", "2025-09-30")
    assert content.content_calendar(visits_by_month(1, rise=0.8), days_seen=short, as_of=short.end).empty


def test_the_planted_guide_is_found() -> None:
    tables, truth, _ = demo()
    planted = truth["new_guide"]
    (row,) = content.page_decays(content.page_weeks(tables["events"], tables["pages"], as_of=YEAR.end)).to_dict(
        "records"
    )
    assert row["page"] == planted["page"]
    assert row["is_falling"]
    assert row["half_life_days_lower"] <= planted["half_life_days"] <= row["half_life_days_upper"]
    assert row["rest_ratio_lower"] <= planted["rest"] <= row["rest_ratio_upper"]
    assert row["first_ratio_lower"] <= planted["rest"] + planted["peak"] <= row["first_ratio_upper"]


def test_the_demos_sections_equal_plain_sql() -> None:
    tables, _, _ = demo()
    found = content.page_reach(tables["events"], pages=tables["pages"], period=YEAR).set_index("section")
    plain = (
        tables["events"]
        .get_backend()
        .raw_sql("""
        with seen as (select * from events where occurred_at::date between '2025-11-01' and '2026-10-31'),
        orders as (select session_id, count(distinct order_id) n from seen where event_name = 'purchase' group by 1)
        select e.section, count(*), count(distinct visitor_id), sum(coalesce(n, 0)) from (select distinct session_id, visitor_id, section from seen
        where section is not null) e left join orders using (session_id) group by 1
    """)
        .fetchall()
    )
    assert {section: (n, people, orders) for section, n, people, orders in plain} == {
        section: tuple(int(value) for value in row) for section, row in zip(found.index, found[["n_visits", "n_visitors", "n_assisted_orders"]].to_numpy(), strict=True)
    }  # fmt: skip
