"""Sentences of the investigation: signs, verdicts, what is said of little and of nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.finding import Facts
from opslib.findings import investigation as say
from opslib.investigation import FigureChange, Question, unexplained
from opslib.metrics import METRICS
from opslib.periods import Coverage, Period
from opslib.stats.estimates import Estimate

MARCH, MAY = Period.parse("2026-03-01", "2026-03-31"), Period.parse("2026-05-01", "2026-05-31")
FACTS = Facts(
    title="By hand", period=MAY, currency="GBP", time_zone="UTC", coverage=Coverage(date(2026, 1, 1), date(2026, 5, 31))
)
ASKED = Question(metric=METRICS["conversion"], period=MAY, baseline=MARCH)
FELL = FigureChange(
    verdict="real",
    before=0.146,
    after=0.113,
    change=-0.033,
    lower=-0.05,
    upper=-0.016,
    error=0.075,
    season=0.01,
    n_before=5000,
    n_after=5100,
    variation=5.8,
)
LEVELS = pd.DataFrame({"day": pd.to_datetime(["2026-04-06"]), "day_lower": pd.to_datetime(["2026-04-02"]), "day_upper": pd.to_datetime(["2026-04-11"]),
                       "before": 0.1, "after": 0.085, "change_share": -0.15})  # fmt: skip
CAUSE = {"kind": "release", "scope": "device:mobile", "description": "New form, on phones", "started_on": pd.Timestamp("2026-04-06"), "ended_on": pd.NaT,
         "is_written": True, "part_share": 0.5, "active_share": 1.0, "effect_share": -0.3, "effect_share_lower": -0.4, "effect_share_upper": -0.15,
         "brought_share": -0.15, "brought_share_lower": -0.2, "brought_share_upper": -0.08, "is_timed": True, "q_value": 0.001, "verdict": "fits"}  # fmt: skip
CAUSES = pd.DataFrame(
    [
        CAUSE,
        CAUSE
        | {
            "description": "Parcel service",
            "scope": "rollout:market",
            "verdict": "cannot be told",
            "effect_share": float("nan"),
        },
    ]
)
SLICES = pd.DataFrame({"group": ["device mobile"], "scope": [(("device", "mobile"),)], "n_before": 3800.0, "n_after": 3900.0, "before": 0.107, "after": 0.067,
                       "size_share": -0.18, "carried_amount": -0.008, "carried_share": 0.27, "q_value": 0.001})  # fmt: skip
FACTORS = pd.DataFrame({"factor": ["view_item", "order"], "before": [0.5, 0.72], "after": [0.5, 0.55], "effect_amount": [0.0, -0.033], "shapley_amount": [0.0, -0.033],
                        "n_before": 5000.0, "n_after": 5100.0})  # fmt: skip
MIX = {"mix": -0.001, "rate": -0.032}
LEFT = unexplained(FELL, CAUSES)


def told(
    change: FigureChange = FELL,
    *,
    causes: pd.DataFrame = CAUSES,
    slices: pd.DataFrame = SLICES,
    left: Estimate | None = LEFT,
    mix: dict[str, float] = MIX,
    levels: pd.DataFrame = LEVELS,
    question: Question = ASKED,
):
    return {
        f.key: f
        for f in say.findings(change, levels, FACTORS, mix, slices, causes, left, question=question, page=FACTS)
    }


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u2212", "-")


def test_the_answer_says_what_moved_and_what_fits() -> None:
    assert plain(say.answer(FELL, CAUSES, question=ASKED, page=FACTS)) == (
        "Conversion fell from 14.6 % in March 2026 to 11.3 % in May 2026: -3.3 points (-5.0 to -1.6). "
        "“New form” fits best, and explains -15 % of the -23 %."
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            replace(FELL, verdict="chance"),
            "within the usual ups and downs against March 2026 (14.6 %). There is nothing to explain.",
        ),
        (replace(FELL, verdict="season unknown"), "cannot be told: the data do not hold the same days a year earlier."),
        (replace(FELL, verdict="season", season=-0.2), "The same step came a year earlier (-20 %): it is the season."),
        (replace(FELL, verdict="data", n_missing=8), "But 8 days of both periods are missing, so it may be the data."),
        (FELL, "Of what is known to have happened, nothing clearly fits."),
    ],
)
def test_each_verdict_has_its_sentence(change: FigureChange, words: str) -> None:
    assert words in plain(say.answer(change, CAUSES.head(0), question=ASKED, page=FACTS))


def test_a_change_within_chance_is_not_taken_apart() -> None:
    assert told(replace(FELL, verdict="chance")) == {}
    nothing = FACTORS.head(0)
    for section in ("factors", "slices", "causes"):
        assert say.why_empty(replace(FELL, verdict="chance"), nothing, section=section) != say.why_empty(
            FELL, nothing, section=section
        )
        assert say.why_empty(FELL, FACTORS, section=section) == ""


def test_every_finding_by_its_numbers() -> None:
    found = told()
    assert {key: plain(one.sentence) for key, one in found.items()} == {
        "cause-1": "“New form” began on 6 Apr 2026; device mobile moved by -30 % (-40 to -15) against the rest.",
        "unexplained": "Of -23 %, -9 % (-22 to 7) stay unexplained, which chance alone could leave.",
        "where": "Device mobile stands out: from 10.7 % to 6.7 %, -18 % beyond the others, 27 % of the change.",
        "factor": "The largest part: checkouts that end in an order, -3.3 points of -3.3 points.",
        "when": "The level fell around 6 Apr 2026 (between 2 Apr 2026 and 11 Apr 2026), by 15 %.",
    }
    cause = found["cause-1"]
    assert (cause.department, cause.about.scope, cause.proposes.metric) == (
        "Technology",
        (("device", "mobile"),),
        "conversion",
    )
    # Two halves, 2.8 standard errors of the logarithm of .7: 4 x 5.8 x (2.80 / ln .7)^2 = 1,430 visitors, by hand.
    assert plain(cause.would_tell).startswith("a test with 1,43")
    assert found["unexplained"].action is None
    assert say.known_parts(FELL, CAUSES, LEFT)["part"].tolist() == ["Calendar", "“New form”", "Unexplained", "Change"]


def test_what_ended_needs_no_test_and_what_is_open_is_asked() -> None:
    over = CAUSES.assign(ended_on=pd.Timestamp("2026-05-20"))
    assert told(causes=over)["cause-1"].action is None
    left = Estimate(value=-0.2, lower=-0.3, upper=-0.1, n=0, unit="relative change", method="by hand")
    asked = told(left=left)["unexplained"]
    assert plain(asked.action or "") == "Ask every department what else changed between 2 Apr 2026 and 11 Apr 2026"
    assert "385 people of device mobile" in str(asked.would_tell)
    assert "since 31 Mar 2026" in plain(told(left=left, levels=LEVELS.head(0))["unexplained"].action or "")


def test_mix_is_told_where_it_is_the_larger_part() -> None:
    assert "mix" not in told()
    assert (
        plain(told(mix={"mix": -0.03, "rate": -0.003})["mix"].sentence)
        == "Who came explains -3.0 points of the change, what they did -0.3 points."
    )


def test_few_people_are_not_told() -> None:
    from opslib import suppression

    suppression.begin(minimum=10)
    few = suppression.counted(SLICES.assign(n_after=4.0), ("n_before", "n_after"), by=["group"])
    assert "where" not in told(slices=few)
    assert say.slice_rows(few, question=ASKED, page=FACTS).empty


def test_of_nothing_nothing_is_said() -> None:
    nobody = Question(metric=None, period=MAY, baseline=None)
    unknown = FigureChange(verdict="unknown")
    assert say.answer(unknown, CAUSES, question=nobody, page=FACTS) == ""
    assert say.findings(unknown, LEVELS, FACTORS, {}, SLICES, CAUSES, None, question=nobody, page=FACTS) == ()
    assert say.checks(unknown, question=nobody).empty
    assert len(say.limits(unknown, CAUSES, question=nobody)) == 1
    assert say.question_title(unknown, question=nobody, page=FACTS) == ""
    assert say.known_parts(unknown, CAUSES, None).empty


def test_limits_name_what_cannot_be_told() -> None:
    assert "whether Parcel service had a part" in say.limits(FELL, CAUSES, question=ASKED)[0]
    assert "season" in say.limits(replace(FELL, verdict="season unknown"), CAUSES, question=ASKED)[0]
    assert "wrote down" in say.limits(FELL, CAUSES.head(1), question=ASKED)[0]


@given(st.floats(0.01, 0.5), st.floats(0.01, 0.5))
@settings(max_examples=30, deadline=None)
def test_the_words_have_the_sign_of_the_numbers(before: float, after: float) -> None:
    change = replace(
        FELL,
        before=before,
        after=after,
        change=after - before,
        lower=after - before - 0.001,
        upper=after - before + 0.001,
    )
    sentence = say.answer(change, CAUSES, question=ASKED, page=FACTS)
    assert (" rose " in sentence) == (after > before)
    assert (" fell " in sentence) == (after < before)
    rows = say.cause_rows(CAUSES)
    assert rows["effect"].tolist()[1] == "not known"
