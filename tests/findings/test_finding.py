"""Findings as values: their JSON, that of earlier versions, their order."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import pytest

from opslib.errors import ParameterError
from opslib.finding import About, Finding, Proposes, first_sentence, in_order
from opslib.stats.estimates import Estimate

WHOLE = Finding(
    key="whole", sentence="It is so.", kind="estimated", grade="Low", section="figures", department="Website", priority=1,
    role="change", about=About(metric="revenue", scope=(("country", "FR"),), objects=("P-1",), compared="year_before"),
    estimate=Estimate(value=0.1, lower=0.05, upper=0.2, n=9, unit="relative change", method="t"),
    proposes=Proposes(metric="units_sold", design="elasticity", change=-0.1), action="do it", due=date(2026, 10, 31),
)  # fmt: skip
BARE = Finding(key="bare", sentence="It is so.", kind="measured")


@pytest.mark.parametrize("finding", [WHOLE, BARE])
def test_a_finding_survives_its_json(finding: Finding) -> None:
    assert Finding.from_json({**finding.to_json(), "page": "70_statistics"}) == finding


def test_an_unknown_end_of_an_interval_is_null_in_json() -> None:
    unknown = Estimate(value=1.0, lower=float("nan"), upper=float("nan"), n=1, unit="share", method="t")
    found = Finding.from_json(Finding(key="a", sentence="S.", kind="measured", estimate=unknown).to_json())
    assert str(found.estimate) == str(unknown)


@pytest.mark.parametrize(
    ("old", "role", "about"),
    [
        ({"key": "repeat-rate", "metric": "repeat_rate"}, "key figure", About(metric="repeat_rate")),
        ({"key": "x-change", "metric": "revenue"}, "change", About(metric="revenue", compared="previous")),
        ({"key": "x-change-year", "metric": "revenue"}, "change", About(metric="revenue", compared="year_before")),
        ({"key": "y", "metric": "revenue", "scope": [["country", "FR"]]}, None, About(metric="revenue", scope=(("country", "FR"),))),
        ({"key": "rule-order_lines"}, "data", About()),
        ({"key": "undo-p-1"}, "promise", About(objects=("P-1",))),
        ({"key": "words", "estimate": None}, None, About()),
    ],
)  # fmt: skip
def test_a_finding_written_before_findings_were_typed_is_read(old: dict, role: str | None, about: About) -> None:
    number = asdict(Estimate(value=2.0, lower=1.0, upper=3.0, n=9, unit="share", method="t"))
    plain = {"sentence": "S.", "kind": "measured", "estimate": number, "grade": None, "section": "Where figures stand",
             "action": None, "owner": "Purchasing", "due": None, "worth": None, "caveat": None, "metric": None, "scope": []}  # fmt: skip
    read = Finding.from_json({**plain, **old})
    assert (read.role, read.about) == (role, about)
    assert (read.section, read.department, read.priority) == (None, "Buying", 3)


def test_kind_and_role_are_checked() -> None:
    with pytest.raises(ParameterError, match="finding 'a': kind 'guess' is not one of measured, estimated"):
        Finding(key="a", sentence="", kind="guess")  # type: ignore[arg-type]
    with pytest.raises(
        ParameterError, match=r"finding 'a': role 'rule' is not one of key figure, change, data, promise$"
    ):
        Finding(key="a", sentence="", kind="measured", role="rule")  # type: ignore[arg-type]


def test_the_first_by_priority_is_the_answer() -> None:
    found = in_order([BARE, WHOLE])
    assert [f.key for f in found] == ["whole", "bare"]
    assert first_sentence(found) == "It is so."
    assert first_sentence(()) == ""
