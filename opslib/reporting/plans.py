"""Plan of a run: which pages with which parameters, validated before anything runs."""

from __future__ import annotations

import ast
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from opslib.casework.agenda import AgendaItem
from opslib.errors import ParameterError, nearest
from opslib.reporting.asked import Resolver, resolver, rounds
from opslib.reporting.harvest import statements
from opslib.reporting.manifest import digest
from opslib.reporting.parameters import COMMON, Parameter, check_parameters, load_notebook, read_parameters
from opslib.shop.checks import known_violations
from opslib.shop.opening import Shop

BATCH_KEYS = ("shops", "notebooks", "start", "end", "parameters", "each")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPage:
    """One page to make."""

    name: str  # file name without .html
    notebook: Path  # absolute
    content: Any  # nbformat.NotebookNode, as committed
    parameters: Mapping[str, Any]  # checked, complete


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One shop's pages, and where they go."""

    shop: str
    out: Path  # absolute; the run goes to <folder>/<run>
    pages: tuple[PlannedPage, ...]
    fingerprint: str | None = None  # of the shop's data, for the manifest
    resolve: Resolver = lambda kind, name: None  # fingerprint of what a page asks for; None = always run again
    origin: Mapping[str, Any] = field(default_factory=dict)  # title, is_simulated, currency, time_zone, data_until
    timeout: float = 1800.0  # seconds a notebook
    n_workers: int = 1  # notebooks at a time
    is_code_shown: bool = False  # whether pages carry their code, folded
    is_partial: bool = False  # some notebooks were asked for: pages of the others are carried over where they hold
    promises: str = ""  # how good the promises were, for the index; '' where none was made
    where: str = ""  # rows that all of the report is about; '' for the whole shop
    standings: tuple[AgendaItem, ...] = ()  # the shop's proposals, for the index and the links

    @property
    def folder(self) -> Path:
        """Folder of its runs: a report about some rows has one of its own, and never takes the place of the shop's."""
        return self.out / (f"{self.shop}--{where_slug(self.where)}" if self.where else self.shop)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """What a batch file asks for: shops x notebooks x grid."""

    shops: tuple[str, ...]
    notebooks: tuple[str, ...]  # names or paths as written; empty = all
    start: str
    end: str
    parameters: Mapping[str, Any]
    each: Mapping[str, tuple[Any, ...]]


def plan_run(
    shop: str,
    notebooks: Sequence[Path],
    *,
    out: Path,
    parameters: Mapping[str, Any] | None = None,
    start: str | date = "",
    end: str | date = "",
    each: Mapping[str, Sequence[Any]] | None = None,
    standings: Sequence[AgendaItem] = (),
    **options: Any,
) -> RunPlan:
    """Settle a run: read every notebook's parameters, check every value, name every page.

    Parameters
    ----------
    shop : str
        Name of the shop.
    notebooks : sequence of Path
        Notebooks, in the order of the index.
    out : Path
        Folder of all reports.
    parameters : mapping, optional
        Values for the notebooks that declare them; each must be known to one notebook at least.
    start, end : str or date
        Period, ISO dates; '' leaves it to the shop.
    each : mapping of str to sequence, optional
        Grid: one page per combination. A key that is no parameter is a column, and filters by ``where``.
    standings : sequence of AgendaItem
        The shop's proposals: a page about one is named by its id and title.
    **options
        The other fields of `RunPlan`.

    Returns
    -------
    RunPlan
        Ready to run; nothing was executed.

    Raises
    ------
    ParameterError
        If a notebook is missing, a name is unknown or a value is not allowed.
    """
    given = {"shop": shop, "start": start, "end": end, **(parameters or {})}
    declared = {path: _declared(path) for path in notebooks}
    known = {name for _, names in declared.values() for name in names}
    unknown = [name for name in given if name not in known] if declared else []
    if unknown:
        raise ParameterError(f"no chosen notebook has a parameter '{unknown[0]}': {nearest(unknown[0], known)}")
    titled = {item.id: item for item in standings}
    pages = [
        _named(page, titled)
        for path, (content, names) in declared.items()
        for page in _pages(path, content, names, given=given, each=each or {})
    ]
    _check_names(shop, [page.name for page in pages])
    rounds({path.stem: content for path, (content, _) in declared.items()})  # refuses a circle before anything runs
    options.setdefault("n_workers", max(1, min(len(pages), os.cpu_count() or 1)))
    return RunPlan(
        shop=shop, out=out.resolve(), pages=tuple(pages), where=str(given.get("where", "")).strip(),
        standings=tuple(standings), **options,
    )  # fmt: skip


def shop_facts(shop: Shop) -> dict[str, Any]:
    """What a plan needs to know of a shop.

    Parameters
    ----------
    shop : Shop
        An open shop.

    Returns
    -------
    dict
        Fields of `RunPlan`: origin (what every page says about the shop, also one whose notebook never got to say it),
        fingerprint, resolve.
    """
    if shop.staged is not None:
        known_violations(shop)  # every page says what they are: once here, and not in every worker
    origin = {name: getattr(shop, name) for name in ("title", "is_simulated", "currency", "time_zone")}
    return {"origin": origin, "fingerprint": shop.fingerprint, "resolve": resolver(shop)}


