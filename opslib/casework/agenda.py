"""What is on the table for a shop's proposals: who must still answer, what is to be looked at again, what each rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from opslib.departments import department_or_own
from opslib.proposals.feasibility import latest_answers
from opslib.proposals.follow_up import LAUNCHES
from opslib.proposals.ledger import Record
from opslib.proposals.schema import Proposal

#: Days before its last day from which a follow-up is called due.
NOTICE_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AgendaItem:
    """A proposal as the index and the pages around it need to know it.

    Parameters
    ----------
    id, title, owner : str
        From its file.
    is_draft : bool
        Whether something is still to be filled in, so that nobody can decide about it.
    is_replay : bool
        Whether it was replayed on old data: nobody is to decide about it any more.
    waits_for : tuple of str
        Departments that have not answered, object, or agree on a condition.
    rests_on : tuple of (str, str)
        Page and key of each finding that it comes from.
    follow_up_on : date or None
        Last day of the follow-up of a launch that was not looked at again and is due; None where none is.
    is_overdue : bool
        Whether that day is over.
    """

    id: str
    title: str
    owner: str
    is_draft: bool = False
    is_replay: bool = False
    waits_for: tuple[str, ...] = ()
    rests_on: tuple[tuple[str, str], ...] = ()
    follow_up_on: date | None = None
    is_overdue: bool = False


def standings(known: dict[str, Proposal], records: Sequence[Record], *, on: date | None) -> tuple[AgendaItem, ...]:
    """Where each proposal of a shop stands.

    Parameters
    ----------
    known : dict of id to Proposal
        From `files.load_proposals`.
    records : sequence of Record
        The ledger.
    on : date or None
        Last day of the data; None for a shop without dates, whose follow-ups are never due.

    Returns
    -------
    tuple of AgendaItem
        In the order of ids.
    """
    ends = awaited(records, known)
    decided = {record.proposal: record.payload for record in records if record.kind == "decision"}
    found = []
    for name, proposal in known.items():
        decision = decided.get(name, {})
        is_replay = proposal.replay or bool(decision.get("is_replay"))
        end = None if is_replay else ends.get(name)
        is_due = end is not None and on is not None and end <= on + timedelta(days=NOTICE_DAYS)
        found.append(
            AgendaItem(
                id=name,
                title=proposal.title,
                owner=department_or_own(proposal.owner),
                is_draft=bool(proposal.to_do),
                is_replay=is_replay,
                waits_for=_waits_for(proposal),
                rests_on=tuple((basis.page, basis.finding) for basis in proposal.rests_on),
                follow_up_on=end if is_due else None,
                is_overdue=is_overdue(end, on=on),
            )
        )
    return tuple(found)


def awaited(records: Sequence[Record], known: Mapping[str, Proposal]) -> dict[str, date | None]:
    """Launches that nobody has looked at again, replays too, with the last day of their follow-up; None where none was named.

    Parameters
    ----------
    records : sequence of Record
        The ledger.
    known : mapping of id to Proposal
        From `files.load_proposals`.

    Returns
    -------
    dict of id to date or None
        In the order of the first decisions.
    """
    followed = {record.proposal for record in records if record.kind == "follow_up"}
    decided = {record.proposal: record.payload for record in records if record.kind == "decision"}
    found: dict[str, date | None] = {}
    for name, decision in decided.items():
        if decision["decision"] in LAUNCHES and name not in followed and name in known:
            plan = next((c.follow_up for c in known[name].claims if c.id == decision["claim"]), None)
            found[name] = plan.window.end if plan else None
    return found


def is_overdue(end: date | None, *, on: date | None) -> bool:
    """Whether the last day of a follow-up is over.

    Examples
    --------
    >>> [is_overdue(date(2026, 10, day), on=date(2026, 10, 31)) for day in (30, 31)], is_overdue(None, on=date(2026, 10, 31))
    ([True, False], False)
    """
    return end is not None and on is not None and end < on


def _waits_for(proposal: Proposal) -> tuple[str, ...]:
    """Departments other than the owner without an answer, and those whose answer is no plain yes."""
    answers = {department_or_own(name): answer for name, answer in latest_answers(proposal.consultations).items()}
    affected = (department_or_own(effort.department) for effort in proposal.affected)
    silent = [name for name in affected if name not in answers and name != department_or_own(proposal.owner)]
    unhappy = [name for name, answer in answers.items() if answer.answer != "agree"]
    return tuple(dict.fromkeys([*silent, *unhappy]))
