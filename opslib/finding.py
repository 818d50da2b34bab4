"""What a page found, as values that a batch can harvest and a proposal can start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from opslib.errors import ParameterError
from opslib.stats.estimates import Estimate

Kind = Literal["measured", "estimated", "described", "simulated"]
KINDS: tuple[Kind, ...] = ("measured", "estimated", "described", "simulated")
Grade = Literal["High", "Moderate", "Low", "Very low"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: a sentence with its number, how sure it is, and what follows from it.

    Parameters
    ----------
    key : str
        Stable name on its page ("repeat-rate"); the same in every run.
    sentence : str
        The finding in one sentence, with its number and interval.
    kind : {"measured", "estimated", "described", "simulated"}
        Counted on all rows; inferred with uncertainty; described without a number; computed by a model.
    estimate : Estimate or None
        The number behind the sentence.
    grade : str or None
        High, Moderate, Low or Very low, where the finding claims a cause.
    section : str or None
        Heading of the section that argues it.
    action, owner : str or None
        What to do, and which department.
    due : date or None
        By when.
    worth : Estimate or None
        Money a month that the action may bring.
    caveat : str or None
        The main doubt.
    metric : str or None
        Metric of the registry.
    scope : tuple of (str, str)
        Filters that the finding holds for, as column and value.

    Examples
    --------
    >>> Finding(key="returns", sentence="Returns are steady.", kind="described").to_json()["kind"]
    'described'
    """

    key: str
    sentence: str
    kind: Kind
    estimate: Estimate | None = None
    grade: Grade | None = None
    section: str | None = None
    action: str | None = None
    owner: str | None = None
    due: date | None = None
    worth: Estimate | None = None
    caveat: str | None = None
    metric: str | None = None
    scope: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ParameterError(f"finding '{self.key}': kind '{self.kind}' is not one of {', '.join(KINDS)}")

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values; numbers that JSON cannot hold become null."""
        return jsonable(asdict(self))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Finding:
        """The finding as `to_json` wrote it; null in an estimate is a number that is not known."""
        given = {name: values[name] for name in ("estimate", "worth") if values.get(name)}
        estimates = {name: read_estimate(value) for name, value in given.items()}
        due = date.fromisoformat(values["due"]) if values.get("due") else None
        scope = tuple((str(column), str(value)) for column, value in values.get("scope", ()))
        return cls(**{**values, **estimates, "due": due, "scope": scope})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a page cannot say, one sentence each."""

    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The sentences as JSON values."""
        return {"sentences": list(self.sentences)}


def read_estimate(values: Mapping[str, Any]) -> Estimate:
    """An estimate from its JSON, where null stands for a number that is unknown."""
    ends = {name: math.nan if values[name] is None else values[name] for name in ("value", "lower", "upper")}
    return Estimate(**{**values, **ends})


def jsonable(value: Any) -> Any:
    """Turn dataclass fields into JSON values: dates as ISO text, infinite and missing numbers as null.

    Examples
    --------
    >>> jsonable({"a": float("nan"), "d": date(2026, 10, 1), "t": (1, 2.5)})
    {'a': None, 'd': '2026-10-01', 't': [1, 2.5]}
    """
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
