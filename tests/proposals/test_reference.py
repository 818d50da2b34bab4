"""What was frozen stays frozen: the ledgers, proposals and verdicts of tests/reference read and are judged as they were."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from opslib.casework import decide, files, judge
from opslib.metrics import Filter, Metric, shop_metrics
from opslib.proposals import preregistration
from opslib.proposals.evaluate import definitions_of
from opslib.proposals.follow_up import promises, scored_promises
from opslib.proposals.preregistration import changes_since, content_hash, freeze, frozen_content
from opslib.proposals.results import METHOD_VERSION, ProposalResult
from opslib.proposals.schema import Claim, Guardrail, Proposal
from opslib.proposals.scope import Part
from opslib.shop import opening
from tests.conftest import ROOT, real_data
from tests.proposals.ledgers import head

FOLDER = ROOT / "tests" / "reference" / "proposals"
VERDICTS = json.loads((ROOT / "tests" / "reference" / "verdicts.json").read_text(encoding="utf-8"))
SHOPS = ("demo", "hillstrom", "online_retail")
#: Hash of the last line of each ledger at commit 7793ccb.
HEADS = {
    "demo": "ba2e34054848c075f5ad1643fca98f18cdc789f0ab151b2d61cd4b928417339e",
    "hillstrom": "511d32ac2d259976668f8d256974faf4481ad928a57b1380253fd0ece5052284",
    "online_retail": "021e1e41d225dc99851e70852df942cdaf64594146fb7f788a20d611f91ab28e",
    "parts": "203d24de4e022f991ce0ebdc2bbfab58229873c95721defad2b00f4df5b30287",
}
#: What is compared of decisions and follow-ups as they are read.
READ = ["proposal", "decision", "recommendation", "promise", "predicted", "value", "lower", "upper", "is_inside"]
#: A shop's own metric with every field of a filter: a text, a number and a list.
OWN = {
    "parts": shop_metrics({
        "gift_share": {
            "definition": "Share of units that are gifts.", "unit": "share", "numerator": "units_sold - units_returned",
            "denominator": "units_sold", "unit_of_analysis": "customer", "direction": 1,
            "numerator_where": [["category", "in", ["Cards", "Gifts"]], ["unit_price", ">", 1.5]],
            "denominator_where": [["ordered_at", ">=", "2026-01-05"]],
        }
    })
}  # fmt: skip


@pytest.mark.parametrize("shop", HEADS)
def test_every_reference_ledger_verifies(shop: str) -> None:
    assert files.check_ledger(FOLDER / shop) == ()
    assert head(files.ledger_path(FOLDER / shop).read_text(encoding="utf-8")) == HEADS[shop]


@pytest.mark.parametrize("shop", HEADS)
def test_no_reference_proposal_differs_from_what_was_frozen(shop: str) -> None:
    proposals, frozen = files.load_proposals(FOLDER / shop), files.frozen_records(FOLDER / shop)
    assert set(frozen) == set(proposals) != set()
    for name, proposal in proposals.items():
        definitions, record = definitions_of(proposal, own=OWN.get(shop)), frozen[name]
        assert changes_since(record, proposal, definitions=definitions) == (), name
        assert freeze(proposal, definitions=definitions, at=record.frozen_at) == record, name


def _parts() -> Proposal:
    return files.load_proposals(FOLDER / "parts")["PARTS"]


def _inside(value: Any) -> Iterator[Part]:
    if isinstance(value, Part):
        yield value
        for name in type(value).model_fields:
            yield from _inside(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _inside(item)


def test_the_parts_reach_every_kind_of_part_and_every_key_away_from_its_default() -> None:
    proposal = _parts()
    found = [part for item in (*proposal.claims, *proposal.guardrails) for part in _inside(item)]
    written = {kind for kind in preregistration._KEYS[1] if issubclass(kind, Part)}
    assert {type(part) for part in found} == written
    moved = {
        (type(part), name)
        for part in found
        for name, field in type(part).model_fields.items()
        if field.is_required() or getattr(part, name) != field.get_default()
    }
    tags = {"kind", "op"}
    assert {(kind, name) for kind in written for name in kind.model_fields if name not in tags} <= moved


def test_a_field_that_came_later_changes_no_old_hash_and_is_frozen_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class LaterGuardrail(Guardrail):
        day_of_outcome: int = 0

    keys = {**preregistration._KEYS[1], LaterGuardrail: preregistration._KEYS[1][Guardrail]}
    monkeypatch.setitem(preregistration._KEYS, 1, keys)
    given = {"metric": "conversion", "margin": 0.1}
    old = _parts().model_copy(update={"guardrails": (Guardrail(**given),)})
    unused = old.model_copy(update={"guardrails": (LaterGuardrail(**given),)})
    used = old.model_copy(update={"guardrails": (LaterGuardrail(**given, day_of_outcome=14),)})
    before, same, after = (
        frozen_content(p, definitions=definitions_of(p, own=OWN["parts"])) for p in (old, unused, used)
    )
    assert content_hash(before) == content_hash(same) != content_hash(after)
    assert after["guardrails"]["conversion"] == {**given, "scale": "relative", "day_of_outcome": 14}


def test_a_field_with_another_name_keeps_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    class Renamed(Part):
        metric: str
        largest_loss: float

    monkeypatch.setitem(preregistration._KEYS, 1, {**preregistration._KEYS[1], Renamed: "metric margin=largest_loss"})
    assert preregistration._written(Renamed(metric="conversion", largest_loss=0.1), preregistration._KEYS[1]) == {
        "metric": "conversion",
        "margin": 0.1,
    }


def test_every_field_of_a_metric_is_frozen_or_only_displayed() -> None:
    written = set(preregistration._KEYS[1][Metric].split())
    assert set(Metric.__dataclass_fields__) - written == {"title", "money_path"}
    assert set(Filter.__dataclass_fields__) == set(preregistration._KEYS[1][Filter].split())


def test_what_has_no_keys_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {kind: text for kind, text in preregistration._KEYS[1].items() if kind is not Claim}
    monkeypatch.setitem(preregistration._KEYS, 1, keys)
    with pytest.raises(
        preregistration.ProposalError, match="a Claim cannot be frozen: preregistration has no keys for it"
    ):
        frozen_content(_parts(), definitions=definitions_of(_parts(), own=OWN["parts"]))


def test_every_recorded_decision_and_follow_up_reads_as_it_did() -> None:
    for shop in SHOPS:
        records = files.read_records(FOLDER / shop)
        decided = {r.proposal: [r.payload["verdict"], r.payload["grade"]] for r in records if r.kind == "decision"}
        assert decided == VERDICTS[shop]["decided"]
        ends = {"value_lower": "lower", "value_upper": "upper"}
        read = json.loads(promises(records).rename(columns=ends)[READ].to_json(orient="records", double_precision=9))
        assert read == VERDICTS[shop]["promises"]
    (scores,) = scored_promises(files.read_records(FOLDER / "demo"), is_replay=True)
    assert (scores.n, scores.coverage_share) == (12, sum(p["is_inside"] for p in VERDICTS["demo"]["promises"]) / 12)


def _read(result: ProposalResult) -> dict[str, Any]:
    return {
        "verdict": result.label,
        "grade": result.grade,
        "claims": {claim.claim_id: [claim.label, claim.grade] for claim in result.claims},
        "guardrails": {guard.metric: guard.state for guard in result.guardrails},
    }


@pytest.mark.slow
@pytest.mark.parametrize("shop", [shop for shop in SHOPS if shop != "demo"])  # the demo's tables were remade since
def test_judged_again_every_verdict_and_grade_is_the_same(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if VERDICTS["method_version"] != METHOD_VERSION:
        pytest.skip(f"judged by method {VERDICTS['method_version']}; today's is {METHOD_VERSION}, the records stay")
    real_data(shop)
    shutil.copytree(FOLDER, tmp_path / "proposals")
    for module in (files, judge):
        monkeypatch.setattr(module, "proposals_of", lambda name: tmp_path / "proposals" / name)
    opened = opening.open_shop(shop, root=ROOT)
    _, results = judge.judge(opened)
    assert {result.proposal_id: _read(result) for result in results} == VERDICTS[shop]["judged"]
    for record in files.read_records(tmp_path / "proposals" / shop):
        if record.kind == "decision":
            then = decide.before_decision(opened, record.proposal, on=date.fromisoformat(record.payload["on"])).result
            assert [then.label, then.grade] == VERDICTS[shop]["decided"][record.proposal], record.proposal
