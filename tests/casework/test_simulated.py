"""The ledger of the simulated shop is made from nothing, marked, and never over what somebody else wrote."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opslib.casework import files
from opslib.casework.simulated import make_ledger
from opslib.errors import ProposalError
from opslib.proposals.ledger import is_simulated
from opslib.shop.opening import Shop, open_shop
from opslib.simulate.dossier import proposal_files, story
from tests.conftest import ROOT, git

COMMITTED = ROOT / "data" / "proposals" / "demo"


@pytest.fixture(scope="module")
def demo() -> Shop:
    return open_shop("demo", root=ROOT)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root of its own with the committed proposals; its folder of proposals is returned."""
    (tmp_path / "notebooks").mkdir()
    shutil.copytree(ROOT / "data" / "shops", tmp_path / "data" / "shops")
    folder = tmp_path / "data" / "proposals" / "demo"
    shutil.copytree(COMMITTED, folder)
    monkeypatch.chdir(tmp_path)
    return folder


def _truth(shop: Shop) -> dict:
    assert shop.folder is not None
    return json.loads((shop.folder / "truth.json").read_text())


def test_what_is_committed_is_what_the_planted_truth_tells(demo: Shop) -> None:
    written = {path.name: path.read_text() for path in COMMITTED.glob("*.yml")}
    assert written == proposal_files(_truth(demo))
    records = files.read_records(COMMITTED)
    assert all(is_simulated(record) for record in records)
    told = [(step.on.isoformat(), step.kind, step.proposal) for step in story(_truth(demo))]
    assert [(record.at[:10], record.kind, record.proposal) for record in records] == told
    decided = [record.payload for record in records if record.kind == "decision"]
    assert {choice["decision"] for choice in decided} == {
        "launch",
        "launch with hold-out",
        "test first",
        "gather data",
        "reject",
    }


def test_claims_are_frozen_before_their_window_and_none_waits_a_year(demo: Shop) -> None:
    proposals, decided = (
        files.load_proposals(COMMITTED),
        {step.proposal for step in story(_truth(demo)) if step.kind == "decision"},
    )
    for name, record in files.frozen_records(COMMITTED).items():
        proposal = proposals[name]
        assert proposal.replay or record.frozen_at.date() < proposal.claims[0].window.start, name
        if name not in decided:
            assert (
                datetime(2026, 10, 31) - datetime.combine(proposal.claims[0].window.end, datetime.min.time())
            ).days < 31, name


@pytest.mark.slow
def test_made_again_it_is_the_same_ledger(demo: Shop, project: Path) -> None:
    before = {path.name: path.read_bytes() for path in project.iterdir()}
    said: list[str] = []
    assert make_ledger(demo, progress=said.append) == len(files.read_records(project)) == len(said)
    assert {path.name: path.read_bytes() for path in project.iterdir()} == before


def test_what_somebody_else_wrote_is_not_overwritten(demo: Shop, project: Path) -> None:
    ledger = files.ledger_path(project)
    before = ledger.read_bytes()
    (project / "P-1.yml").write_text(
        (project / "D-01-one-page-checkout.yml").read_text().split("\n", 1)[1].replace("D-01", "P-1")
    )
    with pytest.raises(ProposalError, match=r"P-1\.yml was not made by this command and would be lost"):
        make_ledger(demo, progress=print)
    (project / "P-1.yml").unlink()
    files.append_record(project, kind="response", proposal="D-20", at=datetime(2026, 11, 2, tzinfo=UTC), payload={})
    with pytest.raises(ProposalError, match=r"ledger.jsonl, record \d+ was not made by this command"):
        make_ledger(demo, progress=print)
    assert ledger.read_bytes().startswith(before)


def test_a_real_shop_has_no_ledger_made(demo: Shop) -> None:
    for shop in (replace(demo, is_simulated=False), replace(demo, folder=None)):
        with pytest.raises(ProposalError, match="only the ledger of a simulated shop is made"):
            make_ledger(shop, progress=print)


def test_a_marked_ledger_is_held_to_its_own_chain_and_in_a_real_shop_refused(project: Path) -> None:
    git("init", folder=project)
    git("add", ".", folder=project)
    git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-m", "first", folder=project)
    path = files.ledger_path(project)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    page = {"81.html": f"ledger head <code>{json.loads(lines[-1])['hash']}</code>"}
    assert files.check_ledger(project, pages=page, may_be_simulated=True) == ()  # made anew, from its beginning
    (fault,) = files.check_ledger(project, pages=page)
    assert "record 1 is marked simulated, and the shop is not" in fault
    path.write_text("".join(lines[1:]))
    assert "was removed" in files.check_ledger(project, may_be_simulated=True)[0]
