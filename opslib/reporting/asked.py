"""Dependencies of a page as fingerprints: it is made again when, and only when, one of them has changed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from opslib.casework.files import LEDGER
from opslib.contracts import CONTRACTS
from opslib.errors import ParameterError
from opslib.reporting.harvest import statements
from opslib.reporting.manifest import digest, sha256
from opslib.shop.opening import Shop
from opslib.shop.root import project_root, proposals_of

#: Kind and name of something that a page reads -> its fingerprint; None: it has none.
Resolver = Callable[[str, str], str | None]
ABSENT = "absent"
#: What a page is taken to have read that never came to say it.
EVERYTHING = (("settings", ""), ("days", ""), *(("table", name) for name in CONTRACTS))
#: More changed tables than these are not named.
_FEW_TABLES = 3
_WORDS = {
    "table": "the table {name} changed",
    "proposals": "the proposals changed",
    "ledger": "the ledger changed",
    "model": "the model {name} changed",
    "settings": "the shop's settings changed",
    "days": "the days seen changed",
    "page": "the findings of {name} changed",
}


def resolver(shop: Shop) -> Resolver:
    """Fingerprints of what pages of a shop may ask for, each worked out once.

    Parameters
    ----------
    shop : Shop
        An open shop.

    Returns
    -------
    callable
        Kind and name to fingerprint: "absent" for what is not there, None for what cannot be told.
    """
    folder = proposals_of(shop.name)
    settings = {name: getattr(shop, name) for name in ("title", "currency", "time_zone", "week_start", "settings")}
    answers: dict[str, Callable[[str], str | None]] = {
        "table": lambda name: shop.fingerprints.get(name) if name in shop.tables else ABSENT,
        "proposals": lambda name: _files(path for path in folder.glob("*.y*ml")),
        "ledger": lambda name: _files([folder / LEDGER]),
        "model": lambda name: _files([project_root() / name]),
        "settings": lambda name: digest({key: str(value) for key, value in settings.items()}),
        "days": lambda name: digest(shop.days.astype(str).to_dict("list")),
    }
    return cache(lambda kind, name: answers[kind](name))


def _files(paths: Iterator[Path] | Sequence[Path]) -> str:
    there = sorted(path for path in paths if path.is_file())
    return digest([[path.name, sha256(path.read_bytes())] for path in there]) if there else ABSENT


def differences(before: Mapping[str, str | None], resolve: Resolver) -> str:
    """What of it is another now, in words; '' where all is as it was.

    Parameters
    ----------
    before : mapping of str to str or None
        ``kind:name`` to the fingerprint that it had.
    resolve : callable
        Kind and name to the fingerprint of now.

    Returns
    -------
    str

    Examples
    --------
    >>> differences({"table:returns": "a", "proposals:demo": "b"}, lambda kind, name: "a")
    'the proposals changed'
    """
    now = fingerprints((tuple(place.split(":", 1)) for place in before), resolve)  # type: ignore[misc]
    if None in now.values():
        return "its data carry no fingerprint"
    changed = [place.partition(":") for place in before if now[place] != before[place]]
    if sum(kind == "table" for kind, _, _ in changed) > _FEW_TABLES:
        return "the data changed"
    return "; ".join(_WORDS[kind].format(name=name) for kind, _, name in changed)


def fingerprints(
    asked: Iterator[tuple[str, str]] | Sequence[tuple[str, str]], resolve: Resolver
) -> dict[str, str | None]:
    """Fingerprint of everything that was asked for, by ``kind:name``."""
    return {f"{kind}:{name}": resolve(kind, name) for kind, name in asked}


def pages_read(notebook: Mapping[str, Any]) -> set[str]:
    """Pages whose findings a notebook reads: names written out in calls of ``page.findings``.

    Parameters
    ----------
    notebook : mapping
        nbformat 4.

    Returns
    -------
    set of str

    Examples
    --------
    >>> cell = {"cell_type": "code", "source": "moved = page.findings('70_statistics')"}
    >>> pages_read({"cells": [cell]})
    {'70_statistics'}
    """
    found = set()
    for node in (node for statement in statements(notebook) for node in ast.walk(statement)):
        match node:
            case ast.Call(func=ast.Attribute(attr="findings"), args=[ast.Constant(value=name)]):
                found.add(str(name))
    return found


def rounds(contents: Mapping[str, Any]) -> list[list[str]]:
    """Notebooks in the order in which they must run, those that do not wait for each other together.

    Parameters
    ----------
    contents : mapping of str to notebook
        By name.

    Returns
    -------
    list of list of str

    Raises
    ------
    ParameterError
        If notebooks read each other in a circle.

    Examples
    --------
    >>> reads = lambda name: {"cells": [{"cell_type": "code", "source": f"page.findings('{name}')"}]}
    >>> rounds({"80_b": reads("70_a"), "70_a": {"cells": []}, "91_c": reads("80_b")})
    [['70_a'], ['80_b'], ['91_c']]
    """
    order = TopologicalSorter({name: pages_read(content) & set(contents) for name, content in contents.items()})
    try:
        order.prepare()
    except CycleError as error:
        circle = " reads ".join(error.args[1][::-1])
        raise ParameterError(f"pages read each other in a circle: {circle}; take one page.findings call out") from None
    made = []
    while order.is_active():
        ready = set(order.get_ready())
        made.append([name for name in contents if name in ready])
        order.done(*ready)
    return made
