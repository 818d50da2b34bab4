"""``opslib proposal``: write down, check, freeze, answer, evaluate, list."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opslib.cli.common import complete_proposals, complete_shops, echo_table, open_with_progress, project_root

if TYPE_CHECKING:
    from opslib.proposals.results import ProposalResult

proposal_app = typer.Typer(help="Proposals: claims before the result, verdicts after it.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(autocompletion=complete_proposals, help="Id of the proposal.")]
Ids = Annotated[list[str] | None, typer.Argument(autocompletion=complete_proposals, help="Ids; all unless given.")]
OfShop = Annotated[str, typer.Option("--shop", autocompletion=complete_shops, help="Shop that the proposal is for.")]


def _folder(shop: str) -> Path:
    return project_root() / "data" / "proposals" / shop


@proposal_app.command("new")
def new(
    proposal: Id,
    shop: OfShop = "demo",
    start: Annotated[str, typer.Option(help="First day of the change (default: in four weeks).")] = "",
    deadline: Annotated[str, typer.Option(help="Day by which it must be judged (default: twelve weeks later).")] = "",
) -> None:
    """Write a file to fill in: what changes, what it promises, how that will be measured.

    Example: opslib proposal new P-014 --shop my_shop
    """
    from opslib.data.proposal_files import write_new_proposal
    from opslib.periods import parse_date

    first = parse_date(start, name="start") if start else datetime.now(UTC).date() + timedelta(weeks=4)
    last = parse_date(deadline, name="deadline") if deadline else first + timedelta(weeks=12)
    path = write_new_proposal(_folder(shop), proposal, start=first.isoformat(), deadline=last.isoformat())
    typer.echo(f"wrote {path}")
    typer.echo(f"fill it in (docs/proposals.md says how), then: opslib proposal check {proposal} --shop {shop}")


@proposal_app.command("check")
def check(proposals: Ids = None, shop: OfShop = "demo") -> None:
    """Check that proposals can be carried out and judged, and that the ledger's chain is whole. Exit code 1 on errors.

    Examples: opslib proposal check P-014 --shop my_shop | opslib proposal check --shop demo
    """
    from opslib.data import judging, proposal_files
    from opslib.proposals.evaluate import check_proposal

    opened, folder = open_with_progress(shop), _folder(shop)
    known = proposal_files.load_proposals(folder)
    data, frozen = judging.shop_data(opened, proposals=known), proposal_files.frozen_records(folder)
    n_errors = 0
    for name in proposals or known:
        path = proposal_files.find_proposal(folder, name)
        found = check_proposal(proposal_files.load_proposal(path), shop=data, frozen=frozen.get(name))
        n_errors += sum(f.severity == "error" for f in found)
        for item in found:
            typer.secho(f"{name} {item.severity}: {item.name} ({item.place}): {item.sentence}",
                        fg="red" if item.severity == "error" else "yellow")  # fmt: skip
        if not found:
            typer.echo(f"{name}: concrete, measurable, feasible, answered")
    published = project_root() / "reports" / shop / "latest"
    pages = {p.name: p.read_text(encoding="utf-8") for p in sorted(published.glob("81_proposal*.html"))}
    faults = proposal_files.check_ledger(folder, pages=pages)
    for fault in faults:
        typer.secho(f"ledger: {fault}", fg="red")
    typer.echo("ledger: whole" if not faults else f"ledger: {len(faults)} faults")
    raise typer.Exit(1 if n_errors or faults else 0)


@proposal_app.command("freeze")
def freeze(proposal: Id, shop: OfShop = "demo") -> None:
    """Write the hash of claims, metrics, scope, design, stopping rule and stated probability into the ledger.

    Example: opslib proposal freeze P-014 --shop my_shop
    """
    from opslib.data import judging, proposal_files
    from opslib.proposals.evaluate import first_outcome_of, frozen_definitions
    from opslib.proposals.freezing import freeze as freeze_claims

    opened, folder = open_with_progress(shop), _folder(shop)
    loaded = proposal_files.load_proposal(proposal_files.find_proposal(folder, proposal))
    own = judging.shop_data(opened, proposals={}).own_metrics
    record = freeze_claims(loaded, definitions=frozen_definitions(loaded, own=own), at=datetime.now(UTC))
    proposal_files.write_freeze(folder, record)
    typer.echo(f"frozen {proposal}: {record.sha256}")
    if record.frozen_at >= first_outcome_of(loaded, zone=opened.time_zone):
        typer.secho("its window has begun already: its claims are exploratory and cannot be confirmed", fg="yellow")
    typer.echo(f"commit {proposal_files.ledger_path(folder)} now; its history is part of the proof")


@proposal_app.command("respond")
def respond(
    proposal: Id,
    department: Annotated[str, typer.Option(help="Department that answers.")],
    person: Annotated[str, typer.Option(help="Who answers for it.")],
    answer: Annotated[str, typer.Option(help="agree, agree_if or object.")],
    shop: OfShop = "demo",
    note: Annotated[str, typer.Option(help="Condition or reason; needed unless the answer is agree.")] = "",
    effort: Annotated[float | None, typer.Option(help="Person-days that it would take.")] = None,
    on: Annotated[str, typer.Option(help="Day of the answer (default: today).")] = "",
) -> None:
    """Write down a department's answer.

    Example: opslib proposal respond P-014 --department Service --person "Tom O." --answer agree_if --note "after May"
    """
    from pydantic import ValidationError

    from opslib.data import proposal_files
    from opslib.errors import ProposalError
    from opslib.periods import parse_date
    from opslib.proposals.model import Consultation

    path = proposal_files.find_proposal(_folder(shop), proposal)
    day: date = parse_date(on, name="on") if on else datetime.now(UTC).date()
    try:
        said = Consultation(department=department, person=person, date=day, answer=answer,  # type: ignore[arg-type]
                            note=note, effort_person_days=effort)  # fmt: skip
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in error.errors())
        raise ProposalError(f"{proposal}: {faults}") from None
    proposal_files.add_consultation(path, said)
    typer.echo(f"{department} ({person}) {answer.replace('_', ' ')}: written to {path.name}")


@proposal_app.command("evaluate")
def evaluate(
    proposals: Ids = None,
    shop: OfShop = "demo",
    dry: Annotated[bool, typer.Option("--dry", help="Judge without writing to the ledger.")] = False,
) -> None:
    """Judge proposals on the shop's data and append the result to the ledger; evaluating again never replaces.

    Examples: opslib proposal evaluate P-014 --shop my_shop | opslib proposal evaluate --shop demo --dry
    """
    from opslib.data import judging, proposal_files
    from opslib.proposals.evidence import jsonable

    opened = open_with_progress(shop)
    _, results = judging.judge(opened, proposals or ())
    _echo_results(results)
    for result in () if dry else results:
        payload = {
            "state": result.state, "qualifier": result.qualifier, "grade": result.grade,
            "method_version": result.method_version, "data_fingerprint": opened.fingerprint,
            "claims": [item.to_json() for item in result.evidence()],
        }  # fmt: skip
        proposal_files.append_record(
            _folder(shop),
            kind="evaluation",
            proposal=result.proposal_id,
            at=datetime.now(UTC),
            payload=jsonable(payload),
        )
    typer.echo("nothing written (--dry)" if dry else f"{len(results)} evaluations appended to the ledger")


@proposal_app.command("list")
def list_proposals(
    shop: OfShop = "demo",
    judge: Annotated[bool, typer.Option("--judge", help="Judge each on the shop's data (takes longer).")] = False,
) -> None:
    """Proposals of a shop, with owner, dates and whether they are frozen.

    Example: opslib proposal list --shop demo --judge
    """
    from opslib.data import judging, proposal_files

    folder = _folder(shop)
    if judge:
        _echo_results(judging.judge(open_with_progress(shop))[1])
        return
    frozen = proposal_files.frozen_records(folder)
    rows = [
        (
            p.id,
            p.title,
            p.owner,
            str(p.start),
            str(p.deadline),
            "yes" if p.id in frozen else "replay" if p.replay else "no",
        )
        for p in proposal_files.load_proposals(folder).values()
    ]
    echo_table(rows, ("id", "title", "owner", "start", "deadline", "frozen"))


def _echo_results(results: tuple[ProposalResult, ...]) -> None:
    rows = [
        (r.proposal_id, r.title, r.label, r.grade, "; ".join(sorted({f.name for f in r.findings})) or "-")
        for r in results
    ]
    echo_table(rows, ("id", "title", "verdict", "grade", "in the way"))
