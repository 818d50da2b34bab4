"""Money by hand, closed forms against Monte Carlo, and what is recommended when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from opslib.errors import NotAvailableError
from opslib.metrics import METRICS
from opslib.periods import Period
from opslib.proposals.desirability import OTHER_LIFTS, SITE_LIFTS, Desirability, desirability, prior_of
from opslib.proposals.economics import Economics, cost_of, economics_of, effective_months, worth_of_lift
from opslib.proposals.evaluate import plans_of
from opslib.proposals.results import Measured, ProposalResult
from opslib.proposals.schema import Proposal
from opslib.proposals.verdicts import judge_claim, overall
from opslib.stats.estimates import Estimate
from opslib.stats.shrinkage import Mixture
from tests.proposals.planted import proposal

ECONOMICS = Economics(
    margin_share=0.4, margin_per_order=8.0, margin_per_buyer=10.0, margin_per_item=4.0, margin_a_year=1e7,
    a_month={"visitor": 4_000.0, "order": 1_000.0, "customer": 800.0, "item": 2_000.0, "store": 16.0},
)  # fmt: skip
YEAR_MONTHS = 365 / (365.25 / 12)
#: A shop whose changes are larger than the public base rate.
WIDE = Mixture(weights=(1.0,), means=(0.0,), sds=(0.1,))


def _given(**fields: object) -> Proposal:
    return proposal().model_copy(update={"reach": 10_000.0, "one_off_cost_amount": 1_000.0, **fields})


def _result(value: float, error: float, *, given: Proposal, **more: object) -> ProposalResult:
    effect = Estimate(
        value=value,
        lower=value - 1.96 * error,
        upper=value + 1.96 * error,
        n=20_000,
        unit="relative",
        method="planted",
        std_error=error,
    )
    measured = replace(
        Measured(
            effect=effect,
            baseline=0.1,
            unit="visitor",
            per="visitor",
            n_control=10_000,
            n_treated=10_000,
            n_days=28,
            variation=9.0,
        ),
        **more,
    )  # type: ignore[arg-type]
    claims = tuple(judge_claim(c, measured, is_frozen=True, launch=given.start) for c in given.claims)
    state, qualifier = overall(claims, [])
    return ProposalResult(
        proposal_id=given.id,
        title=given.title,
        owner=given.owner,
        claims=claims,
        guardrails=(),
        state=state,
        qualifier=qualifier,
        grade=claims[0].grade,
    )


def _desirable(
    value: float,
    error: float,
    *,
    prior: Mixture = WIDE,
    economics: Economics | None = ECONOMICS,
    given: Proposal | None = None,
    **more: object,
) -> Desirability:
    whole = given or _given()
    return desirability(
        whole,
        _result(value, error, given=whole, **more),
        plans=plans_of(whole),
        economics=economics,
        priors={"experiment": prior, "comparison": prior},
    )


def test_money_by_hand() -> None:
    # 10,000 visitors a month x .1 conversion x 10 a buyer x 11.99 months: 119,918 for a lift of 100 %.
    given = _given()
    result = _result(0.05, 0.02, given=given)
    worth = worth_of_lift(given, result.claims[0], plans_of(given)["c1"], ECONOMICS).amount  # type: ignore[union-attr]
    assert worth == pytest.approx(10_000 * 0.1 * 10 * YEAR_MONTHS)
    found = _desirable(0.05, 0.02)
    # Normal prior sd .1, error .02: the mean keeps 1/(1 + .04) of .05.
    assert found.shrunk.value == pytest.approx(0.05 / 1.04)  # type: ignore[union-attr]
    assert found.net.value == pytest.approx(worth * 0.05 / 1.04 - 1_000)  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(
    ("measured", "reach", "reach_unit", "monthly", "said"),
    [
        # 16 stores with 1.65 orders a week each: 16 x 1.65 x 30.4375 / 7 = 114.8 orders a month.
        ({"baseline": 1.65, "unit": "store", "per": "store", "per_days": 7}, 16, None, 114.793, "16 stores"),
        # The same orders, counted over a test of 112 days.
        ({"baseline": 26.4, "unit": "store", "per": "store", "per_days": 112}, 16, None, 114.793, "16 stores"),
        # 3.7714 orders a day of the whole shop.
        ({"baseline": 3.77143, "unit": "shop", "per": "shop", "per_days": 1}, 16, "store", 114.793, "everything"),
        # One order in four visitors: 1,400 visitors bring 350 orders a month.
        ({"baseline": 1.0, "unit": "visitor", "per": "order"}, 1_400, None, 350.0, "hence 350 orders a month"),
        # Orders are what is counted, so stores of whatever size need no baseline: 120 orders a month are 120.
        ({"baseline": 1.65, "unit": "store", "per": "store", "per_days": 7}, 120, "order", 120.0, "120 orders a month"),
        # Nobody counts regions here, so nothing is converted.
        ({"baseline": 1.0, "unit": "region", "per": "order"}, 3, None, None, ""),
    ],
)
def test_one_truth_is_worth_the_same_by_whatever_unit_it_was_measured(
    measured: dict[str, object], reach: float, reach_unit: str | None, monthly: float | None, said: str
) -> None:
    given = _given(reach=float(reach), reach_unit=reach_unit)
    plan = replace(plans_of(given)["c1"], metric=METRICS["orders"])
    lift = worth_of_lift(given, _result(0.05, 0.02, given=given, **measured).claims[0], plan, ECONOMICS)
    if monthly is None:
        assert lift is None
        return
    assert lift.amount == pytest.approx(monthly * 8.0 * YEAR_MONTHS, rel=1e-4)  # type: ignore[union-attr]
    assert said in lift.sentence.replace("\xa0", " ")  # type: ignore[union-attr]


def test_orders_beside_visitors_are_those_placed_online() -> None:
    # 1,000 orders a month, 400 of them online: 1,400 of 4,000 visitors bring 140 orders, whatever stores sell.
    both = replace(ECONOMICS, a_month={**ECONOMICS.a_month, "order online": 400.0})
    given = _given(reach=1_400.0)
    plan = replace(plans_of(given)["c1"], metric=METRICS["items_per_order"])
    claim = _result(0.05, 0.02, given=given, baseline=1.0, unit="visitor", per="order").claims[0]
    lift = worth_of_lift(given, claim, plan, both)
    assert lift.amount == pytest.approx(140.0 * 4.0 * YEAR_MONTHS)  # type: ignore[union-attr]


def test_a_large_amount_says_its_share_and_is_tested_first_until_the_file_says_why() -> None:
    # .15 / 1.01 of 119,918 less 1,000 is a net gain of 16,810 a year: 56.0 % of a margin of 30,000.
    small_shop = replace(ECONOMICS, margin_a_year=30_000.0)
    found = _desirable(0.15, 0.01, economics=small_shop)
    assert found.recommendation == "test first"
    assert any("56\xa0%" in text and "margin of a year" in text for text in found.sentences)
    assert any("likelier a mistake" in text for text in found.sentences)
    said = _desirable(0.15, 0.01, economics=small_shop, given=_given(large="A wholesale channel doubles the shop."))
    assert said.recommendation == "launch"
    assert not any("margin of a year" in text for text in _desirable(0.15, 0.01).sentences)  # .2 % of ten million


def test_a_launch_that_something_forbids_comes_once_it_is_out_of_the_way() -> None:
    assert _desirable(0.15, 0.01).advice == "launch"
    stopped = replace(_desirable(0.15, 0.01), once=("Logistics agrees", "the budget is there", "the budget is there"))
    assert stopped.advice == "launch once Logistics agrees and the budget is there"
    assert replace(stopped, recommendation="reject").advice == "reject"


def test_decay_and_running_cost() -> None:
    assert effective_months(_given()) == pytest.approx(YEAR_MONTHS)
    # Integral of .9^t over 12 months by the trapezoid rule.
    t = np.linspace(0, YEAR_MONTHS, 20_001)
    assert effective_months(_given(decay=0.1)) == pytest.approx(np.trapezoid(0.9**t, t), rel=1e-7)
    assert cost_of(_given(running_cost_amount=50.0)) == pytest.approx(1_000 + 50 * YEAR_MONTHS)


def test_closed_forms_agree_with_monte_carlo() -> None:
    found = _desirable(0.02, 0.02, prior=SITE_LIFTS)
    after = found.posterior
    assert after is not None
    rng = np.random.default_rng(5)
    which = rng.choice(len(after.weights), 400_000, p=after.weights)
    net = (
        found.amount_per_lift * rng.normal(np.array(after.means)[which], np.array(after.sds)[which]) - found.cost_amount
    )
    # Standard error of the simulated mean is about 2; of the shares about .0008.
    assert found.net.value == pytest.approx(net.mean(), abs=8)  # type: ignore[union-attr]
    assert found.p_net_positive == pytest.approx((net > 0).mean(), abs=0.004)
    assert found.downside_amount == pytest.approx(np.minimum(net, 0).mean(), abs=8)
    assert found.net.lower == pytest.approx(np.quantile(net, 0.05), abs=20)  # type: ignore[union-attr]


def test_the_site_base_rate_shrinks_and_says_why() -> None:
    found = _desirable(0.3, 0.02, prior=SITE_LIFTS)
    assert 0 < found.shrunk.value < found.raw.value  # type: ignore[union-attr]
    assert "large effects are rare" in found.sentences[0]
    assert "look for a mistake" in found.sentences[0]
    assert "look for a mistake" not in _desirable(0.01, 0.02, prior=SITE_LIFTS).sentences[0]
    assert prior_of("experiment") == SITE_LIFTS
    assert prior_of("rollout") == OTHER_LIFTS


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.15, 0.01, "launch"),  # pays for sure
        (-0.10, 0.02, "reject"),  # harmful
        (0.012, 0.03, "test first"),  # near the break-even of .0083: a test decides
        (-0.03, 0.01, "reject"),  # costs more than it brings
    ],
)
def test_what_follows_from_the_money(value: float, error: float, expected: str) -> None:
    assert _desirable(value, error).recommendation == expected


def test_what_cannot_be_undone_keeps_a_hold_out() -> None:
    assert _desirable(0.15, 0.01, given=_given(reversibility="final")).recommendation == "launch with hold-out"


def test_an_association_recommends_a_test_at_most() -> None:
    given = _given()
    claim = proposal(design="{kind: comparison, group: sessions.device, control: phone, treatment: desktop}").claims[0]
    found = _desirable(0.3, 0.01, given=given.model_copy(update={"claims": (claim,)}))
    assert found.recommendation == "test first"
    poor = _desirable(-0.3, 0.01, given=given.model_copy(update={"claims": (claim,)}))
    assert poor.recommendation == "gather data"


def test_bias_variance_widens_what_is_believed() -> None:
    plain, biased = _desirable(0.1, 0.02), _desirable(0.1, 0.02, bias_sd=0.2)
    assert biased.shrunk.value < plain.shrunk.value  # type: ignore[union-attr]
    assert biased.posterior.sd > plain.posterior.sd  # type: ignore[union-attr]


def test_without_costs_or_money_path_the_verdict_decides() -> None:
    found = _desirable(0.15, 0.01, economics=None)
    assert (found.net, found.recommendation) == (None, "launch with hold-out")
    assert "cannot be turned into money here" in found.sentences[-1]


def test_a_failed_gate_recommends_mending_it() -> None:
    from opslib.proposals.results import Gate

    gate = Gate(name="sample ratio", status="failed", sentence="the arms differ")
    assert _desirable(0.1, 0.01, effect=None, gates=(gate,)).recommendation == "gather data"


def test_longer_tests_inform_more_and_cost_more_delay() -> None:
    tests = _desirable(0.012, 0.03).tests
    assert [t.days for t in tests] == [14, 28, 56]
    delays = [t.delay_amount for t in tests]
    assert delays == sorted(delays)
    # At the traffic of 20,000 in 28 days.
    assert tests[1].n_units == pytest.approx(20_000)


def test_economics_by_hand() -> None:
    lines = pd.DataFrame(
        {
            "order_id": ["1", "1", "2", "3"],
            "line_id": ["1", "2", "1", "1"],
            "product_id": "p",
            "customer_id": ["a", "a", "a", "b"],
            "quantity": [1.0, 2.0, 1.0, 1.0],
            "unit_price": [10.0, 5.0, 20.0, 60.0],
            "cost_amount": [5.0, 5.0, 10.0, 30.0],
            "ordered_at": pd.to_datetime(["2026-03-02"] * 4),
            "status": "paid",
        }
    )
    found = economics_of(
        {"order_lines": lines}, period=Period(date(2026, 3, 1), date(2026, 3, 31)), first=date(2026, 3, 1)
    )
    # Revenue 100, cost 50: half is margin. Three orders, two buyers, five items.
    assert (found.margin_share, found.margin_per_buyer) == (0.5, 25.0)
    assert found.margin_per_order == pytest.approx(50 / 3)
    assert found.margin_per_item == 10.0
    # 31 days of data hold a margin of 50: 588.71 a year; three orders are 2.946 in a month of 30.4375 days.
    assert found.margin_a_year == pytest.approx(50 * 365 / 31)
    assert found.a_month["order"] == pytest.approx(3 * 30.4375 / 31)
    with pytest.raises(NotAvailableError, match="cost_amount"):
        economics_of(
            {"order_lines": lines.drop(columns="cost_amount")},
            period=Period(date(2026, 3, 1), date(2026, 3, 2)),
            first=date(2026, 3, 1),
        )


def test_what_units_lost_unseen_may_have_moved_stays_in_the_money() -> None:
    # Half interval 1.96 x .02 + .0196 = .0588: an error of .03 in place of .02, so the posterior's sd is
    # .1 x .03 / sqrt(.1^2 + .03^2) = .02873.
    widened = _desirable(0.05, 0.02, missing_bound=0.0196)
    plain = _desirable(0.05, 0.02)
    assert widened.posterior.sd == pytest.approx(0.02873, abs=1e-4)  # type: ignore[union-attr]
    assert plain.posterior.sd == pytest.approx(0.1 * 0.02 / np.hypot(0.1, 0.02), abs=1e-4)  # type: ignore[union-attr]
    assert widened.p_net_positive < plain.p_net_positive  # type: ignore[operator]
