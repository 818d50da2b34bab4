"""The committed proposals: what the planted truth of the demo gives, Hillstrom's published effects, Online Retail."""

from __future__ import annotations

from datetime import date

import pytest

from opslib.casework import decide as deciding
from opslib.casework import files as proposal_files
from opslib.casework import judge as judging
from opslib.proposals.evaluate import definitions_of
from opslib.proposals.follow_up import promises, scored_promises
from opslib.proposals.preregistration import changes_since, freeze
from opslib.proposals.results import ProposalResult
from opslib.shop import opening
from tests.conftest import ROOT, real_data

FOLDER = ROOT / "data" / "proposals"
SHOPS = ("demo", "online_retail", "hillstrom")

#: What the truth planted in the demo shop should give.
EXPECTED = {
    "D-01": "confirmed", "D-02": "supported", "D-03": "partly", "D-04": "refuted", "D-05": "harmful",
    "D-06": "inconclusive", "D-07": "invalid (sample ratio)", "D-08": "inconclusive (exploratory)", "D-09": "supported",
    "D-10": "inconclusive (association only)", "D-13": "supported",
    "D-14": "confirmed", "D-15": "inconclusive", "D-16": "invalid (enough history)",
    "D-21": "confirmed", "D-22": "confirmed", "D-23": "harmful", "D-24": "inconclusive", "D-25": "supported",
    "D-26": "confirmed", "D-27": "inconclusive", "D-28": "confirmed", "D-29": "inconclusive", "D-30": "inconclusive",
    "D-31": "inconclusive (association only)", "D-32": "inconclusive", "D-33": "inconclusive (association only)",
    "D-34": "confirmed",
}  # fmt: skip


@pytest.mark.parametrize("shop", SHOPS)
def test_every_committed_proposal_reads_and_stands_as_frozen(shop: str) -> None:
    proposals, frozen = proposal_files.load_proposals(FOLDER / shop), proposal_files.frozen_records(FOLDER / shop)
    assert set(frozen) == set(proposals) != set()
    for name, proposal in proposals.items():
        definitions, at = definitions_of(proposal), frozen[name].frozen_at
        assert changes_since(frozen[name], proposal, definitions=definitions) == (), name
        assert freeze(proposal, definitions=definitions, at=at) == frozen[name], name


@pytest.fixture(scope="module")
def demo() -> dict[str, ProposalResult]:
    _, results = judging.judge(opening.open_shop("demo", root=ROOT))
    return {result.proposal_id: result for result in results}


@pytest.mark.slow
def test_the_demo_shows_every_verdict_of_its_planted_truth(demo: dict[str, ProposalResult]) -> None:
    assert {name: demo[name].label for name in EXPECTED} == EXPECTED


@pytest.mark.slow
def test_what_is_inconclusive_says_how_long_and_what_is_infeasible_is_still_judged(
    demo: dict[str, ProposalResult],
) -> None:
    assert demo["D-06"].claims[0].days_needed > 30  # type: ignore[operator]
    assert "over capacity" in {obstacle.name for obstacle in demo["D-09"].obstacles}
    assert demo["D-09"].claims[0].measured.effect is not None
    # The ramp of D-11 is compared within its epochs; the planted effect of +40 % lies in the interval.
    effect = demo["D-11"].claims[0].measured.effect
    assert effect.lower < 0.4 < effect.upper  # type: ignore[union-attr]


@pytest.mark.slow
def test_the_rollout_finds_its_planted_effect_and_says_what_it_cannot_know(demo: dict[str, ProposalResult]) -> None:
    # Planted: +45 % orders in treated stores, +35 % in treated markets; +30 % conversion on phones, -28 % on the desktop
    # with the new menu; stationery at an elasticity of -2 sells .95^-2 - 1 more with prices 5 % lower.
    for name, planted in (
        ("D-14", 0.45),
        ("D-15", 0.30),
        ("D-30", 0.45),
        ("D-32", 0.35),
        ("D-31", -0.28),
        ("D-34", 0.95**-2 - 1),
    ):
        effect = demo[name].claims[0].measured.effect
        assert effect.lower < planted < effect.upper, name  # type: ignore[union-attr]
    assert demo["D-14"].grade == "Very low"
    assert "not drawn by lot" in demo["D-14"].claims[0].measured.doubt


@pytest.mark.slow
def test_hillstrom_gives_its_published_effects() -> None:
    # Hillstrom, MineThatData E-Mail Analytics Challenge (2008): visit +.0766 and +.0452, conversion +.0068, spend +.770.
    # The covariate (spend of the year before) moves an estimate by less than its tenth of a standard error.
    real_data("hillstrom")
    (proposal,), (result,) = judging.judge(opening.open_shop("hillstrom", root=ROOT))
    found = {claim.claim_id: claim for claim in result.claims}
    published = {"visits-men": 0.0766, "visits-women": 0.0452, "buyers-men": 0.0068, "spend-men": 0.770}
    for name, value in published.items():
        effect = found[name].measured.effect
        assert effect.value == pytest.approx(value, abs=0.1 * effect.std_error)  # type: ignore[union-attr, operator]
    assert found["visits-men"].state == found["visits-women"].state == "confirmed"
    assert result.is_replay
    assert proposal.replay


@pytest.mark.slow
def test_online_retail_is_judged_on_its_history() -> None:
    real_data("online_retail")
    proposals, results = judging.judge(opening.open_shop("online_retail", root=ROOT))
    labels = {result.proposal_id: result.label for result in results}
    assert labels["O-01"] == "supported"
    assert labels["O-03"] == "inconclusive (association only)"
    assert all(result.is_replay for result in results)
    assert max(claim.window.end for p in proposals for claim in p.claims) <= date(2011, 12, 9)


@pytest.mark.slow
def test_the_promises_of_the_demo_can_be_scored_and_never_count_as_real() -> None:
    records = proposal_files.read_records(FOLDER / "demo")
    (scores,) = scored_promises(records, is_replay=True)
    assert scores.n == 12
    assert scores.brier is not None
    assert scored_promises(records) == ()
    made = promises(records)
    assert made.loc[made["proposal"] == "D-23", "value_upper"].item() < 0, (
        "the countdown did harm, and was launched all the same"
    )
    assert made.loc[~made["is_with_recommendation"].astype(bool), "reason"].str.len().min() > 0


@pytest.mark.slow
def test_every_recorded_decision_is_judged_today_as_it_was() -> None:
    shop, recorded = opening.open_shop("demo", root=ROOT), proposal_files.read_records(FOLDER / "demo")
    decisions = [record for record in recorded if record.kind == "decision"]
    assert len(decisions) == 12
    for record in decisions:
        then = deciding.before_decision(shop, record.proposal, on=date.fromisoformat(record.payload["on"]))
        assert (then.result.label, then.result.grade) == (record.payload["verdict"], record.payload["grade"])


@pytest.mark.slow
def test_prices_that_followed_demand_are_capped_and_those_that_did_not_are_judged(
    demo: dict[str, ProposalResult],
) -> None:
    # Planted: garden prices follow a monthly shock of demand, stationery prices do not.
    assert demo["D-33"].claims[0].measured.is_confounded
    assert not demo["D-34"].claims[0].measured.is_confounded
