"""The ledger's chain: every edit, removal and reordering is seen and named."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import LedgerError
from opslib.proposals.ledger import GENESIS, history_faults, ledger_faults, next_line, read_ledger, records_of
from tests.proposals.ledgers import head

pytestmark = pytest.mark.fault

AT = datetime(2026, 2, 20, 9, tzinfo=UTC)


def _ledger(n: int = 4) -> str:
    text = ""
    for i in range(n):
        text += next_line(
            text, kind="evaluation", proposal=f"P-{i % 2}", at=AT, payload={"value": i, "note": "a\u2028b"}
        )
    return text


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def test_a_whole_chain_has_no_fault() -> None:
    records = read_ledger(_ledger())
    assert [record.n for record in records] == [1, 2, 3, 4]
    assert records[0].previous == GENESIS
    assert len(records_of(records, proposal="P-1", kind="evaluation")) == 2


def test_an_edited_line_is_named() -> None:
    lines = _lines(_ledger())
    lines[1] = lines[1].replace('"value":1', '"value":9')
    assert ledger_faults("".join(lines))[0] == "line 2 was edited: its content does not give its hash"


def test_an_edited_line_with_a_new_hash_breaks_the_next() -> None:
    text = _ledger(1)
    forged = next_line("", kind="evaluation", proposal="P-0", at=AT, payload={"value": 9})
    rest = "".join(_lines(_ledger())[1:])
    assert "line 2" in ledger_faults(forged + rest)[0] or "record 1" in ledger_faults(forged + rest)[0]
    assert ledger_faults(text) == ()


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_removed_line_is_named(gone: int) -> None:
    lines = _lines(_ledger())
    del lines[gone]
    assert f"(record {gone + 1}) was removed" in " ".join(ledger_faults("".join(lines)))


def test_reordered_lines_are_named() -> None:
    lines = _lines(_ledger())
    lines[1], lines[2] = lines[2], lines[1]
    assert "lines 2, 3 were reordered" in ledger_faults("".join(lines))


def test_a_write_cut_short_is_named() -> None:
    assert "line 4 is not a record" in ledger_faults(_ledger()[:-20])[0]
    assert "has no line end" in ledger_faults(_ledger()[:-1])[-1]


def test_nothing_is_appended_to_a_broken_chain() -> None:
    with pytest.raises(LedgerError, match=r"line 1 was edited.*restore the file"):
        next_line(_ledger().replace('"value":0', '"value":5'), kind="freeze", proposal="P", at=AT, payload={})


def test_unknown_kind_and_naive_time_are_refused() -> None:
    with pytest.raises(LedgerError, match="kind 'guess' is not one of freeze, evaluation"):
        next_line("", kind="guess", proposal="P", at=AT, payload={})  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="has no zone"):
        next_line("", kind="freeze", proposal="P", at=datetime(2026, 1, 1), payload={})


def test_a_rewritten_tail_is_caught_by_pages_and_commits() -> None:
    old, new = _ledger(4), _ledger(3)
    assert ledger_faults(new) == ()
    faults = history_faults(new, heads={"index.html": head(old)[:16]}, earlier={"commit abc": old})
    assert "index.html shows the head" in faults[0]
    assert faults[1] == "commit abc: line 4 of the ledger then is not line 4 now"


def test_earlier_heads_and_commits_agree_with_a_longer_ledger() -> None:
    assert history_faults(_ledger(4), heads={"page": head(_ledger(2))}, earlier={"c": _ledger(3)}) == ()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_changed_character_is_seen(data: st.DataObject) -> None:
    text = _ledger(3)
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.sampled_from('0aZ{"\n'))
    changed = text[:at] + new + text[at + 1 :]
    if changed == text or _same(changed, text):
        return
    assert ledger_faults(changed)


def _same(one: str, other: str) -> bool:
    """Whether two texts hold the same JSON values."""
    try:
        return [json.loads(line) for line in one.splitlines()] == [json.loads(line) for line in other.splitlines()]
    except ValueError:
        return False


def test_a_line_without_a_format_is_of_the_first_and_a_later_one_is_refused() -> None:
    line = next_line("", kind="response", proposal="P", at=AT, payload={})
    assert read_ledger(line)[0].format == json.loads(line)["format"] == 1
    old = {key: value for key, value in json.loads(line).items() if key not in ("format", "hash")}
    text = json.dumps({**old, "hash": _hash(old)}) + "\n"
    assert read_ledger(text)[0].format == 1
    assert read_ledger(text + next_line(text, kind="response", proposal="P", at=AT, payload={}))[1].n == 2
    later = {**old, "format": 2}
    faults = ledger_faults(json.dumps({**later, "hash": _hash(later)}) + "\n")
    assert "line 1 is not a record (format 2 is not known here; a later opslib wrote it)" in faults


def _hash(row: dict) -> str:
    text = json.dumps(row, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
