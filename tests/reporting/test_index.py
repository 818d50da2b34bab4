"""The index: state, decisions, pages."""

from __future__ import annotations

import base64
from dataclasses import replace

from opslib.reporting.harvest import Harvest
from opslib.reporting.index import headline_tiles, render_index, sparkline
from opslib.reporting.manifest import PageRecord
from opslib.reporting.since import snapshot
from tests.reporting.notebooks import PROVENANCE, a_finding, estimate


def record(name: str = "10_a", *, status: str = "ok", reason: str = "", **found: object) -> PageRecord:
    return PageRecord(
        name=name,
        notebook=f"{name}.ipynb",
        title=f"Page {name}?",
        answer="It is so.",
        status=status,
        reason=reason,
        why_run="",
        seconds=1.0,
        parameters={"start": "2026-10-01", "end": "2026-10-31"},
        key={},
        sha256="",
        harvest=Harvest(**found),
    )


def metric(key: str, name: str, value: dict, **fields: object) -> dict:
    return a_finding(key, f"{name}.", metric=name, estimate=value, **{"role": "key figure", **fields})


def moved(name: str, value: dict, *, compared: str = "previous", **fields: object) -> dict:
    return metric(f"{name} {compared}", name, value, role="change", compared=compared, **fields)


def test_a_metric_has_one_tile_with_its_change_and_course() -> None:
    found = [
        metric("revenue", "revenue", estimate(412e3, 412e3, 412e3, "GBP")),
        moved("revenue", estimate(0.031, 0.004, 0.059, "change")),
        moved("revenue", estimate(-0.02, -0.03, -0.01, "change"), compared="year_before"),
        metric("conversion", "conversion", estimate(0.0231, 0.0224, 0.0238, "share")),
        metric("conversion-fr", "conversion", estimate(0.01, 0.01, 0.01, "share"), scope=[["country", "FR"]]),
        a_finding("words", "No metric here."),
    ]
    tested = record(
        "81", findings=[metric("c", "bounce", estimate(0.6, 0.5, 0.7, "change"))], proposals=[{"id": "P-1"}]
    )
    tiles = headline_tiles([record(findings=found, series={"revenue": [1.0, 2.0]}), tested], currency="GBP")
    assert [t.name for t in tiles] == ["revenue", "conversion"]
    assert (tiles[0].value, tiles[0].interval) == ("£412k", "")
    assert tiles[0].changes == {"Sep 2026": "+3.1\u00a0% (0.4–5.9)", "Oct 2025": "−2.0\u00a0% (−3.0 to −1.0)"}
    assert (tiles[1].value, tiles[1].interval, tiles[1].spark) == ("2.31\u00a0%", "2.24–2.38", "")
    assert tiles[0].spark.startswith("data:image/svg+xml;base64,")


def test_the_index_is_about_the_period_of_its_figures() -> None:
    asked = {"start": "", "end": ""}
    year = record("50_a", provenance={"start": "2026-01-01", "end": "2026-12-31"})
    figures = record(
        "70_b",
        findings=[metric("revenue", "revenue", estimate(9.0, 9.0, 9.0, "GBP"))],
        provenance={"start": "2026-10-01", "end": "2026-10-31"},
    )
    text = render_index([replace(page, parameters=asked) for page in (year, figures)], shop="demo", origin={})
    assert "State of the shop, Oct 2026" in text


def test_a_sparkline_leaves_gaps_and_marks_the_end() -> None:
    svg = base64.b64decode(sparkline([0.0, 10.0, None, 5.0, 10.0]).partition(",")[2]).decode()
    assert 'd="M3.0 32.0L41.5 4.0M118.5 18.0L157.0 4.0"' in svg  # by hand: 38.5 a step, 28 high, 4 from the edge
    assert 'cx="157.0" cy="4.0"' in svg
    assert sparkline([None, 1.0]) == ""


