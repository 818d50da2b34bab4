"""Who was in which arm: units in both arms, epochs without an arm, covariates that end before the first assignment."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from opslib.contracts import Violation
from opslib.proposals.designs.assignment import Allocation, ratio_gate
from opslib.proposals.evaluate import evaluate_proposal
from opslib.proposals.results import ClaimResult
from tests.proposals.planted import START, evaluate_claims, proposal, shop, visitor_test


def _judged(tables: dict[str, pd.DataFrame], **changes: str) -> ClaimResult:
    return evaluate_proposal(proposal(**changes), shop=shop(tables)).claims[0]


def _crossed(tables: dict[str, pd.DataFrame], n: int) -> dict[str, pd.DataFrame]:
    """The first n visitors of the control group listed in the treated one as well, a day later."""
    rows = tables["experiments"]
    twice = (
        rows[rows["variant"] == "a"]
        .head(n)
        .assign(variant="b", assigned_at=lambda t: t["assigned_at"] + pd.Timedelta(days=1))
    )
    return {**tables, "experiments": pd.concat([rows, twice], ignore_index=True)}


def test_units_of_both_arms_are_set_aside_and_counted() -> None:
    tables = visitor_test(lift=0.5)
    sizes = tables["experiments"]["variant"].value_counts()
    claim = _judged(_crossed(tables, 30), promise="0.2")
    assert (claim.measured.n_control, claim.measured.n_treated) == (sizes["a"] - 30, sizes["b"])
    gate = next(gate for gate in claim.measured.gates if "both arms" in gate.sentence)
    assert gate.status == "warning"
    assert "30 of 20,000 visitors" in gate.sentence
    assert claim.state == "confirmed"


def test_many_units_of_both_arms_forbid_a_verdict() -> None:
    claim = _judged(_crossed(visitor_test(lift=0.5), 400))
    assert claim.label == "invalid (data health)"
    assert "400 of 20,000 visitors" in claim.page_sentence


def test_a_unit_listed_twice_in_its_own_arm_counts_once() -> None:
    tables = visitor_test(lift=0.5)
    twice = {**tables, "experiments": pd.concat([tables["experiments"], tables["experiments"].head(500)])}
    once, double = _judged(tables), _judged(twice)
    assert double.measured.effect == once.measured.effect
    assert double.measured.gates == once.measured.gates


def test_stores_of_both_arms_are_set_aside() -> None:
    stores = [f"s{k}" for k in range(12)]
    days = pd.date_range(START, periods=28)
    rng = np.random.default_rng(3)
    rows = [
        (store, day) for k, store in enumerate(stores) for day in days for _ in range(rng.poisson(40 + 20 * (k % 2)))
    ]
    frame = pd.DataFrame(rows, columns=["store", "ordered_at"])
    key = frame.index.astype(str)
    tables = {
        "order_lines": frame.assign(
            order_id=key, line_id="1", customer_id=key, product_id="p", quantity=1.0, unit_price=10.0, status="paid"
        ),
        "experiments": pd.DataFrame(
            {
                "experiment_id": "E1",
                "unit_id": [*stores, "s0"],
                "unit": "store",
                "variant": [*["a", "b"] * 6, "b"],
                "assigned_at": pd.Timestamp(START),
            }
        ),
    }
    claim = _judged(
        tables,
        metric="orders",
        unit="store",
        design="{kind: cluster_experiment, experiment: E1, control: a, treatment: b, randomised: store}",
    )
    # One of twelve stores is more than the share that may be set aside.
    assert claim.label == "invalid (data health)"
    assert "1 of 12 stores" in claim.page_sentence


@pytest.mark.parametrize("table", ["experiments", "experiment_arms"])
def test_the_tables_of_the_design_are_part_of_its_health(table: str) -> None:
    broken = Violation(table, "variant", "never empty", "error", 3, 0.1, "o1")
    result = evaluate_proposal(proposal(), shop=shop(visitor_test(lift=0.5), violations=(broken,)))
    assert result.label == "invalid (data health)"
    assert f"{table}.variant breaks" in result.claims[0].page_sentence
    other = Violation("rollouts", "unit", "never empty", "error", 3, 0.1, "o1")
    assert evaluate_proposal(proposal(), shop=shop(visitor_test(lift=0.5), violations=(other,))).state != "invalid"


def test_an_epoch_that_left_an_arm_empty_is_a_mismatch() -> None:
    # 5,000 and 5,000 in the first epoch, then 9,000 and nobody although half and half was planned.
    plan = Allocation(
        starts=(pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-09")), shares=({"a": 0.5, "b": 0.5},) * 2
    )
    counts = pd.DataFrame({"variant": ["a", "b", "a"], "epoch": [0, 0, 1], "n": [5_000, 5_000, 9_000]})
    gate, bound = ratio_gate(counts, plan)
    assert gate.status == "failed"
    assert bound == 0.0
    # Planned for one arm only (the end of a ramp), the same counts are as planned.
    ramp = Allocation(starts=plan.starts, shares=({"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 0.0}))
    assert ratio_gate(counts, ramp)[0].status == "passed"


def test_units_of_an_epoch_with_one_arm_are_said_to_be_left_out() -> None:
    tables = visitor_test(n=20_000, lift=0.3, ramp=((0, 0.5), (14, 0.0)))
    claim = _judged(tables)
    late = int((tables["experiments"]["assigned_at"] >= pd.Timestamp("2026-03-16")).sum())
    assert f"{late:,} visitors came while only one side took any in" in claim.measured.doubt


def test_a_covariate_ends_before_the_first_assignment() -> None:
    # The test began on 2 March and doubled spending at once; the claim looks at 16-29 March. Days of the test itself
    # hold the effect: as a covariate they take it out, days before it do not.
    rng, n = np.random.default_rng(5), 4_000
    who, treated, spend = np.arange(n).astype(str), rng.random(n) < 0.5, rng.gamma(4.0, 10.0, n)
    days = ((date(2026, 2, 20), 1.0), (date(2026, 3, 10), 1 + treated), (date(2026, 3, 20), 1 + treated))
    lines = pd.concat(
        [
            pd.DataFrame(
                {
                    "order_id": f"{day}-" + pd.Series(who),
                    "line_id": "1",
                    "customer_id": who,
                    "product_id": "p",
                    "quantity": 1.0,
                    "unit_price": np.round(spend * factor * rng.lognormal(0, 0.2, n), 2),
                    "ordered_at": pd.Timestamp(day),
                    "status": "paid",
                }
            )
            for day, factor in days
        ]
    )
    tables = {
        "order_lines": lines,
        "experiments": pd.DataFrame(
            {
                "experiment_id": "E1",
                "unit_id": who,
                "unit": "customer",
                "variant": np.where(treated, "b", "a"),
                "assigned_at": pd.Timestamp(START),
            }
        ),
    }
    design = "{kind: experiment, experiment: E1, control: a, treatment: b, randomised: customer, covariate_days: 14}"
    claim = proposal(
        metric="revenue", unit="customer", design=design, window="{start: 2026-03-16, end: 2026-03-29}"
    ).claims[0]
    effect = evaluate_claims([claim], tables, as_of=date(2026, 4, 1))["c1"].effect
    assert effect is not None
    assert effect.lower < 1.0 < effect.upper
    assert "covariate-adjusted" in effect.method
