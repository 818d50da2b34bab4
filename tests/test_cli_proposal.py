"""``opslib proposal`` as an operator types it, in a project of its own."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from opslib.casework import decide as deciding
from opslib.cli import app, common
from opslib.errors import OpslibError
from opslib.finding import About, Finding, Proposes
from opslib.proposals.ledger import next_line, read_ledger
from tests.conftest import ROOT

RUN = CliRunner()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project root with the demo shop and its proposals, and nothing decided."""
    (tmp_path / "notebooks").mkdir()
    shutil.copytree(ROOT / "data" / "shops", tmp_path / "data" / "shops")
    shutil.copytree(ROOT / "data" / "proposals" / "demo", tmp_path / "data" / "proposals" / "demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*arguments: str) -> str:
    """What a command prints when all goes well."""
    done = RUN.invoke(app, ["proposal", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def refused(*arguments: str) -> str:
    """The one sentence of a command that is refused; `main` prints it and leaves with 2."""
    done = RUN.invoke(app, ["proposal", *arguments])
    assert isinstance(done.exception, OpslibError), (done.output, done.exception)
    return str(done.exception)


def report(project: Path, page: str, *findings: Finding, **more: list) -> None:
    """A page's record in the latest report, as far as `proposal draft` reads it."""
    folder = project / "reports" / "demo" / "latest"
    folder.mkdir(parents=True, exist_ok=True)
    harvest = {"findings": [f.to_json() for f in findings], "provenance": {"data_until": "2026-10-31"}, **more}
    (folder / f"{page}.json").write_text(json.dumps({"name": page, "harvest": harvest}))
    (folder / "manifest.json").write_text("{}")


RISK = Finding(key="at-risk", sentence="204 wait.", kind="measured", action="win back", department="Service",
               about=About(scope=(("segment", "at risk"),)), proposes=Proposes(metric="purchase_rate", design="experiment"))  # fmt: skip
STAND = Finding(key="revenue", sentence="Revenue was 9.", kind="measured", about=About(metric="revenue"))


def test_a_finding_becomes_a_draft_that_is_checked_and_never_overwritten(project):
    report(project, "31_segmentation", RISK, STAND)
    listed = typed("draft", "demo")
    assert "at-risk" in listed
    assert "revenue" not in listed
    said = typed("draft", "demo", "at-risk")
    path = project / "data" / "proposals" / "demo" / "at-risk-draft.yml"
    assert str(path) in said
    assert "- stated_probability: " in said
    text = path.read_text()
    assert "start: 2026-11-30" in text
    assert "'at-risk' on page 31_segmentation" in text
    assert "proposal 'at-risk' exists" in refused("draft", "demo", "at-risk")
    assert path.read_text() == text
    typed("draft", "demo", "at-risk", "--id", "P-014")
    assert "at-risk is a draft with 7 things to be filled in" in refused("freeze", "at-risk")
    assert "at-risk is a draft" in refused("decide", "at-risk", "--who", "A", "--what", "launch", "--why", "b")
    checked = RUN.invoke(app, ["proposal", "check", "at-risk"])
    assert checked.exit_code == 1
    assert checked.output.count("to be filled in") == 7


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (("at-rsk",), "no finding 'at-rsk' in demo's latest report: did you mean 'at-risk'?; findings with an action: at-risk"),
        (("at-risk", "--page", "20"), "no finding 'at-risk' on page 20"),
        (("revenue",), "finding 'revenue' says nothing to do, so it proposes nothing; findings with an action: at-risk"),
        (("at-risk",), "finding 'at-risk' stands on 31_a, 31_b; say which with --page"),
    ],
)  # fmt: skip
def test_a_finding_that_cannot_be_drafted_is_named_with_those_that_can(project, key, sentence):
    report(project, "31_a", RISK, STAND)
    report(project, "31_b", RISK)
    report(project, "81_p", RISK, proposals=[{"id": "P"}])
    assert sentence in refused("draft", "demo", *key)


def test_without_a_report_there_is_nothing_to_draft_from(project):
    assert "no finding of demo's latest report says what to do; make one: opslib run demo" in typed("draft", "demo")


def test_completion_gives_keys_of_findings_and_ids_of_proposals(project):
    report(project, "31_a", RISK, STAND)
    shop = SimpleNamespace(params={"shop": "demo"})
    assert common.complete_findings(shop, "") == ["at-risk"]
    assert common.complete_proposals(shop, "D-0")[:2] == ["D-01", "D-02"]
    assert common.complete_proposals(SimpleNamespace(params={}), "D-01") == ["D-01"]
    assert common.complete_proposals(SimpleNamespace(params={"shop": "nowhere"}), "") == []


def ledger(project: Path) -> list[dict]:
    return [json.loads(line) for line in (project / "data/proposals/demo/ledger.jsonl").read_text().splitlines()]


@pytest.fixture
def undecided(project):
    """The demo's proposals as they were frozen, a chain of its own without decisions; the shop's data as they are."""
    path = project / "data" / "proposals" / "demo" / "ledger.jsonl"
    kept = ""
    for record in read_ledger(path.read_text()):
        if record.kind == "freeze":
            at = datetime.fromisoformat(record.at)
            kept += next_line(kept, kind="freeze", proposal=record.proposal, at=at, payload=record.payload)
    path.write_text(kept)
    for name in ("raw", "staged"):
        if (ROOT / "data" / name / "demo").exists():
            (project / "data" / name).mkdir()
            (project / "data" / name / "demo").symlink_to(ROOT / "data" / name / "demo")
    return project


DECIDED = ("--who", "Mara Lind", "--why", "pays on average", "--on", "2026-05-27")


def test_a_launch_is_decided_and_followed_up_when_it_is_due(undecided):
    n_frozen = len(ledger(undecided))
    said = typed("decide", "D-01", "--what", "launch", *DECIDED)
    assert "D-01: launch, as recommended; written to ledger.jsonl" in said
    kept = ledger(undecided)[-1]
    assert (kept["kind"], kept["n"], kept["payload"]["on"]) == ("decision", n_frozen + 1, "2026-05-27")
    assert kept["payload"]["predictive"] is not None
    assert "D-01: decided on 2026-05-27 (launch, Mara Lind)" in refused("decide", "D-01", "--what", "reject", *DECIDED)  # fmt: skip

    shop = SimpleNamespace(name="demo")
    said = "launch (Mara Lind, 27 May 2026)"
    assert deciding.standing(shop, "D-01") == {"decision": said, "ledger_head": kept["hash"]}
    assert deciding.standing(shop, "D-02")["decision"] is None

    assert "nothing is due on 2026-06-30" in typed("follow-up", "--on", "2026-06-30")
    early = RUN.invoke(app, ["proposal", "follow-up", "D-01", "--on", "2026-06-30"])
    assert early.exit_code == 1
    assert "D-01: the follow-up is due after 2026-08-16, and the data reach 2026-06-30" in early.output
    assert len(ledger(undecided)) == n_frozen + 1

    assert "D-01: +13.3% (+6.8% to +20.2%), promised +12.0%" in typed("follow-up", "--on", "2026-08-19")
    assert ledger(undecided)[-1]["kind"] == "follow_up"
    again = RUN.invoke(app, ["proposal", "follow-up", "D-01", "--on", "2026-08-19"])
    assert (again.exit_code, "followed up already" in again.output) == (1, True)
    assert "nothing is due" in typed("follow-up", "--on", "2026-08-19")
    checked = RUN.invoke(app, ["proposal", "check", "D-02"])
    assert "ledger: whole" in checked.output  # the chain holds after what was appended


def test_against_the_recommendation_is_said_and_reasoned(undecided):
    told = ("decide", "D-05", "--who", "Ruth", "--on", "2026-06-17")
    assert "add --against, or decide 'reject'" in refused(*told, "--what", "launch", "--why", "fashion")
    assert "goes against the recommendation 'reject'; say why" in refused(
        *told, "--what", "launch", "--why", " ", "--against"
    )
    assert "'reject' is what is recommended; leave out --against" in refused(
        *told, "--what", "reject", "--why", "harm", "--against"
    )
    assert not any(row["kind"] == "decision" for row in ledger(undecided))
    assert "D-05: launch, against 'reject'" in typed(*told, "--what", "launch", "--why", "fashion", "--against")
    assert ledger(undecided)[-1]["payload"]["is_with_recommendation"] is False
    said = deciding.standing(SimpleNamespace(name="demo"), "D-05")["decision"]
    assert said == "launch (Ruth, 17 Jun 2026, against the recommendation to reject)"


def test_what_is_not_given_is_asked_for_after_the_recommendation(undecided):
    answers = "launch\ny\nRuth\nfashion\n"
    done = RUN.invoke(app, ["proposal", "decide", "D-05", "--on", "2026-06-17"], input=answers)
    assert done.exit_code == 0, done.output
    assert done.output.index("recommended: reject") < done.output.index("what is decided [reject]:")
    kept = ledger(undecided)[-1]["payload"]
    assert (kept["decision"], kept["person"], kept["reason"]) == ("launch", "Ruth", "fashion")
    unsure = RUN.invoke(app, ["proposal", "decide", "D-02", "--on", "2026-04-29"], input="reject\nn\nA\nb\n")
    assert "goes against the recommendation" in str(unsure.exception)
    assert RUN.invoke(app, ["proposal", "decide", "D-02"], input="").exit_code == 1  # nobody there to ask
    assert sum(row["kind"] == "decision" for row in ledger(undecided)) == 1


def test_testing_first_leaves_the_decision_open(undecided):
    assert "against 'launch'" in typed("decide", "D-01", "--what", "test_first", "--against", *DECIDED)
    assert "only a launch is followed up" in RUN.invoke(app, ["proposal", "follow-up", "D-01"]).output
    typed("decide", "D-01", "--what", "launch", *DECIDED)
    assert "decided on 2026-05-27 (launch" in refused("decide", "D-01", "--what", "reject", *DECIDED)


def test_mistakes_are_named_before_anything_is_written(undecided):
    assert "--what 'lounch': did you mean 'launch'?" in refused("decide", "D-01", "--what", "lounch")
    assert "no proposal 'D-99'" in refused("decide", "D-99", "--what", "launch")
    assert "on: '30/6/2025' is not a date" in refused("decide", "D-01", "--on", "30/6/2025")
    for name, sentence in (("X-1", "no proposal 'X-1'"), ("D-02", "D-02: nothing was decided; opslib proposal decide")):
        done = RUN.invoke(app, ["proposal", "follow-up", name])
        assert (done.exit_code, sentence in done.output) == (1, True), done.output
    path = undecided / "data" / "proposals" / "demo" / "ledger.jsonl"
    broken = path.read_text().replace('"proposal":"D-18"', '"proposal":"D-77"')
    path.write_text(broken)
    assert "line 17 was edited" in refused("decide", "D-01", "--what", "launch", *DECIDED)
    assert path.read_text() == broken


def test_a_follow_up_measures_what_was_frozen_or_nothing(undecided):
    folder = undecided / "data" / "proposals" / "demo"
    typed("decide", "D-01", "--what", "launch", *DECIDED)
    file = folder / "D-01-one-page-checkout.yml"
    text = file.read_text()
    file.write_text(text.replace("end: 2026-08-16", "end: 2026-08-09"))
    moved = RUN.invoke(app, ["proposal", "follow-up", "D-01", "--on", "2026-08-19"])
    assert moved.exit_code == 1
    assert (
        "claims.checkout-completion.follow_up.window.end was '2026-08-16' when frozen and is '2026-08-09' now"
        in moved.output
    )

    file.write_text(text)
    (folder / "late.yml").write_text(text.replace("id: D-01", "id: D-41"))
    said = typed("decide", "D-41", "--what", "launch", "--against", *DECIDED)
    assert "it was never frozen, so no follow-up can be scored" in said
    done = RUN.invoke(app, ["proposal", "follow-up", "D-41", "--on", "2026-08-19"])
    assert (done.exit_code, "D-41: it was never frozen, so nobody named" in done.output) == (1, True)
    assert "1 followed up" in typed("follow-up", "--on", "2026-08-19")  # what was never frozen is not due