def page_of_proposal(proposal_id: str, title: str) -> str:
    """Name of a proposal's page, of its id and title.

    Examples
    --------
    >>> page_of_proposal("D-05", "Countdown banner in the checkout")
    'D-05-countdown-banner-in-the-checkout'
    """
    return "-".join(filter(None, [re.sub(r"[^\w-]+", "-", proposal_id), _slug(title)[:60].strip("-")]))


def _named(page: PlannedPage, titled: Mapping[str, AgendaItem]) -> PlannedPage:
    item = titled.get(str(page.parameters.get("proposal", "")))
    return replace(page, name=page_of_proposal(item.id, item.title)) if item else page


def where_slug(where: str) -> str:
    """Conditions as part of a folder's name: other conditions give another.

    Examples
    --------
    >>> where_slug("country = Germany"), where_slug("country != Germany")
    ('country-germany-d91d', 'country-germany-aa50')
    """
    plain = " ".join(where.split())
    return f"{_slug(plain)[:60].strip('-')}-{digest(plain)[:4]}"


def reads_its_filter(content: Any) -> bool:
    """Whether a notebook uses its parameter ``where``; a page that does not says nothing about some rows.

    Examples
    --------
    >>> cell = {"cell_type": "code", "source": "open_page(shop, where=where)"}
    >>> reads_its_filter({"cells": [cell]}), reads_its_filter({"cells": []})
    (True, False)
    """
    names = (node for statement in statements(content) for node in ast.walk(statement))
    return any(isinstance(n, ast.Name) and n.id == "where" and isinstance(n.ctx, ast.Load) for n in names)


def is_about_a_proposal(parameters: Mapping[str, Any]) -> bool:
    """Whether a notebook, by its parameters, is made once a proposal."""
    return "proposal" in parameters


def read_batch(path: Path) -> BatchFile:
    """Read a batch file.

    Parameters
    ----------
    path : Path
        YAML with the keys shops, notebooks, start, end, parameters, each.

    Returns
    -------
    BatchFile
        To be planned shop by shop with `plan_run`.

    Raises
    ------
    ParameterError
        If the file is missing, is no mapping, or has an unknown key or a value of another kind.
    """
    if not path.is_file():
        raise ParameterError(f"no batch file {path}: {nearest(path.name, [p.name for p in path.parent.glob('*.yml')])}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParameterError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(values, dict) or not values.get("shops"):
        raise ParameterError(f"{path.name}: needs a mapping with 'shops', allowed keys: {', '.join(BATCH_KEYS)}")
    for key in values:
        if key not in BATCH_KEYS:
            raise ParameterError(f"{path.name}: unknown key '{key}': {nearest(str(key), BATCH_KEYS)}")
    for key in ("parameters", "each"):
        if not isinstance(values.get(key) or {}, dict):
            raise ParameterError(f"{path.name}: {key} = {values[key]!r} is not allowed: a mapping of names to values")
    return BatchFile(
        shops=_texts(values["shops"], key="shops", path=path),
        notebooks=_texts(values.get("notebooks", []), key="notebooks", path=path),
        start=str(values.get("start", "")),
        end=str(values.get("end", "")),
        parameters=values.get("parameters") or {},
        each={k: tuple(v) if isinstance(v, list) else (v,) for k, v in (values.get("each") or {}).items()},
    )


def _declared(path: Path) -> tuple[Any, dict[str, Parameter]]:
    content = load_notebook(path)
    names = read_parameters(content, name=path.stem)
    missing = [name for name in COMMON if name not in names]
    if missing:
        raise ParameterError(f"{path.stem}: its parameters cell lacks {', '.join(missing)}")
    return content, names


def _pages(
    path: Path, content: Any, names: Mapping[str, Parameter], *, given: Mapping[str, Any], each: Mapping[str, Any]
) -> list[PlannedPage]:
    """One page per combination of the grid."""
    own = {name: value for name, value in given.items() if name in names}
    pages = []
    for combination in itertools.product(*each.values()):
        chosen = dict(zip(each, combination, strict=True))
        filters = [f"{k} = {v}" for k, v in chosen.items() if k not in names]
        values = own | {k: v for k, v in chosen.items() if k in names}
        if filters:
            values["where"] = " and ".join([*filter(None, [str(own.get("where", ""))]), *filters])
        suffix = "".join(f"--{_slug(f'{k}-{v}')}" for k, v in chosen.items())
        checked = check_parameters(names, values, name=path.stem)
        pages.append(PlannedPage(name=path.stem + suffix, notebook=path.resolve(), content=content, parameters=checked))
    return pages


def _check_names(shop: str, names: Sequence[str]) -> None:
    if not re.fullmatch(r"[\w-][\w.-]*", shop):
        raise ParameterError(f"shop '{shop}' cannot name a folder: allowed are letters, digits, '_', '-' and '.'")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ParameterError(f"two pages would be named '{twice[0]}': choose values that differ in letters or digits")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _texts(value: Any, *, key: str, path: Path) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ParameterError(f"{path.name}: {key} = {value!r} is not allowed: a list of names")
    return tuple(items)
