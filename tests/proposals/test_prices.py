"""Price response on planted elasticities, with and without prices that follow demand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from opslib.errors import ProposalError
from opslib.formats import format_date
from opslib.proposals.evaluate import definitions_of, evaluate_proposal
from opslib.proposals.preregistration import freeze
from opslib.proposals.results import ProposalResult
from tests.proposals.planted import moment, proposal, shop

WEEKS = pd.date_range("2025-03-31", periods=52, freq="7D")


def _sales(
    *, elasticity: float, is_followed: bool = False, promotion: float = 0.0, n: int = 25, seed: int = 4
) -> dict[str, pd.DataFrame]:
    """Weekly sales of products whose price is moved at random, or raised after a good week; one week is a promotion."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        base, shock, price = rng.lognormal(4, 0.3), 0.0, 10.0
        for i, week in enumerate(WEEKS):
            if is_followed:
                price = 10.0 * np.exp(0.6 * shock)
            elif i % 4 == 0:
                price = 10.0 * np.exp(rng.normal(0, 0.1))
            shock = 0.7 * shock + rng.normal(0, 0.15) if is_followed else rng.normal(0, 0.05)
            is_sale = i in (20, 21) and promotion > 0 and k % 2 == 0
            charged = price * (1 - promotion * is_sale)
            units = base * (charged / 10) ** elasticity * np.exp(shock + 1.5 * is_sale)
            rows.append((f"p{k}", week + pd.Timedelta(days=2), max(round(units), 1), round(charged, 4)))
    frame = pd.DataFrame(rows, columns=["product_id", "ordered_at", "quantity", "unit_price"])
    lines = frame.assign(
        order_id=frame.index.astype(str),
        line_id="1",
        customer_id=frame.index.astype(str),
        status="paid",
        quantity=frame["quantity"].astype(float),
    )
    changes = pd.DataFrame(
        {
            "change_id": ["sale"],
            "kind": ["promotion"],
            "started_at": [WEEKS[20]],
            "ended_at": [WEEKS[21] + pd.Timedelta(days=6)],
        }
    )
    return {"order_lines": lines, "changes": changes}


def _judged(tables: dict[str, pd.DataFrame], *, promise: float = 0.05, metric: str = "units_sold") -> ProposalResult:
    given = proposal(design="{kind: elasticity, price_change: -0.1, history_days: 364}", metric=metric, unit="product")
    claim = given.claims[0].model_copy(update={"promise": promise})
    return evaluate_proposal(given.model_copy(update={"claims": (claim,)}), shop=shop(tables, as_of=date(2026, 4, 1)))


@pytest.mark.parametrize(("elasticity", "promise", "state"), [(-2.0, 0.05, "confirmed"), (-0.3, 0.2, "partly")])
def test_a_planted_elasticity_gives_its_change(elasticity: float, promise: float, state: str) -> None:
    # A price 10 % lower at elasticity e sells .9^e - 1 more: +23.5 % at -2, +3.2 % at -.3.
    result = _judged(_sales(elasticity=elasticity), promise=promise)
    effect = result.claims[0].measured.effect
    assert result.state == state
    assert effect.lower < 0.9**elasticity - 1 < effect.upper  # type: ignore[union-attr]
    assert result.grade in ("Low", "Very low")


def test_promotion_weeks_are_left_out() -> None:
    # In the sale of half of the products, 30 % off sells e^1.5 times more than its price explains.
    tables = _sales(elasticity=-1.0, promotion=0.3)
    effect = _judged(tables).claims[0].measured.effect
    assert effect.lower < 0.9**-1 - 1 < effect.upper  # type: ignore[union-attr]
    del tables["changes"]
    fooled = _judged(tables).claims[0].measured.effect
    assert fooled.value > 1.4 * effect.value, "the trap must be there"  # type: ignore[union-attr]


def test_prices_that_followed_demand_are_flagged() -> None:
    result = _judged(_sales(elasticity=-1.0, is_followed=True))
    assert any("prices followed demand" in reason for reason in result.claims[0].grade_reasons)
    assert result.label == "inconclusive (association only)"
    plain = _judged(_sales(elasticity=-1.0))
    assert not any("prices followed demand" in reason for reason in plain.claims[0].grade_reasons)


def test_other_metrics_and_prices_that_never_moved_are_refused() -> None:
    tables = _sales(elasticity=-1.0)
    assert "relative change of units_sold, not of orders" in _judged(tables, metric="orders").claims[0].page_sentence
    tables["order_lines"]["unit_price"] = 10.0
    assert _judged(tables).label == "invalid (measurable)"


def test_a_price_that_does_not_move_is_no_proposal() -> None:
    with pytest.raises(ProposalError, match="price_change is 0"):
        proposal(design="{kind: elasticity, price_change: 0.0}", metric="units_sold", unit="product")


def test_products_that_sell_seldom_are_refused() -> None:
    # Only weeks with a sale have a logarithm: of 25 products a third of the weeks is taken away.
    tables = _sales(elasticity=-1.0)
    rng = np.random.default_rng(1)
    tables["order_lines"] = tables["order_lines"][rng.random(len(tables["order_lines"])) > 0.35]
    result = _judged(tables)
    assert result.label == "invalid (measurable)"
    assert "of the product-weeks" in result.claims[0].page_sentence


