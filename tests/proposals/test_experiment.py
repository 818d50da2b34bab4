"""Randomised tests on planted data: verdict states, gates, refusals, looks, batches."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.contracts import Violation
from opslib.periods import Coverage
from opslib.proposals.evaluate import evaluate_proposal
from opslib.proposals.results import ClaimResult
from opslib.proposals.schema import Guardrail
from tests.proposals.planted import DAYS, START, evaluate_claims, proposal, shop, visitor_test

#: Planted lifts lie well inside the interval that its state needs, at 20,000 visitors and a base of 10 %:
#: the standard error of the relative change is about .043.
STATES = [
    (0.50, "0.2", "0", "confirmed"),
    (0.20, "0.15", "0", "supported"),
    (-0.30, "0.1", "0", "harmful"),
    (0.25, "0.6", "0", "partly"),
    (0.00, "0.3", "0", "refuted"),
    (0.05, "0.08", "0", "inconclusive"),
]


def _judged(tables: dict[str, pd.DataFrame], **changes: str) -> ClaimResult:
    return evaluate_proposal(proposal(**changes), shop=shop(tables)).claims[0]


@pytest.mark.parametrize(("lift", "promise", "m", "state"), STATES)
def test_planted_lifts_get_their_state(lift: float, promise: str, m: str, state: str) -> None:
    claim = _judged(visitor_test(lift=lift), promise=promise)
    assert claim.state == state
    assert claim.measured.effect is not None
    assert claim.measured.effect.lower < lift < claim.measured.effect.upper


def test_supported_prints_the_chance_of_the_promised_size() -> None:
    claim = _judged(visitor_test(lift=0.2), promise="0.15")
    assert "by as much as promised is likely" in claim.page_sentence
    assert f"{100 * claim.p_promise:.0f} %" in claim.page_sentence  # type: ignore[operator]


def test_inconclusive_says_how_much_is_missing() -> None:
    claim = _judged(visitor_test(lift=0.05, n=5_000), promise="0.1")
    # log(1.1) needs 2.802^2 x 4 x 9 / .0953^2 = 31,100 visitors at a base of 10 % (variation 9); 5,000 are there.
    assert claim.n_needed == pytest.approx(26_100, rel=0.15)  # the base is estimated from 500 buyers
    assert claim.days_needed == pytest.approx(claim.n_needed / (5_000 / DAYS), abs=1)
    assert "We cannot tell yet" in claim.page_sentence


def test_the_interval_is_that_of_the_arms_by_a_second_road() -> None:
    tables = visitor_test(lift=0.3)
    claim = _judged(tables)
    arms = tables["experiments"].assign(
        bought=tables["experiments"]["unit_id"].radd("c").isin(tables["order_lines"]["customer_id"])
    )
    rates = arms.groupby("variant")["bought"].mean()
    assert claim.measured.baseline == pytest.approx(rates["a"], rel=1e-9)
    assert claim.measured.effect.value == pytest.approx(rates["b"] / rates["a"] - 1, rel=1e-9)  # type: ignore[union-attr]


def test_a_wish_to_fall_turns_the_sign() -> None:
    down = proposal().claims[0].model_copy(update={"direction": "down"})
    result = evaluate_proposal(proposal().model_copy(update={"claims": (down,)}), shop=shop(visitor_test(lift=-0.3)))
    assert result.state == "confirmed"
    assert result.claims[0].measured.effect.value > 0.2  # type: ignore[union-attr]


def test_absolute_scale() -> None:
    claim = proposal().claims[0].model_copy(update={"scale": "absolute", "promise": 0.01})
    result = evaluate_proposal(proposal().model_copy(update={"claims": (claim,)}), shop=shop(visitor_test(lift=0.5)))
    assert result.state == "confirmed"
    assert result.claims[0].measured.effect.unit == "share"  # type: ignore[union-attr]


def test_lost_visitors_make_it_invalid_by_sample_ratio() -> None:
    claim = _judged(visitor_test(lift=0.3, loss=0.1))
    assert (claim.state, claim.qualifier, claim.grade) == ("invalid", "sample ratio", "Very low")
    assert "the two groups should be equal and are" in claim.page_sentence
    assert claim.measured.effect is None


def test_where_the_ratio_gate_is_weak_the_interval_is_widened() -> None:
    claim = _judged(visitor_test(n=5_000, lift=0.3))
    assert "widened" in claim.measured.effect.method  # type: ignore[union-attr]
    (ratio,) = (gate for gate in claim.measured.gates if gate.name == "sample ratio")
    assert "would hardly be seen, so the interval is" in ratio.sentence


def test_no_recorded_split_costs_a_grade() -> None:
    tables = visitor_test(lift=0.5)
    known = _judged(dict(tables), promise="0.2")
    del tables["experiment_arms"]
    unknown = _judged(tables, promise="0.2")
    assert (known.grade, unknown.grade) == ("Moderate", "Low")


def test_a_broken_table_and_missing_days_are_gates() -> None:
    tables = visitor_test(lift=0.5)
    broken = Violation("order_lines", "order_id", "unique key", "error", 3, 0.1, "o1")
    result = evaluate_proposal(proposal(), shop=shop(tables, violations=(broken,)))
    assert result.label == "invalid (data health)"
    holes = frozenset(pd.date_range(START, periods=7).date)
    seen = Coverage(date(2026, 1, 1), date(2026, 4, 1), holes)
    assert evaluate_proposal(proposal(), shop=shop(tables, coverage=seen)).label == "invalid (data health)"
    one = Coverage(date(2026, 1, 1), date(2026, 4, 1), frozenset(list(holes)[:1]))
    result = evaluate_proposal(proposal(promise="0.2"), shop=shop(tables, coverage=one))
    assert (result.state, result.grade) == ("confirmed", "Low")
    assert "1 of 28 days have no data" in result.claims[0].grade_reasons


def test_too_few_units_and_nothing_sold_are_not_measurable() -> None:
    assert _judged(visitor_test(n=60)).label == "invalid (measurable)"
    assert _judged(visitor_test(base=0.0)).label == "invalid (measurable)"


def test_a_test_per_order_although_customers_were_randomised_is_refused() -> None:
    finer = "{kind: experiment, experiment: E1, control: a, treatment: b, randomised: customer, analysed_by: order}"
    claim = _judged(visitor_test(n=200), design=finer)
    assert claim.label == "invalid (clustered unit known)"
    assert "finds effects that are not there" in claim.page_sentence


RAMP = ((0, 0.01), (7, 0.1), (14, 0.5))


def test_a_pooled_ramp_is_refused_and_a_stratified_one_is_right() -> None:
    # No effect, conversion trebles over the weeks: pooled, the late treated units look far better.
    tables = visitor_test(n=60_000, ramp=RAMP, drift=2.0, seed=5)
    arms = tables["experiments"].assign(
        bought=tables["experiments"]["unit_id"].radd("c").isin(tables["order_lines"]["customer_id"])
    )
    pooled = arms.groupby("variant")["bought"].mean()
    assert pooled["b"] / pooled["a"] - 1 > 0.15, "the trap must be there"
    pool = "{kind: experiment, experiment: E1, control: a, treatment: b, randomised: visitor, is_ramp_pooled: true}"
    assert _judged(tables, design=pool).label == "invalid (ramp strata)"
    effect = _judged(tables).measured.effect
    assert effect is not None
    assert effect.lower < 0 < effect.upper
    assert abs(effect.value) < 0.05


def test_a_fixed_horizon_is_not_looked_at_early() -> None:
    tables = visitor_test(lift=0.5)
    early = evaluate_proposal(proposal(), shop=shop(tables, as_of=date(2026, 3, 20))).claims[0]
    assert early.label == "inconclusive (not due)"
    assert early.measured.effect is None
    assert "looked at once, after 29 Mar 2026" in early.page_sentence


LOOKS = "{kind: group_sequential, looks: [2026-03-08, 2026-03-15, 2026-03-22, 2026-03-29]}"


def _with_stopping(rule: str, as_of: date, tables: dict[str, pd.DataFrame], **changes: str) -> ClaimResult:
    changed = proposal(window=f"{{start: 2026-03-02, end: 2026-03-29}}\n    stopping: {rule}", **changes)
    return evaluate_proposal(changed, shop=shop(tables, as_of=as_of)).claims[0]


def test_planned_looks_use_the_data_up_to_the_look_only() -> None:
    tables = visitor_test(lift=0.3)
    before = _with_stopping(LOOKS, date(2026, 3, 7), tables)
    second = _with_stopping(LOOKS, date(2026, 3, 18), tables)
    last = _with_stopping(LOOKS, date(2026, 3, 30), tables)
    assert before.qualifier == "not due"
    on = tables["experiments"]["assigned_at"] < pd.Timestamp("2026-03-16")
    assert second.measured.n_control + second.measured.n_treated == int(on.sum())
    # A repeated interval is wider than one look's at the same data; at the last look hardly so.
    once = _judged(tables)
    widths = [c.measured.effect.width for c in (second, last, once)]  # type: ignore[union-attr]
    assert widths[0] > widths[1] > widths[2]
    assert widths[1] < 1.1 * widths[2]


def test_an_anytime_design_pays_for_every_look() -> None:
    tables = visitor_test(lift=0.3)
    any_day = _with_stopping("{kind: anytime, tuned_n: 20000}", date(2026, 3, 20), tables)
    end = _with_stopping("{kind: anytime, tuned_n: 20000}", date(2026, 3, 30), tables)
    assert any_day.measured.effect is not None
    ratio = end.measured.effect.width / _judged(tables).measured.effect.width  # type: ignore[union-attr]
    # Critical value of the sequence where it is tuned: about 3.0 against 1.96 (Waudby-Smith et al. 2024).
    assert 1.3 < ratio < 1.7


def test_an_early_look_that_would_be_a_false_alarm_is_none() -> None:
    # No effect, and after one week the test looks significant (z about 2.5); after four it does not (z about .7).
    tables, week = visitor_test(n=6_000, seed=53), date(2026, 3, 8)
    peeked = evaluate_proposal(proposal(window="{start: 2026-03-02, end: 2026-03-08}"), shop=shop(tables, as_of=week))
    assert peeked.claims[0].measured.effect.excludes(0), "the trap must be there"  # type: ignore[union-attr]
    fixed = evaluate_proposal(proposal(), shop=shop(tables, as_of=week))
    anytime = _with_stopping("{kind: anytime, tuned_n: 6000}", week, tables)
    planned = _with_stopping(LOOKS, week, tables)
    assert fixed.label == "inconclusive (not due)"
    assert not anytime.measured.effect.excludes(0)  # type: ignore[union-attr]
    assert not planned.measured.effect.excludes(0)  # type: ignore[union-attr]


def test_twenty_metrics_share_the_error() -> None:
    claim = proposal().claims[0]
    many = tuple(claim.model_copy(update={"id": f"c{i}"}) for i in range(20))
    result = evaluate_proposal(proposal().model_copy(update={"claims": many}), shop=shop(visitor_test(lift=0.2)))
    levels = {item.measured.effect.confidence_level for item in result.claims}  # type: ignore[union-attr]
    assert levels == {1 - 0.05 / 20}


def test_twenty_metrics_without_effect_are_three_finds_without_correction_and_none_with_it() -> None:
    rng, who = np.random.default_rng(7), np.arange(400).astype(str)
    rows = [
        pd.DataFrame(
            {
                "unit": "customer",
                "unit_id": who,
                "date": pd.Timestamp(START),
                "metric": f"m{k}",
                "value": rng.normal(10, 2, 400),
            }
        )
        for k in range(20)
    ]
    tables = {
        "unit_outcomes": pd.concat(rows),
        "experiments": pd.DataFrame(
            {
                "experiment_id": "E1",
                "unit_id": who,
                "unit": "customer",
                "variant": np.where(np.arange(400) % 2, "b", "a"),
                "assigned_at": pd.Timestamp(START),
            }
        ),
    }
    base = proposal(
        design="{kind: experiment, experiment: E1, control: a, treatment: b, randomised: customer, "
        "source: unit_outcomes}"
    ).claims[0]
    claims = tuple(base.model_copy(update={"id": f"c{k}", "metric": f"m{k}", "unit": "customer"}) for k in range(20))
    single = evaluate_claims(claims, tables, as_of=date(2026, 4, 1))
    assert sum(m.effect.excludes(0) for m in single.values()) == 3, "the trap must be there"  # type: ignore[union-attr]
    result = evaluate_proposal(proposal().model_copy(update={"claims": claims}), shop=shop(tables))
    assert {claim.state for claim in result.claims} <= {"refuted", "inconclusive"}


def test_claims_of_one_test_share_a_scan() -> None:
    tables = visitor_test(n=2_000)
    claim = proposal().claims[0]

    def scans(n: int) -> int:
        before = len(engine.query_log())
        evaluate_claims(
            [claim.model_copy(update={"id": f"c{i}", "promise": 0.01 * (i + 1)}) for i in range(n)],
            tables,
            as_of=date(2026, 4, 1),
        )
        return len(engine.query_log()) - before

    assert scans(1) == scans(50)


def test_segments_that_point_both_ways_cost_a_grade() -> None:
    tables = visitor_test(n=20_000)
    treated = set(tables["experiments"].query("variant == 'b'")["unit_id"])
    phone = tables["sessions"]["device"] == "phone"
    rng = np.random.default_rng(2)
    is_treated = tables["sessions"]["visitor_id"].isin(treated)
    rate = np.where(is_treated, np.where(phone, 0.16, 0.05), 0.1)
    bought = rng.random(len(rate)) < rate
    buyers = tables["sessions"][bought]
    tables["order_lines"] = pd.DataFrame(
        {
            "order_id": "o" + buyers["visitor_id"],
            "line_id": "1",
            "session_id": buyers["session_id"],
            "customer_id": "c" + buyers["visitor_id"],
            "product_id": "p",
            "quantity": 1.0,
            "unit_price": 20.0,
            "ordered_at": buyers["started_at"],
            "status": "paid",
        }
    )
    split = (
        "{kind: experiment, experiment: E1, control: a, treatment: b, randomised: visitor, segment: sessions.device}"
    )
    assert "segments point in opposite directions" in _judged(tables, design=split).grade_reasons
    plain = _judged(tables)
    assert "segments point in opposite directions" not in plain.grade_reasons


def test_a_broken_guardrail_makes_the_proposal_harmful() -> None:
    given = proposal(promise="0.05").model_copy(
        update={
            "guardrails": (
                Guardrail(metric="revenue_per_visitor", margin=0.02),
                Guardrail(metric="items_per_order", margin=0.01),
            )
        }
    )
    tables = visitor_test(lift=0.4)
    treated = set(tables["experiments"].query("variant == 'b'")["unit_id"])
    cheap = tables["order_lines"]["customer_id"].str.removeprefix("c").isin(treated)
    tables["order_lines"]["unit_price"] = np.where(cheap, 5.0, 20.0)
    result = evaluate_proposal(given, shop=shop(tables))
    assert result.claims[0].state == "confirmed"
    assert [guard.state for guard in result.guardrails] == ["broken", "held"]
    assert result.label == "harmful (guardrail revenue_per_visitor broken)"


def test_totals_alone_give_the_published_interval() -> None:
    # tea-tasting's published example by Welch's delta method: .70732, 95 % (-.03526, 1.44989); by the log ratio the
    # value is the same. Sums 1396.87 and 2422.7, squares 52377.9767 and 134698.29, n 3407 and 3461.
    rows = []
    for variant, n, total, squares in (("a", 3407, 1396.87, 52377.9767), ("b", 3461, 2422.7, 134698.29)):
        rows.append(
            {
                "experiment_id": "E1",
                "variant": variant,
                "metric": "spend",
                "n": n,
                "mean": total / n,
                "observed_at": pd.Timestamp("2026-03-29"),
                "variance": (squares - total**2 / n) / (n - 1),
            }
        )
    design = (
        "{kind: experiment, experiment: E1, control: a, treatment: b, randomised: visitor, "
        "source: experiment_summaries}"
    )
    claim = proposal(design=design).claims[0].model_copy(update={"metric": "spend"})
    found = evaluate_claims([claim], {"experiment_summaries": pd.DataFrame(rows)}, as_of=date(2026, 4, 1))["c1"]
    assert found.effect.value == pytest.approx(0.70732, abs=5e-6)  # type: ignore[union-attr]
    assert (found.n_control, found.n_treated) == (3407, 3461)


def test_a_covariate_from_before_narrows_the_interval() -> None:
    rng = np.random.default_rng(11)
    n = 4_000
    spend = rng.gamma(2.0, 20.0, n)
    who = np.arange(n).astype(str)
    days = [(date(2026, 2, 10), spend), (date(2026, 3, 10), spend * rng.lognormal(0, 0.2, n))]
    lines = pd.concat(
        [
            pd.DataFrame(
                {
                    "order_id": f"{day}-" + pd.Series(who),
                    "line_id": "1",
                    "customer_id": who,
                    "product_id": "p",
                    "quantity": 1.0,
                    "unit_price": np.round(amount, 2),
                    "ordered_at": pd.Timestamp(day),
                    "status": "paid",
                }
            )
            for day, amount in days
        ]
    )
    tables = {
        "order_lines": lines,
        "experiments": pd.DataFrame(
            {
                "experiment_id": "E1",
                "unit_id": who,
                "unit": "customer",
                "variant": np.where(rng.random(n) < 0.5, "b", "a"),
                "assigned_at": pd.Timestamp(START),
            }
        ),
    }
    base = "kind: experiment, experiment: E1, control: a, treatment: b, randomised: customer"
    plain, adjusted = (
        evaluate_claims(
            [proposal(metric="revenue", unit="customer", design=f"{{{base}{more}}}").claims[0]],
            tables,
            as_of=date(2026, 4, 1),
        )["c1"].effect
        for more in ("", ", covariate_days: 28")
    )
    assert "covariate-adjusted" in adjusted.method  # type: ignore[union-attr]
    # Correlation of spend before and after is about .95, so the width falls to about a third.
    assert adjusted.width < 0.5 * plain.width  # type: ignore[union-attr]
