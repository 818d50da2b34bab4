"""A notebook's parameters: read from its own cell, checked before a kernel starts."""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from opslib.errors import ParameterError, nearest

KINDS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list}
COMMON = ("shop", "start", "end", "where")
DATES = ("start", "end", "as_of")

_HINT = re.compile(r"\[([^\[\]]+)\]\s*$")
_RANGE = re.compile(r"^\s*(-?[\d.]+)\s*\.\.\s*(-?[\d.]+)\s*$")
_FORM = "'name: type = literal  # meaning', type one of str, int, float, bool, list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One declared parameter of a notebook."""

    name: str  # a Python identifier
    kind: str  # str, int, float, bool or list
    default: Any  # of that kind
    meaning: str  # the comment, without its hint
    choices: tuple[str, ...] = ()  # allowed texts; empty = any
    lower: float | None = None  # smallest allowed number
    upper: float | None = None  # largest allowed number

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.lower is not None:
            return f"{self.kind} from {self.lower:g} to {self.upper:g}"
        if self.name in DATES:
            return "a date such as 2026-10-31, or '' for the shop's own"
        return self.kind


def read_parameters(notebook: Mapping[str, Any], *, name: str) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares.

    Parameters
    ----------
    notebook : mapping
        The notebook's JSON (nbformat 4).
    name : str
        The notebook's name, for messages.

    Returns
    -------
    dict of str to Parameter
        In the order of the cell.

    Raises
    ------
    ParameterError
        If there is not exactly one code cell tagged ``parameters``, or it holds anything but declarations.

    Examples
    --------
    >>> cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]},
    ...         "source": "shop: str = 'demo'  # which shop\\nbins: int = 5  # bins [2..10]"}
    >>> read_parameters({"cells": [cell]}, name="x")["bins"].allowed
    'int from 2 to 10'
    """
    tagged = [c for c in notebook["cells"] if "parameters" in c.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1 or tagged[0]["cell_type"] != "code":
        raise ParameterError(f"{name}: needs exactly one code cell tagged 'parameters', has {len(tagged)}")
    source = "".join(tagged[0]["source"])
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(f"{name}: its parameters cell does not parse: {error}") from error
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}
    return {p.name: p for p in (_declared(s, comments=comments, notebook=name) for s in statements)}


def check_parameters(declared: Mapping[str, Parameter], given: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Check given values against the declared parameters and fill in the defaults.

    Parameters
    ----------
    declared : mapping of str to Parameter
        From `read_parameters`.
    given : mapping of str to value
        Values as a person or a batch file gives them; text is converted for numbers, booleans and lists, and
        stays as it is for ``str`` (so '00123' keeps its zeros).
    name : str
        The notebook's name, for messages.

    Returns
    -------
    dict of str to value
        One value of the declared type for every declared parameter.

    Raises
    ------
    ParameterError
        For an unknown name, a value of another type, outside its choices or range, or not a date.
    """
    for key in given:
        if key not in declared:
            raise ParameterError(f"{name} has no parameter '{key}': {nearest(key, declared)}")
    values = {key: p.default for key, p in declared.items()}
    values |= {key: _converted(declared[key], value, notebook=name) for key, value in given.items()}
    start, end = values.get("start", ""), values.get("end", "")
    if start and end and start > end:
        raise ParameterError(f"{name}: start = {start!r} is after end = {end!r}: allowed is start <= end")
    return values


def load_notebook(path: Path) -> Any:
    """Read a notebook from a file, upgraded to nbformat 4's newest minor version.

    Parameters
    ----------
    path : Path
        The ``.ipynb`` file.

    Returns
    -------
    nbformat.NotebookNode
        The notebook.

    Raises
    ------
    ParameterError
        If there is no such notebook, or it cannot be read.
    """
    import nbformat

    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.ipynb")] if path.parent.is_dir() else []
        raise ParameterError(f"no notebook {path.name} in {path.parent}: {nearest(path.name, siblings)}")
    try:
        return nbformat.read(str(path), as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise ParameterError(f"{path.name} is not a readable notebook: {error}") from error


def _declared(statement: ast.stmt, *, comments: Mapping[int, str], notebook: str) -> Parameter:
    text = ast.unparse(statement)
    if (
        not isinstance(statement, ast.AnnAssign)
        or not isinstance(statement.target, ast.Name)
        or not isinstance(statement.annotation, ast.Name)
        or statement.annotation.id not in KINDS
        or statement.value is None
    ):
        raise ParameterError(f"{notebook}: parameter declaration {text!r} is not of the form {_FORM}")
    try:
        default = ast.literal_eval(statement.value)
    except ValueError as error:
        raise ParameterError(f"{notebook}: the default in {text!r} is not a literal") from error
    kind, comment = statement.annotation.id, comments.get(statement.end_lineno or statement.lineno, "")
    hint = _HINT.search(comment)
    bounds = _RANGE.match(hint[1]) if hint else None
    declared = Parameter(
        name=statement.target.id,
        kind=kind,
        default=default,
        meaning=_HINT.sub("", comment).strip() if hint else comment,
        choices=tuple(c.strip() for c in hint[1].split("|")) if hint and not bounds and "|" in hint[1] else (),
        lower=float(bounds[1]) if bounds else None,
        upper=float(bounds[2]) if bounds else None,
    )
    _converted(declared, default, notebook=notebook)
    return declared


def _converted(parameter: Parameter, value: Any, *, notebook: str) -> Any:
    """The value in the declared type, or an error that says what is allowed."""
    converted = _as_kind(parameter.kind, value)
    is_right = converted is not None
    if is_right and parameter.choices:
        items = converted if isinstance(converted, list) else [converted]
        is_right = all(str(item) in parameter.choices for item in items)
    if is_right and parameter.lower is not None and parameter.upper is not None:
        is_right = isinstance(converted, int | float) and parameter.lower <= converted <= parameter.upper
    if is_right and parameter.name in DATES and converted != "":
        is_right = _is_date(converted)
    if not is_right:
        raise ParameterError(f"{notebook}: {parameter.name} = {value!r} is not allowed: {parameter.allowed}")
    return converted


def _as_kind(kind: str, value: Any) -> Any:
    """The value as that kind; None when it is not one. Only a text is converted, and never into a text."""
    if kind == "str":
        return value.isoformat() if isinstance(value, date) else value if isinstance(value, str) else None
    if kind == "bool":
        value = {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else value
        return value if isinstance(value, bool) else None
    if kind == "list":
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        is_plain = isinstance(items, list | tuple) and all(isinstance(v, str | int | float) for v in items)
        return list(items) if is_plain else None
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = int(value) if re.fullmatch(r"[+-]?\d+", value.strip()) else float(value)
        except ValueError:
            return None
    if kind == "int":
        return value if isinstance(value, int) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _is_date(value: Any) -> bool:
    try:
        return len(str(value)) == 10 and bool(date.fromisoformat(str(value)))
    except ValueError:
        return False
