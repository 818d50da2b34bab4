"""The proposals and the ledger of a simulated shop, made from nothing: a story told by its planted truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from opslib.casework import decide as deciding
from opslib.casework.files import append_record, ledger_path, load_proposals, read_records
from opslib.casework.judge import own_metrics
from opslib.errors import ProposalError
from opslib.proposals.evaluate import definitions_of
from opslib.proposals.ledger import is_simulated
from opslib.proposals.preregistration import freeze
from opslib.shop.opening import Shop
from opslib.shop.root import proposals_of
from opslib.simulate.dossier import MADE, Step, proposal_files, story


def make_ledger(shop: Shop, *, progress: Callable[[str], None]) -> int:
    """Write a simulated shop's proposals and its ledger anew; every record is marked simulated and bears the story's time.

    Parameters
    ----------
    shop : Shop
        An open shop that was simulated here, with its ``truth.json``.
    progress : callable
        Called with a sentence a record.

    Returns
    -------
    int
        Records written.

    Raises
    ------
    ProposalError
        The shop is not simulated, or its folder holds files or records that this function did not write.
    """
    if not shop.is_simulated or shop.folder is None:
        raise ProposalError(
            f"{shop.name}: only the ledger of a simulated shop is made; a real one is written record by record"
        )
    folder = proposals_of(shop.name)
    folder.mkdir(parents=True, exist_ok=True)
    _require_own(shop.name)
    for path in (*folder.glob("*.yml"), ledger_path(folder)):
        path.unlink(missing_ok=True)
    truth = json.loads((shop.folder / "truth.json").read_text(encoding="utf-8"))
    for name, text in proposal_files(truth).items():
        (folder / name).write_text(text, encoding="utf-8")
    steps = story(truth)
    for step in steps:
        at = datetime.combine(step.on, time(9), tzinfo=UTC)
        payload = {**_payload(shop, step, at), "is_simulated": True}
        append_record(folder, kind=step.kind, proposal=step.proposal, at=at, payload=payload)
        progress(f"{step.on} {step.proposal} {step.kind.replace('_', ' ')} {payload.get('decision', '')}".rstrip())
    return len(steps)


def _require_own(shop: str) -> None:
    """Refuse to overwrite what somebody else wrote."""
    folder = proposals_of(shop)
    others = [
        path.name for path in sorted(folder.glob("*.yml")) if not path.read_text(encoding="utf-8").startswith(MADE)
    ]
    others += [f"{ledger_path(folder).name}, record {r.n}" for r in read_records(folder) if not is_simulated(r)]
    if others:
        raise ProposalError(
            f"{folder}: {others[0]} was not made by this command and would be lost; move it elsewhere first"
        )


def _payload(shop: Shop, step: Step, at: datetime) -> dict[str, Any]:
    """What the ledger keeps of one step, computed as on that day."""
    if step.kind == "freeze":
        proposal = load_proposals(proposals_of(shop.name))[step.proposal]
        return freeze(proposal, definitions=definitions_of(proposal, own=own_metrics(shop)), at=at).to_json()
    if step.kind == "follow_up":
        return deciding.followed(shop, step.proposal, on=step.on)
    weighed = deciding.before_decision(shop, step.proposal, on=step.on)
    advice = weighed.desirable.recommendation
    choice = step.decision or advice
    return deciding.decided(
        weighed, person=step.person, decision=choice, reason=step.reason, is_against=choice != advice, on=step.on
    )