def _with_coupons(tables: dict[str, pd.DataFrame], *, seed: int = 10) -> dict[str, pd.DataFrame]:
    """Coupons of 20 % in some weeks, which bring buyers of their own: the mean price paid falls where more is sold."""
    rng = np.random.default_rng(seed)
    lines = tables["order_lines"]
    share = rng.uniform(0, 0.4, len(lines))
    quantity = np.round(lines["quantity"] / (1 - share))
    return {
        "order_lines": lines.assign(quantity=quantity, discount_amount=0.2 * share * quantity * lines["unit_price"])
    }


def test_coupons_are_no_change_of_the_price() -> None:
    # A coupon used by a share s sells 1 / (1 - s) as much at a mean price 1 - .2 s: a slope of -5 and steeper.
    tables = _with_coupons(_sales(elasticity=-1.0))
    lines = tables["order_lines"]
    paid = np.log(lines["unit_price"] - lines["discount_amount"] / lines["quantity"])
    assert np.polyfit(paid - paid.mean(), np.log(lines["quantity"]), 1)[0] < -1.3, "the trap must be there"
    effect = _judged(tables).claims[0].measured.effect
    assert effect.lower < 0.9**-1 - 1 < effect.upper  # type: ignore[union-attr]
    assert effect.value == pytest.approx(0.9**-1 - 1, abs=0.03)  # type: ignore[union-attr]


def test_a_list_price_that_never_moved_is_refused_whatever_coupons_did() -> None:
    tables = _sales(elasticity=-1.0)
    tables["order_lines"]["unit_price"] = 10.0
    claim = _judged(_with_coupons(tables)).claims[0]
    assert claim.label == "invalid (measurable)"
    assert "moved 0 times" in claim.page_sentence


def test_weeks_sold_far_below_the_list_price_are_promotions() -> None:
    # Half of the products at 30 % off for two weeks, not listed among the changes, selling e^1.5 times as much.
    tables = _sales(elasticity=-1.0, promotion=0.3)
    del tables["changes"]
    lines = tables["order_lines"]
    week = (lines["ordered_at"] - WEEKS[0]).dt.days // 7
    is_sale = week.isin([20, 21]) & (lines["product_id"].str[1:].astype(int) % 2 == 0)
    listed = np.where(is_sale, lines["unit_price"] / 0.7, lines["unit_price"])
    tables["order_lines"] = lines.assign(
        unit_price=listed, discount_amount=(listed - lines["unit_price"]) * lines["quantity"]
    )
    effect = _judged(tables).claims[0].measured.effect
    clean = _judged(_sales(elasticity=-1.0)).claims[0].measured.effect
    assert effect.width < 1.3 * clean.width  # type: ignore[union-attr]
    assert effect.lower < 0.9**-1 - 1 < effect.upper  # type: ignore[union-attr]


def test_the_recorded_price_is_read_where_there_is_one() -> None:
    tables = _sales(elasticity=-1.0)
    lines = tables["order_lines"].sort_values(["product_id", "ordered_at"])
    week = lines["ordered_at"] - pd.Timedelta(days=2)
    tables["price_history"] = pd.DataFrame(
        {
            "product_id": lines["product_id"],
            "valid_from": week,
            "valid_to": week + pd.Timedelta(days=6),
            "price": lines["unit_price"],
        }
    )
    tables["order_lines"] = lines.assign(unit_price=10.0)
    effect = _judged(tables).claims[0].measured.effect
    assert effect.lower < 0.9**-1 - 1 < effect.upper  # type: ignore[union-attr]
    assert effect.width < 0.1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("frozen_at", "label"),
    [
        ("2026-03-01T12:00:00+00:00", "inconclusive (exploratory)"),
        ("2025-03-30T12:00:00+00:00", "confirmed"),
    ],
)
def test_a_price_claim_is_confirmed_only_if_frozen_before_the_first_sale_that_it_reads(
    frozen_at: str, label: str
) -> None:
    # The window is 2-29 March 2026, and 364 days up to its end are read: from 31 March 2025 on.
    given = proposal(
        design="{kind: elasticity, price_change: -0.1, history_days: 364}",
        metric="units_sold",
        unit="product",
        replay="false",
        promise="0.05",
    )
    record = freeze(given, definitions=definitions_of(given), at=moment(frozen_at))
    data = shop(_sales(elasticity=-2.0), as_of=date(2026, 4, 1))
    result = evaluate_proposal(given, shop=data, frozen=record)
    assert result.label == label
    first = date(2026, 3, 29) - timedelta(days=363)
    said = result.claims[0]
    assert f"Prices from {format_date(first)} on" in said.measured.doubt
    # The verdict and its doubt come from one rule: what is confirmed is not said to be written down too late.
    assert ("written down after" in said.page_sentence) == (label != "confirmed")
    assert "confirmed" not in said.measured.doubt
