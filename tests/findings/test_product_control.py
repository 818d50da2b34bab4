"""Sentences about product control."""

from __future__ import annotations

from datetime import date

import pandas as pd

from opslib.finding import Facts
from opslib.findings import product_control as say
from opslib.periods import Coverage, Period

MARCH = Period.parse("2026-03-01", "2026-03-31")
FACTS = Facts(
    title="By hand", period=MARCH, currency="EUR", time_zone="UTC", coverage=Coverage(date(2026, 1, 1), date(2026, 3, 31))
)  # fmt: skip
DAYS = pd.DataFrame({"day": [date(2026, 3, 1), date(2026, 3, 2)], "n_orders": [2, 5]})


def test_the_sentence_says_what_was_counted() -> None:
    found = say.findings(DAYS, page=FACTS)
    assert found[0].sentence.replace("\xa0", " ") == "The busiest day brought 5 orders."
    assert found[0].section == "days"
    assert say.answer(DAYS, page=FACTS) == "7 orders came in Mar 2026."


def test_of_nothing_nothing_is_said() -> None:
    assert say.findings(DAYS.head(0), page=FACTS) == ()
    assert say.answer(DAYS.head(0), page=FACTS) == ""
    assert len(say.limits(FACTS)) == 1
