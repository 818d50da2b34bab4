"""The one list of departments: names, aliases, what a shop adds, and what nobody knows."""

from __future__ import annotations

import pytest

from opslib.departments import ALIASES, DEPARTMENTS, department, department_or_own
from opslib.errors import ParameterError


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
