"""The verdict rule: every state and every border, as the design's section 6 has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate
from opslib.stats.verdict_rule import guardrail_state_of, level_verdict_of, towards, verdict_of


@pytest.mark.parametrize(
    ("lower", "upper", "state"),
    [
        (-0.04, -0.01, "harmful"),
        (0.05, 0.09, "confirmed"),
        (0.02, 0.05, "supported"),
        (0.02, 0.049, "partly"),
        (0.01, 0.049, "refuted"),
        (-0.02, 0.03, "refuted"),
        (-0.02, 0.0, "refuted"),
        (0.01, 0.05, "inconclusive"),
        (-0.02, 0.09, "inconclusive"),
        (0.06, float("inf"), "confirmed"),
    ],
)
def test_states_of_a_claim(lower, upper, state):
    assert verdict_of((lower, upper), promise=0.05, smallest_worthwhile=0.01) == state


@pytest.mark.parametrize(
    ("lower", "upper", "state"), [(0.3, 0.4, "supported"), (0.2, 0.3, "inconclusive"), (0.2, 0.299, "refuted")]
)
def test_states_of_a_level(lower, upper, state):
    assert level_verdict_of((lower, upper), threshold=0.3) == state


@pytest.mark.parametrize(
    ("lower", "upper", "state"),
    [(-0.009, 0.1, "held"), (-0.01, 0.1, "unclear"), (-0.05, -0.01, "unclear"), (-0.05, -0.011, "broken")],
)
def test_states_of_a_guardrail(lower, upper, state):
    assert guardrail_state_of((lower, upper), margin=0.01) == state


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0.001, 1), st.floats(0, 1))
def test_a_truth_inside_the_interval_is_never_judged_wrongly(lower, width, promise, part):
    """If the interval holds the truth, a support means truth > m and a refutation means truth < promise."""
    upper, m = lower + width, part * promise
    state, truths = verdict_of((lower, upper), promise=promise, smallest_worthwhile=m), (lower, upper)
    if state in ("confirmed", "supported", "partly"):
        assert min(truths) >= m
    if state in ("partly", "refuted", "harmful"):
        assert max(truths) < promise


def test_a_wish_for_less_is_turned():
    fewer = Estimate(value=-3, lower=-5, upper=-1, n=9, unit="days", method="m")
    assert (towards(fewer, direction="down").lower, towards(fewer, direction="up").lower) == (1, -5)
    with pytest.raises(ParameterError, match="allowed: up, down"):
        towards(fewer, direction="less")


def test_nonsense_is_refused():
    for promise, m in ((0.0, 0.0), (-0.1, 0.0), (0.05, 0.06), (0.05, -0.01)):
        with pytest.raises(ParameterError, match="normalise the direction"):
            verdict_of((0, 1), promise=promise, smallest_worthwhile=m)
    for ends in ((1, 0), (float("nan"), 1)):
        with pytest.raises(ParameterError, match="in order"):
            level_verdict_of(ends, threshold=0)
    with pytest.raises(ParameterError, match="margin -1"):
        guardrail_state_of((0, 1), margin=-1)
