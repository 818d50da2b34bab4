"""Preregistration: what a freeze covers, its hash, and what changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from opslib.errors import ProposalError
from opslib.metrics import Filter, Metric
from opslib.proposals import schema, scope
from opslib.proposals.designs import RecordedMetric
from opslib.proposals.ledger import Record
from opslib.proposals.schema import Proposal

Definitions = Mapping[str, Metric | RecordedMetric]
CONTENT = 1
"""Version of what a freeze covers; its keys stay for ever, and a record without one is of version 1."""
_ARMS = "kind experiment control treatment randomised source covariate_days"
#: Keys that a version writes of each part, always and for ever. A field that has got another name is ``key=field``; a field that
#: a part has got since is written where it is not at its default, so that what was frozen without it keeps its hash.
_KEYS: dict[int, dict[type, str]] = {
    1: {
        schema.Claim: "id sentence metric unit direction scope design promise m=smallest_worthwhile scale window stopping follow_up is_confirmatory",
        schema.Guardrail: "metric margin scale",
        schema.FollowUp: "design window hold_out_share",
        schema.Window: "start end",
        scope.ScopeFilter: "column op value",
        schema.Fixed: "kind",
        schema.GroupSequential: "kind looks",
        schema.Anytime: "kind tuned_n",
        schema.ExperimentDesign: f"{_ARMS} analysed_by segment is_ramp_pooled",
        schema.ClusterExperimentDesign: _ARMS,
        schema.RolloutDesign: "kind rollout history_days method",
        schema.BeforeAfterDesign: "kind changed_on history_days control_scope",
        schema.ElasticityDesign: "kind price_change history_days",
        schema.LevelDesign: "kind",
        schema.TrendDesign: "kind grain",
        schema.ComparisonDesign: "kind group control treatment",
        schema.OutsideDesign: "kind citation value lower upper level",
        Metric: "name definition unit numerator denominator unit_of_analysis direction numerator_where denominator_where measures",
        Filter: "column operator value",
        RecordedMetric: "name definition direction",
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenRecord:
    """What was promised, and when it was written down.

    Parameters
    ----------
    proposal_id : str
        The proposal.
    frozen_at : datetime
        Aware, in UTC.
    sha256 : str
        64 hex digits over the canonical JSON of ``content``.
    content : dict
        Claims (with scope, design, stopping rule), guardrails, metric definitions and stated probability.
    version : int
        Of the content's keys; no part of the hash.
    """

    proposal_id: str
    frozen_at: datetime
    sha256: str
    content: dict[str, Any]
    version: int = CONTENT

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, for the ledger."""
        return {
            "frozen_at": self.frozen_at.isoformat(),
            "sha256": self.sha256,
            "content": self.content,
            "content_version": self.version,
        }

    @classmethod
    def from_json(cls, proposal_id: str, data: Mapping[str, Any]) -> FrozenRecord:
        """The record as the ledger holds it; refused if its content does not give its hash."""
        record = cls(
            proposal_id=proposal_id,
            frozen_at=datetime.fromisoformat(data["frozen_at"]),
            sha256=data["sha256"],
            content=data["content"],
            version=data.get("content_version", 1),
        )
        if record.version > CONTENT:
            raise ProposalError(f"{proposal_id}: frozen as version {record.version}, which this opslib does not know")
        if content_hash(record.content) != record.sha256:
            raise ProposalError(f"{proposal_id}: the frozen content does not give its hash {record.sha256[:12]}")
        return record


def first_freezes(records: Iterable[Record]) -> dict[str, FrozenRecord]:
    """The first freeze of every proposal in a ledger: a later one cannot make a claim confirmatory again."""
    found: dict[str, FrozenRecord] = {}
    for record in records:
        if record.kind == "freeze" and record.proposal not in found:
            found[record.proposal] = FrozenRecord.from_json(record.proposal, record.payload)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenDifference:
    """One field that differs from what was frozen."""

    field: str
    frozen: Any
    now: Any

    @property
    def sentence(self) -> str:
        """The change in words."""
        return f"{self.field} was {self.frozen!r} when frozen and is {self.now!r} now"


