"""Before and after, and roll-outs, on planted series."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from opslib.proposals.evaluate import evaluate_proposal
from opslib.proposals.model import Claim
from opslib.proposals.results import ProposalResult
from tests.proposals.planted import proposal, shop

FIRST, CHANGED = date(2025, 3, 3), date(2026, 3, 2)
AS_OF = date(2026, 5, 1)


def _lines(countries: dict[str, float], *, per_day: float = 60.0, seed: int = 1) -> pd.DataFrame:
    """Orders a day per country, times 1 + effect from the change on."""
    rng = np.random.default_rng(seed)
    days = pd.date_range(FIRST, "2026-03-29")
    rows = []
    for country, effect in countries.items():
        level = per_day * np.where(days >= pd.Timestamp(CHANGED), 1 + effect, 1.0)
        counts = rng.poisson(level * rng.lognormal(0, 0.03, len(days)))
        rows.append(pd.DataFrame({"ordered_at": np.repeat(days, counts), "country": country, "store": country}))
    frame = pd.concat(rows, ignore_index=True)
    key = frame.index.astype(str)
    return frame.assign(order_id=key, line_id="1", customer_id=key, product_id="p", quantity=1.0, unit_price=10.0,
                        status="paid", ordered_at=frame["ordered_at"] + pd.Timedelta(hours=12))


def _judged(design: str, tables: dict[str, pd.DataFrame], *, promise: float, scope: str = "[]") -> ProposalResult:
    base: Claim = proposal(design=design, metric="orders", window=f"{{start: 2026-03-02, end: 2026-03-29}}\n    scope: {scope}"
                           ).claims[0]
    claim = base.model_copy(update={"promise": promise})
    return evaluate_proposal(proposal().model_copy(update={"claims": (claim,)}), shop=shop(tables, as_of=AS_OF))


DE = "[{column: order_lines.country, op: eq, value: DE}]"
ALONE = "{kind: before_after, changed_on: 2026-03-02, history_days: 364}"
BESIDE = ("{kind: before_after, changed_on: 2026-03-02, history_days: 364, "
          "control_scope: [{column: order_lines.country, op: eq, value: FR}]}")


@pytest.mark.parametrize(("effect", "promise", "state"), [(0.3, 0.15, "confirmed"), (-0.3, 0.1, "harmful"), (0.0, 0.2, "refuted")])
def test_before_and_after_beside_a_control_series(effect: float, promise: float, state: str) -> None:
    result = _judged(BESIDE, {"order_lines": _lines({"DE": effect, "FR": 0.0})}, promise=promise, scope=DE)
    measured = result.claims[0].measured
    assert result.state == state
    assert measured.effect.lower < effect < measured.effect.upper  # type: ignore[union-attr]
    assert measured.has_control


def test_without_a_control_series_it_is_an_association() -> None:
    result = _judged(ALONE, {"order_lines": _lines({"DE": 0.3})}, promise=0.15, scope=DE)
    assert result.label == "inconclusive (association only)"
    assert result.grade == "Very low"


def test_too_little_history_is_a_failed_gate() -> None:
    short = "{kind: before_after, changed_on: 2026-03-02, history_days: 60}"
    assert _judged(short, {"order_lines": _lines({"DE": 0.3})}, promise=0.1, scope=DE).label == "invalid (enough history)"


def test_a_window_before_the_change_is_refused() -> None:
    late = "{kind: before_after, changed_on: 2026-03-09, history_days: 364}"
    result = _judged(late, {"order_lines": _lines({"DE": 0.3})}, promise=0.1, scope=DE)
    assert "the window starts before the change" in result.claims[0].page_sentence


def _rollout(effect: float, *, n: int = 12) -> dict[str, pd.DataFrame]:
    stores = {f"s{k}": effect if k < n // 2 else 0.0 for k in range(n)}
    units = pd.DataFrame({"rollout_id": "R1", "unit_id": list(stores), "unit": "store",
                          "treated_from": [pd.Timestamp(CHANGED) if k < n // 2 else pd.NaT for k in range(n)]})
    return {"order_lines": _lines(stores, per_day=40, seed=2), "rollouts": units}


ROLLOUT = "{kind: rollout, rollout: R1, history_days: 112}"


@pytest.mark.parametrize(("effect", "promise", "state"), [(0.4, 0.15, "confirmed"), (0.0, 0.3, "refuted")])
def test_a_rollout_against_stores_without_it(effect: float, promise: float, state: str) -> None:
    result = _judged(ROLLOUT, _rollout(effect), promise=promise)
    measured = result.claims[0].measured
    assert result.state == state
    assert (measured.n_control, measured.n_treated) == (6, 6)
    assert measured.effect.lower < effect < measured.effect.upper  # type: ignore[union-attr]
    assert result.grade in ("Low", "Very low")


def test_a_rollout_to_everybody_has_nothing_to_compare_with() -> None:
    tables = _rollout(0.3)
    tables["rollouts"]["treated_from"] = pd.Timestamp(CHANGED)
    result = _judged(ROLLOUT, tables, promise=0.1)
    assert result.label == "invalid (measurable)"
    assert "some treated and some never treated" in result.claims[0].page_sentence


