"""From a finding to a draft: what it takes over, what it leaves to people, and that it is valid but never frozen."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import proposals
from opslib.errors import ParameterError, ProposalError
from opslib.finding import About, Finding, Proposes
from opslib.metrics import METRICS
from opslib.proposals.drafting import SOMEDAY
from opslib.proposals.evaluate import definitions_of
from opslib.proposals.feasibility import PrePeriod, feasibility
from opslib.proposals.parsing import parse_proposal
from opslib.proposals.preregistration import freeze
from opslib.proposals.schema import Proposal
from opslib.stats.estimates import Estimate

SATURDAY = date(2026, 10, 31)
BY_LOT = Proposes(metric="purchase_rate", design="experiment")


def finding(**fields: Any) -> Finding:
    given = {"key": "a-finding", "sentence": "It is so.", "kind": "measured", "action": "do it", "department": "Data"}
    about = {name: fields.pop(name) for name in ("metric", "scope") if name in fields}
    return Finding(**{**given, **fields}, about=About(**about))


def drafted(**fields: Any) -> Proposal:
    return parse_proposal(proposals.draft(finding(**fields), as_of=SATURDAY).text, source="draft.yml")


def money(value: float, unit: str = "GBP") -> Estimate:
    return Estimate(value=value, lower=value / 2, upper=value * 2, n=9, unit=unit, method="t")


def test_the_finding_gives_title_need_owner_and_the_next_monday_in_four_weeks() -> None:
    made = proposals.draft(finding(key="late parcels (DE)"), as_of=SATURDAY, page="60_product_control")
    read = parse_proposal(made.text, source="draft.yml")
    assert (made.id, read.title, read.owner) == ("late-parcels-DE", "Do it", "Data")
    assert read.need == "It is so. (finding 'late parcels (DE)' on page 60_product_control)"
    assert [(b.page, b.finding) for b in read.rests_on] == [("60_product_control", "late parcels (DE)")]
    assert (read.start, read.deadline) == (
        date(2026, 11, 30),
        date(2027, 1, 24),
    )  # by the calendar: 28 November is a Saturday
    assert "&id" not in made.text


def test_a_due_day_is_the_start_and_no_day_is_said_to_be_none() -> None:
    assert drafted(due=date(2026, 12, 1)).start == date(2026, 12, 7)
    without = proposals.draft(finding())
    assert parse_proposal(without.text, source="d").rests_on == ()
    assert parse_proposal(without.text, source="d").start == SOMEDAY
    assert any(item.startswith("start: no day is known") for item in without.to_do)


@pytest.mark.parametrize(
    ("fields", "metric", "design"),
    [
        ({"proposes": Proposes(metric="purchase_rate", design="experiment")}, "purchase_rate", "experiment"),
        ({"proposes": Proposes(metric="margin", design="before_after")}, "margin", "before_after"),
        (
            {"proposes": Proposes(metric="units_sold", design="elasticity"), "metric": "revenue"},
            "units_sold",
            "elasticity",
        ),
        ({"metric": "bounce_rate"}, "bounce_rate", "before_after"),
        ({"scope": (("segment", "at risk"),)}, "revenue", "before_after"),
        ({"key": "price-dearer"}, "revenue", "before_after"),
        ({"action": "show the delivery price on list pages"}, "revenue", "before_after"),
        ({}, "revenue", "before_after"),
    ],
)
def test_only_what_is_proposed_decides_metric_and_design(fields: dict, metric: str, design: str) -> None:
    claim = drafted(**fields).claims[0]
    assert (claim.metric, claim.design.kind) == (metric, design)
    assert claim.unit == METRICS[metric].unit_of_analysis


def test_without_anything_proposed_the_draft_says_that_its_metric_and_design_are_the_plainest() -> None:
    to_do = drafted(action="show the delivery price on list pages").to_do
    assert to_do[0].startswith("claims.metric: the finding names none; 'revenue' is proposed")
    assert any(item.startswith("claims.design: before and after shows the least") for item in to_do)


@pytest.mark.parametrize(("change", "said"), [(None, "5 % lower"), (-0.1, "10 % lower"), (0.05, "5 % higher")])
def test_a_price_moves_by_what_is_proposed_or_a_placeholder_stands_there(change: float | None, said: str) -> None:
    read = drafted(proposes=Proposes(metric="units_sold", design="elasticity", change=change))
    assert read.claims[0].design.price_change == (-0.05 if change is None else change)
    assert any(f"a price {said} stands there" in item for item in read.to_do)


def test_a_segment_is_held_back_by_lot_and_must_be_drawn_by_somebody() -> None:
    made = proposals.draft(finding(scope=(("segment", "new"),), proposes=BY_LOT), as_of=SATURDAY)
    design = parse_proposal(made.text, source="d").claims[0].design
    assert (design.control, design.randomised) == ("hold_back", "customer")
    assert any(i.startswith("claims.scope: segment = new is no column") for i in made.to_do)


def test_a_column_of_the_tables_becomes_a_filter() -> None:
    read = drafted(metric="repeat_rate", scope=(("country", "France"), ("products.brand", "Oakmere")))
    assert [(f.column, f.value) for f in read.claims[0].scope] == [
        ("order_lines.country", "France"),
        ("products.brand", "Oakmere"),
    ]
    assert not any("claims.scope" in item for item in read.to_do)


def test_the_promise_comes_from_worth_or_from_the_change_found() -> None:
    of_worth = drafted(metric="revenue", estimate=money(74_000), worth=money(3_100, "GBP/month"))
    assert of_worth.claims[0].promise == 0.042  # 3,100 of 74,000, by hand .04189
    fell = Estimate(value=-0.12, lower=-0.2, upper=-0.04, n=9, unit="relative change", method="t")
    assert drafted(metric="repeat_rate", estimate=fell).claims[0].promise == 0.12
    guess = drafted(worth=money(3_100, "GBP/month"))
    assert guess.claims[0].promise == 0.05
    assert any("worth 3,100 GBP/month, but not by how much" in item for item in guess.to_do)


def test_check_says_the_same_list_and_nothing_can_be_frozen_before_it_is_empty() -> None:
    made = proposals.draft(finding(department=None, scope=(("segment", "new"),), proposes=BY_LOT), as_of=SATURDAY)
    read = parse_proposal(made.text, source="d")
    found = [f for f in feasibility(read, metrics=METRICS, pre_period=PrePeriod()) if f.name == "to be filled in"]
    assert [f"{f.place}: {f.sentence}" for f in found] == list(made.to_do)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(ProposalError, match=r"a-finding is a draft with 8 things to be filled in \(claims.metric, "):
        freeze(read, definitions=definitions_of(read), at=at)
    filled = read.model_copy(update={"to_do": ()})
    assert freeze(filled, definitions=definitions_of(filled), at=at).proposal_id == "a-finding"


def test_what_cannot_be_drafted_is_refused() -> None:
    with pytest.raises(ProposalError, match="finding 'a-finding' has no action, so it proposes nothing"):
        proposals.draft(finding(action=None))
    with pytest.raises(ParameterError, match="metric 'nonsense' is not in the registry"):
        proposals.draft(finding(metric="nonsense"))


@given(key=st.text(min_size=1, max_size=90), said=st.text(min_size=1, max_size=1_200), todo=st.text(min_size=1))
def test_whatever_a_finding_says_its_draft_can_be_read(key: str, said: str, todo: str) -> None:
    made = proposals.draft(finding(key=key, sentence=said, action=todo, scope=(("city", said),)), as_of=SATURDAY)
    assert parse_proposal(made.text, source="d").to_do == made.to_do
