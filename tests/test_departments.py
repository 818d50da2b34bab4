"""The one list of departments: names, aliases, what a shop adds, and what nobody knows."""

from __future__ import annotations

import re

import pytest

from opslib.casework.files import load_proposals
from opslib.casework.judge import with_departments
from opslib.classification.classes import TREATMENTS
from opslib.departments import ALIASES, DEPARTMENTS, department, department_or_own
from opslib.errors import ParameterError, ProposalError
from opslib.proposals.evaluate import definitions_of
from opslib.segmentation import SEGMENTS
from opslib.segmentation.life_stage import STAGES
from opslib.simulate.phrasing import DEPARTMENTS as SIMULATED
from tests.conftest import ROOT


def test_a_name_an_alias_and_the_shops_own_are_one_name_each() -> None:
    assert department(" customer SERVICE ") == department("Customer relations") == "Customer service"
    assert department("legal", own=["Legal"]) == "Legal"
    assert department("pricing", own=["Pricing"]) == "Pricing"  # a shop that has such a department means it


def test_what_nobody_knows_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"no department 'Markting': did you mean 'Marketing'\?"):
        department("Markting")
    assert department_or_own("Legal") == "Legal"


def test_every_alias_leads_to_a_name_and_hides_none() -> None:
    assert set(ALIASES.values()) <= set(DEPARTMENTS)
    assert not set(ALIASES) & {name.casefold() for name in DEPARTMENTS}
    assert all(alias == alias.casefold() for alias in ALIASES)


def test_segments_stages_and_treatments_name_departments_of_the_list() -> None:
    named = {segment.department for segment in SEGMENTS} | {who for _, who in STAGES.values()}
    named |= {treatment.department for treatment in TREATMENTS.values()}
    assert named <= set(DEPARTMENTS)


def test_every_department_that_a_sentence_names_is_of_the_list_and_has_capacity_in_the_demo() -> None:
    pattern = re.compile(r'\bdepartment"?[=:] ?"([^"]+)"|\bdepartment=\w+ if .* else "([^"]+)"')
    folder = ROOT / "opslib" / "findings"
    named = {
        name for path in folder.glob("*.py") for pair in pattern.findall(path.read_text()) for name in pair if name
    }
    assert {"Buying", "Marketing", "Data", "Management"} <= named
    assert named <= set(DEPARTMENTS)
    rows = {segment.department for segment in SEGMENTS} | {treatment.department for treatment in TREATMENTS.values()}
    assert named | rows <= set(SIMULATED)


def test_all_proposals_of_the_demo_name_departments() -> None:
    known = load_proposals(ROOT / "data" / "proposals" / "demo")
    for proposal in known.values():
        read = with_departments(proposal)
        named = {effort.department for effort in read.affected} | {c.department for c in read.consultations}
        assert named <= set(SIMULATED)
        assert definitions_of(read) == definitions_of(proposal)
        assert read.claims == proposal.claims


def test_a_proposal_of_an_unknown_department_is_refused_with_the_nearest_unless_the_shop_has_it() -> None:
    (proposal, *_) = load_proposals(ROOT / "data" / "proposals" / "demo").values()
    wrong = proposal.model_copy(update={"owner": "Markting"})
    with pytest.raises(ProposalError, match=r"no department 'Markting': did you mean 'Marketing'\?"):
        with_departments(wrong)
    assert with_departments(wrong, own=["Markting"]).owner == "Markting"
