"""Parsing of a proposal's YAML and back, with errors that name file, field, value and what is allowed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from opslib.errors import ProposalError, nearest
from opslib.proposals.schema import Proposal

_TAGGED = ("design", "stopping")


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where it was built


class _Loader(_SafeLoader):
    """PyYAML's safe loader that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubles = [key for key in keys if keys.count(key) > 1]
        if doubles:
            raise yaml.constructor.ConstructorError(None, None, f"key '{doubles[0]}' is written twice", node.start_mark)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper that writes a date twice rather than pointing at the first."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def parse_proposal(text: str, *, source: str) -> Proposal:
    """Read a proposal's YAML.

    Parameters
    ----------
    text : str
        The YAML document.
    source : str
        Name of the file, for errors.

    Returns
    -------
    Proposal

    Raises
    ------
    ProposalError
        One line a fault: file, field, value, what is allowed and the nearest name.

    Examples
    --------
    >>> parse_proposal("id: [", source="p.yml")
    Traceback (most recent call last):
    ...
    opslib.errors.ProposalError: p.yml: not YAML: ...
    """
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ProposalError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ProposalError(f"{source}: a proposal is a mapping of fields; found {type(data).__name__}")
    try:
        return Proposal.model_validate(data)
    except ValidationError as error:
        raise ProposalError("\n".join(_describe(source, fault) for fault in _roots(error.errors()))) from None


def proposal_yaml(proposal: Proposal) -> str:
    """The proposal as YAML that `parse_proposal` reads back unchanged; defaults are left out.

    Parameters
    ----------
    proposal : Proposal

    Returns
    -------
    str
    """
    data = proposal.model_dump(exclude_defaults=True)
    _restore_tags(data, proposal)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def json_schema() -> dict[str, Any]:
    """JSON schema of a proposal's file, for editors.

    Examples
    --------
    >>> json_schema()["title"]
    'Proposal'
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Proposal.model_json_schema()}


def _restore_tags(data: dict[str, Any], proposal: Proposal) -> None:
    """Tags of unions are needed to read the file back, also where they are a default."""
    for written, claim in zip(data["claims"], proposal.claims, strict=True):
        for name in _TAGGED:
            if name in written:
                written[name] = {"kind": getattr(claim, name).kind, **written[name]}


def _roots(faults: list[Any]) -> list[Any]:
    """Faults without those that only follow from another one inside (a list emptied by a faulty item)."""
    places = [fault["loc"] for fault in faults]
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short"
        or not any(len(at) > len(fault["loc"]) and at[: len(fault["loc"])] == fault["loc"] for at in places)
    ]


def _describe(source: str, fault: Any) -> str:
    path, models = _walk(fault["loc"])
    value, kind, context = fault["input"], fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        known = {name for model in models for name in model.model_fields}
        return f"{source}: {path}: no such field; {nearest(str(fault['loc'][-1]), known)}"
    if kind == "missing":
        return f"{source}: {path}: is missing; a proposal needs it"
    if kind in ("literal_error", "union_tag_invalid"):
        expected = context.get("expected") or context["expected_tags"]
        allowed = [item.strip(" '") for item in expected.replace(" or ", ", ").split(",")]
        given = value if kind == "literal_error" else context["tag"]
        return f"{source}: {path}: {given!r} is not allowed; {nearest(str(given), allowed)} (allowed: {', '.join(allowed)})"
    shown = "" if isinstance(value, dict) else f"{str(value)[:80]!r}: "
    return f"{source}: {path or 'proposal'}: {shown}{fault['msg'].removeprefix('Value error, ')}"


def _walk(location: Iterable[int | str]) -> tuple[str, list[type[BaseModel]]]:
    """Written path of a fault, and the models that its parent may be."""
    path = ""
    parents: list[type[BaseModel]] = [Proposal]
    models: list[type[BaseModel]] = [Proposal]
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        tagged = [m for m in models if part in get_args(getattr(m.model_fields.get("kind"), "annotation", None))]
        if tagged:
            models = tagged
            continue
        path += f".{part}" if path else part
        parents = models
        models = [
            found for m in models if part in m.model_fields for found in _models_in(m.model_fields[part].annotation)
        ]
    return path, parents


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models_in(inner)]
