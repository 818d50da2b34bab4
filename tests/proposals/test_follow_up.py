"""Decisions, follow-ups and scores: a calibrated forecaster scores as one; replays never count."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from opslib.errors import ProposalError
from opslib.proposals.follow_up import (
    decision_payload,
    first_estimates,
    follow_up_payload,
    learned_base_rates,
    promises,
    scored_promises,
)
from opslib.proposals.ledger import Record, next_line, read_ledger
from opslib.stats.estimates import Estimate
from tests.proposals.test_desirability import WIDE, _desirable, _given, _result

AT = datetime(2026, 2, 1, 9, tzinfo=UTC)


def _decision(decision: str = "launch", reason: str = "as recommended", **fields: object) -> dict[str, object]:
    given = _given(stated_probability=0.8, replay=False, **fields)
    result = _result(0.15, 0.01, given=given)
    return decision_payload(
        given,
        result,
        _desirable(0.15, 0.01, given=given),
        person="Ana",
        decision=decision,
        reason=reason,
        follow_up_error=0.02,
    )


def _estimate(value: float, error: float = 0.02) -> Estimate:
    return Estimate(
        value=value,
        lower=value - 1.96 * error,
        upper=value + 1.96 * error,
        n=1,
        unit="relative",
        method="hold-out",
        std_error=error,
    )


def test_a_decision_keeps_the_prediction_with_its_noise() -> None:
    payload = _decision()
    assert payload["is_with_recommendation"] is True
    # Posterior of .15 +- .01 under a prior of sd .1: sd .00995; with the follow-up's .02 it is .02234.
    assert payload["predictive"]["sds"][0] == pytest.approx(np.hypot(0.02, 0.01 / np.sqrt(1.01)), rel=1e-6)  # type: ignore[index]
    json.dumps(payload, allow_nan=False)


def test_against_the_recommendation_needs_a_reason() -> None:
    with pytest.raises(ProposalError, match="goes against the recommendation 'launch'; say why"):
        _decision("reject", " ")
    assert _decision("reject", "the brand")["is_with_recommendation"] is False
    with pytest.raises(ProposalError, match="decision 'wait' is not one of launch"):
        _decision("wait", "x")


def test_an_inconclusive_follow_up_counts_with_its_probability() -> None:
    decision = _decision()
    clear = follow_up_payload(decision, _estimate(0.1), design="hold_out", prior=WIDE)
    open_ = follow_up_payload(decision, _estimate(0.0), design="hold_out", prior=WIDE)
    bad = follow_up_payload(decision, _estimate(-0.1), design="hold_out", prior=WIDE)
    assert (clear["p_worthwhile"], bad["p_worthwhile"]) == (1.0, 0.0)
    assert open_["p_worthwhile"] == pytest.approx(0.5)
    with pytest.raises(ProposalError, match="no standard error"):
        follow_up_payload(
            decision, Estimate(value=0, lower=0, upper=0, n=1, unit="x", method="m"), design="hold_out", prior=WIDE
        )


def _ledger(n: int, *, is_replay: bool = False, seed: int = 1) -> tuple[Record, ...]:
    """Decisions and follow-ups of a calibrated forecaster: predicted N(.02, .02), and so it comes."""
    rng, text = np.random.default_rng(seed), ""
    base = _decision()
    for i in range(n):
        decision = {
            **base,
            "predictive": {"weights": [1.0], "means": [0.02], "sds": [0.02]},
            "is_replay": is_replay,
            "owner": "Web" if i % 2 else "Stores",
        }
        found = follow_up_payload(
            decision, _estimate(float(rng.normal(0.02, 0.02)), 0.001), design="hold_out", prior=WIDE
        )
        for kind, payload in (("decision", decision), ("follow_up", found)):
            text += next_line(text, kind=kind, proposal=f"P-{i}", at=AT + timedelta(days=i), payload=payload)  # type: ignore[arg-type]
    return read_ledger(text)


def test_a_calibrated_forecaster_is_scored_as_one() -> None:
    (scores,) = scored_promises(_ledger(60))
    # Binomial(60, .9): below .77 or all has probability below .2 %.
    assert scores.n == 60
    assert 0.77 <= scores.coverage_share <= 1  # type: ignore[operator]
    # CRPS of a correct normal forecast is sd / sqrt(pi) = .0113 on average.
    assert scores.mean_crps == pytest.approx(0.02 / np.sqrt(np.pi), rel=0.3)
    assert scores.brier is not None


def test_fewer_than_ten_give_a_count_and_replays_none() -> None:
    (scores,) = scored_promises(_ledger(9))
    assert (scores.n, scores.coverage_share, scores.mean_crps, scores.brier) == (9, None, None, None)
    assert scored_promises(_ledger(12, is_replay=True)) == ()
    assert [(s.group, s.n) for s in scored_promises(_ledger(12), by="owner")] == [("Stores", 6), ("Technology", 6)]


def test_promises_stand_beside_what_came() -> None:
    frame = promises(_ledger(3))
    assert frame["proposal"].tolist() == ["P-0", "P-1", "P-2"]
    assert (frame["predicted_lower"] < frame["predicted"]).all()
    inside = frame["value"].between(frame["predicted_lower"], frame["predicted_upper"])
    assert frame["is_inside"].tolist() == inside.tolist()


def test_base_rates_are_learned_from_first_estimates_only() -> None:
    rng, text = np.random.default_rng(2), ""
    for i in range(40):
        for value in (float(rng.normal(0.03, np.hypot(0.02, 0.01))), 9.9):  # a second evaluation must not count
            row = {"claim": "c1", "design": "experiment", "value": value, "std_error": 0.01, "is_replay": i == 0}
            text += next_line(text, kind="evaluation", proposal=f"P-{i}", at=AT, payload={"first_estimates": [row]})
            if i == 0:
                break
    rates = learned_base_rates(read_ledger(text))
    # 39 draws: the mean's standard error is .0036, the spread's about .0025.
    assert rates["experiment"].mean == pytest.approx(0.03, abs=0.011)
    assert rates["experiment"].sd == pytest.approx(0.02, abs=0.008)
    assert learned_base_rates(read_ledger(text)[:9]) == {}


def test_first_estimates_are_relative() -> None:
    given = _given()
    (row,) = first_estimates(_result(0.05, 0.02, given=given))
    assert (row["value"], row["design"]) == (0.05, "experiment")
    assert row["std_error"] == pytest.approx(0.02)
    claim = given.claims[0].model_copy(update={"scale": "absolute"})
    absolute = _result(0.005, 0.002, given=given.model_copy(update={"claims": (claim,)}))
    assert first_estimates(absolute)[0]["value"] == pytest.approx(0.05)


def _followed(rows: list[dict[str, object]]) -> tuple[Record, ...]:
    """Follow-ups as the ledger holds them, one a row; the key proposal names the proposal."""
    text = ""
    for row in rows:
        payload = {key: value for key, value in row.items() if key != "proposal"}
        text += next_line(text, kind="follow_up", proposal=str(row["proposal"]), at=AT, payload=payload)
    return read_ledger(text)


def test_the_latest_follow_up_of_a_proposal_counts_alone() -> None:
    first, last = (
        follow_up_payload(_decision(), _estimate(value), design="hold_out", prior=WIDE) for value in (0.5, 0.14)
    )
    rows = [{**payload, "proposal": f"P-{i}"} for i in range(10) for payload in (first, last)]
    (scores,) = scored_promises(_followed(rows))
    # Predicted .15 +- .022: .14 is inside the band, .5 is not.
    assert (scores.n, scores.coverage_share) == (10, 1.0)


def test_every_figure_needs_ten_of_its_own() -> None:
    whole = follow_up_payload(_decision(), _estimate(0.14), design="hold_out", prior=WIDE)
    rows = [
        {
            **whole,
            "proposal": f"P-{i}",
            "predictive": whole["predictive"] if i < 10 else None,
            "stated_probability": 0.8 if i < 9 else None,
        }
        for i in range(12)
    ]
    (scores,) = scored_promises(_followed(rows))
    assert scores.n == 12
    assert (scores.coverage_share, scores.brier) == (1.0, None)
    rows = [{**row, "predictive": None, "stated_probability": 0.8} for row in rows]
    (scores,) = scored_promises(_followed(rows))
    assert (scores.coverage_share, scores.mean_crps) == (None, None)
    assert scores.brier is not None


def test_the_bias_of_a_before_and_after_follow_up_counts() -> None:
    # .06 +- .02 alone is above 0 beyond doubt; with a bias of .05 the error is .0539 and z is 1.1.
    sure = follow_up_payload(_decision(), _estimate(0.06), design="before_after", prior=WIDE)
    biased = follow_up_payload(_decision(), _estimate(0.06), design="before_after", prior=WIDE, bias_sd=0.05)
    assert sure["p_worthwhile"] == 1.0
    # Posterior under a prior of sd .1: mean .06 x .01/(.01 + .0029), sd .0539 x sqrt(.01/.0129): z 0.9798, P .8364.
    assert biased["p_worthwhile"] == pytest.approx(0.8364, abs=1e-3)
    assert biased["bias_sd"] == 0.05


def test_first_estimates_hold_the_error_that_shrinking_uses() -> None:
    given = _given()
    (row,) = first_estimates(_result(0.05, 0.03, given=given, bias_sd=0.04))
    assert row["std_error"] == pytest.approx(0.05)  # 3-4-5
