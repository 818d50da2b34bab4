"""What people say when they are asked, and what they search elsewhere, to be read beside what was measured."""

from __future__ import annotations

import ibis
import pandas as pd

from opslib import engine
from opslib.metrics.blocks import Table, day_of, require_table_columns
from opslib.periods import Period
from opslib.privacy import redacted
from opslib.stats.shares import share
from opslib.stats.texts import plain_text
from opslib.suppression import counted

MOST_QUERIES = 100


def survey_shares(survey_answers: Table, *, period: Period, confidence_level: float = 0.95) -> pd.DataFrame:
    """Share of each answer among the people who answered a survey's question.

    Parameters
    ----------
    survey_answers : table
        survey_id, respondent_id, question, answer, answered_at; who gave several answers to a question counts in each.
    period : Period
        Local days that count.
    confidence_level : float
        Level of Wilson's interval (0-1), people as units; those who did not answer may think otherwise.

    Returns
    -------
    DataFrame
        One row an answer, by survey and question, the most given first: survey_id, question, answer, n_people, n_asked,
        answer_share, answer_share_lower, answer_share_upper.

    Examples
    --------
    >>> given = pd.DataFrame({"survey_id": "S", "question": "Why not?", "respondent_id": ["1", "2", "3"],
    ...     "answer": ["price", "price", "other"], "answered_at": pd.to_datetime(["2026-10-05"] * 3)})
    >>> shares = survey_shares(given, period=Period.parse("2026-10-01", "2026-10-31"))
    >>> shares[["answer", "n_people", "n_asked"]].values.tolist()
    [['price', 2, 3], ['other', 1, 3]]
    """
    table = engine.as_table(survey_answers)
    require_table_columns(
        table, "survey_id", "respondent_id", "question", "answer", "answered_at", name="survey_answers"
    )
    rows = table.filter(day_of(table, "answered_at").between(ibis.literal(period.start), ibis.literal(period.end)))
    rows = rows.filter(rows["answer"].notnull())
    keys = ["survey_id", "question"]
    asked = engine.grouped(rows, keys, n_asked=rows["respondent_id"].nunique())
    given = engine.grouped(rows, [*keys, "answer"], n_people=rows["respondent_id"].nunique()).merge(asked, on=keys)
    given = given.sort_values([*keys, "n_people", "answer"], ascending=[True, True, False, True], ignore_index=True)
    found = [
        share(n, of, confidence_level=confidence_level)
        for n, of in zip(given["n_people"], given["n_asked"], strict=True)
    ]
    given["answer_share"] = [each.value for each in found]
    given["answer_share_lower"], given["answer_share_upper"] = [e.lower for e in found], [e.upper for e in found]
    return counted(given, "n_people", by=(*keys, "answer"))


def outside_searches(external_queries: Table, rows: Table, *, period: Period) -> pd.DataFrame:
    """What people searched elsewhere and were shown the shop for, beside the same words on the shop's own search.

    Parameters
    ----------
    external_queries : table
        date, query, n_impressions, n_clicks, position (Search Console's export).
    rows : table
        From `visit_searches`.
    period : Period
        Days that count.

    Returns
    -------
    DataFrame
        The `MOST_QUERIES` shown most often: query, n_impressions, n_clicks, click_share (of the impressions), position (mean over
        impressions), n_visits, n_people (that searched the same words in the shop), failed_share (of these searches, without a
        result; missing where there are none).

    Examples
    --------
    >>> seen = pd.DataFrame({"date": pd.to_datetime(["2026-10-05"]), "query": ["Oak tray"], "n_impressions": [90],
    ...     "n_clicks": [9], "position": [4.0]})
    >>> own = pd.DataFrame({"text": ["oak tray"], "visit": ["a"], "person": ["a"], "is_zero_result": [1.0]})
    >>> found = outside_searches(seen, own, period=Period.parse("2026-10-01", "2026-10-31"))
    >>> found[["query", "click_share", "n_visits", "failed_share"]].values.tolist()
    [['oak tray', 0.1, 1, 1.0]]
    """
    table = engine.as_table(external_queries)
    require_table_columns(table, "date", "query", "n_impressions", "n_clicks", "position", name="external_queries")
    inside = table.filter(table["date"].cast("date").between(ibis.literal(period.start), ibis.literal(period.end)))
    shown = inside.select(
        "n_impressions", "n_clicks", query=plain_text(redacted(inside["query"].cast("string"))),
        weighed=inside["position"].cast("float64") * inside["n_impressions"],
    )  # fmt: skip
    by_text = shown.filter(shown["query"] != "").group_by("query").aggregate(
        n_impressions=shown["n_impressions"].sum().cast("int64"), n_clicks=shown["n_clicks"].sum().cast("int64"),
        weighed=shown["weighed"].sum(),
    )  # fmt: skip
    found = engine.collect(by_text.order_by([ibis.desc("n_impressions"), "query"]).limit(MOST_QUERIES))
    own = engine.as_table(rows)
    own = own.filter(own["text"].isin(found["query"].tolist() or [""]))
    typed = engine.grouped(
        own, "text", n_visits=own["visit"].nunique(), n_people=own["person"].nunique(), failed_share=own["is_zero_result"].mean()
    )  # fmt: skip
    both = found.merge(typed.rename(columns={"text": "query"}), on="query", how="left")
    both = both.fillna({"n_visits": 0, "n_people": 0}).astype({"n_visits": "int64", "n_people": "int64"})
    n = both["n_impressions"].where(both["n_impressions"] > 0)
    both["click_share"], both["position"] = both["n_clicks"] / n, both["weighed"] / n
    columns = ["query", "n_impressions", "n_clicks", "click_share", "position", "n_visits", "n_people", "failed_share"]
    return counted(both[columns], ("n_impressions", "n_people"), by=("query",), adds_up=False)
