"""Units chosen for their bad days are recognised; units chosen by lot, or always small, are not."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from opslib.proposals.designs.selection import held_back, worst_gate
from opslib.proposals.evaluate import evaluate_proposal
from opslib.proposals.results import ProposalResult
from tests.proposals.planted import proposal, shop
from tests.proposals.test_over_time import AS_OF

N_PRODUCTS = 60
LAST, CHANGED = pd.Timestamp("2026-02-02"), pd.Timestamp("2026-03-02")


def _lines(seed: int = 1) -> pd.DataFrame:
    """Orders of sixty products that are alike; nothing is ever changed."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2025-03-03", "2026-03-29")
    counts = rng.poisson(1.0, (len(days), N_PRODUCTS))
    at, which = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    frame = pd.DataFrame({"ordered_at": days[at] + pd.Timedelta(hours=12), "product_id": [f"p{i:02d}" for i in which]})
    key = frame.index.astype(str)
    return frame.assign(order_id=key, line_id="1", customer_id=key, quantity=1.0, unit_price=10.0, status="paid")


def _judged(lines: pd.DataFrame, products: list[str]) -> ProposalResult:
    scope = f"[{{column: order_lines.product_id, op: in, value: [{', '.join(products)}]}}]"
    base = proposal(
        design="{kind: before_after, changed_on: 2026-03-02, history_days: 364}",
        metric="orders",
        window=f"{{start: 2026-03-02, end: 2026-03-29}}\n    scope: {scope}",
    )
    return evaluate_proposal(base, shop=shop({"order_lines": lines}, as_of=AS_OF))


def _sold(lines: pd.DataFrame) -> pd.Series:
    before = lines[(lines["ordered_at"] >= LAST) & (lines["ordered_at"] < CHANGED)]
    return before.groupby("product_id").size().sort_values(kind="stable")


def test_the_worst_tenth_is_refused_by_name_and_a_hold_back_is_proposed() -> None:
    lines = _lines()
    worst = list(_sold(lines).index[:6])
    result = _judged(lines, worst)
    assert result.label == "invalid (selection of the worst)"
    (gate,) = result.claims[0].measured.failed
    assert "Hold half of them back at random" in gate.sentence
    drawn = gate.sentence.partition("drawn: ")[2].partition(")")[0].split(", ")
    assert len(drawn) == 3
    assert set(drawn) < set(worst)


def test_products_chosen_by_lot_are_judged() -> None:
    lines = _lines()
    result = _judged(lines, [f"p{i:02d}" for i in range(0, 60, 10)])
    gates = {gate.name: gate.status for gate in result.claims[0].measured.gates}
    assert gates["selection of the worst"] == "passed"
    assert result.claims[0].measured.effect is not None


def _values(chosen_last: float, chosen_earlier: float) -> pd.DataFrame:
    noise = np.random.default_rng(5).normal(0, 1, (50, 2))
    rows = pd.DataFrame(noise + 20, columns=["last", "earlier"], index=[f"u{i}" for i in range(50)])
    rows.loc[["u0", "u1", "u2", "u3"], :] += [chosen_last - 20, chosen_earlier - 20]
    return rows


def test_units_that_were_always_small_are_no_selection() -> None:
    four = ["u0", "u1", "u2", "u3"]
    (small,) = worst_gate(_values(5, 5), four, is_down=False, label="products", seed="c")
    (fallen,) = worst_gate(_values(5, 20), four, is_down=False, label="products", seed="c")
    assert (small.status, fallen.status) == ("passed", "failed")
    # Where small is good (returns), the worst are the highest.
    assert worst_gate(_values(35, 20), four, is_down=True, label="products", seed="c")[0].status == "failed"
    assert worst_gate(_values(5, 20), four, is_down=True, label="products", seed="c")[0].status == "passed"


def test_two_units_tell_nothing() -> None:
    assert worst_gate(_values(5, 20), ["u0", "u1"], is_down=False, label="stores", seed="c") == ()


def test_lot_is_refused_as_seldom_as_its_level_says() -> None:
    # 200 draws of six among sixty alike units: at most 1 % are called the worst (2 expected at the bound, 8 at 4 sd).
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(200):
        rows = pd.DataFrame(rng.normal(20, 2, (60, 2)), columns=["last", "earlier"], index=[str(i) for i in range(60)])
        refused += (
            worst_gate(rows, {"1", "2", "3", "4", "5", "6"}, is_down=False, label="u", seed="c")[0].status == "failed"
        )  # type: ignore[union-attr]
    assert refused <= 8


@given(st.sets(st.text("abcdef", min_size=1), max_size=12), st.text(max_size=4))
def test_half_is_held_back_whatever_the_order(units: set[str], seed: str) -> None:
    drawn = held_back(units, seed=seed)
    assert len(drawn) == len(units) // 2
    assert drawn == held_back(sorted(units, reverse=True), seed=seed)
    assert set(drawn) <= units


def test_stores_rolled_out_after_their_worst_weeks_are_refused() -> None:
    rng = np.random.default_rng(2)
    days = pd.date_range("2025-11-03", "2026-03-29")
    stores = [f"s{i:02d}" for i in range(16)]
    level = np.full((len(days), 16), 20.0)
    bad = (days >= LAST) & (days < CHANGED)
    level[np.ix_(bad, range(5))] = 8.0
    counts = rng.poisson(level)
    at, which = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    lines = pd.DataFrame({"ordered_at": days[at] + pd.Timedelta(hours=12), "store": [stores[i] for i in which]})
    key = lines.index.astype(str)
    lines = lines.assign(
        order_id=key, line_id="1", customer_id=key, product_id="p", quantity=1.0, unit_price=10.0, status="paid"
    )
    rollouts = pd.DataFrame(
        {
            "rollout_id": "R",
            "unit_id": stores,
            "unit": "store",
            "treated_from": [date(2026, 3, 2) if i < 5 else None for i in range(16)],
        }
    )
    claim = proposal(design="{kind: rollout, rollout: R, history_days: 112}", metric="orders", unit="store")
    result = evaluate_proposal(claim, shop=shop({"order_lines": lines, "rollouts": rollouts}, as_of=AS_OF))
    assert result.label == "invalid (selection of the worst)"
    assert result.claims[0].measured.effect is None
