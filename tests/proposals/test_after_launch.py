"""Follow-ups measure planted effects after the launch, by the design that was named."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from opslib.errors import ProposalError
from opslib.proposals.evaluate import evaluate_proposal, plans_of
from opslib.proposals.follow_up_measurement import expected_error, follow_up_claim, measured_follow_up
from opslib.proposals.schema import FollowUp, Proposal, Window
from opslib.stats.estimates import Estimate
from tests.proposals.planted import START, proposal, shop, visitor_test
from tests.proposals.test_over_time import _lines

AFTER = Window(start=date(2026, 4, 13), end=date(2026, 5, 10))
HELD = FollowUp(design="hold_out", hold_out_share=0.1, window=AFTER)
BESIDE = FollowUp(design="before_after", window=AFTER)


def _named(given: Proposal, plan: FollowUp | None) -> Proposal:
    return given.model_copy(update={"claims": (given.claims[0].model_copy(update={"follow_up": plan}),)})


def _held_out(lift: float) -> dict[str, pd.DataFrame]:
    """One visitor in ten held out of a launch, six weeks after the test's start."""
    tables = visitor_test(lift=lift, share=0.9)
    for name, column in (
        ("experiments", "assigned_at"),
        ("sessions", "started_at"),
        ("order_lines", "ordered_at"),
        ("experiment_arms", "valid_from"),
    ):
        tables[name] = tables[name].assign(**{column: pd.to_datetime(tables[name][column]) + timedelta(days=42)})
    for name in ("experiments", "experiment_arms"):
        tables[name] = tables[name].assign(
            experiment_id="P-001-hold-out", variant=tables[name]["variant"].map({"a": "hold_out", "b": "launched"})
        )
    return tables


def _estimate(given: Proposal, tables: dict[str, pd.DataFrame], as_of: date = date(2026, 5, 31)) -> Estimate:
    data = shop(tables, as_of=as_of)
    return measured_follow_up(given, plans_of(given)["c1"], context=data.context)[0]


@pytest.mark.parametrize("lift", [0.4, -0.4])
def test_a_hold_out_finds_what_the_launch_brought(lift: float) -> None:
    found = _estimate(_named(proposal(), HELD), _held_out(lift))
    assert found.lower < lift < found.upper
    assert not found.excludes(lift)
    assert found.excludes(0.0)


def test_the_control_group_of_the_test_may_go_on_as_hold_out() -> None:
    given = _named(proposal(), HELD)
    claim = follow_up_claim(given, given.claims[0], context=shop(visitor_test(), as_of=START).context)
    assert claim.design == given.claims[0].design
    assert claim.window == AFTER


def test_before_and_after_starts_at_the_launch() -> None:
    # Orders from DE rise by 30 % on the day of the launch, 2026-03-02; FR, the control series, does not.
    given = proposal(
        metric="orders",
        start="2026-03-02",
        window="{start: 2025-12-01, end: 2025-12-28}\n    scope: [{column: order_lines.country, op: eq, value: DE}]",
        design="{kind: before_after, "
        "changed_on: 2026-03-02, control_scope: [{column: order_lines.country, op: eq, value: FR}]}",
    )
    plan = BESIDE.model_copy(update={"window": Window(start=date(2026, 3, 2), end=date(2026, 3, 29))})
    found = _estimate(_named(given, plan), {"order_lines": _lines({"DE": 0.3, "FR": 0.0})})
    assert found.lower < 0.3 < found.upper
    assert found.excludes(0.0)


def test_a_roll_out_is_followed_beside_its_untreated_units() -> None:
    # Weeks that lie between the start and the follow-up are no level of their own (they are left out).
    lines = _lines({f"s{i}": 0.4 if i < 3 else 0.0 for i in range(8)}, per_day=12.0)
    rollouts = pd.DataFrame(
        {
            "rollout_id": "R",
            "unit_id": [f"s{i}" for i in range(8)],
            "unit": "store",
            "treated_from": [date(2026, 3, 2) if i < 3 else None for i in range(8)],
        }
    )
    given = proposal(
        metric="orders", design="{kind: rollout, rollout: R}", window="{start: 2026-03-02, end: 2026-03-08}"
    )
    plan = BESIDE.model_copy(update={"window": Window(start=date(2026, 3, 9), end=date(2026, 3, 29))})
    found = _estimate(_named(given, plan), {"order_lines": lines, "rollouts": rollouts})
    assert found.lower < 0.4 < found.upper
    assert found.excludes(0.0)


def test_what_cannot_be_followed_up_says_why() -> None:
    tables = _held_out(0.4)
    with pytest.raises(ProposalError, match="named no follow-up before it was frozen"):
        _estimate(proposal(), tables)
    inside = HELD.model_copy(update={"window": Window(start=date(2026, 3, 20), end=date(2026, 4, 20))})
    with pytest.raises(ProposalError, match="inside the claim's window to 2026-03-29"):
        _estimate(_named(proposal(), inside), tables)
    with pytest.raises(ProposalError, match="due after 2026-05-10, and the data reach 2026-04-20"):
        _estimate(_named(proposal(), HELD), tables, as_of=date(2026, 4, 20))
    nobody = proposal(design="{kind: outside, citation: a book, value: 0.1, lower: 0.0, upper: 0.2}")
    with pytest.raises(ProposalError, match="needs rows with experiment_id 'P-001-hold-out'"):
        _estimate(_named(nobody, HELD), visitor_test())


def test_the_expected_error_grows_with_a_smaller_hold_out() -> None:
    tables = visitor_test(lift=0.4)
    given = _named(proposal(), HELD)
    data = shop(tables, as_of=date(2026, 4, 1))
    result = evaluate_proposal(given, shop=data).claims[0]
    own = result.measured.effect.std_error  # type: ignore[union-attr]
    held = expected_error(given, plans_of(given)["c1"], result, context=data.context)
    # As many days; 10 and 90 % against halves: sqrt((1/.1 + 1/.9) / 4) = 1.667 times the error.
    assert held == pytest.approx(own * 1.6667, rel=0.01)
    assert expected_error(proposal(), plans_of(proposal())["c1"], result, context=data.context) is None


def test_the_error_of_a_before_after_is_rehearsed_on_the_last_days() -> None:
    given = proposal(metric="orders", start="2026-06-01", unit="store", design="{kind: rollout, rollout: R}")
    given = _named(given, BESIDE.model_copy(update={"window": Window(start=date(2026, 6, 1), end=date(2026, 6, 28))}))
    names = [f"s{i}" for i in range(8)]
    rollouts = pd.DataFrame(
        {
            "rollout_id": "R",
            "unit_id": names,
            "unit": "store",
            "treated_from": [date(2026, 3, 2) if i < 3 else None for i in range(8)],
        }
    )
    tables = {"order_lines": _lines(dict.fromkeys(names, 0.0), per_day=12.0), "rollouts": rollouts}
    data = shop(tables, as_of=date(2026, 3, 29))
    result = evaluate_proposal(given, shop=data).claims[0]
    error = expected_error(given, plans_of(given)["c1"], result, context=data.context)
    # Four weeks of 36 orders a day beside 60: sqrt(1/1008 + 1/1680) = 4.1 %, with the controlled design's bias of 3 %
    # at least 4 %, and below 10 % since each store's common noise of 3 % a day hardly counts over 28 days.
    assert 0.04 < error < 0.1  # type: ignore[operator]
