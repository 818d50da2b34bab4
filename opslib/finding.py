"""Findings and limits of a page, as values that a batch can harvest and a proposal can start from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Literal

from opslib.departments import department_or_own
from opslib.errors import ParameterError
from opslib.periods import Coverage, Period
from opslib.stats.estimates import Estimate
from opslib.suppression import UNSAID, Unsaid

FindingKind = Literal["measured", "estimated", "described", "simulated"]
KINDS: tuple[FindingKind, ...] = ("measured", "estimated", "described", "simulated")
MOST_TOLD = 5  # findings whose sentences stand on a page
Role = Literal["key figure", "change", "data", "promise"]
ROLES: tuple[Role, ...] = ("key figure", "change", "data", "promise")
Compared = Literal["previous", "year_before"]
ProposedDesign = Literal["experiment", "elasticity", "before_after"]
Grade = Literal["High", "Moderate", "Low", "Very low"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What findings and limits may know of their page.

    Parameters
    ----------
    title : str
        Of the shop.
    period : Period
        Days that the page is about.
    currency : str
        ISO code.
    time_zone : str
        Of the shop's days.
    coverage : Coverage
        Days that the data have seen; of a shop without dates one day that no data are about.
    tables : frozenset of str
        Tables that the shop has.
    is_simulated : bool
        Whether the shop was made up.
    departments : tuple of str
        Departments that the shop adds to the list.
    """

    title: str
    period: Period
    currency: str
    time_zone: str
    coverage: Coverage
    tables: frozenset[str] = frozenset()
    is_simulated: bool = False
    departments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a finding is about.

    Parameters
    ----------
    metric : str or None
        Metric of the registry.
    scope : tuple of (str, str)
        Filters that it holds for, as column and value; none: the whole shop.
    objects : tuple of str
        Ids of what it names: products, proposals.
    compared : {"previous", "year_before"} or None
        Period that a change counts from.
    people : int, mapping of str to int, None or UNSAID
        People that its numbers stand for, by group where there are several; None: not people. A batch refuses a finding
        that does not say, and leaves out one about too few.
    """

    metric: str | None = None
    scope: tuple[tuple[str, str], ...] = ()
    objects: tuple[str, ...] = ()
    compared: Compared | None = None
    people: int | Mapping[str, int] | Unsaid | None = UNSAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposes:
    """What a finding's action would move, and how that is seen: it alone decides a draft.

    Parameters
    ----------
    metric : str
        Metric of the registry that the action should move.
    design : {"experiment", "elasticity", "before_after"}
        How the claim would be judged.
    change : float or None
        Relative change of the price, for an elasticity; None: not known yet.
    """

    metric: str
    design: ProposedDesign
    change: float | None = None


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
        Id of the section that argues it.
    department : str or None
        Who acts; an alias becomes the department's one name, an unknown one is refused when the page is made.
    priority : int
        Place on the page, 1 first.
    role : {"key figure", "change", "data", "promise"} or None
        A figure of the index, its change, a broken rule of the data, or what became of a promise.
    about : About
        Metric, part of the shop, things named.
    proposes : Proposes or None
        Metric and design of a draft.
    action : str or None
        What to do.
    things : tuple of str
        Names of what is to be done something with: products, pages, categories. Of people the segment, never ids.
    is_urgent : bool
        Whether the action stops a loss or mends data, which comes before money.
    due : date or None
        By when.
    worth : Estimate or None
        Money a month that the action may bring.
    would_tell : str or None
        Where the money is not known: what would tell ("a two-week test").
    is_told : bool
        Whether a reader sees its sentence; False: a number for the index and for the comparison of reports alone.
    caveat : str or None
        The main doubt.

    Examples
    --------
    >>> Finding(key="returns", sentence="Returns are steady.", kind="described").to_json()["kind"]
    'described'
    """

    key: str
    sentence: str
    kind: FindingKind
    estimate: Estimate | None = None
    grade: Grade | None = None
    section: str | None = None
    department: str | None = None
    priority: int = 3
    role: Role | None = None
    about: About = About()
    proposes: Proposes | None = None
    action: str | None = None
    things: tuple[str, ...] = ()
    is_urgent: bool = False
    due: date | None = None
    worth: Estimate | None = None
    would_tell: str | None = None
    is_told: bool = True
    caveat: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("kind", KINDS), ("role", (*ROLES, None))):
            if (value := getattr(self, name)) not in allowed:
                said = ", ".join(item for item in allowed if item)
                raise ParameterError(f"finding '{self.key}': {name} '{value}' is not one of {said}")
        if self.department:
            object.__setattr__(self, "department", department_or_own(self.department))

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values; numbers that JSON cannot hold become null."""
        values = asdict(self)
        if self.about.people is UNSAID:
            del values["about"]["people"]
        return jsonable(values)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Finding:
        """The finding as `to_json` wrote it, also before findings were typed; null in an estimate is a number not known."""
        known = dict(values) if "about" in values else _typed(values)
        about, proposes = About(**known["about"]), known.get("proposes")
        known["about"] = replace(
            about, scope=tuple((column, value) for column, value in about.scope), objects=tuple(about.objects)
        )
        known["proposes"] = Proposes(**proposes) if proposes else None
        known["things"] = tuple(known.get("things") or ())
        known["due"] = date.fromisoformat(known["due"]) if known.get("due") else None
        for name in ("estimate", "worth"):
            known[name] = read_estimate(known[name]) if known.get(name) else None
        return cls(**{name: value for name, value in known.items() if name in cls.__slots__})


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """A finding of an earlier version, whose key said its role, and whose section was a heading."""
    key, metric, scope = values["key"], values.get("metric"), values.get("scope") or []
    ends = {"-change": "previous", "-change-year": "year_before"}
    compared = next((side for end, side in ends.items() if metric and key.endswith(end)), None)
    starts = {"rule-": "data", "undo-": "promise"}
    role = next((role for start, role in starts.items() if key.startswith(start)), None)
    if metric and values.get("estimate") and not scope:
        role = "change" if compared else "key figure"
    objects = [key.removeprefix("undo-").upper()] if role == "promise" else []
    about = {"metric": metric, "scope": scope, "objects": objects, "compared": compared}
    return {**values, "section": None, "department": values.get("owner"), "role": role, "about": about}


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by priority; those of one priority stay as they came.

    Examples
    --------
    >>> found = [Finding(key=key, sentence="", kind="measured", priority=n) for key, n in (("a", 3), ("b", 1), ("c", 3))]
    >>> [finding.key for finding in in_order(found)]
    ['b', 'a', 'c']
    """
    return tuple(sorted(found, key=lambda finding: finding.priority))


