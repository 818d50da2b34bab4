"""Clusters, levels, trends, groups as found and outside figures on planted data."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.errors import ProposalError
from opslib.proposals.designs import EVALUATORS
from opslib.proposals.evaluate import evaluate_proposal
from opslib.proposals.parsing import json_schema
from opslib.proposals.schema import Claim
from tests.proposals.planted import START, evaluate_claims, proposal, shop

AS_OF = date(2026, 4, 1)


def _orders(n: int = 4_000, *, seed: int = 1, days: int = 28, growth: float = 0.0) -> pd.DataFrame:
    """Paid orders of 20.0 to 60.0, four countries, ``growth`` a day in their number."""
    rng = np.random.default_rng(seed)
    weights = (1 + growth) ** np.arange(days)
    day = np.sort(rng.choice(days, n, p=weights / weights.sum()))
    return pd.DataFrame(
        {
            "order_id": np.arange(n).astype(str),
            "line_id": "1",
            "customer_id": rng.integers(0, n // 2, n).astype(str),
            "product_id": rng.integers(0, 10, n).astype(str),
            "quantity": 1.0,
            "unit_price": rng.integers(20, 60, n) * 1.0,
            "country": rng.choice(["DE", "FR", "NL", "SE"], n),
            "status": "paid",
            "ordered_at": pd.Timestamp(START) + pd.to_timedelta(day, unit="D") + pd.Timedelta(hours=12),
        }
    )


def _claim(design: str, *, metric: str = "average_order_value", unit: str = "customer", **fields: object) -> Claim:
    return proposal(design=design, metric=metric, unit=unit).claims[0].model_copy(update=fields)


@pytest.mark.parametrize(("promise", "state"), [(35.0, "supported"), (45.0, "refuted"), (39.5, "inconclusive")])
def test_a_level_against_its_threshold(promise: float, state: str) -> None:
    # Prices are uniform on 20..59, so the average order value is 39.5 with a standard error near .18.
    claim = _claim("{kind: level}", promise=promise, scale="absolute")
    result = evaluate_proposal(
        proposal().model_copy(update={"claims": (claim,)}), shop=shop({"order_lines": _orders()})
    )
    assert result.state == state
    assert result.claims[0].design == "level"


def test_a_level_equals_the_ratio_of_sums() -> None:
    lines = _orders()
    found = evaluate_claims([_claim("{kind: level}")], {"order_lines": lines}, as_of=AS_OF)["c1"]
    assert found.effect.value == pytest.approx(lines["unit_price"].mean(), rel=1e-9)  # type: ignore[union-attr]
    assert found.n_treated == lines["customer_id"].nunique()


def test_claims_about_many_groups_take_one_scan_and_equal_single_ones() -> None:
    from opslib.proposals.scope import ScopeFilter

    tables = {"order_lines": engine.as_table(_orders())}
    groups = [(country, product) for country in ("DE", "FR", "NL", "SE") for product in map(str, range(10))]
    claims = [
        _claim(
            "{kind: level}",
            id=f"{country}-{product}",
            scope=(
                ScopeFilter(column="order_lines.country", value=country),
                ScopeFilter(column="order_lines.product_id", value=product),
            ),
        )
        for country, product in groups
    ]
    before = len(engine.query_log())
    found = evaluate_claims(claims, tables, as_of=AS_OF)
    assert len(engine.query_log()) - before == 1
    lines = _orders()
    means = lines.groupby(["country", "product_id"])["unit_price"].mean()
    for country, product in groups:
        assert found[f"{country}-{product}"].effect.value == pytest.approx(means[country, product])  # type: ignore[union-attr]


def test_a_trend_with_planted_growth() -> None:
    # Orders grow by 1 % a day: 1.01^30.4 - 1 = 35 % a month.
    claim = _claim(
        "{kind: trend}",
        metric="orders",
        promise=0.2,
        window=proposal(window="{start: 2026-03-02, end: 2026-05-24}").claims[0].window,
    )
    tables = {"order_lines": _orders(12_000, days=84, growth=0.01)}
    result = evaluate_proposal(
        proposal().model_copy(update={"claims": (claim,)}), shop=shop(tables, as_of=date(2026, 6, 1))
    )
    effect = result.claims[0].measured.effect
    assert effect is not None
    assert effect.lower < 1.01**30.4375 - 1 < effect.upper
    assert result.state == "supported"


def test_a_trend_needs_eight_weeks() -> None:
    claim = _claim("{kind: trend}", metric="orders")
    result = evaluate_proposal(
        proposal().model_copy(update={"claims": (claim,)}), shop=shop({"order_lines": _orders()})
    )
    assert result.label == "invalid (enough history)"


def test_groups_as_found_are_never_more_than_an_association() -> None:
    lines = _orders(8_000)
    lines["unit_price"] += np.where(lines["country"] == "DE", 30.0, 0.0)
    claim = _claim("{kind: comparison, group: order_lines.country, control: FR, treatment: DE}", promise=0.2)
    result = evaluate_proposal(proposal().model_copy(update={"claims": (claim,)}), shop=shop({"order_lines": lines}))
    assert result.label == "inconclusive (association only)"
    assert result.grade == "Very low"
    assert result.claims[0].measured.effect.lower > 0.2  # type: ignore[union-attr]
    assert "not drawn by lot" in result.claims[0].measured.doubt
    assert "no proof that one made the other" in result.claims[0].page_sentence


def test_an_outside_figure_is_an_association_too() -> None:
    claim = _claim("{kind: outside, citation: 'Smith 2024, 12 shops', value: 0.08, lower: 0.02, upper: 0.14}")
    result = evaluate_proposal(proposal().model_copy(update={"claims": (claim,)}), shop=shop({}))
    assert (result.label, result.grade) == ("inconclusive (association only)", "Very low")
    # A 90 % range of .12 is 2 x 1.645 standard errors.
    assert result.claims[0].measured.effect.std_error == pytest.approx(0.12 / 3.29, rel=1e-3)  # type: ignore[union-attr]


def _stores(effect: float, *, n: int = 20, seed: int = 3) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    sizes = rng.lognormal(4, 0.4, n)
    frames = []
    for k in range(n):
        for first, factor in ((-28, 1.0), (0, 1 + effect * (k % 2))):
            count = rng.poisson(sizes[k] * factor * rng.lognormal(0, 0.05))
            frames.append(
                pd.DataFrame(
                    {
                        "store": f"s{k}",
                        "at": pd.Timestamp(START)
                        + pd.Timedelta(days=first)
                        + pd.to_timedelta(rng.integers(0, 28, count), unit="D"),
                    }
                )
            )
    rows = pd.concat(frames, ignore_index=True)
    lines = pd.DataFrame(
        {
            "order_id": rows.index.astype(str),
            "line_id": "1",
            "product_id": "p",
            "quantity": 1.0,
            "unit_price": 10.0,
            "ordered_at": rows["at"],
            "store": rows["store"],
            "status": "paid",
        }
    )
    units = pd.DataFrame(
        {
            "experiment_id": "E1",
            "unit_id": [f"s{k}" for k in range(n)],
            "unit": "store",
            "variant": ["b" if k % 2 else "a" for k in range(n)],
            "assigned_at": pd.Timestamp(START),
        }
    )
    return {"order_lines": lines, "experiments": units}


STORES = "{kind: cluster_experiment, experiment: E1, control: a, treatment: b, randomised: store, covariate_days: 28}"


@pytest.mark.parametrize(
    ("effect", "promise", "state"), [(0.5, 0.1, "confirmed"), (-0.3, 0.2, "harmful"), (0.0, 0.4, "refuted")]
)
def test_randomised_stores(effect: float, promise: float, state: str) -> None:
    claim = _claim(STORES, metric="orders", unit="store", promise=promise)
    result = evaluate_proposal(proposal().model_copy(update={"claims": (claim,)}), shop=shop(_stores(effect)))
    measured = result.claims[0].measured
    assert result.state == state
    assert measured.effect.n == 20  # stores, not orders  # type: ignore[union-attr]
    assert "covariate-adjusted" in measured.effect.method  # type: ignore[union-attr]


def test_two_stores_are_refused_and_six_cost_a_grade() -> None:
    claim = _claim(STORES, metric="orders", unit="store")
    one = proposal().model_copy(update={"claims": (claim,)})
    assert evaluate_proposal(one, shop=shop(_stores(0.5, n=2))).label == "invalid (measurable)"
    few = evaluate_proposal(one, shop=shop(_stores(0.5, n=8)))
    assert "fewer than 5 stores on a side" in few.claims[0].grade_reasons


def test_a_missing_table_makes_its_claim_invalid_and_leaves_the_others() -> None:
    good = _claim("{kind: level}", id="good", promise=30.0, scale="absolute")
    bad = _claim("{kind: level}", id="bad", metric="rating", unit="product")
    found = evaluate_claims([good, bad], {"order_lines": _orders()}, as_of=AS_OF)
    assert found["good"].effect is not None
    assert "no table 'reviews'" in found["bad"].failed[0].sentence


def test_a_design_without_evaluator_says_which_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(EVALUATORS, "level")
    with pytest.raises(ProposalError, match=r"design 'level' has no evaluator; those that have: .*experiment"):
        evaluate_claims([_claim("{kind: level}")], {"order_lines": _orders()}, as_of=AS_OF)


def test_every_design_that_a_file_can_name_is_measured() -> None:
    assert set(EVALUATORS) == set(json_schema()["$defs"]["Claim"]["properties"]["design"]["discriminator"]["mapping"])
