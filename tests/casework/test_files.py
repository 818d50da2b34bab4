"""Proposals and the ledger on disk: locked, appended, compared with pages and commits."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from opslib.casework import files as files
from opslib.errors import LedgerError, ProposalError
from opslib.proposals.evaluate import definitions_of
from opslib.proposals.preregistration import freeze
from opslib.proposals.schema import Consultation
from tests.conftest import git
from tests.proposals.ledgers import head
from tests.proposals.planted import TEMPLATE, proposal

AT = datetime(2026, 2, 1, tzinfo=UTC)


def _write(folder: Path, text: str = TEMPLATE, name: str = "one.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_proposals_are_read_by_id(tmp_path: Path) -> None:
    _write(tmp_path)
    assert list(files.load_proposals(tmp_path)) == ["P-001"]
    assert files.load_proposals(tmp_path).paths["P-001"].name == "one.yml"
    assert files.load_proposals(tmp_path / "none") == {}
    with pytest.raises(ProposalError, match=rf"no proposal 'P-01' for {tmp_path.name}; did you mean 'P-001'"):
        files.load_proposals(tmp_path)["P-01"]
    _write(tmp_path, name="two.yml")
    with pytest.raises(ProposalError, match=r"two.yml: id 'P-001' is used by another file"):
        files.load_proposals(tmp_path)
    with pytest.raises(ProposalError, match="no proposal 'P-9' for none; none yet"):
        files.load_proposals(tmp_path / "none")["P-9"]


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes(b"title: caf\xe9")
    with pytest.raises(ProposalError, match=r"x.yml: not UTF-8 text"):
        files.load_proposals(path.parent)


def test_a_new_file_is_valid_and_never_overwrites(tmp_path: Path) -> None:
    path = files.write_new_proposal(tmp_path / "demo", "P-010", start="2026-12-01", deadline="2026-12-28")
    assert files.load_proposals(path.parent)["P-010"].id == "P-010"
    with pytest.raises(ProposalError, match="exists; choose another id"):
        files.write_new_proposal(tmp_path / "demo", "P-010", start="2026-12-01", deadline="2026-12-28")
    path.rename(path.with_name("P-010-draft.yml"))  # an id that another file holds is taken too
    with pytest.raises(ProposalError, match="'P-010' exists"):
        files.write_new_proposal(tmp_path / "demo", "P-010", start="2026-12-01", deadline="2026-12-28")


@pytest.mark.parametrize(
    "tail",
    [
        "",
        "consultations: []\n",
        "consultations:\n- {department: Web, person: B, date: 2026-01-01, answer: agree}\n",
        "consultations:  # who said what\n    - {department: Web, person: B, date: 2026-01-01, answer: agree}\nexcludes: [P-9]\n",
    ],
)
def test_an_answer_is_written_in_and_comments_stay(tmp_path: Path, tail: str) -> None:
    path = _write(tmp_path, "# our first\n" + TEMPLATE + tail)
    before = len(files.load_proposals(tmp_path)["P-001"].consultations)
    answer = Consultation(
        department="Logistics", person="Ana", date=date(2026, 2, 3), answer="agree_if", note="a van: new"
    )
    assert files.add_consultation(tmp_path, "P-001", answer) == path
    after = files.load_proposals(tmp_path)["P-001"]
    assert after.consultations[-1] == answer
    assert len(after.consultations) == before + 1
    assert path.read_text(encoding="utf-8").startswith("# our first\n")
    assert after.claims == proposal().claims


def test_a_list_on_one_line_is_refused(tmp_path: Path) -> None:
    inline = "consultations: [{department: Web, person: B, date: 2026-01-01, answer: agree}]\n"
    path = _write(tmp_path, TEMPLATE + inline)
    answer = Consultation(department="Web", person="Ana", date=date(2026, 2, 3), answer="agree")
    with pytest.raises(ProposalError, match="consultations: is written on one line"):
        files.add_consultation(path.parent, "P-001", answer)


def test_a_freeze_is_written_once(tmp_path: Path) -> None:
    record = freeze(proposal(), definitions=definitions_of(proposal()), at=AT)
    files.write_freeze(tmp_path, record)
    assert files.frozen_records(tmp_path) == {"P-001": record}
    with pytest.raises(ProposalError, match="P-001 is frozen already"):
        files.write_freeze(tmp_path, record)


def test_writers_at_the_same_time_keep_one_chain(tmp_path: Path) -> None:
    def write(k: int) -> None:
        for i in range(5):
            files.append_record(tmp_path, kind="response", proposal=f"P-{k}", at=AT, payload={"i": i})

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.n for record in files.read_records(tmp_path)] == list(range(1, 21))


def test_a_broken_ledger_takes_no_record(tmp_path: Path) -> None:
    files.append_record(tmp_path, kind="response", proposal="P", at=AT, payload={"value": 1})
    path = files.ledger_path(tmp_path)
    broken = path.read_text().replace('"value":1', '"value":2')
    path.write_text(broken)
    with pytest.raises(LedgerError, match="line 1 was edited"):
        files.append_record(tmp_path, kind="response", proposal="P", at=AT, payload={})
    assert path.read_text() == broken
    assert "line 1 was edited" in files.check_ledger(tmp_path)[0]


def test_a_cut_tail_is_found_in_pages_and_in_git(tmp_path: Path) -> None:
    for i in range(3):
        files.append_record(tmp_path, kind="response", proposal="P", at=AT, payload={"i": i})
    path = files.ledger_path(tmp_path)
    whole = path.read_text()

    git("init", "-q", folder=tmp_path)
    git("add", ".", folder=tmp_path)
    git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "ledger", folder=tmp_path)
    page = {"index.html": f"<p>ledger head: <code>{head(whole)[:16]}</code></p>"}
    assert files.check_ledger(tmp_path, pages=page) == ()
    rendered = {"81.html": "<dt>Ledger head</dt><dd><code>" + "0a" * 32 + "</code></dd>"}  # as a page prints it
    assert "81.html shows the head 0a0a0a0a0a0a" in files.check_ledger(tmp_path, pages=rendered)[0]
    path.write_text("".join(whole.splitlines(keepends=True)[:2]))
    faults = files.check_ledger(tmp_path, pages=page)
    assert "index.html shows the head" in faults[0]
    assert "line 3 of the ledger then is not line 3 now" in faults[1]