def first_told(found: Sequence[Finding], *, answer: str = "") -> tuple[Finding, ...]:
    """Findings of which the first `MOST_TOLD` are told, none twice and none that the answer says; the others stay as numbers.

    Examples
    --------
    >>> found = [Finding(key=key, sentence=key, kind="described") for key in ("a", "b", "b")]
    >>> [one.is_told for one in first_told(found, answer="a")]
    [False, True, False]
    """
    told: list[str] = []
    kept = []
    for one in found:
        is_told = one.is_told and one.sentence not in told and one.sentence not in answer and len(told) < MOST_TOLD
        told += [one.sentence] * is_told
        kept.append(replace(one, is_told=is_told))
    return tuple(kept)


def first_sentence(found: Sequence[Finding]) -> str:
    """A page's answer in one sentence: its first finding's; '' where it found nothing.

    Examples
    --------
    >>> first_sentence([Finding(key="a", sentence="Revenue rose.", kind="measured")]), first_sentence([])
    ('Revenue rose.', '')
    """
    return found[0].sentence if found else ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a page cannot say, one sentence each."""

    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The sentences as JSON values."""
        return {"sentences": list(self.sentences)}


def read_estimate(values: Mapping[str, Any]) -> Estimate:
    """An estimate from its JSON, where null stands for a number that is unknown; earlier pages say level."""
    values = {"confidence_level" if name == "level" else name: value for name, value in values.items()}
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
