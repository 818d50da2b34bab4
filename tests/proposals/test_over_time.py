"""Before and after, and roll-outs, on planted series."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from opslib.periods import Coverage
from opslib.proposals.evaluate import evaluate_proposal
from opslib.proposals.results import ProposalResult
from opslib.proposals.schema import BeforeAfterDesign, Claim
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
    return frame.assign(
        order_id=key,
        line_id="1",
        customer_id=key,
        product_id="p",
        quantity=1.0,
        unit_price=10.0,
        status="paid",
        ordered_at=frame["ordered_at"] + pd.Timedelta(hours=12),
    )


def _judged(design: str, tables: dict[str, pd.DataFrame], *, promise: float, scope: str = "[]") -> ProposalResult:
    base: Claim = proposal(
        design=design, metric="orders", window=f"{{start: 2026-03-02, end: 2026-03-29}}\n    scope: {scope}"
    ).claims[0]
    claim = base.model_copy(update={"promise": promise})
    return evaluate_proposal(proposal().model_copy(update={"claims": (claim,)}), shop=shop(tables, as_of=AS_OF))


DE = "[{column: order_lines.country, op: eq, value: DE}]"
ALONE = "{kind: before_after, changed_on: 2026-03-02, history_days: 364}"
BESIDE = (
    "{kind: before_after, changed_on: 2026-03-02, history_days: 364, "
    "control_scope: [{column: order_lines.country, op: eq, value: FR}]}"
)


@pytest.mark.parametrize(
    ("effect", "promise", "state"), [(0.3, 0.15, "confirmed"), (-0.3, 0.1, "harmful"), (0.0, 0.2, "refuted")]
)
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
    assert (
        _judged(short, {"order_lines": _lines({"DE": 0.3})}, promise=0.1, scope=DE).label == "invalid (enough history)"
    )


def test_a_window_before_the_change_is_refused() -> None:
    late = "{kind: before_after, changed_on: 2026-03-09, history_days: 364}"
    result = _judged(late, {"order_lines": _lines({"DE": 0.3})}, promise=0.1, scope=DE)
    assert "the window starts before the change" in result.claims[0].page_sentence


def _rollout(effect: float, *, n: int = 12, n_treated: int = 6) -> dict[str, pd.DataFrame]:
    stores = {f"s{k}": effect if k < n_treated else 0.0 for k in range(n)}
    units = pd.DataFrame(
        {
            "rollout_id": "R1",
            "unit_id": list(stores),
            "unit": "store",
            "treated_from": [pd.Timestamp(CHANGED) if k < n_treated else pd.NaT for k in range(n)],
        }
    )
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


def _window(tables: dict[str, pd.DataFrame], window: str, *, design: str = ROLLOUT, **more: object) -> ProposalResult:
    given = proposal(design=design, metric="orders", window=window, promise="0.15")
    return evaluate_proposal(given, shop=shop(tables, as_of=AS_OF, **more))


def test_weeks_between_the_start_and_the_window_do_not_count() -> None:
    # The stores doubled in the first two weeks only; the window looks at the next two, in which nothing is left.
    tables = _rollout(0.0)
    lines = tables["order_lines"]
    early = lines[
        lines["store"].isin([f"s{k}" for k in range(6)])
        & (lines["ordered_at"] >= pd.Timestamp(CHANGED))
        & (lines["ordered_at"] < pd.Timestamp("2026-03-16"))
    ]
    again = early.assign(order_id="again " + early["order_id"], customer_id="again " + early["customer_id"])
    tables["order_lines"] = pd.concat([lines, again], ignore_index=True)
    late = _window(tables, "{start: 2026-03-16, end: 2026-03-29}").claims[0].measured.effect
    whole = _window(tables, "{start: 2026-03-02, end: 2026-03-29}").claims[0].measured.effect
    assert whole.lower > 0.3, "the trap must be there"  # type: ignore[union-attr]
    assert late.lower < 0 < late.upper  # type: ignore[union-attr]


def test_a_week_with_lost_days_is_no_loss_of_orders() -> None:
    # Absolute scale, stores of different sizes: two lost days in the last week would take 2/7 of it from everybody, and
    # more orders from the larger treated stores.
    stores = {f"s{k}": 0.0 for k in range(12)}
    small, large = (dict.fromkeys(list(stores)[side], 0.0) for side in (slice(6, 12), slice(0, 6)))
    lines = pd.concat([_lines(small, per_day=10, seed=3), _lines(large, per_day=90, seed=4)], ignore_index=True)
    lines = lines.assign(order_id=lines.index.astype(str), customer_id=lines.index.astype(str))
    lost = frozenset(date(2026, 3, day) for day in (24, 25))
    lines = lines[~lines["ordered_at"].dt.date.isin(lost)]
    tables = {"order_lines": lines, "rollouts": _rollout(0.0)["rollouts"]}
    claim = proposal(design=ROLLOUT, metric="orders", window="{start: 2026-03-02, end: 2026-03-29}").claims[0]
    claim = claim.model_copy(update={"scale": "absolute", "promise": 30.0})
    given = proposal().model_copy(update={"claims": (claim,)})
    seen = Coverage(FIRST, AS_OF, lost)
    effect = evaluate_proposal(given, shop=shop(tables, as_of=AS_OF, coverage=seen)).claims[0].measured.effect
    # A large store sells 630 a week. Counted as a loss the effect would be (630 - 70) x 2/7 / 4 = -40.
    assert abs(effect.value) < 15  # type: ignore[union-attr]
    assert effect.lower < 0 < effect.upper  # type: ignore[union-attr]


def test_a_partly_treated_week_is_neither_before_nor_after() -> None:
    # Two cohorts; the second starts on a Saturday, and its effect is huge, so that one day of it in the weeks before shows.
    tables = _rollout(0.0)
    units = tables["rollouts"]
    units.loc[3:5, "treated_from"] = pd.Timestamp("2026-03-14")
    lines = tables["order_lines"]
    begun = lines["store"].map(units.set_index("unit_id")["treated_from"])
    more = lines[lines["ordered_at"] >= begun]
    copies = [
        more.assign(order_id=f"{k} " + more["order_id"], customer_id=f"{k} " + more["customer_id"]) for k in range(19)
    ]
    tables["order_lines"] = pd.concat([lines, *copies], ignore_index=True)
    short = "{kind: rollout, rollout: R1, history_days: 28}"
    effect = _window(tables, "{start: 2026-03-02, end: 2026-03-29}", design=short).claims[0].measured.effect
    # Twenty times as many orders: +1,900 %. With the Saturday's week counted as before it is near +1,000 % for half.
    assert effect.value == pytest.approx(19, rel=0.05)  # type: ignore[union-attr]


SYNTHETIC = "{kind: rollout, rollout: R1, history_days: 112, method: synthetic_did}"


def test_the_method_that_was_asked_for_is_run_on_both_scales() -> None:
    measured = _window(_rollout(0.4, n=24), "{start: 2026-03-02, end: 2026-03-29}", design=SYNTHETIC).claims[0].measured
    assert "synthetic" in measured.effect.method  # type: ignore[union-attr]
    assert measured.effect.lower < 0.4 < measured.effect.upper  # type: ignore[union-attr]
    assert measured.effect.width < 0.4  # type: ignore[union-attr]
    tables = _rollout(0.4, n=24)
    tables["rollouts"].loc[:2, "treated_from"] = pd.Timestamp("2026-03-16")
    staggered = _window(tables, "{start: 2026-03-02, end: 2026-03-29}", design=SYNTHETIC)
    assert staggered.label == "invalid (measurable)"
    assert "start in 2 different periods" in staggered.claims[0].page_sentence


def test_a_synthetic_comparison_that_does_not_follow_is_a_warning() -> None:
    # The treated stores swing over the weeks before as no other store does.
    tables = _rollout(0.0, n=24)
    lines = tables["order_lines"]
    week = (lines["ordered_at"] - pd.Timestamp(FIRST)).dt.days // 7
    swinging = lines[
        lines["store"].isin([f"s{k}" for k in range(6)])
        & (week % 8 < 4)
        & (lines["ordered_at"] < pd.Timestamp(CHANGED))
    ]
    again = swinging.assign(order_id="again " + swinging["order_id"], customer_id="again " + swinging["customer_id"])
    tables["order_lines"] = pd.concat([lines, again], ignore_index=True)
    claim = _window(tables, "{start: 2026-03-02, end: 2026-03-29}", design=SYNTHETIC).claims[0]
    assert any("does not follow" in gate.sentence for gate in claim.measured.gates)


def _seasonal(years: int) -> pd.DataFrame:
    """Sales that are four times as high each March as in September, with a change that does nothing."""
    rng = np.random.default_rng(8)
    days = pd.date_range(date(2026 - years, 3, 2), "2026-03-29")
    level = 60 * np.exp(0.7 * np.cos(2 * np.pi * (days.day_of_year.to_numpy() - 74) / 365.25))
    counts = rng.poisson(level)
    frame = pd.DataFrame({"ordered_at": np.repeat(days, counts) + pd.Timedelta(hours=12)})
    key = frame.index.astype(str)
    return frame.assign(
        order_id=key, line_id="1", customer_id=key, product_id="p", quantity=1.0, unit_price=10.0, status="paid"
    )


@pytest.mark.parametrize("has_coverage", [True, False])
def test_two_years_are_read_unless_less_is_asked_for(has_coverage: bool) -> None:
    assert BeforeAfterDesign(kind="before_after", changed_on=CHANGED).history_days == 728
    design = "{kind: before_after, changed_on: 2026-03-02}"

    def judged(years: int) -> ProposalResult:
        seen = Coverage(date(2026 - years, 3, 2), date(2026, 3, 29), frozenset()) if has_coverage else None
        return _window(
            {"order_lines": _seasonal(years)}, "{start: 2026-03-02, end: 2026-03-29}", design=design, coverage=seen
        )

    long, short = judged(2), judged(1)
    assert short.label == "invalid (enough history)", "the season is a broken level where it cannot be taken out"
    assert "no season" not in " ".join(gate.sentence for gate in long.claims[0].measured.gates)
    effect = long.claims[0].measured.effect
    assert effect.lower < 0 < effect.upper  # type: ignore[union-attr]
    assert effect.width < 0.3  # type: ignore[union-attr]
