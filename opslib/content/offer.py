"""What sections offer beside what is searched, topics without a page, and the months in which each section is wanted."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy import stats as distributions

from opslib import engine
from opslib.metrics import day_of
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.suppression import counted, of_people

#: Weeks between publishing and the month in which a section is wanted; least rise of a peak; months that a season needs.
LEAD_DAYS, LEAST_RISE, LEAST_MONTHS = 42, 1.2, 12
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@of_people("n_visits", by=("section",))
def section_offer(reach: pd.DataFrame, events: Table, searches: Table, *, period: Period) -> pd.DataFrame:
    """Share of searches that lead to a section beside its share of pages and visits.

    Parameters
    ----------
    reach : DataFrame
        From `page_reach` by section, with pages.
    events : events
        Where products were viewed: the section that a product belongs to.
    searches : searches
        With clicked_product_id.
    period : Period
        Local days that count.

    Returns
    -------
    DataFrame
        One row a section that searches led to, by searches: section, n_searches (clicked), search_share, n_pages, page_share, n_visits,
        gap_share (share of searches less share of pages), without those that no product belongs to.

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": "s", "event_index": [0], "event_name": "view_item", "section": "lamps", "product_id": "p",
    ...     "occurred_at": pd.to_datetime(["2026-01-05"])})
    >>> searches = pd.DataFrame({"search_id": ["1"], "searched_at": pd.to_datetime(["2026-01-05"]), "query": "lamp", "clicked_product_id": "p"})
    >>> reach = pd.DataFrame({"section": ["lamps"], "n_pages": [4], "n_visits": [9]})
    >>> section_offer(reach, events, searches, period=Period.parse("2026-01-01", "2026-01-31"))[["section", "n_searches"]].values.tolist()
    [['lamps', 1]]
    """
    seen, asked = engine.as_table(events), engine.as_table(searches)
    views = seen.filter((seen["event_name"] == "view_item") & seen["section"].notnull())
    places = views.group_by(product=views["product_id"].cast("string")).aggregate(
        section=views["section"].cast("string").max()
    )
    asked = asked.mutate(day=day_of(asked, "searched_at"), clicked=asked["clicked_product_id"].cast("string"))
    asked = asked.filter(asked["day"].between(period.start, period.end))
    led = asked.join(places, asked["clicked"] == places["product"])
    found = engine.grouped(led, "section", n_searches=led.count())
    kept = (
        reach[["section", "n_pages", "n_visits"]]
        if "n_pages" in reach.columns
        else reach[["section", "n_visits"]].assign(n_pages=np.nan)
    )
    found = found.merge(kept, on="section", how="left")
    found["search_share"] = found["n_searches"] / max(found["n_searches"].sum(), 1)
    found["page_share"] = found["n_pages"] / found["n_pages"].sum() if found["n_pages"].sum() else np.nan
    found["gap_share"] = found["search_share"] - found["page_share"]
    found["n_visits"] = found["n_visits"].fillna(0).astype("int64")
    found = found.sort_values(["n_searches", "section"], ascending=[False, True], ignore_index=True)
    return found[["section", "n_searches", "search_share", "n_pages", "page_share", "gap_share", "n_visits"]]


def topic_pages(demand: pd.DataFrame, pages: Table) -> pd.DataFrame:
    """Which of the topics that people look for have a page of their own, by the words of its title.

    Parameters
    ----------
    demand : DataFrame
        One row a topic, the needs of `demand.unmet_needs`: ``need`` (words), other
        columns stay.
    pages : pages
        page, title.

    Returns
    -------
    DataFrame
        The rows, with topic, n_pages (whose title has every word of the topic, plural or not) and has_page.

    Examples
    --------
    >>> demand = pd.DataFrame({"need": ["garden lights", "rattan"], "n_visits": [40, 30]})
    >>> pages = pd.DataFrame({"page": ["/g"], "title": ["Light for a garden"]})
    >>> topic_pages(demand, pages)[["topic", "n_pages"]].values.tolist()
    [['garden lights', 1], ['rattan', 0]]
    """
    table = engine.as_table(pages)
    titles = engine.collect(table.filter(table["title"].notnull()).select("page", "title").order_by("page"))["title"]
    words = [{_stem(word) for word in str(title).casefold().split()} for title in titles]
    topics = demand["need"].astype("str") if len(demand) else pd.Series(dtype="str")
    n_pages = [sum({_stem(word) for word in topic.casefold().split()} <= title for title in words) for topic in topics]
    found = demand.assign(topic=topics, n_pages=np.array(n_pages, dtype="int64"))
    return found.assign(has_page=found["n_pages"] > 0)


def _stem(word: str) -> str:
    return word.strip(".,;:!?()'\"").removesuffix("s")


def content_calendar(events: Table, *, days_seen: Period, as_of: date) -> pd.DataFrame:
    """The next month in which each section is wanted more than otherwise, and the day by which its content should stand.

    Parameters
    ----------
    events : events
        session_id, occurred_at, section; all that are known.
    days_seen : Period
        Days that the data have seen; whole months of it count.
    as_of : date
        The day from which the calendar looks ahead.

    Returns
    -------
    DataFrame
        One row a section with a season, next first: section, month (its name), month_share (of all visits to sections in that month), mean_share (mean of
        all months), index_ratio (of both), index_ratio_lower, index_ratio_upper (for all sections and months together), starts_on, publish_by (six weeks before),
        n_visits. None with fewer than twelve whole months.

    Notes
    -----
    With less than two years a month that was seen once may have been an event and no season.

    Examples
    --------
    >>> days = pd.date_range("2025-01-01", "2025-12-31")
    >>> n = [9 if day.month == 6 else 3 for day in days]
    >>> rows = [(f"{day:%j}-{k}", day, "garden" if k % 3 else "home") for day, m in zip(days, n) for k in range(m)] + [(f"h{day:%j}-{k}", day, "home")
    ...     for day in days for k in range(12)]
    >>> events = pd.DataFrame(rows, columns=["session_id", "occurred_at", "section"])
    >>> content_calendar(events, days_seen=Period.parse("2025-01-01", "2025-12-31"), as_of=date(2025, 12, 31))[["section", "month"]].values.tolist()
    [['garden', 'June']]
    """
    columns = [
        "section",
        "month",
        "month_share",
        "mean_share",
        "index_ratio",
        "index_ratio_lower",
        "index_ratio_upper",
        "starts_on",
        "publish_by",
        "n_visits",
    ]
    months = pd.period_range(days_seen.start, days_seen.end, freq="M")
    whole = [m for m in months if m.start_time.date() >= days_seen.start and m.end_time.date() <= days_seen.end]
    if len({m.month for m in whole}) < LEAST_MONTHS:
        return counted(pd.DataFrame(columns=columns), None)
    seen = engine.as_table(events)
    seen = seen.select("session_id", section=seen["section"].cast("string"), day=day_of(seen, "occurred_at"))
    seen = seen.filter(
        seen["section"].notnull() & seen["day"].between(whole[0].start_time.date(), whole[-1].end_time.date())
    )
    seen = seen.mutate(year=seen["day"].year(), month=seen["day"].month())
    counts = engine.grouped(seen, ["section", "year", "month"], n=seen["session_id"].nunique())
    counts["share"] = counts["n"] / counts.groupby(["year", "month"])["n"].transform("sum")
    by_month = counts.groupby(["section", "month"], as_index=False).agg(share=("share", "mean"), n_visits=("n", "sum"))
    by_month = by_month.rename(columns={"share": "month_share"})
    by_month["mean_share"] = by_month.groupby("section")["month_share"].transform("mean")
    by_month["index_ratio"] = by_month["month_share"] / by_month["mean_share"]
    z = float(distributions.norm.ppf(1 - 0.025 / max(len(by_month), 1)))
    factor = np.exp(z / np.sqrt(by_month["n_visits"]))
    by_month["index_ratio_lower"], by_month["index_ratio_upper"] = (
        by_month["index_ratio"] / factor,
        by_month["index_ratio"] * factor,
    )
    peaks = by_month[(by_month["index_ratio"] >= LEAST_RISE) & (by_month["index_ratio_lower"] > 1)].copy()
    if peaks.empty:
        return counted(pd.DataFrame(columns=columns), None)
    peaks = peaks.sort_values(["section", "index_ratio"], ascending=[True, False], kind="stable").drop_duplicates(
        "section"
    )
    earliest = as_of + timedelta(days=LEAD_DAYS)
    peaks["starts_on"] = [pd.Timestamp(_next(int(month), earliest)) for month in peaks["month"]]
    peaks["publish_by"] = peaks["starts_on"] - pd.Timedelta(days=LEAD_DAYS)
    peaks["month"] = [_MONTHS[int(month) - 1] for month in peaks["month"]]
    return counted(
        peaks.sort_values(["starts_on", "section"], ignore_index=True)[columns],
        "n_visits",
        by=["section"],
        adds_up=False,
    )


def _next(month: int, earliest: date) -> date:
    """First day of the next such month that begins on that day or later."""
    first = date(earliest.year, month, 1)
    return first if first >= earliest else date(earliest.year + 1, month, 1)
