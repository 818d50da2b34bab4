"""A proposal on one card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from opslib.finding import Grade, jsonable
from opslib.stats.estimates import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCard:
    """A proposal on one card: what a manager needs before deciding.

    Parameters
    ----------
    id, title, owner : str
        From the proposal.
    verdict : str
        "supported", "inconclusive (exploratory)", ...
    grade : str
        High, Moderate, Low or Very low.
    doubt : str
        The main doubt, in one sentence.
    recommendation : str or None
        Launch, launch with hold-out, test first, gather data, reject; None where money was not weighed.
    money : Estimate or None
        Net money over a year.
    notes : tuple of str
        Silence, objections and what else stands in the way, one sentence each.
    waiting_days : int or None
        Days since the evidence was there, counted from the last day of the data.
    decision : str or None
        What was decided, if anything.
    ledger_head : str or None
        Hash of the ledger's last line.
    """

    id: str
    title: str
    owner: str
    verdict: str
    grade: Grade
    doubt: str
    recommendation: str | None = None
    money: Estimate | None = None
    notes: tuple[str, ...] = ()
    waiting_days: int | None = None
    decision: str | None = None
    ledger_head: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values."""
        return jsonable(asdict(self))
