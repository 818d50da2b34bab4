"""Counts without and with a change by a second road: pandas on the planted tables."""

from __future__ import annotations

import pandas as pd
import pytest

from opslib.proposals.evaluate import evaluate_proposal, plans_of
from opslib.proposals.sides import Sides, sides_of
from tests.proposals.planted import proposal, shop, visitor_test
from tests.proposals.test_over_time import AS_OF, ROLLOUT, _rollout


def _sides(tables: dict[str, pd.DataFrame], **given: str) -> tuple[Sides, object]:
    written, data = proposal(**given), shop(tables)
    result = evaluate_proposal(written, shop=data)
    plan = plans_of(written)["c1"]
    return sides_of(plan, result.claims[0], data.context, currency="GBP"), result.claims[0]


def _bought(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    arms = tables["experiments"]
    buyers = tables["order_lines"]["customer_id"]
    arms = arms.assign(bought=arms["unit_id"].radd("c").isin(buyers))
    return arms.groupby("variant")["bought"].agg(["size", "sum", "mean"])


def test_visitors_buyers_and_rates_of_both_sides() -> None:
    tables = visitor_test(lift=0.3)
    sides, _ = _sides(tables)
    counted = _bought(tables)
    rows = sides.rows.set_index("side")
    for side, arm in (("without the change", "a"), ("with the change", "b")):
        assert rows.loc[side, "n"] == f"{counted.loc[arm, 'size']:,}"
        assert rows.loc[side, "top"] == f"{counted.loc[arm, 'sum']:,}"
        assert rows.loc[side, "value"] == f"{100 * counted.loc[arm, 'mean']:.1f}\xa0%"
    difference = 100 * (counted.loc["b", "mean"] - counted.loc["a", "mean"])
    assert rows.loc["difference", "value"].startswith(f"+{difference:.1f}\xa0points (")
    assert sides.title == "Without and with the change, 2 Mar-29 Mar 2026"
    assert sides.heads["n"] == "Visitors"


def test_the_curve_ends_at_the_result_and_begins_at_the_first_days() -> None:
    tables = visitor_test(lift=0.3, loss=0.0)
    sides, _ = _sides(tables)
    counted = _bought(tables)
    last = sides.curve.iloc[-1]
    assert last["value"] == pytest.approx(counted.loc["b", "mean"] - counted.loc["a", "mean"], rel=1e-9)
    early = tables["experiments"][
        tables["experiments"]["assigned_at"] < sides.curve["day"].iloc[0] + pd.Timedelta(days=1)
    ]
    cut = {**tables, "experiments": early}
    counted = _bought(cut)
    assert sides.curve.iloc[0]["value"] == pytest.approx(counted.loc["b", "mean"] - counted.loc["a", "mean"], rel=1e-9)
    assert sides.curve["day"].is_monotonic_increasing
    width = sides.curve["value_upper"] - sides.curve["value_lower"]
    assert width.iloc[-1] < width.iloc[0]


def test_a_split_that_changed_is_said_and_its_rates_are_those_of_the_effect() -> None:
    tables = visitor_test(lift=0.0, ramp=((0, 0.1), (14, 0.5)), drift=1.0)
    sides, _ = _sides(tables)
    assert "split changed" in sides.notes[0]
    pooled = _bought(tables)["mean"]
    rows = sides.rows.set_index("side")
    # The trap: pooled rates differ although nothing was done; the rates shown do not.
    assert pooled["b"] / pooled["a"] > 1.05
    shown = [float(rows.loc[side, "value"].split("\xa0")[0]) for side in ("without the change", "with the change")]
    assert shown[1] / shown[0] == pytest.approx(1, abs=0.06)


def test_a_level_has_one_row_and_no_sides() -> None:
    tables = visitor_test(lift=0.0)
    sides, _ = _sides(tables, design="{kind: level}", promise="0.05", metric="conversion")
    assert sides.rows["side"].tolist() == ["all"]
    counted = _bought(tables)
    assert sides.rows["n"].tolist() == [f"{counted['size'].sum():,}"]
    assert sides.rows["top"].tolist() == [f"{counted['sum'].sum():,}"]
    assert sides.curve.empty


def test_nothing_measured_nothing_counted() -> None:
    sides, claim = _sides(visitor_test(loss=0.2))
    assert claim.state == "invalid"  # type: ignore[attr-defined]
    assert sides.rows.empty
    assert sides.curve.empty


def test_a_rollout_says_how_its_difference_is_computed() -> None:
    written = proposal(design=ROLLOUT, metric="orders", window="{start: 2026-03-02, end: 2026-03-29}\n    scope: []")
    data = shop(_rollout(0.3), as_of=AS_OF)
    (claim,) = evaluate_proposal(written, shop=data).claims
    assert claim.measured.effect is not None
    (note,) = sides_of(plans_of(written)["c1"], claim, data.context, currency="GBP").notes
    assert "the mean of the log ratios (after to before) of the single stores" in note
