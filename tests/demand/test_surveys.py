"""Answers to surveys and searches elsewhere, by hand; the planted survey of the demo."""

from __future__ import annotations

import pandas as pd
import pytest

from opslib import demand
from opslib.errors import ContractError
from opslib.periods import Period
from opslib.stats.shares import share
from tests.positioning.market import demo

MARCH = Period.parse("2026-03-01", "2026-03-31")


def answers(*rows):
    frame = pd.DataFrame(list(rows), columns=["respondent_id", "question", "answer", "day"])
    return frame.assign(survey_id="S", answered_at=pd.to_datetime(frame["day"]))


def test_shares_are_of_the_people_asked_each_question():
    given = answers(("1", "why", "price", "2026-03-02"), ("2", "why", "price", "2026-03-02"), ("2", "why", "other", "2026-03-02"),
                    ("3", "how", "friends", "2026-03-02"), ("4", "why", None, "2026-03-02"), ("5", "why", "price", "2026-04-02"))  # fmt: skip
    found = demand.survey_shares(given, period=MARCH)
    assert found[["question", "answer", "n_people", "n_asked"]].values.tolist() == [
        ["how", "friends", 1, 1], ["why", "price", 2, 2], ["why", "other", 1, 2],
    ]  # fmt: skip
    wilson = share(1, 2)
    assert found.loc[2, ["answer_share", "answer_share_lower", "answer_share_upper"]].tolist() == [
        0.5,
        wilson.lower,
        wilson.upper,
    ]
    assert not len(demand.survey_shares(given, period=Period.parse("2020-01-01", "2020-01-31")))


def test_the_planted_answers_lie_in_their_intervals():
    tables, truth, _ = demo()
    found = demand.survey_shares(
        tables["survey_answers"], period=Period.parse("2026-01-01", "2026-10-31"), confidence_level=0.999
    )
    planted = truth["survey"]
    for row in found.to_dict("records"):
        assert (
            row["answer_share_lower"] < planted["questions"][row["question"]][row["answer"]] < row["answer_share_upper"]
        )
    assert len(found) == sum(len(each) for each in planted["questions"].values())


def test_searches_elsewhere_stand_beside_the_same_words_here():
    seen = pd.DataFrame({
        "date": pd.to_datetime(["2026-03-02", "2026-03-03", "2026-03-03", "2026-04-03"]), "query": ["Dog-Bed", "dog bed", "oak tray", "mug"],
        "n_impressions": [60, 40, 30, 9], "n_clicks": [3, 2, 6, 9], "position": [2.0, 7.0, 1.0, 1.0],
    })  # fmt: skip
    own = pd.DataFrame(
        {
            "text": ["dog bed", "dog bed", "rug"],
            "visit": ["a", "b", "c"],
            "person": ["v", "v", "w"],
            "is_zero_result": [1.0, 0.0, 0.0],
        }
    )
    found = demand.outside_searches(seen, own, period=MARCH)
    assert found["query"].tolist() == ["dog bed", "oak tray"]
    assert found[["n_impressions", "n_clicks", "click_share", "position"]].values.tolist() == [
        [100, 5, 0.05, 4.0],
        [30, 6, 0.2, 1.0],
    ]
    assert found["n_visits"].tolist() == [2, 0]
    assert found.loc[0, ["n_people", "failed_share"]].tolist() == [1, 0.5]
    with pytest.raises(ContractError, match="external_queries: no column 'position'"):
        demand.outside_searches(seen.drop(columns="position"), own, period=MARCH)
