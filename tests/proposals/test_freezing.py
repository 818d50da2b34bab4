"""Freezing: the hash covers what was promised, and a change is named field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ProposalError
from opslib.proposals.evaluate import definitions_of, first_outcome_of
from opslib.proposals.preregistration import FrozenRecord, changes_since, freeze, is_before
from tests.proposals.planted import proposal

AT = datetime(2026, 2, 20, 9, tzinfo=UTC)


def _frozen() -> FrozenRecord:
    return freeze(proposal(), definitions=definitions_of(proposal()), at=AT)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"promise": "0.09"}, "claims.c1.promise"),
        ({"metric": "session_conversion"}, "claims.c1.metric"),
        ({"window": "{start: 2026-03-09, end: 2026-03-29}"}, "claims.c1.window.start"),
        (
            {"design": "{kind: experiment, experiment: E2, control: a, treatment: b, randomised: visitor}"},
            "claims.c1.design.experiment",
        ),
    ],
)
def test_a_change_after_freezing_is_named(changed: dict[str, str], field: str) -> None:
    now = proposal(**changed)
    changes = changes_since(_frozen(), now, definitions=definitions_of(now))
    assert field in {change.field for change in changes}
    assert all("when frozen and is" in change.sentence for change in changes)


def test_what_is_not_promised_may_change() -> None:
    now = proposal(title="Another title", owner="Shop")
    assert changes_since(_frozen(), now, definitions=definitions_of(now)) == ()


def test_a_metric_whose_meaning_changed_is_named() -> None:
    definitions = definitions_of(proposal())
    definitions["conversion"] = replace(definitions["conversion"], numerator="purchasing_sessions")
    changes = changes_since(_frozen(), proposal(), definitions=definitions)
    assert [(change.field, change.now) for change in changes] == [
        ("metrics.conversion.numerator", "purchasing_sessions"),
        ("metrics.conversion.measures.numerator[0]", "+1 visits with a paid order"),
    ]


def test_stated_probability_is_frozen() -> None:
    now = proposal().model_copy(update={"stated_probability": 0.9})
    changes = changes_since(_frozen(), now, definitions=definitions_of(now))
    assert [(c.field, c.frozen, c.now) for c in changes] == [("stated_probability", None, 0.9)]


def test_a_frozen_record_whose_content_was_edited_is_refused() -> None:
    data = _frozen().to_json()
    data["content"]["claims"]["c1"]["promise"] = 0.01
    with pytest.raises(ProposalError, match="the frozen content does not give its hash"):
        FrozenRecord.from_json("P-001", data)


def test_a_record_reads_back() -> None:
    assert FrozenRecord.from_json("P-001", _frozen().to_json()) == _frozen()


def test_time_without_zone_is_refused() -> None:
    with pytest.raises(ProposalError, match="has no zone"):
        freeze(proposal(), definitions=definitions_of(proposal()), at=datetime(2026, 1, 1))


def test_first_outcome_is_local_midnight() -> None:
    # 2026-03-02 00:00 in New York is 05:00 UTC (winter time, five hours behind).
    assert first_outcome_of(proposal(), zone="America/New_York") == datetime(2026, 3, 2, 5, tzinfo=UTC)


@given(st.integers(-10_000, 10_000))
def test_confirmatory_only_if_frozen_strictly_before(minutes: int) -> None:
    first = AT + timedelta(minutes=minutes)
    assert is_before(_frozen(), first_outcome=first) == (minutes > 0)


def test_never_frozen_is_never_before() -> None:
    assert not is_before(None, first_outcome=AT)