def test_pages_failures_and_gaps_each_have_their_place() -> None:
    missing = record("20_b", status="not available", not_available=[{"table": "reviews", "would_answer": "what hurts"}])
    text = render_index(
        [record(provenance=PROVENANCE), missing, record("30_c", status="failed", reason="it broke.")],
        shop="demo",
        origin={},
    )
    for part in ("State of the shop, Oct 2026", "Harbour Lane", "simulated", "It is so.", 'href="10_a.html"'):
        assert part in text
    assert "This page could not be made: it broke.</p>" in text
    assert text.index("Not available") < text.index("would answer: what hurts")
    assert "Decisions waiting" not in text


def test_proposals_wait_until_decided() -> None:
    money = estimate(18e3, -4e3, 41e3, "GBP/year")
    waiting = {
        "id": "P-007",
        "title": "Free delivery at £40",
        "verdict": "partly",
        "grade": "High",
        "money": money,
        "recommendation": "launch with hold-out",
        "waiting_days": 6,
        "notes": ["Web has not answered"],
    }
    decided = {"id": "P-001", "title": "Old", "verdict": "refuted", "decision": "rejected by Ada"}
    text = render_index([record("81_proposal", proposals=[waiting, decided])], shop="demo", origin={"currency": "GBP"})
    assert "Decisions waiting (1)" in text
    for part in ("P-007 Free delivery at £40", "£18k a year (−4k to 41k)", "6 days", "Web has not answered"):
        assert part in text
    assert text.index("Decided (1)") < text.index("P-001 Old")
    assert "Page 81_proposal?" not in text  # the tables lead to it


def test_the_index_alone_marks_a_simulated_shop() -> None:
    failed = record(status="failed", reason="x")
    assert '<span class="tag">simulated</span>' in render_index([failed], shop="d", origin={"is_simulated": True})


def test_alarms_changes_and_promises_say_what_is_and_what_is_not() -> None:
    calm = render_index([record()], shop="demo", origin={})
    for part in ("Alarms (0)", "<p>No alarms.</p>", "First report: nothing to compare with."):
        assert part in calm
    assert "Promises we made" not in calm
    assert "Not run this time" not in calm
    bad = record(findings=[a_finding("undo-p-1", "P-1 made <it> worse.", role="promise", objects=["P-1"])])
    before = snapshot([record(findings=[a_finding(f"k{i}", f"Was {i}.") for i in range(9)])])
    follow = record("90_follow_up")
    text = render_index(
        [bad, follow],
        shop="demo",
        origin={},
        before=before,
        promises="4 of 12.",
        left_out={"Where?": "the data changed"},
    )
    assert "Alarms (1)" in text
    assert "What changed since last time (10)" in text  # one new, nine gone
    assert "<summary>2 more</summary>" in text
    assert '10_a.html#f-undo-p-1">why' in text
    assert "made &lt;it&gt; worse" in text
    assert '4 of 12. <a href="90_follow_up.html">' in text
    assert text.index("Not run this time") < text.index("the data changed")
    same = render_index([record()], shop="demo", origin={}, before=snapshot([record()]))
    assert "No finding, verdict or decision changed." in same


def test_a_decided_proposal_shows_its_decision_and_a_waiting_one_its_obstacles() -> None:
    waiting = {
        "id": "P-1",
        "title": "A",
        "verdict": "partly",
        "notes": ["sample out of reach: long", "no answer: Web is silent"],
    }
    decided = {
        "id": "P-2",
        "title": "B",
        "verdict": "partly",
        "notes": ["over capacity: long"],
        "decision": "launch (Ada, 1 Oct)",
    }
    text = render_index([record("81_proposal", proposals=[waiting, decided])], shop="demo", origin={})
    assert "<small>sample out of reach</small>" in text
    assert "<small>no answer: Web is silent</small>" in text
    assert "over capacity" not in text
    assert ">launch (Ada, 1 Oct)</td>" in text
