"""``opslib proposal``: write down, check, freeze, answer, evaluate, decide, follow up, list."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opslib.cli.common import (
    complete_findings,
    complete_proposals,
    complete_shops,
    echo_table,
    findings_of_report,
    open_with_progress,
)
from opslib.shop.root import project_root, proposals_of

if TYPE_CHECKING:
    from opslib.proposals.results import ProposalResult

proposal_app = typer.Typer(help="Proposals: claims before the result, verdicts after it.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(autocompletion=complete_proposals, help="Id of the proposal.")]
Ids = Annotated[list[str] | None, typer.Argument(autocompletion=complete_proposals, help="Ids; all unless given.")]
OfShop = Annotated[str, typer.Option("--shop", autocompletion=complete_shops, help="Shop that the proposal is for.")]


@proposal_app.command("new")
def new(
    proposal: IdArgument,
    shop: OfShop = "demo",
    start: Annotated[str, typer.Option(help="First day of the change (default: in four weeks).")] = "",
    deadline: Annotated[str, typer.Option(help="Day by which it must be judged (default: twelve weeks later).")] = "",
) -> None:
    """Write a file to fill in: what changes, what it promises, how that will be measured.

    Example: opslib proposal new P-014 --shop my_shop
    """
    from opslib.casework.files import write_new_proposal
    from opslib.periods import parse_date

    first = parse_date(start, name="start") if start else datetime.now(UTC).date() + timedelta(weeks=4)
    last = parse_date(deadline, name="deadline") if deadline else first + timedelta(weeks=12)
    path = write_new_proposal(proposals_of(shop), proposal, start=first.isoformat(), deadline=last.isoformat())
    typer.echo(f"wrote {path}")
    typer.echo(f"fill it in (docs/proposals.md says how), then: opslib proposal check {proposal} --shop {shop}")


@proposal_app.command("draft")
def draft(
    shop: Annotated[str, typer.Argument(autocompletion=complete_shops, help="Shop whose latest report is read.")],
    finding: Annotated[
        str, typer.Argument(autocompletion=complete_findings, help="Key of a finding; those there are, unless given.")
    ] = "",
    page: Annotated[str, typer.Option(help="Page of the finding, where several have one of that key.")] = "",
    proposal: Annotated[str, typer.Option("--id", help="Id of the proposal (default: the finding's key).")] = "",
) -> None:
    """Draft a proposal from a finding of the latest report, with a list of what only people can fill in.

    Examples: opslib proposal draft demo | opslib proposal draft demo win-back
    | opslib proposal draft my_shop repeat-rate --page 70 --id P-014
    """
    from opslib import proposals
    from opslib.casework.files import write_draft
    from opslib.finding import Finding

    known = findings_of_report(shop)
    if not finding:
        _list_findings(shop, known)
        return
    found = _one_finding(shop, known, key=finding, page=page)
    until = found["data_until"]
    made = proposals.draft(
        Finding.from_json(found),
        as_of=date.fromisoformat(until[:10]) if until else None,
        page=found["page"],
        proposal_id=proposal or None,
    )
    typer.echo(f"wrote {write_draft(proposals_of(shop), made)}\nstill to be said before it can be frozen:")
    for item in made.to_do:
        typer.echo(f"- {item}")
    typer.echo(f"then: opslib proposal check {made.id} --shop {shop}")


@proposal_app.command("check")
def check(proposals: Ids = None, shop: OfShop = "demo") -> None:
    """Check that proposals can be carried out and judged, and that the ledger's chain is whole. Exit code 1 on errors.

    Examples: opslib proposal check P-014 --shop my_shop | opslib proposal check --shop demo
    """
    from opslib.casework.files import check_ledger
    from opslib.casework.judge import open_casework
    from opslib.proposals.evaluate import check_proposal

    case, n_errors = open_casework(open_with_progress(shop)), 0
    for name in proposals or case.known:
        found = check_proposal(case.proposal(name), shop=case.data, frozen=case.frozen.get(name))
        n_errors += sum(f.severity == "error" for f in found)
        for item in found:
            typer.secho(f"{name} {item.severity}: {item.name} ({item.place}): {item.sentence}",
                        fg="red" if item.severity == "error" else "yellow")  # fmt: skip
        if not found:
            typer.echo(f"{name}: concrete, measurable, feasible, answered")
    published = project_root() / "reports" / shop / "latest"
    pages = {p.name: p.read_text(encoding="utf-8") for p in sorted(published.glob("*.html"))}
    faults = check_ledger(proposals_of(shop), pages=pages, may_be_simulated=case.shop.is_simulated)
    for fault in faults:
        typer.secho(f"ledger: {fault}", fg="red")
    typer.echo("ledger: whole" if not faults else f"ledger: {len(faults)} faults")
    raise typer.Exit(1 if n_errors or faults else 0)


@proposal_app.command("freeze")
def freeze(proposal: IdArgument, shop: OfShop = "demo") -> None:
    """Write the hash of claims, metrics, scope, design, stopping rule and stated probability into the ledger.

    Example: opslib proposal freeze P-014 --shop my_shop
    """
    from opslib.casework import files as proposal_files
    from opslib.casework import judge as judging
    from opslib.proposals.evaluate import claim_outcome_of, definitions_of, first_outcome_of
    from opslib.proposals.preregistration import freeze as freeze_claims

    opened, folder = open_with_progress(shop), proposals_of(shop)
    loaded = proposal_files.load_proposals(folder)[proposal]
    definitions = definitions_of(loaded, own=judging.own_metrics(opened))
    record = freeze_claims(loaded, definitions=definitions, at=datetime.now(UTC))
    proposal_files.write_freeze(folder, record)
    typer.echo(f"frozen {proposal}: {record.sha256}")
    if record.frozen_at >= first_outcome_of(loaded, zone=opened.time_zone):
        typer.secho("its window has begun already: its claims are exploratory and cannot be confirmed", fg="yellow")
    else:
        for claim in loaded.claims:
            first = claim_outcome_of(claim, zone=opened.time_zone)
            if record.frozen_at >= first:
                typer.secho(f"{claim.id} reads outcomes from {first.date()} on, before it was frozen: it is exploratory and "
                            "cannot be confirmed", fg="yellow")  # fmt: skip
    typer.echo(f"commit {proposal_files.ledger_path(folder)} now; its history is part of the proof")


@proposal_app.command("respond")
def respond(
    proposal: IdArgument,
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

    from opslib.casework.files import add_consultation
    from opslib.errors import ProposalError
    from opslib.proposals.schema import Consultation

    try:
        said = Consultation(department=department, person=person, date=_day(on), answer=answer,  # type: ignore[arg-type]
                            note=note, effort_person_days=effort)  # fmt: skip
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in error.errors())
        raise ProposalError(f"{proposal}: {faults}") from None
    path = add_consultation(proposals_of(shop), proposal, said)
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
    from opslib.casework import files as proposal_files
    from opslib.casework import judge as judging
    from opslib.finding import jsonable
    from opslib.findings.proposal import findings
    from opslib.proposals.follow_up import first_estimates

    opened = open_with_progress(shop)
    _, results = judging.judge(opened, proposals or ())
    _echo_results(results)
    for result in () if dry else results:
        payload = {
            "state": result.state, "qualifier": result.qualifier, "grade": result.grade,
            "method_version": result.method_version, "data_fingerprint": opened.fingerprint,
            "claims": [item.to_json() | {"metric": item.about.metric, "owner": result.owner} for item in findings(result)],
            "first_estimates": first_estimates(result),
        }  # fmt: skip
        proposal_files.append_record(
            proposals_of(shop),
            kind="evaluation",
            proposal=result.proposal_id,
            at=datetime.now(UTC),
            payload=jsonable(payload),
        )
    typer.echo("nothing written (--dry)" if dry else f"{len(results)} evaluations appended to the ledger")


@proposal_app.command("decide")
def decide(
    proposal: IdArgument,
    who: Annotated[str, typer.Option(help="Who decides; asked for unless given.")] = "",
    what: Annotated[
        str,
        typer.Option(help="launch, launch_with_hold_out, test_first, gather_data or reject; asked for unless given."),
    ] = "",
    why: Annotated[str, typer.Option(help="The reason; it stands on the page. Asked for unless given.")] = "",
    shop: OfShop = "demo",
    against: Annotated[bool, typer.Option("--against", help="It goes against the recommendation, knowingly.")] = False,
    on: Annotated[str, typer.Option(help="Day of the decision; later data are not looked at (default: today).")] = "",
) -> None:
    """Write down a decision, with what it predicts that the follow-up will find.

    Examples: opslib proposal decide P-014 | opslib proposal decide P-014 --who "Ana R." --what launch_with_hold_out --why
    "pays on average" | opslib proposal decide P-015 --who "Ana R." --what launch --why "the law asks for it" --against
    """
    from opslib.casework import decide as deciding
    from opslib.casework import files as proposal_files
    from opslib.proposals.ledger import records_of

    day, folder, choice = _day(on), proposals_of(shop), _decision(what) if what else ""
    records, known = proposal_files.read_records(folder), proposal_files.load_proposals(folder)
    deciding.require_open(records, known[proposal].id)
    weighed = deciding.before_decision(open_with_progress(shop), proposal, on=day)
    advice = weighed.desirable.recommendation
    typer.echo(f"{proposal}: {weighed.result.label}, {weighed.result.grade.lower()} grade; recommended: {advice}")
    if not choice:
        choice = _decision(typer.prompt("what is decided", default=advice).replace(" ", "_"))
        against = choice != advice and (against or typer.confirm("that goes against the recommendation, knowingly?"))
    who = who or typer.prompt("who decides")
    why = why or typer.prompt("why")
    payload = deciding.decided(weighed, person=who, decision=choice, reason=why, is_against=against, on=day)
    proposal_files.append_record(folder, kind="decision", proposal=proposal, at=datetime.now(UTC), payload=payload)
    side = "as recommended" if payload["is_with_recommendation"] else f"against '{payload['recommendation']}'"
    typer.echo(f"{proposal}: {choice}, {side}; written to {proposal_files.ledger_path(folder).name}, commit it now")
    if choice not in deciding.LAUNCHES:
        return
    if not records_of(records, proposal=proposal, kind="freeze"):
        typer.secho("it was never frozen, so no follow-up can be scored", fg="yellow")
    elif payload["predictive"] is None:
        typer.secho(
            "nothing was measured that a follow-up could be predicted from; only the stated probability is scored",
            fg="yellow",
        )


@proposal_app.command("follow-up")
def follow_up(
    proposals: Ids = None,
    shop: OfShop = "demo",
    on: Annotated[str, typer.Option(help="Day of the follow-up; later data are not looked at (default: today).")] = "",
) -> None:
    """Measure what became of what was launched, by the preregistered design, and score the promise.

    Without ids: everything that is due. Exit code 1 where one cannot be measured.

    Examples: opslib proposal follow-up P-014 --shop my_shop | opslib proposal follow-up
    """
    from opslib.casework import decide as deciding
    from opslib.casework import files as proposal_files
    from opslib.errors import ProposalError

    opened, day, folder = open_with_progress(shop), _day(on), proposals_of(shop)
    records, known = proposal_files.read_records(folder), proposal_files.load_proposals(folder)
    chosen = tuple(proposals or deciding.due(records, known, on=day))
    n_faults = 0
    for name in chosen:
        try:
            payload = deciding.followed(opened, name, on=day)
        except ProposalError as error:
            n_faults += 1
            typer.secho(str(error), fg="red")
            continue
        proposal_files.append_record(folder, kind="follow_up", proposal=name, at=datetime.now(UTC), payload=payload)
        typer.echo(
            f"{name}: {payload['value']:+.1%} ({payload['lower']:+.1%} to {payload['upper']:+.1%}), promised "
            f"{payload['promise']:+.1%}"
        )
    typer.echo(f"{len(chosen) - n_faults} followed up" if chosen else f"nothing is due on {day}")
    raise typer.Exit(1 if n_faults else 0)


@proposal_app.command("list")
def list_proposals(
    shop: OfShop = "demo",
    judge: Annotated[bool, typer.Option("--judge", help="Judge each on the shop's data (takes longer).")] = False,
) -> None:
    """Proposals of a shop, with owner, dates and whether they are frozen.

    Example: opslib proposal list --shop demo --judge
    """
    from opslib.casework import files as proposal_files
    from opslib.casework import judge as judging

    folder = proposals_of(shop)
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
            "yes" if p.id in frozen else "replay" if p.replay else "draft" if p.to_do else "no",
        )
        for p in proposal_files.load_proposals(folder).values()
    ]
    echo_table(rows, ("id", "title", "owner", "start", "deadline", "frozen"))


def _list_findings(shop: str, known: list[dict[str, Any]]) -> None:
    from opslib.finding import Finding

    found = [(Finding.from_json(item), item["page"]) for item in known if item["action"]]
    rows = [(one.key, str(one.action), one.department or "-", page) for one, page in found]
    if rows:
        echo_table(rows, ("finding", "what to do", "owner", "page"))
    else:
        typer.echo(f"no finding of {shop}'s latest report says what to do; make one: opslib run {shop}")


def _one_finding(shop: str, known: list[dict[str, Any]], *, key: str, page: str) -> dict[str, Any]:
    """The finding of that key; what else there is where it is none, has no action, or stands on several pages."""
    from opslib.errors import ParameterError, nearest

    found = [item for item in known if item["key"] == key and item["page"].startswith(page)]
    acting = [item for item in found if item["action"]]
    there = sorted({item["key"] for item in known if item["action"]})
    listed = f"findings with an action: {', '.join(there)}" if there else f"no finding has an action; opslib run {shop}"
    if not found:
        where = f" on page {page}" if page else ""
        close = f" {nearest(key, there)};" if there else ""
        raise ParameterError(f"no finding '{key}'{where} in {shop}'s latest report:{close} {listed}")
    if not acting:
        raise ParameterError(f"finding '{key}' says nothing to do, so it proposes nothing; {listed}")
    if len(acting) > 1:
        raise ParameterError(f"finding '{key}' stands on {', '.join(i['page'] for i in acting)}; say which with --page")
    return acting[0]


def _echo_results(results: tuple[ProposalResult, ...]) -> None:
    rows = [
        (r.proposal_id, r.title, r.label, r.grade, "; ".join(sorted({f.name for f in r.obstacles})) or "-")
        for r in results
    ]
    echo_table(rows, ("id", "title", "verdict", "grade", "in the way"))


def _day(text: str) -> date:
    from opslib.periods import parse_date

    return parse_date(text, name="on") if text else datetime.now(UTC).date()


def _decision(word: str) -> str:
    """The decision as the ledger writes it."""
    from opslib.errors import ParameterError, nearest
    from opslib.proposals.follow_up import DECISIONS

    known = {name.replace(" ", "_").replace("-", "_"): name for name in DECISIONS}
    if word.replace("-", "_") not in known:
        raise ParameterError(f"--what '{word}': {nearest(word, known)}")
    return known[word.replace("-", "_")]