def frozen_content(proposal: Proposal, *, definitions: Definitions, version: int = CONTENT) -> dict[str, Any]:
    """What a freeze covers, as JSON values: the one place that writes what is hashed.

    Parameters
    ----------
    proposal : Proposal
    definitions : mapping of metric name to Metric or RecordedMetric
        From `evaluate.definitions_of`; what is counted is written, not how it is displayed.
    version : int
        Whose keys are written.

    Returns
    -------
    dict
        ``claims`` by id, ``guardrails``, ``metrics`` and ``stated_probability``.

    Raises
    ------
    ProposalError
        A metric has no definition.
    """
    missing = [name for name in proposal.metrics() if name not in definitions]
    if missing:
        raise ProposalError(f"{proposal.id}: no metric '{missing[0]}' in the registry; nothing can be frozen on it")
    covered = {
        "claims": {claim.id: claim for claim in proposal.claims},
        "guardrails": {guard.metric: guard for guard in proposal.guardrails},
        "metrics": {name: definitions[name] for name in proposal.metrics()},
        "stated_probability": proposal.stated_probability,
    }
    return {name: _written(value, _KEYS[version]) for name, value in covered.items()}


def _written(value: Any, keys: Mapping[type, str]) -> Any:
    """A value as JSON holds it, a part under its keys."""
    if type(value) in keys:
        fields = {key: field or key for key, _, field in (item.partition("=") for item in keys[type(value)].split())}
        known = getattr(type(value), "model_fields", {})
        later = [name for name in known if name not in fields.values()]
        fields |= {name: name for name in later if getattr(value, name) != known[name].get_default()}
        value = {key: getattr(value, field) for key, field in fields.items()}
    if isinstance(value, Mapping):
        return {key: _written(item, keys) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(item, keys) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_written(item, keys) for item in value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ProposalError(f"a {type(value).__name__} cannot be frozen: preregistration has no keys for it; {value!r}")


def freeze(proposal: Proposal, *, definitions: Definitions, at: datetime) -> FrozenRecord:
    """Freeze a proposal.

    Parameters
    ----------
    proposal : Proposal
    definitions : mapping of metric name to Metric or RecordedMetric
        As in `frozen_content`.
    at : datetime
        The time, with a zone.

    Returns
    -------
    FrozenRecord

    Raises
    ------
    ProposalError
        It is still a draft, a metric has no definition, or the time has no zone.
    """
    if at.tzinfo is None:
        raise ProposalError(f"{proposal.id}: the time of the freeze {at} has no zone; give it in UTC")
    require_finished(proposal)
    content = frozen_content(proposal, definitions=definitions)
    return FrozenRecord(
        proposal_id=proposal.id,
        frozen_at=at.astimezone(UTC),
        sha256=content_hash(content),
        content=content,
    )


def require_finished(proposal: Proposal) -> None:
    """Refuse a draft; what it still lacks is named."""
    if proposal.to_do:
        fields = ", ".join(item.partition(": ")[0] for item in proposal.to_do)
        raise ProposalError(
            f"{proposal.id} is a draft with {len(proposal.to_do)} things to be filled in ({fields}); say them in its file, "
            "delete their lines under to_do, and try again"
        )


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON: sorted keys, no spaces.

    Examples
    --------
    >>> content_hash({"b": 1, "a": 2}) == content_hash({"a": 2, "b": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def changes_since(
    record: FrozenRecord,
    proposal: Proposal,
    *,
    definitions: Definitions,
) -> tuple[FrozenDifference, ...]:
    """Fields that differ from the frozen ones, each named.

    Parameters
    ----------
    record : FrozenRecord
    proposal : Proposal
    definitions : mapping of metric name to Metric or RecordedMetric

    Returns
    -------
    tuple of FrozenDifference
        Empty where nothing changed.
    """
    now = frozen_content(proposal, definitions=definitions, version=record.version)
    if content_hash(now) == record.sha256:
        return ()
    old, new = dict(_leaves(record.content)), dict(_leaves(now))
    return tuple(
        FrozenDifference(field=name, frozen=old.get(name, "absent"), now=new.get(name, "absent"))
        for name in dict.fromkeys([*old, *new])
        if old.get(name, "absent") != new.get(name, "absent")
    )


def is_before(record: FrozenRecord | None, *, first_outcome: datetime | None) -> bool:
    """Whether the claims were frozen before the first outcome (aware times) of their window; no outcome yet: yes."""
    if record is None:
        return False
    return first_outcome is None or record.frozen_at < first_outcome


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{prefix}[{index}]")
    else:
        yield prefix, value
