"""What a proposal's file may say: strictness, named errors, round trips."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import ProposalError
from opslib.proposals.parsing import json_schema, parse_proposal, proposal_yaml
from opslib.proposals.schema import Anytime, GroupSequential, Proposal, Window
from opslib.proposals.scope import ScopeFilter
from tests.proposals.planted import TEMPLATE, proposal

DESIGN = "{kind: experiment, experiment: E1, control: a, treatment: b, randomised: visitor}"


def _refused(old: str, new: str) -> str:
    assert old in TEMPLATE, "the test must change the template"
    with pytest.raises(ProposalError) as caught:
        parse_proposal(TEMPLATE.replace(old, new), source="p.yml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("owner: Web", "ownr: Web", "p.yml: ownr: no such field; did you mean 'owner'?"),
        ("owner: Web", "other: Web", "p.yml: owner: is missing"),
        (
            "kind: experiment",
            "kind: experimnt",
            "claims[0].design: 'experimnt' is not allowed; did you mean 'experiment'?",
        ),
        ("randomised: visitor", "randomised: visitr", "claims[0].design.randomised: 'visitr' is not allowed"),
        ("promise: 0.1", "promise: ten", "claims[0].promise: 'ten': Input should be a valid number"),
        ("promise: 0.1", "promise: -0.1", "claims[0].promise: '-0.1': Input should be greater than 0"),
        ("promise: 0.1", "promise: .nan", "claims[0].promise: 'nan'"),
        ("promise: 0.1", "promise: 0.1\n    m: 0.2", "smallest_worthwhile 0.2 is larger than the promise 0.1"),
        ("treatment: b", "treatment: a", "control and treatment are both 'a'"),
        (
            DESIGN,
            "{kind: cluster_experiment, experiment: E1, control: a, treatment: a, randomised: store}",
            "are both 'a'",
        ),
        (DESIGN, "{kind: comparison, group: sessions.device, control: a, treatment: a}", "are both 'a'"),
        (
            "treatment: b",
            "treatment: b, experment: x",
            "claims[0].design.experment: no such field; did you mean 'experiment'?",
        ),
        ("end: 2026-03-29", "end: 2026-02-01", "the end 2026-02-01 is before the start 2026-03-02"),
        ("deadline: 2026-06-30", "deadline: 2026-01-01", "the deadline 2026-01-01 is before the start"),
        ("owner: Web", "owner: NO", "owner: 'False': Input should be a valid string"),
        ("id: P-001", "id: P-001\nid: P-002", "key 'id' is written twice"),
        ("id: P-001", "id: ../x", "id: '../x'"),
    ],
)
def test_errors_name_file_field_value_and_what_is_allowed(old: str, new: str, said: str) -> None:
    assert said in _refused(old, new)


def test_one_fault_is_one_line() -> None:
    assert len(_refused("promise: 0.1", "promise: ten").splitlines()) == 1


def test_yaml_tags_that_build_objects_are_refused() -> None:
    assert "not YAML" in _refused("title: Free delivery from 40", "title: !!python/object/apply:os.getcwd []")


def test_a_document_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(ProposalError, match="a proposal is a mapping of fields; found list"):
        parse_proposal("- 1", source="p.yml")


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"column": "sessions.devic", "value": "phone"}, "did you mean 'device'"),
        ({"column": "session.device", "value": "phone"}, "no table 'session'"),
        ({"column": "sessions.device", "value": 3}, "holds string, not 3"),
        ({"column": "order_lines.quantity", "value": "many"}, "holds quantity, not 'many'"),
        ({"column": "order_lines.quantity", "value": True}, "holds quantity, not True"),
        ({"column": "sessions.device", "op": "in", "value": "phone"}, "op 'in' needs a list"),
        ({"column": "sessions.device", "op": "eq", "value": ["phone"]}, "op 'eq' needs one value"),
        ({"column": "order_lines.quantity", "op": "between", "value": [1, 2, 3]}, "needs a list of two values"),
    ],
)
def test_filters_are_typed_by_the_contracts(given_: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ScopeFilter(**given_)


def test_planned_looks_end_with_the_window() -> None:
    looks = "promise: 0.1\n    stopping: {kind: group_sequential, looks: [2026-03-15, 2026-03-28]}"
    assert "the last one is the window's end" in _refused("promise: 0.1", looks)
    with pytest.raises(ValueError, match="different dates in order"):
        GroupSequential(looks=(date(2026, 3, 2), date(2026, 3, 1)))


def test_only_experiments_may_be_looked_at_early() -> None:
    level = TEMPLATE.replace(
        "{kind: experiment, experiment: E1, control: a, treatment: b, randomised: visitor}",
        "{kind: level}\n    stopping: {kind: anytime, tuned_n: 500}",
    )
    with pytest.raises(ProposalError, match="stopping 'anytime' needs the design experiment, not level"):
        parse_proposal(level, source="p.yml")


def test_the_same_claim_id_twice_is_refused() -> None:
    claim = TEMPLATE.split("claims:\n")[1]
    with pytest.raises(ProposalError, match="claim id 'c1' is used twice"):
        parse_proposal(TEMPLATE + claim.lstrip("\n"), source="p.yml")


def test_an_objection_needs_its_reason() -> None:
    text = TEMPLATE + "consultations:\n  - {department: Web, person: A, date: 2026-02-01, answer: object}\n"
    with pytest.raises(ProposalError, match="answer 'object' needs a note"):
        parse_proposal(text, source="p.yml")


def test_the_schema_accepts_what_the_model_accepts() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"id", "title", "need", "owner", "start", "claims"}
    assert set(yaml.safe_load(TEMPLATE)) <= set(schema["properties"])


_SHARES = st.floats(0, 1, allow_nan=False)
_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    promise=st.floats(1e-6, 10),
    least=_SHARES,
    title=_NAMES,
    probability=st.none() | _SHARES,
    scope=st.lists(
        st.sampled_from(
            [
                ScopeFilter(column="sessions.device", op="in", value=("phone", "desktop")),
                ScopeFilter(column="order_lines.quantity", op="between", value=(1, 5.5)),
                ScopeFilter(column="customers.first_seen_at", op="ge", value=date(2026, 1, 1)),
            ]
        ),
        max_size=3,
    ),
    stopping=st.sampled_from(
        [
            Anytime(tuned_n=500),
            GroupSequential(looks=(date(2026, 3, 15), date(2026, 3, 29))),
        ]
    ),
    days=st.integers(0, 400),
)
def test_a_proposal_reads_back_as_it_was_written(
    promise: float,
    least: float,
    title: str,
    probability: float | None,
    scope: list[ScopeFilter],
    stopping: object,
    days: int,
) -> None:
    base = proposal()
    claim = base.claims[0].model_copy(
        update={
            "promise": promise,
            "m": least * promise,
            "scope": tuple(scope),
            "stopping": stopping,
            "window": Window(start=date(2026, 3, 2), end=date(2026, 3, 29)),
        }
    )
    whole = base.model_copy(
        update={"title": title, "claims": (claim,), "stated_probability": probability, "horizon_days": days + 1}
    )
    assert parse_proposal(proposal_yaml(whole), source="p.yml") == whole
    assert Proposal.model_validate_json(whole.model_dump_json()) == whole
