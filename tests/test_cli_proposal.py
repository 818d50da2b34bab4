"""``opslib proposal`` as an operator types it, in a project of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from opslib.cli import app, common
from opslib.errors import OpslibError
from opslib.proposals.evidence import Evidence
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


def report(project: Path, page: str, *findings: Evidence, **more: list) -> None:
    """A page's record in the latest report, as far as `proposal draft` reads it."""
    folder = project / "reports" / "demo" / "latest"
    folder.mkdir(parents=True, exist_ok=True)
    harvest = {"evidence": [f.to_json() for f in findings], "provenance": {"data_until": "2026-10-31"}, **more}
    (folder / f"{page}.json").write_text(json.dumps({"name": page, "harvest": harvest}))
    (folder / "manifest.json").write_text("{}")


RISK = Evidence(key="at-risk", sentence="204 wait.", kind="measured", action="win back", owner="Service", scope=(("segment", "at risk"),))  # fmt: skip
STAND = Evidence(key="revenue", sentence="Revenue was 9.", kind="measured", metric="revenue")


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
