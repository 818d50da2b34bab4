"""The one list of departments, with their aliases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opslib.errors import ParameterError, nearest

DEPARTMENTS: tuple[str, ...] = (
    "Management", "Technology", "Design", "Content", "Marketing", "Sales", "Buying", "Product control", "Logistics",
    "Customer service", "Finance", "Data", "Stores",
)  # fmt: skip
"""Names that every shop knows; a shop may add its own (``departments:`` in its shop.yml)."""
ALIASES: Mapping[str, str] = {
    "board": "Management",
    "it": "Technology", "web": "Technology", "website": "Technology",
    "assortment": "Buying", "merchandising": "Buying", "planning": "Buying", "pricing": "Buying", "purchasing": "Buying",
    "warehouse": "Logistics",
    "customer relations": "Customer service", "service": "Customer service",
    "analytics": "Data", "data analysis": "Data",
}  # fmt: skip
"""Other names of the same departments, in small letters."""


def department(name: str, *, own: Iterable[str] = ()) -> str:
    """The one name of a department.

    Parameters
    ----------
    name : str
        Name or alias, in whatever case.
    own : iterable of str
        Names that the shop adds.

    Returns
    -------
    str

    Raises
    ------
    ParameterError
        Neither the list nor the shop knows it; the nearest name is said.

    Examples
    --------
    >>> department("customer relations"), department("legal", own=["Legal"])
    ('Customer service', 'Legal')
    """
    known = [*DEPARTMENTS, *own]
    found = _names(known).get(_plain(name))
    if found is None:
        raise ParameterError(f"no department '{name}': {nearest(name, known)}; shop.yml may add departments")
    return found


def department_or_own(name: str) -> str:
    """The one name of a department that the list has; any other name as it is, since a shop may have added it.

    Examples
    --------
    >>> department_or_own("Purchasing"), department_or_own("Legal")
    ('Buying', 'Legal')
    """
    return _names(DEPARTMENTS).get(_plain(name), name)


def _names(known: Iterable[str]) -> dict[str, str]:
    return {**ALIASES, **{_plain(item): item for item in known}}


def _plain(name: str) -> str:
    return name.strip().casefold()
